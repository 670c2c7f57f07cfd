//! Ways to a token of a BigCommerce store: the installation of an app, its signed callbacks, and a token in a vault.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::sync::Arc;

use bigcommerce::bench;
use lily_connect::auth::{App, Origin, TokenRecord, TokenVault, TokenVersion};
use lily_connect::connector::{Connector, PullRequest};
use lily_connect::connectors::bigcommerce::auth::{InstallRequest, SignedCallback, StoreApp, app_slot};
use lily_connect::connectors::bigcommerce::{BigCommerceConfig, StoreHash};
use lily_connect::error::ErrorKind;
use lily_connect::http::TokenClient;
use lily_connect::model::{Entity, Secret};
use lily_connect::state::{MemoryState, StateVault};
use lily_connect::time::Clock;

fn app(bench: &bigcommerce::Bench) -> StoreApp {
    let settings = bench.store.settings();
    let app = App::new(settings.client_id, Secret::new(settings.client_secret)).unwrap();
    let app =
        StoreApp::new(app, settings.redirect_uri, &["store_v2_products", "store_v2_information"]).unwrap();
    app.at(Origin::http(&bench.server.url()).unwrap())
}

#[tokio::test]
async fn an_app_is_installed_works_and_works_again_after_the_merchant_allowed_it_anew() {
    let bench = bench(3).await;
    let app = app(&bench);
    let query = bench.store.issue_code("c0de");
    let request = InstallRequest::parse(&query).unwrap();
    let hash = request.claimed_store().clone();
    let slot = app_slot("default", &hash);
    let client = TokenClient::new(bench.runtime.shared().clone(), slot.store.clone()).private_hosts(true);
    let installed = app.install(&client, &request).await.unwrap();
    assert_eq!((installed.store.as_str(), installed.missing_scopes.len()), ("abc123", 0));
    // The code is used up.
    let again = app.install(&client, &request).await.unwrap_err();
    assert!(matches!(again.kind(), ErrorKind::Auth | ErrorKind::Rejected), "{again}");

    let vault: Arc<dyn TokenVault> = Arc::new(StateVault::new(Arc::new(MemoryState::new())));
    let first = installed.tokens.access.expose().to_owned();
    vault.replace(&slot, TokenVersion(0), TokenRecord::new(installed.tokens)).await.unwrap();
    let config = BigCommerceConfig::builder(hash.as_str())
        .url(bench.server.url())
        .installed(vault.clone())
        .private_hosts(true)
        .build()
        .unwrap();
    let connector = config.connect(&bench.runtime).await.unwrap();
    connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    // The merchant allows the app anew: the old token is over, and another process keeps the new one.
    bench.store.revoke_token(&first);
    let lost = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err();
    assert_eq!((lost.kind(), lost.code()), (ErrorKind::Auth, "token_refused"));
    let request = InstallRequest::parse(&bench.store.issue_code("c0de-2")).unwrap();
    let installed = app.install(&client, &request).await.unwrap();
    let version = vault.load(&slot).await.unwrap().version;
    vault.replace(&slot, version, TokenRecord::new(installed.tokens)).await.unwrap();
    connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
}

#[tokio::test]
async fn the_older_answer_without_owner_and_account_is_taken() {
    let bench = bench(1).await;
    bench.store.set_conditions(|it| it.old_token_answer = true);
    let request = InstallRequest::parse(&bench.store.issue_code("old")).unwrap();
    let store = app_slot("default", request.claimed_store()).store;
    let client = TokenClient::new(bench.runtime.shared().clone(), store).private_hosts(true);
    assert_eq!(app(&bench).install(&client, &request).await.unwrap().account, None);
}

#[tokio::test]
async fn a_store_whose_vault_is_empty_says_that_the_app_must_be_installed() {
    let bench = bench(1).await;
    let vault: Arc<dyn TokenVault> = Arc::new(StateVault::new(Arc::new(MemoryState::new())));
    let config =
        BigCommerceConfig::builder("abc123").url(bench.server.url()).installed(vault).private_hosts(true);
    let error = config.build().unwrap().connect(&bench.runtime).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "not_installed"));
}

#[tokio::test]
async fn callbacks_of_the_platform_are_taken_and_forged_foreign_and_old_ones_are_not() {
    let bench = bench(1).await;
    let app = app(&bench);
    let now = bench.clock.now();
    let verify = |token: &str| SignedCallback::verify(token, app.app(), now);
    let good = verify(&bench.store.callback(|_| {})).unwrap();
    assert_eq!(good.store, StoreHash::new("abc123").unwrap());
    for (change, code) in [
        (
            Box::new(|it: &mut lily_connect::testkit::bigcommerce::Callback| {
                it.algorithm = Some("none".to_owned())
            }) as Box<dyn FnOnce(&mut lily_connect::testkit::bigcommerce::Callback)>,
            "jwt_algorithm",
        ),
        (
            Box::new(|it: &mut lily_connect::testkit::bigcommerce::Callback| {
                it.audience = Some("other".to_owned())
            }),
            "jwt_audience_wrong",
        ),
        (
            Box::new(|it: &mut lily_connect::testkit::bigcommerce::Callback| {
                it.issuer = Some("other".to_owned())
            }),
            "callback_issuer_wrong",
        ),
        (
            Box::new(|it: &mut lily_connect::testkit::bigcommerce::Callback| {
                it.secret = Some("other".to_owned())
            }),
            "jwt_signature_wrong",
        ),
        (
            Box::new(|it: &mut lily_connect::testkit::bigcommerce::Callback| it.age_seconds = 2 * 86_400),
            "jwt_expired",
        ),
    ] {
        assert_eq!(verify(&bench.store.callback(change)).unwrap_err().code(), code);
    }
}
