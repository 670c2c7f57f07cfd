//! Translations, guarded by the digest of what they translate.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::connection;
use super::errors::FieldError;
use super::metafield::{self, hex};
use super::state::State;
use super::value::{Args, Obj, Out, Read, read_gid};
use crate::time::Timestamp;

/// The translations of the shop, by resource, language and key.
pub(super) type Translations = BTreeMap<(String, String, String), Translation>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Translation {
    pub(super) value: String,
    /// The digest of the text that was translated.
    pub(super) digest: String,
    pub(super) updated_at: Timestamp,
}

/// A text that can be translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) kind: &'static str,
}

impl Content {
    fn new(key: &str, value: &str, kind: &'static str) -> Self {
        Self { key: key.to_owned(), value: value.to_owned(), kind }
    }

    pub(super) fn digest(&self) -> String {
        hex(&Sha256::digest(self.value.as_bytes()))
    }
}

/// What of a resource can be translated; `None` where there is no such resource.
pub(super) fn contents(state: &State, resource: &str) -> Option<Vec<Content>> {
    const LINE: &str = "SINGLE_LINE_TEXT_FIELD";
    let mut found = Vec::new();
    let mut add = |key: &str, value: Option<&str>, kind| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            found.push(Content::new(key, value, kind));
        }
    };
    let (type_name, id) = read_gid(resource)?;
    match type_name {
        "Product" => {
            let product = state.products.get(&id)?;
            add("title", Some(&product.title), LINE);
            add("body_html", Some(&product.description_html), "HTML");
            add("handle", Some(&product.handle), "URI");
            add("product_type", Some(&product.product_type), LINE);
            add("meta_title", product.seo_title.as_deref(), LINE);
            add("meta_description", product.seo_description.as_deref(), LINE);
        }
        "Collection" => {
            let collection = state.collections.get(&id)?;
            add("title", Some(&collection.title), LINE);
            add("body_html", Some(&collection.description_html), "HTML");
            add("handle", Some(&collection.handle), "URI");
            add("meta_title", collection.seo_title.as_deref(), LINE);
            add("meta_description", collection.seo_description.as_deref(), LINE);
        }
        "Metafield" => {
            let (_, metafield) = metafield::find(state, id)?;
            add("value", Some(&metafield.value), LINE);
        }
        "ProductOption" => {
            let mut options = state.products.values().flat_map(|product| &product.options);
            add("name", Some(&options.find(|option| option.id == id)?.name), LINE);
        }
        "ProductOptionValue" => {
            let options = state.products.values().flat_map(|product| &product.options);
            let mut values = options.flat_map(|option| &option.values);
            add("name", Some(&values.find(|value| value.id == id)?.name), LINE);
        }
        "Shop" if id == state.shop.id => add("meta_title", Some(&state.shop.name), LINE),
        _ => return None,
    }
    Some(found)
}

/// The translations of a resource in a language, as `translations` fields give them.
pub(super) fn of(state: &State, resource: &str, args: &Args) -> Out {
    let locale = args.text("locale").unwrap_or_default();
    let wanted = args.get("outdated").and_then(serde_json::Value::as_bool);
    if args.text("marketId").is_some() {
        return Out::List(Vec::new());
    }
    let contents = contents(state, resource).unwrap_or_default();
    let from = (resource.to_owned(), locale.to_owned(), String::new());
    let found = state
        .translations
        .range(from..)
        .take_while(|((known, language, _), _)| known == resource && language == locale);
    let records = found.filter_map(|((_, _, key), translation)| {
        let current = contents.iter().find(|content| content.key == *key);
        let outdated = current.is_none_or(|content| content.digest() != translation.digest);
        wanted.is_none_or(|wanted| wanted == outdated).then(|| record(key, locale, translation, outdated))
    });
    Out::List(records.collect())
}

/// The same, of published languages only: what the fields of the records themselves give.
pub(super) fn published(state: &State, resource: &str, args: &Args) -> Out {
    let locale = args.text("locale").unwrap_or_default();
    let is_published = state.shop.locales.iter().any(|known| known.code == locale && known.published);
    if is_published { of(state, resource, args) } else { Out::List(Vec::new()) }
}

pub(super) fn record(key: &str, locale: &str, translation: &Translation, outdated: bool) -> Out {
    Out::record(
        "Translation",
        vec![
            ("key", Out::text(key)),
            ("locale", Out::text(locale)),
            ("value", Out::text(&translation.value)),
            ("outdated", Out::bool(outdated)),
            ("updatedAt", Out::time(translation.updated_at)),
        ],
    )
}

/// A field of a resource that can be translated.
pub(super) fn field(state: &State, resource: &str, name: &str, args: &Args) -> Result<Out, FieldError> {
    Ok(match name {
        "resourceId" => Out::text(resource),
        "translatableContent" => {
            let primary = state.shop.locales.first().map_or("en", |locale| locale.code.as_str());
            let contents = contents(state, resource).unwrap_or_default();
            let records = contents.into_iter().map(|content| {
                Out::record(
                    "TranslatableContent",
                    vec![
                        ("digest", Out::text(content.digest())),
                        ("locale", Out::text(primary)),
                        ("type", Out::text(content.kind)),
                        ("key", Out::text(content.key)),
                        ("value", Out::text(content.value)),
                    ],
                )
            });
            Out::List(records.collect())
        }
        "translations" => of(state, resource, args),
        "nestedTranslatableResources" => {
            let items = nested(state, resource, args.text("resourceType"));
            Out::Page(connection::page_in_order(items.into_iter(), args)?)
        }
        _ => return Err(FieldError::undefined("TranslatableResource", name)),
    })
}

fn nested(state: &State, resource: &str, wanted: Option<&str>) -> Vec<(u64, Obj)> {
    let Some(("Product", id)) = read_gid(resource) else { return Vec::new() };
    let Some(product) = state.products.get(&id) else { return Vec::new() };
    let mut found: Vec<(u64, Obj)> = Vec::new();
    let mut add = |kind: &str, type_name: &str, id: u64| {
        if wanted.is_none_or(|wanted| wanted == kind) {
            found.push((id, Obj::Translatable(super::value::gid(type_name, id))));
        }
    };
    for option in &product.options {
        add("PRODUCT_OPTION", "ProductOption", option.id);
        for value in &option.values {
            add("PRODUCT_OPTION_VALUE", "ProductOptionValue", value.id);
        }
    }
    for metafield in state.metafields.get(&metafield::Owner::Product(id)).into_iter().flatten() {
        add("METAFIELD", "Metafield", metafield.id);
    }
    found
}

/// `translatableResources` and `translatableResourcesByIds`.
pub(super) fn list(state: &State, name: &str, args: &Args) -> Result<Out, FieldError> {
    let ids: Vec<(u64, String)> = if name == "translatableResourcesByIds" {
        let given = args.texts("resourceIds").into_iter();
        given
            .filter(|id| contents(state, id).is_some())
            .filter_map(|id| read_gid(&id).map(|(_, number)| number).map(|number| (number, id)))
            .collect()
    } else {
        match args.text("resourceType") {
            Some("PRODUCT") => state.products.values().map(|product| (product.id, product.gid())).collect(),
            Some("COLLECTION") => state.collections.values().map(|it| (it.id, it.gid())).collect(),
            Some("METAFIELD") => state.metafields.values().flatten().map(|it| (it.id, it.gid())).collect(),
            Some("PRODUCT_OPTION") => state
                .products
                .values()
                .flat_map(|product| &product.options)
                .map(|option| (option.id, super::value::gid("ProductOption", option.id)))
                .collect(),
            _ => Vec::new(),
        }
    };
    let items = ids.into_iter().map(|(number, id)| (number, Obj::Translatable(id)));
    Ok(Out::Page(connection::page_in_order(items, args)?))
}
