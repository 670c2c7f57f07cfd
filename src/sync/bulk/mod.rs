//! Bulk: a whole list as one file of JSON lines, joined to records in bounded memory.

mod assemble;
mod index;
mod issue;
mod join;
mod lines;
mod scan;
mod spill;

pub use index::FileCounts;
pub use issue::{LineFault, LineIssue, LineIssues};
pub use join::{Join, JoinSettings, JoinedPage};
