//! Plan, apply, verify, settle and undo, through the engine over the connector.

use std::sync::Arc;

use super::fixture::{ContractFixture, On, Strike, Trouble};
use super::violation::{Checked, Claim, Outcome, Violation};
use super::writable::{enrichment, first, guard, written};
use crate::mapping::cells;
use crate::model::{CellValue, WritableField};
use crate::model::{Enrichment, EntityCapabilities, ExternalId, FieldChange, FieldName, Reversible, Text};
use crate::state::MemoryState;
use crate::sync::{Approvals, ChangeVerdict, Plan, Push, ReceiptOutcome, Rejection, UndoOutcome};

const READ_ONLY: Checked = Checked::NotClaimed("no field is claimed as writable");

pub(super) fn engine(fixture: &dyn ContractFixture) -> Push {
    Push::new(fixture.connector(), Arc::new(MemoryState::new()), fixture.runtime())
}

/// A record with the enrichment of some of its fields.
pub(super) async fn enriched(
    fixture: &dyn ContractFixture,
    entity: &EntityCapabilities,
    fields: &[&WritableField],
    number: u32,
    claim: Claim,
) -> Result<Option<(ExternalId, Enrichment)>, Violation> {
    let Some(id) = first(fixture, entity.entity) else { return Ok(None) };
    let record = guard(fixture, entity.entity, &id, claim).await?;
    let enrichment = enrichment(fixture, &record, fields, number, claim).await?;
    let is_empty = enrichment.fields.is_empty() && !fields.is_empty();
    Ok((!is_empty).then_some((id, enrichment)))
}

/// Whether this build can sanitise HTML, where the plan has any.
fn is_unsupported_html(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| change.verdict == ChangeVerdict::Rejected(Rejection::HtmlUnsupported))
}

pub(super) async fn planning_sends_no_write(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        let fields: Vec<_> = entity.writable.iter().collect();
        let Some((id, enrichment)) = enriched(fixture, entity, &fields, 1, claim).await? else { continue };
        outcome = Checked::Held;
        let before = fixture.stored(entity.entity, &id);
        let plan = claim.done("planning", engine(fixture).plan(&[enrichment]).await)?;
        claim.check(plan.to_apply().count() > 0, || format!("no change to apply: {plan}"))?;
        let writes = fixture.received().writes;
        claim.check(writes == 0, || format!("{writes} writes"))?;
        claim.check(fixture.stored(entity.entity, &id) == before, || "the record changed".to_owned())?;
    }
    Ok(outcome)
}

pub(super) async fn a_plan_rejects_a_field_that_is_not_claimed(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no read by id is claimed");
    for entity in connector.capabilities().entities.iter().filter(|entity| entity.by_ids) {
        let name = FieldName::new("no.such.field");
        let Some((_, mut enrichment)) = enriched(fixture, entity, &[], 1, claim).await? else { continue };
        outcome = Checked::Held;
        let change = FieldChange { value: Some("Suite".into()), ..FieldChange::default() };
        enrichment.fields.insert(name, change);
        let plan = claim.done("planning", engine(fixture).plan(&[enrichment]).await)?;
        let verdicts: Vec<_> = plan.changes.iter().map(|change| &change.verdict).collect();
        claim.check(verdicts == [&ChangeVerdict::Rejected(Rejection::NotWritable)], || {
            format!("{verdicts:?}")
        })?;
    }
    Ok(outcome)
}

pub(super) async fn every_claimed_field_is_written_verified_and_undone(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        for field in &entity.writable {
            let Some((id, enrichment)) = enriched(fixture, entity, &[field], 1, claim).await? else {
                continue;
            };
            let name = &field.field;
            let before = fixture.stored(entity.entity, &id);
            let push = engine(fixture);
            let plan = claim.done("planning", push.plan(&[enrichment]).await)?;
            if is_unsupported_html(&plan) {
                continue;
            }
            outcome = Checked::Held;
            // Of a list that is full, or has one entry, one comes and one goes.
            let count = plan.to_apply().count();
            claim.check(count > 0 && count == plan.changes.len(), || {
                format!("no change of {name} to apply: {plan}")
            })?;
            let approved = Approvals::Only(plan.approve_all());
            let receipt = claim.done("applying", push.apply(&plan, &approved).await)?;
            claim.check(receipt.is_full_success(), || format!("{name} of {}: {receipt}", entity.entity))?;
            let record = guard(fixture, entity.entity, &id, claim).await?;
            for change in &plan.changes {
                let key = match change.via {
                    Some(_) => Some(change.cell.holder.id.as_str()),
                    None => change.cell.key.as_ref().map(Text::as_str),
                };
                let found = cells::value(&record, name, key).unwrap_or(CellValue::Absent);
                claim.check(found.same(&change.ours, field.normaliser), || {
                    format!("{found:?} in {name}, where {:?} was applied", change.ours)
                })?;
            }
            let report = claim.done("undoing", push.undo(receipt.push).await)?;
            let reversible = plan.changes.iter().all(|change| change.reversible == Reversible::Yes);
            let partly = plan.changes.iter().any(|change| matches!(change.reversible, Reversible::Partly(_)));
            if reversible {
                claim.check(report.is_full_success(), || format!("{name} claimed reversible: {report}"))?;
                let after = fixture.stored(entity.entity, &id);
                claim.check(after == before, || {
                    format!("{name} claimed reversible, and the record is not what it was")
                })?;
            } else if !partly {
                let said = report
                    .cells
                    .iter()
                    .all(|(_, outcome)| matches!(outcome, UndoOutcome::Irreversible { .. }));
                claim.check(said, || format!("{name} claimed irreversible: {report}"))?;
            }
        }
    }
    Ok(outcome)
}

pub(super) async fn an_answer_is_not_believed_without_a_read(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        let Some(field) = entity.writable.first() else { continue };
        let Some((_, enrichment)) = enriched(fixture, entity, &[field], 1, claim).await? else { continue };
        outcome = Checked::Held;
        let push = engine(fixture);
        let plan = claim.done("planning", push.plan(&[enrichment]).await)?;
        let writes = fixture.received().writes;
        fixture.strike(Strike::next(On::Write, Trouble::Html));
        let receipt = claim.done("applying", push.apply(&plan, &Approvals::AllowUnreviewed).await)?;
        let applied = receipt.fields.iter().any(|field| field.outcome == ReceiptOutcome::Applied);
        claim.check(!applied, || format!("applied, where nothing landed: {receipt}"))?;
        let sent = fixture.received().writes - writes;
        claim.check(sent == 1, || format!("{sent} writes were sent"))?;
    }
    Ok(outcome)
}

pub(super) async fn a_lost_answer_is_settled_by_a_read(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        let Some(field) = entity.writable.first() else { continue };
        for (number, trouble) in (1..).zip([Trouble::LostAnswer, Trouble::ServerError]) {
            let Some((id, enrichment)) = enriched(fixture, entity, &[field], number, claim).await? else {
                continue;
            };
            outcome = Checked::Held;
            let before = fixture.stored(entity.entity, &id);
            let push = engine(fixture);
            let plan = claim.done("planning", push.plan(&[enrichment]).await)?;
            let writes = fixture.received().writes;
            fixture.strike(Strike::next(On::Write, trouble));
            let receipt = claim.done("applying", push.apply(&plan, &Approvals::AllowUnreviewed).await)?;
            let sent = fixture.received().writes - writes;
            claim.check(sent == 1, || format!("{sent} writes were sent after {trouble:?}"))?;
            let landed = fixture.stored(entity.entity, &id) != before;
            claim.check(receipt.is_full_success() == landed, || {
                format!("the write landed: {landed}, after {trouble:?}; {receipt}")
            })?;
        }
    }
    Ok(outcome)
}
