//! A product in a fake store, and the calls that a test of the rules repeats.
#![allow(dead_code, unreachable_pub, reason = "shared by tests, none of which uses all of it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lily_connect::connector::{Answer, Connector, ConnectorInfo, Health, Page, PullRequest, PushRequest};
use lily_connect::error::Result;
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{Capabilities, Enrichment, Entity, Record};
use lily_connect::state::{MemoryState, PushId, SinkMark, StateStore};
use lily_connect::sync::{
    Approvals, Certificate, ChangeVerdict, Delivery, Plan, Pull, Push, Receipt, ReceiptOutcome, Rejected,
    Sink, UndoOutcome,
};
use lily_connect::testkit::woocommerce::{Product, Taxonomy};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::common::{Bench, bench_with};

/// A sink that keeps records and rejections.
#[derive(Debug, Default, Clone)]
pub struct Taken {
    pub records: Arc<Mutex<Vec<Record>>>,
    pub rejected: Arc<Mutex<Vec<Rejected>>>,
}

impl Taken {
    pub fn ids(&self) -> Vec<u64> {
        let records = self.records.lock().unwrap();
        records.iter().map(|record| record.reference().id.as_str().parse().unwrap()).collect()
    }
}

#[async_trait]
impl Sink for Taken {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }
    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.records.lock().unwrap().extend_from_slice(records);
        Ok(())
    }
    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        self.rejected.lock().unwrap().push(rejected.clone());
        Ok(())
    }
    async fn mark(&mut self) -> Result<SinkMark> {
        Ok(SinkMark(self.records.lock().unwrap().len() as u64))
    }
    async fn rewind(&mut self, mark: SinkMark) -> Result<()> {
        self.records.lock().unwrap().truncate(usize::try_from(mark.0).unwrap());
        Ok(())
    }
}

pub struct Desk {
    pub bench: Bench,
    pub state: Arc<dyn StateStore>,
    pub push: Push,
    pub id: u64,
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(Arc::new(MemoryState::new()), |_| {}).await
    }

    /// A store with one product, `Old`, tagged `Sale` and `New`.
    pub async fn with(state: Arc<dyn StateStore>, fill: impl FnOnce(&mut Product)) -> Self {
        let mut id = 0;
        let bench = bench_with(|store| {
            let tags = ["Sale", "New"].map(|name| store.add_term(Taxonomy::Tag, name)).to_vec();
            id = store.create("Old", |product| {
                product.description = "<p>Long</p>".to_owned();
                product.short_description = "<p>Short</p>".to_owned();
                product.tags = tags;
                fill(product);
            });
        })
        .await;
        let push = Push::new(bench.connector.clone(), state.clone(), bench.runtime.clone());
        let desk = Self { bench, state, push, id };
        desk.tick();
        desk
    }

    pub fn tick(&self) {
        self.wait(2);
    }

    pub fn wait(&self, seconds: u64) {
        self.bench.clock.advance(Duration::from_secs(seconds));
    }

    pub fn pull(&self) -> Pull {
        Pull::new(self.bench.connector.clone(), self.state.clone(), Entity::Product)
    }

    /// The product as a fresh pull gives it.
    pub async fn pulled(&self) -> Value {
        let pull = self.pull().keep_base(true);
        pull.forget().await.unwrap();
        let mut sink = Taken::default();
        pull.run(&mut sink, &|_| {}).await.unwrap();
        self.tick();
        let records = sink.records.lock().unwrap();
        let id = self.id.to_string();
        let record = records.iter().find(|record| record.reference().id.as_str() == id).unwrap();
        serde_json::to_value(record).unwrap()
    }

    /// What a service makes of a pulled record, now.
    pub fn enrich(&self, record: &Value, fields: Value) -> Enrichment {
        serde_json::from_value(json!({
            "ref": record["ref"], "made_at": self.bench.runtime.clock().now(), "fields": fields,
        }))
        .unwrap()
    }

    pub fn title(&self, record: &Value, title: &str) -> Enrichment {
        self.enrich(record, json!({"title": {"value": title, "base": record["base"]["title"]}}))
    }

    pub fn tags(&self, record: &Value, edit: Value) -> Enrichment {
        self.enrich(record, json!({"tags": {"edit": edit, "base_keys": record["base"]["tags"]}}))
    }

    pub async fn plan(&self, enrichment: &Enrichment) -> Plan {
        self.tick();
        self.push.plan(std::slice::from_ref(enrichment)).await.unwrap()
    }

    /// The verdict of an enrichment of one cell.
    pub async fn verdict(&self, enrichment: &Enrichment) -> ChangeVerdict {
        let plan = self.plan(enrichment).await;
        assert_eq!(plan.changes.len(), 1, "{plan}");
        plan.changes[0].verdict.clone()
    }

    pub async fn apply(&self, plan: &Plan) -> Receipt {
        let receipt = self.push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap();
        self.tick();
        receipt
    }

    /// Plans and applies; all of it must land.
    pub async fn land(&self, enrichment: &Enrichment) -> PushId {
        let plan = self.plan(enrichment).await;
        let receipt = self.apply(&plan).await;
        let applied = |field: &lily_connect::sync::FieldReceipt| field.outcome == ReceiptOutcome::Applied;
        assert!(receipt.fields.iter().all(applied), "{plan}{receipt}");
        receipt.push
    }

    /// Plans and applies an enrichment of one cell.
    pub async fn outcome(&self, enrichment: &Enrichment) -> ReceiptOutcome {
        let plan = self.plan(enrichment).await;
        assert_eq!(plan.to_apply().count(), 1, "{plan}");
        self.apply(&plan).await.fields[0].outcome.clone()
    }

    /// Undoes a push of one cell.
    pub async fn undo(&self, push: PushId) -> UndoOutcome {
        let report = self.push.undo(push).await.unwrap();
        self.tick();
        assert_eq!(report.cells.len(), 1, "{report}");
        report.cells[0].1.clone()
    }

    pub fn edit(&self, change: impl FnOnce(&mut Product)) {
        self.tick();
        assert!(self.bench.store.edit(self.id, change));
        self.tick();
    }

    pub fn rename(&self, name: &str) {
        self.edit(|product| name.clone_into(&mut product.name));
    }

    pub fn stored(&self) -> Product {
        self.bench.store.product(self.id).unwrap()
    }

    pub fn name(&self) -> String {
        self.stored().name
    }

    pub fn writes(&self) -> u64 {
        self.bench.server.traffic().writes()
    }

    /// Everything stored but what the store makes anew.
    pub fn bytes(&self) -> Value {
        let mut json: Value = serde_json::from_str(&self.bench.store.raw(self.id).unwrap()).unwrap();
        for key in ["date_modified", "date_modified_gmt", "related_ids", "_links"] {
            json.as_object_mut().unwrap().remove(key);
        }
        json
    }
}

type Tamper = Box<dyn Fn(&PullRequest, u64, Page) -> Page + Send + Sync>;

/// A connector whose pages are changed on their way, for platforms that behave otherwise.
pub struct Tampered {
    pub inner: Arc<dyn Connector>,
    pub capabilities: Capabilities,
    /// A write never comes back: told when that is so, and whether it has its effect before.
    pub hang: Option<(Arc<Notify>, bool)>,
    pages: AtomicU64,
    tamper: Tamper,
}

impl Tampered {
    pub fn new(
        inner: Arc<dyn Connector>,
        tamper: impl Fn(&PullRequest, u64, Page) -> Page + Send + Sync + 'static,
    ) -> Self {
        let capabilities = inner.capabilities().clone();
        Self { inner, capabilities, hang: None, pages: AtomicU64::new(0), tamper: Box::new(tamper) }
    }
}

impl std::fmt::Debug for Tampered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tampered").finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for Tampered {
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
        let page = self.inner.pull_page(request).await?;
        let nth = self.pages.fetch_add(1, Ordering::SeqCst) + 1;
        Ok((self.tamper)(request, nth, page))
    }
    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let Some((hung, lands)) = &self.hang else { return self.inner.push(request).await };
        if *lands {
            self.inner.push(request).await?;
        }
        hung.notify_one();
        std::future::pending().await
    }
}

/// Runs a pull to its certificate.
pub async fn certified(pull: &Pull, sink: &mut Taken) -> Certificate {
    let certificate = pull.run(sink, &|_| {}).await.unwrap();
    eprintln!("{certificate}");
    certificate
}
