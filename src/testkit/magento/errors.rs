//! The errors of the API: a template with its parameters, as `Framework/Webapi/ErrorProcessor` answers them.

use crate::testkit::exchange::Response;
use crate::testkit::json::Json;

/// What fills the places of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Params {
    None,
    /// For `%1`, `%2`, ...
    List(Vec<String>),
    /// For `%name`.
    Named(Vec<(&'static str, String)>),
}

impl Params {
    fn json(&self) -> Option<Json> {
        match self {
            Self::None => None,
            Self::List(values) => Some(Json::Array(values.iter().cloned().map(Json::String).collect())),
            Self::Named(values) => {
                let entries = values.iter().map(|(name, value)| (*name, Json::text(value.clone())));
                Some(Json::object(entries))
            }
        }
    }

    fn fill(&self, message: &str) -> String {
        match self {
            Self::None => message.to_owned(),
            Self::List(values) => {
                values.iter().enumerate().rev().fold(message.to_owned(), |text, (at, value)| {
                    text.replace(&format!("%{}", at + 1), value)
                })
            }
            Self::Named(values) => values
                .iter()
                .fold(message.to_owned(), |text, (name, value)| text.replace(&format!("%{name}"), value)),
        }
    }
}

/// How an error is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dress {
    /// `{"message", "parameters", ...}`.
    Message,
    /// `{"messages": {"error": [..]}}`, of a crash of PHP.
    Fatal,
    /// A page of the web server, before PHP ran.
    Page,
    /// `oauth_problem=...` as form text, of the routes of the handshake.
    OAuthProblem,
}

/// An error of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) message: String,
    params: Params,
    /// More errors of the same call.
    errors: Vec<ApiError>,
    /// Whether the parameters are put into the message before it is sent.
    filled: bool,
    dress: Dress,
    retry_after: Option<u64>,
}

impl ApiError {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            params: Params::None,
            errors: Vec::new(),
            filled: false,
            dress: Dress::Message,
            retry_after: None,
        }
    }

    pub(super) fn bad(message: &str) -> Self {
        Self::new(400, message)
    }

    pub(super) fn list<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.params = Params::List(values.into_iter().map(Into::into).collect());
        self
    }

    pub(super) fn named(mut self, values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.params = Params::Named(values.into_iter().collect());
        self
    }

    pub(super) fn with_errors(mut self, errors: Vec<Self>) -> Self {
        self.errors = errors;
        self
    }

    /// Puts the parameters into the message before it is sent, as some places of the platform do.
    pub(super) fn filled(mut self) -> Self {
        self.message = self.params.fill(&self.message);
        self.params = Params::None;
        self.filled = true;
        self
    }

    pub(super) fn page(status: u16, title: &str) -> Self {
        Self { dress: Dress::Page, ..Self::new(status, title) }
    }

    pub(super) fn fatal(message: &str) -> Self {
        Self { dress: Dress::Fatal, ..Self::new(500, message) }
    }

    pub(super) fn oauth_problem(self) -> Self {
        Self { dress: Dress::OAuthProblem, ..self }
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A caller that lacks a right, or a token that is no good: the platform answers both alike.
    pub(super) fn unauthorized(resource: &str) -> Self {
        Self::new(401, "The consumer isn't authorized to access %resources.")
            .named([("resources", resource.to_owned())])
    }

    pub(super) fn no_route() -> Self {
        Self::new(404, "Request does not match any route.")
    }

    pub(super) fn no_product() -> Self {
        Self::new(404, "The product that was requested doesn't exist. Verify the product and try again.")
    }

    pub(super) fn no_entity(field: &str, value: &str) -> Self {
        Self::new(404, "No such entity with %fieldName = %fieldValue")
            .named([("fieldName", field.to_owned()), ("fieldValue", value.to_owned())])
    }

    pub(super) fn required(field: &str) -> Self {
        Self::bad("\"%fieldName\" is required. Enter and try again.").named([("fieldName", field.to_owned())])
    }

    pub(super) fn wrong_type(value: &str, expected: &str) -> Self {
        Self::bad(
            "The \"%value\" value's type is invalid. The \"%type\" type was expected. Verify and try again.",
        )
        .named([("value", value.to_owned()), ("type", expected.to_owned())])
    }

    /// The message with its parameters, as a person reads it.
    pub(super) fn text(&self) -> String {
        self.params.fill(&self.message)
    }

    /// The body of the usual dress, in the language of the store.
    fn json(&self, language: Option<&str>) -> Json {
        let message = |error: &Self| Json::text(translated(&error.message, language));
        let mut entries = vec![("message", message(self))];
        if !self.errors.is_empty() {
            let errors = self.errors.iter().map(|error| {
                let mut entries = vec![("message", message(error))];
                entries.extend(error.params.json().map(|params| ("parameters", params)));
                Json::object(entries)
            });
            entries.push(("errors", Json::Array(errors.collect())));
        }
        entries.extend(self.params.json().map(|params| ("parameters", params)));
        Json::object(entries)
    }

    /// The answer, with messages in a language.
    pub(super) fn response(&self, language: Option<&str>) -> Response {
        let response = match self.retry_after {
            Some(seconds) => Response::new(self.status).with_header("retry-after", &seconds.to_string()),
            None => Response::new(self.status),
        };
        match self.dress {
            Dress::Message => response
                .with_header("content-type", "application/json; charset=utf-8")
                .with_body(self.json(language).to_php()),
            Dress::Fatal => {
                let error = Json::object([
                    ("code", Json::from(i64::from(self.status))),
                    ("message", Json::text(self.message.clone())),
                ]);
                let body = Json::object([("messages", Json::object([("error", Json::Array(vec![error]))]))]);
                response
                    .with_header("content-type", "application/json; charset=utf-8")
                    .with_body(body.to_php())
            }
            Dress::Page => {
                let title = &self.message;
                response.with_header("content-type", "text/html; charset=iso-8859-1").with_body(format!(
                    "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>{} {title}\
                     </title>\n</head><body>\n<h1>{title}</h1>\n</body></html>\n",
                    self.status
                ))
            }
            Dress::OAuthProblem => {
                let text: String = url::form_urlencoded::byte_serialize(self.text().as_bytes()).collect();
                response
                    .with_header("content-type", "application/x-www-form-urlencoded")
                    .with_body(format!("oauth_problem={text}"))
            }
        }
    }
}

/// Messages as a German language pack has them; what a pack lacks stays English, as on the platform.
const GERMAN: [(&str, &str); 9] = [
    (
        "The product that was requested doesn't exist. Verify the product and try again.",
        "Das angeforderte Produkt existiert nicht. Überprüfen Sie das Produkt und versuchen Sie es erneut.",
    ),
    (
        "The consumer isn't authorized to access %resources.",
        "Der Verbraucher ist nicht berechtigt, auf %resources zuzugreifen.",
    ),
    ("Request does not match any route.", "Die Anfrage passt zu keiner Route."),
    (
        "\"%fieldName\" is required. Enter and try again.",
        "\"%fieldName\" ist erforderlich. Geben Sie es ein und versuchen Sie es erneut.",
    ),
    ("The value of attribute \"%1\" must be set.", "Der Wert des Attributs \"%1\" muss gesetzt sein."),
    ("URL key for specified store already exists.", "Der URL-Schlüssel existiert in diesem Store bereits."),
    ("Maximum SearchCriteria pageSize is %max", "Die größte pageSize der SearchCriteria ist %max"),
    ("No such entity with %fieldName = %fieldValue", "Kein Eintrag mit %fieldName = %fieldValue vorhanden"),
    (
        "The signature is invalid. Verify and try again.",
        "Die Signatur ist ungültig. Überprüfen Sie sie und versuchen Sie es erneut.",
    ),
];

fn translated(message: &str, language: Option<&str>) -> String {
    let pack = if language == Some("de") { GERMAN.as_slice() } else { &[] };
    let found = pack.iter().find(|(english, _)| *english == message);
    found.map_or(message, |(_, german)| german).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_a_list_or_an_object_and_fill_their_places() {
        let list = ApiError::bad("Invalid product data: %1").list(["Invalid attribute set entity type"]);
        let body = String::from_utf8(list.response(None).body).unwrap();
        assert_eq!(
            body,
            r#"{"message":"Invalid product data: %1","parameters":["Invalid attribute set entity type"]}"#
        );
        let named = ApiError::no_entity("id", "7");
        let body = String::from_utf8(named.response(None).body).unwrap();
        assert!(body.ends_with(r#""parameters":{"fieldName":"id","fieldValue":"7"}}"#), "{body}");
        assert_eq!(named.text(), "No such entity with id = 7");
    }

    #[test]
    fn a_message_is_translated_before_its_parameters_come_in() {
        let error = ApiError::required("searchCriteria");
        let body = String::from_utf8(error.response(Some("de")).body).unwrap();
        assert!(body.contains(r#"\"%fieldName\" ist erforderlich"#), "{body}");
    }
}
