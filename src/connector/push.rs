//! What a push asks of a connector, and its answers, patch by patch and field by field.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Attribute, CellValue, Entity, ExternalId, FieldName, Lane, Media, Record, RecordRef, Term, Text,
};

/// Changes to write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PushRequest {
    /// One patch a record.
    pub patches: Vec<Patch>,
    /// The instant of the runtime's clock past which the guard read is too old: nothing is sent after it.
    pub guard_until: Duration,
    /// Who waits.
    pub lane: Lane,
}

impl PushRequest {
    /// Asks for the patches to be written before `guard_until` of the runtime's clock.
    #[must_use]
    pub fn new(patches: Vec<Patch>, guard_until: Duration) -> Self {
        Self { patches, guard_until, lane: Lane::Interactive }
    }
}

/// The changes of one record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Patch {
    /// The record.
    pub target: RecordRef,
    /// The product of a variant, as the guard read found it: platforms write variants by their product.
    pub product: Option<RecordRef>,
    /// What to write, by field.
    pub changes: Vec<PatchField>,
}

impl Patch {
    /// Describes the changes of a record.
    #[must_use]
    pub fn new(target: RecordRef, changes: Vec<PatchField>) -> Self {
        Self { target, product: None, changes }
    }

    /// Describes the changes of a record that a guard read found.
    #[must_use]
    pub fn of(record: &Record, changes: Vec<PatchField>) -> Self {
        let product = match record {
            Record::Variant(variant) => variant.product_ref.clone(),
            _ => None,
        };
        Self { target: record.reference().clone(), product, changes }
    }

    /// The id of the product that a variant is written by, where it is one of the platform's.
    ///
    /// # Errors
    /// `Rejected` where nobody says whose variant it is.
    pub fn product_id(&self, is_id: impl Fn(&ExternalId) -> bool) -> Result<&ExternalId> {
        let product = self.product.as_ref().filter(|product| product.kind == Entity::Product);
        product.map(|product| &product.id).filter(|id| is_id(id)).ok_or_else(|| {
            Error::new(ErrorKind::Rejected, "product_unknown", "nobody says whose variant it is")
                .with_remedy("make the patch of a record that was read, which names its product")
        })
    }
}

/// A field's new value as the engine has merged it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PatchField {
    /// The field.
    pub field: FieldName,
    /// What to write: for a list, the whole list as it shall be.
    pub value: PatchValue,
    /// What the guard read found there, for platforms with a compare-and-set.
    pub seen: CellValue,
    /// The platform's mark of what the write is bound to, as the guard read found it, where it has one.
    pub version: Option<Text>,
    /// For a list, the whole list as the guard read found it: for platforms that change lists by what comes and
    /// what goes, or entry by entry.
    pub before: Option<PatchValue>,
}

impl PatchField {
    /// Describes a change.
    #[must_use]
    pub fn new(field: FieldName, value: PatchValue, seen: CellValue) -> Self {
        Self { field, value, seen, version: None, before: None }
    }

    /// Says what the write is bound to.
    #[must_use]
    pub fn version(mut self, version: Option<Text>) -> Self {
        self.version = version;
        self
    }

    /// Says what the whole list was.
    #[must_use]
    pub fn before(mut self, list: Option<PatchValue>) -> Self {
        self.before = list;
        self
    }
}

/// A value to write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PatchValue {
    /// A text, with the platform's own spelling of it where that is known.
    Text {
        /// The canonical text.
        text: Text,
        /// The platform's spelling, to be sent in its place.
        raw: Option<Text>,
    },
    /// A whole list of terms.
    Terms(Vec<Term>),
    /// A whole list of attributes, each with its flags and place.
    Attributes(Vec<Attribute>),
    /// The whole list of pictures by id, in the order that they have; those with a text are given it.
    Media(Vec<Media>),
    /// Nothing: the value is taken away.
    Removed,
}

/// Names to look up in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookUp {
    /// Names of a list field: of categories, brands, attributes. For a field of one value that must be unique,
    /// values.
    Names {
        /// The field.
        field: FieldName,
        /// The names.
        names: Vec<Text>,
    },
    /// Values of an attribute that the store keeps in one place for all products.
    Values {
        /// The attribute's id.
        attribute: ExternalId,
        /// The values.
        names: Vec<Text>,
    },
}

/// What a store knows of a name; blanks at its ends and the case of letters do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Known {
    /// Nothing.
    No,
    /// This.
    One {
        /// The platform's id.
        id: ExternalId,
        /// The name in the store's spelling.
        name: Text,
    },
    /// It has the name more than once.
    Several,
}

/// What became of one patch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The record.
    pub target: RecordRef,
    /// By field, in the order of the patch.
    pub fields: Vec<(FieldName, FieldAnswer)>,
}

impl Answer {
    /// Answers a patch.
    #[must_use]
    pub fn new(target: RecordRef, fields: Vec<(FieldName, FieldAnswer)>) -> Self {
        Self { target, fields }
    }
}

/// What became of one field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldAnswer {
    /// The platform took it; what the answer holds is said by the capabilities.
    Accepted,
    /// The platform refused it: it is not there.
    Refused {
        /// The stable code.
        code: String,
        /// Why, without values.
        why: String,
    },
    /// Nobody knows: the answer was lost.
    Unknown {
        /// Why nobody knows.
        why: String,
    },
}
