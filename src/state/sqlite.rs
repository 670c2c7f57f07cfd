//! State in one SQLite file.

mod file;
mod inbox;
mod tokens;
mod unit;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Checkpoint, DeliveryDigest, Fence, Job, JobPlace, NotedHash, RowQuery, RunKey, StateStore, Unit,
    WriteJob, WriteRow, refuse,
};
use crate::auth::StoredTokens;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{BaseToken, CellValue, RecordRef, StoreKey};
#[cfg(feature = "vault")]
use crate::state::KeyProvider;
#[cfg(feature = "vault")]
use crate::time::Entropy;
use crate::time::Timestamp;
use tokens::Sealing;

/// Keeps the state of any number of stores in one SQLite file.
///
/// A unit is on the disk when its commit answers (write-ahead log, `synchronous=FULL`). Several processes
/// of one machine may share the file: each waits up to five seconds for the others' units. The file must lie
/// on a local disk. Where this crate makes it, only its owner can read it (on Unix: mode 0600).
///
/// A clone shares the connection. A commit whose future is dropped may still happen.
#[derive(Debug, Clone)]
pub struct SqliteState {
    connection: Arc<Mutex<Connection>>,
    sealing: Sealing,
}

impl SqliteState {
    /// Opens the file, makes it where it is missing, and brings an older one up to date.
    ///
    /// It blocks while it does so, and up to five seconds where another process writes.
    ///
    /// # Errors
    /// `State`, with one of these codes: `state_not_a_database` and `state_foreign` where the file is
    /// something else, `state_newer` where a newer version of this crate wrote it, `state_cannot_open`,
    /// `state_read_only`, `state_busy`, `state_full`, `state_corrupt`, `state_no_wal`, `state_failed`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let connection =
            file::open(path).map_err(|error| error.with_context("file", path.display().to_string()))?;
        Ok(Self::new(connection))
    }

    /// Makes a state that ends with its last clone, for tests.
    ///
    /// # Errors
    /// `State` where there is no memory for it.
    pub fn in_memory() -> Result<Self> {
        file::in_memory().map(Self::new)
    }

    fn new(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)), sealing: Sealing::default() }
    }

    /// Sets the keys that tokens are sealed with, and the randomness of their nonces. Without keys it keeps none.
    #[cfg(feature = "vault")]
    #[must_use]
    pub fn with_keys(mut self, keys: Arc<dyn KeyProvider>, entropy: Arc<dyn Entropy>) -> Self {
        self.sealing = Sealing { keys: Some((keys, entropy)) };
        self
    }

    /// Runs the work on a thread that may block; only that thread ever waits for the connection.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            // A transaction rolls itself back when a panic unwinds it: the connection stays usable.
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::State, "state_failed", "the state's work was broken off")
                .with_source(error))
        })
    }
}

#[async_trait]
impl StateStore for SqliteState {
    async fn commit(&self, store: &StoreKey, unit: Unit) -> Result<()> {
        let (store, sealing) = (store.clone(), self.sealing.clone());
        self.run(move |connection| unit::commit(connection, &sealing, &store, &unit)).await
    }

    async fn checkpoint(&self, store: &StoreKey, run: &RunKey) -> Result<Option<Checkpoint>> {
        let (store, run) = (store.clone(), run.clone());
        self.run(move |connection| {
            let Some(store) = store_id(connection, &store)? else { return Ok(None) };
            connection
                .prepare_cached("SELECT checkpoint FROM checkpoints WHERE store = ?1 AND run = ?2")
                .and_then(|mut found| found.query_row(params![store, run.0.as_str()], text).optional())
                .map_err(file::failed)?
                .map(|found| parse(&found, "checkpoint"))
                .transpose()
        })
        .await
    }

    async fn delivered(&self, store: &StoreKey, run: &RunKey) -> Result<Vec<u64>> {
        let (store, run) = (store.clone(), run.clone());
        self.run(move |connection| {
            let Some(store) = store_id(connection, &store)? else { return Ok(Vec::new()) };
            let mut query = connection
                .prepare_cached("SELECT ids FROM delivered WHERE store = ?1 AND run = ?2 ORDER BY seq")
                .map_err(file::failed)?;
            let mut rows = query.query(params![store, run.0.as_str()]).map_err(file::failed)?;
            let mut ids = Vec::new();
            while let Some(row) = rows.next().map_err(file::failed)? {
                let blob = row.get_ref(0).map_err(file::failed)?;
                let (whole, rest) = blob.as_blob().map_err(|_| unreadable("delivered ids"))?.as_chunks();
                if !rest.is_empty() {
                    return Err(unreadable("delivered ids"));
                }
                ids.extend(whole.iter().map(|id| u64::from_le_bytes(*id)));
            }
            Ok(ids)
        })
        .await
    }

    async fn rows(&self, store: &StoreKey, query: &RowQuery) -> Result<Vec<WriteRow>> {
        let (store, query) = (store.clone(), query.clone());
        self.run(move |connection| match store_id(connection, &store)? {
            Some(store) => read_rows(connection, store, &query),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn write_jobs(&self, store: &StoreKey) -> Result<Vec<WriteJob>> {
        let store = store.clone();
        self.run(move |connection| {
            let Some(store) = store_id(connection, &store)? else { return Ok(Vec::new()) };
            let mut select = connection
                .prepare_cached("SELECT body FROM write_jobs WHERE store = ?1 ORDER BY seq")
                .map_err(file::failed)?;
            let bodies = select.query_map(params![store], text).map_err(file::failed)?;
            let job = |body: rusqlite::Result<String>| parse(&body.map_err(file::failed)?, "write job");
            bodies.map(job).collect()
        })
        .await
    }

    async fn base_value(&self, store: &StoreKey, token: &BaseToken) -> Result<Option<CellValue>> {
        let (store, token) = (store.clone(), token.to_string());
        self.run(move |connection| {
            let Some(store) = store_id(connection, &store)? else { return Ok(None) };
            connection
                .prepare_cached("SELECT value FROM bases WHERE store = ?1 AND token = ?2")
                .and_then(|mut found| found.query_row(params![store, token], text).optional())
                .map_err(file::failed)?
                .map(|found| parse(&found, "base value"))
                .transpose()
        })
        .await
    }

    async fn seen(&self, store: &StoreKey, delivery: &DeliveryDigest) -> Result<bool> {
        let (store, delivery) = (store.clone(), *delivery);
        self.run(move |connection| match store_id(connection, &store)? {
            Some(store) => inbox::seen(connection, store, &delivery),
            None => Ok(false),
        })
        .await
    }

    async fn jobs(&self, store: &StoreKey, after: Option<JobPlace>, most: NonZeroU32) -> Result<Vec<Job>> {
        let store = store.clone();
        self.run(move |connection| match store_id(connection, &store)? {
            Some(store) => inbox::jobs(connection, store, after, most),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn noted_hash(&self, store: &StoreKey, record: &RecordRef) -> Result<Option<NotedHash>> {
        let (store, record) = (store.clone(), record.clone());
        self.run(move |connection| match store_id(connection, &store)? {
            Some(store) => inbox::noted_hash(connection, store, &record),
            None => Ok(None),
        })
        .await
    }

    async fn tokens(&self, store: &StoreKey, slot: &str) -> Result<StoredTokens> {
        let (store, slot, sealing) = (store.clone(), slot.to_owned(), self.sealing.clone());
        self.run(move |connection| tokens::load(connection, &sealing, &store, &slot)).await
    }

    async fn lease(&self, store: &StoreKey, holder: &str, now: Timestamp, until: Timestamp) -> Result<Fence> {
        let (store, holder) = (store.clone(), holder.to_owned());
        self.run(move |connection| unit::lease(connection, &store, &holder, now, until)).await
    }

    async fn release(&self, store: &StoreKey, holder: &str) -> Result<()> {
        let (store, holder) = (store.clone(), holder.to_owned());
        self.run(move |connection| {
            let Some(store) = store_id(connection, &store)? else { return Ok(()) };
            connection
                .prepare_cached(
                    "UPDATE leases SET holder = NULL, until = NULL WHERE store = ?1 AND holder = ?2",
                )
                .and_then(|mut update| update.execute(params![store, holder]))
                .map_err(file::failed)?;
            Ok(())
        })
        .await
    }
}

fn read_rows(connection: &Connection, store: i64, query: &RowQuery) -> Result<Vec<WriteRow>> {
    let (filter, wanted) = match query {
        RowQuery::Cell(cell) => ("cell = ?2", Some(cell.to_key())),
        RowQuery::Holder(holder) => ("holder = ?2", Some(holder_key(holder))),
        RowQuery::Push(push) => ("push = ?2", Some(push.to_string())),
        // The words of the partial index, so that it is used.
        RowQuery::Unsettled => ("state IN ('intent', 'unknown') AND ?2 IS NULL", None),
    };
    let sql = format!(
        "SELECT id, push, outcome, undone_by, body FROM write_log WHERE store = ?1 AND {filter} ORDER BY seq"
    );
    let mut select = connection.prepare_cached(&sql).map_err(file::failed)?;
    let found = select
        .query_map(params![store, wanted], |row| {
            Ok(Parts {
                id: row.get(0)?,
                push: row.get(1)?,
                outcome: row.get(2)?,
                undone_by: row.get(3)?,
                body: row.get(4)?,
            })
        })
        .map_err(file::failed)?;
    let mut rows = Vec::new();
    for parts in found {
        let row = parts.map_err(file::failed)?.join()?;
        // The key of a cell leaves the platform out, which the store's key names already.
        if !matches!(query, RowQuery::Cell(cell) if row.cell != *cell) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A row of the write log as its columns hold it: what changes or is asked for, and the rest as JSON.
struct Parts {
    id: String,
    push: String,
    outcome: String,
    undone_by: Option<String>,
    body: String,
}

impl Parts {
    fn split(row: &WriteRow) -> Result<Self> {
        let mut body = match serde_json::to_value(row) {
            Ok(Value::Object(body)) => body,
            Ok(_) | Err(_) => return Err(unreadable("row of the write log")),
        };
        for column in ["id", "push", "outcome", "undone_by"] {
            body.remove(column);
        }
        Ok(Self {
            id: row.id.to_string(),
            push: row.push.to_string(),
            outcome: json(&row.outcome)?,
            undone_by: row.undone_by.map(|by| by.to_string()),
            body: json(&body)?,
        })
    }

    fn join(self) -> Result<WriteRow> {
        let mut body: Map<String, Value> = parse(&self.body, "row of the write log")?;
        body.insert("id".to_owned(), self.id.into());
        body.insert("push".to_owned(), self.push.into());
        body.insert("outcome".to_owned(), parse(&self.outcome, "outcome of a row")?);
        body.insert("undone_by".to_owned(), self.undone_by.into());
        WriteRow::deserialize(Value::Object(body)).map_err(|_| unreadable("row of the write log"))
    }
}

fn store_id(connection: &Connection, store: &StoreKey) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM stores WHERE tenant = ?1 AND platform = ?2 AND account = ?3")
        .and_then(|mut found| {
            let key = params![store.tenant.as_str(), store.platform.as_str(), store.account.as_str()];
            found.query_row(key, |row| row.get(0)).optional()
        })
        .map_err(file::failed)
}

fn holder_key(holder: &RecordRef) -> String {
    serde_json::json!([holder.platform.as_str(), holder.kind.as_str(), holder.id.as_str()]).to_string()
}

fn text(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::State, "state_failed", "unwritable value").with_source(error))
}

fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| unreadable(what))
}

/// The source is left out: its text may quote what the merchant's store holds.
fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::State, "state_unreadable", format!("the state holds an unreadable {what}"))
        .with_remedy("use the version of this crate that wrote it, or a copy of the file that is whole")
}

fn begin(connection: &mut Connection) -> Result<rusqlite::Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(file::failed)
}

#[cfg(test)]
mod tests;
