//! Pushes as the connector answers them, without the engine.

use std::time::Duration;

use super::fixture::{ContractFixture, On, Strike, Trouble};
use super::violation::{Checked, Claim, Outcome, Violation};
use super::writable::{changed_keys, first, guard, patch, push_now, push_of_one, wire_keys, written};
use crate::connector::{Answer, FieldAnswer, Patch, PatchField, PatchValue};
use crate::error::{ErrorKind, Result};
use crate::mapping::cells;
use crate::model::{CellValue, EntityCapabilities, FieldName, Record};

const READ_ONLY: Checked = Checked::NotClaimed("no field is claimed as writable");

pub(super) async fn a_push_changes_exactly_its_fields(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        let Some(id) = first(fixture, entity.entity) else { continue };
        for (number, field) in (0..).zip(&entity.writable) {
            outcome = Checked::Held;
            let record = guard(fixture, entity.entity, &id, claim).await?;
            let before = fixture.stored(entity.entity, &id);
            let others: Vec<_> =
                fixture.ids(entity.entity).into_iter().filter(|other| *other != id).collect();
            let stored = || -> Vec<_> { others.iter().map(|id| fixture.stored(entity.entity, id)).collect() };
            let others_before = stored();
            let mut one = patch(fixture, &record, &[field], number, claim).await?;
            if one.changes.is_empty() {
                continue;
            }
            add_rewritten(&mut one, entity, &record);
            // Stamps have seconds.
            fixture.runtime().clock().sleep(Duration::from_secs(2)).await;
            let request = push_now(fixture, vec![one]);
            let answers = claim.done("a push", connector.push(&request).await)?;
            claim.check(all(&answers, |answer| *answer == FieldAnswer::Accepted), || {
                format!("{answers:?} for {}", field.field)
            })?;
            let after = fixture.stored(entity.entity, &id);
            let changed = changed_keys(before.as_ref(), after.as_ref());
            let allowed = wire_keys(&*connector, entity.entity, &field.field);
            claim.check(!changed.is_empty(), || {
                format!("nothing changed in the store for {}, which was accepted", field.field)
            })?;
            claim.check(changed.is_subset(&allowed), || {
                format!("{changed:?} changed for {}, which is kept in {allowed:?}", field.field)
            })?;
            claim.check(stored() == others_before, || "another record changed".to_owned())?;
            if field.moves_stamp {
                let stamp = guard(fixture, entity.entity, &id, claim).await?.modified_at();
                claim.check(stamp.is_some() && stamp > record.modified_at(), || {
                    format!(
                        "{} was written, and the change stamp stands, which is claimed to move",
                        field.field
                    )
                })?;
            }
        }
    }
    Ok(outcome)
}

/// As the engine does: the texts that the platform stores anew beside a written one go along as they are.
fn add_rewritten(patch: &mut Patch, entity: &EntityCapabilities, record: &Record) {
    let group = &entity.rewritten_together;
    if !patch.changes.iter().any(|change| group.contains(&change.field)) {
        return;
    }
    for field in group {
        let sent = patch.changes.iter().any(|change| change.field == *field);
        let seen = cells::value(record, field, None);
        if let (false, Some(seen)) = (sent, seen)
            && let Some(text) = seen.as_text()
        {
            let raw = record.raw_spelling(field).cloned();
            let value = PatchValue::Text { text: text.into(), raw };
            let version = record.version(field).cloned();
            patch.changes.push(PatchField::new(field.clone(), value, seen).version(version));
        }
    }
}

pub(super) async fn answers_come_once_a_patch_in_order(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        outcome = Checked::Held;
        let mut ids = fixture.ids(entity.entity);
        ids.sort();
        // Neither ascending nor descending, so that no order of the connector's own passes.
        let ids: Vec<_> = [1, 2, 0].iter().filter_map(|at| ids.get(*at).cloned()).collect();
        let fields: Vec<_> = entity.writable.iter().rev().take(2).collect();
        let mut patches = Vec::new();
        for (number, id) in (0..).zip(&ids) {
            let record = guard(fixture, entity.entity, id, claim).await?;
            patches.push(patch(fixture, &record, &fields, number, claim).await?);
        }
        let request = push_now(fixture, patches);
        let answers = claim.done("a push", connector.push(&request).await)?;
        let asked: Vec<_> = request.patches.iter().map(|patch| &patch.target).collect();
        let answered: Vec<_> = answers.iter().map(|answer| &answer.target).collect();
        claim.check(answered == asked, || format!("answers for {answered:?} to patches of {asked:?}"))?;
        for (patch, answer) in request.patches.iter().zip(&answers) {
            let asked: Vec<_> = patch.changes.iter().map(|change| &change.field).collect();
            let answered: Vec<_> = answer.fields.iter().map(|(field, _)| field).collect();
            claim.check(answered == asked, || format!("answers for {answered:?} to changes of {asked:?}"))?;
        }
    }
    Ok(outcome)
}

pub(super) async fn a_field_that_is_not_claimed_is_refused(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    for entity in &connector.capabilities().entities {
        let Some(id) = first(fixture, entity.entity) else { continue };
        let record = guard(fixture, entity.entity, &id, claim).await?;
        let cells = connector.schema(entity.entity).map(|schema| schema.cells().cloned().collect());
        let mut names: Vec<FieldName> = cells.unwrap_or_default();
        names.extend(["sku", "ref.id", "no.such.field"].map(FieldName::new));
        let before = fixture.stored(entity.entity, &id);
        for name in names.into_iter().filter(|name| entity.writable(name).is_none()) {
            let writes = fixture.received().writes;
            let value = PatchValue::Text { text: "Suite".into(), raw: None };
            let mut changes = vec![PatchField::new(name.clone(), value, CellValue::Absent)];
            // Beside a field that can be written, too: half a patch is not sent.
            if let Some(field) = entity.writable.first() {
                changes.splice(0..0, patch(fixture, &record, &[field], 9, claim).await?.changes);
            }
            let request = push_now(fixture, vec![Patch::of(&record, changes)]);
            let refused = match connector.push(&request).await {
                Err(_) => true,
                Ok(answers) => all(&answers, |answer| matches!(answer, FieldAnswer::Refused { .. })),
            };
            claim.check(refused, || format!("{} {name} was not refused", entity.entity))?;
            let sent = fixture.received().writes - writes;
            claim.check(sent == 0, || format!("{sent} writes were sent for {} {name}", entity.entity))?;
        }
        claim.check(fixture.stored(entity.entity, &id) == before, || "the record changed".to_owned())?;
    }
    Ok(Checked::Held)
}

pub(super) async fn a_write_without_an_answer_is_unknown_and_sent_once(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        for (number, trouble) in
            (0..).zip([Trouble::LostAnswer, Trouble::ServerError, Trouble::Truncated, Trouble::Malformed])
        {
            let Some((id, request)) = push_of_one(fixture, entity, number, claim).await? else { continue };
            outcome = Checked::Held;
            let (before, writes) = (fixture.stored(entity.entity, &id), fixture.received().writes);
            fixture.strike(Strike::next(On::Write, trouble));
            let answers = connector.push(&request).await;
            let sent = fixture.received().writes - writes;
            claim.check(sent == 1, || format!("{sent} writes were sent after {trouble:?}"))?;
            // Where the head of the answer came whole, its status may be believed until the read.
            let status_came = matches!(trouble, Trouble::Truncated | Trouble::Malformed);
            let unknown = |answer: &FieldAnswer| match answer {
                FieldAnswer::Unknown { .. } => true,
                FieldAnswer::Accepted => status_came,
                FieldAnswer::Refused { .. } => false,
            };
            claim.check(answers.as_ref().is_ok_and(|answers| all(answers, unknown)), || {
                format!("{} after {trouble:?}", shown(&answers))
            })?;
            let landed = fixture.stored(entity.entity, &id) != before;
            Claim { rule: "FIXTURE", text: "only a server error strikes before the effect" }
                .check(landed == (trouble != Trouble::ServerError), || {
                    format!("the write landed: {landed}, after {trouble:?}")
                })?;
        }
    }
    Ok(outcome)
}

pub(super) async fn a_refused_write_is_refused(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        let Some((id, request)) = push_of_one(fixture, entity, 1, claim).await? else { continue };
        outcome = Checked::Held;
        let (before, writes) = (fixture.stored(entity.entity, &id), fixture.received().writes);
        fixture.strike(Strike::next(On::Write, Trouble::Refused));
        let answers = connector.push(&request).await;
        let named = |answer: &FieldAnswer| match answer {
            FieldAnswer::Refused { code, .. } => !code.is_empty(),
            FieldAnswer::Accepted | FieldAnswer::Unknown { .. } => false,
        };
        claim.check(answers.as_ref().is_ok_and(|answers| all(answers, named)), || shown(&answers))?;
        let sent = fixture.received().writes - writes;
        claim.check(sent == 1, || format!("{sent} writes were sent"))?;
        claim.check(fixture.stored(entity.entity, &id) == before, || "the record changed".to_owned())?;
    }
    Ok(outcome)
}

pub(super) async fn nothing_is_sent_past_the_guard(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let (connector, runtime) = (fixture.connector(), fixture.runtime());
    let mut outcome = READ_ONLY;
    for entity in written(&*connector) {
        let Some((id, request)) = push_of_one(fixture, entity, 1, claim).await? else { continue };
        outcome = Checked::Held;
        let before = fixture.stored(entity.entity, &id);
        // The window is over before it is asked; then it ends while the limit of the platform makes it wait.
        for (limited, most) in [(true, 1), (false, 0)] {
            let writes = fixture.received().writes;
            let request = if limited {
                fixture.strike(Strike::next(On::Write, Trouble::RateLimited));
                push_now(fixture, request.patches.clone())
            } else {
                runtime.clock().sleep(Duration::from_secs(3600)).await;
                let old = push_now(fixture, request.patches.clone());
                runtime.clock().sleep(Duration::from_secs(6)).await;
                old
            };
            let answers = connector.push(&request).await;
            let sent = fixture.received().writes - writes;
            claim.check(sent <= most, || format!("{sent} writes were sent, where {most} were in time"))?;
            let not_sent = match &answers {
                Err(_) => true,
                Ok(answers) => all(answers, |answer| matches!(answer, FieldAnswer::Refused { .. })),
            };
            claim.check(not_sent, || shown(&answers))?;
            claim.check(fixture.stored(entity.entity, &id) == before, || "the record changed".to_owned())?;
        }
    }
    Ok(outcome)
}

pub(super) async fn a_kind_without_writable_fields_is_not_written(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("every kind of record can be written");
    for entity in connector.capabilities().entities.iter().filter(|entity| entity.writable.is_empty()) {
        let Some(id) = first(fixture, entity.entity) else { continue };
        outcome = Checked::Held;
        let record = guard(fixture, entity.entity, &id, claim).await?;
        let value = PatchValue::Text { text: "Suite".into(), raw: None };
        let change = PatchField::new(FieldName::new("title"), value, CellValue::Absent);
        let request = push_now(fixture, vec![Patch::of(&record, vec![change])]);
        let writes = fixture.received().writes;
        let answers = connector.push(&request).await;
        claim.check(answers.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported), || {
            shown(&answers)
        })?;
        let sent = fixture.received().writes - writes;
        claim.check(sent == 0, || format!("{sent} writes were sent"))?;
    }
    Ok(outcome)
}

/// Whether there are answers, and each field's is such a one.
fn all(answers: &[Answer], is: impl Fn(&FieldAnswer) -> bool) -> bool {
    !answers.is_empty()
        && answers
            .iter()
            .all(|answer| !answer.fields.is_empty() && answer.fields.iter().all(|(_, answer)| is(answer)))
}

fn shown(answers: &Result<Vec<Answer>>) -> String {
    match answers {
        Ok(answers) => {
            let fields: Vec<_> = answers.iter().flat_map(|answer| &answer.fields).collect();
            format!("{fields:?}")
        }
        Err(error) => format!("the error {error}"),
    }
}

/// Kept beside the checks of pushes: what the engine compares by must not move when it is applied again.
pub(super) async fn normalisers_are_fixed_points(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    const HARD: [&str; 9] =
        ["", " ", "\u{a0}x\u{2003}", "İSTANBUL", "ẞtraße", "  A  b ", "ΌΣΟΣ", "🧸\u{200f}שלום ", "\t1\n"];
    let connector = fixture.connector();
    for entity in written(&*connector) {
        for field in &entity.writable {
            let of_map = connector.schema(entity.entity).and_then(|map| map.normaliser(&field.field));
            claim.check(of_map == Some(field.normaliser), || {
                format!("{} is compared by {:?}, and its tokens by {of_map:?}", field.field, field.normaliser)
            })?;
            for text in HARD {
                let once = field.normaliser.apply(text).into_owned();
                let twice = field.normaliser.apply(&once).into_owned();
                claim.check(once == twice, || format!("{text:?} to {once:?} to {twice:?}"))?;
            }
        }
    }
    Ok::<Checked, Violation>(Checked::Held)
}
