//! What an answer of Google's means, and what it says of the quotas (fact sheet of 2026-11-22).
//!
//! Errors are told by status and reason, never by their text, which is not promised.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memchr::memmem;
use serde::Deserialize;

use crate::error::{Effect, Error, ErrorKind, Retry};
use crate::http::{ApiRequest, ApiResponse, Classifier, Outcome};
use crate::time::{Day, Timestamp};

/// The code of a property that the account has no role on.
pub(super) const FORBIDDEN: &str = "property_forbidden";

/// What a standard property gives: a share of it is left to others, or the more that was seen.
pub(super) const PROJECT_HOUR: u64 = 14_000;
pub(super) const HOUR: u64 = 40_000;
pub(super) const DAY: u64 = 200_000;
/// The server errors of an hour that are left when nothing more is sent.
const ERRORS_LEFT: u64 = 2;
/// The refusals in a row after which a bucket is taken for empty whatever is known of it.
const REFUSALS: u32 = 2;
/// How long past the turn of an hour or a day the next call waits.
const BEHIND: Duration = Duration::from_secs(5);
/// How long a property is left alone of which others take all calls at a time.
const CROWDED: Duration = Duration::from_secs(2);
/// The time zone in which the day of quotas turns.
const QUOTA_ZONE: &str = "America/Los_Angeles";

#[derive(Debug)]
pub(super) struct GoogleClassifier {
    reserve: f64,
    seen: Mutex<Seen>,
}

/// What answers said of the quotas.
#[derive(Debug, Default)]
struct Seen {
    /// The most that was seen of a bucket.
    project_hour: u64,
    hour: u64,
    day: u64,
    /// How long the last quota that was told wants to be left alone, and how often in a row everything was refused.
    low: Option<Until>,
    refusals: u32,
    /// What the answer under way wants.
    rest: Option<Duration>,
}

/// When a bucket is filled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Hour,
    Day,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure {
    error: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    status: String,
    details: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    reason: String,
    retry_delay: String,
}

/// The buckets of a property; one that is absent says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Quota {
    pub(super) tokens_per_day: Option<Bucket>,
    pub(super) tokens_per_hour: Option<Bucket>,
    pub(super) tokens_per_project_per_hour: Option<Bucket>,
    pub(super) server_errors_per_project_per_hour: Option<Bucket>,
    pub(super) concurrent_requests: Option<Bucket>,
}

/// Either number is left out where it is zero.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bucket {
    pub(super) consumed: u64,
    pub(super) remaining: u64,
}

impl GoogleClassifier {
    /// Leaves a share of each bucket of an hour alone.
    pub(super) fn new(reserve: f64) -> Self {
        Self { reserve, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the quotas of an answer want: the furthest turn that has to be waited for.
    fn low(&self, quota: &Quota) -> Option<Until> {
        let mut seen = self.seen();
        let floor = |most: &mut u64, standard: u64, bucket: Bucket, reserve: f64| {
            *most = (*most).max(standard).max(bucket.remaining.saturating_add(bucket.consumed));
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "quotas are far below 2^52, and the share is between 0 and 1"
            )]
            let kept = (*most as f64 * reserve) as u64;
            bucket.remaining <= kept.max(bucket.consumed)
        };
        let mut low = None;
        for (bucket, standard, is_project) in
            [(quota.tokens_per_project_per_hour, PROJECT_HOUR, true), (quota.tokens_per_hour, HOUR, false)]
        {
            let Some(bucket) = bucket else { continue };
            let most = if is_project { &mut seen.project_hour } else { &mut seen.hour };
            if floor(most, standard, bucket, self.reserve) {
                low = Some(Until::Hour);
            }
        }
        if quota.server_errors_per_project_per_hour.is_some_and(|errors| errors.remaining <= ERRORS_LEFT) {
            low = Some(Until::Hour);
        }
        if let Some(bucket) = quota.tokens_per_day
            && floor(&mut seen.day, DAY, bucket, self.reserve / 10.0)
        {
            low = Some(Until::Day);
        }
        low
    }

    fn refused(&self, error: Error, asked: Option<Duration>, now: Timestamp) -> Outcome {
        let mut seen = self.seen();
        seen.refusals += 1;
        let until = match seen.low {
            Some(until) => until,
            None if seen.refusals > REFUSALS => Until::Hour,
            // It may be the number of calls at a time, which is free again soon.
            None => return Outcome::Retry { error, after: asked },
        };
        let wait = asked.map_or_else(|| turn(until, now), |asked| asked.max(turn(until, now)));
        seen.rest = Some(wait);
        Outcome::Fail(
            error
                .with_retry(Retry::After(wait))
                .with_context(
                    "refills",
                    match until {
                        Until::Hour => "with the hour",
                        Until::Day => "at midnight, Pacific time",
                    },
                )
                .with_remedy("leave the property alone until then: every request to it is refused"),
        )
    }
}

/// How long it is until the hour, or the day of quotas, turns.
fn turn(until: Until, now: Timestamp) -> Duration {
    let of_hour = now.unix_seconds().rem_euclid(3600).unsigned_abs();
    let hour = Duration::from_secs(3600 - of_hour);
    let wait = match until {
        Until::Hour => hour,
        Until::Day => Day::at(now, QUOTA_ZONE)
            .and_then(|day| day.saturating_add(1).begins(QUOTA_ZONE))
            .map_or(hour, |midnight| midnight.since(now)),
    };
    wait.saturating_add(BEHIND)
}

/// The quota of an answer: of several reports, the last one's.
pub(super) fn quota(body: &[u8]) -> Option<Quota> {
    let mark = b"\"propertyQuota\"";
    // Rows are most of an answer, and the quota stands behind them: it is looked for from the end.
    for at in memmem::rfind_iter(body, mark) {
        let rest = body.get(at + mark.len()..)?.trim_ascii_start();
        // A value of that text is followed by something else.
        if let Some(rest) = rest.strip_prefix(b":") {
            return serde_json::Deserializer::from_slice(rest).into_iter().next()?.ok();
        }
    }
    None
}

/// Google's own word on how long to wait, such as `1.5s`.
fn delay(failure: &Failure) -> Option<Duration> {
    let text = failure.error.details.iter().find_map(|detail| detail.retry_delay.strip_suffix('s'))?;
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}

impl Classifier for GoogleClassifier {
    fn classify(&self, request: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        let status = response.status();
        if status.is_success() {
            let quota = quota(response.body()).unwrap_or_default();
            let low = self.low(&quota);
            // A bucket that says nothing is none.
            let is_crowded = quota.concurrent_requests.is_some_and(|it| it.remaining == 0 && it.consumed > 0);
            let mut seen = self.seen();
            (seen.low, seen.refusals) = (low, 0);
            let now = response.server_time().unwrap_or_else(|| response.received_at());
            seen.rest = low.map(|until| turn(until, now)).or(is_crowded.then_some(CROWDED));
            return by_status;
        }
        // Front ends answer with a page: then the status is all there is.
        let failure: Option<Failure> = serde_json::from_slice(response.body()).ok();
        let Some(failure) = failure else { return by_status };
        let reason = failure.error.details.iter().find(|detail| !detail.reason.is_empty());
        let made = |kind, code, message: &'static str| {
            let error = Error::new(kind, code, message).with_context("status", status.as_str());
            match reason {
                Some(detail) if is_word(&detail.reason) => {
                    error.with_context("reason", detail.reason.clone())
                }
                _ => error,
            }
        };
        let reason = reason.map_or("", |detail| detail.reason.as_str());
        match (status.as_u16(), reason, by_status) {
            (401, _, _) => Outcome::Refresh(
                made(ErrorKind::Auth, "token_refused", "Google does not take the access token")
                    .with_remedy("see that the account still exists and its key or login was not withdrawn"),
            ),
            (403, "SERVICE_DISABLED", _) => Outcome::Fail(
                made(ErrorKind::Forbidden, "api_disabled", "the API is switched off in the Cloud project")
                    .with_remedy(
                        "switch on the Google Analytics Data API and Admin API in the credentials' project",
                    ),
            ),
            (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", _) => Outcome::Fail(
                made(
                    ErrorKind::Forbidden,
                    "scope_missing",
                    "the login does not hold the scope that this needs",
                )
                .with_remedy("sign in again with analytics.readonly, and analytics.edit to make dimensions"),
            ),
            (403, _, _) => Outcome::Fail(
                made(ErrorKind::Forbidden, FORBIDDEN, "the account has no role on the property").with_remedy(
                    "add the account's e-mail to the property as a Viewer; roles in the Cloud do not count",
                ),
            ),
            (404, _, _) => Outcome::Fail(
                made(ErrorKind::NotFound, "property_missing", "there is no such property")
                    .with_remedy("give the property's number, which is not its measurement id"),
            ),
            (400, _, _) => Outcome::Fail(
                made(ErrorKind::Rejected, "request_refused", "Google does not take the request")
                    .with_remedy("ask check_compatibility which fields go together in this property"),
            ),
            (409, _, _) => Outcome::Fail(made(
                ErrorKind::Rejected,
                "already_exists",
                "there is one of that name already",
            )),
            (429, _, Outcome::Retry { after, .. }) => {
                let error =
                    made(ErrorKind::RateLimited, "quota_exhausted", "a quota of the property is used up");
                let now = response.server_time().unwrap_or_else(|| response.received_at());
                self.refused(error, after.or_else(|| delay(&failure)), now)
            }
            (500 | 502 | 503 | 504, _, Outcome::Retry { after, .. }) => Outcome::Retry {
                error: made(ErrorKind::Unavailable, "server_error", "Google failed at the request")
                    .with_effect(Effect::Possible),
                after: after.or_else(|| delay(&failure)),
            },
            (_, _, other) => {
                let _ = request;
                other
            }
        }
    }

    fn rest(&self, _: &ApiRequest, _: &ApiResponse) -> Option<Duration> {
        self.seen().rest.take()
    }
}

/// A reason is shown where it is a word and nothing else.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn answer(status: u16, body: &serde_json::Value) -> ApiResponse {
        let answer = http::Response::builder().status(status);
        let answer = answer.header("date", at("2026-11-22T10:40:00Z").to_http_date());
        let answer = answer.body(Bytes::from(body.to_string())).unwrap();
        ApiResponse::new(answer, at("2026-11-22T10:40:00Z"), 1)
    }

    fn told(project: u64, errors: u64, day: u64) -> serde_json::Value {
        json!({"rows": [{"value": "propertyQuota"}], "propertyQuota": {
            "tokensPerProjectPerHour": {"consumed": 5, "remaining": project},
            "serverErrorsPerProjectPerHour": {"remaining": errors},
            "tokensPerDay": {"consumed": 5, "remaining": day}}})
    }

    fn rest_of(classifier: &GoogleClassifier, body: &serde_json::Value) -> Option<Duration> {
        let response = answer(200, body);
        let request = ApiRequest::get("x");
        let outcome = classifier.classify(&request, &response, Outcome::Success);
        assert!(matches!(outcome, Outcome::Success));
        classifier.rest(&request, &response)
    }

    #[test]
    fn a_low_bucket_rests_the_property_until_it_refills() {
        let seconds = |n| Some(Duration::from_secs(n));
        for (project, errors, day, rest) in [
            (13_995, 10, 199_000, None),
            (1_401, 10, 199_000, None),
            (1_400, 10, 199_000, seconds(20 * 60 + 5)),
            (0, 10, 199_000, seconds(20 * 60 + 5)),
            (13_995, 2, 199_000, seconds(20 * 60 + 5)),
            // 10:40 in UTC is 02:40 at the Pacific.
            (13_995, 10, 2_000, seconds(21 * 3600 + 20 * 60 + 5)),
        ] {
            let rested = rest_of(&GoogleClassifier::new(0.1), &told(project, errors, day));
            assert_eq!(rested, rest, "{project} {errors} {day}");
        }
        let crowded = json!({"propertyQuota": {"concurrentRequests": {"consumed": 10}}});
        assert_eq!(rest_of(&GoogleClassifier::new(0.1), &crowded), seconds(2));
        let untold = json!({"propertyQuota": {"concurrentRequests": {}}});
        assert_eq!(rest_of(&GoogleClassifier::new(0.1), &untold), None);
        // A larger property keeps a share of what it has.
        let classifier = GoogleClassifier::new(0.1);
        assert_eq!(rest_of(&classifier, &told(139_995, 10, 199_000)), None);
        assert_eq!(rest_of(&classifier, &told(13_999, 10, 199_000)), seconds(20 * 60 + 5));
        assert_eq!(rest_of(&GoogleClassifier::new(0.1), &json!({"rows": []})), None);
    }

    #[test]
    fn the_day_of_quotas_turns_at_midnight_at_the_pacific() {
        let seconds = |n| Duration::from_secs(n) + BEHIND;
        // 19:00 of the day before in UTC's.
        assert_eq!(turn(Until::Day, at("2026-11-22T03:00:00Z")), seconds(5 * 3600));
        assert_eq!(turn(Until::Day, at("2026-11-22T08:00:00Z")), seconds(24 * 3600));
        assert_eq!(turn(Until::Hour, at("2026-11-22T08:00:00Z")), seconds(3600));
    }

    #[test]
    fn a_refusal_of_everything_is_not_repeated_where_a_bucket_was_low() {
        let refusal = json!({"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}});
        let request = ApiRequest::get("x");
        let by_status =
            || Outcome::Retry { error: Error::new(ErrorKind::RateLimited, "rate_limited", "x"), after: None };
        let classifier = GoogleClassifier::new(0.1);
        let _ = rest_of(&classifier, &told(100, 10, 199_000));
        let response = answer(429, &refusal);
        let Outcome::Fail(error) = classifier.classify(&request, &response, by_status()) else {
            panic!("an empty bucket is not asked again");
        };
        assert_eq!(error.code(), "quota_exhausted");
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(20 * 60 + 5)));

        // Where nothing is known it may be the calls at a time: twice, and no more.
        let classifier = GoogleClassifier::new(0.1);
        for _ in 0..2 {
            let outcome = classifier.classify(&request, &response, by_status());
            assert!(matches!(outcome, Outcome::Retry { .. }));
            assert_eq!(classifier.rest(&request, &response), None);
        }
        assert!(matches!(classifier.classify(&request, &response, by_status()), Outcome::Fail(_)));
        assert_eq!(classifier.rest(&request, &response), Some(Duration::from_secs(20 * 60 + 5)));
    }

    #[test]
    fn refusals_are_told_by_status_and_reason_and_never_quote() {
        let request = ApiRequest::get("x");
        let body = |reason: &str| {
            json!({"error": {"code": 403, "message": "s3cret", "status": "PERMISSION_DENIED",
                "details": [{"@type": "t", "reason": reason}]}})
        };
        let fail = || Outcome::Fail(Error::new(ErrorKind::Forbidden, "forbidden", "x"));
        for (reason, code) in [
            ("SERVICE_DISABLED", "api_disabled"),
            ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "scope_missing"),
            ("s3cret <b>", "property_forbidden"),
        ] {
            let outcome = GoogleClassifier::new(0.1).classify(&request, &answer(403, &body(reason)), fail());
            let Outcome::Fail(error) = outcome else { panic!("{reason}") };
            assert_eq!(error.code(), code);
            assert!(!format!("{error:?}").contains("s3cret"));
        }
    }
}
