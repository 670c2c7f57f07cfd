//! Pushes: options by their labels, SKUs that cannot stand in an address, and products that are gone.

use lily_connect::sync::{ChangeVerdict, ReceiptOutcome, Rejection, UndoOutcome};
use lily_connect::testkit::magento::{Attribute, GLOBAL, MagentoFake, Release, Scope};
use serde_json::{Value, json};

use super::common::{Bench, bench_with};
use super::{Desk, own};

fn attributes(record: &Value, update: Value) -> Value {
    json!({"attributes": {"edit": {"update": update}, "base_keys": record["base"]["attributes"]}})
}

/// One product, and attributes of each kind.
fn furnish(store: &MagentoFake) {
    store.add_attribute(Attribute::new(0, "color", "Color", "select").scope(Scope::Global));
    store.add_attribute(Attribute::new(0, "material", "Material", "multiselect"));
    store.add_attribute(Attribute::new(0, "care", "Care", "textarea"));
    for name in ["Red", "Blue"] {
        store.add_option("color", name);
    }
    for name in ["Wool", "Silk", "Linen"] {
        store.add_option("material", name);
    }
    store.create("CAP-1", "Cap", |product| product.set(GLOBAL, "meta_title", "A cap"));
}

async fn furnished(seed: u64) -> Bench {
    bench_with(|builder| builder.seed(seed), furnish, |settings| settings).await
}

fn stored(bench: &Bench, code: &str) -> Option<String> {
    bench.store.product(bench.store.ids()[0]).unwrap().own(GLOBAL, code).map(str::to_owned)
}

#[tokio::test]
async fn option_ids_that_differ_per_store_are_found_by_their_labels() {
    let mut ids = Vec::new();
    for seed in [7, 8] {
        let bench = furnished(seed).await;
        let desk = Desk::new(&bench, own(&bench));
        let record = desk.record(bench.store.ids()[0]).await;
        let before = bench.store.snapshot();
        let change = attributes(
            &record,
            json!({"Color": ["red"], "material": ["Silk", "wool"], "Care": ["By hand."]}),
        );
        let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
        let own = |code: &str, label: &str| {
            bench.store.attribute(code).unwrap().option_id(label).unwrap().to_string()
        };
        assert_eq!(stored(&bench, "color"), Some(own("color", "Red")));
        let material = format!("{},{}", own("material", "Silk"), own("material", "Wool"));
        assert_eq!(stored(&bench, "material"), Some(material));
        assert_eq!(stored(&bench, "care").as_deref(), Some("By hand."));
        ids.push(own("color", "Red"));
        let report = desk.undo(&bench, push).await;
        assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
        assert_eq!(bench.store.snapshot(), before);
    }
    assert_ne!(ids[0], ids[1], "the stores number their options each in its own way");
}

#[tokio::test]
async fn an_option_that_the_store_does_not_have_is_made_only_on_request() {
    let bench = furnished(7).await;
    let desk = Desk::new(&bench, own(&bench));
    let id = bench.store.ids()[0];
    let record = desk.record(id).await;
    let change = || attributes(&record, json!({"Color": ["Teal"]}));
    let plan = desk.plan(&Desk::enrich(&bench, &record, change())).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::NameUnknown), "{plan}");
    assert_eq!(bench.server.traffic().writes(), 0);

    for twice in [false, true] {
        let bench = furnished(9).await;
        bench.store.set_conditions(|conditions| {
            conditions.option_id_prefix = true;
            conditions.option_twice = twice;
        });
        let connector = bench.again(|settings| settings.create_options(true)).await;
        let desk = Desk::new(&bench, connector);
        let record = desk.record(bench.store.ids()[0]).await;
        let plan =
            desk.plan(&Desk::enrich(&bench, &record, attributes(&record, json!({"Color": ["Teal"]})))).await;
        let receipt = desk.apply(&bench, &plan).await;
        if twice {
            // Two of one name: which one is meant cannot be told, so none is given to the product.
            assert!(!receipt.is_full_success() && stored(&bench, "color").is_none(), "{receipt}");
        } else {
            assert!(receipt.is_full_success(), "{receipt}");
            let made = bench.store.attribute("color").unwrap().option_id("Teal").unwrap();
            assert_eq!(stored(&bench, "color"), Some(made.to_string()));
        }
    }
}

#[tokio::test]
async fn what_an_attribute_cannot_hold_is_refused_and_told() {
    let bench = furnished(7).await;
    bench.store.add_attribute(Attribute::new(0, "released", "Released", "date"));
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(bench.store.ids()[0]).await;
    for (update, code) in [
        (json!({"Color": ["Red", "Blue"]}), "one_value_only"),
        (json!({"Care": ["a", "b"]}), "one_value_only"),
    ] {
        let plan = desk.plan(&Desk::enrich(&bench, &record, attributes(&record, update))).await;
        let receipt = desk.apply(&bench, &plan).await;
        assert!(receipt.to_string().contains(code), "{receipt}");
        assert!(
            receipt.fields[0].why.as_ref().unwrap().contains("the attribute takes one value"),
            "{receipt}"
        );
    }
    let plan = desk
        .plan(&Desk::enrich(&bench, &record, attributes(&record, json!({"Released": ["2026-01-01"]}))))
        .await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::NameUnknown), "{plan}");
    assert_eq!(bench.server.traffic().writes(), 0);
}

#[tokio::test]
async fn a_slash_in_a_sku_stands_in_no_address() {
    for (encoded_slashes, release) in
        [(false, Release::V2_4_9), (true, Release::V2_4_9), (true, Release::V2_4_7)]
    {
        let bench = bench_with(
            |builder| builder.release(release),
            |store| {
                let id = store.create("A/B 1+2%", "Cap", |_| {});
                store.add_image(id, "/a/b.jpg", Some("Before"));
                store.set_conditions(|conditions| conditions.encoded_slashes = encoded_slashes);
            },
            |settings| settings,
        )
        .await;
        let id = bench.store.ids()[0];
        let entry = bench.store.product(id).unwrap().media[0].id.to_string();
        let desk = Desk::new(&bench, own(&bench));
        let record = desk.record(id).await;
        assert_eq!(record["sku"], "A/B 1+2%");
        let mut fields = Desk::text(&record, "title", "A cap");
        fields["media.alt"] =
            json!({"edit": {"update": {&entry: "After"}}, "base_keys": record["base"]["media.alt"]});
        let plan = desk.plan(&Desk::enrich(&bench, &record, fields)).await;
        let receipt = desk.apply(&bench, &plan).await;
        let product = bench.store.product(id).unwrap();
        assert_eq!(product.own(GLOBAL, "name"), Some("A cap"), "{receipt}");
        // Older releases check the signature over another path than the one that was signed.
        let lands = encoded_slashes && release == Release::V2_4_9;
        assert_eq!(
            product.media[0].label(GLOBAL).as_deref(),
            Some(if lands { "After" } else { "Before" }),
            "{receipt}"
        );
        assert_eq!(receipt.to_string().contains("sku_unaddressable"), !lands, "{receipt}");
    }
}

#[tokio::test]
async fn a_product_that_is_gone_is_not_made_anew() {
    let bench = furnished(7).await;
    let desk = Desk::new(&bench, own(&bench));
    let id = bench.store.ids()[0];
    let record = desk.record(id).await;
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "title", "Ours"))).await;
    // Right behind the engine's own read, before the connector writes.
    bench.store.after_request(1, MagentoFake::is_product_list, move |store| {
        store.delete(id);
    });
    let receipt = desk.apply(&bench, &plan).await;
    assert!(!receipt.is_full_success() && bench.store.product_count() == 0, "{receipt}");
    assert_eq!(bench.server.traffic().writes(), 0);
}

#[tokio::test]
async fn a_save_has_the_sku_and_what_changes_and_no_list_that_would_replace_another() {
    let bench = bench_with(
        |builder| builder,
        |store| {
            store.seed_products(10);
            store.set_conditions(|conditions| conditions.input_limit = Some(20));
        },
        |settings| settings,
    )
    .await;
    let id =
        *bench.store.ids().iter().find(|id| bench.store.product(**id).unwrap().media.len() == 2).unwrap();
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let fields = [
        ("title", "T"),
        ("description", "<p>D</p>"),
        ("short_description", "<p>S</p>"),
        ("seo.title", "ST"),
        ("seo.description", "SD"),
        ("seo.focus_keyword", "SK"),
        ("slug", "a-new-key"),
    ];
    let mut change = json!({});
    for (field, text) in fields {
        change[field] = Desk::text(&record, field, text)[field].clone();
    }
    bench.server.traffic().clear();
    let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
    assert_eq!(bench.server.traffic().writes(), 1, "one save for all texts");
    let report = desk.undo(&bench, push).await;
    assert!(report.is_full_success(), "{report}");
    assert_eq!(bench.store.snapshot(), before);
}

#[tokio::test]
async fn a_url_key_that_another_product_has_is_taken() {
    let bench = furnished(7).await;
    let other = bench.store.create("CAP-2", "Other", |product| product.set(GLOBAL, "url_key", "other-cap"));
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(bench.store.ids()[0]).await;
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "slug", "other-cap"))).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::Taken), "{plan}");
    assert!(other > 0);
}

/// The platform keeps so many characters, and not bytes: most languages have letters of two or more.
#[tokio::test]
async fn short_texts_are_measured_in_characters() {
    let bench = bench_with(
        |builder| builder,
        |store| {
            let id = store.create("CAP-1", "Cap", |_| {});
            store.add_image(id, "/a/b.jpg", Some("Before"));
        },
        |settings| settings,
    )
    .await;
    let id = bench.store.ids()[0];
    let entry = bench.store.product(id).unwrap().media[0].id.to_string();
    for (letters, lands) in [(255, true), (256, false)] {
        let desk = Desk::new(&bench, own(&bench));
        let record = desk.record(id).await;
        let text = if lands { "ж".repeat(letters) } else { "я".repeat(letters) };
        let mut fields = json!({});
        for field in ["title", "seo.title", "seo.description"] {
            fields[field] = Desk::text(&record, field, &text)[field].clone();
        }
        fields["media.alt"] =
            json!({"edit": {"update": {&entry: &text}}, "base_keys": record["base"]["media.alt"]});
        let plan = desk.plan(&Desk::enrich(&bench, &record, fields)).await;
        assert_eq!(plan.changes.len(), 4);
        for change in &plan.changes {
            assert_eq!(change.verdict == ChangeVerdict::Apply, lands, "{letters}: {plan}");
        }
        if lands {
            let receipt = desk.apply(&bench, &plan).await;
            assert!(receipt.is_full_success(), "{receipt}");
            assert_eq!(stored(&bench, "meta_description"), Some(text));
        }
    }
}

#[tokio::test]
async fn a_refusal_in_the_stores_language_is_a_refusal() {
    let bench = furnished(7).await;
    bench.store.set_conditions(|conditions| conditions.language = Some("de".to_owned()));
    // Required by now, and missing: each save of the product is refused.
    bench.store.edit_attribute("care", |attribute| attribute.required = true);
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(bench.store.ids()[0]).await;
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "title", "Ours"))).await;
    let receipt = desk.apply(&bench, &plan).await;
    let outcome = &receipt.fields[0].outcome;
    let refused = Rejection::Refused { code: "refused".to_owned() };
    assert_eq!(*outcome, ReceiptOutcome::Rejected(refused), "{receipt}");
    // In its own words, with what belongs into their places.
    assert!(receipt.to_string().contains("Der Wert des Attributs \"care\" muss gesetzt sein."), "{receipt}");
    assert_eq!(stored(&bench, "name").as_deref(), Some("Cap"));
}

#[tokio::test]
async fn undo_puts_options_back_by_their_ids_and_makes_none() {
    for (gone, restored) in [(false, true), (true, false)] {
        let bench = furnished(7).await;
        let id = bench.store.ids()[0];
        let red = bench.store.attribute("color").unwrap().option_id("Red").unwrap();
        bench.store.set_value(id, "color", &red.to_string());
        let connector = bench.again(|settings| settings.create_options(true)).await;
        let desk = Desk::new(&bench, connector);
        let record = desk.record(id).await;
        let before = bench.store.snapshot();
        let change = attributes(&record, json!({"Color": ["Blue"]}));
        let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
        if gone {
            bench.store.remove_option("color", red);
        } else {
            // Another one of its name: the id says which of both it was.
            bench.store.add_option("color", "Red");
        }
        let options = bench.store.attribute("color").unwrap().options.len();
        bench.clock.advance(std::time::Duration::from_secs(60));
        let report = desk.undo(&bench, push).await;
        assert_eq!(report.cells[0].1 == UndoOutcome::Restored, restored, "{report}");
        assert_eq!(bench.store.attribute("color").unwrap().options.len(), options, "none was made");
        assert_eq!(bench.store.snapshot() == before, restored);
    }
}

#[tokio::test]
async fn an_attribute_is_told_from_another_of_its_label_by_its_id() {
    let bench = furnished(7).await;
    let id = bench.store.ids()[0];
    // What is not changed is not sent, whatever it is called: these could not even be written.
    for (code, date) in [("released", "2026-01-01"), ("reissued", "2026-02-02")] {
        bench.store.add_attribute(Attribute::new(0, code, "Day", "date"));
        bench.store.set_value(id, code, date);
    }
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let change = attributes(&record, json!({"Color": ["Red"]}));
    let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
    let report = desk.undo(&bench, push).await;
    assert!(report.is_full_success(), "{report}");
    assert_eq!(bench.store.snapshot(), before);
}

#[tokio::test]
async fn categories_come_and_go_by_calls_of_their_own_and_come_back() {
    let bench = super::common::bench(10).await;
    let fresh = bench.store.add_category(2, "Fresh");
    let id = bench.store.ids()[0];
    let old = bench.store.product(id).unwrap().categories[0].category;
    let name = bench.store.category(old).unwrap().value(GLOBAL, "name").unwrap().to_owned();
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let change = json!({"categories": {"edit": {"add": ["fresh"], "remove": [name]}, "base_keys": record["base"]["categories"]}});
    bench.server.traffic().clear();
    let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
    let of = |id: u64| -> Vec<u64> {
        bench.store.product(id).unwrap().categories.iter().map(|link| link.category).collect()
    };
    assert!(of(id).contains(&fresh) && !of(id).contains(&old));
    assert_eq!(bench.server.traffic().writes(), 2, "no save of the product");
    let report = desk.undo(&bench, push).await;
    assert!(report.is_full_success(), "{report}");
    // Its place among the category's products is the first one now, as the plan said.
    let places = |rows: Vec<(u64, Vec<String>)>| -> Vec<(u64, Vec<String>)> {
        let keep = |row: &String| !row.starts_with("categories");
        rows.into_iter().map(|(id, rows)| (id, rows.into_iter().filter(keep).collect())).collect()
    };
    assert_eq!(places(bench.store.snapshot()), places(before));
    assert!(of(id).contains(&old) && !of(id).contains(&fresh));
}

#[tokio::test]
async fn a_category_of_two_places_or_of_none_is_not_guessed() {
    let bench = super::common::bench(10).await;
    for parent in [2, bench.store.add_category(2, "Sale")] {
        bench.store.add_category(parent, "Caps");
    }
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(bench.store.ids()[0]).await;
    let mut plans = Vec::new();
    for name in ["Caps", "Nowhere", "Root Catalog"] {
        let change =
            json!({"categories": {"edit": {"add": [name]}, "base_keys": record["base"]["categories"]}});
        let plan = desk.plan(&Desk::enrich(&bench, &record, change)).await;
        plans.push(plan.changes[0].verdict.clone());
    }
    let unknown = ChangeVerdict::Rejected(Rejection::NameUnknown);
    assert_eq!(plans, [ChangeVerdict::Rejected(Rejection::NameAmbiguous), unknown.clone(), unknown]);
}

#[tokio::test]
async fn the_label_of_a_video_is_refused_and_nothing_of_it_is_sent() {
    let bench = bench_with(
        |builder| builder,
        |store| {
            let id = store.create("CAP-1", "Cap", |_| {});
            store.add_image(id, "/a/b.jpg", Some("Before"));
            store.edit(id, |product| product.media[0].media_type = "external-video".to_owned());
        },
        |settings| settings,
    )
    .await;
    let id = bench.store.ids()[0];
    let entry = bench.store.product(id).unwrap().media[0].id.to_string();
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let change = json!({"media.alt": {"edit": {"update": {&entry: "After"}}, "base_keys": record["base"]["media.alt"]}});
    let plan = desk.plan(&Desk::enrich(&bench, &record, change)).await;
    let receipt = desk.apply(&bench, &plan).await;
    assert!(receipt.to_string().contains("picture_is_video"), "{receipt}");
    assert_eq!((bench.server.traffic().writes(), bench.store.snapshot() == before), (0, true));
}
