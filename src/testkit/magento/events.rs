//! Adobe I/O events and Adobe Commerce webhooks: subscriptions, what happened, and signed deliveries.
//!
//! Signatures by `developer.adobe.com/events/docs/guides/sdk/sdk-signature-verification` and by the page
//! "Webhooks signature verification" of AdobeDocs/commerce-extensibility (both read 2026-11-22).

use std::collections::VecDeque;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::errors::ApiError;
use super::product::GLOBAL;
use super::render::date;
use super::state::{Refusal, State};
use crate::testkit::json::Json;

/// The path of the key that deliveries are signed with, at the host of Adobe's keys.
pub(super) const KEY_PATH: &str = "/prod/keys/pub-key-lily-test.pem";
/// The most events that are kept.
const EVENT_LIMIT: usize = 100_000;

/// The private key that deliveries of fakes are signed with, PKCS #8 in base64. It was made for this file and
/// guards nothing.
const PRIVATE_KEY: &str = "\
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDREUjElBdHTADllDpE/2OBsPbI+7ZUBZ1ZWMeFro1+Rcr1Ub2S\
    P2dWL7Df6/RgWI+t0D/X1oapj4R/ZjsDWbRVzZE8WoClt0HPnvvzu4LKe6FEOJVzLktsHEnFLJyDGsHAILF3vgcN7KgK8jlo6Y+E\
    Xei2+O2+Tw3vc5l9erWex7sLx7r8Np7U7dutwD6Hde9Xs2sHQHZVf5pEzRTC36wTI82ifmTmyrhpdNw0kxqQ9cuo2cWzumbpVs+g\
    7WvEKLg5LTsN2ivt0N04OUOyzOIBCDzowB2GZxkpf6XOfMKAzElcn49iFZCJRT3iWgdL3feABmTKplSg+2RmmO7+V2oXAgMBAAEC\
    ggEAHvJlCBw3uekJNPKVEYOQUjFExolj+tn96azXk/U7opZoLZoU6qISBNL4Zp0BxoU1d3AdEzEBK/Y/kbArShqsNAtC1WE8K8uN\
    pVMOTozSFnDodTW/AZa3uWASl2o8HLgIOA1e16+8UZZXZY9nah0wjlJsUTFV19bR5EEDVmykl8UKbhosbguuXnzgwhKYcl/Rj1jN\
    pyml+35eqr4n6bECOh0U8yw1oqo03r673JhXr2da4AaZqJcee+v0J5GRBya2nhU5AnJD4uoyIIvty7Yu3yast8icXAsW7Uyi28XZ\
    bA5r3nmKZUIqGk2UFo0VSdVjxSUVjeIliVK6Nq0TWsfLAQKBgQDrJkX16lcAPOtZ0yQCI6irDJyTxqEaxNDuNBxK0ZhaI2BoLAss\
    Awqho1BAJFhBbdZkeS6qa51mGjuE48xF2MUMouEsNeuOeAvT7yuH3GEdjbWhsat8q+YRPoX1T34abuX5jE/1wkdvUC3meGNeqBa+\
    LCG+52NUJMHe2wRXnba2gQKBgQDjmvfmQu2D/TtKOifYuCJYxE+Txs2CHaSqnF9VwW/2GXnmtZ8IeBZXMN7mcgWxey6LAzC4+j7A\
    tX9o8MD4guwHS1tBcKNfBNKL3XbOSwId38RmNsFXPL0RF0tHuIfSUj2Ay2RK4nm6ZiVKetkUtH2wK3gQqJtXXzdX9fJuDlfElwKB\
    gQCWmOhtWitl554C5QpGpHe9NFKDAc7jyfDU3WLRN/KOp+FyVeLBySDh7CnVKnGrVaDcsA+G7WzcmyhLL2j/wphQQ3BaVB4MHC3X\
    CXGjjSxVNRCCAbuGGME7ggNg3Awy+Zsnewkqp8YAMCV1WNyrHpOSL8lc7evbU78l7raVNlhyAQKBgBJroFSKZh6giAPh4QexH1Z/\
    zNDw7gDx1TnZnf2awizwsuTxHgXZcjVsRx3vbHaIuaOWhoLx/dIq3jzn/zYdomyUtLX/H7m48jFPoyXe/DTev05mcA9XYxXXBMix\
    LozfCws5asyEt8VWLv5wItGCKgnv+q+edbQEiL4dsZkmoAPRAoGBALxxkTXi2QwuRSM8WDxSAzfZrVOt+o/AMYhyM7nTXwZkKycU\
    Q/qHV04unhyX9feU93u5mqoZsko4b9Bu/p/iVShWYkabuqJZVW+gmdkuhsgu6z/uZHz6aYmnS4wYahawMGy9pfxRYLW7tgd4vZmz\
    CfZw3EdtrbcuMSXpbYtBTKCq\
";

/// The public half of the key.
const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0RFIxJQXR0wA5ZQ6RP9j\n\
gbD2yPu2VAWdWVjHha6NfkXK9VG9kj9nVi+w3+v0YFiPrdA/19aGqY+Ef2Y7A1m0\n\
Vc2RPFqApbdBz57787uCynuhRDiVcy5LbBxJxSycgxrBwCCxd74HDeyoCvI5aOmP\n\
hF3otvjtvk8N73OZfXq1nse7C8e6/Dae1O3brcA+h3XvV7NrB0B2VX+aRM0Uwt+s\n\
EyPNon5k5sq4aXTcNJMakPXLqNnFs7pm6VbPoO1rxCi4OS07Ddor7dDdODlDsszi\n\
AQg86MAdhmcZKX+lznzCgMxJXJ+PYhWQiUU94loHS933gAZkyqZUoPtkZpju/ldq\n\
FwIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

/// How a registration has its events written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventForm {
    /// `{"event_id", "event": {"data"}, "recipient_client_id"}`, which does not say what happened.
    Plain,
    /// A CloudEvents envelope, whose `type` does.
    CloudEvent,
}

/// A delivery as it is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedDelivery {
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, byte for byte.
    pub body: String,
}

/// What the store knows of events.
#[derive(Debug, Default)]
pub(super) struct Eventing {
    pub(super) subscriptions: Vec<Json>,
    pub(super) webhooks: Vec<Json>,
    happened: VecDeque<(String, Json, u64)>,
    made: u64,
    /// What the next asynchronous operations are refused with.
    pub(super) refused_operations: VecDeque<Refusal>,
}

/// The public key as the host of Adobe's keys serves it.
pub(super) fn public_key() -> &'static str {
    PUBLIC_KEY
}

/// The RSA-SHA256 signature of some bytes, PKCS #1 version 1.5, in base64.
fn sign(bytes: &[u8]) -> String {
    let Some(pair) = STANDARD.decode(PRIVATE_KEY).ok().and_then(|der| KeyPair::from_pkcs8(&der).ok()) else {
        return String::new();
    };
    let mut signature = vec![0; pair.public_modulus_len()];
    match pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature) {
        Ok(()) => STANDARD.encode(signature),
        Err(_) => String::new(),
    }
}

/// A delivery of Adobe I/O events. The second signature is by a key that is not served, as while keys change.
pub(super) fn io_delivery(body: &str) -> SignedDelivery {
    let signature = sign(body.as_bytes());
    let other = STANDARD.encode([7u8; 256]);
    SignedDelivery {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-adobe-digital-signature-1", signature),
            ("x-adobe-digital-signature-2", other),
            ("x-adobe-public-key1-path", KEY_PATH.to_owned()),
            ("x-adobe-public-key2-path", "/prod/keys/pub-key-lily-next.pem".to_owned()),
        ],
        body: body.to_owned(),
    }
}

/// A call of an Adobe Commerce webhook: the signature is over the base64 text of the body.
pub(super) fn webhook_delivery(body: &str) -> SignedDelivery {
    let signature = sign(STANDARD.encode(body).as_bytes());
    SignedDelivery {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-adobe-commerce-webhook-signature", signature),
        ],
        body: body.to_owned(),
    }
}

impl State {
    /// Remembers what happened to a product for those events that are subscribed to.
    pub(super) fn happened(&mut self, what: &str, id: u64, new: bool, view: u64) {
        let Some(product) = self.products.get(&id) else { return };
        let mut value = vec![
            ("store_id".to_owned(), Json::String(view.to_string())),
            ("entity_id".to_owned(), Json::String(id.to_string())),
            ("attribute_set_id".to_owned(), Json::String(product.attribute_set_id.to_string())),
            ("type_id".to_owned(), Json::text(product.type_id.clone())),
            ("sku".to_owned(), Json::text(product.sku.clone())),
            ("created_at".to_owned(), Json::String(date(product.created))),
            ("updated_at".to_owned(), Json::String(date(product.updated))),
        ];
        let codes: Vec<String> =
            product.values.get(&GLOBAL).into_iter().flatten().map(|(c, _)| c.clone()).collect();
        for code in codes {
            if let Some(text) = product.value(view, &code) {
                value.push((code, Json::text(text)));
            }
        }
        value.push(("_isNew".to_owned(), Json::Bool(new)));
        let names = [
            format!("observer.catalog_product_{what}_commit_after"),
            format!("observer.catalog_product_{what}_after"),
        ];
        for subscription in self.eventing.subscriptions.clone() {
            let name = subscription.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            if !names.contains(&name) || self.eventing.happened.len() >= EVENT_LIMIT {
                continue;
            }
            let fields: Vec<&str> = subscription
                .get("fields")
                .and_then(Json::as_array)
                .unwrap_or_default()
                .iter()
                .filter_map(|field| field.get("name").and_then(Json::as_str))
                .collect();
            let all = fields.is_empty() || fields.contains(&"*");
            let kept =
                value.iter().filter(|(name, _)| all || fields.contains(&name.as_str()) || name == "_isNew");
            self.eventing.happened.push_back((name, Json::Object(kept.cloned().collect()), view));
        }
    }

    /// Takes the events that wait, each as a signed delivery to a client.
    pub(super) fn take_events(&mut self, client_id: &str, form: EventForm) -> Vec<SignedDelivery> {
        let waiting: Vec<_> = self.eventing.happened.drain(..).collect();
        let mut deliveries = Vec::new();
        for (name, value, view) in waiting {
            self.eventing.made += 1;
            let id = format!("00000000-0000-4000-8000-{:012x}", self.eventing.made);
            let data = Json::object([
                ("value", value),
                ("_metadata", metadata(view)),
                ("source", Json::text("demo.demo")),
            ]);
            let body = match form {
                EventForm::Plain => Json::object([
                    ("event_id", Json::String(id)),
                    ("event", Json::object([("data", data)])),
                    ("recipient_client_id", Json::text(client_id)),
                ]),
                EventForm::CloudEvent => Json::object([
                    ("specversion", Json::text("1.0")),
                    ("id", Json::String(id)),
                    ("source", Json::text("urn:uuid:00000000-0000-4000-8000-00000000aaaa")),
                    ("type", Json::String(format!("com.adobe.commerce.{name}"))),
                    ("datacontenttype", Json::text("application/json")),
                    ("time", Json::String(format!("{}Z", self.now.to_utc_civil()))),
                    ("recipientclientid", Json::text(client_id)),
                    ("data", data),
                ]),
            };
            deliveries.push(io_delivery(&body.to_php()));
        }
        deliveries
    }
}

fn metadata(view: u64) -> Json {
    Json::object([
        ("commerceEdition", Json::text("Adobe Commerce")),
        ("commerceVersion", Json::text("2.4.9")),
        ("eventsClientVersion", Json::text("1.12.0")),
        ("storeId", Json::String(view.to_string())),
        ("websiteId", Json::text("1")),
        ("storeGroupId", Json::text("1")),
    ])
}

/// `POST /V1/eventing/eventSubscribe`.
pub(super) fn subscribe(state: &mut State, body: &Json) -> Result<Json, ApiError> {
    let event = body.get("event").ok_or_else(|| ApiError::required("event"))?;
    let name = event.get("name").and_then(Json::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::required("name"))?;
    let prefixed = name.starts_with("observer.") || name.starts_with("plugin.");
    if !prefixed && event.get("parent").and_then(Json::as_str).is_none_or(str::is_empty) {
        return Err(
            ApiError::bad("Event code \"%1\" is invalid. Use a prefix of observer or plugin.").list([name])
        );
    }
    let taken = |known: &Json| known.get("name").and_then(Json::as_str) == Some(name);
    if state.eventing.subscriptions.iter().any(taken) {
        return Err(ApiError::bad("The event \"%1\" is already subscribed.").list([name]));
    }
    state.eventing.subscriptions.push(event.clone());
    Ok(Json::Array(Vec::new()))
}

/// `POST /V1/eventing/eventUnsubscribe/{name}`.
pub(super) fn unsubscribe(state: &mut State, name: &str) -> Result<Json, ApiError> {
    let before = state.eventing.subscriptions.len();
    state.eventing.subscriptions.retain(|known| known.get("name").and_then(Json::as_str) != Some(name));
    if state.eventing.subscriptions.len() == before {
        return Err(
            ApiError::bad("The \"%1\" event is not registered. You cannot unsubscribe from it").list([name])
        );
    }
    Ok(Json::Array(Vec::new()))
}

/// `POST /V1/webhooks/subscribe` and `/unsubscribe`.
pub(super) fn webhook(state: &mut State, body: &Json, add: bool) -> Result<Json, ApiError> {
    let hook = body.get("webhook").ok_or_else(|| ApiError::required("webhook"))?;
    let identity = |hook: &Json| {
        ["webhook_method", "webhook_type", "batch_name", "hook_name"]
            .map(|name| hook.get(name).and_then(Json::as_str).unwrap_or_default().to_owned())
    };
    let wanted = identity(hook);
    state.eventing.webhooks.retain(|known| identity(known) != wanted);
    if add {
        state.eventing.webhooks.push(hook.clone());
    }
    Ok(Json::Array(Vec::new()))
}
