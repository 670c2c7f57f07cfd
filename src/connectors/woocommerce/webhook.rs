//! Webhooks: deliveries as they come, and our subscriptions at the store.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 10 (WooCommerce 10.5.0, observed), and `class-wc-webhook`
//! of the plugin's source, read on the same day.
//!
//! A delivery is sent once and never again, by the site's own cron: seconds to hours after the change, in no order,
//! and several changes of one product are one delivery. The seventh failure in a row disables the subscription.
//! Nothing is delivered for:
//! - a product that is deleted past the bin, singly or by a batch;
//! - a variation that is deleted;
//! - a changed alt text, and a renamed tag, category or brand.
//!
//! Those are found by a pull: a sweep of ids finds what is gone, and a full pull the rest.

use std::borrow::Cow;

use async_trait::async_trait;
use http::Method;
use serde::Deserialize;
use url::Url;

use super::connector::WooCommerce;
use super::object::Object;
use super::{PLATFORM, wire};
use crate::connector::{Subscribed, Subscription, SubscriptionStatus, WebhookSource};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault, Idempotency};
use crate::model::{Entity, ExternalId, RecordRef, Secret};
use crate::webhook::{Event, EventKind, Incoming, Received, Signature};

const WEBHOOKS: &str = "wp-json/wc/v3/webhooks";
/// How the names of our subscriptions begin; the label and the topic follow.
const NAME_PREFIX: &str = "lily-connect/";
/// The most pages of a hundred subscriptions that are looked through.
const MAX_PAGES: u64 = 50;
/// The longest name, topic, id or secret that is read or sent.
const MAX_WORD: usize = 200;
/// The store's own rule for addresses that it fetches (WordPress, `wp_http_validate_url`).
const PORTS: [u16; 3] = [80, 443, 8080];

const SOURCE: &str = "x-wc-webhook-source";
const TOPIC: &str = "x-wc-webhook-topic";
const SIGNATURE: &str = "x-wc-webhook-signature";
const ID: &str = "x-wc-webhook-id";
const DELIVERY_ID: &str = "x-wc-webhook-delivery-id";

#[async_trait]
impl WebhookSource for WooCommerce {
    fn verify(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
        if let Some(subscription) = ping(incoming) {
            return Ok(Received::Ping { subscription });
        }
        let keys: Vec<Cow<'_, str>> =
            secrets.iter().map(|secret| as_the_store_uses(secret.expose())).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        Signature::from_base64(incoming.header(SIGNATURE))?.must_be_of(incoming.body(), &keys)?;
        let bases = [Some(self.client.origin().base().as_str()), self.home.as_deref()];
        event(incoming, &bases).map(Received::Event)
    }

    async fn subscriptions(&self) -> Result<Vec<Subscribed>> {
        let mut ours = Vec::new();
        let mut offset = 0;
        for _ in 0..MAX_PAGES {
            let page = self.client.execute_with(list(offset), read_list).await?;
            let read = page.items.len() as u64;
            ours.extend(page.items.into_iter().filter_map(Item::ours));
            offset += read;
            // A plugin may cap pages, so a short one is the last one only where the count says so.
            if read == 0 || page.total.is_some_and(|total| offset >= total) {
                return Ok(ours);
            }
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            "too_many_webhooks",
            "the store has more webhooks than are looked through",
        )
        .with_context("bound", (MAX_PAGES * u64::from(wire::MAX_PAGE)).to_string())
        .with_remedy("delete webhooks that nobody uses, in WooCommerce under Settings, Advanced, Webhooks"))
    }

    async fn subscribe(&self, wanted: &Subscription) -> Result<Vec<Subscribed>> {
        must_be_deliverable(&wanted.delivery_url)?;
        must_be_kept_as_it_is(&wanted.secret)?;
        if !wanted.entities.contains(&Entity::Product) {
            return Ok(Vec::new());
        }
        let calls = wanted.topics.iter().map(|topic| create(wanted, *topic)).collect::<Result<Vec<_>>>()?;
        let mut made = Vec::with_capacity(calls.len());
        for call in calls {
            let item: Item = self.client.execute_with(call, wire::json).await?;
            made.extend(item.ours());
        }
        Ok(made)
    }

    async fn remove(&self, id: &ExternalId) -> Result<()> {
        if !wire::is_id(id) {
            return Err(Error::new(ErrorKind::Config, "id_unreadable", "a webhook's id is a number"));
        }
        let path = format!("{WEBHOOKS}/{id}");
        let known: Item = match self.client.execute_with(ApiRequest::get(path.clone()), wire::json).await {
            Ok(known) => known,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if known.ours().is_none() {
            return Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "the webhook is not one of ours")
                .with_remedy("delete it in WooCommerce, if that is meant"));
        }
        // Without `force` the store answers 501. A repetition finds it gone, so a lost answer does no harm.
        let call = ApiRequest::write(Method::DELETE, path, "{}")
            .idempotency(Idempotency::Safe)
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT)
            .query("force", "true")
            .query("_fields", "id");
        match self.client.execute(call).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// The subscription that a ping names.
///
/// The store sends one when a subscription is made, unsigned and without any header of its own. Nothing else that
/// is unsigned is taken for one.
fn ping(incoming: &Incoming) -> Option<ExternalId> {
    if [SOURCE, TOPIC, SIGNATURE, ID, DELIVERY_ID].iter().any(|name| incoming.has_header(name)) {
        return None;
    }
    let kind = incoming.header("content-type")?.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let id = std::str::from_utf8(incoming.body()).ok()?.strip_prefix("webhook_id=")?;
    Some(ExternalId::from(id)).filter(wire::is_id)
}

/// Reads a delivery whose signature is right.
fn event(incoming: &Incoming, bases: &[Option<&str>]) -> Result<Event> {
    let header = |name: &'static str| {
        let text = incoming.header(name).filter(|text| !text.is_empty() && text.len() <= MAX_WORD);
        text.ok_or_else(|| unreadable("a header of the delivery is missing").with_context("header", name))
    };
    let source = incoming.header(SOURCE).and_then(site);
    let is_ours =
        |base: &str| site(base).zip(source.as_ref()).is_some_and(|(base, source)| is_of(source, &base));
    if !bases.iter().flatten().any(|base| is_ours(base)) {
        return Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "another store sent the delivery").with_remedy(
            "give each store an address of its own; give the connector the site's address as the site names itself",
        ));
    }
    let subscription = Some(ExternalId::from(header(ID)?)).filter(wire::is_id);
    let subscription = subscription.ok_or_else(|| unreadable("the subscription's id is no number"))?;
    let (resource, topic) = header(TOPIC)?.split_once('.').unwrap_or_default();
    let topic = match (resource, topic) {
        ("product", "created") => EventKind::Created,
        ("product", "updated") => EventKind::Updated,
        ("product", "deleted") => EventKind::Deleted,
        ("product", "restored") => EventKind::Restored,
        _ => EventKind::Other,
    };
    let mut event = Event::new(topic, incoming.received()).with_subscription(subscription);
    if let Ok(delivery) = header(DELIVERY_ID) {
        event = event.with_delivery(delivery);
    }
    if topic == EventKind::Other {
        return Ok(event);
    }
    let Object(body): Object<Body<'_>> = serde_json::from_slice(incoming.body())
        .map_err(|_| unreadable("the delivery's body is no product: it was signed, and cannot be read"))?;
    if body.id == 0 {
        return Err(unreadable("the delivery names no product"));
    }
    let named = |entity, id: u64| RecordRef::new(PLATFORM, entity, id.to_string());
    if body.kind.as_deref() != Some("variation") {
        return Ok(event.with_record(named(Entity::Product, body.id)));
    }
    event = event.with_record(named(Entity::Variant, body.id));
    Ok(match body.parent_id {
        Some(parent) if parent > 0 => event.with_parent(named(Entity::Product, parent)),
        Some(_) | None => event,
    })
}

/// What is read of a body: the rest is a hint at best.
#[derive(Deserialize)]
struct Body<'a> {
    id: u64,
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    parent_id: Option<u64>,
}

fn unreadable(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "webhook_unreadable", message)
}

/// Whether a delivery whose signature fits comes from a site: a plugin for languages gives its own folder below
/// the site's address, and some sites name themselves with `www.` and some without.
fn is_of(source: &Site, base: &Site) -> bool {
    fn bare(host: &str) -> &str {
        host.strip_prefix("www.").unwrap_or(host)
    }
    let below = source.2.strip_prefix(base.2.as_str());
    bare(&source.0) == bare(&base.0)
        && source.1 == base.1
        && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

type Site = (String, Option<u16>, String);

/// Host, port and folder of an address: a site is the same over http and https.
fn site(address: &str) -> Option<Site> {
    let url = Url::parse(address.trim()).ok()?;
    let host = url.host_str()?.to_owned();
    Some((host, url.port(), url.path().trim_end_matches('/').to_owned()))
}

/// The store decodes some HTML entities in a secret before it signs (`wp_specialchars_decode` with both quotes):
/// `&amp;`, `&lt;`, `&gt;`, `&quot;`, and some numbers, once.
fn as_the_store_uses(secret: &str) -> Cow<'_, str> {
    if !secret.contains('&') {
        return Cow::Borrowed(secret);
    }
    let mut out = String::with_capacity(secret.len());
    let mut rest = secret;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let decoded = after.split_once(';').and_then(|(name, behind)| Some((entity(name)?, behind)));
        if let Some((character, behind)) = decoded {
            out.push(character);
            rest = behind;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    // Zeros before the number do not count. Of the numbers in hexadecimal it knows three.
    match number.strip_prefix(['x', 'X']) {
        Some(hex) => match hex.trim_start_matches('0') {
            "22" => Some('"'),
            "26" => Some('&'),
            "27" => Some('\''),
            _ => None,
        },
        None => match number.trim_start_matches('0') {
            "34" => Some('"'),
            "38" => Some('&'),
            "39" => Some('\''),
            "60" => Some('<'),
            "62" => Some('>'),
            _ => None,
        },
    }
}

/// The store refuses to deliver elsewhere, and says so only by deliveries that never come.
fn must_be_deliverable(url: &Url) -> Result<()> {
    let port = url.port_or_known_default().unwrap_or(0);
    // A test site lifts the rule; only there does a number or `localhost` make sense.
    let private = !matches!(url.host(), Some(url::Host::Domain(name)) if name != "localhost");
    if private || PORTS.contains(&port) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        "delivery_url_unusable",
        "the store delivers to ports 80, 443 and 8080 only",
    )
    .with_context("port", port.to_string())
    .with_remedy("take deliveries by https at port 443"))
}

fn must_be_kept_as_it_is(secret: &Secret) -> Result<()> {
    let secret = secret.expose();
    let rewritten = |byte: u8| !byte.is_ascii_graphic() || b"&<>\"'\\".contains(&byte);
    if secret.is_empty() || secret.len() > MAX_WORD || secret.bytes().any(rewritten) {
        return Err(Error::new(
            ErrorKind::Config,
            "webhook_secret_unusable",
            "the secret must be 1..=200 characters that the platform does not rewrite",
        )
        .with_remedy("make it with webhook::new_secret"));
    }
    Ok(())
}

fn word(topic: EventKind) -> Option<&'static str> {
    match topic {
        EventKind::Created => Some("product.created"),
        EventKind::Updated => Some("product.updated"),
        EventKind::Deleted => Some("product.deleted"),
        EventKind::Restored => Some("product.restored"),
        EventKind::Other => None,
    }
}

fn create(wanted: &Subscription, topic: EventKind) -> Result<ApiRequest> {
    let word = word(topic).ok_or_else(|| {
        Error::new(ErrorKind::Config, "topic_unsupported", "only the topics of EventKind::ALL can be told")
    })?;
    let body = serde_json::json!({
        "name": format!("{NAME_PREFIX}{} {word}", wanted.label),
        "topic": word,
        "delivery_url": wanted.delivery_url.as_str(),
        "secret": wanted.secret.expose(),
        "status": "active",
    });
    Ok(ApiRequest::write(Method::POST, WEBHOOKS, body.to_string())
        .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT))
}

/// A page of all webhooks of the store, by ascending id.
fn list(offset: u64) -> ApiRequest {
    ApiRequest::get(WEBHOOKS)
        .query("per_page", wire::MAX_PAGE.to_string())
        .query("offset", offset.to_string())
        .query("orderby", "id")
        .query("order", "asc")
        .query("status", "all")
        .query("_fields", "id,name,status,topic,delivery_url")
}

struct ListPage {
    items: Vec<Item>,
    total: Option<u64>,
}

fn read_list(response: ApiResponse) -> Result<ListPage, BodyFault> {
    let answered = wire::answered(response, b'[')?;
    let items = serde_json::from_slice(&answered.body).map_err(|_| {
        BodyFault::Broken(Error::new(
            ErrorKind::Protocol,
            "answer_unreadable",
            "the store's list of webhooks cannot be read",
        ))
    })?;
    Ok(ListPage { items, total: answered.total })
}

/// A webhook as the store shows it; the secret is never part of it.
#[derive(Deserialize)]
struct Item {
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    delivery_url: String,
}

impl Item {
    /// The subscription that it is; none where its name is not by us.
    fn ours(self) -> Option<Subscribed> {
        let (label, _) = self.name.strip_prefix(NAME_PREFIX)?.split_once(' ')?;
        if self.name.len() > MAX_WORD {
            return None;
        }
        let status = match self.status.as_str() {
            "active" => SubscriptionStatus::Active,
            "paused" => SubscriptionStatus::Paused,
            _ => SubscriptionStatus::Disabled,
        };
        let topic = EventKind::ALL.into_iter().find(|topic| word(*topic) == Some(&self.topic));
        let topic = topic.unwrap_or(EventKind::Other);
        Some(Subscribed::new(self.id.to_string(), label, topic, Url::parse(&self.delivery_url).ok(), status))
    }
}

#[cfg(test)]
mod tests;
