//! What goes over the wire: addresses, ids, positions in lists, and the parts of answers that are not records.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::connector::Select;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Cursor, Entity, ExternalId};
use crate::time::Timestamp;

/// The most nodes of a connection that one query can ask for, and the most ids of `nodes` (2026-11-22).
pub(super) const MAX_PAGE: u32 = 250;
/// Lists end at so many nodes, without a word: behind fewer of them, a list is begun anew past the last id.
/// The platform documents 25,000 (2026-11-22).
pub(super) const WINDOW: u64 = 24_000;

/// A query of a large page may take the platform long; past about ten seconds it gives up itself.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(40);
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// A lost answer to a write costs more than a long wait.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(45);

/// The type in a record's global id.
pub(super) const fn type_of(entity: Entity) -> &'static str {
    match entity {
        Entity::Variant => "ProductVariant",
        Entity::Category => "Collection",
        Entity::Product
        | Entity::Media
        | Entity::Tag
        | Entity::Brand
        | Entity::Attribute
        | Entity::AttributeValue
        | Entity::Performance => "Product",
    }
}

/// The global id of a record.
pub(super) fn gid(entity: Entity, id: &str) -> String {
    format!("gid://shopify/{}/{id}", type_of(entity))
}

/// The number in a global id: what stands behind its last slash, without a query.
pub(super) fn number_of(gid: &str) -> &str {
    let last = gid.rsplit('/').next().unwrap_or_default();
    last.split('?').next().unwrap_or_default()
}

/// Whether an id is a number as this platform writes it, from 1 on.
pub(super) fn is_id(id: &ExternalId) -> bool {
    id.as_str().parse::<u64>().is_ok_and(|number| number > 0 && number.to_string() == id.as_str())
}

/// A position in a list: the id that the window begins behind, how many records of the window came before, and
/// the platform's own cursor within it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Position {
    pub(super) behind: u64,
    pub(super) seen: u64,
    pub(super) after: Option<String>,
}

impl Position {
    pub(super) fn read(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self::default()) };
        let mut parts = cursor.as_str().splitn(3, '.');
        let (behind, seen, after) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|part| part.parse().ok());
        match (number(behind), number(seen), after) {
            (Some(behind), Some(seen), Some(after)) => Ok(Self {
                behind,
                seen,
                after: Some(after).filter(|after| !after.is_empty()).map(str::to_owned),
            }),
            _ => Err(unreadable_cursor()),
        }
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor::new(format!("{}.{}.{}", self.behind, self.seen, self.after.as_deref().unwrap_or_default()))
    }
}

/// What a list is narrowed to: what changed since a time, and what stands behind a window's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By ascending id: a window ends behind an id.
    Id,
    /// By the time of the change: a window ends at one, in seconds.
    Time,
}

/// The search query of a list. Times go in UTC with `Z`, and quoted, as the platform's grammar wants them.
pub(super) fn filter(select: &Select, order: Order, behind: u64) -> Result<Option<String>> {
    let since = match select {
        Select::Since(since) => Some(*since),
        Select::All | Select::Ids(_) | Select::Window(_) => None,
    };
    let changed = |since| format!("updated_at:>='{since}'");
    Ok(match (since, order, behind) {
        (None, _, 0) => None,
        (None, _, behind) => Some(format!("id:>{behind}")),
        (Some(since), _, 0) => Some(changed(since)),
        (Some(since), Order::Id, behind) => Some(format!("{} AND id:>{behind}", changed(since))),
        (Some(_), Order::Time, behind) => {
            let seconds = i64::try_from(behind).map_err(|_| unreadable_cursor())?;
            Some(changed(Timestamp::from_unix_seconds(seconds)?))
        }
    })
}
/// A node of which only the id is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct IdOnly<'a> {
    #[serde(borrow)]
    pub(super) id: Option<std::borrow::Cow<'a, str>>,
}

/// The value at a path of keys of an answer, in its own bytes.
pub(super) fn at<'b>(body: &'b Bytes, path: &[&str]) -> Result<&'b RawValue> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
    let mut raw: &'b RawValue = serde_json::from_str(text).map_err(|_| unreadable())?;
    for key in path {
        raw = member(raw, key)?;
    }
    Ok(raw)
}

fn member<'b>(raw: &'b RawValue, key: &str) -> Result<&'b RawValue> {
    let members: std::collections::BTreeMap<std::borrow::Cow<'b, str>, &'b RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| unreadable())?;
    members.get(key).copied().ok_or_else(unreadable)
}

/// The ids of the nodes at a path, null where a node is not there.
pub(super) fn ids(body: &Bytes, path: &[&str]) -> Result<Vec<Option<ExternalId>>> {
    let nodes: Vec<Option<IdOnly<'_>>> =
        serde_json::from_str(at(body, path)?.get()).map_err(|_| unreadable())?;
    Ok(nodes
        .into_iter()
        .map(|node| node.and_then(|node| node.id).map(|id| ExternalId::from(number_of(&id))))
        .collect())
}

/// When the last node at a path was changed, in seconds; none where there is no node.
pub(super) fn last_change(body: &Bytes, path: &[&str]) -> Result<Option<u64>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Changed {
        updated_at: Timestamp,
    }
    let nodes: Vec<Option<Changed>> =
        serde_json::from_str(at(body, path)?.get()).map_err(|_| unreadable())?;
    let last = nodes.into_iter().flatten().next_back();
    Ok(last.and_then(|last| u64::try_from(last.updated_at.unix_seconds()).ok()))
}

fn unreadable_cursor() -> Error {
    Error::new(ErrorKind::Config, "cursor_unreadable", "the cursor is not one of this connector")
}

pub(super) fn unreadable() -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", "the store's answer is not what was asked for")
        .with_remedy("report it: the platform may have changed its answers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_others_are_refused() {
        for position in [
            Position::default(),
            Position { behind: 7, seen: 250, after: Some("eyJsYXN0.X2lk==".to_owned()) },
            Position { behind: u64::MAX, seen: 0, after: None },
        ] {
            assert_eq!(Position::read(Some(&position.cursor())).unwrap(), position);
        }
        for wrong in ["", "7", "1.2", "a.0.x", "-1.0.x"] {
            let error = Position::read(Some(&Cursor::new(wrong))).unwrap_err();
            assert_eq!(error.code(), "cursor_unreadable", "{wrong}");
        }
    }

    #[test]
    fn filters_are_in_the_platforms_grammar() {
        let since = Select::Since("2026-11-22T10:00:00Z".parse().unwrap());
        let filter =
            |select: &Select, order, behind| filter(select, order, behind).unwrap().unwrap_or_default();
        assert_eq!(filter(&Select::All, Order::Id, 0), "");
        assert_eq!(filter(&Select::All, Order::Id, 9), "id:>9");
        assert_eq!(filter(&since, Order::Time, 0), "updated_at:>='2026-11-22T10:00:00Z'");
        assert_eq!(filter(&since, Order::Id, 9), "updated_at:>='2026-11-22T10:00:00Z' AND id:>9");
        assert_eq!(filter(&since, Order::Time, 1_795_428_060), "updated_at:>='2026-11-23T10:01:00Z'");
    }

    #[test]
    fn ids_are_numbers_of_global_ids() {
        assert_eq!(gid(Entity::Variant, "5"), "gid://shopify/ProductVariant/5");
        assert_eq!(number_of("gid://shopify/InventoryLevel/123?inventory_item_id=456"), "123");
        let body =
            Bytes::from_static(br#"{"data":{"nodes":[{"id":"gid:\/\/shopify\/Product\/7"},null,{}]}}"#);
        let ids = ids(&body, &["data", "nodes"]).unwrap();
        assert_eq!(ids, [Some("7".into()), None, None]);
        for (id, known) in [("7", true), ("0", false), ("07", false), ("x", false), ("-7", false)] {
            assert_eq!(is_id(&id.into()), known, "{id}");
        }
    }
}
