//! Server errors that a platform counts: past so many in a time it answers nobody, so we stop before.

use std::collections::VecDeque;
use std::time::Duration;

/// The most server errors that are provoked in a time.
///
/// Some platforms lock an application out of an account that had too many of them. Before that the whole store waits
/// until the oldest of them does not count any more, whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorAllowance {
    /// The answers with a 5xx after which nothing is sent: fewer than the platform allows.
    pub errors: u32,
    /// For how long one counts.
    pub per: Duration,
}

impl ErrorAllowance {
    /// So many server errors in a time; none at all counts as one.
    #[must_use]
    pub const fn new(errors: u32, per: Duration) -> Self {
        Self { errors, per }
    }
}

/// The server errors of a store that still count.
#[derive(Debug, Default)]
pub(super) struct ServerErrors(VecDeque<Duration>);

impl ServerErrors {
    /// Counts one, and says until when nothing may be sent where that was the last one.
    pub(super) fn count(&mut self, allowance: ErrorAllowance, now: Duration) -> Option<Duration> {
        self.forget(allowance, now);
        self.0.push_back(now);
        let most = usize::try_from(allowance.errors.max(1)).unwrap_or(usize::MAX);
        // Those that were in flight when the last one came may be over the bound.
        let at = self.0.len().checked_sub(most)?;
        self.0.get(at).map(|oldest| oldest.saturating_add(allowance.per))
    }

    /// Whether one still counts.
    pub(super) fn any(&mut self, allowance: ErrorAllowance, now: Duration) -> bool {
        self.forget(allowance, now);
        !self.0.is_empty()
    }

    fn forget(&mut self, allowance: ErrorAllowance, now: Duration) {
        while self.0.front().is_some_and(|at| at.saturating_add(allowance.per) <= now) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_of_that_length_has_more_errors_than_allowed() {
        let seconds = Duration::from_secs;
        let allowance = ErrorAllowance::new(3, seconds(100));
        let mut errors = ServerErrors::default();
        assert_eq!(errors.count(allowance, seconds(0)), None);
        assert_eq!(errors.count(allowance, seconds(40)), None);
        assert_eq!(errors.count(allowance, seconds(50)), Some(seconds(100)));
        // One that was in flight comes on top: only when two are gone is there room for one.
        assert_eq!(errors.count(allowance, seconds(60)), Some(seconds(140)));
        assert_eq!(errors.count(allowance, seconds(141)), Some(seconds(150)));
        assert!(errors.any(allowance, seconds(240)));
        assert!(!errors.any(allowance, seconds(241)));
    }
}
