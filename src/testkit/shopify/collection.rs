//! Collections of products.

use super::connection::{self, Item, Key};
use super::errors::FieldError;
use super::metafield;
use super::search;
use super::state::State;
use super::translation;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use crate::time::Timestamp;

/// A collection as the shop keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collection {
    /// The number of its id.
    pub id: u64,
    /// The title.
    pub title: String,
    /// The part of its address.
    pub handle: String,
    /// The description, as HTML.
    pub description_html: String,
    /// The title for search engines.
    pub seo_title: Option<String>,
    /// The description for search engines.
    pub seo_description: Option<String>,
    /// The products, in order.
    pub products: Vec<u64>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Collection {
    /// Makes a collection without products.
    #[must_use]
    pub fn new(id: u64, title: &str, now: Timestamp) -> Self {
        Self {
            id,
            title: title.to_owned(),
            handle: super::state::handle_of(title),
            description_html: String::new(),
            seo_title: None,
            seo_description: None,
            products: Vec::new(),
            updated_at: now,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn gid(&self) -> String {
        gid("Collection", self.id)
    }

    pub(super) fn searched(&self, field: &str) -> Vec<search::Value> {
        use search::Value;
        match field {
            "id" => vec![Value::Number(self.id)],
            "updated_at" => vec![Value::Time(self.updated_at)],
            "title" => vec![Value::Text(self.title.clone())],
            "handle" => vec![Value::Text(self.handle.clone())],
            _ => vec![Value::Words(self.title.clone())],
        }
    }
}

/// A collection as an item of a list.
pub(super) fn item(collection: &Collection, args: &Args) -> Item {
    let key = match args.text("sortKey") {
        Some("TITLE") => Key::Text(collection.title.to_lowercase()),
        Some("UPDATED_AT") => Key::Number(collection.updated_at.unix_millis()),
        _ => Key::Number(i64::try_from(collection.id).unwrap_or(i64::MAX)),
    };
    (key, collection.id, Obj::Collection(collection.id))
}

/// A field of a collection.
pub(super) fn field(state: &State, id: u64, name: &str, args: &Args) -> Result<Out, FieldError> {
    let Some(collection) = state.collections.get(&id) else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(collection.gid()),
        "legacyResourceId" => Out::text(id.to_string()),
        "title" => Out::text(&collection.title),
        "handle" => Out::text(&collection.handle),
        "descriptionHtml" => Out::text(&collection.description_html),
        "description" => {
            Out::text(super::product::plain_text(&collection.description_html, args.int("truncateAt")))
        }
        "updatedAt" => Out::time(collection.updated_at),
        "sortOrder" => Out::text("MANUAL"),
        "templateSuffix" | "image" => Out::NULL,
        "seo" => Out::record(
            "SEO",
            vec![
                ("title", Out::maybe(collection.seo_title.as_ref())),
                ("description", Out::maybe(collection.seo_description.as_ref())),
            ],
        ),
        "productsCount" => super::count::exact(collection.products.len()),
        "hasProduct" => {
            let wanted = args.text("id").and_then(|id| number_of(id, "Product"));
            Out::bool(wanted.is_some_and(|wanted| collection.products.contains(&wanted)))
        }
        "products" => {
            let items = collection.products.iter().map(|id| (*id, Obj::Product(*id)));
            Out::Page(connection::page_in_order(items, args)?)
        }
        "publishedOnPublication" => Out::bool(true),
        "metafield" | "metafields" => {
            metafield::of_owner(state, metafield::Owner::Collection(id), name, args)?
        }
        "translations" => translation::published(state, &collection.gid(), args),
        _ => return Err(FieldError::undefined("Collection", name)),
    })
}
