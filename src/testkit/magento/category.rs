//! Categories.

use std::collections::BTreeMap;

use super::product::GLOBAL;
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// A category, with the values of each scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Category {
    /// The id; 1 is the root of all, 2 the default root.
    pub id: u64,
    /// The id of its parent; 0 of the root.
    pub parent: u64,
    /// The ids from the root down to itself.
    pub path: Vec<u64>,
    /// The place among its siblings.
    pub position: i64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was saved last.
    pub updated: Timestamp,
    /// The values by scope (0 is global) and attribute code: `name`, `is_active`, `include_in_menu`,
    /// `description`, `meta_title`, `meta_keywords` (plural here), `meta_description`, `url_key`.
    pub values: BTreeMap<u64, BTreeMap<String, String>>,
}

/// The attributes of categories whose value may differ by view.
pub(super) const SCOPED: [&str; 10] = [
    "name",
    "is_active",
    "include_in_menu",
    "description",
    "meta_title",
    "meta_keywords",
    "meta_description",
    "url_key",
    "url_path",
    "display_mode",
];

impl Category {
    /// What a view shows: its own value, else the global one.
    #[must_use]
    pub fn value(&self, view: u64, code: &str) -> Option<&str> {
        let own = self.values.get(&view).and_then(|values| values.get(code));
        own.or_else(|| self.values.get(&GLOBAL).and_then(|values| values.get(code))).map(String::as_str)
    }

    /// Sets the value of a scope.
    pub fn set(&mut self, scope: u64, code: &str, value: impl Into<String>) {
        self.values.entry(scope).or_default().insert(code.to_owned(), value.into());
    }

    pub(super) fn level(&self) -> i64 {
        i64::try_from(self.path.len().saturating_sub(1)).unwrap_or(0)
    }

    pub(super) fn is_on(&self, view: u64, code: &str) -> bool {
        self.value(view, code) == Some("1")
    }

    pub(super) fn path_text(&self) -> String {
        self.path.iter().map(u64::to_string).collect::<Vec<_>>().join("/")
    }

    /// The category as its own call and the list answer it.
    pub(super) fn json(&self, view: u64, children: &[u64]) -> Json {
        let children_text = children.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let mut custom = Vec::new();
        let mut add = |code: &str, value: String| {
            custom.push(Json::object([("attribute_code", Json::text(code)), ("value", Json::String(value))]));
        };
        for code in ["description", "meta_title", "meta_keywords", "meta_description", "display_mode"] {
            if let Some(value) = self.value(view, code) {
                add(code, value.to_owned());
            }
        }
        add("is_anchor", "1".to_owned());
        add("path", self.path_text());
        add("children_count", children.len().to_string());
        for code in ["url_key", "url_path"] {
            if let Some(value) = self.value(view, code) {
                add(code, value.to_owned());
            }
        }
        Json::object([
            ("id", Json::from(self.id)),
            ("parent_id", Json::from(self.parent)),
            ("name", Json::text(self.value(view, "name").unwrap_or_default())),
            ("is_active", Json::Bool(self.is_on(view, "is_active"))),
            ("position", Json::from(self.position)),
            ("level", Json::from(self.level())),
            ("children", Json::String(children_text)),
            ("created_at", Json::String(self.created.to_utc_civil().replace('T', " "))),
            ("updated_at", Json::String(self.updated.to_utc_civil().replace('T', " "))),
            ("path", Json::String(self.path_text())),
            ("available_sort_by", Json::Array(Vec::new())),
            ("include_in_menu", Json::Bool(self.is_on(view, "include_in_menu"))),
            ("custom_attributes", Json::Array(custom)),
        ])
    }
}
