//! What the suite needs to know of a platform's fake: the truth, the merchant's hand, and the network's.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;

use crate::connector::Connector;
use crate::model::{Entity, ExternalId, FieldName, Secret};
use crate::runtime::Runtime;
use crate::time::Days;
use crate::webhook::Incoming;

/// A fresh store with a seeded catalogue and a connector to it.
///
/// It holds at least three pages of [`ContractFixture::page_size`] records of each kind. The fake and the
/// connector share the runtime's clock, which moves by sleeping only
/// ([`FakeClock::automatic`](crate::testkit::FakeClock::automatic)).
pub trait ContractFixture: Send + Sync {
    /// The connector under test, connected.
    fn connector(&self) -> Arc<dyn Connector>;

    /// The runtime that it was connected with.
    fn runtime(&self) -> Runtime;

    /// The ids that the store really has of a kind, as visible to the credential, in any order.
    fn ids(&self, entity: Entity) -> Vec<ExternalId>;

    /// What is stored of a record in the platform's own form, without what moves by itself: change stamps, and
    /// what is made anew for each answer.
    fn stored(&self, entity: Entity, id: &ExternalId) -> Option<Value>;

    /// Sets a text field as the merchant does: the record's change stamp moves. False where it cannot.
    fn edit(&self, entity: Entity, id: &ExternalId, field: &FieldName, text: &str) -> bool;

    /// Adds a record as the merchant does; `None` where the fixture cannot.
    fn add(&self, entity: Entity) -> Option<ExternalId>;

    /// Deletes a record for good as the merchant does. False where there is none.
    fn delete(&self, entity: Entity, id: &ExternalId) -> bool;

    /// What the store received since it was made.
    fn received(&self) -> Received;

    /// Orders a trouble.
    fn strike(&self, strike: Strike);

    /// Deletes records right after that many pages of a list were answered from now on, so that what comes
    /// behind them slips forward.
    fn delete_while_paging(&self, entity: Entity, ids: Vec<ExternalId>, after_pages: u64);

    /// Makes the platform answer a page within its list empty, with a next cursor, under pages of
    /// [`ContractFixture::page_size`]. False where its paging cannot come to that.
    fn empty_a_page(&self, entity: Entity) -> bool {
        let _ = entity;
        false
    }

    /// The texts that nobody may ever see: keys and secrets.
    fn secrets(&self) -> Vec<String>;

    /// Further texts that are shown to people, such as the settings that it was connected with in `Debug`.
    fn texts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Leaves the credential these rights alone from now on. False where the fixture cannot.
    fn allow(&self, right: Right) -> bool {
        let _ = right;
        false
    }

    /// The most requests that the store answered at once since it was made; `None` where nobody counts.
    fn peak_in_flight(&self) -> Option<u64> {
        None
    }

    /// A delivery that says that a record changed, now, as the platform sends and signs it: no two are the same.
    /// `None` where it tells no such thing.
    fn delivery(&self, entity: Entity, id: &ExternalId, secret: &Secret) -> Option<Incoming> {
        let _ = (entity, id, secret);
        None
    }

    /// What the platform sends to try an address; `None` where it sends nothing.
    fn ping(&self, secret: &Secret) -> Option<Incoming> {
        let _ = secret;
        None
    }

    /// Makes the platform give a subscription up. False where the fixture cannot.
    fn kill_subscription(&self, id: &ExternalId) -> bool {
        let _ = id;
        false
    }

    /// Makes a subscription that is none of ours; `None` where the fixture cannot.
    fn foreign_subscription(&self) -> Option<ExternalId> {
        None
    }

    /// Whether the platform has a subscription, ours or not.
    fn has_subscription(&self, id: &ExternalId) -> bool {
        let _ = id;
        false
    }

    /// The requests that a pull makes until the first page is there: more than one where a count is a call of its
    /// own.
    fn calls_of_a_first_page(&self, entity: Entity) -> u64 {
        let _ = entity;
        1
    }

    /// The days that the store has records of, for kinds that are read by days alone.
    fn window(&self) -> Option<Days> {
        None
    }

    /// The size of the pages that the suite asks for; small, so that a small catalogue has several.
    fn page_size(&self) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(2)
    }
}

/// What is left of a credential's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Right {
    /// It is refused, as one that was withdrawn.
    Nothing,
    /// It may read, and not write.
    Read,
}

/// What a store received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// All requests, reads and writes.
    pub requests: u64,
    /// The requests that asked for a change.
    pub writes: u64,
}

/// A trouble, and which requests it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// What goes wrong.
    pub trouble: Trouble,
    /// On which requests.
    pub on: On,
    /// How many of them pass first.
    pub after: u64,
    /// How many of them it strikes then.
    pub times: u64,
}

impl Strike {
    /// Strikes the next request of its kind, once.
    #[must_use]
    pub const fn next(on: On, trouble: Trouble) -> Self {
        Self { trouble, on, after: 0, times: 1 }
    }
}

/// Which requests a trouble strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Requests that only read.
    Read,
    /// Requests that ask for a change.
    Write,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It has its effect, and its answer never comes.
    LostAnswer,
    /// The platform refuses it, without an effect and for good.
    Refused,
    /// The platform answers with a server error, without an effect; the caller cannot know.
    ServerError,
    /// It has its effect, and its answer is cut off.
    Truncated,
    /// It has its effect, and its answer is broken within.
    Malformed,
    /// It has no effect, and is answered like a success with something that is no answer, such as a login page.
    Html,
    /// It has no effect: the limit is reached, and the platform asks to wait for a minute.
    RateLimited,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LostAnswer,
        Self::Refused,
        Self::ServerError,
        Self::Truncated,
        Self::Malformed,
        Self::Html,
        Self::RateLimited,
    ];
}
