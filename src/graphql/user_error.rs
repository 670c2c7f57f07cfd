//! The refusals that a mutation gives beside its result.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::{MAX_TEXT, plain};

/// The most refusals that are kept: a call takes no more elements than this.
const MAX_ERRORS: usize = 500;
/// The longest way to a field.
const MAX_FIELD: usize = 16;

/// Why a mutation did not do what it was asked, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct UserError {
    /// The way to the input's field that is refused, from the outermost inwards.
    #[serde(deserialize_with = "field")]
    pub field: Option<Vec<String>>,
    /// What the platform says, in the store's language, as one bounded line.
    #[serde(deserialize_with = "message")]
    pub message: String,
    /// The platform's code, where the mutation has one.
    #[serde(deserialize_with = "code")]
    pub code: Option<String>,
    /// Which element of a list is refused, from 0.
    #[serde(deserialize_with = "index")]
    pub element_index: Option<u32>,
}

impl UserError {
    /// The field's way as one text, such as `product.seo.title`; empty where none is named.
    #[must_use]
    pub fn field_path(&self) -> String {
        self.field.as_deref().unwrap_or_default().join(".")
    }
}

/// The refusals of one mutation; `null` is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UserErrors {
    /// The refusals, at most 500.
    pub list: Vec<UserError>,
    /// How many more there were.
    pub left_out: usize,
}

impl UserErrors {
    /// Whether nothing was refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<'de> Deserialize<'de> for UserErrors {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(List)
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = UserErrors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of user errors")
    }

    fn visit_unit<E>(self) -> Result<UserErrors, E> {
        Ok(UserErrors::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<UserErrors, A::Error> {
        let mut errors = UserErrors::default();
        while errors.list.len() < MAX_ERRORS {
            match from.next_element()? {
                Some(error) => errors.list.push(error),
                None => return Ok(errors),
            }
        }
        while from.next_element::<IgnoredAny>()?.is_some() {
            errors.left_out += 1;
        }
        Ok(errors)
    }
}

/// A text or a number, as the platforms write either.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(plain(text, MAX_TEXT)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn field<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(steps) => Some(steps.iter().take(MAX_FIELD).filter_map(word).collect()),
        other => word(&other).map(|step| vec![step]),
    })
}

fn message<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(word(&Value::deserialize(from)?).unwrap_or_default())
}

fn code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(word(&Value::deserialize(from)?))
}

fn index<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(Value::deserialize(from)?.as_u64().and_then(|index| u32::try_from(index).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> UserErrors {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn refusals_are_read_whatever_parts_they_have() {
        let errors = read(
            r#"[{"field":["metafields","0","value"],"message":"is\n wrong","code":"INVALID","elementIndex":0},
                {"field":null,"message":"m"}, {"field":"title"}, {"field":["a",3],"code":null,"new":{"x":1}}]"#,
        );
        assert_eq!(errors.list[0].field_path(), "metafields.0.value");
        assert_eq!(errors.list[0].message, "is  wrong");
        assert_eq!(
            (errors.list[0].code.as_deref(), errors.list[0].element_index),
            (Some("INVALID"), Some(0))
        );
        assert_eq!((errors.list[1].field.clone(), errors.list[1].message.as_str()), (None, "m"));
        assert_eq!(errors.list[2].field_path(), "title");
        assert_eq!(errors.list[3].field_path(), "a.3");
        assert!(read("null").is_empty() && read("[]").is_empty());
    }

    #[test]
    fn refusals_are_bounded_in_number_and_length() {
        let one = format!(r#"{{"message":"{}"}}"#, "x".repeat(5000));
        let errors = read(&format!("[{}]", vec![one; 600].join(",")));
        assert_eq!((errors.list.len(), errors.left_out), (500, 100));
        assert_eq!(errors.list[0].message.chars().count(), 301);
    }
}
