//! Lists: every id, in order, counted, by cursors that lead somewhere.

use std::num::NonZeroU32;

use super::certificate::recover;
use super::fixture::{ContractFixture, On, Strike, Trouble};
use super::violation::{Checked, Claim, Outcome};
use super::walk::{difference, ids_of, page, pull, refused, small, truth, walk, whole};
use crate::connector::{Detail, Joint, PullRequest, Total};
use crate::model::{Calls, EntityCapabilities, ExternalId};

pub(super) async fn every_id_is_listed(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    for capability in &connector.capabilities().entities {
        let expected = truth(fixture, capability.entity);
        let least = fixture.page_size().get() as usize * 2;
        Claim { rule: "FIXTURE", text: "the seeded catalogue has more than two pages of each kind" }
            .check(expected.len() > least, || format!("{} of {}", expected.len(), capability.entity))?;
        let steps = walk(&*connector, &small(fixture, capability.entity), claim).await?;
        let found = ids_of(&steps);
        claim.check(found == expected, || {
            format!("{} in {} pages: {}", capability.entity, steps.len(), difference(&expected, &found))
        })?;
        // On a quiet store a record comes once, but for the one that neighbouring pages share.
        let shared = if capability.pages_overlap { steps.len() - 1 } else { 0 };
        let delivered: usize = steps.iter().map(|step| step.ids.len()).sum();
        claim.check(delivered <= found.len() + shared, || {
            format!("{delivered} records of {} in {} pages", capability.entity, steps.len())
        })?;
    }
    Ok(Checked::Held)
}

pub(super) async fn no_cursor_comes_twice(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    for capability in &connector.capabilities().entities {
        // The walk itself holds the list to it.
        walk(&*connector, &small(fixture, capability.entity), claim).await?;
    }
    Ok(Checked::Held)
}

pub(super) async fn a_cursor_gives_the_same_page_again(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    for capability in &connector.capabilities().entities {
        let request = small(fixture, capability.entity);
        for step in walk(&*connector, &request, claim).await? {
            let again = page(&*connector, &request.at(step.cursor.clone()), claim).await?;
            claim.check(again.ids == step.ids && again.next == step.next, || {
                format!("{:?} first and {:?} then at cursor {:?}", step.ids, again.ids, step.cursor)
            })?;
        }
    }
    Ok(Checked::Held)
}

pub(super) async fn a_broken_answer_is_an_error_or_read_over(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    for capability in &connector.capabilities().entities {
        let request = small(fixture, capability.entity);
        let steps = walk(&*connector, &request, claim).await?;
        for step in steps.iter().take(2) {
            for trouble in Trouble::ALL {
                fixture.strike(Strike::next(On::Read, trouble));
                let asked = request.at(step.cursor.clone());
                let answered = connector.pull_page(&asked).await.is_ok();
                recover(fixture, capability.entity).await;
                if !answered {
                    continue;
                }
                // An answer that is whole all the same must be so when it is looked at, too.
                fixture.strike(Strike::next(On::Read, trouble));
                let again = page(&*connector, &asked, claim).await?;
                recover(fixture, capability.entity).await;
                claim.check(again.ids == step.ids && again.next == step.next, || {
                    format!("{:?} after {trouble:?}, where {:?} are there", again.ids, step.ids)
                })?;
            }
        }
    }
    Ok(Checked::Held)
}

pub(super) async fn an_empty_page_with_a_next_cursor_continues(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("the platform's paging gives no empty page before the last");
    for capability in &connector.capabilities().entities {
        if !fixture.empty_a_page(capability.entity) {
            continue;
        }
        outcome = Checked::Held;
        let expected = truth(fixture, capability.entity);
        let steps = walk(&*connector, &small(fixture, capability.entity), claim).await?;
        let found = ids_of(&steps);
        claim.check(found == expected, || {
            format!("the list ended after {} pages: {}", steps.len(), difference(&expected, &found))
        })?;
        let pulled = pull(fixture, capability.entity).await;
        claim.done("a pull", pulled.certificate)?;
        claim.check(pulled.ids == expected, || difference(&expected, &pulled.ids))?;
    }
    Ok(outcome)
}

pub(super) async fn pages_named_ahead_are_those_that_follow(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no page names further ones");
    for capability in &connector.capabilities().entities {
        let steps = walk(&*connector, &small(fixture, capability.entity), claim).await?;
        for (number, step) in steps.iter().enumerate() {
            if step.ahead.is_empty() {
                continue;
            }
            outcome = Checked::Held;
            let follow: Vec<_> =
                steps.iter().skip(number + 2).filter_map(|step| step.cursor.as_ref()).collect();
            claim.check(follow.iter().copied().zip(&step.ahead).all(|(a, b)| a == b), || {
                format!("page {number} names {:?}, and {follow:?} follow", step.ahead)
            })?;
            claim.check(step.ahead.len() <= follow.len(), || {
                format!("page {number} names {} pages, and {} follow", step.ahead.len(), follow.len())
            })?;
        }
    }
    Ok(outcome)
}

pub(super) async fn a_given_count_is_exact(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no count is claimed or given");
    for capability in &connector.capabilities().entities {
        let expected = truth(fixture, capability.entity).len() as u64;
        let steps = walk(&*connector, &small(fixture, capability.entity), claim).await?;
        let last = steps.len().saturating_sub(1);
        for (at, step) in steps.into_iter().enumerate() {
            let right = match step.total {
                Total::Exact(total) => total == expected,
                Total::AtLeast(total) => total <= expected && !capability.counted,
                // Where a count is a call of its own, the ends of the list are enough.
                Total::NotGiven if !capability.counted || (at > 0 && at < last) => continue,
                Total::NotGiven => false,
            };
            outcome = Checked::Held;
            claim.check(right, || {
                format!("{:?} for {expected} records of {}", step.total, capability.entity)
            })?;
        }
    }
    Ok(outcome)
}

pub(super) async fn ids_ascend_where_claimed(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no order is claimed");
    for capability in connector.capabilities().entities.iter().filter(|claims| claims.sorted_by_id) {
        outcome = Checked::Held;
        let steps = walk(&*connector, &small(fixture, capability.entity), claim).await?;
        let ids: Vec<&ExternalId> = steps.iter().flat_map(|step| &step.ids).collect();
        let numbers: Option<Vec<u64>> = ids.iter().map(|id| id.as_str().parse().ok()).collect();
        claim.check(numbers.is_some_and(|numbers| numbers.is_sorted()), || {
            format!("{}: {ids:?}", capability.entity)
        })?;
    }
    Ok(outcome)
}

pub(super) async fn neighbouring_pages_share_a_record_where_claimed(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no overlap is claimed");
    for capability in connector.capabilities().entities.iter().filter(|claims| claims.pages_overlap) {
        outcome = Checked::Held;
        let steps = walk(&*connector, &small(fixture, capability.entity), claim).await?;
        for (one, next) in steps.iter().zip(steps.iter().skip(1)) {
            let begins = next.joint == Joint::NextParent && capability.calls == Calls::PerParent;
            claim.check(begins || one.ids.last() == next.ids.first(), || {
                format!("a page ends with {:?}, the next begins with {:?}", one.ids.last(), next.ids.first())
            })?;
        }
    }
    Ok(outcome)
}

pub(super) async fn a_list_of_ids_has_the_same_ids(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    for capability in &connector.capabilities().entities {
        let request = PullRequest { detail: Detail::IdsOnly, ..small(fixture, capability.entity) };
        if !capability.ids_only {
            refused(&*connector, &request, "a list of ids that is not claimed", claim).await?;
            continue;
        }
        let found = ids_of(&walk(&*connector, &request, claim).await?);
        let expected = truth(fixture, capability.entity);
        claim.check(found == expected, || difference(&expected, &found))?;
    }
    Ok(Checked::Held)
}

pub(super) async fn no_page_is_longer_than_asked_or_claimed(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let paged = |claims: &&EntityCapabilities| claims.calls != Calls::Whole;
    for capability in connector.capabilities().entities.iter().filter(paged) {
        for asked in [fixture.page_size(), NonZeroU32::MAX] {
            let request = PullRequest { page_size: Some(asked), ..whole(fixture, capability.entity) };
            let bound = asked.min(capability.max_page).get() as usize;
            for step in walk(&*connector, &request, claim).await? {
                claim.check(step.ids.len() <= bound, || {
                    format!("{} records of {} where {bound} is the bound", step.ids.len(), capability.entity)
                })?;
            }
        }
    }
    Ok(Checked::Held)
}
