//! Who gets what the inbox found.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Record, RecordRef};
use crate::sync::{Rejected, Sink};

/// Takes what changed in a store. Every [`Sink`] is one.
///
/// The inbox ends jobs only after [`InboxHandler::done`]: what was handed on before a crash is handed on again.
/// So a record can come more than once, and each time as it is then. What is just as it was when it was made
/// durable here last does not come again.
#[async_trait]
pub trait InboxHandler: Send {
    /// Takes a record as it was read again.
    ///
    /// # Errors
    /// `Sink` where it could not; its job stays.
    async fn changed(&mut self, record: &Record) -> Result<()>;

    /// Takes note of a record that is not there any more.
    ///
    /// # Errors
    /// `Sink` where it could not; its job stays.
    async fn gone(&mut self, gone: &Gone) -> Result<()>;

    /// Takes note of a record that is there and could not be mapped.
    ///
    /// # Errors
    /// `Sink` where it could not; its job stays.
    async fn rejected(&mut self, rejected: &Rejected) -> Result<()>;

    /// Makes everything that it took durable.
    ///
    /// # Errors
    /// `Sink` where it could not; the jobs stay.
    async fn done(&mut self) -> Result<()>;
}

/// A record that is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gone {
    /// The record.
    pub record: RecordRef,
    /// The product that it belonged to, where it is a variant and the platform said so.
    pub parent: Option<RecordRef>,
    /// What is known about it.
    pub tombstone: Tombstone,
}

/// What is known about a record that is not there (rule R7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tombstone {
    /// A read by id does not find it, and nobody said that it was deleted: the credential may have lost sight of
    /// it.
    Missing,
    /// The platform said that it was deleted, and a read by id does not find it.
    Deleted,
}

impl Gone {
    pub(super) fn new(record: RecordRef, parent: Option<RecordRef>, tombstone: Tombstone) -> Self {
        Self { record, parent, tombstone }
    }
}

/// A sink has no place for what is gone: the report names it, and a pull's sweep finds it.
#[async_trait]
impl<S: Sink + ?Sized> InboxHandler for S {
    async fn changed(&mut self, record: &Record) -> Result<()> {
        self.write(std::slice::from_ref(record)).await
    }

    async fn gone(&mut self, _: &Gone) -> Result<()> {
        Ok(())
    }

    async fn rejected(&mut self, rejected: &Rejected) -> Result<()> {
        self.reject(rejected).await
    }

    async fn done(&mut self) -> Result<()> {
        self.mark().await.map(drop)
    }
}
