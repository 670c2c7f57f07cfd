//! All that the store holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::conditions::{Area, Conditions};
use super::limits::Quota;
use super::product::{Product, date, id_of};
use super::settings::Settings;
use super::tokens::Tokens;
use super::webhooks::Webhooks;
use crate::testkit::json::Json;
use crate::testkit::random::SeededRandom;
use crate::time::Timestamp;

/// The most notes of unexpected requests that are kept.
const NOTE_LIMIT: usize = 1000;

/// A metafield, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metafield {
    /// `product`, `variant`, `brand`, `category` or `channel`.
    pub(super) resource: &'static str,
    pub(super) resource_id: u64,
    /// The API account that made it: others may not even see it where it is `app_only`.
    pub(super) owner: String,
    pub(super) row: Json,
}

pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) elapsed: Duration,
    pub(super) settings: Settings,
    pub(super) conditions: Conditions,
    pub(super) products: BTreeMap<u64, Product>,
    pub(super) brands: BTreeMap<u64, Json>,
    pub(super) categories: BTreeMap<u64, Json>,
    pub(super) trees: BTreeMap<u64, Json>,
    pub(super) channels: BTreeMap<u64, Json>,
    pub(super) metafields: BTreeMap<u64, Metafield>,
    /// The further languages of channels.
    pub(super) locales: BTreeSet<(u64, String)>,
    /// Translations of products, by channel, language, product and field.
    pub(super) translations: BTreeMap<(u64, String, u64, String), String>,
    /// What a channel shows in a language: by channel, language, product and field.
    pub(super) channel_values: BTreeMap<(u64, String, u64, String), String>,
    pub(super) tokens: Tokens,
    pub(super) quota: Quota,
    pub(super) webhooks: Webhooks,
    pub(super) random: SeededRandom,
    /// Counts every change, for lists whose order slips.
    pub(super) changes: u64,
    /// How many products were seeded.
    pub(super) seeded: u64,
    pub(super) unexpected: VecDeque<String>,
    next: BTreeMap<&'static str, u64>,
}

impl State {
    pub(super) fn new(settings: Settings, quota: Quota, seed: u64, now: Timestamp) -> Self {
        let channel = |id: u64, name: &str, kind: &str| {
            Json::object([
                ("id", Json::from(id)),
                ("external_id", Json::text("")),
                ("is_listable_from_ui", Json::Bool(true)),
                ("is_enabled", Json::Bool(true)),
                ("is_visible", Json::Bool(true)),
                ("status", Json::text("active")),
                ("name", Json::text(name)),
                ("type", Json::text(kind)),
                ("platform", Json::text("bigcommerce")),
                ("date_created", Json::text(date(now))),
                ("date_modified", Json::text(date(now))),
                ("icon_url", Json::text("https://cdn11.bigcommerce.com/icon.png")),
            ])
        };
        let tree = Json::object([
            ("id", Json::Int(1)),
            ("name", Json::text("Default catalog tree")),
            ("channels", Json::ids(&[1])),
        ]);
        Self {
            now,
            elapsed: Duration::ZERO,
            tokens: Tokens::default(),
            webhooks: Webhooks::default(),
            settings,
            conditions: Conditions::default(),
            products: BTreeMap::new(),
            brands: BTreeMap::new(),
            categories: BTreeMap::new(),
            trees: BTreeMap::from([(1, tree)]),
            channels: BTreeMap::from([(1, channel(1, "Test Store", "storefront"))]),
            metafields: BTreeMap::new(),
            locales: BTreeSet::new(),
            translations: BTreeMap::new(),
            channel_values: BTreeMap::new(),
            quota,
            random: SeededRandom::new(seed),
            changes: 0,
            seeded: 0,
            unexpected: VecDeque::new(),
            next: BTreeMap::from([
                ("product", 77),
                ("variant", 60),
                ("image", 300),
                ("custom_field", 1),
                ("option", 105),
                ("value", 90),
                ("brand", 35),
                ("category", 10),
                ("metafield", 1),
                ("hook", 18_000_000),
            ]),
        }
    }

    /// The next id of a kind.
    pub(super) fn take(&mut self, kind: &'static str) -> u64 {
        let next = self.next.entry(kind).or_insert(1);
        *next += 1;
        *next - 1
    }

    /// Notes a request that the stand-in does not model, so that a test can ask that there was none.
    pub(super) fn note(&mut self, text: String) {
        if self.unexpected.len() < NOTE_LIMIT {
            self.unexpected.push_back(text);
        }
    }

    /// Puts a product in, over one with the same id.
    pub(super) fn insert(&mut self, mut product: Product) {
        product.compute();
        self.changes += 1;
        self.products.insert(product.id, product);
    }

    /// After a change of a product: its moment moves where such changes move it, and subscribers are told where they
    /// are told of it.
    pub(super) fn changed(&mut self, id: u64, area: Area, told: bool) {
        self.changes += 1;
        let (still, now) = (self.conditions.still.contains(&area), self.now);
        let Some(product) = self.products.get_mut(&id) else { return };
        product.compute();
        if !still {
            product.touch(now);
        }
        if told {
            self.fire_product("updated", id);
        }
    }

    /// Removes a product with all that is its own. False where there is none.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let Some(product) = self.products.remove(&id) else { return false };
        let variants: BTreeSet<u64> = product.variants.iter().filter_map(id_of).collect();
        self.translations.retain(|(_, _, product, _), _| *product != id);
        self.channel_values.retain(|(_, _, product, _), _| *product != id);
        self.metafields.retain(|_, it| match it.resource {
            "product" => it.resource_id != id,
            "variant" => !variants.contains(&it.resource_id),
            _ => true,
        });
        self.changes += 1;
        self.fire_product("deleted", id);
        true
    }

    /// Another product of that name. Names are compared without regard to case.
    pub(super) fn name_owner(&self, name: &str, but: u64) -> Option<u64> {
        let mut products = self.products.values();
        let fold = name.to_lowercase();
        products.find(|it| it.id != but && it.text("name").to_lowercase() == fold).map(|it| it.id)
    }

    /// Whether a product or variant has a SKU, apart from a product and its base variant, or one variant.
    pub(super) fn sku_taken(&self, sku: &str, but_product: Option<u64>, but_variant: Option<u64>) -> bool {
        let is = |text: &str| !sku.is_empty() && text.eq_ignore_ascii_case(sku);
        self.products.values().any(|product| {
            let own = but_product != Some(product.id) && is(product.text("sku"));
            // The base variant repeats its product's SKU.
            let simple = product.options.is_empty();
            let of_variant = product.variants.iter().any(|variant| {
                let id = id_of(variant);
                let other = id != but_variant && !(simple && but_product == Some(product.id));
                other && is(variant.get("sku").and_then(Json::as_str).unwrap_or_default())
            });
            let base = simple && product.variants.iter().any(|variant| id_of(variant) == but_variant);
            (own && !base) || of_variant
        })
    }

    /// Whether an address is taken by anything in the store.
    pub(super) fn url_taken(&self, url: &str, but_product: u64) -> bool {
        let path = |holder: &Json, key: &str, inner: &str| {
            holder.get(key).and_then(|it| it.get(inner)).and_then(Json::as_str) == Some(url)
        };
        self.products.values().any(|it| it.id != but_product && path(&it.fields, "custom_url", "url"))
            || self.brands.values().any(|it| path(it, "custom_url", "url"))
            || self.categories.values().any(|it| path(it, "url", "path"))
    }

    /// An address that nothing in the store has, from a name.
    pub(super) fn free_url(&self, name: &str, but: u64) -> String {
        let slug = slug(name);
        let mut url = format!("/{slug}/");
        let mut number = 1;
        while self.url_taken(&url, but) {
            number += 1;
            url = format!("/{slug}-{number}/");
        }
        url
    }
}

/// A name in lower-case Latin letters, digits and hyphens.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.is_empty() { "item".to_owned() } else { slug }
}
