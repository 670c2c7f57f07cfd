//! An answer of Shopify's graph: the first byte chooses what was asked, and the status.
//!
//! A record is whole, each id that was asked for is found or missing, and no write is accepted where the bytes do not say
//! whether it had errors.
#![no_main]

use lily_connect::connector::{Connector, Detail, PullRequest, Purpose};
use lily_connect::model::ExternalId;
use lily_connect_fuzz::{Canned, SHOPIFY, check_pull, check_push, first};

const STATUS: [u16; 8] = [200, 200, 200, 200, 200, 200, 429, 503];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let status = STATUS[choice / 32 % STATUS.len()];
    SHOPIFY.answer(vec![("", Canned { status, ..Canned::ok(body.clone()) })]);
    let entities = &SHOPIFY.connector.capabilities().entities;
    let claims = &entities[choice % entities.len()];
    let mut request = PullRequest::all(claims.entity);
    match choice / 4 % 4 {
        0 => return check_push(&SHOPIFY, status, &body, "userErrors"),
        1 if claims.ids_only => request.detail = Detail::IdsOnly,
        2 if claims.by_ids => {
            let ids = ["7", "9"].map(|id| ExternalId::from(id.to_owned()));
            request = PullRequest::by_ids(claims.entity, ids.to_vec(), Purpose::Guard);
        }
        _ => {}
    }
    check_pull(&SHOPIFY, &request);
});
