use lily_connect::testkit::shopify::Plan;
use serde_json::{Value, json};

use super::{shop, shop_with};

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
async fn the_big_product_comes_back_whole() {
    let shop = shop_with(0, |builder| builder.plan(Plan::Enterprise).ids_from(788_032_119_674_292_922)).await;
    let id = shop.fake.big_product(2_048, 250, 200);
    assert!(id > 1 << 53);
    let query = "query Big($id: ID!, $after: String) { product(id: $id) { variantsCount { count } media(first: 250) { nodes { id } }
        metafields(first: 200) { nodes { key } } variants(first: 250, after: $after) { nodes { id title } pageInfo { hasNextPage endCursor } } } }";
    let (mut after, mut seen) = (Value::Null, std::collections::BTreeSet::new());
    loop {
        let product = shop
            .data(query, json!({ "id": format!("gid://shopify/Product/{id}"), "after": after }))
            .await["product"]
            .clone();
        assert_eq!(product["variantsCount"]["count"], json!(2_048));
        assert_eq!(product["media"]["nodes"].as_array().unwrap().len(), 250);
        assert_eq!(product["metafields"]["nodes"].as_array().unwrap().len(), 200);
        for variant in product["variants"]["nodes"].as_array().unwrap() {
            assert!(seen.insert(variant["title"].as_str().unwrap().to_owned()));
        }
        if product["variants"]["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = product["variants"]["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen.len(), 2_048);
}

#[tokio::test]
async fn pages_stop_where_they_reach_no_further() {
    let shop = shop(25).await;
    shop.fake.set_conditions(|conditions| conditions.deep_paging_limit = 20);
    let query = "query Page($after: String) { products(first: 10, after: $after) { nodes { id } pageInfo { endCursor } }
        productsCount(limit: null) { count precision } }";
    let mut after = Value::Null;
    for _ in 0..2 {
        let page = shop.data(query, json!({ "after": after })).await;
        assert_eq!(page["productsCount"], json!({ "count": 21, "precision": "AT_LEAST" }));
        after = page["products"]["pageInfo"]["endCursor"].clone();
    }
    let answer = shop.ask(query, json!({ "after": after })).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("20 objects"), "{answer}");
}
