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

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "shopify")]
use crate::auth::App;
use crate::connector::Connector;
#[cfg(feature = "bigcommerce")]
use crate::connectors::bigcommerce::BigCommerceConfig;
#[cfg(feature = "ga4")]
use crate::connectors::ga4::{Ga4Config, ItemIds};
#[cfg(feature = "magento")]
use crate::connectors::magento::{CloudProject, MagentoBuilder, MagentoConfig};
#[cfg(feature = "shopify")]
use crate::connectors::shopify::{ShopifyBuilder, ShopifyConfig};
#[cfg(feature = "woocommerce")]
use crate::connectors::woocommerce::{KeyInQuery, SeoPlugin, WooCommerceConfig};
use crate::error::{Error, ErrorKind, Result};
#[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
use crate::mapping::Overrides;
#[cfg(any(
    feature = "ga4",
    feature = "bigcommerce",
    feature = "magento",
    feature = "shopify",
    feature = "woocommerce"
))]
use crate::model::Secret;
use crate::runtime::Runtime;
#[cfg(feature = "vault")]
use crate::state::FixedKeys;
use crate::transport::ReqwestTransport;

/// The largest file that a variable may name, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
#[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
const MAPPING_FILE: &str = "LILY_MAPPING_FILE";
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
            #[cfg(feature = "ga4")]
            "ga4" => variables.ga4().map(|config| Self::Ga4(Box::new(config))),
            #[cfg(feature = "magento")]
            "magento" => {
                let (mapping, file) = variables.mapping()?;
                let builder = MagentoConfig::builder(variables.required("MAGENTO_URL")?);
                let mut builder = variables
                    .magento_credentials(builder)?
                    .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
                    .write_slugs(variables.switch("MAGENTO_WRITE_SLUGS")?)
                    .create_options(variables.switch("MAGENTO_CREATE_OPTIONS")?)
                    .queued_writes(variables.switch("MAGENTO_QUEUED_WRITES")?)
                    .mapping(mapping);
                if let Some(view) = variables.optional("MAGENTO_STORE_VIEW")? {
                    builder = builder.store_view(view);
                }
                let config = builder
                    .build()
                    .map_err(|error| in_variable(in_mapping(error, file.as_deref()), "MAGENTO_URL"))?;
                Ok(Self::Magento(config))
            }
            #[cfg(feature = "bigcommerce")]
            "bigcommerce" => {
                let (mapping, file) = variables.mapping()?;
                let token = variables.required("BIGCOMMERCE_ACCESS_TOKEN")?;
                let mut builder = BigCommerceConfig::builder(variables.required("BIGCOMMERCE_STORE_HASH")?)
                    .access_token(Secret::new(token))
                    .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
                    .write_slugs(variables.switch("BIGCOMMERCE_WRITE_SLUGS")?)
                    .write_identifiers(variables.switch("BIGCOMMERCE_WRITE_IDENTIFIERS")?)
                    .mapping(mapping);
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
                let config = builder
                    .build()
                    .map_err(|error| in_variable(in_mapping(error, file.as_deref()), "BIGCOMMERCE_URL"))?;
                Ok(Self::BigCommerce(config))
            }
            #[cfg(feature = "shopify")]
            "shopify" => {
                let (mapping, file) = variables.mapping()?;
                let builder = ShopifyConfig::builder(variables.required("SHOPIFY_SHOP")?);
                let mut builder = variables
                    .shopify_credentials(builder)?
                    .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
                    .write_slugs(variables.switch("SHOPIFY_WRITE_SLUGS")?)
                    .write_identifiers(variables.switch("SHOPIFY_WRITE_IDENTIFIERS")?)
                    .mapping(mapping);
                if let Some(url) = variables.optional("SHOPIFY_URL")? {
                    builder = builder.url(url);
                }
                if let Some(locale) = variables.optional("SHOPIFY_LOCALE")? {
                    builder = builder.locale(locale);
                }
                if let Some(share) = variables.share("SHOPIFY_BUDGET_SHARE")? {
                    builder = builder.budget_share(share);
                }
                let config = builder
                    .build()
                    .map_err(|error| in_variable(in_mapping(error, file.as_deref()), "SHOPIFY_URL"))?;
                Ok(Self::Shopify(config))
            }
            #[cfg(feature = "woocommerce")]
            "woocommerce" => {
                let (mapping, file) = variables.mapping()?;
                let mut builder = WooCommerceConfig::builder(variables.required("WOOCOMMERCE_URL")?)
                    .key(variables.required("WOOCOMMERCE_KEY")?)
                    .secret(Secret::new(variables.required("WOOCOMMERCE_SECRET")?))
                    .private_hosts(variables.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
                    .key_in_query(variables.key_in_query("WOOCOMMERCE_KEY_IN_QUERY")?)
                    .write_slugs(variables.switch("WOOCOMMERCE_WRITE_SLUGS")?)
                    .write_identifiers(variables.switch("WOOCOMMERCE_WRITE_IDENTIFIERS")?)
                    .mapping(mapping);
                if let Some(plugin) = variables.seo_plugin("WOOCOMMERCE_SEO_PLUGIN")? {
                    builder = builder.seo_plugin(plugin);
                }
                let config = builder
                    .build()
                    .map_err(|error| in_variable(in_mapping(error, file.as_deref()), "WOOCOMMERCE_URL"))?;
                Ok(Self::WooCommerce(config))
            }
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

/// Reads variables, each by its name or as a file.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    fn required(&self, name: &'static str) -> Result<String> {
        self.optional(name)?.ok_or_else(|| {
            wrong(name, "variable_missing", "is not set")
                .with_remedy(format!("set {name}, or {name}_FILE to the path of a file that holds it"))
        })
    }

    /// The value; none where it is not set, or is set to nothing.
    fn optional(&self, name: &'static str) -> Result<Option<String>> {
        let plain = (self.0)(name).filter(|value| !value.is_empty());
        let file = (self.0)(&format!("{name}_FILE")).filter(|value| !value.is_empty());
        let value = match (plain, &file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(wrong(name, "variable_twice", "is set both by itself and as a file")
                    .with_remedy(format!("unset {name} or {name}_FILE")));
            }
            (Some(value), None) => value.into_string().map_err(|_| not_text(name))?,
            (None, Some(path)) => {
                let path = Path::new(path);
                let text = String::from_utf8(read(name, path)?);
                text.map_err(|_| of_file(not_text(name), path))?
            }
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(match &file {
                Some(path) => {
                    let what = "names a file that holds nothing but blanks";
                    of_file(wrong(&format!("{name}_FILE"), "variable_empty", what), Path::new(path))
                }
                None => wrong(name, "variable_empty", "holds nothing but blanks"),
            });
        }
        Ok(Some(value.to_owned()))
    }

    /// A token, an integration's four credentials, or a project of the cloud service: one of the three.
    #[cfg(feature = "magento")]
    fn magento_credentials(&self, builder: MagentoBuilder) -> Result<MagentoBuilder> {
        const SIGNED: [&str; 4] =
            ["MAGENTO_CONSUMER_KEY", "MAGENTO_CONSUMER_SECRET", "MAGENTO_TOKEN", "MAGENTO_TOKEN_SECRET"];
        const CLOUD: [&str; 3] = ["MAGENTO_IMS_CLIENT_ID", "MAGENTO_IMS_CLIENT_SECRET", "MAGENTO_IMS_ORG_ID"];
        let token = self.optional("MAGENTO_ACCESS_TOKEN")?;
        let signed = self.together(SIGNED)?;
        let cloud = self.together(CLOUD)?;
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
            _ => {
                Err(wrong("MAGENTO_ACCESS_TOKEN", "variables_contradictory", "is one of several credentials")
                    .with_remedy("leave the credentials of one kind, and unset the others"))
            }
        }
    }

    /// Variables that go together: all of them, or none.
    #[cfg(feature = "magento")]
    fn together<const N: usize>(&self, names: [&'static str; N]) -> Result<Option<[String; N]>> {
        let mut values = Vec::with_capacity(N);
        for name in names {
            values.extend(self.optional(name)?.map(|value| (name, value)));
        }
        if values.is_empty() {
            return Ok(None);
        }
        if let Some(missing) = names.iter().find(|name| !values.iter().any(|(known, _)| known == *name)) {
            return Err(wrong(missing, "variable_missing", "is not set")
                .with_remedy(format!("{} go together", names.join(", "))));
        }
        let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
        Ok(values.try_into().ok())
    }

    /// Either a token or an app, and not both.
    #[cfg(feature = "shopify")]
    fn shopify_credentials(&self, builder: ShopifyBuilder) -> Result<ShopifyBuilder> {
        let (id, secret) = ("SHOPIFY_CLIENT_ID", "SHOPIFY_CLIENT_SECRET");
        let token = self.optional("SHOPIFY_ACCESS_TOKEN")?;
        match (token, self.optional(id)?, self.optional(secret)?) {
            (Some(token), None, None) => Ok(builder.access_token(Secret::new(token))),
            (None, None, None) => Err(wrong("SHOPIFY_ACCESS_TOKEN", "variable_missing", "is not set")
                .with_remedy(format!(
                    "set SHOPIFY_ACCESS_TOKEN, or {id} and {secret}; each may end in _FILE"
                ))),
            (None, app_id, app_secret) => {
                let missing = if app_id.is_none() { id } else { secret };
                let (Some(app_id), Some(app_secret)) = (app_id, app_secret) else {
                    return Err(wrong(missing, "variable_missing", "is not set")
                        .with_remedy(format!("{id} and {secret} go together")));
                };
                let app = App::new(app_id, Secret::new(app_secret));
                let app = app.map_err(|error| error.with_context("variable", id))?;
                Ok(builder.client_credentials(app))
            }
            (Some(_), _, _) => {
                Err(wrong("SHOPIFY_ACCESS_TOKEN", "variables_contradictory", "is set beside those of an app")
                    .with_remedy(format!("unset it, or unset {id} and {secret}")))
            }
        }
    }

    #[cfg(feature = "ga4")]
    fn ga4(&self) -> Result<Ga4Config> {
        let mut builder = Ga4Config::builder(self.required("GA4_PROPERTY")?)
            .credentials(self.ga4_credentials()?)
            .private_hosts(self.switch("LILY_ALLOW_PRIVATE_HOSTS")?)
            .item_ids(self.ga4_item_ids("GA4_ITEM_IDS")?)
            .search_landings(self.switch("GA4_SEARCH_LANDINGS")?);
        if let Some(prefix) = self.optional("GA4_PAGE_PREFIX")? {
            builder = builder.page_prefix(prefix);
        }
        let (id, secret) = ("GA4_MEASUREMENT_ID", "GA4_API_SECRET");
        match (self.optional(id)?, self.optional(secret)?) {
            (None, None) => {}
            (Some(id), Some(secret)) => builder = builder.stream(id, Secret::new(secret)),
            (given, _) => {
                let missing = if given.is_none() { id } else { secret };
                return Err(wrong(missing, "variable_missing", "is not set")
                    .with_remedy(format!("{id} and {secret} go together")));
            }
        }
        if let Some(url) = self.optional("GA4_DATA_URL")? {
            builder = builder.data_url(url);
        }
        if let Some(url) = self.optional("GA4_ADMIN_URL")? {
            builder = builder.admin_url(url);
        }
        if let Some(url) = self.optional("GA4_TOKEN_URL")? {
            builder = builder.token_url(url);
        }
        if let Some(url) = self.optional("GA4_COLLECT_URL")? {
            builder = builder.collect_url(url);
        }
        builder.build().map_err(|error| match error.code() {
            "property_unusable" => error.with_context("variable", "GA4_PROPERTY"),
            "origin_invalid" => {
                error.with_context("variables", "GA4_DATA_URL GA4_ADMIN_URL GA4_TOKEN_URL GA4_COLLECT_URL")
            }
            "measurement_id_unusable" => error.with_context("variable", id),
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
    #[cfg(feature = "ga4")]
    fn ga4_credentials(&self) -> Result<Secret> {
        let (own, common) = ("GA4_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS");
        if let Some(text) = self.optional(own)? {
            return Ok(Secret::new(text));
        }
        let set = |name| (self.0)(name).filter(|value| !value.is_empty()).map(std::path::PathBuf::from);
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

    #[cfg(feature = "ga4")]
    fn ga4_item_ids(&self, name: &'static str) -> Result<ItemIds> {
        match self.optional(name)?.as_deref() {
            None | Some("sku") => Ok(ItemIds::Sku),
            Some("variant_id") => Ok(ItemIds::VariantId),
            Some("product_id") => Ok(ItemIds::ProductId),
            Some("shopify_feed") => Ok(ItemIds::ShopifyFeed),
            Some(_) => {
                Err(wrong(name, "variable_wrong", "must be sku, variant_id, product_id or shopify_feed"))
            }
        }
    }

    #[cfg(any(feature = "bigcommerce", feature = "shopify"))]
    fn share(&self, name: &'static str) -> Result<Option<f64>> {
        let Some(text) = self.optional(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong(name, "variable_wrong", "must be a number such as 0.5"))
    }

    #[cfg(any(
        feature = "ga4",
        feature = "bigcommerce",
        feature = "magento",
        feature = "shopify",
        feature = "woocommerce"
    ))]
    fn switch(&self, name: &'static str) -> Result<bool> {
        match self.optional(name)?.as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(wrong(name, "variable_wrong", "must be 1 or 0")),
        }
    }

    #[cfg(feature = "woocommerce")]
    fn seo_plugin(&self, name: &'static str) -> Result<Option<SeoPlugin>> {
        match self.optional(name)?.as_deref() {
            None => Ok(None),
            Some("yoast") => Ok(Some(SeoPlugin::Yoast)),
            Some("rank_math") => Ok(Some(SeoPlugin::RankMath)),
            Some(_) => Err(wrong(name, "variable_wrong", "must be yoast or rank_math")),
        }
    }

    #[cfg(feature = "woocommerce")]
    fn key_in_query(&self, name: &'static str) -> Result<KeyInQuery> {
        match self.optional(name)?.as_deref() {
            None | Some("when_stripped") => Ok(KeyInQuery::WhenStripped),
            Some("never") => Ok(KeyInQuery::Never),
            Some("always") => Ok(KeyInQuery::Always),
            Some(_) => Err(wrong(name, "variable_wrong", "must be never, when_stripped or always")),
        }
    }

    /// The overrides of the connector's map, and the file that they stand in.
    #[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
    fn mapping(&self) -> Result<(Overrides, Option<std::path::PathBuf>)> {
        let path = (self.0)(MAPPING_FILE).filter(|path| !path.is_empty());
        let Some(path) = path.map(std::path::PathBuf::from) else { return Ok((Overrides::default(), None)) };
        let text = String::from_utf8(read(MAPPING_FILE, &path)?);
        let text = text.map_err(|_| {
            of_file(wrong(MAPPING_FILE, "variable_not_text", "names a file that is no UTF-8 text"), &path)
        })?;
        let overrides = Overrides::parse(&text).map_err(|error| in_mapping(error, Some(&path)))?;
        Ok((overrides, Some(path)))
    }
}

fn read(name: &'static str, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= MAX_FILE_BYTES => Ok(bytes),
        Ok(_) => {
            Err(of_file(wrong(name, "variable_file_too_large", "names a file of more than 1 MiB"), path))
        }
        Err(error) => {
            Err(of_file(wrong(name, "variable_file_unreadable", "names a file that cannot be read"), path)
                .with_remedy("check the path, and the rights of the file")
                .with_source(error))
        }
    }
}

fn not_text(name: &'static str) -> Error {
    wrong(name, "variable_not_text", "is no UTF-8 text")
}

fn of_file(error: Error, path: &Path) -> Error {
    error.with_context("file", path.display().to_string())
}

/// Whether it looks like the name of a platform, and not like a credential that was put in its place.
fn may_be_shown(platform: &str) -> bool {
    platform.len() <= 20 && platform.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
fn in_variable(error: Error, name: &'static str) -> Error {
    if error.code() == "origin_invalid" {
        error.with_remedy(format!("set {name} to the store's address, in the form https://shop.example"))
    } else if error.code() == "store_view_unusable" {
        error.with_context("variable", "MAGENTO_STORE_VIEW")
    } else if error.code() == "shop_domain_invalid" {
        error.with_context("variable", "SHOPIFY_SHOP")
    } else if error.code() == "store_hash_unusable" {
        error.with_context("variable", "BIGCOMMERCE_STORE_HASH")
    } else if error.code() == "metafield_namespace_unusable" {
        error.with_context("variable", "BIGCOMMERCE_METAFIELDS")
    } else {
        error
    }
}

/// Names the file of an error about overrides.
#[cfg(any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce"))]
fn in_mapping(error: Error, file: Option<&Path>) -> Error {
    match file {
        Some(file) if error.code().starts_with("override") => {
            of_file(error.with_context("variable", MAPPING_FILE), file)
        }
        _ => error,
    }
}

fn wrong(name: &str, code: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Config, code, format!("the variable {name} {what}"))
}

#[cfg(test)]
mod tests;
