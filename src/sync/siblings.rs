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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::{Direction::Read, Transform, rule};
    use crate::model::{Platform, RawItems, RecordRef, Shape, StoreProfile};

    const RULES: [crate::mapping::Rule; 12] = [
        rule("/id", "ref.id", Transform::Id, Read),
        rule("/title", "title", Transform::EscapedText, Read),
        rule("/seo", "seo.title", Transform::Text, Read),
        rule("/address", "url", Transform::Text, Read),
        rule("/tags/*", "tags[].name", Transform::EscapedText, Read),
        rule("/media/*/id", "media[].id", Transform::Id, Read),
        rule("/media/*/alt", "media[].alt", Transform::EscapedText, Read),
        rule("/options/*/id", "attributes[].id", Transform::Id, Read),
        rule("/options/*/name", "attributes[].label", Transform::Text, Read),
        rule("/options/*/place", "attributes[].position", Transform::Decimal, Read),
        rule("/options/*/made", "attributes[].distinguishes_variants", Transform::Present, Read),
        rule("/options/*/values/*", "attributes[].values[]", Transform::Text, Read),
    ];

    fn record(schema: &SchemaMap, change: fn(&mut Value)) -> Record {
        let mut body = json!({
            "id": 1, "title": "Cap", "tags": ["Red", "Wool"], "media": [{"id": 7, "alt": "A"}, {"id": 8, "alt": "B"}],
            "options": [
                {"id": 3, "name": "Size", "place": 0, "made": 1, "values": ["S", "M"]},
                {"id": 4, "name": "Care", "place": 1, "values": ["Cold"]},
            ],
        });
        change(&mut body);
        let items = RawItems::new(Entity::Product, body.to_string().into(), Shape::One);
        let mut page = schema.map(&items, &StoreProfile::unknown()).unwrap();
        assert!(page.issues.is_empty() && page.rejected.is_empty(), "{page:?}");
        page.records.remove(0)
    }

    #[test]
    fn w8_what_we_sent_and_what_follows_from_it_is_no_sibling_and_all_else_is() {
        let schema = SchemaMap::compile(Platform::new("p"), Entity::Product, &RULES).unwrap();
        let target = RecordRef::new(Platform::new("p"), Entity::Product, "1");
        let title = Cell::new(target.clone(), FieldName::new("title"));
        let seo = Cell::new(target.clone(), FieldName::new("seo.title"));
        let tag = Cell::new(target.clone(), FieldName::new("tags")).with_key("red");
        let alt =
            Cell::new(RecordRef::new(Platform::new("p"), Entity::Media, "7"), FieldName::new("media.alt"));
        let names = Cell::new(target, FieldName::new("options")).with_key("3");
        let option: &[&str] = &["attributes", "options.values"];
        type Case<'c> = (fn(&mut Value), &'c Cell, &'c [&'c str], &'c [&'c str]);
        let cases: &[Case<'_>] = &[
            (|_| {}, &title, &[], &[]),
            (|it| it["title"] = json!("Hat"), &title, &[], &[]),
            (|it| it["title"] = json!("Hat"), &seo, &[], &["title"]),
            // The store's spelling of a text that reads the same, and what has one only now.
            (|it| it["title"] = json!("Cap &#38; hat"), &title, &[], &[]),
            (|it| it["seo"] = json!("Caps"), &seo, &[], &[]),
            (|it| it["seo"] = json!("Caps"), &title, &[], &["seo.title"]),
            // What is no cell, and has a value only now.
            (|it| it["address"] = json!("https://shop.example/hat"), &title, &[], &["url"]),
            (|it| it["address"] = json!("https://shop.example/hat"), &title, &["url"], &[]),
            (|it| it["tags"] = json!(["Wool"]), &tag, &[], &[]),
            (|it| it["tags"] = json!(["Red"]), &tag, &[], &["tags"]),
            (|it| it["tags"] = json!(["Red", "Wool"]), &title, &[], &[]),
            (|it| it["media"][0]["alt"] = json!("C &#38; D"), &alt, &[], &[]),
            (|it| it["media"][1]["alt"] = json!("C"), &alt, &[], &["media.alt"]),
            (|it| it["media"] = json!([{"id": 7, "alt": "A"}]), &alt, &[], &["media", "media.alt"]),
            // The names of options are cells of their own, and show in the attributes; nothing else of them follows.
            (|it| it["options"][0]["name"] = json!("Sizes"), &names, option, &[]),
            (|it| it["options"][0]["name"] = json!("Sizes"), &names, &[], &["attributes"]),
            (|it| it["options"][0]["values"][0] = json!("XS"), &names, option, &[]),
            (|it| it["options"][0]["place"] = json!(5), &names, option, &["attributes"]),
            (|it| it["options"][1]["name"] = json!("Washing"), &names, option, &["attributes"]),
            (|it| it["options"][1]["values"] = json!(["Warm"]), &names, option, &["attributes"]),
        ];
        let plain = |_: &mut Value| {};
        for (at, (change, sent, following, expected)) in cases.iter().enumerate() {
            let (guard, verify) = (record(&schema, plain), record(&schema, *change));
            let following: Vec<FieldName> =
                following.iter().map(|field| FieldName::from((*field).to_owned())).collect();
            for (before, after) in [(&guard, &verify), (&verify, &guard)] {
                let moved = moved_siblings(&schema, before, after, &[sent], &following);
                let expected: Vec<Warning> = expected
                    .iter()
                    .map(|field| Warning::SiblingMoved { field: (*field).to_owned() })
                    .collect();
                assert_eq!(moved, expected, "{at}");
            }
        }
        // The mark of what a text is bound to is no part of it, and the source of a translation may move.
        let (guard, mut verify) = (record(&schema, plain), record(&schema, plain));
        let Record::Product(product) = &mut verify else { panic!("{verify:?}") };
        product.versions.insert("title".into(), "2".into());
        assert_eq!(moved_siblings(&schema, &guard, &verify, &[&seo], &[]), []);
    }
}
