//! Where Shopify keeps each canonical field (Admin GraphQL 2026-10, official schema of 2026-11-22).
//!
//! Places are those of our own documents, in `documents/`.

use super::writable::WriteSettings;
use crate::error::Result;
use crate::mapping::{Direction, Overrides, Rule, Transform, read_only, rule};
use crate::model::{Entity, MassUnit};

use Direction::{Read, ReadWrite};
use Transform::{
    Decimal, Html, Id, JsonList, LastSegment, MassWith, Money, MoneyWith, OptionalText, Present, Rfc3339,
    Text, Word,
};

const STATUS: Transform =
    Word(&[("ACTIVE", "active"), ("DRAFT", "draft"), ("ARCHIVED", "archived"), ("UNLISTED", "unlisted")]);

/// Products do not say on which level stock is kept: where it is, it is kept by variant.
const TRACKING: Transform = Word(&[("true", "own"), ("false", "none")]);

const WEIGHT: Transform = MassWith {
    value: "value",
    unit: "unit",
    words: &[
        ("GRAMS", MassUnit::Gram),
        ("KILOGRAMS", MassUnit::Kilogram),
        ("OUNCES", MassUnit::Ounce),
        ("POUNDS", MassUnit::Pound),
    ],
};

/// Products. Options are attributes by which variants differ, and their names are cells of their own; metafields are
/// attributes with a namespace.
pub(super) static PRODUCT: &[Rule] = &[
    rule("/id", "ref.id", LastSegment, Read),
    rule("/title", "title", Text, ReadWrite),
    rule("/handle", "slug", Text, ReadWrite),
    rule("/onlineStoreUrl", "url", Text, Read),
    rule("/createdAt", "created_at", Rfc3339, Read),
    rule("/updatedAt", "modified_at", Rfc3339, Read),
    rule("/status", "status", STATUS, Read),
    rule("/descriptionHtml", "description", Html, ReadWrite),
    rule("/seo/title", "seo.title", Text, ReadWrite),
    rule("/seo/description", "seo.description", Text, ReadWrite),
    rule("/productType", "product_type", OptionalText, ReadWrite),
    rule("/vendor", "brands[].name", Text, ReadWrite),
    rule("/category/id", "taxonomy.id", LastSegment, ReadWrite),
    rule("/category/fullName", "taxonomy.name", Text, Read),
    rule(
        "/priceRangeV2/minVariantPrice",
        "price",
        MoneyWith { amount: "amount", currency: "currencyCode" },
        Read,
    ),
    rule("/tracksInventory", "inventory.tracking", TRACKING, Read),
    rule("/totalInventory", "inventory.quantity", Decimal, Read),
    rule("/tags/*", "tags[].name", Text, ReadWrite),
    rule("/collections/nodes/*/id", "categories[].id", LastSegment, ReadWrite),
    rule("/collections/nodes/*/title", "categories[].name", Text, ReadWrite),
    rule("/media/nodes/*/id", "media[].id", Id, ReadWrite),
    rule("/media/nodes/*/alt", "media[].alt", Text, ReadWrite),
    rule("/media/nodes/*/image/url", "media[].url", Text, Read),
    rule("/options/*/id", "attributes[].id", LastSegment, Read),
    rule("/options/*/name", "attributes[].label", Text, ReadWrite),
    rule("/options/*/position", "attributes[].position", Decimal, Read),
    rule("/options/*/__typename", "attributes[].distinguishes_variants", Present, Read),
    rule("/options/*/linkedMetafield", "attributes[].linked", Present, Read),
    rule("/options/*/optionValues/*/id", "attributes[].values[].id", LastSegment, Read),
    rule("/options/*/optionValues/*/name", "attributes[].values[]", Text, ReadWrite),
    rule("/metafields/nodes/*/namespace", "attributes[].namespace", Text, ReadWrite),
    rule("/metafields/nodes/*/key", "attributes[].key", Text, ReadWrite),
    rule("/metafields/nodes/*/type", "attributes[].value_type", Text, ReadWrite),
    rule("/metafields/nodes/*/value", "attributes[].values[]", JsonList("list."), ReadWrite),
    rule("/metafields/nodes/*/compareDigest", "attributes[].version", Text, Read),
    rule("/variants/nodes/*/id", "variants[]", LastSegment, Read),
];

/// The lists of a product that are paged within it.
pub(super) const PRODUCT_LISTS: &[&str] =
    &["/collections/nodes", "/media/nodes", "/metafields/nodes", "/variants/nodes"];

/// The lists of a variant that are paged within it.
pub(super) const VARIANT_LISTS: &[&str] = &["/media/nodes"];

/// Variants.
static VARIANT: &[Rule] = &[
    rule("/id", "ref.id", LastSegment, Read),
    rule("/product/id", "product_ref.id", LastSegment, Read),
    rule("/title", "title", Text, Read),
    rule("/createdAt", "created_at", Rfc3339, Read),
    rule("/updatedAt", "modified_at", Rfc3339, Read),
    rule("/sku", "sku", OptionalText, Read),
    rule("/barcode", "gtin", OptionalText, ReadWrite),
    rule("/price", "price", Money, Read),
    rule("/compareAtPrice", "compare_at", Money, Read),
    rule("/inventoryQuantity", "inventory.quantity", Decimal, Read),
    rule("/inventoryItem/tracked", "inventory.tracking", TRACKING, Read),
    rule("/inventoryItem/measurement/weight", "weight", WEIGHT, Read),
    rule("/media/nodes/*/id", "media[].id", Id, Read),
    rule("/media/nodes/*/alt", "media[].alt", Text, Read),
    rule("/media/nodes/*/image/url", "media[].url", Text, Read),
    rule("/selectedOptions/*/name", "options[].name", Text, Read),
    rule("/selectedOptions/*/value", "options[].value", Text, Read),
];

/// Collections: what this platform has for categories.
pub(super) static COLLECTION: &[Rule] = &[
    rule("/id", "ref.id", LastSegment, Read),
    rule("/title", "title", Text, Read),
    rule("/handle", "slug", Text, Read),
    rule("/descriptionHtml", "description", Html, Read),
    rule("/productsCount/count", "product_count", Decimal, Read),
    rule("/image/id", "media[].id", Id, Read),
    rule("/image/url", "media[].url", Text, Read),
    rule("/image/altText", "media[].alt", Text, Read),
];

/// What of a product is translated, each text with the digest of what it was translated from.
pub(super) static TRANSLATED_PRODUCT: &[Rule] = &[
    rule("/id", "ref.id", LastSegment, Read),
    rule("/translations/*[key=title]/value", "title", Text, ReadWrite),
    rule("/translations/*[key=body_html]/value", "description", Html, ReadWrite),
    rule("/translations/*[key=handle]/value", "slug", Text, ReadWrite),
    rule("/translations/*[key=product_type]/value", "product_type", Text, ReadWrite),
    rule("/translations/*[key=meta_title]/value", "seo.title", Text, ReadWrite),
    rule("/translations/*[key=meta_description]/value", "seo.description", Text, ReadWrite),
    rule("/translatableContent/*[key=title]/digest", "versions.title", Text, Read),
    rule("/translatableContent/*[key=body_html]/digest", "versions.description", Text, Read),
    rule("/translatableContent/*[key=handle]/digest", "versions.slug", Text, Read),
    rule("/translatableContent/*[key=product_type]/digest", "versions.product_type", Text, Read),
    rule("/translatableContent/*[key=meta_title]/digest", "versions.seo.title", Text, Read),
    rule("/translatableContent/*[key=meta_description]/digest", "versions.seo.description", Text, Read),
];

/// What of a collection is translated.
pub(super) static TRANSLATED_COLLECTION: &[Rule] = &[
    rule("/id", "ref.id", LastSegment, Read),
    rule("/translations/*[key=title]/value", "title", Text, Read),
    rule("/translations/*[key=body_html]/value", "description", Html, Read),
    rule("/translations/*[key=handle]/value", "slug", Text, Read),
];

/// Refuses overrides that do not fit, and those by which the connector would write where no content is: each field has
/// one place that the mutations take.
///
/// # Errors
/// `Config` with the entry's line.
pub(super) fn must_write_content(mapping: &Overrides, entity: Entity, own: &[Rule]) -> Result<()> {
    let remedy = "add write = false: what metafields hold is written as attributes";
    mapping.must_write_content(entity, own, |_| false, remedy)
}

/// The rules of variants. Where the settings do not allow item numbers to be written, an override may read them from
/// anywhere.
pub(super) fn variant(writes: WriteSettings) -> Vec<Rule> {
    if writes.identifiers { VARIANT.to_vec() } else { read_only(VARIANT, &["gtin"]) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::PLATFORM;
    use super::*;
    use crate::mapping::{SchemaMap, cells};
    use crate::model::{FieldName, RawItems, Record, Shape, StoreProfile};

    #[test]
    fn options_are_cells_by_their_ids_where_each_value_has_one() {
        let products = SchemaMap::compile(PLATFORM, Entity::Product, PRODUCT).unwrap();
        let read = |values: &str| {
            let body = format!(
                r#"{{"id":"gid://shopify/Product/7","options":[{{"__typename":"ProductOption",
                "id":"gid://shopify/ProductOption/5","name":"Size","position":1,"linkedMetafield":{{"key":"size"}},
                "optionValues":{values}}}],"metafields":{{"nodes":[]}}}}"#
            );
            let items = RawItems::new(Entity::Product, Bytes::from(body), Shape::One);
            products.map(&items, &StoreProfile::unknown()).unwrap().records.remove(0)
        };
        let keys = |record: &Record, field: &'static str| -> Option<Vec<(String, bool)>> {
            let entries = cells::entries(record, &FieldName::new(field))?;
            Some(entries.iter().map(|entry| (entry.key.to_string(), entry.is_linked)).collect())
        };
        let whole =
            read(r#"[{"id":"gid://shopify/ProductOptionValue/51","name":"S"},{"id":"x/52","name":"M"}]"#);
        assert_eq!(keys(&whole, "options"), Some(vec![("5".to_owned(), true)]));
        let both = ["51", "52"].map(|key| (key.to_owned(), true)).to_vec();
        assert_eq!(keys(&whole, "options.values"), Some(both));
        // Whose id is whose cannot be told.
        for shifted in [
            r#"[{"id":"x/51"},{"id":"x/52","name":"M"},{"name":"S"}]"#,
            r#"[{"name":"S"},{"id":"x/52","name":"M"}]"#,
            r#"[{"id":"x/51","name":"S"},{"name":"M"}]"#,
        ] {
            assert_eq!(keys(&read(shifted), "options.values"), None, "{shifted}");
        }
    }

    #[test]
    fn the_maps_compile_and_read_what_the_documents_ask_for() {
        let products = SchemaMap::compile(PLATFORM, Entity::Product, PRODUCT).unwrap();
        let body = r#"{"data":{"products":{"nodes":[{"id":"gid://shopify/Product/7","title":"Cap","handle":"cap",
            "descriptionHtml":"<p>x</p>","vendor":"Acme","productType":"","status":"UNLISTED","tags":["Sale","New"],
            "createdAt":"2026-11-01T10:15:30Z","updatedAt":"2026-11-02T10:15:30Z","onlineStoreUrl":null,
            "totalInventory":3,"tracksInventory":true,"seo":{"title":null,"description":"D"},
            "category":{"id":"gid://shopify/TaxonomyCategory/aa-1","fullName":"A > B"},
            "priceRangeV2":{"minVariantPrice":{"amount":"12.5","currencyCode":"EUR"}},
            "options":[{"__typename":"ProductOption","id":"gid://shopify/ProductOption/5","name":"Size","position":1,
                "linkedMetafield":null,"optionValues":[{"id":"gid://shopify/ProductOptionValue/51","name":"S"},{"id":"gid://shopify/ProductOptionValue/52","name":"M"}]}],
            "collections":{"nodes":[{"id":"gid://shopify/Collection/9","title":"Caps"}],"pageInfo":{"hasNextPage":false,"endCursor":null}},
            "media":{"nodes":[{"id":"gid://shopify/MediaImage/3","alt":"","image":{"url":"https://x/y.jpg"}}],"pageInfo":{"hasNextPage":false}},
            "metafields":{"nodes":[{"id":"gid://shopify/Metafield/4","namespace":"custom","key":"materials","type":"list.single_line_text_field","value":"[\"wool\",\"silk\"]","compareDigest":"d1"}]},
            "variants":{"nodes":[{"id":"gid://shopify/ProductVariant/70"}]}}],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}"#;
        let shape = Shape::ListAt(&["data", "products", "nodes"]);
        let items = RawItems::new(Entity::Product, Bytes::from_static(body.as_bytes()), shape);
        let page = products.map(&items, &StoreProfile::unknown()).unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        let expected = serde_json::json!({
            "entity": "product",
            "ref": {"platform": "shopify", "kind": "product", "id": "7"},
            "status": "unlisted", "title": "Cap", "slug": "cap", "description": "<p>x</p>", "url": null,
            "seo": {"title": null, "description": "D"}, "product_type": null,
            "brands": [{"name": "Acme"}], "taxonomy": {"id": "aa-1", "name": "A > B"},
            "price": {"amount": "12.5", "currency": "EUR"},
            "inventory": {"tracking": "own", "quantity": "3"},
            "tags": [{"name": "Sale"}, {"name": "New"}], "categories": [{"id": "9", "name": "Caps"}],
            "media": [{"id": "gid://shopify/MediaImage/3", "url": "https://x/y.jpg", "alt": ""}],
            "attributes": [
                {"id": "5", "label": "Size", "values": ["S", "M"], "value_ids": ["51", "52"], "distinguishes_variants": true, "position": 1},
                {"key": "materials", "namespace": "custom", "label": json["attributes"][1]["label"],
                    "value_type": "list.single_line_text_field", "values": ["wool", "silk"],
                    "raw_list": "[\"wool\",\"silk\"]", "version": "d1"}],
            "variants": ["70"], "created_at": "2026-11-01T10:15:30Z", "modified_at": "2026-11-02T10:15:30Z",
            "base": json["base"],
        });
        assert_eq!(json, expected);

        let variants = SchemaMap::compile(PLATFORM, Entity::Variant, VARIANT).unwrap();
        let body = r#"{"id":"gid://shopify/ProductVariant/70","product":{"id":"gid://shopify/Product/7"},"title":"S","sku":"",
            "price":"12.50","compareAtPrice":null,"selectedOptions":[{"name":"Size","value":"S"}],"inventoryItem":{"tracked":false,
            "measurement":{"weight":{"value":1.5,"unit":"POUNDS"}}},"media":{"nodes":[]}}"#;
        let items = RawItems::new(Entity::Variant, Bytes::from_static(body.as_bytes()), Shape::One);
        let mut profile = StoreProfile::unknown();
        profile.currency = Some("USD".parse().unwrap());
        let page = variants.map(&items, &profile).unwrap();
        assert_eq!(page.issues, Vec::new());
        let json = serde_json::to_value(&page.records[0]).unwrap();
        assert_eq!(json["product_ref"]["id"], "7");
        assert_eq!(json["weight"]["source_unit"], "lb");
        assert_eq!(json["options"][0]["value"], "S");

        SchemaMap::compile(PLATFORM, Entity::Category, COLLECTION).unwrap();
    }
}
