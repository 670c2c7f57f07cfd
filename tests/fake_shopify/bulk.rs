use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Shop, shop};

const RUN: &str = "mutation Run($query: String!, $grouped: Boolean! = false) { bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status } userErrors { field message code } } }";
const POLL: &str = "query Poll($id: ID!) { bulkOperation(id: $id) { status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt } }";
const PRODUCTS: &str = "{ products { edges { node { id title variants { edges { node { id sku } } } media { edges { node { id alt } } } } } } }";

async fn start(shop: &Shop, query: &str) -> Value {
    shop.data(RUN, json!({ "query": query })).await["bulkOperationRunQuery"].clone()
}

async fn poll(shop: &Shop, id: &Value) -> Value {
    shop.data(POLL, json!({ "id": id })).await["bulkOperation"].clone()
}

async fn file(shop: &Shop, url: &Value) -> reqwest::Response {
    shop.client.get(url.as_str().unwrap()).send().await.unwrap()
}

async fn lines(shop: &Shop, url: &Value) -> Vec<Value> {
    let text = file(shop, url).await.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_job_walks_through_its_states_and_its_file_holds_each_object_once() {
    let shop = shop(20).await;
    let started = start(&shop, PRODUCTS).await;
    let id = started["bulkOperation"]["id"].clone();
    assert_eq!(started["bulkOperation"]["status"], json!("CREATED"), "{started}");
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(poll(&shop, &id).await["status"], json!("RUNNING"));
    shop.clock.advance(Duration::from_secs(4));
    let done = poll(&shop, &id).await;
    assert_eq!(done["status"], json!("COMPLETED"));
    let lines = lines(&shop, &done["url"]).await;
    assert_eq!(
        (done["objectCount"].clone(), done["rootObjectCount"].clone()),
        (json!(lines.len().to_string()), json!("20"))
    );
    let mut parents = BTreeSet::new();
    let mut children: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut apart = 0;
    let mut last = String::new();
    for line in &lines {
        let own = line["id"].as_str().unwrap().to_owned();
        match line.get("__parentId").and_then(Value::as_str) {
            None => assert!(parents.insert(own.clone()), "twice"),
            Some(parent) => {
                assert!(parents.contains(parent), "a child came before its parent");
                apart += usize::from(parent != last);
                if own.contains("ProductVariant") {
                    children.entry(parent.to_owned()).or_default().push(own.clone());
                }
            }
        }
        last = line.get("__parentId").and_then(Value::as_str).unwrap_or(&own).to_owned();
    }
    assert!(apart > 20, "children are mixed, {apart}");
    for product in shop.fake.snapshot() {
        let wanted: Vec<_> =
            product.variants.iter().map(|id| format!("gid://shopify/ProductVariant/{id}")).collect();
        assert_eq!(children[&product.gid()], wanted, "the order within a connection stays");
    }
    let url = done["url"].as_str().unwrap();
    let with_token = shop.client.get(url).header("x-shopify-access-token", &shop.token).send().await.unwrap();
    assert_eq!(with_token.status(), 400);
    assert_eq!(shop.fake.violations().len(), 1);
    let part = shop.client.get(url).header("range", "bytes=5-9").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.content_length()), (206, Some(5)));
    assert!(part.headers()["content-range"].to_str().unwrap().starts_with("bytes 5-9/"));
    shop.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(file(&shop, &done["url"]).await.status(), 400);
    assert_eq!(poll(&shop, &id).await["status"], json!("EXPIRED"));
}

#[tokio::test]
async fn jobs_have_rules_and_places() {
    let shop = shop(1).await;
    for (query, part) in [
        ("{ shop { name } }", "at least one connection"),
        (
            "{ products { edges { node { id variants { edges { node { id metafields { edges { node { id } } } } } } } } } }",
            "nesting depth",
        ),
        (
            "{ a: products { edges { node { id } } } b: products { edges { node { id } } } }",
            "exactly one field",
        ),
        ("{ nodes(ids: []) { id } }", "top level"),
        ("{ products { edges { node { nonsense } } } }", "nonsense"),
    ] {
        let answer = start(&shop, query).await;
        assert!(answer["userErrors"][0]["message"].as_str().unwrap().contains(part), "{query}: {answer}");
    }
    let first = start(&shop, PRODUCTS).await["bulkOperation"]["id"].clone();
    for _ in 0..4 {
        assert_eq!(start(&shop, PRODUCTS).await["userErrors"], json!([]));
    }
    assert_eq!(start(&shop, PRODUCTS).await["userErrors"][0]["code"], json!("LIMIT_REACHED"));
    let cancel = "mutation Cancel($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }";
    let answer = shop.data(cancel, json!({ "id": first })).await;
    assert_eq!(answer["bulkOperationCancel"]["bulkOperation"]["status"], json!("CANCELING"));
    assert_eq!(
        start(&shop, PRODUCTS).await["userErrors"][0]["code"],
        json!("LIMIT_REACHED"),
        "it still holds its place"
    );
    shop.clock.advance(Duration::from_secs(2));
    assert_eq!(poll(&shop, &first).await["status"], json!("CANCELED"));
    assert_eq!(start(&shop, PRODUCTS).await["userErrors"], json!([]));
    let list = "{ bulkOperations(first: 10, query: \"status:RUNNING type:QUERY\") { nodes { id } } }";
    assert_eq!(shop.data(list, json!({})).await["bulkOperations"]["nodes"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn failures_leave_partial_data_and_files_can_lie() {
    let shop = shop(5).await;
    shop.fake.fail_next_bulk(|fault| {
        (fault.fail_with, fault.partial_lines) = (Some("TIMEOUT".to_owned()), Some(3))
    });
    shop.fake.fail_next_bulk(|fault| (fault.cut_at, fault.count_difference) = (Some(100), 2));
    let failed = start(&shop, PRODUCTS).await["bulkOperation"]["id"].clone();
    let cut = start(&shop, PRODUCTS).await["bulkOperation"]["id"].clone();
    let empty =
        start(&shop, "{ products(query: \"title:none\") { edges { node { id } } } }").await["bulkOperation"]
            ["id"]
            .clone();
    shop.clock.advance(Duration::from_secs(5));
    let failed = poll(&shop, &failed).await;
    assert_eq!(
        (&failed["status"], &failed["errorCode"], &failed["url"]),
        (&json!("FAILED"), &json!("TIMEOUT"), &Value::Null)
    );
    assert_eq!(lines(&shop, &failed["partialDataUrl"]).await.len(), 3);
    let cut = poll(&shop, &cut).await;
    assert_eq!(file(&shop, &cut["url"]).await.content_length(), Some(100));
    let empty = poll(&shop, &empty).await;
    assert_eq!(
        (&empty["status"], &empty["url"], &empty["objectCount"]),
        (&json!("COMPLETED"), &Value::Null, &json!("0"))
    );
}

#[tokio::test]
async fn a_mutation_runs_once_for_each_line_of_an_uploaded_file() {
    let shop = shop(2).await;
    let stage = "mutation Stage { stagedUploadsCreate(input: [{ resource: BULK_MUTATION_VARIABLES, filename: \"vars\", mimeType: \"text/jsonl\", httpMethod: POST }]) {
        stagedTargets { url parameters { name value } } userErrors { message } } }";
    let target = shop.data(stage, json!({})).await["stagedUploadsCreate"]["stagedTargets"][0].clone();
    let ids = shop.fake.ids();
    let line = |id: u64, title: &str| {
        json!({ "product": { "id": format!("gid://shopify/Product/{id}"), "title": title } }).to_string()
    };
    let jsonl =
        [line(ids[0], "A title by bulk"), line(ids[1], " "), "{\"product\": 7}".to_owned()].join("\n");
    let send = async |reverse: bool| {
        let mut fields: Vec<(String, String)> = target["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["name"].as_str().unwrap().to_owned(), it["value"].as_str().unwrap().to_owned()))
            .collect();
        if reverse {
            fields.reverse();
        }
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!(
                "--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(&format!("--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"vars\"\r\nContent-Type: text/jsonl\r\n\r\n{jsonl}\r\n--xyz--\r\n"));
        let request = shop
            .client
            .post(target["url"].as_str().unwrap())
            .header("content-type", "multipart/form-data; boundary=xyz")
            .body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(true).await, 403, "the order counts");
    assert_eq!(send(false).await, 201);
    let run = "mutation Run($path: String!, $mutation: String!) { bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path) { bulkOperation { id } userErrors { code message } } }";
    let mutation = "mutation Write($product: ProductUpdateInput!) { productUpdate(product: $product) { product { id title } userErrors { field message } } }";
    let answer = shop.data(run, json!({ "path": "tmp/none", "mutation": mutation })).await;
    assert_eq!(answer["bulkOperationRunMutation"]["userErrors"][0]["code"], json!("NO_SUCH_FILE"));
    let path = target["parameters"][0]["value"].clone();
    let answer =
        shop.data(run, json!({ "path": path, "mutation": mutation })).await["bulkOperationRunMutation"]
            .clone();
    let id = answer["bulkOperation"]["id"].clone();
    shop.clock.advance(Duration::from_secs(5));
    let done = poll(&shop, &id).await;
    let lines = lines(&shop, &done["url"]).await;
    assert_eq!(
        lines.iter().map(|line| line["__lineNumber"].as_u64().unwrap()).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(lines[0]["data"]["productUpdate"]["product"]["title"], json!("A title by bulk"));
    assert_eq!(lines[1]["data"]["productUpdate"]["userErrors"][0]["field"], json!(["title"]));
    assert!(lines[2]["errors"].is_array());
    assert_eq!(shop.fake.product(ids[0]).unwrap().title, "A title by bulk");
}
