//! Shopify's ways to a token, and the checks of what it sends with them.
//!
//! Facts: shopify.dev, "Authentication and authorization", and the code of shopify-app-js, read 2026-11-22.

mod domain;

pub use domain::ShopDomain;
