//! Webhooks of a Shopify store: from the fake's delivery over a socket to the record that was read again, the
//! platform's published samples, and our subscriptions.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use common::Kept;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use lily_connect::connector::{Connector, Subscription, Told, WebhookSource};
use lily_connect::connectors::shopify::auth::ShopDomain;
use lily_connect::connectors::shopify::webhook;
use lily_connect::connectors::shopify::{ApiVersion, PLATFORM};
use lily_connect::error::{ErrorKind, Result};
use lily_connect::model::{Entity, RecordRef, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Approvals, IgnoredWhy, Inbox, InboxReceipt, Push, Tombstone};
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::server::Server;
use lily_connect::testkit::shopify::{Delivery, ShopifyFake};
use lily_connect::time::Timestamp;
use lily_connect::webhook::{Event, EventKind, Incoming, NoticeKind, Received};
use serde_json::{Value, json};
use sha2::Sha256;
use shopify::{Bench, bench_with};

/// The fake's client secret.
const SECRET: &str = "shpss_a-secret-of-tests";
const SHOP: &str = "test-shop.myshopify.com";

fn secrets() -> Vec<Secret> {
    vec![Secret::new(SECRET)]
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// A delivery, signed over its body and sent now.
#[derive(Clone)]
struct Sent {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn new(topic: &str, body: &[u8]) -> Self {
        let sent = Self { headers: HeaderMap::new(), body: body.to_vec() };
        sent.with("X-Shopify-Topic", topic)
            .with("X-Shopify-Hmac-Sha256", &sign(SECRET, body))
            .with("X-Shopify-Shop-Domain", SHOP)
            .with("X-Shopify-API-Version", "2026-07")
            .with("X-Shopify-Webhook-Id", "545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9")
            .with("X-Shopify-Triggered-At", "2026-11-22T09:59:59.000000Z")
            .with("X-Shopify-Event-Id", "59d6d79c-595f-4e7e-bc6f-72f5c3d0c66f")
    }

    fn of(topic: &str, body: &Value) -> Self {
        Self::new(topic, body.to_string().as_bytes())
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).unwrap();
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn without(mut self, name: &str) -> Self {
        assert!(self.headers.remove(name).is_some(), "{name}");
        self
    }

    /// The same under the other spelling of the headers.
    fn respelled(self) -> Self {
        let renamed = |name: &HeaderName| {
            HeaderName::from_bytes(name.as_str().trim_start_matches("x-").as_bytes()).unwrap()
        };
        let headers = self.headers.iter().map(|(name, value)| (renamed(name), value.clone())).collect();
        Self { headers, ..self }
    }

    fn verified(&self) -> Result<Received> {
        self.by(&[SECRET])
    }

    fn by(&self, keys: &[&str]) -> Result<Received> {
        let incoming = Incoming::new(self.headers.clone(), self.body.clone(), now()).unwrap();
        let keys: Vec<Secret> = keys.iter().map(|key| Secret::new(*key)).collect();
        webhook::verify(&ShopDomain::new(SHOP).unwrap(), &incoming, &keys)
    }

    fn event(&self) -> Event {
        match self.verified().unwrap() {
            Received::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }

    fn code(&self) -> String {
        self.verified().unwrap_err().code().to_owned()
    }
}

fn product(id: &str) -> RecordRef {
    RecordRef::new(PLATFORM, Entity::Product, id)
}

/// A sample of the platform's documents; `None` where they are not at hand, which is said aloud.
fn sample(name: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
        assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
        eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no sample was read");
        return None;
    };
    let file = Path::new(&folder).join(format!("shopify/samples/webhook_{name}.json"));
    Some(std::fs::read_to_string(file).unwrap())
}

#[test]
fn the_published_vector_verifies_and_what_is_forged_does_not() {
    let body = br#"{"foo": "bar"}"#;
    let sent = Sent::new("orders/create", body)
        .with("x-shopify-hmac-sha256", "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=");
    let key = "test_secret_key";
    for keys in [&[key][..], &["old", key], &[key, "new"]] {
        let Received::Event(event) = sent.by(keys).unwrap() else { panic!("no event") };
        assert_eq!((event.topic, event.record), (EventKind::Other, None));
    }
    let code = |result: Result<Received>| result.map(drop).unwrap_err().code().to_owned();
    assert_eq!(code(sent.by(&["other"])), "webhook_signature_wrong");
    assert_eq!(code(sent.by(&[])), "webhook_secret_unusable");
    assert_eq!(code(sent.by(&[""])), "webhook_secret_unusable");
    assert_eq!(code(sent.clone().without("x-shopify-hmac-sha256").by(&[key])), "webhook_unsigned");
    // Privacy, too, is told by the platform alone.
    for topic in ["customers/data_request", "customers/redact", "shop/redact", "app/uninstalled"] {
        let forged =
            Sent::of(topic, &json!({"shop_domain": SHOP})).with("x-shopify-hmac-sha256", &sign("x", b""));
        let error = forged.verified().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "webhook_signature_wrong"), "{topic}");
        let unsigned = forged.without("x-shopify-hmac-sha256").verified().unwrap_err();
        assert_eq!((unsigned.kind(), unsigned.code()), (ErrorKind::Auth, "webhook_unsigned"), "{topic}");
    }
}

#[test]
fn the_samples_of_records_name_the_product_past_two_to_the_53() {
    for (name, topic, kind) in [
        ("products_create_2026-07", "products/create", EventKind::Created),
        ("products_update_2026-07", "products/update", EventKind::Updated),
        ("products_delete_2026-07", "products/delete", EventKind::Deleted),
    ] {
        let Some(body) = sample(name) else { return };
        let sent = Sent::new(topic, body.as_bytes());
        for sent in [sent.clone(), sent.clone().respelled()] {
            let event = sent.event();
            assert_eq!((event.topic, event.record), (kind, Some(product("788032119674292922"))));
            assert_eq!(event.delivery.as_deref(), Some("545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9"));
            assert_eq!(event.cause.as_deref(), Some("59d6d79c-595f-4e7e-bc6f-72f5c3d0c66f"));
            assert_eq!(event.triggered, Some("2026-11-22T09:59:59Z".parse().unwrap()));
            assert_eq!((event.subscription, event.received), (None, now()));
        }
        // The bytes are signed, not what they mean.
        let mut rewritten = sent.clone();
        rewritten.body = serde_json::from_str::<Value>(&body).unwrap().to_string().into_bytes();
        assert_eq!(rewritten.code(), "webhook_signature_wrong");
    }
    let Some(body) = sample("product_publications_create_2026-07") else { return };
    let other = Sent::new("product_publications/create", body.as_bytes()).event();
    assert_eq!((other.topic, other.record), (EventKind::Other, None));
    let Some(headers) = sample("headers_2026-07") else { return };
    let headers: Value = serde_json::from_str(&headers).unwrap();
    let body = json!({"id": 7});
    let mut sent = Sent::of("x", &body);
    for (name, value) in headers.as_object().unwrap() {
        if name.starts_with("X-") && name != "X-Shopify-Hmac-Sha256" {
            sent = sent.with(name, value.as_str().unwrap());
        }
    }
    assert_eq!(sent.code(), "webhook_foreign");
    assert_eq!(sent.clone().with("x-shopify-shop-domain", SHOP).code(), "webhook_not_fresh");
}

#[test]
fn the_samples_of_notices_say_what_to_do_and_keep_nothing_of_persons() {
    for (name, topic, kind) in [
        ("app_uninstalled_2026-07", "app/uninstalled", NoticeKind::Uninstalled),
        ("app_uninstalled_2026-07", "shop/update", NoticeKind::StoreChanged),
        ("app_scopes_update_2026-07", "app/scopes_update", NoticeKind::RightsChanged),
        ("bulk_operations_finish_2026-07", "bulk_operations/finish", NoticeKind::JobFinished),
        ("customers_data_request", "customers/data_request", NoticeKind::PersonAsks),
        ("customers_redact", "customers/redact", NoticeKind::ErasePerson),
        ("shop_redact", "shop/redact", NoticeKind::EraseStore),
    ] {
        let Some(body) = sample(name) else { return };
        let body = body.replace("{shop}.myshopify.com", SHOP);
        let sent = Sent::new(topic, body.as_bytes());
        let Received::Notice(notice) = sent.verified().unwrap() else { panic!("{topic} is no notice") };
        assert_eq!(notice.kind, kind);
        assert_eq!(notice.triggered, Some("2026-11-22T09:59:59Z".parse().unwrap()));
        let job = (kind == NoticeKind::JobFinished).then_some("gid://shopify/BulkOperation/147595010");
        assert_eq!(notice.job.as_deref(), job);
        let shown = format!("{notice:?}");
        for personal in ["john", "555-625", "191167", "299938", "supertoys", "321321", "MacLaren", "Smith"] {
            assert!(!shown.contains(personal), "{shown}");
        }
    }
}

#[test]
fn a_signed_body_of_one_topic_is_not_taken_for_another() {
    // The topic is in a header, which nothing signs.
    let bodies = [
        ("products/update", json!({"id": 7, "admin_graphql_api_id": "gid://shopify/Product/7"})),
        ("collections/update", json!({"id": 7, "admin_graphql_api_id": "gid://shopify/Collection/7"})),
        ("shop", json!({"id": 7, "myshopify_domain": SHOP})),
        ("app/scopes_update", json!({"id": 7, "current": [], "previous": []})),
        ("bulk_operations/finish", json!({"admin_graphql_api_id": "gid://shopify/BulkOperation/7"})),
        ("customers", json!({"shop_domain": SHOP, "customer": {}})),
        ("shop/redact", json!({"shop_domain": SHOP})),
    ];
    let fits = [
        ("products/update", "products/update"),
        ("collections/update", "collections/update"),
        ("app/uninstalled", "shop"),
        ("shop/update", "shop"),
        ("app/scopes_update", "app/scopes_update"),
        ("bulk_operations/finish", "bulk_operations/finish"),
        ("customers/data_request", "customers"),
        ("customers/redact", "customers"),
        ("shop/redact", "shop/redact"),
    ];
    for (topic, right) in fits {
        for (name, body) in &bodies {
            let sent = Sent::of(topic, body);
            // A shop's id alone could be a record's.
            let hint = topic.ends_with("s/update") && matches!(*name, "shop" | "app/scopes_update");
            let taken = sent.verified().is_ok();
            assert_eq!(taken, *name == right || hint, "{name} as {topic}: {:?}", sent.verified());
        }
    }
    for body in [
        json!({"shop_domain": "other.myshopify.com"}),
        json!({"shop_domain": "other.myshopify.com", "customer": {}}),
        json!({"myshopify_domain": "other.myshopify.com"}),
    ] {
        let topics = ["shop/redact", "customers/redact", "app/uninstalled", "shop/update"];
        assert!(
            topics
                .iter()
                .any(|topic| Sent::of(topic, &body).verified().is_err_and(|e| e.code() == "webhook_foreign"))
        );
        assert!(topics.iter().all(|topic| Sent::of(topic, &body).verified().is_err()));
    }
}

#[test]
fn hostile_bodies_and_headers_are_errors_and_no_records() {
    for body in [
        "",
        "7",
        "[7]",
        "null",
        "{}",
        "{\"id\":0}",
        "{\"id\":-1}",
        "{\"id\":1.5}",
        "{\"id\":\"7\"}",
        "{\"id\":18446744073709551616}",
        "{\"id\":7,\"id\":8}",
        "{\"id\":7",
        "\u{feff}{\"id\":7}",
        "{\"id\":7,\"admin_graphql_api_id\":\"gid://shopify/Product/8\"}",
        "{\"id\":7,\"admin_graphql_api_id\":\"gid://shopify/Collection/7\"}",
    ] {
        assert_eq!(Sent::new("products/update", body.as_bytes()).code(), "webhook_unreadable", "{body}");
    }
    // What is not read may be as deep as it likes.
    let deep = format!("{{\"id\":7,\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(Sent::new("products/update", deep.as_bytes()).event().record, Some(product("7")));
    let sent = Sent::of("products/update", &json!({"id": u64::MAX}));
    assert_eq!(sent.event().record, Some(product("18446744073709551615")));
    for name in ["x-shopify-topic", "x-shopify-shop-domain", "x-shopify-webhook-id"] {
        assert_eq!(sent.clone().without(name).code(), "webhook_unreadable", "{name}");
        assert_eq!(sent.clone().with(name, &"x".repeat(201)).code(), "webhook_unreadable", "{name}");
    }
    // What only adds to it may be missing.
    let bare = sent.clone().without("x-shopify-triggered-at").without("x-shopify-event-id").event();
    assert_eq!((bare.triggered, bare.cause), (None, None));
    for shop in ["other.myshopify.com", "test-shop.myshopify.com.evil.example", "test-shop", "https://x"] {
        let told = sent.clone().with("x-shopify-shop-domain", shop);
        assert_eq!(told.code(), "webhook_foreign", "{shop}");
    }
    assert!(sent.clone().with("x-shopify-shop-domain", "Test-Shop.MyShopify.com").verified().is_ok());
    // The spelling of the signature decides: the other one's headers are not mixed in.
    let mixed = sent.clone().respelled().with("x-shopify-topic", "app/uninstalled");
    assert_eq!(mixed.event().topic, EventKind::Updated);
    assert_eq!(mixed.without("shopify-topic").code(), "webhook_unreadable");
    let twice = sent.clone();
    let mut headers = twice.headers.clone();
    headers.append("x-shopify-hmac-sha256", HeaderValue::from_static("x"));
    assert_eq!(Sent { headers, ..twice }.code(), "webhook_unsigned");
}

#[test]
fn what_says_that_it_is_older_than_a_day_is_stale() {
    let sent = Sent::of("app/uninstalled", &json!({"id": 7, "myshopify_domain": null}));
    for (at, fresh) in [
        ("2026-11-22T06:00:00Z", true),
        ("2026-11-21T10:00:00Z", true),
        ("2026-11-21T09:59:59Z", false),
        ("2026-11-23T10:00:01Z", false),
    ] {
        let verified = sent.clone().with("x-shopify-triggered-at", at).verified();
        assert_eq!(verified.is_ok(), fresh, "{at}");
        assert!(verified.err().is_none_or(|error| error.code() == "webhook_not_fresh"));
    }
}

#[test]
fn a_server_of_many_shops_finds_the_sender() {
    let sent = Sent::of("products/update", &json!({"id": 7}));
    let sender = |sent: &Sent| {
        webhook::sender(&Incoming::new(sent.headers.clone(), sent.body.clone(), now()).unwrap())
    };
    assert_eq!(sender(&sent).unwrap().as_str(), SHOP);
    assert_eq!(sender(&sent.clone().respelled()).unwrap().as_str(), SHOP);
    let odd = sent.clone().with("x-shopify-shop-domain", "evil.example");
    assert_eq!(sender(&odd).unwrap_err().code(), "webhook_foreign");
    assert_eq!(sender(&sent.without("x-shopify-shop-domain")).unwrap_err().code(), "webhook_unreadable");
}

/// A server of ours that answers as `Inbox::receive` says.
#[derive(Clone)]
struct Door {
    inbox: Inbox,
    runtime: Runtime,
    receipts: Arc<Mutex<Vec<Result<InboxReceipt, String>>>>,
    is_down: Arc<AtomicBool>,
}

#[async_trait]
impl Handler for Door {
    fn handle(&self, _: &Request) -> Response {
        Response::new(500)
    }

    async fn respond(&self, request: &Request) -> Response {
        if self.is_down.load(Ordering::SeqCst) {
            return Response::new(503);
        }
        let incoming =
            Incoming::new(request.headers.clone(), request.body.clone(), self.runtime.clock().now()).unwrap();
        let receipt = self.inbox.receive(&incoming, &secrets()).await;
        let status = match &receipt {
            Ok(_) => 200,
            Err(error) if error.kind() == ErrorKind::Auth => 401,
            Err(_) => 400,
        };
        self.receipts.lock().unwrap().push(receipt.map_err(|error| error.code().to_owned()));
        Response::new(status)
    }
}

/// A shop that delivers to us.
struct Wired {
    bench: Bench,
    state: Arc<dyn StateStore>,
    inbox: Inbox,
    door: Door,
    server: Server,
    ids: Vec<u64>,
}

impl Wired {
    async fn new() -> Self {
        Self::with(ApiVersion::V2026_10).await
    }

    async fn with(version: ApiVersion) -> Self {
        let seed = |shop: &ShopifyFake| {
            shop.configure(|settings| SHOP.clone_into(&mut settings.myshopify_domain));
            shop.seed_products(3);
        };
        let bench = bench_with(seed, |builder| builder, |settings| settings.api_version(version)).await;
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let inbox = Inbox::new(bench.connector.clone(), state.clone(), bench.runtime.clone());
        let door = Door {
            inbox: inbox.clone(),
            runtime: bench.runtime.clone(),
            receipts: Arc::default(),
            is_down: Arc::default(),
        };
        let server = Server::start(door.clone()).await.unwrap();
        let ids = bench.shop.ids();
        Self { bench, state, inbox, door, server, ids }
    }

    fn wanted(&self) -> Subscription {
        let url = format!("{}/hooks?shop=7", self.server.url());
        Subscription::new(&url, Secret::new("not used")).unwrap()
    }

    fn source(&self) -> &dyn WebhookSource {
        self.bench.connector.webhooks().unwrap()
    }

    fn edit(&self, at: usize, title: &str) {
        self.bench.clock.advance(Duration::from_secs(2));
        assert!(self.bench.shop.edit_product(self.ids[at], |product| title.clone_into(&mut product.title)));
        self.bench.clock.advance(Duration::from_secs(2));
    }

    fn receipts(&self) -> Vec<Result<InboxReceipt, String>> {
        std::mem::take(&mut *self.door.receipts.lock().unwrap())
    }

    fn queued(&self, at: usize) -> Result<InboxReceipt, String> {
        Ok(InboxReceipt::Queued(product(&self.ids[at].to_string())))
    }

    /// What comes in by hand, as a delivery that the fake took out of its queue.
    async fn take(&self, delivery: &Delivery) -> Result<InboxReceipt> {
        let mut headers = HeaderMap::new();
        for (name, value) in &delivery.headers {
            let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let now = self.bench.runtime.clock().now();
        let incoming = Incoming::new(headers, delivery.body.clone(), now).unwrap();
        self.inbox.receive(&incoming, &secrets()).await
    }

    /// What the inbox hands on, and how many echoes it swallows.
    async fn work(&self) -> (Vec<String>, u64) {
        let sink = Kept::default();
        let report = self.inbox.work(&mut sink.clone()).await.unwrap();
        assert_eq!((report.failed, report.waiting), (0, 0), "{report:?}");
        let records = sink.0.lock().unwrap();
        let title = |record| serde_json::to_value(record).unwrap()["title"].as_str().unwrap().to_owned();
        let titles = records.iter().map(title).collect();
        (titles, report.echoes)
    }
}

#[tokio::test]
async fn an_edit_is_delivered_verified_queued_and_read_again() {
    for version in [ApiVersion::V2026_01, ApiVersion::V2026_10] {
        let shop = Wired::with(version).await;
        let made = shop.source().subscribe(&shop.wanted()).await.unwrap();
        assert_eq!(made.len(), shop.source().tells().len());
        shop.edit(0, "By the merchant");
        let sent = shop.bench.shop.deliver().await;
        assert_eq!(sent.iter().map(|it| it.status).collect::<Vec<_>>(), [Some(200)]);
        // What is told is no more than which record it is.
        let body: Value = serde_json::from_str(&sent[0].body).unwrap();
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["admin_graphql_api_id", "id", "updated_at"]);
        assert_eq!(shop.receipts(), [shop.queued(0)]);
        assert_eq!(shop.work().await, (vec!["By the merchant".to_owned()], 0));
        assert_eq!(shop.work().await, (vec![], 0));
        // A product that is gone.
        shop.bench.shop.delete_product(shop.ids[1]);
        shop.bench.shop.deliver().await;
        assert_eq!(shop.receipts(), [shop.queued(1)]);
        let report = shop.inbox.work(&mut Kept::default()).await.unwrap();
        assert_eq!((report.gone.len(), report.gone[0].tombstone), (1, Tombstone::Deleted));
        // A new one.
        let id = shop.bench.shop.create_product("One more", |_| {});
        shop.bench.shop.deliver().await;
        assert_eq!(shop.receipts(), [Ok(InboxReceipt::Queued(product(&id.to_string())))]);
        assert_eq!(shop.work().await.0, ["One more"]);
    }
}

#[tokio::test]
async fn duplicates_are_dropped_order_does_not_matter_and_forgeries_queue_nothing() {
    let shop = Wired::new().await;
    shop.source().subscribe(&shop.wanted()).await.unwrap();
    shop.edit(0, "First");
    shop.edit(0, "Second");
    let sent = shop.bench.shop.deliveries();
    assert_eq!(sent.len(), 2);
    for (delivery, expected) in [(&sent[1], shop.queued(0)), (&sent[0], shop.queued(0))] {
        assert_eq!(shop.take(delivery).await.map_err(|error| error.code().to_owned()), expected);
    }
    // The later one came first: what is read is what is there.
    assert_eq!(shop.work().await, (vec!["Second".to_owned()], 0));
    for delivery in &sent {
        assert_eq!(shop.take(delivery).await.unwrap(), InboxReceipt::Duplicate);
    }
    assert_eq!(shop.work().await, (vec![], 0));
    // Another change in the same second has the same body, and another id.
    let mut again = sent[1].clone();
    for (name, value) in &mut again.headers {
        if *name == "X-Shopify-Webhook-Id" {
            "another".clone_into(value);
        }
    }
    assert_eq!(shop.take(&again).await.unwrap(), shop.queued(0).unwrap());
    assert_eq!(shop.work().await, (vec![], 1));
    // Forged, unsigned and foreign ones over the wire.
    let mut forged = again.clone();
    forged.body = forged.body.replace(&shop.ids[0].to_string(), &shop.ids[1].to_string());
    assert_eq!(shop.take(&forged).await.unwrap_err().code(), "webhook_signature_wrong");
    let mut unsigned = again.clone();
    unsigned.headers.retain(|(name, _)| *name != "X-Shopify-Hmac-Sha256");
    assert_eq!(shop.take(&unsigned).await.unwrap_err().kind(), ErrorKind::Auth);
    shop.bench.shop.configure(|settings| "other.myshopify.com".clone_into(&mut settings.myshopify_domain));
    shop.edit(1, "Foreign");
    assert_eq!(shop.bench.shop.deliver().await[0].status, Some(400));
    assert_eq!(shop.receipts(), [Err("webhook_foreign".to_owned())]);
    shop.bench.clock.advance(Duration::from_secs(25 * 3600));
    let mut stale = sent[1].clone();
    stale.tries = 3;
    assert_eq!(shop.take(&stale).await.unwrap_err().code(), "webhook_not_fresh");
    assert_eq!(shop.work().await, (vec![], 0));
}

#[tokio::test]
async fn h2_our_own_write_comes_back_and_is_not_handed_on() {
    let shop = Wired::new().await;
    shop.source().subscribe(&shop.wanted()).await.unwrap();
    shop.edit(0, "Before");
    shop.bench.shop.deliver().await;
    let sink = Kept::default();
    shop.inbox.work(&mut sink.clone()).await.unwrap();
    let record = sink.0.lock().unwrap()[0].clone();
    let push = Push::new(shop.bench.connector.clone(), shop.state.clone(), shop.bench.runtime.clone());
    let enrichment = serde_json::from_value(json!({
        "ref": record.reference(), "made_at": shop.bench.runtime.clock().now(),
        "fields": {"title": {"value": "By us", "base": serde_json::to_value(record.base()).unwrap()["title"]}},
    }))
    .unwrap();
    let plan = push.plan(&[enrichment]).await.unwrap();
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
    shop.bench.clock.advance(Duration::from_secs(2));
    assert_eq!(shop.bench.shop.deliver().await.len(), 1);
    assert_eq!(shop.work().await, (vec![], 1));
    shop.edit(0, "By the merchant, right after");
    shop.bench.shop.deliver().await;
    assert_eq!(shop.work().await, (vec!["By the merchant, right after".to_owned()], 0));
}

/// A product that is as it was but for its time is how a merchant's edit of a variant shows, too: it is never swallowed.
#[tokio::test]
async fn h2_a_number_that_we_wrote_to_a_variant_is_handed_on_as_a_change_of_its_product() {
    let shop = Wired::new().await;
    shop.source().subscribe(&shop.wanted()).await.unwrap();
    shop.edit(0, "Known");
    shop.bench.shop.deliver().await;
    assert_eq!(shop.work().await, (vec!["Known".to_owned()], 0));
    let ids = shop.bench.shop.product(shop.ids[0]).unwrap().variants;
    let sibling = shop.bench.shop.create_variant(shop.ids[0], |_| {});
    shop.bench.shop.deliver().await;
    assert_eq!(shop.work().await, (vec!["Known".to_owned()], 0));
    let push = Push::new(shop.bench.connector.clone(), shop.state.clone(), shop.bench.runtime.clone());
    let enrichment = serde_json::from_value(json!({
        "ref": {"platform": "shopify", "kind": "variant", "id": ids[0].to_string()},
        "made_at": shop.bench.runtime.clock().now(),
        "fields": {"gtin": {"value": "4006381333931", "expect": "only_if_empty"}},
    }))
    .unwrap();
    let plan = push.plan(&[enrichment]).await.unwrap();
    shop.bench.clock.advance(Duration::from_secs(2));
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(shop.bench.shop.deliver().await.len(), 1);
    assert_eq!(shop.work().await, (vec!["Known".to_owned()], 0));
    // So is what the merchant does to another variant right after it.
    shop.bench.clock.advance(Duration::from_secs(2));
    assert!(shop.bench.shop.edit_variant(sibling, |variant| variant.barcode = Some("X".to_owned())));
    shop.bench.shop.deliver().await;
    assert_eq!(shop.work().await, (vec!["Known".to_owned()], 0));
}

#[tokio::test]
async fn a_subscription_that_the_platform_deleted_after_eight_failures_is_made_anew() {
    let shop = Wired::new().await;
    let first = shop.source().heal(&shop.wanted()).await.unwrap();
    assert!(first.is_whole() && first.made.len() == shop.source().tells().len(), "{first:?}");
    let again = shop.source().heal(&shop.wanted()).await.unwrap();
    assert_eq!((again.kept.len(), again.made.len(), again.removed.len()), (first.made.len(), 0, 0));
    shop.door.is_down.store(true, Ordering::SeqCst);
    shop.edit(0, "Nobody hears");
    let mut tries = 0;
    for _ in 0..40 {
        tries += shop.bench.shop.deliver().await.len();
        shop.bench.clock.advance(Duration::from_secs(1_800));
    }
    assert_eq!(tries, 8);
    let left = shop.source().subscriptions().await.unwrap();
    assert_eq!(left.len(), first.made.len() - 1);
    shop.door.is_down.store(false, Ordering::SeqCst);
    let healed = shop.source().heal(&shop.wanted()).await.unwrap();
    let told: Vec<Told> = healed.made.iter().map(|made| made.told()).collect();
    assert_eq!(told, [Told::Record(EventKind::Updated, Entity::Product)]);
    assert!(healed.is_whole() && healed.removed.is_empty(), "{healed:?}");
    shop.edit(0, "Heard");
    shop.bench.shop.deliver().await;
    assert_eq!(shop.work().await.0, ["Heard"]);
}

#[tokio::test]
async fn subscriptions_are_told_by_their_address_and_others_are_left_alone() {
    let shop = Wired::new().await;
    let theirs = shop.bench.shop.add_subscription("PRODUCTS_UPDATE", "https://stock.example/hook?lily=1");
    let cloud = shop.bench.shop.add_subscription("PRODUCTS_UPDATE", "pubsub://project:topic");
    let wanted = shop.wanted().entities(&[Entity::Product]).notices(&[NoticeKind::Uninstalled]);
    let made = shop.source().subscribe(&wanted).await.unwrap();
    let told: Vec<Told> = made.iter().map(|made| made.told()).collect();
    let record = |kind| Told::Record(kind, Entity::Product);
    assert_eq!(
        told,
        [
            record(EventKind::Created),
            record(EventKind::Updated),
            record(EventKind::Deleted),
            Told::Notice(NoticeKind::Uninstalled)
        ]
    );
    for one in &made {
        assert_eq!((one.label.as_str(), one.delivery_url.as_ref()), ("main", Some(&wanted.delivery_url)));
    }
    let kept = shop.bench.shop.subscriptions();
    let ours = kept.iter().filter(|known| known.id != theirs && known.id != cloud);
    for known in ours {
        assert_eq!(known.uri, format!("{}&lily-connect=main", wanted.delivery_url));
        assert_eq!(known.format, "JSON");
        assert!(!format!("{known:?}").contains("not used"), "the secret is the app's own");
    }
    // A second time the platform refuses, since it has them: those are given.
    assert_eq!(shop.source().subscribe(&wanted).await.unwrap(), made);
    assert_eq!(shop.bench.shop.subscriptions().len(), kept.len());
    // An answer that was lost leaves one behind, which healing keeps.
    let staging = wanted.clone().label("staging").unwrap();
    let lost =
        FaultRule::new(Fault::Reset(When::After)).matching(ShopifyFake::asks("webhookSubscriptionCreate"));
    shop.bench.server.faults().push(lost.times(1));
    let healed = shop.source().heal(&staging).await.unwrap();
    assert_eq!((healed.made.len(), healed.failed.len()), (3, 1), "{healed:?}");
    let healed = shop.source().heal(&staging).await.unwrap();
    assert_eq!((healed.kept.len(), healed.made.len(), healed.is_whole()), (4, 0, true), "{healed:?}");
    // Removing ours, twice; and what is not ours.
    shop.source().remove(&made[0].id).await.unwrap();
    shop.source().remove(&made[0].id).await.unwrap();
    for foreign in [theirs, cloud] {
        let error = shop.source().remove(&foreign.to_string().into()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, "webhook_foreign"));
    }
    assert_eq!(shop.source().remove(&"x".into()).await.unwrap_err().code(), "id_unreadable");
    assert_eq!(shop.bench.shop.subscriptions().len(), kept.len() + 3);
    let other = wanted.clone().topics(&[EventKind::Other]);
    for result in
        [shop.source().subscribe(&other).await.map(drop), shop.source().heal(&other).await.map(drop)]
    {
        assert_eq!(result.unwrap_err().code(), "topic_unsupported");
    }
}

#[tokio::test]
async fn a_removal_whose_answer_was_lost_is_repeated_and_finds_it_gone() {
    let shop = Wired::new().await;
    let wanted = shop.wanted().entities(&[Entity::Product]);
    let made = shop.source().subscribe(&wanted).await.unwrap();
    let lost =
        FaultRule::new(Fault::Reset(When::After)).matching(ShopifyFake::asks("webhookSubscriptionDelete"));
    shop.bench.server.faults().push(lost.times(1));
    shop.source().remove(&made[0].id).await.unwrap();
    assert_eq!(shop.bench.shop.count_calls("webhookSubscriptionDelete"), 2);
    assert_eq!(shop.bench.shop.subscriptions().len(), made.len() - 1);
}

#[test]
fn a_delivery_in_both_spellings_is_one_of_its_signature_with_x() {
    let body = br#"{"id": 7}"#;
    let sent = Sent::new("products/update", body);
    // Whoever adds the other spelling cannot make of it another topic, and no signature that is wrong right.
    let both = sent.clone().with("shopify-topic", "products/delete").with("shopify-shop-domain", SHOP);
    let both = both.with("shopify-webhook-id", "1").with("shopify-hmac-sha256", &sign(SECRET, body));
    assert_eq!(both.event().topic, EventKind::Updated);
    assert_eq!(both.with("x-shopify-hmac-sha256", &sign("x", body)).code(), "webhook_signature_wrong");
}

#[test]
fn a_header_may_be_long_and_no_longer() {
    let sent = |length: usize| {
        Sent::new("products/update", br#"{"id": 7}"#).with("x-shopify-webhook-id", &"d".repeat(length))
    };
    assert!(sent(200).verified().is_ok());
    assert_eq!(sent(201).code(), "webhook_unreadable");
    assert_eq!(sent(0).code(), "webhook_unreadable");
}

#[test]
fn a_bulk_job_is_named_by_a_number() {
    for (job, is_one) in [("7", true), ("", false), ("x", false), ("07", false), ("0", false)] {
        let body = json!({"admin_graphql_api_id": format!("gid://shopify/BulkOperation/{job}")});
        let verified = Sent::of("bulk_operations/finish", &body).verified();
        assert_eq!(verified.is_ok(), is_one, "{job}");
    }
}

#[tokio::test]
async fn the_list_of_subscriptions_is_read_to_its_end() {
    let shop = Wired::new().await;
    for n in 0..600 {
        shop.bench.shop.add_subscription("PRODUCTS_UPDATE", &format!("https://stock.example/{n}"));
    }
    let wanted = shop.wanted().notices(&[]).entities(&[Entity::Product]);
    // Past its bound the platform takes no more, and says what it says of one that is there.
    let refused = shop.source().subscribe(&wanted).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Rejected, "subscription_refused"));
    let address = format!("{}&lily-connect=main", wanted.delivery_url);
    let last = shop.bench.shop.add_subscription("PRODUCTS_DELETE", &address);
    let ours = shop.source().subscriptions().await.unwrap();
    assert_eq!(ours.iter().map(|known| known.id.as_str()).collect::<Vec<_>>(), [last.to_string()]);
}

#[tokio::test]
async fn an_uninstallation_a_finished_job_and_lost_rights_are_notices() {
    let shop = Wired::new().await;
    let wanted = shop.wanted();
    shop.source().subscribe(&wanted).await.unwrap();
    let installed = shop.bench.runtime.clock().now();
    shop.bench.clock.advance(Duration::from_secs(60));
    shop.bench.shop.uninstall();
    assert_eq!(shop.bench.shop.deliver().await[0].status, Some(200));
    let receipts = shop.receipts();
    let [Ok(InboxReceipt::Notice(notice))] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!(notice.kind, NoticeKind::Uninstalled);
    assert!(notice.concerns(installed));
    // Who installed it again since is not meant, when the notice comes late.
    assert!(!notice.concerns(shop.bench.runtime.clock().now().saturating_add(Duration::from_secs(1))));
    assert_eq!(shop.source().subscriptions().await.unwrap_err().kind(), ErrorKind::Auth);
    // Two days later the tokens are dead, and what is told is verified all the same.
    let body = json!({"shop_id": 7, "shop_domain": SHOP}).to_string();
    let late = Sent::new("shop/redact", body.as_bytes());
    assert!(matches!(late.verified(), Ok(Received::Notice(notice)) if notice.kind == NoticeKind::EraseStore));
    assert_eq!(shop.work().await, (vec![], 0));
    assert_eq!(
        shop.take_as("inventory_levels/update", "{}").await.unwrap(),
        InboxReceipt::Ignored(IgnoredWhy::OtherTopic)
    );
}

impl Wired {
    async fn take_as(&self, topic: &str, body: &str) -> Result<InboxReceipt> {
        let sent = Sent::new(topic, body.as_bytes()).without("x-shopify-triggered-at");
        let now = self.bench.runtime.clock().now();
        self.inbox.receive(&Incoming::new(sent.headers, sent.body, now).unwrap(), &secrets()).await
    }
}

#[tokio::test]
async fn a_bulk_job_that_ends_is_told_by_its_own_name() {
    use lily_connect::connector::{BulkState, PullRequest};
    let shop = Wired::new().await;
    shop.source().subscribe(&shop.wanted()).await.unwrap();
    let bulk = shop.bench.connector.bulk().unwrap();
    let request = PullRequest::all(Entity::Category);
    let started = bulk.start(&request, "tag").await.unwrap();
    shop.bench.clock.advance(Duration::from_secs(600));
    shop.bench.shop.deliver().await;
    let receipts = shop.receipts();
    let [Ok(InboxReceipt::Notice(notice))] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!((notice.kind, notice.job.as_deref()), (NoticeKind::JobFinished, Some(&*started.job.0)));
    assert!(matches!(bulk.poll(&started.job).await.unwrap(), BulkState::Done(_)));
}
