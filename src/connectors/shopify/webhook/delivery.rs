//! A delivery: whose it is, and what it says. Nothing here calls the store.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::super::auth::ShopDomain;
use super::super::{PLATFORM, wire};
use super::topics::{self, Topic};
use crate::connector::Told;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, RecordRef, Secret};
use crate::time::Timestamp;
use crate::webhook::{Event, EventKind, Incoming, Notice, NoticeKind, Received, Signature, must_be_fresh};

/// The longest header that is read.
const MAX_WORD: usize = 200;
/// How old a delivery may say that it is: the platform tries for four hours (2026-11-22).
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// The headers of a delivery in one of their two spellings.
struct Names {
    signature: &'static str,
    topic: &'static str,
    shop: &'static str,
    delivery: &'static str,
    event: &'static str,
    triggered: &'static str,
}

const WITH_X: Names = Names {
    signature: "x-shopify-hmac-sha256",
    topic: "x-shopify-topic",
    shop: "x-shopify-shop-domain",
    delivery: "x-shopify-webhook-id",
    event: "x-shopify-event-id",
    triggered: "x-shopify-triggered-at",
};
const WITHOUT_X: Names = Names {
    signature: "shopify-hmac-sha256",
    topic: "shopify-topic",
    shop: "shopify-shop-domain",
    delivery: "shopify-webhook-id",
    event: "shopify-event-id",
    triggered: "shopify-triggered-at",
};

impl Names {
    /// The spelling of a delivery: that of its signature, so that no delivery mixes both.
    fn of(incoming: &Incoming) -> &'static Self {
        let without = !incoming.has_header(WITH_X.signature) && incoming.has_header(WITHOUT_X.signature);
        if without { &WITHOUT_X } else { &WITH_X }
    }
}

/// The shop that a delivery says it is of, for a server of many shops: no signature covers it.
///
/// # Errors
/// `Protocol` with code `webhook_unreadable` where it says none; `Rejected` with code `webhook_foreign` where that is
/// no shop's domain.
pub fn sender(incoming: &Incoming) -> Result<ShopDomain> {
    let domain = header(incoming, Names::of(incoming).shop)?.to_ascii_lowercase();
    ShopDomain::new(&domain).map_err(|_| foreign())
}

/// Says what a delivery is to a shop, by the app's client secret, without a connected store: after an
/// uninstallation there is none, and the platform still sends what must be answered.
///
/// # Errors
/// As [`crate::connector::WebhookSource::verify`], and `Rejected` with code `webhook_not_fresh` where it says that it
/// was sent more than a day ago.
pub fn verify(shop: &ShopDomain, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
    let names = Names::of(incoming);
    let keys: Vec<&[u8]> = secrets.iter().map(|secret| secret.expose().as_bytes()).collect();
    Signature::from_base64(incoming.header(names.signature))?.must_be_of(incoming.body(), &keys)?;
    if sender(incoming)? != *shop {
        return Err(foreign());
    }
    let told = header(incoming, names.topic)?;
    let triggered = header(incoming, names.triggered).ok();
    let triggered = triggered.and_then(|text| Timestamp::parse_rfc3339(text).ok());
    if let Some(at) = triggered {
        // It is not signed, so it stops only what somebody kept and sends again as it was.
        must_be_fresh(at, incoming.received(), MAX_AGE)?;
    }
    let mut received = match topics::of_path(told) {
        Some(Topic { told: Told::Record(kind, entity), .. }) => {
            let record = record(incoming.body(), *entity)?;
            Received::Event(Event::new(*kind, incoming.received()).with_record(record))
        }
        Some(Topic { told: Told::Notice(kind), .. }) => Received::Notice(notice(*kind, shop, incoming)?),
        None => Received::Event(Event::new(EventKind::Other, incoming.received())),
    };
    let delivery = header(incoming, names.delivery);
    match &mut received {
        Received::Event(event) => {
            // A body that is cut down is the same for two changes in a second: its id alone tells them apart.
            event.delivery = Some(delivery?.into());
            event.cause = header(incoming, names.event).ok().map(Into::into);
            event.triggered = triggered;
        }
        Received::Notice(notice) => {
            notice.delivery = delivery.ok().map(Into::into);
            notice.triggered = triggered;
        }
        Received::Ping { .. } => {}
    }
    Ok(received)
}

fn header<'i>(incoming: &'i Incoming, name: &'static str) -> Result<&'i str> {
    let text = incoming.header(name).filter(|text| !text.is_empty() && text.len() <= MAX_WORD);
    text.ok_or_else(|| unreadable("a header of the delivery is missing").with_context("header", name))
}

/// What is read of a record's body: the rest is a hint at best.
#[derive(Deserialize)]
struct RecordBody<'a> {
    id: u64,
    #[serde(borrow, default)]
    admin_graphql_api_id: Option<Cow<'a, str>>,
}

fn record(body: &[u8], entity: Entity) -> Result<RecordRef> {
    let body: RecordBody<'_> = object(body)?;
    let id = body.id.to_string();
    let agrees = |gid: &str| gid == wire::gid(entity, &id);
    if body.id == 0 || !body.admin_graphql_api_id.as_deref().is_none_or(agrees) {
        return Err(unreadable("the delivery's body names no record of its topic"));
    }
    Ok(RecordRef::new(PLATFORM, entity, id))
}

/// What is read of the bodies of notices.
///
/// The topic is not signed. So each body must be of the kind that its topic says: no signed body of a record can
/// be sent again as an end of the store.
#[derive(Deserialize)]
struct NoticeBody<'a> {
    #[serde(borrow, default)]
    admin_graphql_api_id: Option<Cow<'a, str>>,
    /// In the bodies of shops, where it may be null.
    #[serde(borrow, default, deserialize_with = "given")]
    myshopify_domain: Option<Option<Cow<'a, str>>>,
    /// In those that are about privacy.
    #[serde(borrow, default)]
    shop_domain: Option<Cow<'a, str>>,
    #[serde(default)]
    customer: Option<IgnoredAny>,
    /// The rights.
    #[serde(default)]
    current: Option<IgnoredAny>,
}

fn notice(kind: NoticeKind, shop: &ShopDomain, incoming: &Incoming) -> Result<Notice> {
    let body: NoticeBody<'_> = object(incoming.body())?;
    let of_this_shop = |domain: &str| {
        if domain.eq_ignore_ascii_case(shop.as_str()) { Ok(true) } else { Err(foreign()) }
    };
    let notice = Notice::new(kind, incoming.received());
    let fits = match kind {
        NoticeKind::Uninstalled | NoticeKind::StoreChanged => match body.myshopify_domain {
            Some(Some(domain)) => of_this_shop(&domain)?,
            Some(None) => true,
            None => false,
        },
        NoticeKind::RightsChanged => body.current.is_some(),
        NoticeKind::JobFinished => {
            let job = body.admin_graphql_api_id.as_deref().unwrap_or_default();
            if job != format!("gid://shopify/BulkOperation/{}", wire::number_of(job))
                || !wire::is_id(&wire::number_of(job).into())
            {
                return Err(unreadable("the delivery names no bulk job"));
            }
            return Ok(notice.with_job(job));
        }
        NoticeKind::PersonAsks | NoticeKind::ErasePerson | NoticeKind::EraseStore => {
            let domain = body.shop_domain.as_deref();
            let of_a_person = kind != NoticeKind::EraseStore;
            domain.map_or(Ok(false), of_this_shop)? && body.customer.is_some() == of_a_person
        }
    };
    if fits { Ok(notice) } else { Err(unreadable("the delivery's body is none of its topic")) }
}

/// Keeps null apart from what is not there.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Cow<'de, str>>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Reads a JSON object; a list that would fill the same fields is none.
fn object<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T> {
    let unread = || unreadable("the delivery's body cannot be read, although it was signed");
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(unread());
    }
    serde_json::from_slice(body).map_err(|_| unread())
}

fn unreadable(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "webhook_unreadable", message)
}

fn foreign() -> Error {
    Error::new(ErrorKind::Rejected, "webhook_foreign", "another store sent the delivery")
        .with_remedy("find the store by webhook::sender, and give the delivery to its connector")
}
