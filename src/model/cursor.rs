//! Positions and priorities of requests.

use serde::{Deserialize, Serialize};

use super::Text;

/// An opaque position in a list, made by a connector and given back to it unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(Text);

impl Cursor {
    /// Wraps a position.
    #[must_use]
    pub fn new(position: impl Into<Text>) -> Self {
        Self(position.into())
    }

    /// The position as the connector wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Who waits for a call: within a store, interactive work goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lane {
    /// A person waits, or a guarded write whose window is short.
    Interactive,
    /// Work that may wait.
    #[default]
    Backfill,
}
