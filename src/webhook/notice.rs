//! What a platform says that is about no record: the app's own standing, its jobs, and privacy.

use serde::{Deserialize, Serialize};

use crate::model::Text;
use crate::time::Timestamp;

/// Something that the caller must act on: stop jobs, give up tokens, erase what is kept.
///
/// It holds no personal data, whatever the delivery held. It can come twice, late, and in any order, so acting on
/// it must be safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// What it says.
    pub kind: NoticeKind,
    /// The job that ended, as the bulk source names it; none where it is about no job.
    pub job: Option<Text>,
    /// The platform's id of the delivery, which is mostly not signed.
    pub delivery: Option<Text>,
    /// When it happened, by the platform's clock and mostly not signed. What was installed later than that is not
    /// what the notice is about.
    pub triggered: Option<Timestamp>,
    /// When it came, by our clock.
    pub received: Timestamp,
}

impl Notice {
    /// A notice of a kind, received at a time of our clock.
    #[must_use]
    pub fn new(kind: NoticeKind, received: Timestamp) -> Self {
        Self { kind, job: None, delivery: None, triggered: None, received }
    }

    /// Names the job that ended.
    #[must_use]
    pub fn with_job(mut self, job: impl Into<Text>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// Names the delivery.
    #[must_use]
    pub fn with_delivery(mut self, delivery: impl Into<Text>) -> Self {
        self.delivery = Some(delivery.into());
        self
    }

    /// Says when it happened.
    #[must_use]
    pub fn with_triggered(mut self, at: Timestamp) -> Self {
        self.triggered = Some(at);
        self
    }

    /// Whether it is about an installation of that time, and not about one before it: a notice that comes late
    /// must not end what was installed since.
    #[must_use]
    pub fn concerns(&self, installed: Timestamp) -> bool {
        self.triggered.is_none_or(|at| at >= installed)
    }
}

/// What a notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeKind {
    /// The app was removed: its tokens are dead. Stop its jobs, ask the store once, and forget the tokens where they
    /// are refused: what the platform signs does not always say which notice it is.
    Uninstalled,
    /// The app's rights are others now: connect anew before the next write.
    RightsChanged,
    /// The store's own settings changed: connect anew, so that its profile is read.
    StoreChanged,
    /// A job ended, well or not: ask for its state, which is no part of the notice.
    JobFinished,
    /// A person asks what is kept of them. This crate keeps nothing of persons.
    PersonAsks,
    /// What is kept of a person must be erased. This crate keeps nothing of persons.
    ErasePerson,
    /// All that is kept of the store must be erased: tokens, state, copies of its records.
    EraseStore,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Uninstalled,
        Self::RightsChanged,
        Self::StoreChanged,
        Self::JobFinished,
        Self::PersonAsks,
        Self::ErasePerson,
        Self::EraseStore,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_notice_does_not_concern_what_was_installed_since() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        let notice = Notice::new(NoticeKind::Uninstalled, at(9));
        assert!(notice.concerns(at(7)), "without a time it may be about anything");
        let notice = notice.with_triggered(at(5));
        assert_eq!([4, 5, 6].map(|installed| notice.concerns(at(installed))), [true, true, false]);
    }
}
