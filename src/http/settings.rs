//! How a client is set up.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use url::Position;

use super::Backoff;
use super::allowance::ErrorAllowance;
use super::breaker::BreakerSettings;
use super::budget::BudgetSettings;
use super::classify::{Classifier, StatusTable};
use super::client::{ApiClient, Route};
use super::rate::Rate;
use super::shared::Shared;
use super::window::WindowSettings;
use crate::auth::{Authenticator, Origin};
use crate::error::{Error, ErrorKind, Result};
use crate::model::StoreKey;
use crate::transport::AttemptLimits;

/// The bounds of a client. Clients of one store share its limiter: the last one made sets it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientSettings {
    /// The most calls in flight at the store (default 2); fewer while it is overloaded.
    pub max_in_flight: NonZeroU32,
    /// A ceiling that is known beforehand (default none).
    pub rate: Option<Rate>,
    /// The points that the store gives out, as it announces them (default none).
    pub budget: Option<BudgetSettings>,
    /// The most server errors that are provoked in a time (default no bound).
    pub errors: Option<ErrorAllowance>,
    /// How the store's window of calls is used, where it counts them so (default not at all).
    pub window: Option<WindowSettings>,
    /// The most attempts of a call, the first included (default 5).
    pub attempts: u32,
    /// The waits between attempts.
    pub backoff: Backoff,
    /// The longest wait that the server may ask for (default 5 min); a longer one is cut to it.
    pub retry_after_cap: Duration,
    /// When the breaker opens.
    pub breaker: BreakerSettings,
    /// The bounds of one attempt; whether private hosts may be reached is one of them.
    pub limits: AttemptLimits,
    /// The `User-Agent` (default `lily-connect/` and the version).
    pub user_agent: String,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            max_in_flight: NonZeroU32::MIN.saturating_add(1),
            rate: None,
            budget: None,
            errors: None,
            window: None,
            attempts: 5,
            backoff: Backoff::default(),
            retry_after_cap: Duration::from_secs(300),
            breaker: BreakerSettings::default(),
            limits: AttemptLimits::default(),
            user_agent: concat!("lily-connect/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Settings of an [`ApiClient`].
#[derive(Debug)]
pub struct ApiClientBuilder {
    shared: Shared,
    store: StoreKey,
    origin: Origin,
    authenticator: Arc<dyn Authenticator>,
    classifier: Arc<dyn Classifier>,
    route: Option<Route>,
    settings: ClientSettings,
}

impl ApiClientBuilder {
    /// Begins a client for a store at an origin, with the credentials that are bound to it.
    #[must_use]
    pub fn new(
        shared: Shared,
        store: StoreKey,
        origin: Origin,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        Self {
            shared,
            store,
            origin,
            authenticator,
            classifier: Arc::new(StatusTable),
            route: None,
            settings: ClientSettings::default(),
        }
    }

    /// Sets who refines what an answer's status says (default nobody).
    #[must_use]
    pub fn classifier(mut self, classifier: Arc<dyn Classifier>) -> Self {
        self.classifier = classifier;
        self
    }

    /// Sets where paths go (default: below the base as they are). The classifier sees the path before that.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn settings(mut self, settings: ClientSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Allows or forbids loopback and private addresses (default forbidden).
    #[must_use]
    pub fn private_hosts(mut self, allowed: bool) -> Self {
        self.settings.limits.private_hosts = allowed;
        self
    }

    /// Sets the most calls in flight at the store (default 2).
    #[must_use]
    pub fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.settings.max_in_flight = calls;
        self
    }

    /// Sets a ceiling that is known beforehand (default none).
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.settings.rate = Some(rate);
        self
    }

    /// Sets the points that the store gives out, as far as they are known before its first answer (default
    /// none). The classifier reads what the answers say of them.
    #[must_use]
    pub fn budget(mut self, budget: BudgetSettings) -> Self {
        self.settings.budget = Some(budget);
        self
    }

    /// Sets the most server errors that are provoked in a time, where the platform locks out who had too many
    /// (default no bound).
    #[must_use]
    pub fn errors(mut self, allowance: ErrorAllowance) -> Self {
        self.settings.errors = Some(allowance);
        self
    }

    /// Says that the store counts calls in windows, and tells of them in its answers (default not). The classifier
    /// reads what they say; until the first one, nothing is held back.
    #[must_use]
    pub fn window(mut self, window: WindowSettings) -> Self {
        self.settings.window = Some(window);
        self
    }

    /// Sets the most attempts of a call, the first included (default 5).
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// Makes the client; nothing is sent.
    ///
    /// # Errors
    /// `Config` where the user agent cannot be a header, there would be no attempt, or the rate, the budget or the
    /// window is unusable.
    pub fn build(self) -> Result<ApiClient> {
        let user_agent = HeaderValue::from_str(&self.settings.user_agent).map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "user_agent_unusable",
                "the user agent has bytes that no header can carry",
            )
        })?;
        if self.settings.attempts == 0 {
            return Err(Error::new(ErrorKind::Config, "attempts_zero", "attempts must be 1 or more, got 0"));
        }
        let base = self.origin.base();
        let base_uri = Scheme::try_from(base.scheme())
            .ok()
            .zip(Authority::try_from(&base[Position::BeforeHost..Position::AfterPort]).ok())
            .ok_or_else(|| Error::new(ErrorKind::Config, "origin_invalid", "the address cannot be a URI"))?;
        let (gate, host) = self.shared.store(&self.store, &self.origin.authority(), self.settings.breaker);
        let settings = &self.settings;
        gate.configure(settings.max_in_flight, settings.rate, settings.budget)?;
        if let Some(window) = settings.window {
            gate.count_in_windows(window)?;
        }
        gate.allow_errors(settings.errors);
        Ok(ApiClient {
            shared: self.shared,
            store: self.store,
            origin: self.origin,
            authenticator: self.authenticator,
            classifier: self.classifier,
            route: self.route,
            settings: self.settings,
            user_agent,
            base_uri,
            gate,
            host,
            clock_offset_ms: AtomicI64::new(0),
        })
    }
}
