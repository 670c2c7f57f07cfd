//! Records as they came from the wire.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{Entity, ExternalId, FieldName, Names, RecordRef, Text};

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
    /// The pieces of the body, in their order, where the shape is [`Shape::Parts`].
    pub parts: Vec<RawPart>,
    /// The names of what the records point at by id alone, where their own bytes do not say them: without one, a list
    /// of such ids has no tokens.
    pub names: Option<Arc<Names>>,
    /// The lists that each record of [`Shape::Parts`] has, so that they are empty where no part says more.
    pub lists: &'static [Place],
    /// The values that are not the records' own but are shown from another language or view.
    pub inherited: Vec<Inheritance>,
    /// The fields of one text that the body has as a page would show them, and not as they are stored: where there is
    /// such a text, it has no token, so nothing is written over it before the record was read by its id.
    pub shown: &'static [FieldName],
}

/// A value that a record shows from another language or view: its cell is [`CellValue::Inherited`](super::CellValue).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inheritance {
    /// The record.
    pub id: ExternalId,
    /// The field, a text.
    pub field: FieldName,
    /// For a list, the entry's key.
    pub key: Option<Text>,
}

/// A place on the wire as rules have it, a path of keys from the record on: `/variants/nodes`.
pub type Place = &'static str;

impl RawItems {
    /// Wraps a response's body.
    #[must_use]
    pub fn new(entity: Entity, body: Bytes, shape: Shape) -> Self {
        Self {
            entity,
            body,
            shape,
            below: None,
            parts: Vec::new(),
            names: None,
            lists: &[],
            inherited: Vec::new(),
            shown: &[],
        }
    }

    /// Wraps a body that is a row of pieces: records, and what belongs to lists of the record before.
    #[must_use]
    pub fn of_parts(entity: Entity, body: Bytes, parts: Vec<RawPart>, lists: &'static [Place]) -> Self {
        Self { parts, lists, ..Self::new(entity, body, Shape::Parts) }
    }

    /// Says what the records stand below.
    #[must_use]
    pub fn below(mut self, parent: RecordRef) -> Self {
        self.below = Some(parent);
        self
    }
}

impl RawItems {
    /// Says the names of what the records point at by id.
    #[must_use]
    pub fn named(mut self, names: Arc<Names>) -> Self {
        self.names = Some(names);
        self
    }

    /// Says which texts are there as a page would show them.
    #[must_use]
    pub fn shown(mut self, fields: &'static [FieldName]) -> Self {
        self.shown = fields;
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
    /// The body is an object, and an array of records stands in it behind these keys. An element that is `null`
    /// is no record.
    ListAt(&'static [&'static str]),
    /// The body is a row of pieces of JSON, as [`RawItems::parts`] has them.
    Parts,
}

/// One piece of JSON of a body: a record, or what belongs to a list of the record before it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawPart {
    /// Where in the body it is, in bytes.
    pub range: Range<u32>,
    /// What it is.
    pub kind: PartKind,
}

impl RawPart {
    /// A piece of that kind.
    #[must_use]
    pub const fn new(range: Range<u32>, kind: PartKind) -> Self {
        Self { range, kind }
    }
}

/// What a piece of JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartKind {
    /// An object that begins a record.
    Record,
    /// One more element of a list of the record before it. Where no rule reads such a list it is passed over.
    Element(Place),
    /// An array of more elements of a list of the record before it.
    Elements(Place),
}
