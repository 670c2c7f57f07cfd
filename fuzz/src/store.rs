//! A store without a network: what it answers is given, no wait takes time, and it is connected once.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lily_connect::connector::{Answer, Connector, Page, Patch, PullRequest, PushRequest};
use lily_connect::connectors::bigcommerce::{BigCommerce, BigCommerceConfig};
use lily_connect::connectors::ga4::{Ga4, Ga4Builder, Ga4Config};
use lily_connect::connectors::magento::{Magento, MagentoConfig};
use lily_connect::connectors::shopify::{Shopify, ShopifyConfig};
use lily_connect::connectors::woocommerce::{WooCommerce, WooCommerceConfig};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::mapping::MappedPage;
use lily_connect::model::{LengthUnit, MassUnit, RawItems, Secret, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::time::{Clock, Entropy, Timestamp};
use lily_connect::transport::{AttemptLimits, HttpTransport};

/// Between two inputs more time goes by than a breaker or a limiter waits, or a quota of a day: no input meets what
/// another one did.
const BETWEEN: Duration = Duration::from_secs(26 * 3600);

/// An answer: its status, what it says of the list's size, and its body.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    pub total: Option<u64>,
    pub body: Bytes,
}

impl Canned {
    pub fn ok(body: Bytes) -> Self {
        Self { status: 200, total: None, body }
    }
}

/// A transport that answers by address: the first entry that the address contains.
#[derive(Debug, Default)]
struct Answers(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    by_address: Vec<(&'static str, Canned)>,
    /// What was asked for: the address, and the body.
    asked: HashSet<(String, Bytes)>,
}

#[async_trait]
impl HttpTransport for Answers {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let mut given = self.0.lock().unwrap();
        let address = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let found = given.by_address.iter().find(|(part, _)| address.contains(part));
        let canned = found.map_or_else(|| Canned::ok(Bytes::new()), |(_, canned)| canned.clone());
        if !given.asked.insert((address, request.into_body())) {
            // The same bytes would be read the same way.
            return Err(Error::new(ErrorKind::Protocol, "asked_again", "the answer was given before"));
        }
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
        Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(1_800_000_000))
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
    profile.time_zone = Some("Europe/Vienna".into());
    profile
}

/// The stores, each connected when it is first asked for.
pub static STORE: LazyLock<Store<WooCommerce>> = LazyLock::new(|| {
    Store::new(|runtime| at_once(config().profile(profile()).build().unwrap().connect(runtime)))
});
pub static BIGCOMMERCE: LazyLock<Store<BigCommerce>> = LazyLock::new(|| {
    let config = BigCommerceConfig::builder("abc123").access_token(Secret::new("t"));
    let config = config.client_secret(Secret::new(HOOK_SECRET)).profile(profile()).build().unwrap();
    Store::new(|runtime| at_once(config.connect(runtime)))
});
pub static MAGENTO: LazyLock<Store<Magento>> = LazyLock::new(|| {
    let config = MagentoConfig::builder("https://shop.example").access_token(Secret::new("t"));
    let config = config.profile(profile()).build().unwrap();
    Store::new(|runtime| at_once(config.connect(runtime)))
});
pub static SHOPIFY: LazyLock<Store<Shopify>> = LazyLock::new(|| {
    let config = ShopifyConfig::builder("some-shop.myshopify.com").access_token(Secret::new("t"));
    let config = config.profile(profile()).build().unwrap();
    Store::new(|runtime| at_once(config.connect(runtime)))
});
/// Properties of which items alone are read, pages alone, visits from search alone, and all of these.
pub static PROPERTIES: LazyLock<[Store<Ga4>; 4]> = LazyLock::new(|| {
    [(true, false, false), (false, true, false), (false, false, true), (true, true, true)].map(
        |(items, pages, landings)| {
            let config = ga4(Ga4Config::builder("123")).items(items).pages(pages).search_landings(landings);
            let config = config.profile(profile()).build().unwrap();
            Store::new(|runtime| at_once(config.connect(runtime)))
        },
    )
});

/// The secret that deliveries are signed with.
pub const HOOK_SECRET: &str = "secret_of_the_delivery";
/// What a token endpoint answers.
const TOKEN: &[u8] = br#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#;

fn ga4(builder: Ga4Builder) -> Ga4Builder {
    let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
    builder.credentials(Secret::new(user)).page_prefix("/products/").stream("G-ABC123", Secret::new("m"))
}

/// A store of which every answer is given.
pub struct Store<C> {
    answers: Arc<Answers>,
    clock: Arc<Hasty>,
    runtime: Runtime,
    profile: StoreProfile,
    pub connector: C,
}

impl<C: Connector> Store<C> {
    fn new(connect: impl FnOnce(&Runtime) -> Result<C>) -> Self {
        let (answers, clock) = (Arc::new(Answers::default()), Arc::new(Hasty::default()));
        let runtime = Runtime::with_parts(answers.clone(), clock.clone(), Arc::new(Same));
        let connector = connect(&runtime).unwrap();
        Self { answers, clock, runtime, profile: profile(), connector }
    }

    /// Gives the answers to the next input; tokens are to be had whatever it is.
    pub fn answer(&self, mut by_address: Vec<(&'static str, Canned)>) {
        by_address.insert(0, ("/token", Canned::ok(Bytes::from_static(TOKEN))));
        *self.answers.0.lock().unwrap() = Given { by_address, asked: HashSet::new() };
        self.clock.0.fetch_add(BETWEEN.as_millis() as u64, Ordering::Relaxed);
    }

    /// Pulls a page; what is refused is not asked for again, since there is no time left for it.
    pub fn pull(&self, request: &PullRequest) -> Result<Page> {
        let mut request = request.clone();
        request.timeout = Some(Duration::from_millis(1));
        at_once(self.connector.pull_page(&request))
    }

    pub fn push(&self, patches: Vec<Patch>) -> Result<Vec<Answer>> {
        let until = self.clock.elapsed() + Duration::from_secs(5);
        at_once(self.connector.push(&PushRequest::new(patches, until)))
    }

    pub fn map(&self, items: &RawItems) -> Result<MappedPage> {
        self.connector.schema(items.entity).unwrap().map(items, &self.profile)
    }
}

impl Store<WooCommerce> {
    /// Connects anew, and reads the profile from the answers.
    pub fn connect(&self) -> Result<WooCommerce> {
        at_once(config().build().unwrap().connect(&self.runtime))
    }
}

fn config() -> lily_connect::connectors::woocommerce::WooCommerceBuilder {
    WooCommerceConfig::builder("https://shop.example").key("ck_1").secret(Secret::new("cs_1"))
}

/// Runs a future that never has to wait: there is nothing that it could wait for.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a call waits for something that never comes"),
    }
}
