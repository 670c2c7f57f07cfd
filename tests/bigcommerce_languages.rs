//! A BigCommerce store in further languages of a channel, and with what a channel has of its own: which views there are,
//! what is read, written and taken back.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::BTreeMap;
use std::sync::Arc;

use bigcommerce::{Bench, Desk, Held, bench_with, config, ids};
use common::Kept;
use lily_connect::connector::{Connector, FieldAnswer, Patch, PatchField, PatchValue, PushRequest};
use lily_connect::connectors::bigcommerce::{BigCommerceBuilder, PLATFORM};
use lily_connect::error::ErrorKind;
use lily_connect::model::{CellValue, Enrichment, Entity, FieldName, Record, RecordRef, Reversible, View};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{
    Approvals, Certificate, ChangeVerdict, PlannedChange, Pull, Push, Receipt, ReceiptOutcome, UndoOutcome,
    Warning,
};
use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::testkit::exchange::Response;
use lily_connect::time::Clock;
use serde_json::{Value, json};

async fn shop(held: Held) -> Bench {
    let seed = |store: &BigCommerceFake| {
        for code in ["fr", "de"] {
            store.add_locale(1, code);
        }
        for id in store.seed_products(60).into_iter().take(55) {
            held.put(store, "fr", id, "name", &format!("Nom {id}"));
            held.put(store, "de", id, "name", &format!("Name {id}"));
        }
    };
    let views = |settings: BigCommerceBuilder| match held {
        Held::Translations => settings.translations([1]),
        Held::ChannelValues => settings.channel_values(1, "fr").channel_values(1, "de"),
    };
    bench_with(seed, |builder| builder, views).await
}

fn view_of(bench: &Bench, code: &str) -> Arc<dyn Connector> {
    let views = bench.connector.views();
    let view = views.iter().find(|view| view.locale.as_deref() == Some(code)).unwrap();
    bench.connector.in_view(view).unwrap()
}

async fn pull(view: &Arc<dyn Connector>) -> (Vec<Record>, Certificate) {
    let kept = Kept::default();
    let pull = Pull::new(view.clone(), Arc::new(MemoryState::new()), Entity::Product).keep_base(true);
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    let records = kept.0.lock().unwrap().clone();
    (records, certificate)
}

#[tokio::test]
async fn the_languages_of_the_channels_that_are_named_are_views_and_no_others() {
    let bench = shop(Held::Translations).await;
    let views: Vec<String> = bench.connector.views().iter().map(ToString::to_string).collect();
    assert_eq!(views, ["1 in de", "1 in fr"]);
    for unknown in [View::in_language("fr"), View::of_scope("1"), View::in_language("xx")] {
        assert_eq!(bench.connector.in_view(&unknown).unwrap_err().code(), "view_unknown", "{unknown}");
    }
    // Who names none asks nothing; who names what is none is told.
    let asked = || bench.server.traffic().count_where(|it| it.path.ends_with("/graphql"));
    let before = asked();
    let plain =
        config(&bench.server.url(), &bench.token).build().unwrap().connect(&bench.runtime).await.unwrap();
    assert!(plain.views().is_empty() && asked() == before);
    let connect = async |channel| {
        let settings = config(&bench.server.url(), &bench.token).translations([channel]);
        settings.build().unwrap().connect(&bench.runtime).await.unwrap_err()
    };
    let error = connect(99).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "translations_refused"));
    bench.store.grant_scopes(["store_v2_default", "store_v2_products", "store_v2_information"]);
    assert_eq!(connect(1).await.code(), "scope_missing");
}

#[tokio::test]
async fn every_product_comes_with_what_its_view_has_and_nothing_else() {
    for (held, page) in [Held::Translations, Held::ChannelValues].into_iter().zip([10, 1]) {
        for left_out in [false, true] {
            let bench = shop(held).await;
            bench.store.set_conditions(|it| {
                it.untranslated_left_out = left_out;
                it.channel_values_page = if left_out { page } else { 50 };
            });
            each_with_its_title(&bench, held).await;
        }
    }
}

async fn each_with_its_title(bench: &Bench, held: Held) {
    let (records, certificate) = pull(&view_of(bench, "fr")).await;
    assert!(certificate.is_complete(), "{certificate}");
    let mut found = ids(&records);
    found.sort_unstable();
    assert_eq!(found, bench.store.ids(), "{held:?}");
    for record in &records {
        let Record::Product(product) = record else { panic!() };
        let id: u64 = product.reference.id.as_str().parse().unwrap();
        let expected = held.texts(&bench.store, "fr", id).remove("name");
        assert_eq!(product.title.value().map(ToString::to_string), expected, "{held:?} {id}");
        assert!(product.description.value().is_none() && product.price.value().is_none(), "{record:?}");
        assert_eq!((product.locale.as_deref(), product.scope.as_deref()), (Some("fr"), Some("1")));
    }
}

/// A desk in a language.
struct Booth {
    held: Held,
    desk: Desk,
    view: Arc<dyn Connector>,
    push: Push,
}

impl Booth {
    async fn open(held: Held) -> Self {
        let desk = Desk::over(shop(held).await);
        let view = view_of(&desk.bench, "fr");
        let state: Arc<dyn StateStore> = desk.state.clone();
        let push = Push::new(view.clone(), state, desk.bench.runtime.clone());
        Self { held, desk, view, push }
    }

    async fn enrichment(&self, id: u64, fields: Value) -> Enrichment {
        let (records, _) = pull(&self.view).await;
        let record = records.into_iter().find(|it| it.reference().id.as_str() == id.to_string()).unwrap();
        let mut made = self.desk.wants(&serde_json::to_value(&record).unwrap(), &fields);
        (made.locale, made.scope) = (Some("fr".into()), Some("1".into()));
        made
    }

    async fn apply(&self, made: Enrichment) -> Receipt {
        self.desk.bench.tick();
        let plan = self.push.plan(&[made]).await.unwrap();
        let receipt = self.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
        self.desk.bench.tick();
        receipt
    }

    fn texts(&self, code: &str, id: u64) -> BTreeMap<String, String> {
        self.held.texts(self.desk.store(), code, id)
    }

    fn put(&self, id: u64, field: &str, text: &str) {
        self.held.put(self.desk.store(), "fr", id, field, text);
    }

    fn all(&self) -> BTreeMap<(&'static str, u64), BTreeMap<String, String>> {
        let store = self.desk.store();
        let both = store.ids().into_iter().flat_map(|id| [("fr", id), ("de", id)]);
        both.map(|(code, id)| ((code, id), self.texts(code, id))).collect()
    }
}

#[tokio::test]
async fn texts_of_a_view_are_written_beside_all_else_and_come_back() {
    for held in Held::ALL {
        written_and_taken_back(Booth::open(held).await).await;
    }
}

async fn written_and_taken_back(booth: Booth) {
    let store = booth.desk.store();
    let id = store.ids()[3];
    let (before, own) = (booth.all(), store.snapshot());
    let title = "L\u{2019}\u{e9}t\u{e9} \"5 < 6\" \\ {} \u{1f3a9}";
    let fields = json!({
        "title": title, "description": "<p>Un\n\"deux\" \\u0041</p>", "seo.title": "Titre", "seo.description": "Deux lignes",
    });
    let receipt = booth.apply(booth.enrichment(id, fields).await).await;
    assert!(receipt.is_full_success() && receipt.fields.len() == 4, "{receipt}");
    let stored = booth.texts("fr", id);
    assert_eq!(
        (stored["name"].as_str(), stored["description"].as_str()),
        (title, "<p>Un\n\"deux\" \\u0041</p>")
    );
    let mut expected = before.clone();
    expected.insert(("fr", id), stored);
    assert_eq!(booth.all(), expected, "no other language and no other product");
    assert_eq!(store.snapshot(), own, "and nothing of the store's own");
    let report = booth.push.undo(receipt.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    assert_eq!(booth.all(), before);
}

#[tokio::test]
async fn a_text_of_the_merchant_is_not_overwritten() {
    for held in Held::ALL {
        kept(Booth::open(held).await).await;
    }
}

async fn kept(booth: Booth) {
    let id = booth.desk.store().ids()[3];
    let made = booth.enrichment(id, json!({"title": "Ours", "seo.title": "Ours"})).await;
    booth.put(id, "name", "Theirs");
    booth.desk.bench.tick();
    let plan = booth.push.plan(std::slice::from_ref(&made)).await.unwrap();
    assert!(plan.changes.iter().any(|change| matches!(change.verdict, ChangeVerdict::Conflict(_))), "{plan}");
    let made = booth.enrichment(id, json!({"title": "Ours"})).await;
    booth.desk.bench.tick();
    let plan = booth.push.plan(&[made]).await.unwrap();
    booth.put(id, "name", "Theirs again");
    let receipt = booth.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(!receipt.is_full_success(), "{receipt}");
    assert_eq!(booth.texts("fr", id)["name"], "Theirs again");
}

#[tokio::test]
async fn a_text_that_takes_no_translation_is_told_and_the_others_land() {
    let booth = Booth::open(Held::Translations).await;
    let (store, id) = (booth.desk.store(), booth.desk.store().ids()[3]);
    store.set_conditions(|it| it.untranslatable = ["page_title".to_owned()].into());
    let receipt =
        booth.apply(booth.enrichment(id, json!({"title": "Titre", "seo.title": "Non"})).await).await;
    let outcome =
        |field: &str| &receipt.fields.iter().find(|it| it.cell.field.as_str() == field).unwrap().outcome;
    assert_eq!(outcome("title"), &ReceiptOutcome::Applied, "{receipt}");
    assert!(matches!(outcome("seo.title"), ReceiptOutcome::Rejected(_)), "{receipt}");
    // One that is gone is a conflict, and nothing is written.
    let made = booth.enrichment(id, json!({"title": "Encore"})).await;
    booth.desk.bench.tick();
    let plan = booth.push.plan(&[made]).await.unwrap();
    store.delete_product(id);
    let receipt = booth.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(matches!(receipt.fields[0].outcome, ReceiptOutcome::Conflict(_)), "{receipt}");
}

#[tokio::test]
async fn what_no_view_can_have_is_refused_and_nothing_is_sent() {
    for held in Held::ALL {
        refused(shop(held).await).await;
    }
}

async fn refused(bench: Bench) {
    let french = view_of(&bench, "fr");
    let before = bench.server.traffic().requests();
    for (kind, id, field) in [
        (Entity::Product, "x", "title"),
        (Entity::Variant, "77", "title"),
        (Entity::Product, "77", "slug"),
        (Entity::Product, "77", "tags"),
    ] {
        let value = PatchValue::Text { text: "Titre".into(), raw: None };
        let change = PatchField::new(FieldName::from(field.to_owned()), value, CellValue::Absent);
        let patch = Patch::new(RecordRef::new(PLATFORM, kind, id), vec![change]);
        let until = bench.clock.elapsed() + std::time::Duration::from_secs(5);
        let error = french.push(&PushRequest::new(vec![patch], until)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{kind} {id} {field}");
    }
    assert_eq!(bench.server.traffic().requests(), before);
}

/// The plan of the store's own text says what becomes of those of its views.
#[tokio::test]
async fn a_write_of_the_stores_own_text_says_that_those_of_views_stay() {
    for held in Held::ALL {
        let booth = Booth::open(held).await;
        let id = booth.desk.store().ids()[3];
        let plan = booth.desk.plan_for(id, json!({"title": "Another"})).await;
        let says = match held {
            Held::Translations => "translations of it (de, fr) stay as they are",
            Held::ChannelValues => "values of it that channels have (1 in de, 1 in fr) stay as they are",
        };
        assert!(format!("{plan}").contains(says), "{plan}");
        let before = booth.all();
        assert!(booth.desk.apply(&plan).await.is_full_success());
        assert_eq!(booth.all(), before);
    }
}

#[tokio::test]
async fn values_of_channels_are_checked_without_a_call_and_asked_for_when_they_are_read() {
    let bench = shop(Held::ChannelValues).await;
    let views: Vec<String> = bench.connector.views().iter().map(ToString::to_string).collect();
    assert_eq!(views, ["1 in de", "1 in fr"]);
    assert_eq!(bench.server.traffic().count_where(|it| it.path.ends_with("/graphql")), 0);
    let settings = || config(&bench.server.url(), &bench.token);
    let code = |settings: BigCommerceBuilder| settings.build().unwrap_err().code().to_owned();
    assert_eq!(code(settings().translations([2, 1]).channel_values(1, "fr")), "channel_twice");
    for wrong in ["", "fr FR", "fr\"}", &"x".repeat(36)] {
        assert_eq!(code(settings().channel_values(1, wrong)), "locale_unusable", "{wrong}");
    }
    assert!(
        settings().translations([2]).channel_values(1, "en-GB").channel_values(1, "en-GB").build().is_ok()
    );

    let french = view_of(&bench, "fr");
    let pulled = async || {
        let pull = Pull::new(french.clone(), Arc::new(MemoryState::new()), Entity::Product);
        pull.run(&mut Kept::default(), &|_| {}).await
    };
    // An answer that leaves products out is no answer: they would pass for products without texts.
    bench.store.set_conditions(|it| it.channel_values_page = 0);
    assert_eq!(pulled().await.unwrap_err().code(), "answer_incomplete");
    bench.store.set_conditions(|it| (it.channel_values_page, it.without_channel_values) = (10, true));
    let error = pulled().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "channel_values_refused"), "{error}");
}

/// A change of which nothing came was refused; where the platform broke down, or did a part, nobody knows.
#[tokio::test]
async fn what_is_known_of_a_change_is_told_by_what_the_answer_has_beside_its_errors() {
    let bench = shop(Held::ChannelValues).await;
    let french = view_of(&bench, "fr");
    let error = |code: Option<&str>| json!([{"message": "No.", "extensions": code.map(|code| json!({"code": code}))}]);
    for (body, is_refused) in [
        (json!({"errors": error(None)}), true),
        (json!({"data": null, "errors": error(Some("BAD_USER_INPUT"))}), true),
        (json!({"data": null, "errors": error(Some("INTERNAL_SERVER_ERROR"))}), false),
        (json!({"data": {"product": null}, "errors": error(None)}), false),
        (json!({"data": {"product": {"setProductBasicInformation": {"product": null}}}}), false),
        (json!({"data": {"product": {}}}), false),
    ] {
        bench.answer_next(true, Response::new(200).with_body(body.to_string().into_bytes()));
        let value = PatchValue::Text { text: "Titre".into(), raw: None };
        let change = PatchField::new(FieldName::new("title"), value, CellValue::Absent);
        let id = bench.store.ids()[0].to_string();
        let patch = Patch::new(RecordRef::new(PLATFORM, Entity::Product, id), vec![change]);
        let until = bench.clock.elapsed() + std::time::Duration::from_secs(5);
        let answer = match french.push(&PushRequest::new(vec![patch], until)).await {
            Ok(mut answers) => answers.remove(0).fields.remove(0).1,
            Err(error) => FieldAnswer::Refused { code: error.code().to_owned(), why: error.to_string() },
        };
        let told = matches!(answer, FieldAnswer::Refused { .. });
        assert_eq!(told, is_refused, "{body}: {answer:?}");
        assert!(told || matches!(answer, FieldAnswer::Unknown { .. }), "{body}: {answer:?}");
    }
}

/// Whether a call leaves the texts that it does not name as they are is not documented: the read tells.
#[tokio::test]
async fn a_text_that_goes_with_another_one_is_told() {
    let booth = Booth::open(Held::ChannelValues).await;
    let id = booth.desk.store().ids()[3];
    booth.put(id, "description", "<p>Theirs</p>");
    booth.desk.store().set_conditions(|it| it.channel_values_unset = true);
    let receipt = booth.apply(booth.enrichment(id, json!({"title": "Titre"})).await).await;
    let moved = |warning: &Warning| matches!(warning, Warning::SiblingMoved { field } if field.as_str() == "description");
    assert!(receipt.fields[0].warnings.iter().any(moved), "{receipt}");
}

/// Of two texts that go in one call, the documents name one by which it is taken back alone.
#[tokio::test]
async fn what_is_taken_back_by_a_name_that_is_not_documented_is_told_beforehand() {
    let booth = Booth::open(Held::ChannelValues).await;
    let id = booth.desk.store().ids()[58];
    let before = booth.all();
    booth.desk.store().set_conditions(|it| it.documented_removals_only = true);
    let fields = json!({"title": "Titre", "description": "<p>Un</p>"});
    let plan = booth.push.plan(&[booth.enrichment(id, fields.clone()).await]).await.unwrap();
    let partly = |change: &PlannedChange| matches!(change.reversible, Reversible::Partly(_));
    let told: Vec<bool> = plan.changes.iter().map(partly).collect();
    assert_eq!(told.iter().filter(|partly| **partly).count(), 1, "that of the description");

    // Both go in a call that names none; one of them by its name, if the platform knows it.
    let both = booth.apply(booth.enrichment(id, fields).await).await;
    let report = booth.push.undo(both.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    assert_eq!(booth.all(), before);
    let one = booth.apply(booth.enrichment(id, json!({"description": "<p>Deux</p>"})).await).await;
    let report = booth.push.undo(one.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome != UndoOutcome::Restored), "{report}");
    assert_eq!(booth.texts("fr", id)["description"], "<p>Deux</p>");
    booth.desk.store().set_conditions(|it| it.documented_removals_only = false);
    booth.desk.bench.tick();
    let report = booth.push.undo(one.push).await.unwrap();
    assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
    assert_eq!(booth.all(), before);
}
