//! Hooks: what is told and what is not, how deliveries are signed, tried again and given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lily_connect::testkit::exchange::{Request, Response};
use lily_connect::testkit::server::{Server, Service};
use serde_json::{Value, json};

use super::{row_id, shop};

const DESTINATION: &str = "https://hooks.example.com/in?tenant=1";

fn scopes(deliveries: &[lily_connect::testkit::bigcommerce::Delivery]) -> Vec<&str> {
    deliveries.iter().map(|it| it.scope.as_str()).collect()
}

#[test]
fn a_hook_is_made_once_a_scope_and_address_and_ten_times_a_scope() {
    let shop = shop(0);
    let hook = |scope: &str, at: usize| json!({"scope": scope, "destination": format!("https://hooks.example.com/{at}"), "is_active": true});
    for at in 0..10 {
        assert_eq!(shop.post("/hooks", &hook("store/product/*", at)).status, 200);
    }
    assert_eq!(shop.post("/hooks", &hook("store/product/*", 3)).status, 409);
    assert_eq!(shop.post("/hooks", &hook("store/product/*", 10)).status, 422);
    assert_eq!(shop.post("/hooks", &hook("store/product/created", 3)).status, 200);
    assert_eq!(shop.post("/hooks", &hook("store/brand/updated", 3)).status, 422, "there is no such event");
    for destination in ["http://hooks.example.com/x", "https://hooks.example.com:8443/x", "hooks"] {
        let body = json!({"scope": "store/sku/*", "destination": destination});
        assert_eq!(shop.post("/hooks", &body).status, 422, "{destination}");
    }
    let foreign = shop.store.add_foreign_hook("store/product/*", DESTINATION);
    assert_eq!(shop.get("/hooks?limit=250").ids().len(), 11);
    assert_eq!(shop.get(&format!("/hooks/{foreign}")).status, 404);
    let listed = shop.get("/hooks?scope=store/product/created").ids();
    assert_eq!(listed.len(), 1);
    let gone = shop.delete(&format!("/hooks/{}", listed[0]));
    assert_eq!((gone.status, &gone.data()["id"]), (200, &json!(listed[0])));
}

/// The official list of triggers, with its gaps (fact sheet 7.3).
#[test]
fn what_moves_nobody_is_told_is_told_to_nobody() {
    let shop = shop(1);
    let id = shop.store.ids()[0];
    let image = row_id(&shop.store.product(id).unwrap().images[0]);
    shop.store.add_hook("store/product/updated", DESTINATION);
    let own = format!("/catalog/products/{id}");
    let told = |write: &dyn Fn()| {
        write();
        !shop.store.take_deliveries().is_empty()
    };
    for field in ["description", "meta_description", "page_title", "search_keywords"] {
        assert!(told(&|| drop(shop.put(&own, &json!({field: "x"})))), "{field}");
    }
    assert!(told(&|| drop(shop.put(&own, &json!({"description": "x"})))), "the same value is told as well");
    for body in
        [json!({"meta_keywords": ["x"]}), json!({"mpn": "1"}), json!({"custom_url": {"url": "/x-y/"}})]
    {
        assert!(!told(&|| drop(shop.put(&own, &body))), "{body}");
    }
    let alt = json!({"description": "Alt"});
    assert!(!told(&|| drop(shop.put(&format!("{own}/images/{image}"), &alt))));
    let field = json!({"name": "a", "value": "b"});
    assert!(!told(&|| drop(shop.post(&format!("{own}/custom-fields"), &field))));
    assert!(!told(&|| assert!(shop.store.add_image(id, "a.jpg", "").is_some())));
}

#[test]
fn a_delivery_is_signed_by_the_bytes_of_the_secret_and_repeats_the_hooks_headers() {
    let shop = shop(1);
    let id = shop.store.ids()[0];
    let body =
        json!({"scope": "store/product/*", "destination": DESTINATION, "headers": {"x-lily": "static"}});
    shop.post("/hooks", &body);
    shop.store.edit_product(id, |product| product.set("name", "Renamed"));
    let delivery = shop.store.take_deliveries().remove(0);
    let (message, moment) =
        (delivery.header("webhook-id").unwrap(), delivery.header("webhook-timestamp").unwrap());
    assert_eq!(moment, shop.store.now().unix_seconds().to_string());
    let secret = shop.store.settings().client_secret;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{message}.{moment}.{}", delivery.body).as_bytes());
    let signature = delivery.header("webhook-signature").unwrap().strip_prefix("v1,").unwrap();
    mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    assert_eq!(delivery.header("x-lily"), Some("static"));
    let told: Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!(told["data"], json!({"type": "product", "id": id}));
    assert_eq!((&told["producer"], &told["store_id"]), (&json!("stores/abc123"), &json!("1025646")));
    shop.store.set_conditions(|conditions| conditions.unsigned_deliveries = true);
    shop.store.delete_product(id);
    let delivery = shop.store.take_deliveries().remove(0);
    assert!(delivery.header("webhook-signature").is_none() && delivery.header("x-lily").is_some());
}

/// A receiver that answers one status, which a test may change.
async fn receiver(status: &Arc<AtomicU16>) -> Server {
    let status = Arc::clone(status);
    let handler = move |_: &Request| Response::new(status.load(Ordering::Relaxed));
    Service::new(handler).start().await.unwrap()
}

#[tokio::test]
async fn a_failed_delivery_is_tried_eleven_times_more_and_then_the_hook_is_off() {
    let shop = shop(1);
    let status = Arc::new(AtomicU16::new(500));
    let server = receiver(&status).await;
    shop.store.deliver_through(&server.url());
    let hook = shop.store.add_hook("store/product/updated", DESTINATION);
    let watch = shop.store.add_hook("store/hook/deliveryException", "https://hooks.example.com/watch");
    shop.store.edit_product(shop.store.ids()[0], |product| product.set("name", "Renamed"));
    let mut tries = Vec::new();
    let waits = [0u64, 60, 180, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 50_400, 86_400];
    for wait in waits {
        let active = shop.store.hooks().iter().find(|it| it.id == hook).unwrap().is_active;
        assert!(active, "after {} tries", tries.len());
        if wait > 0 {
            shop.clock.advance(Duration::from_secs(wait - 1));
            let early = shop.store.deliver().await;
            assert!(early.iter().all(|it| it.hook == watch), "{:?}", scopes(&early));
        }
        shop.clock.advance(Duration::from_secs(1));
        tries.extend(shop.store.deliver().await.into_iter().filter(|it| it.hook == hook));
    }
    assert_eq!(tries.len(), 12);
    assert!(tries.iter().all(|it| it.status == Some(500)));
    let ids: std::collections::BTreeSet<_> =
        tries.iter().map(|it| it.header("webhook-id").unwrap()).collect();
    assert_eq!(ids.len(), 1, "each try carries the same id");
    assert!(!shop.store.hooks().iter().find(|it| it.id == hook).unwrap().is_active);
    status.store(200, Ordering::Relaxed);
    let told = shop.store.deliver().await;
    let codes: Vec<Value> = told
        .iter()
        .map(|it| serde_json::from_str::<Value>(&it.body).unwrap()["data"]["error_code"].clone())
        .collect();
    assert!(codes.contains(&json!(90_002)), "{codes:?}");
    assert_eq!(server.traffic().log()[0].query, "tenant=1");
}

#[tokio::test]
async fn a_domain_that_fails_a_tenth_of_a_hundred_is_left_alone_for_three_minutes() {
    let shop = shop(1);
    let status = Arc::new(AtomicU16::new(200));
    let server = receiver(&status).await;
    shop.store.deliver_through(&server.url());
    shop.store.add_hook("store/product/updated", DESTINATION);
    let id = shop.store.ids()[0];
    let fire = |count: usize| {
        for at in 0..count {
            shop.store.edit_product(id, |product| product.set("name", format!("Name {at} of {count}")));
        }
    };
    fire(88);
    assert_eq!(shop.store.deliver().await.len(), 88);
    status.store(503, Ordering::Relaxed);
    fire(12);
    assert_eq!(shop.store.deliver().await.len(), 12);
    status.store(200, Ordering::Relaxed);
    fire(1);
    assert!(shop.store.deliver().await.is_empty(), "blocked, though the receiver is well again");
    assert_eq!(shop.store.waiting(), 13);
    let blocked = shop.get("/hooks/admin").data()["blocked_domains"].clone();
    assert_eq!((&blocked[0]["time_left"], blocked.as_array().unwrap().len()), (&json!(180), 1));
    shop.clock.advance(Duration::from_secs(181));
    assert_eq!(shop.store.deliver().await.len(), 13, "what came meanwhile is tried again");
}

#[test]
fn a_hook_without_events_for_ninety_days_is_off_until_it_is_switched_on() {
    let shop = shop(1);
    let hook = shop.store.add_hook("store/product/updated", DESTINATION);
    let active = || shop.store.hooks()[0].is_active;
    shop.clock.advance(Duration::from_secs(89 * 86_400));
    assert!(active());
    shop.store.edit_product(shop.store.ids()[0], |product| product.set("name", "Once"));
    shop.clock.advance(Duration::from_secs(89 * 86_400));
    assert!(active(), "an event lets it begin anew");
    shop.clock.advance(Duration::from_secs(86_400));
    assert!(!active());
    assert_eq!(shop.put(&format!("/hooks/{hook}"), &json!({"is_active": true})).status, 200);
    assert!(active());
}

#[tokio::test]
async fn deliveries_leave_this_machine_for_nobody() {
    let shop = shop(1);
    shop.store.add_hook("store/product/updated", DESTINATION);
    shop.store.edit_product(shop.store.ids()[0], |product| product.set("name", "Once"));
    let done = shop.store.deliver().await;
    assert_eq!(done[0].status, None);
    assert!(done[0].problem.as_deref().unwrap().contains("loopback"));
    shop.store.allow_local_destinations(true);
    let body = json!({"scope": "store/sku/*", "destination": "http://127.0.0.1:9/x"});
    assert_eq!(shop.post("/hooks", &body).status, 200);
}

#[test]
fn a_delivery_can_come_twice_and_is_known_by_its_hash() {
    let shop = shop(1);
    shop.store.add_hook("store/product/updated", DESTINATION);
    shop.store.set_conditions(|conditions| conditions.deliveries_twice = true);
    shop.store.edit_product(shop.store.ids()[0], |product| product.set("name", "Once"));
    shop.store.edit_product(shop.store.ids()[0], |product| product.set("name", "Again"));
    let deliveries = shop.store.take_deliveries();
    assert_eq!(deliveries.len(), 4);
    assert_eq!(deliveries[0].body, deliveries[1].body);
    assert_ne!(deliveries[1].body, deliveries[2].body);
}

#[test]
fn an_app_that_is_uninstalled_is_told_and_forgotten() {
    let shop = shop(1);
    shop.store.add_hook("store/app/uninstalled", DESTINATION);
    let foreign = shop.store.add_foreign_hook("store/product/*", DESTINATION);
    shop.store.uninstall();
    assert_eq!(scopes(&shop.store.take_deliveries()), ["store/app/uninstalled"]);
    assert_eq!(shop.store.hooks().iter().map(|hook| hook.id).collect::<Vec<_>>(), [foreign]);
    assert_eq!(shop.get("/hooks").status, 401);
}

#[test]
fn no_secret_of_a_hook_is_shown() {
    let shop = shop(0);
    let body =
        json!({"scope": "store/sku/*", "destination": DESTINATION, "headers": {"x-lily": "very-secret"}});
    assert_eq!(shop.post("/hooks", &body).status, 200);
    let hooks = shop.store.hooks();
    assert_eq!(hooks[0].headers()[0].1, "very-secret");
    let told =
        format!("{hooks:?}{:?}{:?}{:?}", shop.store, shop.store.settings(), shop.store.take_deliveries());
    assert!(!told.contains("very-secret") && !told.contains(&shop.store.settings().client_secret), "{told}");
}
