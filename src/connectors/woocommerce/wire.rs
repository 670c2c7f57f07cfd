//! Requests and answers as pure functions.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::object::Object;
use crate::connector::{Detail, Purpose, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault, Idempotency};
use crate::model::{Cursor, Entity, ExternalId, LengthUnit, MassUnit};
use crate::time::Timestamp;

/// The most records a page can hold (`per_page`, 1..=100).
pub(super) const MAX_PAGE: u32 = 100;

/// A list of 100 products takes a small host up to a minute.
const LIST_READ_TIMEOUT: Duration = Duration::from_secs(60);
const LIST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);

/// A profile without a version is worth more than a long wait.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);

/// A save runs every plugin's hooks; a lost answer costs more than a long wait.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(45);
/// A host of one core may take a second for each of a hundred items.
pub(super) const BATCH_TIMEOUT: Duration = Duration::from_secs(90);

/// A position in a list: how many records stand before it. In a list of ids, how many were asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset(pub(super) u64);

impl Offset {
    pub(super) fn read(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self(0)) };
        cursor.as_str().parse().map(Self).map_err(|_| {
            Error::new(ErrorKind::Config, "cursor_unreadable", "the cursor is not one of this connector")
        })
    }

    pub(super) fn cursor(self) -> Cursor {
        Cursor::new(self.0.to_string())
    }
}

pub(super) fn collection(entity: Entity) -> &'static str {
    match entity {
        Entity::Variant => "wp-json/wc/v3/variations",
        Entity::Category => "wp-json/wc/v3/products/categories",
        Entity::Tag => "wp-json/wc/v3/products/tags",
        Entity::Brand => "wp-json/wc/v3/products/brands",
        Entity::Attribute | Entity::AttributeValue => ATTRIBUTES,
        _ => "wp-json/wc/v3/products",
    }
}

/// The attributes: all in one answer, by name.
pub(super) const ATTRIBUTES: &str = "wp-json/wc/v3/products/attributes";

/// The values of one attribute.
pub(super) fn values_of(attribute: u64) -> String {
    format!("{ATTRIBUTES}/{attribute}/terms")
}

/// The variations of one product.
pub(super) fn variations_of(product: impl fmt::Display) -> String {
    format!("wp-json/wc/v3/products/{product}/variations")
}

/// Products and variations have a status, dates and an edit form; terms have none of them.
fn is_post(entity: Entity) -> bool {
    matches!(entity, Entity::Product | Entity::Variant)
}

/// A page of the list of all records of a kind.
pub(super) fn list(
    entity: Entity,
    select: &Select,
    detail: Detail,
    offset: Offset,
    per_page: u32,
) -> ApiRequest {
    list_at(collection(entity), entity, select, detail, offset, per_page)
}

/// A page of a list by ascending id: any other order repeats and skips records when pages shift.
pub(super) fn list_at(
    path: impl Into<Cow<'static, str>>,
    entity: Entity,
    select: &Select,
    detail: Detail,
    offset: Offset,
    per_page: u32,
) -> ApiRequest {
    let request = by_id(path, entity).query("per_page", per_page.to_string());
    let request = changed_since(request.query("offset", offset.0.to_string()), select);
    detailed(request, entity, detail).attempt_limits(LIST_READ_TIMEOUT, LIST_ATTEMPT_TIMEOUT)
}

/// A page of the products that may have variations, with the ids of these.
///
/// Plugins bring types of their own with variations, which `type=variable` would leave out in silence. A store
/// that does not know `exclude_types` ignores it, and lists all products: more calls, and nothing missing.
pub(super) fn parents(select: &Select, offset: Offset, per_page: u32) -> ApiRequest {
    let request = by_id(collection(Entity::Product), Entity::Product)
        .query("exclude_types", "simple,grouped,external")
        .query("per_page", per_page.to_string())
        .query("offset", offset.0.to_string())
        .query("_fields", "id,variations");
    changed_since(request, select).attempt_limits(LIST_READ_TIMEOUT, LIST_ATTEMPT_TIMEOUT)
}

fn by_id(path: impl Into<Cow<'static, str>>, entity: Entity) -> ApiRequest {
    let request = ApiRequest::get(path).query("orderby", "id").query("order", "asc");
    if is_post(entity) { request.query("status", "any") } else { request }
}

fn changed_since(request: ApiRequest, select: &Select) -> ApiRequest {
    let Select::Since(since) = select else { return request };
    // The comparison is strict, and a time with a zone beside `dates_are_gmt` is off by the site's offset.
    let since = since.saturating_sub(Duration::from_secs(1));
    request.query("modified_after", since.to_utc_civil()).query("dates_are_gmt", "true")
}

/// Records by their ids out of the list of all of a kind, as they are stored.
pub(super) fn by_ids(
    entity: Entity,
    ids: &[ExternalId],
    detail: Detail,
    purpose: Purpose,
    nonce: &str,
) -> ApiRequest {
    by_ids_at(collection(entity), entity, ids, detail, purpose, nonce)
}

/// Records by their ids out of a list, as they are stored.
pub(super) fn by_ids_at(
    path: impl Into<Cow<'static, str>>,
    entity: Entity,
    ids: &[ExternalId],
    detail: Detail,
    purpose: Purpose,
    nonce: &str,
) -> ApiRequest {
    let ids: Vec<&str> = ids.iter().map(ExternalId::as_str).collect();
    let request = by_id(path, entity).query("include", ids.join(",")).query("per_page", MAX_PAGE.to_string());
    uncached(detailed(request, entity, detail), purpose, nonce)
        .attempt_limits(LIST_READ_TIMEOUT, LIST_ATTEMPT_TIMEOUT)
}

/// One product by its own route.
pub(super) fn product(id: &ExternalId, purpose: Purpose, nonce: &str) -> ApiRequest {
    let request = ApiRequest::get(format!("{}/{}", collection(Entity::Product), id.as_str()));
    uncached(detailed(request, Entity::Product, Detail::Full), purpose, nonce)
        .attempt_limits(LIST_READ_TIMEOUT, LIST_ATTEMPT_TIMEOUT)
}

/// What only the product route says of a variation, which it answers for, too: its product, and its description as it
/// is stored. The routes of variations show descriptions as a page would, in either context (recorded on
/// 2026-11-22; `class-wc-rest-product-variations-controller`).
pub(super) fn own_route(id: &ExternalId, purpose: Purpose, nonce: &str) -> ApiRequest {
    let request = ApiRequest::get(format!("{}/{}", collection(Entity::Product), id.as_str()));
    let request = request.query("context", "edit").query("_fields", "id,type,parent_id,description");
    uncached(request, purpose, nonce)
}

/// All attributes.
pub(super) fn attributes(detail: Detail, purpose: Purpose, nonce: &str) -> ApiRequest {
    uncached(detailed(ApiRequest::get(ATTRIBUTES), Entity::Attribute, detail), purpose, nonce)
}

/// `context=edit` gives texts as they are stored; the default runs them through the theme's filters. Terms have
/// one form only. Fields are asked for whole: a dotted name within a list (`images.alt`) gives an empty list.
fn detailed(request: ApiRequest, entity: Entity, detail: Detail) -> ApiRequest {
    let request =
        if is_post(entity) && detail != Detail::IdsOnly { request.query("context", "edit") } else { request };
    match (detail, entity) {
        (Detail::Full, _) => request,
        (Detail::Unclocked, Entity::Product) => {
            request.query("_fields", "id,images,categories,tags,brands,attributes")
        }
        (Detail::Unclocked, Entity::Variant) => request.query("_fields", "id,image,attributes"),
        (Detail::Unclocked | Detail::IdsOnly, _) => request.query("_fields", "id"),
    }
}

/// Page caches serve old bodies: a query that nobody sent before gets past them.
fn uncached(request: ApiRequest, purpose: Purpose, nonce: &str) -> ApiRequest {
    match purpose {
        Purpose::Catalogue => request,
        Purpose::Guard | Purpose::Verify => request.query("_skip_cache", "1").query("_", nonce),
    }
}

/// An id that may stand in a path: a number as this platform writes it, from 1 on.
pub(super) fn is_id(id: &ExternalId) -> bool {
    id.as_str().parse::<i64>().is_ok_and(|number| number > 0 && number.to_string() == id.as_str())
}

/// An answer with records: its body cleaned, and what its headers say.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Bytes,
    pub(super) total: Option<u64>,
    pub(super) server_time: Option<Timestamp>,
    pub(super) took: Duration,
    pub(super) degraded: Option<&'static str>,
}

/// Reads an answer that should be JSON which opens with `open` and is whole.
pub(super) fn answered(response: ApiResponse, open: u8) -> Result<Answered, BodyFault> {
    let total = response.header("x-wp-total").and_then(|total| total.trim().parse().ok());
    let server_time = response.server_time_before();
    let took = response.took();
    let (body, degraded) = clean(response.into_body(), open)?;
    Ok(Answered { body, total, server_time, took, degraded })
}

/// Plugins print warnings and byte order marks before the JSON: they are cut off, and told.
fn clean(body: Bytes, open: u8) -> Result<(Bytes, Option<&'static str>), BodyFault> {
    let close = if open == b'[' { b']' } else { b'}' };
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(body.len());
    let end = body.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
    let is_clean = body.get(start) == Some(&open);
    if is_clean && end > start && body.get(end - 1) == Some(&close) {
        return Ok((body, None));
    }
    if is_clean {
        return Err(BodyFault::Broken(
            Error::new(ErrorKind::Protocol, "answer_cut", "the store's answer ends before its JSON does")
                .with_remedy("look for a proxy or time limit that cuts long answers; ask for smaller pages"),
        ));
    }
    let found = body
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == open)
        .take(32)
        .map(|(at, _)| body.slice(at..end.max(at)))
        .find(|rest| serde_json::from_slice::<IgnoredAny>(rest).is_ok());
    match found {
        Some(rest) => Ok((rest, Some("noise_before_json"))),
        None => Err(BodyFault::Broken(
            Error::new(
                ErrorKind::Protocol,
                "answer_not_json",
                "the store answered with a page instead of JSON",
            )
            .with_remedy("look for a bot check, login page, cache or plugin before the store's REST API"),
        )),
    }
}

/// The ids of a body's records, for answers whose size or members must be known before they are mapped.
pub(super) fn ids(body: &Bytes) -> Result<Vec<ExternalId>> {
    #[derive(Deserialize)]
    struct Id {
        id: u64,
    }
    serde_json::from_slice::<Vec<Object<Id>>>(body)
        .map(|ids| ids.into_iter().map(|Object(id)| ExternalId::from(id.id.to_string())).collect())
        .map_err(|error| unreadable(&error))
}

/// The entries of a list, as they are wanted.
pub(super) fn read_list<'de, T: Deserialize<'de>>(body: &'de Bytes) -> Result<Vec<T>> {
    serde_json::from_slice(body).map_err(|error| unreadable(&error))
}

/// How many records a body holds, whatever is in them.
pub(super) fn count(body: &Bytes) -> Result<u64> {
    let records: Vec<IgnoredAny> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    Ok(records.len() as u64)
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", "the store's list cannot be read")
        .with_context("line", error.line().to_string())
        .with_context("column", error.column().to_string())
}

/// A product and the variations that it names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Parent {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) variations: Vec<u64>,
}

/// The products of an answer to [`parents`].
pub(super) fn read_parents(body: &Bytes) -> Result<Vec<Parent>> {
    read_list(body)
}

/// The answer to [`own_route`].
#[derive(Debug, Deserialize)]
pub(super) struct OwnRoute {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) parent_id: u64,
    #[serde(default)]
    pub(super) description: Option<Box<RawValue>>,
}

/// The variations of a body that show a description.
pub(super) fn described(body: &Bytes) -> Result<Vec<ExternalId>> {
    #[derive(Deserialize)]
    struct Shown<'a> {
        id: u64,
        #[serde(borrow, default)]
        description: Option<&'a RawValue>,
    }
    let records: Vec<Object<Shown<'_>>> = read_list(body)?;
    let is_described = |shown: &Shown<'_>| shown.description.is_some_and(|text| text.get() != "\"\"");
    let described = records.into_iter().map(|Object(shown)| shown).filter(is_described);
    Ok(described.map(|shown| ExternalId::from(shown.id.to_string())).collect())
}

/// Adds descriptions as they are stored to the variations of a body, below a key of our own: the records' own bytes
/// stay as they came. A variation that has none there is as it is shown.
pub(super) fn with_stored(body: &Bytes, stored: &HashMap<ExternalId, Box<RawValue>>) -> Result<Bytes> {
    let raws: Vec<&RawValue> = read_list(body)?;
    let records = raws.into_iter().zip(ids(body)?).map(|(raw, id)| {
        let raw = raw.get();
        match stored.get(&id).zip(raw.strip_suffix('}')) {
            Some((text, open)) => Cow::from(format!(r#"{open},"_lily":{{"description":{}}}}}"#, text.get())),
            None => Cow::from(raw),
        }
    });
    let records: Vec<Cow<'_, str>> = records.collect();
    Ok(Bytes::from(format!("[{}]", records.join(","))))
}

/// A body with nothing but ids, as a list of ids only would have it.
pub(super) fn body_of_ids(ids: impl Iterator<Item = u64>) -> Bytes {
    let items: Vec<String> = ids.map(|id| format!("{{\"id\":{id}}}")).collect();
    Bytes::from(format!("[{}]", items.join(",")))
}

/// Of a body's records, those with these ids, in the body's own bytes.
pub(super) fn keep(body: &Bytes, wanted: &[ExternalId]) -> Result<(Bytes, Vec<ExternalId>)> {
    let raws: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let ids = ids(body)?;
    let (mut kept, mut found) = (Vec::new(), Vec::new());
    for (raw, id) in raws.into_iter().zip(ids) {
        if wanted.contains(&id) {
            kept.push(raw.get());
            found.push(id);
        }
    }
    Ok((Bytes::from(format!("[{}]", kept.join(","))), found))
}

/// The site's index, which needs no key.
pub(super) fn index() -> ApiRequest {
    ApiRequest::get("wp-json/").query("_fields", "home,gmt_offset,timezone_string,namespaces")
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Index {
    #[serde(default)]
    pub(super) home: String,
    /// In hours; a number or a text of one.
    #[serde(default)]
    pub(super) gmt_offset: serde_json::Value,
    /// Empty where the site has an offset and no zone.
    #[serde(default)]
    pub(super) timezone_string: String,
    #[serde(default)]
    pub(super) namespaces: Vec<String>,
}

pub(super) fn setting(name: &'static str) -> ApiRequest {
    ApiRequest::get(name)
}

pub(super) const CURRENCY: &str = "wp-json/wc/v3/data/currencies/current";
pub(super) const WEIGHT_UNIT: &str = "wp-json/wc/v3/settings/products/woocommerce_weight_unit";
pub(super) const LENGTH_UNIT: &str = "wp-json/wc/v3/settings/products/woocommerce_dimension_unit";

#[derive(Debug, Deserialize)]
pub(super) struct CurrentCurrency {
    pub(super) code: String,
}

/// The version of the shop: a heavy call, which is made once and not repeated, and given little time.
pub(super) fn system_status() -> ApiRequest {
    ApiRequest::get("wp-json/wc/v3/system_status")
        .query("_fields", "environment")
        .idempotency(Idempotency::Once)
        .attempt_limits(STATUS_TIMEOUT, STATUS_TIMEOUT)
        .timeout(STATUS_TIMEOUT)
}

#[derive(Debug, Deserialize)]
pub(super) struct SystemStatus {
    pub(super) environment: Environment,
}

#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Setting {
    pub(super) value: String,
}

pub(super) fn mass_unit(word: &str) -> Option<MassUnit> {
    match word {
        "kg" => Some(MassUnit::Kilogram),
        "g" => Some(MassUnit::Gram),
        "lbs" => Some(MassUnit::Pound),
        "oz" => Some(MassUnit::Ounce),
        _ => None,
    }
}

pub(super) fn length_unit(word: &str) -> Option<LengthUnit> {
    match word {
        "m" => Some(LengthUnit::Metre),
        "cm" => Some(LengthUnit::Centimetre),
        "mm" => Some(LengthUnit::Millimetre),
        "in" => Some(LengthUnit::Inch),
        "yd" => Some(LengthUnit::Yard),
        _ => None,
    }
}

/// The platform takes one level of backslashes off texts; a doubled one is stored as one.
pub(super) fn slash(text: &str) -> String {
    text.replace('\\', "\\\\")
}

/// Reads a small JSON answer.
pub(super) fn json<T: for<'de> Deserialize<'de>>(response: ApiResponse) -> Result<T, BodyFault> {
    let answered = answered(response, b'{')?;
    serde_json::from_slice(&answered.body).map_err(|_| {
        BodyFault::Broken(Error::new(
            ErrorKind::Protocol,
            "answer_unreadable",
            "the store's answer lacks a field",
        ))
    })
}
