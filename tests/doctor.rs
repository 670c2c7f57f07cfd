//! What the doctor finds, each finding in a store that has the fault and none in a sound one.
#![cfg(all(feature = "testkit", feature = "woocommerce", feature = "sqlite"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a test may panic"
)]

mod common;
#[path = "common/https.rs"]
mod https;

use std::process::{Command, Output};
use std::sync::Arc;

use common::example;
use https::{Host, Shop};
use lily_connect::connector::Severity;
use lily_connect::connectors::woocommerce::WooCommerceConfig;
use lily_connect::doctor::{self, Report};
use lily_connect::model::Secret;
use lily_connect::runtime::Runtime;
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::server::Server;
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::SystemClock;

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// A shop with one SEO plugin, so that it has nothing to be told of.
fn sound() -> Shop {
    let shop = Shop::new();
    shop.store.configure(|settings| settings.namespaces.push("yoast/v1".to_owned()));
    shop
}

async fn examine(shop: &Shop, key: &ApiKey) -> Report {
    let report = doctor::examine(&shop.connect_with(key).await.unwrap()).await.unwrap();
    let shown = format!("{report} {report:?} {}", report.to_json().unwrap());
    assert!(!shown.contains(&key.consumer_secret) && !shown.contains(&key.consumer_key), "{shown}");
    for finding in &report.findings {
        assert!(!finding.evidence.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
    }
    report
}

#[tokio::test]
async fn a_sound_store_has_nothing_and_is_not_changed() {
    let shop = sound();
    let before = shop.store.snapshot();
    let report = examine(&shop, &shop.key).await;
    assert_eq!(codes(&report), Vec::<&str>::new(), "{report}");
    assert_eq!(report.to_string(), "woocommerce 10.5.0 at shop.example\nnothing stands in the way\n");
    assert_eq!(shop.store.snapshot(), before);
    let writes: Vec<_> = shop.sent().into_iter().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(writes, ["POST /wp-json/wc/v3/products/batch"]);
}

/// A fault: what it does to a sound shop.
type Break = fn(&Shop);

#[tokio::test]
async fn each_fault_of_a_store_is_its_own_finding() {
    let faults: &[(&str, Severity, Break)] = &[
        ("totals_stripped", Severity::Warning, |shop| {
            shop.store.set_conditions(|conditions| conditions.totals_stripped = true);
        }),
        ("answers_degraded", Severity::Warning, |shop| {
            shop.store.set_conditions(|conditions| conditions.php_noise = true);
        }),
        ("variations_per_product", Severity::Warning, |shop| {
            shop.store.set_conditions(|conditions| conditions.no_variations_list = true);
        }),
        ("plain_permalinks", Severity::Warning, |shop| {
            shop.store.set_conditions(|conditions| conditions.plain_permalinks = true);
        }),
        ("authorization_stripped", Severity::Warning, |shop| {
            shop.https.host.lock().unwrap().strips_authorization = true;
        }),
        ("seo_plugin_none", Severity::Note, |shop| {
            shop.store.configure(|settings| settings.namespaces.retain(|name| name != "yoast/v1"));
        }),
        ("seo_plugin_two", Severity::Warning, |shop| {
            shop.store.configure(|settings| settings.namespaces.push("rankmath/v1".to_owned()));
        }),
        ("api_missing", Severity::Error, |shop| {
            shop.store.configure(|settings| settings.namespaces.retain(|name| name != "wc/v3"));
        }),
        ("address_differs", Severity::Note, |shop| {
            shop.store.configure(|settings| settings.home = Some("https://www.shop.example".to_owned()));
        }),
        ("settings_unreadable", Severity::Warning, |shop| {
            refuse(shop, |request| request.path.contains("/settings/"));
        }),
        ("index_closed", Severity::Note, |shop| {
            refuse(shop, |request| request.path == "/wp-json/");
        }),
        ("user_cannot_write", Severity::Warning, |shop| {
            refuse(shop, |request| request.method == "POST");
        }),
        ("writes_blocked", Severity::Warning, |shop| {
            shop.answer(|request| request.method == "POST", || Response::new(403).with_body("<html></html>"));
        }),
        ("version_unknown", Severity::Note, |shop| {
            refuse(shop, |request| request.path.ends_with("/system_status"));
        }),
        ("webhook_disabled", Severity::Warning, |shop| webhook(shop, "disabled")),
        ("webhook_paused", Severity::Warning, |shop| webhook(shop, "paused")),
        ("webhooks_unreadable", Severity::Note, |shop| {
            refuse(shop, |request| request.path.ends_with("/webhooks"));
        }),
        ("version_too_old", Severity::Warning, |shop| {
            version(shop, r#"{"environment":{"version":"9.9.5"}}"#)
        }),
        ("version_untested", Severity::Note, |shop| version(shop, r#"{"environment":{"version":"11.0.1"}}"#)),
    ];
    for (code, severity, fault) in faults {
        let shop = sound();
        fault(&shop);
        let report = examine(&shop, &shop.key).await;
        assert_eq!(codes(&report), [*code], "{report}");
        assert_eq!(report.findings[0].severity, *severity, "{code}");
        assert_eq!(report.exit_status(), if *severity == Severity::Error { 3 } else { 0 }, "{code}");
    }
}

/// The store has one subscription of ours, and this is its status.
fn webhook(shop: &Shop, status: &'static str) {
    let body = move || {
        format!(
            r#"[{{"id":3,"name":"lily-connect/main product.updated","status":"{status}","topic":"product.updated",
            "delivery_url":"https://lily.example/hook"}}]"#
        )
    };
    shop.answer(
        |request| request.path.ends_with("/webhooks"),
        move || {
            Response::new(200)
                .with_header("content-type", "application/json")
                .with_header("x-wp-total", "1")
                .with_body(body())
        },
    );
}

fn refuse(shop: &Shop, matching: fn(&Request) -> bool) {
    let body = r#"{"code":"woocommerce_rest_cannot_view","message":"no","data":{"status":403}}"#;
    shop.answer(matching, move || {
        Response::new(403).with_header("content-type", "application/json").with_body(body)
    });
}

fn version(shop: &Shop, body: &'static str) {
    shop.answer(
        |request| request.path.ends_with("/system_status"),
        move || Response::new(200).with_header("content-type", "application/json").with_body(body),
    );
}

#[tokio::test]
async fn a_key_that_only_reads_is_a_warning() {
    let shop = sound();
    let key = shop.store.issue_key("reader", Permissions::Read, Role::Manager);
    let report = examine(&shop, &key).await;
    assert_eq!((codes(&report), report.exit_status()), (vec!["key_read_only"], 0));
}

#[tokio::test]
async fn plain_http_is_a_warning_but_on_this_machine() {
    let shop = sound();
    let config = WooCommerceConfig::builder("http://shop.example")
        .key(&shop.key.consumer_key)
        .secret(Secret::new(shop.key.consumer_secret.clone()));
    let store = config.build().unwrap().connect(&shop.runtime).await.unwrap();
    let report = doctor::examine(&store).await.unwrap();
    assert_eq!(codes(&report), ["plain_http"], "{report}");
}

#[tokio::test]
async fn a_key_that_is_revoked_and_a_site_that_is_down_are_errors() {
    let shop = sound();
    let store = shop.connect().await.unwrap();
    shop.store.revoke_key(&shop.key.consumer_key);
    let report = doctor::examine(&store).await.unwrap();
    assert_eq!((codes(&report), report.exit_status()), (vec!["key_refused"], 3), "{report}");
    let refused = shop.connect().await.unwrap_err();
    assert_eq!(codes(&Report::of_refusal(refused).unwrap()), ["key_refused"]);

    let shop = sound();
    let store = shop.connect().await.unwrap();
    shop.store.set_conditions(|conditions| conditions.database_down = true);
    let report = doctor::examine(&store).await.unwrap();
    assert!(codes(&report).contains(&"site_down"), "{report}");
    assert_eq!(report.exit_status(), 3);
}

#[tokio::test]
async fn clocks_that_are_apart_are_a_warning() {
    let theirs = Arc::new(FakeClock::automatic());
    theirs.advance(std::time::Duration::from_secs(400));
    let shop = sound();
    let other = WooStore::new(theirs);
    other.configure(|settings| settings.namespaces.push("yoast/v1".to_owned()));
    other.add_key(shop.key.clone());
    *shop.https.instead.lock().unwrap() = Some(Box::new(move |request| Some(other.handle(request))));
    let report = examine(&shop, &shop.key).await;
    assert_eq!(codes(&report), ["clock_skew"], "{report}");
    assert!(report.findings[0].evidence.contains("400 s ahead"), "{report}");
}

/// Runs the example with these variables and none else of ours.
fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(example("doctor"));
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("LILY_") || text.starts_with("WOOCOMMERCE_") {
            command.env_remove(&name);
        }
    }
    let output =
        command.args(args).envs(variables.iter().copied()).current_dir(folder.path()).output().unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the doctor leaves no file");
    output
}

#[test]
fn the_example_examines_the_sandbox() {
    let ran = run(&[], &[("LILY_SANDBOX", "1")]);
    let out = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{out}");
    assert!(out.starts_with("woocommerce 10.5.0 at 127.0.0.1:"), "{out}");
    let ran = run(&["--json"], &[("LILY_SANDBOX", "1")]);
    let report: Report = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(codes(&report), ["seo_plugin_none"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_says_by_its_status_what_it_found() {
    let store = WooStore::new(Arc::new(SystemClock::default()));
    drop(store.seed_sample());
    let key = store.issue_key("doctor", Permissions::ReadWrite, Role::Manager);
    let server = Server::start(store.clone()).await.unwrap();
    let url = server.url();
    let named = |secret: &'static str| {
        let mut variables = vec![
            ("LILY_CONNECTOR", "woocommerce"),
            ("LILY_ALLOW_PRIVATE_HOSTS", "1"),
            ("WOOCOMMERCE_URL", url.as_str()),
            ("WOOCOMMERCE_KEY", key.consumer_key.as_str()),
        ];
        variables.push(("WOOCOMMERCE_SECRET", if secret.is_empty() { &key.consumer_secret } else { secret }));
        variables
    };
    let ran = run(&[], &named(""));
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("seo_plugin_none"));

    let ran = run(&["--json"], &named("cs_of_somebody_else"));
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    let report: Report = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(codes(&report), ["key_refused"]);
    assert!(!String::from_utf8_lossy(&ran.stdout).contains("cs_of"));

    // Nothing to examine: no settings, no store there, a private address that was not allowed.
    assert_eq!(run(&[], &[]).status.code(), Some(1));
    let ran = run(&[], &named("")[..1]);
    assert!(String::from_utf8_lossy(&ran.stderr).contains("WOOCOMMERCE_URL"), "{ran:?}");
    let mut closed = named("");
    closed.remove(1);
    let ran = run(&[], &closed);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("[address_refused]"), "{ran:?}");
    // A port that is kept, so that nobody comes to listen there.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nowhere = format!("http://{}", socket.local_addr().unwrap());
    let mut gone = named("");
    gone[2].1 = &nowhere;
    let ran = run(&[], &gone);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(ran.stdout.is_empty());
}

#[tokio::test]
async fn a_host_that_hides_https_is_named_by_its_refusal() {
    let shop = Shop::behind(Host { hides_https: true, ..Host::default() });
    let report = Report::of_refusal(shop.connect().await.unwrap_err()).unwrap();
    assert_eq!((codes(&report), report.exit_status()), (vec!["https_not_seen"], 3));
    // A runtime whose transport reaches nothing examined nothing.
    let runtime =
        Runtime::with_parts(shop.https.clone(), shop.clock.clone(), Arc::new(SeededEntropy::new(1)));
    shop.store.set_conditions(|conditions| conditions.maintenance = true);
    let config = shop.settings(&shop.key).build().unwrap();
    let refused = config.connect(&runtime).await.unwrap_err();
    assert_eq!(codes(&Report::of_refusal(refused).unwrap()), ["maintenance"]);
}
