//! The way to the store: the client with its budget, and the ways to read an answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::classify::ShopifyClassifier;
use super::config::{ApiVersion, ShopifyConfig};
use super::wire;
use crate::connector::Page;
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::{Answer, PageInfo};
use crate::http::{ApiClient, ApiRequest, ApiResponse, BodyFault, BudgetSettings};
use crate::runtime::Runtime;
use crate::time::Timestamp;

/// What a store is taken to give before its first answer says what it does (2026-11-22: the least that was seen).
const START_POINTS: f64 = 1000.0;
const START_RESTORE: f64 = 50.0;

pub(super) fn open(config: &ShopifyConfig, runtime: &Runtime) -> Result<ApiClient> {
    let authenticator = config.credentials.open(runtime, config.private_hosts)?;
    runtime
        .client(config.store.clone(), config.origin.clone(), authenticator)
        .classifier(Arc::new(ShopifyClassifier::new(config.version)))
        .private_hosts(config.private_hosts)
        .max_in_flight(config.max_in_flight)
        .budget(BudgetSettings::new(START_POINTS, START_RESTORE).share(config.budget_share))
        .build()
}

/// An answer with records, and what it says beside them.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Bytes,
    /// The points that it was asked for.
    pub(super) requested: Option<f64>,
    server_time: Option<Timestamp>,
    took: Duration,
    degraded: Vec<&'static str>,
}

/// The parts of `extensions` that are read here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extensions {
    pub(super) cost: Cost,
}

/// What a query cost, and what is left: shops of some plans are told nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Cost {
    pub(super) requested_query_cost: Option<f64>,
    pub(super) actual_query_cost: Option<f64>,
    pub(super) throttle_status: Throttle,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Throttle {
    pub(super) maximum_available: Option<f64>,
    pub(super) currently_available: Option<f64>,
    pub(super) restore_rate: Option<f64>,
}

impl Answered {
    /// Takes over what the answer says beside its records. Of several answers, the first one's time counts.
    pub(super) fn fill(&self, page: &mut Page) {
        if page.server_time.is_none() {
            page.server_time = self.server_time;
        }
        page.took = page.took.saturating_add(self.took);
        page.degraded.extend(&self.degraded);
    }

    /// A time of the platform's clock, not later than when it read.
    pub(super) fn server_time(&self) -> Option<Timestamp> {
        self.server_time
    }

    /// How long the store had the question before the answer was here.
    pub(super) fn took(&self) -> Duration {
        self.took
    }

    /// What was odd of it.
    pub(super) fn degraded(&self) -> &[&'static str] {
        &self.degraded
    }

    /// Whether a connection goes on behind the answer, and where.
    pub(super) fn page_info(&self, connection: &[&str]) -> Result<PageInfo> {
        PageInfo::read_sole(&self.body, connection).ok().flatten().ok_or_else(wire::unreadable)
    }
}

/// Asks a query, and gives its answer whole.
pub(super) async fn answered(client: &ApiClient, version: ApiVersion, call: ApiRequest) -> Result<Answered> {
    client.execute_with(call, |response| read(response, version)).await
}

fn read(response: ApiResponse, version: ApiVersion) -> Result<Answered, BodyFault> {
    let body = response.body();
    // A page or a cut answer in the place of JSON: asked for again. What is broken within shows when it is read.
    if !(body.starts_with(b"{") && body.ends_with(b"}")) {
        Answer::read(body).map_err(BodyFault::Broken)?;
    }
    let degraded = super::classify::degraded(&response, version);
    let requested = Answer::extensions_of::<Extensions>(response.body())
        .and_then(|extensions| extensions.cost.requested_query_cost);
    let (server_time, took) = (response.server_time_before(), response.took());
    Ok(Answered { requested, server_time, took, degraded, body: response.into_body() })
}

/// Asks a query, and reads its data.
pub(super) async fn data<T: DeserializeOwned + Send>(client: &ApiClient, call: ApiRequest) -> Result<T> {
    client.execute_with(call, |response| parse(response.body(), &["data"])).await
}

/// Asks, and reads what stands at a path below the data.
pub(super) async fn member<T: DeserializeOwned + Send>(
    client: &ApiClient,
    call: ApiRequest,
    path: &[&str],
) -> Result<T> {
    let path: Vec<&str> = std::iter::once("data").chain(path.iter().copied()).collect();
    client.execute_with(call, |response| parse(response.body(), &path)).await
}

fn parse<T: DeserializeOwned>(body: &Bytes, path: &[&str]) -> Result<T, BodyFault> {
    let raw: &RawValue = wire::at(body, path).map_err(BodyFault::Broken)?;
    serde_json::from_str(raw.get()).map_err(|_| {
        BodyFault::Broken(Error::new(
            ErrorKind::Protocol,
            "answer_unreadable",
            "the store's answer lacks a field",
        ))
    })
}
