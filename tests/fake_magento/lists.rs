//! Lists: criteria, pages, limits and what goes wrong between pages.

use http::Method;
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::magento::{Edition, MagentoFake, Refusal, Release};
use lily_connect::testkit::server::Service;
use serde_json::{Value, json};

use super::{Shop, pluck, shop, shop_with};

fn filled(count: usize) -> Shop {
    let shop = shop();
    for at in 1..=count {
        shop.store.create(&format!("S{at:02}"), &format!("Name {at}"), |_| {});
    }
    shop
}

fn page(number: usize, size: usize) -> String {
    format!(
        "/rest/all/V1/products?searchCriteria[pageSize]={size}&searchCriteria[currentPage]={number}\
         &searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=ASC\
         &fields=items[id],total_count"
    )
}

#[test]
fn a_list_without_criteria_is_refused_and_without_a_size_is_whole() {
    let shop = filled(30);
    let (status, answer) = shop.send(&shop.request(Method::GET, "/rest/all/V1/products"));
    assert_eq!((status, &answer["parameters"]), (400, &json!({"fieldName": "searchCriteria"})));
    let all = shop.get("/rest/all/V1/products?searchCriteria");
    assert_eq!(all["items"].as_array().unwrap().len(), 30);
    shop.store.set_conditions(|conditions| conditions.default_page_size = Some(20));
    let all = shop.get("/rest/all/V1/products?searchCriteria=");
    assert_eq!((all["items"].as_array().unwrap().len(), &all["total_count"]), (20, &json!(30)));
}

#[test]
fn a_page_past_the_last_is_empty_or_repeats_the_last() {
    let shop = filled(5);
    assert_eq!(pluck(&shop.get(&page(3, 2)), "id"), [5]);
    assert_eq!(shop.get(&page(4, 2)), json!({"items": [], "total_count": 5}));
    let old = shop_with(|builder| builder.release(Release::V2_4_2));
    for at in 1..=5 {
        old.store.create(&format!("S{at}"), &format!("Name {at}"), |_| {});
    }
    assert_eq!(pluck(&old.get(&page(4, 2)), "id"), [5]);
    assert_eq!(pluck(&old.get(&page(99, 2)), "id"), [5]);
}

#[test]
fn a_keyset_by_id_reads_all_and_a_page_by_number_loses_what_moves_up() {
    let shop = filled(4);
    assert_eq!(pluck(&shop.get(&page(1, 2)), "id"), [1, 2]);
    shop.store.delete(1);
    assert_eq!(pluck(&shop.get(&page(2, 2)), "id"), [4], "3 moved up to the first page");
    let behind = "/rest/all/V1/products?searchCriteria[filter_groups][0][filters][0][field]=entity_id\
        &searchCriteria[filter_groups][0][filters][0][value]=2\
        &searchCriteria[filter_groups][0][filters][0][condition_type]=gt\
        &searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=asc\
        &searchCriteria[pageSize]=2";
    assert_eq!(pluck(&shop.get(behind), "id"), [3, 4]);
}

#[test]
fn ties_come_in_another_order_in_each_answer_and_rows_come_twice() {
    let shop = filled(40);
    shop.store.set_conditions(|conditions| conditions.unstable_ties = true);
    let ids = |sort: &str| -> Vec<u64> {
        (1..=4)
            .flat_map(|number| {
                let target = format!(
                    "/rest/all/V1/products?searchCriteria[pageSize]=10&searchCriteria[currentPage]={number}\
                     &searchCriteria[sortOrders][0][field]={sort}&searchCriteria[sortOrders][0][direction]=ASC"
                );
                pluck(&shop.get(&target), "id").into_iter().map(|id| id.as_u64().unwrap())
            })
            .collect()
    };
    let mut by_date = ids("updated_at");
    by_date.sort_unstable();
    by_date.dedup();
    assert!(by_date.len() < 40, "some came twice, and others not at all");
    assert_eq!(ids("entity_id"), (1..=40).collect::<Vec<u64>>());
}

#[test]
fn too_large_a_page_is_refused_with_the_number_in_the_text_or_beside_it() {
    let shop = filled(1);
    shop.store.set_conditions(|conditions| conditions.page_size_limit = Some(300));
    shop.get(&page(1, 300));
    let (status, answer) = shop.send(&shop.request(Method::GET, &page(1, 301)));
    assert_eq!((status, answer), (400, json!({"message": "Maximum SearchCriteria pageSize is 300"})));
    shop.store.set_conditions(|conditions| conditions.limits_filled_in = false);
    let (_, answer) = shop.send(&shop.request(Method::GET, &page(1, 301)));
    assert_eq!(answer["parameters"]["max"], "300");
}

#[test]
fn filters_that_php_calls_empty_are_refused_by_2_4_9() {
    let filter = |value: &str, condition: &str| {
        format!(
            "/rest/all/V1/products?searchCriteria[filter_groups][0][filters][0][field]=meta_title\
             &searchCriteria[filter_groups][0][filters][0][value]={value}\
             &searchCriteria[filter_groups][0][filters][0][condition_type]={condition}"
        )
    };
    let shop = filled(1);
    for (value, condition) in [("0", "eq"), ("", "notnull")] {
        let (status, answer) = shop.send(&shop.request(Method::GET, &filter(value, condition)));
        assert_eq!(
            (status, &answer["message"]),
            (400, &json!("Invalid search filter: value cannot be empty."))
        );
    }
    assert_eq!(shop.get(&filter("1", "null"))["total_count"], 1);
    let older = shop_with(|builder| builder.release(Release::V2_4_8));
    older.get(&filter("0", "eq"));
}

#[test]
fn conditions_compare_as_the_database_does() {
    let shop = filled(3);
    shop.store.set_value(2, "meta_title", "Blue Bag");
    let ids = |field: &str, value: &str, condition: &str| {
        pluck(
            &shop.get(&format!(
                "/rest/all/V1/products?searchCriteria[filterGroups][0][filters][0][field]={field}\
                 &searchCriteria[filterGroups][0][filters][0][value]={value}\
                 &searchCriteria[filterGroups][0][filters][0][conditionType]={condition}"
            )),
            "id",
        )
    };
    assert_eq!(ids("meta_title", "blue%20bag", "eq"), [2]);
    assert_eq!(ids("meta_title", "%25BAG", "like"), [2]);
    assert_eq!(ids("meta_title", "x", "neq"), [2], "as in SQL, no value is not unequal");
    assert_eq!(ids("meta_title", "1", "null"), [1, 3]);
    assert_eq!(ids("sku", "S01,s03", "in"), [1, 3]);
    assert_eq!(ids("entity_id", "1,3", "nin"), [2]);
    assert_eq!(ids("updated_at", "2000-01-01%2000:00:00", "gteq"), [1, 2, 3]);
    assert_eq!(ids("price", "9", "gt"), [1, 2, 3]);
    let unknown = "/rest/all/V1/products?searchCriteria[filterGroups][0][filters][0][field]=nobody\
        &searchCriteria[filterGroups][0][filters][0][value]=1";
    let (status, answer) = shop.send(&shop.request(Method::GET, unknown));
    assert_eq!((status, &answer["parameters"]), (400, &json!(["nobody"])));
}

#[test]
fn the_criteria_are_echoed_in_snake_case() {
    let shop = filled(1);
    let answer = shop.get(
        "/rest/all/V1/products?searchCriteria[filterGroups][3][filters][5][field]=sku\
         &searchCriteria[filterGroups][3][filters][5][value]=S01&searchCriteria[currentPage]=1\
         &searchCriteria[pageSize]=7",
    );
    assert_eq!(
        answer["search_criteria"],
        json!({
            "filter_groups": [{"filters": [{"field": "sku", "value": "S01", "condition_type": "eq"}]}],
            "page_size": 7,
            "current_page": 1,
        })
    );
}

#[test]
fn lists_leave_the_stock_out_and_single_reads_have_it() {
    let shop = filled(1);
    let list = shop.get("/rest/all/V1/products?searchCriteria");
    assert!(list["items"][0]["extension_attributes"].get("stock_item").is_none());
    assert!(shop.get("/rest/all/V1/products/S01")["extension_attributes"].get("stock_item").is_some());
    shop.store.edit(1, |product| product.websites.clear());
    let list = shop.get("/rest/all/V1/products?searchCriteria");
    assert_eq!(list["items"][0]["extension_attributes"], json!([]), "an empty object is a list to PHP");
}

#[test]
fn the_view_of_the_address_decides_which_values_come() {
    let shop = filled(1);
    shop.store.set_view_value(1, 2, "name", "Tasche");
    let name = |target: &str| shop.get(target)["name"].clone();
    assert_eq!(name("/rest/de/V1/products/S01"), "Tasche");
    for scope in ["all/", "default/", "fr/", ""] {
        assert_eq!(name(&format!("/rest/{scope}V1/products/S01")), "Name 1", "{scope}");
        assert_eq!(name(&format!("/index.php/rest/{scope}V1/products/S01")), "Name 1", "{scope}");
    }
    let (status, _) = shop.send(&shop.request(Method::GET, "/rest/nobody/V1/products/S01"));
    assert_eq!(status, 404);
    assert_eq!(shop.store.unexpected(), ["GET /rest/nobody/V1/products/S01"]);
}

#[test]
fn the_cloud_service_has_its_own_addresses_and_headers() {
    let shop = shop_with(|builder| builder.edition(Edition::CloudService));
    shop.store.create("S01", "Name", |_| {});
    shop.store.set_view_value(1, 2, "name", "Name auf Deutsch");
    let client = shop.store.issue_ims_client("main");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=openid%2Ccommerce.accs",
        client.client_id, client.client_secret
    );
    let asked = |form: &str| {
        let request = shop.request(Method::POST, "/ims/token/v3").with_body(form.to_owned());
        shop.send(&request)
    };
    assert_eq!(asked(&form.replace("client_credentials", "password")).0, 400);
    assert_eq!(asked(&form.replace("commerce.accs", "x")).1["error"], "invalid_scope");
    let (status, token) = asked(&form);
    assert_eq!((status, &token["expires_in"]), (200, &json!(86_399)));
    let call = |store: Option<&str>, organization: &str| {
        let mut request = shop.request(Method::GET, "/Tenant7Fq/V1/products/S01").with_header(
            http::header::AUTHORIZATION,
            &format!("Bearer {}", token["access_token"].as_str().unwrap()),
        );
        for (name, value) in [("x-api-key", client.client_id.as_str()), ("x-gw-ims-org-id", organization)] {
            request = request.with_header(http::HeaderName::try_from(name).unwrap(), value);
        }
        if let Some(store) = store {
            request = request.with_header(http::HeaderName::from_static("store"), store);
        }
        shop.send(&request)
    };
    assert_eq!(call(None, &client.organization).1["name"], "Name");
    assert_eq!(call(Some("de"), &client.organization).1["name"], "Name auf Deutsch");
    assert_eq!(call(Some("all"), &client.organization).1["name"], "Name");
    assert_eq!(call(None, "somebody else").0, 401);
    shop.store.expire_tokens();
    assert_eq!(call(None, &client.organization).0, 401);
    let on_premises = shop.send(&shop.request(Method::GET, "/rest/V1/products/S01"));
    assert_eq!(on_premises.0, 404);
}

#[test]
fn the_cloud_service_has_asynchronous_routes_behind_the_version() {
    let shop = shop_with(|builder| builder.edition(Edition::CloudService));
    shop.store.create("S01", "Name", |_| {});
    let client = shop.store.issue_ims_client("main");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=commerce.accs",
        client.client_id, client.client_secret
    );
    let (_, token) = shop.send(&shop.request(Method::POST, "/ims/token/v3").with_body(form));
    let send = |path: &str, body: &Value| {
        let mut request = shop.request(Method::PUT, &format!("/Tenant7Fq/V1/{path}"));
        for (name, value) in [
            ("authorization", format!("Bearer {}", token["access_token"].as_str().unwrap())),
            ("x-api-key", client.client_id.clone()),
            ("x-gw-ims-org-id", client.organization.clone()),
            ("store", "de".to_owned()),
            ("content-type", "application/json".to_owned()),
        ] {
            request = request.with_header(http::HeaderName::try_from(name).unwrap(), &value);
        }
        shop.send(&request.with_body(body.to_string()))
    };
    let item = json!({"product": {"sku": "S01", "name": "Eins"}});
    assert_eq!(send("async/products/S01", &item).0, 202);
    assert_eq!(send("async/bulk/products/bySku", &json!([item])).0, 202);
    shop.tick();
    assert_eq!(shop.send(&shop.request(Method::GET, "/Tenant7Fq/V1/products/S01")).0, 401);
    assert_eq!(shop.store.by_sku("S01").unwrap().own(2, "name"), Some("Eins"));
}

#[tokio::test(flavor = "current_thread")]
async fn the_faults_of_a_server_strike_over_a_socket() {
    let shop = filled(3);
    let server = Service::new(shop.store.clone()).start().await.unwrap();
    server.faults().push(FaultRule::new(Fault::Truncate).on_path("/V1/products"));
    server.faults().push(FaultRule::new(Fault::status_after(504)).on_method("PUT"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |method: Method, path: &str, body: &str| {
        client
            .request(method, format!("{}{path}", server.url()))
            .bearer_auth(&shop.keys.access_token)
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
    };
    let cut = ask(Method::GET, "/rest/V1/products?searchCriteria", "").await.unwrap();
    assert!(cut.text().await.is_err());
    let whole = ask(Method::GET, "/rest/V1/products?searchCriteria", "").await.unwrap();
    assert_eq!(whole.headers()["date"], shop.store.now().to_http_date().as_str());
    let lost = ask(Method::PUT, "/rest/all/V1/products/S01", r#"{"product":{"sku":"S01","name":"New"}}"#);
    assert_eq!(lost.await.unwrap().status(), 504);
    assert_eq!(shop.store.by_sku("S01").unwrap().value(0, "name"), Some("New"));
    assert_eq!((server.traffic().requests(), server.traffic().writes()), (3, 1));
}

#[test]
fn every_exception_from_the_official_document_has_its_reason() {
    for (operation, place, reason) in MagentoFake::exceptions() {
        assert!(!operation.is_empty() && !place.is_empty() && reason.len() > 20, "{operation} {place}");
    }
}

#[test]
fn what_the_official_document_does_not_allow_is_told() {
    let shop = filled(1);
    shop.violates(&["query nobody", "body /product/custom_attributes/0", "body /product/nme"]);
    shop.get("/rest/all/V1/products/S01?nobody=2");
    let body = json!({"product": {"nme": "x", "custom_attributes": [{"code": "meta_title", "value": "x"}]}});
    assert_eq!(shop.write(Method::PUT, "/rest/all/V1/products/S01", &body).0, 400);
}

#[test]
fn an_escaped_slash_does_not_reach_the_application() {
    let shop = shop();
    shop.store.create("a/b", "Name", |_| {});
    shop.store.create("c d+e", "Other", |_| {});
    let (status, body) = shop.send(&shop.request(Method::GET, "/rest/all/V1/products/a%2Fb"));
    assert_eq!(status, 404);
    assert!(matches!(body, Value::String(page) if page.contains("<title>404 Not Found")));
    assert_eq!(shop.get("/rest/all/V1/products/c%20d%2Be")["sku"], "c d+e");
    shop.store.set_conditions(|conditions| conditions.encoded_slashes = true);
    assert_eq!(shop.get("/rest/all/V1/products/a%2Fb")["sku"], "a/b");
}

#[test]
fn pages_of_hosts_reports_and_ordered_refusals_come_in_their_shapes() {
    let shop = filled(1);
    let list = "/rest/all/V1/products?searchCriteria";
    let refused = |refusal: Refusal| {
        shop.store.refuse(1, 1, MagentoFake::is_product_list, refusal);
        let answer = shop.send(&shop.request(Method::GET, list));
        shop.get(list);
        answer
    };
    let (status, answer) = refused(Refusal::Report);
    assert_eq!(status, 500);
    assert!(answer["message"].as_str().unwrap().contains("Report ID: webapi-"), "{answer}");
    assert_eq!(refused(Refusal::Deadlock).0, 400);
    assert_eq!(refused(Refusal::Fatal).1["messages"]["error"][0]["code"], 500);
    assert_eq!(refused(Refusal::Page(503)).0, 503);
    assert_eq!(refused(Refusal::TooMany(7)).0, 429);
    let (_, answer) = refused(Refusal::Message("No %1".to_owned(), vec!["way".to_owned()]));
    assert_eq!(answer, json!({"message": "No %1", "parameters": ["way"]}));
    shop.store.set_conditions(|conditions| conditions.language = Some("de".to_owned()));
    let (_, answer) = shop.send(&shop.request(Method::GET, "/rest/all/V1/products/none"));
    assert!(answer["message"].as_str().unwrap().starts_with("Das angeforderte Produkt"), "{answer}");
    shop.store.set_conditions(|conditions| conditions.maintenance = true);
    assert_eq!(shop.send(&shop.request(Method::GET, list)).0, 503);
    shop.store.set_conditions(|conditions| conditions.firewall = true);
    assert_eq!(shop.send(&shop.request(Method::GET, list)).0, 403);
}

#[test]
fn a_body_needs_its_content_type_and_must_be_json() {
    let shop = filled(1);
    shop.violates(&["header content-type", "body: expected JSON", "property product", "body /name"]);
    let put = |kind: Option<&str>, body: &str| {
        let mut request = shop.request(Method::PUT, "/rest/all/V1/products/S01").with_body(body);
        if let Some(kind) = kind {
            request = request.with_header(http::header::CONTENT_TYPE, kind);
        }
        shop.send(&request)
    };
    let body = r#"{"product":{"sku":"S01","name":"x"}}"#;
    assert_eq!(put(None, body).0, 400);
    assert_eq!(put(Some("text/plain"), body).0, 400);
    assert_eq!(put(Some("application/json"), "{").1["message"], "Decoding error.");
    assert_eq!(put(Some("application/json"), r#"{"name":"x"}"#).1["parameters"]["fieldName"], "product");
    assert_eq!(put(Some("application/json"), body).0, 200);
}
