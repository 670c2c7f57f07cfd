//! What is wrong with the shop, as switches that a test sets.

use std::time::Duration;

/// The state of the shop and of the stand-in's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// The shop is frozen for payment: 402.
    pub frozen: bool,
    /// The shop is locked: 423.
    pub locked: bool,
    /// The shop is gone: 404.
    pub gone: bool,
    /// The platform rejects the caller: 430.
    pub rejected: bool,
    /// The shop is not active: 200 with the code `SHOP_INACTIVE`.
    pub inactive: bool,
    /// Permanent tokens are refused: 403 with the text that names them.
    pub permanent_tokens_refused: bool,
    /// Cost is left out of answers, as for shops of staff.
    pub without_cost: bool,
    /// How long the search index lags behind writes.
    pub search_lag: Duration,
    /// How many objects pages reach into (default 25,000); 0 for no such bound.
    pub deep_paging_limit: usize,
    /// The most that one query may cost (default 1,000).
    pub query_cost_limit: u64,
    /// A refresh token works once only, as it did before lost answers could be asked for again.
    pub strict_rotation: bool,
    /// Answers of the token endpoint leave `expires_in` out.
    pub without_expiry: bool,
    /// A refresh gives the same refresh token again.
    pub same_refresh_token: bool,
    /// The version that serves every call, as when the one that is asked for is over; `None` for the one asked for.
    pub serves: Option<String>,
    /// The status of `invalid_grant` (default 400).
    pub invalid_grant_status: u16,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            frozen: false,
            locked: false,
            gone: false,
            rejected: false,
            inactive: false,
            permanent_tokens_refused: false,
            without_cost: false,
            search_lag: Duration::ZERO,
            deep_paging_limit: 25_000,
            query_cost_limit: 1_000,
            strict_rotation: false,
            without_expiry: false,
            same_refresh_token: false,
            serves: None,
            invalid_grant_status: 400,
        }
    }
}
