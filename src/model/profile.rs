//! What is true of one store: read once when a connector connects, or supplied.

use serde::{Deserialize, Serialize};

use super::{Currency, LengthUnit, MassUnit, Text};

/// Versions, units, currency, time zone and languages of a store; nothing in it is secret.
///
/// Its stored form outlives releases: a field that is missing is unknown, and one that is not known here is
/// passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// The time zone's IANA name, such as `America/New_York`, where the store has one.
    pub time_zone: Option<Text>,
    /// How far the store's clock is ahead of UTC, in seconds, when it was asked: with a time zone it moves by
    /// the season.
    pub utc_offset_seconds: Option<i32>,
    /// The language of the content (BCP 47), where the store has several.
    pub locale: Option<Text>,
    /// The further languages that the store has content in.
    pub locales: Vec<Text>,
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
            time_zone: None,
            utc_offset_seconds: None,
            locale: None,
            locales: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_profile_of_another_release_is_read() {
        let read = |text: &str| serde_json::from_str::<StoreProfile>(text).unwrap();
        assert_eq!(read("{}"), StoreProfile::unknown());
        let old = read(r#"{"currency":"EUR","plugins":["seo/v1"],"of_a_later_release":true}"#);
        assert_eq!(old.currency, Some("EUR".parse().unwrap()));
        assert_eq!(old.plugins, ["seo/v1"]);

        let mut full = StoreProfile::unknown();
        full.time_zone = Some("Europe/Vienna".into());
        full.utc_offset_seconds = Some(-12_600);
        let text = serde_json::to_string(&full).unwrap();
        assert!(text.contains(r#""time_zone":"Europe/Vienna","utc_offset_seconds":-12600"#), "{text}");
        assert_eq!(read(&text), full);
    }
}
