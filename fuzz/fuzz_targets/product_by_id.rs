//! One product by its id, as the guard reads it.
#![no_main]

use lily_connect::connector::{PullRequest, Purpose};
use lily_connect::model::{Entity, ExternalId};
use lily_connect_fuzz::{Canned, check_page};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let request = PullRequest::by_ids(Entity::Product, vec![ExternalId::from("7".to_owned())], Purpose::Guard);
    check_page(&request, Canned::ok(data));
});
