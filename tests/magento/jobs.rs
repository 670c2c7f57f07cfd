//! Large pushes by the shop's queue: what lands, what nobody does, and that nothing goes twice.

use std::sync::Arc;
use std::time::Duration;

use lily_connect::connector::{Connector, FoundJob};
use lily_connect::model::{Entity, GuardKind};
use lily_connect::state::MemoryState;
use lily_connect::sync::bulk::BulkUse;
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, JobSettings, Plan, Push, PushSettings, Receipt, ReceiptOutcome,
    Rejection, Settled, UndoOutcome,
};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::magento::{Consumer, GLOBAL, OperationIds, Refusal};
use lily_connect::testkit::traffic::Entry;
use serde_json::{Value, json};

use super::common::{Bench, bench_with};
use super::{Desk, pull};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn bench(products: usize) -> Bench {
    bench_with(
        |builder| builder,
        |store| {
            for number in 0..products {
                store.create(&format!("CAP {number}"), &format!("Cap {number}"), |_| {});
            }
        },
        |settings| settings.queued_writes(true),
    )
    .await
}

/// A desk whose pushes go by job, whatever their size.
fn desk(bench: &Bench) -> Desk {
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let mut desk = Desk::new(bench, connector);
    let mut settings = PushSettings::default();
    settings.jobs = JobSettings::default().when(BulkUse::Always).unguarded_window(DAY);
    desk.push =
        Push::new(desk.connector.clone(), desk.state.clone(), bench.runtime.clone()).settings(settings);
    desk
}

/// A plan of new texts for all products.
async fn plan(bench: &Bench, desk: &Desk, texts: &[(&str, &str)]) -> Plan {
    let (_, records) = pull(&desk.connector, &desk.state, Entity::Product).await;
    let wants = |record: &Value| {
        let mut fields = json!({});
        for (field, text) in texts {
            fields[field] = Desk::text(record, field, text)[field].clone();
        }
        Desk::enrich(bench, record, fields)
    };
    let enrichments: Vec<_> = records.iter().map(wants).collect();
    desk.push.plan(&enrichments).await.unwrap()
}

async fn apply(desk: &Desk, plan: &Plan) -> Receipt {
    desk.push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap()
}

fn is_queued(entry: &Entry) -> bool {
    entry.path.contains("/async/bulk/")
}

fn queued(bench: &Bench) -> usize {
    bench.server.traffic().count_where(is_queued)
}

/// How many saves went by a call of their own.
fn alone(bench: &Bench) -> usize {
    bench.server.traffic().count_where(|entry| entry.method != http::Method::GET && !is_queued(entry))
}

fn names(bench: &Bench) -> Vec<String> {
    let name = |id: u64| bench.store.product(id).unwrap().own(GLOBAL, "name").unwrap().to_owned();
    bench.store.ids().into_iter().map(name).collect()
}

#[tokio::test]
async fn many_products_go_by_one_call_and_come_back() {
    for ids in [OperationIds::Database, OperationIds::Index] {
        let bench = bench(60).await;
        bench.store.set_conditions(|conditions| conditions.operation_ids = ids);
        let desk = desk(&bench);
        let plan = plan(&bench, &desk, &[("title", "A cap"), ("seo.title", "Caps")]).await;
        // One goes while the job is under way: the platform makes no product of its save.
        let gone = bench.store.ids()[7];
        bench.store.before_request(
            2,
            |request| request.path.contains("/async/bulk/"),
            move |store| assert!(store.delete(gone)),
        );
        let before = bench.store.snapshot();
        bench.server.traffic().clear();
        let receipt = apply(&desk, &plan).await;
        // The probe, and the job; what was refused goes alone once, and is not there any more.
        assert_eq!((queued(&bench), alone(&bench)), (2, 0), "{receipt}");
        for (change, field) in plan.changes.iter().zip(&receipt.fields) {
            if change.cell.holder.id.as_str() == gone.to_string() {
                assert_ne!(field.outcome, ReceiptOutcome::Applied);
            } else {
                assert_eq!(field.outcome, ReceiptOutcome::Applied, "{receipt}");
                assert_eq!(field.guard, Some(GuardKind::ReadWriteVerify));
            }
        }
        assert!(names(&bench).iter().all(|name| name == "A cap") && bench.store.product_count() == 59);
        let undone = desk.undo(&bench, receipt.push).await;
        let restored = |(_, outcome): &&(_, UndoOutcome)| *outcome == UndoOutcome::Restored;
        assert_eq!(undone.cells.iter().filter(restored).count(), 59 * 2, "{undone}");
        let kept = before.into_iter().filter(|(id, _)| *id != gone).collect::<Vec<_>>();
        assert_eq!(bench.store.snapshot(), kept);
    }
}

#[tokio::test]
async fn a_bulk_queue_that_nobody_consumes_is_given_one_probe_and_all_goes_alone() {
    let bench = bench(12).await;
    bench.store.set_conditions(|conditions| conditions.consumer = Consumer::Off);
    let desk = desk(&bench);
    let first = plan(&bench, &desk, &[("title", "A cap")]).await;
    bench.server.traffic().clear();
    let receipt = apply(&desk, &first).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((queued(&bench), alone(&bench)), (1, 12));
    // What was found holds for a while.
    let second = plan(&bench, &desk, &[("title", "Another cap")]).await;
    let receipt = apply(&desk, &second).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((queued(&bench), alone(&bench)), (1, 24));
    // The consumer that comes later finds nothing of ours but the probe, which changes nothing.
    let before = bench.store.snapshot();
    bench.store.set_conditions(|conditions| conditions.consumer = Consumer::Every(Duration::from_secs(1)));
    bench.clock.advance(Duration::from_secs(3600));
    pull(&desk.connector, &desk.state, Entity::Product).await;
    assert_eq!(bench.store.snapshot(), before);
}

/// A queue that stops behind the probe, with a job of three products in it that nobody does.
async fn stopped(bench: &Bench, desk: &Desk) -> (Plan, Receipt) {
    let plan = plan(bench, desk, &[("title", "A cap")]).await;
    bench.store.before_request(
        2,
        |request| request.path.contains("/async/bulk/"),
        |store| store.set_conditions(|conditions| conditions.consumer = Consumer::Off),
    );
    bench.server.traffic().clear();
    let receipt = apply(desk, &plan).await;
    assert_eq!((queued(bench), alone(bench)), (2, 0), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Unknown), "{receipt}");
    assert_eq!(names(bench), ["Cap 0", "Cap 1", "Cap 2"]);
    (plan, receipt)
}

/// What becomes of the unknown: a job is asked for its end, and what it left is read once enough time has passed.
async fn settled(bench: &Bench, desk: &Desk) -> Vec<Settled> {
    let mut settled = Vec::new();
    for _ in 0..4 {
        bench.clock.advance(Duration::from_secs(600));
        settled.extend(desk.push.settle().await.unwrap());
    }
    settled
}

#[tokio::test]
async fn what_was_accepted_and_never_done_is_unknown_and_is_not_sent_again() {
    let bench = bench(3).await;
    let desk = desk(&bench);
    let (first, _) = stopped(&bench, &desk).await;
    // It may still be done: its records take no other write.
    bench.clock.advance(Duration::from_secs(3600));
    let again = plan(&bench, &desk, &[("title", "Another cap")]).await;
    let unsettled = ChangeVerdict::Conflict(Conflict::Unsettled);
    assert!(again.changes.iter().all(|change| change.verdict == unsettled), "{again}");
    assert!(!apply(&desk, &first).await.is_full_success());
    assert_eq!((queued(&bench), alone(&bench)), (2, 0));
    // The consumer comes back, and does it after all.
    bench.store.set_conditions(|conditions| conditions.consumer = Consumer::Every(Duration::from_secs(1)));
    let settled = settled(&bench, &desk).await;
    assert_eq!(settled.len(), 3);
    assert!(settled.iter().all(|row| row.outcome == ReceiptOutcome::Applied), "{settled:?}");
    assert_eq!(names(&bench), ["A cap"; 3]);
    assert_eq!((queued(&bench), alone(&bench)), (2, 0));
}

#[tokio::test]
async fn a_job_that_stands_for_a_day_is_given_up_and_a_read_says_what_became_of_it() {
    let bench = bench(3).await;
    let desk = desk(&bench);
    stopped(&bench, &desk).await;
    bench.clock.advance(DAY);
    let settled = settled(&bench, &desk).await;
    let not_landed = ReceiptOutcome::Rejected(Rejection::NotSent { code: "not_landed".to_owned() });
    assert!(settled.iter().all(|row| row.outcome == not_landed), "{settled:?}");
    assert_eq!(settled.len(), 3);
}

#[tokio::test]
async fn a_slow_queue_is_waited_for() {
    let bench = bench(40).await;
    bench.store.set_conditions(|conditions| conditions.consumer = Consumer::Every(Duration::from_secs(60)));
    let desk = desk(&bench);
    let plan = plan(&bench, &desk, &[("title", "A cap")]).await;
    bench.server.traffic().clear();
    let receipt = apply(&desk, &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((queued(&bench), alone(&bench)), (2, 0));
}

#[tokio::test]
async fn what_an_operation_fails_at_is_told_of_its_record_alone() {
    let bench = bench(5).await;
    let desk = desk(&bench);
    let plan = plan(&bench, &desk, &[("title", "A cap")]).await;
    bench.store.after_request(
        1,
        |request| request.path.contains("/async/bulk/"),
        |store| {
            for refusal in [Refusal::Report, Refusal::Report, Refusal::Deadlock] {
                store.refuse_operation(refusal);
            }
        },
    );
    let receipt = apply(&desk, &plan).await;
    let codes: Vec<String> = receipt
        .fields
        .iter()
        .filter_map(|field| match &field.outcome {
            ReceiptOutcome::Rejected(Rejection::Refused { code }) => Some(code.clone()),
            _ => None,
        })
        .collect();
    // The probe and the job's own first operation take the first two.
    assert_eq!(codes, ["operation_failed_for_now"], "{receipt}");
    assert_eq!(names(&bench).iter().filter(|name| *name == "A cap").count(), 4);
}

#[tokio::test]
async fn a_job_whose_start_had_no_answer_is_found_by_its_name() {
    let bench = bench(5).await;
    let desk = desk(&bench);
    let plan = plan(&bench, &desk, &[("title", "A cap")]).await;
    let rule = FaultRule::new(Fault::Reset(When::After)).matching(|request| {
        request.path.contains("/async/bulk/") && request.body.windows(3).any(|word| word == b"CAP")
    });
    bench.server.faults().push(rule.times(1));
    bench.server.traffic().clear();
    let began = bench.runtime.clock().elapsed();
    let receipt = apply(&desk, &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((queued(&bench), alone(&bench)), (2, 0));
    // Found, and not waited for until reads could tell.
    assert!(bench.runtime.clock().elapsed() - began < Duration::from_secs(60));
    let jobs = desk.connector.write_jobs().unwrap();
    let since = bench.runtime.clock().now();
    assert_eq!(jobs.find("nobody", since).await.unwrap(), FoundJob::None);
}

#[tokio::test]
async fn jobs_are_not_used_where_the_settings_do_not_allow_them() {
    let bench = bench(3).await;
    let connector = bench.again(|settings| settings).await;
    assert!(connector.write_jobs().is_none());
    let state = Arc::new(MemoryState::new());
    drop(pull(&(connector as Arc<dyn Connector>), &(state as Arc<_>), Entity::Product).await);
}

#[tokio::test]
async fn labels_never_go_by_a_queue() {
    use lily_connect::model::{Cell, CellValue, FieldName, RecordRef};
    let bench = bench(3).await;
    let jobs = bench.connector.write_jobs().unwrap();
    let target = RecordRef::new(lily_connect::connectors::magento::PLATFORM, Entity::Product, "1");
    let guard = |field| jobs.guard(&Cell::new(target.clone(), FieldName::new(field)), &CellValue::text("x"));
    assert_eq!((guard("media.alt"), guard("title")), (None, Some(GuardKind::ReadWriteVerify)));
}

#[tokio::test]
async fn a_shop_without_a_queue_takes_all_one_by_one() {
    let bench = bench(4).await;
    bench.store.set_conditions(|conditions| conditions.without_async = true);
    let desk = desk(&bench);
    let plan = plan(&bench, &desk, &[("title", "A cap")]).await;
    bench.server.traffic().clear();
    let receipt = apply(&desk, &plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!((queued(&bench), alone(&bench)), (1, 4));
}
