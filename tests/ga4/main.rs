//! The connector to Google Analytics over its fake: traps, tokens, quotas, reports, events.
#![cfg(all(feature = "testkit", feature = "ga4"))]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, clippy::indexing_slicing, reason = "a test")]

#[path = "../common/ga4.rs"]
mod bench;
mod doctor;
mod events;
mod fake;
mod quotas;
mod reports;
mod size;
mod tokens;
mod traps;
mod windows;
