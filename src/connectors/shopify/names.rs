//! What the store knows of names, and which products show a picture.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::connector::Shopify;
use super::metafields::Types;
use super::nested::moved;
use super::wire::{self, MAX_PAGE, Order};
use super::{PLATFORM, client, documents};
use crate::connector::{Known, LookUp, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::{Document, PageInfo};
use crate::model::{Entity, ExternalId, Normaliser, RecordRef, Text};

/// The most pages of a list of names: as many as the platform's lists have.
const MAX_NAME_PAGES: u32 = 100;
/// The most pages of products whose pictures are looked at.
const MAX_RECORD_PAGES: u32 = 5_000;
/// How many pictures of a product come with it; of one with more, the rest is asked for.
const PICTURES: u32 = 10;
/// The products of such a page, so that no page costs too much.
const PRODUCTS_WITH_PICTURES: u32 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<T> {
    nodes: Vec<T>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
struct Collection {
    id: String,
    title: String,
}

#[derive(Debug, Deserialize)]
struct Definition {
    id: String,
    namespace: String,
    key: String,
    #[serde(rename = "type")]
    kind: Kind,
}

#[derive(Debug, Deserialize)]
struct Kind {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Owner {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Pictures {
    media: Connection<Owner>,
}

#[derive(Debug, Deserialize)]
struct Showing {
    id: String,
    media: Connection<Owner>,
}

impl Shopify {
    pub(super) async fn look_up_names(&self, look_up: &LookUp) -> Result<Vec<Known>> {
        let LookUp::Names { field, names } = look_up else { return Err(no_names()) };
        let all: Vec<(ExternalId, Text)> = match field.as_str() {
            "categories" => self
                .whole_list::<Collection>(&documents::COLLECTION_NAMES, "collections")
                .await?
                .into_iter()
                .map(|collection| (wire::number_of(&collection.id).into(), collection.title.into()))
                .collect(),
            "attributes" => self
                .whole_list::<Definition>(&documents::METAFIELD_NAMES, "metafieldDefinitions")
                .await?
                .into_iter()
                .map(|it| (wire::number_of(&it.id).into(), format!("{}.{}", it.namespace, it.key).into()))
                .collect(),
            "slug" => return self.owners_of_handles(names).await,
            _ => return Err(no_names()),
        };
        let folded = |name: &str| Normaliser::Folded1.apply(name).into_owned();
        let mut by_name: HashMap<String, Vec<&(ExternalId, Text)>> = HashMap::new();
        for known in &all {
            by_name.entry(folded(&known.1)).or_default().push(known);
        }
        let known = names.iter().map(|name| match by_name.get(&folded(name)).map(Vec::as_slice) {
            None | Some([]) => Known::No,
            Some([(id, name)]) => Known::One { id: id.clone(), name: name.clone() },
            Some(_) => Known::Several,
        });
        Ok(known.collect())
    }

    /// The types of the metafields that the store has definitions of.
    pub(super) async fn metafield_types(&self) -> Result<Types> {
        let all = self.whole_list::<Definition>(&documents::METAFIELD_NAMES, "metafieldDefinitions").await?;
        Ok(all.into_iter().map(|it| (format!("{}.{}", it.namespace, it.key), it.kind.name)).collect())
    }

    async fn owners_of_handles(&self, handles: &[Text]) -> Result<Vec<Known>> {
        let mut known = Vec::with_capacity(handles.len());
        for handle in handles {
            let call =
                documents::OWNER_OF_HANDLE.request(self.version.path(), &json!({ "handle": handle }))?;
            let owner: Option<Owner> = client::member(&self.client, call, &["productByIdentifier"]).await?;
            known.push(match owner {
                Some(owner) => Known::One { id: wire::number_of(&owner.id).into(), name: handle.clone() },
                None => Known::No,
            });
        }
        Ok(known)
    }

    /// The products that show each picture: the platform lists no such thing, so every product's pictures are read.
    pub(super) async fn records_showing(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        let mut shown: Vec<Vec<RecordRef>> = vec![Vec::new(); holders.len()];
        let (mut after, mut behind, mut last): (Option<String>, u64, u64) = (None, 0, 0);
        let mut seen = 0;
        for _ in 0..MAX_RECORD_PAGES {
            let filter = wire::filter(&Select::All, Order::Id, behind)?;
            let variables = json!({ "first": PRODUCTS_WITH_PICTURES, "after": after, "filter": filter, "media": PICTURES });
            let call = documents::MEDIA_SHOWN.request(self.version.path(), &variables)?;
            let read: Connection<Showing> = client::member(&self.client, call, &["products"]).await?;
            for product in read.nodes {
                last = wire::number_of(&product.id).parse().unwrap_or(last);
                let reference =
                    RecordRef::new(PLATFORM, Entity::Product, wire::number_of(&product.id).to_owned());
                let mut pictures: Vec<String> = product.media.nodes.into_iter().map(|it| it.id).collect();
                if product.media.page_info.has_next_page {
                    pictures.extend(self.further_pictures(&product.id, product.media.page_info).await?);
                }
                for (holder, shown) in holders.iter().zip(&mut shown) {
                    if pictures.iter().any(|picture| picture == holder.id.as_str())
                        && !shown.contains(&reference)
                    {
                        shown.push(reference.clone());
                    }
                }
            }
            seen += u64::from(PRODUCTS_WITH_PICTURES);
            after = match moved(read.page_info, after.as_deref())? {
                // The platform's lists end without a word, so it is begun anew before that.
                Some(_) if seen >= self.list_window && last > behind => {
                    (behind, seen) = (last, 0);
                    None
                }
                Some(next) => Some(next),
                None => return Ok(shown),
            };
        }
        Err(endless())
    }

    async fn further_pictures(&self, id: &str, from: PageInfo) -> Result<Vec<String>> {
        let mut pictures = Vec::new();
        let mut after = moved(from, None)?;
        for _ in 0..MAX_NAME_PAGES {
            if after.is_none() {
                return Ok(pictures);
            }
            let variables = json!({ "id": id, "first": MAX_PAGE, "after": after });
            let call = documents::MORE_MEDIA.request(self.version.path(), &variables)?;
            // One that is gone by now shows no picture.
            let product: Option<Pictures> = client::member(&self.client, call, &["product"]).await?;
            let Some(Pictures { media: page }) = product else { return Ok(pictures) };
            pictures.extend(page.nodes.into_iter().map(|picture| picture.id));
            after = moved(page.page_info, after.as_deref())?;
        }
        Err(endless())
    }

    pub(super) async fn whole_list<T: DeserializeOwned + Send>(
        &self,
        document: &'static Document,
        root: &'static str,
    ) -> Result<Vec<T>> {
        let (mut all, mut after) = (Vec::new(), None);
        for _ in 0..MAX_NAME_PAGES {
            let variables = json!({ "first": MAX_PAGE, "after": after });
            let call = document.request(self.version.path(), &variables)?;
            let page: Connection<T> = client::member(&self.client, call, &[root]).await?;
            all.extend(page.nodes);
            if all.len() as u64 >= wire::WINDOW {
                return Err(endless());
            }
            after = match moved(page.page_info, after.as_deref())? {
                Some(next) => Some(next),
                None => return Ok(all),
            };
        }
        Err(endless())
    }
}

fn no_names() -> Error {
    Error::new(ErrorKind::Unsupported, "names_unsupported", "this store keeps no such names")
}

fn endless() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "list_too_long",
        "a list of the store is longer than can be looked through",
    )
    .with_remedy("plan without names to look up, or without pictures that others may show")
}
