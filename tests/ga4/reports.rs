//! Reports of the caller's own, fields, compatibility, and the Admin API.

use lily_connect::ErrorKind;
use lily_connect::connectors::ga4::{CustomDimension, DimensionScope, Report};

use crate::bench::{PROPERTY, bench, bench_with, config};

#[tokio::test]
async fn a_report_is_paged_and_says_what_is_left_of_the_quota() {
    let bench = bench(8, 0).await;
    let report = Report::new(bench.last(1)).dimension("date").dimension("itemId").metric("itemsViewed");
    let mut items = Vec::new();
    for page in 0..3 {
        let page = bench.connector.run_report(&report.clone().rows(page * 3, 3)).await.unwrap();
        assert_eq!((page.row_count, page.currency.as_deref()), (8, Some("USD")));
        assert!(page.quota.project_hour.is_some_and(|left| left < 14_000));
        let at = page.column("itemId").unwrap();
        items.extend(page.rows.iter().map(|row| row[at].to_string()));
    }
    assert_eq!(items.len(), 8);
    bench.fake.change(PROPERTY, |property| {
        (property.conditions.sampled, property.conditions.threshold) = (Some((1, 4)), Some(1));
    });
    let limited =
        bench.connector.run_report(&report.clone().without_empty(Some("itemId".into()))).await.unwrap();
    assert!(limited.quality.sampled && limited.quality.thresholded && limited.quality.empty_filtered);
    assert_eq!(limited.quality.sampled_share.unwrap().to_string(), "0.250000");
    assert!(items.is_sorted());
    let two = bench.connector.batch_run_reports(&[report.clone(), report]).await.unwrap();
    assert_eq!((two.len(), &two[0].rows), (2, &two[1].rows));
    // Each is charged by itself.
    assert!(two[1].quota.project_hour < two[0].quota.project_hour);
    assert!(bench.connector.batch_run_reports(&[]).await.is_err());
}

#[tokio::test]
async fn fields_are_listed_and_asked_what_goes_with_them() {
    let bench = bench(1, 1).await;
    let fields = bench.connector.metadata().await.unwrap();
    let renamed = fields.metrics.iter().find(|it| it.api_name.as_str() == "itemsPurchased").unwrap();
    assert_eq!(renamed.deprecated_api_names, ["itemPurchaseQuantity"]);
    let items = Report::new(bench.last(1)).dimension("itemId").metric("itemsViewed");
    let fits = bench.connector.check_compatibility(&items).await.unwrap();
    assert!(fits.is_compatible && fits.addable.iter().any(|it| it.as_str() == "sessions"));
    assert!(!fits.addable.iter().any(|it| it.as_str() == "eventCount"));
    let mixed = items.metric("eventCount");
    assert!(!bench.connector.check_compatibility(&mixed).await.unwrap().is_compatible);
}

#[tokio::test]
async fn a_field_that_is_unknown_is_refused_for_good() {
    let bench = bench(1, 1).await;
    let odd = Report::new(bench.last(1)).metric("noSuchMetric");
    let error = bench.connector.run_report(&odd).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, "request_refused"));
    assert!(error.remedy().contains("check_compatibility"));
}

#[tokio::test]
async fn properties_are_listed_to_the_end() {
    let seed = |fake: &lily_connect::testkit::ga4::Ga4Fake| {
        for id in [PROPERTY, 124, 125] {
            fake.add_property(id, |_| {});
        }
    };
    let bench = bench_with(seed, |settings| settings).await;
    let listed = bench.connector.list_properties().await.unwrap();
    let ids: Vec<u64> = listed.iter().map(|it| it.property).collect();
    assert_eq!(ids, [123, 124, 125]);
    assert_eq!(listed[0].account.as_str(), "Account");
}

#[tokio::test]
async fn custom_dimensions_are_made_once_and_only_with_the_scope() {
    let bench = bench(1, 1).await;
    let wanted = CustomDimension::of_exposure();
    // A user's login reads alone.
    let error = bench.connector.create_custom_dimensions(&wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "scope_missing"));
    let file = bench.fake.issue_account(&crate::tokens::key()).unwrap();
    let editor = config(&bench.server.url(), &file).edits(true).build().unwrap();
    let editor = editor.connect(&bench.runtime).await.unwrap();
    assert_eq!(editor.create_custom_dimensions(&wanted).await.unwrap(), wanted);
    assert_eq!(editor.create_custom_dimensions(&wanted).await.unwrap(), []);
    assert_eq!(editor.custom_dimensions().await.unwrap(), wanted);
    assert!(CustomDimension::new("1st", "First", DimensionScope::Item).is_err());
    assert!(CustomDimension::new("ok", "x".repeat(83), DimensionScope::Item).is_err());
    let fields = bench.connector.metadata().await.unwrap();
    assert!(fields.dimensions.iter().any(|it| it.api_name.as_str() == "customEvent:lily_version"));
}
