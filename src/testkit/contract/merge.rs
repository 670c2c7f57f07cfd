//! The merchant's hand between pull, plan and apply, and what an undo leaves.

use super::engine::{engine, enriched};
use super::fixture::ContractFixture;
use super::violation::{Checked, Claim, Outcome, Violation};
use super::writable::{enrichment, first, guard, push_now, written};
use crate::connector::{FieldAnswer, Patch, PatchField, PatchValue};
use crate::mapping::cells;
use crate::model::{
    CellValue, Enrichment, EntityCapabilities, Expectation, ExternalId, FieldChange, Unavailable,
    WritableField,
};
use crate::sync::{Approvals, ChangeVerdict, Conflict, ReceiptOutcome, Rejection};

const NO_EDIT: Checked = Checked::NotClaimed("no field that can be written can be edited by the merchant");

/// A field of one value that the merchant edits as well, in an enrichment of the first record.
async fn contested<'e>(
    fixture: &dyn ContractFixture,
    entity: &'e EntityCapabilities,
    number: u32,
    claim: Claim,
) -> Result<Option<(ExternalId, &'e WritableField, Enrichment)>, Violation> {
    // HTML is left to builds that can clean it.
    for field in entity.writable.iter().filter(|field| field.list.is_none() && !field.html) {
        let Some(id) = first(fixture, entity.entity) else { return Ok(None) };
        if !fixture.edit(entity.entity, &id, &field.field, &format!("The merchant's, before {number}")) {
            continue;
        }
        if let Some((id, enrichment)) = enriched(fixture, entity, &[field], number, claim).await? {
            return Ok(Some((id, field, enrichment)));
        }
    }
    Ok(None)
}

fn forced(mut enrichment: Enrichment) -> Enrichment {
    for change in enrichment.fields.values_mut() {
        change.expect = Expectation::Any;
    }
    enrichment
}

pub(super) async fn an_edit_between_plan_and_apply_is_stale(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = NO_EDIT;
    for entity in written(&*connector) {
        for (number, force) in [(1, false), (2, true)] {
            let Some((id, field, enrichment)) = contested(fixture, entity, number, claim).await? else {
                continue;
            };
            outcome = Checked::Held;
            let enrichment = if force { forced(enrichment) } else { enrichment };
            let push = engine(fixture);
            let plan = claim.done("planning", push.plan(&[enrichment]).await)?;
            claim.check(plan.to_apply().count() == 1, || format!("no change to apply: {plan}"))?;
            fixture.edit(entity.entity, &id, &field.field, &format!("The merchant's, after {number}"));
            let (before, writes) = (fixture.stored(entity.entity, &id), fixture.received().writes);
            let receipt = claim.done("applying", push.apply(&plan, &Approvals::AllowUnreviewed).await)?;
            let stale = ReceiptOutcome::Conflict(Conflict::PlanStale);
            claim.check(receipt.fields.iter().all(|field| field.outcome == stale), || {
                format!("after an edit of {}, force {force}: {receipt}", field.field)
            })?;
            let sent = fixture.received().writes - writes;
            claim.check(sent == 0, || format!("{sent} writes were sent"))?;
            claim.check(fixture.stored(entity.entity, &id) == before, || "the record changed".to_owned())?;
        }
    }
    Ok(outcome)
}

pub(super) async fn an_edit_between_pull_and_plan_is_seen(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = NO_EDIT;
    for entity in written(&*connector) {
        let Some((id, field, enrichment)) = contested(fixture, entity, 1, claim).await? else { continue };
        outcome = Checked::Held;
        fixture.edit(entity.entity, &id, &field.field, "The merchant's, meanwhile");
        let plan = claim.done("planning", engine(fixture).plan(std::slice::from_ref(&enrichment)).await)?;
        let verdicts: Vec<_> = plan.changes.iter().map(|change| &change.verdict).collect();
        claim.check(verdicts == [&ChangeVerdict::Conflict(Conflict::EditedSince)], || {
            format!("{verdicts:?} after an edit of {}", field.field)
        })?;
        // Who forces it knows what is overwritten: it is what is there now.
        let plan = claim.done("planning", engine(fixture).plan(&[forced(enrichment)]).await)?;
        let seen: Vec<_> = plan.to_apply().map(|change| &change.seen).collect();
        claim.check(seen == [&CellValue::text("The merchant's, meanwhile")], || {
            format!("{seen:?} to be overwritten by force")
        })?;
    }
    Ok(outcome)
}

pub(super) async fn a_removable_field_comes_back_absent(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field of one value is claimed as removable, or each has one");
    for entity in written(&*connector) {
        for field in entity.writable.iter().filter(|field| field.removable && field.list.is_none()) {
            let Some(id) = first(fixture, entity.entity) else { continue };
            let record = guard(fixture, entity.entity, &id, claim).await?;
            if cells::value(&record, &field.field, None) != Some(CellValue::Absent) {
                continue;
            }
            let change = enrichment(fixture, &record, &[field], 1, claim).await?;
            outcome = Checked::Held;
            let push = engine(fixture);
            let plan = claim.done("planning", push.plan(&[change]).await)?;
            let receipt = claim.done("applying", push.apply(&plan, &Approvals::AllowUnreviewed).await)?;
            claim.check(receipt.is_full_success(), || format!("{}: {receipt}", field.field))?;
            let report = claim.done("undoing", push.undo(receipt.push).await)?;
            let record = guard(fixture, entity.entity, &id, claim).await?;
            let found = cells::value(&record, &field.field, None);
            claim.check(found == Some(CellValue::Absent), || {
                format!("{found:?} in {}, which was absent; {report}", field.field)
            })?;
            claim.check(report.is_full_success(), || format!("{}: {report}", field.field))?;
        }
    }
    Ok(outcome)
}

pub(super) async fn an_unavailable_field_is_rejected_by_name(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field is claimed as unavailable");
    for entity in &connector.capabilities().entities {
        for (field, why) in &entity.unavailable {
            let Some(id) = first(fixture, entity.entity) else { continue };
            outcome = Checked::Held;
            claim.check(entity.writable(field).is_none(), || format!("{field} is writable as well"))?;
            let record = guard(fixture, entity.entity, &id, claim).await?;
            let mut asked = enrichment(fixture, &record, &[], 1, claim).await?;
            let change = FieldChange { value: Some("suite".into()), ..FieldChange::default() };
            asked.fields.insert(field.clone(), change);
            let plan = claim.done("planning", engine(fixture).plan(&[asked]).await)?;
            let verdicts: Vec<_> = plan.changes.iter().map(|change| &change.verdict).collect();
            let named = match why {
                Unavailable::SeoPluginNotDetected => Rejection::SeoPluginNotDetected,
                Unavailable::NotEnabled => Rejection::NotEnabled,
                Unavailable::SharedByViews => Rejection::SharedByViews,
            };
            claim.check(verdicts == [&ChangeVerdict::Rejected(named)], || {
                format!("{verdicts:?} of {field}")
            })?;
            let (before, writes) = (fixture.stored(entity.entity, &id), fixture.received().writes);
            let value = PatchValue::Text { text: "suite".into(), raw: None };
            let change = PatchField::new(field.clone(), value, CellValue::Absent);
            let request = push_now(fixture, vec![Patch::of(&record, vec![change])]);
            let refused = match connector.push(&request).await {
                Err(_) => true,
                Ok(answers) => {
                    let mut fields = answers.iter().flat_map(|answer| &answer.fields).peekable();
                    fields.peek().is_some()
                        && fields.all(|(_, answer)| matches!(answer, FieldAnswer::Refused { .. }))
                }
            };
            claim.check(refused, || format!("a push of {field} was not refused"))?;
            let sent = fixture.received().writes - writes;
            claim.check(sent == 0, || format!("{sent} writes were sent for {field}"))?;
            claim.check(fixture.stored(entity.entity, &id) == before, || "the record changed".to_owned())?;
        }
    }
    Ok(outcome)
}
