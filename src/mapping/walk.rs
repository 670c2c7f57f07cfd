//! One pass over the bytes of a response: every key is looked up in the tree, and what no rule names is
//! skipped without being built.

use std::borrow::Cow;
use std::fmt;

use super::Given;
use super::canon::{self, Canon, Fault};
use super::compile::{List, MAX_ARRAYS, MAX_CONTESTS, Node, NodeId, ROOT, Target, Tree};
use super::json::{Broken, Json};
use super::rule::Transform;
use crate::model::{Record, Text};

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
    pub(super) given: Given<'m>,
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
    /// The lists that were begun, a bit each.
    begun: u64,
    /// How many elements parts have added to a list.
    added: Vec<(NodeId, usize)>,
}

impl<'m> Out<'m> {
    pub(super) fn new(tree: &'m Tree, given: Given<'m>, record: Record) -> Self {
        Self {
            tree,
            given,
            record,
            issues: Vec::new(),
            raws: Vec::new(),
            unread: Vec::new(),
            indexes: [0; MAX_ARRAYS],
            depth: 0,
            ranks: [None; MAX_CONTESTS],
            begun: 0,
            added: Vec::new(),
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

    /// Marks a key of an object as seen; one that comes twice is told. Whether its value is read: the last one
    /// counts, but in a list that several places feed it could not take the place of the first.
    #[inline]
    fn is_read(&mut self, seen: &mut u64, number: usize, child: NodeId) -> bool {
        let bit = 1_u64 << (number % 64);
        let is_twice = *seen & bit != 0;
        *seen |= bit;
        if is_twice {
            self.issue(child, "key_occurs_twice");
        }
        !is_twice || !self.tree.node(child).list.is_some_and(|list| list.is_shared)
    }

    fn path(&self, at: NodeId) -> String {
        let pattern = &self.tree.node(at).pattern;
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

    fn put_read(&mut self, at: NodeId, target: Target, value: &mut Result<Canon<'_>, Fault>) {
        match value {
            Ok(value) => self.put(at, target, value),
            Err(fault) => self.issue(at, fault),
        }
    }

    fn put(&mut self, at: NodeId, target: Target, value: &mut Canon<'_>) {
        // A text that says that there is none takes no other rule's place.
        let is_none = matches!(value, Canon::Null) && target.transform == Transform::OptionalText;
        if let Some((contest, rank)) = target.contest
            && let Some(best) = self.ranks.get_mut(contest)
        {
            if is_none && best.is_some() {
                return;
            }
            if best.is_some_and(|best| best > rank) {
                return;
            }
            if !is_none {
                *best = Some(rank);
            }
        }
        if !self.raws.is_empty() {
            // A spelling of the value that this one replaces.
            self.raws.retain(|(field, _)| *field != target.field);
        }
        if let Canon::Text { raw: Some(raw), .. } = value
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

type Walked = Result<(), Broken>;

/// The walk itself. A wrong shape is an issue; only what is no JSON breaks it off.
impl Out<'_> {
    /// Reads one record; whether it was `null`.
    pub(super) fn record(&mut self, json: &mut Json<'_>) -> Result<bool, Broken> {
        let is_null = json.peek() == b'n';
        self.walk(json, ROOT)?;
        Ok(is_null)
    }

    /// Reads a part: one element of the list at a place, or with `several` an array of them.
    pub(super) fn part(&mut self, json: &mut Json<'_>, at: NodeId, several: bool) -> Walked {
        let tree = self.tree;
        let node = tree.node(at);
        self.begin_once(at);
        let within = self.depth;
        // The arrays around the list: which of their elements the part belongs to is not told.
        self.depth = node.depth;
        let place = self.added.iter().position(|(list, _)| *list == at).unwrap_or_else(|| {
            self.added.push((at, 0));
            self.added.len() - 1
        });
        let first = self.added.get(place).map_or(0, |(_, count)| *count);
        let count = match (several, json.peek()) {
            (false, _) => {
                self.enter(first);
                self.one_of(json, node, at, &mut 0)?;
                first + 1
            }
            (true, b'[') => self.elements(json, at, first)?,
            (true, b'n') => {
                json.word("null")?;
                first
            }
            (true, _) => {
                self.issue(at, "not_a_list");
                json.skip()?;
                first
            }
        };
        if let Some((_, added)) = self.added.get_mut(place) {
            *added = count;
        }
        self.depth = within;
        Ok(())
    }

    /// Begins the list at a node, where it was not begun by this record before.
    pub(super) fn begin_once(&mut self, at: NodeId) {
        if let Some(list) = self.tree.node(at).list
            && list.bit != 0
            && self.begun & list.bit == 0
        {
            self.begin(List { is_shared: false, ..list });
        }
    }

    #[inline]
    fn begin(&mut self, list: List) {
        if !list.is_shared || self.begun & list.bit == 0 {
            (list.def.begin)(&mut self.record);
        }
        self.begun |= list.bit;
    }

    fn walk(&mut self, json: &mut Json<'_>, at: NodeId) -> Walked {
        let tree = self.tree;
        let node = tree.node(at);
        if let Some(target) = node.target {
            if let Some(list) = node.list {
                self.begin(list);
                let is_none = json.begins_with(b"\"\"")
                    || json.begins_with(b"null")
                    || (target.transform == Transform::OptionalId && is_zero(json));
                if is_none {
                    return json.skip();
                }
                (list.def.open)(&mut self.record);
            }
            return self.leaf(json, at, target);
        }
        match json.peek() {
            b'{' => self.object(json, node, at),
            b'[' => self.list(json, node, at),
            b'n' => {
                json.word("null")?;
                if let Some(list) = node.list {
                    self.begin(list);
                }
                Ok(())
            }
            // PHP says so that there is none.
            b'f' => json.word("false"),
            _ => {
                json.skip()?;
                self.issue(at, "not_an_object");
                Ok(())
            }
        }
    }

    fn object(&mut self, json: &mut Json<'_>, node: &Node, at: NodeId) -> Walked {
        if let Some(list) = node.list {
            self.begin(list);
            if list.single {
                (list.def.open)(&mut self.record);
            } else {
                self.issue(at, "not_a_list");
            }
        }
        if node.select.is_some() {
            // Which of its values a selector would take cannot be told; none is read, and none counts as absent.
            self.issue(at, "not_a_list");
            return json.skip();
        }
        self.pairs(json, node, at)
    }

    /// Reads the pairs of the object that begins here.
    fn pairs(&mut self, json: &mut Json<'_>, node: &Node, at: NodeId) -> Walked {
        let (mut seen, mut turn) = (0_u64, 0);
        let mut more = json.open(b'}')?;
        while more {
            match json.known_key(at, &mut turn, |key| node.keys.find(key))? {
                Some((number, child)) if self.is_read(&mut seen, number, child) => self.walk(json, child)?,
                _ => json.skip()?,
            }
            more = json.more(b'}')?;
        }
        Ok(())
    }

    fn list(&mut self, json: &mut Json<'_>, node: &Node, at: NodeId) -> Walked {
        if let Some(list) = node.list {
            self.begin(list);
        }
        if node.each.is_some() || node.select.is_some() {
            let depth = self.depth;
            self.elements(json, at, 0)?;
            self.depth = depth;
            return Ok(());
        }
        // PHP writes an empty object as an empty array.
        if !is_empty(json.raw()?) {
            self.issue(at, "not_an_object");
        }
        Ok(())
    }

    /// Says which element of an array it is that is read now.
    #[inline]
    fn enter(&mut self, index: usize) {
        if let Some(place) = self.indexes.get_mut(self.depth) {
            *place = index;
        }
        self.depth += 1;
    }

    /// Reads the elements of the array that begins here, of which the first one has that number; the number of the
    /// next one.
    fn elements(&mut self, json: &mut Json<'_>, at: NodeId, first: usize) -> Result<usize, Broken> {
        let tree = self.tree;
        let node = tree.node(at);
        let depth = self.depth;
        let (mut index, mut found) = (first, 0_u64);
        let mut more = json.open(b']')?;
        while more {
            self.depth = depth;
            self.enter(index);
            self.one_of(json, node, at, &mut found)?;
            index += 1;
            more = json.more(b']')?;
        }
        self.depth = depth;
        Ok(index)
    }

    /// Reads one element of the array at a node: its list gets an entry for it first. `null` and `false` are none.
    fn one_of(&mut self, json: &mut Json<'_>, node: &Node, at: NodeId, found: &mut u64) -> Walked {
        let Some(each) = node.each else { return self.selected(json, node, at, found) };
        match json.peek() {
            b'n' => json.word("null"),
            b'f' if self.tree.node(each).target.is_none() => json.word("false"),
            _ => {
                if let Some(list) = node.list.filter(|list| !list.single) {
                    (list.def.open)(&mut self.record);
                }
                self.walk(json, each)
            }
        }
    }

    /// Reads an element that is told from its siblings by a key: first for that key, then for what is asked of it.
    fn selected(&mut self, json: &mut Json<'_>, node: &Node, at: NodeId, found: &mut u64) -> Walked {
        let Some(select) = node.select.as_ref().filter(|_| json.peek() == b'{') else { return json.skip() };
        let start = json.at();
        let (mut branch, mut times, mut turn) = (None, 0, 0);
        let mut more = json.open(b'}')?;
        while more {
            let is_selector =
                json.known_key(select.turns, &mut turn, |key| (key == select.key).then_some((0, 0)))?;
            if is_selector.is_none() {
                json.skip()?;
            } else {
                times += 1;
                if json.peek() == b'"' {
                    let name = json.text()?.text;
                    branch = select.branches.iter().enumerate().find(|(_, (known, _))| *known == name);
                } else {
                    json.skip()?;
                }
            }
            more = json.more(b'}')?;
        }
        if times > 1 {
            // Which element it is cannot be told.
            self.issue(at, "key_occurs_twice");
            return Ok(());
        }
        let Some((number, (_, branch))) = branch else { return Ok(()) };
        // Which of two entries counts is the platform's business: the first one, here.
        let bit = 1_u64 << (number % 64);
        if *found & bit != 0 {
            self.issue(*branch, "entry_occurs_twice");
            return Ok(());
        }
        *found |= bit;
        json.back_to(start);
        self.pairs(json, self.tree.node(*branch), *branch)
    }

    /// Reads one value for one field.
    fn leaf(&mut self, json: &mut Json<'_>, at: NodeId, target: Target) -> Walked {
        let transform = target.transform;
        let first = json.peek();
        // Most values: one way for them alone moves none of them about.
        if first == b'"'
            && let Some(text) = json.plain_text()
        {
            let mut value = canon::from_text(transform, Cow::Borrowed(text), self.given.profile);
            self.put_read(at, target, &mut value);
            return Ok(());
        }
        let mut value = match first {
            b'"' => {
                let read = json.text()?;
                // PostgreSQL keeps no NUL, and no platform shows one.
                if read.has_nul {
                    Err("has_nul")
                } else {
                    canon::from_text(transform, read.text, self.given.profile)
                }
            }
            b'n' => {
                json.word("null")?;
                Ok(if transform == Transform::CommaList { Canon::Names(Vec::new()) } else { Canon::Null })
            }
            b't' => {
                json.word("true")?;
                canon::from_bool(transform, true)
            }
            b'f' => {
                json.word("false")?;
                canon::from_bool(transform, false)
            }
            b'{' | b'[' => {
                let raw = json.raw()?;
                canon::from_container(transform, raw, is_empty(raw))
            }
            _ => canon::from_number(transform, json.number()?, self.given.profile),
        };
        self.put_read(at, target, &mut value);
        Ok(())
    }
}

/// Whether the value that begins here is the number 0, or its text.
fn is_zero(json: &mut Json<'_>) -> bool {
    let is_other = |json: &mut Json<'_>| [b"0.", b"0e", b"0E"].iter().any(|start| json.begins_with(*start));
    json.begins_with(b"\"0\"") || (json.begins_with(b"0") && !is_other(json))
}

/// Whether an array or object in its raw spelling has nothing.
fn is_empty(raw: &str) -> bool {
    raw.bytes()
        .skip(1)
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b']' | b'}'))
}
