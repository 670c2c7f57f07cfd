//! Enrichments to a plan: read, merge, validate; no write is sent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::plan::{Plan, PlanPurpose, PlannedChange, hex};
use super::push::Push;
use super::verdict::{CellFacts, ChangeVerdict, Conflict, Rejection, latest, verdict};
use crate::connector::Purpose;
use crate::error::Result;
use crate::mapping::{HtmlVerdict, fields, sanitise_html};
use crate::model::{
    BaseToken, Cell, CellValue, Enrichment, EnrichmentId, Expectation, FieldChange, FieldName, Normaliser,
    Record, RecordRef, Reversible, Text, WritableField,
};
use crate::state::WriteRow;
use crate::time::Timestamp;

/// The most ids that are read in one request.
const READ_AT_ONCE: usize = 100;
/// The change of an enrichment that has none.
static NOTHING: FieldChange =
    FieldChange { value: None, edit: None, expect: Expectation::Base, base: None, base_keys: None };

/// A change before its verdict: a cell, and what an enrichment wants there.
struct Wish<'e> {
    cell: Cell,
    enrichment: &'e Enrichment,
    change: &'e FieldChange,
    ours: Result<CellValue, Rejection>,
    base: Option<Cow<'e, BaseToken>>,
    notes: Vec<String>,
}

impl Push {
    /// Plans what the enrichments would write: reads by id, merges, validates. Nothing is written to the store.
    ///
    /// # Errors
    /// What the connector says of the reads, and `State`. A change that cannot be made is no error: the plan
    /// says why.
    pub async fn plan(&self, enrichments: &[Enrichment]) -> Result<Plan> {
        self.settle().await?;
        let now = self.now();
        let mut changes = Vec::new();
        let mut wished: BTreeMap<Cell, CellValue> = BTreeMap::new();
        let mut contradicted: Vec<Cell> = Vec::new();
        for some in enrichments.chunks(READ_AT_ONCE) {
            let mut targets: Vec<RecordRef> =
                some.iter().map(|enrichment| enrichment.target.clone()).collect();
            targets.retain(|target| self.holds(target));
            targets.sort();
            targets.dedup();
            let records = self.read(&targets, Purpose::Guard).await?;
            for enrichment in some {
                let record = records.get(&enrichment.target);
                let gone = records.gone.contains(&enrichment.target);
                let rows = self.rows(&enrichment.target).await?;
                for wish in self.wishes(enrichment) {
                    if let Ok(ours) = &wish.ours {
                        match wished.get(&wish.cell) {
                            Some(other) if other.same(ours, self.normaliser(&wish.cell)?) => continue,
                            Some(_) => contradicted.push(wish.cell.clone()),
                            None => drop(wished.insert(wish.cell.clone(), ours.clone())),
                        }
                    }
                    changes.push(self.change(wish, record, gone, &rows, now).await?);
                }
            }
        }
        for (number, change) in (0..).zip(&mut changes) {
            change.number = number;
            if contradicted.contains(&change.cell) {
                change.verdict = ChangeVerdict::Rejected(Rejection::Contradiction);
            }
        }
        let expires_at = now.saturating_add(self.settings.plan_expiry);
        Ok(Plan::new(self.store().clone(), PlanPurpose::Push, now, expires_at, changes))
    }

    fn holds(&self, target: &RecordRef) -> bool {
        target.platform == self.store().platform
            && self.connector.capabilities().entity(target.kind).is_some_and(|entity| entity.by_ids)
    }

    /// Takes an enrichment apart into cells.
    fn wishes<'e>(&self, enrichment: &'e Enrichment) -> Vec<Wish<'e>> {
        let writable = self.connector.capabilities().entity(enrichment.target.kind);
        let profile = &self.connector.info().profile;
        // What an enrichment leaves open is the store's own: one cell has one name in the log.
        let cell = |field: FieldName| Cell {
            locale: profile.locale.clone(),
            scope: profile.scope.clone(),
            ..Cell::new(enrichment.target.clone(), field)
        };
        let is_foreign = |theirs: &Option<Text>, own: &Option<Text>| theirs.is_some() && theirs != own;
        let foreign =
            is_foreign(&enrichment.locale, &profile.locale) || is_foreign(&enrichment.scope, &profile.scope);
        let mut wishes = Vec::new();
        if enrichment.fields.is_empty() {
            wishes.push(Wish {
                cell: cell(FieldName::new("*")),
                enrichment,
                change: &NOTHING,
                ours: Err(Rejection::WrongKind),
                base: None,
                notes: Vec::new(),
            });
        }
        for (field, change) in &enrichment.fields {
            let cell = cell(field.clone());
            let mut notes = Vec::new();
            let mut wish = |cell: Cell, ours, base, notes| {
                wishes.push(Wish { cell, enrichment, change, ours, base, notes });
            };
            let base = change.base.as_ref().map(Cow::Borrowed);
            let Some(writable) =
                writable.and_then(|entity| entity.writable(field)).filter(|_| self.holds(&enrichment.target))
            else {
                let why = if self.holds(&enrichment.target) {
                    Rejection::NotWritable
                } else {
                    Rejection::ForeignRecord
                };
                wish(cell, Err(why), base, notes);
                continue;
            };
            if foreign {
                wish(cell, Err(Rejection::ForeignLocale), base, notes);
                continue;
            }
            match (writable.list, &change.value, &change.edit) {
                (None, Some(Value::String(text)), None) => {
                    let ours = prepare(writable, text, &mut notes);
                    wish(cell, ours, base, notes);
                }
                (Some(_), None, Some(edit)) if !(edit.add.is_empty() && edit.remove.is_empty()) => {
                    let wanted = edit
                        .add
                        .iter()
                        .map(|name| (name, true))
                        .chain(edit.remove.iter().map(|name| (name, false)));
                    for (name, add) in wanted {
                        let key = Normaliser::Folded1.apply(name).into_owned();
                        let base = base_of_key(change, &key);
                        let ours = prepare(writable, name, &mut Vec::new())
                            .map(|ours| if add { ours } else { CellValue::Absent });
                        wish(cell.clone().with_key(key), ours, base, Vec::new());
                    }
                }
                _ => wish(cell, Err(Rejection::WrongKind), base, notes),
            }
        }
        wishes
    }

    async fn change(
        &self,
        wish: Wish<'_>,
        record: Option<&Record>,
        gone: bool,
        rows: &[WriteRow],
        now: Timestamp,
    ) -> Result<PlannedChange> {
        let rows: Vec<WriteRow> = rows.iter().filter(|row| row.cell == wish.cell).cloned().collect();
        let enrichment_id = id_of(wish.enrichment);
        let seen = record.and_then(|record| read_cell(record, &wish.cell));
        let verdict = match (&wish.ours, record, &seen) {
            (Err(rejection), _, _) => ChangeVerdict::Rejected(rejection.clone()),
            _ if wish.enrichment.made_at > now => ChangeVerdict::Rejected(Rejection::MadeInFuture),
            (Ok(_), None, _) if gone => ChangeVerdict::Conflict(Conflict::Gone),
            (Ok(_), None, _) => ChangeVerdict::Rejected(Rejection::Unreadable),
            (Ok(_), Some(record), _) if is_ambiguous(record, &wish.cell) => {
                ChangeVerdict::Conflict(Conflict::AmbiguousKey)
            }
            (Ok(_), Some(_), None) => ChangeVerdict::Rejected(Rejection::Unreadable),
            (Ok(ours), Some(record), Some(theirs)) => {
                let sources: Vec<(BaseToken, CellValue)> = wish
                    .enrichment
                    .from
                    .iter()
                    .map(|(field, token)| {
                        let now = fields::cell_value(record, field, None).unwrap_or(CellValue::Absent);
                        (token.clone(), now)
                    })
                    .collect();
                verdict(&CellFacts {
                    theirs,
                    ours,
                    normaliser: self.normaliser(&wish.cell)?,
                    expect: wish.change.expect,
                    base: wish.base.as_deref(),
                    made_at: wish.enrichment.made_at,
                    enrichment: &enrichment_id,
                    rows: &rows,
                    sources: &sources,
                })
            }
        };
        let was = match &wish.base {
            Some(base) => self.state.base_value(self.store(), base).await?,
            None => None,
        };
        let seen = seen.unwrap_or(CellValue::Absent);
        Ok(PlannedChange {
            number: 0,
            reversible: self.reversible(&wish.cell, &seen),
            seen_raw: record.and_then(|record| raw_of(record, &wish.cell)),
            cell: wish.cell,
            verdict,
            enrichment: Some(enrichment_id),
            was,
            seen,
            ours: wish.ours.unwrap_or(CellValue::Absent),
            ours_raw: None,
            latest: latest(&rows).map(|row| row.id),
            undoes: None,
            notes: wish.notes,
            cost: 1,
        })
    }

    /// How the values of a cell are compared.
    pub(super) fn normaliser(&self, cell: &Cell) -> Result<Normaliser> {
        let declared = self
            .connector
            .capabilities()
            .entity(cell.holder.kind)
            .and_then(|entity| entity.writable(&cell.field));
        match declared {
            Some(writable) => Ok(writable.normaliser),
            None => Ok(self.schema(cell.holder.kind)?.normaliser(&cell.field).unwrap_or(Normaliser::Exact1)),
        }
    }

    /// Whether what is in a cell now can be written again later.
    pub(super) fn reversible(&self, cell: &Cell, seen: &CellValue) -> Reversible {
        let writable = self
            .connector
            .capabilities()
            .entity(cell.holder.kind)
            .and_then(|entity| entity.writable(&cell.field));
        let Some(writable) = writable else {
            return Reversible::No("the field cannot be written".to_owned());
        };
        match seen {
            CellValue::Absent if writable.list.is_some() => Reversible::Yes,
            CellValue::Empty if !writable.empty => {
                Reversible::No("the field is empty now, and cannot be emptied again".to_owned())
            }
            CellValue::Absent | CellValue::Inherited(_) => Reversible::No(
                "the field has no value of its own now, and cannot be without one again".to_owned(),
            ),
            CellValue::Value(Value::String(html)) if writable.html => match sanitise_html(html) {
                Ok(HtmlVerdict::Clean) => Reversible::Yes,
                Ok(HtmlVerdict::Cleaned(_)) | Err(_) => Reversible::Partly(
                    "the HTML there now is sent back as it is, but the store may filter it for this key"
                        .to_owned(),
                ),
            },
            CellValue::Value(_) | CellValue::Empty => Reversible::Yes,
        }
    }
}

/// The enrichment's id, or the hash of its content.
fn id_of(enrichment: &Enrichment) -> EnrichmentId {
    enrichment.id.clone().unwrap_or_else(|| {
        let json = serde_json::to_vec(enrichment).unwrap_or_default();
        EnrichmentId(hex(&Sha256::digest(&json)).into())
    })
}

/// The token of a list's key: that of an absent value, where the list was read and has no such key.
fn base_of_key<'e>(change: &'e FieldChange, key: &str) -> Option<Cow<'e, BaseToken>> {
    let keys = change.base_keys.as_ref()?;
    Some(match keys.get(key) {
        Some(token) => Cow::Borrowed(token),
        None => Cow::Owned(CellValue::Absent.token(Normaliser::Folded1)),
    })
}

/// What a record holds in a cell; `None` where that was not read whole.
pub(super) fn read_cell(record: &Record, cell: &Cell) -> Option<CellValue> {
    fields::cell_value(record, &cell.field, cell.key.as_ref().map(Text::as_str))
}

/// The platform's spelling of what a record holds in a cell, where the value alone does not lead back to it.
pub(super) fn raw_of(record: &Record, cell: &Cell) -> Option<Text> {
    let Some(key) = &cell.key else { return record.raw_spelling(&cell.field).cloned() };
    let mut terms = fields::terms(record, &cell.field)?.iter();
    terms.find(|term| Normaliser::Folded1.apply(&term.name) == key.as_str())?.raw_name.clone()
}

/// Whether a list holds the cell's key twice.
pub(super) fn is_ambiguous(record: &Record, cell: &Cell) -> bool {
    let (Some(key), Some(terms)) = (&cell.key, fields::terms(record, &cell.field)) else { return false };
    terms.iter().filter(|term| Normaliser::Folded1.apply(&term.name) == key.as_str()).count() > 1
}

/// Bounds, control characters, HTML: what may leave, or why nothing does.
fn prepare(writable: &WritableField, text: &str, notes: &mut Vec<String>) -> Result<CellValue, Rejection> {
    if text.len() > writable.max_bytes {
        return Err(Rejection::TooLong { max_bytes: writable.max_bytes });
    }
    let allowed = |c: char| writable.html && matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(Rejection::ControlCharacters);
    }
    let text = if writable.html {
        match sanitise_html(text) {
            Ok(HtmlVerdict::Clean) => Cow::Borrowed(text),
            Ok(HtmlVerdict::Cleaned(clean)) => {
                notes.push("the HTML was cleaned: what is shown is what would be sent".to_owned());
                Cow::Owned(clean)
            }
            Err(_) => return Err(Rejection::HtmlUnsupported),
        }
    } else {
        Cow::Borrowed(text.trim())
    };
    if text.is_empty() && !writable.empty {
        return Err(Rejection::Empty);
    }
    Ok(CellValue::text(&text))
}
