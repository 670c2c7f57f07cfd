//! The end of a run: what changed since it began, what the checks came to, and the certificate.

use std::collections::HashSet;
use std::time::Duration;

use super::bulk::BulkReport;
use super::certificate::{Certificate, Check, CheckOutcome, Reason, Rule, Scope, Verdict, Visibility};
use super::pages::{Pages, ReadPage};
use super::pull::{MAX_NAMED_IDS, Proof, Work, number};
use crate::connector::{Joint, PullRequest, Select, Total};
use crate::error::Result;
use crate::model::{Calls, DeltaClock, ExternalId};
use crate::state::{Op, Unit};
use crate::time::Timestamp;

/// How long base values are kept.
const BASE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl Work<'_> {
    /// A resumed run ends with what changed since it began first.
    pub(super) async fn closing_delta(&mut self, checks: &mut Vec<Check>, proof: &mut Proof) -> Result<()> {
        let rule = Rule::ClosingDelta;
        if !self.checkpoint.resumed {
            checks.push(Check::new(rule, CheckOutcome::NotNeeded, "the run was not resumed"));
            return Ok(());
        }
        let Some(from) = self.checkpoint.from else {
            proof.unproven = true;
            checks.push(Check::new(
                rule,
                CheckOutcome::NotOffered,
                "the platform did not say when the run began",
            ));
            return Ok(());
        };
        if self.capabilities.delta == DeltaClock::None {
            checks.push(Check::new(rule, CheckOutcome::NotOffered, "the platform lists no changes"));
            return Ok(());
        }
        let since = from.saturating_sub(self.capabilities.overlap);
        let before = self.checkpoint.delivered;
        let mut held = false;
        for _ in 0..self.pull.max_sweeps {
            held = self.changes_since(since).await?;
            if held {
                break;
            }
        }
        let again = self.checkpoint.delivered - before;
        let outcome = if held { CheckOutcome::Held } else { CheckOutcome::Failed };
        if !held {
            proof.reasons.push(Reason::StillMoving);
        }
        checks.push(Check::new(rule, outcome, format!("{again} records changed since {since}")));
        Ok(())
    }

    /// Whether a page joins the one before it: they share that one's last record, wherever in the page it stands.
    /// A page that was cut short is followed by one that goes back further than by a record.
    pub(super) fn joins(&self, read: &ReadPage, last: Option<&ExternalId>) -> bool {
        match (read.page.joint, last) {
            (Joint::Broken, _) => false,
            (Joint::SharedRecord, Some(last)) if self.capabilities.pages_overlap => {
                read.records().any(|record| record.reference().id == *last)
            }
            (Joint::SharedRecord | Joint::NextParent, _) => true,
        }
    }

    /// Delivers what changed since a time; whether the pages held together.
    async fn changes_since(&mut self, since: Timestamp) -> Result<bool> {
        let request = PullRequest { select: Select::Since(since), ..PullRequest::all(self.pull.entity) };
        let mut pages = Pages::new(self.pull, request);
        let mut last: Option<ExternalId> = None;
        let (mut held, mut total) = (true, None);
        let mut ids = HashSet::new();
        while let Some(read) = pages.next(&self.pull.cancel).await? {
            self.to = self.to.max(read.page.server_time);
            held &= self.joins(&read, last.as_ref());
            last = read.records().last().map(|record| record.reference().id.clone()).or(last);
            if let Total::Exact(exact) = read.page.total {
                total = Some(exact);
            }
            let rejected = read.mapped.iter().flat_map(|mapped| &mapped.rejected);
            ids.extend(read.records().map(|record| number(&record.reference().id)));
            ids.extend(rejected.filter_map(|rejected| rejected.id.as_ref()).map(number));
            self.deliver(read, false).await?;
        }
        Ok(held && total.is_none_or(|total| total == ids.len() as u64))
    }

    /// Checks what the platform offers; sweeps the ids where a check failed or none was offered.
    pub(super) async fn prove(&mut self, checks: &mut Vec<Check>, proof: &mut Proof) -> Result<()> {
        let (first, last) = self.checkpoint.totals;
        // A delta's list grows with each edit. What came to it behind its first page is the next delta's, too.
        let count = if self.is_list() { self.seen.len() } else { self.listed.len() } as u64;
        let counted = match (self.is_list(), first, last) {
            (false, _, None) => CheckOutcome::NotOffered,
            (false, _, Some(_)) if self.is_miscounted() => CheckOutcome::Failed,
            (false, _, Some(_)) => CheckOutcome::Held,
            (true, Some(first), Some(last)) if first == last && last == count => CheckOutcome::Held,
            (true, Some(_), Some(_)) => CheckOutcome::Failed,
            (true, _, _) => CheckOutcome::NotOffered,
        };
        let said = |total: Option<u64>| total.map_or_else(|| "nothing".to_owned(), |total| total.to_string());
        checks.push(Check::new(
            Rule::CountAgrees,
            counted,
            format!(
                "{count} delivered; the platform said {} at first and {} at last",
                said(first),
                said(last)
            ),
        ));
        let outcome = |offered: bool, broken: bool| match (offered, broken) {
            (false, _) => CheckOutcome::NotOffered,
            (true, false) => CheckOutcome::Held,
            (true, true) => CheckOutcome::Failed,
        };
        let joined = self.capabilities.pages_overlap || self.capabilities.keyset;
        let overlap = outcome(joined, self.checkpoint.overlap_broken);
        checks.push(Check::new(
            Rule::PagesOverlap,
            overlap,
            match self.capabilities.calls {
                Calls::PerParent => {
                    "read parent by parent: pages of one parent's list, and of the list of parents, share a record"
                }
                _ if self.capabilities.keyset => "each page is asked for behind the last record of the one before",
                Calls::PerPage | Calls::Whole => "each page begins with the last record of the one before",
            },
        ));
        let order = outcome(self.is_by_id(), self.checkpoint.order_broken);
        checks.push(Check::new(Rule::OrderHolds, order, "ids ascend"));

        let failed = [counted, overlap, order].contains(&CheckOutcome::Failed);
        let unseen = [counted, overlap].contains(&CheckOutcome::NotOffered);
        if !self.is_list() {
            if failed {
                // A list that stands still, with a count of other records.
                let is_cut =
                    counted == CheckOutcome::Failed && overlap != CheckOutcome::Failed && first == last;
                proof.reasons.push(if is_cut { Reason::CountDisagrees } else { Reason::StillMoving });
            }
            if self.window().is_some() {
                self.prove_window(failed, unseen, checks, proof);
                return Ok(());
            }
            self.sweep_behind_delta(checks, proof).await?;
            self.tell_deleted(checks, proof).await
        } else if !(failed || unseen) {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotNeeded, "the other checks held"));
            Ok(())
        } else if !self.capabilities.ids_only {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotOffered, "the platform lists no ids"));
            proof.unproven |= !failed;
            for (outcome, reason) in [
                (counted, Reason::CountDisagrees),
                (overlap, Reason::PageSkipped),
                (order, Reason::OrderBroken),
            ] {
                if outcome == CheckOutcome::Failed {
                    proof.reasons.push(reason);
                }
            }
            Ok(())
        } else {
            let never_stable = self.sweep(checks, proof).await?;
            if never_stable && !failed && proof.reasons.last() == Some(&Reason::StillMoving) {
                proof.reasons.pop();
                proof.unproven = true;
            }
            Ok(())
        }
    }

    pub(super) async fn certify(
        mut self,
        bulk: Option<BulkReport>,
        mut checks: Vec<Check>,
        proof: Proof,
    ) -> Result<Certificate> {
        let Proof { mut reasons, mut ids, unproven, missing, deleted, missed: _ } = proof;
        let rejected = self.checkpoint.rejected;
        let mapped = if rejected == 0 { CheckOutcome::Held } else { CheckOutcome::Failed };
        checks.push(Check::new(Rule::EveryRecordMapped, mapped, format!("{rejected} rejected")));
        if rejected > 0 {
            reasons.push(Reason::RecordsRejected);
            ids.extend(self.checkpoint.rejected_ids.iter().cloned());
            ids.truncate(MAX_NAMED_IDS);
        }
        reasons.dedup();
        let verdict = match (reasons.is_empty(), unproven) {
            (false, _) => Verdict::Incomplete { reasons, ids },
            (true, true) => Verdict::Unproven,
            (true, false) => Verdict::Complete,
        };
        let next_since = match self.capabilities.delta {
            DeltaClock::None => None,
            DeltaClock::CanLie | DeltaClock::Trusted => {
                // Without the platform's time at the start, no stamp says from when on to ask.
                let from = self.checkpoint.from;
                let stamp = from.map(|from| self.checkpoint.watermark.map_or(from, |mark| from.min(mark)));
                stamp.map(|stamp| stamp.saturating_sub(self.capabilities.overlap))
            }
        };
        let visibility = Visibility::new(&self.capabilities.statuses, &self.checkpoint.statuses);
        let certificate = Certificate {
            scope: Scope::new(
                self.pull.connector.info(),
                self.pull.entity,
                self.pull.select.clone(),
                visibility,
            ),
            from: self.checkpoint.from,
            to: self.to.max(self.checkpoint.from),
            records: (self.seen.len() as u64).saturating_sub(self.rejected.len() as u64),
            rejected,
            dropped_fields: self.checkpoint.dropped_fields,
            missing,
            deleted,
            delivery: self.sink.delivery(),
            next_since,
            bulk,
            measured: self.measured(),
            checks,
            verdict,
        };
        self.checkpoint.certificate = serde_json::to_string(&certificate).ok().map(Into::into);
        let mut ops = self.full_run_ops(&certificate.deleted).await?;
        ops.push(self.checkpoint_op(Vec::new()));
        ops.extend(self.prints_ops());
        if let Some(to) = certificate.to.filter(|_| self.pull.keep_base) {
            ops.push(Op::DropBasesBefore(to.saturating_sub(BASE_KEPT)));
        }
        self.pull.state.commit(self.store, Unit::new(ops)).await?;
        Ok(certificate)
    }
}
