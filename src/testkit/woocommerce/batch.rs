//! Batches: many creates, updates and deletes in one call.

use super::errors::ApiError;
use super::state::State;
use super::write::Body;
use super::{Answer, Call};
use crate::testkit::json::Json;

/// The most items of a batch, where the test sets no other limit.
const BATCH_LIMIT: usize = 100;

/// One item of a batch.
#[derive(Debug)]
pub(super) enum Op<'a> {
    Create(Body<'a>),
    Update(u64, Body<'a>),
    /// A batch always deletes for good.
    Delete(u64),
}

/// Whether a call asks for a deletion for good.
pub(super) fn is_forced(call: &Call<'_>) -> bool {
    let in_body = call.body.iter().find(|(key, _)| key == "force").and_then(|(_, value)| value.as_bool());
    in_body.or_else(|| call.params.flag("force")).unwrap_or(false)
}

/// Runs the items of a batch in order, each by `each`.
///
/// They run without the check of single writes. An item of a wrong type crashes the whole call; what ran
/// before it stays.
pub(super) fn run(
    state: &mut State,
    call: &Call<'_>,
    each: &mut dyn FnMut(&mut State, Op<'_>) -> Result<Json, ApiError>,
) -> Result<Answer, ApiError> {
    call.may("cannot_batch", "Sorry, you are not allowed to batch manipulate this resource.")?;
    let part = |name: &str| -> Vec<Json> {
        let found = call.body.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_array());
        found.unwrap_or_default().to_vec()
    };
    let (create, update, delete) = (part("create"), part("update"), part("delete"));
    let limit = state.conditions.batch_limit.unwrap_or(BATCH_LIMIT);
    if create.len() + update.len() + delete.len() > limit {
        return Err(ApiError::new(
            413,
            "woocommerce_rest_request_entity_too_large",
            format!("Unable to accept more than {limit} items for this request."),
        ));
    }
    let mut answer: Vec<(&str, Json)> = Vec::new();
    for (name, items) in [("create", create), ("update", update), ("delete", delete)] {
        let mut done = Vec::new();
        for item in &items {
            let body = item.as_object().unwrap_or_default();
            let (id, op) = match name {
                "create" => (0, Op::Create(body)),
                "update" => {
                    // The id may be a text of digits.
                    let id = item.get("id").and_then(Json::as_id).unwrap_or(0);
                    (id, Op::Update(id, body))
                }
                _ => {
                    let id = item.as_id().unwrap_or(0);
                    (id, Op::Delete(id))
                }
            };
            done.push(result(id, each(state, op))?);
        }
        if !done.is_empty() {
            answer.push((name, Json::Array(done)));
        }
    }
    // PHP writes an answer without any part as a list.
    let body = if answer.is_empty() { Json::Array(Vec::new()) } else { Json::object(answer) };
    Ok(Answer::ok(body))
}

fn result(id: u64, done: Result<Json, ApiError>) -> Result<Json, ApiError> {
    match done {
        Ok(json) => Ok(json),
        Err(error) if error.fatal => Err(error),
        Err(error) => Ok(Json::object([("id", Json::from(id)), ("error", error.to_json())])),
    }
}
