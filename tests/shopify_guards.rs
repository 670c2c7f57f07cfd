//! Answers of a Shopify store that are not what was asked for, and what keeps them from becoming wrong records: each
//! test fails where one guard of the reading is taken out.
#![cfg(all(feature = "testkit", feature = "shopify"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::clone_on_ref_ptr, reason = "a test")]

mod common;
#[path = "common/shopify.rs"]
mod shopify;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::Kept;
use lily_connect::connector::{Connector, Page, PullRequest, Purpose, Total};
use lily_connect::connectors::shopify::Shopify;
use lily_connect::error::Result;
use lily_connect::model::{Entity, ExternalId};
use lily_connect::runtime::Runtime;
use lily_connect::state::MemoryState;
use lily_connect::sync::Pull;
use lily_connect::sync::bulk::{BulkSettings, BulkUse};
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::{GraphFault, ShopifyFake};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use serde_json::{Value, json};
use shopify::{bench, bench_with, config};

/// Changes the answers to one operation.
#[derive(Clone)]
struct Between {
    shop: ShopifyFake,
    operation: &'static str,
    change: fn(&Value, &mut Value),
}

#[async_trait]
impl Handler for Between {
    fn handle(&self, request: &Request) -> Response {
        let mut response = self.shop.handle(request);
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if asked["operationName"] == self.operation {
            let mut body: Value = serde_json::from_slice(&response.body).unwrap();
            (self.change)(&asked["variables"], &mut body);
            response.body = body.to_string().into_bytes();
        }
        response
    }
}

struct Stage {
    shop: ShopifyFake,
    connector: Arc<Shopify>,
    _server: Server,
}

/// A shop of three products, the first of which has more variants than come with it, and whose answers to one
/// operation are changed.
async fn stage(operation: &'static str, change: fn(&Value, &mut Value)) -> Stage {
    let clock = Arc::new(FakeClock::automatic());
    let shop = ShopifyFake::new(clock.clone());
    for name in ["A", "B", "C"] {
        shop.create_product(name, |_| {});
    }
    for _ in 0..300 {
        shop.create_variant(shop.ids()[0], |_| {});
    }
    let token = shop.issue_token("test");
    let between = Between { shop: shop.clone(), operation, change };
    let server = Service::new(between).start().await.unwrap();
    let entropy = Arc::new(SeededEntropy::new(7));
    let runtime = Runtime::with_parts(shopify::recorded::transport(), clock, entropy);
    let connector = config(&server.url(), &token).build().unwrap().connect(&runtime).await.unwrap();
    Stage { shop, connector: Arc::new(connector), _server: server }
}

async fn by_ids(connector: &Shopify, ids: &[&str]) -> Result<Page> {
    let ids = ids.iter().map(|id| ExternalId::from(*id)).collect();
    connector.pull_page(&PullRequest::by_ids(Entity::Product, ids, Purpose::Guard)).await
}

fn pages(connector: Arc<dyn Connector>) -> Pull {
    let bulk = BulkSettings::default().when(BulkUse::Never);
    Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product).bulk(bulk)
}

/// The ids of the products of a page, in order.
fn products(page: &Page) -> Vec<u64> {
    let text: String =
        page.items.iter().map(|items| String::from_utf8_lossy(&items.body).into_owned()).collect();
    let mut found = Vec::new();
    for piece in text.split("\"gid://shopify/Product/").skip(1) {
        let id: u64 = piece.split('"').next().unwrap().parse().unwrap();
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

#[tokio::test]
async fn a_list_within_a_product_whose_position_stands_still_is_an_error() {
    let stage = stage("MoreVariants", |asked, body| {
        body["data"]["product"]["variants"]["pageInfo"] =
            json!({"hasNextPage": true, "endCursor": asked["after"]});
    })
    .await;
    let id = stage.shop.ids()[0].to_string();
    let error = by_ids(&stage.connector, &[&id]).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "list_stands_still");
    let error = stage.connector.pull_page(&PullRequest::all(Entity::Product)).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "list_stands_still");
    // Once each, and not up to the bound of pages.
    let calls = stage.shop.calls();
    let further = calls.iter().filter(|call| call.operation.as_deref() == Some("MoreVariants"));
    assert_eq!(further.count(), 2);
}

#[tokio::test]
async fn a_list_of_products_whose_position_stands_still_is_an_error() {
    let stage = stage("Products", |asked, body| {
        if asked["after"].is_string() {
            body["data"]["products"]["pageInfo"] = json!({"hasNextPage": true, "endCursor": asked["after"]});
        }
    })
    .await;
    let mut request = PullRequest::all(Entity::Product);
    request.page_size = NonZeroU32::new(1);
    let next = stage.connector.pull_page(&request).await.unwrap().next;
    assert!(next.is_some());
    let error = stage.connector.pull_page(&request.at(next)).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "list_stands_still");
}

#[tokio::test]
async fn a_product_that_goes_while_its_lists_are_read_is_no_record_and_is_missing() {
    for listed in [true, false] {
        let stage = stage("none", |_, _| {}).await;
        let ids = stage.shop.ids();
        let field = if listed { "products" } else { "nodes" };
        stage.shop.after_request(1, ShopifyFake::asks(field), move |shop| {
            assert!(shop.delete_product(ids[0]));
        });
        let ids: Vec<String> = stage.shop.ids().iter().map(ToString::to_string).collect();
        let page = if listed {
            stage.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap()
        } else {
            by_ids(&stage.connector, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap()
        };
        assert_eq!(products(&page), stage.shop.ids(), "{listed}");
        let missing: &[ExternalId] = if listed { &[] } else { &[ids[0].as_str().into()] };
        assert_eq!(page.missing, missing, "{listed}");
    }
}

#[tokio::test]
async fn the_time_of_a_page_is_that_of_all_the_calls_it_took() {
    for listed in [true, false] {
        let bench = bench_with(
            |shop| {
                let id = shop.create_product("A", |_| {});
                for _ in 0..300 {
                    shop.create_variant(id, |_| {});
                }
            },
            |builder| builder,
            |settings| settings,
        )
        .await;
        let clock = bench.clock.clone();
        let slow = move |request: &Request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            if body["operationName"] == "MoreVariants" {
                clock.advance(Duration::from_secs(2));
            }
            false
        };
        bench.shop.before_request(1, slow, |_| {});
        let id = bench.shop.ids()[0].to_string();
        let page = if listed {
            bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap()
        } else {
            by_ids(&bench.connector, &[&id]).await.unwrap()
        };
        assert!(page.took >= Duration::from_secs(4), "{listed} {:?}", page.took);
    }
}

#[tokio::test]
async fn ids_that_are_none_are_missing_and_never_sent() {
    let bench = bench(2).await;
    let id = bench.shop.ids()[0].to_string();
    bench.shop.clear_calls();
    let page = by_ids(&bench.connector, &["x", "007", "0", "-1"]).await.unwrap();
    assert_eq!(page.missing, ["x", "007", "0", "-1"].map(ExternalId::from));
    assert_eq!(bench.shop.calls().len(), 0);
    let page = by_ids(&bench.connector, &[&id, "7/../8", "999999999"]).await.unwrap();
    let missing: BTreeSet<&str> = page.missing.iter().map(ExternalId::as_str).collect();
    assert_eq!(missing, BTreeSet::from(["7/../8", "999999999"]));
}

#[tokio::test]
async fn nodes_that_are_not_those_that_were_asked_for_are_an_error() {
    let changes: [fn(&Value, &mut Value); 3] = [
        |_, body| body["data"]["nodes"].as_array_mut().unwrap().reverse(),
        |_, body| drop(body["data"]["nodes"].as_array_mut().unwrap().pop()),
        |_, body| {
            let nodes = body["data"]["nodes"].as_array_mut().unwrap();
            nodes.push(nodes[0].clone());
        },
    ];
    for change in changes {
        let stage = stage("ProductsById", change).await;
        let ids: Vec<String> = stage.shop.ids()[1..].iter().map(ToString::to_string).collect();
        let error = by_ids(&stage.connector, &[&ids[0], &ids[1]]).await.map(drop).unwrap_err();
        assert_eq!(error.code(), "answer_unreadable");
    }
}

#[tokio::test]
async fn ids_that_cost_more_than_was_thought_are_asked_for_by_halves() {
    let bench = bench(40).await;
    bench.shop.set_conditions(|conditions| conditions.query_cost_limit = 400);
    let all: Vec<String> = bench.shop.ids()[..30].iter().map(ToString::to_string).collect();
    let ids = all.iter().map(|id| ExternalId::from(id.as_str())).collect();
    let mut request = PullRequest::by_ids(Entity::Product, ids, Purpose::Guard);
    let mut found = Vec::new();
    loop {
        let page = bench.connector.pull_page(&request).await.unwrap();
        assert!(page.missing.is_empty(), "{:?}", page.missing);
        found.extend(products(&page));
        let Some(next) = page.next else { break };
        request = request.at(Some(next));
    }
    assert_eq!(found, bench.shop.ids()[..30]);
}

#[tokio::test]
async fn a_store_that_fails_at_every_page_is_asked_for_two_smaller_ones_and_no_more() {
    let bench = bench(100).await;
    // What a page costs is known, so the next one is large.
    bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    bench.shop.fail("Products", GraphFault::InternalError, u64::MAX);
    bench.shop.clear_calls();
    let error = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "store_failed");
    let calls = bench.shop.calls();
    let calls = calls.iter().filter(|call| call.operation.as_deref() == Some("Products"));
    let size = |variables: &str| serde_json::from_str::<Value>(variables).unwrap()["first"].as_u64().unwrap();
    let sizes: BTreeSet<u64> = calls.map(|call| size(&call.variables)).collect();
    assert_eq!(sizes.len(), 3, "{sizes:?}");
}

#[tokio::test]
async fn a_store_that_gives_no_count_is_swept() {
    let stage = stage("ProductsCounted", |_, body| {
        *body = json!({"errors": [{"message": "Access denied", "path": ["productsCount"],
            "extensions": {"code": "ACCESS_DENIED"}}], "data": {"productsCount": null}});
    })
    .await;
    let kept = Kept::default();
    let certificate = pages(stage.connector.clone()).run(&mut kept.clone(), &|_| {}).await.unwrap();
    assert!(certificate.is_complete(), "{certificate}");
    assert_eq!(kept.0.lock().unwrap().len(), 3);
    assert!(stage.shop.calls().iter().any(|call| call.operation.as_deref() == Some("ProductIds")));
}

#[tokio::test]
async fn a_list_is_counted_at_its_beginning_and_at_its_end() {
    let bench = bench(20).await;
    let count = Total::Exact(bench.shop.product_count() as u64);
    let mut request = PullRequest::all(Entity::Product);
    request.page_size = NonZeroU32::new(5);
    let mut totals = Vec::new();
    loop {
        let page = bench.connector.pull_page(&request).await.unwrap();
        totals.push(page.total);
        let Some(next) = page.next else { break };
        request = request.at(Some(next));
    }
    assert!(totals.len() >= 3);
    assert_eq!((totals[0], totals[1], totals[totals.len() - 1]), (count, Total::NotGiven, count));
}

#[tokio::test]
async fn more_changes_in_one_second_than_a_window_holds_all_come() {
    let bench =
        bench_with(|shop| drop(shop.seed_products(40)), |builder| builder, |it| it.list_window(10)).await;
    bench.clock.advance(Duration::from_secs(3600));
    let since = bench.shop.now();
    for id in bench.shop.ids() {
        bench.shop.edit_product(id, |product| product.title.push('!'));
    }
    let kept = Kept::default();
    let delta = pages(bench.connector.clone()).since(since).page_size(NonZeroU32::new(5).unwrap());
    assert!(delta.run(&mut kept.clone(), &|_| {}).await.is_ok());
    let found: BTreeSet<String> =
        kept.0.lock().unwrap().iter().map(|record| record.reference().id.to_string()).collect();
    assert_eq!(found.len(), bench.shop.product_count());
}
