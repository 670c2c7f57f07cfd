//! Lists that a platform replaces, rebuilt from the guard read: theirs in their order, ours at the end (rule L3).

use serde_json::Value;

use super::plan::PlannedChange;
use crate::connector::PatchValue;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::cells;
use crate::model::{
    Attribute, CellValue, Entity, ExternalId, FieldName, Media, Normaliser, Record, Term, Text,
};

/// The whole list as it shall be.
///
/// # Errors
/// `Protocol` where the list was not read whole, or is none that can be rebuilt.
pub(super) fn rebuild(guard: &Record, field: &FieldName, changes: &[&PlannedChange]) -> Result<PatchValue> {
    let unreadable =
        || Error::new(ErrorKind::Protocol, "list_unreadable", format!("the list {field} was not read whole"));
    // A list is there whole where each of its entries has a token.
    cells::entries(guard, field).ok_or_else(unreadable)?;
    let changes: Vec<&PlannedChange> =
        changes.iter().copied().filter(|change| change.cell.field == *field).collect();
    match (guard, field.as_str()) {
        (Record::Product(product), "tags") => terms(product.tags.value(), &changes),
        (Record::Product(product), "categories") => terms(product.categories.value(), &changes),
        (Record::Product(product), "brands") => terms(product.brands.value(), &changes),
        (Record::Product(product), "attributes") => attributes(product.attributes.value(), &changes),
        (Record::Product(product), "options") => options(product.attributes.value(), &changes, name_option),
        (Record::Product(product), "options.values") => {
            options(product.attributes.value(), &changes, name_values)
        }
        (Record::Product(product), "media.alt") => media(product.media.value(), &changes),
        (Record::Variant(variant), "media.alt") => media(variant.media.value(), &changes),
        _ => None,
    }
    .ok_or_else(unreadable)
}

fn key_of(change: &PlannedChange) -> &str {
    match (&change.cell.key, change.cell.holder.kind) {
        (Some(key), _) => key.as_str(),
        (None, Entity::Media) => change.cell.holder.id.as_str(),
        (None, _) => "",
    }
}

fn terms(theirs: Option<&Vec<Term>>, changes: &[&PlannedChange]) -> Option<PatchValue> {
    let change_of = |name: &str| {
        let key = Normaliser::Folded1.apply(name);
        changes.iter().find(|change| key_of(change) == key)
    };
    let removed = |term: &&Term| change_of(&term.name).is_some_and(|change| change.ours == CellValue::Absent);
    let mut terms: Vec<Term> = theirs?.iter().filter(|term| !removed(term)).cloned().collect();
    for change in changes {
        let there = |term: &Term| Normaliser::Folded1.apply(&term.name) == key_of(change);
        if let Some(name) = change.ours.as_text()
            && !terms.iter().any(there)
        {
            terms.push(Term {
                id: change.ours_id.clone(),
                name: name.into(),
                raw_name: change.ours_raw.clone(),
            });
        }
    }
    Some(PatchValue::Terms(terms))
}

/// Flags, ids and places of attributes stay as the guard read found them; an attribute that is not there comes
/// as the plan has it. Ids of values come with a plan that puts back what was there, and with no other.
fn attributes(theirs: Option<&Vec<Attribute>>, changes: &[&PlannedChange]) -> Option<PatchValue> {
    let mut attributes = theirs?.clone();
    // Two values of one name would be made one: the store finds shared ones by name.
    let is_twice = |attribute: &Attribute| {
        let mut keys: Vec<_> =
            attribute.values.iter().map(|value| Normaliser::Folded1.apply(value)).collect();
        keys.sort_unstable();
        attribute.id.is_some() && keys.windows(2).any(|pair| pair.first() == pair.last())
    };
    if attributes.iter().any(is_twice) {
        return None;
    }
    for change in changes {
        let planned: Option<Attribute> =
            change.ours_raw.as_ref().and_then(|raw| serde_json::from_str(raw).ok());
        let there = |attribute: &Attribute| attribute.list_key() == key_of(change);
        let at = attributes.iter().position(there);
        match (&change.ours, at) {
            (CellValue::Absent, Some(at)) => drop(attributes.remove(at)),
            (CellValue::Absent, None) => {}
            (ours, Some(at)) => {
                let attribute = attributes.get_mut(at)?;
                attribute.values = values(ours)?;
                attribute.value_ids.clear();
                attribute.raw_values.clear();
                attribute.raw_list = None;
                if let Some(planned) = planned.filter(|planned| planned.values == attribute.values) {
                    attribute.value_ids = planned.value_ids;
                    attribute.raw_values = planned.raw_values;
                    attribute.raw_list = planned.raw_list;
                }
            }
            (ours, None) => {
                let mut attribute = planned?;
                if attribute.position.is_none() {
                    // Without a place, a platform may put it first.
                    attribute.position = behind(&attributes);
                }
                let wanted = values(ours)?;
                if attribute.values != wanted {
                    attribute.values = wanted;
                    attribute.value_ids.clear();
                    attribute.raw_values.clear();
                    attribute.raw_list = None;
                }
                attributes.push(attribute);
            }
        }
    }
    if attributes.iter().all(|attribute| attribute.position.is_some()) {
        attributes.sort_by_key(|attribute| attribute.position);
    }
    Some(PatchValue::Attributes(attributes))
}

/// The new name of what an id stands for, where it gets one.
type Named<'a> = dyn Fn(&ExternalId) -> Option<Text> + 'a;

/// The attributes that variants differ by, with other names. Which there are, their order and their values' order
/// never change.
fn options(
    theirs: Option<&Vec<Attribute>>,
    changes: &[&PlannedChange],
    name: fn(&mut Attribute, &Named<'_>),
) -> Option<PatchValue> {
    let is_option = |attribute: &&Attribute| attribute.distinguishes_variants == Some(true);
    let mut options: Vec<Attribute> = theirs?.iter().filter(is_option).cloned().collect();
    let named = |id: &ExternalId| {
        let change = changes.iter().find(|change| key_of(change) == id.as_str())?;
        change.ours.as_text().map(Text::from)
    };
    options.iter_mut().for_each(|option| name(option, &named));
    Some(PatchValue::Attributes(options))
}

fn name_option(option: &mut Attribute, named: &Named<'_>) {
    if let Some(name) = option.id.as_ref().and_then(named) {
        option.label = name;
    }
}

fn name_values(option: &mut Attribute, named: &Named<'_>) {
    for (id, value) in option.value_ids.iter().zip(&mut option.values) {
        if let Some(name) = named(id) {
            *value = name;
        }
    }
}

/// The place behind all others, where they have places.
fn behind(attributes: &[Attribute]) -> Option<u32> {
    let mut places = attributes.iter().map(|attribute| attribute.position);
    places.try_fold(0, |next: u32, place| Some(next.max(place?.saturating_add(1))))
}

fn values(value: &CellValue) -> Option<Vec<Text>> {
    match value {
        CellValue::Value(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().map(Text::from)).collect()
        }
        CellValue::Empty => Some(Vec::new()),
        CellValue::Value(_) | CellValue::Absent | CellValue::Inherited(_) => None,
    }
}

/// Which pictures there are, and in what order, never changes; one whose text is not ours has none here.
fn media(theirs: Option<&Vec<Media>>, changes: &[&PlannedChange]) -> Option<PatchValue> {
    let media = theirs?
        .iter()
        .map(|picture| {
            let id = picture.id.as_ref()?;
            let change = changes.iter().find(|change| key_of(change) == id.as_str());
            let alt = change.and_then(|change| change.ours.as_text()).map(Text::from);
            let raw_alt = change.and_then(|change| change.ours_raw.clone());
            Some(Media { id: picture.id.clone(), alt, raw_alt, ..Media::default() })
        })
        .collect::<Option<Vec<Media>>>()?;
    Some(PatchValue::Media(media))
}
