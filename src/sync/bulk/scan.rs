//! A file read in windows, each cut into lines that say where they belong.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memchr, memrchr};
use twox_hash::XxHash3_64;

use super::issue::LineFault;
use super::join::JoinSettings;
use super::lines::{Heads, Kind, Kinds, Level, LineReader, Said};
use super::spill::failed;
use crate::connector::Joints;
use crate::error::Result;
use crate::transport::Buffers;

/// The most lines of one window: lines are smaller than what is noted of them where a file is hostile.
const MOST_LINES: usize = 32 * 1024;
/// The root of a line that has none in its window.
pub(super) const NO_ROOT: u32 = u32::MAX;

/// A line with a fault: where in the file it begins, and its id where that could be read.
pub(super) type Faulty = (LineFault, u64, Option<Box<[u8]>>);

/// One line of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Where it is in the window, blanks at its ends taken off.
    pub(super) start: u32,
    pub(super) end: u32,
    /// The number of its root in the window; [`NO_ROOT`] where that is not in it.
    pub(super) root: u32,
    pub(super) kind: Kind,
    /// The end of its id, to tell it from its siblings.
    pub(super) tail: u64,
}

/// A line whose parent is not in its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loose {
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) level: Level,
    /// The hash of its parent's id.
    pub(super) parent: u64,
    /// The hash of its own id.
    pub(super) own: u64,
}

/// A window of the file, scanned.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Bytes,
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// The position of its first root among all of the file.
    pub(super) first_root: u64,
    pub(super) lines: Vec<Line>,
    /// How many objects it has, those that could not be read included.
    pub(super) objects: u64,
    /// The hash of each root's id, and where it begins in the window.
    pub(super) roots: Vec<(u64, u32)>,
    pub(super) loose: Vec<Loose>,
    /// The hashes of the ids of children that can be parents, each with its root's number in the window.
    pub(super) nodes: Vec<(u64, u32)>,
    pub(super) faults: Vec<Faulty>,
    /// How many of its lines are no child right behind its root, or cannot be passed on as they are.
    pub(super) odd: usize,
}

impl Block {
    /// Whether each root is followed by all of its children and nothing else, as far as this window goes.
    pub(super) fn is_plain(&self) -> bool {
        self.odd == 0
    }
}

/// How much of a block was there when its last root came: what is behind may go on in the next window.
#[derive(Debug, Clone, Copy, Default)]
struct Lengths {
    start: usize,
    lines: usize,
    objects: u64,
    roots: usize,
    loose: usize,
    nodes: usize,
    faults: usize,
    odd: usize,
}

/// Reads windows one after the other. Both passes see the same ones.
#[derive(Debug)]
pub(super) struct Scanner {
    file: Arc<File>,
    pub(super) reader: LineReader,
    pub(super) kinds: Kinds,
    heads: Heads,
    seed: u64,
    window: usize,
    line_bytes: usize,
    /// Where the window in hand begins in the file, and what was read of it.
    offset: u64,
    buffer: Vec<u8>,
    buffer_end: usize,
    roots: u64,
    ended: bool,
    /// Whether the file's last byte ends a line.
    pub(super) ends_with_newline: bool,
    /// The faults of lines that were skipped.
    skipped: Vec<Faulty>,
    /// Blocks that were given back, emptied.
    spare: Vec<Block>,
    /// Windows that were handed out.
    out: Buffers,
    /// Ids of the root and of the child that came last, and how a line ends that belongs to that root.
    root_id: Vec<u8>,
    root_end: Vec<u8>,
    node_id: Vec<u8>,
}

impl Scanner {
    pub(super) fn new(file: Arc<File>, joints: &'static Joints, settings: &JoinSettings) -> Self {
        Self {
            file,
            reader: LineReader::new(joints),
            kinds: Kinds::new(joints),
            heads: Heads::default(),
            seed: settings.seed,
            window: settings.window_bytes,
            line_bytes: settings.line_bytes,
            offset: 0,
            buffer: Vec::new(),
            buffer_end: 0,
            roots: 0,
            ended: false,
            ends_with_newline: true,
            skipped: Vec::new(),
            spare: Vec::new(),
            out: Buffers::default(),
            root_id: Vec::new(),
            root_end: Vec::new(),
            node_id: Vec::new(),
        }
    }

    pub(super) fn hash(&self, id: &[u8]) -> u64 {
        XxHash3_64::oneshot_with_seed(self.seed, id)
    }

    /// Takes a block back, so that its memory is used again.
    pub(super) fn give_back(&mut self, block: Block) {
        let Block { bytes, mut lines, mut roots, .. } = block;
        lines.clear();
        roots.clear();
        self.spare.push(Block { lines, roots, ..Block::default() });
        self.spare.truncate(2);
        self.out.lend(bytes);
    }

    /// Reads on until the buffer holds `most` bytes, or the file ends.
    fn fill(&mut self, most: usize) -> Result<()> {
        let room = most.saturating_sub(self.buffer.len());
        if self.ended || room == 0 {
            return Ok(());
        }
        self.buffer.reserve_exact(room);
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.offset + self.buffer.len() as u64)).map_err(failed)?;
        let read = file.take(room as u64).read_to_end(&mut self.buffer).map_err(failed)?;
        self.ended = read < room;
        if self.ended {
            self.ends_with_newline = self.buffer.last().is_none_or(|last| *last == b'\n');
        }
        Ok(())
    }

    /// Goes on behind a line that is over its bound.
    fn skip_line(&mut self) -> Result<()> {
        let id = self.reader.begins(&self.buffer).map(Into::into);
        self.skipped.push((LineFault::TooLong, self.offset, id));
        // Its children must not be taken for those of the root before.
        self.begin_root(&[]);
        self.node_id.clear();
        loop {
            if let Some(at) = memchr(b'\n', &self.buffer) {
                self.offset += at as u64 + 1;
                self.buffer.drain(..=at);
                return Ok(());
            }
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
            if self.ended {
                return Ok(());
            }
            self.fill(self.window)?;
        }
    }

    /// The next window; none at the end of the file.
    pub(super) fn next(&mut self, with_nodes: bool) -> Result<Option<Block>> {
        let mut most = self.window;
        let whole = loop {
            self.fill(most)?;
            match memrchr(b'\n', &self.buffer) {
                _ if self.ended => break self.buffer.len(),
                Some(at) => break at + 1,
                None if self.buffer.len() >= self.line_bytes => {
                    self.skip_line()?;
                    most = self.window;
                }
                None => most = (most * 2).min(self.line_bytes.max(self.window)),
            }
        };
        if self.buffer.is_empty() && self.skipped.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.cut(whole, with_nodes)))
    }

    /// Cuts the window into lines up to its last root, whose children may go on in the next one.
    fn cut(&mut self, whole: usize, with_nodes: bool) -> Block {
        let spare = self.spare.pop().unwrap_or_default();
        let mut block = Block { offset: self.offset, first_root: self.roots, ..spare };
        block.faults.append(&mut self.skipped);
        block.objects = block.faults.len() as u64;
        block.odd = block.faults.len();
        // The roots of this window start anew: a child of one before is loose.
        self.begin_root(&[]);
        self.node_id.clear();
        let buffer = std::mem::take(&mut self.buffer);
        self.buffer_end = buffer.len();
        let text = buffer.get(..whole).unwrap_or_default();
        let mut last = None;
        let mut known = None;
        let mut at = 0;
        while at < text.len() && block.lines.len() < MOST_LINES && block.faults.len() < MOST_LINES {
            let rest = text.get(at..).unwrap_or_default();
            let end = memchr(b'\n', rest).map_or(rest.len(), |end| end);
            let line = rest.get(..end).unwrap_or_default();
            let lengths = self.take(&mut block, &mut known, text, line, at, with_nodes);
            last = lengths.or(last);
            at += end + 1;
        }
        let done = at.min(text.len());
        let is_all = self.ended && done == buffer.len();
        let cut = match last {
            // What the last root has so far is read again together with the rest of it.
            Some(last) if !is_all && last.start > 0 && done - last.start <= self.window / 2 => {
                block.lines.truncate(last.lines);
                block.objects = last.objects;
                block.roots.truncate(last.roots);
                block.loose.truncate(last.loose);
                block.nodes.truncate(last.nodes);
                block.faults.truncate(last.faults);
                block.odd = last.odd;
                last.start
            }
            _ => done,
        };
        self.roots += block.roots.len() as u64;
        self.buffer = self.out.take().unwrap_or_else(|| Vec::with_capacity(self.window));
        self.buffer.extend_from_slice(buffer.get(cut..).unwrap_or_default());
        self.offset += cut as u64;
        block.bytes = Bytes::from(buffer);
        block
    }

    /// Children that come now are right behind this root; none where it is empty.
    fn begin_root(&mut self, id: &[u8]) {
        self.root_id.clear();
        self.root_id.extend_from_slice(id);
        self.reader.end_below(id, &mut self.root_end);
    }

    /// A child right behind its root that begins as one before it did, and so that of which nothing can stand below.
    fn plain_child<'l>(&mut self, line: &'l [u8]) -> Option<(&'l [u8], Kind)> {
        if self.root_end.is_empty() || !line.ends_with(&self.root_end) {
            return None;
        }
        self.heads.find(line).filter(|(id, _)| *id != self.root_id)
    }

    /// Takes one line in; where it is a root, what was there before it.
    fn take(
        &mut self,
        block: &mut Block,
        known: &mut Option<Known>,
        text: &[u8],
        line: &[u8],
        at: usize,
        with_nodes: bool,
    ) -> Option<Lengths> {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            // Nothing is on it, but a body with it cannot be passed on as it is.
            block.odd += usize::from(!line.is_empty());
            return None;
        }
        let start = at + line.len() - line.trim_ascii_start().len();
        let (start32, end32) = (small(start), small(start + trimmed.len()));
        let offset = self.offset + start as u64;
        let lengths = Lengths {
            start: at,
            lines: block.lines.len(),
            objects: block.objects,
            roots: block.roots.len(),
            loose: block.loose.len(),
            nodes: block.nodes.len(),
            faults: block.faults.len(),
            odd: block.odd,
        };
        block.objects += 1;
        if trimmed.len() > self.line_bytes {
            self.begin_root(&[]);
            self.node_id.clear();
            block.fault(LineFault::TooLong, offset, self.reader.begins(trimmed));
            return None;
        }
        // A line that the file's end cut short may look whole to all but the parser.
        let is_cut = self.ended && !self.ends_with_newline && at + line.len() == self.buffer_end;
        if !is_cut && let Some((id, kind)) = self.plain_child(trimmed) {
            let root = small(block.roots.len()).wrapping_sub(1);
            block.lines.push(Line { start: start32, end: end32, root, kind, tail: tail(id) });
            return None;
        }
        let said = if is_cut { self.reader.parse(trimmed) } else { self.reader.read(trimmed) };
        let Some(Said { id: Some(id), parent }) = said else {
            block.fault(LineFault::Unreadable, offset, None);
            return None;
        };
        let Some(parent) = parent else {
            self.node_id.clear();
            if self.kinds.of(&id, Level::Top) != Kind::Root {
                self.begin_root(&[]);
                block.fault(LineFault::Unplaced, offset, Some(&id));
                return None;
            }
            let number = small(block.roots.len());
            block.lines.push(Line { start: start32, end: end32, root: number, kind: Kind::Root, tail: 0 });
            let hash = self.hash(&id);
            block.roots.push((hash, start32));
            if let Some(known) = known {
                known.0.insert(hash, (small(block.lines.len() - 1), number));
            }
            self.begin_root(&id);
            return Some(lengths);
        };
        let current = small(block.roots.len()).wrapping_sub(1);
        let (level, root) = if *parent == *self.root_id && !parent.is_empty() {
            (Level::BelowRoot, current)
        } else if *parent == *id {
            block.fault(LineFault::Cycle, offset, Some(&id));
            return None;
        } else {
            let Some(level) = self.kinds.level_below(&parent) else {
                block.fault(LineFault::Unplaced, offset, Some(&id));
                return None;
            };
            block.odd += 1;
            let is_of_node = *parent == *self.node_id && !parent.is_empty();
            let root = if is_of_node { current } else { self.look_up(block, known, text, &parent) };
            (level, root)
        };
        let kind = self.kinds.of(&id, level);
        let can_be_parent = match kind {
            Kind::Child(child) => self.kinds.can_be_parent(child),
            Kind::Root | Kind::Grandchild(..) => false,
            Kind::Unknown => {
                block.fault(LineFault::Unplaced, offset, Some(&id));
                return None;
            }
        };
        if root == NO_ROOT {
            let bytes = end32 - start32;
            let (parent, own) = (self.hash(&parent), self.hash(&id));
            block.loose.push(Loose { offset, bytes, level, parent, own });
            block.lines.push(Line { start: start32, end: end32, root, kind, tail: tail(&id) });
            return None;
        }
        block.lines.push(Line { start: start32, end: end32, root, kind, tail: tail(&id) });
        if level == Level::BelowRoot && !can_be_parent {
            self.heads.learn(&self.reader, trimmed, kind);
        }
        if can_be_parent {
            // Its own lists are written into it.
            block.odd += 1;
            if with_nodes {
                block.nodes.push((self.hash(&id), root));
            }
            if let Some(known) = known {
                known.0.insert(self.hash(&id), (small(block.lines.len() - 1), root));
            }
            if root == current {
                self.node_id.clear();
                self.node_id.extend_from_slice(&id);
            }
        }
        None
    }

    /// The root of an object of this window; what could be one is only looked through once a line asks.
    fn look_up(&self, block: &Block, known: &mut Option<Known>, text: &[u8], id: &[u8]) -> u32 {
        let line_id = |line: &Line| {
            let line = text.get(line.start as usize..line.end as usize)?;
            self.reader.read(line)?.id
        };
        let known = known.get_or_insert_with(|| {
            let mut known = HashMap::default();
            for (at, line) in block.lines.iter().enumerate() {
                let can_be_parent = match line.kind {
                    Kind::Root => true,
                    Kind::Child(child) => self.kinds.can_be_parent(child),
                    Kind::Grandchild(..) | Kind::Unknown => false,
                };
                if can_be_parent
                    && line.root != NO_ROOT
                    && let Some(id) = line_id(line)
                {
                    known.insert(self.hash(&id), (small(at), line.root));
                }
            }
            Known(known)
        });
        let found = known.0.get(&self.hash(id)).copied();
        let found = found.filter(|(at, _)| {
            block.lines.get(*at as usize).and_then(line_id).is_some_and(|of_line| *of_line == *id)
        });
        found.map_or(NO_ROOT, |(_, root)| root)
    }
}

/// The lines of a window that can be parents, by the hash of their id: their number, and their root's.
struct Known(HashMap<u64, (u32, u32)>);

impl Block {
    fn fault(&mut self, fault: LineFault, offset: u64, id: Option<&[u8]>) {
        self.odd += 1;
        self.faults.push((fault, offset, id.map(Into::into)));
    }
}

/// The last eight bytes of an id.
fn tail(id: &[u8]) -> u64 {
    match id.last_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => id.iter().fold(0, |tail, byte| tail << 8 | u64::from(*byte)),
    }
}

/// Windows and lines are bounded far below what this holds.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
