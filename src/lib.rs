//! Connects services to the systems where a retailer's products live.
//!
//! A store's catalogue is read into one canonical schema and every pull ends in a certificate that says
//! what was proved; enriched content is planned, merged, written back, verified, and can be undone.

pub mod auth;
pub mod connector;
pub mod connectors;
pub mod error;
pub mod http;
pub mod mapping;
pub mod model;
pub mod registry;
pub mod runtime;
pub mod state;
pub mod sync;
pub mod time;
pub mod transport;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use connector::Connector;
pub use error::{Error, ErrorKind, Result};
pub use model::{Enrichment, Entity, Record, Secret, StoreKey};
pub use registry::ConnectorConfig;
pub use runtime::Runtime;
#[cfg(feature = "sqlite")]
pub use state::SqliteState;
pub use state::{MemoryState, StateStore};
pub use sync::{Approvals, Cancel, Certificate, JsonlSink, Plan, Pull, Push, Receipt, Sink, Verdict};
