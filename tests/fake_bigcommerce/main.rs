//! The fake BigCommerce: its answers against the official documents and examples, and each of its quirks.
#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

#[path = "../common/documents.rs"]
mod documents;
mod hooks;
mod limits;
mod reads;
mod shapes;
mod tokens;
mod writes;

use std::sync::Arc;

use http::Method;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::bigcommerce::{BigCommerceFake, BigCommerceFakeBuilder, Plan};
use lily_connect::testkit::exchange::{Handler, Request, Response, Transport};
use serde_json::Value;

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

    /// A text that is another one at each moment.
    fn clock_text(&self) -> String {
        self.store.now().to_string()
    }

    fn delete(&self, target: &str) -> Answer {
        self.send(&self.raw(Method::DELETE, target, None))
    }
}

/// The id of a row as the fake keeps it.
fn row_id(row: &lily_connect::testkit::json::Json) -> u64 {
    Value::from(row.clone())["id"].as_u64().unwrap()
}
