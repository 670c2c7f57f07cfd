//! What a connector asks the pipeline to send.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use crate::model::Lane;

/// One call, before it has credentials: built by a connector as a pure function.
///
/// Shown by `Debug`, it has neither the values of its query nor its body: both can hold a secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The path below the origin's base, percent-encoded.
    pub path: Cow<'static, str>,
    /// The query, not yet encoded.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// Further headers that the platform asks for, which are no credentials, such as the view that a call is about.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, sent as JSON where nothing else is said.
    pub body: Option<Bytes>,
    /// What the body is, where it is no JSON.
    pub content_type: Option<HeaderValue>,
    /// What it costs of the store's budget (default 1).
    pub cost: u32,
    /// What shape of request this is, where requests of one shape cost the same: a budget then takes what the
    /// last one of it was really asked for, and not `cost`. The upper 32 bits name the shape's family: where one
    /// of a family was asked for more than its `cost`, the others are expected to be by the same factor.
    pub cost_key: Option<u64>,
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
    /// The first byte of the body that is asked for; none for the whole one.
    pub from_byte: Option<u64>,
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
            headers: Vec::new(),
            body: None,
            content_type: None,
            cost: 1,
            cost_key: None,
            idempotency,
            lane: Lane::default(),
            timeout: Duration::from_secs(300),
            read_timeout: None,
            attempt_timeout: None,
            not_after: None,
            from_byte: None,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets what the body is, where it is no JSON.
    #[must_use]
    pub fn content_type(mut self, content_type: HeaderValue) -> Self {
        self.content_type = Some(content_type);
        self
    }

    /// Adds a header that is no credential. What the pipeline and the credentials set goes before it.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
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

    /// Names the shape of the request, for a budget that learns what the shape costs.
    #[must_use]
    pub fn cost_key(mut self, key: u64) -> Self {
        self.cost_key = Some(key);
        self
    }

    /// Sets whether it may be repeated when its answer was lost.
    #[must_use]
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// Asks for the body from a byte on. A server that cannot do so answers with the whole one.
    #[must_use]
    pub fn from_byte(mut self, offset: u64) -> Self {
        self.from_byte = Some(offset);
        self
    }

    /// Sets the instant past which no byte may leave.
    #[must_use]
    pub fn not_after(mut self, instant: Option<Duration>) -> Self {
        self.not_after = instant;
        self
    }
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.query.iter().map(|(name, _)| name.as_ref()).collect();
        f.debug_struct("ApiRequest")
            .field("method", &self.method)
            .field("path", &self.path.split('?').next().unwrap_or_default())
            .field("query", &names)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .field("cost", &self.cost)
            .field("idempotency", &self.idempotency)
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_carries_is_not_shown() {
        let body = r#"{"topic": "product.updated", "secret": "s3cret-of-a-webhook"}"#;
        let request = ApiRequest::write(Method::POST, "wp-json/wc/v3/webhooks", body)
            .query("consumer_secret", "cs_hidden")
            .query("search", "A person's name");
        let signed = ApiRequest::get("file.jsonl?signature=cs_hidden");
        assert!(!format!("{signed:?}").contains("cs_hidden"), "{signed:?}");
        for shown in [format!("{request:?}"), format!("{request:#?}")] {
            for hidden in ["s3cret", "cs_hidden", "person", "product.updated"] {
                assert!(!shown.contains(hidden), "{shown}");
            }
            // What helps to find the call is there.
            for known in ["POST", "wp-json/wc/v3/webhooks", "consumer_secret", &body.len().to_string()] {
                assert!(shown.contains(known), "{shown}");
            }
        }
    }
}
