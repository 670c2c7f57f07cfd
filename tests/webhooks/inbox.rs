//! Deliveries become jobs, and jobs become records that were read again.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lily_connect::connector::{Connector, ConnectorInfo, Health, Page, PullRequest, Select, WebhookSource};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{Capabilities, Entity, Record, RecordRef};
use lily_connect::state::{Job, MemoryState, Op, SqliteState, StateStore, Unit};
use lily_connect::sync::{
    Cancel, Gone, IgnoredWhy, Inbox, InboxHandler, InboxReceipt, InboxSettings, Rejected, Tombstone,
};
use lily_connect::testkit::woocommerce::Product;
use serde_json::{Value, json};

use super::common::{Bench, Kept, bench_with};
use super::deliveries::{Sent, load, of_recording, secrets};
use lily_connect::connectors::woocommerce::PLATFORM;

/// A connector of which some reads fail, or beside whose reads something else happens.
#[derive(Debug)]
pub struct Meddled {
    pub inner: Arc<dyn Connector>,
    pub state: Arc<dyn StateStore>,
    /// Reads of these ids fail.
    pub failing: Vec<&'static str>,
    /// Committed while the next record is read, one unit a read.
    pub meanwhile: Mutex<Vec<Vec<Op>>>,
    pub cancel: Option<Cancel>,
    pub reads: AtomicUsize,
}

impl Meddled {
    pub fn new(shop: &Shop) -> Self {
        let (inner, state) = (shop.bench.connector.clone(), shop.state.clone());
        Self { inner, state, failing: vec![], meanwhile: Mutex::default(), cancel: None, reads: 0.into() }
    }
}

#[async_trait]
impl Connector for Meddled {
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
        self.reads.fetch_add(1, Ordering::SeqCst);
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        let fails = |ids: &[lily_connect::model::ExternalId]| {
            ids.iter().any(|id| self.failing.contains(&id.as_str()))
        };
        if matches!(&request.select, Select::Ids(ids) if fails(ids)) {
            return Err(Error::new(ErrorKind::Unavailable, "server_error", "the store is in trouble"));
        }
        let page = self.inner.pull_page(request).await?;
        let ops = self.meanwhile.lock().unwrap().pop();
        if let Some(ops) = ops {
            self.state.commit(&self.inner.info().store, Unit::new(ops)).await?;
        }
        Ok(page)
    }
    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        self.inner.webhooks()
    }
}

/// A handler that keeps all it gets.
#[derive(Debug, Default)]
pub struct Taken {
    pub records: Vec<Record>,
    pub gone: Vec<Gone>,
    pub rejected: Vec<Rejected>,
    pub dones: usize,
    /// How many jobs were pending at each `done`.
    pub pending: Vec<usize>,
    pub watch: Option<Shop>,
    /// What to refuse.
    pub refuse: Option<&'static str>,
}

impl Taken {
    pub fn ids(&self) -> Vec<&str> {
        self.records.iter().map(|record| record.reference().id.as_str()).collect()
    }

    fn refused(&self, what: &str) -> Result<()> {
        if self.refuse == Some(what) {
            return Err(Error::new(ErrorKind::Sink, "sink_failed", "the disk is full"));
        }
        Ok(())
    }
}

#[async_trait]
impl InboxHandler for Taken {
    async fn changed(&mut self, record: &Record) -> Result<()> {
        self.refused("changed")?;
        self.records.push(record.clone());
        Ok(())
    }
    async fn gone(&mut self, gone: &Gone) -> Result<()> {
        self.gone.push(gone.clone());
        Ok(())
    }
    async fn rejected(&mut self, rejected: &Rejected) -> Result<()> {
        self.rejected.push(rejected.clone());
        Ok(())
    }
    async fn done(&mut self) -> Result<()> {
        self.refused("done")?;
        self.dones += 1;
        if let Some(shop) = &self.watch {
            self.pending.push(shop.jobs().await.len());
        }
        Ok(())
    }
}

/// A shop with a few products, and the inbox of what it tells.
#[derive(Clone)]
pub struct Shop {
    pub bench: Arc<Bench>,
    pub state: Arc<dyn StateStore>,
    pub inbox: Inbox,
    pub ids: Vec<u64>,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop").finish_non_exhaustive()
    }
}

impl Shop {
    pub async fn new() -> Self {
        Self::with(Arc::new(MemoryState::new())).await
    }

    pub async fn with(state: Arc<dyn StateStore>) -> Self {
        let mut ids = Vec::new();
        let bench = bench_with(|store| {
            ids = ["Cap", "Hat", "Scarf"].map(|name| store.create(name, |_| {})).to_vec();
        })
        .await;
        bench.clock.advance(std::time::Duration::from_secs(2));
        let inbox = Inbox::new(bench.connector.clone(), state.clone(), bench.runtime.clone());
        Self { bench: Arc::new(bench), state, inbox, ids }
    }

    pub fn on(&self, connector: Meddled) -> Inbox {
        Inbox::new(Arc::new(connector), self.state.clone(), self.bench.runtime.clone())
    }

    pub fn id(&self, at: usize) -> String {
        self.ids[at].to_string()
    }

    pub fn product(&self, at: usize) -> RecordRef {
        RecordRef::new(PLATFORM, Entity::Product, self.id(at))
    }

    pub fn sent(&self, topic: &str, body: &Value) -> Sent {
        Sent::new(&self.bench.server.url(), topic, body)
    }

    pub async fn take(&self, sent: &Sent) -> Result<InboxReceipt> {
        self.inbox.receive(&sent.at(self.bench.runtime.clock().now()), &secrets()).await
    }

    /// A delivery that was never sent before.
    pub async fn tell(&self, topic: &str, id: u64) -> InboxReceipt {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        self.take(&self.sent(topic, &json!({"id": id, "n": number}))).await.unwrap()
    }

    pub async fn jobs(&self) -> Vec<Job> {
        let store = &self.bench.connector.info().store;
        self.state.jobs(store, None, NonZeroU32::MAX).await.unwrap()
    }

    pub async fn commit(&self, ops: Vec<Op>) {
        self.state.commit(&self.bench.connector.info().store, Unit::new(ops)).await.unwrap();
    }

    pub fn edit(&self, at: usize, change: impl FnOnce(&mut Product)) {
        self.bench.clock.advance(std::time::Duration::from_secs(2));
        assert!(self.bench.store.edit(self.ids[at], change));
        self.bench.clock.advance(std::time::Duration::from_secs(2));
    }
}

pub fn small(most_jobs: u32, batch: u32) -> InboxSettings {
    let mut settings = InboxSettings::default();
    settings.most_jobs = NonZeroU32::new(most_jobs).unwrap();
    settings.batch = NonZeroU32::new(batch).unwrap();
    settings
}

#[tokio::test]
async fn h1_a_delivery_is_a_hint_and_the_record_is_read_again() {
    let shop = Shop::new().await;
    let lie = shop.sent("product.updated", &json!({"id": shop.ids[0], "name": "A lie", "type": "simple"}));
    assert_eq!(shop.take(&lie).await.unwrap(), InboxReceipt::Queued(shop.product(0)));
    shop.edit(0, |product| product.name = "The truth".to_owned());
    let mut sink = Kept::default();
    let report = shop.inbox.work(&mut sink).await.unwrap();
    assert_eq!((report.delivered, report.echoes, report.failed, report.more), (1, 0, 0, false));
    let record = serde_json::to_value(&sink.0.lock().unwrap()[0]).unwrap();
    assert_eq!(record["title"], "The truth");
    assert!(shop.jobs().await.is_empty());
    // By reference to a trait object, too.
    shop.tell("product.updated", shop.ids[1]).await;
    let sink: &mut dyn lily_connect::Sink = &mut sink;
    assert_eq!(shop.inbox.work(sink).await.unwrap().delivered, 1);
    assert_eq!(shop.inbox.work(sink).await.unwrap().delivered, 0);
}

#[tokio::test]
async fn h1_a_replay_is_dropped_and_a_second_body_of_one_delivery_id_is_not() {
    let shop = Shop::new().await;
    let one = shop.sent("product.updated", &json!({"id": shop.ids[0], "name": "a"}));
    let two = shop.sent("product.updated", &json!({"id": shop.ids[0], "name": "b"}));
    assert_eq!(shop.take(&one).await.unwrap(), InboxReceipt::Queued(shop.product(0)));
    assert_eq!(shop.take(&one).await.unwrap(), InboxReceipt::Duplicate);
    assert_eq!(shop.take(&two).await.unwrap(), InboxReceipt::Queued(shop.product(0)));
    assert_eq!(shop.jobs().await[0].hints, 2);
    // Once worked, a replay of it is still known.
    let mut taken = Taken::default();
    shop.inbox.work(&mut taken).await.unwrap();
    shop.bench.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(shop.take(&one).await.unwrap(), InboxReceipt::Duplicate);
    assert!(shop.jobs().await.is_empty());
    // A product that is binned twice makes the same body twice, as two deliveries.
    let bin = shop.sent("product.deleted", &json!({"id": shop.ids[0]}));
    let again =
        shop.sent("product.deleted", &json!({"id": shop.ids[0]})).with("x-wc-webhook-delivery-id", "other");
    for sent in [&bin, &again] {
        assert_eq!(shop.take(sent).await.unwrap(), InboxReceipt::Queued(shop.product(0)));
    }
}

#[tokio::test]
async fn what_is_refused_or_no_event_of_ours_makes_no_job() {
    let shop = Shop::new().await;
    let forged =
        shop.sent("product.updated", &json!({"id": shop.ids[0]})).with("x-wc-webhook-signature", "x");
    assert_eq!(shop.take(&forged).await.unwrap_err().kind(), ErrorKind::Auth);
    let order = shop.sent("order.updated", &json!({"id": shop.ids[0]}));
    assert_eq!(shop.take(&order).await.unwrap(), InboxReceipt::Ignored(IgnoredWhy::OtherTopic));
    if let Some(file) = load("webhook-ping") {
        let ping = of_recording(&file["pings"][0]);
        assert_eq!(shop.take(&ping).await.unwrap(), InboxReceipt::Ping);
    }
    assert!(shop.jobs().await.is_empty());
    assert_eq!(shop.inbox.work(&mut Taken::default()).await.unwrap(), Default::default());
}

#[tokio::test]
async fn a_thousand_hints_of_one_record_are_one_job_and_one_read() {
    let shop = Shop::new().await;
    for _ in 0..1000 {
        shop.tell("product.updated", shop.ids[1]).await;
    }
    shop.tell("product.updated", shop.ids[2]).await;
    let jobs = shop.jobs().await;
    assert_eq!(jobs.iter().map(|job| job.hints).collect::<Vec<_>>(), [1000, 1]);
    let before = shop.bench.server.traffic().requests();
    let mut taken = Taken::default();
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().delivered, 2);
    assert_eq!(shop.bench.server.traffic().requests() - before, 2);
    assert_eq!(taken.ids(), [shop.id(1), shop.id(2)]);
}

#[tokio::test]
async fn r7_gone_is_deleted_only_where_the_store_said_so_and_a_read_by_id_agrees() {
    let shop = Shop::new().await;
    let variation = shop.bench.store.create_variation(shop.ids[2], |_| {});
    // Binned: it is there, and says that it is in the bin.
    shop.bench.store.trash(shop.ids[0]);
    shop.tell("product.deleted", shop.ids[0]).await;
    // Gone, and told as deleted.
    shop.bench.store.delete(shop.ids[1]);
    shop.tell("product.updated", shop.ids[1]).await;
    shop.tell("product.deleted", shop.ids[1]).await;
    // Gone, and nobody said so.
    let body = json!({"id": variation, "type": "variation", "parent_id": shop.ids[2]});
    shop.take(&shop.sent("product.updated", &body)).await.unwrap();
    shop.bench.store.delete(variation);

    let mut taken = Taken::default();
    let report = shop.inbox.work(&mut taken).await.unwrap();
    assert_eq!(taken.ids(), [shop.id(0)]);
    assert_eq!(serde_json::to_value(&taken.records[0]).unwrap()["status"], "trashed");
    let told: Vec<_> = taken.gone.iter().map(|gone| (gone.record.id.to_string(), gone.tombstone)).collect();
    assert_eq!(told, [(shop.id(1), Tombstone::Deleted), (variation.to_string(), Tombstone::Missing)]);
    assert_eq!(taken.gone[1].parent, Some(shop.product(2)));
    assert_eq!((report.delivered, report.gone), (1, taken.gone));
    // A sink has no place for them: the report tells.
    shop.tell("product.deleted", shop.ids[1]).await;
    let report = shop.inbox.work(&mut Kept::default()).await.unwrap();
    assert_eq!((report.delivered, report.gone.len()), (0, 1));
}

#[tokio::test]
async fn a_crash_between_receive_and_work_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let shop = Shop::with(Arc::new(SqliteState::open(&path).unwrap())).await;
    let told = shop.sent("product.updated", &json!({"id": shop.ids[0]}));
    shop.take(&told).await.unwrap();
    shop.tell("product.deleted", shop.ids[1]).await;
    let (bench, ids) = (shop.bench.clone(), shop.ids.clone());
    let before = shop.jobs().await;
    drop(shop);

    // What a killed process leaves behind: the file and its log.
    let left = folder.path().join("left.db");
    std::fs::copy(&path, &left).unwrap();
    if let Ok(log) = std::fs::read(folder.path().join("state.db-wal")) {
        std::fs::write(folder.path().join("left.db-wal"), log).unwrap();
    }
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&left).unwrap());
    let inbox = Inbox::new(bench.connector.clone(), state.clone(), bench.runtime.clone());
    let shop = Shop { bench, state, inbox, ids };
    assert_eq!(shop.jobs().await, before);
    assert_eq!(shop.take(&told).await.unwrap(), InboxReceipt::Duplicate);
    let mut taken = Taken::default();
    shop.inbox.work(&mut taken).await.unwrap();
    assert_eq!(taken.ids(), [shop.id(0), shop.id(1)]);
}

#[tokio::test]
async fn jobs_end_only_after_the_handler_made_them_durable() {
    let shop = Shop::new().await;
    for id in &shop.ids {
        shop.tell("product.updated", *id).await;
    }
    for refuse in ["changed", "done"] {
        let mut taken = Taken { refuse: Some(refuse), ..Taken::default() };
        let error = shop.inbox.work(&mut taken).await.unwrap_err();
        assert_eq!((error.kind(), shop.jobs().await.len()), (ErrorKind::Sink, 3), "{refuse}");
    }
    let mut taken = Taken { watch: Some(shop.clone()), ..Taken::default() };
    let inbox = shop.inbox.clone().settings(small(100, 2));
    assert_eq!(inbox.work(&mut taken).await.unwrap().delivered, 3);
    assert_eq!((taken.dones, taken.pending), (2, vec![3, 1]));
}

#[tokio::test]
async fn a_hint_that_comes_while_its_record_is_read_makes_it_be_read_again() {
    let shop = Shop::new().await;
    shop.tell("product.updated", shop.ids[0]).await;
    let meddled = Meddled::new(&shop);
    let delivery = lily_connect::state::DeliveryDigest::of("2", None, b"late");
    let hint = lily_connect::state::Hint::new(shop.product(0), None, lily_connect::state::HintKind::Changed);
    let at = shop.bench.runtime.clock().now();
    meddled.meanwhile.lock().unwrap().push(vec![Op::Receive { delivery, hint, at }]);
    let mut taken = Taken::default();
    let report = shop.on(meddled).work(&mut taken).await.unwrap();
    // The second read found what the first one did.
    assert_eq!((taken.ids(), report.echoes), (vec![&*shop.id(0)], 1));
    assert!(shop.jobs().await.is_empty());
}

#[tokio::test]
async fn a_call_reads_so_many_and_says_that_more_is_left() {
    let shop = Shop::new().await;
    for id in &shop.ids {
        shop.tell("product.updated", *id).await;
    }
    let inbox = shop.inbox.clone().settings(small(2, 20));
    let mut taken = Taken::default();
    let first = inbox.work(&mut taken).await.unwrap();
    assert_eq!((first.delivered, first.more, shop.jobs().await.len()), (2, true, 1));
    let second = inbox.work(&mut taken).await.unwrap();
    assert_eq!((second.delivered, second.more), (1, false));
}

#[tokio::test]
async fn a_read_that_fails_keeps_its_job_and_stops_no_other_one() {
    let shop = Shop::new().await;
    for id in &shop.ids {
        shop.tell("product.updated", *id).await;
    }
    let failing: &'static str = Box::leak(shop.id(0).into_boxed_str());
    let meddled = Meddled { failing: vec![failing], ..Meddled::new(&shop) };
    let mut taken = Taken::default();
    let report = shop.on(meddled).work(&mut taken).await.unwrap();
    assert_eq!((report.delivered, report.failed), (2, 1));
    assert_eq!(report.failure.as_deref(), Some("server_error"));
    assert_eq!(shop.jobs().await[0].record, shop.product(0));

    // A store that answers nothing is left in peace.
    let mut settings = InboxSettings::default();
    settings.most_failures = NonZeroU32::new(2).unwrap();
    for (at, id) in shop.ids.iter().enumerate() {
        shop.edit(at, |product| product.name.push('!'));
        shop.tell("product.updated", *id).await;
    }
    let two: Vec<&'static str> = [1, 0].map(|at| &*Box::leak(shop.id(at).into_boxed_str())).to_vec();
    let meddled = Meddled { failing: two, ..Meddled::new(&shop) };
    let inbox = shop.on(meddled).settings(settings);
    let report = inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.failed, report.delivered, report.more), (2, 0, false));
    // They do not keep others from being read, and are tried again after those.
    let report = inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.failed, report.delivered, shop.jobs().await.len()), (0, 1, 2));
    assert_eq!(inbox.work(&mut taken).await.unwrap().failed, 2);
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().delivered, 2);
}

#[tokio::test]
async fn cancelling_ends_between_two_records_and_loses_none() {
    let shop = Shop::new().await;
    for id in &shop.ids {
        shop.tell("product.updated", *id).await;
    }
    let cancel = Cancel::default();
    let meddled = Meddled { cancel: Some(cancel.clone()), ..Meddled::new(&shop) };
    let mut taken = Taken::default();
    let error = shop.on(meddled).cancel(cancel).work(&mut taken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(taken.records.len() + shop.jobs().await.len(), 3);
    assert!(!shop.jobs().await.is_empty());
    shop.inbox.work(&mut taken).await.unwrap();
    assert_eq!(taken.ids(), [shop.id(0), shop.id(1), shop.id(2)]);
}

#[tokio::test]
async fn deliveries_are_known_again_for_a_time_and_up_to_a_number() {
    let shop = Shop::new().await;
    let mut settings = InboxSettings::default();
    settings.most_deliveries = 2;
    let shop = Shop { inbox: shop.inbox.clone().settings(settings), ..shop };
    let sent: Vec<Sent> =
        (0..3).map(|n| shop.sent("product.updated", &json!({"id": shop.ids[0], "n": n}))).collect();
    for sent in &sent {
        shop.take(sent).await.unwrap();
    }
    assert_eq!(shop.take(&sent[2]).await.unwrap(), InboxReceipt::Duplicate);
    assert_eq!(shop.take(&sent[1]).await.unwrap(), InboxReceipt::Duplicate);
    assert_eq!(shop.take(&sent[0]).await.unwrap(), InboxReceipt::Queued(shop.product(0)));
    shop.bench.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
    shop.tell("product.updated", shop.ids[1]).await;
    assert_eq!(shop.take(&sent[0]).await.unwrap(), InboxReceipt::Queued(shop.product(0)));
}
