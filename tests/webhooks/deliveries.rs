//! Deliveries that are signed here, and the recorded ones.

use std::path::Path;

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use lily_connect::model::Secret;
use lily_connect::time::Timestamp;
use lily_connect::webhook::Incoming;
use serde_json::Value;
use sha2::Sha256;

pub const SECRET: &str = "kZ3bP0sV9dQ1rT5uX7wY2aC4eG6iK8mN0oR2tV4xZ6bD8fH0jL";

pub fn secrets() -> Vec<Secret> {
    vec![Secret::new(SECRET)]
}

pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// A delivery as a store at an address sends it.
pub struct Sent {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Sent {
    pub fn new(source: &str, topic: &str, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        let sent = Self { headers: HeaderMap::new(), body };
        let signature = sign(SECRET, &sent.body);
        sent.with("content-type", "application/json")
            .with("x-wc-webhook-source", &format!("{source}/"))
            .with("x-wc-webhook-topic", topic)
            .with("x-wc-webhook-signature", &signature)
            .with("x-wc-webhook-id", "2")
            .with("x-wc-webhook-delivery-id", "1a8224a53118e8fe21370f7f0147f42d")
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn at(&self, received: Timestamp) -> Incoming {
        Incoming::new(self.headers.clone(), self.body.clone(), received).unwrap()
    }
}

/// A recorded delivery with its secret; `None` where the recordings are not at hand.
pub fn recorded(name: &str) -> Option<(Sent, String)> {
    let file = load(&format!("webhook-delivery-{name}"))?;
    let delivery = &file["delivery"];
    Some((of_recording(delivery), file["secret"].as_str().unwrap().to_owned()))
}

pub fn of_recording(delivery: &Value) -> Sent {
    let body = delivery["raw_body"].as_str().unwrap().as_bytes().to_vec();
    let mut sent = Sent { headers: HeaderMap::new(), body };
    for pair in delivery["headers"].as_array().unwrap() {
        sent = sent.with(&pair[0].as_str().unwrap().to_lowercase(), pair[1].as_str().unwrap());
    }
    sent
}

pub fn load(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set where CI is true");
        eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no recording was read");
        return None;
    };
    let file = Path::new(&folder).join(format!("woocommerce/{name}.json"));
    Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
}
