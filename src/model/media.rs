//! Pictures.

use serde::{Deserialize, Serialize};

use super::{ExternalId, Text};

/// A picture of a product or variant; its place in the list is its position.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Media {
    /// The platform's id of the file, which several products may share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ExternalId>,
    /// Where the file is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
    /// The text for those who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<Text>,
    /// The platform's spelling of it, where the text alone does not lead back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_alt: Option<Text>,
    /// The file's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
}
