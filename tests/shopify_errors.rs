//! What a Shopify store answers when something is wrong, and what becomes of it: three layers of errors read as one.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::too_many_lines,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::Kept;
use lily_connect::connector::{
    Connector, FieldAnswer, Patch, PatchField, PatchValue, PullRequest, PushRequest, Severity,
};
use lily_connect::connectors::shopify::{ApiVersion, Shopify};
use lily_connect::doctor;
use lily_connect::error::{Effect, ErrorKind, Result};
use lily_connect::model::{CellValue, Entity, FieldName, Platform, RecordRef};
use lily_connect::runtime::Runtime;
use lily_connect::state::MemoryState;
use lily_connect::sync::Pull;
use lily_connect::sync::bulk::{BulkSettings, BulkUse};
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::{GraphFault, ShopifyFake};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::Clock;
use serde_json::json;
use shopify::{bench, bench_with, config};

/// What stands between the shop and its callers: answers of its own, or changes of the shop's.
#[derive(Clone)]
struct Between {
    shop: ShopifyFake,
    script: Arc<Mutex<VecDeque<Turn>>>,
}

/// What becomes of one call of the API.
enum Turn {
    /// It is answered so, and the shop never sees it.
    Instead(Response),
    /// The shop answers, and its answer is changed.
    Changed(fn(&mut Response)),
}

#[async_trait]
impl Handler for Between {
    fn handle(&self, request: &Request) -> Response {
        let turn = self.script.lock().unwrap().pop_front();
        match turn {
            Some(Turn::Instead(response)) => response,
            Some(Turn::Changed(change)) => {
                let mut response = self.shop.handle(request);
                change(&mut response);
                response
            }
            None => self.shop.handle(request),
        }
    }
}

struct Stage {
    shop: ShopifyFake,
    script: Arc<Mutex<VecDeque<Turn>>>,
    connector: Shopify,
    clock: Arc<FakeClock>,
    server: Server,
    token: String,
    id: u64,
}

impl Stage {
    async fn new() -> Self {
        let clock = Arc::new(FakeClock::automatic());
        let shop = ShopifyFake::new(clock.clone());
        let id = shop.create_product("Old", |_| {});
        let token = shop.issue_token("test-of-errors");
        let script: Arc<Mutex<VecDeque<Turn>>> = Arc::default();
        let server =
            Service::new(Between { shop: shop.clone(), script: script.clone() }).start().await.unwrap();
        let entropy = Arc::new(SeededEntropy::new(7));
        let runtime = Runtime::with_parts(shopify::recorded::transport(), clock.clone(), entropy);
        let connector = config(&server.url(), &token).build().unwrap().connect(&runtime).await.unwrap();
        Self { shop, script, connector, clock, server, token, id }
    }

    /// The next calls are all answered so.
    fn answers(&self, status: u16, headers: &[(&str, &str)], body: &str, times: usize) {
        for _ in 0..times {
            let mut response = Response::new(status).with_header("content-type", "application/json");
            for (name, value) in headers {
                response = response.with_header(name, value);
            }
            self.script.lock().unwrap().push_back(Turn::Instead(response.with_body(body.to_owned())));
        }
    }

    /// A read of one call.
    async fn read(&self) -> Result<()> {
        self.connector.look_up(&names()).await.map(drop)
    }

    async fn write(&self) -> Result<FieldAnswer> {
        let value = PatchValue::Text { text: "New".into(), raw: None };
        let change = PatchField::new(FieldName::new("title"), value, CellValue::Empty);
        let target = RecordRef::new(Platform::new("shopify"), Entity::Product, self.id.to_string());
        let until = self.clock.elapsed() + Duration::from_secs(3600);
        let request = PushRequest::new(vec![Patch::new(target, vec![change])], until);
        let answers = self.connector.push(&request).await?;
        Ok(answers[0].fields[0].1.clone())
    }

    fn title(&self) -> String {
        self.shop.product(self.id).unwrap().title
    }

    fn calls(&self) -> u64 {
        self.server.traffic().requests()
    }

    /// No secret, and no body of an answer.
    fn is_discreet(&self, shown: &str) {
        assert!(!shown.contains(&self.token) && !shown.contains("QUERY-TEXT"), "{shown}");
    }
}

fn names() -> lily_connect::connector::LookUp {
    lily_connect::connector::LookUp::Names { field: FieldName::new("categories"), names: vec!["x".into()] }
}

fn errors(code: &str) -> String {
    json!({"errors": [{"message": "As the platform says it", "extensions": {"code": code}}]}).to_string()
}

struct Row {
    name: &'static str,
    status: u16,
    body: String,
    kind: ErrorKind,
    code: &'static str,
    /// How often a read is tried, and a write.
    tries: (u64, u64),
    /// Whether a write may have been done.
    effect: Effect,
}

fn row(name: &'static str, status: u16, body: String, kind: ErrorKind, code: &'static str) -> Row {
    Row { name, status, body, kind, code, tries: (1, 1), effect: Effect::None }
}

fn rows() -> Vec<Row> {
    use ErrorKind::{Auth, Forbidden, NotFound, Protocol, RateLimited, Rejected, TooLarge, Unavailable};
    let said = |errors: serde_json::Value| json!({ "errors": errors }).to_string();
    let text = || said(json!("As the platform says it"));
    let throttled = json!({
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": {"requestedQueryCost": 100, "actualQueryCost": null, "throttleStatus":
            {"maximumAvailable": 2000.0, "currentlyAvailable": 50, "restoreRate": 100.0}}},
    });
    let mut rows = vec![
        Row { tries: (5, 5), ..row("throttled", 200, throttled.to_string(), RateLimited, "budget_spent") },
        row("too costly", 200, errors("MAX_COST_EXCEEDED"), TooLarge, "query_too_costly"),
        row("inactive", 200, errors("SHOP_INACTIVE"), Forbidden, "shop_inactive"),
        row("bad request", 400, said(json!({"query": "Required parameter missing"})), Rejected, "rejected"),
        row("unknown token", 401, text(), Auth, "token_refused"),
        row("frozen", 402, text(), Forbidden, "shop_frozen"),
        row("scope", 403, text(), Forbidden, "scope_missing"),
        row("gone", 404, text(), NotFound, "shop_missing"),
        row("locked", 423, text(), Forbidden, "shop_locked"),
        row("blocked", 430, text(), Forbidden, "blocked"),
        Row { tries: (5, 5), ..row("rate", 429, text(), RateLimited, "rate_limited") },
    ];
    let permanent = "[API] Non-expiring access tokens are no longer accepted for the Admin API. Start using";
    rows.push(row("permanent token", 403, said(json!(permanent)), Auth, "permanent_token_refused"));
    let denied = json!([{"message": "Access denied for productUpdate field. Required access: `write_products`",
        "path": ["productUpdate"], "extensions": {"code": "ACCESS_DENIED"}}]);
    rows.push(row("denied", 200, said(denied), Forbidden, "scope_missing"));
    let possible = |row: Row| Row { effect: Effect::Possible, ..row };
    rows.push(possible(Row {
        tries: (5, 1),
        ..row("their fault", 200, errors("INTERNAL_SERVER_ERROR"), Unavailable, "store_failed")
    }));
    // The form of the errors does not matter: a list, an object, a text.
    for body in [
        said(
            json!([{"message": "must provide one of first or last", "locations": [{"line": 1, "column": 2}]}]),
        ),
        said(json!({"base": ["is wrong"]})),
        said(json!("wrong")),
    ] {
        rows.push(possible(row("without a code", 200, body, Rejected, "query_refused")));
    }
    rows.push(possible(row("no data", 200, "{\"data\":null}".to_owned(), Protocol, "answer_without_data")));
    for status in [500, 502, 503, 504, 530, 540] {
        let row = row("server", status, "<html>QUERY-TEXT</html>".to_owned(), Unavailable, "server_error");
        rows.push(possible(Row { tries: (5, 1), ..row }));
    }
    rows
}

#[tokio::test]
async fn each_refusal_has_its_kind_its_code_its_retries_and_its_effect() {
    for row in rows() {
        let told = format!("{} {}", row.name, row.status);
        let stage = Stage::new().await;
        stage.server.traffic().clear();
        stage.answers(row.status, &[], &row.body, 5);
        let error = stage.read().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (row.kind, row.code), "{told} {error}");
        assert_eq!(stage.calls(), row.tries.0, "{told}");
        let by_status = ["rejected", "rate_limited", "server_error"].contains(&row.code);
        assert!(by_status || !error.remedy().is_empty(), "{told}");
        stage.is_discreet(&format!("{error} {error:?}"));

        let stage = Stage::new().await;
        stage.server.traffic().clear();
        stage.answers(row.status, &[], &row.body, 5);
        let written = stage.write().await;
        assert_eq!(stage.calls(), row.tries.1, "{told}");
        assert_eq!(stage.title(), "Old", "{told}");
        stage.is_discreet(&format!("{written:?}"));
        match (row.effect, written) {
            (Effect::Possible, Ok(FieldAnswer::Unknown { why })) => {
                assert!(why.contains(row.code), "{told} {why}")
            }
            (Effect::None, Ok(FieldAnswer::Refused { code, .. })) => assert_eq!(code, row.code, "{told}"),
            other => panic!("{told}: {other:?}"),
        }
    }
}

fn waited(stage: &Stage, before: usize) -> Duration {
    stage.clock.slept()[before..].iter().sum()
}

#[tokio::test]
async fn a_refusal_for_cost_is_waited_for_exactly_and_the_write_is_repeated_since_nothing_was_begun() {
    let stage = Stage::new().await;
    let body = json!({
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": {"requestedQueryCost": 730, "actualQueryCost": null, "throttleStatus":
            {"maximumAvailable": 2000.0, "currentlyAvailable": 30.0, "restoreRate": 100.0}}},
    });
    stage.answers(200, &[], &body.to_string(), 1);
    let before = stage.clock.elapsed();
    assert_eq!(stage.write().await.unwrap(), FieldAnswer::Accepted);
    assert_eq!(stage.title(), "New");
    let waited = stage.clock.elapsed() - before;
    let off = waited.abs_diff(Duration::from_secs(7));
    assert!(off < Duration::from_millis(100), "{waited:?}");
}

#[tokio::test]
async fn a_fraction_of_a_second_to_wait_is_waited() {
    for (header, least, most) in [("2.5", 2.5, 2.6), ("0.4", 0.4, 0.5), ("3", 3.0, 3.1), ("9e9", 0.0, 3.0)] {
        let stage = Stage::new().await;
        stage.answers(429, &[("retry-after", header)], "{\"errors\":\"Exceeded\"}", 1);
        let (at, slept) = (stage.clock.elapsed(), stage.clock.slept().len());
        stage.read().await.unwrap();
        let passed = (stage.clock.elapsed() - at).as_secs_f64();
        assert!((least..=most).contains(&passed), "{header}: {passed} {:?}", waited(&stage, slept));
    }
    // One that asks for days is cut.
    let stage = Stage::new().await;
    stage.answers(429, &[("retry-after", "864000.5")], "{\"errors\":\"Exceeded\"}", 1);
    let at = stage.clock.elapsed();
    drop(stage.read().await);
    assert!(stage.clock.elapsed() - at <= Duration::from_secs(301));
}

#[tokio::test]
async fn a_search_term_that_was_passed_over_is_an_error_and_not_a_wrong_list() {
    let stage = Stage::new().await;
    let change: fn(&mut Response) = |response| {
        let mut body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        body["extensions"]["search"] = json!([{"path": ["products"], "query": "updated_at:>x",
            "warnings": [{"field": "updated_at", "message": "Invalid search field for this query.", "code": "invalid_field"}]}]);
        response.body = body.to_string().into_bytes();
    };
    stage.script.lock().unwrap().push_back(Turn::Changed(change));
    let error = stage.read().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "search_term_ignored"));
}

async fn pull_all(connector: Arc<dyn Connector>) -> (usize, bool) {
    let kept = Kept::default();
    let bulk = BulkSettings::default().when(BulkUse::Never);
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).bulk(bulk);
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    let records = kept.0.lock().unwrap().len();
    (records, certificate.is_complete())
}

#[tokio::test]
async fn a_query_that_is_too_costly_is_asked_by_halves_and_the_pull_is_complete() {
    for limit in [700, 300] {
        let bench = bench(90).await;
        bench.shop.set_conditions(|conditions| conditions.query_cost_limit = limit);
        bench.shop.clear_calls();
        assert_eq!(pull_all(bench.connector.clone()).await, (90, true), "{limit}");
        let calls = bench.shop.calls();
        let refused = calls.iter().filter(|it| it.error.as_deref() == Some("MAX_COST_EXCEEDED")).count();
        assert!((1..=3).contains(&refused), "{limit}: {refused}, not once for each page");
        eprintln!("limit {limit}: {} calls, {refused} too costly", calls.len());
    }
}

#[tokio::test]
async fn a_page_at_which_the_store_fails_again_and_again_is_asked_for_smaller() {
    let bench = bench(30).await;
    bench.shop.fail("Products", GraphFault::InternalError, 5);
    assert_eq!(pull_all(bench.connector.clone()).await, (30, true));
}

#[tokio::test]
async fn a_shop_that_tells_no_costs_is_read_and_written_all_the_same() {
    let bench = bench_with(
        |shop| {
            shop.seed_products(90);
            shop.set_conditions(|conditions| conditions.without_cost = true);
        },
        |builder| builder,
        |settings| settings,
    )
    .await;
    assert_eq!(pull_all(bench.connector.clone()).await, (90, true));
}

#[tokio::test]
async fn another_version_and_members_that_are_to_go_are_warnings_that_the_doctor_tells() {
    for (asked, serves, odd) in [
        (ApiVersion::V2026_10, None, false),
        (ApiVersion::V2026_10, Some("2026-01"), true),
        (ApiVersion::V2026_01, Some("2026-10"), true),
        (ApiVersion::V2026_01, Some("2027-01"), true),
        (ApiVersion::V2026_01, None, false),
    ] {
        let bench = bench_with(
            |shop| {
                shop.seed_products(3);
                shop.set_conditions(|conditions| conditions.serves = serves.map(str::to_owned));
            },
            |builder| builder,
            |settings| settings.api_version(asked),
        )
        .await;
        let page = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
        assert_eq!(page.degraded.contains(&"api_version_differs"), odd, "{asked:?} {serves:?}");
        let report = doctor::examine(&*bench.connector).await.unwrap();
        let found: Vec<_> = report.findings.iter().filter(|it| it.code == "api_version_differs").collect();
        assert_eq!(found.len(), usize::from(odd), "{report}");
        assert!(found.iter().all(|it| it.severity == Severity::Warning && !it.remedy.is_empty()));
    }
    let stage = Stage::new().await;
    let change: fn(&mut Response) = |response| {
        *response = response.clone().with_header("x-shopify-api-deprecated-reason", "Shop.products");
    };
    stage.script.lock().unwrap().push_back(Turn::Changed(change));
    let report = doctor::examine(&stage.connector).await.unwrap();
    assert!(report.findings.iter().any(|it| it.code == "api_member_deprecated"), "{report}");
}

#[tokio::test]
async fn the_doctor_tells_what_a_shop_in_trouble_is_in() {
    type Trouble = fn(&ShopifyFake);
    let troubles: [(Trouble, &str); 5] = [
        (|shop| shop.set_conditions(|it| it.frozen = true), "shop_frozen"),
        (|shop| shop.set_conditions(|it| it.locked = true), "shop_locked"),
        (|shop| shop.set_conditions(|it| it.gone = true), "shop_missing"),
        (|shop| shop.set_conditions(|it| it.inactive = true), "shop_inactive"),
        (|shop| shop.set_conditions(|it| it.permanent_tokens_refused = true), "permanent_token_refused"),
    ];
    for (trouble, code) in troubles {
        let stage = Stage::new().await;
        trouble(&stage.shop);
        let report = doctor::examine(&stage.connector).await.unwrap();
        assert!(report.findings.iter().any(|it| it.code == code && !it.remedy.is_empty()), "{code} {report}");
        stage.is_discreet(&format!("{report} {report:?}"));
    }
}

#[tokio::test]
async fn nothing_shows_the_token() {
    let stage = Stage::new().await;
    stage.is_discreet(&format!("{:?}", stage.connector));
    stage.answers(400, &[], "QUERY-TEXT that is no JSON", 1);
    let error = stage.read().await.unwrap_err();
    stage.is_discreet(&format!("{error} {error:?} {:?}", error.context()));
}
