//! Enriched content on its way into a WooCommerce store and back out of it, field by field, on the fake store.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::field_reassign_with_default,
    clippy::too_many_lines,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/shop.rs"]
mod shop;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lily_connect::connector::{FieldAnswer, Patch, PatchField, PatchValue, PushRequest};
use lily_connect::connectors::woocommerce::SeoPlugin;
use lily_connect::model::{
    Attribute as CanonicalAttribute, CellValue, Entity, FieldName, Media, Platform, RecordRef, Reversible,
    Term,
};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Plan, PushSettings, ReceiptOutcome, Rejection, UndoOutcome, Warning,
};
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::json::Json;
use lily_connect::testkit::woocommerce::{Attribute, Meta, Taxonomy, WooStore};
use lily_connect::time::Clock as _;
use serde_json::{Value, json};
use shop::{Shop, is_batch, usual};

/// A product with something in every field.
fn filled(store: &WooStore, name: &str, kind: &str) -> u64 {
    let material = store.add_attribute("Material");
    let color = store.add_attribute("Color");
    for value in ["Linen", "Leather", "R&D Cloth"] {
        store.add_term(Taxonomy::Attribute(material), value);
    }
    let tags = ["Sale", "Old & Gold"].map(|tag| store.add_term(Taxonomy::Tag, tag)).to_vec();
    let shoes = store.add_term(Taxonomy::Category, "Shoes");
    store.add_term(Taxonomy::Category, "Hats & Caps");
    let brand = store.add_term(Taxonomy::Brand, "Aldergate");
    store.add_term(Taxonomy::Brand, "Northfell");
    let images: Vec<u64> = ["a", "b"].map(|at| store.add_media(&format!("{kind}-{at}.jpg"))).to_vec();
    for id in &images {
        store.edit_media(*id, |media| media.alt = format!("Photo &amp; text {id}"));
    }
    let meta = store.create(name, |product| {
        kind.clone_into(&mut product.kind);
        product.description = "<p>Long &amp; <em>old</em></p>".to_owned();
        product.short_description = "<p>Short</p>".to_owned();
        (product.tags, product.categories, product.brands) = (tags, vec![shoes], vec![brand]);
        product.images = images;
        product.weight = "1.5".to_owned();
        product.attributes = vec![
            attribute(material, "", 0, (false, false), &["Linen"]),
            attribute(0, "Care", 3, (true, false), &["Wash &amp; dry", "No bleach"]),
            attribute(0, "Fit", 4, (false, false), &["Slim"]),
        ];
        if kind == "variable" {
            product.attributes.push(attribute(color, "", 7, (true, true), &["Blue", "Red"]));
        }
        product.meta_data = vec![
            meta_row(1, "rank_math_title", "Old SEO title"),
            meta_row(2, "_supplier", "S1"),
            meta_row(3, "_yoast_wpseo_title", "left over"),
        ];
    });
    for option in ["Blue", "Red"] {
        store.add_term(Taxonomy::Attribute(color), option);
    }
    meta
}

fn attribute(id: u64, name: &str, position: i64, flags: (bool, bool), options: &[&str]) -> Attribute {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Attribute { id, name: name.to_owned(), position, visible: flags.0, variation: flags.1, options }
}

fn meta_row(id: u64, key: &str, value: &str) -> Meta {
    Meta { id, key: key.to_owned(), value: Json::text(value) }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_field_of_every_kind_of_product_lands_and_comes_back_to_the_byte() {
    let kinds = ["simple", "variable", "grouped", "external"];
    let mut ids = Vec::new();
    let shop = Shop::open(|store| {
        ids = kinds.map(|kind| filled(store, &format!("Old {kind} R&D"), kind)).to_vec();
        store.create_variation(ids[1], |variation| variation.regular_price = "5".to_owned());
        let simple = ids[0];
        store.edit(ids[2], |product| product.grouped_products = vec![simple]);
        store.edit(ids[3], |product| product.external_url = "https://elsewhere.example/x".to_owned());
    })
    .await;
    let before = shop.all_bytes();
    let pulled = shop.pulled().await;
    let media = shop.store.all_media().len();
    let enrichments: Vec<_> = ids
        .iter()
        .zip(kinds)
        .map(|(id, kind)| {
            let alt = json!({pulled[id]["media"][1]["id"].as_str().unwrap(): "New & <plain> text"});
            let fields = json!({
                "title": format!("New {kind} \"5 < 6\" C:\\x"),
                "short_description": "<p>New short</p>",
                "description": "<h2>New</h2><p>Long &amp; C:\\new</p>",
                "tags": {"add": ["Brand new", "sale"], "remove": ["old & gold"]},
                "categories": {"add": ["hats & caps"]},
                "brands": {"add": ["northfell"], "remove": ["Aldergate"]},
                "attributes": {"update": {"Material": ["leather", "r&d cloth"], "Season": "Summer"}, "remove": ["Fit"]},
                "media.alt": {"update": alt},
                "seo.title": "New %title% C:\\x", "seo.description": "New <3", "seo.focus_keyword": "new",
                "slug": format!("new-{kind}"),
            });
            shop.wants(&pulled[id], &fields)
        })
        .collect();
    let plan = shop.plan(&enrichments).await;
    for change in &plan.changes {
        let expected = match (change.cell.field.as_str(), change.cell.key.as_deref()) {
            ("tags", Some("sale")) => (ChangeVerdict::Unchanged, "yes"),
            ("slug", _) => (ChangeVerdict::Apply, "partly"),
            _ => (ChangeVerdict::Apply, "yes"),
        };
        let reversible = match &change.reversible {
            Reversible::Yes => "yes",
            Reversible::Partly(_) => "partly",
            _ => "no",
        };
        assert_eq!((change.verdict.clone(), reversible), expected, "{plan}");
    }
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    for (id, kind) in ids.iter().zip(kinds) {
        let now = shop.bytes(*id);
        let old = &before[id];
        assert_eq!(now["name"], format!("New {kind} \"5 &lt; 6\" C:\\x"));
        assert_eq!(now["short_description"], "<p>New short</p>");
        assert_eq!(now["description"], "<h2>New</h2><p>Long &amp; C:\\new</p>");
        let mut tags = names(&now["tags"]);
        tags.sort_unstable();
        assert_eq!(tags, ["Brand new", "Sale"]);
        assert_eq!(names(&now["categories"]), ["Hats &amp; Caps", "Shoes"]);
        assert_eq!(names(&now["brands"]), ["Northfell"]);
        let attributes: Vec<(&str, &Value)> = now["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attribute| (attribute["name"].as_str().unwrap(), &attribute["options"]))
            .collect();
        let mut expected = vec![
            ("Material", json!(["Leather", "R&amp;D Cloth"])),
            ("Care", json!(["Wash &amp; dry", "No bleach"])),
        ];
        if kind == "variable" {
            expected.push(("Color", json!(["Blue", "Red"])));
        }
        expected.push(("Season", json!(["Summer"])));
        let expected: Vec<(&str, &Value)> = expected.iter().map(|(name, values)| (*name, values)).collect();
        assert_eq!(attributes, expected);
        assert_eq!(now["images"][1]["alt"], "New &amp; &lt;plain&gt; text");
        assert_eq!(now["slug"], format!("new-{kind}"));
        let meta = |key: &str| {
            let rows = now["meta_data"].as_array().unwrap().iter();
            rows.filter(|row| row["key"] == key).map(|row| row["value"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(meta("rank_math_title"), ["New %title% C:\\x"]);
        assert_eq!(meta("rank_math_description"), ["New <3"]);
        assert_eq!(meta("rank_math_focus_keyword"), ["new"]);
        for untouched in ["type", "status", "weight", "grouped_products", "external_url", "variations", "sku"]
        {
            assert_eq!(now[untouched], old[untouched], "{untouched}");
        }
    }
    assert_eq!(shop.store.all_media().len(), media);
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(report.is_full_success(), "{report}");
    assert_eq!(shop.all_bytes(), before);
}

/// What was announced as not to be taken back stays, and nothing else does.
#[tokio::test]
async fn what_cannot_be_taken_back_is_announced_and_stays() {
    let (mut id, mut image) = (0, 0);
    let shop = Shop::open(|store| {
        store.add_term(Taxonomy::Category, "Hats");
        store.add_term(Taxonomy::Brand, "Aldergate");
        image = store.add_media("a.jpg");
        id = store.create("Draft", |product| {
            product.status = "draft".to_owned();
            product.categories.clear();
            product.images = vec![image];
        });
    })
    .await;
    let before = shop.bytes(id);
    let record = shop.record(id).await;
    let fields = json!({
        "title": "New", "description": "<p>x</p>", "seo.title": "x",
        "categories": {"add": ["Hats"]}, "brands": {"add": ["Aldergate"]},
        "media.alt": {"update": {image.to_string(): "New text"}}, "slug": "new-slug",
    });
    let plan = shop.plan(&[shop.wants(&record, &fields)]).await;
    let announced: BTreeSet<&str> = plan
        .changes
        .iter()
        .filter(|change| matches!(change.reversible, Reversible::No(_)))
        .map(|change| change.cell.field.as_str())
        .collect();
    assert_eq!(announced, BTreeSet::from(["categories", "media.alt", "slug"]), "{plan}");
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    let report = shop.push.undo(receipt.push).await.unwrap();
    for (cell, outcome) in &report.cells {
        match announced.contains(cell.field.as_str()) {
            true => assert!(matches!(outcome, UndoOutcome::Irreversible { .. }), "{report}"),
            false => assert_eq!(*outcome, UndoOutcome::Restored, "{report}"),
        }
    }
    let mut after = shop.bytes(id);
    assert_eq!(names(&after["categories"]), ["Hats"]);
    assert_eq!((shop.alt(image).as_str(), after["slug"].as_str()), ("New text", Some("new-slug")));
    for field in
        ["categories", "brands", "images", "slug", "permalink", "permalink_template", "generated_slug"]
    {
        after[field] = before[field].clone();
    }
    assert_eq!(after, before);
}

// Attributes.

async fn shop_with_one(kind: &str) -> (Shop, u64) {
    let mut id = 0;
    let shop = Shop::open(|store| id = filled(store, "Old", kind)).await;
    (shop, id)
}

#[tokio::test]
async fn an_attribute_keeps_its_flags_and_place_and_every_other_attribute_is_untouched() {
    let (shop, id) = shop_with_one("variable").await;
    let before = shop.stored(id).attributes;
    let record = shop.record(id).await;
    let fields = json!({"attributes": {"update": {"care": ["Hand wash"], "Weave": ["Plain", "Twill"]}}});
    let receipt = shop.land(&[shop.wants(&record, &fields)]).await;
    let after = shop.stored(id).attributes;
    let mut expected = before.clone();
    expected[1].options = vec!["Hand wash".to_owned()];
    // Behind all others, shown, and no option.
    expected.push(attribute(0, "Weave", 8, (true, false), &["Plain", "Twill"]));
    assert_eq!(after, expected);
    assert!(shop.push.undo(receipt.push).await.unwrap().is_full_success());
    assert_eq!(shop.stored(id).attributes, before);
}

#[tokio::test]
async fn an_attribute_that_variations_differ_by_is_refused() {
    let (shop, id) = shop_with_one("variable").await;
    let record = shop.record(id).await;
    for edit in [json!({"update": {"Color": ["Green"]}}), json!({"remove": ["color"]})] {
        let change = shop.one(&shop.wants(&record, &json!({"attributes": edit}))).await;
        assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::IsOption), "{change:?}");
    }
}

#[tokio::test]
async fn a_value_takes_the_stores_spelling_and_a_bar_in_it_is_refused() {
    let (shop, id) = shop_with_one("simple").await;
    let record = shop.record(id).await;
    let terms = shop.store.all_terms().len();
    let fields = json!({"attributes": {"update": {"MATERIAL": ["lEATHER", "r&d cloth"]}}});
    let change = shop.one(&shop.wants(&record, &fields)).await;
    assert_eq!(
        change.ours,
        CellValue::Value(json!(["Leather", "R&D Cloth"])),
        "what is reviewed is what lands"
    );
    shop.land(&[shop.wants(&record, &fields)]).await;
    assert_eq!(shop.stored(id).attributes[0].options, ["Leather", "R&amp;D Cloth"]);
    assert_eq!(shop.store.all_terms().len(), terms, "no second term is made");
    for value in [json!("a | b"), json!(["a", "b|c"])] {
        let fields = json!({"attributes": {"update": {"Care": value}}});
        let change = shop.one(&shop.wants(&record, &fields)).await;
        assert!(matches!(change.verdict, ChangeVerdict::Rejected(Rejection::Altered { .. })), "{change:?}");
    }
}

#[tokio::test]
async fn a_removed_attribute_comes_back_with_its_flags_its_place_and_its_spelling() {
    let mut id = 0;
    let shop = Shop::open(|store| {
        id = filled(store, "Old", "simple");
        store.edit(id, |product| {
            // A spelling that no reader's text leads back to, and flags that are no default.
            product.attributes[1] = attribute(0, "Care &#38; wear", 2, (false, false), &["A &#38; B", "C"]);
        });
    })
    .await;
    let before = shop.bytes(id);
    let record = shop.record(id).await;
    let remove = json!({"attributes": {"remove": ["Material", "care & wear", "Fit"]}});
    let receipt = shop.land(&[shop.wants(&record, &remove)]).await;
    assert_eq!(shop.bytes(id)["attributes"], json!([]));
    assert!(shop.push.undo(receipt.push).await.unwrap().is_full_success());
    assert_eq!(shop.bytes(id), before);
}

// Categories and brands.

#[tokio::test]
async fn a_category_that_was_made_anew_under_its_name_is_not_put_back_for_the_old_one() {
    let (mut id, mut caps) = (0, 0);
    let shop = Shop::open(|store| {
        let hats = store.add_term(Taxonomy::Category, "Hats");
        caps = store.add_term(Taxonomy::Category, "Caps");
        id = store.create("Old", |product| product.categories = vec![hats, caps]);
    })
    .await;
    let remove = json!({"categories": {"remove": ["Caps"]}});
    let record = shop.record(id).await;
    let first = shop.land(&[shop.wants(&record, &remove)]).await;
    assert_eq!(shop.push.undo(first.push).await.unwrap().cells[0].1, UndoOutcome::Restored);
    shop.tick();
    let record = shop.record(id).await;
    let second = shop.land(&[shop.wants(&record, &remove)]).await;
    assert!(shop.store.delete_term(caps));
    shop.store.add_term(Taxonomy::Category, "Caps");
    shop.take_written();
    let undo = shop.push.plan_undo(second.push).await.unwrap();
    assert_eq!(undo.changes[0].verdict, ChangeVerdict::Rejected(Rejection::NameUnknown), "{undo}");
    // What was taken back already puts nothing back, so no name is asked for.
    let undo = shop.push.plan_undo(first.push).await.unwrap();
    assert!(!matches!(undo.changes[0].verdict, ChangeVerdict::Rejected(_)), "{undo}");
    assert_eq!(shop.take_written(), []);
}

#[tokio::test]
async fn a_category_or_brand_must_be_known_and_known_once() {
    let mut id = 0;
    let shop = Shop::open(|store| {
        id = filled(store, "Old", "simple");
        for taxonomy in [Taxonomy::Category, Taxonomy::Brand] {
            let twin = store.add_term(taxonomy, "Another");
            store.add_term(taxonomy, "Twice");
            assert!(store.rename_term(twin, "twice"));
        }
    })
    .await;
    let record = shop.record(id).await;
    for field in ["categories", "brands"] {
        for (name, rejection) in [("Nowhere", Rejection::NameUnknown), ("TWICE", Rejection::NameAmbiguous)] {
            let change = shop.one(&shop.wants(&record, &json!({field: {"add": [name]}}))).await;
            assert_eq!(change.verdict, ChangeVerdict::Rejected(rejection), "{field} {name}");
        }
    }
}

/// Whether a body could make the store put a product where it has no category.
fn keeps_a_category(body: &Value) -> bool {
    let items = body["update"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    items.iter().filter_map(|item| item.get("categories")).all(|list| {
        let list = list.as_array().unwrap();
        !list.is_empty() && list.iter().all(|entry| entry["id"].is_u64())
    })
}

#[tokio::test]
async fn nothing_that_is_sent_leaves_a_product_without_a_category() {
    let (shop, id) = shop_with_one("simple").await;
    let record = shop.record(id).await;
    let empties = ChangeVerdict::Rejected(Rejection::WouldEmptyList);
    let remove = |field: &str| {
        let last = record[field][0]["name"].as_str().unwrap();
        shop.wants(&record, &json!({field: {"remove": [last]}}))
    };
    assert_eq!(shop.one(&remove("categories")).await.verdict, empties);
    // Brands have no such place: the last one goes, and comes back.
    let before = shop.bytes(id);
    let receipt = shop.land(&[remove("brands")]).await;
    assert_eq!(shop.stored(id).brands, [0; 0]);
    assert!(shop.push.undo(receipt.push).await.unwrap().is_full_success());
    assert_eq!(shop.bytes(id), before);
    let record = shop.record(id).await;
    let (shoes, hats) =
        (shop.stored(id).categories[0], shop.store.add_term(Taxonomy::Category, "Hats & Caps"));
    let swap = json!({"categories": {"add": ["Hats & Caps"], "remove": ["Shoes"]}});

    // The one that was to stay goes between plan and apply.
    let both = json!({"categories": {"add": ["Hats & Caps"]}});
    shop.land(&[shop.wants(&record, &both)]).await;
    let record = shop.record(id).await;
    let plan = shop.plan(&[shop.wants(&record, &json!({"categories": {"remove": ["Shoes"]}}))]).await;
    shop.edit(id, |product| product.categories = vec![shoes]);
    let receipt = shop.apply(&plan).await;
    let not_sent = ReceiptOutcome::Rejected(Rejection::NotSent { code: "would_empty_list".to_owned() });
    assert_eq!(receipt.fields[0].outcome, not_sent);
    assert_eq!(shop.stored(id).categories, [shoes]);

    // The one that was to come is deleted between plan and apply.
    let (shop, id) = shop_with_one("simple").await;
    let record = shop.record(id).await;
    let plan = shop.plan(&[shop.wants(&record, &swap)]).await;
    assert!(shop.store.delete_term(hats));
    let receipt = shop.apply(&plan).await;
    assert!(receipt.fields.iter().all(|field| field.outcome == not_sent), "{receipt}");
    assert_eq!(shop.stored(id).categories, [shoes]);

    // The one that an undo would bring back is deleted meanwhile.
    let (shop, id) = shop_with_one("simple").await;
    let record = shop.record(id).await;
    let receipt = shop.land(&[shop.wants(&record, &swap)]).await;
    assert_eq!(shop.stored(id).categories, [hats]);
    assert!(shop.store.delete_term(shoes));
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, o)| matches!(o, UndoOutcome::Irreversible { .. })), "{report}");
    assert_eq!(shop.stored(id).categories, [hats]);
    for (path, body) in shop.take_written() {
        assert!(keeps_a_category(&body), "{path} {body}");
    }

    // The merchant took all others away meanwhile: an undo of ours would leave none.
    let (shop, id) = shop_with_one("simple").await;
    let record = shop.record(id).await;
    let receipt = shop.land(&[shop.wants(&record, &both)]).await;
    shop.edit(id, |product| product.categories = vec![hats]);
    let plan = shop.push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(plan.changes[0].verdict, empties, "{plan}");
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(matches!(report.cells[0].1, UndoOutcome::Irreversible { .. }), "{report}");
    assert_eq!(shop.stored(id).categories, [hats]);
}

// SEO.

#[tokio::test]
async fn without_a_plugin_nothing_is_written_for_search_engines_and_with_one_its_keys_alone_are() {
    let mut id = 0;
    let fields = json!({"seo.title": "New", "seo.description": "Desc", "seo.focus_keyword": "word"});
    let shop = Shop::set_up(|store| id = store.create("Old", |_| {}), |builder| builder).await;
    let record = shop.record(id).await;
    let plan = shop.plan(&[shop.wants(&record, &fields)]).await;
    let missing = ChangeVerdict::Rejected(Rejection::SeoPluginNotDetected);
    assert!(plan.changes.len() == 3 && plan.changes.iter().all(|change| change.verdict == missing), "{plan}");

    for (plugin, keys, other) in [
        (
            SeoPlugin::Yoast,
            ["_yoast_wpseo_title", "_yoast_wpseo_metadesc", "_yoast_wpseo_focuskw"],
            "rank_math_title",
        ),
        (
            SeoPlugin::RankMath,
            ["rank_math_title", "rank_math_description", "rank_math_focus_keyword"],
            "_yoast_wpseo_title",
        ),
    ] {
        let seed = |store: &WooStore| {
            id = store.create("Old", |product| {
                product.meta_data = vec![meta_row(1, other, "left over"), meta_row(2, "_sku_note", "S")];
            });
        };
        let shop = Shop::set_up(seed, |builder| builder.seo_plugin(plugin)).await;
        let before = shop.bytes(id);
        let record = shop.record(id).await;
        let plan = shop.plan(&[shop.wants(&record, &fields)]).await;
        // What the other plugin left over is not ours, and is no value to be careful of.
        assert!(plan.changes.iter().all(|change| change.seen == CellValue::Absent), "{plan}");
        let receipt = shop.apply(&plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        let rows: Vec<(String, Json)> =
            shop.stored(id).meta_data.into_iter().map(|row| (row.key, row.value)).collect();
        let text = |key: &str, value: &str| (key.to_owned(), Json::text(value));
        let mut expected = vec![text(other, "left over"), text("_sku_note", "S")];
        // In the order that the fields were written.
        for (key, value) in [(keys[1], "Desc"), (keys[2], "word"), (keys[0], "New")] {
            expected.push(text(key, value));
        }
        assert_eq!(rows, expected);
        assert!(shop.push.undo(receipt.push).await.unwrap().is_full_success());
        assert_eq!(shop.bytes(id), before, "the rows are gone again");
    }
}

#[tokio::test]
async fn a_key_that_occurs_twice_or_holds_no_text_is_unreadable_and_not_overwritten() {
    let mut id = 0;
    let shop = Shop::open(|store| {
        id = store.create("Old", |product| {
            product.meta_data = vec![
                meta_row(1, "rank_math_title", "one"),
                meta_row(2, "rank_math_title", "two"),
                Meta {
                    id: 3,
                    key: "rank_math_description".to_owned(),
                    value: Json::Array(vec![Json::text("x")]),
                },
            ];
        });
    })
    .await;
    let before = shop.bytes(id);
    let record = shop.record(id).await;
    let force = json!({"value": "New", "expect": "force"});
    let fields = json!({"seo.title": force, "seo.description": force});
    let plan = shop.plan(&[shop.enrich(&record, fields)]).await;
    let unreadable = ChangeVerdict::Rejected(Rejection::Unreadable);
    assert!(plan.changes.iter().all(|change| change.verdict == unreadable), "{plan}");
    shop.apply(&plan).await;
    assert_eq!(shop.bytes(id), before);
}

// Pictures and slugs.

#[tokio::test]
async fn pictures_are_never_uploaded_again_and_keep_their_order() {
    let mut id = 0;
    let shop = Shop::open(|store| {
        id = filled(store, "Old", "simple");
        let empty = store.add_media("empty.jpg");
        store.edit(id, |product| product.images.insert(0, empty));
    })
    .await;
    let (images, media) = (shop.stored(id).images, shop.store.all_media());
    let record = shop.record(id).await;
    let texts = json!({images[0].to_string(): "Was empty", images[2].to_string(): "Was not"});
    let plan = shop.plan(&[shop.wants(&record, &json!({"media.alt": {"update": texts}}))]).await;
    let reversible = |media: u64| {
        let change = plan.changes.iter().find(|change| change.cell.holder.id.as_str() == media.to_string());
        change.unwrap().reversible.clone()
    };
    assert!(matches!(reversible(images[0]), Reversible::No(_)), "{plan}");
    assert_eq!(reversible(images[2]), Reversible::Yes);
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(shop.stored(id).images, images);
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(!report.is_full_success());
    assert_eq!(shop.stored(id).images, images);
    let mut expected = media;
    expected
        .iter_mut()
        .filter(|media| media.id == images[0])
        .for_each(|media| media.alt = "Was empty".to_owned());
    assert_eq!(shop.store.all_media(), expected);
    for (_, body) in shop.take_written() {
        assert!(!body.to_string().contains("\"src\""), "{body}");
    }
}

#[tokio::test]
async fn a_slug_that_is_taken_is_refused_and_one_that_was_taken_meanwhile_is_not_put_back() {
    let (mut id, mut other) = (0, 0);
    let shop = Shop::open(|store| {
        id = store.create("Old", |_| {});
        other = store.create("Other", |_| {});
    })
    .await;
    let record = shop.record(id).await;
    let change = shop.one(&shop.wants(&record, &json!({"slug": "other"}))).await;
    assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::Taken));
    let plan = shop.plan(&[shop.wants(&record, &json!({"slug": "new"}))]).await;
    assert!(matches!(plan.changes[0].reversible, Reversible::Partly(_)), "{plan}");
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success());
    shop.edit(other, |product| product.slug = "old".to_owned());
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(matches!(report.cells[0].1, UndoOutcome::Irreversible { .. }), "{report}");
    assert_eq!((shop.stored(id).slug.as_str(), shop.stored(other).slug.as_str()), ("new", "old"));
    shop.edit(other, |product| product.slug = "other".to_owned());
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(report.is_full_success(), "{report}");
    assert_eq!(shop.stored(id).slug, "old");
}

// Texts that a platform eats.

/// Texts that one platform or another changes in silence.
const ODD: [&str; 34] = [
    "5 < 6 and 7 > 3",
    "C:\\new",
    "trailing\\",
    "\\\\server\\share",
    "Salt & Pepper",
    "Salt &amp; Pepper",
    "&lt;b&gt;",
    "&#38; &#x26; &nbsp; &amp;amp;",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "a <i",
    "i <3 you",
    "<",
    ">",
    "  blanks around  ",
    "blanks  within",
    "a\u{a0}\u{a0}b",
    "a\tb",
    "a\nb",
    "a\u{0}b",
    "a\u{1b}b",
    "100%ab cotton",
    "100% cotton",
    "%%title%% %sep%",
    "one | two",
    "one, two",
    "\"double\" 'single'",
    "\u{1f9f8} caf\u{e9} \u{65e5}\u{672c}",
    "\u{200b}zero\u{200d}width",
    "[shortcode id=\"1\"]",
    "<!-- more -->",
    "plain-slug-2",
    "0",
    "--",
];

/// Of each pair the plan itself says that nothing would be sent.
const EATEN: [(&str, &str); 27] = [
    ("title", "a\u{0}b"),
    ("title", "a\tb"),
    ("title", "a\u{1b}b"),
    ("description", "a\u{0}b"),
    ("short_description", "a\u{1b}b"),
    ("tags", "a\tb"),
    ("tags", "blanks  within"),
    ("tags", "100%ab cotton"),
    ("attributes", "a\nb"),
    ("attributes", "blanks  within"),
    ("attributes", "one | two"),
    ("attributes", "C:\\new"),
    ("attributes", "100%ab cotton"),
    ("media.alt", "a\tb"),
    ("media.alt", "blanks  within"),
    ("media.alt", "100%ab cotton"),
    ("seo.title", "<b>bold</b>"),
    ("seo.title", "a\u{0}b"),
    ("seo.description", "<script>alert(1)</script>"),
    ("seo.description", "<!-- more -->"),
    ("seo.focus_keyword", "a\nb"),
    ("slug", "Salt & Pepper"),
    ("slug", "100%ab cotton"),
    ("slug", "C:\\new"),
    ("slug", "--"),
    ("slug", "\u{1f9f8} caf\u{e9} \u{65e5}\u{672c}"),
    ("slug", "a\tb"),
];

/// Whatever the text is: what the plan would send is what is read back, and what is not sent is said in the plan.
#[tokio::test]
async fn a_text_that_the_store_would_change_is_found_when_it_is_planned() {
    let fields = [
        "title",
        "short_description",
        "description",
        "tags",
        "attributes",
        "media.alt",
        "seo.title",
        "seo.description",
        "seo.focus_keyword",
        "slug",
    ];
    let mut products: Vec<u64> = Vec::new();
    let shop = Shop::open(|store| {
        products = (0..ODD.len()).map(|n| filled(store, &format!("Old {n}"), "simple")).collect();
        // Each its own picture.
        for id in &products {
            let image = store.add_media("own.jpg");
            store.edit_media(image, |media| media.alt = "Old".to_owned());
            store.edit(*id, |product| product.images = vec![image]);
        }
    })
    .await;
    let pulled = shop.pulled().await;
    let before = shop.all_bytes();
    let mut enrichments = Vec::new();
    let mut asked: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
    for (id, text) in products.iter().zip(ODD) {
        let record = &pulled[id];
        let picture = record["media"][0]["id"].as_str().unwrap();
        for field in fields {
            let wanted = match field {
                "tags" => json!({"add": [text]}),
                "attributes" => json!({"update": {"Care": text}}),
                "media.alt" => json!({"update": {picture: text}}),
                _ => json!(text),
            };
            enrichments.push(shop.wants(record, &json!({field: wanted})));
        }
        asked.entry(id.to_string()).or_default().insert("text", text);
    }
    let plan = shop.plan(&enrichments).await;
    assert_eq!(plan.changes.len(), ODD.len() * fields.len());
    let text_of = |holder: &RecordRef| asked.get(holder.id.as_str()).map(|text| text["text"]);
    let mut refused = BTreeSet::new();
    for change in &plan.changes {
        if let ChangeVerdict::Rejected(rejection) = &change.verdict {
            assert!(
                matches!(
                    rejection,
                    Rejection::Altered { .. } | Rejection::ControlCharacters | Rejection::Empty
                ),
                "{change:?}"
            );
            refused.insert((change.cell.field.to_string(), text_of(change.target()).unwrap()));
        }
    }
    for (field, text) in EATEN {
        assert!(refused.contains(&(field.to_owned(), text)), "{field} {text:?} is not refused");
    }
    let receipt = shop.apply(&plan).await;
    let mut landed = 0;
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        match &field.outcome {
            ReceiptOutcome::Applied => landed += 1,
            ReceiptOutcome::Unchanged
            | ReceiptOutcome::Rejected(
                Rejection::Altered { .. } | Rejection::ControlCharacters | Rejection::Empty,
            ) => {}
            other => panic!("{} {:?}: {other}", change.cell, text_of(change.target())),
        }
    }
    eprintln!("{landed} landed, {} refused by the plan", refused.len());
    assert!(landed > 150, "{landed}");
    let report = shop.push.undo(receipt.push).await.unwrap();
    let left: Vec<_> = report.cells.iter().filter(|(_, outcome)| *outcome != UndoOutcome::Restored).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(shop.all_bytes(), before);
}

// Many at once.

/// What a merchant does while we push, product by product.
struct Merchant {
    /// Whose title was edited before the plan.
    early: Vec<u64>,
    /// Whose description was edited between plan and apply.
    between: Vec<u64>,
    /// Whose weight, and whose title, was edited between guard read and batch.
    in_window: (u64, u64),
    /// Whose title was edited after all.
    late: Vec<u64>,
}

impl Merchant {
    fn of(ids: &[u64]) -> Self {
        let every = |from: usize| ids.iter().skip(from).step_by(50).copied().collect();
        Self { early: every(10), between: every(20), in_window: (ids[45], ids[85]), late: every(30) }
    }
}

const SEED: u64 = 20_261_122;

#[tokio::test]
async fn five_hundred_products_in_batches_with_a_merchant_at_work() {
    eprintln!("catalogue seed: {SEED}");
    let shop = Shop::open(|store| store.seed_generated(500, 100, SEED)).await;
    let before = shop.all_bytes();
    let pulled = shop.pulled().await;
    let ids: Vec<u64> = pulled.keys().copied().collect();
    assert_eq!(ids.len(), 500);
    let merchant = Merchant::of(&ids);
    let enrichments: Vec<_> = pulled
        .iter()
        .map(|(id, record)| {
            let mut fields = json!({
                "title": format!("Pushed {id} & <co>"),
                "description": format!("<p>Pushed <strong>{id}</strong></p>"),
                "seo.title": format!("Pushed {id} %sep% %sitename%"),
                "tags": {"add": ["Pushed"], "remove": ["eco"]},
            });
            if let Some(picture) = record["media"][0]["id"].as_str() {
                // One text a picture, which many of them share.
                fields["media.alt"] = json!({"update": {picture: format!("Picture {picture}")}});
            }
            shop.wants(record, &fields)
        })
        .collect();

    let merchants = |text: &str| format!("The merchant's {text}");
    shop.tick();
    for id in &merchant.early {
        assert!(shop.store.edit(*id, |product| product.name = merchants("early")));
    }
    shop.server.traffic().clear();
    let plan = shop.plan(&enrichments).await;
    let traffic = shop.server.traffic();
    let by_id = |entry: &lily_connect::testkit::traffic::Entry| entry.query.contains("include=");
    eprintln!("plan: {} requests, {} of them reads by id", traffic.requests(), traffic.count_where(by_id));
    assert_eq!((traffic.writes(), traffic.count_where(by_id)), (0, 5));
    // 500 products and 100 variations for the pictures, a hundred a page.
    assert_eq!(traffic.requests(), 5 + 5 + 1);

    for id in &merchant.between {
        assert!(shop.store.edit(*id, |product| product.description = merchants("between")));
    }
    let (weighed, renamed) = merchant.in_window;
    shop.store.before_request(3, is_batch, move |store| {
        store.edit(weighed, |product| product.weight = "77".to_owned());
    });
    shop.store.before_request(5, is_batch, move |store| {
        store.edit(renamed, |product| product.name = "The merchant's in the window".to_owned());
    });
    traffic.clear();
    let receipt = shop.apply(&plan).await;
    let batches = traffic.count_where(|entry| entry.path.ends_with("/batch"));
    eprintln!(
        "apply: {} changes, {} requests: {} reads by id (guard and verify), {batches} batches",
        receipt.fields.len(),
        traffic.requests(),
        traffic.count_where(by_id),
    );
    assert_eq!((traffic.requests(), batches, traffic.count_where(by_id)), (75, 25, 50));

    // Every receipt is true, and no edit that we could see was overwritten.
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let now = shop.pulled().await;
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        let name = format!("{:?}", field.outcome);
        *counts.entry(name.chars().take_while(|c| !matches!(c, ' ' | '{')).collect()).or_default() += 1;
        let target: u64 = change.target().id.as_str().parse().unwrap();
        let cell = change.cell.field.as_str();
        let expected = match cell {
            "title" if merchant.early.contains(&target) => ReceiptOutcome::Conflict(Conflict::EditedSince),
            "description" if merchant.between.contains(&target) => {
                ReceiptOutcome::Conflict(Conflict::PlanStale)
            }
            _ if change.verdict == ChangeVerdict::Unchanged => ReceiptOutcome::Unchanged,
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{}", change.cell);
        if field.outcome == ReceiptOutcome::Applied {
            assert!(field.window_ms.is_some() && field.guard.is_some());
            assert!(is_there(&now[&target], &change.cell, &change.ours), "{} {}", change.cell, now[&target]);
        }
        let warned = match target == weighed {
            true if field.window_ms.is_some() => vec![Warning::SiblingMoved { field: "weight".to_owned() }],
            _ => Vec::new(),
        };
        assert_eq!(field.warnings, warned, "{}", change.cell);
    }
    eprintln!("receipts: {counts:?}");
    for id in &merchant.early {
        assert_eq!(shop.stored(*id).name, merchants("early"));
    }
    for id in &merchant.between {
        assert_eq!(shop.stored(*id).description, merchants("between"));
    }
    assert_eq!(shop.stored(weighed).weight, "77");
    // In the window nobody can tell: it is ours now, and the receipt says how long that window was.
    assert_eq!(shop.stored(renamed).name, format!("Pushed {renamed} &amp; &lt;co&gt;"));

    for id in &merchant.late {
        assert!(shop.store.edit(*id, |product| product.name = merchants("late")));
    }
    traffic.clear();
    let report = shop.push.undo(receipt.push).await.unwrap();
    eprintln!("undo: {} requests, {} writes", traffic.requests(), traffic.writes());
    assert_eq!(traffic.writes(), 25);
    let mut expected = before;
    let no_way_back: BTreeMap<String, &str> = plan
        .to_apply()
        .filter(|change| matches!(change.reversible, Reversible::No(_)))
        .map(|change| (change.cell.holder.id.to_string(), change.ours.as_text().unwrap()))
        .collect();
    assert!(!no_way_back.is_empty() && no_way_back.len() < 40, "{no_way_back:?}");
    for (cell, outcome) in &report.cells {
        let holder = cell.holder.id.as_str();
        let is_late = merchant.late.iter().any(|id| id.to_string() == holder);
        match outcome {
            UndoOutcome::Restored => {
                assert!(!no_way_back.contains_key(holder) || cell.holder.kind != Entity::Media)
            }
            UndoOutcome::EditedSince => assert!(is_late && cell.field == FieldName::new("title"), "{cell}"),
            UndoOutcome::Irreversible { .. } => {
                assert!(no_way_back.contains_key(holder) && cell.holder.kind == Entity::Media, "{cell}");
            }
            other => panic!("{cell}: {other:?}"),
        }
    }
    for bytes in expected.values_mut() {
        let single = bytes.get_mut("image").into_iter();
        let pictures: Vec<&mut Value> = match single.last() {
            Some(picture) => vec![picture],
            None => bytes["images"].as_array_mut().unwrap().iter_mut().collect(),
        };
        for picture in pictures {
            if let Some(text) = no_way_back.get(&picture["id"].to_string()) {
                picture["alt"] = json!(text);
            }
        }
    }
    let mut edited = |ids: &[u64], field: &str, text: &str| {
        for id in ids {
            expected.get_mut(id).unwrap()[field] = json!(text);
        }
    };
    edited(&merchant.early, "name", &merchants("early"));
    edited(&merchant.between, "description", &merchants("between"));
    edited(&merchant.late, "name", &merchants("late"));
    edited(&[weighed], "weight", "77");
    let after = shop.all_bytes();
    for (id, bytes) in &after {
        let (mut bytes, mut expected) = (bytes.clone(), expected[id].clone());
        for json in [&mut bytes, &mut expected] {
            // Made from the name of a draft, for each answer.
            json.as_object_mut().unwrap().remove("generated_slug");
        }
        assert_eq!(bytes, expected, "{id}");
    }
}

/// Whether a pulled record shows what a change wanted.
fn is_there(record: &Value, cell: &lily_connect::model::Cell, ours: &CellValue) -> bool {
    match (cell.field.as_str(), cell.key.as_deref()) {
        ("tags", Some(key)) => {
            let there = record["tags"]
                .as_array()
                .unwrap()
                .iter()
                .any(|tag| tag["name"].as_str().unwrap().to_lowercase() == key);
            there != (*ours == CellValue::Absent)
        }
        ("media.alt", _) => {
            record["media"].as_array().unwrap().iter().any(|media| {
                media["id"] == cell.holder.id.as_str() && media["alt"] == ours.as_text().unwrap()
            })
        }
        (field, _) => {
            let value = field.split('.').fold(record, |value, step| &value[step]);
            value.as_str() == ours.as_text()
        }
    }
}

// What must not leave, and batches that go wrong.

fn text(field: &'static str, text: &str) -> PatchField {
    let value = PatchValue::Text { text: text.into(), raw: None };
    PatchField::new(FieldName::new(field), value, CellValue::Empty)
}

fn to(id: &str, changes: Vec<PatchField>) -> Patch {
    Patch::new(RecordRef::new(Platform::new("woocommerce"), Entity::Product, id), changes)
}

fn request(shop: &Shop, patches: Vec<Patch>) -> PushRequest {
    PushRequest::new(patches, shop.clock.elapsed() + std::time::Duration::from_secs(5))
}

#[tokio::test]
async fn what_the_platform_would_mistreat_never_leaves_and_takes_no_other_item_with_it() {
    let (shop, id) = shop_with_one("simple").await;
    let other = shop.store.create("Other", |_| {});
    let before = shop.bytes(id);
    let own = id.to_string();
    let list = |field: &'static str, value: PatchValue| {
        PatchField::new(FieldName::new(field), value, CellValue::Empty)
    };
    let term =
        |id: Option<&str>, name: &str| Term { id: id.map(Into::into), name: name.into(), raw_name: None };
    let media = |id: &str, alt: Option<&str>| Media {
        id: Some(id.into()),
        alt: alt.map(Into::into),
        ..Media::default()
    };
    let flagless =
        CanonicalAttribute { label: "Care".into(), values: vec!["x".into()], ..Default::default() };
    let flagged =
        CanonicalAttribute { visible: Some(true), distinguishes_variants: Some(false), ..flagless.clone() };
    let valueless = CanonicalAttribute { id: Some("1".into()), values: Vec::new(), ..flagged.clone() };
    let nameless = CanonicalAttribute { label: "".into(), ..flagged.clone() };
    let foreign = CanonicalAttribute { id: Some("pa_color".into()), ..flagged };
    let wrong = vec![
        to(&own, vec![text("status", "publish")]),
        to(&own, vec![text("/status", "bogus")]),
        to(&own, vec![text("price", "abc")]),
        to(&own, vec![text("sku", "x")]),
        to(&own, vec![text("tags", "x")]),
        to(&own, vec![text("media.alt", "x")]),
        to(&own, vec![text("title", "fine"), text("status", "publish")]),
        to(&own, vec![list("title", PatchValue::Removed)]),
        to(&own, vec![list("title", PatchValue::Terms(vec![term(Some("1"), "x")]))]),
        to(&own, vec![list("categories", PatchValue::Terms(Vec::new()))]),
        to(&own, vec![list("categories", PatchValue::Terms(vec![term(None, "Hats")]))]),
        to(&own, vec![list("categories", PatchValue::Terms(vec![term(Some("0"), "Hats")]))]),
        to(&own, vec![list("categories", PatchValue::Terms(vec![term(Some("16 "), "Hats")]))]),
        to(&own, vec![list("brands", PatchValue::Terms(vec![term(None, "B")]))]),
        to(&own, vec![list("tags", PatchValue::Terms(vec![term(None, " ")]))]),
        to(&own, vec![list("tags", PatchValue::Terms(vec![term(None, "x"); 501]))]),
        to(&own, vec![list("attributes", PatchValue::Attributes(vec![flagless]))]),
        to(&own, vec![list("attributes", PatchValue::Attributes(vec![valueless]))]),
        to(&own, vec![list("attributes", PatchValue::Attributes(vec![nameless]))]),
        to(&own, vec![list("attributes", PatchValue::Attributes(vec![foreign]))]),
        to(&own, vec![list("media.alt", PatchValue::Media(Vec::new()))]),
        to(&own, vec![list("media.alt", PatchValue::Media(vec![Media::default()]))]),
        to(&own, vec![list("media.alt", PatchValue::Media(vec![media("7", Some(""))]))]),
        to(&own, vec![list("media.alt", PatchValue::Media(vec![media("https://x/y.jpg", None)]))]),
        to("abc", vec![text("title", "x")]),
        to("0", vec![text("title", "x")]),
        to(&format!("0{own}"), vec![text("title", "x")]),
        to("99999999999999999999", vec![text("title", "x")]),
        to(&format!("{own}/variations/1"), vec![text("title", "x")]),
        Patch::new(
            RecordRef::new(Platform::new("woocommerce"), Entity::Variant, own.as_str()),
            vec![text("title", "x")],
        ),
    ];
    for patch in wrong {
        let alone = shop.connector.push(&request(&shop, vec![patch.clone()])).await;
        assert!(alone.is_err(), "{patch:?}");
        assert_eq!(shop.take_written(), [], "{patch:?}");
        let title = format!("New {}", shop.clock.elapsed().as_nanos());
        shop.tick();
        let good = to(&other.to_string(), vec![text("title", &title)]);
        let answers = shop.connector.push(&request(&shop, vec![patch.clone(), good])).await.unwrap();
        assert!(matches!(answers[0].fields[0].1, FieldAnswer::Refused { .. }), "{patch:?} {answers:?}");
        assert_eq!(answers[1].fields[0].1, FieldAnswer::Accepted, "{patch:?}");
        let written = shop.take_written();
        assert_eq!(written.len(), 1);
        assert_eq!((written[0].1.as_object().unwrap().len(), &written[0].1["name"]), (1, &json!(title)));
        assert_eq!((shop.stored(other).name, shop.bytes(id)), (title, before.clone()));
    }
}

#[cfg(feature = "overrides")]
#[tokio::test]
async fn no_override_of_the_map_makes_a_write_of_something_else() {
    use lily_connect::connectors::woocommerce::WooCommerceConfig;
    use lily_connect::mapping::Overrides;
    use lily_connect::model::Secret;

    let mut refused = 0;
    let places = [
        "/status",
        "/regular_price",
        "/type",
        "/catalog_visibility",
        "/meta_data/*[key=_sku]/value",
        "/meta_data/*[key=_price]/value",
        "/meta_data",
        "/meta_data/0/value",
        "/images",
        "/images/0/src",
        "/images/*/src",
        "/tags",
        "/categories",
        "/attributes",
        "/id",
        "/short_description/x",
    ];
    for place in places {
        let toml = format!("[[product]]\nfield = \"seo.title\"\nfrom = \"{place}\"\nwrite = true");
        let settings = WooCommerceConfig::builder("https://shop.example")
            .key("ck")
            .secret(Secret::new("cs"))
            .seo_plugin(SeoPlugin::RankMath);
        let overrides = Overrides::parse(&toml);
        if overrides.and_then(|overrides| settings.mapping(overrides).build()).is_err() {
            refused += 1;
            continue;
        }
        let mut id = 0;
        let overrides = Overrides::parse(&toml).unwrap();
        let shop =
            Shop::set_up(|store| id = filled(store, "Old", "simple"), |b| usual(b).mapping(overrides)).await;
        let before = shop.bytes(id);
        let record = shop.record(id).await;
        let force = json!({"seo.title": {"value": "x", "expect": "force"}});
        let plan = shop.plan(&[shop.enrich(&record, force)]).await;
        shop.apply(&plan).await;
        let pushed = shop
            .connector
            .push(&request(&shop, vec![to(&id.to_string(), vec![text("seo.title", "x")])]))
            .await;
        assert!(pushed.is_err(), "{place}");
        assert_eq!(shop.take_written(), [], "{place}");
        assert_eq!(shop.bytes(id), before);
    }
    assert!(refused >= 8, "{refused} of {}", places.len());
    // A place of its own is written, by its key.
    let toml =
        "[[product]]\nfield = \"seo.title\"\nfrom = \"/meta_data/*[key=own_title]/value\"\nwrite = true";
    let mut id = 0;
    let overrides = Overrides::parse(toml).unwrap();
    let shop = Shop::set_up(|store| id = store.create("Old", |_| {}), |b| usual(b).mapping(overrides)).await;
    let record = shop.record(id).await;
    shop.land(&[shop.wants(&record, &json!({"seo.title": "Own"}))]).await;
    let rows: Vec<(String, Json)> =
        shop.stored(id).meta_data.into_iter().map(|row| (row.key, row.value)).collect();
    assert_eq!(rows, [("own_title".to_owned(), Json::text("Own"))]);
}

/// What becomes of the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    None,
    /// PHP dies when that many items are saved.
    DiesAfter(usize),
    /// The item of that number is refused, and not saved.
    Refuses(usize),
    /// All are saved, and the answer names other products.
    NamesOthers,
    /// None is saved, and the answer names other products.
    NamesOthersOnly,
    /// All are saved, and the answer ends early.
    AnswersHalf,
}

/// A store whose batches go wrong.
#[derive(Clone)]
struct Clumsy {
    store: WooStore,
    mishap: Arc<Mutex<Mishap>>,
}

#[async_trait]
impl Handler for Clumsy {
    fn handle(&self, request: &Request) -> Response {
        let mishap = match is_batch(request) {
            true => std::mem::replace(&mut *self.mishap.lock().unwrap(), Mishap::None),
            false => Mishap::None,
        };
        if mishap == Mishap::None {
            return self.store.handle(request);
        }
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        let items = body["update"].as_array_mut().unwrap();
        let refused = match mishap {
            Mishap::DiesAfter(count) => {
                items.truncate(count);
                None
            }
            Mishap::Refuses(at) => Some((at, items.remove(at))),
            Mishap::NamesOthersOnly => {
                let ids: Vec<Value> = items.iter().map(|item| json!({"id": item["id"]})).collect();
                let answer = json!({"update": renumbered(ids)});
                return Response::new(200)
                    .with_header("content-type", "application/json")
                    .with_body(answer.to_string());
            }
            _ => None,
        };
        let mut cut = request.clone();
        cut.body = body.to_string().into_bytes();
        let mut response = self.store.handle(&cut);
        let mut answer: Value = serde_json::from_slice(&response.body).unwrap();
        match (mishap, refused) {
            (Mishap::DiesAfter(_), _) => {
                response = Response::new(500).with_header("content-type", "application/json");
                answer = json!({"code": "internal_server_error", "message": "<p>There has been a critical error.</p>"});
            }
            (_, Some((at, item))) => {
                let error = json!({"code": "product_invalid_sku", "message": "no", "data": {"status": 400}});
                answer["update"]
                    .as_array_mut()
                    .unwrap()
                    .insert(at, json!({"id": item["id"], "error": error}));
            }
            (Mishap::NamesOthers, _) => {
                let items = answer["update"].as_array().unwrap().clone();
                answer["update"] = renumbered(items);
            }
            _ => {
                let items = answer["update"].as_array_mut().unwrap();
                items.truncate(items.len() / 2);
            }
        }
        response.body = answer.to_string().into_bytes();
        response
    }
}

fn renumbered(items: Vec<Value>) -> Value {
    let shift = |mut item: Value| {
        item["id"] = json!(item["id"].as_u64().unwrap() + 1000);
        item
    };
    items.into_iter().map(shift).collect()
}

/// Ten products, and what stands between them and us.
async fn clumsy() -> (Shop, Arc<Mutex<Mishap>>, Vec<u64>) {
    let mishap = Arc::new(Mutex::new(Mishap::None));
    let mut ids = Vec::new();
    let seed = |store: &WooStore| {
        ids = (0..10).map(|n| store.create(&format!("Old {n}"), |_| {})).collect();
    };
    let between = mishap.clone();
    let shop =
        Shop::over(FakeClock::automatic(), seed, |store| Clumsy { store, mishap: between }, usual).await;
    (shop, mishap, ids)
}

/// Plans a new title for each product.
async fn titles(shop: &Shop, ids: &[u64]) -> Plan {
    let pulled = shop.pulled().await;
    let enrichments: Vec<_> =
        ids.iter().map(|id| shop.wants(&pulled[id], &json!({"title": format!("New {id}")}))).collect();
    shop.take_written();
    shop.plan(&enrichments).await
}

/// The sizes of what was written: 0 for a single write.
fn sizes(shop: &Shop) -> Vec<usize> {
    let written = shop.take_written();
    written.iter().map(|(_, body)| body["update"].as_array().map_or(0, Vec::len)).collect()
}

#[tokio::test]
async fn a_host_that_takes_fewer_at_once_gets_halves() {
    let mut ids = Vec::new();
    let shop = Shop::open(|store| {
        ids = (0..20).map(|n| store.create(&format!("Old {n}"), |_| {})).collect();
        store.set_conditions(|site| site.batch_limit = Some(7));
    })
    .await;
    let plan = titles(&shop, &ids).await;
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(sizes(&shop), [20, 10, 5, 5, 10, 5, 5]);
    assert!(ids.iter().all(|id| shop.stored(*id).name == format!("New {id}")));
}

#[tokio::test]
async fn a_batch_that_dies_half_way_leaves_every_receipt_true() {
    for saved in [0, 1, 5, 9, 10] {
        let (shop, mishap, ids) = clumsy().await;
        let plan = titles(&shop, &ids).await;
        *mishap.lock().unwrap() = Mishap::DiesAfter(saved);
        let receipt = shop.apply(&plan).await;
        assert!(receipt.is_full_success(), "{saved} {receipt}");
        assert!(ids.iter().all(|id| shop.stored(*id).name == format!("New {id}")));
        // The batch as the fake saw it, and what certainly did not land, once and alone.
        let mut expected = vec![saved];
        expected.extend(std::iter::repeat_n(0, 10 - saved));
        assert_eq!(sizes(&shop), expected, "{saved}");
    }
}

#[tokio::test]
async fn a_batch_that_a_fault_hits_leaves_every_receipt_true() {
    let faults = [
        (Fault::status(500), false),
        (Fault::status_after(500), true),
        (Fault::Reset(When::Before), false),
        (Fault::Reset(When::After), true),
        (Fault::Truncate, true),
        (Fault::Malformed, true),
        (Fault::Html200, false),
        (Fault::status_after(504), true),
    ];
    for (fault, lands) in faults {
        let (shop, _, ids) = clumsy().await;
        let plan = titles(&shop, &ids).await;
        shop.server.faults().push(FaultRule::new(fault).on_path("/batch").times(1));
        let receipt = shop.apply(&plan).await;
        assert_eq!(shop.server.faults().pending(), 0);
        assert!(receipt.is_full_success(), "{fault:?} {receipt}");
        assert!(ids.iter().all(|id| shop.stored(*id).name == format!("New {id}")), "{fault:?}");
        let singles = sizes(&shop).into_iter().filter(|size| *size == 0).count();
        assert_eq!(singles, if lands { 0 } else { 10 }, "{fault:?}: what landed is not sent again");
    }
}

#[tokio::test]
async fn an_item_that_the_store_refuses_is_refused_alone() {
    let (shop, mishap, ids) = clumsy().await;
    let plan = titles(&shop, &ids).await;
    *mishap.lock().unwrap() = Mishap::Refuses(3);
    let receipt = shop.apply(&plan).await;
    for (at, field) in receipt.fields.iter().enumerate() {
        let expected = match at {
            3 => ReceiptOutcome::Rejected(Rejection::Refused { code: "product_invalid_sku".to_owned() }),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected);
        let old_or_new = if at == 3 { "Old 3".to_owned() } else { format!("New {}", ids[at]) };
        assert_eq!(shop.stored(ids[at]).name, old_or_new);
    }
}

#[tokio::test]
async fn an_answer_that_names_other_products_is_believed_of_none_and_a_read_settles_it() {
    for (mishap, singles) in
        [(Mishap::NamesOthers, 0), (Mishap::NamesOthersOnly, 10), (Mishap::AnswersHalf, 0)]
    {
        let (shop, next, ids) = clumsy().await;
        let plan = titles(&shop, &ids).await;
        *next.lock().unwrap() = mishap;
        let at = shop.clock.elapsed();
        let receipt = shop.apply(&plan).await;
        assert!(receipt.is_full_success(), "{mishap:?} {receipt}");
        assert!(ids.iter().all(|id| shop.stored(*id).name == format!("New {id}")));
        assert!(shop.clock.elapsed() - at >= std::time::Duration::from_secs(90), "not before it can be told");
        let sent = sizes(&shop).into_iter().filter(|size| *size == 0).count();
        assert_eq!(sent, singles, "{mishap:?}");
        let (shop, next, ids) = clumsy().await;
        let plan = titles(&shop, &ids).await;
        *next.lock().unwrap() = mishap;
        let mut settings = PushSettings::default();
        settings.wait_for_unknown = false;
        let push = shop.push.clone().settings(settings);
        let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
        let unknown = receipt.fields.iter().filter(|field| field.outcome == ReceiptOutcome::Unknown).count();
        assert_eq!(unknown, if mishap == Mishap::AnswersHalf { 5 } else { 10 });
    }
}
