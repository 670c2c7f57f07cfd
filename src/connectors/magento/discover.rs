//! What is true of a store: its profile, and what it can do.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::config::MagentoConfig;
use super::connector::Magento;
use super::map;
use super::search::Search;
use super::wire::{self, MAX_PAGE, Scope, StoreConfig};
use super::writable::{WriteSettings, code_of, of_products};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::mapping::Direction;
use crate::model::{
    AnswerHolds, Capabilities, DeltaClock, Entity, EntityCapabilities, FieldName, ProductStatus,
    StoreProfile, View,
};

/// Stamps have whole seconds, and a save that takes long is committed after its stamp.
const OVERLAP: Duration = Duration::from_secs(60);
/// The most records of one push: each takes a save of a second or so, and all must leave within the guard's window.
const MAX_BATCH: u32 = 4;

/// The most views that a plan names.
const MAX_NAMED: usize = 5;
/// The most views that are known.
const MAX_VIEWS: usize = 1000;

/// A store as connecting found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) client: Arc<ApiClient>,
    /// The profile, where it was supplied.
    supplied: Option<StoreProfile>,
    /// The store views.
    views: Vec<StoreConfig>,
    /// Whether the shop tells its stock to these credentials.
    pub(super) reads_stock: bool,
    /// The codes of the content attributes that no view can have a value of its own of.
    shared: Vec<String>,
}

/// What is true of a store in a scope.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) profile: StoreProfile,
    /// The view; none for what all share.
    pub(super) view: Option<View>,
    /// The number of the view, where it is one.
    pub(super) id: Option<u64>,
    /// Where pictures stand.
    pub(super) media_url: Option<String>,
}

impl Found {
    /// A store whose profile was supplied: nothing is asked.
    pub(super) fn supplied(client: ApiClient, profile: StoreProfile) -> Self {
        Self {
            client: Arc::new(client),
            supplied: Some(profile),
            views: Vec::new(),
            reads_stock: true,
            // Nobody said which attributes differ by view: through one, none is written.
            shared: content_codes().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether the profile was supplied, and the store not asked.
    pub(super) fn is_supplied(&self) -> bool {
        self.supplied.is_some()
    }

    /// The store's views.
    pub(super) fn views(&self) -> Vec<View> {
        self.views.iter().map(view_of).collect()
    }

    /// What is true of the store in a scope.
    ///
    /// # Errors
    /// `Config` where the store has no such view.
    pub(super) fn place(&self, scope: &Scope) -> Result<Place> {
        let own = match scope {
            // What all views share has no language; currency and units are those of the first view.
            Scope::All => self.views.iter().min_by_key(|view| view.id),
            Scope::View(code) => self.views.iter().find(|view| view.code == *code),
        };
        if own.is_none() && self.supplied.is_none() && *scope != Scope::All {
            return Err(Error::new(
                ErrorKind::Config,
                "store_view_unknown",
                "the store has no view of that code",
            )
            .with_remedy(
                "look the code up under Stores, All Stores; `all` stands for the values that views share",
            ));
        }
        let mut profile = self.supplied.clone().unwrap_or_else(StoreProfile::unknown);
        profile.scope = Some(scope.code().into());
        let mut view = match scope {
            Scope::All => None,
            Scope::View(code) => Some(View::of_scope(code.as_str())),
        };
        let (mut id, mut media_url) = (None, None);
        if let Some(own) = own {
            profile.currency = own.base_currency_code.parse().ok();
            profile.mass_unit = wire::mass_unit(&own.weight_unit);
            profile.time_zone = plain(&own.timezone).map(Into::into);
            if *scope != Scope::All {
                (id, view) = (Some(own.id), Some(view_of(own)));
            }
            media_url = [&own.secure_base_media_url, &own.base_media_url]
                .into_iter()
                .find(|url| url.starts_with("http"))
                .cloned();
        }
        Ok(Place { profile, view, id, media_url })
    }
}

fn view_of(config: &StoreConfig) -> View {
    let mut view = View::of_scope(config.code.as_str());
    view.locale = plain(&config.locale).map(|locale| locale.replace('_', "-").into());
    view
}

/// Reads what is true of the store.
pub(super) async fn discover(client: ApiClient, config: &MagentoConfig) -> Result<Found> {
    let call = config.api.get(&Scope::All, "store/storeConfigs");
    let views = client.execute_with(call, wire::json::<Vec<StoreConfig>>).await;
    let mut views = views.map_err(|error| match error.code() {
        // By the platform itself: there is nothing else in this question that could be wrong.
        "refused" => {
            Error::new(ErrorKind::Auth, "credentials_malformed", "the store cannot read the credentials")
                .with_remedy("copy all credentials again, whole and each to its place")
                .with_source(error)
        }
        _ => error,
    })?;
    views.retain(|view| wire::is_code(&view.code));
    views.truncate(MAX_VIEWS);
    let mut found =
        Found { client: Arc::new(client), supplied: None, views, reads_stock: false, shared: Vec::new() };
    found.place(&config.scope)?;
    let client = &found.client;
    let probe = Search::page("entity_id", 1).fields("id").on(config.api.get(&config.scope, "products"));
    client.execute_with(probe, wire::answered).await?;
    let probe = Search::page("sku", 1).on(config.api.get(&Scope::All, "inventory/source-items"));
    found.reads_stock = match client.execute_with(probe, wire::answered).await {
        Ok(_) => true,
        Err(error) if Magento::tells_no_stock(&error) => false,
        Err(error) => return Err(error),
    };
    found.shared = shared_attributes(&found.client, config).await?;
    Ok(found)
}

/// The content attributes that are written, by their codes.
fn content_codes() -> Vec<&'static str> {
    let written = map::PRODUCT.iter().filter(|rule| rule.direction == Direction::ReadWrite);
    written.filter_map(|rule| map::code_of(&rule.from)).chain(["name"]).collect()
}

/// The content attributes that all views share, by their codes.
async fn shared_attributes(client: &ApiClient, config: &MagentoConfig) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Scoped {
        attribute_code: String,
        #[serde(default)]
        scope: String,
    }
    let codes = content_codes();
    // A page of just these: a store may allow no larger one.
    let page = u32::try_from(codes.len()).unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let search =
        Search::page("attribute_id", page).one_of("attribute_code", &codes).fields("attribute_code,scope");
    let answered = client
        .execute_with(search.on(config.api.get(&Scope::All, "products/attributes")), wire::answered)
        .await?;
    // What is not said to differ by view is taken to be shared.
    let mut shared: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    for raw in answered.listed()?.records {
        let one: Scoped = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
        if one.scope == "store" {
            shared.retain(|code| *code != one.attribute_code);
        }
    }
    Ok(shared)
}

/// A word that looks like one: the text comes from outside.
fn plain(text: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(fits)).then_some(text)
}

pub(super) fn capabilities(found: &Found, scope: &Scope, writes: WriteSettings) -> Capabilities {
    let listed = |entity| {
        let mut claims = EntityCapabilities::new(entity, NonZeroU32::MIN.saturating_add(MAX_PAGE - 1));
        // Stock, pictures, mass changes and imports move no product's time.
        claims.delta = DeltaClock::CanLie;
        claims.counted = true;
        claims.sorted_by_id = true;
        // A cursor holds the last record's id.
        claims.keyset = true;
        claims.ids_only = true;
        claims.numeric_ids = true;
        claims.by_ids = true;
        claims.overlap = OVERLAP;
        claims
    };
    let mut products = listed(Entity::Product);
    products.statuses = vec![ProductStatus::Active, ProductStatus::Draft];
    // All that a mass change, an import or an order can change without a stamp.
    products.unclocked = [
        "title",
        "description",
        "short_description",
        "seo",
        "slug",
        "status",
        "price",
        "weight",
        "inventory",
        "media",
        "categories",
        "attributes",
    ]
    .map(FieldName::new)
    .to_vec();
    let shared = if *scope == Scope::All { &[] } else { found.shared.as_slice() };
    (products.writable, products.unavailable) = of_products(scope, shared, writes);
    products.max_batch = NonZeroU32::MIN.saturating_add(MAX_BATCH - 1);
    if *scope == Scope::All && found.views.len() > 1 {
        let codes: Vec<&str> = found.views.iter().map(|view| view.code.as_str()).take(MAX_NAMED).collect();
        let note =
            format!("a store view that has a value of its own does not show it ({})", codes.join(", "));
        for field in &mut products.writable {
            let code = code_of(&field.field);
            if code.is_some_and(|code| !found.shared.iter().any(|shared| shared == code)) {
                field.spill = Some(note.clone().into());
            }
        }
    }
    let mut variants = listed(Entity::Variant);
    variants.statuses.clone_from(&products.statuses);
    variants.unclocked =
        ["title", "description", "status", "price", "weight", "inventory", "media", "options"]
            .map(FieldName::new)
            .to_vec();
    let mut categories = listed(Entity::Category);
    categories.delta = DeltaClock::None;
    let mut capabilities = Capabilities::new(vec![products, variants, categories]);
    // Its answer is not believed: landed is what a read by id finds.
    capabilities.answer_holds = AnswerHolds::Nothing;
    capabilities.settle_after = Duration::from_secs(90);
    capabilities
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn words_from_outside_are_plain() {
        assert_eq!(plain("Europe/Berlin"), Some("Europe/Berlin"));
        for wrong in ["", "a b", "<b>", &"x".repeat(65)] {
            assert_eq!(plain(wrong), None);
        }
    }
}
