//! Lists within a record: what did not come with it is read to its end.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::connector::Shopify;
use super::wire::{self, MAX_PAGE};
use super::{client, documents, map};
use crate::connector::PullRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::{Document, PageInfo};
use crate::model::{Entity, ExternalId, PartKind, RawItems, RawPart};

/// The most pages of one list of one record: 25,000 entries, far more than the platform allows a product.
const MAX_PAGES: u32 = 100;

/// A list within a record: its key, its place in the map, and the document that reads on.
struct Inner {
    key: &'static str,
    place: &'static str,
    document: &'static Document,
}

static OF_VARIANT: [Inner; 1] =
    [Inner { key: "media", place: "/media/nodes", document: &documents::MORE_VARIANT_MEDIA }];

static OF_PRODUCT: [Inner; 4] = [
    Inner { key: "collections", place: "/collections/nodes", document: &documents::MORE_COLLECTIONS },
    Inner { key: "media", place: "/media/nodes", document: &documents::MORE_MEDIA },
    Inner { key: "metafields", place: "/metafields/nodes", document: &documents::MORE_METAFIELDS },
    Inner { key: "variants", place: "/variants/nodes", document: &documents::MORE_VARIANTS },
];

/// A record's lists, as far as they say whether they go on.
#[derive(Debug, Deserialize)]
struct Lists<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    collections: Option<Connection>,
    media: Option<Connection>,
    metafields: Option<Connection>,
    variants: Option<Connection>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    page_info: PageInfo,
}

/// Where a list goes on, where it does: a position that does not move would never end.
pub(super) fn moved(info: PageInfo, from: Option<&str>) -> Result<Option<String>> {
    match info.next()? {
        Some(next) if Some(next.as_str()) == from => Err(stands_still()),
        next => Ok(next),
    }
}

impl Lists<'_> {
    /// Where the list of that key goes on.
    fn rest(&self, key: &str) -> Option<&PageInfo> {
        let connection = match key {
            "collections" => &self.collections,
            "media" => &self.media,
            "metafields" => &self.metafields,
            _ => &self.variants,
        };
        connection.as_ref().map(|connection| &connection.page_info).filter(|page| page.has_next_page)
    }
}

/// How many connections of a body say that they go on. Within texts, quotes are escaped, so that no text counts.
pub(super) fn going_on(body: &[u8]) -> usize {
    const KEY: &[u8] = b"\"hasNextPage\"";
    memchr::memmem::find_iter(body, KEY)
        .filter(|at| {
            let rest = body.get(at + KEY.len()..).unwrap_or_default();
            let mut rest = rest.iter().skip_while(|byte| byte.is_ascii_whitespace() || **byte == b':');
            rest.next() == Some(&b't')
        })
        .count()
}

impl Shopify {
    /// The records of an answer, each with its lists read to their end, and those that were gone before they were.
    pub(super) async fn whole(
        &self,
        request: &PullRequest,
        body: &Bytes,
        nodes: &[&str],
    ) -> Result<(RawItems, Vec<ExternalId>)> {
        let raws: Vec<Option<&RawValue>> =
            serde_json::from_str(wire::at(body, nodes)?.get()).map_err(|_| wire::unreadable())?;
        let (inner, lists): (&[Inner], &'static [&'static str]) = match request.entity {
            Entity::Variant => (&OF_VARIANT, map::VARIANT_LISTS),
            _ => (&OF_PRODUCT, map::PRODUCT_LISTS),
        };
        let (mut pieces, mut gone) = (Pieces::default(), Vec::new());
        for raw in raws.into_iter().flatten() {
            let (bytes, parts) = (pieces.body.len(), pieces.parts.len());
            pieces.add(raw.get(), PartKind::Record)?;
            let record: Lists<'_> = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
            for inner in inner {
                let Some(page) = record.rest(inner.key) else { continue };
                let after = moved(page.clone(), None)?;
                if !self.read_on(request, &record.id, inner, after, &mut pieces).await? {
                    pieces.body.truncate(bytes);
                    pieces.parts.truncate(parts);
                    gone.push(ExternalId::from(wire::number_of(&record.id)));
                    break;
                }
            }
        }
        Ok((RawItems::of_parts(request.entity, pieces.body.freeze(), pieces.parts, lists), gone))
    }

    /// Reads a list on to its end; `false` where its record is gone by now.
    async fn read_on(
        &self,
        request: &PullRequest,
        id: &str,
        inner: &Inner,
        mut after: Option<String>,
        pieces: &mut Pieces,
    ) -> Result<bool> {
        let root = if request.entity == Entity::Variant { "productVariant" } else { "product" };
        for _ in 0..MAX_PAGES {
            if after.is_none() {
                return Ok(true);
            }
            let variables = json!({ "id": id, "first": MAX_PAGE, "after": after });
            let call = self.call(inner.document, &variables, request)?;
            let answered = client::answered(&self.client, self.version, call).await?;
            if wire::at(&answered.body, &["data", root])?.get() == "null" {
                return Ok(false);
            }
            let connection = wire::at(&answered.body, &["data", root, inner.key])?;
            let read: More<'_> = serde_json::from_str(connection.get()).map_err(|_| wire::unreadable())?;
            pieces.add(read.nodes.get(), PartKind::Elements(inner.place))?;
            after = moved(read.page_info, after.as_deref())?;
        }
        Err(stands_still())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct More<'a> {
    #[serde(borrow)]
    nodes: &'a RawValue,
    page_info: PageInfo,
}

fn stands_still() -> Error {
    Error::new(ErrorKind::Protocol, "list_stands_still", "a list of the store does not come to its end")
        .with_remedy("report it: the platform gives the same position again and again")
}

/// A body of pieces of other bodies.
#[derive(Default)]
struct Pieces {
    body: BytesMut,
    parts: Vec<RawPart>,
}

impl Pieces {
    fn add(&mut self, json: &str, kind: PartKind) -> Result<()> {
        let too_large =
            |_| Error::new(ErrorKind::TooLarge, "page_too_large", "a page with all its lists is over 4 GiB");
        let start = u32::try_from(self.body.len()).map_err(too_large)?;
        self.body.extend_from_slice(json.as_bytes());
        let end = u32::try_from(self.body.len()).map_err(too_large)?;
        self.parts.push(RawPart::new(start..end, kind));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::going_on;

    #[test]
    fn only_connections_count_and_no_text_does() {
        let body =
            br#"{"a":{"pageInfo":{"hasNextPage":true}},"b":{"hasNextPage" : true},"c":{"hasNextPage":false},
            "t":"\"hasNextPage\":true"}"#;
        assert_eq!(going_on(body), 2);
    }
}
