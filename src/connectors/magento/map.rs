//! Where Magento keeps each canonical field (REST `V1` of 2.4.9, official schema of 2026-08-05, read 2026-11-22).
//!
//! What stands below `/_lily` is not the platform's: the connector adds it to each record. The platform gives ids of
//! options and categories, paths of pictures, and no stock in its lists; names, addresses and numbers come from where
//! the store keeps them.

use crate::error::Result;
use crate::mapping::{Direction, Overrides, Rule, Transform, rule};
use crate::model::Entity;

use Direction::{Read, ReadWrite};
use Transform::{Bool, Decimal, Id, Mass, Money, OptionalHtml, OptionalText, SqlTime, Text, Word};

const STATUS: Transform = Word(&[("1", "active"), ("2", "draft")]);

const AVAILABILITY: Transform = Word(&[("true", "in_stock"), ("false", "out_of_stock")]);

/// Where a text of a product's is, among its attributes by their codes.
macro_rules! attribute {
    ($code:literal) => {
        concat!("/custom_attributes/*[attribute_code=", $code, "]/value")
    };
}

/// Products: those that variants belong to, and those that are variants, too.
pub(super) static PRODUCT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", Text, ReadWrite),
    rule("/sku", "sku", OptionalText, Read),
    rule("/status", "status", STATUS, Read),
    rule("/type_id", "structure", Text, Read),
    rule("/created_at", "created_at", SqlTime, Read),
    rule("/updated_at", "modified_at", SqlTime, Read),
    rule("/price", "price", Money, Read),
    rule("/weight", "weight", Mass, Read),
    rule(attribute!("url_key"), "slug", OptionalText, ReadWrite),
    rule(attribute!("description"), "description", OptionalHtml, ReadWrite),
    rule(attribute!("short_description"), "short_description", OptionalHtml, ReadWrite),
    rule(attribute!("meta_title"), "seo.title", OptionalText, ReadWrite),
    rule(attribute!("meta_description"), "seo.description", OptionalText, ReadWrite),
    rule(attribute!("meta_keyword"), "seo.focus_keyword", OptionalText, ReadWrite),
    rule("/extension_attributes/configurable_product_links/*", "variants[]", Id, Read),
    rule("/extension_attributes/website_ids/*", "channels[]", Id, Read),
    rule("/_lily/stock/quantity", "inventory.quantity", Decimal, Read).rank(1),
    rule("/extension_attributes/stock_item/qty", "inventory.quantity", Decimal, Read),
    rule("/_lily/stock/available", "inventory.availability", AVAILABILITY, Read).rank(1),
    rule("/extension_attributes/stock_item/is_in_stock", "inventory.availability", AVAILABILITY, Read),
    rule("/_lily/categories/*/id", "categories[].id", Id, ReadWrite),
    rule("/_lily/categories/*/name", "categories[].name", Text, ReadWrite),
    rule("/_lily/media/*/id", "media[].id", Id, ReadWrite),
    rule("/_lily/media/*/url", "media[].url", Text, Read),
    rule("/_lily/media/*/label", "media[].alt", Text, ReadWrite),
    rule("/_lily/attributes/*/id", "attributes[].id", Id, ReadWrite),
    rule("/_lily/attributes/*/code", "attributes[].key", Text, Read),
    rule("/_lily/attributes/*/label", "attributes[].label", Text, ReadWrite),
    rule("/_lily/attributes/*/input", "attributes[].value_type", Text, Read),
    rule("/_lily/attributes/*/shown", "attributes[].visible", Bool, ReadWrite),
    rule("/_lily/attributes/*/option", "attributes[].distinguishes_variants", Bool, ReadWrite),
    rule("/_lily/attributes/*/values/*/id", "attributes[].values[].id", Id, Read),
    rule("/_lily/attributes/*/values/*/text", "attributes[].values[]", Text, ReadWrite),
];

/// Children of configurable products.
pub(super) static VARIANT: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/_lily/parent", "product_ref.id", Id, Read),
    rule("/name", "title", Text, Read),
    rule("/sku", "sku", OptionalText, Read),
    rule("/status", "status", STATUS, Read),
    rule("/created_at", "created_at", SqlTime, Read),
    rule("/updated_at", "modified_at", SqlTime, Read),
    rule("/price", "price", Money, Read),
    rule("/weight", "weight", Mass, Read),
    rule(attribute!("description"), "description", OptionalHtml, Read),
    rule("/_lily/stock/quantity", "inventory.quantity", Decimal, Read).rank(1),
    rule("/extension_attributes/stock_item/qty", "inventory.quantity", Decimal, Read),
    rule("/_lily/stock/available", "inventory.availability", AVAILABILITY, Read).rank(1),
    rule("/extension_attributes/stock_item/is_in_stock", "inventory.availability", AVAILABILITY, Read),
    rule("/_lily/media/*/id", "media[].id", Id, Read),
    rule("/_lily/media/*/url", "media[].url", Text, Read),
    rule("/_lily/media/*/label", "media[].alt", Text, Read),
    rule("/_lily/options/*/id", "options[].id", Id, Read),
    rule("/_lily/options/*/code", "options[].key", Text, Read),
    rule("/_lily/options/*/label", "options[].name", Text, Read),
    rule("/_lily/options/*/value", "options[].value", Text, Read),
];

/// Categories, those at the root of each shop, too.
pub(super) static CATEGORY: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/name", "title", Text, Read),
    rule("/parent_id", "parent_ref.id", Id, Read),
    rule("/position", "position", Decimal, Read),
    rule(attribute!("url_key"), "slug", OptionalText, Read),
    rule(attribute!("description"), "description", OptionalHtml, Read),
];

/// The code of the attribute that a place of the wire names.
pub(super) fn code_of(place: &str) -> Option<&str> {
    place.strip_prefix("/custom_attributes/*[attribute_code=")?.strip_suffix("]/value")
}

/// What differs at a view: there the empty text is a value, by which the view hides what all views share.
///
/// Where the view has no text at all and the others do, the connector adds one below `/_lily/blank`.
pub(super) fn at_view(rules: &mut Vec<Rule>) {
    let mut blanks = Vec::new();
    for rule in rules.iter_mut().filter(|rule| rule.direction == ReadWrite) {
        let Some(code) = code_of(&rule.from) else { continue };
        let from = format!("/_lily/blank/{code}").into();
        rule.transform = match rule.transform {
            OptionalText => Text,
            OptionalHtml => Transform::Html,
            other => other,
        };
        rule.rank = 1;
        blanks.push(Rule { from, direction: Read, rank: 0, ..rule.clone() });
    }
    rules.append(&mut blanks);
}

/// Attributes that are no content: the store would sell, hide or price something else.
const NO_CONTENT: [&str; 18] = [
    "category_ids",
    "cost",
    "country_of_manufacture",
    "custom_design",
    "custom_layout",
    "gift_message_available",
    "has_options",
    "image",
    "links_exist",
    "msrp",
    "news_from_date",
    "price_type",
    "required_options",
    "small_image",
    "special_price",
    "swatch_image",
    "tax_class_id",
    "thumbnail",
];

/// Refuses overrides that do not fit, and those by which the connector would write where no content is.
///
/// # Errors
/// `Config` with the entry's line.
pub(super) fn must_write_content(mapping: &Overrides) -> Result<()> {
    let is_content = |rule: &Rule| {
        !rule.field.contains('[') && code_of(&rule.from).is_some_and(|code| !NO_CONTENT.contains(&code))
    };
    let remedy = "name the value of a custom attribute that holds a text, or add write = false";
    mapping.must_write_content(Entity::Product, PRODUCT, is_content, remedy)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::PLATFORM;
    use super::*;
    use crate::mapping::SchemaMap;
    use crate::model::{MassUnit, RawItems, Shape, StoreProfile};

    fn profile() -> StoreProfile {
        let mut profile = StoreProfile::unknown();
        profile.currency = Some("USD".parse().unwrap());
        profile.mass_unit = Some(MassUnit::Pound);
        profile
    }

    #[test]
    fn the_maps_compile_and_read_what_the_connector_makes_of_a_record() {
        let products = SchemaMap::compile(PLATFORM, Entity::Product, PRODUCT).unwrap();
        let body = r#"[{"_lily":{"attributes":[{"id":93,"code":"color","label":"Color","input":"select","shown":true,
            "option":false,"values":[{"id":"49","text":"Red"}]}],"categories":[{"id":"11","name":"Tees"}],"media":[{"id":5,
            "url":"https://m/catalog/product/a.jpg","label":null}],"stock":{"quantity":3.5,"available":true}},
            "id":7,"sku":"A/1","name":"Cap","attribute_set_id":9,"price":25,"status":2,"visibility":4,"type_id":"configurable",
            "created_at":"2017-11-29 20:40:07","updated_at":"2017-11-30 20:40:07","weight":0.5,
            "extension_attributes":{"website_ids":[1],"configurable_product_links":[8,9]},"product_links":[],
            "custom_attributes":[{"attribute_code":"meta_title","value":"T"},{"attribute_code":"description","value":""},
            {"attribute_code":"category_ids","value":["11"]},{"attribute_code":"url_key","value":"cap"}]}]"#;
        let items = RawItems::new(Entity::Product, Bytes::from_static(body.as_bytes()), Shape::List);
        let page = products.map(&items, &profile()).unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        let expected = serde_json::json!({
            "entity": "product",
            "ref": {"platform": "magento", "kind": "product", "id": "7"},
            "status": "draft", "title": "Cap", "sku": "A/1", "structure": "configurable", "slug": "cap",
            "description": null, "seo": {"title": "T"},
            "price": {"amount": "25", "currency": "USD"},
            "weight": json["weight"], "inventory": {"quantity": "3.5", "availability": "in_stock"},
            "categories": [{"id": "11", "name": "Tees"}],
            "media": [{"id": "5", "url": "https://m/catalog/product/a.jpg"}],
            "attributes": [{"id": "93", "key": "color", "label": "Color", "value_type": "select", "values": ["Red"],
                "value_ids": ["49"],
                "visible": true, "distinguishes_variants": false}],
            "variants": ["8", "9"], "channels": ["1"], "created_at": "2017-11-29T20:40:07Z", "modified_at": "2017-11-30T20:40:07Z",
            "base": json["base"],
        });
        assert_eq!(json, expected);
        assert_eq!(json["weight"]["source_unit"], "lb");

        let variants = SchemaMap::compile(PLATFORM, Entity::Variant, VARIANT).unwrap();
        let body = r#"{"_lily":{"parent":7,"options":[{"id":93,"code":"color","label":"Color","value":"Red"}]},"id":8,
            "sku":"A-1","extension_attributes":[],"custom_attributes":[]}"#;
        let items = RawItems::new(Entity::Variant, Bytes::from_static(body.as_bytes()), Shape::One);
        let page = variants.map(&items, &profile()).unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        assert_eq!((&json["product_ref"]["id"], &json["options"][0]["value"]), (&"7".into(), &"Red".into()));
    }

    #[test]
    fn the_examples_of_the_documents_are_mapped_without_a_loss() {
        let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
            eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no documented example was mapped");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set in CI");
            return;
        };
        let folder = std::path::Path::new(&folder).join("magento/examples");
        let read = |name: &str| Bytes::from(std::fs::read(folder.join(name)).unwrap());
        let products = SchemaMap::compile(PLATFORM, Entity::Product, PRODUCT).unwrap();
        for (name, title, slug) in [
            ("simple-02.json", "Champ Tee Small", "champ-tee-small"),
            ("configurable-02.json", "Champ Tee", "champ-tee"),
        ] {
            let items = RawItems::new(Entity::Product, read(name), Shape::One);
            let page = products.map(&items, &profile()).unwrap();
            assert_eq!((page.issues, page.rejected.len()), (Vec::new(), 0), "{name}");
            let json = serde_json::to_value(&page.records[0]).unwrap();
            assert_eq!((&json["title"], &json["slug"]), (&title.into(), &slug.into()));
            assert!(json["description"].as_str().unwrap().starts_with("The Champ Tee"), "{name}");
        }
        let categories = SchemaMap::compile(PLATFORM, Entity::Category, CATEGORY).unwrap();
        let page =
            categories.map(&RawItems::new(Entity::Category, read("catalog-02.json"), Shape::One), &profile());
        let page = page.unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        assert_eq!((&json["title"], &json["slug"]), (&"Kids".into(), &"kids".into()));
    }
}
