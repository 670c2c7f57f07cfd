//! Webhook subscriptions.

use std::collections::BTreeMap;

use super::connection::{self, Key};
use super::deliveries::{self, Job};
use super::errors::FieldError;
use super::resolve;
use super::search;
use super::state::State;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use super::write_product::{Mistake, user_errors};
use crate::time::Timestamp;

/// The most subscriptions that are kept.
const SUBSCRIPTION_LIMIT: usize = 200;

/// A subscription as the shop keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// The number of its id.
    pub id: u64,
    /// The topic, such as `PRODUCTS_UPDATE`.
    pub topic: String,
    /// Where it is told.
    pub uri: String,
    /// `JSON` or `XML`.
    pub format: String,
    /// The name that deliveries carry.
    pub name: Option<String>,
    /// The filter, which the stand-in keeps but does not apply.
    pub filter: Option<String>,
    /// The fields that bodies are cut down to; all where it is empty.
    pub include_fields: Vec<String>,
    /// The namespaces of metafields that bodies hold.
    pub metafield_namespaces: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The failures in a row.
    pub failures: u32,
}

impl Subscription {
    /// The topic as headers carry it, such as `products/update`.
    #[must_use]
    pub fn topic_path(&self) -> String {
        path_of(&self.topic)
    }
}

/// `PRODUCTS_UPDATE` as `products/update`: the last word is what happened.
pub(super) fn path_of(topic: &str) -> String {
    let lower = topic.to_lowercase();
    match lower.as_str() {
        "app_scopes_update" => "app/scopes_update".to_owned(),
        _ => lower.rsplit_once('_').map_or(lower.clone(), |(resource, event)| format!("{resource}/{event}")),
    }
}

/// The subscriptions, and what waits to be told.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    pub(super) all: BTreeMap<u64, Subscription>,
    pub(super) waiting: Vec<Job>,
    pub(super) count: u64,
}

impl State {
    /// Tells subscribers of a change of a product.
    pub(super) fn fire_product(&mut self, topic: &'static str, id: u64) {
        if self.webhooks.all.is_empty() {
            return;
        }
        let body = deliveries::product_body(self, topic, id);
        self.fire(topic, &body);
    }

    /// Tells subscribers that a bulk job ended.
    pub(super) fn fire_bulk(&mut self, id: u64) {
        if let Some(body) = deliveries::bulk_body(self, id) {
            self.fire("bulk_operations/finish", &body);
        }
    }

    /// Puts a body into the queue of each subscription of its topic.
    pub(super) fn fire(&mut self, topic: &str, body: &crate::testkit::json::Json) {
        let (now, event) = (self.now, self.random.next_u64());
        let due: Vec<Subscription> =
            self.webhooks.all.values().filter(|known| known.topic_path() == topic).cloned().collect();
        for subscription in due {
            if self.webhooks.waiting.len() >= deliveries::QUEUE_LIMIT {
                return;
            }
            self.webhooks.count += 1;
            let unique = self.random.next_u64();
            let job = Job::new(&subscription, body, now, event, unique);
            self.webhooks.waiting.push(job);
        }
    }
}

/// A field of a subscription.
pub(super) fn field(state: &State, id: u64, name: &str) -> Result<Out, FieldError> {
    let Some(known) = state.webhooks.all.get(&id) else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(gid("WebhookSubscription", id)),
        "legacyResourceId" => Out::text(id.to_string()),
        "topic" => Out::text(&known.topic),
        "uri" | "callbackUrl" => Out::text(&known.uri),
        "endpoint" => endpoint(&known.uri),
        "format" => Out::text(&known.format),
        "name" => Out::maybe(known.name.as_ref()),
        "filter" => Out::maybe(known.filter.as_ref()),
        "includeFields" => Out::texts(&known.include_fields),
        "metafieldNamespaces" => Out::texts(&known.metafield_namespaces),
        "metafields" => Out::List(Vec::new()),
        "createdAt" => Out::time(known.created_at),
        "updatedAt" => Out::time(known.updated_at),
        "apiVersion" => resolve::api_version("2026-10"),
        _ => return Err(FieldError::undefined("WebhookSubscription", name)),
    })
}

/// An address as it was told before there was one field for all kinds; the official clients still ask so.
fn endpoint(uri: &str) -> Out {
    if uri.starts_with("arn:aws:events:") {
        return Out::record("WebhookEventBridgeEndpoint", vec![("arn", Out::text(uri))]);
    }
    match uri.strip_prefix("pubsub://").and_then(|rest| rest.split_once(':')) {
        Some((project, topic)) => Out::record(
            "WebhookPubSubEndpoint",
            vec![("pubSubProject", Out::text(project)), ("pubSubTopic", Out::text(topic))],
        ),
        None => Out::record("WebhookHttpEndpoint", vec![("callbackUrl", Out::text(uri))]),
    }
}

/// `webhookSubscription` and `webhookSubscriptions`.
pub(super) fn root(
    state: &State,
    name: &str,
    args: &Args,
    notes: &mut Vec<search::Note>,
) -> Result<Out, FieldError> {
    if name == "webhookSubscription" {
        let id = args.text("id").and_then(|id| number_of(id, "WebhookSubscription"));
        return Ok(Out::object(id.filter(|id| state.webhooks.all.contains_key(id)).map(Obj::Webhook)));
    }
    let query =
        search::Query::parse("webhookSubscriptions", args.text("query"), search::WEBHOOK_FIELDS, notes);
    let topics = args.texts("topics");
    let found = state
        .webhooks
        .all
        .values()
        .filter(|known| topics.is_empty() || topics.contains(&known.topic))
        .filter(|known| args.text("uri").is_none_or(|uri| uri == known.uri))
        .filter(|known| args.text("format").is_none_or(|format| format == known.format))
        .filter(|known| {
            query.matches(&|field| match field {
                "id" => vec![search::Value::Number(known.id)],
                "updated_at" => vec![search::Value::Time(known.updated_at)],
                _ => vec![search::Value::Time(known.created_at)],
            })
        });
    let items =
        found.map(|known| (Key::Number(known.created_at.unix_millis()), known.id, Obj::Webhook(known.id)));
    Ok(Out::Page(connection::page(items.collect(), args, 0)?))
}

fn payload(type_name: &'static str, id: Option<u64>, mistakes: &[Mistake]) -> Out {
    Out::record(
        type_name,
        vec![("webhookSubscription", Out::object(id.map(Obj::Webhook))), user_errors("UserError", mistakes)],
    )
}

/// Whether an address can be subscribed: https, a queue of a cloud, or this machine, which only the stand-in takes.
fn is_address(uri: &str) -> bool {
    if uri.starts_with("pubsub://") || uri.starts_with("arn:aws:events:") {
        return true;
    }
    url::Url::parse(uri).is_ok_and(|url| match url.scheme() {
        "https" => url.has_host(),
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
        _ => false,
    })
}

fn mistake(what: &str, message: &str) -> Mistake {
    Mistake::new(&["webhookSubscription", what], message)
}

/// Reads what is given over a subscription.
fn apply(known: &mut Subscription, input: &Args) -> Result<(), Mistake> {
    if let Some(uri) = input.given("uri").or_else(|| input.given("callbackUrl")) {
        known.uri = uri.unwrap_or_default();
    }
    if !is_address(&known.uri) {
        return Err(mistake("uri", "Address is invalid"));
    }
    if let Some(Some(format)) = input.given("format") {
        known.format = format;
    }
    if let Some(filter) = input.given("filter") {
        known.filter = filter;
    }
    if let Some(name) = input.given("name") {
        if name.as_ref().is_some_and(|name| {
            name.len() > 50
                || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        }) {
            return Err(mistake("name", "Name may hold letters, digits, dashes and underscores, 50 at most"));
        }
        known.name = name;
    }
    if input.contains_key("includeFields") {
        known.include_fields = input.texts("includeFields");
    }
    if input.contains_key("metafieldNamespaces") {
        known.metafield_namespaces = input.texts("metafieldNamespaces");
    }
    Ok(())
}

fn is_taken(state: &State, wanted: &Subscription) -> bool {
    state.webhooks.all.values().any(|known| {
        known.id != wanted.id
            && known.topic == wanted.topic
            && known.uri == wanted.uri
            && known.filter == wanted.filter
            && known.name == wanted.name
    })
}

/// `webhookSubscriptionCreate`.
pub(super) fn create(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    const PAYLOAD: &str = "WebhookSubscriptionCreatePayload";
    let input = args.map("webhookSubscription").cloned().unwrap_or_default();
    let (id, now) = (state.take_id(), state.now);
    let mut made = Subscription {
        id,
        topic: args.text("topic").unwrap_or_default().to_owned(),
        uri: String::new(),
        format: "JSON".to_owned(),
        name: None,
        filter: None,
        include_fields: Vec::new(),
        metafield_namespaces: Vec::new(),
        created_at: now,
        updated_at: now,
        failures: 0,
    };
    if let Err(mistake) = apply(&mut made, &input) {
        return Ok(payload(PAYLOAD, None, &[mistake]));
    }
    if is_taken(state, &made) || state.webhooks.all.len() >= SUBSCRIPTION_LIMIT {
        let mistake = mistake("uri", "Address for this topic has already been taken");
        return Ok(payload(PAYLOAD, None, &[mistake]));
    }
    state.webhooks.all.insert(id, made);
    Ok(payload(PAYLOAD, Some(id), &[]))
}

/// `webhookSubscriptionUpdate`.
pub(super) fn update(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    const PAYLOAD: &str = "WebhookSubscriptionUpdatePayload";
    let id = args.text("id").and_then(|id| number_of(id, "WebhookSubscription"));
    let Some(mut changed) = id.and_then(|id| state.webhooks.all.get(&id)).cloned() else {
        return Ok(payload(PAYLOAD, None, &[Mistake::new(&["id"], "Webhook subscription does not exist")]));
    };
    let input = args.map("webhookSubscription").cloned().unwrap_or_default();
    if let Err(mistake) = apply(&mut changed, &input) {
        return Ok(payload(PAYLOAD, None, &[mistake]));
    }
    if is_taken(state, &changed) {
        let mistake = mistake("uri", "Address for this topic has already been taken");
        return Ok(payload(PAYLOAD, None, &[mistake]));
    }
    changed.updated_at = state.now;
    let id = changed.id;
    state.webhooks.all.insert(id, changed);
    Ok(payload(PAYLOAD, Some(id), &[]))
}

/// `webhookSubscriptionDelete`.
pub(super) fn delete(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let given = args.text("id").unwrap_or_default().to_owned();
    let gone = number_of(&given, "WebhookSubscription").and_then(|id| state.webhooks.all.remove(&id));
    let (id, mistakes) = match gone {
        Some(_) => (Out::text(given), Vec::new()),
        None => (Out::NULL, vec![Mistake::new(&["id"], "Webhook subscription does not exist")]),
    };
    Ok(Out::record(
        "WebhookSubscriptionDeletePayload",
        vec![("deletedWebhookSubscriptionId", id), user_errors("UserError", &mistakes)],
    ))
}
