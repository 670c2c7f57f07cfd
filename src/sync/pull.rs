//! Pull: pages to records to a sink, with a checkpoint behind every page and a certificate at the end.

use std::collections::HashSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::bulk::BulkSettings;
use super::certificate::{Certificate, Reason};
use super::deleted::Missed;
use super::pages::Pages;
use super::unclocked::{self, Prints};
use super::{Cancel, Sink};
use crate::connector::{BulkJob, BulkSource, Connector, Page, PullRequest, Select, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{MappedPage, SchemaMap};
use crate::model::{Entity, EntityCapabilities, ExternalId, Record, StoreKey};
use crate::state::{BulkStage, Checkpoint, Op, RunKey, SinkMark, StateStore, Unit};
use crate::time::{Clock, Days, SystemClock, Timestamp};

/// The most ids that a certificate or checkpoint names.
pub(super) const MAX_NAMED_IDS: usize = 100;

/// A pull of one kind of record from one store.
///
/// It is resumed where it ended when it is run again with the same request against the same state and sink.
/// A run that has ended answers with its certificate until it is forgotten ([`Pull::forget`]).
#[derive(Debug, Clone)]
pub struct Pull {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) entity: Entity,
    pub(super) select: Select,
    pub(super) in_flight: NonZeroUsize,
    pub(super) page_size: Option<NonZeroU32>,
    pub(super) max_sweeps: u32,
    pub(super) keep_base: bool,
    pub(super) unclocked: bool,
    pub(super) bulk: BulkSettings,
    /// What jobs are waited for by.
    pub(super) clock: Arc<dyn Clock>,
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
        let clock = connector.bulk().map_or_else(|| Arc::new(SystemClock::default()) as _, BulkSource::clock);
        Self {
            clock,
            connector,
            state,
            entity,
            select: Select::All,
            in_flight: NonZeroUsize::MIN.saturating_add(1),
            page_size: None,
            max_sweeps: 3,
            keep_base: false,
            unclocked: true,
            bulk: BulkSettings::default(),
            cancel: Cancel::default(),
        }
    }

    /// Pulls only what changed since a time of the platform's clock.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.select = Select::Since(since);
        self
    }

    /// Pulls the records of a range of days, of a kind that is kept by day.
    #[must_use]
    pub fn window(mut self, days: Days) -> Self {
        self.select = Select::Window(days);
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

    /// Sets whether what moves no clock is compared, too (default true): a full pull then keeps a print of the
    /// fields that the capabilities name (`unclocked`), and the sweep behind a delta lists these fields instead of
    /// ids alone, and reads again what differs. Without it, such changes show in a full pull only.
    #[must_use]
    pub fn unclocked(mut self, compared: bool) -> Self {
        self.unclocked = compared;
        self
    }

    /// Sets when the list is read by a bulk job, and its bounds (default: where the connector has such jobs, and
    /// predicts that paging is long).
    #[must_use]
    pub fn bulk(mut self, settings: BulkSettings) -> Self {
        if let Some(clock) = &settings.clock {
            self.clock = Arc::clone(clock);
        }
        self.bulk = settings;
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
        let request = PullRequest { select: self.select.clone(), ..PullRequest::all(self.entity) };
        let capabilities = request.must_be_claimed(self.connector.capabilities())?;
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
                fresh = !checkpoint.pages_done && checkpoint.next.is_none() && checkpoint.bulk.is_none();
                checkpoint
            }
            Some(other) => {
                go_back(sink, other.opened).await?;
                self.end_job_of(&other).await;
                Checkpoint::new(run.clone(), binding, other.opened)
            }
            None => Checkpoint::new(run.clone(), binding, sink.mark().await?),
        };
        let delivered = if fresh { Vec::new() } else { self.state.delivered(&info.store, &run).await? };
        let seen: HashSet<u64> = delivered.into_iter().collect();
        let mut work = Work {
            pull: self,
            store: &info.store,
            schema,
            capabilities,
            sink,
            progress,
            listed: if matches!(self.select, Select::All) { HashSet::new() } else { seen.clone() },
            seen,
            of_full_run: HashSet::new(),
            rejected: checkpoint.rejected_ids.iter().map(number).collect(),
            checkpoint,
            to: None,
            last: None,
            largest: None,
            prints: Prints::default(),
        };
        if fresh {
            let mut ops = work.pull.forget_ops();
            ops.push(work.checkpoint_op(Vec::new()));
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
        self.state.commit(store, Unit::new(self.forget_ops())).await?;
        self.sweep_spools().await
    }

    /// Ends the job of a checkpoint that another one replaces: nobody asks about it any more, and it would keep its
    /// place among the few that a platform runs at once. What cannot be ended ends by itself.
    async fn end_job_of(&self, checkpoint: &Checkpoint) {
        let (Some(source), Some(point)) = (self.connector.bulk(), &checkpoint.bulk) else { return };
        if point.stage != BulkStage::Working {
            return;
        }
        let job = match (&point.job, &point.tag) {
            (Some(job), _) => Ok(Some(BulkJob(job.clone()))),
            (None, Some(tag)) => {
                let request = PullRequest { select: self.select.clone(), ..PullRequest::all(self.entity) };
                source.find(&request, tag).await.map(|found| found.map(|found| found.job))
            }
            (None, None) => Ok(None),
        };
        let ended = match job {
            Ok(Some(job)) => source.cancel(&job).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::warn!(code = error.code(), "a bulk job that nobody waits for was not ended");
        }
    }

    /// What forgets the run, for a unit that does more.
    #[must_use]
    pub fn forget_ops(&self) -> Vec<Op> {
        let run = self.run_key();
        // What a delta learned of the full run stays with the full run.
        let prints = matches!(self.select, Select::All).then(|| Op::ForgetRun(unclocked::run_of(&run)));
        [Op::ForgetRun(run)].into_iter().chain(prints).collect()
    }

    pub(super) fn capabilities(&self) -> Result<&EntityCapabilities> {
        self.connector.capabilities().entity(self.entity).ok_or_else(|| {
            unsupported("entity_unsupported", format!("this connector cannot pull {}", self.entity))
        })
    }

    fn run_key(&self) -> RunKey {
        self.run_key_of(&self.select)
    }

    pub(super) fn run_key_of(&self, select: &Select) -> RunKey {
        let select = serde_json::to_string(select).unwrap_or_default();
        // A view's run is its own, as a view's records are.
        let view = match &self.connector.info().view {
            Some(view) => format!("{}@", serde_json::to_string(view).unwrap_or_default()),
            None => String::new(),
        };
        RunKey(format!("{view}{}:{select}", self.entity).into())
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
        let profile = &info.profile;
        let bound = format!(
            "{:?}|{}|{:?}|{:?}|{:?}|{:?}|{}",
            info.store,
            info.api_version,
            // What mapping uses of the profile. A version that was not told this time, or a clock that was put
            // forward, makes no other records.
            (profile.currency, profile.mass_unit, profile.length_unit, &profile.locale, &profile.scope),
            // What the credential may see shows in what the connector claims, and so do its settings.
            self.connector.capabilities().entity(self.entity),
            schema.rules(),
            self.run_key(),
            self.unclocked
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
    pub(super) schema: &'a SchemaMap,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
    pub(super) checkpoint: Checkpoint,
    /// The ids that were delivered, as numbers.
    pub(super) seen: HashSet<u64>,
    /// For a delta: the ids of the pass over its list that is under way.
    pub(super) listed: HashSet<u64>,
    /// For a delta: the ids that the last full run delivered.
    pub(super) of_full_run: HashSet<u64>,
    /// Of the ids that were delivered, those whose record could not be mapped.
    pub(super) rejected: HashSet<u64>,
    pub(super) to: Option<Timestamp>,
    /// The last record of the page before, to tell an overlap that is unchanged.
    pub(super) last: Option<Record>,
    pub(super) largest: Option<u64>,
    pub(super) prints: Prints,
}

impl Work<'_> {
    async fn run(mut self) -> Result<Certificate> {
        let bulk = self.bulk().await?;
        if let Some(report) = bulk.as_ref().filter(|_| !self.is_paged()) {
            let (mut checks, mut proof) = (Vec::new(), Proof::default());
            self.prove_bulk(report, &mut checks, &mut proof).await?;
            return self.certify(bulk, checks, proof).await;
        }
        let mut passes = 0;
        loop {
            if !self.checkpoint.pages_done {
                let request =
                    PullRequest { select: self.pull.select.clone(), ..PullRequest::all(self.pull.entity) };
                self.pages(&request).await?;
            }
            passes += 1;
            // A list that slipped is mended by a sweep of its ids. A delta has none, so it is read again.
            let slipped =
                self.checkpoint.overlap_broken || self.checkpoint.order_broken || self.is_miscounted();
            if !slipped || self.is_list() || passes >= self.pull.max_sweeps {
                break;
            }
            self.start_over();
        }
        let mut checks = Vec::new();
        let mut proof = Proof::default();
        if let Some(report) = &bulk {
            self.tell_bulk(report, &mut checks);
        }
        self.closing_delta(&mut checks, &mut proof).await?;
        self.prove(&mut checks, &mut proof).await?;
        self.certify(bulk, checks, proof).await
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.pull.select, Select::All)
    }

    /// Whether a delta's last page told of another number of records than the pages brought.
    pub(super) fn is_miscounted(&self) -> bool {
        let count = self.listed.len() as u64;
        !self.is_list() && self.checkpoint.totals.1.is_some_and(|total| total != count)
    }

    /// Back to the first page; what was delivered stays delivered, and `from` stays where it was.
    fn start_over(&mut self) {
        let checkpoint = &mut self.checkpoint;
        (checkpoint.next, checkpoint.last_id, checkpoint.totals) = (None, None, (None, None));
        (checkpoint.pages_done, checkpoint.overlap_broken, checkpoint.order_broken) = (false, false, false);
        // The numbers are told of the pass that counts.
        checkpoint.measured = None;
        (self.last, self.largest) = (None, None);
        self.listed.clear();
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
            // Pages that are read ahead may be answered before the one before them.
            self.to = self.to.max(read.page.server_time);
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
}

/// What the checks of a run came to.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) reasons: Vec<Reason>,
    /// The ids to repair.
    pub(super) ids: Vec<ExternalId>,
    pub(super) unproven: bool,
    pub(super) missing: Vec<ExternalId>,
    /// Of those, the ones that the platform tells are deleted, and that are not to be read.
    pub(super) deleted: Vec<ExternalId>,
    /// What a sweep did not find any more; nothing where none agreed.
    pub(super) missed: Option<Missed>,
}

/// A number for an id: itself where it is one, else a hash of 64 bits.
pub(super) fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or_else(|_| XxHash3_64::oneshot(id.as_str().as_bytes()))
}
