//! Reading: pages out of lists, and records by their ids.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use super::config::Paging;
use super::connector::BigCommerce;
use super::wire::{self, Answered, MAX_PAGE, Position};
use crate::connector::{Detail, Page, PullRequest, Purpose, Select, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::model::{Entity, ExternalId, RawItems, Shape};

/// Where the records of a list stand.
pub(super) const DATA: Shape = Shape::ListAt(&["data"]);
/// The smallest page that a store in trouble is asked for.
const MIN_PAGE: u32 = 10;
/// The most further pages that a page names.
const MAX_AHEAD: u64 = 16;
/// The most products of a page that are read by id: each may come with 600 variants.
const IDS_A_PAGE: usize = 100;

impl BigCommerce {
    /// A page of all products, or of those that changed.
    pub(super) async fn products_page(&self, request: &PullRequest) -> Result<Page> {
        let position = match (&request.cursor, self.paging) {
            (Some(cursor), _) => Position::read(cursor)?,
            (None, Paging::ById) => Position::Behind(0),
            (None, Paging::ByNumber) => Position::Number { page: 1, last: 0 },
        };
        let (answered, limit) = self.listed(request, position).await?;
        let mut page = Page::default();
        answered.fill(&mut page);
        match position {
            Position::Behind(behind) => {
                if behind == 0 {
                    page.total = total(&answered);
                }
                page.next = self.behind(&answered, behind, request)?.map(Position::cursor);
                // Behind a filter by id, the platform counts what is left of the list.
                if page.next.is_none() && behind != 0 {
                    page.total = self.count_of_products(request).await?;
                }
            }
            Position::Number { page: number, last } => {
                self.number(&mut page, &answered, number, last, limit)?;
            }
            Position::Offset(_) => return Err(wire::unreadable_cursor()),
        }
        let names = match request.detail {
            Detail::IdsOnly => None,
            _ => Some(self.names_of(&answered.body, request).await?),
        };
        let body = self.with_metafields(answered.body, request, &mut page).await?;
        let items = RawItems::new(Entity::Product, body, DATA);
        page.items = vec![match names {
            Some(names) => items.named(names),
            None => items,
        }];
        Ok(page)
    }

    /// A page of the list of products. Whether what is included comes beside fields that are chosen is not known
    /// (2026-11-22): where it does not, the products are read whole.
    async fn listed(&self, request: &PullRequest, position: Position) -> Result<(Answered, u32)> {
        let call = |detail| move |limit| wire::products(&request.select, detail, position, limit);
        if request.detail != Detail::Unclocked {
            return self.answered_list(request, call(request.detail)).await;
        }
        if !self.lists_whole.load(Ordering::Relaxed) {
            match self.answered_list(request, call(Detail::Unclocked)).await {
                Ok((answered, _)) if wire::lacks_included(&answered.body) => {}
                Err(error) if error.kind() == ErrorKind::Rejected => {}
                answered => return answered,
            }
            self.lists_whole.store(true, Ordering::Relaxed);
        }
        self.answered_list(request, call(Detail::Full)).await
    }

    /// Where the list goes on behind a page: behind its last record.
    fn behind(&self, answered: &Answered, behind: u64, request: &PullRequest) -> Result<Option<Position>> {
        let (left, count) = (answered.pagination.total, answered.pagination.count);
        if left.zip(count).is_some_and(|(left, count)| left <= count) {
            return Ok(None);
        }
        let hint = match request.detail {
            Detail::IdsOnly => None,
            _ => wire::last_named_product(&answered.body).filter(|last| *last > behind),
        };
        let last = match hint {
            Some(last) => Some(last),
            None => answered.ids()?.iter().filter_map(|id| wire::whole(id.as_str())).max(),
        };
        match last {
            Some(last) if last > behind => Ok(Some(Position::Behind(last))),
            Some(_) => Err(stands_still()),
            None => Ok(None),
        }
    }

    async fn count_of_products(&self, request: &PullRequest) -> Result<Total> {
        let call = timed(wire::count_of_products(&request.select).lane(request.lane), request);
        Ok(total(&self.client.execute_with(call, wire::answered).await?))
    }

    /// Where a list by the numbers of pages goes on. It ends by what the platform says of it, and not by an empty page:
    /// behind its end such a list may give its last page again.
    pub(super) fn number(
        &self,
        page: &mut Page,
        answered: &Answered,
        number: u64,
        last: u64,
        limit: u32,
    ) -> Result<()> {
        page.total = total(answered);
        if let Some(pages) = pages(answered, limit) {
            let at = |page| Position::Number { page, last: 0 }.cursor();
            if number < pages {
                page.next = Some(at(number + 1));
                page.ahead =
                    (number + 2..=pages).take(usize::try_from(MAX_AHEAD).unwrap_or(0)).map(at).collect();
            }
        } else if let Some(last) = goes_on_behind(answered, last)? {
            page.next = Some(Position::Number { page: number + 1, last }.cursor());
        }
        Ok(())
    }

    /// A page of all categories or brands.
    pub(super) async fn taxons_page(&self, request: &PullRequest) -> Result<Page> {
        self.numbered_page(request, |page, limit| wire::taxons(request.entity, request.detail, page, limit))
            .await
    }

    /// A page of a list that is read by the numbers of pages.
    pub(super) async fn numbered_page(
        &self,
        request: &PullRequest,
        call: impl Fn(u64, u32) -> ApiRequest + Send,
    ) -> Result<Page> {
        let (number, last) = match request.cursor.as_ref().map(Position::read).transpose()? {
            None => (1, 0),
            Some(Position::Number { page, last }) => (page, last),
            Some(_) => return Err(wire::unreadable_cursor()),
        };
        // A page of another size would begin elsewhere, so these are not asked for by halves.
        let limit = page_size(request);
        let call = timed(call(number, limit).lane(request.lane), request);
        let answered = self.client.execute_with(call, wire::answered).await?;
        let mut page = Page::default();
        answered.fill(&mut page);
        self.number(&mut page, &answered, number, last, limit)?;
        page.items = vec![RawItems::new(request.entity, answered.body, DATA)];
        Ok(page)
    }

    /// Asks for a page of a list; one that the store cannot build, or that is too large to read, is asked for by
    /// halves. Gives the size that was answered, too.
    async fn answered_list(
        &self,
        request: &PullRequest,
        call: impl Fn(u32) -> ApiRequest + Send,
    ) -> Result<(Answered, u32)> {
        let mut limit = page_size(request);
        loop {
            let call = timed(call(limit).lane(request.lane), request);
            match self.client.execute_with(call, wire::answered).await {
                Err(error) if is_too_much(&error) && limit >= 2 * MIN_PAGE && self.paging == Paging::ById => {
                    limit /= 2;
                }
                answered => return answered.map(|answered| (answered, limit)),
            }
        }
    }

    /// Products by id: one by its own route, else by the list's filter.
    pub(super) async fn product_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, mut left) = asked(request, ids, IDS_A_PAGE)?;
        if let ([one], Detail::Full) = (left.as_slice(), request.detail) {
            let call = timed(self.with_room(wire::product(one), 1, request), request);
            match self.client.execute_with(call, wire::answered).await {
                Ok(answered) => {
                    answered.fill(&mut page);
                    let names = self.names_of(&answered.body, request).await?;
                    let body = wire::as_list(&answered.body)?;
                    let body = self.with_metafields(body, request, &mut page).await?;
                    page.items = vec![RawItems::new(Entity::Product, body, DATA).named(names)];
                }
                Err(error) if error.kind() == ErrorKind::NotFound => page.missing.push(one.clone()),
                Err(error) => return Err(error),
            }
            return Ok(page);
        }
        let call = |ids: &[ExternalId]| {
            let call = wire::products_by_id(ids, request.detail);
            timed(self.with_room(call, ids.len(), request), request)
        };
        for answered in self.all_of(&mut left, call).await? {
            answered.fill(&mut page);
            let names = self.names_of(&answered.body, request).await?;
            let body = self.with_metafields(answered.body, request, &mut page).await?;
            page.items.push(RawItems::new(Entity::Product, body, DATA).named(names));
        }
        page.missing.extend(left);
        Ok(page)
    }

    /// A read before a write waits until the quota has room for the write, too, and for each product's metafields where
    /// these are read: the write itself could not wait so long.
    fn with_room(&self, call: ApiRequest, products: usize, request: &PullRequest) -> ApiRequest {
        let call = call.lane(request.lane);
        let metafields =
            if self.namespaces.is_empty() { 0 } else { u32::try_from(products).unwrap_or(u32::MAX) };
        match request.purpose {
            Purpose::Guard => call.cost(wire::ROOM_TO_WRITE.saturating_add(metafields)),
            _ => call,
        }
    }

    /// Categories or brands by id.
    pub(super) async fn taxon_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, mut left) = asked(request, ids, IDS_A_PAGE)?;
        let call =
            |ids: &[ExternalId]| timed(wire::taxons_by_id(request.entity, ids).lane(request.lane), request);
        for answered in self.all_of(&mut left, call).await? {
            answered.fill(&mut page);
            page.items.push(RawItems::new(request.entity, answered.body, DATA));
        }
        page.missing.extend(left);
        Ok(page)
    }

    /// The answers to a question for ids, and leaves those that no answer has. A page may have fewer than were asked
    /// for: the rest is asked for again, until nothing new comes.
    pub(super) async fn all_of(
        &self,
        left: &mut Vec<ExternalId>,
        call: impl Fn(&[ExternalId]) -> ApiRequest + Send,
    ) -> Result<Vec<Answered>> {
        let mut answers = Vec::new();
        while !left.is_empty() {
            let answered = self.client.execute_with(call(left), wire::answered).await?;
            let (found, before) = (answered.ids()?, left.len());
            left.retain(|id| !found.contains(id));
            let is_cut = answered.pagination.total.is_none_or(|total| total > found.len() as u64);
            answers.push(answered);
            if left.len() == before || !is_cut {
                break;
            }
        }
        Ok(answers)
    }
}

/// How many records the list has, where the platform says it.
pub(super) fn total(answered: &Answered) -> Total {
    answered.pagination.total.map_or(Total::NotGiven, Total::Exact)
}

/// How many pages a list has, where the platform says it.
pub(super) fn pages(answered: &Answered, limit: u32) -> Option<u64> {
    answered.pagination.total_pages.or_else(|| {
        // A host that gives fewer than were asked for says how many.
        let per_page = answered.pagination.per_page.unwrap_or(u64::from(limit)).max(1);
        answered.pagination.total.map(|total| total.div_ceil(per_page))
    })
}

/// The id that a page ends with, where nobody says how many pages there are: such a list ends with nothing, or with
/// what came before.
pub(super) fn goes_on_behind(answered: &Answered, last: u64) -> Result<Option<u64>> {
    let end = answered.ids()?.last().and_then(|id| wire::whole(id.as_str()));
    Ok(end.filter(|end| ![0, last].contains(end)))
}

/// The records that a page should hold.
pub(super) fn page_size(request: &PullRequest) -> u32 {
    request.page_size.map_or(MAX_PAGE, NonZeroU32::get).clamp(1, MAX_PAGE)
}

/// Of the ids of a request, those of its page that can be asked for; the page holds the others as missing, and where
/// the next one begins.
pub(super) fn asked(
    request: &PullRequest,
    ids: &[ExternalId],
    most: usize,
) -> Result<(Page, Vec<ExternalId>)> {
    let from = usize::try_from(Position::offset(request.cursor.as_ref())?).unwrap_or(usize::MAX);
    let rest = ids.get(from..).unwrap_or_default();
    let asked = rest.get(..rest.len().min(most)).unwrap_or_default();
    let mut page = Page::default();
    if rest.len() > asked.len() {
        page.next = Some(Position::Offset((from + asked.len()) as u64).cursor());
    }
    let (known, unknown): (Vec<ExternalId>, Vec<ExternalId>) = asked.iter().cloned().partition(wire::is_id);
    page.missing = unknown;
    Ok((page, known))
}

/// Whether a smaller page may do: the store took too long, gave up, or the answer was over our own bound.
fn is_too_much(error: &Error) -> bool {
    let server =
        error.kind() == ErrorKind::Unavailable && error.context().iter().any(|(name, _)| *name == "status");
    server
        || error.kind() == ErrorKind::TooLarge
        || matches!(error.code(), "attempt_timeout" | "read_timeout")
}

fn stands_still() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "list_stands_still",
        "a list that was asked for behind an id gives what is before it, and says that more follow",
    )
    .with_remedy(
        "let whatever stands before the store's API look at the query; else read by numbers of pages",
    )
}

pub(super) fn timed(call: ApiRequest, request: &PullRequest) -> ApiRequest {
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

/// Whether a list of what changed is asked for.
pub(super) fn is_delta(request: &PullRequest) -> bool {
    matches!(request.select, Select::Since(_))
}
