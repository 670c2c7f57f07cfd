//! Connects services to the systems where a retailer's products live.
//!
//! A store's catalogue is read into one canonical schema and every pull ends in a certificate that says
//! what was proved; enriched content is planned, merged, written back, verified, and can be undone.

pub mod error;
pub mod time;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use error::{Error, ErrorKind, Result};
