//! How many records to ask for at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The answers in good order after which a page grows.
const GROW_AFTER: u32 = 16;
/// The answers in good order after which a size that was refused once may be tried again.
const FORGET_AFTER: u32 = 256;

/// The size of a list's pages: halved when a page is too costly, and grown back slowly.
#[derive(Debug)]
pub struct PageSize {
    smallest: u32,
    largest: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    size: u32,
    /// The smallest size that was too costly, which growing stays below.
    refused: Option<u32>,
    good: u32,
    since_refused: u32,
}

impl PageSize {
    /// Starts at the largest size, and never asks for fewer than `smallest` records (1 at least).
    #[must_use]
    pub const fn new(smallest: u32, largest: u32) -> Self {
        let smallest = if smallest == 0 { 1 } else { smallest };
        let largest = if largest < smallest { smallest } else { largest };
        let state = State { size: largest, refused: None, good: 0, since_refused: 0 };
        Self { smallest, largest, state: Mutex::new(state) }
    }

    /// The size to ask for now.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.lock().size
    }

    /// A page of this size was too costly: halves the size. `false` where it cannot become smaller, so that
    /// asking again would not help.
    pub fn too_costly(&self, asked: u32) -> bool {
        let mut state = self.lock();
        let halved = (asked / 2).max(self.smallest);
        state.refused = Some(state.refused.map_or(asked, |refused| refused.min(asked)));
        state.good = 0;
        state.since_refused = 0;
        // Another page of the same size may have halved it already.
        state.size = state.size.min(halved);
        state.size < asked
    }

    /// A page came in good order.
    pub fn fine(&self) {
        let mut state = self.lock();
        if state.size == self.largest {
            return;
        }
        state.good += 1;
        state.since_refused = state.since_refused.saturating_add(1);
        if state.since_refused >= FORGET_AFTER {
            state.refused = None;
        }
        if state.good >= GROW_AFTER {
            state.good = 0;
            let bound = state.refused.map_or(self.largest, |refused| refused.saturating_sub(1));
            let grown = state.size.saturating_add((state.size / 8).max(1)).min(bound).min(self.largest);
            state.size = state.size.max(grown);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_halves_down_to_the_smallest_and_says_when_it_cannot() {
        let size = PageSize::new(10, 250);
        assert_eq!(size.get(), 250);
        assert!(size.too_costly(250));
        assert_eq!(size.get(), 125);
        // Two calls of one size were refused: that is one halving.
        assert!(size.too_costly(250));
        assert_eq!(size.get(), 125);
        for expected in [62, 31, 15, 10] {
            assert!(size.too_costly(size.get()));
            assert_eq!(size.get(), expected);
        }
        assert!(!size.too_costly(10));
        assert_eq!(size.get(), 10);
        let one = PageSize::new(0, 0);
        assert_eq!((one.get(), one.too_costly(1)), (1, false));
    }

    #[test]
    fn a_size_grows_slowly_and_stays_below_what_was_refused() {
        let size = PageSize::new(1, 100);
        assert!(size.too_costly(100));
        for _ in 0..15 {
            size.fine();
        }
        assert_eq!(size.get(), 50);
        size.fine();
        assert_eq!(size.get(), 56);
        for _ in 0..200 {
            size.fine();
        }
        assert_eq!(size.get(), 99);
        // After a long time in good order it is tried once more.
        for _ in 0..56 {
            size.fine();
        }
        assert_eq!(size.get(), 100);
    }
}
