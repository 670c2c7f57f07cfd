//! Where a request goes, who may ask, and what its body must be.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::discovery::Discovery;
use super::errors::{self, Refusal};
use super::fields::{self, DIMENSIONS, FieldDef, METRICS};
use super::property::Property;
use super::request::{Batch, Compatibility, Report};
use super::store::State;
use super::{admin, collect, report};
use crate::testkit::exchange::{Request, Response, Transport};
use crate::time::Timestamp;

const READ: [&str; 2] =
    ["https://www.googleapis.com/auth/analytics.readonly", "https://www.googleapis.com/auth/analytics"];
const EDIT: [&str; 1] = ["https://www.googleapis.com/auth/analytics.edit"];

/// Answers what is asked of the endpoints that take no access token.
fn outside_the_api(state: &mut State, request: &Request, now: Timestamp) -> Option<Response> {
    let query = |name: &str| {
        form_urlencoded::parse(request.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    match request.path.as_str() {
        "/token" => {
            let host = request.header("host").unwrap_or_default();
            let scheme = if request.transport == Transport::Tls { "https" } else { "http" };
            Some(state.tokens.answer(request, &format!("{scheme}://{host}/token"), now))
        }
        "/mp/collect" => {
            state.writes += 1;
            let problems = collect::problems(&request.body, now);
            state.violate(problems.iter().map(|(at, code, _)| format!("event {at}: {code}")));
            let measurement_id = query("measurement_id");
            let is_known = state.properties.values().any(|known| known.measurement_id == measurement_id);
            let is_counted = is_known && query("api_secret") == state.api_secret;
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            state.collected.push(collect::Collected { measurement_id, is_counted, body });
            // Always: success says nothing.
            Some(Response::new(204))
        }
        "/debug/mp/collect" => {
            Some(errors::answer(200, &collect::told(&collect::problems(&request.body, now))))
        }
        _ => None,
    }
}

/// Answers a request.
pub(super) fn answer(
    state: &mut State,
    data: Option<&Discovery>,
    admin: Option<&Discovery>,
    request: &Request,
    now: Timestamp,
) -> Response {
    if let Some(response) = outside_the_api(state, request, now) {
        return response;
    }
    state.calls += 1;
    match api(state, data, admin, request, now) {
        Ok(body) => errors::answer(200, &body),
        Err(refusal) => refusal.response(),
    }
}

fn api(
    state: &mut State,
    data: Option<&Discovery>,
    official_admin: Option<&Discovery>,
    request: &Request,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let not_found = || Refusal::new(404, "NOT_FOUND", "Requested entity was not found.");
    let path = request.path.strip_prefix("/v1beta/").ok_or_else(not_found)?;
    let is_post = request.method.as_str() == "POST";
    let scopes = scopes_of(state, request, now)?;
    let must_have = |wanted: &[&str]| {
        if scopes.iter().any(|scope| wanted.contains(&scope.as_str())) {
            return Ok(());
        }
        Err(Refusal::forbidden("Request had insufficient authentication scopes.")
            .reason("ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
    };
    if path == "accountSummaries" {
        must_have(&READ)?;
        let token = form_urlencoded::parse(request.query.as_bytes()).find(|(key, _)| key == "pageToken");
        let token = token.map(|(_, token)| token.into_owned()).unwrap_or_default();
        return admin::summaries(&state.properties.values().collect::<Vec<_>>(), &token);
    }
    let rest = path.strip_prefix("properties/").ok_or_else(not_found)?;
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (id, method) = rest.split_at(end);
    let id: u64 = id.parse().map_err(|_| Refusal::invalid("A property is named by its number."))?;
    let is_data = method.starts_with(':') || method == "/metadata";
    {
        let property = state.properties.get(&id).filter(|property| !property.conditions.no_role);
        let property = property.ok_or_else(|| {
            Refusal::forbidden("User does not have sufficient permissions for this property.")
        })?;
        let conditions = &property.conditions;
        if (is_data && conditions.data_api_off) || (!is_data && conditions.admin_api_off) {
            return Err(Refusal::forbidden(
                "The API has not been used in the project before or it is disabled.",
            )
            .reason("SERVICE_DISABLED"));
        }
    }
    must_have(if !is_data && is_post { &EDIT } else { &READ })?;
    let body: Value = if is_post {
        serde_json::from_slice(&request.body)
            .map_err(|_| Refusal::invalid("Invalid JSON payload received."))?
    } else {
        Value::Null
    };
    let message = match (is_post, method) {
        (true, ":runReport") => Some((data, "RunReportRequest")),
        (true, ":batchRunReports") => Some((data, "BatchRunReportsRequest")),
        (true, ":checkCompatibility") => Some((data, "CheckCompatibilityRequest")),
        (true, "/customDimensions") => Some((official_admin, "GoogleAnalyticsAdminV1betaCustomDimension")),
        _ => None,
    };
    if let Some((Some(document), message)) = message {
        state.violate(document.problems(message, &body));
    }
    let property = state.properties.get_mut(&id).ok_or_else(not_found)?;
    match (is_post, method) {
        (true, ":runReport" | ":batchRunReports" | ":checkCompatibility") | (false, "/metadata") => {
            property.used.admit(&property.quotas, property.conditions.calls_of_others, now)?;
            if state.failures > 0 {
                (state.failures, state.failed) = (state.failures - 1, state.failed + 1);
                property.used.error();
                return Err(Refusal::new(500, "INTERNAL", "Internal error encountered."));
            }
            match method {
                ":runReport" => one_report(property, &read::<Report>(body)?, now),
                ":batchRunReports" => batch(property, &read::<Batch>(body)?, now),
                ":checkCompatibility" => compatibility(&read::<Compatibility>(body)?),
                _ => Ok(metadata(property)),
            }
        }
        (false, "") => Ok(admin::property(property)),
        (false, "/dataStreams") => Ok(admin::streams(property)),
        (false, "/customDimensions") => Ok(admin::custom_dimensions(property)),
        (true, "/customDimensions") => {
            state.writes += 1;
            admin::create_custom_dimension(property, &body)
        }
        _ => Err(not_found()),
    }
}

fn scopes_of(state: &State, request: &Request, now: Timestamp) -> Result<Vec<String>, Refusal> {
    let token = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
    let access = token.and_then(|token| state.tokens.access(token, now));
    access.map(|access| access.scopes).ok_or_else(|| {
        Refusal::new(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    })
}

/// Reads a body as the message that it has to be.
fn read<T: DeserializeOwned>(body: Value) -> Result<T, Refusal> {
    serde_json::from_value(body).map_err(|error| {
        let mut refusal = Refusal::invalid(format!("Invalid JSON payload received. {error}"));
        refusal.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"description": error.to_string()}],
        }));
        refusal
    })
}

fn one_report(property: &mut Property, asked: &Report, now: Timestamp) -> Result<Value, Refusal> {
    let mut done = report::run(property, asked, now)?;
    property.used.spend(done.tokens);
    if asked.return_property_quota && !property.conditions.quota_untold {
        let others = property.conditions.calls_of_others;
        let quota = property.used.told(&property.quotas, done.tokens, others);
        done.body.insert("propertyQuota".to_owned(), quota);
    }
    Ok(Value::Object(done.body))
}

fn batch(property: &mut Property, asked: &Batch, now: Timestamp) -> Result<Value, Refusal> {
    if asked.requests.is_empty() || asked.requests.len() > 5 {
        return Err(Refusal::invalid("A batch takes between 1 and 5 requests."));
    }
    let reports: Result<Vec<Value>, Refusal> =
        asked.requests.iter().map(|report| one_report(property, report, now)).collect();
    Ok(json!({"reports": reports?, "kind": "analyticsData#batchRunReports"}))
}

fn described(field: &FieldDef) -> Value {
    let mut told = json!({
        "apiName": field.name, "uiName": field.name, "description": field.name, "category": "Other",
    });
    if let Some(told) = told.as_object_mut() {
        if !field.kind.is_empty() {
            told.insert("type".to_owned(), json!(field.kind));
        }
        if let Some(old) = field.old {
            told.insert("deprecatedApiNames".to_owned(), json!([old]));
        }
    }
    told
}

fn metadata(property: &Property) -> Value {
    let custom = property.custom.iter().map(|dimension| {
        json!({"apiName": dimension.api_name(), "uiName": dimension.display_name, "customDefinition": true,
            "category": "Custom"})
    });
    let dimensions: Vec<Value> = DIMENSIONS.iter().map(described).chain(custom).collect();
    let metrics = METRICS.iter().map(|field| {
        let mut told = described(field);
        if property.conditions.restricted.iter().any(|name| name == field.name)
            && let Some(told) = told.as_object_mut()
        {
            told.insert("blockedReasons".to_owned(), json!(["NO_REVENUE_METRICS"]));
        }
        told
    });
    json!({
        "name": format!("properties/{}/metadata", property.id), "dimensions": dimensions,
        "metrics": metrics.collect::<Vec<_>>(),
    })
}

fn compatibility(asked: &Compatibility) -> Result<Value, Refusal> {
    let names = |named: &[super::request::Named]| named.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let (dimensions, metrics) = (names(&asked.dimensions), names(&asked.metrics));
    let mut all = fields::known(DIMENSIONS, dimensions.iter().map(String::as_str), "dimension", &[])?;
    all.extend(fields::known(METRICS, metrics.iter().map(String::as_str), "metric", &[])?);
    fields::compatible(&all)?;
    let word = |field: &FieldDef| {
        if all.iter().all(|other| fields::fit(field, other)) { "COMPATIBLE" } else { "INCOMPATIBLE" }
    };
    const FILTERS: [&str; 3] = ["COMPATIBILITY_UNSPECIFIED", "COMPATIBLE", "INCOMPATIBLE"];
    let wanted = asked.compatibility_filter.as_ref().map(|word| word.name(&FILTERS));
    let wanted = wanted.filter(|wanted| *wanted != "COMPATIBILITY_UNSPECIFIED");
    let told = |table: &'static [FieldDef], member: &str| -> Vec<Value> {
        table
            .iter()
            .filter(|field| wanted.is_none_or(|wanted| wanted == word(field)))
            .map(|field| json!({member: described(field), "compatibility": word(field)}))
            .collect()
    };
    Ok(json!({
        "dimensionCompatibilities": told(DIMENSIONS, "dimensionMetadata"),
        "metricCompatibilities": told(METRICS, "metricMetadata"),
    }))
}
