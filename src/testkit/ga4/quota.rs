//! Quotas of a property (documents of 2026-11-22): each bucket refills by the hour or by the day, and any empty one
//! refuses every request to the property.

use serde_json::{Map, Value, json};

use super::errors::Refusal;
use crate::time::{Day, Timestamp};

/// What a property gives in an hour or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quotas {
    /// Tokens a day, which ends at midnight in the Pacific time zone.
    pub tokens_per_day: u64,
    /// Tokens an hour.
    pub tokens_per_hour: u64,
    /// Tokens an hour of one project.
    pub tokens_per_project_per_hour: u64,
    /// Server errors an hour of one project.
    pub server_errors_per_project_per_hour: u64,
    /// Calls at a time.
    pub concurrent_requests: u64,
    /// What a report costs at least.
    pub tokens_of_a_report: u64,
}

impl Quotas {
    /// Those of a standard property.
    pub const STANDARD: Self = Self {
        tokens_per_day: 200_000,
        tokens_per_hour: 40_000,
        tokens_per_project_per_hour: 14_000,
        server_errors_per_project_per_hour: 10,
        concurrent_requests: 10,
        tokens_of_a_report: 4,
    };
}

/// What was used of the quotas.
#[derive(Debug, Clone, Default)]
pub(super) struct Used {
    day: Option<Day>,
    hour: Option<i64>,
    tokens_of_day: u64,
    tokens_of_hour: u64,
    errors_of_hour: u64,
}

impl Used {
    /// Begins the hour and the day anew where they turned.
    fn turn(&mut self, now: Timestamp) {
        let hour = Some(now.unix_seconds().div_euclid(3600));
        if self.hour != hour {
            (self.hour, self.tokens_of_hour, self.errors_of_hour) = (hour, 0, 0);
        }
        let day = Day::at(now, "America/Los_Angeles").ok();
        if self.day != day {
            (self.day, self.tokens_of_day) = (day, 0);
        }
    }

    /// Refuses where a bucket is empty, or so many calls of others are all that there may be.
    pub(super) fn admit(&mut self, quotas: &Quotas, others: u64, now: Timestamp) -> Result<(), Refusal> {
        self.turn(now);
        let empty = [
            (self.tokens_of_day >= quotas.tokens_per_day, "property tokens per day"),
            (self.tokens_of_hour >= quotas.tokens_per_hour, "property tokens per hour"),
            (
                self.tokens_of_hour >= quotas.tokens_per_project_per_hour,
                "property tokens for a project per hour",
            ),
            (
                self.errors_of_hour >= quotas.server_errors_per_project_per_hour,
                "server errors for a project per hour",
            ),
            (others >= quotas.concurrent_requests, "concurrent requests quota"),
        ];
        match empty.iter().find(|(is_empty, _)| *is_empty) {
            Some((_, what)) => Err(Refusal::exhausted(format!("Exhausted {what}."))),
            None => Ok(()),
        }
    }

    pub(super) fn spend(&mut self, tokens: u64) {
        self.tokens_of_day += tokens;
        self.tokens_of_hour += tokens;
    }

    pub(super) fn error(&mut self) {
        self.errors_of_hour += 1;
    }

    /// The tokens that were spent in this hour.
    pub(super) fn tokens(&self) -> u64 {
        self.tokens_of_hour
    }

    /// What an answer says of them: a number that is zero is left out.
    pub(super) fn told(&self, quotas: &Quotas, consumed: u64, others: u64) -> Value {
        let told = |consumed: u64, most: u64, used: u64| {
            let mut status = Map::new();
            let numbers = [("consumed", consumed), ("remaining", most.saturating_sub(used))];
            status.extend(
                numbers.iter().filter(|(_, n)| *n > 0).map(|(name, n)| ((*name).to_owned(), json!(n))),
            );
            Value::Object(status)
        };
        json!({
            "tokensPerDay": told(consumed, quotas.tokens_per_day, self.tokens_of_day),
            "tokensPerHour": told(consumed, quotas.tokens_per_hour, self.tokens_of_hour),
            "tokensPerProjectPerHour": told(consumed, quotas.tokens_per_project_per_hour, self.tokens_of_hour),
            "concurrentRequests": told(others + 1, quotas.concurrent_requests, others + 1),
            "serverErrorsPerProjectPerHour":
                told(0, quotas.server_errors_per_project_per_hour, self.errors_of_hour),
            "potentiallyThresholdedRequestsPerHour": told(0, 120, 0),
        })
    }
}
