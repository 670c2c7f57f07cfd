//! The quota of a BigCommerce store, spent by the real connector on the fake's windows: long pulls in virtual time.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bigcommerce::{bench_with, ids};
use common::Kept;
use lily_connect::connector::{Connector, PullRequest};
use lily_connect::model::Entity;
use lily_connect::state::MemoryState;
use lily_connect::sync::Pull;
use lily_connect::testkit::bigcommerce::{Plan, WindowUse};
use lily_connect::time::Clock;

/// Pulls a store so that some windows are filled, one product a page; gives the windows between the first and the last,
/// which were under way when the pull began and ended.
async fn windows(plan: Plan, products: usize, foreign: u64, latency: Duration) -> Vec<WindowUse> {
    let seed = |store: &lily_connect::testkit::bigcommerce::BigCommerceFake| {
        store.seed_products(products);
        store.set_foreign_rate(foreign);
        store.set_conditions(|it| it.latency = latency);
    };
    let bench = bench_with(seed, |builder| builder.plan(plan), |settings| settings).await;
    let kept = Kept::default();
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).page_size(NonZeroU32::MIN);
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(ids(&kept.0.lock().unwrap()).len(), products, "nothing is lost");
    let windows = bench.store.windows();
    eprintln!("{plan:?} beside {foreign}: {windows:?} in {:?}", bench.clock.elapsed());
    windows[1..windows.len() - 1].to_vec()
}

fn used(windows: &[WindowUse]) -> f64 {
    let (offered, served): (u64, u64) = windows
        .iter()
        .fold((0, 0), |(offered, served), it| (offered + it.quota - it.foreign, served + it.served));
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let part = served as f64 / offered as f64;
    part
}

#[tokio::test]
async fn windows_of_150_and_450_calls_are_used_up_and_nothing_is_refused() {
    for (plan, products) in [(Plan::Standard, 460), (Plan::Pro, 1_370)] {
        let windows = windows(plan, products, 0, Duration::ZERO).await;
        assert!(windows.len() >= 2, "{windows:?}");
        assert!(used(&windows) >= 0.95, "{plan:?}: {}", used(&windows));
        assert_eq!(windows.iter().map(|it| it.refused).sum::<u64>(), 0, "{plan:?}");
    }
}

#[tokio::test]
async fn a_store_without_a_quota_and_without_headers_is_not_held_back() {
    let bench =
        bench_with(|store| drop(store.seed_products(600)), |builder| builder, |settings| settings).await;
    bench.server.traffic().clear();
    let before = bench.clock.elapsed();
    let kept = Kept::default();
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).page_size(NonZeroU32::MIN);
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete() && kept.0.lock().unwrap().len() == 600, "{certificate}");
    // More calls than a window of any plan has, in no time at all.
    assert!(bench.server.traffic().requests() > 600);
    assert_eq!(bench.clock.elapsed(), before, "no wait");
}

#[tokio::test]
async fn another_client_on_the_same_quota_loses_nothing_of_ours_and_finds_room() {
    for foreign in [50, 120] {
        let windows = windows(Plan::Standard, 330, foreign, Duration::from_millis(50)).await;
        let refused: u64 = windows.iter().map(|it| it.refused).sum();
        let served: u64 = windows.iter().map(|it| it.served).sum();
        assert!(refused * 20 <= served, "beside {foreign}: {refused} of {served} refused");
        // The first ones to ask take what is there; whoever comes evenly gets what it asks for until then.
        assert!(used(&windows) >= 0.9, "beside {foreign}: {}", used(&windows));
    }
}

#[tokio::test]
async fn a_refusal_without_headers_is_waited_out_and_nothing_is_lost() {
    let bench =
        bench_with(|store| drop(store.seed_products(30)), |builder| builder, |settings| settings).await;
    bench.store.set_conditions(|it| {
        it.bare_refusals = 3;
        it.without_limit_headers = true;
    });
    let (records, certificate) = bench.pull(Entity::Product).await;
    assert!(certificate.is_complete() && records.len() == 30, "{certificate}");
    assert!(bench.clock.elapsed() > Duration::ZERO);
}

#[tokio::test]
async fn a_share_of_the_quota_leaves_the_rest_to_the_stores_other_apps() {
    let seed = |store: &lily_connect::testkit::bigcommerce::BigCommerceFake| drop(store.seed_products(3));
    let build =
        |builder: lily_connect::testkit::bigcommerce::BigCommerceFakeBuilder| builder.plan(Plan::Standard);
    let bench = bench_with(seed, build, |settings| settings.quota_share(0.5)).await;
    for _ in 0..200 {
        bench.connector.pull_page(&PullRequest::all(Entity::Brand)).await.unwrap();
    }
    for window in bench.store.windows() {
        assert!(window.served <= 76, "{window:?}");
    }
}
