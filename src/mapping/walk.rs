//! One pass over the bytes of a response: every key is looked up in the tree, and what no rule names is
//! skipped without being built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::canon::{self, Canon, Fault};
use super::compile::{MAX_ARRAYS, MAX_CONTESTS, NodeId, ROOT, Target, Tree};
use crate::model::{Record, StoreProfile, Text};

/// The most issues that are kept of one record; more are counted by the record's rejection all the same.
const MAX_ISSUES: usize = 32;

/// Something in a record that could not be read: where, and why; never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapIssue {
    /// The place on the wire, such as `/images/3/alt`.
    pub path: String,
    /// The stable code.
    pub code: &'static str,
}

impl fmt::Display for MapIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.code)
    }
}

/// A record while it is being filled.
#[derive(Debug)]
pub(super) struct Out<'m> {
    pub(super) tree: &'m Tree,
    pub(super) profile: &'m StoreProfile,
    pub(super) record: Record,
    pub(super) issues: Vec<MapIssue>,
    /// The platform's spelling of fields whose canonical text does not lead back to it.
    pub(super) raws: Vec<(&'static str, Text)>,
    /// The nodes where something could not be read, each once.
    pub(super) unread: Vec<NodeId>,
    /// Where the walk stands in the arrays around it; the first `depth` count.
    indexes: [usize; MAX_ARRAYS],
    depth: usize,
    ranks: [Option<u8>; MAX_CONTESTS],
}

impl<'m> Out<'m> {
    pub(super) fn new(tree: &'m Tree, profile: &'m StoreProfile, record: Record) -> Self {
        Self {
            tree,
            profile,
            record,
            issues: Vec::new(),
            raws: Vec::new(),
            unread: Vec::new(),
            indexes: [0; MAX_ARRAYS],
            depth: 0,
            ranks: [None; MAX_CONTESTS],
        }
    }

    #[cold]
    fn issue(&mut self, at: NodeId, code: Fault) {
        if !self.unread.contains(&at) {
            self.unread.push(at);
        }
        if self.issues.len() < MAX_ISSUES {
            let path = self.path(at);
            self.issues.push(MapIssue { path, code });
        }
    }

    /// Marks a key of an object as seen; one that comes twice is told, and the last one counts.
    #[inline]
    fn seen_once(&mut self, seen: &mut u64, number: usize, child: NodeId) {
        let bit = 1_u64 << (number % 64);
        if *seen & bit != 0 {
            self.issue(child, "key_occurs_twice");
        }
        *seen |= bit;
    }

    fn path(&self, at: NodeId) -> String {
        let pattern = self.tree.nodes.get(usize::from(at)).map_or("", |node| &node.pattern);
        let mut indexes = self.indexes.iter().take(self.depth);
        let mut path = String::new();
        for part in pattern.split('/').skip(1) {
            path.push('/');
            match indexes.next_if(part == "*") {
                Some(index) => path.push_str(&index.to_string()),
                None => path.push_str(part),
            }
        }
        path
    }

    fn put(&mut self, at: NodeId, target: Target, value: Result<Canon<'_>, Fault>) {
        let value = match value {
            Ok(value) => value,
            Err(fault) => return self.issue(at, fault),
        };
        if let Some((contest, rank)) = target.contest
            && let Some(best) = self.ranks.get_mut(contest)
        {
            if best.is_some_and(|best| best > rank) {
                return;
            }
            *best = Some(rank);
        }
        if !self.raws.is_empty() {
            // A spelling of the value that this one replaces.
            self.raws.retain(|(field, _)| *field != target.field);
        }
        if let Canon::Text { raw: Some(raw), .. } = &value
            && !target.field.contains('[')
        {
            self.raws.push((target.field, raw.clone()));
        }
        if !(target.put)(&mut self.record, value) {
            self.issue(at, "not_accepted");
        }
    }
}

trait NextIf<T> {
    fn next_if(&mut self, condition: bool) -> Option<T>;
}

impl<T, I: Iterator<Item = T>> NextIf<T> for I {
    fn next_if(&mut self, condition: bool) -> Option<T> {
        if condition { self.next() } else { None }
    }
}

/// Reads one record.
pub(super) struct RecordSeed<'o, 'm>(pub(super) &'o mut Out<'m>);

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        Walk { out: self.0, at: ROOT }.deserialize(deserializer)
    }
}

struct Walk<'o, 'm> {
    out: &'o mut Out<'m>,
    at: NodeId,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Some(node) = self.out.tree.nodes.get(usize::from(self.at)) else {
            return IgnoredAny.visit_unit().map(drop);
        };
        match node.target {
            Some(target) if target.transform.is_decimal() => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                let value = decimal(target, raw.get(), self.out.profile);
                self.out.put(self.at, target, value);
                Ok(())
            }
            Some(target) if target.transform.is_object() => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                self.out.put(self.at, target, canon::from_object(target.transform, raw.get()));
                Ok(())
            }
            Some(target) => deserializer.deserialize_any(Leaf { out: self.out, at: self.at, target }),
            None => deserializer.deserialize_any(self),
        }
    }
}

fn decimal(target: Target, raw: &str, profile: &StoreProfile) -> Result<Canon<'static>, Fault> {
    match raw.as_bytes().first() {
        // Nearly all: a text without escapes.
        Some(b'"') if !raw.contains('\\') => {
            let text = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            canon::from_decimal(target.transform, text, profile)
        }
        Some(b'"') => {
            let text: Cow<'_, str> = serde_json::from_str(raw).map_err(|_| "not_a_decimal")?;
            canon::from_decimal(target.transform, &text, profile)
        }
        Some(b'-' | b'0'..=b'9') => canon::from_decimal(target.transform, raw, profile),
        Some(b'n' | b'f') => Ok(Canon::Null),
        Some(b'[') if raw.bytes().all(|byte| matches!(byte, b'[' | b']') || byte.is_ascii_whitespace()) => {
            Ok(Canon::Null)
        }
        _ => Err("not_a_decimal"),
    }
}

/// A key of an object: its number among the mapped ones and its node, or nothing.
struct KeySeed<'m>(&'m super::compile::Keys);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<(usize, NodeId)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<(usize, NodeId)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(key))
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let tree = self.out.tree;
        let Some(node) = tree.nodes.get(usize::from(self.at)) else { return Ok(()) };
        if let Some(list) = node.list {
            (list.def.begin)(&mut self.out.record);
            if list.single {
                (list.def.open)(&mut self.out.record);
            } else {
                self.out.issue(self.at, "not_a_list");
            }
        }
        let mut seen = 0_u64;
        while let Some(found) = map.next_key_seed(KeySeed(&node.keys))? {
            match found {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some((number, child)) => {
                    self.out.seen_once(&mut seen, number, child);
                    map.next_value_seed(Walk { out: self.out, at: child })?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let tree = self.out.tree;
        let Some(node) = tree.nodes.get(usize::from(self.at)) else { return Ok(()) };
        let list = node.list.filter(|list| !list.single);
        if let Some(list) = node.list {
            (list.def.begin)(&mut self.out.record);
        }
        match (node.each, &node.select) {
            (Some(each), _) => {
                let depth = self.out.depth;
                self.out.depth += 1;
                if let Some(index) = self.out.indexes.get_mut(depth) {
                    *index = 0;
                }
                while sequence
                    .next_element_seed(Element {
                        out: self.out,
                        at: each,
                        open: list.map(|list| list.def.open),
                    })?
                    .is_some()
                {
                    if let Some(index) = self.out.indexes.get_mut(depth) {
                        *index += 1;
                    }
                }
                self.out.depth = depth;
            }
            (None, Some(_)) => {
                let mut found = 0;
                while sequence
                    .next_element_seed(Selected { out: self.out, at: self.at, found: &mut found })?
                    .is_some()
                {}
            }
            // PHP writes an empty object as an empty array.
            (None, None) => {
                let mut empty = true;
                while sequence.next_element::<IgnoredAny>()?.is_some() {
                    empty = false;
                }
                if !empty {
                    self.out.issue(self.at, "not_an_object");
                }
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        let node = self.out.tree.nodes.get(usize::from(self.at));
        if let Some(list) = node.and_then(|node| node.list) {
            (list.def.begin)(&mut self.out.record);
        }
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        if truth {
            self.out.issue(self.at, "not_an_object");
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.out.issue(self.at, "not_an_object");
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.out.issue(self.at, "not_an_object");
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.out.issue(self.at, "not_an_object");
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.out.issue(self.at, "not_an_object");
        Ok(())
    }
}

/// An element of an array: its list gets an entry for it first.
struct Element<'o, 'm> {
    out: &'o mut Out<'m>,
    at: NodeId,
    open: Option<fn(&mut Record)>,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if let Some(open) = self.open {
            open(&mut self.out.record);
        }
        Walk { out: self.out, at: self.at }.deserialize(deserializer)
    }
}

/// An element that is told from its siblings by a key; what stands before the key is held as it is.
struct Selected<'o, 'm, 'f> {
    out: &'o mut Out<'m>,
    at: NodeId,
    found: &'f mut u64,
}

impl<'de> DeserializeSeed<'de> for Selected<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A key of such an element: the one that selects, or another in its own spelling.
enum SelectKey<'de> {
    Selector,
    Other(Cow<'de, str>),
}

struct SelectKeySeed<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for SelectKeySeed<'_> {
    type Value = SelectKey<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for SelectKeySeed<'_> {
    type Value = SelectKey<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(if key == self.0 { SelectKey::Selector } else { SelectKey::Other(Cow::Borrowed(key)) })
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(if key == self.0 { SelectKey::Selector } else { SelectKey::Other(Cow::Owned(key.to_owned())) })
    }
}

/// The selecting value: which branch it names.
struct BranchSeed<'m>(&'m [(String, NodeId)]);

impl<'de> DeserializeSeed<'de> for BranchSeed<'_> {
    type Value = Option<(usize, NodeId)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BranchSeed<'_> {
    type Value = Option<(usize, NodeId)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().enumerate().find(|(_, (known, _))| known == name).map(|(at, (_, node))| (at, *node)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de> Visitor<'de> for Selected<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let tree = self.out.tree;
        let node = tree.nodes.get(usize::from(self.at));
        let Some(select) = node.and_then(|node| node.select.as_ref()) else { return Ok(()) };
        let mut held: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        let mut chosen: Option<Option<NodeId>> = None;
        let mut seen = 0_u64;
        while let Some(key) = map.next_key_seed(SelectKeySeed(&select.key))? {
            match (key, chosen) {
                // Which element it is cannot be told.
                (SelectKey::Selector, Some(_)) => {
                    map.next_value::<IgnoredAny>()?;
                    self.out.issue(self.at, "key_occurs_twice");
                    chosen = Some(None);
                    held.clear();
                }
                (SelectKey::Selector, None) => {
                    let branch = map.next_value_seed(BranchSeed(&select.branches))?;
                    chosen = Some(
                        branch
                            .map(|(number, node)| {
                                // Which of two entries counts is the platform's business: the first one, here.
                                let bit = 1_u64 << (number % 64);
                                if *self.found & bit != 0 {
                                    self.out.issue(node, "entry_occurs_twice");
                                    return None;
                                }
                                *self.found |= bit;
                                Some(node)
                            })
                            .unwrap_or_default(),
                    );
                }
                (SelectKey::Other(_), Some(None)) => {
                    map.next_value::<IgnoredAny>()?;
                }
                (SelectKey::Other(key), Some(Some(branch))) => {
                    let child = tree.nodes.get(usize::from(branch)).and_then(|node| node.keys.find(&key));
                    match child {
                        Some((number, child)) => {
                            self.out.seen_once(&mut seen, number, child);
                            map.next_value_seed(Walk { out: self.out, at: child })?;
                        }
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                (SelectKey::Other(key), None) => held.push((key, map.next_value()?)),
            }
        }
        let Some(Some(branch)) = chosen else { return Ok(()) };
        for (key, raw) in held {
            let child = tree.nodes.get(usize::from(branch)).and_then(|node| node.keys.find(&key));
            if let Some((number, child)) = child {
                self.out.seen_once(&mut seen, number, child);
                let mut inner = serde_json::Deserializer::from_str(raw.get());
                Walk { out: self.out, at: child }
                    .deserialize(&mut inner)
                    .map_err(|_| A::Error::custom("unreadable"))?;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// One value for one field.
struct Leaf<'o, 'm> {
    out: &'o mut Out<'m>,
    at: NodeId,
    target: Target,
}

impl Leaf<'_, '_> {
    fn put(self, value: Result<Canon<'_>, Fault>) {
        self.out.put(self.at, self.target, value);
    }
}

impl<'de> Visitor<'de> for Leaf<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        let value = canon::from_text(self.target.transform, Cow::Borrowed(text), self.out.profile);
        self.put(value);
        Ok(())
    }

    /// A text with escapes: only such a one can hold a NUL, which PostgreSQL keeps none of and no platform shows.
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let value = if text.contains('\0') {
            Err("has_nul")
        } else {
            canon::from_text(self.target.transform, Cow::Borrowed(text), self.out.profile)
        };
        self.put(value);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        let value = canon::from_integer(self.target.transform, number, self.out.profile);
        self.put(value);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        let value = canon::from_integer(self.target.transform, number, self.out.profile);
        self.put(value);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.put(Err("not_a_whole_number"));
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        let value = canon::from_bool(self.target.transform, truth);
        self.put(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(Ok(Canon::Null));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let mut empty = true;
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            empty = false;
        }
        self.put(if empty { Ok(Canon::Null) } else { Err("not_one_value") });
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut empty = true;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            empty = false;
        }
        self.put(if empty { Ok(Canon::Null) } else { Err("not_one_value") });
        Ok(())
    }
}
