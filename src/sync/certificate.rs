//! What a pull can prove about what it delivered.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Delivery;
use super::bulk::BulkReport;
use super::measured::Measured;
use crate::connector::{ConnectorInfo, Select};
use crate::model::{Entity, ExternalId, ProductStatus, StoreKey, View};
use crate::time::Timestamp;

/// The end of every pull: what was asked, what was checked, and what follows.
///
/// `Complete` means: every record that existed from `from` to `to`, as visible to this credential under this
/// filter, was delivered once or more, in a version no older than `from`. It is not a snapshot.
/// What "visible to this credential" came to is in [`Scope::visibility`].
///
/// A page that fails for good gives no certificate: the pull ends with the error, its checkpoint stands before the
/// page, and the run goes on from there when it is called again. What was not read is not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Certificate {
    /// What was pulled: as visible to this credential, under this filter.
    pub scope: Scope,
    /// The platform's time when the run began first.
    pub from: Option<Timestamp>,
    /// The platform's time at the last answer.
    pub to: Option<Timestamp>,
    /// How many different records were delivered.
    pub records: u64,
    /// How many records could not be mapped.
    pub rejected: u64,
    /// How many fields of delivered records were dropped.
    pub dropped_fields: u64,
    /// Ids that a sweep did not find any more though they were delivered: missing, which is not yet deleted.
    pub missing: Vec<ExternalId>,
    /// Ids that the platform told as deleted, and that a read by id did not find, of those that were there in the last
    /// full run, or where the state keeps none since the delta's own begin. Each is told once, 10,000 by one
    /// certificate at most: it stays in the state until the run is forgotten, and the next one tells the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<ExternalId>,
    /// How often a record can have arrived in the sink.
    pub delivery: Delivery,
    /// Where the next delta begins, where the platform can list one.
    pub next_since: Option<Timestamp>,
    /// What came of the file, where the list came by a bulk job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<BulkReport>,
    /// How good the numbers are, of a pull of a range of days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What follows from the checks.
    pub verdict: Verdict,
}

/// What a certificate speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scope {
    /// The store.
    pub store: StoreKey,
    /// The language or view; none for the store's own content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// The kind of record.
    pub entity: Entity,
    /// The filter.
    pub select: Select,
    /// What of it the credential was seen to see.
    #[serde(default)]
    pub visibility: Visibility,
}

impl Scope {
    pub(super) fn new(info: &ConnectorInfo, entity: Entity, select: Select, visibility: Visibility) -> Self {
        Self { store: info.store.clone(), view: info.view.clone(), entity, select, visibility }
    }
}

/// What of a store a credential was seen to see, by status.
///
/// A platform leaves out in silence what a role, or a plugin, hides from a credential: the list is shorter, and so
/// is its count, so no check can tell hidden drafts from none. A certificate therefore names what was asked for
/// and what came. A status that was asked for and did not come is one of which there is no record, or one that
/// this credential cannot see; nobody may take its records for deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Visibility {
    /// The statuses that the list was asked for; none of a kind without a status.
    pub asked: Vec<ProductStatus>,
    /// Those of the records that came, for a delta of the changed ones only.
    pub seen: Vec<ProductStatus>,
}

impl Visibility {
    pub(super) fn new(asked: &[ProductStatus], seen: &[ProductStatus]) -> Self {
        let in_order = asked.iter().filter(|status| seen.contains(status));
        let others = seen.iter().filter(|status| !asked.contains(status));
        Self { asked: asked.to_vec(), seen: in_order.chain(others).cloned().collect() }
    }

    /// The statuses that were asked for and did not come: there is no such record, or it is hidden.
    pub fn unseen(&self) -> impl Iterator<Item = &ProductStatus> {
        self.asked.iter().filter(|status| !self.seen.contains(status))
    }
}

/// One rule, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// What came of it.
    pub outcome: CheckOutcome,
    /// What was seen.
    pub evidence: String,
}

impl Check {
    pub(super) fn new(rule: Rule, outcome: CheckOutcome, evidence: impl Into<String>) -> Self {
        Self { rule, outcome, evidence: evidence.into() }
    }
}

/// The rules that a certificate checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// The platform's own exact count is the number of records that were delivered.
    CountAgrees,
    /// Neighbouring pages share a record, so nothing slipped between them.
    PagesOverlap,
    /// The list came in the promised order.
    OrderHolds,
    /// A sweep of ids at the end found nothing that was not delivered.
    SweepAgrees,
    /// Of the records that are known, no more than a few are missing at once. Where this failed, nothing may be
    /// deleted for being missing.
    FewMissing,
    /// The platform's list of deletions was held against what is missing, and each id that it tells was read.
    DeletionsTold,
    /// What moves no clock was compared with the last full run, and read again where it differed.
    UnclockedAgrees,
    /// A resumed run ended with what changed since it began first.
    ClosingDelta,
    /// The file of a bulk job is as long, and has as many objects and records, as the platform said.
    BulkWhole,
    /// Each line of that file is a record, or belongs to one, once.
    BulkJoined,
    /// Every record could be mapped.
    EveryRecordMapped,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckOutcome {
    /// It held.
    Held,
    /// It failed.
    Failed,
    /// The platform does not offer what it needs.
    NotOffered,
    /// It was not needed.
    NotNeeded,
}

/// Whether a pull was complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
#[non_exhaustive]
pub enum Verdict {
    /// Every check that the platform offers held.
    Complete,
    /// Nothing failed, but the platform gives no exact count, and no second sweep agreed.
    Unproven,
    /// Something is missing: what, and of which records where that is known.
    Incomplete {
        /// Why.
        reasons: Vec<Reason>,
        /// The ids to repair, the first hundred.
        ids: Vec<ExternalId>,
    },
}

/// Why a pull is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The list moved in each of the sweeps: pull again when the store is quieter.
    StillMoving,
    /// The platform counts other records than it lists, and a sweep told no more, or none could be made.
    CountDisagrees,
    /// A record slipped between pages, and no sweep could be made.
    PageSkipped,
    /// The list did not keep its order, and no sweep could be made.
    OrderBroken,
    /// The file of the bulk job is not the whole list, and was not mended: [`Certificate::bulk`] says how far it
    /// goes.
    BulkIncomplete,
    /// Records could not be mapped.
    RecordsRejected,
    /// Records that the list names could not be read by id.
    RecordsUnreadable,
}

impl Certificate {
    /// Whether the verdict is [`Verdict::Complete`].
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.verdict == Verdict::Complete
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Option<Timestamp>| time.map_or_else(|| "?".to_owned(), |time| time.to_string());
        writeln!(
            f,
            "{} of {}{}: {} records, {} rejected, {} fields dropped, from {} to {}",
            self.scope.entity,
            self.scope.store.account,
            self.scope.view.as_ref().map(|view| format!(" ({view})")).unwrap_or_default(),
            self.records,
            self.rejected,
            self.dropped_fields,
            time(self.from),
            time(self.to)
        )?;
        let unseen: Vec<String> =
            self.scope.visibility.unseen().map(|status| format!("{status:?}")).collect();
        if !unseen.is_empty() && self.scope.select == Select::All {
            writeln!(
                f,
                "  none came of status {}: there is none, or this credential cannot see it",
                unseen.join(", ")
            )?;
        }
        if let Some(measured) = &self.measured {
            write!(f, "{measured}")?;
        }
        for check in &self.checks {
            writeln!(f, "  {:?}: {:?} ({})", check.rule, check.outcome, check.evidence)?;
        }
        match &self.verdict {
            Verdict::Complete => f.write_str("  verdict: Complete"),
            Verdict::Unproven => f.write_str("  verdict: Unproven"),
            Verdict::Incomplete { reasons, ids } => {
                write!(f, "  verdict: Incomplete {reasons:?}")?;
                if !ids.is_empty() {
                    let ids: Vec<&str> = ids.iter().map(ExternalId::as_str).collect();
                    write!(f, ", ids {}", ids.join(" "))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Platform;

    fn certificate(select: Select, verdict: Verdict) -> Certificate {
        let (asked, seen) = ([ProductStatus::Active, ProductStatus::Draft], [ProductStatus::Active]);
        Certificate {
            scope: Scope {
                store: StoreKey::new("tenant", Platform::new("p"), "shop"),
                view: None,
                entity: Entity::Product,
                select,
                visibility: Visibility::new(&asked, &seen),
            },
            from: None,
            to: None,
            records: 1,
            rejected: 0,
            dropped_fields: 0,
            missing: Vec::new(),
            deleted: Vec::new(),
            delivery: Delivery::AtLeastOnce,
            next_since: None,
            bulk: None,
            measured: None,
            checks: Vec::new(),
            verdict,
        }
    }

    #[test]
    fn what_came_is_told_in_the_order_of_what_was_asked_for_and_what_nobody_asked_for_too() {
        let asked = [ProductStatus::Active, ProductStatus::Draft];
        let seen = [ProductStatus::Private, ProductStatus::Draft];
        let visibility = Visibility::new(&asked, &seen);
        assert_eq!(visibility.seen, [ProductStatus::Draft, ProductStatus::Private]);
        assert_eq!(visibility.unseen().collect::<Vec<_>>(), [&ProductStatus::Active]);
    }

    #[test]
    fn only_a_full_list_says_that_none_came_of_a_status_and_only_ids_are_named() {
        let line = "none came of status Draft";
        let full = certificate(Select::All, Verdict::Complete);
        assert!(full.to_string().contains(line), "{full}");
        let mut all = full.clone();
        all.scope.visibility.seen.clone_from(&all.scope.visibility.asked);
        assert!(!all.to_string().contains("none came"), "{all}");
        let delta = certificate(Select::Since(Timestamp::UNIX_EPOCH), Verdict::Complete);
        assert!(!delta.to_string().contains("none came"), "{delta}");
        for (ids, end) in [(vec![], "Incomplete [StillMoving]"), (vec!["7".into()], "[StillMoving], ids 7")] {
            let told =
                certificate(Select::All, Verdict::Incomplete { reasons: vec![Reason::StillMoving], ids });
            assert!(told.to_string().ends_with(end), "{told}");
        }
    }

    #[test]
    fn what_is_unproven_is_not_complete() {
        assert!(certificate(Select::All, Verdict::Complete).is_complete());
        assert!(!certificate(Select::All, Verdict::Unproven).is_complete());
    }
}
