//! What an answer of the platform means, beyond its status.
//!
//! Messages are translated, so only status, names of parameters and numbers are read; the message is repeated for
//! people (fact sheet sections 3 and 6, read 2026-11-22).

use std::time::Duration;

use http::Method;

use super::said::Said;
use crate::error::{Error, ErrorKind};
use crate::http::{ApiRequest, ApiResponse, Classifier, Outcome};

/// A signature's time may be 10 minutes off (platform source, UNVERIFIED); past 8 we take the clock for the cause.
const CLOCK_SKEW: Duration = Duration::from_secs(480);
/// Maintenance ends when the update does.
const MAINTENANCE: Duration = Duration::from_secs(15);

/// How requests prove who they are: what a refusal may mean depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A token of an integration goes along.
    Integration,
    /// Requests are signed (OAuth 1.0a).
    Signature,
    /// A token goes along that can be got anew.
    Session,
    /// An authenticator of the application's own.
    Unknown,
}

#[derive(Debug)]
pub(super) struct MagentoClassifier {
    proof: Proof,
}

impl MagentoClassifier {
    pub(super) fn new(proof: Proof) -> Self {
        Self { proof }
    }

    /// 401 names nobody: a token that is wrong, one that may not do this, and one of a kind that the store does not
    /// take are all answered so.
    fn refused(&self, said: &Said) -> Error {
        let error = match (self.proof, said.has("resources")) {
            (Proof::Integration, true) => Error::new(
                ErrorKind::Auth,
                "token_or_right_refused",
                "the store does not take the access token, or it may not do this",
            )
            .with_remedy(
                "allow OAuth access tokens as bearer tokens (Stores, Configuration, Services, OAuth), or give all four \
                 OAuth credentials; then check that the integration is active and has the resource",
            ),
            (_, true) => Error::new(ErrorKind::Auth, "right_refused", "the store refuses the credentials for this")
                .with_remedy("give the integration, or the user's role, the resource that the message names"),
            (Proof::Signature, false) => {
                Error::new(ErrorKind::Auth, "signature_refused", "the store refuses the signature or its credentials")
                    .with_remedy(
                        "check all four credentials, and that the address is the one that PHP sees: a proxy that ends \
                         TLS must pass the scheme on",
                    )
            }
            (_, false) => Error::new(ErrorKind::Auth, "token_refused", "the store refuses the token")
                .with_remedy("copy the token again, or make a new one"),
        };
        repeated(error, said)
    }
}

/// Adds what the platform said.
fn repeated(error: Error, said: &Said) -> Error {
    if said.message.is_empty() { error } else { error.with_context("said", said.message.clone()) }
}

impl Classifier for MagentoClassifier {
    fn classify(&self, request: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        let by_status = match by_status {
            Outcome::Success => return Outcome::Success,
            other => other,
        };
        let said = Said::read(response.body());
        let status = response.status().as_u16();
        let with_status = |error: Error| error.with_context("status", status.to_string());
        let made = |kind, code, message: &'static str| with_status(Error::new(kind, code, message));
        match (status, &said) {
            (400 | 401, Some(_)) if self.proof == Proof::Signature && clock_is_off(response) => {
                Outcome::ClockOff(
                    made(
                        ErrorKind::Auth,
                        "clock_off",
                        "the store's clock and ours are too far apart for a signature",
                    )
                    .with_remedy("set both clocks by a time service"),
                )
            }
            (401, Some(said)) => Outcome::Refresh(with_status(self.refused(said))),
            (401, None) => Outcome::Fail(
                made(ErrorKind::Auth, "site_protected", "something before the shop asks for a password")
                    .with_remedy("take the password off the site's API, as staging sites have one"),
            ),
            (403, Some(said)) => Outcome::Fail(repeated(
                made(ErrorKind::Forbidden, "right_missing", "the credentials may not do this").with_remedy(
                    "give the integration, or the user's role, the resource that the message names",
                ),
                said,
            )),
            (403, None) => Outcome::Fail(
                made(ErrorKind::Forbidden, "blocked", "something before the shop blocked the request")
                    .with_remedy("let the firewall or bot check pass this client's address and user agent"),
            ),
            (404, Some(said)) => Outcome::Fail(repeated(
                made(ErrorKind::NotFound, "not_found", "there is no such record, route or store view")
                    .with_remedy("check the store view's code, and that the shop's modules are on"),
                said,
            )),
            (404, None) => Outcome::Fail(
                made(ErrorKind::Protocol, "api_not_found", "the address leads to no REST API").with_remedy(
                    "give the site's address exactly; where it has no rewrites, end it with /index.php",
                ),
            ),
            (400, Some(said)) => {
                let error = made(ErrorKind::Rejected, "refused", "the store refused the request");
                let error = match said.number.filter(|_| request.method == Method::GET) {
                    Some(number) => error.with_context("number", number.to_string()),
                    None => error,
                };
                Outcome::Fail(repeated(error, said))
            }
            (503, _) => match by_status {
                Outcome::Retry { error, after } => {
                    let named =
                        Error::new(error.kind(), "maintenance", "the site is in maintenance, or overloaded")
                            .with_remedy(
                                "wait; where it stays so, ask the merchant whether an update broke off",
                            )
                            .with_retry(error.retry())
                            .with_effect(error.effect());
                    Outcome::Retry { error: with_status(named), after: Some(after.unwrap_or(MAINTENANCE)) }
                }
                other => other,
            },
            (_, Some(said)) => match by_status {
                Outcome::Retry { error, after } => Outcome::Retry { error: repeated(error, said), after },
                Outcome::Fail(error) => Outcome::Fail(repeated(error, said)),
                other => other,
            },
            (_, None) => by_status,
        }
    }
}

fn clock_is_off(response: &ApiResponse) -> bool {
    response.server_time().is_some_and(|theirs| {
        let ours = response.received_at();
        theirs.since(ours) > CLOCK_SKEW || ours.since(theirs) > CLOCK_SKEW
    })
}

/// A number that the platform named when it refused a request: that of a limit, such as the records of a page.
pub(super) fn named_limit(error: &Error) -> Option<u32> {
    let number =
        |(name, value): &(&'static str, String)| (*name == "number").then(|| value.parse().ok()).flatten();
    error.context().iter().find_map(number).filter(|limit| *limit > 0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::time::Timestamp;

    fn classified(proof: Proof, status: u16, body: &str) -> (&'static str, Error) {
        let answer = http::Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap();
        let response = ApiResponse::new(answer, Timestamp::UNIX_EPOCH, 1);
        let by_status = if status == 503 {
            Outcome::Retry { error: Error::new(ErrorKind::Unavailable, "server_error", "x"), after: None }
        } else {
            Outcome::Fail(Error::new(ErrorKind::Rejected, "by_status", "x"))
        };
        match MagentoClassifier::new(proof).classify(&ApiRequest::get("x"), &response, by_status) {
            Outcome::Fail(error) => ("fail", error),
            Outcome::Refresh(error) => ("refresh", error),
            Outcome::Retry { error, .. } => ("retry", error),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusals_are_told_apart_in_any_language() {
        let resources =
            r#"{"message":"%resources fehlt","parameters":{"resources":"Magento_Catalog::products"}}"#;
        let plain = r#"{"message":"Nicht erlaubt","parameters":[]}"#;
        let html = "<html>Not Found</html>";
        for (proof, status, body, outcome, kind, code) in [
            (Proof::Integration, 401, resources, "refresh", ErrorKind::Auth, "token_or_right_refused"),
            (Proof::Signature, 401, resources, "refresh", ErrorKind::Auth, "right_refused"),
            (Proof::Signature, 401, plain, "refresh", ErrorKind::Auth, "signature_refused"),
            (Proof::Session, 401, plain, "refresh", ErrorKind::Auth, "token_refused"),
            (Proof::Session, 401, html, "fail", ErrorKind::Auth, "site_protected"),
            (Proof::Session, 403, plain, "fail", ErrorKind::Forbidden, "right_missing"),
            (Proof::Session, 403, html, "fail", ErrorKind::Forbidden, "blocked"),
            (Proof::Session, 404, plain, "fail", ErrorKind::NotFound, "not_found"),
            (Proof::Session, 404, html, "fail", ErrorKind::Protocol, "api_not_found"),
            (Proof::Session, 400, plain, "fail", ErrorKind::Rejected, "refused"),
            (Proof::Session, 503, html, "retry", ErrorKind::Unavailable, "maintenance"),
        ] {
            let (found, error) = classified(proof, status, body);
            assert_eq!((found, error.kind(), error.code()), (outcome, kind, code), "{status} {body}");
        }
        let (_, error) = classified(Proof::Integration, 401, resources);
        assert!(error.to_string().contains("Magento_Catalog::products fehlt"), "{error}");
    }

    #[test]
    fn the_limit_that_a_refusal_names_is_read() {
        let body = json!({"message": "Maximum : %1", "parameters": ["300"]}).to_string();
        assert_eq!(named_limit(&classified(Proof::Session, 400, &body).1), Some(300));
        let body = json!({"message": "Taille maximale 20."}).to_string();
        assert_eq!(named_limit(&classified(Proof::Session, 400, &body).1), Some(20));
        assert_eq!(named_limit(&classified(Proof::Session, 400, r#"{"message":"0"}"#).1), None);
    }
}
