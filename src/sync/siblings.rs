//! What else changed across our write (rule W8).

use std::collections::BTreeSet;

use serde_json::Value;

use super::receipt::Warning;
use crate::mapping::cells::Entry;
use crate::mapping::{SchemaMap, cells};
use crate::model::{Attribute, Cell, CellValue, Entity, FieldName, Record, Text};

/// The fields, and entries of lists, that we did not send, that do not follow from what we sent, and that changed
/// between guard read and verify.
pub(super) fn moved_siblings(
    schema: &SchemaMap,
    guard: &Record,
    verify: &Record,
    sent: &[&Cell],
    following: &[FieldName],
) -> Vec<Warning> {
    let mut moved: BTreeSet<String> = BTreeSet::new();
    let cells: Vec<&FieldName> = schema.cells().collect();
    for field in &cells {
        let of_field: Vec<&&Cell> = sent.iter().filter(|cell| cell.field == **field).collect();
        let others = |record: &Record| -> Vec<(String, CellValue, Option<Text>)> {
            let Some(entries) = cells::entries(record, field) else {
                let value = cells::value(record, field, None);
                return value.into_iter().map(|value| (String::new(), value, None)).collect();
            };
            let ours = |key: &str| {
                of_field.iter().any(|cell| {
                    let is_shared = cell.key.is_none() && cell.holder.kind == Entity::Media;
                    let own = if is_shared { Some(cell.holder.id.as_str()) } else { cell.key.as_deref() };
                    own == Some(key)
                })
            };
            let follows = following.contains(field);
            entries
                .into_iter()
                .filter(|entry| !ours(&entry.key))
                .map(|entry| if follows && entry.is_option { without_names(entry) } else { entry })
                .map(|entry| (entry.key.to_string(), entry.value, entry.raw))
                .collect()
        };
        let is_list = cells::entries(guard, field).is_some();
        if (is_list || of_field.is_empty()) && others(guard) != others(verify) {
            moved.insert(field.to_string());
        }
    }
    // What is no cell, or is more than its cells: compared as it is written, without the cells' own values.
    let plain = |record: &Record| {
        let mut json = serde_json::to_value(record).unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            for own in ["base", "modified_at", "raw_spelling", "versions"] {
                fields.remove(own);
            }
            for field in &cells {
                strip(fields, field.as_str());
            }
        }
        json
    };
    let (before, after) = (plain(guard), plain(verify));
    if let (Some(before), Some(after)) = (before.as_object(), after.as_object()) {
        for name in before.keys().chain(after.keys()) {
            let follows = following.iter().any(|field| field.as_str() == name);
            if before.get(name) != after.get(name) && !follows {
                moved.insert(name.clone());
            }
        }
    }
    moved.into_iter().map(|field| Warning::SiblingMoved { field }).collect()
}

/// An attribute that variants differ by, without the names that are cells of their own.
fn without_names(mut entry: Entry) -> Entry {
    let attribute = entry.raw.as_deref().and_then(|raw| serde_json::from_str::<Attribute>(raw).ok());
    if let (Some(mut attribute), Some(id)) = (attribute, &entry.id) {
        attribute.label = Text::default();
        attribute.values.clear();
        entry.key = id.as_str().into();
        entry.value = CellValue::Absent;
        entry.raw = serde_json::to_string(&attribute).ok().map(Text::from);
    }
    entry
}

/// Takes a cell's value out of a record's JSON: `title`, `seo.title`, or `media.alt` of a list's entries.
fn strip(fields: &mut serde_json::Map<String, Value>, field: &str) {
    let Some((outer, inner)) = field.split_once('.') else {
        fields.remove(field);
        return;
    };
    match fields.get_mut(outer) {
        Some(Value::Object(object)) => {
            object.remove(inner);
            if object.is_empty() {
                fields.remove(outer);
            }
        }
        Some(Value::Array(items)) => {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.remove(inner);
                item.remove(&format!("raw_{inner}"));
            }
        }
        _ => {}
    }
}
