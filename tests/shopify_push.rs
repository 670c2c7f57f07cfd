//! Enriched content on its way into a Shopify store and back out of it, field by field, on the fake store.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::too_many_lines,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/shopify_desk.rs"]
mod desk;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use desk::{Desk, changed};
use lily_connect::connector::{Connector, FieldAnswer, Patch, PatchField, PatchValue, PushRequest};
use lily_connect::model::{CellValue, Entity, FieldName, Platform, RecordRef, Reversible, Term};
use lily_connect::sync::{ChangeVerdict, Conflict, ReceiptOutcome, Rejection, UndoOutcome, Warning};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::shopify::{GraphFault, Media, MediaKind, Owner, ShopifyFake};
use lily_connect::time::Clock;
use serde_json::{Value, json};

const URL: &str = "https://cdn.shopify.com/s/files/1/x.jpg";

fn picture(shop: &ShopifyFake, alt: Option<&str>) -> u64 {
    shop.create_media(|id, now| Media::new(id, MediaKind::Image, URL, alt, now))
}

/// A product with something in every field, one variant or many.
fn filled(shop: &ShopifyFake, title: &str, variants: usize) -> u64 {
    let id = match variants {
        1 => shop.create_product(title, |_| {}),
        _ => shop.big_product(variants, 0, 0),
    };
    let pictures = ["one", "two"].map(|alt| picture(shop, Some(alt)));
    shop.edit_product(id, |product| {
        title.clone_into(&mut product.title);
        product.description_html = "<p>Long &amp; <em>old</em></p>".to_owned();
        product.product_type = "Old type".to_owned();
        product.vendor = "Old & Sons".to_owned();
        product.tags = vec!["Old & gold".to_owned(), "Sale".to_owned()];
        (product.seo_title, product.seo_description) = (Some("Old SEO".to_owned()), None);
        product.category = Some("gid://shopify/TaxonomyCategory/aa-1-13-8".to_owned());
        product.media = pictures.to_vec();
    });
    for (key, kind, value) in [
        ("material", "single_line_text_field", "Wool"),
        ("care", "multi_line_text_field", "Wash.\nDry."),
        ("parts", "list.single_line_text_field", "[\"Cap\", \"Bag\"]"),
        ("sizes", "list.number_integer", "[1, 2]"),
        ("weights", "list.weight", "[{\"value\": 1.0, \"unit\": \"kg\"}]"),
        ("count", "number_integer", "7"),
    ] {
        shop.set_metafield(Owner::Product(id), "custom", key, kind, value);
    }
    shop.set_metafield(Owner::Product(id), "other", "material", "single_line_text_field", "Not ours");
    id
}

/// A shop with a simple product, one of many variants, and another one that has what they lack.
async fn three() -> (Desk, [u64; 3]) {
    let mut ids = [0; 3];
    let desk = Desk::open(|shop| {
        ids = [filled(shop, "Simple", 1), filled(shop, "Many", 48), shop.create_product("Third", |_| {})];
        shop.create_collection("Shoes", &ids[..2]);
        shop.create_collection("Hats & caps", &ids[2..]);
        shop.set_metafield(
            Owner::Product(ids[2]),
            "custom",
            "fresh",
            "list.single_line_text_field",
            "[\"x\"]",
        );
        shop.set_metafield(Owner::Product(ids[2]), "custom", "depth", "number_decimal", "1.5");
    })
    .await;
    (desk, ids)
}

fn refused(code: &str) -> ReceiptOutcome {
    ReceiptOutcome::Rejected(Rejection::Refused { code: code.to_owned() })
}

fn everything(record: &Value, name: &str) -> Value {
    let options = record["attributes"].as_array().unwrap().iter();
    let option = options.clone().find(|it| it["distinguishes_variants"] == true && it["label"] != "Title");
    let alt = json!({record["media"][1]["id"].as_str().unwrap(): "New & <plain> text"});
    let mut fields = json!({
        "title": format!("New {name} \"5 < 6\""),
        "description": "<h2>New</h2><p>Long &amp; new</p>",
        "seo.title": "New SEO", "seo.description": "New <3",
        "product_type": "New type", "taxonomy": "hg-3",
        "brands": {"add": ["New & Co"], "remove": ["old & sons"]},
        "tags": {"add": ["Brand new", "sale"], "remove": ["old & gold"]},
        "categories": {"add": ["hats & caps"], "remove": ["Shoes"]},
        "attributes": {
            "update": {
                "custom.material": "Silk", "custom.parts": ["Hood", "Bag \"2\""], "custom.sizes": ["3", "40"],
                "custom.weights": "[{\"value\":2.0,\"unit\":\"kg\"}]", "custom.count": "8",
                "custom.fresh": ["a", "b"], "custom.depth": "2.5",
            },
            "remove": ["custom.care"],
        },
        "media.alt": {"update": alt},
        "slug": format!("new-{name}"),
    });
    if let Some(option) = option {
        let (id, value) = (option["id"].as_str().unwrap(), option["value_ids"][0].as_str().unwrap());
        fields["options"] = json!({"update": {id: "New option & <co>"}});
        fields["options.values"] = json!({"update": {value: "New value & <co>"}});
    }
    fields
}

#[tokio::test]
async fn every_field_of_simple_and_many_variant_products_lands_and_comes_back_to_the_byte() {
    let (desk, ids) = three().await;
    let before = desk.parts();
    let pulled = desk.pulled().await;
    let enrichments: Vec<_> = ids[..2]
        .iter()
        .zip(["simple", "many"])
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
        let partly = matches!(&change.reversible, Reversible::Partly(_));
        let expected = matches!(change.cell.field.as_str(), "slug" | "categories");
        assert_eq!(partly, expected, "{plan}");
    }
    desk.shop().clear_calls();
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    for (field, calls) in [
        ("productUpdate", 2),
        ("tagsAdd", 2),
        ("tagsRemove", 2),
        ("metafieldsSet", 2),
        ("productOptionUpdate", 2),
        ("metafieldsDelete", 2),
        ("fileUpdate", 2),
        ("productSet", 0),
    ] {
        assert_eq!(desk.shop().count_calls(field), calls, "{field}");
    }
    for (id, name) in ids.iter().zip(["simple", "many"]) {
        let now = desk.stored(*id);
        assert_eq!(now.title, format!("New {name} \"5 < 6\""));
        assert_eq!(now.description_html, "<h2>New</h2><p>Long &amp; new</p>");
        assert_eq!(
            (now.seo_title.as_deref(), now.seo_description.as_deref()),
            (Some("New SEO"), Some("New <3"))
        );
        assert_eq!((now.product_type.as_str(), now.handle.clone()), ("New type", format!("new-{name}")));
        assert_eq!(now.category.as_deref(), Some("gid://shopify/TaxonomyCategory/hg-3"));
        assert_eq!(now.tags, ["Brand new", "Sale"]);
        assert_eq!(now.vendor, "New & Co");
        assert_eq!(desk.alt(now.media[1]).as_deref(), Some("New & <plain> text"));
        for (key, value) in [
            ("material", Some("Silk")),
            ("care", None),
            ("parts", Some("[\"Hood\",\"Bag \\\"2\\\"\"]")),
            ("sizes", Some("[3,40]")),
            ("weights", Some("[{\"value\":2.0,\"unit\":\"kg\"}]")),
            ("count", Some("8")),
            ("fresh", Some("[\"a\",\"b\"]")),
            ("depth", Some("2.5")),
        ] {
            assert_eq!(desk.metafield(*id, key).as_deref(), value, "{key}");
        }
    }
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

#[tokio::test]
async fn a_push_of_one_field_leaves_every_other_byte_of_the_shop_as_it_was() {
    let (desk, ids) = three().await;
    for id in &ids[..2] {
        let record = desk.record(*id).await;
        let picture = desk.stored(*id).media[1];
        for (field, wanted) in everything(&record, &format!("n{id}")).as_object().unwrap().clone() {
            let before = desk.parts();
            let record = desk.record(*id).await;
            let single = match field.as_str() {
                "attributes" => json!({"update": {"custom.material": "Silk"}}),
                _ => wanted,
            };
            let plan = desk.plan(&[desk.wants(&record, &json!({ field.clone(): single }))]).await;
            let receipt = desk.apply(&plan).await;
            assert!(receipt.is_full_success(), "{plan}{receipt}");
            let part = match field.as_str() {
                "attributes" => "attributes custom.material".to_owned(),
                "media.alt" => format!("media.alt {picture}"),
                field => field.to_owned(),
            };
            assert_eq!(changed(&before, &desk.parts()), BTreeSet::from([(*id, part)]), "{field}");
            desk.undo(&receipt).await;
            assert_eq!(changed(&before, &desk.parts()), BTreeSet::new(), "{field}");
        }
    }
}

#[tokio::test]
async fn what_was_empty_is_empty_again_or_announced_to_stay() {
    let mut id = 0;
    let desk = Desk::open(|shop| {
        let image = picture(shop, None);
        id = shop.create_product("Bare", |product| product.media = vec![image]);
        shop.create_collection("Shoes", &[]);
    })
    .await;
    let before = desk.parts();
    let picture = desk.stored(id).media[0];
    let key = desk.shop().media(picture).unwrap().gid();
    let fields = json!({
        "description": "<p>x</p>", "seo.title": "x", "seo.description": "y", "product_type": "z", "taxonomy": "fb",
        "tags": {"add": ["One"]}, "categories": {"add": ["Shoes"]}, "media.alt": {"update": {key: "New"}},
        "brands": {"add": ["Maker"]},
    });
    let plan = desk.plan_for(id, fields).await;
    let stays: BTreeSet<&str> = plan
        .changes
        .iter()
        .filter(|change| matches!(change.reversible, Reversible::No(_)))
        .map(|change| change.cell.field.as_str())
        .collect();
    assert_eq!(stays, BTreeSet::from(["brands", "media.alt"]), "{plan}");
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    let report = desk.push.undo(receipt.push).await.unwrap();
    for (cell, outcome) in &report.cells {
        let stayed = matches!(outcome, UndoOutcome::Irreversible { .. });
        assert_eq!(stayed, stays.contains(cell.field.as_str()), "{report}");
    }
    let left = BTreeSet::from([(id, "brands".to_owned()), (id, format!("media.alt {picture}"))]);
    assert_eq!(changed(&before, &desk.parts()), left);
}

// The category.

#[tokio::test]
async fn a_category_is_named_by_its_id_and_others_are_refused() {
    let (desk, ids) = three().await;
    for wrong in ["Home & Garden", "hg-", "-3", "HG-3", "hg-3 4", "gid://shopify/TaxonomyCategory/hg-3", "h"]
    {
        let change = desk.one(ids[0], json!({"taxonomy": wrong})).await;
        assert!(
            matches!(change.verdict, ChangeVerdict::Rejected(Rejection::Altered { .. })),
            "{wrong} {change:?}"
        );
    }
    let plan = desk.plan_for(ids[0], json!({"taxonomy": "zz-99", "title": "Good"})).await;
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        let expected = match field.cell.field.as_str() {
            "taxonomy" => refused("user_error"),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{receipt}");
    }
    assert_eq!(desk.stored(ids[0]).title, "Good");
}

// Tags.

#[tokio::test]
async fn a_tag_that_the_merchant_adds_meanwhile_survives() {
    for at in ["tagsAdd", "tagsRemove"] {
        let (desk, ids) = three().await;
        let plan = desk.plan_for(ids[0], json!({"tags": {"add": ["Brand new"], "remove": ["Sale"]}})).await;
        let id = ids[0];
        desk.shop().before_request(1, ShopifyFake::asks(at), move |shop| {
            shop.edit_product(id, |product| product.tags.push("Merchant's".to_owned()));
        });
        let receipt = desk.apply(&plan).await;
        let moved = vec![Warning::SiblingMoved { field: "tags".to_owned() }];
        for field in &receipt.fields {
            assert_eq!((&field.outcome, &field.warnings), (&ReceiptOutcome::Applied, &moved), "{receipt}");
        }
        assert_eq!(desk.stored(id).tags, ["Brand new", "Merchant's", "Old & gold"]);
        desk.undo(&receipt).await;
        assert_eq!(desk.stored(id).tags, ["Merchant's", "Old & gold", "Sale"]);
    }
}

#[tokio::test]
async fn a_tag_with_a_comma_is_refused_before_it_is_sent() {
    let (desk, ids) = three().await;
    let change = desk.one(ids[0], json!({"tags": {"add": ["one, two"]}})).await;
    assert!(matches!(change.verdict, ChangeVerdict::Rejected(Rejection::Altered { .. })), "{change:?}");
}

// Metafields.

#[tokio::test]
async fn a_metafield_that_the_merchant_edits_in_the_window_is_refused_and_the_others_land() {
    let (desk, ids) = three().await;
    let fields = json!({"attributes": {"update": {
        "custom.material": "Silk", "custom.parts": ["New"], "custom.count": "9", "custom.depth": "3.5"}}});
    let plan = desk.plan_for(ids[0], fields).await;
    let id = ids[0];
    desk.shop().before_request(1, ShopifyFake::asks("metafieldsSet"), move |shop| {
        shop.set_metafield(Owner::Product(id), "custom", "material", "single_line_text_field", "Merchant's");
        // A new one only where none is.
        shop.set_metafield(Owner::Product(id), "custom", "depth", "number_decimal", "99.0");
    });
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        let expected = match field.cell.key.as_deref().unwrap() {
            "custom.material" | "custom.depth" => refused("STALE_OBJECT"),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{receipt}");
    }
    assert_eq!(desk.metafield(id, "material").as_deref(), Some("Merchant's"));
    assert_eq!(desk.metafield(id, "depth").as_deref(), Some("99.0"));
    assert_eq!(desk.metafield(id, "count").as_deref(), Some("9"));
    let report = desk.push.undo(receipt.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    assert_eq!(report.cells.len(), 2, "what was refused is not taken back: {report}");
    assert_eq!(desk.metafield(id, "material").as_deref(), Some("Merchant's"));
    assert_eq!(desk.metafield(id, "parts").as_deref(), Some("[\"Cap\", \"Bag\"]"));
}

#[tokio::test]
async fn lists_of_metafields_keep_their_types() {
    let (desk, ids) = three().await;
    for (fields, code) in [
        (json!({"custom.sizes": ["3", "four"]}), "metafield_no_number"),
        (json!({"custom.weights": ["1 kg"]}), "metafield_no_array"),
        (json!({"custom.weights": ["[1]", "[2]"]}), "metafield_no_array"),
        (json!({"custom.count": ["1", "2"]}), "metafield_one_value"),
        (json!({"custom.depth": ["1", "2"]}), "metafield_one_value"),
    ] {
        let plan = desk.plan_for(ids[0], json!({"attributes": {"update": fields}})).await;
        desk.shop().clear_calls();
        let receipt = desk.apply(&plan).await;
        let not_sent = ReceiptOutcome::Rejected(Rejection::NotSent { code: code.to_owned() });
        assert_eq!(receipt.fields[0].outcome, not_sent, "{receipt}");
        assert!(desk.shop().calls().iter().all(|call| !call.mutation));
    }
    // A list of decimals that were texts stays one of texts.
    let id = ids[0];
    desk.shop().set_metafield(Owner::Product(id), "custom", "lengths", "list.number_decimal", "[\"1.50\"]");
    desk.tick();
    let receipt = desk.land(id, json!({"attributes": {"update": {"custom.lengths": ["2.50", "3.0"]}}})).await;
    assert_eq!(desk.metafield(id, "lengths").as_deref(), Some("[\"2.50\",\"3.0\"]"));
    desk.undo(&receipt).await;
    assert_eq!(desk.metafield(id, "lengths").as_deref(), Some("[\"1.50\"]"));
}

#[tokio::test]
async fn an_option_is_no_metafield_and_a_metafield_must_be_known() {
    let (desk, ids) = three().await;
    let change = desk.one(ids[1], json!({"attributes": {"update": {"Colour": ["Green"]}}})).await;
    assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::IsOption));
    let change = desk.one(ids[1], json!({"attributes": {"update": {"custom.unheard": "x"}}})).await;
    assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::NameUnknown));
}

#[tokio::test]
async fn more_metafields_than_one_mutation_takes_go_in_several() {
    let mut id = 0;
    let desk = Desk::open(|shop| id = shop.big_product(1, 0, 60)).await;
    let before = desk.parts();
    let update: BTreeMap<String, Value> =
        (0..60).map(|n| (format!("custom.key_{n}"), json!(format!("new {n}")))).collect();
    let receipt = desk.land(id, json!({"attributes": {"update": update}})).await;
    assert_eq!(desk.shop().count_calls("metafieldsSet"), 3);
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

// Pictures.

#[tokio::test]
async fn an_alternative_text_that_several_products_share_names_the_others() {
    let (mut ids, mut shared) = ([0; 3], 0);
    let desk = Desk::open(|shop| {
        shared = picture(shop, Some("Shared"));
        ids = ["One", "Two", "Three"].map(|title| {
            let own: Vec<u64> = (0..12).map(|_| picture(shop, Some("own"))).collect();
            // Behind more pictures than come with a product.
            shop.create_product(title, |product| {
                product.media = own;
                product.media.push(shared);
            })
        });
        shop.edit_product(ids[2], |product| {
            product.media.pop();
        });
    })
    .await;
    let before = desk.parts();
    let key = desk.shop().media(shared).unwrap().gid();
    let plan = desk.plan_for(ids[0], json!({"media.alt": {"update": {key: "New"}}})).await;
    let others: Vec<&str> = plan.changes[0].shown_by.iter().map(|other| other.id.as_str()).collect();
    assert_eq!(others, [ids[1].to_string()], "{plan}");
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success());
    let part = format!("media.alt {shared}");
    let expected = BTreeSet::from([(ids[0], part.clone()), (ids[1], part)]);
    assert_eq!(changed(&before, &desk.parts()), expected);
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

#[tokio::test]
async fn locked_and_unready_files_are_refused_with_a_reason_and_the_others_land() {
    let (mut id, mut files) = (0, Vec::new());
    let desk = Desk::open(|shop| {
        files = (0..7).map(|n| picture(shop, Some(&format!("Old {n}")))).collect();
        let media = files.clone();
        id = shop.create_product("Cap", |product| product.media = media);
    })
    .await;
    let update: BTreeMap<String, String> =
        files.iter().map(|file| (desk.shop().media(*file).unwrap().gid(), format!("New {file}"))).collect();
    let plan = desk.plan_for(id, json!({"media.alt": {"update": update}})).await;
    desk.shop().edit_media(files[2], |media| media.locked = true);
    desk.shop().edit_media(files[5], |media| media.status = "PROCESSING".to_owned());
    desk.tick();
    let receipt = desk.apply(&plan).await;
    for (file, old) in files.iter().zip(0..) {
        let gid = desk.shop().media(*file).unwrap().gid();
        let field = receipt.fields.iter().find(|it| it.cell.holder.id.as_str() == gid).unwrap();
        let is_bad = old == 2 || old == 5;
        match &field.outcome {
            ReceiptOutcome::Rejected(Rejection::Refused { code }) => {
                assert!(is_bad && ["FILE_LOCKED", "NON_READY_STATE"].contains(&code.as_str()), "{receipt}");
            }
            outcome => assert_eq!((outcome, is_bad), (&ReceiptOutcome::Applied, false), "{receipt}"),
        }
        let text = if is_bad { format!("Old {old}") } else { format!("New {file}") };
        assert_eq!(desk.alt(*file), Some(text));
    }
    desk.undo(&receipt).await;
    for (file, old) in files.iter().zip(0..) {
        assert_eq!(desk.alt(*file), Some(format!("Old {old}")));
    }
}

#[tokio::test]
async fn a_text_that_is_too_long_for_a_picture_never_leaves() {
    let (desk, ids) = three().await;
    let key = desk.shop().media(desk.stored(ids[0]).media[0]).unwrap().gid();
    let change = desk.one(ids[0], json!({"media.alt": {"update": {key: "x".repeat(513)}}})).await;
    assert!(matches!(change.verdict, ChangeVerdict::Rejected(Rejection::TooLong { .. })), "{change:?}");
}

// Slugs.

#[tokio::test]
async fn a_handle_that_is_taken_is_refused_and_one_that_is_taken_meanwhile_takes_nothing_with_it() {
    let (desk, ids) = three().await;
    let change = desk.one(ids[0], json!({"slug": "third"})).await;
    assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::Taken));
    let fields = json!({"slug": "wanted", "title": "New", "seo.title": "New SEO", "tags": {"add": ["One"]}});
    let plan = desk.plan_for(ids[0], fields).await;
    desk.edit(ids[2], |product| product.handle = "wanted".to_owned());
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        let expected = match field.cell.field.as_str() {
            // Without a code of the platform's.
            "slug" => refused("user_error"),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{receipt}");
    }
    assert_eq!((desk.stored(ids[0]).title.as_str(), desk.stored(ids[0]).handle.as_str()), ("New", "simple"));
    desk.undo(&receipt).await;
    assert_eq!(desk.stored(ids[0]).title, "Simple");
}

// What the platform refuses, and answers that are lost.

#[tokio::test]
async fn a_refusal_of_one_mutation_is_told_for_its_field_alone() {
    let (desk, ids) = three().await;
    desk.edit(ids[0], |product| product.tags = (0..250).map(|n| format!("t{n:03}")).collect());
    let before = desk.parts();
    let fields = json!({
        "title": "New", "tags": {"add": ["One more"]}, "attributes": {"update": {"custom.material": "Silk"}},
    });
    let plan = desk.plan_for(ids[0], fields).await;
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        let expected = match field.cell.field.as_str() {
            "tags" => refused("user_error"),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{receipt}");
    }
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

const MUTATIONS: [(&str, &str); 5] = [
    ("productUpdate", "title"),
    ("tagsAdd", "tags"),
    ("tagsRemove", "tags"),
    ("metafieldsSet", "attributes"),
    ("fileUpdate", "media.alt"),
];

#[tokio::test]
async fn a_fault_at_any_mutation_leaves_every_receipt_true_and_undo_works() {
    let faults = [
        (Fault::status(500), false),
        (Fault::status_after(502), true),
        (Fault::Reset(When::Before), false),
        (Fault::Reset(When::After), true),
        (Fault::Truncate, true),
        (Fault::Malformed, true),
        (Fault::Html200, false),
        (Fault::status_after(504), true),
        (Fault::status_after(540), true),
    ];
    for (mutation, field) in MUTATIONS {
        for (fault, lands) in faults {
            let (desk, ids) = three().await;
            let before = desk.parts();
            let record = desk.record(ids[0]).await;
            let alt = json!({record["media"][0]["id"].as_str().unwrap(): "New"});
            let fields = json!({
                "title": "New", "tags": {"add": ["One"], "remove": ["Sale"]},
                "attributes": {"update": {"custom.material": "Silk", "custom.depth": "3.5"}},
                "media.alt": {"update": alt},
            });
            let plan = desk.plan(&[desk.wants(&record, &fields)]).await;
            let rule = FaultRule::new(fault).matching(ShopifyFake::asks(mutation)).times(1);
            desk.bench.server.faults().push(rule);
            desk.shop().clear_calls();
            let receipt = desk.apply(&plan).await;
            assert_eq!(desk.bench.server.faults().pending(), 0);
            let arrived = desk.shop().count_calls(mutation);
            assert_eq!(arrived, usize::from(lands), "{mutation} {fault:?}: nothing is sent twice");
            for told in &receipt.fields {
                let removes = mutation == "tagsRemove";
                let hit = told.cell.field.as_str() == field
                    && (field != "tags" || (told.cell.key.as_deref() == Some("sale")) == removes);
                if hit && !lands {
                    // Our own other mutations moved the record meanwhile, so nobody can tell it from a revert.
                    let lost = ReceiptOutcome::Conflict(Conflict::MaybeReverted);
                    assert_eq!(told.outcome, lost, "{mutation} {fault:?} {receipt}");
                } else {
                    assert_eq!(told.outcome, ReceiptOutcome::Applied, "{mutation} {fault:?} {receipt}");
                }
            }
            desk.undo(&receipt).await;
            assert_eq!(changed(&before, &desk.parts()), BTreeSet::new(), "{mutation} {fault:?}");
        }
    }
}

#[tokio::test]
async fn errors_at_the_top_of_a_mutations_answer_are_settled_by_a_read() {
    for (fault, lands, calls) in [
        (GraphFault::InternalError, false, 1),
        (GraphFault::InternalErrorAfter, true, 1),
        // Refused before it was begun: sent again.
        (GraphFault::Throttled, true, 2),
    ] {
        let (desk, ids) = three().await;
        let plan = desk.plan_for(ids[0], json!({"title": "New"})).await;
        desk.shop().fail("productUpdate", fault, 1);
        desk.shop().clear_calls();
        let receipt = desk.apply(&plan).await;
        assert_eq!(desk.shop().count_calls("productUpdate"), calls, "{fault:?}");
        let expected = match lands {
            true => ReceiptOutcome::Applied,
            false => ReceiptOutcome::Rejected(Rejection::NotSent { code: "not_landed".to_owned() }),
        };
        assert_eq!(receipt.fields[0].outcome, expected, "{fault:?}");
        assert_eq!(desk.stored(ids[0]).title, if lands { "New" } else { "Simple" });
    }
}

#[tokio::test]
async fn a_stamp_that_stands_proves_nothing_of_fields_that_do_not_move_it() {
    for (fields, outcome) in [
        (
            json!({"title": "New"}),
            ReceiptOutcome::Rejected(Rejection::NotSent { code: "not_landed".to_owned() }),
        ),
        // It may have landed and been taken back, and the product's time would tell nothing of either.
        (json!({"categories": {"add": ["Hats & caps"]}}), ReceiptOutcome::Conflict(Conflict::MaybeReverted)),
    ] {
        let (desk, ids) = three().await;
        let plan = desk.plan_for(ids[0], fields).await;
        let lost = FaultRule::new(Fault::Reset(When::Before)).matching(ShopifyFake::asks("productUpdate"));
        desk.bench.server.faults().push(lost.times(1));
        let receipt = desk.apply(&plan).await;
        assert_eq!(receipt.fields[0].outcome, outcome, "{receipt}");
        assert_eq!(desk.shop().count_calls("productUpdate"), 0);
    }
}

fn text(field: &'static str, text: &str) -> PatchField {
    let value = PatchValue::Text { text: text.into(), raw: None };
    PatchField::new(FieldName::new(field), value, CellValue::Empty)
}

fn to(id: &str, changes: Vec<PatchField>) -> Patch {
    Patch::new(RecordRef::new(Platform::new("shopify"), Entity::Product, id), changes)
}

/// A patch of which nothing was sent must not make the others look as if nothing of them had been.
#[tokio::test]
async fn what_was_sent_of_one_patch_is_told_though_another_one_never_left() {
    let (desk, ids) = three().await;
    desk.edit(ids[0], |product| product.tags = (0..250).map(|n| format!("t{n:03}")).collect());
    let terms = |names: &[&str]| {
        let term = |name: &&str| Term { name: (*name).into(), ..Term::default() };
        PatchValue::Terms(names.iter().map(term).collect())
    };
    let tags = PatchField::new(FieldName::new("tags"), terms(&["x"]), CellValue::Empty);
    let own = ids[0].to_string();
    let sent = to(&own, vec![tags.before(Some(terms(&["t001"])))]);
    let until = desk.bench.clock.elapsed() + Duration::from_secs(5);
    let wrong = to("0", vec![text("title", "x")]);
    let full = to(
        &own,
        vec![
            PatchField::new(FieldName::new("tags"), terms(&["x", "y"]), CellValue::Empty)
                .before(Some(terms(&[]))),
        ],
    );
    let connector = desk.bench.connector.clone();
    let push = async |patches| connector.push(&PushRequest::new(patches, until)).await;
    let answers = push(vec![wrong.clone(), full]).await.unwrap();
    assert!(answers.iter().all(|it| matches!(it.fields[0].1, FieldAnswer::Refused { .. })), "{answers:?}");
    let answers = push(vec![sent, wrong.clone()]).await.unwrap();
    assert_eq!(answers[0].fields[0].1, FieldAnswer::Accepted);
    assert!(push(vec![wrong.clone(), wrong]).await.is_err(), "nothing left at all");
}

/// Of five records in one push, some wait for the others, and their window passes meanwhile.
#[tokio::test]
async fn what_was_too_late_in_a_write_of_several_is_guarded_anew_and_goes_alone() {
    let mut ids = Vec::new();
    let desk = Desk::open(|shop| {
        ids = (0..5).map(|number| shop.create_product(&format!("Product {number}"), |_| {})).collect();
    })
    .await;
    let mut pulled = desk.pulled().await;
    let enrichments: Vec<_> = ids
        .iter()
        .map(|id| desk.wants(&pulled.remove(id).unwrap(), &json!({"title": format!("New {id}")})))
        .collect();
    let plan = desk.plan(&enrichments).await;
    let (clock, last) = (desk.bench.clock.clone(), ids[4]);
    desk.shop().before_request(1, ShopifyFake::asks("productUpdate"), move |shop| {
        clock.advance(Duration::from_secs(6));
        assert!(shop.edit_product(last, |product| product.title = "The merchant's".to_owned()));
    });
    let receipt = desk.apply(&plan).await;
    let (stale, others) = receipt.fields.split_last().unwrap();
    assert!(others.iter().all(|field| field.outcome == ReceiptOutcome::Applied), "{receipt}");
    assert_eq!(stale.outcome, ReceiptOutcome::Conflict(Conflict::PlanStale), "{receipt}");
    assert_eq!(desk.stored(last).title, "The merchant's");
    assert_eq!(desk.shop().count_calls("productUpdate"), 4, "each once");
}

#[tokio::test]
async fn what_must_not_be_written_never_leaves() {
    let (desk, ids) = three().await;
    let own = ids[0].to_string();
    let list = |field: &'static str, value: PatchValue| {
        PatchField::new(FieldName::new(field), value, CellValue::Empty)
    };
    let vendors = |names: &[&str]| {
        let term = |name: &&str| Term { name: (*name).into(), ..Term::default() };
        let before = Some(PatchValue::Terms(Vec::new()));
        list("brands", PatchValue::Terms(names.iter().map(term).collect())).before(before)
    };
    let nameless = Term { id: None, name: "Hats".into(), raw_name: None };
    let wrong = vec![
        to(&own, vec![text("status", "ACTIVE")]),
        to(&own, vec![text("price", "1")]),
        to(&own, vec![text("vendor", "x")]),
        to(&own, vec![text("tags", "x")]),
        to(&own, vec![text("media.alt", "x")]),
        to(&own, vec![text("title", "fine"), text("status", "DRAFT")]),
        // Without what was there, nobody knows what goes.
        to(&own, vec![list("tags", PatchValue::Terms(Vec::new()))]),
        to(&own, vec![list("categories", PatchValue::Terms(vec![nameless.clone()]))]),
        to(
            &own,
            vec![
                list("categories", PatchValue::Terms(vec![nameless]))
                    .before(Some(PatchValue::Terms(Vec::new()))),
            ],
        ),
        to(&own, vec![list("attributes", PatchValue::Attributes(Vec::new()))]),
        // A product has one vendor.
        to(&own, vec![vendors(&[])]),
        to(&own, vec![vendors(&["One", "Two"])]),
        to("abc", vec![text("title", "x")]),
        to("0", vec![text("title", "x")]),
        to(&format!("0{own}"), vec![text("title", "x")]),
        to(&format!("gid://shopify/Product/{own}"), vec![text("title", "x")]),
        Patch::new(
            RecordRef::new(Platform::new("shopify"), Entity::Variant, own.as_str()),
            vec![text("title", "x")],
        ),
    ];
    let before = desk.parts();
    for patch in wrong {
        let until = desk.bench.clock.elapsed() + Duration::from_secs(5);
        let pushed = desk.bench.connector.push(&PushRequest::new(vec![patch.clone()], until)).await;
        assert!(pushed.is_err(), "{patch:?}");
    }
    assert!(desk.shop().calls().iter().all(|call| !call.mutation));
    assert_eq!(desk.parts(), before);
}

// Many at once.

const SEED: u64 = 20_261_123;

#[tokio::test]
async fn five_hundred_products_with_a_merchant_at_work() {
    eprintln!("catalogue seed: {SEED}");
    let bench = shopify::bench_with(
        |shop| drop(shop.seed_products(500)),
        |builder| builder.seed(SEED),
        |settings| settings,
    )
    .await;
    let desk = Desk::over(bench);
    let ids = desk.shop().ids();
    assert_eq!(ids.len(), 500);
    let every = |from: usize| -> Vec<u64> { ids.iter().skip(from).step_by(50).copied().collect() };
    let (early, between, late) = (every(10), every(20), every(30));
    let (priced, renamed, stale) = (ids[45], ids[85], ids[125]);
    desk.shop().set_metafield(Owner::Product(stale), "custom", "material", "single_line_text_field", "Old");
    desk.tick();
    let before = desk.parts();
    let pulled = desk.pulled().await;
    let enrichments: Vec<_> = pulled
        .iter()
        .map(|(id, record)| {
            let mut fields = json!({
                "title": format!("Pushed {id} & <co>"),
                "description": format!("<p>Pushed <strong>{id}</strong></p>"),
                "seo.title": format!("Pushed {id}"),
                "tags": {"add": ["Pushed"], "remove": ["new"]},
                "attributes": {"update": {"custom.material": format!("Pushed {id}")}},
            });
            if let Some(picture) = record["media"][0]["id"].as_str() {
                fields["media.alt"] = json!({"update": {picture: format!("Picture {picture}")}});
            }
            desk.wants(record, &fields)
        })
        .collect();
    let merchants = |text: &str| format!("The merchant's {text}");
    desk.tick();
    for id in &early {
        assert!(desk.shop().edit_product(*id, |product| product.title = merchants("early")));
    }
    desk.tick();
    desk.shop().clear_calls();
    let plan = desk.plan(&enrichments).await;
    let count = |field: &str| desk.shop().count_calls(field);
    assert_eq!(desk.shop().calls().iter().filter(|call| call.mutation).count(), 0);
    eprintln!("plan: {} changes, {} calls", plan.changes.len(), desk.shop().calls().len());
    for id in &between {
        let text = merchants("between");
        assert!(desk.shop().edit_product(*id, |product| product.description_html = text));
    }
    desk.tick();
    let variant = desk.stored(priced).variants[0];
    let gid = |id: u64| format!("gid://shopify/Product/{id}");
    let update_of = |id: u64| {
        let gid = format!("{}\"", gid(id));
        move |request: &lily_connect::testkit::exchange::Request| {
            let body = String::from_utf8_lossy(&request.body);
            body.contains("UpdateProduct") && body.contains(&gid)
        }
    };
    desk.shop().before_request(1, update_of(priced), move |shop| {
        shop.edit_variant(variant, |variant| variant.price = "77.00".to_owned());
    });
    desk.shop().before_request(1, update_of(renamed), move |shop| {
        shop.edit_product(renamed, |product| product.title = "The merchant's in the window".to_owned());
    });
    desk.shop().before_request(1, update_of(stale), move |shop| {
        shop.set_metafield(
            Owner::Product(stale),
            "custom",
            "material",
            "single_line_text_field",
            "Merchant's",
        );
    });
    desk.shop().clear_calls();
    let receipt = desk.apply(&plan).await;
    let calls = desk.shop().calls();
    let throttled = calls.iter().filter(|call| call.error.as_deref() == Some("THROTTLED")).count();
    eprintln!(
        "apply: {} changes, {} calls: {} productUpdate, {} tagsAdd, {} tagsRemove, {} metafieldsSet, {} fileUpdate, {throttled} throttled",
        receipt.fields.len(),
        calls.len(),
        count("productUpdate"),
        count("tagsAdd"),
        count("tagsRemove"),
        count("metafieldsSet"),
        count("fileUpdate"),
    );
    assert_eq!(throttled, 0, "the limiter waits before it sends");
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        let name = format!("{:?}", field.outcome);
        *counts.entry(name.chars().take_while(|c| !matches!(c, ' ' | '{')).collect()).or_default() += 1;
        let target: u64 = change.target().id.as_str().parse().unwrap();
        let expected = match change.cell.field.as_str() {
            "title" if early.contains(&target) => ReceiptOutcome::Conflict(Conflict::EditedSince),
            "description" if between.contains(&target) => ReceiptOutcome::Conflict(Conflict::PlanStale),
            "attributes" if target == stale => refused("STALE_OBJECT"),
            _ if change.verdict == ChangeVerdict::Unchanged => ReceiptOutcome::Unchanged,
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{}", change.cell);
    }
    eprintln!("receipts: {counts:?}");
    assert_eq!(desk.metafield(stale, "material").as_deref(), Some("Merchant's"));
    assert_eq!(desk.shop().variant(variant).unwrap().price, "77.00");
    // In the window nobody can tell: it is ours now, and the receipt says how long that window was.
    assert_eq!(desk.stored(renamed).title, format!("Pushed {renamed} & <co>"));
    for id in &late {
        assert!(desk.shop().edit_product(*id, |product| product.title = merchants("late")));
    }
    desk.tick();
    let report = desk.push.undo(receipt.push).await.unwrap();
    let mut undone: BTreeMap<String, u64> = BTreeMap::new();
    for (cell, outcome) in &report.cells {
        let name = format!("{outcome:?}");
        *undone.entry(name.chars().take_while(|c| !matches!(c, ' ' | '{')).collect()).or_default() += 1;
        let is_late =
            cell.field.as_str() == "title" && late.iter().any(|id| id.to_string() == cell.holder.id.as_str());
        match outcome {
            UndoOutcome::Restored => assert!(!is_late, "{cell}"),
            UndoOutcome::EditedSince => assert!(is_late, "{cell}"),
            UndoOutcome::Irreversible { .. } => assert_eq!(cell.holder.kind, Entity::Media, "{cell}"),
            other => panic!("{cell}: {other:?}"),
        }
    }
    eprintln!("undo: {undone:?}");
    let mut expected: BTreeSet<(u64, String)> = BTreeSet::new();
    let mut add = |ids: &[u64], part: &str| expected.extend(ids.iter().map(|id| (*id, part.to_owned())));
    add(&early, "title");
    add(&late, "title");
    add(&between, "description");
    add(&[stale], "attributes custom.material");
    add(&[priced], &format!("variant {variant}"));
    let mut left = changed(&before, &desk.parts());
    // Pictures that had no text keep the one that they have now, as the plan said.
    left.retain(|(_, part)| !part.starts_with("media.alt"));
    assert_eq!(left, expected);
}
