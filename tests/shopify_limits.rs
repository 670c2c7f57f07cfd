//! The points of a Shopify store, spent by the real connector on the fake's bucket: an hour of virtual time on each
//! plan, alone and beside a client that takes half of what comes back.
//!
//! `tests/limits.rs` does the same for the budget alone, with answers that take time.
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
use lily_connect::testkit::shopify::{Bucket, Plan, ShopifyFake};
use lily_connect::time::Clock;
use shopify::bench_with;

const HOUR: Duration = Duration::from_secs(3600);
/// What is not the steady state: the bucket is full at first, and nothing is known.
const START_UP: Duration = Duration::from_secs(60);
/// The products of the shop, which is pulled again and again.
const PRODUCTS: usize = 1_000;

/// Who else draws from the bucket.
#[derive(Debug, Clone, Copy)]
enum Others {
    Nobody,
    Half,
}

/// Pulls for an hour behind the start-up. The points that came back for us and were not taken by others have to be
/// used, and no call may be refused.
async fn hour(plan: Plan, others: Others) {
    let seed = |shop: &ShopifyFake| {
        shop.seed_products(PRODUCTS);
        if matches!(others, Others::Half) {
            shop.set_foreign_rate(plan.restore_rate() / 2.0);
        }
    };
    let bench = bench_with(seed, |builder| builder.plan(plan), |settings| settings).await;
    let started: Arc<Mutex<Option<(Duration, Bucket)>>> = Arc::default();
    let (kept, clock) = (started.clone(), bench.clock.clone());
    let is_over = move |_: &_| clock.elapsed() >= START_UP;
    let clock = bench.clock.clone();
    bench.shop.after_request(1, is_over, move |shop| {
        *kept.lock().unwrap() = Some((clock.elapsed(), shop.bucket()));
    });
    let mut pulls = 0;
    while bench.clock.elapsed() < START_UP + HOUR {
        let connector: Arc<dyn Connector> = bench.connector.clone();
        let bulk = BulkSettings::default().when(BulkUse::Never);
        let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).bulk(bulk);
        let sink = Kept::default();
        let certificate = pull.run(&mut sink.clone(), &|_| {}).await.unwrap();
        assert!(certificate.is_complete(), "{certificate}");
        assert_eq!(sink.0.lock().unwrap().len(), PRODUCTS);
        bench.shop.clear_calls();
        pulls += 1;
    }
    let (from, first) = started.lock().unwrap().take().unwrap();
    let (to, last) = (bench.clock.elapsed(), bench.shop.bucket());
    let took = to - from;
    let offered = last.restore_rate * took.as_secs_f64() - (last.taken - first.taken);
    let used = (last.used - first.used) / offered;
    let refused = (first.throttled, last.throttled - first.throttled);
    eprintln!(
        "{plan:?}, {others:?}: {:.2} % of {offered:.0} points in {took:?} and {pulls} pulls; {} refused at the \
         start, {} later",
        used * 100.0,
        refused.0,
        refused.1
    );
    assert!(took >= HOUR - Duration::from_secs(60), "{took:?}");
    assert!(used >= 0.97, "{used}");
    assert!(refused.0 <= 5 && refused.1 == 0, "{refused:?}");
}

macro_rules! hours {
    ($($(#[$attribute:meta])* $name:ident: $plan:ident, $others:ident;)+) => {
        $(#[tokio::test]
        $(#[$attribute])*
        async fn $name() {
            hour(Plan::$plan, Others::$others).await;
        })+
    };
}

hours! {
    an_hour_alone_on_the_standard_plan: Standard, Nobody;
    an_hour_beside_half_on_the_standard_plan: Standard, Half;
    #[ignore = "minutes without optimisation: see docs/development.md"]
    an_hour_alone_on_the_advanced_plan: Advanced, Nobody;
    #[ignore = "minutes without optimisation: see docs/development.md"]
    an_hour_beside_half_on_the_advanced_plan: Advanced, Half;
    #[ignore = "minutes without optimisation: see docs/development.md"]
    an_hour_alone_on_the_plus_plan: Plus, Nobody;
    #[ignore = "minutes without optimisation: see docs/development.md"]
    an_hour_beside_half_on_the_plus_plan: Plus, Half;
    #[ignore = "minutes without optimisation: see docs/development.md"]
    an_hour_alone_on_the_enterprise_plan: Enterprise, Nobody;
    #[ignore = "minutes without optimisation: see docs/development.md"]
    an_hour_beside_half_on_the_enterprise_plan: Enterprise, Half;
}
