//! What the rules about writes share: a record to write to, and values to write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fixture::ContractFixture;
use super::violation::{Claim, Violation};
use super::walk::{read, small, walk};
use crate::connector::{Connector, Patch, PatchField, PatchValue, Purpose, PushRequest};
use crate::mapping::cells;
use crate::model::{
    Attribute, CellValue, Edit, Enrichment, Entity, EntityCapabilities, ExternalId, FieldChange, FieldName,
    ListKind, Media, NameSource, Provenance, Record, Term, Text, WritableField,
};

/// The kinds of record with a field that can be written.
pub(super) fn written(connector: &dyn Connector) -> impl Iterator<Item = &EntityCapabilities> {
    connector.capabilities().entities.iter().filter(|entity| !entity.writable.is_empty())
}

/// A record as a guard read gives it.
pub(super) async fn guard(
    fixture: &dyn ContractFixture,
    entity: Entity,
    id: &ExternalId,
    claim: Claim,
) -> Result<Record, Violation> {
    let connector = fixture.connector();
    if connector.capabilities().entity(entity).is_some_and(|claims| !claims.by_ids) {
        // What is read by no id is found in its list.
        let steps = walk(&*connector, &small(fixture, entity), claim).await?;
        let record = steps.into_iter().flat_map(|step| step.records).find(|it| it.reference().id == *id);
        return record
            .ok_or_else(|| claim.violated(format!("no {entity} {id} in a list, which the store has")));
    }
    let record = read(&*connector, entity, id, Purpose::Guard, claim).await?;
    record.ok_or_else(|| claim.violated(format!("no {entity} {id} in a guard read, which the store has")))
}

/// A text that the field can hold, and that its platform keeps as it is; another one for another number.
fn text(field: &WritableField, number: u32) -> Option<String> {
    let some = if field.html {
        vec![format!("<p>Suite, text <em>{number}</em>: 5 &lt; 6 &amp; 7</p>")]
    } else {
        vec![
            format!("Suite & text <{number}>: é 🧸 \\ \"q\" 'a'"),
            format!("Suite text {number}: é \"q\""),
            format!("Suite term {number}"),
            format!("suite-text-{number}"),
            format!("s{number}"),
            item_number(number),
        ]
    };
    let kept = |text: &String| {
        text.len() <= field.max_bytes && field.check.is_none_or(|check| (check.altered)(text).is_none())
    };
    some.into_iter().find(kept)
}

/// A global trade item number.
fn item_number(number: u32) -> String {
    let body = format!("{:012}", 400_000_000_000 + u64::from(number));
    let digits = body.bytes().zip([1, 3].into_iter().cycle());
    let sum: u32 = digits.map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// Whether the keys of a list are pictures, which a push neither makes nor removes; they may be a record's own, or
/// shown by several.
fn is_of_pictures(field: &WritableField) -> bool {
    field.shared_holder.is_some() || field.field.as_str() == "media.alt"
}

/// A new value for a field.
enum Sample {
    /// A text.
    Text(String),
    /// A further name of a list, with its id where the platform knows it.
    Name(Term),
    /// A value for a key of a list.
    Keyed(Text, Value),
}

/// A new value for a field of a record; none where the suite can think of none.
async fn sample(
    fixture: &dyn ContractFixture,
    field: &WritableField,
    record: &Record,
    number: u32,
    claim: Claim,
) -> Result<Option<Sample>, Violation> {
    let new = text(field, number);
    let entries = cells::entries(record, &field.field).unwrap_or_default();
    Ok(match field.list {
        None => new.map(Sample::Text),
        Some(ListKind::Set) if field.names == NameSource::Known => {
            known_name(fixture, field, record, claim).await?.map(Sample::Name)
        }
        Some(ListKind::Set) => new.map(|name| Sample::Name(Term { name: name.into(), ..Term::default() })),
        Some(_) if is_of_pictures(field) => {
            entries.first().zip(new).map(|(entry, new)| Sample::Keyed(entry.key.clone(), new.into()))
        }
        Some(_) if cells::is_fixed(record, &field.field) => {
            let entry = entries.iter().find(|entry| !entry.is_linked);
            entry.zip(new).map(|(entry, new)| Sample::Keyed(entry.key.clone(), new.into()))
        }
        Some(_) if field.names == NameSource::Known => {
            let known = known_entry(fixture, field, record, claim).await?;
            known.map(|entry| Sample::Keyed(entry.key, to_value(&entry.value)))
        }
        Some(_) => Some(Sample::Keyed(format!("Suite {number}").into(), Value::from(vec!["One", "Two"]))),
    })
}

fn to_value(value: &CellValue) -> Value {
    match value {
        CellValue::Value(value) | CellValue::Inherited(value) => value.clone(),
        CellValue::Empty | CellValue::Absent => Value::Array(Vec::new()),
    }
}

/// A name that another record has and this one has not.
async fn known_name(
    fixture: &dyn ContractFixture,
    field: &WritableField,
    record: &Record,
    claim: Claim,
) -> Result<Option<Term>, Violation> {
    let entry = known_entry(fixture, field, record, claim).await?;
    Ok(entry.and_then(|entry| {
        let name = entry.value.as_text()?.into();
        Some(Term { id: entry.id, name, raw_name: None })
    }))
}

/// An entry of a list that another record has and this one has not.
async fn known_entry(
    fixture: &dyn ContractFixture,
    field: &WritableField,
    record: &Record,
    claim: Claim,
) -> Result<Option<cells::Entry>, Violation> {
    let entity = record.reference().kind;
    let own = cells::entries(record, &field.field).unwrap_or_default();
    let mut ids = fixture.ids(entity);
    ids.sort();
    for id in ids {
        let Some(other) = read(&*fixture.connector(), entity, &id, Purpose::Guard, claim).await? else {
            continue;
        };
        let theirs = cells::entries(&other, &field.field).unwrap_or_default();
        let is_new = |entry: &cells::Entry| !entry.is_option && !own.iter().any(|own| own.key == entry.key);
        if let Some(entry) = theirs.into_iter().find(is_new) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// A change of some fields of a record, made for the connector without the engine.
pub(super) async fn patch(
    fixture: &dyn ContractFixture,
    record: &Record,
    written: &[&WritableField],
    number: u32,
    claim: Claim,
) -> Result<Patch, Violation> {
    let mut changes = Vec::new();
    for field in written {
        let Some(sample) = sample(fixture, field, record, number, claim).await? else { continue };
        let seen = cells::value(record, &field.field, None).unwrap_or(CellValue::Absent);
        let value = match sample {
            Sample::Text(text) => PatchValue::Text { text: text.into(), raw: None },
            Sample::Name(term) => {
                let mut terms = terms(record, &field.field);
                // A list of one entry takes another one in the place of its own only.
                terms.retain(|_| !field.one_entry);
                terms.push(term);
                PatchValue::Terms(terms)
            }
            Sample::Keyed(key, value) if is_of_pictures(field) => {
                PatchValue::Media(media(record, &key, value.as_str().unwrap_or_default()))
            }
            Sample::Keyed(key, value) if cells::is_fixed(record, &field.field) => {
                PatchValue::Attributes(options(record, &key, value.as_str().unwrap_or_default()))
            }
            Sample::Keyed(key, value) => {
                let texts = value.as_array().into_iter().flatten();
                let values = texts.filter_map(|text| text.as_str().map(Text::from)).collect();
                let mut all = attributes(record);
                all.push(Attribute {
                    label: key,
                    values,
                    visible: Some(true),
                    distinguishes_variants: Some(false),
                    ..Attribute::default()
                });
                PatchValue::Attributes(all)
            }
        };
        let before = match &value {
            PatchValue::Terms(_) => Some(PatchValue::Terms(terms(record, &field.field))),
            PatchValue::Attributes(_) if cells::is_fixed(record, &field.field) => {
                Some(PatchValue::Attributes(options(record, "", "")))
            }
            PatchValue::Attributes(_) => Some(PatchValue::Attributes(attributes(record))),
            PatchValue::Media(_) => Some(PatchValue::Media(media(record, "", ""))),
            PatchValue::Text { .. } | PatchValue::Removed => None,
        };
        let version = record.version(&field.field).cloned();
        changes.push(PatchField::new(field.field.clone(), value, seen).version(version).before(before));
    }
    Ok(Patch::of(record, changes))
}

fn terms(record: &Record, field: &FieldName) -> Vec<Term> {
    let Record::Product(product) = record else { return Vec::new() };
    let terms = match field.as_str() {
        "categories" => &product.categories,
        "brands" => &product.brands,
        _ => &product.tags,
    };
    terms.value().cloned().unwrap_or_default()
}

fn attributes(record: &Record) -> Vec<Attribute> {
    let Record::Product(product) = record else { return Vec::new() };
    product.attributes.value().cloned().unwrap_or_default()
}

/// The attributes that variants differ by, with another name for one of them or for one of their values.
fn options(record: &Record, key: &str, name: &str) -> Vec<Attribute> {
    let mut options = attributes(record);
    options.retain(|option| option.distinguishes_variants == Some(true));
    for option in &mut options {
        if option.id.as_ref().is_some_and(|id| id.as_str() == key) {
            option.label = name.into();
        }
        for (id, value) in option.value_ids.iter().zip(&mut option.values) {
            if id.as_str() == key {
                *value = name.into();
            }
        }
    }
    options
}

fn media(record: &Record, key: &str, alt: &str) -> Vec<Media> {
    let Record::Product(product) = record else { return Vec::new() };
    let own = |media: &Media| media.id.as_ref().is_some_and(|id| id.as_str() == key);
    let named = |media: &Media| Media {
        id: media.id.clone(),
        alt: own(media).then(|| alt.into()),
        ..Media::default()
    };
    product.media.value().into_iter().flatten().map(named).collect()
}

/// A push that may be sent for five seconds from now.
pub(super) fn push_now(fixture: &dyn ContractFixture, patches: Vec<Patch>) -> PushRequest {
    let now = fixture.runtime().clock().elapsed();
    PushRequest::new(patches, now.saturating_add(std::time::Duration::from_secs(5)))
}

/// A push of one field of the first record of a kind.
pub(super) async fn push_of_one(
    fixture: &dyn ContractFixture,
    entity: &EntityCapabilities,
    number: u32,
    claim: Claim,
) -> Result<Option<(ExternalId, PushRequest)>, Violation> {
    let (Some(id), Some(field)) = (first(fixture, entity.entity), entity.writable.first()) else {
        return Ok(None);
    };
    let record = guard(fixture, entity.entity, &id, claim).await?;
    let patch = patch(fixture, &record, &[field], number, claim).await?;
    Ok(Some((id, push_now(fixture, vec![patch]))))
}

/// The first record of a kind, by id.
pub(super) fn first(fixture: &dyn ContractFixture, entity: Entity) -> Option<ExternalId> {
    fixture.ids(entity).into_iter().min()
}

/// An enrichment made from a record: some values, expected to be what they were when it was read.
pub(super) async fn enrichment(
    fixture: &dyn ContractFixture,
    record: &Record,
    written: &[&WritableField],
    number: u32,
    claim: Claim,
) -> Result<Enrichment, Violation> {
    let mut fields = BTreeMap::new();
    for field in written {
        let Some(sample) = sample(fixture, field, record, number, claim).await? else { continue };
        let edit = match sample {
            Sample::Text(text) => {
                let base = record.base().get(&field.field).cloned();
                let change = FieldChange { value: Some(Value::from(text)), base, ..FieldChange::default() };
                fields.insert(field.field.clone(), change);
                continue;
            }
            Sample::Name(term) => {
                let own = cells::entries(record, &field.field).unwrap_or_default();
                let own = own.iter().filter(|_| field.one_entry);
                let names = own.filter_map(|entry| entry.value.as_text().map(Text::from));
                Edit { add: vec![term.name], remove: names.collect(), ..Edit::default() }
            }
            Sample::Keyed(key, value) => Edit { update: BTreeMap::from([(key, value)]), ..Edit::default() },
        };
        let base_keys = record.base().keys(&field.field).map(|keys| keys.iter().cloned().collect());
        fields.insert(
            field.field.clone(),
            FieldChange { edit: Some(edit), base_keys, ..FieldChange::default() },
        );
    }
    Ok(Enrichment {
        id: None,
        target: record.reference().clone(),
        locale: None,
        scope: None,
        made_at: fixture.runtime().clock().now(),
        from: BTreeMap::new(),
        from_locale: None,
        fields,
        provenance: Provenance::default(),
    })
}

/// The keys of a stored record that a field's rules name.
pub(super) fn wire_keys(connector: &dyn Connector, entity: Entity, field: &FieldName) -> BTreeSet<String> {
    let outer = match field.as_str().split('.').next().unwrap_or_default() {
        // Options are attributes by which variants differ.
        "options" if entity == Entity::Product => "attributes",
        outer => outer,
    };
    let list = format!("{outer}[]");
    let rules = connector.schema(entity).map(|schema| schema.rules()).unwrap_or_default();
    rules
        .iter()
        .filter(|rule| rule.field == field.as_str() || rule.field.starts_with(&list))
        .filter_map(|rule| rule.from.split('/').nth(1))
        .map(str::to_owned)
        .collect()
}

/// The keys of a stored record that differ.
pub(super) fn changed_keys(before: Option<&Value>, after: Option<&Value>) -> BTreeSet<String> {
    let empty = serde_json::Map::new();
    let object = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
    let (before, after) =
        (object(before).unwrap_or_else(|| empty.clone()), object(after).unwrap_or_else(|| empty.clone()));
    before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
