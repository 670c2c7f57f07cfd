//! The shop as a test holds it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::bucket::{Bucket, Plan};
use super::bulk::{BulkFault, BulkSettings};
use super::collection::Collection;
use super::conditions::Conditions;
use super::documents::{Documents, Violation};
use super::door;
use super::graphql::{Asked, Call, GraphFault};
use super::media::Media;
use super::metafield::{Metafield, Owner};
use super::product::Product;
use super::schema::ValidatedSchema;
use super::shop::ShopSettings;
use super::state::State;
use super::tokens;
use super::value::{Args, gid};
use super::variant::Variant;
use crate::testkit::exchange::{Handler, Request, Response};
use crate::testkit::meanwhile::{Meanwhile, Side};
use crate::time::{Clock, Timestamp};
use crate::transport::{HttpTransport, ReqwestTransport};

/// The most calls that are kept.
const CALL_LIMIT: usize = 200_000;

/// A fake shop. Clones share it; give one to a [`Service`](crate::testkit::server::Service), keep one for the
/// test.
#[derive(Clone)]
pub struct ShopifyFake(pub(super) Arc<Inner>);

pub(super) struct Inner {
    state: Mutex<State>,
    documents: Arc<Documents>,
    calls: Mutex<Vec<Call>>,
    hooks: Meanwhile<ShopifyFake>,
    clock: Arc<dyn Clock>,
    pub(super) transport: Mutex<Arc<dyn HttpTransport>>,
    /// One run of deliveries at a time.
    pub(super) delivering: tokio::sync::Mutex<()>,
    at_once: AtomicBool,
    runs: AtomicBool,
}

impl fmt::Debug for ShopifyFake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopifyFake").field("products", &self.product_count()).finish_non_exhaustive()
    }
}

/// Makes a [`ShopifyFake`].
#[must_use = "a builder does nothing until it is built"]
pub struct ShopifyFakeBuilder {
    clock: Arc<dyn Clock>,
    schemas: Vec<Arc<ValidatedSchema>>,
    plan: Plan,
    seed: u64,
    first_id: Option<u64>,
}

impl fmt::Debug for ShopifyFakeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopifyFakeBuilder")
            .field("schemas", &self.schemas)
            .field("plan", &self.plan)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl ShopifyFakeBuilder {
    /// Holds each document against an official schema; more may be added, and all must agree.
    pub fn schema(mut self, schema: Arc<ValidatedSchema>) -> Self {
        self.schemas.push(schema);
        self
    }

    /// Sets the plan, which sizes the bucket of points (default [`Plan::Standard`]).
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Sets the seed of generated catalogues and of the order of bulk results (default 1).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the first number of ids, such as one past 53 bits.
    pub fn ids_from(mut self, first: u64) -> Self {
        self.first_id = Some(first);
        self
    }

    /// Makes the shop: empty, with the default settings and no token.
    #[must_use]
    pub fn build(self) -> ShopifyFake {
        let now = whole(self.clock.now());
        let documents = Arc::new(Documents::new(self.schemas));
        let mut state = State::new(Arc::clone(&documents), now, self.clock.elapsed(), self.seed);
        state.bucket = Bucket::new(self.plan, self.clock.elapsed());
        state.next_id = self.first_id.unwrap_or(state.next_id);
        ShopifyFake(Arc::new(Inner {
            state: Mutex::new(state),
            documents,
            calls: Mutex::default(),
            hooks: Meanwhile::default(),
            clock: self.clock,
            transport: Mutex::new(Arc::new(ReqwestTransport::new())),
            delivering: tokio::sync::Mutex::new(()),
            at_once: AtomicBool::new(false),
            runs: AtomicBool::new(false),
        }))
    }
}

/// A moment to the second, as the platform tells them.
fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(now.unix_seconds()).unwrap_or(now)
}

impl ShopifyFake {
    /// Makes an empty shop that reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::builder(clock).build()
    }

    /// Starts to make a shop that reads the time from `clock`.
    pub fn builder(clock: Arc<dyn Clock>) -> ShopifyFakeBuilder {
        ShopifyFakeBuilder { clock, schemas: Vec::new(), plan: Plan::Standard, seed: 1, first_id: None }
    }

    /// The types that a fake shop serves, in the schema language.
    #[must_use]
    pub fn surface() -> String {
        super::surface::text()
    }

    /// The state at the present moment.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now = whole(self.0.clock.now());
        state.elapsed = self.0.clock.elapsed();
        state.settle_bulks();
        state
    }

    /// The moment by the shop's clock, to the second.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        whole(self.0.clock.now())
    }

    /// Issues a permanent token whose text follows from `name`.
    #[must_use]
    pub fn issue_token(&self, name: &str) -> String {
        let token = format!("shpat_{name}");
        self.state().tokens.add_permanent(&token);
        token
    }

    /// Issues an expiring access token with its refresh token.
    #[must_use]
    pub fn issue_pair(&self) -> (String, String) {
        let mut state = self.state();
        let now = state.now;
        state.tokens.add_pair(now, None)
    }

    /// Lets an authorization code be exchanged, once.
    pub fn issue_code(&self, code: &str) {
        self.state().tokens.add_code(code);
    }

    /// A session token for the app at this shop, good for a minute from now.
    #[must_use]
    pub fn session_token(&self) -> String {
        tokens::session_token(&self.state())
    }

    /// Withdraws an access token; its refresh token goes on.
    pub fn revoke_token(&self, access_token: &str) {
        self.state().tokens.revoke(access_token);
    }

    /// How often the token endpoint was asked for a refresh.
    #[must_use]
    pub fn refreshes(&self) -> u64 {
        self.state().tokens.refreshes
    }

    /// Changes the settings of the shop.
    pub fn configure(&self, change: impl FnOnce(&mut ShopSettings)) {
        change(&mut self.state().shop);
    }

    /// The settings of the shop.
    #[must_use]
    pub fn settings(&self) -> ShopSettings {
        self.state().shop.clone()
    }

    /// Sets what is wrong with the shop.
    pub fn set_conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.state().conditions);
    }

    /// Sets what the app was granted, such as `read_products`.
    pub fn grant_scopes<S: Into<String>>(&self, scopes: impl IntoIterator<Item = S>) {
        self.state().scopes = scopes.into_iter().map(Into::into).collect();
    }

    /// The bucket of points as it is now, with what became of its points.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        let mut state = self.state();
        let elapsed = state.elapsed;
        state.bucket.refill(elapsed);
        state.bucket
    }

    /// Sets the size and the restore rate of the bucket; it is full then.
    pub fn set_bucket(&self, maximum: f64, restore_rate: f64) {
        let mut state = self.state();
        let elapsed = state.elapsed;
        state.bucket.refill(elapsed);
        state.bucket.maximum = maximum;
        state.bucket.available = maximum;
        state.bucket.restore_rate = restore_rate;
    }

    /// Lets a foreign client take that many points a second, as long as there are any.
    pub fn set_foreign_rate(&self, points_per_second: f64) {
        let mut state = self.state();
        let elapsed = state.elapsed;
        state.bucket.refill(elapsed);
        state.bucket.foreign_rate = points_per_second;
    }

    /// Lets a foreign client take points at once; gives how many it got.
    pub fn take_points(&self, points: f64) -> f64 {
        let mut state = self.state();
        let elapsed = state.elapsed;
        state.bucket.refill(elapsed);
        state.bucket.take_foreign(points)
    }

    /// What requests held that official schemas do not allow; empty where none was given.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.0.documents.violations()
    }

    /// The deprecated members that valid requests used, each with its schema.
    #[must_use]
    pub fn deprecated_uses(&self) -> Vec<String> {
        self.0.documents.deprecated()
    }

    /// The calls of the API that came in, oldest first; at most the first 200,000.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the calls.
    pub fn clear_calls(&self) {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many calls asked for a field of the root, such as `productUpdate`.
    #[must_use]
    pub fn count_calls(&self, field: &str) -> usize {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|call| call.fields.iter().any(|known| known == field)).count()
    }

    /// Answers the next calls of an operation or a field of the root with an error at the top.
    pub fn fail(&self, name: &str, fault: GraphFault, times: u64) {
        self.state().graph_faults.push((name.to_owned(), fault, times));
    }

    /// Sets how bulk jobs behave.
    pub fn configure_bulk(&self, change: impl FnOnce(&mut BulkSettings)) {
        change(&mut self.state().bulks.settings);
    }

    /// Lets something go wrong with the next bulk job; several wait in a row.
    pub fn fail_next_bulk(&self, change: impl FnOnce(&mut BulkFault)) {
        let mut fault = BulkFault::default();
        change(&mut fault);
        self.state().bulks.faults.push_back(fault);
    }

    /// Refuses the next start of a bulk mutation with a code, such as `NO_SUCH_FILE`; several wait in a row.
    pub fn refuse_next_bulk_mutation(&self, code: &'static str) {
        self.state().bulks.refusals.push_back(code);
    }

    /// The lines that bulk mutations have run, as they came, in the order in which they ran.
    #[must_use]
    pub fn bulk_lines_run(&self) -> Vec<String> {
        self.state().bulks.lines_run.clone()
    }

    /// How many bulk jobs were started, queries and mutations.
    #[must_use]
    pub fn bulk_job_count(&self) -> usize {
        self.state().bulks.all.len()
    }

    /// The ids of all bulk jobs, oldest first.
    #[must_use]
    pub fn bulk_job_ids(&self) -> Vec<u64> {
        self.state().bulks.all.keys().copied().collect()
    }

    /// Tells another address for the uploads that are staged from now on.
    pub fn stage_uploads_at(&self, address: &str) {
        self.state().uploads.at = Some(address.to_owned());
    }

    /// Whether deliveries are sent as soon as the request that caused them was answered, by a task of the
    /// current runtime (default no). It takes a server; [`ShopifyFake::deliver`] works either way.
    pub fn deliver_at_once(&self, on: bool) {
        self.0.at_once.store(on, Ordering::Relaxed);
    }

    fn deliver_soon(&self) {
        let inner = &self.0;
        if !inner.at_once.load(Ordering::Relaxed)
            || self.waiting() == 0
            || inner.runs.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let shop = self.clone();
        tokio::spawn(async move {
            shop.deliver().await;
            shop.0.runs.store(false, Ordering::Release);
        });
    }

    /// A predicate for faults and hooks: whether a request's document has an operation of that name, or asks
    /// for a field of that name.
    pub fn asks(name: &str) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
        let name = name.to_owned();
        move |request| {
            Asked::read(request).is_some_and(|asked| {
                let mut words = asked.query.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                asked.operation.as_deref() == Some(&name) || words.any(|word| word == name)
            })
        }
    }

    /// Makes a product as the merchant does, with one variant; gives its id.
    pub fn create_product(&self, title: &str, fill: impl FnOnce(&mut Product)) -> u64 {
        let mut state = self.state();
        let (id, now) = (state.take_id(), state.now);
        let mut product = Product::new(id, title, now);
        fill(&mut product);
        (product.id, product.handle) = (id, state.free_handle(&product.handle, id));
        let bare = product.options.is_empty();
        if bare {
            let (option, value) = (state.take_id(), state.take_id());
            let values = vec![super::product::OptionValue::new(value, "Default Title")];
            product.options.push(super::product::ProductOption::new(option, "Title", values));
        }
        let first = product
            .options
            .iter()
            .filter_map(|option| Some((option.id, option.values.first()?.id)))
            .collect();
        state.insert_product(product);
        if bare {
            let (variant, item) = (state.take_id(), state.take_id());
            let mut variant = Variant::new(variant, item, id, 1, now);
            variant.values = first;
            state.insert_variant(variant);
        }
        state.fall_behind(id, None);
        state.note_event("create", "PRODUCT", gid("Product", id));
        state.fire_product("products/create", id);
        id
    }

    /// Puts a product in as it is, over one with the same id; its dates stay.
    pub fn insert_product(&self, product: Product) {
        self.state().insert_product(product);
    }

    /// Adds a variant at the end of a product; gives its id.
    pub fn create_variant(&self, product: u64, fill: impl FnOnce(&mut Variant)) -> u64 {
        let mut state = self.state();
        let (id, item, now) = (state.take_id(), state.take_id(), state.now);
        let position = state.products.get(&product).map_or(0, |product| product.variants.len());
        let position = u64::try_from(position).unwrap_or(u64::MAX).saturating_add(1);
        let mut variant = Variant::new(id, item, product, position, now);
        fill(&mut variant);
        (variant.id, variant.product) = (id, product);
        state.insert_variant(variant);
        state.change_product(product, |_| ());
        id
    }

    /// Puts a file into the shop; gives its id.
    pub fn create_media(&self, make: impl FnOnce(u64, Timestamp) -> Media) -> u64 {
        let mut state = self.state();
        let (id, now) = (state.take_id(), state.now);
        let mut media = make(id, now);
        media.id = id;
        state.media.insert(id, media);
        id
    }

    /// Makes a collection; gives its id.
    pub fn create_collection(&self, title: &str, products: &[u64]) -> u64 {
        let mut state = self.state();
        let (id, now) = (state.take_id(), state.now);
        let mut collection = Collection::new(id, title, now);
        collection.products = products.to_vec();
        state.collections.insert(id, collection);
        id
    }

    /// Sets a metafield as the merchant does: a product moves with it. Gives its id.
    pub fn set_metafield(&self, owner: Owner, namespace: &str, key: &str, kind: &str, value: &str) -> u64 {
        let mut state = self.state();
        let mut entry = Args::new();
        for (name, text) in [("namespace", namespace), ("key", key), ("type", kind), ("value", value)] {
            entry.insert(name.to_owned(), text.into());
        }
        let id = super::write_metafields::put(&mut state, owner, &entry);
        if let Owner::Product(product) = owner {
            state.change_product(product, |_| ());
        }
        id
    }

    /// Edits a product as the merchant does: its `updatedAt` moves to now. False where there is none.
    pub fn edit_product(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        self.state().change_product(id, change).is_some()
    }

    /// Changes a product without moving its date.
    pub fn edit_in_silence(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        self.state().products.get_mut(&id).map(change).is_some()
    }

    /// Edits a variant as the merchant does: its product moves too. False where there is none.
    pub fn edit_variant(&self, id: u64, change: impl FnOnce(&mut Variant)) -> bool {
        let mut state = self.state();
        let now = state.now;
        let Some(variant) = state.variants.get_mut(&id) else { return false };
        change(variant);
        variant.updated_at = now;
        let product = variant.product;
        state.change_product(product, |_| ()).is_some()
    }

    /// Changes a file, such as its alt text; products that show it do not move. False where there is none.
    pub fn edit_media(&self, id: u64, change: impl FnOnce(&mut Media)) -> bool {
        let mut state = self.state();
        let now = state.now;
        let Some(media) = state.media.get_mut(&id) else { return false };
        change(media);
        media.updated_at = now;
        true
    }

    /// Deletes a product for good. False where there is none.
    pub fn delete_product(&self, id: u64) -> bool {
        let mut state = self.state();
        let Some(product) = state.remove_product(id) else { return false };
        state.note_event("destroy", "PRODUCT", product.gid());
        state.fire_product("products/delete", id);
        true
    }

    /// A copy of a product.
    #[must_use]
    pub fn product(&self, id: u64) -> Option<Product> {
        self.state().products.get(&id).cloned()
    }

    /// A copy of a variant.
    #[must_use]
    pub fn variant(&self, id: u64) -> Option<Variant> {
        self.state().variants.get(&id).cloned()
    }

    /// A copy of a file.
    #[must_use]
    pub fn media(&self, id: u64) -> Option<Media> {
        self.state().media.get(&id).cloned()
    }

    /// Copies of the metafields of an owner, in order.
    #[must_use]
    pub fn metafields(&self, owner: Owner) -> Vec<Metafield> {
        self.state().metafields.get(&owner).cloned().unwrap_or_default()
    }

    /// The ids of all products, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.state().products.keys().copied().collect()
    }

    /// How many products there are.
    #[must_use]
    pub fn product_count(&self) -> usize {
        self.state().products.len()
    }

    /// How many variants there are.
    #[must_use]
    pub fn variant_count(&self) -> usize {
        self.state().variants.len()
    }

    /// Copies of all products, by id, to compare before and after.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Product> {
        self.state().products.values().cloned().collect()
    }

    /// Runs `action` once, just before the `nth` request (counted from 1) that `predicate` holds for is
    /// answered; such as a merchant's edit between a connector's read and its write.
    pub fn before_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&Self) + Send + 'static,
    ) {
        self.0.hooks.add(Side::Before, nth, predicate, action);
    }

    /// Runs `action` once, just after the `nth` request (counted from 1) that `predicate` holds for was
    /// answered; such as a deletion between two pages of a list.
    pub fn after_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&Self) + Send + 'static,
    ) {
        self.0.hooks.add(Side::After, nth, predicate, action);
    }
}

#[async_trait]
impl Handler for ShopifyFake {
    fn handle(&self, request: &Request) -> Response {
        self.0.hooks.run(Side::Before, request, self);
        let (response, call) = {
            let mut state = self.state();
            let date = state.now.to_http_date();
            let (response, call) = door::answer(&mut state, &self.0.documents, request);
            // The shop's own clock, and not the machine's.
            (response.with_header("date", &date), call)
        };
        if let Some(call) = call {
            let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
            if calls.len() < CALL_LIMIT {
                calls.push(call);
            }
        }
        self.0.hooks.run(Side::After, request, self);
        response
    }

    async fn respond(&self, request: &Request) -> Response {
        let response = self.handle(request);
        self.deliver_soon();
        response
    }
}
