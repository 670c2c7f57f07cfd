use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lily_connect::testkit::exchange::Response;
use lily_connect::testkit::server::Server;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Shop, shop};

async fn subscribe(shop: &Shop, topic: &str, uri: &str) -> Value {
    let create = "mutation Sub($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
        webhookSubscription { id topic uri format } userErrors { field message } } }";
    let input = json!({ "topic": topic, "hook": { "uri": uri, "name": "sync" } });
    shop.data(create, input).await["webhookSubscriptionCreate"].clone()
}

#[tokio::test]
async fn addresses_are_told_in_the_old_way_too() {
    let shop = shop(0).await;
    let create = "mutation { webhookSubscriptionCreate(topic: SHOP_UPDATE, webhookSubscription: { callbackUrl: \"https://app.test/old\" }) { webhookSubscription { uri } userErrors { message } } }";
    let made = shop.data(create, json!({})).await["webhookSubscriptionCreate"].clone();
    assert_eq!(made["webhookSubscription"]["uri"], "https://app.test/old", "{made}");
    for uri in ["pubsub://project:topic", "arn:aws:events:us-east-1::event-source/x"] {
        assert_eq!(subscribe(&shop, "PRODUCTS_DELETE", uri).await["userErrors"], json!([]));
    }
    let list = "{ webhookSubscriptions(first: 9) { nodes { endpoint { __typename
        ... on WebhookHttpEndpoint { callbackUrl } ... on WebhookEventBridgeEndpoint { arn }
        ... on WebhookPubSubEndpoint { pubSubProject pubSubTopic } } } } }";
    let nodes = shop.data(list, json!({})).await["webhookSubscriptions"]["nodes"].clone();
    assert_eq!(
        nodes,
        json!([
            { "endpoint": { "__typename": "WebhookHttpEndpoint", "callbackUrl": "https://app.test/old" } },
            { "endpoint": { "__typename": "WebhookPubSubEndpoint", "pubSubProject": "project", "pubSubTopic": "topic" } },
            { "endpoint": { "__typename": "WebhookEventBridgeEndpoint", "arn": "arn:aws:events:us-east-1::event-source/x" } },
        ])
    );
}

#[tokio::test]
async fn deliveries_are_signed_and_tell_what_happened() {
    let shop = shop(2).await;
    assert_eq!(subscribe(&shop, "PRODUCTS_UPDATE", "ftp://x").await["webhookSubscription"], Value::Null);
    for topic in ["PRODUCTS_UPDATE", "PRODUCTS_DELETE", "BULK_OPERATIONS_FINISH", "APP_UNINSTALLED"] {
        assert_eq!(
            subscribe(&shop, topic, "https://app.test/hook").await["userErrors"],
            json!([]),
            "{topic}"
        );
    }
    assert_eq!(
        subscribe(&shop, "PRODUCTS_UPDATE", "https://app.test/hook").await["webhookSubscription"],
        Value::Null
    );
    let ids = shop.fake.ids();
    shop.fake.edit_product(ids[0], |product| product.tags = vec!["a".to_owned(), "b".to_owned()]);
    shop.fake.delete_product(ids[1]);
    shop.data("mutation Run { bulkOperationRunQuery(query: \"{ products { edges { node { id } } } }\", groupObjects: false) { userErrors { message } } }", json!({})).await;
    shop.clock.advance(Duration::from_secs(60));
    let sent = shop.fake.deliveries();
    let topics: Vec<_> = sent.iter().map(|it| it.topic.as_str()).collect();
    assert_eq!(topics, ["products/update", "products/delete", "bulk_operations/finish"]);
    for delivery in &sent {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"shpss_a-secret-of-tests").unwrap();
        mac.update(delivery.body.as_bytes());
        assert_eq!(
            delivery.header("x-shopify-hmac-sha256").unwrap(),
            STANDARD.encode(mac.finalize().into_bytes())
        );
        assert_eq!(delivery.header("X-Shopify-Name"), Some("sync"));
    }
    let body: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!((&body["tags"], &body["status"]), (&json!("a, b"), &json!("active")));
    assert_eq!(sent[1].body, format!("{{\"id\":{}}}", ids[1]));
    let body: Value = serde_json::from_str(&sent[2].body).unwrap();
    assert_eq!((&body["status"], &body["type"]), (&json!("completed"), &json!("query")));
    shop.fake.uninstall();
    assert_eq!(shop.fake.deliveries()[0].topic, "app/uninstalled");
    assert_eq!(shop.send("2026-10", "{ shop { name } }", &json!({})).await.status(), 401);
}

#[tokio::test]
async fn a_receiver_that_fails_eight_times_loses_its_subscription() {
    let shop = shop(1).await;
    let receiver =
        Server::start(|_: &lily_connect::testkit::exchange::Request| Response::new(500)).await.unwrap();
    subscribe(&shop, "PRODUCTS_UPDATE", &receiver.url()).await;
    shop.fake.edit_product(shop.fake.ids()[0], |product| product.vendor.push('x'));
    let first = shop.fake.deliver().await.remove(0);
    let mut tries = 1;
    for _ in 0..20 {
        shop.clock.advance(Duration::from_secs(1_800));
        for again in shop.fake.deliver().await {
            tries += 1;
            assert_eq!(
                (&again.body, again.header("x-shopify-webhook-id")),
                (&first.body, first.header("x-shopify-webhook-id"))
            );
        }
    }
    assert_eq!((tries, receiver.traffic().requests()), (8, 8));
    assert!(shop.fake.subscriptions().is_empty());
}
