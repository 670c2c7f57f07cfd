//! The connector: pages out of lists, and patches into single writes.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value};

use super::wire::{self, MAX_PAGE, Offset};
use super::{PLATFORM, map};
use crate::connector::{
    Answer, Connector, ConnectorInfo, Detail, FieldAnswer, Finding, Health, Page, Patch, PatchValue,
    PullRequest, Purpose, PushRequest, Select, Severity, Total, WebhookSource,
};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::http::{ApiClient, ApiRequest};
use crate::mapping::SchemaMap;
use crate::model::{
    AnswerHolds, Capabilities, DeltaClock, Entity, EntityCapabilities, ExternalId, FieldName, Normaliser,
    RawItems, Shape, StoreKey, StoreProfile, Term, WritableField,
};
use crate::runtime::Runtime;

const API_VERSION: &str = "wc/v3";
/// The smallest page that a store in trouble is asked for.
const MIN_PAGE: u32 = 10;
/// The most further pages that a page names.
const MAX_AHEAD: usize = 16;
/// The longest description that is sent: far below what the platform's column (4 GiB) and PHP's body limit take.
const MAX_HTML_BYTES: usize = 1024 * 1024;
/// WordPress keeps term names in 200 characters.
const MAX_TERM_BYTES: usize = 200;

/// A connected WooCommerce store.
#[derive(Debug)]
pub struct WooCommerce {
    pub(super) client: ApiClient,
    runtime: Runtime,
    info: ConnectorInfo,
    capabilities: Capabilities,
    products: SchemaMap,
    variants: SchemaMap,
    pub(super) home: Option<String>,
}

impl WooCommerce {
    pub(super) async fn connect(
        client: ApiClient,
        runtime: Runtime,
        store: StoreKey,
        profile: Option<StoreProfile>,
    ) -> Result<Self> {
        let (profile, variations, home) = match profile {
            Some(profile) => (profile, true, None),
            None => discover(&client).await?,
        };
        Ok(Self {
            capabilities: capabilities(variations),
            products: SchemaMap::compile(PLATFORM, Entity::Product, map::PRODUCT)?,
            variants: SchemaMap::compile(PLATFORM, Entity::Variant, map::VARIANT)?,
            info: ConnectorInfo::new(store, API_VERSION, profile),
            client,
            runtime,
            home,
        })
    }

    /// A page of a list: it begins with the last record of the one before, so that a shift shows.
    async fn list_page(&self, request: &PullRequest) -> Result<Page> {
        let mut per_page = request.page_size.map_or(MAX_PAGE, NonZeroU32::get).clamp(2, MAX_PAGE);
        let offset = Offset::read(request.cursor.as_ref())?;
        let mut pauses = 0;
        let answered = loop {
            let call = wire::list(request.entity, &request.select, request.detail, offset, per_page)
                .lane(request.lane);
            let answered =
                self.client.execute_with(timed(call, request), |answer| wire::answered(answer, b'[')).await;
            match answered {
                // A page that the store cannot build in its time or memory: half of it may do.
                Err(error) if is_too_much(&error) && per_page >= 2 * MIN_PAGE => {
                    per_page /= 2;
                    pauses += 1;
                }
                // The pages that were too large have opened the breaker.
                Err(error) if error.kind() == ErrorKind::CircuitOpen && pauses > 0 => {
                    pauses -= 1;
                    let Retry::After(wait) = error.retry() else { return Err(error) };
                    self.runtime.clock().sleep(wait).await;
                }
                answered => break answered?,
            }
        };
        let (is_last, step) = match answered.total {
            Some(total) => (offset.0.saturating_add(u64::from(per_page)) >= total, u64::from(per_page - 1)),
            // A host that strips the count. A short page need not be the last one, since plugins cap pages and
            // drop records: the list ends where nothing stands behind the overlap.
            None => {
                let count = wire::ids(&answered.body)?.len() as u64;
                (count <= 1, count.saturating_sub(1).max(1))
            }
        };
        let mut page = Page::default();
        if !is_last {
            let offsets = (1..).map(|n: u64| offset.0.saturating_add(n * step));
            let known = answered.total.unwrap_or(0);
            // Page n+1 exists where its overlap is not the list's last record.
            let mut cursors = offsets
                .take(MAX_AHEAD + 1)
                .enumerate()
                .take_while(|(n, offset)| *n == 0 || offset.saturating_add(1) < known)
                .map(|(_, offset)| Offset(offset).cursor());
            page.next = cursors.next();
            page.ahead = cursors.collect();
        }
        page.total = answered.total.map_or(Total::NotGiven, Total::Exact);
        page.server_time = answered.server_time;
        page.took = answered.took;
        page.degraded = answered.degraded.into_iter().collect();
        page.items = vec![RawItems::new(request.entity, answered.body, Shape::List)];
        Ok(page)
    }

    /// Records by id: one product by its own route, else by the list's id filter, a hundred at a time.
    async fn ids_page(&self, request: &PullRequest, ids: &[ExternalId]) -> Result<Page> {
        let from = usize::try_from(Offset::read(request.cursor.as_ref())?.0).unwrap_or(usize::MAX);
        let rest = ids.get(from..).unwrap_or_default();
        let asked = rest.get(..rest.len().min(MAX_PAGE as usize)).unwrap_or_default();
        let mut page = Page::default();
        if rest.len() > asked.len() {
            page.next = Some(Offset((from + asked.len()) as u64).cursor());
        }
        let (known, unknown): (Vec<ExternalId>, Vec<ExternalId>) =
            asked.iter().cloned().partition(wire::is_id);
        page.missing = unknown;
        let nonce = self.nonce(request.purpose)?;
        match (known.as_slice(), request.entity) {
            ([], _) => {}
            ([one], Entity::Product) if request.detail == Detail::Full => {
                let call = timed(wire::product(one, request.purpose, &nonce).lane(request.lane), request);
                match self.client.execute_with(call, |answer| wire::answered(answer, b'{')).await {
                    Ok(answered) => {
                        page.server_time = answered.server_time;
                        page.took = answered.took;
                        page.degraded = answered.degraded.into_iter().collect();
                        page.items = vec![RawItems::new(request.entity, answered.body, Shape::One)];
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => page.missing.push(one.clone()),
                    Err(error) => return Err(error),
                }
            }
            (known, _) => {
                let call = wire::by_ids(request.entity, known, request.detail, request.purpose, &nonce);
                let call = timed(call.lane(request.lane), request);
                let answered = self.client.execute_with(call, |answer| wire::answered(answer, b'[')).await?;
                let found = wire::ids(&answered.body)?;
                page.missing.extend(known.iter().filter(|id| !found.contains(id)).cloned());
                page.server_time = answered.server_time;
                page.took = answered.took;
                page.degraded = answered.degraded.into_iter().collect();
                page.items = vec![RawItems::new(request.entity, answered.body, Shape::List)];
            }
        }
        Ok(page)
    }

    fn nonce(&self, purpose: Purpose) -> Result<String> {
        if purpose == Purpose::Catalogue {
            return Ok(String::new());
        }
        let mut bytes = [0; 8];
        self.runtime.entropy().fill(&mut bytes)?;
        Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
    }

    fn body(&self, patch: &Patch) -> Result<Map<String, Value>> {
        let mut body = Map::new();
        for change in &patch.changes {
            match &change.value {
                PatchValue::Text { text, raw } => {
                    let spelled = self.products.spell(&change.field, text, raw.as_deref())?;
                    self.products.put_text(&mut body, &change.field, wire::slash(&spelled))?;
                }
                PatchValue::Terms(terms) => {
                    let slashed: Vec<Term> = terms
                        .iter()
                        .map(|term| Term { name: wire::slash(&term.name).into(), ..term.clone() })
                        .collect();
                    self.products.put_terms(&mut body, &change.field, &slashed)?;
                }
            }
        }
        Ok(body)
    }

    /// Writes one product: all its fields in one request, since two that cross undo each other.
    async fn write(&self, patch: &Patch, request: &PushRequest) -> Result<()> {
        if patch.target.kind != Entity::Product || !wire::is_id(&patch.target.id) {
            return Err(Error::new(ErrorKind::Unsupported, "not_writable", "only products can be written"));
        }
        let body = Value::Object(self.body(patch)?).to_string();
        // POST updates as PUT does, and passes where a host blocks PUT.
        let path = format!("wp-json/wc/v3/products/{}", patch.target.id);
        let call = ApiRequest::write(Method::POST, path, body)
            .lane(request.lane)
            .not_after(Some(request.guard_until))
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT)
            .query("_fields", "id");
        self.client.execute(call).await.map(drop)
    }
}

/// Whether the store may manage a smaller page: it took too long, or gave up.
fn is_too_much(error: &Error) -> bool {
    let server =
        error.kind() == ErrorKind::Unavailable && error.context().iter().any(|(name, _)| *name == "status");
    server || matches!(error.code(), "attempt_timeout" | "read_timeout")
}

fn timed(call: ApiRequest, request: &PullRequest) -> ApiRequest {
    match request.timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

#[async_trait]
impl Connector for WooCommerce {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        match entity {
            Entity::Product => Some(&self.products),
            Entity::Variant => Some(&self.variants),
        }
    }

    async fn check(&self) -> Result<Health> {
        let mut health = Health::default();
        let mut find = |code: &str, severity, evidence: String, remedy: &str| {
            health.findings.push(Finding::new(code, severity, evidence, remedy));
        };
        match self.client.execute_with(wire::index(), wire::json::<wire::Index>).await {
            Ok(index) if !index.namespaces.iter().any(|name| name == API_VERSION) => find(
                "api_missing",
                Severity::Error,
                format!("the site's index does not name {API_VERSION}"),
                "activate WooCommerce, and check that no plugin switches its REST API off",
            ),
            Ok(_) => {}
            Err(error) => find(error.code(), Severity::Error, error.message().to_owned(), error.remedy()),
        }
        let probe = wire::list(Entity::Product, &Select::All, Detail::IdsOnly, Offset(0), 1);
        match self.client.execute_with(probe, |answer| wire::answered(answer, b'[')).await {
            Ok(answered) if answered.total.is_none() => find(
                "totals_stripped",
                Severity::Warning,
                "the list came without X-WP-Total".to_owned(),
                "let the host pass the X-WP headers: without them a pull needs a sweep to be complete",
            ),
            Ok(_) => {}
            Err(error) => find(error.code(), Severity::Error, error.to_string(), error.remedy()),
        }
        if self.capabilities.entity(Entity::Variant).is_none() {
            find(
                "variations_list_missing",
                Severity::Warning,
                "the store has no list of all variations".to_owned(),
                "update WooCommerce to 10 or later to pull variants",
            );
        }
        let profile = &self.info.profile;
        if profile.currency.is_none() || profile.mass_unit.is_none() || profile.length_unit.is_none() {
            find(
                "settings_unreadable",
                Severity::Warning,
                "currency or units could not be read: prices or measures are dropped".to_owned(),
                "let the key's user read the store's settings, or supply a profile",
            );
        }
        if let Some(home) = &self.home
            && !same_site(home, self.client.origin().base().as_str())
        {
            find(
                "address_differs",
                Severity::Note,
                "the site names itself by another address than the one given".to_owned(),
                "give the site's own address: signatures and redirects depend on it",
            );
        }
        Ok(health)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        if self.capabilities.entity(request.entity).is_none() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "entity_unsupported",
                format!("this store has no list of {}s", request.entity),
            )
            .with_remedy("update WooCommerce to 10 or later"));
        }
        match &request.select {
            Select::Ids(ids) => self.ids_page(request, ids).await,
            Select::All | Select::Since(_) => self.list_page(request).await,
        }
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        Some(self)
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(request.patches.len());
        for patch in &request.patches {
            let answer = match self.write(patch, request).await {
                Ok(()) => FieldAnswer::Accepted,
                Err(error) if error.effect() == Effect::Possible => {
                    FieldAnswer::Unknown { why: error.to_string() }
                }
                Err(error) if is_refusal(&error) || !answers.is_empty() => {
                    FieldAnswer::Refused { code: error.code().to_owned(), why: error.to_string() }
                }
                Err(error) => return Err(error),
            };
            let fields = patch.changes.iter().map(|change| (change.field.clone(), answer.clone())).collect();
            answers.push(Answer::new(patch.target.clone(), fields));
        }
        Ok(answers)
    }
}

/// Whether the platform itself said no; otherwise nothing was sent.
fn is_refusal(error: &Error) -> bool {
    error.context().iter().any(|(name, _)| *name == "status")
}

fn same_site(home: &str, base: &str) -> bool {
    home.trim_end_matches('/').eq_ignore_ascii_case(base.trim_end_matches('/'))
}

/// Reads what is true of the store. A key without the right to read settings is no obstacle: what cannot be
/// read is left unknown, and `check` says so.
async fn discover(client: &ApiClient) -> Result<(StoreProfile, bool, Option<String>)> {
    // The index is read without rights, and some sites close it to the public: the key is proved below.
    let index = match client.execute_with(wire::index(), wire::json::<wire::Index>).await {
        Err(error) if error.kind() == ErrorKind::Auth => wire::Index::default(),
        read => readable(read)?.unwrap_or_default(),
    };
    let mut profile = StoreProfile::unknown();
    let currency =
        client.execute_with(wire::setting(wire::CURRENCY), wire::json::<wire::CurrentCurrency>).await;
    profile.currency = readable(currency)?.and_then(|currency| currency.code.parse().ok());
    let mass = client.execute_with(wire::setting(wire::WEIGHT_UNIT), wire::json::<wire::Setting>).await;
    profile.mass_unit = readable(mass)?.and_then(|setting| wire::mass_unit(&setting.value));
    let length = client.execute_with(wire::setting(wire::LENGTH_UNIT), wire::json::<wire::Setting>).await;
    profile.length_unit = readable(length)?.and_then(|setting| wire::length_unit(&setting.value));
    let seo = ["yoast/v1", "rankmath/v1"];
    profile.plugins = index
        .namespaces
        .iter()
        .filter(|name| seo.contains(&name.as_str()))
        .map(|name| name.as_str().into())
        .collect();
    // The list of all variations came with version 10; older ones have it per product only.
    let probe = wire::list(Entity::Variant, &Select::All, Detail::IdsOnly, Offset(0), 1);
    let variations = match client.execute_with(probe, |answer| wire::answered(answer, b'[')).await {
        Ok(_) => true,
        Err(error) if error.code() == "route_missing" => false,
        Err(error) => return Err(error),
    };
    Ok((profile, variations, Some(index.home).filter(|home| !home.is_empty())))
}

fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Unsupported
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn capabilities(variations: bool) -> Capabilities {
    let page = NonZeroU32::MIN.saturating_add(MAX_PAGE - 1);
    let listed = |entity| {
        let mut capabilities = EntityCapabilities::new(entity, page);
        // Alt texts and renamed terms move no clock.
        capabilities.delta = DeltaClock::CanLie;
        capabilities.counted = true;
        capabilities.sorted_by_id = true;
        capabilities.pages_overlap = true;
        capabilities.ids_only = true;
        capabilities.by_ids = true;
        capabilities
    };
    let mut products = listed(Entity::Product);
    products.rewritten_together = ["title", "short_description", "description"].map(FieldName::new).to_vec();
    let mut tags = WritableField::set(FieldName::new("tags"));
    tags.max_bytes = MAX_TERM_BYTES;
    products.writable = vec![
        WritableField::text(FieldName::new("title"), Normaliser::Trimmed1),
        WritableField::html(FieldName::new("short_description"), MAX_HTML_BYTES),
        WritableField::html(FieldName::new("description"), MAX_HTML_BYTES),
        tags,
    ];
    let mut entities = vec![products];
    if variations {
        entities.push(listed(Entity::Variant));
    }
    let mut capabilities = Capabilities::new(entities);
    // Its answer is not believed: landed is what a read by id finds.
    capabilities.answer_holds = AnswerHolds::Nothing;
    capabilities.settle_after = Duration::from_secs(90);
    capabilities
}
