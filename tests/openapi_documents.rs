//! Requests and answers against OpenAPI documents: each kind of violation on a small document, and what the
//! official ones say in the spots that are known to be strong or weak.

#![allow(clippy::unwrap_used, reason = "test")]

use std::path::PathBuf;
use std::sync::Arc;

use http::{Method, header};
use lily_connect::testkit::exchange::{Request, Response, Transport};
use lily_connect::testkit::openapi::{Document, Exemption, Ledger, Rulebook};

const SMALL: &str = r##"
openapi: 3.0.3
security: [{Token: []}]
paths:
  /things:
    parameters:
      - {name: Accept, in: header, required: true, schema: {type: string}}
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 250}}
        - {name: visible, in: query, schema: {type: boolean}}
        - {name: sort, in: query, schema: {type: string, enum: [id, name]}}
        - {name: 'id:in', in: query, style: form, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: needed, in: query, required: true, schema: {type: string}}
      responses:
        '200': {content: {application/json: {schema: {type: object, required: [id, data], properties: {
          id: {type: integer, readOnly: true}, data: {type: string}, secret: {type: string, writeOnly: true}}}}}}
    put:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Thing'}}
          multipart/form-data: {schema: {type: object}}
      responses: {'200': {description: saved}}
  /things/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {}
components:
  securitySchemes: {Token: {type: apiKey, in: header, name: X-Auth-Token}}
  schemas:
    Thing:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [id]
          properties:
            id: {type: integer, readOnly: true}
            made: {type: string, format: date-time, readOnly: true}
            parts: {type: array, maxItems: 2, items: {$ref: '#/components/schemas/Part'}}
            size: {oneOf: [{type: integer}, {type: object, properties: {width: {type: integer}}}]}
            loose: {type: object}
            keyed: {type: object, additionalProperties: {type: integer}}
            shut: {type: object, additionalProperties: false, properties: {a: {type: integer}}}
    Base:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1, maxLength: 5}
        note: {type: string, nullable: true, enum: [a, b]}
        weight: {type: number, minimum: 0, exclusiveMinimum: true, maximum: 10}
        code: {type: string, pattern: '^[a-z]+$'}
        when: {type: string, format: date-time}
        owner: {type: string, format: email}
        tags: {type: array, minItems: 1, uniqueItems: true, items: {type: string}}
        level: {type: integer, format: int32}
        both: {oneOf: [{type: integer}, {type: number}]}
        any: {anyOf: [{type: integer}, {type: boolean}]}
    Part:
      type: object
      properties: {name: {type: string}, part: {$ref: '#/components/schemas/Part'}}
"##;

fn small() -> Rulebook {
    let document = Document::parse("small.yml", SMALL).unwrap();
    Rulebook::builder().document("/stores/*/v3", Arc::new(document)).build()
}

fn request(verb: Method, target: &str) -> Request {
    let request = Request::new(verb, &format!("/stores/abc/v3{target}"), Transport::Plain);
    request.with_header(header::ACCEPT, "application/json").with_header("x-auth-token".parse().unwrap(), "t")
}

fn put(target: &str, body: &str) -> Request {
    request(Method::PUT, target).with_header(header::CONTENT_TYPE, "application/json").with_body(body)
}

fn told(book: &Rulebook, request: &Request) -> Vec<String> {
    book.request(request).iter().map(|it| format!("{}: {}", it.place, it.expectation)).collect()
}

#[test]
fn a_request_that_the_document_allows_is_no_violation() {
    let book = small();
    let query = "/things?limit=250&visible=true&sort=id&id%3Ain=1%2C2&tag=a&tag=b,c&needed=";
    assert_eq!(told(&book, &request(Method::GET, query)), Vec::<String>::new());
    assert_eq!(told(&book, &request(Method::GET, "/things/5")), Vec::<String>::new());
    let body = r#"{"id": 1, "name": "a", "note": null, "weight": 0.5, "code": "ab", "size": {"width": 1},
        "parts": [{"name": "x", "part": {"part": {"name": "y"}}}], "loose": {"any": 1}, "keyed": {"b": 2}}"#;
    assert_eq!(told(&book, &put("/things", body)), Vec::<String>::new());
    let form = put("/things", "--x").with_header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
    assert_eq!(told(&book, &form), Vec::<String>::new());
}

#[test]
fn each_wrong_parameter_is_named() {
    let book = small();
    for (query, expected) in [
        ("limit=251", "query limit: maximum 250"),
        ("limit=x", "query limit: type integer"),
        ("limit=1.5", "query limit: type integer"),
        ("limit=1&limit=2", "query limit: to be given once"),
        ("visible=1", "query visible: type boolean"),
        ("sort=price", r#"query sort: one of ["id","name"]"#),
        ("id:in=1,x", "query id:in: items of type integer"),
        ("id:in=1,,2", "query id:in: a list without empty items"),
        ("page=1", "query page: a declared parameter"),
    ] {
        let request = request(Method::GET, &format!("/things?needed=a&{query}"));
        assert_eq!(told(&book, &request), [expected], "{query}");
    }
    assert_eq!(told(&book, &request(Method::GET, "/things")), ["query needed: to be given"]);
    assert_eq!(told(&book, &request(Method::GET, "/things/x")), ["path id: type integer"]);
}

#[test]
fn each_wrong_header_is_named() {
    let book = small();
    let target = "/stores/abc/v3/things?needed=a";
    let bare = Request::new(Method::GET, target, Transport::Plain);
    assert_eq!(told(&book, &bare), ["header accept: to be given", "header x-auth-token: to be given"]);
    let body = r#"{"id": 1, "name": "a"}"#;
    let expected = ["header content-type: one of application/json, multipart/form-data"];
    let without = request(Method::PUT, "/things").with_body(body);
    assert_eq!(told(&book, &without), expected);
    let other = put("/things", body).with_header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(told(&book, &other), expected);
    let more = put("/things", body).with_header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
    assert_eq!(told(&book, &more), Vec::<String>::new());
}

#[test]
fn each_wrong_place_of_a_body_is_named() {
    let book = small();
    for (body, expected) in [
        (r#"{"name": 5}"#, "body /name: type string"),
        (r#"{"name": ""}"#, "body /name: minLength 1"),
        (r#"{"name": "abcdef"}"#, "body /name: maxLength 5"),
        (r#"{}"#, "body : property name"),
        (r#"{"name": "a", "note": "c"}"#, r#"body /note: one of ["a","b",null]"#),
        (r#"{"name": "a", "weight": 0}"#, "body /weight: above 0"),
        (r#"{"name": "a", "weight": null}"#, "body /weight: type number"),
        (r#"{"name": "a", "when": "yesterday"}"#, "body /when: format date-time"),
        (r#"{"name": "a", "owner": "nobody"}"#, "body /owner: format email"),
        (r#"{"name": "a", "tags": ["x", "x"]}"#, "body /tags: items that differ"),
        (r#"{"name": "a", "tags": []}"#, "body /tags: minItems 1"),
        (r#"{"name": "a", "weight": 10.5}"#, "body /weight: maximum 10"),
        (r#"{"name": "a", "level": 3000000000}"#, "body /level: format int32"),
        (r#"{"name": "a", "level": 1.0}"#, "body /level: type integer"),
        (r#"{"name": "a", "both": 5}"#, "body /both: oneOf: one branch that holds, not several"),
        (r#"{"name": "a", "any": "x"}"#, "body /any: anyOf: a branch that holds"),
        (r#"{"name": "a", "colour": 1}"#, "body /colour: a declared property"),
        (r#"{"name": "a", "made": "2026-01-01T00:00:00Z"}"#, "body /made: not sent, since it is read-only"),
        (r#"{"name": "a", "parts": [{}, {}, {}]}"#, "body /parts: maxItems 2"),
        (
            r#"{"name": "a", "parts": [{"part": {"b~/": 1}}]}"#,
            "body /parts/0/part/b~0~1: a declared property",
        ),
        (r#"{"name": "a", "size": "x"}"#, "body /size: oneOf: a branch that holds"),
        (r#"{"name": "a", "size": {"height": 1}}"#, "body /size/height: a declared property"),
        (r#"{"name": "a", "keyed": {"b": "x"}}"#, "body /keyed/b: type integer"),
        (r#"[]"#, "body : type object"),
        (r#"{"name": "#, "body: JSON"),
        ("", "body: to be given"),
    ] {
        let told = told(&book, &put("/things", body));
        assert!(!told.is_empty() && told.iter().all(|told| told == expected), "{body}: {told:?}");
    }
    let shut = told(&book, &put("/things", r#"{"name": "a", "shut": {"b": 1}}"#));
    assert_eq!(shut, ["body /shut/b: a declared property", "body /shut/b: no further property"]);
    assert_eq!(told(&book, &request(Method::GET, "/things/1").with_body("{}")), ["body: no body"]);
}

#[test]
fn a_path_or_a_verb_that_no_document_has_is_a_violation() {
    let book = small();
    assert_eq!(told(&book, &request(Method::GET, "/thingz")), ["operation: a path that a document has"]);
    assert_eq!(told(&book, &put("/things/1", "{}")), ["operation: a verb that the path has"]);
    let elsewhere = Request::new(Method::GET, "/stores/abc/v2/things", Transport::Plain);
    assert_eq!(told(&book, &elsewhere), ["operation: a path that a document has"]);
}

#[test]
fn an_exemption_covers_its_place_and_no_other() {
    let document = Arc::new(Document::parse("small.yml", SMALL).unwrap());
    let exempt = |operation: &str, place: &str| {
        let builder = Rulebook::builder().document("/stores/*/v3", Arc::clone(&document));
        builder.exempt(Exemption::new(operation, place, "for this test")).build()
    };
    let body = put("/things", r#"{"name": "a", "parts": [{"x": 1}], "y": 1}"#);
    let rest = ["body /y: a declared property"];
    assert_eq!(told(&exempt("PUT /things", "body /parts/*/x"), &body), rest);
    assert_eq!(told(&exempt("*", "body /parts/**"), &body), rest);
    for (operation, place) in [("GET /things", "body /parts/*/x"), ("*", "body /parts/*"), ("*", "query x")] {
        assert_eq!(told(&exempt(operation, place), &body).len(), 2, "{operation} {place}");
    }
    let builder = Rulebook::builder().document("/stores/*/v3", document);
    let book = builder.unlisted("POST", "/oauth2/*", "prose only").build();
    let post = |path: &str| Request::new(Method::POST, path, Transport::Plain);
    assert_eq!(told(&book, &post("/oauth2/token")), Vec::<String>::new());
    assert_eq!(told(&book, &post("/oauth2/token/x")).len(), 1);
}

#[test]
fn answers_are_held_to_their_status() {
    let book = small();
    let get = request(Method::GET, "/things?needed=a");
    let answer = |status: u16, body: &str| {
        let response = Response::new(status).with_header("content-type", "application/json");
        let wrong = book.response(&get, &response.with_body(body));
        wrong.iter().map(|it| format!("{}: {}", it.place, it.expectation)).collect::<Vec<_>>()
    };
    assert_eq!(answer(200, r#"{"id": 1, "data": "a"}"#), Vec::<String>::new());
    assert_eq!(answer(200, r#"{"data": "a"}"#), ["answer : property id"]);
    assert_eq!(answer(200, r#"{"id": 1, "data": "a", "more": 1}"#), ["answer /more: a declared property"]);
    assert_eq!(answer(500, "<html>"), Vec::<String>::new());
}

#[test]
fn a_ledger_keeps_each_violation_once_and_no_value() {
    let ledger = Ledger::new(Arc::new(small()));
    for _ in 0..2 {
        ledger.request(&put("/things", r#"{"name": "geheim", "note": "secret"}"#));
    }
    let told: Vec<String> = ledger.violations().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "PUT /things: body /name: expected maxLength 5",
            r#"PUT /things: body /note: expected one of ["a","b",null]"#,
        ]
    );
}

/// The folder of the official documents; none where it is not given, which is said aloud.
fn specs() -> Option<PathBuf> {
    let specs = std::env::var_os("LILY_SPECS_DIR").map(PathBuf::from);
    if specs.is_none() {
        assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
        eprintln!("SKIPPED: without LILY_SPECS_DIR, no official document is at hand");
    }
    specs
}

fn documents(folder: &str) -> Vec<Arc<Document>> {
    let Some(specs) = specs() else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(specs.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| Arc::new(Document::load(path).unwrap())).collect()
}

/// Every official document loads, and what its schemas say is checked, one pattern of addresses apart.
#[test]
fn every_official_document_can_be_used() {
    let mut unchecked = std::collections::BTreeSet::new();
    for document in documents("bigcommerce/openapi").into_iter().chain(documents("magento/openapi")) {
        assert!(!document.operations().is_empty(), "{}", document.name());
        unchecked.extend(document.unchecked());
    }
    let known: Vec<String> = unchecked.into_iter().filter(|it| !it.contains("A-Za-z0-9")).collect();
    assert_eq!(known, Vec::<String>::new());
}

fn bigcommerce() -> Option<Rulebook> {
    let documents = documents("bigcommerce/openapi");
    if documents.is_empty() {
        return None;
    }
    let mut builder = Rulebook::builder();
    for document in documents {
        let version = if document.name().contains(".v2.") { "v2" } else { "v3" };
        builder = builder.document(format!("/stores/*/{version}"), document);
    }
    Some(builder.build())
}

/// What a server of another make found on these documents (../shared/specs/bigcommerce/ORIGIN.md, read
/// 2026-11-30), and what it does not see: a batch of eleven is allowed by the document.
#[test]
fn bigcommerce_requests_meet_what_the_documents_say() {
    let Some(book) = bigcommerce() else { return };
    let long = format!(r#"{{"page_title": "{}"}}"#, "a".repeat(256));
    let eleven: Vec<String> = (1..=11).map(|id| format!(r#"{{"id": {id}, "name": "a"}}"#)).collect();
    let eleven = format!("[{}]", eleven.join(","));
    let get = |target: &str| request(Method::GET, target);
    let title = r#"{"name":"Bath Towel","page_title":"t","meta_description":"d","search_keywords":"a,b"}"#;
    for (request, expected) in [
        (get("/catalog/products?limit=50&include=images,custom_fields&is_visible=true"), ""),
        (get("/catalog/products?id%3Ain=1%2C2&include=images%2Cvariants"), ""),
        (get("/catalog/products?id:greater=5&sort=id&direction=asc"), ""),
        (get("/catalog/products/5?include=images"), ""),
        (get("/catalog/products/channel-assignments?page=1"), ""),
        (put("/catalog/products/77", title), ""),
        (put("/catalog/products", &eleven), ""),
        (get("/catalog/products?limit=999"), "query limit: maximum 250"),
        (get("/catalog/products?include=imagez"), "query include: items of one of"),
        (get("/catalog/products?tags=a"), "query tags: a declared parameter"),
        (get("/catalog/products/x"), "path product_id: type integer"),
        (get("/catalog/productz"), "operation: a path that a document has"),
        (put("/catalog/products/77", r#"{"name": 5}"#), "body /name: type string"),
        (put("/catalog/products/77", &long), "body /page_title: maxLength 255"),
        (put("/catalog/products/77", r#"{"tags": "a"}"#), "body /tags: a declared property"),
        (
            put("/catalog/products/77", r#"{"custom_url": {"slug": "a"}}"#),
            "body /custom_url/slug: a declared",
        ),
        (Request { method: Method::POST, ..put("/catalog/products", r#"{"name": "a"}"#) }, "body : property"),
    ] {
        let told = told(&book, &request);
        let fits = if expected.is_empty() {
            told.is_empty()
        } else {
            told.iter().any(|it| it.starts_with(expected))
        };
        assert!(fits, "{} {}?{}: {told:?}", request.method, request.path, request.query);
    }
    let bare = Request::new(Method::GET, "/stores/abc/v3/catalog/products", Transport::Plain)
        .with_header(header::ACCEPT, "application/json");
    assert_eq!(told(&book, &bare), ["header x-auth-token: to be given"]);
}

/// As above, for Magento (../shared/specs/magento/ORIGIN.md, read 2026-11-30). Names of search criteria are
/// taken at any index; others are refused, which that server does not do.
#[test]
fn magento_requests_meet_what_the_documents_say() {
    let Some(specs) = specs() else { return };
    let document = Document::load(specs.join("magento/openapi/admin-2.4.9-catalog-subset.json")).unwrap();
    let book = Rulebook::builder().document("/rest/*", Arc::new(document)).bracketed_names().build();
    let send = |verb: Method, target: &str, body: &str| {
        Request::new(verb, &format!("/rest/default{target}"), Transport::Plain)
            .with_header(header::CONTENT_TYPE, "application/json")
            .with_body(body)
    };
    let criteria = "searchCriteria[pageSize]=20&searchCriteria%5BcurrentPage%5D=1\
        &searchCriteria[filter_groups][1][filters][2][condition_type]=eq";
    let entry = r#"{"entry": {"id": 1, "label": "alt"}}"#;
    let product = r#"{"product": {"sku": "24-MB01", "custom_attributes":
        [{"attribute_code": "meta_title", "value": "x"}]}}"#;
    for (request, expected) in [
        (send(Method::GET, &format!("/V1/products?{criteria}"), ""), ""),
        (send(Method::PUT, "/V1/products/24-MB01", product), ""),
        (send(Method::PUT, "/V1/products/24%2FMB01", product), ""),
        (
            send(Method::PUT, "/V1/products/24-MB01", r#"{"product": {"sku": 5}}"#),
            "body /product/sku: type string",
        ),
        (send(Method::PUT, "/V1/products/24-MB01", r#"{"name": "x"}"#), "body : property product"),
        (send(Method::PUT, "/V1/products/24-MB01/media/1", entry), "body /entry: property media_type"),
        (
            send(Method::GET, "/V1/products?searchCriteria[pageSize]=x", ""),
            "query searchCriteria[pageSize]: type",
        ),
        (
            send(Method::GET, "/V1/products?searchCriteria[size]=1", ""),
            "query searchCriteria[size]: a declared",
        ),
        (send(Method::GET, "/V1/productz", ""), "operation: a path that a document has"),
    ] {
        let told = told(&book, &request);
        let fits = if expected.is_empty() {
            told.is_empty()
        } else {
            told.iter().any(|it| it.starts_with(expected))
        };
        assert!(fits, "{} {}: {told:?}", request.method, request.path);
    }
}
