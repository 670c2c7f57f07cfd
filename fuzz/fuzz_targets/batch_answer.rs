//! The answer to a push of two products: the first byte chooses its status.
//!
//! There is one answer a patch, and none is accepted where the bytes do not name its id without an error.
#![no_main]

use std::collections::HashMap;

use lily_connect::connector::{FieldAnswer, Patch, PatchField, PatchValue};
use lily_connect::connectors::woocommerce::PLATFORM;
use lily_connect::model::{CellValue, Entity, FieldName, RecordRef};
use lily_connect_fuzz::{Canned, STORE, check_error, first};
use serde_json::value::RawValue;

const STATUS: [u16; 8] = [200, 200, 200, 201, 400, 413, 503, 302];
const IDS: [u64; 2] = [7, 9];

fn patch(id: u64) -> Patch {
    let change = |field: &'static str, text: &str| {
        let value = PatchValue::Text { text: text.into(), raw: None };
        PatchField::new(FieldName::new(field), value, CellValue::Absent)
    };
    let target = RecordRef::new(PLATFORM, Entity::Product, id.to_string());
    Patch::new(target, vec![change("title", "Cap"), change("description", "<p>Warm</p>")])
}

/// Whether the bytes, or what follows a plugin's noise, name an id at its place without an error.
///
/// What nobody reads may hold texts that are none, as a text with half a character is.
fn names(body: &[u8], at: usize) -> bool {
    type Object<'a> = HashMap<String, &'a RawValue>;
    // Blanks at its ends do not count, a form feed among them.
    let text = String::from_utf8_lossy(body.trim_ascii());
    let item = |start: usize| -> Option<bool> {
        let answer: Object<'_> = serde_json::from_str(&text[start..]).ok()?;
        let update: Vec<&RawValue> = serde_json::from_str(answer.get("update")?.get()).ok()?;
        let item: Object<'_> = serde_json::from_str(update.get(at)?.get()).ok()?;
        let is_ours = item.get("id").is_some_and(|id| id.get() == IDS[at].to_string());
        Some(is_ours && item.get("error").is_none_or(|error| error.get() == "null"))
    };
    text.match_indices('{').any(|(start, _)| item(start) == Some(true))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let status = STATUS[choice % STATUS.len()];
    STORE.answer(vec![("", Canned { status, ..Canned::ok(body.clone()) })]);
    let answers = match STORE.push(IDS.map(patch).to_vec()) {
        Ok(answers) => answers,
        Err(error) => {
            assert!(status >= 300, "a batch that was answered is no error: {error}");
            return check_error(&error);
        }
    };
    assert_eq!(answers.len(), IDS.len());
    for (at, (answer, id)) in answers.iter().zip(IDS).enumerate() {
        assert_eq!((answer.target.id.as_str(), answer.fields.len()), (&*id.to_string(), 2));
        for (_, said) in &answer.fields {
            match said {
                FieldAnswer::Accepted => {
                    assert!(status < 300 && names(&body, at), "{id} was taken by no answer of the store");
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
});
