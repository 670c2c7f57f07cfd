//! What is served against the official schemas, and the operations that a client needs.
//!
//! The schemas are no part of this crate: `LILY_SPECS_DIR` names the folder that holds `shopify/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use lily_connect::testkit::shopify::{Owner, ShopifyFake, ShopifyFakeBuilder, ValidatedSchema};
use serde_json::{Value, json};

use super::{Shop, shop_with};

const FILES: [&str; 2] = ["admin_2026-10.graphql.gz", "admin_2026-01.graphql.gz"];

fn folder() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
        eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no official schema was looked at");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set in CI");
        return None;
    };
    Some(Path::new(&folder).join("shopify"))
}

/// The official schemas, loaded once for all tests of this file.
fn official() -> Option<&'static [Arc<ValidatedSchema>]> {
    static LOADED: OnceLock<Vec<Arc<ValidatedSchema>>> = OnceLock::new();
    let folder = folder()?;
    Some(LOADED.get_or_init(|| {
        FILES.iter().map(|file| Arc::new(ValidatedSchema::load(folder.join(file)).unwrap())).collect()
    }))
}

/// What a version does not have yet of what is served.
const LATER: &[(&str, &str)] = &[
    (FILES[1], "InventoryItem.inventoryLevel(includeInactive)"),
    (FILES[1], "InventoryItem.inventoryLevels(includeInactive)"),
    (FILES[1], "Metafield.sizeInBytes"),
    (FILES[1], "Metafield.translations"),
    (FILES[1], "WebhookSubscription.name"),
    (FILES[1], "WebhookSubscriptionInput.name"),
];

/// The type of a field, and those of its arguments.
type Member = (String, BTreeMap<String, String>);

#[test]
fn what_is_served_is_in_the_official_schemas() {
    let Some(folder) = folder() else { return };
    let surface = Schema::parse_and_validate(ShopifyFake::surface(), "surface.graphql").unwrap();
    let mut wrong = Vec::new();
    for file in FILES {
        let mut text = String::new();
        let packed = std::fs::File::open(folder.join(file)).unwrap();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
        let theirs = Schema::parse(text, file).unwrap();
        let mut say = |what: String| {
            if !LATER.iter().any(|(known, member)| *known == file && what.starts_with(member)) {
                wrong.push(format!("{file}: {what}"));
            }
        };
        for (name, ours) in &surface.types {
            if ours.is_built_in() {
                continue;
            }
            let Some(other) = theirs.types.get(name) else {
                say(format!("{name} is no type"));
                continue;
            };
            let fields = |ty: &ExtendedType| -> Option<BTreeMap<String, Member>> {
                let definitions = match ty {
                    ExtendedType::Object(it) => it.fields.values().collect::<Vec<_>>(),
                    ExtendedType::Interface(it) => it.fields.values().collect(),
                    _ => return None,
                };
                let entries = definitions.into_iter().map(|field| {
                    let arguments = field.arguments.iter();
                    let arguments = arguments.map(|it| (it.name.to_string(), it.ty.to_string())).collect();
                    (field.name.to_string(), (field.ty.to_string(), arguments))
                });
                Some(entries.collect())
            };
            match (ours, other) {
                (ExtendedType::Enum(ours), ExtendedType::Enum(other)) => {
                    for value in ours.values.keys().filter(|value| !other.values.contains_key(*value)) {
                        say(format!("{name}.{value} is no value"));
                    }
                }
                (ExtendedType::InputObject(ours), ExtendedType::InputObject(other)) => {
                    for (field, definition) in &ours.fields {
                        match other.fields.get(field) {
                            Some(known) if known.ty == definition.ty => {}
                            Some(known) => say(format!("{name}.{field} is {}", known.ty)),
                            None => say(format!("{name}.{field} is no field")),
                        }
                    }
                }
                _ => {
                    let (Some(ours), Some(other)) = (fields(ours), fields(other)) else { continue };
                    for (field, (ty, arguments)) in ours {
                        let Some((known, theirs)) = other.get(&field) else {
                            say(format!("{name}.{field} is no field"));
                            continue;
                        };
                        if *known != ty {
                            say(format!("{name}.{field} is {known}, not {ty}"));
                        }
                        for (argument, ty) in arguments {
                            if theirs.get(&argument) != Some(&ty) {
                                say(format!("{name}.{field}({argument}) is {:?}", theirs.get(&argument)));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn shop(schemas: &[Arc<ValidatedSchema>]) -> Shop {
    let add = |builder, schema: &Arc<ValidatedSchema>| ShopifyFakeBuilder::schema(builder, schema.clone());
    shop_with(20, |builder| schemas.iter().fold(builder, add)).await
}

async fn ask(shop: &Shop, version: &str, query: &str, variables: &Value) -> (Value, Option<String>) {
    let response = shop.send(version, query, variables).await;
    assert_eq!(response.headers()["x-shopify-api-version"], version);
    let reason = response.headers().get("x-shopify-api-deprecated-reason");
    let reason = reason.map(|reason| reason.to_str().unwrap().to_owned());
    (serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(), reason)
}

#[tokio::test]
async fn what_the_schema_does_not_allow_is_kept_and_refused() {
    let Some(schemas) = official() else { return };
    let shop = shop(schemas).await;
    let (answer, _) = ask(&shop, "2026-10", "query Bad { shop { nonsense } }", &json!({})).await;
    assert_eq!(answer["errors"][0]["message"], json!("Field 'nonsense' doesn't exist on type 'Shop'"));
    let violations = shop.fake.violations();
    assert_eq!(violations.len(), 2, "one for each schema: {violations:?}");
    let query = "query One($id: ID!) { product(id: $id) { id } }";
    let (answer, _) = ask(&shop, "2026-10", query, &json!({})).await;
    assert!(answer["errors"].is_array());
    assert_eq!(shop.fake.violations().len(), 4);
    // A deprecated field is answered by the platform, with a header; the stand-in tells of it.
    let old = "{ currentBulkOperation { id } }";
    let (_, reason) = ask(&shop, "2026-10", old, &json!({})).await;
    assert_eq!(reason.as_deref(), Some("QueryRoot.currentBulkOperation"));
    assert_eq!(shop.fake.deprecated_uses().len(), 2);
    assert_eq!(shop.fake.violations().len(), 4);
}

/// The operations that the fact sheet lists, with variables for a shop of twenty products.
fn operations(shop: &Shop) -> Vec<(&'static str, Value)> {
    let ids = shop.fake.ids();
    let product = shop.fake.product(ids[0]).unwrap();
    let id = product.gid();
    let variant = shop.fake.variant(product.variants[0]).unwrap();
    let media = shop.fake.media(product.media[0]).unwrap();
    let option = format!("gid://shopify/ProductOption/{}", product.options[0].id);
    let item = format!("gid://shopify/InventoryItem/{}", variant.inventory_item);
    let place = "gid://shopify/Location/655441491";
    shop.fake.set_metafield(
        Owner::Product(product.id),
        "custom",
        "material",
        "single_line_text_field",
        "wool",
    );
    vec![
        ("query Changed($after: String, $query: String) { products(first: 20, after: $after, query: $query, sortKey: UPDATED_AT) {
            nodes { id legacyResourceId handle title descriptionHtml vendor productType status tags createdAt updatedAt publishedAt
              onlineStoreUrl totalInventory tracksInventory isGiftCard hasOnlyDefaultVariant templateSuffix
              variantsCount { count precision } seo { title description } category { id name fullName }
              options { id name position optionValues { id name hasVariants } }
              priceRangeV2 { minVariantPrice { amount currencyCode } maxVariantPrice { amount } } featuredMedia { id alt } }
            pageInfo { hasNextPage endCursor } } }",
         json!({ "query": "updated_at:>='2020-11-01T00:00:00Z'" })),
        ("query One($id: ID!) { product(id: $id) { id variants(first: 10) { nodes { id legacyResourceId title sku barcode position price
            compareAtPrice inventoryQuantity inventoryPolicy availableForSale taxable selectedOptions { name value } updatedAt
            inventoryItem { id tracked sku measurement { weight { value unit } } } } pageInfo { hasNextPage endCursor } }
            media(first: 10) { nodes { id alt mediaContentType status ... on MediaImage { mimeType image { url width height altText } } } } } }",
         json!({ "id": id })),
        ("query ByHandle($handle: String!) { productByIdentifier(identifier: { handle: $handle }) { id } }", json!({ "handle": product.handle })),
        ("query Some($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Product { title } } }", json!({ "ids": [id] })),
        ("query Counts { productsCount(limit: null) { count precision } productVariantsCount { count precision } collectionsCount { count } }", json!({})),
        ("query Variants($query: String) { productVariants(first: 5, query: $query) { nodes { id product { id } } } }", json!({ "query": format!("product_id:{}", product.id) })),
        ("mutation Content($product: ProductUpdateInput!) { productUpdate(product: $product) { product { id updatedAt } userErrors { field message } } }",
         json!({ "product": { "id": id, "title": "New", "descriptionHtml": "<p>x</p>", "seo": { "title": "S", "description": null }, "status": "ACTIVE" } })),
        ("mutation Meta($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) { metafields { id namespace key compareDigest }
            userErrors { field message code elementIndex } } }",
         json!({ "metafields": [{ "ownerId": id, "namespace": "custom", "key": "fit", "type": "single_line_text_field", "value": "slim", "compareDigest": null }] })),
        ("mutation Unmeta($metafields: [MetafieldIdentifierInput!]!) { metafieldsDelete(metafields: $metafields) { deletedMetafields { ownerId namespace key } userErrors { field message } } }",
         json!({ "metafields": [{ "ownerId": id, "namespace": "custom", "key": "material" }] })),
        ("mutation Alt($files: [FileUpdateInput!]!) { fileUpdate(files: $files) { files { id alt fileStatus updatedAt } userErrors { field message code } } }",
         json!({ "files": [{ "id": media.gid(), "alt": "An alt text" }] })),
        ("mutation Tag($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } } }", json!({ "id": id, "tags": ["one"] })),
        ("mutation Untag($id: ID!, $tags: [String!]!) { tagsRemove(id: $id, tags: $tags) { node { id } userErrors { field message } } }", json!({ "id": id, "tags": ["one"] })),
        ("mutation Variants($id: ID!, $variants: [ProductVariantsBulkInput!]!) { productVariantsBulkUpdate(productId: $id, variants: $variants) { productVariants { id barcode } userErrors { field message code } } }",
         json!({ "id": id, "variants": [{ "id": variant.gid(), "barcode": "123" }] })),
        ("mutation Option($id: ID!, $option: OptionUpdateInput!) { productOptionUpdate(productId: $id, option: $option) { product { options { name } } userErrors { field message code } } }",
         json!({ "id": id, "option": { "id": option, "name": "Shade" } })),
        ("mutation Whole($input: ProductSetInput!, $identifier: ProductSetIdentifiers) { productSet(input: $input, identifier: $identifier, synchronous: true) {
            product { id } productSetOperation { id status } userErrors { code field message } } }",
         json!({ "identifier": { "id": id }, "input": { "title": "Set" } })),
        ("query Source($id: ID!) { translatableResource(resourceId: $id) { resourceId translatableContent { key value digest locale } translations(locale: \"fr\") { key value outdated } } }", json!({ "id": id })),
        ("mutation Translate($id: ID!, $translations: [TranslationInput!]!) { translationsRegister(resourceId: $id, translations: $translations) { translations { key value } userErrors { field message code } } }",
         json!({ "id": id, "translations": [] })),
        ("mutation Untranslate($id: ID!) { translationsRemove(resourceId: $id, locales: [\"fr\"], translationKeys: [\"title\"]) { translations { key } userErrors { code message } } }", json!({ "id": id })),
        ("query Languages { shopLocales { locale name primary published } }", json!({})),
        ("mutation Publish($id: ID!) { publishablePublish(id: $id, input: [{ publicationId: \"gid://shopify/Publication/2\" }]) { userErrors { field message } } }", json!({ "id": id })),
        ("mutation Stock($input: InventorySetQuantitiesInput!, $key: String!) { inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { field message code } } }",
         json!({ "key": "a-key", "input": { "name": "available", "reason": "correction", "quantities": [{ "inventoryItemId": item, "locationId": place, "quantity": 5, "changeFromQuantity": null }] } })),
        ("query Gone { events(first: 5, query: \"subject_type:'PRODUCT' action:'destroy'\", sortKey: CREATED_AT) { nodes { id createdAt ... on BasicEvent { subjectId } } } }", json!({})),
        ("query Shop { shop { name currencyCode weightUnit ianaTimezone myshopifyDomain plan { publicDisplayName shopifyPlus } resourceLimits { maxProductVariants maxProductOptions } }
            currentAppInstallation { accessScopes { handle } } publicApiVersions { handle supported } }", json!({})),
        ("query Files { files(first: 3, query: \"media_type:IMAGE\") { nodes { id alt fileStatus } } }", json!({})),
        ("query Shelves { collections(first: 3) { nodes { id title products(first: 2) { nodes { id } } } } }", json!({})),
        ("mutation Run($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) { bulkOperation { id status } userErrors { field message code } } }",
         json!({ "query": "{ products { edges { node { id variants { edges { node { id } } } } } } }" })),
        ("query Jobs { bulkOperations(first: 5, query: \"status:RUNNING type:QUERY\") { nodes { id status errorCode objectCount rootObjectCount fileSize url partialDataUrl } } }", json!({})),
        ("mutation Stage($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) { stagedTargets { url resourceUrl parameters { name value } } userErrors { field message } } }",
         json!({ "input": [{ "resource": "BULK_MUTATION_VARIABLES", "filename": "vars", "mimeType": "text/jsonl", "httpMethod": "POST" }] })),
        ("mutation Subscribe($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
            webhookSubscription { id topic uri format } userErrors { field message } } }",
         json!({ "topic": "PRODUCTS_UPDATE", "hook": { "uri": "https://example.test/hook", "format": "JSON" } })),
        ("query Hooks { webhookSubscriptions(first: 10, topics: [PRODUCTS_UPDATE]) { nodes { id topic uri format filter includeFields } } }", json!({})),
    ]
}

#[tokio::test]
async fn every_operation_that_a_client_needs_is_valid_and_answered() {
    let Some(schemas) = official() else { return };
    let shop = shop(schemas).await;
    let all = operations(&shop);
    assert_eq!(all.len(), 30);
    for version in ["2026-10", "2026-01"] {
        for (query, variables) in &all {
            shop.fake.set_bucket(2_000.0, 100.0);
            let (answer, reason) = ask(&shop, version, query, variables).await;
            assert!(answer.get("errors").is_none(), "{query}\n{answer}");
            assert_eq!(reason, None, "{query}");
        }
    }
    assert_eq!(shop.fake.violations(), []);
    assert_eq!(shop.fake.deprecated_uses(), Vec::<String>::new());
}
