//! A WooCommerce store from the environment.

use super::mapping::Mapping;
use super::variables::{Variables, in_address, wrong};
use crate::connectors::woocommerce::{KeyInQuery, SeoPlugin, WooCommerceConfig};
use crate::error::Result;
use crate::model::Secret;

pub(super) fn config(variables: &Variables<'_>) -> Result<WooCommerceConfig> {
    let mapping = Mapping::file(variables);
    let mut builder = WooCommerceConfig::builder(variables.required("WOOCOMMERCE_URL")?)
        .key(variables.required("WOOCOMMERCE_KEY")?)
        .secret(Secret::new(variables.required("WOOCOMMERCE_SECRET")?))
        .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
        .key_in_query(key_in_query(variables, "WOOCOMMERCE_KEY_IN_QUERY")?)
        .write_slugs(variables.switch("WOOCOMMERCE_WRITE_SLUGS")?)
        .write_identifiers(variables.switch("WOOCOMMERCE_WRITE_IDENTIFIERS")?)
        .mapping(mapping.overrides()?);
    if let Some(plugin) = seo_plugin(variables, "WOOCOMMERCE_SEO_PLUGIN")? {
        builder = builder.seo_plugin(plugin);
    }
    builder.build().map_err(|error| in_address(mapping.named(error), "WOOCOMMERCE_URL"))
}

fn seo_plugin(variables: &Variables<'_>, name: &'static str) -> Result<Option<SeoPlugin>> {
    match variables.optional(name)?.as_deref() {
        None => Ok(None),
        Some("yoast") => Ok(Some(SeoPlugin::Yoast)),
        Some("rank_math") => Ok(Some(SeoPlugin::RankMath)),
        Some(_) => Err(wrong(name, "variable_wrong", "must be yoast or rank_math")),
    }
}

fn key_in_query(variables: &Variables<'_>, name: &'static str) -> Result<KeyInQuery> {
    match variables.optional(name)?.as_deref() {
        None | Some("when_stripped") => Ok(KeyInQuery::WhenStripped),
        Some("never") => Ok(KeyInQuery::Never),
        Some("always") => Ok(KeyInQuery::Always),
        Some(_) => Err(wrong(name, "variable_wrong", "must be never, when_stripped or always")),
    }
}
