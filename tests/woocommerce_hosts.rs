//! Hosts that the recordings do not show: closed indexes, pages too heavy to build, records too broken to read.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::field_reassign_with_default,
    reason = "a test may panic"
)]

mod common;

use std::sync::Arc;

use common::{Kept, bench, bench_with, connect};
use lily_connect::connector::PullRequest;
use lily_connect::model::{Enrichment, Entity};
use lily_connect::state::MemoryState;
use lily_connect::sync::{Approvals, Pull, Push, PushSettings, ReceiptOutcome, Verdict};
use lily_connect::testkit::faults::{Fault, FaultRule, When};

#[tokio::test]
async fn a_site_that_closes_its_index_to_the_public_is_connected_to() {
    let bench = bench().await;
    bench
        .server
        .faults()
        .push(FaultRule::new(Fault::status(401)).matching(|request| request.path == "/wp-json/"));
    let connector = connect(&bench.server.url(), &bench.key, &bench.runtime).await;
    assert!(connector.capabilities().entity(Entity::Variant).is_some());
    assert!(connector.info().profile.currency.is_some());
}

#[tokio::test]
async fn a_page_that_the_store_cannot_build_is_asked_for_by_halves() {
    let bench = bench_with(|store| store.seed_generated(150, 0, 3)).await;
    let heavy = |per_page: &'static str| {
        FaultRule::new(Fault::status(500))
            .matching(move |request| request.query.contains(per_page))
            .times(1_000)
    };
    bench.server.faults().push(heavy("per_page=100"));
    bench.server.faults().push(heavy("per_page=50"));
    let mut sink = Kept::default();
    let pull = Pull::new(bench.connector.clone(), Arc::new(MemoryState::new()), Entity::Product);
    let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(sink.0.lock().unwrap().len(), 150);
}

#[tokio::test]
async fn one_record_that_cannot_be_read_stops_no_other() {
    let bench = bench().await;
    let state = Arc::new(MemoryState::new());
    let mut sink = Kept::default();
    let pull = Pull::new(bench.connector.clone(), state.clone(), Entity::Product);
    pull.run(&mut sink, &|_| {}).await.unwrap();
    let records = sink.0.lock().unwrap().clone();
    let title = |at: usize| -> Enrichment {
        let record = serde_json::to_value(&records[at]).unwrap();
        serde_json::from_value(serde_json::json!({
            "ref": record["ref"], "made_at": bench.runtime.clock().now(),
            "fields": {"title": {"value": "New", "base": record["base"]["title"]}},
        }))
        .unwrap()
    };
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let push = Push::new(bench.connector.clone(), state, bench.runtime.clone()).settings(settings);
    let plan = push.plan(&[title(0)]).await.unwrap();
    bench.server.faults().push(FaultRule::new(Fault::Reset(When::After)).on_method("POST").times(1));
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);

    let broken = format!("/products/{}", records[0].reference().id);
    bench.server.faults().push(FaultRule::new(Fault::status(403)).on_path(&broken).times(1_000));
    bench.clock.advance(std::time::Duration::from_secs(200));
    let plan = push.plan(&[title(1)]).await.unwrap();
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied);
    bench.server.faults().clear();
    assert_eq!(push.settle().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_pages_time_is_not_later_than_its_request() {
    let bench = bench().await;
    let before = bench.store.now();
    bench.store.before_request(1, lily_connect::testkit::woocommerce::WooStore::is_product_list, {
        let clock = bench.clock.clone();
        move |_| clock.advance(std::time::Duration::from_secs(30))
    });
    let page = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    let time = page.server_time.unwrap();
    assert!(time <= before, "{time} is later than {before}, when the request left");
}
