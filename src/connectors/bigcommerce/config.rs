//! Settings of a store: checked without a call; [`BigCommerceConfig::connect`] is the step that calls.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::classify::BigClassifier;
use super::connector::BigCommerce;
use super::credentials::{Credentials, Given, Way};
use super::discover::{Found, discover};
use super::metafields::Namespaces;
use super::translations;
use super::webhook::Proof;
use super::writable::WriteSettings;
use super::{PLATFORM, map};
use crate::auth::{Authenticator, Origin, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, WindowSettings};
use crate::mapping::Overrides;
use crate::model::{Entity, Secret, StoreKey, StoreProfile, Text, View};
use crate::runtime::Runtime;

/// Where the platform's API stands.
const API: &str = "https://api.bigcommerce.com";
/// The longest store hash that is taken; those that were seen have ten characters.
const MAX_HASH: usize = 32;
/// The longest that a language's tag is wont to be (RFC 5646, section 4.4.1).
const MAX_LOCALE: usize = 35;

/// A store's hash: the short word that stands in its API's addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreHash(Text);

impl StoreHash {
    /// Takes a hash, or a context, `stores/` and the hash.
    ///
    /// # Errors
    /// `Config` with code `store_hash_unusable` where it is not 1 to 32 lower-case letters and digits.
    pub fn new(text: &str) -> Result<Self> {
        let hash = text.trim();
        let hash = hash.strip_prefix("stores/").unwrap_or(hash);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if hash.is_empty() || hash.len() > MAX_HASH || !hash.bytes().all(plain) {
            return Err(Error::new(
                ErrorKind::Config,
                "store_hash_unusable",
                "a store's hash has 1 to 32 lower-case letters and digits",
            )
            .with_remedy("copy it from the API path of the API account: stores/HASH"));
        }
        Ok(Self(hash.into()))
    }

    /// The hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The store as the platform names it in tokens and deliveries.
    #[must_use]
    pub fn context(&self) -> String {
        format!("stores/{}", self.0)
    }
}

impl fmt::Display for StoreHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the list of products is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Paging {
    /// Each page behind the last id of the one before: nothing slips between two pages.
    #[default]
    ById,
    /// By the numbers of pages, several of them at once. A product that is deleted meanwhile moves others to the page
    /// before, where nobody looks again; a sweep of ids finds them.
    ByNumber,
}

/// How to reach a BigCommerce store.
///
/// ```
/// # use lily_connect::connectors::bigcommerce::BigCommerceConfig;
/// # use lily_connect::model::Secret;
/// let config = BigCommerceConfig::builder("abc123")
///     .access_token(Secret::new("token"))
///     .build()?;
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BigCommerceConfig {
    pub(super) hash: StoreHash,
    origin: Origin,
    credentials: Credentials,
    store: StoreKey,
    pub(super) client_secret: Option<Secret>,
    pub(super) proof: Proof,
    pub(super) private_hosts: bool,
    max_in_flight: NonZeroU32,
    quota_share: f64,
    pub(super) paging: Paging,
    profile: Option<StoreProfile>,
    pub(super) writes: WriteSettings,
    pub(super) namespaces: Namespaces,
    channels: Vec<u64>,
    pub(super) channel_values: Vec<View>,
    mapping: Overrides,
}

impl BigCommerceConfig {
    /// Begins with the store's hash, as it stands in the API path of its API account.
    #[must_use]
    pub fn builder(store_hash: impl Into<String>) -> BigCommerceBuilder {
        BigCommerceBuilder {
            hash: store_hash.into(),
            url: None,
            given: Given::default(),
            client_secret: None,
            proof: Proof::default(),
            tenant: "default".into(),
            private_hosts: false,
            max_in_flight: NonZeroU32::MIN.saturating_add(1),
            quota_share: 1.0,
            paging: Paging::default(),
            profile: None,
            writes: WriteSettings::default(),
            metafields: Vec::new(),
            channels: Vec::new(),
            channel_values: Vec::new(),
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
    /// `Auth` or `Forbidden` where the token is refused; `Unsupported` where the store tells no languages of a channel
    /// of the settings; else what the pipeline says.
    pub async fn connect(&self, runtime: &Runtime) -> Result<BigCommerce> {
        let client = self.client(runtime)?;
        let mut found = match &self.profile {
            Some(profile) => Found { client, profile: profile.clone(), languages: Vec::new() },
            None => discover(client).await?,
        };
        found.languages = translations::views(&found.client, &self.channels).await?;
        BigCommerce::new(found, runtime.clone(), self)
    }

    fn client(&self, runtime: &Runtime) -> Result<ApiClient> {
        runtime
            .client(
                self.store.clone(),
                self.origin.clone(),
                self.credentials.open(runtime, &self.origin, self.private_hosts)?,
            )
            .classifier(Arc::new(BigClassifier))
            .private_hosts(self.private_hosts)
            .max_in_flight(self.max_in_flight)
            .window(WindowSettings::new().share(self.quota_share))
            .build()
    }
}

/// Settings of a [`BigCommerceConfig`].
#[derive(Debug, Clone)]
pub struct BigCommerceBuilder {
    hash: String,
    url: Option<String>,
    given: Given,
    client_secret: Option<Secret>,
    proof: Proof,
    tenant: Text,
    private_hosts: bool,
    max_in_flight: NonZeroU32,
    quota_share: f64,
    paging: Paging,
    profile: Option<StoreProfile>,
    writes: WriteSettings,
    metafields: Vec<Text>,
    channels: Vec<u64>,
    channel_values: Vec<View>,
    mapping: Overrides,
}

impl BigCommerceBuilder {
    /// Sets the token of a store-level API account, or of an app in the store.
    #[must_use]
    pub fn access_token(mut self, token: Secret) -> Self {
        self.given.way(Way::Token(token));
        self
    }

    /// Sets a vault that holds the token of an app in the store, under
    /// [`app_slot`](super::auth::app_slot): [`StoreApp`](super::auth::StoreApp) gets it when the merchant installs the
    /// app. A token that the platform takes no more is looked for there again.
    #[must_use]
    pub fn installed(mut self, vault: Arc<dyn TokenVault>) -> Self {
        self.given.way(Way::Installed(vault));
        self
    }

    /// Sets an authenticator of the application's own.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.given.way(Way::Authenticator(authenticator));
        self
    }

    /// Sets the client secret of the API account or app, with which the platform signs deliveries. It is tried beside
    /// the secrets that a delivery is verified with.
    #[must_use]
    pub fn client_secret(mut self, secret: Secret) -> Self {
        self.client_secret = Some(secret).filter(|secret| !secret.is_empty());
        self
    }

    /// Sets what proves a delivery (default: a signature, or the header that our subscriptions ask for).
    #[must_use]
    pub fn webhook_proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// Sets another address than the platform's own, such as that of a test server.
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

    /// Sets which share of the store's quota is ours, above 0 and at most 1 (default 1): the rest is left to the
    /// store's other apps, which draw from the same quota.
    #[must_use]
    pub fn quota_share(mut self, share: f64) -> Self {
        self.quota_share = share;
        self
    }

    /// Sets how the list of products is read (default by id).
    #[must_use]
    pub fn paging(mut self, paging: Paging) -> Self {
        self.paging = paging;
        self
    }

    /// Supplies the profile: connecting then makes no call, but for languages ([`translations`](Self::translations)).
    #[must_use]
    pub fn profile(mut self, profile: StoreProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Allows addresses of products to be written, each with a redirect from the one before (default forbidden).
    #[must_use]
    pub fn write_slugs(mut self, allowed: bool) -> Self {
        self.writes.slugs = allowed;
        self
    }

    /// Allows item numbers (GTIN) and part numbers (MPN) of products and variants to be written (default forbidden): a
    /// wrong one sells another product.
    #[must_use]
    pub fn write_identifiers(mut self, allowed: bool) -> Self {
        self.writes.identifiers = allowed;
        self
    }

    /// Reads the metafields of products in these namespaces as attributes, and lets them be written (default none). Of
    /// all products they come by further calls, 250 metafields each; of products by id, by a call each.
    #[must_use]
    pub fn metafields<T: Into<Text>>(mut self, namespaces: impl IntoIterator<Item = T>) -> Self {
        self.metafields = namespaces.into_iter().map(Into::into).collect();
        self
    }

    /// Reads which further languages these channels have, by their numbers (default none): each is a view of the store
    /// ([`Connector::views`](crate::Connector::views)). They are of Catalyst storefronts, and the token needs the scope
    /// Store Translations.
    #[must_use]
    pub fn translations(mut self, channels: impl IntoIterator<Item = u64>) -> Self {
        self.channels = channels.into_iter().collect();
        self
    }

    /// Makes a view of what a channel shows of products in a language (as the store spells it, such as `fr` or `en-GB`)
    /// in place of the store's own texts (default none). May be called several times; connecting makes no call for it.
    ///
    /// For Enterprise stores. A channel has either such values or translations.
    #[must_use]
    pub fn channel_values(mut self, channel: u64, locale: impl Into<Text>) -> Self {
        self.channel_values
            .push(View { scope: Some(channel.to_string().into()), ..View::in_language(locale) });
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
    /// `Config` where the hash or the address is unusable, credentials are missing or of several kinds, the share is
    /// out of bounds, a namespace or a language is none, a channel has both translations and values of its own, or the
    /// overrides of the map do not fit it.
    pub fn build(self) -> Result<BigCommerceConfig> {
        let hash = StoreHash::new(&self.hash)?;
        let namespaces = Namespaces::new(&self.metafields)?;
        let of_products = map::product(&namespaces, self.writes);
        map::must_write_content(&self.mapping, Entity::Product, &of_products)?;
        map::must_write_content(&self.mapping, Entity::Variant, &map::variant(self.writes))?;
        let channel_values = self.checked_channel_values()?;
        let url = self.url.as_deref().unwrap_or(API);
        let base = format!("{}/{}", url.trim().trim_end_matches('/'), hash.context());
        let origin = Origin::as_given(&base)?;
        let credentials = self.given.credentials(&self.tenant, &hash, &origin)?;
        if !(self.quota_share > 0.0 && self.quota_share <= 1.0) {
            return Err(Error::new(
                ErrorKind::Config,
                "quota_share_unusable",
                "the share of the store's quota must be above 0 and at most 1",
            ));
        }
        Ok(BigCommerceConfig {
            store: StoreKey::new(self.tenant, PLATFORM, hash.as_str()),
            hash,
            origin,
            credentials,
            client_secret: self.client_secret,
            proof: self.proof,
            private_hosts: self.private_hosts,
            max_in_flight: self.max_in_flight,
            quota_share: self.quota_share,
            paging: self.paging,
            profile: self.profile,
            writes: WriteSettings { metafields: !namespaces.is_empty(), ..self.writes },
            namespaces,
            channels: self.channels,
            channel_values,
            mapping: self.mapping,
        })
    }

    fn checked_channel_values(&self) -> Result<Vec<View>> {
        let mut views = self.channel_values.clone();
        views.sort();
        views.dedup();
        let wrong = |code, what: String| Err(Error::new(ErrorKind::Config, code, what));
        for view in &views {
            let locale = view.locale.as_deref().unwrap_or_default();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if locale.is_empty() || locale.len() > MAX_LOCALE || !locale.bytes().all(plain) {
                let what = "a language has 1 to 35 letters, digits and hyphens, such as en-GB".to_owned();
                return wrong("locale_unusable", what);
            }
            let is_translated = |channel: &u64| view.scope.as_deref() == Some(channel.to_string().as_str());
            if let Some(channel) = self.channels.iter().find(|channel| is_translated(channel)) {
                let what = format!("the channel {channel} has either translations or values of its own");
                return wrong("channel_twice", what);
            }
        }
        Ok(views)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_one_word_and_a_context_leads_to_it() {
        for text in ["abc123", "stores/abc123", " abc123 "] {
            assert_eq!(StoreHash::new(text).unwrap().as_str(), "abc123");
        }
        for wrong in ["", "stores/", "ABC", "a/b", "../v2", "a b", &"a".repeat(33), "stores/stores/a"] {
            assert_eq!(StoreHash::new(wrong).unwrap_err().code(), "store_hash_unusable", "{wrong}");
        }
    }

    #[test]
    fn wrong_settings_are_named_without_a_call_and_without_a_secret() {
        let with = |change: fn(BigCommerceBuilder) -> BigCommerceBuilder| {
            change(BigCommerceConfig::builder("abc123")).build().map(drop)
        };
        let token = |builder: BigCommerceBuilder| builder.access_token(Secret::new("very-secret"));
        assert_eq!(with(|builder| builder).unwrap_err().code(), "setting_missing");
        assert_eq!(
            with(|builder| builder.access_token(Secret::new(""))).unwrap_err().code(),
            "setting_missing"
        );
        let odd = token(BigCommerceConfig::builder("abc123")).quota_share(0.0).build().unwrap_err();
        assert_eq!(odd.code(), "quota_share_unusable");
        let odd = token(BigCommerceConfig::builder("abc123")).url("ftp://x").build().unwrap_err();
        assert_eq!(odd.code(), "origin_invalid");
        let good = token(BigCommerceConfig::builder("abc123")).client_secret(Secret::new("also-secret"));
        let shown = format!("{good:?} {:?}", good.clone().build().unwrap());
        assert!(!shown.contains("very-secret") && !shown.contains("also-secret"), "{shown}");
    }
}
