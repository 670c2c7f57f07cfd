//! Reading: pages of a range of days, the items first, the pages behind them, and the landings last.
//!
//! The reports are one list: a position counts rows over all of them. A page begins with the last row of the one before,
//! and each answer says how many rows its report has, so that rows that came or went between two pages show.

use serde_json::json;

use super::connector::Ga4;
use super::discover::{MAX_DAYS, MAX_PAGE, post};
use super::report::{self, Report};
use super::rows::{self, Frame};
use crate::connector::{Joint, Page, PullRequest, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault};
use crate::model::performance::SubjectKind;
use crate::model::{Cursor, Entity, RawItems, Shape};
use crate::time::{Day, Days};

/// The positions that are named ahead.
const AHEAD: u64 = 4;
/// What a report may take: the platform computes it while we wait.
const READ_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
const ATTEMPT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(90);

/// A position: rows before it, and how many rows each report was said to have, in the order of their kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    at: u64,
    counts: [u64; 3],
}

impl Position {
    fn read(cursor: &Cursor) -> Result<Self> {
        let numbers: Option<Vec<u64>> = cursor.as_str().split('.').map(|part| part.parse().ok()).collect();
        let position = numbers.as_deref().and_then(|numbers| {
            let (at, counts) = numbers.split_first()?;
            Some(Self { at: *at, counts: counts.try_into().ok()? })
        });
        position.ok_or_else(|| {
            Error::new(ErrorKind::Rejected, "cursor_unreadable", "the position is none of ours")
        })
    }

    fn cursor(self) -> Cursor {
        let numbers = std::iter::once(self.at).chain(self.counts);
        Cursor::new(numbers.map(|number| number.to_string()).collect::<Vec<_>>().join("."))
    }

    /// The rows that the report on a kind was said to have.
    fn count(&mut self, kind: SubjectKind) -> &mut u64 {
        let [items, pages, landings] = &mut self.counts;
        match kind {
            SubjectKind::Item => items,
            SubjectKind::Page => pages,
            SubjectKind::SearchLanding => landings,
        }
    }

    fn total(self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// One report of a page: which, from which row on, and how many.
#[derive(Debug, Clone, Copy)]
struct Part {
    subject: SubjectKind,
    offset: u64,
    limit: u64,
    /// Whether its rows belong to the page, and it is not asked for its count alone.
    delivered: bool,
}

/// What one report answered.
struct Answered {
    part: Part,
    items: RawItems,
    rows: u64,
    count: u64,
}

impl Ga4 {
    /// A page of a range of days.
    pub(super) async fn window_page(&self, request: &PullRequest, days: Days) -> Result<Page> {
        let today = self.today()?;
        must_be_readable(days, today)?;
        let size = request.page_size.map_or(MAX_PAGE, |size| size.get().clamp(2, MAX_PAGE));
        let before = request.cursor.as_ref().map(Position::read).transpose()?;
        let parts = self.parts(before, u64::from(size));
        let (response, answers) = self.ask(request, days, today, &parts).await?;

        let mut page = Page::default();
        let mut now = before.unwrap_or_default();
        let mut delivered = 0;
        for answer in answers {
            let count = now.count(answer.part.subject);
            if before.is_some() && *count != answer.count {
                // Rows came or went: what is behind here is not what was in front of it.
                page.joint = Joint::Broken;
            }
            *count = answer.count;
            if answer.part.delivered {
                delivered += answer.rows;
                page.items.push(answer.items);
            }
        }
        let end = now.at.saturating_add(delivered);
        if end < now.total() {
            // Behind the last row that came, one row back; where too few came, from where they ended.
            let next = if delivered > 1 { end - 1 } else { end };
            let step = u64::from(size) - 1;
            let cursor = |at| Position { at, ..now }.cursor();
            page.next = Some(cursor(next));
            let ahead = (1..=AHEAD).map(|n| next + n * step).filter(|at| at + 1 < now.total());
            page.ahead = ahead.map(cursor).collect();
        }
        page.total = Total::Exact(now.total());
        page.server_time = response.server_time_before();
        page.took = response.took();
        Ok(page)
    }

    /// The day that it is at the property.
    pub(super) fn today(&self) -> Result<Day> {
        use crate::connector::Connector as _;
        let zone = self.info().profile.time_zone.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Config, "time_zone_missing", "the property's time zone is not known")
                .with_remedy("supply it in the profile, or let connecting read it")
        })?;
        Day::at(self.runtime.clock().now(), zone)
    }

    /// What is asked for a page: of the first one, how many rows the further reports have, too.
    fn parts(&self, before: Option<Position>, size: u64) -> Vec<Part> {
        let kinds = self.reads.kinds();
        let Some(mut position) = before else {
            let part = |(n, subject)| Part {
                subject,
                offset: 0,
                limit: if n == 0 { size } else { 1 },
                delivered: n == 0,
            };
            return kinds.enumerate().map(part).collect();
        };
        let last = kinds.last();
        let (mut offset, mut room) = (position.at, size);
        let mut parts = Vec::new();
        for subject in self.reads.kinds() {
            let count = *position.count(subject);
            // The last report may have grown.
            let limit = if Some(subject) == last { room } else { count.saturating_sub(offset).min(room) };
            if limit > 0 {
                parts.push(Part { subject, offset, limit, delivered: true });
            }
            (offset, room) = (offset.saturating_sub(count), room - limit);
        }
        parts
    }

    /// Asks for one report or a batch of several, and writes their rows with names.
    async fn ask(
        &self,
        request: &PullRequest,
        days: Days,
        today: Day,
        parts: &[Part],
    ) -> Result<(ApiResponse, Vec<Answered>)> {
        use crate::connector::Connector as _;
        let mut reports: Vec<Report> = Vec::with_capacity(parts.len());
        for part in parts {
            let report = report::of(part.subject, days, self.reads.skip_empty);
            let report = report.rows(part.offset, part.limit);
            report.check()?;
            reports.push(report);
        }
        let call = match reports.as_slice() {
            [one] => post(self.property, "runReport", one.body().to_string()),
            several => {
                let bodies: Vec<_> = several.iter().map(Report::body).collect();
                post(self.property, "batchRunReports", json!({ "requests": bodies }).to_string())
            }
        };
        let call = limited(call, request);
        let profile = &self.info().profile;
        let frame = |part: &Part| Frame {
            subject: part.subject,
            identities: &self.reads.identities,
            currency: profile.currency,
            time_zone: profile.time_zone.as_deref(),
            today,
            settles_after_days: self.reads.settles_after_days,
            skips_empty: self.reads.skip_empty,
            most: part.limit,
        };
        self.data
            .execute_with(call, |response| {
                let read = || {
                    let text =
                        std::str::from_utf8(response.body()).map_err(|_| rows::unreadable("not UTF-8"))?;
                    let texts = super::run::reports(text, parts.len())?;
                    let mut answers = Vec::with_capacity(parts.len());
                    for (part, text) in parts.iter().zip(texts) {
                        let envelope = rows::envelope(text)?;
                        let (body, rows) = rows::named(&envelope, frame(part))?;
                        let items = RawItems::new(Entity::Performance, body, Shape::List);
                        answers.push(Answered { part: *part, items, rows, count: envelope.row_count });
                    }
                    Ok(answers)
                };
                match read() {
                    Ok(answers) => Ok((response, answers)),
                    Err(error) => Err(BodyFault::Broken(error)),
                }
            })
            .await
    }
}

fn limited(call: ApiRequest, request: &PullRequest) -> ApiRequest {
    let call = call.lane(request.lane).attempt_limits(READ_TIMEOUT, ATTEMPT_TIMEOUT);
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

fn must_be_readable(days: Days, today: Day) -> Result<()> {
    if days.last() > today {
        return Err(Error::new(
            ErrorKind::Rejected,
            "window_in_future",
            format!("{days} was asked for, and it is {today} at the property"),
        )
        .with_remedy("end with yesterday, as the property's time zone has it"));
    }
    if days.count() > MAX_DAYS {
        return Err(Error::new(
            ErrorKind::Rejected,
            "window_too_long",
            format!("a range has at most {MAX_DAYS} days, got {}", days.count()),
        )
        .with_remedy("pull several ranges, each behind the other"));
    }
    Ok(())
}
