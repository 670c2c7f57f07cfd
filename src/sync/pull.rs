//! Pull: pages to records to a sink, with a checkpoint behind every page and a certificate at the end.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use twox_hash::XxHash3_64;

use super::certificate::{Certificate, Check, CheckOutcome, Reason, Rule, Scope, Verdict};
use super::{Cancel, Rejected, Sink};
use crate::connector::{Connector, Detail, Page, PullRequest, Purpose, Select, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{MappedPage, SchemaMap, fields};
use crate::model::{
    Cursor, DeltaClock, Entity, EntityCapabilities, ExternalId, Record, StoreKey, StoreProfile,
};
use crate::state::{Checkpoint, Op, RunKey, StateStore, Unit};
use crate::time::Timestamp;

/// The most ids that a certificate or checkpoint names.
const MAX_NAMED_IDS: usize = 100;
/// The most ids that are read by id in one request.
const IDS_A_REQUEST: usize = 100;
/// The most pages of one list: past it, a list is taken for endless.
const MAX_PAGES: u64 = 1_000_000;

/// A pull of one kind of record from one store.
///
/// It is resumed where it ended when it is run again with the same request against the same state and sink.
/// A run that has ended answers with its certificate until it is forgotten ([`Pull::forget`]).
#[derive(Debug, Clone)]
pub struct Pull {
    connector: Arc<dyn Connector>,
    state: Arc<dyn StateStore>,
    entity: Entity,
    select: Select,
    in_flight: NonZeroUsize,
    page_size: Option<NonZeroU32>,
    max_sweeps: u32,
    keep_base: bool,
    cancel: Cancel,
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
                sink.rewind(checkpoint.mark).await?;
                fresh = checkpoint.from.is_none();
                checkpoint
            }
            Some(other) => {
                sink.rewind(other.opened).await?;
                Checkpoint::new(run.clone(), binding, other.opened)
            }
            None => Checkpoint::new(run.clone(), binding, sink.mark().await?),
        };
        let delivered = if fresh { Vec::new() } else { self.state.delivered(&info.store, &run).await? };
        let mut work = Work {
            pull: self,
            store: &info.store,
            profile: &info.profile,
            schema,
            capabilities,
            sink,
            progress,
            seen: delivered.into_iter().collect(),
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
        let select = serde_json::to_string(&self.select).unwrap_or_default();
        RunKey(format!("{}:{select}", self.entity).into())
    }

    /// The hash of all that a checkpoint is bound to.
    fn binding(&self, schema: &SchemaMap) -> crate::model::Text {
        let info = self.connector.info();
        let bound = format!(
            "{:?}|{}|{:?}|{:?}|{:?}",
            info.store,
            info.api_version,
            info.profile,
            schema.rules(),
            self.run_key()
        );
        format!("{:016x}", XxHash3_64::oneshot(bound.as_bytes())).into()
    }
}

fn unsupported(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unsupported, code, message).with_remedy("ask the connector's capabilities first")
}

/// A run under way.
struct Work<'a> {
    pull: &'a Pull,
    store: &'a StoreKey,
    profile: &'a StoreProfile,
    schema: &'a SchemaMap,
    capabilities: &'a EntityCapabilities,
    sink: &'a mut dyn Sink,
    progress: &'a (dyn Fn(Progress) + Sync),
    checkpoint: Checkpoint,
    /// The ids that were delivered, as numbers.
    seen: HashSet<u64>,
    to: Option<Timestamp>,
    /// The last record of the page before, to tell an overlap that is unchanged.
    last: Option<Record>,
    largest: Option<u64>,
}

/// What one walk over a list of pages saw.
#[derive(Debug, Default)]
struct Walked {
    ids: Vec<u64>,
    named: Vec<ExternalId>,
    totals: (Option<u64>, Option<u64>),
    overlap_broken: bool,
}

impl Walked {
    /// Whether the walk proves by itself that it saw the whole list.
    fn is_stable(&self) -> bool {
        let count = Some(self.ids.len() as u64);
        !self.overlap_broken
            && self.totals.0 == self.totals.1
            && self.totals.0.is_none_or(|_| self.totals.0 == count)
    }
}

impl Work<'_> {
    async fn run(mut self) -> Result<Certificate> {
        if !self.checkpoint.pages_done {
            let request =
                PullRequest { select: self.pull.select.clone(), ..PullRequest::all(self.pull.entity) };
            self.pages(&request).await?;
        }
        let mut checks = Vec::new();
        self.closing_delta(&mut checks).await?;
        let (reasons, ids, unproven) = self.prove(&mut checks).await?;
        self.certify(checks, reasons, ids, unproven).await
    }

    /// Delivers the pages of the list from the checkpoint on.
    async fn pages(&mut self, request: &PullRequest) -> Result<()> {
        let mut pages = Pages::new(self.pull, request.at(self.checkpoint.next.clone()));
        while let Some((page, next)) = pages.next(&self.pull.cancel).await? {
            if self.checkpoint.from.is_none() {
                self.checkpoint.from = page.server_time;
            }
            self.to = page.server_time.or(self.to);
            if let Total::Exact(total) = page.total {
                self.checkpoint.totals.0.get_or_insert(total);
                self.checkpoint.totals.1 = Some(total);
            }
            self.checkpoint.pages_done = next.is_none();
            self.checkpoint.next = next;
            self.deliver(&page, true).await?;
        }
        Ok(())
    }

    /// Maps a page, gives it to the sink and commits the checkpoint behind it.
    async fn deliver(&mut self, page: &Page, in_list: bool) -> Result<()> {
        let mut delivered = Vec::new();
        let mut ops = Vec::new();
        for items in &page.items {
            let MappedPage { mut records, rejected, dropped_fields, .. } =
                self.schema.map(items, self.profile)?;
            self.checkpoint.dropped_fields += dropped_fields;
            if in_list {
                self.drop_overlap(&mut records);
            }
            for record in &records {
                let id = number(&record.reference().id);
                if in_list {
                    self.check_order(&record.reference().id);
                }
                if self.seen.insert(id) {
                    delivered.push(id);
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
                self.checkpoint.rejected += 1;
                if let Some(id) = &rejected.id {
                    let id_number = number(id);
                    if self.seen.insert(id_number) {
                        delivered.push(id_number);
                    }
                    if self.checkpoint.rejected_ids.len() < MAX_NAMED_IDS {
                        self.checkpoint.rejected_ids.push(id.clone());
                    }
                }
                let reasons = rejected.issues.iter().map(ToString::to_string).collect();
                self.sink.reject(&Rejected::new(items.entity, rejected.id, reasons)).await?;
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
                && let Some(value) = fields::cell_value(record, field, None)
            {
                ops.push(Op::KeepBase { token: token.clone(), value, at });
            }
        }
    }

    fn checkpoint_op(&self, delivered: Vec<u64>) -> Op {
        Op::Checkpoint { checkpoint: Box::new(self.checkpoint.clone()), delivered }
    }

    /// A resumed run ends with what changed since it began first.
    async fn closing_delta(&mut self, checks: &mut Vec<Check>) -> Result<()> {
        let rule = Rule::ClosingDelta;
        let (true, Some(from)) = (self.checkpoint.resumed, self.checkpoint.from) else {
            checks.push(Check::new(rule, CheckOutcome::NotNeeded, "the run was not resumed"));
            return Ok(());
        };
        if self.capabilities.delta == DeltaClock::None {
            checks.push(Check::new(rule, CheckOutcome::NotOffered, "the platform lists no changes"));
            return Ok(());
        }
        let since = from.saturating_sub(self.capabilities.overlap);
        let request = PullRequest { select: Select::Since(since), ..PullRequest::all(self.pull.entity) };
        let mut pages = Pages::new(self.pull, request);
        let before = self.checkpoint.delivered;
        while let Some((page, _)) = pages.next(&self.pull.cancel).await? {
            self.to = page.server_time.or(self.to);
            self.deliver(&page, false).await?;
        }
        let again = self.checkpoint.delivered - before;
        checks.push(Check::new(rule, CheckOutcome::Held, format!("{again} records changed since {since}")));
        Ok(())
    }

    /// Checks what the platform offers; sweeps the ids where a check failed or none was offered.
    async fn prove(&mut self, checks: &mut Vec<Check>) -> Result<(Vec<Reason>, Vec<ExternalId>, bool)> {
        let mut reasons = Vec::new();
        let mut ids = Vec::new();
        let is_list = matches!(self.pull.select, Select::All);
        let count = self.seen.len() as u64;
        let (first, last) = self.checkpoint.totals;
        let counted = match (is_list, first, last) {
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
        let unseen = counted == CheckOutcome::NotOffered || (is_list && overlap == CheckOutcome::NotOffered);
        let mut unproven = false;
        if !(failed || unseen) {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotNeeded, "the other checks held"));
        } else if !is_list {
            // A delta that slipped is not told by a sweep of all ids: its changed records are known by time only.
            reasons.push(Reason::StillMoving);
            checks.push(Check::new(
                Rule::SweepAgrees,
                CheckOutcome::NotOffered,
                "a delta has no list of ids",
            ));
        } else if !self.capabilities.ids_only {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotOffered, "the platform lists no ids"));
            unproven = !failed;
            for (outcome, reason) in [
                (counted, Reason::CountDisagrees),
                (overlap, Reason::PageSkipped),
                (order, Reason::OrderBroken),
            ] {
                if outcome == CheckOutcome::Failed {
                    reasons.push(reason);
                }
            }
        } else {
            let swept = self.sweep().await?;
            unproven = !swept.agreed && !failed && swept.never_stable;
            if !swept.agreed && !unproven {
                reasons.push(if swept.unreadable.is_empty() {
                    Reason::StillMoving
                } else {
                    Reason::RecordsUnreadable
                });
            }
            ids = swept.unreadable;
            let outcome = if swept.agreed { CheckOutcome::Held } else { CheckOutcome::Failed };
            checks.push(Check::new(
                Rule::SweepAgrees,
                outcome,
                format!("{} sweeps of ids; {} records were found by them", swept.sweeps, swept.found),
            ));
        }
        Ok((reasons, ids, unproven))
    }

    /// Lists the ids, reads those that were not delivered, and lists again until nothing new shows.
    async fn sweep(&mut self) -> Result<Swept> {
        let mut swept = Swept::default();
        while swept.sweeps < self.pull.max_sweeps {
            swept.sweeps += 1;
            let walked = self.walk_ids().await?;
            let listed: BTreeSet<u64> = walked.ids.iter().copied().collect();
            let new: Vec<ExternalId> =
                walked.named.iter().filter(|id| !self.seen.contains(&number(id))).cloned().collect();
            let stable = walked.is_stable();
            swept.never_stable &= !stable;
            if new.is_empty() && stable {
                swept.agreed = true;
                let gone = self.seen.iter().filter(|id| !listed.contains(id)).copied();
                swept.gone = gone.take(MAX_NAMED_IDS).collect();
                return Ok(swept);
            }
            for ids in new.chunks(IDS_A_REQUEST) {
                let request = PullRequest::by_ids(self.pull.entity, ids.to_vec(), Purpose::Catalogue);
                let mut pages = Pages::new(self.pull, request);
                while let Some((page, _)) = pages.next(&self.pull.cancel).await? {
                    let before = self.seen.len();
                    self.deliver(&page, false).await?;
                    swept.found += self.seen.len() - before;
                }
            }
        }
        Ok(swept)
    }

    async fn walk_ids(&mut self) -> Result<Walked> {
        let request = PullRequest { detail: Detail::IdsOnly, ..PullRequest::all(self.pull.entity) };
        let mut pages = Pages::new(self.pull, request);
        let mut walked = Walked::default();
        let mut known = HashSet::new();
        let mut last: Option<ExternalId> = None;
        while let Some((page, _)) = pages.next(&self.pull.cancel).await? {
            self.to = page.server_time.or(self.to);
            if let Total::Exact(total) = page.total {
                walked.totals.0.get_or_insert(total);
                walked.totals.1 = Some(total);
            }
            for items in &page.items {
                let records = self.schema.map(items, self.profile)?.records;
                if self.capabilities.pages_overlap
                    && last.is_some()
                    && records.first().map(|record| &record.reference().id) != last.as_ref()
                {
                    walked.overlap_broken = true;
                }
                last = records.last().map(|record| record.reference().id.clone()).or(last);
                for record in records {
                    let id = &record.reference().id;
                    if known.insert(number(id)) {
                        walked.ids.push(number(id));
                        if !self.seen.contains(&number(id)) {
                            walked.named.push(id.clone());
                        }
                    }
                }
            }
        }
        Ok(walked)
    }

    async fn certify(
        mut self,
        mut checks: Vec<Check>,
        mut reasons: Vec<Reason>,
        mut ids: Vec<ExternalId>,
        unproven: bool,
    ) -> Result<Certificate> {
        let rejected = self.checkpoint.rejected;
        let mapped = if rejected == 0 { CheckOutcome::Held } else { CheckOutcome::Failed };
        checks.push(Check::new(Rule::EveryRecordMapped, mapped, format!("{rejected} rejected")));
        if rejected > 0 {
            reasons.push(Reason::RecordsRejected);
            ids.extend(self.checkpoint.rejected_ids.iter().cloned());
            ids.truncate(MAX_NAMED_IDS);
        }
        let verdict = match (reasons.is_empty(), unproven) {
            (false, _) => Verdict::Incomplete { reasons, ids },
            (true, true) => Verdict::Unproven,
            (true, false) => Verdict::Complete,
        };
        let next_since = match self.capabilities.delta {
            DeltaClock::None => None,
            DeltaClock::CanLie | DeltaClock::Trusted => {
                let stamp = match (self.checkpoint.from, self.checkpoint.watermark) {
                    (Some(from), Some(watermark)) => Some(from.min(watermark)),
                    (from, None) => from,
                    (None, watermark) => watermark,
                };
                stamp.map(|stamp| stamp.saturating_sub(self.capabilities.overlap))
            }
        };
        let certificate = Certificate {
            scope: Scope::new(self.store.clone(), self.pull.entity, self.pull.select.clone()),
            from: self.checkpoint.from,
            to: self.to.or(self.checkpoint.from),
            records: (self.seen.len() as u64).saturating_sub(rejected),
            rejected,
            dropped_fields: self.checkpoint.dropped_fields,
            missing: Vec::new(),
            delivery: self.sink.delivery(),
            next_since,
            checks,
            verdict,
        };
        self.checkpoint.certificate = serde_json::to_string(&certificate).ok().map(Into::into);
        let op = self.checkpoint_op(Vec::new());
        self.pull.state.commit(self.store, Unit::new(vec![op])).await?;
        Ok(certificate)
    }
}

/// What the sweeps of a run came to.
#[derive(Debug)]
struct Swept {
    agreed: bool,
    sweeps: u32,
    found: usize,
    /// Whether no sweep was in itself proof of the whole list.
    never_stable: bool,
    unreadable: Vec<ExternalId>,
    gone: Vec<u64>,
}

impl Default for Swept {
    fn default() -> Self {
        Self {
            agreed: false,
            sweeps: 0,
            found: 0,
            never_stable: true,
            unreadable: Vec::new(),
            gone: Vec::new(),
        }
    }
}

/// A number for an id: itself where it is one, else a hash of 64 bits.
fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or_else(|_| XxHash3_64::oneshot(id.as_str().as_bytes()))
}

type Fetch<'p> = std::pin::Pin<Box<dyn Future<Output = Result<Page>> + Send + 'p>>;

/// The pages of a request in order, with as many in flight as the platform lets be known ahead.
struct Pages<'p> {
    pull: &'p Pull,
    request: PullRequest,
    started: bool,
    /// The cursors of what is in flight, oldest first.
    fetching: VecDeque<Option<Cursor>>,
    flight: FuturesOrdered<Fetch<'p>>,
    /// Cursors that are known, behind those in flight.
    known: VecDeque<Cursor>,
    /// Hashes of all cursors that were delivered: none may come twice.
    used: HashSet<u64>,
    count: u64,
}

impl<'p> Pages<'p> {
    fn new(pull: &'p Pull, request: PullRequest) -> Self {
        Self {
            pull,
            request: PullRequest { page_size: pull.page_size, ..request },
            started: false,
            fetching: VecDeque::new(),
            flight: FuturesOrdered::new(),
            known: VecDeque::new(),
            used: HashSet::new(),
            count: 0,
        }
    }

    fn fetch(&mut self, cursor: Option<Cursor>) {
        let request = self.request.at(cursor.clone());
        let connector = Arc::clone(&self.pull.connector);
        self.fetching.push_back(cursor);
        self.flight.push_back(Box::pin(async move { connector.pull_page(&request).await }));
    }

    /// The next page, with the cursor behind it.
    async fn next(&mut self, cancel: &Cancel) -> Result<Option<(Page, Option<Cursor>)>> {
        if !self.started {
            self.started = true;
            self.fetch(self.request.cursor.clone());
        }
        if self.fetching.is_empty() {
            return Ok(None);
        }
        let page = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancel.error()),
            page = self.flight.next() => page,
        };
        let Some(page) = page else { return Ok(None) };
        let page = page?;
        let cursor = self.fetching.pop_front().flatten();
        self.count += 1;
        let hash = |cursor: &Cursor| XxHash3_64::oneshot(cursor.as_str().as_bytes());
        if let Some(cursor) = &cursor {
            self.used.insert(hash(cursor));
        }
        let next = page.next.clone();
        if let Some(next) = &next
            && (self.used.contains(&hash(next)) || self.count > MAX_PAGES)
        {
            return Err(Error::new(
                ErrorKind::Protocol,
                "cursor_repeated",
                "a list gave the same position twice",
            )
            .with_remedy("report it: the list would never end"));
        }
        self.follow(next.as_ref(), &page.ahead);
        Ok(Some((page, next)))
    }

    /// Keeps what is in flight where it is what comes next; else drops it.
    fn follow(&mut self, next: Option<&Cursor>, ahead: &[Cursor]) {
        let Some(next) = next else {
            self.drop_flight();
            return;
        };
        let expected = self.fetching.front().map(Option::as_ref).or_else(|| self.known.front().map(Some));
        if expected.is_some_and(|cursor| cursor != Some(next)) {
            self.drop_flight();
        }
        if self.fetching.is_empty() && self.known.is_empty() {
            self.known.push_back(next.clone());
        }
        // `ahead` begins behind `next`: skip what is known already, and add the rest.
        let mut rest = ahead.iter().peekable();
        let behind = |cursor: &Cursor, pages: &Self| {
            cursor == next
                || pages.fetching.iter().any(|known| known.as_ref() == Some(cursor))
                || pages.known.contains(cursor)
        };
        while rest.next_if(|cursor| behind(cursor, self)).is_some() {}
        self.known.extend(rest.take(self.pull.in_flight.get()).cloned());
        while self.fetching.len() < self.pull.in_flight.get() {
            let Some(cursor) = self.known.pop_front() else { break };
            self.fetch(Some(cursor));
        }
    }

    fn drop_flight(&mut self) {
        self.fetching.clear();
        self.flight = FuturesOrdered::new();
        self.known.clear();
    }
}
