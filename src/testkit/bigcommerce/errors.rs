//! What the platform says when it refuses.

use crate::testkit::exchange::Response;
use crate::testkit::json::Json;

/// Where the platform explains its statuses; V3 bodies carry it.
const TYPE: &str = "/api-docs/getting-started/api-status-codes";

/// A refusal, before it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) title: String,
    /// Field and message; `None` leaves the map out.
    pub(super) errors: Option<Vec<(String, String)>>,
}

impl Problem {
    pub(super) fn new(status: u16, title: impl Into<String>) -> Self {
        Self { status, title: title.into(), errors: None }
    }

    /// With an `errors` map, be it empty.
    pub(super) fn with_errors(mut self) -> Self {
        self.errors.get_or_insert_default();
        self
    }

    /// With an `errors` map of one entry.
    pub(super) fn at(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.get_or_insert_default().push((field.into(), message.into()));
        self
    }

    pub(super) fn with(mut self, errors: Vec<(String, String)>) -> Self {
        self.errors = Some(errors);
        self
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, format!("The {what} was not found."))
    }

    pub(super) fn invalid(errors: Vec<(String, String)>) -> Self {
        Self::new(422, "JSON data is missing or invalid").with(errors)
    }

    /// More items than a batch takes: the title names the most (examples `..._413.json`).
    pub(super) fn too_many(most: usize) -> Self {
        let title =
            format!("The request payload is too large. The maximum items allowed in the array is {most}.");
        Self::new(413, title).with(Vec::new())
    }

    /// The body of an error.
    pub(super) fn json(&self) -> Json {
        let mut entries = vec![
            ("status", Json::Int(i64::from(self.status))),
            ("title", Json::text(self.title.clone())),
            ("type", Json::text(TYPE)),
        ];
        if let Some(errors) = &self.errors {
            entries.push(("errors", map(errors)));
        }
        Json::object(entries)
    }
}

/// Errors as an object from field to message.
pub(super) fn map(errors: &[(String, String)]) -> Json {
    Json::object(errors.iter().map(|(field, message)| (field.clone(), Json::text(message.clone()))))
}

/// What a route answers.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Option<Json>,
}

impl Answer {
    pub(super) fn new(status: u16, body: Json) -> Self {
        Self { status, body: Some(body) }
    }

    /// One object or a list in the envelope of V3, with an empty `meta`.
    pub(super) fn data(data: Json) -> Self {
        Self::with_meta(data, Json::Object(Vec::new()))
    }

    pub(super) fn with_meta(data: Json, meta: Json) -> Self {
        Self::new(200, Json::object([("data", data), ("meta", meta)]))
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, body: None }
    }
}

pub(super) type Outcome = Result<Answer, Problem>;

/// Writes an answer, or a refusal in the words of V3, or of V2 where `old`: a list of objects. That shape is from the
/// time of V2 and in none of the documents at hand.
pub(super) fn write(outcome: Outcome, old: bool) -> Response {
    let answer = outcome.unwrap_or_else(|problem| {
        let body = if old {
            let entries = [
                ("status", Json::Int(i64::from(problem.status))),
                ("message", Json::text(problem.title.clone())),
            ];
            Json::Array(vec![Json::object(entries)])
        } else {
            problem.json()
        };
        Answer::new(problem.status, body)
    });
    match answer.body {
        Some(body) => Response::new(answer.status)
            .with_header("content-type", "application/json")
            .with_body(body.to_php()),
        None => Response::new(answer.status),
    }
}
