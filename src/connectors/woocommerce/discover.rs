//! What is true of a store: its profile, and what it can do.

use std::num::NonZeroU32;
use std::time::Duration;

use super::wire::{self, MAX_PAGE, Offset};
use crate::connector::{Detail, Select};
use crate::error::{ErrorKind, Result};
use crate::http::ApiClient;
use crate::model::{
    AnswerHolds, Calls, Capabilities, DeltaClock, Entity, EntityCapabilities, FieldName, Normaliser,
    ProductStatus, StoreProfile, WritableField,
};

/// The longest description that is sent: far below what the platform's column (4 GiB) and PHP's body limit take.
const MAX_HTML_BYTES: usize = 1024 * 1024;
/// WordPress keeps term names in 200 characters.
const MAX_TERM_BYTES: usize = 200;

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

/// Reads what is true of the store. A key without the right to read settings is no obstacle: what cannot be
/// read is left unknown, and `check` says so.
pub(super) async fn discover(client: &ApiClient) -> Result<(StoreProfile, Lists, Option<String>)> {
    // The index is read without rights, and some sites close it to the public: the key is proved below.
    let index = match client.execute_with(wire::index(), wire::json::<wire::Index>).await {
        Err(error) if error.kind() == ErrorKind::Auth => wire::Index::default(),
        read => readable(read)?.unwrap_or_default(),
    };
    let mut profile = StoreProfile::unknown();
    let currency =
        client.execute_with(wire::setting(wire::CURRENCY), wire::json::<wire::CurrentCurrency>).await;
    profile.currency = readable(currency)?.and_then(|currency| currency.code.parse().ok());
    let mass = client.execute_with(wire::setting(wire::WEIGHT_UNIT), wire::json::<wire::Setting>).await;
    profile.mass_unit = readable(mass)?.and_then(|setting| wire::mass_unit(&setting.value));
    let length = client.execute_with(wire::setting(wire::LENGTH_UNIT), wire::json::<wire::Setting>).await;
    profile.length_unit = readable(length)?.and_then(|setting| wire::length_unit(&setting.value));
    let seo = ["yoast/v1", "rankmath/v1"];
    profile.plugins = index
        .namespaces
        .iter()
        .filter(|name| seo.contains(&name.as_str()))
        .map(|name| name.as_str().into())
        .collect();
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
    Ok((profile, Lists { all_variations, brands }, Some(index.home).filter(|home| !home.is_empty())))
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

pub(super) fn capabilities(lists: Lists) -> Capabilities {
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
    products.rewritten_together = ["title", "short_description", "description"].map(FieldName::new).to_vec();
    products.unclocked = ["media", "categories", "tags", "brands", "attributes"].map(FieldName::new).to_vec();
    let mut tags = WritableField::set(FieldName::new("tags"));
    tags.max_bytes = MAX_TERM_BYTES;
    products.writable = vec![
        WritableField::text(FieldName::new("title"), Normaliser::Trimmed1),
        WritableField::html(FieldName::new("short_description"), MAX_HTML_BYTES),
        WritableField::html(FieldName::new("description"), MAX_HTML_BYTES),
        tags,
    ];
    let mut entities = vec![products];
    let mut variants = listed(Entity::Variant);
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
