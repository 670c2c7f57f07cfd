//! WooCommerce, over its REST API `wc/v3`.
#![doc = include_str!("docs.md")]

mod classify;
mod config;
mod connector;
mod discover;
mod map;
mod read;
mod taxonomies;
mod variations;
mod wire;
mod write;

pub use config::{WooCommerceBuilder, WooCommerceConfig};
pub use connector::WooCommerce;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("woocommerce");
