//! What gives wrong numbers in silence: each with the guard that is there against it.

use std::time::Duration;

use lily_connect::connector::{Connector, Joint, PullRequest};
use lily_connect::connectors::ga4::{ItemIds, Report};
use lily_connect::model::performance::{Remainder, join};
use lily_connect::model::{Entity, Field, Platform, RecordRef};
use lily_connect::sync::{CheckOutcome, Rule, Verdict};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::time::{Day, Days};
use rust_decimal::Decimal;

use crate::bench::{Bench, PROPERTY, bench, bench_with};

fn is_report(request: &Request) -> bool {
    request.path.ends_with("eports") || request.path.ends_with("eport")
}

/// One property whose items and pages of yesterday are these.
async fn of_yesterday(
    items: &'static [(&'static str, &'static str)],
    pages: &'static [(&'static str, &'static str, &'static str)],
) -> Bench {
    bench_with(
        |fake| {
            let now = fake.now();
            fake.add_property(PROPERTY, |property| {
                let day = property.today(now).saturating_sub(1);
                for (item, viewed) in items {
                    property.set_item(day, item, &[("itemsViewed", viewed), ("itemRevenue", "5.00")]);
                }
                for (path, sessions, engaged) in pages {
                    let numbers = [("sessions", *sessions), ("engagedSessions", *engaged)];
                    property.set_page(day, "shop.example", path, &numbers);
                }
            });
        },
        |settings| settings,
    )
    .await
}

#[tokio::test]
async fn mixed_scopes_are_refused_before_a_token_is_spent() {
    let bench = bench(3, 3).await;
    let days = bench.last(1);
    let mixed = Report::new(days).dimension("itemId").metric("itemsViewed").metric("eventCount");
    let calls = bench.fake.calls();
    let error = bench.connector.run_report(&mixed).await.unwrap_err();
    assert_eq!(error.code(), "scopes_mixed");
    assert!(bench.connector.batch_run_reports(&[mixed]).await.is_err());
    assert_eq!((bench.fake.calls(), bench.fake.tokens_spent(PROPERTY)), (calls, 0));
    // And what is pulled never is one such report: item rows have no page numbers, and pages no item numbers.
    let (_, records) = bench.pulled(days).await;
    for record in &records {
        let counts = &record.counts;
        assert!(counts.items_viewed.is_absent() != counts.page_views.is_absent(), "{record:?}");
    }
    assert!(records.iter().any(|it| it.counts.page_views.is_absent()));
}

#[tokio::test]
async fn rates_are_recomputed_from_counts_and_never_averaged() {
    let bench = of_yesterday(&[], &[("/a", "2", "2"), ("/b", "998", "98")]).await;
    let (_, records) = bench.pulled(bench.last(1)).await;
    let rates: Vec<Decimal> = records.iter().filter_map(|it| it.counts.engagement_rate()).collect();
    let average = (rates[0] + rates[1]) / Decimal::from(2);
    // Two days of one page, whose rates are these.
    let both = records[0].counts.with_another_day(&records[1].counts);
    assert_eq!(both.engagement_rate(), Some(Decimal::new(1, 1)));
    assert!(average > Decimal::new(5, 1), "{average}");
    // No rate is asked for, so none can be added up.
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains("rate") && !text.contains("Rate"), "{text}");
}

#[tokio::test]
async fn an_other_row_is_counted_and_is_no_product() {
    let bench = bench(12, 0).await;
    bench.fake.change(PROPERTY, |property| property.conditions.most_items_a_day = Some(4));
    let (certificate, records) = bench.pulled(bench.last(1)).await;
    let others: Vec<_> = records.iter().filter(|it| it.subject.remainder == Some(Remainder::Other)).collect();
    assert_eq!(others.len(), 1);
    assert!(others[0].subject.key == Field::Null && others[0].subject.identity.is_empty());
    // The others are lower bounds, and each says so.
    assert!(records.iter().all(|record| record.quality.other_row));
    let measured = certificate.measured.unwrap();
    assert_eq!(measured.rows.other_row, records.len() as u64);
    // (not set) and (other).
    assert_eq!((measured.rows.remainders, measured.rows.matched_items), (2, records.len() as u64 - 2));
    let shop = |key: &str| RecordRef::new(Platform::new("shop"), Entity::Product, key.to_owned());
    let joined = join(&records, |subject| subject.key.value().map(|key| shop(key)));
    assert!(joined.products.keys().all(|(product, _)| !product.id.as_str().starts_with('(')));
    assert_eq!(joined.remainders, 2);
}

#[tokio::test]
async fn a_day_is_not_frozen_before_it_is_final() {
    let bench = bench(2, 0).await;
    bench.fake.change(PROPERTY, |property| property.conditions.settling = true);
    let yesterday = bench.last(1).last();
    let viewed = |records: &[lily_connect::model::Performance], day: Day| {
        let of = records.iter().find(|it| it.day == Field::Value(day) && it.subject.remainder.is_none());
        of.map(|it| it.counts.items_viewed.value().copied().unwrap())
    };
    let truth = *bench.fake.property(PROPERTY).unwrap().items[&(yesterday, "SKU-0001".to_owned())]
        .get("itemsViewed")
        .unwrap();
    let (certificate, early) = bench.pulled(bench.last(7)).await;
    assert!(viewed(&early, yesterday).unwrap() < truth);
    let of_yesterday = early.iter().find(|it| it.day == Field::Value(yesterday)).unwrap();
    assert!(of_yesterday.quality.provisional && of_yesterday.quality.age_days == Some(1));
    let next = certificate.measured.unwrap().next_from.unwrap();
    // The next range begins with the first day that was not final, whatever was read of it already.
    assert_eq!(next, bench.today().saturating_sub(3));

    bench.clock.advance(Duration::from_secs(4 * 24 * 3600));
    let days = Days::new(next, bench.today().saturating_sub(1)).unwrap();
    let (certificate, later) = bench.pulled(days).await;
    assert_eq!(viewed(&later, yesterday), Some(truth));
    let again = later.iter().find(|it| it.day == Field::Value(yesterday)).unwrap();
    assert!(!again.quality.provisional && again.quality.age_days == Some(5));
    // Its key is the same, so that it takes the place of the early one.
    assert!(early.iter().any(|it| it.reference == again.reference));
    assert_eq!(certificate.measured.unwrap().final_until, Some(bench.today().saturating_sub(4)));
}

#[tokio::test]
async fn a_changed_row_count_between_pages_is_noticed_and_the_range_read_again() {
    let bench = bench(20, 0).await;
    let days = bench.last(1);
    let small = std::num::NonZeroU32::new(6).unwrap();
    bench.fake.after_request(1, is_report, move |fake| {
        fake.change(PROPERTY, |property| {
            property.set_item(days.first(), "AAA-first", &[("itemsViewed", "1")]);
        });
    });
    let (certificate, records) = crate::bench::pulled(&bench.pull(days).page_size(small)).await;
    // It stood in front of the page that had been read: only a second pass brings it.
    assert!(records.iter().any(|it| it.subject.key.value().is_some_and(|key| key == "AAA-first")));
    assert_eq!((records.len(), certificate.verdict), (21, Verdict::Complete));
}

#[tokio::test]
async fn each_answers_row_count_is_held_against_the_one_before() {
    // A row behind all others moves none of those that overlap: the count alone tells it.
    for (adds, joint) in [(false, Joint::SharedRecord), (true, Joint::Broken)] {
        let bench = bench(20, 0).await;
        let day = bench.last(1).first();
        let mut request = PullRequest::window(Entity::Performance, bench.last(1));
        request.page_size = std::num::NonZeroU32::new(6);
        let first = bench.connector.pull_page(&request).await.unwrap();
        if adds {
            bench.fake.change(PROPERTY, |it| it.set_item(day, "ZZZ-last", &[("itemsViewed", "1")]));
        }
        let second = bench.connector.pull_page(&request.at(first.next)).await.unwrap();
        assert_eq!(second.joint, joint);
    }
}

#[tokio::test]
async fn a_row_that_goes_while_another_comes_is_noticed_by_the_overlap() {
    let bench = bench(20, 0).await;
    let days = bench.last(1);
    let small = std::num::NonZeroU32::new(6).unwrap();
    // The count stays, and every row behind has moved by one.
    bench.fake.after_request(1, is_report, move |fake| {
        fake.change(PROPERTY, |property| {
            property.set_item(days.first(), "ZZZ-last", &[("itemsViewed", "1")]);
            property.items.remove(&(days.first(), "SKU-0001".to_owned()));
        });
    });
    let (certificate, records) = crate::bench::pulled(&bench.pull(days).page_size(small)).await;
    let is_there = |key: &str| records.iter().any(|it| it.subject.key.value().is_some_and(|it| it == key));
    assert!((0..20).all(|n| n == 1 || n == 0 || is_there(&format!("SKU-{n:04}"))), "a row was skipped");
    let overlap = certificate.checks.iter().find(|check| check.rule == Rule::PagesOverlap).unwrap();
    assert_eq!(overlap.outcome, CheckOutcome::Held);
}

#[tokio::test]
async fn a_list_that_never_stands_still_is_never_complete() {
    let bench = bench(20, 0).await;
    let days = bench.last(1);
    let small = std::num::NonZeroU32::new(6).unwrap();
    let one = std::num::NonZeroUsize::MIN;
    for nth in (2..=400).step_by(2) {
        bench.fake.after_request(nth, is_report, move |fake| {
            fake.change(PROPERTY, |property| {
                property.set_item(days.first(), &format!("AAA-{nth:03}"), &[("itemsViewed", "1")]);
            });
        });
    }
    let (certificate, _) = crate::bench::pulled(&bench.pull(days).page_size(small).in_flight(one)).await;
    assert!(matches!(certificate.verdict, Verdict::Incomplete { .. }), "{certificate}");
    assert!(certificate.missing.is_empty());
}

#[tokio::test]
async fn yesterday_is_that_of_the_property() {
    let bench = bench(2, 0).await;
    // 20:00 in UTC is noon in Los Angeles; nine hours on it is tomorrow in UTC alone.
    bench.clock.advance(Duration::from_secs(9 * 3600));
    let now = bench.runtime.clock().now();
    let profile = &lily_connect::Connector::info(&*bench.connector).profile;
    let zone = profile.time_zone.clone().unwrap();
    assert_eq!(zone.as_str(), "America/Los_Angeles");
    let own = Days::until_yesterday(now, &zone, 1).unwrap();
    let utc = Days::until_yesterday(now, "UTC", 1).unwrap();
    assert_eq!(own.last().saturating_add(1), utc.last());
    // What is yesterday in UTC is today at the property, and not over.
    let (certificate, records) = bench.pulled(own).await;
    assert!(records.iter().all(|it| it.day == Field::Value(own.last()) && it.quality.age_days == Some(1)));
    assert_eq!(certificate.measured.as_ref().unwrap().as_of, Some(utc.last()));
    // And what is today in UTC is not there yet.
    let error = bench.pull(Days::new(own.last(), utc.last().saturating_add(1)).unwrap());
    let mut sink = lily_connect::JsonlSink::create(tempfile::tempdir().unwrap().path().join("x")).unwrap();
    assert_eq!(error.run(&mut sink, &|_| {}).await.unwrap_err().code(), "window_in_future");
}

#[tokio::test]
async fn ten_server_errors_an_hour_are_never_reached() {
    let bench = bench(2, 2).await;
    bench.fake.fail_next(1000);
    let days = bench.last(1);
    let mut codes = Vec::new();
    for _ in 0..30 {
        let report = Report::new(days).metric("sessions");
        codes.push(bench.connector.run_report(&report).await.unwrap_err());
        // Somebody who tries again every minute.
        bench.clock.advance(Duration::from_secs(60));
    }
    assert!(bench.fake.failed() < 10, "{} server errors", bench.fake.failed());
    let last = codes.last().unwrap();
    assert_eq!(last.kind(), lily_connect::ErrorKind::RateLimited, "{last}");
    assert!(matches!(last.retry(), lily_connect::error::Retry::After(_)));
    // An hour later the property answers again.
    bench.fake.fail_next(0);
    bench.clock.advance(Duration::from_secs(3600));
    assert!(bench.connector.run_report(&Report::new(days).metric("sessions")).await.is_ok());
}

#[tokio::test]
async fn as_many_calls_at_a_time_as_there_may_be_do_not_reach_ten_server_errors_either() {
    let most = std::num::NonZeroU32::new(9).unwrap();
    let bench = bench_with(|fake| fake.seed_property(PROPERTY, 2, 2, 2), |it| it.max_in_flight(most)).await;
    let report = Report::new(bench.last(1)).metric("sessions");
    let at_a_time = |calls: usize| {
        futures_util::future::join_all((0..calls).map(|_| bench.connector.run_report(&report)))
    };
    // Some fail now and then, and others go well between them, so that as many as may be are in flight again.
    for _ in 0..6 {
        bench.fake.fail_next(1);
        for _ in 0..10 {
            at_a_time(9).await;
        }
    }
    bench.fake.fail_next(1000);
    for _ in 0..3 {
        assert!(at_a_time(20).await.iter().all(Result::is_err));
    }
    assert!(bench.fake.failed() < 10, "{} server errors", bench.fake.failed());
}

#[tokio::test]
async fn a_call_is_tried_three_times_at_most() {
    let bench = bench(2, 2).await;
    bench.fake.fail_next(5);
    assert!(bench.connector.run_report(&Report::new(bench.last(1)).metric("sessions")).await.is_err());
    assert_eq!(bench.fake.failed(), 3);
}

#[tokio::test]
async fn what_others_used_up_of_the_server_errors_counts_too() {
    let bench = bench(2, 2).await;
    // Another program of the same project had eight of the ten.
    bench.fake.change(PROPERTY, |property| property.quotas.server_errors_per_project_per_hour = 2);
    let report = Report::new(bench.last(1)).metric("sessions");
    bench.connector.run_report(&report).await.unwrap();
    let calls = bench.fake.calls();
    let error = bench.connector.run_report(&report).await.unwrap_err();
    assert_eq!((error.kind(), bench.fake.calls()), (lily_connect::ErrorKind::RateLimited, calls));
}

#[tokio::test]
async fn no_rate_is_asked_for() {
    let bench = bench(3, 3).await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let noted = seen.clone();
    let watch = FaultRule::new(Fault::status(500)).matching(move |request| {
        noted.lock().unwrap().push_str(&String::from_utf8_lossy(&request.body));
        false
    });
    bench.server.faults().push(watch);
    bench.pulled(bench.last(1)).await;
    let seen = seen.lock().unwrap();
    assert!(seen.contains("engagedSessions") && !seen.contains("Rate"), "{seen}");
}

#[tokio::test]
async fn a_number_that_is_none_is_null_and_a_hidden_one_is_no_zero() {
    let bench = bench(3, 0).await;
    bench.fake.change(PROPERTY, |property| {
        property.conditions.restricted = vec!["itemRevenue".to_owned()];
        property.conditions.not_a_number = true;
    });
    let (_, records) = bench.pulled(bench.last(1)).await;
    assert!(records.iter().all(|it| it.revenue == Field::Null && it.quality.restricted));
    assert_eq!(records.iter().filter(|it| it.counts.items_viewed == Field::Null).count(), 1);
    assert_eq!(records[0].counts.engagement_rate(), None);
}

#[tokio::test]
async fn columns_in_another_order_are_found_by_their_names() {
    let straight = bench(5, 4).await;
    let (_, expected) = straight.pulled(straight.last(2)).await;
    let turned = bench(5, 4).await;
    turned.fake.change(PROPERTY, |property| property.conditions.shuffled = true);
    let (_, records) = turned.pulled(turned.last(2)).await;
    assert_eq!(records, expected);
}

#[tokio::test]
async fn items_that_match_no_product_are_told_as_a_share() {
    let seed = |fake: &lily_connect::testkit::ga4::Ga4Fake| {
        let now = fake.now();
        fake.add_property(PROPERTY, |property| {
            let day = property.today(now).saturating_sub(1);
            for item in ["shopify_US_7_70", "shopify_US_7_71", "CAP-7", "shopify_US_8_80", "(not set)"] {
                property.set_item(day, item, &[("itemsViewed", "1")]);
            }
        });
    };
    let known = ["70", "80"].map(Into::into);
    let bench = bench_with(seed, |it| it.item_ids(ItemIds::ShopifyFeed).known_items(known)).await;
    let (certificate, records) = bench.pulled(bench.last(1)).await;
    let measured = certificate.measured.unwrap();
    assert_eq!((measured.rows.matched_items, measured.rows.unmatched_items), (2, 2));
    assert_eq!(measured.unmatched_percent(), Some(50));
    let of = |key: &str| {
        let found = records.iter().find(|it| it.subject.key.value().is_some_and(|it| it == key)).unwrap();
        found.subject.identity.clone()
    };
    assert_eq!(of("shopify_US_7_70").variant_id.unwrap().as_str(), "70");
    assert_eq!(of("shopify_US_7_71").is_known, Some(false));
    assert!(of("CAP-7").is_empty());
}
