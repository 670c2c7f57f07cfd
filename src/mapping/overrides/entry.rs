//! One entry of the overrides, and where in the text it stands.

use crate::error::{Error, ErrorKind};
use crate::model::Entity;

use super::super::rule::Transform;

/// A change of the rules of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) entity: Entity,
    pub(super) field: String,
    /// Where the entry names its field.
    pub(super) at: At,
    /// Which of several rules of the field it is about; none for all of them.
    pub(super) rank: Option<(u8, At)>,
    pub(super) change: Change,
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The field is not read any more.
    Drop,
    /// The field is read by another rule.
    Set { from: Option<(String, At)>, transform: Option<(Transform, At)>, write: Option<(bool, At)> },
}

/// A line and a column, from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl At {
    /// The place of a byte of the text.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }

    /// The error of something wrong there.
    pub(super) fn wrong(self, what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Config, "override_invalid", what)
            .with_context("line", self.line.to_string())
            .with_context("column", self.column.to_string())
    }
}

impl Entry {
    /// The error of something wrong with the entry at this place.
    pub(super) fn wrong(&self, at: At, what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        at.wrong(what).with_context("field", format!("{}.{}", self.entity, self.field))
    }
}

/// The transforms that an override can choose. Words belong to a connector: there is no name for them.
pub(super) const NAMED: [(&str, Transform); 15] = [
    ("text", Transform::Text),
    ("optional_text", Transform::OptionalText),
    ("escaped_text", Transform::EscapedText),
    ("html", Transform::Html),
    ("optional_html", Transform::OptionalHtml),
    ("id", Transform::Id),
    ("last_segment", Transform::LastSegment),
    ("bool", Transform::Bool),
    ("decimal", Transform::Decimal),
    ("money", Transform::Money),
    ("mass", Transform::Mass),
    ("length", Transform::Length),
    ("utc_time", Transform::UtcTime),
    ("sql_time", Transform::SqlTime),
    ("rfc3339", Transform::Rfc3339),
];

/// The name of a transform.
pub(super) fn name_of(transform: Transform) -> &'static str {
    NAMED.iter().find(|(_, known)| *known == transform).map_or("the connector's words", |(name, _)| name)
}
