//! Attributes and their values. Categories, tags and brands are lists as products are.
//!
//! The attributes come in one answer. Each has a list of values of its own, so a list of all values costs one call
//! for the attributes and one or more for each of them; their ids are unique over all attributes (a term's id),
//! but an id does not say which attribute it belongs to: values are read by id by asking attribute by attribute.

use super::PLATFORM;
use super::connector::WooCommerce;
use super::read::{asked, fill, next_offset, page_size, timed};
use super::wire::{self, MAX_PAGE, Offset};
use crate::connector::{Detail, Joint, Page, PullRequest, Purpose, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Cursor, Entity, ExternalId, RawItems, RecordRef, Shape};

/// The most attributes that a position names; far more than a shop can show.
const MAX_ATTRIBUTES: usize = 2_000;

/// Where a walk over the values of all attributes stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Walk {
    /// The attributes that are left.
    attributes: Vec<u64>,
    /// How many of the first one's values were read before.
    offset: u64,
    /// How many values it said to have when its first page came.
    said: Option<u64>,
    /// How many values those before it said to have.
    sum: u64,
    /// Whether the sum is exact: each said a number, and no number moved.
    exact: bool,
}

impl Walk {
    fn new(attributes: Vec<u64>) -> Self {
        Self { attributes, offset: 0, said: None, sum: 0, exact: true }
    }

    fn read(cursor: &Cursor) -> Result<Self> {
        Self::parse(cursor.as_str()).ok_or_else(|| {
            Error::new(ErrorKind::Config, "cursor_unreadable", "the cursor is not one of this connector")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [attributes, offset, said, sum, exact] = parts.as_slice() else { return None };
        let attributes: Option<Vec<u64>> = attributes.split(',').map(|id| id.parse().ok()).collect();
        Some(Self {
            attributes: attributes.filter(|ids| ids.len() <= MAX_ATTRIBUTES)?,
            offset: offset.parse().ok()?,
            said: if *said == "-" { None } else { Some(said.parse().ok()?) },
            sum: sum.parse().ok()?,
            exact: exact.parse().ok()?,
        })
    }

    fn cursor(&self) -> Cursor {
        let attributes: Vec<String> = self.attributes.iter().map(u64::to_string).collect();
        let said = self.said.map_or_else(|| "-".to_owned(), |said| said.to_string());
        let attributes = attributes.join(",");
        Cursor::new(format!("{attributes}/{}/{said}/{}/{}", self.offset, self.sum, self.exact))
    }
}

impl WooCommerce {
    /// All attributes: the platform gives no pages of them.
    pub(super) async fn attributes_page(&self, request: &PullRequest) -> Result<Page> {
        let mut page = Page::default();
        let answered = self.attributes(request, request.detail, "").await?;
        fill(&mut page, &answered);
        page.total = answered.total.map_or(Total::NotGiven, Total::Exact);
        page.items = vec![RawItems::new(Entity::Attribute, answered.body, Shape::List)];
        Ok(page)
    }

    /// Attributes by id: out of the one answer that has them all.
    pub(super) async fn attribute_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, known) = asked(request, ids, MAX_PAGE as usize)?;
        if known.is_empty() {
            return Ok(page);
        }
        let nonce = self.nonce(request.purpose)?;
        let answered = self.attributes(request, request.detail, &nonce).await?;
        fill(&mut page, &answered);
        let (body, found) = wire::keep(&answered.body, &known)?;
        page.missing.extend(known.into_iter().filter(|id| !found.contains(id)));
        page.items = vec![RawItems::new(Entity::Attribute, body, Shape::List)];
        Ok(page)
    }

    async fn attributes(&self, request: &PullRequest, detail: Detail, nonce: &str) -> Result<wire::Answered> {
        let call = timed(wire::attributes(detail, request.purpose, nonce).lane(request.lane), request);
        self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await
    }

    /// The attributes' ids, ascending.
    async fn attribute_ids(&self, request: &PullRequest, nonce: &str, page: &mut Page) -> Result<Vec<u64>> {
        let answered = self.attributes(request, Detail::IdsOnly, nonce).await?;
        fill(page, &answered);
        let ids = wire::ids(&answered.body)?;
        let mut ids: Vec<u64> = ids.iter().filter_map(|id| id.as_str().parse().ok()).collect();
        ids.sort_unstable();
        if ids.len() > MAX_ATTRIBUTES {
            return Err(Error::new(
                ErrorKind::Protocol,
                "too_many_attributes",
                format!("at most {MAX_ATTRIBUTES} attributes are followed, and the store has {}", ids.len()),
            ));
        }
        Ok(ids)
    }

    /// Lets an answer count that an attribute is not there, where the attributes name it no more.
    async fn must_be_gone(&self, request: &PullRequest, attribute: u64, said: Error) -> Result<()> {
        let request = PullRequest { purpose: Purpose::Verify, ..request.clone() };
        let nonce = self.nonce(request.purpose)?;
        if !self.attribute_ids(&request, &nonce, &mut Page::default()).await?.contains(&attribute) {
            return Ok(());
        }
        let what = "the store lists an attribute, and does not find its values";
        Err(Error::new(ErrorKind::Protocol, "values_not_found", what)
            .with_context("attribute", attribute.to_string())
            .with_source(said)
            .with_remedy(
                "look for a plugin or firewall that answers for the attribute; save it again in the shop",
            ))
    }

    /// A page of one attribute's values.
    pub(super) async fn values_page(&self, request: &PullRequest) -> Result<Page> {
        let mut page = Page::default();
        let mut walk = match &request.cursor {
            Some(cursor) => Walk::read(cursor)?,
            None => Walk::new(self.attribute_ids(request, "", &mut page).await?),
        };
        page.joint = if walk.offset == 0 { Joint::NextParent } else { Joint::SharedRecord };
        let Some(attribute) = walk.attributes.first().copied() else {
            page.total = Total::Exact(0);
            return Ok(page);
        };
        let (offset, path) = (Offset(walk.offset), wire::values_of(attribute));
        let read = self
            .answered_list(request, page_size(request), |per_page| {
                let (entity, detail) = (request.entity, request.detail);
                wire::list_at(path.clone(), entity, &request.select, detail, offset, per_page)
            })
            .await;
        let next = match read {
            Ok((answered, per_page)) => {
                fill(&mut page, &answered);
                walk.exact &= answered.total.is_some() && (offset.0 == 0 || walk.said == answered.total);
                walk.said = answered.total;
                let next = next_offset(&answered, offset, per_page, request)?;
                let below = RecordRef::new(PLATFORM, Entity::Attribute, attribute.to_string());
                let items = RawItems::new(Entity::AttributeValue, answered.body, Shape::List);
                page.items = vec![items.below(below)];
                next
            }
            // It was deleted since the attributes were listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.must_be_gone(request, attribute, error).await?;
                walk.exact = false;
                None
            }
            Err(error) => return Err(error),
        };
        match next {
            Some((offset, _)) => walk.offset = offset,
            None => {
                walk.sum = walk.sum.saturating_add(walk.said.take().unwrap_or(0));
                walk.offset = 0;
                walk.attributes.remove(0);
            }
        }
        let is_last = walk.attributes.is_empty();
        page.total = match walk.exact {
            // Each list's own number, all together, is known only once the last one came.
            true if is_last => Total::Exact(walk.sum),
            true => Total::AtLeast(walk.sum.saturating_add(walk.said.unwrap_or(0))),
            false => Total::NotGiven,
        };
        if !is_last {
            page.next = Some(walk.cursor());
        }
        Ok(page)
    }

    /// Values by id: each attribute is asked for those that none before it had.
    pub(super) async fn value_ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let (mut page, mut left) = asked(request, ids, MAX_PAGE as usize)?;
        if left.is_empty() {
            return Ok(page);
        }
        let nonce = self.nonce(request.purpose)?;
        let purpose = request.purpose;
        for attribute in self.attribute_ids(request, &nonce, &mut page).await? {
            if left.is_empty() {
                break;
            }
            let (from, path) = (page.items.len(), wire::values_of(attribute));
            let found = self
                .found_in_list(request, &left, &mut page, |ids| {
                    let (entity, detail) = (request.entity, request.detail);
                    wire::by_ids_at(path.clone(), entity, ids, detail, purpose, &nonce)
                })
                .await;
            left = match found {
                Ok(left) => left,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.must_be_gone(request, attribute, error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let below = RecordRef::new(PLATFORM, Entity::Attribute, attribute.to_string());
            for items in page.items.iter_mut().skip(from) {
                items.below = Some(below.clone());
            }
        }
        page.missing.extend(left);
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_a_foreign_one_is_refused() {
        let walk = Walk { attributes: vec![1, 3, 7], offset: 99, said: Some(130), sum: 12, exact: false };
        assert_eq!(Walk::read(&walk.cursor()).unwrap(), walk);
        assert_eq!(Walk::read(&Walk::new(vec![2]).cursor()).unwrap(), Walk::new(vec![2]));
        for text in ["", "1", "1,2/0/-/0", "1,x/0/-/0/true", "1/0/-/0/true/9", "1/-1/-/0/true"] {
            assert_eq!(Walk::read(&Cursor::new(text)).unwrap_err().code(), "cursor_unreadable");
        }
    }
}
