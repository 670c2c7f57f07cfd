//! What is wrong with a file's lines: told, never passed over.

use serde::{Deserialize, Serialize};

use crate::model::Text;

/// The most issues that are named one by one.
const MOST_NAMED: usize = 100;
/// The longest piece of an id that is kept.
const ID_BYTES: usize = 200;

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineFault {
    /// It is no JSON object with an id.
    Unreadable,
    /// It is over the bound of a line, or its record is over the bound of a record.
    TooLong,
    /// Its id has no marker that is known where it stands.
    Unplaced,
    /// Its parent is nowhere in the file.
    Orphan,
    /// It names itself as its parent, or its parents lead to no record.
    Cycle,
    /// Its id was there before, below the same parent.
    Duplicate,
}

/// A line that something is wrong with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineIssue {
    /// What is wrong.
    pub fault: LineFault,
    /// Where in the file the line begins.
    pub offset: u64,
    /// The id that the line has on the wire, where it could be read.
    pub id: Option<Text>,
}

/// What was wrong with the lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineIssues {
    /// How many lines have each fault.
    pub counts: Vec<(LineFault, u64)>,
    /// The first hundred of them.
    pub first: Vec<LineIssue>,
}

impl LineIssues {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many lines have this fault.
    #[must_use]
    pub fn count(&self, fault: LineFault) -> u64 {
        self.counts.iter().find(|(of, _)| *of == fault).map_or(0, |(_, count)| *count)
    }

    pub(super) fn add(&mut self, fault: LineFault, offset: u64, id: Option<&[u8]>) {
        match self.counts.iter_mut().find(|(of, _)| *of == fault) {
            Some((_, count)) => *count += 1,
            None => {
                self.counts.push((fault, 1));
                self.counts.sort_unstable();
            }
        }
        if self.first.len() < MOST_NAMED {
            let id = id.map(|id| {
                let id = id.get(..ID_BYTES).unwrap_or(id);
                String::from_utf8_lossy(id).into_owned().into()
            });
            self.first.push(LineIssue { fault, offset, id });
        }
    }
}
