//! JSON Web Tokens signed with HS256 (RFC 7515, RFC 7519): verified, never made.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Mac, Secret, Text};
use crate::time::Timestamp;

/// The longest token that is looked at.
const MAX_BYTES: usize = 8 * 1024;
/// How far the other side's clock may be off.
const LEEWAY: Duration = Duration::from_secs(10);

/// Verifies tokens that are signed with a shared secret, for one audience.
///
/// The one algorithm is HS256, whatever a token says of itself.
#[derive(Debug, Clone)]
pub struct Hs256 {
    keys: Vec<Secret>,
    audience: Text,
}

impl Hs256 {
    /// Verifies with any of these keys, the present one and those of a rotation, for this audience.
    #[must_use]
    pub fn new(keys: Vec<Secret>, audience: impl Into<Text>) -> Self {
        Self { keys, audience: audience.into() }
    }

    /// Checks a token: its form, algorithm, signature, audience and time, with 10 s for clocks that differ. It
    /// must say when it ends.
    ///
    /// # Errors
    /// `Auth` with one of the codes `jwt_malformed`, `jwt_algorithm`, `jwt_signature_wrong`, `jwt_audience_wrong`,
    /// `jwt_expired`, `jwt_not_yet`; `Config` where the keys are unusable. No error quotes the token.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims> {
        if token.len() > MAX_BYTES {
            return Err(malformed());
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        // What the header asks for is not followed, it is compared.
        let header = object(header)?;
        if header.get("alg").and_then(Value::as_str) != Some("HS256") {
            return Err(wrong("jwt_algorithm", "the token is not signed with HS256"));
        }
        if header.contains_key("crit") {
            return Err(wrong("jwt_algorithm", "the token's header asks for something unknown"));
        }
        let signature: [u8; 32] = decode(signature)?.try_into().map_err(|_| signature_wrong())?;
        if !Mac::from_bytes(signature).is_of(signed.as_bytes(), &self.keys)? {
            return Err(signature_wrong());
        }
        let claims = Claims(object(claims)?);
        if !claims.is_for(&self.audience) {
            return Err(wrong("jwt_audience_wrong", "the token is for another audience"));
        }
        let seconds = |time: Timestamp| time.unix_seconds();
        match claims.time("exp")? {
            Some(end) if seconds(now.saturating_sub(LEEWAY)) < end => {}
            Some(_) => return Err(wrong("jwt_expired", "the token is over").with_remedy("get a fresh one")),
            None => return Err(malformed()),
        }
        if claims.time("nbf")?.is_some_and(|begin| begin > seconds(now.saturating_add(LEEWAY))) {
            return Err(
                wrong("jwt_not_yet", "the token is not valid yet").with_remedy("check this machine's clock")
            );
        }
        Ok(claims)
    }
}

/// The claims of a token that was verified. `Debug` shows their names only.
#[derive(Clone)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A claim, whatever it is.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim that is a time, in whole seconds since the start of 1970.
    fn time(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        // A date may have a fraction (RFC 7519, section 2), which is cut off here.
        #[expect(clippy::cast_possible_truncation, reason = "the bound is far below that of i64")]
        let cut = |number: f64| (number.abs() < 1e15).then_some(number as i64);
        let seconds = value.as_i64().or_else(|| value.as_f64().and_then(cut));
        seconds.map(Some).ok_or_else(malformed)
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Only the canonical spelling is taken: without padding, and without bits that count for nothing.
fn decode(part: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed())
}

fn object(part: &str) -> Result<Map<String, Value>> {
    serde_json::from_slice(&decode(part)?).map_err(|_| malformed())
}

fn malformed() -> Error {
    wrong("jwt_malformed", "the text is no signed token")
}

fn signature_wrong() -> Error {
    wrong("jwt_signature_wrong", "the token is not signed with a secret of ours")
}

fn wrong(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Auth, code, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "shared secret";

    fn token(header: &Value, claims: &Value, key: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mac = Mac::of(signed.as_bytes(), key.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.as_bytes()))
    }

    fn code(token: &str) -> String {
        let now = Timestamp::from_unix_seconds(1_000_000).unwrap();
        let keys = vec![Secret::new("old"), Secret::new(KEY)];
        Hs256::new(keys, "us").verify(token, now).map_or_else(
            |error| {
                assert!(token.len() < 20 || !format!("{error:?}").contains(token));
                error.code().to_owned()
            },
            |_| "ok".to_owned(),
        )
    }

    #[test]
    fn the_published_example_verifies() {
        // RFC 7515, appendix A.1, whose key is given as base64url and is no text; so the one that everybody's
        // first example is signed with: header {"alg":"HS256","typ":"JWT"}, key "your-256-bit-secret".
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        let check = Hs256::new(vec![Secret::new("your-256-bit-secret")], "us");
        // The signature is right; it has no audience.
        let error = check.verify(token, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.code(), "jwt_audience_wrong");
        let other = Hs256::new(vec![Secret::new("your-256-bit-secret.")], "us");
        assert_eq!(other.verify(token, Timestamp::UNIX_EPOCH).unwrap_err().code(), "jwt_signature_wrong");
    }

    #[test]
    fn algorithm_signature_audience_and_time_are_checked() {
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let good = json!({"aud": "us", "exp": 1_000_060, "nbf": 1_000_000, "sub": "7"});
        assert_eq!(code(&token(&header, &good, KEY)), "ok");
        assert_eq!(code(&token(&header, &good, "old")), "ok");
        assert_eq!(code(&token(&header, &good, "other")), "jwt_signature_wrong");
        for alg in ["none", "None", "RS256", "hs256", "HS384", "HS512", "ES256", ""] {
            assert_eq!(code(&token(&json!({"alg": alg}), &good, KEY)), "jwt_algorithm", "{alg}");
        }
        for header in [json!({}), json!({"alg": null}), json!({"alg": ["HS256"]})] {
            assert_eq!(code(&token(&header, &good, KEY)), "jwt_algorithm");
        }
        assert_eq!(code(&token(&json!({"alg": "HS256", "crit": ["b64"]}), &good, KEY)), "jwt_algorithm");
        for (name, value, expected) in [
            ("aud", json!("them"), "jwt_audience_wrong"),
            ("aud", json!(null), "jwt_audience_wrong"),
            ("aud", json!(["them", "us"]), "ok"),
            ("exp", json!(1_000_000 - 5), "ok"),
            ("exp", json!(1_000_000 - 9), "ok"),
            ("exp", json!(1_000_000 - 10), "jwt_expired"),
            ("exp", json!(1_000_000 - 30), "jwt_expired"),
            ("exp", json!("1000060"), "jwt_malformed"),
            ("exp", json!(1e300), "jwt_malformed"),
            ("exp", json!(null), "jwt_malformed"),
            ("exp", json!(1_000_060.5), "ok"),
            ("nbf", json!(1_000_010), "ok"),
            ("nbf", json!(1_000_011), "jwt_not_yet"),
            ("nbf", json!("x"), "jwt_malformed"),
        ] {
            let mut claims = good.clone();
            claims[name] = value.clone();
            assert_eq!(code(&token(&header, &claims, KEY)), expected, "{name} {value}");
        }
        let mut endless = good.clone();
        endless.as_object_mut().unwrap().remove("exp");
        assert_eq!(code(&token(&header, &endless, KEY)), "jwt_malformed");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = token(&json!({"alg": "HS256"}), &json!({"aud": "us", "exp": 1_000_060}), KEY);
        let unsigned = good.rsplit_once('.').unwrap().0.to_owned();
        for (text, expected) in [
            (String::new(), "jwt_malformed"),
            ("a".to_owned(), "jwt_malformed"),
            ("a.b".to_owned(), "jwt_malformed"),
            ("..".to_owned(), "jwt_malformed"),
            (format!("{good}="), "jwt_malformed"),
            (format!("{good}.x"), "jwt_malformed"),
            (format!(" {good}"), "jwt_malformed"),
            (format!("{unsigned}."), "jwt_signature_wrong"),
            (unsigned, "jwt_malformed"),
            ("a".repeat(MAX_BYTES + 1), "jwt_malformed"),
        ] {
            assert_eq!(code(&text), expected, "{text}");
        }
        // Each changed byte of a token is found.
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(changed == good || code(&changed) != "ok", "{at}");
        }
    }
}
