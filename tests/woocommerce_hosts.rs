//! Hosts between a caller and its store: what they drop, hide, redirect and break, each told apart by its code.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::field_reassign_with_default,
    reason = "a test may panic"
)]

mod common;
#[path = "common/https.rs"]
mod https;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Kept, bench, bench_with, connect};
use https::{Host, SITE, Shop, recorded, response};
use lily_connect::connector::{
    Connector, FieldAnswer, Health, Patch, PatchField, PatchValue, PullRequest, Purpose, PushRequest,
};
use lily_connect::connectors::woocommerce::{KeyInQuery, PLATFORM, Permalinks, WooCommerceConfig, provision};
use lily_connect::error::{Effect, Error, ErrorKind};
use lily_connect::model::{CellValue, Enrichment, Entity, FieldName, RecordRef, Secret, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::state::MemoryState;
use lily_connect::sync::{Approvals, Pull, Push, PushSettings, ReceiptOutcome, Verdict};
use lily_connect::testkit::exchange::{Request, Response};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore};
use lily_connect::testkit::{FakeClock, SeededEntropy};

#[tokio::test]
async fn a_site_that_closes_its_index_to_the_public_is_connected_to() {
    let bench = bench().await;
    bench
        .server
        .faults()
        .push(FaultRule::new(Fault::status(401)).matching(|request| request.path == "/wp-json/"));
    let connector = connect(&bench.server.url(), &bench.key, &bench.runtime).await;
    assert!(connector.capabilities().entity(Entity::Variant).is_some());
    assert!(connector.info().profile.currency.is_some());
}

#[tokio::test]
async fn a_page_that_the_store_cannot_build_is_asked_for_by_halves() {
    let bench = bench_with(|store| store.seed_generated(150, 0, 3)).await;
    let heavy = |per_page: &'static str| {
        FaultRule::new(Fault::status(500))
            .matching(move |request| request.query.contains(per_page))
            .times(1_000)
    };
    bench.server.faults().push(heavy("per_page=100"));
    bench.server.faults().push(heavy("per_page=50"));
    let mut sink = Kept::default();
    let pull = Pull::new(bench.connector.clone(), Arc::new(MemoryState::new()), Entity::Product);
    let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(sink.0.lock().unwrap().len(), 150);
}

#[tokio::test]
async fn one_record_that_cannot_be_read_stops_no_other() {
    let bench = bench().await;
    let state = Arc::new(MemoryState::new());
    let mut sink = Kept::default();
    let pull = Pull::new(bench.connector.clone(), state.clone(), Entity::Product);
    pull.run(&mut sink, &|_| {}).await.unwrap();
    let records = sink.0.lock().unwrap().clone();
    let title = |at: usize| -> Enrichment {
        let record = serde_json::to_value(&records[at]).unwrap();
        serde_json::from_value(serde_json::json!({
            "ref": record["ref"], "made_at": bench.runtime.clock().now(),
            "fields": {"title": {"value": "New", "base": record["base"]["title"]}},
        }))
        .unwrap()
    };
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let push = Push::new(bench.connector.clone(), state, bench.runtime.clone()).settings(settings);
    let plan = push.plan(&[title(0)]).await.unwrap();
    bench.server.faults().push(FaultRule::new(Fault::Reset(When::After)).on_method("POST").times(1));
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);

    let broken = format!("/products/{}", records[0].reference().id);
    bench.server.faults().push(FaultRule::new(Fault::status(403)).on_path(&broken).times(1_000));
    bench.clock.advance(std::time::Duration::from_secs(200));
    let plan = push.plan(&[title(1)]).await.unwrap();
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied);
    bench.server.faults().clear();
    assert_eq!(push.settle().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_pages_time_is_not_later_than_its_request() {
    let bench = bench().await;
    let before = bench.store.now();
    bench.store.before_request(1, lily_connect::testkit::woocommerce::WooStore::is_product_list, {
        let clock = bench.clock.clone();
        move |_| clock.advance(std::time::Duration::from_secs(30))
    });
    let page = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    let time = page.server_time.unwrap();
    assert!(time <= before, "{time} is later than {before}, when the request left");
}

fn codes(health: &Health) -> Vec<&str> {
    health.findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn in_query(sent: &[String]) -> usize {
    sent.iter().filter(|line| line.contains("consumer_secret=")).count()
}

/// Writes a title by the connector alone.
async fn write(shop: &Shop, connector: &dyn Connector) -> FieldAnswer {
    let target = RecordRef::new(PLATFORM, Entity::Product, "14");
    let value = PatchValue::Text { text: "New".into(), raw: None };
    let change = PatchField::new(FieldName::new("title"), value, CellValue::text("Old"));
    let until = shop.runtime.clock().elapsed() + Duration::from_secs(5);
    let push = PushRequest::new(vec![Patch::new(target, vec![change])], until);
    connector.push(&push).await.unwrap().remove(0).fields.remove(0).1
}

async fn read(connector: &dyn Connector) -> Result<usize, Error> {
    let ids = vec!["14".into(), "15".into()];
    let page = connector.pull_page(&PullRequest::by_ids(Entity::Product, ids, Purpose::Guard)).await?;
    Ok(page.items.len())
}

#[tokio::test]
async fn a_wrong_secret_is_told_from_an_unknown_key() {
    let shop = Shop::new();
    let wrong = ApiKey::new(&shop.key.consumer_key, "cs_wrong", Permissions::ReadWrite, Role::Manager);
    let error = shop.connect_with(&wrong).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("secret_refused", ErrorKind::Auth), "{error}");
    assert_eq!(in_query(&shop.sent()), 0, "the header arrived, so the query is not tried");

    let unknown = ApiKey::named("nobody", Permissions::ReadWrite, Role::Manager);
    let error = shop.connect_with(&unknown).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("key_refused", ErrorKind::Auth), "{error}");
    assert_eq!(in_query(&shop.sent()), 1);
    assert!(!format!("{error} {error:?}").contains(&unknown.consumer_secret));
}

#[tokio::test]
async fn a_read_only_key_pulls_and_is_not_taken_for_expired() {
    let shop = Shop::new();
    let key = shop.store.issue_key("reader", Permissions::Read, Role::Manager);
    let connector = shop.connect_with(&key).await.unwrap();
    assert_eq!(read(&connector).await.unwrap(), 1);
    let FieldAnswer::Refused { code, why } = write(&shop, &connector).await else { panic!("not refused") };
    assert_eq!(code, "key_cannot_write");
    assert!(why.contains("Read/Write"), "{why}");
    let before = shop.store.snapshot();
    let health = connector.check().await.unwrap();
    assert!(codes(&health).contains(&"key_read_only"), "{health:?}");
    assert_eq!(shop.store.snapshot(), before);
}

#[tokio::test]
async fn a_user_without_rights_is_forbidden() {
    let shop = Shop::new();
    let key = shop.store.issue_key("customer", Permissions::ReadWrite, Role::Customer);
    let error = shop.connect_with(&key).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("key_lacks_rights", ErrorKind::Forbidden), "{error}");
    assert!(error.remedy().contains("shop manager"), "{error}");
}

#[tokio::test]
async fn a_host_that_drops_the_header_gets_the_key_in_the_query_and_check_says_so() {
    let shop = Shop::behind(Host { strips_authorization: true, ..Host::default() });
    let connector = shop.connect().await.unwrap();
    let sent = shop.sent();
    let header_first = sent.iter().position(|line| line.contains("/products?")).unwrap();
    assert!(!sent[header_first].contains("consumer_secret"), "the header is tried first: {sent:?}");
    let from = sent.len();
    assert_eq!(read(&connector).await.unwrap(), 1);
    assert_eq!(write(&shop, &connector).await, FieldAnswer::Accepted);
    let health = connector.check().await.unwrap();
    assert!(codes(&health).contains(&"authorization_stripped"), "{health:?}");
    let sent = &shop.sent()[from..];
    assert_eq!(in_query(sent), sent.len(), "each request carries the key: {sent:?}");

    // Whoever allows none in the query gets the error of the header.
    let never = shop.settings(&shop.key).key_in_query(KeyInQuery::Never).build().unwrap();
    let before = in_query(&shop.sent());
    let error = never.connect(&shop.runtime).await.unwrap_err();
    assert_eq!(error.code(), "key_refused");
    assert!(error.remedy().contains("Authorization"), "{error}");
    assert_eq!(in_query(&shop.sent()), before);

    // A wrong secret is told through the query, too.
    let wrong = ApiKey::new(&shop.key.consumer_key, "cs_wrong", Permissions::ReadWrite, Role::Manager);
    assert_eq!(shop.connect_with(&wrong).await.unwrap_err().code(), "secret_refused");
}

#[tokio::test]
async fn the_key_never_goes_in_the_query_over_plain_http() {
    let shop = Shop::behind(Host { strips_authorization: true, ..Host::default() });
    for when in [KeyInQuery::WhenStripped, KeyInQuery::Always] {
        let config = WooCommerceConfig::builder("http://shop.example")
            .key(&shop.key.consumer_key)
            .secret(Secret::new(shop.key.consumer_secret.clone()))
            .key_in_query(when)
            .build()
            .unwrap();
        assert_eq!(config.connect(&shop.runtime).await.unwrap_err().kind(), ErrorKind::Auth);
    }
    assert_eq!(in_query(&shop.sent()), 0);
}

#[tokio::test]
async fn a_key_that_is_always_in_the_query_needs_no_header_and_no_profile() {
    let shop = Shop::behind(Host { strips_authorization: true, ..Host::default() });
    let config = shop
        .settings(&shop.key)
        .key_in_query(KeyInQuery::Always)
        .profile(StoreProfile::unknown())
        .build()
        .unwrap();
    let connector = config.connect(&shop.runtime).await.unwrap();
    assert_eq!(shop.sent().len(), 0);
    assert_eq!(read(&connector).await.unwrap(), 1);
}

#[tokio::test]
async fn a_site_that_takes_https_for_http_has_a_remedy_of_its_own() {
    let shop = Shop::behind(Host { hides_https: true, ..Host::default() });
    let error = shop.connect().await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("https_not_seen", ErrorKind::Config), "{error}");
    assert!(error.remedy().contains("X-Forwarded-Proto"), "{error}");
    assert_eq!(in_query(&shop.sent()), 0, "a key that is right is not sent to the logs: {:?}", shop.sent());
    // Beside it an unknown key stays what it is.
    let unknown = ApiKey::named("nobody", Permissions::ReadWrite, Role::Manager);
    assert_eq!(shop.connect_with(&unknown).await.unwrap_err().code(), "key_refused");
}

#[tokio::test]
async fn plain_permalinks_are_reached_by_the_route_parameter() {
    for (host, site) in [
        (Host::default(), SITE),
        (Host { strips_authorization: true, ..Host::default() }, SITE),
        // Signed: the fake checks the signature over `index.php` and all parameters.
        (Host::default(), "http://shop.example"),
    ] {
        let shop = Shop::behind(host);
        shop.store.set_conditions(|conditions| conditions.plain_permalinks = true);
        let config = WooCommerceConfig::builder(site)
            .key(&shop.key.consumer_key)
            .secret(Secret::new(shop.key.consumer_secret.clone()));
        let connector: Arc<dyn Connector> =
            Arc::new(config.clone().build().unwrap().connect(&shop.runtime).await.unwrap());
        let from = shop.sent().len();
        assert!(connector.info().profile.currency.is_some());
        assert_eq!(write(&shop, &*connector).await, FieldAnswer::Accepted);
        assert_eq!(shop.store.product(14).unwrap().name, "New");
        let mut sink = Kept::default();
        let pull = Pull::new(connector.clone(), Arc::new(MemoryState::new()), Entity::Product);
        let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        let health = connector.check().await.unwrap();
        assert!(codes(&health).contains(&"plain_permalinks"), "{health:?}");
        let sent = &shop.sent()[from..];
        let keyed = "/index.php?rest_route=/wc/v3/products&_lily=wp-json/wc/&";
        assert!(sent.iter().any(|line| line.contains(keyed)), "{sent:?}");
        assert!(sent.iter().all(|line| line.contains(" /index.php?rest_route=/")), "{sent:?}");

        // Who knows it beforehand says it; who denies it gets the redirect.
        let way = if host.strips_authorization { KeyInQuery::Always } else { KeyInQuery::Never };
        let told = config.clone().permalinks(Permalinks::Plain).key_in_query(way);
        let told = told.profile(StoreProfile::unknown());
        let told = told.build().unwrap().connect(&shop.runtime).await.unwrap();
        assert_eq!(read(&told).await.unwrap(), 1);
        let denied = config.permalinks(Permalinks::Pretty).build().unwrap();
        let error = denied.connect(&shop.runtime).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("redirected_to_itself", ErrorKind::Protocol), "{error}");
        assert!(error.remedy().contains("Plain"), "{error}");
    }
}

#[tokio::test]
async fn a_page_in_the_place_of_the_index_leads_to_the_route_parameter_only_where_it_stays() {
    let html = |status: u16| {
        Response::new(status).with_header("content-type", "text/html").with_body("<html>A page</html>")
    };
    let below = |request: &Request| request.path.starts_with("/wp-json");
    for status in [200, 404] {
        let shop = Shop::new();
        shop.answer(below, move || html(status));
        let connector = shop.connect().await.unwrap();
        assert!(codes(&connector.check().await.unwrap()).contains(&"plain_permalinks"), "{status}");

        let shop = Shop::new();
        let times = AtomicUsize::new(0);
        shop.answer(
            move |request| below(request) && times.fetch_add(1, Ordering::SeqCst) == 0,
            move || html(status),
        );
        let connector = shop.connect().await.unwrap();
        let health = connector.check().await.unwrap();
        assert!(!codes(&health).contains(&"plain_permalinks"), "{status}: {health:?}");
    }
}

#[tokio::test]
async fn a_redirect_names_the_right_address_and_is_not_followed() {
    for (location, code, named) in [
        (
            "https://www.shop.example/wp-json/?a=SECRET",
            "address_wrong",
            "address=https://www.shop.example status=",
        ),
        ("https://shop.example/shop/wp-json/", "address_wrong", "address=https://shop.example/shop status="),
        ("http://shop.example/wp-json/?a=SECRET", "address_wrong", "address=http://shop.example status="),
        ("https://shop.example:8443/wp-json", "address_wrong", "address=https://shop.example:8443 status="),
        ("//cdn.example/wp-json/", "address_wrong", "address=https://cdn.example status="),
        ("/coming-soon/?a=SECRET", "redirected", "to=https://shop.example status="),
        ("https://login.example/SECRET?b=SECRET", "redirected", "to=https://login.example status="),
        ("https://u:SECRET@shop.example/wp-json/", "redirected_to_itself", "[redirected_to_itself]"),
        ("data:text/html,SECRET", "redirected", "[redirected]"),
    ] {
        for status in [301, 302, 307, 308] {
            let shop = Shop::new();
            shop.answer(|_| true, move || Response::new(status).with_header("location", location));
            let error = shop.connect().await.unwrap_err();
            assert_eq!(error.code(), code, "{location}: {error}");
            assert_eq!(error.kind(), ErrorKind::Protocol);
            let shown = format!("{error} {error:?}");
            assert!(error.to_string().contains(named), "{location}: {error}");
            assert!(!shown.contains("SECRET"), "{shown}");
            let hosts = shop.sent().iter().filter(|line| line.contains("coming-soon")).count();
            assert_eq!(hosts, 0, "a redirect was followed");
        }
    }
}

#[tokio::test]
async fn recorded_failures_keep_their_codes() {
    use Effect::{None as No, Possible};
    // Recording, code, kind, effect, attempts.
    for (name, code, kind, effect, attempts) in [
        ("error-401-unknown-key", "key_refused", ErrorKind::Auth, No, 1),
        ("error-401-no-auth", "key_refused", ErrorKind::Auth, No, 1),
        ("error-401-bad-secret", "secret_refused", ErrorKind::Auth, No, 1),
        ("error-403-customer-list", "key_lacks_rights", ErrorKind::Forbidden, No, 1),
        ("error-404-no-route", "route_missing", ErrorKind::Unsupported, No, 1),
        ("error-500-database-down", "site_down", ErrorKind::Unavailable, Possible, 5),
        ("error-500-database-down-html", "site_down", ErrorKind::Unavailable, Possible, 5),
        ("error-500-php-fatal", "php_fatal", ErrorKind::Unavailable, Possible, 5),
        ("error-502-nginx-html", "gateway_failed", ErrorKind::Unavailable, Possible, 5),
        ("error-503-maintenance-json", "maintenance", ErrorKind::Unavailable, Possible, 5),
        ("error-503-maintenance-html", "maintenance", ErrorKind::Unavailable, Possible, 5),
        ("plain-permalinks-pretty-url", "redirected_to_itself", ErrorKind::Protocol, No, 1),
        ("error-401-oauth-signature", "secret_refused", ErrorKind::Auth, No, 1),
    ] {
        let Some(recording) = recorded(name) else { return };
        let shop = Shop::new();
        let connector = shop.connect().await.unwrap();
        let (from, started) = (shop.sent().len(), shop.runtime.clock().elapsed());
        let mut answer = response(&recording, &shop.key);
        if name.starts_with("plain") {
            answer = answer.with_header("location", "https://shop.example/wp-json/wc/v3/products/?x=1");
        }
        shop.answer(|_| true, move || answer.clone());
        let error = read(&connector).await.unwrap_err();
        assert_eq!((error.code(), error.kind(), error.effect()), (code, kind, effect), "{name}: {error}");
        assert!(!error.remedy().is_empty(), "{name}");
        assert_eq!(shop.sent().len() - from, attempts, "{name}");
        let waited = shop.runtime.clock().elapsed() - started;
        assert!(waited < Duration::from_secs(120), "{name}: maintenance takes seconds, not {waited:?}");
    }
}

#[tokio::test]
async fn failures_of_the_host_keep_their_codes() {
    let html = "<html><head><title>Checking your browser</title></head><body>no</body></html>";
    for (status, retry_after, code, kind, wait) in [
        (200, None, "answer_not_json", ErrorKind::Protocol, 0..120),
        (401, None, "site_protected", ErrorKind::Auth, 0..1),
        (403, None, "blocked", ErrorKind::Forbidden, 0..1),
        (404, None, "api_not_found", ErrorKind::Protocol, 0..1),
        (429, None, "rate_limited", ErrorKind::RateLimited, 0..120),
        (429, Some("30"), "rate_limited", ErrorKind::RateLimited, 120..121),
        (503, Some("30"), "server_error", ErrorKind::Unavailable, 120..121),
        (504, None, "gateway_failed", ErrorKind::Unavailable, 0..120),
    ] {
        let shop = Shop::new();
        let connector = shop.connect().await.unwrap();
        let started = shop.runtime.clock().elapsed();
        shop.answer(
            |_| true,
            move || {
                let page = Response::new(status).with_header("content-type", "text/html").with_body(html);
                match retry_after {
                    Some(seconds) => page.with_header("retry-after", seconds),
                    None => page,
                }
            },
        );
        let error = read(&connector).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, kind), "{status}: {error}");
        assert!(!error.remedy().is_empty() || status == 503, "{status}");
        assert!(!error.to_string().contains("browser"), "{status}: a body in an error");
        let waited = (shop.runtime.clock().elapsed() - started).as_secs();
        assert!(wait.contains(&waited), "{status} {retry_after:?}: waited {waited} s");
    }
}

#[tokio::test]
async fn noise_before_the_json_is_read_over_and_told() {
    for name in ["noise-php-warning-before-json", "noise-bom-before-json"] {
        let Some(recording) = recorded(name) else { return };
        let shop = Shop::new();
        let connector = shop.connect().await.unwrap();
        let answer = response(&recording, &shop.key);
        shop.answer(
            |request| request.method == "GET" && request.path.ends_with("products"),
            move || answer.clone(),
        );
        let page = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
        assert_eq!(page.degraded, ["noise_before_json"], "{name}");
        let health = connector.check().await.unwrap();
        assert!(codes(&health).contains(&"answers_degraded"), "{health:?}");
    }
}

#[tokio::test]
async fn a_link_that_echoes_the_secret_is_neither_followed_nor_shown() {
    let Some(recording) = recorded("auth-query-string-over-https") else { return };
    let shop = Shop::new();
    let config = shop
        .settings(&shop.key)
        .key_in_query(KeyInQuery::Always)
        .profile(StoreProfile::unknown())
        .build()
        .unwrap();
    let connector = config.connect(&shop.runtime).await.unwrap();
    let answer = response(&recording, &shop.key);
    assert!(answer.header("link").unwrap().contains(&shop.key.consumer_secret), "the recording echoes it");
    shop.answer(|_| true, move || answer.clone());
    let page = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    let next = connector.pull_page(&PullRequest::all(Entity::Product).at(page.next.clone())).await.unwrap();
    let shown = format!("{page:?} {next:?} {connector:?}");
    assert!(!shown.contains(&shop.key.consumer_secret), "{shown}");
    for line in shop.sent() {
        assert_eq!(line.matches("consumer_secret=").count(), 1, "the link's query was taken over: {line}");
        assert!(!line.contains("page=2"), "the link was followed: {line}");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_costs_one_signed_request_more() {
    let (ours, theirs) = (Arc::new(FakeClock::automatic()), Arc::new(FakeClock::automatic()));
    theirs.advance(Duration::from_secs(3_600));
    let mut shop = Shop::new();
    let store = WooStore::new(theirs);
    store.add_key(shop.key.clone());
    let transport = https::Https {
        store,
        host: std::sync::Mutex::default(),
        instead: std::sync::Mutex::default(),
        sent: std::sync::Mutex::default(),
    };
    shop.https = Arc::new(transport);
    let runtime = Runtime::with_parts(shop.https.clone(), ours, Arc::new(SeededEntropy::new(7)));
    let config = WooCommerceConfig::builder("http://shop.example")
        .key(&shop.key.consumer_key)
        .secret(Secret::new(shop.key.consumer_secret.clone()));
    let connector = config.build().unwrap().connect(&runtime).await.unwrap();
    let lists = shop.sent().iter().filter(|line| line.contains("/wc/v3/products?")).count();
    let next = shop.sent().iter().filter(|line| line.contains("/currencies/")).count();
    assert_eq!((lists, next), (2, 1), "the first refusal teaches the clock");
    let health = connector.check().await.unwrap();
    let skew = health.findings.iter().find(|finding| finding.code == "clock_skew").unwrap();
    assert!(skew.evidence.contains("3600 s ahead"), "{}", skew.evidence);
}

#[tokio::test]
async fn a_profile_knows_the_clock_and_the_version_and_a_refused_version_stops_nothing() {
    let shop = Shop::new();
    let profile = shop.connect().await.unwrap().info().profile.clone();
    assert_eq!(profile.version.as_deref(), Some("10.5.0"));
    assert_eq!(profile.time_zone.as_deref(), Some("America/New_York"));
    assert_eq!(profile.utc_offset_seconds, Some(-5 * 3600));

    let status = |request: &Request| request.path.ends_with("/system_status");
    for answer in [
        Response::new(403).with_body(r#"{"code":"woocommerce_rest_cannot_view"}"#),
        Response::new(500).with_body("<html></html>"),
        Response::new(200).with_body(r#"{"environment":{"version":"<script>"}}"#),
        Response::new(200).with_body("[]"),
        Response::new(301).with_header("location", "https://elsewhere.example/"),
    ] {
        let shop = Shop::new();
        let code = answer.status;
        shop.answer(status, move || answer.clone());
        let connector = shop.connect().await.unwrap();
        assert_eq!(connector.info().profile.version, None, "{code}");
        let asked = shop.sent().iter().filter(|line| line.contains("system_status")).count();
        assert_eq!(asked, 1, "{code}: the heavy call is made once");
    }

    // A zone that is only an offset, and texts that are none of a zone.
    for (index, zone, offset) in [
        (r#"{"gmt_offset":"5.5","timezone_string":""}"#, None, Some(19_800)),
        (r#"{"gmt_offset":99,"timezone_string":"<b>"}"#, None, None),
        (r#"{"gmt_offset":null,"timezone_string":"Etc/GMT+5"}"#, Some("Etc/GMT+5"), None),
    ] {
        let shop = Shop::new();
        shop.answer(|request| request.path == "/wp-json/", move || Response::new(200).with_body(index));
        let profile = shop.connect().await.unwrap().info().profile.clone();
        assert_eq!((profile.time_zone.as_deref(), profile.utc_offset_seconds), (zone, offset), "{index}");
    }
}

#[tokio::test]
async fn a_recorded_callback_gives_a_key_that_is_proved_by_a_call() {
    let Some(recording) = recorded("wc-auth-callback") else { return };
    let recorded_body = recording["callback"]["raw_body"].as_str().unwrap();
    let kind = recording["callback"]["headers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|header| header[0] == "Content-Type")
        .unwrap()[1]
        .as_str()
        .unwrap();
    let value = provision::OneTimeValue::new(&SeededEntropy::new(11)).unwrap();
    let request = provision::ProvisionRequest::new(
        "Lily",
        provision::Scope::ReadWrite,
        value.clone(),
        "https://127.0.0.1:9443/return",
        "https://127.0.0.1:9443/callback",
    );
    let ours = value.secret().expose();
    let page = provision::authorize_url("https://127.0.0.1:8443", &request).unwrap();
    let expected = recording["authorize_query"].as_str().unwrap().replace("tenant-42", ours);
    assert_eq!(page.query(), Some(expected.as_str()));
    let back = recording["browser_redirect"].as_str().unwrap().replace("tenant-42", ours);
    let decision = provision::read_return(back.split_once('?').unwrap().1, &value).unwrap();
    assert_eq!(decision, provision::Decision::Approved);
    let back = recording["deny_link"].as_str().unwrap().replace("tenant-42", ours);
    let decision = provision::read_return(back.split_once('?').unwrap().1, &value).unwrap();
    assert_eq!(decision, provision::Decision::Denied);

    let scope = provision::Scope::ReadWrite;
    let error = provision::read_callback(kind, recorded_body.as_bytes(), &value, scope).unwrap_err();
    assert_eq!(error.code(), "callback_not_expected", "the recording is of another request");
    let body = recorded_body.replace("tenant-42", ours);
    let key = provision::read_callback(kind, body.as_bytes(), &value, scope).unwrap();
    assert_eq!(key.key_id, 4);

    // The key is used by nobody before the store took it, and is what it was said to be.
    let shop = Shop::new();
    let settings = || WooCommerceConfig::builder(SITE);
    let error = provision::verify(&key, settings(), &shop.runtime).await.unwrap_err();
    assert_eq!(error.code(), "key_refused");
    let secret = key.consumer_secret.expose();
    for (permissions, expected) in
        [(Permissions::Read, Err("key_cannot_write")), (Permissions::ReadWrite, Ok(()))]
    {
        shop.store.revoke_key(&key.consumer_key);
        shop.store.add_key(ApiKey::new(&key.consumer_key, secret, permissions, Role::Manager));
        let proved = provision::verify(&key, settings(), &shop.runtime).await;
        assert_eq!(proved.as_ref().map(drop).map_err(Error::code), expected);
    }
}
