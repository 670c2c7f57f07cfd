//! What was read can be written back: every recorded value exactly, and hard values wherever they are let through.
//!
//! The recordings are no part of this crate: `LILY_SPECS_DIR` names the folder that holds `woocommerce/`.
//! Without it that test says loudly that it did nothing, and fails where `CI` is `true`.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::field_reassign_with_default,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use common::bench;
use desk::Desk;
use lily_connect::mapping::{SchemaMap, fields};
use lily_connect::model::{CellValue, Entity, FieldName, RawItems, Record, Shape, StoreProfile, Term};
use lily_connect::sync::{ChangeVerdict, ReceiptOutcome};
use serde_json::{Map, Value, json};

/// Every product in a recording, wherever it stands.
fn products<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| products(item, found)),
        Value::Object(object) => {
            let is_product = ["id", "name", "description", "short_description", "tags", "permalink"]
                .iter()
                .all(|key| object.contains_key(*key))
                // The schema that `OPTIONS` answers names the same keys.
                && value["id"].is_u64();
            if is_product {
                found.push(value);
            } else {
                object.values().for_each(|item| products(item, found));
            }
        }
        _ => {}
    }
}

fn map_one(schema: &SchemaMap, profile: &StoreProfile, wire: &Value) -> Record {
    let body = Bytes::from(wire.to_string());
    let mut page = schema.map(&RawItems::new(Entity::Product, body, Shape::One), profile).unwrap();
    assert_eq!((page.rejected.as_slice(), page.issues.as_slice()), (&[][..], &[][..]), "{wire}");
    page.records.remove(0)
}

/// The way back of a field, as a body holds it.
fn back(schema: &SchemaMap, record: &Record, field: &FieldName, terms: Option<&[Term]>) -> Value {
    let mut body = Map::new();
    match terms {
        Some(terms) => schema.put_terms(&mut body, field, terms).unwrap(),
        None => {
            let value = fields::cell_value(record, field, None).unwrap();
            let raw = record.raw_spelling(field).map(|raw| raw.as_str());
            let spelled = schema.spell(field, value.as_text().unwrap(), raw).unwrap();
            schema.put_text(&mut body, field, spelled).unwrap();
        }
    }
    assert_eq!(body.len(), 1, "one place of the wire: {body:?}");
    body.into_iter().next().unwrap().1
}

#[tokio::test]
async fn every_recorded_value_of_a_writable_field_goes_back_as_it_came() {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR").map(|dir| Path::new(&dir).join("woocommerce"))
    else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "LILY_SPECS_DIR must be set where CI is true");
        // Straight to the stream, since the harness swallows what a passing test prints.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: LILY_SPECS_DIR is not set, so no recording was compared");
        return;
    };
    let bench = bench().await;
    let schema = bench.connector.schema(Entity::Product).unwrap();
    let profile = &bench.connector.info().profile;
    let writable = &bench.connector.capabilities().entity(Entity::Product).unwrap().writable;
    let wire_key = BTreeMap::from([
        ("title", "name"),
        ("short_description", "short_description"),
        ("description", "description"),
        ("tags", "tags"),
    ]);
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut files, mut spelled) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let recording: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        products(&recording, &mut found);
        files += usize::from(!found.is_empty());
        for wire in found {
            let record = map_one(schema, profile, wire);
            for field in writable {
                let name = field.field.as_str();
                let recorded = &wire[wire_key[name]];
                let count = compared.entry(wire_key[name]).or_default();
                if field.list.is_none() {
                    spelled += usize::from(record.raw_spelling(&field.field).is_some());
                    assert_eq!(back(schema, &record, &field.field, None), *recorded, "{path:?} {name}");
                    *count += 1;
                    continue;
                }
                let terms = fields::terms(&record, &field.field).unwrap();
                let recorded = recorded.as_array().unwrap();
                let pick = |key: &str| -> Value {
                    recorded.iter().map(|term| json!({key: term[key]})).collect::<Vec<_>>().into()
                };
                assert_eq!(back(schema, &record, &field.field, Some(terms)), pick("id"), "{path:?} {name}");
                let unnamed: Vec<Term> = terms.iter().map(|term| Term { id: None, ..term.clone() }).collect();
                assert_eq!(
                    back(schema, &record, &field.field, Some(&unnamed)),
                    pick("name"),
                    "{path:?} {name}"
                );
                *count += 1 + recorded.len();
            }
        }
    }
    println!("compared {compared:?} values of {files} recordings; {spelled} by the platform's own spelling");
    assert!(compared.len() == writable.len() && compared.values().all(|count| *count > 0), "{compared:?}");
}

fn hard_values() -> Vec<String> {
    let mut values: Vec<String> = [
        "",
        " ",
        "plain",
        "  leading and trailing  ",
        "\ttab\nand line\r\n",
        "<p class=\"lead\">Warm &amp; <b>dry</b></p>",
        "<p>a<br>b<br/>c</p><ul><li>x</ul>",
        "<p onclick=\"x()\">a</p><script>alert(1)</script><style>p{}</style>",
        "<a href=\"javascript:x\">a</a> <a href=\"https://shop.example/?a=1&b=2\">b</a>",
        "<!-- more --> <iframe src=\"x\"></iframe>",
        "5 < 6 and 7 > 3",
        "<<b>>",
        "C:\\new\\\\folder \\' \\\" \\",
        "\"double\" 'single' “curly” `back`",
        "emoji 💡👩‍👩‍👧‍👦🇩🇪",
        "עברית and العربية \u{202e}turned\u{202c}",
        "combining e\u{301} and é, A\u{30a} and Å",
        "zero\u{200b}width \u{feff} and \u{a0}no-break",
        "NUL \u{0} here",
        "control \u{1} \u{7f} \u{85}",
        "&amp;",
        "&amp;amp;",
        "&",
        "a & b &nbsp; &eacute; &#38; &#x26; &#0; &unknown; &;",
        "Salt &amp Pepper",
        "[gallery ids=\"1,2\"] [/x] [[escaped]]",
        "a, b; c | d",
        "%s %1$s {{x}} ${x} #{x}",
        "null",
        "0",
        "\u{fffd}\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("x".repeat(150));
    values.push(format!("<p>{}</p>", "long text ".repeat(20_000)));
    values.push("ü".repeat(5 * 1024 * 1024));
    values
}

#[tokio::test]
async fn a_hard_value_is_refused_at_plan_time_or_lands_and_undo_restores_every_byte() {
    let desk = Desk::new().await;
    let (mut refused, mut landed) = (BTreeMap::new(), 0);
    for field in ["title", "short_description", "description", "tags"] {
        for value in hard_values() {
            let shown: String = format!("{field} {value:?}").chars().take(100).collect();
            let record = desk.pulled().await;
            let before = desk.bytes();
            let change = if field == "tags" {
                json!({"edit": {"add": [value]}, "base_keys": record["base"]["tags"]})
            } else {
                json!({"value": value, "base": record["base"][field]})
            };
            let writes = desk.writes();
            let plan = desk.plan(&desk.enrich(&record, json!({field: change}))).await;
            let [change] = plan.changes.as_slice() else { panic!("{shown}: {plan}") };
            match &change.verdict {
                ChangeVerdict::Rejected(why) => {
                    let receipt = desk.apply(&plan).await;
                    assert_eq!(receipt.fields[0].outcome, ReceiptOutcome::Rejected(why.clone()));
                    assert_eq!((desk.writes(), desk.bytes()), (writes, before), "{shown}");
                    let why = format!("{why:?}");
                    *refused.entry(why.split(' ').next().unwrap().to_owned()).or_insert(0) += 1;
                }
                ChangeVerdict::Apply => {
                    let receipt = desk.apply(&plan).await;
                    assert_eq!(
                        receipt.fields[0].outcome,
                        ReceiptOutcome::Applied,
                        "{shown}\n{plan}{receipt}"
                    );
                    let ours = change.ours.as_text().unwrap();
                    let read = desk.pulled().await;
                    let read = if field == "tags" {
                        let tags = read["tags"].as_array().unwrap();
                        tags.iter().find(|tag| tag["name"] == ours).map(|tag| &tag["name"])
                    } else {
                        Some(&read[field])
                    };
                    let read = read.and_then(Value::as_str).map(CellValue::text);
                    assert_eq!(read, Some(change.ours.clone()), "{shown}");
                    let report = desk.push.undo(receipt.push).await.unwrap();
                    assert!(report.is_full_success(), "{shown}: {report}");
                    assert_eq!(desk.bytes(), before, "{shown}");
                    desk.tick();
                    landed += 1;
                }
                other => panic!("{shown}: {other:?}"),
            }
        }
    }
    println!("{landed} landed and were undone; refused at plan time: {refused:?}");
    assert!(landed > 60, "{landed}");
    for why in ["TooLong", "ControlCharacters", "Empty"] {
        assert!(refused.contains_key(why), "{refused:?}");
    }
}
