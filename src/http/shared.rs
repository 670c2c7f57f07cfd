//! What all clients of a process share: the way out, the clock, and the limiters and breakers by store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::breaker::{Breaker, BreakerSettings};
use super::observe::Observer;
use super::rate::Gate;
use super::retry::RetryBudget;
use crate::model::StoreKey;
use crate::time::{Clock, Entropy};
use crate::transport::HttpTransport;

/// The stores without a client whose limits are remembered.
const IDLE_STORES: usize = 1024;

/// A cheap clone that every [`super::ApiClient`] holds.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Option<Arc<dyn Observer>>,
    stores: Arc<Mutex<HashMap<StoreKey, StoreEntry>>>,
}

/// What is remembered of a store.
#[derive(Debug)]
struct StoreEntry {
    gate: Arc<Gate>,
    /// By host, with its port: a store has one or two.
    hosts: Vec<(String, Arc<Host>)>,
    touched: Duration,
}

/// What is remembered of a host of a store.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) breaker: Breaker,
    pub(super) budget: RetryBudget,
}

impl StoreEntry {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.gate) == 1 && self.hosts.iter().all(|(_, host)| Arc::strong_count(host) == 1)
    }
}

impl Shared {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        Self(Arc::new(Inner { transport, clock, entropy, observer, stores: Arc::default() }))
    }

    /// The same, limiters and breakers too, with an observer.
    #[must_use]
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self(Arc::new(Inner {
            transport: Arc::clone(&self.0.transport),
            clock: Arc::clone(&self.0.clock),
            entropy: Arc::clone(&self.0.entropy),
            observer: Some(observer),
            stores: Arc::clone(&self.0.stores),
        }))
    }

    /// The transport.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn HttpTransport> {
        &self.0.transport
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

    /// The observer, where there is one.
    #[must_use]
    pub fn observer(&self) -> Option<&dyn Observer> {
        self.0.observer.as_deref()
    }

    /// The limiter of a store, and the breaker and the retry budget of one of its hosts.
    pub(super) fn store(
        &self,
        store: &StoreKey,
        authority: &str,
        breaker: BreakerSettings,
    ) -> (Arc<Gate>, Arc<Host>) {
        let now = self.0.clock.elapsed();
        let mut stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = stores.entry(store.clone()).or_insert_with(|| StoreEntry {
            gate: Arc::new(Gate::new(Arc::clone(&self.0.clock))),
            hosts: Vec::new(),
            touched: now,
        });
        entry.touched = now;
        let gate = Arc::clone(&entry.gate);
        let host = match entry.hosts.iter().find(|(name, _)| name == authority) {
            Some((_, host)) => Arc::clone(host),
            None => {
                let host = Arc::new(Host { breaker: Breaker::new(breaker), budget: RetryBudget::new() });
                entry.hosts.push((authority.to_owned(), Arc::clone(&host)));
                host
            }
        };
        evict(&mut stores);
        (gate, host)
    }

    /// How many stores are remembered.
    #[must_use]
    pub fn stores(&self) -> usize {
        self.0.stores.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Forgets stores without a client over the bound, the longest untouched first; one that is paused stays
/// unless there is no other.
fn evict(stores: &mut HashMap<StoreKey, StoreEntry>) {
    // Few calls come here, and only one in many has to look through the map.
    if stores.len() <= IDLE_STORES {
        return;
    }
    let mut idle: Vec<_> = stores
        .iter()
        .filter(|(_, entry)| entry.is_idle())
        .map(|(key, entry)| (!entry.gate.is_at_rest(), entry.touched, key.clone()))
        .collect();
    if idle.len() <= IDLE_STORES {
        return;
    }
    idle.sort_unstable();
    // A tenth more than needed goes, so that the next calls need not look again.
    let over = idle.len() - IDLE_STORES + IDLE_STORES / 10;
    for (_, _, key) in idle.into_iter().take(over) {
        stores.remove(&key);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("transport", &self.0.transport)
            .field("clock", &self.0.clock)
            .field("stores", &self.stores())
            .finish_non_exhaustive()
    }
}
