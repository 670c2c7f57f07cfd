//! What Adobe Commerce shall tell of products: which events of Adobe I/O the shop sends (REST `eventing`, official
//! schema of 2026-08-05). Where they are delivered is set at Adobe's console; Magento Open Source and Mage-OS send none.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::connector::Magento;
use super::wire::{self, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::model::Text;

/// The events of products, and what they have to tell: more would be a payload too large to be sent.
const EVENTS: [&str; 2] =
    ["observer.catalog_product_save_commit_after", "observer.catalog_product_delete_commit_after"];
const FIELDS: [&str; 4] = ["entity_id", "sku", "store_id", "updated_at"];

/// An event that the shop sends.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    #[serde(default)]
    name: String,
}

impl Sent {
    /// Whether it says which product it is about.
    fn tells_id(&self) -> bool {
        self.fields.is_empty()
            || self.fields.iter().any(|field| matches!(field.name.as_str(), "entity_id" | "*"))
    }

    /// Whether it is as this crate makes it.
    fn is_ours(&self) -> bool {
        let mut names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        names.sort_unstable();
        names == FIELDS && EVENTS.contains(&self.name.as_str())
    }
}

impl Magento {
    /// The events of products that the shop sends, by their names.
    ///
    /// # Errors
    /// `Unsupported` with code `events_missing` where the shop has no such module; else what the pipeline says.
    pub async fn events(&self) -> Result<Vec<Text>> {
        let sent = self.sent_events().await?.into_iter().map(|event| event.name);
        Ok(sent.filter(|name| EVENTS.contains(&name.as_str())).map(Text::from).collect())
    }

    /// Has the shop send the events of products that it does not send yet, and gives their names. One that it sends
    /// already stays as it is.
    ///
    /// # Errors
    /// As [`Magento::events`]; `Rejected` with code `event_without_id` where one is sent already that does not say which
    /// product it is about.
    pub async fn send_events(&self) -> Result<Vec<Text>> {
        let sent = self.sent_events().await?;
        let mut made = Vec::new();
        for name in EVENTS {
            match sent.iter().find(|event| event.name == name) {
                Some(event) if event.tells_id() => continue,
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::Rejected,
                        "event_without_id",
                        "the shop sends an event that does not say which product it is about",
                    )
                    .with_context("event", name)
                    .with_remedy("add the field entity_id to the event's subscription, or remove it"));
                }
                None => {}
            }
            let fields = FIELDS.map(|field| json!({ "name": field, "converter": "", "source": "" }));
            let event = json!({
                "name": name, "parent": "", "fields": fields, "rules": [], "destination": "default",
                "priority": false, "hipaa_audit_required": false, "provider_id": "",
            });
            self.eventing(self.api.write(
                Method::POST,
                &Scope::All,
                "eventing/eventSubscribe",
                &json!({ "event": event }),
            ))
            .await?;
            made.push(name.into());
        }
        Ok(made)
    }

    /// Has the shop send the events no more that are as [`Magento::send_events`] makes them; others stay.
    ///
    /// # Errors
    /// As [`Magento::events`].
    pub async fn stop_events(&self) -> Result<Vec<Text>> {
        let mut gone = Vec::new();
        for event in self.sent_events().await?.into_iter().filter(Sent::is_ours) {
            let below = format!("eventing/eventUnsubscribe/{}", event.name);
            self.eventing(self.api.bare(Method::POST, &Scope::All, &below)).await?;
            gone.push(event.name.into());
        }
        Ok(gone)
    }

    async fn sent_events(&self) -> Result<Vec<Sent>> {
        let call = self.api.get(&Scope::All, "eventing/getEventSubscriptions");
        self.client.execute_with(call, wire::json).await.map_err(no_events)
    }

    async fn eventing(&self, call: ApiRequest) -> Result<()> {
        self.client.execute(call).await.map(drop).map_err(no_events)
    }
}

fn no_events(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    Error::new(ErrorKind::Unsupported, "events_missing", "the shop sends no events")
        .with_remedy("schedule deltas; Adobe Commerce sends events with its modules for Adobe I/O")
        .with_source(error)
}
