//! The fake store's write rules, one assertion for each observed fact; authentication and broken states.

#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, header};
use lily_connect::testkit::exchange::{Handler, Request, Response, Transport};
use lily_connect::testkit::woocommerce::{
    ApiKey, ManageStock, Permissions, Product, Role, Taxonomy, WooStore,
};
use lily_connect::time::{Clock, Timestamp};
use serde_json::{Value, json};

#[derive(Debug)]
struct HandClock(Mutex<Timestamp>);

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _time: Duration) {}
}

struct Shop {
    store: WooStore,
    key: ApiKey,
    clock: Arc<HandClock>,
    id: u64,
}

fn shop() -> Shop {
    let clock = Arc::new(HandClock(Mutex::new(Timestamp::parse_utc_civil("2026-11-22T17:00:00").unwrap())));
    let store = WooStore::new(Arc::<HandClock>::clone(&clock));
    let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
    let id = store.create("Lamp", |product| {
        "text".clone_into(&mut product.description);
        "short".clone_into(&mut product.short_description);
        "10".clone_into(&mut product.regular_price);
        "LAMP-1".clone_into(&mut product.sku);
    });
    Shop { store, key, clock, id }
}

fn parse(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or(Value::Null)
}

impl Shop {
    fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::new(method, &format!("/wp-json/wc/v3/{path}"), Transport::Tls)
            .with_header(header::AUTHORIZATION, &self.key.basic())
            .with_header(header::CONTENT_TYPE, "application/json")
            .with_body(if body.is_null() { String::new() } else { body.to_string() });
        let response = self.store.handle(&request);
        (response.status.as_u16(), parse(&response))
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, &Value::Null)
    }

    fn put(&self, body: &Value) -> (u16, Value) {
        self.call(Method::PUT, &format!("products/{}", self.id), body)
    }

    /// Sends one field and gives what is stored of it.
    fn stored(&self, field: &str, value: &Value) -> Value {
        let (status, json) = self.put(&json!({ field: value }));
        assert_eq!(status, 200, "{field} {value}: {json}");
        let (_, read) = self.get(&format!("products/{}?context=edit", self.id));
        assert_eq!(json[field], read[field], "the answer and the next read agree");
        json[field].clone()
    }

    fn code(&self, body: &Value) -> (u16, String) {
        let (status, json) = self.put(body);
        (status, json["code"].as_str().unwrap_or_default().to_owned())
    }

    fn tick(&self, seconds: u64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.saturating_add(Duration::from_secs(seconds));
    }
}

#[test]
fn texts_are_changed_in_silence() {
    let shop = shop();
    for field in ["name", "description", "short_description"] {
        assert_eq!(shop.stored(field, &json!("5 < 6 and 7 > 3")), "5  3");
        assert_eq!(shop.stored(field, &json!("C:\\new")), "C:new");
        assert_eq!(shop.stored(field, &json!("C:\\\\new")), "C:\\new");
        assert_eq!(shop.stored(field, &json!("Salt & Pepper")), "Salt &amp; Pepper");
        assert_eq!(shop.stored(field, &json!("Salt &amp; Pepper")), "Salt &amp; Pepper");
        assert_eq!(shop.stored(field, &json!("a\u{0}b\u{1}c")), "abc");
    }
    assert_eq!(shop.stored("description", &json!("<script>alert(1)</script><b>x</b>")), "alert(1)<b>x</b>");
    assert_eq!(shop.stored("name", &json!("  Lamp  ")), "Lamp");
    assert_eq!(shop.stored("name", &json!("")), "");
    let before = shop.store.raw(shop.id);
    shop.tick(5);
    let (status, _) = shop.put(&json!({"name": "", "description": "", "short_description": ""}));
    assert_eq!((status, shop.store.raw(shop.id)), (200, before), "three empty texts change nothing");
}

#[test]
fn prices_and_numbers_follow_the_table() {
    let shop = shop();
    assert_eq!(shop.code(&json!({"regular_price": 12.5})), (400, "rest_invalid_param".to_owned()));
    assert_eq!(shop.code(&json!({"weight": 1.5})), (400, "rest_invalid_param".to_owned()));
    assert_eq!(shop.code(&json!({"stock_quantity": 2.5})), (400, "rest_invalid_param".to_owned()));
    assert_eq!(shop.stored("regular_price", &json!("12,50")), "1250");
    assert_eq!(shop.stored("regular_price", &json!("1,234.50")), "1234.50");
    assert_eq!(shop.stored("regular_price", &json!("19.98765")), "19.98765");
    assert_eq!(shop.stored("sale_price", &json!("25")), "", "a sale that is no bargain is dropped");
    assert_eq!(shop.stored("sale_price", &json!("9")), "9");
    assert_eq!(shop.stored("regular_price", &json!("abc")), "");
    assert_eq!(shop.stored("stock_quantity", &json!(5)), Value::Null, "stock is not counted");
    let (_, json) = shop.put(&json!({"manage_stock": true, "stock_quantity": 5}));
    assert_eq!((&json["stock_quantity"], &json["stock_status"]), (&json!(5), &json!("instock")));
    let (_, json) = shop.put(&json!({"type": "variable", "regular_price": "20"}));
    assert_eq!(json["regular_price"], "");
    assert_eq!(shop.put(&json!({"type": "simple"})).1["regular_price"], "20");
    assert_eq!(shop.put(&json!({"no_such_field": 1})).0, 200);
    assert_eq!(shop.put(&json!({"name": null, "regular_price": null})).1["regular_price"], "20");
}

#[test]
fn skus_are_unique() {
    let shop = shop();
    let (status, json) = shop.call(Method::POST, "products", &json!({"name": "Two", "sku": "lamp-1"}));
    assert_eq!((status, &json["code"]), (400, &json!("product_invalid_sku")));
    assert_eq!(json["data"]["resource_id"], shop.id);
    assert_eq!(json["data"]["unique_sku"], "lamp-1-1");
    shop.store.trash(shop.id);
    let (status, json) = shop.call(Method::POST, "products", &json!({"name": "Two", "sku": "LAMP-1"}));
    assert_eq!((status, &json["code"]), (400, &json!("woocommerce_rest_product_not_created")));
}

#[test]
fn item_numbers_are_unique_over_products_and_variations() {
    let shop = shop();
    let parent = shop.store.create("Shirt", |product| product.kind = "variable".to_owned());
    let child = shop.store.create_variation(parent, |it| it.global_unique_id = "123-4".to_owned());
    assert_eq!(shop.stored("global_unique_id", &json!("12 a-3")), "12-3");
    assert_eq!(shop.stored("global_unique_id", &json!("abc")), "");
    let (status, json) = shop.put(&json!({"global_unique_id": "123-4"}));
    assert_eq!((status, &json["code"]), (400, &json!("product_invalid_global_unique_id")));
    assert_eq!(json["data"]["resource_id"], child);
    let found = shop.get("products?search=123&search_fields=global_unique_id&_fields=id").1;
    assert_eq!(found, json!([{"id": child}]));
    assert_eq!(shop.get("products?search=123&_fields=id").1, json!([]), "elsewhere it is no text");
    shop.store.trash(child);
    assert_eq!(shop.stored("global_unique_id", &json!("123-4")), "123-4");
}

#[test]
fn a_variation_shows_its_description_and_keeps_another() {
    let shop = shop();
    let parent = shop.store.create("Shirt", |product| product.kind = "variable".to_owned());
    let child = shop.store.create_variation(parent, |it| {
        it.backorders = "notify".to_owned();
        it.low_stock_amount = Some(2);
    });
    let path = format!("products/{parent}/variations/{child}");
    let (_, json) =
        shop.call(Method::PUT, &path, &json!({"description": "A \"b\" C:\\\\d <script>e</script>"}));
    assert_eq!(json["description"], "<p>A &#8220;b&#8221; C:\\d e</p>\n");
    let shown = shop.get(&format!("{path}?context=edit")).1;
    assert_eq!(shown["description"], json["description"]);
    assert_eq!((&shown["backorders"], &shown["low_stock_amount"]), (&json!("no"), &Value::Null));
    let stored = shop.get(&format!("products/{child}?context=edit")).1;
    assert_eq!(stored["description"], "A \"b\" C:\\d e");
}

#[test]
fn an_item_of_a_batch_moves_to_the_product_of_the_address() {
    let shop = shop();
    let [one, two] =
        ["Shirt", "Cup"].map(|name| shop.store.create(name, |it| it.kind = "variable".to_owned()));
    let child = shop.store.create_variation(one, |_| {});
    let body = json!({"description": "x"});
    assert_eq!(shop.call(Method::PUT, &format!("products/{two}/variations/{child}"), &body).0, 404);
    let batch = json!({"update": [{"id": child, "description": "x"}, {"id": 99_999}, {"id": shop.id}]});
    let (status, json) = shop.call(Method::POST, &format!("products/{two}/variations/batch"), &batch);
    assert_eq!((status, &json["update"][0]["parent_id"]), (200, &json!(two)));
    for at in [1, 2] {
        let code = &json["update"][at]["error"]["code"];
        assert_eq!(code, "woocommerce_rest_product_variation_invalid_id");
    }
    let of = |parent: u64| shop.get(&format!("products/{parent}/variations?_fields=id")).1;
    assert_eq!((of(one), of(two)), (json!([]), json!([{"id": child}])));
}

#[test]
fn images_are_replaced_by_id_and_share_their_alt_text() {
    let shop = shop();
    let (one, two) = (shop.store.add_media("one.jpg"), shop.store.add_media("two.jpg"));
    let other = shop.store.create("Other", |product| product.images = vec![two]);
    shop.tick(10);
    let (_, json) = shop.put(&json!({"images": [{"id": two, "alt": "<b>x</b> 5 < 6"}, {"id": one}]}));
    let ids: Vec<_> =
        json["images"].as_array().unwrap().iter().map(|image| image["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [two, one], "the order counts");
    let (_, json) = shop.get(&format!("products/{other}"));
    assert_eq!(json["images"][0]["alt"], "x 5 &lt; 6", "the alt text shows on the other product");
    assert_eq!(json["date_modified_gmt"], "2026-11-22T17:00:00", "whose date does not move");
    shop.put(&json!({"images": [{"id": two, "alt": ""}]}));
    assert_eq!(shop.store.media(two).unwrap().alt, "x 5 &lt; 6", "an empty alt text is ignored");
    assert_eq!(shop.code(&json!({"images": [{"id": 99_999}]})).1, "woocommerce_product_invalid_image_id");
    let missing = json!({"images": [{"src": "http://127.0.0.1/none.jpg"}]});
    assert_eq!(shop.code(&missing).1, "woocommerce_product_image_upload_error");
    assert_eq!(shop.store.product(shop.id).unwrap().images, [two], "nothing was saved");
    let (_, json) = shop.put(&json!({"images": [{"src": "http://127.0.0.1/one.jpg"}]}));
    assert!(json["images"][0]["src"].as_str().unwrap().ends_with("/one-1.jpg"), "each src adds a new image");
    assert_eq!(shop.stored("images", &json!([])), json!([]));
}

#[test]
fn terms_are_found_made_or_dropped() {
    let shop = shop();
    let gift = shop.store.add_term(Taxonomy::Tag, "Gift");
    let names = |json: &Value| {
        json.as_array()
            .unwrap()
            .iter()
            .map(|tag| tag["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (_, json) = shop.put(&json!({"tags": [{"name": "gift"}, {"name": "New"}]}));
    assert_eq!(names(&json["tags"]), ["Gift", "New"]);
    assert_eq!(json["tags"][0]["id"], gift);
    assert_eq!(shop.stored("tags", &json!([{"id": 99_999}, {"slug": "gift"}])), json!([]));
    assert_eq!(shop.code(&json!({"tags": ["gift"]})), (400, "rest_invalid_param".to_owned()));
    let toys = shop.store.add_term(Taxonomy::Category, "Toys");
    assert_eq!(names(&shop.stored("categories", &json!([{"id": toys}]))), ["Toys"]);
    assert_eq!(names(&shop.stored("categories", &json!([{"name": "Toys"}]))), ["Uncategorized"]);
    assert_eq!(names(&shop.stored("categories", &json!([{"id": 99_999}]))), ["Uncategorized"]);
    let (status, json) = shop.call(Method::POST, "products/tags", &json!({"name": "GIFT"}));
    assert_eq!(
        (status, &json["code"], &json["data"]["resource_id"]),
        (400, &json!("term_exists"), &json!(gift))
    );
    let (status, json) = shop.call(Method::POST, "products/tags", &json!({"name": "R&D"}));
    assert_eq!((status, &json["name"]), (201, &json!("R&amp;D")));
}

#[test]
fn attributes_replace_and_default_to_hidden() {
    let shop = shop();
    let color = shop.store.add_attribute("Color");
    shop.store.add_term(Taxonomy::Attribute(color), "Blue");
    let (_, json) = shop.put(&json!({"attributes": [
        {"id": color, "options": ["blue", "Red"]},
        {"name": "Color", "options": ["a | b"], "visible": true},
        {"id": 99, "options": ["x"]},
    ]}));
    let list = json["attributes"].as_array().unwrap();
    assert_eq!(list.len(), 2, "the unknown id is dropped, the local namesake stays");
    assert_eq!((&list[0]["slug"], &list[0]["options"]), (&json!("pa_color"), &json!(["Blue", "Red"])));
    assert_eq!((&list[0]["visible"], &list[0]["variation"]), (&json!(false), &json!(false)));
    assert_eq!(
        (&list[1]["id"], &list[1]["slug"], &list[1]["options"]),
        (&json!(0), &json!("Color"), &json!(["a", "b"]))
    );
    assert_eq!(shop.stored("attributes", &json!([])), json!([]));
}

#[test]
fn meta_data_merges_by_key() {
    let shop = shop();
    let odd = json!("a\\b <c> \"q\" é 🧸");
    let (_, json) = shop.put(
        &json!({"meta_data": [{"key": "a", "value": odd}, {"key": "b", "value": {"z": [1, null], "a": 2}}]}),
    );
    assert_eq!(json["meta_data"][0]["value"], odd, "values are kept byte for byte");
    assert_eq!(json["meta_data"][1]["value"], json!({"z": [1, null], "a": 2}));
    let id = json["meta_data"][0]["id"].clone();
    let (_, json) = shop.put(&json!({"meta_data": [{"id": 1, "key": "a", "value": "new"}]}));
    assert_eq!(json["meta_data"][0], json!({"id": id, "key": "a", "value": "new"}));
    let (_, json) = shop.put(&json!({"meta_data": []}));
    assert_eq!(json["meta_data"].as_array().unwrap().len(), 2);
    let (_, json) = shop.put(&json!({"meta_data": [{"key": "a", "value": null}, {"key": "b", "value": ""}]}));
    assert_eq!(json["meta_data"].as_array().unwrap().len(), 1);
    assert_eq!(json["meta_data"][0]["value"], "");
    let (_, json) =
        shop.put(&json!({"meta_data": [{"key": "_sku", "value": "NEW"}, {"key": "_price", "value": "1"}]}));
    assert_eq!((&json["sku"], &json["price"]), (&json!("NEW"), &json!("10")));
    assert_eq!(json["meta_data"].as_array().unwrap().len(), 1);
}

#[test]
fn dates_move_on_any_put_and_with_a_variation() {
    let shop = shop();
    shop.tick(60);
    assert_eq!(shop.put(&json!({})).1["date_modified_gmt"], "2026-11-22T17:01:00");
    shop.store.edit(shop.id, |product| "variable".clone_into(&mut product.kind));
    let child = shop.store.create_variation(shop.id, |v| "5".clone_into(&mut v.regular_price));
    shop.tick(60);
    let path = format!("products/{}/variations/{child}", shop.id);
    assert_eq!(shop.call(Method::PATCH, &path, &json!({"regular_price": "6"})).1["price"], "6");
    let (_, json) = shop.get(&format!("products/{}", shop.id));
    assert_eq!((&json["date_modified_gmt"], &json["price"]), (&json!("2026-11-22T17:02:00"), &json!("6")));
    assert_eq!(json["date_modified"], "2026-11-22T12:02:00");
    shop.store.edit(shop.id, |p| (p.manage_stock, p.stock_quantity) = (ManageStock::Yes, Some(3)));
    let (_, json) = shop.get(&path);
    assert_eq!((&json["manage_stock"], &json["stock_quantity"]), (&json!("parent"), &json!(3)));
    let (status, json) = shop.call(Method::PUT, &format!("products/{child}"), &json!({}));
    assert_eq!((status, &json["code"]), (404, &json!("woocommerce_rest_invalid_product_id")));
    assert_eq!(shop.get(&format!("products/{child}")).1["type"], "variation");
    assert_eq!(shop.get("products/424242/variations"), (200, json!([])));
}

#[test]
fn strict_dates_and_the_zone_trap_filter_lists() {
    let shop = shop();
    let count = |query: &str| shop.get(&format!("products?{query}")).1.as_array().unwrap().len();
    assert_eq!(
        count("modified_after=2026-11-22T17:00:00&dates_are_gmt=true"),
        0,
        "the same second is left out"
    );
    assert_eq!(count("modified_after=2026-11-22T16:59:59&dates_are_gmt=true"), 1);
    assert_eq!(count("modified_after=2026-11-22T20:00:00Z&dates_are_gmt=true"), 1, "too much in the west");
    shop.store.configure(|settings| settings.utc_offset_seconds = 9 * 3600);
    assert_eq!(count("modified_after=2026-11-22T16:59:59Z&dates_are_gmt=true"), 0, "too little in the east");
    assert_eq!(count("modified_after=2026-11-22T16:59:59Z"), 1);
}

#[test]
fn batches_check_nothing_and_may_half_apply() {
    let shop = shop();
    let other = shop.store.create("Other", |_| {});
    let id = shop.id;
    let (status, json) = shop.call(
        Method::POST,
        "products/batch",
        &json!({"update": [{"id": id.to_string(), "status": "bogus", "regular_price": "abc", "tags": ["x"]}]}),
    );
    assert_eq!((status, &json["update"][0]["status"]), (200, &json!("draft")));
    assert_eq!(json["update"][0]["regular_price"], "");
    let crash = json!({"update": [{"id": id, "name": "before"}, {"id": other, "name": {}}, {"id": id, "name": "after"}]});
    let (status, json) = shop.call(Method::POST, "products/batch", &crash);
    assert_eq!((status, &json["code"]), (500, &json!("internal_server_error")));
    assert_eq!(shop.store.product(id).unwrap().name, "before");
    let many: Vec<_> = (0..101).map(|_| json!({"id": id})).collect();
    assert_eq!(shop.call(Method::POST, "products/batch", &json!({ "update": many })).0, 413);
    assert_eq!(shop.call(Method::POST, "products/batch", &json!({})), (200, json!([])));
    let (_, json) = shop.call(Method::POST, "products/batch", &json!({"delete": [other, 99_999]}));
    assert_eq!(json["delete"][1]["error"]["data"]["status"], 404);
    assert!(shop.store.product(other).is_none(), "a batch deletes for good");
}

#[test]
fn deletes_go_to_the_trash_first() {
    let shop = shop();
    let path = format!("products/{}", shop.id);
    let (status, json) = shop.call(Method::DELETE, &path, &Value::Null);
    assert_eq!((status, &json["status"]), (200, &json!("publish")), "the answer shows the old status");
    assert_eq!(shop.get(&path).1["status"], "trash");
    assert_eq!(shop.call(Method::DELETE, &path, &Value::Null).0, 410);
    assert_eq!(shop.get("products").1, json!([]));
    assert_eq!(shop.put(&json!({"status": "publish"})).1["slug"], "lamp");
    assert_eq!(shop.call(Method::DELETE, &format!("{path}?force=true"), &Value::Null).0, 200);
    assert_eq!(shop.get(&path).0, 404);
    assert_eq!(shop.code(&json!({})), (400, "woocommerce_rest_product_invalid_id".to_owned()));
}

#[test]
fn verbs_can_be_overridden_and_wrong_ones_have_no_route() {
    let shop = shop();
    let path = format!("products/{}?_method=PUT", shop.id);
    assert_eq!(shop.call(Method::POST, &path, &json!({"name": "x"})).1["name"], "x");
    assert_eq!(shop.call(Method::PUT, "products", &json!({})).1["code"], "rest_no_route");
    assert_eq!(shop.get("../v4/products").0, 404);
}

#[test]
fn lost_updates_and_stale_reads_answer_as_if_all_were_well() {
    let shop = shop();
    shop.store.set_conditions(|site| site.lost_update = true);
    assert_eq!(shop.put(&json!({"name": "lost"})).1["name"], "lost");
    assert_eq!(shop.store.product(shop.id).unwrap().name, "Lamp");
    shop.store.set_conditions(|site| (site.lost_update, site.stale_read) = (false, true));
    assert_eq!(shop.put(&json!({"name": "kept"})).0, 200);
    assert_eq!(shop.get(&format!("products/{}", shop.id)).1["name"], "Lamp");
    assert_eq!(shop.store.product(shop.id).unwrap().name, "kept");
}

#[test]
fn credentials_count_only_where_the_platform_reads_them() {
    let shop = shop();
    let read = shop.store.issue_key("read", Permissions::Read, Role::Manager);
    let customer = shop.store.issue_key("customer", Permissions::ReadWrite, Role::Customer);
    let ask = |method: Method, transport, key: Option<&ApiKey>, query: &str| {
        let mut request = Request::new(method, &format!("/wp-json/wc/v3/products{query}"), transport);
        if let Some(key) = key {
            request = request.with_header(header::AUTHORIZATION, &key.basic());
        }
        let response = shop.store.handle(&request);
        let named = response.header("www-authenticate").is_some();
        (response.status.as_u16(), parse(&response)["code"].as_str().unwrap_or_default().to_owned(), named)
    };
    let nobody = (401, "woocommerce_rest_cannot_view".to_owned(), false);
    let (tls, plain) = (Transport::Tls, Transport::Plain);
    assert_eq!(ask(Method::GET, tls, None, ""), nobody);
    assert_eq!(ask(Method::GET, plain, Some(&shop.key), ""), nobody, "Basic over http is ignored");
    let query =
        format!("?consumer_key={}&consumer_secret={}", shop.key.consumer_key, shop.key.consumer_secret);
    assert_eq!(ask(Method::GET, plain, None, &query), nobody);
    assert_eq!(ask(Method::GET, tls, None, &query).0, 200);
    let unknown = ApiKey::named("unknown", Permissions::Read, Role::Manager);
    assert_eq!(ask(Method::GET, tls, Some(&unknown), ""), nobody);
    let wrong = ApiKey::new(&shop.key.consumer_key, "cs_no", Permissions::Read, Role::Manager);
    let refused = "woocommerce_rest_authentication_error".to_owned();
    assert_eq!(ask(Method::GET, tls, Some(&wrong), ""), (401, refused.clone(), true));
    assert_eq!(ask(Method::POST, tls, Some(&read), ""), (401, refused, false));
    assert_eq!(ask(Method::GET, tls, Some(&customer), "").0, 403);
    shop.store.revoke_key(&shop.key.consumer_key);
    assert_eq!(ask(Method::GET, tls, Some(&shop.key), ""), nobody);
}

#[test]
fn switches_change_what_the_site_offers() {
    let shop = shop();
    let list = || {
        let request = Request::new(Method::GET, "/wp-json/wc/v3/products", Transport::Tls)
            .with_header(header::AUTHORIZATION, &shop.key.basic());
        shop.store.handle(&request)
    };
    assert_eq!(list().header("x-wp-total"), Some("1"));
    assert_eq!(list().header("date"), Some("Sun, 22 Nov 2026 17:00:00 GMT"));
    assert_eq!(shop.get("variations").0, 200);
    shop.store.set_conditions(|site| {
        (site.totals_stripped, site.no_variations_list, site.batch_limit) = (true, true, Some(1));
    });
    assert_eq!(list().header("x-wp-total"), None);
    assert_eq!(shop.get("variations").1["code"], "rest_no_route");
    let two = json!({"update": [{"id": shop.id}, {"id": shop.id}]});
    assert_eq!(shop.call(Method::POST, "products/batch", &two).0, 413);
    let ids = |json: &Value| json["related_ids"].clone();
    shop.store.seed_generated(40, 0, 1);
    let path = format!("products/{}", shop.id);
    assert_ne!(ids(&shop.get(&path).1), ids(&shop.get(&path).1), "related products are drawn anew");
}

#[test]
fn displayed_texts_differ_from_stored_ones() {
    let shop = shop();
    shop.put(&json!({"description": "one\n\n[gallery ids=1]", "short_description": "say \"hi\""}));
    let path = format!("products/{}", shop.id);
    let (_, view) = shop.get(&path);
    assert_eq!(view["short_description"], "<p>say &#8220;hi&#8221;</p>\n");
    assert!(view["description"].as_str().unwrap().starts_with("<p>one</p>\n<div class='gallery'>"));
    let (_, edit) = shop.get(&format!("{path}?context=edit"));
    assert_eq!(edit["description"], "one\n\n[gallery ids=1]");
    assert_eq!(edit["short_description"], "say \"hi\"");
    let (_, cut) = shop.get(&format!("{path}?_fields=sku,id,dimensions.width"));
    assert_eq!(cut, json!({"sku": "LAMP-1", "id": shop.id, "dimensions": {"width": ""}}));
}

#[test]
fn catalogues_are_seeded_the_same_each_time() {
    let shop = shop();
    let sample = shop.store.seed_sample();
    assert_eq!((sample.len(), shop.store.variation_count()), (18, 7));
    let hoodie = sample.iter().find(|id| shop.store.product(**id).unwrap().sku == "woo-hoodie").unwrap();
    assert_eq!(shop.get(&format!("products/{hoodie}")).1["price"], "42");
    let made = || {
        let other = self::shop();
        other.store.seed_generated(60, 30, 7);
        assert_eq!((other.store.product_count(), other.store.variation_count()), (61, 30));
        other.store.snapshot()
    };
    assert_eq!(made(), made());
    let error = shop.store.seed_catalog(b"[1]").unwrap_err();
    assert_eq!(error.code(), "catalog_unreadable");
    let ids = shop
        .store
        .seed_catalog("[{\"name\":\"Ä\",\"tags\":[\"x\"],\"images\":[\"a.jpg\"]}]".as_bytes())
        .unwrap();
    assert_eq!(shop.get(&format!("products/{}", ids[0])).1["images"][0]["name"], "a.jpg");
}

#[test]
fn handles_can_be_shared_between_threads() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug>() {}
    check::<WooStore>();
    check::<Product>();
}
