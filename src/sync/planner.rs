//! Enrichments to a plan: read, merge, validate; no write is sent.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::lists::ListSizes;
use super::names::Names;
use super::plan::{Plan, PlanPurpose, PlannedChange, hex};
use super::prepare::{prepare, prepare_value};
use super::push::{Found, Push};
use super::theirs::{entry, is_ambiguous, is_shared, lacks_entry, raw_of, read_cell};
use super::verdict::{CellFacts, ChangeVerdict, Conflict, Rejection, latest, verdict};
use crate::connector::{Connector, Purpose};
use crate::error::{ErrorKind, Result};
use crate::mapping::{HtmlVerdict, cells, sanitise_html};
use crate::model::{
    Attribute, BaseToken, Cell, CellValue, Enrichment, EnrichmentId, Expectation, ExternalId, FieldChange,
    FieldName, ListKind, NameSource, Normaliser, Record, RecordRef, Reversible, Text, Unavailable,
};
use crate::state::RowQuery;
use crate::time::Timestamp;

/// The most ids that are read in one request.
pub(super) const READ_AT_ONCE: usize = 100;
/// The change of an enrichment that has none.
static NOTHING: FieldChange =
    FieldChange { value: None, edit: None, expect: Expectation::Base, base: None, base_keys: None };

/// A change before its verdict: a cell, and what an enrichment wants there.
struct Wish<'e> {
    cell: Cell,
    enrichment: &'e Enrichment,
    change: &'e FieldChange,
    ours: Result<CellValue, Rejection>,
    /// The key as the enrichment spells it.
    label: Option<&'e Text>,
    base: Option<Cow<'e, BaseToken>>,
    notes: Vec<String>,
}

/// What is there for a record when it is planned for.
struct Seen<'a> {
    record: Option<&'a Record>,
    gone: bool,
    /// What translations were made from, in the store's own language.
    sources: &'a Found,
    names: &'a Names,
    now: Timestamp,
}

impl Push {
    /// Plans what the enrichments would write: reads by id, merges, validates. Nothing is written to the store.
    ///
    /// # Errors
    /// What the connector says of the reads, and `State`. A change that cannot be made is no error: the plan
    /// says why.
    pub async fn plan(&self, enrichments: &[Enrichment]) -> Result<Plan> {
        self.must_be_writable()?;
        self.settle().await?;
        let now = self.now();
        let names = self.look_up_names(enrichments).await?;
        let mut changes = Vec::new();
        let mut sizes = ListSizes::default();
        let mut wished: BTreeMap<Cell, CellValue> = BTreeMap::new();
        let mut contradicted: Vec<Cell> = Vec::new();
        for some in enrichments.chunks(READ_AT_ONCE) {
            let mut targets: Vec<RecordRef> =
                some.iter().map(|enrichment| enrichment.target.clone()).collect();
            targets.retain(|target| self.holds(target));
            targets.sort();
            targets.dedup();
            let records = self.read(&targets, Purpose::Guard).await?;
            let sources = self.sources(some).await?;
            for enrichment in some {
                let record = records.get(&enrichment.target);
                let gone = records.gone.contains(&enrichment.target);
                for wish in self.wishes(enrichment) {
                    let mut twice = false;
                    if let Ok(ours) = &wish.ours {
                        match wished.get(&wish.cell) {
                            Some(other) if other.same(ours, self.normaliser(&wish.cell)?) => twice = true,
                            Some(_) => contradicted.push(wish.cell.clone()),
                            None => drop(wished.insert(wish.cell.clone(), ours.clone())),
                        }
                    }
                    let change = self
                        .change(wish, &Seen { record, gone, sources: &sources, names: &names, now })
                        .await?;
                    if twice {
                        // One change, through the record that it can be made through.
                        let known = changes.iter_mut().find(|known: &&mut PlannedChange| {
                            known.cell == change.cell && is_through_nothing(known)
                        });
                        let Some(known) = known else { continue };
                        sizes.note(record, &change);
                        *known = change;
                        continue;
                    }
                    sizes.note(record, &change);
                    changes.push(change);
                }
            }
        }
        self.refuse_twins(&mut changes);
        for (number, change) in (0..).zip(&mut changes) {
            change.number = number;
            if contradicted.contains(&change.cell) {
                change.verdict = ChangeVerdict::Rejected(Rejection::Contradiction);
            }
        }
        self.refuse_emptying(&sizes, &mut changes);
        self.refuse_not_one(&sizes, &mut changes);
        self.announce_filling(&sizes, &mut changes);
        self.name_sharers(&mut changes).await?;
        let expires_at = now.saturating_add(self.settings.plan_expiry);
        Ok(Plan::new(self.store().clone(), PlanPurpose::Push, now, expires_at, changes))
    }

    /// Of two records that want one value which must be a record's own, the first one gets it.
    fn refuse_twins(&self, changes: &mut [PlannedChange]) {
        let mut taken: BTreeSet<(FieldName, String)> = BTreeSet::new();
        for change in changes.iter_mut().filter(|change| change.verdict == ChangeVerdict::Apply) {
            let is_unique =
                self.connector.capabilities().writable(&change.cell).is_some_and(|writable| writable.unique);
            let text = change.ours.as_text().filter(|_| is_unique).map(str::to_lowercase);
            if let Some(text) = text
                && !taken.insert((change.cell.field.clone(), text))
            {
                change.verdict = ChangeVerdict::Rejected(Rejection::Taken);
            }
        }
    }

    /// Names the other records that show what several share (rule C3).
    pub(super) async fn name_sharers(&self, changes: &mut [PlannedChange]) -> Result<()> {
        let mut shared: Vec<&mut PlannedChange> = changes
            .iter_mut()
            .filter(|change| change.via.is_some() && change.verdict == ChangeVerdict::Apply)
            .collect();
        if shared.is_empty() {
            return Ok(());
        }
        let holders: Vec<RecordRef> = shared.iter().map(|change| change.cell.holder.clone()).collect();
        match self.connector.shown_by(&holders).await {
            Ok(shown) => {
                for (change, mut shown) in shared.into_iter().zip(shown) {
                    shown.retain(|record| Some(record) != change.via.as_ref());
                    change.shown_by = shown;
                }
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                for change in &mut shared {
                    change.notes.push("which other records show it is not known".to_owned());
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads what texts were made from, where that is in the store's own language and this connector is not.
    async fn sources(&self, enrichments: &[Enrichment]) -> Result<Found> {
        let Some(origin) = self.connector.origin() else { return Ok(Found::default()) };
        let mut targets: Vec<RecordRef> = enrichments
            .iter()
            .filter(|enrichment| !enrichment.from.is_empty() && is_made_from(enrichment, origin))
            .filter(|enrichment| self.holds(&enrichment.target))
            .map(|enrichment| enrichment.target.clone())
            .collect();
        targets.sort();
        targets.dedup();
        if targets.is_empty() {
            Ok(Found::default())
        } else {
            self.read_through(origin, &targets, Purpose::Guard).await
        }
    }

    /// The record that holds what an enrichment was made from.
    fn made_from<'a>(
        &self,
        enrichment: &Enrichment,
        record: &'a Record,
        sources: &'a Found,
    ) -> Option<&'a Record> {
        let own = &self.connector.info().profile.locale;
        if enrichment.from_locale.is_none() || enrichment.from_locale == *own {
            return Some(record);
        }
        let origin = self.connector.origin()?;
        is_made_from(enrichment, origin).then(|| sources.get(&enrichment.target)).flatten()
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
        let of_origin = self.connector.origin().is_some_and(|origin| is_made_from(enrichment, origin));
        let foreign = is_foreign(&enrichment.locale, &profile.locale)
            || is_foreign(&enrichment.scope, &profile.scope)
            || (is_foreign(&enrichment.from_locale, &profile.locale) && !of_origin);
        let mut wishes = Vec::new();
        if enrichment.fields.is_empty() {
            wishes.push(Wish {
                cell: cell(FieldName::new("*")),
                enrichment,
                change: &NOTHING,
                ours: Err(Rejection::WrongKind),
                label: None,
                base: None,
                notes: Vec::new(),
            });
        }
        for (field, change) in &enrichment.fields {
            let cell = cell(field.clone());
            let mut notes = Vec::new();
            let mut wish = |cell: Cell, ours, label, base, notes| {
                wishes.push(Wish { cell, enrichment, change, ours, label, base, notes });
            };
            let base = change.base.as_ref().map(Cow::Borrowed);
            let unavailable = writable.and_then(|entity| {
                entity.unavailable.iter().find(|(unavailable, _)| unavailable == field).map(|(_, why)| *why)
            });
            let Some(writable) =
                writable.and_then(|entity| entity.writable(field)).filter(|_| self.holds(&enrichment.target))
            else {
                let why = match unavailable {
                    _ if !self.holds(&enrichment.target) => Rejection::ForeignRecord,
                    Some(Unavailable::SeoPluginNotDetected) => Rejection::SeoPluginNotDetected,
                    Some(Unavailable::NotEnabled) => Rejection::NotEnabled,
                    Some(Unavailable::SharedByViews) => Rejection::SharedByViews,
                    None => Rejection::NotWritable,
                };
                wish(cell, Err(why), None, base, notes);
                continue;
            };
            if foreign {
                wish(cell, Err(Rejection::ForeignLocale), None, base, notes);
                continue;
            }
            match (writable.list, &change.value, &change.edit) {
                (None, Some(Value::String(text)), None) => {
                    let ours = prepare(writable, text, &mut notes);
                    wish(cell, ours, None, base, notes);
                }
                (Some(ListKind::Set), None, Some(edit)) if !edit.is_empty() && edit.update.is_empty() => {
                    let wanted = edit
                        .add
                        .iter()
                        .map(|name| (name, true))
                        .chain(edit.remove.iter().map(|name| (name, false)));
                    for (name, add) in wanted {
                        let key = Normaliser::Folded1.apply(name).into_owned();
                        let base = base_of_key(change, &key);
                        let ours = match add {
                            true => prepare(writable, name, &mut Vec::new()),
                            false => Ok(CellValue::Absent),
                        };
                        wish(cell.clone().with_key(key), ours, Some(name), base, Vec::new());
                    }
                }
                (Some(ListKind::Keyed), None, Some(edit)) if !edit.is_empty() && edit.add.is_empty() => {
                    let updates = edit.update.iter().map(|(label, value)| (label, Some(value)));
                    for (label, value) in updates.chain(edit.remove.iter().map(|label| (label, None))) {
                        let mut notes = Vec::new();
                        let ours = match value {
                            Some(value) => prepare_value(writable, label, value, &mut notes),
                            None if writable.removable => Ok(CellValue::Absent),
                            None => Err(Rejection::WrongKind),
                        };
                        // A picture's key is its id, which has no other spelling.
                        let (cell, key) = match writable.shared_holder {
                            Some(kind) => {
                                let platform = enrichment.target.platform.clone();
                                let holder = RecordRef::new(platform, kind, label.clone());
                                (Cell { holder, ..cell.clone() }, label.to_string())
                            }
                            None => {
                                let key = Normaliser::Folded1.apply(label).into_owned();
                                (cell.clone().with_key(key.clone()), key)
                            }
                        };
                        wish(cell, ours, Some(label), base_of_key(change, &key), notes);
                    }
                }
                _ => wish(cell, Err(Rejection::WrongKind), None, base, notes),
            }
        }
        wishes
    }

    async fn change(&self, mut wish: Wish<'_>, there: &Seen<'_>) -> Result<PlannedChange> {
        let rows = self.state.rows(self.store(), &RowQuery::Cell(wish.cell.clone())).await?;
        let enrichment_id = id_of(wish.enrichment);
        let target = &wish.enrichment.target;
        let record = there.record;
        let named = match (&wish.ours, record) {
            (Ok(ours), Some(record)) => self.named(&wish, ours, record, there.names),
            _ => Ok(Named::default()),
        };
        let (ours_raw, ours_id) = match named {
            Ok(named) => {
                if let Some(ours) = named.ours {
                    wish.ours = Ok(ours);
                }
                (named.raw, named.id)
            }
            Err(rejection) => {
                wish.ours = Err(rejection);
                (None, None)
            }
        };
        let seen = record.and_then(|record| read_cell(record, &wish.cell));
        let verdict = match (&wish.ours, record, &seen) {
            (Err(rejection), _, _) => ChangeVerdict::Rejected(rejection.clone()),
            _ if wish.enrichment.made_at > there.now => ChangeVerdict::Rejected(Rejection::MadeInFuture),
            (Ok(_), None, _) if there.gone => ChangeVerdict::Conflict(Conflict::Gone),
            (Ok(_), None, _) => ChangeVerdict::Rejected(Rejection::Unreadable),
            (Ok(_), Some(record), _) if is_ambiguous(record, &wish.cell) => {
                ChangeVerdict::Conflict(Conflict::AmbiguousKey)
            }
            (Ok(_), Some(record), None) if lacks_entry(record, &wish.cell) => {
                ChangeVerdict::Rejected(Rejection::NoSuchEntry)
            }
            (Ok(_), Some(_), None) => ChangeVerdict::Rejected(Rejection::Unreadable),
            (Ok(ours), Some(record), Some(theirs)) => {
                let made_from = self.made_from(wish.enrichment, record, there.sources);
                let sources: Vec<(BaseToken, CellValue)> = wish
                    .enrichment
                    .from
                    .iter()
                    .map(|(field, token)| {
                        let now = made_from.and_then(|record| cells::value(record, field, None));
                        (token.clone(), now.unwrap_or(CellValue::Absent))
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
        let version = record.and_then(|record| record.version(&wish.cell.field)).cloned();
        let writable = self.connector.capabilities().writable(&wish.cell);
        let verdict = match verdict {
            ChangeVerdict::Apply if version.is_none() && writable.is_some_and(|writable| writable.bound) => {
                ChangeVerdict::Rejected(Rejection::NoSource)
            }
            verdict => verdict,
        };
        if let (ChangeVerdict::Apply, Some(spill)) =
            (&verdict, writable.and_then(|writable| writable.spill.as_deref()))
        {
            wish.notes.push(spill.to_owned());
        }
        let was = match &wish.base {
            Some(base) => self.state.base_value(self.store(), base).await?,
            None => None,
        };
        let seen = seen.unwrap_or(CellValue::Absent);
        Ok(PlannedChange {
            number: 0,
            reversible: self.reversible(&wish.cell, &seen),
            seen_raw: record.and_then(|record| raw_of(record, &wish.cell)),
            via: is_shared(&wish.cell).then(|| target.clone()),
            cell: wish.cell,
            verdict,
            enrichment: Some(enrichment_id),
            was,
            seen,
            ours: wish.ours.unwrap_or(CellValue::Absent),
            ours_raw,
            ours_id,
            shown_by: Vec::new(),
            version,
            latest: latest(&rows).map(|row| row.id),
            undoes: None,
            notes: wish.notes,
            cost: 1,
        })
    }

    /// What the store's names make of a change.
    fn named(
        &self,
        wish: &Wish<'_>,
        ours: &CellValue,
        record: &Record,
        names: &Names,
    ) -> Result<Named, Rejection> {
        let field = &wish.cell.field;
        let Some(writable) = self.connector.capabilities().writable(&wish.cell) else {
            return Ok(Named::default());
        };
        let there = entry(record, &wish.cell);
        if there.as_ref().is_some_and(|entry| entry.is_option) {
            return Err(Rejection::IsOption);
        }
        if there.as_ref().is_some_and(|entry| entry.is_linked) {
            return Err(Rejection::Linked);
        }
        if let (true, Some(text)) = (writable.unique, ours.as_text())
            && names.is_taken(field, text, &wish.enrichment.target.id)
        {
            return Err(Rejection::Taken);
        }
        match (writable.names, wish.label, ours) {
            (NameSource::Known, Some(label), CellValue::Value(Value::Array(values))) => {
                let texts: Vec<Text> =
                    values.iter().filter_map(|value| value.as_str().map(Text::from)).collect();
                let spelled = |id: &ExternalId| {
                    names.known_values(id, &texts).map(|texts| {
                        CellValue::Value(Value::from(texts.iter().map(Text::as_str).collect::<Vec<_>>()))
                    })
                };
                match there {
                    // One without an id is none that the store keeps values of.
                    Some(entry) => {
                        let ours = entry.id.as_ref().map(spelled).transpose()?;
                        Ok(Named { ours, ..Named::default() })
                    }
                    None => {
                        let id = names.id(field, label)?;
                        let raw = serde_json::to_string(&names.attribute(field, label)?).ok().map(Text::from);
                        Ok(Named { ours: Some(spelled(&id)?), id: Some(id), raw })
                    }
                }
            }
            (NameSource::Known, Some(label), CellValue::Value(_)) if there.is_none() => {
                Ok(Named { id: Some(names.id(field, label)?), ..Named::default() })
            }
            (NameSource::Either, Some(label), CellValue::Value(Value::Array(values))) => {
                let known =
                    there.and_then(|entry| serde_json::from_str::<Attribute>(entry.raw.as_deref()?).ok());
                let mut attribute = match known {
                    Some(attribute) => attribute,
                    None if has_alike(record, field, label) => return Err(Rejection::NameAmbiguous),
                    None => names.attribute(field, label)?,
                };
                let texts = values.iter().filter_map(|value| value.as_str().map(Text::from));
                attribute.values = match &attribute.id {
                    Some(id) => texts.map(|text| names.spelled(id, &text)).collect(),
                    None => texts.collect(),
                };
                attribute.raw_values.clear();
                let values: Vec<&str> = attribute.values.iter().map(Text::as_str).collect();
                let ours = CellValue::Value(Value::from(values));
                let raw = serde_json::to_string(&attribute).ok().map(Text::from);
                Ok(Named { ours: Some(ours), id: attribute.id, raw })
            }
            _ => Ok(Named::default()),
        }
    }

    /// How the values of a cell are compared.
    pub(super) fn normaliser(&self, cell: &Cell) -> Result<Normaliser> {
        let declared = self.connector.capabilities().writable(cell);
        match declared {
            Some(writable) => Ok(writable.normaliser),
            None => Ok(self.schema(cell.holder.kind)?.normaliser(&cell.field).unwrap_or(Normaliser::Exact1)),
        }
    }

    /// Whether what is in a cell now can be written again later.
    pub(super) fn reversible(&self, cell: &Cell, seen: &CellValue) -> Reversible {
        let Some(writable) = self.connector.capabilities().writable(cell) else {
            return Reversible::No("the field cannot be written".to_owned());
        };
        let reversible = match seen {
            CellValue::Absent if writable.removable => Reversible::Yes,
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
        };
        match (reversible, writable.partly) {
            (Reversible::Yes, Some(why)) => Reversible::Partly(why.to_owned()),
            (reversible, _) => reversible,
        }
    }
}

/// Whether an enrichment says that it was made from texts of this connector's language.
fn is_made_from(enrichment: &Enrichment, origin: &dyn Connector) -> bool {
    enrichment.from_locale.is_some() && enrichment.from_locale == origin.info().profile.locale
}

/// Whether the record that a shared cell was to be written through does not show it.
fn is_through_nothing(change: &PlannedChange) -> bool {
    change.via.is_some()
        && matches!(
            change.verdict,
            ChangeVerdict::Conflict(Conflict::Gone)
                | ChangeVerdict::Rejected(Rejection::NoSuchEntry | Rejection::Unreadable)
        )
}

/// What the store's names make of a change: another value, a spelling, an id.
#[derive(Debug, Default)]
struct Named {
    ours: Option<CellValue>,
    raw: Option<Text>,
    id: Option<ExternalId>,
}

/// Whether the record has an entry whose name differs in signs and blanks only: a store may take both for one.
fn has_alike(record: &Record, field: &FieldName, label: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let own = plain(label);
    cells::entries(record, field).unwrap_or_default().iter().any(|entry| plain(&entry.key) == own)
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
