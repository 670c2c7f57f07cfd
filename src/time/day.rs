//! Days of a calendar, as a store counts them: in its own time zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::error::{Error, ErrorKind, Result};

/// A day of the calendar, without a time and without a zone. Its text form is `2026-11-22`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(jiff::civil::Date);

impl Day {
    /// Reads a day, as `2026-11-22` or as `20261122`.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the text is no such day.
    pub fn parse(text: &str) -> Result<Self> {
        let part = |from: usize, to: usize| -> Option<i16> {
            let digits = text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse().ok()
        };
        let dashed = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
        let (month, day) = if dashed { (5, 8) } else { (4, 6) };
        let read = || {
            let month = i8::try_from(part(month, month + 2)?).ok()?;
            let day = i8::try_from(part(day, day + 2)?).ok()?;
            jiff::civil::Date::new(part(0, 4)?, month, day).ok()
        };
        match read() {
            Some(date) if dashed || text.len() == 8 => Ok(Self(date)),
            _ => Err(unreadable("expected a day, such as 2026-11-22")),
        }
    }

    /// The day that it is at an instant in a time zone, by its IANA name such as `America/New_York`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where there is no such zone.
    pub fn at(now: Timestamp, zone: &str) -> Result<Self> {
        let zone = jiff::tz::TimeZone::get(zone).map_err(|_| zone_unknown())?;
        Ok(Self(now.0.to_zoned(zone).date()))
    }

    /// When the day begins in a time zone, by its IANA name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where there is no such zone.
    pub fn begins(self, zone: &str) -> Result<Timestamp> {
        self.0.in_tz(zone).map(|start| Timestamp(start.timestamp())).map_err(|_| zone_unknown())
    }

    /// The day that many days later, or the last one there is.
    #[must_use]
    pub fn saturating_add(self, days: u32) -> Self {
        Self(self.0.saturating_add(jiff::Span::new().days(days.min(4_000_000))))
    }

    /// The day that many days earlier, or the first one there is.
    #[must_use]
    pub fn saturating_sub(self, days: u32) -> Self {
        Self(self.0.saturating_sub(jiff::Span::new().days(days.min(4_000_000))))
    }

    /// How many days it is later than another one; negative where it is earlier.
    #[must_use]
    pub fn days_since(self, other: Self) -> i64 {
        // Without a larger unit asked for, a difference of dates comes in days.
        self.0.since(other.0).map_or(0, |span| i64::from(span.get_days()))
    }

    /// The day as `20261122`.
    #[must_use]
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Day {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

/// A range of days, both ends included. Its text form is `2026-11-20..2026-11-22`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Ends", into = "Ends")]
pub struct Days {
    first: Day,
    last: Day,
}

#[derive(Serialize, Deserialize)]
struct Ends {
    first: Day,
    last: Day,
}

impl Days {
    /// From one day to another.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] where the last one is before the first.
    pub fn new(first: Day, last: Day) -> Result<Self> {
        if last < first {
            return Err(Error::new(
                ErrorKind::Rejected,
                "days_reversed",
                "a range of days must not end before it begins",
            ));
        }
        Ok(Self { first, last })
    }

    /// So many days up to yesterday, as a store in that zone counts them: its today is not over.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where there is no such zone.
    pub fn until_yesterday(now: Timestamp, zone: &str, days: u32) -> Result<Self> {
        let last = Day::at(now, zone)?.saturating_sub(1);
        Ok(Self { first: last.saturating_sub(days.max(1) - 1), last })
    }

    /// The first day.
    #[must_use]
    pub fn first(self) -> Day {
        self.first
    }

    /// The last day.
    #[must_use]
    pub fn last(self) -> Day {
        self.last
    }

    /// How many days it has.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::try_from(self.last.days_since(self.first)).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Whether a day is one of them.
    #[must_use]
    pub fn holds(self, day: Day) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

impl TryFrom<Ends> for Days {
    type Error = Error;

    fn try_from(ends: Ends) -> Result<Self> {
        Self::new(ends.first, ends.last)
    }
}

impl From<Days> for Ends {
    fn from(days: Days) -> Self {
        Self { first: days.first, last: days.last }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

impl fmt::Debug for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn zone_unknown() -> Error {
    Error::new(ErrorKind::Config, "time_zone_unknown", "the time zone is not known here")
        .with_remedy("name it as the IANA database does, such as Europe/Vienna")
}

fn unreadable(expected: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, "day_unreadable", format!("unreadable day: {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn a_day_is_read_as_it_is_written_or_not_at_all() {
        assert_eq!(day("20261122"), day("2026-11-22"));
        assert_eq!(day("20261122").to_string(), "2026-11-22");
        assert_eq!(day("2026-11-22").compact(), "20261122");
        for text in ["", "2026", "2026-1-22", "2026/11/22", "20261322", "20260230", "(other)", "2026-11-2é"]
        {
            assert!(Day::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn yesterday_is_that_of_the_zone_and_not_that_of_utc() {
        let now = "2026-11-22T03:00:00Z".parse().unwrap();
        for (zone, today, yesterday) in [
            ("UTC", "2026-11-22", "2026-11-21"),
            ("America/Los_Angeles", "2026-11-21", "2026-11-20"),
            ("Pacific/Auckland", "2026-11-22", "2026-11-21"),
        ] {
            assert_eq!(Day::at(now, zone).unwrap(), day(today), "{zone}");
            let days = Days::until_yesterday(now, zone, 3).unwrap();
            assert_eq!((days.last(), days.count()), (day(yesterday), 3), "{zone}");
        }
        let late = "2026-11-22T11:30:00Z".parse().unwrap();
        assert_eq!(Day::at(late, "Pacific/Auckland").unwrap(), day("2026-11-23"));
        assert_eq!(
            day("2026-11-22").begins("America/Los_Angeles").unwrap().to_string(),
            "2026-11-22T08:00:00Z"
        );
        assert_eq!(Day::at(now, "Mars/Olympus").unwrap_err().code(), "time_zone_unknown");
    }

    #[test]
    fn days_count_over_months_and_years() {
        assert_eq!(day("2026-03-01").days_since(day("2026-02-27")), 2);
        assert_eq!(day("2026-01-01").days_since(day("2027-01-01")), -365);
        let days = Days::new(day("2025-12-30"), day("2026-01-02")).unwrap();
        assert_eq!(days.count(), 4);
        assert!(days.holds(day("2025-12-31")) && !days.holds(day("2026-01-03")));
        assert!(Days::new(day("2026-01-02"), day("2026-01-01")).is_err());
        let text = serde_json::to_string(&days).unwrap();
        assert_eq!(text, r#"{"first":"2025-12-30","last":"2026-01-02"}"#);
        assert_eq!(serde_json::from_str::<Days>(&text).unwrap(), days);
        assert!(serde_json::from_str::<Days>(r#"{"first":"2026-01-02","last":"2026-01-01"}"#).is_err());
    }
}
