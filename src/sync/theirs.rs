//! What a record holds in a cell.

use crate::mapping::cells::{self, Entry};
use crate::model::{Cell, CellValue, Entity, ExternalId, Record, Text};

/// The key of the list entry that the cell is: of a cell that several records show, its holder's id.
fn key(cell: &Cell) -> Option<&str> {
    match (&cell.key, cell.holder.kind) {
        (Some(key), _) => Some(key.as_str()),
        (None, Entity::Media) => Some(cell.holder.id.as_str()),
        (None, _) => None,
    }
}

/// Whether the cell belongs to something that several records show.
pub(super) fn is_shared(cell: &Cell) -> bool {
    cell.holder.kind == Entity::Media
}

/// What a record holds in a cell; `None` where that was not read whole, or is not the record's to show.
pub(super) fn read_cell(record: &Record, cell: &Cell) -> Option<CellValue> {
    cells::value(record, &cell.field, key(cell))
}

/// Whether the record's list was read whole and does not have the cell's entry, which nobody can make.
pub(super) fn lacks_entry(record: &Record, cell: &Cell) -> bool {
    cells::is_fixed(record, &cell.field)
        && cells::entries(record, &cell.field).is_some()
        && entry(record, cell).is_none()
}

/// The list entry of a cell.
pub(super) fn entry(record: &Record, cell: &Cell) -> Option<Entry> {
    let key = key(cell)?;
    cells::entries(record, &cell.field)?.into_iter().find(|entry| entry.key == key)
}

/// The platform's spelling of what a record holds in a cell, where the value alone does not lead back to it.
pub(super) fn raw_of(record: &Record, cell: &Cell) -> Option<Text> {
    match key(cell) {
        Some(_) => entry(record, cell)?.raw,
        None => record.raw_spelling(&cell.field).cloned(),
    }
}

/// The platform's id of what a list's key names.
pub(super) fn id_of(record: &Record, cell: &Cell) -> Option<ExternalId> {
    entry(record, cell)?.id
}

/// Whether a list holds the cell's key twice.
pub(super) fn is_ambiguous(record: &Record, cell: &Cell) -> bool {
    let (Some(key), Some(entries)) = (key(cell), cells::entries(record, &cell.field)) else { return false };
    entries.iter().filter(|entry| entry.key == key).count() > 1
}
