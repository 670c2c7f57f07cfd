//! The age of a delivery whose time is signed.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// Refuses a delivery whose signed time is more than `tolerance` before or after `now`.
///
/// Call it after the signature was verified. Only a time that the signature covers says anything for sure: another
/// one stops what is sent again as it was, and nothing that somebody changed.
///
/// # Errors
/// `Rejected` with code `webhook_not_fresh`.
pub fn must_be_fresh(signed: Timestamp, now: Timestamp, tolerance: Duration) -> Result<()> {
    if now.since(signed) <= tolerance && signed.since(now) <= tolerance {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Rejected,
        "webhook_not_fresh",
        "the delivery's signed time is too far from now",
    )
    .with_context("signed", signed.to_string())
    .with_context("now", now.to_string())
    .with_remedy("check this machine's clock; an old delivery may be a replay"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_time_may_be_off_by_the_tolerance_both_ways() {
        let now = Timestamp::from_unix_seconds(1_795_368_022).unwrap();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (off, fresh) in [(0, true), (5, true), (6, false)] {
            for signed in [now.saturating_add(minutes(off)), now.saturating_sub(minutes(off))] {
                let told = must_be_fresh(signed, now, minutes(5));
                assert_eq!(told.is_ok(), fresh, "{signed}");
                assert!(told.err().is_none_or(|error| error.code() == "webhook_not_fresh"));
            }
        }
    }
}
