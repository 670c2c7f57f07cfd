//! What is written in one transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::tokens::Sealing;
use super::{Parts, begin, file, holder_key, json, parse, refuse, store_id, unreadable};
use crate::error::Result;
use crate::model::StoreKey;
use crate::state::{Fence, Op, Outcome, RowId, RowKind, Unit, WriteRow};
use crate::time::Timestamp;

/// Does the unit's operations, or none: a transaction that is not committed is rolled back when dropped.
pub(super) fn commit(
    connection: &mut Connection,
    sealing: &Sealing,
    key: &StoreKey,
    unit: &Unit,
) -> Result<()> {
    let transaction = begin(connection)?;
    let store = make_store(&transaction, key)?;
    if let Some(fence) = unit.fence {
        let newest = read_lease(&transaction, store)?.map_or(Fence(0), |lease| lease.fence);
        if fence.0 == 0 || fence != newest {
            return Err(refuse::fence_lost(fence, newest));
        }
    }
    let unit_of = Writer { transaction: &transaction, store, key, sealing };
    for op in &unit.ops {
        unit_of.apply(op)?;
    }
    transaction.commit().map_err(file::failed)
}

/// Takes or renews the lease.
pub(super) fn lease(
    connection: &mut Connection,
    store: &StoreKey,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Fence> {
    let transaction = begin(connection)?;
    let store = make_store(&transaction, store)?;
    let known = read_lease(&transaction, store)?;
    let newest = known.as_ref().map_or(0, |lease| lease.fence.0);
    let (fence, until) = match known.and_then(|lease| lease.held) {
        Some((held_by, held_until)) if held_until > now => {
            if held_by != holder {
                return Err(refuse::lease_held(&held_by, held_until));
            }
            (newest, until.max(held_until))
        }
        Some(_) | None => (newest + 1, until),
    };
    transaction
        .prepare_cached(
            "INSERT INTO leases (store, fence, holder, until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET fence = ?2, holder = ?3, until = ?4",
        )
        .and_then(|mut insert| insert.execute(params![store, signed(fence)?, holder, until.to_string()]))
        .map_err(file::failed)?;
    transaction.commit().map_err(file::failed)?;
    Ok(Fence(fence))
}

struct Lease {
    fence: Fence,
    held: Option<(String, Timestamp)>,
}

fn read_lease(transaction: &Transaction<'_>, store: i64) -> Result<Option<Lease>> {
    let found: Option<(i64, Option<String>, Option<String>)> = transaction
        .prepare_cached("SELECT fence, holder, until FROM leases WHERE store = ?1")
        .and_then(|mut select| {
            select.query_row([store], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .map_err(file::failed)?;
    let Some((fence, holder, until)) = found else { return Ok(None) };
    let fence = Fence(u64::try_from(fence).map_err(|_| unreadable("fence"))?);
    let until: Option<Timestamp> =
        until.map(|until| until.parse().map_err(|_| unreadable("lease"))).transpose()?;
    Ok(Some(Lease { fence, held: holder.zip(until) }))
}

fn make_store(transaction: &Transaction<'_>, store: &StoreKey) -> Result<i64> {
    if let Some(id) = store_id(transaction, store)? {
        return Ok(id);
    }
    transaction
        .execute(
            "INSERT INTO stores (tenant, platform, account) VALUES (?1, ?2, ?3)",
            params![store.tenant.as_str(), store.platform.as_str(), store.account.as_str()],
        )
        .map_err(file::failed)?;
    Ok(transaction.last_insert_rowid())
}

pub(super) struct Writer<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) store: i64,
    pub(super) key: &'a StoreKey,
    pub(super) sealing: &'a Sealing,
}

impl Writer<'_> {
    fn apply(&self, op: &Op) -> Result<()> {
        let store = self.store;
        match op {
            Op::Checkpoint { checkpoint, delivered } => {
                let run = checkpoint.run.0.as_str();
                self.execute(
                    "INSERT INTO checkpoints (store, run, checkpoint) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET checkpoint = ?3",
                    params![store, run, json(checkpoint)?],
                )?;
                if !delivered.is_empty() {
                    let ids: Vec<u8> = delivered.iter().flat_map(|id| id.to_le_bytes()).collect();
                    self.execute(
                        "INSERT INTO delivered (store, run, ids) VALUES (?1, ?2, ?3)",
                        params![store, run, ids],
                    )?;
                }
            }
            Op::ForgetRun(run) => {
                let run = run.0.as_str();
                self.execute("DELETE FROM checkpoints WHERE store = ?1 AND run = ?2", params![store, run])?;
                self.execute("DELETE FROM delivered WHERE store = ?1 AND run = ?2", params![store, run])?;
            }
            Op::Append(row) => self.append(row)?,
            Op::Settle { row, outcome } => self.settle(*row, outcome)?,
            Op::MarkUndone { row, by } => self.mark_undone(*row, *by)?,
            Op::NoteWriteJob(job) => {
                self.execute(
                    "INSERT INTO write_jobs (store, tag, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (store, tag) DO UPDATE SET body = ?3",
                    params![store, job.tag.as_str(), json(job)?],
                )?;
            }
            Op::EndWriteJob { tag } => {
                self.execute(
                    "DELETE FROM write_jobs WHERE store = ?1 AND tag = ?2",
                    params![store, tag.as_str()],
                )?;
            }
            Op::KeepBase { token, value, at } => {
                self.execute(
                    "INSERT INTO bases (store, token, value, at_millis) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET value = ?3, at_millis = max(at_millis, ?4)",
                    params![store, token.to_string(), json(value)?, at.unix_millis()],
                )?;
            }
            Op::DropBasesBefore(time) => {
                self.execute(
                    "DELETE FROM bases WHERE store = ?1 AND at_millis < ?2",
                    params![store, time.unix_millis()],
                )?;
            }
            Op::Receive { delivery, hint, at } => self.receive(delivery, hint, *at)?,
            Op::JobDone { record, version } => self.job_done(record, *version)?,
            Op::TrimDeliveries { before, keep } => self.trim_deliveries(*before, *keep)?,
            Op::NoteHash { record, noted } => self.note_hash(record, noted)?,
            Op::ForgetHash { record } => self.forget_hash(record)?,
            Op::DropHashesBefore(time) => self.drop_hashes_before(*time)?,
            Op::ReplaceTokens { slot, expected, record } => self.replace_tokens(slot, *expected, record)?,
            Op::ForgetTokens { slot } => self.forget_tokens(slot.as_deref())?,
            Op::ClaimTokens { slot, claim } => self.claim_tokens(slot, claim)?,
            Op::UnclaimTokens { slot, holder } => self.unclaim_tokens(slot, holder)?,
        }
        Ok(())
    }

    fn append(&self, row: &WriteRow) -> Result<()> {
        let parts = Parts::split(row)?;
        let kind = match row.kind {
            RowKind::Push => "push",
            RowKind::Undo(_) => "undo",
            RowKind::Release => "release",
        };
        let added = self.execute(
            "INSERT INTO write_log (store, id, push, kind, holder, cell, state, outcome, undone_by, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
            params![
                self.store,
                parts.id,
                parts.push,
                kind,
                holder_key(&row.cell.holder),
                row.cell.to_key(),
                state(&row.outcome),
                parts.outcome,
                parts.undone_by,
                parts.body,
            ],
        )?;
        if added == 0 { Err(refuse::row_exists(row.id)) } else { Ok(()) }
    }

    fn settle(&self, row: RowId, outcome: &Outcome) -> Result<()> {
        let known: String = self.column("SELECT outcome FROM write_log WHERE store = ?1 AND id = ?2", row)?;
        let known: Outcome = parse(&known, "outcome of a row")?;
        if known == *outcome {
            return Ok(());
        }
        if !known.is_unsettled() {
            return Err(refuse::row_settled(row));
        }
        self.execute(
            "UPDATE write_log SET state = ?3, outcome = ?4 WHERE store = ?1 AND id = ?2",
            params![self.store, row.to_string(), state(outcome), json(outcome)?],
        )?;
        Ok(())
    }

    fn mark_undone(&self, row: RowId, by: RowId) -> Result<()> {
        let by = by.to_string();
        let marked: Option<String> =
            self.column("SELECT undone_by FROM write_log WHERE store = ?1 AND id = ?2", row)?;
        if marked.is_some_and(|marked| marked != by) {
            return Err(refuse::row_undone(row));
        }
        self.execute(
            "UPDATE write_log SET undone_by = ?3 WHERE store = ?1 AND id = ?2",
            params![self.store, row.to_string(), by],
        )?;
        Ok(())
    }

    /// The one column of a row that must be there.
    fn column<T: rusqlite::types::FromSql>(&self, sql: &str, row: RowId) -> Result<T> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut select| {
                select.query_row(params![self.store, row.to_string()], |found| found.get(0)).optional()
            })
            .map_err(file::failed)?
            .ok_or_else(|| refuse::row_unknown(row))
    }

    pub(super) fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(file::failed)
    }
}

/// The word by which open rows are found.
fn state(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Intent => "intent",
        Outcome::Unknown { .. } => "unknown",
        Outcome::Landed { .. } => "landed",
        Outcome::Refused { .. } => "refused",
        Outcome::NotLanded { .. } => "not_landed",
    }
}

fn signed(fence: u64) -> rusqlite::Result<i64> {
    i64::try_from(fence).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
