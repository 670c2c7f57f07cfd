//! Variants of products.

use serde::{Deserialize, Serialize};

use super::{
    Dimensions, ExternalId, Field, Inventory, Mass, Media, Money, ProductStatus, RecordRef, Text, Tokens,
};
use crate::time::Timestamp;

/// What a variant chose for one of its product's options.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OptionValue {
    /// The platform's id of the option's attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ExternalId>,
    /// The platform's key of the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// The option's name.
    pub name: Text,
    /// The value.
    pub value: Text,
}

/// One sellable variant, a record of its own on every platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Variant {
    /// Which record it is.
    #[serde(rename = "ref")]
    pub reference: RecordRef,
    /// The product that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_ref: Option<RecordRef>,
    /// The language of the content (BCP 47), where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Text>,
    /// The view or channel that the content belongs to, where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
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
    /// The name that the platform makes of the options.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub title: Field<Text>,
    /// The description, in HTML that nobody has checked.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub description: Field<Text>,
    /// The address of the page.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub url: Field<Text>,
    /// What it chose for its product's options; an option that is missing means any value.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub options: Field<Vec<OptionValue>>,
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
    /// The base token of each cell that an enrichment may be made from.
    #[serde(default, skip_serializing_if = "Tokens::is_empty")]
    pub base: Tokens,
}

impl Variant {
    /// A variant of which nothing but its reference is known.
    #[must_use]
    pub fn new(reference: RecordRef) -> Self {
        Self {
            reference,
            product_ref: None,
            locale: None,
            scope: None,
            status: Field::Absent,
            sku: Field::Absent,
            gtin: Field::Absent,
            mpn: Field::Absent,
            title: Field::Absent,
            description: Field::Absent,
            url: Field::Absent,
            options: Field::Absent,
            price: Field::Absent,
            compare_at: Field::Absent,
            weight: Field::Absent,
            dimensions: Field::Absent,
            inventory: Field::Absent,
            media: Field::Absent,
            created_at: Field::Absent,
            modified_at: Field::Absent,
            base: Tokens::default(),
        }
    }
}
