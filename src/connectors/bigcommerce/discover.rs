//! What is true of a store: its profile, and what it can do.

use std::num::NonZeroU32;
use std::time::Duration;

use super::config::{BigCommerceConfig, Paging};
use super::wire::{self, MAX_PAGE};
use super::writable::{of_products, of_variants};
use crate::error::{ErrorKind, Result};
use crate::http::ApiClient;
use crate::model::{
    AnswerHolds, Capabilities, DeltaClock, Entity, EntityCapabilities, FieldName, LengthUnit, MassUnit,
    ProductStatus, StoreProfile, Text, View,
};

/// The most products of one batch of the platform (its own words when there are more).
pub(super) const MAX_BATCH: u32 = 10;
/// And the most variants, which the document calls subject to change (OpenAPI of 2026-04-01).
pub(super) const MAX_VARIANT_BATCH: u32 = 50;
/// How far a change may be behind its time in a list is not known (2026-11-22), so deltas overlap by a minute.
const OVERLAP: Duration = Duration::from_secs(60);
/// A write has landed by then, or never will (fact sheet, semantics of lost answers).
const SETTLE_AFTER: Duration = Duration::from_secs(90);

/// A store as connecting found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) client: ApiClient,
    pub(super) profile: StoreProfile,
    pub(super) languages: Vec<View>,
}

/// Reads what is true of the store. A token without the right to read its settings is no obstacle: what cannot be
/// read is left unknown, and `check` says so.
pub(super) async fn discover(client: ApiClient) -> Result<Found> {
    let mut profile = StoreProfile::unknown();
    match client.execute_with(wire::store(), wire::json::<wire::StoreInformation>).await {
        Ok(store) => {
            profile.currency = store.currency.parse().ok();
            profile.mass_unit = mass_unit(&store.weight_units);
            profile.length_unit = length_unit(&store.dimension_units);
            profile.time_zone = plain(&store.timezone.name);
            profile.utc_offset_seconds =
                Some(store.timezone.raw_offset).filter(|offset| offset.abs() <= 54_000);
            profile.locale = plain(&store.language);
        }
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {}
        Err(error) => return Err(error),
    }
    // Whoever may read the store's settings may still not read its products; a wrong token shows here, too.
    client.execute_with(wire::probe(), wire::answered).await?;
    Ok(Found { client, profile, languages: Vec::new() })
}

/// A word that looks like one: the text comes from outside.
fn plain(text: &str) -> Option<Text> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(fits)).then(|| text.into())
}

/// The platform's words (control panel, Settings, Store; `LBS` and `Ounces` are in its documents).
pub(super) fn mass_unit(word: &str) -> Option<MassUnit> {
    match word.to_ascii_lowercase().as_str() {
        "kg" | "kgs" | "kilogram" | "kilograms" => Some(MassUnit::Kilogram),
        "g" | "gram" | "grams" => Some(MassUnit::Gram),
        "lb" | "lbs" | "pound" | "pounds" => Some(MassUnit::Pound),
        "oz" | "ounce" | "ounces" => Some(MassUnit::Ounce),
        _ => None,
    }
}

pub(super) fn length_unit(word: &str) -> Option<LengthUnit> {
    match word.to_ascii_lowercase().as_str() {
        "in" | "inch" | "inches" => Some(LengthUnit::Inch),
        "cm" | "centimeter" | "centimeters" | "centimetre" | "centimetres" => Some(LengthUnit::Centimetre),
        "mm" | "millimeter" | "millimeters" => Some(LengthUnit::Millimetre),
        "m" | "meter" | "meters" => Some(LengthUnit::Metre),
        _ => None,
    }
}

pub(super) fn capabilities(config: &BigCommerceConfig) -> Capabilities {
    let page = NonZeroU32::MIN.saturating_add(MAX_PAGE - 1);
    let listed = |entity| {
        let mut claims = EntityCapabilities::new(entity, page);
        claims.counted = true;
        claims.ids_only = true;
        claims.numeric_ids = true;
        claims.by_ids = true;
        claims
    };
    let mut products = listed(Entity::Product);
    // Whether images, custom fields, addresses, stock and prices of variants move it is not known, and renamed
    // categories do not.
    products.delta = DeltaClock::CanLie;
    products.sorted_by_id = true;
    products.keyset = config.paging == Paging::ById;
    products.overlap = OVERLAP;
    products.statuses = vec![ProductStatus::Active, ProductStatus::Draft];
    products.unclocked = [
        "media",
        "categories",
        "brands",
        "attributes",
        "slug",
        "gtin",
        "mpn",
        "price",
        "compare_at",
        "inventory",
    ]
    .map(FieldName::new)
    .to_vec();
    (products.writable, products.unavailable) = of_products(config.writes);
    products.max_batch = NonZeroU32::MIN.saturating_add(MAX_BATCH - 1);
    let mut variants = listed(Entity::Variant);
    // The variants of products that changed; a variant keeps no time of its own.
    variants.delta = DeltaClock::CanLie;
    variants.overlap = OVERLAP;
    variants.unclocked = [
        "media",
        "options",
        "sku",
        "gtin",
        "mpn",
        "price",
        "compare_at",
        "weight",
        "dimensions",
        "inventory",
    ]
    .map(FieldName::new)
    .to_vec();
    (variants.writable, variants.unavailable) = of_variants(config.writes);
    variants.max_batch = NonZeroU32::MIN.saturating_add(MAX_VARIANT_BATCH - 1);
    let mut capabilities =
        Capabilities::new(vec![products, variants, listed(Entity::Category), listed(Entity::Brand)]);
    // The platform answers with what it stored; landed is what a read by id finds all the same.
    capabilities.answer_holds = AnswerHolds::Nothing;
    capabilities.settle_after = SETTLE_AFTER;
    capabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_in_every_spelling_that_the_platform_has() {
        assert_eq!(mass_unit("Ounces"), Some(MassUnit::Ounce));
        assert_eq!(mass_unit("LBS"), Some(MassUnit::Pound));
        assert_eq!(mass_unit("KGS"), Some(MassUnit::Kilogram));
        assert_eq!(mass_unit("Tonnes"), None);
        assert_eq!(length_unit("Inches"), Some(LengthUnit::Inch));
        assert_eq!(length_unit("Centimeters"), Some(LengthUnit::Centimetre));
        assert_eq!(plain("a b"), None);
        assert_eq!(plain("America/Chicago").as_deref(), Some("America/Chicago"));
    }
}
