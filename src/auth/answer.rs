//! The answer of a token endpoint, as OAuth 2.0 has it (RFC 6749, sections 5.1 and 5.2).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{GRANT_REFUSED, TokenAnswer, TokenSet};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{Secret, Text};

/// The longest token that is taken.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The most scopes that are kept.
const MAX_SCOPES: usize = 500;
/// A life that is longer is taken for this long (ten years).
const MAX_LIFE: f64 = 10.0 * 366.0 * 24.0 * 3600.0;
/// A life that is shorter, or none, is taken for this long.
const MIN_LIFE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    access_token: Value,
    #[serde(default)]
    refresh_token: Value,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    refresh_token_expires_in: Value,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    error: Value,
}

/// Reads the answer of a token endpoint.
///
/// A life that the answer does not give is none: the token is permanent. A refresh token that it does not give
/// stays as it was (RFC 6749, section 6), which is why `current` is what was refreshed.
///
/// # Errors
/// As [`super::TokenGrant::read`]. No error quotes the answer.
pub fn read_token_answer(answer: &TokenAnswer, current: Option<&TokenSet>) -> Result<TokenSet> {
    let wire = serde_json::from_slice::<Wire>(&answer.body).ok();
    let said = wire.as_ref().and_then(|wire| wire.error.as_str()).unwrap_or_default();
    if !answer.status.is_success() || !said.is_empty() {
        return Err(refused(answer, said));
    }
    let wire = wire.ok_or_else(|| unreadable("the token endpoint's answer is not JSON"))?;
    let access = token(wire.access_token)?
        .ok_or_else(|| unreadable("the token endpoint's answer has no access token"))?;
    let end = |life: &Value| life_of(life).map(|life| life.map(|life| answer.asked_at.saturating_add(life)));
    let expires_at = end(&wire.expires_in)?;
    let (refresh, refresh_expires_at) = match token(wire.refresh_token)? {
        Some(refresh) => (Some(refresh), end(&wire.refresh_token_expires_in)?),
        None => (
            current.and_then(|current| current.refresh.clone()),
            current.and_then(|current| current.refresh_expires_at),
        ),
    };
    let scopes = match wire.scope.as_str() {
        Some(text) => text
            .split([',', ' '])
            .filter(|scope| !scope.is_empty())
            .take(MAX_SCOPES)
            .map(Text::from)
            .collect(),
        None => current.map(|current| current.scopes.clone()).unwrap_or_default(),
    };
    Ok(TokenSet { access, refresh, expires_at, refresh_expires_at, scopes, obtained_at: answer.asked_at })
}

/// A token; none where there is none.
fn token(value: Value) -> Result<Option<Secret>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if is_token(&text) => Ok(Some(Secret::new(text))),
        _ => Err(unreadable("the token endpoint's answer has a token that no header can carry")),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A life in seconds, as a number or as digits; none where the answer gives none. A token that was given is kept
/// however short its life is: what it replaces may be taken no more.
fn life_of(value: &Value) -> Result<Option<Duration>> {
    let seconds: Option<f64> = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let life = seconds
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.min(MAX_LIFE)).ok());
    match life {
        Some(life) => Ok(Some(life.max(MIN_LIFE))),
        None => Err(unreadable("the token endpoint's answer has a token without a life")),
    }
}

/// The status says less than the error's word, where there is one.
fn refused(answer: &TokenAnswer, said: &str) -> Error {
    let status = answer.status.as_u16();
    let error = match (said, status) {
        ("invalid_grant", _) => Error::new(
            ErrorKind::Auth,
            GRANT_REFUSED,
            "the platform takes this refresh token, or code, no more",
        )
        .with_remedy("the merchant must open or authorise the app again"),
        ("invalid_client" | "unauthorized_client", _) | ("", 401) => Error::new(
            ErrorKind::Auth,
            "token_client_refused",
            "the platform refused the app's own credentials",
        )
        .with_remedy("check the client id and the client secret"),
        (_, 429) => {
            Error::new(ErrorKind::RateLimited, "token_rate_limited", "the token endpoint's limit is reached")
        }
        ("temporarily_unavailable" | "server_error", _) | (_, 500..=599 | 408 | 425) => Error::new(
            ErrorKind::Unavailable,
            "token_endpoint_unavailable",
            "the token endpoint answered with a server error",
        )
        .with_effect(Effect::Possible),
        (_, 300..=399) => Error::new(
            ErrorKind::Protocol,
            "redirected",
            "the token endpoint redirects to another address, which credentials never follow",
        )
        .with_remedy("configure the store's address exactly as it names itself"),
        (_, 403) => Error::new(ErrorKind::Forbidden, "token_forbidden", "the app may not get tokens here")
            .with_remedy("see that the app is installed in this store"),
        (_, 404 | 410) => {
            Error::new(ErrorKind::NotFound, "token_endpoint_missing", "there is no token endpoint")
                .with_remedy("check the store's address")
        }
        _ => {
            Error::new(ErrorKind::Rejected, "token_request_refused", "the platform refused the token request")
                .with_remedy("check what the app is set up for; a session token or code may be too old")
        }
    };
    error.with_context("status", status.to_string())
}

fn unreadable(message: &'static str) -> Error {
    // The tokens may have been made all the same.
    Error::new(ErrorKind::Protocol, "token_answer_unreadable", message).with_effect(Effect::Possible)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::time::Timestamp;

    fn answer(status: u16, body: &str) -> TokenAnswer {
        let status = StatusCode::from_u16(status).unwrap();
        TokenAnswer::new(status, Bytes::copy_from_slice(body.as_bytes()), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn answers_are_read_with_and_without_a_life_and_a_refresh_token() {
        let full = r#"{"access_token":"a1","scope":"read_x,write_x","expires_in":3600,"refresh_token":"r1","refresh_token_expires_in":7776000}"#;
        let set = read_token_answer(&answer(200, full), None).unwrap();
        assert_eq!((set.access.expose(), set.refresh.as_ref().unwrap().expose()), ("a1", "r1"));
        assert_eq!(set.expires_at.unwrap().unix_seconds(), 3600);
        assert_eq!(set.refresh_expires_at.unwrap().unix_seconds(), 7_776_000);
        assert_eq!(set.scopes, ["read_x", "write_x"]);

        let permanent =
            read_token_answer(&answer(200, r#"{"access_token":"a2","scope":"b c"}"#), None).unwrap();
        assert_eq!((permanent.expires_at, permanent.refresh), (None, None));
        assert_eq!(permanent.scopes, ["b", "c"]);

        // What a refresh leaves out stays as it was.
        let kept = read_token_answer(&answer(200, r#"{"access_token":"a3","expires_in":"60"}"#), Some(&set))
            .unwrap();
        assert_eq!(kept.refresh, set.refresh);
        assert_eq!((kept.refresh_expires_at, &kept.scopes), (set.refresh_expires_at, &set.scopes));
        assert_eq!(kept.expires_at.unwrap().unix_seconds(), 60);
        let same = r#"{"access_token":"a4","expires_in":60,"refresh_token":"r1"}"#;
        assert_eq!(read_token_answer(&answer(200, same), Some(&set)).unwrap().refresh, set.refresh);
        assert!(!format!("{set:?} {:?}", answer(200, full)).contains("a1"));
    }

    #[test]
    fn what_is_no_token_answer_is_refused_and_never_quoted() {
        let long = format!(r#"{{"access_token":"{}"}}"#, "s3cret".repeat(2000));
        for body in [
            "",
            "<html>s3cret</html>",
            "[]",
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"s3cret with blank"}"#,
            r#"{"access_token":"s3cret\n"}"#,
            r#"{"access_token":"s3cret","expires_in":-5}"#,
            r#"{"access_token":"s3cret","expires_in":"soon"}"#,
            r#"{"access_token":"s3cret","expires_in":"inf"}"#,
            r#"{"access_token":"s3cret","expires_in":"NaN"}"#,
            r#"{"access_token":"s3cret","refresh_token":{}}"#,
            &long,
        ] {
            let error = read_token_answer(&answer(200, body), None).unwrap_err();
            assert_eq!(
                (error.code(), error.effect()),
                ("token_answer_unreadable", Effect::Possible),
                "{body}"
            );
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
        for (life, millis) in [
            ("0", 1000),
            ("0.25", 1000),
            ("\"0\"", 1000),
            ("59.5", 59_500),
            ("\"59.5\"", 59_500),
            ("60", 60_000),
        ] {
            let body = format!(r#"{{"access_token":"a","expires_in":{life}}}"#);
            let read = read_token_answer(&answer(200, &body), None).unwrap();
            let left = read.expires_at.unwrap().since(Timestamp::UNIX_EPOCH);
            assert_eq!(left, Duration::from_millis(millis), "{life}");
        }
        let endless = r#"{"access_token":"a","expires_in":18446744073709551615}"#;
        assert!(read_token_answer(&answer(200, endless), None).unwrap().expires_at.is_some());
    }

    #[test]
    fn refusals_are_told_apart_by_their_word_first() {
        for (status, body, kind, code) in [
            (400, r#"{"error":"invalid_grant"}"#, ErrorKind::Auth, GRANT_REFUSED),
            (
                401,
                r#"{"error":"invalid_grant","error_description":"s3cret"}"#,
                ErrorKind::Auth,
                GRANT_REFUSED,
            ),
            (200, r#"{"error":"invalid_grant"}"#, ErrorKind::Auth, GRANT_REFUSED),
            (400, r#"{"error":"invalid_client"}"#, ErrorKind::Auth, "token_client_refused"),
            (401, "", ErrorKind::Auth, "token_client_refused"),
            (400, "s3cret", ErrorKind::Rejected, "token_request_refused"),
            (403, "", ErrorKind::Forbidden, "token_forbidden"),
            (404, "", ErrorKind::NotFound, "token_endpoint_missing"),
            (302, "", ErrorKind::Protocol, "redirected"),
            (429, "", ErrorKind::RateLimited, "token_rate_limited"),
            (503, "<html>", ErrorKind::Unavailable, "token_endpoint_unavailable"),
        ] {
            let error = read_token_answer(&answer(status, body), None).unwrap_err();
            assert_eq!((error.kind(), error.code()), (kind, code), "{status} {body}");
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }
}
