//! Reading: pages out of lists, and records by their ids.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::classify::named_limit;
use super::connector::Magento;
use super::dictionary::Dictionary;
use super::dress::{self, Family, Wardrobe};
use super::search::Search;
use super::wire::{self, Answered, MAX_PAGE, MAX_SHORT_PAGE, MIN_PAGE, Scope};
use super::{map, php};
use crate::connector::{Detail, Page, PullRequest, Purpose, Select, Total};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::http::ApiRequest;
use crate::model::{Cursor, Entity, ExternalId, FieldName, Inheritance, RawItems, Shape};

/// Where a list goes on: behind a record, and how many came before. In a list of ids, how many were asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    pub(super) last: u64,
    pub(super) seen: u64,
}

impl Position {
    pub(super) fn read(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self::default()) };
        let parts = cursor.as_str().split_once('/');
        let read =
            parts.and_then(|(last, seen)| Some(Self { last: last.parse().ok()?, seen: seen.parse().ok()? }));
        read.ok_or_else(|| {
            Error::new(ErrorKind::Config, "cursor_unreadable", "the cursor is not one of this connector")
        })
    }

    pub(super) fn cursor(self) -> Cursor {
        Cursor::new(format!("{}/{}", self.last, self.seen))
    }
}

/// The most records of a page, as far as the store named a limit.
#[derive(Debug)]
pub(super) struct PageCap(AtomicU32);

impl Default for PageCap {
    fn default() -> Self {
        Self(AtomicU32::new(u32::MAX))
    }
}

impl PageCap {
    pub(super) fn fit(&self, size: u32) -> u32 {
        size.min(self.0.load(Ordering::Relaxed)).max(1)
    }

    fn learn(&self, limit: u32) {
        self.0.fetch_min(limit, Ordering::Relaxed);
    }
}

fn collection(entity: Entity) -> &'static str {
    if entity == Entity::Category { "categories/list" } else { "products" }
}

/// The records of a page: those that did not come before, in their order.
pub(super) struct Fresh<'a> {
    pub(super) records: Vec<&'a RawValue>,
    pub(super) ids: Vec<u64>,
    /// Where the list goes on; none at its end.
    pub(super) next: Option<Position>,
    /// How many records the whole list has, by the store's own word.
    pub(super) total: u64,
}

/// Takes the fresh records out of a page that was asked for behind a position.
///
/// A store may give a row twice, and one that is asked past its end, or that does not know the filter, a page that was
/// there before: such a page would never end.
pub(super) fn fresh(answered: &Answered, at: Position) -> Result<Fresh<'_>> {
    let listed = answered.listed()?;
    let came = listed.records.len() as u64;
    let mut known = HashSet::new();
    let (mut records, mut ids) = (Vec::with_capacity(listed.records.len()), Vec::new());
    for raw in listed.records {
        let id = id_of(raw).ok_or_else(wire::unreadable)?;
        if id > at.last && known.insert(id) {
            records.push(raw);
            ids.push(id);
        }
    }
    let last = ids.iter().copied().max();
    let next = match last {
        _ if came == listed.total => None,
        // Also where more came than the store counts: a count that is wrong ends no list.
        Some(last) => Some(Position { last, seen: at.seen.saturating_add(ids.len() as u64) }),
        None => return Err(page_repeats()),
    };
    if came > 0 && ids.is_empty() {
        return Err(page_repeats());
    }
    // Never what came: a page would certify itself.
    Ok(Fresh { records, ids, next, total: at.seen.saturating_add(listed.total) })
}

fn id_of(raw: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    if !raw.get().starts_with('{') {
        return None;
    }
    php::number(serde_json::from_str::<Id<'_>>(raw.get()).ok()?.id)
}

pub(super) fn page_repeats() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "page_repeats",
        "the store's list does not go on behind the record that was named",
    )
    .with_remedy("look for a module that changes the lists of the store's REST API, or their filters")
}

impl Magento {
    /// A page of a list: behind the last record of the one before, so that nothing slips between the two.
    pub(super) async fn list_page(&self, request: &PullRequest) -> Result<Page> {
        let at = Position::read(request.cursor.as_ref())?;
        let answered = self.list(request, at).await?;
        let fresh = fresh(&answered, at)?;
        let next = fresh.next.map(Position::cursor);
        let mut page = Page { next, total: Total::Exact(fresh.total), ..Page::default() };
        fill(&mut page, &answered);
        let items = self.items(request, &fresh.records, &fresh.ids, None, &mut page).await?;
        page.items = vec![items];
        Ok(page)
    }

    /// Asks for a page of a list behind a position.
    pub(super) async fn list(&self, request: &PullRequest, at: Position) -> Result<Answered> {
        let mut search = Search::page("entity_id", page_size(request)).behind("entity_id", at.last);
        if let Select::Since(since) = request.select {
            search = search.with("updated_at", "gteq", since.to_utc_sql());
        }
        if request.detail == Detail::IdsOnly {
            search = search.fields("id");
        }
        self.searched(request, &self.scope, collection(request.entity), search).await
    }

    /// Records by id, a hundred at a time.
    pub(super) async fn ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, known) = asked(request, ids)?;
        let missing = self.by_ids(request, &known, None, &mut page).await?;
        page.missing.extend(missing.into_iter().map(|id| ExternalId::from(id.to_string())));
        Ok(page)
    }

    /// Puts records by id into a page, and gives those that are not there. A store that caps pages answers a part:
    /// the rest is asked for again.
    pub(super) async fn by_ids(
        &self,
        request: &PullRequest,
        ids: &[u64],
        families: Option<&HashMap<u64, Family>>,
        page: &mut Page,
    ) -> Result<Vec<u64>> {
        let mut left = ids.to_vec();
        while !left.is_empty() {
            let answered = self
                .found(request, &self.scope, collection(request.entity), &left, fields_of(request))
                .await?;
            fill(page, &answered);
            let listed = answered.listed()?;
            let (mut records, mut found) = (Vec::new(), Vec::new());
            for raw in &listed.records {
                let id = id_of(raw).ok_or_else(wire::unreadable)?;
                if left.contains(&id) && !found.contains(&id) {
                    records.push(*raw);
                    found.push(id);
                }
            }
            let before = left.len();
            left.retain(|id| !found.contains(id));
            if request.purpose == Purpose::Guard && request.entity == Entity::Product {
                self.queue.note(&records);
            }
            if !records.is_empty() {
                let items = self.items(request, &records, &found, families, page).await?;
                page.items.push(items);
            }
            if left.len() == before || listed.records.len() as u64 >= listed.total {
                break;
            }
        }
        Ok(left)
    }

    /// Asks for records by their ids.
    pub(super) async fn found(
        &self,
        request: &PullRequest,
        scope: &Scope,
        below: &str,
        ids: &[u64],
        fields: Option<&'static str>,
    ) -> Result<Answered> {
        let texts: Vec<String> = ids.iter().map(u64::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let size = u32::try_from(ids.len()).unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let mut search = Search::page("entity_id", size).one_of("entity_id", &texts);
        if let Some(fields) = fields {
            search = search.fields(fields);
        }
        self.searched(request, scope, below, search).await
    }

    /// Asks for a page of a list. A store that names a limit is asked for no more from then on; a page that it cannot
    /// build is asked for by halves.
    pub(super) async fn searched(
        &self,
        request: &PullRequest,
        scope: &Scope,
        below: &str,
        search: Search,
    ) -> Result<Answered> {
        let mut size = self.cap.fit(search.size());
        let (mut pauses, mut named) = (0, None);
        loop {
            let call = search.clone().sized(size).on(self.api.get(scope, below)).lane(request.lane);
            match self.client.execute_with(timed(call, request), wire::answered).await {
                Err(error) if error.kind() == ErrorKind::Rejected => match named_limit(&error) {
                    Some(limit) if limit < size => (size, named) = (limit, Some(limit)),
                    _ => return Err(error),
                },
                // A page that the store cannot build in its time or memory: half of it may do.
                Err(error) if is_too_much(&error) && size >= 2 * MIN_PAGE => {
                    size /= 2;
                    pauses += 1;
                }
                // The pages that were too large have opened the breaker.
                Err(error) if error.kind() == ErrorKind::CircuitOpen && pauses > 0 => {
                    pauses -= 1;
                    let Retry::After(wait) = error.retry() else { return Err(error) };
                    self.runtime.clock().sleep(wait).await;
                }
                answered => {
                    // The number was a limit if a page of that size is taken; a refusal may name any other.
                    if let (Ok(_), Some(limit)) = (&answered, named) {
                        self.cap.learn(limit);
                    }
                    return answered;
                }
            }
        }
    }

    /// The records of a page for the map, with what the platform's own bytes lack.
    pub(super) async fn items(
        &self,
        request: &PullRequest,
        records: &[&RawValue],
        ids: &[u64],
        families: Option<&HashMap<u64, Family>>,
        page: &mut Page,
    ) -> Result<RawItems> {
        if request.detail == Detail::IdsOnly || request.entity == Entity::Category || records.is_empty() {
            let body = format!("[{}]", records.iter().map(|raw| raw.get()).collect::<Vec<_>>().join(","));
            return Ok(RawItems::new(request.entity, Bytes::from(body), Shape::List));
        }
        let began = self.runtime.clock().elapsed();
        let dictionary = self.dictionary_for(request, records, families).await?;
        let stock = self.stock(request, &dress::skus(records)).await?;
        let shared = match self.scope != Scope::All && families.is_none() {
            true => self.shared(request, records, ids).await?,
            false => Shared::default(),
        };
        let wardrobe = Wardrobe {
            dictionary: &dictionary,
            stock: &stock,
            media_url: self.media_url.as_deref(),
            parents: families,
            blanks: &shared.hidden,
        };
        let mut items = RawItems::new(request.entity, dress::dress(records, &wardrobe), Shape::List);
        items.inherited = shared.inherited;
        // What was read beside the records was read after them.
        page.took = page.took.saturating_add(self.runtime.clock().elapsed().saturating_sub(began));
        Ok(items)
    }

    /// The dictionary; where a record names what it does not know, it is read anew, once for each such name: shops keep
    /// values whose options are gone, in any number of records.
    async fn dictionary_for(
        &self,
        request: &PullRequest,
        records: &[&RawValue],
        families: Option<&HashMap<u64, Family>>,
    ) -> Result<std::sync::Arc<Dictionary>> {
        let unknown = |dictionary: &Dictionary| -> HashSet<String> {
            records.iter().flat_map(|raw| dress::unknown(raw, dictionary, families)).collect()
        };
        let dictionary = self.dictionary(request).await?;
        if dictionary.was_asked_for(&unknown(&dictionary)) {
            return Ok(dictionary);
        }
        let fresh = self.dictionary_of(std::time::Duration::ZERO, request).await?;
        fresh.note_missing(unknown(&fresh), &dictionary);
        Ok(fresh)
    }

    /// Which values of a view are those that all views share, and which it hides: the platform says so of no value, so
    /// both are read and compared. A view's own value that is equal to the shared one looks inherited.
    async fn shared(&self, request: &PullRequest, records: &[&RawValue], ids: &[u64]) -> Result<Shared> {
        const FIELDS: &str = "id,name,custom_attributes,media_gallery_entries";
        let mut shared = Shared::default();
        let mut left = ids.to_vec();
        let own: HashMap<u64, &RawValue> = ids.iter().copied().zip(records.iter().copied()).collect();
        while !left.is_empty() {
            let answered = self.found(request, &Scope::All, "products", &left, Some(FIELDS)).await?;
            let listed = answered.listed()?;
            let before = left.len();
            for raw in &listed.records {
                let id = id_of(raw).ok_or_else(wire::unreadable)?;
                left.retain(|other| *other != id);
                let Some((view, all)) = own.get(&id).and_then(|own| Values::read(own)).zip(Values::read(raw))
                else {
                    continue;
                };
                let reference = ExternalId::from(id.to_string());
                let fields = self.products.rules().iter().filter(|rule| !rule.field.contains('['));
                for rule in fields {
                    match (view.at(&rule.from), all.at(&rule.from)) {
                        (Some(own), Some(text)) if own == text => {
                            let field = FieldName::from(rule.field.to_string());
                            shared.inherited.push(Inheritance { id: reference.clone(), field, key: None });
                        }
                        (None, Some(text)) if !text.is_empty() => {
                            let codes = map::code_of(&rule.from).map(str::to_owned);
                            shared.hidden.entry(id).or_default().extend(codes);
                        }
                        _ => {}
                    }
                }
                for (entry, label) in &view.labels {
                    if label.is_some() && all.labels.get(entry) == Some(label) {
                        let key = Some(entry.to_string().into());
                        shared.inherited.push(Inheritance {
                            id: reference.clone(),
                            field: FieldName::new("media.alt"),
                            key,
                        });
                    }
                }
            }
            if left.len() == before {
                break;
            }
        }
        Ok(shared)
    }
}

/// What a view's records show of the values that all views share, and what they hide of them.
#[derive(Debug, Default)]
struct Shared {
    inherited: Vec<Inheritance>,
    /// By product, the codes of the texts that the others have and this view has not.
    hidden: HashMap<u64, Vec<String>>,
}

/// The texts of a product that a view can have of its own.
struct Values {
    name: Option<String>,
    attributes: HashMap<String, String>,
    labels: HashMap<u64, Option<String>>,
}

impl Values {
    fn read(raw: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Record<'a> {
            name: Option<String>,
            #[serde(default, borrow)]
            custom_attributes: Option<&'a RawValue>,
            #[serde(default, borrow)]
            media_gallery_entries: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Custom<'a> {
            attribute_code: String,
            #[serde(default, borrow)]
            value: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Entry<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            #[serde(default)]
            label: Option<String>,
        }
        let record: Record<'_> = serde_json::from_str(raw.get()).ok()?;
        let customs: Vec<Custom<'_>> = php::list(record.custom_attributes)?;
        let entries: Vec<Entry<'_>> = php::list(record.media_gallery_entries)?;
        let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
        Some(Self {
            name: record.name,
            attributes: customs
                .into_iter()
                .filter_map(|it| Some((it.attribute_code, text(it.value?)?)))
                .collect(),
            labels: entries.into_iter().filter_map(|it| Some((php::number(it.id)?, it.label))).collect(),
        })
    }

    /// The text at a place of the map.
    fn at(&self, place: &str) -> Option<&str> {
        match map::code_of(place) {
            Some(code) => self.attributes.get(code).map(String::as_str),
            None if place == "/name" => self.name.as_deref(),
            None => None,
        }
    }
}

/// The fields that are asked for of records by id; none for all.
fn fields_of(request: &PullRequest) -> Option<&'static str> {
    (request.detail == Detail::IdsOnly).then_some("id")
}

/// The records that a page should hold.
pub(super) fn page_size(request: &PullRequest) -> u32 {
    let most = if request.detail == Detail::IdsOnly { MAX_SHORT_PAGE } else { MAX_PAGE };
    request.page_size.map_or(most, NonZeroU32::get).clamp(1, most)
}

/// Of the ids of a request, the numbers of those of its page that can be asked for; the page holds the others as
/// missing, and where the next one begins.
pub(super) fn asked(request: &PullRequest, ids: &[ExternalId]) -> Result<(Page, Vec<u64>)> {
    let from = usize::try_from(Position::read(request.cursor.as_ref())?.seen).unwrap_or(usize::MAX);
    let rest = ids.get(from..).unwrap_or_default();
    let asked = rest.get(..rest.len().min(MAX_PAGE as usize)).unwrap_or_default();
    let mut page = Page::default();
    if rest.len() > asked.len() {
        page.next = Some(Position { last: 0, seen: (from + asked.len()) as u64 }.cursor());
    }
    let mut known = Vec::with_capacity(asked.len());
    for id in asked {
        match wire::number(id) {
            Some(number) if !known.contains(&number) => known.push(number),
            Some(_) => {}
            None => page.missing.push(id.clone()),
        }
    }
    Ok((page, known))
}

/// Takes over what an answer says beside its records. Of several answers, the first one's time counts: nothing of the
/// page was read before it.
pub(super) fn fill(page: &mut Page, answered: &Answered) {
    if page.server_time.is_none() {
        page.server_time = answered.server_time;
    }
    page.took = page.took.saturating_add(answered.took);
}

/// Whether the store may manage a smaller page: it took too long, or gave up.
fn is_too_much(error: &Error) -> bool {
    let server = error.kind() == ErrorKind::Unavailable
        && error.code() != "maintenance"
        && error.context().iter().any(|(name, _)| *name == "status");
    server || matches!(error.code(), "attempt_timeout" | "read_timeout")
}

pub(super) fn timed(call: ApiRequest, request: &PullRequest) -> ApiRequest {
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn page(ids: &[u64], total: u64) -> Answered {
        let items: Vec<String> = ids.iter().map(|id| format!("{{\"id\":{id}}}")).collect();
        let body = format!("{{\"items\":[{}],\"total_count\":{total}}}", items.join(","));
        Answered { body: Bytes::from(body), server_time: None, took: Duration::ZERO }
    }

    fn taken(ids: &[u64], total: u64, last: u64, seen: u64) -> Result<(Vec<u64>, Option<Position>, u64)> {
        let answered = page(ids, total);
        fresh(&answered, Position { last, seen }).map(|fresh| (fresh.ids, fresh.next, fresh.total))
    }

    #[test]
    fn past_the_end_pages_that_repeat_are_an_error() {
        assert_eq!(taken(&[1, 2], 5, 0, 0).unwrap(), (vec![1, 2], Some(Position { last: 2, seen: 2 }), 5));
        assert_eq!(taken(&[5], 1, 4, 4).unwrap(), (vec![5], None, 5));
        assert_eq!(taken(&[], 0, 5, 5).unwrap(), (vec![], None, 5));
        // The same page once more, whatever it says of its count.
        assert_eq!(taken(&[1, 2], 5, 2, 2).unwrap_err().code(), "page_repeats");
        assert_eq!(taken(&[1, 2], 2, 2, 2).unwrap_err().code(), "page_repeats");
        assert_eq!(taken(&[], 3, 2, 2).unwrap_err().code(), "page_repeats");
    }

    #[test]
    fn duplicate_rows_across_pages_come_once() {
        assert_eq!(
            taken(&[2, 3, 3, 4], 9, 2, 2).unwrap(),
            (vec![3, 4], Some(Position { last: 4, seen: 4 }), 11)
        );
    }

    #[test]
    fn a_single_page_does_not_certify_itself() {
        // Two rows of one record: the store speaks of two records, and one came.
        assert_eq!(taken(&[1, 1], 2, 0, 0).unwrap(), (vec![1], None, 2));
        assert_eq!(taken(&[2, 3], 2, 2, 2).unwrap(), (vec![3], None, 4));
        // More came than the store counts: whether more follows, only the next page says.
        assert_eq!(
            taken(&[1, 2, 3], 1, 0, 0).unwrap(),
            (vec![1, 2, 3], Some(Position { last: 3, seen: 3 }), 1)
        );
    }

    #[test]
    fn a_position_is_read_back_and_a_foreign_one_is_refused() {
        let at = Position { last: 7, seen: 3 };
        assert_eq!(Position::read(Some(&at.cursor())).unwrap(), at);
        for text in ["", "7", "7/", "x/1", "1/2/3", "-1/0"] {
            assert_eq!(Position::read(Some(&Cursor::new(text))).unwrap_err().code(), "cursor_unreadable");
        }
    }
}
