//! Delivery: a page's records to the sink, with what its certificate needs, and the checkpoint behind it.

use super::Rejected;
use super::pages::ReadPage;
use super::pull::{MAX_NAMED_IDS, Progress, Work, number};
use crate::connector::Joint;
use crate::error::Result;
use crate::mapping::{MappedPage, RejectedRecord, cells};
use crate::model::{ExternalId, Record};
use crate::state::{Op, Unit};

/// The most statuses that are noted: past it they are made up.
const MAX_STATUSES: usize = 20;

impl Work<'_> {
    /// Gives a page to the sink and commits the checkpoint behind it.
    pub(super) async fn deliver(&mut self, read: ReadPage, in_list: bool) -> Result<()> {
        let mut delivered = Vec::new();
        let mut ops = Vec::new();
        let mut joint = read.page.joint;
        // Also of a page without a record.
        self.checkpoint.overlap_broken |= in_list && joint == Joint::Broken;
        for MappedPage { mut records, rejected, dropped_fields, .. } in read.mapped {
            self.checkpoint.dropped_fields += dropped_fields;
            if in_list {
                self.drop_overlap(&mut records, joint);
                // What an answer holds behind its first part joins nothing.
                joint = Joint::NextParent;
            }
            for record in &records {
                let id = &record.reference().id;
                if in_list {
                    self.check_order(id);
                }
                if self.list(id, in_list) {
                    self.measure(record);
                }
                if self.seen.insert(number(id)) {
                    delivered.push(number(id));
                }
                if self.rejected.remove(&number(id)) {
                    // A later version of it could be mapped.
                    self.checkpoint.rejected = self.checkpoint.rejected.saturating_sub(1);
                    self.checkpoint.rejected_ids.retain(|rejected| rejected != id);
                }
                self.checkpoint.watermark = self.checkpoint.watermark.max(record.modified_at());
                self.see(record);
                self.take_print(record);
                if self.pull.keep_base {
                    self.keep_base(record, &mut ops);
                }
            }
            if !records.is_empty() {
                self.sink.write(&records).await?;
                self.checkpoint.delivered += records.len() as u64;
            }
            for rejected in rejected {
                if let Some(id) = &rejected.id {
                    self.list(id, in_list);
                }
                self.reject(rejected, &mut delivered).await?;
            }
            if in_list && let Some(last) = records.pop() {
                self.checkpoint.last_id = Some(last.reference().id.clone());
                self.last = Some(last);
            }
        }
        self.checkpoint.mark = self.sink.mark().await?;
        ops.push(self.checkpoint_op(delivered));
        if self.is_list() {
            ops.extend(self.prints_ops());
        }
        self.pull.state.commit(self.store, Unit::new(ops)).await?;
        (self.progress)(Progress {
            entity: self.pull.entity,
            delivered: self.checkpoint.delivered,
            total: self.checkpoint.totals.1,
        });
        Ok(())
    }

    /// Counts a record of a delta's own list, whatever became of it; whether it is new in it.
    fn list(&mut self, id: &ExternalId, in_list: bool) -> bool {
        in_list && !self.is_list() && self.listed.insert(number(id))
    }

    /// Counts a record that could not be mapped, once however often pages bring it.
    async fn reject(&mut self, rejected: RejectedRecord, delivered: &mut Vec<u64>) -> Result<()> {
        if let Some(id) = &rejected.id {
            self.take_unmapped(id);
            if !self.rejected.insert(number(id)) {
                return Ok(());
            }
            if self.seen.insert(number(id)) {
                delivered.push(number(id));
            }
            if self.checkpoint.rejected_ids.len() < MAX_NAMED_IDS {
                self.checkpoint.rejected_ids.push(id.clone());
            }
        }
        self.checkpoint.rejected += 1;
        let reasons = rejected.issues.iter().map(ToString::to_string).collect();
        self.sink.reject(&Rejected::new(self.pull.entity, rejected.id, reasons)).await
    }

    /// A page begins with the last record of the one before: it is dropped where it is unchanged, and where it
    /// is another one, something slipped between the pages.
    fn drop_overlap(&mut self, records: &mut Vec<Record>, joint: Joint) {
        match joint {
            Joint::SharedRecord if self.capabilities.pages_overlap => {}
            Joint::SharedRecord | Joint::NextParent | Joint::Broken => return,
        }
        let Some(last_id) = &self.checkpoint.last_id else { return };
        match records.iter().position(|record| record.reference().id == *last_id) {
            Some(at) => {
                if self.last.as_ref() == records.get(at) {
                    records.remove(at);
                }
            }
            None => self.checkpoint.overlap_broken = true,
        }
    }

    /// Notes the status of a record: what of a store a credential sees is known by what came.
    fn see(&mut self, record: &Record) {
        let status = match record {
            Record::Product(product) => product.status.value(),
            Record::Variant(variant) => variant.status.value(),
            _ => None,
        };
        let seen = &mut self.checkpoint.statuses;
        if let Some(status) = status
            && seen.len() < MAX_STATUSES
            && !seen.contains(status)
        {
            seen.push(status.clone());
        }
    }

    /// Whether the list comes by ascending id.
    pub(super) fn is_by_id(&self) -> bool {
        self.capabilities.sorted_by_id && (self.is_list() || !self.capabilities.delta_by_time)
    }

    fn check_order(&mut self, id: &ExternalId) {
        if !self.is_by_id() {
            return;
        }
        let Ok(id) = id.as_str().parse::<u64>() else {
            self.checkpoint.order_broken = true;
            return;
        };
        if self.largest.is_some_and(|largest| id < largest) {
            self.checkpoint.order_broken = true;
        }
        self.largest = self.largest.max(Some(id));
    }

    fn keep_base(&self, record: &Record, ops: &mut Vec<Op>) {
        let Some(at) = self.to else { return };
        for field in self.schema.cells() {
            if let Some(token) = record.base().get(field)
                && let Some(value) = cells::value(record, field, None)
            {
                ops.push(Op::KeepBase { token: token.clone(), value, at });
            }
            for (key, token) in record.base().keys(field).unwrap_or_default() {
                if let Some(value) = cells::value(record, field, Some(key)) {
                    ops.push(Op::KeepBase { token: token.clone(), value, at });
                }
            }
        }
    }

    pub(super) fn checkpoint_op(&self, delivered: Vec<u64>) -> Op {
        Op::Checkpoint { checkpoint: Box::new(self.checkpoint.clone()), delivered }
    }
}
