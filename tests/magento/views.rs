//! One view of several: what it shows of its own, what it inherits, and that no other is touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use lily_connect::connector::Connector;
use lily_connect::model::{Entity, Reversible, Unavailable};
use lily_connect::state::MemoryState;
use lily_connect::sync::{ChangeVerdict, UndoOutcome};
use lily_connect::testkit::magento::GLOBAL;
use serde_json::json;

use super::common::{Bench, bench, bench_with};
use super::{Desk, of, own, pull};

/// What changed in the database: the rows that went and those that came, with their product.
fn changes(before: &[(u64, Vec<String>)], after: &[(u64, Vec<String>)]) -> (Vec<String>, Vec<String>) {
    let lines = |all: &[(u64, Vec<String>)]| -> BTreeSet<String> {
        all.iter().flat_map(|(id, rows)| rows.iter().map(move |row| format!("{id}: {row}"))).collect()
    };
    let (before, after) = (lines(before), lines(after));
    (before.difference(&after).cloned().collect(), after.difference(&before).cloned().collect())
}

async fn german(bench: &Bench) -> Arc<dyn Connector> {
    bench.again(|settings| settings.store_view("de")).await
}

/// A product that the German view has a name of its own of, and no title for search engines.
fn translated(bench: &Bench) -> u64 {
    let view = bench.store.view_id("de").unwrap();
    let is_it = |id: &u64| bench.store.product(*id).unwrap().is_overridden(view, "name");
    bench.store.ids().into_iter().find(is_it).unwrap()
}

#[tokio::test]
async fn a_view_shows_its_own_values_and_says_which_it_inherits() {
    let bench = bench(30).await;
    let connector = german(&bench).await;
    let profile = &connector.info().profile;
    assert_eq!((profile.locale.as_deref(), profile.scope.as_deref()), (Some("de-DE"), Some("de")));
    let state: Arc<dyn lily_connect::state::StateStore> = Arc::new(MemoryState::new());
    let (certificate, records) = pull(&connector, &state, Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    let id = translated(&bench);
    let (record, product) = (of(&records, id), bench.store.product(id).unwrap());
    let view = bench.store.view_id("de").unwrap();
    assert_eq!(record["title"], product.own(view, "name").unwrap());
    assert_eq!(record["seo"]["title"], product.own(GLOBAL, "meta_title").unwrap());
    // The second part of a token is the state: a value, or one that is inherited.
    let state_of =
        |field: &str| record["base"][field].as_str().unwrap().split('-').nth(1).unwrap().to_owned();
    assert_eq!(
        (state_of("title"), state_of("description"), state_of("seo.title")),
        ("v".into(), "v".into(), "i".into())
    );
    let colors: Vec<_> = records.iter().flat_map(|it| it["attributes"].as_array().unwrap().clone()).collect();
    let is_german = |it: &serde_json::Value| {
        ["Schwarz", "Blau", "Grün", "Rot", "Weiß", "Gelb"].contains(&it["values"][0].as_str().unwrap())
    };
    assert!(colors.iter().filter(|it| it["key"] == "color").all(is_german), "{colors:?}");
    assert!(record["categories"][0]["name"].as_str().unwrap().ends_with(": alle"));
    // Without views nothing is inherited.
    let (_, all) = pull(&own(&bench), &(Arc::new(MemoryState::new()) as Arc<_>), Entity::Product).await;
    assert!(!all.iter().any(|it| it["base"].to_string().contains("-i-")));
}

#[tokio::test]
async fn untouched_bytes_a_push_of_one_field_in_one_view_leaves_everything_else_as_it_was() {
    let bench = bench(30).await;
    let id = translated(&bench);
    let view = bench.store.view_id("de").unwrap();
    bench.store.set_view_value(id, bench.store.view_id("fr").unwrap(), "meta_description", "Bonjour");
    for (field, code, text) in [
        ("seo.title", "meta_title", "Ein Titel"),
        ("title", "name", "Ein Name"),
        ("description", "description", "<p>Neu</p>"),
        ("seo.description", "meta_description", "Beschreibung"),
    ] {
        let desk = Desk::new(&bench, german(&bench).await);
        let record = desk.record(id).await;
        let before = bench.store.snapshot();
        let had = bench.store.product(id).unwrap().own(view, code).map(str::to_owned);
        let push = desk.land(&bench, &Desk::enrich(&bench, &record, Desk::text(&record, field, text))).await;
        let (went, came) = changes(&before, &bench.store.snapshot());
        assert_eq!((went.len(), came.len()), (usize::from(had.is_some()), 1), "{field}: {went:?} {came:?}");
        assert!(came[0].contains(code) && came[0].contains(text), "{came:?}");
        assert_eq!(bench.store.product(id).unwrap().own(view, code), Some(text));
        // What the view had of its own comes back; what it inherited stays its own, as the plan said.
        let report = desk.undo(&bench, push).await;
        let undone = report.cells[0].1.clone();
        match &had {
            Some(had) => {
                assert_eq!(undone, UndoOutcome::Restored);
                assert_eq!(bench.store.product(id).unwrap().own(view, code), Some(had.as_str()));
                assert_eq!(bench.store.snapshot(), before);
            }
            None => assert!(matches!(undone, UndoOutcome::Irreversible { .. }), "{undone:?}"),
        }
    }
}

#[tokio::test]
async fn untouched_bytes_a_label_of_a_picture_changes_its_row_and_nothing_else() {
    let bench = bench(30).await;
    let id =
        *bench.store.ids().iter().find(|id| !bench.store.product(**id).unwrap().media.is_empty()).unwrap();
    let entry = bench.store.product(id).unwrap().media[1].id;
    bench.store.set_label(id, bench.store.view_id("fr").unwrap(), entry, Some("Une image"));
    bench.store.set_label(id, GLOBAL, entry, Some("Before"));
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let key = entry.to_string();
    let change = json!({"media.alt": {"edit": {"update": {&key: "A cap, from the side"}}, "base_keys": record["base"]["media.alt"]}});
    let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
    let (went, came) = changes(&before, &bench.store.snapshot());
    assert_eq!((went.len(), came.len()), (1, 1), "{went:?} {came:?}");
    assert!(came[0].contains("A cap, from the side"), "{came:?}");
    desk.undo(&bench, push).await;
    assert_eq!(bench.store.snapshot(), before);
}

#[tokio::test]
async fn a_plan_says_what_of_a_view_cannot_be_taken_back() {
    let bench = bench(30).await;
    let id = translated(&bench);
    let desk = Desk::new(&bench, german(&bench).await);
    let record = desk.record(id).await;
    let mut fields = Desk::text(&record, "seo.title", "Ein Titel");
    fields["title"] = Desk::text(&record, "title", "Ein Name")["title"].clone();
    let plan = desk.plan(&Desk::enrich(&bench, &record, fields)).await;
    let reversible = |field: &str| {
        plan.changes.iter().find(|it| it.cell.field.as_str() == field).unwrap().reversible.clone()
    };
    assert!(matches!(reversible("seo.title"), Reversible::No(_)), "{plan}");
    assert_eq!(reversible("title"), Reversible::Yes);
    assert!(plan.changes.iter().all(|change| change.cell.scope.as_deref() == Some("de")));
    assert!(plan.to_string().contains("(inherited)"), "{plan}");
}

#[tokio::test]
async fn what_is_inherited_already_is_not_written_again() {
    let bench = bench(30).await;
    let id = translated(&bench);
    let desk = Desk::new(&bench, german(&bench).await);
    let record = desk.record(id).await;
    let shown = record["seo"]["title"].as_str().unwrap().to_owned();
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "seo.title", &shown))).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Unchanged, "{plan}");
}

#[tokio::test]
async fn what_all_views_share_is_not_written_through_one() {
    let bench = bench_with(
        |builder| builder,
        |store| {
            store.seed_products(5);
            store.edit_attribute("meta_title", |it| it.scope = lily_connect::testkit::magento::Scope::Global);
        },
        |settings| settings.store_view("de"),
    )
    .await;
    let claims = bench.connector.capabilities().entity(Entity::Product).unwrap().clone();
    let why =
        |name: &str| claims.unavailable.iter().find(|(field, _)| field.as_str() == name).map(|(_, why)| *why);
    assert_eq!(why("seo.title"), Some(Unavailable::NotEnabled));
    assert_eq!((why("attributes"), why("seo.description")), (Some(Unavailable::NotEnabled), None));
}

#[tokio::test]
async fn undo_of_a_text_that_the_view_had_blanked_hides_the_shared_one_again() {
    for leaves_out_empty in [false, true] {
        let bench = bench(10).await;
        bench.store.set_conditions(|conditions| conditions.leaves_out_empty = leaves_out_empty);
        let (id, view) = (bench.store.ids()[0], bench.store.view_id("de").unwrap());
        let fields = [("seo.title", "meta_title"), ("description", "description")];
        for (_, code) in fields {
            bench.store.set_value(id, code, "What all share");
            bench.store.set_view_value(id, view, code, "");
        }
        let desk = Desk::new(&bench, german(&bench).await);
        let record = desk.record(id).await;
        let before = bench.store.snapshot();
        let mut change = json!({});
        for (field, _) in fields {
            change[field] = Desk::text(&record, field, "Von hier")[field].clone();
        }
        let enrichment = Desk::enrich(&bench, &record, change);
        let plan = desk.plan(&enrichment).await;
        assert!(plan.changes.iter().all(|change| change.reversible == Reversible::Yes), "{plan}");
        let push = desk.land(&bench, &enrichment).await;
        let report = desk.undo(&bench, push).await;
        assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
        assert_eq!(bench.store.snapshot(), before);
    }
}

#[tokio::test]
async fn undo_of_a_text_that_nobody_had_takes_the_views_row_away() {
    let bench = bench(10).await;
    let id = bench.store.ids()[0];
    bench.store.edit(id, |product| {
        for scope in product.values.clone().into_keys() {
            product.unset(scope, "meta_title");
        }
    });
    let desk = Desk::new(&bench, german(&bench).await);
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let push = desk
        .land(&bench, &Desk::enrich(&bench, &record, Desk::text(&record, "seo.title", "Ein Titel")))
        .await;
    let report = desk.undo(&bench, push).await;
    assert_eq!(report.cells[0].1, UndoOutcome::Restored, "{report}");
    assert_eq!(bench.store.snapshot(), before);
}
