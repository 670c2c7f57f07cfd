//! Holds a value against a schema: types, choices, bounds, lengths, formats, and branches.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema::Wrong;

/// How deep a value is followed, and how many references in a row.
const DEPTH_LIMIT: usize = 64;

/// A schema whose references stand in its root.
pub(super) struct Check<'a> {
    root: &'a Value,
}

impl<'a> Check<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// What of a value the root does not allow, properties that nobody declares apart.
    pub(super) fn wrong(&self, value: &Value) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        self.check(self.root, value, "", 0, &mut wrong);
        wrong
    }

    fn check(&self, schema: &Value, value: &Value, pointer: &str, depth: usize, wrong: &mut Vec<Wrong>) {
        let mut tell = |expected: String| wrong.push((pointer.to_owned(), expected));
        if depth > DEPTH_LIMIT {
            return tell("a value that is less deep".to_owned());
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return match found {
                Some(schema) => self.check(schema, value, pointer, depth + 1, wrong),
                None => tell("a schema that can be found".to_owned()),
            };
        }
        if let Some(types) = schema.get("type")
            && !is_of(types, value)
        {
            return tell(format!("type {}", names(types)));
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array)
            && !options.contains(value)
        {
            tell(format!("one of {}", Value::Array(options.clone())));
        }
        match value {
            Value::Number(_) => number(schema, value, &mut tell),
            Value::String(text) => string(schema, text, &mut tell),
            Value::Array(items) => {
                array(schema, items, &mut tell);
                if let Some(inner) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.check(inner, item, &format!("{pointer}/{index}"), depth + 1, wrong);
                    }
                }
            }
            Value::Object(_) => self.object(schema, value, pointer, depth, wrong),
            Value::Null | Value::Bool(_) => {}
        }
        self.branches(schema, value, pointer, depth, wrong);
    }

    fn object(&self, schema: &Value, value: &Value, pointer: &str, depth: usize, wrong: &mut Vec<Wrong>) {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if value.get(name).is_none() {
                wrong.push((pointer.to_owned(), format!("property {name}")));
            }
        }
        let declared = schema.get("properties");
        for (name, inner) in value.as_object().into_iter().flatten() {
            let place = step(pointer, name);
            match (declared.and_then(|declared| declared.get(name)), schema.get("additionalProperties")) {
                (Some(schema), _) => self.check(schema, inner, &place, depth + 1, wrong),
                (None, Some(Value::Bool(false))) => {
                    wrong.push((place, "no further property".to_owned()));
                }
                (None, Some(schema @ Value::Object(_))) => {
                    self.check(schema, inner, &place, depth + 1, wrong);
                }
                (None, _) => {}
            }
        }
    }

    fn branches(&self, schema: &Value, value: &Value, pointer: &str, depth: usize, wrong: &mut Vec<Wrong>) {
        let of = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
        for branch in of("allOf").into_iter().flatten() {
            self.check(branch, value, pointer, depth + 1, wrong);
        }
        let holding = |branches: &Vec<Value>| {
            let holds = |branch: &&Value| {
                let mut inner = Vec::new();
                self.check(branch, value, pointer, depth + 1, &mut inner);
                inner.is_empty()
            };
            branches.iter().filter(holds).count()
        };
        let mut tell = |expected: &str| wrong.push((pointer.to_owned(), expected.to_owned()));
        match of("oneOf").map(holding) {
            Some(0) => tell("oneOf: a branch that holds"),
            None | Some(1) => {}
            Some(_) => tell("oneOf: one branch that holds, not several"),
        }
        if of("anyOf").map(holding) == Some(0) {
            tell("anyOf: a branch that holds");
        }
    }
}

/// A pointer and one step more.
fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn is_of(types: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match (kind.as_str(), value) {
        (Some("integer"), Value::Number(number)) => number.is_i64() || number.is_u64(),
        (Some("number"), Value::Number(_))
        | (Some("string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_))
        | (Some("array"), Value::Array(_))
        | (Some("object"), Value::Object(_))
        | (Some("null"), Value::Null) => true,
        _ => false,
    };
    types.as_array().map_or_else(|| is(types), |types| types.iter().any(is))
}

fn names(types: &Value) -> String {
    let names = types.as_array().map(|types| types.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    names.map_or_else(|| types.as_str().unwrap_or_default().to_owned(), |names| names.join(" or "))
}

fn number(schema: &Value, value: &Value, tell: &mut impl FnMut(String)) {
    let Some(number) = value.as_f64() else { return };
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let open = |keyword: &str| schema.get(keyword) == Some(&Value::Bool(true));
    match bound("minimum") {
        Some(least) if open("exclusiveMinimum") && number <= least => tell(format!("above {least}")),
        Some(least) if number < least => tell(format!("minimum {least}")),
        _ => {}
    }
    match bound("maximum") {
        Some(most) if open("exclusiveMaximum") && number >= most => tell(format!("below {most}")),
        Some(most) if number > most => tell(format!("maximum {most}")),
        _ => {}
    }
    let whole = schema.get("format").and_then(Value::as_str) == Some("int32");
    if whole && value.as_i64().is_none_or(|number| i32::try_from(number).is_err()) {
        tell("format int32".to_owned());
    }
}

fn string(schema: &Value, text: &str, tell: &mut impl FnMut(String)) {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let length = text.chars().count() as u64;
    if let Some(least) = bound("minLength").filter(|least| length < *least) {
        tell(format!("minLength {least}"));
    }
    if let Some(most) = bound("maxLength").filter(|most| length > *most) {
        tell(format!("maxLength {most}"));
    }
    let Some(format) = schema.get("format").and_then(Value::as_str) else { return };
    let right = match format {
        // RFC 3339, section 5.6: a date, a time with seconds, and an offset.
        "date-time" => {
            text.as_bytes().get(10).is_some_and(|letter| b"Tt".contains(letter))
                && text.parse::<jiff::Timestamp>().is_ok()
        }
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "uuid" => text.len() == 36 && uuid::Uuid::parse_str(text).is_ok(),
        "uri" | "url" => url::Url::parse(text).is_ok(),
        "email" => {
            let name = text.split_once('@');
            name.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        }
        _ => true,
    };
    if !right {
        tell(format!("format {format}"));
    }
}

fn array(schema: &Value, items: &[Value], tell: &mut impl FnMut(String)) {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let count = items.len() as u64;
    if let Some(least) = bound("minItems").filter(|least| count < *least) {
        tell(format!("minItems {least}"));
    }
    if let Some(most) = bound("maxItems").filter(|most| count > *most) {
        tell(format!("maxItems {most}"));
    }
    let texts = || items.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) && texts().len() < items.len() {
        tell("items that differ".to_owned());
    }
}
