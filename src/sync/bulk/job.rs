//! The life of a bulk job as part of a pull.

use std::sync::Arc;
use std::time::Duration;

use super::report::{BulkReport, Counted};
use super::spool::Spool;
use super::{Join, JoinedPage, LineIssues, blocking, download};
use crate::connector::{
    BulkDone, BulkJob, BulkSource, BulkState, Joint, Page, PullRequest, Select, StartedJob, Total,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::model::Text;
use crate::state::{BulkPoint, BulkStage, RowId, Unit};
use crate::sync::pages::ReadPage;
use crate::sync::pull::{Pull, Work};
use crate::time::{SystemEntropy, Timestamp};

/// The most reasons of failed jobs that are kept.
const MOST_FAILURES: usize = 10;

/// The fault of a file that is being delivered.
const CUT_SHORT: &str = "delivery_cut_short";

/// How a job ended.
enum Ended {
    Done(BulkDone),
    /// Without a whole file, for this reason; whether a part of it can be had.
    Failed(Text, bool),
}

impl Work<'_> {
    /// Pulls the list by a bulk job where that is the better way, and goes on with one that was begun. The report
    /// of the last file; none where the list is read page by page and nothing else was tried.
    pub(in crate::sync) async fn bulk(&mut self) -> Result<Option<BulkReport>> {
        let connector = Arc::clone(&self.pull.connector);
        let Some(source) = connector.bulk() else { return Ok(None) };
        let request = PullRequest {
            select: self.pull.select.clone(),
            page_size: self.pull.page_size,
            ..PullRequest::all(self.pull.entity)
        };
        if self.checkpoint.bulk.is_none() {
            // A run that was begun page by page ends so.
            if self.checkpoint.pages_done || self.checkpoint.next.is_some() {
                return Ok(None);
            }
            if !self.is_bulk_better(source, &request).await? {
                return Ok(None);
            }
            self.checkpoint.bulk = Some(BulkPoint::default());
            // What a run that is no more has left.
            self.pull.sweep_spools().await?;
        }
        while self.point().stage == BulkStage::Working {
            let (job, started) = self.job(source, &request).await?;
            match self.wait(source, &job, started).await? {
                Ended::Done(done) => self.take_file(source, &job, Some(done)).await?,
                Ended::Failed(code, true) if self.is_last() && self.is_flat(source) => {
                    self.point().failures.push(code);
                    self.take_file(source, &job, None).await?;
                }
                Ended::Failed(code, _) => self.fail(code).await?,
            }
        }
        let report = self.point().report.clone();
        let report = report.and_then(|report| serde_json::from_str::<BulkReport>(&report).ok());
        let failures = self.point().failures.clone();
        let nothing = || BulkReport { faults: vec!["no_file".into()], ..BulkReport::default() };
        let report = BulkReport { failures, ..report.unwrap_or_else(nothing) };
        Ok(Some(report.with_gap(self.is_flat(source))))
    }

    /// Whether the list is read page by page after all.
    pub(in crate::sync) fn is_paged(&self) -> bool {
        self.checkpoint.bulk.as_ref().is_none_or(|point| point.stage == BulkStage::Paging)
    }

    fn point(&mut self) -> &mut BulkPoint {
        self.checkpoint.bulk.get_or_insert_default()
    }

    /// Whether no job is started after this one.
    fn is_last(&mut self) -> bool {
        self.point().failed + 1 >= self.pull.bulk.jobs
    }

    /// Whether records have no children, so that each line of a file that is cut short is a whole record.
    fn is_flat(&self, source: &dyn BulkSource) -> bool {
        source.joints(self.pull.entity).branches.is_empty()
    }

    async fn is_bulk_better(&mut self, source: &dyn BulkSource, request: &PullRequest) -> Result<bool> {
        let when = self.pull.bulk.when;
        if when == super::BulkUse::Never || self.pull.bulk.jobs == 0 {
            return Ok(false);
        }
        Ok(source.predict(request).await?.is_some_and(|prediction| when.is_for(&prediction)))
    }

    async fn commit_bulk(&mut self) -> Result<()> {
        self.pull.state.commit(self.store, Unit::new(vec![self.checkpoint_op(Vec::new())])).await
    }

    /// The job that runs, or a new one. Its tag is committed before it is started, and its id before it is asked
    /// about: a crash leaves a job that is found again, not a second one.
    async fn job(
        &mut self,
        source: &dyn BulkSource,
        request: &PullRequest,
    ) -> Result<(BulkJob, Option<Timestamp>)> {
        let point = self.point();
        if let Some(job) = &point.job {
            return Ok((BulkJob(job.clone()), point.started));
        }
        let found = match point.tag.clone() {
            Some(tag) => source.find(request, &tag).await?,
            None => None,
        };
        let clock = Arc::clone(&self.pull.clock);
        let tag = match &self.point().tag {
            Some(tag) => tag.clone(),
            None => {
                let tag: Text = RowId::new(clock.now(), &SystemEntropy)?.to_string().replace('-', "").into();
                self.point().tag = Some(tag.clone());
                self.commit_bulk().await?;
                tag
            }
        };
        let StartedJob { job, server_time } = match found {
            Some(found) => found,
            None => self.start(source, request, &tag).await?,
        };
        // What the run read first tells when it began.
        self.checkpoint.from = self.checkpoint.from.or(server_time);
        let started = Some(clock.now());
        let point = self.point();
        (point.job, point.started, point.delivered) = (Some(job.0.clone()), started, 0);
        self.commit_bulk().await?;
        Ok((job, started))
    }

    /// Starts a job, and waits for a place among those that the platform runs at once.
    async fn start(
        &mut self,
        source: &dyn BulkSource,
        request: &PullRequest,
        tag: &str,
    ) -> Result<StartedJob> {
        let clock = Arc::clone(&self.pull.clock);
        let plan = source.poll_plan();
        let begun = clock.elapsed();
        loop {
            let error = match source.start(request, tag).await {
                Err(error) if error.kind() == ErrorKind::RateLimited => error,
                started => return started,
            };
            let wait = match error.retry() {
                Retry::After(wait) => wait.max(plan.first),
                Retry::Never | Retry::Later => plan.then,
            };
            if clock.elapsed().saturating_sub(begun) + wait > plan.run_limit {
                return Err(error);
            }
            self.sleep(wait).await?;
        }
    }

    async fn sleep(&mut self, wait: Duration) -> Result<()> {
        let cancel = &self.pull.cancel;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancel.error()),
            () = self.pull.clock.sleep(wait) => Ok(()),
        }
    }

    /// Asks how far a job is until it has ended.
    async fn wait(
        &mut self,
        source: &dyn BulkSource,
        job: &BulkJob,
        started: Option<Timestamp>,
    ) -> Result<Ended> {
        let plan = source.poll_plan();
        let clock = Arc::clone(&self.pull.clock);
        let mut polls = 0;
        loop {
            self.sleep(plan.wait(polls)).await?;
            polls = polls.saturating_add(1);
            let code: Text = match source.poll(job).await? {
                BulkState::Done(done) => return Ok(Ended::Done(done)),
                BulkState::Failed { code, partial } => {
                    return Ok(Ended::Failed(format!("failed_{code}").into(), partial));
                }
                BulkState::Expired => "expired".into(),
                BulkState::Cancelled => "cancelled".into(),
                BulkState::Gone => "gone".into(),
                BulkState::Running { .. } => {
                    let runs = started.map_or(Duration::ZERO, |started| clock.now().since(started));
                    if runs < plan.run_limit {
                        continue;
                    }
                    if let Err(error) = source.cancel(job).await {
                        tracing::warn!(code = error.code(), "a bulk job could not be cancelled");
                    }
                    "took_too_long".into()
                }
            };
            return Ok(Ended::Failed(code, false));
        }
    }

    /// A job gave no whole file: the next one is started, or the list is read page by page.
    async fn fail(&mut self, code: Text) -> Result<()> {
        tracing::warn!(store = %self.store, code = code.as_str(), "a bulk job gave no whole file");
        self.pull.sweep_spools().await?;
        let (is_last, then_page) = (self.is_last(), self.pull.bulk.then_page);
        let point = self.point();
        point.failed += 1;
        if point.failures.len() < MOST_FAILURES {
            point.failures.push(code);
        }
        (point.job, point.tag, point.started, point.delivered) = (None, None, None, 0);
        if is_last {
            point.stage = if then_page { BulkStage::Paging } else { BulkStage::Delivered };
        }
        self.commit_bulk().await
    }

    /// Downloads, joins and delivers the file of a job; without what the platform says of it, a part of one.
    async fn take_file(
        &mut self,
        source: &dyn BulkSource,
        job: &BulkJob,
        done: Option<BulkDone>,
    ) -> Result<()> {
        let said = done.as_ref().map(Counted::said).unwrap_or_default();
        if done.is_some_and(|done| !done.has_data) {
            let counts = super::FileCounts { ends_with_newline: true, ..super::FileCounts::default() };
            let said = Counted { bytes: None, ..said };
            let report = BulkReport::of(job.0.clone(), said, &counts, LineIssues::default());
            return match report.is_whole() || (self.is_last() && !self.pull.bulk.then_page) {
                true => self.end(source, report).await,
                false => self.fail("file_missing".into()).await,
            };
        }
        let pull = self.pull;
        let settings = &pull.bulk;
        if said.bytes.is_some_and(|bytes| bytes > settings.file_bytes) {
            return self.fail("file_too_large".into()).await;
        }
        let (list, name) = (pull.spooled_list(), job.0.clone());
        let (directory, bound) = (settings.directory.clone(), settings.file_bytes);
        let spool = blocking(move || Spool::open(directory.as_deref(), &list, &name, bound)).await?;
        let fetched = download::fetch(source, job, said.bytes, spool, pull).await?;
        let spool = match fetched {
            Ok(spool) => spool,
            Err(code) => return self.fail(code.into()).await,
        };
        let file = spool.reader()?;
        let (entity, joints) = (pull.entity, source.joints(pull.entity));
        let (bounds, cancel) = (settings.join.clone(), pull.cancel.clone());
        let mut join = blocking(move || Join::open(file, entity, joints, &bounds, &cancel)).await?;
        let mut report = BulkReport::of(job.0.clone(), said, &join.counts(), join.issues().clone());
        if done.is_none() {
            report.faults.push("job_failed".into());
        }
        let is_good = report.is_whole() && report.issues.is_empty();
        if !is_good && !(self.is_last() && (self.is_flat(source) || !settings.then_page)) {
            blocking(move || {
                spool.remove();
                Ok(())
            })
            .await?;
            let code = report.faults.first().cloned().unwrap_or_else(|| "lines_faulty".into());
            self.point().report = serde_json::to_string(&report).ok().map(Into::into);
            return self.fail(code).await;
        }
        // Only the platform's own count is one.
        if let Some(roots) = said.roots.filter(|_| report.is_whole()) {
            self.checkpoint.totals = (Some(roots), Some(roots));
        }
        if let Some(issues) = self.issues_before(&report) {
            join.go_on_with(issues);
        }
        match self.deliver_file(join, &report).await? {
            Some(issues) => {
                report.issues = issues;
                self.end(source, report).await?;
            }
            None => {
                report.faults.push("page_unreadable".into());
                self.point().report = serde_json::to_string(&report).ok().map(Into::into);
                self.fail("page_unreadable".into()).await?;
            }
        }
        blocking(move || {
            spool.remove();
            Ok(())
        })
        .await
    }

    /// What an earlier run found wrong with this job's file, up to where it came.
    fn issues_before(&mut self, report: &BulkReport) -> Option<LineIssues> {
        let point = self.point();
        let before = point.report.as_deref().filter(|_| point.delivered > 0)?;
        let before: BulkReport = serde_json::from_str(before).ok()?;
        let is_its = before.job == report.job && before.faults.iter().any(|fault| fault == CUT_SHORT);
        is_its.then_some(before.issues)
    }

    /// Delivers the records of a file from where the checkpoint stands. While a page is delivered, the next one is
    /// made. None where a page is not the JSON that was asked for: fetched again, it would be the same.
    ///
    /// What a line's record shows only when it is put together is committed with its page: a run that goes on
    /// behind it does not see it again.
    async fn deliver_file(&mut self, mut join: Join, report: &BulkReport) -> Result<Option<LineIssues>> {
        join.skip_to(self.point().delivered);
        let next = |mut join: Join| blocking(move || join.next_page().map(|page| (join, page)));
        let (mut join, mut page) = next(join).await?;
        while let Some(JoinedPage { items, next: position, .. }) = page {
            if self.pull.cancel.is_cancelled() {
                return Err(self.pull.cancel.error());
            }
            if !join.issues().is_empty() {
                let mut so_far = BulkReport { issues: join.issues().clone(), ..report.clone() };
                so_far.faults.push(CUT_SHORT.into());
                self.point().report = serde_json::to_string(&so_far).ok().map(Into::into);
            }
            let (ahead, delivered) = tokio::join!(next(join), async {
                let total = self.checkpoint.totals.1.map_or(Total::NotGiven, Total::Exact);
                let page = Page { items: vec![items], joint: Joint::NextParent, total, ..Page::default() };
                let (page, mapped) = self.pull.map(page)?;
                self.to = self.to.or(self.checkpoint.from);
                self.point().delivered = position;
                self.deliver(ReadPage { page, mapped, next: None }, false).await
            });
            match delivered {
                Err(error) if error.code() == "answer_unreadable" => return Ok(None),
                delivered => delivered?,
            }
            (join, page) = ahead?;
        }
        Ok(Some(join.issues().clone()))
    }

    /// The file is delivered: what came of it is kept.
    async fn end(&mut self, source: &dyn BulkSource, report: BulkReport) -> Result<()> {
        // Of records without children, a sweep finds those that a line with a fault hides.
        let is_mended = self.pull.bulk.then_page && !report.issues.is_empty() && !self.is_flat(source);
        let point = self.point();
        point.report = serde_json::to_string(&report).ok().map(Into::into);
        point.stage = if is_mended { BulkStage::Paging } else { BulkStage::Delivered };
        self.commit_bulk().await
    }

    /// Whether this is a list whose ids can be swept.
    pub(super) fn can_sweep(&self) -> bool {
        self.capabilities.ids_only && matches!(self.pull.select, Select::All)
    }
}

impl Pull {
    /// What the files of this store's and entity's jobs are named after.
    fn spooled_list(&self) -> String {
        format!("{:?}|{}", self.connector.info().store, self.entity)
    }

    /// Takes away what jobs of this store and entity have left in a directory that was set.
    pub(in crate::sync) async fn sweep_spools(&self) -> Result<()> {
        let Some(directory) = self.bulk.directory.clone() else { return Ok(()) };
        let list = self.spooled_list();
        blocking(move || {
            Spool::sweep(&directory, &list);
            Ok(())
        })
        .await
    }
}

/// What a task that blocks has to say where it did not end.
pub(super) fn cut_short() -> Error {
    Error::new(ErrorKind::State, "spool_task_failed", "the work on a file of a bulk job was cut short")
        .with_remedy("run the pull again: it goes on from its checkpoint")
}
