//! What became of a plan, change by change.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::verdict::{Conflict, Rejection};
use crate::model::{Cell, GuardKind, Text};
use crate::state::PushId;

/// What became of every change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The push: what an undo names.
    pub push: PushId,
    /// The plan's hash.
    pub plan: Text,
    /// Change by change, in the plan's order.
    pub fields: Vec<FieldReceipt>,
}

impl Receipt {
    /// Whether every change is applied, now or before, or was there already.
    #[must_use]
    pub fn is_full_success(&self) -> bool {
        let done = |outcome: &ReceiptOutcome| {
            matches!(
                outcome,
                ReceiptOutcome::Applied | ReceiptOutcome::AlreadyApplied { .. } | ReceiptOutcome::Unchanged
            )
        };
        self.fields.iter().all(|field| done(&field.outcome))
    }
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FieldReceipt {
    /// The change's number in the plan.
    pub change: u32,
    /// The cell.
    pub cell: Cell,
    /// What became of it.
    pub outcome: ReceiptOutcome,
    /// Why it was refused or not sent, with the store's own words where it said some: for people, and in the store's
    /// language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How it was guarded, where it was sent.
    pub guard: Option<GuardKind>,
    /// The time between our last read and the answer, in milliseconds, where it was sent.
    pub window_ms: Option<u64>,
    /// What else was seen.
    pub warnings: Vec<Warning>,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[non_exhaustive]
pub enum ReceiptOutcome {
    /// It was written, and a read by id found it.
    Applied,
    /// An earlier application of this plan wrote it; that push takes it back.
    AlreadyApplied {
        /// The push that wrote it.
        push: PushId,
    },
    /// It was there already.
    Unchanged,
    /// It was not sent, or the platform refused it.
    Rejected(Rejection),
    /// It was not made, or not kept.
    Conflict(Conflict),
    /// Nobody knows yet: settle before writing again.
    Unknown,
    /// Nobody approved it.
    NotApproved,
}

/// Something that was seen beside the change itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
#[non_exhaustive]
pub enum Warning {
    /// A field that we did not send changed across our write.
    SiblingMoved {
        /// The field.
        field: String,
    },
}

impl fmt::Display for ReceiptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied | Self::AlreadyApplied { .. } | Self::Unchanged => write!(f, "{self:?}"),
            Self::Conflict(conflict) => write!(f, "{self:?}: {}", conflict.advice()),
            Self::Rejected(rejection) => write!(f, "{self:?}: {}", rejection.advice()),
            Self::Unknown => write!(f, "{self:?}: the answer was lost; settle it before writing again"),
            Self::NotApproved => write!(f, "{self:?}: nobody approved it"),
        }
    }
}

impl FieldReceipt {
    pub(super) fn new(change: u32, cell: Cell, outcome: ReceiptOutcome) -> Self {
        Self { change, cell, outcome, why: None, guard: None, window_ms: None, warnings: Vec::new() }
    }

    pub(super) fn because(mut self, why: Option<String>) -> Self {
        self.why = why;
        self
    }

    pub(super) fn guarded(mut self, guard: GuardKind, window: Duration) -> Self {
        self.guard = Some(guard);
        self.window_ms = Some(u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
        self
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "push {}", self.push)?;
        for field in &self.fields {
            write!(f, "#{} {}: {}", field.change, field.cell, field.outcome)?;
            if let Some(window) = field.window_ms {
                write!(f, ", {window} ms between our last read and the answer")?;
            }
            writeln!(f)?;
            if let Some(why) = &field.why {
                writeln!(f, "  because {why}")?;
            }
            for warning in &field.warnings {
                writeln!(f, "  warning {warning:?}")?;
            }
        }
        Ok(())
    }
}

/// What became of an undo, cell by cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UndoReport {
    /// The push that was to be taken back.
    pub undone: PushId,
    /// The push that took it back.
    pub push: PushId,
    /// Cell by cell.
    pub cells: Vec<(Cell, UndoOutcome)>,
}

impl UndoReport {
    /// Whether every cell is as it was before the push.
    #[must_use]
    pub fn is_full_success(&self) -> bool {
        self.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored)
    }
}

/// What became of one cell of an undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[non_exhaustive]
pub enum UndoOutcome {
    /// It is as it was before the push.
    Restored,
    /// Somebody changed it after our push: it is left alone.
    EditedSince,
    /// A later push of ours wrote it: undo that one first.
    SupersededByOurs {
        /// The later push.
        push: PushId,
    },
    /// It was written, and the store did not keep it: look at the record, then undo again.
    NotKept,
    /// Nothing was written: undo again.
    NotDone {
        /// The stable code.
        code: String,
    },
    /// What was there cannot be written again.
    Irreversible {
        /// Why.
        reason: String,
    },
    /// A write on it has no known outcome yet.
    Unsettled,
}

impl UndoOutcome {
    /// What it means, and what to do about it; nothing where all is as it was.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Restored => return None,
            Self::EditedSince => "somebody changed it after our push, and it is left alone",
            Self::SupersededByOurs { .. } => "a later push of ours wrote it: undo that one first",
            Self::NotKept => {
                "it was written, and the store did not keep it: look at the record, then undo again"
            }
            Self::NotDone { .. } => "nothing was written: undo again",
            Self::Irreversible { .. } => "what was there cannot be written again",
            Self::Unsettled => "a write on it has no known outcome yet: undo again later",
        })
    }
}

impl fmt::Display for UndoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "undo of push {}", self.undone)?;
        for (cell, outcome) in &self.cells {
            write!(f, "{cell}: {outcome:?}")?;
            writeln!(f, "{}", outcome.advice().map(|advice| format!(": {advice}")).unwrap_or_default())?;
        }
        Ok(())
    }
}
