//! Signatures of what Adobe Commerce tells: events of Adobe I/O, and calls of its webhooks module. Magento Open Source
//! and Mage-OS tell nothing: a scheduled pull finds what changed.
//!
//! Both are signed with RSA and SHA-256. Nothing here calls anybody: the caller fetches the keys of [`event_keys`] and
//! keeps them for a day, and the key of webhooks stands in the shop's admin.
//!
//! A delivery is a hint: it names a product, which is then read again. The signature covers no time, so what somebody
//! kept and sends again verifies, too.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use super::PLATFORM;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, RecordRef};
use crate::webhook::{Event, EventKind, Incoming};

/// Where Adobe serves the public keys of events (developer.adobe.com, "SDK signature verification", read 2026-11-22).
const KEY_HOST: &str = "https://static.adobeioevents.com";
/// What the path of a key begins with.
const KEY_PATH: &str = "/prod/keys/";
/// The headers of both signatures and of the paths of their keys: while keys change, one of the two verifies.
const SIGNATURES: [&str; 2] = ["x-adobe-digital-signature-1", "x-adobe-digital-signature-2"];
const KEY_PATHS: [&str; 2] = ["x-adobe-public-key1-path", "x-adobe-public-key2-path"];
/// The header of the one signature of the webhooks module.
const WEBHOOK_SIGNATURE: &str = "x-adobe-commerce-webhook-signature";
/// The longest header that is read.
const MAX_HEADER: usize = 2048;
/// The most events of one delivery.
const MAX_EVENTS: usize = 2000;

/// A public RSA key.
pub struct PublicKey(DecodingKey);

impl PublicKey {
    /// Reads a key in PEM.
    ///
    /// # Errors
    /// `Config` with code `webhook_key_unusable` where the text is no such key.
    pub fn from_pem(pem: &str) -> Result<Self> {
        DecodingKey::from_rsa_pem(pem.as_bytes()).map(Self).map_err(|_| {
            Error::new(ErrorKind::Config, "webhook_key_unusable", "the public key is no RSA key in PEM")
                .with_remedy("copy the key again, from its first line to its last")
        })
    }

    /// Whether a signature in base64 is one of this key over these bytes (PKCS #1 version 1.5, SHA-256).
    fn signed(&self, bytes: &[u8], signature: &str) -> bool {
        // The strict reading of base64: one text for one signature.
        let Ok(raw) = STANDARD.decode(signature) else { return false };
        crypto::verify(&URL_SAFE_NO_PAD.encode(raw), bytes, &self.0, Algorithm::RS256).unwrap_or(false)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").finish_non_exhaustive()
    }
}

/// The addresses of the public keys that a delivery of events names, at Adobe's own host. They are not signed: fetch
/// them over https only, follow no redirect, and keep each for a day.
///
/// # Errors
/// `Auth` with code `webhook_unsigned` where it names none that stands there.
pub fn event_keys(incoming: &Incoming) -> Result<Vec<String>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let is_key = |path: &&str| {
        path.starts_with(KEY_PATH) && path.len() <= 200 && path.bytes().all(plain) && !path.contains("..")
    };
    let paths = KEY_PATHS.iter().filter_map(|name| incoming.header(name)).filter(is_key);
    let keys: Vec<String> = paths.map(|path| format!("{KEY_HOST}{path}")).collect();
    if keys.is_empty() { Err(unsigned()) } else { Ok(keys) }
}

/// Reads a delivery of Adobe I/O events for a client, after one of its signatures was checked over the raw bytes with
/// one of the keys. An event that is about no product has no record.
///
/// # Errors
/// `Auth` with code `webhook_unsigned` or `webhook_signature_wrong`; `Rejected` with code `webhook_foreign` where it
/// is for another client; `Protocol` with code `webhook_unreadable`. None of them shows a body.
pub fn verify_events(incoming: &Incoming, client_id: &str, keys: &[PublicKey]) -> Result<Vec<Event>> {
    let signatures: Vec<&str> = SIGNATURES.iter().filter_map(|name| header(incoming, name)).collect();
    if signatures.is_empty() {
        return Err(unsigned());
    }
    let verified =
        signatures.iter().any(|signature| keys.iter().any(|key| key.signed(incoming.body(), signature)));
    if !verified {
        return Err(signature_wrong());
    }
    let body: Value = serde_json::from_slice(incoming.body()).map_err(|_| unreadable())?;
    let bodies = match body {
        Value::Array(bodies) if bodies.len() <= MAX_EVENTS => bodies,
        Value::Array(_) => return Err(unreadable()),
        one => vec![one],
    };
    bodies.into_iter().map(|body| event(body, client_id, incoming)).collect()
}

/// Checks a call of the webhooks module: the signature is over the base64 text of the body.
///
/// The module waits for an answer that is a list of operations, `[{"op":"success"}]`, and holds the merchant's save up
/// until then: answer at once, and do the work behind it.
///
/// # Errors
/// `Auth` with code `webhook_unsigned` or `webhook_signature_wrong`.
pub fn verify_webhook(incoming: &Incoming, keys: &[PublicKey]) -> Result<()> {
    let signature = header(incoming, WEBHOOK_SIGNATURE).ok_or_else(unsigned)?;
    let text = STANDARD.encode(incoming.body());
    match keys.iter().any(|key| key.signed(text.as_bytes(), signature)) {
        true => Ok(()),
        false => Err(signature_wrong()),
    }
}

fn header<'i>(incoming: &'i Incoming, name: &str) -> Option<&'i str> {
    incoming.header(name).filter(|text| !text.is_empty() && text.len() <= MAX_HEADER)
}

/// An event in either of the two forms that a registration can have.
#[derive(Deserialize)]
struct Body {
    #[serde(alias = "id")]
    event_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(alias = "recipientclientid")]
    recipient_client_id: Option<String>,
    event: Option<Wrapped>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Wrapped {
    #[serde(default)]
    data: Value,
}

fn event(body: Value, client_id: &str, incoming: &Incoming) -> Result<Event> {
    let body: Body = serde_json::from_value(body).map_err(|_| unreadable())?;
    if body.recipient_client_id.as_deref() != Some(client_id) {
        return Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "the event is for another client"));
    }
    // What other providers send under the same registration has other data, or none.
    let data = match (body.data, body.event) {
        (Value::Null, Some(event)) => event.data,
        (data, _) => data,
    };
    let value = data.get("value").unwrap_or(&Value::Null);
    let kind = body.kind.unwrap_or_default();
    let is_product = kind.is_empty() || kind.contains("catalog_product");
    let topic = match kind.contains("delete") {
        true => EventKind::Deleted,
        false if value.get("_isNew") == Some(&Value::Bool(true)) => EventKind::Created,
        false => EventKind::Updated,
    };
    let id = value.get("entity_id").and_then(|id| match id {
        Value::String(text) => text.parse::<u64>().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    });
    let event = match id.filter(|id| is_product && *id > 0) {
        Some(id) => Event::new(topic, incoming.received()).with_record(RecordRef::new(
            PLATFORM,
            Entity::Product,
            id.to_string(),
        )),
        None => Event::new(EventKind::Other, incoming.received()),
    };
    Ok(match body.event_id.filter(|id| !id.is_empty() && id.len() <= 200) {
        Some(id) => event.with_delivery(id),
        None => event,
    })
}

fn unsigned() -> Error {
    Error::new(ErrorKind::Auth, "webhook_unsigned", "the delivery has no signature that can be read")
        .with_remedy("refuse it; switch signatures on where the shop sends it")
}

fn signature_wrong() -> Error {
    Error::new(ErrorKind::Auth, "webhook_signature_wrong", "the delivery's signature is of none of the keys")
        .with_remedy("refuse it; fetch the keys anew where they were changed")
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Protocol, "webhook_unreadable", "the delivery is no event")
}
