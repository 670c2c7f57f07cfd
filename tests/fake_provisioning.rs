//! Keys that a merchant grants in the browser, and hosts that lose what a key needs.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use lily_connect::error::{ErrorKind, Result};
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler as _, Request, Transport};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore, signature_base_string};
use lily_connect::transport::{AttemptLimits, HttpTransport};
use serde_json::Value;

/// Answers callbacks, and keeps them. While it answers, it looks whether the key opens the store already.
#[derive(Debug)]
struct Callback {
    status: u16,
    store: WooStore,
    got: Mutex<Vec<http::Request<Bytes>>>,
    opened: Mutex<Vec<u16>>,
}

#[async_trait]
impl HttpTransport for Callback {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let key =
            ApiKey::new(&text("consumer_key"), &text("consumer_secret"), Permissions::Read, Role::Manager);
        self.opened.lock().unwrap().push(products(&self.store, &key));
        self.got.lock().unwrap().push(request);
        Ok(http::Response::builder().status(self.status).body(Bytes::new()).unwrap())
    }
}

fn store() -> WooStore {
    WooStore::new(Arc::new(FakeClock::new()))
}

/// The status of a list with a key.
fn products(store: &WooStore, key: &ApiKey) -> u16 {
    let request = Request::new(Method::GET, "/wp-json/wc/v3/products", Transport::Tls)
        .with_header(http::header::AUTHORIZATION, &key.basic());
    store.handle(&request).status.as_u16()
}

fn listening(store: &WooStore, status: u16) -> Arc<Callback> {
    let callback = Callback { status, store: store.clone(), got: Mutex::default(), opened: Mutex::default() };
    let callback = Arc::new(callback);
    store.deliver_over(callback.clone());
    callback
}

fn page(scope: &str, callback: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("app_name", "Lily"),
            ("scope", scope),
            ("user_id", "tenant 42"),
            ("return_url", "https://127.0.0.1:9443/return?a=1"),
            ("callback_url", callback),
        ])
        .finish();
    format!("https://shop.example/sub/wc-auth/v1/authorize?{query}")
}

const CALLBACK: &str = "https://127.0.0.1:9443/callback";

#[tokio::test]
async fn an_approved_key_is_posted_and_works() {
    let store = store();
    let callback = listening(&store, 200);
    let back = store.approve(&page("read", CALLBACK)).await.unwrap();
    assert_eq!(back.as_str(), "https://127.0.0.1:9443/return?a=1&success=1&user_id=tenant+42");
    let got = callback.got.lock().unwrap();
    let body: Value = serde_json::from_slice(got[0].body()).unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 5);
    assert_eq!((&body["user_id"], &body["key_permissions"]), (&"tenant 42".into(), &"read".into()));
    assert!(body["key_id"].is_u64());
    let (key, secret) = (body["consumer_key"].as_str().unwrap(), body["consumer_secret"].as_str().unwrap());
    assert!(key.starts_with("ck_") && key.len() == 43 && secret.starts_with("cs_") && secret.len() == 43);
    assert_eq!(got[0].headers()["content-type"], "application/json;charset=UTF-8");
    assert_eq!(got[0].headers()["user-agent"], "WordPress/6.9.7; https://shop.example/sub");
    // It reads, also from within the callback, and does not write.
    let key = ApiKey::new(key, secret, Permissions::Read, Role::Manager);
    assert_eq!((callback.opened.lock().unwrap()[0], products(&store, &key)), (200, 200));
    let write = Request::new(Method::POST, "/wp-json/wc/v3/products", Transport::Tls)
        .with_header(http::header::AUTHORIZATION, &key.basic());
    assert_eq!(store.handle(&write).status.as_u16(), 401);
}

#[tokio::test]
async fn a_callback_that_answers_anything_but_200_costs_the_key() {
    for status in [201, 204, 302, 500] {
        let store = store();
        let callback = listening(&store, status);
        let error = store.approve(&page("read_write", CALLBACK)).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "callback_refused"));
        let got = callback.got.lock().unwrap();
        let body: Value = serde_json::from_slice(got[0].body()).unwrap();
        let text = |name: &str| body[name].as_str().unwrap();
        let key =
            ApiKey::new(text("consumer_key"), text("consumer_secret"), Permissions::Read, Role::Manager);
        assert_eq!((callback.opened.lock().unwrap()[0], products(&store, &key)), (200, 401));
        assert!(!format!("{error:?}").contains("cs_"));
    }
}

#[tokio::test]
async fn a_denied_key_is_not_made() {
    let store = store();
    let callback = listening(&store, 200);
    let back = store.deny(&page("read", CALLBACK)).unwrap();
    assert_eq!(back.as_str(), "https://127.0.0.1:9443/return?a=1&success=0&user_id=tenant+42");
    assert!(callback.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_page_makes_no_key() {
    let store = store();
    let callback = listening(&store, 200);
    for (address, part) in [
        (page("read", "http://127.0.0.1/callback"), "SSL"),
        (page("all", CALLBACK), "scope"),
        (page("read", ""), "callback_url"),
        (page("read", "https://hooks.example/"), "loopback only"),
        ("https://shop.example/elsewhere".to_owned(), "not the page"),
    ] {
        let error = store.approve(&address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(part), "{error}");
    }
    assert!(callback.got.lock().unwrap().is_empty());
}

#[test]
fn a_browser_without_a_login_is_sent_to_it_and_a_plain_callback_is_refused() {
    let store = store();
    let ask = |address: &str| {
        let target = address.trim_start_matches("https://shop.example/sub").to_owned();
        let request = Request::new(Method::GET, &target, Transport::Tls)
            .with_header(http::header::HOST, "shop.example");
        store.handle(&request)
    };
    let response = ask(&page("read", CALLBACK));
    assert_eq!(response.status.as_u16(), 302);
    let to = response.header("location").unwrap();
    assert!(to.starts_with("https://shop.example/wc-auth/v1/login/?app_name=Lily&user_id=tenant%2042&"));
    assert_eq!(ask(to.trim_start_matches("https://shop.example")).status.as_u16(), 200);
    let response = ask(&page("read", "http://127.0.0.1/callback"));
    assert_eq!(response.status.as_u16(), 401);
    assert!(response.header("content-type").unwrap().starts_with("text/html"));
}

/// The statuses that a list answers to Basic, to a key in the query and to a signed request, over TLS.
fn ways_in(store: &WooStore, key: &ApiKey, scheme: &str) -> [u16; 3] {
    let path = "/wp-json/wc/v3/products";
    let ask = |target: &str, basic: bool| {
        let request =
            Request::new(Method::GET, target, Transport::Tls).with_header(http::header::HOST, "shop.example");
        let request =
            if basic { request.with_header(http::header::AUTHORIZATION, &key.basic()) } else { request };
        store.handle(&request).status.as_u16()
    };
    let query = format!("consumer_key={}&consumer_secret={}", key.consumer_key, key.consumer_secret);
    [
        ask(path, true),
        ask(&format!("{path}?{query}"), false),
        ask(&format!("{path}?{}", signed(store, key, &format!("{scheme}://shop.example{path}"))), false),
    ]
}

/// The query of a signed request.
fn signed(store: &WooStore, key: &ApiKey, url: &str) -> String {
    use base64::Engine as _;
    use hmac::{KeyInit, Mac};
    let mut pairs: Vec<(String, String)> = [
        ("oauth_consumer_key", key.consumer_key.clone()),
        ("oauth_timestamp", store.now().unix_seconds().to_string()),
        ("oauth_nonce", format!("nonce{}", url.len())),
        ("oauth_signature_method", "HMAC-SHA256".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let base = signature_base_string("GET", url, &pairs);
    let mut mac =
        hmac::Hmac::<sha2::Sha256>::new_from_slice(format!("{}&", key.consumer_secret).as_bytes()).unwrap();
    mac.update(base.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    pairs.push(("oauth_signature".to_owned(), signature));
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[test]
fn hosts_lose_the_header_or_the_scheme() {
    let fresh = |change: fn(&mut lily_connect::testkit::woocommerce::Conditions)| {
        let store = store();
        let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
        store.set_conditions(change);
        (store, key)
    };
    let (store, key) = fresh(|_| ());
    assert_eq!(ways_in(&store, &key, "https"), [200, 200, 200]);
    let (store, key) = fresh(|site| site.authorization_stripped = true);
    assert_eq!(ways_in(&store, &key, "https"), [401, 200, 200]);
    let (store, key) = fresh(|site| site.https_hidden = true);
    assert_eq!(ways_in(&store, &key, "http"), [401, 401, 200]);
}

#[test]
fn plain_permalinks_read_keys_only_where_the_address_holds_the_words() {
    let store = store();
    let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
    store.set_conditions(|site| site.plain_permalinks = true);
    let ask = |query: &str| {
        let request =
            Request::new(Method::GET, &format!("/?rest_route=/wc/v3/products{query}"), Transport::Tls)
                .with_header(http::header::AUTHORIZATION, &key.basic());
        store.handle(&request).status.as_u16()
    };
    assert_eq!(ask(""), 401);
    assert_eq!(ask("&x=wp-json/wc/"), 200);
    assert_eq!(ask("&x=wp-json/wc-anything"), 200);
    assert_eq!(ask("&x=wp-json/wcs"), 401);
    assert_eq!(ask("&x=wp-json%2Fwc%2F"), 401);
}

#[test]
fn an_installed_plugin_shows_in_the_index() {
    let store = store();
    store.install("rankmath/v1");
    store.install("rankmath/v1");
    let response = store.handle(&Request::new(Method::GET, "/wp-json/", Transport::Tls));
    let index: Value = serde_json::from_slice(&response.body).unwrap();
    let names = index["namespaces"].as_array().unwrap();
    assert_eq!(names.iter().filter(|name| **name == "rankmath/v1").count(), 1);
}
