//! Bodies that are more than an array of records, and what platforms that answer in graphs need of a map.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test")]

use std::ops::Range;

use bytes::Bytes;
use lily_connect::error::{ErrorKind, Result};
use lily_connect::mapping::cells::{self, Entry};
use lily_connect::mapping::{Direction::Read, MappedPage, Rule, SchemaMap, Transform, rule};
use lily_connect::model::{
    CellValue, Entity, Field, FieldName, MassUnit, Normaliser, PartKind, Platform, Product, RawItems,
    RawPart, Record, Shape, StoreProfile,
};
use serde_json::{Value, json};

const PATH: Shape = Shape::ListAt(&["data", "things", "nodes"]);
const LISTS: &[&str] = &["/media/nodes", "/variants/nodes", "/fields/nodes"];

const WORDS: Transform = Transform::Word(&[("ON", "active"), ("AWAY", "archived"), ("HIDDEN", "unlisted")]);
const STOCK: Transform = Transform::Word(&[("true", "in_stock"), ("false", "out_of_stock")]);
const WEIGHT: Transform = Transform::MassWith {
    value: "value",
    unit: "unit",
    words: &[("KILOGRAMS", MassUnit::Kilogram), ("POUNDS", MassUnit::Pound)],
};
const PRICE: Transform = Transform::MoneyWith { amount: "amount", currency: "code" };

fn rules() -> Vec<Rule> {
    vec![
        rule("/id", "ref.id", Transform::LastSegment, Read),
        rule("/title", "title", Transform::Text, Read),
        rule("/state", "status", WORDS, Read),
        rule("/kind", "product_type", Transform::Text, Read),
        rule("/simple", "structure", Transform::Word(&[("true", "simple")]), Read),
        rule("/class/id", "taxonomy.id", Transform::LastSegment, Read),
        rule("/class/name", "taxonomy.name", Transform::Text, Read),
        rule("/changed", "modified_at", Transform::Rfc3339, Read),
        rule("/weight", "weight", WEIGHT, Read),
        rule("/price", "price", PRICE, Read),
        rule("/sold", "inventory.availability", STOCK, Read),
        rule("/tags/*", "tags[].name", Transform::Text, Read),
        rule("/groups/nodes/*/id", "categories[].id", Transform::LastSegment, Read),
        rule("/groups/nodes/*/title", "categories[].name", Transform::Text, Read),
        rule("/media/nodes/*/id", "media[].id", Transform::LastSegment, Read),
        rule("/media/nodes/*/alt", "media[].alt", Transform::Text, Read),
        rule("/media/nodes/*/image/url", "media[].url", Transform::Text, Read),
        rule("/variants/nodes/*/id", "variants[]", Transform::LastSegment, Read),
        rule("/options/*/id", "attributes[].id", Transform::LastSegment, Read),
        rule("/options/*/name", "attributes[].label", Transform::Text, Read),
        rule("/options/*/place", "attributes[].position", Transform::Decimal, Read),
        rule("/options/*/made", "attributes[].distinguishes_variants", Transform::Present, Read),
        rule("/options/*/values/*/name", "attributes[].values[]", Transform::Text, Read),
        rule("/fields/nodes/*/id", "attributes[].id", Transform::LastSegment, Read),
        rule("/fields/nodes/*/space", "attributes[].namespace", Transform::Text, Read),
        rule("/fields/nodes/*/key", "attributes[].key", Transform::Text, Read),
        rule("/fields/nodes/*/about/name", "attributes[].label", Transform::Text, Read),
        rule("/fields/nodes/*/type", "attributes[].value_type", Transform::Text, Read),
        rule("/fields/nodes/*/value", "attributes[].values[]", Transform::JsonList("list."), Read),
        rule("/fields/nodes/*/digest", "attributes[].version", Transform::Text, Read),
    ]
}

fn schema() -> SchemaMap {
    SchemaMap::compile(Platform::new("test"), Entity::Product, &rules()).unwrap()
}

fn map(items: &RawItems) -> Result<MappedPage> {
    schema().map(items, &StoreProfile::unknown())
}

fn at_path(body: impl Into<Bytes>) -> Result<MappedPage> {
    map(&RawItems::new(Entity::Product, body.into(), PATH))
}

fn one(body: &Value) -> Product {
    let items = RawItems::new(Entity::Product, body.to_string().into(), Shape::One);
    let mut page = map(&items).unwrap();
    assert_eq!(page.issues, Vec::new(), "{body}");
    product(page.records.remove(0))
}

fn product(record: Record) -> Product {
    match record {
        Record::Product(product) => *product,
        other => panic!("no product: {other:?}"),
    }
}

fn ids(page: &MappedPage) -> Vec<&str> {
    page.records.iter().map(|record| record.reference().id.as_str()).collect()
}

/// A body of pieces, one a line, as they are given.
fn lines(pieces: &[(PartKind, &str)]) -> RawItems {
    let mut body = String::new();
    let mut parts = Vec::new();
    for (kind, piece) in pieces {
        let start = u32::try_from(body.len()).unwrap();
        body.push_str(piece);
        parts.push(RawPart::new(Range { start, end: u32::try_from(body.len()).unwrap() }, *kind));
        body.push('\n');
    }
    RawItems::of_parts(Entity::Product, body.into(), parts, LISTS)
}

#[test]
fn records_are_read_where_they_stand_in_an_object_and_null_is_none() {
    let body = r#"{"extensions":{"cost":{"data":[1]}},"data":{"other":[{"id":"x/9"}],"things":{"pageInfo":{"nodes":[{"id":"x/8"}]},
        "nodes":[null,{"id":"a://b/Thing/1?c=2","title":"Cap"},{"id":"2","title":"\ud800"},null,{"title":"no id"},{"id":3}],"more":true}},
        "errors":[]}"#;
    let page = at_path(body).unwrap();
    assert_eq!(ids(&page), ["1", "3"]);
    let rejected =
        page.rejected.iter().map(|one| (one.id.as_ref().map(|id| id.as_str()), one.issues[0].code));
    assert_eq!(rejected.collect::<Vec<_>>(), [(Some("2"), "unreadable"), (None, "has_no_id")]);
    assert!(at_path(r#"{"data":{"things":{"nodes":[]}}}"#).unwrap().records.is_empty());
    // In a plain array null is no answer to anything that was asked.
    let list = map(&RawItems::new(Entity::Product, "[null]".into(), Shape::List)).unwrap();
    assert_eq!((list.records.len(), list.rejected.len()), (0, 1));
}

#[test]
fn an_answer_without_its_list_is_an_error_and_not_an_empty_page() {
    for body in [
        r#"{}"#,
        r#"[]"#,
        r#"null"#,
        r#"{"data":null,"errors":[{"message":"secret"}]}"#,
        r#"{"data":{"things":null}}"#,
        r#"{"data":{"things":{"nodes":null}}}"#,
        r#"{"data":{"things":{"nodes":{"id":1}}}}"#,
        r#"{"data":{"things":{"nodes":[{"id":1}],"nodes":[{"id":2}]}}}"#,
        r#"{"data":{"things":{"nodes":[{"id":1}]}}"#,
        r#"{"data":{"things":{"nodes":[{"id":1}]}},}"#,
        r#"{"data":{"things":{"nodes":[{"id":1}]}}} x"#,
    ] {
        let error = at_path(body).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "answer_unreadable"), "{body}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn a_record_in_pieces_is_the_record_in_one() {
    let head = r#"{"id":"x/7","title":"Cap","state":"AWAY","kind":"Hats","simple":true,"tags":["sale",null,"new"],
        "class":{"id":"x/aa-1","name":"A > Hats"},"changed":"2026-11-22T12:08:40.5-05:00","sold":false,
        "weight":{"unit":"POUNDS","value":1.50},"price":{"amount":"12.50","code":"EUR"},
        "groups":{"nodes":[{"id":"x/5","title":"Summer"}]},
        "options":[{"id":"x/1","name":"Size","place":1,"made":{},"values":[{"name":"S"},{"name":"M"}]}]"#;
    let media = [
        r#"{"id":"x/31","alt":"Front","image":{"url":"https:\/\/x\/1.jpg"}}"#,
        r#"{"id":"x/32","alt":null,"image":null}"#,
    ];
    let variants = [r#"{"id":"x/21","__parentId":"x/7"}"#, r#"{"id":"x/22"}"#, r#"{"id":"x/23"}"#];
    let fields = [
        r#"{"id":"x/41","space":"custom","key":"care","about":{"name":"Care"},"type":"list.text","value":"[\"Wash\",  \"Dry\"]","digest":"d1"}"#,
        r#"{"id":"x/42","space":"custom","key":"Note","about":null,"type":"text","value":"[\"as it is\"]","digest":null}"#,
    ];
    let whole = format!(
        r#"{head},"media":{{"nodes":[{}]}},"variants":{{"nodes":[{}]}},"fields":{{"nodes":[null,{}]}}}}"#,
        media.join(","),
        variants.join(","),
        fields.join(",")
    );
    let mut page = map(&RawItems::new(Entity::Product, whole.into(), Shape::One)).unwrap();
    assert_eq!(page.issues, Vec::new());
    let whole = product(page.records.remove(0));
    let record = format!("{head}}}");
    let (of_media, of_variants, of_fields) = (
        PartKind::Element("/media/nodes"),
        PartKind::Element("/variants/nodes"),
        PartKind::Element("/fields/nodes"),
    );
    let elements = format!(" [ {} , {} ] ", variants[1], variants[2]);
    let pieces = lines(&[
        (PartKind::Record, &record),
        (of_variants, variants[0]),
        (of_media, media[0]),
        (PartKind::Elements("/nobody/reads/this"), "[{\"id\":1}]"),
        (of_fields, fields[0]),
        (PartKind::Elements("/variants/nodes"), &elements),
        (of_media, media[1]),
        (of_fields, fields[1]),
        (PartKind::Elements("/media/nodes"), "[]"),
        (PartKind::Elements("/media/nodes"), "null"),
    ]);
    let mut page = map(&pieces).unwrap();
    assert_eq!((page.issues.len(), page.rejected.len()), (0, 0), "{:?}", page.issues);
    let pieced = product(page.records.remove(0));
    assert_eq!(pieced, whole);
    let json = serde_json::to_value(Record::Product(Box::new(pieced))).unwrap();
    let expected = json!({
        "entity": "product", "ref": {"platform": "test", "kind": "product", "id": "7"},
        "structure": "simple", "status": "archived", "title": "Cap", "product_type": "Hats",
        "taxonomy": {"id": "aa-1", "name": "A > Hats"},
        "categories": [{"id": "5", "name": "Summer"}], "tags": [{"name": "sale"}, {"name": "new"}],
        "attributes": [
            {"id": "1", "label": "Size", "values": ["S", "M"], "distinguishes_variants": true, "position": 1},
            {"id": "41", "key": "care", "namespace": "custom", "label": "Care", "value_type": "list.text",
             "values": ["Wash", "Dry"], "raw_list": "[\"Wash\",  \"Dry\"]", "version": "d1"},
            {"id": "42", "key": "Note", "namespace": "custom", "label": "Note", "value_type": "text",
             "values": ["[\"as it is\"]"]},
        ],
        "variants": ["21", "22", "23"],
        "price": {"amount": "12.50", "currency": "EUR"},
        "weight": {"grams": "680.388555", "source": "1.50", "source_unit": "lb"},
        "inventory": {"availability": "out_of_stock"},
        "media": [{"id": "31", "url": "https://x/1.jpg", "alt": "Front"}, {"id": "32"}],
        "modified_at": "2026-11-22T17:08:40.5Z",
        "base": json["base"],
    });
    assert_eq!(json, expected);
    assert_eq!(json["base"]["media.alt"].as_object().unwrap().len(), 2);
    assert_eq!(
        json["base"]["taxonomy"],
        json!(CellValue::text("aa-1").token(Normaliser::Exact1).to_string())
    );
}

#[test]
fn a_record_of_parts_has_the_lists_that_were_asked_for() {
    let pieces = lines(&[
        (PartKind::Record, r#"{"id":1}"#),
        (PartKind::Record, r#"{"id":2,"media":{"nodes":[{"id":5}]}}"#),
    ]);
    let page = map(&pieces).unwrap();
    let media = |at: usize| product(page.records[at].clone()).media;
    assert_eq!(media(0), Field::Value(Vec::new()), "read, and empty");
    assert_eq!(media(1).value().unwrap().len(), 1, "not cleared");
    assert_eq!(page.records[0].base().keys(&FieldName::new("media.alt")).unwrap(), []);
    let mut bare = pieces;
    bare.lists = &[];
    let page = map(&bare).unwrap();
    assert_eq!(product(page.records[0].clone()).media, Field::Absent);
    assert!(page.records[0].base().keys(&FieldName::new("media.alt")).is_none());
}

#[test]
fn a_broken_piece_rejects_its_record_alone() {
    let element = PartKind::Element("/media/nodes");
    for (kind, piece) in [
        (element, "{\"id\":1"),
        (element, "{\"id\":1}}"),
        (element, "{\"id\":1,\"alt\":\"\\ud800\"}"),
        (PartKind::Elements("/media/nodes"), "[{\"id\":1},]"),
        (element, ""),
    ] {
        let page = map(&lines(&[
            (PartKind::Record, r#"{"id":1}"#),
            (element, r#"{"id":5}"#),
            (PartKind::Record, r#"{"id":2}"#),
            (kind, piece),
            (element, r#"{"id":6}"#),
            (PartKind::Record, r#"{"id":3}"#),
            (PartKind::Record, r#"{"id":4"#),
            (element, r#"{"id":7}"#),
        ]))
        .unwrap();
        assert_eq!(ids(&page), ["1", "3"], "{piece}");
        let rejected =
            page.rejected.iter().map(|one| (one.id.as_ref().unwrap().as_str(), one.issues[0].code));
        assert_eq!(rejected.collect::<Vec<_>>(), [("2", "unreadable"), ("4", "unreadable")]);
    }
    // A wrong shape is an issue of its element, by its number among the parts of its list.
    let page = map(&lines(&[
        (PartKind::Record, r#"{"id":1}"#),
        (element, r#"{"id":5}"#),
        (element, r#"{"id":6,"alt":[1]}"#),
        (PartKind::Elements("/media/nodes"), r#"{"id":7}"#),
    ]))
    .unwrap();
    let issues: Vec<String> = page.issues.iter().map(|(_, issue)| issue.to_string()).collect();
    assert_eq!(issues, ["/media/nodes/1/alt: not_one_value", "/media/nodes: not_a_list"]);
    assert!(page.records[0].base().keys(&FieldName::new("media.alt")).is_none());
}

#[test]
fn pieces_that_do_not_fit_their_body_are_an_error() {
    let orphan = lines(&[(PartKind::Element("/media/nodes"), "{}")]);
    let mut outside = lines(&[(PartKind::Record, r#"{"id":"é"}"#)]);
    let mut split = outside.clone();
    outside.parts[0].range.end = 100;
    split.parts[0].range.end = 8;
    let mut backwards = outside.clone();
    backwards.parts[0].range.start = 200;
    for items in [orphan, outside, split, backwards] {
        let error = map(&items).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "answer_unreadable"));
    }
}

#[test]
fn an_attribute_with_a_namespace_is_a_cell_of_its_own_whatever_its_version() {
    let field = FieldName::new("attributes");
    let read = |digest: &str, space: &str| {
        let body = json!({"id": 1, "fields": {"nodes": [
            {"space": "custom", "key": "Care", "value": "Wash", "digest": digest},
            {"space": space, "key": "Care", "value": "Dry"},
        ]}, "options": [{"name": " Size ", "made": 1}]});
        Record::Product(Box::new(one(&body)))
    };
    let (first, second) = (read("d1", "app"), read("d2", "app"));
    let keys = |record: &Record| -> Vec<String> {
        cells::entries(record, &field).unwrap().iter().map(|entry: &Entry| entry.key.to_string()).collect()
    };
    assert_eq!(keys(&first), ["custom.care", "app.care", "size"]);
    assert_eq!(first.base(), second.base(), "a version is no part of a value");
    assert_ne!(first.base(), read("d1", "shop").base());
    let cell = |key: &str| cells::value(&first, &field, Some(key)).unwrap();
    assert_eq!(cell("app.care"), CellValue::Value(json!(["Dry"])));
    assert_eq!(cell("care"), CellValue::Absent);
    let raw = cells::entries(&first, &field).unwrap()[0].raw.clone().unwrap();
    assert!(raw.contains(r#""version":"d1""#), "an undo needs it: {raw}");
}

#[test]
fn one_value_cells_of_a_product_are_read_and_have_tokens() {
    let record = Record::Product(Box::new(one(&json!({"id": 1, "kind": "Hats", "class": null}))));
    let value = |name: &'static str| cells::value(&record, &FieldName::new(name), None);
    assert_eq!(value("product_type"), Some(CellValue::text("Hats")));
    assert_eq!(value("taxonomy"), Some(CellValue::Absent));
    assert_eq!(value("slug"), None, "no rule reads it");
    let classed = Record::Product(Box::new(one(&json!({"id": 1, "class": {"id": "x/aa-1"}}))));
    assert_eq!(cells::value(&classed, &FieldName::new("taxonomy"), None), Some(CellValue::text("aa-1")));
    assert_ne!(
        classed.base().get(&FieldName::new("taxonomy")),
        record.base().get(&FieldName::new("taxonomy"))
    );
}

#[test]
fn a_list_that_several_arrays_feed_is_told_when_one_comes_twice() {
    let body = r#"{"id":1,"options":[{"name":"A"}],"fields":{"nodes":[{"about":{"name":"B"}}]},"options":[{"name":"C"}]}"#;
    let page = map(&RawItems::new(Entity::Product, body.into(), Shape::One)).unwrap();
    assert_eq!(page.issues[0].1.code, "key_occurs_twice");
    let product = product(page.records[0].clone());
    let labels: Vec<&str> =
        product.attributes.value().unwrap().iter().map(|one| one.label.as_str()).collect();
    assert_eq!(labels, ["A", "B"]);
    assert!(page.records[0].base().keys(&FieldName::new("attributes")).is_none());
}

#[test]
fn arrays_that_feed_one_list_fill_the_same_fields() {
    let compile = |more: &[Rule]| {
        let rules: Vec<Rule> = rules().into_iter().chain(more.iter().cloned()).collect();
        SchemaMap::compile(Platform::new("test"), Entity::Product, &rules).map(drop)
    };
    assert!(compile(&[]).is_ok());
    for (more, why) in [
        (rule("/pictures/*/title", "media[].title", Transform::Text, Read), "from one array"),
        (rule("/media/nodes/*/text", "media[].alt", Transform::Text, Read), "one rule only"),
        (rule("/options/*/names/*", "attributes[].values[]", Transform::Text, Read), "one rule only"),
        (rule("/x/*/text", "media[].alt", Transform::EscapedText, Read), "in different ways"),
        (rule("/x", "sku", Transform::JsonList(""), Read), "needs a list field"),
    ] {
        let error = compile(std::slice::from_ref(&more)).unwrap_err();
        assert!(error.to_string().contains(why), "{}: {error}", more.from);
    }
}

#[test]
fn transforms_read_what_they_say_and_tell_the_rest() {
    let read = |name: &str, value: Value| {
        let body = json!({"id": 1, name: value}).to_string();
        let mut page = map(&RawItems::new(Entity::Product, body.into(), Shape::One)).unwrap();
        let issue = page.issues.first().map(|(_, issue)| issue.code);
        (issue, page.records.pop().map(product))
    };
    for (id, expected) in [("gid://shop/Product/123?x=1/2", "123"), ("a/b", "b"), ("7", "7"), ("?/", "")] {
        let body = json!({"id": id}).to_string();
        let page = map(&RawItems::new(Entity::Product, body.into(), Shape::One)).unwrap();
        assert_eq!(ids(&page), if expected.is_empty() { vec![] } else { vec![expected] }, "{id}");
    }
    let weight = |value: Value| {
        let (issue, product) = read("weight", value);
        (issue, product.and_then(|product| product.weight.value().map(|mass| mass.grams())))
    };
    assert_eq!(
        weight(json!({"value": "0.25", "unit": "KILOGRAMS", "x": [1]})),
        (None, Some("250".to_owned()))
    );
    for none in [json!(null), json!({}), json!({"value": null, "unit": "POUNDS"}), json!([]), json!(false)] {
        assert_eq!(weight(none.clone()), (None, None), "{none}");
    }
    assert_eq!(weight(json!({"value": 1, "unit": "STONES"})), (Some("not_a_unit_of_mass"), None));
    assert_eq!(weight(json!({"value": "1,5", "unit": "POUNDS"})), (Some("not_a_decimal"), None));
    assert_eq!(weight(json!([1])), (Some("not_an_object"), None));
    assert_eq!(weight(json!("1.5")), (Some("not_an_object"), None));
    assert_eq!(weight(json!(1.5)), (Some("not_an_object"), None));
    assert_eq!(read("price", json!({"amount": 1.10, "code": "euro"})).0, Some("not_a_currency"));
    assert_eq!(read("changed", json!("2026-11-22T17:08:40")).0, Some("not_a_time"));
    let made = |value: Value| {
        let (issue, product) = read("options", json!([{"name": "A", "made": value}]));
        assert_eq!(issue, None);
        product.unwrap().attributes.value().unwrap()[0].distinguishes_variants
    };
    for anything in [json!(0), json!(""), json!("x"), json!([]), json!({"a": 1}), json!(false), json!(-1.5)] {
        assert_eq!(made(anything.clone()), Some(true), "{anything}");
    }
    assert_eq!(made(json!(null)), None);
    let values = |of_type: Option<&str>, value: &str| {
        let (issue, product) =
            read("fields", json!({"nodes": [{"atype": 0, "type": of_type, "value": value}]}));
        let attribute = product.unwrap().attributes.value().unwrap()[0].clone();
        let values: Vec<String> = attribute.values.iter().map(ToString::to_string).collect();
        (issue, values, attribute.raw_list.is_some())
    };
    let list = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
    assert_eq!(values(Some("list.x"), r#"["a", "b"]"#), (None, list(&["a", "b"]), true));
    assert_eq!(values(None, r#"["a"]"#), (None, list(&["a"]), true));
    assert_eq!(values(Some("list.x"), "[]"), (None, list(&[]), true));
    assert_eq!(values(Some("list.x"), "[1, true]"), (None, list(&["1", "true"]), true));
    for plain in ["[\"a\"", "a", "[\"a\",null]", "{\"a\":1}", ""] {
        assert_eq!(values(Some("list.x"), plain), (None, list(&[plain]), false), "{plain}");
    }
    assert_eq!(values(Some("text"), r#"["a"]"#), (None, list(&[r#"["a"]"#]), false));
    assert_eq!(values(Some("list.x"), r#"["a\u0000"]"#).0, Some("has_nul"));
}

#[test]
fn an_object_in_the_place_of_named_elements_is_told_and_disturbs_no_other_record() {
    let rules = [
        rule("/id", "ref.id", Transform::LastSegment, Read),
        rule("/meta/*[key=a]/value", "title", Transform::Text, Read),
        rule("/meta/*[key=a]/seo", "seo.title", Transform::Text, Read),
    ];
    let schema = SchemaMap::compile(Platform::new("test"), Entity::Product, &rules).unwrap();
    let array = r#"[{"key":"a","value":"yes"}]"#;
    for object in [r#"{"0":{"key":"a","value":"no"}}"#, r#"{"key":{"id":"7"}}"#, "{}"] {
        let body = format!(r#"[{{"id":"1","meta":{object}}},{{"id":"2","meta":{array}}}]"#);
        let items = RawItems::new(Entity::Product, body.into(), Shape::List);
        let page = schema.map(&items, &StoreProfile::unknown()).unwrap();
        let told: Vec<_> = page.issues.iter().map(|(id, issue)| (id.as_str(), issue.code)).collect();
        assert_eq!(told, [("1", "not_a_list")], "{object}");
        for field in ["title", "seo.title"] {
            assert!(page.records[0].base().get(&FieldName::new(field)).is_none(), "{object}: {field}");
            assert!(page.records[1].base().get(&FieldName::new(field)).is_some(), "{object}: {field}");
        }
        let Record::Product(product) = &page.records[1] else { panic!("no product") };
        assert_eq!(product.title.value().map(|title| title.as_str()), Some("yes"), "{object}");
    }
}
