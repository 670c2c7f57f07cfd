//! Rows of the write log to patches: what is sent to a record, and what must not leave it empty.

use super::apply::{Guarded, Sent};
use super::plan::PlannedChange;
use super::push::Push;
use super::rebuild::rebuild;
use crate::connector::{Known, LookUp, Patch, PatchField, PatchValue};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{HtmlVerdict, cells, sanitise_html};
use crate::model::{CellValue, NameSource, Record, RecordRef, Text};

impl Push {
    /// Refuses what would leave a list without an entry that is certainly there, where the platform fills it
    /// again by itself. The plan has asked, and names may have gone since.
    pub(super) async fn stays_filled(&self, guarded: &Guarded<'_>) -> Result<()> {
        for Sent { change: asked, .. } in &guarded.sent {
            let field = &asked.cell.field;
            let writable = self.connector.capabilities().writable(&asked.cell);
            let removes = asked.ours == CellValue::Absent;
            if !removes || writable.is_none_or(|writable| writable.can_be_emptied) {
                continue;
            }
            let of_field = || {
                let changes = guarded.sent.iter().map(|sent| sent.change);
                changes.filter(|change| change.cell.field == *field)
            };
            let keeps = cells::entries(&guarded.guard, field).unwrap_or_default().iter().any(|entry| {
                !of_field().any(|change| {
                    change.ours == CellValue::Absent && change.cell.key.as_ref() == Some(&entry.key)
                })
            });
            if keeps {
                continue;
            }
            let added: Vec<&PlannedChange> =
                of_field().filter(|change| change.ours != CellValue::Absent).collect();
            // A name that the platform makes is there with the write.
            if !added.is_empty() && writable.is_some_and(|writable| writable.names == NameSource::Made) {
                continue;
            }
            let names: Vec<Text> =
                added.iter().filter_map(|change| change.ours.as_text()).map(Text::from).collect();
            let is_empty = names.is_empty();
            let known = self.known(&LookUp::Names { field: field.clone(), names }, is_empty).await?;
            let is_there = |(change, known): (&&PlannedChange, &Known)| match known {
                Known::One { id, .. } => change.ours_id.as_ref() == Some(id),
                Known::No | Known::Several => false,
            };
            if !added.iter().zip(&known).any(is_there) {
                return Err(Error::new(
                    ErrorKind::Rejected,
                    "would_empty_list",
                    format!("the list {field} would be left empty, and the platform would fill it again"),
                )
                .with_remedy("plan again: what was to stay or to come is gone"));
            }
        }
        Ok(())
    }

    /// What is sent to a record: fields of one value as they are, lists rebuilt from the guard read.
    pub(super) fn patch(&self, guarded: &Guarded<'_>) -> Result<Patch> {
        let changes: Vec<&PlannedChange> = guarded.sent.iter().map(|sent| sent.change).collect();
        let mut patch: Vec<PatchField> = Vec::new();
        for change in &changes {
            let field = &change.cell.field;
            if patch.iter().any(|known| known.field == *field) {
                continue;
            }
            let is_list = self
                .connector
                .capabilities()
                .writable(&change.cell)
                .is_some_and(|writable| writable.list.is_some());
            let value = match &change.ours {
                _ if is_list => rebuild(&guarded.guard, field, &changes)?,
                CellValue::Absent => PatchValue::Removed,
                ours => PatchValue::Text {
                    text: ours.as_text().unwrap_or_default().into(),
                    raw: change.ours_raw.clone(),
                },
            };
            let before = if is_list { rebuild(&guarded.guard, field, &[])?.into() } else { None };
            let version = guarded.guard.version(field).cloned();
            patch.push(
                PatchField::new(field.clone(), value, change.seen.clone()).version(version).before(before),
            );
        }
        self.add_rewritten(&guarded.target, &guarded.guard, &mut patch)?;
        Ok(Patch::of(&guarded.guard, patch))
    }

    /// Adds the texts that the platform stores anew beside a written one, as the guard read found them.
    fn add_rewritten(&self, target: &RecordRef, guard: &Record, patch: &mut Vec<PatchField>) -> Result<()> {
        let Some(entity) = self.connector.capabilities().entity(target.kind) else { return Ok(()) };
        let group = &entity.rewritten_together;
        if !patch.iter().any(|sent| group.contains(&sent.field)) {
            return Ok(());
        }
        for field in group {
            if patch.iter().any(|sent| sent.field == *field) {
                continue;
            }
            let Some(seen) = cells::value(guard, field, None) else { continue };
            let Some(text) = seen.as_text().filter(|text| text.contains('\\')) else { continue };
            let is_html = entity.writable(field).is_some_and(|writable| writable.html);
            if is_html && !matches!(sanitise_html(text), Ok(HtmlVerdict::Clean)) {
                // Sent along, the store may filter it; left out, the store takes its backslashes off.
                return Err(Error::new(
                    ErrorKind::Rejected,
                    "sibling_unsendable",
                    format!("the record's {field} has backslashes and HTML that the store may filter"),
                )
                .with_remedy("take the backslashes, or the scripts and styles, out of it in the store"));
            }
            let value = PatchValue::Text { text: text.into(), raw: guard.raw_spelling(field).cloned() };
            patch.push(PatchField::new(field.clone(), value, seen.clone()));
        }
        Ok(())
    }
}
