//! What is true of one store: read once when a connector connects, or supplied.

use serde::{Deserialize, Serialize};

use super::{Currency, LengthUnit, MassUnit, Text};

/// Versions, units, currency and languages of a store, which the mapping needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreProfile {
    /// The platform's version, where it says one.
    pub version: Option<Text>,
    /// The currency that prices are in.
    pub currency: Option<Currency>,
    /// The unit that weights are in.
    pub mass_unit: Option<MassUnit>,
    /// The unit that dimensions are in.
    pub length_unit: Option<LengthUnit>,
    /// The language of the content (BCP 47), where the store has several.
    pub locale: Option<Text>,
    /// The view or channel, where the store has several.
    pub scope: Option<Text>,
    /// What is installed that a connector asked for, such as an SEO plugin's API namespace.
    pub plugins: Vec<Text>,
}

impl StoreProfile {
    /// A profile that says nothing.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            version: None,
            currency: None,
            mass_unit: None,
            length_unit: None,
            locale: None,
            scope: None,
            plugins: Vec::new(),
        }
    }
}

impl Default for StoreProfile {
    fn default() -> Self {
        Self::unknown()
    }
}
