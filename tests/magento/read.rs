//! Pulls: complete, with names for ids, whatever the store does to its lists.

use std::sync::Arc;
use std::time::Duration;

use lily_connect::connector::Connector as _;
use lily_connect::model::Entity;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::Pull;
use lily_connect::testkit::magento::{Attribute, GLOBAL, MagentoFake, Release};
use lily_connect::testkit::traffic::Entry;
use serde_json::Value;

use super::common::{Bench, bench, bench_with};
use super::{Kept, of, own, pull};

fn state() -> Arc<dyn StateStore> {
    Arc::new(MemoryState::new())
}

fn lists(bench: &Bench, end: &str) -> usize {
    bench.server.traffic().count_where(|entry: &Entry| entry.path.ends_with(end))
}

#[tokio::test]
async fn a_catalogue_is_pulled_whole_for_as_few_calls_as_it_takes() {
    let bench = bench(250).await;
    bench.server.traffic().clear();
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!((records.len(), bench.store.product_count()), (400, 400));
    // Four pages with their stock, and the dictionary once.
    assert_eq!((lists(&bench, "/V1/products"), lists(&bench, "/source-items")), (4, 4));
    assert_eq!((lists(&bench, "/products/attributes"), lists(&bench, "/categories/list")), (1, 1));
    let product = bench.store.product(bench.store.ids()[0]).unwrap();
    let record = of(&records, product.id);
    assert_eq!(record["title"], product.own(GLOBAL, "name").unwrap());
    assert_eq!(record["inventory"]["quantity"], product.stock.qty.to_string());
    let option = |code: &str| {
        let id = product.own(GLOBAL, code).unwrap().parse().unwrap();
        bench.store.attribute(code).unwrap().option(id).unwrap().label(GLOBAL).to_owned()
    };
    let color = record["attributes"].as_array().unwrap().iter().find(|it| it["key"] == "color").unwrap();
    assert_eq!((&color["label"], &color["values"][0]), (&"Color".into(), &option("color").into()));
    let category = &record["categories"][0];
    assert_eq!(category["id"], product.categories[0].category.to_string());
    assert!(category["name"].as_str().unwrap().ends_with('s'), "{category}");
}

#[tokio::test]
async fn children_of_configurable_products_are_variants_with_their_options() {
    let bench = bench(20).await;
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Variant).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(records.len(), 12);
    for record in &records {
        let parent: u64 = record["product_ref"]["id"].as_str().unwrap().parse().unwrap();
        let id: u64 = record["ref"]["id"].as_str().unwrap().parse().unwrap();
        assert!(bench.store.product(parent).unwrap().children.contains(&id));
        let option: u64 = bench.store.product(id).unwrap().own(GLOBAL, "color").unwrap().parse().unwrap();
        let label = bench.store.attribute("color").unwrap().option(option).unwrap().label(GLOBAL).to_owned();
        assert_eq!(
            (&record["options"][0]["name"], &record["options"][0]["value"]),
            (&"Color".into(), &label.into())
        );
        assert_eq!(record["inventory"]["quantity"], "7");
    }
    let (_, products) = pull(&own(&bench), &state(), Entity::Product).await;
    let parent = products.iter().find(|it| it["structure"] == "configurable").unwrap();
    let color = &parent["attributes"][0];
    assert_eq!((&color["key"], &color["distinguishes_variants"]), (&"color".into(), &true.into()));
    assert_eq!(
        (color["values"].as_array().unwrap().len(), parent["variants"].as_array().unwrap().len()),
        (3, 3)
    );
}

#[tokio::test]
async fn past_the_end_pages_that_repeat_do_not_keep_a_pull_from_its_end() {
    let bench = bench_with(
        |builder| builder.release(Release::V2_4_2),
        |store| {
            store.seed_products(120);
            store.set_conditions(|conditions| {
                conditions.repeats_last_page = true;
                conditions.page_size_limit = Some(20);
            });
            for source in ["north", "south"] {
                store.add_source(source, source);
                for id in store.ids() {
                    store.set_source_item(&store.product(id).unwrap().sku, source, 100.0);
                }
            }
        },
        |settings| settings,
    )
    .await;
    bench.server.traffic().clear();
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(records.len(), bench.store.product_count());
    // The product list goes on behind a record, the stock by pages up to its count: no page more.
    let pages = lists(&bench, "/V1/products");
    assert_eq!((pages, lists(&bench, "/source-items")), (11, 29), "ten pages and a refusal");
    let first = bench.store.product(bench.store.ids()[0]).unwrap();
    assert_eq!(of(&records, first.id)["inventory"]["quantity"], (first.stock.qty + 200.0).to_string());
}

#[tokio::test]
async fn duplicate_rows_across_pages_are_counted_once() {
    let bench = bench_with(
        |builder| builder,
        |store| {
            store.seed_products(30);
            store.set_conditions(|conditions| {
                conditions.unstable_ties = true;
                conditions.page_size_limit = Some(20);
            });
            for source in ["north", "south"] {
                store.add_source(source, source);
                for id in store.ids() {
                    store.set_source_item(&store.product(id).unwrap().sku, source, 1.0);
                }
            }
        },
        |settings| settings,
    )
    .await;
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    for id in bench.store.ids() {
        let stock = bench.store.product(id).unwrap().stock.qty + 2.0;
        assert_eq!(of(&records, id)["inventory"]["quantity"], stock.to_string(), "{id}");
    }
}

/// The stock of some cups, two rows each, with what the merchant does behind its first page of twenty rows.
async fn stock_while(cups: u32, repeats: bool, does: fn(&MagentoFake)) -> Vec<(String, String)> {
    let bench = bench_with(
        |builder| builder,
        |store| {
            for n in 0..cups {
                store.create(&format!("CUP-{n:02}"), &format!("Cup {n}"), |product| product.stock.qty = 3.0);
            }
            store.set_conditions(|conditions| {
                (conditions.page_size_limit, conditions.repeats_last_page) = (Some(20), repeats);
            });
            for source in ["east", "north"] {
                store.add_source(source, source);
            }
            for id in store.ids() {
                store.set_source_item(&store.product(id).unwrap().sku, "north", 1.0);
            }
        },
        |settings| settings,
    )
    .await;
    // Learns the limit, so that what follows is read in pages of twenty.
    pull(&own(&bench), &state(), Entity::Product).await;
    let request = lily_connect::connector::PullRequest::by_ids(
        Entity::Product,
        bench.store.ids().into_iter().map(|id| id.to_string().into()).collect(),
        lily_connect::connector::Purpose::Guard,
    );
    bench.store.after_request(1, |request| request.path.ends_with("/source-items"), does);
    let page = bench.connector.pull_page(&request).await.unwrap();
    let schema = bench.connector.schema(Entity::Product).unwrap();
    let mut quantities = Vec::new();
    for items in &page.items {
        for record in schema.map(items, &bench.connector.info().profile).unwrap().records {
            let record = serde_json::to_value(record).unwrap();
            let text = |at: &Value| at.as_str().unwrap().to_owned();
            quantities.push((text(&record["sku"]), text(&record["inventory"]["quantity"])));
        }
    }
    quantities
}

/// A row that comes in before what was read moves the others: one of them comes again, and one is missing.
#[tokio::test]
async fn stock_whose_rows_move_between_two_pages_is_asked_for_again() {
    let quantities = stock_while(30, false, |store| store.set_source_item("CUP-00", "east", 5.0)).await;
    assert_eq!(quantities.len(), 30);
    for (sku, quantity) in quantities {
        let expected: &[&str] = if sku == "CUP-00" { &["4", "9"] } else { &["4"] };
        assert!(expected.contains(&quantity.as_str()), "{sku}: {quantity}");
    }
}

/// Where rows go, the second page is behind the end, and older releases repeat the last one there.
#[tokio::test]
async fn duplicate_rows_of_stock_are_counted_once() {
    let gone = |store: &MagentoFake| {
        store.delete(store.ids()[0]);
    };
    let quantities = stock_while(11, true, gone).await;
    assert_eq!(quantities.len(), 11);
    for (sku, quantity) in quantities {
        assert_eq!(quantity, "4", "{sku}");
    }
}

#[tokio::test]
async fn page_sizes_capped_at_a_limit_are_obeyed_in_any_language() {
    for (limit, filled, language) in
        [(300, true, None), (20, true, None), (20, false, Some("de")), (7, true, Some("de"))]
    {
        let bench = bench_with(
            |builder| builder,
            |store| {
                store.seed_products(50);
                store.set_conditions(|conditions| {
                    conditions.page_size_limit = Some(limit);
                    conditions.limits_filled_in = filled;
                    conditions.language = language.map(str::to_owned);
                });
            },
            |settings| settings,
        )
        .await;
        bench.server.traffic().clear();
        let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
        assert!(certificate.is_complete(), "{limit}: {certificate}");
        assert_eq!(records.len(), 80);
        let asked = |entry: &Entry| -> u64 {
            let (_, rest) = entry.query.split_once("pageSize%5D=").unwrap_or_default();
            rest.split('&').next().and_then(|size| size.parse().ok()).unwrap_or_default()
        };
        let over = bench.server.traffic().count_where(|entry| asked(entry) > limit);
        assert_eq!(over, usize::from(limit < 100), "one refusal is enough to learn it");
        let health = bench.connector.check().await.unwrap();
        assert_eq!(health.findings.iter().any(|it| it.code == "pages_capped"), limit < 100);
    }
}

/// A refusal may name any number: a list that is refused for something else makes no page smaller.
#[tokio::test]
async fn a_number_in_another_refusal_is_no_limit_of_pages() {
    use lily_connect::connector::{PullRequest, Select};
    use lily_connect::testkit::magento::Refusal;
    let bench = bench(60).await;
    bench.store.refuse(
        1,
        u64::MAX,
        |request| request.query.contains("updated_at"),
        Refusal::Message("Column %1 of table 7 is not known".to_owned(), vec!["3".to_owned()]),
    );
    let mut request = PullRequest::all(Entity::Product);
    request.select = Select::Since(bench.store.now());
    assert_eq!(bench.connector.pull_page(&request).await.unwrap_err().code(), "refused");
    bench.server.traffic().clear();
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!((records.len(), lists(&bench, "/V1/products")), (96, 1), "one page of a hundred");
}

#[tokio::test]
async fn natural_order_signatures_hold_past_index_10() {
    // SKUs with commas cannot stand in one list: each is a filter of its own.
    let bench = bench_with(
        |builder| builder.release(Release::V2_4_7),
        |store| {
            for n in 0..14 {
                store.create(&format!("CUP,{n}"), &format!("Cup {n}"), |product| {
                    product.stock.qty = f64::from(n);
                });
            }
        },
        |settings| settings,
    )
    .await;
    bench.server.traffic().clear();
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    let quantities: Vec<_> = records.iter().map(|it| it["inventory"]["quantity"].as_str().unwrap()).collect();
    assert_eq!(quantities.len(), 14);
    assert_eq!((quantities[0], quantities[13]), ("0", "13"));
    let is_long = |entry: &Entry| entry.query.contains("filters%5D%5B13%5D");
    assert_eq!(bench.server.traffic().count_where(is_long), 1);
}

#[tokio::test]
async fn updated_at_that_does_not_move_hides_nothing_from_a_delta() {
    let bench = bench(40).await;
    let (connector, state) = (own(&bench), state());
    let ids = bench.store.ids();
    // The last stamp is an hour behind that of all others, so that a delta does not list these.
    bench.clock.advance(Duration::from_secs(3600));
    bench.store.set_value(*ids.last().unwrap(), "name", "The last one");
    let (first, _) = pull(&connector, &state, Entity::Product).await;
    bench.clock.advance(Duration::from_secs(3600));
    let with_picture = |id: &&u64| !bench.store.product(**id).unwrap().media.is_empty();
    let pictured = *ids.iter().find(with_picture).unwrap();
    let others: Vec<u64> = ids.iter().copied().filter(|id| *id != pictured).take(4).collect();
    bench.store.set_stock(others[0], 4711.0);
    bench.store.set_label(pictured, GLOBAL, bench.store.product(pictured).unwrap().media[0].id, Some("New"));
    bench.store.mass_update(&others[1..2], GLOBAL, "description", "<p>By the grid.</p>");
    bench.store.mass_update(&others[2..3], GLOBAL, "price", "1.500000");
    // One whose time moves, as most do.
    bench.store.set_value(others[3], "name", "Renamed");
    bench.clock.advance(Duration::from_secs(60));
    let mut kept = Kept::default();
    let delta = Pull::new(connector, state, Entity::Product).since(first.next_since.unwrap());
    let certificate = delta.run(&mut kept, &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    let mut changed = others;
    changed.push(pictured);
    changed.sort_unstable();
    changed.push(*ids.last().unwrap());
    assert_eq!(kept.ids(), changed);
}

#[tokio::test]
async fn what_a_record_names_and_nobody_knew_is_looked_up_once() {
    let bench = bench(10).await;
    let (connector, state) = (own(&bench), state());
    pull(&connector, &state, Entity::Product).await;
    let id = bench.store.ids()[0];
    let option = bench.store.add_option("color", "Teal").unwrap();
    let category = bench.store.add_category(2, "Fresh");
    bench.store.edit(id, |product| {
        product.set(GLOBAL, "color", option.to_string());
        product.categories[0].category = category;
    });
    bench.server.traffic().clear();
    let (_, records) = pull(&connector, &state, Entity::Product).await;
    let record = of(&records, id);
    let color = record["attributes"].as_array().unwrap().iter().find(|it| it["key"] == "color").unwrap();
    assert_eq!((&color["values"][0], &record["categories"][0]["name"]), (&"Teal".into(), &"Fresh".into()));
    // An option that is gone is shown by its id.
    bench.store.remove_option("color", option);
    bench.clock.advance(Duration::from_secs(60));
    let (certificate, records) = pull(&connector, &state, Entity::Product).await;
    let color = of(&records, id)["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["key"] == "color")
        .unwrap()
        .clone();
    assert_eq!(color["values"][0], option.to_string());
    assert!(certificate.is_complete(), "{certificate}");
}

/// A shop keeps the values of an option that is gone: they are looked for once, and not with each page.
#[tokio::test]
async fn values_of_options_that_are_gone_cost_no_page_a_further_look() {
    let bench = bench(250).await;
    let gone = bench.store.add_option("color", "Teal").unwrap();
    for id in bench.store.ids() {
        bench.store.edit(id, |product| product.set(GLOBAL, "color", gone.to_string()));
    }
    bench.store.remove_option("color", gone);
    bench.server.traffic().clear();
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete() && records.len() == 400, "{certificate}");
    let shown = gone.to_string();
    assert!(records.iter().any(|record| record["attributes"][0]["values"][0].as_str() == Some(&shown)));
    assert_eq!((lists(&bench, "/V1/products"), lists(&bench, "/source-items")), (4, 4));
    // Once for the list, and once for the option.
    assert_eq!((lists(&bench, "/products/attributes"), lists(&bench, "/categories/list")), (2, 2));
}

#[tokio::test]
async fn lists_of_several_values_are_read_in_both_spellings() {
    for multiselect_lists in [false, true] {
        let bench = bench_with(
            |builder| builder,
            |store: &MagentoFake| {
                store.set_conditions(|conditions| conditions.multiselect_lists = multiselect_lists);
                store.add_attribute(Attribute::new(0, "season", "Season", "multiselect"));
                let seasons =
                    ["Spring", "Autumn"].map(|name| store.add_option("season", name).unwrap().to_string());
                store.create("A", "A", |product| product.set(GLOBAL, "season", seasons.join(",")));
            },
            |settings| settings,
        )
        .await;
        let (_, records) = pull(&own(&bench), &state(), Entity::Product).await;
        assert_eq!(records[0]["attributes"][0]["values"], serde_json::json!(["Spring", "Autumn"]));
    }
}
