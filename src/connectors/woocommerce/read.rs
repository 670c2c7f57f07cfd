//! Reading: pages out of lists, and records by their ids.

use std::num::NonZeroU32;

use super::connector::WooCommerce;
use super::variations::SHOWN;
use super::wire::{self, Answered, MAX_PAGE, Offset};
use crate::connector::{Detail, Page, PullRequest, Purpose, Select, Total};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::http::ApiRequest;
use crate::model::{Entity, ExternalId, RawItems, Shape};

/// The smallest page that a store in trouble is asked for.
const MIN_PAGE: u32 = 10;
/// The most further pages that a page names.
pub(super) const MAX_AHEAD: usize = 16;

impl WooCommerce {
    /// A page of a list: it begins with the last record of the one before, so that a shift shows.
    pub(super) async fn list_page(&self, request: &PullRequest) -> Result<Page> {
        let offset = Offset::read(request.cursor.as_ref())?;
        let (answered, per_page) = self
            .answered_list(request, page_size(request), |per_page| {
                wire::list(request.entity, &request.select, request.detail, offset, per_page)
            })
            .await?;
        let mut page = Page::default();
        if let Some((next, step)) = next_offset(&answered, offset, per_page, request)? {
            let known = answered.total.unwrap_or(0);
            // Page n+1 exists where its overlap is not the list's last record.
            let mut cursors = (0..)
                .map(|n: u64| next.saturating_add(n * step))
                .take(MAX_AHEAD + 1)
                .enumerate()
                .take_while(|(n, offset)| *n == 0 || offset.saturating_add(1) < known)
                .map(|(_, offset)| Offset(offset).cursor());
            page.next = cursors.next();
            page.ahead = cursors.collect();
        }
        page.total = answered.total.map_or(Total::NotGiven, Total::Exact);
        fill(&mut page, &answered);
        let items = RawItems::new(request.entity, answered.body, Shape::List);
        page.items = vec![if request.entity == Entity::Variant { items.shown(SHOWN) } else { items }];
        Ok(page)
    }

    /// Asks for a page of a list; one that the store cannot build is asked for by halves. Gives the size that
    /// was answered, too.
    pub(super) async fn answered_list(
        &self,
        request: &PullRequest,
        mut per_page: u32,
        call: impl Fn(u32) -> ApiRequest + Send,
    ) -> Result<(Answered, u32)> {
        let mut pauses = 0;
        loop {
            let call = timed(call(per_page).lane(request.lane), request);
            let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await;
            match answered {
                // A page that the store cannot build in its time or memory: half of it may do.
                Err(error) if is_too_much(&error) && per_page >= 2 * MIN_PAGE => {
                    per_page /= 2;
                    pauses += 1;
                }
                // The pages that were too large have opened the breaker.
                Err(error) if error.kind() == ErrorKind::CircuitOpen && pauses > 0 => {
                    pauses -= 1;
                    let Retry::After(wait) = error.retry() else { return Err(error) };
                    self.runtime.clock().sleep(wait).await;
                }
                answered => return answered.map(|answered| (answered, per_page)),
            }
        }
    }

    /// Records by id: one product by its own route, else by the list's id filter, a hundred at a time.
    pub(super) async fn ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, known) = asked(request, ids, MAX_PAGE as usize)?;
        let nonce = self.nonce(request.purpose)?;
        match (known.as_slice(), request.entity) {
            ([], _) => {}
            ([one], Entity::Product) if request.detail == Detail::Full => {
                let call = timed(wire::product(one, request.purpose, &nonce).lane(request.lane), request);
                match self.client.execute_with(call, |answer| wire::answered(answer, b'{')).await {
                    Ok(answered) => {
                        fill(&mut page, &answered);
                        page.items = vec![RawItems::new(request.entity, answered.body, Shape::One)];
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => page.missing.push(one.clone()),
                    Err(error) => return Err(error),
                }
            }
            (known, entity) => {
                let missing = self
                    .found_in_list(request, known, &mut page, |ids| {
                        wire::by_ids(entity, ids, request.detail, request.purpose, &nonce)
                    })
                    .await?;
                page.missing.extend(missing);
            }
        }
        Ok(page)
    }

    /// Reads ids out of a list by its filter, and gives those that are not there. A host that caps pages answers
    /// a part: the rest is asked for again.
    pub(super) async fn found_in_list(
        &self,
        request: &PullRequest,
        ids: &[ExternalId],
        page: &mut Page,
        call: impl Fn(&[ExternalId]) -> ApiRequest + Send,
    ) -> Result<Vec<ExternalId>> {
        let mut left = ids.to_vec();
        while !left.is_empty() {
            let call = timed(call(&left).lane(request.lane), request);
            let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await?;
            let found = wire::ids(&answered.body)?;
            let before = left.len();
            left.retain(|id| !found.contains(id));
            fill(page, &answered);
            let is_cut = answered.total.is_none_or(|total| total > found.len() as u64);
            page.items.push(RawItems::new(request.entity, answered.body, Shape::List));
            if left.len() == before || !is_cut {
                break;
            }
        }
        Ok(left)
    }

    pub(super) fn nonce(&self, purpose: Purpose) -> Result<String> {
        if purpose == Purpose::Catalogue {
            return Ok(String::new());
        }
        let mut bytes = [0; 8];
        self.runtime.entropy().fill(&mut bytes)?;
        Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
    }
}

/// The records that a page should hold.
pub(super) fn page_size(request: &PullRequest) -> u32 {
    request.page_size.map_or(MAX_PAGE, NonZeroU32::get).clamp(2, MAX_PAGE)
}

/// Where the next page begins and how far pages are apart, where there is one: it shares a record with this one.
///
/// A page of a full list with a count is looked into only where it would be the last one, since each look costs a
/// pass over its bytes: what a host or plugin cut from another one shows in the overlap, and a sweep mends it.
/// Nothing mends a delta, so each of its pages is counted.
pub(super) fn next_offset(
    answered: &Answered,
    offset: Offset,
    per_page: u32,
    request: &PullRequest,
) -> Result<Option<(u64, u64)>> {
    let per_page = u64::from(per_page);
    if let Some(total) = answered.total
        && (request.detail, &request.select) == (Detail::Full, &Select::All)
        && offset.0.saturating_add(per_page) < total
    {
        let step = per_page - 1;
        return Ok(Some((offset.0.saturating_add(step), step)));
    }
    let count = wire::count(&answered.body)?;
    let is_last = match answered.total {
        Some(total) => count <= 1 || offset.0.saturating_add(count) >= total,
        // A host that strips the count. A short page need not be the last one, since plugins cap pages and drop
        // records: the list ends where nothing stands behind the overlap.
        None => count <= 1,
    };
    let step = count.saturating_sub(1).max(1);
    Ok((!is_last).then_some((offset.0.saturating_add(step), step)))
}

/// Of the ids of a request, those of its page that can be asked for; the page holds the others as missing, and
/// where the next one begins.
pub(super) fn asked(
    request: &PullRequest,
    ids: &[ExternalId],
    most: usize,
) -> Result<(Page, Vec<ExternalId>)> {
    let from = usize::try_from(Offset::read(request.cursor.as_ref())?.0).unwrap_or(usize::MAX);
    let rest = ids.get(from..).unwrap_or_default();
    let asked = rest.get(..rest.len().min(most)).unwrap_or_default();
    let mut page = Page::default();
    if rest.len() > asked.len() {
        page.next = Some(Offset((from + asked.len()) as u64).cursor());
    }
    let (known, unknown): (Vec<ExternalId>, Vec<ExternalId>) = asked.iter().cloned().partition(wire::is_id);
    page.missing = unknown;
    Ok((page, known))
}

/// Takes over what an answer says beside its records. Of several answers, the first one's time counts: nothing
/// of the page was read before it.
pub(super) fn fill(page: &mut Page, answered: &Answered) {
    if page.server_time.is_none() {
        page.server_time = answered.server_time;
    }
    page.took = page.took.saturating_add(answered.took);
    page.degraded.extend(answered.degraded);
}

/// Whether the store may manage a smaller page: it took too long, or gave up.
fn is_too_much(error: &Error) -> bool {
    let server =
        error.kind() == ErrorKind::Unavailable && error.context().iter().any(|(name, _)| *name == "status");
    server || matches!(error.code(), "attempt_timeout" | "read_timeout")
}

pub(super) fn timed(call: ApiRequest, request: &PullRequest) -> ApiRequest {
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}
