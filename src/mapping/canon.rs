//! One value on its way from the wire to a canonical field.

use std::borrow::Cow;
use std::mem::take;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::entities;
use super::json::{self, Broken, Json};
use super::rule::Transform;
use crate::model::{ExternalId, Length, Mass, Money, StoreProfile, Text};
use crate::time::{Day, Timestamp};

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
    Day,
    Word,
}

impl Transform {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Text
            | Self::OptionalText
            | Self::EscapedText
            | Self::Html
            | Self::OptionalHtml
            | Self::JsonList(_)
            | Self::OnlyValue
            | Self::CommaList => Kind::Text,
            Self::Id | Self::OptionalId | Self::LastSegment => Kind::Id,
            Self::Bool | Self::Present => Kind::Bool,
            Self::Decimal => Kind::Decimal,
            Self::Money | Self::MoneyWith { .. } => Kind::Money,
            Self::Mass | Self::MassWith { .. } => Kind::Mass,
            Self::Length => Kind::Length,
            Self::UtcTime | Self::SqlTime | Self::Rfc3339 => Kind::Time,
            Self::Day => Kind::Day,
            Self::Word(_) => Kind::Word,
        }
    }

    /// Whether it is a decimal by itself.
    pub(super) const fn is_decimal(self) -> bool {
        matches!(self, Self::Decimal | Self::Money | Self::Mass | Self::Length)
    }

    /// Whether one value of the wire can be several canonical ones.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::JsonList(_) | Self::OnlyValue)
    }

    /// Whether a canonical field of that kind takes what the transform gives. A word is a text, too.
    pub(super) fn fits(self, kind: Kind) -> bool {
        self.kind() == kind || (self.kind() == Kind::Word && kind == Kind::Text)
    }
}

/// A value in canonical form.
#[derive(Debug, Clone)]
pub(super) enum Canon<'a> {
    Null,
    Text {
        text: Cow<'a, str>,
        raw: Option<Text>,
    },
    /// Several texts that stood in one, which is `raw`; one text where the type of the values is another than
    /// this word begins.
    Texts {
        values: Vec<Text>,
        raw: Text,
        of_type: &'static str,
    },
    /// Names of a list, each with its spelling where that is another.
    Names(Vec<(Text, Option<Text>)>),
    Id(ExternalId),
    Bool(bool),
    Decimal(Decimal),
    Money(Money),
    Mass(Mass),
    Length(Length),
    Time(Timestamp),
    Day(Day),
    Word(Cow<'a, str>),
}

/// Each takes the value out, where it is of that kind.
impl<'a> Canon<'a> {
    pub(super) fn text(&mut self) -> Option<Text> {
        match self {
            Self::Text { text, .. } | Self::Word(text) => Some(take(text).into()),
            _ => None,
        }
    }

    pub(super) fn raw(&mut self) -> Option<Text> {
        match self {
            Self::Text { raw, .. } => raw.take(),
            _ => None,
        }
    }

    pub(super) fn id(&mut self) -> Option<ExternalId> {
        match self {
            Self::Id(id) => Some(take(id)),
            _ => None,
        }
    }

    pub(super) fn truth(&mut self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    pub(super) fn decimal(&mut self) -> Option<Decimal> {
        match self {
            Self::Decimal(decimal) => Some(*decimal),
            _ => None,
        }
    }

    pub(super) fn money(&mut self) -> Option<Money> {
        match self {
            Self::Money(money) => Some(*money),
            _ => None,
        }
    }

    pub(super) fn mass(&mut self) -> Option<Mass> {
        match self {
            Self::Mass(mass) => Some(*mass),
            _ => None,
        }
    }

    pub(super) fn length(&mut self) -> Option<Length> {
        match self {
            Self::Length(length) => Some(*length),
            _ => None,
        }
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }

    pub(super) fn day(&mut self) -> Option<Day> {
        match self {
            Self::Day(day) => Some(*day),
            _ => None,
        }
    }

    pub(super) fn word(&mut self) -> Option<Cow<'a, str>> {
        match self {
            Self::Word(word) => Some(take(word)),
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
        Transform::Text | Transform::Html | Transform::OnlyValue => plain(text),
        Transform::CommaList => Ok(Canon::Names(comma_list(&text))),
        Transform::OptionalId if matches!(&*text, "" | "0") => Ok(Canon::Null),
        Transform::OptionalId => from_text(Transform::Id, text, profile),
        Transform::OptionalText | Transform::OptionalHtml if text.is_empty() => Ok(Canon::Null),
        Transform::OptionalText | Transform::OptionalHtml => plain(text),
        Transform::EscapedText => escaped(text),
        Transform::Id if text.is_empty() || text.len() > 255 => Err("not_an_id"),
        Transform::Id => Ok(Canon::Id(Text::from(text).into())),
        Transform::LastSegment => last_segment(&text),
        Transform::Bool => Err("not_a_truth_value"),
        Transform::Present => Ok(Canon::Bool(true)),
        Transform::Rfc3339 if text.is_empty() => Ok(Canon::Null),
        Transform::Rfc3339 => Timestamp::parse_rfc3339(&text).map(Canon::Time).map_err(|_| "not_a_time"),
        Transform::JsonList(of_type) => json_list(text, of_type),
        Transform::Day => Day::parse(&text).map(Canon::Day).map_err(|_| "not_a_day"),
        Transform::MoneyWith { .. } | Transform::MassWith { .. } => Err("not_an_object"),
        Transform::UtcTime | Transform::SqlTime if text.is_empty() => Ok(Canon::Null),
        Transform::SqlTime => Timestamp::parse_utc_sql(&text).map(Canon::Time).map_err(|_| "not_a_time"),
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

fn last_segment(text: &str) -> Result<Canon<'static>, Fault> {
    let path = json::find(text, b'?').and_then(|at| text.get(..at)).unwrap_or(text);
    let before = path.bytes().rposition(|byte| byte == b'/').map_or(0, |at| at + 1);
    let last = path.get(before..).unwrap_or_default();
    if last.is_empty() || last.len() > 255 {
        return Err("not_an_id");
    }
    Ok(Canon::Id(Text::from(last).into()))
}

/// The names between commas. What holds none goes to the spelling of the one behind it, and at the end to that of the
/// one before it.
fn comma_list(text: &str) -> Vec<(Text, Option<Text>)> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    let (mut start, mut at) = (0, 0);
    for part in text.split(',') {
        let end = at + part.len();
        let name = part.trim();
        if !name.is_empty() {
            names.push((name, text.get(start..end).unwrap_or(part)));
            start = end + 1;
        }
        at = end + 1;
    }
    if let Some((_, spelling)) = names.last_mut().filter(|_| start <= text.len()) {
        let from = start.saturating_sub(1).saturating_sub(spelling.len());
        *spelling = text.get(from..).unwrap_or(spelling);
    }
    let spelled =
        |(name, spelling): (&str, &str)| (Text::from(name), (name != spelling).then(|| Text::from(spelling)));
    names.into_iter().map(spelled).collect()
}

fn json_list<'a>(text: Cow<'a, str>, of_type: &'static str) -> Result<Canon<'a>, Fault> {
    let values = text.starts_with('[').then(|| texts_of(&text)).flatten();
    match values {
        None => plain(text),
        Some(values) if values.iter().any(|value| value.contains('\0')) => Err("has_nul"),
        Some(values) => Ok(Canon::Texts { values, raw: text.into(), of_type }),
    }
}

/// The texts, numbers and truth values of a JSON array, the latter two as they are written; nothing where it has
/// others.
fn texts_of(text: &str) -> Option<Vec<Text>> {
    if let Ok(texts) = serde_json::from_str::<Vec<Text>>(text) {
        return Some(texts);
    }
    let raws = serde_json::from_str::<Vec<&RawValue>>(text).ok()?;
    let of = |raw: &RawValue| match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(Text::from(raw.get())),
    };
    raws.into_iter().map(of).collect()
}

/// Reads an object of a number and its unit.
fn from_object(transform: Transform, raw: &str) -> Result<Canon<'static>, Fault> {
    let (number, word) = match transform {
        Transform::MoneyWith { amount, currency } => (amount, currency),
        Transform::MassWith { value, unit, .. } => (value, unit),
        _ => return Err("not_an_object"),
    };
    let Some(object) = Pair::read(raw, number, word)? else { return Ok(Canon::Null) };
    let decimal = exact(&object.number).ok_or("not_a_decimal")?;
    match transform {
        Transform::MoneyWith { .. } => {
            let currency = object.word.parse().map_err(|_| "not_a_currency")?;
            Ok(Canon::Money(Money::new(decimal, currency)))
        }
        Transform::MassWith { words, .. } => {
            let unit = words.iter().find(|(wire, _)| *wire == object.word).map(|(_, unit)| *unit);
            let mass = Mass::of(decimal, unit.ok_or("not_a_unit_of_mass")?);
            mass.map(Canon::Mass).ok_or("not_a_decimal")
        }
        _ => Err("not_an_object"),
    }
}

/// A number in its own spelling, and the word beside it.
struct Pair<'a> {
    number: Cow<'a, str>,
    word: Cow<'a, str>,
}

impl<'a> Pair<'a> {
    /// Nothing where the object has no number.
    fn read(raw: &'a str, number: &str, word: &str) -> Result<Option<Self>, Fault> {
        let mut json = Json::new(raw);
        let read = |json: &mut Json<'a>| {
            let mut pair = Self { number: Cow::Borrowed(""), word: Cow::Borrowed("") };
            if json.peek() != b'{' {
                return Err(Broken);
            }
            let mut more = json.open(b'}')?;
            while more {
                let key = json.key()?.text;
                let value = match json.peek() {
                    b'"' => json.text()?.text,
                    _ => Cow::Borrowed(Some(json.raw()?).filter(|raw| *raw != "null").unwrap_or_default()),
                };
                if key == number {
                    pair.number = value;
                } else if key == word {
                    pair.word = value;
                }
                more = json.more(b'}')?;
            }
            Ok(pair)
        };
        let pair = read(&mut json).map_err(|_| "not_an_object")?;
        Ok(Some(pair).filter(|pair| !pair.number.is_empty()))
    }
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

/// Reads a number of the wire as it is written; where no decimal is asked for, a whole one.
pub(super) fn from_number<'a>(
    transform: Transform,
    number: &'a str,
    profile: &StoreProfile,
) -> Result<Canon<'a>, Fault> {
    match transform {
        Transform::Decimal | Transform::Money | Transform::Mass | Transform::Length => {
            return from_decimal(transform, number, profile);
        }
        Transform::Present => return Ok(Canon::Bool(true)),
        Transform::MoneyWith { .. } | Transform::MassWith { .. } => return Err("not_an_object"),
        _ => {}
    }
    let is_short = number.len() < 19 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_short && (number == "-0" || (number.parse::<u64>().is_err() && number.parse::<i64>().is_err())) {
        return Err("not_a_whole_number");
    }
    match transform {
        Transform::OptionalId if number == "0" => Ok(Canon::Null),
        Transform::Id | Transform::OptionalId | Transform::LastSegment => {
            Ok(Canon::Id(Text::from(number).into()))
        }
        Transform::Word(_) => from_text(transform, Cow::Borrowed(number), profile),
        Transform::Bool => Err("not_a_truth_value"),
        _ => Err("not_a_text"),
    }
}

/// Reads an array or object of the wire where one value belongs. An empty one is PHP's word for none.
pub(super) fn from_container(
    transform: Transform,
    raw: &str,
    is_empty: bool,
) -> Result<Canon<'static>, Fault> {
    match transform {
        Transform::Present => Ok(Canon::Bool(true)),
        _ if transform.is_decimal() => {
            let is_none = raw.bytes().all(|byte| matches!(byte, b'[' | b']') || byte.is_ascii_whitespace());
            if is_none { Ok(Canon::Null) } else { Err("not_a_decimal") }
        }
        _ if is_empty => Ok(Canon::Null),
        Transform::MoneyWith { .. } | Transform::MassWith { .. } => from_object(transform, raw),
        _ => Err("not_one_value"),
    }
}

/// Reads a truth value of the wire. `false` where something else belongs is the platform's word for none.
pub(super) fn from_bool(transform: Transform, truth: bool) -> Result<Canon<'static>, Fault> {
    match transform {
        Transform::Bool => Ok(Canon::Bool(truth)),
        Transform::Present => Ok(Canon::Bool(true)),
        Transform::Word(words) => {
            let name = if truth { "true" } else { "false" };
            let word = words.iter().find(|(wire, _)| *wire == name).map_or(name, |(_, canonical)| canonical);
            Ok(Canon::Word(Cow::Borrowed(word)))
        }
        _ if !truth => Ok(Canon::Null),
        _ if transform.is_decimal() => Err("not_a_decimal"),
        _ => Err("not_a_text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_commas_keep_the_text_that_they_were_read_from() {
        for (text, names) in [
            ("jar, glass", &["jar", "glass"][..]),
            ("a,,b", &["a", "b"]),
            (" a ,b,", &["a", "b"]),
            (",a", &["a"]),
            ("a,b, ,", &["a", "b"]),
            ("one", &["one"]),
            ("", &[]),
            (" , ", &[]),
        ] {
            let read = comma_list(text);
            assert_eq!(read.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names, "{text:?}");
            let spelled: Vec<&str> =
                read.iter().map(|(name, raw)| raw.as_ref().unwrap_or(name).as_str()).collect();
            if !names.is_empty() {
                assert_eq!(spelled.join(","), text, "{text:?}");
            }
        }
    }
}
