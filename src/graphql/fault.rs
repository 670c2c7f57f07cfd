//! What a GraphQL server says went wrong, in whichever of its forms.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{MAX_TEXT, plain};
use crate::error::Error;

/// The most errors of an answer that are kept.
const MAX_ERRORS: usize = 20;
/// The longest path, and the most members of an error's extensions.
const MAX_PARTS: usize = 16;
/// The longest code or name.
const MAX_NAME: usize = 100;

/// One error of an answer: bounded, on one line, and without marks that are not seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GraphqlError {
    /// What the server says.
    pub message: String,
    /// The code among the error's extensions; a server leaves it out for faults of the document.
    pub code: Option<String>,
    /// The way to the answer's member that it is about, from the outermost inwards.
    pub path: Vec<String>,
    /// Line and column of the document.
    pub position: Option<(u32, u32)>,
    /// The texts among the error's extensions, `code` too.
    pub extensions: BTreeMap<String, String>,
}

impl GraphqlError {
    fn said(message: &str) -> Self {
        Self { message: plain(message, MAX_TEXT), ..Self::default() }
    }

    /// A text among the extensions, such as an id of the request.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.get(name).map(String::as_str)
    }

    /// Adds what the server says to an error of ours.
    #[must_use]
    pub fn describe(&self, error: Error) -> Error {
        let mut error = error;
        if let Some(code) = &self.code {
            error = error.with_context("platform_code", code.clone());
        }
        if !self.path.is_empty() {
            error = error.with_context("path", self.path.join("."));
        }
        if let Some((line, column)) = self.position {
            error = error.with_context("position", format!("{line}:{column}"));
        }
        if !self.message.is_empty() {
            error = error.with_context("platform_says", self.message.clone());
        }
        error
    }
}

/// Reads what stands under `errors`: a list of errors, a text, or an object of texts by name. What is none of
/// these is one error with its text.
pub(super) fn read(errors: &RawValue) -> (Vec<GraphqlError>, usize) {
    let text = errors.get();
    match text.as_bytes().first() {
        Some(b'[') => {
            let mut from = serde_json::Deserializer::from_str(text);
            from.deserialize_seq(List).unwrap_or_default()
        }
        Some(b'{') => (named(errors), 0),
        _ => (one(errors).into_iter().collect(), 0),
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = (Vec<GraphqlError>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of errors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let (mut errors, mut left_out) = (Vec::new(), 0);
        while errors.len() < MAX_ERRORS {
            match from.next_element::<&RawValue>()? {
                Some(error) => errors.extend(one(error)),
                None => return Ok((errors, 0)),
            }
        }
        while from.next_element::<IgnoredAny>()?.is_some() {
            left_out += 1;
        }
        Ok((errors, left_out))
    }
}

/// An error as it should be; what is of another type than it should is passed over.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    locations: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Location {
    line: u32,
    column: u32,
}

/// One error; `null` is none.
fn one(error: &RawValue) -> Option<GraphqlError> {
    if error.get() == "null" {
        return None;
    }
    let Some(wire) = error.get().starts_with('{').then(|| serde_json::from_str::<Wire<'_>>(error.get()).ok())
    else {
        return Some(GraphqlError::said(&word(error).unwrap_or(Cow::Borrowed(error.get()))));
    };
    let wire = wire.unwrap_or_default();
    let extensions = wire.extensions.map(members).unwrap_or_default();
    let code = extensions.get("code").map(|code| plain(code, MAX_NAME));
    let message = wire.message.and_then(word).unwrap_or(Cow::Borrowed(""));
    Some(GraphqlError {
        code,
        path: wire.path.map(steps).unwrap_or_default(),
        position: wire.locations.and_then(position),
        extensions,
        ..GraphqlError::said(&message)
    })
}

/// An object where a list should be: one error for each name, or one that is an error itself.
fn named(errors: &RawValue) -> Vec<GraphqlError> {
    let members = members(errors);
    if members.contains_key("message") {
        return one(errors).into_iter().collect();
    }
    if members.is_empty() {
        return vec![GraphqlError::said(errors.get())];
    }
    members
        .into_iter()
        .map(|(name, text)| GraphqlError { path: vec![name], ..GraphqlError::said(&text) })
        .collect()
}

/// A text, a number or a truth value; the first of a list of them.
fn word(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        b'[' => {
            let first = serde_json::from_str::<Vec<&RawValue>>(text).ok()?.into_iter().next()?;
            if first.get().starts_with('[') { None } else { word(first) }
                .map(|word| Cow::Owned(word.into_owned()))
        }
        b'{' | b'n' => None,
        _ => Some(Cow::Borrowed(text)),
    }
}

fn steps(path: &RawValue) -> Vec<String> {
    serde_json::from_str::<Vec<&RawValue>>(path.get())
        .unwrap_or_default()
        .into_iter()
        .take(MAX_PARTS)
        .filter_map(|step| Some(plain(&word(step)?, MAX_NAME)))
        .collect()
}

fn position(locations: &RawValue) -> Option<(u32, u32)> {
    let first: Vec<&RawValue> = serde_json::from_str(locations.get()).ok()?;
    let at: Location = serde_json::from_str(first.first()?.get()).ok()?;
    Some((at.line, at.column))
}

/// The members of an object that are words.
fn members(object: &RawValue) -> BTreeMap<String, String> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
            let mut kept = BTreeMap::new();
            while let Some((name, value)) = from.next_entry::<Cow<'de, str>, &RawValue>()? {
                if kept.len() < MAX_PARTS
                    && let Some(word) = word(value)
                {
                    kept.insert(plain(&name, MAX_NAME), plain(&word, MAX_TEXT));
                }
            }
            Ok(kept)
        }
    }

    serde_json::Deserializer::from_str(object.get()).deserialize_map(Members).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn of(json: &str) -> (Vec<GraphqlError>, usize) {
        read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn every_form_of_errors_is_read_as_one_type() {
        let (errors, _) =
            of(r#"[{"message":"must provide one of\nfirst or last","locations":[{"line":2,"column":3}],
            "path":["products","nodes",0],"extensions":{"code":"MISSING","requestId":"r-1","n":7,"o":{}}}]"#);
        let error = &errors[0];
        assert_eq!(error.message, "must provide one of first or last");
        assert_eq!((error.code.as_deref(), error.position), (Some("MISSING"), Some((2, 3))));
        assert_eq!(error.path, ["products", "nodes", "0"]);
        assert_eq!((error.extension("requestId"), error.extension("n")), (Some("r-1"), Some("7")));
        assert_eq!(error.extension("o"), None);

        assert_eq!(of(r#""[API] Invalid key""#).0[0].message, "[API] Invalid key");
        let (errors, _) = of(r#"{"base":["is taken","x"],"shop":"is shut"}"#);
        assert_eq!((errors[0].path.join("."), errors[0].message.as_str()), ("base".into(), "is taken"));
        assert_eq!((errors[1].path.join("."), errors[1].message.as_str()), ("shop".into(), "is shut"));
        assert_eq!(of(r#"{"message":"m","extensions":{"code":"C"}}"#).0[0].code.as_deref(), Some("C"));
        // What is odd is still an error.
        for odd in
            ["{}", "true", "[[1]]", r#"[{"message":7}]"#, r#"[{"message":{"a":1},"path":3}]"#, r#"["text"]"#]
        {
            assert_eq!(of(odd).0.len(), 1, "{odd}");
        }
        assert!(of("null").0.is_empty() && of("[]").0.is_empty() && of("[null]").0.is_empty());
    }

    #[test]
    fn errors_are_bounded_in_number_and_length_and_have_no_control_characters() {
        let one = format!(r#"{{"message":"\u001b[0m{}","extensions":{{"code":"{0}"}}}}"#, "x".repeat(2000));
        let (errors, left_out) = of(&format!("[{}]", vec![one; 50].join(",")));
        assert_eq!((errors.len(), left_out), (20, 30));
        let shown = format!(
            "{}",
            errors[0].describe(Error::new(ErrorKind::Rejected, "refused", "the store refused"))
        );
        assert!(shown.len() < 1000 && !shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains("platform_code=x"), "{shown}");
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(serde_json::from_str::<&RawValue>(&deep).is_err() || of(&deep).0.len() == 1);
    }
}
