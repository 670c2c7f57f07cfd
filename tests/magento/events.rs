//! Deliveries of Adobe Commerce: taken only as they were signed, by a key of theirs, for us.

use http::{HeaderMap, HeaderValue};
use lily_connect::connectors::magento::webhook::{PublicKey, event_keys, verify_events, verify_webhook};
use lily_connect::testkit::magento::{EventForm, MagentoFake, SignedDelivery};
use lily_connect::time::Timestamp;
use lily_connect::webhook::{EventKind, Incoming};

fn incoming(delivery: &SignedDelivery) -> Incoming {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    Incoming::new(headers, delivery.body.clone(), Timestamp::UNIX_EPOCH).unwrap()
}

fn keys() -> [PublicKey; 1] {
    [PublicKey::from_pem(MagentoFake::public_key()).unwrap()]
}

const PLAIN: &str = r#"{"event_id":"e-1","event":{"data":{"value":{"entity_id":"3","sku":"a","_isNew":false}}},"recipient_client_id":"ours"}"#;

#[test]
fn an_event_is_taken_by_either_signature_and_names_its_product() {
    let delivery = MagentoFake::sign_event(PLAIN);
    let events = verify_events(&incoming(&delivery), "ours", &keys()).unwrap();
    assert_eq!((events[0].topic, events[0].record.as_ref().unwrap().id.as_str()), (EventKind::Updated, "3"));
    assert_eq!(events[0].delivery.as_deref(), Some("e-1"));
    // The other of the two may be the one that verifies.
    let mut swapped = delivery.clone();
    swapped.headers[1].0 = "x-adobe-digital-signature-2";
    swapped.headers[2].0 = "x-adobe-digital-signature-1";
    assert!(verify_events(&incoming(&swapped), "ours", &keys()).is_ok());
    assert_eq!(
        event_keys(&incoming(&delivery)).unwrap()[0],
        "https://static.adobeioevents.com/prod/keys/pub-key-lily-test.pem"
    );
    let cloud = r#"{"specversion":"1.0","id":"e-2","type":"com.adobe.commerce.observer.catalog_product_delete_commit_after","recipientclientid":"ours","data":{"value":{"entity_id":7}}}"#;
    let events = verify_events(&incoming(&MagentoFake::sign_event(cloud)), "ours", &keys()).unwrap();
    assert_eq!((events[0].topic, events[0].record.as_ref().unwrap().id.as_str()), (EventKind::Deleted, "7"));
}

/// The test data of Adobe's own library (adobe/aio-lib-events, `test/mock.js` at 01bf2e97): an event, the public key and
/// the signature over the event's bytes.
#[test]
fn the_event_that_adobes_library_is_tested_with_verifies_by_its_key() {
    const EVENT: &str =
        r#"{"event_id":"eventId1","event":{"hello":"world"},"recipient_client_id":"client_id1"}"#;
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArGwUIIdaBSUrZq4V24cL
R3I19gel9uBBmXE3lt4oVHF0lMsHnA72cJNf/IPFYDWElM/tE4bat8p78O2ZQpus
6nzi/ISfSWprWhvTuI5sKx6CVgbRIzUM6VTIcvo8o3PK49HbgacRiUABZ1uNo7Cz
Pfmu5xAY+l2Ie1Dt8yperotKAKJmuPYeFWKGe9tzbPYgFluCy8DjPp2gGsmjsorR
/CVRJq8fWl5aTLha+ZHSTuyNY+RQhC/fZ7CHf89EdSvonyu6W7/SJmSf9DGGjmX0
HJNREqdTE9QdbSBMfNn/pa9fCGwR3yEoAZCkfVG06Xx02vOI0Q1RAkf2tGhO4bsZ
cwIDAQAB
-----END PUBLIC KEY-----
";
    const SIGNATURE: &str = "Hgq9NEIAtFItHQfHYi2x94zAaHG7088PUDLdpSTdsFjLPD+IJCrKpSf4bxNeh3vHmMqj6zUVYfFEYvgI0riJNx12b3wIMHhoa/MxQGzzCcN4GnB/LVaTm9/1LZSxKpyR34FhaaYxbN3u3dSE60zk5swjzMKUFRmFiiE6k0knjcM+e0E3f1g9kFXgy/dUIOlty4SlS3hbv1UHS/BYXakH7d0lb4mrNxHIGNuIyFRmMpbZ4KyXDJo5nCQqvW0dZKAikpavf58/S8xbYyhJTImNJaUMZYQ5m8KD6H1ME48Hr3Q+Vgte9cXrTCreK1tVqCCy/ZaQGC7Z/qPOC+D849hi9g==";
    let key = [PublicKey::from_pem(KEY).unwrap()];
    let read = |body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-adobe-digital-signature-1", HeaderValue::from_static(SIGNATURE));
        let incoming = Incoming::new(headers, body.to_owned(), Timestamp::UNIX_EPOCH).unwrap();
        verify_events(&incoming, "client_id1", &key)
    };
    // It is about no product of a shop: no record, and no error, since others may come in the same delivery.
    let events = read(EVENT).unwrap();
    assert_eq!((events[0].topic, events[0].record.as_ref()), (EventKind::Other, None));
    assert_eq!(events[0].delivery.as_deref(), Some("eventId1"));
    // Over the bytes, and not over what they say.
    assert_eq!(read(&format!("{EVENT} ")).unwrap_err().code(), "webhook_signature_wrong");
    assert_eq!(read(&EVENT.replace("world", "earth")).unwrap_err().code(), "webhook_signature_wrong");
}

#[test]
fn an_event_that_was_changed_is_for_others_or_names_other_keys_is_refused() {
    let delivery = MagentoFake::sign_event(PLAIN);
    let code = |delivery: &SignedDelivery, client: &str| {
        verify_events(&incoming(delivery), client, &keys()).map(|_| ()).unwrap_err().code().to_owned()
    };
    let mut changed = delivery.clone();
    changed.body = PLAIN.replace("\"3\"", "\"4\"");
    assert_eq!(code(&changed, "ours"), "webhook_signature_wrong");
    let mut unsigned = delivery.clone();
    unsigned.headers.retain(|(name, _)| !name.contains("signature"));
    assert_eq!(code(&unsigned, "ours"), "webhook_unsigned");
    assert_eq!(code(&delivery, "theirs"), "webhook_foreign");
    assert_eq!(code(&MagentoFake::sign_event("[1]"), "ours"), "webhook_unreadable");
    for path in
        ["https://evil.example/prod/keys/x.pem", "/prod/keys/../x.pem", "/other/x.pem", "/prod/keys/x?y", ""]
    {
        let mut elsewhere = delivery.clone();
        elsewhere.headers.retain(|(name, _)| !name.contains("-path"));
        elsewhere.headers.push(("x-adobe-public-key1-path", path.to_owned()));
        assert_eq!(event_keys(&incoming(&elsewhere)).unwrap_err().code(), "webhook_unsigned", "{path}");
    }
    assert_eq!(PublicKey::from_pem("nothing").unwrap_err().code(), "webhook_key_unusable");
}

#[test]
fn a_webhook_is_signed_over_the_base64_text_of_its_body() {
    let delivery = MagentoFake::sign_webhook(r#"{"product":{"sku":"a"}}"#);
    verify_webhook(&incoming(&delivery), &keys()).unwrap();
    let mut changed = delivery.clone();
    changed.body.push(' ');
    assert_eq!(verify_webhook(&incoming(&changed), &keys()).unwrap_err().code(), "webhook_signature_wrong");
    // A signature over the body itself is none of this module.
    let event = MagentoFake::sign_event(&delivery.body);
    let mut other = delivery;
    other.headers[1].1.clone_from(&event.headers[1].1);
    assert_eq!(verify_webhook(&incoming(&other), &keys()).unwrap_err().code(), "webhook_signature_wrong");
    other.headers.pop();
    assert_eq!(verify_webhook(&incoming(&other), &keys()).unwrap_err().code(), "webhook_unsigned");
}

#[test]
fn the_event_of_the_documents_names_its_product() {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
        eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no documented event was read");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set in CI");
        return;
    };
    let file = std::path::Path::new(&folder).join("magento/examples/io-event-product-save-01.json");
    let mut body: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    body["recipient_client_id"] = "ours".into();
    let delivery = MagentoFake::sign_event(&body.to_string());
    let events = verify_events(&incoming(&delivery), "ours", &keys()).unwrap();
    assert_eq!(events[0].record.as_ref().unwrap().id.as_str(), "3");
}

#[tokio::test]
async fn a_shop_is_asked_to_send_events_and_what_others_made_stays() {
    use super::common::{bench, bench_with};
    use lily_connect::testkit::magento::Edition;
    let plain = bench(1).await;
    let error = plain.connector.events().await.unwrap_err();
    assert_eq!(error.code(), "events_missing");
    assert!(error.remedy().contains("deltas"), "{error}");

    let bench = bench_with(
        |builder| builder.edition(Edition::Commerce),
        |store| {
            drop(store.seed_products(1));
            store.set_conditions(|conditions| conditions.without_events = false);
        },
        |settings| settings,
    )
    .await;
    assert!(bench.connector.events().await.unwrap().is_empty());
    let made = bench.connector.send_events().await.unwrap();
    assert_eq!(made.len(), 2);
    assert!(bench.connector.send_events().await.unwrap().is_empty(), "each once");
    let id = bench.store.ids()[0];
    bench.store.set_value(id, "name", "Renamed");
    let sent = bench.store.take_events("client", EventForm::CloudEvent);
    assert!(sent.len() == 1 && sent[0].body.contains(&format!("\"entity_id\":\"{id}\"")), "{sent:?}");
    assert!(!sent[0].body.contains("Renamed"), "ids and no content");
    assert_eq!(bench.connector.stop_events().await.unwrap(), made);
    assert!(bench.connector.events().await.unwrap().is_empty());
}
