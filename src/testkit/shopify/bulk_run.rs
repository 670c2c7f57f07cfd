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
        Work::Mutation { .. } => {
            let lines = told(state, bulk);
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

/// Runs the next lines of a mutation, up to a share of all; what came of those that have run.
pub(super) fn go_on(state: &mut State, bulk: &Bulk, share: f64) -> Vec<Json> {
    let mut results = bulk.results.clone();
    let Work::Mutation { file } = &bulk.work else { return results };
    let text = String::from_utf8_lossy(file);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a file's lines"
    )]
    let due = (lines.len() as f64 * share.clamp(0.0, 1.0)) as usize;
    let due = bulk.fault.runs_lines.unwrap_or(due).min(due);
    for at in results.len()..due {
        let Some(line) = lines.get(at) else { break };
        let fails = bulk.fault.failing_lines.contains(&at);
        if fails && bulk.fault.fails_after {
            mutation(state, &bulk.document, at, line);
        }
        results.push(if fails {
            let extensions = Json::object([("code", Json::text("INTERNAL_SERVER_ERROR"))]);
            let error = Json::object([("message", Json::text("Internal error")), ("extensions", extensions)]);
            Json::object([("errors", Json::Array(vec![error])), ("__lineNumber", number(at))])
        } else {
            mutation(state, &bulk.document, at, line)
        });
    }
    results
}

fn number(at: usize) -> Json {
    Json::Int(i64::try_from(at).unwrap_or(i64::MAX))
}

/// The results as the file has them.
fn told(state: &mut State, bulk: &Bulk) -> Vec<Json> {
    let mut lines = Vec::new();
    for (at, line) in bulk.results.iter().enumerate() {
        let mut line = line.clone();
        if let Json::Object(entries) = &mut line
            && bulk.fault.unnumbered_errors
            && entries.iter().any(|(name, _)| name == "errors")
        {
            entries.retain(|(name, _)| name != "__lineNumber");
        }
        let times = match () {
            () if bulk.fault.dropped_lines.contains(&at) => 0,
            () if bulk.fault.doubled_lines.contains(&at) => 2,
            () => 1,
        };
        lines.extend(std::iter::repeat_n(line, times));
    }
    if bulk.fault.mixed {
        for at in (1..lines.len()).rev() {
            let bound = u64::try_from(at + 1).unwrap_or(u64::MAX);
            lines.swap(at, usize::try_from(state.random.below(bound)).unwrap_or(0));
        }
    }
    lines
}

/// Runs one line.
fn mutation(state: &mut State, text: &str, at: usize, line: &str) -> Json {
    let documents = Arc::clone(&state.documents);
    let known = documents.get(text, None);
    let failed = |message: String| {
        let error = Json::object([("message", Json::text(message))]);
        Json::object([("errors", Json::Array(vec![error])), ("__lineNumber", number(at))])
    };
    let Ok(document) = &known.parsed else { return failed("The mutation cannot be read".to_owned()) };
    let Ok(operation) = document.operations.get(None) else {
        return failed("The mutation cannot be read".to_owned());
    };
    state.bulks.lines_run.push(line.to_owned());
    let variables = match serde_json::from_str::<Args>(line) {
        Ok(given) => {
            documents.check_variables(&known, text, None, &given);
            schema::coerce(&documents.surface, operation, &given)
        }
        Err(_) => Err("The line is no JSON object".to_owned()),
    };
    let variables = match variables {
        Ok(variables) => variables,
        Err(message) => return failed(message),
    };
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
    entries.push(("__lineNumber", number(at)));
    Json::object(entries)
}
