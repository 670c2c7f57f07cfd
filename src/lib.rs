//! Connects services to the systems where a retailer's products live.
//!
//! A store's catalogue is read into one canonical schema and every pull ends in a certificate that says
//! what was proved; enriched content is planned, merged, written back, verified, and can be undone.
//!
//! - [`registry`] makes a [`Connector`] of the environment; each connector has a builder, too.
//! - [`Pull`] reads to a [`Sink`], such as [`JsonlSink`], and answers with a [`Certificate`].
//! - [`Push`] makes a [`Plan`] of [`Enrichment`]s, applies it to a [`Receipt`], and takes pushes back.
//! - [`Inbox`] takes what a store tells of its changes, and hands on what it then read again.
//! - A [`StateStore`] keeps checkpoints and the write log: one state a store.
//!
//! | feature | brings |
//! |---|---|
//! | `rustls` (default) | TLS with a provider; `rustls-no-provider` leaves it to the application |
//! | `sqlite` (default) | `SqliteState` |
//! | `vault` (default) | tokens at rest, sealed with the application's key |
//! | `html` | cleaning of HTML; without it none is sent |
//! | `overrides` | reading of a store's overrides of its map, from TOML |
//! | `jwt` | assertions signed with RS256 |
//! | `woocommerce`, `shopify`, `bigcommerce`, `magento` | that connector, with `html` |
//! | `ga4` | that connector, with `jwt` |
//! | `full` | all of these |
//! | `testkit` | fakes, fake clock and contract suite, for tests only |
//!
//! `examples/readme.rs` is the whole way in 30 lines.

pub mod auth;
pub mod connector;
pub mod connectors;
pub mod doctor;
pub mod error;
pub mod graphql;
pub mod http;
pub mod mapping;
pub mod model;
pub mod registry;
pub mod runtime;
pub mod state;
pub mod sync;
pub mod time;
pub mod transport;
pub mod webhook;

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
pub use sync::{Approvals, Cancel, Certificate, Inbox, JsonlSink, Plan, Pull, Push, Receipt, Sink, Verdict};
