//! The circuit breaker: a store that only fails is left in peace for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result, Retry};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// The transport faults and server errors in a row that open it (default 10).
    pub faults: u32,
    /// How long it stays open at first (default 15 s); each failed probe doubles it.
    pub open_for: Duration,
    /// The longest it stays open without a probe (default 2 min).
    pub max_open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { faults: 10, open_for: Duration::from_secs(15), max_open_for: Duration::from_secs(120) }
    }
}

/// One breaker for a store and host. It counts faults of the way and 5xx, never 4xx.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { faults: u32 },
    Open { until: Duration, lasted: Duration },
    Probing { lasted: Duration },
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: Mutex::new(State::Closed { faults: 0 }) }
    }

    /// Refuses while it is open, without taking the probe: asked before a call waits for anything.
    pub(super) fn check(&self, now: Duration) -> Result<()> {
        match *self.lock() {
            State::Open { until, .. } if now < until => Err(open(until - now)),
            _ => Ok(()),
        }
    }

    /// Lets an attempt pass. The one that passes after the open time is the probe, and until its end no
    /// other passes.
    pub(super) fn admit(&self, now: Duration) -> Result<Admitted<'_>> {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Ok(Admitted { breaker: self, probe: false }),
            State::Open { until, lasted } if now >= until => {
                *state = State::Probing { lasted };
                Ok(Admitted { breaker: self, probe: true })
            }
            State::Open { until, .. } => Err(open(until - now)),
            State::Probing { .. } => Err(open(Duration::from_secs(1))),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that was let pass: it has to say how it ended. Dropped without a word, a probe counts as not
/// made.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Admitted<'_> {
    /// The store answered, in whatever way.
    pub(super) fn answered(mut self) {
        let mut state = self.breaker.lock();
        match *state {
            State::Closed { faults: 0 } => {}
            State::Closed { .. } => *state = State::Closed { faults: 0 },
            State::Probing { .. } if self.probe => *state = State::Closed { faults: 0 },
            State::Open { .. } | State::Probing { .. } => {}
        }
        self.probe = false;
    }

    /// The way failed, or the store answered with a server error; `true` where this opened the breaker.
    pub(super) fn failed(mut self, now: Duration) -> bool {
        let settings = &self.breaker.settings;
        let mut state = self.breaker.lock();
        let was = *state;
        match was {
            State::Closed { faults } if faults + 1 >= settings.faults => {
                *state = State::Open { until: now + settings.open_for, lasted: settings.open_for };
            }
            State::Closed { faults } => *state = State::Closed { faults: faults + 1 },
            State::Probing { lasted } if self.probe => {
                let lasted = (lasted * 2).min(settings.max_open_for);
                *state = State::Open { until: now + lasted, lasted };
            }
            State::Open { .. } | State::Probing { .. } => {}
        }
        self.probe = false;
        matches!((was, *state), (State::Closed { .. }, State::Open { .. }))
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if self.probe {
            let mut state = self.breaker.lock();
            if let State::Probing { lasted } = *state {
                *state = State::Open { until: Duration::ZERO, lasted };
            }
        }
    }
}

fn open(left: Duration) -> Error {
    Error::new(
        ErrorKind::CircuitOpen,
        "circuit_open",
        "the store failed too often of late and is left in peace",
    )
    .with_retry(Retry::After(left))
    .with_remedy("wait, and check whether the store is up")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(BreakerSettings::default());
        for n in 1..=10 {
            assert_eq!(breaker.admit(at(0)).unwrap().failed(at(0)), n == 10);
        }
        breaker
    }

    #[test]
    fn it_opens_after_faults_in_a_row_and_says_for_how_long() {
        let breaker = opened();
        let error = breaker.admit(at(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CircuitOpen);
        assert_eq!(error.retry(), Retry::After(at(10)));
        assert!(breaker.check(at(14)).is_err());
        assert!(breaker.check(at(15)).is_ok());
    }

    #[test]
    fn an_answer_between_faults_starts_the_count_anew() {
        let breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..5 {
            for _ in 0..9 {
                assert!(!breaker.admit(at(0)).unwrap().failed(at(0)));
            }
            breaker.admit(at(0)).unwrap().answered();
        }
        assert!(breaker.admit(at(0)).is_ok());
    }

    #[test]
    fn one_probe_passes_at_a_time_and_decides() {
        let breaker = opened();
        let probe = breaker.admit(at(15)).unwrap();
        assert!(breaker.admit(at(15)).is_err());
        probe.failed(at(15));
        assert_eq!(breaker.check(at(16)).unwrap_err().retry(), Retry::After(at(29)));
        let probe = breaker.admit(at(45)).unwrap();
        probe.answered();
        let (one, two) = (breaker.admit(at(45)), breaker.admit(at(45)));
        assert!(one.is_ok() && two.is_ok());
    }

    #[test]
    fn a_probe_that_was_cancelled_leaves_room_for_the_next() {
        let breaker = opened();
        drop(breaker.admit(at(15)).unwrap());
        breaker.admit(at(15)).unwrap().answered();
        assert!(breaker.admit(at(15)).is_ok());
    }
}
