//! The connector: what it is, and which way each question goes.

use async_trait::async_trait;

use super::discover::{Found, capabilities};
use super::way::Way;
use super::writable::SeoPlugin;
use super::{PLATFORM, map};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Health, Known, LookUp, Page, PullRequest, PushRequest, Select,
    WebhookSource,
};
use crate::error::Result;
use crate::http::ApiClient;
use crate::mapping::{Overrides, SchemaMap};
use crate::model::{Calls, Capabilities, Entity, RecordRef, StoreKey};
use crate::runtime::Runtime;

pub(super) const API_VERSION: &str = "wc/v3";

/// What a store's settings say of writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WriteSettings {
    /// The plugin that keeps the SEO fields, where it is not to be found out.
    pub(super) seo: Option<SeoPlugin>,
    /// Whether slugs are written.
    pub(super) slugs: bool,
    /// Whether item numbers are written.
    pub(super) identifiers: bool,
}

/// A connected WooCommerce store.
#[derive(Debug)]
pub struct WooCommerce {
    pub(super) client: ApiClient,
    pub(super) runtime: Runtime,
    pub(super) info: ConnectorInfo,
    pub(super) capabilities: Capabilities,
    products: SchemaMap,
    variants: SchemaMap,
    /// The keys of meta data that may be written, of products and of variations.
    meta_keys: [Vec<String>; 2],
    categories: SchemaMap,
    tags: SchemaMap,
    brands: SchemaMap,
    attributes: SchemaMap,
    attribute_values: SchemaMap,
    pub(super) home: Option<String>,
    pub(super) way: Way,
}

impl WooCommerce {
    pub(super) fn new(
        found: Found,
        runtime: Runtime,
        store: StoreKey,
        writes: WriteSettings,
        mapping: &Overrides,
    ) -> Result<Self> {
        let seo = writes.seo.or_else(|| SeoPlugin::detect(&found.profile));
        let own = |entity| match entity {
            Entity::Product => map::product(seo, writes),
            Entity::Variant => map::variant(writes),
            Entity::Category | Entity::Brand => map::CATEGORY.to_vec(),
            Entity::Tag => map::TAG.to_vec(),
            Entity::Attribute => map::ATTRIBUTE.to_vec(),
            Entity::AttributeValue => map::ATTRIBUTE_VALUE.to_vec(),
            Entity::Media | Entity::Performance => Vec::new(),
        };
        // The plugin was not known when the settings were checked.
        map::must_write_content(mapping, Entity::Product, &own(Entity::Product))?;
        let products = mapping.apply(Entity::Product, &own(Entity::Product))?;
        let variants = mapping.apply(Entity::Variant, &own(Entity::Variant))?;
        let mut capabilities = capabilities(found.lists, seo, writes);
        for claims in &mut capabilities.entities {
            mapping.narrow(&own(claims.entity), claims);
        }
        Ok(Self {
            capabilities,
            meta_keys: [map::meta_keys(&products), map::meta_keys(&variants)],
            products: SchemaMap::compile(PLATFORM, Entity::Product, &products)?,
            variants: SchemaMap::compile(PLATFORM, Entity::Variant, &variants)?,
            categories: SchemaMap::compile(PLATFORM, Entity::Category, map::CATEGORY)?,
            tags: SchemaMap::compile(PLATFORM, Entity::Tag, map::TAG)?,
            brands: SchemaMap::compile(PLATFORM, Entity::Brand, map::CATEGORY)?,
            attributes: SchemaMap::compile(PLATFORM, Entity::Attribute, map::ATTRIBUTE)?,
            attribute_values: SchemaMap::compile(PLATFORM, Entity::AttributeValue, map::ATTRIBUTE_VALUE)?,
            info: ConnectorInfo::new(store, API_VERSION, found.profile),
            client: found.client,
            runtime,
            home: found.home,
            way: found.way,
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
            Entity::Media | Entity::Performance => None,
            Entity::Category => Some(&self.categories),
            Entity::Tag => Some(&self.tags),
            Entity::Brand => Some(&self.brands),
            Entity::Attribute => Some(&self.attributes),
            Entity::AttributeValue => Some(&self.attribute_values),
        }
    }

    async fn check(&self) -> Result<Health> {
        Ok(self.examine().await)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        let claims = request.must_be_claimed(&self.capabilities)?;
        let per_product = request.entity == Entity::Variant && claims.calls == Calls::PerParent;
        match (&request.select, request.entity) {
            (Select::Ids(ids), Entity::Attribute) => self.attribute_ids_page(request, ids).await,
            (Select::Ids(ids), Entity::AttributeValue) => self.value_ids_page(request, ids).await,
            (Select::Ids(ids), _) if per_product => self.variation_ids_page(request, ids).await,
            (Select::Ids(ids), Entity::Variant) => self.listed_variations_page(request, ids).await,
            (Select::Ids(ids), _) => self.ids_page(request, ids).await,
            (_, Entity::Attribute) => self.attributes_page(request).await,
            (_, Entity::AttributeValue) => self.values_page(request).await,
            _ if per_product => self.variations_page(request).await,
            _ => self.list_page(request).await,
        }
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        Some(self)
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.write_all(request).await
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.look_up_names(names).await
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.records_showing(holders).await
    }
}

impl WooCommerce {
    /// The map of a kind of record that can be written, and the keys of meta data that may be.
    pub(super) fn written(&self, entity: Entity) -> Option<(&SchemaMap, &[String])> {
        let [of_products, of_variants] = &self.meta_keys;
        match entity {
            Entity::Product => Some((&self.products, of_products)),
            Entity::Variant => Some((&self.variants, of_variants)),
            _ => None,
        }
    }

    pub(super) fn reads_variants(&self, calls: Calls) -> bool {
        self.capabilities.entity(Entity::Variant).is_some_and(|claims| claims.calls == calls)
    }
}
