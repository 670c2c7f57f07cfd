//! What becomes of a change, decided from what is known before anything is sent. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{BaseToken, CellValue, EnrichmentId, Expectation, Normaliser};
use crate::state::{Outcome, PushId, RowKind, WriteRow};
use crate::time::Timestamp;

/// Why a change is not made though the platform would take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
#[non_exhaustive]
pub enum Conflict {
    /// A list holds the key twice: nobody can say which one is meant.
    AmbiguousKey,
    /// A write of ours on the cell has no known outcome yet: settle it first.
    Unsettled,
    /// It was undone after the enrichment was made: make a new one from a fresh pull.
    Undone,
    /// Another enrichment of ours landed after this one was made.
    SupersededByOurs {
        /// The push that did it.
        push: PushId,
    },
    /// We wrote the cell, and somebody changed it since: an edit of the merchant's.
    Claimed,
    /// It is not what a push of ours wrote.
    NotOurs,
    /// It is not empty.
    NotEmpty,
    /// The enrichment says nothing of what it expects to find, and there is something.
    NoBase,
    /// It is not what it was when the record was pulled.
    EditedSince,
    /// What the text was made from is not what it was.
    SourceMoved,
    /// The base token was made by a version that this one cannot read: pull again.
    BaseUnreadable,
    /// What was reviewed is not there any more: plan again.
    PlanStale,
    /// Another push landed between plan and apply.
    SupersededBeforeSent {
        /// The push that did it.
        push: PushId,
    },
    /// It was written, and a read right after found the value before: a lost update or a revert.
    Reverted,
    /// The answer was lost, the value is the one before, but the record changed meanwhile.
    MaybeReverted,
    /// It was written, and a read right after found another value than what was sent.
    ReadBackDiffers,
    /// The record is not there any more.
    Gone,
}

/// Why a change is never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
#[non_exhaustive]
pub enum Rejection {
    /// Two changes of one plan want different values in one cell.
    Contradiction,
    /// The connector cannot write the field for this kind of record.
    NotWritable,
    /// The value is not of the field's kind.
    WrongKind,
    /// It is longer than the field may be.
    TooLong {
        /// The bound, in bytes.
        max_bytes: usize,
    },
    /// It is empty, and the field may not be.
    Empty,
    /// It has control characters, which platforms drop in silence.
    ControlCharacters,
    /// This build cannot clean HTML.
    HtmlUnsupported,
    /// The enrichment says that it was made in the future.
    MadeInFuture,
    /// The record is for another platform or kind than this store holds.
    ForeignRecord,
    /// The text is for another language or view than this store's records are in.
    ForeignLocale,
    /// The store has no text of its own in that field, which this one would belong to.
    NoSource,
    /// The cell's present value cannot be read whole, so it cannot be merged.
    Unreadable,
    /// The record has no such entry: its pictures and their order are not changed.
    NoSuchEntry,
    /// The store does not have the name, and makes no new one.
    NameUnknown,
    /// The store has the name more than once.
    NameAmbiguous,
    /// Another record has the value, which must be its own.
    Taken,
    /// Variants differ by this attribute: it is an option, and not written.
    IsOption,
    /// Its names are kept somewhere else on the platform, and only shown here.
    Linked,
    /// It would be the list's last entry, and the platform puts another one in its place.
    WouldEmptyList,
    /// The list holds one entry, and would hold none or several.
    NotOneEntry,
    /// The platform would change the text in silence.
    Altered {
        /// Why.
        reason: String,
    },
    /// No SEO plugin was found in the store, and none was named in the settings.
    SeoPluginNotDetected,
    /// The store's settings do not allow the field to be written.
    NotEnabled,
    /// All views share the value, and it is not written through one of them.
    SharedByViews,
    /// The platform refused it.
    Refused {
        /// The stable code.
        code: String,
    },
    /// Nothing was sent, for this error.
    NotSent {
        /// The stable code.
        code: String,
    },
    /// What was there before cannot be written again.
    Irreversible {
        /// Why.
        reason: String,
    },
}

/// What becomes of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
#[non_exhaustive]
pub enum ChangeVerdict {
    /// It is made.
    Apply,
    /// It is there already.
    Unchanged,
    /// It is not made.
    Conflict(Conflict),
    /// It is never sent.
    Rejected(Rejection),
}

impl Conflict {
    /// What it means, and what to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::AmbiguousKey => "the list holds this key twice: clean the list up in the store",
            Self::Unsettled => "a write of ours has no known outcome yet: settle it, then plan again",
            Self::Undone => "it was undone after this was made: make it anew from a fresh pull",
            Self::SupersededByOurs { .. } => "another enrichment landed after this one was made",
            Self::Claimed => {
                "the merchant changed what we wrote: leave it, or release the cell and pull again"
            }
            Self::NotOurs => "what is there was not written by us",
            Self::NotEmpty => "there is a value already",
            Self::NoBase => "there is a value, and no base token: copy it from a pulled record",
            Self::EditedSince => "it was edited since it was pulled: pull again",
            Self::SourceMoved => "what the text was made from has changed: pull again and make it anew",
            Self::BaseUnreadable => "the base token is of another version: pull again",
            Self::PlanStale => "what was reviewed has moved: plan again",
            Self::SupersededBeforeSent { .. } => "another push came first: plan again",
            Self::Reverted => "it was written, and what was before is there again: somebody writes beside us",
            Self::MaybeReverted => {
                "the answer was lost, and the record changed meanwhile: look at it, then plan again"
            }
            Self::ReadBackDiffers => {
                "it was written, and the store made something else of it: look at the record"
            }
            Self::Gone => "the record is not there any more",
        }
    }
}

impl Rejection {
    /// What it means, and what to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Contradiction => "two changes of this plan want different values here",
            Self::NotWritable => "no such field, or the store cannot write it: ask the capabilities",
            Self::WrongKind => "give a text as value, or an edit for a list, and not both",
            Self::TooLong { .. } => "shorten it",
            Self::Empty => "this field may not be empty",
            Self::ControlCharacters => "take the control characters out",
            Self::HtmlUnsupported => "this build cannot clean HTML: enable the feature html",
            Self::MadeInFuture => "made_at lies in the future: correct the clock that made it",
            Self::ForeignRecord => {
                "the record is of another platform, or of a kind that this store cannot read by id"
            }
            Self::Unreadable => "what is there cannot be read whole, so it is not overwritten",
            Self::NoSuchEntry => "the record has no such entry: copy the key from a pulled record",
            Self::NameUnknown => "the store has no such name: make it there first, or correct the spelling",
            Self::NameAmbiguous => "the store has this name more than once: make the names differ",
            Self::Taken => "another record has this value already: choose another one",
            Self::IsOption => {
                "variants differ by this attribute: write its names as options, where the store takes them"
            }
            Self::Linked => "its names are kept somewhere else on the platform: change them there",
            Self::WouldEmptyList => "it is the last entry, and the store would put a default in its place",
            Self::NotOneEntry => "the list holds one entry: take out the one that is there, and add one",
            Self::Altered { .. } => "the store would refuse this text, or change it in silence: correct it",
            Self::SeoPluginNotDetected => {
                "no SEO plugin was found: name the one that keeps the fields in the connector's settings"
            }
            Self::NotEnabled => {
                "allow it in the connector's settings, such as write_slugs or write_identifiers"
            }
            Self::SharedByViews => {
                "all views share it, as far as is known: write it through the connector of the store, and of no view"
            }
            Self::Refused { .. } => "the store refused it",
            Self::NotSent { .. } => "the store does not have it: plan again",
            Self::Irreversible { .. } => "what was there cannot be written again",
            Self::ForeignLocale => {
                "the connector is not of that language or view: plan it through the one that `in_view` gives"
            }
            Self::NoSource => {
                "write the store's own text first: the platform translates none that is not there"
            }
        }
    }
}

impl fmt::Display for ChangeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply | Self::Unchanged => write!(f, "{self:?}"),
            Self::Conflict(conflict) => write!(f, "{self:?}: {}", conflict.advice()),
            Self::Rejected(rejection) => write!(f, "{self:?}: {}", rejection.advice()),
        }
    }
}

/// All that the verdict of one cell depends on.
#[derive(Debug)]
pub(super) struct CellFacts<'a> {
    /// What the platform holds, read by id.
    pub(super) theirs: &'a CellValue,
    /// What we want there.
    pub(super) ours: &'a CellValue,
    pub(super) normaliser: Normaliser,
    pub(super) expect: Expectation,
    pub(super) base: Option<&'a BaseToken>,
    pub(super) made_at: Timestamp,
    pub(super) enrichment: &'a EnrichmentId,
    /// The cell's rows, oldest first.
    pub(super) rows: &'a [WriteRow],
    /// The tokens of what the text was made from, each with what is there now.
    pub(super) sources: &'a [(BaseToken, CellValue)],
}

/// Decides by the rules V1 to V7 and those between them; the first that matches wins.
pub(super) fn verdict(facts: &CellFacts<'_>) -> ChangeVerdict {
    match conflict(facts) {
        Ok(verdict) => verdict,
        Err(conflict) => ChangeVerdict::Conflict(conflict),
    }
}

fn conflict(facts: &CellFacts<'_>) -> Result<ChangeVerdict, Conflict> {
    let same = |one: &CellValue, other: &CellValue| one.same(other, facts.normaliser);
    // V1. What is shown from another view and reads as ours is there, too: a platform may keep no second copy of it.
    let shown = &facts.theirs.shown();
    if same(shown, facts.ours) {
        return Ok(ChangeVerdict::Unchanged);
    }
    // V2
    if facts.rows.iter().any(|row| row.outcome.is_unsettled()) {
        return Err(Conflict::Unsettled);
    }
    // V3
    if facts.expect == Expectation::Any {
        return Ok(ChangeVerdict::Apply);
    }
    let unreadable = |token: &BaseToken| token.read().is_none();
    if facts.base.is_some_and(unreadable) || facts.sources.iter().any(|(token, _)| unreadable(token)) {
        return Err(Conflict::BaseUnreadable);
    }
    if facts.sources.iter().any(|(token, now)| token.matches(now) == Some(false)) {
        return Err(Conflict::SourceMoved);
    }
    // V4
    let later =
        || facts.rows.iter().filter(|row| row.outcome.landed_at().is_some_and(|at| at > facts.made_at));
    if later().any(|row| matches!(row.kind, RowKind::Undo(_))) {
        return Err(Conflict::Undone);
    }
    let other =
        |row: &&WriteRow| row.kind == RowKind::Push && row.enrichment.as_ref() != Some(facts.enrichment);
    if let Some(row) = later().rfind(other) {
        return Err(Conflict::SupersededByOurs { push: row.push });
    }
    // V5
    let head = head(facts.rows);
    let landed = head.and_then(landed_value);
    if landed.is_some_and(|landed| !same(landed, facts.theirs)) {
        return Err(Conflict::Claimed);
    }
    match facts.expect {
        // V6
        Expectation::Ours if head.is_some() => Ok(ChangeVerdict::Apply),
        Expectation::Ours => Err(Conflict::NotOurs),
        Expectation::Empty => match facts.theirs {
            CellValue::Empty | CellValue::Absent | CellValue::Inherited(_) => Ok(ChangeVerdict::Apply),
            CellValue::Value(_) => Err(Conflict::NotEmpty),
        },
        // V7
        Expectation::Base | Expectation::Any => match facts.base {
            Some(base) if base.matches(facts.theirs) == Some(true) => Ok(ChangeVerdict::Apply),
            Some(base) if head.is_some_and(|head| leads_to(facts.rows, base, head, facts.normaliser)) => {
                Ok(ChangeVerdict::Apply)
            }
            Some(_) => Err(Conflict::EditedSince),
            None if matches!(facts.theirs, CellValue::Empty | CellValue::Absent) => Ok(ChangeVerdict::Apply),
            None => Err(Conflict::NoBase),
        },
    }
}

/// The cell's last row that landed, an undo's included.
pub(super) fn latest(rows: &[WriteRow]) -> Option<&WriteRow> {
    rows.iter().rev().find(|row| row.outcome.landed_at().is_some())
}

/// The last landed row of a push that is not undone and not ended by a release: our claim on the cell.
pub(super) fn head(rows: &[WriteRow]) -> Option<&WriteRow> {
    rows.iter()
        .rev()
        .take_while(|row| row.kind != RowKind::Release)
        .find(|row| row.kind == RowKind::Push && row.outcome.landed_at().is_some() && row.undone_by.is_none())
}

pub(super) fn landed_value(row: &WriteRow) -> Option<&CellValue> {
    match &row.outcome {
        Outcome::Landed { value, .. } => Some(value),
        _ => None,
    }
}

/// Whether our rows lead from the base to the head without a gap.
fn leads_to(rows: &[WriteRow], base: &BaseToken, head: &WriteRow, normaliser: Normaliser) -> bool {
    let mut landed =
        rows.iter().rev().skip_while(|row| row.id != head.id).filter(|row| landed_value(row).is_some());
    let Some(mut row) = landed.next() else { return false };
    loop {
        if base.matches(&row.before) == Some(true) {
            return true;
        }
        match landed.next() {
            Some(below) if landed_value(below).is_some_and(|value| value.same(&row.before, normaliser)) => {
                row = below
            }
            Some(_) | None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, Entity, FieldName, Platform, RecordRef};
    use crate::state::RowId;
    use crate::time::SystemEntropy;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_305_600 + second).unwrap()
    }

    /// A row that landed at a second, `before` to `value`.
    fn row(second: i64, kind: RowKind, before: &str, value: &str) -> WriteRow {
        let holder = RecordRef::new(Platform::new("p"), Entity::Product, "1");
        WriteRow {
            id: RowId::new(at(second), &SystemEntropy).unwrap(),
            push: PushId::new(at(second), &SystemEntropy).unwrap(),
            kind,
            plan: "plan".into(),
            cell: Cell::new(holder, FieldName::new("title")),
            enrichment: Some(EnrichmentId("other".into())),
            latest_at_plan: None,
            before: CellValue::text(before),
            before_raw: None,
            before_id: None,
            via: None,
            stamp: None,
            sent: CellValue::text(value),
            send_by: at(second),
            at: at(second),
            outcome: Outcome::Landed {
                value: CellValue::text(value),
                raw: None,
                key_id: None,
                at: at(second),
            },
            undone_by: None,
        }
    }

    fn unsettled() -> WriteRow {
        WriteRow { outcome: Outcome::Intent, ..row(0, RowKind::Push, "base", "ours") }
    }

    struct Case {
        theirs: CellValue,
        expect: Expectation,
        base: Option<BaseToken>,
        rows: Vec<WriteRow>,
        sources: Vec<(BaseToken, CellValue)>,
    }

    impl Case {
        fn new(theirs: &str, expect: Expectation, rows: Vec<WriteRow>) -> Self {
            let base = Some(CellValue::text("base").token(Normaliser::Exact1));
            Self { theirs: CellValue::text(theirs), expect, base, rows, sources: Vec::new() }
        }

        /// The verdict of an enrichment that was made at second 10 and wants `new`.
        fn verdict(&self) -> ChangeVerdict {
            verdict(&CellFacts {
                theirs: &self.theirs,
                ours: &CellValue::text("new"),
                normaliser: Normaliser::Exact1,
                expect: self.expect,
                base: self.base.as_ref(),
                made_at: at(10),
                enrichment: &EnrichmentId("mine".into()),
                rows: &self.rows,
                sources: &self.sources,
            })
        }
    }

    #[test]
    fn v1_to_v7_are_asked_in_their_order() {
        // Everything that can be in the way is; what wins is taken away, one after the other.
        let undone = row(20, RowKind::Undo(row(1, RowKind::Push, "a", "b").id), "b", "a");
        let rows = vec![
            row(5, RowKind::Push, "base", "landed"),
            undone,
            row(21, RowKind::Push, "x", "landed"),
            unsettled(),
        ];
        let mut case = Case::new("new", Expectation::Any, rows);
        case.base = Some("z9-v-00".parse().unwrap());
        case.sources = vec![(CellValue::text("then").token(Normaliser::Exact1), CellValue::text("now"))];
        let conflict = ChangeVerdict::Conflict;
        assert_eq!(case.verdict(), ChangeVerdict::Unchanged, "V1");
        case.theirs = CellValue::text("edited");
        assert_eq!(case.verdict(), conflict(Conflict::Unsettled), "V2");
        case.rows.pop();
        assert_eq!(case.verdict(), ChangeVerdict::Apply, "V3");
        case.expect = Expectation::Base;
        assert_eq!(case.verdict(), conflict(Conflict::BaseUnreadable));
        case.base = Case::new("", Expectation::Base, Vec::new()).base;
        assert_eq!(case.verdict(), conflict(Conflict::SourceMoved));
        case.sources.clear();
        assert_eq!(case.verdict(), conflict(Conflict::Undone), "V4");
        case.rows.remove(1);
        let push = case.rows[1].push;
        assert_eq!(case.verdict(), conflict(Conflict::SupersededByOurs { push }), "V4");
        case.rows.pop();
        assert_eq!(case.verdict(), conflict(Conflict::Claimed), "V5");
        case.expect = Expectation::Empty;
        assert_eq!(case.verdict(), conflict(Conflict::Claimed), "V5 before V6");
        case.rows.clear();
        assert_eq!(case.verdict(), conflict(Conflict::NotEmpty), "V6");
        case.expect = Expectation::Ours;
        assert_eq!(case.verdict(), conflict(Conflict::NotOurs), "V6");
        case.expect = Expectation::Base;
        assert_eq!(case.verdict(), conflict(Conflict::EditedSince), "V7");
        case.base = None;
        assert_eq!(case.verdict(), conflict(Conflict::NoBase), "V7");
        case.theirs = CellValue::Empty;
        assert_eq!(case.verdict(), ChangeVerdict::Apply, "V7");
    }

    #[test]
    fn v4_names_the_last_push_and_not_our_own() {
        let mut rows = vec![row(20, RowKind::Push, "base", "a"), row(30, RowKind::Push, "a", "b")];
        let last = rows[1].push;
        let superseded = ChangeVerdict::Conflict(Conflict::SupersededByOurs { push: last });
        assert_eq!(Case::new("b", Expectation::Base, rows.clone()).verdict(), superseded);
        for row in &mut rows {
            row.enrichment = Some(EnrichmentId("mine".into()));
        }
        assert_eq!(Case::new("b", Expectation::Base, rows).verdict(), ChangeVerdict::Apply);
    }

    #[test]
    fn v5_a_release_ends_the_head_and_neither_it_nor_a_row_that_did_not_land_counts() {
        let mut rows = vec![row(1, RowKind::Push, "base", "landed")];
        let claimed = ChangeVerdict::Conflict(Conflict::Claimed);
        assert_eq!(Case::new("base", Expectation::Base, rows.clone()).verdict(), claimed);
        let refused = Outcome::Refused { code: "released".into(), at: at(20) };
        rows.push(WriteRow { outcome: refused, ..row(20, RowKind::Release, "", "") });
        assert_eq!(Case::new("base", Expectation::Base, rows.clone()).verdict(), ChangeVerdict::Apply);
        assert!(head(&rows).is_none());
        let lost = Outcome::NotLanded { found: CellValue::text("base"), at: at(21) };
        rows.push(WriteRow { outcome: lost, ..row(21, RowKind::Push, "base", "lost") });
        assert_eq!(Case::new("base", Expectation::Base, rows).verdict(), ChangeVerdict::Apply);
    }

    #[test]
    fn v6_empty_holds_for_what_is_only_inherited() {
        let mut case = Case::new("", Expectation::Empty, Vec::new());
        for theirs in [CellValue::Empty, CellValue::Absent, CellValue::Inherited("other".into())] {
            case.theirs = theirs;
            assert_eq!(case.verdict(), ChangeVerdict::Apply);
        }
    }

    #[test]
    fn v7_our_rows_lead_from_the_base_only_without_a_gap() {
        let rows = vec![row(1, RowKind::Push, "base", "one"), row(2, RowKind::Push, "one", "two")];
        assert_eq!(Case::new("two", Expectation::Base, rows).verdict(), ChangeVerdict::Apply);
        let gap = vec![row(1, RowKind::Push, "base", "one"), row(2, RowKind::Push, "edited", "two")];
        let edited = ChangeVerdict::Conflict(Conflict::EditedSince);
        assert_eq!(Case::new("two", Expectation::Base, gap).verdict(), edited);
    }
}
