//! A Shopify store from the environment.

use super::mapping::Mapping;
use super::variables::{Variables, in_address, wrong};
use crate::auth::App;
use crate::connectors::shopify::{ShopifyBuilder, ShopifyConfig};
use crate::error::Result;
use crate::model::Secret;

pub(super) fn config(variables: &Variables<'_>) -> Result<ShopifyConfig> {
    let mapping = Mapping::file(variables);
    let builder = ShopifyConfig::builder(variables.required("SHOPIFY_SHOP")?);
    let mut builder = credentials(variables, builder)?
        .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
        .write_slugs(variables.switch("SHOPIFY_WRITE_SLUGS")?)
        .write_identifiers(variables.switch("SHOPIFY_WRITE_IDENTIFIERS")?)
        .mapping(mapping.overrides()?);
    if let Some(url) = variables.optional("SHOPIFY_URL")? {
        builder = builder.url(url);
    }
    if let Some(locale) = variables.optional("SHOPIFY_LOCALE")? {
        builder = builder.locale(locale);
    }
    if let Some(share) = variables.share("SHOPIFY_BUDGET_SHARE")? {
        builder = builder.budget_share(share);
    }
    builder.build().map_err(|error| match error.code() {
        "budget_share_unusable" => error.with_context("variable", "SHOPIFY_BUDGET_SHARE"),
        "shop_domain_invalid" => error.with_context("variable", "SHOPIFY_SHOP"),
        _ => in_address(mapping.named(error), "SHOPIFY_URL"),
    })
}

/// Either a token or an app, and not both.
fn credentials(variables: &Variables<'_>, builder: ShopifyBuilder) -> Result<ShopifyBuilder> {
    const APP: [&str; 2] = ["SHOPIFY_CLIENT_ID", "SHOPIFY_CLIENT_SECRET"];
    let [id, secret] = APP;
    if let Some(token) = variables.optional("SHOPIFY_ACCESS_TOKEN")? {
        if variables.optional(id)?.is_some() || variables.optional(secret)?.is_some() {
            let what = "is set beside those of an app";
            return Err(wrong("SHOPIFY_ACCESS_TOKEN", "variables_contradictory", what)
                .with_remedy(format!("unset it, or unset {id} and {secret}")));
        }
        return Ok(builder.access_token(Secret::new(token)));
    }
    let Some([app_id, app_secret]) = variables.together(APP)? else {
        return Err(wrong("SHOPIFY_ACCESS_TOKEN", "variable_missing", "is not set")
            .with_remedy(format!("set SHOPIFY_ACCESS_TOKEN, or {id} and {secret}; each may end in _FILE")));
    };
    let app = App::new(app_id, Secret::new(app_secret));
    Ok(builder.client_credentials(app.map_err(|error| error.with_context("variable", id))?))
}
