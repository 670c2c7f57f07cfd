//! The example of the README: pull, enrich one title, plan, apply, undo. The store comes from the environment.

use std::sync::Arc;

use lily_connect::model::FieldName;
use lily_connect::registry::runtime_from_env;
use lily_connect::{Approvals, ConnectorConfig, Enrichment, Entity, JsonlSink, Pull, Push, Record};
use lily_connect::{SqliteState, StateStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = runtime_from_env()?;
    let store = ConnectorConfig::from_env()?.connect(&runtime).await?;
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open("lily-connect.db")?);

    let mut sink = JsonlSink::create("catalog.jsonl")?;
    let pull = Pull::new(Arc::clone(&store), Arc::clone(&state), Entity::Product);
    eprintln!("{}", pull.run(&mut sink, &|_| {}).await?);
    sink.finish().await?;
    pull.forget().await?;

    let line = std::fs::read_to_string("catalog.jsonl")?;
    let product: Record = serde_json::from_str(line.lines().next().ok_or("no products")?)?;
    let enrichment: Enrichment = serde_json::from_value(serde_json::json!({
        "ref": product.reference(), "made_at": runtime.clock().now(),
        "fields": {"title": {"value": "A Better Title", "base": product.base().get(&FieldName::new("title"))}},
    }))?;
    let push = Push::new(store, state, runtime);
    let plan = push.plan(&[enrichment]).await?;
    eprintln!("{plan}");
    let receipt = push.apply(&plan, &Approvals::Only(plan.approve_all())).await?;
    eprintln!("{receipt}\n{}", push.undo(receipt.push).await?);
    Ok(())
}
