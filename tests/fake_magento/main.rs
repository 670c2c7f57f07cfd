//! The fake Magento: shapes of answers, lists, saves, signatures, asynchronous operations and each of its quirks.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

#[path = "../common/magento_documents.rs"]
mod documents;

mod bulk;
mod callers;
mod catalog;
mod deliveries;
mod lists;
mod saves;
mod shapes;

use std::cell::RefCell;
use std::sync::Arc;

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler as _, Request, Response, Transport};
use lily_connect::testkit::magento::{Integration, MagentoFake, MagentoFakeBuilder};
use serde_json::Value;

/// A store, and a caller with a bearer token.
struct Shop {
    store: MagentoFake,
    clock: Arc<FakeClock>,
    keys: Integration,
    /// Parts of the violations that a test means to commit.
    wrong: RefCell<Vec<&'static str>>,
}

fn shop() -> Shop {
    shop_with(|builder| builder)
}

fn shop_with(change: impl FnOnce(MagentoFakeBuilder) -> MagentoFakeBuilder) -> Shop {
    let clock = Arc::new(FakeClock::new());
    let builder = change(MagentoFake::builder(clock.clone()).seed(7));
    let builder = documents::official(builder);
    let store = builder.build();
    store.set_conditions(|conditions| conditions.bearer_tokens = true);
    let keys = store.issue_integration("main");
    Shop { store, clock, keys, wrong: RefCell::default() }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let told: Vec<String> = self.store.violations().iter().map(ToString::to_string).collect();
            let wrong = self.wrong.borrow();
            let other: Vec<_> = told.iter().filter(|v| !wrong.iter().any(|part| v.contains(part))).collect();
            assert!(other.is_empty(), "{other:#?}");
            if std::env::var_os("LILY_SPECS_DIR").is_some() {
                let missed: Vec<_> =
                    wrong.iter().filter(|part| !told.iter().any(|v| v.contains(**part))).collect();
                assert!(missed.is_empty(), "not told: {missed:?} of {told:#?}");
            }
        }
    }
}

impl Shop {
    fn request(&self, method: Method, target: &str) -> Request {
        Request::new(method, target, Transport::Tls)
            .with_header(http::header::HOST, "store.test")
            .with_header(AUTHORIZATION, &format!("Bearer {}", self.keys.access_token))
    }

    fn send(&self, request: &Request) -> (u16, Value) {
        read(&self.store.handle(request))
    }

    /// A read that must be answered 200.
    fn get(&self, target: &str) -> Value {
        let (status, body) = self.send(&self.request(Method::GET, target));
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    /// Says which violations of the official document the test means to commit, each by a part of its text.
    fn violates(&self, parts: &[&'static str]) {
        self.wrong.borrow_mut().extend_from_slice(parts);
    }

    /// A write; the SKU of the address stands in a product's body too, as the document asks.
    fn write(&self, method: Method, target: &str, body: &Value) -> (u16, Value) {
        let mut body = body.clone();
        let path = target.split('?').next().unwrap();
        if let (Some(product), Some((_, sku))) = (body.get_mut("product"), path.split_once("/V1/products/"))
            && !sku.contains('/')
            && product.is_object()
            && product.get("sku").is_none()
        {
            product["sku"] = sku.into();
        }
        let request = self.request(method, target).with_header(CONTENT_TYPE, "application/json");
        self.send(&request.with_body(body.to_string()))
    }

    fn put(&self, target: &str, body: &Value) -> Value {
        let (status, answer) = self.write(Method::PUT, target, body);
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    fn post(&self, target: &str, body: &Value) -> Value {
        let (status, answer) = self.write(Method::POST, target, body);
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    fn tick(&self) {
        self.clock.advance(std::time::Duration::from_secs(10));
    }
}

/// Status and JSON of an answer; a body that is no JSON is a text.
fn read(response: &Response) -> (u16, Value) {
    let text = String::from_utf8(response.body.clone()).unwrap();
    (response.status.as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The value of a custom attribute.
fn custom<'a>(product: &'a Value, code: &str) -> Option<&'a Value> {
    let list = product["custom_attributes"].as_array().unwrap();
    list.iter().find(|entry| entry["attribute_code"] == code).map(|entry| &entry["value"])
}

/// A list's items' values of a field.
fn pluck(list: &Value, field: &str) -> Vec<Value> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}
