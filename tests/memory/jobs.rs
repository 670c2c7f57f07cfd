//! The write jobs of the small platform: a file of changes by id, run when it is first asked how far it is.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lily_connect::connector::{
    BulkBody, BulkDone, BulkJob, BulkState, FieldAnswer, FoundJob, JobCut, JobLine, JobPart, LineAnswer,
    Patch, Prediction, StagedFile, StartedJob, WriteJobs,
};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::model::{Cell, CellValue, GuardKind};
use lily_connect::testkit::contract::On;
use lily_connect::time::Timestamp;
use lily_connect::transport::StreamedBody;
use serde_json::{Value, json};

use super::Right;

/// Files and jobs, by their names.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    files: BTreeMap<String, Vec<u8>>,
    jobs: BTreeMap<String, Job>,
}

#[derive(Debug)]
struct Job {
    tag: String,
    file: Vec<u8>,
    results: Option<String>,
}

fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "not_found", "there is no such job or file")
}

#[async_trait]
impl WriteJobs for Right {
    fn guard(&self, cell: &Cell, _: &CellValue) -> Option<GuardKind> {
        self.capabilities.writable(cell)?;
        Some(GuardKind::ReadWriteVerify)
    }

    fn predict(&self, records: u64) -> Prediction {
        Prediction::new(records, None)
    }

    fn max_bytes(&self) -> u64 {
        1 << 20
    }

    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut> {
        let (mut lines, mut left) = (Vec::new(), Vec::new());
        for (at, patch) in patches.iter().enumerate() {
            let line = json!({"id": patch.target.id, "changes": self.body(patch)?}).to_string();
            if line.len() as u64 >= max_bytes {
                left.push(at);
                continue;
            }
            let fields: Vec<_> = patch.changes.iter().map(|change| change.field.clone()).collect();
            lines.push(JobLine::new(at, fields.clone(), line, fields.len() > 1));
        }
        let parts = if lines.is_empty() { Vec::new() } else { vec![JobPart::new("set", lines)] };
        Ok(JobCut::new(parts, left))
    }

    async fn upload(&self, part: &JobPart, _: Duration) -> Result<StagedFile> {
        let file = part.file();
        self.store.call(On::Read, |state| {
            let name = format!("file-{}", state.jobs.files.len());
            state.jobs.files.insert(name.clone(), file);
            Ok(StagedFile(name.as_str().into()))
        })
    }

    async fn start(
        &self,
        _: &JobPart,
        file: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob> {
        if self.store.runtime.clock().elapsed() > not_after {
            return Err(Error::new(ErrorKind::Timeout, "guard_window_passed", "too late to send"));
        }
        self.store.call(On::Write, |state| {
            let file = state.jobs.files.get(file.0.as_str()).cloned().ok_or_else(gone)?;
            let name = format!("job-{}", state.jobs.jobs.len());
            state.jobs.jobs.insert(name.clone(), Job { tag: tag.to_owned(), file, results: None });
            Ok(StartedJob::new(name.as_str(), None))
        })
    }

    async fn find(&self, tag: &str, _: Timestamp) -> Result<FoundJob> {
        self.store.call(On::Read, |state| {
            let found = state.jobs.jobs.iter().find(|(_, job)| job.tag == tag);
            Ok(found.map_or(FoundJob::None, |(name, _)| FoundJob::Job(StartedJob::new(name.as_str(), None))))
        })
    }

    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        let now = self.store.now();
        self.store.call(On::Read, |state| {
            let Some(job) = state.jobs.jobs.get(job.0.as_str()) else { return Ok(BulkState::Gone) };
            if job.results.is_some() {
                return Ok(BulkState::Done(BulkDone::with_data(None, None, None)));
            }
            let (file, tag) = (String::from_utf8(job.file.clone()).unwrap(), job.tag.clone());
            let mut results = String::new();
            for (number, line) in file.lines().enumerate() {
                let line: Value = serde_json::from_str(line).unwrap();
                let id = line["id"].as_str().unwrap().parse().unwrap_or(0);
                let changes = line["changes"].as_object().unwrap().clone();
                let error = state.set(id, changes, now).err().map(|error| error.code().to_owned());
                results.push_str(&format!("{}\n", json!({"line": number, "error": error})));
            }
            let job = state.jobs.jobs.values_mut().find(|job| job.tag == tag).ok_or_else(gone)?;
            job.results = Some(results);
            Ok(BulkState::Running { objects: None })
        })
    }

    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        self.store.call(On::Read, |state| {
            let job = state.jobs.jobs.get(job.0.as_str()).and_then(|job| job.results.as_ref());
            let rest = job.and_then(|text| text.get(from as usize..)).ok_or_else(gone)?;
            Ok(BulkBody::new(from, None, StreamedBody::whole(Bytes::copy_from_slice(rest.as_bytes()))))
        })
    }

    fn read_line(&self, _: &JobPart, line: &[u8]) -> LineAnswer {
        let Ok(line) = serde_json::from_slice::<Value>(line) else { return LineAnswer::Unreadable };
        let Some(number) = line["line"].as_u64() else { return LineAnswer::Unplaced };
        LineAnswer::At(
            number,
            match line["error"].as_str() {
                None => FieldAnswer::Accepted,
                Some(code) => {
                    FieldAnswer::Refused { code: code.to_owned(), why: "it was refused".to_owned() }
                }
            },
        )
    }

    async fn cancel(&self, _: &BulkJob) -> Result<()> {
        Ok(())
    }
}
