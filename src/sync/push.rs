//! Push: enrichments to a plan, a plan to writes, writes to receipts, and all of it back again.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Cancel;
use super::jobs::JobSettings;
use crate::connector::{Connector, PullRequest, Purpose};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::SchemaMap;
use crate::model::{Cell, Entity, ExternalId, Record, RecordRef, StoreKey, StoreProfile, View};
use crate::runtime::Runtime;
use crate::state::{RowQuery, StateStore, WriteRow};
use crate::time::Timestamp;

/// Writes to one store, under one state: two states cannot guard each other.
#[derive(Debug, Clone)]
pub struct Push {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) runtime: Runtime,
    pub(super) settings: PushSettings,
    pub(super) cancel: Cancel,
}

/// The times that a push keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushSettings {
    /// How long after its guard read a write may still be sent (default 5 s).
    pub guard_window: Duration,
    /// How long a lease of the store's writers lasts (default 60 s).
    pub lease: Duration,
    /// How long after its intent a byte of a write may still leave (default 30 s; inside the lease).
    pub send_window: Duration,
    /// How long a plan may be applied (default 24 h).
    pub plan_expiry: Duration,
    /// How often a write is guarded anew when its window passed before it was sent (default 3).
    pub guard_attempts: u32,
    /// How many records go in one write, where the platform takes several (default 20, and never more than the
    /// connector claims): the more there are, the longer is the time between the read of the last one and its
    /// write.
    pub batch: NonZeroU32,
    /// Whether apply waits until lost answers can be settled (default yes).
    pub wait_for_unknown: bool,
    /// Whether many records are written by jobs that the platform runs, and how (default not).
    pub jobs: JobSettings,
}

impl Default for PushSettings {
    fn default() -> Self {
        Self {
            guard_window: Duration::from_secs(5),
            lease: Duration::from_secs(60),
            send_window: Duration::from_secs(30),
            plan_expiry: Duration::from_secs(24 * 3600),
            guard_attempts: 3,
            batch: NonZeroU32::MIN.saturating_add(19),
            wait_for_unknown: true,
            jobs: JobSettings::default(),
        }
    }
}

impl Push {
    /// Writes through the connector, with its log in the state.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>, state: Arc<dyn StateStore>, runtime: Runtime) -> Self {
        Self { connector, state, runtime, settings: PushSettings::default(), cancel: Cancel::default() }
    }

    /// Sets the times that it keeps to.
    #[must_use]
    pub fn settings(mut self, settings: PushSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets a token that ends the work between two records.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    pub(super) fn store(&self) -> &StoreKey {
        &self.connector.info().store
    }

    pub(super) fn now(&self) -> Timestamp {
        self.runtime.clock().now()
    }

    /// Refuses where the connector reads only, before anything else is looked at.
    pub(super) fn must_be_writable(&self) -> Result<()> {
        // Each write is guarded by a read by id.
        if self.connector.capabilities().entities.iter().any(|claims| claims.by_ids) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "push_unsupported", "this connector only reads")
            .with_remedy("push to the store that keeps the content"))
    }

    pub(super) fn schema(&self, entity: Entity) -> Result<&SchemaMap> {
        schema(&*self.connector, entity)
    }

    pub(super) async fn rows(&self, holder: &RecordRef) -> Result<Vec<WriteRow>> {
        self.state.rows(self.store(), &RowQuery::Holder(holder.clone())).await
    }

    /// Whether a cell is of the view that the connector is of. Cells from before the store's language was known are the
    /// store's own; those of a language that nobody claims are nobody's.
    pub(super) fn is_in_view(&self, cell: &Cell) -> bool {
        let info = self.connector.info();
        let is_of = |profile: &StoreProfile| cell.locale == profile.locale && cell.scope == profile.scope;
        match &info.view {
            Some(_) => is_of(&info.profile),
            None => is_of(&info.profile) || (cell.locale.is_none() && cell.scope == info.profile.scope),
        }
    }

    /// The same writer in the view that a cell is of, where that is another one of the store's.
    pub(super) fn in_view_of(&self, cell: &Cell) -> Option<Self> {
        let info = self.connector.info();
        let is_of = |view: &&View| {
            let profile = info.in_view((*view).clone()).profile;
            cell.locale == profile.locale && cell.scope == profile.scope
        };
        let view = self.connector.views().iter().find(is_of)?;
        let connector = self.connector.in_view(view).ok()?;
        Some(Self { connector, ..self.clone() })
    }

    /// Reads records by id, as they are stored.
    pub(super) async fn read(&self, targets: &[RecordRef], purpose: Purpose) -> Result<Found> {
        self.read_through(&*self.connector, targets, purpose).await
    }

    /// Reads records by id through another connector to the same store.
    pub(super) async fn read_through(
        &self,
        connector: &dyn Connector,
        targets: &[RecordRef],
        purpose: Purpose,
    ) -> Result<Found> {
        let mut found = Found::default();
        let mut by_entity: BTreeMap<Entity, Vec<ExternalId>> = BTreeMap::new();
        for target in targets {
            by_entity.entry(target.kind).or_default().push(target.id.clone());
        }
        let clock = self.runtime.clock();
        // A record of the first page may have been read as soon as that was asked for.
        let mut began: Option<Duration> = None;
        for (entity, ids) in by_entity {
            let schema = schema(connector, entity)?;
            let mut request = PullRequest::by_ids(entity, ids, purpose);
            loop {
                let page = connector.pull_page(&request).await?;
                for items in &page.items {
                    for record in schema.map(items, &connector.info().profile)?.records {
                        found.records.insert(record.reference().clone(), record);
                    }
                }
                let asked = clock.elapsed().saturating_sub(page.took);
                began = Some(began.map_or(asked, |began| began.min(asked)));
                let platform = &self.store().platform;
                found.gone.extend(
                    page.missing.iter().map(|id| RecordRef::new(platform.clone(), entity, id.clone())),
                );
                if page.next.is_none() || page.next == request.cursor {
                    break;
                }
                request = request.at(page.next);
            }
        }
        found.took = began.map_or(Duration::ZERO, |began| clock.elapsed().saturating_sub(began));
        Ok(found)
    }
}

fn schema(connector: &dyn Connector, entity: Entity) -> Result<&SchemaMap> {
    connector.schema(entity).ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "entity_unsupported",
            format!("this connector has no map for {entity}"),
        )
    })
}

/// What a read by id found. A record in neither list is there, and cannot be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: BTreeMap<RecordRef, Record>,
    /// Those that the platform says are not there.
    pub(super) gone: BTreeSet<RecordRef>,
    /// How long ago the first of its reads was asked for.
    pub(super) took: Duration,
}

impl Found {
    pub(super) fn get(&self, target: &RecordRef) -> Option<&Record> {
        self.records.get(target)
    }
}
