//! Variations of a store that has no list of all of them (before version 10): product by product.
//!
//! The list of the products that may have variations names these (`variations`). A pull walks it, and reads each
//! product's own list; a list of ids needs the first list only, so a sweep costs one call for a hundred products.
//! Its ids come from another place than the records: what a product's own list leaves out is found.
//!
//! Beside that, what every store's lists of variations lack: they show descriptions as a page would, with paragraphs,
//! typographic quotes and executed shortcodes. What is read by id has them as they are stored, from the product route,
//! a variation a call. Before a write each is asked for; else those alone that show any.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::value::RawValue;

use super::PLATFORM;
use super::connector::WooCommerce;
use super::read::{MAX_AHEAD, asked, fill, next_offset, page_size, timed};
use super::wire::{self, MAX_PAGE, Offset};
use crate::connector::{Detail, Joint, Page, PullRequest, Purpose, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Cursor, Entity, ExternalId, FieldName, RawItems, RecordRef, Shape};

/// The most ids of a page that are read by id: each costs a call to find its product.
const IDS_A_PAGE: usize = 25;
/// The most reads of single variations that wait for the store's limit of calls in flight.
const AT_ONCE: usize = 8;
/// What lists of variations have as a page would show it.
pub(super) const SHOWN: &[FieldName] = &[FieldName::new("description")];

/// Where a walk over the variations of all products stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Walk {
    /// Where the next page of the products' list begins; none where there is no further one.
    list: Option<u64>,
    /// The last product of the page before it: the next one begins with it, unless one slipped.
    last: Option<u64>,
    /// How many of the first product's variations were read before.
    offset: u64,
    /// The products that are left, each with the number of variations that it names.
    parents: Vec<(u64, u64)>,
}

impl Walk {
    fn start() -> Self {
        Self { list: Some(0), last: None, offset: 0, parents: Vec::new() }
    }

    fn read(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self::start()) };
        Self::parse(cursor.as_str()).ok_or_else(|| {
            Error::new(ErrorKind::Config, "cursor_unreadable", "the cursor is not one of this connector")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (list, last, offset, parents) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let number = |text: &str| match text {
            "-" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let parent = |text: &str| -> Option<(u64, u64)> {
            let (id, count) = text.split_once(':')?;
            Some((id.parse().ok()?, count.parse().ok()?))
        };
        let parents: Option<Vec<_>> =
            parents.split(',').filter(|text| !text.is_empty()).map(parent).collect();
        parts.next().is_none().then_some(())?;
        Some(Self {
            list: number(list)?,
            last: number(last)?,
            offset: offset.parse().ok()?,
            parents: parents.filter(|parents| parents.len() <= MAX_PAGE as usize)?,
        })
    }

    fn is_over(&self) -> bool {
        self.list.is_none() && self.parents.is_empty()
    }

    fn cursor(&self) -> Cursor {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let parents: Vec<String> = self.parents.iter().map(|(id, count)| format!("{id}:{count}")).collect();
        let (list, last) = (number(self.list), number(self.last));
        Cursor::new(format!("{list}/{last}/{}/{}", self.offset, parents.join(",")))
    }

    /// Behind the first product.
    fn advance(&mut self) {
        self.offset = 0;
        if !self.parents.is_empty() {
            self.parents.remove(0);
        }
    }

    /// The positions that follow, as far as they are certain: `whole` where each product's list is as long as the
    /// product says, else only where one page holds all that it could be.
    fn ahead(&self, per_page: u32, whole: bool) -> Vec<Cursor> {
        let per_page = u64::from(per_page);
        let mut walk = self.clone();
        let mut ahead = Vec::new();
        while ahead.len() < MAX_AHEAD
            && let Some((_, count)) = walk.parents.first().copied()
        {
            if count > per_page && !whole {
                break;
            }
            if walk.offset.saturating_add(per_page) < count {
                walk.offset += per_page - 1;
            } else {
                walk.advance();
            }
            if walk.is_over() {
                break;
            }
            ahead.push(walk.cursor());
        }
        ahead
    }
}

impl WooCommerce {
    /// A page of one product's variations, or of the ids of those of many products.
    pub(super) async fn variations_page(&self, request: &PullRequest) -> Result<Page> {
        let mut walk = Walk::read(request.cursor.as_ref())?;
        let joint = if walk.offset == 0 { Joint::NextParent } else { Joint::SharedRecord };
        let mut page = Page { joint, ..Page::default() };
        if walk.parents.is_empty() {
            let parents = self.next_parents(request, &mut walk, &mut page).await?;
            if request.detail != Detail::Full {
                let ids = parents.into_iter().flat_map(|parent| parent.variations);
                let body = wire::body_of_ids(ids);
                page.items = vec![RawItems::new(Entity::Variant, body, Shape::List)];
                walk.parents.clear();
            }
        }
        if let Some((parent, named)) = walk.parents.first().copied() {
            let (offset, path) = (Offset(walk.offset), wire::variations_of(parent));
            let (answered, per_page) = self
                .answered_list(request, page_size(request), |per_page| {
                    let (entity, detail) = (request.entity, request.detail);
                    wire::list_at(path.clone(), entity, &request.select, detail, offset, per_page)
                })
                .await?;
            fill(&mut page, &answered);
            // Where a host strips the count, the number that the product names tells the end.
            let is_all =
                answered.total.is_none() && offset.0.saturating_add(wire::count(&answered.body)?) >= named;
            let next = if is_all { None } else { next_offset(&answered, offset, per_page, request)? };
            match next {
                Some((offset, _)) => walk.offset = offset,
                None => walk.advance(),
            }
            let below = RecordRef::new(PLATFORM, Entity::Product, parent.to_string());
            let items = RawItems::new(Entity::Variant, answered.body, Shape::List);
            page.items = vec![items.shown(SHOWN).below(below)];
        }
        if !walk.is_over() {
            page.next = Some(walk.cursor());
            page.ahead = walk.ahead(page_size(request), request.select == Select::All);
        }
        Ok(page)
    }

    /// Reads the next page of the products that may have variations.
    async fn next_parents(
        &self,
        request: &PullRequest,
        walk: &mut Walk,
        page: &mut Page,
    ) -> Result<Vec<wire::Parent>> {
        let Some(offset) = walk.list.take().map(Offset) else { return Ok(Vec::new()) };
        let (answered, per_page) = self
            .answered_list(request, MAX_PAGE, |per_page| wire::parents(&request.select, offset, per_page))
            .await?;
        fill(page, &answered);
        let mut parents = wire::read_parents(&answered.body)?;
        // As many ids as a page can hold; a store that sends more is not to be followed.
        parents.truncate(MAX_PAGE as usize);
        let ids_only = PullRequest { detail: Detail::IdsOnly, ..request.clone() };
        walk.list = next_offset(&answered, offset, per_page, &ids_only)?.map(|(next, _)| next);
        if let Some(last) = walk.last {
            // Its variations were read with the page before.
            if parents.first().is_some_and(|first| first.id == last) {
                parents.remove(0);
            } else {
                page.joint = Joint::Broken;
            }
        }
        walk.last = parents.last().map(|parent| parent.id).or(walk.last);
        walk.parents = parents
            .iter()
            .filter(|parent| !parent.variations.is_empty())
            .map(|parent| (parent.id, parent.variations.len() as u64))
            .collect();
        Ok(parents)
    }

    /// Variations by id: the product route tells the product of each, and the product's list has the records.
    pub(super) async fn variation_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, known) = asked(request, ids, IDS_A_PAGE)?;
        let nonce = self.nonce(request.purpose)?;
        let mut of_parent: BTreeMap<u64, Vec<ExternalId>> = BTreeMap::new();
        let mut own = self.own_routes(request, known, &nonce, &mut page).await?;
        for (id, found) in &own {
            match found {
                Some(found) => of_parent.entry(found.parent_id).or_default().push(id.clone()),
                None => page.missing.push(id.clone()),
            }
        }
        own.retain(|(_, found)| found.is_some());
        for (parent, ids) in of_parent {
            let missing = self
                .found_in_list(request, &ids, &mut page, |ids| {
                    let (path, entity) = (wire::variations_of(parent), request.entity);
                    wire::by_ids_at(path, entity, ids, request.detail, request.purpose, &nonce)
                })
                .await?;
            page.missing.extend(missing);
        }
        if request.detail == Detail::Full {
            put_stored(own, &mut page)?;
        }
        Ok(page)
    }

    /// Variations by id out of the list of all of them, a hundred at a time.
    pub(super) async fn listed_variations_page(
        &self,
        request: &PullRequest,
        ids: &[ExternalId],
    ) -> Result<Page> {
        let mut page = self.ids_page(request, ids).await?;
        if request.detail != Detail::Full {
            return Ok(page);
        }
        let mut wanted = Vec::new();
        for items in &page.items {
            // What is shown of a text that only runs is nothing at all: a write must know.
            wanted.extend(match request.purpose {
                Purpose::Guard => wire::ids(&items.body)?,
                Purpose::Catalogue | Purpose::Verify => wire::described(&items.body)?,
            });
        }
        let nonce = self.nonce(request.purpose)?;
        let own = self.own_routes(request, wanted, &nonce, &mut page).await?;
        put_stored(own, &mut page)?;
        Ok(page)
    }

    /// What the product route says of variations; `None` of what is none, or none any more.
    async fn own_routes(
        &self,
        request: &PullRequest,
        ids: Vec<ExternalId>,
        nonce: &str,
        page: &mut Page,
    ) -> Result<Vec<(ExternalId, Option<wire::OwnRoute>)>> {
        let begun = self.runtime.clock().elapsed();
        let reads: Vec<_> = ids.into_iter().map(|id| self.own_route(request, id, nonce)).collect();
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let mut own = Vec::new();
        while let Some(read) = reads.next().await {
            own.push(read?);
        }
        page.took = page.took.saturating_add(self.runtime.clock().elapsed().saturating_sub(begun));
        Ok(own)
    }

    async fn own_route(
        &self,
        request: &PullRequest,
        id: ExternalId,
        nonce: &str,
    ) -> Result<(ExternalId, Option<wire::OwnRoute>)> {
        let call = timed(wire::own_route(&id, request.purpose, nonce).lane(request.lane), request);
        match self.client.execute_with(call, wire::json::<wire::OwnRoute>).await {
            Ok(found) => Ok((id, Some(found).filter(|it| it.kind == "variation" && it.parent_id > 0))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((id, None)),
            Err(error) => Err(error),
        }
    }
}

/// Adds to a page what the product route said of its variations. What went meanwhile is missing.
fn put_stored(own: Vec<(ExternalId, Option<wire::OwnRoute>)>, page: &mut Page) -> Result<()> {
    let mut stored: HashMap<ExternalId, Box<RawValue>> = HashMap::new();
    let (mut gone, mut shown) = (Vec::new(), false);
    for (id, found) in own {
        match found.map(|found| found.description) {
            Some(Some(text)) => drop(stored.insert(id, text)),
            // Something keeps it from us: what is shown is no ground to write on.
            Some(None) => shown = true,
            None => gone.push(id),
        }
    }
    for items in &mut page.items {
        if !gone.is_empty() {
            let stays: Vec<ExternalId> =
                wire::ids(&items.body)?.into_iter().filter(|id| !gone.contains(id)).collect();
            items.body = wire::keep(&items.body, &stays)?.0;
        }
        items.body = wire::with_stored(&items.body, &stored)?;
        items.shown = if shown { SHOWN } else { &[] };
    }
    page.missing.extend(gone);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(list: Option<u64>, offset: u64, parents: &[(u64, u64)]) -> Walk {
        Walk { list, last: Some(9), offset, parents: parents.to_vec() }
    }

    #[test]
    fn a_position_is_read_back_and_a_foreign_one_is_refused() {
        for walk in [Walk::start(), walk(None, 0, &[(7, 3)]), walk(Some(99), 198, &[(7, 300), (12, 1)])] {
            assert_eq!(Walk::read(Some(&walk.cursor())).unwrap(), walk);
        }
        for text in ["", "99", "1/2/3", "1/2/3/4", "1/2/3/4:5/6", "x/-/0/", "-/-/-1/"] {
            assert_eq!(Walk::read(Some(&Cursor::new(text))).unwrap_err().code(), "cursor_unreadable");
        }
        let long: Vec<(u64, u64)> = (0..101).map(|id| (id, 1)).collect();
        assert!(Walk::read(Some(&walk(None, 0, &long).cursor())).is_err(), "longer than any page");
    }

    #[test]
    fn positions_ahead_step_through_long_products_and_end_with_the_next_page_of_the_list() {
        let at = walk(Some(99), 0, &[(7, 5), (8, 1)]);
        let ahead: Vec<Walk> =
            at.ahead(3, true).iter().map(|cursor| Walk::parse(cursor.as_str()).unwrap()).collect();
        let expected =
            [walk(Some(99), 2, &[(7, 5), (8, 1)]), walk(Some(99), 0, &[(8, 1)]), walk(Some(99), 0, &[])];
        assert_eq!(ahead, expected);
        assert!(at.ahead(3, false).is_empty(), "a filtered list may be shorter");
        assert!(walk(None, 0, &[(8, 1)]).ahead(3, true).is_empty());
    }
}
