//! The file of a job on our disk.

use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use twox_hash::XxHash3_128;

use super::spill::{PrivateFile, default_directory, failed, private};
use crate::error::{Error, ErrorKind, Result};

/// How many bytes are gathered before they are written.
const GATHERED_BYTES: usize = 1 << 20;
/// The most entries of a directory that are looked at for files that were left.
const MOST_ENTRIES: usize = 100_000;

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
    pub(super) fn open(directory: Option<&Path>, list: &str, name: &str, bound: u64) -> Result<Self> {
        let Some(directory) = directory else {
            let mut nameless = PrivateFile::new(&default_directory())?;
            let file = nameless.file().try_clone().map_err(failed)?;
            return Ok(Self::of(file, None, Some(nameless), 0, bound));
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let name = XxHash3_128::oneshot(name.as_bytes());
        let path = directory.join(format!("{}{name:032x}.jsonl", prefix(list)));
        let file = match found(directory, &path)? {
            Some(file) => file,
            None => {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
                // A link that somebody puts there meanwhile is not followed: the file must be new.
                private().create_new(true).open(&path).map_err(failed)?
            }
        };
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

    /// Takes away what the jobs of a list have left in a directory. It blocks.
    pub(super) fn sweep(directory: &Path, list: &str) {
        let Ok(entries) = std::fs::read_dir(directory) else { return };
        let prefix = prefix(list);
        for entry in entries.take(MOST_ENTRIES).flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                // One that stays costs room, and nothing else.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Takes the file away: nobody will ask for it again.
    pub(super) fn remove(self) {
        if let Some(path) = &self.path {
            // One that stays costs room, and nothing else.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// How the names of the files of a list's jobs begin.
fn prefix(list: &str) -> String {
    format!("lily-bulk-{:032x}-", XxHash3_128::oneshot(list.as_bytes()))
}

/// The file of an earlier run, open; none where there is none, and where what is there is not our own: no regular
/// file, one with another name beside this one, or one that somebody else owns, reads or writes.
fn found(directory: &Path, path: &Path) -> Result<Option<File>> {
    let Ok(named) = std::fs::symlink_metadata(path) else { return Ok(None) };
    if !named.is_file() {
        return Ok(None);
    }
    let Ok(file) = private().open(path) else { return Ok(None) };
    let open = file.metadata().map_err(failed)?;
    Ok(is_ours(directory, &named, &open)?.then_some(file))
}

#[cfg(unix)]
fn is_ours(directory: &Path, named: &Metadata, open: &Metadata) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    // What a new file of ours belongs to is us.
    let us = PrivateFile::new(directory)?.file().metadata().map_err(failed)?.uid();
    // What was opened is what the name stood for, and not what a link in its place leads to.
    let is_same = (named.dev(), named.ino()) == (open.dev(), open.ino());
    Ok(is_same && open.is_file() && open.nlink() == 1 && open.uid() == us && open.mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_ours(_: &Path, _: &Metadata, open: &Metadata) -> Result<bool> {
    Ok(open.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_directory_is_found_again_and_one_over_its_bound_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(Some(directory.path()), "list", "job", 6).unwrap();
        spool.gather(&Bytes::from_static(b"abc")).unwrap();
        spool.write().unwrap();
        drop(spool);
        let mut spool = Spool::open(Some(directory.path()), "list", "job", 6).unwrap();
        assert_eq!(spool.length(), 3);
        spool.gather(&Bytes::from_static(b"def")).unwrap();
        assert_eq!(spool.gather(&Bytes::from_static(b"g")).unwrap_err().code(), "bulk_file_too_large");
        assert_eq!(Spool::open(Some(directory.path()), "list", "another job", 6).unwrap().length(), 0);
        spool.remove();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_the_jobs_of_a_list_left_is_swept_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        for (list, job) in [("list", "a"), ("list", "b"), ("another list", "a")] {
            Spool::open(Some(directory.path()), list, job, 6).unwrap();
        }
        std::fs::write(directory.path().join("theirs.jsonl"), "x").unwrap();
        Spool::sweep(directory.path(), "list");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
        Spool::sweep(&directory.path().join("none"), "list");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_our_own_in_its_place_is_replaced_and_not_written_to() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let open = || Spool::open(Some(directory.path()), "list", "job", 6).unwrap();
        let path = open().path.unwrap();
        let other = directory.path().join("other");
        let private = |path: &Path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        let link = || std::os::unix::fs::symlink(&other, &path).unwrap();
        let hard_link = || std::fs::hard_link(&other, &path).unwrap();
        let readable = || {
            std::fs::write(&path, "theirs").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        };
        let put: [&dyn Fn(); 3] = [&link, &hard_link, &readable];
        for put in put {
            std::fs::write(&other, "theirs").unwrap();
            private(&other);
            std::fs::remove_file(&path).unwrap();
            put();
            let mut spool = open();
            assert_eq!(spool.length(), 0);
            spool.gather(&Bytes::from_static(b"ours")).unwrap();
            spool.write().unwrap();
            assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
            assert_eq!(std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(open().length(), 4, "our own is found again");
        }
    }
}
