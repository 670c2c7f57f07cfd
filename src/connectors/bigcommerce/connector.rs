//! The connector: what it is, and which way each question goes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;

use super::config::{BigCommerceConfig, Paging, StoreHash};
use super::discover::{Found, capabilities};
use super::metafields::{AtHand, Namespaces};
use super::names::NameTable;
use super::variants::Parents;
use super::webhook::Proof;
use super::{PLATFORM, language, map};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Health, Known, LookUp, Page, PullRequest, PushRequest, Select,
    WebhookSource,
};
use crate::error::Result;
use crate::http::ApiClient;
use crate::mapping::{Rule, SchemaMap};
use crate::model::{Capabilities, Entity, Secret, View};
use crate::runtime::Runtime;

const API_VERSION: &str = "v3";

/// A connected BigCommerce store.
#[derive(Debug, Clone)]
pub struct BigCommerce {
    pub(super) client: Arc<ApiClient>,
    pub(super) runtime: Runtime,
    pub(super) hash: StoreHash,
    pub(super) client_secret: Option<Secret>,
    pub(super) proof: Proof,
    pub(super) private_hosts: bool,
    pub(super) paging: Paging,
    info: ConnectorInfo,
    pub(super) capabilities: Capabilities,
    pub(super) products: Arc<SchemaMap>,
    pub(super) variants: Arc<SchemaMap>,
    pub(super) parents: Arc<Parents>,
    categories: Arc<SchemaMap>,
    brands: Arc<SchemaMap>,
    pub(super) names: Arc<NameTable>,
    pub(super) namespaces: Namespaces,
    pub(super) metafields: Arc<AtHand>,
    /// The further languages of the channels that the settings name, and those with values of their own.
    pub(super) views: Vec<View>,
    /// Of these, those with values of their own.
    pub(super) channel_values: Vec<View>,
    /// Whether products are listed whole where a part of their fields would do.
    pub(super) lists_whole: Arc<AtomicBool>,
}

impl BigCommerce {
    pub(super) fn new(found: Found, runtime: Runtime, config: &BigCommerceConfig) -> Result<Self> {
        let mapping = config.mapping();
        let own = map::product(&config.namespaces, config.writes);
        let own_of_variants = map::variant(config.writes);
        let products = mapping.apply(Entity::Product, &own)?;
        let variants = mapping.apply(Entity::Variant, &own_of_variants)?;
        let mut capabilities = capabilities(config);
        for claims in &mut capabilities.entities {
            let own = match claims.entity {
                Entity::Product => &own,
                Entity::Variant => &own_of_variants,
                Entity::Category => map::CATEGORY,
                _ => map::BRAND,
            };
            mapping.narrow(own, claims);
            if claims.entity == Entity::Product {
                language::spill_into(&found.languages, &config.channel_values, &mut claims.writable);
            }
        }
        let compiled = |entity, rules: &[Rule]| SchemaMap::compile(PLATFORM, entity, rules).map(Arc::new);
        Ok(Self {
            capabilities,
            products: compiled(Entity::Product, &products)?,
            variants: compiled(Entity::Variant, &variants)?,
            categories: compiled(Entity::Category, map::CATEGORY)?,
            brands: compiled(Entity::Brand, map::BRAND)?,
            views: found.languages.into_iter().chain(config.channel_values.clone()).collect(),
            channel_values: config.channel_values.clone(),
            info: ConnectorInfo::new(config.store().clone(), API_VERSION, found.profile),
            client: Arc::new(found.client),
            runtime,
            hash: config.hash.clone(),
            client_secret: config.client_secret.clone(),
            proof: config.proof,
            private_hosts: config.private_hosts,
            paging: config.paging,
            parents: Arc::default(),
            names: Arc::default(),
            namespaces: config.namespaces.clone(),
            metafields: Arc::default(),
            lists_whole: Arc::default(),
        })
    }
}

#[async_trait]
impl Connector for BigCommerce {
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
            Entity::Brand => Some(&self.brands),
            _ => None,
        }
    }

    async fn check(&self) -> Result<Health> {
        Ok(self.examine().await)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        request.must_be_claimed(&self.capabilities)?;
        match (&request.select, request.entity) {
            (Select::Ids(ids), Entity::Product) => self.product_ids_page(request, ids).await,
            (Select::Ids(ids), Entity::Variant) => self.variant_ids_page(request, ids).await,
            (Select::Ids(ids), _) => self.taxon_ids_page(request, ids).await,
            (_, Entity::Product) => self.products_page(request).await,
            (_, Entity::Variant) => self.variants_page(request).await,
            (_, _) => self.taxons_page(request).await,
        }
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.write_all(request).await
    }

    fn views(&self) -> &[View] {
        &self.views
    }

    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(self.viewed(view)?))
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        Some(self)
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.look_up_names(names).await
    }
}
