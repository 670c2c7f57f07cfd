//! Writes: what is saved, what is refused, and what neither documents nor platform promise.

use std::time::Duration;

use lily_connect::testkit::bigcommerce::{Area, BatchHabit};
use serde_json::{Value, json};

use super::{documents, row_id, shop, texts};

#[test]
fn a_put_changes_what_it_names_and_no_other_byte() {
    let shop = shop(25);
    let ids = shop.store.ids();
    let before: Vec<Value> = ids.iter().map(|id| shop.store.content(*id).unwrap().into()).collect();
    let answer = shop.put(&format!("/catalog/products/{}", ids[0]), &json!({"meta_description": "New"}));
    assert_eq!(answer.status, 200);
    for (id, mut old) in ids.iter().zip(before) {
        if *id == ids[0] {
            old["meta_description"] = json!("New");
        }
        assert_eq!(Value::from(shop.store.content(*id).unwrap()), old);
    }
}

#[test]
fn a_name_or_sku_that_is_taken_is_a_conflict() {
    let shop = shop(4);
    let ids = shop.store.ids();
    let other = shop.store.product(ids[1]).unwrap();
    let variant_sku = Value::from(shop.store.variant(shop.store.variant_ids()[0]).unwrap())["sku"].clone();
    let target = format!("/catalog/products/{}", ids[3]);
    for (body, field) in [
        (json!({"name": other.text("name").to_uppercase()}), "name"),
        (json!({"sku": other.text("sku").to_lowercase()}), "sku"),
        (json!({"sku": variant_sku}), "sku"),
        (json!({"categories": [999_999]}), "categories"),
    ] {
        let answer = shop.put(&target, &body);
        assert_eq!(answer.status, 409, "{body}");
        assert!(answer.body["errors"][field].is_string(), "{}", answer.body);
    }
    let own = shop.store.product(ids[3]).unwrap();
    let same = json!({"name": own.text("name"), "sku": own.text("sku")});
    assert_eq!(shop.put(&target, &same).status, 200);
}

#[test]
fn a_batch_with_a_refused_item_does_what_its_habit_says() {
    for (habit, status, stored) in [
        (BatchHabit::Whole, 409, [false, false]),
        (BatchHabit::StoresBefore, 409, [true, false]),
        (BatchHabit::Partial, 207, [true, true]),
    ] {
        let shop = shop(4);
        let ids = shop.store.ids();
        shop.store.set_conditions(|conditions| conditions.batch = habit);
        let taken = shop.store.product(ids[3]).unwrap().text("name").to_owned();
        let body = json!([
            {"id": ids[0], "page_title": "new"}, {"id": ids[1], "name": taken}, {"id": ids[2], "page_title": "new"},
        ]);
        let answer = shop.put("/catalog/products", &body);
        assert_eq!(answer.status, status, "{habit:?}");
        let errors = if status == 207 { &answer.body["errors"]["errors"] } else { &answer.body["errors"] };
        assert!(errors["1.name"].is_string(), "{}", answer.body);
        let saved = |at: usize| shop.store.product(ids[at]).unwrap().text("page_title") == "new";
        assert_eq!([saved(0), saved(2)], stored, "{habit:?}");
        if habit == BatchHabit::Partial {
            assert_eq!(answer.ids(), [ids[0], ids[2]]);
        }
    }
}

#[test]
fn a_url_or_stock_that_fails_is_told_by_207_and_the_rest_is_saved() {
    let shop = shop(3);
    let ids = shop.store.ids();
    let taken = Value::from(shop.store.product(ids[1]).unwrap().fields)["custom_url"]["url"].clone();
    let target = format!("/catalog/products/{}", ids[0]);
    let body = json!({"page_title": "Saved", "custom_url": {"url": taken, "is_customized": true}});
    let answer = shop.put(&target, &body);
    assert_eq!(answer.status, 207);
    assert!(answer.body["errors"]["errors"]["url"].is_string());
    let stored = shop.store.product(ids[0]).unwrap();
    assert_eq!(stored.text("page_title"), "Saved");
    assert_ne!(Value::from(stored.fields)["custom_url"]["url"], taken);
    shop.store.set_conditions(|conditions| conditions.inventory_fails = true);
    let answer = shop.put(&target, &json!({"inventory_level": 7, "page_title": "Again"}));
    assert_eq!(answer.status, 207);
    assert!(answer.body["errors"]["errors"]["inventory_level"].is_string());
    let batch = json!([{"id": ids[1]}, {"id": ids[2], "inventory_level": 7}]);
    let answer = shop.put("/catalog/products", &batch);
    assert!(answer.body["errors"]["errors"]["1.inventory_level"].is_string(), "{}", answer.body);
}

#[test]
fn a_put_can_unset_what_it_does_not_name() {
    let shop = shop(2);
    let id = shop.store.ids()[0];
    shop.store.edit_product(id, |product| product.set("warranty", "Two years"));
    let target = format!("/catalog/products/{id}");
    shop.put(&target, &json!({"page_title": "a"}));
    assert_eq!(shop.store.product(id).unwrap().text("warranty"), "Two years");
    shop.store.set_conditions(|conditions| {
        conditions.put_unsets.insert("warranty".to_owned());
    });
    shop.put(&target, &json!({"page_title": "b", "warranty": "Two years"}));
    assert_eq!(shop.store.product(id).unwrap().text("warranty"), "Two years");
    shop.put(&target, &json!({"page_title": "c"}));
    assert_eq!(shop.store.product(id).unwrap().text("warranty"), "");
}

/// Which changes move `date_modified` is documented for none but the product's own fields, and unknown for the rest.
#[test]
fn changes_outside_the_product_move_its_date_only_where_the_store_has_that_habit() {
    let shop = shop(1);
    let id = shop.store.ids()[0];
    let product = shop.store.product(id).unwrap();
    let (image, variant) = (row_id(&product.images[0]), row_id(&product.variants[0]));
    let category = shop.store.create_category(0, "Else");
    let own = format!("/catalog/products/{id}");
    let moves = |write: &dyn Fn()| {
        shop.clock.advance(Duration::from_secs(60));
        let before = shop.store.product(id).unwrap().text("date_modified").to_owned();
        write();
        before != shop.store.product(id).unwrap().text("date_modified")
    };
    let writes: [(Area, &dyn Fn()); 6] = [
        (Area::Images, &|| {
            assert_eq!(shop.put(&format!("{own}/images/{image}"), &json!({"description": "A"})).status, 200);
        }),
        (Area::CustomFields, &|| {
            let value = shop.clock_text();
            let body = json!({"name": "Made", "value": value});
            assert_eq!(shop.post(&format!("{own}/custom-fields"), &body).status, 200);
        }),
        (Area::Variants, &|| {
            assert_eq!(shop.put("/catalog/variants", &json!([{"id": variant, "price": 3}])).status, 200);
        }),
        (Area::Inventory, &|| assert!(shop.store.set_stock(id, 3))),
        (Area::Options, &|| {
            shop.store.edit_product(id, |product| product.options[0].set("display_name", "Other"));
        }),
        (Area::Assignments, &|| {
            let body = json!([{"product_id": id, "category_id": category}]);
            shop.put("/catalog/products/category-assignments", &body);
        }),
    ];
    assert!(moves(&|| assert_eq!(shop.put(&own, &json!({"page_title": "t"})).status, 200)));
    for (area, write) in &writes {
        assert!(!moves(write), "{area:?}");
    }
    for (area, write) in
        writes.iter().filter(|(area, _)| *area != Area::Assignments && *area != Area::Options)
    {
        shop.store.set_conditions(|conditions| conditions.still.clear());
        assert!(moves(write), "{area:?}");
    }
}

#[test]
fn an_alternative_text_is_one_call_an_image_and_can_be_cut() {
    let shop = shop(1);
    let id = shop.store.ids()[0];
    let image = row_id(&shop.store.product(id).unwrap().images[0]);
    let target = format!("/catalog/products/{id}/images/{image}");
    let answer = shop.put(&target, &json!({"description": "A red cup"}));
    assert_eq!(answer.data()["description"], "A red cup");
    shop.store.set_conditions(|conditions| conditions.alt_limit = Some(3));
    assert_eq!(shop.put(&target, &json!({"description": "A red cup"})).data()["description"], "A r");
    assert_eq!(
        shop.put(&format!("/catalog/products/{id}/images/1"), &json!({"description": "x"})).status,
        404
    );
}

#[test]
fn markup_can_be_refused() {
    let shop = shop(1);
    let target = format!("/catalog/products/{}", shop.store.ids()[0]);
    let body = json!({"description": "<iframe src=\"https://x.example\"></iframe>"});
    assert_eq!(shop.put(&target, &body).status, 200);
    shop.store.set_conditions(|conditions| conditions.refused_markup = Some("<iframe".to_owned()));
    let answer = shop.put(&target, &body);
    assert_eq!((answer.status, &answer.body["title"]), (422, &json!("Invalid field(s): description")));
}

#[test]
fn what_is_too_long_or_of_another_type_is_refused_by_field() {
    let mut shop = shop(1);
    shop.wild = true;
    let target = format!("/catalog/products/{}", shop.store.ids()[0]);
    for (body, field) in [
        (json!({"page_title": "a".repeat(256)}), "page_title"),
        (json!({"name": ""}), "name"),
        (json!({"price": -1}), "price"),
        (json!({"meta_keywords": "a,b"}), "meta_keywords"),
        (json!({"search_keywords": ["a"]}), "search_keywords"),
        (json!({"condition": "Broken"}), "condition"),
    ] {
        let answer = shop.put(&target, &body);
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.body["errors"][field].is_string(), "{}", answer.body);
    }
    // Where the official document is at hand, it refuses each of these too.
    if documents::bigcommerce().is_some() {
        assert_eq!(texts(&shop.store.violations()).len(), 6);
    }
}

#[test]
fn refused_variants_come_as_batch_errors_and_nothing_of_the_batch_is_saved() {
    let shop = shop(1);
    let variants = shop.store.variant_ids();
    let body = json!([{"id": variants[0], "price": 77}, {"id": 5, "price": 1}]);
    let answer = shop.put("/catalog/variants", &body);
    assert_eq!(answer.status, 422);
    assert!(answer.body.get("errors").is_none());
    assert_eq!(answer.body["batch_errors"][0]["status"], 404);
    assert_ne!(Value::from(shop.store.variant(variants[0]).unwrap())["price"], 77);
}

#[test]
fn refused_metafields_come_as_a_list_beside_what_was_saved() {
    let shop = shop(0);
    let id = shop.store.create_product("One", |_| ());
    let row = shop.store.add_metafield("product", id, "lily", "k", "v", None).unwrap();
    let answer =
        shop.put("/catalog/products/metafields", &json!([{"id": row, "value": "w"}, {"id": 99_999}]));
    assert_eq!(answer.status, 422);
    assert!(answer.body["errors"].is_array());
    assert_eq!(answer.body["meta"], json!({"total": 2, "success": 1, "failed": 1}));
    assert_eq!(answer.data()[0]["value"], "w");
}

#[test]
fn a_custom_field_twice_is_a_conflict() {
    let shop = shop(0);
    let id = shop.store.create_product("One", |_| ());
    let target = format!("/catalog/products/{id}/custom-fields");
    let body = json!({"name": "Colour", "value": "Red"});
    assert_eq!(shop.post(&target, &body).status, 200);
    assert_eq!(shop.post(&target, &body).status, 409);
    assert_eq!(shop.post(&target, &json!({"name": "Colour", "value": "Blue"})).status, 200);
}

#[test]
fn parts_in_a_products_body_are_noted_since_nobody_knows_what_becomes_of_them() {
    let mut shop = shop(1);
    shop.wild = true;
    let id = shop.store.ids()[0];
    let before = shop.store.product(id).unwrap().custom_fields;
    let body = json!({"custom_fields": [{"name": "a", "value": "b"}]});
    assert_eq!(shop.put(&format!("/catalog/products/{id}"), &body).status, 200);
    assert_eq!(shop.store.product(id).unwrap().custom_fields, before);
    assert_eq!(shop.store.unexpected().len(), 1);
}

#[test]
fn a_body_that_is_no_json_is_refused() {
    let mut shop = shop(1);
    shop.wild = true;
    let target = format!("/catalog/products/{}", shop.store.ids()[0]);
    let mut request = shop.raw(http::Method::PUT, &target, Some(&json!({"name": "x"})));
    request.headers.insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(shop.send(&request).status, 415);
    request.headers.insert("content-type", "application/json".parse().unwrap());
    request.body.truncate(4);
    assert_eq!(shop.send(&request).status, 400);
}
