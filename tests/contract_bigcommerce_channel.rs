//! The contract suite over the BigCommerce connector with what a channel shows of its own in a language.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
#[path = "common/bigcommerce_contract.rs"]
mod bigcommerce_contract;
mod common;
#[path = "common/documents.rs"]
mod documents;

lily_connect::contract_suite!(
    bigcommerce_contract::shop(false, Some(bigcommerce::Held::ChannelValues)).await
);
