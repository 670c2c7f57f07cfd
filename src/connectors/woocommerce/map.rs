//! Where WooCommerce keeps each canonical field (REST API `wc/v3`, observed on 10.5.0 on 2026-11-22).
//!
//! `price_html`, `related_ids` and `_links` are left out on purpose: they are made anew for each answer.
//!
//! What stands below `/_lily` is not the platform's: the connector adds it to variations that are read by id, whose
//! descriptions lists have only as a page would show them.

use super::connector::WriteSettings;
use super::writable::SeoPlugin;
use crate::error::Result;
use crate::mapping::{Direction, Overrides, Rule, Transform, read_only, rule};
use crate::model::Entity;

use Direction::{Read, ReadWrite};
use Transform::{
    Bool, Decimal, EscapedText, Html, Id, Length, Mass, Money, OptionalText, Text, UtcTime, Word,
};

const STATUS: Transform = Word(&[
    ("publish", "active"),
    ("draft", "draft"),
    ("pending", "draft"),
    ("private", "private"),
    ("future", "scheduled"),
    ("trash", "trashed"),
]);

const AVAILABILITY: Transform =
    Word(&[("instock", "in_stock"), ("outofstock", "out_of_stock"), ("onbackorder", "on_backorder")]);

/// `manage_stock` of a variation is a truth value or the text `parent`.
const TRACKING: Transform = Word(&[("true", "own"), ("false", "none"), ("parent", "product")]);

/// Products. Names and terms come with HTML entities; descriptions as they are stored, with `context=edit`.
static PRODUCT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", EscapedText, ReadWrite),
    rule("/slug", "slug", OptionalText, ReadWrite),
    rule("/permalink", "url", Text, Read),
    rule("/date_created_gmt", "created_at", UtcTime, Read),
    rule("/date_modified_gmt", "modified_at", UtcTime, Read),
    rule("/type", "structure", Text, Read),
    rule("/status", "status", STATUS, Read),
    rule("/description", "description", Html, ReadWrite),
    rule("/short_description", "short_description", Html, ReadWrite),
    rule("/sku", "sku", OptionalText, Read),
    rule("/global_unique_id", "gtin", OptionalText, ReadWrite),
    rule("/price", "price", Money, Read),
    rule("/regular_price", "compare_at", Money, Read),
    rule("/manage_stock", "inventory.tracking", TRACKING, Read),
    rule("/stock_quantity", "inventory.quantity", Decimal, Read),
    rule("/stock_status", "inventory.availability", AVAILABILITY, Read),
    rule("/weight", "weight", Mass, Read),
    rule("/dimensions/length", "dimensions.length", Length, Read),
    rule("/dimensions/width", "dimensions.width", Length, Read),
    rule("/dimensions/height", "dimensions.height", Length, Read),
    rule("/categories/*/id", "categories[].id", Id, ReadWrite),
    rule("/categories/*/name", "categories[].name", EscapedText, ReadWrite),
    rule("/tags/*/id", "tags[].id", Id, ReadWrite),
    rule("/tags/*/name", "tags[].name", EscapedText, ReadWrite),
    rule("/brands/*/id", "brands[].id", Id, ReadWrite),
    rule("/brands/*/name", "brands[].name", EscapedText, ReadWrite),
    rule("/images/*/id", "media[].id", Id, ReadWrite),
    rule("/images/*/src", "media[].url", Text, Read),
    rule("/images/*/name", "media[].title", EscapedText, Read),
    rule("/images/*/alt", "media[].alt", EscapedText, ReadWrite),
    rule("/attributes/*/id", "attributes[].id", Id, ReadWrite),
    rule("/attributes/*/slug", "attributes[].key", OptionalText, Read),
    rule("/attributes/*/name", "attributes[].label", EscapedText, ReadWrite),
    rule("/attributes/*/visible", "attributes[].visible", Bool, ReadWrite),
    rule("/attributes/*/variation", "attributes[].distinguishes_variants", Bool, ReadWrite),
    rule("/attributes/*/position", "attributes[].position", Decimal, ReadWrite),
    rule("/attributes/*/options/*", "attributes[].values[]", EscapedText, ReadWrite),
    rule("/variations/*", "variants[]", Id, Read),
];

/// The keys of a plugin that keeps titles and descriptions for search engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeoKeys {
    title: &'static str,
    description: &'static str,
    focus_keyword: &'static str,
}

impl SeoKeys {
    const YOAST: Self = Self {
        title: "_yoast_wpseo_title",
        description: "_yoast_wpseo_metadesc",
        focus_keyword: "_yoast_wpseo_focuskw",
    };
    const RANK_MATH: Self = Self {
        title: "rank_math_title",
        description: "rank_math_description",
        focus_keyword: "rank_math_focus_keyword",
    };

    const fn of(plugin: SeoPlugin) -> Self {
        match plugin {
            SeoPlugin::Yoast => Self::YOAST,
            SeoPlugin::RankMath => Self::RANK_MATH,
        }
    }

    fn rules(self, direction: Direction, rank: u8) -> [Rule; 3] {
        let fields = ["seo.title", "seo.description", "seo.focus_keyword"];
        let [title, description, focus] = fields;
        [(self.title, title), (self.description, description), (self.focus_keyword, focus)].map(
            |(key, field)| {
                let mut rule = rule("", field, Text, direction).rank(rank);
                rule.from = format!("/meta_data/*[key={key}]/value").into();
                rule
            },
        )
    }
}

/// The places on the wire where the content of a kind of record is.
fn content(entity: Entity) -> &'static [&'static str] {
    match entity {
        Entity::Variant => &["description", "global_unique_id"],
        _ => &[
            "name",
            "description",
            "short_description",
            "slug",
            "global_unique_id",
            "tags",
            "categories",
            "brands",
            "images",
            "attributes",
        ],
    }
}

/// Refuses overrides that do not fit, and those by which the connector would write where no content is: a store would
/// take it for something else.
///
/// # Errors
/// `Config` with the entry's line.
pub(super) fn must_write_content(mapping: &Overrides, entity: Entity, own: &[Rule]) -> Result<()> {
    let is_content = |rule: &Rule| match meta_key(rule) {
        Some((key, place)) => place == "/value" && may_be_written(key),
        None => rule.from.split('/').nth(1).is_some_and(|first| content(entity).contains(&first)),
    };
    let remedy = "name a content field or a key of meta_data without an underscore, or add write = false";
    mapping.must_write_content(entity, own, is_content, remedy)
}

/// The key of meta data that a rule names, and the place below it.
fn meta_key(rule: &Rule) -> Option<(&str, &str)> {
    rule.from.strip_prefix("/meta_data/*[key=")?.split_once(']')
}

/// A key that begins with an underscore may be a property of the platform's own, such as `_sku`, which it would apply:
/// of those, only the keys of SEO plugins are written. One such property has no underscore, the number of sales.
fn may_be_written(key: &str) -> bool {
    (!key.starts_with('_') && key != "total_sales")
        || ["_yoast_wpseo_", "_seopress_", "_aioseo_"].iter().any(|own| key.starts_with(own))
}

/// The keys of meta data that rules write.
pub(super) fn meta_keys(rules: &[Rule]) -> Vec<String> {
    let written = rules.iter().filter(|rule| rule.direction == ReadWrite);
    let keys = written.filter_map(meta_key).map(|(key, _)| key);
    keys.filter(|key| may_be_written(key)).map(str::to_owned).collect()
}

/// The rules of products. Where a store has a plugin, only its keys count: those of the other one are left over
/// from before. Without a plugin, what there is is read.
pub(super) fn product(plugin: Option<SeoPlugin>, writes: WriteSettings) -> Vec<Rule> {
    let seo = match plugin {
        Some(plugin) => SeoKeys::of(plugin).rules(ReadWrite, 0).to_vec(),
        None => [SeoKeys::YOAST.rules(Read, 1), SeoKeys::RANK_MATH.rules(Read, 0)].concat(),
    };
    [allowing(PRODUCT, writes), seo].concat()
}

/// The rules of variations.
pub(super) fn variant(writes: WriteSettings) -> Vec<Rule> {
    allowing(VARIANT, writes)
}

/// Where the settings do not allow item numbers to be written, an override may read them from anywhere.
fn allowing(rules: &[Rule], writes: WriteSettings) -> Vec<Rule> {
    if writes.identifiers { rules.to_vec() } else { read_only(rules, &["gtin"]) }
}

/// Variations: one image or none, one value an option, no tags and no categories.
static VARIANT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/parent_id", "product_ref.id", Id, Read),
    rule("/name", "title", EscapedText, Read),
    rule("/permalink", "url", Text, Read),
    rule("/date_created_gmt", "created_at", UtcTime, Read),
    rule("/date_modified_gmt", "modified_at", UtcTime, Read),
    rule("/status", "status", STATUS, Read),
    rule("/description", "description", Html, ReadWrite),
    rule("/_lily/description", "description", Html, Read).rank(1),
    rule("/sku", "sku", OptionalText, Read),
    rule("/global_unique_id", "gtin", OptionalText, ReadWrite),
    rule("/price", "price", Money, Read),
    rule("/regular_price", "compare_at", Money, Read),
    rule("/manage_stock", "inventory.tracking", TRACKING, Read),
    rule("/stock_quantity", "inventory.quantity", Decimal, Read),
    rule("/stock_status", "inventory.availability", AVAILABILITY, Read),
    rule("/weight", "weight", Mass, Read),
    rule("/dimensions/length", "dimensions.length", Length, Read),
    rule("/dimensions/width", "dimensions.width", Length, Read),
    rule("/dimensions/height", "dimensions.height", Length, Read),
    rule("/image/id", "media[].id", Id, Read),
    rule("/image/src", "media[].url", Text, Read),
    rule("/image/name", "media[].title", EscapedText, Read),
    rule("/image/alt", "media[].alt", EscapedText, Read),
    rule("/attributes/*/id", "options[].id", Id, Read),
    rule("/attributes/*/slug", "options[].key", OptionalText, Read),
    rule("/attributes/*/name", "options[].name", EscapedText, Read),
    rule("/attributes/*/option", "options[].value", EscapedText, Read),
];

/// Categories and brands: they stand below one another, and have a picture. Texts come as they are stored, with
/// HTML entities in the name.
pub(super) static CATEGORY: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", EscapedText, Read),
    rule("/slug", "slug", OptionalText, Read),
    rule("/description", "description", Html, Read),
    rule("/parent", "parent_ref.id", Id, Read),
    rule("/count", "product_count", Decimal, Read),
    rule("/menu_order", "position", Decimal, Read),
    rule("/image/id", "media[].id", Id, Read),
    rule("/image/src", "media[].url", Text, Read),
    rule("/image/name", "media[].title", EscapedText, Read),
    rule("/image/alt", "media[].alt", EscapedText, Read),
];

/// Tags.
pub(super) static TAG: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", EscapedText, Read),
    rule("/slug", "slug", OptionalText, Read),
    rule("/description", "description", Html, Read),
    rule("/count", "product_count", Decimal, Read),
];

/// Attributes that products share; how they are shown and ordered is the shop's own business.
pub(super) static ATTRIBUTE: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", EscapedText, Read),
    rule("/slug", "slug", OptionalText, Read),
];

/// Values of an attribute: which attribute is said by the list that they are in, not by their bytes.
pub(super) static ATTRIBUTE_VALUE: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", EscapedText, Read),
    rule("/slug", "slug", OptionalText, Read),
    rule("/description", "description", Html, Read),
    rule("/count", "product_count", Decimal, Read),
    rule("/menu_order", "position", Decimal, Read),
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::PLATFORM;
    use super::*;
    use crate::mapping::SchemaMap;
    use crate::model::{Entity, LengthUnit, MassUnit, RawItems, Shape, StoreProfile};

    pub(crate) fn profile() -> StoreProfile {
        StoreProfile {
            currency: Some("USD".parse().unwrap()),
            mass_unit: Some(MassUnit::Kilogram),
            length_unit: Some(LengthUnit::Centimetre),
            ..StoreProfile::unknown()
        }
    }

    #[test]
    fn both_maps_compile_and_read_a_product_and_a_variation() {
        let products =
            SchemaMap::compile(PLATFORM, Entity::Product, &product(None, WriteSettings::default())).unwrap();
        let body = r#"[{"id":7,"name":"R&amp;D &quot;Cap&quot;","manage_stock":true,"stock_quantity":3,"price":"12.50",
            "weight":"","dimensions":{"length":"2.5","width":"","height":""},"status":"publish",
            "date_modified_gmt":"2026-11-22T17:08:40","tags":[{"id":1,"name":"Sale","slug":"sale"}],"categories":[],
            "images":[{"id":36,"src":"https:\/\/x\/y.jpg","name":"n","alt":""}],"variations":[25,26],
            "attributes":[{"id":0,"name":"Logo","slug":"logo","options":["Yes","No"],"visible":true,"variation":false}],
            "meta_data":[{"id":1,"key":"other","value":{"a":1}},{"value":"RM","key":"rank_math_title"},
            {"id":3,"key":"_yoast_wpseo_title","value":"Y"}],"stock_status":"instock"}]"#;
        let items = RawItems::new(Entity::Product, Bytes::from_static(body.as_bytes()), Shape::List);
        let page = products.map(&items, &profile()).unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        let expected = serde_json::json!({
            "entity": "product",
            "ref": {"platform": "woocommerce", "kind": "product", "id": "7"},
            "status": "active", "title": "R&D \"Cap\"", "raw_spelling": {"title": "R&amp;D &quot;Cap&quot;"},
            "price": {"amount": "12.50", "currency": "USD"}, "weight": null,
            "dimensions": {"length": {"millimetres": "25", "source": "2.5", "source_unit": "cm"}},
            "inventory": {"tracking": "own", "quantity": "3", "availability": "in_stock"},
            "modified_at": "2026-11-22T17:08:40Z", "tags": [{"id": "1", "name": "Sale"}], "categories": [],
            "media": [{"id": "36", "url": "https://x/y.jpg", "alt": "", "title": "n"}], "variants": ["25", "26"],
            "attributes": [{"key": "logo", "label": "Logo", "values": ["Yes", "No"], "visible": true,
                "distinguishes_variants": false}],
            "seo": {"title": "Y"}, "base": json["base"],
        });
        assert_eq!(json, expected);
        assert_eq!(json["base"].as_object().unwrap().len(), 12);

        let variants = SchemaMap::compile(PLATFORM, Entity::Variant, VARIANT).unwrap();
        let body = r#"{"id":27,"parent_id":11,"image":{"id":38,"src":"s","name":"n","alt":"a"},"manage_stock":"parent",
            "attributes":[{"id":1,"name":"Color","slug":"pa_color","option":"Blue"}]}"#;
        let items = RawItems::new(Entity::Variant, Bytes::from_static(body.as_bytes()), Shape::One);
        let page = variants.map(&items, &profile()).unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        assert_eq!(json["product_ref"]["id"], "11");
        assert_eq!(json["media"][0]["id"], "38");
        assert_eq!(json["inventory"]["tracking"], "product");
        assert_eq!(json["options"][0]["value"], "Blue");
    }
}
