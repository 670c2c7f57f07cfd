//! Entries over a connector's rules.

use std::borrow::Cow;

use serde_json::Map;

use crate::error::{Error, Result};
use crate::model::{Entity, EntityCapabilities, FieldName, Platform};

use super::super::rule::{Direction, Rule, Transform};
use super::super::{SchemaMap, fields};
use super::entry::{At, Change, Entry, name_of};
use super::read::fitting;

/// A rule as it shall be, with the entry that brought it; none for one of the connector.
type Brought<'e> = (Rule, Option<&'e Entry>);

pub(super) fn merge(entries: &[Entry], entity: Entity, rules: &[Rule]) -> Result<Vec<Rule>> {
    let entries: Vec<&Entry> = entries.iter().filter(|entry| entry.entity == entity).collect();
    if entries.is_empty() {
        return Ok(rules.to_vec());
    }
    let mut merged: Vec<Brought<'_>> = rules.iter().map(|rule| (rule.clone(), None)).collect();
    for (number, entry) in entries.iter().enumerate() {
        let before = entries.get(..number).unwrap_or_default();
        if let Some(other) = before.iter().find(|other| contradicts(other, entry)) {
            let what = format!("line {} is about the same rule of the field", other.at.line);
            return Err(entry.wrong(entry.at, what).with_remedy("keep one entry, or give each a rank"));
        }
    }
    // Whole fields first: what is about a rank then stands beside them, in any order of the text.
    let (whole, ranked): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.rank.is_none());
    for entry in whole.into_iter().chain(ranked) {
        one(&mut merged, entry, rules)?;
    }
    let compiled = compile(entity, &merged).map_err(|error| traced(entity, rules, &merged, error))?;
    for (rule, entry) in &merged {
        if let Some(entry) = entry
            && rule.direction == Direction::ReadWrite
        {
            check_written(entry, rule, rules, &merged, &compiled)?;
        }
    }
    Ok(merged.into_iter().map(|(rule, _)| rule).collect())
}

/// Whether two entries are about one rule.
fn contradicts(one: &Entry, other: &Entry) -> bool {
    let drops_all = |entry: &Entry| entry.rank.is_none() && entry.change == Change::Drop;
    let rank = |entry: &Entry| entry.rank.map_or(0, |(rank, _)| rank);
    one.field == other.field && (rank(one) == rank(other) || drops_all(one) || drops_all(other))
}

/// Makes one entry's change.
fn one<'e>(merged: &mut Vec<Brought<'e>>, entry: &'e Entry, own: &[Rule]) -> Result<()> {
    let of_field = |rule: &Rule| rule.field == entry.field;
    let is_replaced = |(rule, by): &Brought<'_>| {
        of_field(rule) && by.is_none() && entry.rank.is_none_or(|(rank, _)| rule.rank == rank)
    };
    let replaced: Vec<Rule> =
        merged.iter().filter(|pair| is_replaced(pair)).map(|(rule, _)| rule.clone()).collect();
    if entry.field.contains('[')
        && own.iter().any(|rule| of_field(rule) && rule.direction == Direction::ReadWrite)
    {
        return Err(entry
            .wrong(entry.at, "the connector writes this list as a whole, by rules that fit each other")
            .with_remedy("remove the entry"));
    }
    let place = merged.iter().position(is_replaced);
    let rule = match &entry.change {
        Change::Drop if replaced.is_empty() => {
            let known: Vec<&str> = own.iter().map(|rule| &*rule.field).collect();
            return Err(entry
                .wrong(entry.at, "the connector's map has no such rule to drop")
                .with_remedy(format!("it reads: {}", known.join(", "))));
        }
        Change::Drop => None,
        Change::Set { from, transform, write } => {
            let from = place_of(entry, from.as_ref(), &replaced)?;
            let transform = transform_of(entry, *transform, &replaced, own)?;
            let direction = direction_of(entry, *write, transform, &replaced, own)?;
            let rank = entry.rank.map_or(0, |(rank, _)| rank);
            Some(Rule { from, field: Cow::Owned(entry.field.clone()), transform, direction, rank })
        }
    };
    merged.retain(|pair| !is_replaced(pair));
    if let Some(rule) = rule {
        merged.insert(place.unwrap_or(merged.len()).min(merged.len()), (rule, Some(entry)));
    }
    Ok(())
}

fn place_of(entry: &Entry, given: Option<&(String, At)>, replaced: &[Rule]) -> Result<Cow<'static, str>> {
    match (given, replaced) {
        (Some((place, _)), _) => Ok(Cow::Owned(place.clone())),
        (None, [rule]) => Ok(rule.from.clone()),
        (None, []) => Err(entry
            .wrong(entry.at, "the connector's map has no such rule to change")
            .with_remedy("add from, the path of the value")),
        (None, several) => Err(entry
            .wrong(entry.at, format!("the connector reads this field from {} places", several.len()))
            .with_remedy("add from, or the rank of the one that is meant")),
    }
}

fn transform_of(
    entry: &Entry,
    given: Option<(Transform, At)>,
    replaced: &[Rule],
    own: &[Rule],
) -> Result<Transform> {
    if let Some((transform, _)) = given {
        return Ok(transform);
    }
    let of_field = own.iter().filter(|rule| rule.field == entry.field);
    let mut known = replaced.iter().chain(of_field).map(|rule| rule.transform);
    match known.next() {
        Some(first) if known.all(|other| other == first) => Ok(first),
        _ => {
            let kind = fields::field(entry.entity, &entry.field).map(|def| def.kind);
            Err(entry
                .wrong(entry.at, "the connector's map has no single transform for this field")
                .with_remedy(format!("add transform; {}", kind.map(fitting).unwrap_or_default())))
        }
    }
}

fn direction_of(
    entry: &Entry,
    write: Option<(bool, At)>,
    transform: Transform,
    replaced: &[Rule],
    own: &[Rule],
) -> Result<Direction> {
    let written = |rule: &&Rule| rule.direction == Direction::ReadWrite;
    let Some((true, at)) = write else {
        let stays = write.is_none() && replaced.iter().any(|rule| written(&rule));
        return Ok(if stays { Direction::ReadWrite } else { Direction::Read });
    };
    if !own.iter().filter(written).any(|rule| rule.field == entry.field) {
        let names: Vec<&str> = own.iter().filter(written).map(|rule| &*rule.field).collect();
        let can = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return Err(entry
            .wrong(at, "the connector cannot write this field")
            .with_remedy(format!("remove write; of a {} it can write: {can}", entry.entity)));
    }
    if transform.spell("x").is_none() {
        return Err(entry
            .wrong(at, format!("{} has no way back, so the field is read only", name_of(transform)))
            .with_remedy("remove write"));
    }
    Ok(Direction::ReadWrite)
}

/// Whether a field that is written can be, as the connector claims.
fn check_written(
    entry: &Entry,
    rule: &Rule,
    own: &[Rule],
    merged: &[Brought<'_>],
    compiled: &SchemaMap,
) -> Result<()> {
    let read_only = "or add write = false, which makes the field read only";
    let of_field = |other: &&Rule| other.field == rule.field && other.direction == Direction::ReadWrite;
    let is_claimed = |other: &Rule| {
        other.transform.normaliser() == rule.transform.normaliser()
            && other.transform.is_html() == rule.transform.is_html()
            && rule.transform.spell("x").is_some()
    };
    if let Some(claimed) = own.iter().find(of_field)
        && !is_claimed(claimed)
    {
        let what = format!("the connector writes this field as {}", name_of(claimed.transform));
        return Err(entry.wrong(entry.at, what).with_remedy(format!("keep that transform, {read_only}")));
    }
    let rules = merged.iter().map(|(rule, _)| rule).filter(|rule| of_field(rule)).count();
    if rules > 1 && rules > own.iter().filter(of_field).count() {
        let what = "another rule of the field is written already";
        return Err(entry.wrong(entry.at, what).with_remedy(format!("replace that one, {read_only}")));
    }
    let field = FieldName::from(rule.field.to_string());
    if compiled.put_text(&mut Map::new(), &field, "x".to_owned()).is_err() {
        return Err(entry
            .wrong(entry.at, "the connector cannot write to this place")
            .with_remedy(format!("name a place that is a path of keys, {read_only}")));
    }
    Ok(())
}

fn compile(entity: Entity, merged: &[Brought<'_>]) -> Result<SchemaMap> {
    let rules: Vec<Rule> = merged.iter().map(|(rule, _)| rule.clone()).collect();
    SchemaMap::compile(Platform::new(""), entity, &rules)
}

/// Finds the entry that keeps the map from compiling: the first whose rule does not go with those before it.
fn traced(entity: Entity, own: &[Rule], merged: &[Brought<'_>], error: Error) -> Error {
    if let Err(own) = SchemaMap::compile(Platform::new(""), entity, own) {
        return own;
    }
    let mut so_far: Vec<Brought<'_>> = merged.iter().filter(|(_, entry)| entry.is_none()).cloned().collect();
    let mut brought: Vec<(&Rule, &Entry)> =
        merged.iter().filter_map(|(rule, entry)| Some((rule, (*entry)?))).collect();
    brought.sort_by_key(|(_, entry)| (entry.at.line, entry.at.column));
    for (rule, entry) in brought {
        so_far.push((rule.clone(), Some(entry)));
        if let Err(error) = compile(entity, &so_far) {
            let at = match &entry.change {
                Change::Set { from: Some((_, at)), .. } => *at,
                Change::Set { .. } | Change::Drop => entry.at,
            };
            return entry
                .wrong(at, error.message().to_owned())
                .with_context("from", rule.from.to_string())
                .with_remedy(if error.remedy().is_empty() {
                    "read the field from another place, or drop the rule that is in the way".to_owned()
                } else {
                    error.remedy().to_owned()
                });
        }
    }
    error
}

pub(super) fn narrow(entries: &[Entry], own: &[Rule], claims: &mut EntityCapabilities) {
    let Ok(merged) = merge(entries, claims.entity, own) else { return };
    // `media.alt` is a field of the list `media[]`.
    let list = |field: &FieldName| format!("{}[]", field.as_str().split('.').next().unwrap_or_default());
    let is_written = |field: &FieldName, rules: &[Rule]| {
        rules.iter().any(|rule| {
            rule.direction == Direction::ReadWrite
                && (rule.field == field.as_str() || rule.field.starts_with(&list(field)))
        })
    };
    // What the connector claims beside its map is its own business.
    claims.writable.retain(|claim| !is_written(&claim.field, own) || is_written(&claim.field, &merged));
    let moved = |field: &FieldName| {
        let of_field = |rules: &[Rule]| {
            rules
                .iter()
                .filter(|rule| rule.field == field.as_str())
                .map(|rule| rule.from.clone())
                .collect::<Vec<_>>()
        };
        of_field(own) != of_field(&merged) || !is_written(field, &merged)
    };
    if claims.rewritten_together.iter().any(moved) {
        let group = std::mem::take(&mut claims.rewritten_together);
        claims.writable.retain(|claim| !group.contains(&claim.field));
    }
}
