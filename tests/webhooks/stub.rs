//! The webhook routes of a store, and nothing else: what a real one was seen to answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::WooCommerceConfig;
use lily_connect::model::{Secret, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::exchange::{Request, Response};
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::transport::ReqwestTransport;
use serde_json::{Value, json};

#[derive(Default)]
pub struct Hooks {
    pub kept: BTreeMap<u64, Value>,
    pub last: u64,
    /// The most that a page holds, whatever is asked for.
    pub cap: Option<usize>,
    /// Whether the count is stripped.
    pub uncounted: bool,
}

impl Hooks {
    pub fn add(&mut self, name: &str, topic: &str, url: &str, status: &str) -> u64 {
        self.last += 1;
        let hook =
            json!({"id": self.last, "name": name, "status": status, "topic": topic, "delivery_url": url});
        self.kept.insert(self.last, hook);
        self.last
    }

    /// Ids, names, addresses and statuses.
    pub fn shown(&self) -> Vec<(u64, String, String, String)> {
        let text = |hook: &Value, key: &str| hook[key].as_str().unwrap().to_owned();
        let shown = |(id, hook): (&u64, &Value)| {
            (*id, text(hook, "name"), text(hook, "delivery_url"), text(hook, "status"))
        };
        self.kept.iter().map(shown).collect()
    }
}

pub struct Stub {
    pub hooks: Arc<Mutex<Hooks>>,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
}

pub async fn stub() -> Stub {
    let hooks = Arc::new(Mutex::new(Hooks::default()));
    let shared = Arc::clone(&hooks);
    let server = Service::new(move |request: &Request| answer(&mut shared.lock().unwrap(), request));
    let server = server.start().await.unwrap();
    let runtime = Runtime::with_parts(
        Arc::new(ReqwestTransport::new()),
        Arc::new(FakeClock::automatic()),
        Arc::new(SeededEntropy::new(7)),
    );
    let config = WooCommerceConfig::builder(server.url())
        .key("ck_1")
        .secret(Secret::new("cs_1"))
        .private_hosts(true)
        .profile(StoreProfile::unknown())
        .build()
        .unwrap();
    let connector: Arc<dyn Connector> = Arc::new(config.connect(&runtime).await.unwrap());
    Stub { hooks, server, connector }
}

fn answer(hooks: &mut Hooks, request: &Request) -> Response {
    let json = |status, body: &Value| {
        Response::new(status).with_header("content-type", "application/json").with_body(body.to_string())
    };
    let refused =
        |status, code: &str| json(status, &json!({"code": code, "message": "m", "data": {"status": status}}));
    let query = |name: &str| {
        let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
    };
    let Some(rest) = request.path.strip_prefix("/wp-json/wc/v3/webhooks") else {
        return refused(404, "rest_no_route");
    };
    match (request.method.as_str(), rest.trim_start_matches('/')) {
        ("GET", "") => {
            assert_eq!((query("orderby").as_deref(), query("order").as_deref()), (Some("id"), Some("asc")));
            let offset: usize = query("offset").unwrap().parse().unwrap();
            let per_page: usize = query("per_page").unwrap().parse().unwrap();
            assert!((1..=100).contains(&per_page), "the store refuses another page size");
            let page = hooks.kept.values().skip(offset).take(per_page.min(hooks.cap.unwrap_or(100)));
            // The secret is never shown.
            let page: Vec<Value> = page
                .cloned()
                .map(|mut hook| {
                    hook.as_object_mut().unwrap().remove("secret");
                    hook
                })
                .collect();
            let response = json(200, &Value::Array(page));
            if hooks.uncounted {
                return response;
            }
            response.with_header("x-wp-total", &hooks.kept.len().to_string())
        }
        ("POST", "") => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let known = ["product.created", "product.updated", "product.deleted", "product.restored"];
            if !known.contains(&body["topic"].as_str().unwrap_or_default()) {
                return refused(400, "woocommerce_rest_shop_webhook_invalid_topic");
            }
            let text = |key: &str| body[key].as_str().unwrap().to_owned();
            let id = hooks.add(&text("name"), &text("topic"), &text("delivery_url"), &text("status"));
            let mut shown = hooks.kept[&id].clone();
            hooks.kept.get_mut(&id).unwrap()["secret"] = body["secret"].clone();
            shown["hooks"] = json!(["woocommerce_update_product"]);
            json(201, &shown)
        }
        (method, id) => {
            let id: u64 = id.parse().unwrap();
            let Some(hook) = hooks.kept.get(&id) else {
                return refused(404, "woocommerce_rest_shop_webhook_invalid_id");
            };
            match (method, query("force").as_deref()) {
                ("GET", _) => json(200, hook),
                ("DELETE", Some("true")) => {
                    hooks.kept.remove(&id);
                    json(200, &json!({"id": id}))
                }
                ("DELETE", _) => refused(501, "woocommerce_rest_trash_not_supported"),
                _ => panic!("{method} of a webhook is never sent"),
            }
        }
    }
}
