//! What is true of a store: its profile, and what it can do.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::config::ApiVersion;
use super::wire::MAX_PAGE;
use super::writable::{Rights, WriteSettings, of_products, of_variants};
use super::{client, documents};
use crate::error::Result;
use crate::http::ApiClient;
use crate::model::{
    AnswerHolds, Capabilities, DeltaClock, Entity, EntityCapabilities, FieldName, MassUnit, ProductStatus,
    StoreProfile,
};

/// The search index lags behind writes; how far is not known (2026-11-22), so deltas overlap by minutes.
const OVERLAP: Duration = Duration::from_secs(300);
/// The most records of one push: each takes a mutation or more of its own, and all of them have to leave within the
/// guard's window.
const MAX_BATCH: u32 = 5;
/// The most variants of one push: at worst each is of a product of its own, and so takes a mutation of its own. Ten of
/// these are some 110 points, which the smallest plan restores in two seconds (50 a second by older texts, 100 as of
/// 2026-11-22), and leave within the guard's window where each takes up to half a second.
const MAX_VARIANTS: u32 = 10;

/// The most further languages that are looked at; the platform takes 20 (UNVERIFIED).
const MAX_LANGUAGES: usize = 100;

/// A store as connecting found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) client: ApiClient,
    pub(super) profile: StoreProfile,
    /// The scopes that the token has, where it was asked.
    pub(super) scopes: Option<Vec<String>>,
}

impl Found {
    /// A store whose profile was supplied: nothing is asked.
    pub(super) fn supplied(client: ApiClient, profile: StoreProfile) -> Self {
        Self { client, profile, scopes: None }
    }

    pub(super) fn may(&self, scope: &str) -> bool {
        // The right to write holds the right to read, whether the platform lists both or not.
        let write = scope.replacen("read_", "write_", 1);
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|own| own == scope || *own == write))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShopProfile {
    shop: Shop,
    current_app_installation: Installation,
}

impl ShopProfile {
    /// The scopes that the token has.
    pub(super) fn scopes(&self) -> Vec<String> {
        let scopes = &self.current_app_installation.access_scopes;
        scopes.iter().filter_map(|scope| plain(&scope.handle).map(str::to_owned)).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shop {
    currency_code: String,
    weight_unit: String,
    iana_timezone: String,
    timezone_offset_minutes: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Installation {
    access_scopes: Vec<Scope>,
}

#[derive(Debug, Deserialize)]
struct Scope {
    handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Locales {
    shop_locales: Vec<Locale>,
}

#[derive(Debug, Deserialize)]
struct Locale {
    locale: String,
    primary: bool,
}

/// Reads what is true of the store. A token without the right to read languages is no obstacle.
pub(super) async fn discover(client: ApiClient, version: ApiVersion) -> Result<Found> {
    let call = documents::SHOP.request(version.path(), &json!({}))?;
    let read: ShopProfile = client::data(&client, call).await?;
    let scopes = read.scopes();
    let mut profile = StoreProfile::unknown();
    let ShopProfile { shop, .. } = read;
    profile.currency = shop.currency_code.parse().ok();
    profile.mass_unit = mass_unit(&shop.weight_unit);
    profile.time_zone = plain(&shop.iana_timezone).map(Into::into);
    profile.utc_offset_seconds = Some(shop.timezone_offset_minutes.saturating_mul(60));
    let mut found = Found { client, profile, scopes: Some(scopes) };
    if found.may("read_locales") {
        let call = documents::LOCALES.request(version.path(), &json!({}))?;
        let locales: Locales = client::data(&found.client, call).await?;
        let named = |is_primary| {
            let some = locales.shop_locales.iter().filter(move |locale| locale.primary == is_primary);
            some.filter_map(|locale| plain(&locale.locale)).map(crate::model::Text::from)
        };
        found.profile.locale = named(true).next();
        found.profile.locales = named(false).take(MAX_LANGUAGES).collect();
    }
    Ok(found)
}

/// A word that looks like one: the text comes from outside.
fn plain(text: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(fits)).then_some(text)
}

fn mass_unit(word: &str) -> Option<MassUnit> {
    match word {
        "KILOGRAMS" => Some(MassUnit::Kilogram),
        "GRAMS" => Some(MassUnit::Gram),
        "POUNDS" => Some(MassUnit::Pound),
        "OUNCES" => Some(MassUnit::Ounce),
        _ => None,
    }
}

pub(super) fn capabilities(found: &Found, writes: WriteSettings) -> Capabilities {
    let listed = |entity| {
        let mut claims = EntityCapabilities::new(entity, NonZeroU32::MIN.saturating_add(MAX_PAGE - 1));
        // A shared file's text and a collection's members move no product's time.
        claims.delta = DeltaClock::CanLie;
        claims.counted = true;
        claims.sorted_by_id = true;
        // A cursor holds the last record's id, or its time and id.
        claims.keyset = true;
        claims.ids_only = true;
        claims.numeric_ids = true;
        claims.by_ids = true;
        claims.overlap = OVERLAP;
        // Variants cannot be sorted so.
        claims.delta_by_time = entity != Entity::Variant;
        claims
    };
    let mut products = listed(Entity::Product);
    products.unclocked = ["media", "categories"].map(FieldName::new).to_vec();
    products.statuses =
        vec![ProductStatus::Active, ProductStatus::Draft, ProductStatus::Archived, ProductStatus::Unlisted];
    let rights = match &found.scopes {
        None => Rights::all(),
        Some(_) => Rights {
            products: found.may("write_products"),
            files: found.may("write_files") || found.may("write_images") || found.may("write_themes"),
        },
    };
    (products.writable, products.unavailable) = of_products(writes, rights);
    products.max_batch = NonZeroU32::MIN.saturating_add(MAX_BATCH - 1);
    let mut variants = listed(Entity::Variant);
    (variants.writable, variants.unavailable) = of_variants(writes, rights);
    variants.max_batch = NonZeroU32::MIN.saturating_add(MAX_VARIANTS - 1);
    let entities = vec![products, variants, listed(Entity::Category)];
    let mut capabilities = Capabilities::new(entities);
    // Landed is what a read by id finds.
    capabilities.answer_holds = AnswerHolds::Nothing;
    capabilities
}

/// The scopes that reading and writing need, each with what it is for.
pub(super) const SCOPES: [(&str, &str); 6] = [
    ("read_products", "products, variants and collections cannot be read"),
    ("write_products", "products cannot be written"),
    ("read_locales", "the shop's languages are not known"),
    ("write_files", "alternative texts of pictures cannot be written"),
    ("read_translations", "translations cannot be read"),
    ("write_translations", "translations cannot be written"),
];

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn words_from_outside_are_plain() {
        assert_eq!(plain("America/New_York"), Some("America/New_York"));
        for wrong in ["", "a b", "<b>", &"x".repeat(65)] {
            assert_eq!(plain(wrong), None);
        }
    }
}
