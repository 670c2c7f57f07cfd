//! A page of variations. A body of an even length comes with the list's size, another one without.
#![no_main]

use lily_connect::connector::PullRequest;
use lily_connect::model::Entity;
use lily_connect_fuzz::{Canned, check_page};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let total = data.len().is_multiple_of(2).then_some(100);
    check_page(&PullRequest::all(Entity::Variant), Canned { total, ..Canned::ok(data) });
});
