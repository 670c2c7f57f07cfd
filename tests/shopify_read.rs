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
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, Record};
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
