//! Where WooCommerce keeps each canonical field (REST API `wc/v3`, observed on 10.5.0 on 2026-11-22).
//!
//! `price_html`, `related_ids` and `_links` are left out on purpose: they are made anew for each answer.

use crate::mapping::{Direction, Rule, Transform, rule};

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
pub(super) static PRODUCT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", EscapedText, ReadWrite),
    rule("/slug", "slug", OptionalText, Read),
    rule("/permalink", "url", Text, Read),
    rule("/date_created_gmt", "created_at", UtcTime, Read),
    rule("/date_modified_gmt", "modified_at", UtcTime, Read),
    rule("/type", "structure", Text, Read),
    rule("/status", "status", STATUS, Read),
    rule("/description", "description", Html, ReadWrite),
    rule("/short_description", "short_description", Html, ReadWrite),
    rule("/sku", "sku", OptionalText, Read),
    rule("/global_unique_id", "gtin", OptionalText, Read),
    rule("/price", "price", Money, Read),
    rule("/regular_price", "compare_at", Money, Read),
    rule("/manage_stock", "inventory.tracking", TRACKING, Read),
    rule("/stock_quantity", "inventory.quantity", Decimal, Read),
    rule("/stock_status", "inventory.availability", AVAILABILITY, Read),
    rule("/weight", "weight", Mass, Read),
    rule("/dimensions/length", "dimensions.length", Length, Read),
    rule("/dimensions/width", "dimensions.width", Length, Read),
    rule("/dimensions/height", "dimensions.height", Length, Read),
    rule("/categories/*/id", "categories[].id", Id, Read),
    rule("/categories/*/name", "categories[].name", EscapedText, Read),
    rule("/tags/*/id", "tags[].id", Id, ReadWrite),
    rule("/tags/*/name", "tags[].name", EscapedText, ReadWrite),
    rule("/brands/*/id", "brands[].id", Id, Read),
    rule("/brands/*/name", "brands[].name", EscapedText, Read),
    rule("/images/*/id", "media[].id", Id, Read),
    rule("/images/*/src", "media[].url", Text, Read),
    rule("/images/*/name", "media[].title", EscapedText, Read),
    rule("/images/*/alt", "media[].alt", EscapedText, Read),
    rule("/attributes/*/id", "attributes[].id", Id, Read),
    rule("/attributes/*/slug", "attributes[].key", OptionalText, Read),
    rule("/attributes/*/name", "attributes[].label", EscapedText, Read),
    rule("/attributes/*/visible", "attributes[].visible", Bool, Read),
    rule("/attributes/*/variation", "attributes[].distinguishes_variants", Bool, Read),
    rule("/attributes/*/options/*", "attributes[].values[]", EscapedText, Read),
    rule("/variations/*", "variants[]", Id, Read),
    rule("/meta_data/*[key=_yoast_wpseo_title]/value", "seo.title", Text, Read).rank(1),
    rule("/meta_data/*[key=rank_math_title]/value", "seo.title", Text, Read),
    rule("/meta_data/*[key=_yoast_wpseo_metadesc]/value", "seo.description", Text, Read).rank(1),
    rule("/meta_data/*[key=rank_math_description]/value", "seo.description", Text, Read),
    rule("/meta_data/*[key=_yoast_wpseo_focuskw]/value", "seo.focus_keyword", Text, Read).rank(1),
    rule("/meta_data/*[key=rank_math_focus_keyword]/value", "seo.focus_keyword", Text, Read),
];

/// Variations: one image or none, one value an option, no tags and no categories.
pub(super) static VARIANT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/parent_id", "product_ref.id", Id, Read),
    rule("/name", "title", EscapedText, Read),
    rule("/permalink", "url", Text, Read),
    rule("/date_created_gmt", "created_at", UtcTime, Read),
    rule("/date_modified_gmt", "modified_at", UtcTime, Read),
    rule("/status", "status", STATUS, Read),
    rule("/description", "description", Html, Read),
    rule("/sku", "sku", OptionalText, Read),
    rule("/global_unique_id", "gtin", OptionalText, Read),
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
        let products = SchemaMap::compile(PLATFORM, Entity::Product, PRODUCT).unwrap();
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
        assert_eq!(json["base"].as_object().unwrap().len(), 6);

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
