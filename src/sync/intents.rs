//! Chosen changes to rows of the write log: each asked once more, against the guard read and the log.

use super::apply::{Run, Sent};
use super::plan::{Plan, PlanPurpose, PlannedChange};
use super::push::{Found, Push};
use super::rebuild::rebuild;
use super::receipt::ReceiptOutcome;
use super::theirs::{entry, id_of, is_ambiguous, lacks_entry, raw_of, read_cell};
use super::verdict::{Conflict, Rejection, latest};
use crate::connector::PatchValue;
use crate::error::Result;
use crate::model::{CellValue, Normaliser, Record, RecordRef};
use crate::state::{Outcome, RowId, RowKind, RowQuery, WriteRow};

impl Push {
    /// Asks once more, against the guard read and the log, and makes the rows of what will be sent to a record.
    pub(super) async fn intents<'p>(
        &self,
        target: &RecordRef,
        found: &Found,
        open: &[WriteRow],
        run: &mut Run<'p>,
    ) -> Result<Vec<Sent<'p>>> {
        let mut sent = Vec::new();
        let now = self.now();
        let guard = found.get(target);
        // A write of ours that is still under way may rewrite the record's other texts when it lands.
        let unsettled = open.iter().any(|row| row.target() == target || row.cell.holder == *target);
        for (at, change) in run.changes_of(target) {
            let normaliser = self.normaliser(&change.cell)?;
            let rows = self.state.rows(self.store(), &RowQuery::Cell(change.cell.clone())).await?;
            let rows: Vec<&WriteRow> = rows.iter().collect();
            let before = match guard.map(|record| (record, read_cell(record, &change.cell))) {
                None if found.gone.contains(target) => Err(ReceiptOutcome::Conflict(Conflict::Gone)),
                None => Err(ReceiptOutcome::Rejected(Rejection::Unreadable)),
                Some((record, _)) if is_ambiguous(record, &change.cell) => {
                    Err(ReceiptOutcome::Conflict(Conflict::AmbiguousKey))
                }
                Some((record, None)) if lacks_entry(record, &change.cell) => {
                    Err(ReceiptOutcome::Rejected(Rejection::NoSuchEntry))
                }
                Some((_, None)) => Err(ReceiptOutcome::Rejected(Rejection::Unreadable)),
                // The merchant may have made variants by it since it was planned.
                Some((record, _)) if entry(record, &change.cell).is_some_and(|entry| entry.is_option) => {
                    Err(ReceiptOutcome::Rejected(Rejection::IsOption))
                }
                Some((record, _)) if entry(record, &change.cell).is_some_and(|entry| entry.is_linked) => {
                    Err(ReceiptOutcome::Rejected(Rejection::Linked))
                }
                // What a translation was made from is not what it was when this was planned.
                Some((record, Some(_)))
                    if change.version.is_some()
                        && record.version(&change.cell.field) != change.version.as_ref() =>
                {
                    Err(ReceiptOutcome::Conflict(Conflict::SourceMoved))
                }
                Some((record, Some(theirs))) => match already(change, &rows, &theirs, normaliser, run.plan) {
                    Some(outcome) => Err(outcome),
                    None if unsettled => Err(ReceiptOutcome::Conflict(Conflict::Unsettled)),
                    None => Ok((theirs, raw_of(record, &change.cell), id_of(record, &change.cell))),
                },
            };
            let (before, before_raw, before_id) = match before {
                Ok(before) => before,
                Err(outcome) => {
                    run.set(at, outcome);
                    continue;
                }
            };
            let row = WriteRow {
                id: RowId::new(now, &**self.runtime.entropy())?,
                push: run.push,
                kind: match (&run.plan.purpose, change.undoes) {
                    (PlanPurpose::Undo(_), Some(row)) => RowKind::Undo(row),
                    _ => RowKind::Push,
                },
                plan: run.plan.hash.clone(),
                cell: change.cell.clone(),
                enrichment: change.enrichment.clone(),
                latest_at_plan: change.latest,
                before,
                before_raw,
                before_id,
                via: change.via.clone(),
                stamp: guard.and_then(Record::modified_at),
                sent: change.ours.normalised(normaliser),
                send_by: now.saturating_add(self.settings.send_window),
                at: now,
                outcome: Outcome::Intent,
                undone_by: None,
            };
            sent.push(Sent { change, row, at });
        }
        if let Some(guard) = guard {
            self.hold_back_not_one(guard, &mut sent, run);
        }
        Ok(sent)
    }

    /// Holds back what would leave a list of one entry with several, or with none where it is never empty: half of an
    /// edit may be unapproved, or the entry another one by now.
    fn hold_back_not_one(&self, guard: &Record, sent: &mut Vec<Sent<'_>>, run: &mut Run<'_>) {
        let changes: Vec<&PlannedChange> = sent.iter().map(|sent| sent.change).collect();
        let is_held = |sent: &&Sent<'_>| {
            let Some(writable) = self.connector.capabilities().writable(&sent.change.cell) else {
                return false;
            };
            writable.one_entry
                && !match rebuild(guard, &writable.field, &changes) {
                    Ok(PatchValue::Terms(terms)) => {
                        terms.len() == 1 || (terms.is_empty() && writable.can_be_emptied)
                    }
                    _ => false,
                }
        };
        let held: Vec<usize> = sent.iter().filter(is_held).map(|sent| sent.at).collect();
        for at in &held {
            run.set(*at, ReceiptOutcome::Rejected(Rejection::NotOneEntry));
        }
        sent.retain(|sent| !held.contains(&sent.at));
    }
}

/// Whether a change is done, overtaken or stale: then it is not sent.
fn already(
    change: &PlannedChange,
    rows: &[&WriteRow],
    theirs: &CellValue,
    normaliser: Normaliser,
    plan: &Plan,
) -> Option<ReceiptOutcome> {
    // P4: this very content, planned on this very row, is in the log already.
    let twin = rows.iter().find(|row| {
        row.latest_at_plan == change.latest
            && row.sent.same(&change.ours, normaliser)
            && row.undone_by.is_none()
            && (row.outcome.landed_at().is_some() || row.outcome.is_unsettled())
    });
    if let Some(twin) = twin {
        return Some(match &twin.outcome {
            Outcome::Landed { value, .. } if value.same(theirs, normaliser) => {
                ReceiptOutcome::AlreadyApplied { push: twin.push }
            }
            Outcome::Landed { .. } => ReceiptOutcome::Conflict(Conflict::Claimed),
            _ => ReceiptOutcome::Conflict(Conflict::Unsettled),
        });
    }
    if rows.iter().any(|row| row.outcome.is_unsettled()) {
        return Some(ReceiptOutcome::Conflict(Conflict::Unsettled));
    }
    // P3: rows of this same plan do not count.
    let owned: Vec<WriteRow> =
        rows.iter().filter(|row| row.plan != plan.hash).map(|row| (*row).clone()).collect();
    let now = latest(&owned);
    if now.map(|row| row.id) != change.latest {
        return Some(ReceiptOutcome::Conflict(match now {
            Some(row) if row.kind == RowKind::Push => Conflict::SupersededBeforeSent { push: row.push },
            _ => Conflict::PlanStale,
        }));
    }
    if !theirs.same(&change.seen, normaliser) {
        return Some(ReceiptOutcome::Conflict(Conflict::PlanStale));
    }
    None
}
