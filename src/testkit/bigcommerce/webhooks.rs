//! Hooks: their routes, and which change makes which of them due.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::deliveries::{Attempts, Job};
use super::errors::{Answer, Outcome, Problem};
use super::metafields::Owner;
use super::query::{Paging, Params};
use super::state::State;
use crate::testkit::json::Json;
use crate::testkit::sha1::sha1;
use crate::time::Timestamp;

/// The most hooks of one scope and API account (fact sheet 7.1).
const PER_SCOPE: usize = 10;
/// The most deliveries that wait; later ones are lost.
const QUEUE_LIMIT: usize = 100_000;
/// A hook without an event for so long is switched off.
const SILENCE: Duration = Duration::from_secs(90 * 86_400);
/// The scopes that a hook may have. `*` at the end stands for all below.
const SCOPES: &[&str] = &[
    "store/product/*",
    "store/product/created",
    "store/product/updated",
    "store/product/deleted",
    "store/product/inventory/updated",
    "store/product/inventory/order/updated",
    "store/product/metafield/created",
    "store/product/metafield/updated",
    "store/product/metafield/deleted",
    "store/product/variant/metafield/created",
    "store/product/variant/metafield/updated",
    "store/product/variant/metafield/deleted",
    "store/sku/*",
    "store/sku/created",
    "store/sku/updated",
    "store/sku/deleted",
    "store/sku/inventory/updated",
    "store/sku/inventory/order/updated",
    "store/category/*",
    "store/category/created",
    "store/category/updated",
    "store/category/deleted",
    "store/category/metafield/created",
    "store/category/metafield/updated",
    "store/category/metafield/deleted",
    "store/brand/metafield/created",
    "store/brand/metafield/updated",
    "store/brand/metafield/deleted",
    "store/information/updated",
    "store/app/uninstalled",
    "store/hook/deliveryException",
];

/// A hook, as a test may look at it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Hook {
    /// The id.
    pub id: u64,
    /// What it is told of, such as `store/product/updated`.
    pub scope: String,
    /// Where it is told.
    pub destination: String,
    /// Whether it is told.
    pub is_active: bool,
    /// The headers that each delivery repeats; their values are secrets.
    pub(super) headers: Vec<(String, String)>,
    pub(super) client: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) last_event: Timestamp,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook")
            .field("id", &self.id)
            .field("scope", &self.scope)
            .field("destination", &self.destination)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

impl Hook {
    /// The headers that each delivery repeats.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    fn covers(&self, scope: &str) -> bool {
        match self.scope.strip_suffix('*') {
            Some(start) => scope.starts_with(start),
            None => self.scope == scope,
        }
    }

    fn json(&self, store: &str) -> Json {
        let headers = match self.headers.as_slice() {
            [] => Json::Null,
            headers => {
                Json::object(headers.iter().map(|(name, value)| (name.clone(), Json::text(value.clone()))))
            }
        };
        Json::object([
            ("id", Json::from(self.id)),
            ("client_id", Json::text(self.client.clone())),
            ("store_hash", Json::text(store)),
            ("created_at", Json::Int(self.created.unix_seconds())),
            ("updated_at", Json::Int(self.updated.unix_seconds())),
            ("scope", Json::text(self.scope.clone())),
            ("destination", Json::text(self.destination.clone())),
            ("is_active", Json::Bool(self.is_active)),
            ("headers", headers),
        ])
    }
}

/// The hooks of a store and what they have to tell.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    pub(super) all: BTreeMap<u64, Hook>,
    pub(super) queue: VecDeque<Job>,
    pub(super) lost: u64,
    pub(super) emails: Vec<String>,
    /// Tries by domain: who fails too often is left alone for a while.
    pub(super) attempts: BTreeMap<String, Attempts>,
    /// Whether destinations on this machine are taken, which the platform does not.
    pub(super) local: bool,
    pub(super) through: Option<String>,
    pub(super) events: u64,
}

impl State {
    /// Tells of a product: `created`, `updated` or `deleted`.
    pub(super) fn fire_product(&mut self, event: &str, id: u64) {
        self.fire_plain(&format!("store/product/{event}"), "product", id);
    }

    /// Tells of something that has a kind and an id, and no more.
    pub(super) fn fire_plain(&mut self, scope: &str, kind: &str, id: u64) {
        self.fire(scope, Json::object([("type", Json::text(kind)), ("id", Json::from(id))]));
    }

    /// Tells of a variant, or of its stock.
    pub(super) fn fire_sku(&mut self, product: u64, variant: u64, stock: bool) {
        let mut data = Json::object([("type", Json::text("sku")), ("id", Json::from(variant + 100_000))]);
        let ids = [("product_id", Json::from(product)), ("variant_id", Json::from(variant))];
        if !stock {
            data.set("sku", Json::object(ids));
            return self.fire("store/sku/updated", data);
        }
        let value = self.products.get(&product).and_then(|it| {
            let row = it.variants.iter().find(|row| super::product::id_of(row) == Some(variant))?;
            row.get("inventory_level").cloned()
        });
        let mut inventory = Json::object(ids);
        inventory.set("method", "absolute");
        inventory.set("value", value.unwrap_or(Json::Int(0)));
        data.set("inventory", inventory);
        self.fire("store/sku/inventory/updated", data);
    }

    /// Tells that a product is on a channel, or no longer.
    pub(super) fn fire_channel(&mut self, event: &str, channel: u64, product: u64) {
        let data = Json::object([("product_id", Json::from(product))]);
        self.fire(&format!("store/channel/{channel}/product/{event}"), data);
    }

    /// Tells of a metafield. Its resource's id is a text.
    pub(super) fn fire_metafield(&mut self, event: &str, owner: Owner, id: u64) {
        let below = if owner.resource == "variant" { "product/variant" } else { owner.resource };
        let data = Json::object([
            ("type", Json::text("metafield")),
            ("metafield_id", Json::from(id)),
            ("resource_id", Json::text(owner.id.to_string())),
        ]);
        self.fire(&format!("store/{below}/metafield/{event}"), data);
    }

    /// Makes a delivery due for each active hook of a scope.
    pub(super) fn fire(&mut self, scope: &str, data: Json) {
        let now = self.now;
        self.webhooks.events += 1;
        let moment = now.unix_seconds();
        // The platform names an event by its data; the moment keeps two of one record apart.
        let named = format!("{scope}{}{moment}{}", data.to_php(), self.webhooks.events);
        let hash: String = sha1(named.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let body = Json::object([
            ("scope", Json::text(scope)),
            ("store_id", Json::text(self.settings.store_id.to_string())),
            ("data", data),
            ("hash", Json::text(hash.clone())),
            ("created_at", Json::Int(moment)),
            ("producer", Json::text(format!("stores/{}", self.settings.store_hash))),
        ]);
        let copies = if self.conditions.deliveries_twice { 2 } else { 1 };
        let webhooks = &mut self.webhooks;
        for hook in webhooks.all.values_mut().filter(|hook| hook.is_active && hook.covers(scope)) {
            hook.last_event = now;
            for _ in 0..copies {
                if webhooks.queue.len() >= QUEUE_LIMIT {
                    webhooks.lost += 1;
                    continue;
                }
                webhooks.queue.push_back(Job::new(hook, scope, body.to_php(), &hash, now));
            }
        }
    }

    /// Switches off hooks that had no event for ninety days.
    pub(super) fn retire_hooks(&mut self) {
        let now = self.now;
        for hook in self.webhooks.all.values_mut().filter(|hook| hook.is_active) {
            if now.since(hook.last_event) >= SILENCE {
                hook.is_active = false;
            }
        }
    }
}

/// `GET /hooks`: those of the caller's API account.
pub(super) fn list(state: &State, params: &Params) -> Outcome {
    let active = params.flag("is_active")?;
    let is = |name: &str, text: &str| params.get(name).is_none_or(|wanted| wanted == text);
    let rows: Vec<&Hook> = state
        .webhooks
        .all
        .values()
        .filter(|hook| hook.client == state.settings.client_id)
        .filter(|hook| active.is_none_or(|on| on == hook.is_active))
        .filter(|hook| is("scope", &hook.scope) && is("destination", &hook.destination))
        .collect();
    let store = state.settings.store_hash.as_str();
    Paging::read(state, params, None)?.answer(state, params, rows, |hook| hook.json(store))
}

/// `POST /hooks`.
pub(super) fn post(state: &mut State, body: &Json) -> Outcome {
    let (scope, destination) = (text(body, "scope"), text(body, "destination"));
    let mut missing = Vec::new();
    for (name, found) in [("scope", &scope), ("destination", &destination)] {
        if found.is_none() {
            missing.push((name.to_owned(), "error.path.missing.".to_owned()));
        }
    }
    let (Some(scope), Some(destination)) = (scope, destination) else {
        return Err(Problem::invalid(missing));
    };
    check(state, 0, &scope, &destination)?;
    let id = state.take("hook");
    let hook = Hook {
        id,
        scope,
        destination,
        is_active: body.get("is_active").and_then(Json::as_bool).unwrap_or(true),
        headers: headers(body),
        client: state.settings.client_id.clone(),
        created: state.now,
        updated: state.now,
        last_event: state.now,
    };
    state.webhooks.all.insert(id, hook);
    one(state, id)
}

/// `GET /hooks/{id}`.
pub(super) fn one(state: &State, id: u64) -> Outcome {
    let found = state.webhooks.all.get(&id).filter(|hook| hook.client == state.settings.client_id);
    found
        .map(|hook| Answer::data(hook.json(&state.settings.store_hash)))
        .ok_or_else(|| Problem::not_found("webhook"))
}

/// `PUT /hooks/{id}`. Being made active again lets it begin anew.
pub(super) fn put(state: &mut State, id: u64, body: &Json) -> Outcome {
    one(state, id)?;
    let Some(hook) = state.webhooks.all.get(&id).cloned() else { return Err(Problem::not_found("webhook")) };
    let scope = text(body, "scope").unwrap_or(hook.scope);
    let destination = text(body, "destination").unwrap_or(hook.destination);
    check(state, id, &scope, &destination)?;
    let now = state.now;
    if let Some(hook) = state.webhooks.all.get_mut(&id) {
        (hook.scope, hook.destination, hook.updated) = (scope, destination, now);
        if let Some(active) = body.get("is_active").and_then(Json::as_bool) {
            hook.is_active = active;
            hook.last_event = now;
        }
        if body.get("headers").is_some() {
            hook.headers = headers(body);
        }
    }
    one(state, id)
}

/// `DELETE /hooks/{id}` answers 200 with the hook.
pub(super) fn delete(state: &mut State, id: u64) -> Outcome {
    let answer = one(state, id)?;
    state.webhooks.all.remove(&id);
    Ok(answer)
}

/// `GET /hooks/admin`: addresses, all hooks, blocked domains.
pub(super) fn admin(state: &State) -> Outcome {
    let store = state.settings.store_hash.as_str();
    let rows = state.webhooks.all.values().map(|hook| {
        let mut row = hook.json(store);
        row.set("status", if hook.is_active { "active" } else { "deactivated" });
        row
    });
    let blocked = state.webhooks.attempts.iter().filter_map(|(domain, attempts)| {
        let left = attempts.blocked_for(state.now)?;
        Some(Json::object([
            ("destination", Json::text(format!("https://{domain}/"))),
            ("time_left", Json::from(left.as_secs())),
            ("reasons", Json::Array(Vec::new())),
        ]))
    });
    let emails = state.webhooks.emails.iter().map(|email| Json::text(email.clone()));
    let data = Json::object([
        ("emails", Json::Array(emails.collect())),
        ("hooks_list", Json::Array(rows.collect())),
        ("blocked_domains", Json::Array(blocked.collect())),
    ]);
    Ok(Answer::data(data))
}

/// `PUT /hooks/admin`.
pub(super) fn put_admin(state: &mut State, body: &Json) -> Outcome {
    let emails = body.get("emails").and_then(Json::as_array).unwrap_or_default();
    state.webhooks.emails = emails.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    Ok(Answer::empty(204))
}

fn text(body: &Json, name: &str) -> Option<String> {
    body.get(name).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn headers(body: &Json) -> Vec<(String, String)> {
    let entries = body.get("headers").and_then(Json::as_object).unwrap_or_default();
    entries.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn check(state: &State, id: u64, scope: &str, destination: &str) -> Result<(), Problem> {
    let channel = scope.starts_with("store/channel/") && scope.contains("/product/");
    if !channel && !SCOPES.contains(&scope) {
        return Err(Problem::new(422, "The scope is invalid.").at("scope", "error.expected.validenum"));
    }
    let url = url::Url::parse(destination).ok();
    let outside =
        url.as_ref().is_some_and(|url| url.scheme() == "https" && url.port_or_known_default() == Some(443));
    let local = state.webhooks.local && crate::testkit::outbound::loopback(destination).is_ok();
    if !outside && !local {
        let text = "The destination must be https, at port 443.";
        return Err(Problem::new(422, text).at("destination", text));
    }
    let own = state
        .webhooks
        .all
        .values()
        .filter(|hook| hook.id != id && hook.client == state.settings.client_id && hook.scope == scope);
    let own: Vec<&Hook> = own.collect();
    if own.iter().any(|hook| hook.destination == destination) {
        let text = "A webhook with this scope and destination exists.";
        return Err(Problem::new(409, text).at("destination", text));
    }
    if own.len() >= PER_SCOPE {
        return Err(Problem::new(422, "There are too many webhooks of this scope.").with(Vec::new()));
    }
    Ok(())
}
