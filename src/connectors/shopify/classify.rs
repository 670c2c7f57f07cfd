//! What an answer of Shopify means, beyond its status: errors come with the status 200, too (fact sheet of
//! 2026-11-22, from the platform's reference and its own clients).

use std::time::Duration;

use serde::Deserialize;

use super::auth::permanent_token_refused;
use super::client::Extensions;
use super::config::ApiVersion;
use crate::error::{Effect, Error, ErrorKind};
use crate::graphql::{Answer, Data, GraphqlError};
use crate::http::{ApiRequest, ApiResponse, BudgetReading, Classifier, Idempotency, Outcome};

/// The longest wait that a refusal for cost is taken to mean: the largest bucket fills in 20 s.
const LONGEST_WAIT: f64 = 60.0;

#[derive(Debug)]
pub(super) struct ShopifyClassifier {
    version: ApiVersion,
}

/// A search term that the platform passed over, so that the list is not what was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    search: Vec<Searched>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Searched {
    warnings: Vec<serde::de::IgnoredAny>,
}

impl ShopifyClassifier {
    pub(super) const fn new(version: ApiVersion) -> Self {
        Self { version }
    }

    fn by_body(&self, request: &ApiRequest, response: &ApiResponse) -> Outcome {
        let Ok(answer) = Answer::read(response.body()) else {
            // Whoever reads it says what is wrong with it, and asks again.
            return Outcome::Success;
        };
        if self.is_older(response) {
            tracing::warn!(
                asked = self.version.as_str(),
                "the store answered with another version of its API"
            );
        }
        let Some(first) = answer.errors.first() else {
            return match answer.data {
                Data::Present if has_ignored_terms(&answer) => Outcome::Fail(
                    sent(Error::new(
                        ErrorKind::Protocol,
                        "search_term_ignored",
                        "the store passed over a part of the search, so its list is not what was asked for",
                    ))
                    .with_remedy("report it: the platform changed what can be searched for"),
                ),
                Data::Present => Outcome::Success,
                _ => Outcome::Fail(possible(
                    request,
                    sent(Error::new(
                        ErrorKind::Protocol,
                        "answer_without_data",
                        "the store's answer has no data",
                    ))
                    .with_remedy("try again later; report it where it stays so"),
                )),
            };
        };
        if let Some(error) = answer.error("THROTTLED") {
            return throttled(error, &answer);
        }
        let coded = |code: &str| answer.error(code);
        let made = |kind, code, message: &'static str, error: &GraphqlError| {
            error.describe(sent(Error::new(kind, code, message)))
        };
        if let Some(error) = coded("MAX_COST_EXCEEDED") {
            let what = "one query may not cost so much, whatever is left of the budget";
            return Outcome::Fail(
                made(ErrorKind::TooLarge, "query_too_costly", what, error)
                    .with_remedy("ask for fewer records"),
            );
        }
        if let Some(error) = coded("ACCESS_DENIED") {
            let what = "the app may not see or do this";
            let made = made(ErrorKind::Forbidden, "scope_missing", what, error).with_remedy(
                "give the app the scope that the message names, and have the merchant accept it",
            );
            // Where the root itself is denied, nothing was begun.
            return Outcome::Fail(if error.path.len() == 1 { made } else { possible(request, made) });
        }
        if let Some(error) = coded("SHOP_INACTIVE") {
            let what = "the shop is not active";
            return Outcome::Fail(
                made(ErrorKind::Forbidden, "shop_inactive", what, error).with_remedy("ask the merchant"),
            );
        }
        if let Some(error) = coded("INTERNAL_SERVER_ERROR") {
            let what = "the store failed at the query";
            let error = made(ErrorKind::Unavailable, "store_failed", what, error)
                .with_effect(Effect::Possible)
                .with_remedy("try again later; the platform's support knows the request by its id");
            return Outcome::Retry { error, after: None };
        }
        let what = "the store does not take the query";
        Outcome::Fail(possible(
            request,
            made(ErrorKind::Rejected, "query_refused", what, first)
                .with_remedy("report it: the query does not fit the version of the API that answered"),
        ))
    }

    fn is_older(&self, response: &ApiResponse) -> bool {
        version(response).is_some_and(|version| version != self.version.as_str())
    }
}

fn version(response: &ApiResponse) -> Option<&str> {
    response.header("x-shopify-api-version")
}

/// What is odd of an answer that can be read all the same.
pub(super) fn degraded(response: &ApiResponse, asked: ApiVersion) -> Vec<&'static str> {
    let mut degraded = Vec::new();
    if version(response).is_some_and(|version| version != asked.as_str()) {
        degraded.push("api_version_differs");
    }
    if response.header("x-shopify-api-deprecated-reason").is_some() {
        degraded.push("api_member_deprecated");
    }
    degraded
}

/// It came as an answer: a refusal, and no fault on the way.
fn sent(error: Error) -> Error {
    error.with_context("status", "200")
}

/// A mutation whose answer has errors and no refusal of its own may have been done in part.
fn possible(request: &ApiRequest, error: Error) -> Error {
    if request.idempotency == Idempotency::Once { error.with_effect(Effect::Possible) } else { error }
}

fn has_ignored_terms(answer: &Answer<'_>) -> bool {
    answer
        .extensions::<Search>()
        .is_some_and(|search| search.search.iter().any(|searched| !searched.warnings.is_empty()))
}

/// Refused before it was begun: it is sent again when what it asks for is there.
fn throttled(error: &GraphqlError, answer: &Answer<'_>) -> Outcome {
    let error = error
        .describe(sent(Error::new(
            ErrorKind::RateLimited,
            "budget_spent",
            "the store's query budget is spent",
        )))
        .with_remedy("try again later, or leave other apps less of the budget");
    let cost = answer.extensions::<Extensions>().map(|extensions| extensions.cost).unwrap_or_default();
    let status = &cost.throttle_status;
    let wait = match (cost.requested_query_cost, status.currently_available, status.restore_rate) {
        (Some(requested), Some(available), Some(rate)) if rate > 0.0 => (requested - available) / rate,
        _ => 1.0,
    };
    let after = if wait.is_finite() { wait.clamp(0.0, LONGEST_WAIT) } else { 1.0 };
    Outcome::Retry { error, after: Some(Duration::from_secs_f64(after)) }
}

impl Classifier for ShopifyClassifier {
    fn classify(&self, request: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        let status = response.status().as_u16();
        let said = || Answer::read(response.body()).ok().and_then(|answer| answer.errors.into_iter().next());
        let made = |kind, code, message: &'static str| {
            let error = Error::new(kind, code, message).with_context("status", status.to_string());
            match said() {
                Some(error_said) => error_said.describe(error),
                None => error,
            }
        };
        if let Some(error) = permanent_token_refused(response.status(), response.body()) {
            return Outcome::Refresh(error);
        }
        match (status, by_status) {
            (_, Outcome::Success) => self.by_body(request, response),
            (403, _) => Outcome::Fail(
                made(ErrorKind::Forbidden, "scope_missing", "the app may not do this")
                    .with_remedy("give the app the scope, and have the merchant accept it"),
            ),
            (401, _) => Outcome::Refresh(
                made(ErrorKind::Auth, "token_refused", "the store does not take the token")
                    .with_remedy("have the merchant open the app again, or copy the token again"),
            ),
            (402, _) => Outcome::Fail(
                made(ErrorKind::Forbidden, "shop_frozen", "the shop is frozen, since a bill is open")
                    .with_remedy("try again another day"),
            ),
            (404, _) => Outcome::Fail(
                made(
                    ErrorKind::NotFound,
                    "shop_missing",
                    "there is no such shop, or no such version of its API",
                )
                .with_remedy("check the shop's domain, name.myshopify.com"),
            ),
            (423, _) => Outcome::Fail(
                made(ErrorKind::Forbidden, "shop_locked", "the platform has locked the shop")
                    .with_remedy("ask the merchant"),
            ),
            (430, _) => Outcome::Fail(
                made(ErrorKind::Forbidden, "blocked", "the platform takes the request for an attack")
                    .with_remedy("ask the platform's support, and send nothing before"),
            ),
            (_, Outcome::Fail(error)) => Outcome::Fail(match said() {
                Some(said) => said.describe(error),
                None => error,
            }),
            (_, other) => other,
        }
    }

    fn budget(&self, _: &ApiRequest, response: &ApiResponse) -> Option<BudgetReading> {
        let cost = Answer::extensions_of::<Extensions>(response.body())?.cost;
        Some(BudgetReading {
            requested: cost.requested_query_cost,
            actual: cost.actual_query_cost,
            maximum: cost.throttle_status.maximum_available,
            available: cost.throttle_status.currently_available,
            restore_per_second: cost.throttle_status.restore_rate,
        })
    }
}
