//! Connectors that are wrong on purpose: each breaks the contract suite with a message that names the rule, and
//! the right one that they are made of holds it whole.
#![cfg(feature = "testkit")]

mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use lily_connect::connector::{
    Answer, Connector, ConnectorInfo, FieldAnswer, Health, Page, PullRequest, PushRequest, Select, Total,
};
use lily_connect::error::Result;
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{Capabilities, Entity, FieldName, Normaliser, WritableField};
use lily_connect::testkit::contract::{Report, run_all};
use memory::memory;

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
}

/// The right connector with one flaw.
#[derive(Debug)]
struct Wrong {
    right: Arc<dyn Connector>,
    flaw: Flaw,
    capabilities: Capabilities,
}

impl Wrong {
    fn wrap(right: Arc<dyn Connector>, flaw: Flaw) -> Arc<dyn Connector> {
        let mut capabilities = right.capabilities().clone();
        if flaw == Flaw::OverstatesAField {
            let sku = WritableField::text(FieldName::new("sku"), Normaliser::Exact1);
            capabilities.entities.iter_mut().for_each(|entity| entity.writable.push(sku.clone()));
        }
        Arc::new(Self { right, flaw, capabilities })
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

    async fn pull_page(&self, request: &PullRequest) -> Result<Page> {
        let mut page = self.right.pull_page(request).await?;
        if matches!(request.select, Select::Ids(_)) {
            return Ok(page);
        }
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
            _ => {}
        }
        Ok(page)
    }

    async fn push(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut answers = self.right.push(request).await?;
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

async fn report_of(flaw: Flaw) -> Report {
    run_all(|| async { memory(|right| Wrong::wrap(right, flaw)) }).await
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
    assert_eq!(report.failed.len(), 1, "nothing else is wrong with it: {report}");
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
