//! Categories, tags, brands and attributes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ExternalId, Text};

/// An entry of a taxonomy: a category, tag or brand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Term {
    /// The platform's id of the term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ExternalId>,
    /// The term's name as a reader sees it.
    pub name: Text,
    /// The spelling of the platform, where the name alone does not lead back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_name: Option<Text>,
}

/// A named property with one value or more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attribute {
    /// The platform's id of the attribute; none for one that belongs to this product alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ExternalId>,
    /// The platform's key, such as a slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// The name as a reader sees it.
    pub label: Text,
    /// The values, in the platform's order.
    #[serde(default)]
    pub values: Vec<Text>,
    /// Whether the product's page shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
    /// Whether variants differ by it: then it is an option, and never written as an attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinguishes_variants: Option<bool>,
    /// Its place among the product's attributes, where the platform numbers them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The platform's spelling of the name, where the name alone does not lead back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_label: Option<Text>,
    /// The platform's spelling of values, by their place, where a value alone does not lead back to it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw_values: BTreeMap<u32, Text>,
}
