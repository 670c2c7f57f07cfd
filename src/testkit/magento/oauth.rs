//! OAuth 1.0a as the platform checks it.
//!
//! By `Framework/Oauth/Oauth.php`, `Framework/Oauth/Helper/Request.php` and
//! `Integration/Model/Oauth/Nonce/Generator.php` of magento/magento2 (read 2026-11-30): what is checked, in
//! which order, and with which texts.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::errors::ApiError;
use super::natural::strnatcmp;
use super::settings::Conditions;
use crate::testkit::exchange::{Request, Transport};

/// The parameters of a signed request: those of the header, of a form body, and of the query.
pub(super) type Parameters = BTreeMap<String, String>;

/// The protocol's parameters from the header, with those of form body and query; `None` without a header.
pub(super) fn parameters(request: &Request) -> Option<Parameters> {
    let header = request.header("authorization")?;
    let start = header.to_ascii_lowercase().find("oauth ")?;
    let mut found = Parameters::new();
    for part in header.get(start + 6..)?.split(',') {
        let Some((name, value)) = part.trim().split_once('=') else { continue };
        if is_protocol(name) {
            found.insert(raw_decode(name), raw_decode(value.trim_matches('"')));
        }
    }
    let form =
        request.header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    if form {
        for (name, value) in url::form_urlencoded::parse(&request.body) {
            if !is_protocol(&name) {
                found.insert(name.into_owned(), value.into_owned());
            }
        }
    }
    for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
        // A pair that does not give exactly two parts is passed over, here and in the signature.
        let parts: Vec<&str> = pair.split('=').collect();
        if let [name, value] = parts.as_slice()
            && !is_protocol(name)
        {
            found.insert(form_decode(name), form_decode(value));
        }
    }
    Some(found)
}

fn is_protocol(name: &str) -> bool {
    name.starts_with("oauth_")
}

/// What a request must bring beside its signature: `oauth_token` of a call, `oauth_verifier` too of an exchange.
pub(super) fn check_parameters(params: &Parameters, also: &[&str]) -> Result<(), ApiError> {
    if let Some(version) = params.get("oauth_version").filter(|version| *version != "1.0") {
        return Err(ApiError::bad("The \"%1\" Oauth version isn't supported.").list([version.clone()]));
    }
    const ALWAYS: [&str; 5] =
        ["oauth_consumer_key", "oauth_signature", "oauth_signature_method", "oauth_nonce", "oauth_timestamp"];
    let missing: Vec<_> = ALWAYS.iter().chain(also).filter(|name| !params.contains_key(**name)).collect();
    match missing.as_slice() {
        [] => {}
        [name] => return Err(ApiError::required(name)),
        several => {
            let errors = several.iter().map(|name| ApiError::required(name)).collect();
            return Err(ApiError::bad("One or more input exceptions have occurred.").with_errors(errors));
        }
    }
    if params.get("oauth_token").is_some_and(|token| token.len() != 32) {
        return Err(ApiError::bad("The token length is invalid. Check the length and try again."));
    }
    let method = params.get("oauth_signature_method").map(String::as_str).unwrap_or_default();
    if method != "HMAC-SHA256" {
        return Err(ApiError::bad("Signature method %1 is not supported").list([method]));
    }
    Ok(())
}

/// Checks the time of a request, and that its nonce is new; the nonce is kept even where the signature is wrong.
pub(super) fn check_nonce(
    params: &Parameters,
    nonces: &mut Vec<String>,
    consumer_id: u64,
    now: i64,
    window: std::time::Duration,
) -> Result<(), ApiError> {
    let timestamp = params.get("oauth_timestamp").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let window = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
    if timestamp <= 0 || timestamp > now.saturating_add(window) {
        return Err(ApiError::new(401, "The timestamp value in the oauth_timestamp parameter is invalid."));
    }
    let nonce = params.get("oauth_nonce").cloned().unwrap_or_default();
    if nonces.contains(&nonce) {
        return Err(ApiError::new(401, "The nonce is already being used by the consumer with ID %1.")
            .list([consumer_id.to_string()]));
    }
    if nonces.len() < NONCE_LIMIT {
        nonces.push(nonce);
    }
    Ok(())
}

/// The most nonces that a consumer remembers.
const NONCE_LIMIT: usize = 200_000;

/// Checks the signature.
pub(super) fn check_signature(
    request: &Request,
    params: &Parameters,
    conditions: &Conditions,
    consumer_secret: &str,
    token_secret: &str,
) -> Result<(), ApiError> {
    let base = base_string(request.method.as_str(), &signed_url(request, conditions), params);
    let key = format!("{}&{}", rfc3986(consumer_secret), rfc3986(token_secret));
    let expected = hmac_sha256(key.as_bytes(), base.as_bytes());
    if params.get("oauth_signature").is_some_and(|given| *given == STANDARD.encode(expected)) {
        return Ok(());
    }
    Err(ApiError::new(401, "The signature is invalid. Verify and try again."))
}

/// The address as the platform sees it: with the host of the header, and without the query.
fn signed_url(request: &Request, conditions: &Conditions) -> String {
    let tls = request.transport == Transport::Tls && !conditions.sees_plain_http;
    let scheme = if tls { "https" } else { "http" };
    let host = request.header("host").unwrap_or("localhost").to_ascii_lowercase();
    let default = if tls { ":443" } else { ":80" };
    let host = host.strip_suffix(default).unwrap_or(&host);
    let unescaped: fn(u8) -> bool = if conditions.unescapes_signed_paths {
        |byte| is_unreserved(byte) || b":@&=+$,/;%".contains(&byte)
    } else {
        is_unreserved
    };
    format!("{scheme}://{host}{}", unescape(&request.path, unescaped))
}

/// Takes the escapes off those bytes that `which` holds for.
fn unescape(path: &str, which: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|byte| which(*byte)) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The text that a signature is made over: verb, address without query, and all parameters but the signature
/// in the natural order of their encoded names.
#[must_use]
pub fn base_string(method: &str, url: &str, params: &BTreeMap<String, String>) -> String {
    let mut encoded: Vec<_> = params
        .iter()
        .filter(|(name, _)| *name != "oauth_signature")
        .map(|(name, value)| (rfc3986(name), rfc3986(value)))
        .collect();
    encoded.sort_by(|(a, _), (b, _)| strnatcmp(a, b));
    let joined = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    format!("{}&{}&{}", method.to_ascii_uppercase(), rfc3986(url), rfc3986(&joined))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Encodes by RFC 3986: all but letters, digits, `-`, `.`, `_` and `~`.
pub(super) fn rfc3986(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Decodes as a query does: a plus is a blank.
pub(super) fn form_decode(text: &str) -> String {
    raw_decode(&text.replace('+', " "))
}

/// Decodes escapes only.
pub(super) fn raw_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(b'%');
                rest = after;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// The HMAC-SHA256 of a text.
pub(super) fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so no key is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
