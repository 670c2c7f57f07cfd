//! Holds requests and answers against official OpenAPI 3.0 and Swagger 2.0 documents.
//!
//! A [`Rulebook`] is made of documents, each mounted under the prefix that its paths lack. It finds the
//! operation of a request and says what the document does not allow: parameters, headers, media type, and the
//! body with its types, bounds, choices and references. It is stricter than JSON Schema in one place: a
//! property that no branch declares is a violation too, as is one that is only read.
//! Where a document is known to be wrong, an [`Exemption`] names the place and its reason.
//!
//! A [`Ledger`] keeps the violations of one fake, as texts without values. The documents are not part of this
//! crate: a test gives their paths.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//!
//! use lily_connect::testkit::exchange::{Request, Transport};
//! use lily_connect::testkit::openapi::{Document, Ledger, Rulebook};
//!
//! # fn main() -> lily_connect::Result<()> {
//! let text = r#"{"swagger": "2.0", "paths": {"/things/{id}": {"get": {"parameters": [
//!     {"in": "path", "name": "id", "type": "integer", "required": true}]}}}}"#;
//! let document = Document::parse("things.json", text)?;
//! let book = Rulebook::builder().document("/stores/*/v1", Arc::new(document)).build();
//! let ledger = Ledger::new(Arc::new(book));
//! ledger.request(&Request::new(http::Method::GET, "/stores/abc/v1/things/x?page=1", Transport::Plain));
//! let told: Vec<String> = ledger.violations().iter().map(ToString::to_string).collect();
//! assert_eq!(told, [
//!     "GET /things/{id}: path id: expected type integer",
//!     "GET /things/{id}: query page: expected a declared parameter",
//! ]);
//! # Ok(())
//! # }
//! ```

mod check;
mod document;
mod parameters;
mod schema;

pub use document::Document;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::exchange::{Request, Response};
use document::Operation;
use parameters::Names;
use schema::{Schema, Way};

/// The most violations that a ledger keeps.
const VIOLATION_LIMIT: usize = 1000;

/// What a request or an answer had that its document does not allow. It holds no values of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Violation {
    /// The verb and the path as the document writes it, such as `PUT /catalog/products/{product_id}`; the
    /// verb and the request's own path where no document has it.
    pub operation: String,
    /// Where: `path`, `query` or `header` with a name, `body` or `answer` with a JSON pointer, or `operation`.
    pub place: String,
    /// What was expected there.
    pub expectation: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: expected {}", self.operation, self.place, self.expectation)
    }
}

/// A place where an official document is known to be wrong, or to say less than the platform.
#[derive(Debug, Clone)]
pub struct Exemption {
    operation: String,
    place: String,
    reason: String,
}

impl Exemption {
    /// Names an operation as in [`Violation::operation`], or `*` for all; a place as in
    /// [`Violation::place`], where `*` stands for one step of a pointer or one name, and `**` at its end for
    /// any number of steps; and why the document is not followed there.
    pub fn new(operation: impl Into<String>, place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { operation: operation.into(), place: place.into(), reason: reason.into() }
    }

    /// Why the document is not followed there.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn covers(&self, violation: &Violation) -> bool {
        (self.operation == "*" || self.operation == violation.operation)
            && fits(&self.place, &violation.place)
    }
}

/// Whether a place fits a pattern, step by step.
fn fits(pattern: &str, place: &str) -> bool {
    let cut = |text: &str| text.split(['/', ' ']).map(str::to_owned).collect::<Vec<_>>();
    let (pattern, place) = (cut(pattern), cut(place));
    if let Some(("**", head)) = pattern.split_last().map(|(last, head)| (last.as_str(), head)) {
        return place.len() >= head.len() && head.iter().zip(&place).all(|(a, b)| a == "*" || a == b);
    }
    pattern.len() == place.len() && pattern.iter().zip(&place).all(|(a, b)| a == "*" || a == b)
}

/// Official documents, where they are mounted, and where they are not followed. Share one: schemas are made
/// ready once.
pub struct Rulebook {
    mounts: Vec<Mount>,
    exemptions: Vec<Exemption>,
    unlisted: Vec<Exemption>,
    names: Names,
    schemas: Mutex<HashMap<SchemaKey, Arc<Schema>>>,
}

type SchemaKey = (usize, String, Way);

struct Mount {
    prefix: String,
    document: Arc<Document>,
}

/// Collects the parts of a [`Rulebook`].
#[must_use]
pub struct RulebookBuilder(Rulebook);

impl RulebookBuilder {
    /// Mounts a document under the prefix of its paths, such as `/stores/*/v3`; `*` stands for one segment.
    pub fn document(mut self, prefix: impl Into<String>, document: Arc<Document>) -> Self {
        self.0.mounts.push(Mount { prefix: prefix.into(), document });
        self
    }

    /// Adds a place where a document is not followed.
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.0.exemptions.push(exemption);
        self
    }

    /// Names a request that no document has, such as `POST` and `/oauth2/token`, where `*` stands for one
    /// segment and `**` at the end for all that follow; and why it is let pass.
    pub fn unlisted(mut self, verb: &str, path: &str, reason: impl Into<String>) -> Self {
        self.0.unlisted.push(Exemption::new(verb, path, reason));
        self
    }

    /// Takes names such as `searchCriteria[filter_groups][3][...]` for their index 0 in camel case, which is
    /// all that the documents of Magento declare.
    pub fn bracketed_names(mut self) -> Self {
        self.0.names = Names::Bracketed;
        self
    }

    /// Makes the rulebook.
    #[must_use]
    pub fn build(self) -> Rulebook {
        self.0
    }
}

impl fmt::Debug for RulebookBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documents: Vec<&str> = self.mounts.iter().map(|mount| mount.document.name()).collect();
        f.debug_struct("Rulebook").field("documents", &documents).finish_non_exhaustive()
    }
}

/// An operation that was found for a request.
struct Found<'a> {
    mount: usize,
    document: &'a Document,
    operation: &'a Operation,
    path: &'a str,
}

impl Rulebook {
    /// Starts an empty rulebook.
    pub fn builder() -> RulebookBuilder {
        RulebookBuilder(Self {
            mounts: Vec::new(),
            exemptions: Vec::new(),
            unlisted: Vec::new(),
            names: Names::Plain,
            schemas: Mutex::default(),
        })
    }

    /// What of a request the documents do not allow; empty where they allow it. Of several documents that
    /// have the operation, the one that allows most speaks.
    #[must_use]
    pub fn request(&self, request: &Request) -> Vec<Violation> {
        let passes = |it: &Exemption| {
            (it.operation == "*" || it.operation == request.method.as_str()) && fits(&it.place, &request.path)
        };
        if self.unlisted.iter().any(passes) {
            return Vec::new();
        }
        let found = self.operations(request);
        if found.is_empty() {
            let known = self.mounts.iter().any(|mount| {
                below(&mount.prefix, &request.path).is_some_and(|path| mount.document.knows(path))
            });
            let expectation = if known { "a verb that the path has" } else { "a path that a document has" };
            return vec![Violation {
                operation: format!("{} {}", request.method, request.path),
                place: "operation".to_owned(),
                expectation: expectation.to_owned(),
            }];
        }
        self.fewest(found.iter().map(|found| {
            let mut wrong =
                parameters::wrong(found.document, found.operation, request, found.path, self.names);
            wrong.extend(self.body_wrong(found, request));
            self.violations(found, wrong)
        }))
    }

    /// What of an answer the documents do not allow. A status that the operation does not name, or names
    /// without a body, says nothing of it.
    #[must_use]
    pub fn response(&self, request: &Request, response: &Response) -> Vec<Violation> {
        let found = self.operations(request);
        self.fewest(found.iter().map(|found| {
            let wrong = self.answer_wrong(found, response);
            self.violations(found, wrong)
        }))
    }

    /// Whether a document says what the body of such an answer is.
    #[must_use]
    pub fn describes(&self, request: &Request, response: &Response) -> bool {
        let found = self.operations(request);
        found.iter().any(|found| answer_schema(found, response).is_some())
    }

    fn fewest(&self, mut all: impl Iterator<Item = Vec<Violation>>) -> Vec<Violation> {
        let mut fewest: Option<Vec<Violation>> = None;
        for found in all.by_ref() {
            if found.is_empty() {
                return found;
            }
            if fewest.as_ref().is_none_or(|fewest| found.len() < fewest.len()) {
                fewest = Some(found);
            }
        }
        fewest.unwrap_or_default()
    }

    fn violations(&self, found: &Found<'_>, wrong: Vec<(String, String)>) -> Vec<Violation> {
        let operation = format!("{} {}", found.operation.verb, found.operation.path);
        let violations = wrong.into_iter().map(|(place, expectation)| Violation {
            operation: operation.clone(),
            place,
            expectation,
        });
        violations.filter(|violation| !self.exemptions.iter().any(|it| it.covers(violation))).collect()
    }

    /// The operations of a request, those with the fewest templates in their paths.
    fn operations<'a>(&'a self, request: &'a Request) -> Vec<Found<'a>> {
        let mut found: Vec<(usize, Found<'a>)> = Vec::new();
        for (mount, Mount { prefix, document }) in self.mounts.iter().enumerate() {
            let Some(path) = below(prefix, &request.path) else { continue };
            let matching = document.matching(request.method.as_str(), path);
            found.extend(
                matching
                    .into_iter()
                    .map(|(templates, operation)| (templates, Found { mount, document, operation, path })),
            );
        }
        let least = found.iter().map(|(templates, _)| *templates).min();
        found.into_iter().filter(|(templates, _)| Some(*templates) == least).map(|(_, found)| found).collect()
    }

    fn body_wrong(&self, found: &Found<'_>, request: &Request) -> Vec<(String, String)> {
        let node = found.document.node(found.operation);
        let (contents, required) = if found.document.is_swagger() {
            let parameters = found.document.parameters(found.operation);
            let body = parameters.into_iter().find(|it| it.get("in").and_then(Value::as_str) == Some("body"));
            let media = node.get("consumes").or_else(|| found.document.root().get("consumes"));
            let media: Vec<&str> =
                media.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let required = body.and_then(|body| body.get("required")) == Some(&Value::Bool(true));
            let schema = body.and_then(|body| body.get("schema"));
            (
                schema.map(|schema| media.iter().map(|media| (*media, Some(schema))).collect::<Vec<_>>()),
                required,
            )
        } else {
            let body = node.get("requestBody").map(|body| found.document.resolve(body));
            let required = body.and_then(|body| body.get("required")) == Some(&Value::Bool(true));
            let contents = body.and_then(|body| body.get("content")).and_then(Value::as_object);
            let contents = contents.map(|contents| {
                contents.iter().map(|(media, content)| (media.as_str(), content.get("schema"))).collect()
            });
            (contents, required)
        };
        let wrong = |place: &str, expected: String| vec![(place.to_owned(), expected)];
        let Some(contents) = contents else {
            return if request.body.is_empty() { Vec::new() } else { wrong("body", "no body".to_owned()) };
        };
        if request.body.is_empty() {
            return if required { wrong("body", "to be given".to_owned()) } else { Vec::new() };
        }
        let given = media_type(request.header("content-type"));
        let Some((media, schema)) = contents.iter().find(|(media, _)| media_fits(media, &given)) else {
            let names: Vec<&str> = contents.iter().map(|(media, _)| *media).collect();
            return wrong("header content-type", format!("one of {}", names.join(", ")));
        };
        let (Some(schema), true) = (schema, is_json(media) || is_json(&given)) else { return Vec::new() };
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return wrong("body", "JSON".to_owned());
        };
        let key = format!("{} {} {media}", found.operation.verb, found.operation.path);
        let schema = self.schema(found, key, schema, Way::Request);
        schema.wrong(&body).into_iter().map(|(pointer, it)| (format!("body {pointer}"), it)).collect()
    }

    fn answer_wrong(&self, found: &Found<'_>, response: &Response) -> Vec<(String, String)> {
        let Some((key, schema)) = answer_schema(found, response) else { return Vec::new() };
        let Ok(body) = serde_json::from_slice::<Value>(&response.body) else {
            return vec![("answer".to_owned(), "JSON".to_owned())];
        };
        let key = format!("{} {} {key}", found.operation.verb, found.operation.path);
        let schema = self.schema(found, key, schema, Way::Response);
        schema.wrong(&body).into_iter().map(|(pointer, it)| (format!("answer {pointer}"), it)).collect()
    }

    fn schema(&self, found: &Found<'_>, key: String, node: &Value, way: Way) -> Arc<Schema> {
        let key = (found.mount, key, way);
        if let Some(schema) = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(schema);
        }
        let schema = Arc::new(Schema::new(found.document, node, way));
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(schemas.entry(key).or_insert(schema))
    }
}

impl Document {
    /// What its schemas say and nobody checks, such as `pattern "^a$"`. It makes all of them ready, and takes
    /// its time.
    #[must_use]
    pub fn unchecked(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for operation in self.all() {
            let node = self.node(operation);
            let answers = node.get("responses").and_then(Value::as_object).into_iter().flatten();
            let holders = node.get("requestBody").into_iter().chain(answers.map(|(_, answer)| answer));
            let holders = holders.map(|holder| self.resolve(holder)).chain(self.parameters(operation));
            for holder in holders {
                let contents = holder.get("content").and_then(Value::as_object).into_iter().flatten();
                let schemas = contents.filter_map(|(_, content)| content.get("schema"));
                for schema in schemas.chain(holder.get("schema")) {
                    found.extend(Schema::new(self, schema, Way::Response).unchecked());
                }
            }
        }
        found
    }
}

/// The schema of an answer's body, and a name for it.
fn answer_schema<'a>(found: &Found<'a>, response: &Response) -> Option<(String, &'a Value)> {
    if response.body.is_empty() {
        return None;
    }
    let status = response.status.as_str();
    let responses = found.document.node(found.operation).get("responses")?;
    let answer = found.document.resolve(responses.get(status).or_else(|| responses.get("default"))?);
    if found.document.is_swagger() {
        return Some((status.to_owned(), answer.get("schema")?));
    }
    let given = media_type(response.header("content-type"));
    let (media, content) =
        answer.get("content")?.as_object()?.iter().find(|(media, _)| media_fits(media, &given))?;
    Some((format!("{status} {media}"), content.get("schema").filter(|_| is_json(media))?))
}

fn media_type(header: Option<&str>) -> String {
    header.and_then(|header| header.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

fn media_fits(declared: &str, given: &str) -> bool {
    let declared = media_type(Some(declared));
    match declared.strip_suffix("/*") {
        Some("*") => true,
        Some(family) => given.split('/').next() == Some(family),
        None => declared == given,
    }
}

fn is_json(media: &str) -> bool {
    let media = media_type(Some(media));
    media == "application/json" || media.ends_with("+json")
}

/// What of a path stands below a prefix.
fn below<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    let mut rest = path;
    for segment in prefix.split('/').filter(|segment| !segment.is_empty()) {
        let inner = rest.strip_prefix('/')?;
        let end = inner.find('/').unwrap_or(inner.len());
        let (given, after) = inner.split_at_checked(end)?;
        if given.is_empty() || (segment != "*" && segment != given) {
            return None;
        }
        rest = after;
    }
    rest.starts_with('/').then_some(rest)
}

/// The violations of one fake. A rulebook is shared, a ledger is not.
#[derive(Debug)]
pub struct Ledger {
    book: Arc<Rulebook>,
    violations: Mutex<Vec<Violation>>,
}

impl Ledger {
    /// Starts an empty ledger.
    #[must_use]
    pub fn new(book: Arc<Rulebook>) -> Self {
        Self { book, violations: Mutex::default() }
    }

    /// The rulebook that it holds against.
    #[must_use]
    pub fn book(&self) -> &Rulebook {
        &self.book
    }

    /// Holds a request against the rulebook, and keeps what it does not allow.
    pub fn request(&self, request: &Request) {
        self.keep(self.book.request(request));
    }

    /// Holds an answer against the rulebook, and keeps what it does not allow.
    pub fn response(&self, request: &Request, response: &Response) {
        self.keep(self.book.response(request, response));
    }

    /// What was kept, each once, in the order of its text; at most 1000.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        violations.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn keep(&self, found: Vec<Violation>) {
        let mut violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        for violation in found {
            if violations.len() < VIOLATION_LIMIT && !violations.contains(&violation) {
                violations.push(violation);
            }
        }
    }
}
