//! Answers have the shapes of the official examples.

use std::path::Path;

use lily_connect::testkit::magento::{Attribute, Scope};
use serde_json::{Value, json};

use super::{Shop, shop};

/// An official example; none where the specifications are not at hand, which is said aloud.
pub(super) fn example(name: &str) -> Option<Value> {
    let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
        assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
        eprintln!("SKIPPED: without LILY_SPECS_DIR, answers are not held against the official examples");
        return None;
    };
    let path = Path::new(&specs).join("magento/examples").join(name);
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

/// Where two values differ in kind or in keys, below a path; lists are compared by their first items.
fn differences(expected: &Value, found: &Value, path: &str, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                match found.get(key) {
                    Some(found) => differences(value, found, &format!("{path}/{key}"), out),
                    None => out.push(format!("{path}/{key} is missing")),
                }
            }
            out.extend(
                found
                    .keys()
                    .filter(|key| !expected.contains_key(*key))
                    .map(|key| format!("{path}/{key} is new")),
            );
        }
        (Value::Array(expected), Value::Array(found)) => {
            if let (Some(expected), Some(found)) = (expected.first(), found.first()) {
                differences(expected, found, &format!("{path}[]"), out);
            }
        }
        // What may be null has no kind to compare.
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        (expected, found) => out.push(format!("{path}: {expected} is not of the kind of {found}")),
    }
}

pub(super) fn assert_shape(name: &str, found: &Value) {
    let Some(expected) = example(name) else { return };
    let mut out = Vec::new();
    differences(&expected, found, "", &mut out);
    assert!(out.is_empty(), "{name}: {out:#?}\n{found:#}");
}

/// A store with what the tutorials ask for, by the ids that they use.
fn tutorial() -> Shop {
    let shop = shop();
    for code in ["material", "pattern", "color", "size"] {
        let scope = if code == "material" { Scope::Store } else { Scope::Global };
        shop.store.add_attribute(Attribute::new(0, code, code, "select").scope(scope));
    }
    for at in 0..20 {
        shop.store.add_category(2, &format!("Category {at}"));
    }
    shop
}

/// The body of an example, with the set that the fake has.
fn body(name: &str) -> Option<Value> {
    let mut body = example(name)?;
    body["product"]["attribute_set_id"] = json!(4);
    Some(body)
}

#[test]
fn products_that_are_made_look_as_in_the_tutorials() {
    let shop = tutorial();
    let (Some(simple), Some(configurable)) = (body("simple-01.json"), body("configurable-01.json")) else {
        return;
    };
    let answer = shop.post("/rest/default/V1/products", &simple);
    assert_shape("simple-02.json", &answer);
    let answer = shop.post("/rest/default/V1/products", &configurable);
    assert_shape("configurable-02.json", &answer);
    let mut option = example("config-options-01.json").unwrap();
    option["option"]["attribute_id"] = json!(shop.store.attribute("size").unwrap().id.to_string());
    let id = shop.post("/rest/default/V1/configurable-products/MS-Champ/options", &option);
    assert!(id.is_u64());
    let child = example("config-options-02.json").unwrap();
    assert_eq!(shop.post("/rest/default/V1/configurable-products/MS-Champ/child", &child), json!(true));
    let children = shop.get("/rest/default/V1/configurable-products/MS-Champ/children");
    assert_eq!(children[0]["sku"], "MS-Champ-S");
}

#[test]
fn a_category_that_is_made_looks_as_in_the_guide() {
    let shop = shop();
    let Some(body) = example("catalog-01.json") else { return };
    assert_shape("catalog-02.json", &shop.post("/rest/all/V1/categories", &body));
}

#[test]
fn pictures_look_as_in_the_tutorial() {
    let shop = shop();
    let id = shop.store.create("MJ03", "Jacket", |_| {});
    for file in ["/m/j/mj03-black_main_1.jpg", "/m/j/mj03-black_alt1_1.jpg", "/m/j/mj03-black_back_1.jpg"] {
        shop.store.add_image(id, file, Some(""));
    }
    assert_shape("image-list-01.json", &shop.get("/rest/default/V1/products/MJ03/media"));
    let Some(rename) = example("image-scope-01.json") else { return };
    let keep = example("image-scope-03.json").unwrap();
    for body in [rename, keep] {
        let answer = shop.put("/rest/default/V1/products/MJ03?fields=sku,name,media_gallery_entries", &body);
        assert_shape("image-scope-02.json", &answer);
        assert_eq!(answer["name"], "product name override in default store view");
    }
    let mut content = example("image-scope-07.json").unwrap();
    content["entry"]["content"]["base64_encoded_data"] = json!("iVBORw0KGgo=");
    let entry = shop.post("/rest/all/V1/products/MJ03/media", &content);
    assert_shape("image-scope-08.json", &entry);
    let mut label = example("image-scope-09.json").unwrap();
    label["entry"]["id"] = entry.clone();
    let answer = shop.put(&format!("/rest/default/V1/products/MJ03/media/{entry}"), &label);
    assert_eq!(answer, example("image-scope-10.json").unwrap());
    let own = shop.get("/rest/default/V1/products/MJ03/media");
    assert!(own.to_string().contains("Updated label for default store view"));
    let global = shop.get("/rest/all/V1/products/MJ03/media");
    assert!(global.to_string().contains("New image label"));
}

#[test]
fn errors_and_source_items_look_as_in_the_guides() {
    let shop = shop();
    let (status, answer) = shop.write(
        http::Method::POST,
        "/rest/all/V1/products",
        &json!({"product": {"sku": "x", "name": "x", "attribute_set_id": 99}}),
    );
    assert_eq!(status, 400);
    if let Some(expected) = example("response-02.json") {
        assert_eq!(answer, expected);
    }
    for sku in ["new_product1", "new_product2"] {
        shop.store.create(sku, sku, |_| {});
    }
    shop.store.add_source("central", "Central");
    shop.store.add_source("east", "East");
    let Some(items) = example("source-items-02.json") else { return };
    shop.post("/rest/all/V1/inventory/source-items", &items);
    let answer = shop.get(
        "/rest/all/V1/inventory/source-items?searchCriteria[filter_groups][0][filters][0][field]=sku\
         &searchCriteria[filter_groups][0][filters][0][value]=new_product2\
         &searchCriteria[filter_groups][0][filters][0][condition_type]=eq",
    );
    assert_shape("source-items-03.json", &answer);
}
