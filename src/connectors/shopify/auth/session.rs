//! Session tokens: who speaks to the app from its page in the admin.

use std::fmt;

use url::Url;

use super::ShopDomain;
use crate::auth::App;
use crate::auth::Hs256;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Secret, Text};
use crate::time::Timestamp;

/// A session token that was verified: a JWT by the app's secret that lives for about a minute.
#[derive(Clone)]
pub struct SessionToken {
    token: Secret,
    shop: ShopDomain,
    user: Option<Text>,
    session: Option<Text>,
}

impl SessionToken {
    /// Verifies a session token: signature, algorithm, audience and time, and that its issuer and its destination
    /// are one shop. The shop is the token's, never that of a query.
    ///
    /// # Errors
    /// `Auth`, with a code of [`Hs256::verify`] or `session_shop_mismatch`; `Config` where its shop is none.
    pub fn verify(token: &str, app: &App, now: Timestamp) -> Result<Self> {
        let claims = Hs256::new(app.secrets(), app.client_id()).verify(token, now)?;
        let host = |name: &str| {
            let url = Url::parse(claims.text(name)?).ok()?;
            let plain = url.scheme() == "https"
                && url.port().is_none()
                && url.username().is_empty()
                && url.password().is_none();
            url.host_str().filter(|_| plain).map(str::to_owned)
        };
        let shop = match (host("iss"), host("dest")) {
            (Some(issuer), Some(shop)) if issuer == shop => ShopDomain::new(&shop)?,
            _ => {
                return Err(Error::new(
                    ErrorKind::Auth,
                    "session_shop_mismatch",
                    "the session token's issuer and its destination are not one shop",
                ));
            }
        };
        let text = |name: &str| claims.text(name).filter(|text| text.len() <= 256).map(Text::from);
        Ok(Self { token: Secret::new(token), shop, user: text("sub"), session: text("sid") })
    }

    /// The shop.
    #[must_use]
    pub fn shop(&self) -> &ShopDomain {
        &self.shop
    }

    /// The person's id.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The session's id.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.token
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionToken").field("shop", &self.shop).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Mac;

    const NOW: i64 = 1_795_305_600;

    fn token(header: &Value, claims: &Value, key: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mac = Mac::of(signed.as_bytes(), key.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.as_bytes()))
    }

    fn claims() -> Value {
        json!({
            "iss": "https://some-shop.myshopify.com/admin",
            "dest": "https://some-shop.myshopify.com",
            "aud": "app-id",
            "sub": "42",
            "exp": NOW + 60,
            "nbf": NOW,
            "iat": NOW,
            "jti": "f8912129-1af6-4cad-9ca3-76b0f7621087",
            "sid": "aaea182f2732d44c23057c0fea584021a4485b2bd25d3eb7fd349313ad24c685",
        })
    }

    fn verify(token: &str) -> Result<SessionToken> {
        let app = App::new("app-id", Secret::new("hush")).unwrap().old_secret(Secret::new("before"));
        SessionToken::verify(token, &app, Timestamp::from_unix_seconds(NOW).unwrap())
    }

    fn code(claims: &Value) -> String {
        let token = token(&json!({"alg": "HS256", "typ": "JWT"}), claims, "hush");
        verify(&token).map_or_else(|error| error.code().to_owned(), |_| "ok".to_owned())
    }

    #[test]
    fn a_session_token_names_its_shop_and_its_person() {
        let header = json!({"alg": "HS256"});
        for key in ["hush", "before"] {
            let session = verify(&token(&header, &claims(), key)).unwrap();
            assert_eq!(session.shop().as_str(), "some-shop.myshopify.com");
            assert_eq!((session.user(), session.session().map(str::len)), (Some("42"), Some(64)));
            assert!(!format!("{session:?}").contains("eyJ"));
        }
        for (header, key, expected) in [
            (json!({"alg": "HS256"}), "forged", "jwt_signature_wrong"),
            (json!({"alg": "none"}), "hush", "jwt_algorithm"),
            (json!({"alg": "RS256"}), "hush", "jwt_algorithm"),
        ] {
            assert_eq!(verify(&token(&header, &claims(), key)).unwrap_err().code(), expected);
        }
        let unsigned = token(&json!({"alg": "none"}), &claims(), "hush");
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert_eq!(verify(&unsigned).unwrap_err().code(), "jwt_algorithm");
    }

    #[test]
    fn stale_foreign_and_contradictory_session_tokens_do_not_pass() {
        for (name, value, expected) in [
            ("exp", json!(NOW - 5), "ok"),
            ("exp", json!(NOW - 30), "jwt_expired"),
            ("nbf", json!(NOW + 5), "ok"),
            ("nbf", json!(NOW + 30), "jwt_not_yet"),
            ("aud", json!("other-app"), "jwt_audience_wrong"),
            ("iss", json!("https://other.myshopify.com/admin"), "session_shop_mismatch"),
            ("dest", json!("https://other.myshopify.com"), "session_shop_mismatch"),
            ("dest", json!("http://some-shop.myshopify.com"), "session_shop_mismatch"),
            ("dest", json!("https://u@some-shop.myshopify.com"), "session_shop_mismatch"),
            ("dest", json!("https://some-shop.myshopify.com:444"), "session_shop_mismatch"),
            ("dest", json!("some-shop.myshopify.com"), "session_shop_mismatch"),
            ("dest", json!(null), "session_shop_mismatch"),
            ("iss", json!(7), "session_shop_mismatch"),
        ] {
            let mut changed = claims();
            changed[name] = value.clone();
            assert_eq!(code(&changed), expected, "{name} {value}");
        }
        let mut evil = claims();
        evil["iss"] = json!("https://evil.example/admin");
        evil["dest"] = json!("https://evil.example");
        assert_eq!(code(&evil), "shop_domain_invalid");
    }
}
