//! A fake Shopify with the official schema, and a connector to it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

#[path = "recorded.rs"]
pub mod recorded;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use lily_connect::connectors::shopify::{Shopify, ShopifyBuilder, ShopifyConfig};
use lily_connect::model::Secret;
use lily_connect::runtime::Runtime;
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::{ShopifyFake, ShopifyFakeBuilder, ValidatedSchema};
use lily_connect::testkit::{FakeClock, SeededEntropy};

/// The official schema of 2026-10; none where the specifications are not at hand, which is said aloud.
pub fn schema() -> Option<Arc<ValidatedSchema>> {
    static SCHEMA: OnceLock<Option<Arc<ValidatedSchema>>> = OnceLock::new();
    let load = || {
        let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
            assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
            eprintln!("SKIPPED: without LILY_SPECS_DIR, requests are not held against the official schema");
            return None;
        };
        let path = Path::new(&specs).join("shopify/admin_2026-10.graphql.gz");
        Some(Arc::new(ValidatedSchema::load(path).unwrap()))
    };
    SCHEMA.get_or_init(load).clone()
}

/// A shop on a clock that sleeps in no time, and a connector to it. When it is dropped, every request that the shop
/// got must have been valid.
pub struct Bench {
    pub shop: ShopifyFake,
    pub server: Server,
    pub connector: Arc<Shopify>,
    pub runtime: Runtime,
    pub clock: Arc<FakeClock>,
    pub token: String,
}

/// A shop that is filled by `seed`, and a connector whose settings `settings` changes.
pub async fn bench_with(
    seed: impl FnOnce(&ShopifyFake),
    build: impl FnOnce(ShopifyFakeBuilder) -> ShopifyFakeBuilder,
    settings: impl FnOnce(ShopifyBuilder) -> ShopifyBuilder,
) -> Bench {
    let clock = Arc::new(FakeClock::automatic());
    let mut builder = ShopifyFake::builder(clock.clone());
    if let Some(schema) = schema() {
        builder = builder.schema(schema);
    }
    let shop = build(builder).build();
    seed(&shop);
    let token = shop.issue_token("test");
    let server = Service::new(shop.clone()).start().await.unwrap();
    let entropy = Arc::new(SeededEntropy::new(7));
    let runtime = Runtime::with_parts(recorded::transport(), clock.clone(), entropy);
    let config = settings(config(&server.url(), &token)).build().unwrap();
    let connector = Arc::new(config.connect(&runtime).await.unwrap());
    Bench { shop, server, connector, runtime, clock, token }
}

/// A shop with so many seeded products.
pub async fn bench(products: usize) -> Bench {
    bench_with(|shop| drop(shop.seed_products(products)), |builder| builder, |settings| settings).await
}

/// The settings of a connector to an address.
pub fn config(url: &str, token: &str) -> ShopifyBuilder {
    ShopifyConfig::builder("test-shop.myshopify.com")
        .url(url)
        .access_token(Secret::new(token))
        .private_hosts(true)
        .write_slugs(true)
        .write_identifiers(true)
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let violations = self.shop.violations();
        assert!(violations.is_empty(), "requests that the schema does not allow: {violations:?}");
        let deprecated = self.shop.deprecated_uses();
        assert!(deprecated.is_empty(), "deprecated members in use: {deprecated:?}");
    }
}
