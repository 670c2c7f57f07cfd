//! A plan to writes: guard, intent, send, verify, settle; one record at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::plan::{Approvals, Plan, PlanPurpose, PlannedChange};
use super::planner::{is_ambiguous, raw_of, read_cell};
use super::push::{Found, Push};
use super::receipt::{FieldReceipt, Receipt, ReceiptOutcome, Warning};
use super::verdict::{ChangeVerdict, Conflict, Rejection, latest};
use crate::connector::{FieldAnswer, Patch, PatchField, PatchValue, Purpose, PushRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::fields;
use crate::model::{Cell, CellValue, FieldName, Normaliser, Record, RecordRef, Term, Text};
use crate::state::{Fence, Op, Outcome, PushId, RowId, RowKind, Unit, WriteRow};

/// The lease of the store's writers while a plan is applied.
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) fence: Fence,
    renew_after: Duration,
}

/// A change on its way, with the row that stands for it.
struct Sent<'p> {
    change: &'p PlannedChange,
    row: WriteRow,
    at: usize,
}

impl Push {
    /// Applies the approved changes of a plan, and says what became of each.
    ///
    /// # Errors
    /// `Rejected` where the plan is not for this store, changed, or expired; `State` where another writer holds
    /// the store; what the reads say. What was written up to then is in the write log.
    pub async fn apply(&self, plan: &Plan, approvals: &Approvals) -> Result<Receipt> {
        plan.check(self.store(), self.now())?;
        let push = PushId::new(self.now(), &**self.runtime.entropy())?;
        let mut lease = self.take_lease().await?;
        let outcome = self.apply_all(plan, approvals, push, &mut lease).await;
        if let Err(error) = self.state.release(self.store(), &lease.holder).await {
            tracing::warn!(code = error.code(), "the lease is left to lapse");
        }
        outcome.map_err(|error| error.with_context("push", push.to_string()))
    }

    async fn apply_all(
        &self,
        plan: &Plan,
        approvals: &Approvals,
        push: PushId,
        lease: &mut Lease,
    ) -> Result<Receipt> {
        self.settle_under(lease.fence).await?;
        let mut receipts: Vec<FieldReceipt> = Vec::with_capacity(plan.changes.len());
        let mut targets: Vec<&RecordRef> = Vec::new();
        for change in &plan.changes {
            let outcome = match &change.verdict {
                ChangeVerdict::Apply if !approvals.allow(plan, change) => ReceiptOutcome::NotApproved,
                ChangeVerdict::Apply => {
                    if !targets.contains(&&change.cell.holder) {
                        targets.push(&change.cell.holder);
                    }
                    // Overwritten below: every target is worked through.
                    ReceiptOutcome::Rejected(Rejection::NotSent { code: "cancelled".to_owned() })
                }
                ChangeVerdict::Unchanged => ReceiptOutcome::Unchanged,
                ChangeVerdict::Conflict(conflict) => ReceiptOutcome::Conflict(conflict.clone()),
                ChangeVerdict::Rejected(rejection) => ReceiptOutcome::Rejected(rejection.clone()),
            };
            receipts.push(FieldReceipt::new(change.number, change.cell.clone(), outcome));
        }
        for target in targets {
            if self.cancel.is_cancelled() {
                break;
            }
            self.renew(lease).await?;
            let changes: Vec<(usize, &PlannedChange)> = plan
                .changes
                .iter()
                .enumerate()
                .filter(|(_, change)| {
                    change.cell.holder == *target
                        && change.verdict == ChangeVerdict::Apply
                        && approvals.allow(plan, change)
                })
                .collect();
            self.apply_to(target, &changes, plan, push, lease, &mut receipts).await?;
        }
        if self.settings.wait_for_unknown {
            self.wait_and_settle(plan, push, lease, &mut receipts).await?;
        }
        Ok(Receipt { push, plan: plan.hash.clone(), fields: receipts })
    }

    /// Applies the changes of one record, guarded anew where the window passes before they are sent.
    async fn apply_to(
        &self,
        target: &RecordRef,
        changes: &[(usize, &PlannedChange)],
        plan: &Plan,
        push: PushId,
        lease: &mut Lease,
        receipts: &mut [FieldReceipt],
    ) -> Result<()> {
        for attempt in 1..=self.settings.guard_attempts {
            let mut found = match self.read(std::slice::from_ref(target), Purpose::Guard).await {
                Ok(found) => found,
                // Nothing of this record is sent; what was done to others stands in the receipt all the same.
                Err(error) => {
                    for (at, _) in changes {
                        if let Some(receipt) = receipts.get_mut(*at) {
                            let code = error.code().to_owned();
                            receipt.outcome = ReceiptOutcome::Rejected(Rejection::NotSent { code });
                        }
                    }
                    return Ok(());
                }
            };
            // The store may have read the record as soon as it was asked.
            let guarded_at = self.runtime.clock().elapsed().saturating_sub(found.took);
            // A read can wait for long, and `send_by` must lie inside the lease.
            self.renew(lease).await?;
            let fence = lease.fence;
            let rows = self.rows(target).await?;
            let sent = self.intents(changes, &found, target, &rows, plan, push, receipts)?;
            let guard = found.records.remove(target);
            let (Some(guard), false) = (guard, sent.is_empty()) else { return Ok(()) };
            let ops = sent.iter().map(|sent| Op::Append(Box::new(sent.row.clone()))).collect();
            self.state.commit(self.store(), Unit::fenced(fence, ops)).await?;

            let request = match self.request(target, &guard, &sent, guarded_at) {
                Ok(request) => request,
                Err(error) => return self.not_sent(&sent, &error, fence, receipts).await,
            };
            let answers = self.connector.push(&request).await;
            let window = self.runtime.clock().elapsed().saturating_sub(guarded_at);
            self.renew(lease).await?;
            let fence = lease.fence;
            match answers {
                Ok(answers) => {
                    let answer = answers.into_iter().find(|answer| answer.target == *target);
                    let answer = answer.map(|answer| answer.fields).unwrap_or_default();
                    return self.verify(target, &guard, sent, &answer, window, fence, receipts).await;
                }
                Err(error) => {
                    self.not_sent(&sent, &error, fence, receipts).await?;
                    if error.code() != "guard_window_passed" || attempt == self.settings.guard_attempts {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks once more, against the guard read and the log, and makes the rows of what will be sent.
    #[expect(clippy::too_many_arguments, reason = "one step of apply_to, cut out to be read")]
    fn intents<'p>(
        &self,
        changes: &[(usize, &'p PlannedChange)],
        found: &Found,
        target: &RecordRef,
        rows: &[WriteRow],
        plan: &Plan,
        push: PushId,
        receipts: &mut [FieldReceipt],
    ) -> Result<Vec<Sent<'p>>> {
        let mut sent = Vec::new();
        let now = self.now();
        let guard = found.get(target);
        // A write of ours that is still under way may rewrite the record's other texts when it lands.
        let unsettled = rows.iter().any(|row| row.outcome.is_unsettled());
        for (at, change) in changes {
            let normaliser = self.normaliser(&change.cell)?;
            let rows: Vec<&WriteRow> = rows.iter().filter(|row| row.cell == change.cell).collect();
            let before = match guard.map(|record| (record, read_cell(record, &change.cell))) {
                None if found.gone.contains(target) => Err(ReceiptOutcome::Conflict(Conflict::Gone)),
                None => Err(ReceiptOutcome::Rejected(Rejection::Unreadable)),
                Some((record, _)) if is_ambiguous(record, &change.cell) => {
                    Err(ReceiptOutcome::Conflict(Conflict::AmbiguousKey))
                }
                Some((_, None)) => Err(ReceiptOutcome::Rejected(Rejection::Unreadable)),
                Some((record, Some(theirs))) => match already(change, &rows, &theirs, normaliser, plan) {
                    Some(outcome) => Err(outcome),
                    None if unsettled => Err(ReceiptOutcome::Conflict(Conflict::Unsettled)),
                    None => Ok((theirs, raw_of(record, &change.cell))),
                },
            };
            let (before, before_raw) = match before {
                Ok(before) => before,
                Err(outcome) => {
                    if let Some(receipt) = receipts.get_mut(*at) {
                        receipt.outcome = outcome;
                    }
                    continue;
                }
            };
            let row = WriteRow {
                id: RowId::new(now, &**self.runtime.entropy())?,
                push,
                kind: match (&plan.purpose, change.undoes) {
                    (PlanPurpose::Undo(_), Some(row)) => RowKind::Undo(row),
                    _ => RowKind::Push,
                },
                plan: plan.hash.clone(),
                cell: change.cell.clone(),
                enrichment: change.enrichment.clone(),
                latest_at_plan: change.latest,
                before,
                before_raw,
                stamp: guard.and_then(Record::modified_at),
                sent: change.ours.normalised(normaliser),
                send_by: now.saturating_add(self.settings.send_window),
                at: now,
                outcome: Outcome::Intent,
                undone_by: None,
            };
            sent.push(Sent { change, row, at: *at });
        }
        Ok(sent)
    }

    /// The request: fields of one value as they are, lists rebuilt from the guard read.
    fn request(
        &self,
        target: &RecordRef,
        guard: &Record,
        sent: &[Sent<'_>],
        guarded_at: Duration,
    ) -> Result<PushRequest> {
        let mut patch: Vec<PatchField> = Vec::new();
        for Sent { change, .. } in sent {
            let field = &change.cell.field;
            if patch.iter().any(|known| known.field == *field) {
                continue;
            }
            let value = match &change.cell.key {
                None => PatchValue::Text {
                    text: change.ours.as_text().unwrap_or_default().into(),
                    raw: change.ours_raw.clone(),
                },
                Some(_) => PatchValue::Terms(rebuild(guard, field, sent)?),
            };
            patch.push(PatchField::new(field.clone(), value, change.seen.clone()));
        }
        self.add_rewritten(target, guard, &mut patch);
        // No byte leaves after `send_by` either, whatever the guard window is.
        let sendable = self.runtime.clock().elapsed().saturating_add(self.settings.send_window);
        let guard_until = guarded_at.saturating_add(self.settings.guard_window).min(sendable);
        Ok(PushRequest::new(vec![Patch::new(target.clone(), patch)], guard_until))
    }

    /// Adds the texts that the platform stores anew beside a written one, as the guard read found them.
    fn add_rewritten(&self, target: &RecordRef, guard: &Record, patch: &mut Vec<PatchField>) {
        let Some(entity) = self.connector.capabilities().entity(target.kind) else { return };
        let group = &entity.rewritten_together;
        if !patch.iter().any(|sent| group.contains(&sent.field)) {
            return;
        }
        for field in group {
            if patch.iter().any(|sent| sent.field == *field) {
                continue;
            }
            let Some(seen) = fields::cell_value(guard, field, None) else { continue };
            let Some(text) = seen.as_text().filter(|text| text.contains('\\')) else { continue };
            let value = PatchValue::Text { text: text.into(), raw: guard.raw_spelling(field).cloned() };
            patch.push(PatchField::new(field.clone(), value, seen.clone()));
        }
    }

    async fn not_sent(
        &self,
        sent: &[Sent<'_>],
        error: &Error,
        fence: Fence,
        receipts: &mut [FieldReceipt],
    ) -> Result<()> {
        let at = self.now();
        let code = error.code().to_owned();
        let outcome = Outcome::Refused { code: code.as_str().into(), at };
        let ops = sent.iter().map(|sent| Op::Settle { row: sent.row.id, outcome: outcome.clone() }).collect();
        self.state.commit(self.store(), Unit::fenced(fence, ops)).await?;
        for sent in sent {
            if let Some(receipt) = receipts.get_mut(sent.at) {
                receipt.outcome = ReceiptOutcome::Rejected(Rejection::NotSent { code: code.clone() });
            }
        }
        Ok(())
    }

    /// Reads the record back, and settles each row by what is there.
    #[expect(clippy::too_many_arguments, reason = "one step of apply_to, cut out to be read")]
    async fn verify(
        &self,
        target: &RecordRef,
        guard: &Record,
        sent: Vec<Sent<'_>>,
        answers: &[(FieldName, FieldAnswer)],
        window: Duration,
        fence: Fence,
        receipts: &mut [FieldReceipt],
    ) -> Result<()> {
        let read = self.read(std::slice::from_ref(target), Purpose::Verify).await;
        let at = self.now();
        let found = read.as_ref().ok().and_then(|found| found.get(target));
        let gone = read.as_ref().is_ok_and(|found| found.gone.contains(target));
        let siblings = found.map(|record| moved_siblings(guard, record, &sent)).unwrap_or_default();
        let mut ops = Vec::new();
        for Sent { change, row, at: place } in &sent {
            let answer =
                answers.iter().find(|(field, _)| *field == change.cell.field).map(|(_, answer)| answer);
            let normaliser = self.normaliser(&change.cell)?;
            let (outcome, receipt) = match (answer, found) {
                (Some(FieldAnswer::Refused { code, .. }), _) => (
                    Outcome::Refused { code: code.as_str().into(), at },
                    ReceiptOutcome::Rejected(Rejection::Refused { code: code.clone() }),
                ),
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
            ops.extend(settle_ops(row, outcome));
            if let Some(place) = receipts.get_mut(*place) {
                let guard_kind = self.connector.capabilities().guard;
                let warnings = std::mem::take(&mut place.warnings);
                *place = FieldReceipt::new(change.number, change.cell.clone(), receipt)
                    .guarded(guard_kind, window);
                place.warnings = warnings;
                place.warnings.extend(siblings.iter().cloned());
            }
        }
        self.state.commit(self.store(), Unit::fenced(fence, ops)).await
    }

    pub(super) async fn take_lease(&self) -> Result<Lease> {
        let holder = PushId::new(self.now(), &**self.runtime.entropy())?.to_string();
        let now = self.now();
        let until = now.saturating_add(self.settings.lease);
        let fence = self.state.lease(self.store(), &holder, now, until).await?;
        Ok(Lease { holder, fence, renew_after: self.runtime.clock().elapsed() + self.settings.lease / 4 })
    }

    async fn renew(&self, lease: &mut Lease) -> Result<()> {
        let elapsed = self.runtime.clock().elapsed();
        if elapsed >= lease.renew_after {
            let now = self.now();
            let until = now.saturating_add(self.settings.lease);
            lease.fence = self.state.lease(self.store(), &lease.holder, now, until).await?;
            lease.renew_after = elapsed + self.settings.lease / 4;
        }
        Ok(())
    }

    /// Waits until lost answers can be settled, and says what became of them.
    async fn wait_and_settle(
        &self,
        plan: &Plan,
        push: PushId,
        lease: &mut Lease,
        receipts: &mut [FieldReceipt],
    ) -> Result<()> {
        if !receipts.iter().any(|receipt| receipt.outcome == ReceiptOutcome::Unknown) {
            return Ok(());
        }
        let until = self.runtime.clock().elapsed() + self.connector.capabilities().settle_after;
        while self.runtime.clock().elapsed() < until {
            self.runtime
                .clock()
                .sleep((self.settings.lease / 4).min(until - self.runtime.clock().elapsed()))
                .await;
            self.renew(lease).await?;
        }
        let settled = self.settle_under(lease.fence).await?;
        for (change, receipt) in plan.changes.iter().zip(receipts) {
            let of_push = settled.iter().find(|settled| settled.push == push && settled.cell == change.cell);
            if let (ReceiptOutcome::Unknown, Some(settled)) = (&receipt.outcome, of_push) {
                receipt.outcome = settled.outcome.clone();
            }
        }
        Ok(())
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

/// Theirs in their order, without what is removed, and with what is added at the end.
fn rebuild(guard: &Record, field: &FieldName, sent: &[Sent<'_>]) -> Result<Vec<Term>> {
    let theirs = fields::terms(guard, field).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "list_unreadable", format!("the list {field} was not read whole"))
    })?;
    let of_field = || sent.iter().filter(|sent| sent.change.cell.field == *field);
    let removed = |term: &Term| {
        let key = Normaliser::Folded1.apply(&term.name);
        of_field().any(|sent| sent.change.ours == CellValue::Absent && is_key(&sent.change.cell, &key))
    };
    let mut terms: Vec<Term> = theirs.iter().filter(|term| !removed(term)).cloned().collect();
    for sent in of_field() {
        if let Some(name) = sent.change.ours.as_text() {
            terms.push(Term { id: None, name: name.into(), raw_name: sent.change.ours_raw.clone() });
        }
    }
    Ok(terms)
}

fn is_key(cell: &Cell, key: &str) -> bool {
    cell.key.as_ref().map(Text::as_str) == Some(key)
}

/// The row landed where a read by id finds what was sent.
pub(super) fn landed(
    row: &WriteRow,
    record: &Record,
    normaliser: Normaliser,
    at: crate::time::Timestamp,
) -> Option<(Outcome, ReceiptOutcome)> {
    let value = read_cell(record, &row.cell)?.normalised(normaliser);
    if value != row.sent.normalised(normaliser) {
        return None;
    }
    let key_id = row.cell.key.as_ref().and_then(|key| {
        let terms = fields::terms(record, &row.cell.field)?;
        terms.iter().find(|term| Normaliser::Folded1.apply(&term.name) == key.as_str())?.id.clone()
    });
    let raw = raw_of(record, &row.cell);
    Some((Outcome::Landed { value, raw, key_id, at }, ReceiptOutcome::Applied))
}

/// The store took it, and does not hold it: never learned as landed. Nothing where the cell cannot be read.
fn not_landed(
    row: &WriteRow,
    record: &Record,
    normaliser: Normaliser,
    at: crate::time::Timestamp,
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

/// The fields that we did not send, and that changed between guard read and verify.
fn moved_siblings(guard: &Record, verify: &Record, sent: &[Sent<'_>]) -> Vec<Warning> {
    let json = |record: &Record| serde_json::to_value(record).unwrap_or_default();
    let (before, after) = (json(guard), json(verify));
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return Vec::new() };
    let ours = |field: &str| {
        matches!(field, "base" | "modified_at" | "raw_spelling")
            || sent.iter().any(|sent| sent.change.cell.field.as_str().split('.').next() == Some(field))
    };
    let lists = sent.iter().filter(|sent| sent.change.cell.key.is_some());
    let mut moved_lists: Vec<&FieldName> = lists.map(|sent| &sent.change.cell.field).collect();
    moved_lists.dedup();
    moved_lists.retain(|field| {
        // Of a list we sent the keys that the plan names; the others are siblings.
        let others = |record| -> BTreeSet<String> {
            let terms: &[Term] = fields::terms(record, field).unwrap_or_default();
            terms
                .iter()
                .map(|term| Normaliser::Folded1.apply(&term.name).into_owned())
                .filter(|key| {
                    !sent.iter().any(|s| s.change.cell.field == **field && is_key(&s.change.cell, key))
                })
                .collect()
        };
        others(guard) != others(verify)
    });
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    names
        .filter(|name| !ours(name) && before.get(*name) != after.get(*name))
        .cloned()
        .chain(moved_lists.into_iter().map(ToString::to_string))
        .map(|field| Warning::SiblingMoved { field })
        .collect()
}
