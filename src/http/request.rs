//! What a connector asks the pipeline to send.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::model::Lane;

/// One call, before it has credentials: built by a connector as a pure function.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The path below the origin's base, percent-encoded.
    pub path: Cow<'static, str>,
    /// The query, not yet encoded.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// The body, sent as JSON.
    pub body: Option<Bytes>,
    /// What it costs of the store's budget (default 1).
    pub cost: u32,
    /// Whether it may be repeated when its answer was lost.
    pub idempotency: Idempotency,
    /// Who waits for it.
    pub lane: Lane,
    /// The longest time for the whole call, waits and retries included (default 5 minutes).
    pub timeout: Duration,
    /// The longest silence between two pieces of the answer, where it differs from the client's.
    pub read_timeout: Option<Duration>,
    /// The longest time for one attempt, where it differs from the client's.
    pub attempt_timeout: Option<Duration>,
    /// The instant of the runtime's clock ([`crate::time::Clock::elapsed`]) past which no byte may leave.
    pub not_after: Option<Duration>,
}

/// Whether a request may be repeated when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idempotency {
    /// It changes nothing, or the platform tells a repetition apart: it is repeated.
    Safe,
    /// It may have had its effect: it is repeated only when it certainly was not sent, or was refused.
    Once,
}

impl ApiRequest {
    /// A read: repeated at need.
    #[must_use]
    pub fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::GET, path, Idempotency::Safe)
    }

    /// A write of JSON, which is never repeated blindly.
    #[must_use]
    pub fn write(method: Method, path: impl Into<Cow<'static, str>>, json: impl Into<Bytes>) -> Self {
        Self { body: Some(json.into()), ..Self::new(method, path, Idempotency::Once) }
    }

    fn new(method: Method, path: impl Into<Cow<'static, str>>, idempotency: Idempotency) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            cost: 1,
            idempotency,
            lane: Lane::default(),
            timeout: Duration::from_secs(300),
            read_timeout: None,
            attempt_timeout: None,
            not_after: None,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets who waits for it.
    #[must_use]
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Sets the longest time for the whole call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest silence and the longest time of one attempt, for calls that are slower than most.
    #[must_use]
    pub fn attempt_limits(mut self, read_timeout: Duration, attempt_timeout: Duration) -> Self {
        self.read_timeout = Some(read_timeout);
        self.attempt_timeout = Some(attempt_timeout);
        self
    }

    /// Sets what it costs of the store's budget.
    #[must_use]
    pub fn cost(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }

    /// Sets whether it may be repeated when its answer was lost.
    #[must_use]
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// Sets the instant past which no byte may leave.
    #[must_use]
    pub fn not_after(mut self, instant: Option<Duration>) -> Self {
        self.not_after = instant;
        self
    }
}
