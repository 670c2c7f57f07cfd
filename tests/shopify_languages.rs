//! A Shopify store in its further languages: translations on their way in and back out, and what guards them.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/shopify_desk.rs"]
mod desk;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::Kept;
use desk::{Desk, changed};
use lily_connect::connector::Connector;
use lily_connect::model::{Enrichment, Entity, View};
use lily_connect::sync::bulk::BulkUse;
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, JobSettings, Pull, Push, PushSettings, ReceiptOutcome, Rejection,
    UndoOutcome, Verdict,
};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::shopify::ShopifyFake;
use lily_connect::time::Clock;
use serde_json::{Value, json};

/// A shop with products, each with all texts but an SEO description, and the first one with a French title.
async fn shop() -> (Desk, [u64; 3]) {
    let mut ids = [0; 3];
    let desk = Desk::open(|shop| {
        ids = ["Cap", "Hat", "Scarf"].map(|title| {
            let id = shop.create_product(title, |_| {});
            shop.edit_product(id, |product| {
                product.description_html = format!("<p>{title}</p>");
                product.seo_title = Some(format!("Buy a {title}"));
                product.seo_description = None;
            });
            id
        });
        shop.translate(ids[0], "fr", "title", "Casquette");
        shop.translate(ids[0], "de", "title", "Kappe");
    })
    .await;
    (desk, ids)
}

/// The shop in a language, and the way into it.
struct Language {
    connector: Arc<dyn Connector>,
    push: Push,
}

fn language(desk: &Desk, locale: &str) -> Language {
    let connector = desk.bench.connector.in_view(&View::in_language(locale)).unwrap();
    let push = Push::new(connector.clone(), desk.state.clone(), desk.bench.runtime.clone());
    Language { connector, push }
}

impl Language {
    async fn pulled(&self, desk: &Desk) -> BTreeMap<u64, Value> {
        desk.pulled_through(self.connector.clone()).await
    }
}

/// An enrichment in French, made from the shop's own texts where `source` is a record of those.
fn french(desk: &Desk, record: &Value, fields: &Value, source: Option<&Value>) -> Enrichment {
    let mut enrichment = desk.wants(record, fields);
    enrichment.locale = Some("fr".into());
    if let Some(source) = source {
        let token = |field: &str| serde_json::from_value(source["base"][field].clone()).unwrap();
        enrichment.from.insert("title".to_owned().into(), token("title"));
        enrichment.from_locale = Some("en".into());
    }
    enrichment
}

#[tokio::test]
async fn a_language_is_pulled_whole_whether_it_is_published_or_not() {
    let (desk, ids) = shop().await;
    assert_eq!(desk.bench.connector.views(), [View::in_language("fr"), View::in_language("de")]);
    for (locale, title) in [("fr", "Casquette"), ("de", "Kappe")] {
        let records = language(&desk, locale).pulled(&desk).await;
        assert_eq!(records.keys().copied().collect::<BTreeSet<u64>>(), BTreeSet::from(ids));
        let first = &records[&ids[0]];
        assert_eq!((&first["locale"], &first["title"]), (&json!(locale), &json!(title)));
        // What has no translation is absent: the shop's own text is none of this language.
        assert_eq!(first.get("description"), None);
        assert_eq!(records[&ids[1]].get("title"), None);
        let digests = first["versions"].as_object().unwrap();
        assert!(digests.contains_key("title") && !digests.contains_key("seo.description"), "{digests:?}");
        for other in ["status", "variants", "tags", "price"] {
            assert_eq!(first.get(other), None, "{other}");
        }
    }
    // Each call asks for many products at once: count, ids, translations, count.
    assert_eq!(
        desk.shop().calls().iter().filter(|call| call.fields == ["translatableResourcesByIds"]).count(),
        2
    );
    let error = desk.bench.connector.in_view(&View::in_language("it")).unwrap_err();
    assert_eq!(error.code(), "view_unknown");
}

#[tokio::test]
async fn translations_land_and_come_back_to_the_byte_and_nothing_else_moves() {
    let (desk, ids) = shop().await;
    let fr = language(&desk, "fr");
    let before = desk.parts();
    let (own, records) = (desk.pulled().await, fr.pulled(&desk).await);
    let fields = json!({
        "title": "Bonnet d'été", "description": "<p>Léger &amp; chaud</p>", "seo.title": "Achetez",
    });
    let enrichments: Vec<Enrichment> =
        ids.iter().map(|id| french(&desk, &records[id], &fields, Some(&own[id]))).collect();
    desk.tick();
    let plan = fr.push.plan(&enrichments).await.unwrap();
    assert_eq!(plan.to_apply().count(), 9, "{plan}");
    assert_eq!(desk.parts(), before, "planning writes nothing");
    let receipt = fr.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
    desk.tick();
    let moved = changed(&before, &desk.parts());
    let expected = ids.iter().flat_map(|id| {
        ["title", "body_html", "meta_title"].map(|key| (*id, format!("translation fr {key}")))
    });
    assert_eq!(moved, expected.collect::<BTreeSet<_>>());
    assert_eq!(desk.shop().translation(ids[1], "fr", "title"), Some(("Bonnet d'été".to_owned(), false)));
    let calls = desk.shop().calls();
    assert_eq!(calls.iter().filter(|call| call.mutation).count(), 3, "one call a product");

    // Through another language, or the shop's own, it is neither applied nor undone.
    let de = language(&desk, "de");
    for push in [&desk.push, &de.push] {
        let error = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap_err();
        assert_eq!(error.code(), "plan_of_another_view");
        assert_eq!(push.undo(receipt.push).await.unwrap_err().code(), "push_of_another_view");
    }
    let report = fr.push.undo(receipt.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    assert_eq!(desk.parts(), before);
}

#[tokio::test]
async fn a_translation_of_what_has_moved_is_a_conflict_before_and_after_planning() {
    let (desk, ids) = shop().await;
    let fr = language(&desk, "fr");
    let (own, records) = (desk.pulled().await, fr.pulled(&desk).await);
    let wants = |id: u64| french(&desk, &records[&id], &json!({"title": "Chapeau"}), Some(&own[&id]));
    // Between pull and plan: told by the tokens of the shop's own text.
    desk.edit(ids[0], |product| product.title = "Another cap".to_owned());
    let plan = fr.push.plan(&[wants(ids[0]), wants(ids[1])]).await.unwrap();
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Conflict(Conflict::SourceMoved), "{plan}");
    assert_eq!(plan.changes[1].verdict, ChangeVerdict::Apply, "{plan}");
    // Between plan and apply: told by the digest that the plan saw.
    desk.edit(ids[1], |product| product.title = "Another hat".to_owned());
    desk.shop().clear_calls();
    let receipt = fr.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[1].outcome, ReceiptOutcome::Conflict(Conflict::SourceMoved), "{receipt}");
    assert!(!desk.shop().calls().iter().any(|call| call.mutation), "nothing is sent");
    // A token that nobody moved lets it through, and without the digest the edit would not show: the French text is
    // what it was.
    assert_eq!(desk.shop().translation(ids[1], "fr", "title"), None);
}

#[tokio::test]
async fn a_source_that_moves_right_before_the_write_is_refused_by_the_platform_and_the_rest_lands() {
    let (desk, ids) = shop().await;
    let fr = language(&desk, "fr");
    let records = fr.pulled(&desk).await;
    let fields = json!({"title": "Chapeau", "description": "<p>Chaud</p>"});
    desk.tick();
    let plan = fr.push.plan(&[french(&desk, &records[&ids[1]], &fields, None)]).await.unwrap();
    let id = ids[1];
    // Behind the guard read.
    desk.shop().after_request(1, ShopifyFake::asks("translatableResourcesByIds"), move |shop| {
        shop.edit_product(id, |product| product.title = "Another hat".to_owned());
    });
    let receipt = fr.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    let outcome = |field: &str| {
        let found = receipt.fields.iter().find(|receipt| receipt.cell.field.as_str() == field);
        found.unwrap().outcome.clone()
    };
    let code = "INVALID_TRANSLATABLE_CONTENT".to_owned();
    assert_eq!(outcome("title"), ReceiptOutcome::Rejected(Rejection::Refused { code }), "{receipt}");
    assert_eq!(outcome("description"), ReceiptOutcome::Applied, "{receipt}");
    assert_eq!(desk.shop().translation(id, "fr", "title"), None);
    assert!(desk.shop().translation(id, "fr", "body_html").is_some());
}

#[tokio::test]
async fn what_cannot_be_translated_is_rejected_by_name() {
    let (desk, ids) = shop().await;
    let fr = language(&desk, "fr");
    let record = fr.pulled(&desk).await.remove(&ids[0]).unwrap();
    let verdict = async |enrichment: Enrichment| {
        desk.tick();
        fr.push.plan(&[enrichment]).await.unwrap().changes[0].verdict.clone()
    };
    let wants = |fields: Value| french(&desk, &record, &fields, None);
    assert_eq!(
        verdict(wants(json!({"seo.description": "Rien"}))).await,
        ChangeVerdict::Rejected(Rejection::NoSource)
    );
    assert_eq!(
        verdict(wants(json!({"tags": {"add": ["x"]}}))).await,
        ChangeVerdict::Rejected(Rejection::NotWritable)
    );
    for (locale, from) in [(Some("de"), None), (Some("en"), None), (None, Some("de"))] {
        let mut foreign = wants(json!({"title": "X"}));
        foreign.locale = locale.or(Some("fr")).map(Into::into);
        foreign.from_locale = from.map(Into::into);
        assert_eq!(verdict(foreign).await, ChangeVerdict::Rejected(Rejection::ForeignLocale));
    }
    // An edit of the merchant's in French is seen as anywhere.
    desk.shop().translate(ids[0], "fr", "title", "Bob");
    assert_eq!(
        verdict(wants(json!({"title": "Chapeau"}))).await,
        ChangeVerdict::Conflict(Conflict::EditedSince)
    );
}

#[tokio::test]
async fn the_plan_of_an_own_text_names_the_translations_that_it_leaves_behind() {
    let (desk, ids) = shop().await;
    let change = desk.one(ids[0], json!({"title": "Sun cap"})).await;
    assert!(
        change.notes.iter().any(|note| note.contains("(fr, de)") && note.contains("outdated")),
        "{change:?}"
    );
    let vendor_free = desk.one(ids[0], json!({"tags": {"add": ["new"]}})).await;
    assert_eq!(vendor_free.notes, Vec::<String>::new());
    desk.land(ids[0], json!({"title": "Sun cap"})).await;
    assert_eq!(desk.shop().translation(ids[0], "fr", "title"), Some(("Casquette".to_owned(), true)));
}

#[tokio::test]
async fn a_lost_translation_closes_its_record_and_is_settled_by_a_read_in_its_own_language() {
    let (desk, ids) = shop().await;
    let mut fr = language(&desk, "fr");
    let record = fr.pulled(&desk).await.remove(&ids[1]).unwrap();
    desk.tick();
    let plan = fr.push.plan(&[french(&desk, &record, &json!({"title": "Chapeau"}), None)]).await.unwrap();
    let lost = FaultRule::new(Fault::Reset(When::After))
        .matching(|request| String::from_utf8_lossy(&request.body).contains("translationsRegister"));
    desk.bench.server.faults().push(lost.times(1));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    fr.push = fr.push.settings(settings);
    let receipt = fr.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown, "{receipt}");
    let own = desk.plan_for(ids[1], json!({"title": "Sun hat"})).await;
    let refused = desk.apply(&own).await;
    assert_eq!(refused.fields[0].outcome, ReceiptOutcome::Conflict(Conflict::Unsettled), "{refused}");
    desk.bench.clock.sleep(Duration::from_secs(3600)).await;
    // Another language cannot tell; the shop's own connector asks in the right one.
    assert_eq!(language(&desk, "de").push.settle().await.unwrap(), Vec::new());
    let settled = desk.push.settle().await.unwrap();
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].outcome, ReceiptOutcome::Applied);
    let landed = desk.apply(&own).await;
    assert!(landed.is_full_success(), "{landed}");
}

#[tokio::test]
async fn a_lost_translation_into_a_language_that_is_gone_is_given_up_after_a_day_and_never_told_by_the_own_text()
 {
    let (desk, ids) = shop().await;
    let mut fr = language(&desk, "fr");
    let record = fr.pulled(&desk).await.remove(&ids[1]).unwrap();
    desk.tick();
    // The very text of the shop's own title: read there, it would look as if it had landed.
    let plan = fr.push.plan(&[french(&desk, &record, &json!({"title": "Hat"}), None)]).await.unwrap();
    let lost = FaultRule::new(Fault::Reset(When::Before))
        .matching(|request| String::from_utf8_lossy(&request.body).contains("translationsRegister"));
    desk.bench.server.faults().push(lost);
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    fr.push = fr.push.settings(settings);
    let receipt = fr.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    desk.shop().configure(|shop| shop.locales.truncate(1));
    let config = shopify::config(&desk.bench.server.url(), &desk.bench.token).build().unwrap();
    let connector: Arc<dyn Connector> = Arc::new(config.connect(&desk.bench.runtime).await.unwrap());
    assert_eq!(connector.views(), []);
    let push = Push::new(connector, desk.state.clone(), desk.bench.runtime.clone());
    assert_eq!(push.undo(receipt.push).await.unwrap_err().code(), "push_of_another_view");
    desk.bench.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(push.settle().await.unwrap(), Vec::new(), "{receipt}");
    desk.bench.clock.sleep(Duration::from_secs(24 * 3600)).await;
    // Only the shop's own connector knows which languages are gone.
    assert_eq!(language(&desk, "de").push.settle().await.unwrap(), Vec::new());
    let settled = push.settle().await.unwrap();
    assert_eq!(settled[0].outcome, ReceiptOutcome::Conflict(Conflict::MaybeReverted));
    assert_eq!(push.settle().await.unwrap(), Vec::new(), "it is told once");
}

#[tokio::test]
async fn runs_in_two_languages_keep_a_checkpoint_each() {
    let (desk, _) = shop().await;
    let fr = language(&desk, "fr");
    let run = async |connector: Arc<dyn Connector>| {
        let pull = Pull::new(connector, desk.state.clone(), Entity::Product);
        let mut sink = Kept::default();
        let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        sink.0.lock().unwrap().len()
    };
    assert_eq!(run(desk.bench.connector.clone()).await, 3);
    assert_eq!(run(fr.connector.clone()).await, 3);
    // Each has ended, and answers with its own certificate.
    assert_eq!(run(desk.bench.connector.clone()).await, 0);
    assert_eq!(run(fr.connector).await, 0);
}

#[tokio::test]
async fn translations_go_by_job_too_and_come_back() {
    let (desk, ids) = shop().await;
    let mut fr = language(&desk, "fr");
    let jobs = JobSettings::default().when(BulkUse::Always).unguarded_window(Duration::from_secs(600));
    let mut settings = PushSettings::default();
    settings.jobs = jobs;
    fr.push = fr.push.settings(settings);
    let before = desk.parts();
    let records = fr.pulled(&desk).await;
    let fields = json!({"title": "Chapeau", "description": "<p>Chaud</p>"});
    let enrichments: Vec<Enrichment> =
        ids.iter().map(|id| french(&desk, &records[id], &fields, None)).collect();
    desk.tick();
    let plan = fr.push.plan(&enrichments).await.unwrap();
    desk.shop().clear_calls();
    let receipt = fr.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
    let sent: Vec<Vec<String>> =
        desk.shop().calls().into_iter().filter(|call| call.mutation).map(|call| call.fields).collect();
    assert_eq!(
        sent,
        [["stagedUploadsCreate"], ["bulkOperationRunMutation"]],
        "no mutation of its own a product"
    );
    assert_eq!(desk.shop().translation(ids[2], "fr", "title"), Some(("Chapeau".to_owned(), false)));
    desk.tick();
    let report = fr.push.undo(receipt.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    assert_eq!(desk.parts(), before);
}
