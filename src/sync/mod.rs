//! The engine over any connector: pull with a certificate, plan, apply, verify, undo.

mod jsonl;
mod sink;

pub use jsonl::{JsonlFinished, JsonlSink};
pub use sink::{Delivery, Rejected, Sink};
