//! Walking a list page by page, and through the engine.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;

use super::fixture::ContractFixture;
use super::violation::{Claim, Violation};
use crate::connector::{
    Answer, BulkSource, Connector, ConnectorInfo, DeletionSource, Health, Joint, Known, LookUp, Page,
    PullRequest, Purpose, PushRequest, Select, Total, WebhookSource, WriteJobs,
};
use crate::error::{ErrorKind, Result};
use crate::mapping::SchemaMap;
use crate::model::{Capabilities, Cursor, Entity, ExternalId, FieldName, Record, RecordRef, View};
use crate::state::{MemoryState, SinkMark};
use crate::sync::{Certificate, Delivery, Pull, Rejected, Sink};
use crate::time::Days;

const CURSORS: Claim = Claim { rule: "R4", text: "a list gives no cursor twice, and ends" };
const MAPPED: Claim = Claim { rule: "R1", text: "every record of the seeded catalogue can be mapped" };

/// One page of a walk.
#[derive(Debug)]
pub(super) struct Step {
    /// The cursor that it was asked with.
    pub(super) cursor: Option<Cursor>,
    pub(super) records: Vec<Record>,
    pub(super) ids: Vec<ExternalId>,
    pub(super) missing: Vec<ExternalId>,
    pub(super) next: Option<Cursor>,
    pub(super) ahead: Vec<Cursor>,
    pub(super) total: Total,
    pub(super) joint: Joint,
}

/// A full walk in the fixture's page size.
pub(super) fn small(fixture: &dyn ContractFixture, entity: Entity) -> PullRequest {
    PullRequest { page_size: Some(fixture.page_size()), ..whole(fixture, entity) }
}

/// Everything of a kind: the whole list, or the days that the store has.
pub(super) fn whole(fixture: &dyn ContractFixture, entity: Entity) -> PullRequest {
    match by_days(fixture, entity) {
        Some(days) => PullRequest::window(entity, days),
        None => PullRequest::all(entity),
    }
}

/// The days that the store has, of a kind that is read by days alone.
fn by_days(fixture: &dyn ContractFixture, entity: Entity) -> Option<Days> {
    let connector = fixture.connector();
    let claims = connector.capabilities().entity(entity)?;
    fixture.window().filter(|_| !claims.whole && claims.windows.is_some())
}

/// Asks for one page and maps it.
pub(super) async fn page(
    connector: &dyn Connector,
    request: &PullRequest,
    claim: Claim,
) -> std::result::Result<Step, Violation> {
    let page = claim.done("a page", connector.pull_page(request).await)?;
    let schema = connector.schema(request.entity).ok_or_else(|| {
        MAPPED.violated(format!("the connector pulls {} and has no map for it", request.entity))
    })?;
    let mut records = Vec::new();
    for items in &page.items {
        let mapped = MAPPED.done("mapping", schema.map(items, &connector.info().profile))?;
        MAPPED.check(mapped.rejected.is_empty(), || format!("{:?}", mapped.rejected))?;
        records.extend(mapped.records);
    }
    let ids = records.iter().map(|record| record.reference().id.clone()).collect();
    Ok(Step {
        cursor: request.cursor.clone(),
        records,
        ids,
        missing: page.missing,
        next: page.next,
        ahead: page.ahead,
        total: page.total,
        joint: page.joint,
    })
}

/// Follows a list to its end; a cursor that comes twice, and a list without end, break rule R4.
pub(super) async fn walk(
    connector: &dyn Connector,
    request: &PullRequest,
    claim: Claim,
) -> std::result::Result<Vec<Step>, Violation> {
    const MOST_PAGES: usize = 2_000;
    let mut steps = Vec::new();
    let mut used = BTreeSet::new();
    let mut request = request.clone();
    loop {
        let step = page(connector, &request, claim).await?;
        let next = step.next.clone();
        steps.push(step);
        let Some(next) = next else { return Ok(steps) };
        CURSORS.check(used.insert(next.as_str().to_owned()), || {
            format!("the cursor of page {} once more behind page {}", used.len(), steps.len())
        })?;
        CURSORS.check(steps.len() < MOST_PAGES, || format!("no end after {MOST_PAGES} pages"))?;
        request = request.at(Some(next));
    }
}

/// The different ids of a walk.
pub(super) fn ids_of(steps: &[Step]) -> BTreeSet<ExternalId> {
    steps.iter().flat_map(|step| step.ids.iter().cloned()).collect()
}

/// The true ids of a kind.
pub(super) fn truth(fixture: &dyn ContractFixture, entity: Entity) -> BTreeSet<ExternalId> {
    fixture.ids(entity).into_iter().collect()
}

/// The difference of what came and what should have, in words.
pub(super) fn difference(expected: &BTreeSet<ExternalId>, found: &BTreeSet<ExternalId>) -> String {
    let list = |ids: Vec<&ExternalId>| {
        let shown: Vec<&str> = ids.iter().take(10).map(|id| id.as_str()).collect();
        format!("{} ({})", ids.len(), shown.join(" "))
    };
    format!(
        "{} of {} ids; missing {}; unknown {}",
        found.intersection(expected).count(),
        expected.len(),
        list(expected.difference(found).collect()),
        list(found.difference(expected).collect())
    )
}

/// Reads one record by id.
pub(super) async fn read(
    connector: &dyn Connector,
    entity: Entity,
    id: &ExternalId,
    purpose: Purpose,
    claim: Claim,
) -> std::result::Result<Option<Record>, Violation> {
    let request = PullRequest::by_ids(entity, vec![id.clone()], purpose);
    let steps = walk(connector, &request, claim).await?;
    Ok(steps.into_iter().flat_map(|step| step.records).find(|record| record.reference().id == *id))
}

/// Checks that a pull is refused as unsupported.
pub(super) async fn refused(
    connector: &dyn Connector,
    request: &PullRequest,
    what: &str,
    claim: Claim,
) -> std::result::Result<(), Violation> {
    match connector.pull_page(request).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(claim.violated(format!("{what} failed with {:?}: {error}", error.kind()))),
        Ok(_) => Err(claim.violated(format!("{what} was answered by a page"))),
    }
}

/// What a pull through the engine came to.
#[derive(Debug)]
pub(super) struct Pulled {
    pub(super) certificate: Result<Certificate>,
    pub(super) ids: BTreeSet<ExternalId>,
}

/// Pulls everything of a kind through the engine, in small pages.
pub(super) async fn pull(fixture: &dyn ContractFixture, entity: Entity) -> Pulled {
    let connector = SmallPages { inner: fixture.connector(), size: fixture.page_size() };
    let mut sink = Gathered::default();
    let mut pull = Pull::new(Arc::new(connector), Arc::new(MemoryState::new()), entity);
    if let Some(days) = by_days(fixture, entity) {
        pull = pull.window(days);
    }
    let certificate = pull.run(&mut sink, &|_| {}).await;
    Pulled { certificate, ids: sink.records.iter().map(|record| record.reference().id.clone()).collect() }
}

/// The connector under test, asked for small pages where the engine asks for none in particular.
#[derive(Debug)]
struct SmallPages {
    inner: Arc<dyn Connector>,
    size: NonZeroU32,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for SmallPages {
    fn info(&self) -> &ConnectorInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        self.inner.schema(entity)
    }

    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        let mut request = request.clone();
        if !matches!(request.select, Select::Ids(_)) {
            request.page_size = request.page_size.or(Some(self.size));
        }
        self.inner.pull_page(&request).await
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        self.inner.push(request).await
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.inner.look_up(names).await
    }

    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        self.inner.prepare(brings).await
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.inner.shown_by(holders).await
    }

    fn views(&self) -> &[View] {
        self.inner.views()
    }

    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        self.inner.in_view(view)
    }

    fn origin(&self) -> Option<&dyn Connector> {
        self.inner.origin()
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        self.inner.webhooks()
    }

    fn deletions(&self) -> Option<&dyn DeletionSource> {
        self.inner.deletions()
    }

    fn bulk(&self) -> Option<&dyn BulkSource> {
        self.inner.bulk()
    }

    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        self.inner.write_jobs()
    }
}

/// A sink that keeps what it gets.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) records: Vec<Record>,
}

#[async_trait]
impl Sink for Gathered {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }

    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.records.extend_from_slice(records);
        Ok(())
    }

    async fn reject(&mut self, _: &Rejected) -> Result<()> {
        Ok(())
    }

    async fn mark(&mut self) -> Result<SinkMark> {
        Ok(SinkMark(self.records.len() as u64))
    }

    async fn rewind(&mut self, mark: SinkMark) -> Result<()> {
        self.records.truncate(usize::try_from(mark.0).unwrap_or(usize::MAX));
        Ok(())
    }
}
