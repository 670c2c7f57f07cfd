//! A plan to writes: guard, intent, send, verify, settle; some records at a time.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::plan::{Approvals, Plan, PlanPurpose, PlannedChange};
use super::push::{Found, Push};
use super::rebuild::rebuild;
use super::receipt::{FieldReceipt, Receipt, ReceiptOutcome};
use super::siblings::moved_siblings;
use super::theirs::{entry, id_of, is_ambiguous, is_shared, lacks_entry, raw_of, read_cell};
use super::verdict::{ChangeVerdict, Conflict, Rejection, latest};
use crate::connector::{
    Answer, FieldAnswer, Known, LookUp, Patch, PatchField, PatchValue, Purpose, PushRequest,
};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{HtmlVerdict, cells, sanitise_html};
use crate::model::{Cell, CellValue, FieldName, GuardKind, NameSource, Normaliser, Record, RecordRef, Text};
use crate::state::{Fence, Op, Outcome, PushId, RowId, RowKind, RowQuery, Unit, WriteRow};

/// The code of a write that certainly did not land.
pub(super) const NOT_LANDED: &str = "not_landed";

/// The code of a write that did not leave since its guard read was too old by then.
pub(super) const WINDOW_PASSED: &str = "guard_window_passed";

/// The lease of the store's writers while a plan is applied.
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) fence: Fence,
    renew_after: Duration,
}

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
                            let code = error.code().to_owned();
                            run.set(at, ReceiptOutcome::Rejected(Rejection::NotSent { code }));
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

    /// Refuses what would leave a list without an entry that is certainly there, where the platform fills it
    /// again by itself. The plan has asked, and names may have gone since.
    pub(super) async fn stays_filled(&self, guarded: &Guarded<'_>) -> Result<()> {
        for Sent { change: asked, .. } in &guarded.sent {
            let field = &asked.cell.field;
            let writable = self.connector.capabilities().writable(&asked.cell);
            let removes = asked.ours == CellValue::Absent;
            if !removes || writable.is_none_or(|writable| writable.can_be_emptied) {
                continue;
            }
            let of_field = || {
                let changes = guarded.sent.iter().map(|sent| sent.change);
                changes.filter(|change| change.cell.field == *field)
            };
            let keeps = cells::entries(&guarded.guard, field).unwrap_or_default().iter().any(|entry| {
                !of_field().any(|change| {
                    change.ours == CellValue::Absent && change.cell.key.as_ref() == Some(&entry.key)
                })
            });
            if keeps {
                continue;
            }
            let added: Vec<&PlannedChange> =
                of_field().filter(|change| change.ours != CellValue::Absent).collect();
            // A name that the platform makes is there with the write.
            if !added.is_empty() && writable.is_some_and(|writable| writable.names == NameSource::Made) {
                continue;
            }
            let names: Vec<Text> =
                added.iter().filter_map(|change| change.ours.as_text()).map(Text::from).collect();
            let is_empty = names.is_empty();
            let known = self.known(&LookUp::Names { field: field.clone(), names }, is_empty).await?;
            let is_there = |(change, known): (&&PlannedChange, &Known)| match known {
                Known::One { id, .. } => change.ours_id.as_ref() == Some(id),
                Known::No | Known::Several => false,
            };
            if !added.iter().zip(&known).any(is_there) {
                return Err(Error::new(
                    ErrorKind::Rejected,
                    "would_empty_list",
                    format!("the list {field} would be left empty, and the platform would fill it again"),
                )
                .with_remedy("plan again: what was to stay or to come is gone"));
            }
        }
        Ok(())
    }

    /// What is sent to a record: fields of one value as they are, lists rebuilt from the guard read.
    pub(super) fn patch(&self, guarded: &Guarded<'_>) -> Result<Patch> {
        let changes: Vec<&PlannedChange> = guarded.sent.iter().map(|sent| sent.change).collect();
        let mut patch: Vec<PatchField> = Vec::new();
        for change in &changes {
            let field = &change.cell.field;
            if patch.iter().any(|known| known.field == *field) {
                continue;
            }
            let is_list = self
                .connector
                .capabilities()
                .writable(&change.cell)
                .is_some_and(|writable| writable.list.is_some());
            let value = match &change.ours {
                _ if is_list => rebuild(&guarded.guard, field, &changes)?,
                CellValue::Absent => PatchValue::Removed,
                ours => PatchValue::Text {
                    text: ours.as_text().unwrap_or_default().into(),
                    raw: change.ours_raw.clone(),
                },
            };
            let before = if is_list { rebuild(&guarded.guard, field, &[])?.into() } else { None };
            let version = guarded.guard.version(field).cloned();
            patch.push(
                PatchField::new(field.clone(), value, change.seen.clone()).version(version).before(before),
            );
        }
        self.add_rewritten(&guarded.target, &guarded.guard, &mut patch)?;
        Ok(Patch::of(&guarded.guard, patch))
    }

    /// Adds the texts that the platform stores anew beside a written one, as the guard read found them.
    fn add_rewritten(&self, target: &RecordRef, guard: &Record, patch: &mut Vec<PatchField>) -> Result<()> {
        let Some(entity) = self.connector.capabilities().entity(target.kind) else { return Ok(()) };
        let group = &entity.rewritten_together;
        if !patch.iter().any(|sent| group.contains(&sent.field)) {
            return Ok(());
        }
        for field in group {
            if patch.iter().any(|sent| sent.field == *field) {
                continue;
            }
            let Some(seen) = cells::value(guard, field, None) else { continue };
            let Some(text) = seen.as_text().filter(|text| text.contains('\\')) else { continue };
            let is_html = entity.writable(field).is_some_and(|writable| writable.html);
            if is_html && !matches!(sanitise_html(text), Ok(HtmlVerdict::Clean)) {
                // Sent along, the store may filter it; left out, the store takes its backslashes off.
                return Err(Error::new(
                    ErrorKind::Rejected,
                    "sibling_unsendable",
                    format!("the record's {field} has backslashes and HTML that the store may filter"),
                )
                .with_remedy("take the backslashes, or the scripts and styles, out of it in the store"));
            }
            let value = PatchValue::Text { text: text.into(), raw: guard.raw_spelling(field).cloned() };
            patch.push(PatchField::new(field.clone(), value, seen.clone()));
        }
        Ok(())
    }

    async fn not_sent(
        &self,
        guarded: &[Guarded<'_>],
        error: &Error,
        fence: Fence,
        run: &mut Run<'_>,
    ) -> Result<()> {
        let at = self.now();
        let code = error.code().to_owned();
        let outcome = Outcome::Refused { code: code.as_str().into(), at };
        let sent = || guarded.iter().flat_map(|guarded| &guarded.sent);
        let ops = sent().map(|sent| Op::Settle { row: sent.row.id, outcome: outcome.clone() }).collect();
        self.state.commit(self.store(), Unit::fenced(fence, ops)).await?;
        for sent in sent() {
            run.set(sent.at, ReceiptOutcome::Rejected(Rejection::NotSent { code: code.clone() }));
        }
        Ok(())
    }

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
                if let Some(place) = run.receipts.get_mut(*place) {
                    *place = FieldReceipt::new(change.number, change.cell.clone(), receipt)
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

    pub(super) async fn take_lease(&self) -> Result<Lease> {
        let holder = PushId::new(self.now(), &**self.runtime.entropy())?.to_string();
        let now = self.now();
        let until = now.saturating_add(self.settings.lease);
        let fence = self.state.lease(self.store(), &holder, now, until).await?;
        Ok(Lease { holder, fence, renew_after: self.runtime.clock().elapsed() + self.settings.lease / 4 })
    }

    pub(super) async fn renew(&self, lease: &mut Lease) -> Result<()> {
        if self.runtime.clock().elapsed() >= lease.renew_after {
            self.hold(lease, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Takes the lease for what is about to take so long.
    pub(super) async fn hold(&self, lease: &mut Lease, time: Duration) -> Result<()> {
        let now = self.now();
        let until = now.saturating_add(time).saturating_add(self.settings.lease);
        lease.fence = self.state.lease(self.store(), &lease.holder, now, until).await?;
        lease.renew_after = self.runtime.clock().elapsed() + self.settings.lease / 4;
        Ok(())
    }

    /// Waits until what was lost up to now can be settled.
    pub(super) async fn wait_to_settle(&self, lease: &mut Lease) -> Result<()> {
        let until = self.runtime.clock().elapsed() + self.connector.capabilities().settle_after;
        loop {
            let left = until.saturating_sub(self.runtime.clock().elapsed());
            if left.is_zero() {
                return Ok(());
            }
            self.runtime.clock().sleep((self.settings.lease / 4).min(left)).await;
            self.renew(lease).await?;
        }
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

/// The row landed where a read by id finds what was sent.
pub(super) fn landed(
    row: &WriteRow,
    record: &Record,
    normaliser: Normaliser,
    at: crate::time::Timestamp,
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
