//! A fake Shopify of any catalogue, and the way from a pulled record to an undo.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "shared by tests, none of which uses all of it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lily_connect::connector::Connector;
use lily_connect::model::{Enrichment, Entity};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::bulk::{BulkSettings, BulkUse};
use lily_connect::sync::{
    Approvals, Plan, PlannedChange, Pull, Push, Receipt, ReceiptOutcome, UndoOutcome, Verdict,
};
use lily_connect::testkit::shopify::{Owner, Product, ProductOption, ShopifyFake};
use serde_json::{Value, json};

use crate::common::Kept;
use crate::shopify::{Bench, bench_with};

/// All that a shop holds, in parts: by product and name of the part.
pub type Parts = BTreeMap<(u64, String), String>;

pub struct Desk {
    pub bench: Bench,
    pub state: Arc<dyn StateStore>,
    pub push: Push,
}

impl Desk {
    pub async fn open(seed: impl FnOnce(&ShopifyFake)) -> Self {
        Self::over(bench_with(seed, |builder| builder, |settings| settings).await)
    }

    pub fn over(bench: Bench) -> Self {
        let connector: Arc<dyn Connector> = bench.connector.clone();
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let push = Push::new(connector, state.clone(), bench.runtime.clone());
        let desk = Self { bench, state, push };
        desk.tick();
        desk
    }

    pub fn shop(&self) -> &ShopifyFake {
        &self.bench.shop
    }

    pub fn tick(&self) {
        self.bench.clock.advance(Duration::from_secs(2));
    }

    /// Fresh records of all products, by id.
    pub async fn pulled(&self) -> BTreeMap<u64, Value> {
        self.pulled_through(self.bench.connector.clone()).await
    }

    /// Fresh records of all products through another connector to the shop, such as one of another language.
    pub async fn pulled_through(&self, connector: Arc<dyn Connector>) -> BTreeMap<u64, Value> {
        self.pulled_of(connector, Entity::Product).await
    }

    /// Fresh records of all variants, by id.
    pub async fn variants(&self) -> BTreeMap<u64, Value> {
        self.pulled_of(self.bench.connector.clone(), Entity::Variant).await
    }

    async fn pulled_of(&self, connector: Arc<dyn Connector>, entity: Entity) -> BTreeMap<u64, Value> {
        // A job's waits would move the clock.
        let bulk = BulkSettings::default().when(BulkUse::Never);
        let pull = Pull::new(connector, self.state.clone(), entity).keep_base(true).bulk(bulk);
        pull.forget().await.unwrap();
        let mut sink = Kept::default();
        let certificate = pull.run(&mut sink, &|_| {}).await.unwrap();
        assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
        self.tick();
        let records = sink.0.lock().unwrap();
        records
            .iter()
            .map(|record| {
                let id = record.reference().id.as_str().parse().unwrap();
                (id, serde_json::to_value(record).unwrap())
            })
            .collect()
    }

    pub async fn record(&self, id: u64) -> Value {
        self.pulled().await.remove(&id).unwrap()
    }

    /// New values of fields of one value and edits of lists, each with the record's own tokens.
    pub fn wants(&self, record: &Value, fields: &Value) -> Enrichment {
        let changes: BTreeMap<String, Value> = fields
            .as_object()
            .unwrap()
            .iter()
            .map(|(field, wanted)| {
                let base = &record["base"][field];
                let change = match wanted {
                    Value::Object(edit) => json!({"edit": edit, "base_keys": base}),
                    value => json!({"value": value, "base": base}),
                };
                (field.clone(), change)
            })
            .collect();
        serde_json::from_value(json!({
            "ref": record["ref"], "made_at": self.bench.runtime.clock().now(), "fields": changes,
        }))
        .unwrap()
    }

    pub async fn plan(&self, enrichments: &[Enrichment]) -> Plan {
        self.tick();
        self.push.plan(enrichments).await.unwrap()
    }

    /// A plan for one product.
    pub async fn plan_for(&self, id: u64, fields: Value) -> Plan {
        let record = self.record(id).await;
        self.plan(&[self.wants(&record, &fields)]).await
    }

    pub async fn apply(&self, plan: &Plan) -> Receipt {
        let receipt = self.push.apply(plan, &Approvals::AllowUnreviewed).await.unwrap();
        self.tick();
        receipt
    }

    /// Plans and applies; all of it must land.
    pub async fn land(&self, id: u64, fields: Value) -> Receipt {
        let plan = self.plan_for(id, fields).await;
        let receipt = self.apply(&plan).await;
        let landed = receipt.fields.iter().all(|field| field.outcome == ReceiptOutcome::Applied);
        assert!(landed, "{plan}{receipt}");
        receipt
    }

    /// The only change of a product's plan.
    pub async fn one(&self, id: u64, fields: Value) -> PlannedChange {
        let plan = self.plan_for(id, fields).await;
        assert_eq!(plan.changes.len(), 1, "{plan}");
        plan.changes[0].clone()
    }

    /// Takes a push back whole.
    pub async fn undo(&self, receipt: &Receipt) {
        let report = self.push.undo(receipt.push).await.unwrap();
        assert!(report.cells.iter().all(|(_, outcome)| *outcome == UndoOutcome::Restored), "{report}");
        self.tick();
    }

    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Product)) {
        self.tick();
        assert!(self.shop().edit_product(id, change));
        self.tick();
    }

    pub fn stored(&self, id: u64) -> Product {
        self.shop().product(id).unwrap()
    }

    pub fn metafield(&self, id: u64, key: &str) -> Option<String> {
        let all = self.shop().metafields(Owner::Product(id));
        all.into_iter().find(|it| it.key == key).map(|it| it.value)
    }

    pub fn alt(&self, media: u64) -> Option<String> {
        self.shop().media(media).unwrap().alt
    }

    /// Everything that the shop holds, but for the moments and numbers that it makes anew.
    pub fn parts(&self) -> Parts {
        let shop = self.shop();
        let mut parts = Parts::new();
        for product in shop.snapshot() {
            let id = product.id;
            let mut put = |name: &str, value: String| {
                parts.insert((id, name.to_owned()), value);
            };
            put("title", product.title.clone());
            put("slug", product.handle.clone());
            put("description", product.description_html.clone());
            put("brands", product.vendor.clone());
            put("product_type", product.product_type.clone());
            put("tags", format!("{:?}", product.tags));
            put("seo.title", format!("{:?}", product.seo_title));
            put("seo.description", format!("{:?}", product.seo_description));
            put("taxonomy", format!("{:?}", product.category));
            let names = |option: &ProductOption| (option.id, option.name.clone(), option.linked.clone());
            put("options", format!("{:?}", product.options.iter().map(names).collect::<Vec<_>>()));
            let values = product.options.iter().map(|option| &option.values);
            put("options.values", format!("{:?}", values.collect::<Vec<_>>()));
            put(
                "rest",
                format!(
                    "{} {:?} {} {:?} {:?} {:?} {:?}",
                    product.status,
                    product.template_suffix,
                    product.gift_card,
                    product.variants,
                    product.media,
                    product.publications,
                    (product.published_at, product.created_at),
                ),
            );
            for (locale, key, text) in shop.translations(id) {
                put(&format!("translation {locale} {key}"), text);
            }
            put("categories", format!("{:?}", BTreeSet::from_iter(shop.collections_of(id))));
            for it in shop.metafields(Owner::Product(id)) {
                put(&format!("attributes {}.{}", it.namespace, it.key), format!("{} {}", it.kind, it.value));
            }
            for media in &product.media {
                let mut media = shop.media(*media).unwrap();
                media.updated_at = media.created_at;
                put(&format!("media.alt {}", media.id), format!("{media:?}"));
            }
            for variant in &product.variants {
                let of_variant = shop.metafields(Owner::Variant(*variant));
                let mut kept = shop.variant(*variant).unwrap();
                kept.updated_at = kept.created_at;
                put(&format!("gtin {variant}"), format!("{:?}", kept.barcode.take()));
                put(&format!("variant {variant}"), format!("{kept:?} {of_variant:?}"));
            }
        }
        parts
    }

    /// What must never leave, whatever is pushed.
    pub fn assert_careful(&self) {
        for call in self.shop().calls().iter().filter(|call| call.mutation) {
            assert!(!call.fields.iter().any(|field| field == "productSet"), "{call:?}");
            let variables: Value = serde_json::from_str(&call.variables).unwrap();
            assert!(variables["product"].get("tags").is_none(), "a list of tags is replaced: {call:?}");
            assert!(variables["product"].get("metafields").is_none(), "{call:?}");
            for variant in variables["variants"].as_array().into_iter().flatten() {
                let keys: Vec<&String> = variant.as_object().unwrap().keys().collect();
                assert_eq!(keys, ["barcode", "id"], "more of a variant than was asked for: {call:?}");
            }
            assert!(variables["option"].get("position").is_none(), "options are put in order: {call:?}");
            assert!(variables["option"].get("linkedMetafield").is_none(), "an option is linked: {call:?}");
            for metafield in variables["metafields"].as_array().into_iter().flatten() {
                let sets = call.fields.iter().any(|field| field == "metafieldsSet");
                assert!(!sets || metafield.get("compareDigest").is_some(), "unguarded: {call:?}");
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_careful();
        }
    }
}

/// The parts that differ.
pub fn changed(before: &Parts, after: &Parts) -> BTreeSet<(u64, String)> {
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
