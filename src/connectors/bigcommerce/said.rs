//! What the platform says when it refuses: its words without its values.
//!
//! A body is an object with `status`, `title` and `type`, and beside them `errors` as an object by field, as an array of
//! such objects (batches of metafields), or `batch_errors` as an array (batches of variants); V2 answers with an array.
//! It may be empty, or a page (fact sheet of 2026-11-22, section 6).

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;

/// The longest title that is passed on.
const MAX_TITLE: usize = 200;
/// The most fields that are named.
const MAX_FIELDS: usize = 20;
/// The longest name of a field.
const MAX_NAME: usize = 80;

/// A refusal in the platform's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// What it says, without line breaks.
    pub(super) title: String,
    /// The fields that it names, each as a path such as `custom_url.url` or `1.name`.
    pub(super) fields: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    title: Value,
    message: Value,
    errors: Value,
    batch_errors: Value,
}

impl Said {
    /// Reads a body, whatever it is.
    pub(super) fn read(body: &[u8]) -> Self {
        let bodies: Vec<Body> = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => serde_json::from_slice(body).map(|body| vec![body]).unwrap_or_default(),
            Some(b'[') => serde_json::from_slice(body).unwrap_or_default(),
            _ => Vec::new(),
        };
        let mut said = Self::default();
        for body in &bodies {
            said.take(body);
        }
        said
    }

    fn take(&mut self, body: &Body) {
        let title = body.title.as_str().or_else(|| body.message.as_str());
        if let Some(title) = title.filter(|_| self.title.is_empty()) {
            self.title = title.chars().filter(|letter| !letter.is_control()).take(MAX_TITLE).collect();
        }
        self.name(&body.errors);
        self.name(&body.batch_errors);
    }

    fn name(&mut self, errors: &Value) {
        match errors {
            // A part that was not saved is told in a body of its own.
            Value::Object(body) if body.contains_key("title") && body.contains_key("status") => {
                if let Some(title) =
                    body.get("title").and_then(Value::as_str).filter(|_| self.title.is_empty())
                {
                    self.title =
                        title.chars().filter(|letter| !letter.is_control()).take(MAX_TITLE).collect();
                }
                self.name(body.get("errors").unwrap_or(&Value::Null));
            }
            Value::Object(fields) => {
                for name in fields.keys() {
                    let plain = name.len() <= MAX_NAME && !name.chars().any(char::is_control);
                    if plain && self.fields.len() < MAX_FIELDS {
                        self.fields.push(name.clone());
                    }
                }
            }
            Value::Array(several) => {
                for one in several.iter().take(MAX_FIELDS) {
                    if self.title.is_empty()
                        && let Some(title) = one.get("title").and_then(Value::as_str)
                    {
                        self.title = title.chars().take(MAX_TITLE).collect();
                    }
                    self.name(one.get("errors").unwrap_or(&Value::Null));
                }
            }
            _ => {}
        }
    }

    /// The number that the title names, such as the most items of a batch.
    pub(super) fn number(&self) -> Option<u32> {
        let mut numbers = self.title.split(|letter: char| !letter.is_ascii_digit());
        numbers.rfind(|number| !number.is_empty()).and_then(|number| number.parse().ok())
    }

    /// Whether it names a field, whole or a part of it: `custom_url` by `custom_url.url`, also behind a number.
    pub(super) fn names(&self, field: &str) -> bool {
        self.fields.iter().any(|path| {
            let mut steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
            steps.find(|step| !step.bytes().all(|byte| byte.is_ascii_digit())) == Some(field)
        })
    }

    /// Adds the words to an error.
    pub(super) fn describe(&self, error: Error) -> Error {
        let error =
            if self.title.is_empty() { error } else { error.with_context("said", self.title.clone()) };
        if self.fields.is_empty() { error } else { error.with_context("fields", self.fields.join(" ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_a_refusal_is_read_and_no_value_of_it_is_kept() {
        let map = br#"{"status":422,"title":"Bad","type":"x","errors":{"custom_url.url":"'/secret/' is taken","name":"e"}}"#;
        let said = Said::read(map);
        assert_eq!(
            (said.title.as_str(), said.fields.as_slice()),
            ("Bad", &["custom_url.url".to_owned(), "name".to_owned()][..])
        );
        assert!(said.names("custom_url") && said.names("name") && !said.names("url"));
        let array =
            br#"{"errors":[{"status":422,"title":"T","errors":{"0":"m"}},{"errors":{"1.value":"m"}}]}"#;
        assert_eq!(Said::read(array).title, "T");
        assert!(Said::read(array).names("value"));
        let batch = br#"{"batch_errors":[{"status":422,"title":"B","errors":{"sku":"secret"}}]}"#;
        assert!(Said::read(batch).names("sku") && !format!("{:?}", Said::read(batch)).contains("secret"));
        let partly = br#"{"data":{"id":7},"errors":{"status":409,"title":"P","errors":{"custom_url.url":"secret"}},"meta":{}}"#;
        assert!(Said::read(partly).names("custom_url") && Said::read(partly).title == "P");
        let old = br#"[{"status":404,"message":"The requested resource was not found."}]"#;
        assert_eq!(Said::read(old).title, "The requested resource was not found.");
        for nothing in [
            &b""[..],
            b"<html>",
            b"null",
            b"7",
            br#"{"errors":{}}"#,
            br#"{"title":7,"errors":"x"}"#,
            b"{",
            b"[1",
        ] {
            assert_eq!(Said::read(nothing), Said::default());
        }
    }

    #[test]
    fn the_most_items_of_a_batch_are_read_from_the_official_words() {
        for (text, most) in [
            ("The request payload is too large. The maximum items allowed in the array is 10.", Some(10)),
            ("The request payload is too large. The maximum items allowed in the array is 50", Some(50)),
            ("too large", None),
        ] {
            assert_eq!(Said { title: text.to_owned(), fields: Vec::new() }.number(), most);
        }
    }
}
