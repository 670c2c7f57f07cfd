//! Hostile answers, deliveries and files of every platform but the first: each ends in a typed error that quotes
//! nothing, in a rejected record, or in a record that is whole, and never in a panic.
//!
//! `fuzz/` looks further; these are the rows that any change must pass.
#![cfg(all(
    feature = "testkit",
    feature = "bigcommerce",
    feature = "ga4",
    feature = "magento",
    feature = "shopify"
))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use lily_connect::connector::{
    Connector, Detail, FieldAnswer, JobPart, LineAnswer, Patch, PatchField, PatchValue, PullRequest, Purpose,
    PushRequest,
};
use lily_connect::connectors::bigcommerce::BigCommerceConfig;
use lily_connect::connectors::ga4::{Event, Events, Ga4, Ga4Config, Report, Validation};
use lily_connect::connectors::magento::MagentoConfig;
use lily_connect::connectors::shopify::ShopifyConfig;
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::model::{CellValue, Entity, ExternalId, FieldName, RecordRef, Secret, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::sync::Cancel;
use lily_connect::sync::bulk::{Join, JoinSettings};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::{Days, Timestamp};
use lily_connect::transport::{AttemptLimits, HttpTransport};
use lily_connect::webhook::Incoming;
use sha2::Sha256;

const PLANTED: &str = "planted5e1f";
const SECRET: &str = "secret-of-the-delivery";

/// What no platform sends: no JSON, JSON of another kind, members of other types, numbers out of range, texts that are
/// none, and nesting without an end.
fn hostile() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "",
        " \n",
        "null",
        "true",
        "7",
        "\"planted5e1f\"",
        "[]",
        "{}",
        "[[]]",
        "[null,7,\"planted5e1f\",{}]",
        "<html><body>planted5e1f</body></html>",
        r#"{"data":null}"#,
        r#"{"data":[],"meta":{"pagination":{"total":-1,"total_pages":"x"}}}"#,
        r#"{"data":[],"meta":{"pagination":{"total":18446744073709551615,"total_pages":18446744073709551615}}}"#,
        r#"{"data":[null,7,"planted5e1f",[],{}],"meta":7}"#,
        r#"{"data":[{"id":1e999},{"id":-1},{"id":"planted5e1f"},{"id":7,"name":[],"id":9}]}"#,
        r#"{"data":[{"id":7,"name":"\ud800","custom_fields":[{"name":null}],"images":{}}]}"#,
        r#"{"data":[{"id":7001,"categories":[1e400,null],"variants":"planted5e1f"}],"errors":{"x":[]}}"#,
        r#"{"status":422,"title":"planted5e1f","type":7,"errors":{"planted5e1f":["planted5e1f"]}}"#,
        r#"{"items":null,"total_count":null}"#,
        r#"{"items":[null,7,"planted5e1f",[],{}],"total_count":-1}"#,
        r#"{"items":[{"id":7,"sku":{},"custom_attributes":[{"attribute_code":null,"value":{}}]}],"total_count":1e300}"#,
        r#"{"items":[{"id":7,"sku":"a","extension_attributes":[],"media_gallery_entries":[null]}],"total_count":1}"#,
        r#"{"message":"%1 planted5e1f %field","parameters":{"1":{},"field":[]},"trace":"planted5e1f"}"#,
        r#"{"message":["planted5e1f"],"errors":[{"message":7}],"parameters":"x"}"#,
        r#"{"data":{"products":{"nodes":[null,7,{}],"pageInfo":{"hasNextPage":true,"endCursor":null}}}}"#,
        r#"{"data":{"products":{"nodes":[{"id":"gid://shopify/Product/planted5e1f"}],"pageInfo":7}}}"#,
        r#"{"data":{"nodes":[null,{"id":"gid://shopify/Product/7","tags":"planted5e1f"}]},"extensions":[]}"#,
        r#"{"data":null,"errors":[{"message":"planted5e1f","extensions":{"code":["planted5e1f"]}}]}"#,
        r#"{"errors":"planted5e1f","extensions":{"cost":{"requestedQueryCost":-1,"throttleStatus":{"maximumAvailable":1e999}}}}"#,
        r#"{"data":{"productUpdate":{"userErrors":7},"p7001":{"userErrors":[{"code":7}]}},"__lineNumber":-1}"#,
        r#"{"data":{"productUpdate":{"userErrors":[{"message":"planted5e1f"}]}},"__lineNumber":18446744073709551616}"#,
        r#"{"dimensionHeaders":null,"metricHeaders":7,"rows":{}}"#,
        r#"{"rows":[{"dimensionValues":[{"value":7}]}],"rowCount":-1}"#,
        r#"{"dimensionHeaders":[{"name":"date"},{"name":"itemId"}],"metricHeaders":[],"rows":[{}],"rowCount":1}"#,
        r#"{"reports":[null,{"rows":[[]]}],"propertyQuota":{"tokensPerDay":{"remaining":-1}}}"#,
        r#"{"error":{"code":"planted5e1f","status":7,"details":{"reason":"planted5e1f"}}}"#,
        r#"{"error":{"status":"planted5e1f","details":[{"reason":"planted5e1f","retryDelay":"-1e999s"}]}}"#,
        r#"{"accountSummaries":[{"propertySummaries":[{"property":"properties/planted5e1f"}]}],"nextPageToken":7}"#,
        r#"{"customDimensions":[{"scope":"planted5e1f"}],"nextPageToken":"x"}"#,
        r#"{"scope":"store/product/updated","producer":"stores/abc123","data":{"type":"product","id":"planted5e1f"}}"#,
        r#"{"scope":7,"producer":null,"created_at":1e999,"hash":{}}"#,
        r#"{"id":{},"admin_graphql_api_id":"gid://shopify/Product/planted5e1f"}"#,
        "{\"__parentId\":\"gid://shopify/Product/7\"}\n{\"id\":\"gid://shopify/Product/7\"}\n\n{\"id\":7}\nnull",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    for open in ["[", "{\"data\":", "{\"items\":[", "{\"rows\":[{\"dimensionValues\":["] {
        all.push(open.repeat(50_000).into_bytes());
    }
    all.push(b"{\"data\":[{\"id\":7,\"name\":\"\xff\xfe\"}]}".to_vec());
    all.push([b"\xef\xbb\xbf".as_slice(), b"{\"data\":[]}"].concat());
    all.push(format!("{{\"data\":[{{\"id\":7,\"name\":\"{}\"}}]}}", "x".repeat(1_000_000)).into_bytes());
    all
}

/// A transport of one answer, but for tokens, which are always to be had.
#[derive(Debug)]
struct Canned(u16, Bytes);

#[async_trait]
impl HttpTransport for Canned {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let token = Bytes::from_static(br#"{"access_token":"t","expires_in":3599,"token_type":"Bearer"}"#);
        let (status, body) = match request.uri().path() {
            "/token" => (200, token),
            _ => (self.0, self.1.clone()),
        };
        Ok(http::Response::builder().status(status).body(body).unwrap())
    }
}

/// A platform whose answers are given; each answer is met by a connector of its own, so that none waits for another's.
struct Platform {
    runtime: Runtime,
}

impl Platform {
    fn of(status: u16, body: &[u8]) -> Self {
        let canned = Arc::new(Canned(status, Bytes::copy_from_slice(body)));
        let clock = Arc::new(FakeClock::automatic());
        let runtime = Runtime::with_parts(canned, clock, Arc::new(SeededEntropy::new(3)));
        Self { runtime }
    }

    async fn shops(&self) -> Vec<Arc<dyn Connector>> {
        let bigcommerce = BigCommerceConfig::builder("abc123").access_token(Secret::new("t"));
        let bigcommerce = bigcommerce.client_secret(Secret::new(SECRET)).profile(profile()).build().unwrap();
        let magento = MagentoConfig::builder("https://shop.example").access_token(Secret::new("t"));
        let magento = magento.profile(profile()).build().unwrap();
        let shopify = ShopifyConfig::builder("some-shop.myshopify.com").access_token(Secret::new("t"));
        let shopify = shopify.profile(profile()).build().unwrap();
        vec![
            Arc::new(bigcommerce.connect(&self.runtime).await.unwrap()),
            Arc::new(magento.connect(&self.runtime).await.unwrap()),
            Arc::new(shopify.connect(&self.runtime).await.unwrap()),
        ]
    }

    async fn property(&self) -> Ga4 {
        let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
        let config = Ga4Config::builder("123").credentials(Secret::new(user)).search_landings(true);
        let config = config.stream("G-ABC123", Secret::new("m")).profile(profile()).build().unwrap();
        config.connect(&self.runtime).await.unwrap()
    }
}

fn profile() -> StoreProfile {
    let mut profile = StoreProfile::unknown();
    profile.currency = Some("EUR".parse().unwrap());
    profile.time_zone = Some("Europe/Vienna".into());
    profile
}

/// An error is one line of a bounded length, with a code, and says nothing of what came.
fn check(error: &Error, of: &str) {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!("{inner} {inner:?}"));
        source = inner.source();
    }
    assert!(!error.code().is_empty() && error.to_string().len() < 1000, "{of}: {text}");
    assert!(!error.to_string().chars().any(char::is_control), "{of}: {text}");
    assert_ne!(error.kind(), ErrorKind::Config, "{of}: {text}");
    // What a platform says of itself is repeated for people, cut and cleaned.
    let repeated = ["said", "platform_says", "platform_code", "path", "fields"];
    let shows =
        |(name, value): &(&str, _)| !repeated.contains(name) && format!("{value:?}").contains(PLANTED);
    assert!(!error.message().contains(PLANTED) && !error.remedy().contains(PLANTED), "{of}: {text}");
    assert!(!error.context().iter().any(|it| shows(&(it.0, &it.1))), "{of}: {text}");
}

async fn pull(connector: &dyn Connector, request: &PullRequest, of: &str) {
    let page = match connector.pull_page(request).await {
        Ok(page) => page,
        Err(error) => return check(&error, of),
    };
    assert!(page.next.is_none() || page.next != request.cursor, "{of}: it goes on where it is");
    for items in &page.items {
        match connector.schema(items.entity).unwrap().map(items, &profile()) {
            Ok(mapped) => {
                assert!(mapped.records.iter().all(|it| !it.reference().id.as_str().is_empty()), "{of}");
                for record in &mapped.records {
                    let line = serde_json::to_string(record).unwrap();
                    assert_eq!(&serde_json::from_str::<lily_connect::Record>(&line).unwrap(), record, "{of}");
                }
            }
            Err(error) => check(&error, of),
        }
    }
}

fn name_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(60).collect()
}

#[tokio::test]
async fn a_hostile_list_record_or_refusal_of_a_shop_is_an_error_or_whole() {
    for body in hostile() {
        // A refusal's body is read to say what is wrong: the long ones are told by the first status.
        for status in [200, 400, 422, 503].into_iter().filter(|it| *it == 200 || body.len() < 1000) {
            for connector in Platform::of(status, &body).shops().await {
                let of = format!("{} {status} {}", connector.info().store.platform, name_of(&body));
                for claims in &connector.capabilities().entities {
                    pull(&*connector, &PullRequest::all(claims.entity), &of).await;
                    if claims.ids_only {
                        let mut ids = PullRequest::all(claims.entity);
                        ids.detail = Detail::IdsOnly;
                        pull(&*connector, &ids, &of).await;
                    }
                    let one = vec![ExternalId::from("7".to_owned())];
                    pull(&*connector, &PullRequest::by_ids(claims.entity, one, Purpose::Guard), &of).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_write_is_no_success_and_neither_is_an_answer_of_a_graph_that_does_not_say_so() {
    for body in hostile() {
        for status in [200, 207, 422, 503] {
            let platform = Platform::of(status, &body);
            for connector in platform.shops().await {
                let store = connector.info().store.platform.clone();
                let of = format!("{store} {status} {}", name_of(&body));
                let patch = |id: &'static str| {
                    let value = PatchValue::Text { text: "Cap".into(), raw: None };
                    let change = PatchField::new(FieldName::new("title"), value, CellValue::Absent);
                    Patch::new(RecordRef::new(store.clone(), Entity::Product, id), vec![change])
                };
                let until = platform.runtime.clock().elapsed() + std::time::Duration::from_secs(5);
                let push = PushRequest::new(vec![patch("8001"), patch("8002")], until);
                match connector.push(&push).await {
                    Ok(answers) => {
                        assert_eq!(answers.len(), 2, "{of}");
                        // What a success wrote, a read shows: of the others its status is all there is.
                        let may_be = status < 300 && store.as_str() != "shopify";
                        for (_, said) in answers.iter().flat_map(|answer| &answer.fields) {
                            assert!(may_be || !matches!(said, FieldAnswer::Accepted), "{of}");
                        }
                    }
                    Err(error) => check(&error, &of),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_hostile_answer_of_google_is_an_error_or_whole() {
    let days = Days::new("2026-11-14".parse().unwrap(), "2026-11-20".parse().unwrap()).unwrap();
    for body in hostile() {
        for status in [200, 400, 403, 429, 503].into_iter().filter(|it| *it == 200 || body.len() < 1000) {
            let platform = Platform::of(status, &body);
            let property = platform.property().await;
            let of = format!("ga4 {status} {}", name_of(&body));
            pull(&property, &PullRequest::window(Entity::Performance, days), &of).await;
            let report = Report::new(days).dimension("date").metric("sessions");
            let events = Events::new(vec![Event::content_applied("SKU-1", "v1").unwrap()]);
            let results = [
                property.run_report(&report).await.map(|page| {
                    assert!(page.rows.iter().all(|row| row.len() == page.columns.len()), "{of}");
                }),
                property.batch_run_reports(&[report.clone(), report.clone()]).await.map(drop),
                property.metadata().await.map(drop),
                property.check_compatibility(&report).await.map(drop),
                property.list_properties().await.map(drop),
                property.custom_dimensions().await.map(drop),
                property.validate_events(&events, Validation::Relaxed).await.map(drop),
            ];
            results.iter().filter_map(|it| it.as_ref().err()).for_each(|error| check(error, &of));
            let findings = property.check().await.unwrap().findings;
            assert!(findings.iter().all(|it| !format!("{it:?}").contains(PLANTED)), "{of}: {findings:?}");
        }
    }
}

#[tokio::test]
async fn a_hostile_delivery_that_is_signed_is_an_event_or_an_error() {
    let sign = |parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
    };
    let shops = Platform::of(200, b"").shops().await;
    let received: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    for body in hostile() {
        for (connector, topic) in shops
            .iter()
            .filter(|it| it.webhooks().is_some())
            .flat_map(|it| ["products/update", "planted5e1f", ""].map(|topic| (it, topic)))
        {
            let time = received.unix_seconds().to_string();
            let standard = format!("v1,{}", sign(&[b"id", b".", time.as_bytes(), b".", &body]));
            let headers = [
                ("webhook-id", "id".to_owned()),
                ("webhook-timestamp", time),
                ("webhook-signature", standard),
                ("x-shopify-hmac-sha256", sign(&[&body])),
                ("x-shopify-topic", topic.to_owned()),
                ("x-shopify-shop-domain", "some-shop.myshopify.com".to_owned()),
                ("x-shopify-webhook-id", "d1".to_owned()),
            ];
            let headers = headers
                .into_iter()
                .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            let of = format!("{} {topic} {}", connector.info().store.platform, name_of(&body));
            let Ok(incoming) = Incoming::new(headers, body.clone(), received) else { continue };
            if let Err(error) = connector.webhooks().unwrap().verify(&incoming, &[Secret::new(SECRET)]) {
                check(&error, &of);
            }
        }
    }
}

#[tokio::test]
async fn hostile_lines_of_jobs_are_records_issues_or_no_success() {
    let shops = Platform::of(200, b"").shops().await;
    let shopify = shops.last().unwrap();
    for body in hostile() {
        let of = name_of(&body);
        for kind in ["productUpdate", "metafieldsSet"] {
            let answer = shopify.write_jobs().unwrap().read_line(&JobPart::new(kind, Vec::new()), &body);
            assert!(!matches!(answer, LineAnswer::At(_, FieldAnswer::Accepted)), "{of}");
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&body).unwrap();
        let joints = shopify.bulk().unwrap().joints(Entity::Product);
        let mut join =
            Join::open(file, Entity::Product, joints, &JoinSettings::default(), &Cancel::default()).unwrap();
        while let Some(page) = join.next_page().unwrap() {
            match shopify.schema(Entity::Product).unwrap().map(&page.items, &profile()) {
                Ok(mapped) => {
                    let all = (mapped.records.len() + mapped.rejected.len()) as u64;
                    assert_eq!(all, page.next - page.first, "{of}");
                }
                Err(error) => check(&error, &of),
            }
        }
    }
}
