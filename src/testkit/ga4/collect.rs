//! The Measurement Protocol: it takes everything and says nothing; its debug endpoint says what is wrong, and keeps
//! nothing (documents of 2025 and 2026).

use serde_json::{Map, Value, json};

use crate::time::Timestamp;

const RESERVED_EVENTS: &[&str] = &[
    "ad_activeview",
    "ad_click",
    "ad_exposure",
    "ad_query",
    "ad_reward",
    "adunit_exposure",
    "app_clear_data",
    "app_exception",
    "app_install",
    "app_remove",
    "app_store_refund",
    "app_update",
    "app_upgrade",
    "dynamic_link_app_open",
    "dynamic_link_app_update",
    "dynamic_link_first_open",
    "error",
    "firebase_campaign",
    "firebase_in_app_message_action",
    "firebase_in_app_message_dismiss",
    "firebase_in_app_message_impression",
    "first_open",
    "first_visit",
    "notification_dismiss",
    "notification_foreground",
    "notification_open",
    "notification_receive",
    "notification_send",
    "os_update",
    "session_start",
    "user_engagement",
];
const RESERVED_PREFIXES: &[&str] = &["_", "firebase_", "ga_", "google_", "gtag."];
const MEMBERS: &[&str] = &[
    "client_id",
    "user_id",
    "timestamp_micros",
    "user_properties",
    "consent",
    "user_location",
    "ip_override",
    "device",
    "user_agent",
    "user_data",
    "events",
    "non_personalized_ads",
    "validation_behavior",
];

/// What came in at the collecting endpoint.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Collected {
    /// The measurement id of the query.
    pub measurement_id: String,
    /// Whether the secret is that of the stream: the platform takes the request either way.
    pub is_counted: bool,
    /// The body.
    pub body: Value,
}

/// What is wrong with a body: a place, a word of the platform, and a text.
pub(super) fn problems(body: &[u8], now: Timestamp) -> Vec<(String, &'static str, String)> {
    let mut found = Vec::new();
    let mut say = |at: String, code, text: String| found.push((at, code, text));
    if body.len() >= 130_000 {
        say(String::new(), "EXCEEDED_MAX_ENTITIES", "the body is too large".to_owned());
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        say(String::new(), "VALUE_INVALID", "the body is no object".to_owned());
        return found;
    };
    for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        say(name.clone(), "VALUE_INVALID", "unknown member".to_owned());
    }
    if members.get("client_id").and_then(Value::as_str).unwrap_or_default().is_empty() {
        say("client_id".to_owned(), "VALUE_REQUIRED", "client_id is required".to_owned());
    }
    if let Some(at) = members.get("timestamp_micros") {
        let age = at.as_i64().map(|micros| now.unix_millis() - micros / 1000);
        if !age.is_some_and(|age| (-900_000..=72 * 3_600_000).contains(&age)) {
            say("timestamp_micros".to_owned(), "VALUE_OUT_OF_BOUNDS", "older than 72 hours".to_owned());
        }
    }
    let empty = Vec::new();
    let events = members.get("events").and_then(Value::as_array).unwrap_or(&empty);
    if events.is_empty() {
        say("events".to_owned(), "VALUE_REQUIRED", "events are required".to_owned());
    }
    if events.len() > 25 {
        say("events".to_owned(), "EXCEEDED_MAX_ENTITIES", "more than 25 events".to_owned());
    }
    for (number, event) in events.iter().enumerate() {
        let at = format!("events[{number}]");
        let name = event.get("name").and_then(Value::as_str).unwrap_or_default();
        if !is_name(name, 40) {
            say(at.clone(), "NAME_INVALID", "the event's name is invalid".to_owned());
        }
        if RESERVED_EVENTS.contains(&name) {
            say(at.clone(), "NAME_RESERVED", "the event's name is reserved".to_owned());
        }
        let none = Map::new();
        let params = event.get("params").and_then(Value::as_object).unwrap_or(&none);
        if params.len() > 25 {
            say(at.clone(), "EXCEEDED_MAX_ENTITIES", "more than 25 parameters".to_owned());
        }
        for (name, value) in params {
            if !is_name(name, 40) {
                say(format!("{at}.{name}"), "NAME_INVALID", "the parameter's name is invalid".to_owned());
            }
            let is_reserved = RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if is_reserved || name == "firebase_conversion" {
                say(format!("{at}.{name}"), "NAME_RESERVED", "the parameter's name is reserved".to_owned());
            }
            if value.as_str().is_some_and(|text| text.chars().count() > 100) {
                say(format!("{at}.{name}"), "VALUE_OUT_OF_BOUNDS", "longer than 100 letters".to_owned());
            }
            if name == "items" {
                items(&at, value, &mut say);
            }
        }
    }
    found
}

fn items(at: &str, items: &Value, say: &mut impl FnMut(String, &'static str, String)) {
    for item in items.as_array().into_iter().flatten() {
        let has = |name: &str| item.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !has("item_id") && !has("item_name") {
            say(format!("{at}.items"), "VALUE_REQUIRED", "an item needs item_id or item_name".to_owned());
        }
    }
}

fn is_name(name: &str, most: usize) -> bool {
    name.len() <= most
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What the debug endpoint answers.
pub(super) fn told(problems: &[(String, &'static str, String)]) -> Value {
    let messages = problems
        .iter()
        .map(|(at, code, text)| json!({"fieldPath": at, "validationCode": code, "description": text}));
    json!({ "validationMessages": messages.collect::<Vec<_>>() })
}
