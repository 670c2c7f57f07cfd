//! The body of an answer of Magento of any status, to a read by id and to a write: the first byte chooses it.
#![no_main]

use lily_connect::connector::{PullRequest, Purpose};
use lily_connect::error::ErrorKind;
use lily_connect::model::{Entity, ExternalId};
use lily_connect_fuzz::{Canned, MAGENTO, check_error, check_push, first};

const STATUS: [u16; 16] = [400, 401, 403, 404, 405, 409, 410, 413, 418, 429, 500, 501, 502, 503, 302, 204];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let status = STATUS[choice % STATUS.len()];
    let canned = || vec![("", Canned { status, ..Canned::ok(body.clone()) })];
    MAGENTO.answer(canned());
    if choice / 16 % 2 == 1 {
        return check_push(&MAGENTO, status, &body, "");
    }
    let ids = vec![ExternalId::from("7".to_owned())];
    match MAGENTO.pull(&PullRequest::by_ids(Entity::Product, ids, Purpose::Guard)) {
        Ok(page) => assert!(status == 204 || !page.missing.is_empty(), "status {status} gave a record"),
        Err(error) => {
            check_error(&error);
            assert_ne!(error.kind(), ErrorKind::Config, "{error}");
        }
    }
});
