//! The last look at a body before it leaves: the platform's batch checks nothing, and makes the worst of what it
//! does not understand (fact sheet section 6, observed on 10.5.0 on 2026-11-22: a wrong `status` unpublishes, a
//! text for `images` removes every image, a wrong type stops the call half done).

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::model::Entity;

/// The most entries of a list that is sent.
const MAX_ENTRIES: usize = 500;

/// Refuses a body with a field that is not ours to write, or with a value of another type than the field's.
///
/// # Errors
/// `Rejected` with the code `item_invalid`, and the field's name.
pub(super) fn check(entity: Entity, body: &Map<String, Value>, meta_keys: &[String]) -> Result<()> {
    for (field, value) in body {
        let is_right = match field.as_str() {
            "id" => is_id(value),
            "description" => value.is_string(),
            "global_unique_id" => is_item_number(value),
            "meta_data" => every(value, |entry| is_meta(entry, meta_keys)),
            // A variation has no more.
            _ if entity != Entity::Product => false,
            "name" | "short_description" | "slug" => value.is_string(),
            "tags" => every(value, |entry| only(entry, &["id"], is_id) || only(entry, &["name"], is_name)),
            "categories" => every(value, |entry| only(entry, &["id"], is_id)) && !is_empty(value),
            "brands" => every(value, |entry| only(entry, &["id"], is_id)),
            // An empty list removes every picture.
            "images" => every(value, is_image) && !is_empty(value),
            "attributes" => every(value, is_attribute),
            _ => false,
        };
        if !is_right {
            return Err(Error::new(
                ErrorKind::Rejected,
                "item_invalid",
                format!(
                    "the field {field} is not sent as it would be: the store would make something else of it"
                ),
            )
            .with_remedy("check the store's mapping overrides: they may write content fields only"));
        }
    }
    Ok(())
}

fn every(value: &Value, is_right: impl Fn(&Map<String, Value>) -> bool) -> bool {
    value.as_array().is_some_and(|entries| {
        entries.len() <= MAX_ENTRIES && entries.iter().all(|entry| entry.as_object().is_some_and(&is_right))
    })
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn only(entry: &Map<String, Value>, keys: &[&str], is_right: fn(&Value) -> bool) -> bool {
    entry.len() == keys.len() && keys.iter().all(|key| entry.get(*key).is_some_and(is_right))
}

fn is_id(value: &Value) -> bool {
    value.as_u64().is_some_and(|id| id > 0)
}

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|name| !name.trim().is_empty())
}

/// Digits, and the hyphens that a merchant may have put between them; none takes the number away.
fn is_item_number(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

/// By its id, always: a `src` would download the file once more.
fn is_image(entry: &Map<String, Value>) -> bool {
    entry.get("id").is_some_and(is_id)
        && entry.iter().all(|(key, value)| key == "id" || (key == "alt" && is_name(value)))
}

/// With each flag and its place: what is left out, the store sets to its default.
fn is_attribute(entry: &Map<String, Value>) -> bool {
    let has = |key: &str, is_right: fn(&Value) -> bool| entry.get(key).is_some_and(is_right);
    // One of all products without a value would be dropped.
    let is_global = entry.contains_key("id");
    let options = |all: &Vec<Value>| {
        all.len() <= MAX_ENTRIES && all.iter().all(is_name) && !(is_global && all.is_empty())
    };
    let known = ["id", "name", "options", "visible", "variation", "position"];
    entry.keys().all(|key| known.contains(&key.as_str()))
        && (has("id", is_id) != has("name", is_name))
        && entry.get("options").and_then(Value::as_array).is_some_and(options)
        && has("visible", Value::is_boolean)
        && has("variation", Value::is_boolean)
        && entry.get("position").is_none_or(Value::is_u64)
}

/// One of the keys that the map writes: a core key would be applied as the property that it stands for.
fn is_meta(entry: &Map<String, Value>, meta_keys: &[String]) -> bool {
    entry.len() == 2
        && entry.get("key").and_then(Value::as_str).is_some_and(|key| meta_keys.iter().any(|own| own == key))
        && entry.get("value").is_some_and(|value| value.is_string() || value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes_of(entity: Entity, body: &Value) -> bool {
        check(entity, body.as_object().unwrap(), &["rank_math_title".to_owned()]).is_ok()
    }

    fn passes(body: &Value) -> bool {
        passes_of(Entity::Product, body)
    }

    #[test]
    fn a_variation_takes_no_more_than_is_written_of_it() {
        let right = json!({
            "id": 7, "description": "<p>x</p>", "global_unique_id": "4006381333931",
            "meta_data": [{"key": "rank_math_title", "value": "x"}],
        });
        assert!(passes_of(Entity::Variant, &right));
        for wrong in [
            json!({"name": "x"}),
            json!({"slug": "x"}),
            json!({"image": {"id": 7}}),
            json!({"images": [{"id": 7}]}),
            json!({"attributes": []}),
            json!({"status": "publish"}),
            json!({"sku": "x"}),
            json!({"regular_price": "1"}),
            json!({"parent_id": 7}),
            json!({"product_id": 7}),
            json!({"manage_stock": false}),
            json!({"description": null}),
            json!({"global_unique_id": 4_006_381_333_931_u64}),
            json!({"global_unique_id": null}),
            json!({"global_unique_id": "abc"}),
        ] {
            assert!(!passes_of(Entity::Variant, &wrong), "{wrong}");
        }
    }

    #[test]
    fn what_the_store_would_mistreat_is_refused() {
        let wrong = [
            json!({"status": "bogus"}),
            json!({"status": "publish"}),
            json!({"images": "x"}),
            json!({"images": []}),
            json!({"images": [{"src": "https://shop.example/a.jpg"}]}),
            json!({"images": [{"id": 7, "src": "https://shop.example/a.jpg"}]}),
            json!({"images": [{"id": 7, "alt": ""}]}),
            json!({"name": {}}),
            json!({"name": null}),
            json!({"description": 5}),
            json!({"id": "7"}),
            json!({"id": 0}),
            json!({"global_unique_id": "X-12"}),
            json!({"tags": ["x"]}),
            json!({"tags": [{"slug": "x"}]}),
            json!({"tags": [{"id": 1, "name": "x"}]}),
            json!({"categories": []}),
            json!({"categories": [{"name": "x"}]}),
            json!({"regular_price": "abc"}),
            json!({"stock_status": "bogus"}),
            json!({"type": "variable"}),
            json!({"attributes": [{"id": 1, "options": ["Blue"]}]}),
            json!({"attributes": [{"id": 1, "options": "Blue", "visible": true, "variation": true}]}),
            json!({"attributes": [{"id": 1, "options": [], "visible": true, "variation": true}]}),
            json!({"meta_data": [{"key": "_sku", "value": "X"}]}),
            json!({"meta_data": [{"key": "rank_math_title", "value": {}}]}),
            json!({"meta_data": [{"id": 5, "key": "rank_math_title", "value": "x"}]}),
        ];
        for body in wrong {
            assert!(!passes(&body), "{body}");
        }
    }

    #[test]
    fn what_a_push_writes_passes() {
        let right = json!({
            "id": 7, "name": "A", "description": "", "short_description": "<p>b</p>", "slug": "a-b",
            "global_unique_id": "", "tags": [{"id": 1}, {"name": "New"}], "categories": [{"id": 2}], "brands": [{"id": 3}],
            "images": [{"id": 9, "alt": "A cap"}, {"id": 10}],
            "attributes": [
                {"id": 1, "options": ["Blue"], "visible": true, "variation": false, "position": 0},
                {"name": "Fit", "options": ["Slim"], "visible": true, "variation": false},
            ],
            "meta_data": [{"key": "rank_math_title", "value": "T"}, {"key": "rank_math_title", "value": null}],
        });
        assert!(passes(&right));
    }
}
