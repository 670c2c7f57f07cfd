//! Reading a BigCommerce store: every record once, with a certificate that says so, through the defects of the field.
#![cfg(all(feature = "testkit", feature = "bigcommerce", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/bigcommerce.rs"]
mod bigcommerce;
mod common;
#[path = "common/documents.rs"]
mod documents;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use bigcommerce::{Bench, bench, bench_with, ids};
use bytes::Bytes;
use common::Kept;
use lily_connect::connector::{Connector, PullRequest, Purpose};
use lily_connect::connectors::bigcommerce::{BigCommerceConfig, Paging};
use lily_connect::model::{Entity, FieldName, Names, RawItems, Record, Secret, Shape, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Certificate, CheckOutcome, Pull, Rule};
use lily_connect::testkit::bigcommerce::{BigCommerceFake, IncludeHabit, Product};
use lily_connect::testkit::json::Json;
use serde_json::Value;

fn set(ids: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    ids.into_iter().collect()
}

/// Pulls each kind in pages of seven, and holds what came against the store.
async fn holds(bench: &Bench, what: &str) {
    for (entity, ids, certificate) in every(bench, what).await {
        assert_eq!(ids.len(), set(ids).len(), "{what}: {entity} twice");
        assert!(certificate.is_complete(), "{what}: {entity}: {certificate}");
    }
}

/// Every record of each kind comes, whatever is proved of it: the ids that came, and the certificate.
async fn every(bench: &Bench, what: &str) -> Vec<(Entity, Vec<u64>, Certificate)> {
    let mut pulled = Vec::new();
    let store = &bench.store;
    for (entity, expected) in [
        (Entity::Product, store.ids()),
        (Entity::Variant, store.variant_ids()),
        (Entity::Category, store.category_ids()),
        (Entity::Brand, store.brand_ids()),
    ] {
        let kept = Kept::default();
        let connector: Arc<dyn Connector> = bench.connector.clone();
        let pull =
            Pull::new(connector, Arc::new(MemoryState::new()), entity).page_size(NonZeroU32::new(7).unwrap());
        let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
        let records = kept.0.lock().unwrap().clone();
        assert_eq!(set(ids(&records)), set(expected), "{what}: {entity}");
        pulled.push((entity, ids(&records), certificate));
    }
    pulled
}

#[tokio::test]
async fn every_product_variant_category_and_brand_comes_once_and_is_complete() {
    let bench = bench(60).await;
    let outlet = bench.store.create_channel("Outlet");
    let first = bench.store.ids()[0];
    assert!(bench.store.edit_product(first, |product| product.channels.push(outlet)));
    holds(&bench, "a quiet store").await;
    let (products, _) = bench.pull(Entity::Product).await;
    for record in &products {
        let Record::Product(product) = record else { panic!() };
        let named = |terms: &lily_connect::model::Field<Vec<lily_connect::model::Term>>| {
            terms.value().unwrap().iter().all(|term| !term.name.is_empty() && term.id.is_some())
        };
        assert!(named(&product.categories) && named(&product.brands), "{record:?}");
        assert!(!product.variants.value().unwrap().is_empty());
        let is_first = product.reference.id.as_str() == first.to_string();
        let sold_in: Vec<String> =
            if is_first { vec!["1".into(), outlet.to_string()] } else { vec!["1".into()] };
        let channels: Vec<&str> = product.channels.value().unwrap().iter().map(|id| id.as_str()).collect();
        assert_eq!(channels, sold_in);
    }
    let with_options = products.iter().filter(|record| match record {
        Record::Product(product) => {
            product.attributes.value().unwrap().iter().any(|it| it.distinguishes_variants == Some(true))
        }
        _ => false,
    });
    assert!(
        with_options.count() > 20,
        "options come out of the variants, without the include that cuts pages to ten"
    );
}

#[tokio::test]
async fn pages_past_the_end_that_repeat_are_never_asked_for_or_believed() {
    let bench = bench(23).await;
    bench.store.set_conditions(|it| it.past_the_end_repeats = true);
    holds(&bench, "the last page comes again").await;
    // Nor is a list endless where nobody says how many pages it has.
    for untold in [&["total_pages"][..], &["total_pages", "total"], &["total_pages", "total", "per_page"]] {
        for cap in [None, Some(3)] {
            bench.store.set_conditions(|it| {
                it.untold = untold.iter().map(|name| (*name).to_owned()).collect();
                it.page_cap = cap;
            });
            if untold.contains(&"total") {
                every(&bench, &format!("{untold:?} is not told, pages of {cap:?}")).await;
            } else {
                holds(&bench, &format!("{untold:?} is not told, pages of {cap:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn rows_that_slip_between_pages_come_twice_and_are_delivered_once() {
    let bench = bench_with(
        |store| {
            store.seed_products(23);
            for n in 0..20 {
                store.create_brand(&format!("Brand {n:02}"));
            }
        },
        |builder| builder,
        |settings| settings,
    )
    .await;
    bench.store.set_conditions(|it| it.rows_slip = true);
    // A change between two pages moves the rows of lists that nobody sorts.
    for (nth, path) in
        [(2, "/v3/catalog/brands"), (2, "/v3/catalog/trees/categories"), (3, "/v3/catalog/products")]
    {
        bench.store.after_request(
            nth,
            move |request| request.path.ends_with(path),
            |store| {
                let id = store.ids()[0];
                store.edit_product(id, |product| product.set("upc", "0123"));
            },
        );
    }
    for (entity, ids, certificate) in every(&bench, "rows slip").await {
        assert_eq!(ids.len(), set(ids).len(), "{entity} twice");
        assert!(certificate.is_complete(), "{entity}: {certificate}");
        // Products are asked for behind an id, in its order: nothing of them slips, so nothing is looked for again.
        let swept = certificate
            .checks
            .iter()
            .any(|check| check.rule == Rule::SweepAgrees && check.outcome == CheckOutcome::Held);
        assert_eq!(swept, entity != Entity::Product, "{entity}: {certificate}");
    }
}

#[tokio::test]
async fn pages_that_are_capped_below_what_was_asked_for_lose_nothing() {
    for paging in [Paging::ById, Paging::ByNumber] {
        let bench = bench_with(
            |store| drop(store.seed_products(40)),
            |builder| builder,
            |settings| settings.paging(paging),
        )
        .await;
        for (cap, untold) in [(1, None), (3, None), (3, Some("total_pages")), (10, None)] {
            bench.store.set_conditions(|it| {
                it.page_cap = Some(cap);
                it.untold = untold.into_iter().map(str::to_owned).collect();
            });
            holds(&bench, &format!("pages of {cap}, {paging:?}")).await;
        }
    }
}

/// With options or modifiers among what is included, a page has ten products, whatever is asked for.
#[tokio::test]
async fn no_page_is_cut_to_ten_by_what_it_includes() {
    let bench = bench(60).await;
    bench.server.traffic().clear();
    let (records, _) = bench.pull(Entity::Product).await;
    let lists = bench.server.traffic().count_where(|it| it.path.ends_with("/v3/catalog/products"));
    assert_eq!((records.len(), lists), (60, 1), "60 products are one page of 250");
}

#[tokio::test]
async fn products_that_are_deleted_while_the_list_is_read_take_nothing_with_them() {
    for paging in [Paging::ById, Paging::ByNumber] {
        let bench = bench_with(
            |store| drop(store.seed_products(40)),
            |builder| builder,
            |settings| settings.paging(paging),
        )
        .await;
        bench.store.after_request(2, BigCommerceFake::is_product_list, |store| {
            for id in store.ids().into_iter().take(5) {
                store.delete_product(id);
            }
        });
        let kept = Kept::default();
        let connector: Arc<dyn Connector> = bench.connector.clone();
        let size = NonZeroU32::new(7).unwrap();
        let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).page_size(size);
        let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
        let found = set(ids(&kept.0.lock().unwrap()));
        let left = set(bench.store.ids());
        assert!(left.is_subset(&found), "{paging:?}: {:?} is missing", left.difference(&found));
        assert!(certificate.is_complete(), "{paging:?}: {certificate}");
    }
}

/// What moves no `date_modified` is found by a sweep behind a delta, and a deletion with it, whatever the platform makes
/// of fields that are chosen beside what is included.
#[tokio::test]
async fn changes_that_do_not_move_date_modified_are_found_by_the_sweep_of_a_delta() {
    for habit in [IncludeHabit::Both, IncludeHabit::FieldsAlone, IncludeHabit::Refused] {
        let bench = bench(30).await;
        bench.store.set_conditions(|it| it.includes = habit);
        unclocked_products(&bench).await;
    }
}

async fn unclocked_products(bench: &Bench) {
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let full = Pull::new(connector.clone(), state.clone(), Entity::Product);
    let first = full.run(&mut Kept::default(), &|_| {}).await.unwrap();
    assert!(first.is_complete(), "{first}");
    bench.clock.advance(std::time::Duration::from_secs(600));
    let store = &bench.store;
    let with_image = |at: usize| {
        store.ids().into_iter().filter(|id| !store.product(*id).unwrap().images.is_empty()).nth(at).unwrap()
    };
    let (alt, field, silent, gone) = (with_image(1), store.ids()[5], store.ids()[9], store.ids()[20]);
    let (stock, price) = (store.ids()[11], store.ids()[13]);
    let moved = |id: u64| store.product(id).unwrap().text("date_modified").to_owned();
    let before = (moved(alt), moved(field));
    // A delta overlaps the pull before it by the product that was changed last.
    let newest = store.ids().into_iter().max_by_key(|id| moved(*id)).unwrap();
    let image = store.product(alt).unwrap().images[0].get("id").unwrap().as_id().unwrap();
    store.set_alt(alt, image, "Said in silence");
    store.add_custom_field(field, "Fit", "Slim").unwrap();
    store.edit_in_silence(silent, |product| product.set("gtin", "01234567890128"));
    store.edit_in_silence(price, |product| product.set("price", 987.5));
    store.set_stock(stock, 4321);
    assert_eq!((moved(alt), moved(field)), before, "the fake's clock stands still for these");
    store.delete_product(gone);
    let since = first.next_since.unwrap();
    let delta = Pull::new(connector, state, Entity::Product).since(since);
    let kept = Kept::default();
    let certificate = delta.run(&mut kept.clone(), &|_| {}).await.unwrap();
    let found = set(ids(&kept.0.lock().unwrap()));
    assert_eq!(found, set([alt, field, silent, stock, price, newest]), "{certificate}");
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(certificate.missing, [gone.to_string().into()], "{certificate}");
}

/// A variant keeps no time of its own, and whether its product's moves with it is not known.
#[tokio::test]
async fn changes_of_variants_that_do_not_move_their_products_time_are_found_by_the_sweep_of_a_delta() {
    let bench = bench(30).await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let full = Pull::new(connector.clone(), state.clone(), Entity::Variant);
    let first = full.run(&mut Kept::default(), &|_| {}).await.unwrap();
    assert!(first.is_complete(), "{first}");
    bench.clock.advance(std::time::Duration::from_secs(600));
    let store = &bench.store;
    let mut changed = BTreeSet::new();
    for (product, (field, value)) in store.ids().into_iter().zip([
        ("price", Json::from(987.5)),
        ("weight", Json::from(98.5)),
        ("depth", Json::from(9.25)),
        ("inventory_level", Json::Int(4321)),
        ("sku", Json::text("ANOTHER-1")),
        ("upc", Json::text("0123456")),
        ("gtin", Json::text("01234567890128")),
        ("image_url", Json::text("https://cdn.example.com/other.jpg")),
    ]) {
        let of = |product: &Product| product.variants.last().unwrap().get("id").unwrap().as_id().unwrap();
        changed.insert(of(&store.product(product).unwrap()));
        store.edit_in_silence(product, |product| product.variants.last_mut().unwrap().set(field, value));
    }
    let delta = Pull::new(connector, state, Entity::Variant).since(first.next_since.unwrap());
    let kept = Kept::default();
    let certificate = delta.run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert_eq!(set(ids(&kept.0.lock().unwrap())), changed, "{certificate}");
    assert!(certificate.is_complete(), "{certificate}");
}

#[tokio::test]
async fn a_product_that_is_asked_for_by_id_comes_or_is_named_as_missing() {
    let bench = bench(12).await;
    let mut asked: Vec<u64> = bench.store.ids();
    let gone = asked[4];
    bench.store.delete_product(gone);
    asked.push(999_999);
    let wanted = asked.iter().map(|id| id.to_string().into()).collect();
    bench.store.set_conditions(|it| it.page_cap = Some(5));
    let mut request = PullRequest::by_ids(Entity::Product, wanted, Purpose::Guard);
    let (mut found, mut missing) = (0, Vec::new());
    loop {
        let page = bench.connector.pull_page(&request).await.unwrap();
        let schema = bench.connector.schema(Entity::Product).unwrap();
        for items in &page.items {
            found += schema.map(items, &bench.connector.info().profile).unwrap().records.len();
        }
        missing.extend(page.missing.iter().map(|id| id.as_str().parse::<u64>().unwrap()));
        if page.next.is_none() {
            break;
        }
        request.cursor = page.next;
    }
    assert_eq!((found, set(missing)), (11, set([gone, 999_999])));
}

/// What a page is cut to is no ground to call a record missing, or a name unknown.
#[tokio::test]
async fn categories_and_brands_that_are_asked_for_by_id_come_though_pages_are_capped() {
    let bench = bench(12).await;
    for n in 0..6 {
        bench.store.create_brand(&format!("Brand {n}"));
    }
    bench.store.set_conditions(|it| it.page_cap = Some(2));
    for (entity, known) in
        [(Entity::Category, bench.store.category_ids()), (Entity::Brand, bench.store.brand_ids())]
    {
        let wanted = known.iter().chain([&999_999]).map(|id| id.to_string().into()).collect();
        let page =
            bench.connector.pull_page(&PullRequest::by_ids(entity, wanted, Purpose::Verify)).await.unwrap();
        let schema = bench.connector.schema(entity).unwrap();
        let profile = &bench.connector.info().profile;
        let found: usize = page.items.iter().map(|it| schema.map(it, profile).unwrap().records.len()).sum();
        assert_eq!((found, page.missing.as_slice()), (known.len(), &["999999".into()][..]), "{entity}");
    }
    let (products, _) = bench.pull(Entity::Product).await;
    let unnamed =
        products.iter().filter(|record| record.base().keys(&FieldName::new("categories")).is_none());
    assert_eq!(unnamed.count(), 0);
}

#[tokio::test]
async fn settings_of_the_store_are_read_and_a_token_without_that_right_is_no_obstacle() {
    let bench = bench(3).await;
    let profile = &bench.connector.info().profile;
    assert_eq!(profile.currency, Some("EUR".parse().unwrap()));
    assert_eq!(
        format!("{:?} {:?}", profile.mass_unit, profile.length_unit),
        "Some(Kilogram) Some(Centimetre)"
    );
    assert_eq!(profile.time_zone.as_deref(), Some("Europe/Berlin"));
    bench.store.grant_scopes(["store_v2_products_read_only", "store_v2_default"]);
    let config = bigcommerce::config(&bench.server.url(), &bench.token).build().unwrap();
    let connector = config.connect(&bench.runtime).await.unwrap();
    assert_eq!(connector.info().profile.currency, None);
    let health = connector.check().await.unwrap();
    assert!(health.findings.iter().any(|it| it.code == "scope_missing_store_v2_information"), "{health:?}");
}

/// The vendor's own examples, read by the compiled maps.
#[tokio::test]
async fn the_official_examples_are_read() {
    let Some(specs) = documents::specs() else { return };
    let mut profile = StoreProfile::unknown();
    profile.currency = Some("USD".parse().unwrap());
    profile.mass_unit = Some(lily_connect::model::MassUnit::Ounce);
    profile.length_unit = Some(lily_connect::model::LengthUnit::Inch);
    let config = BigCommerceConfig::builder("abc123").access_token(Secret::new("t")).profile(profile.clone());
    let connector = config.build().unwrap().connect(&Runtime::new()).await.unwrap();
    let read = |file: &str| -> Value {
        let text = std::fs::read_to_string(specs.join("bigcommerce/examples").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let map = |entity, example: &Value, names: Names| {
        // One record stands where a list has several.
        let rows = if example["data"].is_array() {
            example["data"].clone()
        } else {
            serde_json::json!([example["data"]])
        };
        let body = Bytes::from(serde_json::json!({ "data": rows }).to_string());
        let items = RawItems::new(entity, body, Shape::ListAt(&["data"])).named(Arc::new(names));
        let page = connector.schema(entity).unwrap().map(&items, &profile).unwrap();
        assert!(page.rejected.is_empty() && page.issues.is_empty(), "{:?} {:?}", page.rejected, page.issues);
        page.records.iter().map(|record| serde_json::to_value(record).unwrap()).collect::<Vec<_>>()
    };
    let mut names = Names::default();
    for id in ["23", "21"] {
        names.insert(Entity::Category, id.into(), format!("Category {id}").into());
    }
    names.insert(Entity::Brand, "36".into(), "OFS".into());
    let product = &map(Entity::Product, &read("products_get_catalog-products-product_id_200.json"), names)[0];
    assert_eq!(
        (&product["title"], &product["slug"]),
        (&"1L Le Parfait Jar".into(), &"/all/1l-le-parfait-jar/".into())
    );
    assert_eq!(product["price"]["amount"], "7.95");
    assert_eq!(product["brands"][0]["name"], "OFS");
    assert_eq!(product["tags"].as_array().unwrap().len(), 2);
    let variants = map(
        Entity::Variant,
        &read("variants_get_catalog-products-product_id-variants_200.json"),
        Names::default(),
    );
    assert_eq!((variants.len(), &variants[2]["options"][0]["value"]), (3, &"Black".into()));
    let brands = map(Entity::Brand, &read("brands_get_catalog-brands_200.json"), Names::default());
    assert_eq!((brands.len(), &brands[1]["title"]), (15, &"OFS".into()));
    let categories = map(
        Entity::Category,
        &read("categories_get_catalog-trees-categories_200_Get-Category-12.json"),
        Names::default(),
    );
    assert_eq!((&categories[0]["title"], &categories[0]["parent_ref"]["id"]), (&"Bath".into(), &"2".into()));
}
