//! Views of a store: content in another language, or of another storefront, than the store's own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Text;

/// A further view of a store's records: in another language, in another store view or channel, or both.
///
/// What neither names is the store's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct View {
    /// The language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Text>,
    /// The store view or channel, in the platform's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
}

impl View {
    /// The view in a language.
    #[must_use]
    pub fn in_language(locale: impl Into<Text>) -> Self {
        Self { locale: Some(locale.into()), scope: None }
    }

    /// The view of a store view or channel.
    #[must_use]
    pub fn of_scope(scope: impl Into<Text>) -> Self {
        Self { locale: None, scope: Some(scope.into()) }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.locale, &self.scope) {
            (Some(locale), Some(scope)) => write!(f, "{scope} in {locale}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => f.write_str("the store's own"),
        }
    }
}
