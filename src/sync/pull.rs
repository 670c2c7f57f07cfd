//! Pull: pages to records to a sink, with a checkpoint behind every page and a certificate at the end.

use std::collections::HashSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::certificate::{Certificate, Check, CheckOutcome, Reason, Rule, Scope, Verdict};
use super::pages::{Pages, ReadPage};
use super::{Cancel, Rejected, Sink};
use crate::connector::{Connector, Page, PullRequest, Select, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{MappedPage, RejectedRecord, SchemaMap, cells};
use crate::model::{DeltaClock, Entity, EntityCapabilities, ExternalId, Record, StoreKey};
use crate::state::{Checkpoint, Op, RunKey, SinkMark, StateStore, Unit};
use crate::time::Timestamp;

/// The most ids that a certificate or checkpoint names.
pub(super) const MAX_NAMED_IDS: usize = 100;
/// How long base values are kept.
const BASE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A pull of one kind of record from one store.
///
/// It is resumed where it ended when it is run again with the same request against the same state and sink.
/// A run that has ended answers with its certificate until it is forgotten ([`Pull::forget`]).
#[derive(Debug, Clone)]
pub struct Pull {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) entity: Entity,
    select: Select,
    pub(super) in_flight: NonZeroUsize,
    pub(super) page_size: Option<NonZeroU32>,
    pub(super) max_sweeps: u32,
    keep_base: bool,
    pub(super) cancel: Cancel,
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The kind of record.
    pub entity: Entity,
    /// How many records the sink has taken.
    pub delivered: u64,
    /// How many the list has, where the platform says it.
    pub total: Option<u64>,
}

impl Pull {
    /// A pull of everything of a kind, with two pages in flight.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>, state: Arc<dyn StateStore>, entity: Entity) -> Self {
        Self {
            connector,
            state,
            entity,
            select: Select::All,
            in_flight: NonZeroUsize::MIN.saturating_add(1),
            page_size: None,
            max_sweeps: 3,
            keep_base: false,
            cancel: Cancel::default(),
        }
    }

    /// Pulls only what changed since a time of the platform's clock.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.select = Select::Since(since);
        self
    }

    /// Sets how many pages are fetched at once, where the platform lets pages be known ahead (default 2).
    #[must_use]
    pub fn in_flight(mut self, pages: NonZeroUsize) -> Self {
        self.in_flight = pages;
        self
    }

    /// Sets how many records a page should hold (default: the connector's choice, which is also the bound).
    #[must_use]
    pub fn page_size(mut self, records: NonZeroU32) -> Self {
        self.page_size = Some(records);
        self
    }

    /// Keeps the value of each cell in the state, so that a later conflict can show what was there.
    #[must_use]
    pub fn keep_base(mut self, keep: bool) -> Self {
        self.keep_base = keep;
        self
    }

    /// Sets a token that ends the pull between two pages.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Runs the pull to its certificate, from its checkpoint where there is one.
    ///
    /// # Errors
    /// What the connector, the sink or the state say, and `Cancelled`. The run goes on from its checkpoint when
    /// it is called again.
    pub async fn run(
        &self,
        sink: &mut dyn Sink,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Certificate> {
        let capabilities = self.capabilities()?;
        if matches!(self.select, Select::Since(_)) && capabilities.delta == DeltaClock::None {
            return Err(unsupported("delta_unsupported", "this store cannot list what changed since a time"));
        }
        let schema = self.connector.schema(self.entity).ok_or_else(|| {
            unsupported("entity_unsupported", format!("this connector has no map for {}", self.entity))
        })?;
        let info = self.connector.info();
        let run = self.run_key();
        let binding = self.binding(schema);
        let found = self.state.checkpoint(&info.store, &run).await?;
        let mut fresh = true;
        let checkpoint = match found {
            Some(checkpoint) if checkpoint.binding == binding => {
                if let Some(certificate) = &checkpoint.certificate {
                    return serde_json::from_str(certificate).map_err(|error| {
                        Error::new(
                            ErrorKind::State,
                            "certificate_unreadable",
                            "a kept certificate is unreadable",
                        )
                        .with_source(error)
                    });
                }
                go_back(sink, checkpoint.mark).await?;
                fresh = !checkpoint.pages_done && checkpoint.next.is_none();
                checkpoint
            }
            Some(other) => {
                go_back(sink, other.opened).await?;
                Checkpoint::new(run.clone(), binding, other.opened)
            }
            None => Checkpoint::new(run.clone(), binding, sink.mark().await?),
        };
        let delivered = if fresh { Vec::new() } else { self.state.delivered(&info.store, &run).await? };
        let mut work = Work {
            pull: self,
            store: &info.store,
            schema,
            capabilities,
            sink,
            progress,
            seen: delivered.into_iter().collect(),
            of_full_run: HashSet::new(),
            rejected: checkpoint.rejected_ids.iter().map(number).collect(),
            checkpoint,
            to: None,
            last: None,
            largest: None,
        };
        if fresh {
            let ops = vec![Op::ForgetRun(run), work.checkpoint_op(Vec::new())];
            self.state.commit(work.store, Unit::new(ops)).await?;
        } else {
            work.checkpoint.resumed = true;
        }
        work.run().await
    }

    /// The run's checkpoint, where it has begun; it holds the certificate once the run has ended.
    ///
    /// # Errors
    /// `State` where the state could not be read.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        self.state.checkpoint(&self.connector.info().store, &self.run_key()).await
    }

    /// Forgets the run: its checkpoint, or its certificate.
    ///
    /// # Errors
    /// `State` where the state could not be written.
    pub async fn forget(&self) -> Result<()> {
        let store = &self.connector.info().store;
        self.state.commit(store, Unit::new(vec![Op::ForgetRun(self.run_key())])).await
    }

    fn capabilities(&self) -> Result<&EntityCapabilities> {
        self.connector.capabilities().entity(self.entity).ok_or_else(|| {
            unsupported("entity_unsupported", format!("this connector cannot pull {}", self.entity))
        })
    }

    fn run_key(&self) -> RunKey {
        self.run_key_of(&self.select)
    }

    pub(super) fn run_key_of(&self, select: &Select) -> RunKey {
        let select = serde_json::to_string(select).unwrap_or_default();
        RunKey(format!("{}:{select}", self.entity).into())
    }

    /// Maps a page. Nothing of the run has moved yet: where this fails, the page can be fetched again.
    pub(super) fn map(&self, page: Page) -> Result<(Page, Vec<MappedPage>)> {
        let schema = self.connector.schema(self.entity).ok_or_else(|| {
            unsupported("entity_unsupported", format!("this connector has no map for {}", self.entity))
        })?;
        let profile = &self.connector.info().profile;
        let mapped = page.items.iter().map(|items| schema.map(items, profile)).collect::<Result<Vec<_>>>()?;
        Ok((page, mapped))
    }

    /// The hash of all that a checkpoint is bound to.
    fn binding(&self, schema: &SchemaMap) -> crate::model::Text {
        let info = self.connector.info();
        let bound = format!(
            "{:?}|{}|{:?}|{:?}|{:?}|{:?}",
            info.store,
            info.api_version,
            info.profile,
            // What the credential may see shows in what the connector claims.
            self.connector.capabilities().entity(self.entity),
            schema.rules(),
            self.run_key()
        );
        format!("{:016x}", XxHash3_64::oneshot(bound.as_bytes())).into()
    }
}

fn unsupported(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unsupported, code, message).with_remedy("ask the connector's capabilities first")
}

/// Takes the sink back to a mark that it gave. One that does not reach up to it lost records, and is refused.
async fn go_back(sink: &mut dyn Sink, mark: SinkMark) -> Result<()> {
    let reaches = sink.mark().await?;
    if reaches < mark {
        return Err(Error::new(ErrorKind::Sink, "sink_behind", "the sink lacks records that it had taken")
            .with_context("sink", reaches.0.to_string())
            .with_context("checkpoint", mark.0.to_string())
            .with_remedy("give the sink that the run was begun with, or forget the run and pull anew"));
    }
    sink.rewind(mark).await
}

/// A run under way.
pub(super) struct Work<'a> {
    pub(super) pull: &'a Pull,
    pub(super) store: &'a StoreKey,
    pub(super) capabilities: &'a EntityCapabilities,
    schema: &'a SchemaMap,
    sink: &'a mut dyn Sink,
    progress: &'a (dyn Fn(Progress) + Sync),
    checkpoint: Checkpoint,
    /// The ids that were delivered, as numbers.
    pub(super) seen: HashSet<u64>,
    /// For a delta: the ids that the last full run delivered.
    pub(super) of_full_run: HashSet<u64>,
    /// Of the ids that were delivered, those whose record could not be mapped.
    rejected: HashSet<u64>,
    pub(super) to: Option<Timestamp>,
    /// The last record of the page before, to tell an overlap that is unchanged.
    last: Option<Record>,
    largest: Option<u64>,
}

impl Work<'_> {
    async fn run(mut self) -> Result<Certificate> {
        let mut passes = 0;
        loop {
            if !self.checkpoint.pages_done {
                let request =
                    PullRequest { select: self.pull.select.clone(), ..PullRequest::all(self.pull.entity) };
                self.pages(&request).await?;
            }
            passes += 1;
            // A list that slipped is mended by a sweep of its ids. A delta has none, so it is read again.
            let slipped = self.checkpoint.overlap_broken || self.checkpoint.order_broken;
            if !slipped || self.is_list() || passes >= self.pull.max_sweeps {
                break;
            }
            self.start_over();
        }
        let mut checks = Vec::new();
        let mut proof = Proof::default();
        self.closing_delta(&mut checks, &mut proof).await?;
        self.prove(&mut checks, &mut proof).await?;
        self.certify(checks, proof).await
    }

    fn is_list(&self) -> bool {
        matches!(self.pull.select, Select::All)
    }

    /// Back to the first page; what was delivered stays delivered, and `from` stays where it was.
    fn start_over(&mut self) {
        let checkpoint = &mut self.checkpoint;
        (checkpoint.next, checkpoint.last_id, checkpoint.totals) = (None, None, (None, None));
        (checkpoint.pages_done, checkpoint.overlap_broken, checkpoint.order_broken) = (false, false, false);
        (self.last, self.largest) = (None, None);
    }

    /// Delivers the pages of the list from the checkpoint on.
    async fn pages(&mut self, request: &PullRequest) -> Result<()> {
        let mut pages = Pages::new(self.pull, request.at(self.checkpoint.next.clone()));
        while let Some(read) = pages.next(&self.pull.cancel).await? {
            // Only the first page tells when the run began.
            if self.checkpoint.from.is_none() && self.checkpoint.next.is_none() {
                self.checkpoint.from = read.page.server_time;
            }
            if let (Select::Since(since), Some(now)) = (&self.pull.select, read.page.server_time)
                && *since > now.saturating_add(read.page.took)
            {
                return Err(Error::new(
                    ErrorKind::Rejected,
                    "since_in_future",
                    format!("changes since {since} were asked for, and the store's clock says {now}"),
                )
                .with_remedy("ask for a time that has passed, such as a certificate's next_since"));
            }
            self.to = read.page.server_time.or(self.to);
            if let Total::Exact(total) = read.page.total {
                self.checkpoint.totals.0.get_or_insert(total);
                self.checkpoint.totals.1 = Some(total);
            }
            self.checkpoint.pages_done = read.next.is_none();
            self.checkpoint.next.clone_from(&read.next);
            self.deliver(read, true).await?;
        }
        Ok(())
    }

    /// Gives a page to the sink and commits the checkpoint behind it.
    pub(super) async fn deliver(&mut self, read: ReadPage, in_list: bool) -> Result<()> {
        let mut delivered = Vec::new();
        let mut ops = Vec::new();
        for MappedPage { mut records, rejected, dropped_fields, .. } in read.mapped {
            self.checkpoint.dropped_fields += dropped_fields;
            if in_list {
                self.drop_overlap(&mut records);
            }
            for record in &records {
                let id = &record.reference().id;
                if in_list {
                    self.check_order(id);
                }
                if self.seen.insert(number(id)) {
                    delivered.push(number(id));
                }
                if self.rejected.remove(&number(id)) {
                    // A later version of it could be mapped.
                    self.checkpoint.rejected = self.checkpoint.rejected.saturating_sub(1);
                    self.checkpoint.rejected_ids.retain(|rejected| rejected != id);
                }
                self.checkpoint.watermark = self.checkpoint.watermark.max(record.modified_at());
                if self.pull.keep_base {
                    self.keep_base(record, &mut ops);
                }
            }
            if !records.is_empty() {
                self.sink.write(&records).await?;
                self.checkpoint.delivered += records.len() as u64;
            }
            for rejected in rejected {
                self.reject(rejected, &mut delivered).await?;
            }
            if in_list && let Some(last) = records.pop() {
                self.checkpoint.last_id = Some(last.reference().id.clone());
                self.last = Some(last);
            }
        }
        self.checkpoint.mark = self.sink.mark().await?;
        ops.push(self.checkpoint_op(delivered));
        self.pull.state.commit(self.store, Unit::new(ops)).await?;
        (self.progress)(Progress {
            entity: self.pull.entity,
            delivered: self.checkpoint.delivered,
            total: self.checkpoint.totals.1,
        });
        Ok(())
    }

    /// Counts a record that could not be mapped, once however often pages bring it.
    async fn reject(&mut self, rejected: RejectedRecord, delivered: &mut Vec<u64>) -> Result<()> {
        if let Some(id) = &rejected.id {
            if !self.rejected.insert(number(id)) {
                return Ok(());
            }
            if self.seen.insert(number(id)) {
                delivered.push(number(id));
            }
            if self.checkpoint.rejected_ids.len() < MAX_NAMED_IDS {
                self.checkpoint.rejected_ids.push(id.clone());
            }
        }
        self.checkpoint.rejected += 1;
        let reasons = rejected.issues.iter().map(ToString::to_string).collect();
        self.sink.reject(&Rejected::new(self.pull.entity, rejected.id, reasons)).await
    }

    /// A page begins with the last record of the one before: it is dropped where it is unchanged, and where it
    /// is another one, something slipped between the pages.
    fn drop_overlap(&mut self, records: &mut Vec<Record>) {
        if !self.capabilities.pages_overlap {
            return;
        }
        let Some(last_id) = &self.checkpoint.last_id else { return };
        match records.first() {
            Some(first) if first.reference().id == *last_id => {
                if self.last.as_ref() == Some(first) {
                    records.remove(0);
                }
            }
            Some(_) | None => self.checkpoint.overlap_broken = true,
        }
    }

    fn check_order(&mut self, id: &ExternalId) {
        if !self.capabilities.sorted_by_id {
            return;
        }
        let Ok(id) = id.as_str().parse::<u64>() else {
            self.checkpoint.order_broken = true;
            return;
        };
        if self.largest.is_some_and(|largest| id < largest) {
            self.checkpoint.order_broken = true;
        }
        self.largest = self.largest.max(Some(id));
    }

    fn keep_base(&self, record: &Record, ops: &mut Vec<Op>) {
        let Some(at) = self.to else { return };
        for field in self.schema.cells() {
            if let Some(token) = record.base().get(field)
                && let Some(value) = cells::value(record, field, None)
            {
                ops.push(Op::KeepBase { token: token.clone(), value, at });
            }
            for (key, token) in record.base().keys(field).unwrap_or_default() {
                if let Some(value) = cells::value(record, field, Some(key)) {
                    ops.push(Op::KeepBase { token: token.clone(), value, at });
                }
            }
        }
    }

    fn checkpoint_op(&self, delivered: Vec<u64>) -> Op {
        Op::Checkpoint { checkpoint: Box::new(self.checkpoint.clone()), delivered }
    }

    /// A resumed run ends with what changed since it began first.
    async fn closing_delta(&mut self, checks: &mut Vec<Check>, proof: &mut Proof) -> Result<()> {
        let rule = Rule::ClosingDelta;
        if !self.checkpoint.resumed {
            checks.push(Check::new(rule, CheckOutcome::NotNeeded, "the run was not resumed"));
            return Ok(());
        }
        let Some(from) = self.checkpoint.from else {
            proof.unproven = true;
            checks.push(Check::new(
                rule,
                CheckOutcome::NotOffered,
                "the platform did not say when the run began",
            ));
            return Ok(());
        };
        if self.capabilities.delta == DeltaClock::None {
            checks.push(Check::new(rule, CheckOutcome::NotOffered, "the platform lists no changes"));
            return Ok(());
        }
        let since = from.saturating_sub(self.capabilities.overlap);
        let before = self.checkpoint.delivered;
        let mut held = false;
        for _ in 0..self.pull.max_sweeps {
            held = self.changes_since(since).await?;
            if held {
                break;
            }
        }
        let again = self.checkpoint.delivered - before;
        let outcome = if held { CheckOutcome::Held } else { CheckOutcome::Failed };
        if !held {
            proof.reasons.push(Reason::StillMoving);
        }
        checks.push(Check::new(rule, outcome, format!("{again} records changed since {since}")));
        Ok(())
    }

    /// Delivers what changed since a time; whether the pages held together.
    async fn changes_since(&mut self, since: Timestamp) -> Result<bool> {
        let request = PullRequest { select: Select::Since(since), ..PullRequest::all(self.pull.entity) };
        let mut pages = Pages::new(self.pull, request);
        let mut last: Option<ExternalId> = None;
        let mut held = true;
        while let Some(read) = pages.next(&self.pull.cancel).await? {
            self.to = read.page.server_time.or(self.to);
            let first = read.records().next().map(|record| &record.reference().id);
            held &= !self.capabilities.pages_overlap || last.is_none() || first == last.as_ref();
            last = read.records().last().map(|record| record.reference().id.clone()).or(last);
            self.deliver(read, false).await?;
        }
        Ok(held)
    }

    /// Checks what the platform offers; sweeps the ids where a check failed or none was offered.
    async fn prove(&mut self, checks: &mut Vec<Check>, proof: &mut Proof) -> Result<()> {
        let count = self.seen.len() as u64;
        let (first, last) = self.checkpoint.totals;
        let counted = match (self.is_list(), first, last) {
            (false, _, _) => CheckOutcome::NotNeeded,
            (true, Some(first), Some(last)) if first == last && last == count => CheckOutcome::Held,
            (true, Some(_), Some(_)) => CheckOutcome::Failed,
            (true, _, _) => CheckOutcome::NotOffered,
        };
        let said = |total: Option<u64>| total.map_or_else(|| "nothing".to_owned(), |total| total.to_string());
        checks.push(Check::new(
            Rule::CountAgrees,
            counted,
            format!(
                "{count} delivered; the platform said {} at first and {} at last",
                said(first),
                said(last)
            ),
        ));
        let outcome = |offered: bool, broken: bool| match (offered, broken) {
            (false, _) => CheckOutcome::NotOffered,
            (true, false) => CheckOutcome::Held,
            (true, true) => CheckOutcome::Failed,
        };
        let overlap = outcome(self.capabilities.pages_overlap, self.checkpoint.overlap_broken);
        checks.push(Check::new(
            Rule::PagesOverlap,
            overlap,
            "each page begins with the last record of the one before",
        ));
        let order = outcome(self.capabilities.sorted_by_id, self.checkpoint.order_broken);
        checks.push(Check::new(Rule::OrderHolds, order, "ids ascend"));

        let failed = [counted, overlap, order].contains(&CheckOutcome::Failed);
        let unseen = [counted, overlap].contains(&CheckOutcome::NotOffered);
        if !self.is_list() {
            if failed {
                proof.reasons.push(Reason::StillMoving);
            }
            self.sweep_behind_delta(checks, proof).await
        } else if !(failed || unseen) {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotNeeded, "the other checks held"));
            Ok(())
        } else if !self.capabilities.ids_only {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotOffered, "the platform lists no ids"));
            proof.unproven |= !failed;
            for (outcome, reason) in [
                (counted, Reason::CountDisagrees),
                (overlap, Reason::PageSkipped),
                (order, Reason::OrderBroken),
            ] {
                if outcome == CheckOutcome::Failed {
                    proof.reasons.push(reason);
                }
            }
            Ok(())
        } else {
            let never_stable = self.sweep(checks, proof).await?;
            if never_stable && !failed {
                proof.reasons.pop();
                proof.unproven = true;
            }
            Ok(())
        }
    }

    async fn certify(mut self, mut checks: Vec<Check>, proof: Proof) -> Result<Certificate> {
        let Proof { mut reasons, mut ids, unproven, missing } = proof;
        let rejected = self.checkpoint.rejected;
        let mapped = if rejected == 0 { CheckOutcome::Held } else { CheckOutcome::Failed };
        checks.push(Check::new(Rule::EveryRecordMapped, mapped, format!("{rejected} rejected")));
        if rejected > 0 {
            reasons.push(Reason::RecordsRejected);
            ids.extend(self.checkpoint.rejected_ids.iter().cloned());
            ids.truncate(MAX_NAMED_IDS);
        }
        reasons.dedup();
        let verdict = match (reasons.is_empty(), unproven) {
            (false, _) => Verdict::Incomplete { reasons, ids },
            (true, true) => Verdict::Unproven,
            (true, false) => Verdict::Complete,
        };
        let next_since = match self.capabilities.delta {
            DeltaClock::None => None,
            DeltaClock::CanLie | DeltaClock::Trusted => {
                // Without the platform's time at the start, no stamp says from when on to ask.
                let from = self.checkpoint.from;
                let stamp = from.map(|from| self.checkpoint.watermark.map_or(from, |mark| from.min(mark)));
                stamp.map(|stamp| stamp.saturating_sub(self.capabilities.overlap))
            }
        };
        let certificate = Certificate {
            scope: Scope::new(self.store.clone(), self.pull.entity, self.pull.select.clone()),
            from: self.checkpoint.from,
            to: self.to.or(self.checkpoint.from),
            records: (self.seen.len() as u64).saturating_sub(self.rejected.len() as u64),
            rejected,
            dropped_fields: self.checkpoint.dropped_fields,
            missing,
            delivery: self.sink.delivery(),
            next_since,
            checks,
            verdict,
        };
        self.checkpoint.certificate = serde_json::to_string(&certificate).ok().map(Into::into);
        let mut ops = self.full_run_ops().await?;
        ops.push(self.checkpoint_op(Vec::new()));
        if let Some(to) = certificate.to.filter(|_| self.pull.keep_base) {
            ops.push(Op::DropBasesBefore(to.saturating_sub(BASE_KEPT)));
        }
        self.pull.state.commit(self.store, Unit::new(ops)).await?;
        Ok(certificate)
    }
}

/// What the checks of a run came to.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) reasons: Vec<Reason>,
    /// The ids to repair.
    pub(super) ids: Vec<ExternalId>,
    pub(super) unproven: bool,
    pub(super) missing: Vec<ExternalId>,
}

/// A number for an id: itself where it is one, else a hash of 64 bits.
pub(super) fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or_else(|_| XxHash3_64::oneshot(id.as_str().as_bytes()))
}
