//! A BigCommerce store from the environment.

use super::mapping::Mapping;
use super::variables::{Variables, in_address};
use crate::connectors::bigcommerce::BigCommerceConfig;
use crate::error::Result;
use crate::model::Secret;

pub(super) fn config(variables: &Variables<'_>) -> Result<BigCommerceConfig> {
    let mapping = Mapping::file(variables);
    let token = variables.required("BIGCOMMERCE_ACCESS_TOKEN")?;
    let mut builder = BigCommerceConfig::builder(variables.required("BIGCOMMERCE_STORE_HASH")?)
        .access_token(Secret::new(token))
        .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
        .write_slugs(variables.switch("BIGCOMMERCE_WRITE_SLUGS")?)
        .write_identifiers(variables.switch("BIGCOMMERCE_WRITE_IDENTIFIERS")?)
        .mapping(mapping.overrides()?);
    if let Some(secret) = variables.optional("BIGCOMMERCE_CLIENT_SECRET")? {
        builder = builder.client_secret(Secret::new(secret));
    }
    if let Some(url) = variables.optional("BIGCOMMERCE_URL")? {
        builder = builder.url(url);
    }
    if let Some(share) = variables.share("BIGCOMMERCE_QUOTA_SHARE")? {
        builder = builder.quota_share(share);
    }
    if let Some(namespaces) = variables.optional("BIGCOMMERCE_METAFIELDS")? {
        builder = builder.metafields(namespaces.split(','));
    }
    builder.build().map_err(|error| match error.code() {
        "store_hash_unusable" => error.with_context("variable", "BIGCOMMERCE_STORE_HASH"),
        "quota_share_unusable" => error.with_context("variable", "BIGCOMMERCE_QUOTA_SHARE"),
        "metafield_namespace_unusable" => error.with_context("variable", "BIGCOMMERCE_METAFIELDS"),
        _ => in_address(mapping.named(error), "BIGCOMMERCE_URL"),
    })
}
