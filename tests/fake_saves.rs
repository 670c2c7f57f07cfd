//! Racing writers: slow saves of the fake store lose what others wrote into the same row.

#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, reason = "a helper of a test fails the test")]

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler as _, Request, Response, Transport};
use lily_connect::testkit::server::Service;
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Product, Role, WooStore};
use serde_json::{Value, json};

struct Shop {
    store: WooStore,
    clock: Arc<FakeClock>,
    key: ApiKey,
    id: u64,
}

fn shop() -> Shop {
    let clock = Arc::new(FakeClock::new());
    let store = WooStore::new(clock.clone());
    let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
    let id = store.create("Old", |product| product.short_description = "old".to_owned());
    store.set_conditions(|site| site.slow_saves = Some(Duration::from_secs(1)));
    Shop { store, clock, key, id }
}

impl Shop {
    fn request(&self, method: Method, path: &str, body: &Value) -> Request {
        Request::new(method, &format!("/wp-json/wc/v3/{path}"), Transport::Tls)
            .with_header(http::header::AUTHORIZATION, &self.key.basic())
            .with_header(http::header::CONTENT_TYPE, "application/json")
            .with_body(body.to_string())
    }

    /// Two writes that both arrive before either saves; the product afterwards.
    async fn race(&self, one: Value, other: Value) -> Product {
        let path = format!("products/{}", self.id);
        let one = self.request(Method::PUT, &path, &one);
        let other = self.request(Method::PUT, &path, &other);
        self.both(&one, &other).await;
        self.store.product(self.id).unwrap()
    }

    async fn both(&self, one: &Request, other: &Request) -> (Response, Response) {
        let pass = async {
            while self.clock.slept().len() < 2 {
                tokio::task::yield_now().await;
            }
            self.clock.advance(Duration::from_secs(1));
        };
        let (one, other, ()) = tokio::join!(self.store.respond(one), self.store.respond(other), pass);
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
        (one, other)
    }
}

/// Whether exactly one of the two writes is there. Which one is up to whoever saves last.
fn one_lost(after: &Product) -> bool {
    (after.name == "New") != (after.short_description == "new")
}

#[tokio::test]
async fn two_writes_of_texts_lose_one_although_both_answer_200() {
    let shop = shop();
    let after = shop.race(json!({"name": "New"}), json!({"short_description": "new"})).await;
    assert!(one_lost(&after), "{after:?}");
}

#[tokio::test]
async fn a_write_of_the_status_or_the_slug_also_rewrites_the_texts() {
    for (other, kept) in [
        (json!({"status": "private"}), (|p| p.status == "private") as fn(&Product) -> bool),
        (json!({"slug": "other"}), |p| p.slug == "other"),
    ] {
        let shop = shop();
        let after = shop.race(json!({"description": "new"}), other).await;
        assert!((after.description == "new") != kept(&after), "{after:?}");
    }
}

#[tokio::test]
async fn a_text_against_meta_prices_or_tags_loses_nothing() {
    for (other, check) in [
        (
            json!({"meta_data": [{"key": "k", "value": "v"}]}),
            (|p| p.meta_data.len() == 1) as fn(&Product) -> bool,
        ),
        (json!({"regular_price": "5"}), |p| p.regular_price == "5"),
        (json!({"tags": [{"name": "t"}]}), |p| p.tags.len() == 1),
    ] {
        for text_first in [true, false] {
            let shop = shop();
            let name = json!({"name": "New"});
            let after = match text_first {
                true => shop.race(name, other.clone()).await,
                false => shop.race(other.clone(), name).await,
            };
            assert!(after.name == "New" && check(&after), "{after:?}");
        }
    }
}

#[tokio::test]
async fn an_edit_of_the_merchant_during_a_save_is_lost_with_the_texts_only() {
    let shop = shop();
    let path = format!("products/{}", shop.id);
    let request = shop.request(Method::PUT, &path, &json!({"name": "New"}));
    let edit = async {
        while shop.clock.slept().is_empty() {
            tokio::task::yield_now().await;
        }
        shop.store.edit(shop.id, |product| {
            product.description = "merchant's".to_owned();
            product.weight = "2".to_owned();
        });
        shop.clock.advance(Duration::from_secs(1));
    };
    tokio::join!(shop.store.respond(&request), edit);
    let after = shop.store.product(shop.id).unwrap();
    assert_eq!((after.name.as_str(), after.description.as_str(), after.weight.as_str()), ("New", "", "2"));
}

#[tokio::test]
async fn items_of_a_batch_race_too() {
    let shop = shop();
    let batch = json!({"update": [{"id": shop.id, "short_description": "new"}]});
    let one = shop.request(Method::PUT, &format!("products/{}", shop.id), &json!({"name": "New"}));
    let other = shop.request(Method::POST, "products/batch", &batch);
    shop.both(&one, &other).await;
    assert!(one_lost(&shop.store.product(shop.id).unwrap()));
}

#[tokio::test]
async fn quick_saves_lose_nothing_and_reads_do_not_wait() {
    let shop = shop();
    let read = shop.request(Method::GET, &format!("products/{}", shop.id), &Value::Null);
    assert_eq!(shop.store.respond(&read).await.status.as_u16(), 200);
    assert!(shop.clock.slept().is_empty());
    shop.store.set_conditions(|site| site.slow_saves = None);
    for body in [json!({"name": "New"}), json!({"short_description": "new"})] {
        let request = shop.request(Method::PUT, &format!("products/{}", shop.id), &body);
        shop.store.respond(&request).await;
    }
    let after = shop.store.product(shop.id).unwrap();
    assert_eq!((after.name.as_str(), after.short_description.as_str()), ("New", "new"));
}

#[tokio::test]
async fn a_server_lets_saves_race() {
    let shop = shop();
    let server = Service::new(shop.store.clone()).start_behind_tls_proxy().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let put = |body: Value| {
        client
            .put(format!("{}/wp-json/wc/v3/products/{}", server.url(), shop.id))
            .header("authorization", shop.key.basic())
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
    };
    let pass = async {
        while shop.clock.slept().len() < 2 {
            tokio::task::yield_now().await;
        }
        shop.clock.advance(Duration::from_secs(1));
    };
    let (one, other, ()) =
        tokio::join!(put(json!({"name": "New"})), put(json!({"short_description": "new"})), pass);
    assert_eq!((one.unwrap().status().as_u16(), other.unwrap().status().as_u16()), (200, 200));
    let after = shop.store.product(shop.id).unwrap();
    assert!(one_lost(&after), "{after:?}");
}
