//! Categories, tags, brands, attributes and their terms of the fake store, with their batches.

#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test")]

use std::sync::Arc;

use http::Method;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler as _, Request, Transport};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore};
use serde_json::{Value, json};

struct Shop {
    store: WooStore,
    key: ApiKey,
}

impl Shop {
    fn open() -> Self {
        let store = WooStore::new(Arc::new(FakeClock::new()));
        let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
        Self { store, key }
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::new(method, &format!("/wp-json/wc/v3/products/{path}"), Transport::Tls)
            .with_header(http::header::AUTHORIZATION, &self.key.basic())
            .with_header(http::header::CONTENT_TYPE, "application/json")
            .with_body(body.to_string());
        let response = self.store.handle(&request);
        (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap())
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, &json!({}))
    }
}

#[test]
fn terms_of_each_taxonomy_are_made_changed_and_deleted() {
    let shop = Shop::open();
    let (_, attribute) = shop.call(Method::POST, "attributes", &json!({"name": "Fabric"}));
    let terms = format!("attributes/{}/terms", attribute["id"]);
    for path in ["categories", "tags", "brands", "shipping_classes", &terms] {
        let (status, made) = shop.call(Method::POST, path, &json!({"name": "R&D", "description": "d"}));
        assert_eq!((status, &made["name"], &made["slug"]), (201, &json!("R&amp;D"), &json!("rd")), "{path}");
        let (status, error) = shop.call(Method::POST, path, &json!({"name": "r&d"}));
        assert_eq!((status, &error["code"]), (400, &json!("term_exists")), "{path}");
        assert_eq!(error["data"]["resource_id"], made["id"]);
        let item = format!("{path}/{}", made["id"]);
        let (status, changed) = shop.call(Method::PUT, &item, &json!({"name": "Other"}));
        assert_eq!((status, &changed["name"], &changed["slug"]), (200, &json!("Other"), &json!("rd")));
        let (status, error) = shop.call(Method::DELETE, &item, &json!({}));
        assert_eq!((status, &error["code"]), (501, &json!("woocommerce_rest_trash_not_supported")), "{path}");
        assert_eq!(shop.call(Method::DELETE, &item, &json!({"force": true})).0, 200);
        let (status, error) = shop.get(&item);
        assert_eq!((status, &error["code"]), (404, &json!("woocommerce_rest_term_invalid")));
        let (status, error) = shop.call(Method::POST, path, &json!({"slug": "x"}));
        assert_eq!((status, &error["code"]), (400, &json!("rest_missing_callback_param")));
        let (status, error) = shop.call(Method::POST, path, &json!({"name": 5}));
        assert_eq!((status, &error["code"]), (400, &json!("rest_invalid_param")));
    }
}

#[test]
fn batches_of_terms_answer_each_item_at_its_place() {
    let shop = Shop::open();
    let (_, old) = shop.call(Method::POST, "tags", &json!({"name": "Old"}));
    let (_, gone) = shop.call(Method::POST, "tags", &json!({"name": "Gone"}));
    let batch = json!({
        "create": [{"name": "One"}, {"name": "old"}, {}],
        "update": [{"id": old["id"], "name": "New"}, {"id": 999, "name": "x"}],
        "delete": [gone["id"]],
    });
    let (status, done) = shop.call(Method::POST, "tags/batch", &batch);
    assert_eq!((status, &done["create"][0]["name"]), (200, &json!("One")));
    assert_eq!(done["create"][1]["error"]["code"], "term_exists");
    assert_eq!(done["create"][2]["error"]["code"], "rest_missing_callback_param");
    assert_eq!(done["update"][0]["name"], "New");
    assert_eq!(done["update"][1]["error"]["code"], "woocommerce_rest_term_invalid");
    assert_eq!(done["delete"][0]["id"], gone["id"]);
    let many: Vec<Value> = (0..101).map(|number| json!({"name": format!("T{number}")})).collect();
    let (status, error) = shop.call(Method::POST, "categories/batch", &json!({"create": many}));
    assert_eq!((status, &error["code"]), (413, &json!("woocommerce_rest_request_entity_too_large")));
    assert_eq!(shop.call(Method::POST, "attributes/99/terms/batch", &json!({})).0, 404);
}

#[test]
fn categories_have_parents_and_products_fall_back_to_the_default() {
    let shop = Shop::open();
    let (_, top) = shop.call(Method::POST, "categories", &json!({"name": "Top"}));
    let (_, sub) = shop.call(
        Method::POST,
        "categories",
        &json!({"name": "Sub", "parent": top["id"], "display": "both", "menu_order": 3}),
    );
    assert_eq!(
        (&sub["parent"], &sub["display"], &sub["menu_order"]),
        (&top["id"], &json!("both"), &json!(3))
    );
    // The same name is free below another parent, and its slug is made unique.
    let (status, other) = shop.call(Method::POST, "categories", &json!({"name": "Sub"}));
    assert_eq!((status, &other["slug"]), (201, &json!("sub-2")));
    let (status, error) = shop.call(Method::POST, "categories", &json!({"name": "X", "parent": 999}));
    assert_eq!((status, &error["code"]), (404, &json!("woocommerce_rest_term_invalid")));

    let id = shop.store.create("Tee", |_| ());
    let put = json!({"categories": [{"id": top["id"]}]});
    let request = |path: &str, body: &Value| shop.call(Method::PUT, path, body);
    request(&id.to_string(), &put);
    let (_, used) = shop.get("categories?hide_empty=true");
    assert_eq!(used.as_array().unwrap().len(), 1);
    shop.call(Method::DELETE, &format!("categories/{}", top["id"]), &json!({"force": true}));
    let (_, sub) = shop.get(&format!("categories/{}", sub["id"]));
    assert_eq!(sub["parent"], 0);
    let (_, product) = shop.get(&id.to_string());
    assert_eq!(product["categories"][0]["name"], "Uncategorized");
    let default = product["categories"][0]["id"].clone();
    let (status, _) = shop.call(Method::DELETE, &format!("categories/{default}"), &json!({"force": true}));
    assert_eq!(status, 500);
}

#[test]
fn attributes_are_made_changed_and_deleted_with_their_terms() {
    let shop = Shop::open();
    let body = json!({"name": "Fabric", "order_by": "name", "has_archives": true});
    let (status, made) = shop.call(Method::POST, "attributes", &body);
    assert_eq!((status, &made["slug"]), (201, &json!("pa_fabric")));
    assert_eq!((&made["type"], &made["order_by"]), (&json!("select"), &json!("name")));
    assert_eq!(made["has_archives"], true);
    let (status, error) = shop.call(Method::POST, "attributes", &json!({"name": "fabric"}));
    assert_eq!((status, &error["code"]), (400, &json!("woocommerce_rest_cannot_create")));
    let (status, error) = shop.call(Method::POST, "attributes", &json!({"name": "X", "order_by": "y"}));
    assert_eq!((status, &error["code"]), (400, &json!("rest_invalid_param")));
    let item = format!("attributes/{}", made["id"]);
    let (_, changed) = shop.call(Method::PUT, &item, &json!({"name": "Cloth"}));
    assert_eq!((&changed["name"], &changed["slug"]), (&json!("Cloth"), &json!("pa_fabric")));
    assert_eq!(changed["order_by"], "name");
    let (_, term) = shop.call(Method::POST, &format!("{item}/terms"), &json!({"name": "Wool"}));
    let id = shop.store.create("Tee", |_| ());
    let attributes = json!({"attributes": [{"id": made["id"], "options": ["Wool"]}]});
    shop.call(Method::PUT, &id.to_string(), &attributes);
    // Options are the names of terms, so a new name shows.
    shop.call(Method::PUT, &format!("{item}/terms/{}", term["id"]), &json!({"name": "Cotton"}));
    let (_, product) = shop.get(&id.to_string());
    assert_eq!(product["attributes"][0]["options"], json!(["Cotton"]));
    assert_eq!(shop.call(Method::DELETE, &item, &json!({})).0, 501);
    assert_eq!(shop.call(Method::DELETE, &item, &json!({"force": true})).0, 200);
    assert_eq!(shop.get(&format!("{item}/terms")).0, 404);
    assert_eq!(shop.get(&item).1["code"], "woocommerce_rest_attribute_invalid");
    let (_, product) = shop.get(&id.to_string());
    assert_eq!(product["attributes"], json!([]));
    let batch = json!({"create": [{"name": "One"}, {"name": ""}], "delete": [77]});
    let (_, done) = shop.call(Method::POST, "attributes/batch", &batch);
    assert_eq!(done["create"][0]["slug"], "pa_one");
    assert_eq!(done["create"][1]["error"]["code"], "woocommerce_rest_cannot_create");
    assert_eq!(done["delete"][0]["error"]["code"], "woocommerce_rest_attribute_invalid");
}
