//! Webhooks as the store keeps them: their routes, and which change makes which of them due.

use std::collections::{BTreeMap, VecDeque};

use super::batch::{self, Op};
use super::errors::{ApiError, BadParam, invalid_params};
use super::query::{Arg, Kind, Params, WpDate, arg, check};
use super::render::Renderer;
use super::routes::renderer;
use super::state::State;
use super::store::WooStore;
use super::write::{Body, sent, sent_text};
use super::{Answer, Call};
use crate::model::Secret;
use crate::testkit::json::Json;
use crate::testkit::random::SeededRandom;
use crate::time::Timestamp;

/// The most webhooks that a store keeps.
const WEBHOOK_LIMIT: usize = 1000;
/// The most jobs that wait; the next ones are lost, and counted.
const QUEUE_LIMIT: usize = 10_000;
/// How many letters a secret has that the store made itself.
const SECRET_LENGTH: usize = 50;

const STATUSES: &[&str] = &["active", "paused", "disabled"];
const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const ARGS: &[Arg] = &[
    arg("context", Kind::Enum(&["view", "edit"])),
    arg("page", Kind::AtLeast(1)),
    arg("per_page", Kind::Between(1, 100)),
    arg("search", Kind::Text),
    arg("after", Kind::Date),
    arg("before", Kind::Date),
    arg("exclude", Kind::Ids),
    arg("include", Kind::Ids),
    arg("offset", Kind::Whole),
    arg("order", Kind::Enum(&["asc", "desc"])),
    arg("orderby", Kind::Enum(&["date", "id", "title"])),
    arg("status", Kind::Enum(&["all", "active", "paused", "disabled"])),
];

/// A webhook, as a test may look at it. The secret is never shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Webhook {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// `active`, `paused` or `disabled`.
    pub status: String,
    /// What it is told of, such as `product.updated`.
    pub topic: String,
    /// Where it is told.
    pub delivery_url: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last saved.
    pub modified: Timestamp,
    /// The failures in a row. A success makes it zero; being made active again does not.
    pub failures: u32,
    pub(super) secret: Secret,
}

impl Webhook {
    /// The two halves of the topic.
    pub(super) fn resource_and_event(&self) -> (&str, &str) {
        self.topic.split_once('.').unwrap_or((&self.topic, ""))
    }
}

impl WooStore {
    /// Adds an active webhook as a merchant or another tool does, without a ping; gives its id.
    pub fn add_webhook(&self, name: &str, topic: &str, delivery_url: &str) -> u64 {
        let now = self.now();
        let mut state = self.state();
        state.webhooks.last += 1;
        let id = state.webhooks.last;
        let webhook = Webhook {
            id,
            name: name.to_owned(),
            status: "active".to_owned(),
            topic: topic.to_owned(),
            delivery_url: delivery_url.to_owned(),
            created: now,
            modified: now,
            failures: 0,
            secret: Secret::new("a secret of somebody else"),
        };
        state.webhooks.all.insert(id, webhook);
        id
    }

    /// Disables a webhook, as the store does after too many failures. False where there is none.
    pub fn disable_webhook(&self, id: u64) -> bool {
        let mut state = self.state();
        let found = state.webhooks.all.get_mut(&id);
        found.map(|webhook| "disabled".clone_into(&mut webhook.status)).is_some()
    }
}

/// What happened to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Created,
    Updated,
    Trashed,
}

/// A delivery that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// The unsigned call that a new webhook makes.
    Ping { webhook: u64 },
    /// A change of a product or variation.
    Change { webhook: u64, product: u64 },
}

/// The webhooks of a store, and what waits to be delivered.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    pub(super) all: BTreeMap<u64, Webhook>,
    pub(super) pings: VecDeque<Job>,
    pub(super) queue: VecDeque<Job>,
    /// Jobs that found the queue full.
    pub(super) lost: u64,
    last: u64,
}

impl Webhooks {
    /// Puts a change into the queue of each active webhook of its topic. An equal job that waits already
    /// stands for both.
    pub(super) fn fire(&mut self, event: Event, product: u64) {
        let topic = match event {
            Event::Created => "product.created",
            Event::Updated => "product.updated",
            Event::Trashed => "product.deleted",
        };
        let due = self.all.values().filter(|hook| hook.status == "active" && hook.topic == topic);
        for webhook in due.map(|hook| hook.id) {
            let job = Job::Change { webhook, product };
            if self.queue.contains(&job) {
                continue;
            }
            if self.queue.len() >= QUEUE_LIMIT {
                self.lost += 1;
                continue;
            }
            self.queue.push_back(job);
        }
    }
}

/// The topics that a webhook may have: those of resources, and the store's own actions.
fn is_topic(topic: &str) -> bool {
    if topic.starts_with("action.woocommerce_") || topic.starts_with("action.wc_") {
        return true;
    }
    topic.split_once('.').is_some_and(|(resource, event)| {
        ["coupon", "customer", "order", "product"].contains(&resource)
            && ["created", "updated", "deleted", "restored"].contains(&event)
    })
}

/// The actions that a topic listens to; only those of products are told.
fn actions(topic: &str) -> Vec<&str> {
    match topic {
        "product.created" => vec![
            "woocommerce_process_product_meta",
            "woocommerce_new_product",
            "woocommerce_new_product_variation",
        ],
        "product.updated" => vec![
            "woocommerce_process_product_meta",
            "woocommerce_update_product",
            "woocommerce_update_product_variation",
        ],
        "product.deleted" => vec!["wp_trash_post"],
        "product.restored" => vec!["untrashed_post"],
        _ => topic.strip_prefix("action.").into_iter().collect(),
    }
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn invalid_id(status: u16, message: &'static str) -> ApiError {
    ApiError::new(status, "woocommerce_rest_shop_webhook_invalid_id", message)
}

fn invalid_topic(message: &'static str) -> ApiError {
    ApiError::new(400, "woocommerce_rest_shop_webhook_invalid_topic", message)
}

fn invalid_url() -> ApiError {
    ApiError::new(
        400,
        "woocommerce_rest_shop_webhook_invalid_delivery_url",
        "Webhook delivery URL must be a valid URL starting with http:// or https://.",
    )
}

/// An object as answered. A webhook that was just made shows no date of a change.
fn json(render: &Renderer<'_>, webhook: &Webhook, is_new: bool) -> Json {
    let (resource, event) = webhook.resource_and_event();
    let hooks = actions(&webhook.topic).into_iter().map(Json::text).collect();
    let mut entries = vec![
        ("id".to_owned(), Json::from(webhook.id)),
        ("name".to_owned(), Json::text(webhook.name.clone())),
        ("status".to_owned(), Json::text(webhook.status.clone())),
        ("topic".to_owned(), Json::text(webhook.topic.clone())),
        ("resource".to_owned(), Json::text(resource)),
        ("event".to_owned(), Json::text(event)),
        ("hooks".to_owned(), Json::Array(hooks)),
        ("delivery_url".to_owned(), Json::text(webhook.delivery_url.clone())),
    ];
    entries.extend(render.dates("date_created", Some(webhook.created), 1));
    entries.extend(render.dates("date_modified", Some(webhook.modified).filter(|_| !is_new), 1));
    let links = render.links(&format!("webhooks/{}", webhook.id), "webhooks", &VERBS, None);
    entries.push(("_links".to_owned(), links));
    Json::Object(entries)
}

/// `GET /webhooks`.
pub(super) fn list(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    let params = &call.params;
    check(params, ARGS)?;
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    let (include, exclude) = (params.ids("include"), params.ids("exclude"));
    let search = params.get("search").unwrap_or_default().to_lowercase();
    let (after, before) = (date(state, params, "after"), date(state, params, "before"));
    let mut found: Vec<&Webhook> = state
        .webhooks
        .all
        .values()
        .filter(|hook| include.is_empty() || include.contains(&hook.id))
        .filter(|hook| !exclude.contains(&hook.id))
        .filter(|hook| hook.name.to_lowercase().contains(&search))
        .filter(|hook| params.get("status").is_none_or(|one| one == "all" || one == hook.status))
        .filter(|hook| after.is_none_or(|after| hook.created.unix_seconds() > after))
        .filter(|hook| before.is_none_or(|before| hook.created.unix_seconds() < before))
        .collect();
    match params.get("orderby") {
        Some("id") => found.sort_by_key(|hook| hook.id),
        Some("title") => found.sort_by_key(|hook| hook.name.to_lowercase()),
        _ => found.sort_by_key(|hook| (hook.created, hook.id)),
    }
    if params.get("order") != Some("asc") {
        found.reverse();
    }
    let per_page = params.number("per_page").unwrap_or(10);
    let page = params.number("page").unwrap_or(1);
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let start = params.number("offset").unwrap_or_else(|| (page - 1).saturating_mul(per_page));
    let render = renderer(state, call);
    let items = found
        .into_iter()
        .skip(usize::try_from(start).unwrap_or(usize::MAX))
        .take(usize::try_from(per_page).unwrap_or(100))
        .map(|hook| json(&render, hook, false))
        .collect();
    let pages = total.div_ceil(per_page);
    Ok(Answer::ok(Json::Array(items)).paged(total, pages, call.paging_links(ARGS, page, pages)))
}

fn date(state: &State, params: &Params, name: &str) -> Option<i64> {
    let date = params.get(name).and_then(WpDate::parse)?;
    Some(date.compared_at(false, state.settings.utc_offset_seconds))
}

/// `POST /webhooks`.
pub(super) fn create(state: &mut State, call: &Call<'_>) -> Result<Answer, ApiError> {
    check_body(&call.body, true)?;
    call.may("cannot_create", "Sorry, you are not allowed to create resources.")?;
    make(state, call, &call.body).map(Answer::created)
}

/// `/webhooks/{id}`.
pub(super) fn item(state: &mut State, call: &Call<'_>, id: u64) -> Result<Answer, ApiError> {
    match call.method {
        "GET" => {
            call.may("cannot_view", "Sorry, you cannot view this resource.")?;
            let found = state.webhooks.all.get(&id).ok_or_else(|| match id {
                0 => invalid_id(404, "Invalid ID."),
                _ => invalid_id(400, "ID is invalid."),
            })?;
            Ok(Answer::ok(json(&renderer(state, call), found, false)))
        }
        "DELETE" => {
            call.may("cannot_delete", "Sorry, you are not allowed to delete this resource.")?;
            if !batch::is_forced(call) {
                let message = "Webhooks do not support trashing.";
                return Err(ApiError::new(501, "woocommerce_rest_trash_not_supported", message));
            }
            delete(state, call, id).map(Answer::ok)
        }
        _ => {
            check_body(&call.body, false)?;
            call.may("cannot_edit", "Sorry, you are not allowed to edit this resource.")?;
            update(state, call, id, &call.body).map(Answer::ok)
        }
    }
}

/// `/webhooks/batch`.
pub(super) fn batch(state: &mut State, call: &Call<'_>) -> Result<Answer, ApiError> {
    batch::run(state, call, &mut |state, op| match op {
        Op::Create(body) => make(state, call, body),
        Op::Update(id, body) => update(state, call, id, body),
        Op::Delete(id) => delete(state, call, id),
    })
}

/// The check of the declared parameters; it comes before the one of the caller.
fn check_body(body: Body<'_>, creates: bool) -> Result<(), ApiError> {
    let missing: Vec<_> = ["topic", "delivery_url"]
        .into_iter()
        .filter(|name| creates && !body.iter().any(|(key, _)| key == name))
        .collect();
    if !missing.is_empty() {
        let message = format!("Missing parameter(s): {}", missing.join(", "));
        let names = missing.into_iter().map(Json::text).collect();
        return Err(
            ApiError::new(400, "rest_missing_callback_param", message).with("params", Json::Array(names))
        );
    }
    let mut bad = Vec::new();
    for name in ["name", "status", "topic", "secret", "delivery_url"] {
        match sent(body, name) {
            Some(Json::String(text)) if name == "status" && !STATUSES.contains(&text.as_str()) => {
                bad.push(BadParam::not_in_enum(name, STATUSES));
            }
            None | Some(Json::String(_)) => {}
            Some(_) => bad.push(BadParam::wrong_type(name, name, "string")),
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(invalid_params(&bad)) }
}

fn make(state: &mut State, call: &Call<'_>, body: Body<'_>) -> Result<Json, ApiError> {
    let text = |key: &str| sent_text(body, key).map(Option::unwrap_or_default);
    let topic = text("topic")?.to_lowercase();
    if !is_topic(&topic) {
        return Err(invalid_topic("Webhook topic is required and must be valid."));
    }
    let delivery_url = text("delivery_url")?;
    if !is_web_address(&delivery_url) {
        return Err(invalid_url());
    }
    if state.webhooks.all.len() >= WEBHOOK_LIMIT {
        let message = format!("This stand-in keeps at most {WEBHOOK_LIMIT} webhooks.");
        return Err(ApiError::new(400, "woocommerce_rest_cannot_create", message));
    }
    let mut secret = text("secret")?;
    if secret.is_empty() {
        secret = random_secret(&mut state.random);
    }
    let mut name = text("name")?;
    if name.is_empty() {
        name = format!("Webhook created on {}", call.now.to_utc_civil());
    }
    let status = Some(text("status")?).filter(|status| STATUSES.contains(&status.as_str()));
    state.webhooks.last += 1;
    let webhook = Webhook {
        id: state.webhooks.last,
        name,
        status: status.unwrap_or_else(|| "active".to_owned()),
        topic,
        delivery_url,
        created: call.now,
        modified: call.now,
        failures: 0,
        secret: Secret::new(secret),
    };
    if webhook.status == "active" {
        state.webhooks.pings.push_back(Job::Ping { webhook: webhook.id });
    }
    let answer = json(&renderer(state, call), &webhook, true);
    state.webhooks.all.insert(webhook.id, webhook);
    Ok(answer)
}

fn update(state: &mut State, call: &Call<'_>, id: u64, body: Body<'_>) -> Result<Json, ApiError> {
    let mut webhook =
        state.webhooks.all.get(&id).cloned().ok_or_else(|| invalid_id(400, "ID is invalid."))?;
    let text = |key: &str| sent_text(body, key).map(|text| text.filter(|text| !text.is_empty()));
    if let Some(topic) = text("topic")? {
        webhook.topic = topic.to_lowercase();
        if !is_topic(&webhook.topic) {
            return Err(invalid_topic("Webhook topic must be valid."));
        }
    }
    if let Some(address) = text("delivery_url")? {
        if !is_web_address(&address) {
            return Err(invalid_url());
        }
        webhook.delivery_url = address;
    }
    if let Some(secret) = text("secret")? {
        webhook.secret = Secret::new(secret);
    }
    if let Some(status) = text("status")? {
        if !STATUSES.contains(&status.as_str()) {
            let message = "Webhook status must be valid.";
            return Err(ApiError::new(400, "woocommerce_rest_shop_webhook_invalid_status", message));
        }
        // The count of failures stays, so that the next one disables the webhook at once.
        webhook.status = status;
    }
    if let Some(name) = text("name")? {
        webhook.name = name;
    }
    webhook.modified = call.now;
    let answer = json(&renderer(state, call), &webhook, false);
    state.webhooks.all.insert(id, webhook);
    Ok(answer)
}

fn delete(state: &mut State, call: &Call<'_>, id: u64) -> Result<Json, ApiError> {
    let webhook = state.webhooks.all.remove(&id).ok_or_else(|| invalid_id(404, "Invalid ID."))?;
    Ok(json(&renderer(state, call), &webhook, false))
}

fn random_secret(random: &mut SeededRandom) -> String {
    let letters: Vec<char> = ('!'..='~').filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    (0..SECRET_LENGTH).filter_map(|_| random.pick(&letters)).collect()
}
