//! Says what stands in a store's way, and what to do about it: `doctor [--json]`.
//!
//! It examines the store that the environment names, or with `LILY_SANDBOX=1` a sandbox in this process. The
//! report goes to standard output. Exit status: 0 where no error stands (warnings and notes leave it at 0), 3
//! where one does, a refused key too, and 1 where nothing could be examined.

use std::process::ExitCode;

use clap::Parser;
use lily_connect::ConnectorConfig;
use lily_connect::doctor::{self, Report};
use lily_connect::registry::runtime_from_env;
use support::{Ended, Failure, Store};

mod support;

/// Probes a store, and names what stands in the way of pulls and pushes.
#[derive(Parser)]
struct Args {
    /// Gives the report as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    support::run(examine)
}

async fn examine(args: Args) -> Result<Ended, Failure> {
    let report = if support::wants_sandbox()? == Some(true) {
        let store = Store::sandbox(None).await?;
        doctor::examine(&*store.connector).await?
    } else {
        let runtime = runtime_from_env()?;
        match ConnectorConfig::from_env()?.connect(&runtime).await {
            Ok(connector) => doctor::examine(&*connector).await?,
            Err(error) => Report::of_refusal(error)?,
        }
    };
    let text = if args.json { report.to_json()? } else { report.to_string() };
    support::data(text.trim_end())?;
    Ok(Ended::fully_if(report.exit_status() == 0))
}
