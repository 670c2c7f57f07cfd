//! Takes a push back where nobody changed it since: `undo_push --push ID`.
//!
//! The report is one JSON line on standard output, and text on standard error.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lily_connect::state::PushId;
use support::{Ended, Failure, Store, say};

mod support;

/// Takes a push back where nobody changed it since.
#[derive(Parser)]
struct Args {
    /// The id that the push's receipt shows.
    #[arg(long)]
    push: PushId,
    /// The state that the push was made with [default: lily-connect.db].
    #[arg(long)]
    state: Option<PathBuf>,
}

fn main() -> ExitCode {
    support::run(undo)
}

async fn undo(args: Args) -> Result<Ended, Failure> {
    let store = Store::lasting_from_env(args.state.as_deref()).await?;
    let report = store.push().undo(args.push).await?;
    support::show(&report);
    if report.cells.is_empty() {
        say!("none of that push has landed, so there is nothing to take back");
    }
    support::data(&serde_json::to_string(&report)?)?;
    Ok(Ended::fully_if(report.is_full_success()))
}
