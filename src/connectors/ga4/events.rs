//! The Measurement Protocol: events that mark where content was applied and shown (documents of 2025 and 2026).
//!
//! The platform takes every request and says nothing, so an event is checked before it is sent, and a success is
//! [`EventOutcome::Sent`], never more. There is no place for personal data: no user id, no address, no user property.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connector::Ga4;
use super::rows;
use crate::auth::{Authenticator, Origin, RequestToSign};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::{ApiClient, ApiRequest, ApiResponse, BodyFault, Idempotency};
use crate::model::{Secret, StoreKey, Text};
use crate::runtime::Runtime;
use crate::time::Timestamp;

/// The limits of a request (`measurement_protocol_limits`, 2026-11-22).
const MAX_EVENTS: usize = 25;
const MAX_PARAMS: usize = 25;
const MAX_NAME: usize = 40;
const MAX_VALUE: usize = 100;
const MAX_BODY: usize = 130_000;
const MAX_AGE: Duration = Duration::from_secs(72 * 3600);
/// The most events of one call of ours, and the most complaints that are collected about them.
const MAX_BATCH: usize = 10_000;
const MAX_COMPLAINTS: usize = 1000;

/// The parameters of our events.
pub(super) const ITEM: &str = "lily_item";
pub(super) const VERSION: &str = "lily_version";
pub(super) const ARM: &str = "lily_arm";

const RESERVED_NAMES: &[&str] = &[
    "ad_activeview",
    "ad_click",
    "ad_exposure",
    "ad_impression",
    "ad_query",
    "ad_reward",
    "adunit_exposure",
    "error",
    "first_open",
    "first_visit",
    "in_app_purchase",
    "screen_view",
    "session_start",
    "user_engagement",
];
/// Names that the platform gives a meaning of its own, most of them of sales: they need what cannot be given here, and
/// would count as such (required parameters of 2025-10-08).
const COMMERCE_NAMES: &[&str] = &[
    "add_payment_info",
    "add_shipping_info",
    "add_to_cart",
    "add_to_wishlist",
    "begin_checkout",
    "generate_lead",
    "post_score",
    "purchase",
    "refund",
    "remove_from_cart",
    "search",
    "select_item",
    "spend_virtual_currency",
    "unlock_achievement",
    "view_cart",
    "view_item",
    "view_item_list",
    "view_promotion",
];
/// All names of these families are reserved or of apps alone.
const RESERVED_FAMILIES: &[&str] = &["app_", "dynamic_link_", "notification_", "os_update"];
const RESERVED_PREFIXES: &[&str] = &["_", "firebase_", "ga_", "google_", "gtag."];

/// Where events are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Region {
    /// Wherever the platform likes.
    #[default]
    Global,
    /// In the European Union.
    Europe,
}

impl Region {
    pub(super) const fn url(self) -> &'static str {
        match self {
            Self::Global => "https://www.google-analytics.com",
            Self::Europe => "https://region1.google-analytics.com",
        }
    }
}

/// What the visitor agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Consent {
    /// The shop does not say.
    #[default]
    Unknown,
    /// To the use for advertising, too.
    Granted,
    /// To nothing: nothing is sent.
    Denied,
}

/// An event. Its texts were checked: they look like no e-mail address and no telephone number, and hold no query.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    name: Text,
    params: Vec<(Text, Value)>,
}

impl Event {
    /// An event by a name of its own.
    ///
    /// # Errors
    /// `Rejected` where the name cannot be, or is one of the platform's.
    pub fn new(name: impl Into<Text>) -> Result<Self> {
        let name = name.into();
        let is_reserved = RESERVED_NAMES.contains(&name.as_str())
            || COMMERCE_NAMES.contains(&name.as_str())
            || RESERVED_FAMILIES.iter().chain(RESERVED_PREFIXES).any(|prefix| name.starts_with(prefix));
        if !is_name(&name) || is_reserved {
            return Err(refused(
                "event_name",
                "an event's name has letters, digits and underscores, at most 40, and is none of the platform's",
            ));
        }
        Ok(Self { name, params: Vec::new() })
    }

    /// Content of that version was applied to an item.
    ///
    /// # Errors
    /// `Rejected` where a text cannot be sent.
    pub fn content_applied(item: &str, version: &str) -> Result<Self> {
        Self::new("lily_content_applied")?.text(ITEM, item)?.text(VERSION, version)
    }

    /// Content of that version was shown to a visitor, in an arm of an experiment.
    ///
    /// # Errors
    /// `Rejected` where a text cannot be sent.
    pub fn content_exposed(item: &str, version: &str, arm: &str) -> Result<Self> {
        Self::new("lily_content_exposed")?.text(ITEM, item)?.text(VERSION, version)?.text(ARM, arm)
    }

    /// Adds a text.
    ///
    /// # Errors
    /// `Rejected` where the name cannot be, the text is over 100 letters, or looks like personal data.
    pub fn text(self, name: impl Into<Text>, text: &str) -> Result<Self> {
        if text.chars().count() > MAX_VALUE {
            return Err(refused("event_value_too_long", "a parameter's text has at most 100 letters"));
        }
        if is_personal(text) {
            return Err(refused(
                "event_value_personal",
                "a parameter's text looks like an e-mail address, a telephone number or an address with a query",
            ));
        }
        self.with(name.into(), text.into())
    }

    /// Adds a whole number, such as `engagement_time_msec`.
    ///
    /// # Errors
    /// `Rejected` where the name cannot be.
    pub fn number(self, name: impl Into<Text>, number: i64) -> Result<Self> {
        self.with(name.into(), number.into())
    }

    fn with(mut self, name: Text, value: Value) -> Result<Self> {
        let is_reserved = RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        // Such names are for personal data alone.
        let is_personal =
            matches!(name.as_str(), "user_id" | "user_data" | "email" | "phone" | "ip_override");
        if !is_name(&name) || is_reserved || is_personal || name.as_str() == "firebase_conversion" {
            return Err(refused(
                "event_parameter",
                "a parameter's name has letters, digits and underscores, at most 40, and is none of the platform's",
            ));
        }
        if self.params.len() >= MAX_PARAMS || self.params.iter().any(|(known, _)| *known == name) {
            return Err(refused("event_parameters", "an event has at most 25 parameters, each once"));
        }
        self.params.push((name, value));
        Ok(self)
    }

    fn body(&self) -> Value {
        let params: Map<String, Value> =
            self.params.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        json!({"name": self.name, "params": params})
    }
}

/// Events of one sender.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Events {
    /// The events, at most 10,000.
    pub events: Vec<Event>,
    /// The browser's own id, out of its `_ga` cookie: two numbers joined by a dot. None for events that no visitor
    /// caused: they have an id of ours, and add to the traffic of one visitor.
    pub client: Option<Text>,
    /// What the visitor agreed to.
    pub consent: Consent,
    /// When it happened, at most 72 hours ago; none for now.
    pub at: Option<Timestamp>,
}

impl Events {
    /// Events that no visitor caused, now.
    #[must_use]
    pub fn new(events: Vec<Event>) -> Self {
        Self { events, client: None, consent: Consent::default(), at: None }
    }

    /// Events of a browser.
    ///
    /// # Errors
    /// `Rejected` where the id is not two numbers joined by a dot.
    pub fn of_browser(events: Vec<Event>, client: &str, consent: Consent) -> Result<Self> {
        let is_number =
            |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
        match client.split_once('.') {
            Some((one, two)) if is_number(one) && is_number(two) => {
                Ok(Self { client: Some(client.into()), consent, ..Self::new(events) })
            }
            _ => Err(refused("client_id", "a browser's id is two numbers joined by a dot")),
        }
    }

    /// Says when they happened.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }
}

/// What became of an event. None of these says that it was recorded: nobody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventOutcome {
    /// It was sent, and the answer was a success, which a wrong secret and a malformed event have as well.
    Sent,
    /// It was sent, and nobody knows whether it arrived. It is not sent again: it might count twice.
    Unknown,
    /// It was not sent, or refused.
    NotSent,
    /// It was held back, since the visitor agreed to nothing.
    Withheld,
}

/// How strictly the debug endpoint looks at events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Validation {
    /// As events are taken.
    #[default]
    Relaxed,
    /// By the platform's recommendations, too.
    Enforced,
}

/// What the debug endpoint finds wrong with events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Complaint {
    /// The place.
    pub field_path: Text,
    /// The platform's word, such as `NAME_INVALID`.
    pub validation_code: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Validated {
    validation_messages: Vec<Complaint>,
}

/// A web stream that events are sent to.
#[derive(Clone)]
pub(super) struct Sender {
    store: StoreKey,
    origin: Origin,
    measurement_id: Text,
    secret: Secret,
    /// The id of events that no visitor caused.
    client: Text,
}

impl Sender {
    pub(super) fn new(store: &StoreKey, id: &str, secret: Secret, origin: Origin) -> Result<Self> {
        let is_id = id.len() <= 20
            && id.strip_prefix("G-").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if !is_id {
            return Err(Error::new(
                ErrorKind::Config,
                "measurement_id_unusable",
                "a measurement id is such as G-ABC123",
            )
            .with_remedy("copy it from the property's web stream"));
        }
        if secret.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "api_secret_missing",
                "the stream's API secret is missing",
            )
            .with_remedy("make one under Measurement Protocol API secrets of the web stream"));
        }
        if !origin.is_https() && !origin.is_loopback() {
            return Err(Error::new(
                ErrorKind::Config,
                "query_key_over_http",
                "the secret goes along in the query, so the address must begin with https://",
            ));
        }
        // Its limits are its own, and not those of reports.
        let store =
            StoreKey::new(store.tenant.clone(), store.platform.clone(), format!("{}/events", store.account));
        let number = twox_hash::XxHash3_64::oneshot(store.account.as_bytes()) % 1_000_000_000;
        let client = Text::from(format!("{}.1", 1_000_000_000 + number));
        Ok(Self { store, origin, measurement_id: id.into(), secret, client })
    }

    pub(super) fn measurement_id(&self) -> &str {
        &self.measurement_id
    }

    pub(super) fn open(&self, runtime: &Runtime, private_hosts: bool) -> Result<ApiClient> {
        let authenticator = Arc::new(StreamKey {
            origin: self.origin.clone(),
            id: Secret::new(self.measurement_id.as_str()),
            secret: self.secret.clone(),
        });
        // What was not answered with a success is never sent again: it might count twice.
        let client = runtime.client(self.store.clone(), self.origin.clone(), authenticator);
        client.private_hosts(private_hosts).attempts(1).build()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("origin", &self.origin)
            .field("measurement_id", &self.measurement_id)
            .finish_non_exhaustive()
    }
}

/// The stream's id and secret, which go in the sent query alone.
struct StreamKey {
    origin: Origin,
    id: Secret,
    secret: Secret,
}

#[async_trait]
impl Authenticator for StreamKey {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        self.query(request).map(|_| Vec::new())
    }

    fn query(&self, request: &RequestToSign<'_>) -> Result<Vec<(&'static str, Secret)>> {
        if !self.origin.holds(request.url) {
            return Err(Error::new(
                ErrorKind::Config,
                "origin_mismatch",
                "these credentials belong to another address and are not sent there",
            ));
        }
        Ok(vec![("measurement_id", self.id.clone()), ("api_secret", self.secret.clone())])
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Ga4 {
    /// Sends events, in as many requests as they take, and says of each what became of it, in their order.
    ///
    /// They add to the property's traffic: off unless a stream is set.
    ///
    /// # Errors
    /// `Config` where no stream is set; `Rejected` where they are too many or too old, with nothing sent.
    pub async fn send_events(&self, events: &Events) -> Result<Vec<EventOutcome>> {
        let (client, sender) = self.way()?;
        let bodies = self.bodies(sender, events, None)?;
        if events.consent == Consent::Denied {
            return Ok(vec![EventOutcome::Withheld; events.events.len()]);
        }
        let mut outcomes = Vec::with_capacity(events.events.len());
        for (body, count) in bodies {
            let call = ApiRequest::write(http::Method::POST, "mp/collect", body);
            let outcome = match client.execute(call).await {
                Ok(_) => EventOutcome::Sent,
                Err(error) if error.effect() == Effect::None => EventOutcome::NotSent,
                Err(_) => EventOutcome::Unknown,
            };
            outcomes.extend(std::iter::repeat_n(outcome, count));
        }
        Ok(outcomes)
    }

    /// Asks the debug endpoint what is wrong with events, up to a thousand complaints. It records nothing, and looks
    /// at neither the measurement id nor the secret.
    ///
    /// # Errors
    /// As [`Ga4::send_events`], and what the pipeline says.
    pub async fn validate_events(&self, events: &Events, how: Validation) -> Result<Vec<Complaint>> {
        let (client, sender) = self.way()?;
        let mut complaints = Vec::new();
        for (body, _) in self.bodies(sender, events, Some(how))? {
            let call = ApiRequest::write(http::Method::POST, "debug/mp/collect", body);
            let read = |response: ApiResponse| {
                serde_json::from_slice::<Validated>(response.body())
                    .map_err(|_| BodyFault::Broken(rows::unreadable("no validation")))
            };
            let validated = client.execute_with(call.idempotency(Idempotency::Safe), read).await?;
            complaints.extend(validated.validation_messages);
            if complaints.len() >= MAX_COMPLAINTS {
                complaints.truncate(MAX_COMPLAINTS);
                break;
            }
        }
        Ok(complaints)
    }

    fn way(&self) -> Result<(&ApiClient, &Sender)> {
        self.events.as_ref().zip(self.sender.as_ref()).ok_or_else(|| {
            Error::new(ErrorKind::Config, "stream_missing", "no stream is set, so no event is sent")
                .with_remedy("set the measurement id and an API secret of the property's web stream")
        })
    }

    /// The bodies of the requests, each with how many events it has.
    fn bodies(
        &self,
        sender: &Sender,
        events: &Events,
        how: Option<Validation>,
    ) -> Result<Vec<(Vec<u8>, usize)>> {
        if events.events.len() > MAX_BATCH {
            return Err(refused("events_too_many", "a call sends at most 10,000 events"));
        }
        let now = self.runtime.clock().now();
        if let Some(at) = events.at
            && (at < now.saturating_sub(MAX_AGE) || at > now)
        {
            // The platform would move it to the edge of what it takes, in silence.
            return Err(refused(
                "events_too_old",
                "events are sent within 72 hours, and not before they happen",
            ));
        }
        let mut shared = Map::new();
        shared.insert("client_id".to_owned(), json!(events.client.as_ref().unwrap_or(&sender.client)));
        if let Some(at) = events.at {
            shared.insert("timestamp_micros".to_owned(), json!(at.unix_millis().saturating_mul(1000)));
        }
        if events.consent == Consent::Granted {
            let consent = json!({"ad_user_data": "GRANTED", "ad_personalization": "GRANTED"});
            shared.insert("consent".to_owned(), consent);
        }
        if how == Some(Validation::Enforced) {
            shared.insert("validation_behavior".to_owned(), json!("ENFORCE_RECOMMENDATIONS"));
        }
        let mut bodies = Vec::new();
        let mut rest = events.events.as_slice();
        while !rest.is_empty() {
            let mut count = rest.len().min(MAX_EVENTS);
            loop {
                let (some, _) = rest.split_at(count);
                let mut body = shared.clone();
                body.insert("events".to_owned(), some.iter().map(Event::body).collect());
                let body = Value::Object(body).to_string().into_bytes();
                // One event alone is far below the bound: 25 parameters of 140 letters.
                if body.len() < MAX_BODY || count == 1 {
                    bodies.push((body, count));
                    break;
                }
                count = count.div_ceil(2);
            }
            rest = rest.split_at(count).1;
        }
        Ok(bodies)
    }
}

/// Whether it can be the name of an event or of a parameter.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a text looks like an e-mail address, an international telephone number, or an address with a query, which
/// often holds one of them.
fn is_personal(text: &str) -> bool {
    let is_mail = text.split_once('@').is_some_and(|(before, behind)| {
        before.chars().next_back().is_some_and(char::is_alphanumeric) && behind.contains('.')
    });
    let bare: String =
        text.chars().filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
    let is_phone = bare.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let is_query = text.contains("://") && text.contains('?');
    is_mail || is_phone || is_query
}

fn refused(code: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, code, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_and_names_of_the_platform_are_refused_before_anything_is_sent() {
        let event = || Event::new("lily_content_applied").unwrap();
        for text in ["jane@shop.example", "+43 660 123 45 67", "+1 (555) 123-4567", "https://x.example/?e=1"]
        {
            assert_eq!(event().text("a", text).unwrap_err().code(), "event_value_personal", "{text}");
        }
        for text in ["SKU-43-660-1234567", "12345678901", "7@2x", "https://x.example/caps", "a@b"] {
            assert!(event().text("a", text).is_ok(), "{text}");
        }
        for name in ["purchase", "view_item", "add_to_cart", "search", "error"] {
            assert!(Event::new(name).is_err(), "{name}");
        }
        for name in ["", "1a", "a-b", "session_start", "app_update", "ga_x", "_x", &"x".repeat(41)] {
            assert!(Event::new(name.to_owned()).is_err(), "{name}");
            assert!(
                name == "session_start"
                    || name == "app_update"
                    || event().number(name.to_owned(), 1).is_err()
            );
        }
        for name in ["user_id", "email", "firebase_x", "firebase_conversion"] {
            assert!(event().number(name, 1).is_err(), "{name}");
        }
        assert_eq!(event().text("a", &"x".repeat(101)).unwrap_err().code(), "event_value_too_long");
        let full = (0..25).try_fold(event(), |event, n| event.number(format!("p{n}"), 1)).unwrap();
        assert_eq!(full.number("p25", 1).unwrap_err().code(), "event_parameters");
    }

    #[test]
    fn a_browsers_id_is_two_numbers() {
        assert!(Events::of_browser(Vec::new(), "123.456", Consent::Granted).is_ok());
        for id in ["", "123", "123.", "a.b", "1.2.3", "jane@x.example"] {
            assert!(Events::of_browser(Vec::new(), id, Consent::Granted).is_err(), "{id}");
        }
    }
}
