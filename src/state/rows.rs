//! The rows of the state, and the unit in which they are written.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DeliveryDigest, Hint, JobVersion, NotedHash, WriteJob};
use crate::auth::{Claim, TokenRecord, TokenVersion};
use crate::error::Result;
use crate::model::performance::Tally;
use crate::model::{
    BaseToken, Cell, CellValue, Cursor, EnrichmentId, ExternalId, ProductStatus, RecordRef, Text,
};
use crate::time::{Entropy, Timestamp};

/// Names a pull: the hash of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunKey(pub Text);

/// A position in a sink, made by the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SinkMark(pub u64);

/// Where a pull stands, with the evidence that its certificate needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The pull.
    pub run: RunKey,
    /// The hash of what the run is bound to: request, scope, credential, map, API version. A checkpoint with
    /// another binding is not used.
    pub binding: Text,
    /// The platform's time when the run began first; a resume does not move it.
    pub from: Option<Timestamp>,
    /// The next page to fetch; none before the first and after the last one.
    pub next: Option<Cursor>,
    /// Whether the last page was delivered.
    pub pages_done: bool,
    /// Whether the run was resumed at least once.
    pub resumed: bool,
    /// How many records the sink has taken, repetitions included.
    pub delivered: u64,
    /// How many records could not be mapped, with the first ids.
    pub rejected: u64,
    /// The ids of rejected records, the first hundred.
    pub rejected_ids: Vec<ExternalId>,
    /// How many fields were dropped.
    pub dropped_fields: u64,
    /// The list's exact count as the first page gave it, and as the last one did.
    pub totals: (Option<u64>, Option<u64>),
    /// The id of the last record of the last page.
    pub last_id: Option<ExternalId>,
    /// Whether two neighbouring pages did not share the record that they should have.
    pub overlap_broken: bool,
    /// Whether the list's order was not the promised one.
    pub order_broken: bool,
    /// The largest change stamp that was seen.
    pub watermark: Option<Timestamp>,
    /// The statuses of the records that came, each once.
    #[serde(default)]
    pub statuses: Vec<ProductStatus>,
    /// The sink's mark when the run was opened.
    pub opened: SinkMark,
    /// The sink's mark up to which this checkpoint speaks.
    pub mark: SinkMark,
    /// The certificate, as JSON, once the run has ended.
    pub certificate: Option<Text>,
    /// The bulk job of the run, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<BulkPoint>,
    /// What is known of the quality of the records that came, where they are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Box<Tally>>,
}

/// Where the bulk job of a pull stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BulkPoint {
    /// Our name for the job: committed before the job is started, so that one whose id was lost can be found.
    pub tag: Option<Text>,
    /// The platform's name for it: committed before it is asked about.
    pub job: Option<Text>,
    /// When it was started, by our clock.
    pub started: Option<Timestamp>,
    /// How many jobs have ended without a whole file.
    pub failed: u32,
    /// Why the last of them did: stable codes.
    pub failures: Vec<Text>,
    /// The position up to which the records of the job's file are delivered.
    pub delivered: u64,
    /// What came of the last file that was looked at, as JSON.
    pub report: Option<Text>,
    /// What the run does about the list.
    pub stage: BulkStage,
}

/// How far a pull is with its bulk job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BulkStage {
    /// A job runs, or its file is being delivered.
    #[default]
    Working,
    /// The file is delivered.
    Delivered,
    /// No job gave a whole file: the list is read page by page.
    Paging,
}

impl Checkpoint {
    /// The checkpoint of a run that has not begun.
    #[must_use]
    pub fn new(run: RunKey, binding: Text, mark: SinkMark) -> Self {
        Self {
            run,
            binding,
            from: None,
            next: None,
            pages_done: false,
            resumed: false,
            delivered: 0,
            rejected: 0,
            rejected_ids: Vec::new(),
            dropped_fields: 0,
            totals: (None, None),
            last_id: None,
            overlap_broken: false,
            order_broken: false,
            watermark: None,
            statuses: Vec::new(),
            opened: mark,
            mark,
            certificate: None,
            bulk: None,
            measured: None,
        }
    }
}

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new one; later ones are greater.
            ///
            /// # Errors
            /// `State` where the operating system gives no random bytes.
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Result<Self> {
                let mut random = [0; 10];
                entropy.fill(&mut random)?;
                let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
                Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> Result<Self> {
                text.parse().map(Self).map_err(|_| {
                    crate::error::Error::new(
                        crate::error::ErrorKind::Config,
                        "id_unreadable",
                        concat!(stringify!($name), " must be a UUID"),
                    )
                })
            }
        }
    };
}

row_id!(
    /// The id of a row of the write log.
    RowId
);
row_id!(
    /// The id of a push: one application of a plan.
    PushId
);

/// One write of one cell, in the one append-only write log that is queue, ledger, claims and undo at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteRow {
    /// Its id.
    pub id: RowId,
    /// The push that it belongs to.
    pub push: PushId,
    /// What it is.
    pub kind: RowKind,
    /// The hash of the plan that it was applied from.
    pub plan: Text,
    /// The cell.
    pub cell: Cell,
    /// The enrichment that it came from; none for an undo.
    pub enrichment: Option<EnrichmentId>,
    /// The cell's latest landed row when it was planned: part of the queue's key (rule P4).
    pub latest_at_plan: Option<RowId>,
    /// What the guard read found.
    pub before: CellValue,
    /// The platform's spelling of it, where the value alone does not lead back to it.
    pub before_raw: Option<Text>,
    /// The platform's id of what a list's key named then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_id: Option<ExternalId>,
    /// The record that it was written through, where the cell belongs to something that several records show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RecordRef>,
    /// The holder's change stamp at the guard read.
    pub stamp: Option<Timestamp>,
    /// What was to be written.
    pub sent: CellValue,
    /// When no byte of it may leave any more.
    pub send_by: Timestamp,
    /// When the intent was committed.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The row that took it back.
    pub undone_by: Option<RowId>,
}

impl WriteRow {
    /// The record that is read and written for the cell.
    #[must_use]
    pub fn target(&self) -> &RecordRef {
        self.via.as_ref().unwrap_or(&self.cell.holder)
    }
}

/// What a row of the write log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "row")]
pub enum RowKind {
    /// A push.
    Push,
    /// The undo of a row.
    Undo(RowId),
    /// The end of our claim on a cell; nothing was written.
    Release,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[non_exhaustive]
pub enum Outcome {
    /// It is about to be sent, or we ended before its answer: counts as unknown when found at a start.
    Intent,
    /// Its answer was lost, and no read has settled it yet.
    Unknown {
        /// When the answer was given up.
        at: Timestamp,
    },
    /// A read by id found it.
    Landed {
        /// The value as it was read.
        value: CellValue,
        /// The platform's spelling of it, where the value alone does not lead back to it.
        raw: Option<Text>,
        /// The id that the platform gave the key of a list.
        key_id: Option<ExternalId>,
        /// When that was committed.
        at: Timestamp,
    },
    /// It was refused, or certainly not sent.
    Refused {
        /// The stable code.
        code: Text,
        /// When that was committed.
        at: Timestamp,
    },
    /// It was sent, and a read by id did not find it.
    NotLanded {
        /// What was found instead.
        found: CellValue,
        /// When that was committed.
        at: Timestamp,
    },
}

impl Outcome {
    /// When it landed, where it did.
    #[must_use]
    pub fn landed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Landed { at, .. } => Some(*at),
            Self::Intent | Self::Unknown { .. } | Self::Refused { .. } | Self::NotLanded { .. } => None,
        }
    }

    /// Whether nobody knows yet.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        matches!(self, Self::Intent | Self::Unknown { .. })
    }
}

/// The right to commit as the one writer of a store: a later lease gives a greater fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// Operations that happen together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Unit {
    /// The fence to commit under; none for units of a pull, whose runs are not shared.
    pub fence: Option<Fence>,
    /// The operations, in order.
    pub ops: Vec<Op>,
}

impl Unit {
    /// A unit without a fence.
    #[must_use]
    pub fn new(ops: Vec<Op>) -> Self {
        Self { fence: None, ops }
    }

    /// A unit under a fence.
    #[must_use]
    pub fn fenced(fence: Fence, ops: Vec<Op>) -> Self {
        Self { fence: Some(fence), ops }
    }
}

/// One operation of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Writes the checkpoint of a run, and adds ids to those that it delivered.
    Checkpoint {
        /// The checkpoint.
        checkpoint: Box<Checkpoint>,
        /// The ids that were delivered since the last one, as the engine digests them.
        delivered: Vec<u64>,
    },
    /// Forgets a run: its checkpoint and the ids that it delivered.
    ForgetRun(RunKey),
    /// Appends a row to the write log. A row with this id must not exist.
    Append(Box<WriteRow>),
    /// Sets the outcome of a row. It must be unsettled, or hold this very outcome.
    Settle {
        /// The row.
        row: RowId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Marks a row as taken back. It must not be marked by another row.
    MarkUndone {
        /// The row.
        row: RowId,
        /// The row that took it back.
        by: RowId,
    },
    /// Notes a job that writes, or what is known of it now; its tag tells it from others.
    NoteWriteJob(Box<WriteJob>),
    /// Forgets a job that writes: it has ended, or was never started. One that is not there is as well.
    EndWriteJob {
        /// Its tag.
        tag: Text,
    },
    /// Keeps the value that a base token was made of.
    KeepBase {
        /// The token.
        token: BaseToken,
        /// The value.
        value: CellValue,
        /// When it was pulled.
        at: Timestamp,
    },
    /// Forgets base values that were pulled before this time.
    DropBasesBefore(Timestamp),
    /// Takes note of a delivery, and folds its hint into the job of its record. A delivery that was seen before
    /// changes nothing.
    Receive {
        /// The delivery.
        delivery: DeliveryDigest,
        /// What it hints at.
        hint: Hint,
        /// When it came, by our clock.
        at: Timestamp,
    },
    /// Ends the job of a record, where no hint came since this version of it; else it is done again, behind the
    /// jobs that wait.
    JobDone {
        /// The record.
        record: RecordRef,
        /// The version that was worked on.
        version: JobVersion,
    },
    /// Forgets deliveries that came before a time, and all but the newest ones. Their jobs stay.
    TrimDeliveries {
        /// The time.
        before: Timestamp,
        /// How many are kept at most.
        keep: u32,
    },
    /// Notes what is known of a record; see [`Op::note_hash`].
    NoteHash {
        /// The record.
        record: RecordRef,
        /// Its hash, and since when it is known.
        noted: NotedHash,
    },
    /// Forgets what is known of a record, since it is not there any more.
    ForgetHash {
        /// The record.
        record: RecordRef,
    },
    /// Forgets noted hashes of writes that began before this time.
    DropHashesBefore(Timestamp),
    /// Writes the tokens of a slot, whose version must be the expected one (code `tokens_moved`); it is the next
    /// one then.
    ReplaceTokens {
        /// The slot's name.
        slot: Text,
        /// The version that was read; zero for a slot that never held anything.
        expected: TokenVersion,
        /// What the slot holds from here on.
        record: Box<TokenRecord>,
    },
    /// Forgets the tokens of a slot, or those of all slots of the store, for good. Versions go on.
    ForgetTokens {
        /// The slot's name; none for all.
        slot: Option<Text>,
    },
    /// Takes or renews the right to refresh a slot, which no other holder may have (code `tokens_claimed`).
    ClaimTokens {
        /// The slot's name.
        slot: Text,
        /// Who, and how long at most.
        claim: Claim,
    },
    /// Gives that right back, where the holder still has it.
    UnclaimTokens {
        /// The slot's name.
        slot: Text,
        /// The holder.
        holder: Text,
    },
}
