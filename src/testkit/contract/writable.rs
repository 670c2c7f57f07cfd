//! What the rules about writes share: a record to write to, and values to write.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fixture::ContractFixture;
use super::violation::{Claim, Violation};
use super::walk::read;
use crate::connector::{Connector, Patch, PatchField, PatchValue, Purpose, PushRequest};
use crate::mapping::fields;
use crate::model::{
    CellValue, Edit, Enrichment, Entity, EntityCapabilities, ExternalId, FieldChange, FieldName, Provenance,
    Record, Term, WritableField,
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
    let record = read(&*fixture.connector(), entity, id, Purpose::Guard, claim).await?;
    record.ok_or_else(|| claim.violated(format!("no {entity} {id} in a guard read, which the store has")))
}

/// A text that the field can hold; another one for another number.
pub(super) fn text(field: &WritableField, number: u32) -> String {
    let text = if field.html {
        format!("<p>Suite, text <em>{number}</em>: 5 &lt; 6 &amp; 7</p>")
    } else if field.list.is_some() {
        format!("Suite term {number}")
    } else {
        format!("Suite & text <{number}>: é 🧸 \\ \"q\" 'a'")
    };
    if text.len() <= field.max_bytes { text } else { format!("s{number}") }
}

/// A change of some fields of a record, made for the connector without the engine.
pub(super) fn patch(record: &Record, written: &[&WritableField], number: u32) -> Patch {
    let changes = written
        .iter()
        .map(|field| {
            let text = text(field, number);
            let (value, seen) = match field.list {
                None => (
                    PatchValue::Text { text: text.into(), raw: None },
                    fields::cell_value(record, &field.field, None).unwrap_or(CellValue::Absent),
                ),
                Some(_) => {
                    let mut terms = fields::terms(record, &field.field).unwrap_or_default().to_vec();
                    terms.push(Term { id: None, name: text.into(), raw_name: None });
                    (PatchValue::Terms(terms), CellValue::Absent)
                }
            };
            PatchField::new(field.field.clone(), value, seen)
        })
        .collect();
    Patch::new(record.reference().clone(), changes)
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
    Ok(Some((id, push_now(fixture, vec![patch(&record, &[field], number)]))))
}

/// The first record of a kind, by id.
pub(super) fn first(fixture: &dyn ContractFixture, entity: Entity) -> Option<ExternalId> {
    fixture.ids(entity).into_iter().min()
}

/// An enrichment made from a record: some texts, expected to be what they were when it was read.
pub(super) fn enrichment(
    fixture: &dyn ContractFixture,
    record: &Record,
    written: &[&WritableField],
    number: u32,
) -> Enrichment {
    let change = |field: &WritableField| match field.list {
        None => FieldChange {
            value: Some(Value::from(text(field, number))),
            base: record.base().get(&field.field).cloned(),
            ..FieldChange::default()
        },
        Some(_) => FieldChange {
            edit: Some(Edit { add: vec![text(field, number).into()], remove: Vec::new() }),
            base_keys: record.base().keys(&field.field).map(|keys| keys.iter().cloned().collect()),
            ..FieldChange::default()
        },
    };
    Enrichment {
        id: None,
        target: record.reference().clone(),
        locale: None,
        scope: None,
        made_at: fixture.runtime().clock().now(),
        from: std::collections::BTreeMap::new(),
        fields: written.iter().map(|field| (field.field.clone(), change(field))).collect(),
        provenance: Provenance::default(),
    }
}

/// The keys of a stored record that a field's rules name.
pub(super) fn wire_keys(connector: &dyn Connector, entity: Entity, field: &FieldName) -> BTreeSet<String> {
    let list = format!("{field}[]");
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
