//! Deliveries of webhooks: what is sent, how it is signed, and what its answer means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::product::Product;
use super::state::State;
use super::store::ShopifyFake;
use super::tokens::signed;
use super::value::gid;
use super::variant::{self, Variant};
use super::webhooks::Subscription;
use super::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::testkit::json::Json;
use crate::testkit::outbound::loopback;
use crate::time::Timestamp;
use crate::transport::{AttemptLimits, HttpTransport};

/// The most deliveries that wait; later ones are lost.
pub(super) const QUEUE_LIMIT: usize = 100_000;
/// The tries after the first, and how long after it each comes: eight over four hours.
const RETRIES: [u64; 8] = [60, 300, 900, 1_800, 3_600, 7_200, 10_800, 14_400];
/// The failures in a row after which a subscription is removed.
const FAILURE_LIMIT: u32 = 8;
/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most variants that a body holds whole.
const BODY_VARIANTS: usize = 100;

/// A delivery that waits: its body and headers never change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    subscription: u64,
    uri: String,
    topic: String,
    name: Option<String>,
    body: String,
    webhook_id: String,
    event_id: String,
    triggered: Timestamp,
    due: Timestamp,
    tries: usize,
}

impl Job {
    pub(super) fn new(to: &Subscription, body: &Json, now: Timestamp, event: u64, unique: u64) -> Self {
        let uuid = |number: u64| format!("{:08x}-0000-4000-8000-{:012x}", number >> 32, number & 0xffff_ffff);
        let body = match body {
            Json::Object(entries) if !to.include_fields.is_empty() => {
                let kept = entries.iter().filter(|(name, _)| to.include_fields.contains(name));
                Json::Object(kept.cloned().collect())
            }
            body => body.clone(),
        };
        Self {
            subscription: to.id,
            uri: to.uri.clone(),
            topic: to.topic_path(),
            name: to.name.clone(),
            body: wire::text(&body),
            webhook_id: uuid(unique),
            event_id: uuid(event),
            triggered: now,
            due: now,
            tries: 0,
        }
    }
}

/// A delivery as it is sent, and after [`ShopifyFake::deliver`] what came of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The number of the subscription's id.
    pub subscription: u64,
    /// The topic, such as `products/update`.
    pub topic: String,
    /// Where it goes.
    pub uri: String,
    /// The body.
    pub body: String,
    /// The headers, with names as the platform writes them.
    pub headers: Vec<(&'static str, String)>,
    /// How often it was tried before.
    pub tries: usize,
    /// The status that was answered; `None` where no answer came.
    pub status: Option<u16>,
    /// Why no answer came.
    pub problem: Option<String>,
}

impl Delivery {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("subscription", &self.subscription)
            .field("topic", &self.topic)
            .field("tries", &self.tries)
            .field("status", &self.status)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

fn delivery(state: &State, job: &Job) -> Delivery {
    let signature = STANDARD.encode(signed(&state.shop.client_secret, job.body.as_bytes()));
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("X-Shopify-Topic", job.topic.clone()),
        ("X-Shopify-Hmac-Sha256", signature),
        ("X-Shopify-Shop-Domain", state.shop.myshopify_domain.clone()),
        ("X-Shopify-API-Version", "2026-10".to_owned()),
        ("X-Shopify-Webhook-Id", job.webhook_id.clone()),
        ("X-Shopify-Triggered-At", job.triggered.to_string()),
        ("X-Shopify-Event-Id", job.event_id.clone()),
    ];
    headers.extend(job.name.clone().map(|name| ("X-Shopify-Name", name)));
    Delivery {
        subscription: job.subscription,
        topic: job.topic.clone(),
        uri: job.uri.clone(),
        body: job.body.clone(),
        headers,
        tries: job.tries,
        status: None,
        problem: None,
    }
}

impl ShopifyFake {
    /// Takes the deliveries that are due out of the queue, oldest first, without sending them.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let mut state = self.state();
        let now = state.now;
        let (due, later) =
            std::mem::take(&mut state.webhooks.waiting).into_iter().partition(|job: &Job| job.due <= now);
        state.webhooks.waiting = later;
        due.iter().map(|job| delivery(&state, job)).collect()
    }

    /// How many deliveries wait, those for later among them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().webhooks.waiting.len()
    }

    /// Copies of all subscriptions, by id.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.state().webhooks.all.values().cloned().collect()
    }

    /// Makes a subscription as another program of the same app does.
    pub fn add_subscription(&self, topic: &str, uri: &str) -> u64 {
        let mut state = self.state();
        let (id, now) = (state.take_id(), state.now);
        let made = Subscription {
            id,
            topic: topic.to_owned(),
            uri: uri.to_owned(),
            format: "JSON".to_owned(),
            name: None,
            filter: None,
            include_fields: Vec::new(),
            metafield_namespaces: Vec::new(),
            created_at: now,
            updated_at: now,
            failures: 0,
        };
        state.webhooks.all.insert(id, made);
        id
    }

    /// Removes a subscription, as the platform does after too many failures. False where there is none.
    pub fn remove_subscription(&self, id: u64) -> bool {
        self.state().webhooks.all.remove(&id).is_some()
    }

    /// Sends the deliveries that are due, to loopback addresses only, and gives each with its answer. One that
    /// fails is tried again later by the shop's clock, eight times in four hours; after eight failures in a
    /// row its subscription is removed.
    pub async fn deliver(&self) -> Vec<Delivery> {
        let _alone = self.0.delivering.lock().await;
        let due: Vec<(Job, Delivery)> = {
            let mut state = self.state();
            let now = state.now;
            let (due, later): (Vec<Job>, Vec<Job>) =
                std::mem::take(&mut state.webhooks.waiting).into_iter().partition(|job| job.due <= now);
            state.webhooks.waiting = later;
            due.into_iter().map(|job| (job.clone(), delivery(&state, &job))).collect()
        };
        let mut done = Vec::new();
        for (job, mut delivery) in due {
            match self.send(&delivery).await {
                Ok(status) => delivery.status = Some(status),
                Err(error) => delivery.problem = Some(error.to_string()),
            }
            self.settle_delivery(job, delivery.status.is_some_and(|status| (200..300).contains(&status)));
            done.push(delivery);
        }
        done
    }

    fn settle_delivery(&self, mut job: Job, success: bool) {
        let mut state = self.state();
        let id = job.subscription;
        let Some(subscription) = state.webhooks.all.get_mut(&id) else { return };
        if success {
            subscription.failures = 0;
            return;
        }
        subscription.failures += 1;
        if subscription.failures >= FAILURE_LIMIT {
            state.webhooks.all.remove(&id);
            state.webhooks.waiting.retain(|job| job.subscription != id);
            return;
        }
        if let Some(wait) = RETRIES.get(job.tries) {
            job.tries += 1;
            job.due = job.triggered.saturating_add(Duration::from_secs(*wait));
            state.webhooks.waiting.push(job);
        }
    }

    /// Uninstalls the app: its tokens are dead at once, subscribers are told, and no subscription is left.
    /// What waits is still delivered.
    pub fn uninstall(&self) {
        let mut state = self.state();
        state.tokens.revoke_all();
        let body = Json::object([
            ("id", Json::from(state.shop.id)),
            ("name", Json::text(state.shop.name.clone())),
            ("myshopify_domain", Json::Null),
            ("plan_display_name", Json::text(state.shop.plan_name.clone())),
        ]);
        state.fire("app/uninstalled", &body);
        state.webhooks.all.clear();
    }

    /// Sends deliveries by another transport, such as one that trusts a certificate of a test.
    pub fn deliver_over(&self, transport: Arc<dyn HttpTransport>) {
        *self.0.transport.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = transport;
    }

    async fn send(&self, delivery: &Delivery) -> Result<u16> {
        let url = loopback(&delivery.uri)?;
        let mut request = http::Request::post(url.as_str()).header("user-agent", "Shopify-Captain-Hook");
        for (name, value) in &delivery.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(delivery.body.clone().into_bytes())).map_err(|_| {
            Error::new(ErrorKind::Config, "delivery_unsendable", "the delivery makes no request")
                .with_remedy("check the address of the subscription")
        })?;
        let transport = {
            let transport = self.0.transport.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(&transport)
        };
        let limits = AttemptLimits {
            read_timeout: TIMEOUT,
            attempt_timeout: TIMEOUT,
            max_body_bytes: 1 << 20,
            private_hosts: true,
        };
        Ok(transport.send(request, &limits).await?.status().as_u16())
    }
}

/// The body of a change of a product, in the shape of the old interface.
pub(super) fn product_body(state: &State, topic: &str, id: u64) -> Json {
    let Some(product) = state.products.get(&id).filter(|_| topic != "products/delete") else {
        return Json::object([("id", Json::from(id))]);
    };
    let variants = || product.variants.iter().filter_map(|id| state.variants.get(id));
    let time = |at: Timestamp| Json::text(at.to_string());
    let gids = variants().map(|variant| {
        Json::object([
            ("admin_graphql_api_id", Json::text(variant.gid())),
            ("updated_at", time(variant.updated_at)),
        ])
    });
    Json::object([
        ("admin_graphql_api_id", Json::text(product.gid())),
        ("body_html", Json::text(product.description_html.clone())),
        ("created_at", time(product.created_at)),
        ("handle", Json::text(product.handle.clone())),
        ("id", Json::from(id)),
        ("product_type", Json::text(product.product_type.clone())),
        ("published_at", product.published_at.map_or(Json::Null, time)),
        ("template_suffix", product.template_suffix.clone().map_or(Json::Null, Json::String)),
        ("title", Json::text(product.title.clone())),
        ("updated_at", time(product.updated_at)),
        ("vendor", Json::text(product.vendor.clone())),
        ("status", Json::text(product.status.to_lowercase())),
        ("published_scope", Json::text("web")),
        ("tags", Json::text(product.tags.join(", "))),
        (
            "variants",
            Json::Array(variants().take(BODY_VARIANTS).map(|it| variant_body(product, it)).collect()),
        ),
        (
            "options",
            Json::Array(product.options.iter().map(|option| option_body(product.id, option)).collect()),
        ),
        ("images", Json::Array(Vec::new())),
        ("image", Json::Null),
        ("media", Json::Array(Vec::new())),
        ("variant_gids", Json::Array(gids.collect())),
        ("has_variants_that_requires_components", Json::Bool(false)),
        ("category", Json::Null),
    ])
}

fn option_body(product: u64, option: &super::product::ProductOption) -> Json {
    let values = option.values.iter().map(|value| Json::text(value.name.clone()));
    Json::object([
        ("name", Json::text(option.name.clone())),
        ("id", Json::from(option.id)),
        ("product_id", Json::from(product)),
        ("values", Json::Array(values.collect())),
    ])
}

fn variant_body(product: &Product, variant: &Variant) -> Json {
    let values: Vec<&str> = variant::selected(product, variant).map(|(_, value, ..)| value).collect();
    let value = |at: usize| values.get(at).map_or(Json::Null, |value| Json::text(*value));
    let text = |text: &Option<String>| text.clone().map_or(Json::Null, Json::String);
    Json::object([
        ("admin_graphql_api_id", Json::text(variant.gid())),
        ("barcode", text(&variant.barcode)),
        ("compare_at_price", text(&variant.compare_at_price)),
        ("created_at", Json::text(variant.created_at.to_string())),
        ("id", Json::from(variant.id)),
        ("inventory_policy", Json::text(variant.inventory_policy.to_lowercase())),
        ("position", Json::from(variant.position)),
        ("price", Json::text(variant.price.clone())),
        ("product_id", Json::from(product.id)),
        ("sku", text(&variant.sku)),
        ("taxable", Json::Bool(variant.taxable)),
        ("title", Json::text(variant::title(product, variant))),
        ("updated_at", Json::text(variant.updated_at.to_string())),
        ("option1", value(0)),
        ("option2", value(1)),
        ("option3", value(2)),
        ("image_id", Json::Null),
        ("inventory_item_id", Json::from(variant.inventory_item)),
        ("inventory_quantity", Json::Int(variant.quantity)),
        ("old_inventory_quantity", Json::Int(variant.quantity)),
    ])
}

/// The body of the end of a bulk job; its words are in lower case.
pub(super) fn bulk_body(state: &State, id: u64) -> Option<Json> {
    let super::bulk::Finished { status, error, kind, created, completed } = state.finished(id)?;
    Some(Json::object([
        ("admin_graphql_api_id", Json::text(gid("BulkOperation", id))),
        ("completed_at", completed.map_or(Json::Null, |at| Json::text(at.to_string()))),
        ("created_at", Json::text(created.to_string())),
        ("error_code", error.map_or(Json::Null, |code| Json::text(code.to_lowercase()))),
        ("status", Json::text(status.to_lowercase())),
        ("type", Json::text(kind.to_lowercase())),
    ]))
}
