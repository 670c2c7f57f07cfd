//! The text of a credential file, in any of Google's forms.
//!
//! What is taken asks Google and nobody else for tokens, and neither it nor an error shows a value of the file.
#![no_main]

use lily_connect::connectors::ga4::Ga4Config;
use lily_connect::error::ErrorKind;
use lily_connect::model::Secret;
use lily_connect_fuzz::check_error;
use serde_json::Value;

const PLANTED: &str = "planted5e1f";

libfuzzer_sys::fuzz_target!(|text: &str| {
    if text.contains(PLANTED) {
        return;
    }
    let mut file = serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    for name in
        ["private_key", "private_key_id", "client_secret", "refresh_token", "client_email", "client_id"]
    {
        if let Some(Value::String(value)) = file.get_mut(name)
            && !value.is_empty()
        {
            value.push_str(PLANTED);
        }
    }
    let given = [text.to_owned(), file.to_string()];
    for text in given {
        let shown = match Ga4Config::builder("123").credentials(Secret::new(text)).build() {
            Ok(config) => {
                let endpoint = file.get("token_uri").and_then(Value::as_str);
                let host = endpoint.map(|uri| uri.split('/').nth(2).unwrap_or_default().to_lowercase());
                assert!(
                    host.is_none_or(|host| host.trim_end_matches(":443").ends_with("googleapis.com")),
                    "{endpoint:?}"
                );
                format!("{config:?}")
            }
            Err(error) => {
                check_error(&error);
                assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Unsupported), "{error}");
                format!("{error} {error:?}")
            }
        };
        assert!(!shown.contains(PLANTED), "{shown}");
    }
});
