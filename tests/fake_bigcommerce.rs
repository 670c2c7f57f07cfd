//! The fake BigCommerce: its answers against the official documents and examples, and each of its quirks.
#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

#[path = "common/documents.rs"]
mod documents;

use std::sync::Arc;

use http::Method;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::bigcommerce::{Area, BatchHabit, BigCommerceFake, BigCommerceFakeBuilder, Plan};
use lily_connect::testkit::exchange::{Handler, Request, Response, Transport};
use serde_json::{Value, json};

/// A store that is called without a connection. When it is dropped, every request and every answer must have been
/// what the official documents allow.
struct Shop {
    store: BigCommerceFake,
    clock: Arc<FakeClock>,
    token: String,
    wild: bool,
}

fn shop_with(products: usize, build: impl FnOnce(BigCommerceFakeBuilder) -> BigCommerceFakeBuilder) -> Shop {
    let clock = Arc::new(FakeClock::new());
    let mut builder = build(BigCommerceFake::builder(clock.clone()).plan(Plan::Quota(100_000)));
    if let Some(book) = documents::bigcommerce() {
        builder = builder.rulebook(book);
    }
    let store = builder.build();
    store.seed_products(products);
    let token = store.issue_token("test");
    Shop { store, clock, token, wild: false }
}

fn shop(products: usize) -> Shop {
    shop_with(products, |builder| builder)
}

impl Drop for Shop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if !self.wild {
            assert_eq!(texts(&self.store.violations()), Vec::<String>::new(), "requests");
            assert_eq!(self.store.unexpected(), Vec::<String>::new());
        }
        assert_eq!(texts(&self.store.answer_violations()), Vec::<String>::new(), "answers");
    }
}

/// Each violation once, whichever item of a list it was in.
fn texts(violations: &[lily_connect::testkit::openapi::Violation]) -> Vec<String> {
    let star = |part: &str| if part.parse::<u64>().is_ok() { "*".to_owned() } else { part.to_owned() };
    let texts = violations.iter().map(|it| {
        let place: Vec<String> = it.place.split('/').map(star).collect();
        format!("{}: {}: {}", it.operation, place.join("/"), it.expectation)
    });
    texts.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// An answer, with its body as JSON.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
    response: Response,
}

impl Answer {
    fn data(&self) -> &Value {
        &self.body["data"]
    }

    fn ids(&self) -> Vec<u64> {
        let rows = self.body["data"].as_array().unwrap();
        rows.iter().filter_map(|row| row["id"].as_u64().or_else(|| row["category_id"].as_u64())).collect()
    }
}

impl Shop {
    fn raw(&self, verb: Method, target: &str, body: Option<&Value>) -> Request {
        let target = if target.starts_with("/v2") {
            format!("/stores/abc123{target}")
        } else {
            format!("/stores/abc123/v3{target}")
        };
        let request = Request::new(verb, &target, Transport::Plain)
            .with_header(http::header::ACCEPT, "application/json")
            .with_header("x-auth-token".parse().unwrap(), &self.token);
        match body {
            Some(body) => request
                .with_header(http::header::CONTENT_TYPE, "application/json")
                .with_body(body.to_string()),
            None => request,
        }
    }

    fn send(&self, request: &Request) -> Answer {
        let response = self.store.handle(request);
        let body = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        Answer { status: response.status.as_u16(), body, response }
    }

    fn get(&self, target: &str) -> Answer {
        self.send(&self.raw(Method::GET, target, None))
    }

    fn put(&self, target: &str, body: &Value) -> Answer {
        self.send(&self.raw(Method::PUT, target, Some(body)))
    }

    fn post(&self, target: &str, body: &Value) -> Answer {
        self.send(&self.raw(Method::POST, target, Some(body)))
    }

    fn delete(&self, target: &str) -> Answer {
        self.send(&self.raw(Method::DELETE, target, None))
    }
}

/// Every route once: the requests are right, and so are the answers (see `Drop`).
#[test]
fn every_route_answers_what_the_official_documents_say() {
    let shop = shop(25);
    let ids = shop.store.ids();
    let (first, second) = (ids[0], ids[1]);
    let product = shop.store.product(first).unwrap();
    let image = serde_json::Value::from(product.images[0].clone())["id"].as_u64().unwrap();
    let variant = serde_json::Value::from(product.variants[0].clone())["id"].as_u64().unwrap();
    let brand = shop.store.brand_ids()[0];
    for target in [
        "/catalog/products".to_owned(),
        "/catalog/products?limit=250&include=variants,images,custom_fields,bulk_pricing_rules,primary_image,videos,channels"
            .to_owned(),
        "/catalog/products?include=options,modifiers&sort=id&direction=asc".to_owned(),
        format!("/catalog/products?id:greater={first}&sort=id&include_fields=name,description"),
        format!("/catalog/products/{first}?include=variants,images,options,modifiers,custom_fields"),
        format!("/catalog/products/{first}/images"),
        format!("/catalog/products/{first}/images/{image}"),
        format!("/catalog/products/{first}/variants"),
        format!("/catalog/products/{first}/variants/{variant}"),
        format!("/catalog/products/{first}/custom-fields"),
        format!("/catalog/products/{first}/options"),
        format!("/catalog/products/{second}/modifiers"),
        format!("/catalog/products/{first}/metafields"),
        "/catalog/products/metafields?limit=5".to_owned(),
        "/catalog/variants?limit=250".to_owned(),
        format!("/catalog/variants?product_id:in={first},{second}"),
        "/catalog/brands".to_owned(),
        format!("/catalog/brands/{brand}"),
        "/catalog/trees".to_owned(),
        "/catalog/trees/1/categories".to_owned(),
        "/catalog/trees/categories?limit=3".to_owned(),
        "/catalog/products/category-assignments".to_owned(),
        "/catalog/products/channel-assignments".to_owned(),
        "/channels".to_owned(),
        "/channels/1".to_owned(),
        "/settings/store/locale".to_owned(),
        "/settings/store/units-of-measurement".to_owned(),
        "/hooks".to_owned(),
        "/hooks/admin".to_owned(),
        "/v2/store".to_owned(),
        "/v2/time".to_owned(),
        "/v2/currencies".to_owned(),
    ] {
        let answer = shop.get(&target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        assert!(answer.response.header("x-rate-limit-requests-left").is_some(), "{target}");
    }
}

fn row_id(row: &lily_connect::testkit::json::Json) -> u64 {
    Value::from(row.clone())["id"].as_u64().unwrap()
}

/// Every write once, as right and as refused as it can be.
#[test]
fn every_write_answers_what_the_official_documents_say() {
    let shop = shop(25);
    let ids = shop.store.ids();
    let id = ids[3];
    let product = shop.store.product(ids[0]).unwrap();
    let (image, variant) = (row_id(&product.images[0]), row_id(&product.variants[0]));
    let brand = shop.store.brand_ids()[0];
    let category = shop.store.category_ids()[0];
    let one = format!("/catalog/products/{id}");
    let first = format!("/catalog/products/{}", ids[0]);
    let taken = shop.store.product(ids[5]).unwrap().text("name").to_owned();
    let put = |target: &str, body: Value, status: u16| {
        let answer = shop.put(target, &body);
        assert_eq!(answer.status, status, "PUT {target}: {}", answer.body);
        answer
    };
    let post = |target: &str, body: Value, status: u16| {
        let answer = shop.post(target, &body);
        assert_eq!(answer.status, status, "POST {target}: {}", answer.body);
        answer
    };
    put(&one, json!({"name": "Bath Towel", "page_title": "t", "search_keywords": "a,b"}), 200);
    put(&format!("{one}?include=images"), json!({"meta_description": "d", "meta_keywords": ["a"]}), 200);
    put(&one, json!({"name": taken}), 409);
    put(&one, json!({"brand_id": 999_999}), 409);
    put("/catalog/products/1", json!({"name": "x"}), 404);
    put(
        "/catalog/products",
        json!([{"id": id, "name": "One"}, {"id": ids[4], "description": "<p>x</p>"}]),
        200,
    );
    let eleven: Vec<Value> = (0..11).map(|at| json!({"id": ids[at], "is_featured": true})).collect();
    put("/catalog/products", json!(eleven), 413);
    put("/catalog/products", json!([{"id": id, "name": taken}]), 409);
    put(&one, json!({"custom_url": {"url": "/größe/", "is_customized": true}}), 207);
    let new =
        json!({"name": "Brand new", "type": "physical", "weight": 1, "price": 2.5, "brand_name": "Neu"});
    let made = post("/catalog/products", new, 200).data()["id"].as_u64().unwrap();
    put(&format!("{first}/images/{image}"), json!({"description": "A red cup"}), 200);
    post(&format!("{first}/images"), json!({"image_url": "https://x.example/a.jpg"}), 200);
    put(&format!("{first}/variants/{variant}"), json!({"price": null, "sku": "NEW-SKU"}), 200);
    put("/catalog/variants", json!([{"id": variant, "price": 5.5}]), 200);
    put("/catalog/variants", json!([{"id": 1, "price": 5.5}]), 422);
    let fifty_one: Vec<Value> = (0..51).map(|_| json!({"id": variant})).collect();
    put("/catalog/variants", json!(fifty_one), 413);
    let field = post(&format!("{one}/custom-fields"), json!({"name": "Colour", "value": "Red"}), 200);
    let field = field.data()["id"].as_u64().unwrap();
    put(&format!("{one}/custom-fields/{field}"), json!({"value": "Blue"}), 200);
    let meta = json!({"namespace": "lily", "key": "hash", "value": "1", "permission_set": "app_only"});
    let row = post(&format!("{one}/metafields"), meta.clone(), 200).data()["id"].as_u64().unwrap();
    post(&format!("{one}/metafields"), meta, 409);
    let changed = json!({"namespace": "lily", "key": "hash", "value": "2", "permission_set": "app_only"});
    put(&format!("{one}/metafields/{row}"), changed, 200);
    let several = json!([{"id": row, "value": "3"}, {"id": 1_000_000, "value": "3"}]);
    put("/catalog/products/metafields", several, 422);
    put(&format!("/catalog/brands/{brand}"), json!({"name": "Acme Ltd", "page_title": "Acme"}), 200);
    post("/catalog/brands", json!({"name": "acme ltd"}), 409);
    put("/catalog/trees/categories", json!([{"category_id": category, "description": "<p>x</p>"}]), 200);
    put(
        "/catalog/trees/categories",
        json!([{"category_id": category, "name": "B"}, {"category_id": 9}]),
        207,
    );
    post(
        "/catalog/trees/categories",
        json!([{"name": "Bath", "tree_id": 1, "parent_id": 0, "url": {"path": "/bath/"}}]),
        201,
    );
    put("/catalog/products/category-assignments", json!([{"product_id": id, "category_id": category}]), 204);
    put("/catalog/products/channel-assignments", json!([{"product_id": id, "channel_id": 1}]), 204);
    let hook = json!({"scope": "store/product/*", "destination": "https://hooks.example.com/x",
        "headers": {"x-secret": "s"}});
    let made_hook = post("/hooks", hook.clone(), 200).data()["id"].as_u64().unwrap();
    post("/hooks", hook, 409);
    put(&format!("/hooks/{made_hook}"), json!({"is_active": false}), 200);
    put("/hooks/admin", json!({"emails": ["ops@store.example"]}), 204);
    for target in [
        format!("/hooks/{made_hook}"),
        format!("{one}/custom-fields/{field}"),
        format!("{one}/metafields/{row}"),
        format!("{first}/images/{image}"),
        format!("/catalog/products/category-assignments?product_id:in={id}"),
        format!("/catalog/trees/categories?category_id:in={category}"),
        format!("/catalog/brands/{brand}"),
        format!("/catalog/products/{made}"),
    ] {
        let answer = shop.delete(&target);
        assert!(matches!(answer.status, 200 | 204), "DELETE {target}: {}", answer.body);
    }
}
