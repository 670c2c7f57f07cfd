//! Hostile answers of a store: each becomes a typed error, a rejected record or a told issue, never a panic; and what
//! is accepted is what was sent.
//!
//! The seeds are fixed, so that a failure comes again; proptest prints the input that it was shrunk to.
#![cfg(feature = "woocommerce")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test")]

use bytes::Bytes;
use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::{WooCommerce, WooCommerceConfig};
use lily_connect::error::{ErrorKind, Result};
use lily_connect::mapping::{MappedPage, Transform};
use lily_connect::model::{
    Entity, FieldName, LengthUnit, MassUnit, RawItems, Record, Secret, Shape, StoreProfile,
};
use lily_connect::runtime::Runtime;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

fn profile() -> StoreProfile {
    let mut profile = StoreProfile::unknown();
    profile.currency = Some("EUR".parse().unwrap());
    profile.mass_unit = Some(MassUnit::Pound);
    profile.length_unit = Some(LengthUnit::Inch);
    profile
}

/// The connector with both maps; nothing is sent.
fn connector() -> WooCommerce {
    let config = WooCommerceConfig::builder("https://shop.example")
        .key("ck_1")
        .secret(Secret::new("cs_1"))
        .profile(profile())
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(config.connect(&Runtime::new())).unwrap()
}

fn map(store: &WooCommerce, entity: Entity, shape: Shape, body: impl Into<Bytes>) -> Result<MappedPage> {
    store.schema(entity).unwrap().map(&RawItems::new(entity, body.into(), shape), &profile())
}

fn one(store: &WooCommerce, body: &str) -> MappedPage {
    map(store, Entity::Product, Shape::One, body.to_owned()).unwrap()
}

fn config(seed: u64, cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(seed),
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A value of the wire, with numbers as they are written.
#[derive(Debug, Clone, PartialEq)]
enum Wire {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Wire>),
    Object(Vec<(String, Wire)>),
}

impl Wire {
    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => out.push_str(&serde_json::to_string(text).unwrap()),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(pairs) => {
                out.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::to_string(key).unwrap());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Puts a value at a place such as `/dimensions/length` or `/meta_data/*[key=a]/value`.
    fn put(&mut self, steps: &[&str], value: Wire) {
        let Some((step, rest)) = steps.split_first() else { return *self = value };
        if let Some(selector) = step.strip_prefix("*[").and_then(|step| step.strip_suffix(']')) {
            let (key, name) = selector.split_once('=').unwrap();
            if !matches!(self, Self::List(_)) {
                *self = Self::List(Vec::new());
            }
            let Self::List(items) = self else { return };
            let mut item = Self::Object(vec![(key.to_owned(), Self::Text(name.to_owned()))]);
            item.put(rest, value);
            return items.push(item);
        }
        if *step == "*" {
            let mut item = Self::Object(Vec::new());
            item.put(rest, value);
            return *self = Self::List(vec![item]);
        }
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(pairs) = self else { return };
        if !pairs.iter().any(|(key, _)| key == step) {
            pairs.push(((*step).to_owned(), Self::Null));
        }
        pairs.iter_mut().find(|(key, _)| key == step).unwrap().1.put(rest, value);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z&<>;#0-9 ]{0,12}",
        "(&(amp|lt|gt|quot|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});?|[a&;]){0,6}",
        number(),
        "[-+]?[0-9_]{0,30}[.]?[0-9_]{0,30}([eE][-+]?[0-9]{0,3})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9]([.,][0-9]{1,12})?)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?(\\[[A-Za-z]{1,8}\\])?",
        Just("a\0b".to_owned()),
        Just(String::new()),
        Just("instock".to_owned()),
        Just("publish".to_owned()),
        Just("parent".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,29})([.][0-9]{1,30})?([eE][-+]?[0-9]{1,2})?",
        proptest::sample::select(vec![
            "1e999",
            "-1e999",
            "1e-999",
            "-0",
            "-0.0",
            "1.0",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "12345678901234567.89",
            "0.1000",
            "79228162514264337593543950335",
            "79228162514264337593543950336",
            "1234567890.1234567890123456789",
        ])
        .prop_map(str::to_owned),
    ]
}

fn wire() -> impl Strategy<Value = Wire> {
    let leaf = prop_oneof![
        1 => Just(Wire::Null),
        1 => any::<bool>().prop_map(Wire::Bool),
        3 => number().prop_map(Wire::Number),
        6 => text().prop_map(Wire::Text),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Wire::List),
            proptest::collection::vec((any::<String>(), inner), 0..4).prop_map(Wire::Object),
        ]
    })
}

/// What a transform may make of a value: this, nothing, or an issue.
#[derive(Debug, PartialEq)]
enum Expected {
    Text(String),
    Bool(bool),
    Nothing,
    Issue,
    /// Either is right: the text is a decimal that may have too many digits.
    DecimalOrIssue(String),
}

/// A decimal without what does not count: sign, digits and exponent of ten.
fn significant(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = format!("{whole}{part}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - digits.len()).unwrap();
    let exponent = exponent - i64::try_from(part.len()).unwrap() + dropped;
    let digits = digits.trim_start_matches('0').to_owned();
    if digits.is_empty() { Some((false, digits, 0)) } else { Some((negative, digits, exponent)) }
}

fn expected(transform: Transform, wire: &Wire) -> Expected {
    let is_empty = match wire {
        Wire::Null | Wire::Bool(false) => true,
        Wire::List(items) => items.is_empty(),
        Wire::Object(pairs) => pairs.is_empty(),
        _ => false,
    };
    let decimal = |text: &str| match significant(text) {
        _ if text.is_empty() => Expected::Nothing,
        Some(_) => Expected::DecimalOrIssue(text.to_owned()),
        None => Expected::Issue,
    };
    match (transform, wire) {
        (Transform::Bool, Wire::Bool(truth)) => Expected::Bool(*truth),
        (Transform::Word(words), Wire::Bool(truth)) => {
            let name = truth.to_string();
            Expected::Text(
                words.iter().find(|(wire, _)| *wire == name).map_or(name, |(_, to)| (*to).to_owned()),
            )
        }
        (Transform::Money | Transform::Mass | Transform::Length | Transform::Decimal, Wire::List(items)) => {
            // `[[]]` is nothing, too.
            fn hollow(items: &[Wire]) -> bool {
                items.iter().all(|item| matches!(item, Wire::List(items) if hollow(items)))
            }
            let mut text = String::new();
            wire.write(&mut text);
            if hollow(items) && !text.contains(',') { Expected::Nothing } else { Expected::Issue }
        }
        (Transform::Money | Transform::Mass | Transform::Length | Transform::Decimal, Wire::Object(_)) => {
            Expected::Issue
        }
        _ if is_empty => Expected::Nothing,
        (Transform::Decimal | Transform::Money | Transform::Mass | Transform::Length, Wire::Text(text)) => {
            decimal(text)
        }
        (
            Transform::Decimal | Transform::Money | Transform::Mass | Transform::Length,
            Wire::Number(number),
        ) => decimal(number),
        (Transform::OptionalText | Transform::UtcTime, Wire::Text(text)) if text.is_empty() => {
            Expected::Nothing
        }
        (_, Wire::Text(text)) if text.contains('\0') => Expected::Issue,
        (
            Transform::Text | Transform::Html | Transform::OptionalText | Transform::EscapedText,
            Wire::Text(text),
        ) => Expected::Text(text.clone()),
        (Transform::Word(words), Wire::Text(text)) => Expected::Text(
            words.iter().find(|(wire, _)| wire == text).map_or(text.clone(), |(_, to)| (*to).to_owned()),
        ),
        (Transform::Word(_), Wire::Number(number)) if whole(number) => Expected::Text(number.clone()),
        (Transform::Id, Wire::Text(text)) if (1..=255).contains(&text.len()) => Expected::Text(text.clone()),
        (Transform::Id, Wire::Number(number)) if whole(number) => Expected::Text(number.clone()),
        (Transform::UtcTime, Wire::Text(text)) if is_civil(text) => Expected::Text(text.clone()),
        _ => Expected::Issue,
    }
}

/// Whether a number of JSON is a whole one of 64 bits; `-0` is none.
fn whole(number: &str) -> bool {
    (number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok()) && number != "-0"
}

/// Whether it looks like `2026-11-22T17:08:40`, with or without a part of a second.
fn is_civil(text: &str) -> bool {
    let form = |text: &str| {
        text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect::<Vec<_>>()
    };
    let (main, part) = text.split_once('.').unwrap_or((text, "0"));
    form(main) == b"0000-00-00T00:00:00"
        && (1..=9).contains(&part.len())
        && form(part).iter().all(|byte| *byte == b'0')
}

/// The value of a field in a record's JSON.
fn field<'r>(record: &'r Value, name: &str) -> Option<&'r Value> {
    name.split('.').try_fold(record, |at, key| at.get(key)).filter(|value| !value.is_null())
}

/// Whether a record's value is the one that was sent.
fn is_same(transform: Transform, name: &str, record: &Value, sent: &str) -> bool {
    let Some(value) = field(record, name) else { return false };
    match transform {
        Transform::EscapedText => {
            let raw = record.get("raw_spelling").and_then(|raws| raws.get(name)).and_then(Value::as_str);
            let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            // Variants take no writes, and keep no spelling: what is read is all there is.
            raw.is_some_and(|raw| raw == sent)
                || value.as_str().is_some_and(|text| escape(text) == sent || (text == sent && raw.is_none()))
                || record["entity"] == "variant"
        }
        Transform::Money => significant(value["amount"].as_str().unwrap()) == significant(sent),
        Transform::Decimal => significant(value.as_str().unwrap()) == significant(sent),
        Transform::Mass | Transform::Length => {
            let (unit, digits) =
                if transform == Transform::Mass { ("grams", 45_359_237) } else { ("millimetres", 254) };
            let scale = if transform == Transform::Mass { -5 } else { -1 };
            let exact = significant(sent).map(|(negative, number, exponent)| {
                let product = multiply(&number, digits);
                significant(&format!("{}{product}e{}", if negative { "-" } else { "" }, exponent + scale))
                    .unwrap()
            });
            significant(value["source"].as_str().unwrap()) == significant(sent)
                && significant(value[unit].as_str().unwrap()) == exact
        }
        Transform::UtcTime => {
            let shown = value.as_str().unwrap().trim_end_matches('Z');
            let sent =
                if sent.contains('.') { sent.trim_end_matches('0').trim_end_matches('.') } else { sent };
            shown == sent
        }
        Transform::Word(_) if name == "status" => {
            value.as_str() == Some(sent) || value.get("other").and_then(Value::as_str) == Some(sent)
        }
        _ => value.as_str() == Some(sent),
    }
}

/// The product of decimal digits and a factor, in decimal digits.
fn multiply(digits: &str, factor: u64) -> String {
    let mut carry = 0;
    let mut out: Vec<u8> = Vec::new();
    for digit in digits.bytes().rev() {
        let product = u64::from(digit - b'0') * factor + carry;
        out.push(b'0' + u8::try_from(product % 10).unwrap());
        carry = product / 10;
    }
    let low: String = out.into_iter().rev().map(char::from).collect();
    format!("{}{low}0", if carry > 0 { carry.to_string() } else { String::new() })
        .strip_suffix('0')
        .unwrap()
        .to_owned()
        + if digits.is_empty() { "0" } else { "" }
}

proptest! {
    #![proptest_config(config(0x6c69_6c79, 2000))]

    /// Every mapped place of one value, with any value there.
    #[test]
    fn what_is_accepted_is_what_was_sent(
        at in any::<proptest::sample::Index>(),
        entity in proptest::sample::select(vec![Entity::Product, Entity::Variant]),
        value in wire(),
    ) {
        thread_local!(static STORE: WooCommerce = connector());
        STORE.with(|store| {
            let rules: Vec<_> = store.schema(entity).unwrap().rules().iter()
                .filter(|rule| !rule.field.contains("[]")).collect();
            let rule = rules[at.index(rules.len())];
            let steps: Vec<&str> = rule.from.split('/').skip(1).collect();
            let mut body = Wire::Object(Vec::new());
            body.put(&["id"], Wire::Number("7".to_owned()));
            body.put(&steps, value.clone());
            let mut text = String::new();
            body.write(&mut text);
            let page = map(store, entity, Shape::One, text.clone()).unwrap();
            prop_assert_eq!(page.records.len() + page.rejected.len(), 1);
            let expected = expected(rule.transform, &value);
            let Some(record) = page.records.first() else {
                // No id, or a number that no reader of JSON can hold.
                let rejected = &page.rejected[0];
                prop_assert!(!rejected.issues.is_empty());
                let no_id = rule.field == "ref.id" && matches!(expected, Expected::Issue | Expected::Nothing);
                prop_assert!(no_id || is_out_of_range(&value), "{}: {:?}", text, rejected);
                return Ok(());
            };
            let name = &*rule.field;
            let told = !page.issues.is_empty();
            let json = serde_json::to_value(record).unwrap();
            // A word that the canonical list does not have, such as of an unknown stock status, is told.
            let same = match &expected {
                Expected::Text(sent) => is_same(rule.transform, name, &json, sent) ,
                Expected::Bool(truth) => field(&json, name) == Some(&Value::Bool(*truth)),
                Expected::DecimalOrIssue(sent) if !told => is_same(rule.transform, name, &json, sent),
                Expected::DecimalOrIssue(_) | Expected::Issue => told && field(&json, name).is_none(),
                Expected::Nothing => field(&json, name).is_none(),
            };
            let canonical = ["inventory.availability", "inventory.tracking", "created_at", "modified_at"];
            let refused = told && field(&json, name).is_none() && canonical.contains(&name);
            let lost_id = name == "product_ref.id" && field(&json, "product_ref").and_then(|at| at.get("id")).is_some();
            prop_assert!(same || refused || lost_id, "{} {:?}: {:?}\n{}", text, expected, page.issues, json);
            prop_assert!(!(told && matches!(expected, Expected::Nothing)) || name == "ref.id", "{}", text);
            prop_assert_eq!(told, page.dropped_fields > 0);
            // A cell that could not be read has no token, and takes no write.
            if told {
                prop_assert!(record.base().get(&FieldName::from(name.to_owned())).is_none());
            }
            let line = serde_json::to_string(record).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Record>(&line).unwrap(), record);
            Ok(())
        })?;
    }

    /// Anything at all as a record, an element or a body.
    #[test]
    fn any_shape_is_an_error_a_rejection_or_a_record(
        places in proptest::collection::vec((any::<proptest::sample::Index>(), wire()), 0..6),
        loose in wire(),
        cut in any::<proptest::sample::Index>(),
    ) {
        thread_local!(static STORE: WooCommerce = connector());
        STORE.with(|store| {
            let rules = store.schema(Entity::Product).unwrap().rules();
            let mut record = Wire::Object(Vec::new());
            for (at, value) in places {
                let steps: Vec<&str> = rules[at.index(rules.len())].from.split('/').skip(1).collect();
                // Sometimes the array or object around the place is the odd one.
                record.put(&steps[..steps.len() - cut.index(2).min(steps.len() - 1)], value);
            }
            let mut text = String::new();
            Wire::List(vec![record, loose.clone()]).write(&mut text);
            let page = map(store, Entity::Product, Shape::List, text.clone()).unwrap();
            prop_assert_eq!(page.records.len() + page.rejected.len(), 2, "{}", text);
            for record in &page.records {
                prop_assert!(!record.reference().id.as_str().is_empty());
            }
            let short: String = text.chars().take(cut.index(text.chars().count())).collect();
            let error = map(store, Entity::Product, Shape::List, short).unwrap_err();
            prop_assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "answer_unreadable"));
            Ok(())
        })?;
    }

    /// Bytes that are no UTF-8, anywhere.
    #[test]
    fn bytes_that_are_no_utf8_are_an_error_without_the_bytes(
        at in any::<proptest::sample::Index>(), byte in 0x80_u8..,
    ) {
        let mut body = br#"[{"id":7,"name":"Cap","description":"<p>x</p>"}]"#.to_vec();
        body.insert(at.index(body.len()), byte);
        thread_local!(static STORE: WooCommerce = connector());
        let error = STORE.with(|store| map(store, Entity::Product, Shape::List, body)).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::Protocol);
        prop_assert!(!error.to_string().contains("Cap"), "{}", error);
    }
}

fn is_out_of_range(value: &Wire) -> bool {
    match value {
        Wire::Number(number) => number.parse::<f64>().unwrap().is_infinite(),
        _ => false,
    }
}

#[test]
fn an_id_keeps_every_digit_or_the_record_is_rejected() {
    let store = connector();
    for id in ["9007199254740993", "18446744073709551615", "-1", "\"00012\"", "\"x/y\""] {
        let page = one(&store, &format!("{{\"id\":{id}}}"));
        assert_eq!(page.records[0].reference().id.as_str(), id.trim_matches('"'));
    }
    for id in ["18446744073709551616", "1.0", "1e2", "true", "false", "\"\"", "[1]", "null", "1e999"] {
        let page = one(&store, &format!("{{\"id\":{id}}}"));
        assert_eq!((page.records.len(), page.rejected.len()), (0, 1), "{id}");
    }
    let long = one(&store, &format!("{{\"id\":\"{}\"}}", "1".repeat(256)));
    assert_eq!(long.rejected.len(), 1);
}

#[test]
fn a_key_that_comes_twice_is_told_and_its_cell_takes_no_write() {
    let store = connector();
    let title = FieldName::new("title");
    let page = one(&store, r#"{"id":7,"name":"A &quot;1&quot;","name":"B"}"#);
    let json = serde_json::to_value(&page.records[0]).unwrap();
    assert_eq!(
        (&json["title"], json.get("raw_spelling")),
        (&"B".into(), None),
        "the last one, with its own spelling"
    );
    assert_eq!(page.issues[0].1.code, "key_occurs_twice");
    assert!(page.records[0].base().get(&title).is_none());

    let seo = FieldName::new("seo.title");
    for element in [
        r#"{"key":"rank_math_title","value":"A","value":"B"}"#,
        r#"{"value":"A","value":"B","key":"rank_math_title"}"#,
        r#"{"value":"A","key":"rank_math_title","value":"B"}"#,
        r#"{"key":"rank_math_title","value":"A","key":"other"}"#,
        r#"{"key":"other","value":"A","key":"rank_math_title"}"#,
        r#"{"value":"A","key":"other","key":"rank_math_title"}"#,
        r#"{"key":"rank_math_title","value":"A"},{"key":"rank_math_title","value":"B"}"#,
    ] {
        let page = one(&store, &format!("{{\"id\":7,\"meta_data\":[{element}]}}"));
        assert!(!page.issues.is_empty(), "{element}");
        assert!(page.records[0].base().get(&seo).is_none(), "{element}");
    }
    for list in ["images", "tags", "attributes", "variations"] {
        let page = one(&store, &format!("{{\"id\":7,\"{list}\":[1],\"{list}\":[]}}"));
        assert!(page.issues.iter().any(|(_, issue)| issue.code == "key_occurs_twice"), "{list}");
    }
}

#[test]
fn a_lone_surrogate_rejects_its_record_alone() {
    let store = connector();
    for lone in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud83d", r"\ud83dx"] {
        for place in
            ["\"name\":\"@\"", "\"meta_data\":[{\"key\":\"@\"}]", "\"images\":[{\"alt\":\"@\"}]", "\"@\":1"]
        {
            let body = format!("[{{\"id\":1}},{{\"id\":2,{}}},{{\"id\":3}}]", place.replace('@', lone));
            let page = map(&store, Entity::Product, Shape::List, body).unwrap();
            let ids: Vec<&str> = page.records.iter().map(|record| record.reference().id.as_str()).collect();
            assert_eq!(ids, ["1", "3"], "{lone} {place}");
            assert_eq!(page.rejected[0].id.as_ref().map(|id| id.as_str()), Some("2"));
        }
    }
}

#[test]
fn nesting_of_any_depth_ends_in_a_record_or_a_rejection() {
    let store = connector();
    for key in ["unknown", "name", "price", "meta_data", "images", "attributes", "dimensions", "variations"] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"value\":", "}"), ("[{\"options\":", "}]")] {
            let body = format!(
                "[{{\"id\":1,\"{key}\":{}0{}}},{{\"id\":2}}]",
                open.repeat(50_000),
                close.repeat(50_000)
            );
            let page = map(&store, Entity::Product, Shape::List, body).unwrap();
            assert_eq!(page.records.len() + page.rejected.len(), 2, "{key} {open}");
            assert_eq!(page.records.last().unwrap().reference().id.as_str(), "2");
        }
    }
    let open = map(&store, Entity::Product, Shape::List, "[".repeat(200_000)).unwrap_err();
    assert_eq!(open.kind(), ErrorKind::Protocol);
}

#[test]
fn an_enormous_text_is_kept_whole() {
    let store = connector();
    let text = "ü&amp;".repeat(1_500_000);
    let page = one(&store, &format!("{{\"id\":7,\"description\":\"{text}\",\"sku\":\"{text}\"}}"));
    let Record::Product(product) = &page.records[0] else { panic!("a product") };
    assert_eq!(product.description.value().unwrap().as_str(), text);
    assert_eq!(product.sku.value().unwrap().as_str(), text);
}

#[test]
fn an_answer_cut_anywhere_is_an_error() {
    let store = connector();
    let body = r#"[{"id":7,"name":"R&amp;D \"Cap\" ü","price":"12.50","dimensions":{"length":"2.5"},
        "meta_data":[{"key":"_yoast_wpseo_title","value":"Y"}],"images":[{"id":1,"alt":""}]}]"#;
    assert_eq!(map(&store, Entity::Product, Shape::List, body).unwrap().records.len(), 1);
    for end in 0..body.len() {
        let cut = body.as_bytes()[..end].to_vec();
        let error = map(&store, Entity::Product, Shape::List, cut).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "answer_unreadable"), "{end}");
    }
    for more in ["x", "[]", ",", "\u{0}"] {
        assert!(map(&store, Entity::Product, Shape::List, format!("{body}{more}")).is_err(), "{more:?}");
    }
}

#[test]
fn a_decimal_is_read_to_its_last_digit_or_told() {
    let store = connector();
    for sent in
        ["\"1_000\"", "\"1,5\"", "\" 1\"", "1e999", "\"0x1\"", "\"NaN\"", "\"79228162514264337593543950336\""]
    {
        let page = one(&store, &format!("{{\"id\":7,\"price\":{sent}}}"));
        assert_eq!(page.issues.len(), 1, "{sent}");
    }
}
