//! A report's answer: the first byte chooses whether it is one on items, pages or visits from search, or a batch of all.
//!
//! Every row is a record or rejected. What stands for no one item or page has no key and is no product, and the next
//! position lies ahead.
#![no_main]

use lily_connect::connector::{Joint, PullRequest, Total};
use lily_connect::model::{Cursor, Entity, Record};
use lily_connect::time::Days;
use lily_connect_fuzz::{Canned, PROPERTIES, check_pull, first};

/// Behind ten rows of twenty of each report.
const BEHIND: &str = "10.20.20.20";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let store = &PROPERTIES[choice % PROPERTIES.len()];
    let days = Days::new("2026-11-01".parse().unwrap(), "2026-11-07".parse().unwrap()).unwrap();
    let cursor = (choice / 4 % 2 == 1).then(|| Cursor::new(BEHIND));
    let request = PullRequest::window(Entity::Performance, days).at(cursor.clone());
    store.answer(vec![("", Canned::ok(body))]);
    let Some((page, records)) = check_pull(store, &request) else { return };
    for record in &records {
        let Record::Performance(numbers) = record else { panic!("{record:?}") };
        let subject = &numbers.subject;
        let key = subject.key.value();
        assert_eq!(subject.remainder.is_some(), key.is_none(), "{record:?}");
        assert!(key.is_some() || subject.identity.is_empty(), "{record:?} is no product");
        let share = numbers.quality.sampled_share;
        assert!(share.is_none_or(|share| share.to_string().parse::<f64>().unwrap() <= 1.0), "{share:?}");
    }
    let Total::Exact(total) = page.total else { panic!("a report says how many rows it has") };
    let mut last = if cursor.is_some() { 10 } else { 0 };
    for cursor in page.next.iter().chain(&page.ahead) {
        let at: u64 = cursor.as_str().split('.').next().unwrap().parse().unwrap();
        assert!((at > last || records.len() < 2) && at < total, "{at} after {last} of {total}");
        last = at;
    }
    assert!(page.joint != Joint::Broken || cursor.is_some(), "nothing came before");
});
