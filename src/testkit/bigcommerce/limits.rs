//! The quota of requests: a window of 30 seconds that all clients of a store share.

use std::collections::VecDeque;
use std::time::Duration;

use crate::testkit::exchange::Response;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(30);
/// The most windows whose figures are kept.
const HISTORY: usize = 10_000;

/// The store's plan, as far as it sets the quota (fact sheet 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// Standard and Plus: 150 requests in 30 s.
    Standard,
    /// Pro: 450 requests in 30 s.
    Pro,
    /// No quota, and no headers of one.
    Unlimited,
    /// Another quota, as of an Enterprise plan.
    Quota(u64),
}

impl Plan {
    fn quota(self) -> Option<u64> {
        match self {
            Self::Standard => Some(150),
            Self::Pro => Some(450),
            Self::Quota(quota) => Some(quota),
            Self::Unlimited => None,
        }
    }
}

/// What became of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WindowUse {
    /// How many requests it offered.
    pub quota: u64,
    /// How many of ours it served.
    pub served: u64,
    /// How many others took.
    pub foreign: u64,
    /// How many of ours it refused.
    pub refused: u64,
}

/// The quota and its windows. A window begins with the first request after the one before is over.
#[derive(Debug)]
pub(super) struct Quota {
    plan: Plan,
    began: Duration,
    open: bool,
    window: WindowUse,
    past: VecDeque<WindowUse>,
    /// What others ask for in a window, spread evenly over it.
    foreign: u64,
}

/// What the quota says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) refused: bool,
    /// What the headers tell; `None` where the plan has no quota.
    pub(super) told: Option<Told>,
}

/// The figures of the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    quota: u64,
    left: u64,
    reset: Duration,
}

impl Quota {
    pub(super) fn new(plan: Plan) -> Self {
        let window = WindowUse { quota: plan.quota().unwrap_or(u64::MAX), ..WindowUse::default() };
        Self { plan, began: Duration::ZERO, open: false, window, past: VecDeque::new(), foreign: 0 }
    }

    pub(super) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
        self.window.quota = plan.quota().unwrap_or(u64::MAX);
    }

    pub(super) fn set_foreign(&mut self, per_window: u64) {
        self.foreign = per_window;
    }

    /// Takes some of the quota for others at once; gives how much there was.
    pub(super) fn take_foreign(&mut self, requests: u64, elapsed: Duration) -> u64 {
        self.roll(elapsed);
        let taken = requests.min(self.left());
        self.window.foreign += taken;
        taken
    }

    /// The windows that are over and the present one, oldest first.
    pub(super) fn windows(&self) -> Vec<WindowUse> {
        self.past.iter().copied().chain(self.open.then_some(self.window)).collect()
    }

    /// Takes one request from the quota.
    pub(super) fn take(&mut self, elapsed: Duration) -> Verdict {
        self.roll(elapsed);
        let inside = elapsed.saturating_sub(self.began);
        // Others have asked for their share of the time that is gone.
        let asked =
            u64::try_from(u128::from(self.foreign) * inside.as_millis() / WINDOW.as_millis()).unwrap_or(0);
        let more = asked.saturating_sub(self.window.foreign).min(self.left());
        self.window.foreign += more;
        let refused = self.left() == 0;
        if refused {
            self.window.refused += 1;
        } else {
            self.window.served += 1;
        }
        let told = self.plan.quota().map(|quota| Told {
            quota,
            left: self.left(),
            reset: WINDOW.saturating_sub(inside),
        });
        Verdict { refused, told }
    }

    /// What the headers tell without a request being taken.
    pub(super) fn look(&mut self, elapsed: Duration) -> Verdict {
        self.roll(elapsed);
        let (left, reset) = (self.left(), (self.began + WINDOW).saturating_sub(elapsed));
        Verdict { refused: false, told: self.plan.quota().map(|quota| Told { quota, left, reset }) }
    }

    fn left(&self) -> u64 {
        self.window.quota.saturating_sub(self.window.served).saturating_sub(self.window.foreign)
    }

    fn roll(&mut self, elapsed: Duration) {
        if self.open && elapsed < self.began + WINDOW {
            return;
        }
        if self.open {
            if self.past.len() == HISTORY {
                self.past.pop_front();
            }
            self.past.push_back(self.window);
        }
        self.open = true;
        self.began = elapsed;
        self.window = WindowUse { quota: self.plan.quota().unwrap_or(u64::MAX), ..WindowUse::default() };
    }
}

impl Verdict {
    /// Adds the headers of the quota; to a refusal also the one that says when to come again, in whole seconds.
    pub(super) fn onto(self, response: Response) -> Response {
        let Some(told) = self.told else { return response };
        let millis = told.reset.as_millis().to_string();
        let response = response
            .with_header("x-rate-limit-time-window-ms", "30000")
            .with_header("x-rate-limit-time-reset-ms", &millis)
            .with_header("x-rate-limit-requests-quota", &told.quota.to_string())
            .with_header("x-rate-limit-requests-left", &told.left.to_string());
        if self.refused {
            let seconds = told.reset.as_millis().div_ceil(1000).max(1);
            return response.with_header("x-retry-after", &seconds.to_string());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_serves_its_quota_refuses_the_rest_and_begins_anew() {
        let mut quota = Quota::new(Plan::Quota(2));
        let at = Duration::from_secs;
        assert!(!quota.take(at(5)).refused && !quota.take(at(6)).refused);
        let refused = quota.take(at(7));
        assert!(refused.refused);
        let response = refused.onto(Response::new(429));
        assert_eq!(response.header("x-retry-after"), Some("28"));
        assert_eq!(response.header("x-rate-limit-requests-left"), Some("0"));
        assert!(!quota.take(at(35)).refused);
        let windows = quota.windows();
        assert_eq!((windows[0].served, windows[0].refused, windows[1].served), (2, 1, 1));
    }

    #[test]
    fn others_draw_on_the_same_quota() {
        let mut quota = Quota::new(Plan::Quota(10));
        quota.set_foreign(8);
        let served = (0..30).filter(|second| !quota.take(Duration::from_secs(*second)).refused).count();
        let window = quota.windows()[0];
        assert!(served < 10 && window.served + window.foreign == 10, "{window:?}");
    }
}
