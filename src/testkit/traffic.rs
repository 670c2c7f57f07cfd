//! What a server received: a log and counters for exact asserts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;

use super::exchange::Request;

/// The most log entries that are kept; the counters go on beyond it.
const LOG_LIMIT: usize = 200_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The verb on the wire.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query without its `?`, still percent-encoded.
    pub query: String,
    /// The bytes of the body.
    pub body_bytes: usize,
    /// The verb that `_method` or `X-HTTP-Method-Override` asked for, where one did.
    pub override_method: Option<String>,
}

impl Entry {
    /// Whether the request asked for a change: any verb but GET, HEAD and OPTIONS.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }
}

/// The log and the counters of a server. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    log: Vec<Entry>,
    requests: u64,
    writes: u64,
    in_flight: u64,
    peak: u64,
    faults: u64,
}

impl Traffic {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All requests received, also those that met a fault.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner().requests
    }

    /// The requests received that asked for a change (POST, PUT, PATCH, DELETE).
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.inner().writes
    }

    /// The faults that were played.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.inner().faults
    }

    /// The most requests that were being answered at one time.
    #[must_use]
    pub fn peak_in_flight(&self) -> u64 {
        self.inner().peak
    }

    /// The requests with that verb, as far as the log goes back.
    #[must_use]
    pub fn count(&self, method: &Method) -> usize {
        self.count_where(|entry| entry.method == *method)
    }

    /// The requests that `predicate` holds for, as far as the log goes back.
    pub fn count_where(&self, predicate: impl Fn(&Entry) -> bool) -> usize {
        self.inner().log.iter().filter(|entry| predicate(entry)).count()
    }

    /// A copy of the log, oldest first; at most its first 200,000 entries.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.inner().log.clone()
    }

    /// Starts log and counters anew; requests in flight stay counted.
    pub fn clear(&self) {
        let mut inner = self.inner();
        let in_flight = inner.in_flight;
        *inner = Inner { in_flight, peak: in_flight, ..Inner::default() };
    }

    pub(super) fn enter(&self, request: &Request) -> InFlight {
        let mut inner = self.inner();
        let entry = Entry {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            body_bytes: request.body.len(),
            override_method: request.header("x-http-method-override").map(str::to_owned).or_else(|| {
                url::form_urlencoded::parse(request.query.as_bytes())
                    .find(|(key, _)| key == "_method")
                    .map(|(_, value)| value.into_owned())
            }),
        };
        inner.requests += 1;
        inner.writes += u64::from(entry.is_write());
        inner.in_flight += 1;
        inner.peak = inner.peak.max(inner.in_flight);
        if inner.log.len() < LOG_LIMIT {
            inner.log.push(entry);
        }
        InFlight(self.clone())
    }

    pub(super) fn count_fault(&self) {
        self.inner().faults += 1;
    }
}

/// Counts a request as in flight until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Traffic);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.in_flight = inner.in_flight.saturating_sub(1);
    }
}
