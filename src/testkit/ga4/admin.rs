//! The Admin API, as far as a connector needs it: properties, streams and custom dimensions.

use serde_json::{Value, json};

use super::errors::Refusal;
use super::property::{CustomDimension, Property};

/// The most custom dimensions of each scope of a standard property.
const MOST: [(&str, usize); 3] = [("EVENT", 50), ("USER", 25), ("ITEM", 10)];

pub(super) fn property(property: &Property) -> Value {
    let level = if property.is_360 { "GOOGLE_ANALYTICS_360" } else { "GOOGLE_ANALYTICS_STANDARD" };
    json!({
        "name": format!("properties/{}", property.id), "parent": "accounts/1", "account": "accounts/1",
        "displayName": property.display_name, "timeZone": property.time_zone,
        "currencyCode": property.currency, "serviceLevel": level, "propertyType": "PROPERTY_TYPE_ORDINARY",
        "createTime": "2024-01-01T00:00:00Z", "updateTime": "2024-01-01T00:00:00Z",
    })
}

pub(super) fn streams(property: &Property) -> Value {
    json!({"dataStreams": [{
        "name": format!("properties/{}/dataStreams/1", property.id), "type": "WEB_DATA_STREAM",
        "displayName": "Web", "createTime": "2024-01-01T00:00:00Z", "updateTime": "2024-01-01T00:00:00Z",
        "webStreamData": {"measurementId": property.measurement_id, "defaultUri": "https://shop.example"},
    }]})
}

/// One page of the account's properties: one property a page, so that lists go on.
pub(super) fn summaries(properties: &[&Property], token: &str) -> Result<Value, Refusal> {
    let at = if token.is_empty() { Ok(0) } else { token.parse::<usize>() };
    let at = at.map_err(|_| Refusal::invalid("Invalid page token."))?;
    let some = properties.iter().skip(at).take(1).map(|property| {
        json!({
            "property": format!("properties/{}", property.id), "displayName": property.display_name,
            "propertyType": "PROPERTY_TYPE_ORDINARY", "parent": "accounts/1", "canEdit": true,
        })
    });
    let some: Vec<Value> = some.collect();
    let mut page = json!({"accountSummaries": [{
        "name": "accountSummaries/1", "account": "accounts/1", "displayName": "Account", "propertySummaries": some,
    }]});
    if at + 1 < properties.len()
        && let Some(page) = page.as_object_mut()
    {
        page.insert("nextPageToken".to_owned(), json!((at + 1).to_string()));
    }
    Ok(page)
}

fn custom_dimension(property: &Property, number: usize, dimension: &CustomDimension) -> Value {
    json!({
        "name": format!("properties/{}/customDimensions/{}", property.id, number + 1),
        "parameterName": dimension.parameter, "displayName": dimension.display_name, "scope": dimension.scope,
    })
}

pub(super) fn custom_dimensions(property: &Property) -> Value {
    let all =
        property.custom.iter().enumerate().map(|(n, dimension)| custom_dimension(property, n, dimension));
    let all: Vec<Value> = all.collect();
    if all.is_empty() { json!({}) } else { json!({ "customDimensions": all }) }
}

pub(super) fn create_custom_dimension(property: &mut Property, body: &Value) -> Result<Value, Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = CustomDimension {
        parameter: text("parameterName"),
        display_name: text("displayName"),
        scope: text("scope"),
    };
    let is_name = made.parameter.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && made.parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && made.parameter.len() <= 40;
    if !is_name || made.display_name.is_empty() || made.display_name.chars().count() > 82 {
        return Err(Refusal::invalid("The parameter name or the display name is invalid."));
    }
    let Some((_, most)) = MOST.iter().find(|(scope, _)| *scope == made.scope) else {
        return Err(Refusal::invalid("The scope must be EVENT, USER or ITEM."));
    };
    let same = |known: &&CustomDimension| known.scope == made.scope;
    if property.custom.iter().filter(same).any(|known| known.parameter == made.parameter) {
        return Err(Refusal::new(409, "ALREADY_EXISTS", "There is such a custom dimension."));
    }
    if property.custom.iter().filter(same).count() >= *most {
        return Err(Refusal::exhausted("There are as many custom dimensions as there may be."));
    }
    property.custom.push(made);
    let number = property.custom.len() - 1;
    property
        .custom
        .last()
        .map(|made| custom_dimension(property, number, made))
        .ok_or_else(|| Refusal::new(500, "INTERNAL", "It was not kept."))
}
