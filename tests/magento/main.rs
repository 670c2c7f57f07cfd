//! The Magento connector on its fake: what it reads and writes, what it costs, and what each quirk of the platform
//! comes to.

#![cfg(all(feature = "testkit", feature = "magento"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

#[path = "../common/magento.rs"]
mod common;
mod errors;
#[cfg(feature = "jwt")]
mod events;
mod jobs;
mod push;
mod read;
mod views;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lily_connect::connector::Connector;
use lily_connect::error::Result;
use lily_connect::model::{Enrichment, Entity, Record};
use lily_connect::state::{MemoryState, PushId, SinkMark, StateStore};
use lily_connect::sync::{
    Approvals, Certificate, Delivery, Plan, Pull, Push, Receipt, Rejected, Sink, UndoReport,
};
use serde_json::{Value, json};

use common::Bench;

/// A sink that keeps the records.
#[derive(Debug, Default, Clone)]
struct Kept(Arc<Mutex<Vec<Record>>>);

#[async_trait]
impl Sink for Kept {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }
    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.0.lock().unwrap().extend_from_slice(records);
        Ok(())
    }
    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        panic!("{rejected:?}");
    }
    async fn mark(&mut self) -> Result<SinkMark> {
        Ok(SinkMark(self.0.lock().unwrap().len() as u64))
    }
    async fn rewind(&mut self, mark: SinkMark) -> Result<()> {
        self.0.lock().unwrap().truncate(usize::try_from(mark.0).unwrap());
        Ok(())
    }
}

impl Kept {
    fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.0.lock().unwrap().iter().map(id).collect();
        ids.sort_unstable();
        ids
    }
}

fn id(record: &Record) -> u64 {
    record.reference().id.as_str().parse().unwrap()
}

/// Pulls all of a kind into a state: the certificate, and the records as JSON.
async fn pull(
    connector: &Arc<dyn Connector>,
    state: &Arc<dyn StateStore>,
    entity: Entity,
) -> (Certificate, Vec<Value>) {
    let mut kept = Kept::default();
    let pull = Pull::new(connector.clone(), state.clone(), entity).keep_base(true);
    pull.forget().await.unwrap();
    let certificate = pull.run(&mut kept, &|_| {}).await.unwrap();
    let records = kept.0.lock().unwrap().iter().map(|record| serde_json::to_value(record).unwrap()).collect();
    (certificate, records)
}

fn of(records: &[Value], id: u64) -> &Value {
    let id = id.to_string();
    records.iter().find(|record| record["ref"]["id"].as_str() == Some(&id)).unwrap()
}

/// A connector with a state of its own, and the calls that tests of pushes repeat.
struct Desk {
    connector: Arc<dyn Connector>,
    state: Arc<dyn StateStore>,
    push: Push,
}

impl Desk {
    fn new(bench: &Bench, connector: Arc<dyn Connector>) -> Self {
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let push = Push::new(connector.clone(), state.clone(), bench.runtime.clone());
        bench.clock.advance(Duration::from_secs(5));
        Self { connector, state, push }
    }

    async fn record(&self, id: u64) -> Value {
        of(&pull(&self.connector, &self.state, Entity::Product).await.1, id).clone()
    }

    /// What a service makes of a pulled record.
    fn enrich(bench: &Bench, record: &Value, fields: Value) -> Enrichment {
        bench.clock.advance(Duration::from_secs(2));
        let made_at = bench.runtime.clock().now();
        serde_json::from_value(json!({"ref": record["ref"], "made_at": made_at, "fields": fields})).unwrap()
    }

    /// A text with the base of the record.
    fn text(record: &Value, field: &str, text: &str) -> Value {
        json!({field: {"value": text, "base": record["base"][field]}})
    }

    async fn plan(&self, enrichment: &Enrichment) -> Plan {
        self.push.plan(std::slice::from_ref(enrichment)).await.unwrap()
    }

    async fn apply(&self, bench: &Bench, plan: &Plan) -> Receipt {
        bench.clock.advance(Duration::from_secs(2));
        self.push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap()
    }

    /// Plans and applies; all of it must land.
    async fn land(&self, bench: &Bench, enrichment: &Enrichment) -> PushId {
        let plan = self.plan(enrichment).await;
        let receipt = self.apply(bench, &plan).await;
        assert!(receipt.is_full_success(), "{plan}{receipt}");
        receipt.push
    }

    async fn undo(&self, bench: &Bench, push: PushId) -> UndoReport {
        bench.clock.advance(Duration::from_secs(2));
        self.push.undo(push).await.unwrap()
    }
}

/// What a bench's own connector is asked through.
fn own(bench: &Bench) -> Arc<dyn Connector> {
    bench.connector.clone()
}
