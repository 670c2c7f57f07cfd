//! The connectors, each behind the feature of its name. None imports another.

#[cfg(feature = "bigcommerce")]
pub mod bigcommerce;
#[cfg(feature = "ga4")]
pub mod ga4;
#[cfg(feature = "magento")]
pub mod magento;
#[cfg(feature = "shopify")]
pub mod shopify;
#[cfg(feature = "woocommerce")]
pub mod woocommerce;
