//! Holds what the fake store sends against what a real store was recorded to send: pings, deliveries of
//! webhooks and the callback with a new key.
//!
//! The recordings are no part of this crate: `LILY_SPECS_DIR` names the folder that holds `woocommerce/`.
//! Without it the test says loudly that it did nothing, and fails where `CI` is `true`.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]
#![allow(clippy::print_stderr, reason = "the test reports what it skipped")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use lily_connect::error::Result;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler as _, Request, Transport};
use lily_connect::testkit::json::Json;
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Product, Role, WooStore};
use lily_connect::time::Timestamp;
use lily_connect::transport::{AttemptLimits, HttpTransport};

fn load(name: &str) -> Option<Json> {
    let folder: Option<PathBuf> =
        std::env::var_os("LILY_SPECS_DIR").map(|dir| Path::new(&dir).join("woocommerce"));
    let Some(folder) = folder else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set where CI is true");
        eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so {name} was not compared");
        return None;
    };
    Some(Json::parse(&std::fs::read(folder.join(name)).unwrap()).unwrap())
}

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json.get(name).and_then(Json::as_str).unwrap_or_else(|| panic!("{name} is missing"))
}

/// Keeps what is sent, and answers 200.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<http::Request<Bytes>>>);

impl Kept {
    fn one(&self) -> http::Request<Bytes> {
        let mut all = self.0.lock().unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}

#[async_trait]
impl HttpTransport for Kept {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        self.0.lock().unwrap().push(request);
        Ok(http::Response::new(Bytes::new()))
    }
}

struct Shop {
    store: WooStore,
    clock: Arc<FakeClock>,
    key: ApiKey,
    kept: Arc<Kept>,
}

fn shop() -> Shop {
    let clock = Arc::new(FakeClock::new());
    let store = WooStore::new(clock.clone());
    let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
    let kept = Arc::new(Kept::default());
    store.deliver_over(kept.clone());
    store.configure(|settings| settings.home = Some("http://127.0.0.1:8081".to_owned()));
    Shop { store, clock, key, kept }
}

impl Shop {
    /// Makes webhooks until one has the recorded id, which gets the topic, address and secret.
    async fn listen(&self, id: u64, topic: &str, url: &str, secret: &str) {
        for number in 1..=id {
            let (topic, status) = if number == id { (topic, "active") } else { ("order.created", "paused") };
            let body = Json::object([
                ("topic", Json::text(topic)),
                ("delivery_url", Json::text(url)),
                ("secret", Json::text(secret)),
                ("status", Json::text(status)),
            ]);
            let request = Request::new(Method::POST, "/wp-json/wc/v3/webhooks", Transport::Tls)
                .with_header(http::header::AUTHORIZATION, &self.key.basic())
                .with_header(http::header::CONTENT_TYPE, "application/json")
                .with_body(body.to_php());
            assert_eq!(self.store.respond(&request).await.status.as_u16(), 201);
        }
    }
}

fn signed(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// Compares the headers; those that the connection adds are left out, and of some only the form is compared.
fn same_headers(recorded: &Json, sent: &http::Request<Bytes>) {
    let mut left = sent.headers().clone();
    for pair in recorded.get("headers").unwrap().as_array().unwrap() {
        let pair = pair.as_array().unwrap();
        let (name, wanted) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        if matches!(name, "Host" | "Content-Length") {
            continue;
        }
        let found = left.remove(name).unwrap_or_else(|| panic!("{name} is missing"));
        let found = found.to_str().unwrap();
        match name {
            "X-WC-Webhook-Signature" | "X-WC-Webhook-Delivery-ID" => assert_eq!(found.len(), wanted.len()),
            _ => assert_eq!(found, wanted, "{name}"),
        }
    }
    assert!(left.is_empty(), "not recorded: {:?}", left.keys().collect::<Vec<_>>());
}

/// Compares two bodies: all keys in order, and all values but those drawn anew or made of wording.
fn same(path: &str, wanted: &Json, found: &Json) {
    match (wanted, found) {
        (Json::Object(wanted), Json::Object(found)) => {
            let names =
                |entries: &[(String, Json)]| entries.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>();
            assert_eq!(names(wanted), names(found), "{path}");
            for ((name, one), (_, other)) in wanted.iter().zip(found) {
                if !["related_ids", "price_html"].contains(&name.as_str()) {
                    same(&format!("{path}.{name}"), one, other);
                }
            }
        }
        (Json::Array(wanted), Json::Array(found)) => {
            assert_eq!(wanted.len(), found.len(), "{path}");
            for (at, (one, other)) in wanted.iter().zip(found).enumerate() {
                same(&format!("{path}[{at}]"), one, other);
            }
        }
        _ => assert_eq!(wanted, found, "{path}"),
    }
}

#[tokio::test]
async fn pings_are_sent_as_recorded() {
    let Some(recorded) = load("webhook-ping.json") else { return };
    for ping in recorded.get("pings").unwrap().as_array().unwrap() {
        let shop = shop();
        let id: u64 = text(ping, "raw_body").trim_start_matches("webhook_id=").parse().unwrap();
        let url = format!("http://127.0.0.1:9099{}", text(ping, "path"));
        shop.listen(id, "product.updated", &url, "").await;
        let sent = shop.kept.one();
        assert_eq!(sent.body().as_ref(), text(ping, "raw_body").as_bytes());
        assert_eq!(sent.uri().to_string(), url);
        same_headers(ping, &sent);
    }
}

#[tokio::test]
async fn deliveries_are_sent_as_recorded() {
    for name in ["product-updated", "variation-updated", "product-deleted"] {
        let Some(recorded) = load(&format!("webhook-delivery-{name}.json")) else { return };
        let (secret, delivery) = (text(&recorded, "secret"), recorded.get("delivery").unwrap());
        let raw = text(delivery, "raw_body");
        let body = Json::parse(raw.as_bytes()).unwrap();
        let header = |name: &str| {
            let headers = delivery.get("headers").unwrap().as_array().unwrap();
            let pair =
                headers.iter().find(|pair| pair.as_array().unwrap()[0].as_str() == Some(name)).unwrap();
            pair.as_array().unwrap()[1].as_str().unwrap()
        };
        assert_eq!(signed(secret, raw.as_bytes()), header("X-WC-Webhook-Signature"), "the recording itself");

        let shop = shop();
        let id = header("X-WC-Webhook-ID").parse().unwrap();
        let url = format!("http://127.0.0.1:9099{}", text(delivery, "path"));
        shop.listen(id, header("X-WC-Webhook-Topic"), &url, secret).await;
        shop.kept.one();
        let product = seed(&shop, &body);
        if name == "product-deleted" {
            shop.store.trash(product);
        } else {
            shop.store.edit(product, |_| ());
        }
        assert_eq!(shop.store.run_cron().await.len(), 1, "{name}");
        let sent = shop.kept.one();
        same_headers(delivery, &sent);
        assert_eq!(sent.headers()["x-wc-webhook-signature"], signed(secret, sent.body()).as_str());
        assert_eq!(sent.uri().to_string(), url);
        same(name, &body, &Json::parse(sent.body()).unwrap());
    }
}

/// Puts the recorded object into the store, with the clock at its last change.
fn seed(shop: &Shop, body: &Json) -> u64 {
    let Some(modified) = body.get("date_modified_gmt").and_then(Json::as_str) else {
        let id = body.get("id").and_then(Json::as_id).unwrap();
        shop.store.insert(Product::new(id, "Gone", shop.store.now()));
        return id;
    };
    let now = Timestamp::parse_utc_civil(modified).unwrap();
    shop.clock.set_wall(now);
    for category in body.get("categories").unwrap().as_array().unwrap() {
        shop.store.seed_term(category, lily_connect::testkit::woocommerce::Taxonomy::Category);
    }
    if let Some(parent) = body.get("parent_id").and_then(Json::as_id).filter(|parent| *parent > 0) {
        shop.store.add_attribute("Color");
        // The product of a variation has its name and place from what the variation shows.
        let (name, _) = text(body, "name").split_once(" - ").unwrap();
        let mut above = Product::new(parent, name, now);
        let place = text(body, "permalink").split("/product/").nth(1).unwrap();
        place.split('/').next().unwrap().clone_into(&mut above.slug);
        "variable".clone_into(&mut above.kind);
        shop.store.insert(above);
    }
    shop.store.seed_object(body, None)
}

#[tokio::test]
async fn the_callback_with_a_key_is_sent_as_recorded() {
    let Some(recorded) = load("wc-auth-callback.json") else { return };
    let shop = shop();
    let page = format!("https://127.0.0.1:8443/wc-auth/v1/authorize?{}", text(&recorded, "authorize_query"));
    let back = shop.store.approve(&page).await.unwrap();
    assert_eq!(back.as_str(), text(&recorded, "browser_redirect"));
    assert_eq!(shop.store.deny(&page).unwrap().as_str(), text(&recorded, "deny_link"));
    let (callback, sent) = (recorded.get("callback").unwrap(), shop.kept.one());
    same_headers(callback, &sent);
    assert_eq!(sent.uri().path(), text(callback, "path"));
    let wanted = Json::parse(text(callback, "raw_body").as_bytes()).unwrap();
    let found = Json::parse(sent.body()).unwrap();
    for ((name, wanted), (other, found)) in wanted.as_object().unwrap().iter().zip(found.as_object().unwrap())
    {
        assert_eq!(name, other);
        match name.as_str() {
            "key_id" => assert!(found.as_int().is_some() && wanted.as_int().is_some()),
            "consumer_key" | "consumer_secret" => {
                let (wanted, found) = (wanted.as_str().unwrap(), found.as_str().unwrap());
                assert_eq!((&wanted[..3], wanted.len()), (&found[..3], found.len()));
            }
            _ => assert_eq!(wanted, found),
        }
    }
    assert_eq!(wanted.as_object().unwrap().len(), found.as_object().unwrap().len());
}
