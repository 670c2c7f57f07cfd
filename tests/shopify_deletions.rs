//! What is deleted in a Shopify store: told by its timeline and not found by id; all else is missing.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::sync::Arc;
use std::time::Duration;

use common::Kept;
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, ExternalId};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::bulk::{BulkSettings, BulkUse};
use lily_connect::sync::{Certificate, CheckOutcome, Pull, Rule};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::shopify::ShopifyFake;
use lily_connect::time::Timestamp;
use shopify::{Bench, bench};

/// A shop of sixty products and a full pull of it, an hour ago.
struct World {
    bench: Bench,
    state: Arc<dyn StateStore>,
    since: Timestamp,
    sink: Kept,
}

impl World {
    async fn of(entity: Entity) -> Self {
        let bench = bench(60).await;
        for n in 0..30 {
            bench.shop.create_collection(&format!("More {n}"), &[]);
        }
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let mut world = Self { bench, state, since: Timestamp::UNIX_EPOCH, sink: Kept::default() };
        let full = world.pull(entity, None).await;
        assert!(full.is_complete(), "{full}");
        world.since = full.next_since.unwrap();
        world.later();
        world
    }

    fn later(&self) {
        self.bench.clock.advance(Duration::from_secs(3600));
    }

    async fn pull(&mut self, entity: Entity, since: Option<Timestamp>) -> Certificate {
        let connector: Arc<dyn Connector> = self.bench.connector.clone();
        let bulk = BulkSettings::default().when(BulkUse::Never);
        let pull = Pull::new(connector, self.state.clone(), entity).bulk(bulk);
        let pull = match since {
            Some(since) => pull.since(since),
            None => pull,
        };
        if since.is_some() {
            pull.forget().await.unwrap();
        }
        pull.run(&mut self.sink, &|_| {}).await.unwrap()
    }

    async fn delta(&mut self, entity: Entity) -> Certificate {
        self.later();
        self.pull(entity, Some(self.since)).await
    }

    fn ids(&self) -> Vec<u64> {
        self.bench.shop.ids()
    }

    fn asked(&self) -> usize {
        self.bench.shop.count_calls("events")
    }
}

fn of(ids: &[u64]) -> Vec<ExternalId> {
    ids.iter().map(|id| id.to_string().into()).collect()
}

fn told(certificate: &Certificate) -> (CheckOutcome, &str) {
    let check = certificate.checks.iter().find(|check| check.rule == Rule::DeletionsTold).unwrap();
    (check.outcome, check.evidence.as_str())
}

#[tokio::test]
async fn what_the_timeline_tells_and_no_read_finds_is_deleted() {
    let mut world = World::of(Entity::Product).await;
    let gone = world.ids()[7];
    assert!(world.bench.shop.delete_product(gone));
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.deleted, &delta.missing), (&of(&[gone]), &Vec::new()), "{delta}");
    assert_eq!(told(&delta).0, CheckOutcome::Held, "{delta}");
    assert!(told(&delta).1.contains("1 of 1 that are missing"), "{delta}");
    assert!(delta.is_complete(), "{delta}");
    // It is told once; another delta of the same time, too, knows that it went.
    let later = world.delta(Entity::Product).await;
    assert_eq!((&later.deleted, &later.missing), (&Vec::new(), &Vec::new()), "{later}");
    assert_eq!((told(&later).0, later.is_complete()), (CheckOutcome::NotNeeded, true), "{later}");
}

#[tokio::test]
async fn what_went_before_an_earlier_delta_and_was_not_told_then_is_told_later() {
    let mut world = World::of(Entity::Product).await;
    let gone = world.ids()[7];
    assert!(world.bench.shop.delete_product(gone));
    let denied = FaultRule::new(Fault::status(403)).matching(ShopifyFake::asks("events"));
    world.bench.server.faults().push(denied);
    let delta = world.delta(Entity::Product).await;
    assert_eq!(delta.missing, of(&[gone]), "{delta}");
    // The list is asked from the full run on, and not from where the delta begins.
    world.since = delta.next_since.unwrap();
    world.bench.clock.advance(Duration::from_secs(24 * 3600));
    let later = world.delta(Entity::Product).await;
    assert_eq!(later.deleted, of(&[gone]), "{later}");
}

#[tokio::test]
async fn every_deletion_is_told_and_none_counts_twice_against_the_bound() {
    let mut world = World::of(Entity::Category).await;
    for n in 0..2_300 {
        world.bench.shop.create_collection(&format!("Many {n}"), &[]);
    }
    world.later();
    let connector: Arc<dyn Connector> = world.bench.connector.clone();
    Pull::new(connector, world.state.clone(), Entity::Category).forget().await.unwrap();
    let full = world.pull(Entity::Category, None).await;
    assert!(full.is_complete(), "{full}");
    // A twentieth may go at once: here it goes three times, one after the other.
    for _ in 0..3 {
        let gone: Vec<u64> = world.bench.shop.collection_ids().into_iter().take(105).collect();
        for id in &gone {
            assert!(world.bench.shop.delete_collection(*id));
        }
        let mut delta = world.delta(Entity::Category).await;
        let mut expected = of(&gone);
        delta.deleted.sort();
        expected.sort();
        assert_eq!((&delta.deleted, &delta.missing), (&expected, &Vec::new()), "{delta}");
        assert!(delta.is_complete(), "{delta}");
    }
}

#[tokio::test]
async fn variants_and_collections_are_told_too() {
    for entity in [Entity::Variant, Entity::Category] {
        let mut world = World::of(entity).await;
        let shop = &world.bench.shop;
        let gone = match entity {
            Entity::Variant => shop.product(shop.ids()[0]).unwrap().variants[3],
            _ => shop.collection_ids()[3],
        };
        assert!(if entity == Entity::Variant {
            shop.delete_variant(gone)
        } else {
            shop.delete_collection(gone)
        });
        let delta = world.delta(entity).await;
        assert_eq!((&delta.deleted, &delta.missing), (&of(&[gone]), &Vec::new()), "{delta}");
    }
}

#[tokio::test]
async fn an_empty_timeline_leaves_the_missing_missing() {
    let mut world = World::of(Entity::Product).await;
    let gone = world.ids()[7];
    assert!(world.bench.shop.delete_product(gone));
    world.bench.shop.forget_events();
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.missing, &delta.deleted), (&of(&[gone]), &Vec::new()), "{delta}");
    assert_eq!(told(&delta).0, CheckOutcome::Held, "{delta}");
}

#[tokio::test]
async fn what_is_told_and_can_be_read_is_not_deleted() {
    let mut world = World::of(Entity::Product).await;
    let (gone, kept) = (world.ids()[7], world.ids()[8]);
    assert!(world.bench.shop.delete_product(gone));
    world.bench.shop.add_event("destroy", "PRODUCT", &format!("gid://shopify/Product/{kept}"));
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.deleted, &delta.missing), (&of(&[gone]), &Vec::new()), "{delta}");

    // Without a full run in the state, each that is told is read.
    world.state = Arc::new(MemoryState::new());
    world.sink = Kept::default();
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.deleted, &delta.missing), (&of(&[gone]), &Vec::new()), "{delta}");
    let came: Vec<String> =
        world.sink.0.lock().unwrap().iter().map(|record| record.reference().id.to_string()).collect();
    assert!(came.contains(&kept.to_string()), "it came back: {came:?}");
}

#[tokio::test]
async fn events_of_other_kinds_delete_nothing() {
    let mut world = World::of(Entity::Product).await;
    let gone = world.ids()[7];
    assert!(world.bench.shop.delete_product(gone));
    world.bench.shop.forget_events();
    let own = format!("gid://shopify/Product/{gone}");
    let of_variant = format!("gid://shopify/ProductVariant/{gone}");
    for (action, kind, subject) in [
        ("unpublished", "PRODUCT", own.as_str()),
        ("destroy", "COLLECTION", own.as_str()),
        ("destroy", "PRODUCT", of_variant.as_str()),
        ("destroy", "PRODUCT", "gid://shopify/Product/x"),
    ] {
        world.bench.shop.add_event(action, kind, subject);
    }
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.missing, &delta.deleted), (&of(&[gone]), &Vec::new()), "{delta}");
}

#[tokio::test]
async fn a_timeline_that_is_not_to_be_read_takes_nothing_from_the_delta() {
    let mut world = World::of(Entity::Product).await;
    let gone = world.ids()[7];
    assert!(world.bench.shop.delete_product(gone));
    let denied = FaultRule::new(Fault::status(403)).matching(ShopifyFake::asks("events"));
    world.bench.server.faults().push(denied);
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.missing, &delta.deleted), (&of(&[gone]), &Vec::new()), "{delta}");
    assert_eq!(told(&delta).0, CheckOutcome::NotOffered, "{delta}");
    assert!(delta.is_complete(), "{delta}");
}

#[tokio::test]
async fn where_too_many_are_missing_at_once_none_is_called_deleted() {
    let mut world = World::of(Entity::Product).await;
    let gone: Vec<u64> = world.ids().into_iter().take(4).collect();
    for id in &gone {
        assert!(world.bench.shop.delete_product(*id));
    }
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.missing, &delta.deleted), (&of(&gone), &Vec::new()), "{delta}");
    assert_eq!((told(&delta).0, world.asked()), (CheckOutcome::NotNeeded, 0), "{delta}");
}

#[tokio::test]
async fn the_timeline_is_asked_only_where_something_is_missing_and_page_by_page() {
    let mut world = World::of(Entity::Product).await;
    let delta = world.delta(Entity::Product).await;
    assert_eq!((told(&delta).0, world.asked()), (CheckOutcome::NotNeeded, 0), "{delta}");
    let gone = world.ids()[7];
    for other in 0..600 {
        world.bench.shop.add_event("destroy", "PRODUCT", &format!("gid://shopify/Product/{}", 1 + other));
    }
    assert!(world.bench.shop.delete_product(gone));
    let delta = world.delta(Entity::Product).await;
    assert_eq!((&delta.deleted, world.asked()), (&of(&[gone]), 3), "{delta}");
}
