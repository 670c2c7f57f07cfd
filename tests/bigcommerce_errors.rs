//! What a BigCommerce store answers when something is wrong, and what becomes of it.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use bigcommerce::{Desk, bench, config};
use lily_connect::connector::{
    Connector, FieldAnswer, Patch, PatchField, PatchValue, PullRequest, PushRequest,
};
use lily_connect::connectors::bigcommerce::PLATFORM;
use lily_connect::error::{Error, ErrorKind};
use lily_connect::model::{CellValue, Entity, FieldName, Media, RecordRef};
use lily_connect::sync::ReceiptOutcome;
use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::testkit::exchange::Response;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::time::Clock;
use serde_json::json;

fn text(field: &str, text: &str) -> PatchField {
    let value = PatchValue::Text { text: text.into(), raw: None };
    PatchField::new(FieldName::from(field.to_owned()), value, CellValue::Absent)
}

fn product(id: u64) -> RecordRef {
    RecordRef::new(PLATFORM, Entity::Product, id.to_string())
}

async fn push(bench: &bigcommerce::Bench, patches: Vec<Patch>) -> Vec<Vec<(String, FieldAnswer)>> {
    let until = bench.clock.elapsed() + std::time::Duration::from_secs(5);
    let answers = bench.connector.push(&PushRequest::new(patches, until)).await.unwrap();
    answers
        .into_iter()
        .map(|answer| answer.fields.into_iter().map(|(field, answer)| (field.to_string(), answer)).collect())
        .collect()
}

fn code(answer: &FieldAnswer) -> &str {
    match answer {
        FieldAnswer::Accepted => "accepted",
        FieldAnswer::Refused { code, .. } => code,
        FieldAnswer::Unknown { .. } => "unknown",
        _ => "another",
    }
}

#[tokio::test]
async fn errors_of_every_shape_end_a_read_with_a_code_and_show_no_value() {
    let bench = bench(3).await;
    for (status, body, kind, expected) in [
        (403, "", ErrorKind::Forbidden, "scope_missing"),
        (403, "<html>blocked</html>", ErrorKind::Forbidden, "scope_missing"),
        (
            404,
            r#"[{"status":404,"message":"The requested resource was not found."}]"#,
            ErrorKind::NotFound,
            "not_found",
        ),
        (
            422,
            r#"{"status":422,"title":"T","errors":{"limit":"secret value"}}"#,
            ErrorKind::Rejected,
            "invalid",
        ),
        (
            422,
            r#"{"errors":[{"status":422,"title":"T","errors":{"0":"secret value"}}]}"#,
            ErrorKind::Rejected,
            "invalid",
        ),
        (
            422,
            r#"{"batch_errors":[{"title":"T","errors":{"sku":"secret value"}}]}"#,
            ErrorKind::Rejected,
            "invalid",
        ),
        (507, "", ErrorKind::Forbidden, "plan_limit"),
        (302, "", ErrorKind::Protocol, "redirected"),
    ] {
        let answer = Response::new(status).with_body(body.as_bytes().to_vec());
        bench.answer_next(false, answer);
        let error = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, expected), "{status} {body}");
        assert!(!format!("{error} {error:?}").contains("secret value"), "{error:?}");
    }
    for fault in [Fault::Html200, Fault::Truncate, Fault::Malformed] {
        bench.server.faults().push(FaultRule::new(fault).times(1));
        assert!(bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.is_ok(), "asked again");
    }
}

#[tokio::test]
async fn a_token_that_is_withdrawn_is_told_after_one_call_and_by_the_check() {
    let bench = bench(3).await;
    bench.store.revoke_token(&bench.token);
    let before = bench.server.traffic().requests();
    let error: Error = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "token_refused"));
    assert_eq!(bench.server.traffic().requests() - before, 1);
    assert!(!format!("{error:?}").contains(&bench.token));
    let health = bench.connector.check().await.unwrap();
    assert_eq!(health.findings[0].code, "token_refused");
    assert!(config(&bench.server.url(), "wrong").build().unwrap().connect(&bench.runtime).await.is_err());
}

/// What the platform makes of a batch of nothing is not documented: only its word for a right that lacks counts.
#[tokio::test]
async fn the_check_of_the_right_to_write_holds_whatever_a_batch_of_nothing_is_answered() {
    let bench = bench(3).await;
    let told = async || {
        let findings = bench.connector.check().await.unwrap().findings;
        findings.into_iter().map(|finding| finding.code.to_string()).collect::<Vec<_>>()
    };
    let before = bench.store.snapshot();
    assert_eq!(told().await, Vec::<String>::new());
    for (status, expected) in [
        (204, &[][..]),
        (207, &[]),
        (400, &[]),
        (404, &[]),
        (413, &[]),
        (422, &[]),
        (500, &[]),
        (403, &["scope_missing_products_modify"]),
    ] {
        bench.answer_next(true, Response::new(status));
        assert_eq!(told().await, expected, "{status}");
    }
    bench.store.grant_scopes([
        "store_v2_default",
        "store_v2_products_read_only",
        "store_v2_information_read_only",
    ]);
    assert_eq!(told().await, ["scope_missing_products_modify"]);
    assert_eq!(bench.store.snapshot(), before);
}

#[tokio::test]
async fn a_refused_field_is_named_and_the_others_of_its_product_are_written() {
    let bench = bench(4).await;
    let ids = bench.store.ids();
    bench.store.set_conditions(|it| it.refused_markup = Some("<iframe".to_owned()));
    let patch = Patch::new(
        product(ids[0]),
        vec![
            text("title", "Kept"),
            text("description", "<iframe src=x></iframe>"),
            text("seo.title", "Kept, too"),
        ],
    );
    let answers = push(&bench, vec![patch]).await;
    let codes: Vec<&str> = answers[0].iter().map(|(_, answer)| code(answer)).collect();
    assert_eq!(codes, ["accepted", "invalid", "accepted"], "{answers:?}");
    let stored = bench.store.product(ids[0]).unwrap();
    assert_eq!((stored.text("name"), stored.text("page_title")), ("Kept", "Kept, too"));
}

#[tokio::test]
async fn a_207_is_no_success_for_what_was_not_saved() {
    let bench = bench(4).await;
    let ids = bench.store.ids();
    let url = |id: u64| {
        let product = bench.store.product(id).unwrap();
        product.fields.get("custom_url").unwrap().get("url").unwrap().as_str().unwrap().to_owned()
    };
    let (own, taken) = (url(ids[0]), url(ids[1]));
    let patch = Patch::new(product(ids[0]), vec![text("title", "Saved"), text("slug", &taken)]);
    let answers = push(&bench, vec![patch]).await;
    assert_eq!(code(&answers[0][0].1), "accepted", "{answers:?}");
    assert_ne!(code(&answers[0][1].1), "accepted", "{answers:?}");
    assert_eq!((bench.store.product(ids[0]).unwrap().text("name"), url(ids[0])), ("Saved", own));
    // One for a whole batch that names all products says nothing of whose part it is about: none of it counts as saved
    // before it was read. What it does not name goes alone.
    let data: Vec<_> = ids[..3].iter().map(|id| json!({ "id": id })).collect();
    for (named, expected) in [(3, ["partly_saved"; 3]), (1, ["accepted"; 3])] {
        let errors = json!({"status": 409, "title": "Partly", "errors": {"1.url": "x"}});
        let body = json!({"data": data[..named], "errors": errors, "meta": {}});
        bench.answer_next(true, Response::new(207).with_body(body.to_string().into_bytes()));
        let patches =
            ids[..3].iter().map(|id| Patch::new(product(*id), vec![text("seo.title", "X")])).collect();
        let answers = push(&bench, patches).await;
        let codes: Vec<&str> = answers.iter().map(|answer| code(&answer[0].1)).collect();
        assert_eq!(codes, expected, "{named}: {answers:?}");
    }
}

#[tokio::test]
async fn a_batch_over_the_platforms_bound_is_cut_and_a_lost_one_is_unknown() {
    let bench = bench(12).await;
    let patches = |title: &str| -> Vec<Patch> {
        bench.store.ids()[..10]
            .iter()
            .map(|id| Patch::new(product(*id), vec![text("seo.title", title)]))
            .collect()
    };
    let body = r#"{"errors":{},"status":413,"title":"The request payload is too large. The maximum items allowed in the array is 5."}"#;
    let answer = Response::new(413).with_body(body.as_bytes().to_vec());
    bench.answer_next(true, answer);
    let before = bench.server.traffic().writes();
    let answers = push(&bench, patches("Cut")).await;
    assert_eq!(bench.server.traffic().writes() - before, 3, "one that is refused, and two halves");
    assert!(answers.iter().all(|answer| code(&answer[0].1) == "accepted"), "{answers:?}");
    let lost = FaultRule::new(Fault::Reset(When::After)).matching(BigCommerceFake::is_write).times(1);
    bench.server.faults().push(lost);
    let answers = push(&bench, patches("Lost")).await;
    assert!(answers.iter().all(|answer| code(&answer[0].1) == "unknown"), "{answers:?}");
    assert_eq!(
        bench.store.product(bench.store.ids()[0]).unwrap().text("page_title"),
        "Lost",
        "and never sent twice"
    );
}

/// An answer over our own bound is no refusal: the batch was taken, and is not sent again in parts.
#[tokio::test]
async fn a_batch_whose_answer_is_too_large_to_read_is_unknown_and_not_sent_again() {
    let bench = bench(4).await;
    let ids = bench.store.ids();
    bench.answer_next(true, Response::new(200).with_body(vec![b' '; 33 * 1024 * 1024]));
    let before = bench.server.traffic().writes();
    let patches = ids[..4].iter().map(|id| Patch::new(product(*id), vec![text("seo.title", "X")])).collect();
    let answers = push(&bench, patches).await;
    assert!(answers.iter().all(|answer| code(&answer[0].1) == "unknown"), "{answers:?}");
    assert_eq!(bench.server.traffic().writes() - before, 1);
}

#[tokio::test]
async fn a_picture_that_is_gone_and_an_alternative_text_that_is_cut_are_told() {
    let desk = Desk::open(|store| drop(store.seed_products(8))).await;
    let store = desk.store();
    let id = store.ids().into_iter().find(|id| store.product(*id).unwrap().images.len() > 1).unwrap();
    let images: Vec<u64> =
        store.product(id).unwrap().images.iter().map(|row| row.get("id").unwrap().as_id().unwrap()).collect();
    let picture =
        |id: u64| Media { id: Some(id.to_string().into()), alt: Some("New".into()), ..Media::default() };
    let change = PatchField::new(
        FieldName::new("media.alt"),
        PatchValue::Media(vec![picture(images[0]), picture(999_999)]),
        CellValue::Absent,
    );
    let answers = push(&desk.bench, vec![Patch::new(product(id), vec![change])]).await;
    assert_eq!(code(&answers[0][0].1), "not_found", "{answers:?}");
    store.set_conditions(|it| it.alt_limit = Some(5));
    let wanted = json!({"media.alt": {"update": {images[1].to_string(): "Longer than five"}}});
    let plan = desk.plan_for(id, wanted).await;
    let receipt = desk.apply(&plan).await;
    assert!(
        matches!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(_)),
        "what was cut has not landed: {receipt}"
    );
}

#[tokio::test]
async fn a_store_in_maintenance_is_waited_for_and_then_told() {
    let bench = bench(3).await;
    bench.store.set_conditions(|it| it.maintenance = true);
    let error = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::CircuitOpen), "{error}");
}
