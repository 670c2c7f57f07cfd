//! The first pass over a file: what it holds, and where the children belong that stand far from their parents.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::issue::{LineFault, LineIssues};
use super::join::JoinSettings;
use super::lines::Level;
use super::scan::{Block, Loose, Scanner};
use super::spill::{Sorted, Sorter, default_directory};
use crate::connector::Joints;
use crate::error::Result;
use crate::sync::Cancel;

/// Of children without a way to a record, how many are looked through for a circle.
const MOST_LOST: usize = 4096;

/// How much a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FileCounts {
    /// Its objects: one a line.
    pub objects: u64,
    /// Those that are records.
    pub roots: u64,
    /// Its length.
    pub bytes: u64,
    /// Whether its last line ends with a newline, as each line should. An empty file has no line.
    pub ends_with_newline: bool,
}

/// A file that was looked through.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) counts: FileCounts,
    pub(super) issues: LineIssues,
    /// The children that are not in the window of their root: root's position, offset, length.
    pub(super) stragglers: Sorted<3>,
    pub(super) straggling: u64,
}

impl Index {
    /// Looks through the whole file. It blocks.
    pub(super) fn build(
        file: &Arc<File>,
        joints: &'static Joints,
        settings: &JoinSettings,
        cancel: &Cancel,
    ) -> Result<Self> {
        let mut pass = Pass::run(file, joints, settings, false, cancel)?;
        if pass.below_nodes.count() > 0 {
            // The parents of grandchildren are only noted where one stands apart.
            pass = Pass::run(file, joints, settings, true, cancel)?;
        }
        pass.resolve()
    }
}

struct Pass {
    directory: PathBuf,
    bytes: usize,
    counts: FileCounts,
    issues: LineIssues,
    /// Hash, position, offset.
    roots: Sorter<3>,
    /// Hash, root's position.
    nodes: Sorter<2>,
    /// Parent's hash, own hash, offset, length: those below a root, and those below a child.
    below_roots: Sorter<4>,
    below_nodes: Sorter<4>,
    scanner: Scanner,
}

impl Pass {
    fn run(
        file: &Arc<File>,
        joints: &'static Joints,
        settings: &JoinSettings,
        with_nodes: bool,
        cancel: &Cancel,
    ) -> Result<Self> {
        let directory = settings.directory.clone().unwrap_or_else(default_directory);
        let bytes = settings.sort_bytes;
        let mut pass = Self {
            roots: Sorter::new(&directory, bytes),
            nodes: Sorter::new(&directory, bytes),
            below_roots: Sorter::new(&directory, bytes),
            below_nodes: Sorter::new(&directory, bytes),
            directory,
            bytes,
            counts: FileCounts::default(),
            issues: LineIssues::default(),
            scanner: Scanner::new(Arc::clone(file), joints, settings),
        };
        while let Some(block) = pass.scanner.next(with_nodes)? {
            if cancel.is_cancelled() {
                return Err(cancel.error());
            }
            pass.take(&block)?;
            pass.scanner.give_back(block);
        }
        pass.counts.bytes = file.metadata().map_err(super::spill::failed)?.len();
        pass.counts.ends_with_newline = pass.scanner.ends_with_newline;
        Ok(pass)
    }

    fn take(&mut self, block: &Block) -> Result<()> {
        self.counts.objects += block.objects;
        self.counts.roots += block.roots.len() as u64;
        for ((hash, start), position) in block.roots.iter().zip(block.first_root..) {
            self.roots.push([*hash, position, block.offset + u64::from(*start)])?;
        }
        for (hash, root) in &block.nodes {
            self.nodes.push([*hash, block.first_root + u64::from(*root)])?;
        }
        for Loose { offset, bytes, level, parent, own } in &block.loose {
            let entry = [*parent, *own, *offset, u64::from(*bytes)];
            match level {
                Level::Top | Level::BelowRoot => self.below_roots.push(entry)?,
                Level::BelowChild(_) => self.below_nodes.push(entry)?,
            }
        }
        for (fault, offset, id) in &block.faults {
            self.issues.add(*fault, *offset, id.as_deref());
        }
        Ok(())
    }

    /// Finds the root of each child that stands apart, by merging what is sorted by the same hash.
    fn resolve(self) -> Result<Index> {
        let Self { directory, bytes, counts, mut issues, roots, mut nodes, below_roots, below_nodes, .. } =
            self;
        let mut found = Sorter::<3>::new(&directory, bytes);
        let mut lost = Vec::new();
        let has_grandchildren = below_nodes.count() > 0;

        let mut roots = roots.sorted()?;
        let mut children = below_roots.sorted()?;
        let mut before = None;
        while let Some([hash, position, offset]) = roots.next()? {
            if before == Some(hash) {
                issues.add(LineFault::Duplicate, offset, None);
                continue;
            }
            before = Some(hash);
            while let Some([parent, own, at, length]) = children.peek()? {
                if parent > hash {
                    break;
                }
                children.next()?;
                if parent == hash {
                    found.push([position, at, length])?;
                    if has_grandchildren {
                        nodes.push([own, position])?;
                    }
                } else {
                    lose(&mut lost, &mut issues, [parent, own, at]);
                }
            }
        }
        while let Some([parent, own, at, _]) = children.next()? {
            lose(&mut lost, &mut issues, [parent, own, at]);
        }

        let mut nodes = nodes.sorted()?;
        let mut children = below_nodes.sorted()?;
        while let Some([parent, own, at, length]) = children.next()? {
            let mut root = None;
            while let Some([hash, position]) = nodes.peek()? {
                if hash >= parent {
                    root = (hash == parent).then_some(position);
                    break;
                }
                nodes.next()?;
            }
            match root {
                Some(position) => found.push([position, at, length])?,
                None => lose(&mut lost, &mut issues, [parent, own, at]),
            }
        }
        let circle: HashSet<u64> = lost.iter().map(|[_, own, _]| *own).collect();
        for [parent, _, at] in &lost {
            let fault = if circle.contains(parent) { LineFault::Cycle } else { LineFault::Orphan };
            issues.add(fault, *at, None);
        }
        let straggling = found.count();
        Ok(Index { counts, issues, stragglers: found.sorted()?, straggling })
    }
}

/// Keeps a child that has no way to a record; past the bound it is told as an orphan.
fn lose(lost: &mut Vec<[u64; 3]>, issues: &mut LineIssues, entry: [u64; 3]) {
    if lost.len() < MOST_LOST {
        lost.push(entry);
    } else {
        let [_, _, at] = entry;
        issues.add(LineFault::Orphan, at, None);
    }
}
