//! When a pull uses a bulk job, and its bounds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::JoinSettings;
use crate::connector::Prediction;
use crate::time::Clock;

/// How a pull uses bulk jobs, where its platform has them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BulkSettings {
    /// Whether a job is used (default where paging is predicted to be long).
    pub when: BulkUse,
    /// How many jobs are started until one gives a whole file (default 2).
    pub jobs: u32,
    /// Whether the list is read page by page where none did (default true).
    pub then_page: bool,
    /// How often a download that breaks off without a byte more is opened again (default 5).
    pub reopens: u32,
    /// The largest file (default 64 GiB); a job with a larger one counts as failed.
    pub file_bytes: u64,
    /// Where the file goes; none for the system's directory of temporary files. In a directory that is set, a
    /// download that was cut short is gone on with by the next run.
    pub directory: Option<PathBuf>,
    /// The bounds of the join.
    pub join: JoinSettings,
    /// The fewest bytes a second of a download (default 8 KiB). A body that is slower for longer than a minute is
    /// taken for one that broke off without a byte more.
    pub least_rate: u64,
    /// The clock that polls wait by; none for that of the connector's runtime.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            when: BulkUse::default(),
            jobs: 2,
            then_page: true,
            reopens: 5,
            file_bytes: 64 << 30,
            directory: None,
            join: JoinSettings::default(),
            least_rate: 8 << 10,
            clock: None,
        }
    }
}

impl BulkSettings {
    /// The default settings, by another clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..Self::default() }
    }

    /// Sets whether a job is used.
    #[must_use]
    pub fn when(mut self, when: BulkUse) -> Self {
        self.when = when;
        self
    }
}

/// Whether a pull, or a push, uses a job of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkUse {
    /// Never.
    Never,
    /// Where page by page, or record by record, it is predicted to take at least so many calls, or so long.
    From {
        /// How many calls (default 200).
        calls: u64,
        /// How long (default 2 min).
        takes: Duration,
    },
    /// Wherever a job can do it.
    Always,
}

impl Default for BulkUse {
    fn default() -> Self {
        Self::From { calls: 200, takes: Duration::from_secs(120) }
    }
}

impl BulkUse {
    pub(in crate::sync) fn is_for(self, prediction: &Prediction) -> bool {
        match self {
            Self::Never => false,
            Self::From { calls, takes } => {
                prediction.calls >= calls || prediction.takes.is_some_and(|predicted| predicted >= takes)
            }
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_used_from_the_threshold_on() {
        let from = BulkUse::From { calls: 10, takes: Duration::from_secs(60) };
        let takes = |seconds| Some(Duration::from_secs(seconds));
        for (calls, takes, used) in [
            (9, None, false),
            (10, None, true),
            (11, None, true),
            (0, takes(59), false),
            (0, takes(60), true),
        ] {
            let prediction = Prediction::new(calls, takes);
            assert_eq!(from.is_for(&prediction), used, "{prediction:?}");
            assert!(BulkUse::Always.is_for(&prediction) && !BulkUse::Never.is_for(&prediction));
        }
    }
}
