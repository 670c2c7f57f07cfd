//! The connector: what it is, and which way each question goes.

use async_trait::async_trait;

use super::discover::{capabilities, discover};
use super::wire::{self, Offset};
use super::{PLATFORM, map};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Detail, Finding, Health, Page, PullRequest, PushRequest, Select,
    Severity,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::mapping::{Overrides, SchemaMap};
use crate::model::{Capabilities, Entity, StoreKey, StoreProfile};
use crate::runtime::Runtime;

pub(super) const API_VERSION: &str = "wc/v3";

/// A connected WooCommerce store.
#[derive(Debug)]
pub struct WooCommerce {
    pub(super) client: ApiClient,
    pub(super) runtime: Runtime,
    info: ConnectorInfo,
    capabilities: Capabilities,
    pub(super) products: SchemaMap,
    variants: SchemaMap,
    home: Option<String>,
}

impl WooCommerce {
    pub(super) async fn connect(
        client: ApiClient,
        runtime: Runtime,
        store: StoreKey,
        profile: Option<StoreProfile>,
        mapping: &Overrides,
    ) -> Result<Self> {
        let products =
            SchemaMap::compile(PLATFORM, Entity::Product, &mapping.apply(Entity::Product, map::PRODUCT)?)?;
        let variants =
            SchemaMap::compile(PLATFORM, Entity::Variant, &mapping.apply(Entity::Variant, map::VARIANT)?)?;
        let (profile, variations, home) = match profile {
            Some(profile) => (profile, true, None),
            None => discover(&client).await?,
        };
        let mut capabilities = capabilities(variations);
        for claims in &mut capabilities.entities {
            let own = if claims.entity == Entity::Product { map::PRODUCT } else { map::VARIANT };
            mapping.narrow(own, claims);
        }
        Ok(Self {
            capabilities,
            products,
            variants,
            info: ConnectorInfo::new(store, API_VERSION, profile),
            client,
            runtime,
            home,
        })
    }
}

#[async_trait]
impl Connector for WooCommerce {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        match entity {
            Entity::Product => Some(&self.products),
            Entity::Variant => Some(&self.variants),
        }
    }

    async fn check(&self) -> Result<Health> {
        let mut health = Health::default();
        let mut find = |code: &str, severity, evidence: String, remedy: &str| {
            health.findings.push(Finding::new(code, severity, evidence, remedy));
        };
        match self.client.execute_with(wire::index(), wire::json::<wire::Index>).await {
            Ok(index) if !index.namespaces.iter().any(|name| name == API_VERSION) => find(
                "api_missing",
                Severity::Error,
                format!("the site's index does not name {API_VERSION}"),
                "activate WooCommerce, and check that no plugin switches its REST API off",
            ),
            Ok(_) => {}
            Err(error) => find(error.code(), Severity::Error, error.message().to_owned(), error.remedy()),
        }
        let probe = wire::list(Entity::Product, &Select::All, Detail::IdsOnly, Offset(0), 1);
        match self.client.execute_with(probe, |answer| wire::answered(answer, b'[')).await {
            Ok(answered) if answered.total.is_none() => find(
                "totals_stripped",
                Severity::Warning,
                "the list came without X-WP-Total".to_owned(),
                "let the host pass the X-WP headers: without them a pull needs a sweep to be complete",
            ),
            Ok(_) => {}
            Err(error) => find(error.code(), Severity::Error, error.to_string(), error.remedy()),
        }
        if self.capabilities.entity(Entity::Variant).is_none() {
            find(
                "variations_list_missing",
                Severity::Warning,
                "the store has no list of all variations".to_owned(),
                "update WooCommerce to 10 or later to pull variants",
            );
        }
        let profile = &self.info.profile;
        if profile.currency.is_none() || profile.mass_unit.is_none() || profile.length_unit.is_none() {
            find(
                "settings_unreadable",
                Severity::Warning,
                "currency or units could not be read: prices or measures are dropped".to_owned(),
                "let the key's user read the store's settings, or supply a profile",
            );
        }
        if let Some(home) = &self.home
            && !same_site(home, self.client.origin().base().as_str())
        {
            find(
                "address_differs",
                Severity::Note,
                "the site names itself by another address than the one given".to_owned(),
                "give the site's own address: signatures and redirects depend on it",
            );
        }
        Ok(health)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        if self.capabilities.entity(request.entity).is_none() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "entity_unsupported",
                format!("this store has no list of {}s", request.entity),
            )
            .with_remedy("update WooCommerce to 10 or later"));
        }
        match &request.select {
            Select::Ids(ids) => self.ids_page(request, ids).await,
            Select::All | Select::Since(_) => self.list_page(request).await,
        }
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.write_all(request).await
    }
}

fn same_site(home: &str, base: &str) -> bool {
    home.trim_end_matches('/').eq_ignore_ascii_case(base.trim_end_matches('/'))
}
