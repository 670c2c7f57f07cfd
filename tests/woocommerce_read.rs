//! Reading the fake WooCommerce: how many calls it takes, what its dates do, and what moves no clock.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use common::{Bench, bench_with};
use desk::{Desk, Taken, Tampered, certified};
use lily_connect::connector::{Connector, PullRequest, Purpose, Select};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::model::{Calls, DeltaClock, Entity, ExternalId, Record};
use lily_connect::state::{MemoryState, SinkMark, StateStore};
use lily_connect::sync::{
    Cancel, Certificate, CheckOutcome, Delivery, Progress, Pull, Reason, Rejected, Rule, Sink, Verdict,
};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::woocommerce::{Taxonomy, WooStore};
use lily_connect::time::{Clock as _, Timestamp};

const SEED: u64 = 20_261_122;
const PRODUCTS: usize = 2_000;
const VARIATIONS: usize = 1_900;

/// The calls for a list of `n`: the first page has a hundred, each further one 99 new records, since it begins with
/// the last record of the one before.
fn pages(n: usize) -> usize {
    if n <= 100 { 1 } else { 1 + (n - 100).div_ceil(99) }
}

async fn large(per_product: bool) -> Bench {
    eprintln!("catalogue seed: {SEED}");
    let bench = bench_with(|store| {
        store.seed_generated(PRODUCTS, VARIATIONS, SEED);
        // Enough tags for a second page.
        for n in 0..150 {
            store.add_term(Taxonomy::Tag, &format!("Tag {n}"));
        }
        store.set_conditions(|conditions| conditions.no_variations_list = per_product);
    })
    .await;
    bench.server.traffic().clear();
    bench
}

fn pull(bench: &Bench, entity: Entity) -> Pull {
    Pull::new(bench.connector.clone(), Arc::new(MemoryState::new()), entity)
}

fn outcome(certificate: &Certificate, rule: Rule) -> CheckOutcome {
    certificate.checks.iter().find(|check| check.rule == rule).unwrap().outcome
}

fn unique(sink: &Taken) -> BTreeSet<u64> {
    sink.ids().into_iter().collect()
}

/// Pulls everything of a kind, and says how many calls that took.
async fn calls_for(bench: &Bench, entity: Entity) -> (usize, Taken) {
    bench.server.traffic().clear();
    let mut sink = Taken::default();
    let certificate = certified(&pull(bench, entity), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    let calls = usize::try_from(bench.server.traffic().requests()).unwrap();
    eprintln!("{entity}: {} records in {calls} calls", certificate.records);
    (calls, sink)
}

fn count(bench: &Bench, is_wanted: impl Fn(Taxonomy) -> bool) -> usize {
    bench.store.all_terms().iter().filter(|term| is_wanted(term.taxonomy)).count()
}

#[tokio::test]
async fn a_large_catalogue_takes_no_call_more_than_its_lists_make_necessary() {
    let bench = large(false).await;
    let mut sum = 0;
    for (entity, records) in [(Entity::Product, PRODUCTS), (Entity::Variant, VARIATIONS)] {
        let (calls, sink) = calls_for(&bench, entity).await;
        assert_eq!((calls, sink.ids().len()), (pages(records), records), "{entity}");
        sum += calls;
    }
    for (entity, taxonomy) in [
        (Entity::Category, Taxonomy::Category),
        (Entity::Tag, Taxonomy::Tag),
        (Entity::Brand, Taxonomy::Brand),
    ] {
        let records = count(&bench, |of| of == taxonomy);
        let (calls, sink) = calls_for(&bench, entity).await;
        assert_eq!((calls, sink.ids().len()), (pages(records), records), "{entity}");
        sum += calls;
    }
    // All attributes in one answer; their values in one list an attribute, behind one for the attributes.
    let attributes = bench.store.all_attributes().len();
    let (calls, sink) = calls_for(&bench, Entity::Attribute).await;
    assert_eq!((calls, sink.ids().len()), (1, attributes));
    sum += calls;
    let (calls, sink) = calls_for(&bench, Entity::AttributeValue).await;
    assert_eq!(calls, 1 + attributes);
    assert_eq!(sink.ids().len(), count(&bench, |of| matches!(of, Taxonomy::Attribute(_))));
    sum += calls;
    eprintln!("all kinds: {sum} calls");
    assert_eq!(sum, 21 + 20 + 1 + 2 + 1 + 1 + 4);
}

#[tokio::test]
async fn variations_product_by_product_take_one_call_a_variable_product_and_the_list_twice() {
    let bench = large(true).await;
    let claims = bench.connector.capabilities().entity(Entity::Variant).unwrap();
    assert_eq!(claims.calls, Calls::PerParent);
    let store = &bench.store;
    let products: Vec<_> = store.ids().iter().map(|id| store.product(*id).unwrap()).collect();
    let variable = products.iter().filter(|product| product.kind == "variable").count();
    let parents = products.iter().filter(|product| product.is_variation()).map(|product| product.parent_id);
    let with_any = parents.collect::<BTreeSet<u64>>().len();
    let (calls, sink) = calls_for(&bench, Entity::Variant).await;
    assert_eq!(sink.ids().len(), VARIATIONS);
    eprintln!("{variable} variable products, {with_any} with variations");
    // The list of variable products names their variations: once to read them, and once more as the sweep that
    // proves that no list was cut short.
    assert_eq!(calls, pages(variable) + with_any + pages(variable));
    let parents = sink.records.lock().unwrap().iter().all(|record| match record {
        Record::Variant(variant) => variant.product_ref.is_some(),
        _ => false,
    });
    assert!(parents);
}

#[tokio::test]
async fn several_products_variations_are_fetched_at_once() {
    let bench = large(true).await;
    let pull = pull(&bench, Entity::Variant).in_flight(NonZeroUsize::new(4).unwrap());
    let first = bench.connector.pull_page(&PullRequest::all(Entity::Variant)).await.unwrap();
    assert!(first.ahead.len() >= 3, "{:?}", first.ahead);
    bench.server.traffic().clear();
    let mut sink = Taken::default();
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(sink.ids().len(), VARIATIONS);
    // What was fetched ahead was what came next: none was asked for twice.
    let lists = |entry: &str| entry.contains("/variations");
    let log = bench.server.traffic().log();
    let asked: Vec<&String> = log.iter().map(|entry| &entry.path).filter(|path| lists(path)).collect();
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len());
}

#[tokio::test]
async fn a_walk_product_by_product_is_resumed_where_it_was_cut_off() {
    let bench = large(true).await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let pull = Pull::new(bench.connector.clone(), state, Entity::Variant);
    let mut sink = Taken::default();
    for stop in [1, 700, 1_500] {
        let cancel = Cancel::default();
        let at = |progress: Progress| {
            if progress.delivered >= stop {
                cancel.cancel();
            }
        };
        pull.clone().cancel(cancel.clone()).run(&mut sink, &at).await.unwrap_err();
    }
    let delivered = sink.ids().len();
    assert!((1_500..1_600).contains(&delivered), "{delivered}");
    bench.server.traffic().clear();
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink).len(), VARIATIONS);
    let lists = bench
        .server
        .traffic()
        .count_where(|entry| entry.path.ends_with("/variations") && !entry.query.contains("modified_after"));
    assert!(lists <= 100, "{lists} products were read again or for the first time, of 400");
}

#[tokio::test]
async fn a_product_with_more_variations_than_a_page_is_read_to_its_end() {
    let bench = bench_with(|store| {
        for count in [230, 0, 1, 100, 101] {
            let parent = store.create("Variable", |product| "variable".clone_into(&mut product.kind));
            for _ in 0..count {
                store.create_variation(parent, |_| {});
            }
        }
        store.set_conditions(|conditions| conditions.no_variations_list = true);
    })
    .await;
    for stripped in [false, true] {
        bench.store.set_conditions(|conditions| conditions.totals_stripped = stripped);
        let (calls, sink) = calls_for(&bench, Entity::Variant).await;
        assert_eq!(sink.ids().len(), 432, "no record twice");
        if !stripped {
            assert_eq!(calls, 1 + pages(230) + pages(1) + pages(100) + pages(101) + 1);
        }
    }
}

#[tokio::test]
async fn a_delta_of_variations_product_by_product_reads_the_products_that_changed() {
    let bench = bench_with(|store| {
        store.seed_generated(200, 120, SEED);
        store.set_conditions(|conditions| conditions.no_variations_list = true);
    })
    .await;
    bench.clock.advance(Duration::from_secs(3600));
    let since = bench.clock.now();
    let variations: Vec<u64> =
        bench.store.ids().into_iter().filter(|id| bench.store.product(*id).unwrap().is_variation()).collect();
    let changed = [variations[0], variations[50]];
    changed.iter().for_each(|id| assert!(bench.store.edit(*id, |it| it.sku.push('X'))));
    bench.server.traffic().clear();
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Variant).since(since), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(sink.ids(), changed);
    assert_eq!(bench.server.traffic().requests(), 3, "the products that changed, and the list of each");
}

#[tokio::test]
async fn values_of_attributes_know_their_attribute_also_by_id_and_over_pages() {
    let bench = bench_with(|store| {
        for (name, count) in [("Color", 230), ("Size", 0), ("Material", 3)] {
            let attribute = store.add_attribute(name);
            for n in 0..count {
                store.add_term(Taxonomy::Attribute(attribute), &format!("{name} {n}"));
            }
        }
    })
    .await;
    let (calls, sink) = calls_for(&bench, Entity::AttributeValue).await;
    assert_eq!(sink.ids().len(), 233);
    assert_eq!(calls, 1 + pages(230) + 1 + 1);
    let expected = |id: &str| {
        let id: u64 = id.parse().unwrap();
        let term = bench.store.all_terms().into_iter().find(|term| term.id == id).unwrap();
        let Taxonomy::Attribute(attribute) = term.taxonomy else { panic!("{term:?}") };
        attribute.to_string()
    };
    let parent = |record: &Record| {
        let parent = record.taxon().unwrap().parent_ref.value().unwrap().clone();
        assert_eq!(parent.kind, Entity::Attribute);
        parent.id.to_string()
    };
    let records = sink.records.lock().unwrap().clone();
    for record in &records {
        assert_eq!(parent(record), expected(record.reference().id.as_str()));
    }
    // One that a sweep finds is read by its id alone: attribute by attribute.
    let last = records.last().unwrap().reference().id.clone();
    let request = PullRequest::by_ids(
        Entity::AttributeValue,
        vec![last.clone(), "999999".into()],
        lily_connect::connector::Purpose::Guard,
    );
    let page = bench.connector.pull_page(&request).await.unwrap();
    assert_eq!(page.missing, ["999999".into()]);
    let schema = bench.connector.schema(Entity::AttributeValue).unwrap();
    let profile = &bench.connector.info().profile;
    let found: Vec<Record> =
        page.items.iter().flat_map(|items| schema.map(items, profile).unwrap().records).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((parent(&found[0]), &found[0].reference().id), (expected(last.as_str()), &last));
}

#[tokio::test]
async fn an_attribute_that_is_listed_and_whose_values_are_not_found_is_an_error() {
    let bench = bench_with(|store| {
        for name in ["Color", "Size"] {
            let attribute = store.add_attribute(name);
            store.add_term(Taxonomy::Attribute(attribute), name);
        }
    })
    .await;
    // It is not found for a moment, and there when the attributes are listed again.
    let attribute = bench.store.all_attributes()[0].clone();
    let lapse = || {
        let (id, again) = (attribute.id, attribute.clone());
        let store = &bench.store;
        store.before_request(
            1,
            |request| request.path.ends_with("/terms"),
            move |store| assert!(store.delete_attribute(id)),
        );
        let lists =
            |request: &lily_connect::testkit::exchange::Request| request.path.ends_with("/attributes");
        store.before_request(2, lists, move |store| store.insert_attribute(again.clone()));
    };
    lapse();
    let whole = pull(&bench, Entity::AttributeValue);
    let error = whole.run(&mut Taken::default(), &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "values_not_found", "{error}");
    lapse();
    let ids = vec!["1".into(), "2".into()];
    let request = PullRequest::by_ids(Entity::AttributeValue, ids, Purpose::Verify);
    assert_eq!(bench.connector.pull_page(&request).await.unwrap_err().code(), "values_not_found");
    // One that was deleted since the attributes were listed has no values, and stops nothing.
    let doomed = bench.store.all_attributes()[0].id;
    bench.store.before_request(
        1,
        |request| request.path.ends_with("/terms"),
        move |store| assert!(store.delete_attribute(doomed)),
    );
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::AttributeValue), &mut sink).await;
    assert_eq!((certificate.verdict, sink.ids().len()), (Verdict::Complete, 1));
}

#[tokio::test]
async fn a_value_that_slips_within_its_attributes_list_is_found() {
    let bench = bench_with(|store| {
        for name in ["Color", "Size"] {
            let attribute = store.add_attribute(name);
            for n in 0..150 {
                store.add_term(Taxonomy::Attribute(attribute), &format!("{name} {n}"));
            }
        }
    })
    .await;
    let values: Vec<u64> = bench
        .store
        .all_terms()
        .iter()
        .filter(|term| matches!(term.taxonomy, Taxonomy::Attribute(_)))
        .map(|term| term.id)
        .collect();
    let gone = [values[3], values[4]];
    bench.store.before_request(
        2,
        |request| request.path.ends_with("/terms"),
        move |store| gone.iter().for_each(|id| assert!(store.delete_term(*id))),
    );
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::AttributeValue), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::PagesOverlap), CheckOutcome::Failed, "{certificate}");
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), values.iter().copied().collect(), "those that went were delivered before");
}

#[tokio::test]
async fn a_taxonomy_is_read_with_its_parents_counts_and_plain_names() {
    let bench = bench_with(|store| drop(store.seed_sample())).await;
    let top = bench.store.add_term(Taxonomy::Category, "Salt & Pepper");
    let below = bench.store.add_term(Taxonomy::Category, "Mills");
    assert!(bench.store.edit_term(below, |term| {
        term.parent = top;
        "<p>For <em>pepper</em></p>".clone_into(&mut term.description);
        term.menu_order = 3;
    }));
    let (_, sink) = calls_for(&bench, Entity::Category).await;
    let records = sink.records.lock().unwrap();
    let json = |id: u64| {
        let id = id.to_string();
        let record = records.iter().find(|record| record.reference().id.as_str() == id).unwrap();
        serde_json::to_value(record).unwrap()
    };
    let (top_json, below_json) = (json(top), json(below));
    assert_eq!(top_json["title"], "Salt & Pepper");
    assert_eq!(top_json["parent_ref"], serde_json::Value::Null);
    assert_eq!(below_json["parent_ref"]["id"], top.to_string());
    assert_eq!(below_json["parent_ref"]["kind"], "category");
    assert_eq!((&below_json["position"], &below_json["product_count"]), (&3.into(), &0.into()));
    assert_eq!(below_json["description"], "<p>For <em>pepper</em></p>");
    assert!(below_json["base"]["title"].is_string());
    let counts: u64 = records.iter().map(|it| *it.taxon().unwrap().product_count.value().unwrap()).sum();
    assert!(counts > 0);
}

/// A store without brands claims none, and connects.
#[tokio::test]
async fn a_store_without_brands_claims_none() {
    let bench = bench_with(|store| store.set_conditions(|conditions| conditions.no_brands = true)).await;
    let kinds: Vec<Entity> =
        bench.connector.capabilities().entities.iter().map(|claims| claims.entity).collect();
    assert!(!kinds.contains(&Entity::Brand) && kinds.contains(&Entity::Category), "{kinds:?}");
}

/// The site's own time is hours off from UTC, to the west and to the east.
#[tokio::test]
async fn a_delta_is_exact_at_sites_west_and_east_of_greenwich() {
    for hours in [-5, 9] {
        let bench = bench_with(|store| {
            store.configure(|settings| settings.utc_offset_seconds = hours * 3600);
            store.seed_generated(40, 0, SEED);
        })
        .await;
        let ids = bench.store.ids();
        // An hour before the time that is asked for, at it, and after it.
        let edit = |id: u64| assert!(bench.store.edit(id, |product| product.name.push('!')));
        edit(ids[0]);
        bench.clock.advance(Duration::from_secs(3600));
        let since = bench.store.now();
        edit(ids[1]);
        bench.clock.advance(Duration::from_secs(1800));
        edit(ids[2]);
        bench.clock.advance(Duration::from_secs(1800));
        let mut sink = Taken::default();
        let certificate = certified(&pull(&bench, Entity::Product).since(since), &mut sink).await;
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        assert_eq!(sink.ids(), ids[1..3], "at UTC{hours:+}");
    }
}

/// The store's comparison is strict and knows no fractions: what shares the second of `since` must come.
#[tokio::test]
async fn products_that_changed_in_the_second_of_since_come() {
    let bench = bench_with(|store| store.seed_generated(40, 0, SEED)).await;
    bench.clock.advance(Duration::from_secs(100));
    let ids = bench.store.ids();
    let second = bench.store.now();
    assert!(bench.store.edit(ids[4], |_| {}) && bench.store.edit(ids[9], |_| {}));
    bench.clock.advance(Duration::from_secs(100));
    let mut sink = Taken::default();
    certified(&pull(&bench, Entity::Product).since(second), &mut sink).await;
    assert_eq!(sink.ids(), [ids[4], ids[9]]);
}

/// From one delta to the next by `next_since`, with edits in the very second in which a delta was asked for.
#[tokio::test]
async fn deltas_behind_one_another_lose_no_edit_of_a_shared_second() {
    let bench = bench_with(|store| store.seed_generated(40, 0, SEED)).await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let full = Pull::new(bench.connector.clone(), state, Entity::Product);
    bench.clock.advance(Duration::from_secs(50));
    let ids = bench.store.ids();
    let mut since = certified(&full, &mut Taken::default()).await.next_since.unwrap();
    for round in 0..4 {
        // One right before the delta, one right behind it, all in one second.
        let (before, behind) = (ids[round], ids[20 + round]);
        assert!(bench.store.edit(before, |product| product.name.push('a')));
        let mut sink = Taken::default();
        let delta = full.clone().since(since);
        delta.forget().await.unwrap();
        since = certified(&delta, &mut sink).await.next_since.unwrap();
        assert!(unique(&sink).contains(&before), "round {round}");
        assert!(bench.store.edit(behind, |product| product.name.push('b')));
        let mut sink = Taken::default();
        let delta = full.clone().since(since);
        delta.forget().await.unwrap();
        since = certified(&delta, &mut sink).await.next_since.unwrap();
        assert!(unique(&sink).contains(&behind), "round {round}");
        bench.clock.advance(Duration::from_secs(30));
    }
}

/// Eighty edits behind a full pull.
async fn eighty_edits() -> (Bench, Vec<u64>, Timestamp) {
    let bench = bench_with(|store| store.seed_generated(120, 0, SEED)).await;
    bench.clock.advance(Duration::from_secs(3600));
    let (since, edited) = (bench.clock.now(), bench.store.ids()[..80].to_vec());
    edited.iter().for_each(|id| assert!(bench.store.edit(*id, |product| product.name.push('!'))));
    bench.clock.advance(Duration::from_secs(60));
    (bench, edited, since)
}

#[tokio::test]
async fn a_delta_on_a_host_that_caps_pages_brings_every_edit() {
    for cap in [50, 7] {
        let (bench, edited, since) = eighty_edits().await;
        bench.store.set_conditions(|conditions| conditions.page_cap = Some(cap));
        let mut sink = Taken::default();
        let certificate = certified(&pull(&bench, Entity::Product).since(since), &mut sink).await;
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::Held);
        assert_eq!(sink.ids(), edited, "each once");
    }
}

#[tokio::test]
async fn a_delta_whose_last_page_lacks_a_record_is_never_complete() {
    for at in [40, 79] {
        let (bench, edited, since) = eighty_edits().await;
        bench.store.set_conditions(|conditions| conditions.dropped = vec![edited[at]]);
        let certificate = certified(&pull(&bench, Entity::Product).since(since), &mut Taken::default()).await;
        assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::Failed);
        let reasons = vec![Reason::CountDisagrees];
        assert_eq!(certificate.verdict, Verdict::Incomplete { reasons, ids: Vec::new() }, "{certificate}");
    }
}

#[tokio::test]
async fn a_closing_delta_that_lacks_a_record_is_never_complete() {
    let bench = bench_with(|store| store.seed_generated(150, 0, SEED)).await;
    bench.clock.advance(Duration::from_secs(3600));
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let (pull, cancel) = (Pull::new(bench.connector.clone(), state, Entity::Product), Cancel::default());
    let mut sink = Taken::default();
    pull.clone().cancel(cancel.clone()).run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
    let id = bench.store.ids()[5];
    assert!(bench.store.edit(id, |product| product.name.push('!')));
    bench.store.set_conditions(|conditions| conditions.dropped = vec![id]);
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::ClosingDelta), CheckOutcome::Failed);
    assert!(!certificate.is_complete(), "{certificate}");
}

/// Our own write moves the store's clock: the next delta brings the product back, as it is stored.
#[tokio::test]
async fn a_delta_behind_a_write_of_ours_brings_what_is_stored() {
    let desk = Desk::new().await;
    let record = desk.pulled().await;
    let since: Timestamp = desk.bench.store.now();
    desk.land(&desk.title(&record, "Ours")).await;
    desk.wait(10);
    let mut sink = Taken::default();
    certified(&desk.pull().since(since), &mut sink).await;
    let records = sink.records.lock().unwrap();
    assert_eq!(records.len(), 1);
    let json = serde_json::to_value(&records[0]).unwrap();
    assert_eq!((&json["title"], &json["ref"]), (&"Ours".into(), &record["ref"]));
    // Its tokens are those of what we wrote: an enrichment of it holds.
    assert_ne!(json["base"]["title"], record["base"]["title"]);
}

/// A full pull whose state is kept, and the delta behind it.
struct Watch {
    bench: Bench,
    state: Arc<dyn StateStore>,
    full: Pull,
    since: Timestamp,
}

impl Watch {
    async fn new(entity: Entity, unclocked: bool) -> Self {
        let bench = bench_with(|store| store.seed_generated(150, 120, SEED)).await;
        bench.clock.advance(Duration::from_secs(3600));
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let full = Pull::new(bench.connector.clone(), state.clone(), entity).unclocked(unclocked);
        let since = certified(&full, &mut Taken::default()).await.next_since.unwrap();
        bench.clock.advance(Duration::from_secs(3600));
        bench.server.traffic().clear();
        Self { bench, state, full, since: since.saturating_add(Duration::from_secs(3000)) }
    }

    async fn delta(&self) -> (Certificate, Vec<u64>) {
        let delta = self.full.clone().since(self.since);
        delta.forget().await.unwrap();
        let mut sink = Taken::default();
        let certificate = certified(&delta, &mut sink).await;
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        (certificate, sink.ids())
    }

    fn showing(&self, media: u64) -> Vec<u64> {
        let store = &self.bench.store;
        store.ids().into_iter().filter(|id| store.product(*id).unwrap().images.contains(&media)).collect()
    }
}

#[tokio::test]
async fn an_alt_text_that_moved_no_clock_is_found_behind_a_delta() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let (certificate, delivered) = watch.delta().await;
    assert_eq!(delivered, [] as [u64; 0], "nothing changed");
    assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::Held);
    // One picture of several products.
    let media = store.ids().iter().find_map(|id| store.product(*id)?.images.first().copied()).unwrap();
    let showing = watch.showing(media);
    assert!(showing.len() > 1 && showing.len() < 50, "{showing:?}");
    let old = store.media(media).unwrap().alt;
    for alt in ["A jug of tea", &old] {
        // There, and back again: the print of the last delta counts.
        assert!(store.edit_media(media, |media| alt.clone_into(&mut media.alt)));
        watch.bench.server.traffic().clear();
        let (certificate, delivered) = watch.delta().await;
        assert_eq!(delivered, showing, "{certificate}");
        let light = watch.bench.server.traffic().count_where(|entry| {
            entry.query.contains("_fields=id%2C") || entry.query.contains("_fields=id,images")
        });
        assert_eq!(light, pages(150), "one walk over the light list");
        assert!(
            certificate.to_string().contains(&format!("{} records differed", showing.len())),
            "{certificate}"
        );
        let (_, delivered) = watch.delta().await;
        assert_eq!(delivered, [] as [u64; 0], "told once");
    }
}

#[tokio::test]
async fn what_moves_again_while_it_is_read_is_listed_again() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let media = store.ids().iter().find_map(|id| store.product(*id)?.images.first().copied()).unwrap();
    let edit = move |store: &WooStore, alt: &str| {
        assert!(store.edit_media(media, |media| alt.clone_into(&mut media.alt)));
    };
    edit(store, "A jug of tea");
    let by_id = |request: &lily_connect::testkit::exchange::Request| request.query.contains("include=");
    store.before_request(1, by_id, move |store| edit(store, "Two jugs of tea"));
    let (certificate, delivered) = watch.delta().await;
    assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::Held, "{certificate}");
    assert!(certificate.to_string().contains("2 sweeps of ids"), "{certificate}");
    assert_eq!(delivered, watch.showing(media));
}

#[tokio::test]
async fn a_renamed_tag_brings_the_products_that_have_it() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let tag = store.all_terms().into_iter().find(|term| term.taxonomy == Taxonomy::Tag).unwrap().id;
    let having: Vec<u64> =
        store.ids().into_iter().filter(|id| store.product(*id).unwrap().tags.contains(&tag)).collect();
    assert!(!having.is_empty());
    assert!(store.rename_term(tag, "Renamed"));
    let (_, delivered) = watch.delta().await;
    assert_eq!(delivered, having);
}

#[tokio::test]
async fn what_moves_no_clock_stays_unseen_where_it_is_not_compared_and_the_certificate_says_so() {
    // Not at all, and not by this delta.
    for kept in [false, true] {
        let watch = Watch::new(Entity::Product, kept).await;
        let watch = Watch { full: watch.full.clone().unclocked(false), ..watch };
        let store = &watch.bench.store;
        let media = store.ids().iter().find_map(|id| store.product(*id)?.images.first().copied()).unwrap();
        assert!(store.edit_media(media, |media| "Other".clone_into(&mut media.alt)));
        let (certificate, delivered) = watch.delta().await;
        assert_eq!(delivered, [] as [u64; 0]);
        assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::NotOffered);
    }
}

#[tokio::test]
async fn what_a_delta_has_brought_already_is_not_read_again() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let id = store.ids().into_iter().find(|id| !store.product(*id).unwrap().tags.is_empty()).unwrap();
    assert!(store.edit(id, |product| product.tags.clear()));
    let (certificate, delivered) = watch.delta().await;
    assert_eq!(delivered, [id]);
    assert!(certificate.to_string().contains("0 records differed"), "{certificate}");
}

#[tokio::test]
async fn a_record_that_a_delta_could_not_map_is_rejected_and_not_compared() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let id = store.ids().into_iter().find(|id| !store.product(*id).unwrap().tags.is_empty()).unwrap();
    assert!(store.edit(id, |product| {
        product.tags.clear();
        product.name = "Broken".to_owned();
    }));
    let broken = Tampered::new(watch.bench.connector.clone(), |_, _, mut page| {
        for items in &mut page.items {
            let body = String::from_utf8(items.body.to_vec()).unwrap();
            items.body = body.replace("\"name\":\"Broken\"", "\"name\":\"\\ud800\"").into();
        }
        page
    });
    let delta = Pull::new(Arc::new(broken), watch.state.clone(), Entity::Product).since(watch.since);
    let certificate = certified(&delta, &mut Taken::default()).await;
    let (reasons, ids) = (vec![Reason::RecordsRejected], vec![id.to_string().as_str().into()]);
    assert_eq!(certificate.verdict, Verdict::Incomplete { reasons, ids }, "{certificate}");
    assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::Held);
    assert!(certificate.to_string().contains("0 records differed"), "{certificate}");
}

#[tokio::test]
async fn prints_are_kept_where_a_clock_can_lie_and_the_platform_lists_what_it_lies_about() {
    for (delta, is_listed, expected) in [
        (DeltaClock::CanLie, true, CheckOutcome::Held),
        (DeltaClock::CanLie, false, CheckOutcome::NotOffered),
        (DeltaClock::Trusted, true, CheckOutcome::NotNeeded),
    ] {
        let bench = bench_with(|store| store.seed_generated(20, 0, SEED)).await;
        bench.clock.advance(Duration::from_secs(3600));
        let mut claims = Tampered::new(bench.connector.clone(), |_, _, page| page);
        let products = &mut claims.capabilities.entities[0];
        products.delta = delta;
        if !is_listed {
            products.unclocked.clear();
        }
        let full = Pull::new(Arc::new(claims), Arc::new(MemoryState::new()), Entity::Product);
        let certificate = certified(&full, &mut Taken::default()).await;
        let delta = certified(&full.since(certificate.next_since.unwrap()), &mut Taken::default()).await;
        assert_eq!(outcome(&delta, Rule::UnclockedAgrees), expected, "{delta}");
        assert_eq!(outcome_or_none(&delta, Rule::FewMissing), None, "nothing is missing: {delta}");
    }
}

#[tokio::test]
async fn a_deleted_variation_is_named_as_missing_behind_a_delta() {
    let watch = Watch::new(Entity::Variant, true).await;
    let store = &watch.bench.store;
    let doomed = store.ids().into_iter().find(|id| store.product(*id).unwrap().is_variation()).unwrap();
    assert!(store.delete(doomed));
    let (certificate, delivered) = watch.delta().await;
    assert_eq!(delivered, [] as [u64; 0]);
    assert_eq!(certificate.missing, [doomed.to_string().as_str().into()]);
    assert_eq!(outcome(&certificate, Rule::FewMissing), CheckOutcome::Held);
}

#[tokio::test]
async fn prints_survive_a_cut_and_a_full_pull_makes_them_anew() {
    let watch = Watch::new(Entity::Product, true).await;
    let store: &WooStore = &watch.bench.store;
    let media = store.ids().iter().find_map(|id| store.product(*id)?.images.first().copied()).unwrap();
    let showing = watch.showing(media);
    assert!(store.edit_media(media, |media| "Other".clone_into(&mut media.alt)));
    // The delta's sweep fails before it is told; the next one tells all the same.
    let sweep = |request: &lily_connect::testkit::exchange::Request| request.query.contains("include=");
    watch.bench.server.faults().push(FaultRule::new(Fault::status(403)).matching(sweep));
    let delta = watch.full.clone().since(watch.since);
    delta.run(&mut Taken::default(), &|_| {}).await.unwrap_err();
    let (_, delivered) = watch.delta().await;
    assert_eq!(delivered, showing);
    // A full pull begins with no print of the old one.
    watch.full.forget().await.unwrap();
    let (certificate, _) = watch.delta().await;
    assert_eq!(outcome_or_none(&certificate, Rule::UnclockedAgrees), None, "no full run to compare with");
    certified(&watch.full, &mut Taken::default()).await;
    let (certificate, delivered) = watch.delta().await;
    assert_eq!((outcome(&certificate, Rule::UnclockedAgrees), delivered.len()), (CheckOutcome::Held, 0));
    // One that keeps none leaves none of the old ones behind.
    certified(&watch.full.clone().unclocked(false), &mut Taken::default()).await;
    let (certificate, _) = watch.delta().await;
    assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::NotOffered);
}

#[tokio::test]
async fn a_record_without_a_print_is_read_again_and_not_taken_for_unchanged() {
    let watch = Watch::new(Entity::Product, false).await;
    let full = watch.full.clone().unclocked(true);
    let watch = Watch { full, ..watch };
    let store = &watch.bench.store;
    // A delta leaves the prints of what it brought; the others have none.
    edited(&watch);
    let (certificate, _) = watch.delta().await;
    assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::NotOffered);
    let media = store.ids().iter().find_map(|id| store.product(*id)?.images.first().copied()).unwrap();
    assert!(store.edit_media(media, |media| "Other".clone_into(&mut media.alt)));
    let (certificate, delivered) = watch.delta().await;
    assert_eq!(outcome(&certificate, Rule::UnclockedAgrees), CheckOutcome::Held, "{certificate}");
    assert!(watch.showing(media).iter().all(|id| delivered.contains(id)), "{certificate}");
    let (_, delivered) = watch.delta().await;
    assert_eq!(delivered.len(), 1, "what the delta's own list has, and no more");
}

#[tokio::test]
async fn what_differs_and_does_not_come_as_it_is_listed_fails_with_its_ids() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let media = store.ids().iter().find_map(|id| store.product(*id)?.images.first().copied()).unwrap();
    let showing = watch.showing(media);
    let old = store.media(media).unwrap().alt;
    assert!(store.edit_media(media, |media| "New alt".clone_into(&mut media.alt)));
    let delta = |tampered: Tampered| {
        Pull::new(Arc::new(tampered), watch.state.clone(), Entity::Product).since(watch.since)
    };
    let failed = |certificate: &Certificate| {
        assert_eq!(outcome(certificate, Rule::UnclockedAgrees), CheckOutcome::Failed, "{certificate}");
        let mut ids: Vec<ExternalId> = showing.iter().map(|id| id.to_string().as_str().into()).collect();
        ids.sort();
        let reasons = vec![Reason::RecordsUnreadable];
        assert_eq!(certificate.verdict, Verdict::Incomplete { reasons, ids });
    };
    // A read by id that brings nothing.
    let none = Tampered::new(watch.bench.connector.clone(), |request, _, mut page| {
        if matches!(request.select, Select::Ids(_)) {
            page.items.clear();
        }
        page
    });
    let pull = delta(none);
    failed(&certified(&pull, &mut Taken::default()).await);
    pull.forget().await.unwrap();
    // One that a cache answers with what was there before, unless it is asked past it.
    let cached = Tampered::new(watch.bench.connector.clone(), move |request, _, mut page| {
        if matches!(request.select, Select::Ids(_)) {
            assert_eq!(request.purpose, Purpose::Verify, "a page cache would answer");
            for items in &mut page.items {
                let body = String::from_utf8(items.body.to_vec()).unwrap();
                items.body = body.replace("New alt", &old).into();
            }
        }
        page
    });
    let pull = delta(cached);
    failed(&certified(&pull, &mut Taken::default()).await);
    pull.forget().await.unwrap();
    let (_, delivered) = watch.delta().await;
    assert_eq!(delivered, showing, "it is still to be told");
}

#[tokio::test]
async fn a_record_that_cannot_be_mapped_is_not_read_again_behind_each_delta() {
    let bench = bench_with(|store| store.seed_generated(150, 0, SEED)).await;
    bench.clock.advance(Duration::from_secs(3600));
    let name = bench.store.product(bench.store.ids()[5]).unwrap().name;
    let broken = Tampered::new(bench.connector.clone(), move |_, _, mut page| {
        for items in &mut page.items {
            let body = String::from_utf8(items.body.to_vec()).unwrap();
            items.body = body.replace(&format!("\"name\":\"{name}\""), "\"name\":\"\\ud800\"").into();
        }
        page
    });
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let full = Pull::new(Arc::new(broken), state, Entity::Product);
    let certificate = certified(&full, &mut Taken::default()).await;
    assert_eq!(certificate.rejected, 1, "{certificate}");
    bench.clock.advance(Duration::from_secs(3600));
    let delta = full.since(bench.clock.now());
    let certificate = certified(&delta, &mut Taken::default()).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
}

#[tokio::test]
async fn prints_of_many_deltas_are_kept_once_an_id() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let products: Vec<u64> =
        store.ids().into_iter().filter(|id| !store.product(*id).unwrap().is_variation()).collect();
    let run = lily_connect::state::RunKey("product:\"all\"#unclocked".into());
    for round in 0..6 {
        // Of those that are left alone, the prints stay.
        let edited = &products[..100];
        edited.iter().for_each(|id| assert!(store.edit(*id, |product| product.name.push('!'))));
        let (_, delivered) = watch.delta().await;
        assert_eq!(delivered.len(), edited.len());
        let kept = watch.state.delivered(&watch.bench.connector.info().store, &run).await.unwrap();
        assert!(!kept.is_empty() && kept.len() <= 2 * 2 * products.len(), "{} after {round}", kept.len());
    }
    let (certificate, _) = watch.delta().await;
    assert!(certificate.to_string().contains("0 records differed"), "{certificate}");
}

#[tokio::test]
async fn a_delta_that_looked_for_no_deletion_says_so() {
    let bench = bench_with(|store| store.seed_generated(10, 0, SEED)).await;
    bench.clock.advance(Duration::from_secs(60));
    let delta = pull(&bench, Entity::Product).since(bench.clock.now());
    let certificate = certified(&delta, &mut Taken::default()).await;
    let text = certificate.to_string();
    assert!(text.contains("deletions, and changes that move no clock, were not looked for"), "{text}");
}

#[tokio::test]
async fn a_delta_that_is_given_up_has_told_nobody() {
    let watch = Watch::new(Entity::Product, true).await;
    let store = &watch.bench.store;
    let with_media = |id: &u64| !store.product(*id).unwrap().images.is_empty();
    let showing: Vec<u64> = store.ids().into_iter().filter(with_media).collect();
    assert!(showing.len() > 100, "more than one request reads by id");
    for media in showing.iter().flat_map(|id| store.product(*id).unwrap().images) {
        assert!(store.edit_media(media, |media| "Other".clone_into(&mut media.alt)));
    }
    // It delivers a hundred of what it found and commits them; its sink fails at the next ones.
    let delta = watch.full.clone().since(watch.since);
    let again = edited(&watch);
    let sink = Taken::default();
    delta.run(&mut Cut { inner: sink.clone(), marks: 3 }, &|_| {}).await.unwrap_err();
    assert!(showing.iter().all(|id| sink.ids().contains(id)), "its sweep had found them");
    let (_, delivered) = watch.delta().await;
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), showing.into_iter().chain([again]).collect());
}

/// One that the delta's own pages bring.
fn edited(watch: &Watch) -> u64 {
    let store = &watch.bench.store;
    let id = store.ids().into_iter().rfind(|id| !store.product(*id).unwrap().is_variation()).unwrap();
    assert!(watch.bench.store.edit(id, |product| product.name.push('!')));
    id
}

fn outcome_or_none(certificate: &Certificate, rule: Rule) -> Option<CheckOutcome> {
    certificate.checks.iter().find(|check| check.rule == rule).map(|check| check.outcome)
}

/// What the connector does not list alone is refused, not answered by something else.
#[tokio::test]
async fn fields_alone_are_refused_where_they_are_not_claimed() {
    use lily_connect::connector::Detail;
    let bench = bench_with(|store| drop(store.seed_sample())).await;
    let connector: &dyn Connector = &*bench.connector;
    for claims in &connector.capabilities().entities {
        let mut request = PullRequest::all(claims.entity);
        request.detail = Detail::Unclocked;
        let asked = connector.pull_page(&request).await;
        assert_eq!(asked.is_ok(), !claims.unclocked.is_empty(), "{}", claims.entity);
    }
}

/// A sink that gives so many marks and fails then.
#[derive(Debug)]
struct Cut {
    inner: Taken,
    marks: u32,
}

#[async_trait::async_trait]
impl Sink for Cut {
    fn delivery(&self) -> Delivery {
        self.inner.delivery()
    }
    async fn write(&mut self, records: &[Record]) -> Result<()> {
        self.inner.write(records).await
    }
    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        self.inner.reject(rejected).await
    }
    async fn mark(&mut self) -> Result<SinkMark> {
        let left = self.marks.checked_sub(1);
        self.marks = left.ok_or_else(|| Error::new(ErrorKind::Sink, "sink_full", "the disk is full"))?;
        self.inner.mark().await
    }
    async fn rewind(&mut self, mark: SinkMark) -> Result<()> {
        self.inner.rewind(mark).await
    }
}
