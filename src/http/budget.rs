//! Points that a store gives out, restores over time, and tells of in its answers.
//!
//! What a request will be asked for is reserved before it is sent, and what it did not cost is given back. The
//! store's own number is right, but old by the time it comes: calls in flight may be in it or not. So our own
//! count is kept while it can be true, and as soon as others are seen to draw from the same points, the lowest
//! number that the answer allows is taken. Being too low costs nothing but a fuller store of points; being too
//! high is a refusal.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// The largest number that is believed.
const MAX_POINTS: f64 = 1e9;
/// The shapes of requests that are remembered, twice.
const MAX_LEARNED: usize = 512;
/// The seconds over which the others' use is averaged.
const AVERAGED_OVER: f64 = 8.0;
/// The part of the restored points from which on the others' use is noticed.
const NOTICED: f64 = 0.05;
/// The part of the restored points that we count on, however much the others use: waits stay finite.
const LEAST_RESTORED: f64 = 0.1;
/// What is kept free for our count being wrong: so many times its mean error, within these parts of the
/// maximum.
const ERRORS_KEPT: f64 = 3.0;
const LEAST_KEPT: f64 = 0.01;
const MOST_KEPT: f64 = 0.2;
/// How long a maximum below the one that was set is believed without being said again.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// What rounding may do to a sum.
const TOLERANCE: f64 = 1e-6;

/// What one answer says of the points: each part may be missing.
///
/// Numbers that cannot be (not finite, negative, past 1e9) are passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BudgetReading {
    /// The points that had to be there for the request to be worked on.
    pub requested: Option<f64>,
    /// The points that it cost in the end; the rest was given back.
    pub actual: Option<f64>,
    /// The most points that can be there.
    pub maximum: Option<f64>,
    /// The points that were there when the request had been worked on, or was refused.
    pub available: Option<f64>,
    /// The points that come back in a second.
    pub restore_per_second: Option<f64>,
}

/// The points of a store, as far as they are known before its first answer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BudgetSettings {
    /// The most points that can be there; an answer's number takes its place.
    pub maximum: f64,
    /// The points that come back in a second; an answer's number takes its place.
    pub restore_per_second: f64,
    /// The part of the maximum that we may use, in 0..=1 (default 1): the rest stays there for the store's
    /// other clients.
    pub share: f64,
    /// The most points that one request may cost, whatever is there (default no bound).
    pub per_call: Option<u32>,
}

impl BudgetSettings {
    /// So many points at most, and so many that come back in a second.
    #[must_use]
    pub const fn new(maximum: f64, restore_per_second: f64) -> Self {
        Self { maximum, restore_per_second, share: 1.0, per_call: None }
    }

    /// Sets the part that we may use.
    #[must_use]
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets the most that one request may cost.
    #[must_use]
    pub const fn per_call(mut self, points: u32) -> Self {
        self.per_call = Some(points);
        self
    }
}

impl BudgetReading {
    /// The same without the numbers that cannot be.
    fn sane(self) -> Self {
        let number = |number: &f64| number.is_finite() && (0.0..=MAX_POINTS).contains(number);
        Self {
            requested: self.requested.filter(number),
            actual: self.actual.filter(number),
            maximum: self.maximum.filter(|maximum| number(maximum) && *maximum >= 1.0),
            available: self.available.filter(number),
            restore_per_second: self.restore_per_second.filter(|rate| number(rate) && *rate >= 0.01),
        }
    }
}

impl BudgetSettings {
    /// # Errors
    /// `Config` where a number is not usable.
    pub(super) fn check(&self) -> Result<()> {
        let usable = (1.0..=MAX_POINTS).contains(&self.maximum)
            && (0.01..=MAX_POINTS).contains(&self.restore_per_second)
            && (0.0..=1.0).contains(&self.share)
            && self.per_call != Some(0);
        if usable {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            "budget_unusable",
            "a budget needs a maximum of 1 point or more, a rate above 0, a share in 0..=1 and a cap above 0",
        ))
    }
}

/// What a call asks of the budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// The predicted cost.
    pub(super) cost: u32,
    /// The shape, whose real cost may be known.
    pub(super) key: Option<u64>,
    /// Whether the call was refused for its cost, and has waited as long as it was told to.
    pub(super) told_to_wait: bool,
}

/// What was taken for a call in flight.
#[derive(Debug)]
pub(super) struct Reservation {
    points: f64,
    key: Option<u64>,
    /// The calls in the order in which they were let go.
    number: u64,
    /// What all calls had cost that were over when this one was let go.
    charged_before: f64,
}

/// How a call in flight ended, as far as its points go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spent {
    /// It was not sent.
    Nothing,
    /// Nobody knows: it counts as its reservation.
    Unknown,
    /// It was answered.
    Answered { reading: BudgetReading, refused: bool },
}

/// The points of one store.
#[derive(Debug)]
pub(super) struct Budget {
    settings: BudgetSettings,
    maximum: f64,
    restored: f64,
    /// What is there at `at` beside the calls in flight; below zero where these may not have been counted yet.
    free: f64,
    at: Duration,
    in_flight: f64,
    /// What all calls cost that are over.
    charged: f64,
    next_number: u64,
    /// The lowest number whose answer is newer than the newest that was taken.
    newest: u64,
    heard_at: Option<Duration>,
    /// What others use in a second, and what they used since an instant.
    others: f64,
    others_used: f64,
    others_since: Duration,
    /// The mean error of our count.
    error: f64,
    learned: Learned,
}

impl Budget {
    pub(super) fn new(settings: BudgetSettings, now: Duration) -> Self {
        Self {
            settings,
            maximum: settings.maximum,
            restored: settings.restore_per_second,
            free: settings.maximum,
            at: now,
            in_flight: 0.0,
            charged: 0.0,
            next_number: 0,
            newest: 0,
            heard_at: None,
            others: 0.0,
            others_used: 0.0,
            others_since: now,
            error: 0.0,
            learned: Learned::default(),
        }
    }

    /// Takes other settings; what the store has said stays known.
    pub(super) fn configure(&mut self, settings: BudgetSettings) {
        if self.heard_at.is_none() {
            self.free += settings.maximum - self.maximum;
            self.maximum = settings.maximum;
            self.restored = settings.restore_per_second;
        }
        self.settings = settings;
    }

    /// Whether all points are there, and nothing has to be remembered.
    pub(super) fn is_full(&mut self, now: Duration) -> bool {
        self.advance(now);
        self.free + TOLERANCE >= self.maximum
    }

    /// How long a call has to wait; `None` where it may go.
    ///
    /// # Errors
    /// `TooLarge` where it costs more than there can ever be, or than one call may.
    pub(super) fn wait(&mut self, ask: &Ask, now: Duration) -> Result<Option<Duration>> {
        self.advance(now);
        let points = self.points(ask);
        if self.settings.per_call.is_some_and(|most| points > f64::from(most)) {
            let most = f64::from(self.settings.per_call.unwrap_or_default());
            return Err(too_costly(
                "cost_over_cap",
                "the request costs more than one request may",
                points,
                most,
            ));
        }
        if points > self.maximum && !self.doubts_maximum(points, now) {
            return Err(too_costly(
                "cost_over_maximum",
                "the request costs more points than the store ever has",
                points,
                self.maximum,
            ));
        }
        let kept = if ask.told_to_wait {
            0.0
        } else {
            (self.error * ERRORS_KEPT).clamp(self.maximum * LEAST_KEPT, self.maximum * MOST_KEPT)
        };
        let left_to_others = self.maximum * (1.0 - self.settings.share);
        let needed = (points + kept + left_to_others).min(self.maximum);
        let lacking = needed - self.free;
        if lacking <= TOLERANCE {
            return Ok(None);
        }
        let seconds = (lacking / self.rate()).min(86_400.0);
        Ok(Some(Duration::from_secs_f64(seconds).max(Duration::from_nanos(1))))
    }

    /// Takes the points of a call.
    pub(super) fn take(&mut self, ask: &Ask) -> Reservation {
        let points = self.points(ask);
        self.free -= points;
        self.in_flight += points;
        self.next_number += 1;
        Reservation { points, key: ask.key, number: self.next_number, charged_before: self.charged }
    }

    /// Whether a call in flight may give points back soon.
    pub(super) fn expects_refunds(&self) -> bool {
        self.in_flight > 0.0
    }

    /// Counts a call that is over.
    pub(super) fn settle(&mut self, taken: &Reservation, spent: Spent, now: Duration) {
        self.advance(now);
        let ended_meanwhile = self.charged - taken.charged_before;
        self.in_flight = (self.in_flight - taken.points).max(0.0);
        let (reading, refused) = match spent {
            Spent::Nothing => {
                self.free += taken.points;
                return;
            }
            Spent::Unknown => (BudgetReading::default(), false),
            Spent::Answered { reading, refused } => (reading.sane(), refused),
        };
        let charge = match (reading.actual, reading.requested) {
            (Some(actual), _) => actual,
            (None, _) if refused => 0.0,
            (None, Some(requested)) => requested,
            (None, None) => taken.points,
        };
        self.charged += charge;
        self.free += taken.points - charge;
        if let (Some(key), Some(requested)) = (taken.key, reading.requested) {
            self.learned.note(key, requested);
        }
        let is_other = self.adopt(&reading);
        // An answer to a call that was let go before the newest one says nothing new.
        if let Some(available) = reading.available
            && taken.number >= self.newest
        {
            self.newest = taken.number + 1;
            self.heard_at = Some(now);
            let available = available.min(self.maximum);
            // The calls in flight, and those that ended while this one was under way, may not be in the number.
            let lowest = available - ended_meanwhile - self.in_flight;
            let highest = available.min(self.maximum - self.in_flight);
            let next = if refused || is_other || self.others > self.restored * NOTICED {
                lowest
            } else {
                self.free.max(lowest).min(highest)
            };
            self.correct(next, is_other, now);
        }
    }

    /// Takes the store's own maximum and rate; `true` where they are others than were known, or the first.
    fn adopt(&mut self, reading: &BudgetReading) -> bool {
        let (maximum, restored) =
            (reading.maximum.unwrap_or(self.maximum), reading.restore_per_second.unwrap_or(self.restored));
        let is_other = self.heard_at.is_none()
            || (maximum - self.maximum).abs() > TOLERANCE
            || (restored - self.restored).abs() > TOLERANCE;
        (self.maximum, self.restored) = (maximum, restored);
        is_other
    }

    /// Sets what is there, and learns from how wrong our count was.
    fn correct(&mut self, next: f64, is_other: bool, now: Duration) {
        let missing = self.free - next;
        self.free = next;
        if is_other {
            (self.others_since, self.others_used) = (now, 0.0);
            return;
        }
        self.error += (missing.abs().min(self.maximum) - self.error) / 8.0;
        self.others_used += missing;
        let seconds = now.saturating_sub(self.others_since).as_secs_f64();
        if seconds >= 1.0 {
            let used = (self.others_used / seconds).clamp(-self.restored, self.restored);
            self.others += (used - self.others) * seconds / (seconds + AVERAGED_OVER);
            (self.others_since, self.others_used) = (now, 0.0);
        }
    }

    fn points(&self, ask: &Ask) -> f64 {
        ask.key.and_then(|key| self.learned.get(key)).unwrap_or(f64::from(ask.cost))
    }

    /// The points that come back for us in a second.
    fn rate(&self) -> f64 {
        (self.restored - self.others.max(0.0)).max(self.restored * LEAST_RESTORED)
    }

    fn advance(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let rate = self.rate();
        let restored = self.free + rate * seconds;
        let most = self.maximum - self.in_flight;
        self.free = restored.min(most);
        if restored > most {
            // Of a full store of points, nobody can tell what others use.
            (self.others_since, self.others_used) = (now, 0.0);
        } else {
            self.others_used += (self.restored - rate) * seconds;
        }
    }

    /// A maximum that would fit by the settings, and that the store has not said of late to be lower: without a
    /// call it could not say otherwise.
    fn doubts_maximum(&self, points: f64, now: Duration) -> bool {
        points <= self.settings.maximum
            && self.heard_at.is_none_or(|at| now.saturating_sub(at) >= BELIEVED_FOR)
    }
}

/// What requests of a shape were asked for the last time. The ones that were not used for long are forgotten.
#[derive(Debug, Default)]
struct Learned {
    now: HashMap<u64, f64>,
    before: HashMap<u64, f64>,
}

impl Learned {
    fn get(&self, key: u64) -> Option<f64> {
        self.now.get(&key).or_else(|| self.before.get(&key)).copied()
    }

    /// A higher number counts at once, a lower one by and by: what a shape costs may depend on its content.
    fn note(&mut self, key: u64, requested: f64) {
        let known = self.get(key).unwrap_or(requested);
        let noted = if requested >= known { requested } else { known - (known - requested) / 4.0 };
        if self.now.len() >= MAX_LEARNED && !self.now.contains_key(&key) {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(key, noted);
    }
}

fn too_costly(code: &'static str, message: &'static str, points: f64, most: f64) -> Error {
    Error::new(ErrorKind::TooLarge, code, message)
        .with_context("points", format!("{points:.0}"))
        .with_context("most", format!("{most:.0}"))
        .with_remedy("ask for less at once")
}
