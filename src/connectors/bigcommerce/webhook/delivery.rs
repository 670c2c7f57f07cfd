//! A delivery: whose it is, and what it says. Nothing here calls the store.

use serde::Deserialize;
use serde_json::Value;

use super::super::PLATFORM;
use super::super::config::StoreHash;
use super::{SECRET_HEADER, topics, word};
use crate::connector::Told;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, RecordRef, Secret};
use crate::time::Timestamp;
use crate::webhook::{
    Event, EventKind, Incoming, MAX_SECRETS, Notice, Received, STANDARD_SIGNATURE, verify_standard,
};

/// What proves that a delivery is the platform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Proof {
    /// A signature, or the header that our subscriptions ask for.
    #[default]
    Either,
    /// A signature.
    Signature,
    /// The header.
    Header,
}

/// The secrets that a delivery is verified with.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'k> {
    /// The client secret of the API account or app.
    pub signing: Option<&'k Secret>,
    /// The secrets of our subscriptions; a client secret may be among them.
    pub own: &'k [Secret],
}

/// What is read of a delivery.
#[derive(Deserialize)]
struct Body {
    scope: String,
    producer: String,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    hash: Option<String>,
    #[serde(default)]
    created_at: Option<i64>,
}

/// The store that a delivery says it is of, for a server of many stores.
///
/// # Errors
/// `Protocol` with code `webhook_unreadable` where it says none.
pub fn sender(incoming: &Incoming) -> Result<StoreHash> {
    let body = read(incoming)?;
    StoreHash::new(&body.producer).map_err(|_| unreadable("the delivery names no store"))
}

/// Says what a delivery is to a store, without a connected one: after an uninstallation there is none.
///
/// # Errors
/// As [`crate::connector::WebhookSource::verify`], and `Rejected` with code `webhook_not_fresh` where a signed time is
/// more than five minutes off.
pub fn verify(store: &StoreHash, incoming: &Incoming, keys: &Keys<'_>, proof: Proof) -> Result<Received> {
    let signed_id = prove(incoming, keys, proof)?;
    let body = read(incoming)?;
    if body.producer != store.context() {
        return Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "another store sent the delivery")
            .with_remedy("find the store by webhook::sender, and give the delivery to its connector"));
    }
    let triggered = body.created_at.and_then(|seconds| Timestamp::from_unix_seconds(seconds).ok());
    // The hash is one of the event, the same each time that it is sent; a signed delivery has an id of its own.
    let delivery =
        signed_id.or_else(|| body.hash.clone().filter(|hash| !hash.is_empty() && hash.len() <= 200));
    let mut received = match topics::of_scope(&body.scope) {
        Some(Told::Record(kind, entity)) => Received::Event(event(kind, entity, &body, incoming)?),
        Some(Told::Notice(kind)) => Received::Notice(Notice::new(kind, incoming.received())),
        None => Received::Event(Event::new(EventKind::Other, incoming.received())),
    };
    match &mut received {
        Received::Event(event) => {
            event.delivery = delivery.map(Into::into);
            event.triggered = triggered;
        }
        Received::Notice(notice) => {
            notice.delivery = delivery.map(Into::into);
            notice.triggered = triggered;
        }
        Received::Ping { .. } => {}
    }
    Ok(received)
}

/// Checks what proves the delivery; gives the id that a signature covers.
fn prove(incoming: &Incoming, keys: &Keys<'_>, proof: Proof) -> Result<Option<String>> {
    let all: Vec<&Secret> = keys.signing.into_iter().chain(keys.own).collect();
    if all.is_empty() || all.len() > MAX_SECRETS || all.iter().any(|key| key.is_empty()) {
        return Err(Error::new(
            ErrorKind::Config,
            "webhook_secret_unusable",
            "a delivery is verified by one to eight secrets, none of them empty",
        )
        .with_remedy("give the secret that the subscription was made with, or the client secret"));
    }
    let is_signed = incoming.has_header(STANDARD_SIGNATURE);
    let by_header = || keys.own.iter().fold(false, |known, secret| known | is_header(incoming, secret));
    if proof != Proof::Header && (is_signed || proof == Proof::Signature) {
        return match verify_standard(incoming, &all) {
            Ok(delivery) => Ok(Some(delivery.id.to_owned())),
            // Without the client secret at hand, the header is all that there is.
            Err(error)
                if error.code() == "webhook_signature_wrong" && proof == Proof::Either && by_header() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        };
    }
    if by_header() {
        return Ok(None);
    }
    let (code, message) = match incoming.has_header(SECRET_HEADER) {
        true => ("webhook_signature_wrong", "the delivery's header has no secret of ours"),
        false => ("webhook_unsigned", "the delivery has neither a signature nor our header"),
    };
    Err(Error::new(ErrorKind::Auth, code, message)
        .with_remedy("answer 401; see that a proxy passes all headers on"))
}

/// Whether the header has the secret; compared in constant time.
fn is_header(incoming: &Incoming, secret: &Secret) -> bool {
    incoming.header(SECRET_HEADER).is_some_and(|text| Secret::new(text) == *secret)
}

fn read(incoming: &Incoming) -> Result<Body> {
    let is_object = incoming.body().iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let body = is_object.then(|| serde_json::from_slice(incoming.body()).ok()).flatten();
    body.ok_or_else(|| unreadable("the delivery's body cannot be read"))
}

/// The record that a delivery names. Of a SKU it is the variant, and the product is told beside it.
fn event(kind: EventKind, entity: Entity, body: &Body, incoming: &Incoming) -> Result<Event> {
    let named = |entity, id: Option<&Value>| {
        let id = word(id).filter(|id| {
            id.bytes().all(|byte| byte.is_ascii_digit()) && id.parse::<u64>().is_ok_and(|id| id > 0)
        });
        id.map(|id| RecordRef::new(PLATFORM, entity, id))
    };
    let no_record = || unreadable("the delivery names no record of its scope");
    let event = Event::new(kind, incoming.received());
    if entity != Entity::Variant {
        let record = named(entity, body.data.get("id")).ok_or_else(no_record)?;
        return Ok(event.with_record(record));
    }
    let sku = body.data.get("sku").or_else(|| body.data.get("inventory")).ok_or_else(no_record)?;
    let record = named(Entity::Variant, sku.get("variant_id")).ok_or_else(no_record)?;
    let event = event.with_record(record);
    Ok(match named(Entity::Product, sku.get("product_id")) {
        Some(product) => event.with_parent(product),
        None => event,
    })
}

fn unreadable(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "webhook_unreadable", message)
}
