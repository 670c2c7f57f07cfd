//! The inbox of one store in memory.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::ops::Bound;

use crate::model::RecordRef;
use crate::state::{DeliveryDigest, Hint, Job, JobPlace, JobVersion, NotedHash};
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The number of the last delivery; none is given twice.
    last: u64,
    /// Deliveries in the order of their numbers.
    deliveries: BTreeMap<u64, (DeliveryDigest, Timestamp)>,
    numbers: HashMap<DeliveryDigest, u64>,
    jobs: HashMap<RecordRef, Job>,
    places: BTreeMap<JobPlace, RecordRef>,
    hashes: HashMap<RecordRef, NotedHash>,
}

impl Queue {
    pub(super) fn seen(&self, delivery: &DeliveryDigest) -> bool {
        self.numbers.contains_key(delivery)
    }

    pub(super) fn jobs(&self, after: Option<JobPlace>, most: NonZeroU32) -> Vec<Job> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        let places = self.places.range((from, Bound::Unbounded)).take(most);
        places.filter_map(|(_, record)| self.jobs.get(record).cloned()).collect()
    }

    pub(super) fn noted_hash(&self, record: &RecordRef) -> Option<NotedHash> {
        self.hashes.get(record).copied()
    }

    pub(super) fn receive(&mut self, delivery: DeliveryDigest, hint: &Hint, at: Timestamp) {
        if self.seen(&delivery) {
            return;
        }
        self.last += 1;
        self.deliveries.insert(self.last, (delivery, at));
        self.numbers.insert(delivery, self.last);
        if let Some(job) = self.jobs.get_mut(&hint.record) {
            job.fold(hint, at, self.last);
        } else {
            let job = Job::begin(hint, at, self.last);
            self.places.insert(job.place, job.record.clone());
            self.jobs.insert(job.record.clone(), job);
        }
    }

    pub(super) fn done(&mut self, record: &RecordRef, version: JobVersion) {
        let Some(job) = self.jobs.get_mut(record) else { return };
        self.places.remove(&job.place);
        if job.version == version {
            self.jobs.remove(record);
        } else {
            job.again();
            self.places.insert(job.place, record.clone());
        }
    }

    pub(super) fn trim(&mut self, before: Timestamp, keep: u32) {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let over = self.deliveries.len().saturating_sub(keep);
        let old = |at: &Timestamp| at.unix_millis() < before.unix_millis();
        let dropped: Vec<u64> = (self.deliveries.iter().enumerate())
            .filter(|(place, (_, (_, at)))| *place < over || old(at))
            .map(|(_, (number, _))| *number)
            .collect();
        for number in dropped {
            if let Some((delivery, _)) = self.deliveries.remove(&number) {
                self.numbers.remove(&delivery);
            }
        }
    }

    pub(super) fn note(&mut self, record: RecordRef, noted: NotedHash) {
        self.hashes.insert(record, noted);
    }

    pub(super) fn forget(&mut self, record: &RecordRef) {
        self.hashes.remove(record);
    }

    pub(super) fn drop_hashes(&mut self, before: Timestamp) {
        self.hashes.retain(|_, noted| noted.began.unix_millis() >= before.unix_millis());
    }
}
