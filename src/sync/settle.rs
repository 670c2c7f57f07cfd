//! Lost answers: a read by id, late enough, says what became of the write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::apply::NOT_LANDED;
use super::lease::Lease;
use super::push::Push;
use super::receipt::ReceiptOutcome;
use super::theirs::{lacks_entry, read_cell};
use super::verdict::{Conflict, Rejection};
use super::verify::{landed, settle_ops};
use crate::connector::Purpose;
use crate::error::Result;
use crate::model::{Cell, CellValue, Normaliser, Record, RecordRef};
use crate::state::{Outcome, PushId, RowQuery, Unit, WriteRow};
use crate::time::Timestamp;

/// How long a cell may be unreadable before its write is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A row that a read has settled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The push that it belongs to.
    pub push: PushId,
    /// The cell.
    pub cell: Cell,
    /// What became of it.
    pub outcome: ReceiptOutcome,
}

impl Push {
    /// Settles the writes whose answers were lost, where enough time has passed to tell. Sends no write.
    ///
    /// Beside a writer that runs it settles nothing: that one settles them itself.
    ///
    /// # Errors
    /// What the reads say, and `State`.
    pub async fn settle(&self) -> Result<Vec<Settled>> {
        let rows = self.state.rows(self.store(), &RowQuery::Unsettled).await?;
        let now = self.now();
        if !rows.iter().any(|row| self.is_due(row, now)) && self.pushes_with_jobs().await?.is_empty() {
            return Ok(Vec::new());
        }
        // Two that settle the same row would trip over each other, and whether a job is over is for one to say.
        let mut lease = match self.take_lease().await {
            Err(error) if error.code() == "lease_held" => return Ok(Vec::new()),
            lease => lease?,
        };
        let settled = self.settle_under(&mut lease).await;
        if let Err(error) = self.state.release(self.store(), &lease.holder).await {
            tracing::warn!(code = error.code(), "the lease is left to lapse");
        }
        settled
    }

    pub(super) async fn settle_under(&self, lease: &mut Lease) -> Result<Vec<Settled>> {
        let open = self.recover_jobs(lease.fence).await?;
        self.settle_rows(lease, &open).await
    }

    /// Whether what became of a row can be told by now.
    fn is_due(&self, row: &WriteRow, now: Timestamp) -> bool {
        let settle_after = self.connector.capabilities().settle_after;
        let lost_at = match row.outcome {
            Outcome::Unknown { at } => at,
            // Found at a start: its sender may still be at it until `send_by`.
            _ => row.send_by,
        };
        lost_at.saturating_add(settle_after) <= now
    }

    /// Settles rows, but for those of pushes whose jobs may still write.
    async fn settle_rows(&self, lease: &mut Lease, open: &BTreeSet<PushId>) -> Result<Vec<Settled>> {
        let now = self.now();
        let mut rows = self.state.rows(self.store(), &RowQuery::Unsettled).await?;
        let mut settled = self.settle_elsewhere(&rows, lease, open).await?;
        rows.retain(|row| self.is_in_view(&row.cell) && !open.contains(&row.push) && self.is_due(row, now));
        let mut by_holder: BTreeMap<RecordRef, Vec<WriteRow>> = BTreeMap::new();
        for row in rows {
            by_holder.entry(row.target().clone()).or_default().push(row);
        }
        for (holder, rows) in by_holder {
            self.renew(lease).await?;
            let records = match self.read(std::slice::from_ref(&holder), Purpose::Verify).await {
                Ok(records) => records,
                // One record that cannot be read must not stop the others; its cells stay guarded (V2).
                Err(error) => {
                    tracing::warn!(holder = %holder, code = error.code(), "a write is not settled yet");
                    continue;
                }
            };
            let mut ops = Vec::new();
            let record = records.get(&holder);
            if record.is_none() && !records.gone.contains(&holder) {
                // It is there and cannot be read: nobody knows yet.
                continue;
            }
            for row in &rows {
                // A field that is no longer written, after a change of the settings, is compared byte for byte.
                let normaliser = self.normaliser(&row.cell).unwrap_or(Normaliser::Exact1);
                let writable = self.connector.capabilities().writable(&row.cell);
                let moves_stamp = writable.is_some_and(|writable| writable.moves_stamp);
                let judged = judge(row, record, normaliser, moves_stamp, self.now())
                    .or_else(|| self.give_up(row, now));
                let Some((outcome, receipt)) = judged else { continue };
                ops.extend(settle_ops(row, outcome));
                settled.push(Settled { push: row.push, cell: row.cell.clone(), outcome: receipt });
            }
            self.state.commit(self.store(), Unit::fenced(lease.fence, ops)).await?;
        }
        Ok(settled)
    }
}

impl Push {
    /// Settles what belongs to other views of the store through their connectors, and gives up what belongs to none
    /// any more, such as a language that was removed: it must not close its record for ever.
    async fn settle_elsewhere(
        &self,
        rows: &[WriteRow],
        lease: &mut Lease,
        open: &BTreeSet<PushId>,
    ) -> Result<Vec<Settled>> {
        let mut settled = Vec::new();
        // Only the store's own connector knows all its views.
        if self.connector.info().view.is_some() {
            return Ok(settled);
        }
        let mut left: Vec<&WriteRow> = rows.iter().filter(|row| !self.is_in_view(&row.cell)).collect();
        while let Some(first) = left.first() {
            let Some(there) = self.in_view_of(&first.cell) else {
                let row = left.remove(0);
                if let Some((outcome, receipt)) =
                    self.give_up(row, self.now()).filter(|_| !open.contains(&row.push))
                {
                    let unit = Unit::fenced(lease.fence, settle_ops(row, outcome));
                    self.state.commit(self.store(), unit).await?;
                    settled.push(Settled { push: row.push, cell: row.cell.clone(), outcome: receipt });
                }
                continue;
            };
            settled.extend(Box::pin(there.settle_rows(lease, open)).await?);
            left.retain(|row| !there.is_in_view(&row.cell));
        }
        Ok(settled)
    }

    /// A cell that cannot be read any more must not close its record for ever: after a day, the write is taken for
    /// one that may have been reverted.
    fn give_up(&self, row: &WriteRow, now: Timestamp) -> Option<(Outcome, ReceiptOutcome)> {
        (row.send_by.saturating_add(GIVEN_UP_AFTER) <= now).then(|| {
            let outcome = Outcome::NotLanded { found: row.before.clone(), at: now };
            (outcome, ReceiptOutcome::Conflict(Conflict::MaybeReverted))
        })
    }
}

/// What a late read says of a row (rule W6); nothing where the cell could not be read.
fn judge(
    row: &WriteRow,
    record: Option<&Record>,
    normaliser: Normaliser,
    moves_stamp: bool,
    at: Timestamp,
) -> Option<(Outcome, ReceiptOutcome)> {
    let not_landed = |found: CellValue, receipt| Some((Outcome::NotLanded { found, at }, receipt));
    let Some(record) = record else {
        return not_landed(CellValue::Absent, ReceiptOutcome::Conflict(Conflict::Gone));
    };
    if let Some(landed) = landed(row, record, normaliser, at) {
        return Some(landed);
    }
    if lacks_entry(record, &row.cell) {
        // The record does not show it any more, and the text may have landed before it went.
        return not_landed(row.before.clone(), ReceiptOutcome::Conflict(Conflict::MaybeReverted));
    }
    let found = read_cell(record, &row.cell)?;
    let receipt = if !found.same(&row.before, normaliser) {
        ReceiptOutcome::Conflict(Conflict::EditedSince)
    } else if moves_stamp && row.stamp.is_some() && record.modified_at() == row.stamp {
        // Nothing came of it, for certain: it may be planned again.
        ReceiptOutcome::Rejected(Rejection::NotSent { code: NOT_LANDED.to_owned() })
    } else {
        ReceiptOutcome::Conflict(Conflict::MaybeReverted)
    };
    not_landed(found, receipt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entity, Field, FieldName, Platform, Product};
    use crate::state::{RowId, RowKind};
    use crate::time::SystemEntropy;

    #[test]
    fn w6_only_a_stamp_that_is_there_stands_and_is_moved_by_the_field_proves_that_nothing_landed() {
        let at = |second: i64| Timestamp::from_unix_seconds(1_795_305_600 + second).unwrap();
        let holder = RecordRef::new(Platform::new("p"), Entity::Product, "1");
        let cell = Cell::new(holder.clone(), FieldName::new("title"));
        let not_landed = ReceiptOutcome::Rejected(Rejection::NotSent { code: NOT_LANDED.to_owned() });
        let reverted = ReceiptOutcome::Conflict(Conflict::MaybeReverted);
        for (stamp, now, moves_stamp, expected) in [
            (Some(1), Some(1), true, &not_landed),
            (Some(1), Some(2), true, &reverted),
            (Some(1), Some(1), false, &reverted),
            (None, None, true, &reverted),
        ] {
            let row = WriteRow {
                id: RowId::new(at(0), &SystemEntropy).unwrap(),
                push: PushId::new(at(0), &SystemEntropy).unwrap(),
                kind: RowKind::Push,
                plan: "plan".into(),
                cell: cell.clone(),
                enrichment: None,
                latest_at_plan: None,
                before: CellValue::text("before"),
                before_raw: None,
                before_id: None,
                via: None,
                stamp: stamp.map(at),
                sent: CellValue::text("ours"),
                send_by: at(0),
                at: at(0),
                outcome: Outcome::Unknown { at: at(0) },
                undone_by: None,
            };
            let mut product = Product::new(holder.clone());
            product.title = Field::Value("before".into());
            product.base.set(cell.field.clone(), CellValue::text("before").token(Normaliser::Exact1));
            if let Some(now) = now {
                product.modified_at = Field::Value(at(now));
            }
            let record = Record::Product(Box::new(product));
            let judged = judge(&row, Some(&record), Normaliser::Exact1, moves_stamp, at(100));
            assert_eq!(judged.map(|(_, receipt)| receipt).as_ref(), Some(expected), "{stamp:?} {now:?}");
        }
    }
}
