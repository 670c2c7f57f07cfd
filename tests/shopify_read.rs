//! Reading a Shopify store: every record once, with its lists whole, and a certificate that says so.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use common::Kept;
use lily_connect::connector::{Connector, PullRequest, Purpose};
use lily_connect::connectors::shopify::PLATFORM;
use lily_connect::model::{Entity, Record, RecordRef};
use lily_connect::state::MemoryState;
use lily_connect::sync::{Certificate, Pull};
use shopify::{Bench, bench, bench_with};

async fn pull(bench: &Bench, entity: Entity) -> (Vec<Record>, Certificate) {
    let kept = Kept::default();
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), entity);
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    let records = kept.0.lock().unwrap().clone();
    (records, certificate)
}

fn ids(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.reference().id.as_str().parse().unwrap()).collect()
}

#[tokio::test]
async fn every_product_variant_and_collection_comes_once_and_is_complete() {
    let bench = bench(60).await;
    let (records, certificate) = pull(&bench, Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    let found = ids(&records);
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), bench.shop.ids().into_iter().collect());
    assert_eq!(found.len(), bench.shop.product_count());
    let (variants, certificate) = pull(&bench, Entity::Variant).await;
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(variants.len(), bench.shop.variant_count());
    let (_, certificate) = pull(&bench, Entity::Category).await;
    assert!(certificate.is_complete(), "{certificate}");
    eprintln!("{certificate}");
}

#[tokio::test]
async fn a_product_of_the_largest_size_comes_back_whole() {
    let bench = bench_with(
        |shop| {
            shop.seed_products(3);
            shop.big_product(2_048, 250, 200);
        },
        |builder| builder,
        |settings| settings,
    )
    .await;
    let (records, certificate) = pull(&bench, Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    let largest = records
        .iter()
        .filter_map(|record| match record {
            Record::Product(product) => Some(product),
            _ => None,
        })
        .max_by_key(|product| product.variants.value().map_or(0, Vec::len))
        .unwrap();
    assert_eq!(largest.variants.value().unwrap().len(), 2_048);
    assert_eq!(largest.media.value().unwrap().len(), 250);
    let metafields =
        largest.attributes.value().unwrap().iter().filter(|attribute| attribute.namespace.is_some()).count();
    assert_eq!(metafields, 200);
    let variants: BTreeSet<_> = largest.variants.value().unwrap().iter().collect();
    assert_eq!(variants.len(), 2_048);
}

#[tokio::test]
async fn a_list_is_begun_anew_before_the_platforms_lists_end() {
    let bench = bench_with(
        |shop| {
            shop.seed_products(100);
            shop.set_conditions(|conditions| conditions.deep_paging_limit = 30);
        },
        |builder| builder,
        |settings| settings.list_window(24),
    )
    .await;
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let kept = Kept::default();
    let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product)
        .page_size(NonZeroU32::new(7).unwrap());
    let certificate = pull.run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(ids(&kept.0.lock().unwrap()).len(), bench.shop.product_count());
}

#[tokio::test]
async fn a_delta_behind_a_full_pull_is_complete_and_reads_nothing_twice() {
    let bench = bench(60).await;
    let state = Arc::new(MemoryState::new());
    let connector: Arc<dyn Connector> = bench.connector.clone();
    let full = Pull::new(Arc::clone(&connector), state.clone(), Entity::Product);
    let certificate = full.run(&mut Kept::default(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    bench.clock.advance(std::time::Duration::from_secs(3600));
    // The later change is that of the smaller id.
    let ids = bench.shop.ids();
    for id in [ids[9], ids[3]] {
        assert!(bench.shop.edit_product(id, |product| product.title.push('!')));
        bench.clock.advance(std::time::Duration::from_secs(60));
    }
    bench.shop.clear_calls();
    let kept = Kept::default();
    let since = certificate.next_since.unwrap().saturating_add(std::time::Duration::from_secs(1800));
    let delta = Pull::new(connector, state, Entity::Product).since(since);
    let certificate = delta.run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    let records = kept.0.lock().unwrap().clone();
    assert_eq!(self::ids(&records), [ids[9], ids[3]]);
    assert_eq!(bench.shop.count_calls("nodes"), 0, "what only other fields tell apart is read again");
}

#[tokio::test]
async fn many_ids_cost_few_calls() {
    let bench = bench(60).await;
    let asked: Vec<_> = bench.shop.ids()[..20].iter().map(|id| id.to_string().into()).collect();
    bench.shop.clear_calls();
    let mut request = PullRequest::by_ids(Entity::Product, asked, Purpose::Guard);
    while let Some(next) = bench.connector.pull_page(&request).await.unwrap().next {
        request = request.at(Some(next));
    }
    let calls = bench.shop.count_calls("nodes");
    eprintln!("{calls} calls for 20 products");
    assert!((1..=4).contains(&calls), "{calls}");
}

#[tokio::test]
async fn who_shows_a_picture_is_found_past_the_end_of_a_list() {
    let bench = bench_with(
        |shop| {
            shop.seed_products(160);
            shop.set_conditions(|conditions| conditions.deep_paging_limit = 110);
        },
        |builder| builder,
        |settings| settings.list_window(70),
    )
    .await;
    let ids = bench.shop.ids();
    let shown = ids.iter().find_map(|id| bench.shop.product(*id)?.media.first().copied()).unwrap();
    for id in [ids[0], ids[ids.len() - 1]] {
        bench.shop.edit_product(id, |product| {
            product.media.retain(|known| *known != shown);
            product.media.push(shown);
        });
    }
    let holder = RecordRef::new(PLATFORM, Entity::Media, bench.shop.media(shown).unwrap().gid());
    let found = bench.connector.shown_by(&[holder]).await.unwrap().remove(0);
    let found: BTreeSet<u64> = found.iter().map(|record| record.id.as_str().parse().unwrap()).collect();
    assert!(found.contains(&ids[0]) && found.contains(&ids[ids.len() - 1]), "{found:?}");
}
