//! Closing the file: of repeated records the last line stays.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind as IoErrorKind, Seek, Write};
use std::path::Path;

use serde::Deserialize;
use twox_hash::XxHash3_128;

use super::{JsonlFinished, beside, failed, options, remove};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Record, Text};

/// Closes the partial file into its place. The file holds its lock until this is done.
pub(super) fn close(file: &File, partial: &Path, path: &Path, mut hashes: Vec<u64>) -> Result<JsonlFinished> {
    let lines = hashes.len() as u64;
    hashes.sort_unstable();
    // Two records may share a short hash by chance, so these are only candidates.
    let candidates: HashSet<u64> = hashes
        .windows(2)
        .filter_map(|pair| (pair.first() == pair.last()).then(|| pair.first().copied())?)
        .collect();
    drop(hashes);

    let mut repeated = 0;
    if candidates.is_empty() {
        std::fs::rename(partial, path).map_err(failed)?;
    } else {
        let copy = beside(path, ".closing");
        repeated = match copy_last(file, &copy, &candidates) {
            Ok(repeated) => repeated,
            Err(error) => {
                // The first error is the one to tell.
                let _ = remove(&copy);
                return Err(error);
            }
        };
        std::fs::rename(&copy, path).and_then(|()| remove(partial)).map_err(failed)?;
    }
    sync_folder(path).map_err(failed)?;
    Ok(JsonlFinished { records: lines - repeated, repeated })
}

/// The short hashes of the records in a file, in the order of its lines.
pub(super) fn read_hashes(file: &File) -> Result<Vec<u64>> {
    let mut hashes = Vec::new();
    each_line(file, |_, line| {
        hashes.push(short(line_key(line)?));
        Ok(())
    })?;
    Ok(hashes)
}

/// Cuts the rejected records that came behind the mark. One that came at the mark may have come before it.
pub(super) fn cut_rejected(path: &Path, mark: u64) -> io::Result<()> {
    #[derive(Deserialize)]
    struct Line {
        at: u64,
    }
    let file = match options().create(false).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let (mut reader, mut line, mut kept) = (BufReader::new(&file), Vec::new(), 0);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        let stays =
            serde_json::from_slice(&line).is_ok_and(|Line { at }| at <= mark) && line.ends_with(b"\n");
        if !stays {
            break;
        }
        kept += length as u64;
    }
    if kept == 0 {
        return remove(path);
    }
    file.set_len(kept)
}

/// Makes the names in the file's folder durable, where the system can.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// What makes a line the same record as another.
pub(super) fn record_key(record: &Record) -> u128 {
    let (reference, (locale, scope)) = (record.reference(), record.place_of());
    key(reference.kind.as_str(), reference.id.as_str(), locale.map(Text::as_str), scope.map(Text::as_str))
}

/// The part of a key that is kept for each line.
#[expect(clippy::cast_possible_truncation, reason = "half of the hash's bits are meant")]
pub(super) fn short(key: u128) -> u64 {
    key as u64
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    entity: Cow<'a, str>,
    #[serde(rename = "ref", borrow)]
    reference: Reference<'a>,
    #[serde(default)]
    locale: Option<Cow<'a, str>>,
    #[serde(default)]
    scope: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

fn line_key(line: &[u8]) -> Result<u128> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|_| {
        Error::new(ErrorKind::Sink, "sink_line_unreadable", "a line of the partial file is no record")
    })?;
    Ok(key(&line.entity, &line.reference.id, line.locale.as_deref(), line.scope.as_deref()))
}

fn key(entity: &str, id: &str, locale: Option<&str>, scope: Option<&str>) -> u128 {
    // The bytes 0xfe and 0xff are in no UTF-8 text: different parts never give the same bytes.
    let locale = locale.map_or(b"\xfe".as_slice(), str::as_bytes);
    let scope = scope.map_or(b"\xfe".as_slice(), str::as_bytes);
    XxHash3_128::oneshot(&[entity.as_bytes(), id.as_bytes(), locale, scope].join(&0xff))
}

/// Copies the lines to a new file without those that come again, and counts what it left out.
fn copy_last(file: &File, copy: &Path, candidates: &HashSet<u64>) -> Result<u64> {
    let (mut last, mut overtaken) = (HashMap::new(), HashSet::new());
    each_line(file, |number, line| {
        let key = line_key(line)?;
        if candidates.contains(&short(key)) {
            overtaken.extend(last.insert(key, number));
        }
        Ok(())
    })?;
    drop(last);
    let made = options().truncate(true).open(copy).map_err(failed)?;
    let mut writer = BufWriter::with_capacity(64 * 1024, made);
    each_line(file, |number, line| {
        if overtaken.contains(&number) { Ok(()) } else { writer.write_all(line).map_err(failed) }
    })?;
    let made = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    made.sync_data().map_err(failed)?;
    Ok(overtaken.len() as u64)
}

fn each_line(mut file: &File, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    file.rewind().map_err(failed)?;
    let (mut reader, mut line) = (BufReader::with_capacity(64 * 1024, file), Vec::new());
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        take(number, &line).map_err(|error| error.with_context("line", number.to_string()))?;
    }
    Ok(())
}
