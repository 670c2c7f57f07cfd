//! Deletions, out of the events of the shop's timeline: they are kept for a year (QueryRoot.events, SDL 2026-10).
//!
//! UNVERIFIED: that a deletion is the action `destroy`, how late an event comes, whether each kind has them, and
//! which rights they need. So what is told is read by id, and what is not told proves nothing.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::connector::Shopify;
use super::nested::moved;
use super::wire::{self, MAX_PAGE};
use super::{client, documents};
use crate::connector::{DeletionSource, Deletions};
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::PageInfo;
use crate::model::{Cursor, Entity, ExternalId};
use crate::time::Timestamp;

const DELETED: &str = "destroy";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    nodes: Vec<Event>,
    page_info: PageInfo,
}

/// An event; of another kind than that of a deletion it has none of these.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Event {
    action: String,
    subject_id: String,
    subject_type: String,
}

/// The platform's word for a kind of record, as the subject of an event and within its ids.
fn words(entity: Entity) -> Option<(&'static str, &'static str)> {
    match entity {
        Entity::Product => Some(("PRODUCT", "gid://shopify/Product/")),
        Entity::Variant => Some(("PRODUCT_VARIANT", "gid://shopify/ProductVariant/")),
        Entity::Category => Some(("COLLECTION", "gid://shopify/Collection/")),
        _ => None,
    }
}

#[async_trait]
impl DeletionSource for Shopify {
    fn tells(&self, entity: Entity) -> bool {
        words(entity).is_some()
    }

    async fn deleted_since(
        &self,
        entity: Entity,
        since: Timestamp,
        cursor: Option<&Cursor>,
    ) -> Result<Deletions> {
        let Some((subject, prefix)) = words(entity) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "deletions_unsupported",
                format!("the store tells no deletions of the kind {entity}"),
            ));
        };
        let after = cursor.map(Cursor::as_str);
        let filter = format!("action:{DELETED} AND subject_type:{subject} AND created_at:>='{since}'");
        let variables = json!({ "first": MAX_PAGE, "after": after, "filter": filter });
        let call = documents::DELETION_EVENTS.request(self.version.path(), &variables)?;
        let events: Option<Events> = client::member(&self.client, call, &["events"]).await?;
        let Some(Events { nodes, page_info }) = events else { return Ok(Deletions::default()) };
        let ids = nodes.into_iter().filter_map(|event| event.deleted(subject, prefix)).collect();
        Ok(Deletions::new(ids, moved(page_info, after)?.map(Cursor::new)))
    }
}

impl Event {
    /// The id of the record that it tells as deleted. The filter is the platform's; what it lets through is looked
    /// at once more.
    fn deleted(self, subject: &str, prefix: &str) -> Option<ExternalId> {
        if self.action != DELETED || self.subject_type != subject {
            return None;
        }
        Some(ExternalId::from(self.subject_id.strip_prefix(prefix)?.to_owned())).filter(wire::is_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_let_through_is_looked_at_once_more() {
        let (subject, prefix) = words(Entity::Product).unwrap();
        let deleted = |event: &str| {
            let event: Event = serde_json::from_str(event).unwrap();
            event.deleted(subject, prefix).map(|id| id.to_string())
        };
        let own = r#"{"action":"destroy","subjectType":"PRODUCT","subjectId":"gid://shopify/Product/7"}"#;
        assert_eq!(deleted(own).as_deref(), Some("7"));
        for (one, other) in [
            ("destroy", "update"),
            ("\"PRODUCT\"", "\"PRODUCT_VARIANT\""),
            ("Product/7", "ProductVariant/7"),
            ("Product/7", "Product/x"),
        ] {
            assert_eq!(deleted(&own.replace(one, other)), None, "{other}");
        }
        assert_eq!(deleted("{}"), None, "an event of another kind");
    }
}
