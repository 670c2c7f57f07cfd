//! One record put together from its lines, wherever they stood.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::issue::{LineFault, LineIssues};
use super::lines::{Kind, Level, Said};
use super::scan::{Scanner, small};
use crate::connector::{Branch, Joints};
use crate::model::{PartKind, RawPart};

/// A line below a record.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where in the file it is.
    pub(super) offset: u64,
    line: Bytes,
}

impl Piece {
    pub(super) fn new(offset: u64, line: Bytes) -> Self {
        Self { offset, line }
    }
}

/// A child with what stands below it.
struct Child {
    offset: u64,
    line: Bytes,
    branch: &'static Branch,
    /// For each list below it, the lines that belong there.
    lists: Vec<Vec<Bytes>>,
}

/// The body of a page that is put together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    body: Vec<u8>,
    parts: Vec<RawPart>,
}

impl Assembly {
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    pub(super) fn end(self) -> (Bytes, Vec<RawPart>) {
        (self.body.into(), self.parts)
    }

    /// Adds a record and its pieces, which are in the order of the file.
    pub(super) fn add(
        &mut self,
        root: &[u8],
        root_id: &[u8],
        pieces: Vec<Piece>,
        joints: &'static Joints,
        scanner: &mut Scanner,
        issues: &mut LineIssues,
    ) {
        let mut children: Vec<Child> = Vec::with_capacity(pieces.len());
        let mut by_id: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut seen: HashSet<(u64, u64)> = HashSet::with_capacity(pieces.len());
        let mut below = Vec::new();
        for Piece { offset, line } in pieces {
            let (id, parent) = match scanner.reader.read(&line) {
                Some(Said { id: Some(id), parent: Some(parent) }) => (id, parent),
                Some(_) | None => {
                    issues.add(LineFault::Unreadable, offset, None);
                    continue;
                }
            };
            if !seen.insert((scanner.hash(&parent), scanner.hash(&id))) {
                issues.add(LineFault::Duplicate, offset, Some(&id));
                continue;
            }
            if *parent != *root_id {
                below.push((offset, line.clone(), id.into_owned(), parent.into_owned()));
                continue;
            }
            let branch = match scanner.kinds.of(&id, Level::BelowRoot) {
                Kind::Child(child) => joints.branches.get(usize::from(child)),
                Kind::Root | Kind::Grandchild(..) | Kind::Unknown => None,
            };
            let Some(branch) = branch else {
                issues.add(LineFault::Unplaced, offset, Some(&id));
                continue;
            };
            if !branch.below.is_empty() {
                by_id.insert(id.into_owned(), children.len());
            }
            let lists = branch.below.iter().map(|_| Vec::new()).collect();
            children.push(Child { offset, line: line.clone(), branch, lists });
        }
        for (offset, line, id, parent) in below {
            // What hashes alike is not the same: the parent is compared letter by letter here.
            let child = by_id.get(&parent).and_then(|at| children.get_mut(*at));
            let Some(child) = child else {
                issues.add(LineFault::Orphan, offset, Some(&id));
                continue;
            };
            let marked = |branch: &Branch| memchr::memmem::find(&id, branch.marker.as_bytes()).is_some();
            let at = child.branch.below.iter().position(marked);
            match at.and_then(|at| child.lists.get_mut(at)) {
                Some(list) => list.push(line),
                None => issues.add(LineFault::Unplaced, offset, Some(&id)),
            }
        }
        self.put(root, PartKind::Record);
        for child in &children {
            self.put_child(child, issues);
        }
    }

    fn put(&mut self, line: &[u8], kind: PartKind) {
        let start = small(self.body.len());
        self.body.extend_from_slice(line);
        self.parts.push(RawPart::new(start..small(self.body.len()), kind));
        self.body.push(b'\n');
    }

    /// Writes a child with its own lists in it, as a page that is read in one answer has them.
    fn put_child(&mut self, child: &Child, issues: &mut LineIssues) {
        let kind = PartKind::Element(child.branch.place);
        if child.lists.is_empty() {
            self.put(&child.line, kind);
            return;
        }
        // It has an id, so there is a member before the one that is added.
        let Some(open) = child.line.strip_suffix(b"}") else {
            issues.add(LineFault::Unreadable, child.offset, None);
            return;
        };
        let start = small(self.body.len());
        self.body.extend_from_slice(open);
        for (branch, lines) in child.branch.below.iter().zip(&child.lists) {
            let keys: Vec<&str> = branch.place.split('/').filter(|key| !key.is_empty()).collect();
            for (depth, key) in keys.iter().enumerate() {
                self.body.extend_from_slice(if depth == 0 { b",\"" } else { b"{\"" });
                self.body.extend_from_slice(key.as_bytes());
                self.body.extend_from_slice(b"\":");
            }
            self.body.push(b'[');
            for (at, line) in lines.iter().enumerate() {
                if at > 0 {
                    self.body.push(b',');
                }
                self.body.extend_from_slice(line);
            }
            self.body.push(b']');
            self.body.extend(keys.iter().skip(1).map(|_| b'}'));
        }
        self.body.push(b'}');
        self.parts.push(RawPart::new(start..small(self.body.len()), kind));
        self.body.push(b'\n');
    }
}
