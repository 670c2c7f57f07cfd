//! What the fuzz targets share: a store whose answers are the fuzzed bytes, and the properties that they assert.

mod store;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use lily_connect::connector::{
    Connector, FieldAnswer, Page, Patch, PatchField, PatchValue, PullRequest, Select,
};
use lily_connect::error::Error;
use lily_connect::mapping::MappedPage;
use lily_connect::model::{CellValue, Entity, FieldName, RawItems, Record, RecordRef, Shape};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use store::{
    BIGCOMMERCE, Canned, HOOK_SECRET, MAGENTO, PROPERTIES, SHOPIFY, STORE, Store, at_once, profile,
};

/// Maps items: every element becomes a record or a rejection, and records are whole.
pub fn check_items(items: &RawItems) {
    check_items_of(&*STORE, items);
}

/// The same by another store's map. Gives the records.
pub fn check_items_of<C: Connector>(store: &Store<C>, items: &RawItems) -> Vec<Record> {
    let elements = match items.shape {
        Shape::One => Some(1),
        Shape::List => serde_json::from_slice::<Vec<&RawValue>>(&items.body).ok().map(|all| all.len()),
        _ => None,
    };
    match store.map(items) {
        // Within texts that no rule reads, a map looks for their end only: a strict reader may refuse the body.
        Ok(mapped) => {
            check_mapped(&mapped, elements);
            mapped.records
        }
        Err(error) => {
            check_error(&error);
            assert!(elements.is_none() || items.shape == Shape::One, "an array of JSON was refused");
            Vec::new()
        }
    }
}

fn check_mapped(mapped: &MappedPage, elements: Option<usize>) {
    assert!(elements.is_none_or(|elements| mapped.records.len() + mapped.rejected.len() == elements));
    assert!(mapped.rejected.iter().all(|rejected| !rejected.issues.is_empty()));
    assert!(mapped.issues.len() as u64 <= mapped.dropped_fields);
    for record in &mapped.records {
        assert!(!record.reference().id.as_str().is_empty());
        assert_eq!(&again::<Record>(record), record);
    }
}

/// An error is one line of a bounded length that quotes no answer.
pub fn check_error(error: &Error) {
    let text = error.to_string();
    assert!(text.len() < 1000 && !text.chars().any(char::is_control), "{text:?}");
    assert!(!error.code().is_empty());
}

/// What comes back when it is written and read.
pub fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("what was read can be written");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Pulls a page: its records are whole, it does not go on where it is, and each id that was asked for is missing once at
/// most.
pub fn check_pull<C: Connector>(store: &Store<C>, request: &PullRequest) -> Option<(Page, Vec<Record>)> {
    match store.pull(request) {
        Ok(page) => {
            let records = page.items.iter().flat_map(|items| check_items_of(store, items)).collect();
            assert!(page.next.is_none() || page.next != request.cursor, "it goes on where it is");
            let asked = match &request.select {
                Select::Ids(ids) => ids.as_slice(),
                _ => &[],
            };
            assert!(page.missing.iter().all(|id| asked.contains(id)));
            assert!(page.missing.len() <= asked.len(), "an id is missing twice");
            Some((page, records))
        }
        Err(error) => {
            check_error(&error);
            assert!(!matches!(error.code(), "circuit_open" | "limiter_wait_too_long"), "{error}");
            None
        }
    }
}

/// The answers to a push of two products: one a patch, and none is accepted of a status that is no success, or where the
/// bytes lack a word that a success has.
pub fn check_push<C: Connector>(store: &Store<C>, status: u16, body: &Bytes, word: &str) {
    let ids = ["7001", "9002"];
    let patch = |id: &'static str| {
        let value = PatchValue::Text { text: "Cap".into(), raw: None };
        let change = PatchField::new(FieldName::new("title"), value, CellValue::Absent);
        let target = RecordRef::new(store.connector.info().store.platform.clone(), Entity::Product, id);
        Patch::new(target, vec![change])
    };
    let answers = match store.push(ids.map(patch).to_vec()) {
        Ok(answers) => answers,
        Err(error) => return check_error(&error),
    };
    assert_eq!(answers.len(), ids.len());
    for (answer, id) in answers.iter().zip(ids) {
        assert_eq!((answer.target.id.as_str(), answer.fields.len()), (id, 1));
        for (_, said) in &answer.fields {
            match said {
                FieldAnswer::Accepted => {
                    let has_word =
                        word.is_empty() || body.windows(word.len()).any(|part| part == word.as_bytes());
                    assert!(status < 300 && has_word, "{id} was taken by no answer of the store");
                }
                FieldAnswer::Refused { code, why } => {
                    assert!(!code.is_empty() && code.len() <= 100 && !code.chars().any(char::is_control));
                    assert!(why.len() < 1000 && !why.chars().any(char::is_control), "{why:?}");
                }
                FieldAnswer::Unknown { why } => {
                    assert!(why.len() < 1000 && !why.chars().any(char::is_control), "{why:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A delivery: its headers, one a line, an empty line, and its body.
pub fn delivery(data: &[u8]) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let value = line[colon + 1..].trim_ascii();
        let header = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = header {
            headers.append(name, value);
        }
    }
    (headers, Bytes::copy_from_slice(rest))
}

/// An input in two: its first byte, and the rest.
pub fn first(data: &[u8]) -> Option<(usize, Bytes)> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first), Bytes::copy_from_slice(rest)))
}
