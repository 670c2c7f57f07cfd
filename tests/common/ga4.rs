//! A fake Google Analytics held to the official documents, and a connector to it.
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

use lily_connect::connector::Connector;
use lily_connect::connectors::ga4::{Ga4, Ga4Builder, Ga4Config};
use lily_connect::model::{Entity, Performance, Record, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Certificate, JsonlSink, Pull};
use lily_connect::testkit::ga4::{Discovery, Ga4Fake};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::{Day, Days};

pub const PROPERTY: u64 = 123;

/// The official documents of the Data and the Admin API; none where the specifications are not at hand, which is said
/// aloud.
pub fn documents() -> Option<(Arc<Discovery>, Arc<Discovery>)> {
    static DOCUMENTS: OnceLock<Option<(Arc<Discovery>, Arc<Discovery>)>> = OnceLock::new();
    let load = || {
        let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
            assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
            eprintln!(
                "SKIPPED: without LILY_SPECS_DIR, requests are not held against the official documents"
            );
            return None;
        };
        let read = |name: &str| {
            let path = Path::new(&specs).join("ga4").join(format!("{name}.v1beta.discovery.json"));
            Arc::new(Discovery::load(path).unwrap())
        };
        Some((read("analyticsdata"), read("analyticsadmin")))
    };
    DOCUMENTS.get_or_init(load).clone()
}

/// A fake on a clock, held to the official documents where they are at hand.
pub fn fake(clock: Arc<FakeClock>) -> Ga4Fake {
    let (data, admin) = documents().unzip();
    Ga4Fake::held_to(clock, data, admin)
}

/// A property on a clock that sleeps in no time, and a connector to it. When it is dropped, every request that the fake
/// got must have been as the official documents have it.
pub struct Bench {
    pub fake: Ga4Fake,
    pub server: Server,
    pub connector: Arc<Ga4>,
    pub runtime: Runtime,
    pub clock: Arc<FakeClock>,
    pub file: String,
}

/// A property that is filled by `seed`, and a connector whose settings `settings` changes.
pub async fn bench_with(
    seed: impl FnOnce(&Ga4Fake),
    settings: impl FnOnce(Ga4Builder) -> Ga4Builder,
) -> Bench {
    let clock = Arc::new(FakeClock::automatic());
    // Noon in Los Angeles, so that the day is the same all over the test.
    clock.advance(std::time::Duration::from_secs(20 * 3600));
    let fake = fake(clock.clone());
    seed(&fake);
    let file = fake.issue_user("reader");
    let server = Service::new(fake.clone()).start().await.unwrap();
    let runtime = runtime(&clock);
    let config = settings(config(&server.url(), &file)).build().unwrap();
    let connector = Arc::new(config.connect(&runtime).await.unwrap());
    Bench { fake, server, connector, runtime, clock, file }
}

pub fn runtime(clock: &Arc<FakeClock>) -> Runtime {
    Runtime::with_parts(recorded::transport(), clock.clone(), Arc::new(SeededEntropy::new(7)))
}

/// A property with so many items and pages on each of the last seven days.
pub async fn bench(items: u32, pages: u32) -> Bench {
    bench_with(|fake| fake.seed_property(PROPERTY, items, pages, 7), |settings| settings).await
}

/// The settings of a connector to an address.
pub fn config(url: &str, file: &str) -> Ga4Builder {
    config_of(PROPERTY, url, file)
}

/// The same for another property.
pub fn config_of(property: u64, url: &str, file: &str) -> Ga4Builder {
    Ga4Config::builder(property.to_string())
        .credentials(Secret::new(file))
        .data_url(url)
        .admin_url(url)
        .token_url(format!("{url}/token"))
        .collect_url(url)
        .private_hosts(true)
}

impl Bench {
    pub fn today(&self) -> Day {
        self.fake.today(PROPERTY).unwrap()
    }

    /// The last days up to yesterday.
    pub fn last(&self, days: u32) -> Days {
        let yesterday = self.today().saturating_sub(1);
        Days::new(yesterday.saturating_sub(days - 1), yesterday).unwrap()
    }

    pub fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    pub fn pull(&self, days: Days) -> Pull {
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        Pull::new(self.connector(), state, Entity::Performance).window(days)
    }

    /// Pulls a range of days to a file: the certificate, and the records of the file.
    pub async fn pulled(&self, days: Days) -> (Certificate, Vec<Performance>) {
        pulled(&self.pull(days)).await
    }
}

pub async fn pulled(pull: &Pull) -> (Certificate, Vec<Performance>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.jsonl");
    let mut sink = JsonlSink::create(&path).unwrap();
    let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
    sink.finish().await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let record = |line: &str| match serde_json::from_str(line).unwrap() {
        Record::Performance(numbers) => *numbers,
        other => panic!("{other:?}"),
    };
    (certificate, text.lines().map(record).collect())
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = self.fake.violations();
            assert!(violations.is_empty(), "requests that the documents do not allow: {violations:?}");
        }
    }
}
