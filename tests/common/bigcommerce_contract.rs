//! What the contract suite needs to know of the fake BigCommerce, with metafields among the attributes or without.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bigcommerce::{Bench, Held, bench_with, config};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use lily_connect::connector::Connector;
use lily_connect::connectors::bigcommerce::BigCommerceBuilder;
use lily_connect::model::{Entity, ExternalId, FieldName, Secret};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::testkit::contract::{ContractFixture, On, Received, Right, Strike, Trouble};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::json::Json;
use lily_connect::webhook::Incoming;
use serde_json::{Value, json};

pub struct Shop {
    bench: Bench,
    writes: Arc<AtomicU64>,
    metafields: bool,
    /// The view that the connector is of.
    view: Option<Held>,
}

pub async fn shop(metafields: bool, view: Option<Held>) -> Shop {
    let seed = |store: &BigCommerceFake| {
        for code in ["fr", "de"] {
            store.add_locale(1, code);
        }
        for id in store.seed_products(20) {
            for held in Held::ALL {
                held.put(store, "fr", id, "name", &format!("fr {id}"));
                held.put(store, "de", id, "name", &format!("de {id}"));
            }
        }
        for n in 0..6 {
            store.create_brand(&format!("Brand {n}"));
        }
    };
    let namespaces: &[&str] = if metafields { &["care", "warehouse"] } else { &[] };
    let settings = |settings: BigCommerceBuilder| {
        let settings = settings.metafields(namespaces.iter().copied());
        match view {
            Some(Held::Translations) => settings.translations([1]),
            Some(Held::ChannelValues) => settings.channel_values(1, "de"),
            None => settings,
        }
    };
    let bench = bench_with(seed, |builder| builder, settings).await;
    bench.server.traffic().clear();
    let writes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&writes);
    // It strikes nothing, and sees each request.
    let seen = FaultRule::new(Fault::status(500)).matching(move |request| {
        counted.fetch_add(u64::from(is_write(request)), Ordering::Relaxed);
        false
    });
    bench.server.faults().push(seen);
    Shop { bench, writes, metafields, view }
}

/// The check asks for a change of nothing, to learn whether the token may write.
fn is_write(request: &Request) -> bool {
    BigCommerceFake::is_write(request) && request.body != b"[]"
}

fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or(0)
}

fn delete(store: &BigCommerceFake, entity: Entity, id: &ExternalId) -> bool {
    match entity {
        Entity::Product => store.delete_product(number(id)),
        Entity::Variant => store.delete_variant(number(id)),
        Entity::Category => store.delete_category(number(id)),
        Entity::Brand => store.delete_brand(number(id)),
        _ => false,
    }
}

impl ContractFixture for Shop {
    fn connector(&self) -> Arc<dyn Connector> {
        if self.view.is_none() {
            return self.bench.connector.clone();
        }
        let view = self.bench.connector.views().iter().find(|view| view.locale.as_deref() == Some("de"));
        self.bench.connector.in_view(view.unwrap()).unwrap()
    }

    fn runtime(&self) -> Runtime {
        self.bench.runtime.clone()
    }

    fn ids(&self, entity: Entity) -> Vec<ExternalId> {
        let store = &self.bench.store;
        let ids = match entity {
            Entity::Product => store.ids(),
            Entity::Variant => store.variant_ids(),
            Entity::Category => store.category_ids(),
            Entity::Brand => store.brand_ids(),
            _ => Vec::new(),
        };
        ids.into_iter().map(|id| id.to_string().into()).collect()
    }

    fn stored(&self, entity: Entity, id: &ExternalId) -> Option<Value> {
        let store = &self.bench.store;
        let text = match entity {
            Entity::Product => store.raw(number(id))?,
            Entity::Variant => store.variant(number(id))?.to_php(),
            Entity::Category => store.category(number(id))?.to_php(),
            Entity::Brand => store.brand(number(id))?.to_php(),
            _ => return None,
        };
        let mut json: Value = serde_json::from_str(&text).ok()?;
        let fields = json.as_object_mut()?;
        fields.remove("date_modified");
        if entity == Entity::Product {
            let rows = store.metafields("product", number(id)).into_iter();
            let row = |(owner, row): (String, Json)| {
                let mut row: Value = serde_json::from_str(&row.to_php()).unwrap_or_default();
                row.as_object_mut().map(|row| row.remove("date_modified"));
                json!([owner, row])
            };
            fields.insert("metafields".to_owned(), rows.map(row).collect());
            for (held, name) in [(Held::Translations, "translated"), (Held::ChannelValues, "of channels")] {
                for code in ["fr", "de"] {
                    fields.insert(format!("{name} {code}"), json!(held.texts(store, code, number(id))));
                }
            }
            if let Some(held) = self.view {
                // Its own texts stand where the map of a view has them.
                let texts = fields.remove(match held {
                    Held::Translations => "translated de",
                    Held::ChannelValues => "of channels de",
                })?;
                let own = std::mem::replace(&mut json, texts);
                json.as_object_mut()?.insert("own".to_owned(), own);
                return Some(json);
            }
        }
        for image in fields.get_mut("images").and_then(Value::as_array_mut).into_iter().flatten() {
            image.as_object_mut()?.remove("date_modified");
        }
        Some(json)
    }

    fn edit(&self, entity: Entity, id: &ExternalId, field: &FieldName, text: &str) -> bool {
        let key = match field.as_str() {
            "title" => "name",
            "description" => "description",
            "mpn" => "mpn",
            _ => return false,
        };
        let store = &self.bench.store;
        if entity == Entity::Variant {
            let product = store.variant(number(id)).and_then(|variant| variant.get("product_id")?.as_id());
            // A variant alone moves no product; here the merchant saved that, too.
            return store.edit_variant(number(id), |variant| variant.set(key, text))
                && store.edit_product(product.unwrap(), |product| product.set("warranty", text));
        }
        if let (Some(held), Entity::Product) = (self.view, entity) {
            held.put(store, "de", number(id), key, text);
            // A text of a view alone moves no product; here the merchant saved that, too.
            return store.edit_product(number(id), |product| product.set("warranty", text));
        }
        entity == Entity::Product && store.edit_product(number(id), |product| product.set(key, text))
    }

    fn add(&self, entity: Entity) -> Option<ExternalId> {
        let store = &self.bench.store;
        let id = match entity {
            Entity::Product => store.create_product("One more", |_| {}),
            Entity::Category => store.create_category(0, "One more"),
            Entity::Brand => store.create_brand("One more"),
            // A product without options has one, and a value more makes further ones.
            Entity::Variant => {
                let product = store.create_product("Of one more variant", |_| {});
                let first = store.product(product)?.variants.first()?.get("id")?.as_id()?;
                return Some(first.to_string().into());
            }
            _ => return None,
        };
        Some(id.to_string().into())
    }

    fn delete(&self, entity: Entity, id: &ExternalId) -> bool {
        delete(&self.bench.store, entity, id)
    }

    fn received(&self) -> Received {
        Received {
            requests: self.bench.server.traffic().requests(),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    fn strike(&self, strike: Strike) {
        let fault = match strike.trouble {
            Trouble::LostAnswer => Fault::Reset(When::After),
            Trouble::Refused => Fault::status(422),
            Trouble::ServerError => Fault::status(502),
            Trouble::Truncated => Fault::Truncate,
            Trouble::Malformed => Fault::Malformed,
            Trouble::Html => Fault::Html200,
            Trouble::RateLimited => Fault::TooMany { retry_after: Some(60) },
            other => panic!("the fake has no {other:?}"),
        };
        let is_read = strike.on == On::Read;
        self.bench.server.faults().push(
            FaultRule::new(fault)
                .matching(move |request| BigCommerceFake::is_write(request) != is_read)
                .after(strike.after)
                .times(strike.times),
        );
    }

    fn delete_while_paging(&self, entity: Entity, ids: Vec<ExternalId>, after_pages: u64) {
        let path = match entity {
            Entity::Variant => "/v3/catalog/variants",
            Entity::Category => "/v3/catalog/trees/categories",
            Entity::Brand => "/v3/catalog/brands",
            _ => "/v3/catalog/products",
        };
        let is_page = move |request: &Request| {
            // A count is no page.
            request.path.ends_with(path)
                && !request.query.contains("limit=1&")
                && !request.query.ends_with("limit=1")
        };
        self.bench.store.after_request(after_pages, is_page, move |store| {
            for id in &ids {
                delete(store, entity, id);
            }
        });
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.bench.token.clone()]
    }

    fn texts(&self) -> Vec<String> {
        let builder = config(&self.bench.server.url(), &self.bench.token);
        vec![format!("{builder:?}"), format!("{:?}", builder.build())]
    }

    fn allow(&self, right: Right) -> bool {
        match right {
            Right::Nothing => self.bench.store.revoke_token(&self.bench.token),
            Right::Read => self.bench.store.grant_scopes([
                "store_v2_default",
                "store_v2_products_read_only",
                "store_v2_information_read_only",
                "store_translations_read_only",
            ]),
            _ => return false,
        }
        true
    }

    fn delivery(&self, entity: Entity, id: &ExternalId, secret: &Secret) -> Option<Incoming> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if self.view.is_some() {
            return None;
        }
        let data = match entity {
            Entity::Product => json!({ "type": "product", "id": number(id) }),
            Entity::Category => json!({ "type": "category", "id": number(id) }),
            Entity::Variant => {
                json!({ "type": "sku", "id": 1, "sku": { "product_id": 77, "variant_id": number(id) } })
            }
            _ => return None,
        };
        let scope = match entity {
            Entity::Product => "store/product/updated",
            Entity::Category => "store/category/updated",
            _ => "store/sku/updated",
        };
        let now = self.bench.runtime.clock().now();
        let count = NUMBER.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "scope": scope, "store_id": "1025646", "data": data, "hash": format!("{count:040x}"),
            "created_at": now.unix_seconds(), "producer": "stores/abc123",
        });
        let (body, delivery, time) = (body.to_string(), format!("msg_{count}"), now.unix_seconds());
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(format!("{delivery}.{time}.{body}").as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", delivery),
            ("webhook-timestamp", time.to_string()),
            ("webhook-signature", format!("v1,{signature}")),
        ] {
            headers.insert(name, HeaderValue::from_str(&value).ok()?);
        }
        Incoming::new(headers, body, now).ok()
    }

    fn kill_subscription(&self, id: &ExternalId) -> bool {
        self.bench.store.deactivate_hook(number(id))
    }

    fn foreign_subscription(&self) -> Option<ExternalId> {
        let id = self.bench.store.add_hook("store/product/updated", "https://stock.example.com/hook");
        Some(id.to_string().into())
    }

    fn has_subscription(&self, id: &ExternalId) -> bool {
        self.bench.store.hooks().iter().any(|known| known.id == number(id))
    }

    fn calls_of_a_first_page(&self, entity: Entity) -> u64 {
        // Of products, the names of their categories and brands come by a call each; of variants, a count, a window
        // of products, and its variants.
        match entity {
            // A view has none of these, and its texts by one.
            Entity::Product if self.view.is_some() => 2,
            // And their metafields by one.
            Entity::Product if self.metafields => 4,
            Entity::Product | Entity::Variant => 3,
            _ => 1,
        }
    }

    fn peak_in_flight(&self) -> Option<u64> {
        Some(self.bench.server.traffic().peak_in_flight())
    }
}
