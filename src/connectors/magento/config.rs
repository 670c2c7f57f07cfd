//! Settings of a store: checked without a call; [`MagentoConfig::connect`] is the step that calls.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::classify::MagentoClassifier;
use super::connector::Magento;
use super::credentials::{CloudProject, Credentials, Given, SecondFactor, Way};
use super::discover::{Found, discover};
use super::wire::{self, Api, Scope};
use super::writable::WriteSettings;
use super::{PLATFORM, map};
use crate::auth::{Authenticator, Origin, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::mapping::Overrides;
use crate::model::{Entity, Secret, StoreKey, StoreProfile, Text};
use crate::runtime::Runtime;

/// How to reach a Magento store.
///
/// ```
/// # use lily_connect::connectors::magento::MagentoConfig;
/// # use lily_connect::model::Secret;
/// let config = MagentoConfig::builder("https://shop.example")
///     .integration("consumer key", Secret::new("consumer secret"), "token", Secret::new("token secret"))
///     .build()?;
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MagentoConfig {
    pub(super) origin: Origin,
    pub(super) api: Api,
    pub(super) scope: Scope,
    credentials: Credentials,
    store: StoreKey,
    private_hosts: bool,
    max_in_flight: NonZeroU32,
    profile: Option<StoreProfile>,
    pub(super) writes: WriteSettings,
    mapping: Overrides,
}

impl MagentoConfig {
    /// Begins with the site's address, as the site names itself; where it has no rewrites, with `/index.php` behind it.
    ///
    /// An address of the cloud service has the tenant behind the host: `https://na1.api.commerce.adobe.com/TENANT`.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> MagentoBuilder {
        MagentoBuilder {
            url: url.into(),
            given: Given::default(),
            is_cloud: false,
            view: None,
            tenant: "default".into(),
            private_hosts: false,
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

    /// The same settings for another scope.
    pub(super) fn at(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    pub(super) fn open(&self, runtime: &Runtime) -> Result<ApiClient> {
        let authenticator = self.credentials.open(runtime, &self.store, &self.origin, self.private_hosts)?;
        runtime
            .client(self.store.clone(), self.origin.clone(), authenticator)
            .classifier(Arc::new(MagentoClassifier::new(self.credentials.proof)))
            .private_hosts(self.private_hosts)
            .max_in_flight(self.max_in_flight)
            .build()
    }

    /// Reads the store's profile, unless one was supplied, and gives the connector.
    ///
    /// # Errors
    /// `Auth` or `Forbidden` where the credentials are refused; `Protocol` where the address leads to no API; `Config`
    /// (`store_view_unknown`) where the store has no such view; else what the pipeline says.
    pub async fn connect(&self, runtime: &Runtime) -> Result<Magento> {
        let client = self.open(runtime)?;
        let found = match &self.profile {
            Some(profile) => Found::supplied(client, profile.clone()),
            None => discover(client, self).await?,
        };
        Magento::new(Arc::new(found), runtime.clone(), Arc::new(self.clone()))
    }
}

/// Settings of a [`MagentoConfig`].
#[derive(Debug, Clone)]
pub struct MagentoBuilder {
    url: String,
    given: Given,
    is_cloud: bool,
    view: Option<String>,
    tenant: Text,
    private_hosts: bool,
    max_in_flight: NonZeroU32,
    profile: Option<StoreProfile>,
    writes: WriteSettings,
    mapping: Overrides,
}

impl MagentoBuilder {
    /// Sets an integration's access token, sent as a bearer: since 2.4.4 a store takes it only where its merchant
    /// allowed that.
    #[must_use]
    pub fn access_token(mut self, token: Secret) -> Self {
        self.given.way(Way::Token(token));
        self
    }

    /// Sets an integration's four credentials: each request is signed (OAuth 1.0a, HMAC-SHA256), and no secret leaves.
    #[must_use]
    pub fn integration(
        mut self,
        consumer_key: impl Into<String>,
        consumer_secret: Secret,
        token: impl Into<String>,
        token_secret: Secret,
    ) -> Self {
        // As secret as their other halves: nobody needs to see them.
        let (consumer_key, token) = (Secret::new(consumer_key.into()), Secret::new(token.into()));
        self.given.way(Way::Signed { consumer_key, consumer_secret, token, token_secret });
        self
    }

    /// Sets an administrator, whose tokens last for hours and are asked for anew; better give an integration.
    #[must_use]
    pub fn administrator(mut self, user: impl Into<String>, password: Secret, factor: SecondFactor) -> Self {
        self.given.way(Way::Administrator { user: user.into(), password, factor });
        self
    }

    /// Sets a project of Adobe Commerce as a Cloud Service: the address is then that service's.
    #[must_use]
    pub fn cloud(mut self, project: CloudProject) -> Self {
        self.given.way(Way::Cloud(project));
        self.is_cloud = true;
        self
    }

    /// Sets an authenticator of the application's own.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.given.way(Way::Authenticator(authenticator));
        self
    }

    /// Sets the vault that the tokens of [`Self::administrator`] and [`Self::cloud`] are kept in (default: memory).
    #[must_use]
    pub fn vault(mut self, vault: Arc<dyn TokenVault>) -> Self {
        self.given.vault(vault);
        self
    }

    /// Sets the store view that is read and written, by its code (default `all`: the values that views share).
    #[must_use]
    pub fn store_view(mut self, code: impl Into<String>) -> Self {
        self.view = Some(code.into());
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

    /// Sets the most calls in flight at the store (default 2: its workers serve the shop's customers, too).
    #[must_use]
    pub fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Supplies the profile: connecting then makes no call.
    #[must_use]
    pub fn profile(mut self, profile: StoreProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Allows URL keys to be written (default forbidden: links from outside break, since no redirect is made).
    #[must_use]
    pub fn write_slugs(mut self, allowed: bool) -> Self {
        self.writes.slugs = allowed;
        self
    }

    /// Allows options of attributes to be made that the store does not have (default forbidden: such a value is
    /// refused when it is planned). They stay in the shop after an undo.
    #[must_use]
    pub fn create_options(mut self, allowed: bool) -> Self {
        self.writes.options = allowed;
        self
    }

    /// Allows large pushes to go by the platform's queue ([`WriteJobs`](crate::connector::WriteJobs); default forbidden).
    ///
    /// What stands there cannot be taken out again, and is done late where its consumer is late. A queue that is kept
    /// in the database may forget the store view and write to the default one (UNVERIFIED): allow it where the shop's
    /// queue is kept by a broker (RabbitMQ), or after a trial in the shop.
    #[must_use]
    pub fn queued_writes(mut self, allowed: bool) -> Self {
        self.writes.queue = allowed;
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
    /// `Config` where the address is unusable, credentials are missing or of several kinds, the view's code is none,
    /// or the overrides of the map do not fit it.
    pub fn build(self) -> Result<MagentoConfig> {
        map::must_write_content(&self.mapping)?;
        self.mapping.apply(Entity::Variant, map::VARIANT)?;
        let origin = Origin::as_given(&self.url)?;
        let api = if self.is_cloud { Api::Cloud } else { Api::Site };
        let scope = match self.view.as_deref() {
            None | Some("all") => Scope::All,
            Some(code) if wire::is_code(code) => Scope::View(code.to_owned()),
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "store_view_unusable",
                    "a store view's code has letters, digits and underscores only",
                )
                .with_remedy("look the code up under Stores, All Stores"));
            }
        };
        Ok(MagentoConfig {
            store: StoreKey::new(self.tenant, PLATFORM, origin.account()),
            credentials: self.given.credentials(&origin, api)?,
            origin,
            api,
            scope,
            private_hosts: self.private_hosts,
            max_in_flight: self.max_in_flight,
            profile: self.profile,
            writes: self.writes,
            mapping: self.mapping,
        })
    }
}
