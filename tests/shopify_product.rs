//! Vendors of a Shopify store, as enriched content: lists of one entry.
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

use std::collections::BTreeSet;

use desk::{Desk, changed};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Plan, ReceiptOutcome, Rejection, UndoOutcome, Warning,
};
use lily_connect::testkit::shopify::ShopifyFake;
use serde_json::json;

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
    assert!(matches!(plan.changes[0].reversible, lily_connect::model::Reversible::No(_)), "{plan}");
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
