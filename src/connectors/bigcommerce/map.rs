//! Where BigCommerce keeps each canonical field (Catalog API V3; OpenAPI documents of 2026-04-01).
//!
//! Categories and brands stand in a product by their ids alone: the connector reads their names and gives them along.
//! What changes by itself, such as views and sales, is left out on purpose.

use super::metafields::Namespaces;
use super::writable::WriteSettings;
use crate::error::Result;
use crate::mapping::{Direction, Overrides, Rule, Transform, read_only, rule};
use crate::model::Entity;

use Direction::{Read, ReadWrite};
use Transform::{
    CommaList, Decimal, Html, Id, Length, Mass, Money, OnlyValue, OptionalId, OptionalText, Present, Rfc3339,
    Text, Word,
};

/// Whether shoppers see it.
const STATUS: Transform = Word(&[("true", "active"), ("false", "draft")]);

/// A product's stock is its own, or that of its variants.
const TRACKING: Transform = Word(&[("none", "none"), ("product", "own"), ("variant", "own")]);

/// A number that is read as a text.
const NUMBER: Transform = Word(&[]);

/// Products, with their variants, images and custom fields.
pub(super) static PRODUCT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", Text, ReadWrite),
    rule("/type", "structure", Text, Read),
    rule("/sku", "sku", OptionalText, Read),
    rule("/description", "description", Html, ReadWrite),
    rule("/weight", "weight", Mass, Read),
    rule("/width", "dimensions.width", Length, Read),
    rule("/depth", "dimensions.length", Length, Read),
    rule("/height", "dimensions.height", Length, Read),
    rule("/price", "compare_at", Money, Read),
    rule("/calculated_price", "price", Money, Read),
    rule("/categories/*", "categories[].id", Id, ReadWrite),
    rule("/brand_id", "brands[].id", OptionalId, ReadWrite),
    rule("/inventory_level", "inventory.quantity", Decimal, Read),
    rule("/inventory_tracking", "inventory.tracking", TRACKING, Read),
    rule("/is_visible", "status", STATUS, Read),
    rule("/gtin", "gtin", OptionalText, ReadWrite).rank(1),
    rule("/upc", "gtin", OptionalText, Read),
    rule("/mpn", "mpn", OptionalText, ReadWrite),
    rule("/search_keywords", "tags[].name", CommaList, ReadWrite),
    rule("/page_title", "seo.title", Text, ReadWrite),
    rule("/meta_description", "seo.description", Text, ReadWrite),
    rule("/date_created", "created_at", Rfc3339, Read),
    rule("/date_modified", "modified_at", Rfc3339, Read),
    rule("/custom_url/url", "slug", OptionalText, ReadWrite),
    rule("/images/*/id", "media[].id", Id, ReadWrite),
    rule("/images/*/url_standard", "media[].url", Text, Read),
    rule("/images/*/description", "media[].alt", Text, ReadWrite),
    rule("/custom_fields/*/id", "attributes[].version", NUMBER, Read),
    rule("/custom_fields/*/name", "attributes[].label", Text, ReadWrite),
    rule("/custom_fields/*/value", "attributes[].values[]", OnlyValue, ReadWrite),
    rule("/variants/*/id", "variants[]", Id, Read),
    rule("/channels/*", "channels[]", Id, Read),
    rule("/variants/*/option_values/*/option_id", "attributes[].id", Id, Read),
    rule("/variants/*/option_values/*/option_display_name", "attributes[].label", Text, Read),
    rule("/variants/*/option_values/*/label", "attributes[].values[]", OnlyValue, Read),
    rule("/variants/*/option_values/*/id", "attributes[].distinguishes_variants", Present, Read),
];

/// The rules of products, with those of metafields where some are read: the connector puts them into the product.
pub(super) fn product(namespaces: &Namespaces, writes: WriteSettings) -> Vec<Rule> {
    let metafield = |name: &str, field, transform, direction| {
        let from = format!("/{}/*/{name}", namespaces.key());
        Rule { from: from.into(), ..rule("", field, transform, direction) }
    };
    let mut rules = allowed(PRODUCT, writes);
    if !namespaces.is_empty() {
        rules.extend([
            metafield("namespace", "attributes[].namespace", Text, ReadWrite),
            metafield("key", "attributes[].key", Text, ReadWrite),
            metafield("value", "attributes[].values[]", OnlyValue, ReadWrite),
            metafield("version", "attributes[].version", Text, Read),
        ]);
    }
    rules
}

/// The rules of variants.
pub(super) fn variant(writes: WriteSettings) -> Vec<Rule> {
    allowed(VARIANT, writes)
}

/// Where the settings do not allow item and part numbers to be written, an override may read them from anywhere.
fn allowed(rules: &[Rule], writes: WriteSettings) -> Vec<Rule> {
    if writes.identifiers { rules.to_vec() } else { read_only(rules, &["gtin", "mpn"]) }
}

/// What a view can have of a product, as the connector puts it together.
pub(super) static VIEWED: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", Text, ReadWrite),
    rule("/description", "description", Html, ReadWrite),
    rule("/page_title", "seo.title", Text, ReadWrite),
    rule("/meta_description", "seo.description", Text, ReadWrite),
];

/// Variants. A product without options has one, too. Where a price or weight is null, that of the product counts.
static VARIANT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/product_id", "product_ref.id", Id, Read),
    rule("/sku", "sku", OptionalText, Read),
    rule("/gtin", "gtin", OptionalText, ReadWrite).rank(1),
    rule("/upc", "gtin", OptionalText, Read),
    rule("/mpn", "mpn", OptionalText, ReadWrite),
    rule("/price", "compare_at", Money, Read),
    rule("/calculated_price", "price", Money, Read),
    rule("/weight", "weight", Mass, Read),
    rule("/width", "dimensions.width", Length, Read),
    rule("/depth", "dimensions.length", Length, Read),
    rule("/height", "dimensions.height", Length, Read),
    rule("/inventory_level", "inventory.quantity", Decimal, Read),
    rule("/image_url", "media[].url", OptionalText, Read),
    rule("/option_values/*/option_id", "options[].id", Id, Read),
    rule("/option_values/*/option_display_name", "options[].name", Text, Read),
    rule("/option_values/*/label", "options[].value", Text, Read),
];

/// Categories of all trees.
pub(super) static CATEGORY: &[Rule] = &[
    rule("/category_id", "ref.id", Id, Read),
    rule("/parent_id", "parent_ref.id", Id, Read),
    rule("/name", "title", Text, Read),
    rule("/description", "description", Html, Read),
    rule("/sort_order", "position", Decimal, Read),
    rule("/url/path", "slug", OptionalText, Read),
    rule("/image_url", "media[].url", OptionalText, Read),
];

/// Brands.
pub(super) static BRAND: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", Text, Read),
    rule("/custom_url/url", "slug", OptionalText, Read),
    rule("/image_url", "media[].url", OptionalText, Read),
];

/// Refuses overrides that do not fit, and those by which the connector would write where no content is: each field has
/// one place that it knows how to write.
///
/// # Errors
/// `Config` with the entry's line.
pub(super) fn must_write_content(mapping: &Overrides, entity: Entity, own: &[Rule]) -> Result<()> {
    let remedy = "add write = false: what custom fields hold is written as attributes";
    mapping.must_write_content(entity, own, |_| false, remedy)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::super::PLATFORM;
    use super::*;
    use crate::mapping::{MappedPage, SchemaMap};
    use crate::model::{FieldName, LengthUnit, MassUnit, Names, RawItems, Shape, StoreProfile};

    fn profile() -> StoreProfile {
        let mut profile = StoreProfile::unknown();
        profile.currency = Some("USD".parse().unwrap());
        (profile.mass_unit, profile.length_unit) = (Some(MassUnit::Ounce), Some(LengthUnit::Inch));
        profile
    }

    fn products(body: &str, names: Names) -> MappedPage {
        let map = SchemaMap::compile(PLATFORM, Entity::Product, PRODUCT).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let items = RawItems::new(Entity::Product, body, Shape::ListAt(&["data"])).named(Arc::new(names));
        map.map(&items, &profile()).unwrap()
    }

    fn names() -> Names {
        let mut names = Names::default();
        names.insert(Entity::Category, "23".into(), "Jars".into());
        names.insert(Entity::Category, "21".into(), "Kitchen".into());
        names.insert(Entity::Brand, "36".into(), "OFS".into());
        names
    }

    const BODY: &str = r#"{"data":[{"id":174,"name":"Jar","type":"physical","sku":"","description":"<p>x</p>","weight":1,"width":0,
        "depth":2.5,"height":0,"price":10,"calculated_price":7.95,"categories":[23,21],"brand_id":36,"inventory_level":4,
        "inventory_tracking":"variant","is_visible":false,"upc":"012","gtin":"","search_keywords":"jar, glass","page_title":"",
        "meta_description":"M","date_created":"2018-08-15T14:48:46+00:00","date_modified":"2018-09-05T20:42:07+00:00",
        "custom_url":{"url":"/all/jar/","is_customized":true},"view_count":10,
        "variants":[{"id":345,"product_id":174,"option_values":[{"id":1,"label":"S","option_id":9,"option_display_name":"Size"}]},
            {"id":346,"product_id":174,"option_values":[{"id":2,"label":"M","option_id":9,"option_display_name":"Size"}]},
            {"id":347,"product_id":174,"option_values":[{"id":2,"label":"M","option_id":9,"option_display_name":"Size"}]}],
        "images":[{"id":382,"product_id":174,"url_standard":"https://x/y.jpg","description":""}],
        "custom_fields":[{"id":6,"name":"Material","value":"Wool"},{"id":7,"name":"Fit","value":"Slim"},{"id":8,"name":"Material","value":"Silk"}]}],
        "meta":{"pagination":{"total":1,"count":1}}}"#;

    #[test]
    fn a_product_is_read_with_its_names_options_and_custom_fields() {
        let page = products(BODY, names());
        assert_eq!((page.issues.as_slice(), page.rejected.len()), (&[][..], 0));
        let json = serde_json::to_value(&page.records[0]).unwrap();
        let zero = serde_json::json!({"millimetres": "0", "source": "0", "source_unit": "in"});
        let expected = serde_json::json!({
            "entity": "product", "ref": {"platform": "bigcommerce", "kind": "product", "id": "174"},
            "status": "draft", "structure": "physical", "title": "Jar", "sku": null, "gtin": "012", "description": "<p>x</p>",
            "slug": "/all/jar/", "seo": {"title": "", "description": "M"},
            "price": {"amount": "7.95", "currency": "USD"}, "compare_at": {"amount": "10", "currency": "USD"},
            "weight": json["weight"],
            "dimensions": {"length": json["dimensions"]["length"], "width": zero, "height": zero},
            "inventory": {"tracking": "own", "quantity": "4"},
            "categories": [{"id": "23", "name": "Jars"}, {"id": "21", "name": "Kitchen"}],
            "brands": [{"id": "36", "name": "OFS"}],
            "tags": [{"name": "jar"}, {"name": "glass", "raw_name": " glass"}],
            "attributes": [
                {"id": "9", "label": "Size", "values": ["S", "M"], "distinguishes_variants": true},
                {"label": "Material", "values": ["Wool", "Silk"], "version": "6,8"},
                {"label": "Fit", "values": ["Slim"], "version": "7"}],
            "media": [{"id": "382", "url": "https://x/y.jpg", "alt": ""}],
            "variants": ["345", "346", "347"],
            "created_at": "2018-08-15T14:48:46Z", "modified_at": "2018-09-05T20:42:07Z", "base": json["base"],
        });
        assert_eq!(json, expected);
        assert_eq!(json["weight"]["source_unit"], "oz");
    }

    #[test]
    fn a_list_of_ids_without_their_names_has_no_tokens_and_is_told() {
        let page = products(BODY, Names::default());
        let codes: Vec<(&str, &str)> =
            page.issues.iter().map(|(_, issue)| (issue.path.as_str(), issue.code)).collect();
        assert_eq!(codes, [("/categories/*", "name_unknown"), ("/brand_id", "name_unknown")]);
        let base = page.records[0].base();
        for (field, is_there) in
            [("categories", false), ("brands", false), ("tags", true), ("attributes", true)]
        {
            assert_eq!(base.keys(&FieldName::new(field)).is_some(), is_there, "{field}");
        }
    }

    #[test]
    fn nothing_is_read_where_there_is_nothing() {
        let body = r#"{"data":[{"id":1,"brand_id":0,"categories":[],"search_keywords":"","gtin":"","upc":"","custom_fields":[],"variants":[]},
            {"id":2,"brand_id":null,"search_keywords":null,"gtin":"5","upc":"6"}]}"#;
        let page = products(body, names());
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        for list in ["brands", "categories", "tags", "attributes"] {
            assert_eq!(json[list], serde_json::json!([]), "{list}");
        }
        assert_eq!(json["gtin"], serde_json::Value::Null);
        assert_eq!(serde_json::to_value(&page.records[1]).unwrap()["gtin"], "5");
    }

    #[test]
    fn variants_categories_and_brands_are_read() {
        let map = |entity, rules: &[Rule], body: &str| {
            let map = SchemaMap::compile(PLATFORM, entity, rules).unwrap();
            let items =
                RawItems::new(entity, Bytes::copy_from_slice(body.as_bytes()), Shape::ListAt(&["data"]));
            let page = map.map(&items, &profile()).unwrap();
            assert_eq!(page.issues, Vec::new());
            serde_json::to_value(&page.records[0]).unwrap()
        };
        let body = r#"{"data":[{"id":382,"product_id":192,"sku":"SMIT","price":null,"calculated_price":10.5,"weight":null,"map_price":{},
            "upc":"","gtin":"","image_url":"","inventory_level":0,
            "option_values":[{"id":174,"label":"Beige","option_id":220,"option_display_name":"Color"}]}]}"#;
        let variant = map(Entity::Variant, VARIANT, body);
        assert_eq!(variant["product_ref"]["id"], "192");
        assert_eq!(
            (&variant["price"]["amount"], &variant["compare_at"]),
            (&"10.5".into(), &serde_json::Value::Null)
        );
        assert_eq!(variant["options"], serde_json::json!([{"id": "220", "name": "Color", "value": "Beige"}]));
        assert_eq!(variant["media"], serde_json::json!([]));
        let body = r#"{"data":[{"category_id":12,"parent_id":0,"tree_id":1,"name":"Bath","description":"","sort_order":3,"url":{"path":"/bath/"}}]}"#;
        let category = map(Entity::Category, CATEGORY, body);
        assert_eq!(
            (&category["title"], &category["parent_ref"], &category["slug"]),
            (&"Bath".into(), &serde_json::Value::Null, &"/bath/".into())
        );
        let body = r#"{"data":[{"id":35,"name":"Sagaform","image_url":"","custom_url":{"url":"/brands/Sagaform.html"}}]}"#;
        assert_eq!(map(Entity::Brand, BRAND, body)["slug"], "/brands/Sagaform.html");
    }
}
