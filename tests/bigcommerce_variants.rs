//! Item and part numbers on their way into the variants of a BigCommerce store and back out of them.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use bigcommerce::{Desk, bench_with, changed, config};
use lily_connect::connector::{
    Connector, FieldAnswer, Patch, PatchField, PatchValue, PullRequest, Purpose, PushRequest,
};
use lily_connect::model::{CellValue, Enrichment, Entity, ExternalId, FieldName, RecordRef, Reversible};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, PushSettings, Receipt, ReceiptOutcome, Rejection,
};
use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use serde_json::{Value, json};

/// A call as the store got it: its path below `/v3/catalog`, its query and its body.
type Call = (String, String, Value);

/// The calls of one way, as they come from now on.
fn calls(desk: &Desk, writes: bool) -> Arc<Mutex<Vec<Call>>> {
    let kept: Arc<Mutex<Vec<Call>>> = Arc::default();
    let seen = kept.clone();
    // It strikes nothing, and sees each request.
    desk.bench.server.faults().push(FaultRule::new(Fault::status(500)).matching(move |request| {
        if BigCommerceFake::is_write(request) == writes {
            let path = request.path.split("/v3/catalog").last().unwrap().to_owned();
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            seen.lock().unwrap().push((path, request.query.clone(), body));
        }
        false
    }));
    kept
}

/// A store of products with so many variants each, and their ids by product.
async fn shop(products: usize, variants: usize) -> (Desk, BTreeMap<u64, Vec<u64>>) {
    let mut ids = BTreeMap::new();
    let sizes: Vec<String> = (0..variants).map(|n| format!("Size {n}")).collect();
    let mut desk = Desk::open(|store| {
        let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
        for n in 0..products {
            let id = store.create_product(&format!("Shirt {n}"), |product| product.set("mpn", "whole"));
            ids.insert(id, store.add_option(id, "Size", &sizes));
        }
    })
    .await;
    let mut settings = PushSettings::default();
    settings.batch = NonZeroU32::new(1_000).unwrap();
    desk.push = desk.push.settings(settings);
    (desk, ids)
}

/// An enrichment for each variant.
async fn wants(
    desk: &Desk,
    ids: impl IntoIterator<Item = u64>,
    fields: impl Fn(u64) -> Value,
) -> Vec<Enrichment> {
    let pulled = desk.pulled_all(Entity::Variant).await;
    ids.into_iter().map(|id| desk.wants(&pulled[&id], &fields(id))).collect()
}

fn part_number(desk: &Desk, id: u64) -> String {
    desk.store().variant(id).unwrap().get("mpn").and_then(|mpn| mpn.as_str().map(str::to_owned)).unwrap()
}

fn outcome(receipt: &Receipt, id: u64) -> &ReceiptOutcome {
    let of = |field: &&lily_connect::sync::FieldReceipt| field.cell.holder.id.as_str() == id.to_string();
    &receipt.fields.iter().find(of).unwrap().outcome
}

/// 120 variants of three products go in three calls of fifty at most, each with its id and what changed and nothing
/// else; everything else of the store stays as it was, and an undo restores every byte.
#[tokio::test]
async fn variants_go_fifty_a_call_and_come_back_to_the_byte() {
    let (desk, ids) = shop(3, 40).await;
    let all: Vec<u64> = ids.values().flatten().copied().collect();
    let before = desk.parts();
    let enrichments = wants(&desk, all.clone(), |id| json!({"mpn": format!("M-{id}")})).await;
    let plan = desk.plan(&enrichments).await;
    assert!(plan.changes.iter().all(|change| change.reversible == Reversible::Yes), "{plan}");
    let writes = calls(&desk, true);
    let receipt = desk.apply(&plan).await;
    assert!(receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Applied), "{receipt}");
    let sent = std::mem::take(&mut *writes.lock().unwrap());
    let sizes: Vec<usize> = sent.iter().map(|(_, _, body)| body.as_array().unwrap().len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    assert!(sent.iter().all(|(path, _, _)| path == "/variants"), "{sent:?}");
    let items: Vec<&Value> = sent.iter().flat_map(|(_, _, body)| body.as_array().unwrap()).collect();
    let expected: Vec<Value> = all.iter().map(|id| json!({"id": id, "mpn": format!("M-{id}")})).collect();
    assert_eq!(items, expected.iter().collect::<Vec<_>>());
    let parts = changed(&before, &desk.parts());
    assert_eq!(parts.len(), all.len());
    assert!(parts.iter().all(|(_, part)| part.starts_with("variants ")), "{parts:?}");
    for id in &all {
        assert_eq!(part_number(&desk, *id), format!("M-{id}"));
    }
    desk.undo(&receipt).await;
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

/// A push of one field of one variant: everything else of it, its siblings and its product stay as they were.
#[tokio::test]
async fn a_push_of_one_field_leaves_every_other_byte_as_it_was() {
    let (desk, ids) = shop(2, 3).await;
    let (product, variants) = ids.iter().next().unwrap();
    let variant = variants[1];
    desk.store().edit_variant(variant, |row| row.set("upc", "012345678905"));
    for (field, value) in [("mpn", "M 1"), ("gtin", "4006381333931")] {
        let before = desk.parts();
        let row = |desk: &Desk| -> Value {
            serde_json::from_str(&desk.store().variant(variant).unwrap().to_php()).unwrap()
        };
        let mut expected = row(&desk);
        let writes = calls(&desk, true);
        let plan = desk.plan(&wants(&desk, [variant], |_| json!({field: value})).await).await;
        let receipt = desk.apply(&plan).await;
        assert!(receipt.is_full_success(), "{plan}{receipt}");
        expected[field] = json!(value);
        assert_eq!(row(&desk), expected);
        let parts = changed(&before, &desk.parts());
        assert_eq!(parts, [(*product, format!("variants {variant}"))].into());
        let path = format!("/products/{product}/variants/{variant}");
        assert_eq!(*writes.lock().unwrap(), [(path, String::new(), json!({field: value}))]);
        desk.undo(&receipt).await;
    }
    // What stood as UPC alone stands as GTIN, too, after the undo of a GTIN: the plan said so.
    let row = desk.store().variant(variant).unwrap();
    let text = |name: &str| row.get(name).and_then(|text| text.as_str().map(str::to_owned)).unwrap();
    assert_eq!(
        (text("upc"), text("gtin"), text("mpn")),
        ("012345678905".into(), "012345678905".into(), String::new())
    );
}

#[tokio::test]
async fn what_is_no_item_number_is_not_allowed_or_not_there_is_refused_when_it_is_planned() {
    let (desk, ids) = shop(1, 2).await;
    let variant = ids.values().next().unwrap()[0];
    for (fields, rejection) in [
        (json!({"gtin": "4006381333932"}), "Altered"),
        (json!({"gtin": "400638133393"}), "Altered"),
        (json!({"mpn": "x".repeat(256)}), "Altered"),
        (json!({"description": "<p>x</p>"}), "NotWritable"),
    ] {
        let plan = desk.plan(&wants(&desk, [variant], |_| fields.clone()).await).await;
        let shown = format!("{:?}", plan.changes[0].verdict);
        assert!(shown.contains(rejection), "{fields}: {shown}");
    }
    let plan = desk.plan(&wants(&desk, [variant], |_| json!({"gtin": "4006381333931"})).await).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Apply);
    assert!(matches!(plan.changes[0].reversible, Reversible::Partly(_)), "{plan}");

    let strict = bench_with(
        |store| drop(store.seed_products(2)),
        |builder| builder,
        |settings| settings.write_identifiers(false),
    )
    .await;
    let desk = Desk::over(strict);
    let pulled = desk.pulled_all(Entity::Variant).await;
    let wanted = desk.wants(pulled.values().next().unwrap(), &json!({"gtin": "4006381333931", "mpn": "1"}));
    let plan = desk.plan(&[wanted]).await;
    let refused = |change: &lily_connect::sync::PlannedChange| {
        change.verdict == ChangeVerdict::Rejected(Rejection::NotEnabled)
    };
    assert!(plan.changes.len() == 2 && plan.changes.iter().all(refused), "{plan}");
}

/// What a store keeps its numbers in may be read from anywhere, and written to one place alone.
#[cfg(feature = "overrides")]
#[test]
fn numbers_that_are_only_read_may_be_read_from_anywhere() {
    use lily_connect::mapping::Overrides;
    for (entity, field) in [("product", "gtin"), ("product", "mpn"), ("variant", "gtin"), ("variant", "mpn")]
    {
        let built = |more: &str, allowed: bool| {
            let entry = format!("[[{entity}]]\nfield = \"{field}\"\nfrom = \"/bin_picking_number\"\n{more}");
            let settings = config("http://127.0.0.1:9", "t").mapping(Overrides::parse(&entry).unwrap());
            settings.write_identifiers(allowed).build().map(drop)
        };
        built("", false).unwrap();
        built("write = false", true).unwrap();
        let error = built("", true).unwrap_err();
        assert!(error.to_string().contains("cannot write to this place"), "{entity} {field}: {error}");
    }
}

/// A plan for both: of each kind, as many go in a call as the platform takes of it.
#[tokio::test]
async fn products_and_variants_of_one_plan_go_in_calls_of_their_own() {
    let (desk, ids) = shop(12, 2).await;
    let products = desk.pulled().await;
    let variants = desk.pulled_all(Entity::Variant).await;
    let mut enrichments = Vec::new();
    for (product, of_it) in &ids {
        enrichments.push(desk.wants(&products[product], &json!({"mpn": format!("P-{product}")})));
        enrichments.push(desk.wants(&variants[&of_it[0]], &json!({"mpn": format!("V-{product}")})));
    }
    let plan = desk.plan(&enrichments).await;
    let writes = calls(&desk, true);
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    let sizes: Vec<(String, usize)> = writes
        .lock()
        .unwrap()
        .iter()
        .map(|(path, _, body)| (path.clone(), body.as_array().map_or(1, Vec::len)))
        .collect();
    let expected = [("/products", 10), ("/products", 2), ("/variants", 12)];
    assert_eq!(sizes, expected.map(|(path, size)| (path.to_owned(), size)));
}

/// A store that passes over item and part numbers in a batch, whose document does not name them: each variant goes by
/// its own route, whose document does.
#[tokio::test]
async fn what_a_batch_passes_over_goes_alone() {
    let (desk, ids) = shop(2, 3).await;
    desk.store().set_conditions(|it| it.variant_batch_drops = ["mpn".to_owned()].into());
    let all: Vec<u64> = ids.values().flatten().copied().collect();
    let plan = desk.plan(&wants(&desk, all.clone(), |id| json!({"mpn": format!("M-{id}")})).await).await;
    let writes = calls(&desk, true);
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    let paths: Vec<String> = writes.lock().unwrap().iter().map(|(path, _, _)| path.clone()).collect();
    let alone = ids.iter().flat_map(|(product, variants)| {
        variants.iter().map(move |variant| format!("/products/{product}/variants/{variant}"))
    });
    let expected: BTreeSet<String> = alone.chain(["/variants".to_owned()]).collect();
    assert_eq!((paths.len(), paths.into_iter().collect::<BTreeSet<_>>()), (7, expected));
    all.iter().for_each(|id| assert_eq!(part_number(&desk, *id), format!("M-{id}")));
}

/// One that is gone, or that the merchant edited, keeps no other from being written.
#[tokio::test]
async fn a_variant_that_is_gone_or_was_edited_keeps_no_other() {
    let (desk, ids) = shop(2, 3).await;
    let all: Vec<u64> = ids.values().flatten().copied().collect();
    let plan = desk.plan(&wants(&desk, all.clone(), |id| json!({"mpn": format!("M-{id}")})).await).await;
    desk.store().delete_variant(all[1]);
    desk.store().edit_variant(all[3], |row| row.set("mpn", "theirs"));
    let receipt = desk.apply(&plan).await;
    for id in &all {
        let expected = match *id {
            gone if gone == all[1] => ReceiptOutcome::Conflict(Conflict::Gone),
            edited if edited == all[3] => ReceiptOutcome::Conflict(Conflict::PlanStale),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(*outcome(&receipt, *id), expected, "{id}: {receipt}");
    }
    assert_eq!(part_number(&desk, all[3]), "theirs");
}

/// One that goes away between the guard read and the batch: the platform refuses the batch whole, with `batch_errors`.
#[tokio::test]
async fn a_batch_that_is_refused_for_one_variant_is_written_one_by_one() {
    let (desk, ids) = shop(2, 3).await;
    let all: Vec<u64> = ids.values().flatten().copied().collect();
    let plan = desk.plan(&wants(&desk, all.clone(), |id| json!({"mpn": format!("M-{id}")})).await).await;
    let (store, gone) = (desk.store().clone(), all[4]);
    let once = Mutex::new(false);
    desk.bench.server.faults().push(FaultRule::new(Fault::status(500)).matching(move |request| {
        let mut done = once.lock().unwrap();
        if BigCommerceFake::is_write(request) && !*done {
            *done = store.delete_variant(gone);
        }
        false
    }));
    let receipt = desk.apply(&plan).await;
    for id in &all {
        let landed = *outcome(&receipt, *id) == ReceiptOutcome::Applied;
        assert_eq!(landed, *id != gone, "{id}: {receipt}");
    }
}

/// A batch whose answer is lost is not sent again: what it did is read.
#[tokio::test]
async fn a_batch_whose_answer_is_lost_is_settled_by_a_read() {
    for when in [When::Before, When::After] {
        let (desk, ids) = shop(1, 5).await;
        let all: Vec<u64> = ids.values().flatten().copied().collect();
        let plan = desk.plan(&wants(&desk, all.clone(), |id| json!({"mpn": format!("M-{id}")})).await).await;
        let writes = calls(&desk, true);
        let is_batch = |request: &lily_connect::testkit::exchange::Request| {
            BigCommerceFake::is_write(request) && request.path.ends_with("/catalog/variants")
        };
        desk.bench.server.faults().push(FaultRule::new(Fault::Reset(when)).matching(is_batch).times(1));
        let receipt = desk.apply(&plan).await;
        let batches = writes.lock().unwrap().iter().filter(|(path, _, _)| path == "/variants").count();
        assert_eq!(batches, 1, "{receipt}");
        for id in &all {
            let (landed, there) = (outcome(&receipt, *id), part_number(&desk, *id));
            match when {
                When::After => assert_eq!((landed, there), (&ReceiptOutcome::Applied, format!("M-{id}"))),
                // Nothing moves when a variant is written and reverted, so nobody knows that it was not.
                When::Before => assert_eq!(
                    (landed, there),
                    (&ReceiptOutcome::Conflict(Conflict::MaybeReverted), String::new())
                ),
            }
        }
    }
}

/// The guard read of fifty variants takes one call, once it is known whose they are; and no variant that was not asked
/// for is among its records.
#[tokio::test]
async fn variants_are_read_by_their_products_once_these_are_known() {
    let (desk, ids) = shop(3, 30).await;
    let all: Vec<u64> = ids.values().flatten().copied().step_by(2).collect();
    let enrichments = wants(&desk, all.clone(), |id| json!({"mpn": format!("M-{id}")})).await;
    let reads = calls(&desk, false);
    let plan = desk.plan(&enrichments).await;
    assert_eq!(reads.lock().unwrap().len(), all.len(), "a call each: nobody said whose they are");
    reads.lock().unwrap().clear();
    let receipt = desk.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
    let reads = std::mem::take(&mut *reads.lock().unwrap());
    assert!(
        reads.iter().all(|(path, query, _)| path == "/variants" && query.contains("product_id")),
        "{reads:?}"
    );
    assert_eq!(reads.len(), 2, "a guard read and a verifying one: {reads:?}");

    let asked: Vec<ExternalId> = all.iter().map(|id| id.to_string().into()).collect();
    let request = PullRequest::by_ids(Entity::Variant, asked.clone(), Purpose::Guard);
    let items = desk.bench.connector.pull_page(&request).await.unwrap().items;
    let profile = &desk.bench.connector.info().profile;
    let schema = desk.bench.connector.schema(Entity::Variant).unwrap();
    let records = items.iter().flat_map(|items| schema.map(items, profile).unwrap().records);
    assert_eq!(records.map(|record| record.reference().id.clone()).collect::<Vec<_>>(), asked);
}

/// Two variants of products with 600 each cost a call each, and not three pages of a list.
#[tokio::test]
async fn two_variants_of_large_products_are_not_looked_for_in_long_lists() {
    let (desk, ids) = shop(2, 600).await;
    let some: Vec<u64> = ids.values().map(|variants| variants[599]).collect();
    let plan = desk.plan(&wants(&desk, some, |id| json!({"mpn": format!("M-{id}")})).await).await;
    let reads = calls(&desk, false);
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    // The guard read and the verifying one: a page of the list each, which says how long it is, and a call a variant.
    assert_eq!(reads.lock().unwrap().len(), 6);
}

/// A patch that nobody read the record of does not say whose variant it is.
#[tokio::test]
async fn a_patch_without_its_product_is_refused_before_it_is_sent() {
    let (desk, ids) = shop(1, 2).await;
    let variant = ids.values().next().unwrap()[0];
    let target = RecordRef::new(
        desk.bench.connector.info().store.platform.clone(),
        Entity::Variant,
        variant.to_string(),
    );
    let value = PatchValue::Text { text: "M".into(), raw: None };
    let change = PatchField::new(FieldName::new("mpn"), value, CellValue::Absent);
    let until = desk.bench.runtime.clock().elapsed() + std::time::Duration::from_secs(5);
    let request = PushRequest::new(vec![Patch::new(target, vec![change])], until);
    let answers = desk.bench.connector.push(&request).await;
    let refused = match &answers {
        Ok(answers) => {
            matches!(&answers[0].fields[0].1, FieldAnswer::Refused { code, .. } if code == "product_unknown")
        }
        Err(error) => error.code() == "product_unknown",
    };
    assert!(refused, "{answers:?}");
    assert_eq!(part_number(&desk, variant), "");
}
