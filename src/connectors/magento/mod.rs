//! Magento Open Source, Adobe Commerce and Mage-OS (2.4.x, 3.x), and Adobe Commerce as a Cloud Service, over REST `V1`.
#![doc = include_str!("docs.md")]

pub mod activation;
mod check;
mod classify;
mod config;
mod connector;
mod credentials;
mod dictionary;
mod discover;
mod dress;
mod eventing;
mod jobs;
mod map;
mod names;
mod php;
mod read;
mod said;
mod search;
mod stock;
mod variants;
#[cfg(feature = "jwt")]
pub mod webhook;
mod wire;
mod writable;
mod write;

pub use config::{MagentoBuilder, MagentoConfig};
pub use connector::Magento;
pub use credentials::{CloudProject, OneTimePassword, SecondFactor};

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("magento");
