//! What a real store sent, against what is believed.

use std::sync::Arc;

use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::{PLATFORM, WooCommerceConfig};
use lily_connect::error::{ErrorKind, Result};
use lily_connect::model::{Entity, RecordRef, Secret, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::time::Timestamp;
use lily_connect::webhook::{Event, EventKind, Incoming, MAX_BODY_BYTES, Received};

use super::deliveries::{SECRET, Sent, load, of_recording, recorded, secrets};

const NAMES: [&str; 3] = ["product-updated", "product-deleted", "variation-updated"];

/// A connector that has called nobody.
pub async fn at(url: &str) -> Arc<dyn Connector> {
    let config = WooCommerceConfig::builder(url)
        .key("ck_1")
        .secret(Secret::new("cs_1"))
        .private_hosts(true)
        .profile(StoreProfile::unknown())
        .build()
        .unwrap();
    Arc::new(config.connect(&Runtime::new()).await.unwrap())
}

fn verify(connector: &Arc<dyn Connector>, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
    connector.webhooks().unwrap().verify(incoming, secrets)
}

fn event(received: Result<Received>) -> Event {
    match received.unwrap() {
        Received::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn h1_every_recorded_delivery_verifies_and_names_its_record() {
    let store = at("http://127.0.0.1:8081").await;
    let product = |id: &str| RecordRef::new(PLATFORM, Entity::Product, id);
    let expected = [
        (EventKind::Updated, product("4018"), None),
        (EventKind::Deleted, product("4026"), None),
        (EventKind::Updated, RecordRef::new(PLATFORM, Entity::Variant, "27"), Some(product("11"))),
    ];
    for (name, (topic, record, parent)) in NAMES.into_iter().zip(expected) {
        let Some((sent, secret)) = recorded(name) else { return };
        let received = sent.at(Timestamp::UNIX_EPOCH);
        let event = event(verify(&store, &received, &[Secret::new(secret.clone())]));
        assert_eq!((event.topic, event.record, event.parent), (topic, Some(record), parent), "{name}");
        assert_eq!(event.delivery.unwrap().len(), 32);
        // While secrets are exchanged, both are given.
        let both = [Secret::new("the new one"), Secret::new(secret)];
        verify(&store, &received, &both).unwrap();
    }
}

#[tokio::test]
async fn h1_a_flipped_byte_a_wrong_secret_and_a_missing_signature_are_refused_without_being_shown() {
    let store = at("http://127.0.0.1:8081").await;
    for name in NAMES {
        let Some((sent, secret)) = recorded(name) else { return };
        let secrets = [Secret::new(secret.clone())];
        let refused = |sent: &Sent, secrets: &[Secret], code: &str| {
            let incoming = sent.at(Timestamp::UNIX_EPOCH);
            let error = verify(&store, &incoming, secrets).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, code), "{name}");
            let shown = format!("{error} {error:?} {incoming:?} {secrets:?}");
            assert!(
                !shown.contains(&secret) && !shown.contains("V-Neck") && !shown.contains("4026"),
                "{shown}"
            );
        };
        for at in (0..sent.body.len()).step_by(7) {
            let mut flipped = Sent { headers: sent.headers.clone(), body: sent.body.clone() };
            flipped.body[at] ^= 1;
            refused(&flipped, &secrets, "webhook_signature_wrong");
        }
        let longer =
            Sent { body: [sent.body.clone(), b"\n".to_vec()].concat(), headers: sent.headers.clone() };
        refused(&longer, &secrets, "webhook_signature_wrong");
        for wrong in ["s3cr&t <\"key\">'e", "s3cr&amp;t <\"key\">'\u{e9} ", SECRET] {
            refused(&sent, &[Secret::new(wrong)], "webhook_signature_wrong");
        }
        refused(&sent.without("x-wc-webhook-signature"), &secrets, "webhook_unsigned");
    }
}

#[tokio::test]
async fn h1_the_secret_is_decoded_as_the_store_does_it() {
    let store = at("http://127.0.0.1:8081").await;
    let Some((sent, _)) = recorded("product-updated") else { return };
    // Other spellings of the very bytes that the store signed with.
    let spelled = Secret::new("s3cr&amp;t &lt;&quot;key&#034;&gt;&#039;\u{e9}");
    event(verify(&store, &sent.at(Timestamp::UNIX_EPOCH), &[spelled]));
}

#[tokio::test]
async fn a_delivery_of_another_store_is_refused_though_its_signature_is_right() {
    let Some((sent, secret)) = recorded("product-updated") else { return };
    let secrets = [Secret::new(secret)];
    let incoming = sent.at(Timestamp::UNIX_EPOCH);
    // The same site over https is no other one; another port or folder is.
    event(verify(&at("https://127.0.0.1:8081").await, &incoming, &secrets));
    for other in ["http://127.0.0.1:8082", "http://127.0.0.1:8081/shop", "https://shop.example"] {
        let error = verify(&at(other).await, &incoming, &secrets).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, "webhook_foreign"), "{other}");
        assert!(!error.remedy().is_empty());
    }
}

#[tokio::test]
async fn the_recorded_pings_are_answered_and_nothing_else_that_is_unsigned() {
    let store = at("http://127.0.0.1:8081").await;
    let Some(file) = load("webhook-ping") else { return };
    let pings = file["pings"].as_array().unwrap();
    assert_eq!(pings.len(), 4);
    for (number, ping) in pings.iter().enumerate() {
        let sent = of_recording(ping);
        let received = verify(&store, &sent.at(Timestamp::UNIX_EPOCH), &secrets()).unwrap();
        let subscription = (number + 1).to_string().into();
        assert_eq!(received, Received::Ping { subscription });
        let json = sent.with("content-type", "application/json");
        let error = verify(&store, &json.at(Timestamp::UNIX_EPOCH), &secrets()).unwrap_err();
        assert_eq!(error.code(), "webhook_unsigned");
    }
}

#[tokio::test]
async fn h1_a_body_over_the_bound_is_refused_before_anything_is_made_of_it() {
    let headers =
        Sent::new("http://127.0.0.1:8081", "product.updated", &serde_json::json!({"id": 7})).headers;
    let error = Incoming::new(headers, vec![b' '; MAX_BODY_BYTES + 1], Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "webhook_too_large"));
}

#[tokio::test]
async fn without_a_usable_secret_nothing_verifies() {
    let store = at("http://127.0.0.1:8081").await;
    let sent = Sent::new("http://127.0.0.1:8081", "product.updated", &serde_json::json!({"id": 7}));
    let incoming = sent.at(Timestamp::UNIX_EPOCH);
    event(verify(&store, &incoming, &secrets()));
    for none in [vec![], vec![Secret::new("")], vec![Secret::new(SECRET), Secret::new("")]] {
        let error = verify(&store, &incoming, &none).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "webhook_secret_unusable"));
    }
}
