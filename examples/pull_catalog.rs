//! Pulls a store's catalogue into one JSON Lines file: `pull_catalog --out FILE`.
//!
//! Every line is a canonical record with `entity` and `ref.id`. The certificates are JSON lines on standard
//! output, and text on standard error. While it runs, the lines are in `FILE.partial`; a run that was cut off
//! goes on where it was when it is called again with the same arguments. A finished file is replaced.
//!
//! Numbers that are kept by day come for a range of days: `--from`, `--to`, or the last 28 days up to yesterday.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use lily_connect::model::DeltaClock;
use lily_connect::state::{Checkpoint, Op, RunKey, SinkMark, Unit};
use lily_connect::time::{Day, Days, Timestamp};
use lily_connect::{Certificate, Entity, JsonlSink, Pull, Sink};
use serde::{Deserialize, Serialize};
use support::{Bars, Ended, Failure, Store, say};

mod support;

/// Pulls a store's catalogue into one JSON Lines file, with a certificate for each kind of record.
#[derive(Parser)]
struct Args {
    /// The file to write; one that is there is replaced once the pull has ended.
    #[arg(long)]
    out: PathBuf,
    /// Pulls only what changed since a time of the store's clock, such as 2026-11-22T17:08:40Z; kinds of record
    /// whose changes the store cannot list come whole.
    #[arg(long)]
    since: Option<Timestamp>,
    /// The first day of a range, such as 2026-11-01, for kinds of record that are kept by day [default: 28 days before
    /// the last].
    #[arg(long)]
    from: Option<Day>,
    /// The last day of the range [default: yesterday, as the store's time zone has it].
    #[arg(long)]
    to: Option<Day>,
    /// The kind of record, such as `product`, `variant` or `category`; may be given more than once [default: all
    /// that the store has].
    #[arg(long, value_parser = entity)]
    entity: Vec<Entity>,
    /// Where checkpoints are kept [default: lily-connect.db].
    #[arg(long)]
    state: Option<PathBuf>,
}

fn entity(name: &str) -> Result<Entity, String> {
    Entity::named(name).ok_or_else(|| {
        let names = Entity::ALL.map(Entity::as_str);
        format!("expected one of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    support::run(pull_catalog)
}

async fn pull_catalog(args: Args) -> Result<Ended, Failure> {
    let store = Store::from_env(args.state.as_deref()).await?;
    let mut entities: Vec<Entity> =
        store.connector.capabilities().entities.iter().map(|capabilities| capabilities.entity).collect();
    if !args.entity.is_empty() {
        if let Some(entity) = args.entity.iter().find(|entity| !entities.contains(entity)) {
            return Err(format!("this store has no list of the kind {entity}").into());
        }
        entities.retain(|entity| args.entity.contains(entity));
    }
    let out = std::path::absolute(&args.out)?;
    let days = days(&store, args.from, args.to)?;
    let job = Job { out, entities, since: args.since, days };
    let begun = Job::begun(&store).await?;

    let resumed = match &begun {
        Some((known, phase)) if *known == job => match job.found(&store, *phase).await? {
            Found::Finished => {
                say!("the file was finished before; only its certificates are left to tell");
                let mut certificates = Vec::new();
                for checkpoint in job.checkpoints(&store).await? {
                    certificates.extend(checkpoint.certificate.as_deref().map(serde_json::from_str));
                }
                let certificates = certificates.into_iter().collect::<Result<Vec<_>, _>>()?;
                return conclude(&store, &job, &certificates).await;
            }
            Found::Partial => true,
            Found::Stale => {
                say!("the lines of the run that was begun are gone, so it starts anew");
                false
            }
        },
        Some((other, _)) => {
            other.refuse_while_it_runs()?;
            say!("a pull into {} was begun and not ended; it is dropped", other.out.display());
            false
        }
        None => false,
    };

    // This locks the file, so nothing is forgotten while another pull still writes it.
    let mut sink = JsonlSink::create(&job.out)?;
    if resumed {
        say!("going on where the run before was cut off");
    } else {
        if let Some((other, _)) = &begun {
            other.forget(&store).await?;
        }
        job.forget(&store).await?;
        job.keep(&store, Phase::Pulling).await?;
    }
    let certificates = pull(&store, &job, &mut sink).await?;
    job.keep(&store, Phase::Closing).await?;
    let finished = sink.finish().await?;
    say!("{} records in {}", finished.records, args.out.display());
    conclude(&store, &job, &certificates).await
}

/// The days that are asked for, of a store that is read by days.
fn days(store: &Store, from: Option<Day>, to: Option<Day>) -> Result<Option<Days>, Failure> {
    let is_by_days = store.connector.capabilities().entities.iter().any(|claims| claims.windows.is_some());
    if !is_by_days {
        return if from.is_some() || to.is_some() {
            Err("--from and --to are for stores that are read by days".into())
        } else {
            Ok(None)
        };
    }
    let zone =
        store.connector.info().profile.time_zone.clone().ok_or("the store's time zone is not known")?;
    let recent = Days::until_yesterday(store.runtime.clock().now(), &zone, 28)?;
    let last = to.unwrap_or(recent.last());
    let first = from.unwrap_or_else(|| last.saturating_sub(recent.count() - 1));
    Ok(Some(Days::new(first, last)?))
}

/// Runs each pull to its certificate, one behind the other in the file.
async fn pull(store: &Store, job: &Job, sink: &mut JsonlSink) -> Result<Vec<Certificate>, Failure> {
    let bars = Bars::new();
    let mut certificates = Vec::new();
    let mut start = SinkMark(0);
    for (entity, pull) in job.entities.iter().zip(job.pulls(store)) {
        let mut checkpoint = pull.checkpoint().await?;
        if checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.opened != start) {
            // What stands before it in the file is not what stood there when it began.
            pull.forget().await?;
            checkpoint = None;
        }
        if checkpoint.is_none() {
            sink.rewind(start).await?;
        }
        let bar = bars.begin(*entity);
        let certificate = match pull.run(sink, &|progress| bar.follow(progress)).await {
            Err(error) if error.code() == "sink_behind" => {
                bars.say("its lines are gone, so it starts anew");
                pull.forget().await?;
                sink.rewind(start).await?;
                pull.run(sink, &|progress| bar.follow(progress)).await?
            }
            ended => ended?,
        };
        bar.end();
        start =
            pull.checkpoint().await?.ok_or("the checkpoint is gone: another program uses the state")?.mark;
        certificates.push(certificate);
    }
    Ok(certificates)
}

/// Tells the certificates, and then forgets the runs: in this order, so that a cut between tells them again.
async fn conclude(store: &Store, job: &Job, certificates: &[Certificate]) -> Result<Ended, Failure> {
    let mut ended = Ended::Fully;
    for certificate in certificates {
        say!("{certificate}");
        support::data(&serde_json::to_string(certificate)?)?;
        ended = ended.and(Ended::fully_if(certificate.is_complete()));
    }
    job.forget(store).await?;
    Ok(ended)
}

/// What one file is made of. The state keeps it from the first page until the file is in its place, since the
/// engine's checkpoints speak of a position in a file, but not of which file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    out: PathBuf,
    entities: Vec<Entity>,
    since: Option<Timestamp>,
    #[serde(default)]
    days: Option<Days>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pulling,
    /// All lines are there, and the file is being put in its place.
    Closing,
}

/// What is left of a run that was begun.
enum Found {
    Partial,
    Finished,
    Stale,
}

impl Job {
    fn key() -> RunKey {
        RunKey("pull_catalog".into())
    }

    async fn begun(store: &Store) -> Result<Option<(Self, Phase)>, Failure> {
        let found = store.state.checkpoint(&store.connector.info().store, &Self::key()).await?;
        let Some(found) = found else { return Ok(None) };
        let phase = if found.pages_done { Phase::Closing } else { Phase::Pulling };
        // A job that another version wrote in another form is no job of ours.
        Ok(serde_json::from_str(&found.binding).ok().map(|job| (job, phase)))
    }

    async fn keep(&self, store: &Store, phase: Phase) -> Result<(), Failure> {
        let binding = serde_json::to_string(self)?.into();
        let mut checkpoint = Checkpoint::new(Self::key(), binding, SinkMark(0));
        checkpoint.pages_done = phase == Phase::Closing;
        let op = Op::Checkpoint { checkpoint: Box::new(checkpoint), delivered: Vec::new() };
        Ok(store.state.commit(&store.connector.info().store, Unit::new(vec![op])).await?)
    }

    /// Forgets the job and its runs, all at once.
    async fn forget(&self, store: &Store) -> Result<(), Failure> {
        let runs = self.pulls(store).flat_map(|pull| pull.forget_ops());
        let ops = runs.chain([Op::ForgetRun(Self::key())]).collect();
        Ok(store.state.commit(&store.connector.info().store, Unit::new(ops)).await?)
    }

    fn pulls(&self, store: &Store) -> impl Iterator<Item = Pull> {
        let pull = |entity: &Entity| {
            // A plan that is made later can then show what was there.
            let pull = store.pull(*entity).keep_base(true);
            let claims = store.connector.capabilities().entity(*entity);
            let lists_changes = claims.is_some_and(|claims| claims.delta != DeltaClock::None);
            let by_days = claims.is_some_and(|claims| !claims.whole && claims.windows.is_some());
            if let Some(days) = self.days.filter(|_| by_days) {
                return pull.window(days);
            }
            match self.since {
                Some(since) if lists_changes => pull.since(since),
                // Kinds without a change stamp, such as categories, are few: they come whole.
                _ => pull,
            }
        };
        self.entities.iter().map(pull)
    }

    async fn checkpoints(&self, store: &Store) -> Result<Vec<Checkpoint>, Failure> {
        let mut checkpoints = Vec::new();
        for pull in self.pulls(store) {
            checkpoints.extend(pull.checkpoint().await?);
        }
        Ok(checkpoints)
    }

    async fn found(&self, store: &Store, phase: Phase) -> Result<Found, Failure> {
        let reached = self.checkpoints(store).await?.iter().map(|checkpoint| checkpoint.mark.0).max();
        Ok(match length(&self.partial())? {
            None if phase == Phase::Closing && length(&self.out)?.is_some() => Found::Finished,
            partial if partial.unwrap_or(0) < reached.unwrap_or(0) => Found::Stale,
            _ => Found::Partial,
        })
    }

    fn partial(&self) -> PathBuf {
        let mut name = self.out.clone().into_os_string();
        name.push(".partial");
        name.into()
    }

    fn refuse_while_it_runs(&self) -> Result<(), Failure> {
        if length(&self.partial())?.is_some() {
            drop(JsonlSink::create(&self.out)?);
        }
        Ok(())
    }
}

fn length(path: &Path) -> std::io::Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
