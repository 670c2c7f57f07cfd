use std::sync::Arc;

use rusqlite::Connection;

use super::super::conformance::{
    self, append, at, checkpoint, commit, jobs, landed, receive, row, rows, run, store,
};
use super::*;
use crate::state::{HintKind, Op, SinkMark};

conformance::conformance!(Arc::new(SqliteState::in_memory().unwrap()));

#[cfg(feature = "vault")]
mod sealed {
    use super::*;
    use crate::state::conformance::tokens::{load, replace};
    use crate::state::{FixedKeys, KeyId, VaultKey};
    use crate::time::SystemEntropy;

    fn keys(id: &str, byte: u8) -> Arc<FixedKeys> {
        Arc::new(FixedKeys::new(KeyId::new(id).unwrap(), VaultKey::new([byte; 32])))
    }

    fn with_keys(state: SqliteState) -> Arc<dyn StateStore> {
        Arc::new(state.with_keys(keys("k1", 7), Arc::new(SystemEntropy)))
    }

    conformance::tokens::token_conformance!(with_keys(SqliteState::in_memory().unwrap()));

    #[tokio::test]
    async fn without_keys_tokens_are_refused_and_nothing_of_their_unit_happens() {
        let state: Arc<dyn StateStore> = Arc::new(SqliteState::in_memory().unwrap());
        let row = row("11", "title");
        let unit = Unit::new(vec![append(&row), replace("main", 0, "one").0]);
        let error = state.commit(&store("a"), unit).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "vault_key_missing"));
        assert!(!error.remedy().is_empty());
        assert!(rows(&state, &RowQuery::Unsettled).await.is_empty());
    }

    #[tokio::test]
    async fn what_rests_in_the_file_is_sealed_and_bound_to_its_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = with_keys(SqliteState::open(&path).unwrap());
        commit(&state, vec![replace("main", 0, "one").0, replace("other", 0, "two").0]).await;
        let other = store("b");
        state.commit(&other, Unit::new(vec![replace("main", 0, "theirs").0])).await.unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(std::fs::read(folder.path().join("state.db-wal")).unwrap());
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"));

        let raw = Connection::open(&path).unwrap();
        let opens = async || {
            state.tokens(&store("a"), "main").await.map(drop).map_err(|error| error.code().to_owned())
        };
        opens().await.unwrap();
        let keep = "CREATE TEMP TABLE kept AS SELECT * FROM tokens";
        raw.execute_batch(keep).unwrap();
        for change in [
            // The blob of another slot, of another store, and of another version of the row.
            "UPDATE tokens SET (key, nonce, sealed) = (SELECT key, nonce, sealed FROM kept WHERE slot = 'other')",
            "UPDATE tokens SET (key, nonce, sealed) =
               (SELECT key, nonce, sealed FROM kept WHERE slot = 'main' ORDER BY store DESC LIMIT 1)
             WHERE store = (SELECT min(store) FROM kept)",
            "UPDATE tokens SET version = version + 1",
            "UPDATE tokens SET sealed = zeroblob(length(sealed))",
        ] {
            raw.execute_batch(change).unwrap();
            assert_eq!(opens().await.unwrap_err(), "vault_does_not_open", "{change}");
            raw.execute_batch("DELETE FROM tokens; INSERT INTO tokens SELECT * FROM kept").unwrap();
            opens().await.unwrap();
        }

        // Another key of the same name, a new one alone, and a new one beside the old one.
        let open = |keys: Arc<FixedKeys>| -> Arc<dyn StateStore> {
            Arc::new(SqliteState::open(&path).unwrap().with_keys(keys, Arc::new(SystemEntropy)))
        };
        let code = async |state: Arc<dyn StateStore>| {
            state.tokens(&store("a"), "main").await.map(drop).map_err(|error| error.code().to_owned())
        };
        assert_eq!(code(open(keys("k1", 8))).await.unwrap_err(), "vault_does_not_open");
        assert_eq!(code(open(keys("k2", 8))).await.unwrap_err(), "vault_key_unknown");
        let rotated = FixedKeys::new(KeyId::new("k2").unwrap(), VaultKey::new([8; 32]));
        let rotated = open(Arc::new(rotated.older(KeyId::new("k1").unwrap(), VaultKey::new([7; 32]))));
        let version = load(&rotated, "main").await.version;
        commit(&rotated, vec![replace("main", version.0, "anew").0]).await;
        assert!(code(open(keys("k2", 8))).await.is_ok());
    }

    #[tokio::test]
    async fn a_state_of_the_second_schema_keeps_all_it_has_and_takes_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("state.db"), folder.path().join("old.db"));
        // As the second version made it: the first two steps alone.
        let second = Connection::open(&old).unwrap();
        second.execute_batch(include_str!("schema_1.sql")).unwrap();
        second.execute_batch(include_str!("schema_2.sql")).unwrap();
        second.pragma_update(None, "application_id", 0x4c49_4c59).unwrap();
        second.pragma_update(None, "user_version", 2).unwrap();
        // With the rows that a state of today has in those tables.
        let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
        let row = row("11", "title");
        let received = receive(1, "11", HintKind::Changed, 1);
        commit(&state, vec![append(&row), checkpoint("run", 7, vec![1, 2]), received]).await;
        drop(state);
        second.execute("ATTACH ?1 AS now", [path.to_str().unwrap()]).unwrap();
        for table in [
            "stores",
            "leases",
            "checkpoints",
            "delivered",
            "bases",
            "write_log",
            "deliveries",
            "jobs",
            "noted_hashes",
        ] {
            second.execute(&format!("INSERT INTO {table} SELECT * FROM now.{table}"), []).unwrap();
        }
        second.close().unwrap();

        let again = with_keys(SqliteState::open(&old).unwrap());
        assert_eq!(rows(&again, &RowQuery::Unsettled).await, [row]);
        assert_eq!(again.checkpoint(&store("a"), &run("run")).await.unwrap().unwrap().mark, SinkMark(7));
        assert_eq!(jobs(&again).await.len(), 1);
        assert_eq!(load(&again, "main").await.version.0, 0);
        let (op, record) = replace("main", 0, "one");
        commit(&again, vec![op]).await;
        drop(again);
        let third = with_keys(SqliteState::open(&old).unwrap());
        assert_eq!(load(&third, "main").await.record, Some(record));
    }
}

mod on_disk {
    use super::*;

    /// A file whose folder lives as long as the process's test, since the state outlives this call.
    fn fresh() -> Arc<SqliteState> {
        let folder = tempfile::tempdir().unwrap();
        let state = SqliteState::open(folder.path().join("state.db")).unwrap();
        // On Unix the open files outlive their names.
        Arc::new(state)
    }

    conformance::conformance!(fresh());
}

#[tokio::test]
async fn two_handles_of_one_file_guard_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (one, two) = (SqliteState::open(&path).unwrap(), SqliteState::open(&path).unwrap());
    let old = one.lease(&store("a"), "one", at(0), at(60)).await.unwrap();
    assert_eq!(two.lease(&store("a"), "two", at(1), at(60)).await.unwrap_err().code(), "lease_held");
    two.lease(&store("a"), "two", at(60), at(120)).await.unwrap();
    let error = one.commit(&store("a"), Unit::fenced(old, vec![])).await.unwrap_err();
    assert_eq!(error.code(), "fence_lost");
}

#[test]
fn many_may_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || SqliteState::open(path).map(drop))
        })
        .collect();
    for opener in openers {
        opener.join().unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
    let (first, second) = (row("11", "title"), row("12", "title"));
    commit(&state, vec![append(&first), checkpoint("run", 7, vec![1, 2])]).await;
    commit(&state, vec![append(&second), Op::Settle { row: first.id, outcome: landed("Cap") }]).await;

    // What a killed process leaves behind: the file and its log, without the close that merges them.
    let left = folder.path().join("left.db");
    std::fs::copy(&path, &left).unwrap();
    std::fs::copy(folder.path().join("state.db-wal"), folder.path().join("left.db-wal")).unwrap();
    // A torn end of the log, as of a unit that was being written, takes nothing else with it.
    let mut torn = std::fs::OpenOptions::new().append(true).open(folder.path().join("left.db-wal")).unwrap();
    std::io::Write::write_all(&mut torn, &[7; 1000]).unwrap();
    drop(torn);

    let again: Arc<dyn StateStore> = Arc::new(SqliteState::open(&left).unwrap());
    assert_eq!(rows(&again, &RowQuery::Unsettled).await, [second]);
    assert_eq!(rows(&again, &RowQuery::Push(first.push)).await[0].outcome, landed("Cap"));
    let kept = again.checkpoint(&store("a"), &run("run")).await.unwrap().unwrap();
    assert_eq!(kept.mark, SinkMark(7));
    assert_eq!(again.delivered(&store("a"), &run("run")).await.unwrap(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_is_dropped_in_the_middle_leaves_whole_units() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (acknowledged, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
    let work = tokio::spawn(async move {
        loop {
            let pair = [row("11", "title"), row("12", "title")];
            commit(&state, pair.iter().map(append).collect()).await;
            acknowledged.send(pair.map(|row| row.id)).unwrap();
        }
    });
    let mut known = vec![heard.recv().await.unwrap(), heard.recv().await.unwrap()];
    work.abort();
    work.await.unwrap_err();
    while let Some(pair) = heard.recv().await {
        known.push(pair);
    }

    let again: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
    let found = rows(&again, &RowQuery::Unsettled).await;
    assert_eq!(found.len() % 2, 0);
    let found: Vec<_> = found.iter().map(|row| row.id).collect();
    assert_eq!(found[..known.len() * 2], known.concat());
}

#[test]
fn a_file_that_is_no_state_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    let content = "a long text that is no database ".repeat(100);
    std::fs::write(&text, &content).unwrap();
    let error = SqliteState::open(&text).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::State, "state_not_a_database"));
    assert!(!error.remedy().is_empty());
    assert_eq!(std::fs::read_to_string(&text).unwrap(), content);

    let foreign = folder.path().join("other.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE things (id INTEGER)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    assert_eq!(SqliteState::open(&foreign).unwrap_err().code(), "state_foreign");
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    let nowhere = folder.path().join("no folder").join("state.db");
    assert_eq!(SqliteState::open(&nowhere).unwrap_err().code(), "state_cannot_open");
}

#[test]
fn a_newer_schema_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(SqliteState::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteState::open(&path).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::State, "state_newer"));
    assert!(error.to_string().contains("update lily-connect"), "{error}");
}

#[tokio::test]
async fn a_state_of_the_first_schema_keeps_all_it_has_and_takes_an_inbox() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("state.db"), folder.path().join("old.db"));
    // As the first version made it: the first step alone.
    let first = Connection::open(&old).unwrap();
    first.execute_batch(include_str!("schema_1.sql")).unwrap();
    first.pragma_update(None, "application_id", 0x4c49_4c59).unwrap();
    first.pragma_update(None, "user_version", 1).unwrap();
    // With the rows that a state of today has in those tables.
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
    let row = row("11", "title");
    commit(&state, vec![append(&row), checkpoint("run", 7, vec![1, 2])]).await;
    drop(state);
    first.execute("ATTACH ?1 AS now", [path.to_str().unwrap()]).unwrap();
    for table in ["stores", "leases", "checkpoints", "delivered", "bases", "write_log"] {
        first.execute(&format!("INSERT INTO {table} SELECT * FROM now.{table}"), []).unwrap();
    }
    first.close().unwrap();

    let again: Arc<dyn StateStore> = Arc::new(SqliteState::open(&old).unwrap());
    assert_eq!(rows(&again, &RowQuery::Unsettled).await, [row]);
    assert_eq!(again.checkpoint(&store("a"), &run("run")).await.unwrap().unwrap().mark, SinkMark(7));
    commit(&again, vec![receive(1, "11", HintKind::Changed, 1)]).await;
    commit(&again, vec![Op::NoteWriteJob(Box::new(super::super::conformance::write_job("tag")))]).await;
    drop(again);
    let third: Arc<dyn StateStore> = Arc::new(SqliteState::open(&old).unwrap());
    assert_eq!(jobs(&third).await.len(), 1);
    assert_eq!(third.write_jobs(&store("a")).await.unwrap().len(), 1);
}

#[test]
fn the_settings_that_durability_and_erasure_need_are_on() {
    let folder = tempfile::tempdir().unwrap();
    let state = SqliteState::open(folder.path().join("state.db")).unwrap();
    let connection = state.connection.lock().unwrap();
    let setting = |name: &str| -> String {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            })
            .unwrap()
    };
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("secure_delete", "1"),
        ("mmap_size", "0"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
        ("user_version", "4"),
    ] {
        assert_eq!(setting(name), value, "{name}");
    }
}

#[test]
fn every_query_of_rows_uses_an_index() {
    let state = SqliteState::in_memory().unwrap();
    let connection = state.connection.lock().unwrap();
    for (filter, index) in [
        ("cell = ?2", "write_log_by_cell"),
        ("holder = ?2", "write_log_by_holder"),
        ("push = ?2", "write_log_by_push"),
        ("state IN ('intent', 'unknown') AND ?2 IS NULL", "write_log_unsettled"),
    ] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT body FROM write_log WHERE store = ?1 AND {filter} ORDER BY seq"
        );
        let plan: Vec<String> = connection
            .prepare(&sql)
            .unwrap()
            .query_map(params![1, "x"], |row| row.get(3))
            .unwrap()
            .map(|step| step.unwrap())
            .collect();
        assert_eq!(plan.len(), 1, "no sorting step: {plan:?}");
        assert!(plan[0].contains(index), "{plan:?}");
    }
}

#[test]
fn the_inbox_is_read_and_trimmed_by_its_indexes() {
    let state = SqliteState::in_memory().unwrap();
    let connection = state.connection.lock().unwrap();
    for (sql, index) in [
        ("SELECT body FROM jobs WHERE store = 1 AND place > 2 ORDER BY place LIMIT 3", "jobs_by_place"),
        ("DELETE FROM deliveries WHERE store = 1 AND at_millis < 2", "deliveries_by_age"),
        (
            "SELECT seq FROM deliveries WHERE store = 1 ORDER BY seq DESC LIMIT 1 OFFSET 2",
            "COVERING INDEX deliveries_by_seq",
        ),
        ("DELETE FROM noted_hashes WHERE store = 1 AND began_millis < 2", "noted_hashes_by_age"),
    ] {
        let plan: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap()
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(|step| step.unwrap())
            .collect();
        assert_eq!(plan.len(), 1, "no sorting step: {plan:?}");
        assert!(plan[0].contains(index), "{plan:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_side_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(folder.path().join("state.db")).unwrap());
    commit(&state, vec![append(&row("11", "title"))]).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 3);
}
