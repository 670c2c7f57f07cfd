//! What each field needs to be granted.

use super::errors::FieldError;
use super::state::State;
use super::value::{Args, Read};

/// The scopes that a shop starts with.
pub(super) const ALL: &[&str] = &[
    "read_products",
    "write_products",
    "read_files",
    "write_files",
    "read_inventory",
    "write_inventory",
    "read_locales",
    "read_locations",
    "read_publications",
    "write_publications",
    "read_translations",
    "write_translations",
];

fn needed(type_name: &str, field: &str) -> &'static [&'static str] {
    match (type_name, field) {
        (
            "QueryRoot",
            "product"
            | "products"
            | "productByIdentifier"
            | "productsCount"
            | "productVariant"
            | "productVariants"
            | "productVariantsCount"
            | "collection"
            | "collections"
            | "collectionsCount"
            | "productOperation",
        ) => &["read_products"],
        ("QueryRoot", "files") => &["read_files", "read_themes", "read_images"],
        ("QueryRoot", "locations") => &["read_locations", "read_inventory"],
        ("QueryRoot", "publications") | (_, "resourcePublicationsV2" | "publishedOnPublication") => {
            &["read_publications"]
        }
        ("QueryRoot", "shopLocales") => &["read_locales"],
        ("QueryRoot", "translatableResource" | "translatableResources" | "translatableResourcesByIds") => {
            &["read_translations"]
        }
        (
            "Product" | "ProductVariant" | "Collection" | "Metafield" | "ProductOption"
            | "ProductOptionValue",
            "translations",
        ) => &["read_translations"],
        ("InventoryItem", "inventoryLevel" | "inventoryLevels") => &["read_inventory"],
        ("ProductVariant", "inventoryItem") => &["read_inventory", "read_products"],
        ("Product" | "ProductVariant" | "Collection", _) => &["read_products"],
        (
            "Mutation",
            "productUpdate"
            | "productSet"
            | "productVariantsBulkUpdate"
            | "productOptionUpdate"
            | "tagsAdd"
            | "tagsRemove"
            | "metafieldsSet"
            | "metafieldsDelete",
        ) => &["write_products"],
        ("Mutation", "fileUpdate") => &["write_files", "write_themes"],
        ("Mutation", "translationsRegister" | "translationsRemove") => &["write_translations"],
        ("Mutation", "publishablePublish") => &["write_publications"],
        ("Mutation", "inventorySetQuantities") => &["write_inventory"],
        _ => &[],
    }
}

fn granted(state: &State, scopes: &[&str]) -> bool {
    scopes.is_empty()
        || scopes.iter().any(|scope| {
            state.scopes.contains(*scope)
                || scope
                    .strip_prefix("read_")
                    .is_some_and(|rest| state.scopes.contains(&format!("write_{rest}")))
        })
}

/// Checks that a field may be read.
pub(super) fn check_field(state: &State, type_name: &str, field: &str) -> Result<(), FieldError> {
    let scopes = needed(type_name, field);
    if granted(state, scopes) { Ok(()) } else { Err(FieldError::denied(field, scopes)) }
}

/// Checks that a mutation may be run.
pub(super) fn check_mutation(state: &State, field: &str, args: &Args) -> Result<(), FieldError> {
    let of_shop = args.list("metafields").iter().all(|entry| {
        entry.get("ownerId").and_then(serde_json::Value::as_str).is_some_and(|id| id.contains("/Shop/"))
    });
    if field.starts_with("metafields") && of_shop {
        return Ok(());
    }
    check_field(state, "Mutation", field)
}
