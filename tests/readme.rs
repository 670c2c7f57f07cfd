//! The README's example is `examples/readme.rs`, and it runs.
#![cfg(all(feature = "testkit", feature = "woocommerce", feature = "sqlite"))]

mod common;

use std::process::Command;
use std::sync::Arc;

use common::example;
use lily_connect::testkit::server::Service;
use lily_connect::testkit::woocommerce::{Permissions, Role, WooStore};
use lily_connect::time::SystemClock;

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = include_str!("../README.md");
    let example = include_str!("../examples/readme.rs");
    let (_, code) = example.split_once("\n\n").expect("a comment, a blank line, the code");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(code), "copy examples/readme.rs, without its comment, into the README");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_example_pulls_plans_applies_and_undoes() {
    let store = WooStore::new(Arc::new(SystemClock::default()));
    let _ = store.seed_sample();
    let key = store.issue_key("readme", Permissions::ReadWrite, Role::Manager);
    let server = Service::new(store.clone()).start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(example("readme"));
    command
        .current_dir(folder.path())
        .env("LILY_CONNECTOR", "woocommerce")
        .env("LILY_ALLOW_PRIVATE_HOSTS", "1")
        .env("WOOCOMMERCE_URL", server.url())
        .env("WOOCOMMERCE_KEY", &key.consumer_key)
        .env("WOOCOMMERCE_SECRET", &key.consumer_secret);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    for line in ["verdict: Complete", "A Better Title", "Applied", "Restored"] {
        assert!(said.contains(line), "{line} is missing in: {said}");
    }
    assert_eq!(server.traffic().writes(), 2);
}
