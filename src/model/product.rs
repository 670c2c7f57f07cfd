//! Products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Attribute, Dimensions, ExternalId, Field, Inventory, Mass, Media, Money, RecordRef, Term, Text, Tokens,
};
use crate::time::Timestamp;

/// Whether shoppers can see a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProductStatus {
    /// Published.
    Active,
    /// Not published yet, or waiting for review.
    Draft,
    /// Published for those with rights only.
    Private,
    /// To be published at a time that was set.
    Scheduled,
    /// In the bin.
    Trashed,
    /// Put away: no longer sold, and not shown.
    Archived,
    /// Published for those who have its address only.
    Unlisted,
    /// A status that this crate does not know, in the platform's word.
    Other(Text),
}

/// What search engines are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seo {
    /// The title of the result.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub title: Field<Text>,
    /// The description of the result.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub description: Field<Text>,
    /// The phrase that the page is meant for.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub focus_keyword: Field<Text>,
}

impl Seo {
    pub(crate) fn is_absent(&self) -> bool {
        self.title.is_absent() && self.description.is_absent() && self.focus_keyword.is_absent()
    }
}

/// A product as every platform is mapped to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Product {
    /// Which record it is.
    #[serde(rename = "ref")]
    pub reference: RecordRef,
    /// The language of the content (BCP 47), where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Text>,
    /// The view or channel that the content belongs to, where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
    /// How the platform composes it: simple, variable, grouped, external, or the platform's own word.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub structure: Field<Text>,
    /// Whether shoppers can see it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub status: Field<ProductStatus>,
    /// The merchant's stock keeping unit.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub sku: Field<Text>,
    /// The global trade item number (EAN, UPC, ISBN).
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub gtin: Field<Text>,
    /// The manufacturer's part number.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub mpn: Field<Text>,
    /// The name as a reader sees it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub title: Field<Text>,
    /// A short description, in HTML that nobody has checked.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub short_description: Field<Text>,
    /// The description, in HTML that nobody has checked.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub description: Field<Text>,
    /// What search engines are shown.
    #[serde(default, skip_serializing_if = "Seo::is_absent")]
    pub seo: Seo,
    /// The last part of the page's address.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub slug: Field<Text>,
    /// The address of the page.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub url: Field<Text>,
    /// Brands, in the platform's order.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub brands: Field<Vec<Term>>,
    /// The merchant's own word for what kind of product it is.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub product_type: Field<Text>,
    /// Its one place in the taxonomy that all stores of the platform share.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub taxonomy: Field<Term>,
    /// Categories, in the platform's order.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub categories: Field<Vec<Term>>,
    /// Tags, in the platform's order.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub tags: Field<Vec<Term>>,
    /// Attributes, those that distinguish variants included.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub attributes: Field<Vec<Attribute>>,
    /// The ids of its variants.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub variants: Field<Vec<ExternalId>>,
    /// The platform's ids of the channels or websites that it is sold in, where it has such.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub channels: Field<Vec<ExternalId>>,
    /// What a shopper pays now.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub price: Field<Money>,
    /// The price without a reduction.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub compare_at: Field<Money>,
    /// Weight.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub weight: Field<Mass>,
    /// Outer dimensions.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub dimensions: Field<Dimensions>,
    /// Stock.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub inventory: Field<Inventory>,
    /// Pictures; the first is the main one.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub media: Field<Vec<Media>>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub created_at: Field<Timestamp>,
    /// When the platform says that it was last changed.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub modified_at: Field<Timestamp>,
    /// The platform's spelling of a field, by the field's name, where the canonical text alone does not
    /// lead back to it. It is sent while the text is unchanged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw_spelling: BTreeMap<Text, Text>,
    /// The platform's own mark of what a write of a field is bound to, by the field's name, where it has one: of a
    /// translation, that of the text that is translated. It is no part of the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<Text, Text>,
    /// The base token of each cell that an enrichment may be made from.
    #[serde(default, skip_serializing_if = "Tokens::is_empty")]
    pub base: Tokens,
}

impl Product {
    /// A product of which nothing but its reference is known.
    #[must_use]
    pub fn new(reference: RecordRef) -> Self {
        Self {
            reference,
            locale: None,
            scope: None,
            structure: Field::Absent,
            status: Field::Absent,
            sku: Field::Absent,
            gtin: Field::Absent,
            mpn: Field::Absent,
            title: Field::Absent,
            short_description: Field::Absent,
            description: Field::Absent,
            seo: Seo::default(),
            slug: Field::Absent,
            url: Field::Absent,
            brands: Field::Absent,
            product_type: Field::Absent,
            taxonomy: Field::Absent,
            categories: Field::Absent,
            tags: Field::Absent,
            attributes: Field::Absent,
            variants: Field::Absent,
            channels: Field::Absent,
            price: Field::Absent,
            compare_at: Field::Absent,
            weight: Field::Absent,
            dimensions: Field::Absent,
            inventory: Field::Absent,
            media: Field::Absent,
            created_at: Field::Absent,
            modified_at: Field::Absent,
            raw_spelling: BTreeMap::new(),
            versions: BTreeMap::new(),
            base: Tokens::default(),
        }
    }
}
