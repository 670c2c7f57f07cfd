//! Enriched content on its way into variations and back out of them, beside products, on the fake store.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::field_reassign_with_default,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use common::Kept;
use lily_connect::connector::{
    FieldAnswer, Patch, PatchField, PatchValue, PullRequest, Purpose, PushRequest,
};
use lily_connect::model::{CellValue, Entity, FieldName, Record, RecordRef, Reversible, Unavailable};
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Pull, Push, PushSettings, ReceiptOutcome, Rejection,
};
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::exchange::{Handler, Request, Response};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::woocommerce::{Choice, WooStore};
use lily_connect::time::Clock as _;
use serde_json::{Value, json};
use shop::{Shop, is_write, usual};

const NUMBERS: [&str; 3] = ["4006381333931", "9780306406157", "96385074"];

/// Two products with three variations each, one with one, and a simple product.
struct Shelf {
    shop: Shop,
    parents: [u64; 3],
    of_first: Vec<u64>,
    of_second: Vec<u64>,
    alone: u64,
    simple: u64,
}

fn shelf_of(store: &WooStore) -> ([u64; 3], Vec<Vec<u64>>, u64) {
    let parents = ["Shirt", "Cup", "Book"].map(|name| {
        store.create(name, |product| {
            "variable".clone_into(&mut product.kind);
            product.description = format!("<p>A {name}</p>");
        })
    });
    let sizes = [3, 3, 1];
    let children = parents.iter().zip(sizes).map(|(parent, count)| {
        let one = |at: usize| {
            store.create_variation(*parent, |variation| {
                variation.description = format!("<p>Old {at}</p>");
                variation.sku = format!("{parent}-{at}");
                variation.regular_price = "5".to_owned();
                variation.weight = "2".to_owned();
                variation.options = vec![Choice { id: 0, name: "Size".to_owned(), option: format!("S{at}") }];
            })
        };
        (0..count).map(one).collect()
    });
    let children = children.collect();
    (parents, children, store.create("Lamp", |product| product.description = "<p>Old</p>".to_owned()))
}

impl Shelf {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(seed: impl FnOnce(&WooStore)) -> Self {
        Self::over(seed, |store| store).await
    }

    async fn over<H: Handler>(seed: impl FnOnce(&WooStore), before: impl FnOnce(WooStore) -> H) -> Self {
        let mut made = None;
        let fill = |store: &WooStore| {
            made = Some(shelf_of(store));
            seed(store);
        };
        let shop = Shop::over(FakeClock::automatic(), fill, before, usual).await;
        let (parents, children, simple) = made.unwrap();
        let (of_first, of_second, alone) = (children[0].clone(), children[1].clone(), children[2][0]);
        shop.server.traffic().clear();
        Self { shop, parents, of_first, of_second, alone, simple }
    }

    fn variations(&self) -> Vec<u64> {
        [self.of_first.clone(), self.of_second.clone(), vec![self.alone]].concat()
    }

    /// A record as a read by id gives it.
    async fn record(&self, id: u64) -> Record {
        let mut found = self.by_ids(&[id], Purpose::Catalogue).await;
        found.pop().unwrap()
    }

    async fn by_ids(&self, ids: &[u64], purpose: Purpose) -> Vec<Record> {
        let connector = &self.shop.connector;
        let ids = ids.iter().map(|id| id.to_string().into()).collect();
        let page = connector.pull_page(&PullRequest::by_ids(Entity::Variant, ids, purpose)).await.unwrap();
        assert!(page.next.is_none());
        let schema = connector.schema(Entity::Variant).unwrap();
        let maps = page.items.iter().map(|items| schema.map(items, &connector.info().profile).unwrap());
        maps.flat_map(|map| map.records).collect()
    }

    async fn wire(&self, id: u64) -> Value {
        serde_json::to_value(self.record(id).await).unwrap()
    }

    /// The variations as a pull of all of them gives them.
    async fn listed(&self) -> BTreeMap<u64, Value> {
        let (connector, state) = (self.shop.connector.clone(), self.shop.state.clone());
        let pull = Pull::new(connector, state, Entity::Variant).keep_base(true);
        pull.forget().await.unwrap();
        let mut sink = Kept::default();
        pull.run(&mut sink, &|_| {}).await.unwrap();
        let records = sink.0.lock().unwrap();
        let id = |record: &Record| record.reference().id.as_str().parse().unwrap();
        records.iter().map(|record| (id(record), serde_json::to_value(record).unwrap())).collect()
    }

    /// The address below the products of a write.
    fn places(&self) -> Vec<String> {
        let written = self.shop.take_written();
        written.into_iter().map(|(path, _)| path.split("/products").nth(1).unwrap().to_owned()).collect()
    }
}

fn text(id: u64) -> String {
    format!("<p>New {id}: <em>5 &lt; 6</em> \"q\" C:\\new</p>")
}

#[tokio::test]
async fn variations_of_several_products_and_a_product_are_pushed_verified_and_taken_back() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let before = shop.all_bytes();
    let mut enrichments = Vec::new();
    for (at, id) in shelf.variations().into_iter().enumerate() {
        let mut fields = json!({"description": text(id)});
        if let Some(number) = NUMBERS.get(at) {
            fields["gtin"] = json!(number);
        }
        enrichments.push(shop.wants(&shelf.wire(id).await, &fields));
    }
    enrichments.push(shop.wants(&shop.record(shelf.simple).await, &json!({"description": text(1)})));
    let plan = shop.plan(&enrichments).await;
    assert_eq!(plan.changes.len(), 7 + 3 + 1);
    assert!(plan.changes.iter().all(|change| change.verdict == ChangeVerdict::Apply), "{plan}");
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");

    let [first, second, third] = shelf.parents;
    let expected = [
        format!("/{}", shelf.simple),
        format!("/{first}/variations/batch"),
        format!("/{second}/variations/batch"),
        format!("/{third}/variations/{}", shelf.alone),
    ];
    assert_eq!(shelf.places(), expected, "one call a product, and one of one variation by its own route");
    for (at, id) in shelf.variations().into_iter().enumerate() {
        let stored = shop.stored(id);
        assert_eq!(stored.description, text(id));
        assert_eq!(stored.global_unique_id, NUMBERS.get(at).copied().unwrap_or_default());
    }
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(report.is_full_success(), "{report}");
    assert_eq!(shop.all_bytes(), before);
}

#[tokio::test]
async fn one_field_of_a_variation_leaves_all_else_to_the_byte_but_two_dates() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let id = shelf.of_first[1];
    for (field, place, value) in
        [("description", "description", text(id)), ("gtin", "global_unique_id", NUMBERS[0].to_owned())]
    {
        let before = shop.store.snapshot();
        shop.land(&[shop.wants(&shelf.wire(id).await, &json!({ field: value }))]).await;
        let (path, body) = shop.take_written().pop().unwrap();
        assert!(path.ends_with(&format!("/products/{}/variations/{id}", shelf.parents[0])), "{path}");
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), [place]);
        for ((at, old), (_, new)) in before.into_iter().zip(shop.store.snapshot()) {
            let [mut old, mut new] = [old, new].map(|it| serde_json::from_str::<Value>(&it).unwrap());
            // The date of a variation, and that of its product.
            if at == id || at == shelf.parents[0] {
                assert_ne!(old["date_modified_gmt"], new["date_modified_gmt"]);
                for date in ["date_modified", "date_modified_gmt"] {
                    old[date] = new[date].clone();
                }
            }
            if at == id {
                assert_eq!(new[place], json!(value));
                new[place] = old[place].clone();
            }
            assert_eq!(old, new, "{at}");
        }
    }
}

#[tokio::test]
async fn a_merchants_edit_of_a_variation_is_not_written_over() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let (early, late) = (shelf.of_first[0], shelf.of_first[1]);
    let mut enrichments = Vec::new();
    for id in [early, late] {
        enrichments.push(shop.wants(&shelf.wire(id).await, &json!({"description": text(id)})));
    }
    shop.edit(early, |variation| variation.description = "<p>The merchant's</p>".to_owned());
    let plan = shop.plan(&enrichments).await;
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Conflict(Conflict::EditedSince), "{plan}");
    shop.edit(late, |variation| variation.description = "<p>The merchant's</p>".to_owned());
    let receipt = shop.apply(&plan).await;
    assert_eq!(receipt.fields[1].outcome, ReceiptOutcome::Conflict(Conflict::PlanStale), "{receipt}");
    assert!(shop.take_written().is_empty());
}

#[tokio::test]
async fn a_variation_that_went_is_gone_and_the_others_are_written() {
    for per_product in [false, true] {
        let shelf = Shelf::with(|store| store.set_conditions(|it| it.no_variations_list = per_product)).await;
        let shop = &shelf.shop;
        let mut enrichments = Vec::new();
        for id in &shelf.of_first {
            enrichments.push(shop.wants(&shelf.wire(*id).await, &json!({"description": text(*id)})));
        }
        let plan = shop.plan(&enrichments).await;
        // One is gone when it is read, and one goes between the list and its own route.
        assert!(shop.store.delete(shelf.of_first[0]));
        let (other, last) = (shelf.of_first[1], shelf.of_first[2]);
        let own = format!("/products/{other}");
        shop.store.before_request(
            1,
            move |request| request.path.ends_with(&own),
            move |store| {
                store.delete(other);
            },
        );
        let receipt = shop.apply(&plan).await;
        let gone = ReceiptOutcome::Conflict(Conflict::Gone);
        let outcomes: Vec<_> = receipt.fields.iter().map(|field| field.outcome.clone()).collect();
        assert_eq!(outcomes, [gone.clone(), gone, ReceiptOutcome::Applied], "{receipt}");
        assert_eq!(shop.stored(last).description, text(last));
    }
}

#[tokio::test]
async fn a_lost_answer_about_variations_is_settled_by_a_read_of_what_is_stored() {
    for (fault, lands) in [
        (Fault::Reset(When::After), true),
        (Fault::Reset(When::Before), false),
        (Fault::status_after(504), true),
        (Fault::Truncate, true),
    ] {
        let shelf = Shelf::open().await;
        let shop = &shelf.shop;
        let mut enrichments = Vec::new();
        for id in &shelf.of_first {
            enrichments.push(shop.wants(&shelf.wire(*id).await, &json!({"description": text(*id)})));
        }
        let plan = shop.plan(&enrichments).await;
        shop.server.faults().push(FaultRule::new(fault).on_path("/batch").times(1));
        let receipt = shop.apply(&plan).await;
        assert_eq!(shop.server.faults().pending(), 0);
        assert!(receipt.is_full_success(), "{fault:?} {receipt}");
        let singles = shelf.places().into_iter().filter(|place| !place.ends_with("batch")).count();
        assert_eq!(singles, if lands { 0 } else { 3 }, "{fault:?}: what landed is not sent again");
        assert!(shelf.of_first.iter().all(|id| shop.stored(*id).description == text(*id)));
    }
}

#[tokio::test]
async fn one_refused_variation_leaves_the_others_true() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let mut enrichments = Vec::new();
    for (id, number) in shelf.of_first.iter().zip(NUMBERS) {
        enrichments.push(shop.wants(&shelf.wire(*id).await, &json!({"gtin": number})));
    }
    let plan = shop.plan(&enrichments).await;
    // Somebody else takes one of the numbers after it was asked for.
    shop.edit(shelf.simple, |product| product.global_unique_id = NUMBERS[1].to_owned());
    let receipt = shop.apply(&plan).await;
    for (at, field) in receipt.fields.iter().enumerate() {
        let code = "product_invalid_global_unique_id".to_owned();
        let expected = match at {
            1 => ReceiptOutcome::Rejected(Rejection::Refused { code }),
            _ => ReceiptOutcome::Applied,
        };
        assert_eq!(field.outcome, expected, "{receipt}");
        let stored = shop.stored(shelf.of_first[at]).global_unique_id;
        assert_eq!(stored, if at == 1 { "" } else { NUMBERS[at] });
    }
    assert_eq!(shop.take_written().len(), 1);

    // One alone, by its own route.
    let wanted = shop.wants(&shelf.wire(shelf.alone).await, &json!({"gtin": NUMBERS[1]}));
    shop.edit(shelf.simple, |product| product.global_unique_id.clear());
    let plan = shop.plan(&[wanted]).await;
    shop.edit(shelf.simple, |product| product.global_unique_id = NUMBERS[1].to_owned());
    let receipt = shop.apply(&plan).await;
    assert!(
        matches!(&receipt.fields[0].outcome, ReceiptOutcome::Rejected(Rejection::Refused { .. })),
        "{receipt}"
    );
    assert_eq!(shop.stored(shelf.alone).global_unique_id, "");
}

// Descriptions: what is shown is not what is stored.

/// A text that a page shows otherwise, in every way that it can.
const BARE: &str = "A \"bare\" text\n\nof two blocks [gallery ids=\"7\"]";

#[tokio::test]
async fn a_description_is_compared_written_and_taken_back_as_it_is_stored() {
    for per_product in [false, true] {
        let shelf = Shelf::with(|store| store.set_conditions(|it| it.no_variations_list = per_product)).await;
        let shop = &shelf.shop;
        let id = shelf.of_first[0];
        shop.edit(id, |variation| variation.description = BARE.to_owned());
        let before = shop.all_bytes();

        let shown = shelf.listed().await[&id].clone();
        assert_ne!(shown["description"], BARE, "the lists show it as a page would");
        assert_eq!(shown["base"]["description"], Value::Null, "so it has no token");
        let change = shop.one(&shop.wants(&shown, &json!({"description": text(id)}))).await;
        assert_eq!(change.verdict, ChangeVerdict::Conflict(Conflict::NoBase));
        assert_eq!(change.seen, CellValue::text(BARE), "what is reviewed is what is stored");

        for purpose in [Purpose::Catalogue, Purpose::Guard, Purpose::Verify] {
            let records = shelf.by_ids(&[id, shelf.of_first[1]], purpose).await;
            let found = records.iter().find(|it| it.reference().id.as_str() == id.to_string()).unwrap();
            let json = serde_json::to_value(found).unwrap();
            assert_eq!(json["description"], BARE, "{purpose:?}");
            assert_eq!(json["options"], shown["options"], "all else is as it is listed");
        }
        let receipt =
            shop.land(&[shop.wants(&shelf.wire(id).await, &json!({"description": text(id)}))]).await;
        assert!(receipt.fields[0].warnings.is_empty(), "{receipt}");
        assert_eq!(shop.stored(id).description, text(id));
        let report = shop.push.undo(receipt.push).await.unwrap();
        assert!(report.is_full_success(), "{report}");
        assert_eq!(shop.all_bytes(), before);
    }
}

#[tokio::test]
async fn a_description_that_shows_nothing_is_not_empty() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let id = shelf.of_first[0];
    shop.edit(id, |variation| variation.description = "[gallery id=\"0\"]".to_owned());
    let shown = shelf.listed().await[&id].clone();
    assert_eq!(shown["description"], "");
    let change = shop.one(&shop.wants(&shown, &json!({"description": text(id)}))).await;
    assert_eq!(change.verdict, ChangeVerdict::Conflict(Conflict::EditedSince), "{change:?}");
    assert_eq!(change.seen, CellValue::text("[gallery id=\"0\"]"));
}

#[tokio::test]
async fn a_list_is_enough_to_fill_descriptions_that_are_empty() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    for id in &shelf.of_first {
        shop.edit(*id, |variation| variation.description.clear());
    }
    let listed = shelf.listed().await;
    let enrichments: Vec<_> = shelf
        .of_first
        .iter()
        .map(|id| shop.wants(&listed[id], &json!({"description": text(*id), "gtin": NUMBERS[0]})))
        .take(1)
        .collect();
    let before = shop.all_bytes();
    let receipt = shop.land(&enrichments).await;
    assert!(shop.push.undo(receipt.push).await.unwrap().is_full_success());
    assert_eq!(shop.all_bytes(), before);
}

/// A site whose product route keeps the descriptions of variations to itself.
struct Keeps(WooStore);

#[async_trait::async_trait]
impl Handler for Keeps {
    fn handle(&self, request: &Request) -> Response {
        let response = self.0.handle(request);
        if !request.query.contains("parent_id") {
            return response;
        }
        let mut body: Value = serde_json::from_slice(&response.body).unwrap();
        body.as_object_mut().unwrap().remove("description");
        Response::new(200).with_header("content-type", "application/json").with_body(body.to_string())
    }
}

#[tokio::test]
async fn what_is_only_shown_is_no_ground_to_write_on() {
    let shelf = Shelf::over(|_| {}, Keeps).await;
    let shop = &shelf.shop;
    let record = shelf.wire(shelf.alone).await;
    assert_eq!(record["base"]["description"], Value::Null);
    let force = json!({"ref": record["ref"], "made_at": shop.clock.now(), "fields": {
        "description": {"value": text(1), "expect": "force"}, "gtin": {"value": NUMBERS[0], "expect": "force"},
    }});
    let plan = shop.plan(&[serde_json::from_value(force).unwrap()]).await;
    let receipt = shop.apply(&plan).await;
    let outcomes: Vec<_> = receipt.fields.iter().map(|field| field.outcome.clone()).collect();
    assert_eq!(outcomes, [ReceiptOutcome::Rejected(Rejection::Unreadable), ReceiptOutcome::Applied]);
    assert_eq!(shop.stored(shelf.alone).description, "<p>Old 0</p>");
}

#[tokio::test]
async fn reads_by_id_cost_a_call_for_each_variation_that_must_be_known_and_for_each_that_shows_a_text() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    shop.edit(shelf.of_first[0], |variation| variation.description.clear());
    for (purpose, calls) in [(Purpose::Guard, 1 + 7), (Purpose::Verify, 1 + 6), (Purpose::Catalogue, 1 + 6)] {
        shop.server.traffic().clear();
        shelf.by_ids(&shelf.variations(), purpose).await;
        assert_eq!(shop.server.traffic().requests(), calls, "{purpose:?}");
    }

    let shelf = Shelf::with(|store| store.set_conditions(|it| it.no_variations_list = true)).await;
    shelf.shop.server.traffic().clear();
    shelf.by_ids(&shelf.variations(), Purpose::Guard).await;
    assert_eq!(shelf.shop.server.traffic().requests(), 7 + 3, "no more than it took to find their products");
}

// Item numbers.

#[tokio::test]
async fn item_numbers_are_written_where_the_settings_allow_it() {
    let mut made = None;
    let shop = Shop::set_up(|store| made = Some(shelf_of(store)), |builder| builder).await;
    let (_, children, simple) = made.unwrap();
    let gtin = FieldName::new("gtin");
    for (kind, id) in [(Entity::Product, simple), (Entity::Variant, children[0][0])] {
        let claims = shop.connector.capabilities().entity(kind).unwrap();
        assert!(claims.unavailable.contains(&(gtin.clone(), Unavailable::NotEnabled)), "{kind}");
        let target = json!({"platform": "woocommerce", "kind": kind, "id": id.to_string()});
        let wanted = json!({"ref": target, "made_at": shop.clock.now(),
            "fields": {"gtin": {"value": NUMBERS[0], "expect": "force"}}});
        let change = shop.one(&serde_json::from_value(wanted).unwrap()).await;
        assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::NotEnabled), "{kind}");

        // Nor past the engine.
        let value = PatchValue::Text { text: NUMBERS[0].into(), raw: None };
        let patch = PatchField::new(gtin.clone(), value, CellValue::Absent);
        let answer = shop.connector.push(&now(&shop, vec![variation(kind, id, simple, vec![patch])])).await;
        assert_eq!(answer.unwrap_err().code(), "field_not_writable", "{kind}");
    }
    assert!(shop.take_written().is_empty());
}

fn now(shop: &Shop, patches: Vec<Patch>) -> PushRequest {
    PushRequest::new(patches, shop.clock.elapsed().saturating_add(Duration::from_secs(5)))
}

fn variation(kind: Entity, id: u64, product: u64, changes: Vec<PatchField>) -> Patch {
    let of =
        |kind, id: u64| RecordRef::new(lily_connect::connectors::woocommerce::PLATFORM, kind, id.to_string());
    let mut patch = Patch::new(of(kind, id), changes);
    patch.product = Some(of(Entity::Product, product));
    patch
}

#[tokio::test]
async fn a_number_that_another_product_or_variation_has_is_taken_and_a_wrong_one_is_refused() {
    let shelf = Shelf::with(|store| {
        let owner = store.create("Owner", |product| product.global_unique_id = NUMBERS[0].to_owned());
        // A longer number holds the one that is asked for.
        store.create_variation(owner, |it| it.global_unique_id = format!("{}0", NUMBERS[2]));
        store.create_variation(owner, |it| it.global_unique_id = NUMBERS[1].to_owned());
    })
    .await;
    let shop = &shelf.shop;
    let (variation, product) = (shelf.wire(shelf.alone).await, shop.record(shelf.simple).await);
    for record in [&variation, &product] {
        for taken in &NUMBERS[..2] {
            let change = shop.one(&shop.wants(record, &json!({"gtin": taken}))).await;
            assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::Taken), "{change:?}");
        }
        for wrong in ["4006381333932", "400-6381333931", "abc"] {
            let change = shop.one(&shop.wants(record, &json!({"gtin": wrong}))).await;
            assert!(
                matches!(change.verdict, ChangeVerdict::Rejected(Rejection::Altered { .. })),
                "{wrong} {change:?}"
            );
        }
        let change = shop.one(&shop.wants(record, &json!({"gtin": NUMBERS[2]}))).await;
        assert_eq!(change.verdict, ChangeVerdict::Apply, "{change:?}");
    }
}

#[tokio::test]
async fn an_undo_takes_a_number_away_and_brings_back_what_the_merchant_wrote() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    // No number that we would write.
    shop.edit(shelf.alone, |variation| variation.global_unique_id = "400-638".to_owned());
    let before = shop.all_bytes();
    let enrichments = [
        shop.wants(&shelf.wire(shelf.alone).await, &json!({"gtin": NUMBERS[0]})),
        shop.wants(&shelf.wire(shelf.of_first[0]).await, &json!({"gtin": NUMBERS[1]})),
        shop.wants(&shop.record(shelf.simple).await, &json!({"gtin": NUMBERS[2]})),
    ];
    let plan = shop.plan(&enrichments).await;
    assert!(plan.changes.iter().all(|change| change.reversible == Reversible::Yes), "{plan}");
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    for (id, number) in [shelf.alone, shelf.of_first[0], shelf.simple].into_iter().zip(NUMBERS) {
        assert_eq!(shop.stored(id).global_unique_id, number);
    }
    drop(shop.take_written());
    let report = shop.push.undo(receipt.push).await.unwrap();
    assert!(report.is_full_success(), "{report}");
    assert_eq!(shop.all_bytes(), before);
    let sent: Vec<Value> =
        shop.take_written().into_iter().map(|(_, body)| body["global_unique_id"].clone()).collect();
    assert!(sent.contains(&json!("")) && !sent.contains(&Value::Null), "{sent:?}");
}

// What leaves.

fn described(text: &str) -> Vec<PatchField> {
    let value = PatchValue::Text { text: text.into(), raw: None };
    vec![PatchField::new(FieldName::new("description"), value, CellValue::text("<p>Old 0</p>"))]
}

#[tokio::test]
async fn a_variation_without_its_product_stays_and_the_others_of_the_push_leave() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let [first, second, _] = shelf.parents;
    let mut orphan = variation(Entity::Variant, shelf.of_first[0], first, described("<p>a</p>"));
    orphan.product = None;
    let mut odd = variation(Entity::Variant, shelf.of_first[1], first, described("<p>b</p>"));
    odd.product = Some(odd.target.clone());
    let named = "title";
    let value = PatchValue::Text { text: "x".into(), raw: None };
    let foreign = vec![PatchField::new(FieldName::new(named), value, CellValue::Absent)];
    let patches = vec![
        orphan,
        variation(Entity::Variant, shelf.of_second[0], second, described("<p>c</p>")),
        odd,
        variation(Entity::Product, shelf.simple, 1, described("<p>d</p>")),
        variation(Entity::Variant, shelf.of_second[1], second, foreign),
        variation(Entity::Variant, shelf.of_second[2], second, described("<p>e</p>")),
    ];
    let answers = shop.connector.push(&now(shop, patches.clone())).await.unwrap();
    let said: Vec<String> = answers
        .iter()
        .map(|answer| match &answer.fields[0].1 {
            FieldAnswer::Refused { code, .. } => code.clone(),
            FieldAnswer::Accepted => "accepted".to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    let expected =
        ["product_unknown", "accepted", "product_unknown", "accepted", "field_not_writable", "accepted"];
    assert_eq!(said, expected);
    let targets: Vec<_> = answers.iter().map(|answer| answer.target.clone()).collect();
    assert_eq!(targets, patches.iter().map(|patch| patch.target.clone()).collect::<Vec<_>>());
    let expected = [format!("/{second}/variations/batch"), format!("/{}", shelf.simple)];
    assert_eq!(shelf.places(), expected);
    for (id, text) in [
        (shelf.of_first[0], "<p>Old 0</p>"),
        (shelf.of_second[0], "<p>c</p>"),
        (shelf.simple, "<p>d</p>"),
        (shelf.of_second[1], "<p>Old 1</p>"),
        (shelf.of_second[2], "<p>e</p>"),
    ] {
        assert_eq!(shop.stored(id).description, text);
    }
    assert!(shelf.of_second.iter().all(|id| shop.stored(*id).parent_id == second));
    let alone = shop.connector.push(&now(shop, patches[..1].to_vec())).await;
    assert_eq!(alone.unwrap_err().code(), "product_unknown");
}

#[tokio::test]
async fn a_batch_of_variations_that_a_host_finds_too_large_goes_by_halves() {
    let shelf = Shelf::with(|store| store.set_conditions(|it| it.batch_limit = Some(2))).await;
    let shop = &shelf.shop;
    let parent = shelf.parents[0];
    let patches: Vec<Patch> = shelf
        .of_first
        .iter()
        .map(|id| variation(Entity::Variant, *id, parent, described(&text(*id))))
        .collect();
    let answers = shop.connector.push(&now(shop, patches)).await.unwrap();
    assert!(answers.iter().all(|answer| answer.fields[0].1 == FieldAnswer::Accepted), "{answers:?}");
    assert!(shelf.of_first.iter().all(|id| shop.stored(*id).description == text(*id)));
    let batch = format!("/{parent}/variations/batch");
    assert_eq!(shelf.places(), [batch.clone(), format!("/{parent}/variations/{}", shelf.of_first[0]), batch]);
}

#[tokio::test]
async fn more_than_a_hundred_variations_of_a_product_go_in_several_calls() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let parent = shelf.parents[0];
    let ids: Vec<u64> = (0..101).map(|_| shop.store.create_variation(parent, |_| {})).collect();
    let patches: Vec<Patch> =
        ids.iter().map(|id| variation(Entity::Variant, *id, parent, described(&text(*id)))).collect();
    let answers = shop.connector.push(&now(shop, patches)).await.unwrap();
    assert!(answers.iter().all(|answer| answer.fields[0].1 == FieldAnswer::Accepted), "{answers:?}");
    assert!(ids.iter().all(|id| shop.stored(*id).description == text(*id)));
    let batch = format!("/{parent}/variations/batch");
    assert_eq!(shelf.places(), [batch, format!("/{parent}/variations/{}", ids[100])]);
}

#[tokio::test]
async fn variations_whose_guard_is_too_old_are_read_again_and_nothing_leaves_late() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let mut enrichments = Vec::new();
    for id in &shelf.of_first {
        enrichments.push(shop.wants(&shelf.wire(*id).await, &json!({"description": text(*id)})));
    }
    let plan = shop.plan(&enrichments).await;
    // The last read of a description takes longer than the guard's window.
    let clock = shop.clock.clone();
    let own = format!("/products/{}", shelf.of_first[2]);
    shop.store.after_request(
        1,
        move |request| !is_write(request) && request.path.ends_with(&own),
        move |_| {
            clock.advance(Duration::from_secs(6));
        },
    );
    shop.server.traffic().clear();
    let receipt = shop.apply(&plan).await;
    assert!(receipt.is_full_success(), "{receipt}");
    let lists = shop.server.traffic().count_where(|entry| entry.query.contains("include="));
    assert_eq!(lists, 3, "two guard reads, and one to verify");
    assert_eq!(shop.take_written().len(), 1);
}

#[tokio::test]
async fn a_push_takes_twenty_variations_at_most() {
    let shelf = Shelf::open().await;
    let shop = &shelf.shop;
    let ids: Vec<u64> = (0..21).map(|_| shop.store.create_variation(shelf.parents[0], |_| {})).collect();
    let listed = shelf.listed().await;
    let wanted = |id: &u64| shop.wants(&listed[id], &json!({"description": text(*id)}));
    let plan = shop.plan(&ids.iter().map(wanted).collect::<Vec<_>>()).await;
    let mut settings = PushSettings::default();
    settings.batch = NonZeroU32::new(50).unwrap();
    let push = Push::new(shop.connector.clone(), shop.state.clone(), shop.runtime.clone()).settings(settings);
    let receipt = push.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert!(receipt.is_full_success(), "{receipt}");
    let sizes: Vec<usize> =
        shop.take_written().iter().map(|(_, body)| body["update"].as_array().map_or(1, Vec::len)).collect();
    assert_eq!(sizes, [20, 1], "each is read alone within the guard's window");
}

/// What a batch at another product's address would do.
#[tokio::test]
async fn the_fake_moves_a_variation_to_the_product_of_a_batch_and_a_single_write_does_not_find_it() {
    let shelf = Shelf::open().await;
    let (id, wrong) = (shelf.of_first[0], shelf.parents[1]);
    let shop = &shelf.shop;
    let one = vec![variation(Entity::Variant, id, wrong, described("<p>x</p>"))];
    let answers = shop.connector.push(&now(shop, one.clone())).await.unwrap();
    let refused =
        |answer: &FieldAnswer| matches!(answer, FieldAnswer::Refused { code, .. } if code == "not_found");
    assert!(refused(&answers[0].fields[0].1), "{answers:?}");
    let two =
        [one, vec![variation(Entity::Variant, shelf.of_second[0], wrong, described("<p>y</p>"))]].concat();
    shop.connector.push(&now(shop, two)).await.unwrap();
    assert_eq!(shop.stored(id).parent_id, wrong);
    assert!(!shelf.by_ids(&[id], Purpose::Guard).await.is_empty());
}
