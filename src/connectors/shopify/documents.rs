//! The documents that are sent, each in a file of its own. A test holds them against the official schemas.

use crate::graphql::Document;

macro_rules! documents {
    ($($constant:ident = $name:literal: $($file:literal)+;)+) => {
        $(pub(super) static $constant: Document =
            Document::new($name, concat!($(include_str!(concat!("documents/", $file, ".graphql"))),+));)+

        /// All of them.
        #[cfg(test)]
        const ALL: &[&Document] = &[$(&$constant),+];
    };
}

documents! {
    PRODUCTS = "Products": "products" "product_fields" "collection_term" "media_fields" "metafield_fields";
    PRODUCTS_BY_ID = "ProductsById": "products_by_id" "product_fields" "collection_term" "media_fields" "metafield_fields";
    PRODUCTS_UNCLOCKED = "ProductsUnclocked": "products_unclocked" "collection_term" "media_fields";
    PRODUCT_IDS = "ProductIds": "product_ids";
    PRODUCTS_COUNTED = "ProductsCounted": "products_counted";
    VARIANTS = "Variants": "variants" "variant_fields" "media_fields";
    VARIANTS_BY_ID = "VariantsById": "variants_by_id" "variant_fields" "media_fields";
    VARIANT_IDS = "VariantIds": "variant_ids";
    VARIANTS_COUNTED = "VariantsCounted": "variants_counted";
    COLLECTIONS = "Collections": "collections" "collection_fields";
    COLLECTIONS_BY_ID = "CollectionsById": "collections_by_id" "collection_fields";
    COLLECTION_IDS = "CollectionIds": "collection_ids";
    COLLECTIONS_COUNTED = "CollectionsCounted": "collections_counted";
    MORE_COLLECTIONS = "MoreCollections": "more_collections" "collection_term";
    MORE_MEDIA = "MoreMedia": "more_media" "media_fields";
    MORE_METAFIELDS = "MoreMetafields": "more_metafields" "metafield_fields";
    MORE_VARIANTS = "MoreVariants": "more_variants";
    MORE_VARIANT_MEDIA = "MoreVariantMedia": "more_variant_media" "media_fields";
    SHOP = "ShopProfile": "shop";
    LOCALES = "Locales": "locales";
    MEDIA_SHOWN = "MediaShown": "media_shown";
    COLLECTION_NAMES = "CollectionNames": "collection_names";
    METAFIELD_NAMES = "MetafieldNames": "metafield_names";
    OWNER_OF_HANDLE = "OwnerOfHandle": "owner_of_handle";
    BULK_PRODUCTS = "BulkProducts": "bulk_products" "collection_term" "media_fields" "metafield_fields";
    BULK_VARIANTS = "BulkVariants": "bulk_variants" "media_fields";
    BULK_COLLECTIONS = "BulkCollections": "bulk_collections";
    RUN_BULK_QUERY = "RunBulkQuery": "run_bulk_query";
    BULK_OPERATION = "BulkOperationState": "bulk_operation";
    BULK_OPERATIONS = "BulkOperations": "bulk_operations";
    CANCEL_BULK = "CancelBulk": "cancel_bulk";
    STAGE_UPLOADS = "StageUploads": "stage_uploads";
    RUN_BULK_MUTATION = "RunBulkMutation": "run_bulk_mutation";
    BULK_JOBS = "BulkJobs": "bulk_jobs";
    DELETION_EVENTS = "DeletionEvents": "deletion_events";
    UPDATE_PRODUCT = "UpdateProduct": "update_product";
    UPDATE_OPTION = "UpdateOption": "update_option";
    UPDATE_VARIANTS = "UpdateVariants": "update_variants";
    ADD_TAGS = "AddTags": "add_tags";
    REMOVE_TAGS = "RemoveTags": "remove_tags";
    SET_METAFIELDS = "SetMetafields": "set_metafields";
    DELETE_METAFIELDS = "DeleteMetafields": "delete_metafields";
    UPDATE_FILES = "UpdateFiles": "update_files";
    TRANSLATIONS_BY_ID = "TranslationsById": "translations_by_id";
    REGISTER_TRANSLATIONS = "RegisterTranslations": "register_translations";
    REMOVE_TRANSLATIONS = "RemoveTranslations": "remove_translations";
    WEBHOOK_SUBSCRIPTIONS = "WebhookSubscriptions": "webhook_subscriptions";
    WEBHOOK_SUBSCRIPTION = "WebhookSubscriptionById": "webhook_subscription";
    CREATE_WEBHOOK = "CreateWebhook": "create_webhook";
    DELETE_WEBHOOK = "DeleteWebhook": "delete_webhook";
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::testkit::shopify::ValidatedSchema;

    #[test]
    fn every_document_is_valid_against_the_official_schemas_and_uses_nothing_deprecated() {
        let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
            assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
            eprintln!("SKIPPED: LILY_SPECS_DIR is not set");
            return;
        };
        for version in ["2026-01", "2026-10"] {
            let path = std::path::Path::new(&specs).join(format!("shopify/admin_{version}.graphql.gz"));
            let schema = ValidatedSchema::load(path).unwrap();
            for document in ALL {
                let problems = schema.problems(document.text());
                assert_eq!(problems, Vec::<String>::new(), "{version} {}", document.name());
                let deprecated = schema.deprecated(document.text(), &serde_json::json!({}));
                assert_eq!(deprecated, Vec::<String>::new(), "{version} {}", document.name());
            }
            // The check can fail.
            assert!(!schema.problems("query { shop { nothing } }").is_empty());
            let old = "query { products(first: 1) { nodes { bodyHtml } } }";
            assert!(!schema.deprecated(old, &serde_json::json!({})).is_empty(), "{version}");
        }
    }
}
