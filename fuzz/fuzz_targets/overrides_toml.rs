//! Overrides of a map: what they make of the rules compiles, and an error says where.
#![no_main]

use std::sync::LazyLock;

use lily_connect::connector::Connector;
use lily_connect::error::ErrorKind;
use lily_connect::mapping::{Overrides, Rule, SchemaMap};
use lily_connect::model::{Entity, Platform};
use lily_connect_fuzz::{STORE, check_error};

static OWN: LazyLock<[(Entity, Vec<Rule>); 2]> = LazyLock::new(|| {
    [Entity::Product, Entity::Variant]
        .map(|entity| (entity, STORE.connector.schema(entity).unwrap().rules().to_vec()))
});

libfuzzer_sys::fuzz_target!(|text: &str| {
    let located = |error: lily_connect::Error| {
        assert!(
            error.kind() == ErrorKind::TooLarge || error.context().iter().any(|(name, _)| *name == "line")
        );
        check_error(&error);
    };
    let overrides = match Overrides::parse(text) {
        Ok(overrides) => overrides,
        Err(error) => return located(error),
    };
    for (entity, rules) in OWN.iter() {
        match overrides.apply(*entity, rules) {
            Ok(changed) => {
                SchemaMap::compile(Platform::new("fuzz"), *entity, &changed).unwrap();
                assert!(!overrides.is_empty() || changed == *rules);
            }
            Err(error) => located(error),
        }
    }
});
