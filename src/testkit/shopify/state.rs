//! What the shop holds, and how its parts are found, numbered and changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::bucket::Bucket;
use super::bulk::Bulks;
use super::collection::Collection;
use super::conditions::Conditions;
use super::documents::Documents;
use super::event::Event;
use super::graphql::GraphFault;
use super::media::Media;
use super::metafield::{Metafield, Owner};
use super::product::Product;
use super::shop::ShopSettings;
use super::tokens::Tokens;
use super::translation::Translations;
use super::uploads::Uploads;
use super::variant::Variant;
use super::webhooks::Webhooks;
use crate::testkit::random::SeededRandom;
use crate::time::Timestamp;

/// The first number that ids are given from.
const FIRST_ID: u64 = 7_000_000_000_001;

#[derive(Debug)]
pub(super) struct State {
    pub(super) documents: Arc<Documents>,
    /// What is answered instead of the next calls of an operation or a field, and how often.
    pub(super) graph_faults: Vec<(String, GraphFault, u64)>,
    /// The moment of the call that is being answered, to the second.
    pub(super) now: Timestamp,
    /// The monotonic time of the call.
    pub(super) elapsed: Duration,
    /// The address that the call came to, such as `http://127.0.0.1:4000`.
    pub(super) base: String,
    pub(super) shop: ShopSettings,
    pub(super) conditions: Conditions,
    pub(super) scopes: BTreeSet<String>,
    pub(super) products: BTreeMap<u64, Product>,
    pub(super) handles: BTreeMap<String, u64>,
    pub(super) variants: BTreeMap<u64, Variant>,
    /// The variant of each inventory item.
    pub(super) items: BTreeMap<u64, u64>,
    pub(super) media: BTreeMap<u64, Media>,
    pub(super) metafields: BTreeMap<Owner, Vec<Metafield>>,
    pub(super) metafield_owners: BTreeMap<u64, Owner>,
    pub(super) collections: BTreeMap<u64, Collection>,
    pub(super) translations: Translations,
    pub(super) events: BTreeMap<u64, Event>,
    /// What the search index still holds of products that were changed a moment ago.
    pub(super) behind: BTreeMap<u64, Behind>,
    pub(super) bucket: Bucket,
    pub(super) tokens: Tokens,
    pub(super) bulks: Bulks,
    pub(super) uploads: Uploads,
    pub(super) webhooks: Webhooks,
    pub(super) idempotent: BTreeMap<String, (Timestamp, u64, super::value::Out)>,
    /// Jobs of `productSet`: when they began, and their product.
    pub(super) operations: BTreeMap<u64, (Timestamp, u64)>,
    pub(super) random: SeededRandom,
    /// Notes of searches of the call that is being answered.
    pub(super) search_notes: std::cell::RefCell<Vec<super::search::Note>>,
    pub(super) next_id: u64,
}

/// What the index holds of one product.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    /// When the last change was made.
    pub(super) since: Timestamp,
    /// The product before it; `None` where it was made then.
    pub(super) before: Option<Box<Product>>,
}

impl State {
    pub(super) fn new(documents: Arc<Documents>, now: Timestamp, elapsed: Duration, seed: u64) -> Self {
        let mut state = Self {
            documents,
            now,
            elapsed,
            base: "https://lily-test.myshopify.com".to_owned(),
            shop: ShopSettings::default(),
            conditions: Conditions::default(),
            scopes: super::scopes::ALL.iter().map(|scope| (*scope).to_owned()).collect(),
            graph_faults: Vec::new(),
            products: BTreeMap::new(),
            handles: BTreeMap::new(),
            variants: BTreeMap::new(),
            items: BTreeMap::new(),
            media: BTreeMap::new(),
            metafields: BTreeMap::new(),
            metafield_owners: BTreeMap::new(),
            collections: BTreeMap::new(),
            translations: Translations::default(),
            events: BTreeMap::new(),
            behind: BTreeMap::new(),
            bucket: Bucket::new(super::bucket::Plan::Standard, elapsed),
            tokens: Tokens::default(),
            bulks: Bulks::default(),
            uploads: Uploads::default(),
            webhooks: Webhooks::default(),
            idempotent: BTreeMap::new(),
            operations: BTreeMap::new(),
            random: SeededRandom::new(seed),
            search_notes: std::cell::RefCell::default(),
            next_id: FIRST_ID,
        };
        state.shop.created_at = now;
        state
    }

    pub(super) fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Puts a product in.
    pub(super) fn insert_product(&mut self, product: Product) {
        self.next_id = self.next_id.max(product.id + 1);
        self.handles.insert(product.handle.clone(), product.id);
        self.products.insert(product.id, product);
    }

    /// Puts a variant in at the end of its product.
    pub(super) fn insert_variant(&mut self, variant: Variant) {
        self.next_id = self.next_id.max(variant.id.max(variant.inventory_item) + 1);
        self.items.insert(variant.inventory_item, variant.id);
        if let Some(product) = self.products.get_mut(&variant.product)
            && !product.variants.contains(&variant.id)
        {
            product.variants.push(variant.id);
        }
        self.variants.insert(variant.id, variant);
    }

    /// Takes a product out with all that hangs on it.
    pub(super) fn remove_product(&mut self, id: u64) -> Option<Product> {
        let product = self.products.remove(&id)?;
        self.handles.remove(&product.handle);
        for variant in &product.variants {
            self.remove_variant(*variant);
        }
        self.remove_metafields(Owner::Product(id));
        for collection in self.collections.values_mut() {
            collection.products.retain(|other| *other != id);
        }
        self.behind.remove(&id);
        Some(product)
    }

    pub(super) fn remove_variant(&mut self, id: u64) {
        if let Some(variant) = self.variants.remove(&id) {
            self.items.remove(&variant.inventory_item);
            self.remove_metafields(Owner::Variant(id));
        }
    }

    fn remove_metafields(&mut self, owner: Owner) {
        for metafield in self.metafields.remove(&owner).unwrap_or_default() {
            self.metafield_owners.remove(&metafield.id);
        }
    }

    /// Changes a product as a save does: `updatedAt` moves, the index falls behind, webhooks fire.
    pub(super) fn change_product<T>(&mut self, id: u64, change: impl FnOnce(&mut Product) -> T) -> Option<T> {
        let before = self.products.get(&id)?.clone();
        let (handle, now) = (before.handle.clone(), self.now);
        self.fall_behind(id, Some(before));
        let product = self.products.get_mut(&id)?;
        let done = change(product);
        product.id = id;
        product.updated_at = now;
        let new = product.handle.clone();
        if new != handle {
            self.handles.remove(&handle);
            self.handles.insert(new, id);
        }
        self.fire_product("products/update", id);
        Some(done)
    }

    /// Notes that the index does not know the last change of a product yet.
    pub(super) fn fall_behind(&mut self, id: u64, before: Option<Product>) {
        let lag = self.conditions.search_lag;
        if lag.is_zero() {
            return;
        }
        let now = self.now;
        let entry = self
            .behind
            .entry(id)
            .or_insert_with(|| Behind { since: now, before: before.clone().map(Box::new) });
        if now.since(entry.since) >= lag {
            *entry = Behind { since: now, before: before.map(Box::new) };
        } else {
            entry.since = now;
        }
    }

    /// A product as the index knows it.
    pub(super) fn indexed(&self, id: u64) -> Option<&Product> {
        let current = self.products.get(&id)?;
        match self.behind.get(&id) {
            Some(behind) if self.now.since(behind.since) < self.conditions.search_lag => {
                behind.before.as_deref()
            }
            _ => Some(current),
        }
    }

    /// A handle that no other product has.
    pub(super) fn free_handle(&self, wanted: &str, id: u64) -> String {
        let taken = |handle: &str| self.handles.get(handle).is_some_and(|other| *other != id);
        if !taken(wanted) {
            return wanted.to_owned();
        }
        (1..).map(|number| format!("{wanted}-{number}")).find(|handle| !taken(handle)).unwrap_or_default()
    }
}

/// A handle out of a title: lower case, with a dash for each run of other signs.
pub(super) fn handle_of(title: &str) -> String {
    let mut handle = String::new();
    for letter in title.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            handle.push(letter);
        } else if !handle.ends_with('-') && !handle.is_empty() {
            handle.push('-');
        }
    }
    let handle = handle.trim_end_matches('-');
    if handle.is_empty() { "product".to_owned() } else { handle.chars().take(255).collect() }
}
