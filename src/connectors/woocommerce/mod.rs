//! WooCommerce, over its REST API `wc/v3`.

mod map;

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("woocommerce");
