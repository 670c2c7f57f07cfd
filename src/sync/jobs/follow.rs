//! A job from its start to its end: found where its start had no answer, asked until it is over.

use std::time::Duration;

use crate::connector::{BulkJob, BulkState, FoundJob, StartedJob, WriteJobs};
use crate::error::{ErrorKind, Result, Retry};
use crate::state::WriteJob;
use crate::sync::lease::Lease;
use crate::sync::push::Push;

/// How often in a row the platform may fail to say how far a job is, each time after the pipeline's own retries.
const MOST_FAULTS: u32 = 60;

/// How long after a refused cancel it is asked again; each time twice as long, six times.
const ASKED_AGAIN: Duration = Duration::from_secs(5);
const DOUBLINGS: u32 = 6;
/// How often a job that is given up is asked to end before.
const LAST_ASKS: u32 = 3;

/// How following a job came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// It is over. Whether it ran to its end, and whether it left a file.
    Ended { is_done: bool, has_file: bool },
    /// Nobody knows how far it is: it stays in the state, and is asked for later.
    GivenUp,
}

/// What became of a start without an answer.
#[derive(Debug)]
pub(super) enum Lost {
    Found(StartedJob),
    /// There is no such job, and none will come.
    NotStarted,
    GivenUp,
}

impl Push {
    /// Looks for a job whose start had no answer, for as long as one could still come.
    pub(super) async fn find_lost(
        &self,
        jobs: &dyn WriteJobs,
        noted: &WriteJob,
        lease: &mut Lease,
    ) -> Result<Lost> {
        let clock = self.runtime.clock();
        let until = clock.elapsed().saturating_add(self.connector.capabilities().settle_after);
        let wait = jobs.poll_plan().then;
        loop {
            let found = jobs.find(&noted.tag, noted.at).await;
            let is_over = clock.elapsed() >= until;
            match found {
                Ok(FoundJob::Job(started)) => return Ok(Lost::Found(started)),
                Ok(FoundJob::None) if is_over => return Ok(Lost::NotStarted),
                Err(error) if is_over || matches!(error.retry(), Retry::Never) => {
                    tracing::warn!(
                        code = error.code(),
                        "a write job whose start had no answer is looked for later"
                    );
                    return Ok(Lost::GivenUp);
                }
                Ok(FoundJob::Unclear) if is_over => return Ok(Lost::GivenUp),
                Ok(FoundJob::None | FoundJob::Unclear) | Err(_) => {}
            }
            clock.sleep(wait).await;
            self.renew(lease).await?;
        }
    }

    /// Asks how far a job is until it is over. Past `until`, or when we are to end, it is asked to end; what it has
    /// written stays.
    pub(super) async fn follow(
        &self,
        jobs: &dyn WriteJobs,
        job: &BulkJob,
        until: Option<Duration>,
        lease: &mut Lease,
    ) -> Result<Followed> {
        let clock = self.runtime.clock();
        let plan = jobs.poll_plan();
        let began = clock.elapsed();
        let (mut polls, mut faults, mut ending) = (0, 0, Ending::default());
        loop {
            clock.sleep(plan.wait(polls)).await;
            polls = polls.saturating_add(1);
            self.renew(lease).await?;
            let now = clock.elapsed();
            let is_late = until.is_some_and(|until| now >= until);
            let runs_too_long = now.saturating_sub(began) >= plan.run_limit;
            if is_late || runs_too_long || self.cancel.is_cancelled() {
                ending.ask(jobs, job, now).await;
            }
            match jobs.poll(job).await {
                Ok(BulkState::Running { .. }) if runs_too_long => break,
                Ok(BulkState::Running { .. }) => faults = 0,
                Ok(state) => return Ok(ended(&state)),
                Err(error) => {
                    faults += 1;
                    if faults > MOST_FAULTS || matches!(error.retry(), Retry::Never) {
                        tracing::warn!(code = error.code(), "a write job is asked for later");
                        break;
                    }
                }
            }
        }
        // From here on nobody watches over its window.
        for _ in 0..if until.is_some() { LAST_ASKS } else { 0 } {
            if ending.ask(jobs, job, clock.elapsed()).await {
                break;
            }
            clock.sleep(ending.again.saturating_sub(clock.elapsed())).await;
            self.renew(lease).await?;
        }
        Ok(Followed::GivenUp)
    }
}

/// Asks a job to end, again where that is refused.
#[derive(Default)]
struct Ending {
    is_taken: bool,
    asked: u32,
    /// When to ask again.
    again: Duration,
}

impl Ending {
    /// Whether the job is ending.
    async fn ask(&mut self, jobs: &dyn WriteJobs, job: &BulkJob, now: Duration) -> bool {
        if self.is_taken || now < self.again {
            return self.is_taken;
        }
        match jobs.cancel(job).await {
            Ok(()) => self.is_taken = true,
            // No job of this platform can be ended.
            Err(error) if error.kind() == ErrorKind::Unsupported => self.is_taken = true,
            Err(error) => {
                tracing::warn!(code = error.code(), "a write job could not be cancelled");
                self.again = now.saturating_add(ASKED_AGAIN.saturating_mul(1 << self.asked.min(DOUBLINGS)));
                self.asked = self.asked.saturating_add(1);
            }
        }
        self.is_taken
    }
}

fn ended(state: &BulkState) -> Followed {
    let (is_done, has_file) = match state {
        BulkState::Done(done) => (true, done.has_data),
        BulkState::Failed { partial, .. } => (false, *partial),
        // What a cancelled one wrote may be told; if not, opening it says so.
        BulkState::Cancelled => (false, true),
        BulkState::Expired | BulkState::Gone | BulkState::Running { .. } => (false, false),
    };
    Followed::Ended { is_done, has_file }
}
