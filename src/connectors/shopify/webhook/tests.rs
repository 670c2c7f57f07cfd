use super::*;

const MARK: &str = "lily-connect=";

fn item(topic: &str, uri: &str) -> Item {
    let id = "gid://shopify/WebhookSubscription/892403750".to_owned();
    Item { id, topic: topic.to_owned(), uri: uri.to_owned(), format: "JSON".to_owned() }
}

#[test]
fn a_subscription_says_what_it_tells() {
    let uri = format!("https://a.example/hook?{MARK}main");
    let ours = |topic: &str| item(topic, &uri).ours().unwrap().told();
    assert_eq!(ours("COLLECTIONS_DELETE"), Told::Record(EventKind::Deleted, Entity::Category));
    assert_eq!(ours("APP_UNINSTALLED"), Told::Notice(crate::webhook::NoticeKind::Uninstalled));
    assert_eq!(ours("ORDERS_CREATE").topic(), EventKind::Other);
    let mut xml = item("PRODUCTS_UPDATE", &uri);
    xml.format = "XML".to_owned();
    assert_eq!(xml.ours().unwrap().status, SubscriptionStatus::Disabled);
    let mut unnamed = item("PRODUCTS_UPDATE", &uri);
    unnamed.id = "gid://shopify/WebhookSubscription/".to_owned();
    assert_eq!(unnamed.ours(), None);
}

#[test]
fn a_refusal_does_not_repeat_the_query_of_an_address() {
    let errors: UserErrors = serde_json::from_value(serde_json::json!([
        {"field": ["webhookSubscription", "uri"], "message": "https://a.example/?key=hidden is invalid"}
    ]))
    .unwrap();
    let told = refused(&errors, Some("key=hidden"));
    assert!(!format!("{told} {told:?}").contains("hidden"));
    assert!(format!("{:?}", refused(&errors, Some("key=other"))).contains("is invalid"));
}
