//! Settings of a store: checked without a call; [`WooCommerceConfig::connect`] is the step that calls.

use std::num::NonZeroU32;

use super::connector::{WooCommerce, WriteSettings};
use super::discover::{Found, discover};
use super::way::{KeyInQuery, Permalinks, Reach};
use super::writable::SeoPlugin;
use super::{PLATFORM, map};
use crate::auth::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::Overrides;
use crate::model::{Entity, Secret, StoreKey, StoreProfile, Text};
use crate::runtime::Runtime;

/// How to reach a WooCommerce store.
///
/// ```
/// # use lily_connect::connectors::woocommerce::WooCommerceConfig;
/// # use lily_connect::model::Secret;
/// let config = WooCommerceConfig::builder("https://shop.example")
///     .key("ck_0123")
///     .secret(Secret::new("cs_0123"))
///     .build()?;
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WooCommerceConfig {
    origin: Origin,
    key: Secret,
    secret: Secret,
    store: StoreKey,
    private_hosts: bool,
    key_in_query: KeyInQuery,
    permalinks: Permalinks,
    max_in_flight: NonZeroU32,
    profile: Option<StoreProfile>,
    writes: WriteSettings,
    mapping: Overrides,
}

impl WooCommerceConfig {
    /// Begins with the site's address, exactly as the site names itself: scheme, `www` and folder.
    ///
    /// Over https the key goes as Basic, unless the host drops the header; over plain http each request is signed (OAuth 1.0a), and the secret
    /// never leaves.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> WooCommerceBuilder {
        WooCommerceBuilder {
            url: url.into(),
            key: None,
            secret: None,
            tenant: "default".into(),
            private_hosts: false,
            key_in_query: KeyInQuery::default(),
            permalinks: Permalinks::default(),
            max_in_flight: NonZeroU32::MIN.saturating_add(1),
            profile: None,
            writes: WriteSettings::default(),
            mapping: Overrides::default(),
        }
    }

    /// The store, as everything that is kept about it is keyed.
    #[must_use]
    pub fn store(&self) -> &StoreKey {
        &self.store
    }

    /// What this store has elsewhere than the connector's map says.
    #[must_use]
    pub fn mapping(&self) -> &Overrides {
        &self.mapping
    }

    /// Reads the store's profile, unless one was supplied, and gives the connector.
    ///
    /// # Errors
    /// `Auth` or `Forbidden` where the key is refused; `Protocol` or `Unsupported` where the address leads to no
    /// WooCommerce API; `Config` (`https_not_seen`) where the site takes https for http; else what the pipeline
    /// says.
    pub async fn connect(&self, runtime: &Runtime) -> Result<WooCommerce> {
        let reach = Reach {
            runtime,
            store: &self.store,
            origin: &self.origin,
            key: self.key.expose(),
            secret: &self.secret,
            key_in_query: self.key_in_query,
            permalinks: self.permalinks,
            private_hosts: self.private_hosts,
            max_in_flight: self.max_in_flight,
        };
        let found = match &self.profile {
            Some(profile) => {
                let way = reach.configured();
                Found::supplied(reach.client(way)?, way, profile.clone())
            }
            None => discover(&reach).await?,
        };
        WooCommerce::new(found, runtime.clone(), self.store.clone(), self.writes, &self.mapping)
    }
}

/// Settings of a [`WooCommerceConfig`].
#[derive(Debug, Clone)]
pub struct WooCommerceBuilder {
    url: String,
    /// As secret as its other half: nobody needs to see it.
    key: Option<Secret>,
    secret: Option<Secret>,
    tenant: Text,
    private_hosts: bool,
    key_in_query: KeyInQuery,
    permalinks: Permalinks,
    max_in_flight: NonZeroU32,
    profile: Option<StoreProfile>,
    writes: WriteSettings,
    mapping: Overrides,
}

impl WooCommerceBuilder {
    /// Sets the consumer key, `ck_…`.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Secret::new(key));
        self
    }

    /// Sets the consumer secret, `cs_…`.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Sets whose store it is (default `default`).
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Text>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Allows loopback and private addresses (default forbidden).
    #[must_use]
    pub fn private_hosts(mut self, allowed: bool) -> Self {
        self.private_hosts = allowed;
        self
    }

    /// Sets whether key and secret may go in the query over https (default: where the host drops the header).
    ///
    /// There they end up in the access logs of the site and of what stands before it.
    #[must_use]
    pub fn key_in_query(mut self, when: KeyInQuery) -> Self {
        self.key_in_query = when;
        self
    }

    /// Sets where the site's API stands (default: connecting finds it out, where no profile is supplied).
    #[must_use]
    pub fn permalinks(mut self, permalinks: Permalinks) -> Self {
        self.permalinks = permalinks;
        self
    }

    /// Sets the most calls in flight at the store (default 2: its workers serve the shop's customers, too).
    #[must_use]
    pub fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Supplies the profile: connecting then makes no call, and takes the store to list variations. A host that
    /// needs another way is then not found out: see [`Self::key_in_query`] and [`Self::permalinks`].
    #[must_use]
    pub fn profile(mut self, profile: StoreProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Names the plugin that keeps titles and descriptions for search engines (default: the one that the site's
    /// index shows; without one they are not written).
    #[must_use]
    pub fn seo_plugin(mut self, plugin: SeoPlugin) -> Self {
        self.writes.seo = Some(plugin);
        self
    }

    /// Allows slugs to be written (default forbidden: links from outside break where no plugin redirects them).
    #[must_use]
    pub fn write_slugs(mut self, allowed: bool) -> Self {
        self.writes.slugs = allowed;
        self
    }

    /// Allows item numbers (`global_unique_id`) of products and variations to be written (default forbidden: a wrong
    /// one sells another product).
    #[must_use]
    pub fn write_identifiers(mut self, allowed: bool) -> Self {
        self.writes.identifiers = allowed;
        self
    }

    /// Says what this store has elsewhere than the connector's map says (default nothing).
    #[must_use]
    pub fn mapping(mut self, overrides: Overrides) -> Self {
        self.mapping = overrides;
        self
    }

    /// Checks the settings; nothing is sent.
    ///
    /// # Errors
    /// `Config` where the overrides of the map do not fit it, the address is unusable, or the key or secret is missing.
    pub fn build(self) -> Result<WooCommerceConfig> {
        for (entity, rules) in [
            (Entity::Product, map::product(self.writes.seo, self.writes)),
            (Entity::Variant, map::variant(self.writes)),
        ] {
            map::must_write_content(&self.mapping, entity, &rules)?;
        }
        let origin = Origin::as_given(&self.url)?;
        let missing = |what: &'static str| {
            Error::new(ErrorKind::Config, "setting_missing", format!("the setting {what} is missing"))
                .with_remedy("make a REST API key in WooCommerce under Settings, Advanced, REST API")
        };
        let key = self.key.filter(|key| !key.is_empty()).ok_or_else(|| missing("key"))?;
        let secret = self.secret.filter(|secret| !secret.is_empty()).ok_or_else(|| missing("secret"))?;
        Ok(WooCommerceConfig {
            store: StoreKey::new(self.tenant, PLATFORM, origin.account()),
            origin,
            key,
            secret,
            private_hosts: self.private_hosts,
            key_in_query: self.key_in_query,
            permalinks: self.permalinks,
            max_in_flight: self.max_in_flight,
            profile: self.profile,
            writes: self.writes,
            mapping: self.mapping,
        })
    }
}
