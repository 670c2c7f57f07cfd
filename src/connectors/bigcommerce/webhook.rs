//! Webhooks: deliveries as they come, and our subscriptions at the store.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 7.
//!
//! A delivery says that something happened to a record of an id, and nothing of what. It is tried eleven times in two
//! days, in no order and sometimes twice; then the platform switches the subscription off, as it does after 90 days
//! without an event. Where fewer than nine of ten deliveries to a domain succeed within two minutes, the platform sends
//! that domain nothing for three minutes, whichever store they were of: so a server answers 200 as soon as
//! [`crate::sync::Inbox`] has the delivery, also for stores that it does not know, and works later.
//!
//! What proves a delivery: a signature by the client secret of the API account (Standard Webhooks; the key is the
//! secret's own bytes), or the secret of the [`Subscription`], which the platform sends back in a header of ours. Since
//! when and for which stores it signs is not documented, so either is taken unless [`Proof`] says otherwise. The field
//! `hash` of a delivery proves nothing.
//!
//! Nothing is delivered for alternative texts, pictures that come or go, custom fields, options, addresses, brands and
//! the stock: those are found by a pull.

mod delivery;
mod topics;

use async_trait::async_trait;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::connector::BigCommerce;
use super::wire;
use crate::connector::{Subscribed, Subscription, SubscriptionStatus, Told, WebhookSource};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, Idempotency};
use crate::model::{Entity, ExternalId, Secret};
use crate::webhook::{EventKind, Incoming, Received};

pub use delivery::{Keys, Proof, sender, verify};

const HOOKS: &str = "v3/hooks";
/// The header of ours that holds a subscription's secret.
const SECRET_HEADER: &str = "x-lily-connect";
/// The most pages of subscriptions that are looked through.
const MAX_PAGES: u64 = 20;
/// The longest secret that is sent.
const MAX_SECRET: usize = 200;

#[async_trait]
impl WebhookSource for BigCommerce {
    fn verify(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
        let keys = Keys { signing: self.client_secret.as_ref(), own: secrets };
        verify(&self.hash, incoming, &keys, self.proof)
    }

    fn tells(&self) -> Vec<Told> {
        topics::subscribable().map(|(_, told)| told).collect()
    }

    async fn subscriptions(&self) -> Result<Vec<Subscribed>> {
        Ok(self.hooks().await?.into_iter().filter_map(Item::ours).collect())
    }

    async fn subscribe(&self, wanted: &Subscription) -> Result<Vec<Subscribed>> {
        wanted.must_be_of_known_topics()?;
        let address = self.address(wanted)?;
        let mut made = Vec::new();
        for (scope, _) in topics::subscribable().filter(|(_, told)| wanted.wants(*told)) {
            made.extend(self.subscribe_to(scope, &address, &wanted.secret).await?.ours());
        }
        Ok(made)
    }

    async fn remove(&self, id: &ExternalId) -> Result<()> {
        if !wire::is_id(id) {
            return Err(Error::new(ErrorKind::Config, "id_unreadable", "a webhook's id is a number"));
        }
        let path = format!("{HOOKS}/{id}");
        let known: One = match self.client.execute_with(ApiRequest::get(path.clone()), wire::json).await {
            Ok(known) => known,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if known.data.ours().is_none() {
            return Err(Error::new(ErrorKind::Rejected, "webhook_foreign", "the webhook is not one of ours")
                .with_remedy("have whoever made it delete it, if that is meant"));
        }
        self.delete(path).await
    }
}

impl BigCommerce {
    async fn hooks(&self) -> Result<Vec<Item>> {
        let mut all: Vec<Item> = Vec::new();
        for page in 1..=MAX_PAGES {
            let answered = self.client.execute_with(list(page), wire::answered).await?;
            let items: Vec<Item> = answered.records()?;
            // Behind its end, a list may give its last page again.
            let known = all.len();
            let fresh = items.into_iter().filter(|item| !all.iter().any(|known| known.id == item.id));
            let fresh: Vec<Item> = fresh.collect();
            all.extend(fresh);
            let is_last = answered.pagination.total_pages.is_some_and(|pages| page >= pages);
            if is_last || all.len() == known {
                return Ok(all);
            }
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            "too_many_webhooks",
            "the API account has more webhooks than are looked through",
        )
        .with_remedy("delete webhooks of the API account that nobody uses"))
    }

    async fn subscribe_to(&self, scope: &str, address: &str, secret: &Secret) -> Result<Item> {
        let refused = match self.create(scope, address, secret).await {
            Err(error) if error.kind() == ErrorKind::Rejected => error,
            made => return made,
        };
        // The platform takes a destination once for a scope: an answer that was lost may have been about this one.
        let there = self.hooks().await?.into_iter().find(|it| it.scope == scope && it.destination == address);
        match there {
            // One that it gave up stands in the way of a new one. Switched on again, it would keep its past.
            Some(dead) if !dead.is_active => {
                self.delete(format!("{HOOKS}/{}", dead.id)).await?;
                self.create(scope, address, secret).await
            }
            Some(alive) => {
                let headers = json!({ "headers": { SECRET_HEADER: secret.expose() } });
                let call =
                    ApiRequest::write(Method::PUT, format!("{HOOKS}/{}", alive.id), headers.to_string())
                        .idempotency(Idempotency::Safe)
                        .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
                self.client.execute_with(call, wire::json::<One>).await.map(|one| one.data)
            }
            None => Err(refused),
        }
    }

    async fn create(&self, scope: &str, address: &str, secret: &Secret) -> Result<Item> {
        let hook = json!({
            "scope": scope,
            "destination": address,
            "is_active": true,
            "headers": { SECRET_HEADER: secret.expose() },
        });
        let call = ApiRequest::write(Method::POST, HOOKS, hook.to_string())
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        self.client.execute_with(call, wire::json::<One>).await.map(|one| one.data)
    }

    /// A repetition finds it gone, so a lost answer does no harm.
    async fn delete(&self, path: String) -> Result<()> {
        let mut call = ApiRequest::write(Method::DELETE, path, String::new())
            .idempotency(Idempotency::Safe)
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        call.body = None;
        match self.client.execute(call).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The address with the mark of the label, at a port that the platform delivers to.
    fn address(&self, wanted: &Subscription) -> Result<String> {
        let port = wanted.delivery_url.port_or_known_default();
        if port != Some(443) && !self.private_hosts {
            return Err(Error::new(
                ErrorKind::Config,
                "delivery_url_unusable",
                "the platform delivers to port 443 only",
            )
            .with_remedy("take deliveries by https at port 443"));
        }
        let secret = wanted.secret.expose();
        let fits = |byte: u8| byte.is_ascii_graphic();
        if secret.is_empty() || secret.len() > MAX_SECRET || !secret.bytes().all(fits) {
            return Err(Error::new(
                ErrorKind::Config,
                "webhook_secret_unusable",
                "the secret must be 1..=200 characters that a header can carry",
            )
            .with_remedy("make it with webhook::new_secret"));
        }
        wanted.marked_address(self.private_hosts)
    }
}

fn list(page: u64) -> ApiRequest {
    ApiRequest::get(HOOKS)
        .query("page", page.to_string())
        .query("limit", wire::MAX_PAGE.to_string())
        .attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT)
}

/// Whether subscriptions can be seen.
pub(super) fn probe() -> ApiRequest {
    ApiRequest::get(HOOKS).query("limit", "1")
}

#[derive(Debug, Deserialize)]
struct One {
    data: Item,
}

/// A webhook as the store shows it. Its headers hold a secret, and are not read.
#[derive(Debug, Deserialize)]
struct Item {
    id: u64,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    destination: String,
    #[serde(default)]
    is_active: bool,
}

impl Item {
    /// The subscription that it is; none where its address is not by us.
    fn ours(self) -> Option<Subscribed> {
        let (address, label) = Subscription::unmarked(&self.destination)?;
        let status = if self.is_active { SubscriptionStatus::Active } else { SubscriptionStatus::Disabled };
        let told = topics::of_scope(&self.scope).unwrap_or(Told::Record(EventKind::Other, Entity::Product));
        let known =
            Subscribed::new(self.id.to_string(), label, told.topic(), Url::parse(address).ok(), status);
        Some(known.telling(told))
    }
}

/// A value that is a text, of a bounded length.
fn word(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if text.len() <= 200 => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_says_what_it_tells_and_one_of_somebody_else_is_none() {
        let item = |scope: &str, destination: &str, is_active| Item {
            id: 7,
            scope: scope.to_owned(),
            destination: destination.to_owned(),
            is_active,
        };
        let ours = "https://a.example/hook?lily-connect=main";
        let told = |scope: &str| item(scope, ours, true).ours().unwrap().told();
        assert_eq!(told("store/product/updated"), Told::Record(EventKind::Updated, Entity::Product));
        assert_eq!(told("store/sku/deleted"), Told::Record(EventKind::Deleted, Entity::Variant));
        assert_eq!(told("store/order/created").topic(), EventKind::Other);
        assert_eq!(
            item("store/product/updated", ours, false).ours().unwrap().status,
            SubscriptionStatus::Disabled
        );
        assert_eq!(item("store/product/updated", "https://a.example/hook", true).ours(), None);
    }
}
