//! Shopify, over its Admin GraphQL API.
#![doc = include_str!("docs.md")]

pub mod auth;
mod bulk;
mod check;
mod classify;
mod client;
mod config;
mod connector;
mod credentials;
mod deletions;
mod discover;
mod documents;
mod jobs;
mod language;
mod lists;
mod map;
mod metafields;
mod names;
mod nested;
mod options;
mod read;
mod staged;
mod variants;
pub mod webhook;
mod wire;
mod writable;
mod write;

pub use config::{ApiVersion, ShopifyBuilder, ShopifyConfig};
pub use connector::Shopify;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("shopify");
