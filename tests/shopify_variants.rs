//! Item numbers of variants on their way into a Shopify store and back out of it, on the fake store.
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
use std::sync::{Arc, Mutex};
use std::time::Duration;

use desk::{Desk, changed};
use lily_connect::connector::{Connector, FieldAnswer, Patch, PatchField, PatchValue, PushRequest};
use lily_connect::connectors::shopify::Shopify;
use lily_connect::error::ErrorKind;
use lily_connect::model::{CellValue, Entity, FieldName, Platform, RecordRef, Reversible, Unavailable, View};
use lily_connect::sync::bulk::BulkUse;
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, JobSettings, Plan, Push, PushSettings, ReceiptOutcome, Rejection,
    UndoOutcome,
};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::shopify::{Call, GraphFault, ShopifyFake, Variant};
use lily_connect::time::Clock;
use serde_json::{Value, json};
use shopify::config;

const ASKED: &str = "productVariantsBulkUpdate";

/// An item number, another one for another number.
fn gtin(number: u64) -> String {
    let body = format!("{:012}", 400_000_000_000 + number % 1_000_000);
    let digits = body.bytes().zip([1, 3].into_iter().cycle());
    let sum: u64 = digits.map(|(byte, weight)| u64::from(byte - b'0') * weight).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// A product with so many variants; each second one has a number, which is none.
fn product(shop: &ShopifyFake, title: &str, variants: usize) -> (u64, Vec<u64>) {
    let id = shop.create_product(title, |_| {});
    let mut ids = shop.product(id).unwrap().variants;
    ids.extend((ids.len()..variants).map(|_| shop.create_variant(id, |_| {})));
    for (at, id) in ids.iter().enumerate() {
        shop.edit_variant(*id, |variant| {
            (variant.sku, variant.price) = (Some(format!("SKU-{id}")), "12.50".to_owned());
            variant.barcode = (at % 2 == 1).then(|| format!("OLD {id}"));
        });
    }
    (id, ids)
}

/// A shop with two products: three variants, and two.
async fn two() -> (Desk, [u64; 2], Vec<u64>) {
    let (mut products, mut variants) = ([0; 2], Vec::new());
    let desk = Desk::open(|shop| {
        for (at, (title, count)) in [("One", 3), ("Two", 2)].into_iter().enumerate() {
            let (id, ids) = product(shop, title, count);
            products[at] = id;
            variants.extend(ids);
        }
        product(shop, "Other", 2);
    })
    .await;
    (desk, products, variants)
}

/// A plan that gives each of these variants its own item number.
async fn plan(desk: &Desk, ids: &[u64]) -> Plan {
    let records = desk.variants().await;
    let wants = |id: &u64| desk.wants(&records[id], &json!({ "gtin": gtin(*id) }));
    desk.plan(&ids.iter().map(wants).collect::<Vec<_>>()).await
}

fn stored(desk: &Desk, id: u64) -> Variant {
    desk.shop().variant(id).unwrap()
}

fn barcode(desk: &Desk, id: u64) -> Option<String> {
    stored(desk, id).barcode
}

/// What each variant was told, by id.
fn told(receipt: &lily_connect::sync::Receipt) -> BTreeMap<u64, ReceiptOutcome> {
    let id = |cell: &lily_connect::model::Cell| cell.holder.id.as_str().parse().unwrap();
    receipt.fields.iter().map(|field| (id(&field.cell), field.outcome.clone())).collect()
}

/// What was sent: of each call, the product and its variants, by number.
fn sent(desk: &Desk) -> Vec<(u64, Vec<u64>)> {
    let number = |gid: &Value| gid.as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
    let read = |call: Call| {
        let variables: Value = serde_json::from_str(&call.variables).unwrap();
        let variants = variables["variants"].as_array().unwrap().iter();
        (number(&variables["product"]), variants.map(|variant| number(&variant["id"])).collect())
    };
    let ours = |call: &Call| call.fields.iter().any(|field| field == ASKED);
    desk.shop().calls().into_iter().filter(ours).map(read).collect()
}

#[tokio::test]
async fn variants_of_two_products_land_by_a_call_each_and_come_back_to_none_and_to_what_was_no_number() {
    let (desk, products, ids) = two().await;
    let before = desk.parts();
    let plan = plan(&desk, &ids).await;
    assert_eq!(plan.to_apply().count(), 5, "{plan}");
    assert!(plan.changes.iter().all(|change| matches!(change.reversible, Reversible::Partly(_))), "{plan}");
    desk.shop().clear_calls();
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    let (one, other) = ids.split_at(3);
    assert_eq!(sent(&desk), [(products[0], one.to_vec()), (products[1], other.to_vec())]);
    for id in &ids {
        assert_eq!(barcode(&desk, *id), Some(gtin(*id)));
    }
    desk.undo(&receipt).await;
    assert_eq!(ids.iter().filter(|id| barcode(&desk, **id).is_none()).count(), 3);
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

#[tokio::test]
async fn a_push_of_one_variant_leaves_every_other_byte_of_the_shop_as_it_was() {
    let (desk, products, ids) = two().await;
    for id in &ids[..2] {
        let before = desk.parts();
        let (variant, product) = (stored(&desk, *id), desk.stored(products[0]));
        let receipt = desk.apply(&plan(&desk, &[*id]).await).await;
        assert!(receipt.is_full_success(), "{receipt}");
        let part = (products[0], format!("gtin {id}"));
        assert_eq!(changed(&before, &desk.parts()), BTreeSet::from([part]));
        // But for the dates.
        let mut now = stored(&desk, *id);
        assert!(now.updated_at > variant.updated_at && now.barcode == Some(gtin(*id)));
        (now.updated_at, now.barcode) = (variant.updated_at, variant.barcode.clone());
        assert_eq!(now, variant);
        let mut now = desk.stored(products[0]);
        assert!(now.updated_at > product.updated_at);
        now.updated_at = product.updated_at;
        assert_eq!(now, product);
        desk.undo(&receipt).await;
        assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
    }
}

#[tokio::test]
async fn what_is_no_item_number_and_what_is_empty_never_leave() {
    let (desk, _, ids) = two().await;
    let records = desk.variants().await;
    for wrong in ["4006381333932", "400638133393", "SKU-1", "4006381333931 2", ""] {
        let plan = desk.plan(&[desk.wants(&records[&ids[0]], &json!({ "gtin": wrong }))]).await;
        let rejected = matches!(
            &plan.changes[0].verdict,
            ChangeVerdict::Rejected(Rejection::Altered { .. } | Rejection::Empty)
        );
        assert!(rejected, "{wrong} {plan}");
    }
    // Nothing else of a variant is written.
    let plan = desk.plan(&[desk.wants(&records[&ids[0]], &json!({ "title": "New" }))]).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::NotWritable), "{plan}");
}

#[tokio::test]
async fn one_that_the_merchant_numbers_meanwhile_is_stale_and_one_that_he_numbered_before_was_edited() {
    let (desk, _, ids) = two().await;
    let records = desk.variants().await;
    let wants: Vec<_> =
        ids[..3].iter().map(|id| desk.wants(&records[id], &json!({ "gtin": gtin(*id) }))).collect();
    let merchants = |id: u64, text: &str| {
        desk.tick();
        assert!(desk.shop().edit_variant(id, |variant| variant.barcode = Some(text.to_owned())));
    };
    merchants(ids[0], "EARLY");
    let plan = desk.plan(&wants).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Conflict(Conflict::EditedSince), "{plan}");
    merchants(ids[1], "LATE");
    let receipt = desk.apply(&plan).await;
    let told = told(&receipt);
    assert_eq!(told[&ids[0]], ReceiptOutcome::Conflict(Conflict::EditedSince));
    assert_eq!(told[&ids[1]], ReceiptOutcome::Conflict(Conflict::PlanStale));
    assert_eq!(told[&ids[2]], ReceiptOutcome::Applied);
    assert_eq!(barcode(&desk, ids[0]).as_deref(), Some("EARLY"));
    assert_eq!(barcode(&desk, ids[1]).as_deref(), Some("LATE"));
    // Nor does an undo take away what he wrote since.
    merchants(ids[2], "LAST");
    let report = desk.push.undo(receipt.push).await.unwrap();
    assert_eq!(
        report.cells.iter().map(|(_, outcome)| outcome).collect::<Vec<_>>(),
        [&UndoOutcome::EditedSince]
    );
    assert_eq!(barcode(&desk, ids[2]).as_deref(), Some("LAST"));
}

#[tokio::test]
async fn one_that_was_deleted_is_gone_then_and_later_and_the_others_land() {
    let (desk, products, ids) = two().await;
    let plan = plan(&desk, &ids).await;
    desk.shop().delete_variant(ids[4]);
    // The platform refuses all for one that goes between guard read and write.
    let (first, gone) = (ids[0], ids[1]);
    desk.shop().before_request(1, ShopifyFake::asks(ASKED), move |shop| {
        assert!(shop.delete_variant(gone));
    });
    let after: Arc<Mutex<Option<Option<String>>>> = Arc::default();
    let seen = after.clone();
    desk.shop().after_request(1, ShopifyFake::asks(ASKED), move |shop| {
        *seen.lock().unwrap() = Some(shop.variant(first).unwrap().barcode);
    });
    desk.shop().clear_calls();
    let receipt = desk.apply(&plan).await;
    let told = told(&receipt);
    for id in &ids {
        let expected = match *id {
            id if id == ids[4] => ReceiptOutcome::Conflict(Conflict::Gone),
            id if id == gone => {
                let code = "PRODUCT_VARIANT_DOES_NOT_EXIST".to_owned();
                ReceiptOutcome::Rejected(Rejection::Refused { code })
            }
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(told[id], expected, "{receipt}");
        if expected == ReceiptOutcome::Applied {
            assert_eq!(barcode(&desk, *id), Some(gtin(*id)));
        }
    }
    assert_eq!(*after.lock().unwrap(), Some(None), "a refused call wrote a part");
    // By halves.
    let of_first: Vec<_> = sent(&desk).into_iter().filter(|(product, _)| *product == products[0]).collect();
    let calls = [&ids[..3], &ids[..1], &ids[1..3], &ids[1..2], &ids[2..3]];
    assert_eq!(of_first, calls.map(|some| (products[0], some.to_vec())));
    let landed: Vec<u64> =
        told.iter().filter(|(_, it)| **it == ReceiptOutcome::Applied).map(|(id, _)| *id).collect();
    let report = desk.push.undo(receipt.push).await.unwrap();
    assert_eq!(report.cells.iter().filter(|(_, it)| *it == UndoOutcome::Restored).count(), landed.len());
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_a_read_and_nothing_is_sent_twice() {
    let not_landed = ReceiptOutcome::Rejected(Rejection::NotSent { code: "not_landed".to_owned() });
    for (fault, lands) in [
        (Fault::status(500), false),
        (Fault::Reset(When::Before), false),
        (Fault::Reset(When::After), true),
        (Fault::status_after(502), true),
        (Fault::Truncate, true),
    ] {
        for count in [1, 3] {
            let (desk, products, ids) = two().await;
            let before = desk.parts();
            let plan = plan(&desk, &ids[..count]).await;
            let rule = FaultRule::new(fault).matching(ShopifyFake::asks(ASKED)).times(1);
            desk.bench.server.faults().push(rule);
            desk.shop().clear_calls();
            let receipt = desk.apply(&plan).await;
            assert_eq!(desk.bench.server.faults().pending(), 0);
            let all = vec![(products[0], ids[..count].to_vec())];
            let each = || ids[..count].iter().map(|id| (products[0], vec![*id])).collect();
            // Of several, what certainly did not land goes alone, once.
            let expected = if lands {
                all
            } else if count > 1 {
                each()
            } else {
                Vec::new()
            };
            assert_eq!(sent(&desk), expected, "{fault:?}");
            for field in &receipt.fields {
                let expected = if lands || count > 1 { &ReceiptOutcome::Applied } else { &not_landed };
                assert_eq!(&field.outcome, expected, "{fault:?} {receipt}");
            }
            desk.undo(&receipt).await;
            assert_eq!(changed(&before, &desk.parts()), BTreeSet::new(), "{fault:?}");
        }
    }
    // An error at the top of the answer says nothing of what was done.
    for (fault, calls) in [(GraphFault::InternalErrorAfter, 1), (GraphFault::Throttled, 2)] {
        let (desk, _, ids) = two().await;
        let plan = plan(&desk, &ids[..3]).await;
        desk.shop().fail(ASKED, fault, 1);
        desk.shop().clear_calls();
        let receipt = desk.apply(&plan).await;
        assert!(receipt.is_full_success(), "{fault:?} {receipt}");
        assert_eq!(desk.shop().count_calls(ASKED), calls, "{fault:?}");
    }
}

#[tokio::test]
async fn a_batch_of_variants_of_as_many_products_leaves_within_the_window_on_the_smallest_plan() {
    let mut ids = Vec::new();
    let desk = Desk::open(|shop| {
        for n in 0..20 {
            ids.extend(product(shop, &format!("Product {n}"), 1).1);
        }
    })
    .await;
    let plan = plan(&desk, &ids).await;
    // Beside a client that takes half of what comes back, with nothing left to begin with, and 400 ms for each write.
    desk.shop().set_bucket(1_000.0, 50.0);
    desk.shop().set_foreign_rate(25.0);
    desk.shop().take_points(1_000.0);
    let (clock, is_write) = (desk.bench.clock.clone(), ShopifyFake::asks(ASKED));
    let slow = move |request: &Request| {
        if is_write(request) {
            clock.advance(Duration::from_millis(400));
        }
        false
    };
    desk.shop().before_request(1, slow, |_| {});
    desk.shop().clear_calls();
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(desk.shop().count_calls(ASKED), ids.len());
    // Each group is guarded and verified once: none of it was cut off by the window.
    let most = desk.bench.connector.capabilities().entity(Entity::Variant).unwrap().max_batch.get();
    let groups = ids.len().div_ceil(most as usize);
    let throttled = usize::try_from(desk.shop().bucket().throttled).unwrap();
    let longest = receipt.fields.iter().filter_map(|field| field.window_ms).max().unwrap();
    eprintln!("{longest} ms from guard read to answer, {throttled} throttled");
    assert_eq!(desk.shop().count_calls("nodes"), 2 * groups + throttled);
    assert!(longest < 5_000, "{longest}");
}

#[cfg(feature = "overrides")]
#[test]
fn a_number_that_stands_elsewhere_is_only_read() {
    use lily_connect::mapping::Overrides;
    let build = |end: &str, allowed: bool| {
        let entry = format!("[[variant]]\nfield = \"gtin\"\nfrom = \"/other\"\n{end}");
        let config = config("http://127.0.0.1:9", "t").mapping(Overrides::parse(&entry).unwrap());
        config.write_identifiers(allowed).build().map(drop)
    };
    let error = build("", true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("cannot write to this place"), "{error}");
    build("write = false", true).unwrap();
    build("", false).unwrap();
}

// What the engine does not do: patches by hand.

fn patch(variant: u64, product: Option<u64>, value: PatchValue) -> Patch {
    let reference = |kind, id: u64| RecordRef::new(Platform::new("shopify"), kind, id.to_string());
    let change = PatchField::new(FieldName::new("gtin"), value, CellValue::Absent);
    let mut patch = Patch::new(reference(Entity::Variant, variant), vec![change]);
    patch.product = product.map(|product| reference(Entity::Product, product));
    patch
}

fn text(text: &str) -> PatchValue {
    PatchValue::Text { text: text.into(), raw: None }
}

async fn push(
    desk: &Desk,
    connector: &dyn Connector,
    patches: Vec<Patch>,
) -> lily_connect::Result<Vec<FieldAnswer>> {
    let until = desk.bench.clock.elapsed() + Duration::from_secs(5);
    let targets: Vec<RecordRef> = patches.iter().map(|patch| patch.target.clone()).collect();
    let answers = connector.push(&PushRequest::new(patches, until)).await?;
    assert_eq!(answers.iter().map(|it| it.target.clone()).collect::<Vec<_>>(), targets, "in their order");
    Ok(answers.into_iter().map(|answer| answer.fields[0].1.clone()).collect())
}

fn code(answer: &FieldAnswer) -> &str {
    match answer {
        FieldAnswer::Refused { code, .. } => code,
        FieldAnswer::Accepted => "accepted",
        _ => "unknown",
    }
}

#[tokio::test]
async fn each_patch_of_a_mixed_push_has_its_own_true_answer_in_its_place() {
    let (desk, products, ids) = two().await;
    let [one, other] = products.map(Some);
    let title = PatchField::new(FieldName::new("title"), text("New"), CellValue::Empty);
    let of_product = RecordRef::new(Platform::new("shopify"), Entity::Product, products[0].to_string());
    let patches = vec![
        patch(ids[0], one, text(&gtin(1))),
        patch(ids[3], other, text(&gtin(2))),
        Patch::new(of_product, vec![title]),
        // Of another product, without one, and not there: nothing of these is written.
        patch(ids[4], one, text(&gtin(3))),
        patch(ids[2], None, text(&gtin(4))),
        patch(ids[2], Some(0), text(&gtin(4))),
        patch(4, other, text(&gtin(5))),
        patch(ids[1], one, PatchValue::Removed),
    ];
    let answers = push(&desk, &*desk.bench.connector, patches).await.unwrap();
    let (unknown, lost) = ("PRODUCT_VARIANT_DOES_NOT_EXIST", "product_unknown");
    assert_eq!(
        answers.iter().map(code).collect::<Vec<_>>(),
        ["accepted", "accepted", "accepted", unknown, lost, lost, unknown, "accepted"]
    );
    let now: Vec<_> = ids.iter().map(|id| barcode(&desk, *id)).collect();
    let old = Some(format!("OLD {}", ids[4]));
    assert_eq!(now, [Some(gtin(1)), None, None, Some(gtin(2)), old]);
    assert_eq!(desk.stored(products[0]).title, "New");
}

#[tokio::test]
async fn more_variants_than_one_mutation_takes_go_in_several() {
    let (mut id, mut ids) = (0, Vec::new());
    let desk = Desk::open(|shop| (id, ids) = product(shop, "Large", 251)).await;
    let patches = ids.iter().map(|variant| patch(*variant, Some(id), text(&gtin(*variant)))).collect();
    let answers = push(&desk, &*desk.bench.connector, patches).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == FieldAnswer::Accepted));
    assert_eq!(sent(&desk).iter().map(|(_, some)| some.len()).collect::<Vec<_>>(), [250, 1]);
    assert!(ids.iter().all(|id| barcode(&desk, *id) == Some(gtin(*id))));
}

#[tokio::test]
async fn without_the_setting_the_right_or_the_shops_own_language_no_number_is_written() {
    let (desk, products, ids) = two().await;
    let records = desk.variants().await;
    let connect = async |allowed: bool| -> Arc<Shopify> {
        let config = config(&desk.bench.server.url(), &desk.bench.token).write_identifiers(allowed);
        Arc::new(config.build().unwrap().connect(&desk.bench.runtime).await.unwrap())
    };
    let unset = connect(false).await;
    desk.shop().grant_scopes(["read_products", "read_locales", "read_translations"]);
    let without_right = connect(true).await;
    for connector in [unset, without_right] {
        let claims = connector.capabilities().entity(Entity::Variant).unwrap().clone();
        assert_eq!(claims.unavailable, [(FieldName::new("gtin"), Unavailable::NotEnabled)]);
        assert!(claims.writable.is_empty());
        let pusher = Push::new(connector.clone(), desk.state.clone(), desk.bench.runtime.clone());
        let wants = desk.wants(&records[&ids[0]], &json!({ "gtin": gtin(1) }));
        let plan = pusher.plan(&[wants]).await.unwrap();
        assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::NotEnabled), "{plan}");
        let some = vec![patch(ids[0], Some(products[0]), text(&gtin(1)))];
        let error = push(&desk, &*connector, some).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let french = desk.bench.connector.in_view(&View::in_language("fr")).unwrap();
    assert!(french.capabilities().entity(Entity::Variant).is_none());
    let some = vec![patch(ids[0], Some(products[0]), text(&gtin(1)))];
    assert_eq!(push(&desk, &*french, some).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(desk.shop().count_calls(ASKED), 0);
}

#[tokio::test]
async fn numbers_go_by_job_only_in_a_window_that_the_caller_accepts_a_line_for_each_variant() {
    let (desk, _, ids) = two().await;
    let before = desk.parts();
    for (window, jobs) in [(None, 0), (Some(Duration::from_secs(120)), 1)] {
        let mut settings = PushSettings::default();
        settings.jobs = JobSettings::default().when(BulkUse::Always);
        if let Some(window) = window {
            settings.jobs = settings.jobs.unguarded_window(window);
        }
        let connector: Arc<dyn Connector> = desk.bench.connector.clone();
        let pusher = Push::new(connector, desk.state.clone(), desk.bench.runtime.clone()).settings(settings);
        let plan = plan(&desk, &ids).await;
        // One goes before its line runs.
        let first = ids[0];
        if jobs > 0 {
            desk.shop().before_request(1, ShopifyFake::asks("bulkOperationRunMutation"), move |shop| {
                shop.delete_variant(first);
            });
        }
        desk.shop().clear_calls();
        let receipt = pusher.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
        assert_eq!(desk.shop().count_calls("bulkOperationRunMutation"), jobs);
        assert_eq!(desk.shop().count_calls(ASKED), if jobs > 0 { 0 } else { 2 });
        for (id, outcome) in told(&receipt) {
            if jobs > 0 && id == first {
                let code = "PRODUCT_VARIANT_DOES_NOT_EXIST".to_owned();
                assert_eq!(outcome, ReceiptOutcome::Rejected(Rejection::Refused { code }));
            } else {
                assert_eq!(outcome, ReceiptOutcome::Applied, "{receipt}");
                assert_eq!(barcode(&desk, id), Some(gtin(id)));
            }
        }
        desk.tick();
        let report = pusher.undo(receipt.push).await.unwrap();
        desk.tick();
        if jobs == 0 {
            assert!(report.is_full_success(), "{report}");
            assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
        }
        let numbered = ids.iter().filter(|id| {
            desk.shop().variant(**id).is_some_and(|variant| variant.barcode == Some(gtin(**id)))
        });
        assert_eq!(numbered.count(), 0, "{report}");
    }
}
