//! Google Analytics 4, over its Data API, Admin API and Measurement Protocol: it reads, by days.
#![doc = include_str!("docs.md")]

mod admin;
mod check;
mod classify;
mod config;
mod connector;
mod credentials;
mod discover;
mod events;
mod identity;
mod map;
mod read;
mod report;
mod rows;
mod run;

pub use admin::{CustomDimension, DimensionScope, PropertySummary};
pub use config::{Ga4Builder, Ga4Config};
pub use connector::Ga4;
pub use events::{Complaint, Consent, Event, EventOutcome, Events, Region, Validation};
pub use identity::ItemIds;
pub use report::Report;
pub use run::{Compatibility, Field, Fields, QuotaLeft, ReportPage};

/// The platform's name.
pub const PLATFORM: crate::model::Platform = crate::model::Platform::new("ga4");
