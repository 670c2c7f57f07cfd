//! The process ends at every step of a push by job, before and after the step had its effect; the next one finds the
//! job, waits for its end, and each change has landed once.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify_desk.rs"]
mod desk;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use desk::{Desk, Parts, changed};
use lily_connect::auth::StoredTokens;
use lily_connect::connector::{
    Answer, BulkBody, BulkJob, BulkSource, BulkState, Connector, ConnectorInfo, DeletionSource, FoundJob,
    Health, JobCut, JobPart, Known, LineAnswer, LookUp, Page, Patch, PollPlan, Prediction, PullRequest,
    PushRequest, StagedFile, StartedJob, WebhookSource, WriteJobs,
};
use lily_connect::error::{Error, ErrorKind, Result, Retry};
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{
    BaseToken, Capabilities, Cell, CellValue, Entity, FieldName, GuardKind, RecordRef, StoreKey, View,
};
use lily_connect::state::{
    Checkpoint, DeliveryDigest, Fence, Job, JobPlace, NotedHash, RowQuery, RunKey, StateStore, Unit,
    WriteJob, WriteRow,
};
use lily_connect::sync::bulk::BulkUse;
use lily_connect::sync::{
    Approvals, Conflict, JobSettings, Plan, Push, PushSettings, Receipt, ReceiptOutcome, UndoOutcome,
};
use lily_connect::testkit::shopify::Owner;
use lily_connect::time::{Clock, Timestamp};
use serde_json::{Value, json};

const TEXT: &str = "single_line_text_field";
const PRODUCTS: usize = 4;

/// A process that ends at its `left`th step.
#[derive(Debug)]
struct Life {
    left: AtomicI64,
    /// Whether that step has its effect.
    after: bool,
    ended: AtomicBool,
    /// The steps so far, by name.
    steps: Mutex<Vec<&'static str>>,
}

fn crashed() -> Error {
    Error::new(ErrorKind::State, "crashed", "the process ended here").with_retry(Retry::Never)
}

impl Life {
    async fn step<T>(&self, name: &'static str, effect: impl Future<Output = Result<T>> + Send) -> Result<T> {
        if self.ended.load(Ordering::Relaxed) {
            return Err(crashed());
        }
        let ends = self.left.fetch_sub(1, Ordering::Relaxed) == 1;
        self.steps.lock().unwrap().push(name);
        if ends {
            self.ended.store(true, Ordering::Relaxed);
            if !self.after {
                return Err(crashed());
            }
        }
        let outcome = effect.await;
        if ends { Err(crashed()) } else { outcome }
    }
}

#[derive(Debug)]
struct Mortal<T: ?Sized> {
    life: Arc<Life>,
    inner: Arc<T>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateStore for Mortal<dyn StateStore> {
    async fn commit(&self, store: &StoreKey, unit: Unit) -> Result<()> {
        assert!(unit.fence.is_some(), "another writer may have come between: {unit:?}");
        self.life.step("commit", self.inner.commit(store, unit)).await
    }
    async fn checkpoint(&self, store: &StoreKey, run: &RunKey) -> Result<Option<Checkpoint>> {
        self.inner.checkpoint(store, run).await
    }
    async fn delivered(&self, store: &StoreKey, run: &RunKey) -> Result<Vec<u64>> {
        self.inner.delivered(store, run).await
    }
    async fn rows(&self, store: &StoreKey, query: &RowQuery) -> Result<Vec<WriteRow>> {
        self.inner.rows(store, query).await
    }
    async fn write_jobs(&self, store: &StoreKey) -> Result<Vec<WriteJob>> {
        self.inner.write_jobs(store).await
    }
    async fn base_value(&self, store: &StoreKey, token: &BaseToken) -> Result<Option<CellValue>> {
        self.inner.base_value(store, token).await
    }
    async fn seen(&self, store: &StoreKey, delivery: &DeliveryDigest) -> Result<bool> {
        self.inner.seen(store, delivery).await
    }
    async fn jobs(&self, store: &StoreKey, after: Option<JobPlace>, most: NonZeroU32) -> Result<Vec<Job>> {
        self.inner.jobs(store, after, most).await
    }
    async fn noted_hash(&self, store: &StoreKey, record: &RecordRef) -> Result<Option<NotedHash>> {
        self.inner.noted_hash(store, record).await
    }
    async fn tokens(&self, store: &StoreKey, slot: &str) -> Result<StoredTokens> {
        self.inner.tokens(store, slot).await
    }
    async fn lease(&self, store: &StoreKey, holder: &str, now: Timestamp, until: Timestamp) -> Result<Fence> {
        self.life.step("lease", self.inner.lease(store, holder, now, until)).await
    }
    async fn release(&self, store: &StoreKey, holder: &str) -> Result<()> {
        // A dead process gives nothing back.
        self.life.step("release", self.inner.release(store, holder)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for Mortal<dyn Connector> {
    fn info(&self) -> &ConnectorInfo {
        self.inner.info()
    }
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        self.inner.schema(entity)
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        self.life.step("read", self.inner.pull_page(request)).await
    }
    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.life.step("push", self.inner.push(request)).await
    }
    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.inner.look_up(names).await
    }
    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.inner.shown_by(holders).await
    }
    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        self.life.step("read", self.inner.prepare(brings)).await
    }
    fn views(&self) -> &[View] {
        self.inner.views()
    }
    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        self.inner.in_view(view)
    }
    fn origin(&self) -> Option<&dyn Connector> {
        self.inner.origin()
    }
    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        self.inner.webhooks()
    }
    fn deletions(&self) -> Option<&dyn DeletionSource> {
        self.inner.deletions()
    }
    fn bulk(&self) -> Option<&dyn BulkSource> {
        self.inner.bulk()
    }
    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        Some(self)
    }
}

impl Mortal<dyn Connector> {
    fn jobs(&self) -> &dyn WriteJobs {
        self.inner.write_jobs().unwrap()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl WriteJobs for Mortal<dyn Connector> {
    fn guard(&self, cell: &Cell, ours: &CellValue) -> Option<GuardKind> {
        self.jobs().guard(cell, ours)
    }
    fn predict(&self, records: u64) -> Prediction {
        self.jobs().predict(records)
    }
    fn max_bytes(&self) -> u64 {
        self.jobs().max_bytes()
    }
    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut> {
        self.jobs().cut(patches, max_bytes).await
    }
    async fn upload(&self, part: &JobPart, timeout: Duration) -> Result<StagedFile> {
        self.life.step("upload", self.jobs().upload(part, timeout)).await
    }
    async fn start(
        &self,
        part: &JobPart,
        file: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob> {
        self.life.step("start", self.jobs().start(part, file, tag, not_after)).await
    }
    async fn find(&self, tag: &str, since: Timestamp) -> Result<FoundJob> {
        self.life.step("find", self.jobs().find(tag, since)).await
    }
    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        self.life.step("poll", self.jobs().poll(job)).await
    }
    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        self.life.step("open", self.jobs().open(job, from)).await
    }
    fn read_line(&self, part: &JobPart, line: &[u8]) -> LineAnswer {
        self.jobs().read_line(part, line)
    }
    async fn cancel(&self, job: &BulkJob) -> Result<()> {
        self.life.step("cancel", self.jobs().cancel(job)).await
    }
    fn poll_plan(&self) -> PollPlan {
        self.jobs().poll_plan()
    }
}

async fn desk() -> (Desk, Vec<u64>) {
    let mut ids = Vec::new();
    let desk = Desk::open(|shop| {
        for number in 0..PRODUCTS {
            let id = shop.create_product(&format!("Product {number}"), |product| {
                product.tags = vec!["Old".to_owned(), "Sale".to_owned()];
            });
            for key in ["material", "care"] {
                shop.set_metafield(Owner::Product(id), "custom", key, TEXT, &format!("{key} {number}"));
            }
            ids.push(id);
        }
    })
    .await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(30));
    (desk, ids)
}

fn guarded(id: u64) -> Value {
    json!({"attributes": {"update": {"custom.material": format!("Silk {id}")}}})
}

fn every_field(id: u64) -> Value {
    json!({
        "title": format!("New {id}"), "tags": {"add": ["New"], "remove": ["old"]},
        "attributes": {"update": {"custom.material": "Silk"}, "remove": ["custom.care"]},
    })
}

fn settings(window: Option<Duration>) -> PushSettings {
    let mut settings = PushSettings::default();
    settings.jobs = JobSettings::default().when(BulkUse::Always);
    settings.jobs.unguarded_window = window;
    settings
}

/// How often each product was written to, by kind of mutation, by a line of a job or a call of its own.
fn written(desk: &Desk) -> BTreeMap<(&'static str, String), usize> {
    let mut written = BTreeMap::new();
    let calls = desk.shop().calls();
    let calls = calls.iter().filter(|call| call.mutation).map(|call| call.variables.clone());
    for text in desk.shop().bulk_lines_run().into_iter().chain(calls) {
        let it: Value = serde_json::from_str(&text).unwrap();
        let (kind, gid) = match () {
            () if it["metafields"].is_array() => {
                let kind = if it["metafields"][0].get("value").is_some() { "set" } else { "delete" };
                (kind, &it["metafields"][0]["ownerId"])
            }
            () if it["tags"].is_array() => (if it["tags"][0] == "New" { "tag" } else { "untag" }, &it["id"]),
            () if it["product"].is_object() => ("product", &it["product"]["id"]),
            () => continue,
        };
        *written.entry((kind, gid.as_str().unwrap().to_owned())).or_default() += 1;
    }
    written
}

struct Case {
    desk: Desk,
    plan: Plan,
    before: Parts,
    window: Option<Duration>,
}

impl Case {
    async fn new(wants: fn(u64) -> Value, window: Option<Duration>) -> Self {
        let (desk, ids) = desk().await;
        let pulled = desk.pulled().await;
        let enrichments: Vec<_> = ids.iter().map(|id| desk.wants(&pulled[id], &wants(*id))).collect();
        let plan = desk.plan(&enrichments).await;
        let before = desk.parts();
        desk.shop().clear_calls();
        Self { desk, plan, before, window }
    }

    /// Applies in a process that ends at a step; the steps up to there, and the receipt where it lived.
    async fn dies(&self, step: usize, after: bool) -> (Vec<&'static str>, Option<Receipt>) {
        let life = Arc::new(Life {
            left: AtomicI64::new(i64::try_from(step).unwrap_or(i64::MAX)),
            after,
            ended: AtomicBool::new(false),
            steps: Mutex::default(),
        });
        let inner: Arc<dyn Connector> = self.desk.bench.connector.clone();
        let connector = Arc::new(Mortal { life: life.clone(), inner });
        let state = Arc::new(Mortal { life: life.clone(), inner: self.desk.state.clone() });
        let push =
            Push::new(connector, state, self.desk.bench.runtime.clone()).settings(settings(self.window));
        let outcome = push.apply(&self.plan, &Approvals::AllowUnreviewed).await;
        let receipt = (!life.ended.load(Ordering::Relaxed)).then(|| outcome.unwrap());
        (std::mem::take(&mut *life.steps.lock().unwrap()), receipt)
    }

    fn push(&self) -> Push {
        let connector: Arc<dyn Connector> = self.desk.bench.connector.clone();
        let life = Life {
            left: AtomicI64::new(i64::MAX),
            after: false,
            ended: AtomicBool::new(false),
            steps: Mutex::default(),
        };
        let state = Mortal { life: Arc::new(life), inner: self.desk.state.clone() };
        Push::new(connector, Arc::new(state), self.desk.bench.runtime.clone()).settings(settings(self.window))
    }

    /// Starts anew after a while: the same plan is applied until nothing is unsettled.
    async fn lives(&self, what: &str, pause: Duration) -> Receipt {
        self.desk.bench.clock.advance(pause);
        let push = self.push();
        for _ in 0..10 {
            // Whoever died held the lease.
            match push.apply(&self.plan, &Approvals::AllowUnreviewed).await {
                Err(error) => {
                    assert_eq!(error.code(), "lease_held", "{what}: {error}");
                    assert!(push.settle().await.unwrap().is_empty(), "{what}: settled under another's lease");
                    self.desk.bench.clock.advance(Duration::from_secs(60));
                }
                Ok(receipt) => {
                    let is_open = |outcome: &ReceiptOutcome| {
                        matches!(
                            outcome,
                            ReceiptOutcome::Unknown | ReceiptOutcome::Conflict(Conflict::Unsettled)
                        )
                    };
                    if !receipt.fields.iter().any(|field| is_open(&field.outcome)) {
                        return receipt;
                    }
                    self.desk.bench.clock.advance(Duration::from_secs(120));
                }
            }
        }
        panic!("{what}: it is never settled");
    }

    fn assert_landed_once(&self, what: &str, receipt: &Receipt) {
        assert!(receipt.is_full_success(), "{what}: {receipt}");
        let written = written(&self.desk);
        let twice: Vec<_> = written.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "{what}: {twice:?}");
        let moved = changed(&self.before, &self.desk.parts());
        let fields: BTreeSet<&str> = moved.iter().map(|(_, part)| part.as_str()).collect();
        let part = "attributes custom.material";
        assert_eq!(moved.iter().filter(|(_, it)| it == part).count(), PRODUCTS, "{what}: {fields:?}");
    }
}

/// Every step but the middle ones of a row of like ones, before and after its effect, and several times until
/// somebody looks again; of many, one in `stride`, others before than after. Gives the names of the steps.
async fn crash_everywhere(
    wants: fn(u64) -> Value,
    window: Option<Duration>,
    stride: usize,
) -> BTreeSet<&'static str> {
    let whole = Case::new(wants, window).await;
    let (steps, receipt) = whole.dies(usize::MAX, false).await;
    whole.assert_landed_once("no crash", &receipt.unwrap());
    let is_middle =
        |at: usize| at > 0 && steps.get(at - 1) == steps.get(at) && steps.get(at) == steps.get(at + 1);
    let pauses = [0, 20, 100, 4000].map(Duration::from_secs);
    for after in [false, true] {
        let chosen = (1..=steps.len()).filter(|step| !is_middle(step - 1));
        for step in chosen.skip(usize::from(after) * stride / 2).step_by(stride) {
            let case = Case::new(wants, window).await;
            let (died_at, receipt) = case.dies(step, after).await;
            assert_eq!((died_at.as_slice(), receipt.is_none()), (&steps[..step], true));
            let name = steps[step - 1];
            let pause = pauses[step % pauses.len()];
            let what = format!("step {step} ({name}), {}, {pause:?}", if after { "after" } else { "before" });
            let receipt = case.lives(&what, pause).await;
            case.assert_landed_once(&what, &receipt);
            let jobs = case.desk.state.write_jobs(&case.desk.bench.connector.info().store).await.unwrap();
            assert!(jobs.is_empty(), "{what}: {jobs:?}");
            // Whoever wrote it, it comes off again.
            let pushes: BTreeSet<_> = case.pushes().await;
            for push in pushes.into_iter().rev() {
                case.desk.tick();
                let report = case.push().undo(push).await.unwrap();
                let restored = |(_, outcome): &(Cell, UndoOutcome)| *outcome == UndoOutcome::Restored;
                assert!(report.cells.iter().all(restored), "{what}: {report}");
            }
            assert_eq!(changed(&case.before, &case.desk.parts()), BTreeSet::new(), "{what}");
        }
    }
    steps.into_iter().collect()
}

impl Case {
    async fn pushes(&self) -> BTreeSet<lily_connect::state::PushId> {
        let store = &self.desk.bench.connector.info().store;
        let mut pushes = BTreeSet::new();
        for change in &self.plan.changes {
            let rows = self.desk.state.rows(store, &RowQuery::Cell(change.cell.clone())).await.unwrap();
            pushes.extend(rows.iter().filter(|row| row.outcome.landed_at().is_some()).map(|row| row.push));
        }
        pushes
    }
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_and_writes_nothing_twice() {
    let steps = crash_everywhere(guarded, None, 1).await;
    let all = ["commit", "lease", "open", "poll", "read", "release", "start", "upload"];
    assert_eq!(steps, all.into_iter().collect(), "every step was one to crash at");
}

#[tokio::test]
async fn a_crash_between_the_jobs_of_a_record_loses_nothing_and_writes_nothing_twice() {
    crash_everywhere(every_field, Some(Duration::from_secs(3600)), 6).await;
}

#[tokio::test]
async fn while_an_orphaned_job_runs_its_records_take_no_write_and_are_not_settled() {
    let whole = Case::new(guarded, None).await;
    let (steps, _) = whole.dies(usize::MAX, true).await;
    let start = steps.iter().position(|step| *step == "start").unwrap() + 1;
    let died = Case::new(guarded, None).await;
    died.desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(3600));
    // Right after the start: its id was never kept.
    assert_eq!(died.dies(start, true).await.0.last(), Some(&"start"));
    let (desk, store) = (&died.desk, died.desk.bench.connector.info().store.clone());
    desk.bench.clock.advance(Duration::from_secs(1200));
    let push = died.push();
    assert!(push.settle().await.unwrap().is_empty(), "a third of its lines has run");
    let jobs = desk.state.write_jobs(&store).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert!(jobs[0].job.is_some(), "it was found by its name: {jobs:?}");
    let open = desk.state.rows(&store, &RowQuery::Unsettled).await.unwrap();
    assert_eq!(open.len(), PRODUCTS);
    // Another plan for the same records, such as of their titles.
    let pulled = desk.pulled().await;
    let title = |id: &u64| desk.wants(&pulled[id], &json!({"title": "Another"}));
    let ids: Vec<u64> = pulled.keys().copied().collect();
    let enrichments: Vec<_> = ids.iter().map(title).collect();
    let other = desk.plan(&enrichments).await;
    let mut waits_not = settings(None);
    (waits_not.jobs, waits_not.wait_for_unknown) = (JobSettings::default(), false);
    let connector: Arc<dyn Connector> = desk.bench.connector.clone();
    let hasty = Push::new(connector, desk.state.clone(), desk.bench.runtime.clone()).settings(waits_not);
    let receipt = hasty.apply(&other, &Approvals::AllowUnreviewed).await.unwrap();
    let unsettled = ReceiptOutcome::Conflict(Conflict::Unsettled);
    assert!(receipt.fields.iter().all(|field| field.outcome == unsettled), "{receipt}");
    // A plan of more records than the job has waits for a while, and goes on with those that it does not have.
    let free = desk.shop().create_product("Free", |_| {});
    let pulled = desk.pulled().await;
    let more: Vec<_> =
        pulled.keys().map(|id| desk.wants(&pulled[id], &json!({"title": "Another"}))).collect();
    let more = desk.plan(&more).await;
    let began = desk.bench.clock.elapsed();
    let receipt = push.apply(&more, &Approvals::AllowUnreviewed).await.unwrap();
    let waited = desk.bench.clock.elapsed().saturating_sub(began);
    assert!((600..700).contains(&waited.as_secs()), "{waited:?}");
    for (change, field) in more.changes.iter().zip(&receipt.fields) {
        let is_free = change.cell.holder.id.as_str() == free.to_string();
        let expected = if is_free { &ReceiptOutcome::Applied } else { &unsettled };
        assert_eq!(field.outcome, *expected, "{receipt}");
    }
    // The same plan, where it is told to, waits for the end, and finds all of it.
    let mut patient = settings(None);
    patient.jobs.wait_for_earlier = Duration::from_secs(7200);
    let began = desk.bench.clock.elapsed();
    let receipt = push.settings(patient).apply(&died.plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(desk.bench.clock.elapsed().saturating_sub(began) > Duration::from_secs(1000));
    died.assert_landed_once("an orphan", &receipt);
    assert!(desk.state.write_jobs(&store).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_orphaned_job_is_ended_where_its_window_is_over() {
    let window = Some(Duration::from_secs(1000));
    let whole = Case::new(every_field, window).await;
    let (steps, _) = whole.dies(usize::MAX, true).await;
    let start = steps.iter().position(|step| *step == "start").unwrap() + 1;
    let died = Case::new(every_field, window).await;
    died.desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(3600));
    assert_eq!(died.dies(start, true).await.0.last(), Some(&"start"));
    let push = died.push();
    // The lease of the process that died has lapsed by then.
    let cancelled = || died.desk.shop().count_calls("bulkOperationCancel");
    died.desk.bench.clock.advance(Duration::from_secs(900));
    let _ = push.settle().await.unwrap();
    assert_eq!(cancelled(), 0, "it is within its window");
    died.desk.bench.clock.advance(Duration::from_secs(200));
    let _ = push.settle().await.unwrap();
    assert_eq!(cancelled(), 1);
}
