//! What a connector can do for one store. The contract suite tests each claim.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cell, Entity, FieldName, Normaliser, ProductStatus};

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

    /// The claims for the field of a cell, where it can be written. A cell that several records show is
    /// written through one of them.
    #[must_use]
    pub fn writable(&self, cell: &Cell) -> Option<&WritableField> {
        match self.entity(cell.holder.kind) {
            Some(entity) => entity.writable(&cell.field),
            None => self.entities.iter().find_map(|entity| {
                entity.writable(&cell.field).filter(|field| field.shared_holder == Some(cell.holder.kind))
            }),
        }
    }
}

/// What a connector can do with one kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntityCapabilities {
    /// The kind.
    pub entity: Entity,
    /// Whether a pull can ask for the whole list ([`Select::All`](crate::connector::Select::All)).
    pub whole: bool,
    /// Whether a pull can ask for a range of days ([`Select::Window`](crate::connector::Select::Window)), and what
    /// holds for it.
    pub windows: Option<WindowClaims>,
    /// Whether a pull can ask for what changed since a time, and whether that clock can be trusted.
    pub delta: DeltaClock,
    /// Whether the first and the last page of a list say exactly how many records it has.
    pub counted: bool,
    /// Whether a list comes in ascending order of a numeric id.
    pub sorted_by_id: bool,
    /// Whether neighbouring pages of one list share a record, so that a shift between them shows.
    pub pages_overlap: bool,
    /// Whether a page begins behind the record that the one before ended with, told by that record's unchanging
    /// place in the order and not by a count of records: nothing slips between two such pages.
    pub keyset: bool,
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
    /// Whether what changed is listed in the order of the changes, and not of the ids.
    pub delta_by_time: bool,
    /// The most records a page can hold.
    pub max_page: NonZeroU32,
    /// The time that a delta overlaps the one before.
    pub overlap: Duration,
    /// The fields that can be written.
    pub writable: Vec<WritableField>,
    /// The most records that one push can change.
    pub max_batch: NonZeroU32,
    /// Fields that the platform has, and that this store cannot write: why.
    pub unavailable: Vec<(FieldName, Unavailable)>,
    /// Texts of one value that the platform stores anew whenever one of them is written. Those that hold a
    /// backslash are sent along as they are, since a store may take one level of them off.
    pub rewritten_together: Vec<FieldName>,
    /// A print of the connector's own settings that decide which records come and what they say: what was pulled
    /// with others is not gone on from. Zero where there are none.
    pub settings: u64,
}

impl EntityCapabilities {
    /// Claims full pulls in pages of at most `max_page`, and nothing more.
    #[must_use]
    pub fn new(entity: Entity, max_page: NonZeroU32) -> Self {
        Self {
            entity,
            whole: true,
            windows: None,
            delta: DeltaClock::None,
            counted: false,
            sorted_by_id: false,
            pages_overlap: false,
            keyset: false,
            ids_only: false,
            numeric_ids: false,
            by_ids: false,
            calls: Calls::PerPage,
            unclocked: Vec::new(),
            statuses: Vec::new(),
            delta_by_time: false,
            max_page,
            overlap: Duration::from_secs(5),
            writable: Vec::new(),
            max_batch: NonZeroU32::MIN,
            unavailable: Vec::new(),
            rewritten_together: Vec::new(),
            settings: 0,
        }
    }

    /// The claims for a field, where it can be written.
    #[must_use]
    pub fn writable(&self, field: &FieldName) -> Option<&WritableField> {
        self.writable.iter().find(|writable| writable.field == *field)
    }
}

/// What holds for a pull of a range of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowClaims {
    /// The most days that one range may have.
    pub most_days: u32,
    /// For how many days behind a day the platform may still restate it: a day is final where it is read later.
    pub settles_after_days: u32,
}

impl WindowClaims {
    /// Ranges of at most so many days, each day of which is final where it is read more than so many days later.
    #[must_use]
    pub const fn new(most_days: u32, settles_after_days: u32) -> Self {
        Self { most_days, settles_after_days }
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
    /// It can, and every change of a record moves its clock. A deletion leaves no record to move one, so a delta
    /// is followed by a sweep of ids all the same.
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
    /// Whether the value can be taken away again, so that none is there.
    pub removable: bool,
    /// For a list, whether its last entry can be taken out.
    pub can_be_emptied: bool,
    /// For a list, whether it never holds more than one entry: what takes its place comes in the same edit that takes
    /// it out.
    pub one_entry: bool,
    /// For a list of names, where they come from.
    pub names: NameSource,
    /// Whether no two records can have the same value.
    pub unique: bool,
    /// Where the value belongs to something that several records show: what kind that is.
    pub shared_holder: Option<Entity>,
    /// Why an undo of it is only partial, where it always is.
    pub partly: Option<&'static str>,
    /// What else a text must be, since the platform would change it in silence.
    pub check: Option<TextCheck>,
    /// Fields of a record that follow from this one, and change when it is written.
    pub followed_by: Vec<FieldName>,
    /// Whether the platform takes a value only with its own mark of what it belongs to
    /// ([`Record::version`](super::Record::version)), as a translation belongs to a text: where there is no such
    /// mark, there is nothing to write to.
    pub bound: bool,
    /// Whether every write of it moves the change stamp of the record that it goes through (default no). Only then
    /// does a stamp that stands say that a write whose answer was lost did not land.
    pub moves_stamp: bool,
    /// What a write of it does to other views of the record, such as translations that it leaves behind: the plan
    /// says so.
    pub spill: Option<Cow<'static, str>>,
}

impl WritableField {
    /// A field of one plain text of at most 64 KiB.
    #[must_use]
    pub fn text(field: FieldName, normaliser: Normaliser) -> Self {
        Self {
            field,
            normaliser,
            list: None,
            html: false,
            max_bytes: 64 * 1024,
            empty: false,
            removable: false,
            can_be_emptied: true,
            one_entry: false,
            names: NameSource::Made,
            unique: false,
            shared_holder: None,
            partly: None,
            check: None,
            followed_by: Vec::new(),
            bound: false,
            moves_stamp: false,
            spill: None,
        }
    }

    /// A field of HTML of at most `max_bytes`, which may be empty.
    #[must_use]
    pub fn html(field: FieldName, max_bytes: usize) -> Self {
        Self { html: true, max_bytes, empty: true, ..Self::text(field, Normaliser::Exact1) }
    }

    /// A list that is changed by adding and removing keys.
    #[must_use]
    pub fn set(field: FieldName) -> Self {
        let text = Self::text(field, Normaliser::Folded1);
        Self { list: Some(ListKind::Set), max_bytes: 200, removable: true, ..text }
    }

    /// A list that is changed by giving values to keys, and removing keys where `removable`.
    #[must_use]
    pub fn keyed(field: FieldName, normaliser: Normaliser, removable: bool) -> Self {
        Self { list: Some(ListKind::Keyed), removable, ..Self::text(field, normaliser) }
    }
}

/// Where the names of a list come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameSource {
    /// The platform makes a name that it does not have.
    Made,
    /// A name must be known to the store: it is looked up when a change is planned.
    Known,
    /// A name that the store knows is the store's; another one belongs to the record alone.
    Either,
}

/// Why a store cannot write a field that its platform has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unavailable {
    /// No plugin was found that keeps it.
    SeoPluginNotDetected,
    /// The store's settings do not allow it.
    NotEnabled,
    /// All views share it, or nobody said that they do not: through one of them it would change in all.
    SharedByViews,
}

/// A test of a text, with a name that says what it asks.
#[derive(Clone, Copy)]
pub struct TextCheck {
    /// The name.
    pub name: &'static str,
    /// Says why the platform would change the text; `None` where it would not.
    pub altered: fn(&str) -> Option<&'static str>,
}

impl PartialEq for TextCheck {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TextCheck {}

// A function's address differs from process to process, and what a checkpoint is bound to is made of this.
impl fmt::Debug for TextCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
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
