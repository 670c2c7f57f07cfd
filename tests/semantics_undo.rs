//! Lists and undo, rule by rule, on the fake WooCommerce (`docs/semantics.md`, L1 to L3 and U1 to U4).
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use desk::{Desk, Taken, Tampered};
use lily_connect::connector::Select;
use lily_connect::model::{Reversible, WritableField};
use lily_connect::state::{MemoryState, SqliteState};
use lily_connect::sync::{ChangeVerdict, Conflict, Plan, Push, ReceiptOutcome, Rejection, UndoOutcome};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::woocommerce::{Product, Taxonomy};
use lily_connect::time::Clock as _;
use serde_json::{Value, json};

impl Desk {
    fn tag_names(&self) -> Vec<String> {
        let json: Value = serde_json::from_str(&self.bench.store.raw(self.id).unwrap()).unwrap();
        let mut names: Vec<String> = json["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    fn merchant_tags(&self, name: &str) {
        let tag = self.bench.store.add_term(Taxonomy::Tag, name);
        self.edit(|product| product.tags.push(tag));
    }
}

#[tokio::test]
async fn l1_a_set_changes_by_key_and_keeps_what_the_edit_does_not_name() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    // A tag that the merchant added since the pull is no conflict: it is another key.
    desk.merchant_tags("Merchant");
    desk.land(&desk.tags(&record, json!({"add": ["Ours"], "remove": ["new"]}))).await;
    assert_eq!(desk.tag_names(), ["Merchant", "Ours", "Sale"]);
}

#[tokio::test]
async fn l1_adding_and_removing_one_key_is_a_contradiction() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.tags(&record, json!({"add": ["SALE!", "x"], "remove": ["sale!"]}))).await;
    let verdicts: Vec<_> = plan.changes.iter().map(|change| change.verdict.clone()).collect();
    let contradiction = ChangeVerdict::Rejected(Rejection::Contradiction);
    assert_eq!(verdicts, [contradiction.clone(), ChangeVerdict::Apply, contradiction]);
}

#[tokio::test]
async fn l2_the_key_is_folded_and_theirs_keep_their_spelling() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.bench.server.traffic().clear();
    assert_eq!(desk.verdict(&desk.tags(&record, json!({"add": [" sALE "]}))).await, ChangeVerdict::Unchanged);
    desk.land(&desk.tags(&record, json!({"add": ["R&D <x>"]}))).await;
    assert_eq!(desk.tag_names(), ["New", "R&amp;D &lt;x&gt;", "Sale"]);
}

#[tokio::test]
async fn l2_a_key_that_occurs_twice_is_ambiguous() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let twin = desk.bench.store.add_term(Taxonomy::Tag, "Another");
    assert!(desk.bench.store.rename_term(twin, "sale"));
    desk.edit(|product| product.tags.push(twin));
    let ambiguous = ChangeVerdict::Conflict(Conflict::AmbiguousKey);
    assert_eq!(desk.verdict(&desk.tags(&record, json!({"remove": ["Sale"]}))).await, ambiguous);
    // Before V1: what would be unchanged is ambiguous, too.
    assert_eq!(desk.verdict(&desk.tags(&record, json!({"add": ["Sale"]}))).await, ambiguous);
    // Its neighbours are not.
    desk.land(&desk.tags(&record, json!({"remove": ["New"]}))).await;
    assert_eq!(desk.tag_names(), ["Sale", "sale"]);
}

#[tokio::test]
async fn l2_a_key_that_occurs_twice_since_the_plan_or_the_push_is_neither_taken_out_nor_taken_back() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let twin = |of: &str| {
        let twin = desk.bench.store.add_term(Taxonomy::Tag, &format!("Another {of}"));
        assert!(desk.bench.store.rename_term(twin, of));
        desk.edit(|product| product.tags.push(twin));
    };
    let plan = desk.plan(&desk.tags(&record, json!({"remove": ["Sale"]}))).await;
    let push = desk.land(&desk.tags(&record, json!({"add": ["Ours"]}))).await;
    twin("sale");
    let writes = desk.writes();
    let ambiguous = Conflict::AmbiguousKey;
    assert_eq!(desk.apply(&plan).await.fields[0].outcome, ReceiptOutcome::Conflict(ambiguous.clone()));
    twin("ours");
    let undo = desk.push.plan_undo(push).await.unwrap();
    assert_eq!(undo.changes[0].verdict, ChangeVerdict::Conflict(ambiguous), "{undo}");
    assert_eq!(desk.writes(), writes);
}

#[tokio::test]
async fn l3_the_whole_list_is_rebuilt_from_the_guard_read() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.tags(&record, json!({"add": ["Ours"]}))).await;
    // Between plan and apply, and of another key.
    desk.merchant_tags("Late");
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied);
    assert_eq!(desk.tag_names(), ["Late", "New", "Ours", "Sale"]);
}

#[tokio::test]
async fn l3_the_order_of_theirs_is_kept_and_ours_appended() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let before = desk.stored().tags;
    desk.land(&desk.tags(&record, json!({"add": ["A first name"]}))).await;
    let after = desk.stored().tags;
    let known = |id: &&u64| before.contains(id);
    let read: Value = record["tags"].clone();
    let order: Vec<u64> =
        read.as_array().unwrap().iter().map(|tag| tag["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(after.iter().filter(known).copied().collect::<Vec<_>>(), order);
    assert!(!before.contains(after.last().unwrap()));
}

#[tokio::test]
async fn u1_undo_puts_back_exactly_what_was_there() {
    let desk = Desk::with(Arc::new(MemoryState::new()), |product: &mut Product| {
        // A spelling that no reader's text leads back to.
        "R&#38;D &quot;Cap&quot; &amp;amp;".clone_into(&mut product.name);
        "<p style=\"color:red\">a &nbsp; b\n\n<!-- more --> [x y=\"1\"]</p>"
            .clone_into(&mut product.description);
    })
    .await;
    let record = desk.pulled().await;
    let before = desk.bytes();
    let fields = json!({
        "title": {"value": "Ours", "base": record["base"]["title"]},
        "description": {"value": "<p>Ours</p>", "base": record["base"]["description"]},
        "short_description": {"value": "", "base": record["base"]["short_description"]},
        "tags": {"edit": {"add": ["Ours"], "remove": ["Sale"]}, "base_keys": record["base"]["tags"]},
    });
    let push = desk.land(&desk.enrich(&record, fields)).await;
    assert_ne!(desk.bytes(), before);
    let report = desk.push.undo(push).await.unwrap();
    assert!(report.is_full_success(), "{report}");
    assert_eq!(desk.bytes(), before);
}

#[tokio::test]
async fn u1_an_edit_of_the_merchant_is_never_undone() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let push = desk.land(&desk.title(&record, "Ours")).await;
    desk.rename("Edited");
    let writes = desk.writes();
    assert_eq!(desk.undo(push).await, UndoOutcome::EditedSince);
    assert_eq!((desk.name().as_str(), desk.writes()), ("Edited", writes));
}

#[tokio::test]
async fn u1_an_edit_between_plan_and_apply_of_an_undo_stands() {
    let desk = Desk::new().await;
    let push = desk.land(&desk.title(&desk.pulled().await, "Ours")).await;
    let plan = desk.push.plan_undo(push).await.unwrap();
    desk.rename("Edited");
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::PlanStale));
    assert_eq!(desk.name(), "Edited");
}

#[tokio::test]
async fn u1_a_row_that_is_not_the_head_is_superseded_before_v1_is_asked() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let first = desk.land(&desk.title(&record, "First")).await;
    let second = desk.land(&desk.title(&record, "Second")).await;
    assert_eq!(desk.undo(first).await, UndoOutcome::SupersededByOurs { push: second });
    // Also where the merchant put back the very text that the first one found.
    desk.rename("Old");
    assert_eq!(desk.undo(first).await, UndoOutcome::SupersededByOurs { push: second });
}

/// What comes later is told by the log: ids of rows are made of a clock, and clocks are put back.
#[tokio::test]
async fn u1_a_later_push_supersedes_one_that_was_taken_back_whatever_the_clock_said() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let first = desk.land(&desk.title(&record, "First")).await;
    assert_eq!(desk.undo(first).await, UndoOutcome::Restored);
    desk.bench.clock.set_wall(desk.bench.clock.now().saturating_sub(Duration::from_secs(3600)));
    let force = json!({"title": {"value": "Second", "expect": "force"}});
    let second = desk.land(&desk.enrich(&record, force)).await;
    assert!(second < first, "by their ids");
    assert_eq!(desk.undo(first).await, UndoOutcome::SupersededByOurs { push: second });
    assert_eq!(desk.undo(second).await, UndoOutcome::Restored);
    assert_eq!(desk.name(), "Old");
}

#[tokio::test]
async fn u2_pushes_undo_one_by_one_to_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let state = Arc::new(SqliteState::open(folder.path().join("state.db")).unwrap());
    let desk = Desk::with(state, |_| {}).await;
    let record = desk.pulled().await;
    let start = desk.bytes();
    let mut pushes = Vec::new();
    for title in ["One", "Two", "Three"] {
        pushes.push((desk.land(&desk.title(&record, title)).await, title));
    }
    while let Some((push, title)) = pushes.pop() {
        assert_eq!(desk.name(), title);
        assert_eq!(desk.undo(push).await, UndoOutcome::Restored);
    }
    assert_eq!(desk.bytes(), start);
}

#[tokio::test]
async fn u2_an_undo_twice_changes_nothing_more() {
    let desk = Desk::new().await;
    let push = desk.land(&desk.title(&desk.pulled().await, "Ours")).await;
    assert_eq!(desk.undo(push).await, UndoOutcome::Restored);
    let writes = desk.writes();
    assert_eq!(desk.undo(push).await, UndoOutcome::Restored);
    assert_eq!(desk.writes(), writes);
}

#[tokio::test]
async fn u2_an_undo_is_not_undone_in_silence() {
    let desk = Desk::new().await;
    let push = desk.land(&desk.title(&desk.pulled().await, "Ours")).await;
    let report = desk.push.undo(push).await.unwrap();
    let error = desk.push.undo(report.push).await.unwrap_err();
    assert_eq!(error.code(), "push_is_undo");
}

#[tokio::test]
async fn u3_a_merchants_tag_survives_the_undo_of_ours() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let push = desk.land(&desk.tags(&record, json!({"add": ["Ours"]}))).await;
    desk.merchant_tags("Merchant");
    assert_eq!(desk.undo(push).await, UndoOutcome::Restored);
    assert_eq!(desk.tag_names(), ["Merchant", "New", "Sale"]);
}

#[tokio::test]
async fn u3_a_tag_that_the_merchant_renamed_is_edited_since() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let push = desk.land(&desk.tags(&record, json!({"add": ["Ours"]}))).await;
    let tag = *desk.stored().tags.last().unwrap();
    assert!(desk.bench.store.rename_term(tag, "Theirs now"));
    desk.tick();
    assert_eq!(desk.undo(push).await, UndoOutcome::EditedSince);
    assert_eq!(desk.tag_names(), ["New", "Sale", "Theirs now"]);
}

#[tokio::test]
async fn u3_lists_are_undone_key_by_key() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let push = desk.land(&desk.tags(&record, json!({"add": ["Ours", "Mine"]}))).await;
    let mine = desk.bench.store.add_term(Taxonomy::Tag, "Mine");
    desk.edit(|product| product.tags.retain(|tag| *tag != mine));
    let report = desk.push.undo(push).await.unwrap();
    // The merchant took one away, which is what the undo wanted; the other is taken away now.
    assert!(report.is_full_success(), "{report}");
    assert_eq!(desk.tag_names(), ["New", "Sale"]);
}

#[tokio::test]
async fn u4_the_plan_says_where_a_change_cannot_be_taken_back() {
    let desk = Desk::with(Arc::new(MemoryState::new()), |product| product.short_description.clear()).await;
    let record = desk.pulled().await;
    let fields = json!({"short_description": {"value": "<p>x</p>", "expect": "only_if_empty"}});
    let enrichment = desk.enrich(&record, fields);
    assert_eq!(desk.plan(&enrichment).await.changes[0].reversible, Reversible::Yes);
    // A platform that cannot empty the field again.
    let mut rigid = desk::Tampered::new(desk.bench.connector.clone(), |_, _, page| page);
    for entity in &mut rigid.capabilities.entities {
        entity.writable.iter_mut().for_each(|field: &mut WritableField| field.empty = false);
    }
    let push = Push::new(Arc::new(rigid), desk.state.clone(), desk.bench.runtime.clone());
    let plan = push.plan(&[enrichment]).await.unwrap();
    assert!(matches!(plan.changes[0].reversible, Reversible::No(_)), "{plan}");
    let receipt = desk.apply(&plan).await;
    let report = push.undo(receipt.push).await.unwrap();
    assert!(matches!(report.cells[0].1, UndoOutcome::Irreversible { .. }), "{report}");
    assert_eq!(desk.stored().short_description, "<p>x</p>");
}

/// A cell that the merchant restored by hand needs no write, but its row is taken back all the same.
#[tokio::test]
async fn u2_an_undo_of_a_text_that_is_back_already_frees_the_push_below() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let before = desk.name();
    let first = desk.land(&desk.title(&record, "First")).await;
    let second = desk.land(&desk.title(&record, "Second")).await;
    desk.rename("First");
    let writes = desk.writes();
    assert_eq!(desk.undo(second).await, UndoOutcome::Restored);
    assert_eq!(desk.writes(), writes);
    assert_eq!(desk.undo(first).await, UndoOutcome::Restored);
    assert_eq!(desk.name(), before);
}

#[tokio::test]
async fn u1_a_large_push_is_read_in_lots_and_planned_in_its_own_order() {
    let desk = Desk::new().await;
    for number in 0..120 {
        desk.bench.store.create(&format!("Old {number}"), |_| {});
    }
    let mut sink = Taken::default();
    desk.pull().keep_base(true).run(&mut sink, &|_| {}).await.unwrap();
    desk.tick();
    let records: Vec<Value> =
        sink.records.lock().unwrap().iter().map(|record| serde_json::to_value(record).unwrap()).collect();
    // Backwards: the order of ids is not that of the log.
    let enrichments: Vec<_> = records.iter().rev().map(|record| desk.title(record, "Ours")).collect();
    let plan = desk.push.plan(&enrichments).await.unwrap();
    let receipt = desk.apply(&plan).await;
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    let watched = Tampered::new(desk.bench.connector.clone(), move |request, _, page| {
        if let Select::Ids(ids) = &request.select {
            seen.fetch_max(ids.len(), Ordering::Relaxed);
        }
        page
    });
    let push = Push::new(Arc::new(watched), desk.state.clone(), desk.bench.runtime.clone());
    let undo = push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 100, "no more records are held at once");
    let cells = |plan: &Plan| -> Vec<_> { plan.to_apply().map(|change| change.cell.clone()).collect() };
    assert_eq!((cells(&undo), undo.changes.len()), (cells(&plan), 121));
}

#[tokio::test]
async fn u1_an_unknown_push_is_named_and_what_never_landed_is_not_taken_back() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST"));
    let receipt = desk.apply(&plan).await;
    let not_landed = Rejection::NotSent { code: "not_landed".to_owned() };
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Rejected(not_landed), "{receipt}");
    let undo = desk.push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(undo.changes, []);
    // The log of another state has no such push.
    let connector = desk.bench.connector.clone();
    let elsewhere = Push::new(connector, Arc::new(MemoryState::new()), desk.bench.runtime.clone());
    assert_eq!(elsewhere.plan_undo(receipt.push).await.unwrap_err().code(), "push_unknown");
}

#[tokio::test]
async fn u1_what_was_released_is_not_taken_back() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let receipt = desk.apply(&plan).await;
    assert_eq!(desk.push.release(&[plan.changes[0].cell.clone()]).await.unwrap(), 1);
    let undo = desk.push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(undo.changes[0].verdict, ChangeVerdict::Conflict(Conflict::NotOurs), "{undo}");
    assert_eq!(desk.undo(receipt.push).await, UndoOutcome::EditedSince);
    assert_eq!(desk.name(), "Ours");
}
