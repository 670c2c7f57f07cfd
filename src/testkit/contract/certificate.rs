//! What a pull over the connector proves, on a quiet store, a broken one and one that moves.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fixture::{ContractFixture, On, Strike, Trouble};
use super::hooks::SECRET;
use super::violation::{Checked, Claim, Outcome};
use super::walk::{Pulled, difference, pull, small, truth};
use crate::connector::{PullRequest, Purpose, Subscription};
use crate::model::{Calls, Entity, ExternalId, Secret};
use crate::sync::{Certificate, Verdict};
use crate::webhook::EventKind;

pub(super) async fn a_quiet_store_is_complete(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    for capability in &fixture.connector().capabilities().entities {
        let expected = truth(fixture, capability.entity);
        let pulled = pull(fixture, capability.entity).await;
        let certificate = claim.done("a pull", pulled.certificate)?;
        claim.check(pulled.ids == expected, || {
            format!("{}: {}; {certificate}", capability.entity, difference(&expected, &pulled.ids))
        })?;
        let provable =
            capability.ids_only || (capability.counted && (capability.pages_overlap || capability.keyset));
        let verdict = &certificate.verdict;
        let right = if provable { *verdict == Verdict::Complete } else { *verdict == Verdict::Unproven };
        claim.check(right, || format!("{certificate}"))?;
    }
    Ok(Checked::Held)
}

pub(super) async fn a_page_that_fails_for_good_is_never_complete(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    for capability in &fixture.connector().capabilities().entities {
        for trouble in [Trouble::ServerError, Trouble::Truncated, Trouble::Html] {
            // As many as the first page takes; a list that comes whole has no other.
            let after = match capability.calls {
                Calls::PerPage => fixture.calls_of_a_first_page(capability.entity),
                Calls::PerParent => 2,
                Calls::Whole => 0,
            };
            fixture.strike(Strike { trouble, on: On::Read, after, times: 40 });
            let expected = truth(fixture, capability.entity);
            let pulled = pull(fixture, capability.entity).await;
            recover(fixture, capability.entity).await;
            Claim { rule: "FIXTURE", text: "the first page is answered before the trouble begins" }
                .check(!pulled.ids.is_empty() || after == 0, || {
                    format!("no record, before {trouble:?}: {:?}", pulled.certificate)
                })?;
            claim.check(pulled.ids != expected, || {
                format!("all records though every page but the first failed ({trouble:?})")
            })?;
            let complete = pulled.certificate.as_ref().is_ok_and(Certificate::is_complete);
            claim.check(!complete, || format!("Complete with {}", difference(&expected, &pulled.ids)))?;
        }
    }
    Ok(Checked::Held)
}

pub(super) async fn one_broken_answer_loses_no_record(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    for capability in &fixture.connector().capabilities().entities {
        for trouble in Trouble::ALL {
            for after in [0, 1] {
                fixture.strike(Strike { trouble, on: On::Read, after, times: 1 });
                let expected = truth(fixture, capability.entity);
                let pulled = pull(fixture, capability.entity).await;
                recover(fixture, capability.entity).await;
                // An error is honest, and so is Incomplete; Complete must be true.
                check_honest(&pulled, &expected, claim, &format!("{trouble:?} on request {after}"))?;
            }
        }
    }
    Ok(Checked::Held)
}

pub(super) async fn records_that_slip_while_paging_are_found(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    for capability in &fixture.connector().capabilities().entities {
        let entity = capability.entity;
        let mut gone: Vec<ExternalId> = fixture.ids(entity);
        gone.sort_by_key(|id| (id.as_str().len(), id.clone()));
        // Two at a time: one alone may slip into the record that neighbouring pages share.
        gone.truncate(2);
        let expected: BTreeSet<ExternalId> =
            truth(fixture, entity).into_iter().filter(|id| !gone.contains(id)).collect();
        fixture.delete_while_paging(entity, gone.clone(), 1);
        let pulled = pull(fixture, entity).await;
        Claim { rule: "FIXTURE", text: "records are deleted while the list is paged" }
            .check(truth(fixture, entity) == expected, || format!("{gone:?} are still there"))?;
        check_honest(&pulled, &expected, claim, "two deletions")?;
        if capability.ids_only && capability.by_ids {
            let certificate = claim.done("a pull", pulled.certificate)?;
            claim.check(expected.is_subset(&pulled.ids), || {
                format!("{entity}: {}; {certificate}", difference(&expected, &pulled.ids))
            })?;
        }
    }
    Ok(Checked::Held)
}

pub(super) async fn credentials_are_never_shown(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    let mut secrets: Vec<String> =
        fixture.secrets().into_iter().filter(|secret| !secret.is_empty()).collect();
    if secrets.is_empty() {
        return Ok(Checked::NotClaimed("the fixture has no credentials"));
    }
    secrets.push(SECRET.to_owned());
    let mut shown = fixture.texts();
    shown.push(format!("{connector:?} {:?}", fixture.runtime()));
    shown.extend(texts_of_webhooks(fixture, claim).await?);
    shown.push(format!("{:?} {:?}", connector.info(), connector.capabilities()));
    for (place, capability) in connector.capabilities().entities.iter().enumerate() {
        for trouble in Trouble::ALL {
            fixture.strike(Strike { trouble, on: On::Read, after: 0, times: 8 });
            let list = connector.pull_page(&small(fixture, capability.entity)).await;
            let ids = fixture.ids(capability.entity);
            let one = PullRequest::by_ids(capability.entity, ids, Purpose::Guard);
            for result in [list, connector.pull_page(&one).await] {
                shown.push(match result {
                    Err(error) => with_sources(&error),
                    Ok(page) => format!("{:?} {:?} {:?}", page.next, page.ahead, page.degraded),
                });
            }
            // A probe asks the same whatever the kind of record.
            for _ in 0..if place == 0 { 8 } else { 0 } {
                shown.push(match connector.check().await {
                    Err(error) => with_sources(&error),
                    Ok(health) => format!("{:?}", health.findings),
                });
            }
        }
    }
    for (number, text) in shown.iter().enumerate() {
        let found = secrets.iter().any(|secret| text.contains(secret));
        claim.check(!found, || format!("a credential in text {number} of the connector and its errors"))?;
    }
    Ok(Checked::Held)
}

/// What is said where subscriptions are made and deliveries verified, in trouble and without.
async fn texts_of_webhooks(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Result<Vec<String>, super::Violation> {
    let connector = fixture.connector();
    let Some(source) = connector.webhooks() else { return Ok(Vec::new()) };
    let secret = Secret::new(SECRET);
    let mut shown = vec![format!("{source:?}")];
    let wanted = Subscription::new("https://hooks.example.com/", secret.clone());
    let wanted = claim.done("a subscription", wanted)?.topics(&[EventKind::Updated]);
    shown.push(format!("{wanted:?}"));
    for trouble in Trouble::ALL {
        fixture.strike(Strike::next(On::Write, trouble));
        shown.push(match source.subscribe(&wanted).await {
            Err(error) => with_sources(&error),
            Ok(made) => format!("{made:?}"),
        });
        if let Some(capability) = connector.capabilities().entities.first() {
            recover(fixture, capability.entity).await;
        }
    }
    shown.push(match source.heal(&wanted).await {
        Err(error) => with_sources(&error),
        Ok(healed) => format!("{healed:?}"),
    });
    for capability in &connector.capabilities().entities {
        let Some(id) = fixture.ids(capability.entity).into_iter().next() else { continue };
        let Some(incoming) = fixture.delivery(capability.entity, &id, &secret) else { continue };
        shown.push(format!("{incoming:?}"));
        for key in [secret.clone(), Secret::new(format!("{SECRET}2"))] {
            shown.push(match source.verify(&incoming, &[key]) {
                Err(error) => with_sources(&error),
                Ok(received) => format!("{received:?}"),
            });
        }
    }
    Ok(shown)
}

/// Asks until the trouble is used up and the connector trusts the store again.
pub(super) async fn recover(fixture: &dyn ContractFixture, entity: Entity) {
    for _ in 0..300 {
        fixture.runtime().clock().sleep(Duration::from_secs(3600)).await;
        if fixture.connector().pull_page(&small(fixture, entity)).await.is_ok() {
            break;
        }
    }
}

fn check_honest(
    pulled: &Pulled,
    expected: &BTreeSet<ExternalId>,
    claim: Claim,
    what: &str,
) -> Result<(), super::Violation> {
    let complete = pulled.certificate.as_ref().is_ok_and(Certificate::is_complete);
    claim.check(!complete || expected.is_subset(&pulled.ids), || {
        format!("Complete after {what}, with {}", difference(expected, &pulled.ids))
    })
}

fn with_sources(error: &crate::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    text
}
