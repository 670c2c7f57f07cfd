//! Every route and every write once, against the official documents; and the answers against the official examples.

use http::Method;
use serde_json::{Value, json};

use super::documents::specs;
use super::{Answer, row_id, shop};

/// Every route once: the requests are right, and so are the answers (see `Drop`).
#[test]
fn every_route_answers_what_the_official_documents_say() {
    let shop = shop(25);
    let ids = shop.store.ids();
    let (first, second) = (ids[0], ids[1]);
    let product = shop.store.product(first).unwrap();
    let image = serde_json::Value::from(product.images[0].clone())["id"].as_u64().unwrap();
    let variant = serde_json::Value::from(product.variants[0].clone())["id"].as_u64().unwrap();
    let brand = shop.store.brand_ids()[0];
    for target in [
        "/catalog/products".to_owned(),
        "/catalog/products?limit=250&include=variants,images,custom_fields,bulk_pricing_rules,primary_image,videos,channels"
            .to_owned(),
        "/catalog/products?include=options,modifiers&sort=id&direction=asc".to_owned(),
        format!("/catalog/products?id:greater={first}&sort=id&include_fields=name,description"),
        format!("/catalog/products/{first}?include=variants,images,options,modifiers,custom_fields"),
        format!("/catalog/products/{first}/images"),
        format!("/catalog/products/{first}/images/{image}"),
        format!("/catalog/products/{first}/variants"),
        format!("/catalog/products/{first}/variants/{variant}"),
        format!("/catalog/products/{first}/custom-fields"),
        format!("/catalog/products/{first}/options"),
        format!("/catalog/products/{second}/modifiers"),
        format!("/catalog/products/{first}/metafields"),
        "/catalog/products/metafields?limit=5".to_owned(),
        "/catalog/variants?limit=250".to_owned(),
        format!("/catalog/variants?product_id:in={first},{second}"),
        "/catalog/brands".to_owned(),
        format!("/catalog/brands/{brand}"),
        "/catalog/trees".to_owned(),
        "/catalog/trees/1/categories".to_owned(),
        "/catalog/trees/categories?limit=3".to_owned(),
        "/catalog/products/category-assignments".to_owned(),
        "/catalog/products/channel-assignments".to_owned(),
        "/channels".to_owned(),
        "/channels/1".to_owned(),
        "/settings/store/locale".to_owned(),
        "/settings/store/units-of-measurement".to_owned(),
        "/hooks".to_owned(),
        "/hooks/admin".to_owned(),
        "/v2/store".to_owned(),
        "/v2/time".to_owned(),
        "/v2/currencies".to_owned(),
    ] {
        let answer = shop.get(&target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        assert!(answer.response.header("x-rate-limit-requests-left").is_some(), "{target}");
    }
}

/// Every write once, as right and as refused as it can be.
#[test]
fn every_write_answers_what_the_official_documents_say() {
    let shop = shop(25);
    let ids = shop.store.ids();
    let id = ids[3];
    let product = shop.store.product(ids[0]).unwrap();
    let (image, variant) = (row_id(&product.images[0]), row_id(&product.variants[0]));
    let brand = shop.store.brand_ids()[0];
    let category = shop.store.category_ids()[0];
    let one = format!("/catalog/products/{id}");
    let first = format!("/catalog/products/{}", ids[0]);
    let taken = shop.store.product(ids[5]).unwrap().text("name").to_owned();
    let put = |target: &str, body: Value, status: u16| {
        let answer = shop.put(target, &body);
        assert_eq!(answer.status, status, "PUT {target}: {}", answer.body);
        answer
    };
    let post = |target: &str, body: Value, status: u16| {
        let answer = shop.post(target, &body);
        assert_eq!(answer.status, status, "POST {target}: {}", answer.body);
        answer
    };
    put(&one, json!({"name": "Bath Towel", "page_title": "t", "search_keywords": "a,b"}), 200);
    put(&format!("{one}?include=images"), json!({"meta_description": "d", "meta_keywords": ["a"]}), 200);
    put(&one, json!({"name": taken}), 409);
    put(&one, json!({"brand_id": 999_999}), 409);
    put("/catalog/products/1", json!({"name": "x"}), 404);
    put(
        "/catalog/products",
        json!([{"id": id, "name": "One"}, {"id": ids[4], "description": "<p>x</p>"}]),
        200,
    );
    let eleven: Vec<Value> = (0..11).map(|at| json!({"id": ids[at], "is_featured": true})).collect();
    put("/catalog/products", json!(eleven), 413);
    put("/catalog/products", json!([{"id": id, "name": taken}]), 409);
    put(&one, json!({"custom_url": {"url": "/größe/", "is_customized": true}}), 207);
    let new =
        json!({"name": "Brand new", "type": "physical", "weight": 1, "price": 2.5, "brand_name": "Neu"});
    let made = post("/catalog/products", new, 200).data()["id"].as_u64().unwrap();
    put(&format!("{first}/images/{image}"), json!({"description": "A red cup"}), 200);
    post(&format!("{first}/images"), json!({"image_url": "https://x.example/a.jpg"}), 200);
    put(&format!("{first}/variants/{variant}"), json!({"price": null, "sku": "NEW-SKU"}), 200);
    put("/catalog/variants", json!([{"id": variant, "price": 5.5}]), 200);
    put("/catalog/variants", json!([{"id": 1, "price": 5.5}]), 422);
    let fifty_one: Vec<Value> = (0..51).map(|_| json!({"id": variant})).collect();
    put("/catalog/variants", json!(fifty_one), 413);
    let field = post(&format!("{one}/custom-fields"), json!({"name": "Colour", "value": "Red"}), 200);
    let field = field.data()["id"].as_u64().unwrap();
    put(&format!("{one}/custom-fields/{field}"), json!({"value": "Blue"}), 200);
    let meta = json!({"namespace": "lily", "key": "hash", "value": "1", "permission_set": "app_only"});
    let row = post(&format!("{one}/metafields"), meta.clone(), 200).data()["id"].as_u64().unwrap();
    post(&format!("{one}/metafields"), meta, 409);
    let changed = json!({"namespace": "lily", "key": "hash", "value": "2", "permission_set": "app_only"});
    put(&format!("{one}/metafields/{row}"), changed, 200);
    let several = json!([{"id": row, "value": "3"}, {"id": 1_000_000, "value": "3"}]);
    put("/catalog/products/metafields", several, 422);
    put(&format!("/catalog/brands/{brand}"), json!({"name": "Acme Ltd", "page_title": "Acme"}), 200);
    post("/catalog/brands", json!({"name": "acme ltd"}), 409);
    put("/catalog/trees/categories", json!([{"category_id": category, "description": "<p>x</p>"}]), 200);
    put(
        "/catalog/trees/categories",
        json!([{"category_id": category, "name": "B"}, {"category_id": 9}]),
        207,
    );
    post(
        "/catalog/trees/categories",
        json!([{"name": "Bath", "tree_id": 1, "parent_id": 0, "url": {"path": "/bath/"}}]),
        201,
    );
    put("/catalog/products/category-assignments", json!([{"product_id": id, "category_id": category}]), 204);
    put("/catalog/products/channel-assignments", json!([{"product_id": id, "channel_id": 1}]), 204);
    let hook = json!({"scope": "store/product/*", "destination": "https://hooks.example.com/x",
        "headers": {"x-secret": "s"}});
    let made_hook = post("/hooks", hook.clone(), 200).data()["id"].as_u64().unwrap();
    post("/hooks", hook, 409);
    put(&format!("/hooks/{made_hook}"), json!({"is_active": false}), 200);
    put("/hooks/admin", json!({"emails": ["ops@store.example"]}), 204);
    for target in [
        format!("/hooks/{made_hook}"),
        format!("{one}/custom-fields/{field}"),
        format!("{one}/metafields/{row}"),
        format!("{first}/images/{image}"),
        format!("/catalog/products/category-assignments?product_id:in={id}"),
        format!("/catalog/trees/categories?category_id:in={category}"),
        format!("/catalog/brands/{brand}"),
        format!("/catalog/products/{made}"),
    ] {
        let answer = shop.delete(&target);
        assert!(matches!(answer.status, 200 | 204), "DELETE {target}: {}", answer.body);
    }
}

/// What an official example has and an answer lacks, or has in another type. Objects of the same list are alike, so
/// the first one speaks. A number may stand for null: what is inherited is null, and the examples show numbers.
fn lacks(example: &Value, answer: &Value, place: &str, found: &mut Vec<String>) {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => {
            for (name, value) in example {
                match answer.get(name) {
                    Some(held) => lacks(value, held, &format!("{place}/{name}"), found),
                    None => found.push(format!("{place}/{name} is missing")),
                }
            }
        }
        (Value::Array(example), Value::Array(answer)) => {
            if let (Some(one), Some(other)) = (example.first(), answer.first()) {
                lacks(one, other, &format!("{place}/*"), found);
            }
        }
        (Value::Number(_), Value::Number(_) | Value::Null)
        | (Value::String(_), Value::String(_) | Value::Null)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _) => {}
        (example, answer) if std::mem::discriminant(example) == std::mem::discriminant(answer) => {}
        _ => found.push(format!("{place} has another type")),
    }
}

/// The answers have what the official examples have. `map_price` is an empty object in one of them, against its own
/// schema and the other examples; links to other pages depend on how many there are.
#[test]
fn answers_have_what_the_official_examples_have() {
    let Some(specs) = specs() else { return };
    let shop = shop(25);
    let ids = shop.store.ids();
    let simple = ids.iter().find(|id| shop.store.product(**id).unwrap().options.is_empty()).unwrap();
    let hook = json!({"scope": "store/product/updated"});
    let image = json!({"description": "x"});
    let eleven: Vec<Value> = (0..11).map(|_| json!({"id": ids[0]})).collect();
    let fifty_one: Vec<Value> = (0..51).map(|_| json!({"id": 1})).collect();
    let locale = shop.get("/settings/store/locale");
    let mut wild = shop.raw(Method::GET, "/hooks", None);
    wild.headers.insert("x-auth-token", "wrong".parse().unwrap());
    let cases: Vec<(&str, Answer, u16)> = vec![
        (
            "products_get_catalog-products-product_id_200",
            shop.get(&format!("/catalog/products/{simple}")),
            200,
        ),
        (
            "variants_get_catalog-products-product_id-variants_200",
            shop.get(&format!("/catalog/products/{}/variants", ids[0])),
            200,
        ),
        (
            "products_get_catalog-products-product_id-images_200",
            shop.get(&format!("/catalog/products/{}/images", ids[0])),
            200,
        ),
        (
            "products_get_catalog-products-product_id-metafields_200",
            shop.get(&format!("/catalog/products/{}/metafields", ids[0])),
            200,
        ),
        ("brands_get_catalog-brands_200", shop.get("/catalog/brands"), 200),
        (
            "categories_get_catalog-trees-categories_200_Get-Category-12",
            shop.get("/catalog/trees/categories?limit=2&page=2"),
            200,
        ),
        ("categories_get_catalog-trees_200", shop.get("/catalog/trees"), 200),
        ("settings_get_settings-store-locale_200_Default-Example", locale, 200),
        ("store_get_store_200_response", shop.get("/v2/store"), 200),
        ("store_get_time_200_response", shop.get("/v2/time"), 200),
        ("hooks_get_hooks_401_response", shop.send(&wild), 401),
        ("hooks_post_hooks_422_response", shop.post("/hooks", &hook), 422),
        ("products_put_catalog-products_413", shop.put("/catalog/products", &json!(eleven)), 413),
        ("variants_put_catalog-variants_413", shop.put("/catalog/variants", &json!(fifty_one)), 413),
        (
            "products_post_catalog-products-product_id-images_422",
            shop.post(&format!("/catalog/products/{}/images", ids[0]), &image),
            422,
        ),
    ];
    for (name, answer, status) in cases {
        let text = std::fs::read(specs.join(format!("bigcommerce/examples/{name}.json"))).unwrap();
        let example: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(answer.status, status, "{name}");
        let mut found = Vec::new();
        lacks(&example, &answer.body, "", &mut found);
        found.retain(|it| !it.contains("map_price") && !it.contains("/links/") && !it.contains("/logo"));
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
    let too_many = shop.put("/catalog/products", &json!(eleven));
    assert!(too_many.body["title"].as_str().unwrap().ends_with("allowed in the array is 10."));
    // A hook without a destination is what the document refuses, too: the example shows the platform's answer to it.
    let allowed = ["POST /hooks: body : expected property destination"];
    let told: Vec<String> = shop.store.violations().iter().map(ToString::to_string).collect();
    assert_eq!(told, allowed);
    let mut shop = shop;
    shop.wild = true;
}

/// The deliveries have what the official examples have.
#[test]
fn deliveries_have_what_the_official_examples_have() {
    let Some(specs) = specs() else { return };
    let shop = shop(3);
    for scope in ["store/product/*", "store/sku/*", "store/category/*", "store/product/inventory/updated"] {
        shop.store.add_hook(scope, "https://hooks.example.com/x");
    }
    let ids = shop.store.ids();
    let variant = shop.store.variant_ids()[0];
    shop.store.edit_product(ids[0], |product| product.set("name", "Renamed"));
    let made = shop.store.create_product("New", |_| ());
    shop.store.delete_product(made);
    shop.store.set_stock(ids[1], 5);
    shop.store.edit_variant(variant, |row| row.set("price", 5));
    shop.put(&format!("/catalog/products/{}/variants/{variant}", ids[0]), &json!({"inventory_level": 9}));
    let category = shop.store.create_category(0, "Shelf");
    shop.store.rename_category(category, "Board");
    shop.store.delete_category(category);
    let deliveries = shop.store.take_deliveries();
    for (file, scope) in [
        ("store_product_created", "store/product/created"),
        ("store_product_updated", "store/product/updated"),
        ("store_product_deleted", "store/product/deleted"),
        ("store_product_inventory_updated", "store/product/inventory/updated"),
        ("store_sku_updated", "store/sku/updated"),
        ("store_sku_inventory_updated", "store/sku/inventory/updated"),
        ("store_category_created", "store/category/created"),
        ("store_category_updated", "store/category/updated"),
        ("store_category_deleted", "store/category/deleted"),
    ] {
        let text = std::fs::read(specs.join(format!("bigcommerce/examples/webhooks/{file}.json"))).unwrap();
        let example: Value = serde_json::from_slice(&text).unwrap();
        let delivery = deliveries.iter().find(|it| it.scope == scope).unwrap_or_else(|| panic!("{scope}"));
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        let mut found = Vec::new();
        lacks(&example, &body, "", &mut found);
        assert_eq!(found, Vec::<String>::new(), "{file}");
        assert_eq!(body["hash"].as_str().unwrap().len(), 40);
    }
}
