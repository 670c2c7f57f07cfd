//! The official documents that requests and answers are held against, and where they are not followed.

use std::path::Path;
use std::sync::Arc;

use super::store::BigCommerceFake;
use crate::error::Result;
use crate::testkit::openapi::{Document, Exemption, Rulebook};

/// The documents of `bigcommerce/docs`, reference/, of 2026-04, by the version that they are mounted under.
const DOCUMENTS: &[(&str, &str)] = &[
    ("v3", "products_catalog.v3.yml"),
    ("v3", "product-variants_catalog.v3.yml"),
    ("v3", "product-variant-options_catalog.v3.yml"),
    ("v3", "product-modifiers_catalog.v3.yml"),
    ("v3", "brands_catalog.v3.yml"),
    ("v3", "categories_catalog.v3.yml"),
    ("v3", "category-trees_catalog.v3.yml"),
    ("v3", "channels.v3.yml"),
    ("v3", "settings.v3.yml"),
    ("v3", "webhooks.v3.yml"),
    ("v3", "inventory.v3.yml"),
    ("v3", "price_lists.v3.yml"),
    ("v2", "store_information.v2.yml"),
    ("v2", "currencies.v2.yml"),
];

impl BigCommerceFake {
    /// Reads the official documents from the folder `bigcommerce/openapi` below `specs`. It takes half a second, so
    /// share one.
    ///
    /// # Errors
    /// `Config` where a document is missing or unusable.
    pub fn rulebook(specs: impl AsRef<Path>) -> Result<Rulebook> {
        let mut builder = Rulebook::builder()
            .unlisted("POST", "/oauth2/token", "the exchange is described in prose, without a document")
            .unlisted("POST", "/stores/*/graphql", "the GraphQL Admin API has no document");
        for (version, name) in DOCUMENTS {
            let document = Document::load(specs.as_ref().join("bigcommerce/openapi").join(name))?;
            builder = builder.document(format!("/stores/*/{version}"), Arc::new(document));
        }
        for exemption in exemptions() {
            builder = builder.exempt(exemption);
        }
        Ok(builder.build())
    }
}

/// Where the documents are wrong, each with its reason. All but one are about answers.
fn exemptions() -> Vec<Exemption> {
    let mut list = Vec::new();
    let mut exempt = |operations: &[&str], places: &[&str], reason: &str| {
        for operation in operations {
            list.extend(places.iter().map(|place| Exemption::new(*operation, *place, reason)));
        }
    };
    let (list_of, one) = ("GET /catalog/products", "GET /catalog/products/{product_id}");
    let (put, batch, post) =
        ("PUT /catalog/products/{product_id}", "PUT /catalog/products", "POST /catalog/products");
    exempt(
        &[list_of, one, put, batch, post],
        &["answer /data/base_variant_id", "answer /data/*/base_variant_id"],
        "null for a product with options, says the field's own description; declared as an integer",
    );
    exempt(
        &[list_of, one, put, batch, post],
        &["answer /data/variants", "answer /data/*/variants"],
        "`include=variants` is documented, and the answer's schema lacks it",
    );
    exempt(
        &[list_of, one, put, batch, post],
        &["answer /data/images/*/image_file", "answer /data/*/images/*/image_file"],
        "shown in the example of the images' own route; the schema lacks it",
    );
    exempt(
        &[list_of, one, put, batch, post],
        &["answer /data/options/*/name", "answer /data/*/options/*/name"],
        "declared by the options' own route, and not here",
    );
    exempt(
        &[
            "GET /catalog/products/{product_id}/images",
            "GET /catalog/products/{product_id}/images/{image_id}",
        ],
        &["answer /data/*/image_file", "answer /data/image_file"],
        "shown in the example of this very route; the schema lacks it",
    );
    exempt(
        &[
            "PUT /catalog/products/{product_id}/images/{image_id}",
            "POST /catalog/products/{product_id}/images",
        ],
        &["answer /data"],
        "its two branches of oneOf allow the same image, so it can never hold",
    );
    let variants = [
        "GET /catalog/variants",
        "PUT /catalog/variants",
        "GET /catalog/products/{product_id}/variants",
        "GET /catalog/products/{product_id}/variants/{variant_id}",
        "PUT /catalog/products/{product_id}/variants/{variant_id}",
    ];
    exempt(
        &variants,
        &["answer /data/*/map_price", "answer /data/map_price"],
        "shown in the examples of these routes; the schemas lack it",
    );
    exempt(
        &["GET /catalog/variants", "PUT /catalog/variants"],
        &[
            "answer /data/*/calculated_weight",
            "answer /data/*/mpn",
            "answer /data/*/gtin",
            "answer /data/*/image_url",
        ],
        "declared by the route of one product's variants, and not by those of all",
    );
    exempt(
        &["PUT /catalog/variants"],
        &["body /*/mpn", "body /*/gtin"],
        "declared by the route of one variant, and not by that of many, which is an older copy; what a store passes over here is sent by the former",
    );
    exempt(
        &["GET /catalog/variants", "PUT /catalog/variants"],
        &[
            "answer /data/*/price",
            "answer /data/*/sale_price",
            "answer /data/*/retail_price",
            "answer /data/*/cost_price",
            "answer /data/*/weight",
            "answer /data/*/width",
            "answer /data/*/height",
            "answer /data/*/depth",
            "answer /data/*/fixed_cost_shipping_price",
            "answer /data/*/sku_id",
        ],
        "null where the product's value holds, as the route of one product's variants declares",
    );
    exempt(
        &[batch],
        &["answer /errors"],
        "the official example of 413 has an empty map here; the schema lacks it",
    );
    exempt(
        &["GET /currencies"],
        &["answer /*/last_updated"],
        "the official example has the format of RFC 2822, and the schema asks for that of RFC 3339",
    );
    exempt(&["GET /hooks"], &["answer /data"], "at least one hook is asked for, and a store may have none");
    list
}
