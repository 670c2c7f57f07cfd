//! A Google Analytics property from the environment.

use std::path::PathBuf;

use super::variables::{Variables, not_text, of_file, read, wrong};
use crate::connectors::ga4::{Ga4Config, ItemIds};
use crate::error::Result;
use crate::model::Secret;

pub(super) fn config(variables: &Variables<'_>) -> Result<Ga4Config> {
    let mut builder = Ga4Config::builder(variables.required("GA4_PROPERTY")?)
        .credentials(credentials(variables)?)
        .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
        .item_ids(item_ids(variables, "GA4_ITEM_IDS")?)
        .search_landings(variables.switch("GA4_SEARCH_LANDINGS")?);
    if let Some(prefix) = variables.optional("GA4_PAGE_PREFIX")? {
        builder = builder.page_prefix(prefix);
    }
    if let Some([id, secret]) = variables.together(["GA4_MEASUREMENT_ID", "GA4_API_SECRET"])? {
        builder = builder.stream(id, Secret::new(secret));
    }
    if let Some(url) = variables.optional("GA4_DATA_URL")? {
        builder = builder.data_url(url);
    }
    if let Some(url) = variables.optional("GA4_ADMIN_URL")? {
        builder = builder.admin_url(url);
    }
    if let Some(url) = variables.optional("GA4_TOKEN_URL")? {
        builder = builder.token_url(url);
    }
    if let Some(url) = variables.optional("GA4_COLLECT_URL")? {
        builder = builder.collect_url(url);
    }
    builder.build().map_err(|error| match error.code() {
        "property_unusable" => error.with_context("variable", "GA4_PROPERTY"),
        "origin_invalid" => {
            error.with_context("variables", "GA4_DATA_URL GA4_ADMIN_URL GA4_TOKEN_URL GA4_COLLECT_URL")
        }
        "measurement_id_unusable" => error.with_context("variable", "GA4_MEASUREMENT_ID"),
        code if code.starts_with("credential")
            || matches!(code, "token_uri_foreign" | "private_key_unreadable") =>
        {
            error.with_context("variable", "GA4_CREDENTIALS_FILE")
        }
        _ => error,
    })
}

/// The credential file: our own variable's, else those that Google's libraries read, the last of which is where
/// gcloud keeps a login (google-auth 2.62.2).
fn credentials(variables: &Variables<'_>) -> Result<Secret> {
    let (own, common) = ("GA4_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS");
    if let Some(text) = variables.optional(own)? {
        return Ok(Secret::new(text));
    }
    let set = |name| (variables.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_gcloud = || {
        let folder = set("CLOUDSDK_CONFIG")
            .or_else(|| set("HOME").map(|home| home.join(".config/gcloud")))
            .or_else(|| set("APPDATA").map(|data| data.join("gcloud")))?;
        Some(folder.join("application_default_credentials.json")).filter(|path| path.is_file())
    };
    let Some(path) = set(common).or_else(of_gcloud) else {
        return Err(wrong("GA4_CREDENTIALS_FILE", "variable_missing", "is not set").with_remedy(format!(
            "set it, or {common}, to the path of a credential file, or run gcloud auth application-default login"
        )));
    };
    let text = String::from_utf8(read(common, &path)?);
    text.map(Secret::new).map_err(|_| of_file(not_text(common), &path))
}

fn item_ids(variables: &Variables<'_>, name: &'static str) -> Result<ItemIds> {
    match variables.optional(name)?.as_deref() {
        None | Some("sku") => Ok(ItemIds::Sku),
        Some("variant_id") => Ok(ItemIds::VariantId),
        Some("product_id") => Ok(ItemIds::ProductId),
        Some("shopify_feed") => Ok(ItemIds::ShopifyFeed),
        Some(_) => Err(wrong(name, "variable_wrong", "must be sku, variant_id, product_id or shopify_feed")),
    }
}
