//! What a job's file proves, in the certificate.

use super::report::BulkReport;
use crate::error::Result;
use crate::sync::certificate::{Check, CheckOutcome, Reason, Rule};
use crate::sync::pull::{Proof, Work};

impl Work<'_> {
    /// Checks a list that came by a bulk job. Where the file does not prove it, its ids are swept, as far as a
    /// sweep can: it finds records that are missing, not children.
    pub(in crate::sync) async fn prove_bulk(
        &mut self,
        report: &BulkReport,
        checks: &mut Vec<Check>,
        proof: &mut Proof,
    ) -> Result<()> {
        let (whole, joined) = told(report, checks);
        checks.push(Check::new(
            Rule::ClosingDelta,
            CheckOutcome::NotNeeded,
            "the file is one read, whenever it is delivered",
        ));
        let (count, roots) = (self.seen.len() as u64, report.found.roots.unwrap_or(0));
        let counted = match (self.is_list(), report.is_counted()) {
            (false, _) => CheckOutcome::NotNeeded,
            (true, false) => CheckOutcome::NotOffered,
            (true, true) if count >= roots && whole != CheckOutcome::Failed => CheckOutcome::Held,
            (true, true) => CheckOutcome::Failed,
        };
        checks.push(Check::new(
            Rule::CountAgrees,
            counted,
            format!("{count} delivered; the file has {roots} records"),
        ));
        let has_failed = [whole, joined, counted].contains(&CheckOutcome::Failed);
        // Records without children are proven by their ids.
        let is_mendable = self.is_without_branches();
        if !self.is_list() {
            if has_failed {
                proof.reasons.push(Reason::BulkIncomplete);
            }
            return self.sweep_behind_delta(checks, proof).await;
        }
        if !has_failed && whole == CheckOutcome::Held {
            checks.push(Check::new(Rule::SweepAgrees, CheckOutcome::NotNeeded, "the other checks held"));
        } else if self.can_sweep() && (!has_failed || is_mendable) {
            self.sweep(checks, proof).await?;
            // Ids that agree prove no children.
            proof.unproven |= !is_mendable;
        } else {
            checks.push(Check::new(
                Rule::SweepAgrees,
                CheckOutcome::NotOffered,
                "a sweep proves no children",
            ));
            if has_failed {
                proof.reasons.push(Reason::BulkIncomplete);
            } else {
                proof.unproven = true;
            }
        }
        Ok(())
    }

    fn is_without_branches(&self) -> bool {
        let source = self.pull.connector.bulk();
        source.is_some_and(|source| source.joints(self.pull.entity).branches.is_empty())
    }

    /// Tells of a job whose list was read page by page in the end.
    pub(in crate::sync) fn tell_bulk(&self, report: &BulkReport, checks: &mut Vec<Check>) {
        told(report, checks);
        for check in checks.iter_mut().filter(|check| check.rule == Rule::BulkWhole) {
            check.outcome = CheckOutcome::Failed;
            check.evidence.push_str("; the list was read page by page instead");
        }
    }
}

fn told(report: &BulkReport, checks: &mut Vec<Check>) -> (CheckOutcome, CheckOutcome) {
    let whole = match (report.is_whole() && !report.job.is_empty(), report.is_counted()) {
        (false, _) => CheckOutcome::Failed,
        (true, true) => CheckOutcome::Held,
        (true, false) => CheckOutcome::NotOffered,
    };
    checks.push(Check::new(Rule::BulkWhole, whole, report.to_string()));
    let joined = if report.issues.is_empty() { CheckOutcome::Held } else { CheckOutcome::Failed };
    let mut evidence = String::from("each line is a record, or joined to one");
    if joined == CheckOutcome::Failed {
        let counts = report.issues.counts.iter().map(|(fault, count)| format!("{count} {fault:?}"));
        evidence = format!("lines with faults: {}", counts.collect::<Vec<_>>().join(", "));
    }
    checks.push(Check::new(Rule::BulkJoined, joined, evidence));
    (whole, joined)
}
