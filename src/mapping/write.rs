//! The way back: canonical values to a body of the platform, by the same rules.

use serde_json::{Map, Value};

use super::SchemaMap;
use super::rule::{Direction, Rule, Transform};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{FieldName, Term, Text};

impl SchemaMap {
    /// The spelling on the wire of a canonical text of a field; with `raw`, the platform's own spelling where
    /// that still means the same text.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field.
    pub fn spell(&self, field: &FieldName, text: &str, raw: Option<&str>) -> Result<String> {
        let rule = self.write_rule(field.as_str())?;
        Ok(spell(rule.transform, text, raw).ok_or_else(|| read_only(field))?.to_owned())
    }

    /// Puts a text where the rule of its field has it.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field.
    pub fn put_text(&self, body: &mut Map<String, Value>, field: &FieldName, spelled: String) -> Result<()> {
        let rule = self.write_rule(field.as_str())?;
        put(body, &rule.from, Value::from(spelled)).ok_or_else(|| read_only(field))
    }

    /// Puts a whole list of terms where the rules of its field have it: by id where a term has one, else by
    /// name.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field's ids and names.
    pub fn put_terms(&self, body: &mut Map<String, Value>, field: &FieldName, terms: &[Term]) -> Result<()> {
        let id = self.write_rule(&format!("{field}[].id"))?;
        let name = self.write_rule(&format!("{field}[].name"))?;
        let place = |rule: &Rule| -> Option<(String, String)> {
            rule.from.rsplit_once("/*/").map(|(list, key)| (list.to_owned(), key.to_owned()))
        };
        let ((list, id_key), (name_list, name_key)) =
            place(id).zip(place(name)).ok_or_else(|| read_only(field))?;
        if list != name_list {
            return Err(read_only(field));
        }
        let items = terms
            .iter()
            .map(|term| {
                let mut item = Map::new();
                match &term.id {
                    Some(id) => item.insert(id_key.clone(), wire_id(id.as_str())),
                    None => {
                        let spelled =
                            spell(name.transform, &term.name, term.raw_name.as_ref().map(Text::as_str));
                        item.insert(name_key.clone(), Value::from(spelled.ok_or_else(|| read_only(field))?))
                    }
                };
                Ok(Value::Object(item))
            })
            .collect::<Result<Vec<Value>>>()?;
        put(body, &list, Value::Array(items)).ok_or_else(|| read_only(field))
    }

    fn write_rule(&self, field: &str) -> Result<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.direction == Direction::ReadWrite && rule.field == field)
            .ok_or_else(|| read_only(&FieldName::from(field.to_owned())))
    }
}

fn spell(transform: Transform, text: &str, raw: Option<&str>) -> Option<String> {
    let same = |raw: &&str| match transform {
        Transform::EscapedText => super::entities::unescape(raw) == text,
        _ => *raw == text,
    };
    match raw.filter(same) {
        Some(raw) => Some(raw.to_owned()),
        None => transform.spell(text).map(std::borrow::Cow::into_owned),
    }
}

/// An id that reads as a whole number is written as one.
fn wire_id(id: &str) -> Value {
    match id.parse::<u64>() {
        Ok(number) if number.to_string() == id => Value::from(number),
        _ => Value::from(id),
    }
}

fn put(body: &mut Map<String, Value>, place: &str, value: Value) -> Option<()> {
    let mut keys = place.strip_prefix('/')?.split('/').peekable();
    let mut object = body;
    while let Some(key) = keys.next() {
        if key.starts_with('*') {
            return None;
        }
        if keys.peek().is_none() {
            object.insert(key.to_owned(), value);
            return Some(());
        }
        object = object.entry(key).or_insert_with(|| Value::Object(Map::new())).as_object_mut()?;
    }
    None
}

fn read_only(field: &FieldName) -> Error {
    Error::new(ErrorKind::Unsupported, "field_read_only", format!("the map cannot write the field {field}"))
        .with_remedy("ask the capabilities which fields can be written")
}
