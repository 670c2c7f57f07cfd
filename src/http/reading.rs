//! What a store's answers say of its points, or of the calls that it lets pass.

use std::time::Duration;

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

impl BudgetReading {
    /// The largest number that is believed.
    pub(super) const MAX_POINTS: f64 = 1e9;

    /// The same without the numbers that cannot be.
    pub(super) fn sane(self) -> Self {
        let number = |number: &f64| number.is_finite() && (0.0..=Self::MAX_POINTS).contains(number);
        Self {
            requested: self.requested.filter(number),
            actual: self.actual.filter(number),
            maximum: self.maximum.filter(|maximum| number(maximum) && *maximum >= 1.0),
            available: self.available.filter(number),
            restore_per_second: self.restore_per_second.filter(|rate| number(rate) && *rate >= 0.01),
        }
    }
}

/// What one answer says of a window in which calls are counted: each part may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowReading {
    /// The calls that one window has.
    pub quota: Option<u64>,
    /// Those that were left when the request had been counted.
    pub left: Option<u64>,
    /// How long it was until the window's end.
    pub ends_in: Option<Duration>,
    /// How long a window is.
    pub length: Option<Duration>,
}
