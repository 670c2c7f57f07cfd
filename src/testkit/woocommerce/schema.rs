//! The check of a written body: types and allowed values, all bad fields at once.
//!
//! Single writes pass it; the items of a batch do not, which is the platform's own gap.

use super::errors::{ApiError, BadParam, invalid_params};
use crate::testkit::json::Json;

/// What a field must be.
#[derive(Debug, Clone, Copy)]
enum Is {
    Text,
    TextOrNull,
    Flag,
    FlagOrText,
    Whole,
    WholeOrNull,
    OneOf(&'static [&'static str]),
    Wholes,
    Texts,
    Objects(&'static [(&'static str, Is)]),
    Object(&'static [(&'static str, Is)]),
    Anything,
}

const STOCK: Is = Is::OneOf(&["instock", "outofstock", "onbackorder"]);
const BACKORDERS: Is = Is::OneOf(&["no", "notify", "yes"]);
const TAX: Is = Is::OneOf(&["taxable", "shipping", "none"]);
const DIMENSIONS: Is = Is::Object(&[("length", Is::Text), ("width", Is::Text), ("height", Is::Text)]);
const META: Is = Is::Objects(&[("id", Is::Whole), ("key", Is::Text), ("value", Is::Anything)]);
const TERMS: Is = Is::Objects(&[("id", Is::Whole), ("name", Is::Text), ("slug", Is::Text)]);
const IMAGE: &[(&str, Is)] = &[("id", Is::Whole), ("src", Is::Text), ("name", Is::Text), ("alt", Is::Text)];
const CHOICES: Is = Is::Objects(&[("id", Is::Whole), ("name", Is::Text), ("option", Is::Text)]);
const DOWNLOADS: Is = Is::Objects(&[("id", Is::Text), ("name", Is::Text), ("file", Is::Text)]);

const PRODUCT: &[(&str, Is)] = &[
    ("name", Is::Text),
    ("slug", Is::Text),
    ("date_created", Is::TextOrNull),
    ("date_created_gmt", Is::TextOrNull),
    ("type", Is::OneOf(&["simple", "grouped", "external", "variable"])),
    ("status", Is::OneOf(&["draft", "pending", "private", "publish", "future", "auto-draft", "trash"])),
    ("featured", Is::Flag),
    ("catalog_visibility", Is::OneOf(&["visible", "catalog", "search", "hidden"])),
    ("description", Is::Text),
    ("short_description", Is::Text),
    ("sku", Is::Text),
    ("global_unique_id", Is::Text),
    ("regular_price", Is::Text),
    ("sale_price", Is::Text),
    ("date_on_sale_from", Is::TextOrNull),
    ("date_on_sale_from_gmt", Is::TextOrNull),
    ("date_on_sale_to", Is::TextOrNull),
    ("date_on_sale_to_gmt", Is::TextOrNull),
    ("virtual", Is::Flag),
    ("downloadable", Is::Flag),
    ("downloads", DOWNLOADS),
    ("external_url", Is::Text),
    ("button_text", Is::Text),
    ("tax_status", TAX),
    ("tax_class", Is::Text),
    ("manage_stock", Is::Flag),
    ("stock_quantity", Is::Whole),
    ("stock_status", STOCK),
    ("backorders", BACKORDERS),
    ("low_stock_amount", Is::WholeOrNull),
    ("sold_individually", Is::Flag),
    ("weight", Is::Text),
    ("dimensions", DIMENSIONS),
    ("shipping_class", Is::Text),
    ("reviews_allowed", Is::Flag),
    ("post_password", Is::Text),
    ("upsell_ids", Is::Wholes),
    ("cross_sell_ids", Is::Wholes),
    ("parent_id", Is::Whole),
    ("purchase_note", Is::Text),
    ("categories", TERMS),
    ("brands", TERMS),
    ("tags", TERMS),
    ("images", Is::Objects(IMAGE)),
    (
        "attributes",
        Is::Objects(&[
            ("id", Is::Whole),
            ("name", Is::Text),
            ("position", Is::Whole),
            ("visible", Is::Flag),
            ("variation", Is::Flag),
            ("options", Is::Texts),
        ]),
    ),
    ("default_attributes", CHOICES),
    ("grouped_products", Is::Wholes),
    ("menu_order", Is::Whole),
    ("meta_data", META),
];

const VARIATION: &[(&str, Is)] = &[
    ("description", Is::Text),
    ("sku", Is::Text),
    ("global_unique_id", Is::Text),
    ("regular_price", Is::Text),
    ("sale_price", Is::Text),
    ("date_on_sale_from", Is::TextOrNull),
    ("date_on_sale_from_gmt", Is::TextOrNull),
    ("date_on_sale_to", Is::TextOrNull),
    ("date_on_sale_to_gmt", Is::TextOrNull),
    ("status", Is::OneOf(&["draft", "pending", "private", "publish"])),
    ("virtual", Is::Flag),
    ("downloadable", Is::Flag),
    ("downloads", DOWNLOADS),
    ("tax_status", TAX),
    ("tax_class", Is::Text),
    ("manage_stock", Is::FlagOrText),
    ("stock_quantity", Is::Whole),
    ("stock_status", STOCK),
    ("backorders", BACKORDERS),
    ("low_stock_amount", Is::WholeOrNull),
    ("weight", Is::Text),
    ("dimensions", DIMENSIONS),
    ("shipping_class", Is::Text),
    ("image", Is::Object(IMAGE)),
    ("attributes", CHOICES),
    ("menu_order", Is::Whole),
    ("meta_data", META),
];

/// Checks the body of a single write; `null` passes everywhere, since it means "not sent".
pub(super) fn check_body(body: &[(String, Json)], variation: bool) -> Result<(), ApiError> {
    let mut bad = Vec::new();
    for (name, is) in if variation { VARIATION } else { PRODUCT } {
        let Some((_, value)) = body.iter().find(|(key, _)| key == name) else { continue };
        if *value != Json::Null {
            bad.extend(wrong(name, name, *is, value));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(invalid_params(&bad)) }
}

fn wrong(name: &str, path: &str, is: Is, value: &Json) -> Option<BadParam> {
    let unless = |fits: bool, expected| (!fits).then(|| BadParam::wrong_type(name, path, expected));
    let whole = |value: &Json| value.as_int().is_some();
    match is {
        Is::Anything => None,
        Is::Text => unless(value.as_str().is_some(), "string"),
        Is::TextOrNull => unless(value.as_str().is_some() || *value == Json::Null, "null,string"),
        Is::Flag => unless(value.as_bool().is_some(), "boolean"),
        Is::FlagOrText => unless(value.as_bool().is_some() || value.as_str().is_some(), "boolean,string"),
        Is::Whole => unless(whole(value), "integer"),
        Is::WholeOrNull => unless(whole(value) || *value == Json::Null, "integer,null"),
        Is::OneOf(values) => match value.as_str() {
            None => unless(false, "string"),
            Some(text) if values.contains(&text) => None,
            Some(_) => Some(BadParam { name: name.to_owned(), ..BadParam::not_in_enum(path, values) }),
        },
        Is::Wholes => in_list(name, path, value, Is::Whole),
        Is::Texts => in_list(name, path, value, Is::Text),
        Is::Objects(fields) => in_list(name, path, value, Is::Object(fields)),
        Is::Object(fields) => {
            let Some(entries) = value.as_object() else {
                // An empty list stands for an empty object in PHP.
                return unless(value.as_array().is_some_and(<[Json]>::is_empty), "object");
            };
            entries.iter().find_map(|(key, value)| {
                let (_, is) = fields.iter().find(|(name, _)| name == key)?;
                wrong(name, &format!("{path}[{key}]"), *is, value)
            })
        }
    }
}

fn in_list(name: &str, path: &str, value: &Json, is: Is) -> Option<BadParam> {
    match value {
        Json::Array(items) => {
            items.iter().enumerate().find_map(|(at, item)| wrong(name, &format!("{path}[{at}]"), is, item))
        }
        // A text counts as a comma list.
        Json::String(text) => text
            .split([',', ' '])
            .filter(|item| !item.is_empty())
            .enumerate()
            .find_map(|(at, item)| wrong(name, &format!("{path}[{at}]"), is, &Json::text(item))),
        _ => Some(BadParam::wrong_type(name, path, "array")),
    }
}
