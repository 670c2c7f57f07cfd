//! What the store knows of names, and which records show a picture.

use std::collections::HashMap;

use super::connector::Magento;
use super::search::Search;
use super::{PLATFORM, wire};
use crate::connector::{Known, LookUp, PullRequest, Purpose};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, ExternalId, Normaliser, RecordRef, Text};

/// The category that all others stand below.
const ROOT: u64 = 1;

impl Magento {
    pub(super) async fn look_up_names(&self, look_up: &LookUp) -> Result<Vec<Known>> {
        let request = PullRequest { purpose: Purpose::Guard, ..PullRequest::all(Entity::Product) };
        let folded = |name: &str| Normaliser::Folded1.apply(name).into_owned();
        match look_up {
            LookUp::Names { field, names } if field.as_str() == "slug" => self.owners_of_slugs(names).await,
            LookUp::Names { field, names } => {
                let dictionary = self.dictionary(&request).await?;
                let known: Vec<(u64, &str)> = match field.as_str() {
                    "attributes" => {
                        let written = dictionary.attributes().filter(|attribute| attribute.is_writable());
                        written.map(|attribute| (attribute.id, attribute.label.as_str())).collect()
                    }
                    // The root of all trees holds no products.
                    "categories" => dictionary.categories().filter(|(id, _)| *id != ROOT).collect(),
                    _ => return Err(no_names()),
                };
                Ok(names
                    .iter()
                    .map(|name| {
                        let name = folded(name);
                        one(known
                            .iter()
                            .filter(|(_, known)| folded(known) == name)
                            .map(|(id, name)| (id.to_string(), *name)))
                    })
                    .collect())
            }
            LookUp::Values { attribute, names } => {
                let dictionary = self.dictionary(&request).await?;
                let attribute = wire::number(attribute).and_then(|id| dictionary.attribute_of_id(id));
                let Some(attribute) = attribute else { return Err(no_names()) };
                if !attribute.has_options() {
                    // Any text is a value, in its own spelling.
                    return Ok(names.iter().map(|name| known(String::new(), name)).collect());
                }
                let all = names.iter().map(|name| {
                    one(attribute.options_named(name).into_iter().map(|(id, label)| (id.to_owned(), label)))
                });
                Ok(match self.writes.options && attribute.takes_new_options() {
                    // What is not there is made, in the spelling of the plan.
                    true => all
                        .zip(names)
                        .map(|(it, name)| if it == Known::No { known(String::new(), name) } else { it })
                        .collect(),
                    false => all.collect(),
                })
            }
        }
    }

    async fn owners_of_slugs(&self, slugs: &[Text]) -> Result<Vec<Known>> {
        let request = PullRequest::all(Entity::Product);
        let mut known = Vec::with_capacity(slugs.len());
        for slug in slugs {
            let search = Search::page("entity_id", 2).with("url_key", "eq", slug.as_str()).fields("id");
            let answered = self.searched(&request, &self.scope, "products", search).await?;
            let fresh = super::read::fresh(&answered, super::read::Position::default())?;
            known.push(one(fresh.ids.into_iter().map(|id| (id.to_string(), slug.as_str()))));
        }
        Ok(known)
    }

    pub(super) async fn records_showing(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        let mut shown: Vec<Vec<RecordRef>> = vec![Vec::new(); holders.len()];
        let mut wanted: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, holder) in holders.iter().enumerate() {
            if let Some(id) = wire::number(&holder.id) {
                wanted.entry(id).or_default().push(at);
            }
        }
        if wanted.is_empty() {
            return Ok(shown);
        }
        self.pictures(|product, picture| {
            for at in wanted.get(&picture).into_iter().flatten() {
                let reference = RecordRef::new(PLATFORM, Entity::Product, product.to_string());
                if let Some(shown) = shown.get_mut(*at).filter(|shown| !shown.contains(&reference)) {
                    shown.push(reference);
                }
            }
        })
        .await?;
        Ok(shown)
    }
}

fn known(id: String, name: &str) -> Known {
    Known::One { id: ExternalId::from(id), name: name.into() }
}

fn one<'a>(mut found: impl Iterator<Item = (String, &'a str)>) -> Known {
    match (found.next(), found.next()) {
        (None, _) => Known::No,
        (Some((id, name)), None) => known(id, name),
        (Some(_), Some(_)) => Known::Several,
    }
}

fn no_names() -> Error {
    Error::new(ErrorKind::Unsupported, "names_unsupported", "this store keeps no such names")
}
