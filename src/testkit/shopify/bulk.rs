//! Bulk jobs: their rules, their states by the clock, and what they answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::bulk_rules;
use super::bulk_run;
use super::connection;
use super::errors::FieldError;
use super::search;
use super::state::State;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use super::write_product::{Mistake, user_errors};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// What goes wrong with one bulk job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkFault {
    /// The job fails with that code, such as `TIMEOUT`; what it had by then is its partial data.
    pub fail_with: Option<String>,
    /// How many lines a failed job leaves as partial data; `None` for no file at all.
    pub partial_lines: Option<usize>,
    /// The file ends after that many bytes, as if it were whole.
    pub cut_at: Option<usize>,
    /// By how much `objectCount` differs from the lines of the file.
    pub count_difference: i64,
    /// The job stalls while it runs, until the platform cancels it: a query after ten days, a mutation after one.
    pub stalls: bool,
    /// How many lines of a mutation's file are run at most; the others are not, and have no result.
    pub runs_lines: Option<usize>,
    /// Lines, by their places, that the platform does not run, and answers with an error of its own.
    pub failing_lines: Vec<usize>,
    /// Whether these are run all the same.
    pub fails_after: bool,
    /// Lines that are run, and whose results are not in the file.
    pub dropped_lines: Vec<usize>,
    /// Lines whose results are twice in the file.
    pub doubled_lines: Vec<usize>,
    /// The results come in another order than the lines.
    pub mixed: bool,
    /// Results of lines with errors do not have their number.
    pub unnumbered_errors: bool,
    /// What is told of the job does not have its text.
    pub hides_text: bool,
    /// How often the platform refuses to cancel it, though it runs.
    pub refuses_cancel: u64,
}

/// How the jobs of a shop behave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkSettings {
    /// How many jobs of a kind run at one time (default 5).
    pub parallel: usize,
    /// How long a job waits until it runs (default 1 s).
    pub start_after: Duration,
    /// How long it runs (default 4 s).
    pub run_for: Duration,
    /// How long a cancelled job still holds its place, and a mutation goes on (default 2 s).
    pub cancel_takes: Duration,
    /// When the platform ends a mutation that has not ended (default 1 day).
    pub mutation_limit: Duration,
    /// How long files are kept (default 7 days).
    pub keep_for: Duration,
    /// The most levels of connections in a query, the outermost counted (default 2).
    pub nesting: usize,
    /// The most connections in a query (default 5).
    pub connections: usize,
    /// Whether `Range` is honoured (default yes).
    pub ranges: bool,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            parallel: 5,
            start_after: Duration::from_secs(1),
            run_for: Duration::from_secs(4),
            cancel_takes: Duration::from_secs(2),
            mutation_limit: Duration::from_secs(86_400),
            keep_for: Duration::from_secs(7 * 86_400),
            nesting: 2,
            connections: 5,
            ranges: true,
        }
    }
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    Query {
        grouped: bool,
    },
    /// A mutation, once for each line of a file.
    Mutation {
        file: Arc<Vec<u8>>,
    },
}

/// The file of a job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) objects: i64,
    pub(super) roots: usize,
    /// The code of a failure.
    pub(super) error: Option<String>,
    pub(super) partial: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bulk {
    pub(super) id: u64,
    pub(super) document: String,
    pub(super) work: Work,
    pub(super) created: Timestamp,
    pub(super) fault: BulkFault,
    /// The results of the lines of a mutation that have run.
    pub(super) results: Vec<Json>,
    cancelled: Option<Timestamp>,
    /// The file, from when the job runs.
    pub(super) outcome: Option<Outcome>,
    told: bool,
}

#[derive(Debug, Default)]
pub(super) struct Bulks {
    pub(super) all: BTreeMap<u64, Bulk>,
    pub(super) settings: BulkSettings,
    pub(super) faults: VecDeque<BulkFault>,
    /// The codes with which the next starts of mutations are refused.
    pub(super) refusals: VecDeque<&'static str>,
    /// The lines that mutations have run, as they came.
    pub(super) lines_run: Vec<String>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Created,
    Running,
    Completed,
    Failed,
    Canceling,
    Canceled,
    Expired,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
        }
    }

    fn holds_a_place(self) -> bool {
        matches!(self, Self::Created | Self::Running | Self::Canceling)
    }
}

impl Bulk {
    fn is_query(&self) -> bool {
        matches!(self.work, Work::Query { .. })
    }

    fn kind(&self) -> &'static str {
        if self.is_query() { "QUERY" } else { "MUTATION" }
    }

    /// When it ends by itself.
    fn ends(&self, settings: &BulkSettings) -> Timestamp {
        let limit = match self.is_query() {
            true => Duration::from_secs(10 * 86_400),
            false => settings.mutation_limit,
        };
        let run = if self.fault.stalls { limit } else { settings.run_for };
        self.created.saturating_add(settings.start_after).saturating_add(run)
    }

    /// How much of its work is done by now: a mutation's lines run one after the other over its time.
    fn share_run(&self, now: Timestamp, settings: &BulkSettings) -> f64 {
        let runs = now.since(self.created.saturating_add(settings.start_after));
        if settings.run_for.is_zero() { 1.0 } else { runs.as_secs_f64() / settings.run_for.as_secs_f64() }
    }

    pub(super) fn status(&self, now: Timestamp, settings: &BulkSettings) -> Status {
        if let Some(at) = self.cancelled {
            return if now.since(at) < settings.cancel_takes { Status::Canceling } else { Status::Canceled };
        }
        if now < self.created.saturating_add(settings.start_after) {
            return Status::Created;
        }
        let ends = self.ends(settings);
        if now < ends {
            return Status::Running;
        }
        match &self.outcome {
            _ if self.fault.stalls => Status::Canceled,
            Some(outcome) if outcome.error.is_some() => Status::Failed,
            _ if now.since(ends) >= settings.keep_for => Status::Expired,
            _ => Status::Completed,
        }
    }

    fn completed(&self, now: Timestamp, settings: &BulkSettings) -> Option<Timestamp> {
        match self.status(now, settings) {
            Status::Completed | Status::Failed | Status::Expired => Some(self.ends(settings)),
            Status::Canceled => Some(
                self.cancelled.map_or(self.ends(settings), |at| at.saturating_add(settings.cancel_takes)),
            ),
            Status::Created | Status::Running | Status::Canceling => None,
        }
    }
}

/// A job that ended.
pub(super) struct Finished {
    pub(super) status: &'static str,
    pub(super) error: Option<String>,
    pub(super) kind: &'static str,
    pub(super) created: Timestamp,
    pub(super) completed: Option<Timestamp>,
}

impl State {
    /// Lets jobs go on: those whose time has come run, those that ended are told of.
    pub(super) fn settle_bulks(&mut self) {
        let now = self.now;
        let settings = self.bulks.settings.clone();
        let due: Vec<u64> = self
            .bulks
            .all
            .values()
            .filter(|bulk| bulk.outcome.is_none())
            .filter(|bulk| match bulk.cancelled {
                None => true,
                Some(at) => !bulk.is_query() && now.since(at) < settings.cancel_takes,
            })
            .filter(|bulk| now >= bulk.created.saturating_add(settings.start_after))
            .map(|bulk| bulk.id)
            .collect();
        for id in due {
            let Some(bulk) = self.bulks.all.get(&id).cloned() else { continue };
            let results = bulk_run::go_on(self, &bulk, bulk.share_run(now, &settings));
            let is_over = bulk.is_query() || (now >= bulk.ends(&settings) && !bulk.fault.stalls);
            let bulk = Bulk { results, ..bulk };
            let outcome = is_over.then(|| bulk_run::run(self, &bulk));
            if let Some(known) = self.bulks.all.get_mut(&id) {
                (known.results, known.outcome) = (bulk.results, outcome);
            }
        }
        let ended: Vec<u64> = self
            .bulks
            .all
            .values()
            .filter(|bulk| !bulk.told && bulk.completed(now, &settings).is_some())
            .map(|bulk| bulk.id)
            .collect();
        for id in ended {
            if let Some(bulk) = self.bulks.all.get_mut(&id) {
                bulk.told = true;
            }
            self.fire_bulk(id);
        }
    }

    /// What a `bulk_operations/finish` tells.
    pub(super) fn finished(&self, id: u64) -> Option<Finished> {
        let bulk = self.bulks.all.get(&id)?;
        Some(Finished {
            status: bulk.status(self.now, &self.bulks.settings).name(),
            error: bulk.outcome.as_ref().and_then(|outcome| outcome.error.clone()),
            kind: bulk.kind(),
            created: bulk.created,
            completed: bulk.completed(self.now, &self.bulks.settings),
        })
    }

    fn start_bulk(&mut self, document: String, work: Work) -> u64 {
        let id = self.take_id();
        let fault = self.bulks.faults.pop_front().unwrap_or_default();
        let bulk = Bulk {
            id,
            document,
            work,
            created: self.now,
            fault,
            results: Vec::new(),
            cancelled: None,
            outcome: None,
            told: false,
        };
        self.bulks.all.insert(id, bulk);
        id
    }

    fn is_full(&self, of_queries: bool) -> bool {
        let (now, settings) = (self.now, &self.bulks.settings);
        let busy = self.bulks.all.values().filter(|bulk| bulk.is_query() == of_queries);
        busy.filter(|bulk| bulk.status(now, settings).holds_a_place()).count() >= settings.parallel
    }
}

fn payload(type_name: &'static str, errors: &'static str, bulk: Option<u64>, mistakes: &[Mistake]) -> Out {
    Out::record(
        type_name,
        vec![("bulkOperation", Out::object(bulk.map(Obj::Bulk))), user_errors(errors, mistakes)],
    )
}

/// `bulkOperationRunQuery`.
pub(super) fn run_query(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload = |bulk, mistakes: &[Mistake]| {
        Ok(payload("BulkOperationRunQueryPayload", "BulkOperationUserError", bulk, mistakes))
    };
    let query = args.text("query").unwrap_or_default().to_owned();
    if let Err(message) = bulk_rules::check_query(&state.documents, &query, &state.bulks.settings) {
        return payload(None, &[Mistake::coded(&["query"], "INVALID", message)]);
    }
    if state.is_full(true) {
        let message =
            "The limit of bulk query operations that run at one time is reached for this app and shop.";
        return payload(None, &[Mistake::coded(&[], "LIMIT_REACHED", message)]);
    }
    let grouped = args.flag("groupObjects");
    let id = state.start_bulk(query, Work::Query { grouped });
    payload(Some(id), &[])
}

/// `bulkOperationRunMutation`.
pub(super) fn run_mutation(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload = |bulk, mistakes: &[Mistake]| {
        Ok(payload("BulkOperationRunMutationPayload", "BulkMutationUserError", bulk, mistakes))
    };
    let mutation = args.text("mutation").unwrap_or_default().to_owned();
    if let Err(message) = bulk_rules::check_mutation(&state.documents, &mutation) {
        return payload(None, &[Mistake::coded(&["mutation"], "INVALID_MUTATION", message)]);
    }
    if let Some(code) = state.bulks.refusals.pop_front() {
        return payload(None, &[Mistake::coded(&["stagedUploadPath"], code, "The job was not started.")]);
    }
    let path = args.text("stagedUploadPath").unwrap_or_default();
    let Some(file) = state.uploads.files.get(path).map(Arc::clone) else {
        let message = "The JSONL file could not be found. Try uploading the file again, and check that you've entered the URL correctly for the stagedUploadPath mutation argument.";
        return payload(None, &[Mistake::coded(&["stagedUploadPath"], "NO_SUCH_FILE", message)]);
    };
    if file.is_empty() || std::str::from_utf8(&file).is_err() {
        let message = "The file is empty, or no text.";
        return payload(
            None,
            &[Mistake::coded(&["stagedUploadPath"], "INVALID_STAGED_UPLOAD_FILE", message)],
        );
    }
    if state.is_full(false) {
        let message =
            "The limit of bulk mutation operations that run at one time is reached for this app and shop.";
        return payload(None, &[Mistake::coded(&[], "LIMIT_REACHED", message)]);
    }
    let id = state.start_bulk(mutation, Work::Mutation { file });
    payload(Some(id), &[])
}

/// `bulkOperationCancel`.
pub(super) fn cancel(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload =
        |bulk, mistakes: &[Mistake]| Ok(payload("BulkOperationCancelPayload", "UserError", bulk, mistakes));
    let (now, settings) = (state.now, state.bulks.settings.clone());
    let id = args.text("id").and_then(|id| number_of(id, "BulkOperation"));
    let Some(bulk) = id.and_then(|id| state.bulks.all.get_mut(&id)) else {
        return payload(None, &[Mistake::new(&["id"], "Bulk operation does not exist")]);
    };
    let status = bulk.status(now, &settings);
    if !matches!(status, Status::Created | Status::Running) {
        let message =
            format!("A bulk operation cannot be canceled when it is {}", status.name().to_lowercase());
        return payload(Some(bulk.id), &[Mistake::new(&[], message)]);
    }
    if let Some(left) = bulk.fault.refuses_cancel.checked_sub(1) {
        bulk.fault.refuses_cancel = left;
        return payload(id, &[Mistake::new(&[], "The bulk operation cannot be canceled now")]);
    }
    bulk.cancelled = Some(now);
    payload(id, &[])
}

/// A field of a job.
pub(super) fn field(state: &State, id: u64, name: &str) -> Result<Out, FieldError> {
    let Some(bulk) = state.bulks.all.get(&id) else { return Ok(Out::NULL) };
    let (now, settings) = (state.now, &state.bulks.settings);
    let status = bulk.status(now, settings);
    let outcome = bulk.outcome.as_ref().filter(|_| !matches!(status, Status::Created));
    let url = |partial: bool| match outcome {
        Some(outcome) if outcome.partial == partial && !outcome.bytes.is_empty() => {
            Out::text(super::bulk_files::url(state, bulk))
        }
        _ => Out::NULL,
    };
    Ok(match name {
        "id" => Out::text(gid("BulkOperation", id)),
        "status" => Out::text(status.name()),
        "type" => Out::text(bulk.kind()),
        "query" if bulk.fault.hides_text => Out::text(""),
        "query" => Out::text(&bulk.document),
        "createdAt" => Out::time(bulk.created),
        "completedAt" => Out::maybe_time(bulk.completed(now, settings)),
        "errorCode" => match status {
            Status::Failed => Out::maybe(outcome.and_then(|outcome| outcome.error.clone())),
            _ => Out::NULL,
        },
        "objectCount" => {
            let so_far = i64::try_from(bulk.results.len()).unwrap_or(i64::MAX);
            Out::text(outcome.map_or(so_far, |outcome| outcome.objects).to_string())
        }
        "rootObjectCount" => Out::text(outcome.map_or(0, |outcome| outcome.roots).to_string()),
        "fileSize" => match status {
            Status::Completed => Out::maybe(
                outcome
                    .map(|outcome| outcome.bytes.len())
                    .filter(|size| *size > 0)
                    .map(|size| size.to_string()),
            ),
            _ => Out::NULL,
        },
        "url" if status == Status::Completed => url(false),
        "partialDataUrl" if matches!(status, Status::Failed | Status::Canceled) => url(true),
        "url" | "partialDataUrl" => Out::NULL,
        _ => return Err(FieldError::undefined("BulkOperation", name)),
    })
}

/// `bulkOperation`, `bulkOperations` and `currentBulkOperation`.
pub(super) fn root(
    state: &State,
    name: &str,
    args: &Args,
    notes: &mut Vec<search::Note>,
) -> Result<Out, FieldError> {
    let all = &state.bulks.all;
    Ok(match name {
        "bulkOperation" => {
            let id = args.text("id").and_then(|id| number_of(id, "BulkOperation"));
            Out::object(id.filter(|id| all.contains_key(id)).map(Obj::Bulk))
        }
        "currentBulkOperation" => {
            let wanted = args.text("type").unwrap_or("QUERY");
            Out::object(all.values().rev().find(|bulk| bulk.kind() == wanted).map(|bulk| Obj::Bulk(bulk.id)))
        }
        _ => {
            let query =
                search::Query::parse("bulkOperations", args.text("query"), search::BULK_FIELDS, notes);
            let found = all.values().filter(|bulk| {
                query.matches(&|field| match field {
                    "id" => vec![search::Value::Number(bulk.id)],
                    "status" => {
                        let status = bulk.status(state.now, &state.bulks.settings);
                        vec![search::Value::Text(status.name().to_owned())]
                    }
                    "created_at" => vec![search::Value::Time(bulk.created)],
                    _ => vec![search::Value::Text(bulk.kind().to_owned())],
                })
            });
            let items = found.map(|bulk| {
                let key = match args.text("sortKey") {
                    Some("ID") => i64::try_from(bulk.id).unwrap_or(i64::MAX),
                    _ => bulk.created.unix_millis(),
                };
                (connection::Key::Number(key), bulk.id, Obj::Bulk(bulk.id))
            });
            Out::Page(connection::page(items.collect(), args, 0)?)
        }
    })
}
