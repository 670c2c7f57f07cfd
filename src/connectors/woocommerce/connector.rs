//! The connector: what it is, and which way each question goes.

use async_trait::async_trait;

use super::discover::{Lists, capabilities, discover};
use super::wire::{self, Offset};
use super::{PLATFORM, map};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Detail, Finding, Health, Page, PullRequest, PushRequest, Select,
    Severity,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::mapping::SchemaMap;
use crate::model::{Calls, Capabilities, DeltaClock, Entity, StoreKey, StoreProfile};
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
    categories: SchemaMap,
    tags: SchemaMap,
    brands: SchemaMap,
    attributes: SchemaMap,
    attribute_values: SchemaMap,
    home: Option<String>,
}

impl WooCommerce {
    pub(super) async fn connect(
        client: ApiClient,
        runtime: Runtime,
        store: StoreKey,
        profile: Option<StoreProfile>,
    ) -> Result<Self> {
        let (profile, lists, home) = match profile {
            Some(profile) => (profile, Lists::all(), None),
            None => discover(&client).await?,
        };
        Ok(Self {
            capabilities: capabilities(lists),
            products: SchemaMap::compile(PLATFORM, Entity::Product, map::PRODUCT)?,
            variants: SchemaMap::compile(PLATFORM, Entity::Variant, map::VARIANT)?,
            categories: SchemaMap::compile(PLATFORM, Entity::Category, map::CATEGORY)?,
            tags: SchemaMap::compile(PLATFORM, Entity::Tag, map::TAG)?,
            brands: SchemaMap::compile(PLATFORM, Entity::Brand, map::CATEGORY)?,
            attributes: SchemaMap::compile(PLATFORM, Entity::Attribute, map::ATTRIBUTE)?,
            attribute_values: SchemaMap::compile(PLATFORM, Entity::AttributeValue, map::ATTRIBUTE_VALUE)?,
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
            Entity::Category => Some(&self.categories),
            Entity::Tag => Some(&self.tags),
            Entity::Brand => Some(&self.brands),
            Entity::Attribute => Some(&self.attributes),
            Entity::AttributeValue => Some(&self.attribute_values),
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
        if self.reads_variants(Calls::PerParent) {
            find(
                "variations_per_product",
                Severity::Warning,
                "the store has no list of all variations: each variable product costs a call".to_owned(),
                "update WooCommerce to 10 or later to pull variants a hundred a call",
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
        let Some(claims) = self.capabilities.entity(request.entity) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "entity_unsupported",
                format!("this store has no list of the kind {}", request.entity),
            )
            .with_remedy("update WooCommerce, and pull what the capabilities name"));
        };
        if request.detail == Detail::Unclocked && claims.unclocked.is_empty() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "detail_unsupported",
                format!("the store lists no fields of a {} alone", request.entity),
            ));
        }
        if matches!(request.select, Select::Since(_)) && claims.delta == DeltaClock::None {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "delta_unsupported",
                format!("the store keeps no time of a {}", request.entity),
            )
            .with_remedy("pull all of them"));
        }
        let per_product = request.entity == Entity::Variant && claims.calls == Calls::PerParent;
        match (&request.select, request.entity) {
            (Select::Ids(ids), Entity::Attribute) => self.attribute_ids_page(request, ids).await,
            (Select::Ids(ids), Entity::AttributeValue) => self.value_ids_page(request, ids).await,
            (Select::Ids(ids), _) if per_product => self.variation_ids_page(request, ids).await,
            (Select::Ids(ids), _) => self.ids_page(request, ids).await,
            (_, Entity::Attribute) => self.attributes_page(request).await,
            (_, Entity::AttributeValue) => self.values_page(request).await,
            _ if per_product => self.variations_page(request).await,
            _ => self.list_page(request).await,
        }
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.write_all(request).await
    }
}

impl WooCommerce {
    fn reads_variants(&self, calls: Calls) -> bool {
        self.capabilities.entity(Entity::Variant).is_some_and(|claims| claims.calls == calls)
    }
}

fn same_site(home: &str, base: &str) -> bool {
    home.trim_end_matches('/').eq_ignore_ascii_case(base.trim_end_matches('/'))
}
