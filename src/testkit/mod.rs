//! For tests only: stateful fakes of the platforms, a fake clock, and the contract suite.

mod clock;

pub use clock::{FakeClock, SeededEntropy};
pub mod bigcommerce;
pub mod contract;
pub mod exchange;
pub mod faults;
pub mod ga4;
pub mod json;
pub mod magento;
mod meanwhile;
pub mod openapi;
mod outbound;
pub mod random;
pub mod server;
mod sha1;
pub mod shopify;
pub mod traffic;
pub mod woocommerce;
