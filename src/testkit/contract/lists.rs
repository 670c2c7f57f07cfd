//! Lists, the names in them, and what several records show.

use std::collections::BTreeSet;

use super::engine::engine;
use super::fixture::ContractFixture;
use super::violation::{Checked, Claim, Outcome, Violation};
use super::walk::walk;
use super::writable::{enrichment, guard, written};
use crate::connector::{Known, LookUp, PullRequest, Purpose};
use crate::error::ErrorKind;
use crate::mapping::cells::{self, Entry};
use crate::model::{
    Edit, Entity, ExternalId, FieldChange, FieldName, ListKind, NameSource, Record, RecordRef, Text,
    WritableField,
};
use crate::sync::{Approvals, ChangeVerdict, Rejection};

/// The records of a kind, as a guard read gives them.
async fn records(
    fixture: &dyn ContractFixture,
    entity: Entity,
    claim: Claim,
) -> Result<Vec<Record>, Violation> {
    let request = PullRequest::by_ids(entity, fixture.ids(entity), Purpose::Guard);
    let steps = walk(&*fixture.connector(), &request, claim).await?;
    Ok(steps.into_iter().flat_map(|step| step.records).collect())
}

fn entries(record: &Record, field: &FieldName) -> Vec<Entry> {
    cells::entries(record, field).unwrap_or_default()
}

pub(super) async fn other_entries_of_a_list_stay_in_order(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no list with two entries can be written");
    for entity in written(&*connector) {
        let records = records(fixture, entity.entity, claim).await?;
        for field in entity.writable.iter().filter(|field| field.list.is_some()) {
            let of_field = records.iter().filter(|record| entries(record, &field.field).len() > 1);
            // The longest one tells most.
            let Some(record) = of_field.max_by_key(|record| entries(record, &field.field).len()) else {
                continue;
            };
            let change = enrichment(fixture, record, &[field], 3, claim).await?;
            if change.fields.is_empty() {
                continue;
            }
            let push = engine(fixture);
            let plan = claim.done("planning", push.plan(&[change]).await)?;
            let named: BTreeSet<Text> = plan
                .changes
                .iter()
                .map(|change| match (&change.via, &change.cell.key) {
                    (Some(_), _) => change.cell.holder.id.as_str().into(),
                    (None, key) => key.clone().unwrap_or_default(),
                })
                .collect();
            let others = |record: &Record| -> Vec<_> {
                let all = entries(record, &field.field).into_iter();
                all.filter(|entry| !named.contains(&entry.key))
                    .map(|entry| (entry.key, entry.value, entry.raw, entry.id))
                    .collect()
            };
            let before = others(record);
            if before.is_empty() {
                continue;
            }
            outcome = Checked::Held;
            let receipt = claim.done("applying", push.apply(&plan, &Approvals::AllowUnreviewed).await)?;
            claim.check(receipt.is_full_success(), || format!("{}: {receipt}", field.field))?;
            let after = guard(fixture, entity.entity, &record.reference().id, claim).await?;
            let after = others(&after);
            claim.check(after == before, || {
                format!("{after:?} of {} beside {named:?}, where there was {before:?}", field.field)
            })?;
        }
    }
    Ok(outcome)
}

pub(super) async fn a_name_that_must_be_known_is_never_made(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no list takes known names only");
    for entity in written(&*connector) {
        for field in entity.writable.iter().filter(|field| field.names == NameSource::Known) {
            let Some(id) = super::writable::first(fixture, entity.entity) else { continue };
            let record = guard(fixture, entity.entity, &id, claim).await?;
            outcome = Checked::Held;
            let mut asked = enrichment(fixture, &record, &[], 1, claim).await?;
            let nowhere = Text::from("suite.a_name_of_no_store");
            let edit = match field.list {
                Some(ListKind::Keyed) => {
                    let update = [(nowhere, vec!["One"].into())].into();
                    Edit { update, ..Edit::default() }
                }
                _ => Edit { add: vec![nowhere], ..Edit::default() },
            };
            let base_keys = record.base().keys(&field.field).map(|keys| keys.iter().cloned().collect());
            let change = FieldChange { edit: Some(edit), base_keys, ..FieldChange::default() };
            asked.fields.insert(field.field.clone(), change);
            let plan = claim.done("planning", engine(fixture).plan(&[asked]).await)?;
            let verdicts: Vec<_> = plan.changes.iter().map(|change| &change.verdict).collect();
            claim.check(verdicts == [&ChangeVerdict::Rejected(Rejection::NameUnknown)], || {
                format!("{verdicts:?} for a name that the store does not have, in {}", field.field)
            })?;
        }
    }
    Ok(outcome)
}

/// A name that the store knows, with its id, taken from a record that has it.
fn known_name(records: &[Record], field: &WritableField) -> Option<(Text, ExternalId)> {
    if field.list.is_some() {
        // An option by which variants differ is the record's own.
        let mut all =
            records.iter().flat_map(|record| entries(record, &field.field)).filter(|entry| !entry.is_option);
        return all.find_map(|entry| {
            // The name of a set is its value; that of a keyed list is its key.
            let name = entry.value.as_text().map(Text::from).filter(|_| field.names == NameSource::Known);
            entry.id.map(|id| (name.unwrap_or(entry.key), id))
        });
    }
    records.iter().find_map(|record| {
        let value = cells::value(record, &field.field, None)?;
        Some((Text::from(value.as_text()?), record.reference().id.clone()))
    })
}

pub(super) async fn names_are_looked_up_one_by_one_in_order(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field has names that are looked up");
    for entity in written(&*connector) {
        let records = records(fixture, entity.entity, claim).await?;
        let looked_up = |field: &&WritableField| field.names != NameSource::Made || field.unique;
        for field in entity.writable.iter().filter(looked_up) {
            let Some((name, id)) = known_name(&records, field) else { continue };
            let unknown = |number: u32| Text::from(format!("suite-nowhere-{number}"));
            let names = vec![unknown(1), name.clone(), unknown(2), name.clone(), unknown(3), unknown(1)];
            let asked = LookUp::Names { field: field.field.clone(), names };
            let writes = fixture.received().writes;
            let answers = match connector.look_up(&asked).await {
                // A name of the record alone needs no store that knows it.
                Err(error) if error.kind() == ErrorKind::Unsupported && field.names == NameSource::Either => {
                    continue;
                }
                answers => claim.done("a look-up", answers)?,
            };
            outcome = Checked::Held;
            let ids: Vec<Option<&ExternalId>> = answers
                .iter()
                .map(|known| match known {
                    Known::One { id, .. } => Some(id),
                    Known::No | Known::Several => None,
                })
                .collect();
            claim.check(ids == [None, Some(&id), None, Some(&id), None, None], || {
                format!("{answers:?} for {name:?} ({id}) between unknown names of {}", field.field)
            })?;
            claim.check(fixture.received().writes == writes, || "a look-up that wrote".to_owned())?;
            let none = LookUp::Names { field: field.field.clone(), names: Vec::new() };
            let answers = claim.done("a look-up of nothing", connector.look_up(&none).await)?;
            claim.check(answers.is_empty(), || format!("{answers:?} for no name"))?;
        }
    }
    Ok(outcome)
}

pub(super) async fn what_is_shared_names_who_shows_it(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field belongs to what several records show");
    for entity in written(&*connector) {
        let shared = entity.writable.iter().find_map(|field| Some((field, field.shared_holder?)));
        let Some((field, kind)) = shared else { continue };
        let mut asked: Vec<(RecordRef, BTreeSet<RecordRef>)> = Vec::new();
        for record in records(fixture, entity.entity, claim).await? {
            for entry in entries(&record, &field.field) {
                let own = record.reference();
                let holder = RecordRef::new(own.platform.clone(), kind, entry.key.as_str());
                match asked.iter_mut().find(|(known, _)| *known == holder) {
                    Some((_, shown)) => drop(shown.insert(own.clone())),
                    None => asked.push((holder, BTreeSet::from([own.clone()]))),
                }
            }
        }
        let Some((one, _)) = asked.first() else { continue };
        let nowhere = RecordRef::new(one.platform.clone(), kind, "4000000001");
        asked.insert(1, (nowhere, BTreeSet::new()));
        let holders: Vec<RecordRef> = asked.iter().map(|(holder, _)| holder.clone()).collect();
        let answers = match connector.shown_by(&holders).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => continue,
            answers => claim.done("who shows it", answers)?,
        };
        outcome = Checked::Held;
        claim.check(answers.len() == holders.len(), || {
            format!("{} answers for {} holders", answers.len(), holders.len())
        })?;
        for ((holder, expected), answer) in asked.iter().zip(&answers) {
            // Records of other kinds may show it, too.
            let own: BTreeSet<RecordRef> =
                answer.iter().filter(|record| record.kind == entity.entity).cloned().collect();
            claim.check(own == *expected, || format!("{answer:?} show {holder}, where {expected:?} do"))?;
            let nobody = expected.is_empty() && !answer.is_empty();
            claim.check(!nobody, || format!("{answer:?} show {holder}, which is nowhere"))?;
        }
    }
    Ok(outcome)
}
