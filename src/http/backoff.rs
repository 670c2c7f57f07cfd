//! How long to wait before the next attempt.

use std::time::Duration;

use crate::error::Result;
use crate::time::Entropy;

/// Exponential waits with jitter: the n-th retry waits between half and all of `base * 2^(n-1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The longest first wait (default 500 ms).
    pub base: Duration,
    /// The longest wait (default 30 s).
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// Sets the longest first wait and the longest wait of all.
    #[must_use]
    pub fn new(base: Duration, max: Duration) -> Self {
        Self { base, max }
    }

    /// The wait before a retry; `retry` counts from 1.
    pub(super) fn wait(&self, retry: u32, entropy: &dyn Entropy) -> Result<Duration> {
        let factor = 1_u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.base.checked_mul(factor).map_or(self.max, |wait| wait.min(self.max));
        let mut random = [0; 2];
        entropy.fill(&mut random)?;
        // Half is kept and half is drawn, so that the stores of a process that failed together do not
        // come back together.
        let drawn = u32::from(u16::from_be_bytes(random));
        Ok(longest / 2 + (longest / 2) * drawn / u32::from(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) -> Result<()> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn waits_double_between_half_and_all_up_to_the_longest() {
        let backoff = Backoff::default();
        let bounds = |retry| {
            (
                backoff.wait(retry, &Fixed(0)).unwrap().as_millis(),
                backoff.wait(retry, &Fixed(255)).unwrap().as_millis(),
            )
        };
        assert_eq!(bounds(1), (250, 500));
        assert_eq!(bounds(2), (500, 1000));
        assert_eq!(bounds(3), (1000, 2000));
        assert_eq!(bounds(8), (15_000, 30_000));
        assert_eq!(bounds(200), (15_000, 30_000));
    }
}
