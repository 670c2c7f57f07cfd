//! The results of a job: a file of lines, read as it comes, and never believed more than each line says.

use std::time::Duration;

use crate::connector::{BulkJob, FieldAnswer, JobPart, LineAnswer, WriteJobs};
use crate::error::{ErrorKind, Result, Retry};
use crate::sync::lease::Lease;
use crate::sync::push::Push;

/// The longest line that is read: the results name ids and refusals only.
const MAX_LINE_BYTES: usize = 256 * 1024;
/// How many lines more than the job has are looked at.
const SPARE_LINES: usize = 1000;
/// How often a file that breaks off without a byte more is opened again.
const REOPENS: u32 = 5;

/// What a job's file says of its lines.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// By the place of the line; none where the file does not say it.
    pub(super) answers: Vec<Option<FieldAnswer>>,
    /// How many lines of the file could not be read, or belong to no line of the job.
    odd: u64,
    /// How many came twice.
    doubled: u64,
}

impl Results {
    fn new(lines: usize) -> Self {
        Self { answers: vec![None; lines], ..Self::default() }
    }

    fn take(&mut self, answer: LineAnswer) {
        let LineAnswer::At(at, answer) = answer else {
            self.odd += 1;
            return;
        };
        let place = usize::try_from(at).ok().and_then(|at| self.answers.get_mut(at));
        match place {
            None => self.odd += 1,
            Some(place @ None) => *place = Some(answer),
            Some(Some(known)) => {
                self.doubled += 1;
                // Nobody can say which of two answers is the line's.
                if *known != answer {
                    *known = FieldAnswer::Unknown { why: "a job's results answer a line twice".to_owned() };
                }
            }
        }
    }
}

impl Push {
    /// Reads the results of a job that has ended. A file that is gone, cut or broken leaves lines without an answer.
    pub(super) async fn results(
        &self,
        jobs: &dyn WriteJobs,
        job: &BulkJob,
        part: &JobPart,
        lease: &mut Lease,
    ) -> Result<Results> {
        let mut results = Results::new(part.lines.len());
        let mut lines = Lines::new(part.lines.len().saturating_mul(2).saturating_add(SPARE_LINES));
        let (mut offset, mut standing) = (0_u64, 0);
        loop {
            let from = offset;
            let is_whole = match jobs.open(job, offset).await {
                Err(error) => {
                    tracing::warn!(code = error.code(), "the results of a write job could not be opened");
                    let is_lost = matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::Rejected | ErrorKind::TooLarge
                    );
                    is_lost || matches!(error.retry(), Retry::Never)
                }
                Ok(mut body) if body.from <= offset => {
                    let mut skip = offset - body.from;
                    loop {
                        self.renew(lease).await?;
                        match body.chunk().await {
                            Ok(Some(chunk)) => {
                                let passed = skip.min(chunk.len() as u64);
                                skip -= passed;
                                let chunk = chunk.slice(usize::try_from(passed).unwrap_or(chunk.len())..);
                                offset += chunk.len() as u64;
                                lines.feed(&chunk, &mut |line| results.take(jobs.read_line(part, line)));
                                if lines.is_over() {
                                    break true;
                                }
                            }
                            Ok(None) => break body.whole.is_none_or(|whole| offset >= whole),
                            Err(_) => break false,
                        }
                    }
                }
                // It was opened behind what was asked for.
                Ok(_) => true,
            };
            standing = if offset > from { 0 } else { standing + 1 };
            if is_whole || standing > REOPENS {
                break;
            }
            self.runtime.clock().sleep(Duration::from_secs(1)).await;
        }
        // A last line without an end is whole, or no JSON.
        lines.end(&mut |line| results.take(jobs.read_line(part, line)));
        let missing = results.answers.iter().filter(|answer| answer.is_none()).count();
        if missing > 0 || results.odd > 0 || results.doubled > 0 {
            tracing::warn!(
                missing,
                odd = results.odd,
                doubled = results.doubled,
                "the results of a write job do not answer each line once"
            );
        }
        Ok(results)
    }
}

/// Cuts bytes into lines, of which no more than one is kept.
struct Lines {
    line: Vec<u8>,
    is_too_long: bool,
    left: usize,
}

impl Lines {
    fn new(most: usize) -> Self {
        Self { line: Vec::new(), is_too_long: false, left: most }
    }

    /// Whether as many lines came as are looked at.
    fn is_over(&self) -> bool {
        self.left == 0
    }

    fn feed(&mut self, bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.line.len() + piece.len() > MAX_LINE_BYTES {
                self.is_too_long = true;
                self.line.clear();
            } else if !self.is_too_long {
                self.line.extend_from_slice(piece);
            }
            if pieces.peek().is_some() {
                self.end(take);
            }
        }
    }

    fn end(&mut self, take: &mut dyn FnMut(&[u8])) {
        let is_line = self.is_too_long || !self.line.trim_ascii().is_empty();
        if is_line && self.left > 0 {
            self.left -= 1;
            // What is too long is told as what cannot be read.
            take(if self.is_too_long { b"" } else { &self.line });
        }
        self.is_too_long = false;
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&str], most: usize) -> Vec<String> {
        let mut lines = Lines::new(most);
        let mut got = Vec::new();
        let mut take = |line: &[u8]| got.push(String::from_utf8(line.to_vec()).unwrap());
        for piece in pieces {
            lines.feed(piece.as_bytes(), &mut take);
        }
        lines.end(&mut take);
        got
    }

    #[test]
    fn lines_are_cut_wherever_the_pieces_break() {
        for pieces in [&["a\nbc\n\nd"][..], &["a", "\nb", "c\n", "\n", "d"], &["a\nb", "c\n\nd\n"]] {
            assert_eq!(cut(pieces, 10), ["a", "bc", "d"], "{pieces:?}");
        }
        assert_eq!(cut(&["a\nb\nc\nd"], 2), ["a", "b"]);
        let long = "x".repeat(MAX_LINE_BYTES / 2 + 1);
        assert_eq!(cut(&[&long, &long, "\nb\n"], 10), ["", "b"]);
        assert_eq!(cut(&[&long, &long, &long], 10), [""]);
    }

    #[test]
    fn a_line_that_is_answered_twice_is_answered_where_both_agree() {
        let refused = || FieldAnswer::Refused { code: "no".to_owned(), why: "no".to_owned() };
        let mut results = Results::new(3);
        for (at, answer) in [(0, FieldAnswer::Accepted), (1, refused()), (0, FieldAnswer::Accepted)] {
            results.take(LineAnswer::At(at, answer));
        }
        assert_eq!(results.answers, [Some(FieldAnswer::Accepted), Some(refused()), None]);
        results.take(LineAnswer::At(1, FieldAnswer::Accepted));
        assert!(matches!(results.answers.get(1), Some(Some(FieldAnswer::Unknown { .. }))));
        for odd in [LineAnswer::At(3, FieldAnswer::Accepted), LineAnswer::Unplaced, LineAnswer::Unreadable] {
            results.take(odd);
        }
        assert_eq!((results.odd, results.doubled), (3, 2));
        assert_eq!(results.answers.get(2), Some(&None));
    }
}
