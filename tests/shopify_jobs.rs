//! Large pushes into a Shopify store by the platform's own jobs: what lands, what is told of each line, and every way
//! in which a job goes wrong.
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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use desk::{Desk, changed};
use futures_util::FutureExt;
use lily_connect::connector::Connector;
use lily_connect::model::{CellValue, GuardKind};
use lily_connect::sync::bulk::BulkUse;
use lily_connect::sync::{
    Approvals, Cancel, Conflict, JobSettings, Plan, PlannedChange, Push, PushSettings, Receipt,
    ReceiptOutcome, Rejection, UndoOutcome,
};
use lily_connect::testkit::exchange::{Request, Response};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::server::Service;
use lily_connect::testkit::shopify::{BulkFault, Owner, ShopifyFake};
use lily_connect::time::Clock;
use serde_json::{Value, json};

const TEXT: &str = "single_line_text_field";

/// Products with two metafields, tags and a title each.
fn shelf(shop: &ShopifyFake, products: usize) -> Vec<u64> {
    let product = |number: usize| {
        let id = shop.create_product(&format!("Product {number}"), |product| {
            product.tags = vec!["Old".to_owned(), "Sale".to_owned()];
        });
        for (key, value) in [("material", "Wool"), ("care", "Wash cold")] {
            shop.set_metafield(Owner::Product(id), "custom", key, TEXT, &format!("{value} {number}"));
        }
        id
    };
    (0..products).map(product).collect()
}

async fn desk(products: usize) -> (Desk, Vec<u64>) {
    let mut ids = Vec::new();
    let desk = Desk::open(|shop| ids = shelf(shop, products)).await;
    (desk, ids)
}

fn settings(jobs: JobSettings) -> PushSettings {
    let mut settings = PushSettings::default();
    settings.jobs = jobs;
    settings
}

fn always() -> JobSettings {
    JobSettings::default().when(BulkUse::Always)
}

fn pusher(desk: &Desk, jobs: JobSettings) -> Push {
    let connector: Arc<dyn Connector> = desk.bench.connector.clone();
    Push::new(connector, desk.state.clone(), desk.bench.runtime.clone()).settings(settings(jobs))
}

/// A plan of the same change for each product.
async fn plan_all(desk: &Desk, ids: &[u64], wants: impl Fn(u64) -> Value) -> Plan {
    let pulled = desk.pulled().await;
    let enrichments: Vec<_> = ids.iter().map(|id| desk.wants(&pulled[id], &wants(*id))).collect();
    desk.plan(&enrichments).await
}

fn silk(id: u64) -> Value {
    json!({"attributes": {"update": {"custom.material": format!("Silk {id}")}}})
}

async fn apply(push: &Push, plan: &Plan) -> Receipt {
    push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap()
}

/// The one value of a metafield, as the plan has it.
fn text(change: &PlannedChange) -> &str {
    match &change.ours {
        CellValue::Value(value) => value[0].as_str().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn job_starts(desk: &Desk) -> usize {
    desk.shop().count_calls("bulkOperationRunMutation")
}

/// What a receipt says is true: a change that is applied is there, and one that is not is as it was.
fn assert_true(desk: &Desk, plan: &Plan, receipt: &Receipt, before: &desk::Parts) {
    let now = desk.parts();
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        let id: u64 = change.cell.holder.id.as_str().parse().unwrap();
        let Some(key) = change.cell.key.as_deref().filter(|_| change.cell.field.as_str() == "attributes")
        else {
            continue;
        };
        let part = (id, format!("attributes {key}"));
        let ours = format!("{TEXT} {}", text(change));
        match &field.outcome {
            ReceiptOutcome::Applied | ReceiptOutcome::AlreadyApplied { .. } => {
                assert_eq!(now.get(&part), Some(&ours), "{receipt}");
            }
            ReceiptOutcome::Unknown => {}
            _ => assert_ne!(now.get(&part), Some(&ours), "it is there, and told as not: {receipt}"),
        }
    }
    let expected: BTreeSet<(u64, String)> = plan
        .changes
        .iter()
        .map(|change| {
            let id = change.cell.holder.id.as_str().parse().unwrap();
            (id, format!("attributes {}", change.cell.key.as_deref().unwrap_or_default()))
        })
        .collect();
    let other: Vec<_> = changed(before, &now).difference(&expected).cloned().collect();
    assert_eq!(other, [], "bytes of other fields moved");
}

/// How often each product was written to, by a line of a job or by a call of its own.
fn written(desk: &Desk) -> BTreeMap<(String, u64), usize> {
    let mut written: BTreeMap<(String, u64), usize> = BTreeMap::new();
    let calls = desk.shop().calls();
    let calls = calls.iter().filter(|call| call.mutation).map(|call| call.variables.clone());
    for text in desk.shop().bulk_lines_run().into_iter().chain(calls) {
        let variables: Value = serde_json::from_str(&text).unwrap();
        let (kind, gid) = match &variables {
            it if it["metafields"].is_array() => {
                let kind = if it["metafields"][0].get("value").is_some() { "set" } else { "delete" };
                (kind, &it["metafields"][0]["ownerId"])
            }
            it if it["tags"].is_array() => {
                (if it["tags"][0] == json!("Old") { "untag" } else { "tag" }, &it["id"])
            }
            it if it["product"].is_object() => ("product", &it["product"]["id"]),
            _ => continue,
        };
        let id = gid.as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
        *written.entry((kind.to_owned(), id)).or_default() += 1;
    }
    written
}

fn assert_guarded(desk: &Desk) {
    for line in desk.shop().bulk_lines_run() {
        let line: Value = serde_json::from_str(&line).unwrap();
        for metafield in line["metafields"].as_array().into_iter().flatten() {
            let is_set = metafield.get("value").is_some();
            assert!(!is_set || metafield.get("compareDigest").is_some(), "unguarded: {line}");
        }
    }
}

#[tokio::test]
async fn five_hundred_products_go_by_one_job_and_come_back_and_no_edit_is_lost() {
    let (desk, ids) = desk(520).await;
    let both = |id: u64| json!({"attributes": {"update": {"custom.material": format!("Silk {id}"), "custom.care": "Dry"}}});
    let plan = plan_all(&desk, &ids, both).await;
    // Between plan and apply.
    for id in &ids[..5] {
        desk.shop().set_metafield(Owner::Product(*id), "custom", "material", TEXT, "The merchant's");
    }
    // Behind the guard reads, before the job runs a line.
    let late = ids[10..15].to_vec();
    desk.shop().after_request(1, ShopifyFake::asks("bulkOperationRunMutation"), move |shop| {
        for id in late {
            shop.set_metafield(Owner::Product(id), "custom", "care", TEXT, "The merchant's");
        }
    });
    // While it runs: at its second poll, a part of the lines has run.
    let (done, open) = (ids[16], ids[515]);
    desk.shop().after_request(3, ShopifyFake::asks("BulkOperationState"), move |shop| {
        for id in [done, open] {
            shop.set_metafield(Owner::Product(id), "custom", "material", TEXT, "The merchant's");
        }
    });
    desk.shop().fail_next_bulk(|fault| fault.failing_lines = vec![20, 21]);
    let before = desk.parts();
    desk.shop().clear_calls();
    let push = pusher(&desk, JobSettings::allowed());
    let receipt = apply(&push, &plan).await;
    assert_eq!(job_starts(&desk), 1);
    assert_eq!(desk.shop().count_calls("stagedUploadsCreate"), 1);
    assert_guarded(&desk);
    // Those that the platform refused whole for one entry, or did not run, went alone once.
    assert_eq!(desk.shop().count_calls("metafieldsSet"), 5 + 1 + 2);

    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        *counts.entry(format!("{:?}", field.outcome)).or_default() += 1;
        let id: u64 = change.cell.holder.id.as_str().parse().unwrap();
        let key = change.cell.key.as_deref().unwrap();
        let stored = desk.metafield(id, key.split_once('.').unwrap().1);
        let at = ids.iter().position(|known| *known == id).unwrap();
        let stale = ReceiptOutcome::Conflict(Conflict::PlanStale);
        let expected = match (at, key) {
            (0..=4, "custom.material") | (10..=14, "custom.care") | (515, "custom.material") => stale,
            // Its line had run: what was written is not there any more.
            (16, "custom.material") => ReceiptOutcome::Conflict(Conflict::ReadBackDiffers),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{at} {key}");
        if expected == ReceiptOutcome::Applied {
            assert_eq!(stored.as_deref(), Some(text(change)), "{at} {key}");
            let by_job = !matches!(at, 10..=14 | 20 | 21 | 515);
            let guard = if by_job { GuardKind::CompareAndSet } else { GuardKind::ReadWriteVerify };
            assert_eq!(field.guard, Some(guard), "{at} {key}");
            // The job waits a second, and runs four.
            assert!(!by_job || field.window_ms.unwrap() >= 5_000, "{at} {field:?}");
        } else {
            assert_eq!(stored.as_deref(), Some("The merchant's"), "{at} {key}");
        }
    }
    eprintln!("{counts:?}");
    assert_eq!(counts["Applied"], 1040 - 12);

    // And back, by a job.
    desk.tick();
    desk.shop().clear_calls();
    let report = push.undo(receipt.push).await.unwrap();
    assert_eq!(job_starts(&desk), 1);
    assert_eq!(desk.shop().count_calls("metafieldsSet"), 0);
    let restored = report.cells.iter().filter(|(_, outcome)| *outcome == UndoOutcome::Restored).count();
    assert_eq!((restored, report.cells.len()), (1040 - 12, 1040 - 12), "{report}");
    // Every byte is as it was, but for what the merchant wrote meanwhile.
    let differs = changed(&before, &desk.parts());
    let theirs: BTreeSet<(u64, String)> =
        (ids[10..15].iter().map(|id| (*id, "attributes custom.care".to_owned())))
            .chain([16, 515].map(|at: usize| (ids[at], "attributes custom.material".to_owned())))
            .collect();
    assert_eq!(differs, theirs);
}

#[tokio::test]
async fn jobs_are_used_where_they_are_allowed_and_the_plan_is_large() {
    let (desk, ids) = desk(6).await;
    for (jobs, starts) in [
        (JobSettings::default(), 0),
        (JobSettings::allowed(), 0),
        (JobSettings::default().when(BulkUse::From { calls: 7, takes: Duration::from_secs(99) }), 0),
        (JobSettings::default().when(BulkUse::From { calls: 6, takes: Duration::from_secs(99) }), 1),
        (always(), 1),
    ] {
        let plan = plan_all(&desk, &ids, silk).await;
        desk.shop().clear_calls();
        let push = pusher(&desk, jobs.clone());
        let receipt = apply(&push, &plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        assert_eq!(job_starts(&desk), starts, "{jobs:?}");
        assert_eq!(desk.shop().count_calls("metafieldsSet"), if starts == 0 { 6 } else { 0 });
        desk.undo(&receipt).await;
    }
}

fn every_field(id: u64) -> Value {
    json!({
        "title": format!("New {id}"), "tags": {"add": ["New"], "remove": ["old"]},
        "attributes": {"update": {"custom.material": "Silk"}, "remove": ["custom.care"]},
    })
}

#[tokio::test]
async fn what_the_platform_does_not_guard_goes_by_job_only_in_a_window_that_the_caller_accepts() {
    let (desk, ids) = desk(8).await;
    let before = desk.parts();
    let plan = plan_all(&desk, &ids, every_field).await;
    desk.shop().clear_calls();
    let push = pusher(&desk, always());
    let receipt = apply(&push, &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    // Deleting a metafield has no precondition, and its list goes together.
    assert_eq!(job_starts(&desk), 0);
    desk.tick();
    assert!(push.undo(receipt.push).await.unwrap().is_full_success());
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());

    let plan = plan_all(&desk, &ids, every_field).await;
    desk.shop().clear_calls();
    let push = pusher(&desk, always().unguarded_window(Duration::from_secs(120)));
    let receipt = apply(&push, &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    // One job for each kind of mutation, and no call of its own.
    assert_eq!(job_starts(&desk), 5);
    for field in ["productUpdate", "tagsAdd", "tagsRemove", "metafieldsSet", "metafieldsDelete"] {
        assert_eq!(desk.shop().count_calls(field), 0, "{field}");
    }
    for field in &receipt.fields {
        assert_eq!(field.guard, Some(GuardKind::ReadWriteVerify), "{field:?}");
        assert!(field.window_ms.unwrap() >= 5_000, "{field:?}");
    }
    // Their values are as they were but for the order in which the platform gives them.
    desk.tick();
    let report = push.undo(receipt.push).await.unwrap();
    assert!(report.is_full_success(), "{report}");
    assert_eq!(changed(&before, &desk.parts()), BTreeSet::new());
}

#[tokio::test]
async fn a_job_that_outlives_its_window_is_ended_and_what_it_did_not_write_is_guarded_anew() {
    let (desk, ids) = desk(20).await;
    let title = |id: u64| json!({"title": format!("New {id}")});
    let plan = plan_all(&desk, &ids, title).await;
    // A job that is being cancelled goes on for minutes.
    desk.shop().configure_bulk(|bulk| {
        (bulk.run_for, bulk.cancel_takes) = (Duration::from_secs(1000), Duration::from_secs(300));
    });
    let push = pusher(&desk, always().unguarded_window(Duration::from_secs(100)));
    let edited = ids[19];
    desk.shop().after_request(1, ShopifyFake::asks("bulkOperationCancel"), move |shop| {
        shop.edit_product(edited, |product| product.title = "The merchant's".to_owned());
    });
    desk.shop().clear_calls();
    let receipt = apply(&push, &plan).await;
    assert_eq!(desk.shop().count_calls("bulkOperationCancel"), 1);
    let run = desk.shop().bulk_lines_run().len();
    assert!((5..15).contains(&run), "{run} lines ran");
    assert!(written(&desk).values().all(|count| *count == 1), "{:?}", written(&desk));
    // The others went alone, behind guard reads of their own.
    assert_eq!(desk.shop().count_calls("productUpdate"), 19 - run, "{receipt}");
    for (at, field) in receipt.fields.iter().enumerate() {
        let (id, title) = (ids[at], desk.stored(ids[at]).title);
        if at == 19 {
            assert_eq!(title, "The merchant's");
            assert_ne!(field.outcome, ReceiptOutcome::Applied, "{receipt}");
        } else {
            assert_eq!((&field.outcome, title), (&ReceiptOutcome::Applied, format!("New {id}")), "{receipt}");
        }
    }
}

#[tokio::test]
async fn each_refusal_of_a_start_leaves_nothing_begun_and_the_plan_is_applied_all_the_same() {
    for (code, times, starts, alone) in [
        // Another upload helps, or three did not.
        ("NO_SUCH_FILE", 1, 2, 0),
        ("NO_SUCH_FILE", 9, 3, 6),
        ("INVALID_STAGED_UPLOAD_FILE", 1, 2, 0),
        ("INTERNAL_FILE_SERVER_ERROR", 2, 3, 0),
        // A place among the jobs is waited for.
        ("LIMIT_REACHED", 5, 6, 0),
        ("OPERATION_IN_PROGRESS", 1, 2, 0),
        ("INVALID_MUTATION", 1, 1, 6),
    ] {
        let (desk, ids) = desk(6).await;
        let before = desk.parts();
        let plan = plan_all(&desk, &ids, silk).await;
        for _ in 0..times {
            desk.shop().refuse_next_bulk_mutation(code);
        }
        desk.shop().clear_calls();
        let receipt = apply(&pusher(&desk, always()), &plan).await;
        assert!(receipt.is_full_success(), "{code}: {receipt}");
        assert_eq!(job_starts(&desk), starts, "{code}");
        let is_place = matches!(code, "LIMIT_REACHED" | "OPERATION_IN_PROGRESS");
        let uploads = if is_place { 1 } else { starts };
        assert_eq!(desk.shop().count_calls("stagedUploadsCreate"), uploads, "{code}");
        assert_eq!(desk.shop().count_calls("metafieldsSet"), alone, "{code}");
        assert!(desk.state.write_jobs(&desk.bench.connector.info().store).await.unwrap().is_empty());
        assert!(written(&desk).values().all(|count| *count == 1), "{code}: {:?}", written(&desk));
        assert_true(&desk, &plan, &receipt, &before);
        desk.undo(&receipt).await;
    }
}

#[tokio::test]
async fn a_limit_that_stays_is_waited_for_so_long_and_then_records_go_one_by_one() {
    let (desk, ids) = desk(4).await;
    let plan = plan_all(&desk, &ids, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.parallel = 0);
    desk.shop().clear_calls();
    let began = desk.bench.clock.elapsed();
    let mut jobs = always();
    jobs.wait_for_place = Duration::from_secs(60);
    let receipt = apply(&pusher(&desk, jobs), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(desk.shop().count_calls("metafieldsSet"), 4);
    let took = desk.bench.clock.elapsed().saturating_sub(began);
    assert!((60..90).contains(&took.as_secs()), "{took:?}");
    assert!((10..14).contains(&job_starts(&desk)), "{}", job_starts(&desk));
}

type Trouble = fn(&mut BulkFault);

/// What goes wrong with a job, and how many of its twelve lines ran.
const TROUBLES: [(&str, Trouble, usize); 13] = [
    ("failed without a file", |it| it.fail_with = Some("TIMEOUT".to_owned()), 12),
    (
        "failed half way",
        |it| (it.fail_with, it.runs_lines) = (Some("INTERNAL_SERVER_ERROR".to_owned()), Some(5)),
        5,
    ),
    (
        "failed half way, with a part of its file",
        |it| {
            (it.fail_with, it.runs_lines) = (Some("TIMEOUT".to_owned()), Some(7));
            it.partial_lines = Some(4);
        },
        7,
    ),
    ("stopped short, and says it is done", |it| it.runs_lines = Some(3), 3),
    ("file cut within a line", |it| it.cut_at = Some(700), 12),
    ("no file", |it| it.cut_at = Some(0), 12),
    ("lines missing", |it| it.dropped_lines = vec![0, 5, 11], 12),
    ("lines doubled", |it| it.doubled_lines = vec![0, 5, 11], 12),
    ("lines in another order", |it| it.mixed = true, 12),
    ("lines not run", |it| it.failing_lines = vec![1, 2], 10),
    (
        "lines not run, without their numbers",
        |it| (it.failing_lines, it.unnumbered_errors) = (vec![1, 2], true),
        10,
    ),
    ("stalled", |it| (it.stalls, it.runs_lines) = (true, Some(6)), 6),
    ("counts differ", |it| it.count_difference = 5, 12),
];

#[tokio::test]
async fn whatever_goes_wrong_with_a_job_each_change_lands_once_and_the_receipt_is_true() {
    for (what, trouble, ran) in TROUBLES {
        eprintln!("{what}");
        let (desk, ids) = desk(12).await;
        let before = desk.parts();
        let plan = plan_all(&desk, &ids, silk).await;
        desk.shop().fail_next_bulk(trouble);
        desk.shop().configure_bulk(|bulk| bulk.mutation_limit = Duration::from_secs(1200));
        desk.shop().clear_calls();
        let push = pusher(&desk, always());
        let receipt = apply(&push, &plan).await;
        assert_eq!(job_starts(&desk), 1, "{what}");
        assert_eq!(desk.shop().bulk_lines_run().len(), ran, "{what}");
        assert_true(&desk, &plan, &receipt, &before);
        // All that did not run goes alone.
        assert!(receipt.is_full_success(), "{what}: {receipt}");
        assert_eq!(desk.shop().count_calls("metafieldsSet"), 12 - ran, "{what}");
        assert!(written(&desk).values().all(|count| *count == 1), "{what}: {:?}", written(&desk));
        assert!(desk.state.write_jobs(&desk.bench.connector.info().store).await.unwrap().is_empty());
        desk.tick();
        let report = push.undo(receipt.push).await.unwrap();
        assert!(report.is_full_success(), "{what}: {report}");
        assert_eq!(changed(&before, &desk.parts()), BTreeSet::new(), "{what}");
    }
}

#[tokio::test]
async fn a_line_at_which_the_store_failed_is_settled_by_a_read_and_not_sent_again() {
    let (desk, ids) = desk(6).await;
    let both = |id: u64| json!({"attributes": {"update": {"custom.material": format!("Silk {id}"), "custom.care": "Dry"}}});
    let plan = plan_all(&desk, &ids, both).await;
    desk.shop().fail_next_bulk(|fault| (fault.failing_lines, fault.fails_after) = (vec![1, 2], true));
    // The merchant takes one of them back before it is read.
    let (taken_back, is_file) = (ids[1], |request: &Request| request.path.starts_with("/bulk-files/"));
    desk.shop().after_request(1, is_file, move |shop| {
        for (key, value) in [("material", "Wool 1"), ("care", "Wash cold 1")] {
            shop.set_metafield(Owner::Product(taken_back), "custom", key, TEXT, value);
        }
    });
    desk.shop().clear_calls();
    let receipt = apply(&pusher(&desk, always()), &plan).await;
    for (change, field) in plan.changes.iter().zip(&receipt.fields) {
        let expected = match change.cell.holder.id.as_str() == taken_back.to_string() {
            true => ReceiptOutcome::Conflict(Conflict::MaybeReverted),
            false => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{receipt}");
    }
    assert_eq!(desk.metafield(taken_back, "material").as_deref(), Some("Wool 1"));
    assert_eq!(desk.shop().count_calls("metafieldsSet"), 0);
}

#[tokio::test]
async fn results_that_are_not_kept_or_break_off_leave_what_a_read_finds() {
    let is_file = |request: &Request| request.path.starts_with("/bulk-files/");
    let faults: [(&str, Vec<FaultRule>); 4] = [
        ("the file's address is over", vec![FaultRule::new(Fault::status(403)).times(99)]),
        ("the file breaks off once", vec![FaultRule::new(Fault::Truncate)]),
        ("the file breaks off always", vec![FaultRule::new(Fault::Truncate).times(99)]),
        ("its host is down", vec![FaultRule::new(Fault::status(503)).times(999)]),
    ];
    for (what, rules) in faults {
        let (desk, ids) = desk(6).await;
        let before = desk.parts();
        let plan = plan_all(&desk, &ids, silk).await;
        desk.shop().clear_calls();
        for rule in rules {
            desk.bench.server.faults().push(rule.matching(is_file));
        }
        let receipt = apply(&pusher(&desk, always()), &plan).await;
        assert!(receipt.is_full_success(), "{what}: {receipt}");
        assert_true(&desk, &plan, &receipt, &before);
        assert_eq!((job_starts(&desk), desk.shop().count_calls("metafieldsSet")), (1, 0), "{what}");
    }
    // A job whose file is not kept at all.
    let (desk, ids) = desk(6).await;
    let plan = plan_all(&desk, &ids, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.keep_for = Duration::ZERO);
    let receipt = apply(&pusher(&desk, always()), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
}

#[tokio::test]
async fn a_start_without_an_answer_is_found_by_its_name_and_never_sent_twice() {
    let asks = || ShopifyFake::asks("bulkOperationRunMutation");
    for (what, fault, hides, starts, alone) in [
        ("the answer was lost", Fault::Reset(When::After), false, 1, 0),
        ("the answer was cut", Fault::Truncate, false, 1, 0),
        // It never came: what reads prove not to have landed goes alone.
        ("the request was lost", Fault::Reset(When::Before), false, 0, 6),
        ("the store failed", Fault::status(502), false, 0, 6),
        ("the platform tells no text of it", Fault::Reset(When::After), true, 1, 0),
    ] {
        let (desk, ids) = desk(6).await;
        let before = desk.parts();
        let plan = plan_all(&desk, &ids, silk).await;
        desk.shop().fail_next_bulk(move |it| it.hides_text = hides);
        desk.shop().clear_calls();
        desk.bench.server.faults().push(FaultRule::new(fault).matching(asks()));
        let receipt = apply(&pusher(&desk, always()), &plan).await;
        assert!(receipt.is_full_success(), "{what}: {receipt}");
        assert_eq!((job_starts(&desk), desk.shop().count_calls("metafieldsSet")), (starts, alone), "{what}");
        assert!(written(&desk).values().all(|count| *count == 1), "{what}");
        assert_true(&desk, &plan, &receipt, &before);
    }
}

#[tokio::test]
async fn a_file_that_is_not_taken_starts_nothing_and_records_go_one_by_one() {
    let is_upload = |request: &Request| request.path.starts_with("/staged-uploads/");
    for fault in [Fault::status(403), Fault::status(400), Fault::status(303)] {
        let (desk, ids) = desk(5).await;
        let plan = plan_all(&desk, &ids, silk).await;
        desk.shop().clear_calls();
        desk.bench.server.faults().push(FaultRule::new(fault).matching(is_upload).times(99));
        let receipt = apply(&pusher(&desk, always()), &plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        assert_eq!((job_starts(&desk), desk.shop().count_calls("metafieldsSet")), (0, 5));
    }
    // One that broke off is sent again.
    let (desk, ids) = desk(5).await;
    let plan = plan_all(&desk, &ids, silk).await;
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).matching(is_upload));
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::After)).matching(is_upload));
    let receipt = apply(&pusher(&desk, always()), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(job_starts(&desk), 1);
}

#[tokio::test]
async fn a_file_goes_to_no_host_that_is_not_encrypted_and_with_no_token() {
    // Somebody else, who would take it.
    let other = Service::new(|_: &Request| Response::new(201)).start().await.unwrap();
    let elsewhere = format!("{}/staged-uploads/1", other.url());
    for address in
        [elsewhere.as_str(), "http://storage.example.com/x", "ftp://storage.example.com/", "no address"]
    {
        let (desk, ids) = desk(3).await;
        let plan = plan_all(&desk, &ids, silk).await;
        desk.shop().stage_uploads_at(address);
        desk.shop().clear_calls();
        let receipt = apply(&pusher(&desk, always()), &plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        assert_eq!((job_starts(&desk), desk.shop().count_calls("metafieldsSet")), (0, 3), "{address}");
    }
    assert_eq!(other.traffic().requests(), 0);
    // The fake refuses an upload that carries a token, and tells it as a violation when the bench is dropped.
    let (desk, ids) = desk(3).await;
    let plan = plan_all(&desk, &ids, silk).await;
    let seen = Arc::new(AtomicBool::new(false));
    let uploads = seen.clone();
    let watch = FaultRule::new(Fault::status(500)).matching(move |request| {
        if request.path.starts_with("/staged-uploads/") {
            uploads.store(true, Ordering::Relaxed);
            assert!(request.header("x-shopify-access-token").is_none());
            assert!(request.header("authorization").is_none());
            let content = request.header("content-type").unwrap();
            assert!(content.starts_with("multipart/form-data; boundary="), "{content}");
        }
        false
    });
    desk.bench.server.faults().push(watch);
    assert!(apply(&pusher(&desk, always()), &plan).await.is_full_success());
    assert!(seen.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_large_push_is_cut_into_jobs_by_bytes_and_by_records() {
    for (bytes, records, starts) in [(16 << 20, 1000, 1), (16 << 20, 10, 3), (2_000, 1000, 4), (150, 1000, 0)]
    {
        let (desk, ids) = desk(25).await;
        let plan = plan_all(&desk, &ids, silk).await;
        let mut jobs = always();
        (jobs.bytes, jobs.records) = (bytes, std::num::NonZeroU32::new(records).unwrap());
        desk.shop().clear_calls();
        let receipt = apply(&pusher(&desk, jobs), &plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        let alone = if starts == 0 { 25 } else { 0 };
        assert_eq!(
            (job_starts(&desk), desk.shop().count_calls("metafieldsSet")),
            (starts, alone),
            "{bytes} {records}"
        );
        assert!(written(&desk).values().all(|count| *count == 1));
    }
}

#[tokio::test]
async fn the_lease_is_held_while_a_job_runs_and_nothing_else_is_settled_by_others() {
    let (desk, ids) = desk(5).await;
    let plan = plan_all(&desk, &ids, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(1800));
    let other = pusher(&desk, JobSettings::default());
    let (state, store) = (desk.state.clone(), desk.bench.connector.info().store.clone());
    let (clock, held) = (desk.bench.clock.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let seen = held.clone();
    // Half an hour in polls of five seconds: the 200th is far past the lease of a minute.
    desk.shop().before_request(200, ShopifyFake::asks("BulkOperationState"), move |_| {
        let now = clock.now();
        let until = now.saturating_add(Duration::from_secs(60));
        let lease = state.lease(&store, "another", now, until).now_or_never().unwrap();
        seen.lock().unwrap().push(lease.map_err(|error| error.code().to_owned()));
        // It keeps the lease of the running one, and settles nothing.
        let settled = other.settle().now_or_never().unwrap().unwrap();
        assert!(settled.is_empty(), "{settled:?}");
    });
    let receipt = apply(&pusher(&desk, always()), &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(*held.lock().unwrap(), [Err("lease_held".to_owned())]);
    assert!(receipt.fields.iter().all(|field| field.window_ms.unwrap() > 1_800_000), "{receipt}");
}

#[tokio::test]
async fn a_lot_whose_lease_another_writer_had_meanwhile_is_guarded_anew() {
    let is_upload = |request: &Request| request.path.starts_with("/staged-uploads/");
    type Asks = Box<dyn Fn(&Request) -> bool + Send + Sync>;
    let places: [(&str, Asks); 3] = [
        ("while its records were read", Box::new(ShopifyFake::asks("nodes"))),
        ("while its file went up", Box::new(is_upload)),
        ("while it waited for a place", Box::new(ShopifyFake::asks("bulkOperationRunMutation"))),
    ];
    for (what, asks) in places {
        let (desk, ids) = desk(6).await;
        let plan = plan_all(&desk, &ids, |id| json!({"title": format!("New {id}")})).await;
        if what.ends_with("a place") {
            desk.shop().refuse_next_bulk_mutation("LIMIT_REACHED");
        }
        let (state, store) = (desk.state.clone(), desk.bench.connector.info().store.clone());
        let (clock, edited) = (desk.bench.clock.clone(), ids[2]);
        desk.shop().after_request(1, asks, move |shop| {
            // Longer than the lease of an upload.
            clock.advance(Duration::from_secs(400));
            let until = clock.now().saturating_add(Duration::from_secs(60));
            state.lease(&store, "another", clock.now(), until).now_or_never().unwrap().unwrap();
            state.release(&store, "another").now_or_never().unwrap().unwrap();
            shop.edit_product(edited, |product| product.title = "Another's".to_owned());
        });
        let receipt =
            apply(&pusher(&desk, always().unguarded_window(Duration::from_secs(3600))), &plan).await;
        for (change, field) in plan.changes.iter().zip(&receipt.fields) {
            let expected = match change.cell.holder.id.as_str() == edited.to_string() {
                true => ReceiptOutcome::Conflict(Conflict::PlanStale),
                false => ReceiptOutcome::Applied,
            };
            assert_eq!(field.outcome, expected, "{what}: {receipt}");
        }
        assert_eq!(desk.stored(edited).title, "Another's", "{what}");
        assert_eq!(desk.shop().bulk_lines_run().len(), 5, "{what}");
    }
}

#[tokio::test]
async fn a_later_job_of_a_lot_that_is_not_begun_leaves_its_fields_to_go_alone() {
    for before_it in 1..=4 {
        let (desk, ids) = desk(4).await;
        let before = desk.parts();
        let plan = plan_all(&desk, &ids, every_field).await;
        desk.shop().after_request(before_it, ShopifyFake::asks("bulkOperationRunMutation"), |shop| {
            shop.refuse_next_bulk_mutation("INVALID_MUTATION");
        });
        desk.shop().clear_calls();
        let push = pusher(&desk, always().unguarded_window(Duration::from_secs(3600)));
        let receipt = apply(&push, &plan).await;
        assert!(receipt.is_full_success(), "{before_it}: {receipt}");
        assert_eq!(job_starts(&desk), usize::try_from(before_it).unwrap() + 1);
        // The title went first, and by job.
        assert_eq!(desk.shop().count_calls("productUpdate"), 0, "{before_it}");
        assert!(desk.state.write_jobs(&desk.bench.connector.info().store).await.unwrap().is_empty());
        assert!(written(&desk).values().all(|count| *count == 1), "{before_it}: {:?}", written(&desk));
        desk.tick();
        let mut undone = push.undo(receipt.push).await.unwrap();
        undone.cells.retain(|(_, outcome)| *outcome != UndoOutcome::Restored);
        assert!(undone.cells.is_empty(), "{before_it}: {undone}");
        assert_eq!(changed(&before, &desk.parts()), BTreeSet::new(), "{before_it}");
    }
}

#[tokio::test]
async fn a_job_that_fails_half_way_keeps_the_next_ones_of_its_lot_from_going() {
    for good in 0..4_usize {
        let (desk, ids) = desk(4).await;
        let plan = plan_all(&desk, &ids, every_field).await;
        for _ in 0..good {
            desk.shop().fail_next_bulk(|_| {});
        }
        desk.shop().fail_next_bulk(|fault| {
            (fault.fail_with, fault.runs_lines) = (Some("TIMEOUT".to_owned()), Some(2));
            fault.partial_lines = Some(1);
        });
        desk.shop().clear_calls();
        let push = pusher(&desk, always().unguarded_window(Duration::from_secs(3600)));
        let receipt = apply(&push, &plan).await;
        assert_eq!(job_starts(&desk), good + 1);
        assert!(written(&desk).values().all(|count| *count == 1), "{good}: {:?}", written(&desk));
        // What was told of another field, nobody takes for this one's.
        for (change, field) in plan.changes.iter().zip(&receipt.fields) {
            if field.outcome != ReceiptOutcome::Applied {
                let id: u64 = change.cell.holder.id.as_str().parse().unwrap();
                let (title, tags) = (desk.stored(id).title, desk.stored(id).tags);
                let is_there = match (change.cell.field.as_str(), change.cell.key.as_deref()) {
                    ("title", _) => title == format!("New {id}"),
                    ("tags", Some("new")) => tags.contains(&"New".to_owned()),
                    ("tags", _) => !tags.contains(&"Old".to_owned()),
                    (_, Some("custom.care")) => desk.metafield(id, "care").is_none(),
                    _ => desk.metafield(id, "material").as_deref() == Some("Silk"),
                };
                assert!(!is_there, "{good}: {change:?} {field:?}");
            }
        }
        let landed = receipt.fields.iter().filter(|it| it.outcome == ReceiptOutcome::Applied).count();
        eprintln!("{good} good jobs: {landed} of {} landed", receipt.fields.len());
        // Where an earlier job moved the record's time, nobody can say that the later one did not run.
        assert!(landed >= 12, "{good}: {receipt}");
    }
}

#[tokio::test]
async fn a_job_that_could_not_be_asked_for_is_kept_and_settled_when_it_is_over() {
    let (desk, ids) = desk(6).await;
    let before = desk.parts();
    let plan = plan_all(&desk, &ids, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(1000));
    let refused = FaultRule::new(Fault::status(403)).matching(ShopifyFake::asks("BulkOperationState"));
    desk.bench.server.faults().push(refused);
    desk.shop().clear_calls();
    let (push, store) = (pusher(&desk, always()), desk.bench.connector.info().store.clone());
    let receipt = apply(&push, &plan).await;
    assert!(receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Unknown), "{receipt}");
    assert_eq!(desk.state.write_jobs(&store).await.unwrap().len(), 1);
    desk.bench.clock.advance(Duration::from_secs(2000));
    // Its end is known now; what it wrote is read when that is sure to be seen.
    assert!(push.settle().await.unwrap().is_empty());
    assert!(desk.state.write_jobs(&store).await.unwrap().is_empty());
    desk.bench.clock.advance(Duration::from_secs(120));
    let settled = push.settle().await.unwrap();
    assert_eq!(settled.iter().filter(|row| row.outcome == ReceiptOutcome::Applied).count(), 6);
    let receipt = apply(&push, &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_true(&desk, &plan, &receipt, &before);
    assert_eq!((job_starts(&desk), desk.shop().count_calls("metafieldsSet")), (1, 0));
    assert!(written(&desk).values().all(|count| *count == 1), "{:?}", written(&desk));
}

#[tokio::test]
async fn a_cancel_that_is_refused_is_asked_for_again_ever_less_often() {
    // The last one runs for 1000 s past its window: asked after 5, 10, 20, ... 320 and 320 s more.
    for (refused, by_fault, told) in [(3, false, 4), (2, true, 1), (99, false, 9)] {
        let (desk, ids) = desk(20).await;
        let plan = plan_all(&desk, &ids, |id| json!({"title": format!("New {id}")})).await;
        desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(1100));
        if by_fault {
            let asks = ShopifyFake::asks("bulkOperationCancel");
            let rule = FaultRule::new(Fault::status(403)).matching(asks).times(refused);
            desk.bench.server.faults().push(rule);
        } else {
            desk.shop().fail_next_bulk(move |fault| fault.refuses_cancel = refused);
        }
        let push = pusher(&desk, always().unguarded_window(Duration::from_secs(100)));
        let receipt = apply(&push, &plan).await;
        assert!(receipt.is_full_success(), "{receipt}");
        assert_eq!(desk.shop().count_calls("bulkOperationCancel"), told);
        let lines = desk.shop().bulk_lines_run().len();
        assert!(if refused == 99 { lines == 20 } else { lines < 6 }, "{lines} of 20 ran");
    }
}

#[tokio::test]
async fn a_job_with_a_window_that_nobody_can_follow_any_more_is_cancelled_and_one_without_is_left() {
    for (window, asked) in [(Some(Duration::from_secs(3600)), 2), (None, 0)] {
        let (desk, ids) = desk(6).await;
        let change = |id| if window.is_some() { json!({"title": format!("New {id}")}) } else { silk(id) };
        let plan = plan_all(&desk, &ids, change).await;
        desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(1000));
        desk.shop().fail_next_bulk(|fault| fault.refuses_cancel = 1);
        let refused = FaultRule::new(Fault::status(403)).matching(ShopifyFake::asks("BulkOperationState"));
        desk.bench.server.faults().push(refused);
        let mut jobs = always();
        jobs.unguarded_window = window;
        let mut settings = settings(jobs);
        settings.wait_for_unknown = false;
        let receipt = apply(&desk.push.clone().settings(settings), &plan).await;
        assert!(receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Unknown), "{receipt}");
        assert_eq!(desk.shop().count_calls("bulkOperationCancel"), asked);
    }
}

#[tokio::test]
async fn a_push_that_is_cancelled_ends_its_job_and_tells_what_ran() {
    let (desk, ids) = desk(10).await;
    let plan = plan_all(&desk, &ids, silk).await;
    desk.shop().configure_bulk(|bulk| bulk.run_for = Duration::from_secs(100));
    let cancel = Cancel::default();
    let ours = cancel.clone();
    desk.shop().after_request(14, ShopifyFake::asks("BulkOperationState"), move |_| ours.cancel());
    let push = pusher(&desk, always()).cancel(cancel);
    let before = desk.parts();
    let receipt = apply(&push, &plan).await;
    assert_true(&desk, &plan, &receipt, &before);
    assert_eq!(desk.shop().count_calls("bulkOperationCancel"), 1);
    assert_eq!(desk.shop().count_calls("metafieldsSet"), 0);
    let ran = desk.shop().bulk_lines_run().len();
    assert!((2..8).contains(&ran), "{ran}");
    let landed = receipt.fields.iter().filter(|it| it.outcome == ReceiptOutcome::Applied).count();
    assert_eq!(landed, ran, "{receipt}");
    let not_sent = |code: &str| ReceiptOutcome::Rejected(Rejection::NotSent { code: code.to_owned() });
    let others = receipt.fields.iter().filter(|it| it.outcome == not_sent("not_landed")).count();
    assert_eq!(others, 10 - ran, "{receipt}");
}
