//! What came of a job's file, for the certificate.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FileCounts, LineIssues};
use crate::connector::BulkDone;
use crate::model::Text;

/// What came of the last file of a pull by bulk job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BulkReport {
    /// The platform's name for the job.
    pub job: Text,
    /// What the platform said of the file.
    pub said: Counted,
    /// What was found in it.
    pub found: Counted,
    /// Why it is not the whole list, where it is not: stable codes.
    pub faults: Vec<Text>,
    /// Which records are not proven by it, where it is not whole.
    pub gap: Option<BulkGap>,
    /// What was wrong with its lines.
    pub issues: LineIssues,
    /// Why earlier jobs of the run gave no whole file: stable codes.
    pub failures: Vec<Text>,
}

/// How much a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counted {
    /// Objects: lines.
    pub objects: Option<u64>,
    /// Records.
    pub roots: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
}

/// Records that a file does not prove: those from a position on, up to the platform's count.
///
/// Where records have children, a file that ends early proves no record at all, since a child of the first one
/// may have stood behind its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BulkGap {
    /// The position of the first record that is not proven, from 0.
    pub from: u64,
    /// The position behind the last one, where the platform said how many there are.
    pub to: Option<u64>,
}

impl Counted {
    pub(super) fn said(done: &BulkDone) -> Self {
        Self { objects: done.objects, roots: done.roots, bytes: done.bytes }
    }

    pub(super) fn found(counts: &FileCounts) -> Self {
        Self { objects: Some(counts.objects), roots: Some(counts.roots), bytes: Some(counts.bytes) }
    }

    fn is_said(&self) -> bool {
        self.objects.is_some() || self.roots.is_some()
    }
}

impl BulkReport {
    /// Holds a file against what was said of it.
    pub(super) fn of(job: Text, said: Counted, counts: &FileCounts, issues: LineIssues) -> Self {
        let found = Counted::found(counts);
        let mut faults = Vec::new();
        let differs = |said: Option<u64>, found: Option<u64>| said.is_some() && said != found;
        if differs(said.bytes, found.bytes) {
            faults.push("file_length_differs".into());
        } else if said.bytes.is_none() && !counts.ends_with_newline {
            faults.push("file_ends_in_a_line".into());
        }
        if differs(said.objects, found.objects) {
            faults.push("objects_differ".into());
        }
        if differs(said.roots, found.roots) {
            faults.push("records_differ".into());
        }
        Self { job, said, found, faults, gap: None, issues, failures: Vec::new() }
    }

    /// Says which records are not proven; of flat ones, each line that is there proves one.
    pub(super) fn with_gap(mut self, is_flat: bool) -> Self {
        if !self.is_whole() {
            let from = self.found.roots.filter(|_| is_flat).unwrap_or(0);
            self.gap = Some(BulkGap { from, to: self.said.roots });
        }
        self
    }

    /// Whether the file is the whole list, as far as the platform said what that is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether the platform counted, so that there is something to hold the file against.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.said.is_said()
    }
}

impl fmt::Display for BulkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        write!(
            f,
            "job {}: {} objects, {} records, {} bytes; the platform said {}, {} and {}",
            self.job,
            shown(self.found.objects),
            shown(self.found.roots),
            shown(self.found.bytes),
            shown(self.said.objects),
            shown(self.said.roots),
            shown(self.said.bytes),
        )?;
        for fault in &self.faults {
            write!(f, "; {fault}")?;
        }
        if let Some(gap) = &self.gap {
            write!(f, "; not proven: records {} to {}", gap.from, shown(gap.to))?;
        }
        if !self.failures.is_empty() {
            write!(f, "; jobs before it: {}", self.failures.join(", "))?;
        }
        Ok(())
    }
}
