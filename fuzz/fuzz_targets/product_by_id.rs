//! One product by its id, as the guard reads it: cleaned of noise, and mapped.
#![no_main]

use bytes::Bytes;
use lily_connect::connector::{PullRequest, Purpose};
use lily_connect::model::{Entity, ExternalId};
use lily_connect_fuzz::{Canned, STORE, check_error, check_items};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let request =
        PullRequest::by_ids(Entity::Product, vec![ExternalId::from("7".to_owned())], Purpose::Guard);
    STORE.answer(vec![("/products/7", Canned::ok(Bytes::copy_from_slice(data)))]);
    match STORE.pull(&request) {
        Ok(page) => {
            assert_eq!((page.items.len(), page.missing.len()), (1, 0));
            page.items.iter().for_each(check_items);
        }
        Err(error) => check_error(&error),
    }
});
