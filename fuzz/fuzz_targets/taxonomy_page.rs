//! A page of categories, tags, brands, attributes or values, through the map: the first byte chooses the kind.
#![no_main]

use lily_connect::connectors::woocommerce::PLATFORM;
use lily_connect::model::{Entity, RawItems, RecordRef, Shape};
use lily_connect_fuzz::{check_items, first};

const KINDS: [Entity; 5] =
    [Entity::Category, Entity::Tag, Entity::Brand, Entity::Attribute, Entity::AttributeValue];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = first(data) else { return };
    let items = RawItems::new(KINDS[kind % KINDS.len()], body, Shape::List);
    if items.entity == Entity::AttributeValue {
        check_items(&items.below(RecordRef::new(PLATFORM, Entity::Attribute, "3")));
    } else {
        check_items(&items);
    }
});
