//! Attributes with their options, and attribute sets.

use std::collections::BTreeMap;

use super::product::GLOBAL;
use crate::testkit::json::Json;

/// Where an attribute's value may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One value for all views.
    Global,
    /// A value a website.
    Website,
    /// A value a store view.
    Store,
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Website => "website",
            Self::Store => "store",
        }
    }
}

/// An attribute of products.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// The id.
    pub id: u64,
    /// The code.
    pub code: String,
    /// The label in the admin.
    pub label: String,
    /// How the admin edits it: `text`, `textarea`, `select`, `multiselect`, `boolean`, `price`, `date`, ...
    pub input: String,
    /// `varchar`, `text`, `int`, `decimal`, `datetime` or `static`.
    pub backend: String,
    /// Where its value may differ.
    pub scope: Scope,
    /// Whether a product must have it.
    pub required: bool,
    /// Whether no two products may share a value.
    pub unique: bool,
    /// Whether the merchant made it.
    pub user_defined: bool,
    /// Whether HTML is shown as such.
    pub html: bool,
    /// Whether the admin edits it with a text editor of pages.
    pub wysiwyg: bool,
    /// Its options.
    pub options: Vec<AttributeOption>,
    /// Labels of store views.
    pub labels: BTreeMap<u64, String>,
    /// Whether it stands at the top level of a product, and not in `custom_attributes`.
    pub(super) top: bool,
}

/// An option of a select or multiselect attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeOption {
    /// The id, which differs from one installation to the next.
    pub id: u64,
    /// The labels by scope; 0 is the admin's.
    pub labels: BTreeMap<u64, String>,
    /// The place.
    pub sort_order: i64,
}

impl AttributeOption {
    /// The label that a view shows.
    #[must_use]
    pub fn label(&self, view: u64) -> &str {
        let label = self.labels.get(&view).or_else(|| self.labels.get(&GLOBAL));
        label.map(String::as_str).unwrap_or_default()
    }
}

impl Attribute {
    /// An attribute that the merchant made, of the store's scope and not required.
    #[must_use]
    pub fn new(id: u64, code: &str, label: &str, input: &str) -> Self {
        let backend = match input {
            "textarea" => "text",
            "select" | "boolean" => "int",
            "price" | "weight" => "decimal",
            "date" => "datetime",
            _ => "varchar",
        };
        Self {
            id,
            code: code.to_owned(),
            label: label.to_owned(),
            input: input.to_owned(),
            backend: backend.to_owned(),
            scope: Scope::Store,
            required: false,
            unique: false,
            user_defined: true,
            html: input == "textarea",
            wysiwyg: false,
            options: Vec::new(),
            labels: BTreeMap::new(),
            top: false,
        }
    }

    /// Sets the scope.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Makes it one that a product must have.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Whether its values are ids of its options.
    #[must_use]
    pub fn has_options(&self) -> bool {
        matches!(self.input.as_str(), "select" | "multiselect" | "boolean" | "swatch_visual" | "swatch_text")
    }

    /// The option of an id.
    #[must_use]
    pub fn option(&self, id: u64) -> Option<&AttributeOption> {
        self.options.iter().find(|option| option.id == id)
    }

    /// The id of the option that the admin calls so.
    #[must_use]
    pub fn option_id(&self, label: &str) -> Option<u64> {
        self.options.iter().find(|option| option.label(GLOBAL) == label).map(|option| option.id)
    }

    /// Whether an empty text is a value, and not the lack of one.
    pub(super) fn keeps_empty_text(&self) -> bool {
        matches!(self.backend.as_str(), "varchar" | "text")
    }

    /// The options of a view, with the blank one first.
    pub(super) fn options_json(&self, view: u64) -> Json {
        let mut options: Vec<_> = self.options.iter().collect();
        options.sort_by_key(|option| (option.sort_order, option.id));
        let entry = |label: &str, value: String| {
            Json::object([("label", Json::text(label)), ("value", Json::String(value))])
        };
        // Attributes whose values come from code, such as the status, have no blank entry.
        let blank = self.user_defined && self.input != "boolean";
        let first = blank.then(|| entry(" ", String::new()));
        if self.input == "boolean" && options.is_empty() {
            return Json::Array(vec![entry("Yes", "1".to_owned()), entry("No", "0".to_owned())]);
        }
        let rest = options.into_iter().map(|option| entry(option.label(view), option.id.to_string()));
        Json::Array(first.into_iter().chain(rest).collect())
    }

    pub(super) fn json(&self, view: u64) -> Json {
        let flag = |on: bool| Json::Bool(on);
        let digit = |on: bool| Json::text(if on { "1" } else { "0" });
        let labels = self.labels.iter().map(|(view, label)| {
            Json::object([("store_id", Json::from(*view)), ("label", Json::text(label.clone()))])
        });
        let options = if self.has_options() { self.options_json(view) } else { Json::Array(Vec::new()) };
        Json::object([
            ("is_wysiwyg_enabled", flag(self.wysiwyg)),
            ("is_html_allowed_on_front", flag(self.html)),
            ("used_for_sort_by", flag(self.code == "name")),
            ("is_filterable", flag(self.has_options() && self.user_defined)),
            ("is_filterable_in_search", flag(false)),
            ("is_used_in_grid", flag(false)),
            ("is_visible_in_grid", flag(false)),
            ("is_filterable_in_grid", flag(false)),
            ("position", Json::from(0)),
            ("apply_to", Json::Array(Vec::new())),
            ("is_searchable", digit(self.code == "name" || self.code == "description")),
            ("is_visible_in_advanced_search", digit(false)),
            ("is_comparable", digit(false)),
            ("is_used_for_promo_rules", digit(false)),
            ("is_visible_on_front", digit(self.user_defined)),
            ("used_in_product_listing", digit(false)),
            ("is_visible", flag(true)),
            ("scope", Json::text(self.scope.word())),
            ("attribute_id", Json::from(self.id)),
            ("attribute_code", Json::text(self.code.clone())),
            ("frontend_input", Json::text(self.input.clone())),
            ("entity_type_id", Json::text("4")),
            ("is_required", flag(self.required)),
            ("options", options),
            ("is_user_defined", flag(self.user_defined)),
            ("default_frontend_label", Json::text(self.label.clone())),
            ("frontend_labels", Json::Array(labels.collect())),
            ("backend_type", Json::text(self.backend.clone())),
            ("is_unique", digit(self.unique)),
            ("validation_rules", Json::Array(Vec::new())),
        ])
    }
}

/// A set of attributes; what is not in a product's set is ignored when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeSet {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The codes of the merchant's attributes in it; those of the system are in each set.
    pub attributes: Vec<String>,
}

impl AttributeSet {
    pub(super) fn json(&self) -> Json {
        Json::object([
            ("attribute_set_id", Json::from(self.id)),
            ("attribute_set_name", Json::text(self.name.clone())),
            ("sort_order", Json::from(i64::try_from(self.id).unwrap_or(0))),
            ("entity_type_id", Json::from(4)),
        ])
    }
}

/// The attributes that each installation has, with ids from 73 as a fresh one gives them.
pub(super) fn system() -> Vec<Attribute> {
    let table: [(&str, &str, &str, &str, Scope, bool, bool); 29] = [
        ("name", "Product Name", "text", "varchar", Scope::Store, true, true),
        ("sku", "SKU", "text", "static", Scope::Global, true, true),
        ("description", "Description", "textarea", "text", Scope::Store, false, false),
        ("short_description", "Short Description", "textarea", "text", Scope::Store, false, false),
        ("price", "Price", "price", "decimal", Scope::Website, true, true),
        ("special_price", "Special Price", "price", "decimal", Scope::Website, false, false),
        ("special_from_date", "Special Price From Date", "date", "datetime", Scope::Website, false, false),
        ("special_to_date", "Special Price To Date", "date", "datetime", Scope::Website, false, false),
        ("cost", "Cost", "price", "decimal", Scope::Website, false, false),
        ("weight", "Weight", "weight", "decimal", Scope::Global, false, true),
        ("manufacturer", "Manufacturer", "select", "int", Scope::Global, false, false),
        ("meta_title", "Meta Title", "text", "varchar", Scope::Store, false, false),
        ("meta_keyword", "Meta Keywords", "textarea", "text", Scope::Store, false, false),
        ("meta_description", "Meta Description", "textarea", "varchar", Scope::Store, false, false),
        ("image", "Base", "media_image", "varchar", Scope::Store, false, false),
        ("small_image", "Small", "media_image", "varchar", Scope::Store, false, false),
        ("thumbnail", "Thumbnail", "media_image", "varchar", Scope::Store, false, false),
        ("swatch_image", "Swatch", "media_image", "varchar", Scope::Store, false, false),
        ("status", "Enable Product", "select", "int", Scope::Website, false, true),
        ("visibility", "Visibility", "select", "int", Scope::Store, false, true),
        ("url_key", "URL Key", "text", "varchar", Scope::Store, false, false),
        ("url_path", "URL Path", "text", "varchar", Scope::Store, false, false),
        ("tax_class_id", "Tax Class", "select", "int", Scope::Website, false, false),
        ("options_container", "Display Product Options In", "select", "varchar", Scope::Store, false, false),
        ("required_options", "Required options", "text", "static", Scope::Global, false, false),
        ("has_options", "Has options", "text", "static", Scope::Global, false, false),
        (
            "country_of_manufacture",
            "Country of Manufacture",
            "select",
            "varchar",
            Scope::Website,
            false,
            false,
        ),
        (
            "msrp_display_actual_price_type",
            "Display Actual Price",
            "select",
            "varchar",
            Scope::Website,
            false,
            false,
        ),
        ("gift_message_available", "Allow Gift Message", "boolean", "varchar", Scope::Global, false, false),
    ];
    let mut attributes: Vec<Attribute> = (73..)
        .zip(table)
        .map(|(id, (code, label, input, backend, scope, required, top))| Attribute {
            backend: backend.to_owned(),
            scope,
            required,
            user_defined: false,
            unique: code == "sku",
            wysiwyg: matches!(code, "description" | "short_description"),
            html: matches!(code, "description" | "short_description"),
            top,
            ..Attribute::new(id, code, label, input)
        })
        .collect();
    let fixed = |pairs: &[(u64, &str)]| -> Vec<AttributeOption> {
        let option = |(id, label): &(u64, &str)| AttributeOption {
            id: *id,
            labels: BTreeMap::from([(GLOBAL, (*label).to_owned())]),
            sort_order: i64::try_from(*id).unwrap_or(0),
        };
        pairs.iter().map(option).collect()
    };
    for attribute in &mut attributes {
        attribute.options = match attribute.code.as_str() {
            "status" => fixed(&[(1, "Enabled"), (2, "Disabled")]),
            "visibility" => fixed(&[
                (1, "Not Visible Individually"),
                (2, "Catalog"),
                (3, "Search"),
                (4, "Catalog, Search"),
            ]),
            "tax_class_id" => fixed(&[(0, "None"), (2, "Taxable Goods")]),
            _ => Vec::new(),
        };
    }
    attributes
}
