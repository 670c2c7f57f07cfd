//! What a pull can prove about what it delivered.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Delivery;
use crate::connector::Select;
use crate::model::{Entity, ExternalId, StoreKey};
use crate::time::Timestamp;

/// The end of every pull: what was asked, what was checked, and what follows.
///
/// `Complete` means: every record that existed from `from` to `to`, as visible to this credential under this
/// filter, was delivered once or more, in a version no older than `from`. It is not a snapshot.
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
    /// How often a record can have arrived in the sink.
    pub delivery: Delivery,
    /// Where the next delta begins, where the platform can list one.
    pub next_since: Option<Timestamp>,
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
    /// The kind of record.
    pub entity: Entity,
    /// The filter.
    pub select: Select,
}

impl Scope {
    pub(super) fn new(store: StoreKey, entity: Entity, select: Select) -> Self {
        Self { store, entity, select }
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
    /// A resumed run ended with what changed since it began first.
    ClosingDelta,
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
    /// The count disagrees, and no sweep could be made.
    CountDisagrees,
    /// A record slipped between pages, and no sweep could be made.
    PageSkipped,
    /// The list did not keep its order, and no sweep could be made.
    OrderBroken,
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
            "{} of {}: {} records, {} rejected, {} fields dropped, from {} to {}",
            self.scope.entity,
            self.scope.store.account,
            self.records,
            self.rejected,
            self.dropped_fields,
            time(self.from),
            time(self.to)
        )?;
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
