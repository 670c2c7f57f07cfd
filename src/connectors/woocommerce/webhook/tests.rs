use http::{HeaderMap, HeaderValue};

use super::*;
use crate::time::Timestamp;

fn incoming(headers: &[(&'static str, &str)], body: &str) -> Incoming {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Incoming::new(map, body.to_owned(), Timestamp::UNIX_EPOCH).unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SHOP: &str = "https://shop.example/";

fn read(topic: &str, source: &str, body: &str) -> Result<Event, String> {
    let headers = [(SOURCE, source), (TOPIC, topic), (ID, "2"), (DELIVERY_ID, "ab")];
    event(&incoming(&headers, body), &[Some(SHOP), None]).map_err(|error| error.code().to_owned())
}

fn named(entity: Entity, id: &str) -> RecordRef {
    RecordRef::new(PLATFORM, entity, id)
}

#[test]
fn only_the_stores_own_ping_is_taken_without_a_signature() {
    assert_eq!(ping(&incoming(&[FORM], "webhook_id=12")), Some("12".into()));
    let charset = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    assert_eq!(ping(&incoming(&[charset], "webhook_id=12")), Some("12".into()));
    for body in
        ["", "webhook_id=", "webhook_id=12&x=1", "webhook_id=-1", "webhook_id=1\n", "{\"id\":12}", "x"]
    {
        assert_eq!(ping(&incoming(&[FORM], body)), None, "{body}");
    }
    assert_eq!(ping(&incoming(&[], "webhook_id=12")), None);
    assert_eq!(ping(&incoming(&[("content-type", "application/json")], "webhook_id=12")), None);
    assert_eq!(ping(&incoming(&[FORM, FORM], "webhook_id=12")), None);
    for header in [SOURCE, TOPIC, SIGNATURE, ID, DELIVERY_ID] {
        assert_eq!(ping(&incoming(&[FORM, (header, "x")], "webhook_id=12")), None, "{header}");
    }
}

#[test]
fn a_variation_is_a_variant_of_its_product_and_a_deletion_names_the_id_only() {
    let updated = read("product.updated", SHOP, r#"{"id":7,"type":"simple","parent_id":0}"#).unwrap();
    assert_eq!((updated.topic, updated.record), (EventKind::Updated, Some(named(Entity::Product, "7"))));
    assert_eq!((updated.parent, updated.delivery), (None, Some("ab".into())));
    let variation = read("product.created", SHOP, r#"{"id":27,"type":"variation","parent_id":11}"#).unwrap();
    assert_eq!(variation.record, Some(named(Entity::Variant, "27")));
    assert_eq!(variation.parent, Some(named(Entity::Product, "11")));
    let orphan = read("product.restored", SHOP, r#"{"id":27,"type":"variation"}"#).unwrap();
    assert_eq!((orphan.topic, orphan.parent), (EventKind::Restored, None));
    let deleted = read("product.deleted", SHOP, r#"{"id":7}"#).unwrap();
    assert_eq!((deleted.topic, deleted.record), (EventKind::Deleted, Some(named(Entity::Product, "7"))));
    // What is told of other things is no product, whatever its body looks like.
    for topic in ["order.updated", "product", "product.", "action.woocommerce_x", "product.updated.x"] {
        let other = read(topic, SHOP, r#"{"id":7}"#).unwrap();
        assert_eq!((other.topic, other.record), (EventKind::Other, None), "{topic}");
    }
}

#[test]
fn a_body_or_header_that_cannot_be_read_is_told_without_being_shown() {
    let array = r#"[7,"simple",0]"#;
    for body in ["", "[]", array, "{}", r#"{"id":-1}"#, r#"{"id":0}"#, r#"{"id":"secret7"}"#, "webhook_id=2"]
    {
        assert_eq!(read("product.updated", SHOP, body).unwrap_err(), "webhook_unreadable", "{body}");
    }
    let long = "x".repeat(MAX_WORD + 1);
    let all = [(SOURCE, SHOP), (TOPIC, "product.updated"), (ID, "2")];
    for (at, wrong) in [(1, ""), (1, long.as_str()), (2, "two"), (2, "")] {
        let mut headers = all;
        headers[at].1 = wrong;
        let error = event(&incoming(&headers, r#"{"id":7}"#), &[Some(SHOP)]).unwrap_err();
        assert_eq!(error.code(), "webhook_unreadable", "{wrong}");
    }
    // Without a delivery id it is read all the same.
    assert_eq!(event(&incoming(&all, r#"{"id":7}"#), &[Some(SHOP)]).unwrap().delivery, None);
}

#[test]
fn a_site_is_the_same_over_http_and_https_and_no_other_one() {
    let body = r#"{"id":7}"#;
    for same in [
        "https://shop.example/",
        "http://shop.example/",
        "http://SHOP.example",
        "https://shop.example:443",
        "https://www.shop.example/",
        "https://shop.example/de/",
    ] {
        assert!(read("product.updated", same, body).is_ok(), "{same}");
    }
    for foreign in [
        "",
        "shop.example",
        "https://shop.example:8443/",
        "https://de.shop.example/",
        "https://wwwshop.example/",
        "https://shop.example.evil.example/",
        "https://evil.example/shop.example/",
    ] {
        assert_eq!(read("product.updated", foreign, body).unwrap_err(), "webhook_foreign", "{foreign}");
    }
    // A shop in a folder is not the one beside it or above it.
    let folder = [Some("https://shop.example/a")];
    for (source, is_ours) in [("/a/de/", true), ("/a", true), ("/ab/", false), ("/", false), ("/b", false)] {
        let source = format!("https://shop.example{source}");
        let headers = [(SOURCE, source.as_str()), (TOPIC, "product.updated"), (ID, "2")];
        assert_eq!(event(&incoming(&headers, body), &folder).is_ok(), is_ours, "{source}");
    }
    // The site may name itself otherwise than it is reached.
    let headers = [(SOURCE, "http://www.shop.example/"), (TOPIC, "product.updated"), (ID, "2")];
    let home = [Some("https://10.0.0.7/"), Some("https://www.shop.example")];
    assert!(event(&incoming(&headers, body), &home).is_ok());
    assert!(event(&incoming(&headers, body), &home[..1]).is_err());
    assert!(event(&incoming(&headers[1..], body), &home).is_err());
}

#[test]
fn secrets_are_decoded_as_the_store_does() {
    for (given, used) in [
        ("plain", "plain"),
        ("s3cr&t <\"key\">'\u{e9}", "s3cr&t <\"key\">'\u{e9}"),
        ("a&amp;b", "a&b"),
        // Once: what comes out of it is not read again.
        ("&amp;amp;", "&amp;"),
        ("&lt;&gt;&quot;&#039;&#39;&#x27;&#X0027;", "<>\"''''"),
        ("&#034;&#x22;&#038;&#x26;&#060;&#0062;", "\"\"&&<>"),
        ("&apos;&nbsp;&#x3c;&#x3C;&#65;&#;&#x;&;&", "&apos;&nbsp;&#x3c;&#x3C;&#65;&#;&#x;&;&"),
        ("&&amp;&am&amp;", "&&&am&"),
    ] {
        assert_eq!(as_the_store_uses(given), used, "{given}");
    }
}

#[test]
fn what_the_store_would_not_deliver_or_would_rewrite_is_refused_before_it_is_sent() {
    let url = |url: &str| must_be_deliverable(&Url::parse(url).unwrap());
    for fine in
        ["https://a.example/x", "http://a.example", "http://a.example:8080/", "http://127.0.0.1:9099/"]
    {
        url(fine).unwrap();
    }
    assert_eq!(url("https://a.example:8443/?token=hush").unwrap_err().code(), "delivery_url_unusable");
    assert!(!url("https://a.example:8443/?token=hush").unwrap_err().to_string().contains("hush"));
    let secret = |text: &str| must_be_kept_as_it_is(&Secret::new(text));
    secret("AZaz09-_.").unwrap();
    for wrong in ["", "a b", "a&b", "a<b", "a\"b", "a'b", "a\\b", "\u{e9}", &"x".repeat(201)] {
        let error = secret(wrong).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "webhook_secret_unusable"));
        assert!(wrong.is_empty() || !format!("{error:?}").contains(wrong));
    }
}

#[test]
fn ours_are_told_by_name_and_an_unknown_status_counts_as_disabled() {
    let item = |name: &str, status: &str, topic: &str| Item {
        id: 2,
        name: name.to_owned(),
        status: status.to_owned(),
        topic: topic.to_owned(),
        delivery_url: "https://a.example/x".to_owned(),
    };
    let ours = item("lily-connect/main product.updated", "active", "product.updated").ours().unwrap();
    assert_eq!((ours.label.as_str(), ours.topic), ("main", EventKind::Updated));
    assert_eq!(ours.status, SubscriptionStatus::Active);
    let odd = item("lily-connect/eu x", "retired", "order.updated").ours().unwrap();
    assert_eq!((odd.topic, odd.status), (EventKind::Other, SubscriptionStatus::Disabled));
    for name in ["", "Lily product.updated", "lily-connect", "lily-connect/main", "my lily-connect/main x"] {
        assert_eq!(item(name, "active", "product.updated").ours(), None, "{name}");
    }
}
