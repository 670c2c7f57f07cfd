//! What a list is asked by: the document, where its nodes stand, and what each node may cost.

use serde_json::{Map, Value, json};

use super::wire::{Order, Position};
use super::{documents, wire};
use crate::connector::{Detail, Select};
use crate::error::Result;
use crate::graphql::Document;
use crate::model::Entity;

/// How many entries of a list within a record come with it. Most records have fewer; what is more is read record
/// by record, to its end.
const COLLECTIONS: u32 = 5;
const MEDIA: u32 = 10;
const METAFIELDS: u32 = 10;
const VARIANTS: u32 = 10;

/// A list of a kind of record.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    pub(super) document: &'static Document,
    /// Where the nodes stand in an answer.
    pub(super) nodes: &'static [&'static str],
    /// The connection that holds them, below the data.
    pub(super) connection: &'static [&'static str],
    entity: Entity,
    detail: Detail,
}

impl List {
    pub(super) fn of(entity: Entity, detail: Detail) -> Self {
        let (document, connection, nodes): (_, &'static [&'static str], &'static [&'static str]) =
            match (entity, detail) {
                (Entity::Variant, Detail::IdsOnly) => {
                    (&documents::VARIANT_IDS, &["productVariants"], &["data", "productVariants", "nodes"])
                }
                (Entity::Variant, _) => {
                    (&documents::VARIANTS, &["productVariants"], &["data", "productVariants", "nodes"])
                }
                (Entity::Category, Detail::IdsOnly) => {
                    (&documents::COLLECTION_IDS, &["collections"], &["data", "collections", "nodes"])
                }
                (Entity::Category, _) => {
                    (&documents::COLLECTIONS, &["collections"], &["data", "collections", "nodes"])
                }
                (_, Detail::IdsOnly) => {
                    (&documents::PRODUCT_IDS, &["products"], &["data", "products", "nodes"])
                }
                (_, Detail::Unclocked) => {
                    (&documents::PRODUCTS_UNCLOCKED, &["products"], &["data", "products", "nodes"])
                }
                (_, Detail::Full) => (&documents::PRODUCTS, &["products"], &["data", "products", "nodes"]),
            };
        Self { document, nodes, connection, entity, detail }
    }

    /// Whether its nodes have lists within them that may go on behind the answer.
    pub(super) fn is_nested(&self) -> bool {
        self.entity != Entity::Category && self.detail != Detail::IdsOnly
    }

    /// How it is sorted. What changed is listed by the time of the change, as the search wants it for such a filter;
    /// variants cannot be sorted by it.
    pub(super) fn order(&self, select: &Select) -> Order {
        match select {
            Select::Since(_) if self.entity != Entity::Variant => Order::Time,
            _ => Order::Id,
        }
    }

    /// The variables of a page.
    pub(super) fn page(&self, select: &Select, position: &Position, first: u32) -> Result<Value> {
        let order = self.order(select);
        let mut variables = sizes(self.entity, self.detail);
        variables.insert("first".to_owned(), first.into());
        variables.insert("after".to_owned(), position.after.clone().into());
        variables.insert("filter".to_owned(), wire::filter(select, order, position.behind)?.into());
        let order = match order {
            Order::Id => "ID",
            Order::Time => "UPDATED_AT",
        };
        variables.insert("order".to_owned(), order.into());
        Ok(Value::Object(variables))
    }
}

/// The document that counts a list, and its field.
pub(super) fn counted(entity: Entity) -> (&'static Document, &'static str) {
    match entity {
        Entity::Variant => (&documents::VARIANTS_COUNTED, "productVariantsCount"),
        Entity::Category => (&documents::COLLECTIONS_COUNTED, "collectionsCount"),
        _ => (&documents::PRODUCTS_COUNTED, "productsCount"),
    }
}

/// The document that reads records by their ids, with its variables.
pub(super) fn by_ids(entity: Entity, gids: &[String]) -> (&'static Document, Value) {
    let document = match entity {
        Entity::Variant => &documents::VARIANTS_BY_ID,
        Entity::Category => &documents::COLLECTIONS_BY_ID,
        _ => &documents::PRODUCTS_BY_ID,
    };
    let mut variables = sizes(entity, Detail::Full);
    variables.insert("ids".to_owned(), json!(gids));
    (document, Value::Object(variables))
}

/// The sizes of the lists within a record.
fn sizes(entity: Entity, detail: Detail) -> Map<String, Value> {
    let sizes: &[(&str, u32)] = match (entity, detail) {
        (Entity::Product, Detail::Full) => &[
            ("collections", COLLECTIONS),
            ("media", MEDIA),
            ("metafields", METAFIELDS),
            ("variants", VARIANTS),
        ],
        (Entity::Product, Detail::Unclocked) => &[("collections", COLLECTIONS), ("media", MEDIA)],
        _ => &[],
    };
    sizes.iter().map(|(name, size)| ((*name).to_owned(), (*size).into())).collect()
}
