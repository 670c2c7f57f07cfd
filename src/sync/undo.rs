//! Undo: a plan like any other, with ours = before.

use std::collections::BTreeMap;

use super::lists::ListSizes;
use super::plan::{Approvals, Plan, PlanPurpose, PlannedChange};
use super::planner::READ_AT_ONCE;
use super::push::{Found, Push};
use super::receipt::{ReceiptOutcome, UndoOutcome, UndoReport};
use super::theirs::{entry, is_ambiguous, is_shared, lacks_entry, raw_of, read_cell};
use super::verdict::{ChangeVerdict, Conflict, Rejection, head, landed_value, latest};
use crate::connector::{Known, LookUp, Purpose};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::cells;
use crate::model::{Cell, CellValue, FieldName, NameSource, Record, RecordRef, Reversible, Text};
use crate::state::{Op, Outcome, PushId, RowId, RowKind, RowQuery, Unit, WriteRow};

impl Push {
    /// Plans to take a push back: each cell that landed and that nobody changed since, to what was there before.
    ///
    /// # Errors
    /// `NotFound` where the log has no such push, `Rejected` where it is an undo itself; what the reads say;
    /// `State`.
    pub async fn plan_undo(&self, push: PushId) -> Result<Plan> {
        self.must_be_writable()?;
        self.settle().await?;
        let rows = self.state.rows(self.store(), &RowQuery::Push(push)).await?;
        if rows.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "push_unknown",
                format!("the write log has no push {push}"),
            )
            .with_remedy(
                "give the id that a receipt shows, and the state file that the push was made with",
            ));
        }
        if rows.iter().all(|row| matches!(row.kind, RowKind::Undo(_))) {
            return Err(Error::new(
                ErrorKind::Rejected,
                "push_is_undo",
                format!("push {push} took another one back, and is not taken back itself"),
            )
            .with_remedy("push the content again, from a fresh pull"));
        }
        if let Some(row) = rows.iter().find(|row| !self.is_in_view(&row.cell)) {
            return Err(Error::new(
                ErrorKind::Rejected,
                "push_of_another_view",
                format!("push {push} was made in another language or view of the store"),
            )
            .with_context("locale", row.cell.locale.as_deref().unwrap_or_default().to_owned())
            .with_context("scope", row.cell.scope.as_deref().unwrap_or_default().to_owned())
            .with_remedy("undo it through the connector of that view"));
        }
        let now = self.now();
        let undoable = |row: &&WriteRow| row.outcome.landed_at().is_some() || row.outcome.is_unsettled();
        let rows: Vec<(u32, &WriteRow)> = (0..).zip(rows.iter().filter(undoable)).collect();
        let (mut changes, mut sizes) = (Vec::new(), ListSizes::default());
        let mut lost = Vec::new();
        for lot in rows.chunks(READ_AT_ONCE) {
            let records = self.read_of(lot, &BTreeMap::new()).await?;
            for (number, row) in lot {
                let shows = |record: &Record| !lacks_entry(record, &row.cell);
                if is_shared(&row.cell) && !records.get(row.target()).is_some_and(shows) {
                    lost.push((*number, *row));
                } else {
                    let change = self.undo_change(*number, row, row.target(), &records).await?;
                    sizes.note(records.get(row.target()), &change);
                    changes.push(change);
                }
            }
        }
        let elsewhere = self.shown_elsewhere(&lost).await?;
        for lot in lost.chunks(READ_AT_ONCE) {
            let records = self.read_of(lot, &elsewhere).await?;
            for (number, row) in lot {
                let through = elsewhere.get(&row.cell.holder).unwrap_or(row.target());
                let change = self.undo_change(*number, row, through, &records).await?;
                sizes.note(records.get(through), &change);
                changes.push(change);
            }
        }
        changes.sort_by_key(|change| change.number);
        self.refuse_lost_names(&mut changes).await?;
        self.refuse_emptying(&sizes, &mut changes);
        self.refuse_not_one(&sizes, &mut changes);
        self.name_sharers(&mut changes).await?;
        let expires_at = now.saturating_add(self.settings.plan_expiry);
        Ok(Plan::new(self.store().clone(), PlanPurpose::Undo(push), now, expires_at, changes))
    }

    /// Reads the records of some rows, or those that stand for them, by holder.
    async fn read_of(
        &self,
        lot: &[(u32, &WriteRow)],
        elsewhere: &BTreeMap<RecordRef, RecordRef>,
    ) -> Result<Found> {
        let through =
            |(_, row): &(u32, &WriteRow)| elsewhere.get(&row.cell.holder).unwrap_or(row.target()).clone();
        let mut targets: Vec<RecordRef> = lot.iter().map(through).collect();
        targets.sort();
        targets.dedup();
        self.read(&targets, Purpose::Guard).await
    }

    /// Where to write what several records share, when the record that it was written through does not show it
    /// any more: by holder, another record that does.
    async fn shown_elsewhere(&self, lost: &[(u32, &WriteRow)]) -> Result<BTreeMap<RecordRef, RecordRef>> {
        let cells: Vec<&Cell> = lost.iter().map(|(_, row)| &row.cell).collect();
        if cells.is_empty() {
            return Ok(BTreeMap::new());
        }
        let holders: Vec<RecordRef> = cells.iter().map(|cell| cell.holder.clone()).collect();
        let shown = match self.connector.shown_by(&holders).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(BTreeMap::new()),
            shown => shown?,
        };
        let mut elsewhere = BTreeMap::new();
        for (cell, shown) in cells.iter().zip(shown) {
            let can_write = |record: &RecordRef| {
                let entity = self.connector.capabilities().entity(record.kind);
                entity.is_some_and(|entity| entity.by_ids && entity.writable(&cell.field).is_some())
            };
            if let Some(record) = shown.into_iter().find(can_write) {
                elsewhere.insert(cell.holder.clone(), record);
            }
        }
        Ok(elsewhere)
    }

    /// Refuses to put back what the store does not have any more, or has given to another record: it would make
    /// something else of it.
    async fn refuse_lost_names(&self, changes: &mut [PlannedChange]) -> Result<()> {
        let mut asked: BTreeMap<FieldName, Vec<(usize, Text)>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            let Some(writable) = self.connector.capabilities().writable(&change.cell) else { continue };
            if change.verdict == ChangeVerdict::Apply
                && (writable.unique || writable.names == NameSource::Known)
                && let Some(name) = change.ours.as_text()
            {
                asked.entry(change.cell.field.clone()).or_default().push((at, name.into()));
            }
        }
        for (field, asked) in asked {
            let names = asked.iter().map(|(_, name)| name.clone()).collect();
            let known = self.known(&LookUp::Names { field, names }, false).await?;
            for ((at, _), known) in asked.iter().zip(known) {
                let Some(change) = changes.get_mut(*at) else { continue };
                let refusal = match (&change.ours_id, known) {
                    (Some(own), Known::One { id, .. }) if id == *own => None,
                    (Some(_), Known::Several) => Some(Rejection::NameAmbiguous),
                    (Some(_), _) => Some(Rejection::NameUnknown),
                    (None, Known::No) => None,
                    (None, Known::One { id, .. }) if id == change.cell.holder.id => None,
                    (None, _) => Some(Rejection::Taken),
                };
                if let Some(rejection) = refusal {
                    change.verdict = ChangeVerdict::Rejected(rejection);
                }
            }
        }
        Ok(())
    }

    async fn undo_change(
        &self,
        number: u32,
        row: &WriteRow,
        through: &RecordRef,
        found: &Found,
    ) -> Result<PlannedChange> {
        let rows = self.state.rows(self.store(), &RowQuery::Cell(row.cell.clone())).await?;
        let (record, gone) = (found.get(through), found.gone.contains(through));
        let normaliser = self.normaliser(&row.cell)?;
        let seen = record.and_then(|record| read_landed(record, row));
        let version = record.and_then(|record| record.version(&row.cell.field)).cloned();
        let is_bound =
            self.connector.capabilities().writable(&row.cell).is_some_and(|writable| writable.bound);
        let head = head(&rows);
        let verdict = match (&seen, head) {
            _ if row.outcome.is_unsettled() => ChangeVerdict::Conflict(Conflict::Unsettled),
            // U1: asked before V1.
            // A later push owns the cell, whether this row was taken back before or not.
            (_, Some(head)) if is_behind(&rows, head, row) => {
                ChangeVerdict::Conflict(Conflict::SupersededByOurs { push: head.push })
            }
            _ if row.undone_by.is_some() => ChangeVerdict::Unchanged,
            (_, None) => ChangeVerdict::Conflict(Conflict::NotOurs),
            (None, _) if gone => ChangeVerdict::Conflict(Conflict::Gone),
            (None, _) if record.is_some_and(|record| lacks_entry(record, &row.cell)) => {
                ChangeVerdict::Rejected(Rejection::NoSuchEntry)
            }
            (None, _) => ChangeVerdict::Rejected(Rejection::Unreadable),
            _ if record.is_some_and(|record| is_ambiguous(record, &row.cell)) => {
                ChangeVerdict::Conflict(Conflict::AmbiguousKey)
            }
            _ if record.and_then(|record| entry(record, &row.cell)).is_some_and(|entry| entry.is_option) => {
                ChangeVerdict::Rejected(Rejection::IsOption)
            }
            _ if record.and_then(|record| entry(record, &row.cell)).is_some_and(|entry| entry.is_linked) => {
                ChangeVerdict::Rejected(Rejection::Linked)
            }
            (Some(theirs), _) if theirs.same(&row.before, normaliser) => ChangeVerdict::Unchanged,
            _ if rows.iter().any(|row| row.outcome.is_unsettled()) => {
                ChangeVerdict::Conflict(Conflict::Unsettled)
            }
            (Some(theirs), Some(head))
                if !landed_value(head).is_some_and(|landed| landed.same(theirs, normaliser)) =>
            {
                ChangeVerdict::Conflict(Conflict::EditedSince)
            }
            _ if is_bound && version.is_none() && row.before.as_text().is_some() => {
                ChangeVerdict::Rejected(Rejection::NoSource)
            }
            _ => match self.reversible(&row.cell, &row.before) {
                Reversible::No(reason) => ChangeVerdict::Rejected(Rejection::Irreversible { reason }),
                Reversible::Yes | Reversible::Partly(_) => ChangeVerdict::Apply,
            },
        };
        Ok(PlannedChange {
            number,
            cell: row.cell.clone(),
            verdict,
            enrichment: None,
            was: None,
            reversible: self.reversible(&row.cell, seen.as_ref().unwrap_or(&CellValue::Absent)),
            seen: seen.unwrap_or(CellValue::Absent),
            seen_raw: record.and_then(|record| raw_of(record, &row.cell)),
            ours: row.before.clone(),
            ours_raw: row.before_raw.clone(),
            ours_id: row.before_id.clone(),
            via: row.via.as_ref().map(|_| through.clone()),
            shown_by: Vec::new(),
            version,
            latest: latest(&rows).map(|row| row.id),
            undoes: Some(row.id),
            notes: Vec::new(),
            cost: 1,
        })
    }

    /// Takes a push back where nobody changed it since, and says what became of each cell.
    ///
    /// # Errors
    /// As [`Push::plan_undo`] and [`Push::apply`].
    pub async fn undo(&self, push: PushId) -> Result<UndoReport> {
        let plan = self.plan_undo(push).await?;
        self.mark_restored(&plan).await?;
        let receipt = self.apply(&plan, &Approvals::AllowUnreviewed).await?;
        let cells =
            receipt.fields.into_iter().map(|field| (field.cell, undo_outcome(field.outcome))).collect();
        Ok(UndoReport { undone: push, push: receipt.push, cells })
    }

    /// A cell that holds what was there before already needs no write, but its row is taken back all the same:
    /// otherwise it would stay our claim, and no push below it could be undone.
    async fn mark_restored(&self, plan: &Plan) -> Result<()> {
        let unchanged: Vec<&PlannedChange> =
            plan.changes.iter().filter(|change| change.verdict == ChangeVerdict::Unchanged).collect();
        if unchanged.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let push = PushId::new(now, &**self.runtime.entropy())?;
        let mut ops = Vec::new();
        for change in unchanged {
            let rows = self.rows(&change.cell.holder).await?;
            let Some(row) =
                rows.into_iter().find(|row| Some(row.id) == change.undoes && row.undone_by.is_none())
            else {
                continue;
            };
            let by = RowId::new(now, &**self.runtime.entropy())?;
            let landed = Outcome::Landed {
                value: change.seen.clone(),
                raw: change.seen_raw.clone(),
                key_id: None,
                at: now,
            };
            let undone = WriteRow {
                id: by,
                push,
                kind: RowKind::Undo(row.id),
                plan: plan.hash.clone(),
                enrichment: None,
                latest_at_plan: change.latest,
                before: change.seen.clone(),
                before_raw: change.seen_raw.clone(),
                before_id: None,
                stamp: None,
                sent: change.seen.clone(),
                send_by: now,
                at: now,
                outcome: landed,
                ..row.clone()
            };
            ops.push(Op::Append(Box::new(undone)));
            ops.push(Op::MarkUndone { row: row.id, by });
        }
        let lease = self.take_lease().await?;
        let done = self.state.commit(self.store(), Unit::fenced(lease.fence, ops)).await;
        self.state.release(self.store(), &lease.holder).await?;
        done
    }
}

/// Whether the log has a row behind another one. Ids do not tell it: they are made of a clock, and clocks are put back.
fn is_behind(rows: &[WriteRow], later: &WriteRow, earlier: &WriteRow) -> bool {
    rows.iter().skip_while(|row| row.id != earlier.id).skip(1).any(|row| row.id == later.id)
}

/// What a record holds where a row landed: a list's key is found by the id that it landed under, too, so that
/// one that was renamed since is not taken for gone.
fn read_landed(record: &Record, row: &WriteRow) -> Option<CellValue> {
    let value = read_cell(record, &row.cell)?;
    let (CellValue::Absent, Outcome::Landed { key_id: Some(id), .. }) = (&value, &row.outcome) else {
        return Some(value);
    };
    let renamed =
        cells::entries(record, &row.cell.field)?.into_iter().find(|entry| entry.id.as_ref() == Some(id));
    Some(renamed.map_or(value, |entry| entry.value))
}

fn undo_outcome(outcome: ReceiptOutcome) -> UndoOutcome {
    match outcome {
        ReceiptOutcome::Applied | ReceiptOutcome::AlreadyApplied { .. } | ReceiptOutcome::Unchanged => {
            UndoOutcome::Restored
        }
        ReceiptOutcome::Conflict(
            Conflict::SupersededByOurs { push } | Conflict::SupersededBeforeSent { push },
        ) => UndoOutcome::SupersededByOurs { push },
        ReceiptOutcome::Conflict(Conflict::Unsettled) | ReceiptOutcome::Unknown => UndoOutcome::Unsettled,
        ReceiptOutcome::Rejected(Rejection::Irreversible { reason }) => UndoOutcome::Irreversible { reason },
        ReceiptOutcome::Conflict(Conflict::ReadBackDiffers) => {
            UndoOutcome::Irreversible { reason: Conflict::ReadBackDiffers.advice().to_owned() }
        }
        // Another entry took the place of ours.
        ReceiptOutcome::Conflict(_) | ReceiptOutcome::Rejected(Rejection::NotOneEntry) => {
            UndoOutcome::EditedSince
        }
        ReceiptOutcome::Rejected(rejection) => {
            UndoOutcome::Irreversible { reason: format!("{rejection:?}: {}", rejection.advice()) }
        }
        ReceiptOutcome::NotApproved => UndoOutcome::Irreversible { reason: "it was not approved".to_owned() },
    }
}
