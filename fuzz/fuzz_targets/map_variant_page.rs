//! A page of variations, through the map.
#![no_main]

use bytes::Bytes;
use lily_connect::model::{Entity, RawItems, Shape};
use lily_connect_fuzz::check_items;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    check_items(&RawItems::new(Entity::Variant, Bytes::copy_from_slice(data), Shape::List));
});
