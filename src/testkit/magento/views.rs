//! Websites, groups of stores, and store views.

use crate::testkit::json::Json;

/// A website of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Website {
    /// The id.
    pub id: u64,
    /// The code.
    pub code: String,
    /// The name.
    pub name: String,
}

/// A store view: a language of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreView {
    /// The id.
    pub id: u64,
    /// The code, as it stands in addresses.
    pub code: String,
    /// The name.
    pub name: String,
    /// The website that it is of; its group has the same id.
    pub website: u64,
    /// The locale, such as `de_DE`.
    pub locale: String,
    /// The currency, such as `EUR`.
    pub currency: String,
    /// Whether shoppers see it.
    pub active: bool,
}

impl Website {
    pub(super) fn json(&self) -> Json {
        Json::object([
            ("id", Json::from(self.id)),
            ("code", Json::text(self.code.clone())),
            ("name", Json::text(self.name.clone())),
            ("default_group_id", Json::from(self.id)),
        ])
    }

    /// The one group of stores of the website.
    pub(super) fn group(&self, default_view: u64) -> Json {
        Json::object([
            ("id", Json::from(self.id)),
            ("website_id", Json::from(self.id)),
            ("root_category_id", Json::from(2)),
            ("default_store_id", Json::from(default_view)),
            ("name", Json::text(format!("{} Store", self.name))),
            ("code", Json::text(format!("{}_store", self.code))),
        ])
    }
}

impl StoreView {
    pub(super) fn json(&self) -> Json {
        Json::object([
            ("id", Json::from(self.id)),
            ("code", Json::text(self.code.clone())),
            ("name", Json::text(self.name.clone())),
            ("website_id", Json::from(self.website)),
            ("store_group_id", Json::from(self.website)),
            ("is_active", Json::from(i32::from(self.active))),
        ])
    }

    pub(super) fn config(&self, home: &str, weight_unit: &str) -> Json {
        let secure = home.replacen("http://", "https://", 1);
        let text = |text: String| Json::String(text);
        Json::object([
            ("id", Json::from(self.id)),
            ("code", text(self.code.clone())),
            ("website_id", Json::from(self.website)),
            ("locale", text(self.locale.clone())),
            ("base_currency_code", text(self.currency.clone())),
            ("default_display_currency_code", text(self.currency.clone())),
            ("timezone", text("Europe/Berlin".to_owned())),
            ("weight_unit", text(weight_unit.to_owned())),
            ("base_url", text(format!("{home}/"))),
            ("base_link_url", text(format!("{home}/"))),
            ("base_static_url", text(format!("{home}/static/version1795305600/"))),
            ("base_media_url", text(format!("{home}/media/"))),
            ("secure_base_url", text(format!("{secure}/"))),
            ("secure_base_link_url", text(format!("{secure}/"))),
            ("secure_base_static_url", text(format!("{secure}/static/version1795305600/"))),
            ("secure_base_media_url", text(format!("{secure}/media/"))),
        ])
    }
}
