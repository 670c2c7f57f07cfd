//! What the tests over the fake WooCommerce share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::{SeoPlugin, WooCommerceConfig};
use lily_connect::error::Result;
use lily_connect::model::{Record, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::state::SinkMark;
use lily_connect::sync::{Delivery, Rejected, Sink};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::transport::ReqwestTransport;

/// A sink that keeps the records.
#[derive(Debug, Default, Clone)]
pub struct Kept(pub Arc<Mutex<Vec<Record>>>);

#[async_trait]
impl Sink for Kept {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }
    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.0.lock().unwrap().extend_from_slice(records);
        Ok(())
    }
    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        panic!("{rejected:?}");
    }
    async fn mark(&mut self) -> Result<SinkMark> {
        Ok(SinkMark(self.0.lock().unwrap().len() as u64))
    }
    async fn rewind(&mut self, mark: SinkMark) -> Result<()> {
        self.0.lock().unwrap().truncate(usize::try_from(mark.0).unwrap());
        Ok(())
    }
}

/// A fake store with the sample catalogue, and a connector to it over plain http with OAuth 1.0a.
pub struct Bench {
    pub store: WooStore,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
    pub runtime: Runtime,
    pub clock: Arc<FakeClock>,
    pub key: ApiKey,
}

/// The sample catalogue on a clock that sleeps in no time.
pub async fn bench() -> Bench {
    bench_with(|store| drop(store.seed_sample())).await
}

/// A store that is filled by `seed`.
pub async fn bench_with(seed: impl FnOnce(&WooStore)) -> Bench {
    let clock = Arc::new(FakeClock::automatic());
    let store = WooStore::new(clock.clone());
    seed(&store);
    let key = store.issue_key("test", Permissions::ReadWrite, Role::Manager);
    let server = Service::new(store.clone()).start().await.unwrap();
    let runtime = Runtime::with_parts(
        Arc::new(ReqwestTransport::new()),
        clock.clone(),
        Arc::new(SeededEntropy::new(7)),
    );
    let connector = connect(&server.url(), &key, &runtime).await;
    Bench { store, server, connector, runtime, clock, key }
}

/// A connector to an address.
pub async fn connect(url: &str, key: &ApiKey, runtime: &Runtime) -> Arc<dyn Connector> {
    let config = WooCommerceConfig::builder(url)
        .key(&key.consumer_key)
        .secret(Secret::new(key.consumer_secret.clone()))
        .private_hosts(true)
        .seo_plugin(SeoPlugin::RankMath)
        .write_slugs(true)
        .write_identifiers(true)
        .build()
        .unwrap();
    Arc::new(config.connect(runtime).await.unwrap())
}

/// The path of a built example: beside the folder that this test runs from.
pub fn example(name: &str) -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(std::path::Path::parent).unwrap().join("examples").join(name);
    assert!(path.exists(), "build the examples first: cargo build --examples --all-features");
    path
}
