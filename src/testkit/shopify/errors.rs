//! Errors of a document and of its fields, in the shapes that clients read.

use crate::testkit::json::Json;

/// Why a field has no value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldError {
    pub(super) message: String,
    pub(super) extensions: Vec<(&'static str, Json)>,
}

impl FieldError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), extensions: Vec::new() }
    }

    pub(super) fn coded(message: impl Into<String>, code: &str) -> Self {
        Self { message: message.into(), extensions: vec![("code", Json::text(code))] }
    }

    pub(super) fn undefined(type_name: &str, field: &str) -> Self {
        let mut error =
            Self::coded(format!("Field '{field}' doesn't exist on type '{type_name}'"), "undefinedField");
        error.extensions.push(("typeName", Json::text(type_name)));
        error.extensions.push(("fieldName", Json::text(field)));
        error
    }

    /// A missing scope; the message names it.
    pub(super) fn denied(field: &str, scopes: &[&str]) -> Self {
        let needed = scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(" or ");
        let needed = format!("{needed} access scope.");
        let mut error = Self::coded(
            format!("Access denied for {field} field. Required access: {needed}"),
            "ACCESS_DENIED",
        );
        error.extensions.push(("documentation", Json::text("https://shopify.dev/api/usage/access-scopes")));
        error.extensions.push(("requiredAccess", Json::text(needed)));
        error
    }

    pub(super) fn invalid_id(text: &str) -> Self {
        Self::coded(format!("Invalid global id '{text}'"), "argumentLiteralsIncompatible")
    }

    /// The error as answered, at a place of the document and of the answer.
    pub(super) fn to_json(&self, location: Option<(usize, usize)>, path: &[Json]) -> Json {
        let mut entries = vec![("message".to_owned(), Json::text(self.message.clone()))];
        if let Some(location) = location {
            entries.push(("locations".to_owned(), Json::Array(vec![place(location)])));
        }
        if !path.is_empty() {
            entries.push(("path".to_owned(), Json::Array(path.to_vec())));
        }
        if !self.extensions.is_empty() {
            entries.push(("extensions".to_owned(), Json::object(self.extensions.clone())));
        }
        Json::Object(entries)
    }
}

pub(super) fn place((line, column): (usize, usize)) -> Json {
    let number = |number: usize| Json::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Json::object([("line", number(line)), ("column", number(column))])
}
