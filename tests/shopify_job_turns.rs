//! What a push by job holds to at each of its turns, whatever a platform says there: by a connector that says it in
//! the place of the fake shop, or by what happens in the shop meanwhile.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify_desk.rs"]
mod desk;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use desk::Desk;
use futures_util::FutureExt;
use lily_connect::connector::{
    Answer, BulkBody, BulkJob, BulkSource, BulkState, Connector, ConnectorInfo, DeletionSource, FoundJob,
    Health, JobCut, JobPart, Known, LineAnswer, LookUp, Page, Patch, PollPlan, Prediction, PullRequest,
    PushRequest, StagedFile, StartedJob, WebhookSource, WriteJobs,
};
use lily_connect::error::{Effect, Error, ErrorKind, Result, Retry};
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{
    Capabilities, Cell, CellValue, Entity, FieldName, GuardKind, RecordRef, StoreKey, View,
};
use lily_connect::state::{RowQuery, StateStore};
use lily_connect::sync::bulk::BulkUse;
use lily_connect::sync::{
    Approvals, Cancel, Conflict, JobSettings, Plan, Push, PushSettings, Receipt, ReceiptOutcome, Rejection,
};
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::shopify::{Owner, ShopifyFake};
use lily_connect::time::{Clock, Timestamp};
use lily_connect::transport::Chunks;
use serde_json::{Value, json};

const TEXT: &str = "single_line_text_field";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is said at the nth time, from 1, in the place of the shop's own answer; nothing to have the shop say it.
type Says<T> = Box<dyn Fn(u32) -> Option<Result<T>> + Send + Sync>;

fn as_is<T>() -> Says<T> {
    Box::new(|_| None)
}

struct Turns {
    inner: Arc<dyn Connector>,
    capabilities: Capabilities,
    has_jobs: bool,
    plan: PollPlan,
    max_bytes: u64,
    guards: fn(&Cell) -> bool,
    cut: fn(&[Patch], JobCut) -> Result<JobCut>,
    start: Says<StartedJob>,
    find: Says<FoundJob>,
    poll: Says<BulkState>,
    open: Says<BulkBody>,
    cancel: Says<()>,
    /// How often each was asked.
    asked: [AtomicU32; 5],
    /// The bytes that a cut was asked for, and for how long a start may leave.
    cuts: Mutex<Vec<u64>>,
    starts: Mutex<Vec<Duration>>,
    /// Where files were opened, and when.
    opens: Mutex<Vec<(u64, Duration)>>,
    clock: Arc<FakeClock>,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turns")
    }
}

const START: usize = 0;
const FIND: usize = 1;
const POLL: usize = 2;
const OPEN: usize = 3;
const CANCEL: usize = 4;

impl Turns {
    fn new(desk: &Desk) -> Self {
        let inner: Arc<dyn Connector> = desk.bench.connector.clone();
        Self {
            capabilities: inner.capabilities().clone(),
            has_jobs: true,
            plan: inner.write_jobs().unwrap().poll_plan(),
            max_bytes: u64::MAX,
            guards: |_| true,
            cut: |_, cut| Ok(cut),
            start: as_is(),
            find: as_is(),
            poll: as_is(),
            open: as_is(),
            cancel: as_is(),
            asked: Default::default(),
            cuts: Mutex::default(),
            starts: Mutex::default(),
            opens: Mutex::default(),
            clock: desk.bench.clock.clone(),
            inner,
        }
    }

    fn jobs(&self) -> &dyn WriteJobs {
        self.inner.write_jobs().unwrap()
    }

    fn asked(&self, turn: usize) -> u32 {
        self.asked[turn].load(Ordering::Relaxed)
    }

    async fn turn<T>(
        &self,
        turn: usize,
        says: &Says<T>,
        own: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        match says(self.asked[turn].fetch_add(1, Ordering::Relaxed) + 1) {
            Some(said) => said,
            None => own.await,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for Turns {
    fn info(&self) -> &ConnectorInfo {
        self.inner.info()
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        self.inner.schema(entity)
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        self.inner.pull_page(request).await
    }
    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.inner.push(request).await
    }
    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.inner.look_up(names).await
    }
    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.inner.shown_by(holders).await
    }
    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        self.inner.prepare(brings).await
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
        self.has_jobs.then_some(self)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl WriteJobs for Turns {
    fn guard(&self, cell: &Cell, ours: &CellValue) -> Option<GuardKind> {
        self.jobs().guard(cell, ours).filter(|_| (self.guards)(cell))
    }
    fn predict(&self, records: u64) -> Prediction {
        self.jobs().predict(records)
    }
    fn max_bytes(&self) -> u64 {
        self.max_bytes
    }
    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut> {
        assert!(patches.iter().all(|patch| !patch.changes.is_empty()), "a record of which nothing is sent");
        self.cuts.lock().unwrap().push(max_bytes);
        (self.cut)(patches, self.jobs().cut(patches, max_bytes).await?)
    }
    async fn upload(&self, part: &JobPart, timeout: Duration) -> Result<StagedFile> {
        self.jobs().upload(part, timeout).await
    }
    async fn start(
        &self,
        part: &JobPart,
        file: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob> {
        self.starts.lock().unwrap().push(not_after.checked_sub(self.clock.elapsed()).unwrap());
        self.turn(START, &self.start, self.jobs().start(part, file, tag, not_after)).await
    }
    async fn find(&self, tag: &str, since: Timestamp) -> Result<FoundJob> {
        self.turn(FIND, &self.find, self.jobs().find(tag, since)).await
    }
    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        self.turn(POLL, &self.poll, self.jobs().poll(job)).await
    }
    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        self.opens.lock().unwrap().push((from, self.clock.elapsed()));
        self.turn(OPEN, &self.open, self.jobs().open(job, from)).await
    }
    fn read_line(&self, part: &JobPart, line: &[u8]) -> LineAnswer {
        self.jobs().read_line(part, line)
    }
    async fn cancel(&self, job: &BulkJob) -> Result<()> {
        self.turn(CANCEL, &self.cancel, self.jobs().cancel(job)).await
    }
    fn poll_plan(&self) -> PollPlan {
        self.plan
    }
}

/// A file of results that comes in these pieces, each after what is to be done before it; then it breaks off, or ends.
struct Pieces {
    pieces: VecDeque<Bytes>,
    breaks: bool,
    before: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pieces")
    }
}

#[async_trait]
impl Chunks for Pieces {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        (self.before)();
        match self.pieces.pop_front() {
            None if self.breaks => Err(error(ErrorKind::Unavailable, Retry::Later)),
            piece => Ok(piece),
        }
    }
}

fn body(from: usize, whole: Option<usize>, pieces: &[&str], breaks: bool) -> BulkBody {
    let pieces = pieces.iter().map(|piece| Bytes::from((*piece).to_owned())).collect();
    let chunks = Pieces { pieces, breaks, before: Arc::new(|| {}) };
    BulkBody::new(from as u64, whole.map(|whole| whole as u64), chunks)
}

fn error(kind: ErrorKind, retry: Retry) -> Error {
    Error::new(kind, "said_by_a_test", "a test says so").with_retry(retry)
}

async fn desk(products: usize) -> (Desk, Vec<u64>) {
    let mut ids = Vec::new();
    let desk = Desk::open(|shop| {
        for number in 0..products {
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
    (desk, ids)
}

fn always() -> JobSettings {
    JobSettings::default().when(BulkUse::Always)
}

fn within(seconds: u64) -> JobSettings {
    always().unguarded_window(Duration::from_secs(seconds))
}

fn settings(jobs: JobSettings) -> PushSettings {
    let mut settings = PushSettings::default();
    settings.jobs = jobs;
    settings
}

/// Settings of a push that waits for no lost answer.
fn hasty(jobs: JobSettings) -> PushSettings {
    let mut settings = settings(jobs);
    settings.wait_for_unknown = false;
    settings
}

fn pusher(desk: &Desk, settings: PushSettings) -> Push {
    desk.push.clone().settings(settings)
}

fn through(desk: &Desk, turns: &Arc<Turns>, settings: PushSettings) -> Push {
    Push::new(turns.clone(), desk.state.clone(), desk.bench.runtime.clone()).settings(settings)
}

async fn plan_all(desk: &Desk, wants: impl Fn(u64) -> Value) -> Plan {
    let pulled = desk.pulled().await;
    let enrichments: Vec<_> = pulled.iter().map(|(id, record)| desk.wants(record, &wants(*id))).collect();
    let plan = desk.plan(&enrichments).await;
    desk.shop().clear_calls();
    plan
}

async fn apply(push: &Push, plan: &Plan) -> Receipt {
    push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap()
}

fn silk(id: u64) -> Value {
    json!({"attributes": {"update": {"custom.material": format!("Silk {id}")}}})
}

fn title(id: u64) -> Value {
    json!({"title": format!("New {id}")})
}

/// A title, tags to take out and to add, and metafields to set and to delete: five jobs.
fn every_field(id: u64) -> Value {
    json!({
        "title": format!("New {id}"), "tags": {"add": ["New"], "remove": ["old"]},
        "attributes": {"update": {"custom.material": "Silk"}, "remove": ["custom.care"]},
    })
}

fn calls(desk: &Desk, name: &str) -> usize {
    desk.shop().count_calls(name)
}

fn job_starts(desk: &Desk) -> usize {
    calls(desk, "bulkOperationRunMutation")
}

fn is_upload(request: &Request) -> bool {
    request.path.starts_with("/staged-uploads/")
}

fn store(desk: &Desk) -> StoreKey {
    desk.bench.connector.info().store.clone()
}

async fn jobs_in_state(desk: &Desk) -> usize {
    desk.state.write_jobs(&store(desk)).await.unwrap().len()
}

/// Another writer asks for the lease; the code of its refusal.
fn asks_for_lease(state: &dyn StateStore, store: &StoreKey, clock: &FakeClock) -> Option<String> {
    let until = clock.now().saturating_add(Duration::from_secs(60));
    let lease = state.lease(store, "another", clock.now(), until).now_or_never().unwrap();
    lease.err().map(|error| error.code().to_owned())
}

fn not_sent(code: &str) -> ReceiptOutcome {
    ReceiptOutcome::Rejected(Rejection::NotSent { code: code.to_owned() })
}

fn outcomes(receipt: &Receipt) -> Vec<&ReceiptOutcome> {
    receipt.fields.iter().map(|field| &field.outcome).collect()
}

/// The outcomes of a plan's changes of a record, by field and key.
fn of_record<'r>(plan: &Plan, receipt: &'r Receipt, id: u64) -> Vec<(String, &'r ReceiptOutcome)> {
    let changes = plan.changes.iter().zip(&receipt.fields);
    let of_it = changes.filter(|(change, _)| change.cell.holder.id.as_str() == id.to_string());
    of_it
        .map(|(change, field)| {
            let name = format!("{} {}", change.cell.field, change.cell.key.as_deref().unwrap_or_default());
            (name.trim_end().to_owned(), &field.outcome)
        })
        .collect()
}

#[tokio::test]
async fn a_push_that_is_cancelled_begins_no_further_lot() {
    let (desk, _) = desk(6).await;
    let plan = plan_all(&desk, silk).await;
    let cancel = Cancel::default();
    let ours = cancel.clone();
    desk.shop().after_request(1, ShopifyFake::asks("BulkOperationState"), move |_| ours.cancel());
    let mut jobs = always();
    jobs.records = NonZeroU32::new(2).unwrap();
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::ZERO);
    let receipt = apply(&pusher(&desk, settings(jobs)).cancel(cancel), &plan).await;
    let reads = calls(&desk, "nodes");
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (1, 0), "{receipt}");
    assert!(reads <= 4, "{reads} reads: the other lots are not looked at");
    assert_eq!(outcomes(&receipt).iter().filter(|it| **it == &not_sent("cancelled")).count(), 4, "{receipt}");
}

#[tokio::test]
async fn a_field_of_which_one_change_goes_by_no_job_goes_alone_as_a_whole() {
    for last in ["custom.care", "custom.material"] {
        let (desk, _) = desk(3).await;
        let both = json!({"attributes": {"update": {"custom.material": "Silk", "custom.care": "Dry"}}});
        let plan = plan_all(&desk, |_| both.clone()).await;
        let mut turns = Turns::new(&desk);
        turns.guards = match last {
            "custom.care" => |cell| cell.key.as_deref() != Some("custom.care"),
            _ => |cell| cell.key.as_deref() != Some("custom.material"),
        };
        let receipt = apply(&through(&desk, &Arc::new(turns), settings(always())), &plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (0, 3), "{last}");
    }
}

#[tokio::test]
async fn where_other_writers_come_between_again_and_again_records_go_one_by_one() {
    let (desk, _) = desk(4).await;
    let plan = plan_all(&desk, silk).await;
    for nth in 1..=3 {
        let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
        desk.shop().after_request(nth, ShopifyFake::asks("nodes"), move |_| {
            clock.advance(Duration::from_secs(100));
            assert_eq!(asks_for_lease(&*state, &store, &clock), None);
            state.release(&store, "another").now_or_never().unwrap().unwrap();
        });
    }
    let receipt = apply(&pusher(&desk, settings(always())), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (0, 4));
}

#[tokio::test]
async fn records_that_cannot_be_read_are_told_with_the_reason_and_do_not_go() {
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let refused = FaultRule::new(Fault::status(403)).matching(ShopifyFake::asks("nodes"));
    desk.bench.server.faults().push(refused);
    let receipt = apply(&pusher(&desk, settings(always())), &plan).await;
    for outcome in outcomes(&receipt) {
        let ReceiptOutcome::Rejected(Rejection::NotSent { code }) = outcome else { panic!("{receipt}") };
        assert_ne!(code, "cancelled");
    }
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (0, 0));
}

#[tokio::test]
async fn the_time_of_slow_guard_reads_counts_in_the_window_and_the_first_record_ends_it() {
    // The first fifty records are read slowly, and the others behind them.
    let (desk, _) = desk(60).await;
    let plan = plan_all(&desk, title).await;
    for nth in [1, 2] {
        let clock = desk.bench.clock.clone();
        desk.shop()
            .before_request(nth, ShopifyFake::asks("nodes"), move |_| clock.advance(Duration::from_secs(25)));
    }
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(10_000));
    let began = desk.bench.clock.elapsed();
    let ended: Arc<Mutex<Option<Duration>>> = Arc::default();
    let (seen, clock) = (ended.clone(), desk.bench.clock.clone());
    desk.shop().before_request(1, ShopifyFake::asks("bulkOperationCancel"), move |_| {
        *seen.lock().unwrap() = Some(clock.elapsed().saturating_sub(began));
    });
    let receipt = apply(&pusher(&desk, hasty(within(200))), &plan).await;
    let ended = ended.lock().unwrap().unwrap();
    assert!((200..210).contains(&ended.as_secs()), "{ended:?}");
    let longest = receipt.fields.iter().filter_map(|field| field.window_ms).max().unwrap();
    assert!(longest >= 200_000, "{longest}");
}

#[tokio::test]
async fn a_window_is_for_what_the_platform_does_not_guard_only() {
    let (desk, _) = desk(4).await;
    let plan = plan_all(&desk, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(1000));
    let receipt = apply(&pusher(&desk, settings(within(100))), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((calls(&desk, "bulkOperationCancel"), calls(&desk, "metafieldsSet")), (0, 0));
    assert!(receipt.fields.iter().all(|field| field.guard == Some(GuardKind::CompareAndSet)), "{receipt}");
}

#[tokio::test]
async fn a_record_with_an_unsettled_write_goes_by_no_job() {
    let (desk, ids) = desk(3).await;
    let pulled = desk.pulled().await;
    let lost = desk.plan(&[desk.wants(&pulled[&ids[1]], &title(1))]).await;
    let plan = plan_all(&desk, silk).await;
    let rule = FaultRule::new(Fault::Reset(When::Before)).matching(ShopifyFake::asks("productUpdate"));
    desk.bench.server.faults().push(rule.times(9));
    let receipt = apply(&pusher(&desk, hasty(JobSettings::default())), &lost).await;
    assert_eq!(outcomes(&receipt), [&ReceiptOutcome::Unknown]);
    let receipt = apply(&pusher(&desk, hasty(always())), &plan).await;
    let unsettled = ReceiptOutcome::Conflict(Conflict::Unsettled);
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        let is_open = change.cell.holder.id.as_str() == ids[1].to_string();
        assert_eq!(field.outcome, if is_open { unsettled.clone() } else { ReceiptOutcome::Applied });
    }
    assert_eq!((desk.shop().bulk_lines_run().len(), calls(&desk, "metafieldsSet")), (2, 0), "{receipt}");
}

/// A shop that puts a tag of its own in the place of the last one that is taken out.
fn fills_tags(turns: &mut Turns) {
    let product = turns.capabilities.entities.iter_mut().find(|it| it.entity == Entity::Product).unwrap();
    let tags = product.writable.iter_mut().find(|it| it.field.as_str() == "tags").unwrap();
    tags.can_be_emptied = false;
}

#[tokio::test]
async fn what_would_empty_a_list_goes_by_no_job_and_is_told_once() {
    // With a job that is begun only with the second file, the records are looked at twice.
    for refused in [0, 1] {
        let (desk, ids) = desk(3).await;
        let mut turns = Turns::new(&desk);
        fills_tags(&mut turns);
        let turns = Arc::new(turns);
        let plan = plan_all(&desk, |_| json!({"tags": {"remove": ["old"]}})).await;
        desk.edit(ids[1], |product| product.tags = vec!["Old".to_owned()]);
        desk.tick();
        for _ in 0..refused {
            desk.shop().refuse_next_bulk_mutation("NO_SUCH_FILE");
        }
        let push = through(&desk, &turns, settings(within(3600)));
        let receipt = apply(&push, &plan).await;
        for (change, field) in plan.changes.iter().zip(&receipt.fields) {
            let is_last = change.cell.holder.id.as_str() == ids[1].to_string();
            let expected = if is_last { not_sent("would_empty_list") } else { ReceiptOutcome::Applied };
            assert_eq!(field.outcome, expected, "{receipt}");
        }
        assert_eq!(desk.stored(ids[1]).tags, ["Old"]);
        let rows = desk.state.rows(&store(&desk), &RowQuery::Push(receipt.push)).await.unwrap();
        let of_it = rows.iter().filter(|row| row.cell.holder.id.as_str() == ids[1].to_string()).count();
        assert_eq!(of_it, 1, "it went to be sent alone once: {rows:?}");
    }
}

/// What could not be made at a first look and can at a second one goes by that one's job, and nowhere else.
#[tokio::test]
async fn of_a_lot_that_is_looked_at_again_only_what_the_last_look_found_counts() {
    for comes in ["another writer", "a file that is missing"] {
        let (desk, ids) = desk(3).await;
        let mut turns = Turns::new(&desk);
        fills_tags(&mut turns);
        let turns = Arc::new(turns);
        let plan = plan_all(&desk, |_| json!({"tags": {"remove": ["old"]}})).await;
        desk.edit(ids[1], |product| product.tags = vec!["Old".to_owned()]);
        desk.tick();
        let (clock, late) = (desk.bench.clock.clone(), ids[1]);
        let change = move |shop: &ShopifyFake| {
            shop.edit_product(late, |product| product.tags.push("Late".to_owned()));
        };
        if comes == "another writer" {
            let (state, store) = (desk.state.clone(), store(&desk));
            desk.shop().after_request(1, ShopifyFake::asks("nodes"), move |shop| {
                clock.advance(Duration::from_secs(100));
                assert_eq!(asks_for_lease(&*state, &store, &clock), None);
                state.release(&store, "another").now_or_never().unwrap().unwrap();
                change(shop);
            });
        } else {
            desk.shop().refuse_next_bulk_mutation("NO_SUCH_FILE");
            desk.shop().after_request(1, ShopifyFake::asks("bulkOperationRunMutation"), change);
        }
        let receipt = apply(&through(&desk, &turns, settings(within(3600))), &plan).await;
        assert_eq!(outcomes(&receipt), [&ReceiptOutcome::Applied; 3], "{comes}: {receipt}");
        assert_eq!((desk.shop().bulk_lines_run().len(), calls(&desk, "tagsRemove")), (3, 0), "{comes}");
        assert_eq!(desk.stored(ids[1]).tags, ["Late"], "{comes}");
    }
}

#[tokio::test]
async fn a_cut_keeps_to_the_platforms_bound_and_what_it_leaves_or_fails_at_goes_by_no_job() {
    let (desk, ids) = desk(3).await;
    let mut turns = Turns::new(&desk);
    turns.max_bytes = 4_000;
    // What is left to others does not go, whatever lines there are of it.
    turns.cut = |_, mut cut| {
        cut.left.push(0);
        Ok(cut)
    };
    let turns = Arc::new(turns);
    let plan = plan_all(&desk, silk).await;
    let receipt = apply(&through(&desk, &turns, settings(always())), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(*turns.cuts.lock().unwrap(), [4_000]);
    assert_eq!((desk.shop().bulk_lines_run().len(), calls(&desk, "metafieldsSet")), (2, 1));

    let mut turns = Turns::new(&desk);
    turns.cut = |_, _| Err(error(ErrorKind::Unavailable, Retry::Later));
    desk.edit(ids[0], |product| product.title = "Moved".to_owned());
    let plan = plan_all(&desk, |_| json!({"attributes": {"update": {"custom.material": "Linen"}}})).await;
    let receipt = apply(&through(&desk, &Arc::new(turns), settings(always())), &plan).await;
    assert_eq!(outcomes(&receipt), [&not_sent("said_by_a_test"); 3], "{receipt}");
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (0, 0));
}

#[tokio::test]
async fn a_record_of_which_nothing_is_left_to_send_is_in_no_cut() {
    let (desk, ids) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    desk.shop().set_metafield(Owner::Product(ids[1]), "custom", "material", TEXT, "The merchant's");
    // The connector asks for a field of each patch.
    let receipt = apply(&through(&desk, &Arc::new(Turns::new(&desk)), settings(always())), &plan).await;
    assert_eq!(receipt.fields[1].outcome, ReceiptOutcome::Conflict(Conflict::PlanStale), "{receipt}");
    assert_eq!(desk.shop().bulk_lines_run().len(), 2);
}

#[tokio::test]
async fn a_part_of_which_no_line_may_go_is_no_job() {
    let (desk, ids) = desk(1).await;
    let plan = plan_all(&desk, |_| json!({"tags": {"add": ["New"], "remove": ["old"]}})).await;
    // Nobody knows what became of the tag that is taken out, so none is added.
    desk.shop().fail_next_bulk(|fault| (fault.failing_lines, fault.fails_after) = (vec![0], true));
    let receipt = apply(&pusher(&desk, settings(within(3600))), &plan).await;
    assert_eq!((job_starts(&desk), calls(&desk, "stagedUploadsCreate")), (1, 1), "{receipt}");
    assert_eq!((calls(&desk, "tagsAdd"), calls(&desk, "tagsRemove")), (0, 0), "{receipt}");
    assert_eq!(desk.stored(ids[0]).tags, ["Sale"]);
}

#[tokio::test]
async fn what_was_not_sent_since_an_earlier_line_was_refused_goes_alone() {
    let (desk, ids) = desk(4).await;
    let change = json!({"attributes": {"update": {"custom.material": "Silk"}, "remove": ["custom.care"]}});
    let plan = plan_all(&desk, |_| change.clone()).await;
    let edited = ids[2];
    desk.shop().before_request(1, ShopifyFake::asks("bulkOperationRunMutation"), move |shop| {
        shop.set_metafield(Owner::Product(edited), "custom", "material", TEXT, "The merchant's");
    });
    let receipt = apply(&pusher(&desk, settings(within(3600))), &plan).await;
    for id in ids {
        for (part, outcome) in of_record(&plan, &receipt, id) {
            let is_stale = id == edited && part == "attributes custom.material";
            let stale = ReceiptOutcome::Conflict(Conflict::PlanStale);
            assert_eq!(*outcome, if is_stale { stale } else { ReceiptOutcome::Applied }, "{receipt}");
        }
    }
    assert_eq!(calls(&desk, "metafieldsDelete"), 1, "alone, behind a guard read of its own");
}

#[tokio::test]
async fn the_lease_holds_for_as_long_as_a_file_may_take_to_go_up() {
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
    desk.shop().before_request(1, is_upload, move |_| {
        clock.advance(Duration::from_secs(250));
        assert_eq!(asks_for_lease(&*state, &store, &clock).as_deref(), Some("lease_held"));
    });
    // The intents say until when a byte of the start may leave.
    let (state, of, clock) = (desk.state.clone(), self::store(&desk), desk.bench.clock.clone());
    desk.shop().before_request(1, ShopifyFake::asks("bulkOperationRunMutation"), move |_| {
        let rows = state.rows(&of, &RowQuery::Unsettled).now_or_never().unwrap().unwrap();
        assert!(rows.len() == 3 && rows.iter().all(|row| row.send_by > clock.now()), "{rows:?}");
    });
    let receipt = apply(&pusher(&desk, settings(always())), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (1, 0));
}

#[tokio::test]
async fn what_the_platform_refused_for_its_own_fault_is_not_sent_again() {
    let (desk, ids) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let edited = ids[1];
    desk.shop().before_request(1, ShopifyFake::asks("bulkOperationRunMutation"), move |shop| {
        shop.set_metafield(Owner::Product(edited), "custom", "material", TEXT, "The merchant's");
    });
    let receipt = apply(&pusher(&desk, settings(always())), &plan).await;
    let refused = &receipt.fields[1].outcome;
    assert!(matches!(refused, ReceiptOutcome::Rejected(Rejection::Refused { .. })), "{receipt}");
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (1, 0));
}

#[tokio::test]
async fn a_file_that_took_longer_than_the_window_is_not_started() {
    let (desk, ids) = desk(3).await;
    let plan = plan_all(&desk, title).await;
    let (clock, edited) = (desk.bench.clock.clone(), ids[1]);
    desk.shop().after_request(1, is_upload, move |shop| {
        clock.advance(Duration::from_secs(150));
        shop.edit_product(edited, |product| product.title = "The merchant's".to_owned());
    });
    let receipt = apply(&pusher(&desk, settings(within(100))), &plan).await;
    let stale = ReceiptOutcome::Conflict(Conflict::PlanStale);
    assert_eq!(outcomes(&receipt), [&ReceiptOutcome::Applied, &stale, &ReceiptOutcome::Applied]);
    assert_eq!((job_starts(&desk), calls(&desk, "stagedUploadsCreate")), (1, 2), "guarded anew");
    let rows = desk.state.rows(&store(&desk), &RowQuery::Push(receipt.push)).await.unwrap();
    assert_eq!(rows.len(), 2, "nothing was intended that could not be sent: {rows:?}");
}

#[tokio::test]
async fn a_later_file_of_a_lot_that_is_not_taken_leaves_its_fields_and_the_later_jobs_to_go_alone() {
    for taken in 1..=4_usize {
        let (desk, _) = desk(3).await;
        let plan = plan_all(&desk, every_field).await;
        let refused = FaultRule::new(Fault::status(403)).matching(is_upload).after(taken as u64).times(99);
        desk.bench.server.faults().push(refused);
        let receipt = apply(&pusher(&desk, settings(within(3600))), &plan).await;
        assert!(receipt.is_full_success(), "{taken}: {receipt}");
        assert_eq!((job_starts(&desk), calls(&desk, "stagedUploadsCreate")), (taken, taken + 1));
    }
}

#[tokio::test]
async fn a_lot_whose_job_failed_has_the_rest_of_what_was_answered_go_alone() {
    for good in 1..4_usize {
        let (desk, ids) = desk(4).await;
        let plan = plan_all(&desk, every_field).await;
        for _ in 0..good {
            desk.shop().fail_next_bulk(|_| {});
        }
        desk.shop().fail_next_bulk(|fault| {
            (fault.fail_with, fault.runs_lines) = (Some("TIMEOUT".to_owned()), Some(2));
            fault.partial_lines = Some(1);
        });
        let receipt = apply(&pusher(&desk, settings(within(3600))), &plan).await;
        for (part, outcome) in of_record(&plan, &receipt, ids[0]) {
            assert_eq!(*outcome, ReceiptOutcome::Applied, "{good} {part}: {receipt}");
        }
    }
}

#[tokio::test]
async fn behind_a_start_that_is_lost_nothing_of_its_fields_goes_and_no_further_job() {
    // The tags that are taken out: those to add are a job behind it.
    for times in [1, 99] {
        let (desk, _) = desk(3).await;
        let plan = plan_all(&desk, every_field).await;
        let mut turns = Turns::new(&desk);
        turns.start = Box::new(move |nth| (nth == 2).then(|| Err(lost())));
        // It is not there, or nobody can say whether it is.
        turns.find = Box::new(move |_| (times > 1).then_some(Ok(FoundJob::Unclear)));
        let receipt = apply(&through(&desk, &Arc::new(turns), hasty(within(3600))), &plan).await;
        assert_eq!(job_starts(&desk), 1, "{receipt}");
        assert_eq!((calls(&desk, "tagsRemove"), calls(&desk, "tagsAdd")), (0, 0), "{receipt}");
        for (change, field) in plan.changes.iter().zip(&receipt.fields) {
            if change.cell.field.as_str() == "tags" {
                assert_eq!(field.outcome, ReceiptOutcome::Unknown, "{receipt}");
                assert!(field.window_ms.unwrap() > 5_000, "{field:?}");
            }
        }
        assert_eq!(jobs_in_state(&desk).await, usize::from(times > 1), "kept where it may still come");
        // Its end is nothing to the rows of the job before it, which landed.
        desk.bench.clock.advance(DAY * 2);
        let _ = desk.push.settle().await.unwrap();
        assert_eq!(jobs_in_state(&desk).await, 0);
    }
}

#[tokio::test]
async fn a_job_that_nobody_can_follow_is_the_last_of_its_lot_and_no_part_of_its_fields_goes_behind_it() {
    for is_first in [false, true] {
        let (desk, _) = desk(3).await;
        let tags = json!({"tags": {"add": ["New"], "remove": ["old"]}});
        let plan = plan_all(&desk, |id| if is_first { every_field(id) } else { tags.clone() }).await;
        let mut turns = Turns::new(&desk);
        turns.poll = Box::new(|_| Some(Err(error(ErrorKind::Forbidden, Retry::Never))));
        let receipt = apply(&through(&desk, &Arc::new(turns), hasty(within(3600))), &plan).await;
        assert_eq!((job_starts(&desk), jobs_in_state(&desk).await), (1, 1));
        assert_eq!((calls(&desk, "tagsRemove"), calls(&desk, "tagsAdd")), (0, 0), "{receipt}");
        let lost = receipt.fields.iter().filter(|field| field.outcome == ReceiptOutcome::Unknown);
        let windows: Vec<u64> = lost.filter_map(|field| field.window_ms).collect();
        assert_eq!(windows.len(), if is_first { 3 } else { 6 }, "{receipt}");
        assert!(windows.iter().all(|window| *window >= 1_000), "{receipt}");
        let known = desk.state.write_jobs(&store(&desk)).await.unwrap();
        assert!(known[0].job.is_some(), "the state has its id: {known:?}");
    }
}

#[tokio::test]
async fn a_job_that_was_ended_or_is_not_known_any_more_is_the_last_of_its_lot() {
    let states: [fn() -> BulkState; 3] = [|| BulkState::Cancelled, || BulkState::Expired, || BulkState::Gone];
    for state in states {
        let (desk, _) = desk(3).await;
        let plan = plan_all(&desk, every_field).await;
        let mut turns = Turns::new(&desk);
        turns.poll = Box::new(move |nth| (nth > 8).then(|| Ok(state())));
        let receipt = apply(&through(&desk, &Arc::new(turns), hasty(within(3600))), &plan).await;
        assert_eq!((job_starts(&desk), jobs_in_state(&desk).await), (2, 0), "{:?}: {receipt}", state());
    }
}

#[tokio::test]
async fn what_a_cancelled_job_wrote_is_told_by_its_file() {
    let (desk, _) = desk(4).await;
    let plan = plan_all(&desk, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::ZERO);
    let mut turns = Turns::new(&desk);
    turns.plan.first = Duration::from_secs(10);
    turns.poll = Box::new(|_| Some(Ok(BulkState::Cancelled)));
    let receipt = apply(&through(&desk, &Arc::new(turns), hasty(always())), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
}

#[tokio::test]
async fn a_start_keeps_to_the_window_and_to_the_time_that_a_write_may_take_to_leave() {
    for (window, most) in [(Some(10), 10), (Some(3600), 30)] {
        let (desk, _) = desk(3).await;
        let plan = plan_all(&desk, title).await;
        let turns = Arc::new(Turns::new(&desk));
        let jobs = window.map_or_else(always, within);
        apply(&through(&desk, &turns, settings(jobs)), &plan).await;
        let starts = turns.starts.lock().unwrap().clone();
        assert_eq!(starts.len(), 1);
        assert!(starts[0] <= Duration::from_secs(most) && starts[0] > Duration::ZERO, "{starts:?}");
    }
}

#[tokio::test]
async fn a_place_is_waited_for_within_the_window_and_until_the_push_is_cancelled() {
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, title).await;
    desk.shop().configure_bulk(|bulk| bulk.parallel = 0);
    let turns = Arc::new(Turns::new(&desk));
    let receipt = apply(&through(&desk, &turns, settings(within(100))), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    // Every five seconds, and not once more behind the window.
    assert!((15..=20).contains(&turns.asked(START)), "{}", turns.asked(START));
    assert_eq!(calls(&desk, "productUpdate"), 3);

    let (desk, _) = self::desk(3).await;
    let plan = plan_all(&desk, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.parallel = 0);
    let cancel = Cancel::default();
    let ours = cancel.clone();
    desk.shop().after_request(3, ShopifyFake::asks("bulkOperationRunMutation"), move |_| ours.cancel());
    let receipt = apply(&pusher(&desk, settings(always())).cancel(cancel), &plan).await;
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (3, 0), "{receipt}");
}

#[tokio::test]
async fn while_a_place_is_waited_for_the_state_says_until_when_the_start_may_leave() {
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    for _ in 0..20 {
        desk.shop().refuse_next_bulk_mutation("LIMIT_REACHED");
    }
    let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
    let is_seen = Arc::new(AtomicBool::new(false));
    let seen = is_seen.clone();
    desk.shop().before_request(15, ShopifyFake::asks("bulkOperationRunMutation"), move |_| {
        let jobs = state.write_jobs(&store).now_or_never().unwrap().unwrap();
        assert!(jobs[0].send_by >= clock.now(), "{jobs:?}");
        assert_eq!(asks_for_lease(&*state, &store, &clock).as_deref(), Some("lease_held"));
        seen.store(true, Ordering::Relaxed);
    });
    assert!(apply(&pusher(&desk, settings(always())), &plan).await.is_full_success());
    assert!(is_seen.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_start_that_may_have_been_taken_is_not_asked_again_though_there_is_no_place() {
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let mut turns = Turns::new(&desk);
    let lost = || error(ErrorKind::RateLimited, Retry::Later).with_effect(Effect::Possible);
    turns.start = Box::new(move |nth| (nth == 1).then(|| Err(lost())));
    let turns = Arc::new(turns);
    let receipt = apply(&through(&desk, &turns, hasty(always())), &plan).await;
    assert_eq!((turns.asked(START), job_starts(&desk)), (1, 0), "{receipt}");
    assert!(outcomes(&receipt).iter().all(|it| **it == ReceiptOutcome::Unknown), "{receipt}");
}

#[tokio::test]
async fn a_line_without_an_outcome_is_no_refusal_though_a_part_of_its_field_was_not_sent() {
    let (desk, ids) = desk(3).await;
    let plan = plan_all(&desk, |_| json!({"tags": {"add": ["New"], "remove": ["old"]}})).await;
    desk.shop().fail_next_bulk(|fault| (fault.failing_lines, fault.fails_after) = (vec![1], true));
    let receipt = apply(&pusher(&desk, settings(within(3600))), &plan).await;
    assert_eq!((calls(&desk, "tagsAdd"), calls(&desk, "tagsRemove")), (0, 0), "{receipt}");
    for (part, outcome) in of_record(&plan, &receipt, ids[1]) {
        let expected = match part.as_str() {
            "tags old" => ReceiptOutcome::Applied,
            _ => ReceiptOutcome::Conflict(Conflict::MaybeReverted),
        };
        assert_eq!(*outcome, expected, "{part}: {receipt}");
    }
}

#[tokio::test]
async fn the_one_record_of_a_job_is_not_sent_again() {
    let (desk, _) = desk(1).await;
    let plan = plan_all(&desk, silk).await;
    let asks = ShopifyFake::asks("bulkOperationRunMutation");
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).matching(asks));
    let receipt = apply(&pusher(&desk, settings(always())), &plan).await;
    assert_eq!(outcomes(&receipt), [&not_sent("not_landed")]);
    assert_eq!((job_starts(&desk), calls(&desk, "metafieldsSet")), (0, 0));
}

#[tokio::test]
async fn the_lease_is_held_while_many_records_are_read_and_read_back() {
    let (desk, _) = desk(160).await;
    let plan = plan_all(&desk, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(60));
    let held: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    for nth in 1..=80 {
        let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
        let seen = held.clone();
        desk.shop().before_request(nth, ShopifyFake::asks("nodes"), move |_| {
            clock.advance(Duration::from_secs(12));
            seen.lock().unwrap().push(asks_for_lease(&*state, &store, &clock));
        });
    }
    let mut jobs = always();
    // The lease that was taken for it would hold for as long.
    jobs.upload_timeout = Duration::from_secs(10);
    let receipt = apply(&pusher(&desk, settings(jobs)), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    let held = held.lock().unwrap().clone();
    assert!(held.len() > 12 && held.iter().all(|it| it.as_deref() == Some("lease_held")), "{held:?}");
}

#[tokio::test]
async fn a_lost_start_is_looked_for_until_it_could_not_come_any_more() {
    type Case = (&'static str, fn(u32) -> Option<Result<FoundJob>>, usize, bool);
    let cases: [Case; 5] = [
        ("none, for a while", |_| Some(Ok(FoundJob::None)), 0, true),
        ("it cannot be told", |_| Some(Ok(FoundJob::Unclear)), 1, true),
        ("it cannot be asked", |_| Some(Err(error(ErrorKind::Unavailable, Retry::Later))), 1, true),
        ("it may not be asked", |_| Some(Err(error(ErrorKind::Forbidden, Retry::Never))), 1, false),
        (
            "nothing at first",
            |nth| match nth {
                1 => Some(Ok(FoundJob::None)),
                2 => Some(Ok(FoundJob::Unclear)),
                3 => Some(Err(error(ErrorKind::Unavailable, Retry::Later))),
                _ => None,
            },
            0,
            false,
        ),
    ];
    for (what, says, kept, waits) in cases {
        let (desk, _) = desk(3).await;
        let plan = plan_all(&desk, silk).await;
        let mut turns = Turns::new(&desk);
        let is_there = what == "nothing at first";
        if is_there {
            let asks = ShopifyFake::asks("bulkOperationRunMutation");
            desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::After)).matching(asks));
        } else {
            turns.start = Box::new(move |_| Some(Err(lost())));
        }
        let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
        turns.find = Box::new(move |nth| {
            if nth > 4 {
                clock.advance(Duration::from_secs(15));
            }
            assert_eq!(asks_for_lease(&*state, &store, &clock).as_deref(), Some("lease_held"));
            says(nth)
        });
        let turns = Arc::new(turns);
        let began = desk.bench.clock.elapsed();
        let mut jobs = always();
        // The lease that was taken for it would hold for as long.
        jobs.upload_timeout = Duration::from_secs(10);
        let receipt = apply(&through(&desk, &turns, hasty(jobs)), &plan).await;
        let took = desk.bench.clock.elapsed().saturating_sub(began).as_secs();
        assert_eq!(took >= 90, waits, "{what}: {took} s");
        assert!(turns.asked(FIND) < 20, "{what}");
        assert_eq!(jobs_in_state(&desk).await, kept, "{what}");
        let expected = if is_there { ReceiptOutcome::Applied } else { ReceiptOutcome::Unknown };
        assert!(outcomes(&receipt).iter().all(|it| **it == expected), "{what}: {receipt}");
        assert_eq!(calls(&desk, "metafieldsSet"), 0, "{what}");
    }
}

#[tokio::test]
async fn a_job_is_given_up_at_its_limit_where_it_cannot_be_ended_or_where_it_can_only_not_be_asked_for() {
    // It runs for ever, and no job of the platform can be ended.
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let mut turns = Turns::new(&desk);
    turns.plan.run_limit = Duration::from_secs(100);
    turns.poll = Box::new(|nth| {
        assert!(nth < 100, "it is asked for ever");
        Some(Ok(BulkState::Running { objects: None }))
    });
    turns.cancel = Box::new(|_| Some(Err(error(ErrorKind::Unsupported, Retry::Never))));
    let turns = Arc::new(turns);
    let began = desk.bench.clock.elapsed();
    let receipt = apply(&through(&desk, &turns, hasty(always())), &plan).await;
    let took = desk.bench.clock.elapsed().saturating_sub(began).as_secs();
    assert!((100..110).contains(&took), "{took} s");
    assert_eq!((turns.asked(CANCEL), jobs_in_state(&desk).await), (1, 1), "{receipt}");

    // A window that is over is told to such a platform once, and the job followed to its end.
    let (desk, _) = self::desk(3).await;
    let plan = plan_all(&desk, title).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(1000));
    let mut turns = Turns::new(&desk);
    turns.cancel = Box::new(|_| Some(Err(error(ErrorKind::Unsupported, Retry::Never))));
    let turns = Arc::new(turns);
    let receipt = apply(&through(&desk, &turns, settings(within(100))), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((turns.asked(CANCEL), calls(&desk, "productUpdate")), (1, 0));

    // Faults in a row end it; those that an answer comes between do not.
    for (in_a_row, is_kept) in [(true, true), (false, false)] {
        let (desk, _) = self::desk(3).await;
        let plan = plan_all(&desk, silk).await;
        let mut turns = Turns::new(&desk);
        turns.poll = Box::new(move |nth| {
            assert!(nth < 250, "it is asked for ever");
            match nth {
                200.. => None,
                _ if in_a_row || nth % 2 == 0 => Some(Err(error(ErrorKind::Unavailable, Retry::Later))),
                _ => Some(Ok(BulkState::Running { objects: None })),
            }
        });
        let turns = Arc::new(turns);
        let receipt = apply(&through(&desk, &turns, hasty(always())), &plan).await;
        assert_eq!(jobs_in_state(&desk).await, usize::from(is_kept), "{receipt}");
        assert_eq!(turns.asked(POLL) < 70, in_a_row, "{}", turns.asked(POLL));
        assert_eq!(receipt.is_full_success(), !in_a_row, "{receipt}");
    }
}

/// The results of a job of three lines that were all accepted.
const RESULTS: &str = concat!(
    r#"{"data":{"metafieldsSet":{"metafields":[],"userErrors":[]}},"__lineNumber":0}"#,
    "\n",
    r#"{"data":{"metafieldsSet":{"metafields":[],"userErrors":[]}},"__lineNumber":1}"#,
    "\n",
    r#"{"data":{"metafieldsSet":{"metafields":[],"userErrors":[]}},"__lineNumber":2}"#,
);

/// Applies a plan whose job's results are opened so; how many lines were answered, and what was opened when.
async fn opened(open: Says<BulkBody>) -> (usize, Vec<(u64, Duration)>) {
    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let mut turns = Turns::new(&desk);
    turns.open = open;
    let turns = Arc::new(turns);
    let receipt = apply(&through(&desk, &turns, hasty(always())), &plan).await;
    let answered = outcomes(&receipt).iter().filter(|it| ***it == ReceiptOutcome::Applied).count();
    let opens = turns.opens.lock().unwrap().clone();
    (answered, opens)
}

fn offsets(opens: &[(u64, Duration)]) -> Vec<u64> {
    opens.iter().map(|(from, _)| *from).collect()
}

#[tokio::test]
async fn a_file_of_results_is_read_to_its_end_however_it_comes() {
    let all = RESULTS.len();
    // Whole, and without an end of its last line.
    let (answered, opens) = opened(Box::new(move |_| Some(Ok(body(0, Some(all), &[RESULTS], false))))).await;
    assert_eq!((answered, offsets(&opens)), (3, vec![0]));
    // Broken off, or ended before its end, then gone on with: at the place, or from the beginning.
    for (breaks, again) in [(true, true), (true, false), (false, true), (false, false)] {
        let (head, tail) = RESULTS.split_at(100);
        let (answered, opens) = opened(Box::new(move |nth| {
            Some(Ok(match (nth, again) {
                (1, _) => body(0, Some(all), &[head], breaks),
                (_, true) => body(0, Some(all), &[RESULTS], false),
                (_, false) => body(100, Some(all), &[tail], false),
            }))
        }))
        .await;
        assert_eq!((answered, offsets(&opens)), (3, vec![0, 100]), "{breaks} {again}");
        assert!(opens[1].1.saturating_sub(opens[0].1) >= Duration::from_secs(1), "{opens:?}");
    }
    // From behind the place: what is left out is not known.
    let (answered, opens) = opened(Box::new(move |nth| {
        let (head, tail) = (&RESULTS[..10], &RESULTS[RESULTS.len() - 78..]);
        Some(Ok(if nth == 1 {
            body(0, Some(all), &[head], true)
        } else {
            body(all - 78, None, &[tail], false)
        }))
    }))
    .await;
    assert_eq!((answered, offsets(&opens)), (0, vec![0, 10]));
}

#[tokio::test]
async fn a_file_of_results_that_cannot_be_had_is_given_up() {
    for kind in [ErrorKind::NotFound, ErrorKind::Rejected, ErrorKind::TooLarge] {
        let (answered, opens) = opened(Box::new(move |_| Some(Err(error(kind, Retry::Later))))).await;
        assert_eq!((answered, opens.len()), (0, 1), "{kind:?}");
    }
    let (answered, opens) = opened(Box::new(|_| Some(Err(error(ErrorKind::Forbidden, Retry::Never))))).await;
    assert_eq!((answered, opens.len()), (0, 1));
    // Six times without a byte more, and as often as there is one.
    let (answered, opens) = opened(Box::new(|nth| {
        assert!(nth < 50, "it is opened for ever");
        Some(Err(error(ErrorKind::Unavailable, Retry::Later)))
    }))
    .await;
    assert_eq!((answered, opens.len()), (0, 6));
    let all = RESULTS.len();
    let (answered, opens) = opened(Box::new(move |nth| {
        let from = (nth as usize - 1) * 20;
        let to = all.min(from + 20);
        Some(Ok(body(from, Some(all), &[&RESULTS[from..to]], to < all)))
    }))
    .await;
    assert_eq!((answered, opens.len()), (3, all.div_ceil(20)));
}

#[tokio::test]
async fn a_file_of_results_that_never_ends_is_left_and_a_slow_one_keeps_the_lease() {
    let count = Arc::new(AtomicU32::new(0));
    let seen = count.clone();
    let (answered, _) = opened(Box::new(move |_| {
        let seen = seen.clone();
        let before = Arc::new(move || {
            assert!(seen.fetch_add(1, Ordering::Relaxed) < 100_000, "it is read for ever");
        });
        let pieces = std::iter::repeat_n(Bytes::from_static(b"{}\n{}\n{}\n"), 200_000).collect();
        Some(Ok(BulkBody::new(0, None, Pieces { pieces, breaks: false, before })))
    }))
    .await;
    assert_eq!(answered, 0);
    assert!(count.load(Ordering::Relaxed) < 1_000, "{count:?}");

    let (desk, _) = desk(3).await;
    let plan = plan_all(&desk, silk).await;
    let mut turns = Turns::new(&desk);
    let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
    turns.open = Box::new(move |_| {
        let (state, store, clock) = (state.clone(), store.clone(), clock.clone());
        let before = Arc::new(move || {
            clock.advance(Duration::from_secs(30));
            assert_eq!(asks_for_lease(&*state, &store, &clock).as_deref(), Some("lease_held"));
        });
        let pieces = RESULTS.as_bytes().chunks(30).map(Bytes::from).collect();
        Some(Ok(BulkBody::new(0, None, Pieces { pieces, breaks: false, before })))
    });
    let receipt = apply(&through(&desk, &Arc::new(turns), settings(always())), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, "lost", "lost").with_effect(Effect::Possible)
}

/// A push that left a job in the state, with its id or without.
async fn left(is_named: bool, products: usize) -> (Desk, Vec<u64>) {
    let (desk, ids) = desk(products).await;
    let pulled = desk.pulled().await;
    let enrichments: Vec<_> = ids[..2].iter().map(|id| desk.wants(&pulled[id], &silk(*id))).collect();
    let plan = desk.plan(&enrichments).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = DAY);
    let mut turns = Turns::new(&desk);
    if is_named {
        turns.poll = Box::new(|_| Some(Err(error(ErrorKind::Forbidden, Retry::Never))));
    } else {
        turns.start = Box::new(|_| Some(Err(lost())));
        turns.find = Box::new(|_| Some(Ok(FoundJob::Unclear)));
    }
    apply(&through(&desk, &Arc::new(turns), hasty(always())), &plan).await;
    let jobs = desk.state.write_jobs(&store(&desk)).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].job.is_some()), (1, is_named));
    (desk, ids)
}

struct Standing {
    what: &'static str,
    is_named: bool,
    /// Since the job was noted.
    after: Duration,
    kept: Option<Duration>,
    find: fn(u32) -> Option<Result<FoundJob>>,
    poll: fn(u32) -> Option<Result<BulkState>>,
    /// Whether it stays in the state, and then whether with its id; how often it is asked to end.
    expected: (usize, Option<bool>, u32),
}

#[tokio::test]
async fn a_job_that_was_left_is_waited_for_until_it_can_write_no_more() {
    let seconds = Duration::from_secs;
    let runs = |_| Some(Ok(BulkState::Running { objects: None }));
    let fails = |_| Some(Err(error(ErrorKind::Unavailable, Retry::Later)));
    let none = |_| Some(Ok(FoundJob::None));
    let unclear = |_| Some(Ok(FoundJob::Unclear));
    let not_found = |_| Some(Err(error(ErrorKind::Unavailable, Retry::Later)));
    let found = |_| Some(Ok(FoundJob::Job(StartedJob::new("gid://shopify/BulkOperation/1", None))));
    let of = |what, is_named, after, find, poll, expected| Standing {
        what,
        is_named,
        after,
        kept: None,
        find,
        poll,
        expected,
    };
    let cases = [
        of("its start may come yet", false, seconds(115), none, runs, (1, Some(false), 0)),
        of("its start cannot come any more", false, seconds(125), none, runs, (0, None, 0)),
        of("it cannot be told", false, DAY, unclear, runs, (1, Some(false), 0)),
        of("it cannot be told for a day", false, DAY + seconds(3700), unclear, runs, (0, None, 0)),
        of("it cannot be looked for", false, DAY, not_found, runs, (1, Some(false), 0)),
        of("it cannot be looked for for a day", false, DAY + seconds(3700), not_found, runs, (0, None, 0)),
        of("found, and it runs", false, DAY, found, runs, (1, Some(true), 0)),
        of("found, and it cannot be asked for", false, DAY, found, fails, (1, Some(true), 0)),
        of("it cannot be asked for", true, DAY, none, fails, (1, Some(true), 0)),
        of("it cannot be asked for for a day", true, DAY + seconds(3700), none, fails, (0, None, 0)),
        of("it runs", true, DAY, none, runs, (1, Some(true), 0)),
        // It is asked to end, and runs until it says that it does not.
        of("it runs for more than a day", true, DAY + seconds(3700), none, runs, (1, Some(true), 1)),
        Standing {
            kept: Some(seconds(1000)),
            ..of("of a platform that ends none", true, seconds(900), none, runs, (1, Some(true), 0))
        },
        Standing {
            kept: Some(seconds(1000)),
            ..of("of one that ends none, for too long", true, seconds(1100), none, runs, (0, None, 0))
        },
        Standing {
            kept: Some(seconds(1000)),
            ..of("it cannot be told for too long", false, seconds(1100), unclear, runs, (0, None, 0))
        },
    ];
    for case in cases {
        let (desk, _) = left(case.is_named, 2).await;
        let noted = desk.state.write_jobs(&store(&desk)).await.unwrap()[0].at;
        let now = desk.bench.clock.now();
        let since = now.unix_seconds() - noted.unix_seconds();
        desk.bench.clock.advance(case.after - seconds(since.try_into().unwrap()));
        let mut turns = Turns::new(&desk);
        (turns.find, turns.poll) = (Box::new(case.find), Box::new(case.poll));
        turns.cancel = Box::new(|_| Some(Ok(())));
        turns.plan.kept = case.kept;
        let turns = Arc::new(turns);
        let push = through(&desk, &turns, settings(always()));
        assert_eq!(push.settle().await.unwrap(), [], "{}", case.what);
        let jobs = desk.state.write_jobs(&store(&desk)).await.unwrap();
        let is_named = jobs.first().map(|job| job.job.is_some());
        assert_eq!((jobs.len(), is_named, turns.asked(CANCEL)), case.expected, "{}", case.what);
        // Once it is over, its rows are read when that is sure to tell.
        desk.bench.clock.advance(seconds(100));
        let settled = push.settle().await.unwrap().len();
        assert_eq!(settled > 0, case.expected.0 == 0, "{}", case.what);
    }
}

#[tokio::test]
async fn a_job_that_nobody_can_ask_for_any_more_is_taken_for_over_in_two_days() {
    for (after, kept) in [(DAY + DAY / 2, 1), (DAY * 2 + DAY / 24, 0)] {
        let (desk, _) = left(true, 2).await;
        desk.bench.clock.advance(after);
        // The same store, through a connector that knows no jobs.
        let connector = Arc::new(Turns { has_jobs: false, ..Turns::new(&desk) });
        let push = Push::new(connector, desk.state.clone(), desk.bench.runtime.clone());
        assert_eq!(push.settle().await.unwrap(), []);
        assert_eq!(jobs_in_state(&desk).await, kept);
    }
}

#[tokio::test]
async fn a_job_that_was_left_is_waited_for_where_its_records_are_written_and_no_longer_than_need_be() {
    let runs = |_| Some(Ok(BulkState::Running { objects: None }));
    let (desk, ids) = left(true, 4).await;
    let pulled = desk.pulled().await;
    let plan_of = |at: usize| desk.wants(&pulled[&ids[at]], &title(9));
    let (own, free, lost) = (
        desk.plan(&[plan_of(0)]).await,
        desk.plan(&[plan_of(2)]).await,
        desk.plan(&[desk.wants(&pulled[&ids[3]], &silk(3))]).await,
    );
    let next = desk.plan(&[plan_of(3)]).await;
    let took = |began: Duration| desk.bench.clock.elapsed().saturating_sub(began).as_secs();
    let through_running = || {
        let mut turns = Turns::new(&desk);
        turns.poll = Box::new(runs);
        turns
    };
    // A record that the job does not write.
    let began = desk.bench.clock.elapsed();
    let push = through(&desk, &Arc::new(through_running()), settings(JobSettings::default()));
    assert!(apply(&push, &free).await.is_full_success());
    assert!(took(began) < 60, "{}", took(began));
    // One with a write that was lost, of no job.
    let rule = FaultRule::new(Fault::Reset(When::Before)).matching(ShopifyFake::asks("metafieldsSet"));
    desk.bench.server.faults().push(rule.times(9));
    apply(&through(&desk, &Arc::new(through_running()), hasty(JobSettings::default())), &lost).await;
    let began = desk.bench.clock.elapsed();
    let receipt = apply(&push, &next).await;
    assert_eq!(outcomes(&receipt), [&ReceiptOutcome::Conflict(Conflict::Unsettled)]);
    assert!(took(began) < 60, "{}", took(began));
    // One that it writes: the lease is held meanwhile.
    let mut turns = through_running();
    let (state, store, clock) = (desk.state.clone(), store(&desk), desk.bench.clock.clone());
    turns.poll = Box::new(move |nth| {
        assert_eq!(asks_for_lease(&*state, &store, &clock).as_deref(), Some("lease_held"));
        runs(nth)
    });
    let began = desk.bench.clock.elapsed();
    let push = through(&desk, &Arc::new(turns), settings(JobSettings::default()));
    let receipt = apply(&push, &own).await;
    assert_eq!(outcomes(&receipt), [&ReceiptOutcome::Conflict(Conflict::Unsettled)]);
    assert!((600..700).contains(&took(began)), "{}", took(began));
    // Until the push is cancelled.
    let mut turns = through_running();
    let cancel = Cancel::default();
    let ours = cancel.clone();
    turns.poll = Box::new(move |nth| {
        if nth == 5 {
            ours.cancel();
        }
        runs(nth)
    });
    let began = desk.bench.clock.elapsed();
    let push = through(&desk, &Arc::new(turns), settings(JobSettings::default())).cancel(cancel);
    assert_eq!(outcomes(&apply(&push, &own).await), [&not_sent("cancelled")]);
    assert!(took(began) < 60, "{}", took(began));
}
