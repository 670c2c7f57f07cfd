//! What the store is: its units, money, language, plan, and the app that holds a token.

use crate::testkit::json::Json;

/// The settings of a store.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The word in the addresses of its API (default `abc123`).
    pub store_hash: String,
    /// The number that deliveries carry.
    pub store_id: u64,
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: String,
    /// `LBS`, `Ounces`, `KGS`, `Grams` or `Tonnes`, as `/v2/store` says it.
    pub weight_units: String,
    /// `Inches` or `Centimeters`.
    pub dimension_units: String,
    /// The store's currency, as a three-letter code.
    pub currency: String,
    /// The store's language, such as `en`.
    pub language: String,
    /// The languages that it has beside its own.
    pub other_languages: Vec<String>,
    /// Its time zone.
    pub timezone: String,
    /// What is printed as plan, such as `Standard`.
    pub plan_name: String,
    /// Whether it is on trial.
    pub trial: bool,
    /// The id of the API account or app that the tokens belong to.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where the app is called back.
    pub redirect_uri: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("store_hash", &self.store_hash).finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            store_hash: "abc123".to_owned(),
            store_id: 1_025_646,
            name: "Test Store".to_owned(),
            domain: "test-store.example".to_owned(),
            weight_units: "KGS".to_owned(),
            dimension_units: "Centimeters".to_owned(),
            currency: "EUR".to_owned(),
            language: "en".to_owned(),
            other_languages: Vec::new(),
            timezone: "Europe/Berlin".to_owned(),
            plan_name: "Standard".to_owned(),
            trial: false,
            client_id: "client_of_lily_test".to_owned(),
            client_secret: "a-client-secret-of-lily-test".to_owned(),
            redirect_uri: "https://app.example/auth".to_owned(),
        }
    }
}

impl Settings {
    /// What `/v2/store` answers (schema of store_information.v2.yml and its example).
    pub(super) fn store(&self) -> Json {
        let text = |text: &str| Json::text(text);
        let zone = Json::object([
            ("name", text(&self.timezone)),
            ("raw_offset", Json::Int(3600)),
            ("dst_offset", Json::Int(7200)),
            ("dst_correction", Json::Bool(true)),
            (
                "date_format",
                Json::object([
                    ("display", text("M jS Y")),
                    ("export", text("M jS Y")),
                    ("extended_display", text("M jS Y @ g:i A")),
                ]),
            ),
        ]);
        let features = Json::object([
            ("stencil_enabled", Json::Bool(true)),
            ("sitewidehttps_enabled", Json::Bool(true)),
            ("facebook_catalog_id", text("")),
            ("checkout_type", text("optimized")),
            ("wishlists_enabled", Json::Bool(true)),
            ("graphql_storefront_api_enabled", Json::Bool(true)),
            ("shopper_consent_tracking_enabled", Json::Bool(false)),
            ("multi_storefront_enabled", Json::Bool(true)),
            (
                "storefront_limits",
                Json::object([("active", Json::Int(3)), ("total_including_inactive", Json::Int(4))]),
            ),
        ]);
        let symbol = match self.currency.as_str() {
            "EUR" => "€",
            "GBP" => "£",
            _ => "$",
        };
        Json::object([
            ("id", text(&self.store_hash)),
            ("account_uuid", text("8d4d492f-17a1-4d95-b396-e1c5720815a5")),
            ("domain", text(&self.domain)),
            ("secure_url", Json::text(format!("https://{}", self.domain))),
            (
                "control_panel_base_url",
                Json::text(format!("https://store-{}.mybigcommerce.com", self.store_hash)),
            ),
            ("status", text("live")),
            ("name", text(&self.name)),
            ("first_name", text("Jane")),
            ("last_name", text("Doe")),
            ("address", text("1 Test Street")),
            ("country", text("Germany")),
            ("country_code", text("DE")),
            ("infrastructure_region", text("us-central1")),
            ("phone", text("555-0100")),
            ("admin_email", text("owner@store.example")),
            ("order_email", text("orders@store.example")),
            ("favicon_url", text("")),
            ("timezone", zone),
            ("language", text(&self.language)),
            ("currency", text(&self.currency)),
            ("currency_symbol", text(symbol)),
            ("decimal_separator", text(".")),
            ("thousands_separator", text(",")),
            ("decimal_places", Json::Int(2)),
            ("currency_symbol_location", text("left")),
            ("weight_units", text(&self.weight_units)),
            ("dimension_units", text(&self.dimension_units)),
            ("dimension_decimal_places", Json::Int(2)),
            ("dimension_decimal_token", text(".")),
            ("dimension_thousands_token", text(",")),
            ("plan_name", text(&self.plan_name)),
            ("plan_level", text(&self.plan_name)),
            ("plan_is_trial", Json::Bool(self.trial)),
            ("industry", text("Technology")),
            // A store without a logo answers an empty list here.
            ("logo", Json::Array(Vec::new())),
            ("is_price_entered_with_tax", Json::Bool(false)),
            ("store_id", Json::from(self.store_id)),
            ("default_channel_id", Json::Int(1)),
            ("default_site_id", Json::Int(1000)),
            ("active_comparison_modules", Json::Array(Vec::new())),
            ("features", features),
        ])
    }
}
