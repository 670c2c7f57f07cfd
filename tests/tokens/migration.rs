//! From a permanent token to a pair that expires: once, and whatever happens meanwhile.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use lily_connect::auth::{TokenRecord, TokenSet, TokenVersion};
use lily_connect::connectors::shopify::auth::{MigrateForGood, ShopDomain};
use lily_connect::error::ErrorKind;
use lily_connect::model::Secret;
use lily_connect::time::Clock;
use tokio::task::unconstrained;

use crate::world::{World, app, shop};

const PAIR: &str = r#"{"access_token":"shpat_secret_0","scope":"x","expires_in":3600,"refresh_token":"shprt_secret_0","refresh_token_expires_in":7776000}"#;

async fn world() -> World {
    let world = World::memory();
    // The pair that the platform will give for the old token.
    world.platform.authorise();
    let token = TokenSet::permanent(Secret::new("shpat_secret_old"), world.clock.now());
    world.keep(TokenRecord::new(token)).await;
    *world.platform.says.lock().unwrap() = Some((200, PAIR.to_owned()));
    world
}

fn confirmed() -> MigrateForGood {
    MigrateForGood::confirmed_for(shop())
}

#[tokio::test]
async fn a_permanent_token_is_migrated_once() {
    let world = world().await;
    let client = world.tokens();
    let tokens = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await.unwrap();
    let asked = world.platform.asked.lock().unwrap().last().unwrap().clone();
    for field in [
        "subject_token=shpat_secret_old&",
        "subject_token_type=urn%3Ashopify%3Aparams%3Aoauth%3Atoken-type%3Aoffline-access-token&",
        "requested_token_type=urn%3Ashopify%3Aparams%3Aoauth%3Atoken-type%3Aoffline-access-token&",
        "expiring=1",
    ] {
        assert!(asked.contains(field), "{asked}");
    }
    let record = world.record().await;
    assert_eq!((record.current, record.mark.as_deref()), (tokens, Some("migrated")));
    let again = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (ErrorKind::Config, "migration_done"));
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 1);

    // The pair works, is refreshed, and the slot remembers that it was migrated.
    *world.platform.says.lock().unwrap() = None;
    let process = world.process();
    process.call().await.unwrap();
    world.pass(crate::platform::LIFE);
    process.call().await.unwrap();
    let record = world.record().await;
    assert_eq!(
        (record.current.access.expose(), record.mark.as_deref()),
        ("shpat_secret_1", Some("migrated"))
    );
    let again = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await.unwrap_err();
    assert_eq!(again.code(), "migration_done");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_token() {
    for steps in 0..30 {
        let world = world().await;
        let client = world.tokens();
        {
            let mut migration = pin!(unconstrained(app_migrate(&world, &client)));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..steps {
                if migration.as_mut().poll(&mut context).is_ready() {
                    break;
                }
            }
        }
        let done = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await;
        assert!(done.is_ok() || done.is_err_and(|error| error.code() == "migration_done"), "{steps}");
        for asked in world.platform.asked.lock().unwrap().iter() {
            assert!(asked.contains("subject_token=shpat_secret_old&"));
        }
        *world.platform.says.lock().unwrap() = None;
        world.process().call().await.unwrap();
    }
}

async fn app_migrate(world: &World, client: &lily_connect::http::TokenClient) {
    drop(app().migrate(client, world.vault.as_ref(), &world.slot, confirmed()).await);
}

#[tokio::test]
async fn nothing_is_migrated_that_was_not_confirmed_or_does_not_expire_after_it() {
    let world = world().await;
    let client = world.tokens();
    let other = MigrateForGood::confirmed_for(ShopDomain::new("other.myshopify.com").unwrap());
    let error = app().migrate(&client, world.vault.as_ref(), &world.slot, other).await.unwrap_err();
    assert_eq!(error.code(), "shop_mismatch");
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 0);
    // Nor what stands in another shop's slot.
    let mut slot = world.slot.clone();
    slot.store.account = "other.myshopify.com".into();
    let record = world.record().await;
    world.vault.replace(&slot, TokenVersion(0), record).await.unwrap();
    let error = app().migrate(&client, world.vault.as_ref(), &slot, confirmed()).await.unwrap_err();
    assert_eq!(error.code(), "shop_mismatch");
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 0);

    *world.platform.says.lock().unwrap() = Some((200, r#"{"access_token":"shpat_secret_p"}"#.to_owned()));
    let error = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await.unwrap_err();
    assert_eq!(error.code(), "migration_unfinished");
    assert_eq!(world.record().await.current.access.expose(), "shpat_secret_old");

    world.keep(TokenRecord::new(world.pair("shpat_secret_0", "shprt_secret_0"))).await;
    let error = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await.unwrap_err();
    assert_eq!(error.code(), "migration_nothing");
    world.vault.forget(&world.slot).await.unwrap();
    let error = app().migrate(&client, world.vault.as_ref(), &world.slot, confirmed()).await.unwrap_err();
    assert_eq!(error.code(), "migration_nothing");
}
