//! The platform's scopes, and what each tells.

use crate::connector::Told;
use crate::model::Entity;
use crate::webhook::{EventKind, NoticeKind};

/// Those that are subscribed to. A change of a variant comes as one of its SKU.
static SCOPES: [(&str, Told); 11] = [
    ("store/product/created", Told::Record(EventKind::Created, Entity::Product)),
    ("store/product/updated", Told::Record(EventKind::Updated, Entity::Product)),
    ("store/product/deleted", Told::Record(EventKind::Deleted, Entity::Product)),
    ("store/sku/created", Told::Record(EventKind::Created, Entity::Variant)),
    ("store/sku/updated", Told::Record(EventKind::Updated, Entity::Variant)),
    ("store/sku/deleted", Told::Record(EventKind::Deleted, Entity::Variant)),
    ("store/category/created", Told::Record(EventKind::Created, Entity::Category)),
    ("store/category/updated", Told::Record(EventKind::Updated, Entity::Category)),
    ("store/category/deleted", Told::Record(EventKind::Deleted, Entity::Category)),
    ("store/app/uninstalled", Told::Notice(NoticeKind::Uninstalled)),
    ("store/information/updated", Told::Notice(NoticeKind::StoreChanged)),
];

/// Further ones that are read where somebody else's subscription leads to us.
static READ: [(&str, Told); 4] = [
    ("store/product/inventory/updated", Told::Record(EventKind::Updated, Entity::Product)),
    ("store/product/inventory/order/updated", Told::Record(EventKind::Updated, Entity::Product)),
    ("store/sku/inventory/updated", Told::Record(EventKind::Updated, Entity::Variant)),
    ("store/sku/inventory/order/updated", Told::Record(EventKind::Updated, Entity::Variant)),
];

/// What a scope tells.
pub(super) fn of_scope(scope: &str) -> Option<Told> {
    SCOPES.iter().chain(&READ).find(|(known, _)| *known == scope).map(|(_, told)| *told)
}

/// The scopes that can be subscribed to.
pub(super) fn subscribable() -> impl Iterator<Item = (&'static str, Told)> {
    SCOPES.iter().copied()
}
