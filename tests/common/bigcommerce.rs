//! A fake BigCommerce with the official documents, a connector to it, and the way from a pulled record to an undo.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

#[path = "recorded.rs"]
pub mod recorded;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lily_connect::connector::Connector;
use lily_connect::connectors::bigcommerce::{BigCommerce, BigCommerceBuilder, BigCommerceConfig};
use lily_connect::model::{Enrichment, Entity, Record, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Approvals, Certificate, Plan, Pull, Push, Receipt, ReceiptOutcome, UndoOutcome};
use lily_connect::testkit::bigcommerce::{BigCommerceFake, BigCommerceFakeBuilder, Plan as StorePlan};
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use serde_json::{Value, json};

use crate::common::Kept;
use crate::documents;

/// A store on a clock that sleeps in no time, and a connector to it. When it is dropped, every request that the store
/// got must have been valid against the official documents.
pub struct Bench {
    pub store: BigCommerceFake,
    pub server: Server,
    pub connector: Arc<BigCommerce>,
    pub runtime: Runtime,
    pub clock: Arc<FakeClock>,
    pub token: String,
    /// Answers that are given in place of the store's own, in order: each to the next request that its test holds for.
    pub script: Script,
}

type Script = Arc<Mutex<VecDeque<(fn(&Request) -> bool, Response)>>>;

/// A store whose answers a test takes the place of.
struct Scripted(BigCommerceFake, Script);

#[async_trait]
impl Handler for Scripted {
    fn handle(&self, request: &Request) -> Response {
        self.0.handle(request)
    }

    async fn respond(&self, request: &Request) -> Response {
        let scripted = {
            let mut script = self.1.lock().unwrap();
            let is_next = script.front().is_some_and(|(is_meant, _)| is_meant(request));
            if is_next { script.pop_front() } else { None }
        };
        match scripted {
            Some((_, response)) => response,
            None => self.0.respond(request).await,
        }
    }
}

/// A store that is filled by `seed`, and a connector whose settings `settings` changes. Without a quota, unless `build`
/// sets a plan.
pub async fn bench_with(
    seed: impl FnOnce(&BigCommerceFake),
    build: impl FnOnce(BigCommerceFakeBuilder) -> BigCommerceFakeBuilder,
    settings: impl FnOnce(BigCommerceBuilder) -> BigCommerceBuilder,
) -> Bench {
    let clock = Arc::new(FakeClock::automatic());
    let mut builder = BigCommerceFake::builder(clock.clone()).plan(StorePlan::Unlimited);
    if let Some(book) = documents::bigcommerce() {
        builder = builder.rulebook(book);
    }
    let store = build(builder).build();
    seed(&store);
    let token = store.issue_token("test");
    let script = Script::default();
    let server = Service::new(Scripted(store.clone(), script.clone())).start().await.unwrap();
    let entropy = Arc::new(SeededEntropy::new(7));
    let runtime = Runtime::with_parts(recorded::transport(), clock.clone(), entropy);
    let config = settings(config(&server.url(), &token)).build().unwrap();
    let connector = Arc::new(config.connect(&runtime).await.unwrap());
    Bench { store, server, connector, runtime, clock, token, script }
}

/// A store with so many seeded products.
pub async fn bench(products: usize) -> Bench {
    bench_with(|store| drop(store.seed_products(products)), |builder| builder, |settings| settings).await
}

/// The settings of a connector to an address.
pub fn config(url: &str, token: &str) -> BigCommerceBuilder {
    BigCommerceConfig::builder("abc123")
        .url(url)
        .access_token(Secret::new(token))
        .private_hosts(true)
        .write_slugs(true)
        .write_identifiers(true)
}

impl Bench {
    pub fn tick(&self) {
        self.clock.advance(Duration::from_secs(2));
    }

    /// Answers the next read, or the next write, so.
    pub fn answer_next(&self, writes: bool, response: Response) {
        let is_meant: fn(&Request) -> bool =
            if writes { BigCommerceFake::is_write } else { |request| !BigCommerceFake::is_write(request) };
        self.script.lock().unwrap().push_back((is_meant, response));
    }

    /// A full pull, and its certificate.
    pub async fn pull(&self, entity: Entity) -> (Vec<Record>, Certificate) {
        let kept = Kept::default();
        let connector: Arc<dyn Connector> = self.connector.clone();
        let pull = Pull::new(connector, Arc::new(MemoryState::new()), entity);
        let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
        let records = kept.0.lock().unwrap().clone();
        (records, certificate)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let violations: Vec<String> = self.store.violations().iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "requests that the documents do not allow: {violations:?}");
        let unexpected = self.store.unexpected();
        assert!(unexpected.is_empty(), "requests that the store does not know: {unexpected:?}");
    }
}

/// How a view has texts of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    Translations,
    ChannelValues,
}

impl Held {
    pub const ALL: [Self; 2] = [Self::Translations, Self::ChannelValues];

    pub fn put(self, store: &BigCommerceFake, code: &str, id: u64, field: &str, text: &str) {
        match self {
            Self::Translations => store.translate(1, code, id, field, Some(text)),
            Self::ChannelValues => store.set_channel_value(1, code, id, field, Some(text)),
        }
    }

    pub fn texts(self, store: &BigCommerceFake, code: &str, id: u64) -> BTreeMap<String, String> {
        match self {
            Self::Translations => store.translations(1, code, id),
            Self::ChannelValues => store.channel_values(1, code, id),
        }
    }
}

pub fn ids(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.reference().id.as_str().parse().unwrap()).collect()
}

/// All that a store holds, in parts: by product and name of the part.
pub type Parts = BTreeMap<(u64, String), String>;

/// A bench with a state and a push.
pub struct Desk {
    pub bench: Bench,
    pub state: Arc<dyn StateStore>,
    pub push: Push,
}

impl Desk {
    pub async fn open(seed: impl FnOnce(&BigCommerceFake)) -> Self {
        Self::over(bench_with(seed, |builder| builder, |settings| settings).await)
    }

    pub fn over(bench: Bench) -> Self {
        let connector: Arc<dyn Connector> = bench.connector.clone();
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let push = Push::new(connector, state.clone(), bench.runtime.clone());
        bench.tick();
        Self { bench, state, push }
    }

    pub fn store(&self) -> &BigCommerceFake {
        &self.bench.store
    }

    /// Fresh records of all products, by id.
    pub async fn pulled(&self) -> BTreeMap<u64, Value> {
        self.pulled_all(Entity::Product).await
    }

    /// Fresh records of one kind, by id.
    pub async fn pulled_all(&self, entity: Entity) -> BTreeMap<u64, Value> {
        let connector: Arc<dyn Connector> = self.bench.connector.clone();
        let pull = Pull::new(connector, self.state.clone(), entity).keep_base(true);
        pull.forget().await.unwrap();
        let sink = Kept::default();
        pull.run(&mut sink.clone(), &|_| {}).await.unwrap();
        self.bench.tick();
        let records = sink.0.lock().unwrap();
        let of = |record: &Record| {
            (record.reference().id.as_str().parse().unwrap(), serde_json::to_value(record).unwrap())
        };
        records.iter().map(of).collect()
    }

    /// New values of fields of one value and edits of lists, each with the record's own tokens.
    pub fn wants(&self, record: &Value, fields: &Value) -> Enrichment {
        let change = |(field, wanted): (&String, &Value)| {
            let base = &record["base"][field];
            let change = match wanted {
                Value::Object(edit) => json!({"edit": edit, "base_keys": base}),
                value => json!({"value": value, "base": base}),
            };
            (field.clone(), change)
        };
        let changes: BTreeMap<String, Value> = fields.as_object().unwrap().iter().map(change).collect();
        let made_at = self.bench.runtime.clock().now();
        serde_json::from_value(json!({ "ref": record["ref"], "made_at": made_at, "fields": changes }))
            .unwrap()
    }

    pub async fn plan(&self, enrichments: &[Enrichment]) -> Plan {
        self.bench.tick();
        self.push.plan(enrichments).await.unwrap()
    }

    /// A plan for one product.
    pub async fn plan_for(&self, id: u64, fields: Value) -> Plan {
        let record = self.pulled().await.remove(&id).unwrap();
        self.plan(&[self.wants(&record, &fields)]).await
    }

    pub async fn apply(&self, plan: &Plan) -> Receipt {
        let receipt = self.push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap();
        self.bench.tick();
        receipt
    }

    /// Plans and applies; all of it must land.
    pub async fn land(&self, id: u64, fields: Value) -> Receipt {
        let plan = self.plan_for(id, fields).await;
        let receipt = self.apply(&plan).await;
        let landed = receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Applied);
        assert!(landed, "{plan}{receipt}");
        receipt
    }

    /// Plans and applies; all of it must land, or be there already.
    pub async fn land_or_unchanged(&self, id: u64, fields: Value) -> Receipt {
        let plan = self.plan_for(id, fields).await;
        let receipt = self.apply(&plan).await;
        assert!(receipt.is_full_success(), "{plan}{receipt}");
        receipt
    }

    /// Takes a push back whole.
    pub async fn undo(&self, receipt: &Receipt) {
        let report = self.push.undo(receipt.push).await.unwrap();
        assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
        self.bench.tick();
    }

    /// Everything that the store holds, but for the moments that a save moves.
    pub fn parts(&self) -> Parts {
        let store = self.store();
        let mut parts = Parts::new();
        for (id, text) in store.snapshot() {
            let mut product: Value = serde_json::from_str(&text).unwrap();
            let fields = product.as_object_mut().unwrap();
            fields.remove("date_modified");
            for (name, value) in fields.iter_mut() {
                // Each part of a list is one of its own, by its id.
                let rows = match value.as_array_mut() {
                    Some(rows) if rows.iter().all(|row| row["id"].is_u64()) => rows,
                    _ => {
                        parts.insert((id, name.clone()), value.to_string());
                        continue;
                    }
                };
                for row in rows {
                    let row_id = row["id"].as_u64().unwrap();
                    row.as_object_mut().unwrap().remove("date_modified");
                    parts.insert((id, format!("{name} {row_id}")), row.to_string());
                }
            }
        }
        parts
    }
}

/// The parts that differ.
pub fn changed(before: &Parts, after: &Parts) -> BTreeSet<(u64, String)> {
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
