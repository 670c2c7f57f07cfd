//! The contract of every connector: what it is asked, and what it answers.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::mapping::SchemaMap;
use crate::model::{Capabilities, Entity, FieldName, RecordRef, StoreKey, StoreProfile, View};

mod answers;
mod bulk;
mod deletions;
mod jobs;
mod marked;
mod pull;
mod push;
mod webhooks;

pub use answers::{Outcomes, Written};
pub use bulk::{
    Branch, BulkBody, BulkDone, BulkJob, BulkSource, BulkState, Joints, PollPlan, Prediction, StartedJob,
};
pub use deletions::{DeletionSource, Deletions};
pub use jobs::{FoundJob, JobCut, JobLine, JobPart, LineAnswer, StagedFile, WriteJobs};
pub use pull::{Detail, Joint, Page, PullRequest, Purpose, Select, Total};
pub use push::{Answer, FieldAnswer, Known, LookUp, Patch, PatchField, PatchValue, PushRequest};
pub use webhooks::{
    Condition, HealFault, Healed, Subscribed, Subscription, SubscriptionStatus, Told, WebhookSource,
};

/// A store that records can be pulled from and, where the platform allows, pushed to.
///
/// Only a connected connector implements this: its profile is known, and its capabilities do not change.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Which store it is, and what is true of it.
    fn info(&self) -> &ConnectorInfo;

    /// What it can do for this store.
    fn capabilities(&self) -> &Capabilities;

    /// The compiled map of a kind of record; `None` where it has none.
    fn schema(&self, entity: Entity) -> Option<&SchemaMap>;

    /// Probes the store: credentials, rights, versions, and what stands in the way.
    ///
    /// # Errors
    /// Only where no finding can be made at all; a refused credential is a finding.
    async fn check(&self) -> Result<Health>;

    /// Reads one page of raw records.
    ///
    /// # Errors
    /// `Unsupported` for what the capabilities do not claim; else what the pipeline says.
    async fn pull_page(&self, request: &PullRequest) -> Result<Page>;

    /// Writes one record's changes, and answers once per patch, in order.
    ///
    /// # Errors
    /// Only where nothing was sent at all. Otherwise each field has its own answer.
    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let _ = request;
        Err(Error::new(ErrorKind::Unsupported, "push_unsupported", "this connector only reads"))
    }

    /// Says what the store knows of names, one answer a name, in order. Sends no write.
    ///
    /// # Errors
    /// What the reads say; `Unsupported` where the store keeps no such names.
    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        let _ = names;
        Err(Error::new(ErrorKind::Unsupported, "names_unsupported", "this store keeps no such names"))
    }

    /// Reads what a write needs to know beside the records, before these are read for the guard: `brings` are the
    /// lists that get new entries. Nothing by default.
    ///
    /// # Errors
    /// What the reads say; nothing of the write is then sent.
    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        let _ = brings;
        Ok(())
    }

    /// The records that show what several can share, such as a picture, one list a holder, in order.
    ///
    /// # Errors
    /// What the reads say; `Unsupported` where that cannot be found out.
    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        let _ = holders;
        Err(Error::new(ErrorKind::Unsupported, "shown_by_unsupported", "nobody can say who shows it"))
    }

    /// The views that the store has beside its own: further languages, store views, channels.
    fn views(&self) -> &[View] {
        &[]
    }

    /// The connector of one of [`Connector::views`]: it pulls and writes what that view has of its own, under the
    /// same store, limits and state. Of a record it has the fields that a view can have; a field that the view does
    /// not have of its own is absent.
    ///
    /// # Errors
    /// `Unsupported` where the store has no such view.
    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        Err(Error::new(ErrorKind::Unsupported, "view_unknown", format!("the store has no view {view}"))
            .with_remedy("ask the connector's views first"))
    }

    /// The connector of the store's own content, where this is one of a view.
    fn origin(&self) -> Option<&dyn Connector> {
        None
    }

    /// How it hears about changes; `None` where the platform tells none.
    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        None
    }

    /// How it hears of deletions when it asks; `None` where the platform keeps no list of them.
    fn deletions(&self) -> Option<&dyn DeletionSource> {
        None
    }

    /// How it has the platform write whole lists to files; `None` where the platform does no such thing.
    fn bulk(&self) -> Option<&dyn BulkSource> {
        None
    }

    /// How it has the platform write many records by jobs; `None` where the platform does no such thing.
    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        None
    }
}

/// Which store a connector speaks to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectorInfo {
    /// The store, as everything that we keep about it is keyed.
    pub store: StoreKey,
    /// The version of the platform's API.
    pub api_version: &'static str,
    /// What is true of the store, in the view that the connector is of.
    pub profile: StoreProfile,
    /// The view that it is of; none for the store's own content.
    pub view: Option<View>,
}

impl ConnectorInfo {
    /// Describes a store.
    #[must_use]
    pub fn new(store: StoreKey, api_version: &'static str, profile: StoreProfile) -> Self {
        Self { store, api_version, profile, view: None }
    }

    /// The same store in a view.
    #[must_use]
    pub fn in_view(&self, view: View) -> Self {
        let mut info = self.clone();
        info.profile.locale = view.locale.clone().or(info.profile.locale);
        info.profile.scope = view.scope.clone().or(info.profile.scope);
        info.view = Some(view);
        info
    }
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// The findings; none means that nothing stands in the way.
    pub findings: Vec<Finding>,
}

/// One thing that a probe found, with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The stable code.
    pub code: String,
    /// Whether work can go on.
    pub severity: Severity,
    /// What was seen.
    pub evidence: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Describes a finding.
    #[must_use]
    pub fn new(
        code: impl Into<String>,
        severity: Severity,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { code: code.into(), severity, evidence: evidence.into(), remedy: remedy.into() }
    }
}

/// Whether work can go on in spite of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It can.
    Note,
    /// It can, but some of it will fail or be slow.
    Warning,
    /// It cannot.
    Error,
}
