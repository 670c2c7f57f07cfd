//! The pipeline over a scripted transport and a virtual clock.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::*;
use crate::auth::{Authenticator, Origin, Refreshed, RequestToSign};
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
    in_flight: AtomicUsize,
    busiest: AtomicUsize,
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
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.busiest.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
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

    async fn refresh(&self, rejected: &http::HeaderMap) -> Result<Refreshed> {
        assert_eq!(rejected["x-key"], SECRET, "what was refused is told");
        let mut fresh = self.fresh.lock().unwrap();
        let had = *fresh > 0;
        *fresh = fresh.saturating_sub(1);
        Ok(if had { Refreshed::Fetched } else { Refreshed::Nothing })
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
        let script = Arc::new(Script {
            clock: Arc::clone(&clock),
            answers: Mutex::default(),
            seen: Mutex::default(),
            in_flight: AtomicUsize::default(),
            busiest: AtomicUsize::default(),
        });
        let runtime = Runtime::with_parts(
            Arc::clone(&script) as Arc<dyn HttpTransport>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SeededEntropy::new(1)),
        );
        Self { clock, script, runtime }
    }

    fn remembered(&self) -> usize {
        self.runtime.shared().stores()
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

    fn client_with(&self, authenticator: Arc<dyn Authenticator>) -> ApiClient {
        self.runtime
            .client(
                StoreKey::new("t", Platform::new("test"), "a"),
                Origin::https("https://shop.example").unwrap(),
                authenticator,
            )
            .build()
            .unwrap()
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

fn read() -> ApiRequest {
    ApiRequest::get("products")
}

/// The waits that the seeded entropy makes of the default backoff.
fn expected_waits(retries: u32) -> Vec<Duration> {
    let entropy = SeededEntropy::new(1);
    (1..=retries).map(|retry| Backoff::default().wait(retry, &entropy).unwrap()).collect()
}

#[tokio::test]
async fn a_read_is_repeated_after_faults_with_the_waits_of_the_backoff() {
    let world = World::new();
    world.then_result(Err(reset())).then(502, &[], "").then(500, &[], "").then(200, &[], "[]");
    let response = world.client().execute(read()).await.unwrap();
    assert_eq!(response.attempts(), 4);
    assert_eq!(world.clock.slept(), expected_waits(3));
}

#[tokio::test]
async fn a_read_gives_up_after_five_attempts() {
    let world = World::new();
    for _ in 0..5 {
        world.then(503, &[], "");
    }
    let error = world.client().execute(read()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "server_error"));
    assert!(error.context().contains(&("attempts", "5".to_owned())));
    assert_eq!(world.sent(), 5);
}

#[tokio::test]
async fn a_write_whose_outcome_is_unknown_is_never_repeated() {
    let lost = [
        Err(reset()),
        Err(Error::new(ErrorKind::Timeout, "attempt_timeout", "late").with_effect(Effect::Possible)),
    ];
    let refused = [500, 502, 503, 504, 408].map(|status| {
        Ok(http::Response::builder().status(status).header("retry-after", "1").body(Bytes::new()).unwrap())
    });
    for answer in lost.into_iter().chain(refused) {
        let world = World::new();
        world.then_result(answer);
        let error = world.client().execute(write()).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Possible, "{error}");
        assert_eq!(world.sent(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_write_that_certainly_had_no_effect_is_repeated() {
    let world = World::new();
    world
        .then_result(Err(Error::new(ErrorKind::Unavailable, "connect_failed", "no connection")))
        .then(429, &[("retry-after", "3")], "")
        .then(200, &[], "{}");
    world.client().execute(write()).await.unwrap();
    assert_eq!(world.sent(), 3);
    let seen = world.script.seen.lock().unwrap();
    assert_eq!(seen[2].1.body().as_ref(), b"{}");
    assert_eq!(seen[2].1.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn retry_after_stops_the_whole_store_and_no_longer_than_its_cap() {
    let world = World::new();
    world.then(429, &[("retry-after", "17")], "").then(200, &[], "");
    let (one, two) = (world.client(), world.client());
    assert!(one.execute(read().timeout(secs(10))).await.is_err());
    two.execute(read()).await.unwrap();
    assert_eq!(world.sent_at(), [secs(0), secs(17)]);

    let world = World::new();
    let mut settings = ClientSettings { retry_after_cap: secs(60), ..ClientSettings::default() };
    settings.attempts = 2;
    world.then(429, &[("retry-after", "31536000")], "").then(200, &[], "");
    world.builder().settings(settings).build().unwrap().execute(read()).await.unwrap();
    assert_eq!(world.sent_at(), [secs(0), secs(60)]);
}

#[tokio::test]
async fn a_wait_over_the_deadline_ends_the_call_and_names_the_time() {
    let world = World::new();
    world.then(429, &[("retry-after", "30")], "");
    let error = world.client().execute(read().timeout(secs(30))).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::RateLimited, Retry::After(secs(30))));
    // The store is paused for the next call as well.
    let error = world.client().execute(read().timeout(secs(29))).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("limiter_wait_too_long", Retry::After(secs(30))));
    assert_eq!(world.sent(), 1);
}

#[tokio::test]
async fn an_attempt_gets_no_more_time_than_the_call_has_left() {
    let world = World::new();
    world.then(429, &[("retry-after", "20")], "").then(200, &[], "");
    world.client().execute(read().timeout(secs(50)).attempt_limits(secs(40), secs(45))).await.unwrap();
    let seen = world.script.seen.lock().unwrap();
    assert_eq!((seen[0].2.read_timeout, seen[0].2.attempt_timeout), (secs(40), secs(45)));
    assert_eq!(seen[1].2.attempt_timeout, secs(30));
}

#[tokio::test]
async fn nothing_is_sent_past_the_guard_window() {
    // The refusal asks for a wait that is longer than the window.
    let world = World::new();
    world.then(429, &[("retry-after", "6")], "");
    let error = world.client().execute(write().not_after(Some(secs(5)))).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("guard_window_passed", Effect::None));
    assert_eq!(world.sent(), 1);
    assert!(world.clock.slept().is_empty(), "a wait that cannot help is not made");

    // The store is still paused when the next write comes.
    let error = world.client().execute(write().not_after(Some(secs(5)))).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("guard_window_passed", Effect::None));
    assert_eq!(world.sent(), 1);
}

/// Credentials that take their time, such as a token that is fetched.
#[derive(Debug)]
struct Slow(Arc<FakeClock>);

#[async_trait]
impl Authenticator for Slow {
    async fn headers(&self, _: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        self.0.advance(secs(6));
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn the_guard_window_and_the_deadline_are_checked_after_the_last_wait() {
    let world = World::new();
    let client = world.client_with(Arc::new(Slow(Arc::clone(&world.clock))));
    let error = client.execute(write().not_after(Some(secs(5)))).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("guard_window_passed", Effect::None));
    let error = client.execute(read().timeout(secs(6))).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, "deadline_passed"));
    assert_eq!(world.sent(), 0);
}

#[tokio::test]
async fn refused_credentials_are_refreshed_once() {
    let world = World::new();
    let client = world.client();
    world.then(401, &[], "").then(200, &[], "");
    client.execute(read()).await.unwrap();
    assert!(world.clock.slept().is_empty());
    world.then(401, &[], "");
    let error = client.execute(read()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(world.sent(), 3);

    // However often new ones can be had.
    let world = World::new();
    let client = world.client_with(Arc::new(Key { fresh: Mutex::new(9) }));
    world.then(401, &[], "").then(401, &[], "");
    assert_eq!(client.execute(read()).await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(world.sent(), 2);
}

#[tokio::test]
async fn a_fault_halves_the_calls_in_flight_and_answers_bring_them_back() {
    let world = World::new();
    let settings = ClientSettings { attempts: 1, ..ClientSettings::default() };
    let client = world.builder().settings(settings).build().unwrap();
    let busiest = || world.script.busiest.swap(0, Ordering::SeqCst);
    let both = async || {
        world.then(200, &[], "").then(200, &[], "");
        let (one, two) = tokio::join!(client.execute(read()), client.execute(read()));
        assert!(one.is_ok() && two.is_ok());
    };
    both().await;
    assert_eq!(busiest(), 2);
    world.then(429, &[("retry-after", "0")], "");
    assert!(client.execute(read()).await.is_err());
    both().await;
    assert_eq!(busiest(), 1);
    both().await;
    assert_eq!(busiest(), 2);
}

#[tokio::test]
async fn a_call_that_the_breaker_refuses_does_not_wait_for_its_turn() {
    let world = World::new();
    let mut settings = ClientSettings { attempts: 1, ..ClientSettings::default() };
    settings.breaker.faults = 1;
    let client = world.builder().settings(settings).build().unwrap();
    world.then(503, &[("retry-after", "9")], "");
    assert!(client.execute(read()).await.is_err());
    assert_eq!(client.execute(read()).await.unwrap_err().kind(), ErrorKind::CircuitOpen);
    assert!(world.clock.slept().is_empty());
}

/// Reads a refusal for the clock, a web page, and a maintenance notice out of an answer.
#[derive(Debug)]
struct Reader;

impl Classifier for Reader {
    fn classify(&self, _: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        match (response.body().as_ref(), by_status) {
            (b"clock", Outcome::Refresh(error)) => Outcome::ClockOff(error),
            (b"<html>", Outcome::Success) => {
                Outcome::Fail(Error::new(ErrorKind::Protocol, "html", "a web page came in place of JSON"))
            }
            (b"maintenance", Outcome::Retry { error, .. }) => Outcome::Retry { error, after: Some(secs(15)) },
            (_, outcome) => outcome,
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_once_by_the_servers_date() {
    let world = World::new();
    let client = world.builder().classifier(Arc::new(Reader)).build().unwrap();
    let date = ("date", "Sun, 22 Nov 2026 03:00:00 GMT");
    world.then(401, &[date], "clock").then(200, &[], "").then(200, &[], "");
    client.execute(write()).await.unwrap();
    client.execute(read()).await.unwrap();
    {
        let seen = world.script.seen.lock().unwrap();
        let times: Vec<_> =
            seen.iter().map(|(_, request, _)| request.headers()["x-time"].to_str().unwrap()).collect();
        assert_eq!(times, ["2026-11-22T00:00:00Z", "2026-11-22T03:00:00Z", "2026-11-22T03:00:00Z"]);
    }
    world.then(401, &[date], "clock").then(401, &[date], "clock");
    assert_eq!(client.execute(read()).await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(world.sent(), 5);
}

#[tokio::test]
async fn a_classifier_refines_the_status() {
    let world = World::new();
    let client = world.builder().classifier(Arc::new(Reader)).build().unwrap();
    world.then(200, &[], "<html>");
    assert_eq!(client.execute(read()).await.unwrap_err().code(), "html");
    world.then(503, &[("retry-after", "600")], "maintenance").then(200, &[], "");
    client.execute(read()).await.unwrap();
    assert_eq!(world.sent_at().last(), Some(&secs(15)));
}

fn whole(response: ApiResponse) -> Result<usize, BodyFault> {
    if response.body().ends_with(b"]") {
        Ok(response.body().len())
    } else {
        Err(BodyFault::Broken(Error::new(ErrorKind::Protocol, "body_cut", "the list has no end")))
    }
}

#[tokio::test]
async fn a_broken_body_of_a_read_is_repeated_within_the_attempts() {
    let world = World::new();
    world.then(200, &[], "[1,").then(500, &[], "").then(200, &[], "[1]");
    assert_eq!(world.client().execute_with(read(), whole).await.unwrap(), 3);
    assert_eq!(world.clock.slept(), expected_waits(2));
    for _ in 0..5 {
        world.then(200, &[], "[1,");
    }
    let error = world.client().execute_with(read(), whole).await.unwrap_err();
    assert_eq!(error.code(), "body_cut");
    assert_eq!(world.sent(), 8);
}

#[tokio::test]
async fn a_broken_answer_to_a_write_is_unknown_and_not_repeated() {
    let world = World::new();
    world.then(200, &[], "[1,");
    let error = world.client().execute_with(write(), whole).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Possible);
    assert_eq!(world.sent(), 1);
}

#[tokio::test]
async fn the_retries_of_a_store_have_a_budget() {
    let world = World::new();
    let mut settings =
        ClientSettings { backoff: Backoff::new(Duration::ZERO, Duration::ZERO), ..Default::default() };
    settings.breaker.faults = 1000;
    let client = world.builder().settings(settings).build().unwrap();
    for _ in 0..13 {
        world.then(500, &[], "");
    }
    for _ in 0..3 {
        assert!(client.execute(read()).await.is_err());
    }
    // Ten retries in reserve and two fifths of one from the calls: 5 + 5 + 3 attempts.
    assert_eq!(world.sent(), 13);
    world.then(500, &[], "");
    let error = client.execute(read()).await.unwrap_err();
    assert!(error.context().contains(&("retries", "budget spent".to_owned())), "{error}");
}

#[tokio::test]
async fn the_breaker_leaves_a_failing_store_in_peace_and_lets_one_probe_pass() {
    let world = World::new();
    let settings = ClientSettings { attempts: 1, ..ClientSettings::default() };
    let client = world.builder().settings(settings.clone()).build().unwrap();
    for _ in 0..10 {
        world.then(500, &[], "");
        assert!(client.execute(read()).await.is_err());
    }
    let error = client.execute(read()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::CircuitOpen, Effect::None));
    assert_eq!(error.retry(), Retry::After(secs(15)));
    // Another store at the same transport goes on.
    world.then(200, &[], "");
    world.builder_for("other.example").build().unwrap().execute(read()).await.unwrap();
    world.clock.advance(secs(15));
    world.then(200, &[], "").then(200, &[], "");
    client.execute(read()).await.unwrap();
    client.execute(read()).await.unwrap();
    assert_eq!(world.sent(), 13);
}

#[tokio::test]
async fn refusals_never_open_the_breaker() {
    let world = World::new();
    let client = world.client();
    for _ in 0..40 {
        world.then(404, &[], "");
        assert_eq!(client.execute(read()).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    world.then(200, &[], "");
    assert!(client.execute(read()).await.is_ok());
}

#[tokio::test]
async fn credentials_are_sensitive_and_nothing_shows_them() {
    let world = World::new();
    world.then(400, &[], "");
    let builder = world.builder();
    let shown = format!("{builder:?}");
    let client = builder.build().unwrap();
    let error = client.execute(read().query("consumer_secret", SECRET)).await.unwrap_err();
    let seen = world.script.seen.lock().unwrap();
    let headers = seen[0].1.headers();
    assert!(headers["x-key"].is_sensitive());
    let shown = format!("{shown} {client:?} {error} {error:?} {headers:?} {:?}", world.runtime);
    assert!(!shown.contains(SECRET), "{shown}");
}

/// Notes what it is told, as text.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn attempt(&self, event: &AttemptEvent<'_>) {
        self.0.lock().unwrap().push(format!("{} {} {:?}", event.method, event.path, event.result));
    }

    fn waited(&self, store: &StoreKey, reason: WaitReason, time: Duration) {
        self.0.lock().unwrap().push(format!("{store} {reason:?} {time:?}"));
    }
}

#[tokio::test]
async fn an_observer_sees_attempts_and_waits_without_the_query() {
    let world = World::new();
    let notes = Arc::new(Notes::default());
    let runtime = world.runtime.clone().with_observer(Arc::clone(&notes) as Arc<dyn Observer>);
    let client = runtime
        .client(
            StoreKey::new("t", Platform::new("test"), "a"),
            Origin::https("https://shop.example").unwrap(),
            Arc::new(Key { fresh: Mutex::default() }),
        )
        .build()
        .unwrap();
    world.then(429, &[("retry-after", "2")], "").then(200, &[], "");
    client.execute(read().query("search", SECRET)).await.unwrap();
    assert_eq!(
        *notes.0.lock().unwrap(),
        ["GET /products Retryable", "t:test:a Backoff 2s", "GET /products Success"]
    );
}

#[tokio::test]
async fn a_path_cannot_leave_the_base() {
    let world = World::new();
    let client = world.client();
    for path in ["../x", "a/../../x", "%2e%2e/x", "x#y"] {
        let error = client.execute(ApiRequest::get(path)).await.unwrap_err();
        assert_eq!(error.code(), "path_unusable", "{path}");
    }
    assert_eq!(world.sent(), 0);
    for path in ["//evil.example/x", "https://evil.example/x"] {
        world.then(200, &[], "");
        client.execute(ApiRequest::get(path)).await.unwrap();
    }
    let seen = world.script.seen.lock().unwrap();
    assert!(seen.iter().all(|(_, request, _)| request.uri().host() == Some("shop.example")));
}

#[tokio::test]
async fn the_number_of_remembered_stores_is_bounded_and_used_ones_stay() {
    let world = World::new();
    let kept = world.builder_for("kept.example").build().unwrap();
    world.then(429, &[("retry-after", "9")], "");
    assert!(kept.execute(read().timeout(secs(5))).await.is_err());
    for n in 0..3000 {
        drop(world.builder_for(&format!("s{n}.example")).build().unwrap());
    }
    assert!(world.remembered() <= 1100, "{}", world.remembered());
    let again = world.builder_for("kept.example").build().unwrap();
    let error = again.execute(read().timeout(secs(5))).await.unwrap_err();
    assert_eq!(error.code(), "limiter_wait_too_long");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_without_a_call() {
    let world = World::new();
    let none = ClientSettings { attempts: 0, ..ClientSettings::default() };
    assert_eq!(world.builder().settings(none).build().unwrap_err().code(), "attempts_zero");
    let agent = ClientSettings { user_agent: "a\nb".to_owned(), ..ClientSettings::default() };
    assert_eq!(world.builder().settings(agent).build().unwrap_err().code(), "user_agent_unusable");
    let client = world.builder().rate(Rate::new(NonZeroU32::MIN, secs(1), NonZeroU32::MIN)).build().unwrap();
    let error = client.execute(read().cost(2).lane(Lane::Interactive)).await.unwrap_err();
    assert_eq!(error.code(), "cost_over_burst");
    assert!(Timestamp::UNIX_EPOCH < world.clock.now());
}

/// A scheme that adds to the query.
#[derive(Debug)]
struct InQuery;

#[async_trait]
impl Authenticator for InQuery {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        assert!(!request.url.as_str().contains("secret"), "what is signed has no secret in it");
        Ok(Vec::new())
    }

    fn query(&self, _: &RequestToSign<'_>) -> Result<Vec<(&'static str, crate::model::Secret)>> {
        Ok(vec![("the secret", crate::model::Secret::new("a&b/é"))])
    }
}

/// Keeps the paths that it is told.
#[derive(Debug, Default)]
struct Paths(Mutex<Vec<String>>);

impl Observer for Paths {
    fn attempt(&self, event: &AttemptEvent<'_>) {
        self.0.lock().unwrap().push(event.path.to_owned());
    }
}

#[tokio::test]
async fn what_credentials_add_to_the_query_is_sent_and_nobody_else_sees_it() {
    let world = World::new();
    let paths = Arc::new(Paths::default());
    let runtime = world.runtime.clone().with_observer(Arc::clone(&paths) as Arc<dyn Observer>);
    let store = StoreKey::new("tenant", Platform::new("test"), "shop.example");
    let origin = Origin::https("https://shop.example/api").unwrap();
    let client = runtime.client(store, origin, Arc::new(InQuery)).build().unwrap();
    for (request, expected) in [
        (ApiRequest::get("x"), "https://shop.example/api/x?the%20secret=a%26b%2F%C3%A9"),
        (
            ApiRequest::get("x?a=1").query("b", "2"),
            "https://shop.example/api/x?a=1&b=2&the%20secret=a%26b%2F%C3%A9",
        ),
    ] {
        let answer = Ok(http::Response::new(Bytes::new()));
        world.script.answers.lock().unwrap().push_back((Duration::ZERO, answer));
        client.execute(request).await.unwrap();
        let seen = world.script.seen.lock().unwrap().pop().unwrap().1;
        assert_eq!(seen.uri().to_string(), expected);
        assert_eq!(seen.extensions().get::<url::Url>().unwrap().as_str(), expected);
    }
    assert_eq!(*paths.0.lock().unwrap(), ["/api/x", "/api/x"]);
    assert!(!format!("{client:?}").contains("a&b"));
}

#[tokio::test]
async fn a_route_keeps_its_slashes_and_cannot_lead_elsewhere() {
    let world = World::new();
    let route: Route = |path| match path {
        "out" => "../../out".into(),
        path => format!("index?route=/{path}&x=a/b").into(),
    };
    let client = world.builder().route(route).build().unwrap();
    let answer = Ok(http::Response::new(Bytes::new()));
    world.script.answers.lock().unwrap().push_back((Duration::ZERO, answer));
    client.execute(ApiRequest::get("v1/y").query("c", "d/e")).await.unwrap();
    let seen = world.script.seen.lock().unwrap().pop().unwrap().1;
    assert_eq!(seen.uri().to_string(), "https://shop.example/api/index?route=/v1/y&x=a/b&c=d%2Fe");
    let error = client.execute(ApiRequest::get("out")).await.unwrap_err();
    assert_eq!(error.code(), "path_unusable");
}
