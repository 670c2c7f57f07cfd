//! What the fuzz targets share: a store whose answers are the fuzzed bytes, and the properties that they assert.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lily_connect::connector::{Connector, Page, PullRequest};
use lily_connect::connectors::woocommerce::{WooCommerce, WooCommerceConfig};
use lily_connect::error::{Error, Result};
use lily_connect::mapping::MappedPage;
use lily_connect::model::{LengthUnit, MassUnit, RawItems, Record, Secret, Shape, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::time::{Clock, Entropy, Timestamp};
use lily_connect::transport::{AttemptLimits, HttpTransport};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// An answer: its status, what it says of the list's size, and its body.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    pub total: Option<u64>,
    pub body: Bytes,
}

impl Canned {
    pub fn ok(body: &[u8]) -> Self {
        Self { status: 200, total: None, body: Bytes::copy_from_slice(body) }
    }
}

/// A transport that answers by path: the first entry that the path contains.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Vec<(&'static str, Canned)>>);

#[async_trait]
impl HttpTransport for Answers {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let answers = self.0.lock().unwrap();
        let found = answers.iter().find(|(path, _)| request.uri().path().contains(path));
        let canned = found.map_or_else(|| Canned::ok(b""), |(_, canned)| canned.clone());
        let mut response = http::Response::builder().status(canned.status);
        if let Some(total) = canned.total {
            response = response.header("x-wp-total", total);
        }
        Ok(response.body(canned.body).unwrap())
    }
}

/// A clock on which every sleep is over at once.
#[derive(Debug, Default)]
struct Hasty(AtomicU64);

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(1_800_000_000)).saturating_add(self.elapsed())
    }
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
    async fn sleep(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap_or(0) + 1, Ordering::Relaxed);
    }
    async fn limit(&self, _: Duration) {
        std::future::pending().await
    }
}

#[derive(Debug)]
struct Same;

impl Entropy for Same {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        buffer.fill(7);
        Ok(())
    }
}

pub fn profile() -> StoreProfile {
    let mut profile = StoreProfile::unknown();
    profile.currency = Some("EUR".parse().unwrap());
    profile.mass_unit = Some(MassUnit::Pound);
    profile.length_unit = Some(LengthUnit::Inch);
    profile
}

/// A store of which every answer is given.
pub struct Store {
    answers: Arc<Answers>,
    pipeline: Runtime,
    tasks: tokio::runtime::Runtime,
    connector: Option<WooCommerce>,
}

impl Store {
    fn new() -> Self {
        let answers = Arc::new(Answers::default());
        let pipeline = Runtime::with_parts(answers.clone(), Arc::new(Hasty::default()), Arc::new(Same));
        let tasks = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { answers, pipeline, tasks, connector: None }
    }

    /// Connects; with no profile, it is read from the answers.
    pub fn connect(&mut self, profile: Option<StoreProfile>) -> Result<&WooCommerce> {
        let mut config =
            WooCommerceConfig::builder("https://shop.example").key("ck_1").secret(Secret::new("cs_1"));
        if let Some(profile) = profile {
            config = config.profile(profile);
        }
        let connected = self.tasks.block_on(config.build().unwrap().connect(&self.pipeline))?;
        Ok(self.connector.insert(connected))
    }

    pub fn answer(&self, answers: Vec<(&'static str, Canned)>) {
        *self.answers.0.lock().unwrap() = answers;
    }

    pub fn pull(&mut self, request: &PullRequest) -> Result<Page> {
        if self.connector.is_none() {
            self.connect(Some(profile()))?;
        }
        self.tasks.block_on(self.connector.as_ref().unwrap().pull_page(request))
    }

    pub fn map(&self, items: &RawItems) -> Result<MappedPage> {
        self.connector.as_ref().unwrap().schema(items.entity).unwrap().map(items, &profile())
    }
}

thread_local!(static STORE: RefCell<Option<Store>> = const { RefCell::new(None) });

/// Runs with a store that has seen no failure: after one, the next input gets a new one.
pub fn with_store<T>(run: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
    STORE.with_borrow_mut(|kept| {
        let done = run(kept.get_or_insert_with(Store::new));
        if done.is_err() {
            *kept = None;
        }
        done
    })
}

/// Pulls one page and maps it: every element becomes a record or a rejection, and records are whole.
pub fn check_page(request: &PullRequest, answer: Canned) {
    let done = with_store(|store| {
        store.answer(vec![("/products", answer.clone()), ("/variations", answer)]);
        let page = store.pull(request)?;
        for items in &page.items {
            let elements = match items.shape {
                Shape::One => Some(1),
                _ => serde_json::from_slice::<Vec<&RawValue>>(&items.body).ok().map(|all| all.len()),
            };
            match store.map(items) {
                Ok(mapped) => check_mapped(&mapped, elements.expect("mapped, but no array")),
                Err(error) => {
                    check_error(&error);
                    assert!(elements.is_none() || items.shape == Shape::One, "an array of JSON was refused");
                }
            }
        }
        Ok(())
    });
    if let Err(error) = done {
        check_error(&error);
    }
}

fn check_mapped(mapped: &MappedPage, elements: usize) {
    assert_eq!(mapped.records.len() + mapped.rejected.len(), elements);
    assert!(mapped.rejected.iter().all(|rejected| !rejected.issues.is_empty()));
    assert!(mapped.issues.len() as u64 <= mapped.dropped_fields);
    for record in &mapped.records {
        assert!(!record.reference().id.as_str().is_empty());
        assert_eq!(&again::<Record>(record), record);
    }
}

/// An error is one line of a bounded length that quotes no answer.
pub fn check_error(error: &Error) {
    let text = error.to_string();
    assert!(text.len() < 1000 && !text.chars().any(char::is_control), "{text:?}");
    assert!(!error.code().is_empty());
}

/// What comes back when it is written and read.
pub fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("what was read can be written");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
