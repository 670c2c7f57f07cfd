//! The connector: what it is, and which way each question goes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;

use super::config::MagentoConfig;
use super::dictionary::AtHand;
use super::discover::{Found, Place, capabilities};
use super::jobs::Queue;
use super::read::PageCap;
use super::variants::Families;
use super::wire::{Api, Scope};
use super::writable::WriteSettings;
use super::{PLATFORM, map};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Health, Known, LookUp, Page, PullRequest, PushRequest, Select,
    WriteJobs,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::mapping::SchemaMap;
use crate::model::{Capabilities, Entity, RecordRef, View};
use crate::runtime::Runtime;

pub(super) const API_VERSION: &str = "V1";

/// A connected Magento store, as one view shows it or as all share it; a cheap clone.
#[derive(Debug, Clone)]
pub struct Magento {
    pub(super) client: Arc<ApiClient>,
    pub(super) runtime: Runtime,
    config: Arc<MagentoConfig>,
    found: Arc<Found>,
    pub(super) info: ConnectorInfo,
    pub(super) capabilities: Capabilities,
    pub(super) products: Arc<SchemaMap>,
    variants: Arc<SchemaMap>,
    categories: Arc<SchemaMap>,
    pub(super) api: Api,
    /// Which values are read and written.
    pub(super) scope: Scope,
    /// The number of the view, where it is one.
    pub(super) view: Option<u64>,
    pub(super) media_url: Option<String>,
    /// Whether the shop tells its stock, and whether it was asked that before any record was read.
    pub(super) reads_stock: Arc<AtomicBool>,
    pub(super) stock_was_asked: bool,
    pub(super) writes: WriteSettings,
    pub(super) cap: Arc<PageCap>,
    pub(super) at_hand: Arc<AtHand>,
    pub(super) families: Arc<Families>,
    /// Options are made one at a time: two at once make two of one name.
    pub(super) making: Arc<tokio::sync::Mutex<()>>,
    pub(super) queue: Arc<Queue>,
    /// The store's views; of a view, none.
    views: Vec<View>,
    /// The connector of what all views share, where this is one of its views.
    origin: Option<Arc<Magento>>,
}

/// What all views share is the store's own; a view has runs and a log of its own.
fn info_of(config: &MagentoConfig, place: &Place) -> ConnectorInfo {
    let info = ConnectorInfo::new(config.store().clone(), API_VERSION, place.profile.clone());
    match &place.view {
        Some(view) => info.in_view(view.clone()),
        None => info,
    }
}

impl Magento {
    pub(super) fn new(found: Arc<Found>, runtime: Runtime, config: Arc<MagentoConfig>) -> Result<Self> {
        let mapping = config.mapping();
        let mut products = mapping.apply(Entity::Product, map::PRODUCT)?;
        if config.scope != Scope::All {
            map::at_view(&mut products);
        }
        let variants = mapping.apply(Entity::Variant, map::VARIANT)?;
        let mut capabilities = capabilities(&found, &config.scope, config.writes);
        for claims in &mut capabilities.entities {
            let own = match claims.entity {
                Entity::Product => map::PRODUCT,
                Entity::Variant => map::VARIANT,
                _ => map::CATEGORY,
            };
            mapping.narrow(own, claims);
        }
        let place = found.place(&config.scope)?;
        Ok(Self {
            capabilities,
            products: Arc::new(SchemaMap::compile(PLATFORM, Entity::Product, &products)?),
            variants: Arc::new(SchemaMap::compile(PLATFORM, Entity::Variant, &variants)?),
            categories: Arc::new(SchemaMap::compile(PLATFORM, Entity::Category, map::CATEGORY)?),
            info: info_of(&config, &place),
            client: Arc::clone(&found.client),
            runtime,
            api: config.api,
            scope: config.scope.clone(),
            view: place.id,
            media_url: place.media_url,
            reads_stock: Arc::new(AtomicBool::new(found.reads_stock)),
            stock_was_asked: !found.is_supplied(),
            writes: config.writes,
            cap: Arc::default(),
            at_hand: Arc::default(),
            families: Arc::default(),
            making: Arc::default(),
            queue: Arc::default(),
            views: if config.scope == Scope::All { found.views() } else { Vec::new() },
            origin: None,
            config,
            found,
        })
    }

    /// The same store as one of its views shows it.
    fn seen_in(&self, view: &View) -> Result<Self> {
        let is_it = |known: &&View| {
            known.scope == view.scope && (view.locale.is_none() || known.locale == view.locale)
        };
        let known = self.views.iter().find(is_it).and_then(|known| known.scope.as_deref());
        let Some(code) = known else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "view_unknown",
                format!("the store has no view {view}"),
            )
            .with_remedy("ask the connector's views first; they are told by their codes"));
        };
        let config = self.config.at(Scope::View(code.to_owned()));
        let made = Self::new(Arc::clone(&self.found), self.runtime.clone(), Arc::new(config))?;
        Ok(Self {
            cap: Arc::clone(&self.cap),
            reads_stock: Arc::clone(&self.reads_stock),
            making: Arc::clone(&self.making),
            queue: Arc::clone(&self.queue),
            origin: Some(Arc::new(self.clone())),
            ..made
        })
    }
}

#[async_trait]
impl Connector for Magento {
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
            _ => None,
        }
    }

    async fn check(&self) -> Result<Health> {
        Ok(self.examine().await)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        request.must_be_claimed(&self.capabilities)?;
        match (&request.select, request.entity) {
            (Select::Ids(ids), Entity::Variant) => self.variant_ids_page(request, ids).await,
            (Select::Ids(ids), _) => self.ids_page(request, ids).await,
            (_, Entity::Variant) => self.variants_page(request).await,
            _ => self.list_page(request).await,
        }
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.write_all(request).await
    }

    fn views(&self) -> &[View] {
        &self.views
    }

    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(self.seen_in(view)?))
    }

    fn origin(&self) -> Option<&dyn Connector> {
        self.origin.as_deref().map(|origin| origin as &dyn Connector)
    }

    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        self.writes.queue.then_some(self as &dyn WriteJobs)
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.look_up_names(names).await
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.records_showing(holders).await
    }
}
