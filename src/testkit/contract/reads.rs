//! Reads by id, deltas, refusals of what is not claimed, and the state of health.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fixture::ContractFixture;
use super::violation::{Checked, Claim, Outcome};
use super::walk::{difference, ids_of, read, refused, small, truth, walk};
use crate::connector::{PullRequest, Purpose, Select, Severity};
use crate::mapping::cells;
use crate::model::{CellValue, DeltaClock, Entity, ExternalId, Record};
use crate::time::{Day, Days};

pub(super) async fn every_id_is_answered_or_missing(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    for capability in &connector.capabilities().entities {
        let there = truth(fixture, capability.entity);
        let nowhere: BTreeSet<ExternalId> = (0..130_u32)
            .map(|n| ExternalId::from(format!("{}", 4_000_000_000 + u64::from(n))))
            .chain(["no-such-id", "../1", "1,2", ""].map(ExternalId::from))
            .filter(|id| !there.contains(id))
            .collect();
        // True and unknown ids by turns, more than any request takes.
        let mut asked: Vec<ExternalId> = Vec::new();
        let mut some = there.iter();
        for id in &nowhere {
            asked.push(id.clone());
            asked.extend(some.next().cloned());
        }
        asked.extend(some.cloned());
        for purpose in [Purpose::Catalogue, Purpose::Guard] {
            let request = PullRequest::by_ids(capability.entity, asked.clone(), purpose);
            if !capability.by_ids {
                refused(&*connector, &request, "a read by id that is not claimed", claim).await?;
                continue;
            }
            let steps = walk(&*connector, &request, claim).await?;
            let found = ids_of(&steps);
            let missing: BTreeSet<ExternalId> =
                steps.iter().flat_map(|step| step.missing.iter().cloned()).collect();
            claim.check(found == there, || format!("records: {}", difference(&there, &found)))?;
            claim.check(missing == nowhere, || format!("missing: {}", difference(&nowhere, &missing)))?;
            let answers: usize = steps.iter().map(|step| step.ids.len() + step.missing.len()).sum();
            claim.check(answers == asked.len(), || format!("{answers} answers for {} ids", asked.len()))?;
        }
    }
    Ok(Checked::Held)
}

pub(super) async fn a_deleted_record_is_missing(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no read by id is claimed");
    for capability in connector.capabilities().entities.iter().filter(|claims| claims.by_ids) {
        let ids = truth(fixture, capability.entity);
        let (Some(gone), Some(stays)) = (ids.last(), ids.first()) else { continue };
        if !fixture.delete(capability.entity, gone) {
            continue;
        }
        outcome = Checked::Held;
        // One id has a way of its own at many platforms.
        for asked in [vec![gone.clone()], vec![stays.clone(), gone.clone()]] {
            let request = PullRequest::by_ids(capability.entity, asked, Purpose::Guard);
            let steps = walk(&*connector, &request, claim).await?;
            let missing: Vec<&ExternalId> = steps.iter().flat_map(|step| &step.missing).collect();
            claim.check(missing == [gone], || format!("{missing:?} missing where {gone} was deleted"))?;
        }
    }
    Ok(outcome)
}

pub(super) async fn guard_and_verify_reads_give_what_is_stored(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no read by id is claimed, or no text can be edited");
    for capability in connector.capabilities().entities.iter().filter(|claims| claims.by_ids) {
        let (entity, ids) = (capability.entity, fixture.ids(capability.entity));
        let (Some(id), Some(schema)) = (ids.first(), connector.schema(entity)) else { continue };
        for field in schema.cells() {
            for (purpose, text) in [(Purpose::Guard, "A first edit"), (Purpose::Verify, "A second edit")] {
                // What a cache would keep.
                read(&*connector, entity, id, Purpose::Catalogue, claim).await?;
                read(&*connector, entity, id, purpose, claim).await?;
                if !fixture.edit(entity, id, field, text) {
                    continue;
                }
                outcome = Checked::Held;
                let record = read(&*connector, entity, id, purpose, claim).await?;
                let found = record.and_then(|record| cells::value(&record, field, None));
                // A platform may show a text with markup of its own around it; then nobody may write it.
                let shows = found.as_ref().and_then(CellValue::as_text).is_some_and(|it| it.contains(text));
                let stored = found == Some(CellValue::text(text));
                claim.check(stored || (shows && capability.writable(field).is_none()), || {
                    format!("{found:?} in {entity} {field} by {purpose:?} after the merchant wrote {text:?}")
                })?;
            }
        }
    }
    Ok(outcome)
}

pub(super) async fn a_delta_lists_what_changed_since(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let (connector, runtime) = (fixture.connector(), fixture.runtime());
    let clock = runtime.clock();
    let mut outcome = Checked::NotClaimed("nothing can be edited or added");
    for capability in &connector.capabilities().entities {
        let entity = capability.entity;
        clock.sleep(Duration::from_secs(3600)).await;
        let since = clock.now();
        let request = PullRequest { select: Select::Since(since), ..small(fixture, entity) };
        if capability.delta == DeltaClock::None {
            refused(&*connector, &request, "a delta that is not claimed", claim).await?;
            outcome = Checked::Held;
            continue;
        }
        let (ids, cells) = (fixture.ids(entity), connector.schema(entity));
        let mut changed: BTreeSet<ExternalId> = BTreeSet::new();
        // One at the very instant: a strict comparison would lose it. One later, and one that is new.
        let cells: Vec<_> = cells.map(|schema| schema.cells().collect()).unwrap_or_default();
        let edit = |id: &ExternalId| cells.iter().any(|field| fixture.edit(entity, id, field, "Edited"));
        changed.extend(ids.first().filter(|id| edit(id)).cloned());
        clock.sleep(Duration::from_secs(30)).await;
        changed.extend(ids.last().filter(|id| edit(id)).cloned());
        changed.extend(fixture.add(entity));
        let found = ids_of(&walk(&*connector, &request, claim).await?);
        if changed.is_empty() {
            continue;
        }
        outcome = Checked::Held;
        claim.check(changed.is_subset(&found), || {
            format!("{entity} since {since}: {}", difference(&changed, &found))
        })?;
        claim.check(found.len() < fixture.ids(entity).len(), || {
            format!("all {} records of {entity}, where {} changed", found.len(), changed.len())
        })?;
    }
    Ok(outcome)
}

pub(super) async fn a_range_of_days_lists_these_days(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let day = Day::at(fixture.runtime().clock().now(), "UTC");
    let today = claim.done("today", day)?;
    for capability in &connector.capabilities().entities {
        let entity = capability.entity;
        if !capability.whole {
            refused(&*connector, &PullRequest::all(entity), "a whole list that is not claimed", claim)
                .await?;
        }
        let days = fixture.window().or_else(|| Days::new(today, today).ok());
        let Some(days) = days else { continue };
        let request = PullRequest::window(entity, days);
        if capability.windows.is_none() {
            refused(&*connector, &request, "a range of days that is not claimed", claim).await?;
            continue;
        }
        let first = claim.done("one day", Days::new(days.first(), days.first()))?;
        let one = walk(&*connector, &PullRequest { select: Select::Window(first), ..request.clone() }, claim)
            .await?;
        let all = walk(&*connector, &request, claim).await?;
        let day_of = |record: &Record| record.performance().and_then(|numbers| numbers.day.value().copied());
        let of_first: BTreeSet<ExternalId> = all
            .iter()
            .flat_map(|step| &step.records)
            .filter(|record| day_of(record) == Some(first.first()))
            .map(|record| record.reference().id.clone())
            .collect();
        let found = ids_of(&one);
        claim.check(found == of_first, || difference(&of_first, &found))?;
        let outside = all
            .iter()
            .flat_map(|step| &step.records)
            .find(|record| day_of(record).is_none_or(|day| !days.holds(day)));
        claim.check(outside.is_none(), || format!("a record outside of {days}: {outside:?}"))?;
    }
    Ok(Checked::Held)
}

pub(super) async fn a_kind_that_is_not_claimed_is_refused(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("every kind of record is claimed");
    for entity in Entity::ALL.into_iter().filter(|entity| connector.capabilities().entity(*entity).is_none())
    {
        outcome = Checked::Held;
        refused(&*connector, &PullRequest::all(entity), "a list", claim).await?;
        let one = PullRequest::by_ids(entity, vec!["1".into()], Purpose::Guard);
        refused(&*connector, &one, "a read by id", claim).await?;
    }
    Ok(outcome)
}

pub(super) async fn a_sound_store_has_no_error_findings(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let stored = || {
        Entity::ALL.map(|entity| {
            fixture.ids(entity).into_iter().map(|id| fixture.stored(entity, &id)).collect::<Vec<_>>()
        })
    };
    let (before, held) = (fixture.received().writes, stored());
    let health = claim.done("check", fixture.connector().check().await)?;
    let errors: Vec<_> =
        health.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    claim.check(errors.is_empty(), || format!("{errors:?}"))?;
    claim.check(fixture.received().writes == before, || "a probe that wrote".to_owned())?;
    claim.check(stored() == held, || "a probe that changed a record".to_owned())?;
    Ok(Checked::Held)
}
