//! Metafields: which of a product's attributes they are, and what of them is set and deleted.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::documents;
use super::write::Step;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Attribute, FieldName};

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
        let known = before.iter().find(|known| known.list_key() == attribute.list_key());
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
            "value": value(attribute, kind)?,
            "compareDigest": known.and_then(|known| known.version.clone()),
        });
        if let (Some(kind), Some(input)) = (kind, input.as_object_mut()) {
            input.insert("type".to_owned(), kind.into());
        }
        set.push(input);
    }
    let mut gone: Vec<Value> = Vec::new();
    for attribute in before {
        if !after.iter().any(|kept| kept.list_key() == attribute.list_key()) {
            let (namespace, key) = name(attribute)?;
            gone.push(json!({ "ownerId": owner, "namespace": namespace, "key": key }));
        }
    }
    let mut steps: Vec<Step> = set
        .chunks(MAX_AT_ONCE)
        .map(|some| Step {
            document: &documents::SET_METAFIELDS,
            root: "metafieldsSet",
            variables: json!({ "metafields": some }),
            fields: vec![field.clone()],
        })
        .collect();
    if !gone.is_empty() {
        steps.push(Step {
            document: &documents::DELETE_METAFIELDS,
            root: "metafieldsDelete",
            variables: json!({ "metafields": gone }),
            fields: vec![field.clone()],
        });
    }
    Ok(steps)
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
fn value(attribute: &Attribute, kind: Option<&str>) -> Result<String> {
    if let Some(raw) = &attribute.raw_list {
        return Ok(raw.to_string());
    }
    // Lists of numbers and measures are one text here, in the platform's own spelling.
    let is_spelled = |text: &str| serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text).is_ok();
    if let ([one], Some(kind)) = (attribute.values.as_slice(), kind)
        && kind.starts_with("list.")
        && !kind.starts_with("list.single_line_text")
        && is_spelled(one)
    {
        return Ok(one.to_string());
    }
    let is_list = kind.is_some_and(|kind| kind.starts_with("list."));
    match (is_list, attribute.values.as_slice()) {
        (true, values) => Ok(json!(values).to_string()),
        (false, [one]) => Ok(one.to_string()),
        (false, _) => Err(refused("metafield_one_value", "a metafield of this type has one value")
            .with_remedy("give it one value, or remove it")),
    }
}

fn refused(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, code, message)
}
