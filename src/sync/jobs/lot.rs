//! Records that go together: guard reads, the jobs that write them one after the other, and what reads find.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::PART_NOT_SENT;
use super::follow::{Followed, Lost};
use crate::connector::{
    Answer, BulkJob, FieldAnswer, JobLine, JobPart, Patch, Purpose, StagedFile, StartedJob, WriteJobs,
};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{FieldName, GuardKind, RecordRef};
use crate::state::{Op, Outcome, RowId, RowQuery, Unit, WriteJob};
use crate::sync::apply::{Guarded, Run, WINDOW_PASSED};
use crate::sync::lease::Lease;
use crate::sync::push::Push;
use crate::sync::receipt::ReceiptOutcome;
use crate::sync::verdict::Rejection;

/// How many records are read, and verified, by one request.
const READ_TOGETHER: usize = 50;

/// How the fields of records are guarded that go by job.
type Guards = BTreeMap<(RecordRef, FieldName), GuardKind>;

/// A record on its way by job.
struct Entry<'p> {
    guarded: Guarded<'p>,
    /// When its guard read was asked for, and when its last answer was here, by the runtime's clock.
    guarded_at: Duration,
    answered_at: Duration,
    answers: BTreeMap<FieldName, FieldAnswer>,
    /// The fields whose intents are committed.
    committed: BTreeSet<FieldName>,
    /// The fields of which a refusal may be another's fault.
    splits: BTreeSet<FieldName>,
    /// The fields of which lines were not sent.
    unsent: BTreeSet<FieldName>,
}

impl Entry<'_> {
    /// Takes an answer of one line; of several, the worst counts.
    fn fold(&mut self, field: &FieldName, answer: &FieldAnswer, at: Duration) {
        self.answered_at = at;
        match (self.answers.get(field), answer) {
            (None | Some(FieldAnswer::Accepted), _)
            | (Some(FieldAnswer::Refused { .. }), FieldAnswer::Unknown { .. }) => {
                self.answers.insert(field.clone(), answer.clone());
            }
            (Some(_), _) => {}
        }
    }

    fn is_open(&self, field: &FieldName) -> bool {
        self.answers.get(field).is_none_or(|answer| *answer == FieldAnswer::Accepted)
    }
}

/// How sending a lot came out.
enum Sent {
    /// All that was sent is settled, or known to be unknown.
    Through,
    /// Nothing was begun, for this reason: it may be sent again, with new guard reads.
    NotBegun(Error),
}

impl Push {
    /// Applies what may go by job, and leaves in the run's choice what goes record by record.
    pub(in crate::sync) async fn apply_by_job(&self, run: &mut Run<'_>, lease: &mut Lease) -> Result<()> {
        let connector = std::sync::Arc::clone(&self.connector);
        let Some(jobs) = connector.write_jobs() else { return Ok(()) };
        let Some((places, guards)) = self.by_job(jobs, run) else { return Ok(()) };
        let chosen: HashSet<usize> = places.iter().copied().collect();
        let mut paged: Vec<usize> = run.chosen.iter().copied().filter(|at| !chosen.contains(at)).collect();
        let records = usize::try_from(self.settings.jobs.records.get()).unwrap_or(usize::MAX);
        for lot in by_target(run, &places).chunks(records.max(1)) {
            if self.cancel.is_cancelled() {
                break;
            }
            run.chosen = lot.iter().flatten().copied().collect();
            self.apply_lot(jobs, &guards, run, lease, &mut paged).await?;
        }
        // What is unsettled closes its records for the writes that follow.
        if self.settings.wait_for_unknown {
            self.wait_and_settle(run, lease).await?;
        }
        paged.sort_unstable();
        run.chosen = paged;
        Ok(())
    }

    /// The places of the changes that go by job, and how each field is guarded; none where jobs are not used.
    fn by_job(&self, jobs: &dyn WriteJobs, run: &Run<'_>) -> Option<(Vec<usize>, Guards)> {
        let settings = &self.settings.jobs;
        let mut weakest: BTreeMap<(RecordRef, FieldName), Option<GuardKind>> = BTreeMap::new();
        let key = |at: &usize| {
            let change = run.plan.changes.get(*at)?;
            Some(((change.target().clone(), change.cell.field.clone()), change))
        };
        for (key, change) in run.chosen.iter().filter_map(key) {
            let guard = jobs.guard(&change.cell, &change.ours);
            let known = weakest.entry(key).or_insert(guard);
            *known = match (*known, guard) {
                (None, _) | (_, None) => None,
                (Some(GuardKind::CompareAndSet), guard) => guard,
                (weaker, _) => weaker,
            };
        }
        let allowed =
            |guard: GuardKind| guard == GuardKind::CompareAndSet || settings.unguarded_window.is_some();
        let guards: Guards = weakest
            .into_iter()
            .filter_map(|(key, guard)| Some((key, guard.filter(|guard| allowed(*guard))?)))
            .collect();
        let records: HashSet<&RecordRef> = guards.keys().map(|(target, _)| target).collect();
        let prediction = jobs.predict(records.len() as u64);
        if !settings.when.is_for(&prediction) {
            return None;
        }
        let goes = |at: &usize| key(at).is_some_and(|(key, _)| guards.contains_key(&key));
        Some((run.chosen.iter().copied().filter(goes).collect(), guards))
    }

    /// Applies a lot, again where nothing of it was begun; past that, it goes record by record.
    async fn apply_lot(
        &self,
        jobs: &dyn WriteJobs,
        guards: &Guards,
        run: &mut Run<'_>,
        lease: &mut Lease,
        paged: &mut Vec<usize>,
    ) -> Result<()> {
        let (mut attempts, left) = (0, paged.len());
        loop {
            // What an earlier look left to go alone may go by job now.
            paged.truncate(left);
            let fence = lease.fence;
            let entries = self.guard_lot(run, lease, paged).await?;
            if entries.is_empty() {
                return Ok(());
            }
            // Somebody else wrote while these were read: what the first reads found may be old.
            if lease.fence != fence {
                attempts += 1;
                if attempts >= self.settings.guard_attempts {
                    paged.truncate(left);
                    paged.extend(run.chosen.iter().copied());
                    return Ok(());
                }
                continue;
            }
            let places: Vec<usize> =
                entries.iter().flat_map(|(entry, _)| &entry.guarded.sent).map(|sent| sent.at).collect();
            let error = match self.send_lot(jobs, guards, entries, run, lease, paged).await? {
                Sent::Through => return Ok(()),
                Sent::NotBegun(error) => error,
            };
            tracing::warn!(code = error.code(), "a write job was not started");
            attempts += 1;
            // Another upload, or a guard read that is younger, may help; a job that is refused is refused again.
            let may_help =
                matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Timeout)
                    || error.code() == "staged_file_invalid";
            if !may_help || attempts >= self.settings.guard_attempts {
                paged.extend(places);
                return Ok(());
            }
        }
    }

    /// Reads the records of a lot, asks the log once more, and makes rows and patches. Nothing is committed yet.
    async fn guard_lot<'p>(
        &self,
        run: &mut Run<'p>,
        lease: &mut Lease,
        paged: &mut Vec<usize>,
    ) -> Result<Vec<(Entry<'p>, Patch)>> {
        let mut entries = Vec::new();
        for group in run.targets().chunks(READ_TOGETHER) {
            self.renew(lease).await?;
            let mut found = match self.read(group, Purpose::Guard).await {
                Ok(found) => found,
                Err(error) => {
                    for target in group {
                        for (at, _) in run.changes_of(target) {
                            run.set_unsent(at, &error);
                        }
                    }
                    continue;
                }
            };
            let guarded_at = self.runtime.clock().elapsed().saturating_sub(found.took);
            self.renew(lease).await?;
            let open = self.state.rows(self.store(), &RowQuery::Unsettled).await?;
            for target in group {
                let sent = self.intents(target, &found, &open, run).await?;
                let Some(guard) = found.records.remove(target).filter(|_| !sent.is_empty()) else { continue };
                let guarded = Guarded { target: target.clone(), guard, sent };
                let patch = match self.stays_filled(&guarded).await {
                    Ok(()) => self.patch(&guarded),
                    Err(error) => Err(error),
                };
                // What cannot be sent is told as it is when it goes alone.
                let Ok(patch) = patch else {
                    paged.extend(guarded.sent.iter().map(|sent| sent.at));
                    continue;
                };
                let entry = Entry {
                    guarded,
                    guarded_at,
                    answered_at: guarded_at,
                    answers: BTreeMap::new(),
                    committed: BTreeSet::new(),
                    splits: BTreeSet::new(),
                    unsent: BTreeSet::new(),
                };
                entries.push((entry, patch));
            }
        }
        Ok(entries)
    }

    /// Has the jobs of a lot run, one after the other, and settles what they wrote.
    async fn send_lot<'p>(
        &self,
        jobs: &dyn WriteJobs,
        guards: &Guards,
        entries: Vec<(Entry<'p>, Patch)>,
        run: &mut Run<'p>,
        lease: &mut Lease,
        paged: &mut Vec<usize>,
    ) -> Result<Sent> {
        let fence = lease.fence;
        let (mut entries, patches): (Vec<Entry<'p>>, Vec<Patch>) = entries.into_iter().unzip();
        let bytes = self.settings.jobs.bytes.min(jobs.max_bytes());
        let cut = match jobs.cut(&patches, bytes).await {
            Ok(cut) => cut,
            Err(error) => {
                for sent in entries.iter().flat_map(|entry| &entry.guarded.sent) {
                    run.set_unsent(sent.at, &error);
                }
                return Ok(Sent::Through);
            }
        };
        drop(patches);
        let left: HashSet<usize> = cut.left.into_iter().collect();
        let lot = RowId::new(self.now(), &**self.runtime.entropy())?.to_string().replace('-', "");
        let mut noted: Option<WriteJob> = None;
        let (mut is_stopped, mut is_given_up) = (false, false);
        for (number, part) in cut.parts.into_iter().enumerate() {
            let (part, dropped) = open_lines(part, &left, &entries);
            note_unsent(&dropped, &mut entries);
            if is_stopped || part.lines.is_empty() {
                note_unsent(&part.lines, &mut entries);
                continue;
            }
            let is_first = noted.is_none();
            let until = self.window_end(&part, guards, &entries);
            let clock = self.runtime.clock();
            self.hold(lease, self.settings.jobs.upload_timeout).await?;
            let file = jobs.upload(&part, self.settings.jobs.upload_timeout).await;
            self.renew(lease).await?;
            let file = match file {
                // Somebody else may have written meanwhile, past what our guard reads found.
                Ok(_) if lease.fence != fence => Err(late("lease_lapsed")),
                Ok(_) if until.is_some_and(|until| clock.elapsed() >= until) => Err(late(WINDOW_PASSED)),
                file => file,
            };
            let file = match file {
                Ok(file) => file,
                Err(error) if is_first => return Ok(Sent::NotBegun(error)),
                Err(error) => {
                    tracing::warn!(code = error.code(), "a further write job of a lot was not started");
                    note_unsent(&part.lines, &mut entries);
                    is_stopped = true;
                    continue;
                }
            };

            // W1: the intents, and the name that the job is found by, before a byte of its start leaves.
            let now = self.now();
            let send_by = now.saturating_add(self.settings.send_window);
            let over_by = until.map(|until| now.saturating_add(until.saturating_sub(clock.elapsed())));
            let job = WriteJob::new(format!("{lot}p{number}").into(), run.push, now, send_by).until(over_by);
            let rows = new_rows(&part, &mut entries, now, send_by);
            let mut ops: Vec<Op> = rows.iter().map(|(_, op)| op.clone()).collect();
            ops.extend(noted.take().map(|before| Op::EndWriteJob { tag: before.tag }));
            ops.push(Op::NoteWriteJob(Box::new(job.clone())));
            self.state.commit(self.store(), Unit::fenced(fence, ops)).await?;
            let started = match self.start(jobs, &part, &file, &job, until, lease).await? {
                Ok(started) => Lost::Found(started),
                Err(error) if error.effect() == Effect::Possible => self.find_lost(jobs, &job, lease).await?,
                Err(error) => {
                    let at = self.now();
                    let outcome = Outcome::Refused { code: error.code().into(), at };
                    let mut ops: Vec<Op> = rows
                        .iter()
                        .map(|(row, _)| Op::Settle { row: *row, outcome: outcome.clone() })
                        .collect();
                    ops.push(Op::EndWriteJob { tag: job.tag.clone() });
                    self.state.commit(self.store(), Unit::fenced(lease.fence, ops)).await?;
                    let refused: HashSet<RowId> = rows.iter().map(|(row, _)| *row).collect();
                    take_back(&refused, &mut entries);
                    if is_first {
                        return Ok(Sent::NotBegun(error));
                    }
                    tracing::warn!(code = error.code(), "a further write job of a lot was not started");
                    note_unsent(&part.lines, &mut entries);
                    is_stopped = true;
                    continue;
                }
            };
            let started = match started {
                Lost::Found(started) => started,
                lost => {
                    fold_all(&part, "the answer to a job's start was lost", clock.elapsed(), &mut entries);
                    (is_stopped, is_given_up) = (true, matches!(lost, Lost::GivenUp));
                    noted = Some(job);
                    continue;
                }
            };
            let job = job.started(started.job.0.clone());
            self.renew(lease).await?;
            let op = Op::NoteWriteJob(Box::new(job.clone()));
            self.state.commit(self.store(), Unit::fenced(lease.fence, vec![op])).await?;
            noted = Some(job);
            match self.follow(jobs, &started.job, until, lease).await? {
                Followed::GivenUp => {
                    fold_all(&part, "nobody knows how far the job is", clock.elapsed(), &mut entries);
                    (is_stopped, is_given_up) = (true, true);
                }
                Followed::Ended { is_done, has_file } => {
                    let ended_at = clock.elapsed();
                    self.take_results(jobs, &started.job, &part, has_file, ended_at, &mut entries, lease)
                        .await?;
                    // What a job that was cut short has not done, the next ones do not go on with.
                    is_stopped |= !is_done;
                }
            }
        }
        self.settle_lot(entries, guards, run, lease, paged).await?;
        if let Some(job) = noted.filter(|_| !is_given_up) {
            let op = Op::EndWriteJob { tag: job.tag };
            self.state.commit(self.store(), Unit::fenced(lease.fence, vec![op])).await?;
        }
        Ok(Sent::Through)
    }

    /// Starts a job, and waits for a place among those that the platform runs at once. Each time that it is asked
    /// again, the state says until when a byte may leave.
    async fn start(
        &self,
        jobs: &dyn WriteJobs,
        part: &JobPart,
        file: &StagedFile,
        noted: &WriteJob,
        until: Option<Duration>,
        lease: &mut Lease,
    ) -> Result<Result<StartedJob>> {
        let clock = self.runtime.clock();
        let (began, wait) = (clock.elapsed(), jobs.poll_plan().then);
        let fence = lease.fence;
        loop {
            let sendable = clock.elapsed().saturating_add(self.settings.send_window);
            let not_after = until.map_or(sendable, |until| until.min(sendable));
            let started = jobs.start(part, file, &noted.tag, not_after).await;
            self.renew(lease).await?;
            let asked_again = clock.elapsed().saturating_add(wait);
            let waits = asked_again.saturating_sub(began) <= self.settings.jobs.wait_for_place
                && until.is_none_or(|until| asked_again < until)
                && !self.cancel.is_cancelled();
            match &started {
                Err(error)
                    if error.kind() == ErrorKind::RateLimited && error.effect() == Effect::None && waits => {}
                _ => return Ok(started),
            }
            clock.sleep(wait).await;
            self.renew(lease).await?;
            if lease.fence != fence {
                return Ok(Err(late("lease_lapsed")));
            }
            let send_by = self.now().saturating_add(self.settings.send_window);
            let op = Op::NoteWriteJob(Box::new(WriteJob { send_by, ..noted.clone() }));
            self.state.commit(self.store(), Unit::fenced(fence, vec![op])).await?;
        }
    }

    /// When the job of a part must be over, where it writes what the platform does not guard.
    fn window_end(&self, part: &JobPart, guards: &Guards, entries: &[Entry<'_>]) -> Option<Duration> {
        let window = self.settings.jobs.unguarded_window?;
        let of_line = |line: &JobLine| {
            let entry = entries.get(line.patch)?;
            let is_guarded = line.fields.iter().all(|field| {
                guard_of(guards, &entry.guarded.target, field) == Some(GuardKind::CompareAndSet)
            });
            (!is_guarded).then(|| entry.guarded_at.saturating_add(window))
        };
        part.lines.iter().filter_map(of_line).min()
    }

    #[expect(clippy::too_many_arguments, reason = "one job, and what came of it")]
    async fn take_results(
        &self,
        jobs: &dyn WriteJobs,
        job: &BulkJob,
        part: &JobPart,
        has_file: bool,
        ended_at: Duration,
        entries: &mut [Entry<'_>],
        lease: &mut Lease,
    ) -> Result<()> {
        let answers = match has_file {
            true => self.results(jobs, job, part, lease).await?.answers,
            false => vec![None; part.lines.len()],
        };
        for (line, answer) in part.lines.iter().zip(answers) {
            let answer = answer.unwrap_or_else(|| FieldAnswer::Unknown {
                why: "the job's results do not answer the line".to_owned(),
            });
            fold_line(line, &answer, ended_at, entries);
        }
        Ok(())
    }

    /// Reads back what was sent, settles its rows, and says what goes record by record after all.
    async fn settle_lot(
        &self,
        mut entries: Vec<Entry<'_>>,
        guards: &Guards,
        run: &mut Run<'_>,
        lease: &mut Lease,
        paged: &mut Vec<usize>,
    ) -> Result<()> {
        for entry in &mut entries {
            let Entry { guarded, committed, answers, unsent, .. } = entry;
            guarded.sent.retain(|sent| {
                let is_sent = committed.contains(&sent.change.cell.field);
                if !is_sent {
                    paged.push(sent.at);
                }
                is_sent
            });
            for field in unsent.iter().filter(|field| committed.contains(*field)) {
                if answers.get(field).is_none_or(|answer| *answer == FieldAnswer::Accepted) {
                    let why = "a part of it was not sent".to_owned();
                    answers
                        .insert(field.clone(), FieldAnswer::Refused { code: PART_NOT_SENT.to_owned(), why });
                }
            }
        }
        entries.retain(|entry| !entry.guarded.sent.is_empty());
        let told: HashMap<RecordRef, Duration> = entries
            .iter()
            .map(|entry| {
                let window = entry.answered_at.saturating_sub(entry.guarded_at);
                (entry.guarded.target.clone(), window)
            })
            .collect();
        let default = self.connector.capabilities().guard;
        let guard = |target: &RecordRef, field: &FieldName| {
            let window = told.get(target).copied().unwrap_or_default();
            (guard_of(guards, target, field).unwrap_or(default), window)
        };
        let is_several = entries.len() > 1;
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            self.renew(lease).await?;
            let (mut group, mut answers, mut retried) = (Vec::new(), Vec::new(), Vec::new());
            for entry in entries.by_ref().take(READ_TOGETHER) {
                for sent in &entry.guarded.sent {
                    let field = &sent.change.cell.field;
                    if is_several {
                        run.batched.push(sent.at);
                    }
                    if entry.splits.contains(field) || entry.unsent.contains(field) {
                        retried.push(sent.at);
                    }
                }
                let fields = entry.answers.into_iter().collect();
                answers.push(Answer::new(entry.guarded.target.clone(), fields));
                group.push(entry.guarded);
            }
            self.verify(group, &answers, &guard, lease.fence, run).await?;
            // Refused for another's fault, or not sent: alone, it may land.
            paged.extend(retried.into_iter().filter(|at| {
                let outcome = run.receipts.get(*at).map(|receipt| &receipt.outcome);
                matches!(outcome, Some(ReceiptOutcome::Rejected(Rejection::Refused { .. })))
            }));
        }
        Ok(())
    }
}

/// The places of changes by record, in the order in which the records come first.
fn by_target(run: &Run<'_>, places: &[usize]) -> Vec<Vec<usize>> {
    let mut known: HashMap<&RecordRef, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in places {
        let Some(change) = run.plan.changes.get(*at) else { continue };
        let group = *known.entry(change.target()).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(places) => places.push(*at),
            None => groups.push(vec![*at]),
        }
    }
    groups
}

fn guard_of(guards: &Guards, target: &RecordRef, field: &FieldName) -> Option<GuardKind> {
    guards.get(&(target.clone(), field.clone())).copied()
}

/// The lines of a part that may go: those of patches that are left to others, and of fields of which an earlier line
/// was not accepted, may not. The latter are given, too.
fn open_lines(part: JobPart, left: &HashSet<usize>, entries: &[Entry<'_>]) -> (JobPart, Vec<JobLine>) {
    let (mut open, mut dropped) = (Vec::new(), Vec::new());
    for line in part.lines.into_iter().filter(|line| !left.contains(&line.patch)) {
        let Some(entry) = entries.get(line.patch) else { continue };
        if line.fields.iter().all(|field| entry.is_open(field)) {
            open.push(line)
        } else {
            dropped.push(line)
        }
    }
    (JobPart::new(part.kind, open), dropped)
}

/// Takes the rows of the fields that this part is the first to write.
fn new_rows(
    part: &JobPart,
    entries: &mut [Entry<'_>],
    now: crate::time::Timestamp,
    send_by: crate::time::Timestamp,
) -> Vec<(RowId, Op)> {
    let mut rows = Vec::new();
    for line in &part.lines {
        let Some(entry) = entries.get_mut(line.patch) else { continue };
        for field in &line.fields {
            if line.splits {
                entry.splits.insert(field.clone());
            }
            if !entry.committed.insert(field.clone()) {
                continue;
            }
            for sent in entry.guarded.sent.iter_mut().filter(|sent| sent.change.cell.field == *field) {
                (sent.row.at, sent.row.send_by) = (now, send_by);
                rows.push((sent.row.id, Op::Append(Box::new(sent.row.clone()))));
            }
        }
    }
    rows
}

/// The fields of rows that were refused count as not committed.
fn take_back(refused: &HashSet<RowId>, entries: &mut [Entry<'_>]) {
    for entry in entries {
        for sent in entry.guarded.sent.iter().filter(|sent| refused.contains(&sent.row.id)) {
            entry.committed.remove(&sent.change.cell.field);
        }
    }
}

fn note_unsent(lines: &[JobLine], entries: &mut [Entry<'_>]) {
    for line in lines {
        if let Some(entry) = entries.get_mut(line.patch) {
            entry.unsent.extend(line.fields.iter().cloned());
        }
    }
}

fn fold_line(line: &JobLine, answer: &FieldAnswer, at: Duration, entries: &mut [Entry<'_>]) {
    if let Some(entry) = entries.get_mut(line.patch) {
        for field in &line.fields {
            entry.fold(field, answer, at);
        }
    }
}

fn fold_all(part: &JobPart, why: &str, at: Duration, entries: &mut [Entry<'_>]) {
    for line in &part.lines {
        fold_line(line, &FieldAnswer::Unknown { why: why.to_owned() }, at, entries);
    }
}

fn late(code: &'static str) -> Error {
    Error::new(ErrorKind::Timeout, code, "the upload of a write job took too long")
}

#[cfg(test)]
mod tests;
