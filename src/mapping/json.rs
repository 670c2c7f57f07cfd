//! A reader of JSON that goes forward over a text, and passes over what nobody asks for without building it.
//!
//! The text is UTF-8 already. What is read is checked to the letter. What is passed over is checked as far as its
//! structure goes: brackets, commas, colons, numbers and words; within its texts only where they end.

use std::borrow::Cow;

/// The text is no JSON at the place where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

type Result<T> = std::result::Result<T, Broken>;

/// What a key was found to be: its number, and what stands for it.
pub(super) type Found = Option<(usize, u16)>;

/// The most keys of a kind of object whose turn is remembered.
const MAX_TURNS: usize = 256;

/// A place in a JSON text.
#[derive(Debug)]
pub(super) struct Json<'a> {
    text: &'a str,
    at: usize,
    /// The keys of each kind of object in the order that they came in, with their quotes and colons.
    turns: Vec<Vec<(&'a str, Found)>>,
    /// Where texts with escapes are put together.
    scratch: Vec<u8>,
}

/// A text as it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read<'a> {
    pub(super) text: Cow<'a, str>,
    /// Whether an escape in it spells a NUL; without escapes JSON can have none.
    pub(super) has_nul: bool,
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;

/// A word with the top bit set of the bytes that are zero; above the lowest of them it may be wrong.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & TOPS
}

#[inline]
const fn are(word: u64, byte: u8) -> u64 {
    zeros(word ^ (ONES * byte as u64))
}

#[inline]
const fn are_control(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & TOPS
}

/// Bytes that a text cannot hold as they are.
#[inline]
const fn are_special(word: u64) -> u64 {
    are_control(word) | are(word, b'"') | are(word, b'\\')
}

/// The first byte from `at` on that `found` marks in a word of eight; the length where there is none.
#[inline]
fn first(bytes: &[u8], mut at: usize, found: impl Fn(u64) -> u64) -> usize {
    let end = bytes.len();
    while at < end {
        // Eight times the last bytes each, where no word is left: the lowest mark is right.
        let (word, step) = match bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(chunk) => (u64::from_le_bytes(*chunk), 8),
            None => (ONES * u64::from(bytes.get(at).copied().unwrap_or(0)), 1),
        };
        let marks = found(word);
        if marks != 0 {
            return (at + (marks.trailing_zeros() / 8) as usize).min(end);
        }
        at += step;
    }
    end
}

/// The quote that ends the text which begins at `start`.
#[inline]
fn end_of_text(bytes: &[u8], start: usize) -> Result<usize> {
    let mut at = start;
    loop {
        at = first(bytes, at, |word| are(word, b'"'));
        if bytes.get(at) != Some(&b'"') {
            return Err(Broken);
        }
        // An odd number of backslashes before a quote: it belongs to the text.
        let before = bytes.get(start..at).unwrap_or_default();
        if before.last() != Some(&b'\\')
            || before.iter().rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
        {
            return Ok(at);
        }
        at += 1;
    }
}

/// Whether bytes begin with others that are few: as two words that may overlap, where they fit.
#[inline]
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    #[inline]
    fn are_equal<const WORD: usize>(one: &[u8], other: &[u8]) -> bool {
        one.first_chunk::<WORD>() == other.first_chunk() && one.last_chunk::<WORD>() == other.last_chunk()
    }
    let Some(here) = bytes.get(..with.len()) else { return false };
    match with.len() {
        4..8 => are_equal::<4>(here, with),
        8..16 => are_equal::<8>(here, with),
        16..=32 => are_equal::<16>(here, with),
        _ => here == with,
    }
}

/// Where a byte comes first; none where it does not come.
pub(super) fn find(text: &str, byte: u8) -> Option<usize> {
    Some(first(text.as_bytes(), 0, |word| are(word, byte))).filter(|at| *at < text.len())
}

impl<'a> Json<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, turns: Vec::new(), scratch: Vec::new() }
    }

    /// Goes to a piece of this text, and ends with it; whether there is such a piece.
    pub(super) fn go_to(&mut self, whole: &'a str, start: usize, end: usize) -> bool {
        let piece = whole.get(..end).filter(|piece| piece.is_char_boundary(start));
        self.text = piece.unwrap_or_default();
        self.at = start.min(self.text.len());
        piece.is_some()
    }

    /// Where it stands, in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place where it stood.
    pub(super) const fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The byte here; 0 at the end, which is no byte of JSON outside of texts.
    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes over blanks; the byte that comes then, 0 at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        loop {
            let byte = self.byte();
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Whether nothing but blanks is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek();
        self.at >= self.text.len()
    }

    /// Whether the value that begins here begins so.
    pub(super) fn begins_with(&mut self, start: &[u8]) -> bool {
        self.peek();
        self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(start))
    }

    /// Steps into the array or object that begins here; whether it has anything.
    #[inline]
    pub(super) fn open(&mut self, close: u8) -> Result<bool> {
        self.at += 1;
        let is_empty = self.peek() == close;
        self.at += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Steps behind a value of an array or object; whether another one comes.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool> {
        let byte = self.peek();
        self.at += 1;
        match byte {
            b',' => Ok(true),
            byte if byte == close => Ok(false),
            _ => self.broken(),
        }
    }

    /// Reads a key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Read<'a>> {
        if self.peek() != b'"' {
            return Err(Broken);
        }
        let key = self.text()?;
        self.colon()?;
        Ok(key)
    }

    /// Reads a key and its colon, and looks the key up. Objects of one kind nearly always have the same keys in the
    /// same order: then a key is known by its turn, and neither read nor looked up.
    #[inline]
    pub(super) fn known_key(
        &mut self,
        kind: u16,
        turn: &mut usize,
        find: impl FnOnce(&str) -> Found,
    ) -> Result<Found> {
        if self.peek() != b'"' {
            return Err(Broken);
        }
        if let Some(turns) = self.turns.get(usize::from(kind)) {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let is_here = |(spelled, _): &&(&str, Found)| begins(rest, spelled.as_bytes());
            // One key may have been left out.
            let known = match turns.get(*turn).filter(is_here) {
                None => {
                    *turn += 1;
                    turns.get(*turn).filter(is_here)
                }
                known => known,
            };
            if let Some((spelled, found)) = known {
                self.at += spelled.len();
                *turn += 1;
                return Ok(*found);
            }
            *turn -= 1;
        }
        self.new_key(kind, turn, find)
    }

    fn new_key(&mut self, kind: u16, turn: &mut usize, find: impl FnOnce(&str) -> Found) -> Result<Found> {
        let start = self.at;
        let found = find(&self.key()?.text);
        let spelled = self.text.get(start..self.at).ok_or(Broken)?;
        let kind = usize::from(kind);
        if self.turns.len() <= kind {
            self.turns.resize_with(kind + 1, Vec::new);
        }
        if let Some(turns) =
            self.turns.get_mut(kind).filter(|turns| turns.len() == *turn && *turn < MAX_TURNS)
        {
            turns.push((spelled, found));
            *turn += 1;
        }
        Ok(found)
    }

    #[inline]
    fn colon(&mut self) -> Result<()> {
        if self.peek() != b':' {
            return Err(Broken);
        }
        self.at += 1;
        Ok(())
    }

    #[cold]
    fn broken<T>(&mut self) -> Result<T> {
        self.at = self.at.saturating_sub(1);
        Err(Broken)
    }

    /// Reads the text that begins here, where it stands as it reads; else stays where it is.
    #[inline]
    pub(super) fn plain_text(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let end = first(bytes, start, are_special);
        if bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// Reads the text that begins here.
    #[inline]
    pub(super) fn text(&mut self) -> Result<Read<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let end = first(bytes, start, are_special);
        match bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                let text = self.text.get(start..end).ok_or(Broken)?;
                Ok(Read { text: Cow::Borrowed(text), has_nul: false })
            }
            Some(b'\\') => self.escaped(start, end),
            _ => Err(Broken),
        }
    }

    /// Reads a text whose first escape stands at `at`: eight bytes at a time are taken over, and those behind the
    /// next escape or the end given back.
    fn escaped(&mut self, start: usize, mut at: usize) -> Result<Read<'a>> {
        let bytes = self.text.as_bytes();
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.extend_from_slice(bytes.get(start..at).unwrap_or_default());
        let mut has_nul = false;
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    at += escape(bytes.get(at + 1..).unwrap_or_default(), &mut text, &mut has_nul)?
                }
                _ => return Err(Broken),
            }
            loop {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(chunk) = rest.first_chunk::<8>() else {
                    let plain = first(rest, 0, are_special);
                    text.extend_from_slice(rest.get(..plain).unwrap_or_default());
                    at += plain;
                    break;
                };
                text.extend_from_slice(chunk);
                let marks = are_special(u64::from_le_bytes(*chunk));
                if marks != 0 {
                    let plain = (marks.trailing_zeros() / 8) as usize;
                    text.truncate(text.len() + plain - 8);
                    at += plain;
                    break;
                }
                at += 8;
            }
        }
        self.at = at + 1;
        let read = simdutf8::basic::from_utf8(&text).map(str::to_owned).map_err(|_| Broken)?;
        self.scratch = text;
        Ok(Read { text: Cow::Owned(read), has_nul })
    }

    #[inline]
    fn skip_text(&mut self) -> Result<()> {
        self.at = end_of_text(self.text.as_bytes(), self.at + 1)? + 1;
        Ok(())
    }

    /// Reads the number that begins here, as it is written.
    pub(super) fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        self.text.get(start..self.at).ok_or(Broken)
    }

    /// At least one.
    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Broken) }
    }

    /// Reads one of the three words of JSON.
    #[inline]
    pub(super) fn word(&mut self, word: &'static str) -> Result<()> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(Broken);
        }
        self.at = end;
        Ok(())
    }

    /// Reads the value that begins here as it is written, unread.
    pub(super) fn raw(&mut self) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        self.text.get(start..self.at).ok_or(Broken)
    }

    /// Passes over the value that begins here.
    #[inline]
    pub(super) fn skip(&mut self) -> Result<()> {
        match self.peek() {
            b'"' => self.skip_text(),
            b'{' | b'[' => self.skip_nested(),
            _ => self.skip_plain(),
        }
    }

    #[inline]
    fn skip_plain(&mut self) -> Result<()> {
        match self.byte() {
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            _ => Err(Broken),
        }
    }

    fn skip_key(&mut self) -> Result<()> {
        if self.peek() != b'"' {
            return Err(Broken);
        }
        self.skip_text()?;
        self.colon()
    }

    /// Passes over an array or object, however deep, without recursion.
    fn skip_nested(&mut self) -> Result<()> {
        let mut around = Around::default();
        loop {
            match self.peek() {
                b'"' => self.skip_text()?,
                b'{' => {
                    if self.open(b'}')? {
                        self.skip_key()?;
                        around.push(true);
                        continue;
                    }
                }
                b'[' => {
                    if self.open(b']')? {
                        around.push(false);
                        continue;
                    }
                }
                _ => self.skip_plain()?,
            }
            loop {
                let Some(is_object) = around.last() else { return Ok(()) };
                if self.more(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.skip_key()?;
                    }
                    break;
                }
                around.pop();
            }
        }
    }
}

/// Takes the escape behind a backslash over; how many bytes the two took.
#[inline]
fn escape(bytes: &[u8], text: &mut Vec<u8>, has_nul: &mut bool) -> Result<usize> {
    let byte = match bytes.first() {
        Some(byte @ (b'/' | b'"' | b'\\')) => *byte,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'u') => {
            // Nearly every one is a sign of ASCII.
            if let [_, b'0', b'0', high, low, ..] = bytes
                && let (high @ 0..8, low @ 0..16) = (digit(*high), digit(*low))
                && high | low != 0
            {
                text.push(high << 4 | low);
                return Ok(6);
            }
            let (character, length) = hex_escape(bytes.get(1..).unwrap_or_default())?;
            *has_nul |= character == '\0';
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(2 + length);
        }
        _ => return Err(Broken),
    };
    text.push(byte);
    Ok(2)
}

/// The character of four hexadecimal digits, or of two such escapes that are a pair of surrogates, and how many
/// bytes it took.
fn hex_escape(bytes: &[u8]) -> Result<(char, usize)> {
    let first = hex(bytes)?;
    if !matches!(first, 0xd800..=0xdbff) {
        // One of the lower surrogates alone is no character.
        return Ok((char::from_u32(first).ok_or(Broken)?, 4));
    }
    let low = bytes.get(4..).and_then(|rest| rest.strip_prefix(b"\\u")).ok_or(Broken)?;
    match hex(low)? {
        low @ 0xdc00..=0xdfff => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            Ok((char::from_u32(code).ok_or(Broken)?, 10))
        }
        _ => Err(Broken),
    }
}

fn hex(bytes: &[u8]) -> Result<u32> {
    let digits = bytes.first_chunk::<4>().ok_or(Broken)?;
    let [a, b, c, d] = digits.map(|byte| u32::from(digit(byte)));
    if a | b | c | d > 0xf { Err(Broken) } else { Ok(a << 12 | b << 8 | c << 4 | d) }
}

/// The value of a hexadecimal digit; of another byte, [`NO_HEX`].
#[inline]
fn digit(byte: u8) -> u8 {
    HEX.get(usize::from(byte)).copied().unwrap_or(NO_HEX)
}

const NO_HEX: u8 = 0x80;

/// The values of hexadecimal digits.
const HEX: [u8; 256] = {
    let mut table = [NO_HEX; 256];
    let mut value = 0_u8;
    while value < 16 {
        let digit = if value < 10 { b'0' + value } else { b'a' - 10 + value };
        #[expect(clippy::indexing_slicing, reason = "of a constant, when it is compiled")]
        {
            table[digit as usize] = value;
            table[digit.to_ascii_uppercase() as usize] = value;
        }
        value += 1;
    }
    table
};

/// The arrays and objects around a place, innermost last: a bit each, set of objects.
#[derive(Default)]
struct Around {
    depth: usize,
    /// The innermost, the last one lowest.
    bits: u64,
    /// The others, by 64.
    outer: Vec<u64>,
}

impl Around {
    #[inline]
    fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    #[inline]
    fn last(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Reads a whole text to the letter.
    fn read(text: &str) -> Result<Value> {
        let mut json = Json::new(text);
        let value = value(&mut json)?;
        if json.is_at_end() { Ok(value) } else { Err(Broken) }
    }

    fn value(json: &mut Json<'_>) -> Result<Value> {
        Ok(match json.peek() {
            b'"' => json.text()?.text.into(),
            b'{' => {
                let mut object = serde_json::Map::new();
                let mut more = json.open(b'}')?;
                while more {
                    let key = json.key()?.text.into_owned();
                    object.insert(key, value(json)?);
                    more = json.more(b'}')?;
                }
                object.into()
            }
            b'[' => {
                let mut list = Vec::new();
                let mut more = json.open(b']')?;
                while more {
                    list.push(value(json)?);
                    more = json.more(b']')?;
                }
                list.into()
            }
            b'-' | b'0'..=b'9' => serde_json::from_str(json.number()?).map_err(|_| Broken)?,
            b't' => json.word("true").map(|()| true.into())?,
            b'f' => json.word("false").map(|()| false.into())?,
            _ => json.word("null").map(|()| Value::Null)?,
        })
    }

    fn skipped(text: &str) -> Result<()> {
        let mut json = Json::new(text);
        json.skip()?;
        if json.is_at_end() { Ok(()) } else { Err(Broken) }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), r#"[\\\\"/a-z\n\u{0}é💡]{0,40}"#];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::hash_map(text.clone(), inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(0x6a73),
            cases: 2_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// What another reader of JSON takes is taken, and reads the same; blanks or none.
        #[test]
        fn json_reads_as_another_reader_reads_it(json in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
            let text = text.unwrap();
            prop_assert_eq!(read(&text).ok(), serde_json::from_str(&text).ok());
            prop_assert_eq!(skipped(&text), Ok(()));
        }

        /// Changed at one place, cut or doubled: what is read to the letter is taken by both or by none, and what
        /// is passed over is refused by none that the other takes.
        #[test]
        fn broken_json_is_told_as_another_reader_tells_it(
            json in any_json(),
            at in any::<proptest::sample::Index>(),
            sign in prop_oneof![Just('"'), Just('\\'), Just('{'), Just(']'), Just(','), Just('0'), any::<char>()],
            change in 0..4,
        ) {
            let text = serde_json::to_string(&json).unwrap();
            let mut characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            match change {
                0 => characters[at] = sign,
                1 => characters.truncate(at),
                2 => drop(characters.remove(at)),
                _ => characters.insert(at, sign),
            }
            let text: String = characters.into_iter().collect();
            let known = serde_json::from_str::<Value>(&text).map_err(|_| Broken);
            prop_assert_eq!(&read(&text), &known, "{}", text);
            if known.is_ok() {
                prop_assert_eq!(skipped(&text), Ok(()), "{}", text);
            }
        }
    }

    #[test]
    fn what_is_passed_over_has_the_structure_of_json() {
        for text in [
            "",
            " ",
            "[",
            "{",
            "\"",
            "\"\\\"",
            "[1",
            "[1,",
            "[1,]",
            "[1 2]",
            "[,1]",
            "]",
            "{]",
            "[}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{1:1}",
            "[\"a\":1]",
            "nul",
            "truex",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "--1",
            "[tru]",
            "[1e+]",
            "1 1",
            "\u{0}",
            "[\u{c}1]",
            "{\"a\":1}}",
        ] {
            assert_eq!(skipped(text), Err(Broken), "{text:?}");
            assert_eq!(read(text), Err(Broken), "{text:?}");
        }
        for text in
            ["{}", "[ ]", " [1 , {\"a\\\"\" : [ ] } ]\n", "-0.5E-7", r#""\\""#, r#""\\\"""#, "\"\u{1}\""]
        {
            assert_eq!(skipped(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_known_by_its_turn_and_never_taken_for_another() {
        let find = |key: &str| key.parse().ok().map(|number: usize| (number, 0));
        let mut json = Json::new("");
        let mut read = |text: &'static str, kind: u16| {
            assert!(json.go_to(text, 0, text.len()));
            let (mut found, mut turn) = (Vec::new(), 0);
            let mut more = json.open(b'}')?;
            while more {
                found.push(json.known_key(kind, &mut turn, find)?.map(|(number, _)| number));
                json.skip()?;
                more = json.more(b'}')?;
            }
            Ok(found)
        };
        for _ in 0..2 {
            assert_eq!(read(r#"{"1":0,"x":0,"12":0,"3" :0}"#, 7), Ok(vec![Some(1), None, Some(12), Some(3)]));
            for (text, keys) in [
                (r#"{"x":0,"12":0}"#, vec![None, Some(12)]),
                (r#"{"12":0,"1":0,"3" :0,"x":0}"#, vec![Some(12), Some(1), Some(3), None]),
                (r#"{"1":0,"1":0,"123":0,"1\u0032":0}"#, vec![Some(1), Some(1), Some(123), Some(12)]),
                (r#"{"1" :0,"x":0,"12":0,"3":0,"4":0}"#, vec![Some(1), None, Some(12), Some(3), Some(4)]),
                ("{}", vec![]),
            ] {
                assert_eq!(read(text, 7), Ok(keys), "{text}");
            }
            assert_eq!(read(r#"{"5":0}"#, 9), Ok(vec![Some(5)]));
        }
        for text in [r#"{"1":}"#, r#"{"1"}"#, r#"{"1":0,}"#, r#"{"1\ud800":0}"#, r#"{1:0}"#, r#"{"1"#] {
            assert_eq!(read(text, 7), Err(Broken), "{text}");
        }
    }

    #[test]
    fn nesting_is_followed_to_any_depth() {
        for depth in [1, 63, 64, 65, 128, 129, 50_000] {
            let signs: Vec<bool> = (0..depth).map(|at| at % 3 == 0).collect();
            let open: String =
                signs.iter().map(|is_object| if *is_object { "{\"k\":" } else { "[" }).collect();
            let close: String =
                signs.iter().rev().map(|is_object| if *is_object { "}" } else { "]" }).collect();
            assert_eq!(skipped(&format!("{open}1{close}")), Ok(()), "{depth}");
            let odd: String = close.chars().rev().collect();
            if odd != close {
                assert_eq!(skipped(&format!("{open}1{odd}")), Err(Broken), "{depth}");
            }
        }
    }

    #[test]
    fn escapes_read_as_their_characters_or_not_at_all() {
        fn read(text: &str) -> Result<Read<'_>> {
            Json::new(text).text()
        }
        let fine = read(r#""a\u00e9\/\"\\\n\ud83d\udca1\b\f\r\t z""#).unwrap();
        assert_eq!(fine.text, "aé/\"\\\n💡\u{8}\u{c}\r\t z");
        assert!(!fine.has_nul);
        assert!(read(r#""a\u0000b""#).unwrap().has_nul);
        for text in [
            r#""\x""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            r#""\ud83dx""#,
            "\"a\nb\"",
            "\"long enough for a word \u{1f} of eight\"",
            r#""\"#,
            r#""\u00"#,
        ] {
            assert_eq!(read(text), Err(Broken), "{text}");
        }
    }
}
