//! A folder, a store that is served, and examples that run as processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lily_connect::testkit::server::Server;
use lily_connect::{Connector, Runtime};

use crate::fake::{Fake, Platform};

/// How long an example may run at most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Where cargo puts the examples: beside the folder of the test binaries.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: run `cargo build --examples --all-features`", path.display());
    path
}

/// What an example left behind when it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder, a fake store that is served, and the environment that leads to it.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) fake: Arc<Fake>,
    pub(crate) server: Server,
    pub(crate) env: BTreeMap<&'static str, String>,
}

impl Bench {
    pub(crate) async fn sample(platform: Platform) -> Self {
        Self::new(Fake::sample(platform)).await
    }

    pub(crate) async fn new(fake: Fake) -> Self {
        let server = fake.service().start().await.unwrap();
        let env = fake.variables(server.url());
        Self { folder: tempfile::tempdir().unwrap(), fake: Arc::new(fake), server, env }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start(&self, name: &str, args: &[&str]) -> Running {
        Running::start(self.folder.path(), &self.env, name, args)
    }

    pub(crate) fn run(&self, name: &str, args: &[&str]) -> Ran {
        let ran = self.start(name, args).end();
        for secret in self.fake.secrets() {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{ran:?}");
        }
        ran
    }

    /// How many calls asked for a change.
    pub(crate) fn changes(&self) -> usize {
        self.fake.changes(&self.server)
    }

    pub(crate) async fn connector(&self) -> Arc<dyn Connector> {
        self.fake.settings(self.server.url()).connect(&Runtime::new()).await.unwrap()
    }
}

/// An example under way. It is killed where it is dropped before its end.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) folder: PathBuf,
}

impl Running {
    pub(crate) fn start(
        folder: &Path,
        env: &BTreeMap<&'static str, String>,
        name: &str,
        args: &[&str],
    ) -> Self {
        let mut command = Command::new(example(name));
        command.args(args).current_dir(folder).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["BIGCOMMERCE_", "GA4_", "GOOGLE_", "LILY_", "MAGENTO_", "SHOPIFY_", "WOOCOMMERCE_"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        // Files, so that no pipe fills while nobody reads it.
        let child = command
            .envs(env)
            .stdout(File::create(folder.join("stdout")).unwrap())
            .stderr(File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self { child, folder: folder.to_owned() }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until this holds, and no longer than an example may take.
    pub(crate) fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let mut waited = Duration::ZERO;
        while !holds(self) {
            assert!(waited < PATIENCE, "{what}: {:?}", self.read("stderr"));
            std::thread::sleep(TICK);
            waited += TICK;
        }
    }

    pub(crate) fn end(mut self) -> Ran {
        self.wait_until("the example does not end", Self::has_ended);
        let code = self.child.wait().unwrap().code();
        Ran { code, out: self.read("stdout"), err: self.read("stderr") }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
