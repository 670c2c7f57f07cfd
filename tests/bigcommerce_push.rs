//! Enriched content on its way into a BigCommerce store and back out of it, field by field, on the fake store.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bigcommerce::{Desk, changed};
use lily_connect::connector::Connector;
use lily_connect::model::Entity;
use lily_connect::sync::{ChangeVerdict, ReceiptOutcome, Rejection, Warning};
use lily_connect::testkit::bigcommerce::{BatchHabit, BigCommerceFake};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::json::Json;
use serde_json::{Value, json};

/// A product with something in every field; its id.
fn filled(store: &BigCommerceFake, name: &str) -> u64 {
    let (brand, category) =
        (store.create_brand(&format!("Brand of {name}")), store.create_category(0, &format!("Of {name}")));
    let id = store.create_product(name, |product| {
        product.set("description", "<p>Long &amp; <em>old</em></p>");
        product.set("page_title", "Old SEO");
        product.set("meta_description", "");
        product.set("search_keywords", "old, gold ,, sale");
        product.set("brand_id", brand);
        product.set("categories", Json::ids(&[category]));
        product.set("weight", 2.5);
        product.set("warranty", "<p>Two years</p>");
        product.set("sort_order", 7_i64);
        product.set("order_quantity_minimum", 3_i64);
        product.set("open_graph_title", "Graph");
    });
    store.add_option(id, "Size", &["S", "M", "L"]);
    for (file, alt) in [("one.jpg", "one"), ("two.jpg", "two"), ("three.jpg", "")] {
        store.add_image(id, file, alt).unwrap();
    }
    for (name, value) in [("Material", "Wool"), ("Material", "Silk"), ("Care", "Cold"), ("Fit", "Slim")] {
        store.add_custom_field(id, name, value).unwrap();
    }
    id
}

fn everything(record: &Value, name: &str) -> Value {
    json!({
        "title": format!("New {name} \"5 < 6\""),
        "description": "<h2>New</h2><p>Long &amp; new</p>",
        "seo.title": "New SEO", "seo.description": "New <3",
        "tags": {"add": ["Brand new", "SALE"], "remove": ["Old"]},
        "categories": {"add": ["Garden"], "remove": [format!("Of {name}")]},
        "brands": {"add": ["Fresh"], "remove": [format!("Brand of {name}")]},
        "attributes": {"update": {"Material": ["Silk", "Linen", "Jute"], "Fit": ["Wide"], "New one": ["1"]}, "remove": ["Care"]},
        "media.alt": {"update": {record["media"][1]["id"].as_str().unwrap(): "New & <plain> text"}},
        "slug": format!("/new-{}/", name.to_lowercase()),
        "mpn": format!("M-{name}"), "gtin": if name == "Cap" { "4006381333931" } else { "96385074" },
    })
}

async fn two() -> (Desk, [u64; 2]) {
    let mut ids = [0; 2];
    let desk = Desk::open(|store| {
        store.create_category(0, "Garden");
        store.create_brand("Fresh");
        ids = [filled(store, "Cap"), filled(store, "Coat")];
        store.seed_products(3);
    })
    .await;
    (desk, ids)
}

#[tokio::test]
async fn every_field_lands_and_comes_back_to_the_byte() {
    let (desk, ids) = two().await;
    let before = desk.parts();
    let pulled = desk.pulled().await;
    let enrichments: Vec<_> = ids
        .iter()
        .zip(["Cap", "Coat"])
        .map(|(id, name)| desk.wants(&pulled[id], &everything(&pulled[id], name)))
        .collect();
    let plan = desk.plan(&enrichments).await;
    let claims = desk.bench.connector.capabilities().entity(Entity::Product).unwrap();
    let planned: BTreeSet<&str> = plan.changes.iter().map(|change| change.cell.field.as_str()).collect();
    let written: BTreeSet<&str> = claims.writable.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(planned, written, "each field that is claimed is written here");
    for change in &plan.changes {
        let expected = match (change.cell.field.as_str(), change.cell.key.as_deref()) {
            ("tags", Some("sale")) => ChangeVerdict::Unchanged,
            _ => ChangeVerdict::Apply,
        };
        assert_eq!(change.verdict, expected, "{plan}");
    }
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    let stored = desk.store().product(ids[0]).unwrap();
    assert_eq!(stored.text("search_keywords"), " gold ,, sale,Brand new");
    let custom: Vec<String> = stored
        .custom_fields
        .iter()
        .map(|row| {
            format!(
                "{}={}",
                row.get("name").unwrap().as_str().unwrap(),
                row.get("value").unwrap().as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(custom, ["Material=Linen", "Material=Silk", "Fit=Wide", "Material=Jute", "New one=1"]);
    desk.undo(&receipt).await;
    let after = desk.parts();
    let left: BTreeSet<(u64, String)> = changed(&before, &after);
    // A custom field that was removed comes back behind the others, with another id; an address that was written stays
    // marked as one that somebody chose.
    let allowed =
        |part: &str| part.starts_with("custom_fields ") || part == "custom_url" || part == "search_keywords";
    assert!(left.iter().all(|(_, part)| allowed(part)), "{left:?}");
    let stored = desk.store().product(ids[0]).unwrap();
    let keywords: BTreeSet<String> = stored
        .text("search_keywords")
        .split(',')
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(keywords, ["gold", "old", "sale"].map(str::to_owned).into());
}

/// The untouched-bytes test: one field at a time, and nothing else of the store moves by a byte.
#[tokio::test]
async fn a_push_of_one_field_leaves_every_other_byte_as_it_was() {
    let (desk, ids) = two().await;
    let record = desk.pulled().await.remove(&ids[0]).unwrap();
    let all = everything(&record, "Cap");
    for (field, wanted) in all.as_object().unwrap() {
        let before = desk.parts();
        let receipt = desk.land_or_unchanged(ids[0], json!({ field.clone(): wanted })).await;
        let parts = changed(&before, &desk.parts());
        let own = match field.as_str() {
            "title" => "name",
            "seo.title" => "page_title",
            "seo.description" => "meta_description",
            "tags" => "search_keywords",
            "brands" => "brand_id",
            "attributes" => "custom_fields ",
            "media.alt" => "images ",
            "slug" => "custom_url",
            same => same,
        };
        assert!(!parts.is_empty(), "{field}");
        assert!(parts.iter().all(|(id, part)| *id == ids[0] && part.starts_with(own)), "{field}: {parts:?}");
        if field == "media.alt" {
            assert_eq!(parts.len(), 1, "one image: {parts:?}");
        }
        desk.undo(&receipt).await;
    }
}

/// A product whose PUT lets other fields fall back to their defaults: it is told, and the default choice of an option
/// is not among what we send.
#[tokio::test]
async fn values_that_a_put_unsets_are_told_and_option_defaults_stay() {
    let (desk, ids) = two().await;
    let options = desk.store().product(ids[0]).unwrap().options;
    desk.store()
        .set_conditions(|it| it.put_unsets = ["search_keywords".to_owned(), "warranty".to_owned()].into());
    let receipt = desk.land(ids[0], json!({"title": "Another"})).await;
    let warnings: Vec<&Warning> = receipt.fields.iter().flat_map(|field| &field.warnings).collect();
    let told =
        warnings.iter().any(|warning| matches!(warning, Warning::SiblingMoved { field } if field == "tags"));
    assert!(told, "{warnings:?}");
    assert_eq!(desk.store().product(ids[0]).unwrap().options, options);
}

/// A store sets what a PUT names, and lists that it names whole: so it names what changed, and nothing else.
#[tokio::test]
async fn a_put_names_what_changed_and_nothing_else() {
    let (desk, ids) = two().await;
    let bodies: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = bodies.clone();
    // It strikes nothing, and sees each request.
    desk.bench.server.faults().push(FaultRule::new(Fault::status(500)).matching(move |request| {
        if BigCommerceFake::is_write(request) {
            seen.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        }
        false
    }));
    desk.land(ids[0], json!({"title": "Another"})).await;
    let pulled = desk.pulled().await;
    let both: Vec<_> = ids.iter().map(|id| desk.wants(&pulled[id], &json!({"seo.title": "S"}))).collect();
    assert!(desk.apply(&desk.plan(&both).await).await.is_full_success());
    let expected = [
        json!({"name": "Another"}),
        json!([{"id": ids[0], "page_title": "S"}, {"id": ids[1], "page_title": "S"}]),
    ];
    assert_eq!(*bodies.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_name_that_is_taken_or_unknown_is_refused_when_it_is_planned() {
    let (desk, ids) = two().await;
    for (fields, rejection) in [
        (json!({"title": "coat"}), "Taken"),
        (json!({"categories": {"add": ["No such category"]}}), "NameUnknown"),
        (json!({"brands": {"add": ["No such brand"]}}), "NameUnknown"),
        // A second brand beside the first one is none that the platform can keep.
        (json!({"brands": {"add": ["Fresh"]}}), "NotOneEntry"),
        (json!({"attributes": {"update": {"Size": ["XL"]}}}), "IsOption"),
        (json!({"attributes": {"update": {"Fit": ["x".repeat(251)]}}}), "Altered"),
        (json!({"tags": {"add": ["a,b"]}}), "Altered"),
    ] {
        let plan = desk.plan_for(ids[0], fields.clone()).await;
        let verdicts: Vec<&ChangeVerdict> = plan.changes.iter().map(|change| &change.verdict).collect();
        let shown = format!("{verdicts:?}");
        assert!(shown.contains(&format!("Rejected({rejection}")), "{fields}: {shown}");
    }
}

/// Ten products go in one call, and one that is no good keeps no other, whatever the platform makes of the batch.
#[tokio::test]
async fn products_go_ten_a_call_and_a_bad_one_keeps_no_other() {
    for habit in [BatchHabit::Whole, BatchHabit::StoresBefore, BatchHabit::Partial] {
        let desk = Desk::open(|store| drop(store.seed_products(20))).await;
        let pulled = desk.pulled().await;
        let ids: Vec<u64> = pulled.keys().copied().take(20).collect();
        let enrichments: Vec<_> = ids
            .iter()
            .map(|id| desk.wants(&pulled[id], &json!({"title": format!("New {id}"), "seo.title": "S"})))
            .collect();
        let plan = desk.plan(&enrichments).await;
        desk.store().set_conditions(|it| it.batch = habit);
        // A name that somebody took meanwhile.
        desk.store().create_product(&format!("New {}", ids[4]), |_| {});
        let before = desk.bench.server.traffic().count_where(lily_connect::testkit::traffic::Entry::is_write);
        let receipt = desk.apply(&plan).await;
        let writes =
            desk.bench.server.traffic().count_where(lily_connect::testkit::traffic::Entry::is_write) - before;
        let outcome = |id: u64, field: &str| {
            let of = |it: &&lily_connect::sync::FieldReceipt| {
                it.cell.holder.id.as_str() == id.to_string() && it.cell.field.as_str() == field
            };
            receipt.fields.iter().find(of).unwrap().outcome.clone()
        };
        for id in &ids {
            let expected = *id != ids[4];
            assert_eq!(
                outcome(*id, "title") == ReceiptOutcome::Applied,
                expected,
                "{habit:?} {id}: {receipt}"
            );
            assert_eq!(outcome(*id, "seo.title"), ReceiptOutcome::Applied, "{habit:?} {id}: {receipt}");
        }
        // Two batches; the ten of the bad one alone, and what was good of the bad product.
        assert!((2..=13).contains(&writes), "{habit:?}: {writes} writes");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_and_the_rest_of_the_product_lands() {
    let (desk, ids) = two().await;
    let taken = desk
        .store()
        .product(ids[1])
        .unwrap()
        .fields
        .get("custom_url")
        .unwrap()
        .get("url")
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    let plan = desk.plan_for(ids[0], json!({"title": "Free name", "slug": taken})).await;
    let receipt = desk.apply(&plan).await;
    let outcome =
        |name: &str| &receipt.fields.iter().find(|it| it.cell.field.as_str() == name).unwrap().outcome;
    assert_eq!(outcome("title"), &ReceiptOutcome::Applied, "{receipt}");
    assert!(matches!(outcome("slug"), ReceiptOutcome::Rejected(Rejection::Refused { .. })), "{receipt}");
    let why = receipt.fields.iter().find(|it| it.cell.field.as_str() == "slug").unwrap().why.clone().unwrap();
    assert!(why.contains("the store saved the product without a part of it: "), "{why}");
    assert_eq!(desk.store().product(ids[0]).unwrap().text("name"), "Free name");
}

#[tokio::test]
async fn an_edit_of_the_merchant_between_plan_and_write_is_not_overwritten() {
    let (desk, ids) = two().await;
    let plan = desk.plan_for(ids[0], json!({"title": "Ours", "seo.title": "Ours"})).await;
    desk.store().edit_product(ids[0], |product| product.set("name", "Theirs"));
    let receipt = desk.apply(&plan).await;
    assert_eq!(desk.store().product(ids[0]).unwrap().text("name"), "Theirs");
    assert!(!receipt.is_full_success(), "{receipt}");
}
