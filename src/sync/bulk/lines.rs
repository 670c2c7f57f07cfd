//! What a line says of itself: its id and its parent's.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2, memmem, memrchr};
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use crate::connector::{Branch, Joints};

/// How many members before the id are looked through without a parser.
const FAST_MEMBERS: usize = 4;
/// The longest id that is looked for without a parser.
const FAST_ID_BYTES: usize = 256;

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said<'l> {
    pub(super) id: Option<Cow<'l, [u8]>>,
    pub(super) parent: Option<Cow<'l, [u8]>>,
}

/// Reads ids and parents: without a parser where a line has the form that platforms write, else with one.
///
/// The quick way never says anything else than the parser would of a line that is JSON. A line that is not is
/// told by the mapping, which parses all of it.
#[derive(Debug)]
pub(super) struct LineReader {
    joints: &'static Joints,
    /// `,"parent":"`: what stands before a parent's id at the end of a line.
    before_parent: Vec<u8>,
    /// `"parent"`, wherever it stands.
    parent_key: memmem::Finder<'static>,
}

impl LineReader {
    pub(super) fn new(joints: &'static Joints) -> Self {
        let parent_key = format!("\"{}\"", joints.parent);
        Self {
            joints,
            before_parent: format!(",{parent_key}:\"").into_bytes(),
            parent_key: memmem::Finder::new(parent_key.as_bytes()).into_owned(),
        }
    }

    /// What a line says, blanks at its ends taken off; `None` where it is no object.
    pub(super) fn read<'l>(&self, line: &'l [u8]) -> Option<Said<'l>> {
        let Some(id) = self.quick_id(line) else { return self.parse(line) };
        let parent = match self.quick_parent(line) {
            Some(parent) => Some(Cow::Borrowed(parent)),
            None if self.parent_key.find(line).is_none() => None,
            None => return self.parse(line),
        };
        Some(Said { id: Some(Cow::Borrowed(id)), parent })
    }

    /// The id of a line of which only the beginning is here.
    pub(super) fn begins<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        self.quick_id(line.trim_ascii_start())
    }

    /// The id, where it is one of the first members, all of which are texts without an escape.
    fn quick_id<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        self.quick_id_before(line).map(|(id, _)| id)
    }

    /// The id found so, and how many bytes of the line stand behind its quote.
    fn quick_id_before<'l>(&self, line: &'l [u8]) -> Option<(&'l [u8], usize)> {
        let mut rest = line.strip_prefix(b"{\"")?;
        for _ in 0..FAST_MEMBERS {
            let (key, behind) = plain_text(rest)?;
            let (value, behind) = plain_text(behind.strip_prefix(b":\"")?)?;
            if key == self.joints.id.as_bytes() {
                return Some((value, behind.len()));
            }
            if key == self.joints.parent.as_bytes() {
                return None;
            }
            rest = behind.strip_prefix(b",\"")?;
        }
        None
    }

    /// The parent, where it is the last member. The quote before the key follows a comma, so it begins a text:
    /// of a line that is JSON this is a key, and the brace that ends the line is that of the line's own object.
    fn quick_parent<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        let rest = line.strip_suffix(b"\"}")?;
        let from = rest.len().saturating_sub(FAST_ID_BYTES + self.before_parent.len());
        let tail = rest.get(from..)?;
        let (before, parent) = tail.split_at_checked(memrchr(b'"', tail)? + 1)?;
        let plain = before.ends_with(&self.before_parent) && memchr(b'\\', parent).is_none();
        plain.then_some(parent)
    }

    /// How a line ends whose parent has this id; empty where that cannot be said.
    pub(super) fn end_below(&self, parent: &[u8], end: &mut Vec<u8>) {
        end.clear();
        if !parent.is_empty()
            && parent.len() < FAST_ID_BYTES
            && !parent.iter().any(|byte| matches!(byte, b'"' | b'\\'))
        {
            end.extend_from_slice(&self.before_parent);
            end.extend_from_slice(parent);
            end.extend_from_slice(b"\"}");
        }
    }

    /// What the parser says of a line.
    pub(super) fn parse<'l>(&self, line: &'l [u8]) -> Option<Said<'l>> {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let said = deserializer.deserialize_map(MembersVisitor(self.joints)).ok()?;
        deserializer.end().ok()?;
        Some(said)
    }
}

/// How children right below a root begin, up to the last slash of their ids: nearly every line begins as one before
/// it, and needs no reader then.
#[derive(Debug, Default)]
pub(super) struct Heads {
    known: Vec<Head>,
    last: usize,
}

#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    /// Where in it the id begins.
    id: usize,
    kind: Kind,
}

impl Heads {
    /// The id of a line that begins so, and what it is: what the reader's quick way would say.
    pub(super) fn find<'l>(&mut self, line: &'l [u8]) -> Option<(&'l [u8], Kind)> {
        let begins = |head: &Head| line.starts_with(&head.bytes);
        if !self.known.get(self.last).is_some_and(begins) {
            self.last = self.known.iter().position(begins)?;
        }
        let head = self.known.get(self.last)?;
        let rest = line.get(head.bytes.len()..)?;
        let end = head.bytes.len() + memchr2(b'"', b'\\', rest.get(..FAST_ID_BYTES).unwrap_or(rest))?;
        (line.get(end) == Some(&b'"')).then_some((line.get(head.id..end)?, head.kind))
    }

    /// Remembers how a line begins, where its id is one that the quick way reads.
    pub(super) fn learn(&mut self, reader: &LineReader, line: &[u8], kind: Kind) {
        if self.known.len() >= MOST_KNOWN {
            return;
        }
        let Some((id, behind)) = reader.quick_id_before(line) else { return };
        let Some(slash) = memrchr(b'/', id) else { return };
        let begins = line.len() - behind - 1 - id.len();
        let bytes = line.get(..=begins + slash).unwrap_or_default();
        // A child that stands apart comes here with a beginning that is known.
        if !self.known.iter().any(|head| head.bytes == bytes) {
            self.known.push(Head { bytes: bytes.to_owned(), id: begins, kind });
        }
    }
}

/// A text without an escape up to its closing quote, and what follows it.
fn plain_text(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let window = from.get(..FAST_ID_BYTES).unwrap_or(from);
    let end = memchr(b'"', window)?;
    let (text, rest) = from.split_at_checked(end)?;
    if memchr(b'\\', text).is_some() {
        return None;
    }
    Some((text, rest.get(1..)?))
}

struct MembersVisitor(&'static Joints);

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Said<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said<'de>, A::Error> {
        let mut said = Said { id: None, parent: None };
        while let Some(TextOf(key)) = map.next_key::<TextOf<'de>>()? {
            let place = if key == self.0.id {
                &mut said.id
            } else if key == self.0.parent {
                &mut said.parent
            } else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let text = map.next_value::<Option<IdOf<'de>>>()?;
            *place = text.map(|IdOf(text)| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            });
        }
        Ok(said)
    }
}

#[derive(serde::Deserialize)]
struct TextOf<'l>(#[serde(borrow)] Cow<'l, str>);

/// An id: a text, or a whole number, as its digits.
struct IdOf<'l>(Cow<'l, str>);

impl<'de> serde::Deserialize<'de> for IdOf<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl<'de> Visitor<'de> for IdVisitor {
            type Value = IdOf<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(IdOf(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(IdOf(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(IdOf(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

/// What an object is, told by the marker in its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    /// A branch of the root, by its place in the list.
    Child(u8),
    /// A branch of a child: its branch, and that of the child.
    Grandchild(u8, u8),
    /// It has no place.
    Unknown,
}

/// Tells kinds by markers, and remembers the last few ids' beginnings: most lines are like the one before.
#[derive(Debug)]
pub(super) struct Kinds {
    joints: &'static Joints,
    /// The beginning of an id, up to its last slash, with the level and what it was found to be.
    known: Vec<(Vec<u8>, Level, Kind)>,
}

/// What stands above an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Top,
    BelowRoot,
    /// Below a child of this branch.
    BelowChild(u8),
}

const MOST_KNOWN: usize = 16;

impl Kinds {
    pub(super) fn new(joints: &'static Joints) -> Self {
        Self { joints, known: Vec::new() }
    }

    /// What an object with this id is at this level.
    pub(super) fn of(&mut self, id: &[u8], level: Level) -> Kind {
        let beginning = memrchr(b'/', id).and_then(|at| id.get(..=at)).unwrap_or(id);
        let known = self.known.iter().find(|(of, at, _)| *at == level && of == beginning);
        if let Some((_, _, kind)) = known {
            return *kind;
        }
        let kind = self.find(beginning, level);
        if self.known.len() < MOST_KNOWN && beginning.len() < FAST_ID_BYTES {
            self.known.push((beginning.to_owned(), level, kind));
        }
        kind
    }

    fn find(&self, id: &[u8], level: Level) -> Kind {
        let branches = |branches: &[Branch]| {
            let at = branches.iter().position(|branch| has(id, branch.marker));
            at.and_then(|at| u8::try_from(at).ok())
        };
        match level {
            Level::Top if has(id, self.joints.marker) => Some(Kind::Root),
            Level::Top => None,
            Level::BelowRoot => branches(self.joints.branches).map(Kind::Child),
            Level::BelowChild(child) => {
                let below = self.joints.branches.get(usize::from(child)).map_or(&[][..], |child| child.below);
                branches(below).map(|at| Kind::Grandchild(at, child))
            }
        }
        .unwrap_or(Kind::Unknown)
    }

    /// Where an object with such a parent stands, told by the parent's id alone.
    pub(super) fn level_below(&mut self, parent: &[u8]) -> Option<Level> {
        if self.of(parent, Level::Top) == Kind::Root {
            return Some(Level::BelowRoot);
        }
        match self.of(parent, Level::BelowRoot) {
            Kind::Child(child) if self.can_be_parent(child) => Some(Level::BelowChild(child)),
            Kind::Child(_) | Kind::Root | Kind::Grandchild(..) | Kind::Unknown => None,
        }
    }

    /// Whether anything can stand below a child of this branch.
    pub(super) fn can_be_parent(&self, child: u8) -> bool {
        self.joints.branches.get(usize::from(child)).is_some_and(|branch| !branch.below.is_empty())
    }
}

fn has(id: &[u8], marker: &str) -> bool {
    memmem::find(id, marker.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    static BELOW: &[Branch] = &[Branch::new("/Note/", "/notes/nodes")];
    static BRANCHES: &[Branch] =
        &[Branch::new("/Part/", "/parts/nodes").below(BELOW), Branch::new("/Note/", "/notes/nodes")];
    static JOINTS: Joints = Joints::new("id", "__parentId", "/Item/", BRANCHES);

    fn both(line: &str) -> (Option<Said<'_>>, Option<Said<'_>>) {
        let reader = LineReader::new(&JOINTS);
        (reader.read(line.as_bytes()), reader.parse(line.as_bytes()))
    }

    #[test]
    fn the_quick_way_says_what_the_parser_says() {
        for line in [
            r#"{"id":"x/Item/1","title":"A"}"#,
            r#"{"__typename":"Item","id":"x/Item/1","title":"A"}"#,
            r#"{"id":"x/Part/1","__parentId":"x/Item/1"}"#,
            r#"{"id":"x/Part/1","title":"say \"__parentId\"","__parentId":"x/Item/1"}"#,
            r#"{"id":"x/Item/1","title":"ends with ,\"__parentId\":\"x/Item/2"}"#,
            r#"{"id":"x/Item/1","title":"ends with \\"}"#,
            r#"{"id":"x/Item/1","inner":{"a":1,"__parentId":"x/Item/2"}}"#,
            r#"{"id":"x/Item/1","inner":{"a":1,"__parentId":"x/Item/2"},"b":1}"#,
            r#"{"__parentId":"x/Item/1","id":"x/Part/1"}"#,
            r#"{"title":"A","__parentId":"x/Item/1","id":"x/Part/1","b":""}"#,
            r#"{"id":"x\/Item\/1","title":"A"}"#,
            r#"{"id":"x/Part/1","__parentId":"x\/Item\/1"}"#,
            r#"{"id":"x/Part/1","__parentId":null}"#,
            r#"{"id":7,"__parentId":8}"#,
            r#"{ "id" : "x/Part/1" , "__parentId" : "x/Item/1" }"#,
            r#"{"inner":{"id":"no"},"id":"x/Item/1"}"#,
            r#"{"list":["id","__parentId"],"id":"x/Item/1"}"#,
            r#"{"a":"","b":"","c":"","d":"","e":"","id":"x/Item/1"}"#,
            r#"{"title":"no id"}"#,
            r#"{}"#,
        ] {
            let (quick, parsed) = both(line);
            assert!(parsed.is_some(), "{line}");
            assert_eq!(quick, parsed, "{line}");
        }
        for line in [r"[1]", r#"{"title":1"#, "null", "x", "", r#"{"id":[]}"#] {
            assert_eq!(both(line), (None, None), "{line}");
        }
    }

    #[test]
    fn a_line_that_begins_as_one_before_has_the_id_that_the_parser_says() {
        let reader = LineReader::new(&JOINTS);
        let mut heads = Heads::default();
        for line in [
            r#"{"id":"x/Part/1","__parentId":"x/Item/1"}"#,
            r#"{"id":"x/Part/2","__parentId":"x/Item/2"}"#,
            r#"{"type":"x/Part/1","id":"x/Part/1","__parentId":"x/Item/1"}"#,
            r#"{"id":"no slash","__parentId":"x/Item/1"}"#,
            r#"{ "id":"x/Part/1","__parentId":"x/Item/1"}"#,
        ] {
            heads.learn(&reader, line.as_bytes(), Kind::Child(0));
        }
        assert_eq!(heads.known.len(), 2);
        for (line, id) in [
            (r#"{"id":"x/Part/2","a":1}"#, Some("x/Part/2")),
            (r#"{"id":"x/Part/","a":1}"#, Some("x/Part/")),
            (r#"{"id":"x/Part/2/y","a":1}"#, Some("x/Part/2/y")),
            (r#"{"type":"x/Part/1","id":"x/Part/34"}"#, Some("x/Part/34")),
            // The parser is asked.
            (r#"{"type":"x/Part/2","id":"x/Part/34"}"#, None),
            (r#"{"id":"x/Part/2\u0041","a":1}"#, None),
            (r#"{"id":"x/Part/2\"","a":1}"#, None),
            (r#"{"id":"x/Other/2","a":1}"#, None),
            (r#"{"id":"x/Part/2"#, None),
            ("", None),
        ] {
            let found = heads.find(line.as_bytes());
            assert_eq!(found, id.map(|id| (id.as_bytes(), Kind::Child(0))), "{line}");
            if let Some(id) = id {
                assert_eq!(reader.parse(line.as_bytes()).unwrap().id.unwrap(), id.as_bytes(), "{line}");
            }
        }
        let mut end = Vec::new();
        reader.end_below(b"x/Item/1", &mut end);
        assert!(br#"{"id":"x/Part/1","__parentId":"x/Item/1"}"#.ends_with(&end));
        for odd in [&b""[..], b"a\"b", b"a\\b", &[b'a'; 300]] {
            reader.end_below(odd, &mut end);
            assert!(end.is_empty());
        }
    }

    #[test]
    fn kinds_are_told_by_markers_and_levels() {
        let mut kinds = Kinds::new(&JOINTS);
        for _ in 0..2 {
            assert_eq!(kinds.of(b"x/Item/1", Level::Top), Kind::Root);
            assert_eq!(kinds.of(b"x/Part/1", Level::Top), Kind::Unknown);
            assert_eq!(kinds.of(b"x/Part/1", Level::BelowRoot), Kind::Child(0));
            assert_eq!(kinds.of(b"x/Note/1", Level::BelowRoot), Kind::Child(1));
            assert_eq!(kinds.of(b"x/Note/1", Level::BelowChild(0)), Kind::Grandchild(0, 0));
            assert_eq!(kinds.of(b"x/Note/1", Level::BelowChild(1)), Kind::Unknown);
            assert_eq!(kinds.level_below(b"x/Item/1"), Some(Level::BelowRoot));
            assert_eq!(kinds.level_below(b"x/Part/1"), Some(Level::BelowChild(0)));
            assert_eq!(kinds.level_below(b"x/Note/1"), None);
        }
    }
}
