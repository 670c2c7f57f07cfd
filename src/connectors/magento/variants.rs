//! Variants: children of configurable products. A child is a product like any other, and does not say whose it is, so
//! the configurable products are read for their children first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::connector::Magento;
use super::dress::{self, Family};
use super::read::{Position, asked, fill, fresh, page_repeats, page_size};
use super::search::Search;
use super::wire::{self, Scope};
use crate::connector::{Detail, Page, PullRequest, Purpose, Select, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, ExternalId, RawItems, Shape};

/// The most children that are kept.
const MAX_CHILDREN: usize = 1_000_000;
/// How old the families may be for a read by id, and at the start of a list.
const FRESH: Duration = Duration::from_secs(30);
/// How old they may be within a list.
const WITHIN_A_LIST: Duration = Duration::from_secs(3600);

/// The families at hand by child, and when they were read.
#[derive(Debug, Default)]
pub(super) struct Families(tokio::sync::Mutex<Option<(ByChild, Duration)>>);

/// The family of each child.
type ByChild = Arc<HashMap<u64, Family>>;

impl Magento {
    /// Whose child each variant is. A child of several products counts as that of the first one.
    async fn families(&self, request: &PullRequest) -> Result<ByChild> {
        let within = request.purpose == Purpose::Catalogue && request.cursor.is_some();
        let age = if within { WITHIN_A_LIST } else { FRESH };
        let mut at_hand = self.families.0.lock().await;
        let now = self.runtime.clock().elapsed();
        // A list is of one moment: the one that it began at.
        let starts = request.cursor.is_none() && !matches!(request.select, Select::Ids(_));
        if let Some((known, read)) = at_hand.as_ref()
            && !starts
            && now.saturating_sub(*read) <= age
        {
            return Ok(Arc::clone(known));
        }
        let mut families: HashMap<u64, Family> = HashMap::new();
        let search = |last| {
            Search::page("entity_id", wire::MAX_PAGE)
                .with("type_id", "eq", "configurable")
                .behind("entity_id", last)
                .fields("id,extension_attributes")
        };
        self.whole(request, "products", search, |raw| {
            let skim = dress::skim(raw).ok_or_else(wire::unreadable)?;
            let parent = skim.id().ok_or_else(wire::unreadable)?;
            let (children, options) = skim.family().ok_or_else(wire::unreadable)?;
            for child in children {
                families.entry(child).or_insert_with(|| Family { parent, options: options.clone() });
            }
            if families.len() > MAX_CHILDREN {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    "too_many_variants",
                    format!("at most {MAX_CHILDREN} children of configurable products are followed"),
                ));
            }
            Ok(parent)
        })
        .await?;
        let families = Arc::new(families);
        *at_hand = Some((Arc::clone(&families), now));
        Ok(families)
    }

    /// A page of variants, ascending by id.
    pub(super) async fn variants_page(&self, request: &PullRequest) -> Result<Page> {
        let families = self.families(request).await?;
        let at = Position::read(request.cursor.as_ref())?;
        if matches!(request.select, Select::Since(_)) {
            return self.changed_variants(request, at, &families).await;
        }
        let mut ids: Vec<u64> = families.keys().copied().collect();
        ids.sort_unstable();
        let from = ids.partition_point(|id| *id <= at.last);
        let rest = ids.get(from..).unwrap_or_default();
        let size = usize::try_from(page_size(request)).unwrap_or(usize::MAX);
        let wanted = rest.get(..rest.len().min(size)).unwrap_or_default();
        let mut page = Page { total: Total::Exact(ids.len() as u64), ..Page::default() };
        if let Some(last) = wanted.last().copied().filter(|_| rest.len() > wanted.len()) {
            page.next = Some(Position { last, seen: at.seen + wanted.len() as u64 }.cursor());
        }
        if request.detail == Detail::IdsOnly {
            // What a parent names is there; whose time it is, only an answer says.
            let body = wanted.iter().map(|id| format!("{{\"id\":{id}}}")).collect::<Vec<_>>().join(",");
            page.items = vec![RawItems::new(Entity::Variant, format!("[{body}]").into(), Shape::List)];
            return Ok(page);
        }
        // One that is gone since is none of the list's records.
        self.by_ids(request, wanted, Some(&families), &mut page).await?;
        Ok(page)
    }

    /// A page of what changed: the products that did, and of those the variants.
    async fn changed_variants(
        &self,
        request: &PullRequest,
        at: Position,
        families: &HashMap<u64, Family>,
    ) -> Result<Page> {
        let answered = self.list(request, at).await?;
        let fresh = fresh(&answered, at)?;
        let mut page = Page { next: fresh.next.map(Position::cursor), ..Page::default() };
        fill(&mut page, &answered);
        let (mut records, mut ids) = (Vec::new(), Vec::new());
        for (raw, id) in fresh.records.iter().zip(&fresh.ids) {
            if families.contains_key(id) {
                records.push(*raw);
                ids.push(*id);
            }
        }
        let items = self.items(request, &records, &ids, Some(families), &mut page).await?;
        page.items = vec![items];
        Ok(page)
    }

    /// Variants by id. A product that is nobody's child is none.
    pub(super) async fn variant_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, known) = asked(request, ids)?;
        if known.is_empty() {
            return Ok(page);
        }
        let families = self.families(request).await?;
        let (children, others): (Vec<u64>, Vec<u64>) =
            known.into_iter().partition(|id| families.contains_key(id));
        let missing = self.by_ids(request, &children, Some(&families), &mut page).await?;
        page.missing.extend(others.into_iter().chain(missing).map(|id| ExternalId::from(id.to_string())));
        Ok(page)
    }

    /// The products and variants that show pictures: the platform lists no such thing, so every product's pictures are
    /// read, three hundred products a call.
    pub(super) async fn pictures(&self, mut take: impl FnMut(u64, u64) + Send) -> Result<()> {
        let request = PullRequest::all(Entity::Product);
        let mut at = Position::default();
        loop {
            let search = Search::page("entity_id", wire::MAX_SHORT_PAGE)
                .behind("entity_id", at.last)
                .fields("id,media_gallery_entries[id]");
            let answered = self.searched(&request, &Scope::All, "products", search).await?;
            let fresh = fresh(&answered, at)?;
            for (raw, id) in fresh.records.iter().zip(&fresh.ids) {
                let entries = dress::pictures(raw).ok_or_else(wire::unreadable)?;
                entries.into_iter().for_each(|entry| take(*id, entry));
            }
            match fresh.next {
                Some(next) if next.last > at.last => at = next,
                Some(_) => return Err(page_repeats()),
                None => return Ok(()),
            }
        }
    }
}
