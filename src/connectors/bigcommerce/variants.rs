//! Variants: the platform lists those of named products, and those of all by the numbers of pages only.
//!
//! A pull walks the list of products by their ids, a window at a time, and reads the variants of each window. Their ids
//! alone come out of the list of all variants: from another place than the records, so that what one of the two leaves
//! out is found by the other.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::connector::BigCommerce;
use super::read::{DATA, asked, goes_on_behind, is_delta, page_size, pages, timed, total};
use super::wire::{self, Answered, MAX_PAGE, Position};
use crate::connector::{Detail, Joint, Page, PullRequest, Purpose, Select, Total};
use crate::error::Result;
use crate::http::ApiRequest;
use crate::model::{Cursor, Entity, ExternalId, RawItems};

/// The most products of a window.
const WINDOW: u32 = 100;
/// The most ids of a page that are read by id: as many as are written in one call.
const IDS_A_PAGE: usize = 50;
/// The most variants that are read at once by a call each.
const AT_ONCE: usize = 4;
/// The most variants whose product is kept.
const MAX_PARENTS: usize = 10_000;

/// Where a walk over the products stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Walk {
    /// Behind which product the next window begins; none where there is no further one.
    behind: Option<u64>,
    /// The products of the window.
    window: Vec<u64>,
    /// Which page of their variants is next, from 1 on.
    page: u64,
    /// How many variants the window's first page said that there are; where nobody counts them, which one the page
    /// before ended with.
    said: Option<u64>,
}

impl Walk {
    fn start() -> Self {
        Self { behind: Some(0), window: Vec::new(), page: 1, said: None }
    }

    fn read(cursor: &Cursor) -> Result<Self> {
        Self::parse(cursor.as_str()).ok_or_else(wire::unreadable_cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix('w')?.split('/').collect();
        let [behind, page, said, window] = parts.as_slice() else { return None };
        let number = |text: &str| if text == "-" { Some(None) } else { wire::whole(text).map(Some) };
        let ids = window.split(',').filter(|id| !id.is_empty()).map(wire::whole);
        let window: Vec<u64> = ids.collect::<Option<_>>()?;
        Some(Self {
            behind: number(behind)?,
            window: Some(window).filter(|window| window.len() <= WINDOW as usize)?,
            page: wire::whole(page).filter(|page| *page > 0)?,
            said: number(said)?,
        })
    }

    fn cursor(&self) -> Cursor {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let window: Vec<String> = self.window.iter().map(u64::to_string).collect();
        let (behind, said) = (number(self.behind), number(self.said));
        Cursor::new(format!("w{behind}/{}/{said}/{}", self.page, window.join(",")))
    }

    fn is_over(&self) -> bool {
        self.behind.is_none() && self.window.is_empty()
    }
}

impl BigCommerce {
    /// A page of all variants, or of those of the products that changed.
    pub(super) async fn variants_page(&self, request: &PullRequest) -> Result<Page> {
        if request.detail == Detail::IdsOnly && request.select == Select::All {
            return self.numbered_page(request, wire::variant_ids).await;
        }
        let mut walk = match &request.cursor {
            Some(cursor) => Walk::read(cursor)?,
            None => Walk::start(),
        };
        let mut page = Page::default();
        if request.cursor.is_none() {
            page.total = self.count_of_variants(request).await?;
        }
        if walk.window.is_empty() {
            self.next_window(request, &mut walk, &mut page).await?;
        }
        if !walk.window.is_empty() {
            self.of_window(request, &mut walk, &mut page).await?;
        }
        if walk.is_over() {
            if request.cursor.is_some() {
                page.total = self.count_of_variants(request).await?;
            }
        } else {
            page.next = Some(walk.cursor());
        }
        Ok(page)
    }

    /// Reads which products come next.
    async fn next_window(&self, request: &PullRequest, walk: &mut Walk, page: &mut Page) -> Result<()> {
        let Some(behind) = walk.behind.take() else { return Ok(()) };
        let limit = page_size(request).min(WINDOW);
        let position = Position::Behind(behind);
        let call = wire::products(&request.select, Detail::IdsOnly, position, limit).lane(request.lane);
        let answered = self.client.execute_with(timed(call, request), wire::answered).await?;
        let ids = answered.ids()?;
        let window: Vec<u64> = ids.iter().filter_map(|id| wire::whole(id.as_str())).collect();
        let goes_on = answered.pagination.total.is_none_or(|total| total > window.len() as u64);
        let last = window.iter().copied().max().filter(|last| *last > behind);
        walk.behind = last.filter(|_| goes_on);
        (walk.page, walk.said) = (1, None);
        walk.window = window;
        walk.window.truncate(WINDOW as usize);
        answered.fill(page);
        Ok(())
    }

    /// Reads a page of the variants of the window's products.
    async fn of_window(&self, request: &PullRequest, walk: &mut Walk, page: &mut Page) -> Result<()> {
        let limit = page_size(request);
        let call = wire::variants_of(&walk.window, request.detail, walk.page, limit).lane(request.lane);
        let answered = self.client.execute_with(timed(call, request), wire::answered).await?;
        answered.fill(page);
        let goes_on = match pages(&answered, limit) {
            Some(pages) => {
                let said = answered.pagination.total;
                // Where the number moved between two pages of a window, a variant may have slipped from one to the other.
                if walk.page > 1 && said != walk.said {
                    page.joint = Joint::Broken;
                }
                walk.said = said;
                walk.page < pages
            }
            None => {
                walk.said = goes_on_behind(&answered, walk.said.unwrap_or(0))?;
                walk.said.is_some()
            }
        };
        if goes_on {
            walk.page += 1;
        } else {
            (walk.window, walk.page, walk.said) = (Vec::new(), 1, None);
        }
        page.items = vec![RawItems::new(Entity::Variant, answered.body, DATA)];
        Ok(())
    }

    /// How many variants there are. Nobody counts those of products that changed.
    async fn count_of_variants(&self, request: &PullRequest) -> Result<Total> {
        if is_delta(request) {
            return Ok(Total::NotGiven);
        }
        let call = timed(wire::variant_ids(1, 1).lane(request.lane), request);
        Ok(total(&self.client.execute_with(call, wire::answered).await?))
    }

    /// Variants by id. The platform takes no list of their ids, but one of products: those whose product is known come
    /// with that of the others, where that takes fewer calls; the rest by a call each.
    pub(super) async fn variant_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, mut left) = asked(request, ids, IDS_A_PAGE)?;
        if left.len() > 1 {
            self.by_products(request, &mut left, &mut page).await?;
        }
        let further = (0..u32::try_from(left.len()).unwrap_or(u32::MAX)).rev();
        let calls = left.iter().zip(further).map(|(id, further)| {
            self.client.execute_with(for_write(wire::variant(id), further, request), wire::answered)
        });
        let calls: Vec<_> = calls.collect();
        let answers: Vec<Answered> = stream::iter(calls).buffered(AT_ONCE).try_collect().await?;
        for (id, answered) in left.iter().zip(answers) {
            answered.fill(&mut page);
            let picked = self.parents.pick(&answered, std::slice::from_ref(id))?;
            if picked.found.is_empty() {
                page.missing.push(id.clone());
            } else {
                page.items.push(RawItems::new(Entity::Variant, picked.body, DATA));
            }
        }
        Ok(page)
    }

    /// Reads the variants of the products that some variants are known to belong to, and takes out of `left` what it
    /// finds.
    async fn by_products(
        &self,
        request: &PullRequest,
        left: &mut Vec<ExternalId>,
        page: &mut Page,
    ) -> Result<()> {
        let products: BTreeSet<u64> = left.iter().filter_map(|id| self.parents.of(id)).collect();
        let products: Vec<u64> = products.into_iter().collect();
        let mut number = 1;
        while !products.is_empty() {
            let call = wire::variants_of(&products, Detail::Full, number, MAX_PAGE);
            let call = for_write(call, u32::try_from(left.len()).unwrap_or(u32::MAX), request);
            let answered = self.client.execute_with(call, wire::answered).await?;
            answered.fill(page);
            let picked = self.parents.pick(&answered, left)?;
            left.retain(|id| !picked.found.contains(id));
            if !picked.found.is_empty() {
                page.items.push(RawItems::new(Entity::Variant, picked.body, DATA));
            }
            // A product may have 600 variants, of which one was asked for.
            let further = pages(&answered, MAX_PAGE).unwrap_or(0).saturating_sub(number);
            let wanted = left.iter().filter(|id| self.parents.of(id).is_some()).count();
            if further == 0 || further > wanted as u64 {
                break;
            }
            number += 1;
        }
        Ok(())
    }
}

/// A read before a write waits until the quota has room for so many further reads, and for the write.
fn for_write(call: ApiRequest, further: u32, request: &PullRequest) -> ApiRequest {
    let call = timed(call.lane(request.lane), request);
    match request.purpose {
        Purpose::Guard => call.cost(wire::ROOM_TO_WRITE.saturating_add(further)),
        _ => call,
    }
}

/// Which product a variant belongs to, as far as it was seen: that never changes. Values are never kept.
#[derive(Debug, Default)]
pub(super) struct Parents(Mutex<HashMap<u64, u64>>);

/// Some records of an answer.
struct Picked {
    /// A list of them, as they came.
    body: Bytes,
    found: Vec<ExternalId>,
}

impl Parents {
    fn of(&self, variant: &ExternalId) -> Option<u64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&wire::whole(variant.as_str())?).copied()
    }

    /// Takes the records with these ids out of an answer, and keeps whose they are.
    fn pick(&self, answered: &Answered, ids: &[ExternalId]) -> Result<Picked> {
        #[derive(Deserialize)]
        struct Owned {
            id: u64,
            #[serde(default)]
            product_id: u64,
        }
        let (mut picked, mut found) = (Vec::new(), Vec::new());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (record, raw) in answered.records::<Owned>()?.iter().zip(wire::raw_records(&answered.body)?) {
            let id = ExternalId::from(record.id.to_string());
            if !ids.contains(&id) || found.contains(&id) {
                continue;
            }
            if known.len() >= MAX_PARENTS {
                known.clear();
            }
            if record.product_id > 0 {
                known.insert(record.id, record.product_id);
            }
            picked.push(raw.get());
            found.push(id);
        }
        Ok(Picked { body: Bytes::from(format!("{{\"data\":[{}]}}", picked.join(","))), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_a_foreign_one_is_refused() {
        let walk = Walk { behind: Some(9), window: vec![7, 8, 9], page: 2, said: Some(12) };
        for walk in [Walk::start(), walk, Walk { behind: None, window: vec![1], page: 1, said: None }] {
            assert_eq!(Walk::read(&walk.cursor()).unwrap(), walk);
        }
        for text in ["", "w", "7", "w1/1/-", "w1/0/-/2", "w-/x/-/", "w1/1/-/1,x", "w1/1/-/1/2"] {
            assert_eq!(Walk::read(&Cursor::new(text)).unwrap_err().code(), "cursor_unreadable", "{text}");
        }
        let long = Walk { window: (1..102).collect(), ..Walk::start() };
        assert!(Walk::read(&long.cursor()).is_err(), "longer than any window");
    }
}
