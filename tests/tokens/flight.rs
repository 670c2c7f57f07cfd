//! One refresh for all who wait, whoever of them goes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use lily_connect::auth::{Authenticator, Refreshed, TokenRecord, TokenSet};
use lily_connect::error::{ErrorKind, Result};
use lily_connect::model::Secret;
use tokio::task::unconstrained;

use crate::logged::Logged;
use crate::platform::LIFE;
use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn refreshes(world: &World) -> usize {
    world.platform.refreshes.load(Ordering::SeqCst)
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn all_succeed(calls: impl Iterator<Item = impl Future<Output = Result<()>>>) {
    for done in join_all(calls).await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_callers_at_expiry_cause_one_refresh() {
    for passed in [LIFE, LIFE - 4 * MINUTE] {
        let world = World::memory().authorised().await;
        let process = world.process();
        process.call().await.unwrap();
        assert_eq!(refreshes(&world), 0);
        world.pass(passed);
        all_succeed((0..1000).map(|_| process.call())).await;
        assert_eq!(refreshes(&world), 1, "after {passed:?}");
        assert_eq!(world.platform.calls.load(Ordering::SeqCst), 1001);
        assert_eq!(world.platform.refused_calls.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_on_several_threads_cause_one_refresh() {
    let world = World::memory().authorised().await;
    let process = Arc::new(world.process());
    world.pass(LIFE);
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let process = process.clone();
            tokio::spawn(async move { process.call().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn a_thousand_refused_callers_cause_one_refresh() {
    let world = World::memory().authorised().await;
    let process = world.process();
    process.call().await.unwrap();
    world.platform.revoke_access();
    all_succeed((0..1000).map(|_| process.call())).await;
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn a_late_refusal_of_an_old_token_causes_no_refresh() {
    let world = World::memory().authorised().await;
    let process = world.process();
    let old = process.headers().await.unwrap();
    world.platform.revoke_access();
    process.call().await.unwrap();
    assert_eq!(refreshes(&world), 1);
    assert_eq!(process.token.refresh(&old).await.unwrap(), Refreshed::Found);
    assert_eq!(process.token.refresh(&http::HeaderMap::new()).await.unwrap(), Refreshed::Nothing);
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn a_token_is_replaced_early_but_not_before_half_of_its_life() {
    let world = World::memory().authorised().await;
    let process = world.process();
    for (passed, expected) in [(54 * MINUTE, 0), (MINUTE, 1), (54 * MINUTE, 1), (MINUTE, 2)] {
        world.pass(passed);
        process.call().await.unwrap();
        assert_eq!(refreshes(&world), expected);
    }
    // A token that lives for a minute is used for half of it, not refreshed for each call.
    let (access, refresh) = world.platform.authorise();
    let mut short = world.pair(&access, &refresh);
    short.expires_at = Some(short.obtained_at.saturating_add(MINUTE));
    world.keep(TokenRecord::new(short)).await;
    let process = world.process();
    for (passed, expected) in [(29, 2), (1, 3)] {
        world.pass(Duration::from_secs(passed));
        process.call().await.unwrap();
        assert_eq!(refreshes(&world), expected);
    }
}

#[tokio::test]
async fn a_caller_that_is_dropped_leaves_its_refresh_to_the_others() {
    // Dropped after each number of steps: before, in and after the refresh.
    for steps in 1..40 {
        let world = World::memory().authorised().await;
        world.pass(LIFE);
        let process = world.process();
        {
            let mut other = pin!(unconstrained(process.call()));
            let mut done = false;
            {
                let mut first = pin!(unconstrained(process.call()));
                for _ in 0..steps {
                    if poll(first.as_mut()).is_ready() {
                        break;
                    }
                    // The other one waits, and does not drive the refresh on.
                    if steps % 2 == 0 && poll(other.as_mut()).is_ready() {
                        done = true;
                        break;
                    }
                }
            }
            if !done {
                other.await.unwrap();
            }
        }
        // Where nobody else was there when the only caller went, its request was lost with it.
        assert!(refreshes(&world) <= 1 + steps % 2, "{steps}");
        assert!(process.headers().await.is_ok());
    }
}

#[tokio::test]
async fn all_callers_may_be_dropped_at_any_step() {
    for steps in 0..40 {
        let world = World::memory().authorised().await;
        world.pass(LIFE);
        let process = world.process();
        {
            let mut calls = pin!(unconstrained(join_all((0..10).map(|_| process.call()))));
            for _ in 0..steps {
                if poll(calls.as_mut()).is_ready() {
                    break;
                }
            }
        }
        process.call().await.unwrap();
        assert!(refreshes(&world) <= 2, "{steps}");
    }
}

#[tokio::test]
async fn a_wait_is_bounded_and_a_token_that_works_is_used_meanwhile() {
    let world = World::memory().authorised().await;
    let process = world.process();
    process.call().await.unwrap();
    // The endpoint is down: the token is used until it ends.
    *world.platform.says.lock().unwrap() = Some((503, String::new()));
    world.pass(LIFE - 4 * MINUTE);
    all_succeed((0..100).map(|_| process.call())).await;
    assert_eq!(refreshes(&world), 3, "one refresh of three attempts");
    process.call().await.unwrap();
    assert_eq!(refreshes(&world), 3, "and none for each call");
    world.pass(MINUTE);
    process.call().await.unwrap();
    assert_eq!(refreshes(&world), 6);
    world.pass(4 * MINUTE);
    let error = process.call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "token_endpoint_unavailable"));
    *world.platform.says.lock().unwrap() = None;
    process.call().await.unwrap();
}

#[tokio::test]
async fn the_predecessor_is_kept_until_the_first_success() {
    let world = World::memory().authorised().await;
    let first = world.record().await.current;
    world.pass(LIFE);
    let process = world.process();
    let headers = process.headers().await.unwrap();
    assert_eq!(world.record().await.predecessor.as_ref(), Some(&first));
    assert_ne!(world.record().await.current.access, first.access);
    // A success with something else says nothing.
    process.token.accepted(&http::HeaderMap::new()).await;
    assert!(world.record().await.predecessor.is_some());
    process.token.accepted(&headers).await;
    assert_eq!(world.record().await.predecessor, None);
    let version = world.vault.load(&world.slot).await.unwrap().version;
    process.call().await.unwrap();
    assert_eq!(world.vault.load(&world.slot).await.unwrap().version, version, "nothing is written again");
}

#[tokio::test]
async fn an_idle_store_is_kept_alive_in_time() {
    let world = World::memory().authorised().await;
    let process = world.process();
    let mut pair: TokenSet = world.record().await.current;
    pair.refresh_expires_at = Some(pair.obtained_at.saturating_add(24 * 60 * MINUTE));
    pair.scopes = vec!["read_products".into()];
    world.keep(TokenRecord::new(pair)).await;
    assert_eq!(process.token.scopes().await.unwrap(), ["read_products"]);
    process.token.keep_alive(23 * 60 * MINUTE).await.unwrap();
    assert_eq!(refreshes(&world), 0);
    process.token.keep_alive(25 * 60 * MINUTE).await.unwrap();
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn nothing_of_a_token_is_shown() {
    let logged = Logged::all();
    let world = World::memory().authorised().await;
    let process = world.process();
    process.call().await.unwrap();
    world.pass(LIFE);
    process.call().await.unwrap();
    world.platform.revoke_access();
    process.call().await.unwrap();
    let mut errors = Vec::new();
    for (status, body) in [
        (503, "shpat_secret"),
        (400, r#"{"error":"invalid_grant","error_description":"shprt_secret"}"#),
        (200, "shpat_secret"),
    ] {
        *world.platform.says.lock().unwrap() = Some((status, body.to_owned()));
        world.pass(LIFE);
        let error = process.call().await.unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!("{source} {source:?}"));
        errors.push(format!("{error} {error:?} {source:?}"));
    }
    let logged = logged.text();
    assert!(logged.contains("tokens refreshed") && logged.contains("tokens not refreshed"), "{logged}");
    let shown = format!(
        "{logged} {errors:?} {:?} {:#?} {:?} {:?}",
        process.token,
        process.client,
        world.vault,
        world.record().await
    );
    for secret in ["shpat_secret", "shprt_secret", "app_secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let other = TokenRecord::new(TokenSet::permanent(
        Secret::new("shpat_secret_x"),
        world.record().await.current.obtained_at,
    ));
    assert!(!format!("{other:?}").contains("shpat_secret"));
}
