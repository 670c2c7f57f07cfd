//! What the store knows of names, and which records show a picture.

use std::collections::HashMap;

use serde::Deserialize;

use super::connector::WooCommerce;
use super::{PLATFORM, wire};
use crate::connector::{Known, LookUp};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::mapping::read_escaped;
use crate::model::{Entity, Normaliser, RecordRef, Text};

/// The most pages of a list of names: ten thousand names.
const MAX_NAME_PAGES: u32 = 100;
/// The most pages of a list of records: two hundred thousand records.
const MAX_RECORD_PAGES: u32 = 2000;

/// A term, or an attribute, with its name as the platform escapes it.
#[derive(Debug, Deserialize)]
struct Named {
    id: u64,
    #[serde(default)]
    name: String,
}

/// A product or variation with its item number.
#[derive(Debug, Deserialize)]
struct Numbered {
    id: u64,
    #[serde(default)]
    global_unique_id: Option<String>,
}

/// A product or variation with its pictures.
#[derive(Debug, Deserialize)]
struct Showing {
    id: u64,
    #[serde(default)]
    images: Vec<Picture>,
    #[serde(default)]
    image: Option<Picture>,
}

#[derive(Debug, Deserialize)]
struct Picture {
    id: u64,
}

impl WooCommerce {
    pub(super) async fn look_up_names(&self, look_up: &LookUp) -> Result<Vec<Known>> {
        let (path, names) = match look_up {
            LookUp::Names { field, names } => match field.as_str() {
                "categories" => ("wp-json/wc/v3/products/categories".to_owned(), names),
                "brands" => ("wp-json/wc/v3/products/brands".to_owned(), names),
                "attributes" => ("wp-json/wc/v3/products/attributes".to_owned(), names),
                "slug" => return self.owners_of_slugs(names).await,
                "gtin" => return self.owners_of_item_numbers(names).await,
                _ => return Err(no_names()),
            },
            LookUp::Values { attribute, names } if wire::is_id(attribute) => {
                (format!("wp-json/wc/v3/products/attributes/{attribute}/terms"), names)
            }
            LookUp::Values { .. } => return Err(no_names()),
        };
        let all: Vec<Named> = self.whole_list(&path, "id,name", MAX_NAME_PAGES).await?;
        let folded = |name: &str| Normaliser::Folded1.apply(name).into_owned();
        let all: Vec<(u64, Text, String)> = all
            .into_iter()
            .map(|named| {
                let name = read_escaped(&named.name);
                (named.id, Text::from(name.as_ref()), folded(&name))
            })
            .collect();
        let known = names.iter().map(|name| {
            let name = folded(name);
            let mut found = all.iter().filter(|(_, _, known)| *known == name);
            match (found.next(), found.next()) {
                (None, _) => Known::No,
                (Some((id, name, _)), None) => Known::One { id: id.to_string().into(), name: name.clone() },
                (Some(_), Some(_)) => Known::Several,
            }
        });
        Ok(known.collect())
    }

    async fn owners_of_slugs(&self, slugs: &[Text]) -> Result<Vec<Known>> {
        let mut known = Vec::with_capacity(slugs.len());
        for slug in slugs {
            let call = ApiRequest::get("wp-json/wc/v3/products")
                .query("slug", slug.as_str())
                .query("status", "any")
                .query("_fields", "id");
            let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await?;
            known.push(match wire::ids(&answered.body)?.as_slice() {
                [] => Known::No,
                [one] => Known::One { id: one.clone(), name: slug.clone() },
                _ => Known::Several,
            });
        }
        Ok(known)
    }

    /// The products and variations that have each item number. The search takes parts of numbers, and a store that
    /// does not know its field looks elsewhere: what does not have the number itself is passed over.
    async fn owners_of_item_numbers(&self, numbers: &[Text]) -> Result<Vec<Known>> {
        let mut known = Vec::with_capacity(numbers.len());
        for number in numbers {
            let call = ApiRequest::get("wp-json/wc/v3/products")
                .query("search", number.as_str())
                .query("search_fields", "global_unique_id")
                .query("status", "any")
                .query("per_page", wire::MAX_PAGE.to_string())
                .query("_fields", "id,global_unique_id");
            let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await?;
            let owners: Vec<Numbered> = wire::read_list(&answered.body)?;
            let mut owners =
                owners.into_iter().filter(|owner| owner.global_unique_id.as_deref() == Some(number.as_str()));
            known.push(match (owners.next(), owners.next()) {
                (None, _) => Known::No,
                (Some(one), None) => Known::One { id: one.id.to_string().into(), name: number.clone() },
                (Some(_), Some(_)) => Known::Several,
            });
        }
        Ok(known)
    }

    /// The products and variations that show each picture: the platform lists no such thing, so every product's
    /// pictures are read, a hundred products a call.
    pub(super) async fn records_showing(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        let mut shown: Vec<Vec<RecordRef>> = vec![Vec::new(); holders.len()];
        let mut wanted: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, holder) in holders.iter().enumerate() {
            if let Ok(id) = holder.id.as_str().parse() {
                wanted.entry(id).or_default().push(at);
            }
        }
        for (entity, path) in
            [(Entity::Product, "wp-json/wc/v3/products"), (Entity::Variant, "wp-json/wc/v3/variations")]
        {
            // Whole pictures: whether a field within a list's entries can be asked for differs by version.
            let all: Vec<Showing> = match self.whole_list(path, "id,images,image", MAX_RECORD_PAGES).await {
                // An older store: what its variations show is shown by their product's page, too.
                Err(error) if entity == Entity::Variant && error.code() == "route_missing" => continue,
                all => all?,
            };
            for record in all {
                for picture in record.images.iter().chain(&record.image) {
                    for at in wanted.get(&picture.id).into_iter().flatten() {
                        let reference = RecordRef::new(PLATFORM, entity, record.id.to_string());
                        if let Some(shown) = shown.get_mut(*at).filter(|shown| !shown.contains(&reference)) {
                            shown.push(reference);
                        }
                    }
                }
            }
        }
        Ok(shown)
    }

    /// A whole list by ascending id, with the fields that are named.
    async fn whole_list<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        fields: &str,
        max_pages: u32,
    ) -> Result<Vec<T>> {
        let mut all: Vec<T> = Vec::new();
        for _ in 0..max_pages {
            let call = ApiRequest::get(path.to_owned())
                .query("per_page", wire::MAX_PAGE.to_string())
                .query("offset", all.len().to_string())
                .query("orderby", "id")
                .query("order", "asc")
                .query("status", "any")
                .query("_fields", fields);
            let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await?;
            let page: Vec<T> = wire::read_list(&answered.body)?;
            let (count, total) = (page.len(), answered.total);
            all.extend(page);
            // The list of attributes is not paged, and ignores the offset.
            let is_last = total.map_or(count == 0, |total| all.len() as u64 >= total);
            if is_last || path.ends_with("/attributes") {
                return Ok(all);
            }
            if count == 0 {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    "list_cut",
                    "the store's list ends before its count does",
                )
                .with_remedy("plan again: the list may have changed while it was read"));
            }
        }
        Err(Error::new(
            ErrorKind::Rejected,
            "list_too_long",
            "the store's list is longer than can be looked through",
        )
        .with_context("path", path.to_owned())
        .with_remedy("plan these changes without names or alt texts, or report the list's length"))
    }
}

fn no_names() -> Error {
    Error::new(ErrorKind::Unsupported, "names_unsupported", "this store keeps no such names")
}
