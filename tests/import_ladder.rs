//! The ladder of the rooms: a room imports only the rooms of its row and what those import. Beside it, what only one
//! room may name, such as the clock, the environment and the network.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod ladder;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ladder::Code;

/// A room with the rooms of its row.
const ROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("time", &["error"]),
    ("model", &["error", "time"]),
    ("mapping", &["model"]),
    ("webhook", &["model"]),
    ("transport", &["model"]),
    ("auth", &["transport"]),
    ("http", &["transport", "auth"]),
    ("graphql", &["http"]),
    ("state", &["model", "mapping", "auth"]),
    ("runtime", &["http", "state"]),
    // Of `runtime` it may take the handle only, so nothing that comes with it.
    ("connector", &["mapping", "webhook", "transport"]),
    ("sync", &["connector", "state", "runtime"]),
    ("impact", &["sync"]),
    ("connectors", &["http", "graphql", "auth", "mapping", "webhook", "runtime", "connector"]),
    ("registry", &["connectors"]),
    ("doctor", &["impact"]),
    ("privacy", &["impact"]),
    ("server", &["impact"]),
    ("testkit", &["impact"]),
];

/// Rooms that a room may import without what those import.
const ALONE: &[(&str, &str)] = &[("connector", "runtime")];

/// What only some rooms may name. `lib` stands for `lib.rs`.
const ONLY: &[(&str, &[&str])] = &[
    ("reqwest", &["http", "transport"]),
    ("governor", &["http"]),
    ("hyper", &["testkit"]),
    ("hyper_util", &["testkit"]),
    ("apollo_compiler", &["testkit"]),
    ("flate2", &["testkit"]),
    ("getrandom", &["time"]),
    ("SystemTime", &["time"]),
    ("Instant::now", &["time"]),
    ("Timestamp::now", &["time"]),
    ("Zoned::now", &["time"]),
    // A fault of the network takes real time on a real socket.
    ("tokio::time", &["time", "testkit"]),
    // Of the environment, `sync` asks where the machine keeps temporary files.
    ("std::env", &["registry", "sync"]),
    ("env::var", &["registry"]),
    ("env::var_os", &["registry"]),
    ("env::vars", &["registry"]),
    ("testkit", &["testkit"]),
    ("tokio::spawn", &["testkit"]),
    ("thread::spawn", &[]),
    ("thread_local", &[]),
];

/// What makes a `static` a global state.
const SHARED: &[&str] = &["mut ", "Lock", "Mutex", "Atomic", "Cell<", "Notify", "Semaphore"];

/// What rooms that do no IO may not name.
const IO: &[&str] = &["std::fs", "std::io", "std::net", "std::process", "tokio", "futures_util"];
const WITHOUT_IO: &[&str] = &["model", "mapping", "webhook", "error"];

/// The rooms that each room may import.
fn ladder() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut ladder: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // Each row names rooms of rows above it only, so one pass is enough.
    for (room, row) in ROWS {
        let mut allowed = BTreeSet::from([*room]);
        for below in *row {
            allowed.extend(ladder.get(below).unwrap_or_else(|| panic!("{room} imports {below} from below")));
        }
        ladder.insert(room, allowed);
    }
    for (room, alone) in ALONE {
        ladder.get_mut(room).unwrap().insert(alone);
    }
    ladder
}

/// The modules of a file, from the crate's root: `src/http/rate.rs` is `http`, `rate`.
fn modules(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    path.split('/').filter(|module| !matches!(*module, "mod" | "lib")).collect()
}

/// What is wrong with the imports of these files, each with its text.
fn violations(files: &[(String, String)]) -> Vec<String> {
    let read: Vec<(&str, Code)> =
        files.iter().map(|(path, source)| (path.as_str(), Code::of(source))).collect();
    let mut tests: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (path, code) in &read {
        for module in &code.test_modules {
            tests.insert(modules(path).into_iter().chain([module.as_str()]).collect());
        }
    }
    let ladder = ladder();
    let mut found = Vec::new();
    for (path, code) in &read {
        let modules = modules(path);
        if (1..=modules.len()).any(|length| tests.contains(&modules[..length])) {
            continue;
        }
        let room = modules.first().copied().unwrap_or("lib");
        let mut wrong = |at: usize, what: String| found.push(format!("{path}:{}: {what}", code.line(at)));
        if room != "lib" {
            let Some(allowed) = ladder.get(room) else {
                wrong(0, format!("{room} is no room of the ladder"));
                continue;
            };
            for (at, name) in code.after("crate::") {
                if !ladder.contains_key(name.as_str()) {
                    wrong(at, format!("crate::{name} is no room; import it by its room's path"));
                } else if !allowed.contains(name.as_str()) {
                    wrong(at, format!("{room} imports {name}, which its row does not name"));
                }
            }
            siblings(&modules, code, &mut wrong);
        }
        for (name, rooms) in ONLY {
            // The modules of the front door are declared there.
            for at in code.find(name).into_iter().filter(|_| !rooms.contains(&room)) {
                wrong(at, format!("{room} names {name}, which only {rooms:?} may"));
            }
        }
        for (at, kind) in code.statics() {
            if SHARED.iter().any(|shared| kind.contains(shared)) {
                wrong(at, format!("{room} has a global state: static{kind}"));
            }
        }
        for name in IO.iter().filter(|_| WITHOUT_IO.contains(&room)) {
            for at in code.find(name) {
                wrong(at, format!("{room} does no IO, and names {name}"));
            }
        }
    }
    found
}

/// A connector imports no other one, and no file leaves its room by `super`.
fn siblings(modules: &[&str], code: &Code, wrong: &mut impl FnMut(usize, String)) {
    let connector = (modules.first() == Some(&"connectors")).then(|| modules.get(1).copied()).flatten();
    if let Some(own) = connector {
        for (at, name) in code.after("crate::connectors::") {
            if name != own {
                wrong(at, format!("the connector {own} imports its sibling {name}"));
            }
        }
    }
    for ups in 1..=5 {
        let prefix = "super::".repeat(ups);
        for (at, name) in code.after(&prefix).into_iter().filter(|(_, name)| name != "super") {
            if ups >= modules.len() {
                wrong(at, format!("{prefix}{name} leaves the room"));
            } else if let Some(own) = connector.filter(|own| ups + 1 == modules.len() && name != *own) {
                wrong(at, format!("the connector {own} imports its sibling {name}"));
            }
        }
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_room_imports_only_the_rooms_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    rust_files(&root.join("src"), &mut paths);
    paths.sort();
    let files: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(files.len() > 50, "only {} files were found", files.len());
    let violations = violations(&files);
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// The violations of one planted file.
fn of(path: &str, source: &str) -> Vec<String> {
    violations(&[(path.to_owned(), source.to_owned())])
}

#[test]
fn a_planted_import_is_found_with_its_file_and_line() {
    for (path, source, expected) in [
        (
            "src/model/money.rs",
            "//! Money.\nuse crate::http::ApiClient;\n",
            "src/model/money.rs:2: model imports http, which its row does not name",
        ),
        (
            "src/mapping/mod.rs",
            "use crate::{\n    error::{Error, Result},\n    sync::Plan,\n};\n",
            "src/mapping/mod.rs:1: mapping imports sync, which its row does not name",
        ),
        (
            "src/sync/pull.rs",
            "fn f() -> crate::connectors::woocommerce::WooCommerce { todo() }",
            "src/sync/pull.rs:1: sync imports connectors, which its row does not name",
        ),
        (
            "src/connector.rs",
            "use crate::http::ApiClient;",
            "src/connector.rs:1: connector imports http, which its row does not name",
        ),
        (
            "src/testkit/contract/mod.rs",
            "\n\nuse crate::connectors::woocommerce::WooCommerce;",
            "src/testkit/contract/mod.rs:3: testkit imports connectors, which its row does not name",
        ),
        (
            "src/sync/plan.rs",
            "use crate::Error;",
            "src/sync/plan.rs:1: crate::Error is no room; import it by its room's path",
        ),
        ("src/odd/mod.rs", "", "src/odd/mod.rs:1: odd is no room of the ladder"),
        (
            "src/auth/basic.rs",
            "use super::super::sync::Plan;",
            "src/auth/basic.rs:1: super::super::sync leaves the room",
        ),
        (
            "src/connectors/shopify/map.rs",
            "use crate::connectors::magento::Magento;",
            "src/connectors/shopify/map.rs:1: the connector shopify imports its sibling magento",
        ),
        (
            "src/connectors/shopify/map.rs",
            "use super::super::magento::Magento;",
            "src/connectors/shopify/map.rs:1: the connector shopify imports its sibling magento",
        ),
        (
            "src/connectors/shopify/wire.rs",
            "async fn f() { reqwest::get(\"x\").await; }",
            "src/connectors/shopify/wire.rs:1: connectors names reqwest, which only [\"http\", \"transport\"] may",
        ),
        (
            "src/http/backoff.rs",
            "fn f() { let t = std::time::Instant::now(); }",
            "src/http/backoff.rs:1: http names Instant::now, which only [\"time\"] may",
        ),
        (
            "src/runtime.rs",
            "use std::env;",
            "src/runtime.rs:1: runtime names std::env, which only [\"registry\", \"sync\"] may",
        ),
        (
            "src/runtime.rs",
            "static LIMITERS: std::sync::Mutex<Vec<&'static str>> = std::sync::Mutex::new(Vec::new());",
            "src/runtime.rs:1: runtime has a global state: static LIMITERS: std::sync::Mutex<Vec<&'static str>> ",
        ),
        (
            "src/mapping/html.rs",
            "fn f() { std::fs::read(\"x\"); }",
            "src/mapping/html.rs:1: mapping does no IO, and names std::fs",
        ),
    ] {
        assert_eq!(of(path, source), [expected], "{source}");
    }
    let testkit = of("src/sync/apply.rs", "use crate::testkit::FakeClock;");
    assert_eq!(testkit.len(), 2, "{testkit:?}");
}

#[test]
fn what_is_no_import_of_the_build_is_passed_over() {
    for source in [
        "// use crate::sync::Plan;\n/* crate::http::x /* nested */ crate::sync */",
        "/// See [`crate::sync::Plan`].\nfn f() { let a = \"crate::sync\"; let b = r#\"\"crate::sync\"#; }",
        "fn f<'a>(a: &'a str) -> char { let q = '\"'; let e = '\\''; let n = '\\u{1f9f8}'; q }",
        "#[cfg(test)]\nmod tests {\n    use crate::testkit::FakeClock;\n    fn f() { std::env::var(\"X\"); }\n}",
        "#[cfg(feature = \"testkit\")]\n#[cfg(test)]\nmod tests { use crate::sync::Plan; }",
        "#[cfg(all(test, feature = \"testkit\"))]\nuse crate::{sync::Plan, testkit::FakeClock};",
        "#[cfg(feature = \"testkit\")]\nuse crate::testkit::FakeClock;",
        "static NAMES: &[&'static str] = &[]; struct Held { once: std::sync::OnceLock<u8> }",
        "use crate::error::Error; use super::Text; use crate::time::Timestamp;",
    ] {
        assert_eq!(of("src/model/text.rs", source), Vec::<String>::new(), "{source}");
    }
    let after_a_test = "#[cfg(test)]\nmod tests;\nuse crate::sync::Plan;";
    assert_eq!(of("src/model/text.rs", after_a_test).len(), 1);
    let not_a_test = "#[cfg(not(test))]\nuse crate::sync::Plan;";
    assert_eq!(of("src/model/text.rs", not_a_test).len(), 1);
    // A file that only a test declares may import anything.
    let files = [
        ("src/http/mod.rs".to_owned(), "#[cfg(test)]\nmod tests;\n".to_owned()),
        ("src/http/tests.rs".to_owned(), "use crate::runtime::Runtime;".to_owned()),
    ];
    assert_eq!(violations(&files), Vec::<String>::new());
    assert_eq!(violations(&files[1..]).len(), 1);
}
