//! The engine over any connector: pull with a certificate, plan, apply, verify, undo.

mod sink;

pub use sink::{Delivery, Rejected, Sink};
