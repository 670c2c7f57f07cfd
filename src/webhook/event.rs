//! What a platform says happened.

use serde::{Deserialize, Serialize};

use super::Notice;
use crate::model::{ExternalId, RecordRef, Text};
use crate::time::Timestamp;

/// What a verified request is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// The platform tries the address: answer it, and do nothing. It is not signed, so it says nothing else.
    Ping {
        /// The subscription that it names.
        subscription: ExternalId,
    },
    /// Something happened to a record.
    Event(Event),
    /// Something happened that is about no record, and that the caller must act on.
    Notice(Notice),
}

/// Something that happened at the platform: a hint to read a record again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub topic: EventKind,
    /// The record, where it is one of a kind that this crate knows.
    pub record: Option<RecordRef>,
    /// The product that a variant belongs to, where the event says it.
    pub parent: Option<RecordRef>,
    /// The subscription that it came by, where the platform names it.
    pub subscription: Option<ExternalId>,
    /// The platform's id of the delivery. It is mostly not signed, and on some platforms two deliveries share it.
    pub delivery: Option<Text>,
    /// The platform's id of what happened, which several deliveries about it share.
    pub cause: Option<Text>,
    /// When it happened, by the platform's clock and mostly not signed.
    pub triggered: Option<Timestamp>,
    /// When it came, by our clock.
    pub received: Timestamp,
}

impl Event {
    /// An event that came at a time of our clock, of no record yet.
    #[must_use]
    pub fn new(topic: EventKind, received: Timestamp) -> Self {
        Self {
            topic,
            record: None,
            parent: None,
            subscription: None,
            delivery: None,
            cause: None,
            triggered: None,
            received,
        }
    }

    /// Names the subscription that it came by.
    #[must_use]
    pub fn with_subscription(mut self, subscription: impl Into<ExternalId>) -> Self {
        self.subscription = Some(subscription.into());
        self
    }

    /// Names the record.
    #[must_use]
    pub fn with_record(mut self, record: RecordRef) -> Self {
        self.record = Some(record);
        self
    }

    /// Names the product that the record, a variant, belongs to.
    #[must_use]
    pub fn with_parent(mut self, parent: RecordRef) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Names the delivery.
    #[must_use]
    pub fn with_delivery(mut self, delivery: impl Into<Text>) -> Self {
        self.delivery = Some(delivery.into());
        self
    }

    /// Names what happened, as the platform counts it.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Text>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says when it happened.
    #[must_use]
    pub fn with_triggered(mut self, at: Timestamp) -> Self {
        self.triggered = Some(at);
        self
    }
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was put into the bin, or is gone.
    Deleted,
    /// It was taken out of the bin.
    Restored,
    /// Something that this crate has no word for.
    Other,
}

impl EventKind {
    /// The kinds that a platform can be asked to tell.
    pub const ALL: [Self; 4] = [Self::Created, Self::Updated, Self::Deleted, Self::Restored];
}
