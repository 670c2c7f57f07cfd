//! Webhooks of a BigCommerce store: the fake's deliveries, the platform's published samples, and our subscriptions.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::BTreeSet;

use bigcommerce::{Bench, bench, bench_with};
use http::{HeaderMap, HeaderName, HeaderValue};
use lily_connect::connector::{Condition, Connector, Subscription, Told, WebhookSource};
use lily_connect::connectors::bigcommerce::webhook::{self, Keys, Proof};
use lily_connect::connectors::bigcommerce::{PLATFORM, StoreHash};
use lily_connect::error::Result;
use lily_connect::model::{Entity, RecordRef, Secret};
use lily_connect::testkit::bigcommerce::Delivery;
use lily_connect::time::{Clock, Timestamp};
use lily_connect::webhook::{EventKind, Incoming, NoticeKind, Received};
use serde_json::Value;

/// The secret of our subscriptions, and the fake's client secret.
const OWN: &str = "a-secret-of-ours-0123456789";
const CLIENT: &str = "a-client-secret-of-lily-test";

fn hooks(bench: &Bench) -> &dyn WebhookSource {
    bench.connector.webhooks().unwrap()
}

fn wanted() -> Subscription {
    Subscription::new("https://us.example.com/hook", Secret::new(OWN)).unwrap()
}

fn incoming(delivery: &Delivery, now: Timestamp) -> Incoming {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers
            .insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Incoming::new(headers, delivery.body.clone(), now).unwrap()
}

fn code(received: Result<Received>) -> String {
    match received {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(OWN) && !shown.contains(CLIENT), "{shown}");
            error.code().to_owned()
        }
    }
}

#[tokio::test]
async fn a_delivery_is_proved_by_signature_or_by_header_as_the_settings_say() {
    let bench = bench(3).await;
    hooks(&bench).subscribe(&wanted()).await.unwrap();
    let id = bench.store.ids()[0];
    let sent = |signed: bool| {
        bench.store.set_conditions(|it| it.unsigned_deliveries = !signed);
        bench.store.edit_product(id, |product| product.set("name", format!("Named {signed}")));
        bench.store.take_deliveries().remove(0)
    };
    let (signed, unsigned) = (sent(true), sent(false));
    let now = bench.clock.now();
    let hash = StoreHash::new("abc123").unwrap();
    let (own, client, wrong) = (vec![Secret::new(OWN)], Secret::new(CLIENT), Secret::new("wrong"));
    let check = |delivery: &Delivery, signing: Option<&Secret>, own: &[Secret], proof: Proof| {
        code(webhook::verify(&hash, &incoming(delivery, now), &Keys { signing, own }, proof))
    };
    for (delivery, proof, expected) in [
        (&signed, Proof::Either, "ok"),
        (&signed, Proof::Signature, "ok"),
        (&signed, Proof::Header, "ok"),
        (&unsigned, Proof::Either, "ok"),
        (&unsigned, Proof::Signature, "webhook_unsigned"),
        (&unsigned, Proof::Header, "ok"),
    ] {
        assert_eq!(check(delivery, Some(&client), &own, proof), expected, "{proof:?}");
    }
    // Without the client secret the header is all that there is; with neither, nothing is taken.
    assert_eq!(check(&signed, None, &own, Proof::Either), "ok");
    assert_eq!(check(&signed, None, &own, Proof::Signature), "webhook_signature_wrong");
    assert_eq!(
        check(&signed, Some(&wrong), std::slice::from_ref(&wrong), Proof::Either),
        "webhook_signature_wrong"
    );
    assert_eq!(
        check(&unsigned, Some(&client), std::slice::from_ref(&wrong), Proof::Either),
        "webhook_signature_wrong"
    );
    assert_eq!(check(&signed, Some(&client), &[], Proof::Either), "ok", "the secret's own bytes are the key");
    assert_eq!(check(&signed, None, &[], Proof::Either), "webhook_secret_unusable");
    assert_eq!(check(&signed, Some(&client), &[Secret::new("")], Proof::Either), "webhook_secret_unusable");
    let mut forged = signed.clone();
    forged.body = forged.body.replace(&id.to_string(), "99");
    forged.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-lily-connect"));
    assert_eq!(check(&forged, Some(&client), &own, Proof::Either), "webhook_signature_wrong");
    let late = incoming(&signed, now.saturating_add(std::time::Duration::from_secs(3600)));
    let keys = Keys { signing: Some(&client), own: &[] };
    assert_eq!(code(webhook::verify(&hash, &late, &keys, Proof::Either)), "webhook_not_fresh");
    let other = StoreHash::new("xyz").unwrap();
    let keys = Keys { signing: Some(&client), own: &own };
    assert_eq!(
        code(webhook::verify(&other, &incoming(&signed, now), &keys, Proof::Either)),
        "webhook_foreign"
    );
    assert_eq!(webhook::sender(&incoming(&signed, now)).unwrap(), hash);
}

#[tokio::test]
async fn a_repetition_is_known_by_its_id_or_its_hash_and_another_event_is_not() {
    let bench = bench_with(
        |store| drop(store.seed_products(3)),
        |builder| builder,
        |it| it.client_secret(Secret::new(CLIENT)),
    )
    .await;
    hooks(&bench).subscribe(&wanted()).await.unwrap();
    let id = bench.store.ids()[0];
    let told = |name: &str| {
        bench.store.edit_product(id, |product| product.set("name", name));
        let delivery = bench.store.take_deliveries().remove(0);
        let incoming = incoming(&delivery, bench.clock.now());
        let Received::Event(event) = hooks(&bench).verify(&incoming, &[Secret::new(OWN)]).unwrap() else {
            panic!()
        };
        (event, delivery)
    };
    for unsigned in [false, true] {
        bench.store.set_conditions(|it| it.unsigned_deliveries = unsigned);
        let (first, delivery) = told(&format!("One {unsigned}"));
        let again = incoming(&delivery, bench.clock.now());
        let Received::Event(again) = hooks(&bench).verify(&again, &[Secret::new(OWN)]).unwrap() else {
            panic!()
        };
        assert_eq!(first.delivery, again.delivery);
        assert_eq!(first.record, Some(RecordRef::new(PLATFORM, Entity::Product, id.to_string())));
        bench.tick();
        let (second, _) = told(&format!("Two {unsigned}"));
        assert_ne!(first.delivery, second.delivery);
    }
}

#[tokio::test]
async fn the_published_samples_are_read() {
    let Some(specs) = documents::specs() else { return };
    let hash = StoreHash::new("abc123").unwrap();
    let own = [Secret::new(OWN)];
    let read = |file: &str| {
        let text = std::fs::read_to_string(specs.join("bigcommerce/examples/webhooks").join(file)).unwrap();
        let body = text.replace("{store_hash}", "abc123");
        let mut headers = HeaderMap::new();
        headers.insert("x-lily-connect", HeaderValue::from_static(OWN));
        let incoming = Incoming::new(headers, body, Timestamp::UNIX_EPOCH).unwrap();
        webhook::verify(&hash, &incoming, &Keys { signing: None, own: &own }, Proof::Either)
    };
    for (file, kind, entity, id) in [
        ("store_product_created.json", EventKind::Created, Entity::Product, None),
        ("store_product_updated.json", EventKind::Updated, Entity::Product, Some("205")),
        ("store_product_deleted.json", EventKind::Deleted, Entity::Product, None),
        ("store_product_inventory_updated.json", EventKind::Updated, Entity::Product, None),
        ("store_sku_created.json", EventKind::Created, Entity::Variant, Some("509")),
        ("store_sku_updated.json", EventKind::Updated, Entity::Variant, Some("509")),
        ("store_sku_inventory_updated.json", EventKind::Updated, Entity::Variant, Some("509")),
        ("store_category_updated.json", EventKind::Updated, Entity::Category, Some("42")),
    ] {
        let Received::Event(event) = read(file).unwrap() else { panic!("{file}") };
        let record = event.record.unwrap();
        assert_eq!((event.topic, record.kind), (kind, entity), "{file}");
        assert!(id.is_none_or(|id| record.id.as_str() == id), "{file}: {record}");
        assert_eq!(event.parent.is_some(), entity == Entity::Variant, "{file}");
    }
    let Received::Notice(notice) = read("store_information_updated.json").unwrap() else { panic!() };
    assert_eq!(notice.kind, NoticeKind::StoreChanged);
    for file in ["store_order_created.json", "store_cart_updated.json", "store_shipment_updated.json"] {
        let Received::Event(event) = read(file).unwrap() else { panic!("{file}") };
        assert_eq!((event.topic, event.record), (EventKind::Other, None), "{file}");
    }
}

#[tokio::test]
async fn what_is_no_delivery_is_refused_by_name() {
    let bench = bench(1).await;
    let read = |body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-lily-connect", HeaderValue::from_static(OWN));
        let incoming = Incoming::new(headers, body.to_owned(), bench.clock.now()).unwrap();
        code(hooks(&bench).verify(&incoming, &[Secret::new(OWN)]))
    };
    for body in [
        "",
        "[]",
        "7",
        "{",
        "null",
        r#"{"scope":"store/product/updated"}"#,
        r#"{"scope":"store/product/updated","producer":"stores/abc123"}"#,
        r#"{"scope":"store/product/updated","producer":"stores/abc123","data":{"id":0}}"#,
        r#"{"scope":"store/product/updated","producer":"stores/abc123","data":{"id":"../7"}}"#,
        r#"{"scope":"store/sku/updated","producer":"stores/abc123","data":{"id":7}}"#,
    ] {
        assert_eq!(read(body), "webhook_unreadable", "{body}");
    }
    assert_eq!(
        read(r#"{"scope":"store/product/updated","producer":"stores/other","data":{"id":7}}"#),
        "webhook_foreign"
    );
}

#[tokio::test]
async fn every_scope_is_subscribed_to_once_and_a_dead_hook_is_made_anew() {
    let bench = bench(1).await;
    let source = hooks(&bench);
    let report = source.heal(&wanted()).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.made.len(), source.tells().len());
    let again = source.heal(&wanted()).await.unwrap();
    assert_eq!((again.made.len(), again.kept.len()), (0, report.made.len()));
    // A second subscription of the same kind to the same address gives the one that there is.
    let same = source.subscribe(&wanted()).await.unwrap();
    let ids = |some: &[lily_connect::connector::Subscribed]| {
        some.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&same), ids(&report.made));
    let dead = &report.made[1];
    bench.store.deactivate_hook(dead.id.as_str().parse().unwrap());
    let healed = source.heal(&wanted()).await.unwrap();
    assert_eq!((healed.made.len(), healed.kept.len()), (1, report.made.len() - 1), "{healed:?}");
    let now = source.subscriptions().await.unwrap();
    assert_eq!(now.len(), report.made.len());
    assert!(now.iter().all(|it| it.condition(&wanted()) == Condition::Active), "{now:?}");
    assert!(now.iter().any(|it| it.told() == Told::Record(EventKind::Deleted, Entity::Variant)));
    for hook in bench.store.hooks() {
        let sent: Value = hook
            .headers()
            .iter()
            .map(|(name, value)| (name.to_lowercase(), Value::from(value.as_str())))
            .collect();
        assert_eq!(sent["x-lily-connect"], OWN);
    }
    assert!(!format!("{now:?} {report:?}").contains(OWN));
}

#[tokio::test]
async fn an_address_that_the_platform_does_not_deliver_to_is_refused_before_it_is_sent() {
    let bench = bench_with(|_| {}, |builder| builder, |settings| settings).await;
    let config = lily_connect::connectors::bigcommerce::BigCommerceConfig::builder("abc123")
        .access_token(Secret::new("t"))
        .profile(lily_connect::model::StoreProfile::unknown());
    let public = config.build().unwrap().connect(&bench.runtime).await.unwrap();
    for url in ["http://us.example.com/hook", "https://us.example.com:8443/hook"] {
        let wanted = Subscription::new(url, Secret::new(OWN)).unwrap();
        let error = public.webhooks().unwrap().subscribe(&wanted).await.unwrap_err();
        assert_eq!(error.code(), "delivery_url_unusable", "{url}");
    }
    let odd = Subscription::new("https://us.example.com/hook", Secret::new("with blank")).unwrap();
    assert_eq!(
        public.webhooks().unwrap().subscribe(&odd).await.unwrap_err().code(),
        "webhook_secret_unusable"
    );
}
