//! A host with https in front of a fake or a recording, without a socket: what it drops and hides is set by a test.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use lily_connect::Result;
use lily_connect::connectors::woocommerce::{WooCommerce, WooCommerceBuilder, WooCommerceConfig};
use lily_connect::model::Secret;
use lily_connect::runtime::Runtime;
use lily_connect::testkit::exchange::{Handler, Request, Response, Transport};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::transport::{AttemptLimits, HttpTransport};

pub const SITE: &str = "https://shop.example";

/// What the host does between the caller and the site.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host {
    /// The web server keeps the `Authorization` header from PHP.
    pub strips_authorization: bool,
    /// PHP takes https for http.
    pub hides_https: bool,
}

type Answering = Box<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

/// A transport that hands requests to a store, past a host.
pub struct Https {
    pub store: WooStore,
    pub host: Mutex<Host>,
    /// Answers in the store's place, where it gives anything.
    pub instead: Mutex<Option<Answering>>,
    /// Each request as it left: method and target.
    pub sent: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpTransport for Https {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let host = *self.host.lock().unwrap();
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().unwrap().as_str();
        self.sent.lock().unwrap().push(format!("{} {target}", parts.method));
        let is_tls = parts.uri.scheme_str() == Some("https") && !host.hides_https;
        let transport = if is_tls { Transport::Tls } else { Transport::Plain };
        let mut inner = Request::new(parts.method.clone(), target, transport).with_body(body.to_vec());
        inner.headers = parts.headers;
        inner.headers.insert("host", parts.uri.authority().unwrap().as_str().parse().unwrap());
        if host.strips_authorization {
            inner.headers.remove(AUTHORIZATION);
        }
        let instead = self.instead.lock().unwrap().as_ref().and_then(|answer| answer(&inner));
        let response = instead.unwrap_or_else(|| self.store.handle(&inner));
        let mut answer = http::Response::new(Bytes::from(response.body));
        *answer.status_mut() = response.status;
        *answer.headers_mut() = response.headers;
        Ok(answer)
    }
}

/// A store with the sample catalogue behind a host, and a key to it.
pub struct Shop {
    pub https: Arc<Https>,
    pub store: WooStore,
    pub key: ApiKey,
    pub clock: Arc<FakeClock>,
    pub runtime: Runtime,
}

impl Shop {
    pub fn new() -> Self {
        let clock = Arc::new(FakeClock::automatic());
        let store = WooStore::new(clock.clone());
        drop(store.seed_sample());
        let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
        let https = Arc::new(Https {
            store: store.clone(),
            host: Mutex::default(),
            instead: Mutex::default(),
            sent: Mutex::default(),
        });
        let runtime = Runtime::with_parts(https.clone(), clock.clone(), Arc::new(SeededEntropy::new(7)));
        Self { https, store, key, clock, runtime }
    }

    pub fn behind(host: Host) -> Self {
        let shop = Self::new();
        *shop.https.host.lock().unwrap() = host;
        shop
    }

    /// Answers the requests that `matching` holds for in the store's place.
    pub fn answer(
        &self,
        matching: impl Fn(&Request) -> bool + Send + Sync + 'static,
        response: impl Fn() -> Response + Send + Sync + 'static,
    ) {
        *self.https.instead.lock().unwrap() =
            Some(Box::new(move |request| matching(request).then(&response)));
    }

    pub fn settings(&self, key: &ApiKey) -> WooCommerceBuilder {
        WooCommerceConfig::builder(SITE)
            .key(&key.consumer_key)
            .secret(Secret::new(key.consumer_secret.clone()))
    }

    pub async fn connect(&self) -> Result<WooCommerce> {
        self.connect_with(&self.key).await
    }

    pub async fn connect_with(&self, key: &ApiKey) -> Result<WooCommerce> {
        self.settings(key).build().unwrap().connect(&self.runtime).await
    }

    pub fn sent(&self) -> Vec<String> {
        self.https.sent.lock().unwrap().clone()
    }
}

/// A recorded exchange; none, and said loudly, where no recordings are at hand.
pub fn recorded(name: &str) -> Option<serde_json::Value> {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
        eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so the recording {name} was not looked at");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set in CI");
        return None;
    };
    let file = Path::new(&folder).join("woocommerce").join(format!("{name}.json"));
    Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
}

/// The answer of a recording, with the placeholders of a key replaced by the key's texts.
pub fn response(recording: &serde_json::Value, key: &ApiKey) -> Response {
    let answer = &recording["response"];
    let fill = |text: &str| text.replace("<ck>", &key.consumer_key).replace("<cs>", &key.consumer_secret);
    let mut response = Response::new(u16::try_from(answer["status"].as_u64().unwrap()).unwrap());
    for (name, value) in answer["headers"].as_object().unwrap() {
        if !matches!(name.as_str(), "Transfer-Encoding" | "Connection" | "Content-Length" | "Date") {
            response = response.with_header(name, &fill(value.as_str().unwrap()));
        }
    }
    let body = match (&answer["json"], &answer["raw_body"]) {
        (serde_json::Value::Null, raw) => raw.as_str().unwrap_or_default().to_owned(),
        (json, _) => json.to_string(),
    };
    response.with_body(body)
}
