//! What is true of a store: its profile, and what it can do.

use std::num::NonZeroU32;
use std::time::Duration;

use super::connector::WriteSettings;
use super::way::{Reach, Reached, Way};
use super::wire::{self, MAX_PAGE, Offset};
use super::writable::{SeoPlugin, of_products, of_variations};
use crate::connector::{Detail, Select};
use crate::error::{ErrorKind, Result};
use crate::http::ApiClient;
use crate::model::{
    AnswerHolds, Calls, Capabilities, DeltaClock, Entity, EntityCapabilities, FieldName, ProductStatus,
    StoreProfile, Text,
};

/// The namespaces of SEO plugins: of which plugin a product's texts for search engines are.
pub(super) const SEO_PLUGINS: [&str; 4] = ["yoast/v1", "rankmath/v1", "seopress/v1", "aioseo/v1"];

/// The most variations that one push changes.
const MAX_VARIATIONS: u32 = 20;

/// Which lists a store has that not every store has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lists {
    /// The list of the variations of all products.
    all_variations: bool,
    /// The list of brands.
    brands: bool,
}

impl Lists {
    /// Those of a current version.
    pub(super) const fn all() -> Self {
        Self { all_variations: true, brands: true }
    }
}

/// A store as connecting found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) client: ApiClient,
    pub(super) way: Way,
    pub(super) profile: StoreProfile,
    /// Which lists it has.
    pub(super) lists: Lists,
    /// The address that it names itself by.
    pub(super) home: Option<String>,
}

impl Found {
    /// A store whose profile was supplied: nothing is asked.
    pub(super) fn supplied(client: ApiClient, way: Way, profile: StoreProfile) -> Self {
        Self { client, way, profile, lists: Lists::all(), home: None }
    }
}

/// Finds the way to the store, and reads what is true of it. A key without the right to read settings is no
/// obstacle: what cannot be read is left unknown, and `check` says so.
pub(super) async fn discover(reach: &Reach<'_>) -> Result<Found> {
    let Reached { client, way, index } = reach.find().await?;
    let index = index.unwrap_or_default();
    let mut profile = StoreProfile::unknown();
    let currency =
        client.execute_with(wire::setting(wire::CURRENCY), wire::json::<wire::CurrentCurrency>).await;
    profile.currency = readable(currency)?.and_then(|currency| currency.code.parse().ok());
    let mass = client.execute_with(wire::setting(wire::WEIGHT_UNIT), wire::json::<wire::Setting>).await;
    profile.mass_unit = readable(mass)?.and_then(|setting| wire::mass_unit(&setting.value));
    let length = client.execute_with(wire::setting(wire::LENGTH_UNIT), wire::json::<wire::Setting>).await;
    profile.length_unit = readable(length)?.and_then(|setting| wire::length_unit(&setting.value));
    profile.plugins = seo_plugins(&index);
    profile.time_zone = time_zone(&index);
    profile.utc_offset_seconds = utc_offset(&index);
    // The list of all variations came with version 10; older ones have it per product only.
    let probe = wire::list(Entity::Variant, &Select::All, Detail::IdsOnly, Offset(0), 1);
    let all_variations = match client.execute_with(probe, |answer| wire::answered(answer, b'[')).await {
        Ok(_) => true,
        Err(error) if error.code() == "route_missing" => false,
        Err(error) => return Err(error),
    };
    // Brands came to the core with version 9.6; a key may also have no right to see them.
    let probe = wire::list(Entity::Brand, &Select::All, Detail::IdsOnly, Offset(0), 1);
    let brands = readable(client.execute_with(probe, |answer| wire::answered(answer, b'[')).await)?.is_some();
    profile.version = version(&client).await;
    let home = Some(index.home).filter(|home| !home.is_empty());
    Ok(Found { client, way, profile, lists: Lists { all_variations, brands }, home })
}

/// The SEO plugins among the site's namespaces.
pub(super) fn seo_plugins(index: &wire::Index) -> Vec<Text> {
    let installed = |name: &&str| index.namespaces.iter().any(|known| known == name);
    SEO_PLUGINS.iter().copied().filter(installed).map(Text::from).collect()
}

/// The zone's name, where it looks like one: the text comes from outside.
fn time_zone(index: &wire::Index) -> Option<Text> {
    let name = index.timezone_string.as_str();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(plain)).then(|| name.into())
}

fn utc_offset(index: &wire::Index) -> Option<i32> {
    let hours: f64 = match &index.gmt_offset {
        serde_json::Value::Number(hours) => hours.as_f64()?,
        serde_json::Value::String(hours) => hours.trim().parse().ok()?,
        _ => return None,
    };
    if !(-15.0..=15.0).contains(&hours) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "15 hours have 54,000 seconds")]
    Some((hours * 3600.0).round() as i32)
}

/// The version of the shop. Only keys of administrators may ask, and no fault of it matters.
async fn version(client: &ApiClient) -> Option<Text> {
    let status = client.execute_with(wire::system_status(), wire::json::<wire::SystemStatus>).await;
    let version = status.ok()?.environment.version;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    (!version.is_empty() && version.len() <= 32 && version.bytes().all(plain)).then(|| version.into())
}

fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Unsupported
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn capabilities(lists: Lists, seo: Option<SeoPlugin>, writes: WriteSettings) -> Capabilities {
    let page = NonZeroU32::MIN.saturating_add(MAX_PAGE - 1);
    let listed = |entity| {
        let mut capabilities = EntityCapabilities::new(entity, page);
        // Alt texts and renamed terms move no clock.
        capabilities.delta = DeltaClock::CanLie;
        capabilities.counted = true;
        capabilities.sorted_by_id = true;
        capabilities.pages_overlap = true;
        capabilities.ids_only = true;
        capabilities.numeric_ids = true;
        capabilities.by_ids = true;
        // `status=any` is all but the bin.
        capabilities.statuses = vec![
            ProductStatus::Active,
            ProductStatus::Draft,
            ProductStatus::Private,
            ProductStatus::Scheduled,
        ];
        capabilities
    };
    let taxons = |entity| {
        let mut capabilities = listed(entity);
        // Terms carry no time.
        capabilities.delta = DeltaClock::None;
        capabilities.statuses.clear();
        capabilities
    };
    let mut products = listed(Entity::Product);
    products.rewritten_together =
        ["title", "short_description", "description", "slug"].map(FieldName::new).to_vec();
    (products.writable, products.unavailable) = of_products(seo, writes);
    products.max_batch = page;
    products.unclocked = ["media", "categories", "tags", "brands", "attributes"].map(FieldName::new).to_vec();
    let mut entities = vec![products];
    let mut variants = listed(Entity::Variant);
    (variants.writable, variants.unavailable) = of_variations(writes);
    // Each costs a read of its own, and may cost a write of its own, within the guard's window.
    variants.max_batch = NonZeroU32::MIN.saturating_add(MAX_VARIATIONS - 1);
    variants.unclocked = ["media", "options"].map(FieldName::new).to_vec();
    if !lists.all_variations {
        // Read product by product: no count of all of them, and no fields of them alone.
        variants.calls = Calls::PerParent;
        (variants.counted, variants.sorted_by_id) = (false, false);
        variants.unclocked.clear();
    }
    entities.push(variants);
    entities.extend([Entity::Category, Entity::Tag].map(taxons));
    if lists.brands {
        entities.push(taxons(Entity::Brand));
    }
    let mut attributes = taxons(Entity::Attribute);
    attributes.calls = Calls::Whole;
    attributes.sorted_by_id = false;
    // Each attribute's list is counted; all together are once the last one came.
    let mut values = taxons(Entity::AttributeValue);
    values.calls = Calls::PerParent;
    (values.counted, values.sorted_by_id) = (false, false);
    entities.extend([attributes, values]);
    let mut capabilities = Capabilities::new(entities);
    // Its answer is not believed: landed is what a read by id finds.
    capabilities.answer_holds = AnswerHolds::Nothing;
    capabilities.settle_after = Duration::from_secs(90);
    capabilities
}
