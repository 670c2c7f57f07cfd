//! The second pass over a file: records in its order, each with all of its children.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::assemble::{Assembly, Piece};
use super::index::{FileCounts, Index};
use super::issue::{LineFault, LineIssues};
use super::lines::Kind;
use super::scan::{Block, Line, NO_ROOT, Scanner, small};
use super::spill::{Sorted, failed};
use crate::connector::Joints;
use crate::error::Result;
use crate::model::{Entity, PartKind, RawItems, RawPart};
use crate::sync::Cancel;
use crate::time::{Entropy, SystemEntropy};

/// The most bytes of a page, a record and a window: parts are counted in 32 bits.
const MOST_BYTES: usize = 1 << 30;
/// Up to so many children are compared with each other one by one.
const FEW: usize = 24;

/// The bounds of a join.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JoinSettings {
    /// How much of the file is in memory at once (default 512 KiB). A child that is not in the window of its record
    /// is found by a sort on disk.
    pub window_bytes: usize,
    /// The longest line (default 16 MiB); a longer one is told as an issue.
    pub line_bytes: usize,
    /// The largest record with all of its children (default 64 MiB); a larger one is told as an issue.
    pub record_bytes: usize,
    /// How many bytes of a page are aimed at (default 4 MiB).
    pub page_bytes: usize,
    /// The most records of a page (default 500).
    pub page_records: usize,
    /// How many bytes each of the sorts holds in memory (default 1 MiB).
    pub sort_bytes: usize,
    /// Where files of the sorts go; none for the system's directory of temporary files.
    pub directory: Option<PathBuf>,
    /// What ids are hashed with, so that no file can be made to have ids of one hash.
    pub(super) seed: u64,
}

impl Default for JoinSettings {
    fn default() -> Self {
        Self {
            window_bytes: 512 << 10,
            line_bytes: 16 << 20,
            record_bytes: 64 << 20,
            page_bytes: 4 << 20,
            page_records: 500,
            sort_bytes: 1 << 20,
            directory: None,
            seed: 0,
        }
    }
}

/// Records in the file's order, a page at a time.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JoinedPage {
    /// The position of its first record among all of the file.
    pub first: u64,
    /// The position behind its last one.
    pub next: u64,
    /// The records, their children in their lists.
    pub items: RawItems,
}

/// A file of JSON lines whose children are joined to their records, in bounded memory whatever the file's size
/// and the order of its lines.
///
/// It reads the file twice: [`Join::open`] counts and finds the children that stand far from their records;
/// [`Join::next_page`] gives the records in their order. Both block.
#[derive(Debug)]
pub struct Join {
    file: Arc<File>,
    entity: Entity,
    joints: &'static Joints,
    settings: JoinSettings,
    counts: FileCounts,
    issues: LineIssues,
    straggling: u64,
    stragglers: Sorted<3>,
    scanner: Scanner,
    block: Block,
    /// The next line of the block, where it is plain.
    at: usize,
    /// The position of the next record.
    next: u64,
    /// The lines of a block that is not plain, by record, and where each record's begin.
    order: Vec<u32>,
    starts: Vec<u32>,
}

impl Join {
    /// Looks through a whole file. It must not change until the join is dropped.
    ///
    /// # Errors
    /// `State` where the file, or a file of the sorts, could not be read or written; `Cancelled`.
    pub fn open(
        file: File,
        entity: Entity,
        joints: &'static Joints,
        settings: &JoinSettings,
        cancel: &Cancel,
    ) -> Result<Self> {
        let mut seed = [0; 8];
        SystemEntropy.fill(&mut seed)?;
        let settings = JoinSettings {
            window_bytes: settings.window_bytes.clamp(16, MOST_BYTES),
            line_bytes: settings.line_bytes.clamp(16, MOST_BYTES),
            record_bytes: settings.record_bytes.min(MOST_BYTES),
            page_bytes: settings.page_bytes.min(MOST_BYTES),
            page_records: settings.page_records.max(1),
            seed: u64::from_le_bytes(seed),
            ..settings.clone()
        };
        let file = Arc::new(file);
        let Index { counts, issues, stragglers, straggling } =
            Index::build(&file, joints, &settings, cancel)?;
        Ok(Self {
            scanner: Scanner::new(Arc::clone(&file), joints, &settings),
            file,
            entity,
            joints,
            settings,
            counts,
            issues,
            straggling,
            stragglers,
            block: Block::default(),
            at: 0,
            next: 0,
            order: Vec::new(),
            starts: Vec::new(),
        })
    }

    /// What the file holds.
    #[must_use]
    pub fn counts(&self) -> FileCounts {
        self.counts
    }

    /// What is wrong with its lines: known in full once the last page was given.
    #[must_use]
    pub fn issues(&self) -> &LineIssues {
        &self.issues
    }

    /// Takes what was found before, up to where it goes on; it holds what the first look finds, too.
    pub(super) fn go_on_with(&mut self, found: LineIssues) {
        self.issues = found;
    }

    /// How many children stood far from their records.
    #[must_use]
    pub fn straggling(&self) -> u64 {
        self.straggling
    }

    /// Goes on at the record of this position, which is not behind the next one.
    pub fn skip_to(&mut self, position: u64) {
        self.next = self.next.max(position);
    }

    /// The next records; none at the end.
    ///
    /// # Errors
    /// As [`Join::open`].
    pub fn next_page(&mut self) -> Result<Option<JoinedPage>> {
        loop {
            if self.next >= self.block.first_root + self.block.roots.len() as u64 {
                if !self.next_block()? {
                    return Ok(None);
                }
                continue;
            }
            let page = if self.block.is_plain() { self.plain_page()? } else { None };
            return match page {
                Some(page) => Ok(Some(page)),
                None => self.assembled_page().map(Some),
            };
        }
    }

    fn next_block(&mut self) -> Result<bool> {
        let done = std::mem::take(&mut self.block);
        self.scanner.give_back(done);
        let Some(block) = self.scanner.next(false)? else { return Ok(false) };
        self.block = block;
        self.at = 0;
        if !self.block.is_plain() {
            self.put_in_order();
        }
        Ok(true)
    }

    /// Sorts the lines of a block by their records, each record's in their own order.
    fn put_in_order(&mut self) {
        let lines = &self.block.lines;
        self.starts.clear();
        self.starts.resize(self.block.roots.len() + 1, 0);
        for line in lines {
            // Of a line without a record here, there is none.
            if let Some(start) = self.starts.get_mut(line.root.wrapping_add(1) as usize)
                && line.root != NO_ROOT
            {
                *start += 1;
            }
        }
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        self.order.clear();
        self.order.resize(sum as usize, 0);
        let mut ends = self.starts.clone();
        for (at, line) in lines.iter().enumerate() {
            if line.root != NO_ROOT
                && let Some(end) = ends.get_mut(line.root as usize)
            {
                if let Some(place) = self.order.get_mut(*end as usize) {
                    *place = small(at);
                }
                *end += 1;
            }
        }
    }

    /// Where in the block the next record is.
    fn number(&self) -> usize {
        usize::try_from(self.next - self.block.first_root).unwrap_or(usize::MAX)
    }

    /// The position of the next record with a child that stands apart.
    fn next_straggling(&mut self) -> Result<u64> {
        while let Some([root, _, _]) = self.stragglers.peek()? {
            if root >= self.next {
                return Ok(root);
            }
            self.stragglers.next()?;
        }
        Ok(u64::MAX)
    }

    /// Records whose children follow them: a piece of the window as it is. None where the next record is not such
    /// a one.
    fn plain_page(&mut self) -> Result<Option<JoinedPage>> {
        let straggling = self.next_straggling()?;
        let lines = &self.block.lines;
        let number = small(self.number());
        while lines.get(self.at).is_some_and(|line| line.root < number) {
            self.at += 1;
        }
        let Some(first) = lines.get(self.at) else { return Ok(None) };
        let base = first.start;
        let (mut end, mut next, mut at) = (base, self.next, self.at);
        let mut parts = Vec::with_capacity((lines.len() - at).min(32 * self.settings.page_records));
        while let Some(root) = lines.get(at) {
            let from = at;
            let children = lines.get(from + 1..).unwrap_or_default();
            let count = children.iter().take_while(|line| line.root == root.root).count();
            let children = children.get(..count).unwrap_or_default();
            let last = children.last().unwrap_or(root).end;
            let (bytes, records) = ((last - base) as usize, next - self.next);
            let is_full = records > 0
                && (bytes > self.settings.page_bytes || records >= self.settings.page_records as u64);
            if is_full
                || next == straggling
                || repeats(children)
                || (last - root.start) as usize > self.settings.record_bytes
            {
                break;
            }
            parts.push(RawPart::new(root.start - base..root.end - base, PartKind::Record));
            for child in children {
                let range = child.start - base..child.end - base;
                parts.push(RawPart::new(range, PartKind::Element(place(self.joints, child.kind))));
            }
            (end, next, at) = (last, next + 1, from + 1 + count);
        }
        if next == self.next {
            return Ok(None);
        }
        let first = std::mem::replace(&mut self.next, next);
        self.at = at;
        let body = self.block.bytes.slice(base as usize..end as usize);
        Ok(Some(self.page(first, body, parts)))
    }

    fn page(&self, first: u64, body: Bytes, parts: Vec<RawPart>) -> JoinedPage {
        let items = RawItems::of_parts(self.entity, body, parts, self.joints.lists);
        JoinedPage { first, next: self.next, items }
    }

    /// Records whose lines are put together from wherever they stand.
    fn assembled_page(&mut self) -> Result<JoinedPage> {
        let first = self.next;
        let mut assembly = Assembly::default();
        let is_plain = self.block.is_plain();
        let end = self.block.first_root + self.block.roots.len() as u64;
        while self.next < end {
            let straggling = self.next_straggling()?;
            // In a plain window the records behind this one are passed on as they are.
            if self.next > first
                && ((is_plain && straggling != self.next)
                    || assembly.len() >= self.settings.page_bytes
                    || self.next - first >= self.settings.page_records as u64)
            {
                break;
            }
            self.assemble(&mut assembly, straggling == self.next)?;
            self.next += 1;
        }
        let (body, parts) = assembly.end();
        Ok(self.page(first, body, parts))
    }

    /// Puts one record together.
    fn assemble(&mut self, assembly: &mut Assembly, has_stragglers: bool) -> Result<()> {
        let number = self.number();
        let near: Vec<u32> = if self.block.is_plain() {
            let is_own = |(_, line): &(usize, &Line)| line.root == small(number);
            let from = self.at;
            let lines = self.block.lines.iter().enumerate().skip(from);
            let own = lines.skip_while(|(_, line)| line.root < small(number)).take_while(is_own);
            own.map(|(at, _)| small(at)).collect()
        } else {
            let bound = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
            // `starts` holds where each record's lines begin, and at its end where the last ones end.
            self.order.get(bound(number)..bound(number + 1)).unwrap_or_default().to_vec()
        };
        let mut near = near.iter().filter_map(|at| self.block.lines.get(*at as usize));
        let Some(root) = near.next().copied() else { return Ok(()) };
        let root_offset = self.block.offset + u64::from(root.start);
        let mut bytes = (root.end - root.start) as usize;
        let mut pieces = Vec::new();
        for line in near {
            bytes += (line.end - line.start) as usize;
            let offset = self.block.offset + u64::from(line.start);
            pieces.push(Piece::new(offset, self.block.bytes.slice(line.start as usize..line.end as usize)));
        }
        let mut is_too_long = bytes > self.settings.record_bytes;
        while has_stragglers
            && let Some([position, offset, length]) = self.stragglers.peek()?
            && position == self.next
        {
            self.stragglers.next()?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            bytes = bytes.saturating_add(length);
            is_too_long |= bytes > self.settings.record_bytes;
            if !is_too_long {
                pieces.push(Piece::new(offset, self.read_at(offset, length)?));
            }
        }
        let line = self.block.bytes.slice(root.start as usize..root.end as usize);
        let said = self.scanner.reader.read(&line);
        let id = said.and_then(|said| said.id).unwrap_or_default();
        if is_too_long {
            self.issues.add(LineFault::TooLong, root_offset, Some(&id));
            return Ok(());
        }
        // Those near are in their order, and so are those far.
        pieces.sort_by_key(|piece| piece.offset);
        assembly.add(&line, &id, pieces, self.joints, &mut self.scanner, &mut self.issues);
        Ok(())
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Bytes> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut line = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut line).map_err(failed)?;
        Ok(line.into())
    }
}

/// The list of a record that a child belongs to.
fn place(joints: &Joints, kind: Kind) -> &'static str {
    match kind {
        Kind::Child(child) => joints.branches.get(usize::from(child)).map_or("", |branch| branch.place),
        Kind::Root | Kind::Grandchild(..) | Kind::Unknown => "",
    }
}

/// Whether two children may have the same id: their ids' ends are compared, and a hit is looked at closely.
fn repeats(children: &[Line]) -> bool {
    if children.len() <= FEW {
        let mut rest = children;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| other.tail == first.tail) {
                return true;
            }
            rest = others;
        }
        return false;
    }
    let mut seen = HashSet::with_capacity(children.len());
    !children.iter().all(|child| seen.insert(child.tail))
}
