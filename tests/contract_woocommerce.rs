//! The contract suite over the WooCommerce connector and its fake.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use common::{Bench, bench_with};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::{SeoPlugin, WooCommerceBuilder, WooCommerceConfig};
use lily_connect::model::{Entity, ExternalId, FieldName, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::contract::{ContractFixture, On, Received, Right, Strike, Trouble, run_all};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Taxonomy, WooStore};
use lily_connect::webhook::Incoming;
use serde_json::{Value, json};

struct Woo(Bench);

/// The sample catalogue: 18 products, 7 variations, and as many terms of each kind as several pages take.
fn seed(store: &WooStore) {
    drop(store.seed_sample());
    for n in 0..8 {
        for taxonomy in [Taxonomy::Category, Taxonomy::Tag, Taxonomy::Brand] {
            store.add_term(taxonomy, &format!("Term & {n}"));
        }
        let attribute = store.add_attribute(&format!("Attribute {n}"));
        for value in 0..n {
            store.add_term(Taxonomy::Attribute(attribute), &format!("Value {value}"));
        }
    }
}

async fn woo() -> Woo {
    let bench = bench_with(seed).await;
    bench.server.traffic().clear();
    Woo(bench)
}

/// A store of before version 9.6, which has neither a list of all variations nor brands.
async fn old_woo() -> Woo {
    let bench = bench_with(|store| {
        seed(store);
        store.set_conditions(|conditions| {
            conditions.no_variations_list = true;
            conditions.no_brands = true;
        });
    })
    .await;
    bench.server.traffic().clear();
    Woo(bench)
}

/// A store without a plugin for search engines, of which neither slugs nor item numbers are written.
async fn plain_woo() -> Woo {
    let mut woo = woo().await;
    let config = config(&woo.0).build().unwrap();
    woo.0.connector = Arc::new(config.connect(&woo.0.runtime).await.unwrap());
    woo.0.server.traffic().clear();
    woo
}

fn config(bench: &Bench) -> WooCommerceBuilder {
    WooCommerceConfig::builder(bench.server.url())
        .key(&bench.key.consumer_key)
        .secret(Secret::new(bench.key.consumer_secret.clone()))
        .private_hosts(true)
}

/// Which terms a kind of record has; none for kinds that are no terms.
fn taxonomy(entity: Entity) -> Option<fn(Taxonomy) -> bool> {
    Some(match entity {
        Entity::Category => |taxonomy| taxonomy == Taxonomy::Category,
        Entity::Tag => |taxonomy| taxonomy == Taxonomy::Tag,
        Entity::Brand => |taxonomy| taxonomy == Taxonomy::Brand,
        Entity::AttributeValue => |taxonomy| matches!(taxonomy, Taxonomy::Attribute(_)),
        _ => return None,
    })
}

fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or(0)
}

fn delete(store: &WooStore, entity: Entity, id: &ExternalId) -> bool {
    match entity {
        Entity::Attribute => store.delete_attribute(number(id)),
        _ if taxonomy(entity).is_some() => store.delete_term(number(id)),
        _ => store.delete(number(id)),
    }
}

fn is_list(entity: Entity, request: &Request) -> bool {
    let end = match entity {
        Entity::Variant => "/variations",
        Entity::Category => "/products/categories",
        Entity::Tag => "/products/tags",
        Entity::Brand => "/products/brands",
        Entity::Attribute => "/products/attributes",
        Entity::AttributeValue => "/terms",
        _ => "/wc/v3/products",
    };
    request.method == http::Method::GET && request.path.ends_with(end)
}

impl ContractFixture for Woo {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::clone(&self.0.connector)
    }

    fn runtime(&self) -> Runtime {
        self.0.runtime.clone()
    }

    fn ids(&self, entity: Entity) -> Vec<ExternalId> {
        let store = &self.0.store;
        if entity == Entity::Attribute {
            return store.all_attributes().iter().map(|attribute| attribute.id.to_string().into()).collect();
        }
        if let Some(is_wanted) = taxonomy(entity) {
            let terms = store.all_terms().into_iter().filter(|term| is_wanted(term.taxonomy));
            return terms.map(|term| term.id.to_string().into()).collect();
        }
        let wanted = |id: &u64| {
            store.product(*id).is_some_and(|product| {
                product.is_variation() == (entity == Entity::Variant) && product.status != "trash"
            })
        };
        store.ids().into_iter().filter(wanted).map(|id| id.to_string().into()).collect()
    }

    fn stored(&self, _: Entity, id: &ExternalId) -> Option<Value> {
        let mut json: Value = serde_json::from_str(&self.0.store.raw(number(id))?).ok()?;
        // `generated_slug` is what the name would give now; nothing of it is kept. The address follows the slug.
        for key in
            ["date_modified", "date_modified_gmt", "related_ids", "_links", "generated_slug", "permalink"]
        {
            json.as_object_mut()?.remove(key);
        }
        Some(json)
    }

    fn edit(&self, entity: Entity, id: &ExternalId, field: &FieldName, text: &str) -> bool {
        if taxonomy(entity).is_some() {
            return self.0.store.edit_term(number(id), |term| match field.as_str() {
                "title" => term.name = text.to_owned(),
                _ => term.description = text.to_owned(),
            });
        }
        let is_variation = entity == Entity::Variant;
        entity != Entity::Attribute
            && self.0.store.product(number(id)).is_some_and(|product| product.is_variation() == is_variation)
            && match field.as_str() {
                // The name of a variation is made of its options.
                "title" if !is_variation => self.0.store.edit(number(id), |it| it.name = text.to_owned()),
                "description" => self.0.store.edit(number(id), |it| it.description = text.to_owned()),
                "short_description" if !is_variation => {
                    self.0.store.edit(number(id), |it| it.short_description = text.to_owned())
                }
                "gtin" => self.0.store.edit(number(id), |it| it.global_unique_id = text.to_owned()),
                _ => false,
            }
    }

    fn add(&self, entity: Entity) -> Option<ExternalId> {
        let store = &self.0.store;
        let id = match entity {
            Entity::Product => store.create("One more", |_| {}),
            Entity::Variant => {
                let some = store.ids().into_iter().filter_map(|id| store.product(id));
                let parent = some.filter(|it| it.is_variation()).map(|it| it.parent_id).next()?;
                store.create_variation(parent, |_| {})
            }
            _ => return None,
        };
        Some(id.to_string().into())
    }

    fn delete(&self, entity: Entity, id: &ExternalId) -> bool {
        delete(&self.0.store, entity, id)
    }

    fn received(&self) -> Received {
        let traffic = self.0.server.traffic();
        // A batch of nothing, `{}`, asks for no change: the check sends one to learn whether the key may write.
        let asks = |entry: &lily_connect::testkit::traffic::Entry| {
            entry.is_write() && !(entry.path.ends_with("/products/batch") && entry.body_bytes == 2)
        };
        Received { requests: traffic.requests(), writes: traffic.count_where(asks) as u64 }
    }

    fn strike(&self, strike: Strike) {
        let fault = match strike.trouble {
            Trouble::LostAnswer => Fault::Reset(When::After),
            Trouble::Refused => Fault::status(400),
            Trouble::ServerError => Fault::status(502),
            Trouble::Truncated => Fault::Truncate,
            Trouble::Malformed => Fault::Malformed,
            Trouble::Html => Fault::Html200,
            Trouble::RateLimited => Fault::TooMany { retry_after: Some(60) },
            other => panic!("the fake has no {other:?}"),
        };
        let is_read = strike.on == On::Read;
        self.0.server.faults().push(
            FaultRule::new(fault)
                .matching(move |request| (request.method == http::Method::GET) == is_read)
                .after(strike.after)
                .times(strike.times),
        );
    }

    fn delete_while_paging(&self, entity: Entity, ids: Vec<ExternalId>, after_pages: u64) {
        self.0.store.after_request(
            after_pages,
            move |request| is_list(entity, request),
            move |store| {
                for id in &ids {
                    delete(store, entity, id);
                }
            },
        );
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.0.key.consumer_key.clone(), self.0.key.consumer_secret.clone()]
    }

    fn texts(&self) -> Vec<String> {
        let builder = config(&self.0).seo_plugin(SeoPlugin::Yoast);
        vec![format!("{builder:?}"), format!("{:?}", builder.build())]
    }

    fn allow(&self, right: Right) -> bool {
        let key = &self.0.key;
        self.0.store.revoke_key(&key.consumer_key);
        if right == Right::Read {
            let kept = ApiKey::new(&key.consumer_key, &key.consumer_secret, Permissions::Read, key.role);
            self.0.store.add_key(kept);
        }
        true
    }

    fn peak_in_flight(&self) -> Option<u64> {
        Some(self.0.server.traffic().peak_in_flight())
    }

    fn delivery(&self, entity: Entity, id: &ExternalId, secret: &Secret) -> Option<Incoming> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let product = self.0.store.product(number(id))?;
        let body = match entity {
            Entity::Product => json!({"id": product.id, "type": "simple", "name": product.name}),
            Entity::Variant => json!({"id": product.id, "type": "variation", "parent_id": product.parent_id}),
            _ => return None,
        };
        let body = body.to_string();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(body.as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let delivery = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("x-wc-webhook-source", format!("{}/", self.0.server.url())),
            ("x-wc-webhook-topic", "product.updated".to_owned()),
            ("x-wc-webhook-signature", signature),
            ("x-wc-webhook-id", "2".to_owned()),
            ("x-wc-webhook-delivery-id", format!("{delivery:032x}")),
        ] {
            headers.insert(name, HeaderValue::from_str(&value).ok()?);
        }
        Incoming::new(headers, body, self.0.runtime.clock().now()).ok()
    }

    fn ping(&self, _: &Secret) -> Option<Incoming> {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert("content-type", form);
        Incoming::new(headers, "webhook_id=7", self.0.runtime.clock().now()).ok()
    }

    fn kill_subscription(&self, id: &ExternalId) -> bool {
        self.0.store.disable_webhook(number(id))
    }

    fn foreign_subscription(&self) -> Option<ExternalId> {
        let id = self.0.store.add_webhook("Stock", "product.updated", "https://stock.example.com/hook");
        Some(id.to_string().into())
    }

    fn has_subscription(&self, id: &ExternalId) -> bool {
        self.0.store.webhook(number(id)).is_some()
    }
}

lily_connect::contract_suite!(woo().await);

#[tokio::test]
async fn a_store_without_a_list_of_variations_holds_the_whole_contract() {
    let report = run_all(old_woo).await;
    assert!(report.failed.is_empty(), "{report}");
    let skipped: Vec<&str> = report.skipped.iter().map(|(name, _)| *name).collect();
    assert!(!skipped.contains(&"a_kind_that_is_not_claimed_is_refused"), "{report}");
}

#[tokio::test]
async fn a_store_without_seo_plugin_and_slugs_holds_the_whole_contract() {
    let report = run_all(plain_woo).await;
    assert!(report.failed.is_empty(), "{report}");
    assert!(report.passed.contains(&"an_unavailable_field_is_rejected_by_name"), "{report}");
    let skipped: Vec<&str> = report.skipped.iter().map(|(name, _)| *name).collect();
    assert!(skipped.contains(&"a_removable_field_comes_back_absent"), "{report}");
}
