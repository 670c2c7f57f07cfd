//! Runs bulk jobs into their files.

use std::sync::Arc;

use super::bulk::{Bulk, Outcome, Work};
use super::bulk_lines::Lines;
use super::execute::Run;
use super::schema;
use super::state::State;
use super::value::Args;
use super::wire;
use crate::testkit::json::Json;

/// Runs a job; whatever goes wrong is in the outcome.
pub(super) fn run(state: &mut State, bulk: &Bulk) -> Outcome {
    let (lines, roots, error) = match &bulk.work {
        Work::Query { grouped } => query(state, &bulk.document, *grouped),
        Work::Mutation { file } => {
            let lines = mutation(state, &bulk.document, file);
            let count = lines.len();
            (lines, count, None)
        }
    };
    let error = bulk.fault.fail_with.clone().or(error);
    let kept = match (&error, bulk.fault.partial_lines) {
        (Some(_), kept) => kept.unwrap_or(0),
        (None, _) => lines.len(),
    };
    let mut text = String::new();
    for line in lines.iter().take(kept) {
        wire::line(line, &mut text);
    }
    let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    let mut bytes = text.into_bytes();
    if let Some(cut) = bulk.fault.cut_at {
        bytes.truncate(cut);
    }
    Outcome {
        bytes: Arc::new(bytes),
        objects: count.saturating_add(bulk.fault.count_difference).max(0),
        roots,
        partial: error.is_some(),
        error,
    }
}

fn query(state: &mut State, text: &str, grouped: bool) -> (Vec<Json>, usize, Option<String>) {
    let documents = Arc::clone(&state.documents);
    let known = documents.get(text, None);
    let failed = |code: &str| (Vec::new(), 0, Some(code.to_owned()));
    let Ok(document) = &known.parsed else { return failed("INTERNAL_SERVER_ERROR") };
    let Ok(operation) = document.operations.get(None) else { return failed("INTERNAL_SERVER_ERROR") };
    let variables = Args::new();
    let mut run = Run::new(&documents.surface, document, &variables, state);
    run.lines = Some(Lines::default());
    run.operation(operation);
    let denied = run.errors.iter().any(|error| {
        error.get("extensions").and_then(|it| it.get("code")).and_then(Json::as_str) == Some("ACCESS_DENIED")
    });
    let failure = match (denied, run.errors.is_empty()) {
        (true, _) => Some("ACCESS_DENIED".to_owned()),
        (false, false) => Some("INTERNAL_SERVER_ERROR".to_owned()),
        (false, true) => None,
    };
    let lines = run.lines.take().unwrap_or_default();
    let (_, roots) = lines.counts();
    let lines = lines.ordered((!grouped).then_some(&mut state.random));
    (lines, roots, failure)
}

fn mutation(state: &mut State, text: &str, file: &[u8]) -> Vec<Json> {
    let documents = Arc::clone(&state.documents);
    let known = documents.get(text, None);
    let Ok(document) = &known.parsed else { return Vec::new() };
    let Ok(operation) = document.operations.get(None) else { return Vec::new() };
    let mut done = Vec::new();
    for (number, line) in
        String::from_utf8_lossy(file).lines().filter(|line| !line.trim().is_empty()).enumerate()
    {
        let number = Json::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let outcome = match serde_json::from_str::<Args>(line) {
            Ok(given) => {
                documents.check_variables(&known, text, None, &given);
                schema::coerce(&documents.surface, operation, &given)
            }
            Err(_) => Err("The line is no JSON object".to_owned()),
        };
        let line = match outcome {
            Ok(variables) => {
                let mut run = Run::new(&documents.surface, document, &variables, state);
                let data = run.operation(operation);
                let errors = std::mem::take(&mut run.errors);
                let mut entries = Vec::new();
                if let Some(data) = data.filter(|_| errors.is_empty()) {
                    entries.push(("data", data));
                }
                if !errors.is_empty() {
                    entries.push(("errors", Json::Array(errors)));
                }
                entries.push(("__lineNumber", number));
                Json::object(entries)
            }
            Err(message) => {
                let error = Json::object([("message", Json::text(message))]);
                Json::object([("errors", Json::Array(vec![error])), ("__lineNumber", number)])
            }
        };
        done.push(line);
    }
    done
}
