//! What an error of the platform says: a template, and parameters that go into it.
//!
//! The text is in the store's language, so nothing is told apart by it: what counts is the status, the names of the
//! parameters, and numbers (`ErrorProcessor` of the platform's web API framework, read 2026-11-22).

use serde::Deserialize;
use serde_json::{Map, Value};

/// The most bytes of a body that are read.
const MAX_BODY: usize = 64 * 1024;
/// The longest text that an error repeats, in characters.
const MAX_SHOWN: usize = 200;
/// The most further errors of one call that are repeated.
const MAX_ERRORS: usize = 5;

/// An error as the platform sends it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Said {
    /// The message with its parameters in it, as far as it is repeated.
    pub(super) message: String,
    /// The parameters that have names.
    pub(super) names: Vec<String>,
    /// The last number of the parameters; where there are none, of the message.
    pub(super) number: Option<u64>,
}

#[derive(Deserialize)]
struct Body {
    message: Option<String>,
    #[serde(default)]
    parameters: Value,
    messages: Option<Messages>,
    /// What is wrong in particular, where it is several things.
    #[serde(default)]
    errors: Value,
}

/// What a fatal error is wrapped in.
#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    error: Vec<Fatal>,
}

#[derive(Deserialize)]
struct Fatal {
    #[serde(default)]
    message: String,
}

impl Said {
    /// Reads a body; none where it is no error of the platform's, such as a page of HTML.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body = body.get(..body.len().min(MAX_BODY)).unwrap_or_default();
        let Body { message, parameters, messages, errors } = serde_json::from_slice(body).ok()?;
        let message = match (message, messages) {
            (Some(message), _) => message,
            (None, Some(messages)) => messages.error.into_iter().next()?.message,
            (None, None) => return None,
        };
        let filled = fill(&message, &parameters);
        let numbers = numbers_of(&parameters);
        let number = if is_empty(&parameters) { last_number(&filled) } else { numbers.last().copied() };
        let names = match &parameters {
            Value::Object(named) => named.keys().filter(|name| is_word(name)).cloned().collect(),
            _ => Vec::new(),
        };
        let further = errors.as_array().into_iter().flatten().take(MAX_ERRORS).filter_map(|error| {
            let message = error.get("message")?.as_str()?;
            Some(fill(message, error.get("parameters").unwrap_or(&Value::Null)))
        });
        let all: Vec<String> = std::iter::once(filled).chain(further).collect();
        Some(Self { message: shown(&all.join(" ")), names, number })
    }

    /// Whether a parameter has that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_empty(parameters: &Value) -> bool {
    match parameters {
        Value::Array(list) => list.is_empty(),
        Value::Object(named) => named.is_empty(),
        _ => true,
    }
}

/// Puts parameters in their places: `%1` is the first of a list, `%name` one by its name.
fn fill(message: &str, parameters: &Value) -> String {
    let mut filled = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('%') {
        filled.push_str(before);
        match place(after, parameters) {
            Some((value, length)) => {
                filled.push_str(&value);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                filled.push('%');
                rest = after;
            }
        }
        if filled.len() > MAX_BODY {
            break;
        }
    }
    filled.push_str(rest);
    filled
}

/// The value of the place that a text begins with, and how long its name is.
fn place(text: &str, parameters: &Value) -> Option<(String, usize)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match parameters {
        Value::Array(list) if digits > 0 => {
            let at: usize = text.get(..digits)?.parse().ok()?;
            Some((word(list.get(at.checked_sub(1)?)?), digits))
        }
        Value::Object(named) => longest(text, named),
        _ => None,
    }
}

/// Of the names that a text begins with, the longest: `%fieldName` is not `%field`.
fn longest(text: &str, named: &Map<String, Value>) -> Option<(String, usize)> {
    let begins = named.iter().filter(|(name, _)| !name.is_empty() && text.starts_with(name.as_str()));
    begins.max_by_key(|(name, _)| name.len()).map(|(name, value)| (word(value), name.len()))
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn numbers_of(parameters: &Value) -> Vec<u64> {
    let read = |value: &Value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match parameters {
        Value::Array(list) => list.iter().filter_map(read).collect(),
        Value::Object(named) => named.values().filter_map(read).collect(),
        _ => Vec::new(),
    }
}

fn last_number(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).rfind(|part| !part.is_empty())?.parse().ok()
}

/// One line of bounded length.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        Said::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn parameters_go_into_their_places() {
        for (body, message) in [
            (
                r#"{"message":"Invalid product data: %1","parameters":["a set"]}"#,
                "Invalid product data: a set",
            ),
            (r#"{"message":"%10 %1 %2","parameters":["a","b"]}"#, "%10 a b"),
            (
                r#"{"message":"%field %fieldName=%value","parameters":{"fieldName":"sku","value":7,"field":"x"}}"#,
                "x sku=7",
            ),
            (r#"{"message":"100% of %1","parameters":["%1"]}"#, "100% of %1"),
            (r#"{"message":"none","parameters":[],"trace":null}"#, "none"),
            (r#"{"message":"x %1"}"#, "x %1"),
            (
                r#"{"message":"Several.","errors":[{"message":"%1 lacks.","parameters":["Name"]},{"message":"%field!","parameters":{"field":"sku"}},7]}"#,
                "Several. Name lacks. sku!",
            ),
            (r#"{"message":"One.","errors":"none"}"#, "One."),
            (r#"{"messages":{"error":[{"code":500,"message":"Fatal\nerror"}]}}"#, "Fatal error"),
        ] {
            assert_eq!(said(body).message, message);
        }
        for body in ["", "<html>", "[]", "{}", r#"{"messages":{"error":[]}}"#, r#""text""#] {
            assert_eq!(Said::read(body.as_bytes()), None, "{body}");
        }
        assert_eq!(said(&format!(r#"{{"message":"{}"}}"#, "é".repeat(500))).message.chars().count(), 200);
    }

    #[test]
    fn numbers_and_names_are_told_whatever_the_language() {
        let said_1 = said(r#"{"message":"La taille maximale est %1","parameters":[300]}"#);
        assert_eq!(said_1.number, Some(300));
        let said_2 = said(r#"{"message":"Maximum SearchCriteria pageSize is 20"}"#);
        assert_eq!(said_2.number, Some(20));
        let said_3 =
            said(r#"{"message":"%resources","parameters":{"resources":"Magento_Catalog::products"}}"#);
        assert!(said_3.has("resources") && said_3.number.is_none());
    }

    #[test]
    fn the_error_of_the_documents_is_read() {
        let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
            eprintln!("SKIPPED: LILY_SPECS_DIR is not set, so no documented error was read");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set in CI");
            return;
        };
        let file = std::path::Path::new(&folder).join("magento/examples/response-02.json");
        let said = Said::read(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(said.message, "Invalid product data: Invalid attribute set entity type");
    }
}
