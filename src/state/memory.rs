//! State in memory: for tests, and for services that keep nothing.

mod queue;
mod tokens;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{
    Checkpoint, DeliveryDigest, Fence, Job, JobPlace, NotedHash, Op, RowId, RowQuery, RunKey, StateStore,
    Unit, WriteJob, WriteRow, refuse,
};
use crate::auth::StoredTokens;
use crate::error::Result;
use crate::model::{BaseToken, CellValue, RecordRef, StoreKey};
use crate::time::Timestamp;
use queue::Queue;
use tokens::Tokens;

/// Keeps the state of any number of stores in memory; it ends with the process.
///
/// It answers as the durable states do, error codes included. Writes that it guards are guarded within this
/// one value only, and nothing can be undone once it is dropped.
#[derive(Debug, Default)]
pub struct MemoryState {
    stores: Mutex<HashMap<StoreKey, Store>>,
}

impl MemoryState {
    /// Makes an empty state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read<T: Default>(&self, key: &StoreKey, read: impl FnOnce(&Store) -> T) -> T {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.get(key).map(read).unwrap_or_default()
    }

    fn write<T>(&self, key: &StoreKey, write: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        write(stores.entry(key.clone()).or_default())
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn commit(&self, store: &StoreKey, unit: Unit) -> Result<()> {
        self.write(store, |store| store.commit(unit))
    }

    async fn checkpoint(&self, store: &StoreKey, run: &RunKey) -> Result<Option<Checkpoint>> {
        Ok(self.read(store, |store| store.runs.get(run).map(|found| found.checkpoint.clone())))
    }

    async fn delivered(&self, store: &StoreKey, run: &RunKey) -> Result<Vec<u64>> {
        Ok(self.read(store, |store| {
            store.runs.get(run).map(|found| found.delivered.clone()).unwrap_or_default()
        }))
    }

    async fn rows(&self, store: &StoreKey, query: &RowQuery) -> Result<Vec<WriteRow>> {
        Ok(self.read(store, |store| store.rows(query)))
    }

    async fn write_jobs(&self, store: &StoreKey) -> Result<Vec<WriteJob>> {
        Ok(self.read(store, |store| store.write_jobs.clone()))
    }

    async fn base_value(&self, store: &StoreKey, token: &BaseToken) -> Result<Option<CellValue>> {
        Ok(self.read(store, |store| store.bases.get(token).map(|(value, _)| value.clone())))
    }

    async fn seen(&self, store: &StoreKey, delivery: &DeliveryDigest) -> Result<bool> {
        Ok(self.read(store, |store| store.queue.seen(delivery)))
    }

    async fn jobs(&self, store: &StoreKey, after: Option<JobPlace>, most: NonZeroU32) -> Result<Vec<Job>> {
        Ok(self.read(store, |store| store.queue.jobs(after, most)))
    }

    async fn noted_hash(&self, store: &StoreKey, record: &RecordRef) -> Result<Option<NotedHash>> {
        Ok(self.read(store, |store| store.queue.noted_hash(record)))
    }

    async fn tokens(&self, store: &StoreKey, slot: &str) -> Result<StoredTokens> {
        Ok(self.read(store, |store| store.tokens.load(slot)))
    }

    async fn lease(&self, store: &StoreKey, holder: &str, now: Timestamp, until: Timestamp) -> Result<Fence> {
        self.write(store, |store| store.lease(holder, now, until))
    }

    async fn release(&self, store: &StoreKey, holder: &str) -> Result<()> {
        self.write(store, |store| {
            if store.holder.as_ref().is_some_and(|(held_by, _)| held_by == holder) {
                store.holder = None;
            }
            Ok(())
        })
    }
}

#[derive(Debug, Default)]
struct Store {
    /// The newest fence; zero before the first lease.
    fence: u64,
    holder: Option<(String, Timestamp)>,
    runs: HashMap<RunKey, Run>,
    bases: HashMap<BaseToken, (CellValue, Timestamp)>,
    /// In the order in which they were noted first.
    write_jobs: Vec<WriteJob>,
    log: Log,
    queue: Queue,
    tokens: Tokens,
}

#[derive(Debug)]
struct Run {
    checkpoint: Checkpoint,
    delivered: Vec<u64>,
}

/// The rows in the order of their appends, with the ways into them.
#[derive(Debug, Default)]
struct Log {
    rows: Vec<WriteRow>,
    by_id: HashMap<RowId, usize>,
    by_holder: HashMap<RecordRef, Vec<usize>>,
    unsettled: BTreeSet<usize>,
}

impl Store {
    /// Checks all operations on copies of the rows that they touch, and only then changes anything.
    fn commit(&mut self, unit: Unit) -> Result<()> {
        if let Some(fence) = unit.fence
            && (fence.0 == 0 || fence.0 != self.fence)
        {
            return Err(refuse::fence_lost(fence, Fence(self.fence)));
        }
        let staged = self.log.stage(&unit.ops)?;
        if let Some(tokens) = self.tokens.stage(&unit.ops)? {
            self.tokens = tokens;
        }
        self.log.apply(staged);
        for op in unit.ops {
            self.apply(op);
        }
        Ok(())
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Checkpoint { checkpoint, delivered } => match self.runs.entry(checkpoint.run.clone()) {
                Entry::Occupied(mut run) => {
                    let run = run.get_mut();
                    run.checkpoint = *checkpoint;
                    run.delivered.extend(delivered);
                }
                Entry::Vacant(run) => {
                    run.insert(Run { checkpoint: *checkpoint, delivered });
                }
            },
            Op::ForgetRun(run) => {
                self.runs.remove(&run);
            }
            Op::NoteWriteJob(job) => match self.write_jobs.iter_mut().find(|known| known.tag == job.tag) {
                Some(known) => *known = *job,
                None => self.write_jobs.push(*job),
            },
            Op::EndWriteJob { tag } => self.write_jobs.retain(|known| known.tag != tag),
            Op::KeepBase { token, value, at } => {
                let at = self.bases.get(&token).map_or(at, |(_, kept)| at.max(*kept));
                self.bases.insert(token, (value, at));
            }
            Op::DropBasesBefore(time) => {
                self.bases.retain(|_, (_, at)| at.unix_millis() >= time.unix_millis());
            }
            // These were staged.
            Op::Append(_)
            | Op::Settle { .. }
            | Op::MarkUndone { .. }
            | Op::ReplaceTokens { .. }
            | Op::ForgetTokens { .. }
            | Op::ClaimTokens { .. }
            | Op::UnclaimTokens { .. } => {}
            Op::Receive { delivery, hint, at } => self.queue.receive(delivery, &hint, at),
            Op::JobDone { record, version } => self.queue.done(&record, version),
            Op::TrimDeliveries { before, keep } => self.queue.trim(before, keep),
            Op::NoteHash { record, noted } => self.queue.note(record, noted),
            Op::ForgetHash { record } => self.queue.forget(&record),
            Op::DropHashesBefore(time) => self.queue.drop_hashes(time),
        }
    }

    fn rows(&self, query: &RowQuery) -> Vec<WriteRow> {
        let log = &self.log;
        let at = |places: &mut dyn Iterator<Item = usize>| -> Vec<WriteRow> {
            places.filter_map(|place| log.rows.get(place).cloned()).collect()
        };
        match query {
            RowQuery::Cell(cell) => {
                let mut rows = at(&mut log.of_holder(&cell.holder));
                rows.retain(|row| row.cell == *cell);
                rows
            }
            RowQuery::Holder(holder) => at(&mut log.of_holder(holder)),
            RowQuery::Push(push) => log.rows.iter().filter(|row| row.push == *push).cloned().collect(),
            RowQuery::Unsettled => at(&mut log.unsettled.iter().copied()),
        }
    }

    fn lease(&mut self, holder: &str, now: Timestamp, until: Timestamp) -> Result<Fence> {
        match &mut self.holder {
            Some((held_by, held_until)) if *held_until > now => {
                if held_by != holder {
                    return Err(refuse::lease_held(held_by, *held_until));
                }
                *held_until = until.max(*held_until);
            }
            Some(_) | None => {
                self.fence += 1;
                self.holder = Some((holder.to_owned(), until));
            }
        }
        Ok(Fence(self.fence))
    }
}

impl Log {
    /// The rows as the operations leave them, in the order in which they were first touched.
    fn stage(&self, ops: &[Op]) -> Result<Vec<WriteRow>> {
        let mut staged: Vec<WriteRow> = Vec::new();
        let mut places: HashMap<RowId, usize> = HashMap::new();
        for op in ops {
            match op {
                Op::Append(row) => {
                    if self.by_id.contains_key(&row.id) || places.contains_key(&row.id) {
                        return Err(refuse::row_exists(row.id));
                    }
                    places.insert(row.id, staged.len());
                    staged.push((**row).clone());
                }
                Op::Settle { row: id, outcome } => {
                    let row = self.staged(*id, &mut staged, &mut places)?;
                    if !row.outcome.is_unsettled() && row.outcome != *outcome {
                        return Err(refuse::row_settled(*id));
                    }
                    row.outcome = outcome.clone();
                }
                Op::MarkUndone { row: id, by } => {
                    let row = self.staged(*id, &mut staged, &mut places)?;
                    if row.undone_by.is_some_and(|marked| marked != *by) {
                        return Err(refuse::row_undone(*id));
                    }
                    row.undone_by = Some(*by);
                }
                // These refuse nothing, or are staged elsewhere.
                Op::Checkpoint { .. }
                | Op::ForgetRun(_)
                | Op::NoteWriteJob(_)
                | Op::EndWriteJob { .. }
                | Op::KeepBase { .. }
                | Op::DropBasesBefore(_)
                | Op::Receive { .. }
                | Op::JobDone { .. }
                | Op::TrimDeliveries { .. }
                | Op::NoteHash { .. }
                | Op::ForgetHash { .. }
                | Op::DropHashesBefore(_)
                | Op::ReplaceTokens { .. }
                | Op::ForgetTokens { .. }
                | Op::ClaimTokens { .. }
                | Op::UnclaimTokens { .. } => {}
            }
        }
        Ok(staged)
    }

    fn staged<'a>(
        &self,
        id: RowId,
        staged: &'a mut Vec<WriteRow>,
        places: &mut HashMap<RowId, usize>,
    ) -> Result<&'a mut WriteRow> {
        let place = match places.get(&id) {
            Some(place) => *place,
            None => {
                let row = self.by_id.get(&id).and_then(|place| self.rows.get(*place));
                staged.push(row.cloned().ok_or_else(|| refuse::row_unknown(id))?);
                places.insert(id, staged.len() - 1);
                staged.len() - 1
            }
        };
        staged.get_mut(place).ok_or_else(|| refuse::row_unknown(id))
    }

    fn apply(&mut self, staged: Vec<WriteRow>) {
        for row in staged {
            let place = self.by_id.get(&row.id).copied().unwrap_or(self.rows.len());
            if row.outcome.is_unsettled() {
                self.unsettled.insert(place);
            } else {
                self.unsettled.remove(&place);
            }
            if let Some(known) = self.rows.get_mut(place) {
                *known = row;
            } else {
                self.by_id.insert(row.id, place);
                self.by_holder.entry(row.cell.holder.clone()).or_default().push(place);
                self.rows.push(row);
            }
        }
    }

    fn of_holder(&self, holder: &RecordRef) -> impl Iterator<Item = usize> + '_ {
        self.by_holder.get(holder).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    crate::state::conformance::conformance!(Arc::new(MemoryState::new()));
    crate::state::conformance::tokens::token_conformance!(Arc::new(MemoryState::new()));
}
