//! A BigCommerce store in further languages of a channel: which there are, what is read, written and taken back.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::BTreeMap;
use std::sync::Arc;

use bigcommerce::{Bench, Desk, bench_with, config, ids};
use common::Kept;
use lily_connect::connector::{Connector, Patch, PatchField, PatchValue, PushRequest};
use lily_connect::connectors::bigcommerce::PLATFORM;
use lily_connect::error::ErrorKind;
use lily_connect::model::{CellValue, Enrichment, Entity, FieldName, Record, RecordRef, View};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{
    Approvals, Certificate, ChangeVerdict, Pull, Push, Receipt, ReceiptOutcome, UndoOutcome,
};
use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::time::Clock;
use serde_json::{Value, json};

async fn shop() -> Bench {
    let seed = |store: &BigCommerceFake| {
        for code in ["fr", "de"] {
            store.add_locale(1, code);
        }
        for id in store.seed_products(60).into_iter().take(55) {
            store.translate(1, "fr", id, "name", Some(&format!("Nom {id}")));
            store.translate(1, "de", id, "name", Some(&format!("Name {id}")));
        }
    };
    bench_with(seed, |builder| builder, |settings| settings.translations([1])).await
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
    let bench = shop().await;
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
async fn every_product_comes_with_what_is_translated_and_nothing_else() {
    let bench = shop().await;
    let french = view_of(&bench, "fr");
    for left_out in [false, true] {
        bench.store.set_conditions(|it| it.untranslated_left_out = left_out);
        let (records, certificate) = pull(&french).await;
        assert!(certificate.is_complete(), "{certificate}");
        let mut found = ids(&records);
        found.sort_unstable();
        assert_eq!(found, bench.store.ids(), "{left_out}");
        for record in &records {
            let Record::Product(product) = record else { panic!() };
            let id: u64 = product.reference.id.as_str().parse().unwrap();
            let expected = bench.store.translations(1, "fr", id).remove("name");
            assert_eq!(product.title.value().map(ToString::to_string), expected, "{left_out} {id}");
            assert!(product.description.value().is_none() && product.price.value().is_none(), "{record:?}");
            assert_eq!((product.locale.as_deref(), product.scope.as_deref()), (Some("fr"), Some("1")));
        }
    }
}

/// A desk in a language.
struct Booth {
    desk: Desk,
    view: Arc<dyn Connector>,
    push: Push,
}

impl Booth {
    async fn open() -> Self {
        let desk = Desk::over(shop().await);
        let view = view_of(&desk.bench, "fr");
        let state: Arc<dyn StateStore> = desk.state.clone();
        let push = Push::new(view.clone(), state, desk.bench.runtime.clone());
        Self { desk, view, push }
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

    fn all(&self) -> BTreeMap<(&'static str, u64), BTreeMap<String, String>> {
        let store = self.desk.store();
        let both = store.ids().into_iter().flat_map(|id| [("fr", id), ("de", id)]);
        both.map(|(code, id)| ((code, id), store.translations(1, code, id))).collect()
    }
}

#[tokio::test]
async fn translations_are_written_beside_all_else_and_come_back() {
    let booth = Booth::open().await;
    let store = booth.desk.store();
    let id = store.ids()[3];
    let (before, own) = (booth.all(), store.snapshot());
    let title = "L\u{2019}\u{e9}t\u{e9} \"5 < 6\" \\ {} \u{1f3a9}";
    let fields = json!({
        "title": title, "description": "<p>Un\n\"deux\" \\u0041</p>", "seo.title": "Titre", "seo.description": "Deux lignes",
    });
    let receipt = booth.apply(booth.enrichment(id, fields).await).await;
    assert!(receipt.is_full_success() && receipt.fields.len() == 4, "{receipt}");
    let stored = store.translations(1, "fr", id);
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
async fn a_translation_of_the_merchant_is_not_overwritten() {
    let booth = Booth::open().await;
    let (store, id) = (booth.desk.store(), booth.desk.store().ids()[3]);
    let made = booth.enrichment(id, json!({"title": "Ours", "seo.title": "Ours"})).await;
    store.translate(1, "fr", id, "name", Some("Theirs"));
    booth.desk.bench.tick();
    let plan = booth.push.plan(std::slice::from_ref(&made)).await.unwrap();
    assert!(plan.changes.iter().any(|change| matches!(change.verdict, ChangeVerdict::Conflict(_))), "{plan}");
    let made = booth.enrichment(id, json!({"title": "Ours"})).await;
    booth.desk.bench.tick();
    let plan = booth.push.plan(&[made]).await.unwrap();
    store.translate(1, "fr", id, "name", Some("Theirs again"));
    let receipt = booth.push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(!receipt.is_full_success(), "{receipt}");
    assert_eq!(store.translations(1, "fr", id)["name"], "Theirs again");
}

#[tokio::test]
async fn a_text_that_takes_no_translation_is_told_and_the_others_land() {
    let booth = Booth::open().await;
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
async fn what_no_product_is_or_has_translated_is_refused_and_nothing_is_sent() {
    let bench = shop().await;
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

/// The plan of the store's own text says what becomes of its translations.
#[tokio::test]
async fn a_write_of_the_stores_own_text_says_that_translations_stay() {
    let booth = Booth::open().await;
    let id = booth.desk.store().ids()[3];
    let plan = booth.desk.plan_for(id, json!({"title": "Another"})).await;
    assert!(format!("{plan}").contains("translations of it (de, fr) stay as they are"), "{plan}");
    let before = booth.all();
    assert!(booth.desk.apply(&plan).await.is_full_success());
    assert_eq!(booth.all(), before);
}
