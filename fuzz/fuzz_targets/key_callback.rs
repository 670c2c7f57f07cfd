//! The request that brings a new key: its content type, a line's end, and its body. The body is read as the query
//! of a return, too.
//!
//! What is taken brings the one-time value and the scope that was asked for, and no secret is shown.
#![no_main]

use std::sync::LazyLock;

use lily_connect::connectors::woocommerce::provision::{OneTimeValue, Scope, read_callback, read_return};
use lily_connect::model::Secret;
use lily_connect_fuzz::check_error;
use serde_json::Value;

const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

static EXPECTED: LazyLock<OneTimeValue> = LazyLock::new(|| OneTimeValue::kept(Secret::new(VALUE)).unwrap());

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let kind = String::from_utf8_lossy(&data[..end]);
    let body = data.get(end + 1..).unwrap_or_default();
    match read_callback(&kind, body, &EXPECTED, Scope::ReadWrite) {
        Ok(key) => {
            let sent: Value = serde_json::from_slice(body).unwrap();
            assert_eq!((&sent["user_id"], &sent["key_permissions"]), (&VALUE.into(), &"read_write".into()));
            assert_eq!((&sent["key_id"], key.scope), (&key.key_id.into(), Scope::ReadWrite));
            assert_eq!(sent["consumer_key"], *key.consumer_key);
            assert_eq!(sent["consumer_secret"], *key.consumer_secret.expose());
            let shown = format!("{key:?}");
            assert!(!shown.contains(key.consumer_secret.expose()) && !shown.contains(&key.consumer_key));
        }
        Err(error) => {
            check_error(&error);
            let shown = format!("{error} {error:?}");
            let sent: Value = serde_json::from_slice(body).unwrap_or_default();
            for secret in [Some(VALUE), sent["consumer_key"].as_str(), sent["consumer_secret"].as_str()] {
                assert!(secret.is_none_or(|secret| secret.len() < 20 || !shown.contains(secret)), "{shown}");
            }
        }
    }
    if let Ok(query) = std::str::from_utf8(body)
        && let Err(error) = read_return(query, &EXPECTED)
    {
        check_error(&error);
        assert!(!error.to_string().contains(VALUE));
    }
});
