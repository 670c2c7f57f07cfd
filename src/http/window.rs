//! Calls that a store counts in windows: so many until an instant, then so many anew.
//!
//! The store tells with each answer how many are left and when the window ends. Its number is right, but old by the
//! time it comes: calls in flight may be in it or not. Our own count is kept while it can be true; where others are
//! seen to draw from the same calls, the lowest number that the answer allows is taken, and a margin as large as what
//! they drew between two answers is kept free. Being too low costs a few calls of one window; being too high is a
//! refusal.

use std::time::Duration;

use super::reading::WindowReading;
use crate::error::{Error, ErrorKind, Result};

/// The largest number of calls that is believed.
const MOST_CALLS: u64 = 1_000_000_000;
/// The longest window that is believed.
const LONGEST: Duration = Duration::from_secs(86_400);
/// The largest part of the calls that is kept free for what others draw between two answers.
const MOST_KEPT: f64 = 0.2;
/// How much of the margin fades from window to window.
const FADES: f64 = 0.5;
/// After so many windows without a word, the store is taken to count no more.
const FORGOTTEN_AFTER: u32 = 3;
/// How far two instants of one window's end may be apart, in parts of the window.
const SAME_END: u32 = 4;

/// How a store that counts calls in windows is used; how many there are, its answers say.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WindowSettings {
    /// The part of the calls that we may use, in 0..=1 (default 1): the rest stays for the store's other clients.
    pub share: f64,
    /// How long a window is where an answer does not say (default 30 s).
    pub length: Duration,
}

impl WindowSettings {
    /// Uses all that the store gives.
    #[must_use]
    pub const fn new() -> Self {
        Self { share: 1.0, length: Duration::from_secs(30) }
    }

    /// Sets the part that we may use.
    #[must_use]
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// # Errors
    /// `Config` where a number is not usable.
    pub(super) fn check(&self) -> Result<()> {
        if self.share > 0.0 && self.share <= 1.0 && !self.length.is_zero() && self.length <= LONGEST {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            "window_unusable",
            "a window needs a share above 0 and at most 1, and a length above 0 and at most a day",
        ))
    }
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// What was taken for a call in flight.
#[derive(Debug)]
pub(super) struct Taken {
    calls: u32,
    number: u64,
    /// How many windows had begun, by our count.
    window: u64,
}

/// How a call in flight ended, as far as the window goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    /// It was not sent.
    Not,
    /// It was sent, and nobody heard.
    Unknown,
    /// It was answered.
    Answered(WindowReading),
}

/// What the store said of its window.
#[derive(Debug, Clone, Copy)]
struct Known {
    quota: u64,
    /// What is left beside the calls in flight; below zero where these may not have been counted.
    free: i64,
    ends: Duration,
    length: Duration,
    /// How many windows ended since the store last said a word.
    silent: u32,
}

/// The window of one store.
#[derive(Debug)]
pub(super) struct Window {
    settings: WindowSettings,
    known: Option<Known>,
    in_flight: i64,
    next_number: u64,
    newest: u64,
    windows: u64,
    /// What others drew between two answers, at most; it fades.
    others: f64,
}

impl Window {
    pub(super) fn new(settings: WindowSettings) -> Self {
        Self { settings, known: None, in_flight: 0, next_number: 0, newest: 0, windows: 0, others: 0.0 }
    }

    pub(super) fn configure(&mut self, settings: WindowSettings) {
        self.settings = settings;
    }

    /// Whether nothing has to be remembered.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.known.is_none_or(|known| known.ends <= now)
    }

    /// How long a call of that cost has to wait; `None` where it may go.
    pub(super) fn wait(&mut self, calls: u32, now: Duration) -> Option<Duration> {
        self.advance(now);
        let known = self.known?;
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "below 1e9")]
        let kept = {
            let quota = known.quota as f64;
            let margin = self.others.min(quota * MOST_KEPT);
            (margin + quota * (1.0 - self.settings.share)).ceil() as i64
        };
        // A quota that is smaller than what is asked or kept would never let a call go.
        let quota = i64::try_from(known.quota).unwrap_or(i64::MAX);
        let needed = i64::from(calls).saturating_add(kept).min(quota).max(1);
        if known.free >= needed {
            return None;
        }
        // Nothing is left at all of a store that gives none: it is asked once a window.
        Some(known.ends.saturating_sub(now).max(Duration::from_millis(1)))
    }

    pub(super) fn take(&mut self, calls: u32) -> Taken {
        if let Some(known) = &mut self.known {
            known.free -= i64::from(calls);
        }
        self.in_flight += i64::from(calls);
        self.next_number += 1;
        Taken { calls, number: self.next_number, window: self.windows }
    }

    /// Counts a call that is over.
    pub(super) fn settle(&mut self, taken: &Taken, counted: Counted, now: Duration) {
        self.advance(now);
        self.in_flight = (self.in_flight - i64::from(taken.calls)).max(0);
        match counted {
            Counted::Not => {
                if let Some(known) = self.known.as_mut().filter(|_| taken.window == self.windows) {
                    known.free += i64::from(taken.calls);
                }
            }
            Counted::Unknown => {}
            // An answer to a call that was let go before the newest one says nothing new.
            Counted::Answered(reading) if taken.number >= self.newest => {
                self.newest = taken.number;
                self.hear(reading, now);
            }
            Counted::Answered(_) => {}
        }
    }

    fn hear(&mut self, reading: WindowReading, now: Duration) {
        let Some(left) = reading.left.filter(|left| *left <= MOST_CALLS) else { return };
        let before = self.known;
        let quota = reading.quota.filter(|quota| (1..=MOST_CALLS).contains(quota));
        let Some(quota) = quota.or(before.map(|known| known.quota)) else { return };
        let length = reading.length.filter(|length| !length.is_zero() && *length <= LONGEST);
        let length = length.or(before.map(|known| known.length)).unwrap_or(self.settings.length);
        let ends = reading.ends_in.map(|ends_in| now.saturating_add(ends_in.min(length)));
        let ends = ends.or(before.map(|known| known.ends)).unwrap_or(now.saturating_add(length));
        let left = i64::try_from(left.min(quota)).unwrap_or(i64::MAX);
        // Those in flight may not be in the number.
        let lowest = left - self.in_flight;
        let same = before.filter(|known| {
            let apart = known.ends.max(ends) - known.ends.min(ends);
            apart <= length / SAME_END && known.quota == quota
        });
        let free = match same {
            Some(known) if known.free > left => {
                #[expect(clippy::cast_precision_loss, reason = "below 1e9")]
                let drawn = (known.free - left) as f64;
                self.others = self.others.max(drawn * 2.0);
                lowest
            }
            Some(known) => known.free.max(lowest),
            None => lowest,
        };
        // The end that was heard first is the nearest to the truth: an answer takes time to come.
        let ends = same.map_or(ends, |known| known.ends.min(ends));
        self.known = Some(Known { quota, free, ends, length, silent: 0 });
    }

    /// Begins the next window where the one that is known is over.
    fn advance(&mut self, now: Duration) {
        let Some(known) = &mut self.known else { return };
        if now < known.ends {
            return;
        }
        known.silent += 1;
        self.windows += 1;
        self.others *= FADES;
        if known.silent >= FORGOTTEN_AFTER {
            self.known = None;
            return;
        }
        // Whoever is in flight now may be counted in the new window.
        known.free = i64::try_from(known.quota).unwrap_or(i64::MAX) - self.in_flight;
        known.ends = now.saturating_add(known.length);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A store that counts as the platform does: a window begins where the one before ends.
    struct Store {
        quota: u64,
        used: u64,
        ends: Duration,
        /// How often we were.
        refused: u64,
        /// What was used of each window that is over.
        past: Vec<u64>,
    }

    impl Store {
        fn new(quota: u64, ends: Duration) -> Self {
            Self { quota, used: 0, ends, refused: 0, past: Vec::new() }
        }

        fn call(&mut self, now: Duration) -> bool {
            while now >= self.ends {
                self.past.push(self.used);
                (self.used, self.ends) = (0, self.ends + WINDOW);
            }
            let passes = self.used < self.quota;
            self.used += u64::from(passes);
            passes
        }

        fn reading(&self, now: Duration) -> WindowReading {
            WindowReading {
                quota: Some(self.quota),
                left: Some(self.quota - self.used),
                ends_in: Some(self.ends.saturating_sub(now)),
                length: Some(WINDOW),
            }
        }
    }

    /// Runs ten windows of a store with so many calls in flight, each taking 40 ms there and 40 ms back; another client
    /// calls every `other` (none where zero). Gives the store.
    fn run(quota: u64, in_flight: usize, other: Duration, settings: WindowSettings) -> Store {
        let mut window = Window::new(settings);
        let mut store = Store::new(quota, ms(12_345));
        let mut flying: VecDeque<(Duration, Taken, Option<WindowReading>)> = VecDeque::new();
        let mut now = Duration::ZERO;
        let mut others_at = other;
        while store.past.len() < 11 {
            while let Some((back, _, _)) = flying.front()
                && *back <= now
            {
                let Some((_, taken, reading)) = flying.pop_front() else { break };
                let counted = reading.map_or(Counted::Unknown, Counted::Answered);
                window.settle(&taken, counted, now);
            }
            while !other.is_zero() && others_at <= now {
                store.call(others_at);
                others_at += other;
            }
            if flying.len() < in_flight && window.wait(1, now).is_none() {
                let taken = window.take(1);
                let there = now + ms(40);
                let passes = store.call(there);
                store.refused += u64::from(!passes);
                flying.push_back((there + ms(40), taken, Some(store.reading(there))));
            }
            now += ms(5);
        }
        store
    }

    fn used(store: &Store) -> f64 {
        // The first window was under way when the run began.
        let windows = &store.past[1..];
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = windows.iter().sum::<u64>() as f64 / (store.quota * windows.len() as u64) as f64;
        share
    }

    #[test]
    fn alone_all_of_a_window_is_used_and_nothing_is_refused() {
        for quota in [20, 150, 450] {
            for in_flight in [1, 2, 4] {
                let store = run(quota, in_flight, Duration::ZERO, WindowSettings::new());
                let part = used(&store);
                // With one call at a time of 80 ms, a window has room for 375.
                let possible = if in_flight == 1 && quota == 450 { 0.8 } else { 0.95 };
                assert!(part >= possible, "{quota} by {in_flight}: {part}");
                assert_eq!(store.refused, 0, "{quota} by {in_flight}");
            }
        }
    }

    #[test]
    fn another_client_on_the_same_quota_costs_few_refusals_and_little_use() {
        for quota in [150, 450] {
            for other in [ms(300), ms(1_000), ms(5_000)] {
                let store = run(quota, 2, other, WindowSettings::new());
                let part = used(&store);
                assert!(part >= 0.85, "{quota} beside one each {other:?}: {part}");
                let windows = store.past.len() as u64;
                assert!(store.refused <= windows, "{quota} beside one each {other:?}: {}", store.refused);
            }
        }
    }

    #[test]
    fn a_share_leaves_the_rest_to_others() {
        let store = run(150, 2, Duration::ZERO, WindowSettings::new().share(0.5));
        let part = used(&store);
        assert!((0.45..=0.51).contains(&part), "{part}");
    }

    #[test]
    fn a_store_that_tells_nothing_is_not_held_back_and_one_that_falls_silent_is_forgotten() {
        let mut window = Window::new(WindowSettings::new());
        for _ in 0..1_000 {
            assert_eq!(window.wait(1, ms(1)), None);
            let taken = window.take(1);
            window.settle(&taken, Counted::Answered(WindowReading::default()), ms(1));
        }
        let mut store = Store::new(1, WINDOW);
        let taken = window.take(1);
        store.call(ms(2));
        window.settle(&taken, Counted::Answered(store.reading(ms(2))), ms(2));
        assert_eq!(window.wait(1, ms(2)), Some(WINDOW - ms(2)));
        let mut waits = 0;
        for windows in 1..=4_u64 {
            waits += u64::from(window.wait(1, WINDOW * u32::try_from(windows).unwrap()).is_some());
            if window.known.is_some() {
                let _taken = window.take(1);
                window.in_flight = 0;
            }
        }
        assert_eq!((waits, window.known.is_none()), (0, true));
    }

    #[test]
    fn a_call_that_was_not_sent_is_given_back_and_numbers_that_cannot_be_are_passed_over() {
        let mut window = Window::new(WindowSettings::new());
        let mut store = Store::new(2, WINDOW);
        let first = window.take(1);
        store.call(ms(1));
        window.settle(&first, Counted::Answered(store.reading(ms(1))), ms(1));
        let second = window.take(1);
        assert!(window.wait(1, ms(2)).is_some());
        window.settle(&second, Counted::Not, ms(2));
        assert_eq!(window.wait(1, ms(2)), None);
        let third = window.take(1);
        let absurd = WindowReading {
            left: Some(u64::MAX),
            quota: Some(0),
            ends_in: None,
            length: Some(Duration::MAX),
        };
        window.settle(&third, Counted::Answered(absurd), ms(3));
        assert!(window.wait(1, ms(3)).is_some(), "the last good word counts");
        for share in [0.0, -1.0, 1.1, f64::NAN] {
            assert_eq!(WindowSettings::new().share(share).check().unwrap_err().code(), "window_unusable");
        }
    }
}
