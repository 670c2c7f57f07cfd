//! WooCommerce, over its REST API `wc/v3`.
#![doc = include_str!("docs.md")]

mod classify;
mod config;
mod connector;
mod discover;
mod item;
mod map;
mod names;
mod read;
mod wire;
mod writable;
mod write;

pub use config::{WooCommerceBuilder, WooCommerceConfig};
pub use connector::WooCommerce;
pub use writable::SeoPlugin;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("woocommerce");
