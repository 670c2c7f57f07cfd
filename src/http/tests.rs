//! The pipeline over a scripted transport and a virtual clock.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::*;
use crate::auth::{Authenticator, Origin, RequestToSign};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::model::{Lane, Platform, StoreKey};
use crate::runtime::Runtime;
use crate::testkit::{FakeClock, SeededEntropy};
use crate::time::{Clock, Timestamp};
use crate::transport::{AttemptLimits, HttpTransport};

const SECRET: &str = "cs_never_to_be_seen";

/// Answers in order, and notes what was asked; more requests than answers is a failed test.
#[derive(Debug)]
struct Script {
    clock: Arc<FakeClock>,
    answers: Mutex<VecDeque<(Duration, Result<http::Response<Bytes>>)>>,
    seen: Mutex<Vec<(Duration, http::Request<Bytes>, AttemptLimits)>>,
}

#[async_trait]
impl HttpTransport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<Bytes>> {
        self.seen.lock().unwrap().push((self.clock.elapsed(), request, *limits));
        let (took, answer) = self.answers.lock().unwrap().pop_front().expect("an answer for each request");
        self.clock.advance(took);
        answer
    }
}

/// A scheme with a header of its own, so that its marking is the pipeline's work.
#[derive(Debug)]
struct Key {
    fresh: Mutex<u32>,
}

#[async_trait]
impl Authenticator for Key {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let key = HeaderValue::from_str(SECRET).unwrap();
        let time = HeaderValue::from_str(&request.now.to_string()).unwrap();
        Ok(vec![(HeaderName::from_static("x-key"), key), (HeaderName::from_static("x-time"), time)])
    }

    async fn refresh(&self) -> Result<bool> {
        let mut fresh = self.fresh.lock().unwrap();
        let had = *fresh > 0;
        *fresh = fresh.saturating_sub(1);
        Ok(had)
    }
}

struct World {
    clock: Arc<FakeClock>,
    script: Arc<Script>,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(FakeClock::automatic());
        let script =
            Arc::new(Script { clock: Arc::clone(&clock), answers: Mutex::default(), seen: Mutex::default() });
        let runtime = Runtime::with_parts(
            Arc::clone(&script) as Arc<dyn HttpTransport>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SeededEntropy::new(1)),
        );
        Self { clock, script, runtime }
    }

    fn builder(&self) -> ApiClientBuilder {
        self.builder_for("shop.example")
    }

    fn builder_for(&self, host: &str) -> ApiClientBuilder {
        self.runtime.client(
            StoreKey::new("tenant", Platform::new("test"), host.to_owned()),
            Origin::https(&format!("https://{host}/api")).unwrap(),
            Arc::new(Key { fresh: Mutex::new(1) }),
        )
    }

    fn client(&self) -> ApiClient {
        self.builder().build().unwrap()
    }

    fn then(&self, status: u16, headers: &[(&str, &str)], body: &'static str) -> &Self {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        self.then_result(Ok(answer.body(Bytes::from_static(body.as_bytes())).unwrap()))
    }

    fn then_result(&self, answer: Result<http::Response<Bytes>>) -> &Self {
        self.script.answers.lock().unwrap().push_back((Duration::ZERO, answer));
        self
    }

    /// When each request left.
    fn sent_at(&self) -> Vec<Duration> {
        self.script.seen.lock().unwrap().iter().map(|(at, ..)| *at).collect()
    }

    fn sent(&self) -> usize {
        self.script.seen.lock().unwrap().len()
    }
}

fn reset() -> Error {
    Error::new(ErrorKind::Unavailable, "connection_lost", "lost").with_effect(Effect::Possible)
}

fn write() -> ApiRequest {
    ApiRequest::write(Method::PUT, "products/1", "{}")
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_read_succeeds_with_its_headers_address_and_body() {
    let world = World::new();
    world.then(200, &[("date", "Sun, 22 Nov 2026 17:08:40 GMT"), ("x-total", "3")], "[1]");
    let response = world
        .client()
        .execute(ApiRequest::get("v3/products").query("search", "a b+c&d").query("include", "1,2"))
        .await
        .unwrap();
    assert_eq!(response.body().as_ref(), b"[1]");
    assert_eq!(response.header("x-total"), Some("3"));
    assert_eq!(response.server_time().unwrap().to_string(), "2026-11-22T17:08:40Z");
    assert_eq!(response.attempts(), 1);
    let seen = world.script.seen.lock().unwrap();
    let request = &seen[0].1;
    assert_eq!(request.uri(), "https://shop.example/api/v3/products?search=a%20b%2Bc%26d&include=1%2C2");
    assert_eq!(request.headers()["accept"], "application/json");
    assert_eq!(request.headers()["user-agent"], concat!("lily-connect/", env!("CARGO_PKG_VERSION")));
    assert!(!request.headers().contains_key("content-type"));
    assert_eq!(seen[0].2.attempt_timeout, secs(60));
}
