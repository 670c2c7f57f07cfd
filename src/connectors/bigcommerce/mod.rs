//! BigCommerce, over its REST API (V3, and V2 for the store's settings).
#![doc = include_str!("docs.md")]

pub mod auth;
mod channel_values;
mod check;
mod classify;
mod config;
mod connector;
mod credentials;
mod discover;
mod language;
mod map;
mod metafields;
mod names;
mod read;
mod rows;
mod said;
mod translations;
mod variants;
pub mod webhook;
mod wire;
mod writable;
mod write;

pub use config::{BigCommerceBuilder, BigCommerceConfig, Paging, StoreHash};
pub use connector::BigCommerce;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("bigcommerce");
