//! The platform's limits, and what a credential may do.

use std::time::Duration;

use super::certificate::recover;
use super::fixture::{ContractFixture, On, Right, Strike, Trouble};
use super::violation::{Checked, Claim, Outcome};
use super::walk::{pull, small};
use super::writable::{push_of_one, written};
use crate::connector::{Answer, FieldAnswer, Severity};
use crate::error::{ErrorKind, Result};

/// What [`Trouble::RateLimited`] asks to wait.
const ASKED: Duration = Duration::from_secs(60);
/// The most requests after which a refusal is believed.
const MOST_TRIES: u64 = 2;

pub(super) async fn a_limit_is_waited_for(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let (connector, runtime) = (fixture.connector(), fixture.runtime());
    for capability in &connector.capabilities().entities {
        fixture.strike(Strike { trouble: Trouble::RateLimited, on: On::Read, after: 0, times: 3 });
        let (began, before) = (runtime.clock().elapsed(), fixture.received().requests);
        let answered = connector.pull_page(&small(fixture, capability.entity)).await;
        let waited = runtime.clock().elapsed().saturating_sub(began);
        let requests = fixture.received().requests - before;
        let repeated = u32::try_from(requests.saturating_sub(1).min(3)).unwrap_or(3);
        claim.check(requests > 0 && waited >= ASKED * repeated, || {
            format!("{requests} requests within {waited:?}, where each refusal asked for {ASKED:?}")
        })?;
        if let Err(error) = answered {
            claim.check(error.kind() == ErrorKind::RateLimited, || format!("{:?}: {error}", error.kind()))?;
        }
        recover(fixture, capability.entity).await;
    }
    Ok(Checked::Held)
}

pub(super) async fn two_calls_are_in_flight_at_most(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    if fixture.peak_in_flight().is_none() {
        return Ok(Checked::NotClaimed("the fixture does not count what is in flight"));
    }
    for capability in &fixture.connector().capabilities().entities {
        let one = || pull(fixture, capability.entity);
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        for pulled in [a, b, c, d] {
            claim.done("one pull of four", pulled.certificate)?;
        }
    }
    let peak = fixture.peak_in_flight().unwrap_or_default();
    claim.check((1..=2).contains(&peak), || format!("{peak} calls at once, by the default settings"))?;
    Ok(Checked::Held)
}

/// Whether a push was not done: an error of that kind, or each field refused with a code.
fn is_refused(answers: &Result<Vec<Answer>>, kinds: &[ErrorKind]) -> bool {
    match answers {
        Err(error) => kinds.contains(&error.kind()),
        Ok(answers) => {
            !answers.is_empty()
                && answers.iter().flat_map(|answer| &answer.fields).all(
                    |(_, answer)| matches!(answer, FieldAnswer::Refused { code, .. } if !code.is_empty()),
                )
        }
    }
}

/// Whether a probe says that work cannot go on.
async fn is_found(fixture: &dyn ContractFixture, least: &[Severity]) -> bool {
    match fixture.connector().check().await {
        Err(_) => true,
        Ok(health) => health.findings.iter().any(|finding| least.contains(&finding.severity)),
    }
}

pub(super) async fn a_refused_credential_is_believed(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut pushes = Vec::new();
    for entity in written(&*connector) {
        pushes.extend(
            push_of_one(fixture, entity, 1, claim).await?.map(|(id, push)| (entity.entity, id, push)),
        );
    }
    if !fixture.allow(Right::Nothing) {
        return Ok(Checked::NotClaimed("the fixture takes no right away"));
    }
    let tries = |what: &str, before: u64| {
        let requests = fixture.received().requests - before;
        claim.check(requests <= MOST_TRIES, || format!("{requests} requests for {what}"))
    };
    for capability in &connector.capabilities().entities {
        let before = fixture.received().requests;
        let page = connector.pull_page(&small(fixture, capability.entity)).await;
        let kind = page.as_ref().err().map(crate::error::Error::kind);
        claim.check(kind == Some(ErrorKind::Auth), || {
            format!("{kind:?} for a page of {} with a refused credential", capability.entity)
        })?;
        tries("a page", before)?;
    }
    for (entity, id, push) in pushes {
        let (before, stored) = (fixture.received().requests, fixture.stored(entity, &id));
        let push = super::writable::push_now(fixture, push.patches);
        let answers = connector.push(&push).await;
        claim.check(is_refused(&answers, &[ErrorKind::Auth]), || format!("{answers:?}"))?;
        tries("a push", before)?;
        claim.check(fixture.stored(entity, &id) == stored, || "the record changed".to_owned())?;
    }
    if let Some(source) = connector.webhooks() {
        let before = fixture.received().requests;
        let listed = source.subscriptions().await;
        let kind = listed.as_ref().err().map(crate::error::Error::kind);
        claim.check(kind == Some(ErrorKind::Auth), || format!("{kind:?} for the subscriptions"))?;
        tries("the subscriptions", before)?;
    }
    let found = is_found(fixture, &[Severity::Error]).await;
    claim.check(found, || "a probe without an error".to_owned())?;
    Ok(Checked::Held)
}

pub(super) async fn a_right_that_lacks_is_told(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut outcome = Checked::NotClaimed("no field is claimed as writable, or no right can be taken away");
    for entity in written(&*connector) {
        let Some((id, push)) = push_of_one(fixture, entity, 1, claim).await? else { continue };
        if !fixture.allow(Right::Read) {
            continue;
        }
        outcome = Checked::Held;
        let (before, stored) = (fixture.received().requests, fixture.stored(entity.entity, &id));
        let answers = connector.push(&push).await;
        claim.check(is_refused(&answers, &[ErrorKind::Forbidden, ErrorKind::Auth]), || {
            format!("{answers:?} without the right to write")
        })?;
        let requests = fixture.received().requests - before;
        claim.check(requests <= MOST_TRIES, || format!("{requests} requests for a push"))?;
        claim.check(fixture.stored(entity.entity, &id) == stored, || "the record changed".to_owned())?;
        let page = connector.pull_page(&small(fixture, entity.entity)).await;
        claim.check(page.is_ok(), || format!("a page with the right to read: {page:?}"))?;
        let found = is_found(fixture, &[Severity::Warning, Severity::Error]).await;
        claim.check(found, || "a probe that says nothing of the right to write".to_owned())?;
    }
    Ok(outcome)
}
