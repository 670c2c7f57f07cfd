//! What all stores of a process share.

use std::sync::Arc;

use crate::auth::{Authenticator, Origin};
use crate::http::{ApiClientBuilder, Observer, Shared};
use crate::model::StoreKey;
use crate::time::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::transport::{HttpTransport, ReqwestTransport};

/// A cheap clone that every connector holds: transport, clock, randomness, limiters and breakers.
#[derive(Debug, Clone)]
pub struct Runtime(Shared);

impl Runtime {
    /// Sends over the network with the default guards, by the machine's clock and randomness.
    #[must_use]
    pub fn new() -> Self {
        Self::with_transport(Arc::new(ReqwestTransport::new()))
    }

    /// Sends through the given transport, by the machine's clock and randomness.
    #[must_use]
    pub fn with_transport(transport: Arc<dyn HttpTransport>) -> Self {
        Self::with_parts(transport, Arc::new(SystemClock::default()), Arc::new(SystemEntropy))
    }

    /// Sends through the given transport, by the given clock and randomness.
    #[must_use]
    pub fn with_parts(
        transport: Arc<dyn HttpTransport>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self(Shared::new(transport, clock, entropy, None))
    }

    /// Tells an observer what the pipeline does from here on.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self(self.0.observed_by(observer))
    }

    /// Begins a client for a store at an origin, with the credentials that are bound to it.
    #[must_use]
    pub fn client(
        &self,
        store: StoreKey,
        origin: Origin,
        authenticator: Arc<dyn Authenticator>,
    ) -> ApiClientBuilder {
        ApiClientBuilder::new(self.0.clone(), store, origin, authenticator)
    }

    /// What its clients share: the way in for a client that is built without a runtime at hand.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.0
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.0.clock()
    }

    /// The randomness.
    #[must_use]
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        self.0.entropy()
    }

    /// The transport.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn HttpTransport> {
        self.0.transport()
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new()
    }
}
