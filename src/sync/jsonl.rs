//! A sink that writes JSON Lines: one record a line.

mod append;
mod close;

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Serialize;

use super::{Delivery, Rejected, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, ExternalId, Record};
use crate::state::SinkMark;
use append::Appender;

/// Writes records to a file, one JSON object a line, each with `entity` and `ref.id`.
///
/// While a pull runs, its lines are in `<path>.partial`; [`JsonlSink::finish`] puts the file in its place.
/// A mark is the length of the partial file in bytes, made durable. Records that could not be mapped go to
/// `<path>.rejected`, which is only made when there is one: each line has `entity`, `id`, `reasons`, and `at`,
/// the length of the partial file when it came. Going back to a mark drops those that came later; one that
/// came right behind the mark may be there twice.
///
/// It holds two buffers of about 256 KiB (more only while one record is longer), and 8 bytes a record.
/// A `write` whose future is dropped may have taken some of its records: go back to the last mark.
#[derive(Debug)]
pub struct JsonlSink {
    path: PathBuf,
    lines: Appender,
    rejected: Option<Appender>,
    keys: Keys,
    /// The last mark, and how many lines lie before it.
    marked: Option<(u64, usize)>,
}

/// What [`JsonlSink::finish`] made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonlFinished {
    /// How many records the file has, each once.
    pub records: u64,
    /// How many lines were left out because a later line has the same record.
    pub repeated: u64,
}

/// The hashes of the records' keys, in the order of the lines.
#[derive(Debug)]
enum Keys {
    Known(Vec<u64>),
    /// The file has lines of an earlier process: they are read when it is closed.
    Unread,
}

impl JsonlSink {
    /// Begins `<path>.partial`, or goes on with the one that an earlier run left: then go back to its mark
    /// before anything is written. A line that was cut off at the end is taken away.
    ///
    /// It blocks for a few file operations.
    ///
    /// # Errors
    /// `Sink` with code `sink_not_a_file` where there is something else than a plain file, with `sink_in_use`
    /// where another sink has the file, with `sink_failed` where it cannot be made or read.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        Self::open(&path).map_err(|error| in_file(error, &path))
    }

    fn open(path: &Path) -> Result<Self> {
        for path in [path, &beside(path, ".partial"), &beside(path, ".rejected")] {
            must_be_plain(path)?;
        }
        let lines = open_locked(&beside(path, ".partial"))?;
        let lines = Appender::new(lines).map_err(failed)?;
        let fresh = lines.length() == 0;
        if fresh {
            // What a finished run rejected is not this run's.
            remove(&beside(path, ".rejected")).map_err(failed)?;
        }
        close::sync_folder(path).map_err(failed)?;
        let keys = if fresh { Keys::Known(Vec::new()) } else { Keys::Unread };
        Ok(Self { path: path.to_owned(), lines, rejected: None, keys, marked: None })
    }

    /// Puts the file in its place: what was at the path is replaced, in one step.
    ///
    /// Of lines with the same entity, id, locale and scope only the last one is kept, where it stands; the
    /// others keep their order. The partial file is gone afterwards. Where nothing is repeated, nothing is
    /// copied.
    ///
    /// # Errors
    /// `Sink` with code `sink_failed` where the disk gave an error, with `sink_line_unreadable` where a line
    /// of an earlier process is no record. The partial file is then still there.
    pub async fn finish(self) -> Result<JsonlFinished> {
        let path = self.path.clone();
        self.close().await.map_err(|error| in_file(error, &path))
    }

    async fn close(mut self) -> Result<JsonlFinished> {
        self.make_durable().await?;
        let Self { path, lines, rejected, keys, .. } = self;
        drop(rejected);
        let partial = lines.into_file();
        blocking(move || {
            let hashes = match keys {
                Keys::Known(hashes) => hashes,
                Keys::Unread => close::read_hashes(&partial)?,
            };
            close::close(&partial, &beside(&path, ".partial"), &path, hashes)
        })
        .await
    }

    async fn make_durable(&mut self) -> Result<u64> {
        if let Some(rejected) = &mut self.rejected {
            rejected.sync().await?;
        }
        self.lines.sync().await
    }

    async fn rewind_rejected(&mut self, mark: u64) -> Result<()> {
        if let Some(mut rejected) = self.rejected.take() {
            rejected.abandon().await;
        }
        let path = beside(&self.path, ".rejected");
        blocking(move || {
            if mark == 0 { remove(&path) } else { close::cut_rejected(&path, mark) }.map_err(failed)
        })
        .await
    }

    async fn put(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            self.lines.take(record)?;
            if let Keys::Known(hashes) = &mut self.keys {
                hashes.push(close::short(close::record_key(record)));
            }
            self.lines.spill().await?;
        }
        Ok(())
    }

    async fn put_rejected(&mut self, rejected: &Rejected) -> Result<()> {
        let line = RejectedLine {
            entity: rejected.entity,
            id: rejected.id.as_ref(),
            reasons: &rejected.reasons,
            at: self.lines.length(),
        };
        let file = match &mut self.rejected {
            Some(file) => file,
            None => {
                let path = beside(&self.path, ".rejected");
                let file = blocking(move || {
                    let file = options().open(&path).and_then(Appender::new).map_err(failed)?;
                    close::sync_folder(&path).map_err(failed)?;
                    Ok(file)
                });
                self.rejected.insert(file.await?)
            }
        };
        file.take(&line)?;
        file.spill().await
    }

    async fn go_back(&mut self, mark: SinkMark) -> Result<()> {
        self.lines.rewind(mark.0).await?;
        self.rewind_rejected(mark.0).await?;
        self.keys = match (std::mem::replace(&mut self.keys, Keys::Unread), self.marked.take()) {
            (Keys::Known(mut hashes), Some((marked, lines))) if marked == mark.0 => {
                hashes.truncate(lines);
                self.marked = Some((marked, lines));
                Keys::Known(hashes)
            }
            _ if mark.0 == 0 => Keys::Known(Vec::new()),
            _ => Keys::Unread,
        };
        Ok(())
    }
}

#[async_trait]
impl Sink for JsonlSink {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }

    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.put(records).await.map_err(|error| in_file(error, &self.path))
    }

    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        self.put_rejected(rejected).await.map_err(|error| in_file(error, &self.path))
    }

    async fn mark(&mut self) -> Result<SinkMark> {
        let mark = self.make_durable().await.map_err(|error| in_file(error, &self.path))?;
        if let Keys::Known(hashes) = &self.keys {
            self.marked = Some((mark, hashes.len()));
        }
        Ok(SinkMark(mark))
    }

    async fn rewind(&mut self, mark: SinkMark) -> Result<()> {
        self.go_back(mark).await.map_err(|error| in_file(error, &self.path))
    }
}

#[derive(Serialize)]
struct RejectedLine<'a> {
    entity: Entity,
    id: Option<&'a ExternalId>,
    reasons: &'a [String],
    at: u64,
}

/// Refuses what a finished file would replace without being one, such as a link or a device.
fn must_be_plain(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(Error::new(
            ErrorKind::Sink,
            "sink_not_a_file",
            "the sink writes to a plain file, and something else has this name",
        )
        .with_context("file", path.display().to_string())
        .with_remedy("name a file that does not exist yet, or one that may be replaced")),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Says which file it was, where nothing says it yet.
fn in_file(error: Error, path: &Path) -> Error {
    if error.code() == "sink_failed" { error.with_context("file", path.display().to_string()) } else { error }
}

/// Opens the file as the only sink that has it.
fn open_locked(path: &Path) -> Result<File> {
    loop {
        let file = options().open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Sink, "sink_in_use", "another sink writes this file")
                    .with_context("file", path.display().to_string())
                    .with_remedy("wait for the other pull, or name another file"));
            }
            // Some network disks know no locks; then it is up to the caller.
            Err(std::fs::TryLockError::Error(error)) if error.kind() == IoErrorKind::Unsupported => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Between the opening and the lock another sink may have finished and moved the file away.
        if has_name(&file, path).map_err(failed)? {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn has_name(file: &File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (file.dev(), file.ino())),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn has_name(_: &File, path: &Path) -> std::io::Result<bool> {
    path.try_exists()
}

fn options() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != IoErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Sink, "sink_failed", "the sink's file could not be read or written")
        .with_remedy(
            "look at the disk and the rights of the folder, and start again: it goes on at the last mark",
        )
        .with_source(error)
}

#[cfg(test)]
mod tests;
