//! The connector: what it is, and which way each question goes.

use async_trait::async_trait;

use super::config::{Ga4Config, Reads};
use super::discover::{Found, capabilities};
use super::events::Sender;
use super::{PLATFORM, map};
use crate::connector::{Connector, ConnectorInfo, Health, Page, PullRequest, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::mapping::SchemaMap;
use crate::model::{Capabilities, Entity, Text};
use crate::runtime::Runtime;

/// A connected Google Analytics property. It reads numbers by days, and runs reports, lists properties, makes custom
/// dimensions and sends events by methods of its own.
#[derive(Debug)]
pub struct Ga4 {
    pub(super) data: ApiClient,
    pub(super) admin: ApiClient,
    /// The way of events, where a stream is set.
    pub(super) events: Option<ApiClient>,
    pub(super) sender: Option<Sender>,
    pub(super) runtime: Runtime,
    pub(super) property: u64,
    /// The service account's e-mail.
    pub(super) account: Option<Text>,
    pub(super) reads: Reads,
    info: ConnectorInfo,
    capabilities: Capabilities,
    performance: SchemaMap,
}

impl Ga4 {
    pub(super) fn new(
        found: Found,
        (data, admin, events): (ApiClient, ApiClient, Option<ApiClient>),
        runtime: Runtime,
        config: &Ga4Config,
    ) -> Result<Self> {
        Ok(Self {
            data,
            admin,
            events,
            sender: config.sender().cloned(),
            runtime,
            property: config.property(),
            account: config.account().cloned(),
            reads: config.reads.clone(),
            capabilities: capabilities(&config.reads, found.profile.time_zone.as_deref()),
            info: ConnectorInfo::new(config.store().clone(), "v1beta", found.profile),
            performance: SchemaMap::compile(PLATFORM, Entity::Performance, map::PERFORMANCE)?,
        })
    }
}

#[async_trait]
impl Connector for Ga4 {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        (entity == Entity::Performance).then_some(&self.performance)
    }

    async fn check(&self) -> Result<Health> {
        Ok(self.examine().await)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        request.must_be_claimed(&self.capabilities)?;
        match &request.select {
            Select::Window(days) => self.window_page(request, *days).await,
            Select::All | Select::Since(_) | Select::Ids(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "select_unsupported",
                "numbers are read by days alone",
            )),
        }
    }
}
