//! The points budget against a model of a store that counts as Shopify does: an hour of virtual time on each plan,
//! alone and beside a client of somebody else's.
//!
//! Time is tokio's own, paused: it moves to the next timer as soon as nobody can go on, so calls overlap as they
//! would.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test"
)]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use lily_connect::auth::{Authenticator, Origin, RequestToSign};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::graphql::{Answer, Document};
use lily_connect::http::{
    ApiClient, ApiRequest, ApiResponse, BudgetReading, BudgetSettings, Classifier, ClientSettings, Outcome,
};
use lily_connect::model::{Platform, StoreKey};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::random::SeededRandom;
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::{Clock, Timestamp};
use lily_connect::transport::{AttemptLimits, HttpTransport};
use serde::Deserialize;
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);
/// What is not counted as the steady state: the bucket is full at first, and nothing is known.
const START_UP: Duration = Duration::from_secs(60);

/// A page whose cost the formula predicts.
static PLAIN: Document = Document::new(
    "plain",
    "query Plain($first: Int!, $deep: Int!) {
        items(first: $first) {
            nodes { id name parts(first: $deep) { nodes { id } } }
            pageInfo { hasNextPage endCursor }
        }
    }",
);
/// A page with fields whose cost the store sets by hand, and no formula knows.
static DEAR: Document = Document::new(
    "dear",
    "query Dear($first: Int!, $deep: Int!) {
        items(first: $first) { nodes { id dear: name parts(first: $deep) { nodes { id } } } }
    }",
);

/// What the store asks for: the documented sum, and for one of the documents a fifth more.
fn requested(body: &[u8]) -> f64 {
    let body: Value = serde_json::from_slice(body).unwrap();
    let number = |name: &str| body["variables"][name].as_f64().unwrap();
    let sum = 2.0 + number("first") * (1.0 + 2.0 + number("deep"));
    if body["operationName"] == "Dear" { (sum * 1.2).round() } else { sum }
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    maximum: f64,
    restored: f64,
    /// The range of `first`, at 5 points a record.
    first: (u64, u64),
    /// Between how many per mille of what it asks for a call costs in the end.
    actual: (u64, u64),
}

const PLANS: [Plan; 5] = [
    Plan { maximum: 1000.0, restored: 50.0, first: (2, 120), actual: (150, 700) },
    Plan { maximum: 2000.0, restored: 100.0, first: (2, 140), actual: (150, 700) },
    Plan { maximum: 4000.0, restored: 200.0, first: (2, 160), actual: (200, 800) },
    Plan { maximum: 20_000.0, restored: 1000.0, first: (80, 160), actual: (500, 950) },
    Plan { maximum: 40_000.0, restored: 2000.0, first: (130, 164), actual: (650, 950) },
];

/// Who else draws from the bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Others {
    Nobody,
    /// Half of what is restored, in small draws.
    Half,
    /// Much at once, from time to time.
    Bursts,
}

#[derive(Debug, Clone, Copy)]
enum Predicted {
    /// As the document says, and learned.
    Yes,
    /// Each call as 1 point, and nothing learned.
    No,
}

/// The clock of tokio's paused time.
#[derive(Debug)]
struct Paused(tokio::time::Instant);

#[async_trait]
impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_305_600).unwrap().saturating_add(self.elapsed())
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[derive(Debug)]
struct Bucket {
    maximum: f64,
    restored: f64,
    level: f64,
    at: Duration,
    /// What our calls cost, and what the others took.
    ours: f64,
    theirs: f64,
    calls: u32,
    /// When a call was refused, and for how long it was told to wait.
    refused: Vec<(Duration, Duration)>,
    sent: Vec<Duration>,
    random: SeededRandom,
}

impl Bucket {
    fn advance(&mut self, now: Duration) {
        let restored = self.restored * now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + restored).min(self.maximum);
        self.at = now;
    }
}

/// The model of the store.
#[derive(Debug)]
struct Store {
    clock: Arc<dyn Clock>,
    plan: Plan,
    latency: bool,
    bucket: Mutex<Bucket>,
}

impl Store {
    fn new(clock: Arc<dyn Clock>, plan: Plan, seed: u64) -> Arc<Self> {
        let bucket = Bucket {
            maximum: plan.maximum,
            restored: plan.restored,
            level: plan.maximum,
            at: clock.elapsed(),
            ours: 0.0,
            theirs: 0.0,
            calls: 0,
            refused: Vec::new(),
            sent: Vec::new(),
            random: SeededRandom::new(seed),
        };
        Arc::new(Self { clock, plan, latency: true, bucket: Mutex::new(bucket) })
    }

    async fn takes(&self, from: u64, to: u64) {
        if self.latency {
            let time = from + self.bucket.lock().unwrap().random.below(to - from);
            self.clock.sleep(Duration::from_millis(time)).await;
        }
    }

    /// Draws for somebody else, as far as it is there.
    fn drawn(&self, points: f64) {
        let mut bucket = self.bucket.lock().unwrap();
        bucket.advance(self.clock.elapsed());
        let taken = points.min(bucket.level);
        bucket.level -= taken;
        bucket.theirs += taken;
    }

    fn answer(bucket: &Bucket, requested: f64, actual: Option<f64>) -> http::Response<Bytes> {
        let mut body = json!({ "data": { "items": { "nodes": [] } } });
        if actual.is_none() {
            body = json!({ "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }] });
        }
        body["extensions"] = json!({ "cost": {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": bucket.maximum,
                "currentlyAvailable": bucket.level.floor(),
                "restoreRate": bucket.restored,
            },
        } });
        http::Response::new(Bytes::from(body.to_string()))
    }
}

#[async_trait]
impl HttpTransport for Store {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let requested = requested(request.body());
        self.bucket.lock().unwrap().sent.push(self.clock.elapsed());
        self.takes(10, 40).await;
        let actual = {
            let mut bucket = self.bucket.lock().unwrap();
            bucket.advance(self.clock.elapsed());
            if requested > bucket.level {
                let wait = Duration::from_secs_f64((requested - bucket.level.floor()) / bucket.restored);
                let answered = Self::answer(&bucket, requested, None);
                bucket.refused.push((self.clock.elapsed(), wait));
                return Ok(answered);
            }
            bucket.level -= requested;
            let (from, to) = self.plan.actual;
            let part = from + bucket.random.below(to - from);
            (requested * part as f64 / 1000.0).round()
        };
        self.takes(20, 180).await;
        let answered = {
            let mut bucket = self.bucket.lock().unwrap();
            bucket.advance(self.clock.elapsed());
            bucket.level = (bucket.level + requested - actual).min(bucket.maximum);
            bucket.ours += actual;
            bucket.calls += 1;
            Self::answer(&bucket, requested, Some(actual))
        };
        self.takes(10, 40).await;
        Ok(answered)
    }
}

/// Reads the costs as a connector would.
#[derive(Debug)]
struct Reader;

#[derive(Deserialize)]
struct Extensions {
    cost: Cost,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    requested_query_cost: Option<f64>,
    actual_query_cost: Option<f64>,
    throttle_status: Throttle,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    maximum_available: f64,
    currently_available: f64,
    restore_rate: f64,
}

impl Reader {
    fn cost(response: &ApiResponse) -> Option<Cost> {
        Some(Answer::read(response.body()).ok()?.extensions::<Extensions>()?.cost)
    }
}

impl Classifier for Reader {
    fn classify(&self, _: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        let answer = Answer::read(response.body()).unwrap();
        if answer.error("THROTTLED").is_none() {
            return by_status;
        }
        let after = Self::cost(response).map(|cost| {
            let status = cost.throttle_status;
            let lacking = cost.requested_query_cost.unwrap() - status.currently_available;
            Duration::from_secs_f64((lacking / status.restore_rate).max(0.0))
        });
        let error = Error::new(ErrorKind::RateLimited, "throttled", "the store's points are used up");
        Outcome::Retry { error, after }
    }

    fn budget(&self, _: &ApiRequest, response: &ApiResponse) -> Option<BudgetReading> {
        let cost = Self::cost(response)?;
        Some(BudgetReading {
            requested: cost.requested_query_cost,
            actual: cost.actual_query_cost,
            maximum: Some(cost.throttle_status.maximum_available),
            available: Some(cost.throttle_status.currently_available),
            restore_per_second: Some(cost.throttle_status.restore_rate),
        })
    }
}

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Authenticator for Nobody {
    async fn headers(&self, _: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        Ok(Vec::new())
    }
}

fn client(store: &Arc<Store>, callers: u32, budget: BudgetSettings) -> ApiClient {
    let runtime = Runtime::with_parts(
        Arc::clone(store) as Arc<dyn HttpTransport>,
        Arc::clone(&store.clock),
        Arc::new(SeededEntropy::new(1)),
    );
    let mut settings = ClientSettings::default();
    settings.attempts = 50;
    settings.max_in_flight = NonZeroU32::new(callers).unwrap();
    runtime
        .client(
            StoreKey::new("t", Platform::new("test"), "a"),
            Origin::https("https://shop.example").unwrap(),
            Arc::new(Nobody),
        )
        .settings(settings)
        .classifier(Arc::new(Reader))
        .budget(budget)
        .build()
        .unwrap()
}

/// What an hour came to.
#[derive(Debug)]
#[allow(dead_code, reason = "told where a test fails")]
struct Hour {
    calls: u32,
    failed: u32,
    /// Of the points that were there for us, the part that was used.
    used: f64,
    refused_at_start: usize,
    refused_later: usize,
    /// Calls that left while they were told to wait.
    too_early: usize,
}

async fn hour(plan: Plan, others: Others, callers: u32, predicted: Predicted, seed: u64) -> Hour {
    let clock: Arc<dyn Clock> = Arc::new(Paused(tokio::time::Instant::now()));
    let store = Store::new(Arc::clone(&clock), plan, seed);
    // What is known beforehand is the smallest plan.
    let client = client(&store, callers, BudgetSettings::new(1000.0, 50.0));
    let failed = Mutex::new(0);

    let draws = async {
        let mut random = SeededRandom::new(seed ^ 0xf0f0);
        while clock.elapsed() < HOUR {
            match others {
                Others::Nobody => clock.sleep(HOUR).await,
                Others::Half => {
                    let time = Duration::from_millis(100 + random.below(400));
                    clock.sleep(time).await;
                    store.drawn(plan.restored * 0.5 * time.as_secs_f64());
                }
                Others::Bursts => {
                    clock.sleep(Duration::from_millis(10_000 + random.below(20_000))).await;
                    store.drawn(plan.maximum * 0.4);
                }
            }
        }
    };
    let caller = |number: u64| {
        let (clock, client, failed) = (&clock, &client, &failed);
        async move {
            let mut random = SeededRandom::new(seed ^ (number << 32));
            while clock.elapsed() < HOUR {
                let first = plan.first.0 + random.below(plan.first.1 - plan.first.0);
                let document = if random.chance(500) { &PLAIN } else { &DEAR };
                let mut request =
                    document.request("graphql.json", &json!({ "first": first, "deep": 2 })).unwrap();
                if matches!(predicted, Predicted::No) {
                    (request.cost, request.cost_key) = (1, None);
                }
                if let Err(error) = client.execute(request).await {
                    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
                    *failed.lock().unwrap() += 1;
                }
            }
        }
    };
    let all = futures_util::future::join_all((0..u64::from(callers)).map(caller));
    tokio::join!(draws, all);

    let failed = *failed.lock().unwrap();
    let mut bucket = store.bucket.lock().unwrap();
    bucket.advance(clock.elapsed());
    let offered = plan.maximum + plan.restored * clock.elapsed().as_secs_f64() - bucket.theirs;
    let at_start = bucket.refused.iter().filter(|(at, _)| *at < START_UP).count();
    // The answer is 10 to 40 ms on its way in this model; what left before it came did not know of it.
    let way = Duration::from_millis(40);
    let too_early = bucket.sent.iter().filter(|sent| {
        bucket
            .refused
            .iter()
            .any(|(at, wait)| **sent > *at + way && **sent + Duration::from_millis(1) < *at + *wait)
    });
    Hour {
        calls: bucket.calls,
        failed,
        used: bucket.ours / offered,
        refused_at_start: at_start,
        refused_later: bucket.refused.len() - at_start,
        too_early: too_early.count(),
    }
}

async fn every_plan(others: Others, callers: u32) {
    let mut wrong = Vec::new();
    for (number, plan) in PLANS.into_iter().enumerate() {
        let seed = 0x1111 * (number as u64 + 1);
        let hour = hour(plan, others, callers, Predicted::Yes, seed).await;
        eprintln!(
            "{}/{} with {others:?}, {callers} at a time, seed {seed:#x}: {hour:?}",
            plan.maximum, plan.restored
        );
        let is_right = hour.used >= 0.97
            && (hour.refused_later, hour.failed, hour.too_early) == (0, 0, 0)
            && hour.refused_at_start <= 5;
        if !is_right {
            wrong.push((plan.maximum, hour));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn one_caller_alone_uses_the_points_of_every_plan_and_is_not_refused() {
    every_plan(Others::Nobody, 1).await;
}

#[tokio::test(start_paused = true)]
async fn four_callers_alone_use_the_points_of_every_plan_and_are_not_refused() {
    every_plan(Others::Nobody, 4).await;
}

#[tokio::test(start_paused = true)]
async fn one_caller_beside_a_client_that_takes_half_uses_the_rest_and_is_not_refused() {
    every_plan(Others::Half, 1).await;
}

#[tokio::test(start_paused = true)]
async fn four_callers_beside_a_client_that_takes_half_use_the_rest_and_are_not_refused() {
    every_plan(Others::Half, 4).await;
}

#[tokio::test(start_paused = true)]
async fn without_prediction_calls_are_refused() {
    for callers in [1, 4] {
        for plan in [PLANS[0], PLANS[2]] {
            let hour = hour(plan, Others::Nobody, callers, Predicted::No, 7).await;
            eprintln!("{}/{} unpredicted, {callers} at a time: {hour:?}", plan.maximum, plan.restored);
            assert!(hour.refused_later > 100, "{hour:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn beside_a_client_with_bursts_nothing_is_lost_and_no_call_leaves_too_early() {
    for callers in [1, 4] {
        for plan in [PLANS[0], PLANS[2], PLANS[3]] {
            let hour = hour(plan, Others::Bursts, callers, Predicted::Yes, 0x77).await;
            eprintln!("{}/{} with bursts, {callers} at a time: {hour:?}", plan.maximum, plan.restored);
            assert_eq!((hour.failed, hour.too_early), (0, 0), "{hour:?}");
            assert!(hour.used >= 0.9, "{hour:?}");
            // A refusal by a burst is no rule: there were some 180 bursts.
            assert!(hour.refused_later <= 180, "{hour:?}");
        }
    }
}

/// A store without latency on a clock that each sleep moves on.
fn exact(plan: Plan) -> (Arc<FakeClock>, Arc<Store>) {
    let clock = Arc::new(FakeClock::automatic());
    let store = Store::new(Arc::clone(&clock) as Arc<dyn Clock>, plan, 3);
    let mut store = Arc::try_unwrap(store).unwrap();
    store.latency = false;
    (clock, Arc::new(store))
}

#[tokio::test]
async fn a_refusal_is_waited_for_to_the_millisecond() {
    let (clock, store) = exact(PLANS[0]);
    let client = client(&store, 1, BudgetSettings::new(1000.0, 50.0));
    // Somebody took points before our first call: 300 are left of the 502 that it needs.
    store.drawn(700.0);
    let request = PLAIN.request("graphql.json", &json!({ "first": 100, "deep": 2 })).unwrap();
    assert_eq!(request.cost, 502);
    client.execute(request).await.unwrap();
    let bucket = store.bucket.lock().unwrap();
    assert_eq!(bucket.sent, [Duration::ZERO, Duration::from_millis(4040)]);
    assert_eq!((bucket.refused.len(), bucket.calls), (1, 1));
    assert_eq!(clock.slept(), [Duration::from_millis(4040)]);
}

#[tokio::test]
async fn a_call_waits_until_its_points_are_there_and_a_share_is_left_to_others() {
    let (clock, store) = exact(Plan { actual: (999, 1000), ..PLANS[0] });
    let client = client(&store, 1, BudgetSettings::new(1000.0, 50.0).share(0.4));
    let request = || PLAIN.request("graphql.json", &json!({ "first": 39, "deep": 2 })).unwrap();
    for _ in 0..20 {
        client.execute(request()).await.unwrap();
        let bucket = store.bucket.lock().unwrap();
        assert!(bucket.level >= 600.0, "{bucket:?}");
    }
    assert!(store.bucket.lock().unwrap().refused.is_empty());
    assert!(clock.elapsed() > Duration::from_secs(60));
}

#[tokio::test]
async fn what_can_never_be_paid_is_refused_before_it_is_sent() {
    let (clock, store) = exact(PLANS[0]);
    let large = PLAIN.request("graphql.json", &json!({ "first": 250, "deep": 2 })).unwrap();
    let client = client(&store, 1, BudgetSettings::new(1000.0, 50.0));
    let error = client.execute(large.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "cost_over_maximum"));
    let client = self::client(&store, 1, BudgetSettings::new(5000.0, 50.0).per_call(1000));
    let error = client.execute(large).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "cost_over_cap"));
    assert!(store.bucket.lock().unwrap().sent.is_empty() && clock.slept().is_empty());
}
