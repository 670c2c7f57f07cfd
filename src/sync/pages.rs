//! The pages of a list: fetched ahead, mapped, delivered in order.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use twox_hash::XxHash3_64;

use super::Cancel;
use super::pull::{Pull, number};
use crate::connector::{Page, PullRequest, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::MappedPage;
use crate::model::{Cursor, Record};

/// How often a page that is not the JSON that was asked for is fetched again.
const REFETCHES: u32 = 2;
/// The most pages of one list: past it, a list is taken for endless.
const MAX_PAGES: u64 = 1_000_000;
/// So many pages in a row without a new id, and more to come, are a list that stands still. A single one may be
/// due to a hundred records that came before it just now.
const STANDING_PAGES: u32 = 3;

/// A page that was read and mapped.
pub(super) struct ReadPage {
    pub(super) page: Page,
    pub(super) mapped: Vec<MappedPage>,
    /// Where the next one begins.
    pub(super) next: Option<Cursor>,
}

impl ReadPage {
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.mapped.iter().flat_map(|mapped| &mapped.records)
    }
}

type Fetch<'p> = std::pin::Pin<Box<dyn Future<Output = Result<Page>> + Send + 'p>>;

/// The pages of a request in order, with as many in flight as the platform lets be known ahead.
pub(super) struct Pages<'p> {
    pull: &'p Pull,
    request: PullRequest,
    started: bool,
    /// The cursors of what is in flight, oldest first.
    fetching: VecDeque<Option<Cursor>>,
    flight: FuturesOrdered<Fetch<'p>>,
    /// Cursors that are known, behind those in flight.
    known: VecDeque<Cursor>,
    /// Hashes of all cursors that were delivered: none may come twice.
    used: HashSet<u64>,
    count: u64,
    /// The largest id that came, where the list is promised by ascending id.
    largest: Option<u64>,
    /// How many pages in a row brought no larger one.
    standing: u32,
}

impl<'p> Pages<'p> {
    pub(super) fn new(pull: &'p Pull, request: PullRequest) -> Self {
        Self {
            pull,
            request: PullRequest { page_size: pull.page_size, ..request },
            started: false,
            fetching: VecDeque::new(),
            flight: FuturesOrdered::new(),
            known: VecDeque::new(),
            used: HashSet::new(),
            count: 0,
            largest: None,
            standing: 0,
        }
    }

    fn fetch(&mut self, cursor: Option<Cursor>) {
        let request = self.request.at(cursor.clone());
        let connector = Arc::clone(&self.pull.connector);
        self.fetching.push_back(cursor);
        self.flight.push_back(Box::pin(async move { connector.pull_page(&request).await }));
    }

    /// The next page, mapped, with the cursor behind it. One that is not the JSON that was asked for is fetched
    /// again before anything moves.
    pub(super) async fn next(&mut self, cancel: &Cancel) -> Result<Option<ReadPage>> {
        if !self.started {
            self.started = true;
            self.fetch(self.request.cursor.clone());
        }
        if self.fetching.is_empty() {
            return Ok(None);
        }
        let page = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancel.error()),
            page = self.flight.next() => page,
        };
        let Some(page) = page else { return Ok(None) };
        let cursor = self.fetching.pop_front().flatten();
        let mut read = page.and_then(|page| self.pull.map(page));
        for _ in 0..REFETCHES {
            if !read.as_ref().is_err_and(|error| error.code() == "answer_unreadable") {
                break;
            }
            let request = self.request.at(cursor.clone());
            let page = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(cancel.error()),
                page = self.pull.connector.pull_page(&request) => page,
            };
            read = page.and_then(|page| self.pull.map(page));
        }
        let (page, mapped) = read?;
        self.count += 1;
        let hash = |cursor: &Cursor| XxHash3_64::oneshot(cursor.as_str().as_bytes());
        if let Some(cursor) = &cursor {
            self.used.insert(hash(cursor));
        }
        let next = page.next.clone();
        if let Some(next) = &next
            && (self.used.contains(&hash(next)) || self.count > MAX_PAGES)
        {
            return Err(Error::new(
                ErrorKind::Protocol,
                "cursor_repeated",
                "a list gave the same position twice",
            )
            .with_remedy("report it: the list would never end"));
        }
        self.must_move(next.is_some(), &mapped)?;
        self.follow(next.as_ref(), &page.ahead);
        Ok(Some(ReadPage { page, mapped, next }))
    }

    /// Refuses a list that gives the same records at each position: a cache that does not look at the query
    /// answers page after page without an end.
    fn must_move(&mut self, goes_on: bool, mapped: &[MappedPage]) -> Result<()> {
        let is_by_id =
            self.pull.capabilities().is_ok_and(|claims| claims.sorted_by_id && claims.pages_overlap);
        if !is_by_id || matches!(self.request.select, Select::Ids(_)) {
            return Ok(());
        }
        let records = mapped.iter().flat_map(|mapped| &mapped.records).map(|record| &record.reference().id);
        let rejected = mapped.iter().flat_map(|mapped| &mapped.rejected).filter_map(|it| it.id.as_ref());
        let Some(largest) = records.chain(rejected).map(number).max() else { return Ok(()) };
        if self.largest.is_none_or(|before| before < largest) {
            (self.largest, self.standing) = (Some(largest), 0);
            return Ok(());
        }
        self.standing += 1;
        if !goes_on || self.standing < STANDING_PAGES {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Protocol,
            "list_stands_still",
            "a list gives the same records at each position, and says that more follow",
        )
        .with_remedy("let the cache before the store's API look at the query, or keep the API out of it"))
    }

    /// Keeps what is in flight where it is what comes next; else drops it.
    fn follow(&mut self, next: Option<&Cursor>, ahead: &[Cursor]) {
        let Some(next) = next else {
            self.drop_flight();
            return;
        };
        let expected = self.fetching.front().map(Option::as_ref).or_else(|| self.known.front().map(Some));
        if expected.is_some_and(|cursor| cursor != Some(next)) {
            self.drop_flight();
        }
        if self.fetching.is_empty() && self.known.is_empty() {
            self.known.push_back(next.clone());
        }
        // `ahead` begins behind `next`: skip what is known already, and add the rest.
        let mut rest = ahead.iter().peekable();
        let behind = |cursor: &Cursor, pages: &Self| {
            cursor == next
                || pages.fetching.iter().any(|known| known.as_ref() == Some(cursor))
                || pages.known.contains(cursor)
        };
        while rest.next_if(|cursor| behind(cursor, self)).is_some() {}
        self.known.extend(rest.take(self.pull.in_flight.get()).cloned());
        while self.fetching.len() < self.pull.in_flight.get() {
            let Some(cursor) = self.known.pop_front() else { break };
            self.fetch(Some(cursor));
        }
    }

    fn drop_flight(&mut self) {
        self.fetching.clear();
        self.flight = FuturesOrdered::new();
        self.known.clear();
    }
}
