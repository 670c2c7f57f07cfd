//! The body of an answer of any status: the first byte chooses it.
#![no_main]

use lily_connect::connector::{PullRequest, Purpose};
use lily_connect::error::ErrorKind;
use lily_connect::model::{Entity, ExternalId};
use lily_connect_fuzz::{Canned, STORE, check_error, first};

const STATUS: [u16; 16] = [400, 401, 403, 404, 405, 409, 410, 413, 418, 429, 500, 501, 502, 503, 302, 204];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let status = STATUS[choice % STATUS.len()];
    let request =
        PullRequest::by_ids(Entity::Product, vec![ExternalId::from("7".to_owned())], Purpose::Guard);
    STORE.answer(vec![("", Canned { status, ..Canned::ok(body) })]);
    match STORE.pull(&request) {
        Ok(page) => assert!(status == 204 || !page.missing.is_empty(), "status {status} gave a record"),
        Err(error) => {
            check_error(&error);
            assert_ne!(error.kind(), ErrorKind::Config, "{error}");
            assert!(
                !matches!(error.code(), "circuit_open" | "limiter_wait_too_long" | "asked_again"),
                "{error}"
            );
        }
    }
});
