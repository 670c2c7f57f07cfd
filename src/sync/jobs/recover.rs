//! Jobs that nobody follows any more: their end is asked for, and then reads settle what they wrote.

use std::collections::{BTreeSet, HashSet};

use crate::connector::{BulkJob, BulkState, FoundJob, WriteJobs};
use crate::error::Result;
use crate::model::RecordRef;
use crate::state::{Fence, Op, Outcome, PushId, RowQuery, Unit, WriteJob};
use crate::sync::lease::Lease;
use crate::sync::push::Push;

/// What is known of a job that was found in the state.
enum Standing {
    /// It runs, or may still begin.
    Open,
    /// The same, by a name that was not known yet.
    Named(BulkJob),
    /// It is over, or was never started.
    Over,
}

impl Push {
    /// Asks for each job in the state once. Those that are over are forgotten, and their rows wait for a read. Gives
    /// the pushes whose jobs may still write.
    pub(in crate::sync) async fn recover_jobs(&self, fence: Fence) -> Result<BTreeSet<PushId>> {
        let mut open = BTreeSet::new();
        for noted in self.state.write_jobs(self.store()).await? {
            match self.standing(&noted).await {
                Standing::Over => self.end_job(&noted, fence).await?,
                Standing::Open => drop(open.insert(noted.push)),
                Standing::Named(job) => {
                    open.insert(noted.push);
                    let op = Op::NoteWriteJob(Box::new(noted.started(job.0)));
                    self.state.commit(self.store(), Unit::fenced(fence, vec![op])).await?;
                }
            }
        }
        Ok(open)
    }

    /// The pushes whose jobs are in the state, asked or not.
    pub(in crate::sync) async fn pushes_with_jobs(&self) -> Result<BTreeSet<PushId>> {
        let jobs = self.state.write_jobs(self.store()).await?;
        Ok(jobs.into_iter().map(|job| job.push).collect())
    }

    /// Whether a job that an earlier run left has unsettled rows of these records.
    pub(in crate::sync) async fn waits_for_job(&self, targets: &HashSet<&RecordRef>) -> Result<bool> {
        let pushes = self.pushes_with_jobs().await?;
        if pushes.is_empty() {
            return Ok(false);
        }
        let rows = self.state.rows(self.store(), &RowQuery::Unsettled).await?;
        Ok(rows.iter().any(|row| pushes.contains(&row.push) && targets.contains(row.target())))
    }

    /// Waits for the ends of jobs that an earlier run left on these records, and settles what they wrote. One that takes
    /// longer keeps its records closed (rule V2).
    pub(in crate::sync) async fn wait_for_jobs(
        &self,
        targets: &HashSet<&RecordRef>,
        lease: &mut Lease,
    ) -> Result<()> {
        let Some(plan) = self.connector.write_jobs().map(WriteJobs::poll_plan) else { return Ok(()) };
        let clock = self.runtime.clock();
        let until = clock.elapsed().saturating_add(self.settings.jobs.wait_for_earlier);
        while self.waits_for_job(targets).await? {
            if self.cancel.is_cancelled() || clock.elapsed() >= until {
                return Ok(());
            }
            clock.sleep(plan.then).await;
            self.renew(lease).await?;
            self.recover_jobs(lease.fence).await?;
        }
        self.wait_to_settle(lease).await?;
        self.settle_under(lease).await?;
        Ok(())
    }

    async fn standing(&self, noted: &WriteJob) -> Standing {
        let now = self.now();
        let Some(jobs) = self.connector.write_jobs() else {
            // Nobody can ask for it any more, such as after a change of the settings.
            let over = noted.at.saturating_add(crate::connector::PollPlan::default().run_limit * 12);
            return if now >= over { Standing::Over } else { Standing::Open };
        };
        // The platform itself ends a job in this time, or it is not waited for any longer.
        let plan = jobs.poll_plan();
        let is_past = now >= noted.at.saturating_add(plan.kept.unwrap_or(plan.run_limit));
        let (job, is_new) = match &noted.job {
            Some(job) => (BulkJob(job.clone()), false),
            None => match jobs.find(&noted.tag, noted.at).await {
                Ok(FoundJob::Job(started)) => (started.job, true),
                // Its start may still be under way.
                Ok(FoundJob::None) => {
                    let settle_after = self.connector.capabilities().settle_after;
                    let is_over = now >= noted.send_by.saturating_add(settle_after);
                    return if is_over { Standing::Over } else { Standing::Open };
                }
                Ok(FoundJob::Unclear) => return if is_past { Standing::Over } else { Standing::Open },
                Err(error) => {
                    tracing::warn!(code = error.code(), "a write job could not be looked for");
                    return if is_past { Standing::Over } else { Standing::Open };
                }
            },
        };
        match jobs.poll(&job).await {
            // It is not waited for any longer, and no job of the platform can be ended.
            Ok(BulkState::Running { .. }) if is_past && plan.kept.is_some() => Standing::Over,
            Ok(BulkState::Running { .. }) => {
                // What the platform does not guard must not be written past its window, whoever follows the job.
                let is_late = is_past || noted.until.is_some_and(|until| now >= until);
                if is_late && let Err(error) = jobs.cancel(&job).await {
                    tracing::warn!(code = error.code(), "a write job could not be cancelled");
                }
                if is_new { Standing::Named(job) } else { Standing::Open }
            }
            Ok(_) => Standing::Over,
            Err(error) => {
                tracing::warn!(code = error.code(), "how far a write job is could not be asked");
                match (is_past, is_new) {
                    (true, _) => Standing::Over,
                    (false, true) => Standing::Named(job),
                    (false, false) => Standing::Open,
                }
            }
        }
    }

    /// Forgets a job that is over. Its rows count as lost answers from now on: a read settles them in time.
    async fn end_job(&self, noted: &WriteJob, fence: Fence) -> Result<()> {
        let at = self.now();
        let mut ops = vec![Op::EndWriteJob { tag: noted.tag.clone() }];
        let rows = self.state.rows(self.store(), &RowQuery::Push(noted.push)).await?;
        let lost = rows.iter().filter(|row| row.outcome.is_unsettled());
        ops.extend(lost.map(|row| Op::Settle { row: row.id, outcome: Outcome::Unknown { at } }));
        self.state.commit(self.store(), Unit::fenced(fence, ops)).await
    }
}
