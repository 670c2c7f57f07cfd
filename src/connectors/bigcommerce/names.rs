//! What categories and brands are called: products name them by id alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::connector::BigCommerce;
use super::wire::{self, MAX_PAGE};
use crate::connector::{Known, LookUp, PullRequest, Purpose};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, ExternalId, Lane, Names, Normaliser, Text};

/// How long a name is believed in a pull, and how long by whoever is about to write.
const BELIEVED: Duration = Duration::from_secs(600);
const BELIEVED_FOR_WRITES: Duration = Duration::from_secs(60);
/// The most names that are remembered: all categories and brands that a store can have.
const MAX_NAMES: usize = 50_000;

/// A name, where the store has one for the id, and the instant at which it was asked for.
type Entry = (Option<Text>, Duration);

/// The names that were read.
#[derive(Debug, Default)]
pub(super) struct NameTable(Mutex<HashMap<(Entity, u64), Entry>>);

impl NameTable {
    /// Of these ids, those whose names are not known, or are older than that.
    fn unknown(&self, kind: Entity, ids: &BTreeSet<u64>, oldest: Duration) -> Vec<u64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |id: &u64| known.get(&(kind, *id)).is_some_and(|(_, at)| *at >= oldest);
        ids.iter().copied().filter(|id| !is_known(id)).collect()
    }

    fn note(&self, kind: Entity, asked: &[u64], found: Vec<Named>, at: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + asked.len() > MAX_NAMES {
            known.clear();
        }
        known.extend(asked.iter().map(|id| ((kind, *id), (None, at))));
        known.extend(found.into_iter().map(|named| ((kind, named.id), (Some(named.name.into()), at))));
    }

    fn give(&self, kind: Entity, ids: &BTreeSet<u64>, names: &mut Names) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if let Some((Some(name), _)) = known.get(&(kind, *id)) {
                names.insert(kind, id.to_string().into(), name.clone());
            }
        }
    }
}

/// A category or brand.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(alias = "category_id")]
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
struct Addressed {
    id: u64,
    #[serde(default)]
    name: String,
}

impl BigCommerce {
    /// The names of the categories and brands that a page of products names. Those that are not known are read by
    /// their ids; those that the token may not read stay without a name, and their lists without tokens.
    pub(super) async fn names_of(&self, body: &[u8], request: &PullRequest) -> Result<Arc<Names>> {
        let believed = match request.purpose {
            Purpose::Catalogue => BELIEVED,
            Purpose::Guard | Purpose::Verify => BELIEVED_FOR_WRITES,
        };
        let mut names = Names::default();
        let (categories, brands) = wire::named(body);
        for (kind, ids) in [(Entity::Category, categories), (Entity::Brand, brands)] {
            let now = self.runtime.clock().elapsed();
            let unknown = match now.checked_sub(believed) {
                Some(oldest) => self.names.unknown(kind, &ids, oldest),
                None => self.names.unknown(kind, &ids, Duration::ZERO),
            };
            for asked in unknown.chunks(MAX_PAGE as usize) {
                let found = match self.named_by_id(kind, asked, request.lane).await {
                    Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                        Vec::new()
                    }
                    found => found?,
                };
                self.names.note(kind, asked, found, now);
            }
            self.names.give(kind, &ids, &mut names);
        }
        Ok(Arc::new(names))
    }

    async fn named_by_id(&self, kind: Entity, ids: &[u64], lane: Lane) -> Result<Vec<Named>> {
        let mut left: Vec<ExternalId> = ids.iter().map(|id| ExternalId::from(id.to_string())).collect();
        let call = |ids: &[ExternalId]| wire::taxons_by_id(kind, ids).lane(lane);
        let mut named = Vec::new();
        for answered in self.all_of(&mut left, call).await? {
            named.extend(answered.records()?);
        }
        Ok(named)
    }

    /// What the store knows of names, one call a name. The platform's filter may find more than the name itself.
    pub(super) async fn look_up_names(&self, look_up: &LookUp) -> Result<Vec<Known>> {
        let LookUp::Names { field, names } = look_up else { return Err(no_names()) };
        let mut known = Vec::with_capacity(names.len());
        for name in names {
            known.push(match field.as_str() {
                "categories" => self.taxon_of_name(Entity::Category, name).await?,
                "brands" => self.taxon_of_name(Entity::Brand, name).await?,
                "title" => self.product_of_name(name).await?,
                // No list of products can be asked for an address: the platform refuses one that is taken.
                "slug" => Known::No,
                _ => return Err(no_names()),
            });
        }
        Ok(known)
    }

    async fn taxon_of_name(&self, kind: Entity, name: &Text) -> Result<Known> {
        let call = wire::taxons_of_name(kind, name).lane(Lane::Interactive);
        let found: Vec<Named> = self.client.execute_with(call, wire::answered).await?.records()?;
        Ok(one_of(found.into_iter().map(|named| (named.id, named.name)), name))
    }

    async fn product_of_name(&self, name: &Text) -> Result<Known> {
        let call = wire::products_of_name(name).lane(Lane::Interactive);
        let found: Vec<Addressed> = self.client.execute_with(call, wire::answered).await?.records()?;
        Ok(one_of(found.into_iter().map(|product| (product.id, product.name)), name))
    }
}

/// What of the found ones has the name, blanks and case aside.
fn one_of(found: impl Iterator<Item = (u64, String)>, wanted: &str) -> Known {
    let folded = |name: &str| Normaliser::Folded1.apply(name).into_owned();
    let wanted = folded(wanted);
    let mut same = found.filter(|(_, name)| folded(name) == wanted);
    match (same.next(), same.next()) {
        (None, _) => Known::No,
        (Some((id, name)), None) => Known::One { id: id.to_string().into(), name: name.into() },
        (Some(_), Some(_)) => Known::Several,
    }
}

fn no_names() -> Error {
    Error::new(ErrorKind::Unsupported, "names_unsupported", "this store keeps no such names")
}
