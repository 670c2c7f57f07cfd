//! The contract suite over the Shopify connector in another language than the shop's own, one that is not published.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/shopify.rs"]
mod shopify;
#[path = "common/shopify_contract.rs"]
mod shopify_contract;

lily_connect::contract_suite!(shopify_contract::shop(Some("de")).await);
