//! A delivery of Shopify: its headers, one a line, an empty line, and its body. A signature `ours` is made by our secret.
//!
//! What verifies was signed by us, byte for byte.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lily_connect::connector::Connector;
use lily_connect::model::Secret;
use lily_connect::time::Timestamp;
use lily_connect::webhook::{Incoming, Received};
use lily_connect_fuzz::{HOOK_SECRET, SHOPIFY, check_error, delivery};
use sha2::Sha256;

const SIGNATURES: [&str; 2] = ["x-shopify-hmac-sha256", "shopify-hmac-sha256"];

fn signed(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut headers, body) = delivery(data);
    for name in SIGNATURES {
        if headers.get(name).is_some_and(|value| value == "ours") {
            headers.insert(name, signed(&body).parse().unwrap());
        }
    }
    let secrets = [Secret::new(HOOK_SECRET)];
    let source = SHOPIFY.connector.webhooks().unwrap();
    let received = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
    let incoming = Incoming::new(headers.clone(), body.clone(), received).unwrap();
    match source.verify(&incoming, &secrets) {
        Ok(told) => {
            let ours = signed(&body);
            assert!(
                SIGNATURES.iter().any(|name| headers.get(*name).is_some_and(|it| *it == ours)),
                "{told:?}"
            );
            if let Received::Event(event) = &told {
                let id = event.record.as_ref().map_or("0", |record| record.id.as_str());
                assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{event:?}");
            }
            let other = Incoming::new(headers, [&body[..], b" "].concat(), received).unwrap();
            assert!(source.verify(&other, &secrets).is_err(), "another body has the same signature");
        }
        Err(error) => {
            check_error(&error);
            assert!(!error.to_string().contains(HOOK_SECRET));
        }
    }
});
