//! What an answer means: by its status first, by the connector's own reading second.

use std::fmt;
use std::time::Duration;

use http::{StatusCode, header};
use url::Url;

use super::{ApiRequest, ApiResponse, BudgetReading, WindowReading};
use crate::error::{Effect, Error, ErrorKind, Retry};
use crate::time::Timestamp;

/// What to do with an answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It is what was asked for.
    Success,
    /// The credentials are refused: new ones are fetched once, and without any this error is given.
    Refresh(Error),
    /// The platform refused the request for the time in its signature: it is signed once more by the
    /// platform's own time, and where that does not help this error is given.
    ClockOff(Error),
    /// Another attempt may help. A write is repeated only where the error's effect is [`Effect::None`].
    Retry {
        /// What is given where no attempt is left.
        error: Error,
        /// When the platform wants to be asked again. The whole store waits for it.
        after: Option<Duration>,
    },
    /// No attempt helps.
    Fail(Error),
}

/// Refines what the status of an answer says by what a platform says in headers and body.
///
/// It is asked for each answer, the successful ones too, so it must be quick.
pub trait Classifier: fmt::Debug + Send + Sync + 'static {
    /// Gives the outcome; `by_status` is what the status table made of it.
    fn classify(&self, request: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome;

    /// Reads what an answer says of the points it cost and of those that are left; `None` where it says
    /// nothing. It is asked for each answer, refusals too, where the client has a budget
    /// ([`ApiClientBuilder::budget`](super::ApiClientBuilder::budget)).
    fn budget(&self, request: &ApiRequest, response: &ApiResponse) -> Option<BudgetReading> {
        let _ = (request, response);
        None
    }

    /// Says how long the store has to be left alone by what an answer says of quotas that refill at a set time;
    /// `None` where there is enough of each. It is asked for each answer, refusals too. The whole store waits for so
    /// long: calls with less time are refused at once, with the time.
    fn rest(&self, request: &ApiRequest, response: &ApiResponse) -> Option<Duration> {
        let _ = (request, response);
        None
    }

    /// Reads what an answer says of the window that calls are counted in; `None` where it says nothing. It is asked
    /// for each answer, refusals too, where the client has a window
    /// ([`ApiClientBuilder::window`](super::ApiClientBuilder::window)).
    fn window(&self, request: &ApiRequest, response: &ApiResponse) -> Option<WindowReading> {
        let _ = (request, response);
        None
    }
}

/// The classifier that leaves it at the status.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatusTable;

impl Classifier for StatusTable {
    fn classify(&self, _: &ApiRequest, _: &ApiResponse, by_status: Outcome) -> Outcome {
        by_status
    }
}

/// The status table. A status that it does not name is a failure and is not retried.
pub(super) fn by_status(response: &ApiResponse) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Success;
    }
    match status.as_u16() {
        300..=399 => Outcome::Fail(redirected(response)),
        401 => Outcome::Refresh(
            answered(ErrorKind::Auth, "unauthorized", "the store refused the credentials", status)
                .with_remedy("check the credentials, or make new ones"),
        ),
        403 => Outcome::Fail(
            answered(ErrorKind::Forbidden, "forbidden", "the credentials may not do this", status)
                .with_remedy("give the credentials' user the right"),
        ),
        404 | 410 => Outcome::Fail(answered(
            ErrorKind::NotFound,
            "not_found",
            "there is no such record or route",
            status,
        )),
        409 | 412 => Outcome::Fail(answered(
            ErrorKind::Rejected,
            "conflict",
            "the record is not in the state that the request expects",
            status,
        )),
        413 | 414 | 431 => Outcome::Fail(
            answered(
                ErrorKind::TooLarge,
                "request_too_large",
                "the request is over a bound of the store",
                status,
            )
            .with_remedy("send less at a time"),
        ),
        429 => {
            let after = retry_after(response);
            let error =
                answered(ErrorKind::RateLimited, "rate_limited", "the store's limit is reached", status);
            Outcome::Retry { error: hinted(error, after), after }
        }
        // The request did not come whole, or came too early: it was not worked on.
        425 => Outcome::Retry {
            error: answered(ErrorKind::Unavailable, "too_early", "the store asks to send again", status),
            after: None,
        },
        408 => Outcome::Retry {
            error: answered(
                ErrorKind::Timeout,
                "request_timeout",
                "the store did not get the request in time",
                status,
            )
            .with_effect(Effect::Possible),
            after: None,
        },
        501 => Outcome::Fail(answered(
            ErrorKind::Unsupported,
            "not_implemented",
            "the store cannot do this",
            status,
        )),
        500..=599 => {
            let after = retry_after(response);
            let error = answered(
                ErrorKind::Unavailable,
                "server_error",
                "the store answered with a server error",
                status,
            )
            .with_effect(Effect::Possible);
            Outcome::Retry { error: hinted(error, after), after }
        }
        400..=499 => {
            Outcome::Fail(answered(ErrorKind::Rejected, "rejected", "the store refused the request", status))
        }
        _ => Outcome::Fail(
            answered(
                ErrorKind::Protocol,
                "status_unknown",
                "the store answered with an unknown status",
                status,
            )
            .with_effect(Effect::Possible),
        ),
    }
}

fn answered(kind: ErrorKind, code: &'static str, message: &'static str, status: StatusCode) -> Error {
    Error::new(kind, code, message).with_context("status", status.as_str())
}

fn hinted(error: Error, after: Option<Duration>) -> Error {
    match after {
        Some(after) => error.with_retry(Retry::After(after)),
        None => error,
    }
}

/// A redirect is never followed: it would carry credentials elsewhere and turn a PUT into a GET.
fn redirected(response: &ApiResponse) -> Error {
    // After 302 and 303 the request may have been worked on; the others ask to send it elsewhere.
    let effect =
        if matches!(response.status().as_u16(), 302 | 303) { Effect::Possible } else { Effect::None };
    let error = answered(
        ErrorKind::Protocol,
        "redirected",
        "the store redirects to another address",
        response.status(),
    )
    .with_effect(effect)
    .with_remedy("configure the store's address exactly as it names itself: scheme, www and folder");
    // Its query may repeat credentials, so only the origin and the path are shown.
    match response.header(header::LOCATION.as_str()).map(Url::parse) {
        Some(Ok(to)) => {
            error.with_context("to", format!("{}{}", to.origin().ascii_serialization(), to.path()))
        }
        _ => error,
    }
}

/// The longest `Retry-After` that is read at all: a year. What a call waits is bounded far below it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(365 * 86_400);

/// `Retry-After` in seconds, which some platforms give with a fraction, or as a date against the platform's own
/// clock.
pub(super) fn retry_after(response: &ApiResponse) -> Option<Duration> {
    let text = response.header(header::RETRY_AFTER.as_str())?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        let bound = LONGEST_RETRY_AFTER.as_secs_f64();
        return Some(Duration::try_from_secs_f64(seconds.min(bound)).unwrap_or(LONGEST_RETRY_AFTER));
    }
    let at = Timestamp::parse_http_date(text).ok()?;
    let now = response.server_time().unwrap_or_else(|| response.received_at());
    Some(at.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn outcome(status: u16, headers: &[(&str, &str)]) -> Outcome {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(Bytes::new()).unwrap();
        by_status(&ApiResponse::new(answer, Timestamp::UNIX_EPOCH, 1))
    }

    #[test]
    fn the_status_table_names_kind_retry_and_effect() {
        use Effect::{None as No, Possible};
        for (status, what, kind, effect) in [
            (301, "fail", ErrorKind::Protocol, No),
            (302, "fail", ErrorKind::Protocol, Possible),
            (400, "fail", ErrorKind::Rejected, No),
            (401, "refresh", ErrorKind::Auth, No),
            (403, "fail", ErrorKind::Forbidden, No),
            (404, "fail", ErrorKind::NotFound, No),
            (408, "retry", ErrorKind::Timeout, Possible),
            (409, "fail", ErrorKind::Rejected, No),
            (410, "fail", ErrorKind::NotFound, No),
            (413, "fail", ErrorKind::TooLarge, No),
            (418, "fail", ErrorKind::Rejected, No),
            (425, "retry", ErrorKind::Unavailable, No),
            (429, "retry", ErrorKind::RateLimited, No),
            (500, "retry", ErrorKind::Unavailable, Possible),
            (501, "fail", ErrorKind::Unsupported, No),
            (502, "retry", ErrorKind::Unavailable, Possible),
            (503, "retry", ErrorKind::Unavailable, Possible),
            (504, "retry", ErrorKind::Unavailable, Possible),
            (999, "fail", ErrorKind::Protocol, Possible),
        ] {
            let (name, error) = match outcome(status, &[]) {
                Outcome::Fail(error) => ("fail", error),
                Outcome::Refresh(error) => ("refresh", error),
                Outcome::Retry { error, .. } => ("retry", error),
                other => panic!("{status}: {other:?}"),
            };
            assert_eq!((name, error.kind(), error.effect()), (what, kind, effect), "{status}");
        }
        assert!(matches!(outcome(204, &[]), Outcome::Success));
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date_by_the_servers_clock() {
        let after = |headers: &[(&str, &str)]| match outcome(429, headers) {
            Outcome::Retry { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(&[("retry-after", "17")]), Some(Duration::from_secs(17)));
        assert_eq!(after(&[("retry-after", " 2.5 ")]), Some(Duration::from_millis(2500)));
        assert_eq!(after(&[("retry-after", "0.0")]), Some(Duration::ZERO));
        for huge in ["99999999999999999999999", "1".repeat(400).as_str(), "18446744073709551615.9"] {
            assert_eq!(after(&[("retry-after", huge)]), Some(LONGEST_RETRY_AFTER), "{huge}");
        }
        for wrong in ["-1", "-0.5", "1e9", "inf", "NaN", ".", "", "1.2.3", "+1"] {
            assert_eq!(after(&[("retry-after", wrong)]), None, "{wrong}");
        }
        assert_eq!(
            after(&[
                ("date", "Sun, 22 Nov 2026 17:00:00 GMT"),
                ("retry-after", "Sun, 22 Nov 2026 17:00:30 GMT")
            ]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn a_redirect_names_the_address_without_its_query() {
        let Outcome::Fail(error) =
            outcome(301, &[("location", "https://www.shop.example/wp-json/?consumer_secret=cs_1")])
        else {
            panic!("a redirect is a failure");
        };
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("https://www.shop.example/wp-json/"), "{shown}");
        assert!(!shown.contains("cs_1"), "{shown}");
    }
}
