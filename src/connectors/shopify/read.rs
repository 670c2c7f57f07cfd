//! Reading: pages out of lists, and records by their ids.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Answered};
use super::connector::Shopify;
use super::lists::{self, List};
use super::nested::{going_on, moved};
use super::wire::{self, MAX_PAGE, Order, Position};
use crate::connector::{Detail, Page, PullRequest, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::{Document, PageInfo};
use crate::http::ApiRequest;
use crate::model::{Entity, ExternalId, RawItems, Shape};

/// The most points that one query may be asked for, whatever the plan (2026-11-22).
pub(super) const MAX_COST: u32 = 1000;
/// The part of it that pages are made for: what a page is asked for is measured, not known.
const AIM: f64 = 950.0;
/// The records that a page of products is taken to hold before one was seen.
const DEFAULT_PAGE: u32 = 20;

/// How often a page at which the store failed is asked for by fewer records.
const SMALLER_PAGES: u32 = 2;

/// What pages of a list were seen to cost, and so how many records the next one may hold.
#[derive(Debug, Default)]
pub(super) struct PageSizes(Mutex<Sizes>);

#[derive(Debug, Default)]
struct Sizes {
    seen: HashMap<(Entity, Detail), Seen>,
    /// The most records of a page, where one of more was refused as too costly.
    most: HashMap<(Entity, Detail), u32>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The points that a page was asked for, by record.
    per_record: f64,
    /// The records that the next page may hold.
    first: u32,
}

impl PageSizes {
    fn seen(&self, key: (Entity, Detail)) -> Option<Seen> {
        self.sizes().seen.get(&key).copied()
    }

    fn sizes(&self) -> MutexGuard<'_, Sizes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most records of a page, as far as one was refused.
    fn most(&self, key: (Entity, Detail)) -> u32 {
        self.sizes().most.get(&key).copied().unwrap_or(MAX_PAGE)
    }

    /// A page of so many records was too costly, so no later one has more than half of it. Gives the half.
    fn refused(&self, key: (Entity, Detail), first: u32) -> u32 {
        let half = (first / 2).max(1);
        let mut sizes = self.sizes();
        let most = sizes.most.entry(key).or_insert(half);
        *most = half.min(*most);
        half
    }

    /// The records of a page and the points of each, as far as they were seen.
    pub(super) fn predicted(&self, entity: Entity, points: f64) -> (u32, f64) {
        match self.seen((entity, Detail::Full)) {
            Some(seen) => (seen.first.max(1), seen.per_record),
            None => (DEFAULT_PAGE, points),
        }
    }

    /// Takes over what a page of so many records was asked for. Pages grow by doubling at most.
    fn learn(&self, key: (Entity, Detail), first: u32, requested: f64) {
        if !(requested.is_finite() && requested > 0.0 && requested < 1e6) {
            return;
        }
        let per_record = requested / f64::from(first);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 250")]
        let fits = (AIM / per_record).clamp(1.0, f64::from(MAX_PAGE)) as u32;
        let mut sizes = self.sizes();
        let most = sizes.most.get(&key).copied().unwrap_or(MAX_PAGE);
        let first = fits.min(first.saturating_mul(2)).min(most);
        sizes.seen.insert(key, Seen { per_record, first });
    }
}

#[derive(Debug, Deserialize)]
struct Count {
    count: u64,
    precision: String,
}

/// Whether fewer records may do: by the platform's word, or by what is known of its budget.
pub(super) fn is_too_costly(error: &Error) -> bool {
    matches!(error.code(), "query_too_costly" | "cost_over_maximum" | "cost_over_cap")
}

impl Shopify {
    /// A page of a list. Before the platform's lists end without a word, a list is begun anew behind its last
    /// record.
    pub(super) async fn list_page(&self, request: &PullRequest) -> Result<Page> {
        let position = Position::read(request.cursor.as_ref())?;
        // In another language, the shop's own list gives the ids, and what is translated is read by them.
        let detail = if self.language.is_some() { Detail::IdsOnly } else { request.detail };
        let list = List::of(request.entity, detail);
        let mut page = Page::default();
        if request.cursor.is_none() {
            page.total = self.count(request).await?;
        }
        let (answered, first) = self.answered_list(&list, &position, request).await?;
        let asked = self.runtime.clock().elapsed().saturating_sub(answered.took());
        let info = answered.page_info(list.connection)?;
        // The page's own connection counts among those that say that they go on.
        let goes_on = usize::from(info.has_next_page);
        page.next = self.behind(&list, &position, request, &answered, info, first)?.map(|it| it.cursor());
        if page.next.is_none() && request.cursor.is_some() {
            page.total = self.count(request).await?;
        }
        answered.fill(&mut page);
        if let (Some(language), Detail::Full) = (&self.language, request.detail) {
            let ids: Vec<ExternalId> = wire::ids(&answered.body, list.nodes)?.into_iter().flatten().collect();
            self.fill_translated(language, request, &ids, &mut page).await?;
            return Ok(page);
        }
        page.items = if list.is_nested() && going_on(&answered.body) > goes_on {
            // One that is gone by now is none of the list's records.
            let (items, _) = self.whole(request, &answered.body, list.nodes).await?;
            page.took = self.runtime.clock().elapsed().saturating_sub(asked);
            vec![items]
        } else {
            vec![RawItems::new(request.entity, answered.body, Shape::ListAt(list.nodes))]
        };
        Ok(page)
    }

    /// Where the list goes on behind a page.
    fn behind(
        &self,
        list: &List,
        position: &Position,
        request: &PullRequest,
        answered: &Answered,
        info: PageInfo,
        first: u32,
    ) -> Result<Option<Position>> {
        let Some(after) = moved(info, position.after.as_deref())? else { return Ok(None) };
        let seen = position.seen.saturating_add(u64::from(first));
        if seen.saturating_add(u64::from(first)) <= self.list_window {
            return Ok(Some(Position { behind: position.behind, seen, after: Some(after) }));
        }
        let behind = match list.order(&request.select) {
            Order::Id => {
                let ids = wire::ids(&answered.body, list.nodes)?;
                let last = ids.into_iter().flatten().next_back();
                last.and_then(|id| id.as_str().parse().ok())
            }
            Order::Time => wire::last_change(&answered.body, list.nodes)?,
        };
        match behind {
            Some(behind) if behind > position.behind => Ok(Some(Position { behind, seen: 0, after: None })),
            // More records than a window holds changed in one second: the platform's own cursor has to do.
            _ => Ok(Some(Position { behind: position.behind, seen, after: Some(after) })),
        }
    }

    /// Asks for a page; one that is too costly is asked for by fewer records. Gives how many it was asked for.
    async fn answered_list(
        &self,
        list: &List,
        position: &Position,
        request: &PullRequest,
    ) -> Result<(Answered, u32)> {
        let key = (request.entity, request.detail);
        let wanted = request.page_size.map_or(MAX_PAGE, NonZeroU32::get).clamp(1, self.sizes.most(key));
        let seen = self.sizes.seen(key);
        let mut first = seen.map_or(wanted, |seen| seen.first.min(wanted));
        let mut failed = 0;
        loop {
            let variables = list.page(&request.select, position, first)?;
            let mut call = self.call(list.document, &variables, request)?;
            match seen {
                Some(seen) => {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
                    let cost = (seen.per_record * f64::from(first)).ceil().clamp(1.0, 1e6) as u32;
                    call = call.cost(cost);
                }
                None if call.cost > MAX_COST && first > 1 => {
                    let fits = u64::from(first) * u64::from(MAX_COST) / u64::from(call.cost);
                    first = u32::try_from(fits).unwrap_or(first).clamp(1, first - 1);
                    continue;
                }
                None => {}
            }
            match client::answered(&self.client, self.version, call).await {
                Err(error) if is_too_costly(&error) && first > 1 => {
                    first = self.sizes.refused(key, first);
                }
                // The platform fails at queries that are too heavy for it, too.
                Err(error) if error.code() == "store_failed" && first > 1 && failed < SMALLER_PAGES => {
                    failed += 1;
                    first = (first / 4).max(1);
                }
                answered => {
                    let answered = answered?;
                    if let Some(requested) = answered.requested {
                        self.sizes.learn(key, first, requested);
                    }
                    return Ok((answered, first));
                }
            }
        }
    }

    /// How many records the list has.
    pub(super) async fn count(&self, request: &PullRequest) -> Result<Total> {
        let (document, root) = lists::counted(request.entity);
        let filter = wire::filter(&request.select, Order::Id, 0)?;
        let call = self.call(document, &json!({ "filter": filter }), request)?;
        // A count is a check and not the list: a store that gives none is swept.
        let count: Option<Count> = match client::member(&self.client, call, &[root]).await {
            Err(error) if matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Forbidden) => None,
            count => count?,
        };
        Ok(match count {
            Some(Count { count, precision }) if precision == "EXACT" => Total::Exact(count),
            Some(Count { count, .. }) => Total::AtLeast(count),
            None => Total::NotGiven,
        })
    }

    /// Records by their ids: as many a call as one query may cost.
    pub(super) async fn ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        const NODES: &[&str] = &["data", "nodes"];
        let from = usize::try_from(Position::read(request.cursor.as_ref())?.seen).unwrap_or(usize::MAX);
        let rest = ids.get(from..).unwrap_or_default();
        let mut asked = rest.len().min(MAX_PAGE as usize);
        let mut page = Page::default();
        let (answered, known) = loop {
            let some = rest.get(..asked).unwrap_or_default();
            let (known, unknown): (Vec<&ExternalId>, Vec<&ExternalId>) =
                some.iter().partition(|id| wire::is_id(id));
            page.missing = unknown.into_iter().cloned().collect();
            if known.is_empty() {
                break (None, known);
            }
            let gids: Vec<String> = known.iter().map(|id| wire::gid(request.entity, id.as_str())).collect();
            let (document, variables) = lists::by_ids(request.entity, &gids);
            let call = self.call(document, &variables, request)?;
            if call.cost > MAX_COST && asked > 1 {
                let fits = asked as u64 * u64::from(MAX_COST) / u64::from(call.cost);
                asked = usize::try_from(fits).unwrap_or(asked).clamp(1, asked - 1);
                continue;
            }
            match client::answered(&self.client, self.version, call).await {
                Err(error) if is_too_costly(&error) && asked > 1 => asked /= 2,
                answered => break (Some(answered?), known),
            }
        };
        if rest.len() > asked {
            let seen = (from + asked) as u64;
            page.next = Some(Position { seen, ..Position::default() }.cursor());
        }
        let Some(answered) = answered else { return Ok(page) };
        let found = wire::ids(&answered.body, NODES)?;
        if found.len() != known.len() {
            return Err(wire::unreadable());
        }
        for (asked, found) in known.into_iter().zip(&found) {
            match found {
                Some(found) if found == asked => {}
                Some(_) => return Err(wire::unreadable()),
                None => page.missing.push(asked.clone()),
            }
        }
        answered.fill(&mut page);
        let began = self.runtime.clock().elapsed().saturating_sub(answered.took());
        page.items = if request.entity != Entity::Category && going_on(&answered.body) > 0 {
            let (items, gone) = self.whole(request, &answered.body, NODES).await?;
            page.missing.extend(gone);
            // All of it counts: the records were read when the first of these calls was asked.
            page.took = self.runtime.clock().elapsed().saturating_sub(began);
            vec![items]
        } else {
            vec![RawItems::new(request.entity, answered.body, Shape::ListAt(NODES))]
        };
        Ok(page)
    }

    /// A call of a read.
    pub(super) fn call(
        &self,
        document: &'static Document,
        variables: &Value,
        request: &PullRequest,
    ) -> Result<ApiRequest> {
        let call = document
            .request(self.version.path(), variables)?
            .lane(request.lane)
            .attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT);
        Ok(match request.timeout {
            Some(timeout) => call.timeout(timeout),
            None => call,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (Entity, Detail) = (Entity::Product, Detail::Full);

    #[test]
    fn pages_grow_by_doubling_up_to_the_points_of_a_query() {
        let sizes = PageSizes::default();
        let after = |first: u32, requested: f64| {
            sizes.learn(KEY, first, requested);
            sizes.predicted(Entity::Product, 7.0)
        };
        assert_eq!(sizes.predicted(Entity::Product, 7.0), (DEFAULT_PAGE, 7.0));
        assert_eq!(after(20, 200.0), (40, 10.0));
        assert_eq!(after(40, 400.0), (80, 10.0));
        assert_eq!(after(80, 800.0), (95, 10.0), "950 points");
        assert_eq!(after(10, 9_999.0), (1, 999.9), "a record at least");
        assert_eq!(after(200, 2.0), (MAX_PAGE, 0.01));
        // What is no cost is not learned.
        for odd in [0.0, -5.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(after(20, odd), (MAX_PAGE, 0.01), "{odd}");
        }
    }

    #[test]
    fn no_page_has_more_than_half_of_what_was_refused() {
        let sizes = PageSizes::default();
        assert_eq!(sizes.refused(KEY, 100), 50);
        assert_eq!(sizes.refused(KEY, 200), 100, "a larger one that was on its way");
        assert_eq!(sizes.most(KEY), 50);
        sizes.learn(KEY, 50, 50.0);
        assert_eq!(sizes.predicted(Entity::Product, 7.0), (50, 1.0));
        assert_eq!(sizes.refused(KEY, 1), 1);
    }
}
