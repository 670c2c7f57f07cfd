//! Settings of a store: checked without a call; [`ShopifyConfig::connect`] is the step that calls.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::auth::ShopDomain;
use super::connector::Shopify;
use super::credentials::{Credentials, Given, Way};
use super::discover::{Found, discover};
use super::writable::WriteSettings;
use super::{PLATFORM, client, map};
use crate::auth::{App, Authenticator, Origin, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::Overrides;
use crate::model::{Entity, Secret, StoreKey, StoreProfile, Text, View};
use crate::runtime::Runtime;

/// A version of the Admin API that the connector's documents were held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ApiVersion {
    /// 2026-01, the oldest that has what the connector needs; supported until about 2027-01.
    V2026_01,
    /// 2026-10, supported until 2027-10-01.
    #[default]
    V2026_10,
}

impl ApiVersion {
    /// The name in addresses and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2026_01 => "2026-01",
            Self::V2026_10 => "2026-10",
        }
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::V2026_01 => "admin/api/2026-01/graphql.json",
            Self::V2026_10 => "admin/api/2026-10/graphql.json",
        }
    }
}

/// How to reach a Shopify store.
///
/// ```
/// # use lily_connect::connectors::shopify::ShopifyConfig;
/// # use lily_connect::model::Secret;
/// let config = ShopifyConfig::builder("some-shop.myshopify.com")
///     .access_token(Secret::new("shpat_0123"))
///     .build()?;
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ShopifyConfig {
    pub(super) origin: Origin,
    pub(super) credentials: Credentials,
    pub(super) store: StoreKey,
    pub(super) private_hosts: bool,
    pub(super) max_in_flight: NonZeroU32,
    pub(super) budget_share: f64,
    pub(super) version: ApiVersion,
    profile: Option<StoreProfile>,
    pub(super) list_window: u64,
    locale: Option<Text>,
    writes: WriteSettings,
    mapping: Overrides,
}

impl ShopifyConfig {
    /// Begins with the shop's permanent domain, `name.myshopify.com`.
    #[must_use]
    pub fn builder(shop: impl Into<String>) -> ShopifyBuilder {
        ShopifyBuilder {
            shop: shop.into(),
            url: None,
            given: Given::default(),
            tenant: "default".into(),
            private_hosts: false,
            max_in_flight: NonZeroU32::MIN.saturating_add(1),
            budget_share: 1.0,
            version: ApiVersion::default(),
            profile: None,
            list_window: super::wire::WINDOW,
            locale: None,
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
    /// `Auth` or `Forbidden` where the token is refused; `Unsupported` where the shop does not have the language of
    /// the settings; else what the pipeline says.
    pub async fn connect(&self, runtime: &Runtime) -> Result<Shopify> {
        let client = client::open(self, runtime)?;
        let found = match &self.profile {
            Some(profile) => Found::supplied(client, profile.clone()),
            None => discover(client, self.version).await?,
        };
        let shop = Shopify::new(found, runtime.clone(), self, self.writes)?;
        match &self.locale {
            Some(locale) if shop.info.profile.locale.as_ref() != Some(locale) => {
                shop.translated(&View::in_language(locale.clone()))
            }
            _ => Ok(shop),
        }
    }
}

/// Settings of a [`ShopifyConfig`].
#[derive(Debug, Clone)]
pub struct ShopifyBuilder {
    shop: String,
    url: Option<String>,
    given: Given,
    tenant: Text,
    private_hosts: bool,
    max_in_flight: NonZeroU32,
    budget_share: f64,
    version: ApiVersion,
    profile: Option<StoreProfile>,
    list_window: u64,
    locale: Option<Text>,
    writes: WriteSettings,
    mapping: Overrides,
}

impl ShopifyBuilder {
    /// Sets a token that does not change: that of a custom app.
    #[must_use]
    pub fn access_token(mut self, token: Secret) -> Self {
        self.given.way(Way::Token(token));
        self
    }

    /// Sets an app of the shop's own organisation, whose credentials get a token for a day at a time.
    ///
    /// The tokens live as long as this configuration and what is connected with it; [`Self::vault`] makes them
    /// last.
    #[must_use]
    pub fn client_credentials(mut self, app: App) -> Self {
        self.given.way(Way::ClientCredentials(app));
        self
    }

    /// Sets the vault that the tokens of [`Self::client_credentials`] are kept in, under
    /// [`app_slot`](super::auth::app_slot) (default: memory).
    #[must_use]
    pub fn vault(mut self, vault: Arc<dyn TokenVault>) -> Self {
        self.given.vault(vault);
        self
    }

    /// Sets an app whose tokens a vault holds under [`offline_slot`](super::auth::offline_slot), and that refreshes
    /// them there. The first ones come from [`ShopApp`](super::auth::ShopApp), when the merchant opens the app.
    #[must_use]
    pub fn refreshed_tokens(mut self, app: App, vault: Arc<dyn TokenVault>) -> Self {
        self.given.way(Way::Refreshed(app, vault));
        self
    }

    /// Sets an authenticator of the application's own: see [`super::auth`].
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.given.way(Way::Authenticator(authenticator));
        self
    }

    /// Sets another address than the shop's own, such as that of a test server.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
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

    /// Sets the most calls in flight at the store (default 2).
    #[must_use]
    pub fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Sets which share of the store's query budget is ours, above 0 and at most 1 (default 1): the rest is left
    /// to others who use the same app's token.
    #[must_use]
    pub fn budget_share(mut self, share: f64) -> Self {
        self.budget_share = share;
        self
    }

    /// Sets the version of the API (default the newest that is known).
    #[must_use]
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// Supplies the profile: connecting then makes no call, and takes the token to have all rights.
    #[must_use]
    pub fn profile(mut self, profile: StoreProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Sets after how many records a list is begun anew behind the last id (default 24,000: the platform's lists
    /// end at 25,000 without a word).
    #[must_use]
    pub fn list_window(mut self, records: u64) -> Self {
        self.list_window = records;
        self
    }

    /// Connects to the shop in one of its further languages (default its own): what is translated, and nothing else
    /// ([`Connector::in_view`](crate::Connector::in_view)).
    #[must_use]
    pub fn locale(mut self, locale: impl Into<Text>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// Allows handles to be written, each with a redirect from the one before (default forbidden).
    #[must_use]
    pub fn write_slugs(mut self, allowed: bool) -> Self {
        self.writes.slugs = allowed;
        self
    }

    /// Allows item numbers (barcodes) of variants to be written (default forbidden): a wrong one sells another product,
    /// and of a variant with several barcodes only the first one is known here.
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
    /// `Config` where the shop's domain is none, credentials are missing or of several kinds, the share is out of
    /// bounds, or the overrides of the map do not fit it.
    pub fn build(self) -> Result<ShopifyConfig> {
        let shop = ShopDomain::new(&self.shop)?;
        map::must_write_content(&self.mapping, Entity::Product, map::PRODUCT)?;
        map::must_write_content(&self.mapping, Entity::Variant, &map::variant(self.writes))?;
        let origin = match &self.url {
            Some(url) => Origin::as_given(url)?,
            None => shop.origin()?,
        };
        let credentials = self.given.credentials(&self.tenant, &shop, &origin, self.url.is_some())?;
        if !(self.budget_share > 0.0 && self.budget_share <= 1.0) {
            return Err(Error::new(
                ErrorKind::Config,
                "budget_share_unusable",
                "the share of the store's budget must be above 0 and at most 1",
            ));
        }
        Ok(ShopifyConfig {
            store: StoreKey::new(self.tenant, PLATFORM, shop.as_str()),
            origin,
            credentials,
            private_hosts: self.private_hosts,
            max_in_flight: self.max_in_flight,
            budget_share: self.budget_share,
            version: self.version,
            profile: self.profile,
            list_window: self.list_window.max(1),
            locale: self.locale,
            writes: self.writes,
            mapping: self.mapping,
        })
    }
}
