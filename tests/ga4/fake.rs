//! The stand-in itself: its answers are those of the official documents, and it refuses what Google refuses.

use std::sync::Arc;

use http::Method;
use http::header::AUTHORIZATION;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler, Request, Transport};
use lily_connect::testkit::ga4::Ga4Fake;
use serde_json::{Value, json};

use crate::bench::{PROPERTY, documents, fake};

struct Asked(Ga4Fake, String);

fn asked() -> Asked {
    let fake = fake(Arc::new(FakeClock::new()));
    fake.seed_property(PROPERTY, 3, 3, 3);
    let file: Value = serde_json::from_str(&fake.issue_user("reader")).unwrap();
    let text = |name: &str| file[name].as_str().unwrap().to_owned();
    let form = format!(
        "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        text("client_id"),
        text("client_secret"),
        text("refresh_token")
    );
    let request = Request::new(Method::POST, "/token", Transport::Plain).with_body(form);
    let answer: Value = serde_json::from_slice(&fake.handle(&request).body).unwrap();
    Asked(fake, answer["access_token"].as_str().unwrap().to_owned())
}

impl Asked {
    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = Request::new(method, path, Transport::Plain)
            .with_header(AUTHORIZATION, &format!("Bearer {}", self.1));
        if let Some(body) = body {
            request = request.with_body(body.to_string());
        }
        let response = self.0.handle(&request);
        (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap_or_default())
    }

    fn report(&self, body: &Value) -> (u16, Value) {
        self.call(Method::POST, &format!("/v1beta/properties/{PROPERTY}:runReport"), Some(body))
    }
}

#[test]
fn answers_are_messages_of_the_official_documents() {
    let Some((data, admin)) = documents() else { return };
    let asked = asked();
    asked.0.change(PROPERTY, |property| {
        let conditions = &mut property.conditions;
        conditions.sampled = Some((1, 2));
        conditions.threshold = Some(1);
        conditions.most_items_a_day = Some(1);
        conditions.truncation = Some("DATA_TRUNCATION_TYPE_PROPERTY");
        conditions.restricted = vec!["itemRevenue".to_owned()];
    });
    let report = json!({"dimensions": [{"name": "itemId"}], "metrics": [{"name": "itemRevenue"}],
        "dateRanges": [{"startDate": "3daysAgo", "endDate": "yesterday"}], "returnPropertyQuota": true});
    let of = |path: &str| format!("/v1beta/properties/{PROPERTY}{path}");
    let (post, get) = (Method::POST, Method::GET);
    for (document, message, method, path, body) in [
        (&data, "RunReportResponse", &post, of(":runReport"), Some(report.clone())),
        (
            &data,
            "BatchRunReportsResponse",
            &post,
            of(":batchRunReports"),
            Some(json!({"requests": [report]})),
        ),
        (
            &data,
            "CheckCompatibilityResponse",
            &post,
            of(":checkCompatibility"),
            Some(json!({"metrics": [{"name": "sessions"}]})),
        ),
        (&data, "Metadata", &get, of("/metadata"), None),
        (&admin, "GoogleAnalyticsAdminV1betaProperty", &get, of(""), None),
        (&admin, "GoogleAnalyticsAdminV1betaListDataStreamsResponse", &get, of("/dataStreams"), None),
        (
            &admin,
            "GoogleAnalyticsAdminV1betaListCustomDimensionsResponse",
            &get,
            of("/customDimensions"),
            None,
        ),
        (
            &admin,
            "GoogleAnalyticsAdminV1betaListAccountSummariesResponse",
            &get,
            "/v1beta/accountSummaries".to_owned(),
            None,
        ),
    ] {
        let (status, answer) = asked.call(method.clone(), &path, body.as_ref());
        assert_eq!(status, 200, "{path}: {answer}");
        assert_eq!(document.problems(message, &answer), Vec::<String>::new(), "{path}: {answer}");
    }
    assert_eq!(asked.0.violations(), Vec::<String>::new());
}

#[test]
fn an_answer_has_the_shape_of_the_sample() {
    let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else { return };
    let read = |name: &str| -> Value {
        let path = std::path::Path::new(&specs).join("ga4/samples").join(name);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let (request, sample) = (read("run_report_request.json"), read("run_report_response.json"));
    let asked = asked();
    let mut request = request;
    request["dateRanges"] = json!([{"startDate": "yesterday", "endDate": "yesterday"}]);
    let (status, answer) = asked.report(&request);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["dimensionHeaders"], &answer["metricHeaders"]),
        (&sample["dimensionHeaders"], &sample["metricHeaders"])
    );
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for member in ["rows", "metadata"] {
        let first = |value: &Value| members(if value.is_array() { &value[0] } else { value });
        assert_eq!(first(&answer[member]), first(&sample[member]));
    }
}

#[test]
fn what_google_refuses_is_refused() {
    let asked = asked();
    let days = json!([{"startDate": "yesterday", "endDate": "yesterday"}]);
    for (body, status) in [
        (json!({"metrics": [{"name": "sessions"}], "dateRanges": days}), 200),
        (json!({"metrics": [{"name": "noSuch"}], "dateRanges": days}), 400),
        (
            json!({"dimensions": [{"name": "itemId"}], "metrics": [{"name": "eventCount"}], "dateRanges": days}),
            400,
        ),
        (json!({"metrics": [{"name": "sessions"}], "dateRanges": days, "limit": "250001"}), 400),
        (json!({"metrics": [{"name": "sessions"}], "dateRanges": days, "limit": "0"}), 400),
        (json!({"metrics": [{"name": "sessions"}], "dateRanges": days, "Limit": "5"}), 400),
        (
            json!({"metrics": [{"name": "sessions"}], "dateRanges": [{"startDate": "20261101", "endDate": "today"}]}),
            400,
        ),
        (json!({"metrics": [], "dateRanges": days}), 400),
    ] {
        let (answered, answer) = asked.report(&body);
        assert_eq!(answered, status, "{body}: {answer}");
        if status == 400 {
            assert_eq!(answer["error"]["status"], "INVALID_ARGUMENT");
        }
    }
    // A member that Google does not know is a violation, too.
    if documents().is_some() {
        assert_eq!(asked.0.violations().len(), 1, "{:?}", asked.0.violations());
    }
    let other = Asked(asked.0.clone(), "ya29.other".to_owned());
    assert_eq!(other.report(&json!({"metrics": [{"name": "sessions"}], "dateRanges": days})).0, 401);
    let foreign = asked.call(Method::GET, "/v1beta/properties/9", None);
    assert_eq!((foreign.0, &foreign.1["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
}

#[test]
fn an_empty_report_has_neither_rows_nor_a_count() {
    let asked = asked();
    let days = json!([{"startDate": "2020-01-01", "endDate": "2020-01-02"}]);
    let (_, answer) = asked.report(
        &json!({"dimensions": [{"name": "date"}], "metrics": [{"name": "sessions"}], "dateRanges": days}),
    );
    assert!(answer.get("rows").is_none() && answer.get("rowCount").is_none(), "{answer}");
    assert!(answer["metadata"]["emptyReason"].is_string());
}

#[test]
fn the_debug_endpoint_tells_what_the_other_takes_in_silence() {
    let asked = asked();
    let send = |path: &str, body: &Value| {
        let request = Request::new(Method::POST, path, Transport::Plain).with_body(body.to_string());
        asked.0.handle(&request)
    };
    let bad = json!({"client_id": "1.2", "events": [{"name": "_badEventName"}, {"name": "session_start"}]});
    let told: Value = serde_json::from_slice(&send("/debug/mp/collect", &bad).body).unwrap();
    let codes: Vec<&Value> =
        told["validationMessages"].as_array().unwrap().iter().map(|it| &it["validationCode"]).collect();
    assert_eq!(codes, ["NAME_INVALID", "NAME_RESERVED"]);
    assert!(asked.0.collected().is_empty());
    assert_eq!(send("/mp/collect?measurement_id=G-X&api_secret=y", &bad).status.as_u16(), 204);
    assert_eq!((asked.0.collected().len(), asked.0.violations().len()), (1, 2));
}
