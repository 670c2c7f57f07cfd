//! Replays recorded traffic of a real store against the fake.
//!
//! The recordings are no part of this crate: `LILY_SPECS_DIR` names the folder that holds `woocommerce/`.
//! Without it the test says loudly that it did nothing, and fails where `CI` is `true`.

#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the test reports what it replayed")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, Method};
use lily_connect::testkit::exchange::{Handler, Request, Response, Transport};
use lily_connect::testkit::json::Json;
use lily_connect::testkit::woocommerce::{
    ApiKey, GlobalAttribute, ManageStock, Permissions, Product, Role, Taxonomy, WooStore,
    signature_base_string,
};
use lily_connect::time::{Clock, Timestamp};

/// The files that are not replayed, each with the reason.
const LEFT: [(&str, &str); 11] = [
    ("options-product-item.json", "the fake answers no OPTIONS"),
    ("options-products.json", "the fake answers no OPTIONS"),
    ("options-variations.json", "the fake answers no OPTIONS"),
    ("options-webhooks.json", "the fake answers no OPTIONS"),
    ("wc-auth-callback.json", "sent by the store: in woocommerce_replay_sent.rs"),
    ("webhook-delivery-product-deleted.json", "sent by the store: in woocommerce_replay_sent.rs"),
    ("webhook-delivery-product-updated.json", "sent by the store: in woocommerce_replay_sent.rs"),
    ("webhook-delivery-variation-updated.json", "sent by the store: in woocommerce_replay_sent.rs"),
    ("webhook-ping.json", "sent by the store: in woocommerce_replay_sent.rs"),
    ("sample-catalog-facts.json", "facts, no traffic"),
    ("oauth1-vectors.json", "has a test of its own"),
];

#[derive(Debug)]
struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

#[async_trait]
impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _time: Duration) {}
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LILY_SPECS_DIR").map(|dir| Path::new(&dir).join("woocommerce"));
    if folder.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set where CI is true");
        // Straight to the stream, since the harness swallows what a passing test prints.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: LILY_SPECS_DIR is not set, so no recording was replayed");
    }
    folder
}

fn load(path: &Path) -> Json {
    Json::parse(&std::fs::read(path).unwrap()).unwrap()
}

/// One recording, taken apart.
struct Recording {
    name: String,
    json: Json,
}

impl Recording {
    fn request(&self, key: &str) -> &Json {
        self.json.get("request").and_then(|request| request.get(key)).unwrap_or(&Json::Null)
    }

    fn response(&self, key: &str) -> Option<&Json> {
        self.json.get("response").and_then(|response| response.get(key))
    }

    fn status(&self) -> u16 {
        u16::try_from(self.response("status").unwrap().as_int().unwrap()).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.response("headers").unwrap().as_object().unwrap();
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
    }

    fn date(&self) -> Timestamp {
        Timestamp::parse_http_date(self.header("date").unwrap()).unwrap()
    }

    fn url(&self) -> url::Url {
        self.request("url").as_str().unwrap().parse().unwrap()
    }
}

struct Keys {
    main: ApiKey,
    read: ApiKey,
    customer: ApiKey,
}

/// Builds the recorded request, with credentials in the place of the placeholders.
fn request(recording: &Recording, keys: &Keys) -> Request {
    let raw = recording.request("url").as_str().unwrap();
    let (scheme, rest) = raw.split_once("://").unwrap();
    let (host, target) = rest.split_once('/').unwrap();
    let target = format!("/{target}")
        .replace("<ck>", &keys.main.consumer_key)
        .replace("<cs>", &keys.main.consumer_secret);
    let transport = if scheme == "https" { Transport::Tls } else { Transport::Plain };
    let method: Method = recording.request("method").as_str().unwrap().parse().unwrap();
    let mut request = Request::new(method, &target, transport).with_header(http::header::HOST, host);
    for (name, value) in recording.request("headers").as_object().unwrap_or_default() {
        let value = value.as_str().unwrap_or_default();
        let name: HeaderName = name.parse().unwrap();
        request = if name == http::header::AUTHORIZATION {
            let key = match recording.name.as_str() {
                "error-401-unknown-key.json" => ApiKey::named("nobody", Permissions::Read, Role::Manager),
                "error-401-bad-secret.json" => {
                    ApiKey::new(&keys.main.consumer_key, "cs_wrong", Permissions::Read, Role::Manager)
                }
                "error-401-read-key-write.json" => keys.read.clone(),
                name if name.contains("customer") => keys.customer.clone(),
                _ => keys.main.clone(),
            };
            request.with_header(name, &key.basic())
        } else {
            request.with_header(name, value)
        };
    }
    match (recording.request("json"), recording.request("raw_body")) {
        (Json::Null, Json::String(text)) => request.with_body(text.as_bytes()),
        (Json::Null, _) => request,
        (json, _) => request.with_body(json.to_php()),
    }
}

/// Fills the store with what the recorded answer shows, and with fillers up to the recorded total.
fn seed(store: &WooStore, recording: &Recording, all: &[(u64, Json)]) {
    let path = recording.url().path().trim_start_matches("/wp-json/wc/v3/").to_owned();
    let query = recording.url().query().unwrap_or_default().to_owned();
    let body = recording.response("json").cloned().unwrap_or(Json::Null);
    store.insert_attribute(attribute(1, "Color"));
    store.insert_attribute(attribute(2, "Size"));
    let taxonomy = match path.trim_start_matches("products/") {
        "categories" => Some(Taxonomy::Category),
        "tags" => Some(Taxonomy::Tag),
        "brands" => Some(Taxonomy::Brand),
        "attributes/1/terms" => Some(Taxonomy::Attribute(1)),
        _ => None,
    };
    if path == "products/attributes" {
        for item in body.as_array().unwrap() {
            let id = item.get("id").unwrap().as_id().unwrap();
            store.insert_attribute(attribute(id, item.get("name").unwrap().as_str().unwrap()));
        }
        return;
    }
    if let (Some(taxonomy), Json::Array(items)) = (taxonomy, &body) {
        for item in items {
            store.seed_term(item, taxonomy);
        }
        return;
    }
    // A term that an error names as being there already.
    if let Some(id) = body.get("data").and_then(|data| data.get("resource_id")).and_then(Json::as_id) {
        match (taxonomy, recording.request("json").get("name")) {
            (Some(taxonomy), Some(name)) => {
                let term = Json::object([("id", Json::from(id)), ("name", name.clone())]);
                store.seed_term(&term, taxonomy);
                return;
            }
            _ => {
                let sku = body.get("data").unwrap().get("unique_sku").unwrap().as_str().unwrap();
                let mut owner = Product::new(id, "Owner", recording.date());
                sku.trim_end_matches("-1").clone_into(&mut owner.sku);
                store.insert(owner);
            }
        }
    }
    let total: usize = recording.header("x-wp-total").and_then(|total| total.parse().ok()).unwrap_or(0);
    let objects: Vec<Json> = match &body {
        Json::Array(items) => items.clone(),
        Json::Object(_) if body.get("id").is_some() => vec![body.clone()],
        Json::Object(_) => ["create", "update", "delete"]
            .iter()
            .flat_map(|part| body.get(part).and_then(Json::as_array).unwrap_or_default().to_vec())
            .filter(|item| item.get("error").is_none())
            .collect(),
        _ => Vec::new(),
    };
    let is_products =
        path.starts_with("products") || path.starts_with("variations") || query.contains("rest_route");
    if !is_products || recording.name == "shipping-classes-list.json" {
        return;
    }
    let creates = recording.name == "product-create.json";
    if creates {
        // The two images of the body took the ids 4016 and 4017, the product the next one.
        store.insert(Product::new(4015, "Filler", recording.date()));
    }
    for object in objects.iter().filter(|_| !creates) {
        // What an answer shows only of images and terms of others is filled from the other recordings.
        let id = object.get("id").and_then(Json::as_id).unwrap();
        let parent = object.get("parent_id").and_then(Json::as_id);
        if let Some(parent) = parent.filter(|parent| store.product(*parent).is_none()) {
            match all.iter().find(|(known, _)| *known == parent) {
                Some((_, known)) => drop(store.seed_object(known, None)),
                None => store.insert(variable(parent, recording.date())),
            }
        }
        if object.get("manage_stock").and_then(Json::as_str) == Some("parent") {
            store.edit_in_silence(parent.unwrap(), |parent| {
                parent.manage_stock = ManageStock::Yes;
                parent.stock_quantity = object.get("stock_quantity").and_then(Json::as_int);
            });
        }
        store.seed_object(object, None);
        assert!(store.product(id).is_some());
        // Prices of variable and grouped products follow from those below.
        for key in ["variations", "grouped_products"] {
            let children = object.get(key).and_then(Json::as_array).unwrap_or_default();
            for (at, child) in children.iter().enumerate() {
                let child = child.as_id().unwrap();
                match all.iter().find(|(known, _)| *known == child).filter(|_| store.product(child).is_none())
                {
                    Some((_, known)) => drop(store.seed_object(known, None)),
                    None if store.product(child).is_none() => {
                        let mut filler = Product::new(child, "Filler", recording.date());
                        if key == "variations" {
                            filler = Product::new_variation(child, id, recording.date());
                        }
                        filler.menu_order = i64::try_from(at).unwrap();
                        filler.regular_price = object.get("price").unwrap().as_str().unwrap().to_owned();
                        if object.get("on_sale") == Some(&Json::Bool(true)) {
                            filler.sale_price.clone_from(&filler.regular_price);
                            filler.regular_price = "999".to_owned();
                        }
                        store.insert(filler);
                    }
                    None => {}
                }
            }
        }
    }
    // Products that a request names, but whose answer shows none of them.
    for id in ["products/14", "products/44", "products/4018", "products/4022", "products/11", "products/4021"]
    {
        let number: u64 = id.trim_start_matches("products/").parse().unwrap();
        let batch = path.ends_with("batch");
        if (path.starts_with(id) || batch) && store.product(number).is_none() {
            let mut product = variable(number, recording.date());
            "simple".clone_into(&mut product.kind);
            if recording.name.contains("already-trashed") {
                "trash".clone_into(&mut product.status);
            }
            store.insert(product);
        }
    }
    if recording.name == "batch-update-mixed.json" {
        let mut owner = Product::new(15, "Beanie", recording.date());
        "woo-beanie".clone_into(&mut owner.sku);
        store.insert(owner);
        store.insert(Product::new_variation(27, 11, recording.date()));
    }
    fill(store, recording, &objects, total, &path);
}

/// Makes the webhooks that a request takes for granted: one before the recorded one, and that one itself
/// where it was not made by the request.
fn seed_webhooks(store: &WooStore, clock: &FixedClock, recording: &Recording, key: &ApiKey) {
    let body = recording.response("json").cloned().unwrap_or(Json::Null);
    let text = |name: &str| body.get(name).and_then(Json::as_str);
    let (true, Some(created)) = (recording.name.starts_with("webhook-"), text("date_created_gmt")) else {
        return;
    };
    let filler = Json::object([
        ("topic", Json::text("product.created")),
        ("delivery_url", Json::text("http://127.0.0.1:9099/x")),
    ]);
    let recorded = (recording.name != "webhook-create.json").then(|| {
        Json::object(["name", "topic", "delivery_url"].map(|name| (name, body.get(name).unwrap().clone())))
    });
    clock.set(Timestamp::parse_utc_civil(created).unwrap());
    for body in std::iter::once(filler).chain(recorded) {
        let request = Request::new(Method::POST, "/wp-json/wc/v3/webhooks", Transport::Tls)
            .with_header(http::header::AUTHORIZATION, &key.basic())
            .with_header(http::header::CONTENT_TYPE, "application/json")
            .with_body(body.to_php());
        assert_eq!(store.handle(&request).status.as_u16(), 201);
    }
    clock.set(recording.date());
}

/// Adds fillers on both sides of the recorded page, so that totals and links come out as recorded.
fn fill(store: &WooStore, recording: &Recording, objects: &[Json], total: usize, path: &str) {
    let query: Vec<(String, String)> = recording.url().query_pairs().into_owned().collect();
    let number = |name: &str| -> usize {
        query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    };
    let per_page = if number("per_page") == 0 { 10 } else { number("per_page") };
    let before =
        if number("offset") > 0 { number("offset") } else { number("page").saturating_sub(1) * per_page };
    let before = before.min(total - objects.len().min(total));
    let first = objects.iter().filter_map(|o| o.get("id").and_then(Json::as_id)).min().unwrap_or(1_000_000);
    let status = query.iter().find(|(key, _)| key == "status").map_or("publish", |(_, status)| status);
    // Orders other than ascending ids list the newest first, so that fillers after the page are older.
    let ascending = query.iter().any(|(key, value)| key == "order" && value == "asc");
    let add = |id: u64, time: Timestamp| {
        let mut filler = if path.contains("variations") {
            Product::new_variation(id, 11, time)
        } else {
            Product::new(id, format!("Filler {id}"), time)
        };
        status.clone_into(&mut filler.status);
        store.insert(filler);
    };
    let mut id = first;
    for _ in 0..before {
        id -= 1;
        while store.product(id).is_some() {
            id -= 1;
        }
        add(id, recording.date());
    }
    let count = |store: &WooStore| {
        if path.contains("variations") { store.variation_count() } else { store.product_count() }
    };
    let start = if ascending { recording.date() } else { Timestamp::UNIX_EPOCH };
    let mut id = 5_000_000;
    while count(store) < total {
        id += 1;
        add(id, start);
    }
}

fn attribute(id: u64, name: &str) -> GlobalAttribute {
    GlobalAttribute { id, name: name.to_owned(), slug: format!("pa_{}", name.to_lowercase()) }
}

fn variable(id: u64, now: Timestamp) -> Product {
    let mut product = Product::new(id, "Parent", now);
    "variable".clone_into(&mut product.kind);
    product
}

fn set_conditions(store: &WooStore, name: &str) {
    store.set_conditions(|site| {
        site.maintenance = name.contains("maintenance");
        site.database_down = name.contains("database-down");
        site.php_fatal = name.contains("php-fatal");
        site.bad_gateway = name.contains("nginx");
        site.plain_permalinks = name.contains("plain-permalinks-pretty-url");
        site.php_noise = name.contains("noise-php");
        site.byte_order_mark = name.contains("noise-bom");
    });
}

/// The keys whose values differ by nature: drawn anew, made of wording, or stamped by the write.
const VOLATILE: [&str; 9] = [
    "related_ids",
    "price_html",
    "date_modified",
    "date_modified_gmt",
    "message",
    "count",
    "tip",
    "description",
    "additional_errors",
];

/// Compares two bodies: keys in order, types, and values where `values` says so.
fn compare(path: &str, wanted: &Json, found: &Json, values: bool, out: &mut Vec<String>) {
    match (wanted, found) {
        (Json::Object(wanted), Json::Object(found)) => {
            let names =
                |entries: &[(String, Json)]| entries.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>();
            if names(wanted) != names(found) {
                out.push(format!("{path}: keys {:?} instead of {:?}", names(found), names(wanted)));
            }
            for (key, value) in wanted {
                if let Some((_, other)) = found.iter().find(|(name, _)| name == key) {
                    let values = values && !VOLATILE.contains(&key.as_str());
                    compare(&format!("{path}.{key}"), value, other, values, out);
                }
            }
        }
        (Json::Array(wanted), Json::Array(found)) => {
            if values && wanted.len() != found.len() {
                out.push(format!("{path}: {} items instead of {}", found.len(), wanted.len()));
            }
            for (at, (one, other)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{path}[{at}]"), one, other, values, out);
            }
        }
        (Json::Int(_) | Json::Float(_), Json::Int(_) | Json::Float(_))
        | (Json::String(_), Json::String(_))
        | (Json::Bool(_), Json::Bool(_))
        | (Json::Null, Json::Null) => {
            if values && wanted != found {
                out.push(format!("{path}: {} instead of {}", found.to_php(), wanted.to_php()));
            }
        }
        _ => out.push(format!("{path}: {} instead of {}", found.to_php(), wanted.to_php())),
    }
}

/// Takes over the local dates that are one hour later, as in summer.
fn without_summer_time(wanted: Json, found: &Json) -> Json {
    match wanted {
        Json::Array(items) => Json::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(at, item)| match found.as_array().and_then(|found| found.get(at)) {
                    Some(found) => without_summer_time(item, found),
                    None => item,
                })
                .collect(),
        ),
        Json::Object(entries) => Json::Object(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let time = |value: &Json| value.as_str().and_then(|t| Timestamp::parse_utc_civil(t).ok());
                    let other = found.get(&key);
                    let hour = match (key.as_str(), time(&value), other.and_then(time)) {
                        ("date_created", Some(one), Some(other)) => one.since(other).as_secs(),
                        _ => 0,
                    };
                    let value = if hour == 3600 { other.cloned().unwrap() } else { value };
                    (key, value)
                })
                .collect(),
        ),
        other => other,
    }
}

fn compare_headers(recording: &Recording, response: &Response, out: &mut Vec<String>) {
    let names = [
        "content-type",
        "x-wp-total",
        "x-wp-totalpages",
        "link",
        "allow",
        "retry-after",
        "location",
        "vary",
        "cache-control",
        "x-robots-tag",
        "x-redirect-by",
    ];
    for name in names {
        let wanted = recording.header(name);
        let found = response.header(name);
        // Placeholders and keys of the recorder stand in some links.
        let masked = wanted.is_some_and(|wanted| wanted.contains("<ck>") || wanted.contains("oauth_"));
        let alike = if masked { found.is_some() } else { wanted == found };
        if !alike {
            out.push(format!("header {name}: {found:?} instead of {wanted:?}"));
        }
    }
}

fn replay(recording: &Recording, all: &[(u64, Json)]) -> Vec<String> {
    let clock = FixedClock::at(recording.date());
    let store = WooStore::new(Arc::<FixedClock>::clone(&clock));
    let keys = Keys {
        main: store.issue_key("main", Permissions::ReadWrite, Role::Manager),
        read: store.issue_key("read", Permissions::Read, Role::Manager),
        customer: store.issue_key("customer", Permissions::ReadWrite, Role::Customer),
    };
    store.configure(|settings| "Woo Loopback".clone_into(&mut settings.name));
    seed(&store, recording, all);
    seed_webhooks(&store, &clock, recording, &keys.main);
    set_conditions(&store, &recording.name);
    let mut request = request(recording, &keys);
    if recording.name.contains("oauth") {
        sign_again(&mut request, recording, &keys.main);
    }
    if recording.name.contains("oauth-nonce") {
        store.handle(&request);
    }
    let response = store.handle(&request);
    let mut out = Vec::new();
    if response.status.as_u16() != recording.status() {
        out.push(format!("status {} instead of {}", response.status, recording.status()));
    }
    compare_headers(recording, &response, &mut out);
    let text = String::from_utf8_lossy(&response.body).into_owned();
    match (recording.response("json"), recording.response("raw_body").and_then(Json::as_str)) {
        (Some(wanted), _) => match Json::parse(text.as_bytes()) {
            Ok(found) => {
                // The site's zone has summer time and the fake's has not, so old local dates may differ.
                let wanted = &without_summer_time(wanted.clone(), &found);
                let values = !matches!(recording.name.as_str(), "product-create.json" | "wp-json-root.json");
                compare("", wanted, &found, values, &mut out);
                if wanted.get("code") != found.get("code") {
                    out.push("the code differs".to_owned());
                }
            }
            Err(_) => out.push("the body is no JSON".to_owned()),
        },
        (None, Some(raw)) => {
            let kind = |text: &str| {
                let rest = text.trim_start_matches('\u{feff}');
                (text.len() > rest.len(), rest.trim_start().starts_with('<'), text.trim_end().ends_with(']'))
            };
            if kind(raw) != kind(&text) {
                out.push(format!("the body is of another kind: {text:?}"));
            }
        }
        (None, None) => {}
    }
    out
}

/// Signs a recorded OAuth request again with our own key, but keeps what was wrong with it.
fn sign_again(request: &mut Request, recording: &Recording, key: &ApiKey) {
    use base64::Engine as _;
    use hmac::{KeyInit, Mac};
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(request.query.as_bytes())
        .into_owned()
        .filter(|(name, _)| name != "oauth_signature")
        .collect();
    pairs.iter_mut().filter(|(_, value)| value == "<ck>").for_each(|(_, v)| v.clone_from(&key.consumer_key));
    let url = recording.request("url").as_str().unwrap().split('?').next().unwrap();
    let base = signature_base_string(request.method.as_str(), url, &pairs);
    let mut mac =
        hmac::Hmac::<sha2::Sha256>::new_from_slice(format!("{}&", key.consumer_secret).as_bytes()).unwrap();
    mac.update(base.as_bytes());
    let mut signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    if recording.name.contains("oauth-signature") {
        signature.replace_range(0..4, "AAAA");
    }
    pairs.push(("oauth_signature".to_owned(), signature));
    request.query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
}

#[test]
fn recorded_traffic_is_answered_as_the_real_store_answered_it() {
    let Some(folder) = folder() else { return };
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    let left: BTreeSet<&str> = LEFT.iter().map(|(name, _)| *name).collect();
    let recordings: Vec<Recording> = names
        .into_iter()
        .filter(|name| !left.contains(name.as_str()))
        .map(|name| Recording { json: load(&folder.join(&name)), name })
        .collect();
    let mut all = Vec::new();
    for recording in &recordings {
        let body = recording.response("json").cloned().unwrap_or(Json::Null);
        let items = body.as_array().map_or_else(|| vec![body.clone()], <[Json]>::to_vec);
        for item in items {
            if let (Some(id), Some(_)) = (item.get("id").and_then(Json::as_id), item.get("permalink")) {
                all.push((id, item));
            }
        }
    }
    let mut failed = 0;
    for recording in &recordings {
        let differences = replay(recording, &all);
        if differences.is_empty() {
            println!("replayed {}", recording.name);
        } else {
            failed += 1;
            println!("DIFFERS  {}", recording.name);
            for difference in differences.iter().take(12) {
                println!("         {difference}");
            }
        }
    }
    for (name, reason) in LEFT {
        assert!(folder.join(name).exists(), "{name} is in the list of files left out, but not there");
        println!("left     {name}: {reason}");
    }
    let _ = writeln!(std::io::stderr(), "{} recordings replayed, {} left", recordings.len(), LEFT.len());
    assert_eq!(failed, 0, "{failed} recordings differ");
}

#[test]
fn recorded_oauth_signatures_pass_the_fakes_verifier() {
    let Some(folder) = folder() else { return };
    let vectors = load(&folder.join("oauth1-vectors.json"));
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let vectors_list = vectors.get("vectors").unwrap().as_array().unwrap();
    for vector in vectors_list {
        let url: url::Url = text(vector, "sent_url").parse().unwrap();
        let authorization = text(vector, "sent_authorization");
        let stamp = format!("{url}{authorization}")
            .split("oauth_timestamp=")
            .nth(1)
            .map(|rest| {
                rest.trim_start_matches('"').chars().take_while(char::is_ascii_digit).collect::<String>()
            })
            .unwrap();
        let now = Timestamp::from_unix_seconds(stamp.parse().unwrap()).unwrap();
        let store = WooStore::new(FixedClock::at(now));
        let (key, secret) = (text(&vectors, "consumer_key"), text(&vectors, "consumer_secret"));
        store.add_key(ApiKey::new(&key, &secret, Permissions::ReadWrite, Role::Manager));
        store.insert(Product::new(4018, "Lab", now));
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let transport = if url.scheme() == "https" { Transport::Tls } else { Transport::Plain };
        let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let mut request = Request::new(text(vector, "method").parse().unwrap(), &target, transport)
            .with_header(http::header::HOST, &host);
        if !authorization.is_empty() {
            request = request.with_header(http::header::AUTHORIZATION, &authorization);
        }
        let response = store.handle(&request);
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status.as_u16(), 200, "{}: {body}", text(vector, "label"));
        // The same nonce once more, then the same request with one letter changed.
        assert!(
            String::from_utf8_lossy(&store.handle(&request).body).contains("nonce has already been used")
        );
        request.query = request.query.replace("oauth_nonce=", "oauth_nonce=0");
        request.headers.remove(http::header::AUTHORIZATION);
        assert_eq!(store.handle(&request).status.as_u16(), 401);
    }
    println!("{} OAuth vectors verified", vectors_list.len());
    assert!(vectors_list.len() > 10);
}
