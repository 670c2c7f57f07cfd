//! One line a field: where it is on the wire, what it is called here, and how one becomes the other.

use std::borrow::Cow;

use crate::model::{MassUnit, Normaliser};

/// A rule of a map: a place on the wire, a canonical field, and the way between them.
///
/// A place is a path of keys. `*` stands for each element of an array, and `*[key=name]` for the element
/// whose `key` is `name`: `/meta_data/*[key=_seo_title]/value`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Where the value is on the wire.
    pub from: Cow<'static, str>,
    /// The canonical field, one of [`super::fields`].
    pub field: Cow<'static, str>,
    /// How the wire's value becomes the canonical one.
    pub transform: Transform,
    /// Whether the field can be written there, too.
    pub direction: Direction,
    /// Where several rules fill one field: the one with the highest rank wins, whatever their order on the wire.
    pub rank: u8,
}

impl Rule {
    /// The same rule with another rank (default 0).
    #[must_use]
    pub const fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// Writes a rule: `rule("/name", "title", Transform::EscapedText, Direction::ReadWrite)`.
#[must_use]
pub const fn rule(
    from: &'static str,
    field: &'static str,
    transform: Transform,
    direction: Direction,
) -> Rule {
    Rule { from: Cow::Borrowed(from), field: Cow::Borrowed(field), transform, direction, rank: 0 }
}

/// The same rules, with these fields only read.
#[must_use]
pub fn read_only(rules: &[Rule], fields: &[&str]) -> Vec<Rule> {
    let mut rules = rules.to_vec();
    for rule in rules.iter_mut().filter(|rule| fields.contains(&&*rule.field)) {
        rule.direction = Direction::Read;
    }
    rules
}

/// Whether a field is only read, or written as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It is only read.
    Read,
    /// It is read and written.
    ReadWrite,
}

/// How the wire's value becomes the canonical one, and back where there is a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transform {
    /// Text, byte for byte.
    Text,
    /// Text, byte for byte, where the empty text means that there is none.
    OptionalText,
    /// Plain text that the platform keeps with `&`, `<` and `>` as HTML entities.
    EscapedText,
    /// HTML, byte for byte.
    Html,
    /// HTML, byte for byte, where the empty text means that there is none.
    OptionalHtml,
    /// An id: text or a whole number.
    Id,
    /// An id, where 0 and the empty text say that there is none.
    OptionalId,
    /// The last part of an id that is written as a path, without its query: `7` of `app://shop/Thing/7?x=1`. The
    /// way back is the connector's.
    LastSegment,
    /// A truth value.
    Bool,
    /// True where there is anything but `null`.
    Present,
    /// A decimal, as text or as a number; the empty text means that there is none.
    Decimal,
    /// A decimal in the store's currency.
    Money,
    /// An object of a decimal and its currency, by their keys.
    MoneyWith {
        /// The key of the decimal.
        amount: &'static str,
        /// The key of the currency's code.
        currency: &'static str,
    },
    /// A decimal in the store's unit of mass.
    Mass,
    /// An object of a decimal and its unit of mass, by their keys, with the platform's words for the units.
    MassWith {
        /// The key of the decimal.
        value: &'static str,
        /// The key of the unit.
        unit: &'static str,
        /// The platform's words.
        words: &'static [(&'static str, MassUnit)],
    },
    /// A decimal in the store's unit of length.
    Length,
    /// A date and time without a zone, in UTC.
    UtcTime,
    /// A date and time as SQL writes it, `2026-11-22 17:08:40`, in UTC.
    SqlTime,
    /// A date and time with its offset, as RFC 3339 has it.
    Rfc3339,
    /// A day, such as `2026-11-22` or `20261122`.
    Day,
    /// Several values in one text that is a JSON array of texts, numbers and truth values; any other text is one
    /// value. Such a spelling is kept whole. Where the type of the values stands before them on the wire and does not begin with this word,
    /// the text is one value whatever it looks like.
    JsonList(&'static str),
    /// One text that is the only value of a list.
    OnlyValue,
    /// The names of a list of terms in one text, parted by commas. Each keeps its spelling, blanks included, so that
    /// the spellings of all make the text again.
    CommaList,
    /// A word of the platform, with the canonical word for it. A truth value reads as `true` or `false`.
    Word(&'static [(&'static str, &'static str)]),
}

impl Transform {
    /// How values of such a field are compared.
    #[must_use]
    pub const fn normaliser(self) -> Normaliser {
        match self {
            Self::EscapedText => Normaliser::Trimmed1,
            _ => Normaliser::Exact1,
        }
    }

    /// Whether the text is HTML.
    #[must_use]
    pub const fn is_html(self) -> bool {
        matches!(self, Self::Html | Self::OptionalHtml)
    }

    /// The spelling on the wire of a canonical text; `None` where there is no way back.
    #[must_use]
    pub fn spell(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Text | Self::OptionalText | Self::Html | Self::OptionalHtml | Self::Id => {
                Some(Cow::Borrowed(text))
            }
            Self::EscapedText => Some(super::entities::escape(text)),
            _ => None,
        }
    }
}
