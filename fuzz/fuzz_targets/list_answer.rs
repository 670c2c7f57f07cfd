//! A page of a list: the first byte chooses the list, what is asked of it, and its size.
//!
//! What comes next lies ahead, and an end is none while the store's count says that there is more. Each id that
//! was asked for is found or missing.
#![no_main]

use std::collections::HashMap;

use lily_connect::connector::{Detail, PullRequest, Purpose, Total};
use lily_connect::model::{Cursor, Entity, ExternalId};
use lily_connect_fuzz::{Canned, STORE, check_error, first};
use serde_json::value::RawValue;

const TOTALS: [Option<u64>; 4] = [None, Some(0), Some(150), Some(u64::MAX)];
const OFFSET: u64 = 99;

fn named(body: &[u8]) -> Vec<ExternalId> {
    let text = String::from_utf8_lossy(body);
    let all: Vec<HashMap<String, &RawValue>> = serde_json::from_str(&text).unwrap_or_default();
    all.iter().filter_map(|one| Some(ExternalId::from(one.get("id")?.get().to_owned()))).collect()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let ids = ["7", "9", "11"].map(|id| ExternalId::from(id.to_owned()));
    let total = TOTALS[choice % 4];
    let entity = [Entity::Product, Entity::Variant, Entity::Tag, Entity::Attribute][choice / 4 % 4];
    let mut request = PullRequest::all(entity).at((entity != Entity::Attribute).then(|| Cursor::new("99")));
    if choice / 16 % 2 == 1 {
        request.detail = Detail::IdsOnly;
    }
    if choice / 32 % 2 == 1 {
        request = PullRequest::by_ids(entity, ids.to_vec(), Purpose::Guard);
    }
    STORE.answer(vec![("", Canned { total, ..Canned::ok(body.clone()) })]);
    let page = match STORE.pull(&request) {
        Ok(page) => page,
        Err(error) => return check_error(&error),
    };
    if choice / 32 % 2 == 1 {
        let found = |id: &ExternalId| page.items.iter().any(|items| named(&items.body).contains(id));
        assert!(page.missing.len() <= 3);
        assert!(
            ids.iter().all(|id| page.missing.contains(id) || found(id)),
            "an id is neither found nor missing"
        );
        return;
    }
    assert_eq!(page.total, total.map_or(Total::NotGiven, Total::Exact));
    let mut last = OFFSET;
    for cursor in page.next.iter().chain(&page.ahead) {
        let next: u64 = cursor.as_str().parse().unwrap();
        assert!(next > last || next == u64::MAX, "{next} after {last}");
        last = next;
    }
    // A page of a full list that may be the last one is counted: it is, where nothing but the overlap is behind it.
    let count = serde_json::from_slice::<Vec<&RawValue>>(&body).map(|all| all.len() as u64);
    if let (Some(150), Detail::Full, Ok(count)) = (total, request.detail, count)
        && entity != Entity::Attribute
    {
        let is_last = count <= 1 || OFFSET + count >= 150;
        assert_eq!(page.next.is_none(), is_last, "{count} records from 99 of a list of 150");
    }
});
