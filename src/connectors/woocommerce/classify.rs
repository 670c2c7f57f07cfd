//! What an answer of WooCommerce means, beyond its status.
//!
//! Texts are translated by the site's language, so only `code` and status are read (fact sheet sections 3 and
//! 8, observed on 10.5.0 on 2026-11-22).

use std::time::Duration;

use http::Method;
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::http::{ApiRequest, ApiResponse, Classifier, Outcome};

/// A signature's time may be 15 minutes off; past 10 we take the clock for the cause.
const CLOCK_SKEW: Duration = Duration::from_secs(600);
/// Maintenance says 10 minutes and usually takes seconds.
const MAINTENANCE: Duration = Duration::from_secs(15);
/// The most bytes of an error body that are read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct WooClassifier;

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
}

/// The platform's code in an error body; none where the body is no such JSON.
fn code(response: &ApiResponse) -> Option<String> {
    let body = response.body().get(..response.body().len().min(MAX_ERROR_BYTES))?;
    let code = serde_json::from_slice::<ErrorBody>(body).ok()?.code;
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    (plain && code.len() <= 100).then_some(code)
}

impl Classifier for WooClassifier {
    fn classify(&self, request: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        if matches!(by_status, Outcome::Success) {
            return by_status;
        }
        let code = code(response);
        let status = response.status().as_u16();
        let refined = |error: Error| match &code {
            Some(code) => error.with_context("status", status.to_string()).with_context("code", code.clone()),
            None => error.with_context("status", status.to_string()),
        };
        match (status, code.as_deref()) {
            (401, Some("woocommerce_rest_authentication_error")) => {
                let error = refined(refused(request));
                if clock_is_off(response) { Outcome::ClockOff(error) } else { Outcome::Fail(error) }
            }
            (401, _) => Outcome::Fail(refined(refused(request))),
            (403, None) => Outcome::Fail(refined(
                Error::new(ErrorKind::Forbidden, "blocked", "something before WooCommerce blocked the request")
                    .with_remedy("let the firewall or bot check pass this client's address and user agent"),
            )),
            (403, Some(_)) => Outcome::Fail(refined(
                Error::new(ErrorKind::Forbidden, "key_lacks_rights", "the key's user may not do this").with_remedy(
                    "make the key for a user who may manage products (role shop manager or administrator)",
                ),
            )),
            (400, Some("woocommerce_rest_product_invalid_id" | "woocommerce_rest_product_variation_invalid_id")) => {
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
            (503, Some("wp_die")) => match by_status {
                Outcome::Retry { error, after } => {
                    let after = after.unwrap_or(MAINTENANCE).min(MAINTENANCE);
                    Outcome::Retry { error: refined(error), after: Some(after) }
                }
                other => other,
            },
            _ => match by_status {
                Outcome::Retry { error, after } => Outcome::Retry { error: refined(error), after },
                Outcome::Fail(error) => Outcome::Fail(match &code {
                    Some(code) => error.with_context("code", code.clone()),
                    None => error,
                }),
                other => other,
            },
        }
    }
}

/// A read-only key answers a write with the very 401 of a wrong secret.
fn refused(request: &ApiRequest) -> Error {
    if request.method == Method::GET {
        Error::new(ErrorKind::Auth, "key_refused", "the store refused the key").with_remedy(
            "check key and secret; over https check that the site sees https and gets the Authorization header",
        )
    } else {
        Error::new(ErrorKind::Forbidden, "key_cannot_write", "the store refused the key for a write")
            .with_remedy("give the key the permission Read/Write")
    }
}

fn clock_is_off(response: &ApiResponse) -> bool {
    response.server_time().is_some_and(|theirs| {
        let ours = response.received_at();
        theirs.since(ours) > CLOCK_SKEW || ours.since(theirs) > CLOCK_SKEW
    })
}
