//! The fake shop over a real socket: documents, pages, costs, writes and faults.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::disallowed_methods,
    reason = "a helper of a test fails the test"
)]

mod bulk;
mod costs;
mod documents;
mod schema;
mod tokens;
mod webhooks;
mod writes;

use std::sync::Arc;

use lily_connect::testkit::FakeClock;
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::{Plan, ShopifyFake, ShopifyFakeBuilder};
use serde_json::{Value, json};

struct Shop {
    fake: ShopifyFake,
    server: Server,
    token: String,
    clock: Arc<FakeClock>,
    client: reqwest::Client,
}

async fn shop(products: usize) -> Shop {
    shop_with(products, |builder| builder.plan(Plan::Standard)).await
}

async fn shop_with(products: usize, change: impl FnOnce(ShopifyFakeBuilder) -> ShopifyFakeBuilder) -> Shop {
    let clock = Arc::new(FakeClock::new());
    let fake = change(ShopifyFake::builder(clock.clone()).seed(7)).build();
    fake.seed_products(products);
    let token = fake.issue_token("main");
    let server = Service::new(fake.clone()).start().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Shop { fake, server, token, clock, client }
}

impl Shop {
    async fn send(&self, version: &str, query: &str, variables: &Value) -> reqwest::Response {
        self.client
            .post(format!("{}/admin/api/{version}/graphql.json", self.server.url()))
            .header("content-type", "application/json")
            .header("x-shopify-access-token", &self.token)
            .body(json!({ "query": query, "variables": variables }).to_string())
            .send()
            .await
            .unwrap()
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let response = self.send("2026-10", query, &variables).await;
        assert_eq!(response.status(), 200);
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }
}
