//! A page of a list of Magento: the first byte chooses the list and what is asked of it.
//!
//! What is read beside it is empty. Each id that was asked for is found or missing.
#![no_main]

use bytes::Bytes;
use lily_connect::connector::{Connector, Detail, PullRequest, Purpose};
use lily_connect::model::{Entity, ExternalId};
use lily_connect_fuzz::{Canned, MAGENTO, check_pull, first};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let entities = &MAGENTO.connector.capabilities().entities;
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
    let empty = || Canned::ok(Bytes::from_static(br#"{"items":[],"total_count":0}"#));
    let list = if claims.entity == Entity::Category { "/categories/list?" } else { "/V1/products?" };
    MAGENTO.answer(vec![(list, Canned::ok(body)), ("", empty())]);
    check_pull(&MAGENTO, &request);
});
