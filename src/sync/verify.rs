//! Sent changes to receipts: read back by id, and settled by what is there.

use std::time::Duration;

use super::apply::{Guarded, Run, Sent};
use super::push::Push;
use super::receipt::{FieldReceipt, ReceiptOutcome};
use super::siblings::moved_siblings;
use super::theirs::{id_of, is_shared, raw_of, read_cell};
use super::verdict::{Conflict, Rejection};
use crate::connector::{Answer, FieldAnswer, Purpose};
use crate::error::Result;
use crate::model::{Cell, CellValue, FieldName, GuardKind, Normaliser, Record, RecordRef};
use crate::state::{Fence, Op, Outcome, RowKind, Unit, WriteRow};
use crate::time::Timestamp;

impl Push {
    /// Reads the records back, and settles each row by what is there. `told` says how a field was guarded, and the
    /// time between its guard read and the answer.
    pub(super) async fn verify(
        &self,
        group: Vec<Guarded<'_>>,
        answers: &[Answer],
        told: &(dyn Fn(&RecordRef, &FieldName) -> (GuardKind, Duration) + Sync),
        fence: Fence,
        run: &mut Run<'_>,
    ) -> Result<()> {
        let targets: Vec<RecordRef> = group.iter().map(|guarded| guarded.target.clone()).collect();
        let read = self.read(&targets, Purpose::Verify).await.unwrap_or_default();
        let at = self.now();
        let mut ops = Vec::new();
        // A picture that one record's write gave a text shows it on the others, too.
        let shared: Vec<&Cell> = group
            .iter()
            .flat_map(|guarded| guarded.sent.iter().map(|sent| &sent.change.cell))
            .filter(|cell| is_shared(cell))
            .collect();
        for Guarded { target, guard, sent } in &group {
            let found = read.get(target);
            let gone = read.gone.contains(target);
            let answer = answers.iter().find(|answer| answer.target == *target);
            let own = sent.iter().map(|sent| &sent.change.cell).filter(|cell| !is_shared(cell));
            let cells: Vec<&Cell> = own.chain(shared.iter().copied()).collect();
            let writable = cells.iter().filter_map(|cell| self.connector.capabilities().writable(cell));
            let following: Vec<_> = writable.flat_map(|field| &field.followed_by).cloned().collect();
            let siblings = match found {
                Some(record) => moved_siblings(self.schema(target.kind)?, guard, record, &cells, &following),
                None => Vec::new(),
            };
            let mut all_landed = true;
            for Sent { change, row, at: place } in sent {
                let answer = answer.and_then(|answer| {
                    answer
                        .fields
                        .iter()
                        .find(|(field, _)| *field == change.cell.field)
                        .map(|(_, answer)| answer)
                });
                let normaliser = self.normaliser(&change.cell)?;
                let (outcome, receipt) = match (answer, found) {
                    // A platform may refuse the whole after it took a part: what is there is what counts, and without a
                    // read nobody knows.
                    (Some(FieldAnswer::Refused { .. }), None) if !gone => {
                        (Outcome::Unknown { at }, ReceiptOutcome::Unknown)
                    }
                    (Some(FieldAnswer::Refused { code, .. }), found) => found
                        .and_then(|record| landed(row, record, normaliser, at))
                        .filter(|_| !row.before.same(&row.sent, normaliser))
                        .unwrap_or_else(|| {
                            (
                                Outcome::Refused { code: code.as_str().into(), at },
                                ReceiptOutcome::Rejected(Rejection::Refused { code: code.clone() }),
                            )
                        }),
                    (Some(FieldAnswer::Accepted), None) if gone => (
                        Outcome::NotLanded { found: CellValue::Absent, at },
                        ReceiptOutcome::Conflict(Conflict::Gone),
                    ),
                    // Without an answer, or without a read behind it, nobody knows yet.
                    (Some(FieldAnswer::Accepted), record) => record
                        .and_then(|record| {
                            landed(row, record, normaliser, at)
                                .or_else(|| not_landed(row, record, normaliser, at))
                        })
                        .unwrap_or((Outcome::Unknown { at }, ReceiptOutcome::Unknown)),
                    (Some(FieldAnswer::Unknown { .. }) | None, _) => {
                        (Outcome::Unknown { at }, ReceiptOutcome::Unknown)
                    }
                };
                all_landed &= outcome.landed_at().is_some();
                ops.extend(settle_ops(row, outcome));
                let (guard_kind, window) = told(target, &change.cell.field);
                let why = match (&receipt, answer) {
                    (
                        ReceiptOutcome::Rejected(Rejection::Refused { .. }),
                        Some(FieldAnswer::Refused { why, .. }),
                    ) => Some(why.clone()),
                    _ => None,
                };
                if let Some(place) = run.receipts.get_mut(*place) {
                    *place = FieldReceipt::new(change.number, change.cell.clone(), receipt)
                        .because(why)
                        .guarded(guard_kind, window);
                    place.warnings.extend(siblings.iter().cloned());
                }
            }
            // What the store will tell us of our own write is then known to be nothing but that (rule H2): an edit
            // from before the guard read, whose hint is not here yet, would be taken for it otherwise.
            if let (Some(record), Some(first), true) =
                (found, sent.first(), all_landed && siblings.is_empty())
            {
                let known = self.state.noted_hash(self.store(), target).await?;
                if known.is_some_and(|known| known.hash == guard.content_hash()) {
                    ops.push(Op::note_hash(record, first.row.at));
                }
            }
        }
        self.state.commit(self.store(), Unit::fenced(fence, ops)).await
    }
}

/// The row landed where a read by id finds what was sent.
pub(super) fn landed(
    row: &WriteRow,
    record: &Record,
    normaliser: Normaliser,
    at: Timestamp,
) -> Option<(Outcome, ReceiptOutcome)> {
    let value = read_cell(record, &row.cell)?.normalised(normaliser);
    // A platform may not tell a view's own value from one that it inherits and that reads the same.
    if value.shown() != row.sent.normalised(normaliser) && value != row.sent.normalised(normaliser) {
        return None;
    }
    let key_id = id_of(record, &row.cell);
    let raw = raw_of(record, &row.cell);
    Some((Outcome::Landed { value, raw, key_id, at }, ReceiptOutcome::Applied))
}

/// The store took it, and does not hold it: never learned as landed. Nothing where the cell cannot be read.
fn not_landed(
    row: &WriteRow,
    record: &Record,
    normaliser: Normaliser,
    at: Timestamp,
) -> Option<(Outcome, ReceiptOutcome)> {
    let found = read_cell(record, &row.cell)?;
    let conflict =
        if found.same(&row.before, normaliser) { Conflict::Reverted } else { Conflict::ReadBackDiffers };
    Some((Outcome::NotLanded { found, at }, ReceiptOutcome::Conflict(conflict)))
}

/// The outcome of a row; an undo that landed marks the row that it took back, in the same unit.
pub(super) fn settle_ops(row: &WriteRow, outcome: Outcome) -> Vec<Op> {
    let mark = match (row.kind, outcome.landed_at()) {
        (RowKind::Undo(undone), Some(_)) => Some(Op::MarkUndone { row: undone, by: row.id }),
        _ => None,
    };
    [Some(Op::Settle { row: row.id, outcome }), mark].into_iter().flatten().collect()
}
