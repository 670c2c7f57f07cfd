//! Ranges of days: certificates, resumption, the profile, what is not offered.

use std::num::NonZeroU32;
use std::sync::Arc;

use lily_connect::connector::{Connector, PullRequest, Severity, Total};
use lily_connect::doctor;
use lily_connect::model::performance::SubjectKind;
use lily_connect::model::{Entity, Field, FieldChange, StoreProfile};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{CheckOutcome, Pull, Push, Rule, Verdict};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::time::Days;
use lily_connect::{Cancel, Enrichment, ErrorKind, JsonlSink};
use serde_json::json;

use crate::bench::{PROPERTY, bench, bench_with, config, pulled};

#[tokio::test]
async fn a_range_of_days_ends_in_a_certificate_that_tells_rows_and_quality() {
    let bench = bench(6, 5).await;
    bench.fake.change(PROPERTY, |property| {
        property.conditions.sampled = Some((250, 1000));
        property.conditions.truncation = Some("DATA_TRUNCATION_TYPE_PROPERTY");
        property.conditions.threshold = Some(1);
    });
    let (certificate, records) = bench.pulled(bench.last(5)).await;
    assert_eq!(records.len(), 5 * (6 + 5));
    assert_eq!(certificate.verdict, Verdict::Complete);
    let of = |rule| certificate.checks.iter().find(|check| check.rule == rule).unwrap().outcome;
    assert_eq!((of(Rule::CountAgrees), of(Rule::PagesOverlap)), (CheckOutcome::Held, CheckOutcome::Held));
    assert_eq!(of(Rule::SweepAgrees), CheckOutcome::NotNeeded);
    let measured = certificate.measured.as_ref().unwrap();
    assert_eq!((measured.rows.rows, measured.rows.sampled), (55, 55));
    assert_eq!((measured.rows.truncated, measured.rows.thresholded), (55, 55));
    assert_eq!((measured.rows.provisional, measured.rows.remainders), (3 * 11, 5 * 2));
    let text = certificate.to_string();
    assert!(text.contains("55 sampled") && text.contains("next range begins"), "{text}");
    assert_eq!(certificate.next_since, None);

    let record = records.iter().find(|it| it.subject.kind == Some(SubjectKind::Page)).unwrap();
    assert!(record.quality.is_degraded() && record.quality.sampled_share.unwrap().to_string() == "0.250000");
    assert_eq!(record.time_zone, Field::Value("America/Los_Angeles".into()));
    let item = records.iter().find(|it| it.subject.kind == Some(SubjectKind::Item)).unwrap();
    assert_eq!(item.revenue.value().unwrap().currency().as_str(), "USD");
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_and_counts_each_row_once() {
    let bench = bench(20, 10).await;
    let days = bench.last(3);
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.jsonl");
    let small = NonZeroU32::new(7).unwrap();
    let pull = Pull::new(bench.connector(), state, Entity::Performance).window(days).page_size(small);
    for after in 2..6 {
        let mut sink = JsonlSink::create(&path).unwrap();
        let rule = FaultRule::new(Fault::status(400)).on_path(":").after(after).times(100);
        bench.server.faults().push(rule);
        assert!(pull.run(&mut sink, &|_| {}).await.is_err());
        bench.server.faults().clear();
        drop(sink);
    }
    let cancelled = Cancel::default();
    cancelled.cancel();
    let mut sink = JsonlSink::create(&path).unwrap();
    let error = pull.clone().cancel(cancelled).run(&mut sink, &|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
    assert_eq!(sink.finish().await.unwrap().records, 3 * 30);
    assert_eq!((certificate.records, certificate.measured.unwrap().rows.rows), (90, 90));
}

#[tokio::test]
async fn a_checkpoint_of_other_settings_is_not_gone_on_from() {
    let bench = bench(20, 10).await;
    let other = config(&bench.server.url(), &bench.file).skip_empty(true).build().unwrap();
    let other: Arc<dyn Connector> = Arc::new(other.connect(&bench.runtime).await.unwrap());
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.jsonl");
    let pull = |connector: Arc<dyn Connector>| {
        let pull = Pull::new(connector, state.clone(), Entity::Performance).window(bench.last(3));
        pull.page_size(NonZeroU32::new(7).unwrap())
    };
    let mut sink = JsonlSink::create(&path).unwrap();
    bench.server.faults().push(FaultRule::new(Fault::status(400)).on_path(":").after(4).times(100));
    assert!(pull(bench.connector()).run(&mut sink, &|_| {}).await.is_err());
    assert!(pull(bench.connector()).checkpoint().await.unwrap().unwrap().delivered > 0);
    bench.server.faults().clear();
    let certificate = pull(other).run(&mut sink, &|_| {}).await.unwrap();
    // Rows without a key are left out, on each of the days, and those that were there before are gone.
    assert_eq!((certificate.records, certificate.measured.unwrap().rows.empty_filtered), (84, 84));
    sink.finish().await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 84);
    assert!(text.lines().all(|line| line.contains("\"empty_filtered\":true")));
}

#[tokio::test]
async fn an_empty_range_is_an_answer_and_no_error() {
    let bench = bench_with(|fake| fake.add_property(PROPERTY, |_| {}), |settings| settings).await;
    let (certificate, records) = bench.pulled(bench.last(30)).await;
    assert!(records.is_empty());
    assert_eq!((certificate.verdict, certificate.measured.unwrap().rows.rows), (Verdict::Complete, 0));
}

#[tokio::test]
async fn a_seeded_property_has_its_last_day_once_today_is_over_too() {
    let bench = bench(2, 3).await;
    bench.clock.advance(std::time::Duration::from_secs(24 * 3600));
    let (certificate, records) = bench.pulled(bench.last(7)).await;
    assert_eq!((records.len(), certificate.verdict), (7 * (2 + 3), Verdict::Complete));
}

#[tokio::test]
async fn a_property_with_pages_alone_or_without_empty_keys_is_read_so() {
    let pages =
        bench_with(|fake| fake.seed_property(PROPERTY, 4, 5, 3), |it| it.items(false).skip_empty(true)).await;
    let (certificate, records) = pages.pulled(pages.last(3)).await;
    assert_eq!((records.len(), certificate.verdict), (3 * 4, Verdict::Complete));
    assert!(records.iter().all(|it| it.quality.empty_filtered && it.subject.remainder.is_none()));
    assert_eq!(certificate.measured.unwrap().rows.empty_filtered, 12);
    let items = bench_with(|fake| fake.seed_property(PROPERTY, 4, 5, 3), |it| it.pages(false)).await;
    let small = NonZeroU32::new(3).unwrap();
    let (certificate, records) = pulled(&items.pull(items.last(3)).page_size(small)).await;
    assert_eq!((records.len(), certificate.verdict), (12, Verdict::Complete));
}

#[tokio::test]
async fn visits_from_search_are_a_report_of_their_own_where_they_are_asked_for() {
    let bench = bench_with(|fake| fake.seed_property(PROPERTY, 4, 5, 3), |it| it.search_landings(true)).await;
    let days = bench.last(3);
    let (certificate, whole) = bench.pulled(days).await;
    assert_eq!((whole.len(), certificate.verdict), (3 * (4 + 5 + 5), Verdict::Complete));
    let small = NonZeroU32::new(4).unwrap();
    let (certificate, records) = pulled(&bench.pull(days).page_size(small)).await;
    assert_eq!((&records, certificate.verdict), (&whole, Verdict::Complete));
    let is_landing = |kind| kind == Some(SubjectKind::SearchLanding);
    let landings: Vec<_> = records.iter().filter(|it| is_landing(it.subject.kind)).collect();
    assert_eq!(landings.len(), 15);
    // Those that came by another channel are in none of them.
    let stored = bench.fake.property(PROPERTY).unwrap();
    for landing in landings {
        let (day, path) = (*landing.day.value().unwrap(), landing.subject.key.value());
        let path = path.map_or("(not set)", |path| path.as_str()).to_owned();
        let numbers = &stored.landings[&(day, path, "Organic Search".to_owned())];
        assert_eq!(landing.counts.sessions.value(), Some(&numbers["sessions"]));
        assert!(landing.counts.page_views.is_absent());
        assert_eq!(landing.revenue.value().unwrap().amount(), numbers["totalRevenue"].to_string());
        assert_eq!(landing.subject.remainder.is_some(), landing.reference.id.as_str().ends_with("(not set)"));
    }
    let alone = |it: lily_connect::connectors::ga4::Ga4Builder| {
        it.search_landings(true).items(false).pages(false).skip_empty(true).page_prefix("/products/")
    };
    let alone = bench_with(|fake| fake.seed_property(PROPERTY, 4, 5, 3), alone).await;
    let (certificate, records) = pulled(&alone.pull(alone.last(3)).page_size(small)).await;
    assert_eq!((records.len(), certificate.verdict), (12, Verdict::Complete));
    assert!(records.iter().all(|it| it.subject.identity.slug.is_some()));
    assert!(doctor::examine(&*alone.connector).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn the_first_page_tells_how_many_rows_there_are_in_one_call() {
    let bench = bench(6, 5).await;
    bench.server.traffic().clear();
    let page =
        bench.connector.pull_page(&PullRequest::window(Entity::Performance, bench.last(2))).await.unwrap();
    assert_eq!(page.total, Total::Exact(22));
    // One for a token, which the connection has already; one batch of both reports.
    assert_eq!(bench.server.traffic().requests(), 1);
}

#[tokio::test]
async fn a_range_that_is_too_long_or_in_the_future_is_refused_and_so_is_what_is_not_claimed() {
    let bench = bench(2, 2).await;
    let today = bench.today();
    let calls = bench.fake.calls();
    let refused = |days: Days| {
        let request = PullRequest::window(Entity::Performance, days);
        let connector = bench.connector();
        async move { connector.pull_page(&request).await.unwrap_err().code().to_owned() }
    };
    let long = Days::new(today.saturating_sub(366), today).unwrap();
    assert_eq!(refused(long).await, "window_too_long");
    let ahead = Days::new(today, today.saturating_add(1)).unwrap();
    assert_eq!(refused(ahead).await, "window_in_future");
    let all = bench.connector.pull_page(&PullRequest::all(Entity::Performance)).await.unwrap_err();
    assert_eq!((all.kind(), all.code()), (ErrorKind::Unsupported, "list_unsupported"));
    assert_eq!(bench.fake.calls(), calls);
}

#[tokio::test]
async fn plans_and_undos_are_unsupported() {
    let bench = bench(2, 2).await;
    let push = Push::new(bench.connector(), Arc::new(MemoryState::new()), bench.runtime.clone());
    let mut enrichment: Enrichment = serde_json::from_value(json!({
        "ref": {"platform": "ga4", "kind": "product", "id": "1"}, "made_at": "2026-11-22T00:00:00Z", "fields": {},
    }))
    .unwrap();
    enrichment
        .fields
        .insert("title".to_owned().into(), FieldChange { value: Some("x".into()), ..FieldChange::default() });
    let error = push.plan(&[enrichment]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "push_unsupported"));
}

#[tokio::test]
async fn without_the_admin_api_a_report_tells_time_zone_and_currency() {
    let seed = |fake: &lily_connect::testkit::ga4::Ga4Fake| {
        fake.seed_property(PROPERTY, 2, 2, 3);
        fake.change(PROPERTY, |property| {
            property.time_zone = "Europe/Vienna".to_owned();
            property.currency = "EUR".to_owned();
            property.conditions.admin_api_off = true;
        });
    };
    let bench = bench_with(seed, |settings| settings).await;
    let profile = &bench.connector.info().profile;
    assert_eq!(profile.time_zone.as_deref(), Some("Europe/Vienna"));
    assert_eq!(profile.currency, Some("EUR".parse().unwrap()));
    let report = doctor::examine(&*bench.connector).await.unwrap();
    let warned = report.findings.iter().find(|finding| finding.code == "api_disabled").unwrap();
    assert_eq!(warned.severity, Severity::Warning);
}

#[tokio::test]
async fn a_time_zone_that_is_not_known_is_an_error_and_no_guess() {
    let bench = bench(1, 1).await;
    bench.fake.change(PROPERTY, |property| property.time_zone = "Mars/Olympus".to_owned());
    let config = config(&bench.server.url(), &bench.file);
    let error = config.clone().build().unwrap().connect(&bench.runtime).await.unwrap_err();
    assert_eq!(error.code(), "time_zone_unknown");
    let blind = config.profile(StoreProfile::unknown()).build().unwrap();
    let blind = blind.connect(&bench.runtime).await.unwrap();
    let request = PullRequest::window(Entity::Performance, bench.last(1));
    assert_eq!(blind.pull_page(&request).await.unwrap_err().code(), "time_zone_missing");
}
