//! What a platform tells of records that are gone.

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Cursor, Entity, ExternalId};
use crate::time::Timestamp;

/// A platform's own list of what was deleted.
///
/// What it tells is a hint: whether a record is gone is read by its id. That it tells nothing proves nothing.
#[async_trait]
pub trait DeletionSource: fmt::Debug + Send + Sync {
    /// Whether it tells deletions of this kind of record.
    fn tells(&self, entity: Entity) -> bool;

    /// One page of what was deleted since a time of the platform's clock.
    ///
    /// # Errors
    /// What the read says; `Forbidden` where the credential may not read it.
    async fn deleted_since(
        &self,
        entity: Entity,
        since: Timestamp,
        cursor: Option<&Cursor>,
    ) -> Result<Deletions>;
}

/// A page of deletions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deletions {
    /// The ids that were told, in any order, some of them more than once.
    pub ids: Vec<ExternalId>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

impl Deletions {
    /// A page of ids, and where the next one begins.
    #[must_use]
    pub fn new(ids: Vec<ExternalId>, next: Option<Cursor>) -> Self {
        Self { ids, next }
    }
}
