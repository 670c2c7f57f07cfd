//! The examples as other programs see them: run as processes, judged by exit status, output and files.

#![cfg(all(
    feature = "testkit",
    feature = "sqlite",
    any(feature = "bigcommerce", feature = "magento", feature = "shopify", feature = "woocommerce")
))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test"
)]

mod bench;
mod fake;
#[cfg(feature = "ga4")]
mod ga4;
#[path = "../common/recorded.rs"]
mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::{Bench, PATIENCE, Ran, Running, example};
use fake::{Fake, Platform};
use lily_connect::state::{Checkpoint, Op, RunKey, SinkMark, Unit};
use lily_connect::testkit::exchange::{Request, Transport};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::random::SeededRandom;
use lily_connect::testkit::server::Server;
use lily_connect::{JsonlSink, Pull, SqliteState, StateStore};
use serde_json::{Value, json};

/// The platform of tests that are about no platform.
const FIRST: Platform = match () {
    () if cfg!(feature = "woocommerce") => Platform::WooCommerce,
    () if cfg!(feature = "shopify") => Platform::Shopify,
    () if cfg!(feature = "bigcommerce") => Platform::BigCommerce,
    () => Platform::Magento,
};

/// Runs tests that take a platform with each that is built in.
macro_rules! on_each_platform {
    ($($(#[$when:meta])* $name:ident),+ $(,)?) => {
        #[cfg(feature = "woocommerce")]
        mod woocommerce {
            $($(#[$when])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Platform::WooCommerce).await;
            })+
        }

        #[cfg(feature = "shopify")]
        mod shopify {
            $($(#[$when])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Platform::Shopify).await;
            })+
        }

        #[cfg(feature = "magento")]
        mod magento {
            $($(#[$when])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Platform::Magento).await;
            })*
        }

        #[cfg(feature = "bigcommerce")]
        mod bigcommerce {
            $($(#[$when])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Platform::BigCommerce).await;
            })+
        }
    };
}

on_each_platform!(
    quickstart_runs_in_a_sandbox_of_the_platform_that_is_named,
    quickstart_names_and_restores_one_product_of_the_store_that_is_set,
    #[cfg(unix)]
    quickstart_that_is_interrupted_says_how_to_undo,
    #[cfg(unix)]
    quickstart_that_is_interrupted_before_it_writes_says_that_nothing_was_touched,
    a_catalogue_is_pulled_whole_over_http,
    a_catalogue_is_pulled_whole_over_https_with_an_authority_of_its_own,
    a_pull_that_is_killed_goes_on_and_comes_to_the_same_lines,
    a_cut_while_the_file_is_put_in_place_is_only_told_again,
    a_state_whose_lines_are_gone_starts_anew_and_says_so,
    a_pull_that_is_not_complete_exits_3,
    content_is_planned_approved_applied_and_taken_back,
    the_sandbox_serves_what_other_programs_connect_to,
    a_wrong_setting_is_told_without_its_secrets,
);
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

/// Every id once, as many as the list says, and a certificate a kind that says so.
fn is_whole(bench: &Bench, ran: &Ran, path: &Path) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let found = ids(path);
    assert_eq!(found, bench.fake.expected());
    assert_eq!((found["product"].len(), found["variant"].len()), bench.fake.totals());
    let certificates = json_lines(&ran.out);
    let verdicts: Vec<(&Value, &Value)> =
        certificates.iter().map(|one| (&one["scope"]["entity"], &one["verdict"]["is"])).collect();
    let entities = bench.fake.platform().entities();
    let expected: Vec<(Value, Value)> =
        entities.iter().map(|entity| (json!(entity), json!("complete"))).collect();
    assert_eq!(verdicts, expected.iter().map(|(entity, is)| (entity, is)).collect::<Vec<_>>());
    assert!(ran.err.contains("verdict: Complete"), "{}", ran.err);
}

async fn quickstart_runs_in_a_sandbox_of_the_platform_that_is_named(platform: Platform) {
    let folder = tempfile::tempdir().unwrap();
    let named =
        BTreeMap::from([("LILY_CONNECTOR", platform.name().to_owned()), ("LILY_SANDBOX", "1".to_owned())]);
    // With nothing set it is the first platform that is built in.
    let env = if platform == FIRST { BTreeMap::new() } else { named.clone() };
    let ran = Running::start(folder.path(), &env, "quickstart", &[]).end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let whose = format!("a stand-in for a {} store", platform.name());
    for word in
        [whose.as_str(), "sandbox", "verdict: Complete", "plan ", "Applied", "Restored", "are as before"]
    {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    assert!(!folder.path().join("lily-connect.db").exists());
    let ran = Running::start(folder.path(), &named, "doctor", &[]).end();
    assert!(ran.code == Some(0) && ran.out.starts_with(platform.name()), "{ran:?}");
}

async fn quickstart_names_and_restores_one_product_of_the_store_that_is_set(platform: Platform) {
    let bench = Bench::sample(platform).await;
    let before = bench.fake.content();
    let ran = bench.run("quickstart", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.err.contains("sandbox") && ran.err.contains("product/"), "{}", ran.err);
    assert!(ran.err.contains("this writes to the real store at "), "{}", ran.err);
    assert_eq!(bench.changes(), 2 * platform.calls_of_a_push());
    assert_eq!(bench.fake.content(), before);
    assert!(bench.path("lily-connect.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_example_whose_output_nobody_reads_does_not_panic() {
    let bench = Bench::sample(FIRST).await;
    // Whose reader is gone before anything is written.
    let pipe = || std::io::pipe().unwrap().1;
    let unread = |name: &str, args: &[&str]| {
        let child = Command::new(example(name))
            .args(args)
            .current_dir(bench.folder.path())
            .envs(&bench.env)
            .stdin(Stdio::null())
            .stdout(pipe())
            .stderr(pipe())
            .spawn()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stderr"), "").unwrap();
        let mut running = Running { child, folder: folder.path().to_owned() };
        running.wait_until(name, Running::has_ended);
        running.child.wait().unwrap().code()
    };
    // What it wrote is taken back all the same.
    assert_eq!((unread("quickstart", &[]), bench.changes()), (Some(0), 2 * FIRST.calls_of_a_push()));
    // Data that cannot be given is an error.
    assert_eq!(unread("pull_catalog", &["--out", "catalogue.jsonl"]), Some(1));
    assert_eq!(unread("sandbox", &["--platform", FIRST.name()]), Some(1));
}

#[cfg(unix)]
async fn quickstart_that_is_interrupted_says_how_to_undo(platform: Platform) {
    let bench = Bench::sample(platform).await;
    // What records the requests stays pending.
    let others = bench.server.faults().pending();
    bench.server.faults().push(bench.fake.slow_write(Duration::from_secs(30)));
    let mut running = bench.start("quickstart", &[]);
    running.wait_until("nothing is written", |running| {
        assert!(!running.has_ended(), "{}", running.read("stderr"));
        bench.server.faults().pending() == others
    });
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("undo_push --all-features -- --push "), "{}", ran.err);
    assert!(ran.err.contains("may not be as it was"), "{}", ran.err);
}

#[cfg(unix)]
async fn quickstart_that_is_interrupted_before_it_writes_says_that_nothing_was_touched(platform: Platform) {
    let bench = Bench::sample(platform).await;
    // What it asks for once it plans is not answered, so it does not come to write.
    let said = bench.path("stderr");
    let plans = move |_: &Request| std::fs::read_to_string(&said).unwrap().contains("4. plan");
    bench.server.faults().push(FaultRule::new(Fault::Hang(PATIENCE)).matching(plans).times(1_000));
    let mut running = bench.start("quickstart", &[]);
    running.wait_until("it does not plan", |running| {
        assert!(!running.has_ended(), "{}", running.read("stderr"));
        running.read("stderr").contains("4. plan")
    });
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ran = running.end();
    assert_eq!((ran.code, bench.changes()), (Some(1), 0), "{ran:?}");
    assert!(ran.err.trim_end().ends_with("was not touched"), "{}", ran.err);
}

async fn a_catalogue_is_pulled_whole_over_http(platform: Platform) {
    let bench = Bench::new(Fake::generated(platform, 2_000, 7)).await;
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl"]);
    is_whole(&bench, &ran, &bench.path("catalogue.jsonl"));
    assert!(!bench.path("catalogue.jsonl.partial").exists());
    assert!(!bench.path("catalogue.jsonl.rejected").exists());
}

async fn a_catalogue_is_pulled_whole_over_https_with_an_authority_of_its_own(platform: Platform) {
    let mut bench = Bench::new(Fake::generated(platform, 500, 7)).await;
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
    let service = bench.fake.service();
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
    bench.env.insert(platform.address(), format!("https://localhost:{}", address.port()));

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

async fn a_pull_that_is_killed_goes_on_and_comes_to_the_same_lines(platform: Platform) {
    let bench = Bench::new(Fake::generated(platform, 500, 11)).await;
    let ran = bench.run("pull_catalog", &["--out", "whole.jsonl"]);
    is_whole(&bench, &ran, &bench.path("whole.jsonl"));
    let whole = lines(&bench.path("whole.jsonl"));
    let requests = bench.server.traffic().requests();
    bench.server.traffic().clear();
    drop(bench.connector().await);
    let connecting = bench.server.traffic().requests();

    // After so many requests the store is silent, so that the example is not ahead of who kills it.
    let answered = Arc::new(AtomicU64::new(u64::MAX));
    let (most, traffic) = (Arc::clone(&answered), bench.server.traffic().clone());
    let silent = move |_: &Request| traffic.requests() > most.load(Ordering::SeqCst);
    bench.server.faults().push(FaultRule::new(Fault::Hang(PATIENCE)).matching(silent).times(u64::MAX));

    let seed = 20_261_122;
    eprintln!("seed {seed}");
    let mut random = SeededRandom::new(seed);
    let mut resumed = 0;
    let rounds = platform.rounds();
    for round in 0..rounds {
        let out = format!("{round}.jsonl");
        let args = ["--out", out.as_str()];
        // A moment is a number of requests that the store has seen, and a little time behind it. Every other time
        // it is one between the first page and the last.
        let is_within = round % 2 == 1;
        let after = match is_within {
            true => connecting + 1 + random.below(requests - connecting - 1),
            false => 1 + random.below(requests + 2),
        };
        let pause = Duration::from_millis(random.below(60));
        let silent_after = after + random.below(4);
        bench.server.traffic().clear();
        answered
            .store(if is_within { silent_after.min(requests - 1) } else { silent_after }, Ordering::SeqCst);
        let mut running = bench.start("pull_catalog", &args);
        running.wait_until("too few requests", |running| {
            bench.server.traffic().requests() >= after || running.has_ended()
        });
        std::thread::sleep(pause);
        // SIGKILL on Unix.
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        drop(running);
        answered.store(u64::MAX, Ordering::SeqCst);
        let ran = bench.run("pull_catalog", &args);
        let context = format!("seed {seed}, round {round}, after {after} requests and {pause:?}");
        eprintln!("{context}: {}", ran.err.lines().next().unwrap_or(""));
        let goes_on = ran.err.contains("going on");
        assert!(goes_on || !is_within, "{context}: {}", ran.err);
        resumed += u32::from(goes_on);
        is_whole(&bench, &ran, &bench.path(&out));
        assert_eq!(lines(&bench.path(&out)), whole, "{context}");
        assert!(!bench.path(&format!("{out}.partial")).exists(), "{context}");
    }
    assert!(resumed >= rounds / 2, "only {resumed} of {rounds} runs were cut off before their end");
}

/// Pulls all kinds of record as `pull_catalog` does, up to the moment before it puts the file in its place.
async fn almost_done(bench: &Bench, out: &Path) -> (Arc<dyn StateStore>, JsonlSink) {
    let connector = bench.connector().await;
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(bench.path("lily-connect.db")).unwrap());
    let mut sink = JsonlSink::create(out).unwrap();
    let entities = bench.fake.platform().entities();
    for entity in entities.iter().copied() {
        let pull = Pull::new(Arc::clone(&connector), Arc::clone(&state), entity);
        assert!(pull.run(&mut sink, &|_| {}).await.unwrap().is_complete());
    }
    let job = json!({"out": out, "entities": entities, "since": null}).to_string();
    let mut checkpoint = Checkpoint::new(RunKey("pull_catalog".into()), job.into(), SinkMark(0));
    checkpoint.pages_done = true;
    let op = Op::Checkpoint { checkpoint: Box::new(checkpoint), delivered: Vec::new() };
    state.commit(&connector.info().store, Unit::new(vec![op])).await.unwrap();
    (state, sink)
}

async fn a_cut_while_the_file_is_put_in_place_is_only_told_again(platform: Platform) {
    let bench = Bench::sample(platform).await;
    let out = bench.path("catalogue.jsonl");
    let args = ["--out", "catalogue.jsonl"];

    // The file is in its place, and the runs are not forgotten.
    let (state, sink) = almost_done(&bench, &out).await;
    sink.finish().await.unwrap();
    drop(state);
    let written = std::fs::read(&out).unwrap();
    let lists = || bench.fake.lists(&bench.server);
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

async fn a_state_whose_lines_are_gone_starts_anew_and_says_so(platform: Platform) {
    let bench = Bench::sample(platform).await;
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

async fn a_pull_that_is_not_complete_exits_3(platform: Platform) {
    let bench = Bench::sample(platform).await;
    // A record that cannot be mapped: its page is read, and it is named in the certificate.
    let fake = Arc::clone(&bench.fake);
    let server = Server::start(move |request: &Request| fake.with_a_broken_product(request)).await.unwrap();
    let mut env = bench.env.clone();
    env.insert(platform.address(), server.url());
    let args = ["--out", "catalogue.jsonl", "--entity", "product"];
    let ran = Running::start(bench.folder.path(), &env, "pull_catalog", &args).end();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(json_lines(&ran.out)[0]["verdict"]["is"], "incomplete");
}

async fn content_is_planned_approved_applied_and_taken_back(platform: Platform) {
    let bench = Bench::sample(platform).await;
    let ran = bench.run("pull_catalog", &["--out", "catalogue.jsonl", "--entity", "product"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let record = json_lines(&std::fs::read_to_string(bench.path("catalogue.jsonl")).unwrap()).remove(0);
    let id: u64 = record["ref"]["id"].as_str().unwrap().parse().unwrap();
    let tags = bench.fake.title_and_tags(id).1;
    let (list, edit) = platform.list_change();
    let enrichment = json!({
        "ref": record["ref"],
        "made_at": "2026-01-01T00:00:00Z",
        "fields": {
            "title": {"value": "A title of ours", "base": record["base"]["title"]},
            list: {"edit": edit, "base_keys": record["base"][list]},
        },
    });
    // Some editors begin a file with a mark of its encoding.
    std::fs::write(bench.path("enrichments.jsonl"), format!("\u{feff}{enrichment}\n\n")).unwrap();
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
    assert_eq!((ran.code, bench.changes()), (Some(3), 1), "{ran:?}");
    assert_eq!(bench.fake.title_and_tags(id), ("A title of ours".to_owned(), tags));
    let push = json_lines(&ran.out)[0]["push"].as_str().unwrap().to_owned();
    assert!(ran.err.contains("undo_push --push"), "{}", ran.err);
    let again = bench.run("push_content", &["--apply", "plan.json", "--approvals", "approvals.jsonl"]);
    assert!(!again.err.contains("undo_push --push"), "{}", again.err);

    let ran = bench.run("undo_push", &["--push", &push]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(json_lines(&ran.out)[0]["undone"], push.as_str());
    assert_eq!(bench.fake.title_and_tags(id).0, record["title"].as_str().unwrap());

    // It was undone after the enrichment was made, so the same one is not planned again: exit 3, plan written.
    std::fs::remove_file(bench.path("plan.json")).unwrap();
    let ran = bench.run("push_content", &plan_args);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(bench.path("plan.json").exists() && ran.err.contains("Undone"), "{}", ran.err);
    let ran = bench.run("push_content", &["--apply", "plan.json", "--allow-unreviewed"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let title = record["title"].as_str().unwrap().to_owned();
    assert_eq!(bench.fake.title_and_tags(id), (title, tags + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_file_is_refused_with_its_line() {
    let bench = Bench::sample(FIRST).await;
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
        ("sandbox", &["--platform", "shopify", "--catalog", "missing.json"]),
        ("sandbox", &["--platform", "bigcommerce", "--catalog", "missing.json"]),
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
    let odd = BTreeMap::from([("LILY_SANDBOX", "1".to_owned()), ("LILY_CONNECTOR", "abacus".to_owned())]);
    let ran = run(&odd, "quickstart", &[]);
    assert!(ran.code == Some(1) && ran.err.contains("LILY_CONNECTOR must be"), "{ran:?}");
}

async fn a_wrong_setting_is_told_without_its_secrets(platform: Platform) {
    let mut bench = Bench::sample(platform).await;
    bench.env.insert(platform.address(), "ftp://shop.example".to_owned());
    for (name, args) in [("quickstart", &[][..]), ("pull_catalog", &["--out", "f"])] {
        let ran = bench.run(name, args);
        assert!(ran.code == Some(1) && ran.err.contains(platform.address()), "{ran:?}");
    }
    let planted = "planted_91c0";
    bench.env.insert("LILY_CONNECTOR", planted.to_owned());
    let ran = bench.run("quickstart", &[]);
    assert!(ran.code == Some(1) && !ran.err.contains(planted), "{ran:?}");
}

async fn the_sandbox_serves_what_other_programs_connect_to(platform: Platform) {
    let folder = tempfile::tempdir().unwrap();
    let args = match platform {
        Platform::WooCommerce => &["--products", "120", "--variations", "30"][..],
        // Its points run out as those of a shop do, so these are few.
        Platform::Shopify | Platform::Magento | Platform::BigCommerce => &["--products", "12"],
    };
    let args = [&["--platform", platform.name()], args].concat();
    let mut running = Running::start(folder.path(), &BTreeMap::new(), "sandbox", &args);
    running.wait_until("the sandbox does not start", |running| running.read("stderr").contains("export "));
    let line = json_lines(&running.read("stdout")).remove(0);
    let busy = ["--platform", platform.name(), "--listen", line["address"].as_str().unwrap()];
    let second = tempfile::tempdir().unwrap();
    let ran = Running::start(second.path(), &BTreeMap::new(), "sandbox", &busy).end();
    assert!(ran.code == Some(1) && ran.err.contains(busy[3]), "{ran:?}");
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    let mut env = BTreeMap::from([
        ("LILY_CONNECTOR", platform.name().to_owned()),
        ("LILY_ALLOW_PRIVATE_HOSTS", "1".to_owned()),
        (platform.address(), text("url")),
    ]);
    env.extend(match platform {
        Platform::WooCommerce => {
            vec![("WOOCOMMERCE_KEY", text("key")), ("WOOCOMMERCE_SECRET", text("secret"))]
        }
        Platform::Shopify => vec![("SHOPIFY_SHOP", text("shop")), ("SHOPIFY_ACCESS_TOKEN", text("token"))],
        Platform::BigCommerce => {
            vec![("BIGCOMMERCE_STORE_HASH", text("store_hash")), ("BIGCOMMERCE_ACCESS_TOKEN", text("token"))]
        }
        Platform::Magento => vec![
            ("MAGENTO_CONSUMER_KEY", text("consumer_key")),
            ("MAGENTO_CONSUMER_SECRET", text("consumer_secret")),
            ("MAGENTO_TOKEN", text("token")),
            ("MAGENTO_TOKEN_SECRET", text("token_secret")),
        ],
    });
    let last = env.keys().next_back().copied().unwrap();
    running.wait_until("it does not say all", |running| running.read("stderr").contains(last));
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
    match platform {
        // Two of the twelve are configurable, with three variants each.
        Platform::Magento => assert_eq!((found["product"].len(), found["variant"].len()), (18, 6)),
        Platform::WooCommerce => {
            assert_eq!((found["product"].len(), found["variant"].len()), (120, 30));
            let args = [&text("url"), "woo", "100", "2"];
            let bench = Running::start(other.path(), &env, "bench_read", &args).end();
            assert_eq!(bench.code, Some(1), "the yardstick's key is none of the sandbox's: {bench:?}");
        }
        Platform::BigCommerce => assert_eq!(found["product"].len(), 12),
        Platform::Shopify => {
            assert_eq!(found["product"].len(), 12);
            // The credentials of the app lead there, too.
            env.remove("SHOPIFY_ACCESS_TOKEN");
            for (name, key) in
                [("SHOPIFY_CLIENT_ID", "client_id"), ("SHOPIFY_CLIENT_SECRET", "client_secret")]
            {
                env.insert(name, text(key));
            }
            let ran = Running::start(other.path(), &env, "doctor", &[]).end();
            assert!(ran.code == Some(0) && ran.out.contains("nothing stands in the way"), "{ran:?}");
        }
    }
}
