//! The shop itself, its locales, places and publications.

use std::fmt;

use super::errors::FieldError;
use super::metafield;
use super::state::State;
use super::value::{Args, Out, Read, gid};
use crate::time::Timestamp;

/// The number of the shop's one place.
pub(super) const LOCATION: u64 = 655_441_491;

/// The settings of the shop.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShopSettings {
    /// The number of its id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The domain that the platform knows it by.
    pub myshopify_domain: String,
    /// The currency's code.
    pub currency: String,
    /// `GRAMS`, `KILOGRAMS`, `OUNCES` or `POUNDS`.
    pub weight_unit: String,
    /// The zone of its clock.
    pub iana_timezone: String,
    /// The name of its plan, as shown.
    pub plan_name: String,
    /// Whether it is on the large plan, where limits of tags do not hold.
    pub plus: bool,
    /// The most variants of a product.
    pub max_variants: i64,
    /// The languages; the first is the primary one.
    pub locales: Vec<Locale>,
    /// The number of the app that the tokens belong to; metafields of `$app` carry it.
    pub app_id: u64,
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret; webhooks are signed with it.
    pub client_secret: String,
    /// When the shop was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for ShopSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopSettings")
            .field("name", &self.name)
            .field("myshopify_domain", &self.myshopify_domain)
            .field("plan_name", &self.plan_name)
            .finish_non_exhaustive()
    }
}

/// A language of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Locale {
    /// The code, such as `fr`.
    pub code: String,
    /// The name, such as `French`.
    pub name: String,
    /// Whether customers see it.
    pub published: bool,
}

impl Locale {
    /// Makes a language.
    #[must_use]
    pub fn new(code: &str, name: &str, published: bool) -> Self {
        Self { code: code.to_owned(), name: name.to_owned(), published }
    }
}

impl Default for ShopSettings {
    fn default() -> Self {
        Self {
            id: 548_380_009,
            name: "Lily Test".to_owned(),
            myshopify_domain: "lily-test.myshopify.com".to_owned(),
            currency: "USD".to_owned(),
            weight_unit: "KILOGRAMS".to_owned(),
            iana_timezone: "America/New_York".to_owned(),
            plan_name: "Basic".to_owned(),
            plus: false,
            max_variants: 2_048,
            locales: vec![
                Locale::new("en", "English", true),
                Locale::new("fr", "French", true),
                Locale::new("de", "German", false),
            ],
            app_id: 1_354_745,
            client_id: "a-client-of-tests".to_owned(),
            client_secret: "shpss_a-secret-of-tests".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// A field of the shop.
pub(super) fn field(state: &State, name: &str, args: &Args) -> Result<Out, FieldError> {
    let shop = &state.shop;
    Ok(match name {
        "id" => Out::text(gid("Shop", shop.id)),
        "name" => Out::text(&shop.name),
        "myshopifyDomain" => Out::text(&shop.myshopify_domain),
        "currencyCode" => Out::text(&shop.currency),
        "enabledPresentmentCurrencies" => Out::texts([&shop.currency]),
        "weightUnit" => Out::text(&shop.weight_unit),
        "unitSystem" => {
            let imperial = matches!(shop.weight_unit.as_str(), "OUNCES" | "POUNDS");
            Out::text(if imperial { "IMPERIAL_SYSTEM" } else { "METRIC_SYSTEM" })
        }
        "ianaTimezone" => Out::text(&shop.iana_timezone),
        "timezoneAbbreviation" => Out::text("EST"),
        "timezoneOffset" => Out::text("-0500"),
        "timezoneOffsetMinutes" => Out::int(-300),
        "email" | "contactEmail" => Out::text("owner@example.test"),
        "shopOwnerName" => Out::text("An Owner"),
        "description" => Out::NULL,
        "setupRequired" | "taxesIncluded" => Out::bool(false),
        "url" => Out::text(format!("https://{}", shop.myshopify_domain)),
        "createdAt" | "updatedAt" => Out::time(shop.created_at),
        "plan" => Out::record(
            "ShopPlan",
            vec![
                ("publicDisplayName", Out::text(&shop.plan_name)),
                ("partnerDevelopment", Out::bool(false)),
                ("shopifyPlus", Out::bool(shop.plus)),
            ],
        ),
        "features" => Out::record(
            "ShopFeatures",
            vec![
                ("sellsSubscriptions", Out::bool(false)),
                (
                    "bundles",
                    Out::record(
                        "BundlesFeature",
                        vec![("eligibleForBundles", Out::bool(true)), ("sellsBundles", Out::bool(false))],
                    ),
                ),
            ],
        ),
        "resourceLimits" => Out::record(
            "ShopResourceLimits",
            vec![
                ("locationLimit", Out::int(200)),
                ("maxProductOptions", Out::int(3)),
                ("maxProductVariants", Out::int(shop.max_variants)),
                ("redirectLimitReached", Out::bool(false)),
            ],
        ),
        "primaryDomain" => Out::record(
            "Domain",
            vec![
                ("id", Out::text(gid("Domain", 1))),
                ("host", Out::text(&shop.myshopify_domain)),
                ("sslEnabled", Out::bool(true)),
                ("url", Out::text(format!("https://{}", shop.myshopify_domain))),
            ],
        ),
        "metafield" | "metafields" => metafield::of_owner(state, metafield::Owner::Shop, name, args)?,
        _ => return Err(FieldError::undefined("Shop", name)),
    })
}

/// `shopLocales`.
pub(super) fn locales(state: &State, args: &Args) -> Out {
    let only = args.flag("published");
    let locales = state.shop.locales.iter().enumerate().filter(|(_, locale)| locale.published || !only);
    Out::List(
        locales
            .map(|(at, locale)| {
                Out::record(
                    "ShopLocale",
                    vec![
                        ("locale", Out::text(&locale.code)),
                        ("name", Out::text(&locale.name)),
                        ("primary", Out::bool(at == 0)),
                        ("published", Out::bool(locale.published)),
                    ],
                )
            })
            .collect(),
    )
}

/// The shop's one place.
pub(super) fn location() -> Out {
    Out::record(
        "Location",
        vec![
            ("id", Out::text(gid("Location", LOCATION))),
            ("legacyResourceId", Out::text(LOCATION.to_string())),
            ("name", Out::text("Main street")),
            ("isActive", Out::bool(true)),
        ],
    )
}

/// A publication by its number.
pub(super) fn publication(id: u64) -> Out {
    Out::record(
        "Publication",
        vec![("id", Out::text(gid("Publication", id))), ("autoPublish", Out::bool(id == 1))],
    )
}

/// `currentAppInstallation`.
pub(super) fn installation(state: &State) -> Out {
    let scopes = state.scopes.iter().map(|scope| {
        Out::record(
            "AccessScope",
            vec![("handle", Out::text(scope)), ("description", Out::text(scope.replace('_', " ")))],
        )
    });
    let app = Out::record(
        "App",
        vec![
            ("id", Out::text(gid("App", state.shop.app_id))),
            ("apiKey", Out::text(&state.shop.client_id)),
            ("handle", Out::text("lily-test")),
            ("title", Out::text("Lily test")),
        ],
    );
    Out::record(
        "AppInstallation",
        vec![
            ("id", Out::text(gid("AppInstallation", state.shop.app_id))),
            ("accessScopes", Out::List(scopes.collect())),
            ("app", app),
            ("launchUrl", Out::text(format!("https://{}/admin/apps/lily-test", state.shop.myshopify_domain))),
        ],
    )
}
