//! Products as the API answers them.

use super::inventory;
use super::product::{ConfigurableOption, MediaEntry, Product};
use super::state::State;
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// Where a product stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself.
    Alone,
    /// In a list.
    List,
}

/// A moment as the API writes it: UTC, without a zone.
pub(super) fn date(moment: Timestamp) -> String {
    moment.to_utc_civil().replace('T', " ")
}

/// The roles that a picture can have.
pub(super) const ROLES: [&str; 4] = ["image", "small_image", "thumbnail", "swatch_image"];

/// The product as a view shows it; view 0 shows the global values.
pub(super) fn product(state: &State, product: &Product, view: u64, place: Place) -> Json {
    let text = |code: &str| product.value(view, code);
    let integer = |code: &str| text(code).and_then(|value| value.parse::<i64>().ok());
    let mut entries = vec![("id", Json::from(product.id)), ("sku", Json::text(product.sku.clone()))];
    entries.extend(text("name").map(|name| ("name", Json::text(name))));
    entries.push(("attribute_set_id", Json::from(product.attribute_set_id)));
    let price =
        if product.type_id == "configurable" { Some(Json::from(0)) } else { text("price").map(decimal) };
    entries.extend(price.map(|price| ("price", price)));
    entries.extend(integer("status").map(|status| ("status", Json::from(status))));
    entries.extend(integer("visibility").map(|visibility| ("visibility", Json::from(visibility))));
    entries.push(("type_id", Json::text(product.type_id.clone())));
    entries.push(("created_at", Json::String(date(product.created))));
    entries.push(("updated_at", Json::String(date(product.updated))));
    entries.extend(text("weight").map(|weight| ("weight", decimal(weight))));
    entries.push(("extension_attributes", extension(state, product, place)));
    entries.push(("product_links", Json::Array(product.links.clone())));
    entries.push(("options", Json::Array(product.options.clone())));
    entries.push(("media_gallery_entries", gallery(product, view)));
    entries.push(("tier_prices", Json::Array(product.tier_prices.clone())));
    entries.push(("custom_attributes", custom(state, product, view)));
    Json::object(entries)
}

/// A decimal as a JSON number.
fn decimal(text: &str) -> Json {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Json::from(whole),
        (_, Ok(number)) => Json::Float(number),
        _ => Json::from(0),
    }
}

fn extension(state: &State, product: &Product, place: Place) -> Json {
    let mut entries = Vec::new();
    if !product.websites.is_empty() {
        entries.push(("website_ids", Json::ids(&product.websites)));
    }
    if !product.categories.is_empty() {
        let links = product.categories.iter().map(|link| {
            Json::object([
                ("position", Json::from(link.position)),
                ("category_id", Json::String(link.category.to_string())),
            ])
        });
        entries.push(("category_links", Json::Array(links.collect())));
    }
    if place == Place::Alone || !state.conditions.lists_without_stock {
        entries.push(("stock_item", inventory::stock_item(product)));
    }
    if product.type_id == "configurable" {
        let options = product.configurable.iter().map(|option| configurable_option(option, product.id));
        entries.push(("configurable_product_options", Json::Array(options.collect())));
        entries.push(("configurable_product_links", Json::ids(&product.children)));
    }
    if entries.is_empty() && state.conditions.empty_lists_for_objects {
        return Json::Array(Vec::new());
    }
    Json::object(entries)
}

pub(super) fn configurable_option(option: &ConfigurableOption, product: u64) -> Json {
    let values = option.values.iter().map(|id| Json::object([("value_index", Json::from(*id))]));
    Json::object([
        ("id", Json::from(option.id)),
        ("attribute_id", Json::String(option.attribute_id.to_string())),
        ("label", Json::text(option.label.clone())),
        ("position", Json::from(option.position)),
        ("values", Json::Array(values.collect())),
        ("product_id", Json::from(product)),
    ])
}

/// The pictures in the order of a view.
pub(super) fn gallery(product: &Product, view: u64) -> Json {
    let mut media: Vec<_> = product.media.iter().collect();
    media.sort_by_key(|entry| (entry.position(view), entry.id));
    Json::Array(media.into_iter().map(|entry| media_entry(product, entry, view)).collect())
}

/// The roles that a picture has in a view.
pub(super) fn roles(product: &Product, entry: &MediaEntry, view: u64) -> Vec<&'static str> {
    ROLES.into_iter().filter(|role| product.value(view, role) == Some(entry.file.as_str())).collect()
}

pub(super) fn media_entry(product: &Product, entry: &MediaEntry, view: u64) -> Json {
    let types = roles(product, entry, view).into_iter().map(Json::text);
    Json::object([
        ("id", Json::from(entry.id)),
        ("media_type", Json::text(entry.media_type.clone())),
        ("label", entry.label(view).map_or(Json::Null, Json::String)),
        ("position", Json::from(entry.position(view))),
        ("disabled", Json::Bool(entry.disabled(view))),
        ("types", Json::Array(types.collect())),
        ("file", Json::text(entry.file.clone())),
    ])
}

fn custom(state: &State, product: &Product, view: u64) -> Json {
    let mut entries = Vec::new();
    let mut add = |code: &str, value: Json| {
        entries.push(Json::object([("attribute_code", Json::text(code)), ("value", value)]));
    };
    for attribute in state.attributes.iter().filter(|a| !a.top && state.set_has(product.attribute_set_id, a))
    {
        match attribute.code.as_str() {
            "required_options" | "has_options" => {
                let has = product.type_id == "configurable" || !product.options.is_empty();
                add(
                    &attribute.code,
                    Json::text(if has && attribute.code == "has_options" { "1" } else { "0" }),
                );
                continue;
            }
            "url_key" if !product.categories.is_empty() => {
                let ids = product.categories.iter().map(|link| Json::String(link.category.to_string()));
                add("category_ids", Json::Array(ids.collect()));
            }
            _ => {}
        }
        let Some(value) = product.value(view, &attribute.code) else { continue };
        if value.is_empty() && state.conditions.leaves_out_empty {
            continue;
        }
        let as_list = attribute.input == "multiselect" && state.conditions.multiselect_lists;
        let value = if as_list {
            let ids = value.split(',').filter(|id| !id.is_empty());
            Json::Array(ids.map(Json::text).collect())
        } else {
            Json::text(value)
        };
        add(&attribute.code, value);
    }
    Json::Array(entries)
}
