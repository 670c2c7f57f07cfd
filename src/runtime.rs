//! What all stores of a process share.

use std::sync::Arc;

use crate::time::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::transport::HttpTransport;

/// A cheap clone that every connector holds: transport, clock, randomness, limiters and breakers.
#[derive(Debug, Clone)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Runtime {
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
        Self(Arc::new(Inner { transport, clock, entropy }))
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The randomness.
    #[must_use]
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.0.entropy
    }

    /// The transport.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn HttpTransport> {
        &self.0.transport
    }
}
