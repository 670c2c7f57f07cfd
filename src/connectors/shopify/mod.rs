//! Shopify.

pub mod auth;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("shopify");
