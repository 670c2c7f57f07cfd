//! Pulls of a Shopify store by bulk job: the same records as by pages, and each way that a job goes wrong.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::Kept;
use lily_connect::connector::Connector;
use lily_connect::model::Entity;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::bulk::{BulkSettings, BulkUse};
use lily_connect::sync::{Certificate, CheckOutcome, Pull, Rule, Verdict};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::shopify::{BulkFault, ShopifyFake};
use lily_connect::time::Clock;
use serde_json::Value;
use shopify::{Bench, bench, bench_with};
use tokio::sync::Notify;

fn pull(bench: &Bench, entity: Entity, state: Arc<dyn StateStore>, when: BulkUse) -> Pull {
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let settings = BulkSettings::with_clock(bench.clock.clone()).when(when);
    Pull::new(connector, state, entity).keep_base(true).bulk(settings)
}

async fn run(pull: &Pull) -> (BTreeMap<u64, Value>, Certificate) {
    let kept = Kept::default();
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    let records = kept.0.lock().unwrap();
    let count = records.len();
    let by_id: BTreeMap<u64, Value> = records
        .iter()
        .map(|record| {
            (record.reference().id.as_str().parse().unwrap(), serde_json::to_value(record).unwrap())
        })
        .collect();
    assert_eq!(by_id.len(), count, "each record once");
    (by_id, certificate)
}

async fn records(bench: &Bench, entity: Entity, when: BulkUse) -> (BTreeMap<u64, Value>, Certificate) {
    run(&pull(bench, entity, Arc::new(MemoryState::new()), when)).await
}

fn jobs(bench: &Bench) -> usize {
    bench.shop.count_calls("bulkOperationRunQuery")
}

/// Whichever way they came, they are the same, member by member.
fn assert_same(paged: &BTreeMap<u64, Value>, bulk: &BTreeMap<u64, Value>) {
    assert_eq!(paged.keys().collect::<Vec<_>>(), bulk.keys().collect::<Vec<_>>());
    for (id, paged) in paged {
        let bulk = &bulk[id];
        for (name, value) in paged.as_object().unwrap() {
            assert_eq!(Some(value), bulk.get(name), "{id} {name}");
        }
        assert_eq!(paged, bulk);
    }
}

fn seed(shop: &ShopifyFake) {
    let ids = shop.seed_products(60);
    shop.big_product(300, 60, 40);
    shop.create_product("Without anything", |_| {});
    for n in 0..8 {
        shop.create_collection(&format!("Shelf of many {n}"), &ids[..40]);
    }
}

#[tokio::test]
async fn a_job_gives_the_same_records_as_pages_with_children_in_any_order() {
    for number in 1..=4 {
        eprintln!("seed of the order: {number}");
        let bench = bench_with(seed, |builder| builder.seed(number), |settings| settings).await;
        for entity in [Entity::Product, Entity::Variant, Entity::Category] {
            let (paged, certificate) = records(&bench, entity, BulkUse::Never).await;
            assert!(certificate.is_complete() && certificate.bulk.is_none(), "{certificate}");
            bench.shop.clear_calls();
            let (bulk, certificate) = records(&bench, entity, BulkUse::Always).await;
            assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
            assert_eq!(jobs(&bench), 1);
            let report = certificate.bulk.as_ref().unwrap();
            assert_eq!((report.found.roots, report.failures.len()), (Some(bulk.len() as u64), 0));
            assert!(certificate.from.is_some());
            assert_same(&paged, &bulk);
        }
    }
}

#[tokio::test]
async fn an_empty_list_has_no_file_and_is_complete() {
    let bench = bench(0).await;
    let (records, certificate) = records(&bench, Entity::Product, BulkUse::Always).await;
    assert_eq!((records.len(), certificate.verdict), (0, Verdict::Complete));
    assert_eq!(jobs(&bench), 1);
}

type Trouble = fn(&mut BulkFault);

const TROUBLES: [(Trouble, &[&str]); 7] = [
    (|fault| fault.fail_with = Some("TIMEOUT".to_owned()), &["failed_TIMEOUT"]),
    (
        |fault| {
            fault.fail_with = Some("INTERNAL_SERVER_ERROR".to_owned());
            fault.partial_lines = Some(25);
        },
        &["failed_INTERNAL_SERVER_ERROR"],
    ),
    (|fault| fault.count_difference = 1, &["objects_differ"]),
    (|fault| fault.count_difference = -1, &["objects_differ"]),
    (|fault| fault.cut_at = Some(5_000), &["file_ends_in_a_line", "objects_differ", "records_differ"]),
    (|fault| fault.cut_at = Some(0), &["file_missing"]),
    (|fault| fault.stalls = true, &["took_too_long"]),
];

#[tokio::test]
async fn a_job_that_goes_wrong_is_mended_by_another_one_or_by_pages() {
    for (trouble, codes) in TROUBLES {
        for times in [1, 2] {
            let bench = bench_with(seed, |builder| builder, |settings| settings).await;
            let (paged, _) = records(&bench, Entity::Product, BulkUse::Never).await;
            for _ in 0..times {
                bench.shop.fail_next_bulk(trouble);
            }
            bench.shop.clear_calls();
            let (bulk, certificate) = records(&bench, Entity::Product, BulkUse::Always).await;
            assert_eq!(certificate.verdict, Verdict::Complete, "{codes:?} {certificate}");
            let failures = &certificate.bulk.as_ref().unwrap().failures;
            assert_eq!(failures.len(), times, "{failures:?}");
            assert!(failures.iter().all(|code| codes.contains(&code.as_str())), "{codes:?} {failures:?}");
            assert_eq!(jobs(&bench), 2);
            let whole = certificate.checks.iter().find(|check| check.rule == Rule::BulkWhole).unwrap();
            assert_eq!(whole.outcome == CheckOutcome::Held, times == 1);
            assert_same(&paged, &bulk);
        }
    }
}

#[tokio::test]
async fn where_nothing_may_mend_it_it_is_incomplete_and_a_later_pull_is_whole() {
    for (trouble, codes) in TROUBLES {
        let bench = bench_with(seed, |builder| builder, |settings| settings).await;
        bench.shop.fail_next_bulk(trouble);
        let connector: Arc<dyn Connector> = bench.connector.clone();
        let mut settings = BulkSettings::with_clock(bench.clock.clone()).when(BulkUse::Always);
        (settings.jobs, settings.then_page) = (1, false);
        let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).bulk(settings);
        let (_, certificate) = run(&pull).await;
        assert!(!certificate.is_complete(), "{codes:?} {certificate}");
        assert!(certificate.bulk.as_ref().unwrap().gap.is_some(), "{codes:?} {certificate}");
        pull.forget().await.unwrap();
        let (records, certificate) = run(&pull).await;
        assert!(certificate.is_complete(), "{codes:?} {certificate}");
        assert_eq!(records.len(), bench.shop.product_count());
    }
}

fn is_file(request: &Request) -> bool {
    request.path.starts_with("/bulk-files/")
}

#[tokio::test]
async fn a_file_whose_address_is_over_is_mended_by_another_job() {
    let bench = bench_with(seed, |builder| builder, |settings| settings).await;
    let clock = bench.clock.clone();
    bench.shop.before_request(1, is_file, move |_| clock.advance(Duration::from_secs(8 * 86_400)));
    let (records, certificate) = records(&bench, Entity::Product, BulkUse::Always).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.bulk.unwrap().failures, ["file_gone"]);
    assert_eq!(records.len(), bench.shop.product_count());
    assert_eq!(jobs(&bench), 2);
}

#[tokio::test]
async fn a_job_that_the_platform_cancels_is_started_anew() {
    let bench = bench_with(seed, |builder| builder, |settings| settings).await;
    bench.shop.fail_next_bulk(|fault| fault.stalls = true);
    let clock = bench.clock.clone();
    bench.shop.before_request(2, ShopifyFake::asks("BulkOperationState"), move |_| {
        clock.advance(Duration::from_secs(11 * 86_400));
    });
    let (_, certificate) = records(&bench, Entity::Product, BulkUse::Always).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.bulk.unwrap().failures, ["cancelled"]);
}

#[tokio::test]
async fn a_place_among_the_jobs_that_may_run_is_waited_for() {
    let bench = bench_with(seed, |builder| builder, |settings| settings).await;
    bench.shop.configure_bulk(|settings| settings.parallel = 0);
    bench.shop.after_request(3, ShopifyFake::asks("bulkOperationRunQuery"), |shop| {
        shop.configure_bulk(|settings| settings.parallel = 5);
    });
    let before = bench.clock.elapsed();
    let (_, certificate) = records(&bench, Entity::Product, BulkUse::Always).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(jobs(&bench), 4);
    assert!(bench.clock.elapsed() - before >= Duration::from_secs(15), "five seconds each time");
    assert_eq!(certificate.bulk.unwrap().failures, Vec::<lily_connect::model::Text>::new());
}

#[tokio::test]
async fn a_job_whose_start_was_not_heard_of_is_found_again_by_its_tag() {
    for when in [When::After, When::Before] {
        let bench = bench_with(seed, |builder| builder, |settings| settings).await;
        // Others' jobs are not ours.
        let (_, certificate) = records(&bench, Entity::Product, BulkUse::Always).await;
        assert!(certificate.is_complete());
        bench.shop.clear_calls();
        let lost = FaultRule::new(Fault::Reset(when)).matching(ShopifyFake::asks("bulkOperationRunQuery"));
        bench.server.faults().push(lost);
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let pull = pull(&bench, Entity::Product, state, BulkUse::Always);
        pull.run(&mut Kept::default(), &|_| {}).await.unwrap_err();
        let (records, certificate) = run(&pull).await;
        assert!(certificate.is_complete(), "{certificate}");
        assert_eq!(records.len(), bench.shop.product_count());
        assert_eq!(jobs(&bench), 1, "{when:?}: not started twice");
    }
}

#[tokio::test]
async fn a_run_that_ends_between_two_polls_or_in_the_download_goes_on_with_its_job() {
    for at in ["BulkOperationState", "file"] {
        let bench = bench_with(seed, |builder| builder, |settings| settings).await;
        let reached = Arc::new(Notify::new());
        let told = reached.clone();
        let is_it = move |request: &Request| match at {
            "file" => is_file(request),
            at => ShopifyFake::asks(at)(request),
        };
        bench.shop.after_request(1, is_it, move |_| told.notify_one());
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let pull = pull(&bench, Entity::Product, state, BulkUse::Always);
        let mut kept = Kept::default();
        tokio::select! {
            biased;
            () = reached.notified() => {}
            ended = pull.run(&mut kept, &|_| {}) => panic!("{ended:?}"),
        }
        let (_, certificate) = run(&pull).await;
        assert!(certificate.is_complete(), "{at} {certificate}");
        assert_eq!(jobs(&bench), 1, "{at}");
    }
}

#[tokio::test]
async fn what_changed_since_a_time_comes_by_a_job_too() {
    let bench = bench_with(seed, |builder| builder, |settings| settings).await;
    bench.clock.advance(Duration::from_secs(1_000_000));
    let since = bench.clock.now();
    bench.clock.advance(Duration::from_secs(5));
    let ids: Vec<u64> = bench.shop.ids().into_iter().step_by(7).collect();
    for id in &ids {
        assert!(bench.shop.edit_product(*id, |product| product.title.push_str(", edited")));
    }
    let changed = |when| pull(&bench, Entity::Product, Arc::new(MemoryState::new()), when).since(since);
    let (paged, _) = run(&changed(BulkUse::Never)).await;
    assert_eq!(paged.keys().copied().collect::<Vec<_>>(), ids);
    bench.shop.clear_calls();
    let (bulk, certificate) = run(&changed(BulkUse::Always)).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(jobs(&bench), 1);
    assert_same(&paged, &bulk);
}

#[tokio::test]
async fn a_job_is_used_from_the_threshold_on() {
    // Sixty products are predicted to be three pages.
    for (products, calls, used) in
        [(60, 2, true), (60, 3, true), (60, 4, false), (61, 4, true), (0, 1, false)]
    {
        let bench = bench(products).await;
        let when = BulkUse::From { calls, takes: Duration::MAX };
        let (records, certificate) = records(&bench, Entity::Product, when).await;
        assert!(certificate.is_complete(), "{certificate}");
        assert_eq!((records.len(), jobs(&bench)), (products, usize::from(used)), "{products} in {calls}");
    }
    // By time: 25 points a product, and 100 come back in a second.
    for (seconds, used) in [(14, true), (15, true), (16, false)] {
        let bench = bench(60).await;
        let when = BulkUse::From { calls: u64::MAX, takes: Duration::from_secs(seconds) };
        records(&bench, Entity::Product, when).await;
        assert_eq!(jobs(&bench), usize::from(used), "{seconds}");
    }
}

#[tokio::test]
async fn a_job_is_waited_for_by_the_clock_of_the_connectors_runtime() {
    let bench = bench(20).await;
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let settings = BulkSettings::default().when(BulkUse::Always);
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).bulk(settings);
    let begun = bench.clock.elapsed();
    let (records, certificate) = run(&pull).await;
    assert!(certificate.is_complete() && certificate.bulk.is_some(), "{certificate}");
    assert_eq!(records.len(), 20);
    assert!(bench.clock.elapsed() - begun >= Duration::from_secs(1), "the waits are on the fake clock");
}
