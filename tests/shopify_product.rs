//! Vendors of a Shopify store as lists of one entry, the names of options and of their values, and metafields whose
//! keys are alike.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
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
use lily_connect::connector::{Connector, Patch, PatchField, PatchValue, PullRequest, PushRequest};
use lily_connect::model::{Attribute, CellValue, Entity, FieldName, RecordRef, Reversible};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Plan, ReceiptOutcome, Rejection, UndoOutcome, Warning,
};
use lily_connect::testkit::shopify::{Owner, ProductOption, ShopifyFake};
use lily_connect::time::Clock;
use serde_json::{Value, json};

/// A product of a vendor.
async fn of_vendor(vendor: &'static str) -> (Desk, u64) {
    let mut id = 0;
    let seed = |shop: &ShopifyFake| {
        id = shop.create_product("Cap", |product| vendor.clone_into(&mut product.vendor))
    };
    let desk = Desk::open(seed).await;
    (desk, id)
}

fn verdicts(plan: &Plan) -> Vec<ChangeVerdict> {
    plan.changes.iter().map(|change| change.verdict.clone()).collect()
}

const NOT_ONE: ChangeVerdict = ChangeVerdict::Rejected(Rejection::NotOneEntry);

#[tokio::test]
async fn an_edit_that_would_leave_no_vendor_or_two_is_refused_by_name() {
    let (desk, id) = of_vendor("Acme").await;
    let plan = desk.plan_for(id, json!({"brands": {"add": ["Bolt"]}})).await;
    assert_eq!(verdicts(&plan), [NOT_ONE]);
    let plan = desk.plan_for(id, json!({"brands": {"add": ["Bolt", "Crane"], "remove": ["Acme"]}})).await;
    assert_eq!(verdicts(&plan), [NOT_ONE; 3]);
    let plan = desk.plan_for(id, json!({"brands": {"remove": ["Acme"]}})).await;
    assert_eq!(verdicts(&plan), [ChangeVerdict::Rejected(Rejection::WouldEmptyList)]);
    // One that is not there takes nobody's place.
    let plan = desk.plan_for(id, json!({"brands": {"add": ["Bolt"], "remove": ["Crane"]}})).await;
    assert_eq!(verdicts(&plan), [NOT_ONE, ChangeVerdict::Unchanged]);
    let plan = desk.plan_for(id, json!({"brands": {"add": ["Two\nlines"], "remove": ["Acme"]}})).await;
    assert_eq!(plan.to_apply().count(), 0, "{plan}");
    assert_eq!(desk.stored(id).vendor, "Acme");
}

#[tokio::test]
async fn what_cannot_be_taken_out_keeps_the_new_vendor_out() {
    let (desk, id) = of_vendor("Acme").await;
    let record = desk.record(id).await;
    let mut wanted = desk.wants(&record, &json!({"brands": {"add": ["Bolt"], "remove": ["Acme"]}}));
    for change in wanted.fields.values_mut() {
        change.base_keys = None;
    }
    let plan = desk.plan(&[wanted]).await;
    assert_eq!(verdicts(&plan), [NOT_ONE, ChangeVerdict::Conflict(Conflict::NoBase)]);
}

#[tokio::test]
async fn half_of_an_edit_that_was_approved_is_not_sent() {
    let (desk, id) = of_vendor("Acme").await;
    let fields = json!({"brands": {"add": ["Bolt"], "remove": ["Acme"]}, "title": "Approved"});
    let plan = desk.plan_for(id, fields).await;
    assert_eq!(plan.to_apply().count(), 3, "{plan}");
    for left_out in ["bolt", "acme"] {
        let mut approved = plan.approve_all();
        approved.retain(|one| {
            let change = plan.changes.iter().find(|change| change.number == one.change).unwrap();
            change.cell.key.as_deref() != Some(left_out)
        });
        let receipt = desk.push.apply(&plan, &Approvals::Only(approved)).await.unwrap();
        let expected: BTreeSet<String> =
            ["NotApproved", "Rejected(NotOneEntry)"].map(str::to_owned).into_iter().collect();
        let brands = receipt.fields.iter().filter(|field| field.cell.field.as_str() == "brands");
        let said: BTreeSet<String> = brands.map(|field| format!("{:?}", field.outcome)).collect();
        assert_eq!(said, expected, "{receipt}");
        assert_eq!(desk.stored(id).vendor, "Acme");
        // The record's other fields are not held back with it.
        assert_eq!(desk.stored(id).title, "Approved");
    }
}

#[tokio::test]
async fn a_vendor_that_the_merchant_names_meanwhile_stays() {
    let (desk, id) = of_vendor("Acme").await;
    let plan = desk.plan_for(id, json!({"brands": {"add": ["Bolt"], "remove": ["Acme"]}})).await;
    desk.edit(id, |product| product.vendor = "Merchant's".to_owned());
    let receipt = desk.apply(&plan).await;
    let said: Vec<&ReceiptOutcome> = receipt.fields.iter().map(|field| &field.outcome).collect();
    let held = ReceiptOutcome::Rejected(Rejection::NotOneEntry);
    assert_eq!(said, [&held, &ReceiptOutcome::Conflict(Conflict::PlanStale)], "{receipt}");
    assert_eq!(desk.stored(id).vendor, "Merchant's");

    let receipt = desk.land(id, json!({"brands": {"add": ["Bolt"], "remove": ["Merchant's"]}})).await;
    desk.edit(id, |product| product.vendor = "Merchant's own".to_owned());
    let plan = desk.push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(verdicts(&plan), [ChangeVerdict::Unchanged, NOT_ONE], "told beforehand: {plan}");
    let report = desk.push.undo(receipt.push).await.unwrap();
    let said: Vec<&UndoOutcome> = report.cells.iter().map(|(_, outcome)| outcome).collect();
    // Ours is gone already, and theirs is not replaced.
    assert_eq!(said, [&UndoOutcome::Restored, &UndoOutcome::EditedSince], "{report}");
    assert_eq!(desk.stored(id).vendor, "Merchant's own");
}

#[tokio::test]
async fn a_vendor_that_was_not_there_is_announced_to_stay_and_spellings_come_back_to_the_byte() {
    let (desk, id) = of_vendor("").await;
    let before = desk.parts();
    let plan = desk.plan_for(id, json!({"brands": {"add": ["Bolt & <Co>"]}})).await;
    assert!(matches!(plan.changes[0].reversible, Reversible::No(_)), "{plan}");
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings == Vec::<Warning>::new()), "{receipt}");
    assert_eq!(desk.stored(id).vendor, "Bolt & <Co>");
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::from([(id, "brands".to_owned())]));

    let (desk, id) = of_vendor("ACME  gmbh").await;
    let before = desk.parts();
    let receipt = desk.land(id, json!({"brands": {"add": ["Bolt"], "remove": ["acme  GMBH"]}})).await;
    assert_eq!(desk.stored(id).vendor, "Bolt");
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

// Options.

/// A product with colours and sizes, and one without options of its own.
async fn with_options() -> (Desk, u64, u64) {
    let mut ids = (0, 0);
    let desk = Desk::open(|shop| {
        ids = (shop.big_product(48, 0, 0), shop.create_product("Bare", |_| {}));
        shop.edit_product(ids.0, |product| product.title = "Cap".to_owned());
    })
    .await;
    (desk, ids.0, ids.1)
}

fn options(desk: &Desk, id: u64) -> Vec<ProductOption> {
    desk.stored(id).options
}

/// The titles of a product's variants, with what each chose.
async fn variants(desk: &Desk) -> BTreeMap<String, (String, Value)> {
    let pages = desk.bench.connector.pull_page(&PullRequest::all(Entity::Variant)).await.unwrap();
    let schema = desk.bench.connector.schema(Entity::Variant).unwrap();
    let mapped = schema.map(&pages.items[0], &desk.bench.connector.info().profile).unwrap();
    let of = |record: &lily_connect::model::Record| {
        let json = serde_json::to_value(record).unwrap();
        (json["ref"]["id"].as_str().unwrap().to_owned(), (json["title"].to_string(), json["options"].clone()))
    };
    mapped.records.iter().map(of).collect()
}

#[tokio::test]
async fn names_of_options_and_values_land_the_variants_follow_and_all_comes_back() {
    let (desk, id, _) = with_options().await;
    let (before, variants_before) = (desk.parts(), variants(&desk).await);
    let was = options(&desk, id);
    let (option, value) = (&was[1], &was[1].values[1]);
    let (old, new) = (value.name.clone(), "Bottle green & <co>");
    let fields = json!({
        "options": {"update": {option.id.to_string(): "Farbe"}},
        "options.values": {"update": {value.id.to_string(): new}},
    });
    let plan = desk.plan_for(id, fields).await;
    assert!(plan.changes.iter().all(|change| change.reversible == Reversible::Yes), "{plan}");
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    // What follows is no edit of somebody else's.
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    let now = options(&desk, id);
    assert_eq!((now[1].name.as_str(), now[1].values[1].name.as_str()), ("Farbe", new));
    let ids = |options: &[ProductOption]| -> Vec<(u64, Vec<u64>)> {
        options.iter().map(|it| (it.id, it.values.iter().map(|value| value.id).collect())).collect()
    };
    assert_eq!(ids(&now), ids(&was), "order and membership");
    let expected = BTreeSet::from([(id, "options".to_owned()), (id, "options.values".to_owned())]);
    assert_eq!(changed(&before, &desk.parts()), expected);
    let variants_now = variants(&desk).await;
    assert_eq!(variants_now.len(), variants_before.len());
    let mut followed = 0;
    for (id, (_, chosen)) in &variants_before {
        let (title, chosen_now) = &variants_now[id];
        if variants_now[id] == variants_before[id] {
            continue;
        }
        let mut expected = chosen.clone();
        expected[1]["name"] = json!("Farbe");
        if chosen[1]["value"] == old.as_str() {
            followed += 1;
            expected[1]["value"] = json!(new);
        }
        assert_eq!(*chosen_now, expected);
        let values: Vec<&str> =
            expected.as_array().unwrap().iter().map(|it| it["value"].as_str().unwrap()).collect();
        assert_eq!(*title, json!(values.join(" / ")).to_string());
    }
    assert!(followed > 1 && variants_before.len() == 49);
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
    assert_eq!(variants(&desk).await, variants_before);
}

#[tokio::test]
async fn a_name_that_the_option_has_already_is_refused_and_the_others_land() {
    let (desk, id, _) = with_options().await;
    let was = options(&desk, id);
    let [one, two, three, four] = [0, 1, 2, 3].map(|at| &was[1].values[at]);
    let fields = json!({
        "title": "New",
        "options": {"update": {was[0].id.to_string(): was[1].name}},
        "options.values": {"update": {
            one.id.to_string(): "Tiny", two.id.to_string(): three.name, four.id.to_string(): "Huge"}},
    });
    let plan = desk.plan_for(id, fields).await;
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        let key = field.cell.key.as_deref().unwrap_or_default();
        let refused = |code: &str| ReceiptOutcome::Rejected(Rejection::Refused { code: code.to_owned() });
        let expected = match field.cell.field.as_str() {
            "options" => refused("OPTION_ALREADY_EXISTS"),
            "options.values" if key == two.id.to_string() => refused("OPTION_VALUE_ALREADY_EXISTS"),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{} {receipt}", field.cell);
    }
    let now = options(&desk, id);
    let names: Vec<&str> = now[1].values.iter().map(|value| value.name.as_str()).take(4).collect();
    assert_eq!(names, ["Tiny", &two.name, &three.name, "Huge"]);
}

#[tokio::test]
async fn an_option_that_is_linked_to_a_metafield_is_refused_by_name_then_and_later() {
    let (desk, id, _) = with_options().await;
    let was = options(&desk, id);
    let value = was[0].values[0].id.to_string();
    let fields = json!({
        "options": {"update": {was[0].id.to_string(): "Farbe"}}, "options.values": {"update": {value: "Rot"}},
    });
    let open = desk.plan_for(id, fields.clone()).await;
    assert_eq!(verdicts(&open), [ChangeVerdict::Apply, ChangeVerdict::Apply]);
    let linked = Some(("shopify".to_owned(), "color-pattern".to_owned()));
    desk.edit(id, |product| product.options[0].linked = linked);
    let plan = desk.plan_for(id, fields).await;
    let linked = ChangeVerdict::Rejected(Rejection::Linked);
    assert_eq!(verdicts(&plan), [linked.clone(), linked], "{plan}");
    desk.shop().clear_calls();
    let receipt = desk.apply(&open).await;
    let linked = ReceiptOutcome::Rejected(Rejection::Linked);
    assert!(receipt.fields.iter().all(|field| field.outcome == linked), "{receipt}");
    assert!(desk.shop().calls().iter().all(|call| !call.mutation));
    // The other option of the product is written all the same.
    desk.land(id, json!({"options": {"update": {was[1].id.to_string(): "Groesse"}}})).await;
    desk.edit(id, |product| product.options[0].linked = None);
    let receipt = desk.land(id, json!({"options": {"update": {was[0].id.to_string(): "Farbe"}}})).await;
    desk.edit(id, |product| product.options[0].linked = Some(("a".to_owned(), "b".to_owned())));
    let plan = desk.push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(verdicts(&plan), [ChangeVerdict::Rejected(Rejection::Linked)]);
}

#[tokio::test]
async fn which_options_and_values_there_are_and_in_what_order_is_never_written() {
    let (desk, id, bare) = with_options().await;
    let before = desk.parts();
    let was = options(&desk, id);
    let none = ChangeVerdict::Rejected(Rejection::NoSuchEntry);
    for field in ["options", "options.values"] {
        let fields = json!({ field: {"update": {"999999": "New"}} });
        assert_eq!(desk.one(id, fields).await.verdict, none);
        let own = if field == "options" { was[0].id } else { was[0].values[0].id };
        let plan = desk.plan_for(id, json!({ field: {"remove": [own.to_string()]} })).await;
        assert_eq!(verdicts(&plan), [ChangeVerdict::Rejected(Rejection::WrongKind)]);
        let long = desk.one(id, json!({ field: {"update": {own.to_string(): "x".repeat(256)}} })).await;
        assert_eq!(long.verdict, ChangeVerdict::Rejected(Rejection::TooLong { max_bytes: 255 }));
    }
    // As an attribute it is none.
    let as_attribute = desk.one(id, json!({"attributes": {"update": {was[0].name.clone(): ["x"]}}})).await;
    assert_eq!(as_attribute.verdict, ChangeVerdict::Rejected(Rejection::IsOption));
    // A product without options of its own has none to name.
    let title = options(&desk, bare)[0].clone();
    let plan = desk.plan_for(bare, json!({"options": {"update": {title.id.to_string(): "Size"}}})).await;
    let receipt = desk.apply(&plan).await;
    let not_sent = ReceiptOutcome::Rejected(Rejection::NotSent { code: "option_default".to_owned() });
    assert_eq!(receipt.fields[0].outcome, not_sent, "{receipt}");
    assert_eq!(desk.parts(), before);
    assert_eq!(desk.shop().count_calls("productOptionUpdate"), 0);

    // A value that is gone by now, and one whose neighbour the merchant renames in the window.
    let [gone, kept] = [0, 1].map(|at| was[1].values[at].id);
    let fields = json!({"options.values": {"update": {gone.to_string(): "Gone", kept.to_string(): "Kept"}}});
    let plan = desk.plan_for(id, fields).await;
    desk.edit(id, |product| drop(product.options[1].values.remove(0)));
    desk.shop().before_request(1, ShopifyFake::asks("productOptionUpdate"), move |shop| {
        shop.edit_product(id, |product| product.options[0].name = "Merchant's".to_owned());
    });
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        if field.cell.key.as_deref() == Some(&gone.to_string()) {
            assert_eq!(field.outcome, ReceiptOutcome::Rejected(Rejection::NoSuchEntry), "{receipt}");
        } else {
            assert_eq!(field.outcome, ReceiptOutcome::Applied, "{receipt}");
            let moved = Warning::SiblingMoved { field: "options".to_owned() };
            assert_eq!(field.warnings, [moved], "{receipt}");
        }
    }
}

#[tokio::test]
async fn a_value_that_goes_beside_a_renamed_option_is_told() {
    let (desk, id, _) = with_options().await;
    let was = options(&desk, id);
    let plan = desk.plan_for(id, json!({"options": {"update": {was[0].id.to_string(): "Farbe"}}})).await;
    let gone = was[1].values[0].id;
    desk.shop().before_request(1, ShopifyFake::asks("productOptionUpdate"), move |shop| {
        shop.edit_product(id, |product| product.options[1].values.retain(|value| value.id != gone));
    });
    let receipt = desk.apply(&plan).await;
    let moved: BTreeSet<String> = receipt.fields[0].warnings.iter().map(|it| format!("{it:?}")).collect();
    let said = ["attributes", "options.values"]
        .map(|field| format!("{:?}", Warning::SiblingMoved { field: field.to_owned() }));
    assert_eq!(moved, BTreeSet::from(said), "{receipt}");
}

#[tokio::test]
async fn what_is_no_name_of_an_option_never_leaves() {
    let (desk, id, _) = with_options().await;
    let record = desk.record(id).await;
    let attributes: Vec<Attribute> = serde_json::from_value(record["attributes"].clone()).unwrap();
    let options: Vec<Attribute> =
        attributes.into_iter().filter(|it| it.distinguishes_variants == Some(true)).collect();
    let change = |change: &dyn Fn(&mut Vec<Attribute>)| {
        let mut after = options.clone();
        change(&mut after);
        after
    };
    let renamed = change(&|after| after[0].label = "Farbe".into());
    let mut linked = options.clone();
    linked[0].linked = Some(true);
    let mut odd = options.clone();
    odd[0].id = Some("gid://shopify/Product/1".into());
    let wrong = [
        ("options", options.clone(), change(&|after| drop(after.pop()))),
        ("options", options.clone(), change(&|after| after.swap(0, 1))),
        ("options.values", options.clone(), change(&|after| drop(after[0].value_ids.pop()))),
        ("options.values", options.clone(), change(&|after| drop(after[1].values.pop()))),
        ("options.values", options.clone(), change(&|after| after[1].value_ids.swap(0, 1))),
        ("options", linked, renamed.clone()),
        ("options", odd.clone(), {
            odd[0].label = "Farbe".into();
            odd
        }),
        // As attributes they are refused as before.
        ("attributes", options.clone(), change(&|after| after[0].values[0] = "Rot".into())),
    ];
    let target = RecordRef::new(
        lily_connect::model::Platform::new("shopify"),
        Entity::Product,
        id.to_string().as_str(),
    );
    for (field, before, after) in wrong {
        let field = PatchField::new(FieldName::new(field), PatchValue::Attributes(after), CellValue::Empty)
            .before(Some(PatchValue::Attributes(before)));
        let until = desk.bench.clock.elapsed() + Duration::from_secs(5);
        let patch = Patch::new(target.clone(), vec![field]);
        let pushed = desk.bench.connector.push(&PushRequest::new(vec![patch.clone()], until)).await;
        assert!(pushed.is_err(), "{patch:?}");
    }
    assert!(desk.shop().calls().iter().all(|call| !call.mutation));
}

// Metafields.

#[tokio::test]
async fn keys_of_metafields_that_differ_in_case_only_are_two() {
    let mut id = 0;
    let desk = Desk::open(|shop| {
        id = shop.create_product("Cap", |_| {});
        for (key, value) in [("Fit", "Upper"), ("fit", "Lower"), ("count", "1")] {
            shop.set_metafield(Owner::Product(id), "custom", key, "single_line_text_field", value);
        }
    })
    .await;
    let before = desk.parts();
    let change = desk.one(id, json!({"attributes": {"update": {"custom.fit": "New"}}})).await;
    assert_eq!(change.verdict, ChangeVerdict::Conflict(Conflict::AmbiguousKey));
    let receipt = desk.land(id, json!({"attributes": {"update": {"custom.count": "2"}}})).await;
    let expected = BTreeSet::from([(id, "attributes custom.count".to_owned())]);
    assert_eq!(changed(&before, &desk.parts()), expected);
    let set: Vec<String> =
        desk.shop().calls().into_iter().filter(|call| call.mutation).map(|it| it.variables).collect();
    assert!(set.iter().all(|set| !set.to_lowercase().contains("fit")), "{set:?}");
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

#[tokio::test]
async fn types_of_new_metafields_are_looked_up_before_the_guard_read() {
    let mut ids = [0; 2];
    let desk = Desk::open(|shop| {
        ids = ["One", "Two"].map(|title| shop.create_product(title, |_| {}));
        shop.set_metafield(Owner::Product(ids[1]), "custom", "depth", "number_decimal", "1.5");
    })
    .await;
    for (id, looked_up) in [(ids[0], 1), (ids[1], 0)] {
        let plan = desk.plan_for(id, json!({"attributes": {"update": {"custom.depth": "2.5"}}})).await;
        desk.shop().clear_calls();
        let receipt = desk.apply(&plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        let calls: Vec<String> = desk.shop().calls().into_iter().filter_map(|call| call.operation).collect();
        let place = |name: &str| calls.iter().position(|call| call == name);
        let guard = place("ProductsById").unwrap();
        assert_eq!(calls.iter().filter(|call| *call == "MetafieldNames").count(), looked_up, "{calls:?}");
        assert!(place("MetafieldNames").is_none_or(|at| at < guard), "{calls:?}");
        assert_eq!(desk.metafield(id, "depth").as_deref(), Some("2.5"));
    }
}
