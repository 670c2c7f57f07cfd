//! What the outside may see of the pipeline: never a query, a header or a body.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::model::StoreKey;

/// Is told what the pipeline does, for counters and traces. It must return at once.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// An attempt ended.
    fn attempt(&self, event: &AttemptEvent<'_>) {
        let _ = event;
    }

    /// A call waited before an attempt.
    fn waited(&self, store: &StoreKey, reason: WaitReason, time: Duration) {
        let _ = (store, reason, time);
    }

    /// A store's breaker opened.
    fn circuit_opened(&self, store: &StoreKey) {
        let _ = store;
    }
}

/// One attempt, as it ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttemptEvent<'a> {
    /// The store.
    pub store: &'a StoreKey,
    /// The method.
    pub method: &'a Method,
    /// The path, without the query.
    pub path: &'a str,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// The status, where there was an answer.
    pub status: Option<StatusCode>,
    /// The bytes of the body after decompression.
    pub body_bytes: usize,
    /// The time from the first byte out to the last byte in.
    pub took: Duration,
    /// What came of it.
    pub result: AttemptResult,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptResult {
    /// It is what was asked for.
    Success,
    /// It failed in a way that another attempt may mend.
    Retryable,
    /// It failed for good.
    Failed,
}

/// Why a call waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// For the limiter: its turn, the rate, or a pause that the store asked for.
    Limiter,
    /// For the next attempt.
    Backoff,
}
