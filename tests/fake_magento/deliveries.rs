//! Events and webhooks: what is subscribed to, and signatures that a key verifies.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use lily_connect::testkit::magento::{Edition, EventForm, MagentoFake, SignedDelivery};
use serde_json::{Value, json};

use super::shapes::example;
use super::{Shop, shop, shop_with};

fn header<'a>(delivery: &'a SignedDelivery, name: &str) -> &'a str {
    delivery.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap()
}

fn verifies(pem: &str, bytes: &[u8], signature: &str) -> bool {
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, STANDARD.decode(der).unwrap());
    key.verify(bytes, &STANDARD.decode(signature).unwrap()).is_ok()
}

fn subscribe(shop: &Shop, name: &str, fields: &[&str]) -> u16 {
    let fields: Vec<_> =
        fields.iter().map(|name| json!({"name": name, "converter": "", "source": ""})).collect();
    let event = json!({"event": {"name": name, "parent": "", "fields": fields, "rules": [], "destination": "default",
        "priority": false, "hipaa_audit_required": false, "provider_id": ""}});
    shop.write(Method::POST, "/rest/all/V1/eventing/eventSubscribe", &event).0
}

#[test]
fn saves_and_deletions_are_delivered_with_the_fields_that_were_asked_for() {
    let shop = shop_with(|builder| builder.edition(Edition::Commerce));
    assert_eq!(subscribe(&shop, "observer.catalog_product_save_commit_after", &["x"]), 404, "no module");
    shop.store.set_conditions(|conditions| conditions.without_events = false);
    assert_eq!(subscribe(&shop, "observer.catalog_product_save_commit_after", &["sku", "entity_id"]), 200);
    assert_eq!(subscribe(&shop, "observer.catalog_product_save_commit_after", &["sku"]), 400);
    assert_eq!(subscribe(&shop, "observer.catalog_product_delete_commit_after", &["sku"]), 200);
    assert_eq!(shop.get("/rest/all/V1/eventing/getEventSubscriptions").as_array().unwrap().len(), 2);
    let id = shop.store.create("A", "Bag", |_| {});
    shop.store.delete(id);
    let events = shop.store.take_events("client", EventForm::Plain);
    assert_eq!(events.len(), 2);
    assert!(shop.store.take_events("client", EventForm::Plain).is_empty());
    let body: Value = serde_json::from_str(&events[0].body).unwrap();
    assert_eq!(body["recipient_client_id"], "client");
    assert_eq!(
        body["event"]["data"]["value"],
        json!({"entity_id": id.to_string(), "sku": "A", "_isNew": true})
    );
    if let Some(expected) = example("io-event-product-save-01.json") {
        let (expected, found) = (&expected["event"]["data"], &body["event"]["data"]);
        for key in expected.as_object().unwrap().keys() {
            assert!(found.get(key).is_some(), "{key}");
        }
        for (key, value) in found["value"].as_object().unwrap().iter().filter(|(key, _)| *key != "_isNew") {
            assert_eq!(value.is_string(), expected["value"][key].is_string(), "{key}");
        }
        assert_eq!(
            found["_metadata"].as_object().unwrap().len(),
            expected["_metadata"].as_object().unwrap().len()
        );
    }
    let id = shop.store.create("B", "Bag", |_| {});
    shop.store.edit(id, |_| {});
    let events = shop.store.take_events("client", EventForm::CloudEvent);
    let body: Value = serde_json::from_str(&events[1].body).unwrap();
    assert_eq!(body["type"], "com.adobe.commerce.observer.catalog_product_save_commit_after");
    assert_eq!(
        (&body["recipientclientid"], &body["data"]["value"]["_isNew"]),
        (&json!("client"), &json!(false))
    );
}

#[test]
fn the_signature_of_an_event_is_over_the_body_by_the_key_that_is_served() {
    let shop = shop();
    let delivery = MagentoFake::sign_event("{\"event\":1}");
    let path = header(&delivery, "x-adobe-public-key1-path");
    assert!(path.starts_with("/prod/keys/"));
    let (status, pem) = shop.send(&shop.request(Method::GET, path));
    assert_eq!((status, pem.as_str().unwrap()), (200, MagentoFake::public_key()));
    let signature = header(&delivery, "x-adobe-digital-signature-1");
    assert!(verifies(MagentoFake::public_key(), delivery.body.as_bytes(), signature));
    assert!(!verifies(MagentoFake::public_key(), b"{\"event\":2}", signature));
    let second = header(&delivery, "x-adobe-digital-signature-2");
    assert!(!verifies(MagentoFake::public_key(), delivery.body.as_bytes(), second));
}

#[test]
fn the_signature_of_a_webhook_is_over_the_base64_text_of_the_body() {
    let delivery = MagentoFake::sign_webhook("{\"product\":{\"sku\":\"A\"}}");
    let signature = header(&delivery, "x-adobe-commerce-webhook-signature");
    let text = STANDARD.encode(&delivery.body);
    assert!(verifies(MagentoFake::public_key(), text.as_bytes(), signature));
    assert!(!verifies(MagentoFake::public_key(), delivery.body.as_bytes(), signature));
}
