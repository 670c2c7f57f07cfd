//! The platform's topics, as headers and subscriptions name them, and what each tells.

use crate::connector::Told;
use crate::model::Entity;
use crate::webhook::{EventKind, NoticeKind};

/// What a body is cut down to: the record is read again, so its content would be carried for nothing.
const RECORD: &[&str] = &["id", "admin_graphql_api_id", "updated_at"];
/// Of a shop's body, without the owner's address and telephone.
const SHOP: &[&str] = &["id", "myshopify_domain"];
/// A body that is small already.
const WHOLE: &[&str] = &[];

/// A topic.
#[derive(Debug)]
pub(super) struct Topic {
    /// As headers name it.
    pub(super) path: &'static str,
    /// As subscriptions name it; none where only the app's own settings can subscribe to it.
    pub(super) name: Option<&'static str>,
    /// What it tells.
    pub(super) told: Told,
    /// The fields that a body is cut down to; all where there is none.
    pub(super) fields: &'static [&'static str],
}

const fn record(
    path: &'static str,
    name: &'static str,
    kind: EventKind,
    entity: Entity,
    fields: &'static [&'static str],
) -> Topic {
    Topic { path, name: Some(name), told: Told::Record(kind, entity), fields }
}

const fn notice(
    path: &'static str,
    name: Option<&'static str>,
    kind: NoticeKind,
    fields: &'static [&'static str],
) -> Topic {
    Topic { path, name, told: Told::Notice(kind), fields }
}

/// Those that are known. There is none of variants: a change of one comes as a change of its product.
static TOPICS: [Topic; 13] = [
    record("products/create", "PRODUCTS_CREATE", EventKind::Created, Entity::Product, RECORD),
    record("products/update", "PRODUCTS_UPDATE", EventKind::Updated, Entity::Product, RECORD),
    record("products/delete", "PRODUCTS_DELETE", EventKind::Deleted, Entity::Product, WHOLE),
    record("collections/create", "COLLECTIONS_CREATE", EventKind::Created, Entity::Category, RECORD),
    record("collections/update", "COLLECTIONS_UPDATE", EventKind::Updated, Entity::Category, RECORD),
    record("collections/delete", "COLLECTIONS_DELETE", EventKind::Deleted, Entity::Category, WHOLE),
    notice("app/uninstalled", Some("APP_UNINSTALLED"), NoticeKind::Uninstalled, SHOP),
    notice("app/scopes_update", Some("APP_SCOPES_UPDATE"), NoticeKind::RightsChanged, WHOLE),
    notice("shop/update", Some("SHOP_UPDATE"), NoticeKind::StoreChanged, SHOP),
    notice("bulk_operations/finish", Some("BULK_OPERATIONS_FINISH"), NoticeKind::JobFinished, WHOLE),
    notice("customers/data_request", None, NoticeKind::PersonAsks, WHOLE),
    notice("customers/redact", None, NoticeKind::ErasePerson, WHOLE),
    notice("shop/redact", None, NoticeKind::EraseStore, WHOLE),
];

/// The topic of a header.
pub(super) fn of_path(path: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.path == path)
}

/// The topic of a subscription.
pub(super) fn of_name(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == Some(name))
}

/// The topics that can be subscribed to, with their names.
pub(super) fn subscribable() -> impl Iterator<Item = (&'static str, &'static Topic)> {
    TOPICS.iter().filter_map(|topic| Some((topic.name?, topic)))
}
