//! The bucket of points that calls are paid from.

use std::time::Duration;

use crate::testkit::json::Json;

/// The plan of a shop, as far as its bucket goes.
///
/// The platform's documents name the restore rates; the sizes of the buckets are twenty seconds' worth, as
/// answers were seen to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// 50 points a second, 1,000 at most, as older shops were seen to have.
    Old,
    /// 100 points a second.
    Standard,
    /// 200 points a second.
    Advanced,
    /// 1,000 points a second.
    Plus,
    /// 2,000 points a second.
    Enterprise,
}

impl Plan {
    /// The points that come back each second.
    #[must_use]
    pub fn restore_rate(self) -> f64 {
        match self {
            Self::Old => 50.0,
            Self::Standard => 100.0,
            Self::Advanced => 200.0,
            Self::Plus => 1_000.0,
            Self::Enterprise => 2_000.0,
        }
    }

    /// The most points that the bucket holds.
    #[must_use]
    pub fn maximum(self) -> f64 {
        self.restore_rate() * 20.0
    }
}

/// The bucket of one app and shop, with a count of what became of its points.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Bucket {
    /// The most points that it holds.
    pub maximum: f64,
    /// The points that are in it.
    pub available: f64,
    /// The points that come back each second.
    pub restore_rate: f64,
    /// The points that the app used.
    pub used: f64,
    /// The points that others of the same app and shop took.
    pub taken: f64,
    /// The points that were lost because the bucket was full.
    pub spilled: f64,
    /// How many calls found too few points.
    pub throttled: u64,
    /// The points a second that a foreign client takes, as long as there are any.
    pub foreign_rate: f64,
    at: Duration,
}

impl Bucket {
    pub(super) fn new(plan: Plan, at: Duration) -> Self {
        Self {
            maximum: plan.maximum(),
            available: plan.maximum(),
            restore_rate: plan.restore_rate(),
            used: 0.0,
            taken: 0.0,
            spilled: 0.0,
            throttled: 0,
            foreign_rate: 0.0,
            at,
        }
    }

    /// Lets time pass: points come back, and the foreign client takes its own.
    pub(super) fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        let restored = self.restore_rate * passed;
        let wanted = self.foreign_rate * passed;
        let taken = wanted.min(self.available + restored);
        self.taken += taken;
        let full = self.available + restored - taken;
        self.spilled += (full - self.maximum).max(0.0);
        self.available = full.min(self.maximum);
    }

    /// Takes what a call was predicted to cost; false where there are too few points.
    pub(super) fn take(&mut self, requested: u64) -> bool {
        let requested = points(requested);
        if requested > self.available {
            self.throttled += 1;
            return false;
        }
        self.available -= requested;
        self.used += requested;
        true
    }

    /// Gives back what a call did not use.
    pub(super) fn give_back(&mut self, requested: u64, actual: u64) {
        let rest = points(requested.saturating_sub(actual));
        self.used -= rest;
        let full = self.available + rest;
        self.spilled += (full - self.maximum).max(0.0);
        self.available = full.min(self.maximum);
    }

    /// Takes points as another client of the same app does, as far as there are any.
    pub(super) fn take_foreign(&mut self, wanted: f64) -> f64 {
        let taken = wanted.min(self.available).max(0.0);
        self.available -= taken;
        self.taken += taken;
        taken
    }

    /// `throttleStatus`; whole points, as the platform tells them.
    pub(super) fn status(&self) -> Json {
        #[expect(clippy::cast_possible_truncation, reason = "a bucket holds far less than 63 bits")]
        let available = self.available.floor() as i64;
        Json::object([
            ("maximumAvailable", Json::Float(self.maximum)),
            ("currentlyAvailable", Json::Int(available)),
            ("restoreRate", Json::Float(self.restore_rate)),
        ])
    }
}

#[expect(clippy::cast_precision_loss, reason = "costs are far below 52 bits")]
fn points(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_and_a_foreign_client_takes_its_share() {
        let mut bucket = Bucket::new(Plan::Standard, Duration::ZERO);
        assert!(bucket.take(1_500));
        assert!(!bucket.take(600));
        bucket.refill(Duration::from_secs(1));
        assert!(bucket.take(600));
        bucket.give_back(600, 100);
        assert_eq!(bucket.available, 500.0);
        bucket.foreign_rate = 50.0;
        bucket.refill(Duration::from_secs(11));
        assert_eq!((bucket.available, bucket.taken), (1_000.0, 500.0));
        bucket.refill(Duration::from_secs(111));
        assert_eq!((bucket.available, bucket.spilled), (2_000.0, 4_000.0));
    }
}
