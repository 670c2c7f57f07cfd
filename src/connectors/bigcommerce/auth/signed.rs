//! Signed callbacks: who opened the app, who removed it, and which user left it.

use serde_json::Value;

use super::super::config::StoreHash;
use crate::auth::{App, Hs256};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Text;
use crate::time::Timestamp;

/// The issuer of the platform's tokens.
const ISSUER: &str = "bc";
/// The longest word that is kept.
const MAX_WORD: usize = 256;

/// A callback's token (`signed_payload_jwt`) that was verified: a JWT by the app's secret, for a day.
///
/// The older `signed_payload`, which is no JWT, is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedCallback {
    /// The store.
    pub store: StoreHash,
    /// The id of the person.
    pub user: Option<Text>,
    /// The id of the store's owner.
    pub owner: Option<Text>,
    /// The token's own id.
    pub id: Option<Text>,
    /// The page of the app that was asked for: a path, and never another host.
    pub path: Option<Text>,
    /// The channel that it was opened from.
    pub channel: Option<Text>,
}

impl SignedCallback {
    /// Verifies a token: signature, algorithm, audience, issuer and time.
    ///
    /// # Errors
    /// `Auth`, with a code of [`Hs256::verify`] or `callback_issuer_wrong`; `Config` where its store is none.
    pub fn verify(token: &str, app: &App, now: Timestamp) -> Result<Self> {
        let claims = Hs256::new(app.secrets(), app.client_id()).verify(token, now)?;
        if claims.text("iss") != Some(ISSUER) {
            return Err(Error::new(
                ErrorKind::Auth,
                "callback_issuer_wrong",
                "the token is not of the platform's making",
            ));
        }
        let store = StoreHash::new(claims.text("sub").unwrap_or_default())?;
        let word = |value: Option<&Value>| match value? {
            Value::String(text) if text.len() <= MAX_WORD => Some(Text::from(text.as_str())),
            Value::Number(number) => Some(number.to_string().into()),
            _ => None,
        };
        let id_of = |name: &str| word(claims.value(name).and_then(|value| value.get("id")));
        let path = claims.text("url").filter(|path| {
            path.len() <= MAX_WORD && path.starts_with('/') && !path.starts_with("//") && !path.contains('\\')
        });
        Ok(Self {
            store,
            user: id_of("user"),
            owner: id_of("owner"),
            id: word(claims.value("jti")),
            path: path.map(Text::from),
            channel: word(claims.value("channel_id")),
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::model::{Mac, Secret};

    fn token(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
        let mac = Mac::of(signed.as_bytes(), b"hush").unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.as_bytes()))
    }

    fn verify(claims: &Value) -> Result<SignedCallback> {
        let app = App::new("id", Secret::new("hush")).unwrap();
        SignedCallback::verify(&token(claims), &app, Timestamp::from_unix_seconds(1_000_000).unwrap())
    }

    fn good() -> Value {
        // `nbf` is five seconds before `iat`, as in the platform's own example.
        json!({"aud": "id", "iss": "bc", "iat": 1_000_000, "nbf": 999_995, "exp": 1_086_395, "jti": "j1",
            "sub": "stores/abc123", "user": {"id": 7, "email": "a@example.com", "locale": "en"},
            "owner": {"id": 8, "email": "b@example.com"}, "url": "/page?x=1", "channel_id": null})
    }

    #[test]
    fn a_callback_tells_store_and_person() {
        let callback = verify(&good()).unwrap();
        assert_eq!(callback.store.as_str(), "abc123");
        assert_eq!((callback.user.as_deref(), callback.owner.as_deref()), (Some("7"), Some("8")));
        assert_eq!((callback.path.as_deref(), callback.channel), (Some("/page?x=1"), None));
        assert!(!format!("{:?}", verify(&good()).unwrap()).contains("example.com"));
    }

    #[test]
    fn a_foreign_a_forged_and_an_old_callback_are_refused() {
        for (name, value, code) in [
            ("iss", json!("other"), "callback_issuer_wrong"),
            ("aud", json!("another-app"), "jwt_audience_wrong"),
            ("exp", json!(999_000), "jwt_expired"),
            ("nbf", json!(1_000_100), "jwt_not_yet"),
            ("sub", json!("stores/../x"), "store_hash_unusable"),
            ("sub", json!(7), "store_hash_unusable"),
        ] {
            let mut claims = good();
            claims[name] = value;
            assert_eq!(verify(&claims).unwrap_err().code(), code, "{name}");
        }
        let app = App::new("id", Secret::new("other")).unwrap();
        let error =
            SignedCallback::verify(&token(&good()), &app, Timestamp::from_unix_seconds(1_000_000).unwrap());
        assert_eq!(error.unwrap_err().code(), "jwt_signature_wrong");
    }

    #[test]
    fn a_page_of_another_host_is_not_passed_on() {
        for url in ["//evil.example", "https://evil.example/", "/\\evil.example", "page"] {
            let mut claims = good();
            claims["url"] = json!(url);
            assert_eq!(verify(&claims).unwrap().path, None, "{url}");
        }
    }
}
