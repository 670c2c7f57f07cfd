//! Categories, tags, brands, attributes and their values, as records of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Field, Media, RecordRef, Text, Tokens};

/// An entry of a taxonomy: a category, tag, brand, attribute or value of an attribute. The kind is that of its
/// reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Taxon {
    /// Which record it is.
    #[serde(rename = "ref")]
    pub reference: RecordRef,
    /// The language of the content (BCP 47), where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Text>,
    /// The view or channel that the content belongs to, where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
    /// The name as a reader sees it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub title: Field<Text>,
    /// The platform's key: of a category the last part of its page's address, of an attribute what products name
    /// it by.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub slug: Field<Text>,
    /// The description, in HTML that nobody has checked.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub description: Field<Text>,
    /// What it stands below: of a category or brand another one, of a value its attribute.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub parent_ref: Field<RecordRef>,
    /// How many products the platform says that it has.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub product_count: Field<u64>,
    /// Its place among its siblings.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub position: Field<i64>,
    /// Its picture: one, or none.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub media: Field<Vec<Media>>,
    /// The platform's spelling of a field, by the field's name, where the canonical text alone does not lead back
    /// to it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw_spelling: BTreeMap<Text, Text>,
    /// The base token of each cell that an enrichment may be made from.
    #[serde(default, skip_serializing_if = "Tokens::is_empty")]
    pub base: Tokens,
}

impl Taxon {
    /// An entry of which nothing but its reference is known.
    #[must_use]
    pub fn new(reference: RecordRef) -> Self {
        Self {
            reference,
            locale: None,
            scope: None,
            title: Field::Absent,
            slug: Field::Absent,
            description: Field::Absent,
            parent_ref: Field::Absent,
            product_count: Field::Absent,
            position: Field::Absent,
            media: Field::Absent,
            raw_spelling: BTreeMap::new(),
            base: Tokens::default(),
        }
    }
}
