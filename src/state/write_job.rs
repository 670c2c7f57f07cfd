//! The write jobs that a platform runs for us: noted before they are started, until their end is known.

use serde::{Deserialize, Serialize};

use super::PushId;
use crate::model::Text;
use crate::time::Timestamp;

/// A job that writes for a push, from before its start until its end is known.
///
/// It is committed with the intents of what it writes. While it is here, no unsettled row of its push is settled:
/// what it has not written yet, it may still write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteJob {
    /// Our name for it: one that was started without an answer is found again by that.
    pub tag: Text,
    /// The push that it writes for.
    pub push: PushId,
    /// The platform's name for it; none until the answer to its start was kept.
    pub job: Option<Text>,
    /// When it was noted, by our clock.
    pub at: Timestamp,
    /// When no byte of its start may leave any more.
    pub send_by: Timestamp,
    /// When it must be over, where it writes what the platform does not guard: past it, it is asked to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl WriteJob {
    /// Notes a job that is about to be started.
    #[must_use]
    pub const fn new(tag: Text, push: PushId, at: Timestamp, send_by: Timestamp) -> Self {
        Self { tag, push, job: None, at, send_by, until: None }
    }

    /// The same job, which must be over by then.
    #[must_use]
    pub const fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }

    /// The same job, with the platform's name for it.
    #[must_use]
    pub fn started(mut self, job: Text) -> Self {
        self.job = Some(job);
        self
    }
}
