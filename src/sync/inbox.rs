//! The inbox: deliveries become jobs, and jobs become records that were read again.

mod handler;
mod work;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::Cancel;
use crate::connector::Connector;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ExternalId, RecordRef, Secret, StoreKey};
use crate::runtime::Runtime;
use crate::state::{DeliveryDigest, Hint, HintKind, Op, StateStore, Unit};
use crate::time::Timestamp;
use crate::webhook::{Event, EventKind, Incoming, Notice, Received};

pub use handler::{Gone, InboxHandler, Tombstone};
pub use work::InboxReport;

/// What one store tells of its changes, under one state.
///
/// [`Inbox::receive`] answers a delivery: it verifies it, drops it where it was seen, and commits a job. It calls
/// nobody, so it is as fast as the state. [`Inbox::work`] reads what is pending again, by id, and hands it on:
/// let one worker a store call it, every few seconds and after a restart. Two at once lose nothing, and may hand
/// a record on twice and in the wrong order.
///
/// A delivery is a hint (rule H1): nothing of its body is believed but which record it means. What a platform
/// tells nobody is found by a scheduled [`super::Pull`].
///
/// # Examples
/// A server takes the request, and a worker of the same state does the rest:
/// ```no_run
/// # use lily_connect::{Inbox, JsonlSink, Result, Runtime, Secret};
/// # use lily_connect::webhook::Incoming;
/// # async fn run(inbox: Inbox, runtime: Runtime, secret: Secret, sink: &mut JsonlSink,
/// #     headers: http::HeaderMap, body: bytes::Bytes) -> Result<()> {
/// let incoming = Incoming::new(headers, body, runtime.clock().now())?;
/// let receipt = inbox.receive(&incoming, &[secret]).await?;
/// // Answer 200, and later:
/// let report = inbox.work(sink).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Inbox {
    connector: Arc<dyn Connector>,
    state: Arc<dyn StateStore>,
    runtime: Runtime,
    settings: InboxSettings,
    cancel: Cancel,
    /// The place of the queue behind which the next call of `work` begins; zero for its head.
    resume: Arc<AtomicU64>,
}

/// The bounds that an inbox keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxSettings {
    /// How many records one call of [`Inbox::work`] reads at most (default 200).
    pub most_jobs: NonZeroU32,
    /// How many records are handed on before they are made durable and their jobs end (default 20).
    pub batch: NonZeroU32,
    /// How many reads may fail in a row before the store is left in peace until the next call (default 3).
    pub most_failures: NonZeroU32,
    /// How long a delivery is known again (default 7 days).
    pub deliveries_kept: Duration,
    /// How many deliveries are known again at most (default 10,000).
    pub most_deliveries: u32,
    /// How long it is known what was handed on, and so what an echo of our own write is (default 30 days).
    pub hashes_kept: Duration,
}

impl Default for InboxSettings {
    fn default() -> Self {
        let number = |number: u32| NonZeroU32::MIN.saturating_add(number - 1);
        Self {
            most_jobs: number(200),
            batch: number(20),
            most_failures: number(3),
            deliveries_kept: Duration::from_secs(7 * 24 * 3600),
            most_deliveries: 10_000,
            hashes_kept: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// What became of a delivery. Each is answered with success, or the platform counts a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InboxReceipt {
    /// The platform tried the address.
    Ping,
    /// It was seen before.
    Duplicate,
    /// The record will be read again: that is durable.
    Queued(RecordRef),
    /// The platform said something that is about no record: act on it, durably, before you answer. It is told each
    /// time that it comes, since only the caller knows whether it was acted on.
    Notice(Notice),
    /// It was ours, and there is nothing to do for it.
    Ignored(IgnoredWhy),
}

/// Why nothing is done for a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredWhy {
    /// It is about something else than records that are pulled.
    OtherTopic,
    /// The connector cannot read records of that kind from this store.
    EntityUnsupported,
}

impl Inbox {
    /// Takes what the connector's store tells, with its jobs in the state.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>, state: Arc<dyn StateStore>, runtime: Runtime) -> Self {
        let (settings, cancel) = (InboxSettings::default(), Cancel::default());
        Self { connector, state, runtime, settings, cancel, resume: Arc::default() }
    }

    /// Sets the bounds that it keeps to.
    #[must_use]
    pub fn settings(mut self, settings: InboxSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets a token that ends [`Inbox::work`] between two records.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Takes a delivery. Where it answers `Ok`, answer the platform 200, after you acted on a notice.
    ///
    /// # Errors
    /// As [`crate::connector::WebhookSource::verify`]: answer 401 for `Auth`, 400 for the others, but 500 for
    /// `Config`, and look at it. `Unsupported` where the platform tells nothing. `State` where the job could not
    /// be kept: answer 503.
    pub async fn receive(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<InboxReceipt> {
        let source = self.connector.webhooks().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "webhooks_unsupported", "this platform tells no changes")
                .with_remedy("pull what changed since a time instead")
        })?;
        let event = match source.verify(incoming, secrets)? {
            Received::Ping { .. } => return Ok(InboxReceipt::Ping),
            Received::Event(event) => event,
            Received::Notice(notice) => return Ok(InboxReceipt::Notice(notice)),
        };
        let hint = match self.hint(&event) {
            Ok(hint) => hint,
            Err(why) => return Ok(InboxReceipt::Ignored(why)),
        };
        let subscription = event.subscription.as_ref().map_or("", ExternalId::as_str);
        let delivery = DeliveryDigest::of(subscription, event.delivery.as_deref(), incoming.body());
        if self.state.seen(self.store(), &delivery).await? {
            return Ok(InboxReceipt::Duplicate);
        }
        let record = hint.record.clone();
        let now = self.now();
        let at = event.received.min(now);
        // Two of one delivery at the same moment both come here: the state takes the first one only.
        let ops = vec![
            Op::Receive { delivery, hint, at },
            Op::TrimDeliveries {
                before: now.saturating_sub(self.settings.deliveries_kept),
                keep: self.settings.most_deliveries,
            },
        ];
        self.state.commit(self.store(), Unit::new(ops)).await?;
        Ok(InboxReceipt::Queued(record))
    }

    fn hint(&self, event: &Event) -> Result<Hint, IgnoredWhy> {
        let kind = match event.topic {
            EventKind::Created | EventKind::Updated | EventKind::Restored => HintKind::Changed,
            EventKind::Deleted => HintKind::Deleted,
            EventKind::Other => return Err(IgnoredWhy::OtherTopic),
        };
        let record = event.record.clone().ok_or(IgnoredWhy::OtherTopic)?;
        if !self.can_read(&record) {
            return Err(IgnoredWhy::EntityUnsupported);
        }
        Ok(Hint::new(record, event.parent.clone(), kind))
    }

    fn can_read(&self, record: &RecordRef) -> bool {
        let claimed = self.connector.capabilities().entity(record.kind);
        claimed.is_some_and(|claimed| claimed.by_ids) && self.connector.schema(record.kind).is_some()
    }

    fn store(&self) -> &StoreKey {
        &self.connector.info().store
    }

    fn now(&self) -> Timestamp {
        self.runtime.clock().now()
    }
}
