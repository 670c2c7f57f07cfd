//! Categories, tags, brands and attributes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ExternalId, Normaliser, Text};

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
    /// The platform's name of the group that the key is unique in, where it has groups. Such an attribute is told
    /// from others by [`Attribute::list_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// The name as a reader sees it.
    pub label: Text,
    /// The platform's word for the type of the values, where it has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_type: Option<Text>,
    /// The values, in the platform's order.
    #[serde(default)]
    pub values: Vec<Text>,
    /// The platform's ids of the values, by their place, where it has such; else none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_ids: Vec<ExternalId>,
    /// Whether its values are kept somewhere else on the platform: then its names are not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<bool>,
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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "places")]
    pub raw_values: BTreeMap<u32, Text>,
    /// The platform's spelling of all values in one text, where it keeps them so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_list: Option<Text>,
    /// An opaque version for compare-and-set. It is no part of the value: two attributes with the same values are
    /// equal cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
}

impl Attribute {
    /// What tells it from the other attributes of its product: `namespace.key` where it has a namespace, else its
    /// label; folded.
    #[must_use]
    pub fn list_key(&self) -> Text {
        match &self.namespace {
            Some(namespace) => {
                let key = Text::joined(&[namespace, ".", self.key.as_deref().unwrap_or_default()]);
                let folded = match Normaliser::Folded1.apply(&key) {
                    Cow::Borrowed(same) if same.len() == key.len() => None,
                    other => Some(Text::from(other)),
                };
                folded.unwrap_or(key)
            }
            None => Normaliser::Folded1.apply(&self.label).into(),
        }
    }
}

/// Reads keys as the texts that JSON has for them: a record's kind stands among its fields, and behind such a tag
/// serde reads no number of a text.
fn places<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u32, Text>, D::Error> {
    let read = |(place, text): (Text, Text)| Ok((place.parse().map_err(D::Error::custom)?, text));
    BTreeMap::<Text, Text>::deserialize(deserializer)?.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entity, Field, Platform, Product, Record, RecordRef};

    #[test]
    fn a_record_with_an_escaped_value_of_an_attribute_is_read_back() {
        let attribute = Attribute {
            label: "Fit".into(),
            values: vec!["Slim".into(), "S & M".into()],
            raw_values: BTreeMap::from([(1, "S &amp; M".into())]),
            ..Attribute::default()
        };
        let mut product = Product::new(RecordRef::new(Platform::new("test"), Entity::Product, "7"));
        product.attributes = Field::Value(vec![attribute]);
        let record = Record::Product(Box::new(product));
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#""raw_values":{"1":"S &amp; M"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        for place in ["x", "-1", "", "4294967296"] {
            let wrong = text.replace(r#"{"1":"#, &format!("{{\"{place}\":"));
            assert!(serde_json::from_str::<Record>(&wrong).is_err(), "{wrong}");
        }
    }
}
