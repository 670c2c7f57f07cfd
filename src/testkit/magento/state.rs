//! All that a store holds, and the look-ups over it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attribute::{self, Attribute, AttributeOption, AttributeSet, Scope};
use super::auth::Callers;
use super::bulk::Bulk;
use super::category::Category;
use super::errors::ApiError;
use super::events::Eventing;
use super::inventory::Inventory;
use super::product::{GLOBAL, Product};
use super::settings::{Conditions, Edition, Release, Settings};
use super::views::{StoreView, Website};
use crate::testkit::exchange::Request;
use crate::testkit::random::SeededRandom;
use crate::time::Timestamp;

/// The most unexpected requests that are kept.
const UNEXPECTED_LIMIT: usize = 1_000;

/// What a call is refused with, ordered by a test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// 500 with a Report ID, as of any exception that is not the platform's own.
    Report,
    /// 400 with the text of a deadlock, which passes.
    Deadlock,
    /// 500 in the shape of a crash of PHP.
    Fatal,
    /// A page of a firewall or proxy with that status.
    Page(u16),
    /// 429 of a gateway with `Retry-After` in seconds.
    TooMany(u64),
    /// 400 with a message whose parameters are a list.
    Message(String, Vec<String>),
}

impl Refusal {
    pub(super) fn error(&self) -> ApiError {
        match self {
            Self::Report => ApiError::new(500, super::search::internal_error("ordered")),
            Self::Deadlock => ApiError::bad("Database deadlock found when trying to get lock"),
            Self::Fatal => ApiError::fatal("Server internal error. See details in report api/1178"),
            Self::Page(status) => ApiError::page(*status, "The page could not be shown"),
            Self::TooMany(seconds) => ApiError::new(429, "Too Many Requests").retry_after(*seconds),
            Self::Message(message, parameters) => ApiError::bad(message).list(parameters.clone()),
        }
    }
}

/// A refusal that waits for its request.
pub(super) struct Ordered {
    pub(super) left: u64,
    pub(super) times: u64,
    pub(super) predicate: Box<dyn Fn(&Request) -> bool + Send>,
    pub(super) refusal: Refusal,
}

pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) elapsed: Duration,
    pub(super) settings: Settings,
    pub(super) conditions: Conditions,
    pub(super) websites: Vec<Website>,
    pub(super) views: Vec<StoreView>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) sets: Vec<AttributeSet>,
    pub(super) categories: BTreeMap<u64, Category>,
    pub(super) products: BTreeMap<u64, Product>,
    pub(super) inventory: Inventory,
    pub(super) callers: Callers,
    pub(super) bulks: Vec<Bulk>,
    pub(super) eventing: Eventing,
    pub(super) refusals: Vec<Ordered>,
    pub(super) unexpected: Vec<String>,
    pub(super) seed: u64,
    pub(super) draws: u64,
    /// SKUs of which each save at this moment makes a product, in lower case.
    pub(super) twins: Vec<String>,
    next_id: u64,
    next_product: u64,
    next_option: u64,
    option_step: u64,
}

impl State {
    pub(super) fn new(edition: Edition, release: Release, seed: u64, now: Timestamp) -> Self {
        let mut random = SeededRandom::new(seed ^ 0x006d_6167_656e_746f);
        let mut state = Self {
            now,
            elapsed: Duration::ZERO,
            settings: Settings { edition, ..Settings::default() },
            conditions: Conditions::of(release, edition),
            websites: vec![Website { id: 1, code: "base".to_owned(), name: "Main Website".to_owned() }],
            views: Vec::new(),
            attributes: attribute::system(),
            sets: vec![AttributeSet { id: 4, name: "Default".to_owned(), attributes: Vec::new() }],
            categories: BTreeMap::new(),
            products: BTreeMap::new(),
            inventory: Inventory::default(),
            callers: Callers::default(),
            bulks: Vec::new(),
            eventing: Eventing::default(),
            refusals: Vec::new(),
            unexpected: Vec::new(),
            seed,
            draws: 0,
            twins: Vec::new(),
            next_id: 200,
            next_product: 1,
            next_option: 4 + random.below(900),
            option_step: 1 + random.below(5),
        };
        state.add_category(0, "Root Catalog");
        state.add_category(1, "Default Category");
        state
    }

    /// A free id of anything but products and options.
    pub(super) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A free id of a product.
    pub(super) fn take_product_id(&mut self) -> u64 {
        while self.products.contains_key(&self.next_product) {
            self.next_product += 1;
        }
        let id = self.next_product;
        self.next_product += 1;
        id
    }

    /// Random numbers that differ from call to call and follow from the seed.
    pub(super) fn random(&mut self) -> SeededRandom {
        self.draws += 1;
        SeededRandom::new(self.seed ^ (self.draws << 17))
    }

    /// The view of a code; the global scope of `all`.
    pub(super) fn view_id(&self, code: &str) -> Option<u64> {
        if code == "all" {
            return Some(GLOBAL);
        }
        let named = self.views.iter().find(|view| view.code == code).map(|view| view.id);
        named.or_else(|| (code == "default").then(|| self.default_view()))
    }

    /// The view that addresses without a code mean.
    pub(super) fn default_view(&self) -> u64 {
        self.views.first().map_or(GLOBAL, |view| view.id)
    }

    /// The views of a website.
    pub(super) fn views_of(&self, website: u64) -> impl Iterator<Item = u64> {
        self.views.iter().filter(move |view| view.website == website).map(|view| view.id)
    }

    pub(super) fn attribute(&self, code: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.code == code)
    }

    pub(super) fn attribute_mut(&mut self, code: &str) -> Option<&mut Attribute> {
        self.attributes.iter_mut().find(|attribute| attribute.code == code)
    }

    /// Whether products of a set have an attribute.
    pub(super) fn set_has(&self, set: u64, attribute: &Attribute) -> bool {
        if !attribute.user_defined {
            return true;
        }
        let set = self.sets.iter().find(|known| known.id == set);
        set.is_some_and(|set| set.attributes.contains(&attribute.code))
    }

    /// The scopes that a value of an attribute is kept in where it is saved at a view.
    pub(super) fn scopes_of_save(&self, scope: Scope, view: u64) -> Vec<u64> {
        if view == GLOBAL {
            return vec![GLOBAL];
        }
        match scope {
            Scope::Global => vec![GLOBAL],
            Scope::Store => vec![view],
            Scope::Website => {
                let website = self.views.iter().find(|known| known.id == view).map(|known| known.website);
                website.map(|website| self.views_of(website).collect()).unwrap_or_default()
            }
        }
    }

    pub(super) fn by_sku(&self, sku: &str) -> Option<&Product> {
        // The database compares without regard to case.
        self.products.values().find(|product| product.sku.eq_ignore_ascii_case(sku))
    }

    pub(super) fn id_of(&self, sku: &str) -> Result<u64, ApiError> {
        self.by_sku(sku).map(|product| product.id).ok_or_else(ApiError::no_product)
    }

    /// The ids of the categories below a category, in their order.
    pub(super) fn children(&self, id: u64) -> Vec<u64> {
        let mut children: Vec<_> = self.categories.values().filter(|c| c.parent == id).collect();
        children.sort_by_key(|category| (category.position, category.id));
        children.into_iter().map(|category| category.id).collect()
    }

    /// Adds a category; gives its id.
    pub(super) fn add_category(&mut self, parent: u64, name: &str) -> u64 {
        let id = self.categories.keys().next_back().map_or(1, |last| last + 1);
        let mut path = self.categories.get(&parent).map(|parent| parent.path.clone()).unwrap_or_default();
        path.push(id);
        let position = i64::try_from(self.children(parent).len()).unwrap_or(0) + 1;
        let mut category = Category {
            id,
            parent,
            path,
            position,
            created: self.now,
            updated: self.now,
            values: BTreeMap::new(),
        };
        category.set(GLOBAL, "name", name);
        category.set(GLOBAL, "is_active", "1");
        category.set(GLOBAL, "include_in_menu", "1");
        if id > 2 {
            category.set(GLOBAL, "url_key", url_key(name));
        }
        self.categories.insert(id, category);
        id
    }

    /// Adds an attribute to all sets; gives its id.
    pub(super) fn add_attribute(&mut self, mut attribute: Attribute) -> u64 {
        let id = self.attributes.iter().map(|known| known.id).max().unwrap_or(0).max(134) + 1;
        attribute.id = id;
        for set in &mut self.sets {
            set.attributes.push(attribute.code.clone());
        }
        self.attributes.push(attribute);
        id
    }

    /// Adds an option to an attribute; gives its id, which follows from the seed.
    pub(super) fn add_option(&mut self, code: &str, label: &str) -> Option<u64> {
        let id = self.next_option;
        let attribute = self.attributes.iter_mut().find(|attribute| attribute.code == code)?;
        let sort_order = i64::try_from(attribute.options.len()).unwrap_or(0);
        attribute.options.push(AttributeOption {
            id,
            labels: BTreeMap::from([(GLOBAL, label.to_owned())]),
            sort_order,
        });
        self.next_option += self.option_step;
        Some(id)
    }

    /// Whether another product has a URL key in one of some views.
    pub(super) fn url_key_taken(&self, key: &str, views: &[u64], but: u64) -> bool {
        let asked = self.views_among(views);
        let shows = |view: &u64| {
            self.products.values().any(|p| p.id != but && p.value(*view, "url_key") == Some(key))
        };
        asked.iter().any(shows)
    }

    /// Whether a category at the top has a URL key in one of some views, and so the very address.
    pub(super) fn address_taken(&self, key: &str, views: &[u64]) -> bool {
        let asked = self.views_among(views);
        let top = |category: &&Category| category.level() == 2;
        let shows =
            |view: &u64| self.categories.values().filter(top).any(|c| c.value(*view, "url_key") == Some(key));
        asked.iter().any(shows)
    }

    /// Some views; all of them where the global scope is among them.
    fn views_among(&self, views: &[u64]) -> Vec<u64> {
        if views.contains(&GLOBAL) {
            return self.views.iter().map(|view| view.id).collect();
        }
        views.to_vec()
    }

    /// Keeps a request that the fake does not know, so that a test can tell.
    pub(super) fn unexpected(&mut self, what: String) {
        if self.unexpected.len() < UNEXPECTED_LIMIT {
            self.unexpected.push(what);
        }
    }
}

/// The URL key that the platform makes of a text.
pub(super) fn url_key(text: &str) -> String {
    let mut key = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => key.push(letter),
            'ä' => key.push_str("ae"),
            'ö' => key.push_str("oe"),
            'ü' => key.push_str("ue"),
            'ß' => key.push_str("ss"),
            'é' | 'è' | 'ê' => key.push('e'),
            'à' | 'â' => key.push('a'),
            _ if !key.ends_with('-') => key.push('-'),
            _ => {}
        }
    }
    key.trim_matches('-').to_owned()
}
