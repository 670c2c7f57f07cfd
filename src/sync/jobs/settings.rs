//! When a push uses jobs, and their bounds.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::sync::bulk::BulkUse;

/// How a push uses write jobs, where its platform has them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobSettings {
    /// Whether jobs are used (default never; [`JobSettings::allowed`] has the threshold).
    pub when: BulkUse,
    /// For how long after its guard read a field may be written that the platform itself does not guard (default
    /// none: such fields never go by job).
    ///
    /// A rival's edit that comes in this time is overwritten unseen. A job that takes longer is ended by us where the
    /// platform ends jobs, and what it did not write is told; where it ends none, what is not done by then is
    /// unknown until it is done. It begins with the first guard read of a lot, so it must also hold the reads of up
    /// to [`JobSettings::records`] records, and the jobs that a lot takes one after the other.
    pub unguarded_window: Option<Duration>,
    /// How many records are read, sent and verified together (default 1,000): they are in memory meanwhile.
    pub records: NonZeroU32,
    /// The largest file of a job (default 16 MiB, and never more than the platform takes): it is in memory when it
    /// goes up. What is more goes in further jobs.
    pub bytes: u64,
    /// The longest time for an upload (default 5 min); the lease is taken for as long.
    pub upload_timeout: Duration,
    /// How long a lot waits for a place among the jobs that the platform runs at once (default 10 min); past it, it
    /// goes record by record.
    pub wait_for_place: Duration,
    /// How long apply waits for the end of a job that an earlier run left on its records (default 10 min; the lease is
    /// held meanwhile). Past it, what that job may still write is told as `Conflict(Unsettled)`, and the rest goes on.
    pub wait_for_earlier: Duration,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            when: BulkUse::Never,
            unguarded_window: None,
            records: NonZeroU32::MIN.saturating_add(999),
            bytes: 16 << 20,
            upload_timeout: Duration::from_secs(300),
            wait_for_place: Duration::from_secs(600),
            wait_for_earlier: Duration::from_secs(600),
        }
    }
}

impl JobSettings {
    /// Jobs where writing record by record is predicted to take 200 calls or 2 minutes, of what the platform guards.
    #[must_use]
    pub fn allowed() -> Self {
        Self { when: BulkUse::default(), ..Self::default() }
    }

    /// Sets whether jobs are used.
    #[must_use]
    pub fn when(mut self, when: BulkUse) -> Self {
        self.when = when;
        self
    }

    /// Accepts that fields which the platform does not guard are written so long after their guard read.
    #[must_use]
    pub fn unguarded_window(mut self, window: Duration) -> Self {
        self.unguarded_window = Some(window);
        self
    }
}
