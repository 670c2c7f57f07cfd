//! Tokens: one refresh for all, and nobody locked out, whenever a process dies.
#![cfg(all(feature = "testkit", feature = "shopify", feature = "sqlite", feature = "vault"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    unreachable_pub,
    reason = "a test may panic"
)]

mod answers;
mod crashes;
mod flight;
#[path = "../common/logged.rs"]
mod logged;
mod migration;
mod platform;
mod processes;
mod world;
