//! The inbox: deliveries, jobs and noted hashes.

use std::num::NonZeroU32;

use rusqlite::{Connection, OptionalExtension, params};

use super::unit::Writer;
use super::{file, holder_key, json, parse, unreadable};
use crate::error::Result;
use crate::model::RecordRef;
use crate::state::{DeliveryDigest, Hint, Job, JobPlace, JobVersion, NotedHash};
use crate::time::Timestamp;

pub(super) fn seen(connection: &Connection, store: i64, delivery: &DeliveryDigest) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM deliveries WHERE store = ?1 AND digest = ?2")
        .and_then(|mut found| found.exists(params![store, delivery.as_bytes()]))
        .map_err(file::failed)
}

pub(super) fn jobs(
    connection: &Connection,
    store: i64,
    after: Option<JobPlace>,
    most: NonZeroU32,
) -> Result<Vec<Job>> {
    let after = after.map_or(-1, |place| i64::try_from(place.0).unwrap_or(i64::MAX));
    let mut select = connection
        .prepare_cached("SELECT body FROM jobs WHERE store = ?1 AND place > ?2 ORDER BY place LIMIT ?3")
        .map_err(file::failed)?;
    let found = select.query_map(params![store, after, most.get()], super::text).map_err(file::failed)?;
    found.map(|body| parse(&body.map_err(file::failed)?, "job")).collect()
}

pub(super) fn noted_hash(
    connection: &Connection,
    store: i64,
    record: &RecordRef,
) -> Result<Option<NotedHash>> {
    let found: Option<(String, String)> = connection
        .prepare_cached("SELECT hash, began FROM noted_hashes WHERE store = ?1 AND record = ?2")
        .and_then(|mut found| {
            found
                .query_row(params![store, holder_key(record)], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(file::failed)?;
    let Some((hash, began)) = found else { return Ok(None) };
    let unreadable = |_| unreadable("noted hash");
    Ok(Some(NotedHash::new(hash.parse().map_err(unreadable)?, began.parse().map_err(unreadable)?)))
}

impl Writer<'_> {
    pub(super) fn receive(&self, delivery: &DeliveryDigest, hint: &Hint, at: Timestamp) -> Result<()> {
        let added = self.execute(
            "INSERT INTO deliveries (store, digest, at_millis) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![self.store, delivery.as_bytes(), at.unix_millis()],
        )?;
        if added == 0 {
            return Ok(());
        }
        let number =
            u64::try_from(self.transaction.last_insert_rowid()).map_err(|_| unreadable("delivery"))?;
        let job = match self.job(&hint.record)? {
            Some(mut job) => {
                job.fold(hint, at, number);
                job
            }
            None => Job::begin(hint, at, number),
        };
        self.put_job(&job)
    }

    pub(super) fn job_done(&self, record: &RecordRef, version: JobVersion) -> Result<()> {
        let Some(mut job) = self.job(record)? else { return Ok(()) };
        if job.version == version {
            self.execute(
                "DELETE FROM jobs WHERE store = ?1 AND record = ?2",
                params![self.store, holder_key(record)],
            )?;
            return Ok(());
        }
        job.again();
        self.put_job(&job)
    }

    pub(super) fn trim_deliveries(&self, before: Timestamp, keep: u32) -> Result<()> {
        self.execute(
            "DELETE FROM deliveries WHERE store = ?1 AND at_millis < ?2",
            params![self.store, before.unix_millis()],
        )?;
        self.execute(
            "DELETE FROM deliveries WHERE store = ?1 AND seq <= (SELECT seq FROM deliveries
             WHERE store = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            params![self.store, keep],
        )?;
        Ok(())
    }

    pub(super) fn note_hash(&self, record: &RecordRef, noted: &NotedHash) -> Result<()> {
        self.execute(
            "INSERT INTO noted_hashes (store, record, hash, began, began_millis) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET hash = ?3, began = ?4, began_millis = ?5",
            params![
                self.store,
                holder_key(record),
                noted.hash.to_string(),
                noted.began.to_string(),
                noted.began.unix_millis(),
            ],
        )?;
        Ok(())
    }

    pub(super) fn forget_hash(&self, record: &RecordRef) -> Result<()> {
        self.execute(
            "DELETE FROM noted_hashes WHERE store = ?1 AND record = ?2",
            params![self.store, holder_key(record)],
        )?;
        Ok(())
    }

    pub(super) fn drop_hashes_before(&self, time: Timestamp) -> Result<()> {
        self.execute(
            "DELETE FROM noted_hashes WHERE store = ?1 AND began_millis < ?2",
            params![self.store, time.unix_millis()],
        )?;
        Ok(())
    }

    fn job(&self, record: &RecordRef) -> Result<Option<Job>> {
        self.transaction
            .prepare_cached("SELECT body FROM jobs WHERE store = ?1 AND record = ?2")
            .and_then(|mut found| {
                found.query_row(params![self.store, holder_key(record)], super::text).optional()
            })
            .map_err(file::failed)?
            .map(|body| parse(&body, "job"))
            .transpose()
    }

    fn put_job(&self, job: &Job) -> Result<()> {
        let place = i64::try_from(job.place.0).map_err(|_| unreadable("job"))?;
        self.execute(
            "INSERT INTO jobs (store, record, place, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET place = ?3, body = ?4",
            params![self.store, holder_key(&job.record), place, json(job)?],
        )?;
        Ok(())
    }
}
