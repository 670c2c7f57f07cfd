//! What the platform tells by itself: deliveries, subscriptions, and the echoes of our own writes.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::engine::enriched;
use super::fixture::ContractFixture;
use super::violation::{Checked, Claim, Outcome, Violation};
use super::walk::Gathered;
use super::writable::{first, written};
use crate::connector::{Connector, Subscribed, Subscription, WebhookSource};
use crate::error::Result;
use crate::model::{Entity, ExternalId, RecordRef, Secret};
use crate::state::{MemoryState, StateStore};
use crate::sync::{Approvals, Inbox, InboxReceipt, Push};
use crate::webhook::{EventKind, Incoming, Received};

pub(super) const SECRET: &str = "SuiteSecretSuiteSecretSuiteSecretSuiteSecretSuite1";
const OTHER: &str = "OtherSecretOtherSecretOtherSecretOtherSecretOther2";
const NO_WEBHOOKS: Checked = Checked::NotClaimed("it hears about no changes");
const NO_DELIVERY: Checked = Checked::NotClaimed("the fixture makes no delivery");

fn secret() -> Secret {
    Secret::new(SECRET)
}

/// A delivery of the first record of a kind that the fixture can tell of.
fn told(fixture: &dyn ContractFixture) -> Option<(RecordRef, Incoming)> {
    let connector = fixture.connector();
    let platform = &connector.info().store.platform;
    connector.capabilities().entities.iter().find_map(|capability| {
        let id = first(fixture, capability.entity)?;
        let incoming = fixture.delivery(capability.entity, &id, &secret())?;
        Some((RecordRef::new(platform.clone(), capability.entity, id), incoming))
    })
}

fn with(incoming: &Incoming, headers: HeaderMap, body: Vec<u8>) -> Result<Incoming> {
    Incoming::new(headers, body, incoming.received())
}

fn names(received: &Result<Received>, record: &RecordRef) -> bool {
    matches!(received, Ok(Received::Event(event)) if event.record.as_ref() == Some(record))
}

pub(super) async fn a_delivery_is_verified_over_its_bytes(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let Some(source) = connector.webhooks() else { return Ok(NO_WEBHOOKS) };
    let Some((record, incoming)) = told(fixture) else { return Ok(NO_DELIVERY) };
    let other = Secret::new(OTHER);
    for secrets in [vec![secret()], vec![other.clone(), secret()]] {
        let received = source.verify(&incoming, &secrets);
        claim.check(names(&received, &record), || format!("{received:?} of a delivery of {record}"))?;
    }
    let mut wrong: Vec<(String, Incoming, Vec<Secret>)> = vec![
        ("another secret".to_owned(), incoming.clone(), vec![other]),
        ("no secret".to_owned(), incoming.clone(), Vec::new()),
        ("an empty secret".to_owned(), incoming.clone(), vec![Secret::new("")]),
    ];
    let body = incoming.body().to_vec();
    let places = [0, body.len() / 3, body.len() / 2, body.len().saturating_sub(1)];
    for place in places {
        let mut flipped = body.clone();
        if let Some(byte) = flipped.get_mut(place) {
            *byte ^= 1;
        }
        let headers = incoming.headers().clone();
        let made = claim.done("a delivery", with(&incoming, headers, flipped))?;
        wrong.push((format!("byte {place} flipped"), made, vec![secret()]));
    }
    let mut longer = body.clone();
    longer.push(b' ');
    let made = claim.done("a delivery", with(&incoming, incoming.headers().clone(), longer))?;
    wrong.push(("a byte more".to_owned(), made, vec![secret()]));
    let made = claim.done("a delivery", with(&incoming, HeaderMap::new(), body.clone()))?;
    wrong.push(("no header".to_owned(), made, vec![secret()]));
    for (what, incoming, secrets) in wrong {
        let received = source.verify(&incoming, &secrets);
        claim.check(received.is_err(), || format!("{received:?} of a delivery with {what}"))?;
    }
    // One header of them is the signature; without any other, it may still be said what it is about.
    let mut needed = 0;
    for name in incoming.headers().keys() {
        let mut headers = incoming.headers().clone();
        headers.remove(name);
        let received =
            source.verify(&claim.done("a delivery", with(&incoming, headers, body.clone()))?, &[secret()]);
        needed += usize::from(received.is_err());
        let event = matches!(&received, Ok(Received::Event(_)));
        claim.check(received.is_err() || !event || names(&received, &record), || {
            format!("{received:?} without the header {name}")
        })?;
    }
    claim.check(needed > 0, || "no header is needed, not even a signature".to_owned())?;
    Ok(Checked::Held)
}

pub(super) async fn a_ping_queues_nothing(fixture: &dyn ContractFixture, claim: Claim) -> Outcome {
    let connector = fixture.connector();
    if connector.webhooks().is_none() {
        return Ok(NO_WEBHOOKS);
    }
    let Some(ping) = fixture.ping(&secret()) else {
        return Ok(Checked::NotClaimed("the fixture makes no ping"));
    };
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let inbox = Inbox::new(Arc::clone(&connector), Arc::clone(&state), fixture.runtime());
    let requests = fixture.received().requests;
    let receipt = claim.done("a ping", inbox.receive(&ping, &[secret()]).await)?;
    claim.check(receipt == InboxReceipt::Ping, || format!("{receipt:?}"))?;
    let jobs = state.jobs(&connector.info().store, None, std::num::NonZeroU32::MAX).await;
    let jobs = claim.done("the jobs", jobs)?;
    claim.check(jobs.is_empty(), || format!("{jobs:?}"))?;
    claim.check(fixture.received().requests == requests, || "a ping that asked the store".to_owned())?;
    Ok(Checked::Held)
}

/// What the suite subscribes to, at an address under a label.
fn wanted(path: &str, label: &str, claim: Claim) -> std::result::Result<Subscription, Violation> {
    let address = format!("https://hooks.example.com/{path}");
    let wanted = Subscription::new(&address, secret()).and_then(|wanted| wanted.label(label));
    let wanted = claim.done("a subscription", wanted)?.topics(&[EventKind::Updated, EventKind::Deleted]);
    Ok(wanted.entities(&[Entity::Product]).notices(&[]))
}

async fn listed(source: &dyn WebhookSource, claim: Claim) -> std::result::Result<Vec<Subscribed>, Violation> {
    let mut listed = claim.done("the subscriptions", source.subscriptions().await)?;
    listed.sort_by_key(|known| known.id.clone());
    Ok(listed)
}

fn ids(list: &[Subscribed]) -> Vec<&ExternalId> {
    list.iter().map(|known| &known.id).collect()
}

pub(super) async fn subscriptions_are_made_listed_and_removed(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let Some(source) = connector.webhooks() else { return Ok(NO_WEBHOOKS) };
    let wanted = wanted("one", "suite", claim)?;
    let mut made = claim.done("subscribing", source.subscribe(&wanted).await)?;
    made.sort_by_key(|known| known.id.clone());
    let known = listed(source, claim).await?;
    claim
        .check(known == made && made.len() == 2, || format!("{known:?} listed, where {made:?} were made"))?;
    for one in &made {
        let right = one.label == wanted.label && one.delivery_url.as_ref() == Some(&wanted.delivery_url);
        claim.check(right && wanted.topics.contains(&one.topic), || format!("{one:?} for {wanted:?}"))?;
    }
    let Some((gone, left)) = made.split_first() else { return Ok(Checked::Held) };
    // A second time it is gone already, which is what was asked for.
    for _ in 0..2 {
        claim.done("removing", source.remove(&gone.id).await)?;
        let known = listed(source, claim).await?;
        claim.check(known == left, || format!("{known:?} listed, where {left:?} should be left"))?;
    }
    Ok(Checked::Held)
}

pub(super) async fn healing_makes_what_is_dead_anew_and_leaves_what_is_not_ours(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let Some(source) = connector.webhooks() else { return Ok(NO_WEBHOOKS) };
    let foreign = fixture.foreign_subscription();
    let theirs = claim.done("subscribing", source.subscribe(&wanted("theirs", "other", claim)?).await)?;
    let here = wanted("here", "suite", claim)?;
    let heal = async |wanted: &Subscription| claim.done("healing", source.heal(wanted).await);
    let ours = async || -> std::result::Result<Vec<Subscribed>, Violation> {
        let mut known = listed(source, claim).await?;
        known.retain(|known| known.label == here.label);
        Ok(known)
    };
    let first = heal(&here).await?;
    claim.check(first.is_whole() && first.made.len() == 2, || format!("{first:?} of nothing"))?;
    let before = ours().await?;
    let again = heal(&here).await?;
    claim.check(again.kept.len() == 2 && again.made.is_empty() && again.removed.is_empty(), || {
        format!("{again:?} of what is well")
    })?;
    claim.check(ours().await? == before, || "what was well is not what it was".to_owned())?;
    // One that the platform gave up.
    if let Some(dead) = before.first()
        && fixture.kill_subscription(&dead.id)
    {
        // Some platforms keep it, disabled, and others delete it.
        let removed = if fixture.has_subscription(&dead.id) { vec![&dead.id] } else { Vec::new() };
        let healed = heal(&here).await?;
        let right = ids(&healed.removed) == removed && healed.made.len() == 1 && healed.kept.len() == 1;
        claim.check(right, || format!("{healed:?} where {} was dead", dead.id))?;
        let known = ours().await?;
        let alive = known.len() == 2 && !ids(&known).contains(&&dead.id);
        claim.check(alive, || format!("{known:?} where {} was dead", dead.id))?;
    }
    // All lead to another address.
    let there = wanted("there", "suite", claim)?;
    let healed = heal(&there).await?;
    claim.check(healed.is_whole() && healed.made.len() == 2 && healed.removed.len() == 2, || {
        format!("{healed:?} for another address")
    })?;
    let known = ours().await?;
    let moved = known.iter().all(|known| known.delivery_url.as_ref() == Some(&there.delivery_url));
    claim.check(moved && known.len() == 2, || format!("{known:?} for {there:?}"))?;
    let all = listed(source, claim).await?;
    let kept = theirs.iter().all(|theirs| all.contains(theirs));
    claim.check(kept, || format!("{all:?}, where {theirs:?} are another deployment's"))?;
    if let Some(foreign) = foreign {
        claim.check(fixture.has_subscription(&foreign), || format!("{foreign}, not ours, is gone"))?;
        let shown = all.iter().any(|known| known.id == foreign);
        claim.check(!shown, || format!("{foreign}, not ours, is listed"))?;
        let removed = source.remove(&foreign).await;
        claim.check(removed.is_err() && fixture.has_subscription(&foreign), || {
            format!("{removed:?} of {foreign}, which is not ours")
        })?;
    }
    Ok(Checked::Held)
}

/// An inbox with what it has handed on so far.
struct Told<'f> {
    fixture: &'f dyn ContractFixture,
    inbox: Inbox,
    sink: Gathered,
    claim: Claim,
}

impl Told<'_> {
    /// Takes a delivery of a record and works on it: how many echoes, and how many were handed on.
    async fn hear(
        &mut self,
        entity: Entity,
        id: &ExternalId,
    ) -> std::result::Result<Option<(u64, u64)>, Violation> {
        // Platforms keep seconds.
        self.fixture.runtime().clock().sleep(Duration::from_secs(2)).await;
        let Some(incoming) = self.fixture.delivery(entity, id, &secret()) else { return Ok(None) };
        let receipt = self.claim.done("a delivery", self.inbox.receive(&incoming, &[secret()]).await)?;
        let queued = matches!(&receipt, InboxReceipt::Queued(record) if record.id == *id);
        self.claim.check(queued, || format!("{receipt:?} of a delivery of {entity} {id}"))?;
        let report = self.claim.done("the inbox", self.inbox.work(&mut self.sink).await)?;
        self.fixture.runtime().clock().sleep(Duration::from_secs(2)).await;
        Ok(Some((report.echoes, report.delivered)))
    }
}

pub(super) async fn an_echo_is_swallowed_and_an_edit_is_not(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector: Arc<dyn Connector> = fixture.connector();
    if connector.webhooks().is_none() {
        return Ok(NO_WEBHOOKS);
    }
    let mut outcome = NO_DELIVERY;
    for entity in written(&*connector) {
        let Some(field) = entity.writable.iter().find(|field| field.list.is_none() && !field.html) else {
            continue;
        };
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let inbox = Inbox::new(Arc::clone(&connector), Arc::clone(&state), fixture.runtime());
        let mut told = Told { fixture, inbox, sink: Gathered::default(), claim };
        let Some((id, enrichment)) = enriched(fixture, entity, &[field], 1, claim).await? else { continue };
        let Some(heard) = told.hear(entity.entity, &id).await? else { continue };
        outcome = Checked::Held;
        claim.check(heard == (0, 1), || format!("{heard:?} echoes and records of the first delivery"))?;
        let push = Push::new(Arc::clone(&connector), Arc::clone(&state), fixture.runtime());
        let plan = claim.done("planning", push.plan(&[enrichment]).await)?;
        let receipt = claim.done("applying", push.apply(&plan, &Approvals::AllowUnreviewed).await)?;
        claim.check(receipt.is_full_success(), || format!("{receipt}"))?;
        // A platform may deliver one change twice.
        for _ in 0..2 {
            let heard = told.hear(entity.entity, &id).await?;
            claim
                .check(heard == Some((1, 0)), || format!("{heard:?} echoes and records of our own write"))?;
        }
        if !fixture.edit(entity.entity, &id, &field.field, "The merchant's, right after") {
            continue;
        }
        let heard = told.hear(entity.entity, &id).await?;
        claim.check(heard == Some((0, 1)), || format!("{heard:?} echoes and records of an edit"))?;
        let last = told.sink.records.last();
        let found = last.and_then(|record| crate::mapping::cells::value(record, &field.field, None));
        let text = found.as_ref().and_then(crate::model::CellValue::as_text);
        claim.check(text == Some("The merchant's, right after"), || format!("{found:?} handed on"))?;
    }
    Ok(outcome)
}
