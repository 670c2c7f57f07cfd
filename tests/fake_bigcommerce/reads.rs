//! Lists: pages, filters, and the habits and defects that a reader must bear.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use lily_connect::testkit::exchange::{Request, Transport};
use serde_json::json;

use super::{row_id, shop};

#[test]
fn a_page_over_the_largest_is_an_error_and_not_cut() {
    let mut shop = shop(3);
    shop.wild = true;
    let refused = shop.get("/catalog/products?limit=251");
    assert_eq!(refused.status, 413);
    assert!(refused.body["title"].as_str().unwrap().contains("250"));
    assert_eq!(shop.get("/catalog/products?limit=0").status, 422);
    assert_eq!(shop.get("/catalog/products?limit=250").status, 200);
    assert_eq!(shop.get("/catalog/products?page=0").status, 422);
    assert_eq!(shop.get("/catalog/products?include=pictures").status, 422);
}

#[test]
fn links_are_queries_that_keep_what_was_asked() {
    let shop = shop(7);
    let pages =
        shop.get("/catalog/products?limit=3&page=2&include=images").body["meta"]["pagination"].clone();
    assert_eq!(pages["total"], 7);
    assert_eq!(
        (&pages["count"], &pages["per_page"], &pages["total_pages"]),
        (&json!(3), &json!(3), &json!(3))
    );
    assert_eq!(pages["links"]["next"], "?include=images&page=3&limit=3");
    assert_eq!(pages["links"]["previous"], "?include=images&page=1&limit=3");
    assert!(
        shop.get("/catalog/products?limit=3&page=3").body["meta"]["pagination"]["links"]["next"].is_null()
    );
}

#[test]
fn including_options_makes_pages_of_ten_in_silence() {
    let shop = shop(25);
    for include in ["options", "modifiers", "variants,options"] {
        let answer = shop.get(&format!("/catalog/products?limit=250&include={include}"));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.data().as_array().unwrap().len(), 10, "{include}");
        assert_eq!(answer.body["meta"]["pagination"]["per_page"], 10);
    }
    let whole = shop.get("/catalog/products?limit=250&include=variants,images");
    assert_eq!(whole.data().as_array().unwrap().len(), 25);
}

#[test]
fn pages_can_be_capped_below_what_was_asked() {
    let shop = shop(9);
    shop.store.set_conditions(|conditions| conditions.page_cap = Some(4));
    let answer = shop.get("/catalog/products?limit=250");
    assert_eq!(answer.data().as_array().unwrap().len(), 4);
    assert_eq!(answer.body["meta"]["pagination"]["total_pages"], 3);
}

#[test]
fn ids_greater_than_the_last_one_survive_deletions_that_pages_do_not() {
    let shop = shop(9);
    let ids = shop.store.ids();
    let read = |target: String| shop.get(&target).ids();
    let first = read("/catalog/products?limit=3&sort=id".to_owned());
    shop.store.delete_product(ids[0]);
    let by_page = read("/catalog/products?limit=3&sort=id&page=2".to_owned());
    let by_id = read(format!("/catalog/products?limit=3&sort=id&id:greater={}", first[2]));
    assert_eq!(by_id, ids[3..6]);
    assert_eq!(by_page, ids[4..7], "the row that slipped forward is on no page");
}

#[test]
fn a_page_past_the_end_is_empty_or_repeats_the_last_one() {
    let shop = shop(5);
    let past = || shop.get("/catalog/products?limit=2&page=4").ids();
    assert_eq!(past(), Vec::<u64>::new());
    shop.store.set_conditions(|conditions| conditions.past_the_end_repeats = true);
    assert_eq!(past(), shop.store.ids()[4..]);
}

#[test]
fn rows_come_twice_across_pages_when_something_changes_and_no_order_is_asked() {
    let shop = shop(12);
    let ids = shop.store.ids();
    let walk = |query: &str| {
        let mut seen = Vec::new();
        for page in 1..=4 {
            seen.extend(shop.get(&format!("/catalog/products?limit=3&page={page}{query}")).ids());
            shop.store.edit_product(ids[0], |product| product.set("view_count", page));
        }
        seen
    };
    let unlike = |seen: &[u64]| seen.iter().copied().collect::<BTreeSet<u64>>().len();
    assert_eq!(unlike(&walk("")), 12);
    shop.store.set_conditions(|conditions| conditions.rows_slip = true);
    assert!(unlike(&walk("")) < 12);
    assert_eq!(unlike(&walk("&sort=id")), 12);
}

#[test]
fn a_date_without_a_time_gets_the_present_time_of_day() {
    let shop = shop(0);
    let id = shop.store.create_product("Early", |_| ());
    // The clock stands at midnight, and then at noon.
    let since = |text: &str| shop.get(&format!("/catalog/products?date_modified:min={text}")).ids();
    assert_eq!(since("2026-11-22"), [id]);
    shop.clock.advance(Duration::from_secs(12 * 3600));
    assert_eq!(since("2026-11-22"), Vec::<u64>::new());
    assert_eq!(since("2026-11-22T00:00:00Z"), [id]);
    assert_eq!(since("2026-11-22T02:00:00%2B02:00"), [id]);
    assert_eq!(since("2026-11-22T00:00:01Z"), Vec::<u64>::new());
}

#[test]
fn filters_choose_as_their_names_say() {
    let shop = shop(25);
    let ids = shop.store.ids();
    let brand = shop.store.create_brand("Rare");
    let category = shop.store.create_category(0, "Rare");
    shop.store.edit_product(ids[4], |product| {
        product.set("brand_id", brand);
        product.set("sku", "RARE-1");
        product.set("categories", vec![category.into()]);
    });
    for (query, expected) in [
        (format!("id:in={},{}", ids[3], ids[1]), vec![ids[1], ids[3]]),
        (format!("id={}", ids[2]), vec![ids[2]]),
        (format!("id:min={}&id:max={}", ids[2], ids[3]), vec![ids[2], ids[3]]),
        (format!("id:less={}", ids[1]), vec![ids[0]]),
        (format!("brand_id={brand}"), vec![ids[4]]),
        (format!("categories:in={category}"), vec![ids[4]]),
        ("sku=rare-1".to_owned(), vec![ids[4]]),
        ("is_visible=false".to_owned(), vec![ids[6]]),
        ("type=digital".to_owned(), vec![ids[7]]),
    ] {
        assert_eq!(shop.get(&format!("/catalog/products?limit=250&{query}")).ids(), expected, "{query}");
    }
    let newest = shop.get("/catalog/products?limit=1&sort=date_modified&direction=desc").ids();
    assert_eq!(newest, [ids[4]]);
}

#[test]
fn chosen_fields_keep_the_id_and_what_the_platform_always_answers() {
    let shop = shop(2);
    let row = shop.get("/catalog/products?limit=1&include_fields=name&include=images").data()[0].clone();
    let names: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(names, ["gift_wrapping_options_list", "gift_wrapping_options_type", "id", "images", "name"]);
    let row = shop.get("/catalog/products?limit=1&exclude_fields=description").data()[0].clone();
    assert!(row.get("description").is_none() && row.get("name").is_some());
}

#[test]
fn a_product_without_options_has_one_base_variant() {
    let shop = shop(25);
    let simple = shop.store.ids().into_iter().find(|id| shop.store.product(*id).unwrap().options.is_empty());
    let row = shop.get(&format!("/catalog/products/{}?include=variants", simple.unwrap())).data().clone();
    let variant = &row["variants"][0];
    assert_eq!(row["variants"].as_array().unwrap().len(), 1);
    assert_eq!(row["base_variant_id"], variant["id"]);
    assert_eq!((&variant["option_values"], &variant["sku_id"]), (&json!([]), &json!(null)));
    assert_eq!(variant["sku"], row["sku"]);
    let many =
        shop.get(&format!("/catalog/products/{}?include=variants", shop.store.ids()[0])).data().clone();
    assert_eq!(many["variants"].as_array().unwrap().len(), 48);
    assert!(many["base_variant_id"].is_null());
}

#[test]
fn metafields_go_by_cursor_and_those_of_others_are_hidden_where_they_say_so() {
    let shop = shop(0);
    let id = shop.store.create_product("One", |_| ());
    for at in 0..5 {
        shop.store.add_metafield("product", id, "lily", &format!("k{at}"), "v", None);
    }
    shop.store.add_metafield("product", id, "other", "open", "v", Some("somebody"));
    let first = shop.get("/catalog/products/metafields?limit=4&after=c0");
    let page = &first.body["meta"]["cursor_pagination"];
    assert_eq!(first.ids().len(), 4);
    let after = page["end_cursor"].as_str().unwrap();
    let second = shop.get(&format!("/catalog/products/metafields?limit=4&after={after}&page=9"));
    assert_eq!(second.ids().len(), 2, "a page beside a cursor counts for nothing");
    assert!(second.body["meta"]["cursor_pagination"]["links"]["next"].is_null());
    let own = shop.get(&format!("/catalog/products/{id}/metafields?namespace=lily")).ids();
    assert_eq!(own.len(), 5);
}

#[test]
fn categories_are_read_flat_and_as_a_tree() {
    let shop = shop(1);
    let top = shop.store.create_category(0, "Top");
    let below = shop.store.create_category(top, "Below");
    let flat = shop.get(&format!("/catalog/trees/categories?category_id:in={below}")).data()[0].clone();
    assert_eq!((&flat["category_id"], &flat["parent_id"]), (&json!(below), &json!(top)));
    assert!(flat.get("id").is_none());
    assert_eq!(shop.get(&format!("/catalog/trees/categories?parent_id:in={top}")).ids(), [below]);
    let tree = shop.get("/catalog/trees/1/categories").data().clone();
    let found = tree.as_array().unwrap().iter().find(|row| row["id"] == top).unwrap().clone();
    assert_eq!(found["children"][0]["id"], below);
}

#[test]
fn options_have_ids_of_their_own_in_each_product() {
    let shop = shop(0);
    let (one, other) = (shop.store.create_product("A", |_| ()), shop.store.create_product("B", |_| ()));
    shop.store.add_option(one, "Size", &["S", "M"]);
    shop.store.add_option(other, "Size", &["S", "M"]);
    let option = |id: u64| row_id(&shop.store.product(id).unwrap().options[0]);
    assert_ne!(option(one), option(other));
}

#[test]
fn what_is_not_modelled_is_noted() {
    let mut shop = shop(1);
    shop.wild = true;
    assert_eq!(shop.get("/inventory/items").status, 404);
    let elsewhere = Request::new(Method::GET, "/admin", Transport::Plain);
    assert_eq!(shop.send(&elsewhere).status, 404);
    assert_eq!(shop.store.unexpected(), ["GET /stores/abc123/v3/inventory/items", "GET /admin"]);
}

#[test]
fn the_time_of_the_store_is_that_of_its_clock() {
    let shop = shop(0);
    let before = shop.get("/v2/time").body["time"].as_i64().unwrap();
    shop.clock.advance(Duration::from_secs(61));
    assert_eq!(shop.get("/v2/time").body["time"].as_i64().unwrap(), before + 61);
}

#[test]
fn hundreds_are_seeded_the_same_each_time_with_names_addresses_and_skus_of_their_own() {
    let (one, other) = (shop(300), shop(300));
    assert_eq!(one.store.snapshot(), other.store.snapshot());
    one.store.seed_products(20);
    let ids = one.store.ids();
    assert_eq!(ids.len(), 320);
    for field in ["name", "sku"] {
        let texts: BTreeSet<String> =
            ids.iter().map(|id| one.store.product(*id).unwrap().text(field).to_lowercase()).collect();
        assert_eq!(texts.len(), 320, "{field}");
    }
    let read: Vec<u64> =
        (1..=2).flat_map(|page| one.get(&format!("/catalog/products?limit=250&page={page}")).ids()).collect();
    assert_eq!(read, ids);
}
