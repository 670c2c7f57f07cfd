//! The way back: canonical values to a body of the platform, by the same rules.

use serde_json::{Map, Value};

use super::SchemaMap;
use super::rule::{Direction, Rule, Transform};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Attribute, FieldName, Media, Term, Text};

/// A place in a list: where the list is, and the key within each of its entries.
type InList<'r> = (&'r str, &'r str);

impl SchemaMap {
    /// The spelling on the wire of a canonical text of a field; with `raw`, the platform's own spelling where
    /// that still means the same text.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field.
    pub fn spell(&self, field: &FieldName, text: &str, raw: Option<&str>) -> Result<String> {
        let rule = self.write_rule(field.as_str())?;
        spell(rule.transform, text, raw).ok_or_else(|| read_only(field))
    }

    /// Where on the wire a field is written.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field.
    pub fn write_place(&self, field: &FieldName) -> Result<&str> {
        Ok(&self.write_rule(field.as_str())?.from)
    }

    /// Puts a text where the rule of its field has it.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field.
    pub fn put_text(&self, body: &mut Map<String, Value>, field: &FieldName, spelled: String) -> Result<()> {
        put(body, self.write_place(field)?, Value::from(spelled)).ok_or_else(|| read_only(field))
    }

    /// Puts `null` where the rule of a field has its value, so that it is taken away.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field.
    pub fn put_removed(&self, body: &mut Map<String, Value>, field: &FieldName) -> Result<()> {
        put(body, self.write_place(field)?, Value::Null).ok_or_else(|| read_only(field))
    }

    /// Puts a whole list of terms where the rules of its field have it: by id where a term has one, else by
    /// name.
    ///
    /// # Errors
    /// `Unsupported` where no rule writes the field's ids and names.
    pub fn put_terms(&self, body: &mut Map<String, Value>, field: &FieldName, terms: &[Term]) -> Result<()> {
        let id = self.write_rule(&format!("{field}[].id"))?;
        let name = self.write_rule(&format!("{field}[].name"))?;
        let (list, id_key) = in_list(id)?;
        let (_, name_key) = in_list(name)?;
        let items = terms.iter().map(|term| {
            let mut item = Map::new();
            match &term.id {
                Some(id) => item.insert(id_key.to_owned(), wire_id(id.as_str())),
                None => {
                    let spelled = spell(name.transform, &term.name, term.raw_name.as_deref());
                    item.insert(name_key.to_owned(), spelled.ok_or_else(|| read_only(field))?.into())
                }
            };
            Ok(Value::Object(item))
        });
        let items = items.collect::<Result<Vec<Value>>>()?;
        put(body, list, items.into()).ok_or_else(|| read_only(field))
    }

    /// Puts a whole list of attributes where the rules of the field `attributes` have it, with every flag and
    /// place: what is left out, a platform sets to its default. Values of attributes that all products share go as
    /// `shared` spells them.
    ///
    /// # Errors
    /// `Unsupported` where a rule of the list writes nothing.
    pub fn put_attributes(
        &self,
        body: &mut Map<String, Value>,
        attributes: &[Attribute],
        shared: &dyn Fn(String) -> String,
    ) -> Result<()> {
        let rule = |name: &str| self.write_rule(&format!("attributes[].{name}"));
        let (id, label, values) = (rule("id")?, rule("label")?, rule("values[]")?);
        let (visible, options, position) =
            (rule("visible")?, rule("distinguishes_variants")?, rule("position")?);
        let field = FieldName::new("attributes");
        let key = |rule| in_list(rule).map(|(_, key)| key.trim_end_matches("/*").to_owned());
        let mut items = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            let mut item = Map::new();
            match &attribute.id {
                Some(known) => item.insert(key(id)?, wire_id(known.as_str())),
                None => {
                    let spelled = spell(label.transform, &attribute.label, attribute.raw_label.as_deref());
                    item.insert(key(label)?, spelled.ok_or_else(|| read_only(&field))?.into())
                }
            };
            let spelled = (0..).zip(&attribute.values).map(|(place, value)| {
                let raw = attribute.raw_values.get(&place).map(Text::as_str);
                let text = spell(values.transform, value, raw).ok_or_else(|| read_only(&field))?;
                Ok(Value::from(if attribute.id.is_some() { shared(text) } else { text }))
            });
            item.insert(key(values)?, spelled.collect::<Result<Vec<Value>>>()?.into());
            if let Some(flag) = attribute.visible {
                item.insert(key(visible)?, flag.into());
            }
            if let Some(flag) = attribute.distinguishes_variants {
                item.insert(key(options)?, flag.into());
            }
            if let Some(place) = attribute.position {
                item.insert(key(position)?, place.into());
            }
            items.push(Value::Object(item));
        }
        put(body, in_list(id)?.0, items.into()).ok_or_else(|| read_only(&field))
    }

    /// Puts a whole list of pictures where the rules of the field `media` have it: each by its id, and those
    /// that have a text with it, as `spelled` gives it.
    ///
    /// # Errors
    /// `Unsupported` where a rule of the list writes nothing.
    pub fn put_media(
        &self,
        body: &mut Map<String, Value>,
        media: &[Media],
        spelled: &dyn Fn(String) -> String,
    ) -> Result<()> {
        let (id, alt) = (self.write_rule("media[].id")?, self.write_rule("media[].alt")?);
        let field = FieldName::new("media.alt");
        let ((list, id_key), (_, alt_key)) = (in_list(id)?, in_list(alt)?);
        let mut items = Vec::with_capacity(media.len());
        for picture in media {
            let mut item = Map::new();
            let known = picture.id.as_ref().ok_or_else(|| read_only(&field))?;
            item.insert(id_key.to_owned(), wire_id(known.as_str()));
            if let Some(text) = &picture.alt {
                let text = spell(alt.transform, text, picture.raw_alt.as_deref());
                item.insert(alt_key.to_owned(), spelled(text.ok_or_else(|| read_only(&field))?).into());
            }
            items.push(Value::Object(item));
        }
        put(body, list, items.into()).ok_or_else(|| read_only(&field))
    }

    fn write_rule(&self, field: &str) -> Result<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.direction == Direction::ReadWrite && rule.field == field)
            .ok_or_else(|| read_only(&FieldName::from(field.to_owned())))
    }
}

fn in_list(rule: &Rule) -> Result<InList<'_>> {
    rule.from.split_once("/*/").ok_or_else(|| read_only(&FieldName::from(rule.field.to_string())))
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

/// Puts a value at a place. `*[key=name]` is the entry of a list that says so, and is made where it is missing.
fn put(body: &mut Map<String, Value>, place: &str, value: Value) -> Option<()> {
    let mut steps = place.strip_prefix('/')?.split('/').peekable();
    let mut object = body;
    while let Some(step) = steps.next() {
        let Some(next) = steps.peek() else {
            if step.starts_with('*') {
                return None;
            }
            object.insert(step.to_owned(), value);
            return Some(());
        };
        object = match next.strip_prefix("*[").and_then(|rest| rest.strip_suffix(']')) {
            Some(selector) => {
                steps.next();
                let (key, name) = selector.split_once('=')?;
                let list = object.entry(step).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?;
                let at = match list.iter().position(|entry| entry.get(key).is_some_and(|own| own == name)) {
                    Some(at) => at,
                    None => {
                        list.push(serde_json::json!({ key: name }));
                        list.len() - 1
                    }
                };
                list.get_mut(at)?.as_object_mut()?
            }
            None => object.entry(step).or_insert_with(|| Value::Object(Map::new())).as_object_mut()?,
        };
    }
    None
}

fn read_only(field: &FieldName) -> Error {
    Error::new(ErrorKind::Unsupported, "field_read_only", format!("the map cannot write the field {field}"))
        .with_remedy("ask the capabilities which fields can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selected_entry_is_made_once_and_filled() {
        let mut body = Map::new();
        for (place, value) in [("/m/*[key=a]/value", "1"), ("/m/*[key=b]/value", "2"), ("/x/y", "3")] {
            put(&mut body, place, value.into()).unwrap();
        }
        put(&mut body, "/m/*[key=a]/value", Value::Null).unwrap();
        let expected = serde_json::json!({
            "m": [{"key": "a", "value": null}, {"key": "b", "value": "2"}], "x": {"y": "3"},
        });
        assert_eq!(Value::Object(body), expected);
        assert_eq!(put(&mut Map::new(), "/m/*", Value::Null), None);
    }
}
