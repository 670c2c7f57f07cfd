//! Who a request comes from: keys by Basic, by query and by OAuth 1.0a.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::errors::ApiError;
use super::query::Params;
use crate::testkit::exchange::{Request, Transport};
use crate::testkit::sha1::hmac_sha1;

/// How far the timestamp of a signed request may be off, in seconds, and how long nonces are remembered.
const WINDOW: i64 = 15 * 60;
/// The most nonces that a key remembers.
const NONCE_LIMIT: usize = 100_000;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    /// Read only.
    Read,
    /// Write only.
    Write,
    /// Read and write.
    ReadWrite,
}

/// What the WordPress user of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A shop manager: all of the catalogue.
    Manager,
    /// A customer: nothing of the catalogue.
    Customer,
}

/// A key of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKey {
    /// The consumer key, `ck_` and 40 hex digits.
    pub consumer_key: String,
    /// The consumer secret, `cs_` and 40 hex digits. It is a test's own, so it is shown in `Debug`.
    pub consumer_secret: String,
    /// What the key may do.
    pub permissions: Permissions,
    /// What its user may do.
    pub role: Role,
}

impl ApiKey {
    /// Makes a key whose text follows from a name, so that a test gets the same key each time.
    #[must_use]
    pub fn named(name: &str, permissions: Permissions, role: Role) -> Self {
        let text = |part: &str| -> String {
            Sha256::digest(format!("{part}:{name}"))
                .iter()
                .take(20)
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        Self {
            consumer_key: format!("ck_{}", text("key")),
            consumer_secret: format!("cs_{}", text("secret")),
            permissions,
            role,
        }
    }

    /// Makes a key of given texts, such as those of a recording.
    #[must_use]
    pub fn new(consumer_key: &str, consumer_secret: &str, permissions: Permissions, role: Role) -> Self {
        Self {
            consumer_key: consumer_key.to_owned(),
            consumer_secret: consumer_secret.to_owned(),
            permissions,
            role,
        }
    }

    /// The value of an `Authorization` header with this key.
    #[must_use]
    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.consumer_key, self.consumer_secret)))
    }
}

/// A key with the nonces that it has seen.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) key: ApiKey,
    pub(super) nonces: VecDeque<(String, i64)>,
}

/// The way in that a failed login is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    OAuth,
}

/// Who a request comes from; `Ok(None)` where it names nobody, or somebody unknown by Basic.
pub(super) fn identify(
    keys: &mut [Issued],
    request: &Request,
    params: &Params,
    signed_url: &str,
    now: i64,
) -> Result<Option<(Permissions, Role)>, (ApiError, Scheme)> {
    // The server switches key authentication on by the text of the request's address alone.
    let address = format!("{}?{}", request.path, request.query);
    if !address.contains("wp-json/wc/") && !address.contains("wp-json/wc-") {
        return Ok(None);
    }
    let failed = |error| (error, Scheme::Basic);
    if request.transport == Transport::Tls {
        let given = match (params.get("consumer_key"), params.get("consumer_secret")) {
            (Some(key), Some(secret)) => Some((key.to_owned(), secret.to_owned())),
            _ => basic(request),
        };
        if let Some((key, secret)) = given {
            // An unknown key is nobody; a wrong secret is told.
            let Some(issued) = keys.iter().find(|issued| issued.key.consumer_key == key) else {
                return Ok(None);
            };
            if issued.key.consumer_secret != secret {
                return Err(failed(ApiError::authentication("Consumer secret is invalid.")));
            }
            return permit(&issued.key, request).map(Some).map_err(failed);
        }
    }
    oauth(keys, request, params, signed_url, now).map_err(|error| (error, Scheme::OAuth))
}

fn permit(key: &ApiKey, request: &Request) -> Result<(Permissions, Role), ApiError> {
    // The verb on the wire counts, not the one that an override asks for.
    let reads = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    match (key.permissions, reads) {
        (Permissions::Read, false) => {
            Err(ApiError::authentication("The API key provided does not have write permissions."))
        }
        (Permissions::Write, true) => {
            Err(ApiError::authentication("The API key provided does not have read permissions."))
        }
        (permissions, _) => Ok((permissions, key.role)),
    }
}

fn basic(request: &Request) -> Option<(String, String)> {
    let value = request.header("authorization")?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (key, secret) = decoded.split_once(':')?;
    Some((key.to_owned(), secret.to_owned()))
}

const OAUTH_FIELDS: [&str; 5] =
    ["oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method"];

fn oauth(
    keys: &mut [Issued],
    request: &Request,
    params: &Params,
    signed_url: &str,
    now: i64,
) -> Result<Option<(Permissions, Role)>, ApiError> {
    let mut pairs = params.flat();
    pairs.extend(oauth_header(request));
    let find = |name: &str| {
        pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
            .filter(|v| !v.is_empty())
    };
    let missing: Vec<_> = OAUTH_FIELDS.iter().copied().filter(|name| find(name).is_none()).collect();
    if missing.len() == OAUTH_FIELDS.len() {
        return Ok(None);
    }
    if !missing.is_empty() {
        return Err(ApiError::new(
            401,
            "woocommerce_rest_authentication_missing_parameter",
            format!("Missing OAuth parameter {}", missing.join(", ")),
        ));
    }
    let field = |name: &str| find(name).unwrap_or_default();
    let consumer_key = field("oauth_consumer_key");
    let issued = keys
        .iter_mut()
        .find(|issued| issued.key.consumer_key == consumer_key)
        .ok_or_else(|| ApiError::authentication("Consumer key is invalid."))?;

    let signed: Vec<_> = pairs.iter().filter(|(name, _)| name != "oauth_signature").cloned().collect();
    let base = signature_base_string(request.method.as_str(), signed_url, &signed);
    let expected = match field("oauth_signature_method").as_str() {
        "HMAC-SHA256" => hmac_sha256(&issued.key.consumer_secret, &base),
        "HMAC-SHA1" => {
            hmac_sha1(format!("{}&", issued.key.consumer_secret).as_bytes(), base.as_bytes()).to_vec()
        }
        _ => return Err(ApiError::authentication("Invalid signature - signature method is invalid.")),
    };
    if STANDARD.encode(expected) != field("oauth_signature") {
        return Err(ApiError::authentication("Invalid signature - provided signature does not match."));
    }
    let timestamp = field("oauth_timestamp").parse::<i64>().unwrap_or(0);
    if (timestamp - now).abs() > WINDOW {
        return Err(ApiError::authentication("Invalid timestamp."));
    }
    let nonce = field("oauth_nonce");
    if issued.nonces.iter().any(|(known, _)| *known == nonce) {
        return Err(ApiError::authentication("Invalid nonce - nonce has already been used."));
    }
    issued.nonces.push_back((nonce, timestamp));
    issued.nonces.retain(|(_, at)| now - at <= WINDOW);
    if issued.nonces.len() > NONCE_LIMIT {
        issued.nonces.pop_front();
    }
    permit(&issued.key, request).map(Some)
}

fn oauth_header(request: &Request) -> Vec<(String, String)> {
    let Some(list) = request.header("authorization").and_then(|value| value.strip_prefix("OAuth ")) else {
        return Vec::new();
    };
    list.split(',')
        .filter_map(|part| part.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), percent_decode(value.trim_matches('"'))))
        .filter(|(name, _)| name.starts_with("oauth_"))
        .collect()
}

fn percent_decode(text: &str) -> String {
    // A plus is a plus in a header; form decoding would make it a blank.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Encodes by RFC 3986: all but letters, digits, `-`, `.`, `_` and `~`.
pub(super) fn rfc3986(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text that a signed request's signature is made over: verb, address without query, and all sorted
/// parameters but the signature itself.
#[must_use]
pub fn signature_base_string(method: &str, url: &str, params: &[(String, String)]) -> String {
    let mut encoded: Vec<_> = params.iter().map(|(name, value)| (rfc3986(name), rfc3986(value))).collect();
    encoded.sort();
    let joined = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    format!("{}&{}&{}", method.to_ascii_uppercase(), rfc3986(url), rfc3986(&joined))
}

/// The HMAC-SHA256 signature of a base string, before base64.
fn hmac_sha256(consumer_secret: &str, base: &str) -> Vec<u8> {
    let key = format!("{consumer_secret}&");
    // HMAC takes keys of any length, so no key is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return Vec::new() };
    mac.update(base.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
