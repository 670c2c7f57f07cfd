//! What the doctor finds, each finding in a property that has the fault and none in a sound one.

use lily_connect::connector::Severity;
use lily_connect::connectors::ga4::Ga4Builder;
use lily_connect::doctor::{self, Report};
use lily_connect::model::Secret;

use crate::bench::{Bench, PROPERTY, bench, bench_with, config};

async fn examine(bench: &Bench) -> Report {
    let report = doctor::examine(&*bench.connector).await.unwrap();
    for finding in &report.findings {
        assert!(!finding.evidence.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
    }
    report
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[tokio::test]
async fn doctor_names_what_stands_in_the_way() {
    let sound = bench(2, 2).await;
    let report = examine(&sound).await;
    assert!(report.findings.is_empty(), "{report}");
    sound.fake.change(PROPERTY, |property| property.conditions.restricted = vec!["itemRevenue".to_owned()]);
    let report = examine(&sound).await;
    assert_eq!(report.findings[0].code, "metric_hidden");
    sound.fake.change(PROPERTY, |property| property.conditions.no_role = true);
    let report = examine(&sound).await;
    assert!(
        report.findings.iter().any(|it| it.code == "property_forbidden" && it.severity == Severity::Error)
    );
    sound.fake.change(PROPERTY, |property| {
        (property.conditions.no_role, property.conditions.data_api_off) = (false, true);
    });
    let report = examine(&sound).await;
    assert!(report.findings.iter().any(|it| it.code == "api_disabled" && it.severity == Severity::Error));
}

#[tokio::test]
async fn what_limits_the_numbers_is_told_for_each_report() {
    let bench = bench(8, 3).await;
    bench.fake.change(PROPERTY, |property| {
        let conditions = &mut property.conditions;
        conditions.sampled = Some((1, 4));
        conditions.threshold = Some(1);
        conditions.truncation = Some("DATA_TRUNCATION_TYPE_PROPERTY");
    });
    let report = examine(&bench).await;
    let each = ["numbers_sampled", "numbers_thresholded", "numbers_truncated"];
    for code in each {
        let of: Vec<_> = report.findings.iter().filter(|it| it.code == code).collect();
        assert_eq!(of.len(), 2, "{report}");
        assert!(of[0].evidence.starts_with("of items") && of[1].evidence.starts_with("of pages"), "{report}");
        assert!(of.iter().all(|it| it.severity == Severity::Warning));
    }
    assert_eq!(report.findings.len(), 6);
    bench.fake.change(PROPERTY, |property| {
        property.conditions = Default::default();
        property.conditions.most_items_a_day = Some(3);
    });
    let report = examine(&bench).await;
    assert_eq!(codes(&report), ["numbers_folded"]);
    assert!(report.findings[0].evidence.starts_with("of items"), "{report}");
}

#[tokio::test]
async fn a_property_in_which_nothing_is_measured_is_told() {
    let bench = bench_with(|fake| fake.add_property(PROPERTY, |_| {}), |settings| settings).await;
    assert_eq!(codes(&examine(&bench).await), ["nothing_measured", "nothing_measured"]);
}

#[tokio::test]
async fn a_quota_that_is_nearly_used_up_is_told_before_the_property_is_parked() {
    let bench = bench(2, 2).await;
    bench.fake.change(PROPERTY, |property| property.quotas.tokens_per_project_per_hour = 3000);
    let report = examine(&bench).await;
    assert_eq!(codes(&report), ["quota_low"]);
    assert!(report.findings[0].evidence.contains("the project's hour"), "{report}");
    bench.fake.change(PROPERTY, |property| {
        property.quotas.tokens_per_project_per_hour = 14_000;
        property.quotas.tokens_per_day = 30_000;
    });
    assert!(examine(&bench).await.findings[0].evidence.contains("the property's day"));
}

#[tokio::test]
async fn a_time_zone_and_a_currency_that_moved_are_told() {
    let bench = bench(2, 2).await;
    bench.fake.change(PROPERTY, |property| property.currency = "EUR".to_owned());
    assert_eq!(codes(&examine(&bench).await), ["currency_moved"]);
    bench.fake.change(PROPERTY, |property| {
        (property.currency, property.time_zone) = ("USD".to_owned(), "Europe/Vienna".to_owned());
    });
    assert_eq!(codes(&examine(&bench).await), ["time_zone_moved"]);
}

#[tokio::test]
async fn dimensions_that_exposure_needs_are_missed_where_events_are_sent() {
    let streamed = |it: Ga4Builder| it.stream("G-0000000123", Secret::new("mp-secret-of-the-stream"));
    let bench = bench_with(|fake| fake.seed_property(PROPERTY, 2, 2, 2), streamed).await;
    let report = examine(&bench).await;
    assert_eq!(codes(&report), ["custom_dimension_missing", "api_secret_unproved"]);
    assert!(report.findings[0].evidence.contains("lily_item, lily_version, lily_arm"), "{report}");
    let file = bench.fake.issue_account(&crate::tokens::key()).unwrap();
    let editor = config(&bench.server.url(), &file).edits(true).build().unwrap();
    let editor = editor.connect(&bench.runtime).await.unwrap();
    let wanted = lily_connect::connectors::ga4::CustomDimension::of_exposure();
    editor.create_custom_dimensions(&wanted[..2]).await.unwrap();
    assert!(examine(&bench).await.findings[0].evidence.ends_with("by lily_arm"));
    editor.create_custom_dimensions(&wanted).await.unwrap();
    assert_eq!(codes(&examine(&bench).await), ["api_secret_unproved"]);
}

#[tokio::test]
async fn a_stream_of_another_property_is_told() {
    let foreign = |it: Ga4Builder| it.stream("G-OTHER", Secret::new("x"));
    let bench = bench_with(|fake| fake.seed_property(PROPERTY, 2, 2, 2), foreign).await;
    assert!(codes(&examine(&bench).await).contains(&"measurement_id_foreign"));
}

#[tokio::test]
async fn a_service_account_without_access_is_named_so_that_it_can_be_let_in() {
    let bench = bench(2, 2).await;
    let file = bench.fake.issue_account(&crate::tokens::key()).unwrap();
    let settings = config(&bench.server.url(), &file).build().unwrap();
    let account = settings.connect(&bench.runtime).await.unwrap();
    bench.fake.change(PROPERTY, |property| property.conditions.no_role = true);
    let later = doctor::examine(&account).await.unwrap();
    // And where it never had one, so that nothing could be connected.
    let never = Report::of_refusal(settings.connect(&bench.runtime).await.unwrap_err()).unwrap();
    for report in [later, never] {
        let refusal = report.findings.iter().find(|it| it.code == "property_forbidden").unwrap();
        assert_eq!(refusal.severity, Severity::Error);
        assert!(refusal.evidence.contains("reader@a-project.iam.gserviceaccount.com"), "{report}");
        assert!(refusal.remedy.contains("Viewer"), "{report}");
    }
}
