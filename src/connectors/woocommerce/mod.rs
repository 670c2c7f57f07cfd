//! WooCommerce, over its REST API `wc/v3`.
#![doc = include_str!("docs.md")]

mod classify;
mod config;
mod connector;
mod map;
mod webhook;
mod wire;

pub use config::{WooCommerceBuilder, WooCommerceConfig};
pub use connector::WooCommerce;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("woocommerce");
