//! Overrides of a map: what they make of the rules compiles, and an error says where.
#![no_main]

use lily_connect::connector::Connector;
use lily_connect::error::ErrorKind;
use lily_connect::mapping::{Overrides, Rule, SchemaMap};
use lily_connect::model::{Entity, Platform};
use lily_connect_fuzz::{check_error, profile, with_store};

thread_local!(static OWN: Vec<(Entity, Vec<Rule>)> = with_store(|store| {
    let connector = store.connect(Some(profile()))?;
    let rules = |entity| (entity, connector.schema(entity).unwrap().rules().to_vec());
    Ok([Entity::Product, Entity::Variant].map(rules).to_vec())
}).unwrap());

libfuzzer_sys::fuzz_target!(|text: &str| {
    let located = |error: lily_connect::Error| {
        assert!(error.kind() == ErrorKind::TooLarge || error.context().iter().any(|(name, _)| *name == "line"));
        check_error(&error);
    };
    let overrides = match Overrides::parse(text) {
        Ok(overrides) => overrides,
        Err(error) => return located(error),
    };
    OWN.with(|own| {
        for (entity, rules) in own {
            match overrides.apply(*entity, rules) {
                Ok(changed) => {
                    SchemaMap::compile(Platform::new("fuzz"), *entity, &changed).unwrap();
                    assert!(!overrides.is_empty() || changed == *rules);
                }
                Err(error) => located(error),
            }
        }
    });
});
