//! A fake Magento, and a connector to it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

#[path = "magento_documents.rs"]
pub mod documents;
#[path = "recorded.rs"]
pub mod recorded;

use std::sync::Arc;

use lily_connect::connectors::magento::{Magento, MagentoBuilder, MagentoConfig};
use lily_connect::model::Secret;
use lily_connect::runtime::Runtime;
use lily_connect::testkit::magento::{Integration, MagentoFake, MagentoFakeBuilder};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::{FakeClock, SeededEntropy};

/// A store on a clock that sleeps in no time, and a connector to it whose requests are signed. When it is dropped, the
/// store must have known every request, and each must have been valid by the official document.
pub struct Bench {
    pub store: MagentoFake,
    pub server: Server,
    pub connector: Arc<Magento>,
    pub runtime: Runtime,
    pub clock: Arc<FakeClock>,
    pub keys: Integration,
}

/// A store that is filled by `seed`, and a connector whose settings `settings` changes.
pub async fn bench_with(
    build: impl FnOnce(MagentoFakeBuilder) -> MagentoFakeBuilder,
    seed: impl FnOnce(&MagentoFake),
    settings: impl FnOnce(MagentoBuilder) -> MagentoBuilder,
) -> Bench {
    let clock = Arc::new(FakeClock::automatic());
    let store = documents::official(build(MagentoFake::builder(clock.clone()).seed(7))).build();
    seed(&store);
    let keys = store.issue_integration("test");
    let server = Service::new(store.clone()).start().await.unwrap();
    let entropy = Arc::new(SeededEntropy::new(7));
    let runtime = Runtime::with_parts(recorded::transport(), clock.clone(), entropy);
    let config = settings(config(&server.url(), &keys)).build().unwrap();
    let connector = Arc::new(config.connect(&runtime).await.unwrap());
    Bench { store, server, connector, runtime, clock, keys }
}

/// A store with so many seeded products.
pub async fn bench(products: usize) -> Bench {
    bench_with(|builder| builder, |store| drop(store.seed_products(products)), |settings| settings).await
}

/// The settings of a connector to an address, whose requests are signed.
pub fn config(url: &str, keys: &Integration) -> MagentoBuilder {
    MagentoConfig::builder(url)
        .integration(
            &keys.consumer_key,
            Secret::new(keys.consumer_secret.clone()),
            &keys.access_token,
            Secret::new(keys.access_token_secret.clone()),
        )
        .private_hosts(true)
        .write_slugs(true)
}

impl Bench {
    /// Another connector to the same store.
    pub async fn again(&self, settings: impl FnOnce(MagentoBuilder) -> MagentoBuilder) -> Arc<Magento> {
        let config = settings(config(&self.server.url(), &self.keys)).build().unwrap();
        Arc::new(config.connect(&self.runtime).await.unwrap())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let unexpected = self.store.unexpected();
        assert!(unexpected.is_empty(), "requests that the store does not know: {unexpected:?}");
        let violations = self.store.violations();
        assert!(violations.is_empty(), "what the official document does not allow: {violations:?}");
    }
}
