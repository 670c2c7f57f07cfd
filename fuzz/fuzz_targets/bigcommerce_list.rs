//! A page of a list of BigCommerce: the first byte chooses the list and what is asked of it.
//!
//! Each id that was asked for is found or missing.
#![no_main]

use lily_connect::connector::{Connector, Detail, PullRequest, Purpose};
use lily_connect::model::ExternalId;
use lily_connect_fuzz::{BIGCOMMERCE, Canned, check_pull, first};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let entities = &BIGCOMMERCE.connector.capabilities().entities;
    let claims = &entities[choice % entities.len()];
    let mut request = PullRequest::all(claims.entity);
    match choice / 4 % 4 {
        1 if claims.ids_only => request.detail = Detail::IdsOnly,
        2 if claims.by_ids => {
            let ids = ["7", "9"].map(|id| ExternalId::from(id.to_owned()));
            request = PullRequest::by_ids(claims.entity, ids.to_vec(), Purpose::Guard);
        }
        _ => {}
    }
    BIGCOMMERCE.answer(vec![("", Canned::ok(body))]);
    check_pull(&BIGCOMMERCE, &request);
});
