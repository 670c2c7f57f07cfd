//! A product as the store keeps it.

use super::fields::{self, FIELDS};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// A product with its parts. Parts are objects in the platform's own form, so that a test can change any of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Product {
    /// The id.
    pub id: u64,
    /// Its own fields, with the platform's names, in the platform's order.
    pub fields: Json,
    /// Its images: `id`, `product_id`, `is_thumbnail`, `sort_order`, `description` (the alternative text), addresses,
    /// `date_modified`.
    pub images: Vec<Json>,
    /// Its variants; a product without options has one, the base variant.
    pub variants: Vec<Json>,
    /// Its options, with their values.
    pub options: Vec<Json>,
    /// Its modifiers.
    pub modifiers: Vec<Json>,
    /// Its custom fields: `id`, `name`, `value`.
    pub custom_fields: Vec<Json>,
    /// Its videos.
    pub videos: Vec<Json>,
    /// Its prices by quantity.
    pub bulk_pricing_rules: Vec<Json>,
    /// The channels that it is assigned to.
    pub channels: Vec<u64>,
}

impl Product {
    /// A product with the fields of a new one, on the default channel, without a variant.
    pub(super) fn new(id: u64, name: &str, now: Timestamp) -> Self {
        let mut entries = vec![("id".to_owned(), Json::from(id))];
        for field in FIELDS {
            entries.push((field.name.to_owned(), fields::default(field)));
            // The platform answers what it computes among the rest.
            match field.name {
                "product_tax_code" => entries.push(("calculated_price".to_owned(), Json::Int(0))),
                "brand_id" => {
                    entries.push(("option_set_id".to_owned(), Json::from(id)));
                    entries.push(("option_set_display".to_owned(), Json::text("right")));
                }
                "inventory_tracking" => {
                    for name in ["reviews_rating_sum", "reviews_count", "total_sold"] {
                        entries.push((name.to_owned(), Json::Int(0)));
                    }
                }
                "meta_description" => {
                    for name in ["date_created", "date_modified"] {
                        entries.push((name.to_owned(), Json::text(date(now))));
                    }
                }
                "custom_url" => entries.push(("base_variant_id".to_owned(), Json::Null)),
                _ => {}
            }
        }
        let mut product = Self {
            id,
            fields: Json::Object(entries),
            images: Vec::new(),
            variants: Vec::new(),
            options: Vec::new(),
            modifiers: Vec::new(),
            custom_fields: Vec::new(),
            videos: Vec::new(),
            bulk_pricing_rules: Vec::new(),
            channels: vec![1],
        };
        product.set("name", name);
        product
    }

    /// The text of a field; empty where it has none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Json::as_str).unwrap_or_default()
    }

    /// Sets a field, such as `meta_description`.
    pub fn set(&mut self, field: &str, value: impl Into<Json>) {
        self.fields.set(field, value);
    }

    /// The ids of its categories.
    #[must_use]
    pub fn categories(&self) -> Vec<u64> {
        ids(self.fields.get("categories"))
    }

    /// Sets the alternative text of one of its images. False where it has none of that id.
    pub fn set_alt(&mut self, image: u64, text: &str) -> bool {
        let found = self.images.iter_mut().find(|it| id_of(it) == Some(image));
        found.map(|image| image.set("description", text)).is_some()
    }

    pub(super) fn modified(&self) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(self.text("date_modified")).ok()
    }

    pub(super) fn touch(&mut self, now: Timestamp) {
        self.set("date_modified", date(now));
    }

    /// The price that is asked: the sale's, where there is one.
    pub(super) fn compute(&mut self) {
        let price = |name: &str| self.fields.get(name).and_then(Json::as_f64).unwrap_or(0.0);
        let asked = if price("sale_price") > 0.0 { price("sale_price") } else { price("price") };
        self.set("calculated_price", asked);
        let simple = self.options.is_empty();
        let base = self.variants.first().filter(|_| simple).and_then(|variant| variant.get("id")).cloned();
        self.set("base_variant_id", base.unwrap_or(Json::Null));
        let own = self.text("sku").to_owned();
        for variant in &mut self.variants {
            // The base variant is the product's row in another list.
            if simple {
                variant.set("sku", own.as_str());
            }
            let price = variant.get("price").and_then(Json::as_f64).unwrap_or(asked);
            let sale = variant.get("sale_price").and_then(Json::as_f64).filter(|sale| *sale > 0.0);
            variant.set("calculated_price", sale.unwrap_or(price));
            let weight = variant.get("weight").and_then(Json::as_f64);
            let weight = weight.or_else(|| self.fields.get("weight").and_then(Json::as_f64));
            variant.set("calculated_weight", weight.unwrap_or(0.0));
        }
    }
}

/// A moment as the platform writes it: `2018-08-15T14:48:46+00:00`.
pub(super) fn date(now: Timestamp) -> String {
    let whole = Timestamp::from_unix_seconds(now.unix_seconds()).unwrap_or(now);
    let text = whole.to_string();
    text.strip_suffix('Z').map_or(text.clone(), |text| format!("{text}+00:00"))
}

/// The id of an object.
pub(super) fn id_of(item: &Json) -> Option<u64> {
    item.get("id").and_then(Json::as_id)
}

/// A list of ids.
pub(super) fn ids(list: Option<&Json>) -> Vec<u64> {
    list.and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_id).collect()
}

/// A variant with what a new one has: null is inherited from the product.
pub(super) fn variant(id: u64, product: u64, sku: &str, option_values: Vec<Json>) -> Json {
    let base = option_values.is_empty();
    let mut entries = vec![
        ("id", Json::from(id)),
        ("product_id", Json::from(product)),
        ("sku", Json::text(sku)),
        ("sku_id", if base { Json::Null } else { Json::from(id + 100_000) }),
    ];
    for name in [
        "price",
        "calculated_price",
        "sale_price",
        "retail_price",
        "map_price",
        "weight",
        "calculated_weight",
    ] {
        entries.push((name, Json::Null));
    }
    for name in ["width", "height", "depth"] {
        entries.push((name, Json::Null));
    }
    entries.extend([
        ("is_free_shipping", Json::Bool(false)),
        ("fixed_cost_shipping_price", Json::Null),
        ("purchasing_disabled", Json::Bool(false)),
        ("purchasing_disabled_message", Json::text("")),
        ("image_url", Json::text("")),
        ("cost_price", Json::Null),
        ("upc", Json::text("")),
        ("mpn", Json::text("")),
        ("gtin", Json::text("")),
        ("inventory_level", Json::Int(0)),
        ("inventory_warning_level", Json::Int(0)),
        ("bin_picking_number", Json::text("")),
        ("option_values", Json::Array(option_values)),
    ]);
    Json::object(entries)
}

/// An image. Its addresses carry a moment, and change when it is processed anew.
pub(super) fn image(id: u64, product: u64, file: &str, alt: &str, first: bool, now: Timestamp) -> Json {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let made = now.unix_seconds();
    let url = |size: &str| {
        Json::text(format!(
            "https://cdn11.bigcommerce.com/s-test/products/{product}/images/{id}/{stem}__{id:05}.{made}.{size}.jpg?c=1"
        ))
    };
    Json::object([
        ("id", Json::from(id)),
        ("product_id", Json::from(product)),
        ("is_thumbnail", Json::Bool(first)),
        ("sort_order", Json::Int(0)),
        ("description", Json::text(alt)),
        ("image_file", Json::text(format!("{}/{:03}/{file}", letter(id), id % 1000))),
        ("url_zoom", url("1280.1280")),
        ("url_standard", url("386.513")),
        ("url_thumbnail", url("220.290")),
        ("url_tiny", url("44.58")),
        ("date_modified", Json::text(date(now))),
    ])
}

fn letter(id: u64) -> char {
    u8::try_from(id % 26).map_or('a', |at| char::from(b'a' + at))
}
