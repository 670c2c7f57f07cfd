//! A small platform in memory with a right connector to it: no HTTP, so what a test over it shows is the suite's
//! doing.
//!
//! Its lists come by windows of ids, as some platforms page: a window whose records are gone is an empty page with
//! a next cursor. Pages do not overlap, and every change moves the clock of its record.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "test support"
)]

mod hooks;
mod jobs;

pub(crate) use hooks::unverified;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use lily_connect::connector::{
    Answer, Connector, ConnectorInfo, Detail, FieldAnswer, Finding, Health, Known, LookUp, Page, Patch,
    PatchValue, PullRequest, PushRequest, Select, Severity, Total, WebhookSource, WriteJobs,
};
use lily_connect::error::{Effect, Error, ErrorKind, Result};
use lily_connect::mapping::{Direction, Rule, SchemaMap, Transform, rule};
use lily_connect::model::{
    AnswerHolds, Capabilities, Cursor, DeltaClock, Entity, EntityCapabilities, ExternalId, FieldName,
    NameSource, Normaliser, Platform, RawItems, RecordRef, Secret, Shape, StoreKey, StoreProfile,
    Unavailable, WritableField,
};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::contract::{ContractFixture, On, Received, Right as Rights, Strike, Trouble};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::Timestamp;
use lily_connect::transport::ReqwestTransport;
use lily_connect::webhook::Incoming;
use serde_json::{Map, Value, json};

const PLATFORM: Platform = Platform::new("memory");
const IDS_A_REQUEST: usize = 50;
const MAX_PAGE: u32 = 5;
const MAX_BATCH: u32 = 4;
/// The categories of the store; a product can have no others.
const CATEGORIES: [&str; 3] = ["Caps", "Hats", "Scarves"];
pub(crate) const KEY: &str = "key_of_the_memory_store";

static RULES: &[Rule] = &[
    rule("/id", "ref.id", Transform::Id, Direction::Read),
    rule("/name", "title", Transform::Text, Direction::ReadWrite),
    rule("/body", "description", Transform::Html, Direction::ReadWrite),
    rule("/sku", "sku", Transform::Text, Direction::Read),
    rule("/tags/*/id", "tags[].id", Transform::Id, Direction::ReadWrite),
    rule("/tags/*/name", "tags[].name", Transform::Text, Direction::ReadWrite),
    rule("/categories/*/id", "categories[].id", Transform::Id, Direction::ReadWrite),
    rule("/categories/*/name", "categories[].name", Transform::Text, Direction::ReadWrite),
    rule("/images/*/id", "media[].id", Transform::Id, Direction::ReadWrite),
    rule("/images/*/alt", "media[].alt", Transform::Text, Direction::ReadWrite),
    rule("/seo_title", "seo.title", Transform::OptionalText, Direction::ReadWrite),
    rule("/updated", "modified_at", Transform::UtcTime, Direction::Read),
];

/// The platform.
#[derive(Debug)]
pub(crate) struct Store {
    runtime: Runtime,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<u64, (Map<String, Value>, Timestamp)>,
    received: Received,
    strikes: Vec<Strike>,
    deletions: Vec<(u64, Vec<u64>)>,
    next_tag: u64,
    /// The texts of the pictures, which several products may show.
    alts: BTreeMap<u64, String>,
    /// What is left of the key's rights; all where there is none.
    rights: Option<Rights>,
    in_flight: u64,
    peak: u64,
    hooks: BTreeMap<u64, hooks::Hook>,
    jobs: jobs::Jobs,
    /// The number of the last subscription, and of the last delivery.
    last: u64,
}

impl State {
    fn set(&mut self, id: u64, changes: Map<String, Value>, now: Timestamp) -> Result<()> {
        let missing = || Error::new(ErrorKind::NotFound, "not_found", "there is no such record");
        if !self.items.contains_key(&id) {
            return Err(missing());
        }
        for (key, mut value) in changes {
            for tag in value.as_array_mut().into_iter().flatten() {
                let known = tag.get("id").and_then(Value::as_u64);
                if key == "images" {
                    let known = known.ok_or_else(missing)?;
                    if let Some(alt) = tag.as_object_mut().and_then(|picture| picture.remove("alt")) {
                        self.alts.insert(known, alt.as_str().unwrap_or_default().to_owned());
                    }
                } else if key == "categories" {
                    let name = known.and_then(|id| CATEGORIES.get(id as usize - 1)).ok_or_else(missing)?;
                    tag["name"] = json!(name);
                } else if known.is_none() {
                    self.next_tag += 1;
                    tag["id"] = json!(self.next_tag);
                } else {
                    // A known tag is sent by its id alone.
                    let known = self.items.values().flat_map(|(item, _)| item["tags"].as_array().unwrap());
                    let known: Vec<&Value> = known.filter(|known| known["id"] == tag["id"]).collect();
                    *tag = known.first().copied().cloned().ok_or_else(missing)?;
                }
            }
            let item = &mut self.items.get_mut(&id).ok_or_else(missing)?.0;
            if value.is_null() { drop(item.remove(&key)) } else { drop(item.insert(key, value)) }
        }
        self.items.get_mut(&id).ok_or_else(missing)?.1 = now;
        Ok(())
    }

    /// A record without its id and stamp, its pictures with their texts.
    fn shown(&self, id: u64) -> Option<Map<String, Value>> {
        let mut item = self.items.get(&id)?.0.clone();
        for picture in item["images"].as_array_mut()? {
            let alt = self.alts.get(&picture["id"].as_u64()?).cloned().unwrap_or_default();
            picture["alt"] = json!(alt);
        }
        Some(item)
    }

    fn body(&self, ids: impl Iterator<Item = u64>, detail: Detail) -> Value {
        let item = |id: u64| {
            let (_, updated) = self.items.get(&id)?;
            let mut json = json!({"id": id});
            if detail == Detail::Full {
                json.as_object_mut()?.extend(self.shown(id)?);
                json["updated"] = updated.to_utc_civil().into();
            }
            Some(json)
        };
        ids.filter_map(item).collect()
    }
}

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.runtime.clock().now()
    }

    /// One request over a line that may be in trouble.
    fn call<T>(&self, on: On, effect: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        state.received.requests += 1;
        state.received.writes += u64::from(on == On::Write);
        match state.rights {
            Some(Rights::Read) if on == On::Write => {
                return Err(Error::new(ErrorKind::Forbidden, "forbidden", "the key may only read"));
            }
            None | Some(Rights::Read) => {}
            Some(_) => return Err(Error::new(ErrorKind::Auth, "unauthorized", "the key is refused")),
        }
        let mut trouble = None;
        for strike in state.strikes.iter_mut().filter(|strike| strike.on == on && strike.times > 0) {
            if strike.after > 0 {
                strike.after -= 1;
            } else {
                strike.times -= 1;
                trouble = Some(strike.trouble);
                break;
            }
        }
        let lost =
            |what: &'static str| Error::new(ErrorKind::Timeout, "lost", what).with_effect(Effect::Possible);
        match trouble {
            None => effect(&mut state),
            Some(Trouble::Refused) => Err(Error::new(ErrorKind::Rejected, "refused", "the store said no")),
            Some(Trouble::RateLimited) => {
                Err(Error::new(ErrorKind::RateLimited, "rate_limited", "ask again in a minute"))
            }
            Some(Trouble::ServerError) => Err(lost("the store answered with a server error")),
            Some(Trouble::Html) => Err(lost("the store answered with a page")),
            Some(_) => effect(&mut state).and(Err(lost("the answer did not come whole"))),
        }
    }
}

/// The right connector.
#[derive(Debug)]
pub(crate) struct Right {
    store: Arc<Store>,
    #[expect(dead_code, reason = "held to see that it is never shown")]
    key: Secret,
    info: ConnectorInfo,
    capabilities: Capabilities,
    products: SchemaMap,
    /// So many lists are asked for at once.
    permits: tokio::sync::Semaphore,
}

impl Right {
    fn new(store: Arc<Store>, in_flight: usize) -> Self {
        let mut products =
            EntityCapabilities::new(Entity::Product, NonZeroU32::MIN.saturating_add(MAX_PAGE - 1));
        products.delta = DeltaClock::Trusted;
        (products.counted, products.sorted_by_id) = (true, true);
        (products.ids_only, products.by_ids) = (true, true);
        products.writable = vec![
            WritableField::text(FieldName::new("title"), Normaliser::Exact1),
            WritableField::html(FieldName::new("description"), 1000),
            WritableField::set(FieldName::new("tags")),
            WritableField::set(FieldName::new("categories")),
            WritableField::keyed(FieldName::new("media.alt"), Normaliser::Exact1, false),
            WritableField::text(FieldName::new("seo.title"), Normaliser::Exact1),
        ];
        products.writable[3].names = NameSource::Known;
        products.writable[4].shared_holder = Some(Entity::Media);
        products.writable[5].removable = true;
        products.writable.iter_mut().for_each(|field| field.moves_stamp = true);
        products.unavailable = vec![(FieldName::new("slug"), Unavailable::NotEnabled)];
        products.max_batch = NonZeroU32::MIN.saturating_add(MAX_BATCH - 1);
        let mut capabilities = Capabilities::new(vec![products]);
        capabilities.answer_holds = AnswerHolds::Nothing;
        capabilities.settle_after = Duration::from_secs(1);
        Self {
            store,
            key: Secret::new(KEY),
            info: ConnectorInfo::new(StoreKey::new("test", PLATFORM, "memory"), "1", StoreProfile::unknown()),
            capabilities,
            products: SchemaMap::compile(PLATFORM, Entity::Product, RULES).unwrap(),
            permits: tokio::sync::Semaphore::new(in_flight),
        }
    }

    fn list(&self, request: &PullRequest, from: u64, since: Option<Timestamp>) -> Result<Page> {
        let size = request.page_size.map_or(MAX_PAGE, |size| size.get().min(MAX_PAGE));
        let to = from + u64::from(size);
        let (body, total, last) = self.store.call(On::Read, |state| {
            let wanted = |id: &u64| since.is_none_or(|since| state.items[id].1 >= since);
            let all: Vec<u64> = state.items.keys().copied().filter(wanted).collect();
            let ids = all.iter().copied().filter(|id| (from + 1..=to).contains(id));
            let answer = (state.body(ids, request.detail), all.len() as u64, all.last().copied());
            for (left, ids) in &mut state.deletions {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    for id in ids.drain(..) {
                        state.items.remove(&id);
                    }
                }
            }
            Ok(answer)
        })?;
        let mut page = self.page(&body);
        page.total = Total::Exact(total);
        page.next = last.filter(|last| *last > to).map(|_| Cursor::new(to.to_string()));
        Ok(page)
    }

    fn by_ids(&self, request: &PullRequest, ids: &[ExternalId], from: usize) -> Result<Page> {
        let asked = ids.iter().skip(from).take(IDS_A_REQUEST);
        let (body, missing) = self.store.call(On::Read, |state| {
            let there =
                |id: &&ExternalId| id.as_str().parse().is_ok_and(|number| state.items.contains_key(&number));
            let (there, missing): (Vec<_>, Vec<_>) = asked.partition(there);
            let numbers = there.into_iter().filter_map(|id| id.as_str().parse().ok());
            Ok((state.body(numbers, request.detail), missing.into_iter().cloned().collect()))
        })?;
        let mut page = self.page(&body);
        page.missing = missing;
        let to = from + IDS_A_REQUEST;
        page.next = (to < ids.len()).then(|| Cursor::new(to.to_string()));
        Ok(page)
    }

    fn page(&self, body: &Value) -> Page {
        let mut page = Page::default();
        page.items = vec![RawItems::new(Entity::Product, body.to_string().into(), Shape::List)];
        page.server_time = Some(self.store.now());
        page
    }

    fn body(&self, patch: &Patch) -> Result<Map<String, Value>> {
        let mut body = Map::new();
        for change in &patch.changes {
            match &change.value {
                PatchValue::Text { text, raw } => {
                    let spelled = self.products.spell(&change.field, text, raw.as_deref())?;
                    self.products.put_text(&mut body, &change.field, spelled)?;
                }
                PatchValue::Terms(terms) => self.products.put_terms(&mut body, &change.field, terms)?,
                PatchValue::Media(media) => self.products.put_media(&mut body, media, &|text| text)?,
                PatchValue::Removed => self.products.put_removed(&mut body, &change.field)?,
                _ => return Err(unsupported("a value of this kind cannot be written")),
            }
        }
        Ok(body)
    }
}

fn unsupported(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "unsupported", what)
}

#[async_trait]
impl Connector for Right {
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
        let mut health = self.store.call(On::Read, |_| Ok(Health::default()))?;
        if self.store.state().rights == Some(Rights::Read) {
            let found =
                Finding::new("key_reads_only", Severity::Warning, "the key may not write", "make one");
            health.findings.push(found);
        }
        Ok(health)
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        Some(self)
    }

    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        Some(self)
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        let LookUp::Names { field, names } = names else { return Err(unsupported("it keeps no such names")) };
        if field.as_str() != "categories" {
            return Err(unsupported("it keeps no such names"));
        }
        let known = |name: &lily_connect::model::Text| {
            let at = CATEGORIES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
            Some(Known::One { id: (at + 1).to_string().into(), name: CATEGORIES[at].into() })
        };
        self.store.call(On::Read, |_| Ok(names.iter().map(|name| known(name).unwrap_or(Known::No)).collect()))
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.store.call(On::Read, |state| {
            let shows = |id: &u64, holder: &RecordRef| {
                let pictures = state.items[id].0["images"].as_array().unwrap();
                pictures.iter().any(|picture| picture["id"].as_u64() == holder.id.as_str().parse().ok())
            };
            let of = |holder: &RecordRef| -> Vec<RecordRef> {
                let ids = state.items.keys().filter(|id| shows(id, holder));
                ids.map(|id| RecordRef::new(PLATFORM, Entity::Product, id.to_string())).collect()
            };
            Ok(holders.iter().map(of).collect())
        })
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        if request.entity != Entity::Product {
            return Err(unsupported("only products can be pulled"));
        }
        let _permit = self.permits.acquire().await.unwrap();
        let _counted = Counted::new(&self.store);
        tokio::task::yield_now().await;
        let from = request.cursor.as_ref().map_or(Ok(0), |cursor| cursor.as_str().parse::<u64>());
        let from = from.map_err(|_| unsupported("the cursor is not ours"))?;
        match &request.select {
            Select::All => self.list(request, from, None),
            Select::Since(since) => self.list(request, from, Some(*since)),
            Select::Ids(ids) => self.by_ids(request, ids, from as usize),
            _ => Err(unsupported("such a selection is not offered")),
        }
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        // All bodies are made before the first leaves.
        let bodies = request.patches.iter().map(|patch| self.body(patch)).collect::<Result<Vec<_>>>()?;
        let mut answers = Vec::new();
        for (patch, body) in request.patches.iter().zip(bodies) {
            if self.store.runtime.clock().elapsed() > request.guard_until {
                return Err(Error::new(ErrorKind::Timeout, "guard_window_passed", "too late to send"));
            }
            let id = patch.target.id.as_str().parse().unwrap_or(0);
            let now = self.store.now();
            let answer = match self.store.call(On::Write, |state| state.set(id, body, now)) {
                Ok(()) => FieldAnswer::Accepted,
                Err(error) if error.effect() == Effect::Possible => {
                    FieldAnswer::Unknown { why: error.to_string() }
                }
                Err(error) => FieldAnswer::Refused { code: error.code().to_owned(), why: error.to_string() },
            };
            let fields = patch.changes.iter().map(|change| (change.field.clone(), answer.clone())).collect();
            answers.push(Answer::new(patch.target.clone(), fields));
        }
        Ok(answers)
    }
}

/// A read that the store is at.
struct Counted<'s>(&'s Store);

impl<'s> Counted<'s> {
    fn new(store: &'s Store) -> Self {
        let mut state = store.state();
        state.in_flight += 1;
        state.peak = state.peak.max(state.in_flight);
        Self(store)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

/// The platform as the suite holds it, with a connector to it.
pub(crate) struct Memory {
    store: Arc<Store>,
    connector: Arc<dyn Connector>,
}

/// Eleven products, and the right connector as `wrap` gives it on.
pub(crate) fn memory(wrap: impl FnOnce(Arc<dyn Connector>) -> Arc<dyn Connector>) -> Memory {
    memory_with(2, wrap)
}

/// The same with so many lists in flight.
pub(crate) fn memory_with(
    in_flight: usize,
    wrap: impl FnOnce(Arc<dyn Connector>) -> Arc<dyn Connector>,
) -> Memory {
    let clock = Arc::new(FakeClock::automatic());
    let transport = Arc::new(ReqwestTransport::new());
    let runtime = Runtime::with_parts(transport, clock, Arc::new(SeededEntropy::new(7)));
    let store = Arc::new(Store { runtime, state: Mutex::default() });
    let memory = Memory { connector: wrap(Arc::new(Right::new(Arc::clone(&store), in_flight))), store };
    for _ in 0..11 {
        memory.add(Entity::Product);
    }
    memory
}

fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or(0)
}

impl ContractFixture for Memory {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::clone(&self.connector)
    }

    fn runtime(&self) -> Runtime {
        self.store.runtime.clone()
    }

    fn ids(&self, _: Entity) -> Vec<ExternalId> {
        self.store.state().items.keys().map(|id| id.to_string().into()).collect()
    }

    fn stored(&self, _: Entity, id: &ExternalId) -> Option<Value> {
        self.store.state().shown(number(id)).map(Value::Object)
    }

    fn edit(&self, _: Entity, id: &ExternalId, field: &FieldName, text: &str) -> bool {
        let key = match field.as_str() {
            "title" => "name",
            "description" => "body",
            _ => return false,
        };
        let changes = Map::from_iter([(key.to_owned(), text.into())]);
        let now = self.store.now();
        self.store.state().set(number(id), changes, now).is_ok()
    }

    fn add(&self, _: Entity) -> Option<ExternalId> {
        let now = self.store.now();
        let mut state = self.store.state();
        let id = state.items.last_key_value().map_or(1, |(id, _)| id + 1);
        let mut item = json!({"name": format!("Cap {id}"), "body": "<p>A cap.</p>", "sku": "C", "tags": []});
        item["categories"] = json!([{"id": id % 3 + 1, "name": CATEGORIES[id as usize % 3]}]);
        item["images"] = json!([{"id": 600 + id}]);
        // Two products share a picture, and have some tags.
        if id == 2 || id == 3 {
            item["images"] = json!([{"id": 600 + id}, {"id": 500}]);
            item["tags"] = json!([{"id": 1001, "name": "Red"}, {"id": 1002, "name": "Blue"}]);
        }
        state.items.insert(id, (item.as_object()?.clone(), now));
        Some(id.to_string().into())
    }

    fn delete(&self, _: Entity, id: &ExternalId) -> bool {
        self.store.state().items.remove(&number(id)).is_some()
    }

    fn received(&self) -> Received {
        self.store.state().received
    }

    fn strike(&self, strike: Strike) {
        self.store.state().strikes.push(strike);
    }

    fn delete_while_paging(&self, _: Entity, ids: Vec<ExternalId>, after_pages: u64) {
        self.store.state().deletions.push((after_pages, ids.iter().map(number).collect()));
    }

    fn empty_a_page(&self, _: Entity) -> bool {
        let size = u64::from(self.page_size().get());
        self.store.state().items.retain(|id, _| !(size + 1..=2 * size).contains(id));
        true
    }

    fn secrets(&self) -> Vec<String> {
        vec![KEY.to_owned()]
    }

    fn allow(&self, right: Rights) -> bool {
        self.store.state().rights = Some(right);
        true
    }

    fn peak_in_flight(&self) -> Option<u64> {
        Some(self.store.state().peak)
    }

    fn delivery(&self, _: Entity, id: &ExternalId, secret: &Secret) -> Option<Incoming> {
        Some(hooks::signed(&self.store, &json!({"id": id}), secret))
    }

    fn ping(&self, secret: &Secret) -> Option<Incoming> {
        Some(hooks::signed(&self.store, &json!({"ping": "7"}), secret))
    }

    fn kill_subscription(&self, id: &ExternalId) -> bool {
        let mut state = self.store.state();
        state.hooks.get_mut(&number(id)).map(|hook| hook.is_dead = true).is_some()
    }

    fn foreign_subscription(&self) -> Option<ExternalId> {
        Some(hooks::add(&mut self.store.state(), hooks::Hook::default()).to_string().into())
    }

    fn has_subscription(&self, id: &ExternalId) -> bool {
        self.store.state().hooks.contains_key(&number(id))
    }
}
