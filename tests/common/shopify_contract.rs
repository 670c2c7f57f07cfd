//! What the contract suite needs to know of the fake Shopify, in its own language or in another.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::clone_on_ref_ptr,
    reason = "test support: no test uses all of it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shopify::{Bench, bench_with, config};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, ExternalId, FieldName, Secret, View};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::contract::{ContractFixture, On, Received, Right, Strike, Trouble};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::shopify::{Owner, ShopifyFake};
use lily_connect::webhook::Incoming;
use serde_json::{Value, json};

/// The platform's keys of the texts that have translations.
const KEYS: [(&str, &str); 2] = [("title", "title"), ("description", "body_html")];

pub struct Shop {
    bench: Bench,
    writes: Arc<AtomicU64>,
    /// The further language that the connector is of.
    language: Option<&'static str>,
}

fn is_mutation(request: &Request) -> bool {
    let mark = b"\"query\":\"mutation";
    request.body.windows(mark.len()).any(|part| part == mark)
}

pub async fn shop(language: Option<&'static str>) -> Shop {
    let seed = |shop: &ShopifyFake| {
        let products = shop.seed_products(20);
        for id in &products {
            shop.edit_product(*id, |product| {
                product.seo_title = Some(format!("Buy number {id}"));
                product.seo_description = Some(format!("All about number {id}"));
                product.product_type = "Thing".to_owned();
            });
            for locale in ["fr", "de"] {
                shop.translate(*id, locale, "title", &format!("{locale} {id}"));
            }
        }
        for (n, some) in products.chunks(2).enumerate() {
            shop.create_collection(&format!("Collection {n}"), some);
        }
    };
    let bench = bench_with(seed, |builder| builder, |settings| settings).await;
    bench.server.traffic().clear();
    let writes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&writes);
    // It strikes nothing, and sees each request.
    let seen = FaultRule::new(Fault::status(500)).matching(move |request| {
        counted.fetch_add(u64::from(is_mutation(request)), Ordering::Relaxed);
        false
    });
    bench.server.faults().push(seen);
    Shop { bench, writes, language }
}

fn number(id: &ExternalId) -> u64 {
    id.as_str().parse().unwrap_or(0)
}

fn delete(shop: &ShopifyFake, entity: Entity, id: &ExternalId) -> bool {
    match entity {
        Entity::Product => shop.delete_product(number(id)),
        Entity::Variant => shop.delete_variant(number(id)),
        Entity::Category => shop.delete_collection(number(id)),
        _ => false,
    }
}

impl ContractFixture for Shop {
    fn connector(&self) -> Arc<dyn Connector> {
        match self.language {
            Some(language) => self.bench.connector.in_view(&View::in_language(language)).unwrap(),
            None => self.bench.connector.clone(),
        }
    }

    fn runtime(&self) -> Runtime {
        self.bench.runtime.clone()
    }

    fn ids(&self, entity: Entity) -> Vec<ExternalId> {
        let shop = &self.bench.shop;
        let ids: Vec<u64> = match entity {
            Entity::Product => shop.ids(),
            Entity::Variant => shop.snapshot().into_iter().flat_map(|product| product.variants).collect(),
            Entity::Category => shop.collection_ids(),
            _ => Vec::new(),
        };
        ids.into_iter().map(|id| id.to_string().into()).collect()
    }

    fn stored(&self, entity: Entity, id: &ExternalId) -> Option<Value> {
        let shop = &self.bench.shop;
        match entity {
            Entity::Product => {
                let product = shop.product(number(id))?;
                let media: Vec<Value> = product
                    .media
                    .iter()
                    .filter_map(|id| shop.media(*id))
                    .map(|media| json!({"id": media.id, "alt": media.alt}))
                    .collect();
                let metafields = shop.metafields(Owner::Product(product.id));
                let metafields: Vec<Value> =
                    metafields.iter().map(|it| json!([it.namespace, it.key, it.kind, it.value])).collect();
                Some(json!({
                    "title": product.title, "handle": product.handle, "descriptionHtml": product.description_html,
                    "vendor": product.vendor, "productType": product.product_type, "status": product.status,
                    "tags": product.tags,
                    "seo": {"title": product.seo_title, "description": product.seo_description},
                    "category": {"id": product.category}, "variants": product.variants,
                    "media": {"nodes": media}, "metafields": {"nodes": metafields},
                    "collections": {"nodes": shop.collections_of(product.id)},
                    "translations": shop.translations(product.id),
                    "options": format!("{:?}", product.options),
                }))
            }
            Entity::Variant => {
                let variant = shop.variant(number(id))?;
                Some(json!({
                    "barcode": variant.barcode, "sku": variant.sku, "price": variant.price,
                    "compareAtPrice": variant.compare_at_price, "product": {"id": variant.product},
                    "selectedOptions": format!("{:?}", variant.values), "media": variant.media,
                    "inventoryItem": format!("{:?}", (variant.inventory_item, variant.tracked, &variant.weight)),
                }))
            }
            _ => None,
        }
    }

    fn edit(&self, entity: Entity, id: &ExternalId, field: &FieldName, text: &str) -> bool {
        if let (Some(language), Entity::Product) = (self.language, entity) {
            let key = KEYS.iter().find(|(name, _)| *name == field.as_str());
            // A translation alone moves no record; here the merchant saved the product, too.
            return key.is_some_and(|(_, key)| self.bench.shop.translate(number(id), language, key, text))
                && self.bench.shop.edit_product(number(id), |_| {});
        }
        if (entity, field.as_str()) == (Entity::Variant, "gtin") {
            return self
                .bench
                .shop
                .edit_variant(number(id), |variant| variant.barcode = Some(text.to_owned()));
        }
        entity == Entity::Product
            && self.bench.shop.edit_product(number(id), |product| match field.as_str() {
                "title" => text.clone_into(&mut product.title),
                "description" => text.clone_into(&mut product.description_html),
                _ => {}
            })
            && matches!(field.as_str(), "title" | "description")
    }

    fn add(&self, entity: Entity) -> Option<ExternalId> {
        let shop = &self.bench.shop;
        let id = match entity {
            Entity::Product => shop.create_product("One more", |_| {}),
            Entity::Variant => shop.create_variant(shop.ids().into_iter().next()?, |_| {}),
            Entity::Category => shop.create_collection("One more", &[]),
            _ => return None,
        };
        Some(id.to_string().into())
    }

    fn delete(&self, entity: Entity, id: &ExternalId) -> bool {
        delete(&self.bench.shop, entity, id)
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
            Trouble::Refused => Fault::status(400),
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
                .matching(move |request| is_mutation(request) != is_read)
                .after(strike.after)
                .times(strike.times),
        );
    }

    fn delete_while_paging(&self, entity: Entity, ids: Vec<ExternalId>, after_pages: u64) {
        let field = match entity {
            Entity::Variant => "productVariants",
            Entity::Category => "collections",
            _ => "products",
        };
        self.bench.shop.after_request(after_pages, ShopifyFake::asks(field), move |shop| {
            for id in &ids {
                delete(shop, entity, id);
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
            Right::Nothing => self.bench.shop.revoke_token(&self.bench.token),
            Right::Read => self.bench.shop.grant_scopes([
                "read_products",
                "read_locales",
                "read_files",
                "read_translations",
            ]),
            _ => return false,
        }
        true
    }

    fn delivery(&self, entity: Entity, id: &ExternalId, secret: &Secret) -> Option<Incoming> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if self.language.is_some() {
            return None;
        }
        let (topic, kind) = match entity {
            Entity::Product => ("products/update", "Product"),
            Entity::Category => ("collections/update", "Collection"),
            _ => return None,
        };
        let now = self.bench.runtime.clock().now();
        let body = json!({
            "id": number(id), "admin_graphql_api_id": format!("gid://shopify/{kind}/{id}"),
            "updated_at": now.to_string(),
        });
        let body = body.to_string();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(body.as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("x-shopify-topic", topic.to_owned()),
            ("x-shopify-hmac-sha256", signature),
            ("x-shopify-shop-domain", "test-shop.myshopify.com".to_owned()),
            ("x-shopify-api-version", "2026-10".to_owned()),
            ("x-shopify-webhook-id", format!("{number:032x}")),
            ("x-shopify-event-id", format!("{number:08x}")),
            ("x-shopify-triggered-at", now.to_string()),
        ] {
            headers.insert(name, HeaderValue::from_str(&value).ok()?);
        }
        Incoming::new(headers, body, now).ok()
    }

    fn kill_subscription(&self, id: &ExternalId) -> bool {
        self.bench.shop.remove_subscription(number(id))
    }

    fn foreign_subscription(&self) -> Option<ExternalId> {
        let id = self.bench.shop.add_subscription("PRODUCTS_UPDATE", "https://stock.example.com/hook");
        Some(id.to_string().into())
    }

    fn has_subscription(&self, id: &ExternalId) -> bool {
        self.bench.shop.subscriptions().iter().any(|known| known.id == number(id))
    }

    fn calls_of_a_first_page(&self, entity: Entity) -> u64 {
        // A count that says whether a bulk job is worth while, one that proves the list, and the page; of products, the
        // variants that did not come with it, too.
        if entity == Entity::Product && self.language.is_none() { 4 } else { 3 }
    }

    fn peak_in_flight(&self) -> Option<u64> {
        Some(self.bench.server.traffic().peak_in_flight())
    }
}
