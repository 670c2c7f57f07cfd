//! The store as a test holds it: seeding, merchant edits, switches, hooks, and the HTTP surface.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::auth::{ApiKey, Issued, Permissions, Role};
use super::product::{GlobalAttribute, Media, Product, Taxonomy, Term};
use super::render::{Form, Place, Renderer};
use super::routes;
use super::state::{Conditions, Settings, State};
use super::webhooks::Event;
use crate::testkit::exchange::{Handler, Request, Response};
use crate::testkit::json::Json;
use crate::testkit::meanwhile::{Meanwhile, Side};
use crate::time::{Clock, Timestamp};
use crate::transport::{HttpTransport, ReqwestTransport};

/// A stateful WooCommerce store. Clones share the state; each call locks it for a moment.
#[derive(Clone)]
pub struct WooStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    state: Mutex<State>,
    hooks: Meanwhile<WooStore>,
    clock: Arc<dyn Clock>,
    /// What deliveries and callbacks are sent by.
    pub(super) transport: Mutex<Arc<dyn HttpTransport>>,
    /// Held by the one that delivers.
    pub(super) delivering: tokio::sync::Mutex<()>,
    pub(super) at_once: AtomicBool,
    /// Whether a task delivers what waits.
    pub(super) runs: AtomicBool,
}

impl fmt::Debug for WooStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WooStore").field("products", &self.state().products.len()).finish_non_exhaustive()
    }
}

impl WooStore {
    /// Makes an empty store that knows no key and reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State::new()),
            hooks: Meanwhile::default(),
            clock,
            transport: Mutex::new(Arc::new(ReqwestTransport::new())),
            delivering: tokio::sync::Mutex::new(()),
            at_once: AtomicBool::new(false),
            runs: AtomicBool::new(false),
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment by the store's clock, to the second.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.0.clock.now();
        Timestamp::from_unix_seconds(now.unix_seconds()).unwrap_or(now)
    }

    /// Issues a key with a text that follows from `name`.
    #[must_use]
    pub fn issue_key(&self, name: &str, permissions: Permissions, role: Role) -> ApiKey {
        let key = ApiKey::named(name, permissions, role);
        self.add_key(key.clone());
        key
    }

    /// Adds a key of given texts.
    pub fn add_key(&self, key: ApiKey) {
        self.state().keys.push(Issued { key, nonces: std::collections::VecDeque::new() });
    }

    /// Withdraws all keys with that consumer key, as a merchant does who revokes access.
    pub fn revoke_key(&self, consumer_key: &str) {
        self.state().keys.retain(|issued| issued.key.consumer_key != consumer_key);
    }

    /// Changes the settings of the site.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// Sets what is wrong with the site.
    pub fn set_conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.state().conditions);
    }

    /// Installs a plugin, as far as the index of the API shows it: its namespace, such as `yoast/v1` or
    /// `rankmath/v1`.
    pub fn install(&self, namespace: &str) {
        let namespaces = &mut self.state().settings.namespaces;
        if !namespaces.iter().any(|known| known == namespace) {
            namespaces.push(namespace.to_owned());
        }
    }

    /// The address of the site: the configured one, else a fixed name.
    pub(super) fn home(&self) -> String {
        self.state().settings.home.clone().unwrap_or_else(|| "https://store.test".to_owned())
    }

    /// Puts an object in as it is, over one with the same id; its dates stay.
    pub fn insert(&self, product: Product) {
        self.state().insert(product);
    }

    /// Puts an image into the media library as it is.
    pub fn insert_media(&self, media: Media) {
        self.state().insert_media(media);
    }

    /// Puts a term in as it is.
    pub fn insert_term(&self, term: Term) {
        self.state().insert_term(term);
    }

    /// Puts a global attribute in as it is.
    pub fn insert_attribute(&self, attribute: GlobalAttribute) {
        self.state().insert_attribute(attribute);
    }

    /// Adds a term, or finds the one of that name; gives its id.
    pub fn add_term(&self, taxonomy: Taxonomy, name: &str) -> u64 {
        self.state().add_term(taxonomy, name, 0)
    }

    /// Renames a term as the merchant does; products that show it do not move. False where there is none.
    pub fn rename_term(&self, id: u64, name: &str) -> bool {
        self.state().terms.get_mut(&id).map(|term| name.clone_into(&mut term.name)).is_some()
    }

    /// A copy of all terms of all taxonomies, by id.
    #[must_use]
    pub fn all_terms(&self) -> Vec<Term> {
        self.state().terms.values().cloned().collect()
    }

    /// A copy of all global attributes, by id.
    #[must_use]
    pub fn all_attributes(&self) -> Vec<GlobalAttribute> {
        self.state().attributes.values().cloned().collect()
    }

    /// Changes a term as the merchant does; products that show it do not move. False where there is none.
    pub fn edit_term(&self, id: u64, change: impl FnOnce(&mut Term)) -> bool {
        self.state().terms.get_mut(&id).map(change).is_some()
    }

    /// Deletes a term. False where there is none.
    pub fn delete_term(&self, id: u64) -> bool {
        self.state().terms.remove(&id).is_some()
    }

    /// Deletes a global attribute with its terms. False where there is none.
    pub fn delete_attribute(&self, id: u64) -> bool {
        let mut state = self.state();
        state.terms.retain(|_, term| term.taxonomy != Taxonomy::Attribute(id));
        state.attributes.remove(&id).is_some()
    }

    /// Adds a global attribute, or finds the one of that name; gives its id.
    pub fn add_attribute(&self, name: &str) -> u64 {
        self.state().add_attribute(name)
    }

    /// Adds an image with that file name; gives its id.
    pub fn add_media(&self, file: &str) -> u64 {
        let (home, now) = (self.home(), self.now());
        self.state().add_media(&home, file, now)
    }

    /// Makes a product as the merchant does in the admin, with the dates of now; gives its id.
    pub fn create(&self, name: &str, fill: impl FnOnce(&mut Product)) -> u64 {
        let now = self.now();
        let mut state = self.state();
        let id = state.take_post_id();
        let mut product = Product::new(id, super::text::filter_name(name), now);
        product.categories = vec![state.default_category];
        fill(&mut product);
        if product.slug.is_empty() && product.status == "publish" {
            product.slug = state.unique_slug(&super::text::slug(&product.name), id);
        }
        product.id = id;
        state.insert(product);
        state.webhooks.fire(Event::Created, id);
        id
    }

    /// Makes a variation of a product; gives its id.
    pub fn create_variation(&self, parent: u64, fill: impl FnOnce(&mut Product)) -> u64 {
        let now = self.now();
        let mut state = self.state();
        let id = state.take_post_id();
        let mut product = Product::new_variation(id, parent, now);
        fill(&mut product);
        (product.id, product.parent_id) = (id, parent);
        state.insert(product);
        state.webhooks.fire(Event::Created, id);
        id
    }

    /// Edits a product or variation as the merchant does: its `modified` moves to now, and so does that of
    /// a variation's product. False where there is none.
    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        self.change(id, Event::Updated, change)
    }

    fn change(&self, id: u64, event: Event, change: impl FnOnce(&mut Product)) -> bool {
        let now = self.now();
        let mut state = self.state();
        let Some(product) = state.products.get_mut(&id) else { return false };
        change(product);
        product.id = id;
        product.modified = now;
        let (parent, variation) = (product.parent_id, product.is_variation());
        if let Some(parent) = state.products.get_mut(&parent) {
            parent.modified = now;
        }
        // The deletion of a variation tells nobody, by an open issue of the platform.
        if event != Event::Trashed || !variation {
            state.webhooks.fire(event, id);
        }
        true
    }

    /// Sells that many, as an order does: the stock goes down where it is counted. False where there is no
    /// such product.
    pub fn sell(&self, id: u64, quantity: u32) -> bool {
        self.edit(id, |product| {
            product.total_sales = product.total_sales.saturating_add(u64::from(quantity));
            product.stock_quantity = product.stock_quantity.map(|stock| stock - i64::from(quantity));
        })
    }

    /// Changes a product without moving its date, as a direct change of the database does.
    pub fn edit_in_silence(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        let mut state = self.state();
        state.products.get_mut(&id).map(change).is_some()
    }

    /// Changes an image, such as its alt text; products that show it do not move.
    pub fn edit_media(&self, id: u64, change: impl FnOnce(&mut Media)) -> bool {
        self.state().media.get_mut(&id).map(change).is_some()
    }

    /// Deletes a product for good, with its variations. False where there is none.
    pub fn delete(&self, id: u64) -> bool {
        self.state().remove(id).is_some()
    }

    /// Moves a product to the trash. False where there is none.
    pub fn trash(&self, id: u64) -> bool {
        self.change(id, Event::Trashed, |product| {
            product.status_before_trash = Some(std::mem::replace(&mut product.status, "trash".to_owned()));
            product.slug.push_str("__trashed");
        })
    }

    /// A copy of what is stored of a product or variation.
    #[must_use]
    pub fn product(&self, id: u64) -> Option<Product> {
        self.state().products.get(&id).cloned()
    }

    /// A copy of an image of the media library.
    #[must_use]
    pub fn media(&self, id: u64) -> Option<Media> {
        self.state().media.get(&id).cloned()
    }

    /// Copies of all images of the media library, by id.
    #[must_use]
    pub fn all_media(&self) -> Vec<Media> {
        self.state().media.values().cloned().collect()
    }

    /// The ids of all products and variations, also in the trash, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.state().products.keys().copied().collect()
    }

    /// How many products there are outside the trash, without variations.
    #[must_use]
    pub fn product_count(&self) -> usize {
        self.state().products.values().filter(|p| !p.is_variation() && p.status != "trash").count()
    }

    /// How many variations there are outside the trash.
    #[must_use]
    pub fn variation_count(&self) -> usize {
        self.state().products.values().filter(|p| p.is_variation() && p.status != "trash").count()
    }

    /// The stored object in edit form as JSON text, for comparing byte by byte before and after.
    ///
    /// `related_ids` is empty, since the store draws them anew for each answer. The description of a variation is the
    /// stored one, which the routes of variations never show.
    #[must_use]
    pub fn raw(&self, id: u64) -> Option<String> {
        self.json(id).map(|json| json.to_php())
    }

    /// The stored object in edit form, as [`WooStore::raw`].
    #[must_use]
    pub fn json(&self, id: u64) -> Option<Json> {
        let (home, now) = (self.home(), self.now());
        let state = self.state();
        let render = Renderer { state: &state, home: &home, now, form: Form::Edit };
        let product = state.products.get(&id)?;
        Some(if product.is_variation() {
            let mut json = render.variation(product, Place::OfProduct);
            json.set("description", product.description.as_str());
            json
        } else {
            render.product(product, &[])
        })
    }

    /// All objects of [`WooStore::raw`] with their ids, ascending.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(u64, String)> {
        self.ids().into_iter().filter_map(|id| Some((id, self.raw(id)?))).collect()
    }

    /// Runs `action` once, just before the `nth` request (counted from 1) that `predicate` holds for is
    /// answered; such as a merchant's edit between a connector's read and its write.
    pub fn before_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&WooStore) + Send + 'static,
    ) {
        self.0.hooks.add(Side::Before, nth, predicate, action);
    }

    /// Runs `action` once, just after the `nth` request (counted from 1) that `predicate` holds for was
    /// answered; such as a deletion between two pages of a list.
    pub fn after_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&WooStore) + Send + 'static,
    ) {
        self.0.hooks.add(Side::After, nth, predicate, action);
    }

    /// Whether a request asks for a list of products; a predicate for hooks.
    #[must_use]
    pub fn is_product_list(request: &Request) -> bool {
        request.method == http::Method::GET && request.path.trim_end_matches('/').ends_with("/wc/v3/products")
    }
}

#[async_trait]
impl Handler for WooStore {
    /// Answers at once: [`Conditions::slow_saves`] and pings of webhooks take a server.
    fn handle(&self, request: &Request) -> Response {
        self.0.hooks.run(Side::Before, request, self);
        self.answer(request, &BTreeMap::new())
    }

    async fn respond(&self, request: &Request) -> Response {
        self.0.hooks.run(Side::Before, request, self);
        let slow = self.state().conditions.slow_saves.filter(|_| !request.method.is_safe());
        let mut loaded = BTreeMap::new();
        if let Some(time) = slow {
            loaded = routes::named(&self.state(), request);
            self.0.clock.sleep(time).await;
        }
        let response = self.answer(request, &loaded);
        self.send_pings().await;
        self.deliver_soon();
        response
    }
}

impl WooStore {
    fn answer(&self, request: &Request, loaded: &BTreeMap<u64, Product>) -> Response {
        let now = self.now();
        let response = routes::answer(&mut self.state(), request, now, loaded);
        self.0.hooks.run(Side::After, request, self);
        response
    }
}
