//! Plans enriched content, and applies a plan that was reviewed.
//!
//! `push_content --enrichments FILE --plan-out PLAN.json` reads enrichments, one JSON object a line, and writes
//! the plan; nothing is sent to the store but reads. `push_content --apply PLAN.json --approvals FILE` applies
//! the changes that the file approves, one JSON object a line: `{"plan":"<hash of the plan>","change":<number>}`.
//! `--allow-unreviewed` applies them all; `--jobs` lets a large plan go by jobs that the platform runs. The receipt is one JSON line on standard output.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use lily_connect::state::RowQuery;
use lily_connect::sync::{Approval, ChangeVerdict, JobSettings, PushSettings};
use lily_connect::{Approvals, Enrichment, Plan};
use serde::de::DeserializeOwned;
use support::{Ended, Failure, STATE, Store, say};

mod support;

/// The longest line that is read, in bytes: more than any field can take.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;

/// Plans enriched content, or applies a plan.
#[derive(Parser)]
#[command(group(ArgGroup::new("task").required(true).args(["enrichments", "apply"])))]
struct Args {
    /// The enrichments to plan, one JSON object a line.
    #[arg(long, requires = "plan_out")]
    enrichments: Option<PathBuf>,
    /// Where to write the plan.
    #[arg(long, requires = "enrichments")]
    plan_out: Option<PathBuf>,
    /// The plan to apply.
    #[arg(long)]
    apply: Option<PathBuf>,
    /// The approved changes, one JSON object a line: {"plan":"<hash of the plan>","change":<number>}.
    #[arg(long, requires = "apply", conflicts_with = "allow_unreviewed")]
    approvals: Option<PathBuf>,
    /// Applies every change of the plan, reviewed or not.
    #[arg(long, requires = "apply")]
    allow_unreviewed: bool,
    /// Lets a large plan go by jobs that the platform runs, where it has them: of what it guards itself.
    #[arg(long, requires = "apply")]
    jobs: bool,
    /// Where the log of what is written is kept: one state for each store [default: lily-connect.db].
    #[arg(long)]
    state: Option<PathBuf>,
}

fn main() -> ExitCode {
    support::run(push)
}

async fn push(args: Args) -> Result<Ended, Failure> {
    support::refuse_sandbox()?;
    let state = args.state.as_deref();
    match (&args.enrichments, &args.plan_out, &args.apply) {
        (Some(enrichments), Some(out), _) => plan(enrichments, out, state).await,
        (_, _, Some(plan)) => {
            let plan = read_plan(plan)?;
            let approvals = match &args.approvals {
                Some(path) => Approvals::Only(read_approvals(path, &plan)?),
                None if args.allow_unreviewed => Approvals::AllowUnreviewed,
                None => {
                    support::show(&plan);
                    say!(
                        "nothing was sent: name the approved changes with --approvals, or give --allow-unreviewed"
                    );
                    return Ok(Ended::Partly);
                }
            };
            apply(&plan, &approvals, args.jobs, state).await
        }
        _ => Err("give --enrichments with --plan-out, or --apply".into()),
    }
}

async fn plan(enrichments: &Path, out: &Path, state: Option<&Path>) -> Result<Ended, Failure> {
    let enrichments: Vec<Enrichment> = read_lines(enrichments)?.into_iter().map(|(_, one)| one).collect();
    if enrichments.is_empty() {
        return Err("the file holds no enrichment".into());
    }
    let store = Store::lasting_from_env(state).await?;
    let plan = store.push().plan(&enrichments).await?;
    support::show(&plan);
    std::fs::write(out, serde_json::to_vec_pretty(&plan)?)
        .map_err(|error| format!("{} cannot be written: {error}", out.display()))?;
    say!("the plan is in {}; nothing was sent", out.display());
    if let Some(approval) = plan.approve_all().first() {
        say!("a line for the file of --approvals, which approves one change:");
        say!("{}", serde_json::to_string(approval)?);
    }
    let is_clean = plan
        .changes
        .iter()
        .all(|change| matches!(change.verdict, ChangeVerdict::Apply | ChangeVerdict::Unchanged));
    Ok(Ended::fully_if(is_clean))
}

async fn apply(
    plan: &Plan,
    approvals: &Approvals,
    jobs: bool,
    state: Option<&Path>,
) -> Result<Ended, Failure> {
    let store = Store::lasting_from_env(state).await?;
    let mut settings = PushSettings::default();
    if jobs {
        settings.jobs = JobSettings::allowed();
    }
    let receipt = store.push().settings(settings).apply(plan, approvals).await?;
    support::show(&receipt);
    // A change that an earlier push made is Applied too, and is not this push's to take back.
    let rows = store.state.rows(&store.connector.info().store, &RowQuery::Push(receipt.push)).await;
    if rows.map_or(true, |rows| rows.iter().any(|row| row.outcome.landed_at().is_some())) {
        let state = &store.state_path;
        let state =
            if state == Path::new(STATE) { String::new() } else { format!(" --state {}", state.display()) };
        say!("to take it back: undo_push --push {}{state}", receipt.push);
    }
    support::data(&serde_json::to_string(&receipt)?)?;
    Ok(Ended::fully_if(receipt.is_full_success()))
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is no plan: {error}", path.display()).into())
}

/// Reads approvals; one that approves nothing of this plan is an error.
fn read_approvals(path: &Path, plan: &Plan) -> Result<Vec<Approval>, Failure> {
    let mut approvals = Vec::new();
    for (number, approval) in read_lines::<Approval>(path)? {
        let wrong = |what: String| Err(format!("{}, line {number}: {what}", path.display()).into());
        if approval.plan != plan.hash {
            return wrong(format!("it approves a change of another plan: this one's hash is {}", plan.hash));
        }
        let Some(change) = plan.changes.iter().find(|change| change.number == approval.change) else {
            return wrong(format!("the plan has no change {}", approval.change));
        };
        if !plan.to_apply().any(|known| known.number == change.number) {
            let (number, verdict) = (change.number, &change.verdict);
            return wrong(format!(
                "change {number} is not to be applied, for the plan says {verdict:?} of it: leave the line out"
            ));
        }
        approvals.push(approval);
    }
    Ok(approvals)
}

/// Reads JSON Lines, each with its number; an error names the line.
fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(u64, T)>, Failure> {
    let mut reader = BufReader::new(File::open(path).map_err(|error| unreadable(path, &error))?);
    let mut items = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line);
        if length.map_err(|error| unreadable(path, &error))? == 0 {
            break;
        }
        let wrong = |what: &str| format!("{}, line {number}: {what}", path.display());
        if line.len() as u64 > MAX_LINE_BYTES {
            return Err(wrong(&format!("longer than {MAX_LINE_BYTES} bytes")).into());
        }
        // Some editors begin a file with a mark of its encoding.
        let text = line.strip_prefix(b"\xEF\xBB\xBF").filter(|_| number == 1).unwrap_or(&line);
        if !text.iter().all(u8::is_ascii_whitespace) {
            items.push((number, serde_json::from_slice(text).map_err(|error| wrong(&place(&error)))?));
        }
    }
    Ok(items)
}

/// What is wrong with a line; its number in the file is said elsewhere.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    format!("{text}, at column {}", error.column())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    format!("{} cannot be read: {error}", path.display()).into()
}
