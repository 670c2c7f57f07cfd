use serde_json::{Value, json};

use super::shop;

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
