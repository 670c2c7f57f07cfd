//! Plan, apply and write, rule by rule, on the fake WooCommerce (P1 to P5, W1 to W5 and W8).
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::field_reassign_with_default,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::sync::Arc;
use std::time::Duration;

use common::{bench_with, connect};
use desk::Desk;
use lily_connect::model::{GuardKind, Reversible};
use lily_connect::state::{MemoryState, Outcome, RowQuery};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Plan, Push, PushSettings, ReceiptOutcome, Rejection, UndoOutcome,
    Warning,
};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::woocommerce::{Permissions, Role, Taxonomy};
use lily_connect::time::Clock as _;
use serde_json::json;

fn is_write(request: &Request) -> bool {
    request.method == http::Method::POST
}

fn is_read_by_id(request: &Request) -> bool {
    let last = request.path.rsplit('/').next().unwrap_or_default();
    request.method == http::Method::GET && last.bytes().all(|byte| byte.is_ascii_digit())
}

#[tokio::test]
async fn p1_planning_sends_no_write_and_a_plan_carries_what_a_review_needs() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let first = desk.land(&desk.title(&record, "First")).await;
    desk.bench.server.traffic().clear();
    let description =
        json!({"value": "<p>x<script>alert(1)</script></p>", "base": record["base"]["description"]});
    let fields = json!({"title": {"value": "Second", "expect": "force"}, "description": description});
    let plan = desk.plan(&desk.enrich(&record, fields)).await;
    assert_eq!(desk.writes(), 0);
    assert!(desk.bench.server.traffic().requests() > 0);
    assert_eq!(plan.store, desk.bench.connector.info().store);
    let [description, title] = plan.changes.as_slice() else { panic!("{plan}") };
    assert_eq!(title.seen.as_text(), Some("First"));
    let rows = desk.state.rows(&plan.store, &RowQuery::Push(first)).await.unwrap();
    assert_eq!(title.latest, Some(rows[0].id));
    assert_eq!(title.reversible, Reversible::Yes);
    assert_eq!(description.ours.as_text(), Some("<p>x</p>"), "what is shown is what would be sent");
    assert_eq!(description.notes.len(), 1);
    // A plan is a value: its JSON is the plan, and a changed one is refused.
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    let forged: Plan = serde_json::from_str(&json.replace("Second", "Forged")).unwrap();
    let error = desk.push.apply(&forged, &Approvals::AllowUnreviewed).await.unwrap_err();
    assert_eq!(error.code(), "plan_changed");
}

#[tokio::test]
async fn p1_a_plan_is_refused_elsewhere_and_past_its_expiry() {
    let desk = Desk::new().await;
    let plan = desk.plan(&desk.title(&desk.pulled().await, "Ours")).await;
    let other = Desk::new().await;
    let error = other.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap_err();
    assert_eq!(error.code(), "plan_foreign");
    desk.wait(24 * 3600 + 1);
    let error = desk.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap_err();
    assert_eq!(error.code(), "plan_expired");
    assert_eq!(desk.writes() + other.writes(), 0);
}

#[tokio::test]
async fn p1_two_values_for_one_cell_contradict_each_other() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let both = [desk.title(&record, "One"), desk.title(&record, "Two")];
    let plan = desk.push.plan(&both).await.unwrap();
    let contradiction = ChangeVerdict::Rejected(Rejection::Contradiction);
    assert!(plan.changes.iter().all(|change| change.verdict == contradiction), "{plan}");
    // The same value under the field's normaliser is one value.
    let same = [desk.title(&record, "One"), desk.title(&record, " One ")];
    assert_eq!(desk.push.plan(&same).await.unwrap().to_apply().count(), 1);
}

#[tokio::test]
async fn p1_a_change_without_a_clear_meaning_is_refused() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    for fields in [
        json!({}),
        json!({"title": {}}),
        json!({"title": {"value": "x", "edit": {"add": ["x"]}}}),
        json!({"title": {"edit": {"add": ["x"]}}}),
        json!({"title": {"value": 7}}),
        json!({"tags": {"value": "x"}}),
        json!({"tags": {"edit": {}}}),
    ] {
        let verdict = desk.verdict(&desk.enrich(&record, fields.clone())).await;
        assert_eq!(verdict, ChangeVerdict::Rejected(Rejection::WrongKind), "{fields}");
    }
    let unwritable = desk.verdict(&desk.enrich(&record, json!({"sku": {"value": "x"}}))).await;
    assert_eq!(unwritable, ChangeVerdict::Rejected(Rejection::NotWritable));
    let mut foreign = desk.title(&record, "x");
    foreign.locale = Some("de-DE".into());
    assert_eq!(desk.verdict(&foreign).await, ChangeVerdict::Rejected(Rejection::ForeignLocale));
    let mut foreign = desk.title(&record, "x");
    foreign.scope = Some("outlet".into());
    assert_eq!(desk.verdict(&foreign).await, ChangeVerdict::Rejected(Rejection::ForeignLocale));
}

#[tokio::test]
async fn p2_without_its_own_approval_nothing_is_sent() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let fields = json!({
        "title": {"value": "Ours", "base": record["base"]["title"]},
        "description": {"value": "<p>Ours</p>", "base": record["base"]["description"]},
    });
    let plan = desk.plan(&desk.enrich(&record, fields)).await;
    let other = desk.plan(&desk.title(&record, "Other")).await;
    let receipt = desk.push.apply(&plan, &Approvals::Only(other.approve_all())).await.unwrap();
    assert!(receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::NotApproved), "{receipt}");
    assert_eq!(desk.writes(), 0);
    let one = plan.approve_all().into_iter().filter(|approval| approval.change == 1).collect();
    let receipt = desk.push.apply(&plan, &Approvals::Only(one)).await.unwrap();
    let outcomes: Vec<_> = receipt.fields.iter().map(|field| field.outcome.clone()).collect();
    assert_eq!(outcomes, [ReceiptOutcome::NotApproved, ReceiptOutcome::Applied]);
    assert_eq!((desk.name().as_str(), desk.stored().description.as_str()), ("Ours", "<p>Long</p>"));
}

#[tokio::test]
async fn p3_what_moved_between_plan_and_apply_is_stale_under_any_too() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let force = desk.enrich(&record, json!({"title": {"value": "Forced", "expect": "force"}}));
    let plan = desk.plan(&force).await;
    desk.rename("Edited");
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::PlanStale));
    assert_eq!((desk.writes(), desk.name().as_str()), (0, "Edited"));
}

#[tokio::test]
async fn p4_the_same_plan_twice_finds_its_own_rows() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let first = desk.apply(&plan).await;
    let second = desk.apply(&plan).await;
    assert_eq!(second.fields[0].outcome, ReceiptOutcome::AlreadyApplied { push: first.push });
    assert_eq!(desk.writes(), 1);
    // After an undo the same content is a new write, and this plan is not the one that may make it.
    assert_eq!(desk.undo(first.push).await, UndoOutcome::Restored);
    assert_eq!(desk.apply(&plan).await.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::PlanStale));
    desk.land(&desk.title(&desk.pulled().await, "Ours")).await;
    assert_eq!(desk.writes(), 3);
}

#[tokio::test]
async fn p4_a_push_overtaken_before_it_was_sent_says_by_which() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let late = desk.plan(&desk.title(&record, "Late")).await;
    let push = desk.land(&desk.title(&record, "Early")).await;
    let receipt = desk.apply(&late).await;
    let overtaken = ReceiptOutcome::Conflict(Conflict::SupersededBeforeSent { push });
    assert_eq!(receipt.fields[0].outcome, overtaken);
    assert_eq!(desk.name(), "Early");
}

#[tokio::test]
async fn p5_applying_changes_exactly_the_planned_fields() {
    let desk = Desk::with(Arc::new(MemoryState::new()), |product| {
        product.sku = "S-1".to_owned();
        product.regular_price = "12.50".to_owned();
        product.weight = "1.5".to_owned();
    })
    .await;
    let record = desk.pulled().await;
    let before = desk.bytes();
    desk.land(&desk.title(&record, "Ours")).await;
    let mut expected = before.clone();
    expected["name"] = json!("Ours");
    // The editor's suggestion, made anew of the name for each answer; the slug itself stays.
    expected["generated_slug"] = json!("ours");
    assert_eq!(desk.bytes(), expected);
}

#[tokio::test]
async fn p5_a_refusal_of_the_platform_is_rejected_with_its_code() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let key = desk.bench.store.issue_key("reader", Permissions::Read, Role::Manager);
    let connector = connect(&desk.bench.server.url(), &key, &desk.bench.runtime).await;
    let push = Push::new(connector, desk.state.clone(), desk.bench.runtime.clone());
    let plan = push.plan(&[desk.title(&record, "Ours")]).await.unwrap();
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    let refused = Rejection::Refused { code: "key_cannot_write".to_owned() };
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Rejected(refused));
    assert_eq!(desk.name(), "Old");
}

#[tokio::test]
async fn p5_a_record_whose_guard_read_fails_leaves_the_others_their_receipts() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let other = desk.bench.store.create("Second", |_| {});
    let mut second = desk.enrich(&record, json!({"title": {"value": "Ours 2", "expect": "force"}}));
    second.target.id = other.to_string().into();
    let plan = desk.push.plan(&[desk.title(&record, "Ours 1"), second]).await.unwrap();
    let faults = desk.bench.server.faults();
    faults.push(FaultRule::new(Fault::status(403)).on_method("GET").on_path(&format!("/products/{other}")));
    let mut one_by_one = PushSettings::default();
    one_by_one.batch = std::num::NonZeroU32::MIN;
    let push = desk.push.clone().settings(one_by_one);
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied);
    let not_sent = matches!(receipt.fields[1].outcome, ReceiptOutcome::Rejected(Rejection::NotSent { .. }));
    assert!(not_sent, "{receipt}");
}

#[tokio::test]
async fn w1_the_intent_is_committed_before_the_first_byte_leaves() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let (state, store) = (desk.state.clone(), desk.bench.connector.info().store.clone());
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = seen.clone();
    let handle = tokio::runtime::Handle::current();
    desk.bench.store.before_request(1, is_write, move |_| {
        // The state in memory answers at once, so that the server's thread does not wait.
        let rows = std::thread::spawn(move || handle.block_on(state.rows(&store, &RowQuery::Unsettled)));
        *kept.lock().unwrap() = rows.join().unwrap().unwrap();
    });
    desk.land(&desk.title(&record, "Ours")).await;
    let rows = seen.lock().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].outcome, Outcome::Intent);
    assert_eq!((rows[0].before.as_text(), rows[0].sent.as_text()), (Some("Old"), Some("Ours")));
    assert!(rows[0].stamp.is_some());
    assert!(rows[0].send_by > rows[0].at);
}

#[tokio::test]
async fn w2_a_plain_write_without_an_answer_is_never_repeated_blindly() {
    for fault in [
        Fault::Reset(When::Before),
        Fault::Reset(When::After),
        Fault::status(502),
        Fault::status_after(502),
        Fault::status(504),
        Fault::status_after(500),
    ] {
        let desk = Desk::new().await;
        let record = desk.pulled().await;
        desk.bench.server.traffic().clear();
        desk.bench.server.faults().push(FaultRule::new(fault).on_method("POST"));
        let outcome = desk.outcome(&desk.title(&record, "Ours")).await;
        assert_eq!(desk.writes(), 1, "{fault:?}");
        // The answer was lost, and a late read told what became of the write.
        let landed = desk.name() == "Ours";
        assert_eq!(outcome == ReceiptOutcome::Applied, landed, "{fault:?}: {outcome:?}");
        let not_landed = ReceiptOutcome::Rejected(Rejection::NotSent { code: "not_landed".to_owned() });
        assert!(landed || outcome == not_landed, "{fault:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn w3_past_its_window_a_write_is_guarded_anew() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let wait = Fault::TooMany { retry_after: Some(20) };
    desk.bench.server.faults().push(FaultRule::new(wait).on_method("POST"));
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    desk.bench.server.traffic().clear();
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied, "{receipt}");
    let reads = desk.bench.server.traffic().count(&http::Method::GET);
    assert_eq!((desk.writes(), reads), (2, 3), "guard, refused, guard, write, verify");
    assert!(receipt.fields[0].window_ms.unwrap() <= 5000, "{receipt}");
}

#[tokio::test]
async fn w3_a_batch_that_is_guarded_anew_and_then_lost_goes_alone_once() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let other = desk.bench.store.create("Second", |_| {});
    let mut second = desk.enrich(&record, json!({"title": {"value": "Ours 2", "expect": "force"}}));
    second.target.id = other.to_string().into();
    let plan = desk.push.plan(&[desk.title(&record, "Ours 1"), second]).await.unwrap();
    let faults = desk.bench.server.faults();
    faults.push(FaultRule::new(Fault::TooMany { retry_after: Some(20) }).on_method("POST"));
    faults.push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST"));
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(desk.writes(), 4, "refused, lost, then each alone");
    let store = desk.bench.connector.info().store.clone();
    let rows = desk.state.rows(&store, &RowQuery::Push(receipt.push)).await.unwrap();
    assert_eq!(rows.len(), 6, "one row a change in each of three tries");
}

#[tokio::test]
async fn w3_an_edit_while_a_write_waited_is_not_overwritten() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let wait = Fault::TooMany { retry_after: Some(20) };
    desk.bench.server.faults().push(FaultRule::new(wait).on_method("POST"));
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let id = desk.id;
    // The second guard read.
    desk.bench.store.before_request(2, is_read_by_id, move |store| {
        store.edit(id, |product| "Edited".clone_into(&mut product.name));
    });
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::PlanStale), "{receipt}");
    assert_eq!(desk.name(), "Edited");
}

/// The store may have read the record as soon as it was asked.
#[tokio::test]
async fn w3_the_time_of_a_slow_guard_read_counts_against_its_window() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.bench
        .server
        .faults()
        .push(FaultRule::new(Fault::TooMany { retry_after: Some(2) }).on_method("POST"));
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    desk.bench.server.traffic().clear();
    let clock = desk.bench.clock.clone();
    desk.bench.store.before_request(1, is_read_by_id, move |_| clock.advance(Duration::from_secs(4)));
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied, "{receipt}");
    let reads = desk.bench.server.traffic().count(&http::Method::GET);
    assert_eq!((desk.writes(), reads), (2, 3), "guard, refused, guard, write, verify");
}

#[tokio::test]
async fn w4_guard_and_verify_reads_go_by_id_and_past_caches() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    desk.bench.server.traffic().clear();
    desk.apply(&plan).await;
    let log = desk.bench.server.traffic().log();
    let reads: Vec<_> = log.iter().filter(|entry| !entry.is_write()).collect();
    assert_eq!(reads.len(), 2);
    for read in &reads {
        assert!(read.path.ends_with(&format!("/products/{}", desk.id)), "{read:?}");
        assert!(read.query.contains("context=edit") && read.query.contains("_skip_cache=1"), "{read:?}");
    }
    assert_ne!(reads[0].query, reads[1].query);
}

#[tokio::test]
async fn w5_a_lost_update_is_reverted_and_never_learned_as_landed() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.bench.store.set_conditions(|conditions| conditions.lost_update = true);
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::Reverted));
    let rows = desk.state.rows(&plan.store, &RowQuery::Push(receipt.push)).await.unwrap();
    assert!(matches!(rows[0].outcome, Outcome::NotLanded { .. }), "{:?}", rows[0].outcome);
}

#[tokio::test]
async fn w5_a_read_back_beyond_the_normaliser_is_never_learned_as_landed() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let id = desk.id;
    // A plugin that shouts.
    desk.bench.store.after_request(1, is_write, move |store| {
        store.edit_in_silence(id, |product| product.name = product.name.to_uppercase());
    });
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::ReadBackDiffers));
    let rows = desk.state.rows(&plan.store, &RowQuery::Push(receipt.push)).await.unwrap();
    assert!(matches!(rows[0].outcome, Outcome::NotLanded { .. }), "{:?}", rows[0].outcome);
    // It taught nothing: what is there is an edit, and not ours.
    assert_eq!(
        desk.verdict(&desk.title(&record, "Ours")).await,
        ChangeVerdict::Conflict(Conflict::EditedSince)
    );
}

#[tokio::test]
async fn w7_a_second_writer_waits_for_the_lease() {
    let desk = Desk::new().await;
    let plan = desk.plan(&desk.title(&desk.pulled().await, "Ours")).await;
    let now = desk.bench.clock.now();
    let until = now.saturating_add(Duration::from_secs(60));
    desk.state.lease(&plan.store, "another", now, until).await.unwrap();
    let error = desk.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap_err();
    assert_eq!((error.code(), desk.writes()), ("lease_held", 0));
    desk.wait(61);
    assert!(desk.apply(&plan).await.is_full_success());
}

/// What is read before a write may take nearly as long as the lease lasts.
#[tokio::test]
async fn w7_the_lease_holds_for_as_long_as_a_byte_may_leave() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let mut patient = PushSettings::default();
    patient.guard_window = Duration::from_secs(120);
    let push = desk.push.clone().settings(patient);
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let clock = desk.bench.clock.clone();
    desk.bench.store.before_request(1, is_read_by_id, move |_| clock.advance(Duration::from_secs(50)));
    let (state, store) = (desk.state.clone(), plan.store.clone());
    let (clock, handle) = (desk.bench.clock.clone(), tokio::runtime::Handle::current());
    let rival = Arc::new(std::sync::Mutex::new(None));
    let seen = rival.clone();
    desk.bench.store.before_request(1, is_write, move |_| {
        // The last moment at which it could leave.
        clock.advance(Duration::from_secs(29));
        let (now, until) = (clock.now(), clock.now().saturating_add(Duration::from_secs(60)));
        let lease =
            std::thread::spawn(move || handle.block_on(state.lease(&store, "another", now, until)).map(drop));
        *seen.lock().unwrap() = Some(lease.join().unwrap());
    });
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied, "{receipt}");
    assert_eq!(rival.lock().unwrap().take().unwrap().unwrap_err().code(), "lease_held");
}

#[tokio::test]
async fn w8_a_field_that_moved_across_our_write_is_reported() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let id = desk.id;
    desk.bench.store.before_request(1, is_write, move |store| {
        let tag = store.add_term(Taxonomy::Tag, "Rival");
        store.edit(id, |product| {
            product.sku = "MOVED".to_owned();
            product.tags.push(tag);
        });
    });
    let fields = json!({
        "title": {"value": "Ours", "base": record["base"]["title"]},
        "tags": {"edit": {"add": ["Mine"]}, "base_keys": record["base"]["tags"]},
    });
    let plan = desk.plan(&desk.enrich(&record, fields)).await;
    let receipt = desk.apply(&plan).await;
    for field in &receipt.fields {
        let moved = |name: &str| Warning::SiblingMoved { field: name.to_owned() };
        // The rival's tag was lost, since this platform replaces whole lists without a precondition; the
        // list as it was before our write shows no trace of it.
        assert_eq!(field.warnings, [moved("sku")], "{receipt}");
        assert_eq!(field.guard, Some(GuardKind::ReadWriteVerify));
        assert!(field.window_ms.is_some());
    }
}

#[tokio::test]
async fn w8_another_key_of_a_list_that_moved_is_reported() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let id = desk.id;
    desk.bench.store.after_request(1, is_write, move |store| {
        let tag = store.add_term(Taxonomy::Tag, "Rival");
        store.edit(id, |product| product.tags.push(tag));
    });
    let plan = desk.plan(&desk.tags(&record, json!({"add": ["Mine"]}))).await;
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].warnings, [Warning::SiblingMoved { field: "tags".to_owned() }]);
}

#[tokio::test]
async fn p1_a_record_that_is_gone_is_a_conflict() {
    let bench = bench_with(|_| {}).await;
    let push = Push::new(bench.connector.clone(), Arc::new(MemoryState::new()), bench.runtime.clone());
    let enrichment = serde_json::from_value(json!({
        "ref": {"platform": "woocommerce", "kind": "product", "id": "4711"},
        "made_at": bench.runtime.clock().now(),
        "fields": {"title": {"value": "x", "expect": "force"}},
    }))
    .unwrap();
    let plan = push.plan(&[enrichment]).await.unwrap();
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Conflict(Conflict::Gone));
}

/// The platform stores all three texts anew when one is written, and takes a level of backslashes off each.
#[tokio::test]
async fn w8_a_push_of_one_text_leaves_the_backslashes_of_the_others() {
    let desk = Desk::with(Arc::new(MemoryState::new()), |product| {
        product.description = "<p>C:\\new \\\\ and \\alpha</p>".to_owned();
        product.short_description = "<p>plain</p>".to_owned();
    })
    .await;
    let record = desk.pulled().await;
    let before = desk.stored();
    desk.land(&desk.title(&record, "Another")).await;
    assert_eq!(desk.stored().description, before.description);
    assert_eq!(desk.stored().short_description, before.short_description);
}

/// A lost write to one text may still land, and rewrite the others: the product waits for it.
#[tokio::test]
async fn w6_until_a_lost_write_is_settled_the_products_other_texts_take_none() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let description = json!({"description": {"value": "<p>New</p>", "base": record["base"]["description"]}});
    let plan = desk.plan(&desk.enrich(&record, description)).await;
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST").times(1));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let impatient = desk.push.clone().settings(settings);
    let lost = impatient.plan(&[desk.title(&record, "Lost")]).await.unwrap();
    let receipt = impatient.apply(&lost, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);
    let receipt = impatient.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::Unsettled));
}
