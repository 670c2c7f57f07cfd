//! What a connector does about webhooks: it verifies, and it keeps our subscriptions alive.

use std::fmt;

use async_trait::async_trait;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{ExternalId, Secret, Text};
use crate::webhook::{EventKind, Incoming, Received};

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

    /// Lists the subscriptions that this crate made, of all labels. Others are never shown or touched.
    ///
    /// # Errors
    /// `TooLarge` where the store has more than can be looked through; what the pipeline says.
    async fn subscriptions(&self) -> Result<Vec<Subscribed>>;

    /// Makes a subscription for each topic, whether there is one or not: [`WebhookSource::heal`] makes those
    /// that are missing.
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
        let mut done: Vec<EventKind> = Vec::new();
        for topic in wanted.topics.iter().copied() {
            if done.contains(&topic) {
                continue;
            }
            done.push(topic);
            let alive = |known: &Subscribed, wish| known.topic == topic && known.condition(wanted) == wish;
            if let Some(at) = ours.iter().rposition(|known| alive(known, Condition::Active)) {
                report.kept.push(ours.remove(at));
            } else if let Some(at) = ours.iter().rposition(|known| alive(known, Condition::Paused)) {
                report.paused.push(ours.remove(at));
            } else {
                match self.subscribe(&wanted.only(topic)).await {
                    Ok(made) => report.made.extend(made),
                    Err(error) if error.kind() == ErrorKind::Config => return Err(error),
                    // What stands for the topic is left alone, since nothing took its place.
                    Err(error) => {
                        ours.retain(|known| known.topic != topic);
                        report.failed.push(HealFault { topic, id: None, code: error.code().to_owned() });
                    }
                }
            }
        }
        for dead in ours {
            match self.remove(&dead.id).await {
                Ok(()) => report.removed.push(dead),
                Err(error) => {
                    let code = error.code().to_owned();
                    report.failed.push(HealFault { topic: dead.topic, id: Some(dead.id), code });
                }
            }
        }
        Ok(report)
    }
}

/// What the platform shall tell us, and where.
#[derive(Clone)]
#[non_exhaustive]
pub struct Subscription {
    /// Where it delivers.
    pub delivery_url: Url,
    /// What it tells.
    pub topics: Vec<EventKind>,
    /// What it signs with; [`crate::webhook::new_secret`] makes one.
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
        let topics = EventKind::ALL.to_vec();
        Ok(Self { delivery_url: url, topics, secret, label: "main".into() })
    }

    /// Sets what it tells (default: everything).
    #[must_use]
    pub fn topics(mut self, topics: &[EventKind]) -> Self {
        self.topics = topics.to_vec();
        self
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

    fn only(&self, topic: EventKind) -> Self {
        Self { topics: vec![topic], ..self.clone() }
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
    /// What it tells.
    pub topic: EventKind,
    /// Where it delivers; none where that is no address.
    pub delivery_url: Option<Url>,
    /// Whether it does.
    pub status: SubscriptionStatus,
}

impl Subscribed {
    /// Describes a subscription.
    #[must_use]
    pub fn new(
        id: impl Into<ExternalId>,
        label: impl Into<Text>,
        topic: EventKind,
        delivery_url: Option<Url>,
        status: SubscriptionStatus,
    ) -> Self {
        Self { id: id.into(), label: label.into(), topic, delivery_url, status }
    }

    /// How it stands to what is wanted.
    #[must_use]
    pub fn condition(&self, wanted: &Subscription) -> Condition {
        if !wanted.topics.contains(&self.topic) {
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
            .field("topic", &self.topic)
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
    /// The topic.
    pub topic: EventKind,
    /// The subscription that could not be removed; none where one could not be made.
    pub id: Option<ExternalId>,
    /// The error's stable code.
    pub code: String,
}
