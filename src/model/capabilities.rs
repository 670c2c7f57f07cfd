//! What a connector can do for one store. The contract suite tests each claim.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Entity, FieldName, Normaliser, ProductStatus};

/// What a connected connector can do, true for this store; it does not change while it is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The kinds of record that it can pull, in the order in which they should be.
    pub entities: Vec<EntityCapabilities>,
    /// How a write is guarded.
    pub guard: GuardKind,
    /// What the answer to a write holds.
    pub answer_holds: AnswerHolds,
    /// How long after a lost answer a read tells what became of the write.
    pub settle_after: Duration,
}

impl Capabilities {
    /// Claims the given entities, guarded by read, write and verify, and nothing more.
    #[must_use]
    pub fn new(entities: Vec<EntityCapabilities>) -> Self {
        Self {
            entities,
            guard: GuardKind::ReadWriteVerify,
            answer_holds: AnswerHolds::Nothing,
            settle_after: Duration::from_secs(90),
        }
    }

    /// The claims for one kind of record, where it can be pulled.
    #[must_use]
    pub fn entity(&self, entity: Entity) -> Option<&EntityCapabilities> {
        self.entities.iter().find(|capability| capability.entity == entity)
    }
}

/// What a connector can do with one kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntityCapabilities {
    /// The kind.
    pub entity: Entity,
    /// Whether a pull can ask for what changed since a time, and whether that clock can be trusted.
    pub delta: DeltaClock,
    /// Whether a page says exactly how many records the list has.
    pub counted: bool,
    /// Whether a list comes in ascending order of a numeric id.
    pub sorted_by_id: bool,
    /// Whether neighbouring pages of one list share a record, so that a shift between them shows.
    pub pages_overlap: bool,
    /// Whether a pull can ask for ids only.
    pub ids_only: bool,
    /// Whether its ids are whole numbers, whatever the order of its lists.
    pub numeric_ids: bool,
    /// Whether records can be read by id.
    pub by_ids: bool,
    /// What a list costs in calls.
    pub calls: Calls,
    /// The fields that can change without moving the platform's clock, where a pull can ask for these alone
    /// ([`Detail::Unclocked`](crate::connector::Detail::Unclocked)); none where it cannot.
    pub unclocked: Vec<FieldName>,
    /// The statuses that a full list asks for, where the kind has one. What a credential may not see of them, a
    /// platform leaves out in silence.
    pub statuses: Vec<ProductStatus>,
    /// The most records a page can hold.
    pub max_page: NonZeroU32,
    /// The time that a delta overlaps the one before.
    pub overlap: Duration,
    /// The fields that can be written.
    pub writable: Vec<WritableField>,
    /// Texts of one value that the platform stores anew whenever one of them is written. Those that hold a
    /// backslash are sent along as they are, since a store may take one level of them off.
    pub rewritten_together: Vec<FieldName>,
}

impl EntityCapabilities {
    /// Claims full pulls in pages of at most `max_page`, and nothing more.
    #[must_use]
    pub fn new(entity: Entity, max_page: NonZeroU32) -> Self {
        Self {
            entity,
            delta: DeltaClock::None,
            counted: false,
            sorted_by_id: false,
            pages_overlap: false,
            ids_only: false,
            numeric_ids: false,
            by_ids: false,
            calls: Calls::PerPage,
            unclocked: Vec::new(),
            statuses: Vec::new(),
            max_page,
            overlap: Duration::from_secs(5),
            writable: Vec::new(),
            rewritten_together: Vec::new(),
        }
    }

    /// The claims for a field, where it can be written.
    #[must_use]
    pub fn writable(&self, field: &FieldName) -> Option<&WritableField> {
        self.writable.iter().find(|writable| writable.field == *field)
    }
}

/// What a list costs in calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Calls {
    /// One a page.
    PerPage,
    /// One a parent or more, beside those for the list of parents: the platform has no list over all parents.
    /// Where pages overlap, they do so within a parent's list, and the parents' own list overlaps, too.
    PerParent,
    /// One in all: the platform gives the whole list at once, whatever size of page is asked for.
    Whole,
}

/// Whether a platform can list what changed since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeltaClock {
    /// It cannot.
    None,
    /// It can, but some changes do not move its clock: a delta is followed by a sweep.
    CanLie,
    /// It can, and every change moves its clock.
    Trusted,
}

/// A field that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WritableField {
    /// The field.
    pub field: FieldName,
    /// How its values are compared.
    pub normaliser: Normaliser,
    /// For a list field, how it is changed.
    pub list: Option<ListKind>,
    /// Whether it is HTML, and is sanitised before it is sent.
    pub html: bool,
    /// The longest text in bytes.
    pub max_bytes: usize,
    /// Whether the empty text can be written.
    pub empty: bool,
}

impl WritableField {
    /// A field of one plain text of at most 64 KiB.
    #[must_use]
    pub fn text(field: FieldName, normaliser: Normaliser) -> Self {
        Self { field, normaliser, list: None, html: false, max_bytes: 64 * 1024, empty: false }
    }

    /// A field of HTML of at most `max_bytes`, which may be empty.
    #[must_use]
    pub fn html(field: FieldName, max_bytes: usize) -> Self {
        Self { field, normaliser: Normaliser::Exact1, list: None, html: true, max_bytes, empty: true }
    }

    /// A list that is changed by adding and removing keys.
    #[must_use]
    pub fn set(field: FieldName) -> Self {
        Self {
            field,
            normaliser: Normaliser::Folded1,
            list: Some(ListKind::Set),
            html: false,
            max_bytes: 200,
            empty: false,
        }
    }
}

/// How a list field is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// By adding and removing keys; order does not count.
    Set,
    /// By adding, removing and updating values under keys.
    Keyed,
    /// As one value, order included.
    Sequence,
}

/// How a write is kept from overwriting what nobody reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GuardKind {
    /// The platform refuses the write when the value is not the expected one.
    CompareAndSet,
    /// It is read right before, and verified after; what happens in between is not seen.
    ReadWriteVerify,
}

/// What the answer to a write holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerHolds {
    /// The value as it is stored now.
    Stored,
    /// What was sent, whatever became of it.
    Echo,
    /// No value.
    Nothing,
    /// A promise: the write happens later.
    Queued,
}

/// Whether a change can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reversible", content = "why")]
#[non_exhaustive]
pub enum Reversible {
    /// The value before can be written again, exactly.
    Yes,
    /// Something of it stays different, for this reason.
    Partly(String),
    /// It cannot be restored, for this reason.
    No(String),
}
