//! Enriched content as a service hands it over: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BaseToken, FieldName, RecordRef, Text};
use crate::time::Timestamp;

/// The id of an enrichment: given, or the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnrichmentId(pub Text);

/// What was generated for one record: values by field, with what each expects to find.
///
/// `docs/enrichment.md` shows one with every field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrichment {
    /// Its id. Without one, the hash of its content stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EnrichmentId>,
    /// The record that it is for.
    #[serde(rename = "ref")]
    pub target: RecordRef,
    /// The language of its texts (BCP 47), where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Text>,
    /// The view or channel, where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
    /// When it was generated: not when its source was pulled. One that lies in our future is refused.
    pub made_at: Timestamp,
    /// What it was made from: the tokens of those fields as they were pulled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: BTreeMap<FieldName, BaseToken>,
    /// The language that the tokens of `from` are of, where it is not `locale`: of a translation, that of the text
    /// that was translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_locale: Option<Text>,
    /// The changes, by field.
    pub fields: BTreeMap<FieldName, FieldChange>,
    /// Who made it, and how.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
}

/// Who made an enrichment, and how; carried along, never interpreted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text>,
    /// The model's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
}

impl Provenance {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A change of one field, with what it expects to find. It has either a `value` or an `edit`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// The whole new value, for a field of one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Keys to add and remove, for a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// What it expects to find.
    #[serde(default)]
    pub expect: Expectation,
    /// The token that the field had when it was pulled, for [`Expectation::Base`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseToken>,
    /// The tokens of a list's keys when it was pulled; a key that is missing in it was absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_keys: Option<BTreeMap<Text, BaseToken>>,
}

/// An edit of a list: what it does not name stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Keys to add, in the spelling that a reader should see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Text>,
    /// Keys to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Text>,
    /// Values to give to keys, for a list whose keys have values: a text, or a list of texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub update: BTreeMap<Text, Value>,
}

impl Edit {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && self.update.is_empty()
    }
}

/// What a change expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Expectation {
    /// What was there when the record was pulled: the merchant wins.
    #[default]
    #[serde(rename = "merchant_wins")]
    Base,
    /// Nothing.
    #[serde(rename = "only_if_empty")]
    Empty,
    /// What a push of ours wrote.
    #[serde(rename = "only_if_ours")]
    Ours,
    /// Anything.
    #[serde(rename = "force")]
    Any,
}
