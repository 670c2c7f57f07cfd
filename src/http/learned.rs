//! Numbers that answers taught us, within a bound.

use std::collections::HashMap;

/// The numbers that are remembered, twice.
const MAX_LEARNED: usize = 512;

/// Numbers by what they were learned from. The ones that were not learned again for long are forgotten.
#[derive(Debug, Default)]
pub(super) struct Learned {
    now: HashMap<u64, f64>,
    before: HashMap<u64, f64>,
}

impl Learned {
    pub(super) fn get(&self, key: u64) -> Option<f64> {
        self.now.get(&key).or_else(|| self.before.get(&key)).copied()
    }

    /// A higher number counts at once, a lower one by and by: what a shape costs may depend on its content.
    pub(super) fn note(&mut self, key: u64, number: f64, fades: f64) {
        let known = self.get(key).unwrap_or(number);
        let noted = if number >= known { number } else { known - (known - number) * fades };
        if self.now.len() >= MAX_LEARNED && !self.now.contains_key(&key) {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(key, noted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_believed_at_once_and_less_by_and_by() {
        let mut learned = Learned::default();
        assert_eq!(learned.get(1), None);
        for (number, expected) in [(100.0, 100.0), (120.0, 120.0), (80.0, 110.0), (110.0, 110.0)] {
            learned.note(1, number, 0.25);
            assert_eq!(learned.get(1), Some(expected));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_learned_again_stays() {
        let mut learned = Learned::default();
        for key in 0..10_000 {
            learned.note(key, 1.0, 0.25);
            learned.note(7, 2.0, 0.25);
        }
        assert!(learned.now.len() + learned.before.len() <= 2 * MAX_LEARNED);
        assert_eq!((learned.get(9_999), learned.get(7), learned.get(8)), (Some(1.0), Some(2.0), None));
    }
}
