//! The contract of every connector: what it is asked, and what it answers.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::mapping::SchemaMap;
use crate::model::{
    Attribute, Capabilities, CellValue, Cursor, DeltaClock, Entity, EntityCapabilities, ExternalId,
    FieldName, Lane, Media, RawItems, Record, RecordRef, StoreKey, StoreProfile, Term, Text, View,
};
use crate::time::{Days, Timestamp};

mod answers;
mod bulk;
mod deletions;
mod jobs;
mod marked;
mod webhooks;

pub use answers::{Outcomes, Written};
pub use bulk::{
    Branch, BulkBody, BulkDone, BulkJob, BulkSource, BulkState, Joints, PollPlan, Prediction, StartedJob,
};
pub use deletions::{DeletionSource, Deletions};
pub use jobs::{FoundJob, JobCut, JobLine, JobPart, LineAnswer, StagedFile, WriteJobs};
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

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullRequest {
    /// The kind of record.
    pub entity: Entity,
    /// Which records.
    pub select: Select,
    /// What for.
    pub purpose: Purpose,
    /// How much of each.
    pub detail: Detail,
    /// The position; none for the start.
    pub cursor: Option<Cursor>,
    /// The records a page should hold; none for the connector's choice.
    pub page_size: Option<NonZeroU32>,
    /// Who waits.
    pub lane: Lane,
    /// The longest time for the call, waits and retries included; none for the pipeline's own bound.
    pub timeout: Option<Duration>,
}

impl PullRequest {
    /// Everything of a kind, for a catalogue.
    #[must_use]
    pub fn all(entity: Entity) -> Self {
        Self {
            entity,
            select: Select::All,
            purpose: Purpose::Catalogue,
            detail: Detail::Full,
            cursor: None,
            page_size: None,
            lane: Lane::default(),
            timeout: None,
        }
    }

    /// Records by their ids, read in a way that gives stored values.
    #[must_use]
    pub fn by_ids(entity: Entity, ids: Vec<ExternalId>, purpose: Purpose) -> Self {
        Self { select: Select::Ids(ids), purpose, lane: Lane::Interactive, ..Self::all(entity) }
    }

    /// The records of a range of days, as the store's time zone has them.
    #[must_use]
    pub fn window(entity: Entity, days: Days) -> Self {
        Self { select: Select::Window(days), ..Self::all(entity) }
    }

    /// Refuses what these capabilities do not claim: the kind of record, the choice of records, or what is to be read of
    /// each. Gives the claims for the kind.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn must_be_claimed<'c>(&self, capabilities: &'c Capabilities) -> Result<&'c EntityCapabilities> {
        let Some(claims) = capabilities.entity(self.entity) else {
            let kinds: Vec<String> = capabilities.entities.iter().map(|it| it.entity.to_string()).collect();
            return Err(Error::new(
                ErrorKind::Unsupported,
                "entity_unsupported",
                format!("this store has no list of the kind {}", self.entity),
            )
            .with_remedy(format!("pull one of: {}", kinds.join(", "))));
        };
        let (has_detail, what) = match self.detail {
            Detail::Full => (true, ""),
            Detail::IdsOnly => (claims.ids_only, "this store lists no ids of this kind alone"),
            Detail::Unclocked => {
                (!claims.unclocked.is_empty(), "this store lists no fields of this kind alone")
            }
        };
        if !has_detail {
            return Err(Error::new(ErrorKind::Unsupported, "detail_unsupported", what)
                .with_remedy("read the records whole"));
        }
        let (claimed, code, what) = match &self.select {
            Select::All => (claims.whole, "list_unsupported", "the store gives no whole list of this kind"),
            Select::Since(_) => (
                claims.delta != DeltaClock::None,
                "delta_unsupported",
                "this store cannot list what changed since a time",
            ),
            Select::Window(_) => {
                (claims.windows.is_some(), "window_unsupported", "this kind of record is not read by days")
            }
            Select::Ids(_) => (claims.by_ids, "ids_unsupported", "this kind of record is not read by id"),
        };
        if claimed {
            return Ok(claims);
        }
        let remedy = match (&self.select, claims.windows) {
            (Select::All | Select::Since(_), Some(_)) => "name a range of days, as `Pull::window` does",
            _ => "ask the connector's capabilities first",
        };
        Err(Error::new(ErrorKind::Unsupported, code, what).with_remedy(remedy))
    }

    /// The same request at another position.
    #[must_use]
    pub fn at(&self, cursor: Option<Cursor>) -> Self {
        Self { cursor, ..self.clone() }
    }
}

/// Which records to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Select {
    /// All that the credential can see.
    All,
    /// What changed since a time of the platform's clock.
    Since(Timestamp),
    /// Those of a range of days, as the store's time zone has them: numbers that are kept by day.
    Window(Days),
    /// These, of any number: the connector cuts the list, and each id is answered by a record or in
    /// [`Page::missing`].
    Ids(Vec<ExternalId>),
}

/// What a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// A pull.
    Catalogue,
    /// The read before a write: by ids, of stored values, never from a cache.
    Guard,
    /// The read after a write: by ids, of stored values, never from a cache.
    Verify,
}

/// How much of each record to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Detail {
    /// All that the map reads.
    Full,
    /// The ids. A page of them may hold more records than one of full records.
    IdsOnly,
    /// The ids, and the fields that can change without moving the platform's clock
    /// ([`EntityCapabilities::unclocked`](crate::model::EntityCapabilities::unclocked)).
    Unclocked,
}

/// A page: the unit of work, of retry, of backpressure and of the checkpoint.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Page {
    /// The records as they came.
    pub items: Vec<RawItems>,
    /// Where the next page begins; none at the end of the list.
    pub next: Option<Cursor>,
    /// Further pages that are already known, after `next`: they may be fetched at once, and are delivered in
    /// this order.
    pub ahead: Vec<Cursor>,
    /// How it joins the page before it.
    pub joint: Joint,
    /// How many records the whole list has.
    pub total: Total,
    /// Of the ids that were asked for, those that are not there.
    pub missing: Vec<ExternalId>,
    /// A time of the platform's own clock that is not later than when it read the page's records.
    pub server_time: Option<Timestamp>,
    /// How long the store had the request before the answer was here: its records were read no earlier.
    pub took: Duration,
    /// What was wrong with the answer but could be read over, such as noise before the JSON.
    pub degraded: Vec<&'static str>,
}

/// How a page joins the one before it, where the capabilities claim that pages overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Joint {
    /// It begins with the last record of that page: the engine checks it.
    #[default]
    SharedRecord,
    /// It begins another parent's list; the connector checked that no parent slipped between the two.
    NextParent,
    /// The connector saw that something slipped between the two.
    Broken,
}

/// How many records a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Total {
    /// So many. Only this is a check.
    Exact(u64),
    /// So many or more.
    AtLeast(u64),
    /// The platform does not say.
    #[default]
    NotGiven,
}

/// Changes to write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PushRequest {
    /// One patch a record.
    pub patches: Vec<Patch>,
    /// The instant of the runtime's clock past which the guard read is too old: nothing is sent after it.
    pub guard_until: Duration,
    /// Who waits.
    pub lane: Lane,
}

impl PushRequest {
    /// Asks for the patches to be written before `guard_until` of the runtime's clock.
    #[must_use]
    pub fn new(patches: Vec<Patch>, guard_until: Duration) -> Self {
        Self { patches, guard_until, lane: Lane::Interactive }
    }
}

/// The changes of one record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Patch {
    /// The record.
    pub target: RecordRef,
    /// The product of a variant, as the guard read found it: platforms write variants by their product.
    pub product: Option<RecordRef>,
    /// What to write, by field.
    pub changes: Vec<PatchField>,
}

impl Patch {
    /// Describes the changes of a record.
    #[must_use]
    pub fn new(target: RecordRef, changes: Vec<PatchField>) -> Self {
        Self { target, product: None, changes }
    }

    /// Describes the changes of a record that a guard read found.
    #[must_use]
    pub fn of(record: &Record, changes: Vec<PatchField>) -> Self {
        let product = match record {
            Record::Variant(variant) => variant.product_ref.clone(),
            _ => None,
        };
        Self { target: record.reference().clone(), product, changes }
    }

    /// The id of the product that a variant is written by, where it is one of the platform's.
    ///
    /// # Errors
    /// `Rejected` where nobody says whose variant it is.
    pub fn product_id(&self, is_id: impl Fn(&ExternalId) -> bool) -> Result<&ExternalId> {
        let product = self.product.as_ref().filter(|product| product.kind == Entity::Product);
        product.map(|product| &product.id).filter(|id| is_id(id)).ok_or_else(|| {
            Error::new(ErrorKind::Rejected, "product_unknown", "nobody says whose variant it is")
                .with_remedy("make the patch of a record that was read, which names its product")
        })
    }
}

/// A field's new value as the engine has merged it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PatchField {
    /// The field.
    pub field: FieldName,
    /// What to write: for a list, the whole list as it shall be.
    pub value: PatchValue,
    /// What the guard read found there, for platforms with a compare-and-set.
    pub seen: CellValue,
    /// The platform's mark of what the write is bound to, as the guard read found it, where it has one.
    pub version: Option<Text>,
    /// For a list, the whole list as the guard read found it: for platforms that change lists by what comes and
    /// what goes, or entry by entry.
    pub before: Option<PatchValue>,
}

impl PatchField {
    /// Describes a change.
    #[must_use]
    pub fn new(field: FieldName, value: PatchValue, seen: CellValue) -> Self {
        Self { field, value, seen, version: None, before: None }
    }

    /// Says what the write is bound to.
    #[must_use]
    pub fn version(mut self, version: Option<Text>) -> Self {
        self.version = version;
        self
    }

    /// Says what the whole list was.
    #[must_use]
    pub fn before(mut self, list: Option<PatchValue>) -> Self {
        self.before = list;
        self
    }
}

/// A value to write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PatchValue {
    /// A text, with the platform's own spelling of it where that is known.
    Text {
        /// The canonical text.
        text: Text,
        /// The platform's spelling, to be sent in its place.
        raw: Option<Text>,
    },
    /// A whole list of terms.
    Terms(Vec<Term>),
    /// A whole list of attributes, each with its flags and place.
    Attributes(Vec<Attribute>),
    /// The whole list of pictures by id, in the order that they have; those with a text are given it.
    Media(Vec<Media>),
    /// Nothing: the value is taken away.
    Removed,
}

/// Names to look up in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookUp {
    /// Names of a list field: of categories, brands, attributes. For a field of one value that must be unique,
    /// values.
    Names {
        /// The field.
        field: FieldName,
        /// The names.
        names: Vec<Text>,
    },
    /// Values of an attribute that the store keeps in one place for all products.
    Values {
        /// The attribute's id.
        attribute: ExternalId,
        /// The values.
        names: Vec<Text>,
    },
}

/// What a store knows of a name; blanks at its ends and the case of letters do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Known {
    /// Nothing.
    No,
    /// This.
    One {
        /// The platform's id.
        id: ExternalId,
        /// The name in the store's spelling.
        name: Text,
    },
    /// It has the name more than once.
    Several,
}

/// What became of one patch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The record.
    pub target: RecordRef,
    /// By field, in the order of the patch.
    pub fields: Vec<(FieldName, FieldAnswer)>,
}

impl Answer {
    /// Answers a patch.
    #[must_use]
    pub fn new(target: RecordRef, fields: Vec<(FieldName, FieldAnswer)>) -> Self {
        Self { target, fields }
    }
}

/// What became of one field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldAnswer {
    /// The platform took it; what the answer holds is said by the capabilities.
    Accepted,
    /// The platform refused it: it is not there.
    Refused {
        /// The stable code.
        code: String,
        /// Why, without values.
        why: String,
    },
    /// Nobody knows: the answer was lost.
    Unknown {
        /// Why nobody knows.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn what_is_not_claimed_is_refused_with_what_is() {
        let mut products = EntityCapabilities::new(Entity::Product, NonZeroU32::MIN);
        let capabilities = |claims: &EntityCapabilities| {
            Capabilities::new(vec![claims.clone(), EntityCapabilities::new(Entity::Brand, NonZeroU32::MIN)])
        };
        let code = |request: &PullRequest, claims: &EntityCapabilities| {
            let refused = request.must_be_claimed(&capabilities(claims)).err();
            refused.map_or_else(|| "claimed".to_owned(), |error| error.code().to_owned())
        };
        let all = PullRequest::all(Entity::Product);
        let ids = PullRequest { detail: Detail::IdsOnly, ..all.clone() };
        let unclocked = PullRequest { detail: Detail::Unclocked, ..all.clone() };
        let refused = PullRequest::all(Entity::Tag).must_be_claimed(&capabilities(&products)).unwrap_err();
        assert_eq!((refused.code(), refused.remedy()), ("entity_unsupported", "pull one of: product, brand"));
        let codes = [&all, &ids, &unclocked].map(|request| code(request, &products));
        assert_eq!(codes, ["claimed", "detail_unsupported", "detail_unsupported"]);
        (products.ids_only, products.unclocked) = (true, vec![FieldName::new("media")]);
        assert_eq!([&ids, &unclocked].map(|request| code(request, &products)), ["claimed", "claimed"]);
        products.whole = false;
        assert_eq!(code(&all, &products), "list_unsupported");
    }
}
