//! The body of a refusal by Google: the first byte chooses its status.
//!
//! It gives no rows, and an error that quotes nothing of it.
#![no_main]

use lily_connect::connector::PullRequest;
use lily_connect::error::{ErrorKind, Retry};
use lily_connect::model::Entity;
use lily_connect::time::Days;
use lily_connect_fuzz::{Canned, PROPERTIES, check_error, first};

const STATUS: [u16; 10] = [400, 401, 403, 404, 409, 429, 500, 503, 504, 302];
const PLANTED: &str = "planted5e1f";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let status = STATUS[choice % STATUS.len()];
    let store = &PROPERTIES[0];
    let days = Days::new("2026-11-01".parse().unwrap(), "2026-11-07".parse().unwrap()).unwrap();
    store.answer(vec![("", Canned { status, ..Canned::ok(body) })]);
    let error = store.pull(&PullRequest::window(Entity::Performance, days)).unwrap_err();
    check_error(&error);
    assert_ne!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!matches!(error.code(), "circuit_open" | "limiter_wait_too_long"), "{error}");
    assert!(!format!("{error} {error:?}").to_lowercase().contains(PLANTED), "{error:?}");
    if let Retry::After(wait) = error.retry() {
        assert!(wait.as_secs() <= 26 * 3600, "{wait:?}");
    }
});
