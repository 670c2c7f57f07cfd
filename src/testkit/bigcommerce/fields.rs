//! The fields of a product: their kinds, bounds and defaults, and which of them a webhook tells of.
//!
//! Bounds are those of the official document (products_catalog.v3.yml, schema `product_Base_PUT`, 2026-04).

use crate::testkit::json::Json;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text of so many letters.
    Text(usize, usize),
    /// A number from here to there.
    Number(f64, f64),
    /// A whole number from here to there.
    Int(i64, i64),
    Bool,
    Choice(&'static [&'static str]),
    /// A list of at most so many whole numbers.
    Ints(usize),
    /// A list of texts.
    Texts,
    /// `custom_url`.
    Url,
    /// A moment, or null.
    Date,
}

/// One field of a product.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether a change makes `store/product/updated` (official list of triggers, fact sheet 7.3).
    pub(super) told: bool,
}

const fn field(name: &'static str, kind: Kind, told: bool) -> Field {
    Field { name, kind, told }
}

const MOST: f64 = 9_999_999_999.0;
const I32: i64 = 2_147_483_647;

/// What can be written, in the order in which the platform answers it.
pub(super) const FIELDS: &[Field] = &[
    field("name", Kind::Text(1, 250), true),
    field("type", Kind::Choice(&["physical", "digital"]), true),
    field("sku", Kind::Text(0, 255), true),
    field("description", Kind::Text(0, usize::MAX), true),
    field("weight", Kind::Number(0.0, MOST), true),
    field("width", Kind::Number(0.0, MOST), true),
    field("depth", Kind::Number(0.0, MOST), true),
    field("height", Kind::Number(0.0, MOST), true),
    field("price", Kind::Number(0.0, f64::MAX), true),
    field("cost_price", Kind::Number(0.0, f64::MAX), true),
    field("retail_price", Kind::Number(0.0, f64::MAX), true),
    field("sale_price", Kind::Number(0.0, f64::MAX), true),
    field("map_price", Kind::Number(0.0, f64::MAX), true),
    field("tax_class_id", Kind::Int(0, 255), true),
    field("product_tax_code", Kind::Text(0, 255), true),
    field("categories", Kind::Ints(1000), true),
    field("brand_id", Kind::Int(0, 1_000_000_000), true),
    field("inventory_level", Kind::Int(0, I32), false),
    field("inventory_warning_level", Kind::Int(0, I32), false),
    field("inventory_tracking", Kind::Choice(&["none", "product", "variant"]), true),
    field("fixed_cost_shipping_price", Kind::Number(0.0, f64::MAX), true),
    field("is_free_shipping", Kind::Bool, true),
    field("is_visible", Kind::Bool, true),
    field("is_featured", Kind::Bool, true),
    field("related_products", Kind::Ints(1000), true),
    field("warranty", Kind::Text(0, 65_535), true),
    field("bin_picking_number", Kind::Text(0, 255), true),
    field("layout_file", Kind::Text(0, 500), true),
    field("upc", Kind::Text(0, 14), true),
    field("mpn", Kind::Text(0, 255), false),
    field("gtin", Kind::Text(0, 14), false),
    field("search_keywords", Kind::Text(0, 65_535), true),
    field("availability", Kind::Choice(&["available", "disabled", "preorder"]), true),
    field("availability_description", Kind::Text(0, 255), true),
    field("gift_wrapping_options_type", Kind::Choice(&["any", "none", "list"]), true),
    field("gift_wrapping_options_list", Kind::Ints(1000), true),
    field("sort_order", Kind::Int(-I32 - 1, I32), true),
    field("condition", Kind::Choice(&["New", "Used", "Refurbished"]), true),
    field("is_condition_shown", Kind::Bool, true),
    field("order_quantity_minimum", Kind::Int(0, 1_000_000_000), true),
    field("order_quantity_maximum", Kind::Int(0, 1_000_000_000), true),
    field("page_title", Kind::Text(0, 255), true),
    field("meta_keywords", Kind::Texts, false),
    field("meta_description", Kind::Text(0, 65_535), true),
    field("view_count", Kind::Int(0, 1_000_000_000), false),
    field("preorder_release_date", Kind::Date, true),
    field("preorder_message", Kind::Text(0, 255), true),
    field("is_preorder_only", Kind::Bool, true),
    field("is_price_hidden", Kind::Bool, true),
    field("price_hidden_label", Kind::Text(0, 200), true),
    field("custom_url", Kind::Url, false),
    field("open_graph_type", Kind::Choice(OPEN_GRAPH), true),
    field("open_graph_title", Kind::Text(0, usize::MAX), true),
    field("open_graph_description", Kind::Text(0, usize::MAX), true),
    field("open_graph_use_meta_description", Kind::Bool, true),
    field("open_graph_use_product_name", Kind::Bool, true),
    field("open_graph_use_image", Kind::Bool, true),
];

const OPEN_GRAPH: &[&str] =
    &["product", "album", "book", "drink", "food", "game", "movie", "song", "tv_show"];

/// What a body of a product may carry beside its fields: parts with routes of their own, and what is taken and does
/// nothing.
const PARTS: &[&str] = &[
    "id",
    "brand_name",
    "custom_fields",
    "bulk_pricing_rules",
    "images",
    "videos",
    "variants",
    "date_last_imported",
    "reviews_rating_sum",
    "reviews_count",
    "total_sold",
];

/// What is wrong with the fields of a body, by field. A field that nobody knows is taken and does nothing: what the
/// platform does with it is not documented, and the official document finds it.
pub(super) fn wrong(body: &Json) -> Vec<(String, String)> {
    let mut errors = Vec::new();
    for (name, value) in body.as_object().unwrap_or_default() {
        if PARTS.contains(&name.as_str()) {
            continue;
        }
        let Some(field) = FIELDS.iter().find(|field| field.name == name) else { continue };
        if let Some(message) = wrong_value(field.kind, value) {
            errors.push((name.clone(), message.to_owned()));
        }
    }
    errors
}

fn wrong_value(kind: Kind, value: &Json) -> Option<&'static str> {
    let right = match (kind, value) {
        (Kind::Text(least, most), Json::String(text)) => {
            let length = text.chars().count();
            if length < least || length > most {
                return Some("error.length");
            }
            true
        }
        (Kind::Number(least, most), value @ (Json::Int(_) | Json::Float(_))) => {
            value.as_f64().is_some_and(|number| number >= least && number <= most)
        }
        (Kind::Int(least, most), Json::Int(number)) => (least..=most).contains(number),
        (Kind::Bool, Json::Bool(_)) | (Kind::Date, Json::Null | Json::String(_)) => true,
        (Kind::Choice(choices), Json::String(text)) => choices.contains(&text.as_str()),
        (Kind::Ints(most), Json::Array(items)) => {
            items.len() <= most && items.iter().all(|item| matches!(item, Json::Int(_)))
        }
        (Kind::Texts, Json::Array(items)) => items.iter().all(|item| item.as_str().is_some()),
        (Kind::Url, Json::Object(_)) => true,
        _ => return Some("error.expected.type"),
    };
    if right { None } else { Some("error.range") }
}

/// The value of a field that nobody set.
pub(super) fn default(field: &Field) -> Json {
    match (field.name, field.kind) {
        ("name", _) => Json::text("Product"),
        ("type", _) => Json::text("physical"),
        ("inventory_tracking", _) => Json::text("none"),
        ("is_visible", _)
        | ("open_graph_use_meta_description" | "open_graph_use_product_name" | "open_graph_use_image", _) => {
            Json::Bool(true)
        }
        ("layout_file", _) => Json::text("product.html"),
        ("availability", _) => Json::text("available"),
        ("gift_wrapping_options_type", _) => Json::text("any"),
        ("condition", _) => Json::text("New"),
        ("open_graph_type", _) => Json::text("product"),
        ("related_products", _) => Json::Array(vec![Json::Int(-1)]),
        (_, Kind::Text(..) | Kind::Choice(_)) => Json::text(""),
        (_, Kind::Number(..) | Kind::Int(..)) => Json::Int(0),
        (_, Kind::Bool) => Json::Bool(false),
        (_, Kind::Ints(_) | Kind::Texts) => Json::Array(Vec::new()),
        (_, Kind::Url) => Json::object([("url", Json::text("")), ("is_customized", Json::Bool(false))]),
        (_, Kind::Date) => Json::Null,
    }
}
