//! Deliveries of webhooks: what is sent, how it is signed, and what its answer means.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::errors::ApiError;
use super::render::{Form, Renderer};
use super::store::WooStore;
use super::webhooks::{Job, Webhook};
use crate::error::{Error, ErrorKind, Result};
use crate::testkit::json::Json;
use crate::testkit::outbound::loopback;
use crate::time::Timestamp;
use crate::transport::{AttemptLimits, HttpTransport};

/// How the store names itself to those that it calls.
const AGENT: &str = "WooCommerce/10.5.0 Hookshot (WordPress/6.9.7)";
/// The count of failures above which the next one disables a webhook.
const FAILURE_LIMIT: u32 = 5;
/// The longest wait for the answer to a delivery, and to a ping.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const ANSWER_LIMIT: usize = 1 << 20;

/// A delivery that was tried.
#[derive(Clone)]
#[non_exhaustive]
pub struct Delivered {
    /// The webhook's id.
    pub webhook: u64,
    /// The product or variation; `None` for a ping.
    pub product: Option<u64>,
    /// The webhook's topic.
    pub topic: String,
    /// Where it went.
    pub url: String,
    /// The body that was sent.
    pub body: String,
    /// The header `X-WC-Webhook-Signature`; `None` for a ping.
    pub signature: Option<String>,
    /// The header `X-WC-Webhook-Delivery-ID`; `None` for a ping.
    pub delivery_id: Option<String>,
    /// The status that was answered; `None` where no answer came.
    pub status: Option<u16>,
    /// Why no answer came.
    pub problem: Option<String>,
}

impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered")
            .field("webhook", &self.webhook)
            .field("product", &self.product)
            .field("topic", &self.topic)
            .field("status", &self.status)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl WooStore {
    /// Delivers what waits, as the store's background queue does when somebody visits the site; gives each
    /// delivery with its answer, pings first. What becomes due meanwhile waits for the next run.
    ///
    /// Deliveries go to loopback addresses only. Any other address is refused with a line in the log, and
    /// counts as a failure.
    pub async fn run_cron(&self) -> Vec<Delivered> {
        let _alone = self.0.delivering.lock().await;
        let mut done = self.send_pings().await;
        let jobs = std::mem::take(&mut self.state().webhooks.queue);
        for job in jobs {
            done.extend(self.deliver(job).await);
        }
        done
    }

    /// Whether changes are delivered as soon as the request that made them was answered, by a task of the
    /// current runtime (default no). It takes a server; [`WooStore::run_cron`] works either way.
    pub fn deliver_at_once(&self, on: bool) {
        self.0.at_once.store(on, Ordering::Relaxed);
    }

    /// Sends deliveries and callbacks by another transport, such as one that trusts a certificate of a test.
    pub fn deliver_over(&self, transport: Arc<dyn HttpTransport>) {
        *self.0.transport.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = transport;
    }

    /// How many deliveries wait, pings left out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().webhooks.queue.len()
    }

    /// How many changes were lost because too many deliveries waited.
    #[must_use]
    pub fn lost_deliveries(&self) -> u64 {
        self.state().webhooks.lost
    }

    /// A copy of a webhook.
    #[must_use]
    pub fn webhook(&self, id: u64) -> Option<Webhook> {
        self.state().webhooks.all.get(&id).cloned()
    }

    /// Sends the pings of new webhooks, which the store does while it answers.
    pub(super) async fn send_pings(&self) -> Vec<Delivered> {
        let pings = std::mem::take(&mut self.state().webhooks.pings);
        let mut done = Vec::new();
        for job in pings {
            done.extend(self.deliver(job).await);
        }
        done
    }

    /// Delivers in a task of its own, where that is switched on and none runs yet.
    pub(super) fn deliver_soon(&self) {
        let inner = &self.0;
        if !inner.at_once.load(Ordering::Relaxed) || self.waiting() == 0 {
            return;
        }
        if inner.runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            loop {
                store.run_cron().await;
                store.0.runs.store(false, Ordering::Release);
                // What came in between the run and the mark is taken by whoever sets the mark first.
                if store.waiting() == 0 || store.0.runs.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// Delivers one job; `None` where its webhook was deleted meanwhile.
    async fn deliver(&self, job: Job) -> Option<Delivered> {
        let (Job::Ping { webhook: id } | Job::Change { webhook: id, .. }) = job;
        // A webhook that was paused or disabled meanwhile still delivers what waits.
        let webhook = self.webhook(id)?;
        let (message, limits, product) = match job {
            Job::Ping { .. } => (ping(id), limits(PING_TIMEOUT), None),
            Job::Change { product, .. } => {
                let message = self.message(&webhook, product);
                (message, limits(DELIVERY_TIMEOUT), Some(product))
            }
        };
        let answered = self.send(&webhook.delivery_url, &message, &limits).await;
        let status = answered.as_ref().ok().copied();
        if let Err(error) = &answered {
            tracing::warn!(webhook = id, code = error.code(), "a delivery of the stand-in failed: {error}");
        }
        if product.is_some() {
            self.count(id, status.is_some_and(|status| matches!(status, 200..=299 | 301 | 302)));
        }
        let header = |name: &str| {
            let found = message.headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        };
        Some(Delivered {
            webhook: id,
            product,
            signature: header("x-wc-webhook-signature"),
            delivery_id: header("x-wc-webhook-delivery-id"),
            topic: webhook.topic,
            url: webhook.delivery_url,
            body: message.body,
            status,
            problem: answered.err().map(|error| error.to_string()),
        })
    }

    /// Counts a success or a failure of a webhook.
    fn count(&self, id: u64, success: bool) {
        let mut state = self.state();
        let Some(webhook) = state.webhooks.all.get_mut(&id) else { return };
        if success {
            webhook.failures = 0;
        } else if webhook.failures > FAILURE_LIMIT {
            "disabled".clone_into(&mut webhook.status);
        } else {
            webhook.failures += 1;
        }
    }

    fn message(&self, webhook: &Webhook, product: u64) -> Message {
        let now = self.now();
        let home = self.own_address();
        let (resource, event) = webhook.resource_and_event();
        let body = match event {
            "deleted" => Json::object([("id", Json::from(product))]),
            _ => self.displayed(product, &home, now),
        };
        let body = body.to_php();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-wc-webhook-source", format!("{home}/")),
            ("x-wc-webhook-topic", webhook.topic.clone()),
            ("x-wc-webhook-resource", resource.to_owned()),
            ("x-wc-webhook-event", event.to_owned()),
            ("x-wc-webhook-signature", signature(webhook.secret.expose(), body.as_bytes())),
            ("x-wc-webhook-id", webhook.id.to_string()),
            ("x-wc-webhook-delivery-id", delivery_id(webhook.id, now)),
            ("connection", "close".to_owned()),
        ];
        Message { headers, body, agent: AGENT.to_owned() }
    }

    /// An object as a delivery shows it: that of `/products/{id}`, also for a variation. One that is gone by
    /// now is the error that the route answers, which follows from the store's source and was not observed.
    fn displayed(&self, id: u64, home: &str, now: Timestamp) -> Json {
        let mut state = self.state();
        let draw = state.random.next_u64();
        let pool: Vec<u64> = state.products.keys().copied().filter(|other| *other != id).take(64).collect();
        let mut random = crate::testkit::random::SeededRandom::new(draw);
        let related: Vec<u64> = random.pick(&pool).copied().into_iter().collect();
        let render = Renderer { state: &state, home, now, form: Form::View };
        match state.products.get(&id) {
            Some(product) => render.product(product, &related),
            None => ApiError::invalid_product(404).to_json(),
        }
    }

    /// The site's address where no request tells it: the configured one, else that of the last request.
    fn own_address(&self) -> String {
        let state = self.state();
        let home = state.settings.home.clone().or_else(|| state.last_home.clone());
        drop(state);
        home.unwrap_or_else(|| self.home()).trim_end_matches('/').to_owned()
    }

    /// Sends a message to a loopback address and gives the status that was answered.
    pub(super) async fn send(&self, to: &str, message: &Message, limits: &AttemptLimits) -> Result<u16> {
        let url = loopback(to)?;
        let mut request = http::Request::post(url.as_str())
            .header("user-agent", &message.agent)
            .header("accept", "*/*")
            .header("accept-encoding", "deflate, gzip, br, zstd");
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(message.body.clone().into_bytes())).map_err(|_| {
            Error::new(ErrorKind::Config, "delivery_unsendable", "the delivery makes no request")
                .with_remedy("check the delivery address")
        })?;
        let transport = {
            let transport = self.0.transport.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(&transport)
        };
        Ok(transport.send(request, limits).await?.status().as_u16())
    }
}

/// What a call of the store carries.
pub(super) struct Message {
    pub(super) agent: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// The unsigned, form-encoded call that a new webhook makes.
fn ping(id: u64) -> Message {
    let headers = vec![
        ("connection", "close".to_owned()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    Message { agent: AGENT.to_owned(), headers, body: format!("webhook_id={id}") }
}

pub(super) fn limits(time: Duration) -> AttemptLimits {
    AttemptLimits {
        read_timeout: time,
        attempt_timeout: time,
        max_body_bytes: ANSWER_LIMIT,
        private_hosts: true,
    }
}

/// The signature of a body: base64 of its HMAC-SHA256 with the decoded secret.
fn signature(secret: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length, so no key is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(decoded(secret).as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Decodes the entities of special characters, each once, as the store does with a secret before it signs.
fn decoded(secret: &str) -> String {
    const ENTITIES: [(&str, char); 15] = [
        ("&amp;", '&'),
        ("&#038;", '&'),
        ("&#38;", '&'),
        ("&lt;", '<'),
        ("&#060;", '<'),
        ("&#60;", '<'),
        ("&gt;", '>'),
        ("&#062;", '>'),
        ("&#62;", '>'),
        ("&quot;", '"'),
        ("&#034;", '"'),
        ("&#34;", '"'),
        ("&#039;", '\''),
        ("&#39;", '\''),
        ("&#x27;", '\''),
    ];
    let mut out = String::with_capacity(secret.len());
    let mut rest = secret;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let entity = ENTITIES.iter().find(|(entity, _)| from.starts_with(entity));
        let (length, letter) = entity.map_or((1, '&'), |(entity, letter)| (entity.len(), *letter));
        out.push(letter);
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// 32 hex digits that follow from the webhook and the second: two deliveries in one second share them.
fn delivery_id(webhook: u64, now: Timestamp) -> String {
    let digest = Sha256::digest(format!("delivery {webhook} {}", now.unix_seconds()));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_of_a_secret_are_decoded_once() {
        assert_eq!(decoded("a&amp;b&lt;c&#039;&amp;lt;&"), "a&b<c'&lt;&");
        assert_eq!(decoded("plain"), "plain");
    }

    #[test]
    fn only_loopback_addresses_are_called() {
        for near in ["http://127.0.0.1:9/x", "https://localhost/", "http://[::1]:8080/"] {
            assert!(loopback(near).is_ok(), "{near}");
        }
        for far in ["http://10.0.0.1/", "http://shop.example/", "http://localhost.example/", "nowhere"] {
            assert_eq!(loopback(far).unwrap_err().code(), "delivery_refused", "{far}");
        }
    }

    #[test]
    fn a_delivery_id_follows_from_webhook_and_second() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        assert_eq!(delivery_id(1, at(10)), delivery_id(1, at(10)));
        assert_ne!(delivery_id(1, at(10)), delivery_id(2, at(10)));
        assert_ne!(delivery_id(1, at(10)), delivery_id(1, at(11)));
        assert_eq!(delivery_id(1, at(10)).len(), 32);
    }
}
