//! What an answer of WooCommerce means, beyond its status.
//!
//! Texts are translated by the site's language, so only `code` and status are read (fact sheet sections 2, 3
//! and 8, observed on 10.5.0 on 2026-11-22).

use std::time::Duration;

use http::{Method, header};
use serde::Deserialize;
use url::Url;

use crate::auth::Origin;
use crate::error::{Error, ErrorKind};
use crate::http::{ApiRequest, ApiResponse, Classifier, Outcome};

/// A signature's time may be 15 minutes off; past 10 we take the clock for the cause.
const CLOCK_SKEW: Duration = Duration::from_secs(600);
/// Maintenance says 10 minutes and usually takes seconds.
const MAINTENANCE: Duration = Duration::from_secs(15);
/// The most bytes of an error body that are read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The longest address that an error repeats.
const MAX_ADDRESS: usize = 200;

#[derive(Debug)]
pub(super) struct WooClassifier {
    origin: Origin,
    signs: Signs,
}

/// Whether requests are signed (OAuth 1.0a), or carry the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signs {
    Yes,
    No,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
}

fn error_body(response: &ApiResponse) -> &[u8] {
    let body = response.body();
    body.get(..body.len().min(MAX_ERROR_BYTES)).unwrap_or_default()
}

/// The platform's code in an error body; none where the body is no such JSON.
fn code(response: &ApiResponse) -> Option<String> {
    let body = error_body(response);
    // A plugin's warning or a byte order mark may stand before the JSON.
    let start = body.iter().position(|byte| *byte == b'{')?;
    let parsed = [Some(body), body.get(start..)]
        .into_iter()
        .flatten()
        .find_map(|body| serde_json::from_slice::<ErrorBody>(body).ok())?;
    let code = parsed.code;
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    (plain && code.len() <= 100).then_some(code)
}

/// Whether WordPress itself gave up (`wp_die`), in its JSON or by the class that its page always has.
fn died(code: Option<&str>, response: &ApiResponse) -> bool {
    let mark = b"wp-die-message";
    code == Some("wp_die")
        || (code.is_none() && error_body(response).windows(mark.len()).any(|part| part == mark))
}

impl WooClassifier {
    pub(super) fn new(origin: Origin, signs: Signs) -> Self {
        Self { origin, signs }
    }

    /// 401 by the platform's code. Nobody was recognised, unless the code says otherwise.
    fn refused(&self, code: &str, request: &ApiRequest) -> Error {
        let known = code == "woocommerce_rest_authentication_error";
        // A read-only key answers a write with the very 401 of a wrong secret. A connector has read before it
        // writes, so the secret was right.
        if known && request.method != Method::GET {
            return Error::new(
                ErrorKind::Forbidden,
                "key_cannot_write",
                "the store refused the key for a write",
            )
            .with_remedy("give the key the permission Read/Write");
        }
        if known && self.signs == Signs::No {
            return Error::new(
                ErrorKind::Auth,
                "secret_refused",
                "the store knows the key, and refused its secret",
            )
            .with_remedy("copy the consumer secret again, or make a new key with the permission Read/Write");
        }
        let error = Error::new(ErrorKind::Auth, "key_refused", "the store refused the key");
        match self.signs {
            Signs::Yes => error.with_remedy(
                "check key and secret, and that the address is the one the site is configured with: the \
                 signature covers it",
            ),
            Signs::No => error.with_remedy(
                "check that the key exists and was not revoked, that the site sees https, and that it gets the \
                 Authorization header",
            ),
        }
    }

    /// A redirect: to the same place, to the same API at another address, or to something else.
    fn redirected(&self, request: &ApiRequest, response: &ApiResponse, by_status: &Error) -> Error {
        let asked = request.path.split('?').next().unwrap_or_default().trim_matches('/');
        let base = self.origin.base();
        let to = response
            .header(header::LOCATION.as_str())
            .and_then(|location| base.join(location.trim()).ok())
            .filter(|to| matches!(to.scheme(), "http" | "https"));
        let prefix = to.as_ref().and_then(|to| {
            let path = to.path().trim_end_matches('/').strip_suffix(asked)?;
            path.ends_with('/').then_some(path)
        });
        let error = match (&to, prefix) {
            (Some(to), Some(prefix)) if to.origin() == base.origin() && prefix == base.path() => Error::new(
                ErrorKind::Protocol,
                "redirected_to_itself",
                "the site redirects API calls to where they went",
            )
            .with_remedy(
                "set the site's permalinks to anything but Plain; where they are, look for a bot check or a \
                 language plugin",
            ),
            (Some(to), Some(prefix)) => {
                let right = format!("{}{}", to.origin().ascii_serialization(), prefix.trim_end_matches('/'));
                let error = Error::new(
                    ErrorKind::Protocol,
                    "address_wrong",
                    "the site has another address than the one given",
                );
                let error =
                    if right.len() <= MAX_ADDRESS { error.with_context("address", right) } else { error };
                error.with_remedy("give the address that the site redirects to: scheme, www and folder count")
            }
            (to, _) => {
                let error =
                    Error::new(ErrorKind::Protocol, "redirected", "the site sends API calls to another page");
                let origin = to.as_ref().map(|to: &Url| to.origin().ascii_serialization());
                let error = match origin.filter(|origin| origin.len() <= MAX_ADDRESS) {
                    Some(origin) => error.with_context("to", origin),
                    None => error,
                };
                error.with_remedy("look for a login, coming-soon or maintenance page, or a bot check")
            }
        };
        error.with_effect(by_status.effect())
    }
}

impl Classifier for WooClassifier {
    fn classify(&self, request: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        let by_status = match by_status {
            Outcome::Success => return Outcome::Success,
            other => other,
        };
        let code = code(response);
        let status = response.status().as_u16();
        let refined = |error: Error| match &code {
            Some(code) => error.with_context("status", status.to_string()).with_context("code", code.clone()),
            None => error.with_context("status", status.to_string()),
        };
        // What the status made of it has its status already.
        let coded = |error: Error| match &code {
            Some(code) => error.with_context("code", code.clone()),
            None => error,
        };
        match (status, code.as_deref()) {
            (300..=399, _) => match by_status {
                Outcome::Fail(error) => Outcome::Fail(refined(self.redirected(request, response, &error))),
                other => other,
            },
            (401, None) => Outcome::Fail(refined(
                Error::new(ErrorKind::Auth, "site_protected", "something before WooCommerce asks for a password")
                    .with_remedy("take the password off the site's API, as staging sites have one"),
            )),
            (401, Some(known)) => {
                let error = refined(self.refused(known, request));
                if self.signs == Signs::Yes
                    && known == "woocommerce_rest_authentication_error"
                    && clock_is_off(response)
                {
                    Outcome::ClockOff(error)
                } else {
                    Outcome::Fail(error)
                }
            }
            (403, None) => Outcome::Fail(refined(
                Error::new(ErrorKind::Forbidden, "blocked", "something before WooCommerce blocked the request")
                    .with_remedy("let the firewall or bot check pass this client's address and user agent"),
            )),
            (403, Some(_)) => Outcome::Fail(refined(
                Error::new(ErrorKind::Forbidden, "key_lacks_rights", "the key's user may not do this").with_remedy(
                    "make the key for a user who may manage products (role shop manager or administrator)",
                ),
            )),
            (
                400,
                Some(
                    "woocommerce_rest_product_invalid_id"
                    | "woocommerce_rest_product_variation_invalid_id"
                    | "woocommerce_rest_shop_webhook_invalid_id",
                ),
            ) => {
                Outcome::Fail(refined(Error::new(ErrorKind::NotFound, "not_found", "there is no such record")))
            }
            (404, Some("rest_no_route")) => Outcome::Fail(refined(
                Error::new(ErrorKind::Unsupported, "route_missing", "the store has no such API route")
                    .with_remedy("check that WooCommerce is active and recent, and that its REST API is on"),
            )),
            (404, None) => Outcome::Fail(refined(
                Error::new(ErrorKind::Protocol, "api_not_found", "the address leads to no REST API").with_remedy(
                    "give the site's address exactly, and set its permalinks to anything but Plain",
                ),
            )),
            (500..=599, code) => match by_status {
                Outcome::Retry { error, after } => match failed(status, code, response, &error) {
                    Some(named) => {
                        let after = match named.code() {
                            "maintenance" => Some(after.map_or(MAINTENANCE, |after| after.min(MAINTENANCE))),
                            _ => after,
                        };
                        Outcome::Retry { error: refined(named), after }
                    }
                    None => Outcome::Retry { error: coded(error), after },
                },
                other => other,
            },
            (429, _) => match by_status {
                Outcome::Retry { error, after } => Outcome::Retry {
                    error: error.with_remedy(
                        "the site's host limits calls: lower the calls in flight, or ask the host to allow more",
                    ),
                    after,
                },
                other => other,
            },
            _ => match by_status {
                Outcome::Retry { error, after } => Outcome::Retry { error: coded(error), after },
                Outcome::Fail(error) => Outcome::Fail(coded(error)),
                other => other,
            },
        }
    }
}

/// Names who failed in a server error; what the status said of its effect and its retry stays.
fn failed(status: u16, code: Option<&str>, response: &ApiResponse, by_status: &Error) -> Option<Error> {
    let died = died(code, response);
    let (name, message, remedy) = match (status, code) {
        (503, _) if died => (
            "maintenance",
            "the site is in maintenance",
            "wait; where it stays so, an update broke off: delete the site's file .maintenance",
        ),
        (_, _) if died => (
            "site_down",
            "WordPress gave up, as it does without its database",
            "check the site's database, and its plugins",
        ),
        (_, Some("internal_server_error")) => (
            "php_fatal",
            "PHP crashed on the site",
            "look into the site's error log: a plugin or theme crashes",
        ),
        (502 | 504, None) => (
            "gateway_failed",
            "the site's web server got no answer from PHP",
            "wait; where it stays so, ask the host about PHP workers and time limits",
        ),
        _ => return None,
    };
    let error = Error::new(by_status.kind(), name, message).with_remedy(remedy);
    Some(error.with_retry(by_status.retry()).with_effect(by_status.effect()))
}

fn clock_is_off(response: &ApiResponse) -> bool {
    response.server_time().is_some_and(|theirs| {
        let ours = response.received_at();
        theirs.since(ours) > CLOCK_SKEW || ours.since(theirs) > CLOCK_SKEW
    })
}
