//! A plan: what would be written, with a verdict for each change. A value that can be kept and reviewed.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::verdict::ChangeVerdict;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Cell, CellValue, EnrichmentId, ExternalId, RecordRef, Reversible, StoreKey, Text};
use crate::state::{PushId, RowId};
use crate::time::Timestamp;

/// The version of a plan's form.
const FORMAT: u32 = 1;

/// What would be written to one store. It is refused at another store, past its expiry, and when its hash does
/// not fit its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The version of this form.
    pub format: u32,
    /// The store that it is for.
    pub store: StoreKey,
    /// Whether it writes new content, or takes a push back.
    pub purpose: PlanPurpose,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it may not be applied any more.
    pub expires_at: Timestamp,
    /// The changes.
    pub changes: Vec<PlannedChange>,
    /// The hash of all of the above: SHA-256, in hex.
    pub hash: Text,
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "purpose", content = "push")]
#[non_exhaustive]
pub enum PlanPurpose {
    /// It writes new content.
    Push,
    /// It takes a push back.
    Undo(PushId),
}

/// One change of one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedChange {
    /// Its number in the plan.
    pub number: u32,
    /// The cell.
    pub cell: Cell,
    /// What becomes of it.
    pub verdict: ChangeVerdict,
    /// The enrichment that wants it; none for an undo.
    pub enrichment: Option<EnrichmentId>,
    /// What was there when the record was pulled, where that is still kept.
    pub was: Option<CellValue>,
    /// What is there now.
    pub seen: CellValue,
    /// The platform's spelling of it, where the value alone does not lead back to it.
    pub seen_raw: Option<Text>,
    /// What would be there.
    pub ours: CellValue,
    /// The platform's spelling of it, where it is known.
    pub ours_raw: Option<Text>,
    /// The platform's id of what a list's key names, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours_id: Option<ExternalId>,
    /// The record that it is written through, where the cell belongs to something that several records show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RecordRef>,
    /// The other records that show the same cell: the change is seen there, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown_by: Vec<RecordRef>,
    /// The platform's mark of what the value belongs to, as it was when this was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
    /// The cell's last row that landed, when this was planned.
    pub latest: Option<RowId>,
    /// The row that it takes back.
    pub undoes: Option<RowId>,
    /// Whether it can be taken back.
    pub reversible: Reversible,
    /// What was done to the value before it got here, such as cleaning.
    pub notes: Vec<String>,
    /// How many writes it costs, shared with the other changes of its record.
    pub cost: u32,
}

impl PlannedChange {
    /// The record that is read and written for the change.
    #[must_use]
    pub fn target(&self) -> &RecordRef {
        self.via.as_ref().unwrap_or(&self.cell.holder)
    }
}

impl Plan {
    pub(super) fn new(
        store: StoreKey,
        purpose: PlanPurpose,
        made_at: Timestamp,
        expires_at: Timestamp,
        changes: Vec<PlannedChange>,
    ) -> Self {
        let mut plan =
            Self { format: FORMAT, store, purpose, made_at, expires_at, changes, hash: Text::default() };
        plan.hash = plan.content_hash();
        plan
    }

    /// The changes that would be made.
    pub fn to_apply(&self) -> impl Iterator<Item = &PlannedChange> {
        self.changes.iter().filter(|change| change.verdict == ChangeVerdict::Apply)
    }

    /// Approves all changes that would be made.
    pub fn approve_all(&self) -> Vec<Approval> {
        self.to_apply().map(|change| Approval { plan: self.hash.clone(), change: change.number }).collect()
    }

    /// Checks that the plan is for this store, of this form, whole, and not expired.
    pub(super) fn check(&self, store: &StoreKey, now: Timestamp) -> Result<()> {
        let refuse = |code: &'static str, message: String| {
            Err(Error::new(ErrorKind::Rejected, code, message).with_remedy("plan again"))
        };
        if self.format != FORMAT {
            return refuse(
                "plan_format",
                format!("the plan has form {}, and this version reads {FORMAT}", self.format),
            );
        }
        if self.hash != self.content_hash() {
            return refuse("plan_changed", "the plan is not what its hash says".to_owned());
        }
        if self.store != *store {
            return refuse(
                "plan_foreign",
                format!("the plan is for {}, and this store is {store}", self.store),
            );
        }
        if now > self.expires_at {
            return refuse("plan_expired", format!("the plan expired at {}", self.expires_at));
        }
        Ok(())
    }

    fn content_hash(&self) -> Text {
        let unhashed = Self { hash: Text::default(), ..self.clone() };
        let json = serde_json::to_vec(&unhashed).unwrap_or_default();
        hex(&Sha256::digest(&json)).into()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A person's yes to one change of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The plan's hash.
    pub plan: Text,
    /// The change's number.
    pub change: u32,
}

/// Which changes may be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approvals {
    /// Those that are named.
    Only(Vec<Approval>),
    /// All, reviewed or not.
    AllowUnreviewed,
}

impl Approvals {
    pub(super) fn allow(&self, plan: &Plan, change: &PlannedChange) -> bool {
        match self {
            Self::AllowUnreviewed => true,
            Self::Only(approvals) => approvals
                .iter()
                .any(|approval| approval.plan == plan.hash && approval.change == change.number),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.to_apply().count();
        writeln!(
            f,
            "plan {:.12} for {}: {count} of {} changes to apply",
            self.hash,
            self.store,
            self.changes.len()
        )?;
        for change in &self.changes {
            writeln!(f, "#{} {}: {}", change.number, change.cell, change.verdict)?;
            if matches!(change.verdict, ChangeVerdict::Rejected(_)) {
                // Nothing of it would be sent: there is no difference to show.
                continue;
            }
            if let Some(was) = change.was.as_ref().filter(|was| **was != change.seen) {
                writeln!(f, "  was  {}", show(was, &change.ours))?;
            }
            writeln!(f, "  -    {}", show(&change.seen, &change.ours))?;
            writeln!(f, "  +    {}", show(&change.ours, &change.seen))?;
            if !change.shown_by.is_empty() {
                let shown: Vec<String> =
                    change.shown_by.iter().take(SHARERS).map(ToString::to_string).collect();
                let more = change.shown_by.len() - shown.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                writeln!(f, "  also shown by {}{more}", shown.join(", "))?;
            }
            for note in &change.notes {
                writeln!(f, "  note {note}")?;
            }
            match &change.reversible {
                Reversible::Yes => {}
                Reversible::Partly(why) => writeln!(f, "  undo only partly: {why}")?,
                Reversible::No(why) => writeln!(f, "  no undo: {why}")?,
            }
        }
        Ok(())
    }
}

/// A value in one line, cut around where it differs from another, so that no difference is cut away unseen.
fn show(value: &CellValue, other: &CellValue) -> String {
    let text = match value {
        CellValue::Value(value) => value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned),
        CellValue::Empty => return "(empty)".to_owned(),
        CellValue::Absent => return "(absent)".to_owned(),
        CellValue::Inherited(value) => format!("(inherited) {value}"),
    };
    let other = other.as_text().unwrap_or_default();
    let characters: Vec<char> = text.chars().collect();
    let before = text.chars().zip(other.chars()).take_while(|(one, two)| one == two).count();
    let behind = text.chars().rev().zip(other.chars().rev()).take_while(|(one, two)| one == two).count();
    let length = characters.len();
    let start = if length <= WIDTH { 0 } else { before.saturating_sub(CONTEXT).min(length) };
    let differs_to = length.saturating_sub(behind).max(before);
    let end = if length <= WIDTH { length } else { (differs_to + CONTEXT).max(start + WIDTH).min(length) };
    let shown: String = characters.get(start..end).unwrap_or_default().iter().copied().map(visible).collect();
    let (left, right) = (if start > 0 { "…" } else { "" }, if end < length { "…" } else { "" });
    if start > 0 || end < length { format!("{left}{shown}{right} ({} bytes)", text.len()) } else { shown }
}

/// The most characters of a value that are always shown whole.
const WIDTH: usize = 160;
/// The most records that are named of those that show the same.
const SHARERS: usize = 10;
/// The characters that are shown around a difference.
const CONTEXT: usize = 40;

/// A character as a reader can see it: those that move or hide others are written as their codes.
fn visible(character: char) -> String {
    match character {
        '\n' => "⏎".to_owned(),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            character.escape_unicode().to_string()
        }
        control if control.is_control() => control.escape_unicode().to_string(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reviewer_sees_the_difference_wherever_it_is() {
        let long = |end: &str| {
            CellValue::text(&format!("{}Made in {end}.{}", "same ".repeat(60), " tail".repeat(60)))
        };
        let (italy, china) = (show(&long("Italy"), &long("China")), show(&long("China"), &long("Italy")));
        assert!(italy.contains("Made in Italy.") && china.contains("Made in China."), "{italy} {china}");
        assert!(italy.starts_with('…') && italy.chars().count() < 260, "{italy}");
        let hidden = CellValue::text("a\u{202e}b\u{200b}\nc");
        assert_eq!(show(&hidden, &CellValue::Absent), "a\\u{202e}b\\u{200b}⏎c");
    }
}
