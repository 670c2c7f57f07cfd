//! What the store keeps of a product: the values of each scope, its pictures, options and stock.

use std::collections::BTreeMap;

use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The id of the global scope, which the admin calls "All Store Views".
pub const GLOBAL: u64 = 0;

/// A product. Its texts are kept as the database has them: one row a value and scope, and none where a view
/// uses the default value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Product {
    /// The id.
    pub id: u64,
    /// The SKU, at most 64 characters.
    pub sku: String,
    /// `simple`, `configurable`, `virtual`, `bundle`, `grouped` or `downloadable`.
    pub type_id: String,
    /// The id of its attribute set.
    pub attribute_set_id: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was saved last.
    pub updated: Timestamp,
    /// The ids of the websites that sell it.
    pub websites: Vec<u64>,
    /// The categories with the product's place in each.
    pub categories: Vec<CategoryLink>,
    /// The values by scope (0 is global) and attribute code; of select attributes the option's id, of
    /// multiselect ones a comma list of ids.
    pub values: BTreeMap<u64, BTreeMap<String, String>>,
    /// The pictures.
    pub media: Vec<MediaEntry>,
    /// The stock.
    pub stock: Stock,
    /// The attributes that its variants differ by; of configurable products only.
    pub configurable: Vec<ConfigurableOption>,
    /// The ids of its variants; of configurable products only.
    pub children: Vec<u64>,
    /// Links to other products, as the API has them.
    pub links: Vec<Json>,
    /// Custom options, as the API has them.
    pub options: Vec<Json>,
    /// Tier prices, as the API has them.
    pub tier_prices: Vec<Json>,
}

impl Product {
    /// An empty simple product of the default set.
    #[must_use]
    pub fn new(id: u64, sku: &str, now: Timestamp) -> Self {
        Self {
            id,
            sku: sku.to_owned(),
            type_id: "simple".to_owned(),
            attribute_set_id: 4,
            created: now,
            updated: now,
            websites: Vec::new(),
            categories: Vec::new(),
            values: BTreeMap::new(),
            media: Vec::new(),
            stock: Stock::default(),
            configurable: Vec::new(),
            children: Vec::new(),
            links: Vec::new(),
            options: Vec::new(),
            tier_prices: Vec::new(),
        }
    }

    /// What a scope itself holds; `None` where it uses the default value.
    #[must_use]
    pub fn own(&self, scope: u64, code: &str) -> Option<&str> {
        self.values.get(&scope)?.get(code).map(String::as_str)
    }

    /// What a view shows: its own value, else the global one.
    #[must_use]
    pub fn value(&self, view: u64, code: &str) -> Option<&str> {
        self.own(view, code).or_else(|| self.own(GLOBAL, code))
    }

    /// Whether a view has a value of its own, so that "Use Default Value" is not ticked.
    #[must_use]
    pub fn is_overridden(&self, view: u64, code: &str) -> bool {
        view != GLOBAL && self.own(view, code).is_some()
    }

    /// Sets the value of a scope.
    pub fn set(&mut self, scope: u64, code: &str, value: impl Into<String>) {
        self.values.entry(scope).or_default().insert(code.to_owned(), value.into());
    }

    /// Takes the value of a scope away: of a view, it uses the default value then.
    pub fn unset(&mut self, scope: u64, code: &str) {
        if let Some(values) = self.values.get_mut(&scope) {
            values.remove(code);
        }
    }

    /// The picture of an id.
    #[must_use]
    pub fn picture(&self, id: u64) -> Option<&MediaEntry> {
        self.media.iter().find(|entry| entry.id == id)
    }
}

/// A category that a product is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryLink {
    /// The category's id.
    pub category: u64,
    /// The product's place in it.
    pub position: i64,
}

/// A picture of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaEntry {
    /// The id.
    pub id: u64,
    /// The path below the media folder, with a slash first.
    pub file: String,
    /// `image` or `external-video`.
    pub media_type: String,
    /// What each scope says of it (0 is global); a field that a view leaves open uses the default.
    pub rows: BTreeMap<u64, MediaRow>,
}

/// What one scope says of a picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaRow {
    /// The alternative text.
    pub label: Option<String>,
    /// The place among the pictures, from 1.
    pub position: Option<i64>,
    /// Whether the storefront hides it.
    pub disabled: Option<bool>,
}

impl MediaEntry {
    /// A picture without a label.
    #[must_use]
    pub fn new(id: u64, file: &str, position: i64) -> Self {
        let row = MediaRow { label: None, position: Some(position), disabled: Some(false) };
        Self {
            id,
            file: file.to_owned(),
            media_type: "image".to_owned(),
            rows: BTreeMap::from([(GLOBAL, row)]),
        }
    }

    fn first<T>(&self, view: u64, field: impl Fn(&MediaRow) -> Option<T>) -> Option<T> {
        let own = self.rows.get(&view).and_then(&field);
        own.or_else(|| self.rows.get(&GLOBAL).and_then(&field))
    }

    /// The label that a view shows.
    #[must_use]
    pub fn label(&self, view: u64) -> Option<String> {
        self.first(view, |row| row.label.clone())
    }

    /// The place that a view shows it at.
    #[must_use]
    pub fn position(&self, view: u64) -> i64 {
        self.first(view, |row| row.position).unwrap_or(0)
    }

    /// Whether a view hides it.
    #[must_use]
    pub fn disabled(&self, view: u64) -> bool {
        self.first(view, |row| row.disabled).unwrap_or(false)
    }
}

/// The stock of a product, of the one stock that old calls know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stock {
    /// The quantity.
    pub qty: f64,
    /// Whether it can be bought.
    pub in_stock: bool,
    /// Whether the quantity is counted.
    pub managed: bool,
}

impl Default for Stock {
    fn default() -> Self {
        Self { qty: 0.0, in_stock: false, managed: true }
    }
}

/// An attribute that the variants of a configurable product differ by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigurableOption {
    /// The id of the option.
    pub id: u64,
    /// The id of the attribute.
    pub attribute_id: u64,
    /// The label.
    pub label: String,
    /// The place among the options, from 0.
    pub position: i64,
    /// The ids of the attribute's options in use.
    pub values: Vec<u64>,
}
