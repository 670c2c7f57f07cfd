//! Opening the file: whose it is, its settings, its schema.

use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::begin;
use crate::error::{Error, ErrorKind, Result, Retry};

/// Marks the file as ours: `LILY` in ASCII.
const APPLICATION_ID: i32 = 0x4c49_4c59;

/// The steps from one version of the schema to the next. A step that was released is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many processes may make the file at the same moment.
const DRAFTS: u32 = 100;

/// As many as there are statements in this room, and some.
const PREPARED_STATEMENTS: usize = 48;

pub(super) fn open(path: &Path) -> Result<Connection> {
    if !path.try_exists().map_err(cannot_make)? {
        make(path)?;
    }
    connect(path)
}

pub(super) fn in_memory() -> Result<Connection> {
    prepare(Connection::open_in_memory().map_err(failed)?)
}

/// Makes a new state under another name, and links it to its own once it is whole.
///
/// So two processes that begin together never see each other's half-made file, on which a change of the
/// journal's mode answers "locked" at once, whatever the time-out is.
fn make(path: &Path) -> Result<()> {
    let draft = (0..DRAFTS)
        .map(|number| {
            let mut draft = path.as_os_str().to_owned();
            draft.push(format!(".new{number}"));
            PathBuf::from(draft)
        })
        .find_map(|draft| match create_private(&draft) {
            Err(error) if error.kind() == IoErrorKind::AlreadyExists => None,
            Err(error) => Some(Err(cannot_make(error))),
            Ok(()) => Some(Ok(draft)),
        });
    let draft = draft.unwrap_or_else(|| Err(cannot_open()))?;
    let made = connect(&draft).and_then(|connection| connection.close().map_err(|(_, error)| failed(error)));
    // Unlike a rename, a link never takes the place of a state that another process has made meanwhile.
    let linked = made.map(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    let placed = match linked? {
        // Some disks know no links; there the file is made in its place.
        Err(error) if error.kind() != IoErrorKind::AlreadyExists => create_private(path),
        placed => placed,
    };
    match placed {
        Err(error) if error.kind() != IoErrorKind::AlreadyExists => Err(cannot_make(error)),
        Ok(()) | Err(_) => removed.map_err(cannot_make),
    }
}

/// Makes an empty file that only its owner can read, on Unix; SQLite gives its side files the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn connect(path: &Path) -> Result<Connection> {
    // Without the URI flag a path is a path, whatever it begins with.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    prepare(Connection::open_with_flags(path, flags).map_err(failed)?)
}

fn prepare(mut connection: Connection) -> Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // A file that is not ours must be left as it is, so this comes before any setting that writes.
    // One transaction, so that a state which another process makes meanwhile is seen whole or not yet.
    let look = connection.transaction().map_err(failed)?;
    check_owner(&look)?;
    drop(look);
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if !["wal", "memory"].contains(&mode.as_str()) {
        return Err(Error::new(
            ErrorKind::State,
            "state_no_wal",
            "the state's place takes no write-ahead log",
        )
        .with_remedy("put the file on a local disk"));
    }
    for (name, value) in [("synchronous", "FULL"), ("secure_delete", "ON"), ("mmap_size", "0")] {
        connection.pragma_update(None, name, value).map_err(failed)?;
    }
    migrate(&mut connection)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    Ok(connection)
}

fn check_owner(connection: &Connection) -> Result<()> {
    let application = pragma(connection, "application_id")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application == i64::from(APPLICATION_ID) || (application == 0 && tables == 0) {
        check_version(connection).map(|_| ())
    } else {
        Err(Error::new(ErrorKind::State, "state_foreign", "the file is the database of another program")
            .with_remedy("name another file for the state"))
    }
}

/// The version of the schema, in steps.
fn check_version(connection: &Connection) -> Result<usize> {
    let version = pragma(connection, "user_version")?;
    match usize::try_from(version) {
        Ok(steps) if steps <= MIGRATIONS.len() => Ok(steps),
        Ok(_) | Err(_) => {
            Err(Error::new(ErrorKind::State, "state_newer", "a newer version of this crate wrote the state")
                .with_context("found", version.to_string())
                .with_context("known", MIGRATIONS.len().to_string())
                .with_remedy("update lily-connect, or name another file for the state"))
        }
    }
}

/// Takes the steps that are missing, all in one transaction: of two processes the second finds them done.
fn migrate(connection: &mut Connection) -> Result<()> {
    if check_version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = begin(connection)?;
    let done = check_version(&transaction)?;
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    let version = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn pragma(connection: &Connection, name: &str) -> Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0)).map_err(failed)
}

/// Tells the operator's faults apart. SQLite's own text is the source: it names tables, never values.
pub(super) fn failed(error: rusqlite::Error) -> Error {
    let state = |code: &'static str, message: &'static str| Error::new(ErrorKind::State, code, message);
    let told = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => state("state_not_a_database", "the file is no state of this crate")
            .with_remedy("name another file for the state"),
        Some(ErrorCode::DatabaseCorrupt) => state("state_corrupt", "the state's file is damaged")
            .with_remedy("put back a copy that is whole, and look at the disk"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            state("state_busy", "another process kept the state locked")
                .with_remedy("end what holds the file, such as a shell with an open transaction")
                .with_retry(Retry::Later)
        }
        Some(ErrorCode::DiskFull) => state("state_full", "the state's disk is full")
            .with_remedy("make room on it")
            .with_retry(Retry::Later),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            state("state_read_only", "the state's file cannot be written")
                .with_remedy("give this user the right to write the file and its folder")
        }
        Some(ErrorCode::CannotOpen) => cannot_open(),
        Some(_) | None => state("state_failed", "the state could not be read or written"),
    };
    told.with_source(error)
}

fn cannot_open() -> Error {
    Error::new(ErrorKind::State, "state_cannot_open", "the state's file could not be opened or made")
        .with_remedy("see that its folder exists and that this user may write there")
}

fn cannot_make(error: std::io::Error) -> Error {
    cannot_open().with_source(error)
}
