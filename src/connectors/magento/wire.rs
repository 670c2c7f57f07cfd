//! Requests and answers as pure functions.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::php;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault};
use crate::model::{ExternalId, MassUnit};
use crate::time::Timestamp;

/// The most records of a page of full records: the platform builds each from dozens of rows.
pub(super) const MAX_PAGE: u32 = 100;
/// The most records of a page of few fields: the platform's own default for its limit, where a merchant sets it.
pub(super) const MAX_SHORT_PAGE: u32 = 300;
/// The smallest page that a store in trouble is asked for.
pub(super) const MIN_PAGE: u32 = 10;

/// A list of 100 products takes a small host up to a minute.
const LIST_READ_TIMEOUT: Duration = Duration::from_secs(60);
const LIST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);
/// A save runs every observer and indexer; a lost answer costs more than a long wait.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Which values a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those that all views share: the platform's scope `all`.
    All,
    /// Those of one view, by its code.
    View(String),
}

impl Scope {
    pub(super) fn code(&self) -> &str {
        match self {
            Self::All => "all",
            Self::View(code) => code,
        }
    }
}

/// Where a store's API stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// Below `/rest/{view}/V1`.
    Site,
    /// Below `/V1`, with the view in a header: Adobe Commerce as a Cloud Service.
    Cloud,
}

impl Api {
    /// A read of a path below `V1`.
    pub(super) fn get(self, scope: &Scope, below: &str) -> ApiRequest {
        self.placed(ApiRequest::get(self.path(scope, below)), scope)
            .attempt_limits(LIST_READ_TIMEOUT, LIST_ATTEMPT_TIMEOUT)
    }

    /// A write to a path below `V1`.
    pub(super) fn write(self, method: Method, scope: &Scope, below: &str, body: &Value) -> ApiRequest {
        self.placed(ApiRequest::write(method, self.path(scope, below), body.to_string()), scope)
            .attempt_limits(WRITE_TIMEOUT, WRITE_TIMEOUT)
    }

    /// A write without a body to a path below `V1`.
    pub(super) fn bare(self, method: Method, scope: &Scope, below: &str) -> ApiRequest {
        let mut call = ApiRequest::write(method, self.path(scope, below), String::new())
            .attempt_limits(WRITE_TIMEOUT, WRITE_TIMEOUT);
        call.body = None;
        self.placed(call, scope)
    }

    /// Writes that the platform takes in at once and does later, one for each element of a JSON list.
    pub(super) fn queue(self, scope: &Scope, below: &str, list: String) -> ApiRequest {
        let path = match self {
            Self::Site => format!("rest/{}/async/bulk/V1/{below}", scope.code()),
            Self::Cloud => format!("V1/async/bulk/{below}"),
        };
        self.placed(ApiRequest::write(Method::POST, path, list), scope)
            .attempt_limits(WRITE_TIMEOUT, WRITE_TIMEOUT)
    }

    fn path(self, scope: &Scope, below: &str) -> String {
        match self {
            Self::Site => format!("rest/{}/V1/{below}", scope.code()),
            Self::Cloud => format!("V1/{below}"),
        }
    }

    fn placed(self, request: ApiRequest, scope: &Scope) -> ApiRequest {
        match (self, HeaderValue::from_str(scope.code())) {
            (Self::Cloud, Ok(code)) => request.header(HeaderName::from_static("store"), code),
            _ => request,
        }
    }
}

/// The number of an id that may stand in a filter: as this platform writes it, from 1 on.
pub(super) fn number(id: &ExternalId) -> Option<u64> {
    let number: u64 = id.as_str().parse().ok()?;
    (number > 0 && i64::try_from(number).is_ok() && number.to_string() == id.as_str()).then_some(number)
}

/// A code of a view, or a code word of the platform's: letters, digits and underscores.
pub(super) fn is_code(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !code.is_empty() && code.len() <= 64 && code.bytes().all(plain)
}

/// An answer with records, and what is known of it beside them.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Bytes,
    pub(super) server_time: Option<Timestamp>,
    pub(super) took: Duration,
}

/// Reads an answer that should be a list of records.
pub(super) fn answered(response: ApiResponse) -> Result<Answered, BodyFault> {
    let (server_time, took) = (response.server_time_before(), response.took());
    let answered = Answered { body: response.into_body(), server_time, took };
    answered.listed().map_err(BodyFault::Broken)?;
    Ok(answered)
}

/// The records of an answer as they came, and how many the search has.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    pub(super) records: Vec<&'a RawValue>,
    pub(super) total: u64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow)]
    total_count: Option<&'a RawValue>,
}

impl Answered {
    /// # Errors
    /// `Protocol` where the body is cut, or no list.
    pub(super) fn listed(&self) -> Result<Listed<'_>> {
        let text = std::str::from_utf8(&self.body).map_err(|_| unreadable())?;
        if !text.trim_start().starts_with('{') {
            return Err(not_json());
        }
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| unreadable())?;
        let records = php::list(envelope.items).ok_or_else(unreadable)?;
        let total = php::number(envelope.total_count).ok_or_else(unreadable)?;
        Ok(Listed { records, total })
    }
}

/// Reads a small JSON answer.
pub(super) fn json<T: for<'de> Deserialize<'de>>(response: ApiResponse) -> Result<T, BodyFault> {
    serde_json::from_slice(response.body()).map_err(|_| BodyFault::Broken(not_json()))
}

pub(super) fn unreadable() -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", "the store's list cannot be read").with_remedy(
        "look for a proxy or time limit that cuts long answers, and for a module that changes lists",
    )
}

fn not_json() -> Error {
    Error::new(ErrorKind::Protocol, "answer_not_json", "the store answered with a page instead of JSON").with_remedy(
        "check the address; look for a bot check, login page, cache or module before the store's REST API",
    )
}

/// What a store view says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StoreConfig {
    pub(super) id: u64,
    pub(super) code: String,
    #[serde(default)]
    pub(super) locale: String,
    #[serde(default)]
    pub(super) base_currency_code: String,
    #[serde(default)]
    pub(super) timezone: String,
    #[serde(default)]
    pub(super) weight_unit: String,
    #[serde(default)]
    pub(super) base_media_url: String,
    #[serde(default)]
    pub(super) secure_base_media_url: String,
}

pub(super) fn mass_unit(word: &str) -> Option<MassUnit> {
    match word {
        "kgs" => Some(MassUnit::Kilogram),
        "lbs" => Some(MassUnit::Pound),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(body: &str) -> Answered {
        Answered { body: Bytes::from(body.to_owned()), server_time: None, took: Duration::ZERO }
    }

    #[test]
    fn the_view_stands_in_the_path_or_in_a_header() {
        let view = Scope::View("de".to_owned());
        let site = Api::Site.get(&view, "products");
        assert_eq!((site.path.as_ref(), site.headers.len()), ("rest/de/V1/products", 0));
        let cloud = Api::Cloud.get(&Scope::All, "products");
        assert_eq!((cloud.path.as_ref(), cloud.headers[0].1.as_bytes()), ("V1/products", b"all".as_slice()));
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let read =
            |body: &str| answered(body).listed().map(|listed| (listed.records.len(), listed.total)).ok();
        assert_eq!(
            read(r#"{"items":[{"id":1},{"id":2}],"search_criteria":{},"total_count":7}"#),
            Some((2, 7))
        );
        assert_eq!(read(r#"{"items":null,"total_count":"0"}"#), Some((0, 0)));
        assert_eq!(read(r#"{"items":{"3":{"id":1}},"total_count":1}"#), Some((1, 1)));
        for body in
            [r#"{"items":[{"id":1}"#, r#"{"items":[]}"#, r#"{"items":7,"total_count":1}"#, "[]", "<html>", ""]
        {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn ids_and_codes_are_plain() {
        for id in ["0", "-1", "01", "1.0", "x", "", "99999999999999999999"] {
            assert_eq!(number(&id.into()), None, "{id}");
        }
        assert!(number(&"2079".into()) == Some(2079) && is_code("de_AT") && !is_code("a/b") && !is_code(""));
    }
}
