//! The way of a job's file to our disk.

use std::time::Duration;

use super::blocking;
use super::spool::Spool;
use crate::connector::{BulkBody, BulkJob, BulkSource};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::sync::pull::Pull;

/// The longest wait before a download is opened again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a body may be slow.
const SLOW_AFTER: Duration = Duration::from_secs(60);

/// The code of a body that is too slow.
const TOO_SLOW: &str = "body_too_slow";

/// Why there is no whole file, though nothing is wrong on our side: a stable code.
pub(super) type NoFile = &'static str;

/// Fetches what is not here yet of a job's file, of `bytes` where that is known.
///
/// A body that breaks off, or ends before its length, is opened again where it ended.
pub(super) async fn fetch(
    source: &dyn BulkSource,
    job: &BulkJob,
    bytes: Option<u64>,
    mut spool: Spool,
    pull: &Pull,
) -> Result<Result<Spool, NoFile>> {
    let (settings, cancel) = (&pull.bulk, &pull.cancel);
    let mut standing = 0;
    let mut is_whole = bytes.is_some_and(|bytes| spool.length() == bytes);
    // Without a length nobody can tell whether what is here from an earlier run is all of it.
    if spool.length() > bytes.unwrap_or(0) {
        spool = blocking(move || spool.clear().map(|()| spool)).await?;
    }
    while !is_whole {
        let from = spool.length();
        let ended;
        (spool, ended) = fetch_once(source, job, spool, pull).await?;
        is_whole = match &ended {
            Ok(whole) => bytes.or(*whole).is_none_or(|bytes| spool.length() >= bytes),
            Err(error) => match lost(error) {
                Some(code) => {
                    blocking(move || {
                        spool.remove();
                        Ok(())
                    })
                    .await?;
                    return Ok(Err(code));
                }
                None if matches!(error.retry(), Retry::Never) => return ended.map(|_| Err("")),
                None => false,
            },
        };
        if is_whole {
            break;
        }
        let is_slow = ended.as_ref().is_err_and(|error| error.code() == TOO_SLOW);
        standing = if spool.length() > from && !is_slow { 0 } else { standing + 1 };
        if standing > settings.reopens {
            // A body that ends in good order is all that there is; one that breaks off may go on another day.
            return match ended {
                Ok(_) => Ok(Ok(spool)),
                Err(error) => Err(error),
            };
        }
        let wait = Duration::from_secs(1 << standing.min(6)).min(LONGEST_WAIT);
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancel.error()),
            () = pull.clock.sleep(wait) => {}
        }
    }
    Ok(Ok(spool))
}

/// A body that trickles would keep a run for ever, since each piece of it comes in time.
fn too_slow() -> Error {
    Error::new(ErrorKind::Timeout, TOO_SLOW, "the file comes slower than the settings allow")
        .with_retry(Retry::Later)
        .with_remedy("run the pull again later, or allow a lower rate in its settings")
}

/// Why an error means that the file is not to be had; none where it is not about the file. It would come again in
/// each run: a host says with 416, for one, that the file ends before the length that the platform told.
fn lost(error: &Error) -> Option<NoFile> {
    match error.kind() {
        ErrorKind::NotFound => Some("file_gone"),
        ErrorKind::TooLarge => Some("file_too_large"),
        // A refused credential is another matter: it says nothing of the file.
        ErrorKind::Rejected if error.retry() == Retry::Never => Some("file_refused"),
        ErrorKind::Protocol if error.code() == "range_unreadable" => Some("file_unreadable"),
        _ => None,
    }
}

/// Reads one body into the file; what ended it, with the length of the whole file where the answer said it. What
/// came is kept either way.
async fn fetch_once(
    source: &dyn BulkSource,
    job: &BulkJob,
    mut spool: Spool,
    pull: &Pull,
) -> Result<(Spool, Result<Option<u64>>)> {
    let cancel = &pull.cancel;
    let asked = spool.length();
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(cancel.error()),
        opened = source.open(job, asked) => opened,
    };
    let mut body: BulkBody = match opened {
        Ok(body) => body,
        Err(error) => return Ok((spool, Err(error))),
    };
    // A source that cannot seek begins anew: what is here is passed over.
    let Some(mut skip) = asked.checked_sub(body.from) else {
        return Err(Error::new(
            ErrorKind::Protocol,
            "range_unexpected",
            "the file was opened behind the place that was asked for",
        )
        .with_remedy("report it: the source must begin where it is asked to, or before"));
    };
    let (begun, mut came) = (pull.clock.elapsed(), 0_u64);
    loop {
        let chunk = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancel.error()),
            chunk = body.chunk() => chunk,
        };
        let took = pull.clock.elapsed().saturating_sub(begun);
        let chunk = match chunk {
            Ok(Some(chunk)) => {
                came = came.saturating_add(chunk.len() as u64);
                let is_slow = took > SLOW_AFTER && came / took.as_secs().max(1) < pull.bulk.least_rate;
                if is_slow { Err(too_slow()) } else { Ok(Some(chunk)) }
            }
            ended => ended,
        };
        let mut chunk = match chunk {
            Ok(Some(chunk)) => chunk,
            ended => {
                let whole = body.whole;
                spool = blocking(move || spool.write().map(|()| spool)).await?;
                return match ended {
                    Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
                    ended => Ok((spool, ended.map(|_| whole))),
                };
            }
        };
        let passed = skip.min(chunk.len() as u64);
        skip -= passed;
        chunk = chunk.slice(usize::try_from(passed).unwrap_or(chunk.len())..);
        let is_due = match spool.gather(&chunk) {
            Ok(is_due) => is_due,
            Err(error) => return Ok((spool, Err(error))),
        };
        if is_due {
            spool = blocking(move || spool.write().map(|()| spool)).await?;
        }
    }
}
