//! What the store holds, and how its parts are found and numbered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attributes::AttributeSettings;
use super::auth::Issued;
use super::product::{GlobalAttribute, Media, Product, Taxonomy, Term};
use super::text;
use super::webhooks::Webhooks;
use crate::testkit::random::SeededRandom;
use crate::time::Timestamp;

/// The settings of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The address of the site as it is configured, such as `https://shop.example`; `None` takes the
    /// `Host` header of each request, which suits a server on a free port.
    pub home: Option<String>,
    /// The name of the site.
    pub name: String,
    /// How far the site's clock is from UTC, in seconds; negative in the west. Default: five hours west.
    pub utc_offset_seconds: i64,
    /// The name of its zone.
    pub timezone: String,
    /// The unit of weights.
    pub weight_unit: String,
    /// The unit of lengths.
    pub dimension_unit: String,
    /// The currency's code.
    pub currency: String,
    /// The namespaces that the index lists.
    pub namespaces: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            home: None,
            name: "Fake Store".to_owned(),
            utc_offset_seconds: -5 * 3600,
            timezone: "America/New_York".to_owned(),
            weight_unit: "lbs".to_owned(),
            dimension_unit: "in".to_owned(),
            currency: "USD".to_owned(),
            namespaces: [
                "oembed/1.0",
                "wc/v3",
                "wc/v1",
                "wc-admin",
                "wc/store",
                "wc/store/v1",
                "wc/v2",
                "wp/v2",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

/// What is wrong with the site, as switches that a test sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// An update runs: 503 with `Retry-After: 600`.
    pub maintenance: bool,
    /// The database does not answer: 500.
    pub database_down: bool,
    /// PHP crashes on each request: 500.
    pub php_fatal: bool,
    /// The web server has no PHP behind it: 502 with a web page.
    pub bad_gateway: bool,
    /// Permalinks are set to Plain: `/wp-json/` paths are redirected.
    pub plain_permalinks: bool,
    /// A plugin prints a warning ahead of each body.
    pub php_noise: bool,
    /// A file of the site starts with a byte order mark, which lands ahead of each body.
    pub byte_order_mark: bool,
    /// A proxy drops the `X-WP-Total` and `X-WP-TotalPages` headers.
    pub totals_stripped: bool,
    /// A plugin caps the records of a page, whatever `per_page` asks for.
    pub page_cap: Option<u64>,
    /// `GET /variations` is missing, as in older versions.
    pub no_variations_list: bool,
    /// `GET /products/brands` is missing, as in older versions.
    pub no_brands: bool,
    /// A plugin hides products of that status from lists, counts included.
    pub hidden_status: Option<String>,
    /// Objects that a plugin drops from the pages of lists, though they are counted; an `include` finds them.
    pub dropped: Vec<u64>,
    /// Writes answer 200 with the new values, but nothing is kept.
    pub lost_update: bool,
    /// Reads of one product answer what it was before the last write, as a stale cache does.
    pub stale_read: bool,
    /// The most items that a batch takes (default 100; hosts may lower it).
    pub batch_limit: Option<usize>,
    /// A save takes that long by the store's clock: an update loads the product when it arrives and saves it
    /// when the time is over, over what others saved meanwhile. One that touches a name, a description, a
    /// short description, a slug or a status rewrites all five from what it loaded, as the store does.
    /// It takes a server, since only there a request can wait.
    pub slow_saves: Option<Duration>,
    /// The web server drops the `Authorization` header, as Apache does ahead of CGI: only keys in the query
    /// are seen.
    pub authorization_stripped: bool,
    /// PHP does not see that requests came by TLS, as behind a proxy that does not say so: Basic and keys in
    /// the query are ignored, and only signed requests pass.
    pub https_hidden: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) conditions: Conditions,
    pub(super) products: BTreeMap<u64, Product>,
    /// The variations of each product.
    pub(super) children: BTreeMap<u64, BTreeSet<u64>>,
    /// What products were before their last write over the API.
    pub(super) previous: BTreeMap<u64, Product>,
    pub(super) media: BTreeMap<u64, Media>,
    pub(super) terms: BTreeMap<u64, Term>,
    pub(super) attributes: BTreeMap<u64, GlobalAttribute>,
    pub(super) attribute_settings: BTreeMap<u64, AttributeSettings>,
    pub(super) keys: Vec<Issued>,
    pub(super) webhooks: Webhooks,
    /// The address of the site as the last request had it.
    pub(super) last_home: Option<String>,
    pub(super) next_post: u64,
    pub(super) next_term: u64,
    pub(super) next_attribute: u64,
    pub(super) next_meta: u64,
    pub(super) next_key: u64,
    /// The category of products without one.
    pub(super) default_category: u64,
    pub(super) random: SeededRandom,
}

impl State {
    pub(super) fn new() -> Self {
        let mut state = Self {
            settings: Settings::default(),
            conditions: Conditions::default(),
            products: BTreeMap::new(),
            children: BTreeMap::new(),
            previous: BTreeMap::new(),
            media: BTreeMap::new(),
            terms: BTreeMap::new(),
            attributes: BTreeMap::new(),
            attribute_settings: BTreeMap::new(),
            keys: Vec::new(),
            webhooks: Webhooks::default(),
            last_home: None,
            next_post: 10,
            next_term: 15,
            next_attribute: 1,
            next_meta: 1000,
            next_key: 1,
            default_category: 0,
            random: SeededRandom::new(1),
        };
        state.default_category = state.add_term(Taxonomy::Category, "Uncategorized", 0);
        state
    }

    pub(super) fn insert(&mut self, product: Product) {
        self.next_post = self.next_post.max(product.id + 1);
        if let Some(meta) = product.meta_data.iter().map(|meta| meta.id).max() {
            self.next_meta = self.next_meta.max(meta + 1);
        }
        if product.is_variation() {
            let before = self.products.get(&product.id).map(|before| before.parent_id);
            if let Some(siblings) = before.and_then(|before| self.children.get_mut(&before)) {
                siblings.remove(&product.id);
            }
            self.children.entry(product.parent_id).or_default().insert(product.id);
        }
        self.products.insert(product.id, product);
    }

    /// Removes a product and its variations.
    pub(super) fn remove(&mut self, id: u64) -> Option<Product> {
        let product = self.products.remove(&id)?;
        if let Some(siblings) = self.children.get_mut(&product.parent_id) {
            siblings.remove(&id);
        }
        for child in self.children.remove(&id).unwrap_or_default() {
            self.products.remove(&child);
        }
        Some(product)
    }

    pub(super) fn take_post_id(&mut self) -> u64 {
        let id = self.next_post;
        self.next_post += 1;
        id
    }

    pub(super) fn take_meta_id(&mut self) -> u64 {
        let id = self.next_meta;
        self.next_meta += 1;
        id
    }

    pub(super) fn variations_of(&self, id: u64) -> impl Iterator<Item = &Product> {
        self.children.get(&id).into_iter().flatten().filter_map(|id| self.products.get(id))
    }

    pub(super) fn find_term(&self, taxonomy: Taxonomy, name: &str) -> Option<&Term> {
        let wanted = text::escape_ampersands(name.trim()).to_lowercase();
        self.terms.values().find(|term| term.taxonomy == taxonomy && term.name.to_lowercase() == wanted)
    }

    /// Adds a term, or finds the one of that name; the name is escaped as it is stored.
    pub(super) fn add_term(&mut self, taxonomy: Taxonomy, name: &str, parent: u64) -> u64 {
        if let Some(term) = self.find_term(taxonomy, name) {
            return term.id;
        }
        let id = self.next_term;
        let name = text::filter_name(name);
        let slug = text::slug(&name);
        self.insert_term(Term {
            id,
            taxonomy,
            slug,
            name,
            parent,
            description: String::new(),
            menu_order: 0,
            display: "default".to_owned(),
        });
        id
    }

    pub(super) fn insert_term(&mut self, term: Term) {
        self.next_term = self.next_term.max(term.id + 1);
        self.terms.insert(term.id, term);
    }

    /// Adds a global attribute, or finds the one of that name.
    pub(super) fn add_attribute(&mut self, name: &str) -> u64 {
        if let Some(known) = self.attributes.values().find(|a| a.name.eq_ignore_ascii_case(name)) {
            return known.id;
        }
        let id = self.next_attribute;
        self.insert_attribute(GlobalAttribute {
            id,
            name: name.to_owned(),
            slug: format!("pa_{}", text::slug(name)),
        });
        id
    }

    pub(super) fn insert_attribute(&mut self, attribute: GlobalAttribute) {
        self.next_attribute = self.next_attribute.max(attribute.id + 1);
        self.attributes.insert(attribute.id, attribute);
    }

    /// Adds an image of that file name to the media library.
    pub(super) fn add_media(&mut self, home: &str, file: &str, now: Timestamp) -> u64 {
        let id = self.take_post_id();
        let (stem, extension) = file.rsplit_once('.').unwrap_or((file, "jpg"));
        let mut name = file.to_owned();
        let mut copy = 0;
        // A second file of one name gets a number, as the uploads folder gives it.
        while self.media.values().any(|media| media.src.ends_with(&format!("/{name}"))) {
            copy += 1;
            name = format!("{stem}-{copy}.{extension}");
        }
        let src = format!("{home}/wp-content/uploads/2026/11/{name}");
        self.insert_media(Media {
            id,
            created: now,
            modified: now,
            src,
            name,
            alt: String::new(),
            width: 400,
        });
        id
    }

    pub(super) fn insert_media(&mut self, media: Media) {
        self.next_post = self.next_post.max(media.id + 1);
        self.media.insert(media.id, media);
    }

    /// The product that has a SKU, without regard to case as the database compares.
    pub(super) fn sku_owner(&self, sku: &str, but: u64) -> Option<&Product> {
        self.products.values().find(|p| p.id != but && !p.sku.is_empty() && p.sku.eq_ignore_ascii_case(sku))
    }

    /// The product or variation that has an item number; what is in the bin has none.
    pub(super) fn number_owner(&self, number: &str, but: u64) -> Option<&Product> {
        let has = |p: &&Product| p.id != but && p.status != "trash" && p.global_unique_id == number;
        self.products.values().find(has)
    }

    /// A slug that no other product has.
    pub(super) fn unique_slug(&self, wanted: &str, but: u64) -> String {
        let taken = |slug: &str| self.products.values().any(|p| p.id != but && p.slug == slug);
        let mut slug = wanted.to_owned();
        let mut number = 1;
        while !slug.is_empty() && taken(&slug) {
            number += 1;
            slug = format!("{wanted}-{number}");
        }
        slug
    }
}
