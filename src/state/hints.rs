//! The rows of the inbox: deliveries that were seen, jobs, and the hashes by which an echo is told.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Op;
use crate::model::{ContentHash, Record, RecordRef};
use crate::time::Timestamp;

/// Names a delivery: the hash of the subscription, the platform's id of the delivery, and the body.
///
/// The platform's id alone does not do, since some platforms give two deliveries of one second the same. The
/// body alone does not do either: a record that is put into the bin twice makes the same body twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryDigest([u8; 32]);

impl DeliveryDigest {
    /// Digests a delivery.
    #[must_use]
    pub fn of(subscription: &str, delivery: Option<&str>, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // Each part with its length, so that none can run into the next.
        for part in [subscription.as_bytes(), delivery.unwrap_or_default().as_bytes(), body] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DeliveryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryDigest(")?;
        for byte in self.0.iter().take(8) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("..)")
    }
}

/// What a delivery hints at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hint {
    /// The record.
    pub record: RecordRef,
    /// The product that it belongs to, where it is a variant and the delivery says so.
    pub parent: Option<RecordRef>,
    /// What happened to it.
    pub kind: HintKind,
}

impl Hint {
    /// A hint at a record.
    #[must_use]
    pub fn new(record: RecordRef, parent: Option<RecordRef>, kind: HintKind) -> Self {
        Self { record, parent, kind }
    }
}

/// What a hint says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HintKind {
    /// It was made, changed or restored.
    Changed,
    /// It was deleted, or put into the bin.
    Deleted,
}

/// A record that is to be read again: all its hints are one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Job {
    /// The record.
    pub record: RecordRef,
    /// The product that it belongs to, where a hint said so.
    pub parent: Option<RecordRef>,
    /// `Deleted` where one of its hints said so.
    pub kind: HintKind,
    /// How many hints it stands for.
    pub hints: u64,
    /// When the first of them came, by our clock.
    pub first_at: Timestamp,
    /// When the last of them came.
    pub last_at: Timestamp,
    /// Its place in the queue: smaller ones are worked first.
    pub place: JobPlace,
    /// The version that its last hint made it: work on an older one does not end it.
    pub version: JobVersion,
}

impl Job {
    /// The job that a hint begins.
    pub(super) fn begin(hint: &Hint, at: Timestamp, number: u64) -> Self {
        Self {
            record: hint.record.clone(),
            parent: hint.parent.clone(),
            kind: hint.kind,
            hints: 1,
            first_at: at,
            last_at: at,
            place: JobPlace(number),
            version: JobVersion(number),
        }
    }

    /// Takes one more hint in.
    pub(super) fn fold(&mut self, hint: &Hint, at: Timestamp, number: u64) {
        self.parent = hint.parent.clone().or_else(|| self.parent.take());
        self.kind = self.kind.max(hint.kind);
        self.hints = self.hints.saturating_add(1);
        // The wall clock may have been set back.
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
        self.version = JobVersion(number);
    }

    /// Goes to the end of the queue: its work was done, and is to be done again. When its first hint came stays,
    /// since nobody knows which of its hints were in that work.
    pub(super) fn again(&mut self) {
        self.place = JobPlace(self.version.0);
    }
}

/// A place in the queue of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobPlace(pub u64);

/// The version of a job: each hint makes a greater one, and none comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobVersion(pub u64);

/// What is known of a record: as it was handed on last, or as our own write left it on top of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotedHash {
    /// The hash of the record.
    pub hash: ContentHash,
    /// When the write, or the read that was handed on, began, by our clock.
    pub began: Timestamp,
}

impl NotedHash {
    /// The hash of a record by a write or read that began at a time.
    #[must_use]
    pub fn new(hash: ContentHash, began: Timestamp) -> Self {
        Self { hash, began }
    }
}

impl Op {
    /// Notes what is known of a record, so that a hint which tells no more is no news (rule H2).
    ///
    /// `began` is when the write's intent was committed, or the read began: a hint from before it is never
    /// taken for told. Commit it in the unit that settles the write as landed, and only where nothing but what
    /// we sent has changed since the guard read, and that read found what was noted before; or in the unit that
    /// ends the job of a record that was handed on, and is durable there.
    #[must_use]
    pub fn note_hash(record: &Record, began: Timestamp) -> Self {
        let noted = NotedHash::new(record.content_hash(), began);
        Self::NoteHash { record: record.reference().clone(), noted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_deliveries_differ_by_subscription_id_and_body_and_by_nothing_else() {
        let one = DeliveryDigest::of("2", Some("ab"), b"{}");
        assert_eq!(one, DeliveryDigest::of("2", Some("ab"), b"{}"));
        for other in [
            DeliveryDigest::of("3", Some("ab"), b"{}"),
            DeliveryDigest::of("2", Some("ac"), b"{}"),
            DeliveryDigest::of("2", None, b"{}"),
            DeliveryDigest::of("2", Some("ab"), b"{} "),
            // The same bytes, cut elsewhere.
            DeliveryDigest::of("2a", Some("b"), b"{}"),
            DeliveryDigest::of("2", Some("ab{"), b"}"),
        ] {
            assert_ne!(one, other);
        }
    }
}
