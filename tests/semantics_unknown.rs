//! Lost answers and crashes (`docs/semantics.md`, W1 and W6): nothing is guessed, a late read decides.
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
#[path = "common/fenced.rs"]
mod fenced;

use std::sync::Arc;
use std::time::Duration;

use desk::{Desk, Tampered};
use fenced::Fenced;
use lily_connect::state::{Outcome, RowQuery, SqliteState, StateStore};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Push, PushSettings, Receipt, ReceiptOutcome, Rejection, UndoOutcome,
};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::time::Clock as _;
use serde_json::{Value, json};

impl Desk {
    /// A push of the title whose answer is lost, before or after its effect.
    async fn lose(&self, record: &Value, when: When) -> Receipt {
        let mut settings = PushSettings::default();
        settings.wait_for_unknown = false;
        self.bench.server.faults().push(FaultRule::new(Fault::Reset(when)).on_method("POST"));
        let plan = self.plan(&self.title(record, "Ours")).await;
        let push = self.push.clone().settings(settings);
        let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
        assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown, "{receipt}");
        receipt
    }

    async fn settled(&self) -> Vec<ReceiptOutcome> {
        let settled = self.push.settle().await.unwrap();
        settled.into_iter().map(|settled| settled.outcome).collect()
    }
}

/// A lost answer, what the merchant does meanwhile, and what a read 90 s later says.
async fn settles_as(when: When, meanwhile: impl FnOnce(&Desk), expected: ReceiptOutcome) {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.lose(&record, when).await;
    meanwhile(&desk);
    desk.wait(60);
    assert_eq!(desk.settled().await, [], "not before the time is over");
    desk.wait(40);
    desk.bench.server.traffic().clear();
    assert_eq!(desk.settled().await, [expected]);
    assert_eq!(desk.writes(), 0, "settling sends no write");
    assert_eq!(desk.settled().await, [], "settled once");
}

#[tokio::test]
async fn w6_what_was_sent_is_there_so_it_landed() {
    settles_as(When::After, |_| {}, ReceiptOutcome::Applied).await;
}

#[tokio::test]
async fn w6_what_landed_is_found_days_later_and_not_given_up() {
    let desk = Desk::new().await;
    desk.lose(&desk.pulled().await, When::After).await;
    desk.wait(3 * 24 * 3600);
    assert_eq!(desk.settled().await, [ReceiptOutcome::Applied]);
}

#[tokio::test]
async fn w6_what_was_before_is_there_and_the_stamp_stands_so_it_did_not_land() {
    let not_landed = Rejection::NotSent { code: "not_landed".to_owned() };
    settles_as(When::Before, |_| {}, ReceiptOutcome::Rejected(not_landed)).await;
}

#[tokio::test]
async fn w6_what_was_before_is_there_but_the_stamp_moved_so_it_may_have_been_reverted() {
    let reverted = ReceiptOutcome::Conflict(Conflict::MaybeReverted);
    settles_as(When::After, |desk| desk.rename("Old"), reverted.clone()).await;
    // Another field of the product moved: the same stamp, so nobody can tell.
    let other = |desk: &Desk| desk.edit(|product| product.sku = "S".to_owned());
    settles_as(When::Before, other, reverted).await;
}

#[tokio::test]
async fn w6_anything_else_is_an_edit() {
    let edited = ReceiptOutcome::Conflict(Conflict::EditedSince);
    settles_as(When::After, |desk| desk.rename("Edited"), edited.clone()).await;
    settles_as(When::Before, |desk| desk.rename("Edited"), edited).await;
}

#[tokio::test]
async fn w6_a_record_that_is_gone_is_said_to_be_gone() {
    let gone = |desk: &Desk| assert!(desk.bench.store.delete(desk.id));
    settles_as(When::After, gone, ReceiptOutcome::Conflict(Conflict::Gone)).await;
}

#[tokio::test]
async fn w6_a_record_that_cannot_be_read_stays_unsettled() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let receipt = desk.lose(&record, When::After).await;
    desk.wait(100);
    desk.bench.server.faults().push(FaultRule::new(Fault::status(403)).on_method("GET"));
    assert_eq!(desk.push.settle().await.unwrap(), []);
    let store = &desk.bench.connector.info().store;
    let rows = desk.state.rows(store, &RowQuery::Push(receipt.push)).await.unwrap();
    assert!(matches!(rows[0].outcome, Outcome::Unknown { .. }));
    assert_eq!(desk.settled().await, [ReceiptOutcome::Applied]);
}

#[tokio::test]
async fn w6_a_record_that_is_there_and_cannot_be_mapped_stays_unsettled() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.lose(&record, When::After).await;
    desk.wait(100);
    let broken = Tampered::new(desk.bench.connector.clone(), |_, _, mut page| {
        for items in &mut page.items {
            let body = String::from_utf8(items.body.to_vec()).unwrap();
            items.body = body.replace("\"name\":\"Ours\"", "\"name\":\"\\ud800\"").into();
        }
        page
    });
    let push = Push::new(Arc::new(broken), desk.state.clone(), desk.bench.runtime.clone());
    assert_eq!(push.settle().await.unwrap(), []);
    assert_eq!(desk.settled().await, [ReceiptOutcome::Applied]);
}

#[tokio::test]
async fn w6_until_it_is_settled_the_cell_takes_no_write_and_no_undo() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let receipt = desk.lose(&record, When::After).await;
    let force = desk.enrich(&record, json!({"title": {"value": "Forced", "expect": "force"}}));
    assert_eq!(desk.verdict(&force).await, ChangeVerdict::Conflict(Conflict::Unsettled));
    assert_eq!(desk.undo(receipt.push).await, UndoOutcome::Unsettled);
    assert_eq!(desk.name(), "Ours");
    desk.wait(100);
    // Undo settles first, and then finds that it landed.
    assert_eq!(desk.undo(receipt.push).await, UndoOutcome::Restored);
    assert_eq!(desk.name(), "Old");
}

#[tokio::test]
async fn w6_apply_waits_for_a_lost_answer_unless_told_otherwise() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.bench.server.faults().push(FaultRule::new(Fault::status_after(502)).on_method("POST"));
    assert_eq!(desk.outcome(&desk.title(&record, "Ours")).await, ReceiptOutcome::Applied);
    let slept: Duration = desk.bench.clock.slept().iter().sum();
    assert!(slept >= Duration::from_secs(90), "{slept:?}");
}

#[tokio::test]
async fn w5_a_verify_read_that_fails_leaves_the_outcome_unknown() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    // The guard read passes, the verify read does not.
    desk.bench.server.faults().push(FaultRule::new(Fault::status(403)).on_method("GET").after(1));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let push = desk.push.clone().settings(settings);
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);
    desk.wait(100);
    assert_eq!(desk.settled().await, [ReceiptOutcome::Applied]);
}

/// Drops an apply in the middle of its write, and begins anew on the same file.
async fn crash(lands: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let desk = Desk::with(Arc::new(SqliteState::open(&path).unwrap()), |_| {}).await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let mut hung = Tampered::new(desk.bench.connector.clone(), |_, _, page| page);
    let reached = Arc::new(tokio::sync::Notify::new());
    hung.hang = Some((reached.clone(), lands));
    let push = Push::new(Arc::new(hung), desk.state.clone(), desk.bench.runtime.clone());
    tokio::select! {
        () = reached.notified() => {}
        receipt = push.apply(&plan, &Approvals::AllowUnreviewed) => panic!("{receipt:?}"),
    }
    let Desk { bench, state, push: first, id } = desk;
    drop((state, first, push));
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
    let push = Push::new(bench.connector.clone(), state.clone(), bench.runtime.clone());
    let desk = Desk { bench, state, push, id };

    let rows = desk.state.rows(&plan.store, &RowQuery::Unsettled).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].outcome, Outcome::Intent);
    // It counts as Unknown: the cell takes nothing, and nothing is settled before send_by + settle_after.
    let force = desk.enrich(&record, json!({"title": {"value": "Forced", "expect": "force"}}));
    desk.wait(100);
    assert_eq!(desk.verdict(&force).await, ChangeVerdict::Conflict(Conflict::Unsettled));
    desk.wait(20);
    // Settled before anything else: the verdict knows what became of it.
    desk.bench.server.traffic().clear();
    let next = desk.title(&record, "Next");
    let verdict = desk.verdict(&next).await;
    // Its commit counts, which is the one that settled it: an enrichment that was made before knew nothing of it.
    let superseded = ChangeVerdict::Conflict(Conflict::SupersededByOurs { push: rows[0].push });
    assert_eq!(verdict, if lands { superseded } else { ChangeVerdict::Apply });
    assert_eq!(desk.writes(), 0);
    let rows = desk.state.rows(&plan.store, &RowQuery::Push(rows[0].push)).await.unwrap();
    assert_eq!(rows[0].outcome.landed_at().is_some(), lands, "{:?}", rows[0].outcome);
    assert_eq!(desk.name(), if lands { "Ours" } else { "Old" });
    desk.land(&desk.title(&record, "Next")).await;
    assert_eq!(desk.name(), "Next");
}

#[tokio::test]
async fn w1_an_intent_found_after_a_crash_whose_write_landed_is_settled_first() {
    crash(true).await;
}

#[tokio::test]
async fn w1_an_intent_found_after_a_crash_whose_write_never_left_is_settled_first() {
    crash(false).await;
}

#[tokio::test]
async fn w7_who_settles_takes_turns_with_every_other_writer() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.lose(&record, When::After).await;
    let (store, now) = (&desk.bench.connector.info().store, desk.bench.runtime.clock().now());
    // Where nothing is due, no lease is taken.
    let until = now.saturating_add(Duration::from_secs(10));
    let before = desk.state.lease(store, "another", now, until).await.unwrap();
    desk.state.release(store, "another").await.unwrap();
    assert_eq!(desk.settled().await, []);
    let after = desk.state.lease(store, "third", now, until).await.unwrap();
    desk.state.release(store, "third").await.unwrap();
    assert_eq!(after.0, before.0 + 1);
    desk.wait(100);
    // Beside a running writer nothing is settled.
    let now = desk.bench.runtime.clock().now();
    let until = now.saturating_add(Duration::from_secs(10));
    desk.state.lease(store, "another", now, until).await.unwrap();
    assert_eq!(desk.settled().await, []);
    desk.state.release(store, "another").await.unwrap();
    // Of two at one time, one settles and neither fails.
    let (one, other) = tokio::join!(desk.settled(), desk.settled());
    assert_eq!([one, other].concat(), [ReceiptOutcome::Applied]);
    // It has given the lease back, and where there is nothing to settle, none is taken.
    let fence = desk.state.lease(store, "another", now, until).await.unwrap();
    desk.state.release(store, "another").await.unwrap();
    assert_eq!(desk.settled().await, []);
    let next = desk.state.lease(store, "third", now, until).await.unwrap();
    assert_eq!(next.0, fence.0 + 1);
}

#[tokio::test]
async fn w7_the_log_is_written_under_the_lease_alone() {
    // The state asks for the fence of each unit.
    let desk = Desk::with(Arc::new(Fenced::default()), |_| {}).await;
    let record = desk.pulled().await;
    let undone = desk.land(&desk.title(&record, "First")).await;
    assert_eq!(desk.undo(undone).await, UndoOutcome::Restored);
    // Taken back by the merchant, so that nothing is left to write.
    let record = desk.pulled().await;
    let restored = desk.land(&desk.title(&record, "Second")).await;
    desk.rename("Old");
    let writes = desk.writes();
    assert_eq!(desk.undo(restored).await, UndoOutcome::Restored);
    assert_eq!(desk.writes(), writes);
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Third")).await;
    desk.apply(&plan).await;
    assert_eq!(desk.push.release(&[plan.changes[0].cell.clone()]).await.unwrap(), 1);
    let record = desk.pulled().await;
    desk.lose(&record, When::After).await;
    desk.wait(100);
    assert_eq!(desk.settled().await, [ReceiptOutcome::Applied]);
}

#[tokio::test]
async fn w6_a_key_that_never_came_is_one_that_may_be_added_and_no_entry_that_is_gone() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST"));
    let plan = desk.plan(&desk.tags(&record, json!({"add": ["Mine"]}))).await;
    let push = desk.push.clone().settings(settings);
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown, "{receipt}");
    desk.wait(100);
    let code = "not_landed".to_owned();
    assert_eq!(desk.settled().await, [ReceiptOutcome::Rejected(Rejection::NotSent { code })]);
}

/// Of two records, the first takes long to read: the lease is there for the second one all the same.
#[tokio::test]
async fn w7_who_settles_keeps_its_turn_however_long_its_reads_take() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let other = desk.bench.store.create("Second", |_| {});
    let mut second = desk.enrich(&record, json!({"title": {"value": "Ours 2", "expect": "force"}}));
    second.target.id = other.to_string().into();
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::After)).on_method("POST"));
    let plan = desk.push.plan(&[desk.title(&record, "Ours 1"), second]).await.unwrap();
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let push = desk.push.clone().settings(settings);
    push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    desk.wait(100);
    let by_id = |request: &Request| request.method == http::Method::GET && request.path.contains("/products");
    let clock = desk.bench.clock.clone();
    desk.bench.store.before_request(1, by_id, move |_| clock.advance(Duration::from_secs(50)));
    let (clock, state, store) = (desk.bench.clock.clone(), desk.state.clone(), plan.store.clone());
    let handle = tokio::runtime::Handle::current();
    desk.bench.store.before_request(2, by_id, move |_| {
        clock.advance(Duration::from_secs(50));
        let (now, until) = (clock.now(), clock.now().saturating_add(Duration::from_secs(60)));
        let lease = std::thread::spawn(move || handle.block_on(state.lease(&store, "another", now, until)));
        assert_eq!(lease.join().unwrap().unwrap_err().code(), "lease_held");
    });
    assert_eq!(desk.settled().await, [ReceiptOutcome::Applied, ReceiptOutcome::Applied]);
}
