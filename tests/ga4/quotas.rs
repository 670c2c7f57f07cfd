//! Quotas: read from each answer, shared by all who use a property, and waited for.

use std::time::Duration;

use lily_connect::connectors::ga4::Report;
use lily_connect::error::Retry;
use lily_connect::testkit::ga4::Ga4Fake;
use lily_connect::{Connector, ErrorKind};

use crate::bench::{PROPERTY, bench_with, config, config_of};

const OTHER: u64 = 777;

fn two_properties(fake: &Ga4Fake) {
    fake.seed_property(PROPERTY, 3, 3, 7);
    fake.seed_property(OTHER, 3, 3, 7);
    fake.change(PROPERTY, |property| property.quotas.tokens_of_a_report = 4000);
}

#[tokio::test]
async fn a_bucket_that_runs_low_parks_the_property_and_not_its_neighbour() {
    let bench = bench_with(two_properties, |settings| settings).await;
    let other = config_of(OTHER, &bench.server.url(), &bench.file);
    let other = other.build().unwrap().connect(&bench.runtime).await.unwrap();
    let report = Report::new(bench.last(1)).metric("sessions");
    // 14,000 an hour: after three reports of 4,000 the fourth would be refused.
    for _ in 0..3 {
        bench.connector.run_report(&report).await.unwrap();
    }
    let calls = bench.fake.calls();
    let error = bench.connector.run_report(&report).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    let Retry::After(wait) = error.retry() else { panic!("{error:?}") };
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(3605), "{wait:?}");
    assert_eq!(bench.fake.calls(), calls, "nothing is sent while it rests");
    // A pull of it is told the same, and one of another property goes on.
    other.run_report(&report).await.unwrap();

    // Its hour turns, and it goes on.
    bench.clock.advance(wait);
    bench.connector.run_report(&report).await.unwrap();
}

#[tokio::test]
async fn whoever_else_connects_to_a_parked_property_waits_too() {
    let bench = bench_with(two_properties, |settings| settings).await;
    let second = config(&bench.server.url(), &bench.file).profile(bench.connector.info().profile.clone());
    let second = second.build().unwrap().connect(&bench.runtime).await.unwrap();
    let report = Report::new(bench.last(1)).metric("sessions");
    for _ in 0..3 {
        bench.connector.run_report(&report).await.unwrap();
    }
    assert_eq!(second.run_report(&report).await.unwrap_err().kind(), ErrorKind::RateLimited);
}

#[tokio::test]
async fn the_bucket_of_a_day_is_waited_for_until_midnight_at_the_pacific() {
    let bench = bench_with(two_properties, |settings| settings).await;
    bench.fake.change(PROPERTY, |property| property.quotas.tokens_per_day = 5000);
    let report = Report::new(bench.last(1)).metric("sessions");
    bench.connector.run_report(&report).await.unwrap();
    let error = bench.connector.run_report(&report).await.unwrap_err();
    // It is noon there.
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(12 * 3600 + 5)));
    bench.clock.advance(Duration::from_secs(12 * 3600 + 6));
    assert!(bench.connector.run_report(&report).await.is_ok());
}

#[tokio::test]
async fn where_nobody_tells_of_the_quota_a_refusal_is_believed_after_a_few() {
    let bench = bench_with(two_properties, |settings| settings).await;
    bench.fake.change(PROPERTY, |property| property.conditions.quota_untold = true);
    let report = Report::new(bench.last(1)).metric("sessions");
    let mut before = bench.fake.calls();
    for _ in 0..4 {
        bench.connector.run_report(&report).await.unwrap();
    }
    before = bench.fake.calls() - before;
    assert_eq!(before, 4);
    // Refused: it may be the calls at a time, so twice more, and then the hour is waited for.
    let calls = bench.fake.calls();
    let error = bench.connector.run_report(&report).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::RateLimited, "quota_exhausted"));
    assert!(matches!(error.retry(), Retry::After(wait) if wait > Duration::from_secs(60)));
    assert_eq!(bench.fake.calls() - calls, 3);
    assert!(bench.connector.run_report(&report).await.is_err());
    assert_eq!(bench.fake.calls() - calls, 3);
}

#[tokio::test]
async fn a_pull_that_is_parked_ends_with_the_time_and_goes_on_from_there() {
    let bench = bench_with(two_properties, |settings| settings).await;
    let small = std::num::NonZeroU32::new(5).unwrap();
    let pull = bench.pull(bench.last(7)).page_size(small);
    let folder = tempfile::tempdir().unwrap();
    let mut sink = lily_connect::JsonlSink::create(folder.path().join("n.jsonl")).unwrap();
    let mut parked = 0;
    let certificate = loop {
        match pull.run(&mut sink, &|_| {}).await {
            Ok(certificate) => break certificate,
            Err(error) => {
                let Retry::After(wait) = error.retry() else { panic!("{error:?}") };
                parked += 1;
                assert!(parked < 20, "{error}");
                bench.clock.advance(wait);
            }
        }
    };
    assert!(parked > 1);
    assert_eq!(certificate.records, 7 * 6);
    assert!(certificate.is_complete(), "{certificate}");
}

#[tokio::test]
async fn a_property_that_others_keep_busy_is_left_alone_for_a_moment_and_not_for_an_hour() {
    let bench = bench_with(|fake| fake.seed_property(PROPERTY, 2, 2, 2), |settings| settings).await;
    let report = Report::new(bench.last(1)).metric("sessions");
    let others = |calls| bench.fake.change(PROPERTY, |it| it.conditions.calls_of_others = calls);
    let waited = || bench.runtime.clock().elapsed();
    // Ours is the last of the ten that there may be: the next one comes a little later.
    others(9);
    bench.connector.run_report(&report).await.unwrap();
    let began = waited();
    bench.connector.run_report(&report).await.unwrap();
    assert_eq!(waited() - began, Duration::from_secs(2));
    // Refused, and free again when it is asked once more.
    others(10);
    let is_report = |request: &lily_connect::testkit::exchange::Request| request.path.ends_with("eport");
    bench.fake.after_request(1, is_report, |fake| {
        fake.change(PROPERTY, |it| it.conditions.calls_of_others = 0);
    });
    let calls = bench.fake.calls();
    bench.connector.run_report(&report).await.unwrap();
    assert_eq!(bench.fake.calls() - calls, 2);
    assert!(waited() - began < Duration::from_secs(60));
}
