//! The contract suite over the Magento connector and its fake.
#![cfg(all(feature = "testkit", feature = "magento"))]
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/magento.rs"]
mod common;

use std::sync::Arc;

use common::{Bench, bench_with, config};
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, ExternalId, FieldName, View};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::contract::{ContractFixture, On, Received, Right, Strike, Trouble, run_all};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::magento::{Attribute, GLOBAL, MagentoFake};
use serde_json::{Value, json};

/// A store, the connector to it, and the number of the view that it is of.
struct Mage(Bench, Arc<dyn Connector>, u64);

/// Twelve products, of which two are configurable with three variants each, and a configurable one more.
fn seed(store: &MagentoFake) {
    drop(store.seed_products(15));
    // One that no product has all of: what the suite can give another product.
    store.add_attribute(Attribute::new(0, "fit", "Fit", "select"));
    let slim = store.add_option("fit", "Slim").unwrap();
    let last = *store.ids().last().unwrap();
    store.set_value(last, "fit", &slim.to_string());
    for id in store.ids() {
        if store.product(id).unwrap().media.is_empty() {
            store.add_image(id, &format!("/a/{id}.jpg"), Some("A picture"));
        }
    }
}

async fn mage() -> Mage {
    let bench = bench_with(|builder| builder, seed, |settings| settings.queued_writes(true)).await;
    bench.server.traffic().clear();
    let connector = Arc::clone(&bench.connector) as Arc<dyn Connector>;
    Mage(bench, connector, GLOBAL)
}

/// One view of a store, asked for through the connector of all.
async fn view_of_mage() -> Mage {
    let Mage(bench, connector, _) = mage().await;
    let view = bench.store.view_id("de").unwrap();
    let connector = connector.in_view(&View::of_scope("de")).unwrap();
    Mage(bench, connector, view)
}

/// A store of 2.4.2, which answers pages past the end by the last one.
async fn old_mage() -> Mage {
    use lily_connect::testkit::magento::Release;
    let bench = bench_with(|builder| builder.release(Release::V2_4_2), seed, |settings| settings).await;
    bench.server.traffic().clear();
    let connector = Arc::clone(&bench.connector) as Arc<dyn Connector>;
    Mage(bench, connector, GLOBAL)
}

fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or(0)
}

fn is_list(entity: Entity, request: &Request) -> bool {
    let end = if entity == Entity::Category { "/categories/list" } else { "/V1/products" };
    // The list itself, and not the list of the products that have variants.
    let is_family = request.query.contains("type_id");
    request.method == http::Method::GET && request.path.ends_with(end) && !is_family
}

fn is_child(store: &MagentoFake, id: u64) -> bool {
    store.ids().into_iter().filter_map(|id| store.product(id)).any(|parent| parent.children.contains(&id))
}

impl ContractFixture for Mage {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::clone(&self.1)
    }

    fn runtime(&self) -> Runtime {
        self.0.runtime.clone()
    }

    fn ids(&self, entity: Entity) -> Vec<ExternalId> {
        let store = &self.0.store;
        let ids: Vec<u64> = match entity {
            Entity::Product => store.ids(),
            Entity::Variant => store.ids().into_iter().filter(|id| is_child(store, *id)).collect(),
            Entity::Category => store.category_ids(),
            _ => Vec::new(),
        };
        ids.into_iter().map(|id| id.to_string().into()).collect()
    }

    fn stored(&self, entity: Entity, id: &ExternalId) -> Option<Value> {
        if entity == Entity::Category {
            return None;
        }
        let mut json: Value = serde_json::from_str(&self.0.store.raw(number(id), self.2)?).ok()?;
        let object = json.as_object_mut()?;
        object.remove("updated_at");
        // What the connector's own part of a record is made of.
        let media = object.remove("media_gallery_entries");
        let all =
            object.remove("custom_attributes").and_then(|it| it.as_array().cloned()).unwrap_or_default();
        let is_own = |one: &Value| {
            let code = one["attribute_code"].as_str().unwrap_or_default();
            self.0.store.attribute(code).is_some_and(|attribute| attribute.user_defined)
        };
        let (own, mut rest): (Vec<Value>, Vec<Value>) = all.into_iter().partition(is_own);
        // Told twice: as ids among the attributes, and as links.
        rest.retain(|one| one["attribute_code"] != "category_ids");
        let links = object.get_mut("extension_attributes").and_then(Value::as_object_mut);
        let links = links.and_then(|extension| extension.remove("category_links"));
        let ids = |links: &Value| {
            links.as_array().into_iter().flatten().map(|it| it["category_id"].clone()).collect()
        };
        let categories: Vec<Value> = links.as_ref().map(ids).unwrap_or_default();
        object.insert("custom_attributes".to_owned(), rest.into());
        object.insert(
            "_lily".to_owned(),
            json!({ "media": media, "attributes": own, "categories": categories }),
        );
        Some(json)
    }

    fn edit(&self, entity: Entity, id: &ExternalId, field: &FieldName, text: &str) -> bool {
        let (store, number) = (&self.0.store, number(id));
        let code = match field.as_str() {
            "title" => "name",
            "description" | "short_description" => field.as_str(),
            "seo.title" => "meta_title",
            _ => return false,
        };
        match entity {
            Entity::Category => code == "name" && store.name_category(number, self.2, text),
            Entity::Product => store.set_view_value(number, self.2, code, text),
            Entity::Variant => is_child(store, number) && store.set_view_value(number, self.2, code, text),
            _ => false,
        }
    }

    fn add(&self, entity: Entity) -> Option<ExternalId> {
        let store = &self.0.store;
        let id = match entity {
            Entity::Product | Entity::Variant => {
                let at = store.product_count();
                let id = store.create(&format!("NEW-{at}"), &format!("One more {at}"), |_| {});
                if entity == Entity::Variant {
                    let parent = store
                        .ids()
                        .into_iter()
                        .find(|id| !store.product(*id).unwrap().children.is_empty())?;
                    store.edit(parent, |product| product.children.push(id));
                }
                id
            }
            Entity::Category => store.add_category(2, "One more"),
            _ => return None,
        };
        Some(id.to_string().into())
    }

    fn delete(&self, entity: Entity, id: &ExternalId) -> bool {
        delete(&self.0.store, entity, id)
    }

    fn received(&self) -> Received {
        let traffic = self.0.server.traffic();
        Received { requests: traffic.requests(), writes: traffic.writes() }
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
        let keys = &self.0.keys;
        vec![
            keys.consumer_secret.clone(),
            keys.access_token_secret.clone(),
            keys.access_token.clone(),
            keys.consumer_key.clone(),
        ]
    }

    fn texts(&self) -> Vec<String> {
        let builder = config(&self.0.server.url(), &self.0.keys);
        vec![format!("{builder:?}"), format!("{:?}", builder.build())]
    }

    fn allow(&self, right: Right) -> bool {
        // The platform's rights do not tell reading from writing.
        if right == Right::Nothing {
            self.0.store.revoke(&self.0.keys.access_token);
        }
        right == Right::Nothing
    }

    fn calls_of_a_first_page(&self, entity: Entity) -> u64 {
        // Of products, the attributes, categories and stock that their ids stand for, too; of variants, also the
        // products that have some.
        match entity {
            Entity::Product if self.2 != GLOBAL => 5,
            Entity::Product => 4,
            Entity::Variant => 5,
            _ => 1,
        }
    }

    fn peak_in_flight(&self) -> Option<u64> {
        Some(self.0.server.traffic().peak_in_flight())
    }
}

fn delete(store: &MagentoFake, entity: Entity, id: &ExternalId) -> bool {
    match entity {
        Entity::Category => store.delete_category(number(id)),
        _ => store.delete(number(id)),
    }
}

lily_connect::contract_suite!(mage().await);

#[tokio::test]
async fn a_store_of_an_older_release_holds_the_whole_contract() {
    let report = run_all(old_mage).await;
    assert!(report.failed.is_empty(), "{report}");
}

#[tokio::test]
async fn one_view_of_a_store_holds_the_whole_contract() {
    let report = run_all(view_of_mage).await;
    assert!(report.failed.is_empty(), "{report}");
}
