//! The quota: windows, their headers, other clients, and refusals of other kinds.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::bigcommerce::{BigCommerceFake, Plan};
use lily_connect::testkit::exchange::Handler;

use super::{shop, shop_with};

#[test]
fn a_window_of_each_plan_serves_its_quota_and_tells_it() {
    for (plan, quota) in [(Plan::Standard, 150), (Plan::Pro, 450), (Plan::Quota(60), 60)] {
        let shop = shop_with(1, |builder| builder.plan(plan));
        for left in (0..quota).rev() {
            let answer = shop.get("/v2/time");
            assert_eq!(answer.status, 200);
            assert_eq!(answer.response.header("x-rate-limit-requests-left"), Some(left.to_string().as_str()));
        }
        shop.clock.advance(Duration::from_millis(10_500));
        let refused = shop.get("/catalog/products");
        assert_eq!(refused.status, 429);
        let header = |name: &str| refused.response.header(name);
        assert_eq!(header("x-retry-after"), Some("20"), "whole seconds, and not too few");
        assert_eq!(header("x-rate-limit-time-window-ms"), Some("30000"));
        assert_eq!(header("x-rate-limit-time-reset-ms"), Some("19500"));
        assert_eq!(header("x-rate-limit-requests-quota"), Some(quota.to_string().as_str()));
        assert!(header("retry-after").is_none());
        shop.clock.advance(Duration::from_secs(20));
        assert_eq!(shop.get("/v2/time").status, 200);
        let windows = shop.store.windows();
        assert_eq!((windows[0].served, windows[0].refused, windows[1].served), (quota, 1, 1));
    }
}

#[test]
fn an_unlimited_plan_has_no_headers_and_no_refusals() {
    let shop = shop_with(1, |builder| builder.plan(Plan::Unlimited));
    for _ in 0..500 {
        let answer = shop.get("/v2/time");
        assert_eq!(answer.status, 200);
        assert!(answer.response.header("x-rate-limit-requests-left").is_none());
    }
}

#[test]
fn another_client_draws_on_the_same_quota() {
    let shop = shop_with(1, |builder| builder.plan(Plan::Standard));
    shop.store.set_foreign_rate(60);
    let mut served = 0;
    for _ in 0..150 {
        served += u64::from(shop.get("/v2/time").status == 200);
        shop.clock.advance(Duration::from_millis(190));
    }
    let window = shop.store.windows()[0];
    assert_eq!(served, window.served);
    // Together they ask for 7.3 requests a second, so the quota is gone after some twenty seconds.
    assert!((35..=50).contains(&window.foreign) && window.refused > 0, "{window:?}");
    assert_eq!(window.served + window.foreign, 150);
    assert_eq!(shop.store.take_foreign(1_000), 0);
    shop.clock.advance(Duration::from_secs(30));
    assert_eq!(shop.store.take_foreign(1_000), 150);
    assert_eq!(shop.get("/v2/time").status, 429);
}

#[test]
fn a_refusal_can_come_without_any_header() {
    let shop = shop(1);
    shop.store.set_conditions(|conditions| conditions.bare_refusals = 1);
    let refused = shop.get("/v2/time");
    assert_eq!(refused.status, 429);
    assert!(refused.response.headers.is_empty() && refused.response.body.is_empty());
    assert_eq!(shop.get("/v2/time").status, 200);
    shop.store.set_conditions(|conditions| conditions.without_limit_headers = true);
    assert!(shop.get("/v2/time").response.header("x-rate-limit-requests-left").is_none());
}

#[test]
fn a_store_can_be_down_and_errors_can_be_empty() {
    let shop = shop(1);
    shop.store.set_conditions(|conditions| conditions.empty_errors = true);
    let answer = shop.get("/catalog/products/1");
    assert_eq!((answer.status, answer.response.body.len()), (404, 0));
    shop.store.set_conditions(|conditions| conditions.maintenance = true);
    let answer = shop.get("/v2/time");
    assert_eq!((answer.status, answer.response.header("content-type")), (503, Some("text/html")));
}

/// Two requests at once, under a clock that moves by hand: the first waits, the second comes meanwhile.
#[tokio::test]
async fn the_tree_is_read_by_one_at_a_time_and_all_can_be_bounded() {
    let clock = Arc::new(FakeClock::new());
    let store = BigCommerceFake::builder(clock.clone()).build();
    let token = store.issue_token("test");
    store.set_conditions(|conditions| conditions.latency = Duration::from_secs(1));
    let request = |target: &str| {
        let target = format!("/stores/abc123/v3{target}");
        super::Request::new(Method::GET, &target, super::Transport::Plain)
            .with_header("x-auth-token".parse().unwrap(), &token)
    };
    let both = async |target: &str| {
        let (one, other) = (request(target), request(target));
        let wait = async {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        };
        let (one, other, ()) = tokio::join!(store.respond(&one), store.respond(&other), wait);
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(both("/catalog/trees/1/categories").await, [200, 429]);
    assert_eq!(both("/catalog/products").await, [200, 200]);
    store.set_conditions(|conditions| conditions.concurrency = Some(1));
    assert_eq!(both("/catalog/products").await, [200, 429]);
}
