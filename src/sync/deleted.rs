//! What of the missing is deleted: where the platform told a deletion, and a read by id finds no record (rule R7).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::certificate::{Check, CheckOutcome, Rule};
use super::pages::Pages;
use super::pull::{Proof, Work, number};
use super::sweep::IDS_A_REQUEST;
use crate::connector::{DeletionSource, PullRequest, Purpose, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ExternalId;
use crate::time::Timestamp;

/// The most pages of a list of deletions that are read.
const MAX_PAGES: usize = 100;
/// The most deletions that one certificate tells; what is more is told by the next one.
const MAX_TOLD: usize = 10_000;

/// What a sweep did not find any more.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub(super) ids: HashSet<u64>,
    /// Whether they are so many that none is called deleted.
    pub(super) too_many: bool,
}

/// What was told.
struct Told {
    /// How many deletions.
    count: u64,
    /// Those of what is missing; of everything where nothing was compared.
    ids: HashMap<u64, ExternalId>,
    is_all: bool,
}

impl Work<'_> {
    /// Tells the deleted from the missing, where the platform keeps a list of deletions. An empty list leaves the
    /// missing as they are.
    pub(super) async fn tell_deleted(&mut self, checks: &mut Vec<Check>, proof: &mut Proof) -> Result<()> {
        let mut say = |outcome, evidence: String| {
            checks.push(Check::new(Rule::DeletionsTold, outcome, evidence));
        };
        let pull = self.pull;
        let source = pull.connector.deletions().filter(|source| source.tells(pull.entity));
        let Some(source) = source.filter(|_| self.capabilities.by_ids) else {
            say(CheckOutcome::NotOffered, "the platform keeps no list of deletions".to_owned());
            return Ok(());
        };
        match &proof.missed {
            Some(missed) if missed.ids.is_empty() => {
                say(CheckOutcome::NotNeeded, "nothing is missing".to_owned());
                return Ok(());
            }
            Some(missed) if missed.too_many => {
                let evidence = "so many records are missing at once that none is called deleted";
                say(CheckOutcome::NotNeeded, evidence.to_owned());
                return Ok(());
            }
            _ => {}
        }
        let Some(since) = self.told_since(proof).await? else {
            say(CheckOutcome::NotOffered, "the platform did not say when the full run began".to_owned());
            return Ok(());
        };
        let told = match self.told(source, since, proof.missed.as_ref()).await {
            Ok(told) => told,
            Err(error)
                if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::State | ErrorKind::Sink) =>
            {
                return Err(error);
            }
            // Nothing is called deleted without it, and the records of the delta are here all the same.
            Err(error) => {
                say(
                    CheckOutcome::NotOffered,
                    format!("the list of deletions was not read: {}", error.code()),
                );
                return Ok(());
            }
        };
        let gone = self.gone_by_id(told.ids.into_values().collect()).await?;
        let of_missing = proof
            .missed
            .as_ref()
            .map_or_else(String::new, |missed| format!(" of {} that are missing", missed.ids.len()));
        let evidence = format!(
            "{} deletions were told since {since}; {}{of_missing} are gone by id, too",
            told.count,
            gone.len()
        );
        if told.is_all {
            say(CheckOutcome::Held, evidence);
        } else {
            say(CheckOutcome::Failed, format!("{evidence}; more were told than are looked at"));
        }
        proof.missing.retain(|id| !gone.contains(id));
        proof.deleted = gone.into_iter().collect();
        Ok(())
    }

    /// From when on deletions are of interest: what is missing was there in the last full run.
    async fn told_since(&mut self, proof: &Proof) -> Result<Option<Timestamp>> {
        let of_full_run = match &proof.missed {
            Some(_) => {
                let full = self.pull.run_key_of(&Select::All);
                let checkpoint = self.pull.state.checkpoint(self.store, &full).await?;
                checkpoint.and_then(|checkpoint| checkpoint.from)
            }
            None => None,
        };
        let since = match (of_full_run, &self.pull.select) {
            (Some(from), _) => Some(from),
            (None, Select::Since(since)) => Some(*since),
            (None, Select::All | Select::Ids(_) | Select::Window(_)) => None,
        };
        Ok(since.map(|since| since.saturating_sub(self.capabilities.overlap)))
    }

    async fn told(
        &mut self,
        source: &dyn DeletionSource,
        since: Timestamp,
        missed: Option<&Missed>,
    ) -> Result<Told> {
        let mut told = Told { count: 0, ids: HashMap::new(), is_all: false };
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            if self.pull.cancel.is_cancelled() {
                return Err(self.pull.cancel.error());
            }
            let page = source.deleted_since(self.pull.entity, since, cursor.as_ref()).await?;
            for id in page.ids {
                told.count += 1;
                let key = number(&id);
                if missed.is_some_and(|missed| !missed.ids.contains(&key)) {
                    continue;
                }
                if told.ids.len() >= MAX_TOLD {
                    return Ok(told);
                }
                told.ids.insert(key, id);
            }
            match page.next {
                None => {
                    told.is_all = true;
                    return Ok(told);
                }
                Some(next) if cursor.as_ref() == Some(&next) => {
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        "position_twice",
                        "a list of deletions does not go on",
                    ));
                }
                next => cursor = next,
            }
        }
        Ok(told)
    }

    /// Those that a read by id does not find. What it finds is delivered: it came back, or was never gone.
    async fn gone_by_id(&mut self, candidates: BTreeSet<ExternalId>) -> Result<BTreeSet<ExternalId>> {
        let candidates: Vec<ExternalId> = candidates.into_iter().collect();
        let mut gone = BTreeSet::new();
        for ids in candidates.chunks(IDS_A_REQUEST) {
            let request = PullRequest::by_ids(self.pull.entity, ids.to_vec(), Purpose::Verify);
            let mut pages = Pages::new(self.pull, request);
            while let Some(read) = pages.next(&self.pull.cancel).await? {
                gone.extend(read.page.missing.iter().filter(|id| ids.contains(id)).cloned());
                self.deliver(read, false).await?;
            }
        }
        Ok(gone)
    }
}
