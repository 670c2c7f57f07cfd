//! Webhooks of the fake store: their routes, what fires them, how deliveries are signed, and what failures do.

#![cfg(feature = "testkit")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Request, Response, Transport};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::woocommerce::{ApiKey, Delivered, Permissions, Product, Role, WooStore};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "s3cr&t <\"key\">'é";

/// A store without a listener.
struct Shop {
    store: WooStore,
    clock: Arc<FakeClock>,
    server: Server,
    key: ApiKey,
    client: reqwest::Client,
    /// What came in at the listener, and what it answers.
    inbox: Arc<Mutex<Vec<Request>>>,
    answer: Arc<AtomicU16>,
    listener: Server,
}

impl Shop {
    async fn open() -> Self {
        let clock = Arc::new(FakeClock::new());
        let store = WooStore::new(clock.clone());
        let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
        let server = Service::new(store.clone()).start_behind_tls_proxy().await.unwrap();
        let inbox: Arc<Mutex<Vec<Request>>> = Arc::default();
        let answer = Arc::new(AtomicU16::new(200));
        let (kept, status) = (inbox.clone(), answer.clone());
        let listener = Server::start(move |request: &Request| {
            kept.lock().unwrap().push(request.clone());
            Response::new(status.load(Ordering::Relaxed))
        })
        .await
        .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { store, clock, server, key, client, inbox, answer, listener }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let mut request = self
            .client
            .request(method, format!("{}/wp-json/wc/v3/{path}", self.server.url()))
            .header("authorization", self.key.basic());
        if body != Value::Null {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    /// Makes a webhook at the listener and forgets its ping.
    async fn listen(&self, topic: &str) -> u64 {
        let url = format!("{}/{topic}", self.listener.url());
        let body = json!({"topic": topic, "delivery_url": url, "secret": SECRET});
        let (status, made) = self.call(Method::POST, "webhooks", body).await;
        assert_eq!(status, 201, "{made}");
        self.inbox();
        made["id"].as_u64().unwrap()
    }

    /// What came in since the last look.
    fn inbox(&self) -> Vec<Request> {
        std::mem::take(&mut self.inbox.lock().unwrap())
    }

    /// What is delivered by now, as `topic id`.
    async fn due(&self) -> Vec<String> {
        let done = self.store.run_cron().await;
        done.iter().map(|one| format!("{} {}", one.topic, one.product.unwrap())).collect()
    }
}

fn signed(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn webhooks_are_made_listed_changed_and_deleted() {
    let shop = Shop::open().await;
    let url = format!("{}/hook", shop.listener.url());
    let body =
        json!({"name": "One", "topic": "product.updated", "delivery_url": url, "secret": "very hidden"});
    let (status, made) = shop.call(Method::POST, "webhooks", body).await;
    assert_eq!((status, &made["status"], &made["date_modified"]), (201, &json!("active"), &Value::Null));
    let two = json!({"topic": "product.deleted", "delivery_url": url, "status": "paused"});
    let (_, two) = shop.call(Method::POST, "webhooks", two).await;
    assert!(two["name"].as_str().unwrap().starts_with("Webhook created on "));
    let response = shop
        .client
        .get(format!("{}/wp-json/wc/v3/webhooks?per_page=1&page=2", shop.server.url()))
        .header("authorization", shop.key.basic())
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-wp-total"], "2");
    assert_eq!(response.headers()["x-wp-totalpages"], "2");
    let (_, paused) = shop.call(Method::GET, "webhooks?status=paused", Value::Null).await;
    assert_eq!(paused.as_array().unwrap().len(), 1);

    let one = format!("webhooks/{}", made["id"]);
    let (_, changed) = shop.call(Method::PUT, &one, json!({"name": "Other", "status": "paused"})).await;
    assert_eq!((&changed["name"], &changed["status"]), (&json!("Other"), &json!("paused")));
    for shown in [&made, &two, &changed, &paused] {
        assert!(!shown.to_string().contains("secret") && !shown.to_string().contains("very hidden"));
    }
    assert!(!format!("{:?}", shop.store.webhook(1).unwrap()).contains("very hidden"));
    let (status, error) = shop.call(Method::DELETE, &one, Value::Null).await;
    assert_eq!((status, &error["code"]), (501, &json!("woocommerce_rest_trash_not_supported")));
    let (status, _) = shop.call(Method::DELETE, &format!("{one}?force=true"), Value::Null).await;
    assert_eq!(status, 200);
    let (status, error) = shop.call(Method::DELETE, &format!("{one}?force=true"), Value::Null).await;
    assert_eq!((status, &error["code"]), (404, &json!("woocommerce_rest_shop_webhook_invalid_id")));

    let batch = json!({
        "create": [{"topic": "product.created", "delivery_url": url}, {"topic": "x", "delivery_url": url}],
        "update": [{"id": two["id"], "status": "active"}],
        "delete": [99],
    });
    let (status, done) = shop.call(Method::POST, "webhooks/batch", batch).await;
    assert_eq!((status, &done["create"][0]["topic"]), (200, &json!("product.created")));
    let code = &done["create"][1]["error"]["code"];
    assert_eq!(code, "woocommerce_rest_shop_webhook_invalid_topic");
    assert_eq!(done["update"][0]["status"], "active");
    assert_eq!(done["delete"][0]["error"]["code"], "woocommerce_rest_shop_webhook_invalid_id");
}

#[tokio::test]
async fn a_bad_topic_or_address_is_an_error() {
    let shop = Shop::open().await;
    let url = "http://127.0.0.1:9/x";
    for (body, code) in [
        (
            json!({"topic": "product.bogus", "delivery_url": url}),
            "woocommerce_rest_shop_webhook_invalid_topic",
        ),
        (
            json!({"topic": "product.updated", "delivery_url": "ftp://127.0.0.1/"}),
            "woocommerce_rest_shop_webhook_invalid_delivery_url",
        ),
        (json!({"topic": "product.updated"}), "rest_missing_callback_param"),
        (json!({"topic": "product.updated", "delivery_url": url, "status": "asleep"}), "rest_invalid_param"),
        (json!({"topic": "product.updated", "delivery_url": url, "secret": 5}), "rest_invalid_param"),
    ] {
        let (status, error) = shop.call(Method::POST, "webhooks", body).await;
        assert_eq!((status, error["code"].as_str()), (400, Some(code)));
    }
    assert!(shop.store.webhook(1).is_none());
}

#[tokio::test]
async fn a_new_active_webhook_pings_unsigned_and_a_paused_one_does_not() {
    let shop = Shop::open().await;
    for status in ["active", "paused"] {
        let body = json!({
            "topic": "product.updated", "delivery_url": format!("{}/x", shop.listener.url()), "status": status,
        });
        shop.call(Method::POST, "webhooks", body).await;
    }
    let inbox = shop.inbox();
    assert_eq!(inbox.len(), 1);
    let ping = &inbox[0];
    assert_eq!(ping.body, b"webhook_id=1");
    assert_eq!(ping.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(ping.header("user-agent"), Some("WooCommerce/10.5.0 Hookshot (WordPress/6.9.7)"));
    assert!(ping.headers.keys().all(|name| !name.as_str().starts_with("x-wc-")));
    // A ping that fails disables nothing.
    assert_eq!(shop.store.webhook(1).unwrap().failures, 0);
}

#[tokio::test]
async fn a_delivery_carries_the_displayed_product_and_a_signature_over_its_raw_body() {
    let shop = Shop::open().await;
    shop.store.configure(|settings| settings.home = Some("https://shop.example".to_owned()));
    let hook = shop.listen("product.updated").await;
    let id = shop.store.create("Tee & co", |product| product.description = "Text é / \"x\"".to_owned());
    let (_, read) = shop.call(Method::GET, &format!("products/{id}"), Value::Null).await;
    shop.call(Method::PUT, &format!("products/{id}"), json!({})).await;
    let done = shop.store.run_cron().await;
    assert_eq!((done.len(), done[0].status, done[0].webhook), (1, Some(200), hook));
    let got = &shop.inbox()[0];
    assert_eq!(got.header("x-wc-webhook-signature"), Some(signed(SECRET, &got.body).as_str()));
    assert_eq!(got.header("x-wc-webhook-source"), Some("https://shop.example/"));
    assert_eq!(got.header("x-wc-webhook-topic"), Some("product.updated"));
    assert_eq!(got.header("x-wc-webhook-resource"), Some("product"));
    assert_eq!(got.header("x-wc-webhook-event"), Some("updated"));
    assert_eq!(got.header("x-wc-webhook-id"), Some(hook.to_string().as_str()));
    assert_eq!(got.header("x-wc-webhook-delivery-id").unwrap().len(), 32);
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.body, done[0].body.as_bytes());
    let text = String::from_utf8(got.body.clone()).unwrap();
    assert!(text.contains("https:\\/\\/shop.example"), "slashes are escaped as PHP does");
    let mut body: Value = serde_json::from_str(&text).unwrap();
    let mut read = read;
    for volatile in ["related_ids", "date_modified", "date_modified_gmt"] {
        body[volatile] = Value::Null;
        read[volatile] = Value::Null;
    }
    assert_eq!(body, read, "the object of the route in its displayed form");
    assert!(body.get("permalink_template").is_none());
    assert!(!format!("{:?}", done[0]).contains("Text"));
}

#[tokio::test]
async fn entities_of_a_secret_are_decoded_before_it_signs() {
    let shop = Shop::open().await;
    let body = json!({
        "topic": "product.updated", "delivery_url": shop.listener.url(), "secret": "a&amp;b&lt;c&#039;d",
    });
    shop.call(Method::POST, "webhooks", body).await;
    shop.inbox();
    let id = shop.store.create("Tee", |_| ());
    shop.store.edit(id, |_| ());
    shop.store.run_cron().await;
    let got = &shop.inbox()[0];
    assert_eq!(got.header("x-wc-webhook-signature"), Some(signed("a&b<c'd", &got.body).as_str()));
}

#[tokio::test]
async fn what_fires_is_the_documented_table() {
    let shop = Shop::open().await;
    for topic in ["product.created", "product.updated", "product.deleted", "product.restored"] {
        shop.listen(topic).await;
    }
    let none: Vec<String> = Vec::new();
    let put = |path: String, body: Value| shop.call(Method::PUT, Box::leak(path.into_boxed_str()), body);
    let post = |path: &'static str, body: Value| shop.call(Method::POST, path, body);

    // Creation, also as a draft; its publication is an update.
    let (_, draft) = post("products", json!({"name": "Draft", "status": "draft"})).await;
    let id = draft["id"].as_u64().unwrap();
    assert_eq!(shop.due().await, [format!("product.created {id}")]);
    let body: Value = serde_json::from_slice(&shop.inbox()[0].body).unwrap();
    assert_eq!(body["status"], "draft");
    put(format!("products/{id}"), json!({"status": "publish"})).await;
    assert_eq!(shop.due().await, [format!("product.updated {id}")]);

    // An update without changes; one refused tells nobody.
    put(format!("products/{id}"), json!({})).await;
    assert_eq!(shop.due().await, [format!("product.updated {id}")]);
    put(format!("products/{id}"), json!({"regular_price": 5})).await;
    assert_eq!(shop.due().await, none);

    // A batch of three: once for each.
    let others = [shop.store.create("B", |_| ()), shop.store.create("C", |_| ())];
    shop.due().await;
    let updates: Vec<Value> =
        [id, others[0], others[1]].iter().map(|id| json!({"id": id, "name": "New"})).collect();
    post("products/batch", json!({"update": updates})).await;
    let wanted: Vec<String> =
        [id, others[0], others[1]].iter().map(|id| format!("product.updated {id}")).collect();
    assert_eq!(shop.due().await, wanted);

    // Variations come with their own body, and not for the product above; their deletion tells nobody.
    let parent = shop.store.create("Parent", |product: &mut Product| product.kind = "variable".to_owned());
    shop.due().await;
    let path: &'static str = Box::leak(format!("products/{parent}/variations").into_boxed_str());
    let (_, child) = post(path, json!({"regular_price": "5"})).await;
    let child = child["id"].as_u64().unwrap();
    assert_eq!(shop.due().await, [format!("product.created {child}")]);
    shop.inbox();
    put(format!("{path}/{child}"), json!({"regular_price": "6"})).await;
    assert_eq!(shop.due().await, [format!("product.updated {child}")]);
    let body: Value = serde_json::from_slice(&shop.inbox()[0].body).unwrap();
    assert_eq!((&body["type"], &body["parent_id"]), (&json!("variation"), &json!(parent)));
    shop.call(Method::DELETE, &format!("{path}/{child}?force=true"), Value::Null).await;
    assert_eq!(shop.due().await, none);
    let child = shop.store.create_variation(parent, |_| ());
    shop.due().await;
    shop.call(Method::DELETE, &format!("{path}/{child}"), Value::Null).await;
    assert_eq!(shop.due().await, none);

    // A sale.
    shop.store.sell(id, 2);
    assert_eq!(shop.due().await, [format!("product.updated {id}")]);

    // To the trash with the id alone, out of it as an update, and gone for good without a word.
    shop.inbox();
    shop.call(Method::DELETE, &format!("products/{id}"), Value::Null).await;
    assert_eq!(shop.due().await, [format!("product.deleted {id}")]);
    assert_eq!(shop.inbox()[0].body, format!("{{\"id\":{id}}}").as_bytes());
    put(format!("products/{id}"), json!({"status": "publish"})).await;
    assert_eq!(shop.due().await, [format!("product.updated {id}")]);
    shop.call(Method::DELETE, &format!("products/{id}?force=true"), Value::Null).await;
    assert_eq!(shop.due().await, none);
    post("products/batch", json!({"delete": [others[0]]})).await;
    assert_eq!(shop.due().await, none);
    assert!(shop.store.product(others[0]).is_none());

    // A new name of a term, and the alt text of an image.
    let tag = shop.store.add_term(lily_connect::testkit::woocommerce::Taxonomy::Tag, "Old");
    put(format!("products/tags/{tag}"), json!({"name": "New"})).await;
    let media = shop.store.add_media("a.jpg");
    shop.store.edit_media(media, |media| media.alt = "New".to_owned());
    assert_eq!(shop.due().await, none);
}

#[tokio::test]
async fn equal_jobs_that_wait_are_one_delivery_of_the_last_state() {
    let shop = Shop::open().await;
    shop.listen("product.updated").await;
    let id = shop.store.create("Tee", |_| ());
    for number in 1..=5 {
        let name = json!({"name": format!("Name {number}")});
        shop.call(Method::PUT, &format!("products/{id}"), name).await;
    }
    assert_eq!(shop.store.waiting(), 1);
    shop.store.run_cron().await;
    let inbox = shop.inbox();
    assert_eq!(inbox.len(), 1);
    let body: Value = serde_json::from_slice(&inbox[0].body).unwrap();
    assert_eq!(body["name"], "Name 5");
}

#[tokio::test]
async fn two_deliveries_in_one_second_share_their_id() {
    let shop = Shop::open().await;
    shop.listen("product.updated").await;
    let ids = [shop.store.create("A", |_| ()), shop.store.create("B", |_| ())];
    let id_of = |one: &Delivered| one.delivery_id.clone().unwrap();
    ids.iter().for_each(|id| assert!(shop.store.edit(*id, |_| ())));
    let done = shop.store.run_cron().await;
    assert_eq!(id_of(&done[0]), id_of(&done[1]));
    assert_ne!(done[0].body, done[1].body);
    shop.clock.advance(Duration::from_secs(1));
    shop.store.edit(ids[0], |_| ());
    assert_ne!(id_of(&shop.store.run_cron().await[0]), id_of(&done[0]));
}

#[tokio::test]
async fn the_seventh_failure_in_a_row_disables_and_a_new_start_does_not_reset_the_count() {
    let shop = Shop::open().await;
    let hook = shop.listen("product.updated").await;
    let id = shop.store.create("Tee", |_| ());
    let change = |status: u16| {
        shop.answer.store(status, Ordering::Relaxed);
        shop.store.edit(id, |_| ());
        shop.store.run_cron()
    };
    let state = || {
        let hook = shop.store.webhook(hook).unwrap();
        (hook.status, hook.failures)
    };
    // Six failures and a success: the count begins anew. A redirect is a success, other answers are none.
    for status in [500, 404, 303, 410, 429, 503] {
        change(status).await;
    }
    assert_eq!(state(), ("active".to_owned(), 6));
    change(302).await;
    assert_eq!(state(), ("active".to_owned(), 0));
    for _ in 0..6 {
        change(500).await;
    }
    assert_eq!(state(), ("active".to_owned(), 6));
    change(500).await;
    assert_eq!(state(), ("disabled".to_owned(), 6));
    shop.inbox();
    // A disabled webhook hears nothing.
    change(200).await;
    assert!(shop.inbox().is_empty());
    // Active again, the next single failure disables it at once.
    let path = format!("webhooks/{hook}");
    shop.call(Method::PUT, &path, json!({"status": "active"})).await;
    change(500).await;
    assert_eq!(state(), ("disabled".to_owned(), 6));
    // Active again, the next success is the cure.
    shop.call(Method::PUT, &path, json!({"status": "active"})).await;
    change(200).await;
    assert_eq!(state(), ("active".to_owned(), 0));
}

#[tokio::test]
async fn a_failed_delivery_is_lost_and_a_silent_listener_is_a_failure() {
    let shop = Shop::open().await;
    let hook = shop.listen("product.updated").await;
    let id = shop.store.create("Tee", |_| ());
    shop.answer.store(500, Ordering::Relaxed);
    shop.store.edit(id, |_| ());
    assert_eq!(shop.store.run_cron().await[0].status, Some(500));
    assert!(shop.store.run_cron().await.is_empty(), "it is not tried again");
    drop(shop.listener);
    tokio::task::yield_now().await;
    shop.store.edit(id, |_| ());
    let done = shop.store.run_cron().await;
    assert_eq!((done[0].status, done[0].problem.is_some()), (None, true));
    assert_eq!(shop.store.webhook(hook).unwrap().failures, 2);
}

#[tokio::test]
async fn other_addresses_than_loopback_are_not_called() {
    let shop = Shop::open().await;
    let body = json!({"topic": "product.updated", "delivery_url": "https://hooks.example/x"});
    let (status, _) = shop.call(Method::POST, "webhooks", body).await;
    assert_eq!(status, 201);
    let id = shop.store.create("Tee", |_| ());
    shop.store.edit(id, |_| ());
    let done = shop.store.run_cron().await;
    assert!(done[0].problem.as_ref().unwrap().contains("loopback only"), "{:?}", done[0]);
    assert_eq!(shop.store.webhook(1).unwrap().failures, 1);
}

#[tokio::test]
async fn a_deleted_product_is_delivered_as_the_routes_error_and_a_deleted_webhook_not_at_all() {
    let shop = Shop::open().await;
    let hook = shop.listen("product.updated").await;
    let id = shop.store.create("Tee", |_| ());
    shop.store.edit(id, |_| ());
    shop.store.delete(id);
    shop.store.run_cron().await;
    let body: Value = serde_json::from_slice(&shop.inbox()[0].body).unwrap();
    assert_eq!(body["code"], "woocommerce_rest_product_invalid_id");
    let id = shop.store.create("Tee", |_| ());
    shop.store.edit(id, |_| ());
    shop.call(Method::DELETE, &format!("webhooks/{hook}?force=true"), Value::Null).await;
    assert!(shop.store.run_cron().await.is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    let shop = Shop::open().await;
    let large = Server::start(|_: &Request| Response::new(200).with_body(vec![b'x'; 2 << 20])).await.unwrap();
    let body = json!({"topic": "product.created", "delivery_url": large.url()});
    shop.call(Method::POST, "webhooks", body).await;
    shop.store.create("Tee", |_| ());
    let done = shop.store.run_cron().await;
    assert_eq!((done[0].status, done[0].problem.is_some()), (None, true));
}

#[tokio::test]
async fn the_webhooks_of_a_store_are_bounded() {
    let shop = Shop::open().await;
    let one = json!({"topic": "product.created", "delivery_url": "http://127.0.0.1:9/", "status": "paused"});
    for _ in 0..10 {
        let (_, done) = shop.call(Method::POST, "webhooks/batch", json!({"create": vec![&one; 100]})).await;
        assert!(done["create"][99]["id"].as_u64().unwrap() > 0);
    }
    let (status, error) = shop.call(Method::POST, "webhooks", one).await;
    assert_eq!((status, &error["code"]), (400, &json!("woocommerce_rest_cannot_create")));
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let shop = Shop::open().await;
    shop.listen("product.created").await;
    for number in 0..10_005 {
        shop.store.create(&format!("P{number}"), |product| product.slug = format!("p{number}"));
    }
    assert_eq!((shop.store.waiting(), shop.store.lost_deliveries()), (10_000, 5));
}

#[tokio::test]
async fn changes_are_delivered_at_once_where_that_is_switched_on() {
    let shop = Shop::open().await;
    shop.listen("product.updated").await;
    let id = shop.store.create("Tee", |_| ());
    shop.call(Method::PUT, &format!("products/{id}"), json!({"name": "One"})).await;
    assert!(shop.inbox().is_empty(), "by itself it waits");
    shop.store.run_cron().await;
    shop.inbox();
    shop.store.deliver_at_once(true);
    for name in ["Two", "Three"] {
        shop.call(Method::PUT, &format!("products/{id}"), json!({"name": name})).await;
        let mut turns = 0;
        let got = loop {
            if let Some(got) = shop.inbox().into_iter().next() {
                break got;
            }
            turns += 1;
            assert!(turns < 100_000, "no delivery came");
            tokio::task::yield_now().await;
        };
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(body["name"], name);
    }
}

#[tokio::test]
async fn a_customers_key_and_no_key_may_not_touch_webhooks() {
    let shop = Shop::open().await;
    let customer = shop.store.issue_key("customer", Permissions::ReadWrite, Role::Customer);
    for (key, status) in [(Some(customer), 403), (None, 401)] {
        let mut request = Request::new(Method::GET, "/wp-json/wc/v3/webhooks", Transport::Tls);
        if let Some(key) = key {
            request = request.with_header(http::header::AUTHORIZATION, &key.basic());
        }
        use lily_connect::testkit::exchange::Handler as _;
        assert_eq!(shop.store.handle(&request).status.as_u16(), status);
    }
}
