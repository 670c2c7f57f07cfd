//! One view of several: what it shows of its own, what it inherits, and that no other is touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use lily_connect::connector::Connector;
use lily_connect::model::{Entity, Reversible, StoreProfile, Unavailable, View};
use lily_connect::state::MemoryState;
use lily_connect::sync::{
    Approvals, ChangeVerdict, Push, PushSettings, ReceiptOutcome, Rejection, UndoOutcome,
};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
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

/// One field at a time, of all that can be written, at what all views share: nothing else of the store moves by a row,
/// whatever the views have of their own.
#[tokio::test]
async fn untouched_bytes_a_push_of_one_field_for_all_views_leaves_everything_else_as_it_was() {
    let bench = bench(30).await;
    let id = translated(&bench);
    let (german, french) = (bench.store.view_id("de").unwrap(), bench.store.view_id("fr").unwrap());
    let garden = bench.store.add_category(2, "Garden");
    let entry = bench.store.add_image(id, "/u/b.jpg", Some("Before")).unwrap();
    bench.store.set_view_value(id, french, "meta_description", "Bonjour");
    bench.store.set_view_value(id, german, "description", "<p>Von hier</p>");
    bench.store.set_label(id, french, entry, Some("Une image"));
    let color = bench.store.attribute("color").unwrap();
    let now: u64 = bench.store.product(id).unwrap().own(GLOBAL, "color").unwrap().parse().unwrap();
    let other = color.options.iter().find(|option| option.id != now).unwrap();
    let color = json!({"Color": [other.label(GLOBAL)]});
    let claims = bench.connector.capabilities().entity(Entity::Product).unwrap().clone();
    for field in claims.writable.iter().map(|field| field.field.as_str()) {
        let desk = Desk::new(&bench, own(&bench));
        let record = desk.record(id).await;
        let edit =
            |edit: serde_json::Value| json!({field: {"edit": edit, "base_keys": record["base"][field]}});
        let (change, rows): (_, &[&str]) = match field {
            "title" => (Desk::text(&record, field, "A name"), &["name"]),
            "description" => (Desk::text(&record, field, "<p>New</p>"), &["description"]),
            "short_description" => (Desk::text(&record, field, "<p>N</p>"), &["short_description"]),
            "seo.title" => (Desk::text(&record, field, "ST"), &["meta_title"]),
            "seo.description" => (Desk::text(&record, field, "SD"), &["meta_description"]),
            "seo.focus_keyword" => (Desk::text(&record, field, "SK"), &["meta_keyword"]),
            "slug" => (Desk::text(&record, field, "another-key"), &["url_key", "url_path"]),
            "attributes" => (edit(json!({"update": color})), &["color"]),
            "categories" => (edit(json!({"add": ["Garden"]})), &["categories"]),
            "media.alt" => (edit(json!({"update": {entry.to_string(): "After"}})), &["After", "Before"]),
            other => panic!("{other} is written and not looked at here"),
        };
        let before = bench.store.snapshot();
        let push = desk.land(&bench, &Desk::enrich(&bench, &record, change)).await;
        let (went, came) = changes(&before, &bench.store.snapshot());
        assert!(!came.is_empty() && came.len() <= 1 && went.len() <= 1, "{field}: {went:?} {came:?}");
        for row in went.iter().chain(&came) {
            let is_own = row.starts_with(&format!("{id}: ")) && rows.iter().any(|name| row.contains(name));
            assert!(is_own, "{field}: {row}");
        }
        let report = desk.undo(&bench, push).await;
        assert!(report.is_full_success(), "{field}: {report}");
        assert_eq!(bench.store.snapshot(), before, "{field}");
    }
    assert!(garden > 0);
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
    let shared = Some(Unavailable::SharedByViews);
    assert_eq!(
        (why("seo.title"), why("attributes"), why("categories"), why("seo.description")),
        (shared, shared, shared, None)
    );
    // No setting allows it: the plan says where it is written.
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(bench.store.ids()[0]).await;
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "seo.title", "Ein Titel"))).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::SharedByViews), "{plan}");
    assert!(
        plan.to_string().contains("all views share it") && !plan.to_string().contains("settings"),
        "{plan}"
    );
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

#[tokio::test]
async fn with_a_supplied_profile_no_text_is_written_through_a_view() {
    let bench = bench(5).await;
    let connector = bench.again(|settings| settings.profile(StoreProfile::unknown()).store_view("de")).await;
    let claims = connector.capabilities().entity(Entity::Product).unwrap().clone();
    // Whether all views share a text, nobody said: only labels are known to differ.
    let names: Vec<&str> = claims.writable.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(names, ["media.alt"]);
    let desk = Desk::new(&bench, connector);
    let record = desk.record(bench.store.ids()[0]).await;
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "title", "Ein Name"))).await;
    assert!(plan.changes.iter().all(|change| change.verdict != ChangeVerdict::Apply), "{plan}");
}

#[tokio::test]
async fn what_is_inherited_is_told_whatever_the_size_of_a_page() {
    let bench = bench_with(
        |builder| builder,
        |store| {
            store.seed_products(20);
            for id in store.ids() {
                store.set_value(id, "meta_title", "What all share");
            }
        },
        |settings| settings.store_view("de"),
    )
    .await;
    // Of the values that all share, the store builds no page of more than sixteen.
    let rule = FaultRule::new(Fault::status(504)).matching(|request| {
        let size = request.query.split_once("pageSize%5D=").and_then(|(_, rest)| rest.split('&').next());
        request.path == "/rest/all/V1/products" && size.and_then(|size| size.parse::<u32>().ok()) > Some(16)
    });
    bench.server.faults().push(rule.times(1000));
    let ids: Vec<_> = bench.store.ids().into_iter().take(20).map(|id| id.to_string().into()).collect();
    let request = lily_connect::connector::PullRequest::by_ids(
        Entity::Product,
        ids,
        lily_connect::connector::Purpose::Guard,
    );
    let page = bench.connector.pull_page(&request).await.unwrap();
    let inherited = page.items.iter().flat_map(|items| &items.inherited);
    assert_eq!(inherited.filter(|one| one.field.as_str() == "seo.title").count(), 20);
    let (_, records) = pull(&own(&bench), &(Arc::new(MemoryState::new()) as Arc<_>), Entity::Product).await;
    let is_inherited = |record: &serde_json::Value| {
        record["base"]["seo.title"].as_str().unwrap().split('-').nth(1) == Some("i")
    };
    assert!(records.len() > 20 && records.iter().all(is_inherited));
}

#[tokio::test]
async fn views_are_told_and_asked_for_as_languages_are() {
    let bench = bench(20).await;
    let all = own(&bench);
    let told: Vec<String> = all.views().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["default in en-US", "de in de-DE", "fr in fr-FR"]);
    let connector = all.in_view(&all.views()[1]).unwrap();
    let by_code = all.in_view(&View::of_scope("de")).unwrap();
    let by_setting = german(&bench).await;
    for other in [&by_code, &by_setting] {
        assert_eq!(other.info().view, connector.info().view);
        assert_eq!(other.info().profile, connector.info().profile);
        assert_eq!(other.capabilities(), connector.capabilities());
    }
    assert!(connector.views().is_empty() && connector.origin().is_some() && all.origin().is_none());
    assert_eq!(all.in_view(&View::of_scope("nowhere")).unwrap_err().code(), "view_unknown");
    let state: Arc<dyn lily_connect::state::StateStore> = Arc::new(MemoryState::new());
    let (certificate, records) = pull(&connector, &state, Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(
        records,
        pull(&by_setting, &(Arc::new(MemoryState::new()) as Arc<_>), Entity::Product).await.1
    );

    // What is written through it is the view's alone, and what was lost there the store's own connector settles.
    let (id, view) = (translated(&bench), bench.store.view_id("de").unwrap());
    let desk = Desk::new(&bench, connector);
    let record = desk.record(id).await;
    let before = bench.store.snapshot();
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "title", "Ein Name"))).await;
    let lost =
        FaultRule::new(Fault::Reset(When::After)).matching(|request| request.method == http::Method::POST);
    bench.server.faults().push(lost.times(1));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let push =
        Push::new(desk.connector.clone(), desk.state.clone(), bench.runtime.clone()).settings(settings);
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown, "{receipt}");
    bench.clock.advance(std::time::Duration::from_secs(120));
    let settled = Push::new(all, desk.state.clone(), bench.runtime.clone()).settle().await.unwrap();
    assert_eq!(settled.iter().map(|row| row.outcome.clone()).collect::<Vec<_>>(), [ReceiptOutcome::Applied]);
    assert_eq!(bench.store.product(id).unwrap().own(view, "name"), Some("Ein Name"));
    let report = desk.undo(&bench, receipt.push).await;
    assert!(report.is_full_success() && bench.store.snapshot() == before, "{report}");
}

#[tokio::test]
async fn the_plan_of_a_shared_text_names_the_views_that_may_not_show_it() {
    let bench = bench(10).await;
    let desk = Desk::new(&bench, own(&bench));
    let record = desk.record(bench.store.ids()[0]).await;
    let plan = desk.plan(&Desk::enrich(&bench, &record, Desk::text(&record, "title", "A cap"))).await;
    assert!(plan.to_string().contains("does not show it (default, de, fr)"), "{plan}");
}
