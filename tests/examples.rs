//! The examples as other programs see them: run as processes, judged by exit status, output and files.

#![cfg(all(feature = "testkit", feature = "woocommerce", feature = "sqlite"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};
use lily_connect::connectors::woocommerce::WooCommerceConfig;
use lily_connect::state::{Checkpoint, Op, RunKey, SinkMark, Unit};
use lily_connect::testkit::exchange::{Handler, Request, Transport};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::random::SeededRandom;
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::traffic::Entry;
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, Taxonomy, WooStore};
use lily_connect::time::SystemClock;
use lily_connect::{Connector, Entity, JsonlSink, Pull, Runtime, Secret, SqliteState, StateStore};
use serde_json::{Value, json};

/// How long an example may run at most.
const PATIENCE: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(5);

/// Where cargo puts the examples: beside the folder of the test binaries.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: run `cargo build --examples --all-features`", path.display());
    path
}

/// What an example left behind when it ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A folder, a fake store that is served, and the environment that leads to it.
struct Bench {
    folder: tempfile::TempDir,
    store: WooStore,
    key: ApiKey,
    server: Server,
    env: BTreeMap<&'static str, String>,
}

impl Bench {
    async fn new(seed: impl FnOnce(&WooStore)) -> Self {
        let store = WooStore::new(Arc::new(SystemClock::default()));
        seed(&store);
        let key = store.issue_key("examples", Permissions::ReadWrite, Role::Manager);
        let server = Server::start(store.clone()).await.unwrap();
        let env = BTreeMap::from([
            ("LILY_CONNECTOR", "woocommerce".to_owned()),
            ("LILY_ALLOW_PRIVATE_HOSTS", "1".to_owned()),
            ("WOOCOMMERCE_URL", server.url()),
            ("WOOCOMMERCE_KEY", key.consumer_key.clone()),
            ("WOOCOMMERCE_SECRET", key.consumer_secret.clone()),
        ]);
        Self { folder: tempfile::tempdir().unwrap(), store, key, server, env }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, name: &str, args: &[&str]) -> Running {
        Running::start(self.folder.path(), &self.env, name, args)
    }

    fn run(&self, name: &str, args: &[&str]) -> Ran {
        let ran = self.start(name, args).end();
        for secret in [&self.key.consumer_key, &self.key.consumer_secret] {
            assert!(!ran.out.contains(secret.as_str()) && !ran.err.contains(secret.as_str()), "{ran:?}");
        }
        ran
    }

    /// How many requests asked for a change. A batch of nothing, `{}`, asks for none: the check sends one to
    /// learn whether the key may write.
    fn changes(&self) -> usize {
        let is_nothing = |entry: &Entry| entry.path.ends_with("/products/batch") && entry.body_bytes == 2;
        self.server.traffic().count_where(|entry| entry.is_write() && !is_nothing(entry))
    }

    /// How many records a list has, as the store itself says.
    fn total(&self, route: &str) -> u64 {
        let target = format!("/wp-json/wc/v3/{route}?per_page=1");
        let request = Request::new(Method::GET, &target, Transport::Tls)
            .with_header(header::AUTHORIZATION, &self.key.basic());
        let response = self.store.handle(&request);
        let total = response.header("x-wp-total").map(str::parse);
        total.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&response.body))).unwrap()
    }

    async fn connector(&self) -> Arc<dyn Connector> {
        let config = WooCommerceConfig::builder(self.server.url())
            .key(&self.key.consumer_key)
            .secret(Secret::new(self.key.consumer_secret.clone()))
            .private_hosts(true)
            .build()
            .unwrap();
        Arc::new(config.connect(&Runtime::new()).await.unwrap())
    }
}

/// An example under way. It is killed where it is dropped before its end.
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    fn start(folder: &Path, env: &BTreeMap<&'static str, String>, name: &str, args: &[&str]) -> Self {
        let mut command = Command::new(example(name));
        command.args(args).current_dir(folder).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("LILY_") || text.starts_with("WOOCOMMERCE_") {
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

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn end(mut self) -> Ran {
        let mut waited = Duration::ZERO;
        while !self.has_ended() {
            assert!(waited < PATIENCE, "the example does not end: {:?}", self.read("stderr"));
            std::thread::sleep(TICK);
            waited += TICK;
        }
        let code = self.child.wait().unwrap().code();
        Ran { code, out: self.read("stdout"), err: self.read("stderr") }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The ids of a file's records by kind: every line whole, every id once.
fn ids(path: &Path) -> BTreeMap<String, BTreeSet<u64>> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
    let mut ids: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for record in json_lines(&text) {
        let entity = record["entity"].as_str().unwrap().to_owned();
        let id = record["ref"]["id"].as_str().unwrap().parse().unwrap();
        assert!(ids.entry(entity).or_default().insert(id), "{id} is there twice");
    }
    ids
}

/// The lines of a file without their order.
fn lines(path: &Path) -> BTreeSet<String> {
    std::fs::read_to_string(path).unwrap().lines().map(ToOwned::to_owned).collect()
}

fn expected(store: &WooStore) -> BTreeMap<String, BTreeSet<u64>> {
    let mut all: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut add = |kind: &str, id| assert!(all.entry(kind.to_owned()).or_default().insert(id));
    for id in store.ids() {
        add(if store.product(id).unwrap().parent_id == 0 { "product" } else { "variant" }, id);
    }
    for term in store.all_terms() {
        match term.taxonomy {
            Taxonomy::Category => add("category", term.id),
            Taxonomy::Tag => add("tag", term.id),
            Taxonomy::Brand => add("brand", term.id),
            Taxonomy::Attribute(_) => add("attribute_value", term.id),
            Taxonomy::ShippingClass => {}
        }
    }
    store.all_attributes().iter().for_each(|attribute| add("attribute", attribute.id));
    all
}

/// Every id once, as many as the list says, and a certificate a kind that says so.
fn is_whole(bench: &Bench, ran: &Ran, path: &Path) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let found = ids(path);
    assert_eq!(found, expected(&bench.store));
    assert_eq!(found["product"].len() as u64, bench.total("products"));
    assert_eq!(found["variant"].len() as u64, bench.total("variations"));
    let certificates = json_lines(&ran.out);
    let verdicts: Vec<(&Value, &Value)> =
        certificates.iter().map(|one| (&one["scope"]["entity"], &one["verdict"]["is"])).collect();
    let expected: Vec<(Value, Value)> =
        Entity::ALL.iter().map(|entity| (json!(entity), json!("complete"))).collect();
    assert_eq!(verdicts, expected.iter().map(|(entity, is)| (entity, is)).collect::<Vec<_>>());
    assert!(ran.err.contains("verdict: Complete"), "{}", ran.err);
}

#[test]
fn quickstart_runs_in_a_sandbox_with_nothing_set() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Running::start(folder.path(), &BTreeMap::new(), "quickstart", &[]).end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in ["sandbox", "verdict: Complete", "plan ", "Applied", "Restored", "are as before"] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    assert!(!folder.path().join("lily-connect.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quickstart_names_and_restores_one_product_of_the_store_that_is_set() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let strip = |text: &str| {
        let mut json: Value = serde_json::from_str(text).unwrap();
        for key in ["date_modified", "date_modified_gmt", "related_ids", "_links"] {
            json.as_object_mut().unwrap().remove(key);
        }
        json
    };
    let all = |bench: &Bench| -> Vec<Value> {
        bench.store.snapshot().iter().map(|(_, text)| strip(text)).collect()
    };
    let before = all(&bench);
    let ran = bench.run("quickstart", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.err.contains("sandbox") && ran.err.contains("product/"), "{}", ran.err);
    assert!(ran.err.contains("this writes to the real store at 127.0.0.1:"), "{}", ran.err);
    assert_eq!(bench.changes(), 2);
    assert_eq!(all(&bench), before);
    assert!(bench.path("lily-connect.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_example_whose_output_nobody_reads_does_not_panic() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let unread = |name: &str, args: &[&str]| {
        let mut child = Command::new(example(name))
            .args(args)
            .current_dir(bench.folder.path())
            .envs(&bench.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let mut running = Running { child, folder: bench.folder.path().to_owned() };
        let mut waited = Duration::ZERO;
        while !running.has_ended() {
            assert!(waited < PATIENCE, "{name} does not end");
            std::thread::sleep(TICK);
            waited += TICK;
        }
        running.child.wait().unwrap().code()
    };
    // What it wrote is taken back all the same.
    assert_eq!((unread("quickstart", &[]), bench.changes()), (Some(0), 2));
    // Data that cannot be given is an error.
    assert_eq!(unread("pull_catalog", &["--out", "catalogue.jsonl"]), Some(1));
    assert_eq!(unread("sandbox", &["--platform", "woocommerce"]), Some(1));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quickstart_that_is_interrupted_says_how_to_undo() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let slow = Fault::Delay(Duration::from_secs(30));
    bench.server.faults().push(FaultRule::new(slow).on_method("POST").on_path("/products/").after(1));
    let mut running = bench.start("quickstart", &[]);
    let mut waited = Duration::ZERO;
    while bench.changes() == 0 {
        assert!(waited < PATIENCE && !running.has_ended(), "{}", running.read("stderr"));
        std::thread::sleep(TICK);
        waited += TICK;
    }
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("undo_push --all-features -- --push "), "{}", ran.err);
    assert!(ran.err.contains("may not be as it was"), "{}", ran.err);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quickstart_that_is_interrupted_before_it_writes_says_that_nothing_was_touched() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let slow = Fault::Delay(Duration::from_millis(500));
    bench.server.faults().push(FaultRule::new(slow).on_method("GET").times(1_000));
    let mut running = bench.start("quickstart", &[]);
    let mut waited = Duration::ZERO;
    while !running.read("stderr").contains("4. plan") {
        assert!(waited < PATIENCE && !running.has_ended(), "{}", running.read("stderr"));
        std::thread::sleep(TICK);
        waited += TICK;
    }
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ran = running.end();
    assert_eq!((ran.code, bench.changes()), (Some(1), 0), "{ran:?}");
    assert!(ran.err.trim_end().ends_with("was not touched"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalogue_is_pulled_whole_over_http() {
    let bench = Bench::new(|store| store.seed_generated(2_000, 1_900, 7)).await;
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl"]);
    is_whole(&bench, &ran, &bench.path("catalogue.jsonl"));
    assert!(!bench.path("catalogue.jsonl.partial").exists());
    assert!(!bench.path("catalogue.jsonl.rejected").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalogue_is_pulled_whole_over_https_with_an_authority_of_its_own() {
    let mut bench = Bench::new(|store| store.seed_generated(2_000, 1_900, 7)).await;
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key =
        tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("localhost:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Service::new(bench.store.clone());
    let served = service.clone();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (service, acceptor) = (served.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    service.serve_connection(stream, Transport::Tls).await;
                }
            });
        }
    });
    bench.env.insert("WOOCOMMERCE_URL", format!("https://localhost:{}", address.port()));

    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("[certificate_refused]"), "{}", ran.err);
    assert_eq!(service.traffic().requests(), 0);

    std::fs::write(bench.path("authority.pem"), own.cert.pem()).unwrap();
    let authority = bench.path("authority.pem").to_str().unwrap().to_owned();
    bench.env.insert("LILY_EXTRA_CA_FILE", authority);
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl"]);
    is_whole(&bench, &ran, &bench.path("catalogue.jsonl"));
    assert_eq!(bench.server.traffic().requests(), 0);
    accepting.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_is_killed_goes_on_and_comes_to_the_same_lines() {
    let bench = Bench::new(|store| store.seed_generated(500, 400, 11)).await;
    let ran = bench.run("pull_catalog", &["--out", "whole.jsonl"]);
    is_whole(&bench, &ran, &bench.path("whole.jsonl"));
    let whole = lines(&bench.path("whole.jsonl"));
    let requests = bench.server.traffic().requests();

    let seed = 20_261_122;
    eprintln!("seed {seed}");
    let mut random = SeededRandom::new(seed);
    let mut resumed = 0;
    for round in 0..20 {
        let out = format!("{round}.jsonl");
        let args = ["--out", out.as_str()];
        // A moment is a number of requests that the store has seen, and a little time behind it.
        let after = 1 + random.below(requests + 2);
        let pause = Duration::from_millis(random.below(60));
        bench.server.traffic().clear();
        let mut running = bench.start("pull_catalog", &args);
        let mut waited = Duration::ZERO;
        while bench.server.traffic().requests() < after && !running.has_ended() {
            assert!(waited < PATIENCE, "round {round} does not come to {after} requests");
            std::thread::sleep(TICK);
            waited += TICK;
        }
        std::thread::sleep(pause);
        // SIGKILL on Unix.
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        drop(running);
        let ran = bench.run("pull_catalog", &args);
        let context = format!("seed {seed}, round {round}, after {after} requests and {pause:?}");
        eprintln!("{context}: {}", ran.err.lines().next().unwrap_or(""));
        resumed += u32::from(ran.err.contains("going on"));
        is_whole(&bench, &ran, &bench.path(&out));
        assert_eq!(lines(&bench.path(&out)), whole, "{context}");
        assert!(!bench.path(&format!("{out}.partial")).exists(), "{context}");
    }
    assert!(resumed >= 10, "only {resumed} of 20 runs were cut off before their end");
}

/// Pulls all kinds of record as `pull_catalog` does, up to the moment before it puts the file in its place.
async fn almost_done(bench: &Bench, out: &Path) -> (Arc<dyn StateStore>, JsonlSink) {
    let connector = bench.connector().await;
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(bench.path("lily-connect.db")).unwrap());
    let mut sink = JsonlSink::create(out).unwrap();
    for entity in Entity::ALL {
        let pull = Pull::new(Arc::clone(&connector), Arc::clone(&state), entity);
        assert!(pull.run(&mut sink, &|_| {}).await.unwrap().is_complete());
    }
    let job = json!({"out": out, "entities": Entity::ALL, "since": null}).to_string();
    let mut checkpoint = Checkpoint::new(RunKey("pull_catalog".into()), job.into(), SinkMark(0));
    checkpoint.pages_done = true;
    let op = Op::Checkpoint { checkpoint: Box::new(checkpoint), delivered: Vec::new() };
    state.commit(&connector.info().store, Unit::new(vec![op])).await.unwrap();
    (state, sink)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_while_the_file_is_put_in_place_is_only_told_again() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let out = bench.path("catalogue.jsonl");
    let args = ["--out", "catalogue.jsonl"];

    // The file is in its place, and the runs are not forgotten.
    let (state, sink) = almost_done(&bench, &out).await;
    sink.finish().await.unwrap();
    drop(state);
    let written = std::fs::read(&out).unwrap();
    let lists = || bench.server.traffic().count_where(|entry| entry.query.contains("per_page=100"));
    let before = lists();
    let ran = bench.run("pull_catalog", &args);
    is_whole(&bench, &ran, &out);
    assert_eq!((std::fs::read(&out).unwrap(), lists()), (written.clone(), before));

    // The same with the file not yet in its place.
    let (state, sink) = almost_done(&bench, &out).await;
    drop((state, sink));
    std::fs::write(&out, "an older file\n").unwrap();
    let before = lists();
    let ran = bench.run("pull_catalog", &args);
    is_whole(&bench, &ran, &out);
    assert_eq!((std::fs::read(&out).unwrap(), lists()), (written, before));
    // Nothing is left over: the next pull is a new one.
    let ran = bench.run("pull_catalog", &args);
    is_whole(&bench, &ran, &out);
    assert!(lists() > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_whose_lines_are_gone_starts_anew_and_says_so() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let out = bench.path("catalogue.jsonl");
    let (state, sink) = almost_done(&bench, &out).await;
    drop((state, sink));
    std::fs::remove_file(bench.path("catalogue.jsonl.partial")).unwrap();
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl"]);
    is_whole(&bench, &ran, &out);
    assert!(ran.err.contains("starts anew"), "{}", ran.err);

    // A run that was begun into another file, or for other kinds, is not taken for this one.
    let (state, sink) = almost_done(&bench, &out).await;
    drop((state, sink));
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl", "--entity", "variant"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ids(&out).keys().collect::<Vec<_>>(), ["variant"]);
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl", "--entity", "product"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ids(&out).keys().collect::<Vec<_>>(), ["product"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_is_not_complete_exits_3() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    // A record that cannot be mapped: its page is read, and it is named in the certificate.
    let id = bench.store.ids()[0];
    let handler = bench.store.clone();
    let server = Server::start(move |request: &Request| {
        let mut response = handler.handle(request);
        if request.path.ends_with("/products") {
            let text = String::from_utf8(response.body).unwrap();
            response.body = text.replace(&format!("\"id\":{id},\"name\""), "\"id\":[],\"name\"").into_bytes();
        }
        response
    })
    .await
    .unwrap();
    let mut env = bench.env.clone();
    env.insert("WOOCOMMERCE_URL", server.url());
    let args = ["--out", "catalogue.jsonl", "--entity", "product"];
    let ran = Running::start(bench.folder.path(), &env, "pull_catalog", &args).end();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(json_lines(&ran.out)[0]["verdict"]["is"], "incomplete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_planned_approved_applied_and_taken_back() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl", "--entity", "product"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let record = json_lines(&std::fs::read_to_string(bench.path("catalogue.jsonl")).unwrap()).remove(0);
    let id: u64 = record["ref"]["id"].as_str().unwrap().parse().unwrap();
    let enrichment = json!({
        "ref": record["ref"],
        "made_at": "2026-01-01T00:00:00Z",
        "fields": {
            "title": {"value": "A title of ours", "base": record["base"]["title"]},
            "tags": {"edit": {"add": ["Ours"]}, "base_keys": record["base"]["tags"]},
        },
    });
    std::fs::write(bench.path("enrichments.jsonl"), format!("{enrichment}\n\n")).unwrap();
    let plan_args = ["--enrichments", "enrichments.jsonl", "--plan-out", "plan.json"];
    let ran = bench.run("push_content", &plan_args);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.err.contains("+    A title of ours"), "{}", ran.err);
    let ran_plan = ran.err;
    let plan: Value = serde_json::from_slice(&std::fs::read(bench.path("plan.json")).unwrap()).unwrap();

    // Without approval nothing is sent, not even a read.
    let before = bench.server.traffic().requests();
    let ran = bench.run("push_content", &["--apply", "plan.json"]);
    assert_eq!((ran.code, bench.server.traffic().requests()), (Some(3), before), "{ran:?}");
    assert!(ran.err.contains("--approvals"), "{}", ran.err);

    let title = &plan["changes"][1];
    assert!(title["was"].is_object(), "{title}");
    let example = json!({"plan": plan["hash"], "change": 0});
    let shown: Vec<Value> = ran_plan.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(shown, [example]);

    // An approval that fits nothing is refused, and nothing is sent.
    for (approval, said) in [
        (
            json!({"plan": "abc", "change": 0}),
            "approvals.jsonl, line 2: it approves a change of another plan",
        ),
        (json!({"plan": plan["hash"], "change": 7}), "approvals.jsonl, line 2: the plan has no change 7"),
    ] {
        std::fs::write(bench.path("approvals.jsonl"), format!("\n{approval}\n")).unwrap();
        let ran = bench.run("push_content", &["--apply", "plan.json", "--approvals", "approvals.jsonl"]);
        assert_eq!((ran.code, bench.server.traffic().requests()), (Some(1), before), "{ran:?}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }

    // One of two changes is approved: that one is made.
    let approve =
        |change: &Value| json!({"plan": plan["hash"], "change": change["number"]}).to_string() + "\n";
    let changes = plan["changes"].as_array().unwrap();
    let title = changes.iter().find(|change| change["cell"]["field"] == "title").unwrap();
    std::fs::write(bench.path("approvals.jsonl"), approve(title)).unwrap();
    let ran = bench.run("push_content", &["--apply", "plan.json", "--approvals", "approvals.jsonl"]);
    assert_eq!((ran.code, bench.server.traffic().writes()), (Some(3), 1), "{ran:?}");
    let product = bench.store.product(id).unwrap();
    assert_eq!((product.name.as_str(), product.tags.len()), ("A title of ours", 0));
    let push = json_lines(&ran.out)[0]["push"].as_str().unwrap().to_owned();
    assert!(ran.err.contains("undo_push --push"), "{}", ran.err);
    let again = bench.run("push_content", &["--apply", "plan.json", "--approvals", "approvals.jsonl"]);
    assert!(!again.err.contains("undo_push --push"), "{}", again.err);

    let ran = bench.run("undo_push", &["--push", &push]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(json_lines(&ran.out)[0]["undone"], push.as_str());
    assert_eq!(bench.store.product(id).unwrap().name, record["title"].as_str().unwrap());

    // It was undone after the enrichment was made, so the same one is not planned again: exit 3, plan written.
    std::fs::remove_file(bench.path("plan.json")).unwrap();
    let ran = bench.run("push_content", &plan_args);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(bench.path("plan.json").exists() && ran.err.contains("Undone"), "{}", ran.err);
    let ran = bench.run("push_content", &["--apply", "plan.json", "--allow-unreviewed"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(bench.store.product(id).unwrap().tags.len(), 1);
    assert_eq!(bench.store.product(id).unwrap().name, record["title"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_file_is_refused_with_its_line() {
    let bench = Bench::new(|store| drop(store.seed_sample())).await;
    let plan = ["--enrichments", "enrichments.jsonl", "--plan-out", "plan.json"];
    for (text, said) in [
        ("\n{\"ref\":1}\n".to_owned(), "line 2:"),
        ("{".repeat(5 * 1024 * 1024), "line 1: longer than"),
        (String::new(), "no enrichment"),
    ] {
        std::fs::write(bench.path("enrichments.jsonl"), text).unwrap();
        let ran = bench.run("push_content", &plan);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    assert_eq!(bench.server.traffic().requests(), 0);
}

#[test]
fn bad_arguments_and_missing_variables_exit_1_and_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let run = |env: &BTreeMap<&'static str, String>, name: &str, args: &[&str]| {
        Running::start(folder.path(), env, name, args).end()
    };
    let none = BTreeMap::new();
    let id = "01a20504-7686-706a-a106-47ef570515cc";
    for (name, args) in [
        ("quickstart", &["--nonsense"][..]),
        ("pull_catalog", &[]),
        ("pull_catalog", &["--out", "f", "--entity", "spoon"]),
        ("pull_catalog", &["--out", "f", "--since", "yesterday"]),
        ("push_content", &[]),
        ("push_content", &["--enrichments", "f"]),
        ("push_content", &["--apply", "f", "--approvals", "a", "--allow-unreviewed"]),
        ("undo_push", &["--push", "7"]),
        ("sandbox", &["--platform", "abacus"]),
        ("sandbox", &["--platform", "woocommerce", "--listen", "192.0.2.1:80"]),
        ("sandbox", &["--platform", "woocommerce", "--faults", "rate=2"]),
        ("bench_read", &["http://127.0.0.1:9", "shopify", "100", "1"]),
    ] {
        let ran = run(&none, name, args);
        assert_eq!(ran.code, Some(1), "{name} {args:?}: {ran:?}");
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{name} {args:?}: {ran:?}");
    }
    let undo = ("undo_push", &["--push", id][..]);
    let push = ("push_content", &["--apply", "f"][..]);
    for (value, said, runs) in [
        ("true", "LILY_SANDBOX must be 1 or 0", &[("quickstart", &[][..]), push, undo][..]),
        ("1", "start `sandbox`", &[push, undo][..]),
        ("0", "LILY_CONNECTOR", &[("quickstart", &[][..]), undo][..]),
    ] {
        let env = BTreeMap::from([("LILY_SANDBOX", value.to_owned())]);
        for (name, args) in runs {
            let ran = run(&env, name, args);
            assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
            assert!(ran.err.contains(said), "{name}: {ran:?}");
        }
    }
    let ran = run(&none, "sandbox", &["--platform", "woocommerce", "--catalog", "missing.json"]);
    assert!(ran.code == Some(1) && ran.err.contains("--catalog missing.json"), "{ran:?}");
    for (name, args) in [("pull_catalog", &["--out", "f"][..]), ("undo_push", &["--push", id])] {
        let ran = run(&none, name, args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("LILY_CONNECTOR"), "{ran:?}");
    }
    let planted = "cs_planted_91c0";
    let env = BTreeMap::from([
        ("LILY_CONNECTOR", "woocommerce".to_owned()),
        ("WOOCOMMERCE_URL", "ftp://shop.example".to_owned()),
        ("WOOCOMMERCE_KEY", planted.to_owned()),
        ("WOOCOMMERCE_SECRET", planted.to_owned()),
    ]);
    for name in ["quickstart", "pull_catalog"] {
        let ran = run(&env, name, if name == "quickstart" { &[] } else { &["--out", "f"] });
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(!ran.err.contains(planted), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_serves_what_other_programs_connect_to() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--platform", "woocommerce", "--products", "120", "--variations", "30"];
    let running = Running::start(folder.path(), &BTreeMap::new(), "sandbox", &args);
    let mut waited = Duration::ZERO;
    while !running.read("stdout").ends_with('\n') {
        assert!(waited < PATIENCE, "the sandbox does not start: {:?}", running.read("stderr"));
        std::thread::sleep(TICK);
        waited += TICK;
    }
    let line = json_lines(&running.read("stdout")).remove(0);
    let busy = ["--platform", "woocommerce", "--listen", line["address"].as_str().unwrap()];
    let second = tempfile::tempdir().unwrap();
    let ran = Running::start(second.path(), &BTreeMap::new(), "sandbox", &busy).end();
    assert!(ran.code == Some(1) && ran.err.contains(busy[3]), "{ran:?}");
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    let env = BTreeMap::from([
        ("LILY_CONNECTOR", "woocommerce".to_owned()),
        ("LILY_ALLOW_PRIVATE_HOSTS", "1".to_owned()),
        ("WOOCOMMERCE_URL", text("url")),
        ("WOOCOMMERCE_KEY", text("key")),
        ("WOOCOMMERCE_SECRET", text("secret")),
    ]);
    for (name, value) in &env {
        let export = format!("export {name}={value}\n");
        assert!(running.read("stderr").contains(&export), "{export}: {}", running.read("stderr"));
    }
    let other = tempfile::tempdir().unwrap();
    let mut public = env.clone();
    public.remove("LILY_ALLOW_PRIVATE_HOSTS");
    let ran = Running::start(other.path(), &public, "pull_catalog", &["--out", "catalogue.jsonl"]).end();
    assert!(ran.code == Some(1) && ran.err.contains("LILY_ALLOW_PRIVATE_HOSTS=1"), "{ran:?}");
    let ran = Running::start(other.path(), &env, "pull_catalog", &["--out", "catalogue.jsonl"]).end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let found = ids(&other.path().join("catalogue.jsonl"));
    assert_eq!((found["product"].len(), found["variant"].len()), (120, 30));
    let bench = Running::start(other.path(), &env, "bench_read", &[&text("url"), "woo", "100", "2"]).end();
    assert_eq!(bench.code, Some(1), "the yardstick's key is none of the sandbox's: {bench:?}");
}
