//! Query parameters as PHP reads them and WordPress checks them.

use super::errors::{ApiError, BadParam, invalid_params};
use crate::time::Timestamp;

/// The most parameters that PHP reads of one query.
const PARAM_LIMIT: usize = 1000;

/// The parameters of a query, in order; of a name that occurs twice the last value stays.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, Value)>);

/// One value, or a list of them where the name had brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    One(String),
    Many(Vec<(String, String)>),
}

impl Params {
    pub(super) fn parse(query: &str) -> Self {
        let mut params = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(PARAM_LIMIT) {
            params.push(&name, value.into_owned());
        }
        params
    }

    fn push(&mut self, name: &str, value: String) {
        let (base, index) =
            match name.split_once('[').and_then(|(base, rest)| Some((base, rest.strip_suffix(']')?))) {
                Some((base, index)) if !base.is_empty() => (base, Some(index)),
                _ => (name, None),
            };
        let at = match self.0.iter().position(|(known, _)| known == base) {
            Some(at) => at,
            None => {
                self.0.push((base.to_owned(), Value::Many(Vec::new())));
                self.0.len() - 1
            }
        };
        let Some((_, slot)) = self.0.get_mut(at) else { return };
        match (index, slot) {
            (None, slot) => *slot = Value::One(value),
            (Some(index), Value::Many(items)) => {
                let index = if index.is_empty() { items.len().to_string() } else { index.to_owned() };
                match items.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, old)) => *old = value,
                    None => items.push((index, value)),
                }
            }
            (Some(index), slot @ Value::One(_)) => {
                let index = if index.is_empty() { "0".to_owned() } else { index.to_owned() };
                *slot = Value::Many(vec![(index, value)]);
            }
        }
    }

    /// The flat pairs, with brackets in the names as PHP numbers them; OAuth signs these.
    pub(super) fn flat(&self) -> Vec<(String, String)> {
        let mut flat = Vec::new();
        for (name, value) in &self.0 {
            match value {
                Value::One(value) => flat.push((name.clone(), value.clone())),
                Value::Many(items) => {
                    flat.extend(
                        items.iter().map(|(index, value)| (format!("{name}[{index}]"), value.clone())),
                    );
                }
            }
        }
        flat
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((_, Value::One(value))) => Some(value),
            _ => None,
        }
    }

    /// The items of a list parameter: of brackets, or between commas and blanks.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| match value {
            Value::One(value) => value
                .split([',', ' ', '\t', '\n'])
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
            Value::Many(items) => items.iter().map(|(_, value)| value.clone()).collect(),
        })
    }

    pub(super) fn ids(&self, name: &str) -> Vec<u64> {
        self.list(name)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.trim().parse::<i64>().ok())
            .map(i64::unsigned_abs)
            .collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|value| value.trim().parse().ok())
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true"))
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// The query of a paging link: the request's own parameters as they were read, with the page set.
    pub(super) fn link_query(&self, args: &[Arg], page: u64) -> String {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.0 {
            let kind = args.iter().find(|arg| arg.name == name).map(|arg| arg.kind);
            match (kind, value) {
                (Some(Kind::Flag), Value::One(_)) => {
                    let text = if self.flag(name) == Some(true) { "1" } else { "" };
                    pairs.push((name.clone(), text.to_owned()));
                }
                (Some(Kind::Ids | Kind::EnumList(_)), _) => {
                    let items = self.list(name).unwrap_or_default();
                    pairs.extend(
                        items.into_iter().enumerate().map(|(at, item)| (format!("{name}[{at}]"), item)),
                    );
                }
                (_, Value::One(value)) => pairs.push((name.clone(), value.clone())),
                (_, Value::Many(items)) => {
                    pairs.extend(items.iter().map(|(at, item)| (format!("{name}[{at}]"), item.clone())));
                }
            }
        }
        match pairs.iter_mut().find(|(name, _)| name == "page") {
            Some((_, old)) => *old = page.to_string(),
            None => pairs.push(("page".to_owned(), page.to_string())),
        }
        pairs
            .iter()
            .map(|(name, value)| format!("{}={}", php_url_encode(name), php_url_encode(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// Encodes as PHP's `urlencode`: a blank is `+`, and `~` is encoded.
fn php_url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A parameter that a route declares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arg {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a parameter must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Between(i64, i64),
    AtLeast(i64),
    Whole,
    Enum(&'static [&'static str]),
    EnumList(&'static [&'static str]),
    Date,
    Flag,
    Ids,
    Text,
}

pub(super) const fn arg(name: &'static str, kind: Kind) -> Arg {
    Arg { name, kind }
}

/// Checks the parameters of a request against those that its route declares, all at once.
pub(super) fn check(params: &Params, args: &[Arg]) -> Result<(), ApiError> {
    let mut bad = Vec::new();
    for arg in args {
        let name = arg.name;
        let Some((_, value)) = params.0.iter().find(|(known, _)| known == name) else { continue };
        match (arg.kind, value) {
            (Kind::Ids, _) => {
                let items = params.list(name).unwrap_or_default();
                if let Some(at) = items.iter().position(|item| item.parse::<i64>().is_err()) {
                    bad.push(BadParam::wrong_type(name, &format!("{name}[{at}]"), "integer"));
                }
            }
            (Kind::EnumList(values), _) => {
                let items = params.list(name).unwrap_or_default();
                if let Some(at) = items.iter().position(|item| !values.contains(&item.as_str())) {
                    let mut wrong = BadParam::not_in_enum(&format!("{name}[{at}]"), values);
                    name.clone_into(&mut wrong.name);
                    bad.push(wrong);
                }
            }
            (kind, Value::Many(_)) => bad.push(BadParam::wrong_type(name, name, type_name(kind))),
            (kind, Value::One(value)) => bad.extend(check_one(name, kind, value)),
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(invalid_params(&bad)) }
}

fn check_one(name: &str, kind: Kind, value: &str) -> Option<BadParam> {
    match kind {
        Kind::Between(..) | Kind::AtLeast(_) | Kind::Whole => match (value.trim().parse::<i64>(), kind) {
            (Err(_), _) => Some(BadParam::wrong_type(name, name, "integer")),
            (Ok(number), Kind::Between(least, most)) if !(least..=most).contains(&number) => {
                Some(BadParam::out_of_bounds(
                    name,
                    format!("{name} must be between {least} (inclusive) and {most} (inclusive)"),
                ))
            }
            (Ok(number), Kind::AtLeast(least)) if number < least => Some(BadParam::out_of_bounds(
                name,
                format!("{name} must be greater than or equal to {least}"),
            )),
            (Ok(_), _) => None,
        },
        Kind::Enum(values) => (!values.contains(&value)).then(|| BadParam::not_in_enum(name, values)),
        Kind::Date => WpDate::parse(value).is_none().then(|| BadParam::bad_date(name)),
        Kind::Flag => (!matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "1" | "0" | ""))
            .then(|| BadParam::wrong_type(name, name, "boolean")),
        Kind::Ids | Kind::EnumList(_) | Kind::Text => None,
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Between(..) | Kind::AtLeast(_) | Kind::Whole => "integer",
        Kind::Flag => "boolean",
        Kind::Ids | Kind::EnumList(_) => "array",
        Kind::Enum(_) | Kind::Date | Kind::Text => "string",
    }
}

/// A date of a parameter: a civil time, with or without a zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct WpDate {
    civil: i64,
    zone: Option<i64>,
}

impl WpDate {
    /// Reads `YYYY-MM-DDTHH:MM:SS`, with an optional fraction, and `Z` or an offset.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let civil = text.get(..19)?.replace([' ', 't'], "T");
        let civil = Timestamp::parse_utc_civil(&civil).ok()?.unix_seconds();
        let mut rest = text.get(19..)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let zone = match rest {
            "" => None,
            "Z" | "z" => Some(0),
            _ => {
                let sign = if rest.starts_with('-') { -1 } else { 1 };
                // A plus sign that was not encoded arrives as a blank.
                let digits = rest.strip_prefix(['+', '-', ' '])?;
                let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
                Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
            }
        };
        Some(Self { civil, zone })
    }

    /// The moment, in seconds of UTC, that a stored time is compared with.
    ///
    /// The documented trap: with `dates_are_gmt` a date that names its zone is first turned to local time,
    /// and then compared as if that were UTC.
    pub(super) fn compared_at(self, dates_are_gmt: bool, site_offset: i64) -> i64 {
        match (self.zone, dates_are_gmt) {
            (Some(zone), false) => self.civil - zone,
            (Some(zone), true) => self.civil - zone + site_offset,
            (None, false) => self.civil - site_offset,
            (None, true) => self.civil,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_read_as_php_reads_them() {
        let params = Params::parse("include[]=1&include[]=2&a[0]=x&b=1&b=2");
        assert_eq!(params.ids("include"), [1, 2]);
        assert_eq!(params.get("b"), Some("2"));
        let flat: Vec<_> = params.flat().into_iter().map(|(name, _)| name).collect();
        assert_eq!(flat, ["include[0]", "include[1]", "a[0]", "b"]);
    }

    #[test]
    fn the_date_trap_is_the_documented_one() {
        let utc = |text: &str, gmt| WpDate::parse(text).unwrap().compared_at(gmt, -5 * 3600);
        let right = Timestamp::parse_utc_civil("2026-11-22T17:20:24").unwrap().unix_seconds();
        assert_eq!(utc("2026-11-22T17:20:24", true), right);
        assert_eq!(utc("2026-11-22T17:20:24Z", false), right);
        assert_eq!(utc("2026-11-22T12:20:24", false), right);
        assert_eq!(utc("2026-11-22T17:20:24Z", true), right - 5 * 3600);
        assert_eq!(
            WpDate::parse("2026-11-22T17:20:24+00:00").unwrap().compared_at(true, 9 * 3600),
            right + 9 * 3600
        );
        assert!(WpDate::parse("yesterday").is_none());
    }
}
