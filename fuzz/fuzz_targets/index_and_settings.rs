//! What a connection is begun with, divided by NUL: index, currency, unit of mass, unit of length, variations,
//! brands, status.
#![no_main]

use bytes::Bytes;
use lily_connect::connector::Connector;
use lily_connect_fuzz::{Canned, STORE, again, check_error};

/// By what its address holds; the index is what holds none of these.
const PARTS: [&str; 6] =
    ["data/currencies", "weight_unit", "dimension_unit", "/variations", "/brands", "system_status"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut bodies = data.split(|byte| *byte == 0).map(Bytes::copy_from_slice);
    let index = bodies.next().unwrap_or_default();
    let mut answers: Vec<_> = PARTS
        .into_iter()
        .map(|part| (part, Canned::ok(bodies.next().unwrap_or(Bytes::from_static(b"[]")))))
        .collect();
    // The key's own proof.
    answers.push(("v3/products", Canned::ok(Bytes::from_static(b"[{\"id\":7}]"))));
    answers.push(("", Canned::ok(index)));
    STORE.answer(answers);
    match STORE.connect() {
        Ok(connector) => {
            let profile = &connector.info().profile;
            assert!(profile.currency.is_none_or(|currency| currency.as_str().len() == 3));
            assert!(profile.plugins.len() <= data.len());
            assert_eq!(&again(profile), profile);
        }
        Err(error) => check_error(&error),
    }
});
