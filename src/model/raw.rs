//! Records as they came from the wire.

use bytes::Bytes;

use super::{Entity, RecordRef};

/// Records as they came: one response, kept whole.
///
/// It is not cut into records here: that would be a second pass over the bytes, which costs a third of all
/// the work of a pull (`docs/architecture.md`, decision on raw pages). [`crate::mapping::SchemaMap::map`] does both in one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RawItems {
    /// The kind of the records.
    pub entity: Entity,
    /// The response's body.
    pub body: Bytes,
    /// Where in it the records are.
    pub shape: Shape,
    /// What they stand below, where their own bytes do not say it: the attribute whose values they are.
    pub below: Option<RecordRef>,
}

impl RawItems {
    /// Wraps a response's body.
    #[must_use]
    pub fn new(entity: Entity, body: Bytes, shape: Shape) -> Self {
        Self { entity, body, shape, below: None }
    }

    /// Says what the records stand below.
    #[must_use]
    pub fn below(mut self, parent: RecordRef) -> Self {
        self.below = Some(parent);
        self
    }
}

/// Where in a body the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// The body is an array of records.
    List,
    /// The body is one record.
    One,
}
