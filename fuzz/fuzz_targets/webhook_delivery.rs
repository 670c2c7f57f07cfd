//! A delivery: its headers, one a line, an empty line, and its body. A signature `ours` is made by our secret.
//!
//! What verifies was signed by us, byte for byte; what is taken without a signature is a ping.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::HeaderMap;
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, Secret};
use lily_connect::time::Timestamp;
use lily_connect::webhook::{EventKind, Incoming, Received};
use lily_connect_fuzz::{HOOK_SECRET as SECRET, STORE, check_error, delivery};
use sha2::Sha256;

const SIGNATURE: &str = "x-wc-webhook-signature";

fn signed(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn parts(data: &[u8]) -> (HeaderMap, Bytes) {
    let (mut headers, body) = delivery(data);
    if headers.get(SIGNATURE).is_some_and(|value| value == "ours") {
        headers.insert(SIGNATURE, signed(&body).parse().unwrap());
    }
    (headers, body)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (headers, body) = parts(data);
    let secrets = [Secret::new(SECRET)];
    let source = STORE.connector.webhooks().unwrap();
    let incoming = Incoming::new(headers.clone(), body.clone(), Timestamp::UNIX_EPOCH).unwrap();
    match source.verify(&incoming, &secrets) {
        Ok(Received::Event(event)) => {
            let signatures: Vec<_> = headers.get_all(SIGNATURE).iter().collect();
            assert!(signatures == [&signed(&body)], "{event:?} is not ours");
            let id = event.subscription.as_ref().expect("a delivery says which subscription it is of");
            assert!(id.as_str().bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(event.record.is_none(), event.topic == EventKind::Other);
            assert!(
                event.parent.is_none() || event.record.is_some_and(|record| record.kind == Entity::Variant)
            );
            let other = Incoming::new(headers, [&body[..], b" "].concat(), Timestamp::UNIX_EPOCH).unwrap();
            assert!(source.verify(&other, &secrets).is_err(), "another body has the same signature");
        }
        Ok(Received::Ping { subscription }) => {
            assert!(!headers.keys().any(|name| {
                name.as_str().starts_with("x-wc-webhook-")
                    && ["signature", "topic", "source", "id", "delivery-id"]
                        .iter()
                        .any(|end| &name.as_str()[13..] == *end)
            }));
            assert_eq!(body, format!("webhook_id={subscription}"));
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            check_error(&error);
            assert!(!error.to_string().contains(SECRET));
        }
    }
});
