//! A store in a further language of one of its channels: what is translated is read and written, and nothing else.
//!
//! Lists and counts are those of the store's own products; translations are read by id over the GraphQL Admin API, in beta
//! and for Catalyst storefronts (documents `store-operations/translations` and `settings/locales`, read 2026-11-30). That a
//! field without a translation has `null` was reported of a live store on 2026-09-05.

use std::collections::HashMap;
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

use super::connector::BigCommerce;
use super::wire;
use super::{PLATFORM, map, write};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Detail, FieldAnswer, Health, Outcomes, Page, Patch, PatchValue,
    PullRequest, PushRequest, Select, Written,
};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::graphql;
use crate::http::{ApiClient, ApiRequest, Idempotency};
use crate::mapping::SchemaMap;
use crate::model::{
    Capabilities, DeltaClock, Entity, FieldName, Lane, RawItems, Shape, Text, View, WritableField,
};

/// The most translations of one answer.
const MAX_PAGE: u32 = 50;
/// The most patches that are written at once; the store's limiter decides how many calls leave.
const AT_ONCE: usize = 4;
/// The texts of a product that have translations, each with the platform's name.
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
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

#[derive(Debug, Deserialize)]
struct Edges<T> {
    edges: Vec<Edge<T>>,
}

#[derive(Debug, Deserialize)]
struct Edge<T> {
    node: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Locale {
    code: Text,
    #[serde(default)]
    is_default: bool,
}

/// The further languages of channels, as views.
///
/// # Errors
/// What the platform says: that the token may not read them, or that the store has no such interface.
pub(super) async fn views(client: &ApiClient, channels: &[u64]) -> Result<Vec<View>> {
    #[derive(Deserialize)]
    struct Store {
        locales: Edges<Locale>,
    }
    let mut views = Vec::new();
    for channel in channels {
        let text = format!(
            "query {{ store {{ locales(input: {{ channelId: \"bc/store/channel/{channel}\" }}) {{ edges {{ node {{ code isDefault }} }} }} }} }}"
        );
        let store: Store = member(&answered(client, asked(&text, Lane::Interactive)).await?, "store")?;
        let further =
            store.locales.edges.into_iter().map(|edge| edge.node).filter(|locale| !locale.is_default);
        views.extend(further.map(|locale| View {
            scope: Some(channel.to_string().into()),
            ..View::in_language(locale.code)
        }));
    }
    Ok(views)
}

/// What a write of the store's own text does to its translations, for the plan.
pub(super) fn spill_into(views: &[View], writable: &mut [WritableField]) {
    if views.is_empty() {
        return;
    }
    let languages: Vec<&str> = views.iter().filter_map(|view| view.locale.as_deref()).collect();
    let note = format!("translations of it ({}) stay as they are", languages.join(", "));
    for field in writable.iter_mut().filter(|field| name_of(&field.field).is_some()) {
        field.spill = Some(note.clone().into());
    }
}

/// A call of the interface that reads. The names of its input types are in no document, so that values stand in the text.
fn asked(text: &str, lane: Lane) -> ApiRequest {
    ApiRequest::write(Method::POST, "graphql", json!({ "query": text }).to_string())
        .idempotency(Idempotency::Safe)
        .lane(lane)
        .attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT)
}

/// The body of an answer without errors at its top.
async fn answered(client: &ApiClient, call: ApiRequest) -> Result<Bytes> {
    let is_read = call.idempotency == Idempotency::Safe;
    let body = client.execute_with(call, wire::answered).await?.body;
    let answer = graphql::Answer::read(&body)?;
    let Some(error) = answer.errors.first() else { return Ok(body) };
    let made = Error::new(
        ErrorKind::Unsupported,
        "translations_refused",
        "the store does not answer questions about translations",
    )
    .with_remedy(
        "use a channel of a Catalyst storefront, and give the API account the scope Store Translations",
    )
    .with_effect(if is_read { Effect::None } else { Effect::Possible });
    Err(error.describe(made))
}

fn member<T: DeserializeOwned>(body: &[u8], name: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Data {
        data: Map<String, Value>,
    }
    let read = || {
        let mut data = serde_json::from_slice::<Data>(body).ok()?.data;
        serde_json::from_value(data.remove(name)?).ok()
    };
    read().ok_or_else(|| {
        Error::new(
            ErrorKind::Protocol,
            "answer_unreadable",
            "the store's answer about translations cannot be read",
        )
    })
}

impl BigCommerce {
    /// The same store in one of its further languages.
    pub(super) fn translated(&self, view: &View) -> Result<Translated> {
        let unknown = || {
            Error::new(
                ErrorKind::Unsupported,
                "view_unknown",
                format!("the store has no further language {view}"),
            )
            .with_remedy("name the channel in the settings, and add the language to it in the store")
        };
        let known = self.views.iter().find(|known| {
            let same = |one: &Option<Text>, other: &Option<Text>| {
                one.as_deref().unwrap_or_default().eq_ignore_ascii_case(other.as_deref().unwrap_or_default())
            };
            same(&known.locale, &view.locale) && same(&known.scope, &view.scope)
        });
        let view = known.cloned().ok_or_else(unknown)?;
        Ok(Translated {
            locale: view.locale.clone().ok_or_else(unknown)?,
            channel: view.scope.clone().ok_or_else(unknown)?,
            capabilities: capabilities(self.capabilities()),
            products: SchemaMap::compile(PLATFORM, Entity::Product, map::TRANSLATED)?,
            info: self.info().in_view(view),
            origin: Arc::new(self.clone()),
        })
    }
}

/// What can be done in a language: the store's claims for products, narrowed to what has translations.
fn capabilities(own: &Capabilities) -> Capabilities {
    let mut claims = own.clone();
    claims.entities.retain(|entity| entity.entity == Entity::Product);
    for entity in &mut claims.entities {
        entity.max_page = entity.max_page.min(NonZeroU32::MIN.saturating_add(MAX_PAGE - 1));
        // Whether a translation moves its product's time is not known (2026-11-30).
        entity.delta = DeltaClock::CanLie;
        entity.unclocked = Vec::new();
        // A translation has no status of its own.
        entity.statuses = Vec::new();
        entity.unavailable = Vec::new();
        entity.writable.retain(|field| name_of(&field.field).is_some());
        for field in &mut entity.writable {
            (field.removable, field.empty, field.unique) = (true, false, false);
            (field.spill, field.moves_stamp) = (None, false);
        }
    }
    claims
}

/// A store in a further language of a channel.
#[derive(Debug)]
pub(super) struct Translated {
    locale: Text,
    channel: Text,
    info: ConnectorInfo,
    capabilities: Capabilities,
    products: SchemaMap,
    origin: Arc<BigCommerce>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    resource_id: String,
    fields: Vec<Translation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Translation {
    field_name: String,
    #[serde(default)]
    translation: Option<String>,
}

/// What the platform says of a mutation: nothing where all was done.
#[derive(Debug, Deserialize)]
struct Done {
    errors: Vec<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    /// The fields that it is about; none where it is about all.
    #[serde(default)]
    fields: Vec<String>,
}

impl Translated {
    /// What every question about translations begins with.
    fn head(&self) -> String {
        format!(
            "resourceType: PRODUCTS, channelId: {}, localeId: {}",
            quoted(&format!("bc/store/channel/{}", self.channel)),
            quoted(&format!("bc/store/locale/{}", self.locale)),
        )
    }

    /// The products with these ids, each with its translations, as the map reads them.
    async fn translations(&self, ids: &[u64], request: &PullRequest) -> Result<Bytes> {
        #[derive(Deserialize)]
        struct Store {
            translations: Edges<Node>,
        }
        let mut of: HashMap<String, Map<String, Value>> = HashMap::new();
        for some in ids.chunks(MAX_PAGE as usize) {
            let names: Vec<String> = some.iter().map(|id| quoted(&resource(*id))).collect();
            let text = format!(
                "query {{ store {{ translations(filters: {{ {}, resourceIds: [{}] }}, first: {MAX_PAGE}) {{ edges {{ node {{ resourceId fields {{ fieldName original translation }} }} }} }} }} }}",
                self.head(),
                names.join(", "),
            );
            let mut call = asked(&text, request.lane);
            if let Some(timeout) = request.timeout {
                call = call.timeout(timeout);
            }
            let store: Store = member(&answered(&self.origin.client, call).await?, "store")?;
            for Edge { node } in store.translations.edges {
                let texts =
                    node.fields.into_iter().filter_map(|it| Some((it.field_name, it.translation?.into())));
                of.entry(node.resource_id).or_default().extend(texts);
            }
        }
        let records: Vec<Value> = ids
            .iter()
            .map(|id| {
                let mut record = of.remove(&resource(*id)).unwrap_or_default();
                record.insert("id".to_owned(), (*id).into());
                record.into()
            })
            .collect();
        Ok(Bytes::from(Value::from(records).to_string()))
    }

    /// Writes the translations of one product, and takes others away.
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
        let resource = quoted(&resource(id));
        let mut steps = Vec::new();
        if !set.is_empty() {
            let field = |(_, name, text): &(FieldName, &str, &str)| {
                format!("{{ fieldName: {}, value: {} }}", quoted(name), quoted(text))
            };
            let fields: Vec<String> = set.iter().map(field).collect();
            let fields = fields.join(", ");
            let input = format!("entities: [{{ resourceId: {resource}, fields: [{fields}] }}]");
            let fields = set.into_iter().map(|(field, name, _)| (field, name)).collect();
            steps.push(("updateTranslations", input, fields));
        }
        if !gone.is_empty() {
            let names: Vec<String> = gone.iter().map(|(_, name)| quoted(name)).collect();
            let input = format!("resources: [{{ resourceId: {resource}, fields: [{}] }}]", names.join(", "));
            steps.push(("deleteTranslations", input, gone));
        }
        for (mutation, input, fields) in steps {
            self.step(mutation, &input, &fields, request, &mut outcomes).await;
        }
        outcomes.written(patch)
    }

    async fn step(
        &self,
        mutation: &str,
        input: &str,
        fields: &[(FieldName, &str)],
        request: &PushRequest,
        outcomes: &mut Outcomes,
    ) {
        let text = format!(
            "mutation {{ translation {{ {mutation}(input: {{ {}, {input} }}) {{ errors {{ __typename ... on Error {{ message }} ... on InvalidTranslationEntityFieldsError {{ fields }} }} }} }} }}",
            self.head(),
        );
        let call = ApiRequest::write(Method::POST, "graphql", json!({ "query": text }).to_string())
            .lane(request.lane)
            .not_after(Some(request.guard_until))
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        let names: Vec<FieldName> = fields.iter().map(|(field, _)| field.clone()).collect();
        let done = match answered(&self.origin.client, call).await {
            Ok(body) => member::<HashMap<String, Done>>(&body, "translation")
                .map_err(|error| error.with_effect(Effect::Possible))
                .map(|mut done| done.remove(mutation).map(|done| done.errors).unwrap_or_default()),
            Err(error) => Err(error),
        };
        let refusals = match done {
            Ok(refusals) => refusals,
            Err(error) => return outcomes.failed(&names, error),
        };
        for (field, name) in fields {
            let about =
                |refusal: &&Refusal| refusal.fields.is_empty() || refusal.fields.iter().any(|it| it == name);
            let answer = match refusals.iter().find(about) {
                Some(refusal) => FieldAnswer::Refused {
                    code: "translation_refused".to_owned(),
                    why: refusal.message.chars().filter(|letter| !letter.is_control()).take(200).collect(),
                },
                None => FieldAnswer::Accepted,
            };
            outcomes.said(std::slice::from_ref(field), &answer);
        }
    }
}

fn resource(id: u64) -> String {
    format!("bc/store/product/{id}")
}

#[async_trait]
impl Connector for Translated {
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
        let body = self.translations(&ids, request).await?;
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
