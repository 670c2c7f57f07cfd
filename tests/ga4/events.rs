//! The Measurement Protocol: checked before it is sent, split, and never believed.

use std::time::Duration;

use lily_connect::ErrorKind;
use lily_connect::connectors::ga4::{Consent, Event, EventOutcome, Events, Ga4Builder, Region, Validation};
use lily_connect::model::Secret;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::{Connector, doctor};

use crate::bench::{Bench, PROPERTY, bench, bench_with, config};

const SECRET: &str = "mp-secret-of-the-stream";

async fn streamed() -> Bench {
    let settings = |it: Ga4Builder| it.stream("G-0000000123", Secret::new(SECRET));
    bench_with(|fake| fake.seed_property(PROPERTY, 2, 2, 2), settings).await
}

fn exposed(n: usize) -> Event {
    Event::content_exposed(&format!("SKU-{n}"), "v7", "treatment").unwrap()
}

#[tokio::test]
async fn events_are_split_and_each_is_sent_and_never_recorded() {
    let bench = streamed().await;
    let events = Events::new((0..60).map(exposed).collect());
    let outcomes = bench.connector.send_events(&events).await.unwrap();
    assert_eq!(outcomes, vec![EventOutcome::Sent; 60]);
    let collected = bench.fake.collected();
    let sizes: Vec<usize> = collected.iter().map(|it| it.body["events"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [25, 25, 10]);
    assert!(collected.iter().all(|it| it.is_counted));
    let first = &collected[0].body["events"][0];
    assert_eq!(
        (&first["name"], &first["params"]["lily_item"]),
        (&"lily_content_exposed".into(), &"SKU-0".into())
    );
}

#[tokio::test]
async fn a_wrong_secret_is_sent_and_counted_nowhere_and_we_do_not_say_otherwise() {
    let settings = |it: Ga4Builder| it.stream("G-0000000123", Secret::new("wrong"));
    let bench = bench_with(|fake| fake.seed_property(PROPERTY, 1, 1, 1), settings).await;
    let outcomes = bench.connector.send_events(&Events::new(vec![exposed(1)])).await.unwrap();
    assert_eq!(outcomes, [EventOutcome::Sent]);
    assert!(!bench.fake.collected()[0].is_counted);
    let report = doctor::examine(&*bench.connector).await.unwrap();
    assert!(report.findings.iter().any(|it| it.code == "api_secret_unproved"));
}

#[tokio::test]
async fn what_was_not_answered_is_unknown_and_is_sent_once() {
    let bench = streamed().await;
    for (fault, outcome) in [
        (Fault::Reset(When::After), EventOutcome::Unknown),
        (Fault::status_after(503), EventOutcome::Unknown),
        (Fault::status(400), EventOutcome::NotSent),
        (Fault::TooMany { retry_after: Some(1) }, EventOutcome::NotSent),
    ] {
        bench.server.traffic().clear();
        bench.server.faults().push(FaultRule::new(fault).on_path("collect"));
        let outcomes = bench.connector.send_events(&Events::new(vec![exposed(1)])).await.unwrap();
        assert_eq!(outcomes, [outcome], "{fault:?}");
        assert_eq!(bench.server.traffic().requests(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_visitor_who_agreed_to_nothing_has_nothing_sent() {
    let bench = streamed().await;
    let denied = Events::of_browser(vec![exposed(1)], "123.456", Consent::Denied).unwrap();
    assert_eq!(bench.connector.send_events(&denied).await.unwrap(), [EventOutcome::Withheld]);
    assert!(bench.fake.collected().is_empty());
    let granted = Events::of_browser(vec![exposed(1)], "123.456", Consent::Granted).unwrap();
    bench.connector.send_events(&granted).await.unwrap();
    let body = &bench.fake.collected()[0].body;
    assert_eq!(
        (&body["client_id"], &body["consent"]["ad_user_data"]),
        (&"123.456".into(), &"GRANTED".into())
    );
}

#[tokio::test]
async fn events_of_long_ago_are_refused_with_nothing_sent() {
    let bench = streamed().await;
    let now = bench.runtime.clock().now();
    let at =
        |hours: u64| Events::new(vec![exposed(1)]).at(now.saturating_sub(Duration::from_secs(hours * 3600)));
    assert_eq!(bench.connector.send_events(&at(73)).await.unwrap_err().code(), "events_too_old");
    assert!(bench.connector.send_events(&at(71)).await.is_ok());
    let ahead = Events::new(vec![exposed(1)]).at(now.saturating_add(Duration::from_secs(60)));
    assert!(bench.connector.send_events(&ahead).await.is_err());
    assert_eq!(bench.fake.collected().len(), 1);
}

#[tokio::test]
async fn the_debug_endpoint_is_asked_on_request_and_records_nothing() {
    let bench = streamed().await;
    let events = Events::new((0..30).map(exposed).collect());
    for how in [Validation::Relaxed, Validation::Enforced] {
        assert_eq!(bench.connector.validate_events(&events, how).await.unwrap(), []);
    }
    // What is checked here is not found by it: a member that the fake's debug endpoint does not take.
    assert!(bench.fake.collected().is_empty());
}

#[tokio::test]
async fn without_a_stream_nothing_is_sent() {
    let bench = bench(1, 1).await;
    let error = bench.connector.send_events(&Events::new(vec![exposed(1)])).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "stream_missing"));
}

#[tokio::test]
async fn the_streams_secret_is_in_no_text() {
    let bench = streamed().await;
    let builder = config(&bench.server.url(), &bench.file).stream("G-0000000123", Secret::new(SECRET));
    let mut shown = format!("{builder:?} {:?} {:?}", builder.clone().build(), bench.connector);
    for fault in [Fault::Html200, Fault::status(500), Fault::Reset(When::After), Fault::Malformed] {
        bench.server.faults().push(FaultRule::new(fault).on_path("collect").times(3));
        let validated =
            bench.connector.validate_events(&Events::new(vec![exposed(1)]), Validation::Relaxed).await;
        let mut error = validated.as_ref().err().map(|it| it as &(dyn std::error::Error + 'static));
        while let Some(inner) = error {
            shown.push_str(&format!("{inner} {inner:?}"));
            error = inner.source();
        }
        bench.server.faults().clear();
    }
    shown.push_str(&format!("{:?}", doctor::examine(&*bench.connector).await.unwrap()));
    shown.push_str(&format!("{:?}", bench.connector.info()));
    assert!(!shown.contains(SECRET), "{shown}");
}

/// The limits and names that the platform publishes; none where they are not at hand, which is said aloud elsewhere.
fn published(name: &str) -> Option<serde_json::Value> {
    crate::bench::documents()?;
    let folder = std::path::PathBuf::from(std::env::var_os("LILY_SPECS_DIR")?);
    Some(serde_json::from_slice(&std::fs::read(folder.join("ga4").join(name)).unwrap()).unwrap())
}

#[test]
fn names_that_the_platform_keeps_for_itself_are_refused_all_of_them() {
    let Some(limits) = published("measurement_protocol_limits.json") else { return };
    let needing = published("measurement_protocol_event_required_params.json").unwrap();
    let texts = |list: &str| -> Vec<String> { serde_json::from_value(limits[list].clone()).unwrap() };
    let events = texts("reserved_event_names").into_iter().chain(texts("app_stream_only_events"));
    let needing = needing.as_object().unwrap().keys().filter(|name| !name.starts_with('_')).cloned();
    let mut refused = 0;
    for name in events.chain(needing) {
        assert!(Event::new(name.clone()).is_err(), "{name}");
        refused += 1;
    }
    assert!(refused > 40);
    let event = || Event::new("lily_content_applied").unwrap();
    let prefixed = texts("reserved_param_prefixes").into_iter().map(|prefix| format!("{prefix}x"));
    for name in prefixed.chain(texts("reserved_param_names")) {
        assert!(event().number(name.clone(), 1).is_err(), "{name}");
    }
    let length = |name: &str| usize::try_from(limits[name].as_u64().unwrap()).unwrap();
    for (longest, builds) in [
        (length("event_name_max"), &(|name: String| Event::new(name).is_ok()) as &dyn Fn(String) -> bool),
        (length("param_name_max"), &|name: String| event().number(name, 1).is_ok()),
        (length("param_value_max"), &|text: String| event().text("a", &text).is_ok()),
    ] {
        assert!(builds("x".repeat(longest)) && !builds("x".repeat(longest + 1)), "{longest}");
    }
    let full = |count| (0..count).try_fold(event(), |event, n| event.number(format!("p{n}"), 1)).is_ok();
    assert!(full(length("max_params_per_event")) && !full(length("max_params_per_event") + 1));
    assert_eq!((length("max_events"), length("backdate_hours")), (25, 72));
}

#[tokio::test]
async fn a_request_stays_below_the_bound_however_long_its_events_are() {
    let bench = streamed().await;
    // Letters of three bytes, as long as they may be: 25 of these are far over 130,000 bytes.
    let wide = |n: usize| {
        let event = Event::new(format!("lily_wide_{n}")).unwrap();
        (0..25)
            .try_fold(event, |event, n| event.text(format!("p{n}{}", "x".repeat(36)), &"\u{1}".repeat(100)))
            .unwrap()
    };
    let outcomes = bench.connector.send_events(&Events::new((0..25).map(wide).collect())).await.unwrap();
    assert_eq!(outcomes, vec![EventOutcome::Sent; 25]);
    let collected = bench.fake.collected();
    assert!(collected.len() > 1);
    let names: Vec<String> = collected
        .iter()
        .flat_map(|it| it.body["events"].as_array().unwrap())
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, (0..25).map(|n| format!("lily_wide_{n}")).collect::<Vec<_>>());
    // The stand-in keeps what is over a limit as a violation, which the bench does not allow.
}

#[tokio::test]
async fn both_regions_have_an_address_and_plain_http_is_for_this_machine_alone() {
    let bench = bench(1, 1).await;
    let secret = || Secret::new(SECRET);
    for (region, host) in
        [(Region::Global, "www.google-analytics.com"), (Region::Europe, "region1.google-analytics.com")]
    {
        let plain = lily_connect::connectors::ga4::Ga4Config::builder("1")
            .credentials(Secret::new(bench.file.clone()))
            .stream("G-ABC", secret())
            .region(region);
        assert!(format!("{:?}", plain.build().unwrap()).contains(host));
    }
    let settings =
        |url: &str| config(&bench.server.url(), &bench.file).stream("G-ABC", secret()).collect_url(url);
    assert_eq!(settings("http://x.example").build().unwrap_err().code(), "query_key_over_http");
    let odd = config(&bench.server.url(), &bench.file).stream("UA-1-2", secret());
    assert_eq!(odd.build().unwrap_err().code(), "measurement_id_unusable");
}
