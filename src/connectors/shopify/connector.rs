//! The connector: what it is, and which way each question goes.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::config::{ApiVersion, ShopifyConfig};
use super::discover::{Found, capabilities};
use super::language::{self, Language};
use super::metafields::Types;
use super::read::PageSizes;
use super::writable::WriteSettings;
use super::{PLATFORM, map};
use crate::connector::{
    Answer, BulkSource, Connector, ConnectorInfo, DeletionSource, Health, Known, LookUp, Page, PullRequest,
    PushRequest, Select, WebhookSource, WriteJobs,
};
use crate::error::Result;
use crate::http::ApiClient;
use crate::mapping::SchemaMap;
use crate::model::{Capabilities, Entity, FieldName, RecordRef, View};
use crate::runtime::Runtime;

/// A connected Shopify store, in its own language or in another one ([`Connector::in_view`]); a cheap clone.
#[derive(Debug, Clone)]
pub struct Shopify {
    pub(super) client: Arc<ApiClient>,
    pub(super) runtime: Runtime,
    pub(super) private_hosts: bool,
    pub(super) max_in_flight: NonZeroU32,
    pub(super) version: ApiVersion,
    pub(super) info: ConnectorInfo,
    pub(super) capabilities: Capabilities,
    pub(super) products: Arc<SchemaMap>,
    pub(super) variants: Arc<SchemaMap>,
    pub(super) collections: Arc<SchemaMap>,
    /// After how many records a list is begun anew.
    pub(super) list_window: u64,
    /// What pages were seen to cost.
    pub(super) sizes: Arc<PageSizes>,
    /// The shop's further languages.
    pub(super) views: Vec<View>,
    pub(super) writes_translations: bool,
    /// The further language that it is of; none for the shop's own.
    pub(super) language: Option<Language>,
    /// The types of metafields, as they were when a write was prepared last.
    pub(super) types: Arc<Mutex<Option<Arc<Types>>>>,
}

impl Shopify {
    pub(super) fn new(
        found: Found,
        runtime: Runtime,
        config: &ShopifyConfig,
        writes: WriteSettings,
    ) -> Result<Self> {
        let mapping = config.mapping();
        let products = mapping.apply(Entity::Product, map::PRODUCT)?;
        let own_of_variants = map::variant(writes);
        let variants = mapping.apply(Entity::Variant, &own_of_variants)?;
        let mut capabilities = capabilities(&found, writes);
        let views = language::views(&found);
        for claims in &mut capabilities.entities {
            let own = match claims.entity {
                Entity::Product => map::PRODUCT,
                Entity::Variant => &own_of_variants,
                _ => map::COLLECTION,
            };
            mapping.narrow(own, claims);
            language::spill_into(&views, &mut claims.writable);
        }
        Ok(Self {
            capabilities,
            products: Arc::new(SchemaMap::compile(PLATFORM, Entity::Product, &products)?),
            variants: Arc::new(SchemaMap::compile(PLATFORM, Entity::Variant, &variants)?),
            collections: Arc::new(SchemaMap::compile(PLATFORM, Entity::Category, map::COLLECTION)?),
            writes_translations: found.may("write_translations"),
            info: ConnectorInfo::new(config.store().clone(), config.version.as_str(), found.profile),
            client: Arc::new(found.client),
            runtime,
            private_hosts: config.private_hosts,
            max_in_flight: config.max_in_flight,
            version: config.version,
            list_window: config.list_window,
            sizes: Arc::default(),
            views,
            language: None,
            types: Arc::default(),
        })
    }
}

#[async_trait]
impl Connector for Shopify {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        match entity {
            Entity::Product => Some(&self.products),
            Entity::Variant => Some(&*self.variants).filter(|_| self.language.is_none()),
            Entity::Category => Some(&self.collections),
            Entity::Media
            | Entity::Tag
            | Entity::Brand
            | Entity::Attribute
            | Entity::AttributeValue
            | Entity::Performance => None,
        }
    }

    async fn check(&self) -> Result<Health> {
        Ok(self.examine().await)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        request.must_be_claimed(&self.capabilities)?;
        match &request.select {
            Select::Ids(ids) => match &self.language {
                Some(language) => self.translated_ids_page(language, request, ids).await,
                None => self.ids_page(request, ids).await,
            },
            Select::All | Select::Since(_) | Select::Window(_) => self.list_page(request).await,
        }
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.write_all(request).await
    }

    fn views(&self) -> &[View] {
        &self.views
    }

    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(self.translated(view)?))
    }

    fn origin(&self) -> Option<&dyn Connector> {
        self.language.as_ref().map(|language| &*language.origin as &dyn Connector)
    }

    // Of translations the platform tells nothing, and no list of them is read by a job; they are written by jobs.
    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        self.language.is_none().then_some(self as &dyn WebhookSource)
    }

    fn deletions(&self) -> Option<&dyn DeletionSource> {
        self.language.is_none().then_some(self as &dyn DeletionSource)
    }

    fn bulk(&self) -> Option<&dyn BulkSource> {
        self.language.is_none().then_some(self as &dyn BulkSource)
    }

    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        Some(self)
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.look_up_names(names).await
    }

    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        self.prepare_types(brings).await
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.records_showing(holders).await
    }
}
