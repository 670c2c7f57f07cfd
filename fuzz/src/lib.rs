//! What the fuzz targets share: a store whose answers are the fuzzed bytes, and the properties that they assert.

mod store;

use bytes::Bytes;
use lily_connect::error::Error;
use lily_connect::mapping::MappedPage;
use lily_connect::model::{RawItems, Record, Shape};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use store::{Canned, STORE, Store, profile};

/// Maps items: every element becomes a record or a rejection, and records are whole.
pub fn check_items(items: &RawItems) {
    let elements = match items.shape {
        Shape::One => Some(1),
        _ => serde_json::from_slice::<Vec<&RawValue>>(&items.body).ok().map(|all| all.len()),
    };
    match STORE.map(items) {
        // Within texts that no rule reads, a map looks for their end only: a strict reader may refuse the body.
        Ok(mapped) => check_mapped(&mapped, elements),
        Err(error) => {
            check_error(&error);
            assert!(elements.is_none() || items.shape == Shape::One, "an array of JSON was refused");
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

/// An input in two: its first byte, and the rest.
pub fn first(data: &[u8]) -> Option<(usize, Bytes)> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first), Bytes::copy_from_slice(rest)))
}
