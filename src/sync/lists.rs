//! Rules over the changes that a plan makes to one list: never emptied, never several where one belongs.

use std::collections::BTreeMap;

use super::plan::PlannedChange;
use super::push::Push;
use super::verdict::{ChangeVerdict, Rejection};
use crate::mapping::cells;
use crate::model::{CellValue, FieldName, Record, RecordRef, Reversible};

/// How many entries the lists of a plan's records have.
#[derive(Debug, Default)]
pub(super) struct ListSizes(BTreeMap<(RecordRef, FieldName), usize>);

impl ListSizes {
    pub(super) fn note(&mut self, record: Option<&Record>, change: &PlannedChange) {
        let Some(entries) = record.and_then(|record| cells::entries(record, &change.cell.field)) else {
            return;
        };
        self.0.insert((change.target().clone(), change.cell.field.clone()), entries.len());
    }
}

impl Push {
    /// Refuses to take the last entry out of a list that the platform would fill again by itself.
    pub(super) fn refuse_emptying(&self, sizes: &ListSizes, changes: &mut [PlannedChange]) {
        for ((target, field), size) in &sizes.0 {
            let of_list = |change: &PlannedChange| {
                change.verdict == ChangeVerdict::Apply
                    && change.target() == target
                    && change.cell.field == *field
            };
            let stays_filled = |change: &PlannedChange| {
                self.connector.capabilities().writable(&change.cell).is_none_or(|field| field.can_be_emptied)
            };
            let (mut added, mut removed) = (0, 0);
            for change in changes.iter().filter(|change| of_list(change) && !stays_filled(change)) {
                match (&change.seen, &change.ours) {
                    (CellValue::Absent, _) => added += 1,
                    (_, CellValue::Absent) => removed += 1,
                    _ => {}
                }
            }
            if removed > 0 && size + added <= removed {
                for change in changes.iter_mut().filter(|change| of_list(change)) {
                    if change.ours == CellValue::Absent {
                        change.verdict = ChangeVerdict::Rejected(Rejection::WouldEmptyList);
                    }
                }
            }
        }
    }

    /// Refuses what would leave a list of one entry with several: an entry comes and goes in one edit.
    pub(super) fn refuse_not_one(&self, sizes: &ListSizes, changes: &mut [PlannedChange]) {
        for ((target, field), size) in &sizes.0 {
            let is_meant = |change: &PlannedChange| {
                let writable = self.connector.capabilities().writable(&change.cell);
                change.verdict == ChangeVerdict::Apply
                    && change.target() == target
                    && change.cell.field == *field
                    && writable.is_some_and(|writable| writable.one_entry)
            };
            let (mut added, mut removed) = (0, 0);
            for change in changes.iter().filter(|change| is_meant(change)) {
                match change.ours {
                    CellValue::Absent => removed += 1,
                    _ => added += 1,
                }
            }
            if size + added > removed + 1 {
                for change in changes.iter_mut().filter(|change| is_meant(change)) {
                    change.verdict = ChangeVerdict::Rejected(Rejection::NotOneEntry);
                }
            }
        }
    }

    /// Says of what goes into an empty list that it is not taken out again, where the list cannot be emptied.
    pub(super) fn announce_filling(&self, sizes: &ListSizes, changes: &mut [PlannedChange]) {
        for change in changes {
            let writable = self.connector.capabilities().writable(&change.cell);
            let size = sizes.0.get(&(change.target().clone(), change.cell.field.clone()));
            if size == Some(&0)
                && writable.is_some_and(|writable| !writable.can_be_emptied)
                && change.ours != CellValue::Absent
            {
                change.reversible =
                    Reversible::No("the list is empty now, and is not emptied again".to_owned());
            }
        }
    }
}
