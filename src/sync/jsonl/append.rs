//! Lines that are gathered in memory and written behind the caller's back.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinHandle;

use super::failed;
use crate::error::{Error, ErrorKind, Result};

/// How many bytes are gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// Appends lines to a file. While one buffer is written, the next one fills.
///
/// A job that was begun is kept until it has ended, so a dropped future loses nothing and no two jobs ever
/// touch the file at once.
#[derive(Debug)]
pub(super) struct Appender {
    file: Arc<File>,
    /// The lines that no job has yet.
    buffer: Vec<u8>,
    spare: Vec<u8>,
    job: Option<JoinHandle<(Vec<u8>, Result<()>)>>,
    /// The length of the file once the job has ended.
    handed_over: u64,
    /// Whether there are bytes that no sync has covered.
    dirty: bool,
    /// Whether bytes may be missing in the file: it takes nothing more until it is rewound.
    broken: bool,
}

impl Appender {
    /// Goes on at the end of the file's last whole line. It blocks.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let whole = whole_lines(&file, length)?;
        if whole < length {
            file.set_len(whole)?;
        }
        (&file).seek(SeekFrom::Start(whole))?;
        Ok(Self {
            file: Arc::new(file),
            buffer: Vec::new(),
            spare: Vec::new(),
            job: None,
            handed_over: whole,
            dirty: true,
            broken: false,
        })
    }

    /// The length with everything that was taken.
    pub(super) fn length(&self) -> u64 {
        self.handed_over + self.buffer.len() as u64
    }

    /// Takes a line into memory; [`Appender::spill`] comes next.
    pub(super) fn take(&mut self, line: &impl Serialize) -> Result<()> {
        if self.broken {
            return Err(broken());
        }
        let before = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, line) {
            self.buffer.truncate(before);
            return Err(failed(error));
        }
        self.buffer.push(b'\n');
        self.dirty = true;
        Ok(())
    }

    /// Begins to write what was gathered, where it is enough.
    pub(super) async fn spill(&mut self) -> Result<()> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.settle().await?;
            self.begin(Then::Nothing);
        }
        Ok(())
    }

    /// Makes everything durable and gives the length.
    pub(super) async fn sync(&mut self) -> Result<u64> {
        self.settle().await?;
        if self.dirty {
            self.begin(Then::Sync);
            self.settle().await?;
            self.dirty = false;
        }
        Ok(self.handed_over)
    }

    /// Drops everything behind the mark, what is in memory first.
    pub(super) async fn rewind(&mut self, mark: u64) -> Result<()> {
        self.abandon().await;
        let file = Arc::clone(&self.file);
        self.job = Some(tokio::task::spawn_blocking(move || (Vec::new(), cut(&file, mark))));
        self.join().await?;
        (self.handed_over, self.broken, self.dirty) = (mark, false, true);
        Ok(())
    }

    /// Waits for the job and forgets what is in memory. The file then takes nothing until it is rewound.
    pub(super) async fn abandon(&mut self) {
        self.broken = true;
        self.buffer.clear();
        // A failure is no matter: what the job should have written is dropped.
        let _ = self.join().await;
    }

    /// The file, once nothing is left to write.
    pub(super) fn into_file(self) -> Arc<File> {
        self.file
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.spare.capacity()
    }

    async fn settle(&mut self) -> Result<()> {
        self.join().await?;
        if self.broken { Err(broken()) } else { Ok(()) }
    }

    async fn join(&mut self) -> Result<()> {
        let Some(job) = &mut self.job else { return Ok(()) };
        let ended = job.await;
        self.job = None;
        let result = match ended {
            Ok((spare, result)) => {
                self.spare = spare;
                result
            }
            Err(error) => Err(failed(error)),
        };
        self.broken |= result.is_err();
        result
    }

    /// Hands the buffer over. No job may be under way.
    fn begin(&mut self, then: Then) {
        let mut bytes = std::mem::replace(&mut self.buffer, std::mem::take(&mut self.spare));
        self.handed_over += bytes.len() as u64;
        let file = Arc::clone(&self.file);
        self.job = Some(tokio::task::spawn_blocking(move || {
            let mut written = (&*file).write_all(&bytes);
            if matches!(then, Then::Sync) {
                written = written.and_then(|()| file.sync_data());
            }
            bytes.clear();
            bytes.shrink_to(2 * BUFFER_BYTES);
            (bytes, written.map_err(failed))
        }));
    }
}

enum Then {
    Nothing,
    Sync,
}

fn cut(file: &File, mark: u64) -> Result<()> {
    let length = file.metadata().map_err(failed)?.len();
    if length < mark {
        return Err(Error::new(
            ErrorKind::Sink,
            "sink_behind",
            "the file is shorter than the checkpoint's mark",
        )
        .with_context("length", length.to_string())
        .with_context("mark", mark.to_string())
        .with_remedy("put the partial file back, or start the pull anew"));
    }
    if whole_lines(file, mark).map_err(failed)? != mark {
        return Err(Error::new(ErrorKind::Sink, "sink_mark_unknown", "the mark is not the end of a line")
            .with_context("mark", mark.to_string())
            .with_remedy("put back the partial file of this pull, or start the pull anew"));
    }
    file.set_len(mark).map_err(failed)?;
    let mut file = file;
    file.seek(SeekFrom::Start(mark)).map_err(failed)?;
    Ok(())
}

/// The end of the last whole line within the first `length` bytes.
fn whole_lines(mut file: &File, length: u64) -> io::Result<u64> {
    let mut block = [0; 8192];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let wanted = usize::try_from(end - start).unwrap_or(block.len());
        let Some(bytes) = block.get_mut(..wanted) else { break };
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(bytes)?;
        if let Some(found) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + found as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn broken() -> Error {
    Error::new(ErrorKind::Sink, "sink_failed", "an earlier write to the sink's file failed")
        .with_remedy("make room on the disk, and go back to the last mark")
}
