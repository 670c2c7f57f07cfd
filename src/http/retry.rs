//! Whether there is another attempt: the one place that decides it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Idempotency;
use crate::error::{Effect, Error};

/// Whether a failed attempt may be repeated at all. What is not known to be without effect is repeated only
/// where the request is idempotent.
pub(super) fn may_repeat(idempotency: Idempotency, error: &Error) -> bool {
    match idempotency {
        Idempotency::Safe => true,
        Idempotency::Once => error.effect() == Effect::None,
    }
}

/// Bounds the load that retries add to a store that is in trouble: a reserve of ten, one more for every five
/// calls and for every ten seconds.
#[derive(Debug)]
pub(super) struct RetryBudget(Mutex<Budget>);

#[derive(Debug)]
struct Budget {
    /// In tenths of a retry.
    tenths: u32,
    refilled_at: Duration,
}

const RESERVE_TENTHS: u32 = 100;
const PER_CALL_TENTHS: u32 = 2;
const PER_RETRY_TENTHS: u32 = 10;
/// One tenth a second is one retry every ten seconds.
const REFILL: Duration = Duration::from_secs(1);

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Budget { tenths: RESERVE_TENTHS, refilled_at: Duration::ZERO }))
    }

    /// Counts a call's first attempt.
    pub(super) fn deposit(&self) {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        budget.tenths = (budget.tenths + PER_CALL_TENTHS).min(RESERVE_TENTHS);
    }

    /// Takes one retry out; `false` where none is left.
    pub(super) fn withdraw(&self, now: Duration) -> bool {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_sub(budget.refilled_at).as_secs();
        if seconds > 0 {
            let tenths = u32::try_from(seconds).unwrap_or(u32::MAX);
            budget.tenths = budget.tenths.saturating_add(tenths).min(RESERVE_TENTHS);
            budget.refilled_at += REFILL * tenths;
        }
        match budget.tenths.checked_sub(PER_RETRY_TENTHS) {
            Some(left) => {
                budget.tenths = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_write_is_repeated_only_when_it_had_no_effect() {
        let lost = Error::new(ErrorKind::Unavailable, "x", "x").with_effect(Effect::Possible);
        let refused = Error::new(ErrorKind::RateLimited, "x", "x");
        assert!(may_repeat(Idempotency::Safe, &lost));
        assert!(!may_repeat(Idempotency::Once, &lost));
        assert!(may_repeat(Idempotency::Once, &refused));
    }

    #[test]
    fn the_budget_holds_ten_and_comes_back_with_calls_and_time() {
        let budget = RetryBudget::new();
        let now = Duration::from_millis(900);
        assert_eq!((0..20).filter(|_| budget.withdraw(now)).count(), 10);
        for _ in 0..5 {
            budget.deposit();
        }
        assert!(budget.withdraw(now));
        assert!(!budget.withdraw(now));
        assert!(!budget.withdraw(Duration::from_secs(9)));
        assert!(budget.withdraw(Duration::from_secs(10)));
        assert_eq!((0..20).filter(|_| budget.withdraw(Duration::from_secs(9000))).count(), 10);
    }
}
