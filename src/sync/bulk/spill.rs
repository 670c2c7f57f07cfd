//! Files of ours that nobody else reads, and the sort of more entries than fit in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::time::{Entropy, SystemEntropy};

/// How many runs are merged at once.
const FAN_IN: usize = 128;
/// How many bytes of each run are in memory while runs are merged.
const RUN_BUFFER_BYTES: usize = 16 * 1024;

/// A file that only this user can read, and that is gone when it is dropped.
#[derive(Debug)]
pub(super) struct PrivateFile {
    file: File,
    /// Where it still has a name.
    path: Option<PathBuf>,
}

impl PrivateFile {
    /// Makes a file with a name that nobody can guess.
    pub(super) fn new(directory: &Path) -> Result<Self> {
        for _ in 0..8 {
            let mut random = [0; 16];
            SystemEntropy.fill(&mut random)?;
            let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            let path = directory.join(format!("lily-bulk-{name}"));
            match private().create_new(true).open(&path) {
                Ok(file) => return Ok(Self::nameless(file, path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::Error::from(io::ErrorKind::AlreadyExists)))
    }

    /// Where the system keeps an open file without a name, not even a crash leaves it behind.
    fn nameless(file: File, path: PathBuf) -> Self {
        let path = if cfg!(unix) && std::fs::remove_file(&path).is_ok() { None } else { Some(path) };
        Self { file, path }
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // There is nobody to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Options of a file that its owner alone may read and write.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The directory of temporary files, where none was set.
pub(super) fn default_directory() -> PathBuf {
    std::env::temp_dir()
}

pub(super) fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::State, "spool_failed", "a file of a bulk job could not be read or written")
        .with_remedy("check the directory's rights and the room on its disk, or set another directory")
        .with_source(error)
}

/// Sorts entries of `W` numbers, in bounded memory: what does not fit goes to a file in sorted runs.
#[derive(Debug)]
pub(super) struct Sorter<const W: usize> {
    directory: PathBuf,
    most: usize,
    entries: Vec<[u64; W]>,
    spill: Option<PrivateFile>,
    /// Where each run is in the file: offset and count.
    runs: Vec<(u64, u64)>,
    length: u64,
    count: u64,
}

impl<const W: usize> Sorter<W> {
    /// A sorter that holds at most `bytes` of entries in memory.
    pub(super) fn new(directory: &Path, bytes: usize) -> Self {
        let most = (bytes / (W * 8)).max(2);
        Self {
            directory: directory.to_owned(),
            most,
            entries: Vec::new(),
            spill: None,
            runs: Vec::new(),
            length: 0,
            count: 0,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push(&mut self, entry: [u64; W]) -> Result<()> {
        if self.entries.len() >= self.most {
            self.end_run()?;
        }
        self.entries.push(entry);
        self.count += 1;
        Ok(())
    }

    fn end_run(&mut self) -> Result<()> {
        self.entries.sort_unstable();
        let entries = std::mem::take(&mut self.entries);
        let mut writer = self.begin_run()?;
        for entry in &entries {
            writer.push(entry)?;
        }
        let run = writer.end()?;
        self.length = run.0 + run.1 * W as u64 * 8;
        self.runs.push(run);
        self.entries = entries;
        self.entries.clear();
        Ok(())
    }

    fn begin_run(&mut self) -> Result<RunWriter<'_, W>> {
        let at = self.length;
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(PrivateFile::new(&self.directory)?),
        };
        spill.file().seek(SeekFrom::Start(at)).map_err(failed)?;
        Ok(RunWriter { file: spill.file(), buffer: Vec::with_capacity(RUN_BUFFER_BYTES), at, count: 0 })
    }

    /// The entries in ascending order.
    pub(super) fn sorted(mut self) -> Result<Sorted<W>> {
        if self.runs.is_empty() {
            self.entries.sort_unstable();
            return Ok(Sorted { from: Held::Memory(self.entries.into_iter()), peeked: None });
        }
        if !self.entries.is_empty() {
            self.end_run()?;
        }
        self.entries = Vec::new();
        while self.runs.len() > FAN_IN {
            let some: Vec<(u64, u64)> = self.runs.drain(..FAN_IN).collect();
            // The runs are read from the file that the merged one is appended to, so each piece seeks.
            let Some(spill) = self.spill.take() else { break };
            let mut merge = Merge::<W>::new(spill, some)?;
            let begun = self.length;
            let mut buffer = Vec::with_capacity(RUN_BUFFER_BYTES);
            let mut count = 0;
            while let Some(entry) = merge.next()? {
                count += 1;
                put(&mut buffer, &entry);
                if buffer.len() >= RUN_BUFFER_BYTES {
                    self.length = append(merge.spill.file(), self.length, &mut buffer)?;
                }
            }
            self.length = append(merge.spill.file(), self.length, &mut buffer)?;
            self.spill = Some(merge.spill);
            self.runs.push((begun, count));
        }
        let Some(spill) = self.spill.take() else {
            return Ok(Sorted { from: Held::Memory(Vec::new().into_iter()), peeked: None });
        };
        let merge = Merge::new(spill, std::mem::take(&mut self.runs))?;
        Ok(Sorted { from: Held::Merge(merge), peeked: None })
    }
}

fn put<const W: usize>(buffer: &mut Vec<u8>, entry: &[u64; W]) {
    for number in entry {
        buffer.extend_from_slice(&number.to_le_bytes());
    }
}

fn append(file: &mut File, at: u64, buffer: &mut Vec<u8>) -> Result<u64> {
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(buffer)).map_err(failed)?;
    let end = at + buffer.len() as u64;
    buffer.clear();
    Ok(end)
}

struct RunWriter<'f, const W: usize> {
    file: &'f mut File,
    buffer: Vec<u8>,
    at: u64,
    count: u64,
}

impl<const W: usize> RunWriter<'_, W> {
    fn push(&mut self, entry: &[u64; W]) -> Result<()> {
        put(&mut self.buffer, entry);
        self.count += 1;
        if self.buffer.len() >= RUN_BUFFER_BYTES {
            self.file.write_all(&self.buffer).map_err(failed)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn end(self) -> Result<(u64, u64)> {
        self.file.write_all(&self.buffer).map_err(failed)?;
        Ok((self.at, self.count))
    }
}

/// Entries in ascending order.
#[derive(Debug)]
pub(super) struct Sorted<const W: usize> {
    from: Held<W>,
    peeked: Option<Option<[u64; W]>>,
}

#[derive(Debug)]
enum Held<const W: usize> {
    Memory(std::vec::IntoIter<[u64; W]>),
    Merge(Merge<W>),
}

impl<const W: usize> Sorted<W> {
    pub(super) fn next(&mut self) -> Result<Option<[u64; W]>> {
        if let Some(peeked) = self.peeked.take() {
            return Ok(peeked);
        }
        match &mut self.from {
            Held::Memory(entries) => Ok(entries.next()),
            Held::Merge(merge) => merge.next(),
        }
    }

    pub(super) fn peek(&mut self) -> Result<Option<[u64; W]>> {
        if self.peeked.is_none() {
            self.peeked = Some(self.next()?);
        }
        Ok(self.peeked.flatten())
    }
}

/// Runs of one file, merged.
#[derive(Debug)]
struct Merge<const W: usize> {
    spill: PrivateFile,
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<([u64; W], usize)>>,
}

/// What is left of a run: the bytes that are here, and where the rest is.
#[derive(Debug)]
struct Run {
    buffer: Vec<u8>,
    at: usize,
    offset: u64,
    left: u64,
}

impl<const W: usize> Merge<W> {
    fn new(spill: PrivateFile, runs: Vec<(u64, u64)>) -> Result<Self> {
        let runs: Vec<Run> = runs
            .into_iter()
            .map(|(offset, count)| Run { buffer: Vec::new(), at: 0, offset, left: count * W as u64 * 8 })
            .collect();
        let mut merge = Self { spill, heads: BinaryHeap::with_capacity(runs.len()), runs };
        for run in 0..merge.runs.len() {
            merge.pull(run)?;
        }
        Ok(merge)
    }

    fn next(&mut self) -> Result<Option<[u64; W]>> {
        let Some(Reverse((entry, run))) = self.heads.pop() else { return Ok(None) };
        self.pull(run)?;
        Ok(Some(entry))
    }

    /// Puts the next entry of a run among the heads.
    fn pull(&mut self, number: usize) -> Result<()> {
        let Some(run) = self.runs.get_mut(number) else { return Ok(()) };
        if run.at >= run.buffer.len() {
            let size = run.left.min((RUN_BUFFER_BYTES / (W * 8) * (W * 8)) as u64);
            run.buffer.clear();
            run.at = 0;
            if size == 0 {
                run.buffer = Vec::new();
                return Ok(());
            }
            let file = self.spill.file();
            file.seek(SeekFrom::Start(run.offset)).map_err(failed)?;
            let read = file.take(size).read_to_end(&mut run.buffer).map_err(failed)? as u64;
            if read != size {
                return Err(failed(io::Error::from(io::ErrorKind::UnexpectedEof)));
            }
            run.offset += size;
            run.left -= size;
        }
        let Some(bytes) = run.buffer.get(run.at..run.at + W * 8) else { return Ok(()) };
        run.at += W * 8;
        let mut entry = [0; W];
        for (number, bytes) in entry.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *number = u64::from_le_bytes(*bytes);
        }
        self.heads.push(Reverse((entry, number)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator: what comes of a seed is the same everywhere.
    fn numbers(seed: u64, count: usize) -> Vec<[u64; 2]> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 40
        };
        (0..count).map(|_| [next(), next()]).collect()
    }

    #[test]
    fn entries_come_sorted_below_at_and_above_the_size_of_a_run_and_past_the_fan_in() {
        let directory = default_directory();
        // Two entries a run.
        for count in [0, 1, 2, 3, 4, 5, 2 * FAN_IN - 1, 2 * FAN_IN, 2 * FAN_IN + 1, 6 * FAN_IN + 5] {
            let entries = numbers(count as u64, count);
            let mut sorter = Sorter::<2>::new(&directory, 32);
            for entry in &entries {
                sorter.push(*entry).unwrap();
            }
            assert_eq!(sorter.count(), count as u64);
            let mut sorted = sorter.sorted().unwrap();
            let mut expected = entries;
            expected.sort_unstable();
            for entry in expected {
                assert_eq!(sorted.peek().unwrap(), Some(entry), "{count}");
                assert_eq!(sorted.next().unwrap(), Some(entry), "{count}");
            }
            assert_eq!(sorted.next().unwrap(), None);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_spill_is_private_and_leaves_nothing_behind() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let mut file = PrivateFile::new(directory.path()).unwrap();
        assert_eq!(file.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it has no name");
        let named =
            PrivateFile { file: file.file.try_clone().unwrap(), path: Some(directory.path().join("x")) };
        std::fs::write(directory.path().join("x"), "x").unwrap();
        drop(named);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
