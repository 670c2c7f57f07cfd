//! Asynchronous operations: taken in at once, done by a consumer or by nobody.

use std::time::Duration;

use http::Method;
use lily_connect::testkit::magento::{Consumer, OperationIds, Refusal};
use serde_json::{Value, json};

use super::shapes::assert_shape;
use super::{Shop, shop};

const BY_SKU: &str = "/rest/all/async/bulk/V1/products/bySku";

fn stocked() -> Shop {
    let shop = shop();
    for sku in ["A", "B", "C"] {
        shop.store.create(sku, "Old", |_| {});
    }
    shop
}

fn rename(sku: &str, name: &str) -> Value {
    json!({"product": {"sku": sku, "name": name}})
}

/// Sends a bulk; gives its id and the answer.
fn send(shop: &Shop, items: &Value) -> (String, Value) {
    let (status, answer) = shop.write(Method::PUT, BY_SKU, items);
    assert_eq!(status, 202, "{answer}");
    (answer["bulk_uuid"].as_str().unwrap().to_owned(), answer)
}

fn statuses(shop: &Shop, uuid: &str) -> Vec<i64> {
    let answer = shop.get(&format!("/rest/all/V1/bulk/{uuid}/status"));
    answer["operations_list"].as_array().unwrap().iter().map(|o| o["status"].as_i64().unwrap()).collect()
}

fn name(shop: &Shop, sku: &str) -> String {
    shop.store.by_sku(sku).unwrap().value(0, "name").unwrap().to_owned()
}

#[test]
fn operations_are_done_one_by_one_as_time_goes_by() {
    let shop = stocked();
    shop.store.set_conditions(|conditions| conditions.consumer = Consumer::Every(Duration::from_secs(2)));
    let (uuid, answer) = send(&shop, &json!([rename("A", "One"), rename("B", "Two")]));
    assert_shape("bulk-02.json", &answer);
    assert_eq!((statuses(&shop, &uuid), name(&shop, "A")), (vec![4, 4], "Old".to_owned()));
    shop.clock.advance(Duration::from_secs(2));
    assert_eq!(statuses(&shop, &uuid), [1, 4]);
    assert_eq!((name(&shop, "A"), name(&shop, "B")), ("One".to_owned(), "Old".to_owned()));
    shop.clock.advance(Duration::from_secs(2));
    assert_eq!(statuses(&shop, &uuid), [1, 1]);
    assert_eq!(shop.get(&format!("/rest/all/V1/bulk/{uuid}/operation-status/1")), json!(2));
    assert_shape("bulk-status-01.json", &shop.get(&format!("/rest/all/V1/bulk/{uuid}/status")));
    assert_shape("bulk-status-03.json", &shop.get(&format!("/rest/all/V1/bulk/{uuid}/detailed-status")));
    let search = shop.get(
        "/rest/all/V1/bulk?searchCriteria[filter_groups][0][filters][0][field]=status\
         &searchCriteria[filter_groups][0][filters][0][value]=1\
         &searchCriteria[filter_groups][0][filters][0][condition_type]=eq",
    );
    assert_eq!(search["total_count"], 2);
    assert_shape("bulk-search-01.json", &search);
}

#[test]
fn a_queue_that_nobody_consumes_stays_open_for_ever() {
    let shop = stocked();
    shop.store.set_conditions(|conditions| conditions.consumer = Consumer::Off);
    let (uuid, _) = send(&shop, &json!([rename("A", "One")]));
    shop.clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!((statuses(&shop, &uuid), name(&shop, "A")), (vec![4], "Old".to_owned()));
}

#[test]
fn one_call_alone_is_a_bulk_of_one() {
    let shop = stocked();
    let (status, answer) = shop.write(Method::PUT, "/rest/de/async/V1/products/A", &rename("A", "Eins"));
    assert_eq!(status, 202);
    assert_shape("async-02.json", &answer);
    shop.tick();
    shop.get("/rest/all/V1/bulk?searchCriteria");
    assert_eq!(shop.store.by_sku("A").unwrap().own(2, "name"), Some("Eins"));
}

#[test]
fn each_operation_has_its_own_end() {
    let shop = stocked();
    shop.violates(&["body /product: expected type object"]);
    shop.store.refuse_operation(Refusal::Deadlock);
    let long = "x".repeat(256);
    let items = json!([rename("A", "One"), rename("B", &long), {"product": 5}, rename("C", "Three")]);
    let (uuid, answer) = send(&shop, &items);
    assert_eq!(answer["errors"], true);
    assert_eq!(answer["request_items"][2]["status"], "rejected");
    assert!(answer["request_items"][2]["error_message"].is_string());
    shop.tick();
    assert_eq!(statuses(&shop, &uuid), [2, 3, 5, 1]);
    let detailed = shop.get(&format!("/rest/all/V1/bulk/{uuid}/detailed-status"));
    let operation = &detailed["operations_list"][1];
    assert_eq!(operation["result_message"], "The product was unable to be saved. Please try again.");
    assert!(operation["serialized_data"].as_str().unwrap().contains("\\\"sku\\\":\\\"B\\\""), "{operation}");
}

#[test]
fn ids_of_operations_are_places_or_rows() {
    let shop = stocked();
    let (uuid, _) = send(&shop, &json!([rename("A", "One"), rename("B", "Two")]));
    let ids = || -> Vec<u64> {
        let answer = shop.get(&format!("/rest/all/V1/bulk/{uuid}/status"));
        answer["operations_list"].as_array().unwrap().iter().map(|o| o["id"].as_u64().unwrap()).collect()
    };
    assert!(ids().iter().all(|id| *id > 1));
    shop.store.set_conditions(|conditions| conditions.operation_ids = OperationIds::Index);
    assert_eq!(ids(), [0, 1]);
}

#[test]
fn pictures_go_by_words_in_the_path_and_a_consumer_may_do_all_twice() {
    let shop = stocked();
    let id = shop.store.by_sku("A").unwrap().id;
    let entry = shop.store.add_image(id, "/a/b/ab.jpg", Some("Front")).unwrap();
    shop.store.set_conditions(|conditions| conditions.consumer = Consumer::Twice(Duration::from_secs(1)));
    let items = json!([{"sku": "A", "entryId": entry.to_string(), "entry": {"id": entry, "media_type": "image",
        "label": "Vorne", "position": 1, "disabled": false, "types": ["image", "small_image", "thumbnail"]}}]);
    let path = "/rest/de/async/bulk/V1/products/bySku/media/byEntryId";
    shop.violates(&["body /sku", "body /entryId"]);
    assert_eq!(shop.write(Method::PUT, path, &items).0, 202);
    let made = json!([{"product": {"sku": "N", "name": "New", "attribute_set_id": 4, "price": 1}}]);
    assert_eq!(shop.write(Method::POST, "/rest/all/async/bulk/V1/products", &made).0, 202);
    shop.tick();
    let label = shop.get("/rest/de/V1/products/A/media")[0]["label"].clone();
    assert_eq!(label, "Vorne");
    assert!(shop.store.by_sku("N").is_some());
}

#[test]
fn what_is_no_list_or_too_long_is_refused_and_the_module_may_be_missing() {
    let shop = stocked();
    assert_eq!(shop.write(Method::PUT, BY_SKU, &rename("A", "One")).0, 400);
    shop.store.set_conditions(|conditions| {
        conditions.input_limit = Some(20);
        conditions.bulk_limit = 1;
    });
    assert_eq!(shop.write(Method::PUT, BY_SKU, &json!([rename("A", "1"), rename("B", "2")])).0, 400);
    shop.store.set_conditions(|conditions| conditions.without_async = true);
    assert_eq!(shop.write(Method::PUT, BY_SKU, &json!([rename("A", "1")])).0, 404);
}

#[test]
fn operations_that_make_one_sku_make_one_product_or_twins() {
    let shop = stocked();
    let new = |sku: &str, name: &str| json!({"product": {"sku": sku, "name": name, "attribute_set_id": 4, "price": 1}});
    let path = "/rest/all/async/bulk/V1/products";
    let make = |sku: &str| {
        let items = json!([new(sku, "One"), new(sku, "One")]);
        assert_eq!(shop.write(Method::POST, path, &items).0, 202);
        shop.tick();
        shop.get("/rest/all/V1/bulk?searchCriteria");
        shop.store.ids().into_iter().filter(|id| shop.store.product(*id).unwrap().sku == sku).count()
    };
    assert_eq!(make("N"), 1);
    shop.store.set_conditions(|conditions| conditions.bulk_makes_twins = true);
    assert_eq!(make("T"), 2);
}
