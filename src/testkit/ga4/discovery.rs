//! A discovery document, and what it says of the body of a request or an answer.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// How deep a body may nest.
const MAX_DEPTH: usize = 40;

/// The schemas of an API, out of its discovery document.
pub struct Discovery {
    name: String,
    schemas: Map<String, Value>,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Discovery {
    /// Reads a document from a file, such as `analyticsdata.v1beta.discovery.json`.
    ///
    /// # Errors
    /// `Config` where the file cannot be read, or holds no schemas.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(path).map_err(|_| unreadable(&name))?;
        let document: Value = serde_json::from_str(&text).map_err(|_| unreadable(&name))?;
        match document.get("schemas") {
            Some(Value::Object(schemas)) => Ok(Self { name, schemas: schemas.clone() }),
            _ => Err(unreadable(&name)),
        }
    }

    /// Whether it has a message of that name.
    #[must_use]
    pub fn has(&self, message: &str) -> bool {
        self.schemas.contains_key(message)
    }

    /// What of a body is not as the message has it: unknown members, wrong types, unknown words. Empty where it fits.
    #[must_use]
    pub fn problems(&self, message: &str, body: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        match self.schemas.get(message) {
            Some(schema) => self.check(schema, body, message, 0, &mut problems),
            None => problems.push(format!("{} has no message {message}", self.name)),
        }
        problems
    }

    fn check(&self, schema: &Value, body: &Value, at: &str, depth: usize, problems: &mut Vec<String>) {
        if depth > MAX_DEPTH {
            problems.push(format!("{at}: nested too deep"));
            return;
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        if let Some(name) = text("$ref") {
            match self.schemas.get(name) {
                Some(schema) => self.check(schema, body, at, depth + 1, problems),
                None => problems.push(format!("{at}: there is no message {name}")),
            }
            return;
        }
        let kind = text("type").unwrap_or("any");
        let fits = match (kind, text("format")) {
            // Numbers of 64 bits are texts in JSON.
            ("string", Some("int64" | "uint64")) => {
                body.as_str().is_some_and(|text| text.parse::<i128>().is_ok())
            }
            ("string", _) => body.is_string(),
            ("integer", _) => body.is_i64() || body.is_u64(),
            ("number", _) => body.is_number(),
            ("boolean", _) => body.is_boolean(),
            ("array", _) => body.is_array(),
            ("object", _) => body.is_object(),
            _ => true,
        };
        if !fits {
            problems.push(format!("{at}: expected {kind}"));
            return;
        }
        if let (Some(words), Some(word)) = (schema.get("enum").and_then(Value::as_array), body.as_str())
            && !words.iter().any(|known| known == word)
        {
            problems.push(format!("{at}: no word of {}", self.name));
        }
        if let Some(items) = body.as_array() {
            let of = schema.get("items").unwrap_or(&Value::Null);
            for (number, item) in items.iter().enumerate() {
                self.check(of, item, &format!("{at}[{number}]"), depth + 1, problems);
            }
        }
        if let (Some(members), "object") = (body.as_object(), kind) {
            let known = schema.get("properties").and_then(Value::as_object);
            let others = schema.get("additionalProperties");
            for (name, member) in members {
                match known.and_then(|known| known.get(name)).or(others) {
                    Some(schema) => self.check(schema, member, &format!("{at}.{name}"), depth + 1, problems),
                    None => problems.push(format!("{at}: unknown member {name}")),
                }
            }
        }
    }
}

fn unreadable(name: &str) -> Error {
    Error::new(ErrorKind::Config, "schema_unreadable", format!("{name} is no discovery document"))
        .with_remedy("give the path of an official one, such as analyticsdata.v1beta.discovery.json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_members_wrong_types_and_unknown_words_are_told() {
        let schemas = json!({
            "Ask": {"type": "object", "properties": {
                "limit": {"type": "string", "format": "int64"}, "deep": {"$ref": "Deep"},
                "list": {"type": "array", "items": {"$ref": "Deep"}}, "on": {"type": "boolean"}}},
            "Deep": {"type": "object", "properties": {"word": {"type": "string", "enum": ["A", "B"]}}}
        });
        let schemas = schemas.as_object().unwrap().clone();
        let document = Discovery { name: "test".to_owned(), schemas };
        let problems = |body: Value| document.problems("Ask", &body);
        assert!(problems(json!({"limit": "5", "deep": {"word": "A"}, "list": [{}], "on": true})).is_empty());
        for wrong in [
            json!({"limit": 5}),
            json!({"limit": "five"}),
            json!({"Limit": "5"}),
            json!({"deep": {"word": "C"}}),
            json!({"list": [{"words": "A"}]}),
            json!({"on": "true"}),
            json!([]),
        ] {
            assert_eq!(problems(wrong.clone()).len(), 1, "{wrong}");
        }
        assert_eq!(document.problems("Other", &json!({})).len(), 1);
    }
}
