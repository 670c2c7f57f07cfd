//! The points of a Shopify store, spent by the real connector on the fake's bucket: long pulls in virtual time.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Kept;
use lily_connect::connector::Connector;
use lily_connect::model::Entity;
use lily_connect::state::MemoryState;
use lily_connect::sync::Pull;
use lily_connect::sync::bulk::{BulkSettings, BulkUse};
use lily_connect::testkit::shopify::Bucket;
use lily_connect::time::Clock;
use shopify::bench_with;

/// How many calls are start-up: the bucket is full at first, and nothing is known.
const START_UP: u64 = 25;

/// What a pull did with the points that came back after start-up.
async fn spent(products: usize, foreign: f64) -> (f64, u64, Duration, Bucket) {
    let seed = |shop: &lily_connect::testkit::shopify::ShopifyFake| {
        shop.seed_products(products);
        shop.set_foreign_rate(foreign);
    };
    let bench = bench_with(seed, |builder| builder, |settings| settings).await;
    let started: Arc<Mutex<Option<(Duration, Bucket)>>> = Arc::default();
    let (kept, clock) = (started.clone(), bench.clock.clone());
    bench.shop.after_request(
        START_UP,
        |_| true,
        move |shop| {
            *kept.lock().unwrap() = Some((clock.elapsed(), shop.bucket()));
        },
    );
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let bulk = BulkSettings::default().when(BulkUse::Never);
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).bulk(bulk);
    let sink = Kept::default();
    let certificate = pull.run(&mut sink.clone(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(sink.0.lock().unwrap().len(), products);
    let (from, first) = started.lock().unwrap().take().unwrap();
    let (to, last) = (bench.clock.elapsed(), bench.shop.bucket());
    let took = to - from;
    let offered = last.restore_rate * took.as_secs_f64() - (last.taken - first.taken);
    ((last.used - first.used) / offered, last.throttled - first.throttled, took, last)
}

#[tokio::test]
async fn a_long_pull_spends_what_comes_back_and_is_never_refused() {
    for (foreign, name) in [(0.0, "alone"), (50.0, "beside a client that takes half")] {
        let (used, throttled, took, last) = spent(4_000, foreign).await;
        eprintln!("{name}: {:.2} % of the points in {took:?}, {throttled} refused; {last:?}", used * 100.0);
        assert!(took > Duration::from_secs(300), "{took:?}");
        assert!(used >= 0.97, "{name}: {used}");
        assert_eq!(throttled, 0, "{name}");
    }
}
