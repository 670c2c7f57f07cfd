//! One value on its way from the wire to a canonical field.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::entities;
use super::rule::Transform;
use crate::model::{ExternalId, Length, Mass, Money, StoreProfile, Text};
use crate::time::Timestamp;

/// What a canonical field holds. A rule whose transform gives another kind does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Id,
    Bool,
    Decimal,
    Money,
    Mass,
    Length,
    Time,
    Word,
}

impl Transform {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Text | Self::OptionalText | Self::EscapedText | Self::Html => Kind::Text,
            Self::Id => Kind::Id,
            Self::Bool => Kind::Bool,
            Self::Decimal => Kind::Decimal,
            Self::Money => Kind::Money,
            Self::Mass => Kind::Mass,
            Self::Length => Kind::Length,
            Self::UtcTime => Kind::Time,
            Self::Word(_) => Kind::Word,
        }
    }

    /// Whether the value is read as text of the wire, so that a number keeps all its digits.
    pub(super) const fn is_decimal(self) -> bool {
        matches!(self, Self::Decimal | Self::Money | Self::Mass | Self::Length)
    }
}

/// A value in canonical form.
#[derive(Debug, Clone)]
pub(super) enum Canon<'a> {
    Null,
    Text { text: Cow<'a, str>, raw: Option<Text> },
    Id(ExternalId),
    Bool(bool),
    Decimal(Decimal),
    Money(Money),
    Mass(Mass),
    Length(Length),
    Time(Timestamp),
    Word(Cow<'a, str>),
}

impl<'a> Canon<'a> {
    pub(super) fn text(self) -> Option<Text> {
        match self {
            Self::Text { text, .. } => Some(text.into()),
            _ => None,
        }
    }

    pub(super) fn raw(&self) -> Option<Text> {
        match self {
            Self::Text { raw, .. } => raw.clone(),
            _ => None,
        }
    }

    pub(super) fn id(self) -> Option<ExternalId> {
        match self {
            Self::Id(id) => Some(id),
            _ => None,
        }
    }

    pub(super) fn truth(self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    pub(super) fn decimal(self) -> Option<Decimal> {
        match self {
            Self::Decimal(decimal) => Some(decimal),
            _ => None,
        }
    }

    pub(super) fn money(self) -> Option<Money> {
        match self {
            Self::Money(money) => Some(money),
            _ => None,
        }
    }

    pub(super) fn mass(self) -> Option<Mass> {
        match self {
            Self::Mass(mass) => Some(mass),
            _ => None,
        }
    }

    pub(super) fn length(self) -> Option<Length> {
        match self {
            Self::Length(length) => Some(length),
            _ => None,
        }
    }

    pub(super) fn time(self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(time),
            _ => None,
        }
    }

    pub(super) fn word(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// Why a value could not be read; the codes are stable.
pub(super) type Fault = &'static str;

/// Reads a text of the wire.
pub(super) fn from_text<'a>(
    transform: Transform,
    text: Cow<'a, str>,
    profile: &StoreProfile,
) -> Result<Canon<'a>, Fault> {
    match transform {
        Transform::Text | Transform::Html => plain(text),
        Transform::OptionalText if text.is_empty() => Ok(Canon::Null),
        Transform::OptionalText => plain(text),
        Transform::EscapedText => escaped(text),
        Transform::Id if text.is_empty() || text.len() > 255 => Err("not_an_id"),
        Transform::Id => Ok(Canon::Id(Text::from(text).into())),
        Transform::Bool => Err("not_a_truth_value"),
        Transform::UtcTime if text.is_empty() => Ok(Canon::Null),
        Transform::UtcTime => Timestamp::parse_utc_civil(&text).map(Canon::Time).map_err(|_| "not_a_time"),
        Transform::Word(words) => Ok(Canon::Word(
            words
                .iter()
                .find(|(wire, _)| *wire == text)
                .map_or(text, |(_, canonical)| Cow::Borrowed(canonical)),
        )),
        Transform::Decimal | Transform::Money | Transform::Mass | Transform::Length => {
            from_decimal(transform, &text, profile)
        }
    }
}

/// A NUL was refused before: only an escape can bring one.
fn plain(text: Cow<'_, str>) -> Result<Canon<'_>, Fault> {
    Ok(Canon::Text { text, raw: None })
}

fn escaped(wire: Cow<'_, str>) -> Result<Canon<'_>, Fault> {
    if !wire.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>')) {
        return plain(wire);
    }
    let text = entities::unescape(&wire).into_owned();
    let raw = (entities::escape(&text) != wire).then(|| Text::from(wire));
    Ok(Canon::Text { text: Cow::Owned(text), raw })
}

/// Reads the text of a number.
pub(super) fn from_decimal(
    transform: Transform,
    text: &str,
    profile: &StoreProfile,
) -> Result<Canon<'static>, Fault> {
    if text.is_empty() {
        return Ok(Canon::Null);
    }
    let decimal = exact(text).ok_or("not_a_decimal")?;
    match transform {
        Transform::Decimal => Some(Canon::Decimal(decimal)),
        Transform::Money => {
            let currency = profile.currency.ok_or("store_currency_unknown")?;
            Some(Canon::Money(Money::new(decimal, currency)))
        }
        Transform::Mass => {
            Mass::of(decimal, profile.mass_unit.ok_or("store_mass_unit_unknown")?).map(Canon::Mass)
        }
        Transform::Length => {
            Length::of(decimal, profile.length_unit.ok_or("store_length_unit_unknown")?).map(Canon::Length)
        }
        _ => None,
    }
    .ok_or("not_a_decimal")
}

/// Reads every digit or nothing; an exponent is read where the result has no more than 28 digits.
fn exact(text: &str) -> Option<Decimal> {
    if text.len() > 40 {
        return None;
    }
    // The parser beneath passes over underscores.
    if text.contains('_') {
        return None;
    }
    match text.split_once(['e', 'E']) {
        None => Decimal::from_str_exact(text).ok(),
        Some(_) => {
            let decimal = Decimal::from_scientific(text).ok()?;
            Some(decimal.normalize())
        }
    }
}

/// Reads a whole number of the wire.
pub(super) fn from_integer(
    transform: Transform,
    number: impl ToString + Copy,
    profile: &StoreProfile,
) -> Result<Canon<'static>, Fault> {
    match transform {
        Transform::Id => Ok(Canon::Id(Text::from(number.to_string()).into())),
        Transform::Word(_) => from_text(transform, Cow::Owned(number.to_string()), profile),
        Transform::Decimal | Transform::Money | Transform::Mass | Transform::Length => {
            from_decimal(transform, &number.to_string(), profile)
        }
        Transform::Text
        | Transform::OptionalText
        | Transform::EscapedText
        | Transform::Html
        | Transform::UtcTime => Err("not_a_text"),
        Transform::Bool => Err("not_a_truth_value"),
    }
}

/// Reads a truth value of the wire. `false` where something else belongs is the platform's word for none.
pub(super) fn from_bool(transform: Transform, truth: bool) -> Result<Canon<'static>, Fault> {
    match transform {
        Transform::Bool => Ok(Canon::Bool(truth)),
        Transform::Word(words) => {
            let name = if truth { "true" } else { "false" };
            let word = words.iter().find(|(wire, _)| *wire == name).map_or(name, |(_, canonical)| canonical);
            Ok(Canon::Word(Cow::Borrowed(word)))
        }
        _ if !truth => Ok(Canon::Null),
        _ => Err("not_a_text"),
    }
}
