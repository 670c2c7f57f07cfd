//! TOML to entries. Read by hand, so that no error quotes a value: a wrong file may hold secrets.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::{Error, ErrorKind, Result};
use crate::model::Entity;

use super::super::canon::Kind;
use super::super::fields;
use super::super::rule::Transform;
use super::entry::{At, Change, Entry, NAMED};

/// The largest text, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// The most entries.
const MAX_ENTRIES: usize = 200;
/// The longest place, in bytes.
const MAX_PLACE_BYTES: usize = 500;
/// The keys of an entry.
const KEYS: &str = "field, from, transform, rank, write, drop";
/// What the engine lives by: which record it is, and when it was changed.
const FIXED: [&str; 3] = ["ref.id", "product_ref.id", "modified_at"];

pub(super) fn read(text: &str) -> Result<Vec<Entry>> {
    if text.len() > MAX_BYTES {
        return Err(too_large(format!("overrides can have at most {MAX_BYTES} bytes, got {}", text.len())));
    }
    let document = DeTable::parse(text).map_err(|error| {
        let at = At::of(text, error.span().map_or(0, |span| span.start));
        // The parser's own messages name signs and what it expected, never the text.
        Error::new(ErrorKind::Config, "overrides_unreadable", format!("no TOML: {}", error.message()))
            .with_context("line", at.line.to_string())
            .with_context("column", at.column.to_string())
    })?;
    let mut entries = Vec::new();
    for (key, value) in document.get_ref() {
        let entity = match key.get_ref().as_ref() {
            "product" => Entity::Product,
            "variant" => Entity::Variant,
            other => {
                let what = format!("no such kind of record{}", shown(other));
                return Err(At::of(text, key.span().start)
                    .wrong(what)
                    .with_remedy("write [[product]] or [[variant]]"));
            }
        };
        let form = || {
            let what = format!("{entity} must be a list of entries");
            At::of(text, key.span().start).wrong(what).with_remedy(format!("write [[{entity}]]"))
        };
        for entry in value.get_ref().as_array().ok_or_else(form)?.iter() {
            if entries.len() == MAX_ENTRIES {
                return Err(too_large(format!("overrides can have at most {MAX_ENTRIES} entries")));
            }
            let table = entry.get_ref().as_table().ok_or_else(form)?;
            entries.push(Reader { text, table, entity, span: entry.span() }.entry()?);
        }
    }
    // The kinds of record come sorted by name: errors should name the first wrong line.
    entries.sort_by_key(|entry| (entry.at.line, entry.at.column));
    Ok(entries)
}

fn too_large(what: String) -> Error {
    Error::new(ErrorKind::TooLarge, "overrides_too_large", what)
}

/// A word of the text, where it looks like a name and not like a credential in its place.
fn shown(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.' | b'[' | b']');
    if word.len() <= 40 && word.bytes().all(plain) { format!(": {word}") } else { String::new() }
}

/// One entry's table.
struct Reader<'t, 'i> {
    text: &'i str,
    table: &'t DeTable<'i>,
    entity: Entity,
    span: Range<usize>,
}

type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

impl<'t, 'i> Reader<'t, 'i> {
    fn entry(&self) -> Result<Entry> {
        for (key, _) in self.table {
            if !KEYS.split(", ").any(|known| known == key.get_ref().as_ref()) {
                return Err(At::of(self.text, key.span().start)
                    .wrong(format!("no such key{}", shown(key.get_ref())))
                    .with_remedy(format!("an entry can have: {KEYS}")));
            }
        }
        let (field, at) = self.field()?;
        let named = |error: Error| error.with_context("field", format!("{}.{field}", self.entity));
        let kind = fields::field(self.entity, &field).map(|def| def.kind).ok_or_else(|| {
            let names: Vec<&str> = fields::names(self.entity).collect();
            at.wrong(format!("no such field of a {}{}", self.entity, shown(&field)))
                .with_remedy(format!("it can be: {}", names.join(", ")))
        })?;
        if FIXED.contains(&field.as_str()) {
            return Err(named(at.wrong("this field cannot be overridden: pull and push live by it"))
                .with_remedy("remove the entry"));
        }
        let rank = self.rank().map_err(named)?;
        let from = self.place().map_err(named)?;
        let transform = self.transform(kind).map_err(named)?;
        let write = self.truth("write").map_err(named)?;
        let change = match self.truth("drop").map_err(named)? {
            Some((true, _)) if from.is_none() && transform.is_none() && write.is_none() => Change::Drop,
            Some((true, at)) => {
                return Err(named(at.wrong("an entry that drops a field takes no from, transform or write"))
                    .with_remedy("keep field and drop only, or field, drop and rank"));
            }
            Some((false, at)) => {
                return Err(named(at.wrong("drop can only be true")).with_remedy("remove the key"));
            }
            None if from.is_none() && transform.is_none() && write.is_none() => {
                return Err(named(at.wrong("the entry changes nothing"))
                    .with_remedy("add from, transform, write or drop"));
            }
            None => Change::Set { from, transform, write },
        };
        Ok(Entry { entity: self.entity, field, at, rank, change })
    }

    fn get(&self, name: &str) -> Option<(Value<'t, 'i>, At)> {
        let (_, value) = self.table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
        Some((value, At::of(self.text, value.span().start)))
    }

    fn string(&self, name: &str) -> Result<Option<(&'t DeString<'i>, At)>> {
        let Some((value, at)) = self.get(name) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) => Ok(Some((text, at))),
            _ => Err(at.wrong(format!("{name} must be a text")).with_remedy("write it in quotes")),
        }
    }

    fn truth(&self, name: &str) -> Result<Option<(bool, At)>> {
        let Some((value, at)) = self.get(name) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(truth) => Ok(Some((*truth, at))),
            _ => {
                Err(at.wrong(format!("{name} must be true or false")).with_remedy("write it without quotes"))
            }
        }
    }

    fn field(&self) -> Result<(String, At)> {
        self.string("field")?.map(|(name, at)| (name.to_string(), at)).ok_or_else(|| {
            At::of(self.text, self.span.start)
                .wrong("the entry names no field")
                .with_remedy("add field = \"...\"")
        })
    }

    fn rank(&self) -> Result<Option<(u8, At)>> {
        let Some((value, at)) = self.get("rank") else { return Ok(None) };
        let rank = match value.get_ref() {
            DeValue::Integer(number) => u8::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match rank {
            Some(rank) => Ok(Some((rank, at))),
            None => Err(at.wrong("rank must be a whole number, 0..=255")),
        }
    }

    fn place(&self) -> Result<Option<(String, At)>> {
        let Some((place, at)) = self.string("from")? else { return Ok(None) };
        let form = "write the path of the value, such as /sku or /meta_data/*[key=_ean]/value";
        if place.len() > MAX_PLACE_BYTES {
            return Err(at
                .wrong(format!("from can have at most {MAX_PLACE_BYTES} bytes, got {}", place.len()))
                .with_remedy(form));
        }
        if place.chars().any(char::is_control) {
            return Err(at.wrong("from holds a control character").with_remedy(form));
        }
        Ok(Some((place.to_string(), at)))
    }

    fn transform(&self, kind: Kind) -> Result<Option<(Transform, At)>> {
        let Some((name, at)) = self.string("transform")? else { return Ok(None) };
        match NAMED.iter().find(|(known, _)| known == name) {
            Some((_, transform)) if transform.kind() == kind => Ok(Some((*transform, at))),
            Some(_) => Err(at
                .wrong(format!("the field holds {kind:?}, and {name} gives another kind"))
                .with_remedy(fitting(kind))),
            None => Err(at.wrong(format!("no such transform{}", shown(name))).with_remedy(fitting(kind))),
        }
    }
}

/// Says which transforms fit a kind.
pub(super) fn fitting(kind: Kind) -> String {
    let names: Vec<&str> =
        NAMED.iter().filter(|(_, transform)| transform.kind() == kind).map(|(name, _)| *name).collect();
    if names.is_empty() {
        "leave transform out: the connector has the only one that fits".to_owned()
    } else {
        format!("transform can be: {}", names.join(", "))
    }
}
