//! What we keep ourselves: checkpoints, the write log, base values, the inbox, tokens, leases. "Store" always means
//! the merchant's; this room is "state".
//!
//! There is one write, [`StateStore::commit`]: a [`Unit`] of operations that happens whole or not at all.

#[cfg(test)]
mod conformance;
mod hints;
#[cfg(feature = "vault")]
mod keys;
mod memory;
mod refuse;
mod rows;
#[cfg(feature = "vault")]
mod sealed;
#[cfg(feature = "sqlite")]
mod sqlite;
mod vault;
mod write_job;

use std::fmt;
use std::num::NonZeroU32;

use async_trait::async_trait;

use crate::auth::StoredTokens;
use crate::error::Result;
use crate::model::{BaseToken, Cell, CellValue, RecordRef, StoreKey};
use crate::time::Timestamp;

pub use hints::{DeliveryDigest, Hint, HintKind, Job, JobPlace, JobVersion, NotedHash};
#[cfg(feature = "vault")]
pub use keys::{FixedKeys, KeyId, KeyProvider, VaultKey};
pub use memory::MemoryState;
pub use rows::{
    BulkPoint, BulkStage, Checkpoint, Fence, Op, Outcome, PushId, RowId, RowKind, RunKey, SinkMark, Unit,
    WriteRow,
};
#[cfg(feature = "vault")]
pub use sealed::SealedTokens;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteState;
pub use vault::StateVault;
pub use write_job::WriteJob;

/// Durable state, keyed by store. One state per store: two states cannot guard each other (rule W7).
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// Does all operations of the unit, durably, or none.
    ///
    /// # Errors
    /// `State` with code `fence_lost` where the unit's fence is not the newest one; with another code where
    /// the state could not be written.
    async fn commit(&self, store: &StoreKey, unit: Unit) -> Result<()>;

    /// The checkpoint of a run.
    ///
    /// # Errors
    /// `State` where it could not be read.
    async fn checkpoint(&self, store: &StoreKey, run: &RunKey) -> Result<Option<Checkpoint>>;

    /// The ids that a run delivered, in the order of their commits.
    ///
    /// # Errors
    /// `State` where they could not be read.
    async fn delivered(&self, store: &StoreKey, run: &RunKey) -> Result<Vec<u64>>;

    /// The rows of the write log that answer the query, oldest first.
    ///
    /// # Errors
    /// `State` where they could not be read.
    async fn rows(&self, store: &StoreKey, query: &RowQuery) -> Result<Vec<WriteRow>>;

    /// The jobs that write and whose end is not known yet, oldest first.
    ///
    /// # Errors
    /// `State` where they could not be read.
    async fn write_jobs(&self, store: &StoreKey) -> Result<Vec<WriteJob>>;

    /// The value that a base token was made of, while it is kept.
    ///
    /// # Errors
    /// `State` where it could not be read.
    async fn base_value(&self, store: &StoreKey, token: &BaseToken) -> Result<Option<CellValue>>;

    /// Whether a delivery was seen, as far as that is kept.
    ///
    /// # Errors
    /// `State` where it could not be read.
    async fn seen(&self, store: &StoreKey, delivery: &DeliveryDigest) -> Result<bool>;

    /// The jobs behind a place of the queue (none: from its head), in the order of their places.
    ///
    /// # Errors
    /// `State` where they could not be read.
    async fn jobs(&self, store: &StoreKey, after: Option<JobPlace>, most: NonZeroU32) -> Result<Vec<Job>>;

    /// What a record was when it was last handed on, or when our own write on top of that had landed, while it is
    /// kept.
    ///
    /// # Errors
    /// `State` where it could not be read.
    async fn noted_hash(&self, store: &StoreKey, record: &RecordRef) -> Result<Option<NotedHash>>;

    /// The tokens of a slot, with its version.
    ///
    /// # Errors
    /// `State` where they could not be read or opened, `Config` where their key is not given.
    async fn tokens(&self, store: &StoreKey, slot: &str) -> Result<StoredTokens>;

    /// Takes or renews the lease of a store's writers, and gives the fence to commit under.
    ///
    /// # Errors
    /// `State` with code `lease_held` where another holder has it past `now`.
    async fn lease(&self, store: &StoreKey, holder: &str, now: Timestamp, until: Timestamp) -> Result<Fence>;

    /// Gives the lease back, where the holder still has it.
    ///
    /// # Errors
    /// `State` where it could not be written.
    async fn release(&self, store: &StoreKey, holder: &str) -> Result<()>;
}

/// Which rows of the write log to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowQuery {
    /// Those of one cell.
    Cell(Cell),
    /// Those of all cells of a record.
    Holder(RecordRef),
    /// Those of one push.
    Push(PushId),
    /// Those that are not settled: `Intent` and `Unknown`.
    Unsettled,
}
