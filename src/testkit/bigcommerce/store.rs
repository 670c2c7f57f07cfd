//! The store as a test holds it, and its HTTP surface.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::conditions::Conditions;
use super::errors::{Outcome, Problem, write};
use super::limits::{Plan, Quota, WindowUse};
use super::routes::{self, Call};
use super::settings::Settings;
use super::state::State;
use super::tokens;
use crate::testkit::exchange::{Handler, Request, Response};
use crate::testkit::meanwhile::{Meanwhile, Side};
use crate::testkit::openapi::{Ledger, Rulebook, Violation};
use crate::time::{Clock, Timestamp};
use crate::transport::{HttpTransport, ReqwestTransport};

/// A fake store. Clones share it; give one to a [`Service`](crate::testkit::server::Service), keep one for the test.
#[derive(Clone)]
pub struct BigCommerceFake(pub(super) Arc<Inner>);

pub(super) struct Inner {
    state: Mutex<State>,
    requests: Option<Ledger>,
    answers: Option<Ledger>,
    hooks: Meanwhile<BigCommerceFake>,
    clock: Arc<dyn Clock>,
    pub(super) transport: Mutex<Arc<dyn HttpTransport>>,
    /// One run of deliveries at a time.
    pub(super) delivering: tokio::sync::Mutex<()>,
    at_once: AtomicBool,
    runs: AtomicBool,
    in_flight: AtomicU64,
    trees: AtomicU64,
}

impl fmt::Debug for BigCommerceFake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BigCommerceFake")
            .field("products", &self.state().products.len())
            .finish_non_exhaustive()
    }
}

/// Makes a [`BigCommerceFake`].
#[must_use = "a builder does nothing until it is built"]
pub struct BigCommerceFakeBuilder {
    clock: Arc<dyn Clock>,
    settings: Settings,
    plan: Plan,
    seed: u64,
    rulebook: Option<Arc<Rulebook>>,
}

impl fmt::Debug for BigCommerceFakeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BigCommerceFakeBuilder")
            .field("settings", &self.settings)
            .field("plan", &self.plan)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl BigCommerceFakeBuilder {
    /// Holds each request, and each answer, against the official documents: see
    /// [`BigCommerceFake::rulebook`].
    pub fn rulebook(mut self, book: Arc<Rulebook>) -> Self {
        self.rulebook = Some(book);
        self
    }

    /// Sets the plan, which sizes the quota (default [`Plan::Standard`]).
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Sets the word in the addresses of the store's API (default `abc123`).
    pub fn store_hash(mut self, hash: &str) -> Self {
        hash.clone_into(&mut self.settings.store_hash);
        self
    }

    /// Sets the id and the secret of the API account or app.
    pub fn client(mut self, id: &str, secret: &str) -> Self {
        id.clone_into(&mut self.settings.client_id);
        secret.clone_into(&mut self.settings.client_secret);
        self
    }

    /// Sets the seed of generated catalogues (default 1).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes the store: empty, with one channel, one category tree and no token.
    #[must_use]
    pub fn build(self) -> BigCommerceFake {
        let now = whole(self.clock.now());
        let ledger = |book: &Option<Arc<Rulebook>>| book.as_ref().map(|book| Ledger::new(Arc::clone(book)));
        BigCommerceFake(Arc::new(Inner {
            state: Mutex::new(State::new(self.settings, Quota::new(self.plan), self.seed, now)),
            requests: ledger(&self.rulebook),
            answers: ledger(&self.rulebook),
            hooks: Meanwhile::default(),
            clock: self.clock,
            transport: Mutex::new(Arc::new(ReqwestTransport::new())),
            delivering: tokio::sync::Mutex::new(()),
            at_once: AtomicBool::new(false),
            runs: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            trees: AtomicU64::new(0),
        }))
    }
}

/// A moment to the second, as the platform tells them.
fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(now.unix_seconds()).unwrap_or(now)
}

impl BigCommerceFake {
    /// Makes an empty store that reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::builder(clock).build()
    }

    /// Starts to make a store that reads the time from `clock`.
    pub fn builder(clock: Arc<dyn Clock>) -> BigCommerceFakeBuilder {
        BigCommerceFakeBuilder {
            clock,
            settings: Settings::default(),
            plan: Plan::Standard,
            seed: 1,
            rulebook: None,
        }
    }

    /// The state at the present moment.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now = whole(self.0.clock.now());
        state.elapsed = self.0.clock.elapsed();
        state.retire_hooks();
        state
    }

    /// The moment by the store's clock, to the second.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        whole(self.0.clock.now())
    }

    /// Changes the settings of the store.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// The settings of the store.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    /// Sets what is wrong with the store, and which habits it has.
    pub fn set_conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.state().conditions);
    }

    /// Sets the plan, and with it the quota.
    pub fn set_plan(&self, plan: Plan) {
        self.state().quota.set_plan(plan);
    }

    /// Lets another client ask for so many requests in each window, spread evenly over it.
    pub fn set_foreign_rate(&self, per_window: u64) {
        self.state().quota.set_foreign(per_window);
    }

    /// Lets another client take so many requests of the present window at once; gives how many there were.
    pub fn take_foreign(&self, requests: u64) -> u64 {
        let mut state = self.state();
        let elapsed = state.elapsed;
        state.quota.take_foreign(requests, elapsed)
    }

    /// What became of each window of the quota, oldest first; the last is the present one.
    #[must_use]
    pub fn windows(&self) -> Vec<WindowUse> {
        self.state().quota.windows()
    }

    /// What requests had that the official documents do not allow; empty where none were given.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.0.requests.as_ref().map(Ledger::violations).unwrap_or_default()
    }

    /// What this stand-in answered that the official documents do not allow.
    #[must_use]
    pub fn answer_violations(&self) -> Vec<Violation> {
        self.0.answers.as_ref().map(Ledger::violations).unwrap_or_default()
    }

    /// Requests that the stand-in does not model, so that no test passes by chance; the first 1000.
    #[must_use]
    pub fn unexpected(&self) -> Vec<String> {
        self.state().unexpected.iter().cloned().collect()
    }

    /// Whether deliveries are sent as soon as the request that caused them was answered, by a task of the current
    /// runtime (default no). It takes a server; [`BigCommerceFake::deliver`] works either way.
    pub fn deliver_at_once(&self, on: bool) {
        self.0.at_once.store(on, Ordering::Relaxed);
    }

    /// Whether destinations on this machine are taken for hooks, which the platform does not (default no).
    pub fn allow_local_destinations(&self, on: bool) {
        self.state().webhooks.local = on;
    }

    /// Runs `action` once, just before the `nth` request (counted from 1) that `predicate` holds for is answered; such
    /// as a merchant's edit between a connector's read and its write.
    pub fn before_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&BigCommerceFake) + Send + 'static,
    ) {
        self.0.hooks.add(Side::Before, nth, predicate, action);
    }

    /// Runs `action` once, just after the `nth` request (counted from 1) that `predicate` holds for was answered; such
    /// as a deletion between two pages of a list.
    pub fn after_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&BigCommerceFake) + Send + 'static,
    ) {
        self.0.hooks.add(Side::After, nth, predicate, action);
    }

    /// A predicate for hooks and faults: whether a request asks for the list of products.
    #[must_use]
    pub fn is_product_list(request: &Request) -> bool {
        request.method == http::Method::GET && request.path.ends_with("/v3/catalog/products")
    }

    /// A predicate for hooks and faults: whether a request reads a path, such as `/catalog/variants`.
    pub fn reads(path: &str) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
        let path = path.to_owned();
        move |request| request.method == http::Method::GET && request.path.ends_with(&path)
    }

    /// A predicate for hooks and faults: whether a request asks for a change.
    #[must_use]
    pub fn is_write(request: &Request) -> bool {
        let is_question =
            request.path.ends_with("/graphql") && request.body.starts_with(b"{\"query\":\"query ");
        !is_question && !matches!(request.method, http::Method::GET | http::Method::HEAD)
    }

    /// Answers a request; `crowded` says that too many came at once.
    fn serve(&self, request: &Request, crowded: bool) -> Response {
        if let Some(ledger) = &self.0.requests {
            ledger.request(request);
        }
        self.0.hooks.run(Side::Before, request, self);
        let response = answer(&mut self.state(), request, crowded);
        if let Some(ledger) = &self.0.answers {
            ledger.response(request, &response);
        }
        self.0.hooks.run(Side::After, request, self);
        response
    }

    fn deliver_soon(&self) {
        let inner = &self.0;
        if !inner.at_once.load(Ordering::Relaxed)
            || self.waiting() == 0
            || inner.runs.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            store.deliver().await;
            store.0.runs.store(false, Ordering::Release);
        });
    }
}

#[async_trait]
impl Handler for BigCommerceFake {
    fn handle(&self, request: &Request) -> Response {
        self.serve(request, false)
    }

    async fn respond(&self, request: &Request) -> Response {
        let (latency, most) = {
            let state = self.state();
            (state.conditions.latency, state.conditions.concurrency)
        };
        let all = Busy::enter(&self.0.in_flight);
        let tree = Call::is_tree_read(request).then(|| Busy::enter(&self.0.trees));
        let crowded =
            most.is_some_and(|most| all.count > most) || tree.as_ref().is_some_and(|it| it.count > 1);
        if !latency.is_zero() {
            self.0.clock.sleep(latency).await;
        }
        let response = self.serve(request, crowded);
        self.deliver_soon();
        response
    }
}

/// Counts a request as in flight until it is dropped.
struct Busy<'a> {
    counter: &'a AtomicU64,
    count: u64,
}

impl<'a> Busy<'a> {
    fn enter(counter: &'a AtomicU64) -> Self {
        Self { counter, count: counter.fetch_add(1, Ordering::AcqRel) + 1 }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer(state: &mut State, request: &Request, crowded: bool) -> Response {
    if state.conditions.maintenance {
        return Response::new(503)
            .with_header("content-type", "text/html")
            .with_body("<html><body>This store is unavailable.</body></html>");
    }
    if request.path == "/oauth2/token" && request.method == http::Method::POST {
        return tokens::exchange(state, request);
    }
    let Some((hash, call)) = Call::read(request) else {
        state.note(format!("{} {}", request.method, request.path));
        return write(Err(Problem::new(404, "No route was found for this request.")), false);
    };
    let old = call.version == "v2";
    let token = request.header("x-auth-token").unwrap_or_default();
    if !state.tokens.knows(token) {
        // The words of examples/hooks_get_hooks_401_response.json.
        let title = "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for \
                     this store.";
        return bare(state, write(Err(Problem::new(401, title)), old));
    }
    if hash != state.settings.store_hash {
        return bare(state, write(Err(Problem::new(403, "The store is another one.").with(Vec::new())), old));
    }
    if state.conditions.bare_refusals > 0 {
        state.conditions.bare_refusals -= 1;
        return Response::new(429);
    }
    let elapsed = state.elapsed;
    // Whoever comes beside another one is refused whatever the quota, and takes nothing from it.
    let mut verdict = if crowded { state.quota.look(elapsed) } else { state.quota.take(elapsed) };
    if state.conditions.without_limit_headers {
        verdict.told = None;
    }
    let outcome: Outcome = if verdict.refused || crowded {
        Err(Problem::new(429, "Too many requests"))
    } else {
        routes::answer(state, &call)
    };
    verdict.onto(bare(state, write(outcome, old)))
}

/// Takes the body off an error, where the store has that habit.
fn bare(state: &State, mut response: Response) -> Response {
    if state.conditions.empty_errors && response.status.as_u16() >= 400 {
        response.body.clear();
    }
    response
}
