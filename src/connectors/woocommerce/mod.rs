//! WooCommerce, over its REST API `wc/v3`.
#![doc = include_str!("docs.md")]

mod check;
mod classify;
mod config;
mod connector;
mod discover;
mod item;
mod map;
mod names;
mod object;
pub mod provision;
mod read;
mod taxonomies;
mod variations;
mod way;
mod webhook;
mod wire;
mod writable;
mod write;

pub use config::{WooCommerceBuilder, WooCommerceConfig};
pub use connector::WooCommerce;
pub use way::{KeyInQuery, Permalinks};
pub use writable::SeoPlugin;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("woocommerce");
