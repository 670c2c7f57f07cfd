//! Base and verdict, rule by rule, on the fake WooCommerce (`docs/semantics.md`, B1 to B5 and V1 to V7).
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

use desk::{Desk, Taken};
use lily_connect::model::{Cell, CellValue, Enrichment, Entity, FieldName};
use lily_connect::state::MemoryState;
use lily_connect::sync::{ChangeVerdict, Conflict, Pull, ReceiptOutcome, Rejection, UndoOutcome};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use serde_json::json;

fn conflict(why: Conflict) -> ChangeVerdict {
    ChangeVerdict::Conflict(why)
}

#[tokio::test]
async fn b1_a_token_stays_with_the_pull_that_made_it() {
    let desk = Desk::new().await;
    let first = desk.pulled().await;
    desk.rename("Edited");
    let second = desk.pulled().await;
    assert_ne!(first["base"]["title"], second["base"]["title"]);
    // A later pull moves nothing in an enrichment that was made from the first one.
    assert_eq!(desk.verdict(&desk.title(&first, "Ours")).await, conflict(Conflict::EditedSince));
    assert_eq!(desk.verdict(&desk.title(&second, "Ours")).await, ChangeVerdict::Apply);
}

#[tokio::test]
async fn b1_no_token_and_the_token_of_an_absent_value_are_two_things() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.edit(|product| product.tags.clear());
    // `base_keys` without the key: it was absent, and it is. Without `base_keys`: nobody knows what it was.
    let known = desk.enrich(&record, json!({"tags": {"edit": {"remove": ["Sale"]}, "base_keys": {}}}));
    assert_eq!(desk.verdict(&known).await, ChangeVerdict::Unchanged);
    let tag = desk.bench.store.add_term(lily_connect::testkit::woocommerce::Taxonomy::Tag, "Sale");
    desk.edit(|product| product.tags.push(tag));
    assert_eq!(desk.verdict(&known).await, conflict(Conflict::EditedSince));
    let unknown = desk.enrich(&record, json!({"tags": {"edit": {"remove": ["Sale"]}}}));
    assert_eq!(desk.verdict(&unknown).await, conflict(Conflict::NoBase));
}

#[tokio::test]
async fn b2_a_conflict_shows_was_is_and_ours_while_the_base_is_kept() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.rename("Edited");
    let enrichment = desk.title(&record, "Ours");
    let plan = desk.plan(&enrichment).await;
    let change = &plan.changes[0];
    let values = [change.was.clone().unwrap(), change.seen.clone(), change.ours.clone()];
    assert_eq!(values, ["Old", "Edited", "Ours"].map(CellValue::text));
    assert!(plan.to_string().contains("was  Old"), "{plan}");

    // A state that did not keep the value shows two.
    let other = lily_connect::sync::Push::new(
        desk.bench.connector.clone(),
        Arc::new(MemoryState::new()),
        desk.bench.runtime.clone(),
    );
    let plan = other.plan(&[enrichment]).await.unwrap();
    assert_eq!(plan.changes[0].was, None);
    assert_eq!(plan.changes[0].verdict, conflict(Conflict::EditedSince));
}

#[tokio::test]
async fn b2_base_values_are_kept_for_thirty_days() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.rename("Edited");
    desk.wait(31 * 24 * 3600);
    desk.pulled().await;
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    assert_eq!(plan.changes[0].was, None);
}

#[tokio::test]
async fn b2_an_unreadable_token_is_a_conflict() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let enrichment = desk.enrich(&record, json!({"title": {"value": "Ours", "base": "t9-v-00"}}));
    assert_eq!(desk.verdict(&enrichment).await, conflict(Conflict::BaseUnreadable));
}

#[tokio::test]
async fn b3_a_source_that_moved_is_a_conflict_unless_any() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let mut enrichment: Enrichment = desk.title(&record, "Ours");
    enrichment.from = serde_json::from_value(json!({"description": record["base"]["description"]})).unwrap();
    assert_eq!(desk.verdict(&enrichment).await, ChangeVerdict::Apply);
    desk.edit(|product| product.description = "<p>Other</p>".to_owned());
    assert_eq!(desk.verdict(&enrichment).await, conflict(Conflict::SourceMoved));
    let change = enrichment.fields.values_mut().next().unwrap();
    change.expect = lily_connect::model::Expectation::Any;
    assert_eq!(desk.verdict(&enrichment).await, ChangeVerdict::Apply);
}

#[tokio::test]
async fn b4_each_expectation_has_its_usual_name() {
    let desk = Desk::with(Arc::new(MemoryState::new()), |product| product.short_description.clear()).await;
    let record = desk.pulled().await;
    let expect = |field: &str, expect: &str| {
        desk.enrich(&record, json!({field: {"value": "<p>Ours</p>", "expect": expect}}))
    };
    for (field, name, verdict) in [
        ("description", "merchant_wins", conflict(Conflict::NoBase)),
        ("description", "only_if_empty", conflict(Conflict::NotEmpty)),
        ("description", "only_if_ours", conflict(Conflict::NotOurs)),
        ("description", "force", ChangeVerdict::Apply),
        ("short_description", "merchant_wins", ChangeVerdict::Apply),
        ("short_description", "only_if_empty", ChangeVerdict::Apply),
    ] {
        assert_eq!(desk.verdict(&expect(field, name)).await, verdict, "{field} {name}");
    }
}

#[tokio::test]
async fn b5_an_enrichment_from_the_future_is_refused() {
    let desk = Desk::new().await;
    let mut enrichment = desk.title(&desk.pulled().await, "Ours");
    enrichment.made_at = enrichment.made_at.saturating_add(std::time::Duration::from_secs(3600));
    assert_eq!(desk.verdict(&enrichment).await, ChangeVerdict::Rejected(Rejection::MadeInFuture));
}

#[tokio::test]
async fn v1_what_is_there_already_is_unchanged_and_leaves_no_row() {
    let desk = Desk::new().await;
    let enrichment = desk.title(&desk.pulled().await, "  Old ");
    let plan = desk.plan(&enrichment).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Unchanged);
    let receipt = desk.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unchanged);
    assert_eq!(desk.writes(), 0);
    assert!(desk.push.plan_undo(receipt.push).await.is_err());
}

#[tokio::test]
async fn v2_an_unsettled_write_blocks_its_cell_under_any_too() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let mut settings = lily_connect::sync::PushSettings::default();
    settings.wait_for_unknown = false;
    let impatient = desk.push.clone().settings(settings);
    desk.bench.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST"));
    let plan = desk.plan(&desk.title(&record, "Ours")).await;
    let receipt = impatient.apply(&plan, &lily_connect::sync::Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);
    let force = desk.enrich(&record, json!({"title": {"value": "Forced", "expect": "force"}}));
    assert_eq!(desk.verdict(&force).await, conflict(Conflict::Unsettled));
    // Another cell of the same product is free.
    let other = desk.enrich(&record, json!({"description": {"value": "<p>x</p>", "expect": "force"}}));
    assert_eq!(desk.verdict(&other).await, ChangeVerdict::Apply);
}

#[tokio::test]
async fn v3_any_applies_over_an_edit() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "Ours")).await;
    desk.rename("Edited");
    let force = desk.enrich(&record, json!({"title": {"value": "Forced", "expect": "force"}}));
    desk.land(&force).await;
    assert_eq!(desk.name(), "Forced");
}

#[tokio::test]
async fn v4_after_an_undo_the_same_file_is_undone_and_a_fresh_pull_applies() {
    let desk = Desk::new().await;
    let enrichment = desk.title(&desk.pulled().await, "Ours");
    let push = desk.land(&enrichment).await;
    assert_eq!(desk.undo(push).await, UndoOutcome::Restored);
    assert_eq!(desk.verdict(&enrichment).await, conflict(Conflict::Undone));
    let fresh = desk.title(&desk.pulled().await, "Ours");
    desk.land(&fresh).await;
    assert_eq!(desk.name(), "Ours");
}

#[tokio::test]
async fn v4_a_row_of_another_enrichment_supersedes_one_that_was_made_before_it() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let older = desk.title(&record, "Second");
    desk.tick();
    let push = desk.land(&desk.title(&record, "First")).await;
    desk.rename("Old");
    assert_eq!(desk.verdict(&older).await, conflict(Conflict::SupersededByOurs { push }));
}

#[tokio::test]
async fn v4_a_refused_row_does_not_count() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let older = desk.title(&record, "Second");
    desk.bench.store.set_conditions(|conditions| conditions.lost_update = true);
    let lost = desk.outcome(&desk.title(&record, "First")).await;
    assert_eq!(lost, ReceiptOutcome::Conflict(Conflict::Reverted));
    desk.bench.store.set_conditions(|conditions| conditions.lost_update = false);
    assert_eq!(desk.verdict(&older).await, ChangeVerdict::Apply);
}

#[tokio::test]
async fn v5_a_revert_by_the_merchant_is_claimed() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "First")).await;
    desk.rename("Old");
    // Generated after the first push, but from the first pull: its base is what is there.
    let second = desk.title(&record, "Second");
    assert_eq!(desk.verdict(&second).await, conflict(Conflict::Claimed));
}

#[tokio::test]
async fn v5_a_deletion_by_the_merchant_is_claimed() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let ours = |value: &str| {
        let base = &record["base"]["description"];
        desk.enrich(&record, json!({"description": {"value": value, "base": base}}))
    };
    desk.land(&ours("<p>Ours</p>")).await;
    desk.edit(|product| product.description.clear());
    assert_eq!(desk.verdict(&ours("<p>Again</p>")).await, conflict(Conflict::Claimed));
    let empty = json!({"description": {"value": "<p>Again</p>", "expect": "only_if_empty"}});
    assert_eq!(desk.verdict(&desk.enrich(&record, empty)).await, conflict(Conflict::Claimed));
}

#[tokio::test]
async fn v5_a_release_lets_a_later_enrichment_follow_the_merchants_edit() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "First")).await;
    desk.rename("Edited");
    let fresh = desk.pulled().await;
    let second = desk.title(&fresh, "Second");
    assert_eq!(desk.verdict(&second).await, conflict(Conflict::Claimed));
    let cell = Cell::new(second.target.clone(), FieldName::new("title"));
    let writes = desk.writes();
    assert_eq!(desk.push.release(std::slice::from_ref(&cell)).await.unwrap(), 1);
    assert_eq!(desk.push.release(&[cell]).await.unwrap(), 0);
    assert_eq!(desk.writes(), writes);
    desk.land(&second).await;
    assert_eq!(desk.name(), "Second");
}

#[tokio::test]
async fn v5_a_release_is_of_its_cells_alone_and_nothing_that_landed() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "First")).await;
    let slug = json!({"slug": {"value": "first", "base": record["base"]["slug"]}});
    desk.land(&desk.enrich(&record, slug)).await;
    let record = desk.pulled().await;
    let second = desk.plan(&desk.title(&record, "Second")).await;
    let cell = second.changes[0].cell.clone();
    assert_eq!(desk.push.release(&[cell]).await.unwrap(), 1);
    // The claim on the other cell stands.
    desk.edit(|product| product.slug = "edited".to_owned());
    let fresh = desk.pulled().await;
    let slug = json!({"slug": {"value": "second", "base": fresh["base"]["slug"]}});
    assert_eq!(desk.verdict(&desk.enrich(&fresh, slug)).await, conflict(Conflict::Claimed));
    // What was reviewed before is still what is there: nothing was written since.
    let receipt = desk.apply(&second).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(desk.name(), "Second");
}

#[tokio::test]
async fn v6_only_if_ours_applies_over_our_own_text() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "First")).await;
    let ours = || desk.enrich(&record, json!({"title": {"value": "Second", "expect": "only_if_ours"}}));
    desk.land(&ours()).await;
    assert_eq!(desk.name(), "Second");
}

#[tokio::test]
async fn v7_an_edit_between_pull_and_push_is_edited_since_a_delta_or_not() {
    let desk = Desk::new().await;
    let pull = Pull::new(desk.bench.connector.clone(), desk.state.clone(), Entity::Product);
    let record = desk.pulled().await;
    let since = desk::certified(&pull, &mut Taken::default()).await.next_since.unwrap();
    let first = desk.title(&record, "Ours");
    desk.rename("Edited");
    let mut delta = Taken::default();
    let certificate = desk::certified(&pull.since(since), &mut delta).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(delta.ids(), [desk.id]);
    assert_eq!(desk.verdict(&first).await, conflict(Conflict::EditedSince));
    assert_eq!(desk.writes(), 0);
}

#[tokio::test]
async fn v7_our_rows_lead_from_an_old_base_to_our_own_text() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    desk.land(&desk.title(&record, "First")).await;
    desk.land(&desk.title(&record, "Second")).await;
    assert_eq!(desk.name(), "Second");
    // An edit in between is a gap, also where it was overwritten by force.
    desk.rename("Edited");
    desk.land(&desk.enrich(&record, json!({"title": {"value": "Forced", "expect": "force"}}))).await;
    assert_eq!(desk.verdict(&desk.title(&record, "Third")).await, conflict(Conflict::EditedSince));
}
