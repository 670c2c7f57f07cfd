//! The store as a test holds it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attribute::Attribute;
use super::auth::{Admin, ImsClient, Integration, Issued, token};
use super::events::{self, EventForm, SignedDelivery};
use super::official;
use super::product::Product;
use super::render::{self, Place};
use super::routes;
use super::settings::{Conditions, Edition, Release, Settings};
use super::state::{Ordered, Refusal, State};
use super::tokens;
use super::views::{StoreView, Website};
use crate::testkit::exchange::{Handler, Request, Response};
use crate::testkit::meanwhile::{Meanwhile, Side};
use crate::testkit::openapi::{Document, Ledger, Rulebook, Violation};
use crate::time::{Clock, Timestamp};

/// A fake store. Clones share it; give one to a [`Service`](crate::testkit::server::Service), keep one for the
/// test.
#[derive(Clone)]
pub struct MagentoFake(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    hooks: Meanwhile<MagentoFake>,
    clock: Arc<dyn Clock>,
    ledger: Option<Ledger>,
}

impl fmt::Debug for MagentoFake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MagentoFake").field("products", &self.product_count()).finish_non_exhaustive()
    }
}

/// Makes a [`MagentoFake`].
#[must_use = "a builder does nothing until it is built"]
pub struct MagentoFakeBuilder {
    clock: Arc<dyn Clock>,
    edition: Edition,
    release: Release,
    seed: u64,
    base_path: String,
    views: Vec<(String, String)>,
    rulebook: Option<Arc<Rulebook>>,
}

impl fmt::Debug for MagentoFakeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MagentoFakeBuilder")
            .field("edition", &self.edition)
            .field("release", &self.release)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl MagentoFakeBuilder {
    /// Sets the product (default [`Edition::OpenSource`]).
    pub fn edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    /// The product that was set.
    #[must_use]
    pub fn which_edition(&self) -> Edition {
        self.edition
    }

    /// Sets the release, from which the conditions follow (default [`Release::V2_4_9`]).
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Sets the seed of generated catalogues, of the ids of options, and of orders that nobody asked for
    /// (default 1).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the path below the host that the store lives at, such as `/shop`.
    pub fn base_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.base_path);
        self
    }

    /// Sets the store views by code and locale; the first is the default view (default: `default` in `en_US`,
    /// `de` in `de_DE`, `fr` in `fr_FR`).
    pub fn views<'a>(mut self, views: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.views = views.into_iter().map(|(code, locale)| (code.to_owned(), locale.to_owned())).collect();
        self
    }

    /// Holds each request and answer against an official document; see [`MagentoFake::rulebook`].
    pub fn official(mut self, rulebook: Arc<Rulebook>) -> Self {
        self.rulebook = Some(rulebook);
        self
    }

    /// Makes the store: no products, one website, and nobody who may call.
    #[must_use]
    pub fn build(self) -> MagentoFake {
        let now = whole(self.clock.now());
        let mut state = State::new(self.edition, self.release, self.seed, now);
        state.settings.base_path = self.base_path;
        for (id, (code, locale)) in (1..).zip(self.views) {
            state.views.push(StoreView {
                id,
                name: format!("{code} view"),
                code,
                website: 1,
                locale,
                currency: "EUR".to_owned(),
                active: true,
            });
        }
        MagentoFake(Arc::new(Inner {
            state: Mutex::new(state),
            hooks: Meanwhile::default(),
            clock: self.clock,
            ledger: self.rulebook.map(Ledger::new),
        }))
    }
}

/// A moment to the second, as the platform keeps them.
fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(now.unix_seconds()).unwrap_or(now)
}

impl MagentoFake {
    /// Makes an empty store of 2.4.9 with three views, which reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::builder(clock).build()
    }

    /// Starts to make a store that reads the time from `clock`.
    pub fn builder(clock: Arc<dyn Clock>) -> MagentoFakeBuilder {
        let view = |code: &str, locale: &str| (code.to_owned(), locale.to_owned());
        MagentoFakeBuilder {
            clock,
            edition: Edition::OpenSource,
            release: Release::V2_4_9,
            seed: 1,
            base_path: String::new(),
            views: vec![view("default", "en_US"), view("de", "de_DE"), view("fr", "fr_FR")],
            rulebook: None,
        }
    }

    /// The state at the present moment.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now = whole(self.0.clock.now());
        state.elapsed = self.0.clock.elapsed();
        state
    }

    /// The moment by the store's clock, to the second.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        whole(self.0.clock.now())
    }

    /// Changes what the installation is.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// What the installation is.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    /// Sets what is wrong with the installation.
    pub fn set_conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.state().conditions);
    }

    /// Makes an active integration whose credentials follow from `name`.
    #[must_use]
    pub fn issue_integration(&self, name: &str) -> Integration {
        let mut state = self.state();
        let keys = Integration::named(name);
        let id = state.take_id();
        state.callers.integrations.push(Issued {
            id,
            keys: keys.clone(),
            nonces: Vec::new(),
            revoked: false,
            handshake: None,
        });
        keys
    }

    /// Makes an integration that waits for its handshake; gives the form that the store posts to the callback
    /// (`store_base_url`, `oauth_verifier`, `oauth_consumer_key`, `oauth_consumer_secret`).
    #[must_use]
    pub fn activate_integration(&self, name: &str, store_base_url: &str) -> Vec<(&'static str, String)> {
        let keys = self.state().start_handshake(name);
        vec![
            ("store_base_url", store_base_url.to_owned()),
            ("oauth_verifier", token(&format!("verifier:{name}"))),
            ("oauth_consumer_key", keys.consumer_key),
            ("oauth_consumer_secret", keys.consumer_secret),
        ]
    }

    /// Withdraws an access token.
    pub fn revoke(&self, access_token: &str) {
        let mut state = self.state();
        for issued in state.callers.integrations.iter_mut().filter(|i| i.keys.access_token == access_token) {
            issued.revoked = true;
        }
        state.callers.admin_tokens.retain(|known| known.token != access_token);
        state.callers.ims_tokens.retain(|known| known.token != access_token);
    }

    /// Withdraws every token of admins and of the identity service, as where they have ended.
    pub fn expire_tokens(&self) {
        let mut state = self.state();
        state.callers.admin_tokens.clear();
        state.callers.ims_tokens.clear();
    }

    /// Sets the rights of all callers, such as `Magento_Catalog::products`; all of them at the start.
    pub fn allow_only<'a>(&self, resources: impl IntoIterator<Item = &'a str>) {
        self.state().callers.rights = Some(resources.into_iter().map(str::to_owned).collect());
    }

    /// Gives all callers all rights again.
    pub fn allow_all(&self) {
        self.state().callers.rights = None;
    }

    /// Adds an admin's account.
    pub fn add_admin(&self, username: &str, password: &str) {
        let admin = Admin { username: username.to_owned(), password: password.to_owned() };
        self.state().callers.admins.push(admin);
    }

    /// The second factor of an admin at this moment.
    #[must_use]
    pub fn one_time_password(&self, username: &str) -> String {
        tokens::one_time_password(username, self.now())
    }

    /// Makes the project at the identity service that may call a store of the cloud service.
    #[must_use]
    pub fn issue_ims_client(&self, name: &str) -> ImsClient {
        let client = ImsClient {
            client_id: token(&format!("ims:{name}")),
            client_secret: format!("p8e-{}", token(&format!("ims-secret:{name}"))),
            organization: format!("{}@AdobeOrg", token(&format!("org:{name}")).to_uppercase()),
        };
        self.state().callers.ims = Some(client.clone());
        client
    }

    /// Refuses the `nth` request (counted from 1) that `predicate` holds for, and those behind it, `times` in
    /// all.
    pub fn refuse(
        &self,
        nth: u64,
        times: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        refusal: Refusal,
    ) {
        let order = Ordered { left: nth.max(1), times, predicate: Box::new(predicate), refusal };
        self.state().refusals.push(order);
    }

    /// Refuses the next asynchronous operation that a consumer takes; further calls, those behind it.
    pub fn refuse_operation(&self, refusal: Refusal) {
        self.state().eventing.refused_operations.push_back(refusal);
    }

    /// Requests that no route of the fake answers, as `VERB path`. A test holds that there are none.
    #[must_use]
    pub fn unexpected(&self) -> Vec<String> {
        self.state().unexpected.clone()
    }

    /// The rulebook of an official document of the API, with the places where it is not followed and why.
    /// Share one: schemas are made ready once.
    #[must_use]
    pub fn rulebook(document: Arc<Document>) -> Rulebook {
        official::rulebook(document)
    }

    /// The places where the official documents are not followed, as operation, place and reason.
    #[must_use]
    pub fn exceptions() -> &'static [(&'static str, &'static str, &'static str)] {
        &official::EXCEPTIONS
    }

    /// What requests and answers had that the official document does not allow, each once; empty without
    /// [`MagentoFakeBuilder::official`]. A test holds that there is nothing.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.0.ledger.as_ref().map(Ledger::violations).unwrap_or_default()
    }

    /// Takes the events that are subscribed to and have happened, each as a delivery to a client.
    #[must_use]
    pub fn take_events(&self, client_id: &str, form: EventForm) -> Vec<SignedDelivery> {
        self.state().take_events(client_id, form)
    }

    /// Signs a body as Adobe I/O events do.
    #[must_use]
    pub fn sign_event(body: &str) -> SignedDelivery {
        events::io_delivery(body)
    }

    /// Signs a body as Adobe Commerce webhooks do.
    #[must_use]
    pub fn sign_webhook(body: &str) -> SignedDelivery {
        events::webhook_delivery(body)
    }

    /// The public key of both, in PEM; the fake also serves it at the path that deliveries name.
    #[must_use]
    pub fn public_key() -> &'static str {
        events::public_key()
    }

    /// The store views.
    #[must_use]
    pub fn views(&self) -> Vec<StoreView> {
        self.state().views.clone()
    }

    /// The id of a view by its code; 0 of `all`.
    #[must_use]
    pub fn view_id(&self, code: &str) -> Option<u64> {
        self.state().view_id(code)
    }

    /// Adds a website; gives its id.
    pub fn add_website(&self, code: &str) -> u64 {
        let mut state = self.state();
        let id = state.websites.iter().map(|website| website.id).max().unwrap_or(0) + 1;
        state.websites.push(Website { id, code: code.to_owned(), name: format!("{code} website") });
        id
    }

    /// Adds a store view to a website; gives its id.
    pub fn add_view(&self, website: u64, code: &str, locale: &str) -> u64 {
        let mut state = self.state();
        let id = state.views.iter().map(|view| view.id).max().unwrap_or(0) + 1;
        state.views.push(StoreView {
            id,
            code: code.to_owned(),
            name: format!("{code} view"),
            website,
            locale: locale.to_owned(),
            currency: "EUR".to_owned(),
            active: true,
        });
        id
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> Vec<Attribute> {
        self.state().attributes.clone()
    }

    /// An attribute by its code.
    #[must_use]
    pub fn attribute(&self, code: &str) -> Option<Attribute> {
        self.state().attribute(code).cloned()
    }

    /// What is stored of a product.
    #[must_use]
    pub fn product(&self, id: u64) -> Option<Product> {
        self.state().products.get(&id).cloned()
    }

    /// What is stored of the product with a SKU.
    #[must_use]
    pub fn by_sku(&self, sku: &str) -> Option<Product> {
        self.state().by_sku(sku).cloned()
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

    /// A product as a view shows it, as JSON text; view 0 shows the global values.
    #[must_use]
    pub fn raw(&self, id: u64, view: u64) -> Option<String> {
        let state = self.state();
        let product = state.products.get(&id)?;
        Some(render::product(&state, product, view, Place::Alone).to_php())
    }

    /// The rows of the database for a product but its dates, a line each: every value of every scope, which
    /// tells a view's own value from an inherited one, every picture's label, place and switch by scope, stock,
    /// websites, categories, options and children.
    #[must_use]
    pub fn rows(&self, id: u64) -> Vec<String> {
        self.state().products.get(&id).map(rows).unwrap_or_default()
    }

    /// All [`MagentoFake::rows`] with their product's id.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(u64, Vec<String>)> {
        self.state().products.iter().map(|(id, product)| (*id, rows(product))).collect()
    }

    /// Runs `action` once, just before the `nth` request (counted from 1) that `predicate` holds for is
    /// answered; such as a merchant's edit between a connector's read and its write.
    pub fn before_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&MagentoFake) + Send + 'static,
    ) {
        self.0.hooks.add(Side::Before, nth, predicate, action);
    }

    /// Runs `action` once, just after the `nth` request (counted from 1) that `predicate` holds for was
    /// answered; such as a deletion between two pages of a list.
    pub fn after_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&MagentoFake) + Send + 'static,
    ) {
        self.0.hooks.add(Side::After, nth, predicate, action);
    }

    /// Whether a request asks for a list of products; a predicate for hooks and faults.
    #[must_use]
    pub fn is_product_list(request: &Request) -> bool {
        request.method == http::Method::GET && request.path.ends_with("/V1/products")
    }
}

fn rows(product: &Product) -> Vec<String> {
    let mut lines = vec![
        format!("sku {:?} type {} set {}", product.sku, product.type_id, product.attribute_set_id),
        format!("websites {:?}", product.websites),
        format!("categories {:?}", product.categories),
        format!("stock {:?}", product.stock),
        format!("configurable {:?} children {:?}", product.configurable, product.children),
    ];
    for (scope, values) in &product.values {
        lines.extend(values.iter().map(|(code, value)| format!("value {scope} {code} {value:?}")));
    }
    for entry in &product.media {
        lines.push(format!("media {} {} {}", entry.id, entry.file, entry.media_type));
        for (scope, row) in &entry.rows {
            lines.push(format!("media {} at {scope} {row:?}", entry.id));
        }
    }
    for (name, list) in
        [("link", &product.links), ("option", &product.options), ("tier price", &product.tier_prices)]
    {
        lines.extend(list.iter().map(|item| format!("{name} {}", item.to_php())));
    }
    lines
}

impl Handler for MagentoFake {
    fn handle(&self, request: &Request) -> Response {
        self.0.hooks.run(Side::Before, request, self);
        let response = routes::answer(&mut self.state(), request);
        if let Some(ledger) = &self.0.ledger {
            official::hold(ledger, &self.settings(), request, &response);
        }
        self.0.hooks.run(Side::After, request, self);
        response
    }
}
