//! The engine over any connector: pull with a certificate, plan, apply, verify, undo.

mod cancel;
mod certificate;
mod pull;
mod sink;

pub use cancel::Cancel;
pub use certificate::{Certificate, Check, CheckOutcome, Reason, Rule, Scope, Verdict};
pub use pull::{Progress, Pull};
pub use sink::{Delivery, Rejected, Sink};
