//! A plan to writes: guard, intent, send, verify, settle; some records at a time.

use std::collections::HashSet;
use std::num::NonZeroU32;

use super::lease::Lease;
use super::plan::{Approvals, Plan, PlannedChange};
use super::push::Push;
use super::receipt::{FieldReceipt, Receipt, ReceiptOutcome};
use super::verdict::{ChangeVerdict, Rejection};
use crate::connector::{Purpose, PushRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{CellValue, FieldName, Record, RecordRef};
use crate::state::{Fence, Op, Outcome, PushId, RowQuery, Unit, WriteRow};

/// The code of a write that certainly did not land.
pub(super) const NOT_LANDED: &str = "not_landed";

/// The code of a write that did not leave since its guard read was too old by then.
pub(super) const WINDOW_PASSED: &str = "guard_window_passed";

/// One application of a plan.
pub(super) struct Run<'p> {
    pub(super) plan: &'p Plan,
    pub(super) push: PushId,
    pub(super) receipts: Vec<FieldReceipt>,
    /// The places of the changes that may be sent.
    pub(super) chosen: Vec<usize>,
    /// The places of those that went in one write with other records.
    pub(super) batched: Vec<usize>,
}

impl<'p> Run<'p> {
    /// The chosen changes of a record, each with its place in the plan.
    pub(super) fn changes_of(&self, target: &RecordRef) -> Vec<(usize, &'p PlannedChange)> {
        let changes = self.chosen.iter().filter_map(|at| Some((*at, self.plan.changes.get(*at)?)));
        changes.filter(|(_, change)| change.target() == target).collect()
    }

    /// The records of the chosen changes, each once, in the plan's order.
    pub(super) fn targets(&self) -> Vec<RecordRef> {
        let mut targets: Vec<RecordRef> = Vec::new();
        for change in self.chosen.iter().filter_map(|at| self.plan.changes.get(*at)) {
            if !targets.contains(change.target()) {
                targets.push(change.target().clone());
            }
        }
        targets
    }

    pub(super) fn set(&mut self, at: usize, outcome: ReceiptOutcome) {
        if let Some(receipt) = self.receipts.get_mut(at) {
            receipt.outcome = outcome;
            receipt.why = None;
        }
    }

    /// Nothing of a change is sent, for this error.
    pub(super) fn set_unsent(&mut self, at: usize, error: &Error) {
        self.set(at, ReceiptOutcome::Rejected(Rejection::NotSent { code: error.code().to_owned() }));
        if let Some(receipt) = self.receipts.get_mut(at) {
            receipt.why = Some(error.to_string());
        }
    }
}

/// A change on its way, with the row that stands for it.
pub(super) struct Sent<'p> {
    pub(super) change: &'p PlannedChange,
    pub(super) row: WriteRow,
    pub(super) at: usize,
}

/// A record on its way: as the guard read found it, with what is sent to it.
pub(super) struct Guarded<'p> {
    pub(super) target: RecordRef,
    pub(super) guard: Record,
    pub(super) sent: Vec<Sent<'p>>,
}

impl Push {
    /// Applies the approved changes of a plan, and says what became of each.
    ///
    /// # Errors
    /// `Rejected` where the plan is not for this store, changed, or expired; `State` where another writer holds
    /// the store; what the reads say. What was written up to then is in the write log.
    pub async fn apply(&self, plan: &Plan, approvals: &Approvals) -> Result<Receipt> {
        self.must_be_writable()?;
        plan.check(self.store(), self.now())?;
        if plan.to_apply().any(|change| !self.is_in_view(&change.cell)) {
            return Err(Error::new(
                ErrorKind::Rejected,
                "plan_of_another_view",
                "the plan was made in another language or view of the store",
            )
            .with_remedy("apply it through the connector of that view"));
        }
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
        let targets: HashSet<&RecordRef> = plan.to_apply().map(PlannedChange::target).collect();
        let waits = self.settings.wait_for_unknown && self.waits_for_job(&targets).await?;
        self.settle_under(lease).await?;
        if waits {
            self.wait_for_jobs(&targets, lease).await?;
        }
        let mut run = Run {
            plan,
            push,
            receipts: Vec::with_capacity(plan.changes.len()),
            chosen: Vec::new(),
            batched: Vec::new(),
        };
        for (at, change) in plan.changes.iter().enumerate() {
            let outcome = match &change.verdict {
                ChangeVerdict::Apply if !approvals.allow(plan, change) => ReceiptOutcome::NotApproved,
                ChangeVerdict::Apply => {
                    run.chosen.push(at);
                    // Overwritten below: every record is worked through.
                    ReceiptOutcome::Rejected(Rejection::NotSent { code: "cancelled".to_owned() })
                }
                ChangeVerdict::Unchanged => ReceiptOutcome::Unchanged,
                ChangeVerdict::Conflict(conflict) => ReceiptOutcome::Conflict(conflict.clone()),
                ChangeVerdict::Rejected(rejection) => ReceiptOutcome::Rejected(rejection.clone()),
            };
            run.receipts.push(FieldReceipt::new(change.number, change.cell.clone(), outcome));
        }
        self.apply_by_job(&mut run, lease).await?;
        self.apply_in_groups(&mut run, self.settings.batch, lease).await?;
        if self.settings.wait_for_unknown {
            self.wait_and_settle(&mut run, lease).await?;
            if !run.batched.is_empty() {
                // One record can fail a whole batch: those that certainly did not land go alone, once. So do those
                // for which the guard's window was over while the others were written.
                run.chosen = std::mem::take(&mut run.batched);
                // What went by job may have gone in a batch since.
                run.chosen.sort_unstable();
                run.chosen.dedup();
                run.chosen.retain(|at| {
                    let outcome = run.receipts.get(*at).map(|receipt| &receipt.outcome);
                    match outcome {
                        Some(ReceiptOutcome::Rejected(Rejection::NotSent { code })) => code == NOT_LANDED,
                        Some(ReceiptOutcome::Rejected(Rejection::Refused { code })) => code == WINDOW_PASSED,
                        _ => false,
                    }
                });
                self.apply_in_groups(&mut run, NonZeroU32::MIN, lease).await?;
                self.wait_and_settle(&mut run, lease).await?;
            }
        }
        Ok(Receipt { push, plan: plan.hash.clone(), fields: run.receipts })
    }

    /// Applies the chosen changes, some records of one kind at a time: at most `batch`, and what the connector takes.
    async fn apply_in_groups(&self, run: &mut Run<'_>, batch: NonZeroU32, lease: &mut Lease) -> Result<()> {
        let mut targets = run.targets();
        targets.sort_by_key(|target| target.kind);
        for some in targets.chunk_by(|one, next| one.kind == next.kind) {
            let claims = some.first().and_then(|target| self.connector.capabilities().entity(target.kind));
            let batch = claims.map_or(NonZeroU32::MIN, |claims| batch.min(claims.max_batch));
            for group in some.chunks(usize::try_from(batch.get()).unwrap_or(1)) {
                if self.cancel.is_cancelled() {
                    return Ok(());
                }
                self.renew(lease).await?;
                self.apply_group(group, run, lease).await?;
            }
        }
        Ok(())
    }

    /// Applies the changes of some records, guarded anew where the window passes before they are sent.
    async fn apply_group(&self, group: &[RecordRef], run: &mut Run<'_>, lease: &mut Lease) -> Result<()> {
        for attempt in 1..=self.settings.guard_attempts {
            // What the writes need beside the records is read first: it must not use up the guard's window.
            let prepared = match attempt {
                1 => self.connector.prepare(&self.brings(group, run)).await,
                _ => Ok(()),
            };
            let found = match prepared {
                Ok(()) => self.read(group, Purpose::Guard).await,
                Err(error) => Err(error),
            };
            let mut found = match found {
                Ok(found) => found,
                // Nothing of these is sent; what was done to others stands in the receipt all the same.
                Err(error) => {
                    for target in group {
                        for (at, _) in run.changes_of(target) {
                            run.set_unsent(at, &error);
                        }
                    }
                    return Ok(());
                }
            };
            // The store may have read the records as soon as it was asked.
            let guarded_at = self.runtime.clock().elapsed().saturating_sub(found.took);
            // A read can wait for long, and `send_by` must lie inside the lease.
            self.renew(lease).await?;
            let fence = lease.fence;
            let open = self.state.rows(self.store(), &RowQuery::Unsettled).await?;
            let mut guarded: Vec<Guarded<'_>> = Vec::new();
            for target in group {
                let sent = self.intents(target, &found, &open, run).await?;
                if let (Some(guard), false) = (found.records.remove(target), sent.is_empty()) {
                    guarded.push(Guarded { target: target.clone(), guard, sent });
                }
            }
            if guarded.is_empty() {
                return Ok(());
            }
            let rows = guarded.iter().flat_map(|guarded| &guarded.sent);
            let ops = rows.map(|sent| Op::Append(Box::new(sent.row.clone()))).collect();
            self.state.commit(self.store(), Unit::fenced(fence, ops)).await?;

            let mut patches = Vec::new();
            let mut built = Vec::new();
            for guarded in guarded {
                let patch = match self.stays_filled(&guarded).await {
                    Ok(()) => self.patch(&guarded),
                    Err(error) => Err(error),
                };
                match patch {
                    Ok(patch) => {
                        patches.push(patch);
                        built.push(guarded);
                    }
                    Err(error) => self.not_sent(&[guarded], &error, fence, run).await?,
                }
            }
            if built.is_empty() {
                return Ok(());
            }
            // No byte leaves after `send_by` either, whatever the guard window is.
            let sendable = self.runtime.clock().elapsed().saturating_add(self.settings.send_window);
            let guard_until = guarded_at.saturating_add(self.settings.guard_window).min(sendable);
            let answers = self.connector.push(&PushRequest::new(patches, guard_until)).await;
            let window = self.runtime.clock().elapsed().saturating_sub(guarded_at);
            self.renew(lease).await?;
            match answers {
                Ok(answers) => {
                    // Only now: a group that is guarded anew must not count twice.
                    if built.len() > 1 {
                        let places = built.iter().flat_map(|guarded| &guarded.sent).map(|sent| sent.at);
                        run.batched.extend(places);
                    }
                    let guard = self.connector.capabilities().guard;
                    return self.verify(built, &answers, &|_, _| (guard, window), lease.fence, run).await;
                }
                Err(error) => {
                    self.not_sent(&built, &error, lease.fence, run).await?;
                    if error.code() != WINDOW_PASSED || attempt == self.settings.guard_attempts {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The lists of some records that get entries which were not there when it was planned.
    fn brings(&self, group: &[RecordRef], run: &Run<'_>) -> Vec<FieldName> {
        let changes = group.iter().flat_map(|target| run.changes_of(target)).map(|(_, change)| change);
        let is_new = |change: &&PlannedChange| {
            let writable = self.connector.capabilities().writable(&change.cell);
            change.seen == CellValue::Absent
                && change.ours != CellValue::Absent
                && writable.is_some_and(|writable| writable.list.is_some())
        };
        let mut fields: Vec<FieldName> = changes.filter(is_new).map(|it| it.cell.field.clone()).collect();
        fields.sort();
        fields.dedup();
        fields
    }

    async fn not_sent(
        &self,
        guarded: &[Guarded<'_>],
        error: &Error,
        fence: Fence,
        run: &mut Run<'_>,
    ) -> Result<()> {
        let at = self.now();
        let outcome = Outcome::Refused { code: error.code().into(), at };
        let sent = || guarded.iter().flat_map(|guarded| &guarded.sent);
        let ops = sent().map(|sent| Op::Settle { row: sent.row.id, outcome: outcome.clone() }).collect();
        self.state.commit(self.store(), Unit::fenced(fence, ops)).await?;
        for sent in sent() {
            run.set_unsent(sent.at, error);
        }
        Ok(())
    }

    /// Waits until lost answers can be settled, and says what became of them.
    pub(super) async fn wait_and_settle(&self, run: &mut Run<'_>, lease: &mut Lease) -> Result<()> {
        if !run.receipts.iter().any(|receipt| receipt.outcome == ReceiptOutcome::Unknown) {
            return Ok(());
        }
        self.wait_to_settle(lease).await?;
        let settled = self.settle_under(lease).await?;
        for (change, receipt) in run.plan.changes.iter().zip(&mut run.receipts) {
            let of_push =
                settled.iter().find(|settled| settled.push == run.push && settled.cell == change.cell);
            if let (ReceiptOutcome::Unknown, Some(settled)) = (&receipt.outcome, of_push) {
                receipt.outcome = settled.outcome.clone();
            }
        }
        Ok(())
    }
}
