//! Metafields of a BigCommerce store's products: read to their end, written beside the custom fields, and taken back.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use bigcommerce::{Bench, Desk, Parts, bench, bench_with, changed};
use common::Kept;
use lily_connect::connector::{Connector, PullRequest, Purpose};
use lily_connect::model::{Entity, Record};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{ChangeVerdict, Pull, Receipt, ReceiptOutcome, UndoOutcome};
use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::testkit::exchange::Response;
use lily_connect::testkit::json::Json;
use serde_json::{Value, json};

const ALL: &str = "/v3/catalog/products/metafields";

async fn reading(seed: impl FnOnce(&BigCommerceFake)) -> Bench {
    bench_with(seed, |builder| builder, |settings| settings.metafields(["lily", "lily.more"])).await
}

fn add(store: &BigCommerceFake, product: u64, namespace: &str, key: &str, value: &str) -> u64 {
    store.add_metafield("product", product, namespace, key, value, None).unwrap()
}

fn add_many(store: &BigCommerceFake, product: u64, count: usize) {
    for n in 0..count {
        add(store, product, "lily", &format!("key_{n}"), &format!("{product} {n}"));
    }
}

/// The row of a metafield of ours.
fn row(store: &BigCommerceFake, product: u64, key: &str) -> u64 {
    let is = |row: &Json, name: &str, text: &str| row.get(name).unwrap().as_str() == Some(text);
    let rows = store.metafields("product", product).into_iter().map(|(_, row)| row);
    let mut found = rows.filter(|row| is(row, "namespace", "lily") && is(row, "key", key));
    found.next().unwrap().get("id").unwrap().as_id().unwrap()
}

/// What of a store's metafields a pull should bring, by product.
fn expected(store: &BigCommerceFake) -> BTreeMap<u64, BTreeSet<(String, String)>> {
    let of = |id: u64| {
        let text = |row: &Json, name: &str| row.get(name).unwrap().as_str().unwrap().to_owned();
        let rows = store.metafields("product", id).into_iter().map(|(_, row)| row);
        rows.filter(|row| text(row, "namespace") == "lily")
            .map(|row| (format!("lily.{}", text(&row, "key")), text(&row, "value")))
            .collect()
    };
    store.ids().into_iter().map(|id| (id, of(id))).collect()
}

fn brought(records: &[Record]) -> BTreeMap<u64, BTreeSet<(String, String)>> {
    let of = |record: &Record| {
        let Record::Product(product) = record else { panic!("{record:?}") };
        let attributes = product.attributes.value().unwrap().iter().filter(|it| it.namespace.is_some());
        let pairs = attributes.map(|it| (it.list_key().to_string(), it.values[0].to_string())).collect();
        (record.reference().id.as_str().parse().unwrap(), pairs)
    };
    records.iter().map(of).collect()
}

/// Pulls in pages of seven, and holds the metafields against the store.
async fn holds(bench: &Bench, what: &str) {
    let kept = Kept::default();
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product)
        .page_size(NonZeroU32::new(7).unwrap());
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert_eq!(brought(&kept.0.lock().unwrap()), expected(&bench.store), "{what}: {certificate}");
}

#[tokio::test]
async fn metafields_are_attributes_where_their_namespace_is_named_and_cost_nothing_where_none_is() {
    let seed = |store: &BigCommerceFake| {
        for id in store.seed_products(12) {
            add(store, id, "lily", "material", &format!("Wool \"{id}\"\n<b>"));
            add(store, id, "other", "secret", "not asked for");
            store.add_metafield("product", id, "lily", "theirs", "seen", Some("somebody_else")).unwrap();
        }
    };
    let off = bench_with(seed, |builder| builder, |settings| settings).await;
    let (records, _) = off.pull(Entity::Product).await;
    assert!(brought(&records).values().all(BTreeSet::is_empty));
    assert_eq!(off.server.traffic().count_where(|it| it.path.contains("metafields")), 0);

    let on = reading(seed).await;
    let (records, certificate) = on.pull(Entity::Product).await;
    assert_eq!(brought(&records), expected(&on.store));
    assert!(brought(&records).values().all(|pairs| pairs.len() == 2) && certificate.is_complete());
    assert_eq!(on.server.traffic().count_where(|it| it.path.contains("metafields")), 1, "one list for all");
    for record in &records {
        let Record::Product(product) = record else { panic!() };
        let others = product.attributes.value().unwrap().iter().filter(|it| it.namespace.is_none()).count();
        let stored = on.store.product(record.reference().id.as_str().parse().unwrap()).unwrap();
        assert!(others > 0 || (stored.custom_fields.is_empty() && stored.options.is_empty()));
        assert!(record.base().keys(&"attributes".to_owned().into()).is_some());
    }
    // By id as well, one call each.
    let ids: Vec<u64> = on.store.ids();
    for some in [&ids[..1], &ids[..5]] {
        let wanted = some.iter().map(|id| id.to_string().into()).collect();
        let page =
            on.connector.pull_page(&PullRequest::by_ids(Entity::Product, wanted, Purpose::Guard)).await;
        let schema = on.connector.schema(Entity::Product).unwrap();
        let profile = &on.connector.info().profile;
        let page = page.unwrap();
        let records: Vec<Record> =
            page.items.iter().flat_map(|items| schema.map(items, profile).unwrap().records).collect();
        let all = expected(&on.store);
        assert_eq!(brought(&records), some.iter().map(|id| (*id, all[id].clone())).collect());
    }
}

#[tokio::test]
async fn metafields_are_read_to_the_end_of_their_list_whatever_a_page_holds_or_says() {
    let bench = reading(|store| {
        for id in store.seed_products(30) {
            add_many(store, id, 12);
        }
    })
    .await;
    holds(&bench, "360 of them").await;
    for (cap, untold) in [(3, &[][..]), (10, &["total_pages"]), (10, &["total_pages", "total"])] {
        bench.store.set_conditions(|it| {
            it.past_the_end_repeats = true;
            it.page_cap = Some(cap);
            it.untold = untold.iter().map(|name| (*name).to_owned()).collect();
        });
        holds(&bench, &format!("pages of {cap}, without {untold:?}")).await;
    }
    // A product alone may have more than a page, too.
    bench.store.set_conditions(|it| it.untold.clear());
    let id = bench.store.ids()[3];
    let request = PullRequest::by_ids(Entity::Product, vec![id.to_string().into()], Purpose::Verify);
    let page = bench.connector.pull_page(&request).await.unwrap();
    let schema = bench.connector.schema(Entity::Product).unwrap();
    let records = schema.map(&page.items[0], &bench.connector.info().profile).unwrap().records;
    assert_eq!(brought(&records)[&id], expected(&bench.store)[&id]);
}

/// A row that is deleted moves those behind it to the page before, and one that is made meanwhile hides that from the
/// count.
#[tokio::test]
async fn metafields_that_slip_between_two_pages_are_read_again() {
    for made in [false, true] {
        let bench = reading(|store| {
            for id in store.seed_products(12) {
                add_many(store, id, 4);
            }
        })
        .await;
        bench.tick();
        bench.store.set_conditions(|it| it.page_cap = Some(10));
        // Behind a page, the newest one, and a page again.
        bench.store.after_request(3, BigCommerceFake::reads(ALL), move |store| {
            let (first, last) = (store.ids()[0], store.ids()[11]);
            store.remove_metafield(row(store, first, "key_0"));
            if made {
                add(store, last, "lily", "new", "v");
            }
        });
        holds(&bench, &format!("one is deleted, made: {made}")).await;
    }
    // A list that grows at its end alone is whole as it is.
    let bench = reading(|store| {
        for id in store.seed_products(12) {
            add_many(store, id, 4);
        }
    })
    .await;
    bench.tick();
    bench.store.set_conditions(|it| it.page_cap = Some(20));
    bench.store.after_request(4, BigCommerceFake::reads(ALL), |store| {
        add(store, store.ids()[11], "lily", "new", "v");
    });
    holds(&bench, "one is made").await;
    // A page, which is not the last one; the newest one; three pages of twenty.
    assert_eq!(bench.server.traffic().count_where(|it| it.path.ends_with(ALL)), 5);
}

/// A list that begins reads them anew: none of it is older than its begin.
#[tokio::test]
async fn a_list_that_begins_again_has_no_metafields_of_the_one_before() {
    let bench = reading(|store| {
        for id in store.seed_products(30) {
            add(store, id, "lily", "material", "Wool");
        }
    })
    .await;
    let mut request = PullRequest::all(Entity::Product);
    request.page_size = NonZeroU32::new(7);
    for value in ["Linen", "Silk"] {
        let id = bench.store.ids()[0];
        let row = bench
            .store
            .metafields("product", id)
            .into_iter()
            .find(|(_, row)| row.get("namespace").unwrap().as_str() == Some("lily"));
        bench.store.edit_metafield(row.unwrap().1.get("id").unwrap().as_id().unwrap(), value);
        let page = bench.connector.pull_page(&request).await.unwrap();
        let schema = bench.connector.schema(Entity::Product).unwrap();
        let records = schema.map(&page.items[0], &bench.connector.info().profile).unwrap().records;
        let pair = ("lily.material".to_owned(), value.to_owned());
        assert!(brought(&records)[&id].contains(&pair), "{value}");
    }
}

#[tokio::test]
async fn a_metafield_that_changed_in_silence_is_found_by_the_sweep_of_a_delta() {
    let bench = reading(|store| {
        for id in store.seed_products(30) {
            add(store, id, "lily", "material", "Wool");
        }
    })
    .await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let full = Pull::new(connector.clone(), state.clone(), Entity::Product);
    let first = full.run(&mut Kept::default(), &|_| {}).await.unwrap();
    assert!(first.is_complete(), "{first}");
    bench.clock.advance(std::time::Duration::from_secs(600));
    let id = bench.store.ids()[7];
    add(&bench.store, id, "lily", "care", "Cold");
    let kept = Kept::default();
    let delta = Pull::new(connector, state, Entity::Product).since(first.next_since.unwrap());
    let certificate = delta.run(&mut kept.clone(), &|_| {}).await.unwrap();
    let found = brought(&kept.0.lock().unwrap());
    assert_eq!(found[&id], expected(&bench.store)[&id], "{certificate}");
    assert!(
        found.len() <= 2 && certificate.is_complete(),
        "the product, and the one of the overlap: {certificate}"
    );
}

/// A desk over a store whose second product has metafields of ours and of another account.
async fn desk() -> (Desk, [u64; 2]) {
    let mut ids = [0; 2];
    let bench = reading(|store| {
        let all = store.seed_products(6);
        ids = [all[0], all[1]];
        for id in ids {
            add(store, id, "lily", "material", "Wool");
            add(store, id, "lily", "care", "Cold\nwash");
            add(store, id, "other", "kept", "as it is");
            store.add_custom_field(id, "Fit", "Slim").unwrap();
        }
        store.add_metafield("product", ids[1], "lily", "theirs", "read only", Some("somebody_else")).unwrap();
    })
    .await;
    (Desk::over(bench), ids)
}

/// What a store holds of its products' metafields, without what every save moves.
fn rows(desk: &Desk) -> BTreeMap<(u64, String), Value> {
    let mut rows = BTreeMap::new();
    for id in desk.store().ids() {
        for (owner, row) in desk.store().metafields("product", id) {
            let mut row: Value = serde_json::from_str(&row.to_php()).unwrap();
            let fields = row.as_object_mut().unwrap();
            let moving = ["id", "date_created", "date_modified"];
            moving.iter().for_each(|name| drop(fields.remove(*name)));
            let key = format!("{owner} {} {}", fields["namespace"], fields["key"]);
            rows.insert((id, key), row);
        }
    }
    rows
}

fn outcome<'r>(receipt: &'r Receipt, key: &str) -> &'r ReceiptOutcome {
    &receipt.fields.iter().find(|it| it.cell.key.as_deref() == Some(key)).unwrap().outcome
}

#[tokio::test]
async fn metafields_are_changed_made_and_removed_beside_custom_fields_and_all_comes_back() {
    let (desk, ids) = desk().await;
    let parts = || -> Parts {
        // Metafields are told by their names: one that comes back has another id.
        let parts = desk.parts().into_iter();
        parts.filter(|((_, part), _)| !part.starts_with("metafields ")).collect()
    };
    let (before, fields) = (rows(&desk), parts());
    let long = format!("A {} story", "long ".repeat(2000));
    let wanted = json!({"attributes": {
        "update": {"lily.material": ["Linen"], "lily.more.story": [long], "Fit": ["Wide"]},
        "remove": ["lily.care"],
    }});
    let receipt = desk.land(ids[0], wanted).await;
    let after = rows(&desk);
    let moved: Vec<&(u64, String)> = before
        .keys()
        .chain(after.keys())
        .filter(|key| before.get(*key) != after.get(*key))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert!(moved.iter().all(|(id, _)| *id == ids[0]) && moved.len() == 3, "{moved:?}");
    let stored = |key: &str| {
        let of = |(_, row): (String, Json)| {
            let is = row.get("key").unwrap().as_str() == Some(key);
            is.then(|| row.get("value").unwrap().as_str().unwrap().to_owned())
        };
        desk.store().metafields("product", ids[0]).into_iter().find_map(of)
    };
    assert_eq!((stored("material").as_deref(), stored("care")), (Some("Linen"), None));
    assert_eq!(stored("story"), Some(long));
    let product: BTreeSet<String> = changed(&fields, &parts()).into_iter().map(|(_, part)| part).collect();
    assert!(
        product.iter().all(|part| part.starts_with("custom_fields ")) && product.len() == 1,
        "{product:?}"
    );
    desk.undo(&receipt).await;
    assert_eq!(rows(&desk), before, "its permissions and its description, too");
    assert_eq!(parts(), fields);
}

#[tokio::test]
async fn an_edit_of_a_metafield_is_not_overwritten_and_not_undone() {
    let (desk, ids) = desk().await;
    let set = |id: u64, value: &str| desk.store().edit_metafield(row(desk.store(), id, "material"), value);
    let wanted = json!({"attributes": {"update": {"lily.material": ["Linen"], "lily.care": ["Warm"]}}});
    // Between the pull and the plan.
    let record = desk.pulled().await.remove(&ids[0]).unwrap();
    assert!(set(ids[0], "Theirs"));
    let plan = desk.plan(&[desk.wants(&record, &wanted)]).await;
    let verdict =
        |key: &str| &plan.changes.iter().find(|it| it.cell.key.as_deref() == Some(key)).unwrap().verdict;
    assert!(matches!(verdict("lily.material"), ChangeVerdict::Conflict(_)), "{plan}");
    assert_eq!(verdict("lily.care"), &ChangeVerdict::Apply, "{plan}");
    // Between the plan and the write.
    let plan = desk.plan_for(ids[1], wanted).await;
    assert!(set(ids[1], "Theirs"));
    let receipt = desk.apply(&plan).await;
    assert!(matches!(outcome(&receipt, "lily.material"), ReceiptOutcome::Conflict(_)), "{receipt}");
    let all = rows(&desk);
    assert_eq!(
        all[&(ids[1], format!("{} \"lily\" \"material\"", desk.store().settings().client_id))]["value"],
        "Theirs"
    );
    // Behind the write.
    let receipt = desk.land(ids[1], json!({"attributes": {"update": {"lily.care": ["Hot"]}}})).await;
    desk.store().edit_metafield(row(desk.store(), ids[1], "care"), "Theirs again");
    let report = desk.push.undo(receipt.push).await.unwrap();
    assert_eq!(report.cells[0].1, UndoOutcome::EditedSince, "{report}");
}

#[tokio::test]
async fn a_metafield_that_is_not_ours_to_write_is_told_and_the_others_land() {
    let (desk, ids) = desk().await;
    let before = rows(&desk);
    let wanted = json!({"attributes": {"update": {"lily.material": ["Linen"], "lily.theirs": ["Ours"]}}});
    let plan = desk.plan_for(ids[1], wanted).await;
    let receipt = desk.apply(&plan).await;
    assert_eq!(outcome(&receipt, "lily.material"), &ReceiptOutcome::Applied, "{receipt}");
    assert!(matches!(outcome(&receipt, "lily.theirs"), ReceiptOutcome::Rejected(_)), "{receipt}");
    let key = |key: &&(u64, String)| key.1.contains("theirs");
    assert_eq!(before.iter().find(|(it, _)| key(it)), rows(&desk).iter().find(|(it, _)| key(it)));
}

#[tokio::test]
async fn a_batch_of_metafields_over_the_platforms_bound_goes_in_halves_and_one_saved_in_part_is_told() {
    let (desk, ids) = desk().await;
    let wanted: BTreeMap<String, [String; 1]> =
        (0..8).map(|n| (format!("lily.key_{n}"), [format!("Value {n}")])).collect();
    let plan = desk.plan_for(ids[0], json!({"attributes": {"update": wanted}})).await;
    desk.bench.answer_next(true, Response::new(413));
    let before = desk.bench.server.traffic().writes();
    let receipt = desk.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert_eq!(desk.bench.server.traffic().writes() - before, 3, "one that is refused, and two halves");
    // 200, and yet not all of it.
    let plan = desk.plan_for(ids[0], json!({"attributes": {"update": {"lily.material": ["Jute"]}}})).await;
    let errors = json!([{"status": 422, "title": "Not saved", "errors": {"0": "x"}}]);
    let body = json!({"data": [], "errors": errors, "meta": {"total": 1, "success": 0, "failed": 1}});
    desk.bench.answer_next(true, Response::new(200).with_body(body.to_string().into_bytes()));
    let receipt = desk.apply(&plan).await;
    assert!(matches!(receipt.fields[0].outcome, ReceiptOutcome::Rejected(_)), "{receipt}");
}

#[tokio::test]
async fn what_is_too_long_for_a_custom_field_is_refused_where_a_metafield_takes_it() {
    let (desk, ids) = desk().await;
    let before = desk.parts();
    let plan = desk.plan_for(ids[0], json!({"attributes": {"update": {"Fit": ["x".repeat(251)]}}})).await;
    let receipt = desk.apply(&plan).await;
    assert!(format!("{receipt}").contains("custom_field_unusable"), "{receipt}");
    assert_eq!(desk.parts(), before);
    // Without metafields the plan says so.
    let plain = Desk::over(bench(3).await);
    let id = plain.store().ids()[0];
    let plan = plain.plan_for(id, json!({"attributes": {"update": {"Fit": ["x".repeat(251)]}}})).await;
    assert!(matches!(plan.changes[0].verdict, ChangeVerdict::Rejected(_)), "{plan}");
}
