//! The engine over any connector: pull with a certificate, plan, apply, verify, undo; the inbox of deliveries.

mod apply;
pub mod bulk;
mod cancel;
mod certificate;
mod deliver;
mod inbox;
mod jsonl;
mod names;
mod pages;
mod plan;
mod planner;
mod prove;
mod pull;
mod push;
mod rebuild;
mod receipt;
mod release;
mod settle;
mod siblings;
mod sink;
mod sweep;
mod theirs;
mod unclocked;
mod undo;
mod verdict;

pub use cancel::Cancel;
pub use certificate::{Certificate, Check, CheckOutcome, Reason, Rule, Scope, Verdict, Visibility};
pub use inbox::{Gone, IgnoredWhy, Inbox, InboxHandler, InboxReceipt, InboxReport, InboxSettings, Tombstone};
pub use jsonl::{JsonlFinished, JsonlSink};
pub use plan::{Approval, Approvals, Plan, PlanPurpose, PlannedChange};
pub use pull::{Progress, Pull};
pub use push::{Push, PushSettings};
pub use receipt::{FieldReceipt, Receipt, ReceiptOutcome, UndoOutcome, UndoReport, Warning};
pub use settle::Settled;
pub use sink::{Delivery, Rejected, Sink};
pub use verdict::{ChangeVerdict, Conflict, Rejection};
