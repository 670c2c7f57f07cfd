//! Attributes, options, categories, configurable products and stock.

use http::Method;
use serde_json::json;

use super::{Shop, pluck, shop, shop_with};

fn seeded(seed: u64) -> Shop {
    let shop = shop_with(|builder| builder.seed(seed));
    shop.store.seed_products(25);
    shop
}

#[test]
fn a_seed_gives_the_same_catalogue_and_another_one_other_option_ids() {
    let (one, same, other) = (seeded(7), seeded(7), seeded(8));
    assert_eq!(one.store.snapshot(), same.store.snapshot());
    let ids = |shop: &Shop| -> Vec<u64> {
        shop.store.attribute("color").unwrap().options.iter().map(|option| option.id).collect()
    };
    assert_ne!(ids(&one), ids(&other));
    assert!(one.store.product_count() >= 25 + 15);
    let all = one.get("/rest/all/V1/products?searchCriteria");
    let count = |kind: &str| pluck(&all, "type_id").iter().filter(|known| *known == kind).count();
    assert_eq!((count("configurable"), count("simple")), (5, 35));
    assert!(all["items"].as_array().unwrap().iter().any(|item| !item["media_gallery_entries"][0].is_null()));
}

#[test]
fn options_have_ids_and_labels_by_view_with_a_blank_one_first() {
    let shop = seeded(7);
    let options = |view: &str| shop.get(&format!("/rest/{view}/V1/products/attributes/color/options"));
    let (english, german) = (options("default"), options("de"));
    assert_eq!(english[0], json!({"label": " ", "value": ""}));
    assert_eq!((&english[1]["label"], &german[1]["label"]), (&json!("Black"), &json!("Schwarz")));
    assert_eq!(english[1]["value"], german[1]["value"]);
    assert!(english[1]["value"].is_string());
    let yes = shop.get("/rest/de/V1/products/attributes/gift_message_available/options");
    assert_eq!(yes, json!([{"label": "Yes", "value": "1"}, {"label": "No", "value": "0"}]));
    let all = shop.get("/rest/de/V1/products/attributes?searchCriteria");
    let color =
        all["items"].as_array().unwrap().iter().find(|item| item["attribute_code"] == "color").unwrap();
    assert_eq!((&color["options"], &color["scope"]), (&german, &json!("global")));
}

#[test]
fn a_new_option_is_answered_with_its_id_or_with_a_prefix_or_made_twice() {
    let shop = seeded(7);
    let path = "/rest/all/V1/products/attributes/color/options";
    let new = |label: &str| json!({"option": {"label": label, "sort_order": 9, "store_labels": [{"store_id": 2, "label": "Lila"}]}});
    let id = shop.post(path, &new("Purple"));
    let color = shop.store.attribute("color").unwrap();
    let option = color.option(id.as_str().unwrap().parse().unwrap()).unwrap();
    assert_eq!((option.label(0), option.label(2)), ("Purple", "Lila"));
    assert_eq!(shop.write(Method::POST, path, &new("Purple")).0, 400);
    shop.store.set_conditions(|conditions| {
        conditions.option_id_prefix = true;
        conditions.option_twice = true;
    });
    let id = shop.post(path, &new("Pink"));
    assert!(id.as_str().unwrap().starts_with("id_"), "{id}");
    let color = shop.store.attribute("color").unwrap();
    assert_eq!(color.options.iter().filter(|option| option.label(0) == "Pink").count(), 2);
    let (status, answer) =
        shop.write(Method::POST, "/rest/all/V1/products/attributes/nobody/options", &new("x"));
    assert_eq!((status, &answer["parameters"]["attributeCode"]), (404, &json!("nobody")));
}

#[test]
fn configurable_products_name_their_children_and_children_name_nobody() {
    let shop = seeded(7);
    let list = shop.get(
        "/rest/all/V1/products?searchCriteria[filter_groups][0][filters][0][field]=type_id\
         &searchCriteria[filter_groups][0][filters][0][value]=configurable",
    );
    let parent = &list["items"][0];
    let extension = &parent["extension_attributes"];
    let links = extension["configurable_product_links"].as_array().unwrap();
    assert_eq!(links.len(), 3);
    let option = &extension["configurable_product_options"][0];
    assert_eq!(option["values"].as_array().unwrap().len(), 3);
    assert!(option["attribute_id"].is_string());
    assert_eq!(parent["price"], 0);
    let sku = parent["sku"].as_str().unwrap();
    let children = shop.get(&format!("/rest/all/V1/configurable-products/{sku}/children"));
    let ids: Vec<_> = children.as_array().unwrap().iter().map(|child| child["id"].clone()).collect();
    assert_eq!(&ids, links);
    assert!(!children.to_string().contains(sku.to_owned().as_str()) || children[0]["visibility"] == 1);
}

#[test]
fn categories_come_as_a_tree_and_as_a_list_and_a_save_at_a_view_copies() {
    let shop = seeded(7);
    let tree = shop.get("/rest/all/V1/categories?rootCategoryId=2&depth=1");
    assert_eq!(tree["children_data"].as_array().unwrap().len(), 6);
    assert_eq!(shop.get("/rest/all/V1/categories?rootCategoryId=2&depth=0")["children_data"], json!([]));
    let list = shop.get("/rest/de/V1/categories/list?searchCriteria");
    assert_eq!(list["total_count"], 8);
    let count = tree["children_data"][0]["product_count"].as_u64().unwrap();
    let links = shop.get(&format!("/rest/all/V1/categories/{}/products", tree["children_data"][0]["id"]));
    assert_eq!(links.as_array().unwrap().len() as u64, count);
    let answer = shop.put(
        "/rest/de/V1/categories/3",
        &json!({"category": {"custom_attributes": [{"attribute_code": "meta_keywords", "value": "neu"}]}}),
    );
    assert!(answer.to_string().contains("neu"));
    shop.store.name_category(3, 0, "Renamed");
    let named = shop.get("/rest/fr/V1/categories/3")["name"].clone();
    assert_eq!(named, "Renamed");
    let path = "/rest/fr/V1/categories/4";
    let before = shop.get(path)["name"].clone();
    shop.put(path, &json!({"category": {"custom_attributes": []}}));
    shop.store.name_category(4, 0, "Renamed too");
    assert_eq!(shop.get(path)["name"], before, "the view kept a copy of what it inherited");
    shop.store.set_conditions(|conditions| conditions.categories_copy_inherited = false);
    let path = "/rest/fr/V1/categories/5";
    shop.put(path, &json!({"category": {"custom_attributes": []}}));
    shop.store.name_category(5, 0, "Renamed as well");
    assert_eq!(shop.get(path)["name"], "Renamed as well");
}

#[test]
fn store_views_are_languages_and_the_admin_comes_first() {
    let shop = shop();
    let views = shop.get("/rest/V1/store/storeViews");
    assert_eq!((&views[0]["code"], &views[2]["code"]), (&json!("admin"), &json!("de")));
    let configs = shop.get("/rest/V1/store/storeConfigs");
    assert_eq!(configs[1]["locale"], "de_DE");
    assert_eq!(shop.get("/rest/V1/store/storeConfigs?storeCodes[]=fr")[0]["code"], "fr");
    assert_eq!(configs[1]["base_media_url"], "https://store.test/media/");
    assert_eq!(shop.get("/rest/V1/store/storeGroups")[1]["root_category_id"], 2);
    assert_eq!(shop.get("/rest/V1/store/websites")[1]["code"], "base");
    assert_eq!(shop.send(&shop.request(Method::GET, "/magento_version")).0, 404);
    shop.store
        .set_conditions(|conditions| conditions.told_version = Some("Magento/2.4 (Community)".to_owned()));
    assert_eq!(shop.get("/magento_version"), "Magento/2.4 (Community)");
}

#[test]
fn stock_is_kept_by_source_and_summed() {
    let shop = shop();
    shop.store.create("A", "Bag", |product| product.stock.qty = 5.0);
    shop.store.add_source("east", "East");
    let items = json!({"sourceItems": [
        {"sku": "A", "source_code": "default", "quantity": 4, "status": 1},
        {"sku": "A", "source_code": "east", "quantity": 2.5, "status": 1},
    ]});
    shop.post("/rest/all/V1/inventory/source-items", &items);
    let list = shop.get(
        "/rest/all/V1/inventory/source-items?searchCriteria[filter_groups][0][filters][0][field]=sku\
         &searchCriteria[filter_groups][0][filters][0][value]=A",
    );
    assert_eq!(pluck(&list, "quantity"), [json!(4), json!(2.5)]);
    assert_eq!(shop.get("/rest/all/V1/inventory/get-product-salable-quantity/A/1"), json!(6.5));
    assert_eq!(shop.get("/rest/all/V1/stockItems/A")["qty"], 4);
    let wrong =
        json!({"sourceItems": [{"sku": "none", "source_code": "default", "quantity": 1, "status": 1}]});
    let (status, answer) = shop.write(Method::POST, "/rest/all/V1/inventory/source-items", &wrong);
    assert_eq!((status, &answer["errors"][0]["parameters"]["sku"]), (400, &json!("none")));
}
