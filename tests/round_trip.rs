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
use lily_connect::mapping::{SchemaMap, cells};
use lily_connect::model::{CellValue, Entity, FieldName, RawItems, Record, Shape, StoreProfile};
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
                && value["id"].is_u64()
                && value["type"] != "variation";
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

/// The way back of a field, as a body holds it; none where the record has no value there.
fn back(schema: &SchemaMap, record: &Record, field: &FieldName) -> Option<Value> {
    let Record::Product(product) = record else { panic!("{record:?}") };
    let mut body = Map::new();
    match field.as_str() {
        "tags" => schema.put_terms(&mut body, field, product.tags.value()?).unwrap(),
        "categories" => schema.put_terms(&mut body, field, product.categories.value()?).unwrap(),
        "brands" => schema.put_terms(&mut body, field, product.brands.value()?).unwrap(),
        "attributes" => schema.put_attributes(&mut body, product.attributes.value()?, &|text| text).unwrap(),
        "media.alt" => schema.put_media(&mut body, product.media.value()?, &|text| text).unwrap(),
        _ => {
            let value = cells::value(record, field, None)?;
            let raw = record.raw_spelling(field).map(|raw| raw.as_str());
            let spelled = schema.spell(field, value.as_text()?, raw).unwrap();
            schema.put_text(&mut body, field, spelled).unwrap();
        }
    }
    assert_eq!(body.len(), 1, "one place of the wire: {body:?}");
    body.into_iter().next().map(|(_, value)| value)
}

/// What of a recorded value a write sends: of lists, what tells their entries apart and what we keep of them.
fn sent(field: &str, recorded: &Value) -> Value {
    let entries = || recorded.as_array().unwrap().iter();
    match field {
        "tags" | "categories" | "brands" => entries().map(|term| json!({"id": term["id"]})).collect(),
        "media.alt" => entries().map(|image| json!({"id": image["id"], "alt": image["alt"]})).collect(),
        "attributes" => entries()
            .map(|own| {
                let mut entry = json!({"options": own["options"], "visible": own["visible"],
                    "variation": own["variation"], "position": own["position"]});
                let key = if own["id"] == 0 { "name" } else { "id" };
                entry[key] = own[key].clone();
                entry
            })
            .collect(),
        _ => recorded.clone(),
    }
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
    let wire_key = |field: &str| match field {
        "title" => "name".to_owned(),
        "gtin" => "global_unique_id".to_owned(),
        "media.alt" => "images".to_owned(),
        own => own.to_owned(),
    };
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
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
                spelled += usize::from(record.raw_spelling(&field.field).is_some());
                let Some(back) = back(schema, &record, &field.field) else { continue };
                *compared.entry(name.to_owned()).or_default() += 1;
                if name.starts_with("seo.") {
                    let entry = &back.as_array().unwrap()[0];
                    let recorded = wire["meta_data"].as_array().unwrap();
                    assert!(
                        recorded
                            .iter()
                            .any(|meta| meta["key"] == entry["key"] && meta["value"] == entry["value"]),
                        "{path:?} {name}"
                    );
                    continue;
                }
                assert_eq!(back, sent(name, &wire[wire_key(name)]), "{path:?} {name}");
            }
        }
    }
    assert!(compared.remove("seo.focus_keyword").is_none(), "no recording has one");
    println!("compared {compared:?} values of {files} recordings; {spelled} by the platform's own spelling");
    assert!(
        compared.len() == writable.len() - 1 && compared.values().all(|count| *count > 0),
        "{compared:?}"
    );
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
    let desk = Desk::with(std::sync::Arc::new(lily_connect::state::MemoryState::new()), |_| {}).await;
    let image = desk.bench.store.add_media("cap.jpg");
    desk.bench.store.edit_media(image, |media| media.alt = "A cap".to_owned());
    desk.bench.store.edit(desk.id, |product| product.images = vec![image]);
    let (mut refused, mut landed) = (BTreeMap::new(), 0);
    let fields =
        ["title", "short_description", "description", "tags", "seo.title", "slug", "attributes", "media.alt"];
    for field in fields {
        for value in hard_values() {
            let shown: String = format!("{field} {value:?}").chars().take(100).collect();
            let record = desk.pulled().await;
            let before = desk.bytes();
            let image = record["media"][0]["id"].as_str().unwrap();
            let base_keys = &record["base"][field];
            let change = match field {
                "tags" => json!({"edit": {"add": [value]}, "base_keys": base_keys}),
                "attributes" => json!({"edit": {"update": {"Fit": [value]}}, "base_keys": base_keys}),
                "media.alt" => json!({"edit": {"update": {image: value}}, "base_keys": base_keys}),
                _ => json!({"value": value, "base": base_keys}),
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
                    let read = desk.pulled().await;
                    let list = |key: &str, name: &str| -> Vec<Value> {
                        let all = read[key].as_array().unwrap().iter();
                        all.map(|entry| entry[name].clone()).collect()
                    };
                    let ours = match &change.ours {
                        CellValue::Value(value) => value.clone(),
                        empty => Value::from(empty.as_text().unwrap()),
                    };
                    let found = match field {
                        "tags" => list("tags", "name").contains(&ours),
                        "attributes" => list("attributes", "values").contains(&ours),
                        "media.alt" => list("media", "alt").contains(&ours),
                        "seo.title" => read["seo"]["title"] == ours,
                        _ => read[field] == ours,
                    };
                    assert!(found, "{shown} is not {ours} in {read}");
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
    for why in ["TooLong", "ControlCharacters", "Empty", "Altered"] {
        assert!(refused.contains_key(why), "{refused:?}");
    }
}
