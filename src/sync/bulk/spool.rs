//! The file of a job on our disk.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use twox_hash::XxHash3_128;

use super::spill::{PrivateFile, default_directory, failed, private};
use crate::error::{Error, ErrorKind, Result};

/// How many bytes are gathered before they are written.
const GATHERED_BYTES: usize = 1 << 20;

/// A file that is filled from its end on. Without a directory it has no name; in one, it is found again by the
/// name of its job.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    path: Option<PathBuf>,
    /// Dropped last: it takes the file away.
    _nameless: Option<PrivateFile>,
    length: u64,
    gathered: Vec<u8>,
    bound: u64,
}

impl Spool {
    /// Opens the file of a job, with what is there of it. It blocks.
    pub(super) fn open(directory: Option<&Path>, name: &str, bound: u64) -> Result<Self> {
        let Some(directory) = directory else {
            let mut nameless = PrivateFile::new(&default_directory())?;
            let file = nameless.file().try_clone().map_err(failed)?;
            return Ok(Self::of(file, None, Some(nameless), 0, bound));
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let path = directory.join(format!("lily-bulk-{:032x}.jsonl", XxHash3_128::oneshot(name.as_bytes())));
        // What is no plain file, such as a link to one, is not ours.
        let is_ours = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let file = if is_ours { private().open(&path) } else { private().create_new(true).open(&path) };
        let file = file.map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self::of(file, Some(path), None, length, bound))
    }

    fn of(file: File, path: Option<PathBuf>, nameless: Option<PrivateFile>, length: u64, bound: u64) -> Self {
        Self { file, path, _nameless: nameless, length, gathered: Vec::new(), bound }
    }

    /// How much of the file is here.
    pub(super) fn length(&self) -> u64 {
        self.length + self.gathered.len() as u64
    }

    /// Takes a piece; true where it is time to write.
    pub(super) fn gather(&mut self, piece: &Bytes) -> Result<bool> {
        if self.length() + piece.len() as u64 > self.bound {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "bulk_file_too_large",
                format!("the file of the bulk job is over its bound of {} bytes", self.bound),
            )
            .with_remedy("raise the bound where the disk has room"));
        }
        self.gathered.extend_from_slice(piece);
        Ok(self.gathered.len() >= GATHERED_BYTES)
    }

    /// Writes what was gathered. It blocks.
    pub(super) fn write(&mut self) -> Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.length)).map_err(failed)?;
        self.file.write_all(&self.gathered).map_err(failed)?;
        self.length += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    /// Drops what is here. It blocks.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.gathered.clear();
        self.length = 0;
        self.file.set_len(0).map_err(failed)
    }

    /// The file, to be read.
    pub(super) fn reader(&self) -> Result<File> {
        self.file.try_clone().map_err(failed)
    }

    /// Takes the file away: nobody will ask for it again.
    pub(super) fn remove(self) {
        if let Some(path) = &self.path {
            // One that stays costs room, and nothing else.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_directory_is_found_again_and_one_over_its_bound_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(Some(directory.path()), "job", 6).unwrap();
        spool.gather(&Bytes::from_static(b"abc")).unwrap();
        spool.write().unwrap();
        drop(spool);
        let mut spool = Spool::open(Some(directory.path()), "job", 6).unwrap();
        assert_eq!(spool.length(), 3);
        spool.gather(&Bytes::from_static(b"def")).unwrap();
        assert_eq!(spool.gather(&Bytes::from_static(b"g")).unwrap_err().code(), "bulk_file_too_large");
        assert_eq!(Spool::open(Some(directory.path()), "another job", 6).unwrap().length(), 0);
        spool.remove();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(Some(directory.path()), "job", 6).unwrap();
        let path = spool.path.clone().unwrap();
        drop(spool);
        std::fs::remove_file(&path).unwrap();
        let other = directory.path().join("other");
        std::fs::write(&other, "theirs").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(Spool::open(Some(directory.path()), "job", 6).is_err());
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
    }
}
