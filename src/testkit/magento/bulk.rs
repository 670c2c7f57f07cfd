//! Asynchronous operations: what is taken in, and what a consumer makes of it.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::errors::ApiError;
use super::query::Query;
use super::render::date;
use super::routes::{self, Call};
use super::search::Criteria;
use super::settings::{Consumer, OperationIds};
use super::state::{Refusal, State};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The most bulks that are kept.
const BULK_LIMIT: usize = 10_000;

/// Statuses of operations.
const COMPLETE: i64 = 1;
const FAILED_RETRIABLE: i64 = 2;
const FAILED: i64 = 3;
const OPEN: i64 = 4;
const REJECTED: i64 = 5;

/// Some operations that came in one call.
#[derive(Debug, Clone)]
pub(super) struct Bulk {
    uuid: String,
    topic: String,
    started: Timestamp,
    operations: Vec<Operation>,
    /// SKUs that several operations would make.
    twins: Vec<String>,
}

#[derive(Debug, Clone)]
struct Operation {
    id: u64,
    index: usize,
    call: Call,
    status: i64,
    message: Option<String>,
    result: Option<String>,
    error_code: Option<i64>,
    due: Option<Duration>,
}

/// `POST /async/V1/...` and `/async/bulk/V1/...`: answers 202 before anything is done.
pub(super) fn accept(state: &mut State, call: &Call, bulk: bool) -> Result<Json, ApiError> {
    if call.method == "GET" {
        return Err(ApiError::no_route());
    }
    let bodies: Vec<Json> = match (&call.body, bulk) {
        (Json::Array(items), true) => items.clone(),
        (_, true) => return Err(ApiError::bad("Request body should be an array.")),
        (body, false) => vec![body.clone()],
    };
    if state.conditions.input_limit.is_some() && bodies.len() > state.conditions.bulk_limit {
        return Err(ApiError::bad("Maximum items of type \"%type\" is %max")
            .named([("type", "Object".to_owned()), ("max", state.conditions.bulk_limit.to_string())])
            .filled());
    }
    let topic = topic(call);
    let mut due = state.bulks.iter().flat_map(|bulk| &bulk.operations).filter_map(|o| o.due).max();
    due = due.map(|due| due.max(state.elapsed)).or(Some(state.elapsed));
    let every = match state.conditions.consumer {
        Consumer::Off => None,
        Consumer::Every(time) | Consumer::Twice(time) => Some(time),
    };
    let mut operations = Vec::new();
    let mut items = Vec::new();
    for (index, body) in bodies.into_iter().enumerate() {
        let hash = Sha256::digest(body.to_php()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut inner = Call { body, ..call.clone() };
        let refused = bulk.then(|| fill_path(&mut inner)).and_then(Result::err);
        let mut entries = vec![
            ("id", Json::from(u64::try_from(index).unwrap_or(0))),
            ("data_hash", Json::String(hash)),
            ("status", Json::text(if refused.is_some() { "rejected" } else { "accepted" })),
        ];
        if let Some(error) = &refused {
            entries.push(("error_message", Json::String(error.text())));
        }
        items.push(Json::object(entries));
        let rejected = refused.is_some();
        if let (Some(every), false) = (every, rejected) {
            due = due.map(|due| due + every);
        }
        operations.push(Operation {
            id: state.take_id(),
            index,
            call: inner,
            status: if rejected { REJECTED } else { OPEN },
            message: refused.map(|error| error.text()),
            result: None,
            error_code: None,
            due: due.filter(|_| every.is_some() && !rejected),
        });
    }
    let errors = operations.iter().any(|operation| operation.status == REJECTED);
    let mut twins: Vec<String> = operations.iter().filter_map(|o| sku(&o.call.body)).collect();
    twins.sort();
    let new = |sku: &str| state.conditions.bulk_makes_twins && state.by_sku(sku).is_none();
    let twins =
        twins.windows(2).filter_map(|pair| pair.first().filter(|sku| pair.get(1) == Some(*sku) && new(sku)));
    let twins = twins.cloned().collect();
    let uuid = uuid(state);
    if state.bulks.len() >= BULK_LIMIT {
        state.bulks.remove(0);
    }
    state.bulks.push(Bulk { uuid: uuid.clone(), topic, started: state.now, operations, twins });
    Ok(Json::object([
        ("bulk_uuid", Json::String(uuid)),
        ("request_items", Json::Array(items)),
        ("errors", Json::Bool(errors)),
    ]))
}

/// Puts values of a body into the words that stand for parameters of a path, such as `bySku`.
fn fill_path(call: &mut Call) -> Result<(), ApiError> {
    if call.body.as_object().is_none() {
        return Err(ApiError::wrong_type("string", "object"));
    }
    for at in 0..call.path.len() {
        let Some(word) = call.path.get(at).and_then(|segment| segment.strip_prefix("by")) else { continue };
        let mut letters = word.chars();
        let Some(first) = letters.next().filter(char::is_ascii_uppercase) else { continue };
        let name = format!("{}{}", first.to_ascii_lowercase(), letters.as_str());
        let inside = call.body.as_object().into_iter().flatten().find_map(|(_, value)| value.get(&name));
        let value = match call.body.get(&name).or(inside) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Int(number)) => number.to_string(),
            _ => return Err(ApiError::required(&name)),
        };
        if let Some(segment) = call.path.get_mut(at) {
            *segment = value;
        }
    }
    Ok(())
}

/// The SKU of a product that a body saves, in lower case.
fn sku(body: &Json) -> Option<String> {
    body.get("product")?.get("sku")?.as_str().map(str::to_lowercase)
}

fn topic(call: &Call) -> String {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let method = call.method.to_ascii_lowercase();
    match path.as_slice() {
        ["products"] | ["products", _] if method != "delete" => {
            format!("async.magento.catalog.api.productrepositoryinterface.save.{method}")
        }
        ["products", _, "media", ..] if method == "put" => {
            "async.magento.catalog.api.productattributemediagallerymanagementinterface.update.put".to_owned()
        }
        _ => format!("async.V1.{}.{}", path.join("."), call.method),
    }
}

fn uuid(state: &mut State) -> String {
    let mut random = state.random();
    let (a, b) = (random.next_u64(), random.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// Does what a consumer has had the time for.
pub(super) fn settle(state: &mut State) {
    let (Consumer::Every(every) | Consumer::Twice(every)) = state.conditions.consumer else { return };
    let twice = matches!(state.conditions.consumer, Consumer::Twice(_));
    // A consumer that starts takes what came before it.
    let mut due = state.elapsed;
    let operations = state.bulks.iter_mut().flat_map(|bulk| &mut bulk.operations);
    for operation in operations.filter(|operation| operation.status == OPEN && operation.due.is_none()) {
        due += every;
        operation.due = Some(due);
    }
    let mut due: Vec<(Duration, usize, usize)> = Vec::new();
    for (at, bulk) in state.bulks.iter().enumerate() {
        let open = bulk.operations.iter().enumerate().filter(|(_, o)| o.status == OPEN);
        due.extend(
            open.filter_map(|(place, o)| Some((o.due.filter(|due| *due <= state.elapsed)?, at, place))),
        );
    }
    due.sort_unstable();
    for (_, at, place) in due {
        state.twins = state.bulks.get(at).map(|bulk| bulk.twins.clone()).unwrap_or_default();
        let operation = state.bulks.get(at).and_then(|bulk| bulk.operations.get(place));
        let Some(call) = operation.map(|operation| operation.call.clone()) else { continue };
        let refused = state.eventing.refused_operations.pop_front();
        let mut outcome = match &refused {
            Some(refusal) => Err(refusal.error()),
            None => routes::dispatch(state, &call),
        };
        if twice && outcome.is_ok() {
            outcome = routes::dispatch(state, &call);
        }
        state.twins.clear();
        let operation = state.bulks.get_mut(at).and_then(|bulk| bulk.operations.get_mut(place));
        let Some(operation) = operation else { continue };
        match outcome {
            Ok(result) => {
                operation.status = COMPLETE;
                operation.message = Some(format!(
                    "Service execution success {}",
                    "Magento\\Catalog\\Model\\ProductRepository\\Interceptor::save"
                ));
                operation.result = Some(result.to_php());
            }
            Err(error) => {
                let passes = refused == Some(Refusal::Deadlock);
                operation.status = if passes { FAILED_RETRIABLE } else { FAILED };
                operation.message = Some(error.text());
                operation.error_code = Some(0);
            }
        }
    }
}

/// `GET /V1/bulk/{uuid}/status`, `/detailed-status` and `/operation-status/{code}`.
pub(super) fn status(state: &State, uuid: &str, what: &[&str]) -> Result<Json, ApiError> {
    let bulk = state.bulks.iter().find(|bulk| bulk.uuid == uuid);
    let bulk = bulk.ok_or_else(|| ApiError::no_entity("bulkUuid", uuid))?;
    let detailed = match what {
        ["status"] => false,
        ["detailed-status"] => true,
        ["operation-status", code] => {
            let code = code.parse::<i64>().map_err(|_| ApiError::wrong_type(code, "int"))?;
            let count = bulk.operations.iter().filter(|operation| operation.status == code).count();
            return Ok(Json::from(u64::try_from(count).unwrap_or(0)));
        }
        _ => return Err(ApiError::no_route()),
    };
    let list = bulk.operations.iter().map(|operation| operation.json(bulk, state, detailed, false));
    Ok(Json::object([
        ("operations_list", Json::Array(list.collect())),
        ("user_type", Json::from(1)),
        ("bulk_id", Json::text(bulk.uuid.clone())),
        ("description", Json::text(format!("Topic {}", bulk.topic))),
        ("start_time", Json::String(date(bulk.started))),
        ("user_id", Json::from(1)),
        ("operation_count", Json::from(u64::try_from(bulk.operations.len()).unwrap_or(0))),
    ]))
}

/// `GET /V1/bulk`: operations of all bulks.
pub(super) fn list(state: &mut State, query: &Query) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    let random = state.random();
    let all: Vec<(&Bulk, &Operation)> = state
        .bulks
        .iter()
        .flat_map(|bulk| bulk.operations.iter().map(move |operation| (bulk, operation)))
        .collect();
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some((bulk, operation)) = all.get(at) else { return Vec::new() };
        match field {
            "id" => vec![operation.id.to_string()],
            "bulk_uuid" => vec![bulk.uuid.clone()],
            "status" => vec![operation.status.to_string()],
            "topic_name" => vec![bulk.topic.clone()],
            "start_time" => vec![date(bulk.started)],
            _ => Vec::new(),
        }
    };
    let (found, total) = criteria.play(all.len(), &state.conditions, random, value);
    let page =
        found.into_iter().filter_map(|at| all.get(at)).map(|(bulk, o)| o.json(bulk, state, true, true));
    Ok(criteria.answer(page.collect(), total))
}

impl Operation {
    fn json(&self, bulk: &Bulk, state: &State, detailed: bool, listed: bool) -> Json {
        let id = match state.conditions.operation_ids {
            OperationIds::Index => u64::try_from(self.index).unwrap_or(0),
            OperationIds::Database => self.id,
        };
        let text = |text: &Option<String>| text.clone().map_or(Json::Null, Json::String);
        let mut entries = Vec::new();
        if listed {
            let started = Json::object([("start_time", Json::String(date(bulk.started)))]);
            entries.push(("extension_attributes", started));
        }
        entries.push(("id", Json::from(id)));
        if detailed {
            let data = Json::object([
                ("entity_id", Json::Null),
                ("entity_link", Json::text("")),
                ("meta_information", Json::String(self.call.body.to_php())),
            ]);
            entries.push(("bulk_uuid", Json::text(bulk.uuid.clone())));
            entries.push(("topic_name", Json::text(bulk.topic.clone())));
            entries.push(("serialized_data", Json::String(data.to_php())));
            entries.push(("result_serialized_data", text(&self.result)));
        }
        entries.push(("status", Json::from(self.status)));
        entries.push(("result_message", text(&self.message)));
        entries.push(("error_code", self.error_code.map_or(Json::Null, Json::from)));
        Json::object(entries)
    }
}
