//! Time that a test moves, and randomness that a test can repeat.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::error::Result;
use crate::time::{Clock, Entropy, Timestamp};

/// The wall clock's first moment, 2026-11-22T00:00:00Z, in seconds since the start of 1970.
const START: i64 = 1_795_305_600;

/// A virtual clock: time stands still but for what the test, or in its automatic mode a sleep, adds.
#[derive(Debug)]
pub struct FakeClock {
    moves: Moves,
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moves {
    ByHand,
    BySleeping,
}

#[derive(Debug)]
struct State {
    elapsed: Duration,
    wall: Timestamp,
    slept: Vec<Duration>,
}

impl FakeClock {
    /// A clock that moves by [`FakeClock::advance`] only.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Moves::ByHand)
    }

    /// A clock that each sleep moves on at once, so that waits take no real time. Time-outs and deadlines,
    /// which are [`Clock::limit`], do not move it: they pass only when something else has.
    #[must_use]
    pub fn automatic() -> Self {
        Self::with(Moves::BySleeping)
    }

    fn with(moves: Moves) -> Self {
        let wall = Timestamp::from_unix_seconds(START).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            moves,
            state: Mutex::new(State { elapsed: Duration::ZERO, wall, slept: Vec::new() }),
            moved: Notify::new(),
        }
    }

    /// Moves both clocks on, and wakes who has slept enough.
    pub fn advance(&self, time: Duration) {
        let mut state = self.lock();
        state.elapsed += time;
        state.wall = state.wall.saturating_add(time);
        drop(state);
        self.moved.notify_waiters();
    }

    /// Sets the wall clock, and leaves the other alone.
    pub fn set_wall(&self, now: Timestamp) {
        self.lock().wall = now;
    }

    /// The sleeps that were begun, in order; limits are not among them.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    async fn reach(&self, until: Duration) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.elapsed() >= until {
                return;
            }
            moved.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.lock().wall
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    async fn sleep(&self, time: Duration) {
        let until = {
            let mut state = self.lock();
            state.slept.push(time);
            state.elapsed + time
        };
        match self.moves {
            Moves::ByHand => self.reach(until).await,
            Moves::BySleeping => {
                // Others may run before the time is over, as they would in a real sleep.
                tokio::task::yield_now().await;
                let left = until.saturating_sub(self.elapsed());
                if !left.is_zero() {
                    self.advance(left);
                }
            }
        }
    }

    async fn limit(&self, time: Duration) {
        let until = self.elapsed() + time;
        self.reach(until).await;
    }
}

/// Random bytes that the same seed gives again. It prints the seed when it is made, so that a failing test
/// can be repeated.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// Begins with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        eprintln!("entropy seed: {seed}");
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            for (to, from) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_sleep_ends_when_the_time_was_moved_that_far() {
        let clock = Arc::new(FakeClock::new());
        let sleeper = Arc::clone(&clock);
        let task = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(10)).await });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        clock.advance(Duration::from_secs(1));
        task.await.unwrap();
        assert_eq!(clock.slept(), [Duration::from_secs(10)]);
    }

    #[tokio::test]
    async fn an_automatic_clock_moves_for_sleeps_and_not_for_limits() {
        let clock = FakeClock::automatic();
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.elapsed(), Duration::from_secs(3600));
        assert_eq!(clock.now().to_string(), "2026-11-22T01:00:00Z");
        tokio::select! {
            biased;
            () = clock.limit(Duration::from_secs(1)) => panic!("a limit must not move the time"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(clock.elapsed(), Duration::from_secs(3600));
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let draw = |seed| {
            let mut bytes = [0; 12];
            SeededEntropy::new(seed).fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
