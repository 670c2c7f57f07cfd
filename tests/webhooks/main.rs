//! Webhooks from the raw bytes to the record that was read again, and our subscriptions at the store.
#![cfg(all(feature = "testkit", feature = "woocommerce", feature = "sqlite"))]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test"
)]

#[path = "../common/mod.rs"]
mod common;
mod deliveries;
mod echoes;
mod heal;
mod inbox;
#[path = "../common/logged.rs"]
mod logged;
mod recorded;
mod stub;
