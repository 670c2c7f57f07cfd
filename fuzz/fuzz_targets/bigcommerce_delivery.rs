//! A delivery of BigCommerce: its headers, one a line, an empty line, and its body. A signature `ours` is made by our
//! secret.
//!
//! What verifies was signed by us, byte for byte, or has our header.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, Secret};
use lily_connect::time::Timestamp;
use lily_connect::webhook::{Incoming, Received};
use lily_connect_fuzz::{BIGCOMMERCE, HOOK_SECRET, check_error, delivery};
use sha2::Sha256;

const OURS: &str = "secret_of_the_header";

fn signed(id: &str, time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
    for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut headers, body) = delivery(data);
    let word = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    let (id, time) = (word("webhook-id"), word("webhook-timestamp"));
    let signature = signed(&id, &time, &body);
    if word("webhook-signature") == "ours" {
        headers.insert("webhook-signature", signature.parse().unwrap());
    }
    let received = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
    let source = BIGCOMMERCE.connector.webhooks().unwrap();
    let incoming = Incoming::new(headers.clone(), body.clone(), received).unwrap();
    match source.verify(&incoming, &[Secret::new(OURS)]) {
        Ok(received) => {
            let is_signed = headers
                .get_all("webhook-signature")
                .iter()
                .any(|it| it.to_str().is_ok_and(|list| list.split(' ').any(|one| one == signature)));
            let has_header = headers.get("x-lily-connect").is_some_and(|it| it == OURS);
            assert!(is_signed || has_header, "{received:?} is not ours");
            if let Received::Event(event) = received {
                let id = event.record.as_ref().map_or("0", |record| record.id.as_str());
                assert!(id.bytes().all(|byte| byte.is_ascii_digit()));
                assert!(event.parent.is_none() || event.record.is_some_and(|it| it.kind == Entity::Variant));
            }
        }
        Err(error) => {
            check_error(&error);
            assert!(!error.to_string().contains(OURS) && !error.to_string().contains(HOOK_SECRET));
        }
    }
});
