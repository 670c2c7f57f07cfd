//! What a connection is begun with, divided by NUL: index, currency, unit of mass, unit of length, probe.
#![no_main]

use lily_connect::connector::Connector;
use lily_connect_fuzz::{Canned, check_error, with_store};

const PATHS: [&str; 5] = ["data/currencies", "weight_unit", "dimension_unit", "/variations", "/wp-json"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut bodies = data.split(|byte| *byte == 0);
    let index = bodies.next().unwrap_or_default();
    let [currency, mass, length, probe] = std::array::from_fn(|_| bodies.next().unwrap_or(b"[]"));
    let answers = PATHS.into_iter().zip([currency, mass, length, probe, index].map(Canned::ok)).collect();
    let done = with_store(|store| {
        store.answer(answers);
        let connector = store.connect(None)?;
        let profile = &connector.info().profile;
        assert!(profile.currency.is_none_or(|currency| currency.as_str().len() == 3));
        assert!(profile.plugins.len() <= data.len());
        assert_eq!(&lily_connect_fuzz::again(profile), profile);
        Ok(())
    });
    if let Err(error) = done {
        check_error(&error);
    }
});
