//! Our subscriptions at the store: made, found dead, made anew; those of others never touched.

use lily_connect::connector::{Condition, Healed, Subscription, SubscriptionStatus, WebhookSource};
use lily_connect::error::{Effect, ErrorKind};
use lily_connect::model::Secret;
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::time::SystemEntropy;
use lily_connect::webhook::{EventKind, new_secret};

use super::deliveries::SECRET;
use super::logged::Logged;
use super::stub::{Stub, stub};

const HOOK: &str = "https://hooks.lily.example/woo?shop=7";
const TOPICS: [&str; 4] = ["product.created", "product.updated", "product.deleted", "product.restored"];

fn wanted() -> Subscription {
    Subscription::new(HOOK, Secret::new(SECRET)).unwrap()
}

impl Stub {
    fn source(&self) -> &dyn WebhookSource {
        self.connector.webhooks().unwrap()
    }

    /// One of ours for each topic, as they were made.
    fn all_of_ours(&self) {
        for topic in TOPICS {
            self.add(topic, HOOK, "active");
        }
    }

    fn add(&self, topic: &str, url: &str, status: &str) -> u64 {
        self.hooks.lock().unwrap().add(&format!("lily-connect/main {topic}"), topic, url, status)
    }

    fn ids(&self) -> Vec<u64> {
        self.hooks.lock().unwrap().kept.keys().copied().collect()
    }
}

fn topics(made: &[lily_connect::connector::Subscribed]) -> Vec<EventKind> {
    made.iter().map(|made| made.topic).collect()
}

#[tokio::test]
async fn the_first_healing_makes_all_and_the_second_one_nothing() {
    let stub = stub().await;
    let secret = new_secret(&SystemEntropy).unwrap();
    let wanted = Subscription::new(HOOK, secret.clone()).unwrap();
    let first = stub.source().heal(&wanted).await.unwrap();
    assert_eq!(topics(&first.made), EventKind::ALL);
    assert!(first.is_whole() && first.kept.is_empty() && first.removed.is_empty());
    for (hook, topic) in stub.hooks.lock().unwrap().kept.values().zip(TOPICS) {
        assert_eq!(hook["topic"], topic);
        assert_eq!(hook["delivery_url"], HOOK);
        assert_eq!(hook["status"], "active");
        assert_eq!(hook["secret"], secret.expose());
    }
    let writes = stub.server.traffic().writes();
    let second = stub.source().heal(&wanted).await.unwrap();
    assert_eq!((second.kept, second.made.len()), (first.made, 0));
    assert_eq!(stub.server.traffic().writes(), writes);
    let shown =
        format!("{wanted:?} {:?}", second.removed) + &format!("{:?}", stub.source().subscriptions().await);
    assert!(!shown.contains(secret.expose()) && !shown.contains("shop=7"), "{shown}");
}

#[tokio::test]
async fn the_secret_of_a_subscription_is_in_no_log() {
    let logged = Logged::all();
    let stub = stub().await;
    stub.server.faults().push(FaultRule::new(Fault::status_after(500)).on_method("POST").times(1));
    let _ = stub.source().heal(&wanted()).await.unwrap();
    let _ = stub.source().heal(&wanted()).await.unwrap();
    let log = logged.text();
    assert!(!log.contains(SECRET) && !log.contains("shop=7"));
}

#[tokio::test]
async fn a_disabled_one_is_made_anew_and_never_switched_on() {
    let stub = stub().await;
    stub.all_of_ours();
    stub.hooks.lock().unwrap().kept.get_mut(&2).unwrap()["status"] = "disabled".into();
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert_eq!(topics(&healed.made), [EventKind::Updated]);
    let removed: Vec<&str> = healed.removed.iter().map(|dead| dead.id.as_str()).collect();
    assert_eq!((removed, healed.kept.len()), (vec!["2"], 3));
    assert_eq!(stub.ids(), [1, 3, 4, 5]);
    assert!(healed.is_whole());
}

#[tokio::test]
async fn missing_topics_and_wrong_addresses_are_healed() {
    let stub = stub().await;
    stub.add("product.created", HOOK, "active");
    stub.add("product.updated", "https://hooks.lily.example/woo?shop=8", "active");
    stub.add("order.updated", HOOK, "active");
    let listed = stub.source().subscriptions().await.unwrap();
    let conditions: Vec<Condition> = listed.iter().map(|known| known.condition(&wanted())).collect();
    assert_eq!(conditions, [Condition::Active, Condition::OtherAddress, Condition::OtherTopic]);
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert_eq!(topics(&healed.made), [EventKind::Updated, EventKind::Deleted, EventKind::Restored]);
    assert_eq!(stub.ids(), [1, 4, 5, 6]);

    // Fewer topics: the others go.
    let fewer = wanted().topics(&[EventKind::Updated, EventKind::Updated]);
    let healed = stub.source().heal(&fewer).await.unwrap();
    assert_eq!((healed.kept.len(), healed.made.len(), healed.removed.len()), (1, 0, 3));
    assert_eq!(stub.ids(), [4]);
}

#[tokio::test]
async fn webhooks_of_others_and_of_another_deployment_are_left_alone() {
    let stub = stub().await;
    {
        let mut hooks = stub.hooks.lock().unwrap();
        hooks.add("Lily product.updated", "product.updated", HOOK, "disabled");
        hooks.add("ERP", "product.updated", "https://erp.example/", "disabled");
        hooks.add("", "order.updated", "https://erp.example/", "active");
        hooks.add(
            "lily-connect/staging product.updated",
            "product.updated",
            "https://s.example/",
            "disabled",
        );
    }
    let before = stub.hooks.lock().unwrap().shown();
    assert_eq!(stub.source().subscriptions().await.unwrap().len(), 1);
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert_eq!((healed.made.len(), healed.removed.len()), (4, 0));
    assert_eq!(stub.hooks.lock().unwrap().shown()[..4], before);
    // Nor by name of the id.
    for foreign in ["1", "2", "3"] {
        let error = stub.source().remove(&foreign.into()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, "webhook_foreign"));
    }
    assert_eq!(stub.hooks.lock().unwrap().kept.len(), 8);
    stub.source().remove(&"4".into()).await.unwrap();
    stub.source().remove(&"4".into()).await.unwrap();
    assert_eq!(stub.source().remove(&"4/../products/7".into()).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(stub.hooks.lock().unwrap().kept.len(), 7);
    // The other deployment heals its own only.
    let staging = wanted().label("staging").unwrap();
    let healed = stub.source().heal(&staging).await.unwrap();
    assert_eq!((healed.made.len(), healed.removed.len()), (4, 0));
    assert_eq!(stub.source().heal(&wanted()).await.unwrap().kept.len(), 4);
}

#[tokio::test]
async fn a_paused_one_stays_paused_and_is_told() {
    let stub = stub().await;
    stub.all_of_ours();
    stub.hooks.lock().unwrap().kept.get_mut(&3).unwrap()["status"] = "paused".into();
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert_eq!((healed.paused.len(), healed.made.len(), healed.removed.len()), (1, 0, 0));
    assert_eq!(healed.paused[0].status, SubscriptionStatus::Paused);
    assert!(!healed.is_whole());
    assert_eq!(stub.ids(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn of_two_that_do_the_same_the_newest_is_kept() {
    let stub = stub().await;
    for _ in 0..3 {
        stub.all_of_ours();
    }
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert_eq!((healed.kept.len(), healed.removed.len()), (4, 8));
    assert_eq!(stub.ids(), [9, 10, 11, 12]);
}

#[tokio::test]
async fn what_cannot_be_made_is_told_and_nothing_dead_is_taken_away_for_it() {
    let stub = stub().await;
    stub.all_of_ours();
    stub.hooks.lock().unwrap().kept.get_mut(&2).unwrap()["status"] = "disabled".into();
    stub.server.faults().push(FaultRule::new(Fault::status_after(500)).on_method("POST").times(1));
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert!(!healed.is_whole());
    assert_eq!((healed.failed.len(), healed.removed.len()), (1, 0));
    assert_eq!(
        (healed.failed[0].told.topic(), healed.failed[0].code.as_str()),
        (EventKind::Updated, "server_error")
    );
    // The answer was lost, and it was made: the next healing finds it, and takes the dead one away.
    let healed = stub.source().heal(&wanted()).await.unwrap();
    assert_eq!((healed.kept.len(), healed.made.len(), healed.removed.len()), (4, 0, 1));
    assert_eq!(stub.ids(), [1, 3, 4, 5]);

    stub.server.faults().push(FaultRule::new(Fault::status_after(500)).on_method("POST").times(1));
    let error = stub.source().subscribe(&wanted()).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Possible);
    assert!(!format!("{error:?}").contains(SECRET));
}

#[tokio::test]
async fn what_cannot_be_delivered_or_signed_is_refused_before_anything_is_sent() {
    let stub = stub().await;
    for (url, secret, code) in [
        ("https://hooks.lily.example:8443/", SECRET, "delivery_url_unusable"),
        (HOOK, "", "webhook_secret_unusable"),
        (HOOK, "a&b", "webhook_secret_unusable"),
    ] {
        let wanted = Subscription::new(url, Secret::new(secret)).unwrap();
        let error = stub.source().heal(&wanted).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, code));
    }
    let other = wanted().topics(&[EventKind::Other]);
    assert_eq!(stub.source().subscribe(&other).await.unwrap_err().code(), "topic_unsupported");
    assert_eq!(stub.server.traffic().writes(), 0);
    for url in ["", "hooks", "ftp://a.example/", "https://user@a.example/", "https://a.example/#x"] {
        let error = Subscription::new(url, Secret::new(SECRET)).unwrap_err();
        assert_eq!(error.code(), "delivery_url_unusable", "{url}");
    }
    for label in ["", "Main", "a b", "a/b", &"x".repeat(33)] {
        assert_eq!(wanted().label(label).unwrap_err().code(), "label_unusable", "{label}");
    }
}

#[tokio::test]
async fn every_page_of_webhooks_is_looked_through_and_no_endless_list() {
    let stub = stub().await;
    for _ in 0..120 {
        stub.hooks.lock().unwrap().add("other", "order.updated", "https://erp.example/", "active");
    }
    stub.all_of_ours();
    let whole = |healed: Healed| assert_eq!((healed.kept.len(), healed.made.len()), (4, 0));
    whole(stub.source().heal(&wanted()).await.unwrap());
    stub.hooks.lock().unwrap().uncounted = true;
    whole(stub.source().heal(&wanted()).await.unwrap());
    // A plugin that caps pages.
    stub.hooks.lock().unwrap().cap = Some(10);
    whole(stub.source().heal(&wanted()).await.unwrap());
    stub.hooks.lock().unwrap().cap = Some(1);
    let error = stub.source().subscriptions().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "too_many_webhooks"));
}
