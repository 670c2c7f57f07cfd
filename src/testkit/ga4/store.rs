//! The fake as a test holds it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::collect::Collected;
use super::discovery::Discovery;
use super::door;
use super::property::Property;
use super::tokens::Tokens;
use crate::error::Result;
use crate::testkit::exchange::{Handler, Request, Response};
use crate::time::{Clock, Day, Timestamp};

/// The most violations that are kept.
const VIOLATION_LIMIT: usize = 1000;

/// A fake of Google Analytics: the Data API, the Admin API, the token endpoint and the Measurement Protocol, at one
/// address. Clones share it; give one to a [`Service`](crate::testkit::server::Service), keep one for the test.
#[derive(Clone)]
pub struct Ga4Fake(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    hooks: Mutex<Vec<Hook>>,
    clock: Arc<dyn Clock>,
    data: Option<Arc<Discovery>>,
    admin: Option<Arc<Discovery>>,
}

/// What the fake knows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) properties: BTreeMap<u64, Property>,
    pub(super) tokens: Tokens,
    pub(super) api_secret: String,
    pub(super) collected: Vec<Collected>,
    pub(super) violations: Vec<String>,
    /// How many of the next calls of the Data API end in a server error.
    pub(super) failures: u64,
    /// How many server errors were answered.
    pub(super) failed: u64,
    /// The calls of the Data and the Admin API that came in.
    pub(super) calls: u64,
    /// Those that asked for a change.
    pub(super) writes: u64,
}

type Action = Box<dyn FnOnce(&Ga4Fake) + Send>;

struct Hook {
    left: u64,
    predicate: Box<dyn Fn(&Request) -> bool + Send>,
    action: Option<Action>,
}

impl fmt::Debug for Ga4Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ga4Fake").finish_non_exhaustive()
    }
}

impl Ga4Fake {
    /// Makes a fake without properties that reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::held_to(clock, None, None)
    }

    /// The same, and holds each request body against the official documents of the Data and the Admin API.
    #[must_use]
    pub fn held_to(
        clock: Arc<dyn Clock>,
        data: Option<Arc<Discovery>>,
        admin: Option<Arc<Discovery>>,
    ) -> Self {
        let state = State { api_secret: "mp-secret-of-the-stream".to_owned(), ..State::default() };
        Self(Arc::new(Inner { state: Mutex::new(state), hooks: Mutex::default(), clock, data, admin }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment by its clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Adds a property, which `fill` sets up.
    pub fn add_property(&self, id: u64, fill: impl FnOnce(&mut Property)) {
        let mut property = Property::new(id);
        fill(&mut property);
        self.state().properties.insert(id, property);
    }

    /// Adds a property with so many items and pages a day, for so many days up to yesterday, and for today: what ends
    /// with yesterday has all its days once today is over, too. The numbers follow from their place; one item and one
    /// page a day are `(not set)`.
    pub fn seed_property(&self, id: u64, items: u32, pages: u32, days: u32) {
        let now = self.now();
        self.add_property(id, |property| super::seed::fill(property, now, items, pages, days));
    }

    /// Changes a property, as time and the merchant do. Nothing where there is none.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut Property)) {
        if let Some(property) = self.state().properties.get_mut(&id) {
            change(property);
        }
    }

    /// Looks at a property; none where there is none.
    #[must_use]
    pub fn property(&self, id: u64) -> Option<Property> {
        self.state().properties.get(&id).cloned()
    }

    /// The day that it is at a property.
    #[must_use]
    pub fn today(&self, id: u64) -> Option<Day> {
        let now = self.now();
        self.state().properties.get(&id).map(|property| property.today(now))
    }

    /// Lets a service account in, by its private key in PEM, and gives the file that its owner downloads.
    ///
    /// # Errors
    /// `Config` where the text is no RSA key.
    pub fn issue_account(&self, pem: &str) -> Result<String> {
        let email = "reader@a-project.iam.gserviceaccount.com";
        self.state().tokens.add_account(email, pem)?;
        let file = serde_json::json!({
            "type": "service_account", "project_id": "a-project", "private_key_id": "0123", "private_key": pem,
            "client_email": email, "client_id": "1", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": super::tokens::AUDIENCE, "universe_domain": "googleapis.com",
        });
        Ok(file.to_string())
    }

    /// Lets a user in, and gives the file with the user's refresh token.
    #[must_use]
    pub fn issue_user(&self, name: &str) -> String {
        let (refresh, client) = (format!("1//{name}"), "app.apps.googleusercontent.com");
        self.state().tokens.add_user(&refresh, client, "client-secret-of-the-app");
        serde_json::json!({
            "type": "authorized_user", "client_id": client, "client_secret": "client-secret-of-the-app",
            "refresh_token": refresh, "quota_project_id": "a-project",
        })
        .to_string()
    }

    /// Ends all access tokens; what they were got with goes on.
    pub fn expire_tokens(&self) {
        self.state().tokens.expire();
    }

    /// Takes all refresh tokens back.
    pub fn revoke_users(&self) {
        let mut state = self.state();
        state.tokens.forget_users();
        state.tokens.expire();
    }

    /// Refuses every credential from now on.
    pub fn withdraw(&self) {
        self.state().tokens.withdrawn = true;
    }

    /// How often the token endpoint was asked.
    #[must_use]
    pub fn token_requests(&self) -> u64 {
        self.state().tokens.asked
    }

    /// The secret that events are counted with.
    #[must_use]
    pub fn api_secret(&self) -> String {
        self.state().api_secret.clone()
    }

    /// Answers so many of the next calls of the Data API with a server error, which its quota counts.
    pub fn fail_next(&self, times: u64) {
        self.state().failures = times;
    }

    /// How many server errors were answered.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.state().failed
    }

    /// The calls of the Data and the Admin API that came in.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Those of them that asked for a change, events too.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// The tokens that a property was charged in this hour.
    #[must_use]
    pub fn tokens_spent(&self, id: u64) -> u64 {
        self.state().properties.get(&id).map_or(0, |property| property.used.tokens())
    }

    /// The events that came in.
    #[must_use]
    pub fn collected(&self) -> Vec<Collected> {
        self.state().collected.clone()
    }

    /// What requests held that the official documents do not allow, and events that break the limits; at most the
    /// first thousand.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Runs `action` once, just after the `nth` request (counted from 1) that `predicate` holds for was answered; such
    /// as a restatement between two pages of a report.
    pub fn after_request(
        &self,
        nth: u64,
        predicate: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&Self) + Send + 'static,
    ) {
        let hook = Hook { left: nth.max(1), predicate: Box::new(predicate), action: Some(Box::new(action)) };
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    fn run_hooks(&self, request: &Request) {
        let mut due = Vec::new();
        {
            let mut hooks = self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner);
            for hook in hooks.iter_mut().filter(|hook| (hook.predicate)(request)) {
                hook.left = hook.left.saturating_sub(1);
                if hook.left == 0 {
                    due.extend(hook.action.take());
                }
            }
            hooks.retain(|hook| hook.action.is_some());
        }
        for action in due {
            action(self);
        }
    }
}

impl State {
    pub(super) fn violate(&mut self, what: impl IntoIterator<Item = String>) {
        let room = VIOLATION_LIMIT.saturating_sub(self.violations.len());
        self.violations.extend(what.into_iter().take(room));
    }
}

impl Handler for Ga4Fake {
    fn handle(&self, request: &Request) -> Response {
        let now = self.now();
        let response = {
            let inner = &self.0;
            door::answer(&mut self.state(), inner.data.as_deref(), inner.admin.as_deref(), request, now)
        };
        self.run_hooks(request);
        response.with_header("date", &now.to_http_date())
    }
}
