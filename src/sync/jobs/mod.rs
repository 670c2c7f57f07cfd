//! Large pushes by jobs that the platform runs: guard reads, one file, one job, an answer a line.
//!
//! What the platform itself guards goes by job where the caller allows jobs and the plan is large; other fields only
//! where he also says for how long after its guard read such a write may run ([`JobSettings`]). The rest goes record
//! by record, as it does without jobs.
//!
//! The file goes up before anything is committed: an upload changes nothing. Then the intents and the job's tag are
//! committed in one unit, and the job is started. While the job is in the state, its rows are not settled: what it
//! did not write yet, it may still write. Whoever finds a job that nobody follows any more asks for its end, and reads
//! settle its rows.

mod follow;
mod lot;
mod recover;
mod results;
mod settings;

pub use settings::JobSettings;

/// The code of a change of which a part was not sent, since an earlier part of its field did not land.
const PART_NOT_SENT: &str = "job_part_not_sent";
