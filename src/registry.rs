//! Any connector from the environment: which platform, which store, which credentials.
//!
//! This is the only file of the library that reads the environment. Each variable can also be given as
//! `NAME_FILE`, the path of a file that holds the value; blanks at its ends do not count.
//!
//! | variable | for |
//! |---|---|
//! | `LILY_CONNECTOR` | the platform, such as `woocommerce` |
//! | `LILY_ALLOW_PRIVATE_HOSTS` | `1` allows private and loopback hosts |
//! | `LILY_EXTRA_CA_FILE` | a PEM file with further certificate authorities |
//! | `LILY_MAPPING_FILE` | a TOML file with what the store has elsewhere (`docs/mapping.md`; feature `overrides`) |
//! | `BIGCOMMERCE_STORE_HASH`, `BIGCOMMERCE_ACCESS_TOKEN` | the store's hash, as in the API path `stores/HASH`, and the token of its API account |
//! | `BIGCOMMERCE_CLIENT_SECRET` | the API account's client secret, which signs deliveries |
//! | `BIGCOMMERCE_URL` | another address than the platform's own, such as that of a test server |
//! | `BIGCOMMERCE_WRITE_SLUGS` | `1` allows addresses of products to be written |
//! | `BIGCOMMERCE_WRITE_IDENTIFIERS` | `1` allows item and part numbers (GTIN, MPN) to be written |
//! | `BIGCOMMERCE_METAFIELDS` | namespaces with commas between, whose metafields are attributes (default none) |
//! | `BIGCOMMERCE_QUOTA_SHARE` | which share of the store's quota is ours, above 0 and at most 1 (default 1) |
//! | `GA4_PROPERTY` | the property's number |
//! | `GA4_CREDENTIALS_FILE`, else `GOOGLE_APPLICATION_CREDENTIALS` | the JSON file of a service account's key, or of gcloud's application default login (default: gcloud's own file, below `CLOUDSDK_CONFIG`, `HOME` or `APPDATA`) |
//! | `GA4_MEASUREMENT_ID`, `GA4_API_SECRET` | the web stream that events are sent to (default: none are sent) |
//! | `GA4_ITEM_IDS` | what tags send as an item's id: `sku` (default), `variant_id`, `product_id` or `shopify_feed` |
//! | `GA4_PAGE_PREFIX` | what stands before the slug in the path of a product's page, such as `/products/` |
//! | `GA4_SEARCH_LANDINGS` | `1`: the pages that visits from search began with are read, too |
//! | `GA4_DATA_URL`, `GA4_ADMIN_URL`, `GA4_TOKEN_URL`, `GA4_COLLECT_URL` | other addresses than Google's own, such as those of a test server |
//! | `SHOPIFY_SHOP` | the shop's permanent domain, `name.myshopify.com` |
//! | `SHOPIFY_ACCESS_TOKEN` | the Admin API token of a custom app |
//! | `SHOPIFY_CLIENT_ID`, `SHOPIFY_CLIENT_SECRET` | in its place: the credentials of an app of the shop's own organisation, which get a token for a day at a time |
//! | `SHOPIFY_URL` | another address than the shop's own, such as that of a test server |
//! | `SHOPIFY_WRITE_SLUGS` | `1` allows handles to be written |
//! | `SHOPIFY_WRITE_IDENTIFIERS` | `1` allows item numbers (barcodes) of variants to be written: a wrong one sells another product |
//! | `SHOPIFY_LOCALE` | a further language of the shop (BCP 47): its translations are pulled and written (default its own texts) |
//! | `SHOPIFY_BUDGET_SHARE` | which share of the query budget is ours, above 0 and at most 1 (default 1) |
//! | `MAGENTO_URL` | the site's address; of the cloud service with the tenant behind the host |
//! | `MAGENTO_ACCESS_TOKEN` | an integration's access token, sent as a bearer |
//! | `MAGENTO_CONSUMER_KEY`, `MAGENTO_CONSUMER_SECRET`, `MAGENTO_TOKEN`, `MAGENTO_TOKEN_SECRET` | in its place: the integration's four credentials, which sign each request |
//! | `MAGENTO_IMS_CLIENT_ID`, `MAGENTO_IMS_CLIENT_SECRET`, `MAGENTO_IMS_ORG_ID` | in its place: the project of a store of Adobe Commerce as a Cloud Service |
//! | `MAGENTO_STORE_VIEW` | the code of the view that is read and written (default `all`: the values that views share) |
//! | `MAGENTO_WRITE_SLUGS` | `1` allows URL keys to be written |
//! | `MAGENTO_CREATE_OPTIONS` | `1` allows options of attributes to be made |
//! | `MAGENTO_QUEUED_WRITES` | `1` allows large pushes to go by the shop's queue |
//! | `LILY_VAULT_KEYS` | the keys that tokens are sealed with, as `id:base64`, the one in use first (feature `vault`) |
//! | `WOOCOMMERCE_URL`, `WOOCOMMERCE_KEY`, `WOOCOMMERCE_SECRET` | the site's address and a REST API key |
//! | `WOOCOMMERCE_SEO_PLUGIN` | `yoast` or `rank_math`: which plugin keeps the SEO fields (default: found out) |
//! | `WOOCOMMERCE_WRITE_SLUGS` | `1` allows slugs to be written |
//! | `WOOCOMMERCE_WRITE_IDENTIFIERS` | `1` allows item numbers (EAN, UPC, ISBN) to be written |
//! | `WOOCOMMERCE_KEY_IN_QUERY` | `never`, `when_stripped` (default) or `always`: whether the key may go in the query |

#[cfg(feature = "bigcommerce")]
mod bigcommerce;
#[cfg(feature = "ga4")]
mod ga4;
#[cfg(feature = "magento")]
mod magento;
#[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
mod mapping;
#[cfg(feature = "shopify")]
mod shopify;
mod variables;
#[cfg(feature = "woocommerce")]
mod woocommerce;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use self::variables::{Variables, read, wrong};
use crate::connector::Connector;
#[cfg(feature = "bigcommerce")]
use crate::connectors::bigcommerce::BigCommerceConfig;
#[cfg(feature = "ga4")]
use crate::connectors::ga4::Ga4Config;
#[cfg(feature = "magento")]
use crate::connectors::magento::MagentoConfig;
#[cfg(feature = "shopify")]
use crate::connectors::shopify::ShopifyConfig;
#[cfg(feature = "woocommerce")]
use crate::connectors::woocommerce::WooCommerceConfig;
use crate::error::Result;
use crate::runtime::Runtime;
#[cfg(feature = "vault")]
use crate::state::FixedKeys;
use crate::transport::ReqwestTransport;

/// Every platform that this crate has a connector for, each also the name of its feature.
const PLATFORMS: [&str; 5] = ["bigcommerce", "ga4", "magento", "shopify", "woocommerce"];

/// The settings of a store of any platform that this build knows.
///
/// ```no_run
/// # async fn run() -> lily_connect::Result<()> {
/// use lily_connect::registry::{ConnectorConfig, runtime_from_env};
///
/// let runtime = runtime_from_env()?;
/// let store = ConnectorConfig::from_env()?.connect(&runtime).await?;
/// println!("{}", store.info().store);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectorConfig {
    /// A BigCommerce store.
    #[cfg(feature = "bigcommerce")]
    BigCommerce(BigCommerceConfig),
    /// A Google Analytics property.
    #[cfg(feature = "ga4")]
    Ga4(Box<Ga4Config>),
    /// A Magento, Mage-OS or Adobe Commerce store.
    #[cfg(feature = "magento")]
    Magento(MagentoConfig),
    /// A Shopify store.
    #[cfg(feature = "shopify")]
    Shopify(ShopifyConfig),
    /// A WooCommerce store.
    #[cfg(feature = "woocommerce")]
    WooCommerce(WooCommerceConfig),
}

impl ConnectorConfig {
    /// Reads the settings of the store that the environment names; nothing is sent.
    ///
    /// # Errors
    /// `Config` where a variable is missing, is wrong or is given twice, and where this build has no connector
    /// for the platform. It names the variable, and never a credential.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(&|name| std::env::var_os(name))
    }

    /// Reads the settings through a function that answers for the environment.
    ///
    /// # Errors
    /// As [`ConnectorConfig::from_env`].
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let variables = Variables(lookup);
        let platform = variables.required("LILY_CONNECTOR")?;
        match platform.as_str() {
            #[cfg(feature = "bigcommerce")]
            "bigcommerce" => bigcommerce::config(&variables).map(Self::BigCommerce),
            #[cfg(feature = "ga4")]
            "ga4" => ga4::config(&variables).map(|config| Self::Ga4(Box::new(config))),
            #[cfg(feature = "magento")]
            "magento" => magento::config(&variables).map(Self::Magento),
            #[cfg(feature = "shopify")]
            "shopify" => shopify::config(&variables).map(Self::Shopify),
            #[cfg(feature = "woocommerce")]
            "woocommerce" => woocommerce::config(&variables).map(Self::WooCommerce),
            known if PLATFORMS.contains(&known) => Err(wrong(
                "LILY_CONNECTOR",
                "connector_not_built",
                "names a platform that this build has no connector for",
            )
            .with_remedy(format!("build with the feature {known}"))),
            other => {
                let error = wrong("LILY_CONNECTOR", "connector_unknown", "names no platform that is known");
                let error = if may_be_shown(other) { error.with_context("given", other) } else { error };
                Err(error.with_remedy(format!("set it to one of: {}", PLATFORMS.join(", "))))
            }
        }
    }

    /// Connects: reads what is true of the store, and gives its connector.
    ///
    /// # Errors
    /// What the platform's own `connect` says.
    #[cfg_attr(
        not(any(
            feature = "ga4",
            feature = "bigcommerce",
            feature = "magento",
            feature = "shopify",
            feature = "woocommerce"
        )),
        expect(
            clippy::unused_async,
            unused_variables,
            reason = "without a connector there is nothing to call"
        )
    )]
    pub async fn connect(&self, runtime: &Runtime) -> Result<Arc<dyn Connector>> {
        match *self {
            #[cfg(feature = "bigcommerce")]
            Self::BigCommerce(ref config) => Ok(Arc::new(config.connect(runtime).await?)),
            #[cfg(feature = "ga4")]
            Self::Ga4(ref config) => Ok(Arc::new(config.connect(runtime).await?)),
            #[cfg(feature = "magento")]
            Self::Magento(ref config) => Ok(Arc::new(config.connect(runtime).await?)),
            #[cfg(feature = "shopify")]
            Self::Shopify(ref config) => Ok(Arc::new(config.connect(runtime).await?)),
            #[cfg(feature = "woocommerce")]
            Self::WooCommerce(ref config) => Ok(Arc::new(config.connect(runtime).await?)),
        }
    }
}

/// A runtime whose transport trusts the certificate authorities that the environment adds.
///
/// # Errors
/// `Config` where the file that `LILY_EXTRA_CA_FILE` names cannot be read or holds no certificate.
pub fn runtime_from_env() -> Result<Runtime> {
    runtime_from_lookup(&|name| std::env::var_os(name))
}

fn runtime_from_lookup(lookup: &dyn Fn(&str) -> Option<OsString>) -> Result<Runtime> {
    let name = "LILY_EXTRA_CA_FILE";
    let Some(path) = lookup(name).filter(|path| !path.is_empty()) else { return Ok(Runtime::new()) };
    let pem = read(name, Path::new(&path))?;
    let transport = ReqwestTransport::builder()
        .extra_ca_pem(&pem)
        .build()
        .map_err(|error| error.with_context("variable", name))?;
    Ok(Runtime::with_transport(Arc::new(transport)))
}

/// The keys of a vault, which `LILY_VAULT_KEYS` gives; none where it is not set.
///
/// # Errors
/// `Config` where the variable is wrong or is given twice. It never quotes a key.
#[cfg(feature = "vault")]
pub fn vault_keys_from_env() -> Result<Option<FixedKeys>> {
    vault_keys_from_lookup(&|name| std::env::var_os(name))
}

#[cfg(feature = "vault")]
fn vault_keys_from_lookup(lookup: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<FixedKeys>> {
    let name = "LILY_VAULT_KEYS";
    let Some(text) = Variables(lookup).optional(name)? else { return Ok(None) };
    let keys = FixedKeys::parse(&crate::model::Secret::new(text));
    keys.map(Some).map_err(|error| error.with_context("variable", name))
}

/// Whether it looks like the name of a platform, and not like a credential that was put in its place.
fn may_be_shown(platform: &str) -> bool {
    platform.len() <= 20 && platform.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
