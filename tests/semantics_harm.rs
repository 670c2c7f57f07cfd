//! Writes that would harm what the merchant has beside them: each is refused, or believed by what is read.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    clippy::clone_on_ref_ptr,
    reason = "helpers of tests"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::sync::Arc;
use std::time::Duration;

use desk::Desk;
use lily_connect::state::MemoryState;
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, PushSettings, ReceiptOutcome, Rejection, UndoOutcome,
};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::json::Json;
use lily_connect::testkit::woocommerce::{Attribute, Meta, Product, Taxonomy};
use serde_json::{Value, json};

fn local(name: &str, options: &[&str], variation: bool) -> Attribute {
    Attribute {
        id: 0,
        name: name.to_owned(),
        position: 0,
        visible: true,
        variation,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    }
}

async fn open(fill: impl FnOnce(&mut Product)) -> Desk {
    Desk::with(Arc::new(MemoryState::new()), fill).await
}

fn update(record: &Value, label: &str, values: &[&str]) -> Value {
    json!({"attributes": {"edit": {"update": {label: values}}, "base_keys": record["base"]["attributes"]}})
}

#[tokio::test]
async fn l2_an_attribute_that_the_store_would_take_for_another_one_is_not_added() {
    let desk = open(|product| product.attributes = vec![local("Wash-Care", &["Cold"], false)]).await;
    let record = desk.pulled().await;
    let verdict = desk.verdict(&desk.enrich(&record, update(&record, "Wash Care", &["Warm"]))).await;
    assert_eq!(verdict, ChangeVerdict::Rejected(Rejection::NameAmbiguous));
}

#[tokio::test]
async fn l3_an_attribute_that_became_an_option_is_neither_written_nor_taken_back() {
    let made_option = |desk: &Desk| desk.edit(|product| product.attributes[0].variation = true);
    let between = open(|product| product.attributes = vec![local("Fit", &["Slim"], false)]).await;
    let record = between.pulled().await;
    let plan = between.plan(&between.enrich(&record, update(&record, "Fit", &["Wide"]))).await;
    made_option(&between);
    let receipt = between.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Rejected(Rejection::IsOption));

    let after = open(|_| {}).await;
    let record = after.pulled().await;
    let push = after.land(&after.enrich(&record, update(&record, "Size", &["M", "L"]))).await;
    made_option(&after);
    let undo = after.push.plan_undo(push).await.unwrap();
    assert_eq!(undo.changes[0].verdict, ChangeVerdict::Rejected(Rejection::IsOption), "said by the plan");
    assert!(matches!(after.undo(push).await, UndoOutcome::Irreversible { .. }));
    assert_eq!(after.stored().attributes[0].options, ["M", "L"]);
}

#[tokio::test]
async fn w5_what_a_refused_write_left_behind_is_told_and_can_be_taken_back() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.bench.server.faults().push(FaultRule::new(Fault::status_after(400)).on_method("POST"));
    let receipt = desk.apply(&desk.plan(&desk.title(&record, "Ours")).await).await;
    assert_eq!((desk.name().as_str(), &receipt.fields[0].outcome), ("Ours", &ReceiptOutcome::Applied));
    assert_eq!(desk.undo(receipt.push).await, UndoOutcome::Restored);
}

#[tokio::test]
async fn w6_a_cell_that_cannot_be_read_any_more_closes_its_record_for_a_day_only() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let seo = desk.enrich(&record, json!({"seo.title": {"value": "T", "base": record["base"]["seo.title"]}}));
    let plan = desk.plan(&seo).await;
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST"));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let push = desk.push.clone().settings(settings);
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);
    let row = |id| Meta { id, key: "rank_math_title".to_owned(), value: Json::text("twice") };
    desk.edit(|product| product.meta_data.extend([row(90_001), row(90_002)]));
    desk.wait(3600);
    assert_eq!(desk.push.settle().await.unwrap(), []);
    desk.bench.clock.advance(Duration::from_secs(24 * 3600));
    let settled = desk.push.settle().await.unwrap();
    assert_eq!(settled[0].outcome, ReceiptOutcome::Conflict(Conflict::MaybeReverted));
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "Written again")).await;
}

#[tokio::test]
async fn w8_a_text_that_the_store_would_change_either_way_keeps_its_record_unwritten() {
    let css = r#"<style>.a::before{content:"\f101"}</style><p>Long</p>"#;
    let desk = open(|product| css.clone_into(&mut product.description)).await;
    let record = desk.pulled().await;
    let outcome = desk.outcome(&desk.title(&record, "Ours")).await;
    let code = "sibling_unsendable".to_owned();
    assert_eq!(outcome, ReceiptOutcome::Rejected(Rejection::NotSent { code }));
    assert_eq!((desk.stored().description.as_str(), desk.writes()), (css, 0));
}

#[tokio::test]
async fn u4_a_first_brand_is_taken_back() {
    let desk = open(|_| {}).await;
    desk.bench.store.add_term(Taxonomy::Brand, "Aldergate");
    let record = desk.pulled().await;
    let change = json!({"brands": {"edit": {"add": ["Aldergate"]}, "base_keys": record["base"]["brands"]}});
    let push = desk.land(&desk.enrich(&record, change)).await;
    assert_eq!(desk.stored().brands.len(), 1);
    assert_eq!(desk.undo(push).await, UndoOutcome::Restored);
    assert!(desk.stored().brands.is_empty());
}

#[tokio::test]
async fn l3_values_that_all_products_share_keep_their_backslashes() {
    let desk = open(|_| {}).await;
    let global = desk.bench.store.add_attribute("Size");
    desk.bench.store.add_term(Taxonomy::Attribute(global), r"1\2");
    let size = Attribute { id: global, name: String::new(), ..local("", &[r"1\2"], true) };
    desk.edit(|product| product.attributes = vec![size.clone()]);
    let record = desk.pulled().await;
    desk.land(&desk.enrich(&record, update(&record, "Care", &["Cold"]))).await;
    assert_eq!(desk.stored().attributes[0], size);
}

/// The store finds values that products share by name: of two with one name it would keep one.
#[tokio::test]
async fn l3_two_shared_values_of_one_name_keep_a_products_attributes_unwritten() {
    let desk =
        open(|product| product.attributes = vec![local("Notes", &["Dry", "Flat", "dry"], false)]).await;
    let record = desk.pulled().await;
    // The product's own values are texts, and stay as they are.
    desk.land(&desk.enrich(&record, update(&record, "Care", &["Cold"]))).await;
    assert_eq!(desk.stored().attributes[0].options, ["Dry", "Flat", "dry"]);
    let global = desk.bench.store.add_attribute("Colour");
    for name in ["Red", "Blue"] {
        desk.bench.store.add_term(Taxonomy::Attribute(global), name);
    }
    let twin = desk.bench.store.add_term(Taxonomy::Attribute(global), "Another");
    assert!(desk.bench.store.rename_term(twin, "red"));
    let colour = Attribute { id: global, name: String::new(), ..local("", &["Red", "Blue", "red"], false) };
    desk.edit(|product| product.attributes = vec![colour.clone()]);
    let record = desk.pulled().await;
    let writes = desk.writes();
    let outcome = desk.outcome(&desk.enrich(&record, update(&record, "Fit", &["Slim"]))).await;
    let code = "list_unreadable".to_owned();
    assert_eq!(outcome, ReceiptOutcome::Rejected(Rejection::NotSent { code }));
    assert_eq!((desk.stored().attributes, desk.writes()), (vec![colour], writes));
}

#[tokio::test]
async fn v_two_records_of_one_plan_do_not_get_one_slug() {
    let desk = open(|_| {}).await;
    let record = desk.pulled().await;
    let other = desk.bench.store.create("Second", |_| {});
    let one = desk.enrich(&record, json!({"slug": {"value": "a-cap", "expect": "force"}}));
    let mut two = one.clone();
    two.target.id = other.to_string().into();
    let plan = desk.push.plan(&[one, two]).await.unwrap();
    let verdicts: Vec<_> = plan.changes.iter().map(|change| &change.verdict).collect();
    assert_eq!(verdicts, [&ChangeVerdict::Apply, &ChangeVerdict::Rejected(Rejection::Taken)]);
}
