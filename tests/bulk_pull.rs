//! Pulls by bulk job over a scripted platform: each way that a job can go, and a crash at each step.
#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::clone_on_ref_ptr,
    reason = "a test"
)]

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lily_connect::connector::{
    Branch, BulkBody, BulkDone, BulkJob, BulkSource, BulkState, Connector, ConnectorInfo, Detail, Health,
    Joints, Page, Prediction, PullRequest, Select, StartedJob, Total,
};
use lily_connect::error::{Error, ErrorKind, Result, Retry};
use lily_connect::mapping::{Direction::Read, SchemaMap, Transform, rule};
use lily_connect::model::{
    Capabilities, Cursor, Entity, EntityCapabilities, Platform, RawItems, Record, Shape, StoreKey,
    StoreProfile,
};
use lily_connect::state::{MemoryState, SinkMark, StateStore};
use lily_connect::sync::bulk::{BulkSettings, BulkUse, LineFault};
use lily_connect::sync::{
    Cancel, Certificate, CheckOutcome, Delivery, Pull, Reason, Rejected, Rule, Sink, Verdict,
};
use lily_connect::testkit::FakeClock;
use lily_connect::time::Clock;
use lily_connect::transport::Chunks;
use serde_json::json;

static BRANCHES: &[Branch] = &[Branch::new("/Image/", "/images/nodes")];
static JOINTS: Joints = Joints::new("id", "__parentId", "/Item/", BRANCHES).lists(&["/images/nodes"]);
static FLAT: Joints = Joints::new("id", "__parentId", "/Item/", &[]);

/// What one job does.
#[derive(Debug, Clone)]
struct Script {
    states: VecDeque<BulkState>,
    file: Vec<u8>,
    /// How many bytes each opened body gives before it breaks off; none left: all of it.
    breaks: VecDeque<usize>,
    /// Whether such a body ends in good order, instead of with an error.
    quietly: bool,
    gone: bool,
    /// Whether it refuses to be opened at its end.
    refuses_behind: bool,
    /// How long each piece of a body takes.
    takes: Duration,
}

#[derive(Debug, Default)]
struct Inner {
    items: u64,
    /// What the next jobs do.
    next: VecDeque<Script>,
    jobs: Vec<(String, Script)>,
    busy: u32,
    cancelled: Vec<String>,
    opened: Vec<u64>,
    paged: u64,
    ops: u64,
    /// The operation that ends us, before or after it had its effect.
    crash: Option<(u64, bool)>,
}

#[derive(Debug)]
struct Shop {
    info: ConnectorInfo,
    capabilities: Capabilities,
    schema: SchemaMap,
    inner: Mutex<Inner>,
    clock: Arc<FakeClock>,
    seeks: bool,
    flat: bool,
    finds: bool,
}

fn crashed() -> Error {
    Error::new(ErrorKind::State, "crashed", "the process ended here").with_retry(Retry::Never)
}

fn item(n: u64) -> String {
    format!("{{\"id\":\"gid://x/Item/{n}\",\"title\":\"Title {n}\"}}")
}

fn image(n: u64, k: u64) -> String {
    format!("{{\"id\":\"gid://x/Image/{}\",\"__parentId\":\"gid://x/Item/{n}\"}}", n * 100 + k)
}

/// The file of so many items: the images of ten come behind the ten.
fn file(items: u64) -> (Vec<u8>, u64) {
    let (mut text, mut objects) = (String::new(), 0);
    for ten in (0..items).step_by(10) {
        let ten: Vec<u64> = (ten..items.min(ten + 10)).collect();
        for n in &ten {
            text.push_str(&item(*n));
            text.push('\n');
        }
        for k in 0..3 {
            for n in ten.iter().filter(|n| *n % 4 >= k) {
                text.push_str(&image(*n, k));
                text.push('\n');
                objects += 1;
            }
        }
    }
    (text.into_bytes(), objects + items)
}

fn good_objects(items: u64) -> u64 {
    file(items).1
}

fn good(items: u64) -> Script {
    let (file, objects) = file(items);
    let done = BulkDone::with_data(Some(objects), Some(items), Some(file.len() as u64));
    Script {
        states: [
            BulkState::Running { objects: None },
            BulkState::Running { objects: Some(5) },
            BulkState::Done(done),
        ]
        .into(),
        file,
        breaks: VecDeque::new(),
        quietly: false,
        gone: false,
        refuses_behind: false,
        takes: Duration::ZERO,
    }
}

fn ending(state: BulkState) -> Script {
    Script { states: [state].into(), ..good(0) }
}

impl Shop {
    fn new(items: u64, next: impl IntoIterator<Item = Script>) -> Self {
        let platform = Platform::new("scripted");
        let mut entity = EntityCapabilities::new(Entity::Product, NonZeroU32::new(20).unwrap());
        (entity.counted, entity.ids_only, entity.by_ids, entity.numeric_ids) = (true, true, true, true);
        let rules = [
            rule("/id", "ref.id", Transform::LastSegment, Read),
            rule("/title", "title", Transform::Text, Read),
            rule("/images/nodes/*/id", "media[].id", Transform::LastSegment, Read),
        ];
        Self {
            info: ConnectorInfo::new(
                StoreKey::new("tenant", platform.clone(), "shop"),
                "1",
                StoreProfile::unknown(),
            ),
            capabilities: Capabilities::new(vec![entity]),
            schema: SchemaMap::compile(platform, Entity::Product, &rules).unwrap(),
            inner: Mutex::new(Inner { items, next: next.into_iter().collect(), ..Inner::default() }),
            clock: Arc::new(FakeClock::automatic()),
            seeks: true,
            flat: false,
            finds: true,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Counts an operation; where it is the one that ends us, its effect is made or not.
    fn operation<T>(&self, effect: impl FnOnce(&mut Inner) -> Result<T>) -> Result<T> {
        let mut inner = self.inner();
        inner.ops += 1;
        match inner.crash {
            Some((at, false)) if at == inner.ops => Err(crashed()),
            Some((at, true)) if at == inner.ops => effect(&mut inner).and(Err(crashed())),
            _ => effect(&mut inner),
        }
    }

    fn record(&self, n: u64, detail: Detail) -> serde_json::Value {
        let id = format!("gid://x/Item/{n}");
        if detail != Detail::Full {
            return json!({"id": id});
        }
        let image = |k: u64| json!({"id": format!("gid://x/Image/{}", n * 100 + k)});
        let images: Vec<_> = (0..3).filter(|k| n % 4 >= *k).map(image).collect();
        json!({"id": id, "title": format!("Title {n}"), "images": {"nodes": images}})
    }
}

#[async_trait]
impl Connector for Shop {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    fn schema(&self, _: Entity) -> Option<&SchemaMap> {
        Some(&self.schema)
    }
    async fn check(&self) -> Result<Health> {
        Ok(Health::default())
    }
    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        let items = self.operation(|inner| {
            inner.paged += 1;
            Ok(inner.items)
        })?;
        let mut page = Page::default();
        let ids: Vec<u64> = match &request.select {
            Select::Ids(ids) => ids.iter().map(|id| id.as_str().parse().unwrap()).collect(),
            _ => {
                let from: u64 = request.cursor.as_ref().map_or(0, |at| at.as_str().parse().unwrap());
                let to = items.min(from + 20);
                page.next = (to < items).then(|| Cursor::new(to.to_string()));
                page.total = Total::Exact(items);
                (from..to).collect()
            }
        };
        let body: serde_json::Value = ids.iter().map(|n| self.record(*n, request.detail)).collect();
        page.items = vec![RawItems::new(Entity::Product, body.to_string().into(), Shape::List)];
        page.server_time = Some(self.clock.now());
        Ok(page)
    }
    fn bulk(&self) -> Option<&dyn BulkSource> {
        Some(self)
    }
}

#[async_trait]
impl BulkSource for Shop {
    async fn predict(&self, _: &PullRequest) -> Result<Option<Prediction>> {
        let items = self.inner().items;
        Ok(Some(Prediction::new(items.div_ceil(20), None)))
    }
    async fn start(&self, _: &PullRequest, tag: &str) -> Result<StartedJob> {
        self.operation(|inner| {
            if inner.busy > 0 {
                inner.busy -= 1;
                return Err(Error::new(ErrorKind::RateLimited, "busy", "as many jobs run as may")
                    .with_retry(Retry::Later));
            }
            let script = inner.next.pop_front().unwrap();
            inner.jobs.push((tag.to_owned(), script));
            Ok(StartedJob::new(format!("job-{}", inner.jobs.len() - 1), Some(self.clock.now())))
        })
    }
    async fn find(&self, _: &PullRequest, tag: &str) -> Result<Option<StartedJob>> {
        if !self.finds {
            return Ok(None);
        }
        let found = self.inner().jobs.iter().position(|(of, _)| of == tag);
        Ok(found.map(|at| StartedJob::new(format!("job-{at}"), Some(self.clock.now()))))
    }
    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        self.operation(|inner| {
            let states = &mut inner.jobs[number(job)].1.states;
            let state = states[0].clone();
            if states.len() > 1 {
                states.pop_front();
            }
            Ok(state)
        })
    }
    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        let seeks = self.seeks;
        self.operation(|inner| {
            inner.opened.push(from);
            let script = &mut inner.jobs[number(job)].1;
            if script.gone {
                return Err(Error::new(ErrorKind::NotFound, "expired", "the address has expired"));
            }
            if script.refuses_behind && from >= script.file.len() as u64 {
                return Err(Error::new(ErrorKind::Rejected, "rejected", "the range is not there"));
            }
            let from = if seeks { from } else { 0 };
            let rest = script.file.get(from as usize..).unwrap_or_default().to_vec();
            let most = script.breaks.pop_front();
            let quietly = script.quietly;
            let whole = (!quietly).then_some(script.file.len() as u64);
            let (clock, takes) = (self.clock.clone(), script.takes);
            Ok(BulkBody::new(from, whole, Body { rest, at: 0, most, quietly, clock, takes }))
        })
    }
    async fn cancel(&self, job: &BulkJob) -> Result<()> {
        self.inner().cancelled.push(job.0.to_string());
        Ok(())
    }
    fn joints(&self, _: Entity) -> &'static Joints {
        if self.flat { &FLAT } else { &JOINTS }
    }
}

fn number(job: &BulkJob) -> usize {
    job.0.strip_prefix("job-").unwrap().parse().unwrap()
}

#[derive(Debug)]
struct Body {
    rest: Vec<u8>,
    at: usize,
    most: Option<usize>,
    quietly: bool,
    clock: Arc<FakeClock>,
    takes: Duration,
}

#[async_trait]
impl Chunks for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let end = self.rest.len().min(self.most.unwrap_or(usize::MAX));
        let piece = self.rest[self.at..end.min(self.at + 333)].to_vec();
        self.at += piece.len();
        self.clock.advance(self.takes);
        if !piece.is_empty() {
            return Ok(Some(piece.into()));
        }
        if end == self.rest.len() || self.quietly {
            return Ok(None);
        }
        Err(Error::new(ErrorKind::Unavailable, "answer_cut", "the answer broke off").with_retry(Retry::Later))
    }
}

/// A sink by key, which outlives a crash.
#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<u64, Record>,
    writes: u64,
    crash: Option<u64>,
}

#[async_trait]
impl Sink for Table {
    fn delivery(&self) -> Delivery {
        Delivery::Keyed
    }
    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.writes += 1;
        if self.crash == Some(self.writes) {
            return Err(crashed());
        }
        for record in records {
            self.rows.insert(record.reference().id.as_str().parse().unwrap(), record.clone());
        }
        Ok(())
    }
    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        panic!("{rejected:?}");
    }
    async fn mark(&mut self) -> Result<SinkMark> {
        Ok(SinkMark(self.writes))
    }
    async fn rewind(&mut self, _: SinkMark) -> Result<()> {
        Ok(())
    }
}

struct World {
    shop: Arc<Shop>,
    state: Arc<dyn StateStore>,
    settings: BulkSettings,
    table: Table,
}

impl World {
    fn new(shop: Shop) -> Self {
        let shop = Arc::new(shop);
        let mut settings = BulkSettings::with_clock(shop.clock.clone()).when(BulkUse::Always);
        (settings.join.window_bytes, settings.join.page_records) = (900, 7);
        Self { shop, state: Arc::new(MemoryState::new()), settings, table: Table::default() }
    }

    fn pull(&self) -> Pull {
        Pull::new(self.shop.clone(), self.state.clone(), Entity::Product).bulk(self.settings.clone())
    }

    async fn run(&mut self) -> Result<Certificate> {
        let pull = self.pull();
        pull.run(&mut self.table, &|_| {}).await
    }

    /// Each item with its images, whichever way it came.
    fn assert_all(&self, items: u64) {
        assert_eq!(self.table.rows.len() as u64, items);
        for (n, record) in &self.table.rows {
            let Record::Product(product) = record else { panic!("{record:?}") };
            assert_eq!(product.title.value().map(|title| title.as_ref()), Some(&*format!("Title {n}")));
            let media = product.media.value().map_or(0, Vec::len) as u64;
            assert_eq!(media, (0..3).filter(|k| n % 4 >= *k).count() as u64, "{n}");
        }
    }
}

fn outcome(certificate: &Certificate, rule: Rule) -> CheckOutcome {
    certificate.checks.iter().find(|check| check.rule == rule).unwrap().outcome
}

#[tokio::test]
async fn a_job_is_polled_downloaded_joined_and_complete() {
    for items in [0, 1, 6, 7, 8, 95] {
        let mut world = World::new(Shop::new(items, [good(items)]));
        let certificate = world.run().await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        assert_eq!(certificate.records, items);
        for rule in [Rule::BulkWhole, Rule::BulkJoined, Rule::CountAgrees] {
            assert_eq!(outcome(&certificate, rule), CheckOutcome::Held);
        }
        assert!(certificate.from.is_some());
        assert_eq!(certificate.bulk.unwrap().found.roots, Some(items));
        world.assert_all(items);
        let inner = world.shop.inner();
        assert_eq!((inner.jobs.len(), inner.paged), (1, 0), "no page was asked for");
    }
}

#[tokio::test]
async fn paging_or_a_job_is_chosen_by_what_paging_is_predicted_to_take() {
    for (items, calls, jobs) in [(40, 2, 1), (40, 3, 0), (41, 3, 1)] {
        let mut world = World::new(Shop::new(items, [good(items)]));
        world.settings.when = BulkUse::From { calls, takes: Duration::MAX };
        let certificate = world.run().await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete);
        assert_eq!(world.shop.inner().jobs.len(), jobs, "{items} in {calls}");
        assert_eq!(certificate.bulk.is_some(), jobs == 1);
        world.assert_all(items);
    }
    let mut world = World::new(Shop::new(40, [good(40)]));
    world.settings.when = BulkUse::Never;
    world.run().await.unwrap();
    assert_eq!(world.shop.inner().jobs.len(), 0);
}

#[tokio::test]
async fn polls_come_as_planned() {
    let mut script = good(5);
    for _ in 0..12 {
        script.states.push_front(BulkState::Running { objects: None });
    }
    let mut world = World::new(Shop::new(5, [script]));
    let begun = world.shop.clock.elapsed();
    world.run().await.unwrap();
    // 15 polls: ten after a second each, five after five.
    assert_eq!(world.shop.clock.elapsed() - begun, Duration::from_secs(10 + 5 * 5));
}

#[tokio::test]
async fn a_place_is_waited_for_where_as_many_jobs_run_as_may() {
    let mut world = World::new(Shop::new(5, [good(5)]));
    world.shop.inner().busy = 3;
    assert!(world.run().await.unwrap().is_complete());
    assert_eq!(world.shop.inner().jobs.len(), 1);
}

#[tokio::test]
async fn an_empty_list_has_no_file_and_is_complete() {
    let mut world = World::new(Shop::new(0, [ending(BulkState::Done(BulkDone::without_data(Some(0))))]));
    let certificate = world.run().await.unwrap();
    assert_eq!((certificate.verdict, certificate.records), (Verdict::Complete, 0));
    assert!(world.shop.inner().opened.is_empty());
    // Without a file though objects were counted, something is wrong.
    let odd = ending(BulkState::Done(BulkDone::without_data(Some(7))));
    let mut world = World::new(Shop::new(7, [odd, good(7)]));
    let certificate = world.run().await.unwrap();
    assert!(certificate.is_complete());
    assert_eq!(certificate.bulk.unwrap().failures, ["file_missing"]);
    world.assert_all(7);
}

/// A job that goes wrong in a way, and the code that it is told by.
fn troubles(items: u64) -> Vec<(&'static str, Script)> {
    let (bytes, objects) = file(items);
    let length = bytes.len() as u64;
    let said = |objects, roots, bytes| {
        let mut script = good(items);
        script.states = [BulkState::Done(BulkDone::with_data(objects, roots, bytes))].into();
        script
    };
    let mut short = good(items);
    short.file.truncate(bytes.len() / 2);
    short.quietly = true;
    let mut cut = said(None, None, None);
    cut.file.truncate(bytes.len() - 9);
    let mut gone = good(items);
    gone.gone = true;
    let mut orphan = good(items);
    orphan.file.extend_from_slice(b"{\"id\":\"gid://x/Image/9\",\"__parentId\":\"gid://x/Item/99999\"}\n");
    orphan.states = [BulkState::Done(BulkDone::with_data(Some(objects + 1), Some(items), None))].into();
    let failed = |partial| ending(BulkState::Failed { code: "TIMEOUT".into(), partial });
    vec![
        ("objects_differ", said(Some(objects + 1), Some(items), Some(length))),
        ("objects_differ", said(Some(objects - 1), None, None)),
        ("records_differ", said(Some(objects), Some(items + 1), Some(length))),
        ("file_length_differs", short),
        ("file_ends_in_a_line", cut),
        ("file_gone", gone),
        ("lines_faulty", orphan),
        ("failed_TIMEOUT", failed(false)),
        ("failed_TIMEOUT", failed(true)),
        ("expired", ending(BulkState::Expired)),
        ("cancelled", ending(BulkState::Cancelled)),
        ("gone", ending(BulkState::Gone)),
    ]
}

#[tokio::test]
async fn a_job_that_goes_wrong_is_mended_by_another_one() {
    for (code, script) in troubles(33) {
        let mut world = World::new(Shop::new(33, [script, good(33)]));
        let certificate = world.run().await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{code}");
        assert_eq!(certificate.bulk.unwrap().failures, [code]);
        world.assert_all(33);
        let inner = world.shop.inner();
        assert_eq!((inner.jobs.len(), inner.paged), (2, 0), "{code}");
    }
}

#[tokio::test]
async fn where_each_job_goes_wrong_the_list_is_read_page_by_page() {
    for (code, script) in troubles(33) {
        let mut world = World::new(Shop::new(33, [script.clone(), script]));
        let certificate = world.run().await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{code}: {certificate}");
        assert_eq!(outcome(&certificate, Rule::BulkWhole), CheckOutcome::Failed);
        assert_eq!(certificate.bulk.unwrap().failures, [code, code]);
        assert_eq!(world.shop.inner().jobs.len(), 2);
        assert!(world.shop.inner().paged >= 2);
        world.assert_all(33);
    }
}

#[tokio::test]
async fn where_nothing_may_mend_it_it_is_incomplete_with_the_range_and_a_later_pull_mends_it() {
    for (code, script) in troubles(33) {
        let mut world = World::new(Shop::new(33, [script, good(33)]));
        (world.settings.jobs, world.settings.then_page) = (1, false);
        let certificate = world.run().await.unwrap();
        let Verdict::Incomplete { reasons, .. } = &certificate.verdict else {
            panic!("{code}: {certificate}")
        };
        assert_eq!(*reasons, [Reason::BulkIncomplete], "{code}");
        let report = certificate.bulk.as_ref().unwrap();
        // As many records as the file has are no proof where the file is not whole.
        let counted = match (report.is_counted(), report.is_whole()) {
            (false, _) => CheckOutcome::NotOffered,
            (true, false) => CheckOutcome::Failed,
            (true, true) => CheckOutcome::Held,
        };
        assert_eq!(outcome(&certificate, Rule::CountAgrees), counted, "{code}: {certificate}");
        if code == "lines_faulty" {
            assert_eq!(report.issues.count(LineFault::Orphan), 1);
        } else {
            assert_eq!(report.gap.as_ref().unwrap().from, 0, "{code}: a child may stand anywhere");
        }
        // It answers with the same certificate until it is forgotten.
        assert_eq!(world.run().await.unwrap(), certificate);
        world.pull().forget().await.unwrap();
        assert_eq!(world.run().await.unwrap().verdict, Verdict::Complete, "{code}");
        world.assert_all(33);
    }
}

#[tokio::test]
async fn of_records_without_children_a_part_is_delivered_and_the_rest_swept() {
    let flat: String = (0..40).map(|n| item(n) + "\n").collect();
    let mut script = ending(BulkState::Failed { code: "TIMEOUT".into(), partial: true });
    script.file = flat.as_bytes()[..flat.len() / 2].to_vec();
    let mut shop = Shop::new(40, [script.clone(), script]);
    shop.flat = true;
    let mut world = World::new(shop);
    let certificate = world.run().await.unwrap();
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    let report = certificate.bulk.as_ref().unwrap();
    let gap = report.gap.as_ref().unwrap();
    assert!(gap.from > 15 && gap.from < 21, "{gap:?}");
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Held);
    assert_eq!(world.table.rows.len(), 40);
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_cancelled_and_started_anew() {
    let mut world = World::new(Shop::new(12, [ending(BulkState::Running { objects: Some(1) }), good(12)]));
    let certificate = world.run().await.unwrap();
    assert!(certificate.is_complete());
    assert_eq!(certificate.bulk.unwrap().failures, ["took_too_long"]);
    assert_eq!(world.shop.inner().cancelled, ["job-0"]);
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    for seeks in [true, false] {
        let mut script = good(60);
        script.breaks = [0, 1, 400, 5000, 0].into();
        let mut shop = Shop::new(60, [script]);
        shop.seeks = seeks;
        let mut world = World::new(shop);
        assert!(world.run().await.unwrap().is_complete());
        world.assert_all(60);
        let opened = world.shop.inner().opened.clone();
        assert_eq!(opened.len(), 6);
        let expected: &[u64] = if seeks { &[0, 0, 1, 401, 5401, 5401] } else { &[0, 0, 1, 400, 5000, 5000] };
        assert_eq!(opened, expected, "{seeks}");
    }
    // One that gives nothing more is an error, and the run goes on another day.
    let mut script = good(60);
    script.breaks = vec![100; 1].into_iter().chain(vec![0; 6]).collect();
    let mut world = World::new(Shop::new(60, [script]));
    assert_eq!(world.run().await.unwrap_err().code(), "answer_cut");
    assert!(world.run().await.unwrap().is_complete());
    assert_eq!(world.shop.inner().jobs.len(), 1);
}

#[tokio::test]
async fn in_a_directory_of_ones_own_a_download_outlives_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let mut script = good(60);
    script.breaks = [4000, 0, 0].into();
    let mut world = World::new(Shop::new(60, [script]));
    world.settings.directory = Some(directory.path().to_owned());
    world.settings.reopens = 1;
    world.run().await.unwrap_err();
    assert!(world.run().await.unwrap().is_complete());
    assert_eq!(*world.shop.inner().opened.last().unwrap(), 4000);
    world.assert_all(60);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_file_over_its_bound_is_refused() {
    let mut world = World::new(Shop::new(60, [good(60), good(60)]));
    world.settings.file_bytes = good(60).file.len() as u64 - 1;
    let certificate = world.run().await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.bulk.unwrap().failures, ["file_too_large"; 2]);
    assert!(world.shop.inner().opened.is_empty(), "nothing is fetched of a file that says how large it is");
    // One that does not say it is left at its bound.
    let silent = || {
        let mut script = good(60);
        script.states = [BulkState::Done(BulkDone::with_data(None, None, None))].into();
        script
    };
    let mut world = World::new(Shop::new(60, [silent(), silent()]));
    world.settings.file_bytes = good(60).file.len() as u64 - 1;
    let certificate = world.run().await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.bulk.unwrap().failures, ["file_too_large"; 2]);
    world.assert_all(60);
}

#[tokio::test]
async fn a_host_that_refuses_for_good_loses_the_job_and_its_file_and_not_the_run() {
    let directory = tempfile::tempdir().unwrap();
    // The platform says that the file is longer than it is: behind its end, the host answers 416.
    let longer = || {
        let mut script = good(60);
        let length = script.file.len() as u64 + 7;
        script.states = [BulkState::Done(BulkDone::with_data(None, None, Some(length)))].into();
        script.refuses_behind = true;
        script
    };
    let mut world = World::new(Shop::new(60, [longer(), good(60)]));
    world.settings.directory = Some(directory.path().to_owned());
    let certificate = world.run().await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.bulk.unwrap().failures, ["file_refused"]);
    world.assert_all(60);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the lost job's file is gone, too");
}

#[tokio::test]
async fn what_a_forgotten_run_or_a_lost_job_left_is_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(directory.path()).unwrap().count();
    let broken = || {
        let mut script = good(60);
        script.breaks = [4000, 0, 0].into();
        script
    };
    let mut world = World::new(Shop::new(60, [broken(), broken(), good(60)]));
    world.settings.directory = Some(directory.path().to_owned());
    world.settings.reopens = 1;
    world.run().await.unwrap_err();
    assert_eq!(left(), 1);
    world.pull().forget().await.unwrap();
    assert_eq!(left(), 0);
    world.run().await.unwrap_err();
    assert_eq!(left(), 1);
    // The platform drops the job between two runs.
    world.shop.inner().jobs[1].1.states = [BulkState::Gone].into();
    assert!(world.run().await.unwrap().is_complete());
    assert_eq!(left(), 0);
}

#[tokio::test]
async fn a_file_that_is_not_counted_proves_no_children() {
    let (held, not_offered) = (CheckOutcome::Held, CheckOutcome::NotOffered);
    for (flat, ids_only, sweep, verdict) in [
        (false, true, held, Verdict::Unproven),
        (false, false, not_offered, Verdict::Unproven),
        (true, true, held, Verdict::Complete),
        (true, false, not_offered, Verdict::Unproven),
    ] {
        let mut script = good(33);
        if flat {
            script.file = (0..33).map(|n| item(n) + "\n").collect::<String>().into_bytes();
        }
        let length = script.file.len() as u64;
        script.states = [BulkState::Done(BulkDone::with_data(None, None, Some(length)))].into();
        let mut shop = Shop::new(33, [script]);
        (shop.flat, shop.capabilities.entities[0].ids_only) = (flat, ids_only);
        let mut world = World::new(shop);
        let certificate = world.run().await.unwrap();
        assert_eq!(outcome(&certificate, Rule::SweepAgrees), sweep, "{certificate}");
        assert_eq!(certificate.verdict, verdict, "{flat} {ids_only}: {certificate}");
    }
}

#[tokio::test]
async fn lines_with_faults_are_mended_by_pages_where_they_may_be() {
    for then_page in [true, false] {
        let mut script = good(40);
        let text = String::from_utf8(script.file).unwrap();
        script.file = text.replace("Title 3\"", &format!("Title {}\"", "3".repeat(300))).into_bytes();
        let done = BulkDone::with_data(Some(good_objects(40)), Some(40), Some(script.file.len() as u64));
        script.states = [BulkState::Done(done)].into();
        let mut world = World::new(Shop::new(40, [script]));
        world.settings.then_page = then_page;
        // Only when the record is put together it shows that it is too long.
        world.settings.join.record_bytes = 280;
        let certificate = world.run().await.unwrap();
        assert_eq!(certificate.bulk.as_ref().unwrap().issues.count(LineFault::TooLong), 1);
        assert_eq!(certificate.is_complete(), then_page, "{certificate}");
        assert_eq!(world.shop.inner().paged > 0, then_page);
        assert_eq!(world.table.rows.contains_key(&3), then_page);
    }
}

#[tokio::test]
async fn a_download_that_cannot_be_a_part_of_the_file_begins_anew() {
    let items = 60;
    let not_told = BulkDone::with_data(Some(good_objects(items)), Some(items), None);
    let mut silent = good(items);
    silent.states = [BulkState::Done(not_told)].into();
    // Whether what is here is all of a file without a length, and a file that is shorter than what is here.
    for (first, later, items) in [(silent.clone(), silent, items), (good(items), good(10), 10)] {
        let directory = tempfile::tempdir().unwrap();
        let mut script = first;
        script.breaks = [4000, 0, 0].into();
        let mut world = World::new(Shop::new(items, [script]));
        world.settings.directory = Some(directory.path().to_owned());
        world.settings.reopens = 1;
        world.run().await.unwrap_err();
        world.shop.inner().jobs[0].1 = later;
        let certificate = world.run().await.unwrap();
        assert!(certificate.is_complete(), "{certificate}");
        assert_eq!(world.shop.inner().opened, [0, 4000, 4000, 0]);
        world.assert_all(items);
    }
}

#[tokio::test]
async fn a_record_over_its_bound_is_not_forgotten_by_a_run_that_goes_on() {
    let mut pages = 0;
    for crash in [None].into_iter().chain((1..6).map(Some)) {
        let mut script = good(40);
        let text = String::from_utf8(script.file).unwrap();
        script.file = text.replace("Title 3\"", &format!("Title {}\"", "3".repeat(300))).into_bytes();
        let done = BulkDone::with_data(Some(good_objects(40)), Some(40), Some(script.file.len() as u64));
        script.states = [BulkState::Done(done)].into();
        let mut world = World::new(Shop::new(40, [script]));
        (world.settings.jobs, world.settings.then_page) = (1, false);
        world.settings.join.record_bytes = 280;
        world.table.crash = crash;
        if crash.is_some() {
            world.run().await.unwrap_err();
        }
        let certificate = world.run().await.unwrap();
        let report = certificate.bulk.as_ref().unwrap();
        assert_eq!(report.issues.count(LineFault::TooLong), 1, "{crash:?}");
        assert_eq!(outcome(&certificate, Rule::BulkJoined), CheckOutcome::Failed, "{crash:?}");
        assert!(!certificate.is_complete(), "{crash:?}: {certificate}");
        pages = world.table.writes;
    }
    assert!(pages >= 5, "{pages}");
}

#[tokio::test]
async fn a_crash_at_any_step_is_gone_on_from_with_the_same_job() {
    let mut steps = 0;
    for after in [false, true] {
        for at in 1.. {
            let mut world = World::new(Shop::new(45, [good(45)]));
            world.shop.inner().crash = Some((at, after));
            let ended = world.run().await;
            if ended.is_ok() {
                break;
            }
            steps += 1;
            let certificate = world.run().await.unwrap();
            assert_eq!(certificate.verdict, Verdict::Complete, "{at} {after}: {certificate}");
            assert_eq!(world.shop.inner().jobs.len(), 1, "{at} {after}: one job");
            assert_eq!(world.shop.inner().paged, 0);
            world.assert_all(45);
        }
    }
    assert!(steps >= 10, "{steps}");
    let mut whole = World::new(Shop::new(45, [good(45)]));
    whole.run().await.unwrap();
    let pages = whole.table.writes;
    assert!(pages >= 7, "{pages}");
    for at in 1..=pages {
        let mut world = World::new(Shop::new(45, [good(45)]));
        world.table.crash = Some(at);
        world.run().await.unwrap_err();
        let certificate = world.run().await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete);
        assert_eq!(world.shop.inner().jobs.len(), 1);
        // The page that the sink had not taken comes again, and none before it.
        assert_eq!(world.table.writes, pages + 1, "{at}");
        world.assert_all(45);
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_anywhere_is_gone_on_from_with_the_same_job() {
    for polls in 1.. {
        let mut world = World::new(Shop::new(30, [good(30)]));
        let ended = {
            let mut run = Box::pin(world.run());
            let mut left = polls;
            std::future::poll_fn(|context| match run.as_mut().poll(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => {
                    left -= 1;
                    Poll::Pending
                }
            })
            .await
        };
        if let Some(ended) = ended {
            ended.unwrap();
            assert!(polls > 5, "{polls}");
            break;
        }
        assert!(world.run().await.unwrap().is_complete(), "{polls}");
        assert_eq!(world.shop.inner().jobs.len(), 1, "{polls}");
        world.assert_all(30);
    }
}

#[tokio::test]
async fn a_pull_is_cancelled_between_two_polls_and_goes_on() {
    let mut world = World::new(Shop::new(30, [good(30)]));
    let cancel = Cancel::default();
    let pull = world.pull().cancel(cancel.clone());
    cancel.cancel();
    let error = pull.run(&mut world.table, &|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(world.run().await.unwrap().is_complete());
    assert_eq!(world.shop.inner().jobs.len(), 1);
}

#[tokio::test]
async fn a_page_that_is_no_utf_8_fails_the_job_and_not_the_run() {
    let mut script = good(30);
    let at = script.file.iter().position(|byte| *byte == b'T').unwrap();
    script.file[at] = 0xff;
    let mut world = World::new(Shop::new(30, [script, good(30)]));
    let certificate = world.run().await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.bulk.unwrap().failures, ["page_unreadable"]);
    world.assert_all(30);
}

#[tokio::test]
async fn a_file_that_trickles_is_given_up_in_a_bounded_time() {
    // Pieces of 333 bytes: forty seconds each are too slow, and two hundredths are not.
    for (takes, least_rate, whole) in [(40_000, 8 << 10, false), (40_000, 8, true), (20, 8 << 10, true)] {
        let script = Script { takes: Duration::from_millis(takes), ..good(95) };
        let mut world = World::new(Shop::new(95, [script]));
        world.settings.least_rate = least_rate;
        let begun = world.shop.clock.elapsed();
        let ended = world.run().await;
        if whole {
            assert!(ended.unwrap().is_complete());
            world.assert_all(95);
            continue;
        }
        let error = ended.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("body_too_slow", ErrorKind::Timeout));
        assert_eq!(world.shop.inner().opened.len(), 6, "opened again five times");
        assert!(world.shop.clock.elapsed() - begun < Duration::from_secs(15 * 60));
    }
}

#[tokio::test]
async fn the_job_of_a_run_that_another_map_replaces_is_cancelled() {
    for (crash, cancelled) in [((1, true), "by its tag"), ((2, false), "by its id")] {
        let mut world = World::new(Shop::new(40, [good(40)]));
        world.shop.inner().crash = Some(crash);
        assert_eq!(world.run().await.unwrap_err().code(), "crashed");
        let mut other = Shop::new(40, [good(40)]);
        let rules = [rule("/id", "ref.id", Transform::LastSegment, Read)];
        other.schema = SchemaMap::compile(Platform::new("scripted"), Entity::Product, &rules).unwrap();
        other.inner().jobs = world.shop.inner().jobs.clone();
        world.shop = Arc::new(other);
        assert!(world.run().await.unwrap().is_complete());
        assert_eq!(world.shop.inner().cancelled, ["job-0"], "{cancelled}");
        assert_eq!(world.shop.inner().jobs.len(), 2);
    }
    // Under the same map the run goes on with its job.
    let mut world = World::new(Shop::new(40, [good(40)]));
    world.shop.inner().crash = Some((2, false));
    assert!(world.run().await.is_err());
    world.shop.inner().crash = None;
    assert!(world.run().await.unwrap().is_complete());
    assert_eq!(world.shop.inner().cancelled, Vec::<String>::new());
}
