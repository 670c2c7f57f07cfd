//! A Magento, Mage-OS or Adobe Commerce store from the environment.

use super::mapping::Mapping;
use super::variables::{Variables, in_address, wrong};
use crate::connectors::magento::{CloudProject, MagentoBuilder, MagentoConfig};
use crate::error::Result;
use crate::model::Secret;

pub(super) fn config(variables: &Variables<'_>) -> Result<MagentoConfig> {
    let mapping = Mapping::file(variables);
    let builder = MagentoConfig::builder(variables.required("MAGENTO_URL")?);
    let mut builder = credentials(variables, builder)?
        .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
        .write_slugs(variables.switch("MAGENTO_WRITE_SLUGS")?)
        .create_options(variables.switch("MAGENTO_CREATE_OPTIONS")?)
        .queued_writes(variables.switch("MAGENTO_QUEUED_WRITES")?)
        .mapping(mapping.overrides()?);
    if let Some(view) = variables.optional("MAGENTO_STORE_VIEW")? {
        builder = builder.store_view(view);
    }
    builder.build().map_err(|error| match error.code() {
        "store_view_unusable" => error.with_context("variable", "MAGENTO_STORE_VIEW"),
        _ => in_address(mapping.named(error), "MAGENTO_URL"),
    })
}

/// A token, an integration's four credentials, or a project of the cloud service: one of the three.
fn credentials(variables: &Variables<'_>, builder: MagentoBuilder) -> Result<MagentoBuilder> {
    const SIGNED: [&str; 4] =
        ["MAGENTO_CONSUMER_KEY", "MAGENTO_CONSUMER_SECRET", "MAGENTO_TOKEN", "MAGENTO_TOKEN_SECRET"];
    const CLOUD: [&str; 3] = ["MAGENTO_IMS_CLIENT_ID", "MAGENTO_IMS_CLIENT_SECRET", "MAGENTO_IMS_ORG_ID"];
    let token = variables.optional("MAGENTO_ACCESS_TOKEN")?;
    let signed = variables.together(SIGNED)?;
    let cloud = variables.together(CLOUD)?;
    match (token, signed, cloud) {
        (Some(token), None, None) => Ok(builder.access_token(Secret::new(token))),
        (None, Some([key, secret, token, token_secret]), None) => {
            Ok(builder.integration(key, Secret::new(secret), token, Secret::new(token_secret)))
        }
        (None, None, Some([id, secret, organisation])) => {
            Ok(builder.cloud(CloudProject::new(id, Secret::new(secret), organisation)))
        }
        (None, None, None) => Err(wrong("MAGENTO_ACCESS_TOKEN", "variable_missing", "is not set")
            .with_remedy(format!(
                "set MAGENTO_ACCESS_TOKEN, or {}; each may end in _FILE",
                SIGNED.join(", ")
            ))),
        _ => Err(wrong("MAGENTO_ACCESS_TOKEN", "variables_contradictory", "is one of several credentials")
            .with_remedy("leave the credentials of one kind, and unset the others")),
    }
}
