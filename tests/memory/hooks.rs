//! How the platform in memory tells what changed: signed bodies, and subscriptions.

use async_trait::async_trait;
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use lily_connect::connector::{Subscribed, Subscription, SubscriptionStatus, WebhookSource};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::model::{Entity, ExternalId, RecordRef, Secret};
use lily_connect::testkit::contract::On;
use lily_connect::webhook::{Event, EventKind, Incoming, Received, Signature};
use serde_json::{Value, json};

use super::{PLATFORM, Right, State, Store, number};

const SIGNATURE: &str = "x-memory-signature";

/// A subscription; one without a `wanted` is not ours.
#[derive(Debug, Default)]
pub(super) struct Hook {
    wanted: Option<(Subscription, EventKind)>,
    pub(super) is_dead: bool,
}

pub(super) fn add(state: &mut State, hook: Hook) -> u64 {
    state.last += 1;
    let id = state.last;
    state.hooks.insert(id, hook);
    id
}

fn shown(id: u64, hook: &Hook) -> Option<Subscribed> {
    let (wanted, topic) = hook.wanted.as_ref()?;
    let status = if hook.is_dead { SubscriptionStatus::Disabled } else { SubscriptionStatus::Active };
    let address = Some(wanted.delivery_url.clone());
    Some(Subscribed::new(id.to_string(), wanted.label.clone(), *topic, address, status))
}

/// A delivery that was never sent before.
pub(super) fn signed(store: &Store, body: &Value, secret: &Secret) -> Incoming {
    let mut body = body.clone();
    body["number"] = {
        let mut state = store.state();
        state.last += 1;
        json!(state.last)
    };
    let body = body.to_string();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose().as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, HeaderValue::from_str(&signature).unwrap());
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    Incoming::new(headers, body, store.now()).unwrap()
}

/// What a body says, whoever signed it.
pub(crate) fn unverified(incoming: &Incoming) -> Result<Received> {
    let body: Value = serde_json::from_slice(incoming.body())
        .map_err(|_| Error::new(ErrorKind::Protocol, "webhook_unreadable", "the body is no JSON"))?;
    if let Some(subscription) = body["ping"].as_str() {
        return Ok(Received::Ping { subscription: subscription.into() });
    }
    let record = RecordRef::new(PLATFORM, Entity::Product, body["id"].as_str().unwrap_or_default());
    let event = Event::new(EventKind::Updated, incoming.received()).with_subscription("1");
    Ok(Received::Event(event.with_record(record)))
}

#[async_trait]
impl WebhookSource for Right {
    fn verify(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
        let keys: Vec<&[u8]> = secrets.iter().map(|secret| secret.expose().as_bytes()).collect();
        Signature::from_base64(incoming.header(SIGNATURE))?.must_be_of(incoming.body(), &keys)?;
        unverified(incoming)
    }

    async fn subscriptions(&self) -> Result<Vec<Subscribed>> {
        let list = |state: &mut State| state.hooks.iter().filter_map(|(id, hook)| shown(*id, hook)).collect();
        self.store.call(On::Read, |state| Ok(list(state)))
    }

    async fn subscribe(&self, wanted: &Subscription) -> Result<Vec<Subscribed>> {
        let mut made = Vec::new();
        for topic in &wanted.topics {
            let hook = || Hook { wanted: Some((wanted.clone(), *topic)), is_dead: false };
            let id = self.store.call(On::Write, |state| Ok(add(state, hook())))?;
            made.extend(shown(id, &hook()));
        }
        Ok(made)
    }

    async fn remove(&self, id: &ExternalId) -> Result<()> {
        self.store.call(On::Write, |state| match state.hooks.get(&number(id)) {
            Some(Hook { wanted: None, .. }) => {
                Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "it is not ours"))
            }
            _ => {
                state.hooks.remove(&number(id));
                Ok(())
            }
        })
    }
}
