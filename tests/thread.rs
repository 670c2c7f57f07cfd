//! The whole thread on the fake WooCommerce: pull, certificate, plan, apply, verify, undo.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::field_reassign_with_default,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;

use std::sync::Arc;

use common::{Kept, bench};
use lily_connect::model::{Enrichment, Entity};
use lily_connect::state::MemoryState;
use lily_connect::sync::{Approvals, Pull, Push, ReceiptOutcome, UndoOutcome, Verdict};

#[tokio::test]
async fn one_field_goes_through_every_room_and_back() {
    let bench = bench().await;
    let state = Arc::new(MemoryState::new());
    for (entity, count) in [(Entity::Product, 18), (Entity::Variant, 7)] {
        let mut sink = Kept::default();
        let pull = Pull::new(bench.connector.clone(), state.clone(), entity);
        let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        assert_eq!(sink.0.lock().unwrap().len(), count);
        println!("{certificate}");
    }
    let mut sink = Kept::default();
    let pull = Pull::new(bench.connector.clone(), state.clone(), Entity::Product);
    pull.forget().await.unwrap();
    pull.run(&mut sink, &|_| {}).await.unwrap();
    let record = sink.0.lock().unwrap()[3].clone();
    let record = serde_json::to_value(&record).unwrap();
    let id: u64 = record["ref"]["id"].as_str().unwrap().parse().unwrap();
    let before = bench.store.raw(id).unwrap();

    let enrichment: Enrichment = serde_json::from_value(serde_json::json!({
        "ref": record["ref"],
        "made_at": bench.runtime.clock().now(),
        "fields": {
            "title": {"value": "Salt & Pepper <Set>", "base": record["base"]["title"]},
            "tags": {"edit": {"add": ["Kitchen"]}, "base_keys": record["base"]["tags"]},
        },
    }))
    .unwrap();
    bench.server.traffic().clear();
    let push = Push::new(bench.connector.clone(), state, bench.runtime.clone());
    let plan = push.plan(&[enrichment]).await.unwrap();
    println!("{plan}");
    assert_eq!(plan.to_apply().count(), 2, "{plan}");
    assert_eq!(bench.server.traffic().writes(), 0);
    let receipt = push.apply(&plan, &Approvals::Only(plan.approve_all())).await.unwrap();
    println!("{receipt}");
    assert!(receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Applied), "{receipt}");
    assert_eq!(bench.server.traffic().writes(), 1);
    assert!(bench.store.raw(id).unwrap().contains("Salt &amp; Pepper &lt;Set&gt;"));
    let report = push.undo(receipt.push).await.unwrap();
    println!("{report}");
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    let strip = |text: &str| {
        let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
        for key in ["date_modified", "date_modified_gmt", "related_ids", "_links"] {
            json.as_object_mut().unwrap().remove(key);
        }
        json
    };
    assert_eq!(strip(&bench.store.raw(id).unwrap()), strip(&before));
}
