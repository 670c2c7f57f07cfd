//! Cells, their values, and the base tokens that say what a text was made from.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use twox_hash::XxHash3_128;

use super::{RecordRef, Text};

/// The name of a canonical field, such as `title` or `seo.description`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldName(Cow<'static, str>);

impl FieldName {
    /// Names a field; the canonical ones are listed in [`crate::mapping::fields`].
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for FieldName {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place where a platform keeps one value: holder, field, key of a list, locale and scope.
///
/// The write log, base tokens, claims and undo are all keyed by it (together with the store).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// The record that holds the value.
    pub holder: RecordRef,
    /// The field.
    pub field: FieldName,
    /// The key within a list field; none for a field of one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// The language (BCP 47), where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Text>,
    /// The view or channel, where the store has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
}

impl Cell {
    /// The cell of a field of one value, in a store of one locale and scope.
    #[must_use]
    pub fn new(holder: RecordRef, field: FieldName) -> Self {
        Self { holder, field, key: None, locale: None, scope: None }
    }

    /// The same field's cell for one key of a list.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Text>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// One line of text that names the cell within its store; equal cells give equal lines.
    #[must_use]
    pub fn to_key(&self) -> String {
        let part = |text: Option<&Text>| text.map_or(Value::Null, |text| Value::from(text.as_str()));
        let parts = [
            Value::from(self.holder.kind.as_str()),
            Value::from(self.holder.id.as_str()),
            Value::from(self.field.as_str()),
            part(self.key.as_ref()),
            part(self.locale.as_ref()),
            part(self.scope.as_ref()),
        ];
        Value::from(parts.to_vec()).to_string()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.holder, self.field)?;
        if let Some(key) = &self.key {
            write!(f, "[{key}]")?;
        }
        Ok(())
    }
}

/// What a cell can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// It has a value of its own.
    Value,
    /// It has the empty text.
    Empty,
    /// It is not there.
    Absent,
    /// It shows the value of another language or view.
    Inherited,
}

impl CellState {
    const fn letter(self) -> char {
        match self {
            Self::Value => 'v',
            Self::Empty => 'e',
            Self::Absent => 'a',
            Self::Inherited => 'i',
        }
    }
}

/// A cell's state with its value, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "value")]
pub enum CellValue {
    /// A value of its own.
    Value(Value),
    /// The empty text.
    Empty,
    /// Nothing.
    Absent,
    /// The value of another language or view, shown here.
    Inherited(Value),
}

impl CellValue {
    /// A text: the empty one is [`CellValue::Empty`].
    #[must_use]
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Value(Value::from(text)) }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> CellState {
        match self {
            Self::Value(_) => CellState::Value,
            Self::Empty => CellState::Empty,
            Self::Absent => CellState::Absent,
            Self::Inherited(_) => CellState::Inherited,
        }
    }

    /// The text of the cell's own value; the empty text for an empty cell.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Value(value) => value.as_str(),
            Self::Empty => Some(""),
            Self::Absent | Self::Inherited(_) => None,
        }
    }

    /// What a reader sees there: a value that is shown from another language or view counts as the cell's own.
    #[must_use]
    pub fn shown(&self) -> Self {
        match self {
            Self::Inherited(Value::String(text)) => Self::text(text),
            Self::Inherited(value) => Self::Value(value.clone()),
            own => own.clone(),
        }
    }

    /// The value under a normaliser: two cells are equal when these are.
    #[must_use]
    pub fn normalised(&self, normaliser: Normaliser) -> Self {
        match self {
            Self::Value(Value::String(text)) => Self::text(&normaliser.apply(text)),
            Self::Value(Value::Array(values)) if normaliser == Normaliser::Values1 => {
                let mut texts: Vec<&str> = values.iter().filter_map(Value::as_str).map(str::trim).collect();
                texts.sort_unstable();
                texts.dedup();
                if texts.is_empty() { Self::Empty } else { Self::Value(Value::from(texts)) }
            }
            Self::Inherited(Value::String(text)) => {
                Self::Inherited(Value::from(normaliser.apply(text).into_owned()))
            }
            Self::Value(_) | Self::Inherited(_) | Self::Empty | Self::Absent => self.clone(),
        }
    }

    /// Whether both are equal under the normaliser.
    #[must_use]
    pub fn same(&self, other: &Self, normaliser: Normaliser) -> bool {
        self.normalised(normaliser) == other.normalised(normaliser)
    }

    /// The base token of this value.
    #[must_use]
    pub fn token(&self, normaliser: Normaliser) -> BaseToken {
        let digest = match self {
            Self::Value(Value::String(text)) => return TokenDigest::of_text(text, normaliser).into(),
            Self::Inherited(Value::String(text)) => digest(normaliser.apply(text).as_bytes()),
            Self::Value(_) => match self.normalised(normaliser) {
                Self::Value(value) => digest(value.to_string().as_bytes()),
                empty => return TokenDigest { normaliser, state: empty.state(), digest: digest(b"") }.into(),
            },
            Self::Inherited(value) => digest(value.to_string().as_bytes()),
            Self::Empty | Self::Absent => digest(b""),
        };
        TokenDigest { normaliser, state: self.state(), digest }.into()
    }
}

/// How the values of a field are compared, by name and version. Old versions stay in the code.
///
/// Each is a fixed point: normalising twice changes nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Normaliser {
    /// `x1`: byte for byte.
    Exact1,
    /// `t1`: blanks at both ends do not count.
    Trimmed1,
    /// `k1`: a list's key: blanks at both ends and the case of letters do not count.
    Folded1,
    /// `v1`: a list of values: blanks at their ends, their order and repetitions do not count.
    Values1,
}

impl Normaliser {
    const ALL: [Self; 4] = [Self::Exact1, Self::Trimmed1, Self::Folded1, Self::Values1];

    /// The name and version as tokens carry it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact1 => "x1",
            Self::Trimmed1 => "t1",
            Self::Folded1 => "k1",
            Self::Values1 => "v1",
        }
    }

    /// The text under this normaliser.
    #[must_use]
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Exact1 => Cow::Borrowed(text),
            Self::Trimmed1 | Self::Values1 => Cow::Borrowed(text.trim()),
            Self::Folded1 => {
                let text = text.trim();
                // Nearly all names: no letter of another case, or plain letters only.
                match text.is_ascii() {
                    true if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Borrowed(text),
                    true => Cow::Owned(text.to_ascii_lowercase()),
                    false => Cow::Owned(text.to_lowercase()),
                }
            }
        }
    }
}

/// Normaliser, state and a 128-bit digest: what a base token says. It guards against accidents, not attackers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest {
    /// How the value was normalised.
    pub normaliser: Normaliser,
    /// What the cell was.
    pub state: CellState,
    /// XXH3 of the normalised value, 128 bits.
    pub digest: u128,
}

impl TokenDigest {
    /// The digest of a text, or of the empty cell.
    #[must_use]
    pub fn of_text(text: &str, normaliser: Normaliser) -> Self {
        let normal = normaliser.apply(text);
        let state = if normal.is_empty() { CellState::Empty } else { CellState::Value };
        Self { normaliser, state, digest: digest(normal.as_bytes()) }
    }

    /// The digest of a list of values, under [`Normaliser::Values1`].
    #[must_use]
    pub fn of_values<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut values = values.map(str::trim);
        let normaliser = Normaliser::Values1;
        let Some(first) = values.next() else {
            return Self { normaliser, state: CellState::Empty, digest: digest(b"") };
        };
        let digest = match values.next() {
            None => digest_of_json(&[first]),
            Some(second) => {
                let mut values: Vec<&str> = [first, second].into_iter().chain(values).collect();
                values.sort_unstable();
                values.dedup();
                digest_of_json(&values)
            }
        };
        Self { normaliser, state: CellState::Value, digest }
    }

    /// The digest of a cell without a value.
    #[must_use]
    pub fn absent(normaliser: Normaliser) -> Self {
        Self { normaliser, state: CellState::Absent, digest: digest(b"") }
    }
}

fn digest_of_json(values: &[&str]) -> u128 {
    // Nearly every list is short, and needs no memory of its own.
    let mut short = [0; 256];
    let mut rest = &mut short[..];
    if serde_json::to_writer(&mut rest, values).is_ok() {
        let length = 256 - rest.len();
        return digest(short.get(..length).unwrap_or_default());
    }
    digest(&serde_json::to_vec(values).unwrap_or_default())
}

fn digest(bytes: &[u8]) -> u128 {
    XxHash3_128::oneshot(bytes)
}

/// An opaque token that only this crate makes: what a cell held when a record was pulled.
///
/// An enrichment copies the tokens of what it was made from and of what it expects to find. The token of
/// an absent value is a token too; it is not the same as no token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseToken(Token);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Token {
    Known(TokenDigest),
    Unreadable(Text),
}

impl BaseToken {
    /// What the token says; `None` where this version of the crate cannot read it.
    #[must_use]
    pub fn read(&self) -> Option<TokenDigest> {
        match &self.0 {
            Token::Known(digest) => Some(*digest),
            Token::Unreadable(_) => None,
        }
    }

    /// Whether the value is the one that the token was made of; `None` where the token is unreadable.
    #[must_use]
    pub fn matches(&self, value: &CellValue) -> Option<bool> {
        self.read().map(|digest| value.token(digest.normaliser) == *self)
    }
}

impl From<TokenDigest> for BaseToken {
    fn from(digest: TokenDigest) -> Self {
        Self(Token::Known(digest))
    }
}

impl FromStr for BaseToken {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(read_token(text).map_or_else(|| Token::Unreadable(text.into()), Token::Known)))
    }
}

fn read_token(text: &str) -> Option<TokenDigest> {
    let mut parts = text.split('-');
    let (name, state, hex) = (parts.next()?, parts.next()?, parts.next()?);
    let normaliser = Normaliser::ALL.into_iter().find(|normaliser| normaliser.name() == name)?;
    let state = [CellState::Value, CellState::Empty, CellState::Absent, CellState::Inherited]
        .into_iter()
        .find(|known| state.chars().eq([known.letter()]))?;
    if parts.next().is_some() || hex.len() != 32 || hex.starts_with('+') {
        return None;
    }
    Some(TokenDigest { normaliser, state, digest: u128::from_str_radix(hex, 16).ok()? })
}

impl fmt::Display for BaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Token::Known(TokenDigest { normaliser, state, digest }) => {
                write!(f, "{}-{}-{digest:032x}", normaliser.name(), state.letter())
            }
            Token::Unreadable(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for BaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseToken({self})")
    }
}

impl Serialize for BaseToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BaseToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Ok(read_token(&text).map_or_else(|| Self(Token::Unreadable(text.as_ref().into())), Self::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b1_a_token_is_read_back_and_tells_states_apart() {
        let values = [
            CellValue::text("Cap"),
            CellValue::Empty,
            CellValue::Absent,
            CellValue::Inherited(Value::from("Cap")),
        ];
        let tokens: Vec<BaseToken> = values.iter().map(|value| value.token(Normaliser::Trimmed1)).collect();
        for (at, token) in tokens.iter().enumerate() {
            let again: BaseToken = token.to_string().parse().unwrap();
            assert_eq!(again, *token);
            for (other, value) in values.iter().enumerate() {
                assert_eq!(again.matches(value), Some(at == other), "{token} against {value:?}");
            }
        }
    }

    #[test]
    fn b2_an_unreadable_token_is_kept_and_says_so() {
        for text in ["", "z9-v-00", "t1-v-zz", "t1-v-+0000000000000000000000000000001", "t1-v-0-1"] {
            let token: BaseToken = text.parse().unwrap();
            assert_eq!(token.read(), None);
            assert_eq!(token.to_string(), text);
        }
    }

    #[test]
    fn w5_every_normaliser_is_a_fixed_point() {
        for normaliser in Normaliser::ALL {
            for text in ["", " a ", "\u{130}stanbul ", "ẞ", "A\u{a0}", "x\r\n"] {
                let once = normaliser.apply(text).into_owned();
                assert_eq!(normaliser.apply(&once), once, "{normaliser:?} on {text:?}");
            }
        }
    }
}
