//! Metafields: which of a product's attributes they are, and what of them is set and deleted.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::documents;
use super::write::Step;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Attribute, FieldName, Text};

/// The types of metafields by their names, `namespace.key`.
pub(super) type Types = HashMap<String, String>;

/// Whether an attribute is a metafield that a plan brings new: it has a name only.
pub(super) fn is_new(attribute: &Attribute) -> bool {
    attribute.namespace.is_none() && attribute.distinguishes_variants != Some(true)
}

/// The most metafields that one mutation sets (2026-11-22).
const MAX_AT_ONCE: usize = 25;

/// The mutations that make one list of attributes of another. Each value is set only where nobody changed it since
/// the guard read (`compareDigest`), and a new one only where there is none (`null`).
pub(super) fn steps(
    owner: &str,
    before: &[Attribute],
    after: &[Attribute],
    types: &Types,
    field: &FieldName,
) -> Result<Vec<Step>> {
    let mut set: Vec<Value> = Vec::new();
    for attribute in after {
        let known = before.iter().find(|known| is_same(known, attribute));
        if known.is_some_and(|known| known.values == attribute.values && known.raw_list == attribute.raw_list)
        {
            continue;
        }
        let (namespace, key) = name(attribute)?;
        let kind = match &attribute.value_type {
            Some(kind) => Some(kind.as_str()),
            None => types.get(&format!("{namespace}.{key}")).map(String::as_str),
        };
        let mut input = json!({
            "ownerId": owner,
            "namespace": namespace,
            "key": key,
            "value": value(attribute, kind, known)?,
            "compareDigest": known.and_then(|known| known.version.clone()),
        });
        if let (Some(kind), Some(input)) = (kind, input.as_object_mut()) {
            input.insert("type".to_owned(), kind.into());
        }
        set.push(input);
    }
    let mut gone: Vec<Value> = Vec::new();
    for attribute in before {
        if !after.iter().any(|kept| is_same(kept, attribute)) {
            let (namespace, key) = name(attribute)?;
            gone.push(json!({ "ownerId": owner, "namespace": namespace, "key": key }));
        }
    }
    let mut steps: Vec<Step> = set
        .chunks(MAX_AT_ONCE)
        .map(|some| {
            let variables = json!({ "metafields": some });
            Step::new(&documents::SET_METAFIELDS, "metafieldsSet", variables, field)
        })
        .collect();
    if !gone.is_empty() {
        let variables = json!({ "metafields": gone });
        steps.push(Step::new(&documents::DELETE_METAFIELDS, "metafieldsDelete", variables, field));
    }
    Ok(steps)
}

/// Whether both are one metafield. Keys that differ in case only are two.
fn is_same(one: &Attribute, other: &Attribute) -> bool {
    match (&one.namespace, &other.namespace) {
        (Some(_), Some(_)) => one.namespace == other.namespace && one.key == other.key,
        _ => one.list_key() == other.list_key(),
    }
}

/// Namespace and key; of an attribute that a plan brings new, out of its name.
fn name(attribute: &Attribute) -> Result<(&str, &str)> {
    if attribute.distinguishes_variants == Some(true) {
        return Err(refused("option_not_writable", "an option by which variants differ is not written"));
    }
    match (&attribute.namespace, &attribute.key) {
        (Some(namespace), Some(key)) => Some((namespace.as_str(), key.as_str())),
        _ => attribute.label.split_once('.'),
    }
    .filter(|(namespace, key)| !namespace.is_empty() && !key.is_empty())
    .ok_or_else(|| {
        refused("metafield_unnamed", "a metafield is named by namespace and key")
            .with_remedy("name it as namespace.key, such as custom.material")
    })
}

/// The value as the platform keeps it: of a list type a JSON array, else the one value.
fn value(attribute: &Attribute, kind: Option<&str>, known: Option<&Attribute>) -> Result<String> {
    if let Some(raw) = &attribute.raw_list {
        return Ok(raw.to_string());
    }
    let of_list = kind.and_then(|kind| kind.strip_prefix("list."));
    match (of_list, attribute.values.as_slice()) {
        (Some(entry), [one]) if is_object(entry) => match serde_json::from_str::<Vec<Value>>(one) {
            Ok(_) => Ok(one.to_string()),
            Err(_) => Err(no_array()),
        },
        (Some(entry), _) if is_object(entry) => Err(no_array()),
        (Some("number_integer" | "number_decimal"), values) => numbers(values, known),
        (Some(_), values) => Ok(json!(values).to_string()),
        (None, [one]) => Ok(one.to_string()),
        (None, _) => Err(refused("metafield_one_value", "a metafield of this type has one value")
            .with_remedy("give it one value, or remove it")),
    }
}

/// Types of which a value is a JSON object, such as a weight: a list of them is read as one text.
fn is_object(kind: &str) -> bool {
    let is_text = kind.ends_with("_reference")
        || matches!(
            kind,
            "single_line_text_field"
                | "multi_line_text_field"
                | "url"
                | "color"
                | "date"
                | "date_time"
                | "id"
        );
    !is_text && !matches!(kind, "number_integer" | "number_decimal" | "boolean")
}

/// Numbers are written as JSON has them, or as texts where the list had them so (which of the two decimals need is
/// not known, 2026-11-22).
fn numbers(values: &[Text], known: Option<&Attribute>) -> Result<String> {
    let raw = known.and_then(|known| known.raw_list.as_deref()).unwrap_or_default();
    if raw.contains('"') {
        return Ok(json!(values).to_string());
    }
    let is_number = |text: &&Text| serde_json::from_str::<serde_json::Number>(text.trim()).is_ok();
    match values.iter().all(|value| is_number(&value)) {
        true => Ok(format!("[{}]", values.join(","))),
        false => Err(refused("metafield_no_number", "a list of this type has numbers only")
            .with_remedy("write each as a number with a point, such as 2.5")),
    }
}

fn no_array() -> Error {
    refused("metafield_no_array", "a list of this type is one JSON array of objects")
        .with_remedy("give it as one text, as a pulled record has it")
}

fn refused(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, code, message)
}
