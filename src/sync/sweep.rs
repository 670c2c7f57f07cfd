//! Sweeps of ids: what a list holds now, against what was delivered.

use std::collections::{BTreeSet, HashSet};

use super::certificate::{Check, CheckOutcome, Reason, Rule};
use super::deleted::Missed;
use super::pages::Pages;
use super::pull::{MAX_NAMED_IDS, Proof, Work, number};
use crate::connector::{Detail, PullRequest, Purpose, Select, Total};
use crate::error::Result;
use crate::model::{DeltaClock, ExternalId};
use crate::state::Op;

/// The most ids that are read by id in one request.
pub(super) const IDS_A_REQUEST: usize = 100;
/// The share of known records, in percent, past which missing ones are no ground to delete anything.
const MISSING_BOUND_PERCENT: usize = 5;

/// What one walk over a list of ids saw.
#[derive(Debug, Default)]
struct Walked {
    ids: HashSet<u64>,
    /// Those that were not delivered.
    new: Vec<ExternalId>,
    /// Of those that were, the ones whose fields without a clock are others now, with the print of what is listed.
    changed: Vec<(ExternalId, u64)>,
    totals: (Option<u64>, Option<u64>),
    overlap_broken: bool,
}

impl Walked {
    /// Whether the walk proves by itself that it saw the whole list.
    fn is_stable(&self) -> bool {
        let count = Some(self.ids.len() as u64);
        !self.overlap_broken
            && self.totals.0 == self.totals.1
            && self.totals.0.is_none_or(|_| self.totals.0 == count)
    }

    /// Whether both walks saw one list that held together, with a count that it does not have.
    fn is_miscounted_as(&self, later: &Self) -> bool {
        let held = |walked: &Self| !walked.overlap_broken && walked.totals.0 == walked.totals.1;
        held(self) && held(later) && self.totals == later.totals && self.ids == later.ids
    }
}

/// What came of comparing the fields that move no clock.
#[derive(Debug, Default)]
struct Again {
    /// How many records were read by id for it.
    count: u64,
    /// Those that no read by id brought as they are listed.
    stale: BTreeSet<ExternalId>,
}

/// What a sweep compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Ids,
    /// The fields that move no clock, too.
    Unclocked,
}

impl Work<'_> {
    /// Lists the ids, reads those that were not delivered, and lists again until nothing new shows. Whether no
    /// walk was in itself proof of the whole list.
    pub(super) async fn sweep(&mut self, checks: &mut Vec<Check>, proof: &mut Proof) -> Result<bool> {
        self.sweep_for(Compare::Ids, checks, proof).await.map(|(never_stable, _)| never_stable)
    }

    /// As [`Work::sweep`]; what came of what moves no clock, beside it.
    async fn sweep_for(
        &mut self,
        compare: Compare,
        checks: &mut Vec<Check>,
        proof: &mut Proof,
    ) -> Result<(bool, Again)> {
        let (mut sweeps, mut found, mut again) = (0, 0, Again::default());
        let mut never_stable = true;
        let mut agreed = false;
        let mut unread: BTreeSet<ExternalId> = BTreeSet::new();
        let mut before: Option<Walked> = None;
        let mut miscounted = false;
        while sweeps < self.pull.max_sweeps {
            sweeps += 1;
            let mut walked = self.walk_ids(compare).await?;
            never_stable &= !walked.is_stable();
            let changed = std::mem::take(&mut walked.changed);
            again.count += changed.len() as u64;
            let ids: Vec<ExternalId> = changed.iter().map(|(id, _)| id.clone()).collect();
            self.read_by_id(&ids).await?;
            // One that is gone by now is not listed by the next sweep.
            let others = changed.into_iter().filter(|(id, print)| !self.was_delivered_with(id, *print));
            let stale = others.map(|(id, _)| id).collect();
            let stale_before = std::mem::replace(&mut again.stale, stale);
            let is_settled = again.stale.is_empty() || again.stale == stale_before;
            // Named twice and not to be read by id: no further sweep changes that.
            if is_settled && walked.is_stable() && walked.new.iter().all(|id| unread.contains(id)) {
                agreed = walked.new.is_empty();
                self.note_missing(&walked.ids, checks, proof);
                proof.ids.extend(walked.new.into_iter().take(MAX_NAMED_IDS));
                break;
            }
            let new = std::mem::take(&mut walked.new);
            found += self.read_by_id(&new).await?;
            unread = new.into_iter().filter(|id| !self.knows(number(id))).collect();
            // The same ids and the same other count twice: the list does not move, its count is of something else.
            miscounted = before.as_ref().is_some_and(|before| before.is_miscounted_as(&walked));
            if miscounted {
                proof.ids.extend(unread.iter().take(MAX_NAMED_IDS).cloned());
                break;
            }
            before = Some(walked);
        }
        if !agreed {
            proof.reasons.push(match proof.ids.is_empty() {
                _ if miscounted => Reason::CountDisagrees,
                true => Reason::StillMoving,
                false => Reason::RecordsUnreadable,
            });
        }
        let outcome = if agreed { CheckOutcome::Held } else { CheckOutcome::Failed };
        let evidence = format!("{sweeps} sweeps of ids; {found} records were found by them");
        checks.push(Check::new(Rule::SweepAgrees, outcome, evidence));
        Ok((never_stable, again))
    }

    /// Reads and delivers records by their ids, past caches: the list has just said something else than what is
    /// known. How many of them are new.
    async fn read_by_id(&mut self, ids: &[ExternalId]) -> Result<usize> {
        let before = self.seen.len();
        for ids in ids.chunks(IDS_A_REQUEST) {
            let request = PullRequest::by_ids(self.pull.entity, ids.to_vec(), Purpose::Verify);
            let mut pages = Pages::new(self.pull, request);
            while let Some(read) = pages.next(&self.pull.cancel).await? {
                self.deliver(read, false).await?;
            }
        }
        Ok(self.seen.len() - before)
    }

    /// A delta tells nothing of records that left the list, however far its clock can be trusted, and little of
    /// those whose clock lied: the list's ids are held against those of the last full run.
    pub(super) async fn sweep_behind_delta(
        &mut self,
        checks: &mut Vec<Check>,
        proof: &mut Proof,
    ) -> Result<()> {
        let not = |outcome, evidence: &str| Check::new(Rule::SweepAgrees, outcome, evidence);
        if !self.capabilities.ids_only {
            checks.push(not(
                CheckOutcome::NotOffered,
                "the platform lists no ids: deletions, and changes that move no clock, were not looked for",
            ));
            return Ok(());
        }
        let full = self.pull.run_key_of(&Select::All);
        let checkpoint = self.pull.state.checkpoint(self.store, &full).await?;
        if checkpoint.is_none_or(|checkpoint| checkpoint.certificate.is_none()) {
            checks.push(not(CheckOutcome::NotOffered, "the state keeps no full run to compare with: deletions, and changes that move no clock, were not looked for"));
            return Ok(());
        }
        self.of_full_run = self.pull.state.delivered(self.store, &full).await?.into_iter().collect();
        let compare = if self.load_prints().await? { Compare::Unclocked } else { Compare::Ids };
        let (_, again) = self.sweep_for(compare, checks, proof).await?;
        checks.push(match compare {
            Compare::Unclocked => {
                let Again { count, stale } = &again;
                let evidence =
                    format!("{count} records differed in what moves no clock, and were read again");
                if stale.is_empty() {
                    Check::new(Rule::UnclockedAgrees, CheckOutcome::Held, evidence)
                } else {
                    let evidence = format!("{evidence}; {} did not come as they are listed", stale.len());
                    Check::new(Rule::UnclockedAgrees, CheckOutcome::Failed, evidence)
                }
            }
            Compare::Ids if self.capabilities.delta == DeltaClock::Trusted => Check::new(
                Rule::UnclockedAgrees,
                CheckOutcome::NotNeeded,
                "every change moves the platform's clock",
            ),
            Compare::Ids => Check::new(
                Rule::UnclockedAgrees,
                CheckOutcome::NotOffered,
                "what moves no clock was not looked for: it shows in a full pull",
            ),
        });
        if !again.stale.is_empty() {
            proof.reasons.push(Reason::RecordsUnreadable);
            let room = MAX_NAMED_IDS.saturating_sub(proof.ids.len());
            proof.ids.extend(again.stale.into_iter().take(room));
        }
        Ok(())
    }

    /// What a delta delivered belongs to what is known from the full run on, and what it told as deleted does not any
    /// more: it is told once, and is not missing ever after.
    pub(super) async fn full_run_ops(&mut self, deleted: &[ExternalId]) -> Result<Vec<Op>> {
        let deleted: HashSet<u64> = deleted.iter().map(number).collect();
        let is_kept = |id: &u64| !deleted.contains(id);
        let mut delivered: Vec<u64> =
            self.seen.difference(&self.of_full_run).copied().filter(is_kept).collect();
        let shrinks = !deleted.is_disjoint(&self.of_full_run);
        if self.of_full_run.is_empty() || (delivered.is_empty() && !shrinks) {
            return Ok(Vec::new());
        }
        let full = self.pull.run_key_of(&Select::All);
        let Some(checkpoint) = self.pull.state.checkpoint(self.store, &full).await? else {
            return Ok(Vec::new());
        };
        let forget = shrinks.then_some(Op::ForgetRun(full));
        if shrinks {
            delivered.extend(self.of_full_run.iter().copied().filter(is_kept));
        }
        let put = Op::Checkpoint { checkpoint: Box::new(checkpoint), delivered };
        Ok(forget.into_iter().chain([put]).collect())
    }

    fn knows(&self, id: u64) -> bool {
        self.seen.contains(&id) || self.of_full_run.contains(&id)
    }

    /// Missing is not deleted: a shop that hides half its catalogue for an hour must not lose it here.
    fn note_missing(&self, listed: &HashSet<u64>, checks: &mut Vec<Check>, proof: &mut Proof) {
        let mut missing: Vec<u64> = self.seen.union(&self.of_full_run).copied().collect();
        let known = missing.len();
        missing.retain(|id| !listed.contains(id));
        let missed = proof.missed.insert(Missed::default());
        if missing.is_empty() {
            return;
        }
        missing.sort_unstable();
        missed.ids.extend(&missing);
        let few = missing.len() * 100 <= known * MISSING_BOUND_PERCENT;
        missed.too_many = !few;
        let evidence = format!("{} of {known} known records are missing now", missing.len());
        let outcome = if few { CheckOutcome::Held } else { CheckOutcome::Failed };
        checks.push(Check::new(Rule::FewMissing, outcome, evidence));
        // Only ids that are numbers are known by themselves; of others only a hash is kept.
        if self.capabilities.numeric_ids || self.capabilities.sorted_by_id {
            proof.missing =
                missing.iter().take(MAX_NAMED_IDS).map(|id| ExternalId::from(id.to_string())).collect();
        }
    }

    async fn walk_ids(&mut self, compare: Compare) -> Result<Walked> {
        let detail = match compare {
            Compare::Ids => Detail::IdsOnly,
            Compare::Unclocked => Detail::Unclocked,
        };
        let request = PullRequest { detail, ..PullRequest::all(self.pull.entity) };
        let mut pages = Pages::new(self.pull, request);
        let mut walked = Walked::default();
        let mut last: Option<ExternalId> = None;
        while let Some(read) = pages.next(&self.pull.cancel).await? {
            self.to = read.page.server_time.or(self.to);
            if let Total::Exact(total) = read.page.total {
                walked.totals.0.get_or_insert(total);
                walked.totals.1 = Some(total);
            }
            walked.overlap_broken |= !self.joins(&read, last.as_ref());
            last = read.records().last().map(|record| record.reference().id.clone()).or(last);
            for record in read.records() {
                let id = &record.reference().id;
                if !walked.ids.insert(number(id)) {
                    continue;
                }
                if !self.knows(number(id)) {
                    walked.new.push(id.clone());
                } else if compare == Compare::Unclocked
                    && let Some(print) = self.other_print(record)
                {
                    walked.changed.push((id.clone(), print));
                }
            }
        }
        Ok(walked)
    }
}
