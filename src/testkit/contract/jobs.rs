//! Writes by jobs that the platform runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::batches::check_true;
use super::engine::enriched;
use super::fixture::ContractFixture;
use super::violation::{Checked, Claim, Outcome, Violation};
use super::writable::{guard, patch, written};
use crate::connector::{
    Answer, BulkJob, BulkSource, BulkState, Connector, ConnectorInfo, DeletionSource, FieldAnswer, FoundJob,
    Health, JobPart, Known, LineAnswer, LookUp, Page, PullRequest, PushRequest, WebhookSource, WriteJobs,
};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::SchemaMap;
use crate::model::{Capabilities, Cell, CellValue, Entity, FieldName, RecordRef, Reversible, View};
use crate::state::MemoryState;
use crate::sync::bulk::BulkUse;
use crate::sync::{Approvals, ChangeVerdict, JobSettings, Push, PushSettings};

const NO_JOBS: Checked = Checked::NotClaimed("no write jobs are claimed");
/// The most polls until a job must be over.
const POLLS: u32 = 10_000;
const UPLOAD: Duration = Duration::from_secs(60);

/// What came of one job: by line, the answers that the results hold of it.
async fn run(
    fixture: &dyn ContractFixture,
    jobs: &dyn WriteJobs,
    part: &JobPart,
    tag: &str,
    stored: &(dyn Fn() -> Vec<Option<Value>> + Sync),
    claim: Claim,
) -> Result<Vec<Vec<FieldAnswer>>, Violation> {
    let runtime = fixture.runtime();
    let clock = runtime.clock();
    let since = clock.now();
    let as_it_was = stored();
    let file = claim.done("an upload", jobs.upload(part, UPLOAD).await)?;
    let is_over = clock.elapsed();
    clock.sleep(Duration::from_secs(1)).await;
    let late = jobs.start(part, &file, tag, is_over).await;
    claim.check(late.is_err(), || "a job was started past its time".to_owned())?;
    let before = claim.done("a search", jobs.find(tag, since).await)?;
    claim.check(!matches!(before, FoundJob::Job(_)), || format!("{before:?} before the start of a job"))?;

    claim.check(stored() == as_it_was, || "a record changed before a start".to_owned())?;
    let not_after = clock.elapsed().saturating_add(Duration::from_secs(30));
    let started = claim.done("a start", jobs.start(part, &file, tag, not_after).await)?;
    let found = claim.done("a search", jobs.find(tag, since).await)?;
    let is_found = matches!(&found, FoundJob::Job(found) if found.job == started.job);
    claim.check(is_found, || format!("{found:?} in the place of the job that was started"))?;
    let other = claim.done("a search", jobs.find(&format!("{tag}other"), since).await)?;
    claim.check(!matches!(other, FoundJob::Job(_)), || format!("{other:?} for a name that no job has"))?;

    let plan = jobs.poll_plan();
    let mut polls = 0;
    let done = loop {
        clock.sleep(plan.wait(polls)).await;
        polls += 1;
        match claim.done("a poll", jobs.poll(&started.job).await)? {
            BulkState::Running { .. } if polls < POLLS => {}
            BulkState::Done(done) => break done,
            state => return Err(claim.violated(format!("a job that is {state:?} after {polls} polls"))),
        }
    };
    claim.check(done.has_data, || "no file of results".to_owned())?;
    let unknown = claim.done("a poll", jobs.poll(&BulkJob("no-such-job".into())).await);
    let is_unknown = !matches!(unknown, Ok(BulkState::Running { .. } | BulkState::Done(_)));
    claim.check(is_unknown, || "a job that there is not runs, or is done".to_owned())?;

    let mut body = claim.done("opening the results", jobs.open(&started.job, 0).await)?;
    let mut text = Vec::new();
    while let Some(chunk) = claim.done("reading the results", body.chunk().await)? {
        text.extend_from_slice(&chunk);
    }
    let mut answers = vec![Vec::new(); part.lines.len()];
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let LineAnswer::At(at, answer) = jobs.read_line(part, line) else {
            return Err(claim.violated("a line of the results that is no answer"));
        };
        let place = usize::try_from(at).ok().and_then(|at| answers.get_mut(at));
        match place {
            Some(place) => place.push(answer),
            None => return Err(claim.violated(format!("an answer to line {at} of {}", part.lines.len()))),
        }
        // Half a line is none.
        let half = line.get(..line.len() / 2).unwrap_or_default();
        let cut = jobs.read_line(part, half);
        claim.check(!matches!(cut, LineAnswer::At(_, FieldAnswer::Accepted)), || {
            format!("{cut:?} from half a line")
        })?;
    }
    Ok(answers)
}

pub(super) async fn a_write_job_answers_each_line_truly(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let Some(jobs) = connector.write_jobs() else { return Ok(NO_JOBS) };
    let mut outcome = Checked::NotClaimed("no job writes a field, or nothing can be deleted");
    for entity in written(&*connector) {
        let mut ids = fixture.ids(entity.entity);
        ids.sort();
        let (Some([first, gone, last]), Some(field)) = (ids.get(..3), entity.writable.first()) else {
            continue;
        };
        let target = RecordRef::new(connector.info().store.platform.clone(), entity.entity, first.clone());
        if jobs.guard(&Cell::new(target, field.field.clone()), &CellValue::text("Suite")).is_none() {
            continue;
        }
        let mut sent = Vec::new();
        for id in [last, gone, first] {
            let record = guard(fixture, entity.entity, id, claim).await?;
            sent.push(patch(fixture, &record, &[field], 1, claim).await?);
        }
        // The platform refuses a write to what is not there any more.
        if !fixture.delete(entity.entity, gone) {
            continue;
        }
        outcome = Checked::Held;
        let stored = || -> Vec<_> {
            sent.iter().map(|patch| fixture.stored(patch.target.kind, &patch.target.id)).collect()
        };
        let before = stored();
        let writes = fixture.received().writes;
        let cut = claim.done("cutting", jobs.cut(&sent, jobs.max_bytes()).await)?;
        claim.check(fixture.received().writes == writes, || "cutting sent a write".to_owned())?;
        claim.check(cut.left.is_empty(), || format!("{} of 3 patches are left out", cut.left.len()))?;
        let small = claim.done("cutting", jobs.cut(&sent, 8).await)?;
        claim.check(small.parts.is_empty() && small.left.len() == 3, || {
            format!("{:?} with files of 8 bytes", small.parts)
        })?;
        let mut said: Vec<BTreeMap<FieldName, FieldAnswer>> = vec![BTreeMap::new(); sent.len()];
        for (number, part) in cut.parts.iter().enumerate() {
            // No two jobs of a store have one name.
            let tag = format!("suite{}{number}", entity.entity);
            let answers = run(fixture, jobs, part, &tag, &stored, claim).await?;
            for (line, answers) in part.lines.iter().zip(answers) {
                let [answer] = answers.as_slice() else {
                    return Err(claim.violated(format!("{} answers to one line", answers.len())));
                };
                let Some(said) = said.get_mut(line.patch) else {
                    return Err(claim.violated("a line of a patch that was not given"));
                };
                for field in &line.fields {
                    said.insert(field.clone(), answer.clone());
                }
            }
        }
        let answers: Vec<Answer> = sent
            .iter()
            .zip(said)
            .map(|(patch, said)| Answer::new(patch.target.clone(), said.into_iter().collect()))
            .collect();
        let landed = check_true(fixture, &sent, &before, &answers, claim)?;
        let is_refused = answers.get(1).is_some_and(|answer| {
            answer.fields.iter().all(|(_, answer)| matches!(answer, FieldAnswer::Refused { .. }))
        });
        claim.check(landed == 2 && is_refused, || {
            format!("{landed} landed, and the answers are {answers:?}")
        })?;
    }
    Ok(outcome)
}

pub(super) async fn what_a_job_writes_is_verified_and_undone(
    fixture: &dyn ContractFixture,
    claim: Claim,
) -> Outcome {
    let connector = fixture.connector();
    let Some(jobs) = connector.write_jobs() else { return Ok(NO_JOBS) };
    let mut outcome = Checked::NotClaimed("no job writes a field");
    for entity in written(&*connector) {
        for field in &entity.writable {
            let Some((id, enrichment)) = enriched(fixture, entity, &[field], 1, claim).await? else {
                continue;
            };
            let before = fixture.stored(entity.entity, &id);
            let day = Duration::from_secs(24 * 3600);
            let jobs_settings = JobSettings::default().when(BulkUse::Always).unguarded_window(day);
            let settings = PushSettings { jobs: jobs_settings, ..PushSettings::default() };
            let state = Arc::new(MemoryState::new());
            let alone = Push::new(fixture.connector(), Arc::<MemoryState>::clone(&state), fixture.runtime());
            let by_job = Arc::new(ByJobOnly(fixture.connector()));
            let push = Push::new(by_job, state, fixture.runtime()).settings(settings);
            let plan = claim.done("planning", push.plan(&[enrichment]).await)?;
            let goes = |change: &crate::sync::PlannedChange| {
                change.verdict == ChangeVerdict::Apply && jobs.guard(&change.cell, &change.ours).is_some()
            };
            if plan.changes.is_empty() || !plan.changes.iter().all(goes) {
                continue;
            }
            outcome = Checked::Held;
            let approved = Approvals::Only(plan.approve_all());
            let receipt = claim.done("applying", push.apply(&plan, &approved).await)?;
            let name = &field.field;
            claim.check(receipt.is_full_success(), || format!("{name} of {}: {receipt}", entity.entity))?;
            claim.check(fixture.stored(entity.entity, &id) != before, || format!("{name} did not change"))?;
            for (change, told) in plan.changes.iter().zip(&receipt.fields) {
                let guard = jobs.guard(&change.cell, &change.ours);
                claim.check(told.guard == guard && told.window_ms.is_some(), || {
                    format!("{:?} in {:?} ms, where {guard:?} is claimed", told.guard, told.window_ms)
                })?;
            }
            if plan.changes.iter().any(|change| change.reversible != Reversible::Yes) {
                continue;
            }
            let undone = claim.done("the undo", alone.undo(receipt.push).await)?;
            claim.check(undone.is_full_success(), || format!("{name}: {undone}"))?;
        }
    }
    Ok(outcome)
}

/// The connector under test, which writes nothing but by job.
#[derive(Debug)]
struct ByJobOnly(Arc<dyn Connector>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for ByJobOnly {
    fn info(&self) -> &ConnectorInfo {
        self.0.info()
    }

    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        self.0.schema(entity)
    }

    async fn check(&self) -> Result<Health> {
        self.0.check().await
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        self.0.pull_page(request).await
    }

    async fn push(&self, _: &PushRequest) -> Result<Vec<Answer>> {
        Err(Error::new(ErrorKind::Unsupported, "not_by_job", "it was to go by job"))
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        self.0.look_up(names).await
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        self.0.shown_by(holders).await
    }

    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        self.0.prepare(brings).await
    }

    fn views(&self) -> &[View] {
        self.0.views()
    }

    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        self.0.in_view(view)
    }

    fn origin(&self) -> Option<&dyn Connector> {
        self.0.origin()
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        self.0.webhooks()
    }

    fn deletions(&self) -> Option<&dyn DeletionSource> {
        self.0.deletions()
    }

    fn bulk(&self) -> Option<&dyn BulkSource> {
        self.0.bulk()
    }

    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        self.0.write_jobs()
    }
}
