//! What the examples share: arguments, exit statuses, the store that the environment names, and progress.
#![allow(dead_code, unused_imports, reason = "no example uses all of it")]

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lily_connect::registry::runtime_from_env;
use lily_connect::sync::Progress;
use lily_connect::{Connector, ConnectorConfig, Entity, Pull, Push, Runtime, SqliteState, StateStore};

mod sandbox;

/// Says a line on standard error. Where nobody reads it any more, the work goes on all the same.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}
pub(crate) use say;

/// Shows a text of several lines on standard error; it ends its last line itself.
pub(crate) fn show(text: &impl Display) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Gives a line of data on standard output.
pub(crate) fn data(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output cannot be written: {error}").into())
}

/// Where the state is unless it is said otherwise.
pub(crate) const STATE: &str = "lily-connect.db";

/// Whatever ends an example early.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How an example ended that was not cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of it was done.
    Fully,
    /// Something is incomplete, in conflict, rejected or unknown.
    Partly,
}

impl Ended {
    pub(crate) fn fully_if(full: bool) -> Self {
        if full { Self::Fully } else { Self::Partly }
    }

    /// The worse of two.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::fully_if(self == Self::Fully && other == Self::Fully)
    }
}

/// Reads the arguments, runs the work and gives the exit status: 0 full success, 1 error and bad arguments,
/// 3 everything in between.
pub(crate) fn run<A: Parser, F: Future<Output = Result<Ended, Failure>>>(
    work: impl FnOnce(A) -> F,
) -> ExitCode {
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help that was asked for is no error.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(work(args)));
    match ended {
        Ok(Ended::Fully) => ExitCode::SUCCESS,
        Ok(Ended::Partly) => ExitCode::from(3),
        Err(error) => {
            say!("error: {}", chain(&*error));
            if is_address_refused(&*error) {
                say!("hint: LILY_ALLOW_PRIVATE_HOSTS=1 allows a store on this machine or in its network");
            }
            ExitCode::FAILURE
        }
    }
}

fn is_address_refused(error: &(dyn Error + 'static)) -> bool {
    let is_it = |error: &lily_connect::Error| error.code() == "address_refused";
    error.downcast_ref().is_some_and(is_it) || error.source().is_some_and(is_address_refused)
}

/// An error with all that lies behind it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    text
}

/// What `LILY_SANDBOX` says; none where it is not set, or is set to nothing.
pub(crate) fn wants_sandbox() -> Result<Option<bool>, Failure> {
    match std::env::var_os("LILY_SANDBOX").filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) if value == "1" => Ok(Some(true)),
        Some(value) if value == "0" => Ok(Some(false)),
        Some(_) => Err("the variable LILY_SANDBOX must be 1 or 0".into()),
    }
}

/// A store that ends with its process is none for work that takes more than one run.
pub(crate) fn refuse_sandbox() -> Result<(), Failure> {
    if wants_sandbox()? == Some(true) {
        return Err(
            "with LILY_SANDBOX=1 every run has a store of its own, so this one cannot go on with what \
                    another run began; unset it, start `sandbox`, and set the variables that it prints"
                .into(),
        );
    }
    Ok(())
}

/// A connected store, with the runtime and the state that go with it.
pub(crate) struct Store {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) runtime: Runtime,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) state_path: PathBuf,
    sandbox: Option<sandbox::Sandbox>,
}

impl Store {
    /// The store that the environment names; the sandbox with `LILY_SANDBOX=1`.
    pub(crate) async fn from_env(state: Option<&Path>) -> Result<Self, Failure> {
        if wants_sandbox()? == Some(true) {
            return Self::sandbox(state).await;
        }
        let runtime = runtime_from_env()?;
        let connector = ConnectorConfig::from_env()?.connect(&runtime).await?;
        let state_path = state.unwrap_or(Path::new(STATE)).to_owned();
        let state = Arc::new(SqliteState::open(&state_path)?);
        Ok(Self { connector, runtime, state, state_path, sandbox: None })
    }

    /// The store that the environment names, for work that another run begins or goes on with.
    pub(crate) async fn lasting_from_env(state: Option<&Path>) -> Result<Self, Failure> {
        refuse_sandbox()?;
        Self::from_env(state).await
    }

    /// A sandbox store in this process. Its state is dropped with it, unless a file is named.
    pub(crate) async fn sandbox(state: Option<&Path>) -> Result<Self, Failure> {
        let sandbox = sandbox::Sandbox::start().await?;
        let (connector, runtime) = sandbox.connect().await?;
        let state_path = state.map_or_else(|| sandbox.folder().join(STATE), Path::to_owned);
        let state = Arc::new(SqliteState::open(&state_path)?);
        say!(
            "This is a sandbox: a stand-in for a {} store with a sample catalogue, in this process only.",
            connector.info().store.platform
        );
        Ok(Self { connector, runtime, state, state_path, sandbox: Some(sandbox) })
    }

    pub(crate) fn pull(&self, entity: Entity) -> Pull {
        Pull::new(Arc::clone(&self.connector), Arc::clone(&self.state), entity)
    }

    pub(crate) fn push(&self) -> Push {
        Push::new(Arc::clone(&self.connector), Arc::clone(&self.state), self.runtime.clone())
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }
}

/// Bars on a terminal; elsewhere a line now and then.
pub(crate) struct Bars(MultiProgress);

impl Bars {
    pub(crate) fn new() -> Self {
        Self(MultiProgress::new())
    }

    /// Begins the bar of one pull.
    pub(crate) fn begin(&self, what: Entity) -> Bar {
        let bar = self.0.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template("{msg:>10} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        let all = match what {
            Entity::Category => "categories".to_owned(),
            _ => format!("{what}s"),
        };
        if bar.is_hidden() {
            say!("{all}: pulling");
        }
        bar.set_message(all);
        Bar { bar, tenth: AtomicU64::new(0) }
    }

    /// Says something without tearing a bar.
    pub(crate) fn say(&self, text: &str) {
        self.0.suspend(|| say!("{text}"));
    }
}

/// One bar, or a line for each tenth of the way.
pub(crate) struct Bar {
    bar: ProgressBar,
    tenth: AtomicU64,
}

impl Bar {
    /// Moves on as the engine reports.
    pub(crate) fn follow(&self, progress: Progress) {
        if let Some(total) = progress.total {
            self.bar.set_length(total);
        }
        // A resumed run delivers a few records twice.
        let delivered = progress.total.map_or(progress.delivered, |total| progress.delivered.min(total));
        self.bar.set_position(delivered);
        let Some(total) = progress.total.filter(|total| *total > 0 && self.bar.is_hidden()) else { return };
        let tenth = delivered.saturating_mul(10) / total;
        if self.tenth.swap(tenth, Ordering::Relaxed) < tenth {
            say!("{}: {} of {total}", progress.entity, delivered);
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
