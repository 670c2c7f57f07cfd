//! Answers that are read beside the pull: the first byte chooses a report of one's own, fields, what goes together,
//! properties, custom dimensions or complaints about events.
//!
//! A page of a report has as many values a row as columns, and no more rows than were asked for.
#![no_main]

use lily_connect::connectors::ga4::{Event, Events, Report, Validation};
use lily_connect::time::Days;
use lily_connect_fuzz::{Canned, PROPERTIES, at_once, check_error, first};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let store = &PROPERTIES[0];
    let property = &store.connector;
    let days = Days::new("2026-11-01".parse().unwrap(), "2026-11-07".parse().unwrap()).unwrap();
    let report = Report::new(days).dimension("date").metric("sessions").rows(0, 3);
    store.answer(vec![("", Canned::ok(body.clone()))]);
    let error = match choice % 7 {
        0 => at_once(property.run_report(&report)).map(|page| {
            assert!(page.rows.len() <= 3 && page.rows.iter().all(|row| row.len() == page.columns.len()));
        }),
        1 => at_once(property.batch_run_reports(&[report.clone(), report])).map(|pages| {
            assert_eq!(pages.len(), 2);
        }),
        2 => at_once(property.metadata()).map(drop),
        3 => at_once(property.check_compatibility(&report)).map(drop),
        4 => at_once(property.list_properties()).map(|all| {
            assert!(
                all.iter()
                    .all(|it| body.windows(11).any(|part| part == b"properties/") && it.property < u64::MAX)
            );
        }),
        5 => at_once(property.custom_dimensions()).map(drop),
        _ => {
            let events = Events::new(vec![Event::content_applied("SKU-1", "v1").unwrap()]);
            at_once(property.validate_events(&events, Validation::Relaxed)).map(|complaints| {
                assert!(complaints.len() <= 1000);
            })
        }
    };
    if let Err(error) = error {
        check_error(&error);
    }
});
