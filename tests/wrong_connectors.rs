//! Connectors that are wrong on purpose: each breaks the contract suite with a message that names the rule, and
//! the right one that they are made of holds it whole.
#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod memory;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lily_connect::connector::{
    Answer, BulkBody, BulkJob, BulkSource, BulkState, Connector, ConnectorInfo, DeletionSource, Detail,
    FieldAnswer, FoundJob, Healed, Health, JobCut, JobPart, Known, LineAnswer, LookUp, Page, Patch,
    PatchField, PatchValue, PollPlan, Prediction, PullRequest, Purpose, PushRequest, Select, StagedFile,
    StartedJob, Subscribed, Subscription, Told, Total, WebhookSource, WriteJobs,
};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{
    Capabilities, Cell, CellValue, Cursor, Entity, ExternalId, FieldName, GuardKind, Normaliser, RecordRef,
    Secret, View, WritableField,
};
use lily_connect::testkit::contract::{Report, run_all};
use lily_connect::time::Timestamp;
use lily_connect::webhook::{Event, EventKind, Incoming, Received};
use memory::{memory, memory_with};

/// What is wrong with a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    RepeatsACursor,
    StopsOnAnEmptyPage,
    DropsTheLastPage,
    RetriesATimedOutWrite,
    AnswersOutOfOrder,
    OverstatesItsCount,
    OverstatesAField,
    CountsOneTooMany,
    ListsBackwards,
    PagesOfItsOwnSize,
    LeavesUnknownIdsOut,
    ListsFewerIds,
    ServesOldReads,
    ComparesStrictly,
    AnswersForAnyKind,
    AnswersForAnyDays,
    NamesPagesThatAreNot,
    WritesMoreThanAsked,
    AcceptsALostAnswer,
    AcceptsARefusal,
    IgnoresTheGuard,
    DropsWhatItCannotWrite,
    TakesAFaultForTheEnd,
    ShowsItsKey,
    ListsDeletedIds,
    KeepsGuardReads,
    EmptiesInsteadOfRemoving,
    DropsUnavailableFields,
    ReordersLists,
    KnowsEveryName,
    LooksUpBackwards,
    ShowsBackwards,
    DropsBeyondItsBatch,
    FailsAllWithOne,
    HammersALimit,
    AsksTooMuchAtOnce,
    AsksAgainWhenRefused,
    TakesForbiddenForDone,
    TrustsEveryDelivery,
    TakesAPingForAnEvent,
    ForgetsToRemove,
    HealsNothing,
    HealsForOthers,
    StampsEveryRead,
    OverstatesItsStamp,
    ShowsTheWebhookSecret,
    BelievesEveryLine,
    AnswersALineTwice,
    LosesItsJobs,
    TakesAnyJobForIts,
    StartsJobsLate,
    WritesWhenItUploads,
    CutsNothing,
    OverstatesItsGuard,
    LeavesFieldsOutOfJobs,
}

/// The right connector with one flaw.
struct Wrong {
    right: Arc<dyn Connector>,
    flaw: Flaw,
    capabilities: Capabilities,
    /// Reads by id that were answered before, by their ids.
    old: Mutex<Vec<(PullRequest, Page)>>,
    /// How often it was asked how a job is guarded.
    asked: AtomicU64,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.flaw == Flaw::ShowsItsKey { memory::KEY } else { "" };
        write!(f, "{:?} with {:?} {key}", self.right, self.flaw)
    }
}

impl Wrong {
    fn wrap(right: Arc<dyn Connector>, flaw: Flaw) -> Arc<dyn Connector> {
        let mut capabilities = right.capabilities().clone();
        if flaw == Flaw::OverstatesAField {
            let sku = WritableField::text(FieldName::new("sku"), Normaliser::Exact1);
            capabilities.entities.iter_mut().for_each(|entity| entity.writable.push(sku.clone()));
        }
        Arc::new(Self { right, flaw, capabilities, old: Mutex::default(), asked: AtomicU64::new(0) })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for Wrong {
    fn info(&self) -> &ConnectorInfo {
        self.right.info()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn schema(&self, entity: Entity) -> Option<&SchemaMap> {
        self.right.schema(entity)
    }

    async fn check(&self) -> Result<Health> {
        self.right.check().await
    }

    fn views(&self) -> &[View] {
        self.right.views()
    }

    fn in_view(&self, view: &View) -> Result<Arc<dyn Connector>> {
        self.right.in_view(view)
    }

    fn origin(&self) -> Option<&dyn Connector> {
        self.right.origin()
    }

    fn webhooks(&self) -> Option<&dyn WebhookSource> {
        Some(self)
    }

    fn deletions(&self) -> Option<&dyn DeletionSource> {
        self.right.deletions()
    }

    fn bulk(&self) -> Option<&dyn BulkSource> {
        self.right.bulk()
    }

    async fn prepare(&self, brings: &[FieldName]) -> Result<()> {
        self.right.prepare(brings).await
    }

    fn write_jobs(&self) -> Option<&dyn WriteJobs> {
        Some(self)
    }

    async fn look_up(&self, names: &LookUp) -> Result<Vec<Known>> {
        let mut known = self.right.look_up(names).await?;
        match (self.flaw, names) {
            (Flaw::KnowsEveryName, LookUp::Names { names, .. }) => {
                let one =
                    |name: &lily_connect::model::Text| Known::One { id: "1".into(), name: name.clone() };
                known = names.iter().map(one).collect();
            }
            (Flaw::LooksUpBackwards, _) => known.reverse(),
            _ => {}
        }
        Ok(known)
    }

    async fn shown_by(&self, holders: &[RecordRef]) -> Result<Vec<Vec<RecordRef>>> {
        let mut shown = self.right.shown_by(holders).await?;
        if self.flaw == Flaw::ShowsBackwards {
            shown.reverse();
        }
        Ok(shown)
    }

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        let mut request = request.clone();
        match (self.flaw, &request.select) {
            (Flaw::AnswersForAnyKind, _) => request.entity = Entity::Product,
            (Flaw::AnswersForAnyDays, Select::Window(_)) => request.select = Select::All,
            (Flaw::PagesOfItsOwnSize, Select::All) => request.page_size = None,
            (Flaw::ComparesStrictly, Select::Since(since)) => {
                request.select = Select::Since(since.saturating_add(Duration::from_secs(1)));
            }
            _ => {}
        }
        let mut answered = self.right.pull_page(&request).await;
        for _ in 0..4 {
            let again = match answered.as_ref().map_err(Error::kind) {
                Err(ErrorKind::RateLimited) => self.flaw == Flaw::HammersALimit,
                Err(ErrorKind::Auth) => self.flaw == Flaw::AsksAgainWhenRefused,
                _ => false,
            };
            if again {
                answered = self.right.pull_page(&request).await;
            }
        }
        if self.flaw == Flaw::TakesAFaultForTheEnd && request.cursor.is_some() && answered.is_err() {
            return Ok(Page::default());
        }
        let mut page = answered?;
        let is_kept = match self.flaw {
            Flaw::ListsDeletedIds => request.detail == Detail::IdsOnly,
            Flaw::KeepsGuardReads => request.purpose == Purpose::Guard,
            _ => false,
        };
        if is_kept {
            let mut old = self.old.lock().unwrap();
            match old.iter().find(|(known, _)| *known == request) {
                Some((_, known)) => return Ok(known.clone()),
                None => old.push((request.clone(), page.clone())),
            }
        }
        match self.flaw {
            Flaw::StampsEveryRead => stamp(&mut page),
            Flaw::OverstatesItsStamp => each(&mut page, "updated", || "2026-01-01T00:00:00".to_owned()),
            _ => {}
        }
        if matches!(request.select, Select::Ids(_)) {
            return Ok(self.spoil_ids(&request, page));
        }
        let request = &request;
        match self.flaw {
            Flaw::RepeatsACursor if page.next.is_some() && request.cursor.is_some() => {
                page.next.clone_from(&request.cursor);
            }
            Flaw::StopsOnAnEmptyPage if page.items.iter().all(|items| &items.body[..] == b"[]") => {
                page.next = None;
            }
            Flaw::DropsTheLastPage if page.next.is_some() => {
                // Kept only where it leads to a further one.
                let after = self.right.pull_page(&request.at(page.next.clone())).await?.next;
                page.next = page.next.filter(|_| after.is_some());
            }
            Flaw::OverstatesItsCount => page.total = Total::NotGiven,
            Flaw::CountsOneTooMany => {
                if let Total::Exact(total) = &mut page.total {
                    *total += 1;
                }
            }
            Flaw::ListsBackwards => reverse(&mut page),
            Flaw::ListsFewerIds if request.detail == Detail::IdsOnly => {
                page.next = page.next.filter(|_| request.cursor.is_none());
            }
            Flaw::NamesPagesThatAreNot => page.ahead.extend(page.next.as_ref().map(|_| Cursor::new("99"))),
            _ => {}
        }
        Ok(page)
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut spoilt = request.clone();
        match self.flaw {
            Flaw::DropsBeyondItsBatch => {
                let products = self.capabilities.entity(Entity::Product).unwrap();
                spoilt.patches.truncate(products.max_batch.get() as usize);
            }
            Flaw::DropsUnavailableFields => {
                for patch in &mut spoilt.patches {
                    patch.changes.retain(|change| change.field.as_str() != "slug");
                }
            }
            Flaw::EmptiesInsteadOfRemoving | Flaw::ReordersLists => {
                for change in spoilt.patches.iter_mut().flat_map(|patch| &mut patch.changes) {
                    match &mut change.value {
                        value @ PatchValue::Removed if self.flaw == Flaw::EmptiesInsteadOfRemoving => {
                            *value = PatchValue::Text { text: " ".into(), raw: None };
                        }
                        PatchValue::Terms(terms) if self.flaw == Flaw::ReordersLists => terms.reverse(),
                        _ => {}
                    }
                }
            }
            Flaw::IgnoresTheGuard => spoilt.guard_until = Duration::MAX,
            Flaw::DropsWhatItCannotWrite => {
                let product = self.capabilities.entity(Entity::Product).unwrap();
                for patch in &mut spoilt.patches {
                    patch.changes.retain(|change| product.writable(&change.field).is_some());
                }
            }
            Flaw::WritesMoreThanAsked => {
                for patch in &mut spoilt.patches {
                    let value = PatchValue::Text { text: "<p>more</p>".into(), raw: None };
                    let more = PatchField::new(FieldName::new("description"), value, CellValue::Absent);
                    patch.changes.push(more);
                }
            }
            _ => {}
        }
        let mut answers = self.right.push(&spoilt).await?;
        for (answer, patch) in answers.iter_mut().zip(&request.patches) {
            answer.fields.truncate(patch.changes.len());
            for (_, field) in &mut answer.fields {
                match (self.flaw, &field) {
                    (Flaw::AcceptsALostAnswer, FieldAnswer::Unknown { .. })
                    | (Flaw::AcceptsARefusal, FieldAnswer::Refused { .. }) => *field = FieldAnswer::Accepted,
                    (Flaw::TakesForbiddenForDone, FieldAnswer::Refused { code, .. })
                        if code == "forbidden" =>
                    {
                        *field = FieldAnswer::Accepted;
                    }
                    _ => {}
                }
            }
        }
        let refused = |field: &(FieldName, FieldAnswer)| matches!(field.1, FieldAnswer::Refused { .. });
        let one_failed = answers.iter().flat_map(|answer| &answer.fields).any(refused);
        if self.flaw == Flaw::FailsAllWithOne && one_failed {
            for (_, field) in answers.iter_mut().flat_map(|answer| &mut answer.fields) {
                *field = FieldAnswer::Refused { code: "batch_failed".to_owned(), why: String::new() };
            }
        }
        let unknown = |answer: &Answer| {
            answer.fields.iter().any(|(_, answer)| matches!(answer, FieldAnswer::Unknown { .. }))
        };
        match self.flaw {
            Flaw::RetriesATimedOutWrite if answers.iter().any(unknown) => self.right.push(request).await,
            Flaw::AnswersOutOfOrder => {
                answers.reverse();
                Ok(answers)
            }
            _ => Ok(answers),
        }
    }
}

impl Wrong {
    fn spoil_ids(&self, request: &PullRequest, mut page: Page) -> Page {
        match self.flaw {
            Flaw::LeavesUnknownIdsOut => page.missing.clear(),
            Flaw::ServesOldReads => {
                let mut old = self.old.lock().unwrap();
                match old.iter().find(|(known, _)| known.select == request.select) {
                    Some((_, known)) => page = known.clone(),
                    None => old.push((request.clone(), page.clone())),
                }
            }
            _ => {}
        }
        page
    }
}

impl Wrong {
    fn hooks(&self) -> &dyn WebhookSource {
        self.right.webhooks().unwrap()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl WebhookSource for Wrong {
    fn verify(&self, incoming: &Incoming, secrets: &[Secret]) -> Result<Received> {
        match (self.flaw, self.hooks().verify(incoming, secrets)) {
            (Flaw::TrustsEveryDelivery, Err(_)) => memory::unverified(incoming),
            (Flaw::TakesAPingForAnEvent, Ok(Received::Ping { subscription })) => {
                let record = RecordRef::new(self.info().store.platform.clone(), Entity::Product, "1");
                let event =
                    Event::new(EventKind::Updated, incoming.received()).with_subscription(subscription);
                Ok(Received::Event(event.with_record(record)))
            }
            (_, verified) => verified,
        }
    }

    fn tells(&self) -> Vec<Told> {
        self.hooks().tells()
    }

    async fn subscriptions(&self) -> Result<Vec<Subscribed>> {
        self.hooks().subscriptions().await
    }

    async fn subscribe(&self, wanted: &Subscription) -> Result<Vec<Subscribed>> {
        let made = self.hooks().subscribe(wanted).await;
        if self.flaw == Flaw::ShowsTheWebhookSecret {
            let says = format!("no subscription with the secret {}", wanted.secret.expose());
            return made.map_err(|error| Error::new(error.kind(), "not_subscribed", says));
        }
        made
    }

    async fn remove(&self, id: &ExternalId) -> Result<()> {
        if self.flaw == Flaw::ForgetsToRemove {
            return Ok(());
        }
        self.hooks().remove(id).await
    }

    async fn heal(&self, wanted: &Subscription) -> Result<Healed> {
        match self.flaw {
            Flaw::HealsNothing => return Ok(Healed::default()),
            Flaw::HealsForOthers => {
                for known in self.subscriptions().await? {
                    if known.label != wanted.label {
                        self.remove(&known.id).await?;
                    }
                }
            }
            _ => {}
        }
        self.hooks().heal(wanted).await
    }
}

impl Wrong {
    fn jobs(&self) -> &dyn WriteJobs {
        self.right.write_jobs().unwrap()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl WriteJobs for Wrong {
    fn guard(&self, cell: &Cell, ours: &CellValue) -> Option<GuardKind> {
        match self.flaw {
            // It says another thing each time that it is asked.
            Flaw::OverstatesItsGuard => {
                let asked = self.asked.fetch_add(1, Ordering::Relaxed);
                let is_odd = asked % 2 == 1;
                Some(if is_odd { GuardKind::ReadWriteVerify } else { GuardKind::CompareAndSet })
            }
            _ => self.jobs().guard(cell, ours),
        }
    }

    fn predict(&self, records: u64) -> Prediction {
        self.jobs().predict(records)
    }

    fn max_bytes(&self) -> u64 {
        self.jobs().max_bytes()
    }

    async fn cut(&self, patches: &[Patch], max_bytes: u64) -> Result<JobCut> {
        let max_bytes = if self.flaw == Flaw::CutsNothing { u64::MAX } else { max_bytes };
        let cut = self.jobs().cut(patches, max_bytes).await?;
        match self.flaw {
            Flaw::LeavesFieldsOutOfJobs => Ok(JobCut::new(Vec::new(), (0..patches.len()).collect())),
            _ => Ok(cut),
        }
    }

    async fn upload(&self, part: &JobPart, timeout: Duration) -> Result<StagedFile> {
        let file = self.jobs().upload(part, timeout).await?;
        if self.flaw == Flaw::WritesWhenItUploads {
            let started = self.jobs().start(part, &file, "at once", Duration::MAX).await?;
            self.jobs().poll(&started.job).await?;
        }
        Ok(file)
    }

    async fn start(
        &self,
        part: &JobPart,
        file: &StagedFile,
        tag: &str,
        not_after: Duration,
    ) -> Result<StartedJob> {
        let not_after = if self.flaw == Flaw::StartsJobsLate { Duration::MAX } else { not_after };
        self.jobs().start(part, file, tag, not_after).await
    }

    async fn find(&self, tag: &str, since: Timestamp) -> Result<FoundJob> {
        match self.flaw {
            Flaw::LosesItsJobs => Ok(FoundJob::None),
            Flaw::TakesAnyJobForIts => Ok(FoundJob::Job(StartedJob::new("job-0", None))),
            _ => self.jobs().find(tag, since).await,
        }
    }

    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        self.jobs().poll(job).await
    }

    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        self.jobs().open(job, from).await
    }

    fn read_line(&self, part: &JobPart, line: &[u8]) -> LineAnswer {
        match (self.flaw, self.jobs().read_line(part, line)) {
            (Flaw::BelievesEveryLine, LineAnswer::At(at, _)) => LineAnswer::At(at, FieldAnswer::Accepted),
            (Flaw::AnswersALineTwice, LineAnswer::At(_, answer)) => LineAnswer::At(0, answer),
            (_, answer) => answer,
        }
    }

    async fn cancel(&self, job: &BulkJob) -> Result<()> {
        self.jobs().cancel(job).await
    }

    fn poll_plan(&self) -> PollPlan {
        self.jobs().poll_plan()
    }
}

/// Something that is made anew for each answer, in a field that is read.
fn stamp(page: &mut Page) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    each(page, "sku", || format!("C{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
}

/// Puts another text in the place of each record's, where it has one.
fn each(page: &mut Page, key: &str, text: impl Fn() -> String) {
    for items in &mut page.items {
        let mut list: Vec<serde_json::Value> = serde_json::from_slice(&items.body).unwrap();
        for item in list.iter_mut().filter(|item| item.get(key).is_some()) {
            item[key] = text().into();
        }
        items.body = serde_json::to_vec(&list).unwrap().into();
    }
}

fn reverse(page: &mut Page) {
    for items in &mut page.items {
        let mut list: Vec<serde_json::Value> = serde_json::from_slice(&items.body).unwrap();
        list.reverse();
        items.body = serde_json::to_vec(&list).unwrap().into();
    }
}

async fn report_of(flaw: Flaw) -> Report {
    let in_flight = if flaw == Flaw::AsksTooMuchAtOnce { 16 } else { 2 };
    run_all(|| async { memory_with(in_flight, |right| Wrong::wrap(right, flaw)) }).await
}

/// The suite fails this very test with a message that names the rule; and it is no failure of everything.
#[track_caller]
fn breaks(report: &Report, name: &str, rule: &str, says: &str) {
    let found = report.failed.iter().find(|(failed, _)| *failed == name);
    let Some((_, violation)) = found else { panic!("{name} does not fail: {report}") };
    let text = violation.to_string();
    eprintln!("{name}: {text}");
    assert!(text.starts_with(&format!("rule {rule} is broken: expected that ")), "{text}");
    assert!(text.contains(says), "{text}");
    assert!(report.passed.len() > 5, "{report}");
}

mod the_right_connector {
    use super::memory::memory;

    lily_connect::contract_suite!(memory(|right| right));
}

#[tokio::test]
async fn the_right_connector_holds_all_rules_but_those_it_does_not_claim() {
    let report = run_all(|| async { memory(|right| right) }).await;
    assert!(report.failed.is_empty(), "{report}");
    let skipped: Vec<&str> = report.skipped.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        skipped,
        [
            "pages_named_ahead_are_those_that_follow",
            "neighbouring_pages_share_a_record_where_claimed",
            "a_kind_without_writable_fields_is_not_written",
        ],
        "{report}"
    );
}

#[tokio::test]
async fn a_connector_that_repeats_a_cursor_breaks_r4() {
    let report = report_of(Flaw::RepeatsACursor).await;
    breaks(&report, "no_cursor_comes_twice", "R4", "once more");
}

#[tokio::test]
async fn a_connector_that_stops_on_an_empty_page_breaks_r4() {
    let report = report_of(Flaw::StopsOnAnEmptyPage).await;
    breaks(&report, "an_empty_page_with_a_next_cursor_continues", "R4", "the list ended after 2 pages");
    // A delta has empty windows, too.
    breaks(&report, "a_delta_lists_what_changed_since", "R5", "missing 2 (11 12)");
    assert_eq!(report.failed.len(), 2, "nothing else is wrong with it: {report}");
}

#[tokio::test]
async fn a_connector_that_drops_the_last_page_breaks_r1() {
    let report = report_of(Flaw::DropsTheLastPage).await;
    breaks(&report, "every_id_is_listed", "R1", "missing 2 (10 11)");
    breaks(&report, "a_list_of_ids_has_the_same_ids", "R7", "missing 2");
    // No list tells of the page, so no sweep can mend it; but it is never taken for complete.
    breaks(&report, "a_quiet_store_is_complete", "R1", "verdict: Incomplete");
}

#[tokio::test]
async fn a_connector_that_blindly_retries_a_timed_out_write_breaks_w2() {
    let report = report_of(Flaw::RetriesATimedOutWrite).await;
    let name = "a_write_without_an_answer_is_unknown_and_sent_once";
    breaks(&report, name, "W2", "2 writes were sent after LostAnswer");
}

#[tokio::test]
async fn a_connector_that_answers_out_of_order_breaks_p5() {
    let report = report_of(Flaw::AnswersOutOfOrder).await;
    breaks(&report, "answers_come_once_a_patch_in_order", "P5", "to patches of");
    breaks(&report, "no_patch_of_a_push_is_dropped", "P5", "an answer for product/2 to product/1");
    breaks(&report, "one_refused_patch_leaves_the_others_true", "P5", "an answer for product/1 to");
    breaks(&report, "a_lost_answer_to_several_patches_is_true", "W2", "an answer for product/11 to");
    assert_eq!(report.failed.len(), 4, "nothing else is wrong with it: {report}");
}

#[tokio::test]
async fn a_connector_that_claims_a_count_and_gives_none_breaks_r3() {
    let report = report_of(Flaw::OverstatesItsCount).await;
    breaks(&report, "a_given_count_is_exact", "R3", "NotGiven for 11 records");
}

#[tokio::test]
async fn a_connector_that_claims_a_field_it_cannot_write_breaks_u4() {
    let report = report_of(Flaw::OverstatesAField).await;
    breaks(&report, "every_claimed_field_is_written_verified_and_undone", "U4", "sku");
    breaks(&report, "a_push_changes_exactly_its_fields", "W8", "cannot write the field sku");
}

#[tokio::test]
async fn each_further_flaw_breaks_the_rule_that_is_there_for_it() {
    for (flaw, name, rule) in [
        (Flaw::CountsOneTooMany, "a_given_count_is_exact", "R3"),
        (Flaw::ListsBackwards, "ids_ascend_where_claimed", "R3"),
        (Flaw::PagesOfItsOwnSize, "no_page_is_longer_than_asked_or_claimed", "CAPABILITIES"),
        (Flaw::LeavesUnknownIdsOut, "every_id_is_answered_or_missing", "R6"),
        (Flaw::LeavesUnknownIdsOut, "a_deleted_record_is_missing", "R6"),
        (Flaw::ListsFewerIds, "a_list_of_ids_has_the_same_ids", "R7"),
        (Flaw::ServesOldReads, "guard_and_verify_reads_give_what_is_stored", "W4"),
        (Flaw::ComparesStrictly, "a_delta_lists_what_changed_since", "R5"),
        (Flaw::AnswersForAnyKind, "a_kind_that_is_not_claimed_is_refused", "CAPABILITIES"),
        (Flaw::AnswersForAnyDays, "a_range_of_days_lists_these_days", "R1"),
        (Flaw::NamesPagesThatAreNot, "pages_named_ahead_are_those_that_follow", "R3"),
        (Flaw::WritesMoreThanAsked, "a_push_changes_exactly_its_fields", "W8"),
        (Flaw::OverstatesItsStamp, "a_push_changes_exactly_its_fields", "W8"),
        (Flaw::AcceptsALostAnswer, "a_write_without_an_answer_is_unknown_and_sent_once", "W2"),
        (Flaw::AcceptsARefusal, "a_refused_write_is_refused", "P5"),
        (Flaw::IgnoresTheGuard, "nothing_is_sent_past_the_guard", "W3"),
        (Flaw::DropsWhatItCannotWrite, "a_field_that_is_not_claimed_is_refused", "CAPABILITIES"),
        (Flaw::TakesAFaultForTheEnd, "a_broken_answer_is_an_error_or_read_over", "R1"),
        (Flaw::ShowsItsKey, "credentials_are_never_shown", "SECRETS"),
        (Flaw::ShowsTheWebhookSecret, "credentials_are_never_shown", "SECRETS"),
        (Flaw::AcceptsALostAnswer, "a_lost_answer_to_several_patches_is_true", "W2"),
        (Flaw::ListsDeletedIds, "a_deletion_is_missing_behind_a_delta", "R7"),
        (Flaw::KeepsGuardReads, "an_edit_between_plan_and_apply_is_stale", "P3"),
        (Flaw::KeepsGuardReads, "an_edit_between_pull_and_plan_is_seen", "V7"),
        (Flaw::EmptiesInsteadOfRemoving, "a_removable_field_comes_back_absent", "U3"),
        (Flaw::DropsUnavailableFields, "an_unavailable_field_is_rejected_by_name", "CAPABILITIES"),
        (Flaw::ReordersLists, "other_entries_of_a_list_stay_in_order", "L3"),
        (Flaw::KnowsEveryName, "a_name_that_must_be_known_is_never_made", "L2"),
        (Flaw::LooksUpBackwards, "names_are_looked_up_one_by_one_in_order", "L2"),
        (Flaw::ShowsBackwards, "what_is_shared_names_who_shows_it", "C1"),
        (Flaw::DropsBeyondItsBatch, "no_patch_of_a_push_is_dropped", "P5"),
        (Flaw::FailsAllWithOne, "one_refused_patch_leaves_the_others_true", "P5"),
        (Flaw::HammersALimit, "a_limit_is_waited_for", "LIMITS"),
        (Flaw::AsksTooMuchAtOnce, "two_calls_are_in_flight_at_most", "LIMITS"),
        (Flaw::AsksAgainWhenRefused, "a_refused_credential_is_believed", "AUTH"),
        (Flaw::TakesForbiddenForDone, "a_right_that_lacks_is_told", "AUTH"),
        (Flaw::TrustsEveryDelivery, "a_delivery_is_verified_over_its_bytes", "H1"),
        (Flaw::TakesAPingForAnEvent, "a_ping_queues_nothing", "H1"),
        (Flaw::ForgetsToRemove, "subscriptions_are_made_listed_and_removed", "WEBHOOKS"),
        (Flaw::HealsNothing, "healing_makes_what_is_dead_anew_and_leaves_what_is_not_ours", "WEBHOOKS"),
        (Flaw::HealsForOthers, "healing_makes_what_is_dead_anew_and_leaves_what_is_not_ours", "WEBHOOKS"),
        (Flaw::StampsEveryRead, "an_echo_is_swallowed_and_an_edit_is_not", "H2"),
        (Flaw::BelievesEveryLine, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::AnswersALineTwice, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::LosesItsJobs, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::TakesAnyJobForIts, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::StartsJobsLate, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::WritesWhenItUploads, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::CutsNothing, "a_write_job_answers_each_line_truly", "W6"),
        (Flaw::OverstatesItsGuard, "what_a_job_writes_is_verified_and_undone", "W3"),
        (Flaw::LeavesFieldsOutOfJobs, "what_a_job_writes_is_verified_and_undone", "W3"),
    ] {
        breaks(&report_of(flaw).await, name, rule, "");
    }
}
