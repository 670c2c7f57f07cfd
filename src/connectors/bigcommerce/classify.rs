//! What an answer of BigCommerce means, beyond its status (fact sheet of 2026-11-22, sections 3 and 6).

use std::time::Duration;

use super::said::Said;
use crate::error::{Effect, Error, ErrorKind, Retry};
use crate::http::{ApiRequest, ApiResponse, Classifier, Outcome, WindowReading};

/// The longest wait that a refusal is taken to mean.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct BigClassifier;

/// A whole number in a header; `None` where there is none.
fn number(response: &ApiResponse, name: &str) -> Option<u64> {
    response.header(name)?.trim().parse().ok()
}

/// When the platform wants to be asked again: in seconds of its own header, else at the end of its window.
fn asked_wait(response: &ApiResponse) -> Option<Duration> {
    let seconds = number(response, "x-retry-after").map(Duration::from_secs);
    let wait = seconds.or_else(|| number(response, "x-rate-limit-time-reset-ms").map(Duration::from_millis));
    wait.map(|wait| wait.min(LONGEST_WAIT))
}

impl Classifier for BigClassifier {
    fn classify(&self, _: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        let status = response.status().as_u16();
        let said = || Said::read(response.body());
        let made = |kind, code, message: &'static str| {
            let error = Error::new(kind, code, message).with_context("status", status.to_string());
            said().describe(error)
        };
        match (status, by_status) {
            (_, Outcome::Success) => Outcome::Success,
            (401, _) => Outcome::Refresh(
                made(ErrorKind::Auth, "token_refused", "the store does not take the token").with_remedy(
                    "copy the token again, or have the merchant open the app, which allows it anew",
                ),
            ),
            (403, _) => Outcome::Fail(
                made(
                    ErrorKind::Forbidden,
                    "scope_missing",
                    "the token may not do this, the plan does not allow it, or the hash is another store's",
                )
                .with_remedy("give the API account the scope; check the store hash and the plan"),
            ),
            (409, _) => Outcome::Fail(
                made(ErrorKind::Rejected, "duplicate", "another record has a value that must be its own")
                    .with_remedy("choose another name or address"),
            ),
            (413, _) => {
                let error = made(
                    ErrorKind::TooLarge,
                    "request_too_large",
                    "the request is over a bound of the store",
                );
                let error = match said().number() {
                    Some(most) => error.with_context("most", most.to_string()),
                    None => error,
                };
                Outcome::Fail(error.with_remedy("send less at a time"))
            }
            (422, _) => Outcome::Fail(
                made(ErrorKind::Rejected, "invalid", "the store refuses a value")
                    .with_remedy("look at the fields that the store names"),
            ),
            // Nothing was done: somebody else is at the record.
            (423, _) => Outcome::Retry {
                error: made(ErrorKind::Unavailable, "locked", "the store has locked the record for a while"),
                after: asked_wait(response),
            },
            (429, by_status) => {
                let of_status = match by_status {
                    Outcome::Retry { after, .. } => after,
                    _ => None,
                };
                let after = asked_wait(response).or(of_status);
                let error = made(ErrorKind::RateLimited, "rate_limited", "the store's quota is used up")
                    .with_remedy("lower the share of the quota, or see which other app of the store uses it");
                let error = match after {
                    Some(after) => error.with_retry(Retry::After(after)),
                    None => error,
                };
                Outcome::Retry { error, after }
            }
            // The platform's word for a client that went away: its own time-out between two of its servers.
            (499, _) => Outcome::Retry {
                error: made(ErrorKind::Unavailable, "server_error", "the store gave up on the request")
                    .with_effect(Effect::Possible),
                after: None,
            },
            (507, _) => Outcome::Fail(
                made(ErrorKind::Forbidden, "plan_limit", "the store's plan has no room for more")
                    .with_remedy("ask the merchant to change the plan, or to delete what nobody needs"),
            ),
            (503, Outcome::Retry { error, after }) => Outcome::Retry {
                error: said()
                    .describe(error)
                    .with_remedy("wait; a store in maintenance or suspended answers so"),
                after: asked_wait(response).or(after),
            },
            (_, Outcome::Fail(error)) => Outcome::Fail(said().describe(error)),
            (_, other) => other,
        }
    }

    fn window(&self, _: &ApiRequest, response: &ApiResponse) -> Option<WindowReading> {
        let milliseconds = |name| number(response, name).map(Duration::from_millis);
        let quota = number(response, "x-rate-limit-requests-quota");
        let left = number(response, "x-rate-limit-requests-left");
        // Stores of some plans are told nothing.
        (quota.is_some() || left.is_some()).then(|| WindowReading {
            quota,
            left,
            ends_in: milliseconds("x-rate-limit-time-reset-ms"),
            length: milliseconds("x-rate-limit-time-window-ms"),
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::time::Timestamp;

    fn response(status: u16, headers: &[(&str, &str)], body: &'static str) -> ApiResponse {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(Bytes::from_static(body.as_bytes())).unwrap();
        ApiResponse::new(answer, Timestamp::UNIX_EPOCH, 1)
    }

    fn outcome(
        status: u16,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> (&'static str, Error, Option<Duration>) {
        // What the table makes of an unknown status: a failure.
        let by_status = match status {
            429 | 503 => Outcome::Retry {
                error: Error::new(ErrorKind::Unavailable, "server_error", "x").with_effect(Effect::Possible),
                after: None,
            },
            _ => Outcome::Fail(Error::new(ErrorKind::Rejected, "rejected", "x")),
        };
        match BigClassifier.classify(&ApiRequest::get("x"), &response(status, headers, body), by_status) {
            Outcome::Fail(error) => ("fail", error, None),
            Outcome::Refresh(error) => ("refresh", error, None),
            Outcome::Retry { error, after } => ("retry", error, after),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_status_has_a_code_and_says_whether_the_write_may_be_there() {
        for (status, what, code, effect) in [
            (401, "refresh", "token_refused", Effect::None),
            (403, "fail", "scope_missing", Effect::None),
            (409, "fail", "duplicate", Effect::None),
            (413, "fail", "request_too_large", Effect::None),
            (422, "fail", "invalid", Effect::None),
            (423, "retry", "locked", Effect::None),
            (429, "retry", "rate_limited", Effect::None),
            (499, "retry", "server_error", Effect::Possible),
            (503, "retry", "server_error", Effect::Possible),
            (507, "fail", "plan_limit", Effect::None),
        ] {
            for body in ["", "<html>", r#"{"title":"T","errors":{"name":"secret"}}"#] {
                let (kind, error, _) = outcome(status, &[], body);
                assert_eq!((kind, error.code(), error.effect()), (what, code, effect), "{status}");
                assert!(!format!("{error} {error:?}").contains("secret"));
            }
        }
    }

    #[test]
    fn a_refusal_for_the_quota_waits_as_the_platforms_own_headers_say() {
        let wait = |headers: &[(&str, &str)]| outcome(429, headers, "").2;
        assert_eq!(
            wait(&[("X-Retry-After", "15"), ("X-Rate-Limit-Time-Reset-Ms", "900")]),
            Some(Duration::from_secs(15))
        );
        assert_eq!(wait(&[("x-rate-limit-time-reset-ms", "900")]), Some(Duration::from_millis(900)));
        assert_eq!(wait(&[("x-retry-after", "999999999999")]), Some(LONGEST_WAIT));
        for nothing in [&[][..], &[("x-retry-after", "soon")], &[("x-retry-after", "-1")]] {
            assert_eq!(wait(nothing), None);
        }
    }

    #[test]
    fn the_window_is_read_where_the_store_tells_of_one() {
        let headers = [
            ("X-Rate-Limit-Requests-Quota", "150"),
            ("X-Rate-Limit-Requests-Left", "35"),
            ("X-Rate-Limit-Time-Reset-Ms", "3000"),
            ("X-Rate-Limit-Time-Window-Ms", "30000"),
        ];
        let read = |headers: &[(&str, &str)]| {
            BigClassifier.window(&ApiRequest::get("x"), &response(200, headers, ""))
        };
        let window = read(&headers).unwrap();
        assert_eq!((window.quota, window.left), (Some(150), Some(35)));
        assert_eq!(
            (window.ends_in, window.length),
            (Some(Duration::from_secs(3)), Some(Duration::from_secs(30)))
        );
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-rate-limit-requests-left", "many")]), None);
    }
}
