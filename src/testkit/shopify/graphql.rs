//! One call of the GraphQL endpoint: document, cost, run, answer.

use apollo_compiler::executable::{ExecutableDocument, Operation};

use super::cost::Estimate;
use super::documents::Documents;
use super::execute::Run;
use super::schema;
use super::state::State;
use super::value::{Args, Read};
use super::wire;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;

/// A call of the endpoint, as [`super::ShopifyFake::calls`] tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The name of the operation.
    pub operation: Option<String>,
    /// The fields of the root that it asked for.
    pub fields: Vec<String>,
    /// Whether it was a mutation.
    pub mutation: bool,
    /// The variables as JSON text.
    pub variables: String,
    /// The points that it was predicted to cost.
    pub requested: u64,
    /// The points that it used; `None` where it did not run.
    pub actual: Option<u64>,
    /// The code of the first error at the top of the answer.
    pub error: Option<String>,
}

/// An error at the top of an answer, with status 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphFault {
    /// `THROTTLED`, whatever the bucket holds; nothing was run.
    Throttled,
    /// `INTERNAL_SERVER_ERROR`; nothing was run.
    InternalError,
    /// `INTERNAL_SERVER_ERROR`, though the operation was run.
    InternalErrorAfter,
}

/// What a caller sent.
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) variables: Args,
    pub(super) operation: Option<String>,
}

impl Asked {
    /// Reads the body of a request; `None` where it is no call.
    pub(super) fn read(request: &Request) -> Option<Self> {
        let content = request.header("content-type").unwrap_or_default();
        if content.starts_with("application/graphql") {
            let query = String::from_utf8(request.body.clone()).ok()?;
            return Some(Self { query, variables: Args::new(), operation: None });
        }
        if !content.starts_with("application/json") {
            return None;
        }
        let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
        let query = body.get("query")?.as_str()?.to_owned();
        let variables =
            body.get("variables").and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
        let operation = body.get("operationName").and_then(serde_json::Value::as_str).map(str::to_owned);
        Some(Self { query, variables, operation })
    }
}

/// An answer with what is to be remembered of it.
pub(super) struct Answered {
    pub(super) response: Response,
    pub(super) call: Call,
}

/// Answers a call.
pub(super) fn answer(state: &mut State, documents: &Documents, asked: &Asked, debug: bool) -> Answered {
    let mut call = Call {
        operation: asked.operation.clone(),
        fields: Vec::new(),
        mutation: false,
        variables: serde_json::Value::Object(asked.variables.clone()).to_string(),
        requested: 0,
        actual: None,
        error: None,
    };
    let known = documents.get(&asked.query, asked.operation.as_deref());
    let official = Documents::official_errors(&known);
    let document = match &known.parsed {
        Ok(document) if official.is_empty() => document,
        Ok(_) => return failed(call, official, None),
        Err(errors) => return failed(call, errors.clone(), None),
    };
    let Ok(operation) = document.operations.get(asked.operation.as_deref()) else {
        let message = match &asked.operation {
            Some(name) => format!("No operation named \"{name}\""),
            None => "An operation name is required".to_owned(),
        };
        return failed(call, vec![Json::object([("message", Json::text(message))])], None);
    };
    call.mutation = operation.is_mutation();
    call.fields = operation.root_fields(document).map(|field| field.name.to_string()).collect();
    call.operation = operation.name.as_ref().map(ToString::to_string).or(call.operation);
    let deprecated =
        documents.check_variables(&known, &asked.query, asked.operation.as_deref(), &asked.variables);
    let variables = match schema::coerce(&documents.surface, operation, &asked.variables) {
        Ok(variables) => variables,
        Err(message) => return failed(call, vec![invalid_variable(&message)], None),
    };
    for text in inner_documents(document, operation, &variables, &documents.surface) {
        documents.get(&text, None);
    }
    let fault = take_fault(state, &call);
    let mut estimate = Estimate::new(&documents.surface, document, &variables);
    let requested = estimate.operation(operation);
    call.requested = requested;
    if requested > state.conditions.query_cost_limit {
        let limit = state.conditions.query_cost_limit;
        let message =
            format!("Query cost is {requested}, which exceeds the single query max cost limit ({limit})");
        let extensions = [
            ("code", Json::text("MAX_COST_EXCEEDED")),
            ("cost", Json::from(requested)),
            ("maxCost", Json::from(limit)),
            ("documentation", Json::text("https://shopify.dev/api/usage/rate-limits")),
        ];
        return failed(call, vec![coded(&message, extensions)], None);
    }
    let elapsed = state.elapsed;
    state.bucket.refill(elapsed);
    if fault == Some(GraphFault::InternalError) {
        return failed(call, vec![internal_error(state)], None);
    }
    if fault == Some(GraphFault::Throttled) || !state.bucket.take(requested) {
        let extensions = [
            ("code", Json::text("THROTTLED")),
            ("documentation", Json::text("https://shopify.dev/api/usage/rate-limits")),
        ];
        let cost = cost(state, requested, None, None);
        return failed(call, vec![coded("Throttled", extensions)], cost);
    }
    state.search_notes.borrow_mut().clear();
    let mut run = Run::new(&documents.surface, document, &variables, state);
    let data = run.operation(operation);
    let (errors, actual) = (std::mem::take(&mut run.errors), run.actual.min(requested));
    state.bucket.give_back(requested, actual);
    call.actual = Some(actual);
    if fault == Some(GraphFault::InternalErrorAfter) {
        return failed(call, vec![internal_error(state)], None);
    }
    call.error = code_of(&errors);
    let fields = debug.then(|| estimate.fields.iter().map(super::cost::FieldCost::to_json).collect());
    let mut extensions: Vec<(&str, Json)> = Vec::new();
    extensions.extend(cost(state, requested, Some(actual), fields).map(|cost| ("cost", cost)));
    let notes = state.search_notes.take();
    if !notes.is_empty() {
        extensions.push(("search", Json::Array(notes.iter().map(super::search::Note::to_json).collect())));
    }
    let mut body = vec![("data", data.unwrap_or(Json::Null))];
    if !errors.is_empty() {
        body.push(("errors", Json::Array(errors)));
    }
    if !extensions.is_empty() {
        body.push(("extensions", Json::object(extensions)));
    }
    let mut response = json(200, &Json::object(body));
    if !deprecated.is_empty() {
        response = response.with_header("x-shopify-api-deprecated-reason", &deprecated.join(", "));
    }
    Answered { response, call }
}

/// The error that was ordered for a call.
fn take_fault(state: &mut State, call: &Call) -> Option<GraphFault> {
    let found = state.graph_faults.iter_mut().find(|(name, _, times)| {
        *times > 0 && (call.operation.as_ref() == Some(name) || call.fields.iter().any(|field| field == name))
    })?;
    found.2 -= 1;
    Some(found.1)
}

fn internal_error(state: &mut State) -> Json {
    let id = format!("{:016x}", state.random.next_u64());
    let message = format!(
        "Internal error. Looks like something went wrong on our end.\nRequest ID: {id} (include this in support requests)."
    );
    coded(&message, [("code", Json::text("INTERNAL_SERVER_ERROR")), ("requestId", Json::text(id))])
}

/// The documents that a call starts bulk jobs with; they are held against the schemas too.
fn inner_documents(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &Args,
    schema: &apollo_compiler::Schema,
) -> Vec<String> {
    let fields = operation.root_fields(document).filter(|field| field.name.starts_with("bulkOperationRun"));
    fields
        .filter_map(|field| {
            let args = super::args::coerce(schema, field, variables);
            args.text("query").or(args.text("mutation")).map(str::to_owned)
        })
        .collect()
}

/// The code of the first error.
fn code_of(errors: &[Json]) -> Option<String> {
    let first = errors.first()?;
    let code = first.get("extensions").and_then(|it| it.get("code")).and_then(Json::as_str);
    Some(code.unwrap_or("none").to_owned())
}

fn coded<const N: usize>(message: &str, extensions: [(&str, Json); N]) -> Json {
    Json::object([("message", Json::text(message)), ("extensions", Json::object(extensions))])
}

fn invalid_variable(message: &str) -> Json {
    Json::object([
        ("message", Json::text(message)),
        ("extensions", Json::object([("code", Json::text("INVALID_VARIABLE"))])),
    ])
}

/// An answer without data.
pub(super) fn failed(mut call: Call, errors: Vec<Json>, cost: Option<Json>) -> Answered {
    call.error = code_of(&errors);
    let mut body = vec![("errors", Json::Array(errors))];
    if let Some(cost) = cost {
        body.push(("extensions", Json::object([("cost", cost)])));
    }
    Answered { response: json(200, &Json::object(body)), call }
}

fn cost(state: &State, requested: u64, actual: Option<u64>, fields: Option<Vec<Json>>) -> Option<Json> {
    if state.conditions.without_cost {
        return None;
    }
    let mut entries = vec![
        ("requestedQueryCost", Json::from(requested)),
        ("actualQueryCost", actual.map_or(Json::Null, Json::from)),
        ("throttleStatus", state.bucket.status()),
    ];
    if let Some(fields) = fields {
        entries.push(("fields", Json::Array(fields)));
    }
    Some(Json::object(entries))
}

/// An answer of JSON.
pub(super) fn json(status: u16, body: &Json) -> Response {
    Response::new(status)
        .with_header("content-type", "application/json; charset=utf-8")
        .with_body(wire::text(body).into_bytes())
}
