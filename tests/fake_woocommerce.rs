//! The fake store over a real socket: lists, writes, faults and hooks.

#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test")]

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use lily_connect::testkit::exchange::Transport;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, WooStore};
use lily_connect::time::SystemClock;
use serde_json::{Value, json};

struct Shop {
    store: WooStore,
    server: Server,
    key: ApiKey,
    client: reqwest::Client,
}

async fn shop(products: usize) -> Shop {
    let store = WooStore::new(Arc::new(SystemClock::default()));
    let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
    for number in 0..products {
        store.create(&format!("Product {number}"), |product| product.regular_price = "10".to_owned());
    }
    let server = Service::new(store.clone()).start_behind_tls_proxy().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Shop { store, server, key, client }
}

impl Shop {
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<reqwest::Response> {
        let mut request = self
            .client
            .request(method, format!("{}/wp-json/wc/v3/{path}", self.server.url()))
            .header("authorization", self.key.basic());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await
    }

    async fn json(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.call(method, path, body).await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }
}

#[tokio::test]
async fn lists_page_and_items_are_read_written_and_counted() {
    let shop = shop(7).await;
    let response =
        shop.call(Method::GET, "products?per_page=3&page=2&orderby=id&order=asc", None).await.unwrap();
    assert_eq!(response.headers()["x-wp-total"], "7");
    assert_eq!(response.headers()["x-wp-totalpages"], "3");
    let link = response.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.contains("page=1&orderby=id&order=asc>; rel=\"prev\"") && link.contains("rel=\"next\""),
        "{link}"
    );
    let text = response.text().await.unwrap();
    assert!(text.starts_with("[{\"id\":"), "the id comes first");
    let id = serde_json::from_str::<Value>(&text).unwrap()[0]["id"].as_u64().unwrap();
    assert_eq!(shop.server.traffic().writes(), 0);

    let before = shop.store.product(id).unwrap();
    let (status, json) = shop
        .json(Method::POST, &format!("products/{id}"), Some(json!({"name": " Salt & Pepper ", "bogus": 1})))
        .await;
    assert_eq!((status, &json["name"]), (200, &json!("Salt &amp; Pepper")));
    assert_eq!(json["slug"], before.slug);
    let (status, json) = shop.json(Method::GET, &format!("products/{id}?context=edit"), None).await;
    assert_eq!((status, &json["name"]), (200, &json!("Salt &amp; Pepper")));
    let (status, json) = shop.json(Method::PUT, "products/999999", Some(json!({}))).await;
    assert_eq!((status, &json["code"]), (400, &json!("woocommerce_rest_product_invalid_id")));
    assert_eq!(shop.server.traffic().writes(), 2);
    assert_eq!(shop.server.traffic().count(&Method::GET), 2);
}

#[tokio::test]
async fn faults_strike_before_or_after_the_effect() {
    let shop = shop(1).await;
    let id = shop.store.ids()[0];
    let path = format!("products/{id}");
    let name = |text: &str| Some(json!({ "name": text }));
    let faults = shop.server.faults();

    faults.push(FaultRule::new(Fault::Reset(When::Before)).on_method("PUT"));
    assert!(shop.call(Method::PUT, &path, name("one")).await.is_err());
    assert_eq!(shop.store.product(id).unwrap().name, "Product 0");

    faults.push(FaultRule::new(Fault::Reset(When::After)).on_method("PUT"));
    assert!(shop.call(Method::PUT, &path, name("two")).await.is_err());
    assert_eq!(shop.store.product(id).unwrap().name, "two");

    faults.push(FaultRule::new(Fault::status_after(502)));
    assert_eq!(shop.call(Method::PUT, &path, name("three")).await.unwrap().status(), 502);
    assert_eq!(shop.store.product(id).unwrap().name, "three");

    faults.push(FaultRule::new(Fault::Truncate));
    let response = shop.call(Method::GET, &path, None).await.unwrap();
    let declared = response.content_length().unwrap();
    assert!(declared > 100 && response.bytes().await.is_err(), "half of it came, then the cut");

    faults.push(FaultRule::new(Fault::Malformed));
    let body = shop.call(Method::GET, &path, None).await.unwrap().bytes().await.unwrap();
    assert!(serde_json::from_slice::<Value>(&body).is_err());

    faults.push(FaultRule::new(Fault::TooMany { retry_after: Some(3) }));
    let response = shop.call(Method::GET, &path, None).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );

    faults.push(FaultRule::new(Fault::Html200));
    let response = shop.call(Method::GET, &path, None).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));

    faults.push(FaultRule::new(Fault::Hang(Duration::from_millis(1))));
    assert!(shop.call(Method::GET, &path, None).await.is_err());
    assert_eq!((faults.pending(), shop.server.traffic().faults()), (0, 8));
}

#[tokio::test]
async fn hooks_run_between_requests() {
    let shop = shop(5).await;
    let first = shop.store.ids()[0];
    shop.store.after_request(1, WooStore::is_product_list, move |store| {
        store.delete(first);
    });
    let list = "products?per_page=2&orderby=id&order=asc&_fields=id&page=";
    let (_, one) = shop.json(Method::GET, &format!("{list}1"), None).await;
    let (_, two) = shop.json(Method::GET, &format!("{list}2"), None).await;
    let ids =
        |list: &Value| list.as_array().unwrap().iter().map(|p| p["id"].as_u64().unwrap()).collect::<Vec<_>>();
    // A deletion from an earlier page makes the next page skip one.
    assert_eq!((ids(&one), ids(&two)), (vec![first, first + 1], vec![first + 3, first + 4]));
}

#[tokio::test]
async fn other_addresses_than_loopback_are_refused() {
    let store = WooStore::new(Arc::new(SystemClock::default()));
    let error =
        Service::new(store).start_at("192.0.2.1:0".parse().unwrap(), Transport::Plain).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_test_can_serve_tls_with_its_own_crate() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    let shop = shop(1).await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();

    let (near, far) = tokio::io::duplex(4096);
    let service = Service::new(shop.store.clone());
    let serve = async {
        let stream = TlsAcceptor::from(Arc::new(config)).accept(far).await.unwrap();
        service.serve_connection(stream, Transport::Tls).await;
    };
    let ask = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, near).await.unwrap();
        let head = format!(
            "GET /wp-json/wc/v3/products?_fields=id HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: {}\r\n\r\n",
            shop.key.basic()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let ((), answer) = tokio::join!(serve, ask);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("[{\"id\":"), "{answer}");
    assert_eq!(service.traffic().requests(), 1);
}

#[tokio::test]
async fn in_flight_requests_are_counted_and_a_dropped_server_is_gone() {
    let shop = shop(1).await;
    let hour = Duration::from_secs(3600);
    shop.server.faults().push(FaultRule::new(Fault::Delay(hour)).times(3));
    let get = || shop.call(Method::GET, "products", None);
    // The delays pass once all of them have begun.
    let pass = async {
        while shop.server.faults().pending() > 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let (one, two, three, ()) = tokio::join!(get(), get(), get(), pass);
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(shop.server.traffic().peak_in_flight(), 3);
    let Shop { server, client, .. } = shop;
    let (url, traffic) = (server.url(), server.traffic().clone());
    drop(server);
    // The task ends at its next turn.
    tokio::task::yield_now().await;
    // Somebody else may have its port by now, so the answer is not looked at.
    let _ = client.get(url).timeout(hour).send().await;
    assert_eq!(traffic.requests(), 3);
}
