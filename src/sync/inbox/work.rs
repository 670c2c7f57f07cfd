//! Jobs to records: wait for our own writes, read again, tell echoes, hand on, end the jobs.

use std::sync::atomic::Ordering;

use super::{Gone, Inbox, InboxHandler, Tombstone};
use crate::connector::{PullRequest, Purpose};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::RejectedRecord;
use crate::model::{Lane, Record, RecordRef};
use crate::state::{HintKind, Job, JobPlace, NotedHash, Op, RowQuery, Unit};
use crate::sync::Rejected;
use crate::time::Timestamp;

/// The most pages of a read of one record.
const MAX_PAGES: usize = 8;
/// The most jobs that one call looks at, for each that it may read: those that wait are passed over.
const LOOKS: u32 = 10;

/// What one call of [`Inbox::work`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InboxReport {
    /// How many records were handed on.
    pub delivered: u64,
    /// How many hints' records were as they had been handed on before, or as our own write had left them on top of
    /// that: they were not handed on.
    pub echoes: u64,
    /// The records that are not there any more, each handed on once.
    pub gone: Vec<Gone>,
    /// How many records could not be mapped.
    pub rejected: u64,
    /// How many jobs ended because the connector cannot read such records any more.
    pub ignored: u64,
    /// How many jobs wait for a write of ours to be settled.
    pub waiting: u64,
    /// How many reads failed: their jobs stay.
    pub failed: u64,
    /// The stable code of the last read that failed.
    pub failure: Option<String>,
    /// Whether the call ended at its bound of records: call again at once.
    pub more: bool,
}

/// What became of a job.
enum Found {
    Changed(Box<Record>),
    Echo,
    Gone(Gone),
    Rejected(RejectedRecord),
    /// The connector cannot read such records.
    Ignored,
    /// A write of ours is under way, or landed just now.
    Waits,
}

/// What a read of a record gave.
enum Read {
    Record(Box<Record>),
    Rejected(RejectedRecord),
    Missing,
}

impl Inbox {
    /// Works on what is pending, oldest first: reads each record again, and hands it on.
    ///
    /// A record on which a write of ours is not settled waits, and so does a variant of such a product: call
    /// [`crate::sync::Push::settle`] from time to time. A record that is as it was handed on last, or as our write
    /// left it on top of that, is no news, and is not handed on (rule H2).
    ///
    /// A batch of records is handed on, then made durable by the handler, then its jobs end: in this order, so
    /// that a crash repeats a batch and loses none. Reads that fail are told in the report, and tried again by a
    /// later call. A call that gave up, or came to its bound, is followed by one that goes on behind it.
    ///
    /// # Errors
    /// What the handler and the state say, and `Cancelled` after the batch that was begun has ended. What was
    /// not ended is done again by the next call.
    pub async fn work<H: InboxHandler + ?Sized>(&self, handler: &mut H) -> Result<InboxReport> {
        let mut report = InboxReport::default();
        let most = u64::from(self.settings.most_jobs.get());
        let (mut read, mut looked, mut failures) = (0_u64, 0_u64, 0_u32);
        // Where the call before gave up, so that records which cannot be read never keep others from being read.
        let mut after = Some(JobPlace(self.resume.swap(0, Ordering::Relaxed)));
        loop {
            let jobs = self.state.jobs(self.store(), after, self.settings.batch).await?;
            if jobs.is_empty() {
                return Ok(report);
            }
            let mut done = Vec::new();
            let mut stop = false;
            for job in jobs {
                stop = read >= most
                    || looked >= most.saturating_mul(LOOKS.into())
                    || failures >= self.settings.most_failures.get()
                    || self.cancel.is_cancelled();
                if stop {
                    break;
                }
                looked += 1;
                after = Some(job.place);
                let began = self.now();
                match self.look(&job).await {
                    Ok(Found::Waits) => report.waiting += 1,
                    Ok(found) => {
                        (read, failures) = (read + 1, 0);
                        done.extend(known(&job, &found, began));
                        self.hand_on(&job, found, handler, &mut report).await?;
                        done.push(Op::JobDone { record: job.record, version: job.version });
                    }
                    Err(error) if error.kind() == ErrorKind::Cancelled => stop = true,
                    Err(error) if matches!(error.kind(), ErrorKind::State | ErrorKind::Sink) => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(record = %job.record, code = error.code(), "a changed record was not read");
                        (read, failures) = (read + 1, failures + 1);
                        report.failed += 1;
                        report.failure = Some(error.code().to_owned());
                    }
                }
                if stop {
                    break;
                }
            }
            if !done.is_empty() {
                handler.done().await?;
                done.push(Op::DropHashesBefore(self.now().saturating_sub(self.settings.hashes_kept)));
                self.state.commit(self.store(), Unit::new(done)).await?;
            }
            if self.cancel.is_cancelled() {
                return Err(self.cancel.error());
            }
            if stop {
                report.more = read >= most;
                self.resume.store(after.map_or(0, |place| place.0), Ordering::Relaxed);
                return Ok(report);
            }
        }
    }

    async fn hand_on<H: InboxHandler + ?Sized>(
        &self,
        job: &Job,
        found: Found,
        handler: &mut H,
        report: &mut InboxReport,
    ) -> Result<()> {
        match found {
            Found::Changed(record) => {
                handler.changed(&record).await?;
                report.delivered += 1;
            }
            Found::Echo => report.echoes += 1,
            Found::Gone(gone) => {
                handler.gone(&gone).await?;
                report.gone.push(gone);
            }
            Found::Rejected(RejectedRecord { id, issues, .. }) => {
                let reasons = issues.iter().map(ToString::to_string).collect();
                handler.rejected(&Rejected::new(job.record.kind, id, reasons)).await?;
                report.rejected += 1;
            }
            Found::Ignored => report.ignored += 1,
            Found::Waits => {}
        }
        Ok(())
    }

    async fn look(&self, job: &Job) -> Result<Found> {
        if !self.can_read(&job.record) {
            return Ok(Found::Ignored);
        }
        if self.is_being_written(job).await? {
            return Ok(Found::Waits);
        }
        let noted = self.state.noted_hash(self.store(), &job.record).await?;
        let read = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(self.cancel.error()),
            read = self.read_again(&job.record) => read?,
        };
        // A write may have begun, or begun and landed, while the record was read: what was read may then be older
        // than it, or not yet known to be ours.
        if self.is_being_written(job).await?
            || self.state.noted_hash(self.store(), &job.record).await? != noted
        {
            return Ok(Found::Waits);
        }
        let kept = self.now().saturating_sub(self.settings.hashes_kept);
        let noted = noted.filter(|noted| noted.began >= kept);
        Ok(match read {
            Read::Record(record) if is_echo(job, &record, noted) => Found::Echo,
            Read::Record(record) => Found::Changed(record),
            Read::Rejected(rejected) => Found::Rejected(rejected),
            Read::Missing => {
                let tombstone = match job.kind {
                    HintKind::Deleted => Tombstone::Deleted,
                    HintKind::Changed => Tombstone::Missing,
                };
                Found::Gone(Gone::new(job.record.clone(), job.parent.clone(), tombstone))
            }
        })
    }

    /// Whether a write of ours on the record, or on the product that it belongs to, is not settled.
    async fn is_being_written(&self, job: &Job) -> Result<bool> {
        let unsettled = self.state.rows(self.store(), &RowQuery::Unsettled).await?;
        let concerns = |holder: &RecordRef| *holder == job.record || Some(holder) == job.parent.as_ref();
        Ok(unsettled.iter().any(|row| concerns(&row.cell.holder) || concerns(row.target())))
    }

    /// Reads the record by its id, past caches. One at a time: a list can pass over what is in the bin, and would
    /// call it missing.
    async fn read_again(&self, record: &RecordRef) -> Result<Read> {
        let schema = self.connector.schema(record.kind).ok_or_else(unreadable)?;
        let mut request = PullRequest::by_ids(record.kind, vec![record.id.clone()], Purpose::Verify);
        request.lane = Lane::Backfill;
        let mut missing = false;
        for _ in 0..MAX_PAGES {
            let page = self.connector.pull_page(&request).await?;
            missing |= page.missing.contains(&record.id);
            for items in &page.items {
                let mapped = schema.map(items, &self.connector.info().profile)?;
                let mut records = mapped.records.into_iter();
                if let Some(found) = records.find(|found| found.reference() == record) {
                    return Ok(Read::Record(Box::new(found)));
                }
                let of_record =
                    |rejected: &RejectedRecord| rejected.id.as_ref().is_none_or(|id| *id == record.id);
                if let Some(rejected) = mapped.rejected.into_iter().find(of_record) {
                    return Ok(Read::Rejected(rejected));
                }
            }
            if page.next.is_none() || page.next == request.cursor {
                break;
            }
            request = request.at(page.next);
        }
        if missing { Ok(Read::Missing) } else { Err(unreadable()) }
    }
}

/// What is known of a record once it was handed on. One that is gone and comes back is news, whatever it was.
fn known(job: &Job, found: &Found, began: Timestamp) -> Option<Op> {
    match found {
        Found::Changed(record) => Some(Op::note_hash(record, began)),
        Found::Gone(_) | Found::Rejected(_) => Some(Op::ForgetHash { record: job.record.clone() }),
        Found::Echo | Found::Ignored | Found::Waits => None,
    }
}

/// An echo is told by the record alone, and never by a payload, an id or a time (rule H2). A hint from before our
/// write began is no echo of it, whatever the record is now.
fn is_echo(job: &Job, record: &Record, noted: Option<NotedHash>) -> bool {
    noted.is_some_and(|noted| job.first_at >= noted.began && noted.hash == record.content_hash())
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "record_unanswered",
        "a read by id answered neither the record nor that it is missing",
    )
}
