//! What a pull of numbers says of their quality: counted as they are delivered, and told in the certificate.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::certificate::{Check, CheckOutcome, Rule};
use super::pull::{Proof, Work};
use crate::connector::Select;
use crate::model::performance::Tally;
use crate::model::{EntityCapabilities, Record};
use crate::time::{Day, Days, Timestamp};

/// The quality of the numbers of a range of days, in a certificate.
///
/// The verdict speaks of rows: every row that the platform showed was delivered. How far its numbers can be trusted is
/// said here, and on each record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Measured {
    /// The days that were asked for.
    pub days: Days,
    /// The day that it was at the store when the pull began; none where its time zone is not known.
    pub as_of: Option<Day>,
    /// The last day that is final: the platform restates it no more. None where no day is.
    pub final_until: Option<Day>,
    /// The day that the next range has to begin with, so that every day that was not final is read again.
    pub next_from: Option<Day>,
    /// The rows, counted by what is known of them.
    pub rows: Tally,
}

impl Measured {
    /// The part of the items that no product is known of, in percent of the rows that name an item.
    #[must_use]
    pub fn unmatched_percent(&self) -> Option<u64> {
        let named = self.rows.matched_items + self.rows.unmatched_items;
        (self.rows.unmatched_items * 100).checked_div(named)
    }

    /// What a pull of a range of days came to, by the claims on when a day is final.
    pub(super) fn new(
        days: Days,
        rows: Tally,
        began: Option<Timestamp>,
        zone: Option<&str>,
        claims: &EntityCapabilities,
    ) -> Self {
        let as_of = began.zip(zone).and_then(|(began, zone)| Day::at(began, zone).ok());
        let settles = claims.windows.map_or(0, |windows| windows.settles_after_days);
        // A day is final where it was read more than so many days later.
        let first_open = as_of.map(|today| today.saturating_sub(settles));
        let behind = days.last().saturating_add(1);
        Self {
            days,
            as_of,
            final_until: first_open
                .map(|open| open.saturating_sub(1).min(days.last()))
                .filter(|day| days.holds(*day)),
            next_from: first_open.map(|open| open.min(behind)),
            rows,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = &self.rows;
        write!(f, "  numbers of {}: {} rows", self.days, rows.rows)?;
        for (count, what) in [
            (rows.provisional, "not final"),
            (rows.sampled, "sampled"),
            (rows.thresholded, "subject to thresholds"),
            (rows.other_row, "beside an (other) row"),
            (rows.truncated, "of truncated data"),
            (rows.empty_filtered, "without those that have no key"),
            (rows.restricted, "with hidden numbers"),
            (rows.remainders, "of no one item or page"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(percent) = self.unmatched_percent() {
            write!(f, "; {percent} % of the item rows match no product")?;
        }
        if let Some(next) = self.next_from {
            write!(f, "; the next range begins at {next}")?;
        }
        writeln!(f)
    }
}

impl Work<'_> {
    pub(super) fn window(&self) -> Option<Days> {
        match &self.pull.select {
            Select::Window(days) => Some(*days),
            Select::All | Select::Since(_) | Select::Ids(_) => None,
        }
    }

    /// Counts a record of numbers, once a pass.
    pub(super) fn measure(&mut self, record: &Record) {
        if let Some(numbers) = record.performance() {
            self.checkpoint.measured.get_or_insert_with(Box::default).add(numbers);
        }
    }

    /// A range of days says nothing of other days, and a row that is not there any more was restated, not deleted:
    /// nothing is swept, and nothing is missing.
    pub(super) fn prove_window(
        &self,
        failed: bool,
        unseen: bool,
        checks: &mut Vec<Check>,
        proof: &mut Proof,
    ) {
        proof.unproven |= unseen && !failed;
        checks.push(Check::new(
            Rule::SweepAgrees,
            CheckOutcome::NotNeeded,
            "a range of days is read again as a whole, and never says that something is missing",
        ));
    }

    pub(super) fn measured(&self) -> Option<Measured> {
        let days = self.window()?;
        let rows = self.checkpoint.measured.as_deref().cloned().unwrap_or_default();
        let zone = self.pull.connector.info().profile.time_zone.as_deref();
        Some(Measured::new(days, rows, self.checkpoint.from, zone, self.capabilities))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::model::{Entity, WindowClaims};

    fn measured(days: &str, now: &str, zone: Option<&str>) -> Measured {
        let (first, last) = days.split_once("..").unwrap();
        let days = Days::new(first.parse().unwrap(), last.parse().unwrap()).unwrap();
        let mut claims = EntityCapabilities::new(Entity::Performance, NonZeroU32::MIN);
        claims.windows = Some(WindowClaims::new(366, 3));
        Measured::new(days, Tally::default(), Some(now.parse().unwrap()), zone, &claims)
    }

    #[test]
    fn the_next_range_begins_with_the_first_day_that_was_not_final() {
        let day = |text: &str| Some(text.parse::<Day>().unwrap());
        for (days, now, zone, last_final, next) in [
            ("2026-11-01..2026-11-21", "2026-11-22T12:00:00Z", "UTC", day("2026-11-18"), day("2026-11-19")),
            // The same instant is a day earlier at the store.
            (
                "2026-11-01..2026-11-20",
                "2026-11-22T03:00:00Z",
                "America/Los_Angeles",
                day("2026-11-17"),
                day("2026-11-18"),
            ),
            ("2026-11-21..2026-11-21", "2026-11-22T12:00:00Z", "UTC", None, day("2026-11-19")),
            ("2026-10-01..2026-10-31", "2026-11-22T12:00:00Z", "UTC", day("2026-10-31"), day("2026-11-01")),
        ] {
            let measured = measured(days, now, Some(zone));
            assert_eq!((measured.final_until, measured.next_from), (last_final, next), "{days} at {now}");
        }
        let blind = measured("2026-11-01..2026-11-21", "2026-11-22T12:00:00Z", None);
        assert_eq!((blind.as_of, blind.final_until, blind.next_from), (None, None, None));
    }

    #[test]
    fn it_says_how_good_the_numbers_are_in_words() {
        let mut measured = measured("2026-11-01..2026-11-21", "2026-11-22T12:00:00Z", Some("UTC"));
        measured.rows = Tally { rows: 10, provisional: 3, other_row: 10, ..Tally::default() };
        (measured.rows.matched_items, measured.rows.unmatched_items) = (3, 1);
        let text = measured.to_string();
        for part in ["10 rows, 3 not final, 10 beside an (other) row", "25 % of the item rows", "2026-11-19"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("sampled"), "{text}");
    }
}
