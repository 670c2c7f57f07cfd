//! A state that takes no change of the write log but under a fence: without one, another writer may have come between.
#![allow(unreachable_pub, reason = "shared by tests")]

use std::num::NonZeroU32;

use async_trait::async_trait;
use lily_connect::auth::StoredTokens;
use lily_connect::error::Result;
use lily_connect::model::{BaseToken, CellValue, RecordRef, StoreKey};
use lily_connect::state::{
    Checkpoint, DeliveryDigest, Fence, Job, JobPlace, MemoryState, NotedHash, Op, RowQuery, RunKey,
    StateStore, Unit, WriteJob, WriteRow,
};
use lily_connect::time::Timestamp;

#[derive(Debug, Default)]
pub struct Fenced(MemoryState);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateStore for Fenced {
    async fn commit(&self, store: &StoreKey, unit: Unit) -> Result<()> {
        let is_of_log = |op: &Op| matches!(op, Op::Append(_) | Op::Settle { .. } | Op::MarkUndone { .. });
        assert!(unit.fence.is_some() || !unit.ops.iter().any(is_of_log), "without a fence: {unit:?}");
        self.0.commit(store, unit).await
    }
    async fn checkpoint(&self, store: &StoreKey, run: &RunKey) -> Result<Option<Checkpoint>> {
        self.0.checkpoint(store, run).await
    }
    async fn delivered(&self, store: &StoreKey, run: &RunKey) -> Result<Vec<u64>> {
        self.0.delivered(store, run).await
    }
    async fn rows(&self, store: &StoreKey, query: &RowQuery) -> Result<Vec<WriteRow>> {
        self.0.rows(store, query).await
    }
    async fn write_jobs(&self, store: &StoreKey) -> Result<Vec<WriteJob>> {
        self.0.write_jobs(store).await
    }
    async fn base_value(&self, store: &StoreKey, token: &BaseToken) -> Result<Option<CellValue>> {
        self.0.base_value(store, token).await
    }
    async fn seen(&self, store: &StoreKey, delivery: &DeliveryDigest) -> Result<bool> {
        self.0.seen(store, delivery).await
    }
    async fn jobs(&self, store: &StoreKey, after: Option<JobPlace>, most: NonZeroU32) -> Result<Vec<Job>> {
        self.0.jobs(store, after, most).await
    }
    async fn noted_hash(&self, store: &StoreKey, record: &RecordRef) -> Result<Option<NotedHash>> {
        self.0.noted_hash(store, record).await
    }
    async fn tokens(&self, store: &StoreKey, slot: &str) -> Result<StoredTokens> {
        self.0.tokens(store, slot).await
    }
    async fn lease(&self, store: &StoreKey, holder: &str, now: Timestamp, until: Timestamp) -> Result<Fence> {
        self.0.lease(store, holder, now, until).await
    }
    async fn release(&self, store: &StoreKey, holder: &str) -> Result<()> {
        self.0.release(store, holder).await
    }
}
