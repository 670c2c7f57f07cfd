//! A store whose tokens come and go: by an app's own credentials, and by the pairs of a vault.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::sync::Arc;
use std::time::Duration;

use lily_connect::auth::App;
use lily_connect::auth::{TokenRecord, TokenSet, TokenVault, TokenVersion};
use lily_connect::connector::Connector;
use lily_connect::connectors::shopify::auth::{ShopDomain, app_slot, offline_slot};
use lily_connect::connectors::shopify::{Shopify, ShopifyBuilder, ShopifyConfig};
use lily_connect::error::{ErrorKind, Result};
use lily_connect::model::Secret;
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, StateVault};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::ShopifyFake;
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::{Clock, Timestamp};

const TOKENS: &str = "/admin/oauth/access_token";
const DAY: Duration = Duration::from_secs(86_400);

struct Bench {
    shop: ShopifyFake,
    server: Server,
    clock: Arc<FakeClock>,
    runtime: Runtime,
    domain: ShopDomain,
    vault: Arc<dyn TokenVault>,
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(FakeClock::automatic());
        let shop = ShopifyFake::new(clock.clone());
        shop.seed_products(2);
        let server = Service::new(shop.clone()).start().await.unwrap();
        let transport = shopify::recorded::transport();
        let runtime = Runtime::with_parts(transport, clock.clone(), Arc::new(SeededEntropy::new(3)));
        let domain = ShopDomain::new(&shop.settings().myshopify_domain).unwrap();
        let vault = Arc::new(StateVault::new(Arc::new(MemoryState::new())));
        Self { shop, server, clock, runtime, domain, vault }
    }

    fn app(&self) -> App {
        let settings = self.shop.settings();
        App::new(settings.client_id, Secret::new(settings.client_secret)).unwrap()
    }

    fn settings(&self) -> ShopifyBuilder {
        ShopifyConfig::builder(self.domain.as_str()).url(self.server.url()).private_hosts(true)
    }

    async fn connect(&self, settings: ShopifyBuilder) -> Result<Shopify> {
        let config = settings.build().unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains(&self.shop.settings().client_secret), "{shown}");
        config.connect(&self.runtime).await
    }

    /// How often the endpoint of tokens was asked.
    fn asked(&self) -> usize {
        self.server.traffic().count_where(|entry| entry.path == TOKENS)
    }

    async fn keep(&self, (access, refresh): (String, String), expires_at: Timestamp) {
        let mut pair = TokenSet::permanent(Secret::new(access), self.clock.now());
        pair.refresh = Some(Secret::new(refresh));
        pair.expires_at = Some(expires_at);
        let slot = offline_slot("default", &self.domain);
        self.vault.replace(&slot, TokenVersion(0), TokenRecord::new(pair)).await.unwrap();
    }
}

async fn is_sound(store: &Shopify) -> bool {
    store.check().await.unwrap().findings.is_empty()
}

#[tokio::test]
async fn client_credentials_get_a_token_and_another_when_it_ends_or_is_refused() {
    let bench = Bench::new().await;
    let store = bench.connect(bench.settings().client_credentials(bench.app())).await.unwrap();
    assert!(is_sound(&store).await);
    assert_eq!(bench.asked(), 1);
    bench.clock.advance(DAY);
    assert!(is_sound(&store).await);
    assert_eq!(bench.asked(), 2);
    // Withdrawn before its time: the refusal brings another, and the call is sent again.
    bench.shop.uninstall();
    assert!(is_sound(&store).await);
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn connections_of_one_configuration_share_their_token_and_a_vault_outlives_them() {
    let bench = Bench::new().await;
    let config = bench.settings().client_credentials(bench.app()).build().unwrap();
    for _ in 0..3 {
        assert!(is_sound(&config.connect(&bench.runtime).await.unwrap()).await);
    }
    assert_eq!(bench.asked(), 1);

    let kept = || bench.settings().client_credentials(bench.app()).vault(bench.vault.clone());
    for _ in 0..2 {
        assert!(is_sound(&bench.connect(kept()).await.unwrap()).await);
    }
    assert_eq!(bench.asked(), 2);
    let load = async |slot| bench.vault.load(&slot).await.unwrap().record;
    assert!(load(app_slot("default", &bench.domain)).await.is_some());
    assert_eq!(load(offline_slot("default", &bench.domain)).await, None);
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_not_shown() {
    let bench = Bench::new().await;
    let app = App::new("a-client-of-tests", Secret::new("shpss_planted_77")).unwrap();
    let error = bench.connect(bench.settings().client_credentials(app)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "token_client_refused"));
    assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
}

#[tokio::test]
async fn the_tokens_of_a_vault_are_refreshed_and_kept_there() {
    let bench = Bench::new().await;
    let settings = || bench.settings().refreshed_tokens(bench.app(), bench.vault.clone());
    let error = bench.connect(settings()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "not_authorised"));

    let pair = bench.shop.issue_pair();
    let hour = Duration::from_secs(3_600);
    bench.keep(pair.clone(), bench.clock.now().saturating_add(hour)).await;
    let store = bench.connect(settings()).await.unwrap();
    assert_eq!(bench.shop.refreshes(), 0);
    bench.clock.advance(hour);
    assert!(is_sound(&store).await);
    assert_eq!(bench.shop.refreshes(), 1);
    let kept = bench.vault.load(&offline_slot("default", &bench.domain)).await.unwrap().record.unwrap();
    assert_ne!(kept.current.access.expose(), pair.0);
    // Another process finds it there.
    assert!(is_sound(&bench.connect(settings()).await.unwrap()).await);
    assert_eq!(bench.shop.refreshes(), 1);
}

#[tokio::test]
async fn a_permanent_token_that_is_refused_for_being_one_is_named() {
    let bench = Bench::new().await;
    let token = bench.shop.issue_token("old");
    bench.shop.set_conditions(|conditions| conditions.permanent_tokens_refused = true);
    let settings = || bench.settings().access_token(Secret::new(token.clone()));
    let error = bench.connect(settings()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "permanent_token_refused"), "{error}");
    // Where a vault holds the pair that took its place, a store goes on with that.
    bench.keep((token, bench.shop.issue_pair().1), bench.clock.now().saturating_add(DAY)).await;
    let store = bench.connect(bench.settings().refreshed_tokens(bench.app(), bench.vault.clone())).await;
    assert!(is_sound(&store.unwrap()).await);
    assert_eq!(bench.shop.refreshes(), 1);
}

#[test]
fn one_kind_of_credentials_is_taken_and_not_two() {
    let settings = || ShopifyConfig::builder("some-shop.myshopify.com");
    let app = || App::new("an-app", Secret::new("shpss_1")).unwrap();
    let vault = || Arc::new(StateVault::new(Arc::new(MemoryState::new())));
    let token = || Secret::new("shpat_1");
    for (settings, code) in [
        (settings(), "setting_missing"),
        (settings().access_token(Secret::new("")), "setting_missing"),
        (settings().access_token(token()).client_credentials(app()), "settings_contradictory"),
        (settings().client_credentials(app()).refreshed_tokens(app(), vault()), "settings_contradictory"),
        (settings().access_token(token()).vault(vault()), "settings_contradictory"),
    ] {
        let error = settings.build().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, code));
    }
    let last = settings().access_token(token()).access_token(token());
    assert!(last.build().is_ok());
}
