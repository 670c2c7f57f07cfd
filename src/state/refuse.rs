//! The refusals that every state gives with the same codes.

use super::{Fence, RowId};
use crate::auth::TokenVersion;
use crate::error::{Error, ErrorKind, Retry};
use crate::time::Timestamp;

pub(super) fn row_exists(row: RowId) -> Error {
    about(row, "row_exists", "the write log has a row with this id already")
        .with_remedy("make a new id for each write")
}

pub(super) fn row_unknown(row: RowId) -> Error {
    about(row, "row_unknown", "the write log has no row with this id")
        .with_remedy("use the state in which the row was written")
}

pub(super) fn row_settled(row: RowId) -> Error {
    about(row, "row_settled", "the row was settled with another outcome").with_remedy("read the row again")
}

pub(super) fn row_undone(row: RowId) -> Error {
    about(row, "row_undone", "the row was taken back by another row").with_remedy("read the row again")
}

pub(super) fn fence_lost(fence: Fence, newest: Fence) -> Error {
    Error::new(ErrorKind::State, "fence_lost", "another writer of this store has taken the lease since")
        .with_context("fence", fence.0.to_string())
        .with_context("newest", newest.0.to_string())
        .with_remedy("take the lease again, settle what is open, and plan anew")
}

pub(super) fn lease_held(holder: &str, until: Timestamp) -> Error {
    Error::new(ErrorKind::State, "lease_held", "another writer has the lease of this store")
        .with_context("holder", holder)
        .with_context("until", until.to_string())
        .with_remedy("wait until it ends, or let that writer do the work")
        .with_retry(Retry::Later)
}

pub(super) fn tokens_moved(expected: TokenVersion) -> Error {
    Error::new(ErrorKind::State, "tokens_moved", "the slot's tokens were replaced meanwhile")
        .with_context("expected", expected.0.to_string())
        .with_remedy("read the slot again, and use what it holds")
}

pub(super) fn tokens_claimed(until: Timestamp) -> Error {
    Error::new(ErrorKind::State, "tokens_claimed", "another process refreshes the slot's tokens")
        .with_context("until", until.to_string())
        .with_remedy("wait, and read the slot again")
        .with_retry(Retry::Later)
}

fn about(row: RowId, code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::State, code, message).with_context("row", row.to_string())
}
