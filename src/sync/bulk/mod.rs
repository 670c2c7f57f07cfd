//! Bulk: a whole list as one file of JSON lines, joined to records in bounded memory.
//!
//! The platform writes the file by a job of its own ([`BulkSource`](crate::connector::BulkSource)). A pull starts
//! the job, downloads the file to disk, looks through it once, and delivers its records page by page like any
//! other pull. [`Join`] works on a file alone, too.

mod assemble;
mod download;
mod evidence;
mod index;
mod issue;
mod job;
mod join;
mod lines;
mod report;
mod scan;
mod settings;
mod spill;
mod spool;

pub use index::FileCounts;
pub use issue::{LineFault, LineIssue, LineIssues};
pub use join::{Join, JoinSettings, JoinedPage};
pub use report::{BulkGap, BulkReport, Counted};
pub use settings::{BulkSettings, BulkUse};

use crate::error::Result;

/// Does work that blocks where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| job::cut_short())?
}
