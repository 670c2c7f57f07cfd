//! What is true of a property: its profile, and what it can do.

use std::num::NonZeroU32;

use serde::Deserialize;

use super::config::Reads;
use super::report::Report;
use super::rows;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, ApiRequest, Idempotency};
use crate::model::{Capabilities, Entity, EntityCapabilities, StoreProfile, WindowClaims};
use crate::runtime::Runtime;
use crate::time::{Day, Days};

/// The rows of a page: the platform's own default. More of them would be fewer calls, and more memory.
pub(super) const MAX_PAGE: u32 = 10_000;
/// The most days of a window. Long ranges cost more, and are sampled sooner.
pub(super) const MAX_DAYS: u32 = 366;

/// A property as connecting found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) profile: StoreProfile,
}

impl Found {
    /// A property whose profile was supplied: nothing is asked.
    pub(super) fn supplied(profile: StoreProfile) -> Self {
        Self { profile }
    }
}

/// A property's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Property {
    pub(super) time_zone: String,
    pub(super) currency_code: String,
    pub(super) service_level: String,
    pub(super) delete_time: Option<String>,
}

/// Reads a property's settings.
pub(super) async fn property(admin: &ApiClient, number: u64) -> Result<Property> {
    let response = admin.execute(ApiRequest::get(format!("v1beta/properties/{number}"))).await?;
    serde_json::from_slice(response.body()).map_err(|_| rows::unreadable("no property"))
}

/// Reads time zone and currency: from the Admin API, or where that is not to be had from what a report says of itself.
pub(super) async fn discover(
    data: &ApiClient,
    admin: &ApiClient,
    number: u64,
    runtime: &Runtime,
) -> Result<Found> {
    let found = match property(admin, number).await {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
            of_report(data, number, runtime).await?
        }
        Err(error) => return Err(error),
    };
    let mut profile = StoreProfile::unknown();
    profile.currency = found.currency_code.parse().ok();
    // Every day is one of this zone's: a zone that is not known here would make each of them wrong.
    let today = Day::at(runtime.clock().now(), &found.time_zone);
    today.map_err(|error| error.with_context("setting", "the property's time zone"))?;
    profile.time_zone = Some(found.time_zone.into());
    if found.service_level == "GOOGLE_ANALYTICS_360" {
        profile.plugins.push("GOOGLE_ANALYTICS_360".into());
    }
    Ok(Found { profile })
}

/// The smallest report there is tells currency and time zone, too.
async fn of_report(data: &ApiClient, number: u64, runtime: &Runtime) -> Result<Property> {
    let today = Day::at(runtime.clock().now(), "UTC")?;
    let report = Report::new(Days::new(today.saturating_sub(1), today)?).metric("sessions").rows(0, 1);
    let call = post(number, "runReport", report.body().to_string());
    let response = data.execute(call).await?;
    let text = std::str::from_utf8(response.body()).map_err(|_| rows::unreadable("not UTF-8"))?;
    let metadata = rows::envelope(text)?.metadata;
    if metadata.time_zone.is_empty() {
        return Err(Error::new(
            ErrorKind::Protocol,
            "time_zone_untold",
            "a report did not say its time zone",
        )
        .with_remedy("switch on the Google Analytics Admin API in the credentials' project"));
    }
    Ok(Property {
        time_zone: metadata.time_zone.into_owned(),
        currency_code: metadata.currency_code.into_owned(),
        ..Property::default()
    })
}

/// A question of the Data API: it changes nothing, so it may be asked again.
pub(super) fn post(number: u64, method: &str, body: impl Into<bytes::Bytes>) -> ApiRequest {
    ApiRequest::write(http::Method::POST, format!("v1beta/properties/{number}:{method}"), body)
        .idempotency(Idempotency::Safe)
}

pub(super) fn capabilities(reads: &Reads, time_zone: Option<&str>) -> Capabilities {
    let mut claims =
        EntityCapabilities::new(Entity::Performance, NonZeroU32::MIN.saturating_add(MAX_PAGE - 1));
    claims.whole = false;
    claims.windows = Some(WindowClaims::new(MAX_DAYS, reads.settles_after_days));
    claims.counted = true;
    claims.pages_overlap = true;
    claims.settings = reads.print(time_zone);
    Capabilities::new(vec![claims])
}
