//! What the pipeline gives back.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::error::Error;
use crate::time::Timestamp;

/// The answer to a call: status, headers and the whole body.
#[derive(Clone)]
pub struct ApiResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    received_at: Timestamp,
    attempts: u32,
    took: Duration,
}

impl ApiResponse {
    /// Describes an answer, for tests of classifiers and of functions that read answers.
    #[must_use]
    pub fn new(answer: http::Response<Bytes>, received_at: Timestamp, attempts: u32) -> Self {
        let (parts, body) = answer.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            received_at,
            attempts,
            took: Duration::ZERO,
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text; `None` where it is missing or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Gives the body away.
    #[must_use]
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The `Date` of the answer: the platform's own time when it answered, to the second.
    #[must_use]
    pub fn server_time(&self) -> Option<Timestamp> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        Timestamp::parse_http_date(date).ok()
    }

    /// The `Date` of the answer, less the time that it took: no record in it was read before. A server stamps
    /// its answer when it is ready, which can be long after it read its data.
    #[must_use]
    pub fn server_time_before(&self) -> Option<Timestamp> {
        self.server_time().map(|date| date.saturating_sub(self.took))
    }

    /// How long the last attempt took, from the first byte that left to the last one that came.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    pub(super) fn with_took(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    /// Our own wall clock when the answer had come.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The attempts it took, the first one included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// Why the body of a successful answer could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyFault {
    /// It is cut or broken, and another attempt may bring a whole one: a read is repeated.
    Broken(Error),
    /// No repetition helps.
    Final(Error),
}
