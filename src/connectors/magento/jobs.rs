//! Writes by the platform's queue: one call takes in the saves of many products, and a consumer of the shop's does
//! them later, one by one.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 5.6. A bulk has no name, so its first operation is one that
//! the platform certainly refuses: the save of a product that there is not, whose SKU is our name for the job. What
//! stands in the queue cannot be taken out again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::connector::Magento;
use super::search::Search;
use super::wire;
use super::write::There;
use super::{dress, php};
use crate::connector::{
    BulkBody, BulkDone, BulkJob, BulkState, FieldAnswer, FoundJob, JobCut, JobLine, JobPart, LineAnswer,
    Patch, PollPlan, Prediction, PullRequest, StagedFile, StartedJob, WriteJobs,
};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::model::{Cell, CellValue, Entity, GuardKind, Lane};
use crate::time::Timestamp;
use crate::transport::Chunks;

/// The one kind of a job.
const PRODUCTS: &str = "products";
/// PHP takes bodies of 8 MiB by default (`post_max_size`).
const MAX_BYTES: u64 = 6 << 20;
/// As many saves as a slow queue does well within the deadline. The platform's own limit of a list, where a merchant sets
/// it, is 5000.
const MAX_LINES: usize = 200;
/// A save takes about a second (UNVERIFIED), and two go at once.
const SAVE: Duration = Duration::from_millis(500);
/// How long a probe waits: a consumer that cron starts comes once a minute.
const PROBE: Duration = Duration::from_secs(150);
const PROBE_POLL: Duration = Duration::from_secs(3);
/// How long what a probe found holds.
const PROBED: Duration = Duration::from_secs(600);
/// How long a job is waited for.
const DEADLINE: Duration = Duration::from_secs(3600);
/// For how long its records take no other write while it stands in the queue.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How far the platform's clock and ours are taken to differ at most, where a job is looked for.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);
/// The most SKUs that are known by id.
const MAX_SKUS: usize = 10_000;

/// What statuses of operations mean.
const COMPLETE: i64 = 1;
const FAILED_RETRIABLE: i64 = 2;
const FAILED: i64 = 3;
const OPEN: i64 = 4;
const REJECTED: i64 = 5;

/// What is known of a store's queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Whether somebody works on it, and when that was found.
    consumed: tokio::sync::Mutex<Option<(bool, Duration)>>,
    /// SKUs as the guard reads found them, by id.
    skus: Mutex<HashMap<u64, String>>,
}

impl Queue {
    /// Remembers SKUs of a guard read: they name the products in a job.
    pub(super) fn note(&self, records: &[&RawValue]) {
        let mut skus = self.skus.lock().unwrap_or_else(PoisonError::into_inner);
        if skus.len() + records.len() > MAX_SKUS {
            skus.clear();
        }
        for skim in records.iter().filter_map(|raw| dress::skim(raw)) {
            if let Some((id, sku)) = skim.id().zip(skim.sku) {
                skus.insert(id, sku.into_owned());
            }
        }
    }

    fn known(&self, ids: &[u64]) -> HashMap<u64, There> {
        let skus = self.skus.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |id: &u64| Some((*id, There::named(skus.get(id)?)));
        ids.iter().filter_map(known).collect()
    }
}

#[derive(Deserialize)]
struct Accepted {
    bulk_uuid: String,
}

#[derive(Deserialize)]
struct Detailed<'a> {
    #[serde(borrow)]
    operations_list: Option<&'a RawValue>,
}

/// An operation, as a list of them has it.
#[derive(Deserialize)]
struct Operation<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    bulk_uuid: Option<String>,
    #[serde(default)]
    status: i64,
    #[serde(default)]
    serialized_data: Option<String>,
}

impl Operation<'_> {
    /// The SKU that it saves: its body stands as JSON in JSON.
    fn sku(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Data {
            meta_information: String,
        }
        let data: Data = serde_json::from_str(self.serialized_data.as_deref()?).ok()?;
        sku_of(data.meta_information.as_bytes())
    }
}

fn sku_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        product: Product,
    }
    #[derive(Deserialize)]
    struct Product {
        sku: String,
    }
    serde_json::from_slice::<Body>(body).ok().map(|body| body.product.sku)
}

/// A line of the results, which we make of the platform's list.
#[derive(Serialize, Deserialize)]
struct Line {
    at: u64,
    sku: String,
    status: i64,
}

/// Our name for a job, as a SKU.
fn mark(tag: &str) -> String {
    let plain = tag.chars().filter(char::is_ascii_alphanumeric);
    let mark: String = "lily-connect-".chars().chain(plain).take(64).collect();
    mark
}

/// An operation that the platform refuses whatever it does: a new product needs a set, a name and more.
fn refused(sku: &str) -> String {
    json!({ "product": { "sku": sku } }).to_string()
}

fn is_uuid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[async_trait]
impl WriteJobs for Magento {
    fn guard(&self, cell: &Cell, _: &CellValue) -> Option<GuardKind> {
        // A label goes with its picture's place and roles: what stands in a queue would put old ones back.
        // Categories have calls of their own.
        let is_saved = !matches!(cell.field.as_str(), "media.alt" | "categories");
        let goes = is_saved && self.capabilities.writable(cell).is_some();
        goes.then_some(GuardKind::ReadWriteVerify)
    }

    fn predict(&self, records: u64) -> Prediction {
        let takes = SAVE.saturating_mul(u32::try_from(records).unwrap_or(u32::MAX));
        Prediction::new(records, Some(takes))
    }

    fn max_bytes(&self) -> u64 {
        MAX_BYTES
    }

    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut> {
        let max_bytes = usize::try_from(max_bytes.min(MAX_BYTES)).unwrap_or(usize::MAX);
        let ids: Vec<u64> = patches.iter().filter_map(|patch| wire::number(&patch.target.id)).collect();
        let mut there = self.queue.known(&ids);
        let unknown: Vec<u64> = ids.into_iter().filter(|id| !there.contains_key(id)).collect();
        for some in unknown.chunks(wire::MAX_PAGE as usize) {
            self.read_there(some, Lane::Interactive, None, &mut there).await?;
        }
        let (mut parts, mut lines, mut bytes, mut left) = (Vec::new(), Vec::new(), 0, Vec::new());
        for (at, patch) in patches.iter().enumerate() {
            let line = match self.steps(patch, &there, Lane::Interactive, None).await {
                // Two saves of one product could come in any order.
                Ok((steps, refused)) if refused.is_empty() && steps.len() == 1 => steps.into_iter().next(),
                _ => None,
            };
            let line = line.filter(|step| step.below == PRODUCTS).map(|step| {
                let splits = step.fields.len() > 1;
                JobLine::new(at, step.fields, step.body.to_string(), splits)
            });
            let Some(line) = line.filter(|line| line.json.len() < max_bytes) else {
                left.push(at);
                continue;
            };
            let length = line.json.len() + 1;
            if lines.len() >= MAX_LINES || (bytes + length > max_bytes && !lines.is_empty()) {
                parts.push(JobPart::new(PRODUCTS, std::mem::take(&mut lines)));
                bytes = 0;
            }
            bytes += length;
            lines.push(line);
        }
        if !lines.is_empty() {
            parts.push(JobPart::new(PRODUCTS, lines));
        }
        Ok(JobCut::new(parts, left))
    }

    /// Nothing is brought anywhere: a queue that somebody works on is all that it takes.
    async fn upload(&self, _: &JobPart, timeout: Duration) -> Result<StagedFile> {
        self.must_be_consumed(timeout).await?;
        Ok(StagedFile(PRODUCTS.into()))
    }

    async fn start(
        &self,
        part: &JobPart,
        _: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob> {
        let mut list = format!("[{}", refused(&mark(tag)));
        for line in &part.lines {
            list.push(',');
            list.push_str(std::str::from_utf8(&line.json).map_err(|_| wire::unreadable())?);
        }
        list.push(']');
        Ok(StartedJob::new(self.enqueue(list, not_after).await?, None))
    }

    async fn find(&self, tag: &str, since: Timestamp) -> Result<FoundJob> {
        let (mark, from) = (mark(tag), since.saturating_sub(CLOCKS_DIFFER).to_utc_sql());
        let search = |last| {
            Search::page("id", wire::MAX_PAGE).with("start_time", "gteq", from.clone()).behind("id", last)
        };
        let (mut found, mut is_unclear) = (None, false);
        self.whole(&PullRequest::all(Entity::Product), "bulk", search, |raw| {
            let operation: Operation<'_> = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
            match (operation.sku(), &operation.bulk_uuid) {
                (Some(sku), Some(uuid)) if sku == mark && is_uuid(uuid) => found = Some(uuid.clone()),
                // What does not say what it is about may be ours.
                _ => is_unclear |= operation.status == OPEN && operation.serialized_data.is_none(),
            }
            php::number(operation.id).ok_or_else(wire::unreadable)
        })
        .await?;
        Ok(match (found, is_unclear) {
            (Some(uuid), _) => FoundJob::Job(StartedJob::new(uuid, None)),
            (None, true) => FoundJob::Unclear,
            (None, false) => FoundJob::None,
        })
    }

    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        Ok(match self.open_operations(job).await? {
            None => BulkState::Gone,
            Some(0) => BulkState::Done(BulkDone::with_data(None, None, None)),
            Some(_) => BulkState::Running { objects: None },
        })
    }

    async fn open(&self, job: &BulkJob, _: u64) -> Result<BulkBody> {
        if !is_uuid(&job.0) {
            return Err(no_job());
        }
        let call = self.api.get(&self.scope, &format!("bulk/{}/detailed-status", job.0));
        let response = self.client.execute(call).await?;
        Ok(BulkBody::new(0, None, Once(Some(lines(response.body())?))))
    }

    fn read_line(&self, part: &JobPart, line: &[u8]) -> LineAnswer {
        read_line(part, line)
    }

    async fn cancel(&self, _: &BulkJob) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "job_not_endable",
            "what stands in the shop's queue cannot be taken out again",
        )
        .with_remedy("wait for the queue's consumer, or have the merchant empty the queue"))
    }

    fn poll_plan(&self) -> PollPlan {
        PollPlan { run_limit: DEADLINE, kept: Some(KEPT), ..PollPlan::default() }
    }
}

impl Magento {
    /// Puts operations into the queue, and gives the bulk's id.
    async fn enqueue(&self, list: String, not_after: Duration) -> Result<String> {
        let call = self.api.queue(&self.scope, PRODUCTS, list).not_after(Some(not_after));
        let response = self.client.execute(call).await?;
        let accepted = serde_json::from_slice::<Accepted>(response.body()).ok();
        accepted
            .map(|accepted| accepted.bulk_uuid)
            .filter(|uuid| is_uuid(uuid))
            .ok_or_else(|| wire::unreadable().with_effect(Effect::Possible))
    }

    /// How many operations of a bulk wait; none where the store does not know it.
    async fn open_operations(&self, job: &BulkJob) -> Result<Option<u64>> {
        if !is_uuid(&job.0) {
            return Ok(None);
        }
        let call = self.api.get(&self.scope, &format!("bulk/{}/operation-status/{OPEN}", job.0));
        match self.client.execute_with(call, wire::json).await {
            Err(error) if error.code() == "not_found" => Ok(None),
            answered => answered.map(Some),
        }
    }

    /// Puts one operation into the queue, which changes nothing, and waits until somebody took it out.
    ///
    /// # Errors
    /// `Unsupported` where nobody does: single saves do not need a consumer.
    async fn must_be_consumed(&self, timeout: Duration) -> Result<()> {
        let clock = self.runtime.clock();
        let mut consumed = self.queue.consumed.lock().await;
        let is_consumed = match *consumed {
            Some((known, at)) if clock.elapsed().saturating_sub(at) < PROBED => known,
            _ => {
                let began = clock.elapsed();
                let until = began.saturating_add(timeout.min(PROBE));
                let job = match self.enqueue(format!("[{}]", refused(&mark("probe"))), until).await {
                    Err(error) if error.code() == "not_found" => {
                        return Err(not_consumed("queue_missing", "the shop takes nothing into a queue"));
                    }
                    uuid => BulkJob(uuid?.into()),
                };
                loop {
                    clock.sleep(PROBE_POLL).await;
                    match self.open_operations(&job).await? {
                        Some(0) => break true,
                        _ if clock.elapsed() >= until => break false,
                        _ => {}
                    }
                }
            }
        };
        *consumed = Some((is_consumed, clock.elapsed()));
        match is_consumed {
            true => Ok(()),
            false => Err(not_consumed("queue_not_consumed", "nobody works on the shop's queue")),
        }
    }
}

fn not_consumed(code: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, code, what)
        .with_retry(Retry::Never)
        .with_effect(Effect::None)
        .with_remedy(
            "have the shop run the consumer async.operations.all (by cron or a supervisor), with the modules of \
             asynchronous operations on",
        )
}

fn no_job() -> Error {
    Error::new(ErrorKind::NotFound, "job_unknown", "the store has no such job")
}

/// The results as lines, in the order in which the operations came: their ids are those of the database, or their
/// places, and ascend either way.
fn lines(body: &[u8]) -> Result<Bytes> {
    let detailed: Detailed<'_> = serde_json::from_slice(body).map_err(|_| wire::unreadable())?;
    let operations: Vec<Operation<'_>> = php::list(detailed.operations_list).ok_or_else(wire::unreadable)?;
    let mut known: Vec<(u64, String, i64)> = Vec::with_capacity(operations.len());
    for operation in &operations {
        let (Some(id), Some(sku)) = (php::number(operation.id), operation.sku()) else { continue };
        // Without an answer yet.
        if operation.status != OPEN {
            known.push((id, sku, operation.status));
        }
    }
    known.sort();
    let mut text = Vec::new();
    let own = known.into_iter().filter(|(_, sku, _)| !sku.starts_with("lily-connect-"));
    for (at, (_, sku, status)) in (0..).zip(own) {
        serde_json::to_writer(&mut text, &Line { at, sku, status }).map_err(|_| wire::unreadable())?;
        text.push(b'\n');
    }
    Ok(text.into())
}

fn read_line(part: &JobPart, line: &[u8]) -> LineAnswer {
    let Ok(Line { at, sku, status }) = serde_json::from_slice(line) else { return LineAnswer::Unreadable };
    let is_of = |line: &JobLine| sku_of(&line.json).as_deref() == Some(sku.as_str());
    let guess = usize::try_from(at).ok().filter(|at| part.lines.get(*at).is_some_and(is_of));
    // Where operations are left out of the list, they stand elsewhere.
    let Some(place) = guess.or_else(|| part.lines.iter().position(is_of)) else {
        return LineAnswer::Unplaced;
    };
    let refused = |code: &str| FieldAnswer::Refused {
        code: code.to_owned(),
        why: "the store did not do an operation of its queue".to_owned(),
    };
    let answer = match status {
        COMPLETE => FieldAnswer::Accepted,
        FAILED_RETRIABLE => refused("operation_failed_for_now"),
        FAILED | REJECTED => refused("operation_failed"),
        _ => FieldAnswer::Unknown { why: "an operation has a status that is not known".to_owned() },
    };
    LineAnswer::At(place as u64, answer)
}

/// A body of one piece.
#[derive(Debug)]
struct Once(Option<Bytes>);

#[async_trait]
impl Chunks for Once {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take().filter(|bytes| !bytes.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FieldName;

    fn part(skus: &[&str]) -> JobPart {
        let line = |(at, sku): (usize, &&str)| {
            JobLine::new(
                at,
                vec![FieldName::new("title")],
                json!({"product": {"sku": sku}}).to_string(),
                false,
            )
        };
        JobPart::new(PRODUCTS, skus.iter().enumerate().map(line).collect())
    }

    fn operation(id: u64, sku: &str, status: i64) -> serde_json::Value {
        let data = json!({"entity_id": null, "entity_link": "", "meta_information": refused(sku)});
        json!({"id": id, "status": status, "serialized_data": data.to_string(), "result_message": null})
    }

    #[test]
    fn operations_are_told_by_their_skus_whatever_their_ids_and_order() {
        let part = part(&["a", "b/c", "d"]);
        let answers = |operations: Vec<serde_json::Value>| -> Vec<LineAnswer> {
            let text = lines(json!({"operations_list": operations}).to_string().as_bytes()).unwrap();
            text.split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|it| read_line(&part, it))
                .collect()
        };
        let accepted = |at| LineAnswer::At(at, FieldAnswer::Accepted);
        for first in [0, 700] {
            let mut operations = vec![
                operation(first + 3, "d", COMPLETE),
                operation(first, &mark("tag"), FAILED),
                operation(first + 2, "b/c", COMPLETE),
                operation(first + 1, "a", COMPLETE),
            ];
            assert_eq!(answers(operations.clone()), [accepted(0), accepted(1), accepted(2)]);
            // What nobody did yet has no answer, and does not shift the others.
            operations[3] = operation(first + 1, "a", OPEN);
            assert_eq!(answers(operations.clone()), [accepted(1), accepted(2)]);
            // Neither has what is not listed.
            operations.remove(3);
            assert_eq!(answers(operations), [accepted(1), accepted(2)]);
        }
        assert_eq!(answers(vec![operation(1, "x", COMPLETE)]), [LineAnswer::Unplaced]);
        for status in [FAILED_RETRIABLE, FAILED, REJECTED, 0, 9] {
            let answer = answers(vec![operation(1, "a", status)]).remove(0);
            assert_ne!(answer, accepted(0), "{status}");
        }
    }

    #[test]
    fn the_lists_of_the_documents_are_read() {
        let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
            eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no documented list was read");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set in CI");
            return;
        };
        let folder = std::path::Path::new(&folder).join("magento/examples");
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let accepted: Accepted = serde_json::from_slice(&read("bulk-02.json")).unwrap();
        assert!(is_uuid(&accepted.bulk_uuid));
        // Of customers, no product's.
        assert_eq!(lines(&read("bulk-status-03.json")).unwrap(), Bytes::new());
        let text = read("bulk-status-03.json");
        let detailed: Detailed<'_> = serde_json::from_slice(&text).unwrap();
        let operations: Vec<Operation<'_>> = php::list(detailed.operations_list).unwrap();
        assert!(
            operations.len() > 1
                && operations.iter().all(|it| it.status != 0 && it.serialized_data.is_some())
        );
    }

    #[test]
    fn a_job_is_named_by_a_sku_that_can_be_one() {
        let mark = mark("0123456789abcdef0123456789abcdefp12\"}x");
        assert_eq!(mark, "lily-connect-0123456789abcdef0123456789abcdefp12x");
        assert!(super::mark(&"x".repeat(99)).len() == 64);
        for text in ["", "a/b", "..", &"a".repeat(65)] {
            assert!(!is_uuid(text));
        }
    }
}
