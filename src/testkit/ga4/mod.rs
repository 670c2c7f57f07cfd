//! A stateful fake of Google Analytics 4: the Data and Admin APIs `v1beta`, the token endpoint, and the Measurement
//! Protocol.
//!
//! It was written from the platform's own documents of 2026, and from no connector: the two must be able to disagree.
//! With the official discovery documents ([`Discovery`]) each request body is held against their schemas, and what
//! they do not allow is kept in [`Ga4Fake::violations`].
//!
//! What it does not have: more than one date range a report, metric filters, aggregations, pivots, real-time reports,
//! audiences. It says so with `UNIMPLEMENTED` or 400. What a report costs is made up: no formula is published.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//!
//! use lily_connect::testkit::ga4::Ga4Fake;
//! use lily_connect::testkit::server::Service;
//! use lily_connect::time::SystemClock;
//!
//! # async fn run() -> std::io::Result<()> {
//! let analytics = Ga4Fake::new(Arc::new(SystemClock::default()));
//! analytics.seed_property(123, 20, 10, 28);
//! let credentials = analytics.issue_user("reader");
//! let server = Service::new(analytics.clone()).start().await?;
//! // ... ask `{server.url()}/v1beta/properties/123:runReport` with a token of `{server.url()}/token`, then:
//! analytics.change(123, |property| property.conditions.settling = true);
//! assert!(analytics.violations().is_empty());
//! # Ok(())
//! # }
//! ```

mod admin;
mod collect;
mod discovery;
mod door;
mod errors;
mod fields;
mod property;
mod quota;
mod report;
mod request;
mod seed;
mod store;
mod tokens;

pub use collect::Collected;
pub use discovery::Discovery;
pub use property::{Conditions, CustomDimension, Numbers, Property};
pub use quota::Quotas;
pub use store::Ga4Fake;
