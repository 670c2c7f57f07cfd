//! A stand-in of either platform, asked for what the examples are held against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};
use lily_connect::testkit::bigcommerce::{BigCommerceFake, Plan};
use lily_connect::testkit::exchange::{Handler, Request, Transport};
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::magento::{GLOBAL, Integration, MagentoFake};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::ShopifyFake;
use lily_connect::testkit::traffic::Entry;
use lily_connect::testkit::woocommerce::{ApiKey, Permissions, Role, Taxonomy, WooStore};
use lily_connect::time::SystemClock;
use lily_connect::{ConnectorConfig, Entity};
use serde_json::{Value, json};

use crate::recorded;

/// More points than any test here spends, so that none waits for them.
const POINTS: f64 = 10_000_000.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    WooCommerce,
    Shopify,
    Magento,
    BigCommerce,
}

impl Platform {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WooCommerce => "woocommerce",
            Self::Shopify => "shopify",
            Self::Magento => "magento",
            Self::BigCommerce => "bigcommerce",
        }
    }

    /// The variable that holds the store's address.
    pub(crate) const fn address(self) -> &'static str {
        match self {
            Self::WooCommerce => "WOOCOMMERCE_URL",
            Self::Shopify => "SHOPIFY_URL",
            Self::Magento => "MAGENTO_URL",
            Self::BigCommerce => "BIGCOMMERCE_URL",
        }
    }

    /// The kinds of record that a catalogue is pulled as, in their order.
    pub(crate) fn entities(self) -> Vec<Entity> {
        match self {
            Self::WooCommerce => {
                Entity::ALL.into_iter().filter(|entity| *entity != Entity::Performance).collect()
            }
            Self::Shopify | Self::Magento => vec![Entity::Product, Entity::Variant, Entity::Category],
            Self::BigCommerce => vec![Entity::Product, Entity::Variant, Entity::Category, Entity::Brand],
        }
    }

    /// How often a pull is killed in one test: half of these must have been under way.
    pub(crate) const fn rounds(self) -> u32 {
        match self {
            Self::WooCommerce => 20,
            Self::Shopify | Self::Magento | Self::BigCommerce => 10,
        }
    }

    /// How many calls change a product's texts and its tags.
    pub(crate) const fn calls_of_a_push(self) -> usize {
        match self {
            Self::WooCommerce | Self::Magento | Self::BigCommerce => 1,
            Self::Shopify => 2,
        }
    }
}

impl Platform {
    /// The field of a list that a push changes, and the change.
    pub(crate) fn list_change(self) -> (&'static str, Value) {
        match self {
            Self::WooCommerce | Self::Shopify | Self::BigCommerce => ("tags", json!({"add": ["Ours"]})),
            // An attribute that simple products do not have.
            Self::Magento => ("attributes", json!({"update": {"Size": ["XL"]}})),
        }
    }
}

/// A store, and the credentials of the examples.
pub(crate) enum Fake {
    WooCommerce(WooStore, ApiKey),
    Shopify(ShopifyFake, String),
    Magento(MagentoFake, Box<Integration>),
    BigCommerce(BigCommerceFake, String),
}

impl Fake {
    /// The sample catalogue, or one of about 20 products.
    pub(crate) fn sample(platform: Platform) -> Self {
        match platform {
            Platform::WooCommerce => Self::woocommerce(|store| drop(store.seed_sample())),
            Platform::Shopify => Self::shopify(20, 7),
            Platform::Magento => Self::magento(20, 7),
            Platform::BigCommerce => Self::bigcommerce(20, 7),
        }
    }

    /// A generated catalogue that is large: with about that many products.
    pub(crate) fn generated(platform: Platform, products: usize, seed: u64) -> Self {
        match platform {
            Platform::WooCommerce => {
                Self::woocommerce(|store| store.seed_generated(products, products - products / 20, seed))
            }
            // Its stand-in takes longer for a product, so these are fewer.
            Platform::Shopify => Self::shopify(products / 4, seed),
            Platform::Magento => Self::magento(products / 8, seed),
            Platform::BigCommerce => Self::bigcommerce(products, seed),
        }
    }

    fn woocommerce(seed: impl FnOnce(&WooStore)) -> Self {
        let store = WooStore::new(Arc::new(SystemClock::default()));
        seed(&store);
        let key = store.issue_key("examples", Permissions::ReadWrite, Role::Manager);
        Self::WooCommerce(store, key)
    }

    fn shopify(products: usize, seed: u64) -> Self {
        let shop = ShopifyFake::builder(Arc::new(SystemClock::default())).seed(seed).build();
        shop.set_bucket(POINTS, POINTS);
        shop.seed_products(products);
        let token = shop.issue_token("of_the_examples");
        Self::Shopify(shop, token)
    }

    fn magento(products: usize, seed: u64) -> Self {
        let store = MagentoFake::builder(Arc::new(SystemClock::default())).seed(seed).build();
        store.seed_products(products);
        let keys = store.issue_integration("examples");
        Self::Magento(store, Box::new(keys))
    }

    fn bigcommerce(products: usize, seed: u64) -> Self {
        let clock = Arc::new(SystemClock::default());
        let store = BigCommerceFake::builder(clock).plan(Plan::Unlimited).seed(seed).build();
        store.seed_products(products);
        let token = store.issue_token("of_the_examples");
        Self::BigCommerce(store, token)
    }

    pub(crate) const fn platform(&self) -> Platform {
        match self {
            Self::Magento(..) => Platform::Magento,
            Self::WooCommerce(..) => Platform::WooCommerce,
            Self::Shopify(..) => Platform::Shopify,
            Self::BigCommerce(..) => Platform::BigCommerce,
        }
    }

    pub(crate) fn service(&self) -> Service {
        let service = match self {
            Self::WooCommerce(store, _) => Service::new(store.clone()),
            Self::Shopify(shop, _) => Service::new(shop.clone()),
            Self::Magento(store, _) => Service::new(store.clone()),
            Self::BigCommerce(store, _) => Service::new(store.clone()),
        };
        recorded::received(service.faults());
        service
    }

    pub(crate) fn handle(&self, request: &Request) -> lily_connect::testkit::exchange::Response {
        match self {
            Self::WooCommerce(store, _) => store.handle(request),
            Self::Shopify(shop, _) => shop.handle(request),
            Self::Magento(store, _) => store.handle(request),
            Self::BigCommerce(store, _) => store.handle(request),
        }
    }

    pub(crate) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::WooCommerce(_, key) => vec![&key.consumer_key, &key.consumer_secret],
            Self::Shopify(_, token) | Self::BigCommerce(_, token) => vec![token],
            Self::Magento(_, keys) => {
                vec![&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret]
            }
        }
    }

    /// The environment that leads to it.
    pub(crate) fn variables(&self, url: String) -> BTreeMap<&'static str, String> {
        let platform = self.platform();
        let mut all = BTreeMap::from([
            ("LILY_CONNECTOR", platform.name().to_owned()),
            ("LILY_ALLOW_PRIVATE_HOSTS", "1".to_owned()),
            (platform.address(), url),
        ]);
        all.extend(match self {
            Self::WooCommerce(_, key) => vec![
                ("WOOCOMMERCE_KEY", key.consumer_key.clone()),
                ("WOOCOMMERCE_SECRET", key.consumer_secret.clone()),
            ],
            Self::Shopify(shop, token) => vec![
                ("SHOPIFY_SHOP", shop.settings().myshopify_domain),
                ("SHOPIFY_ACCESS_TOKEN", token.clone()),
            ],
            Self::Magento(_, keys) => vec![
                ("MAGENTO_CONSUMER_KEY", keys.consumer_key.clone()),
                ("MAGENTO_CONSUMER_SECRET", keys.consumer_secret.clone()),
                ("MAGENTO_TOKEN", keys.access_token.clone()),
                ("MAGENTO_TOKEN_SECRET", keys.access_token_secret.clone()),
            ],
            Self::BigCommerce(store, token) => vec![
                ("BIGCOMMERCE_STORE_HASH", store.settings().store_hash),
                ("BIGCOMMERCE_ACCESS_TOKEN", token.clone()),
            ],
        });
        all
    }

    pub(crate) fn settings(&self, url: String) -> ConnectorConfig {
        let variables = self.variables(url);
        ConnectorConfig::from_lookup(&|name| variables.get(name).map(Into::into)).unwrap()
    }

    /// The ids of all records by kind.
    pub(crate) fn expected(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut all: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let mut add = |kind: &str, id| assert!(all.entry(kind.to_owned()).or_default().insert(id));
        match self {
            Self::WooCommerce(store, _) => {
                for id in store.ids() {
                    add(if store.product(id).unwrap().parent_id == 0 { "product" } else { "variant" }, id);
                }
                for term in store.all_terms() {
                    match term.taxonomy {
                        Taxonomy::Category => add("category", term.id),
                        Taxonomy::Tag => add("tag", term.id),
                        Taxonomy::Brand => add("brand", term.id),
                        Taxonomy::Attribute(_) => add("attribute_value", term.id),
                        Taxonomy::ShippingClass => {}
                    }
                }
                store.all_attributes().iter().for_each(|attribute| add("attribute", attribute.id));
            }
            Self::Shopify(shop, _) => {
                for product in shop.snapshot() {
                    add("product", product.id);
                    product.variants.iter().for_each(|id| add("variant", *id));
                }
                shop.collection_ids().into_iter().for_each(|id| add("category", id));
            }
            // A child is a product like any other, and a variant, too.
            Self::Magento(store, _) => {
                for id in store.ids() {
                    add("product", id);
                    store.product(id).unwrap().children.iter().for_each(|child| add("variant", *child));
                }
                store.category_ids().into_iter().for_each(|id| add("category", id));
            }
            Self::BigCommerce(store, _) => {
                store.ids().into_iter().for_each(|id| add("product", id));
                store.variant_ids().into_iter().for_each(|id| add("variant", id));
                store.category_ids().into_iter().for_each(|id| add("category", id));
                store.brand_ids().into_iter().for_each(|id| add("brand", id));
            }
        }
        all
    }

    /// How many products and variants there are, as the store itself says.
    pub(crate) fn totals(&self) -> (usize, usize) {
        match self {
            Self::WooCommerce(store, key) => {
                let total = |route: &str| {
                    let target = format!("/wp-json/wc/v3/{route}?per_page=1");
                    let request = Request::new(Method::GET, &target, Transport::Tls)
                        .with_header(header::AUTHORIZATION, &key.basic());
                    let response = store.handle(&request);
                    response.header("x-wp-total").map(str::parse).unwrap().unwrap()
                };
                (total("products"), total("variations"))
            }
            Self::Shopify(shop, _) => (shop.product_count(), shop.variant_count()),
            Self::Magento(store, _) => {
                let children =
                    store.ids().into_iter().map(|id| store.product(id).unwrap().children.len()).sum();
                (store.product_count(), children)
            }
            Self::BigCommerce(store, _) => (store.ids().len(), store.variant_ids().len()),
        }
    }

    /// All products, without what every save moves.
    pub(crate) fn content(&self) -> Vec<String> {
        match self {
            Self::WooCommerce(store, _) => {
                let strip = |text: &str| {
                    let mut json: Value = serde_json::from_str(text).unwrap();
                    for key in ["date_modified", "date_modified_gmt", "related_ids", "_links"] {
                        json.as_object_mut().unwrap().remove(key);
                    }
                    json.to_string()
                };
                store.snapshot().iter().map(|(_, text)| strip(text)).collect()
            }
            Self::Shopify(shop, _) => {
                let strip = |mut product: lily_connect::testkit::shopify::Product| {
                    product.updated_at = product.created_at;
                    format!("{product:?}")
                };
                shop.snapshot().into_iter().map(strip).collect()
            }
            Self::Magento(store, _) => store.snapshot().into_iter().map(|all| format!("{all:?}")).collect(),
            Self::BigCommerce(store, _) => {
                let strip = |text: &str| {
                    let mut json: Value = serde_json::from_str(text).unwrap();
                    json.as_object_mut().unwrap().remove("date_modified");
                    // One that was put back stands behind the others.
                    let keywords = json["search_keywords"].as_str().unwrap().to_owned();
                    let mut keywords: Vec<&str> = keywords.split(',').map(str::trim).collect();
                    keywords.sort_unstable();
                    json["search_keywords"] = keywords.join(",").into();
                    json.to_string()
                };
                store.snapshot().iter().map(|(_, text)| strip(text)).collect()
            }
        }
    }

    /// The title of a product, and how many tags it has; of a store without tags, how many attributes.
    pub(crate) fn title_and_tags(&self, id: u64) -> (String, usize) {
        match self {
            Self::WooCommerce(store, _) => {
                let product = store.product(id).unwrap();
                (product.name, product.tags.len())
            }
            Self::Shopify(shop, _) => {
                let product = shop.product(id).unwrap();
                (product.title, product.tags.len())
            }
            Self::Magento(store, _) => {
                let product = store.product(id).unwrap();
                let own =
                    |code: &&String| store.attribute(code).is_some_and(|attribute| attribute.user_defined);
                let attributes = product.values[&GLOBAL].keys().filter(own).count();
                (product.own(GLOBAL, "name").unwrap().to_owned(), attributes)
            }
            Self::BigCommerce(store, _) => {
                let product = store.product(id).unwrap();
                let keywords = product.text("search_keywords").split(',');
                (product.text("name").to_owned(), keywords.filter(|word| !word.trim().is_empty()).count())
            }
        }
    }

    /// How many calls asked for a change. The check of a WooCommerce store sends an empty batch, `{}`, to learn
    /// whether the key may write; it asks for none.
    pub(crate) fn changes(&self, server: &Server) -> usize {
        match self {
            Self::WooCommerce(..) => {
                let is_nothing =
                    |entry: &Entry| entry.path.ends_with("/products/batch") && entry.body_bytes == 2;
                server.traffic().count_where(|entry| entry.is_write() && !is_nothing(entry))
            }
            Self::Shopify(shop, _) => shop.calls().iter().filter(|call| call.mutation).count(),
            Self::Magento(..) => server.traffic().count_where(Entry::is_write),
            // Its check sends an empty batch, `[]`.
            Self::BigCommerce(..) => {
                server.traffic().count_where(|entry| entry.is_write() && entry.body_bytes != 2)
            }
        }
    }

    /// How many pages of lists were asked for.
    pub(crate) fn lists(&self, server: &Server) -> usize {
        match self {
            Self::WooCommerce(..) => {
                server.traffic().count_where(|entry| entry.query.contains("per_page=100"))
            }
            Self::Shopify(shop, _) => {
                let lists = ["products", "productVariants", "collections"];
                let is_list = |field: &String| lists.contains(&field.as_str());
                shop.calls().iter().filter(|call| call.fields.iter().any(is_list)).count()
            }
            Self::Magento(..) => {
                let is_page = |entry: &Entry| entry.query.contains("pageSize%5D=100");
                server.traffic().count_where(|entry| entry.path.ends_with("/V1/products") && is_page(entry))
            }
            // Discovery asks for one product.
            Self::BigCommerce(..) => {
                let is_probe = |entry: &Entry| entry.query.split('&').any(|part| part == "limit=1");
                server.traffic().count_where(|entry| entry.query.contains("limit=") && !is_probe(entry))
            }
        }
    }

    /// Lets the first write of a product take that long.
    pub(crate) fn slow_write(&self, time: Duration) -> FaultRule {
        let rule = FaultRule::new(Fault::Delay(time));
        match self {
            // The first is that of the check.
            Self::WooCommerce(..) => rule.on_method("POST").on_path("/products/").after(1),
            Self::Shopify(..) => rule.matching(ShopifyFake::asks("productUpdate")),
            Self::Magento(..) => rule.on_method("POST").on_path("/V1/products"),
            Self::BigCommerce(..) => {
                rule.matching(|request| BigCommerceFake::is_write(request) && request.body.len() != 2)
            }
        }
    }

    /// The answer to a request with one product in its lists that cannot be mapped.
    pub(crate) fn with_a_broken_product(
        &self,
        request: &Request,
    ) -> lily_connect::testkit::exchange::Response {
        let mut response = self.handle(request);
        let (whole, broken) = match self {
            Self::WooCommerce(store, _) if request.path.ends_with("/products") => {
                let id = store.ids()[0];
                (format!("\"id\":{id},\"name\""), "\"id\":[],\"name\"".to_owned())
            }
            Self::WooCommerce(..) => return response,
            Self::Shopify(shop, _) => {
                let whole = format!("\"id\":\"gid://shopify/Product/{}\",\"title\":\"", shop.ids()[0]);
                let broken = format!("{whole}\\ud800");
                (whole, broken)
            }
            Self::Magento(store, _) => {
                let whole = format!("\"id\":{},\"sku\":\"", store.ids()[0]);
                let broken = format!("{whole}\\ud800");
                (whole, broken)
            }
            Self::BigCommerce(store, _) if BigCommerceFake::is_product_list(request) => {
                let id = store.ids()[0];
                (format!("\"id\":{id},\"name\""), "\"id\":[],\"name\"".to_owned())
            }
            Self::BigCommerce(..) => return response,
        };
        let text = String::from_utf8(response.body).unwrap();
        response.body = text.replace(&whole, &broken).into_bytes();
        response
    }
}
