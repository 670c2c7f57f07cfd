//! Points that a store gives out, restores over time, and tells of in its answers.
//!
//! What a request will be asked for is reserved before it is sent, and what it did not cost is given back. The
//! store's own number is right, but old by the time it comes: calls in flight may be in it or not. So our own
//! count is kept while it can be true, and as soon as others are seen to draw from the same points, the lowest
//! number that the answer allows is taken. Being too low costs nothing but a fuller store of points; being too
//! high is a refusal.

use std::time::Duration;

use super::learned::Learned;
use super::reading::BudgetReading;
use crate::error::{Error, ErrorKind, Result};

/// The furthest that a family is believed to be from its prediction.
const MOST_FACTOR: f64 = 20.0;
/// The seconds over which the others' use is averaged.
const AVERAGED_OVER: f64 = 30.0;
/// The seconds for which an exact number is waited for.
const UNSURE_FOR: f64 = 20.0;
/// The part of the restored points from which on the others' use is noticed.
const NOTICED: f64 = 0.05;
/// The part of the restored points that we count on, however much the others use: waits stay finite.
const LEAST_RESTORED: f64 = 0.1;
/// What is kept free for our count being wrong: so many times its largest error of late, within these parts of
/// the maximum.
const ERRORS_KEPT: f64 = 2.0;
const LEAST_KEPT: f64 = 0.02;
const MOST_KEPT: f64 = 0.2;
/// How long a maximum below the one that was set is believed without being said again.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// What rounding may do to a sum.
const TOLERANCE: f64 = 1e-6;

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

impl BudgetSettings {
    /// # Errors
    /// `Config` where a number is not usable.
    pub(super) fn check(&self) -> Result<()> {
        let usable = (1.0..=BudgetReading::MAX_POINTS).contains(&self.maximum)
            && (0.01..=BudgetReading::MAX_POINTS).contains(&self.restore_per_second)
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
    predicted: u32,
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
    looks: u32,
    /// The largest error of our count, which fades.
    error: f64,
    /// What requests of a shape were asked for, and what those of a family were against their prediction.
    learned: Learned,
    factors: Learned,
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
            looks: 0,
            error: 0.0,
            learned: Learned::default(),
            factors: Learned::default(),
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
        // Whoever was told how long to wait is told right only where nobody else draws meanwhile.
        let kept = if ask.told_to_wait && !self.is_shared() {
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
        Reservation {
            points,
            predicted: ask.cost,
            key: ask.key,
            number: self.next_number,
            charged_before: self.charged,
        }
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
            self.learned.note(key, requested, 0.25);
            if taken.predicted > 0 {
                let factor = requested / f64::from(taken.predicted);
                self.factors.note(key >> 32, factor.clamp(1.0 / MOST_FACTOR, MOST_FACTOR), 0.03);
            }
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
            let next = if refused || is_other || self.is_shared() {
                lowest
            } else {
                self.free.max(lowest).min(highest)
            };
            let is_exact = ended_meanwhile + self.in_flight <= TOLERANCE;
            self.correct(next, is_exact, is_other, now);
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
    fn correct(&mut self, next: f64, is_exact: bool, is_other: bool, now: Duration) {
        let missing = self.free - next;
        self.free = next;
        if is_other {
            (self.others_since, self.others_used) = (now, 0.0);
            return;
        }
        // Having been too low did no harm.
        self.error = missing.min(self.maximum).max(self.error - self.error / 16.0);
        self.others_used += missing;
        let seconds = now.saturating_sub(self.others_since).as_secs_f64();
        // Between two answers that came with nothing else under way, the sum is right; else only nearly so.
        if seconds >= if is_exact { 1.0 } else { UNSURE_FOR } {
            let used = (self.others_used / seconds).clamp(-self.restored, self.restored);
            // The first looks count for more, so that the mean need not come a long way from nothing.
            self.looks = self.looks.saturating_add(1);
            let part = (seconds / (seconds + AVERAGED_OVER)).max(1.0 / f64::from(self.looks));
            self.others += (used - self.others) * part;
            (self.others_since, self.others_used) = (now, 0.0);
        }
    }

    fn points(&self, ask: &Ask) -> f64 {
        let predicted = f64::from(ask.cost);
        let Some(key) = ask.key else {
            return predicted;
        };
        self.learned
            .get(key)
            .unwrap_or_else(|| (predicted * self.factors.get(key >> 32).unwrap_or(1.0)).ceil())
    }

    /// Whether others are seen to draw from the same points.
    fn is_shared(&self) -> bool {
        self.others > self.restored * NOTICED
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

fn too_costly(code: &'static str, message: &'static str, points: f64, most: f64) -> Error {
    Error::new(ErrorKind::TooLarge, code, message)
        .with_context("points", format!("{points:.0}"))
        .with_context("most", format!("{most:.0}"))
        .with_remedy("ask for less at once")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ask(cost: u32) -> Ask {
        Ask { cost, key: None, told_to_wait: true }
    }

    fn shaped(cost: u32, key: u64) -> Ask {
        Ask { key: Some(key), ..ask(cost) }
    }

    /// A budget of 1000 points, of which 50 come back in a second.
    fn budget() -> Budget {
        Budget::new(BudgetSettings::new(1000.0, 50.0), at(0))
    }

    fn says(requested: f64, actual: f64, available: f64) -> Spent {
        let reading = BudgetReading {
            requested: Some(requested),
            actual: Some(actual),
            maximum: Some(1000.0),
            available: Some(available),
            restore_per_second: Some(50.0),
        };
        Spent::Answered { reading, refused: false }
    }

    fn wait(budget: &mut Budget, cost: u32, now: Duration) -> f64 {
        budget.wait(&ask(cost), now).unwrap().map_or(0.0, |wait| wait.as_secs_f64())
    }

    #[test]
    fn a_call_takes_its_points_gets_the_rest_back_and_they_are_restored_over_time() {
        let mut budget = budget();
        assert_eq!(wait(&mut budget, 800, at(0)), 0.0);
        let taken = budget.take(&ask(800));
        assert_eq!(wait(&mut budget, 300, at(0)), 2.0);
        assert!(budget.expects_refunds() && !budget.is_full(at(0)));
        budget.settle(&taken, says(800.0, 500.0, 500.0), at(0));
        assert_eq!(budget.free, 500.0);
        assert_eq!(wait(&mut budget, 600, at(1)), 1.0);
        assert!(!budget.is_full(at(9)) && budget.is_full(at(10)));
        // However long it rests, no more is there than can be.
        assert_eq!(wait(&mut budget, 1000, at(10_000)), 0.0);
        assert_eq!(budget.free, 1000.0);
    }

    #[test]
    fn something_is_kept_for_errors_unless_the_call_has_waited_as_it_was_told() {
        let mut budget = budget();
        let _ = budget.take(&ask(900));
        let patient = Ask { told_to_wait: true, ..ask(100) };
        assert_eq!(budget.wait(&patient, at(0)).unwrap(), None);
        let other = Ask { told_to_wait: false, ..ask(100) };
        assert_eq!(budget.wait(&other, at(0)).unwrap(), Some(Duration::from_millis(400)));
        // A count that was far off lately keeps more, and at most a fifth.
        budget.error = 50.0;
        assert_eq!(budget.wait(&other, at(0)).unwrap(), Some(at(2)));
        budget.error = 900.0;
        assert_eq!(budget.wait(&other, at(0)).unwrap(), Some(at(4)));
    }

    #[test]
    fn a_call_that_was_not_sent_costs_nothing_and_one_that_nobody_knows_of_costs_all() {
        let mut budget = budget();
        let taken = budget.take(&ask(400));
        budget.settle(&taken, Spent::Nothing, at(0));
        assert_eq!((budget.free, budget.in_flight), (1000.0, 0.0));
        let taken = budget.take(&ask(400));
        budget.settle(&taken, Spent::Unknown, at(0));
        assert_eq!((budget.free, budget.in_flight), (600.0, 0.0));
        // An answer that says nothing of the points, and one that was refused.
        let nothing = BudgetReading::default();
        let taken = budget.take(&ask(100));
        budget.settle(&taken, Spent::Answered { reading: nothing, refused: false }, at(0));
        assert_eq!(budget.free, 500.0);
        let taken = budget.take(&ask(100));
        budget.settle(&taken, Spent::Answered { reading: nothing, refused: true }, at(0));
        assert_eq!(budget.free, 500.0);
        assert_eq!((budget.in_flight, budget.charged), (0.0, 500.0));
    }

    #[test]
    fn an_answer_is_believed_less_what_is_in_flight_and_never_exceeded() {
        let mut budget = budget();
        let first = budget.take(&ask(100));
        let second = budget.take(&ask(200));
        // Somebody else took 300: the first answer in the right order shows it.
        budget.settle(&first, says(100.0, 100.0, 600.0), at(0));
        assert_eq!(budget.free, 400.0);
        budget.settle(&second, says(200.0, 200.0, 400.0), at(0));
        assert_eq!(budget.free, 400.0);
        // Our own count may be too low, too: nothing was in flight, so the store is right.
        let third = budget.take(&ask(50));
        budget.settle(&third, says(50.0, 10.0, 700.0), at(0));
        assert_eq!(budget.free, 700.0);
    }

    #[test]
    fn answers_out_of_order_do_not_bring_points_back_that_are_gone() {
        let mut budget = budget();
        let (slow, quick) = (budget.take(&ask(100)), budget.take(&ask(500)));
        budget.settle(&quick, says(500.0, 500.0, 400.0), at(0));
        let known = budget.free;
        assert!((300.0..=400.0).contains(&known), "{known}");
        // It was counted before the quick one was: 900 is not there any more.
        budget.settle(&slow, says(100.0, 100.0, 900.0), at(0));
        assert!(budget.free <= known, "{}", budget.free);

        // In the order in which they were let go, the number may be from before the other was counted.
        let mut budget = self::budget();
        let (one, two) = (budget.take(&ask(100)), budget.take(&ask(500)));
        budget.settle(&one, says(100.0, 100.0, 900.0), at(0));
        assert_eq!(budget.free, 400.0);
        let three = budget.take(&ask(100));
        budget.settle(&two, says(500.0, 500.0, 400.0), at(0));
        budget.settle(&three, says(100.0, 100.0, 800.0), at(0));
        assert_eq!(budget.free, 300.0);
    }

    #[test]
    fn what_others_draw_is_learned_and_counted_on() {
        let mut budget = budget();
        let taken = budget.take(&ask(1000));
        budget.settle(&taken, says(1000.0, 1000.0, 0.0), at(0));
        // Of 50 a second, 25 come: others take the rest.
        let mut level = 0.0;
        for second in 1..=60 {
            level += 25.0;
            let taken = budget.take(&ask(10));
            level -= 10.0;
            budget.settle(&taken, says(10.0, 10.0, level), at(second));
        }
        assert!((20.0..=30.0).contains(&budget.others), "{}", budget.others);
        let seconds = wait(&mut budget, 1000, at(60));
        assert!(seconds > 1.5 * (1000.0 - level) / 50.0, "{seconds}");
        // Alone again, it is forgotten by and by.
        for second in 61..=120 {
            level = f64::min(level + 50.0, 1000.0) - 60.0;
            let taken = budget.take(&ask(60));
            budget.settle(&taken, says(60.0, 60.0, level), at(second));
        }
        assert!(budget.others < 5.0, "{}", budget.others);
    }

    #[test]
    fn the_stores_own_maximum_and_rate_take_the_place_of_the_settings() {
        let mut budget = budget();
        let taken = budget.take(&ask(10));
        let reading = BudgetReading {
            maximum: Some(20_000.0),
            restore_per_second: Some(1000.0),
            available: Some(15_000.0),
            ..BudgetReading::default()
        };
        budget.settle(&taken, Spent::Answered { reading, refused: false }, at(0));
        assert_eq!((budget.free, budget.maximum, budget.restored), (15_000.0, 20_000.0, 1000.0));
        budget.configure(BudgetSettings::new(1000.0, 50.0).share(0.5));
        assert_eq!((budget.free, budget.maximum, budget.restored), (15_000.0, 20_000.0, 1000.0));
        assert_eq!(wait(&mut budget, 6000, at(0)), 1.0);
    }

    #[test]
    fn numbers_that_cannot_be_are_passed_over() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
            let mut budget = budget();
            let taken = budget.take(&shaped(100, 1));
            let reading = BudgetReading {
                requested: Some(odd),
                actual: Some(odd),
                maximum: Some(odd),
                available: Some(odd),
                restore_per_second: Some(odd),
            };
            budget.settle(&taken, Spent::Answered { reading, refused: false }, at(0));
            assert_eq!((budget.free, budget.maximum, budget.restored), (900.0, 1000.0, 50.0), "{odd}");
            assert_eq!(budget.points(&shaped(100, 1)), 100.0);
        }
        // Numbers that can be, and stop nothing.
        let mut budget = budget();
        let taken = budget.take(&ask(100));
        let reading = BudgetReading {
            maximum: Some(0.0),
            restore_per_second: Some(0.0),
            available: Some(5000.0),
            ..BudgetReading::default()
        };
        budget.settle(&taken, Spent::Answered { reading, refused: false }, at(0));
        assert_eq!((budget.free, budget.maximum, budget.restored), (1000.0, 1000.0, 50.0));
        for odd in [f64::NAN, -1.0, 0.0, 1e300] {
            assert!(BudgetSettings::new(odd, 50.0).check().is_err());
            assert!(BudgetSettings::new(1000.0, odd).check().is_err());
        }
        assert!(BudgetSettings::new(1000.0, 50.0).share(f64::NAN).check().is_err());
        assert!(BudgetSettings::new(1000.0, 50.0).share(1.1).check().is_err());
        assert!(BudgetSettings::new(1000.0, 50.0).per_call(0).check().is_err());
    }

    #[test]
    fn what_a_shape_was_asked_for_is_taken_the_next_time_and_its_family_is_expected_to_cost_alike() {
        let mut budget = budget();
        let (shape, sister, other) = (0x1_0000_0001, 0x1_0000_0002, 0x2_0000_0001);
        let taken = budget.take(&shaped(100, shape));
        budget.settle(&taken, says(120.0, 30.0, 970.0), at(0));
        assert_eq!(budget.points(&shaped(100, shape)), 120.0);
        assert_eq!(budget.points(&shaped(50, sister)), 60.0);
        assert_eq!(budget.points(&shaped(50, other)), 50.0);
        assert_eq!(budget.points(&ask(50)), 50.0);
        // Less is believed by and by.
        let taken = budget.take(&shaped(100, shape));
        budget.settle(&taken, says(80.0, 30.0, 940.0), at(0));
        assert_eq!(budget.points(&shaped(100, shape)), 110.0);
    }

    #[test]
    fn what_can_never_be_paid_is_told_at_once_but_a_maximum_that_fell_is_not_believed_for_ever() {
        let mut budget = budget();
        let error = budget.wait(&ask(1001), at(0)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "cost_over_maximum"));
        assert_eq!(wait(&mut budget, 1000, at(0)), 0.0);
        let taken = budget.take(&ask(10));
        let reading = BudgetReading { maximum: Some(1.0), available: Some(1.0), ..BudgetReading::default() };
        budget.settle(&taken, Spent::Answered { reading, refused: false }, at(0));
        assert!(budget.wait(&ask(10), at(59)).is_err());
        assert_eq!(budget.wait(&ask(10), at(60)).unwrap(), None);
        assert!(budget.wait(&ask(1001), at(60)).is_err());

        let mut capped = Budget::new(BudgetSettings::new(5000.0, 50.0).per_call(1000), at(0));
        assert_eq!(capped.wait(&ask(1001), at(0)).unwrap_err().code(), "cost_over_cap");
        assert!(capped.wait(&ask(1000), at(0)).is_ok());
    }

    #[test]
    fn a_share_stays_for_others_and_the_dearest_call_still_comes_to_its_turn() {
        let mut budget = Budget::new(BudgetSettings::new(1000.0, 50.0).share(0.25), at(0));
        let _ = budget.take(&ask(200));
        assert_eq!(wait(&mut budget, 100, at(0)), 1.0);
        budget.in_flight = 0.0;
        assert_eq!(wait(&mut budget, 1000, at(0)), 4.0);
        assert_eq!(wait(&mut budget, 1000, at(4)), 0.0);
    }
}
