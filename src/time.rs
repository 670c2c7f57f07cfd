//! Time and randomness: the only file that reads a clock or the operating system's random bytes.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

mod day;

pub use day::{Day, Days};

/// A point in time, in UTC, with at most nanosecond precision.
///
/// Its text form is RFC 3339 with a `Z`, and keeps no more digits than the instant has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The start of 1970, in UTC.
    pub const UNIX_EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// Makes a timestamp from whole seconds since the start of 1970.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the year is outside -9999..=9999.
    pub fn from_unix_seconds(seconds: i64) -> Result<Self> {
        jiff::Timestamp::from_second(seconds).map(Self).map_err(|_| unreadable("seconds out of range"))
    }

    /// Reads a civil date and time without a zone (`2026-11-22T17:08:40`, or with up to nine digits of a second
    /// more) as UTC.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the text is not such a time.
    pub fn parse_utc_civil(text: &str) -> Result<Self> {
        // The parser beneath reads a date alone, passes over an offset, and takes second 60 for 59.
        if !is_civil(text) {
            return Err(unreadable("expected YYYY-MM-DDTHH:MM:SS"));
        }
        text.parse::<jiff::civil::DateTime>()
            .and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil))
            .map(Self)
            .map_err(|_| unreadable("expected YYYY-MM-DDTHH:MM:SS"))
    }

    /// Reads a date and time as SQL writes it (`2026-11-22 17:08:40`) as UTC.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the text is not such a time.
    pub fn parse_utc_sql(text: &str) -> Result<Self> {
        match text.split_once(' ') {
            Some((date, time)) => Self::parse_utc_civil(&format!("{date}T{time}")),
            None => Err(unreadable("expected YYYY-MM-DD HH:MM:SS")),
        }
    }

    /// Writes the instant as SQL writes a date and time, in UTC (`2026-11-22 17:08:40`).
    #[must_use]
    pub fn to_utc_sql(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Reads a date and time with its offset (`2026-11-22T17:08:40Z`, `2026-11-22T12:08:40.5-05:00`).
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the text is not such a time.
    pub fn parse_rfc3339(text: &str) -> Result<Self> {
        // The parser beneath takes a zone's name in brackets, offsets with seconds, and a blank for the T.
        let civil = match text.strip_suffix('Z') {
            Some(civil) => Some(civil),
            None => text.split_at_checked(text.len().saturating_sub(6)).and_then(|(civil, offset)| {
                let fits = |(at, byte): (usize, u8)| match at {
                    0 => matches!(byte, b'+' | b'-'),
                    3 => byte == b':',
                    _ => byte.is_ascii_digit(),
                };
                (offset.len() == 6 && offset.bytes().enumerate().all(fits)).then_some(civil)
            }),
        };
        match civil {
            Some(civil) if is_civil(civil) => text.parse(),
            _ => Err(unreadable("expected RFC 3339, such as 2026-11-22T17:08:40Z")),
        }
    }

    /// Writes the instant as a civil date and time in UTC, to the second and without a zone.
    #[must_use]
    pub fn to_utc_civil(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// Reads the date of an HTTP header (`Sun, 22 Nov 2026 17:16:04 GMT`).
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the text is not such a date.
    pub fn parse_http_date(text: &str) -> Result<Self> {
        jiff::fmt::rfc2822::parse(text)
            .map(|zoned| Self(zoned.timestamp()))
            .map_err(|_| unreadable("expected an HTTP date"))
    }

    /// Writes the instant as the date of an HTTP header.
    #[must_use]
    pub fn to_http_date(self) -> String {
        self.0.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The whole seconds since the start of 1970.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }

    /// The whole milliseconds since the start of 1970.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// The instant that much later, or the last one there is.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        jiff::SignedDuration::try_from(by)
            .ok()
            .and_then(|by| self.0.checked_add(by).ok())
            .map_or(Self(jiff::Timestamp::MAX), Self)
    }

    /// The instant that much earlier, or the first one there is.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        jiff::SignedDuration::try_from(by)
            .ok()
            .and_then(|by| self.0.checked_sub(by).ok())
            .map_or(Self(jiff::Timestamp::MIN), Self)
    }

    /// The time from `earlier` to this instant; zero where it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or(Duration::ZERO)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| unreadable("expected RFC 3339, such as 2026-11-22T17:08:40Z"))
    }
}

fn is_civil(text: &str) -> bool {
    let (main, part) = text.split_once('.').unwrap_or((text, "0"));
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    main.len() == 19
        && main.bytes().enumerate().all(fits)
        && !main.ends_with("60")
        && (1..=9).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn unreadable(expected: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, "time_unreadable", format!("unreadable time: {expected}"))
}

/// The clock that everything of this crate reads and sleeps by.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock, for stamps that are stored. It may jump.
    fn now(&self) -> Timestamp;
    /// The time since some fixed moment, for waits and deadlines. It never goes back.
    fn elapsed(&self) -> Duration;
    /// Sleeps for that long by [`Clock::elapsed`].
    async fn sleep(&self, time: Duration);
    /// Sleeps for that long as the bound of something else that is awaited.
    ///
    /// A virtual clock that moves on by itself must not move on for this, or every bound would be reached.
    async fn limit(&self, time: Duration) {
        self.sleep(time).await;
    }
}

/// Waits for `future`, but at most for `limit`; `None` where the limit came first.
pub async fn within<F: Future>(clock: &dyn Clock, limit: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = clock.limit(limit) => None,
    }
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the machine's time")]
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the machine's time")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one clock that sleeps by the machine's time")]
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The source of random bytes for nonces, ids and jitter.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills the buffer.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the operating system gives no random bytes.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The random bytes of the operating system.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's randomness"
    )]
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer).map_err(|error| {
            Error::new(ErrorKind::State, "no_entropy", "the operating system gave no random bytes")
                .with_source(error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_and_http_dates_are_read_as_utc_and_written_back() {
        let time = Timestamp::parse_utc_civil("2026-11-22T17:08:40").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T17:08:40Z");
        assert_eq!(time.to_utc_civil(), "2026-11-22T17:08:40");
        assert_eq!(time.to_http_date(), "Sun, 22 Nov 2026 17:08:40 GMT");
        assert_eq!(Timestamp::parse_http_date("Sun, 22 Nov 2026 17:08:40 GMT").unwrap(), time);
        assert!(Timestamp::parse_utc_civil("yesterday").is_err());
    }

    #[test]
    fn since_is_never_negative() {
        let time = Timestamp::UNIX_EPOCH;
        let later = time.saturating_add(Duration::from_secs(5));
        assert_eq!(later.since(time), Duration::from_secs(5));
        assert_eq!(time.since(later), Duration::ZERO);
    }

    #[test]
    fn a_time_of_sql_is_read_back_or_refused() {
        let time = Timestamp::parse_utc_sql("2017-11-29 20:40:07").unwrap();
        assert_eq!(
            (time.to_string().as_str(), time.to_utc_sql().as_str()),
            ("2017-11-29T20:40:07Z", "2017-11-29 20:40:07")
        );
        for text in
            ["", "2017-11-29T20:40:07", "0000-00-00 00:00:00", "2017-11-29 20:40", "2017-11-29  20:40:07"]
        {
            assert!(Timestamp::parse_utc_sql(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_civil_time_is_read_as_it_is_written_or_not_at_all() {
        for (text, read) in [
            ("2026-11-22T17:08:40", "2026-11-22T17:08:40Z"),
            ("2026-11-22T17:08:40.120", "2026-11-22T17:08:40.12Z"),
            ("0000-01-01T00:00:00", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::parse_utc_civil(text).unwrap().to_string(), read);
        }
        for text in [
            "2026-11-22",
            "2026-11-22T17:08",
            "2026-11-22 17:08:40",
            "2026-11-22T17:08:40Z",
            "2026-11-22T17:08:40+05:00",
            "2026-11-22T17:08:40[Europe/Paris]",
            "2026-12-31T23:59:60",
            "2026-02-30T00:00:00",
            "2026-11-22T17:08:40,5",
            "2026-11-22T17:08:40.",
            "2026-11-22T17:08:40.1234567890",
            "20261122T170840",
        ] {
            assert!(Timestamp::parse_utc_civil(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_with_an_offset_is_read_with_all_its_digits_or_not_at_all() {
        for (text, read) in [
            ("2026-11-22T17:08:40Z", "2026-11-22T17:08:40Z"),
            ("2026-11-22T12:08:40-05:00", "2026-11-22T17:08:40Z"),
            ("2026-11-22T22:38:40.120+05:30", "2026-11-22T17:08:40.12Z"),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_string(), read);
        }
        for text in [
            "",
            "Z",
            "2026-11-22",
            "2026-11-22T17:08:40",
            "2026-11-22 17:08:40Z",
            "2026-11-22T17:08:40z",
            "2026-11-22T17:08:40-0500",
            "2026-11-22T17:08:40-05:00:01",
            "2026-11-22T17:08:40+99:00",
            "2026-11-22T17:08:40-05:00[America/New_York]",
            "2026-12-31T23:59:60Z",
            "2026-02-30T00:00:00Z",
            "\u{e9}\u{e9}:00",
        ] {
            assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
        }
    }
}
