//! Cells that several records show, rule by rule, on the fake WooCommerce: the text of a picture is the picture's
//! (`docs/semantics.md`, C1 to C3, V5, L3 and U1).
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::field_reassign_with_default,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;
#[path = "common/shop.rs"]
mod shop;

use std::sync::Arc;

use desk::Tampered;
use lily_connect::connector::Connector;
use lily_connect::error::ErrorKind;
use lily_connect::model::{Enrichment, Entity};
use lily_connect::state::RowQuery;
use lily_connect::sync::{
    Approvals, ChangeVerdict, Conflict, Push, PushSettings, ReceiptOutcome, Rejection, UndoOutcome, Warning,
};
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::woocommerce::WooStore;
use serde_json::{Value, json};
use shop::{Shop, is_write};

/// A picture that two products and a variation show, and one that each product has alone.
struct Shared {
    shop: Shop,
    picture: u64,
    own: [u64; 2],
    products: [u64; 2],
    variation: u64,
}

impl Shared {
    async fn open() -> Self {
        let (mut picture, mut own, mut products, mut variation) = (0, [0; 2], [0; 2], 0);
        let shop = Shop::open(|store| {
            picture = store.add_media("shared.jpg");
            store.edit_media(picture, |media| media.alt = "Old text".to_owned());
            own = ["one.jpg", "two.jpg"].map(|file| store.add_media(file));
            for id in own {
                store.edit_media(id, |media| media.alt = format!("Own {id}"));
            }
            products = own.map(|id| store.create("Cap", |product| product.images = vec![id, picture]));
            store.edit(products[1], |product| product.kind = "variable".to_owned());
            variation = store.create_variation(products[1], |variation| variation.images = vec![picture]);
        })
        .await;
        Self { shop, picture, own, products, variation }
    }

    fn alt(&self, record: &Value, text: &str) -> Enrichment {
        self.alt_of(record, self.picture, text)
    }

    fn alt_of(&self, record: &Value, picture: u64, text: &str) -> Enrichment {
        self.shop.wants(record, &json!({"media.alt": {"update": {picture.to_string(): text}}}))
    }

    /// Both products as a fresh pull gives them.
    async fn records(&self) -> [Value; 2] {
        let mut pulled = self.shop.pulled().await;
        self.products.map(|id| pulled.remove(&id).unwrap())
    }

    fn stored(&self) -> String {
        self.shop.alt(self.picture)
    }

    fn merchant(&self, text: &str) {
        self.shop.tick();
        assert!(self.shop.store.edit_media(self.picture, |media| text.clone_into(&mut media.alt)));
        self.shop.tick();
    }

    async fn verdict(&self, enrichment: &Enrichment) -> ChangeVerdict {
        self.shop.one(enrichment).await.verdict
    }
}

#[tokio::test]
async fn c1_the_cell_is_the_pictures_and_the_log_has_it_so() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    assert_eq!(
        one["base"]["media.alt"][shared.picture.to_string()],
        two["base"]["media.alt"][shared.picture.to_string()]
    );
    let receipt = shared.shop.land(&[shared.alt(&one, "New text")]).await;
    let rows = shared
        .shop
        .state
        .rows(&shared.shop.connector.info().store, &RowQuery::Push(receipt.push))
        .await
        .unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (row.cell.holder.kind, row.cell.holder.id.as_str()),
        (Entity::Media, shared.picture.to_string().as_str())
    );
    assert_eq!(row.target().id.as_str(), shared.products[0].to_string());
    assert_eq!(shared.stored(), "New text");
    // The other product shows it, and an enrichment of it goes on from there: its base leads to our own row.
    assert_eq!(shared.verdict(&shared.alt(&two, "New text")).await, ChangeVerdict::Unchanged);
    let after = shared.alt(&two, "Newer text");
    shared.shop.land(&[after]).await;
    assert_eq!(shared.stored(), "Newer text");
}

#[tokio::test]
async fn c1_what_landed_through_one_product_supersedes_what_was_made_for_another() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    let early = shared.alt(&two, "Made before");
    let receipt = shared.shop.land(&[shared.alt(&one, "New text")]).await;
    let superseded = ChangeVerdict::Conflict(Conflict::SupersededByOurs { push: receipt.push });
    assert_eq!(shared.verdict(&early).await, superseded);
}

#[tokio::test]
async fn c2_a_lost_write_through_one_product_keeps_the_cell_shut_through_all() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    shared.shop.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST").times(1));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let impatient = shared.shop.push.clone().settings(settings);
    let plan = impatient.plan(&[shared.alt(&one, "Lost")]).await.unwrap();
    let planned_before = impatient.plan(&[shared.alt(&two, "Other")]).await.unwrap();
    let receipt = impatient.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Unknown);
    let unsettled = ReceiptOutcome::Conflict(Conflict::Unsettled);
    let writes = shared.shop.server.traffic().writes();
    let receipt = impatient.apply(&planned_before, &Approvals::AllowUnreviewed).await.unwrap();
    assert_eq!(receipt.fields[0].outcome, unsettled);
    let plan = impatient.plan(&[shared.alt(&two, "Other")]).await.unwrap();
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Conflict(Conflict::Unsettled));
    assert_eq!(shared.shop.server.traffic().writes(), writes);
}

/// Where the product does not show the picture any more, the text may have landed before it went.
#[tokio::test]
async fn c2_a_lost_write_of_a_picture_that_left_its_product_is_settled_at_once() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    shared.shop.server.faults().push(FaultRule::new(Fault::Reset(When::Before)).on_method("POST").times(1));
    let mut settings = PushSettings::default();
    settings.wait_for_unknown = false;
    let impatient = shared.shop.push.clone().settings(settings);
    let plan = impatient.plan(&[shared.alt(&one, "Lost")]).await.unwrap();
    impatient.apply(&plan, &Approvals::AllowUnreviewed).await.unwrap();
    let own = shared.own[0];
    shared.shop.edit(shared.products[0], |product| product.images = vec![own]);
    shared.shop.clock.advance(std::time::Duration::from_secs(100));
    let settled = shared.shop.push.settle().await.unwrap();
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].outcome, ReceiptOutcome::Conflict(Conflict::MaybeReverted));
}

#[tokio::test]
async fn c3_the_plan_names_every_other_product_and_variation_that_shows_it() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    let change = shared.shop.one(&shared.alt(&one, "New text")).await;
    let shown: Vec<(Entity, &str)> =
        change.shown_by.iter().map(|record| (record.kind, record.id.as_str())).collect();
    let (other, variation) = (shared.products[1].to_string(), shared.variation.to_string());
    assert_eq!(shown, [(Entity::Product, other.as_str()), (Entity::Variant, variation.as_str())]);
    let plan = shared.shop.plan(&[shared.alt(&two, "New text")]).await;
    assert_eq!(plan.changes[0].shown_by.len(), 2);
    let line = format!("also shown by product/{}, variant/{variation}", shared.products[0]);
    assert!(plan.to_string().contains(&line), "{plan}");
    // One that stands alone names nobody; an undo names them, too.
    assert_eq!(shared.shop.one(&shared.alt_of(&one, shared.own[0], "Alone")).await.shown_by, []);
    let receipt = shared.shop.apply(&plan).await;
    let undo = shared.shop.push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(undo.changes[0].shown_by.len(), 2, "{undo}");
    assert_eq!(undo.changes[0].target().id.as_str(), shared.products[1].to_string(), "through its own");
}

#[tokio::test]
async fn c3_two_values_for_one_picture_are_a_contradiction_and_one_value_twice_is_one_change() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    let plan = shared.shop.plan(&[shared.alt(&one, "This"), shared.alt(&two, "That")]).await;
    let verdicts: Vec<_> = plan.changes.iter().map(|change| change.verdict.clone()).collect();
    let contradiction = ChangeVerdict::Rejected(Rejection::Contradiction);
    assert_eq!(verdicts, [contradiction.clone(), contradiction]);
    shared.shop.take_written();
    let plan = shared.shop.plan(&[shared.alt(&one, "Same"), shared.alt(&two, " Same ")]).await;
    assert_eq!(plan.changes.len(), 1, "{plan}");
    let receipt = shared.shop.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied);
    assert_eq!(shared.shop.take_written().len(), 1);
    // Two pictures of one product are two cells.
    let both = json!({"media.alt": {"update": {
        shared.own[0].to_string(): "Its own", shared.picture.to_string(): "Shared",
    }}});
    let [one, _] = shared.records().await;
    shared.shop.land(&[shared.shop.wants(&one, &both)]).await;
    assert_eq!((shared.stored().as_str(), shared.shop.alt(shared.own[0]).as_str()), ("Shared", "Its own"));
}

/// The first of two products that want the same text does not show the picture any more: the other one does.
#[tokio::test]
async fn c3_one_value_twice_goes_through_the_product_that_shows_the_picture() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    let own = shared.own[0];
    shared.shop.edit(shared.products[0], |product| product.images = vec![own]);
    let receipt = shared.shop.land(&[shared.alt(&one, "Same"), shared.alt(&two, "Same")]).await;
    assert_eq!(receipt.fields.len(), 1);
    assert_eq!(shared.stored(), "Same");
    assert_eq!(shared.shop.stored(shared.products[0]).images, [own]);
}

/// The text that one product's write gave a picture shows on the other: that is no edit of somebody else's.
#[tokio::test]
async fn c3_our_own_write_to_a_shared_picture_is_no_moved_sibling() {
    let shared = Shared::open().await;
    let [one, two] = shared.records().await;
    let title = shared.shop.wants(&two, &json!({"title": "Another"}));
    let receipt = shared.shop.land(&[shared.alt(&one, "New text"), title.clone()]).await;
    assert!(receipt.fields.iter().all(|field| field.warnings.is_empty()), "{receipt}");
    // A rival's edit of it is.
    let [one, two] = shared.records().await;
    let picture = shared.own[1];
    shared.shop.store.before_request(1, is_write, move |store| {
        store.edit_media(picture, |media| media.alt = "Rival".to_owned());
    });
    let title = shared.shop.wants(&two, &json!({"title": "Third"}));
    let receipt = shared.shop.land(&[shared.alt(&one, "Newer text"), title]).await;
    let warnings: Vec<_> = receipt.fields.iter().flat_map(|field| field.warnings.clone()).collect();
    assert_eq!(warnings, [Warning::SiblingMoved { field: "media.alt".to_owned() }], "{receipt}");
}

#[tokio::test]
async fn v5_a_merchants_edit_after_our_push_is_claimed_through_every_product() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let receipt = shared.shop.land(&[shared.alt(&one, "Ours")]).await;
    shared.merchant("The merchant's");
    let records = shared.records().await;
    for record in &records {
        let claimed = ChangeVerdict::Conflict(Conflict::Claimed);
        assert_eq!(shared.verdict(&shared.alt(record, "Ours again")).await, claimed);
    }
    let report = shared.shop.push.undo(receipt.push).await.unwrap();
    assert_eq!(report.cells[0].1, UndoOutcome::EditedSince);
    assert_eq!(shared.stored(), "The merchant's");
}

#[tokio::test]
async fn u1_pushes_through_two_products_undo_one_by_one() {
    let shared = Shared::open().await;
    let before = shared.shop.all_bytes();
    let [one, two] = shared.records().await;
    let first = shared.shop.land(&[shared.alt(&one, "First")]).await;
    let second = shared.shop.land(&[shared.alt(&two, "Second")]).await;
    let report = shared.shop.push.undo(first.push).await.unwrap();
    assert_eq!(report.cells[0].1, UndoOutcome::SupersededByOurs { push: second.push });
    for push in [second.push, first.push] {
        let report = shared.shop.push.undo(push).await.unwrap();
        assert_eq!(report.cells[0].1, UndoOutcome::Restored);
    }
    assert_eq!(shared.shop.all_bytes(), before);
}

#[tokio::test]
async fn u1_a_picture_that_left_the_product_is_undone_through_another_one_that_shows_it() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let receipt = shared.shop.land(&[shared.alt(&one, "Ours")]).await;
    let own = shared.own[0];
    shared.shop.edit(shared.products[0], |product| product.images = vec![own]);
    let galleries = shared.products.map(|id| shared.shop.stored(id).images);
    shared.shop.take_written();
    // Where nobody could be asked who shows it, it is not said that nobody does.
    let refused = FaultRule::new(Fault::status(403)).matching(WooStore::is_product_list);
    shared.shop.server.faults().push(refused.times(1));
    let error = shared.shop.push.undo(receipt.push).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    let report = shared.shop.push.undo(receipt.push).await.unwrap();
    assert_eq!(report.cells[0].1, UndoOutcome::Restored, "{report}");
    assert_eq!(shared.stored(), "Old text");
    assert_eq!(
        shared.products.map(|id| shared.shop.stored(id).images),
        galleries,
        "no gallery is overwritten"
    );
    let written = shared.shop.take_written();
    assert_eq!(written.len(), 1);
    assert!(written[0].0.ends_with(&format!("/products/{}", shared.products[1])), "{written:?}");
}

#[tokio::test]
async fn u1_a_picture_that_no_product_shows_is_left_alone_and_that_is_said() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let receipt = shared.shop.land(&[shared.alt(&one, "Ours")]).await;
    for (id, own) in shared.products.into_iter().zip(shared.own) {
        shared.shop.edit(id, |product| product.images = vec![own]);
    }
    shared.shop.take_written();
    let report = shared.shop.push.undo(receipt.push).await.unwrap();
    let UndoOutcome::Irreversible { reason } = &report.cells[0].1 else { panic!("{report}") };
    assert!(reason.contains("NoSuchEntry"), "{reason}");
    assert_eq!(shared.shop.take_written(), [], "a variation alone shows it, and is not written");
    assert_eq!(shared.stored(), "Ours");
    // So it is where the platform does not tell who shows a picture.
    let blind = Arc::new(Tampered::new(shared.shop.connector.clone(), |_, _, page| page));
    let push = Push::new(blind, shared.shop.state.clone(), shared.shop.runtime.clone());
    let undo = push.plan_undo(receipt.push).await.unwrap();
    assert_eq!(undo.changes[0].verdict, ChangeVerdict::Rejected(Rejection::NoSuchEntry), "{undo}");
}

#[tokio::test]
async fn l3_a_picture_that_the_record_does_not_show_is_no_entry_of_it() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let stranger = shared.alt_of(&one, shared.own[1], "x");
    assert_eq!(shared.verdict(&stranger).await, ChangeVerdict::Rejected(Rejection::NoSuchEntry));
}

#[tokio::test]
async fn l3_a_gallery_that_was_edited_between_plan_and_apply_keeps_its_order_and_pictures() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let plan = shared.shop.plan(&[shared.alt(&one, "New text")]).await;
    let added = shared.shop.store.add_media("late.jpg");
    let images = vec![shared.picture, added, shared.own[0]];
    shared.shop.edit(shared.products[0], |product| product.images.clone_from(&images));
    let media = shared.shop.store.all_media().len();
    let receipt = shared.shop.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Applied);
    assert_eq!(shared.shop.stored(shared.products[0]).images, images);
    assert_eq!((shared.stored().as_str(), shared.shop.store.all_media().len()), ("New text", media));
}

#[tokio::test]
async fn l3_a_picture_that_left_between_plan_and_apply_is_not_brought_back() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let plan = shared.shop.plan(&[shared.alt(&one, "New text")]).await;
    let own = shared.own[0];
    shared.shop.edit(shared.products[0], |product| product.images = vec![own]);
    let writes = shared.shop.server.traffic().writes();
    let receipt = shared.shop.apply(&plan).await;
    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Rejected(Rejection::NoSuchEntry));
    assert_eq!(shared.shop.server.traffic().writes(), writes);
    assert_eq!(shared.shop.stored(shared.products[0]).images, [own]);
}

#[tokio::test]
async fn c1_a_list_of_pictures_that_cannot_be_read_says_nothing_of_what_is_in_it() {
    let shared = Shared::open().await;
    let [one, _] = shared.records().await;
    let enrichment = shared.alt(&one, "New text");
    let odd = Tampered::new(shared.shop.connector.clone(), |_, _, mut page| {
        for items in &mut page.items {
            let body = String::from_utf8(items.body.to_vec()).unwrap();
            items.body = body.replace("\"alt\":\"Own", "\"alt\":7,\"was\":\"Own").into();
        }
        page
    });
    let connector: Arc<dyn Connector> = Arc::new(odd);
    let push = Push::new(connector, shared.shop.state.clone(), shared.shop.runtime.clone());
    let plan = push.plan(&[enrichment]).await.unwrap();
    assert_eq!(plan.changes[0].verdict, ChangeVerdict::Rejected(Rejection::Unreadable), "{plan}");
}
