//! Reading: pages out of lists, and records by their ids.

use std::num::NonZeroU32;

use super::connector::WooCommerce;
use super::wire::{self, MAX_PAGE, Offset};
use crate::connector::{Detail, Page, PullRequest, Purpose, Total};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::http::ApiRequest;
use crate::model::{Entity, ExternalId, RawItems, Shape};

/// The smallest page that a store in trouble is asked for.
const MIN_PAGE: u32 = 10;
/// The most further pages that a page names.
const MAX_AHEAD: usize = 16;

impl WooCommerce {
    /// A page of a list: it begins with the last record of the one before, so that a shift shows.
    pub(super) async fn list_page(&self, request: &PullRequest) -> Result<Page> {
        let mut per_page = request.page_size.map_or(MAX_PAGE, NonZeroU32::get).clamp(2, MAX_PAGE);
        let offset = Offset::read(request.cursor.as_ref())?;
        let mut pauses = 0;
        let answered = loop {
            let call = wire::list(request.entity, &request.select, request.detail, offset, per_page)
                .lane(request.lane);
            let answered =
                self.client.execute_with(timed(call, request), |answer| wire::answered(answer, b'[')).await;
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
                answered => break answered?,
            }
        };
        let (is_last, step) = match answered.total {
            Some(total) => (offset.0.saturating_add(u64::from(per_page)) >= total, u64::from(per_page - 1)),
            // A host that strips the count. A short page need not be the last one, since plugins cap pages and
            // drop records: the list ends where nothing stands behind the overlap.
            None => {
                let count = wire::ids(&answered.body)?.len() as u64;
                (count <= 1, count.saturating_sub(1).max(1))
            }
        };
        let mut page = Page::default();
        if !is_last {
            let offsets = (1..).map(|n: u64| offset.0.saturating_add(n * step));
            let known = answered.total.unwrap_or(0);
            // Page n+1 exists where its overlap is not the list's last record.
            let mut cursors = offsets
                .take(MAX_AHEAD + 1)
                .enumerate()
                .take_while(|(n, offset)| *n == 0 || offset.saturating_add(1) < known)
                .map(|(_, offset)| Offset(offset).cursor());
            page.next = cursors.next();
            page.ahead = cursors.collect();
        }
        page.total = answered.total.map_or(Total::NotGiven, Total::Exact);
        page.server_time = answered.server_time;
        page.took = answered.took;
        page.degraded = answered.degraded.into_iter().collect();
        page.items = vec![RawItems::new(request.entity, answered.body, Shape::List)];
        Ok(page)
    }

    /// Records by id: one product by its own route, else by the list's id filter, a hundred at a time.
    pub(super) async fn ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let from = usize::try_from(Offset::read(request.cursor.as_ref())?.0).unwrap_or(usize::MAX);
        let rest = ids.get(from..).unwrap_or_default();
        let asked = rest.get(..rest.len().min(MAX_PAGE as usize)).unwrap_or_default();
        let mut page = Page::default();
        if rest.len() > asked.len() {
            page.next = Some(Offset((from + asked.len()) as u64).cursor());
        }
        let (known, unknown): (Vec<ExternalId>, Vec<ExternalId>) =
            asked.iter().cloned().partition(wire::is_id);
        page.missing = unknown;
        let nonce = self.nonce(request.purpose)?;
        match (known.as_slice(), request.entity) {
            ([], _) => {}
            ([one], Entity::Product) if request.detail == Detail::Full => {
                let call = timed(wire::product(one, request.purpose, &nonce).lane(request.lane), request);
                match self.client.execute_with(call, |answer| wire::answered(answer, b'{')).await {
                    Ok(answered) => {
                        page.server_time = answered.server_time;
                        page.took = answered.took;
                        page.degraded = answered.degraded.into_iter().collect();
                        page.items = vec![RawItems::new(request.entity, answered.body, Shape::One)];
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => page.missing.push(one.clone()),
                    Err(error) => return Err(error),
                }
            }
            (known, _) => {
                let call = wire::by_ids(request.entity, known, request.detail, request.purpose, &nonce);
                let call = timed(call.lane(request.lane), request);
                let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await?;
                let found = wire::ids(&answered.body)?;
                page.missing.extend(known.iter().filter(|id| !found.contains(id)).cloned());
                page.server_time = answered.server_time;
                page.took = answered.took;
                page.degraded = answered.degraded.into_iter().collect();
                page.items = vec![RawItems::new(request.entity, answered.body, Shape::List)];
            }
        }
        Ok(page)
    }

    fn nonce(&self, purpose: Purpose) -> Result<String> {
        if purpose == Purpose::Catalogue {
            return Ok(String::new());
        }
        let mut bytes = [0; 8];
        self.runtime.entropy().fill(&mut bytes)?;
        Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
    }
}

/// Whether the store may manage a smaller page: it took too long, or gave up.
fn is_too_much(error: &Error) -> bool {
    let server =
        error.kind() == ErrorKind::Unavailable && error.context().iter().any(|(name, _)| *name == "status");
    server || matches!(error.code(), "attempt_timeout" | "read_timeout")
}

fn timed(call: ApiRequest, request: &PullRequest) -> ApiRequest {
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}
