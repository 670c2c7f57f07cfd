//! What is deleted: missing by a sweep and by id, and called deleted only where the platform tells it, too.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::ContractFixture;
use super::violation::{Checked, Claim, Outcome};
use super::walk::{Gathered, truth};
use crate::connector::{PullRequest, Purpose};
use crate::model::DeltaClock;
use crate::state::{MemoryState, StateStore};
use crate::sync::{Check, CheckOutcome, Pull, Rule};

use super::walk::walk;

pub(super) async fn a_deletion_is_missing_behind_a_delta(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no kind has a delta, a list of ids and numbers for ids");
    for capability in &connector.capabilities().entities {
        let numbers = capability.numeric_ids || capability.sorted_by_id;
        if capability.delta == DeltaClock::None || !capability.ids_only || !numbers {
            continue;
        }
        let entity = capability.entity;
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let pull = |select: Option<_>| {
            let pull = Pull::new(Arc::clone(&connector), Arc::clone(&state), entity);
            match select {
                Some(since) => pull.since(since),
                None => pull,
            }
        };
        let full = claim.done("a full pull", pull(None).run(&mut Gathered::default(), &|_| {}).await)?;
        let Some(since) = full.next_since else { continue };
        fixture.runtime().clock().sleep(Duration::from_secs(3600)).await;
        let Some(gone) = truth(fixture, entity).first().cloned() else { continue };
        if !fixture.delete(entity, &gone) {
            continue;
        }
        outcome = Checked::Held;
        let mut sink = Gathered::default();
        let delta = claim.done("a delta", pull(Some(since)).run(&mut sink, &|_| {}).await)?;
        // Of so many that are missing at once, none is called deleted.
        let few = |check: &Check| check.rule != Rule::FewMissing || check.outcome != CheckOutcome::Failed;
        let is_told = connector.deletions().is_some_and(|source| source.tells(entity));
        let (named, others) = match is_told && delta.checks.iter().all(few) {
            true => (&delta.deleted, &delta.missing),
            false => (&delta.missing, &delta.deleted),
        };
        claim.check(named.contains(&gone) && !others.contains(&gone), || {
            format!(
                "{:?} missing and {:?} deleted behind a delta, where {entity} {gone} was deleted; {delta}",
                delta.missing, delta.deleted
            )
        })?;
        let came = sink.records.iter().any(|record| record.reference().id == gone);
        claim.check(!came, || format!("a record of {entity} {gone}, which was deleted"))?;
        if capability.by_ids {
            let request = PullRequest::by_ids(entity, vec![gone.clone()], Purpose::Verify);
            let steps = walk(&*connector, &request, claim).await?;
            let missing: Vec<_> = steps.iter().flat_map(|step| &step.missing).collect();
            claim.check(missing == [&gone], || format!("{missing:?} by id, where {gone} was deleted"))?;
        }
    }
    Ok(outcome)
}
