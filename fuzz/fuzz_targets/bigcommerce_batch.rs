//! BigCommerce's answer to a push of two products: the first byte chooses its status.
//!
//! There is one answer a patch, and none is accepted of a status that is no success: what a success wrote, a read shows.
#![no_main]

use lily_connect_fuzz::{BIGCOMMERCE, Canned, check_push, first};

const STATUS: [u16; 8] = [200, 200, 200, 207, 422, 413, 503, 302];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let status = STATUS[choice % STATUS.len()];
    BIGCOMMERCE.answer(vec![("", Canned { status, ..Canned::ok(body.clone()) })]);
    check_push(&BIGCOMMERCE, status, &body, "");
});
