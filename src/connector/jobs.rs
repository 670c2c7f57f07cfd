//! Write jobs: changes that go up as a file of lines, and that the platform writes by itself, line by line.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{BulkBody, BulkJob, BulkState, FieldAnswer, Patch, PollPlan, Prediction, StartedJob};
use crate::error::Result;
use crate::model::{Cell, CellValue, FieldName, GuardKind, Text};
use crate::time::Timestamp;

/// How a connector has the platform write many records by jobs of its own.
///
/// The engine ([`Push`](crate::sync::Push)) owns the life of a job: it reads the guard, cuts, uploads, commits the
/// intents, starts, keeps the job's id, polls, reads the results line by line, and settles each change by a read. A
/// connector only says how each step is asked for. What it does not write by a job goes as
/// [`Connector::push`](super::Connector::push) writes it.
#[async_trait]
pub trait WriteJobs: fmt::Debug + Send + Sync {
    /// How the platform keeps a write of `ours` into this cell, by a job, from overwriting what somebody else wrote
    /// after our guard read: a job may run for hours. `None` where no job writes it.
    fn guard(&self, cell: &Cell, ours: &CellValue) -> Option<GuardKind>;

    /// What writing so many records one by one would take.
    fn predict(&self, records: u64) -> Prediction;

    /// The largest file of one job, in bytes.
    fn max_bytes(&self) -> u64;

    /// Cuts patches into the jobs that write them, in the order in which they must run, none with a file of more
    /// than `max_bytes`. Sends no write.
    ///
    /// A field may take lines of several parts: a later part's line goes only where the earlier ones were accepted.
    ///
    /// # Errors
    /// What the reads say that it takes to know how a value is sent.
    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut>;

    /// Brings the file of a part to where the platform reads it. Changes nothing in the store, so it may be repeated.
    /// No credential of the store goes to a foreign host.
    ///
    /// # Errors
    /// What the pipeline says; nothing was started.
    async fn upload(&self, part: &JobPart, timeout: Duration) -> Result<StagedFile>;

    /// Starts the job of a part that was uploaded. The tag is ours: [`WriteJobs::find`] knows the job again by it.
    /// No byte leaves past `not_after` of the runtime's clock.
    ///
    /// # Errors
    /// `RateLimited` where the platform runs as many jobs as it allows; `NotFound` or `Unavailable` where the file
    /// is not there or could not be read, so that another upload may help; `Rejected` where it takes no such job.
    /// Of all these, nothing was begun. An error with [`Effect::Possible`](crate::error::Effect::Possible) where the
    /// answer was lost.
    async fn start(
        &self,
        part: &JobPart,
        file: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob>;

    /// The job that was started with this tag, at `since` of our clock or later: we may have ended between the start
    /// and the moment when its id was kept.
    ///
    /// # Errors
    /// What the pipeline says.
    async fn find(&self, tag: &str, since: Timestamp) -> Result<FoundJob>;

    /// How far a job is. Only what says that it runs keeps its rows unsettled: a job that is being cancelled still
    /// runs.
    ///
    /// # Errors
    /// What the pipeline says. A job that failed is no error.
    async fn poll(&self, job: &BulkJob) -> Result<BulkState>;

    /// Opens the file of a job's results at a byte offset; of a job that failed, what it wrote of it. As
    /// [`BulkSource::open`](super::BulkSource::open).
    ///
    /// # Errors
    /// `NotFound` where the file is not there any more; `Rejected` where its host refuses the range for good. Else
    /// what the pipeline says.
    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody>;

    /// Reads one line of the results, without its end.
    fn read_line(&self, part: &JobPart, line: &[u8]) -> LineAnswer;

    /// Ends a job that runs. One that has ended already is no error. What it has written stays.
    ///
    /// # Errors
    /// `Unsupported` where the platform ends no job: it is then followed to its end, or given up at
    /// [`PollPlan::run_limit`]. Else what the pipeline says; that the platform refused it: it is asked again then.
    async fn cancel(&self, job: &BulkJob) -> Result<()>;

    /// When to ask how far a job is, and how long one can run at most: past that, it is over.
    fn poll_plan(&self) -> PollPlan {
        PollPlan::default()
    }
}

/// Patches, cut into jobs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct JobCut {
    /// The jobs, in the order in which they must run.
    pub parts: Vec<JobPart>,
    /// The patches that no job writes, by their places: they are too large for a line, or cannot be sent as they
    /// are. They go as [`Connector::push`](super::Connector::push) takes them, which says why.
    pub left: Vec<usize>,
}

impl JobCut {
    /// Cuts patches so.
    #[must_use]
    pub const fn new(parts: Vec<JobPart>, left: Vec<usize>) -> Self {
        Self { parts, left }
    }
}

/// One job: a kind of write, and a line for each time that it is done.
#[derive(Clone)]
#[non_exhaustive]
pub struct JobPart {
    /// The platform's name for the kind of write.
    pub kind: &'static str,
    /// The lines. Their places are what the results name them by, from 0.
    pub lines: Vec<JobLine>,
}

impl JobPart {
    /// A job of one kind of write.
    #[must_use]
    pub const fn new(kind: &'static str, lines: Vec<JobLine>) -> Self {
        Self { kind, lines }
    }

    /// The file: each line with its end.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        let bytes = self.lines.iter().map(|line| line.json.len() + 1).sum();
        let mut file = Vec::with_capacity(bytes);
        for line in &self.lines {
            file.extend_from_slice(&line.json);
            file.push(b'\n');
        }
        file
    }
}

// Its lines hold what is written.
impl fmt::Debug for JobPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobPart").field("kind", &self.kind).field("lines", &self.lines.len()).finish()
    }
}

/// One line of a job's file: one write to one record.
#[derive(Clone)]
#[non_exhaustive]
pub struct JobLine {
    /// The place of the patch that it is of.
    pub patch: usize,
    /// The fields of the patch that it writes.
    pub fields: Vec<FieldName>,
    /// The line, as JSON without a line break.
    pub json: Bytes,
    /// Whether it has several changes, of which one that is no good has the platform refuse the others, too.
    pub splits: bool,
}

impl JobLine {
    /// A line of the patch at this place, which writes these fields.
    #[must_use]
    pub fn new(patch: usize, fields: Vec<FieldName>, json: impl Into<Bytes>, splits: bool) -> Self {
        Self { patch, fields, json: json.into(), splits }
    }
}

// What is written is not shown.
impl fmt::Debug for JobLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobLine")
            .field("patch", &self.patch)
            .field("fields", &self.fields)
            .field("bytes", &self.json.len())
            .finish_non_exhaustive()
    }
}

/// A file that the platform can read, by the platform's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StagedFile(pub Text);

/// What a platform says of a job by its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoundJob {
    /// This is it.
    Job(StartedJob),
    /// There is none, as of now: one whose start is under way may come yet.
    None,
    /// It cannot be told: a job that may be ours still runs.
    Unclear,
}

/// What a line of the results says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LineAnswer {
    /// The answer to the line at this place of the file, from 0.
    At(u64, FieldAnswer),
    /// An answer that does not say to which line.
    Unplaced,
    /// It cannot be read.
    Unreadable,
}
