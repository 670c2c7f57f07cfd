//! The fake shop over a real socket: documents, pages, costs, writes and faults.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::disallowed_methods,
    reason = "a helper of a test fails the test"
)]

use std::sync::Arc;
use std::time::Duration;

use lily_connect::testkit::FakeClock;
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::ShopifyFake;
use serde_json::{Value, json};

struct Shop {
    fake: ShopifyFake,
    server: Server,
    token: String,
    clock: Arc<FakeClock>,
    client: reqwest::Client,
}

async fn shop(products: usize) -> Shop {
    let clock = Arc::new(FakeClock::new());
    let fake = ShopifyFake::builder(clock.clone()).seed(7).build();
    fake.seed_products(products);
    let token = fake.issue_token("main");
    let server = Service::new(fake.clone()).start().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Shop { fake, server, token, clock, client }
}

impl Shop {
    async fn send(&self, query: &str, variables: Value) -> reqwest::Response {
        self.client
            .post(format!("{}/admin/api/2026-10/graphql.json", self.server.url()))
            .header("content-type", "application/json")
            .header("x-shopify-access-token", &self.token)
            .body(json!({ "query": query, "variables": variables }).to_string())
            .send()
            .await
            .unwrap()
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let response = self.send(query, variables).await;
        assert_eq!(response.status(), 200);
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_hold_each_product_once() {
    let shop = shop(25).await;
    let query = "query Page($after: String) { products(first: 10, after: $after, sortKey: UPDATED_AT) {
        nodes { id title updatedAt } pageInfo { hasNextPage endCursor } } }";
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = shop.data(query, json!({ "after": after })).await["products"].clone();
        seen.extend(page["nodes"].as_array().unwrap().clone());
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.windows(2).all(|pair| pair[0]["updatedAt"].as_str() <= pair[1]["updatedAt"].as_str()));
    // A cursor belongs to its sort.
    let other =
        "query Page($after: String) { products(first: 10, after: $after, sortKey: TITLE) { nodes { id } } }";
    let answer = shop.ask(other, json!({ "after": after })).await;
    assert_eq!(answer["errors"][0]["message"], json!("Invalid cursor for current pagination sort."));
}

#[tokio::test]
async fn a_missing_bound_and_a_wrong_field_are_told_as_the_platform_does() {
    let shop = shop(1).await;
    let answer = shop.ask("{\n  products { nodes { id } } }", json!({})).await;
    assert_eq!(answer["data"], Value::Null);
    assert_eq!(answer["errors"][0]["message"], json!("you must provide one of first or last"));
    assert_eq!(answer["errors"][0]["path"], json!(["products"]));
    assert_eq!(answer["errors"][0]["locations"], json!([{ "line": 2, "column": 3 }]));
    let answer = shop.ask("{ products(first: 1) { nodes { id price } } }", json!({})).await;
    assert_eq!(answer["errors"][0]["message"], json!("Field 'price' doesn't exist on type 'Product'"));
    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("undefinedField"));
    assert!(answer.get("data").is_none());
    let answer = shop.ask("{ products(first: 251) { nodes { id } } }", json!({})).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("250"), "{answer}");
}

#[tokio::test]
async fn one_product_comes_with_fragments_aliases_and_conditions() {
    let shop = shop(12).await;
    let id = shop.fake.ids()[9];
    let gid = format!("gid://shopify/Product/{id}");
    let query = "query One($id: ID!, $with: Boolean = false) {
        it: product(id: $id) { __typename ...Texts seo { title description } hidden: vendor @include(if: $with)
            media(first: 10) { nodes { __typename id alt ... on MediaImage { image { url } } ... on Video { duration } } }
            variants(first: 2) { edges { cursor node { id price selectedOptions { name value } inventoryItem { measurement { weight { value unit } } } } } }
            category { fullName } options { name optionValues { name hasVariants } } } }
        fragment Texts on Product { title handle tags }";
    let product = shop.data(query, json!({ "id": gid })).await["it"].clone();
    assert_eq!(product["__typename"], json!("Product"));
    assert!(product.get("hidden").is_none());
    let kinds: Vec<_> =
        product["media"]["nodes"].as_array().unwrap().iter().map(|it| it["__typename"].clone()).collect();
    assert_eq!(kinds, ["MediaImage", "Video", "ExternalVideo", "Model3d"]);
    assert!(product["media"]["nodes"][1]["duration"].is_number());
    assert!(product["variants"]["edges"][0]["node"]["price"].is_string());
    let nodes = "query Some($ids: [ID!]!) { nodes(ids: $ids) { id ... on Product { title } ... on MediaImage { alt } } }";
    let ids = json!({ "ids": [gid, "gid://shopify/Product/1"] });
    let found = shop.data(nodes, ids).await["nodes"].clone();
    assert_eq!((&found[0]["title"], &found[1]), (&product["title"], &Value::Null));
}

#[tokio::test]
async fn a_write_changes_only_what_is_given_and_moves_the_date() {
    let shop = shop(3).await;
    let id = shop.fake.ids()[0];
    let before = shop.fake.product(id).unwrap();
    shop.clock.advance(Duration::from_secs(60));
    let update = "mutation Write($product: ProductUpdateInput!) { productUpdate(product: $product) {
        product { id title updatedAt seo { title } } userErrors { field message } } }";
    let input = json!({ "product": { "id": before.gid(), "seo": { "title": "" }, "vendor": "Other" } });
    let answer = shop.data(update, input).await["productUpdate"].clone();
    assert_eq!(answer["userErrors"], json!([]));
    assert_eq!(answer["product"]["seo"]["title"], Value::Null);
    let after = shop.fake.product(id).unwrap();
    assert_eq!((after.title, after.seo_description), (before.title, before.seo_description));
    assert_eq!(after.vendor, "Other");
    assert_eq!(after.updated_at, shop.fake.now());
    let input = json!({ "product": { "id": before_gid(id), "title": " " } });
    let answer = shop.data(update, input).await["productUpdate"].clone();
    assert_eq!(answer["userErrors"][0]["field"], json!(["title"]));
    let add = "mutation Tags($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } } }";
    shop.data(add, json!({ "id": before_gid(id), "tags": ["NEW", "zeta", "alpha"] })).await;
    let tags = shop.fake.product(id).unwrap().tags;
    assert!(tags.contains(&"new".to_owned()) && !tags.contains(&"NEW".to_owned()), "{tags:?}");
    assert_eq!((tags.first().unwrap().as_str(), tags.last().unwrap().as_str()), ("alpha", "zeta"));
}

fn before_gid(id: u64) -> String {
    format!("gid://shopify/Product/{id}")
}
