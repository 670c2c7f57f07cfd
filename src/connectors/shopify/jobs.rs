//! Writes by bulk job: the platform runs one mutation for each line of a file, past its budget.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 7. Which mutation writes which field is decided by
//! [`steps`](super::write), as for single writes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::bulk::Started;
use super::connector::Shopify;
use super::write::{brings_new, said_by};
use super::{client, documents, wire};
use crate::connector::{
    BulkBody, BulkJob, BulkState, FieldAnswer, FoundJob, JobCut, JobLine, JobPart, LineAnswer, Patch,
    PollPlan, Prediction, StagedFile, StartedJob, WriteJobs,
};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::graphql::{Document, UserErrors};
use crate::model::{Cell, CellValue, GuardKind};
use crate::time::Timestamp;

/// The platform's bound of an input file: 100 MB (2026-11-22).
const MAX_BYTES: u64 = 100_000_000;
/// The platform ends a job after a day (2026-11-22).
const RUN_LIMIT: Duration = Duration::from_secs(25 * 3600);
/// What a mutation costs, and what comes back in a second on the smallest plan (2026-11-22).
const POINTS: u64 = 10;
const RESTORED: u64 = 100;
/// How many of the latest jobs are looked through for one of ours.
const LATEST: u32 = 50;
/// How far the platform's clock and ours are taken to differ at most, where a job is looked for.
const CLOCKS_DIFFER: Duration = Duration::from_secs(24 * 3600);

/// The mutations of jobs, in the order in which they run: metafields are deleted where the others of their record
/// could be set.
static KINDS: &[(&Document, &str)] = &[
    (&documents::UPDATE_PRODUCT, "productUpdate"),
    (&documents::REMOVE_TAGS, "tagsRemove"),
    (&documents::ADD_TAGS, "tagsAdd"),
    (&documents::UPDATE_FILES, "fileUpdate"),
    (&documents::UPDATE_OPTION, "productOptionUpdate"),
    (&documents::UPDATE_VARIANTS, super::variants::ROOT),
    (&documents::REMOVE_TRANSLATIONS, "translationsRemove"),
    (&documents::REGISTER_TRANSLATIONS, "translationsRegister"),
    (&documents::SET_METAFIELDS, "metafieldsSet"),
    (&documents::DELETE_METAFIELDS, "metafieldsDelete"),
];

#[derive(Debug, Deserialize)]
struct Jobs {
    nodes: Vec<Known>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    id: String,
    created_at: Timestamp,
    status: String,
    #[serde(rename = "type")]
    kind: String,
    query: String,
}

/// A line of the results. Whether those with errors have their number is not known (2026-11-22).
#[derive(Debug, Deserialize)]
struct Line<'l> {
    #[serde(borrow, default)]
    data: Option<&'l RawValue>,
    #[serde(default)]
    errors: Option<Vec<LineError>>,
    #[serde(default, rename = "__lineNumber")]
    number: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LineError {
    extensions: Option<Extensions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extensions {
    code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default, deserialize_with = "present")]
    user_errors: Option<UserErrors>,
}

/// Tells a list that is there, `null` too, from one that is not.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<UserErrors>, D::Error> {
    UserErrors::deserialize(from).map(Some)
}

/// The mutation of a job. It is named as we call the job, since a name outlives whatever the platform does to the
/// text.
fn mutation(document: &Document, tag: &str) -> String {
    let head = format!("mutation {}(", document.name());
    document.text().replacen(&head, &format!("mutation {}(", super::bulk::mark(tag)), 1)
}

fn kind_of(part: &JobPart) -> Result<(&'static Document, &'static str)> {
    KINDS.iter().copied().find(|(_, root)| *root == part.kind).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "job_kind_unknown", "this connector has no job of that kind")
    })
}

#[async_trait]
impl WriteJobs for Shopify {
    fn guard(&self, cell: &Cell, ours: &CellValue) -> Option<GuardKind> {
        self.capabilities.writable(cell)?;
        Some(match (cell.field.as_str(), ours) {
            // Setting has a precondition (`compareDigest`); deleting has none.
            ("attributes", CellValue::Value(_)) => GuardKind::CompareAndSet,
            _ => GuardKind::ReadWriteVerify,
        })
    }

    fn predict(&self, records: u64) -> Prediction {
        Prediction::new(records, Some(Duration::from_secs(records.saturating_mul(POINTS) / RESTORED)))
    }

    fn max_bytes(&self) -> u64 {
        MAX_BYTES
    }

    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut> {
        let types = match patches.iter().any(brings_new) {
            true => self.metafield_types().await?,
            false => super::metafields::Types::new(),
        };
        let max_bytes = usize::try_from(max_bytes.min(MAX_BYTES)).unwrap_or(usize::MAX);
        let mut of_kind: Vec<Vec<JobLine>> = KINDS.iter().map(|_| Vec::new()).collect();
        let mut left = Vec::new();
        for (at, patch) in patches.iter().enumerate() {
            let Ok(lines) = self.lines(at, patch, &types) else {
                left.push(at);
                continue;
            };
            if lines.iter().any(|(_, line)| line.json.len() >= max_bytes) {
                left.push(at);
                continue;
            }
            for (kind, line) in lines {
                if let Some(lines) = of_kind.get_mut(kind) {
                    lines.push(line);
                }
            }
        }
        let mut parts = Vec::new();
        for ((_, root), lines) in KINDS.iter().zip(of_kind) {
            let (mut part, mut bytes) = (Vec::new(), 0);
            for line in lines {
                let length = line.json.len() + 1;
                if bytes + length > max_bytes {
                    parts.push(JobPart::new(root, std::mem::take(&mut part)));
                    bytes = 0;
                }
                bytes += length;
                part.push(line);
            }
            if !part.is_empty() {
                parts.push(JobPart::new(root, part));
            }
        }
        Ok(JobCut::new(parts, left))
    }

    async fn upload(&self, part: &JobPart, timeout: Duration) -> Result<StagedFile> {
        self.stage(part, timeout).await
    }

    async fn start(
        &self,
        part: &JobPart,
        file: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob> {
        let (document, _) = kind_of(part)?;
        let variables = json!({ "mutation": mutation(document, tag), "path": file.0, "tag": tag });
        let call = documents::RUN_BULK_MUTATION
            .request(self.version.path(), &variables)?
            .not_after(Some(not_after))
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        let started: Started = client::member(&self.client, call, &["bulkOperationRunMutation"]).await?;
        // A job that has an id runs, whatever is said beside it.
        if let Some(job) = started.bulk_operation {
            return Ok(StartedJob::new(job.id, None));
        }
        match started.user_errors.list.first() {
            Some(error) => {
                Err(not_started(error.code.as_deref()).with_context("platform_says", error.message.clone()))
            }
            None => Err(wire::unreadable().with_effect(Effect::Possible)),
        }
    }

    async fn find(&self, tag: &str, since: Timestamp) -> Result<FoundJob> {
        let call = self.bulk_call(&documents::BULK_JOBS, &json!({ "first": LATEST }))?;
        let latest: Jobs = client::member(&self.client, call, &["bulkOperations"]).await?;
        Ok(found(latest.nodes, tag, since))
    }

    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        Ok(match self.operation(job).await? {
            None => BulkState::Gone,
            // It may still write.
            Some(operation) if operation.is_being_cancelled() => BulkState::Running { objects: None },
            Some(operation) => operation.state(),
        })
    }

    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        self.open_file(job, from).await
    }

    fn read_line(&self, part: &JobPart, line: &[u8]) -> LineAnswer {
        read_line(part.kind, line)
    }

    async fn cancel(&self, job: &BulkJob) -> Result<()> {
        self.cancel_job(job).await
    }

    fn poll_plan(&self) -> PollPlan {
        PollPlan { run_limit: RUN_LIMIT, ..PollPlan::default() }
    }
}

impl Shopify {
    /// The lines of a patch, each with the place of its kind.
    fn lines(
        &self,
        at: usize,
        patch: &Patch,
        types: &super::metafields::Types,
    ) -> Result<Vec<(usize, JobLine)>> {
        let steps = self.steps(patch, types)?;
        let line = |step: super::write::Step| {
            let kind = KINDS.iter().position(|(_, root)| *root == step.root).ok_or_else(wire::unreadable)?;
            let splits = step.halves().is_some();
            let json = serde_json::to_vec(&step.variables).map_err(|_| wire::unreadable())?;
            Ok((kind, JobLine::new(at, step.fields, json, splits)))
        };
        steps.into_iter().map(line).collect()
    }
}

/// Why a job was not started: each code of the platform, by what helps (2026-11-22). Nothing was begun.
fn not_started(code: Option<&str>) -> Error {
    let error = |kind, code: &'static str, what: &'static str| Error::new(kind, code, what);
    match code {
        Some("LIMIT_REACHED" | "OPERATION_IN_PROGRESS") => error(
            ErrorKind::RateLimited,
            "bulk_limit_reached",
            "the store runs as many bulk jobs as the platform allows",
        ),
        Some("NO_SUCH_FILE") => {
            error(ErrorKind::NotFound, "staged_file_missing", "the platform does not find the file of a job")
                .with_retry(Retry::Later)
        }
        Some("INTERNAL_FILE_SERVER_ERROR") => error(
            ErrorKind::Unavailable,
            "staged_file_unreadable",
            "the platform could not read the file of a job",
        ),
        Some("INVALID_STAGED_UPLOAD_FILE") => {
            error(ErrorKind::Rejected, "staged_file_invalid", "the platform does not take the file of a job")
        }
        Some("INVALID_MUTATION") => {
            error(ErrorKind::Rejected, "job_mutation_invalid", "the platform does not take a job's mutation")
        }
        _ => error(ErrorKind::Rejected, "bulk_refused", "the store takes no such bulk job"),
    }
    .with_effect(Effect::None)
}

/// Ours among the latest jobs, newest first.
fn found(latest: Vec<Known>, tag: &str, since: Timestamp) -> FoundJob {
    let mark = super::bulk::mark(tag);
    if let Some(ours) = latest.iter().find(|known| known.query.contains(&mark)) {
        return FoundJob::Job(StartedJob::new(ours.id.as_str(), Some(ours.created_at)));
    }
    let before = since.saturating_sub(CLOCKS_DIFFER);
    // Whether a mutation's text is told as a query's is (UNVERIFIED): a job without one may be ours.
    let may_be_ours = |known: &Known| {
        known.kind == "MUTATION"
            && !known.query.contains("mutation")
            && !matches!(known.status.as_str(), "COMPLETED" | "FAILED" | "CANCELED" | "EXPIRED")
            && known.created_at >= before
    };
    // Ours may stand behind the end of the list where all of it is new.
    let is_cut = latest.len() >= usize::try_from(LATEST).unwrap_or(usize::MAX)
        && latest.last().is_some_and(|oldest| oldest.created_at >= before);
    if is_cut || latest.iter().any(may_be_ours) { FoundJob::Unclear } else { FoundJob::None }
}

fn read_line(root: &str, line: &[u8]) -> LineAnswer {
    // A list would be read as the members in their order.
    let line = line.trim_ascii();
    let read = serde_json::from_slice::<Line<'_>>(line).ok().filter(|_| line.starts_with(b"{"));
    let Some(read) = read else { return LineAnswer::Unreadable };
    let Some(number) = read.number else { return LineAnswer::Unplaced };
    let answer = match read.errors.as_deref() {
        // The platform's texts quote what was sent.
        Some([first, ..]) => match first.extensions.as_ref().and_then(|it| it.code.as_deref()) {
            code if read.data.is_none() && code.is_none_or(is_before_running) => FieldAnswer::Refused {
                code: code.unwrap_or("line_refused").to_owned(),
                why: "the store did not run the line of a job".to_owned(),
            },
            _ => FieldAnswer::Unknown { why: "the store failed at the line of a job".to_owned() },
        },
        Some([]) | None => match payload(root, read.data) {
            Some(errors) => said_by(&errors),
            None => FieldAnswer::Unknown { why: "a line of a job's results has no result".to_owned() },
        },
    };
    LineAnswer::At(number, answer)
}

/// Whether an error with that code comes before anything is done. One that the store met on its way may have left its
/// effect; one without a code is of a line that does not fit the mutation (the platform's sample, 2026-11-22).
fn is_before_running(code: &str) -> bool {
    matches!(code, "THROTTLED" | "MAX_COST_EXCEEDED" | "ACCESS_DENIED" | "SHOP_INACTIVE")
}

/// The refusals of the one mutation of a line; nothing where it does not say whether there were any.
fn payload(root: &str, data: Option<&RawValue>) -> Option<UserErrors> {
    let members: BTreeMap<Cow<'_, str>, Option<&RawValue>> = serde_json::from_str(data?.get()).ok()?;
    let payload = members.get(root).copied()??.get();
    let payload: Payload = serde_json::from_str(payload).ok().filter(|_| payload.starts_with('{'))?;
    payload.user_errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_mutation_names_itself_and_asks_for_the_same() {
        for (document, root) in KINDS {
            let text = mutation(document, "run-7\n}evil");
            assert!(text.starts_with("mutation LilyConnect_run7evil_($"), "{text}");
            assert!(text.contains(&format!("  {root}(")), "{text}");
            assert_eq!(text.split_once('(').unwrap().1, document.text().split_once('(').unwrap().1);
        }
    }

    #[cfg(feature = "testkit")]
    #[test]
    fn each_mutation_of_a_job_is_valid_against_the_official_schemas() {
        let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
            assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
            eprintln!("SKIPPED: LILY_SPECS_DIR is not set");
            return;
        };
        for version in ["2026-01", "2026-10"] {
            let path = std::path::Path::new(&specs).join(format!("shopify/admin_{version}.graphql.gz"));
            let schema = crate::testkit::shopify::ValidatedSchema::load(path).unwrap();
            for (document, root) in KINDS {
                let text = mutation(document, "tag");
                assert_eq!(schema.problems(&text), Vec::<String>::new(), "{version} {root}");
                let deprecated = schema.deprecated(&text, &json!({}));
                assert_eq!(deprecated, Vec::<String>::new(), "{version} {root}");
            }
        }
    }

    #[test]
    fn the_platforms_sample_is_read_line_by_line() {
        let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
            assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
            eprintln!("SKIPPED: LILY_SPECS_DIR is not set");
            return;
        };
        let path = std::path::Path::new(&specs).join("shopify/samples/bulk_mutation_result.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let read: Vec<LineAnswer> =
            text.lines().map(|line| read_line("productCreate", line.as_bytes())).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0], LineAnswer::At(0, FieldAnswer::Accepted));
        let code = |line: &LineAnswer| match line {
            LineAnswer::At(number, FieldAnswer::Refused { code, why }) => {
                assert!(!why.contains("test1"), "a value is shown: {why}");
                Some((*number, code.clone()))
            }
            _ => None,
        };
        assert_eq!(code(&read[1]), Some((1, "user_error".to_owned())));
        assert_eq!(code(&read[2]), Some((2, "line_refused".to_owned())));
    }

    #[test]
    fn a_line_is_accepted_only_where_it_says_so() {
        let read = |line: &str| read_line("tagsAdd", line.as_bytes());
        let accepted = |number| LineAnswer::At(number, FieldAnswer::Accepted);
        assert_eq!(
            read(r#"{"data":{"tagsAdd":{"node":null,"userErrors":[]}},"__lineNumber":7}"#),
            accepted(7)
        );
        for unknown in [
            r#"{"data":{"tagsAdd":null},"__lineNumber":7}"#,
            r#"{"data":{"tagsAdd":{"node":null}},"__lineNumber":7}"#,
            r#"{"data":{"tagsRemove":{"userErrors":[]}},"__lineNumber":7}"#,
            r#"{"data":{},"__lineNumber":7}"#,
            r#"{"data":{"tagsAdd":[[]]},"__lineNumber":7}"#,
            r#"{"data":null,"errors":[],"__lineNumber":7}"#,
            r#"{"__lineNumber":7}"#,
            r#"{"errors":[{"message":"x","extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"__lineNumber":7}"#,
            r#"{"errors":[{"message":"x","extensions":{"code":"A_NEW_ONE"}}],"__lineNumber":7}"#,
            r#"{"data":{"tagsAdd":{"userErrors":[]}},"errors":[{"message":"x"}],"__lineNumber":7}"#,
        ] {
            assert!(matches!(read(unknown), LineAnswer::At(7, FieldAnswer::Unknown { .. })), "{unknown}");
        }
        for refused in [
            r#"{"data":{"tagsAdd":{"userErrors":[{"message":"no","field":["id"]}]}},"__lineNumber":7}"#,
            r#"{"errors":[{"message":"x"}],"__lineNumber":7}"#,
            r#"{"data":null,"errors":[{"message":"x","extensions":{"code":"THROTTLED"}}],"__lineNumber":7}"#,
        ] {
            assert!(matches!(read(refused), LineAnswer::At(7, FieldAnswer::Refused { .. })), "{refused}");
        }
        assert_eq!(read(r#"{"errors":[{"message":"x"}]}"#), LineAnswer::Unplaced);
        for broken in ["", "{", r#"{"data":{"tagsAdd":{"userErr"#, "[]", r#"{"__lineNumber":-1}"#] {
            assert_eq!(read(broken), LineAnswer::Unreadable, "{broken}");
        }
    }

    #[test]
    fn a_job_of_ours_is_told_from_others_and_from_what_may_be_ours() {
        let since: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let job = |id: &str, hours: u64, status: &str, kind: &str, query: &str| Known {
            id: id.to_owned(),
            created_at: since.saturating_sub(Duration::from_secs(hours * 3600)),
            status: status.to_owned(),
            kind: kind.to_owned(),
            query: query.to_owned(),
        };
        let ours = mutation(&documents::ADD_TAGS, "tag1");
        let other = mutation(&documents::ADD_TAGS, "tag2");
        let told = |jobs: Vec<Known>| found(jobs, "tag1", since);
        let running = || job("gid://2", 0, "RUNNING", "MUTATION", &other);
        let is_ours = told(vec![running(), job("gid://1", 0, "COMPLETED", "MUTATION", &ours)]);
        assert!(matches!(is_ours, FoundJob::Job(StartedJob { job, .. }) if job.0.as_str() == "gid://1"));
        assert_eq!(told(Vec::new()), FoundJob::None);
        assert_eq!(told(vec![running()]), FoundJob::None);
        assert_eq!(told(vec![job("gid://3", 0, "RUNNING", "QUERY", "")]), FoundJob::None);
        assert_eq!(told(vec![job("gid://3", 0, "COMPLETED", "MUTATION", "")]), FoundJob::None);
        assert_eq!(told(vec![job("gid://3", 0, "CANCELING", "MUTATION", "")]), FoundJob::Unclear);
        assert_eq!(told(vec![job("gid://3", 25, "RUNNING", "MUTATION", "")]), FoundJob::None);
        // A list that ends before our time is cut.
        let many =
            |hours| (0..50).map(|n| job(&format!("gid://{n}"), hours, "COMPLETED", "QUERY", "")).collect();
        assert_eq!(told(many(1)), FoundJob::Unclear);
        assert_eq!(told(many(25)), FoundJob::None);
    }

    #[test]
    fn each_refusal_of_a_start_is_typed_and_nothing_was_begun() {
        for (code, kind, ours) in [
            (Some("LIMIT_REACHED"), ErrorKind::RateLimited, "bulk_limit_reached"),
            (Some("OPERATION_IN_PROGRESS"), ErrorKind::RateLimited, "bulk_limit_reached"),
            (Some("NO_SUCH_FILE"), ErrorKind::NotFound, "staged_file_missing"),
            (Some("INTERNAL_FILE_SERVER_ERROR"), ErrorKind::Unavailable, "staged_file_unreadable"),
            (Some("INVALID_STAGED_UPLOAD_FILE"), ErrorKind::Rejected, "staged_file_invalid"),
            (Some("INVALID_MUTATION"), ErrorKind::Rejected, "job_mutation_invalid"),
            (Some("NEW_CODE"), ErrorKind::Rejected, "bulk_refused"),
            (None, ErrorKind::Rejected, "bulk_refused"),
        ] {
            let error = not_started(code);
            assert_eq!((error.kind(), error.code(), error.effect()), (kind, ours, Effect::None), "{code:?}");
        }
    }
}
