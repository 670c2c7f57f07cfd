//! What a pull asks of a connector, and the page that answers it.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Capabilities, Cursor, DeltaClock, Entity, EntityCapabilities, ExternalId, Lane, RawItems,
};
use crate::time::{Days, Timestamp};

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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::model::FieldName;

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
