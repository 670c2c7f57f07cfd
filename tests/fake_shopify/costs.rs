use std::time::Duration;

use lily_connect::testkit::shopify::GraphFault;
use serde_json::{Value, json};

use super::shop;

const PAGE: &str = "query Page($first: Int!) { products(first: $first) { nodes { id seo { title } variants(first: 4) { nodes { id } } } pageInfo { hasNextPage } } }";

#[tokio::test]
async fn a_call_is_priced_before_and_what_it_did_not_use_comes_back() {
    let shop = shop(3).await;
    let answer = shop.ask(PAGE, json!({ "first": 10 })).await;
    let cost = &answer["extensions"]["cost"];
    // 2 + 10 x (1 + seo 1 + (2 + 4 x 1)).
    assert_eq!(cost["requestedQueryCost"], json!(82));
    let actual = cost["actualQueryCost"].as_u64().unwrap();
    let nodes: usize = answer["data"]["products"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["variants"]["nodes"].as_array().unwrap().len())
        .sum();
    assert_eq!(actual, 2 + 3 * (1 + 1 + 2) + nodes as u64);
    assert_eq!(
        cost["throttleStatus"],
        json!({ "maximumAvailable": 2000.0, "currentlyAvailable": 2000 - actual, "restoreRate": 100.0 })
    );
    let answer = shop.ask(PAGE, json!({ "first": 200 })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("MAX_COST_EXCEEDED"));
    assert!(answer.get("data").is_none());
}

#[tokio::test]
async fn an_empty_bucket_throttles_until_time_has_filled_it() {
    let shop = shop(1).await;
    assert_eq!(shop.fake.take_points(1_950.0), 1_950.0);
    let answer = shop.ask(PAGE, json!({ "first": 10 })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("THROTTLED"));
    assert!(answer.get("data").is_none());
    let cost = &answer["extensions"]["cost"];
    assert_eq!((&cost["requestedQueryCost"], &cost["actualQueryCost"]), (&json!(82), &Value::Null));
    assert_eq!(cost["throttleStatus"]["currentlyAvailable"], json!(50));
    shop.clock.advance(Duration::from_millis(320));
    shop.data(PAGE, json!({ "first": 10 })).await;
    assert_eq!(shop.fake.bucket().throttled, 1);
    shop.fake.set_conditions(|conditions| conditions.without_cost = true);
    let answer = shop.ask("{ shop { name } }", json!({})).await;
    assert!(answer.get("extensions").is_none());
}

#[tokio::test]
async fn a_mutation_costs_ten_and_what_its_input_adds() {
    let shop = shop(2).await;
    let entries: Vec<Value> = shop
        .fake
        .snapshot()
        .iter()
        .map(|it| json!({ "ownerId": it.gid(), "namespace": "n", "key": "key", "type": "boolean", "value": "true" }))
        .collect();
    let set = "mutation Set($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { metafields { id } userErrors { code } } }";
    shop.data(set, json!({ "m": entries })).await;
    let call = shop.fake.calls().pop().unwrap();
    assert_eq!((call.requested, call.mutation, call.operation.as_deref()), (18, true, Some("Set")));
}

#[tokio::test]
async fn errors_at_the_top_can_be_ordered_by_operation() {
    let shop = shop(1).await;
    shop.fake.fail("products", GraphFault::InternalError, 1);
    let answer = shop.ask(PAGE, json!({ "first": 1 })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("INTERNAL_SERVER_ERROR"));
    shop.data(PAGE, json!({ "first": 1 })).await;
}

#[tokio::test]
async fn a_scope_that_is_missing_denies_its_fields_only() {
    let shop = shop(1).await;
    shop.fake.grant_scopes(["read_products"]);
    let answer = shop
        .ask(
            "{ shop { name } products(first: 1) { nodes { id translations(locale: \"fr\") { key } } } }",
            json!({}),
        )
        .await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("ACCESS_DENIED"));
    assert_eq!(answer["errors"][0]["path"], json!(["products", "nodes", 0, "translations"]));
    let answer = shop
        .ask(
            "{ shop { name } translatableResource(resourceId: \"gid://shopify/Product/1\") { resourceId } }",
            json!({}),
        )
        .await;
    assert_eq!(
        (&answer["data"]["shop"]["name"], &answer["data"]["translatableResource"]),
        (&json!("Lily Test"), &Value::Null)
    );
}

#[tokio::test]
async fn versions_fall_forward_and_search_terms_that_are_ignored_are_told() {
    let shop = shop(2).await;
    let response = shop.send("2025-01", "{ shop { name } }", &json!({})).await;
    assert_eq!(response.headers()["x-shopify-api-version"], "2026-01");
    let answer = shop.ask("{ products(first: 5, query: \"nonsense:1\") { nodes { id } } }", json!({})).await;
    assert_eq!(answer["data"]["products"]["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(answer["extensions"]["search"][0]["warnings"][0]["field"], json!("nonsense"));
}

#[tokio::test]
async fn the_index_lags_behind_writes_as_long_as_it_is_told_to() {
    let shop = shop(2).await;
    shop.fake.set_conditions(|conditions| conditions.search_lag = Duration::from_secs(30));
    shop.clock.advance(Duration::from_secs(600));
    let since = shop.fake.now();
    let id = shop.fake.ids()[0];
    shop.fake.edit_product(id, |product| product.vendor.push('x'));
    let query = "query Q($q: String!) { products(first: 5, query: $q) { nodes { id } } }";
    let found = async || {
        shop.data(query, json!({ "q": format!("updated_at:>='{since}'") })).await["products"]["nodes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(found().await, 0);
    shop.clock.advance(Duration::from_secs(31));
    assert_eq!(found().await, 1);
}
