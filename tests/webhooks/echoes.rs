//! Our own writes come back as deliveries: they are told by the record alone (rule H2).

use std::time::Duration;

use lily_connect::model::{Entity, Record, RecordRef};
use lily_connect::state::{Op, Outcome, RowId, WriteRow};
use lily_connect::sync::{Approvals, Inbox, Push};
use serde_json::json;

use super::common::connect;
use super::inbox::{Meddled, Shop, Taken, small};
use lily_connect::connectors::woocommerce::PLATFORM;

/// A write of ours whose answer is not there yet.
fn intent(shop: &Shop, holder: &RecordRef) -> (Op, RowId) {
    let now = shop.bench.runtime.clock().now();
    let id = RowId::new(now, &**shop.bench.runtime.entropy()).unwrap();
    let row: WriteRow = serde_json::from_value(json!({
        "id": id, "push": id, "kind": {"kind": "push"}, "plan": "plan",
        "cell": {"holder": holder, "field": "title"}, "enrichment": null, "latest_at_plan": null,
        "before": {"state": "value", "value": "Cap"}, "before_raw": null, "stamp": null,
        "sent": {"state": "value", "value": "New"}, "send_by": now, "at": now,
        "outcome": {"outcome": "intent"}, "undone_by": null,
    }))
    .unwrap();
    (Op::Append(Box::new(row)), id)
}

fn settle(row: RowId, shop: &Shop) -> Op {
    let at = shop.bench.runtime.clock().now();
    Op::Settle { row, outcome: Outcome::Refused { code: "test".into(), at } }
}

/// The record as it is now.
async fn read(shop: &Shop, at: usize) -> Record {
    let mut taken = Taken::default();
    shop.tell("product.updated", shop.ids[at]).await;
    shop.inbox.work(&mut taken).await.unwrap();
    taken.records.pop().unwrap()
}

/// Our write of a title, made from a record.
async fn write(shop: &Shop, record: &Record, title: &str) {
    let push = Push::new(shop.bench.connector.clone(), shop.state.clone(), shop.bench.runtime.clone());
    let enrichment = serde_json::from_value(json!({
        "ref": record.reference(), "made_at": shop.bench.runtime.clock().now(),
        "fields": {"title": {"value": title, "base": serde_json::to_value(record.base()).unwrap()["title"]}},
    }))
    .unwrap();
    let plan = push.plan(&[enrichment]).await.unwrap();
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
}

/// What the next call of the inbox hands on and does not.
async fn work(shop: &Shop) -> (u64, u64) {
    let report = shop.inbox.work(&mut Taken::default()).await.unwrap();
    (report.echoes, report.delivered)
}

#[tokio::test]
async fn h2_an_edit_from_before_our_guard_read_is_no_echo_however_late_its_delivery_comes() {
    let shop = Shop::new().await;
    let page = read(&shop, 0).await;
    // The merchant edits, and the delivery of it waits at the store. Our write goes on top of the edit.
    shop.edit(0, |product| product.description = "<p>By the merchant</p>".to_owned());
    write(&shop, &page, "By us").await;
    // Both deliveries come now, as one job.
    shop.bench.clock.advance(Duration::from_secs(2));
    shop.tell("product.updated", shop.ids[0]).await;
    shop.tell("product.updated", shop.ids[0]).await;
    let mut taken = Taken::default();
    let report = shop.inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.echoes, report.delivered), (0, 1));
    let told = serde_json::to_value(&taken.records[0]).unwrap();
    assert_eq!(
        (told["title"].as_str(), told["description"].as_str()),
        (Some("By us"), Some("<p>By the merchant</p>"))
    );
    // What was handed on is known: the next write's echo is told, and so is a delivery that tells nothing new.
    write(&shop, &taken.records[0], "By us again").await;
    shop.bench.clock.advance(Duration::from_secs(2));
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(work(&shop).await, (1, 0));
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(work(&shop).await, (1, 0));
}

#[tokio::test]
async fn h2_the_echo_of_a_record_that_was_never_handed_on_is_handed_on() {
    let shop = Shop::new().await;
    let page = read(&shop, 0).await;
    shop.commit(vec![Op::ForgetHash { record: shop.product(0) }]).await;
    write(&shop, &page, "By us").await;
    shop.bench.clock.advance(Duration::from_secs(2));
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(work(&shop).await, (0, 1));
}

#[tokio::test]
async fn h2_a_record_that_was_gone_is_news_when_it_comes_back_as_it_was() {
    let shop = Shop::new().await;
    read(&shop, 0).await;
    let kept = shop.bench.store.product(shop.ids[0]).unwrap();
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(work(&shop).await, (1, 0), "nothing changed");
    shop.bench.store.delete(shop.ids[0]);
    shop.tell("product.deleted", shop.ids[0]).await;
    assert_eq!(shop.inbox.work(&mut Taken::default()).await.unwrap().gone.len(), 1);
    shop.bench.store.insert(kept);
    shop.tell("product.restored", shop.ids[0]).await;
    assert_eq!(work(&shop).await, (0, 1));
}

#[tokio::test]
async fn h2_a_job_waits_while_a_write_of_ours_is_open_and_stops_no_other_one() {
    let shop = Shop::new().await;
    let (open, row) = intent(&shop, &shop.product(0));
    shop.commit(vec![open]).await;
    shop.tell("product.updated", shop.ids[0]).await;
    shop.tell("product.updated", shop.ids[1]).await;
    let before = shop.bench.server.traffic().requests();
    let mut taken = Taken::default();
    // One at a time: those that wait at the head of the queue are passed over.
    let inbox = shop.inbox.clone().settings(small(1, 1));
    let report = inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.waiting, report.delivered), (1, 1));
    assert_eq!(taken.ids(), [shop.id(1)]);
    assert_eq!(shop.bench.server.traffic().requests() - before, 1, "what waits is not read");

    // An answer that was lost is no answer.
    let at = shop.bench.runtime.clock().now();
    shop.commit(vec![Op::Settle { row, outcome: Outcome::Unknown { at } }]).await;
    assert_eq!(inbox.work(&mut taken).await.unwrap().waiting, 1);
    shop.commit(vec![settle(row, &shop)]).await;
    let report = inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.waiting, report.delivered), (0, 1));
    assert_eq!(taken.ids(), [shop.id(1), shop.id(0)]);
}

#[tokio::test]
async fn h2_a_variant_waits_for_a_write_of_its_product() {
    let shop = Shop::new().await;
    let variation = shop.bench.store.create_variation(shop.ids[0], |_| {});
    let body = json!({"id": variation, "type": "variation", "parent_id": shop.ids[0]});
    shop.take(&shop.sent("product.updated", &body)).await.unwrap();
    let (open, row) = intent(&shop, &shop.product(0));
    shop.commit(vec![open]).await;
    let mut taken = Taken::default();
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().waiting, 1);
    shop.commit(vec![settle(row, &shop)]).await;
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().delivered, 1);
    assert_eq!(
        *taken.records[0].reference(),
        RecordRef::new(PLATFORM, Entity::Variant, variation.to_string())
    );
}

#[tokio::test]
async fn h2_a_write_that_begins_or_lands_during_the_read_makes_the_job_wait() {
    let shop = Shop::new().await;
    let record = read(&shop, 0).await;
    shop.tell("product.updated", shop.ids[0]).await;
    let mut taken = Taken::default();

    let (open, row) = intent(&shop, &shop.product(0));
    let meddled = Meddled::new(&shop);
    meddled.meanwhile.lock().unwrap().push(vec![open]);
    assert_eq!(shop.on(meddled).work(&mut taken).await.unwrap().waiting, 1);
    shop.commit(vec![settle(row, &shop)]).await;

    // The whole write, from intent to read-back, while we read.
    shop.bench.clock.advance(Duration::from_secs(2));
    let (open, row) = intent(&shop, &shop.product(0));
    let noted = Op::note_hash(&record, shop.bench.runtime.clock().now());
    let meddled = Meddled::new(&shop);
    meddled.meanwhile.lock().unwrap().push(vec![open, settle(row, &shop), noted]);
    assert_eq!(shop.on(meddled).work(&mut taken).await.unwrap().waiting, 1);
    assert!(taken.records.is_empty());
    assert_eq!(shop.jobs().await.len(), 1);
}

#[tokio::test]
async fn h2_an_echo_is_swallowed_only_where_the_record_is_as_our_write_left_it() {
    let shop = Shop::new().await;
    let page = read(&shop, 0).await;
    let began = shop.bench.runtime.clock().now();
    // Our write.
    write(&shop, &page, "By us").await;
    shop.bench.clock.advance(Duration::from_secs(2));

    let mut taken = Taken::default();
    shop.tell("product.updated", shop.ids[0]).await;
    let report = shop.inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.echoes, report.delivered), (1, 0));
    assert!(shop.jobs().await.is_empty());
    // A second delivery of the same write is an echo, too.
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().echoes, 1);

    // The merchant edits right after us: one field, another one, or back to what was there.
    for (name, description) in [("By us!", ""), ("By us", "<p>Long</p>"), ("Cap", "")] {
        shop.edit(0, |product| {
            name.clone_into(&mut product.name);
            description.clone_into(&mut product.description);
        });
        shop.tell("product.updated", shop.ids[0]).await;
        let report = shop.inbox.work(&mut taken).await.unwrap();
        assert_eq!((report.echoes, report.delivered), (0, 1), "{name}");
    }
    // An edit that moves no clock is one all the same.
    shop.commit(vec![Op::note_hash(taken.records.last().unwrap(), began)]).await;
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().echoes, 1);
    shop.bench.store.edit_in_silence(shop.ids[0], |product| product.sku = "NEW".to_owned());
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().delivered, 1);
}

#[tokio::test]
async fn h2_a_hint_from_before_our_write_is_no_echo_of_it() {
    let shop = Shop::new().await;
    let record = read(&shop, 0).await;
    // The merchant's hint, then our write on top of it, which leaves the record as noted.
    shop.tell("product.updated", shop.ids[0]).await;
    shop.bench.clock.advance(Duration::from_secs(2));
    let began = shop.bench.runtime.clock().now();
    shop.commit(vec![Op::note_hash(&record, began)]).await;
    shop.tell("product.updated", shop.ids[0]).await;
    let mut taken = Taken::default();
    let report = shop.inbox.work(&mut taken).await.unwrap();
    assert_eq!((report.echoes, report.delivered), (0, 1));
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().echoes, 1);
    // Noted hashes age.
    shop.bench.clock.advance(Duration::from_secs(31 * 24 * 3600));
    shop.tell("product.updated", shop.ids[0]).await;
    assert_eq!(shop.inbox.work(&mut taken).await.unwrap().delivered, 1);
}

#[tokio::test]
async fn h2_the_echo_of_our_write_of_a_variation_is_told_by_what_is_stored_of_it() {
    for per_product in [false, true] {
        let shop = Shop::new().await;
        let (store, runtime) = (&shop.bench.store, shop.bench.runtime.clone());
        let variation = store.create_variation(shop.ids[0], |it| it.description = "Bare \"text\"".to_owned());
        store.set_conditions(|conditions| conditions.no_variations_list = per_product);
        let connector = connect(&shop.bench.server.url(), &shop.bench.key, &runtime).await;
        let inbox = Inbox::new(connector.clone(), shop.state.clone(), runtime.clone());
        shop.bench.clock.advance(Duration::from_secs(2));
        let tell = async |delivery: u32| {
            let body =
                json!({"id": variation, "type": "variation", "parent_id": shop.ids[0], "delivery": delivery});
            shop.take(&shop.sent("product.updated", &body)).await.unwrap();
        };
        let mut taken = Taken::default();
        tell(1).await;
        inbox.work(&mut taken).await.unwrap();
        let record = taken.records.pop().unwrap();
        assert_eq!(record.reference().kind, Entity::Variant);

        let push = Push::new(connector.clone(), shop.state.clone(), runtime.clone());
        let base = serde_json::to_value(record.base()).unwrap()["description"].clone();
        let enrichment = serde_json::from_value(json!({
            "ref": record.reference(), "made_at": runtime.clock().now(),
            "fields": {"description": {"value": "By \"us\"", "base": base}},
        }))
        .unwrap();
        let plan = push.plan(&[enrichment]).await.unwrap();
        let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
        assert!(receipt.is_full_success(), "{plan}{receipt}");
        shop.bench.clock.advance(Duration::from_secs(2));
        tell(2).await;
        let report = inbox.work(&mut taken).await.unwrap();
        assert_eq!((report.echoes, report.delivered), (1, 0));

        // What a page shows is the same as before; what is stored is not.
        store.edit(variation, |it| it.description = "<p>By &#8220;us&#8221;</p>".to_owned());
        tell(3).await;
        let report = inbox.work(&mut taken).await.unwrap();
        assert_eq!((report.echoes, report.delivered), (0, 1));
    }
}
