//! What a connector does about webhooks: it verifies, and it keeps our subscriptions alive.

use std::fmt;

use async_trait::async_trait;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, ExternalId, Secret, Text};
use crate::webhook::{EventKind, Incoming, NoticeKind, Received};

/// The longest label that tells our deployments apart.
const MAX_LABEL: usize = 32;

/// A platform that tells what changed.
///
/// It tells less than happens: every connector's docs say what comes without a word. A scheduled pull, whose
/// sweep looks at each id, closes those gaps.
#[async_trait]
pub trait WebhookSource: fmt::Debug + Send + Sync {
    /// Says what a request is, after its signature was checked over the raw bytes. It makes no call.
    ///
    /// Several secrets are tried, so that one can take the place of another without a gap.
    ///
    /// # Errors
    /// `Auth` with code `webhook_unsigned` or `webhook_signature_wrong`; `Rejected` with code
    /// `webhook_foreign` where another store sent it; `Protocol` with code `webhook_unreadable`; `Config` where
    /// there is no usable secret. None of them shows a body or a secret.
    fn verify(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<Received>;

    /// What can be subscribed to (default: all that happens to products).
    fn tells(&self) -> Vec<Told> {
        EventKind::ALL.map(|topic| Told::Record(topic, Entity::Product)).to_vec()
    }

    /// Lists the subscriptions that this crate made, of all labels. Others are never shown or touched.
    ///
    /// # Errors
    /// `TooLarge` where the store has more than can be looked through; what the pipeline says.
    async fn subscriptions(&self) -> Result<Vec<Subscribed>>;

    /// Makes a subscription for each thing that is wanted and that the platform tells, whether there is one or
    /// not: [`WebhookSource::heal`] makes those that are missing. A platform that takes no second one of the same
    /// kind to the same address gives the one that there is.
    ///
    /// # Errors
    /// `Config` where the platform would not deliver to that address or takes no such secret; what the
    /// pipeline says. With [`crate::error::Effect::Possible`] one may have been made.
    async fn subscribe(&self, wanted: &Subscription) -> Result<Vec<Subscribed>>;

    /// Removes a subscription of ours; one that is gone already is no error.
    ///
    /// # Errors
    /// `Rejected` with code `webhook_foreign` where it is not ours; what the pipeline says.
    async fn remove(&self, id: &ExternalId) -> Result<()>;

    /// Makes what is wanted true of the subscriptions with its label: those that are disabled, lead to another
    /// address or are there twice are removed, and what is missing is made anew.
    ///
    /// A disabled one is not switched on again, since some platforms keep its count of failures, and the next
    /// one would end it at once. One that somebody paused stays paused and is told. A new one is made before
    /// the dead one goes.
    ///
    /// # Errors
    /// Where they could not be listed, and `Config` as [`WebhookSource::subscribe`]. What else failed is in the
    /// report.
    async fn heal(&self, wanted: &Subscription) -> Result<Healed> {
        let mut report = Healed::default();
        let mut ours = self.subscriptions().await?;
        ours.retain(|known| known.label == wanted.label);
        // The newest one last: of two that do the same, its secret is the one that was kept last.
        ours.sort_by_key(|known| (known.id.as_str().len(), known.id.clone()));
        wanted.must_be_of_known_topics()?;
        for told in self.tells().into_iter().filter(|told| wanted.wants(*told)) {
            let alive = |known: &Subscribed, wish| known.told() == told && known.condition(wanted) == wish;
            if let Some(at) = ours.iter().rposition(|known| alive(known, Condition::Active)) {
                report.kept.push(ours.remove(at));
            } else if let Some(at) = ours.iter().rposition(|known| alive(known, Condition::Paused)) {
                report.paused.push(ours.remove(at));
            } else {
                match self.subscribe(&wanted.only(told)).await {
                    Ok(made) => report.made.extend(made),
                    Err(error) if error.kind() == ErrorKind::Config => return Err(error),
                    // What stands for the topic is left alone, since nothing took its place.
                    Err(error) => {
                        ours.retain(|known| known.told() != told);
                        report.failed.push(HealFault { told, id: None, code: error.code().to_owned() });
                    }
                }
            }
        }
        for dead in ours {
            match self.remove(&dead.id).await {
                Ok(()) => report.removed.push(dead),
                Err(error) => {
                    let code = error.code().to_owned();
                    report.failed.push(HealFault { told: dead.told(), id: Some(dead.id), code });
                }
            }
        }
        Ok(report)
    }
}

/// What a subscription tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Told {
    /// What happens to records of a kind.
    Record(EventKind, Entity),
    /// What is about no record.
    Notice(NoticeKind),
}

impl Told {
    /// What happens to a record; `Other` of a notice.
    #[must_use]
    pub const fn topic(self) -> EventKind {
        match self {
            Self::Record(topic, _) => topic,
            Self::Notice(_) => EventKind::Other,
        }
    }
}

/// What the platform shall tell us, and where.
#[derive(Clone)]
#[non_exhaustive]
pub struct Subscription {
    /// Where it delivers.
    pub delivery_url: Url,
    /// What it tells of records.
    pub topics: Vec<EventKind>,
    /// Of which kinds of records.
    pub entities: Vec<Entity>,
    /// What it tells that is about no record.
    pub notices: Vec<NoticeKind>,
    /// What it signs with; [`crate::webhook::new_secret`] makes one. A platform that signs with a secret of the app
    /// is not given this one: its connector's docs say so.
    pub secret: Secret,
    /// Which of our deployments it is for: each heals its own only.
    pub label: Text,
}

impl Subscription {
    /// Wants all that the platform can tell, at an https address, under the label `main`.
    ///
    /// # Errors
    /// `Config` where the address is not http or https, or has a user or a fragment.
    pub fn new(delivery_url: &str, secret: Secret) -> Result<Self> {
        let url = Url::parse(delivery_url).map_err(|_| unusable("the delivery address is no URL"))?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err(unusable("the delivery address must be https, or http on a private network"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(unusable("the delivery address must have no user and no fragment"));
        }
        Ok(Self {
            delivery_url: url,
            topics: EventKind::ALL.to_vec(),
            entities: Entity::ALL.to_vec(),
            notices: NoticeKind::ALL.to_vec(),
            secret,
            label: "main".into(),
        })
    }

    /// Sets what it tells of records (default: everything).
    #[must_use]
    pub fn topics(mut self, topics: &[EventKind]) -> Self {
        self.topics = topics.to_vec();
        self
    }

    /// Sets of which kinds of records it tells (default: all of which the platform does).
    #[must_use]
    pub fn entities(mut self, entities: &[Entity]) -> Self {
        self.entities = entities.to_vec();
        self
    }

    /// Sets what it tells that is about no record (default: everything that can be subscribed to).
    #[must_use]
    pub fn notices(mut self, notices: &[NoticeKind]) -> Self {
        self.notices = notices.to_vec();
        self
    }

    /// Whether something is wanted.
    #[must_use]
    pub fn wants(&self, told: Told) -> bool {
        match told {
            Told::Record(topic, entity) => self.topics.contains(&topic) && self.entities.contains(&entity),
            Told::Notice(notice) => self.notices.contains(&notice),
        }
    }

    /// Refuses what nobody can be subscribed to.
    ///
    /// # Errors
    /// `Config` with code `topic_unsupported`.
    pub fn must_be_of_known_topics(&self) -> Result<()> {
        if self.topics.contains(&EventKind::Other) {
            let message = "only the topics of EventKind::ALL can be told";
            return Err(Error::new(ErrorKind::Config, "topic_unsupported", message));
        }
        Ok(())
    }

    /// Sets which of our deployments it is for (default `main`).
    ///
    /// # Errors
    /// `Config` where it is not 1 to 32 lower-case letters, digits and hyphens.
    pub fn label(mut self, label: &str) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if label.is_empty() || label.len() > MAX_LABEL || !label.bytes().all(plain) {
            let message = "a label must be 1..=32 lower-case letters, digits and hyphens";
            return Err(Error::new(ErrorKind::Config, "label_unusable", message));
        }
        self.label = label.into();
        Ok(self)
    }

    fn only(&self, told: Told) -> Self {
        let (topics, entities, notices) = match told {
            Told::Record(topic, entity) => (vec![topic], vec![entity], Vec::new()),
            Told::Notice(notice) => (Vec::new(), Vec::new(), vec![notice]),
        };
        Self { topics, entities, notices, ..self.clone() }
    }
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "delivery_url_unusable", message)
        .with_remedy("give an https address that the store can reach")
}

/// The query of an address may hold a secret, so it is left out.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("delivery_url", &shown(&self.delivery_url))
            .field("topics", &self.topics)
            .field("entities", &self.entities)
            .field("notices", &self.notices)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// A subscription of ours, as the platform has it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribed {
    /// The platform's id of it.
    pub id: ExternalId,
    /// Which of our deployments it is for.
    pub label: Text,
    /// What it tells of records; `Other` where it tells nothing that this crate knows.
    pub topic: EventKind,
    /// Of which kind of records.
    pub entity: Entity,
    /// What it tells that is about no record, in place of those.
    pub notice: Option<NoticeKind>,
    /// Where it delivers; none where that is no address.
    pub delivery_url: Option<Url>,
    /// Whether it does.
    pub status: SubscriptionStatus,
}

impl Subscribed {
    /// Describes a subscription to what happens to products.
    #[must_use]
    pub fn new(
        id: impl Into<ExternalId>,
        label: impl Into<Text>,
        topic: EventKind,
        delivery_url: Option<Url>,
        status: SubscriptionStatus,
    ) -> Self {
        let (id, label) = (id.into(), label.into());
        Self { id, label, topic, entity: Entity::Product, notice: None, delivery_url, status }
    }

    /// Sets what it tells.
    #[must_use]
    pub fn telling(mut self, told: Told) -> Self {
        self.topic = told.topic();
        match told {
            Told::Record(_, entity) => (self.entity, self.notice) = (entity, None),
            Told::Notice(notice) => self.notice = Some(notice),
        }
        self
    }

    /// What it tells.
    #[must_use]
    pub fn told(&self) -> Told {
        self.notice.map_or(Told::Record(self.topic, self.entity), Told::Notice)
    }

    /// How it stands to what is wanted.
    #[must_use]
    pub fn condition(&self, wanted: &Subscription) -> Condition {
        if !wanted.wants(self.told()) {
            Condition::OtherTopic
        } else if self.delivery_url.as_ref() != Some(&wanted.delivery_url) {
            Condition::OtherAddress
        } else {
            match self.status {
                SubscriptionStatus::Active => Condition::Active,
                SubscriptionStatus::Paused => Condition::Paused,
                SubscriptionStatus::Disabled => Condition::Disabled,
            }
        }
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed")
            .field("id", &self.id)
            .field("label", &self.label)
            .field("told", &self.told())
            .field("delivery_url", &self.delivery_url.as_ref().map(shown))
            .field("status", &self.status)
            .finish()
    }
}

/// Whether a subscription delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionStatus {
    /// It does.
    Active,
    /// Somebody stopped it for a while.
    Paused,
    /// The platform gave it up, or its state is unknown.
    Disabled,
}

/// How a subscription stands to what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It does what is wanted.
    Active,
    /// It would, and somebody stopped it for a while.
    Paused,
    /// The platform gave it up.
    Disabled,
    /// It leads to another address.
    OtherAddress,
    /// It tells what nobody wants.
    OtherTopic,
}

/// What healing did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Healed {
    /// Those that are well.
    pub kept: Vec<Subscribed>,
    /// Those that somebody paused: they tell nothing until somebody lets them.
    pub paused: Vec<Subscribed>,
    /// Those that were made.
    pub made: Vec<Subscribed>,
    /// Those that were dead, and were removed.
    pub removed: Vec<Subscribed>,
    /// What could not be done; the next call tries again.
    pub failed: Vec<HealFault>,
}

impl Healed {
    /// Whether every topic is told now.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.paused.is_empty()
    }
}

/// What healing could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealFault {
    /// What is not told, or told twice.
    pub told: Told,
    /// The subscription that could not be removed; none where one could not be made.
    pub id: Option<ExternalId>,
    /// The error's stable code.
    pub code: String,
}
