//! What is true of a store: its profile, and what it can do.

use std::num::NonZeroU32;
use std::time::Duration;

use super::wire::{self, MAX_PAGE, Offset};
use super::writable::{SeoPlugin, of_products};
use crate::connector::{Detail, Select};
use crate::error::{ErrorKind, Result};
use crate::http::ApiClient;
use crate::model::{
    AnswerHolds, Capabilities, DeltaClock, Entity, EntityCapabilities, FieldName, StoreProfile,
};

/// Reads what is true of the store. A key without the right to read settings is no obstacle: what cannot be
/// read is left unknown, and `check` says so.
pub(super) async fn discover(client: &ApiClient) -> Result<(StoreProfile, bool, Option<String>)> {
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
    let variations = match client.execute_with(probe, |answer| wire::answered(answer, b'[')).await {
        Ok(_) => true,
        Err(error) if error.code() == "route_missing" => false,
        Err(error) => return Err(error),
    };
    Ok((profile, variations, Some(index.home).filter(|home| !home.is_empty())))
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

pub(super) fn capabilities(variations: bool, seo: Option<SeoPlugin>, slugs: bool) -> Capabilities {
    let page = NonZeroU32::MIN.saturating_add(MAX_PAGE - 1);
    let listed = |entity| {
        let mut capabilities = EntityCapabilities::new(entity, page);
        // Alt texts and renamed terms move no clock.
        capabilities.delta = DeltaClock::CanLie;
        capabilities.counted = true;
        capabilities.sorted_by_id = true;
        capabilities.pages_overlap = true;
        capabilities.ids_only = true;
        capabilities.by_ids = true;
        capabilities
    };
    let mut products = listed(Entity::Product);
    products.rewritten_together =
        ["title", "short_description", "description", "slug"].map(FieldName::new).to_vec();
    (products.writable, products.unavailable) = of_products(seo, slugs);
    let mut entities = vec![products];
    if variations {
        entities.push(listed(Entity::Variant));
    }
    let mut capabilities = Capabilities::new(entities);
    // Its answer is not believed: landed is what a read by id finds.
    capabilities.answer_holds = AnswerHolds::Nothing;
    capabilities.settle_after = Duration::from_secs(90);
    capabilities.max_batch = page;
    capabilities
}
