//! The examples on a property: what reads works, what writes says that it cannot.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::bench::{Ran, Running};
use crate::json_lines;

const SECRETS: [&str; 3] = ["PRIVATE KEY", "mp-secret-of-the-stream", "client-secret-of-the-app"];

fn run(folder: &tempfile::TempDir, env: &BTreeMap<&'static str, String>, name: &str, args: &[&str]) -> Ran {
    let ran = Running::start(folder.path(), env, name, args).end();
    let shown = SECRETS.iter().any(|secret| ran.out.contains(secret) || ran.err.contains(secret));
    assert!(!shown, "{ran:?}");
    ran
}

/// Thirty rows a day, each with its flags, and a certificate that tells of them.
fn are_numbers(folder: &tempfile::TempDir, ran: &Ran, days: u64) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = std::fs::read_to_string(folder.path().join("numbers.jsonl")).unwrap();
    let records = json_lines(&text);
    assert_eq!(records.len() as u64, days * 30);
    assert!(records.iter().all(|it| it["entity"] == "performance" && it["quality"]["age_days"].is_u64()));
    let certificate = &json_lines(&ran.out)[0];
    assert_eq!(certificate["verdict"]["is"], "complete");
    assert_eq!(certificate["measured"]["rows"]["rows"], json!(days * 30));
    assert!(certificate["measured"]["next_from"].is_string(), "{certificate}");
}

#[test]
fn what_reads_works_in_a_sandbox_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let env = BTreeMap::from([("LILY_SANDBOX", "1".to_owned()), ("LILY_CONNECTOR", "ga4".to_owned())]);
    let ran = run(&folder, &env, "pull_catalog", &["--out", "numbers.jsonl"]);
    are_numbers(&folder, &ran, 28);
    assert!(run(&folder, &env, "doctor", &[]).out.contains("api_secret_unproved"));
}

#[test]
fn what_reads_works_on_a_served_property_and_what_writes_is_unsupported() {
    let folder = tempfile::tempdir().unwrap();
    let served = tempfile::tempdir().unwrap();
    let mut running = Running::start(served.path(), &BTreeMap::new(), "sandbox", &["--platform", "ga4"]);
    running.wait_until("it does not start", |running| running.read("stderr").contains("GA4_API_SECRET"));
    let line = json_lines(&running.read("stdout")).remove(0);
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    let env = BTreeMap::from([
        ("LILY_CONNECTOR", "ga4".to_owned()),
        ("LILY_ALLOW_PRIVATE_HOSTS", "1".to_owned()),
        ("GA4_DATA_URL", text("url")),
        ("GA4_ADMIN_URL", text("url")),
        ("GA4_TOKEN_URL", format!("{}/token", text("url"))),
        ("GA4_COLLECT_URL", text("url")),
        ("GA4_PROPERTY", text("property")),
        ("GOOGLE_APPLICATION_CREDENTIALS", text("credentials_file")),
    ]);
    let doctor = run(&folder, &env, "doctor", &[]);
    assert!(doctor.code == Some(0) && doctor.out.contains("nothing stands in the way"), "{doctor:?}");
    let ran = run(&folder, &env, "pull_catalog", &["--out", "numbers.jsonl"]);
    are_numbers(&folder, &ran, 28);
    let last = json_lines(&ran.out)[0]["measured"]["days"]["last"].as_str().unwrap().to_owned();
    let few = ["--out", "numbers.jsonl", "--from", &last, "--to", &last];
    are_numbers(&folder, &run(&folder, &env, "pull_catalog", &few), 1);

    let enrichment: Value = json!({"ref": {"platform": "ga4", "kind": "product", "id": "1"}, "made_at": "2026-11-22T00:00:00Z",
            "fields": {"title": {"value": "x"}}});
    std::fs::write(folder.path().join("e.jsonl"), enrichment.to_string()).unwrap();
    for (name, args) in [
        ("push_content", &["--enrichments", "e.jsonl", "--plan-out", "p.json"][..]),
        ("undo_push", &["--push", "0192f7a0-0000-7000-8000-000000000000"]),
        ("quickstart", &[]),
    ] {
        let ran = run(&folder, &env, name, args);
        assert!(ran.code == Some(1) && ran.err.contains("unsupported]"), "{name}: {ran:?}");
    }
    assert!(!folder.path().join("p.json").exists());
}
