//! From raw bytes to a verified event: what a platform sends when something changed in a store.
//!
//! Nothing here sends, sleeps or reads a clock. A payload is a hint and never data: whoever gets an [`Event`]
//! reads the record again, by id (rule H1). [`crate::sync::Inbox`] does that.

mod event;
mod freshness;
mod incoming;
mod notice;
mod secret;
mod signature;
mod standard;

pub use event::{Event, EventKind, Received};
pub use freshness::must_be_fresh;
pub use incoming::{Incoming, MAX_BODY_BYTES};
pub use notice::{Notice, NoticeKind};
pub use secret::new_secret;
pub use signature::{MAX_SECRETS, Signature};
pub use standard::{STANDARD_ID, STANDARD_SIGNATURE, STANDARD_TIMESTAMP, StandardDelivery, verify_standard};
