//! A store in a view: in a further language of one of its channels, or with what a channel has of its own.
//!
//! Lists and counts are those of the store's own products. What a view has in their place is read by id, and written, over
//! the GraphQL Admin API: as a translation, or as a channel's own value.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::channel_values::ChannelValues;
use super::connector::BigCommerce;
use super::translations::Translations;
use super::wire;
use super::{PLATFORM, map, write};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Detail, Health, Outcomes, Page, Patch, PatchValue, PullRequest,
    PushRequest, Select, Written,
};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::graphql;
use crate::http::{ApiClient, ApiRequest, Idempotency};
use crate::mapping::SchemaMap;
use crate::model::{
    Capabilities, DeltaClock, Entity, ExternalId, FieldName, RawItems, Shape, Text, View, WritableField,
};

/// The most products of one answer: that of translations has no more.
pub(super) const MAX_PAGE: u32 = 50;
/// The most patches that are written at once; the store's limiter decides how many calls leave.
const AT_ONCE: usize = 4;
/// The texts of a product that a view can have of its own, each with its name in the map.
const NAMES: [(&str, &str); 4] = [
    ("title", "name"),
    ("description", "description"),
    ("seo.title", "page_title"),
    ("seo.description", "meta_description"),
];

fn name_of(field: &FieldName) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| field.as_str() == *known).map(|(_, name)| *name)
}

/// A text as GraphQL writes it, which is as JSON does.
pub(super) fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// The interface's name of a product.
pub(super) fn resource(id: u64) -> String {
    format!("bc/store/product/{id}")
}

/// What a view has in place of the store's own texts, and the way to it.
#[async_trait]
pub(super) trait Texts: fmt::Debug + Send + Sync {
    /// The texts of products, by id and their names in the map. What a view does not have, and what the answer does not
    /// name, is left out.
    async fn read(
        &self,
        client: &ApiClient,
        ids: &[u64],
        request: &PullRequest,
    ) -> Result<HashMap<u64, Map<String, Value>>>;

    /// Sets texts of a product, and takes others away.
    async fn write(&self, client: &ApiClient, edit: Edit<'_>, request: &PushRequest, outcomes: &mut Outcomes);

    /// Whether an answer names each product, also one without texts of its own.
    fn names_each(&self) -> bool {
        false
    }

    /// Why an undo of a field may leave something behind.
    fn partly(&self, _field: &FieldName) -> Option<&'static str> {
        None
    }
}

/// What is written to a product: texts, each with its field and its name in the map.
pub(super) struct Edit<'a> {
    pub(super) id: u64,
    pub(super) set: Vec<(FieldName, &'static str, &'a str)>,
    pub(super) gone: Vec<(FieldName, &'static str)>,
}

/// What a write of the store's own text does to those of its views, for the plan.
pub(super) fn spill_into(languages: &[View], values: &[View], writable: &mut [WritableField]) {
    let named = |what: &str, views: Vec<String>| {
        (!views.is_empty()).then(|| format!("{what} ({}) stay as they are", views.join(", ")))
    };
    let languages = languages.iter().filter_map(|view| view.locale.as_ref().map(Text::to_string)).collect();
    let values = values.iter().map(ToString::to_string).collect();
    let notes = [named("translations of it", languages), named("values of it that channels have", values)];
    let note = notes.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if note.is_empty() {
        return;
    }
    for field in writable.iter_mut().filter(|field| name_of(&field.field).is_some()) {
        field.spill = Some(note.clone().into());
    }
}

/// A question of a page.
pub(super) fn question(text: &str, request: &PullRequest) -> ApiRequest {
    let call = call(json!({ "query": text })).idempotency(Idempotency::Safe).lane(request.lane);
    let call = call.attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT);
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

/// A change of a push.
pub(super) fn change(body: Value, request: &PushRequest) -> ApiRequest {
    call(body)
        .lane(request.lane)
        .not_after(Some(request.guard_until))
        .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT)
}

pub(super) fn call(body: Value) -> ApiRequest {
    ApiRequest::write(Method::POST, "graphql", body.to_string())
}

/// The body of an answer without errors at its top; else `refused`, with what the platform says.
pub(super) async fn answered(client: &ApiClient, call: ApiRequest, refused: fn() -> Error) -> Result<Bytes> {
    let is_read = call.idempotency == Idempotency::Safe;
    let body = client.execute_with(call, wire::answered).await?.body;
    let answer = graphql::Answer::read(&body)?;
    let Some(error) = answer.errors.first() else { return Ok(body) };
    // One change is one call: where nothing comes of it, it was refused, unless the platform itself broke down.
    let broke_down = error.code.as_deref().is_some_and(|code| code.contains("INTERNAL"));
    let is_refused = answer.data != graphql::Data::Present && !broke_down;
    let effect = if is_read || is_refused { Effect::None } else { Effect::Possible };
    Err(error.describe(refused().with_effect(effect)))
}

/// A member of an answer's data.
pub(super) fn member<T: DeserializeOwned>(body: &[u8], name: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Data {
        data: Map<String, Value>,
    }
    let read = || {
        let mut data = serde_json::from_slice::<Data>(body).ok()?.data;
        serde_json::from_value(data.remove(name)?).ok()
    };
    read().ok_or_else(|| {
        let what = "the store's answer about texts of a view cannot be read";
        Error::new(ErrorKind::Protocol, "answer_unreadable", what)
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct Edges<T> {
    edges: Vec<Edge<T>>,
}

#[derive(Debug, Deserialize)]
struct Edge<T> {
    node: T,
}

impl<T> Edges<T> {
    pub(super) fn nodes(self) -> impl Iterator<Item = T> {
        self.edges.into_iter().map(|edge| edge.node)
    }
}

impl BigCommerce {
    /// The same store in one of its views.
    pub(super) fn viewed(&self, view: &View) -> Result<Viewed> {
        let unknown = || {
            let what = format!("the store has no further language {view}");
            Error::new(ErrorKind::Unsupported, "view_unknown", what)
                .with_remedy("name the channel in the settings, and add the language to it in the store")
        };
        let known = self.views.iter().find(|known| {
            let same = |one: &Option<Text>, other: &Option<Text>| {
                one.as_deref().unwrap_or_default().eq_ignore_ascii_case(other.as_deref().unwrap_or_default())
            };
            same(&known.locale, &view.locale) && same(&known.scope, &view.scope)
        });
        let view = known.cloned().ok_or_else(unknown)?;
        let (locale, channel) =
            (view.locale.clone().ok_or_else(unknown)?, view.scope.clone().ok_or_else(unknown)?);
        let texts: Box<dyn Texts> = if self.channel_values.contains(&view) {
            Box::new(ChannelValues { locale, channel })
        } else {
            Box::new(Translations { locale, channel })
        };
        Ok(Viewed {
            capabilities: capabilities(self.capabilities(), &*texts),
            products: SchemaMap::compile(PLATFORM, Entity::Product, map::VIEWED)?,
            info: self.info().in_view(view),
            origin: Arc::new(self.clone()),
            texts,
        })
    }
}

/// What can be done in a view: the store's claims for products, narrowed to what a view can have of its own.
fn capabilities(own: &Capabilities, texts: &dyn Texts) -> Capabilities {
    let mut claims = own.clone();
    claims.entities.retain(|entity| entity.entity == Entity::Product);
    for entity in &mut claims.entities {
        entity.max_page = entity.max_page.min(NonZeroU32::MIN.saturating_add(MAX_PAGE - 1));
        // Whether a view's text moves its product's time is not known (2026-11-30).
        entity.delta = DeltaClock::CanLie;
        entity.unclocked = Vec::new();
        // A view's product has no status of its own.
        entity.statuses = Vec::new();
        entity.unavailable = Vec::new();
        entity.writable.retain(|field| name_of(&field.field).is_some());
        for field in &mut entity.writable {
            (field.removable, field.empty, field.unique) = (true, false, false);
            (field.spill, field.moves_stamp) = (None, false);
            field.partly = texts.partly(&field.field);
        }
    }
    claims
}

/// A store in a view.
#[derive(Debug)]
pub(super) struct Viewed {
    info: ConnectorInfo,
    capabilities: Capabilities,
    products: SchemaMap,
    origin: Arc<BigCommerce>,
    texts: Box<dyn Texts>,
}

impl Viewed {
    /// The products with these ids, each with its texts, as the map reads them; and those that are gone by now.
    async fn records(&self, ids: &[u64], request: &PullRequest) -> Result<(Bytes, Vec<ExternalId>)> {
        let mut of = self.texts.read(&self.origin.client, ids, request).await?;
        let mut gone: Vec<ExternalId> = Vec::new();
        if self.texts.names_each() {
            let untold = ids.iter().filter(|id| !of.contains_key(id));
            gone.extend(untold.map(|id| ExternalId::from(id.to_string())));
        }
        if !gone.is_empty() {
            let again = PullRequest { select: Select::Ids(gone.clone()), cursor: None, ..request.clone() };
            let there = self.origin.product_ids_page(&again, &gone).await?;
            if there.missing.len() < gone.len() {
                let what = "the store's answer leaves out products that are there";
                return Err(Error::new(ErrorKind::Protocol, "answer_incomplete", what));
            }
        }
        let mut records = Vec::new();
        for id in ids {
            let texts = of.remove(id);
            if texts.is_some() || !self.texts.names_each() {
                let mut record = texts.unwrap_or_default();
                record.insert("id".to_owned(), (*id).into());
                records.push(Value::from(record));
            }
        }
        Ok((Bytes::from(Value::from(records).to_string()), gone))
    }

    /// Writes texts of one product, and takes others away.
    async fn write(&self, patch: &Patch, request: &PushRequest) -> Written {
        let mut outcomes = Outcomes::new();
        let all: Vec<FieldName> = patch.changes.iter().map(|change| change.field.clone()).collect();
        let (mut set, mut gone) = (Vec::new(), Vec::new());
        for change in &patch.changes {
            let claimed =
                self.capabilities.entity(patch.target.kind).and_then(|it| it.writable(&change.field));
            match (name_of(&change.field).filter(|_| claimed.is_some()), &change.value) {
                (Some(name), PatchValue::Text { text, .. }) => {
                    set.push((change.field.clone(), name, text.as_str()));
                }
                (Some(name), PatchValue::Removed) => gone.push((change.field.clone(), name)),
                _ => outcomes.held_back(&all, write::not_writable(&change.field)),
            }
        }
        if set.len() + gone.len() < all.len() {
            return outcomes.written(patch);
        }
        let Some(id) = wire::whole(patch.target.id.as_str()) else {
            let what = "only products can be written";
            outcomes.held_back(&all, Error::new(ErrorKind::Unsupported, "not_writable", what));
            return outcomes.written(patch);
        };
        self.texts.write(&self.origin.client, Edit { id, set, gone }, request, &mut outcomes).await;
        outcomes.written(patch)
    }
}

#[async_trait]
impl Connector for Viewed {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        (entity == Entity::Product).then_some(&self.products)
    }

    async fn check(&self) -> Result<Health> {
        self.origin.check().await
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        let claims = request.must_be_claimed(&self.capabilities)?;
        let size = request.page_size.map_or(claims.max_page, |size| size.min(claims.max_page));
        let ids_only = PullRequest { detail: Detail::IdsOnly, page_size: Some(size), ..request.clone() };
        let began = self.origin.runtime.clock().elapsed();
        let mut page = match &request.select {
            Select::Ids(ids) => self.origin.product_ids_page(&ids_only, ids).await?,
            _ => self.origin.products_page(&ids_only).await?,
        };
        if request.detail == Detail::IdsOnly {
            return Ok(page);
        }
        let mut ids = Vec::new();
        for items in &page.items {
            for record in wire::raw_records(&items.body)? {
                ids.push(wire::id_of(record)?);
            }
        }
        let (body, gone) = self.records(&ids, &ids_only).await?;
        if matches!(request.select, Select::Ids(_)) {
            page.missing.extend(gone);
        }
        page.items = vec![RawItems::new(Entity::Product, body, Shape::List)];
        page.took = page.took.max(self.origin.runtime.clock().elapsed().saturating_sub(began));
        Ok(page)
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let todo: Vec<_> = request.patches.iter().map(|patch| self.write(patch, request)).collect();
        Written::answers(stream::iter(todo).buffered(AT_ONCE).collect().await)
    }

    fn origin(&self) -> Option<&dyn Connector> {
        Some(&*self.origin)
    }
}
