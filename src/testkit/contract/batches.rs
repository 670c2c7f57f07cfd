//! Several records in one push.

use super::fixture::{ContractFixture, On, Strike, Trouble};
use super::violation::{Checked, Claim, Outcome, Violation};
use super::walk::walk;
use super::writable::{patch, push_now, written};
use crate::connector::{Answer, FieldAnswer, Patch, PullRequest, Purpose};
use crate::model::{EntityCapabilities, ExternalId, Record};

/// The most records that the suite adds to fill a batch.
const MOST: usize = 300;

/// One patch for each record, of its first field that can be written.
async fn patches(
    fixture: &dyn ContractFixture,
    entity: &EntityCapabilities,
    ids: &[ExternalId],
    number: u32,
    claim: Claim,
) -> Result<Vec<Patch>, Violation> {
    let Some(field) = entity.writable.first() else { return Ok(Vec::new()) };
    let request = PullRequest::by_ids(entity.entity, ids.to_vec(), Purpose::Guard);
    let steps = walk(&*fixture.connector(), &request, claim).await?;
    let records: Vec<Record> = steps.into_iter().flat_map(|step| step.records).collect();
    let mut patches = Vec::with_capacity(ids.len());
    for (at, id) in (0..).zip(ids) {
        let record = records.iter().find(|record| record.reference().id == *id);
        let record = record.ok_or_else(|| claim.violated(format!("no record {id} by id")))?;
        // No two records may have the same value of some fields.
        let number = if field.unique { number.saturating_mul(1_000).saturating_add(at) } else { number };
        patches.push(patch(fixture, record, &[field], number, claim).await?);
    }
    Ok(patches)
}

/// Whether all fields of an answer are such; none where they differ.
fn one_answer(answer: &Answer) -> Option<&FieldAnswer> {
    let (_, first) = answer.fields.first()?;
    let same = |other: &FieldAnswer| std::mem::discriminant(other) == std::mem::discriminant(first);
    answer.fields.iter().all(|(_, other)| same(other)).then_some(first)
}

/// Checks that each patch is answered in its place, and truly. Gives how many landed.
pub(super) fn check_true(
    fixture: &dyn ContractFixture,
    sent: &[Patch],
    before: &[Option<serde_json::Value>],
    answers: &[Answer],
    claim: Claim,
) -> Result<usize, Violation> {
    let targets = |list: Vec<&ExternalId>| list.len();
    claim.check(answers.len() == sent.len(), || {
        let answered = targets(answers.iter().map(|answer| &answer.target.id).collect());
        format!("{answered} answers to {} patches", sent.len())
    })?;
    let mut landed = 0;
    for ((patch, before), answer) in sent.iter().zip(before).zip(answers) {
        let target = &patch.target;
        claim.check(answer.target == *target, || format!("an answer for {} to {target}", answer.target))?;
        let changed = fixture.stored(target.kind, &target.id) != *before;
        landed += usize::from(changed);
        let is_true = match one_answer(answer) {
            Some(FieldAnswer::Accepted) => changed,
            Some(FieldAnswer::Refused { .. }) => !changed,
            Some(FieldAnswer::Unknown { .. }) => true,
            None => false,
        };
        claim.check(is_true, || format!("{:?} for {target}, which changed: {changed}", answer.fields))?;
    }
    Ok(landed)
}

fn stored(fixture: &dyn ContractFixture, sent: &[Patch]) -> Vec<Option<serde_json::Value>> {
    sent.iter().map(|patch| fixture.stored(patch.target.kind, &patch.target.id)).collect()
}

pub(super) async fn no_patch_of_a_push_is_dropped(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field is claimed as writable, or no batch can be filled");
    for entity in written(&*connector) {
        let most = usize::try_from(entity.max_batch.get()).unwrap_or(usize::MAX);
        while most < MOST && fixture.ids(entity.entity).len() <= most {
            if fixture.add(entity.entity).is_none() {
                break;
            }
        }
        let mut ids = fixture.ids(entity.entity);
        ids.sort();
        for (number, count) in [(1, most), (2, most.saturating_add(1))] {
            let Some(ids) = ids.get(..count) else { continue };
            outcome = Checked::Held;
            let sent = patches(fixture, entity, ids, number, claim).await?;
            let before = stored(fixture, &sent);
            match connector.push(&push_now(fixture, sent.clone())).await {
                Ok(answers) => {
                    let landed = check_true(fixture, &sent, &before, &answers, claim)?;
                    claim.check(landed >= most, || format!("{landed} of {count} patches landed"))?;
                }
                // More than it claims may be refused whole.
                Err(error) => {
                    claim.check(count > most, || format!("{count} patches, as claimed: {error}"))?;
                    claim.check(stored(fixture, &sent) == before, || {
                        format!("a record changed, where the push failed: {error}")
                    })?;
                }
            }
        }
    }
    Ok(outcome)
}

pub(super) async fn one_refused_patch_leaves_the_others_true(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field is claimed as writable, or nothing can be deleted");
    for entity in written(&*connector) {
        let mut ids = fixture.ids(entity.entity);
        ids.sort();
        let Some([first, gone, last]) = ids.get(..3) else { continue };
        // The platform refuses a write to what is not there any more.
        let asked = [last.clone(), gone.clone(), first.clone()];
        let sent = patches(fixture, entity, &asked, 1, claim).await?;
        if !fixture.delete(entity.entity, gone) {
            continue;
        }
        outcome = Checked::Held;
        let before = stored(fixture, &sent);
        let answers = claim.done("a push", connector.push(&push_now(fixture, sent.clone())).await)?;
        let landed = check_true(fixture, &sent, &before, &answers, claim)?;
        let told: Vec<_> = answers.iter().map(one_answer).collect();
        let right = matches!(
            told.as_slice(),
            [Some(FieldAnswer::Accepted), Some(FieldAnswer::Refused { .. }), Some(FieldAnswer::Accepted)]
        );
        claim.check(right && landed == 2, || format!("{landed} landed, and the answers are {told:?}"))?;
    }
    Ok(outcome)
}

pub(super) async fn a_lost_answer_to_several_patches_is_true(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field is claimed as writable");
    for entity in written(&*connector) {
        let mut ids = fixture.ids(entity.entity);
        ids.sort();
        ids.truncate(3);
        for (number, trouble) in (1..).zip([Trouble::ServerError, Trouble::LostAnswer, Trouble::Truncated]) {
            outcome = Checked::Held;
            let sent = patches(fixture, entity, &ids, number, claim).await?;
            let (before, writes) = (stored(fixture, &sent), fixture.received().writes);
            fixture.strike(Strike::next(On::Write, trouble));
            let answers = claim.done("a push", connector.push(&push_now(fixture, sent.clone())).await)?;
            check_true(fixture, &sent, &before, &answers, claim)?;
            let writes = fixture.received().writes - writes;
            claim.check(writes <= sent.len() as u64, || {
                format!("{writes} writes for {} patches, after {trouble:?}", sent.len())
            })?;
        }
    }
    Ok(outcome)
}
