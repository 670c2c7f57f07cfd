//! Points that a store gives out, restores over time, and tells of in its answers.

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
