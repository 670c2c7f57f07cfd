//! Webhooks: deliveries as they come, and our subscriptions at the store.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 8.
//!
//! A delivery is tried eight times in four hours, in no order and sometimes twice; after eight failures in a row
//! the platform deletes the subscription, which [`WebhookSource::heal`] makes anew. All deliveries are signed with
//! the app's client secret: that is what `verify` takes, and a [`Subscription`]'s own secret is neither sent nor used.
//! The headers are not signed, the topic and the shop among them, so a body must be of its topic's kind.
//!
//! A subscription of ours is told by its address, which ends in `lily-connect=` and the label: the API's versions
//! have no other field in common that we could write it into.
//!
//! The three topics about privacy cannot be subscribed to here: they stand in the app's settings, and come to the
//! address that is given there.

mod delivery;
mod topics;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::auth::ShopDomain;
use super::connector::Shopify;
use super::{client, documents, wire};
use crate::connector::{Subscribed, Subscription, SubscriptionStatus, Told, WebhookSource};
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::UserErrors;
use crate::http::Idempotency;
use crate::model::{Entity, ExternalId, Secret};
use crate::webhook::{EventKind, Incoming, Received};

pub use delivery::{sender, verify};

#[async_trait]
impl WebhookSource for Shopify {
    fn verify(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
        verify(&ShopDomain::new(&self.info.store.account)?, incoming, secrets)
    }

    fn tells(&self) -> Vec<Told> {
        topics::subscribable().map(|(_, topic)| topic.told).collect()
    }

    async fn subscriptions(&self) -> Result<Vec<Subscribed>> {
        let all = self.webhooks_of_the_app().await?;
        Ok(all.into_iter().filter_map(Item::ours).collect())
    }

    async fn subscribe(&self, wanted: &Subscription) -> Result<Vec<Subscribed>> {
        wanted.must_be_of_known_topics()?;
        let address = wanted.marked_address(self.private_hosts)?;
        let mut made = Vec::new();
        for (name, topic) in topics::subscribable().filter(|(_, topic)| wanted.wants(topic.told)) {
            made.extend(self.subscribe_to(name, topic, wanted, &address).await?.ours());
        }
        Ok(made)
    }

    async fn remove(&self, id: &ExternalId) -> Result<()> {
        if !wire::is_id(id) {
            return Err(Error::new(ErrorKind::Config, "id_unreadable", "a webhook's id is a number"));
        }
        let Some(known) = self.webhook(id).await? else { return Ok(()) };
        if known.ours().is_none() {
            return Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "the webhook is not one of ours")
                .with_remedy("have whoever made it delete it, if that is meant"));
        }
        // A repetition finds it gone, so a lost answer does no harm.
        let call = documents::DELETE_WEBHOOK
            .request(self.version.path(), &json!({ "id": gid(id) }))?
            .idempotency(Idempotency::Safe)
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        let errors: UserErrors =
            client::member(&self.client, call, &["webhookSubscriptionDelete", "userErrors"]).await?;
        // Somebody else may have deleted it meanwhile, which the platform tells as a mistake of ours.
        if errors.is_empty() || self.webhook(id).await?.is_none() {
            return Ok(());
        }
        Err(refused(&errors, None))
    }
}

impl Shopify {
    async fn webhooks_of_the_app(&self) -> Result<Vec<Item>> {
        let all = self.whole_list(&documents::WEBHOOK_SUBSCRIPTIONS, "webhookSubscriptions").await;
        all.map_err(|error| if error.kind() == ErrorKind::TooLarge { too_many() } else { error })
    }

    async fn webhook(&self, id: &ExternalId) -> Result<Option<Item>> {
        let variables = json!({ "id": gid(id) });
        let call = documents::WEBHOOK_SUBSCRIPTION.request(self.version.path(), &variables)?;
        client::member(&self.client, call, &["webhookSubscription"]).await
    }

    async fn subscribe_to(
        &self,
        name: &str,
        topic: &topics::Topic,
        wanted: &Subscription,
        address: &str,
    ) -> Result<Item> {
        let fields = (!topic.fields.is_empty()).then_some(topic.fields);
        let webhook = json!({ "uri": address, "format": "JSON", "includeFields": fields });
        let call = documents::CREATE_WEBHOOK
            .request(self.version.path(), &json!({ "topic": name, "webhook": webhook }))?
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        let created: Created = client::member(&self.client, call, &["webhookSubscriptionCreate"]).await?;
        if let Some(made) = created.webhook_subscription {
            return Ok(made);
        }
        // The platform takes an address once for a topic, and has no code for that: an answer that was lost may have
        // been about this one.
        let all = self.webhooks_of_the_app().await?;
        let there = all.into_iter().find(|known| known.topic == name && known.uri == address);
        there.ok_or_else(|| refused(&created.user_errors, wanted.delivery_url.query()))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    webhook_subscription: Option<Item>,
    #[serde(default)]
    user_errors: UserErrors,
}

/// A webhook as the store shows it.
#[derive(Debug, Deserialize)]
struct Item {
    id: String,
    topic: String,
    uri: String,
    #[serde(default)]
    format: String,
}

impl Item {
    /// The subscription that it is; none where its address is not by us.
    fn ours(self) -> Option<Subscribed> {
        let (address, label) = Subscription::unmarked(&self.uri)?;
        let id = ExternalId::from(wire::number_of(&self.id));
        if !wire::is_id(&id) {
            return None;
        }
        // One that somebody switched to another format tells nothing that we can read.
        let status = match self.format.as_str() {
            "JSON" => SubscriptionStatus::Active,
            _ => SubscriptionStatus::Disabled,
        };
        let told = topics::of_name(&self.topic).map(|topic| topic.told);
        let told = told.unwrap_or(Told::Record(EventKind::Other, Entity::Product));
        let known = Subscribed::new(id, label, told.topic(), Url::parse(address).ok(), status);
        Some(known.telling(told))
    }
}

fn gid(id: &ExternalId) -> String {
    format!("gid://shopify/WebhookSubscription/{id}")
}

/// What the platform refused. The query of an address may hold a secret, so what repeats it is not told.
fn refused(errors: &UserErrors, query: Option<&str>) -> Error {
    let first = errors.list.first();
    let said = first.map_or("", |error| error.message.as_str());
    let said = if query.is_some_and(|query| said.contains(query)) { "" } else { said };
    Error::new(ErrorKind::Rejected, "subscription_refused", "the store does not take the subscription")
        .with_context("said", said.to_owned())
        .with_context("field", first.map_or_else(String::new, crate::graphql::UserError::field_path))
        .with_remedy("check that the address is https and public")
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "too_many_webhooks",
        "the app has more webhooks at the store than are looked through",
    )
    .with_remedy("delete webhooks of the app that nobody uses")
}

#[cfg(test)]
mod tests;
