//! Saves: scopes, defaults, pictures, lists that replace, and what is refused.

use http::Method;
use lily_connect::testkit::magento::{Attribute, Release};
use serde_json::{Value, json};

use super::{Shop, custom, shop, shop_with};

const DE: u64 = 2;

fn named(shop: &Shop, sku: &str) -> u64 {
    shop.store.create(sku, "Bag", |product| {
        product.set(0, "description", "<p>Old</p>");
        product.set(0, "short_description", "Short");
        product.set(0, "meta_title", "Title");
    })
}

fn description(text: &str) -> Value {
    json!({"product": {"custom_attributes": [{"attribute_code": "description", "value": text}]}})
}

/// The rows that a call added, changed or took, without those it left alone.
fn moved(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|row| !after.contains(row)).map(|row| format!("- {row}"));
    let new = after.iter().filter(|row| !before.contains(row)).map(|row| format!("+ {row}"));
    gone.chain(new).collect()
}

#[test]
fn a_save_at_a_view_touches_that_value_alone() {
    let shop = shop();
    let id = named(&shop, "A");
    shop.store.add_image(id, "/a/b/ab.jpg", Some("Front"));
    let before = shop.store.rows(id);
    let answer = shop.put("/rest/de/V1/products/A", &description("<p>Neu</p>"));
    assert_eq!(custom(&answer, "description").unwrap(), "<p>Neu</p>");
    assert_eq!(moved(&before, &shop.store.rows(id)), ["+ value 2 description \"<p>Neu</p>\""]);
    assert_eq!(custom(&shop.get("/rest/all/V1/products/A"), "description").unwrap(), "<p>Old</p>");
    assert_eq!(custom(&shop.get("/rest/fr/V1/products/A"), "description").unwrap(), "<p>Old</p>");
}

#[test]
fn a_value_equal_to_the_inherited_one_stays_inherited() {
    let shop = shop();
    let id = named(&shop, "A");
    let before = shop.store.rows(id);
    shop.put("/rest/de/V1/products/A", &description("<p>Old</p>"));
    assert_eq!(moved(&before, &shop.store.rows(id)), Vec::<String>::new());
}

#[test]
fn an_old_release_copies_all_that_the_view_inherits() {
    let shop = shop_with(|builder| builder.release(Release::V2_4_2));
    let id = named(&shop, "A");
    shop.put("/rest/de/V1/products/A", &description("<p>Neu</p>"));
    let product = shop.store.product(id).unwrap();
    for code in ["name", "short_description", "meta_title", "url_key", "status", "visibility"] {
        assert!(product.is_overridden(DE, code), "{code}");
    }
    assert!(!product.is_overridden(DE, "weight"));
}

#[test]
fn a_product_of_one_view_and_no_single_website_is_copied_by_new_releases_too() {
    let shop = shop_with(|builder| builder.views([("default", "en_US")]));
    let id = named(&shop, "A");
    let empty = shop.store.add_website("empty");
    shop.store.edit(id, |product| product.websites = vec![1, empty]);
    shop.put("/rest/default/V1/products/A", &description("<p>New</p>"));
    assert!(shop.store.product(id).unwrap().is_overridden(1, "name"));
    let one = named(&shop, "B");
    shop.store.edit(one, |product| product.websites = vec![1]);
    shop.put("/rest/default/V1/products/B", &description("<p>New</p>"));
    assert!(!shop.store.product(one).unwrap().is_overridden(1, "name"));
}

#[test]
fn multiselect_lists_are_copied_where_they_are_read_as_lists() {
    let shop = shop();
    shop.store.add_attribute(Attribute::new(0, "material", "Material", "multiselect"));
    let id = named(&shop, "A");
    shop.store.set_value(id, "material", "7,9");
    shop.put("/rest/de/V1/products/A", &description("<p>1</p>"));
    assert!(!shop.store.product(id).unwrap().is_overridden(DE, "material"));
    shop.store.set_conditions(|conditions| conditions.multiselect_lists = true);
    assert_eq!(custom(&shop.get("/rest/all/V1/products/A"), "material").unwrap(), &json!(["7", "9"]));
    shop.put("/rest/de/V1/products/A", &description("<p>2</p>"));
    assert!(shop.store.product(id).unwrap().is_overridden(DE, "material"));
}

#[test]
fn null_at_a_view_is_the_default_again_and_an_empty_text_is_a_value() {
    let shop = shop();
    let id = named(&shop, "A");
    let set = |value: Value| {
        let body =
            json!({"product": {"custom_attributes": [{"attribute_code": "meta_title", "value": value}]}});
        shop.put("/rest/de/V1/products/A", &body)
    };
    assert_eq!(custom(&set(json!("")), "meta_title").unwrap(), "");
    assert_eq!(shop.store.product(id).unwrap().own(DE, "meta_title"), Some(""));
    assert_eq!(custom(&set(Value::Null), "meta_title").unwrap(), "Title");
    assert_eq!(shop.store.product(id).unwrap().own(DE, "meta_title"), None);
    shop.store.set_conditions(|conditions| conditions.refuses_null = true);
    let body = json!({"product": {"custom_attributes": [{"attribute_code": "meta_title", "value": null}]}});
    let (status, answer) = shop.write(Method::PUT, "/rest/de/V1/products/A", &body);
    assert_eq!((status, &answer["parameters"]), (400, &json!(["meta_title"])));
}

#[test]
fn a_global_attribute_written_at_a_view_changes_everywhere_and_a_website_one_in_its_website() {
    let shop = shop();
    let id = named(&shop, "A");
    shop.put("/rest/de/V1/products/A", &json!({"product": {"weight": 2.5, "price": 12}}));
    let product = shop.store.product(id).unwrap();
    assert_eq!(product.own(0, "weight"), Some("2.500000"));
    assert_eq!(product.own(DE, "weight"), None);
    assert_eq!((product.own(0, "price"), product.own(1, "price")), (Some("10.000000"), Some("12.000000")));
    assert_eq!((product.own(DE, "price"), product.own(3, "price")), (Some("12.000000"), Some("12.000000")));
}

#[test]
fn a_status_sent_as_a_number_is_an_override_though_it_is_equal() {
    let shop = shop();
    let id = named(&shop, "A");
    shop.put("/rest/de/V1/products/A", &json!({"product": {"visibility": 4}}));
    assert!(shop.store.product(id).unwrap().is_overridden(DE, "visibility"));
}

#[test]
fn what_the_set_lacks_is_ignored_and_what_it_requires_is_asked_for() {
    let shop = shop();
    shop.store.add_attribute(Attribute::new(0, "care", "Care", "text"));
    let id = named(&shop, "A");
    shop.store.remove_from_set(4, "care");
    let body = json!({"product": {"custom_attributes": [
        {"attribute_code": "care", "value": "cold"}, {"attribute_code": "nobody_knows", "value": "x"},
    ]}});
    let before = shop.store.rows(id);
    shop.put("/rest/all/V1/products/A", &body);
    assert_eq!(moved(&before, &shop.store.rows(id)), Vec::<String>::new());
    shop.store.add_attribute(Attribute::new(0, "origin", "Origin", "text").required());
    let (status, answer) = shop.write(Method::PUT, "/rest/all/V1/products/A", &description("<p>x</p>"));
    assert_eq!(status, 400);
    assert_eq!(answer["message"], "The value of attribute \"%1\" must be set.");
    assert_eq!(answer["parameters"], json!(["origin"]));
}

#[test]
fn a_list_is_refused_where_a_comma_text_is_meant() {
    let shop = shop();
    shop.store.add_attribute(Attribute::new(0, "material", "Material", "multiselect"));
    named(&shop, "A");
    let body = |value: Value| json!({"product": {"custom_attributes": [{"attribute_code": "material", "value": value}]}});
    let (status, answer) = shop.write(Method::PUT, "/rest/all/V1/products/A", &body(json!(["7", "9"])));
    assert_eq!((status, &answer["parameters"]), (400, &json!({"value": "array", "type": "string"})));
    shop.put("/rest/all/V1/products/A", &body(json!("7,9")));
}

#[test]
fn url_keys_are_unique_and_made_on_creation_only() {
    let shop = shop();
    named(&shop, "A");
    let new =
        |sku: &str| json!({"product": {"sku": sku, "name": "Fine Hat", "attribute_set_id": 4, "price": 3}});
    let answer = shop.post("/rest/all/V1/products", &new("B"));
    assert_eq!(custom(&answer, "url_key").unwrap(), "fine-hat");
    let (status, answer) = shop.write(Method::POST, "/rest/all/V1/products", &new("C"));
    assert_eq!((status, &answer["message"]), (400, &json!("URL key for specified store already exists.")));
    assert!(shop.store.by_sku("C").is_none());
    shop.store.add_category(2, "Shoes");
    let shoes = json!({"product": {"sku": "D", "name": "Shoes", "attribute_set_id": 4, "price": 3}});
    let (status, answer) = shop.write(Method::POST, "/rest/all/V1/products", &shoes);
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().contains("would generate a URL"), "{answer}");
    let answer = shop.put("/rest/all/V1/products/B", &json!({"product": {"name": "Other"}}));
    assert_eq!(custom(&answer, "url_key").unwrap(), "fine-hat");
}

#[test]
fn a_new_product_needs_a_set_and_a_name_and_takes_websites_by_its_address() {
    let shop = shop();
    let second = shop.store.add_website("second");
    let (status, answer) =
        shop.write(Method::POST, "/rest/all/V1/products", &json!({"product": {"sku": "B"}}));
    assert_eq!(status, 400);
    assert_eq!(
        answer,
        json!({"message": "Invalid product data: %1", "parameters": ["Invalid attribute set entity type"]})
    );
    let nameless = json!({"product": {"sku": "B", "attribute_set_id": 4, "price": 1}});
    assert_eq!(shop.write(Method::POST, "/rest/all/V1/products", &nameless).0, 400);
    let new = |sku: &str| json!({"product": {"sku": sku, "name": sku, "attribute_set_id": 4, "price": 3}});
    let everywhere = shop.post("/rest/all/V1/products", &new("B"));
    assert_eq!(everywhere["extension_attributes"]["website_ids"], json!([1, second]));
    let here = shop.post("/rest/de/V1/products", &new("C"));
    assert_eq!(here["extension_attributes"]["website_ids"], json!([1]));
}

#[test]
fn the_sku_of_the_path_counts_where_product_is_all_that_the_body_has() {
    let shop = shop();
    let id = named(&shop, "A");
    shop.put("/rest/all/V1/products/A", &json!({"product": {"sku": "Z", "name": "One"}}));
    assert_eq!(shop.store.product(id).unwrap().value(0, "name"), Some("One"));
    let with_options = json!({"product": {"sku": "Z", "name": "Two"}, "saveOptions": true});
    let (status, _) = shop.write(Method::PUT, "/rest/all/V1/products/A", &with_options);
    assert_eq!(status, 400, "another product would be made, and lacks its set");
    shop.put("/rest/all/V1/products/Z", &json!({"product": {"id": id, "name": "Three"}}));
    assert_eq!(shop.store.product(id).unwrap().sku, "Z", "with its id, a product takes the path's SKU");
}

#[test]
fn too_long_and_wrongly_typed_values_are_refused_without_a_reason() {
    let shop = shop();
    let id = named(&shop, "A");
    let set = |code: &str, value: String| {
        let body = json!({"product": {"custom_attributes": [{"attribute_code": code, "value": value}]}});
        shop.write(Method::PUT, "/rest/all/V1/products/A", &body)
    };
    let before = shop.store.rows(id);
    for (code, value) in [("meta_title", "x".repeat(256)), ("tax_class_id", "Taxable".to_owned())] {
        let (status, answer) = set(code, value);
        assert_eq!(status, 400);
        assert_eq!(answer["message"], "The product was unable to be saved. Please try again.");
    }
    assert_eq!(before, shop.store.rows(id));
    assert_eq!(set("meta_title", "ü".repeat(255)).0, 200, "characters count, not bytes");
}

#[test]
fn lists_of_a_body_replace_and_the_rest_stays() {
    let shop = shop();
    let id = named(&shop, "A");
    let (bags, hats) = (shop.store.add_category(2, "Bags"), shop.store.add_category(2, "Hats"));
    let link = |category: u64| {
        json!({"product": {"extension_attributes": {"category_links": [
            {"position": 1, "category_id": category.to_string()},
        ]}}})
    };
    shop.put("/rest/all/V1/products/A", &link(bags));
    shop.put("/rest/all/V1/products/A", &link(hats));
    let categories =
        |id| shop.store.product(id).unwrap().categories.iter().map(|c| c.category).collect::<Vec<_>>();
    assert_eq!(categories(id), [hats]);
    shop.put("/rest/all/V1/products/A", &description("<p>x</p>"));
    assert_eq!(categories(id), [hats]);
    shop.store.set_conditions(|conditions| conditions.merges_categories = true);
    shop.put("/rest/all/V1/products/A", &link(bags));
    assert_eq!(categories(id), [hats, bags]);
    let (status, _) = shop.write(Method::PUT, "/rest/all/V1/products/A", &link(999));
    assert_eq!(status, 404);
}

#[test]
fn an_empty_gallery_wipes_all_pictures_in_all_views() {
    let shop = shop();
    let id = named(&shop, "A");
    shop.store.add_image(id, "/a/b/ab.jpg", Some("Front"));
    shop.put("/rest/de/V1/products/A", &json!({"product": {"media_gallery_entries": null}}));
    assert_eq!(shop.store.product(id).unwrap().media.len(), 1);
    shop.put("/rest/de/V1/products/A", &json!({"product": {"media_gallery_entries": []}}));
    assert!(shop.store.product(id).unwrap().media.is_empty());
    assert_eq!(custom(&shop.get("/rest/all/V1/products/A"), "image").unwrap(), "no_selection");
}

#[test]
fn a_label_is_set_at_a_view_through_the_entry_and_null_is_the_default_again() {
    let shop = shop();
    let id = named(&shop, "A");
    let entry = shop.store.add_image(id, "/a/b/ab.jpg", Some("Front")).unwrap();
    let path = format!("/rest/de/V1/products/A/media/{entry}");
    let body = |label: Value| {
        json!({"entry": {"id": entry, "media_type": "image", "label": label, "position": 1, "disabled": false,
            "types": ["image", "small_image", "thumbnail"], "file": "/a/b/ab.jpg"}})
    };
    let roles = shop.get("/rest/all/V1/products/A/media")[0]["types"].clone();
    let updated = shop.store.product(id).unwrap().updated;
    shop.tick();
    assert_eq!(shop.put(&path, &body(json!("Vorne"))), json!(true));
    assert_eq!(shop.get("/rest/de/V1/products/A/media")[0]["label"], "Vorne");
    assert_eq!(shop.get("/rest/all/V1/products/A/media")[0]["label"], "Front");
    assert_eq!(shop.get("/rest/de/V1/products/A/media")[0]["types"], roles);
    assert_eq!(shop.store.product(id).unwrap().updated, updated, "pictures alone do not move the date");
    shop.put(&path, &body(Value::Null));
    assert_eq!(shop.get("/rest/de/V1/products/A/media")[0]["label"], "Front");
}

#[test]
fn an_entry_without_its_fields_is_refused_or_loses_roles_and_label() {
    let shop = shop();
    shop.violates(&["property types", "property media_type", "property position", "property disabled"]);
    let id = named(&shop, "A");
    let entry = shop.store.add_image(id, "/a/b/ab.jpg", Some("Front")).unwrap();
    let path = format!("/rest/all/V1/products/A/media/{entry}");
    let only_label = json!({"entry": {"id": entry, "label": "New"}});
    let (status, answer) = shop.write(Method::PUT, &path, &only_label);
    assert_eq!((status, &answer["parameters"]["fieldName"]), (400, &json!("media_type")));
    shop.store.set_conditions(|conditions| conditions.media_fields_required = false);
    shop.put(&path, &only_label);
    let answer = shop.get("/rest/all/V1/products/A/media");
    assert_eq!(answer[0]["types"], json!([]));
    assert_eq!(answer[0]["label"], "New");
}

#[test]
fn the_entry_of_the_body_is_the_one_that_is_changed() {
    let shop = shop();
    let id = named(&shop, "A");
    let entry = shop.store.add_image(id, "/a/b/ab.jpg", None).unwrap();
    let body = json!({"entry": {"id": entry + 99, "media_type": "image", "label": "x", "position": 1,
        "disabled": false, "types": []}});
    assert_eq!(shop.write(Method::PUT, &format!("/rest/all/V1/products/A/media/{entry}"), &body).0, 404);
}

#[test]
fn before_2_4_9_a_save_at_a_view_breaks_the_inheritance_of_pictures() {
    let shop = shop_with(|builder| builder.release(Release::V2_4_8));
    let id = named(&shop, "A");
    let entry = shop.store.add_image(id, "/a/b/ab.jpg", Some("Front")).unwrap();
    shop.put("/rest/de/V1/products/A", &description("<p>Neu</p>"));
    shop.store.set_label(id, 0, entry, Some("Edited"));
    assert_eq!(shop.get("/rest/de/V1/products/A/media")[0]["label"], "Front");
    assert_eq!(shop.get("/rest/fr/V1/products/A/media")[0]["label"], "Edited");
}

#[test]
fn a_picture_is_added_from_its_bytes_and_removed_by_its_id() {
    let shop = shop();
    let id = named(&shop, "A");
    let content = |data: &str| {
        json!({"entry": {"media_type": "image", "label": "New image label", "position": 4, "disabled": false,
            "types": [], "content": {"base64_encoded_data": data, "type": "image/png", "name": "new-image.png"}}})
    };
    assert_eq!(shop.write(Method::POST, "/rest/all/V1/products/A/media", &content("?")).0, 400);
    let entry = shop.post("/rest/all/V1/products/A/media", &content("iVBORw0KGgo="));
    let path = format!("/rest/all/V1/products/A/media/{entry}");
    assert_eq!(shop.get(&path)["file"], "/n/e/new-image.png");
    assert_eq!(shop.send(&shop.request(Method::DELETE, &path)).1, json!(true));
    assert!(shop.store.product(id).unwrap().media.is_empty());
}

#[test]
fn stock_pictures_and_mass_changes_leave_the_date_and_a_plain_save_moves_it() {
    let shop = shop();
    let id = named(&shop, "A");
    let made = shop.store.product(id).unwrap().updated;
    let date = || shop.store.product(id).unwrap().updated;
    shop.tick();
    shop.store.set_stock(id, 3.0);
    shop.store.add_image(id, "/a/b/ab.jpg", None);
    shop.store.mass_update(&[id], 0, "status", "2");
    let items = json!({"sourceItems": [{"sku": "A", "source_code": "default", "quantity": 9, "status": 1}]});
    shop.post("/rest/all/V1/inventory/source-items", &items);
    assert_eq!(date(), made);
    assert_eq!(shop.get("/rest/all/V1/products/A")["status"], 2);
    shop.put("/rest/all/V1/products/A", &json!({"product": {"name": "Bag"}}));
    assert!(date() > made, "a save moves the date though nothing changed");
    let saved = date();
    shop.tick();
    shop.store.set_conditions(|conditions| {
        conditions.stock_moves_clock = true;
        conditions.mass_moves_clock = true;
    });
    shop.store.set_stock(id, 4.0);
    assert!(date() > saved);
}

#[test]
fn a_deletion_leaves_no_trace() {
    let shop = shop();
    let id = named(&shop, "A");
    assert_eq!(shop.send(&shop.request(Method::DELETE, "/rest/all/V1/products/A")).1, json!(true));
    assert!(shop.store.product(id).is_none());
    let (status, answer) = shop.send(&shop.request(Method::GET, "/rest/all/V1/products/A"));
    assert_eq!(status, 404);
    assert_eq!(
        answer["message"],
        "The product that was requested doesn't exist. Verify the product and try again."
    );
}

#[test]
fn lists_of_a_body_are_limited_where_the_merchant_limits_them() {
    let shop = shop();
    named(&shop, "A");
    let many: Vec<_> = (0..21).map(|n| json!({"attribute_code": format!("a{n}"), "value": "x"})).collect();
    let body = json!({"product": {"custom_attributes": many}});
    shop.put("/rest/all/V1/products/A", &body);
    shop.store.set_conditions(|conditions| conditions.input_limit = Some(20));
    let (status, answer) = shop.write(Method::PUT, "/rest/all/V1/products/A", &body);
    assert_eq!(status, 400);
    assert_eq!(
        answer["message"],
        "Maximum items of type \"Magento\\Framework\\Api\\AttributeInterface[]\" is 20"
    );
}
