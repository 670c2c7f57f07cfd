//! JSON as PHP writes it: an empty object is an empty array, and a list with gaps is an object.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A list; none where it is something else. `null`, and what is not there, is an empty one.
pub(super) fn list<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<Vec<T>> {
    let Some(raw) = raw else { return Some(Vec::new()) };
    let text = raw.get();
    match text.as_bytes().first()? {
        b'[' => serde_json::from_str(text).ok(),
        b'{' => {
            let all: BTreeMap<String, T> = serde_json::from_str(text).ok()?;
            let mut all: Vec<(String, T)> = all.into_iter().collect();
            // By their places, of which the tenth comes behind the second.
            all.sort_by_key(|(place, _)| place.parse::<u64>().unwrap_or(u64::MAX));
            Some(all.into_iter().map(|(_, one)| one).collect())
        }
        b'n' => Some(Vec::new()),
        _ => None,
    }
}

/// An object; none where it is something else. `null`, an empty array, and what is not there, is an empty one.
pub(super) fn object<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>) -> Option<T> {
    let Some(raw) = raw else { return Some(T::default()) };
    let text = raw.get();
    match text.as_bytes().first()? {
        b'{' => serde_json::from_str(text).ok(),
        b'[' => serde_json::from_str::<[(); 0]>(text).ok().map(|_| T::default()),
        b'n' => Some(T::default()),
        _ => None,
    }
}

/// A whole number, which may stand in a text.
pub(super) fn number(raw: Option<&RawValue>) -> Option<u64> {
    raw?.get().trim_matches('"').parse().ok()
}

/// A truth value, which may be a number or a text of one.
pub(super) fn truth(raw: Option<&RawValue>) -> Option<bool> {
    match raw?.get().trim_matches('"') {
        "1" | "true" => Some(true),
        "0" | "false" | "" => Some(false),
        _ => None,
    }
}

/// The texts of a value that is a text, a number, or a list of them.
pub(super) fn texts(raw: &RawValue) -> Option<Vec<String>> {
    let one = |raw: &RawValue| match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(raw.get()).ok(),
        b'-' | b'0'..=b'9' => Some(raw.get().to_owned()),
        b't' => Some("1".to_owned()),
        b'f' => Some("0".to_owned()),
        _ => None,
    };
    match raw.get().as_bytes().first()? {
        b'n' => Some(Vec::new()),
        b'[' | b'{' => list::<&RawValue>(Some(raw))?.into_iter().map(one).collect(),
        _ => one(raw).map(|text| vec![text]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn empty_arrays_and_keyed_objects_are_read_as_what_they_stand_for() {
        let numbers = |text: &str| list::<u64>(Some(&raw(text)));
        assert_eq!(numbers("[1,2]"), Some(vec![1, 2]));
        assert_eq!(numbers(r#"{"1":5,"3":7}"#), Some(vec![5, 7]));
        assert_eq!(numbers(r#"{"2":5,"9":6,"10":7}"#), Some(vec![5, 6, 7]));
        assert_eq!((numbers("null"), numbers("{}"), numbers("\"x\"")), (Some(vec![]), Some(vec![]), None));
        type Named = BTreeMap<String, u64>;
        let named = |text: &str| object::<Named>(Some(&raw(text)));
        assert_eq!(named(r#"{"a":1}"#), Some(Named::from([("a".to_owned(), 1)])));
        assert_eq!(
            (named("[]"), named("null"), named("[1]"), named("7")),
            (Some(Named::new()), Some(Named::new()), None, None)
        );
    }

    #[test]
    fn values_are_texts_or_lists_of_them() {
        let read = |text: &str| texts(&raw(text));
        let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#""a\u00e9""#), list(&["a\u{e9}"]));
        assert_eq!(read(r#"["11","12"]"#), list(&["11", "12"]));
        assert_eq!(read(r#"{"0":"11"}"#), list(&["11"]));
        assert_eq!((read("12.50"), read("null"), read("true")), (list(&["12.50"]), list(&[]), list(&["1"])));
        assert_eq!(read(r#"[{"a":1}]"#), None);
        assert_eq!((number(Some(&raw("\"7\""))), truth(Some(&raw("\"0\"")))), (Some(7), Some(false)));
    }
}
