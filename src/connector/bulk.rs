//! Bulk reads: a job that the platform runs by itself, and whose result is one file of JSON lines.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::PullRequest;
use crate::error::Result;
use crate::model::{Entity, Place, Text};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::transport::Chunks;

/// How a connector has the platform write a whole list to a file.
///
/// The engine ([`Pull`](crate::sync::Pull)) owns the job's life: it starts it, keeps its id, polls, downloads,
/// joins the lines and proves the result. A source only says how each step is asked for.
#[async_trait]
pub trait BulkSource: fmt::Debug + Send + Sync {
    /// What reading the request page by page would take; `None` where no bulk job can answer it.
    ///
    /// # Errors
    /// What the calls say that it takes to find out.
    async fn predict(&self, request: &PullRequest) -> Result<Option<Prediction>>;

    /// Starts a job. The tag is ours: where the platform lets a job carry a name, [`BulkSource::find`] knows it
    /// again by that.
    ///
    /// # Errors
    /// `RateLimited` where the platform runs as many jobs as it allows: the engine waits, and asks again. Else
    /// what the pipeline says.
    async fn start(&self, request: &PullRequest, tag: &str) -> Result<StartedJob>;

    /// The job that was started with this tag, where the platform can be asked: we may have ended between the
    /// start and the moment when its id was kept.
    ///
    /// # Errors
    /// What the pipeline says.
    async fn find(&self, request: &PullRequest, tag: &str) -> Result<Option<StartedJob>> {
        let _ = (request, tag);
        Ok(None)
    }

    /// How far a job is.
    ///
    /// # Errors
    /// What the pipeline says. A job that failed is no error.
    async fn poll(&self, job: &BulkJob) -> Result<BulkState>;

    /// Opens the job's file at a byte offset; of a job that failed, what it wrote of it.
    ///
    /// A source that cannot seek opens it at 0 and says so in [`BulkBody::from`]. The file's address may be
    /// signed and foreign: no credential of the store goes there.
    ///
    /// # Errors
    /// `NotFound` where the file is not there any more, such as an address that expired and could not be had
    /// anew; `Rejected` where its host refuses the range for good. Of both the engine makes a failed job. Else what
    /// the pipeline says.
    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody>;

    /// The clock that a pull waits by until a job has ended: that of the connector's runtime. The system's by default.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::default())
    }

    /// Ends a job that runs. One that has ended already is no error.
    ///
    /// # Errors
    /// What the pipeline says.
    async fn cancel(&self, job: &BulkJob) -> Result<()>;

    /// How the lines of a kind's file belong together.
    fn joints(&self, entity: Entity) -> &'static Joints;

    /// How many jobs the platform runs at once for this store.
    fn max_parallel(&self) -> NonZeroU32 {
        NonZeroU32::MIN
    }

    /// When to ask how far a job is, and for how long.
    fn poll_plan(&self) -> PollPlan {
        PollPlan::default()
    }
}

/// The platform's name for a job: a short text that a checkpoint keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BulkJob(pub Text);

/// A job that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartedJob {
    /// The job.
    pub job: BulkJob,
    /// A time of the platform's own clock that is not later than when it began to read.
    pub server_time: Option<Timestamp>,
}

impl StartedJob {
    /// Names a job that was started at a time of the platform's clock.
    #[must_use]
    pub fn new(job: impl Into<Text>, server_time: Option<Timestamp>) -> Self {
        Self { job: BulkJob(job.into()), server_time }
    }
}

/// What a read page by page would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prediction {
    /// How many calls.
    pub calls: u64,
    /// How long at the store's budget, where that is known.
    pub takes: Option<Duration>,
}

impl Prediction {
    /// Predicts so many calls.
    #[must_use]
    pub const fn new(calls: u64, takes: Option<Duration>) -> Self {
        Self { calls, takes }
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkState {
    /// It waits or runs.
    Running {
        /// How many objects it has read, where the platform says it.
        objects: Option<u64>,
    },
    /// It is done.
    Done(BulkDone),
    /// It failed.
    Failed {
        /// The platform's code, without values.
        code: Text,
        /// Whether what it wrote before it failed can be read.
        partial: bool,
    },
    /// Its file is not kept any more.
    Expired,
    /// It was ended by somebody, the platform itself included.
    Cancelled,
    /// The platform does not know it.
    Gone,
}

/// What a job that is done says of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BulkDone {
    /// How many objects it has: its lines.
    pub objects: Option<u64>,
    /// How many of them are records, and no part of another.
    pub roots: Option<u64>,
    /// The length of the file in bytes.
    pub bytes: Option<u64>,
    /// Whether there is a file: of an empty list, there may be none.
    pub has_data: bool,
}

impl BulkDone {
    /// A file with these counts, as far as they are known.
    #[must_use]
    pub const fn with_data(objects: Option<u64>, roots: Option<u64>, bytes: Option<u64>) -> Self {
        Self { objects, roots, bytes, has_data: true }
    }

    /// No file, with the count of objects that goes with it.
    #[must_use]
    pub const fn without_data(objects: Option<u64>) -> Self {
        Self { objects, roots: objects, bytes: None, has_data: false }
    }
}

/// A job's file, opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct BulkBody {
    /// The offset at which it begins: the one that was asked for, or 0.
    pub from: u64,
    /// The length of the whole file, where the answer says it.
    pub whole: Option<u64>,
    chunks: Box<dyn Chunks>,
}

impl BulkBody {
    /// A file that is read from `from` on.
    #[must_use]
    pub fn new(from: u64, whole: Option<u64>, chunks: impl Chunks + 'static) -> Self {
        Self { from, whole, chunks: Box::new(chunks) }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// What the way says: an answer that broke off is an error, not an end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.chunks.chunk().await
    }
}

/// How the lines of a file belong together.
///
/// Each line is an object. A root is a record; a child names its parent, and belongs to a list of it. What a line
/// is shows in its id: a marker such as `/Variant/` is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joints {
    /// The key of a line's id.
    pub id: &'static str,
    /// The key of its parent's id; a line without it is a root.
    pub parent: &'static str,
    /// The marker of a root's id.
    pub marker: &'static str,
    /// What can stand below a root.
    pub branches: &'static [Branch],
    /// The lists that each root has, so that one to which nothing belongs is empty, and not unknown.
    pub lists: &'static [Place],
}

impl Joints {
    /// Says how lines belong together.
    #[must_use]
    pub const fn new(
        id: &'static str,
        parent: &'static str,
        marker: &'static str,
        branches: &'static [Branch],
    ) -> Self {
        Self { id, parent, marker, branches, lists: &[] }
    }

    /// Says which lists each root has.
    #[must_use]
    pub const fn lists(mut self, lists: &'static [Place]) -> Self {
        self.lists = lists;
        self
    }
}

/// What can stand below an object: a list of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Branch {
    /// The marker of a child's id.
    pub marker: &'static str,
    /// The list's place on the parent's wire object, as rules name it: `/variants/nodes`.
    pub place: Place,
    /// What can stand below such a child; below that, nothing can.
    pub below: &'static [Branch],
}

impl Branch {
    /// Children with this marker in their ids, in the list at this place.
    #[must_use]
    pub const fn new(marker: &'static str, place: Place) -> Self {
        Self { marker, place, below: &[] }
    }

    /// Says what can stand below such a child.
    #[must_use]
    pub const fn below(mut self, branches: &'static [Branch]) -> Self {
        self.below = branches;
        self
    }
}

/// When to ask how far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollPlan {
    /// The wait before each of the first polls (default 1 s).
    pub first: Duration,
    /// How many those are (default 10).
    pub first_polls: u32,
    /// The wait before each later one (default 5 s).
    pub then: Duration,
    /// How long a job may run (default 4 h): past it, it is cancelled and started anew.
    pub run_limit: Duration,
    /// How long a write job that was not followed to its end may still write: until then its records take no other
    /// write (default: as long as it may run).
    pub kept: Option<Duration>,
}

impl Default for PollPlan {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            first_polls: 10,
            then: Duration::from_secs(5),
            run_limit: Duration::from_secs(4 * 3600),
            kept: None,
        }
    }
}

impl PollPlan {
    /// The wait before the poll of this number, from 0.
    #[must_use]
    pub fn wait(&self, poll: u32) -> Duration {
        if poll < self.first_polls { self.first } else { self.then }
    }
}
