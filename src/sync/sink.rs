//! Where pulled records go.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Entity, ExternalId, Record};
use crate::state::SinkMark;

/// Takes pulled records, page by page, and says how far it has them for good.
///
/// The engine commits a checkpoint only with a mark that the sink gave after it took the page: a checkpoint
/// never runs ahead of its sink.
#[async_trait]
pub trait Sink: fmt::Debug + Send {
    /// How often a record can arrive when a run is resumed.
    fn delivery(&self) -> Delivery;

    /// Takes a page's records, in order.
    ///
    /// # Errors
    /// `Sink` where it could not take them; the run then ends at the checkpoint before.
    async fn write(&mut self, records: &[Record]) -> Result<()>;

    /// Takes note of a record that could not be mapped.
    ///
    /// # Errors
    /// `Sink` where it could not.
    async fn reject(&mut self, rejected: &Rejected) -> Result<()>;

    /// Makes everything that it took durable, and gives the position behind it.
    ///
    /// # Errors
    /// `Sink` where it could not.
    async fn mark(&mut self) -> Result<SinkMark>;

    /// Goes back to a mark that it gave: what came after it is dropped.
    ///
    /// # Errors
    /// `Sink` with code `sink_behind` where it does not reach up to the mark; with another where it could not.
    async fn rewind(&mut self, mark: SinkMark) -> Result<()>;
}

/// How often a record can arrive in a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delivery {
    /// Once a version: the sink goes back to its mark.
    Once,
    /// Once a key: a later version takes the place of an earlier one.
    Keyed,
    /// Once or more.
    AtLeastOnce,
}

/// A record that could not be mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejected {
    /// Its kind.
    pub entity: Entity,
    /// Its id, where that could be read.
    pub id: Option<ExternalId>,
    /// What was wrong, by path, without any value.
    pub reasons: Vec<String>,
}

impl Rejected {
    /// Describes a rejected record.
    #[must_use]
    pub fn new(entity: Entity, id: Option<ExternalId>, reasons: Vec<String>) -> Self {
        Self { entity, id, reasons }
    }
}
