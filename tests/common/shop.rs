//! A fake store of any catalogue, what was sent to it, and the way from a pulled record to an undo.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "shared by tests, none of which uses all of it"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::{SeoPlugin, WooCommerceBuilder, WooCommerceConfig};
use lily_connect::model::{Enrichment, Entity, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Approvals, Plan, PlannedChange, Pull, Push, Receipt, ReceiptOutcome};
use lily_connect::testkit::exchange::{Handler, Request};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Product, Role, WooStore};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::transport::ReqwestTransport;
use serde_json::{Value, json};

use crate::common::Kept;

/// What a write brought: its path and its body.
pub type Written = (String, Value);

pub struct Shop {
    pub store: WooStore,
    pub server: Server,
    pub clock: Arc<FakeClock>,
    pub runtime: Runtime,
    pub key: ApiKey,
    pub connector: Arc<dyn Connector>,
    pub state: Arc<dyn StateStore>,
    pub push: Push,
    written: Arc<Mutex<Vec<Written>>>,
}

/// Slugs and item numbers are allowed, and Rank Math is named, as in the other tests.
pub fn usual(builder: WooCommerceBuilder) -> WooCommerceBuilder {
    builder.seo_plugin(SeoPlugin::RankMath).write_slugs(true).write_identifiers(true)
}

impl Shop {
    pub async fn open(seed: impl FnOnce(&WooStore)) -> Self {
        Self::over(FakeClock::automatic(), seed, |store| store, usual).await
    }

    pub async fn set_up(
        seed: impl FnOnce(&WooStore),
        settings: impl FnOnce(WooCommerceBuilder) -> WooCommerceBuilder,
    ) -> Self {
        Self::over(FakeClock::automatic(), seed, |store| store, settings).await
    }

    /// A store behind something that stands between it and its callers.
    pub async fn over<H: Handler>(
        clock: FakeClock,
        seed: impl FnOnce(&WooStore),
        before: impl FnOnce(WooStore) -> H,
        settings: impl FnOnce(WooCommerceBuilder) -> WooCommerceBuilder,
    ) -> Self {
        let clock = Arc::new(clock);
        let store = WooStore::new(clock.clone());
        seed(&store);
        let key = store.issue_key("test", Permissions::ReadWrite, Role::Manager);
        let written: Arc<Mutex<Vec<Written>>> = Arc::default();
        let kept = written.clone();
        // Never done: it only looks at what comes.
        let look = move |request: &Request| {
            if is_write(request) {
                let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                kept.lock().unwrap().push((request.path.clone(), body));
            }
            false
        };
        store.before_request(u64::MAX, look, |_| {});
        let server = Service::new(before(store.clone())).start().await.unwrap();
        let runtime = Runtime::with_parts(
            Arc::new(ReqwestTransport::new()),
            clock.clone(),
            Arc::new(SeededEntropy::new(7)),
        );
        let connector = connect(&server.url(), &key, &runtime, settings).await;
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let push = Push::new(connector.clone(), state.clone(), runtime.clone());
        let shop = Self { store, server, clock, runtime, key, connector, state, push, written };
        shop.tick();
        shop
    }

    pub fn tick(&self) {
        self.clock.advance(Duration::from_secs(2));
    }

    /// Fresh records of all products, by id.
    pub async fn pulled(&self) -> BTreeMap<u64, Value> {
        let pull = Pull::new(self.connector.clone(), self.state.clone(), Entity::Product).keep_base(true);
        pull.forget().await.unwrap();
        let mut sink = Kept::default();
        pull.run(&mut sink, &|_| {}).await.unwrap();
        self.tick();
        let records = sink.0.lock().unwrap();
        records
            .iter()
            .map(|record| {
                let id = record.reference().id.as_str().parse().unwrap();
                (id, serde_json::to_value(record).unwrap())
            })
            .collect()
    }

    pub async fn record(&self, id: u64) -> Value {
        self.pulled().await.remove(&id).unwrap()
    }

    /// What a service makes of a pulled record, now.
    pub fn enrich(&self, record: &Value, fields: Value) -> Enrichment {
        serde_json::from_value(json!({
            "ref": record["ref"], "made_at": self.runtime.clock().now(), "fields": fields,
        }))
        .unwrap()
    }

    /// New values of fields of one value and edits of lists, each with the record's own tokens.
    pub fn wants(&self, record: &Value, fields: &Value) -> Enrichment {
        let changes: BTreeMap<String, Value> = fields
            .as_object()
            .unwrap()
            .iter()
            .map(|(field, wanted)| {
                let base = &record["base"][field];
                let change = match wanted {
                    Value::Object(edit) => json!({"edit": edit, "base_keys": base}),
                    value => json!({"value": value, "base": base}),
                };
                (field.clone(), change)
            })
            .collect();
        self.enrich(record, serde_json::to_value(changes).unwrap())
    }

    pub async fn plan(&self, enrichments: &[Enrichment]) -> Plan {
        self.tick();
        self.push.plan(enrichments).await.unwrap()
    }

    pub async fn apply(&self, plan: &Plan) -> Receipt {
        let receipt = self.push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap();
        self.tick();
        receipt
    }

    /// Plans and applies; all of it must land.
    pub async fn land(&self, enrichments: &[Enrichment]) -> Receipt {
        let plan = self.plan(enrichments).await;
        let receipt = self.apply(&plan).await;
        assert!(
            receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Applied),
            "{plan}{receipt}"
        );
        receipt
    }

    /// The only change of an enrichment's plan.
    pub async fn one(&self, enrichment: &Enrichment) -> PlannedChange {
        let plan = self.plan(std::slice::from_ref(enrichment)).await;
        assert_eq!(plan.changes.len(), 1, "{plan}");
        plan.changes[0].clone()
    }

    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Product)) {
        self.tick();
        assert!(self.store.edit(id, change));
        self.tick();
    }

    pub fn stored(&self, id: u64) -> Product {
        self.store.product(id).unwrap()
    }

    pub fn alt(&self, media: u64) -> String {
        self.store.media(media).unwrap().alt
    }

    /// Everything stored of a product but what the store makes anew.
    pub fn bytes(&self, id: u64) -> Value {
        let mut json: Value = serde_json::from_str(&self.store.raw(id).unwrap()).unwrap();
        for key in ["date_modified", "date_modified_gmt", "related_ids", "_links"] {
            json.as_object_mut().unwrap().remove(key);
        }
        json
    }

    pub fn all_bytes(&self) -> BTreeMap<u64, Value> {
        self.store.ids().into_iter().map(|id| (id, self.bytes(id))).collect()
    }

    /// What writes have brought since the last call.
    pub fn take_written(&self) -> Vec<Written> {
        std::mem::take(&mut self.written.lock().unwrap())
    }
}

/// A connector to a store with settings of its own.
pub async fn connect(
    url: &str,
    key: &ApiKey,
    runtime: &Runtime,
    settings: impl FnOnce(WooCommerceBuilder) -> WooCommerceBuilder,
) -> Arc<dyn Connector> {
    let builder = WooCommerceConfig::builder(url)
        .key(&key.consumer_key)
        .secret(Secret::new(key.consumer_secret.clone()))
        .private_hosts(true);
    Arc::new(settings(builder).build().unwrap().connect(runtime).await.unwrap())
}

pub fn is_write(request: &Request) -> bool {
    !request.method.is_safe()
}

pub fn is_batch(request: &Request) -> bool {
    is_write(request) && request.path.ends_with("/batch")
}

/// Whether a request reads products by their ids, as guards and verifies do.
pub fn is_read_by_id(request: &Request) -> bool {
    let last = request.path.rsplit('/').next().unwrap_or_default();
    request.method == http::Method::GET
        && (last.bytes().all(|byte| byte.is_ascii_digit()) || request.query.contains("include="))
}
