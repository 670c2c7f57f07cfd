//! A line of the results of a write job: the first byte chooses its mutation.
//!
//! It is accepted only where it says its number, and that its mutation had no error.
#![no_main]

use lily_connect::connector::Connector;
use lily_connect::connector::{FieldAnswer, JobPart, LineAnswer};
use lily_connect_fuzz::{SHOPIFY, first};
use serde_json::{Value, json};

const KINDS: [&str; 2] = ["productUpdate", "metafieldsSet"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, line)) = first(data) else { return };
    let kind = KINDS[choice % KINDS.len()];
    let part = JobPart::new(kind, Vec::new());
    let answer = SHOPIFY.connector.write_jobs().unwrap().read_line(&part, &line);
    let LineAnswer::At(number, answer) = answer else { return };
    // What nobody reads may hold texts that are none, which a strict reader refuses.
    let Ok(said) = serde_json::from_str::<Value>(&String::from_utf8_lossy(&line)) else { return };
    assert_eq!(said["__lineNumber"], json!(number));
    match answer {
        FieldAnswer::Accepted => {
            let list = said["data"][kind].get("userErrors");
            assert!(list.is_some_and(|list| list.is_null() || *list == json!([])), "{said}");
            let errors = said.get("errors").is_none_or(|errors| errors.is_null() || *errors == json!([]));
            assert!(errors, "{said}");
        }
        FieldAnswer::Refused { code, why } => {
            assert!(!code.is_empty() && code.len() <= 100 && !code.chars().any(char::is_control));
            assert!(why.len() < 1000 && !why.chars().any(char::is_control), "{why:?}");
        }
        FieldAnswer::Unknown { why } => assert!(why.len() < 1000),
        other => panic!("{other:?}"),
    }
});
