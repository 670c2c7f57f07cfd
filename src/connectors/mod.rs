//! The connectors, each behind the feature of its name. None imports another.

#[cfg(feature = "bigcommerce")]
pub mod bigcommerce;
#[cfg(feature = "shopify")]
pub mod shopify;
#[cfg(feature = "woocommerce")]
pub mod woocommerce;
