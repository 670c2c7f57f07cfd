//! What a store has elsewhere than the connector's map says: the form, its errors, and what becomes of a map.
#![cfg(all(feature = "overrides", feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    clippy::print_stdout,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::bench_with;
use desk::{Taken, certified};
use lily_connect::connector::Connector;
use lily_connect::connectors::woocommerce::{WooCommerce, WooCommerceConfig};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::mapping::{Direction, Overrides, Rule, SchemaMap, Transform, rule};
use lily_connect::model::{
    Entity, FieldName, LengthUnit, MassUnit, Platform, RawItems, Record, Secret, Shape, StoreProfile,
};
use lily_connect::runtime::Runtime;
use lily_connect::state::MemoryState;
use lily_connect::sync::{Cancel, Pull};

const PLANTED: &str = "cs_planted_5e1f";

fn config(toml: &str) -> Result<WooCommerceConfig> {
    WooCommerceConfig::builder("https://shop.example")
        .key("ck_1")
        .secret(Secret::new(PLANTED))
        .profile(profile())
        .mapping(Overrides::parse(toml)?)
        .build()
}

fn profile() -> StoreProfile {
    let mut profile = StoreProfile::unknown();
    profile.currency = Some("EUR".parse().unwrap());
    profile.mass_unit = Some(MassUnit::Kilogram);
    profile.length_unit = Some(LengthUnit::Centimetre);
    profile
}

async fn connected(toml: &str) -> WooCommerce {
    config(toml).unwrap().connect(&Runtime::new()).await.unwrap()
}

/// The error of overrides over the WooCommerce map.
fn refused(toml: &str) -> Error {
    let error = config(toml).map(drop).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("planted"), "{shown}");
    error
}

/// Where an error says that it is.
fn place(error: &Error) -> (usize, usize) {
    let fact = |name: &str| {
        error
            .context()
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, value)| value.parse().unwrap())
    };
    (fact("line"), fact("column"))
}

fn mapped(map: &SchemaMap, body: &str) -> Record {
    let items = RawItems::new(map.entity(), Bytes::copy_from_slice(body.as_bytes()), Shape::One);
    let mut page = map.map(&items, &profile()).unwrap();
    assert_eq!(page.issues, Vec::new());
    page.records.remove(0)
}

fn json(record: &Record) -> serde_json::Value {
    serde_json::to_value(record).unwrap()
}

#[tokio::test]
async fn an_entry_replaces_adds_and_drops_rules() {
    let store = connected(
        r#"
        [[product]]
        field = "gtin"
        from = "/meta_data/*[key=_ean]/value"

        [[product]]
        field = "compare_at"
        drop = true

        [[product]]
        field = "sku"
        transform = "text"

        [[variant]]
        field = "gtin"
        from = "/meta_data/*[key=_ean]/value"
        "#,
    )
    .await;
    let body = r#"{"id":7,"sku":"","global_unique_id":"1","regular_price":"9","parent_id":3,
        "meta_data":[{"key":"_ean","value":"4006381333931"}]}"#;
    for entity in [Entity::Product, Entity::Variant] {
        let record = json(&mapped(store.schema(entity).unwrap(), body));
        assert_eq!(record["gtin"], "4006381333931");
        let (sku, compare_at) = (record.get("sku").unwrap(), record.get("compare_at"));
        if entity == Entity::Product {
            assert_eq!((sku.as_str(), compare_at), (Some(""), None), "text keeps the empty text");
        } else {
            assert_eq!((sku.is_null(), compare_at.is_some()), (true, true), "entries of products only");
        }
    }
}

#[tokio::test]
async fn a_rank_names_one_of_several_rules() {
    let seo = |toml: &'static str| async move {
        let store = connected(toml).await;
        let body = r#"{"id":7,"meta_data":[{"key":"_yoast_wpseo_title","value":"Y"},
            {"key":"rank_math_title","value":"R"},{"key":"_own","value":"O"}]}"#;
        json(&mapped(store.schema(Entity::Product).unwrap(), body))["seo"]["title"].clone()
    };
    let own = "from = \"/meta_data/*[key=_own]/value\"";
    assert_eq!(seo("").await, "Y");
    let above = format!("[[product]]\nfield = \"seo.title\"\n{own}\nrank = 2").leak();
    assert_eq!(seo(above).await, "O", "beside the others, above them");
    let all = format!("[[product]]\nfield = \"seo.title\"\n{own}").leak();
    assert_eq!(seo(all).await, "O", "in place of all");
    assert_eq!(seo("[[product]]\nfield = \"seo.title\"\nrank = 1\ndrop = true").await, "R");
    let moved = refused("[[product]]\nfield = \"seo.title\"\ntransform = \"optional_text\"");
    assert!(moved.to_string().contains("from 2 places"), "{moved}");
}

#[test]
fn an_error_names_the_line_the_column_the_field_and_what_is_allowed() {
    let at = |entry: &str| format!("\n[[product]]\n{entry}\n");
    let cases = [
        ("field = \"ean\"", (3, 9), "no such field of a product: ean", "it can be: status, sku, gtin"),
        (
            "  field = \"sku\"\nform = \"/x\"",
            (4, 1),
            "no such key: form",
            "field, from, transform, rank, write, drop",
        ),
        ("from = \"/x\"", (2, 1), "names no field", "add field"),
        ("field = 1", (3, 9), "field must be a text", "quotes"),
        ("field = \"sku\"", (3, 9), "field=product.sku", "add from, transform, write or drop"),
        ("field = \"sku\"\nfrom = 1", (4, 8), "from must be a text", "quotes"),
        ("field = \"sku\"\nfrom = \"a\\u0007\"", (4, 8), "control character", "/sku"),
        ("field = \"sku\"\ntransform = \"upper\"", (4, 13), "no such transform: upper", "escaped_text, html"),
        (
            "field = \"sku\"\ntransform = \"money\"",
            (4, 13),
            "money gives another kind",
            "can be: text, optional_text",
        ),
        ("field = \"status\"\ntransform = \"text\"", (4, 13), "field=product.status", "leave transform out"),
        ("field = \"sku\"\nfrom = \"/x\"\nrank = 256", (5, 8), "0..=255", ""),
        ("field = \"sku\"\nfrom = \"/x\"\nrank = -1", (5, 8), "0..=255", ""),
        ("field = \"sku\"\nwrite = \"no\"", (4, 9), "write must be true or false", "without quotes"),
        ("field = \"sku\"\ndrop = false", (4, 8), "drop can only be true", "remove"),
        ("field = \"sku\"\ndrop = true\nfrom = \"/x\"", (4, 8), "takes no from", "field and drop only"),
        ("field = \"ref.id\"\nfrom = \"/x\"", (3, 9), "cannot be overridden", "remove"),
        ("field = \"modified_at\"\ndrop = true", (3, 9), "cannot be overridden", "remove"),
        ("field = \"price\"\nwrite = true", (4, 9), "cannot write this field", "it can write: title"),
        ("field = \"tags[].name\"\nfrom = \"/t/*/n\"", (3, 9), "writes this list as a whole", "remove"),
        ("field = \"title\"\nfrom = \"/button_text\"", (3, 9), "cannot write to this place", "write = false"),
        (
            "field = \"title\"\ntransform = \"html\"",
            (3, 9),
            "writes this field as escaped_text",
            "write = false",
        ),
        (
            "field = \"sku\"\nfrom = \"/x\"\n[[product]]\nfield = \"sku\"\ndrop = true",
            (6, 9),
            "line 3",
            "a rank",
        ),
        ("field = \"sku\"\nrank = 3\ndrop = true", (3, 9), "no such rule to drop", "it reads: ref.id"),
        ("field = \"sku\"\nrank = 3\nwrite = false", (3, 9), "no such rule to change", "add from"),
    ];
    for (entry, line_and_column, what, allowed) in cases {
        let error = refused(&at(entry));
        let text = error.to_string();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "override_invalid"), "{text}");
        assert_eq!(place(&error), line_and_column, "{text}");
        assert!(text.contains(what) && text.contains(allowed), "{text}");
    }
    let error = refused("[[order]]\nfield = \"sku\"");
    assert!(error.to_string().contains("no such kind of record: order"), "{error}");
    assert!(refused("[product]\nfield = \"sku\"").to_string().contains("[[product]]"));
}

#[test]
fn an_error_of_the_compiled_map_is_traced_to_its_entry() {
    let before = "[[product]]\nfield = \"slug\"\ndrop = true\n\n[[product]]\n";
    for (entry, what) in [
        ("field = \"sku\"\nfrom = \"/name\"", "another rule reads this place"),
        ("field = \"sku\"\nfrom = \"sku\"", "must be a path"),
        ("field = \"sku\"\nfrom = \"/name/en\"", "above this one"),
        ("field = \"sku\"\nfrom = \"/meta_data/*/value\"", "need a list field"),
        ("field = \"sku\"\nfrom = \"/meta_data/*[id=1]/value\"", "by one key only"),
        ("field = \"media[].url\"\nfrom = \"/gallery/*/src\"", "from one array"),
        ("field = \"seo.title\"\nfrom = \"/x\"\nrank = 3\ntransform = \"escaped_text\"", "in different ways"),
    ] {
        let text = format!("{before}{entry}");
        let error = refused(&text);
        let shown = error.to_string();
        let from = text.lines().position(|line| line.starts_with("from")).unwrap() + 1;
        assert_eq!(place(&error), (from, 8), "{shown}");
        assert!(shown.contains(what) && shown.contains("field=product."), "{shown}");
    }
}

#[tokio::test]
async fn a_place_that_a_found_seo_plugin_makes_writable_is_refused_with_its_line() {
    let entry = "[[product]]\nfield = \"seo.title\"\nfrom = \"/meta_data/*[key=_own]/value\"";
    let mut profile = profile();
    profile.plugins = vec!["rankmath/v1".into()];
    // Without a plugin it is only read, so the settings alone show nothing.
    let config = WooCommerceConfig::builder("https://shop.example")
        .key("ck_1")
        .secret(Secret::new(PLANTED))
        .profile(profile)
        .mapping(Overrides::parse(entry).unwrap())
        .build()
        .unwrap();
    let error = config.connect(&Runtime::new()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(place(&error).0 > 0 && error.to_string().contains("cannot write to this place"), "{error}");
}

#[test]
fn the_number_of_sales_is_no_key_to_write() {
    for key in ["total_sales", "_sku"] {
        let from = format!("from = \"/meta_data/*[key={key}]/value\"");
        let error = refused(&format!("[[product]]\nfield = \"description\"\n{from}"));
        assert!(error.to_string().contains("cannot write to this place"), "{error}");
    }
    config("[[product]]\nfield = \"description\"\nfrom = \"/meta_data/*[key=own]/value\"").unwrap();
}

#[test]
fn a_place_that_a_setting_makes_writable_is_refused_with_its_line() {
    let built = |entity: &str, field: &str, from: &str, more: &str, allowed: bool| {
        let entry = format!("[[{entity}]]\nfield = \"{field}\"\nfrom = \"{from}\"\n{more}");
        WooCommerceConfig::builder("https://shop.example")
            .key("ck_1")
            .secret(Secret::new(PLANTED))
            .write_identifiers(allowed)
            .mapping(Overrides::parse(&entry).unwrap())
            .build()
    };
    let ean = "/meta_data/*[key=_ean]/value";
    for entity in ["product", "variant"] {
        // Item numbers are only read where the settings do not allow more.
        built(entity, "gtin", ean, "", false).unwrap();
        built(entity, "gtin", ean, "write = false", true).unwrap();
        built(entity, "gtin", "/meta_data/*[key=ean]/value", "", true).unwrap();
        for (field, from, allowed) in
            [("gtin", ean, true), ("gtin", "/menu_order", true), ("description", ean, false)]
        {
            let error = built(entity, field, from, "", allowed).map(drop).unwrap_err();
            assert!(error.to_string().contains("cannot write to this place"), "{entity} {field} {error}");
            assert!(place(&error).0 > 0, "{error}");
        }
    }
    let error = built("variant", "description", "/short_description", "", false).map(drop).unwrap_err();
    assert!(error.to_string().contains("cannot write to this place"), "of products alone: {error}");
}

#[tokio::test]
async fn two_fields_can_change_places() {
    let store = connected(
        "[[product]]\nfield = \"sku\"\nfrom = \"/global_unique_id\"\n[[product]]\nfield = \"gtin\"\nfrom = \"/sku\"",
    )
    .await;
    let body = r#"{"id":7,"sku":"a","global_unique_id":"b"}"#;
    let record = json(&mapped(store.schema(Entity::Product).unwrap(), body));
    assert_eq!((&record["sku"], &record["gtin"]), (&"b".into(), &"a".into()));
}

#[test]
fn the_text_and_its_entries_are_bounded() {
    let entry = "[[product]]\nfield = \"sku\"\nfrom = \"/x\"\n";
    assert!(Overrides::parse(&entry.repeat(200)).is_ok());
    let many = Overrides::parse(&entry.repeat(201)).unwrap_err();
    assert_eq!((many.kind(), many.code()), (ErrorKind::TooLarge, "overrides_too_large"));
    let exactly = "#".repeat(64 * 1024);
    assert!(Overrides::parse(&exactly).unwrap().is_empty());
    let large = Overrides::parse(&format!("{exactly}#")).unwrap_err();
    assert_eq!((large.kind(), large.code()), (ErrorKind::TooLarge, "overrides_too_large"));
    let long = format!("[[product]]\nfield = \"sku\"\nfrom = \"/{}\"", "x".repeat(500));
    assert!(Overrides::parse(&long).unwrap_err().to_string().contains("at most 500 bytes, got 501"));
}

#[test]
fn a_wrong_file_is_not_quoted() {
    for text in [
        PLANTED.to_owned(),
        format!("WOOCOMMERCE_SECRET={PLANTED}"),
        format!("secret = \"{PLANTED}\""),
        format!("product = \"{PLANTED}\""),
        format!("product = [\"{PLANTED}\"]"),
        format!("{PLANTED} = 1"),
        format!("[[{PLANTED}]]"),
        format!("\"{PLANTED}\n"),
        format!("a = '{PLANTED}'\na = 1"),
        format!("product = {{ {PLANTED} = 1, {PLANTED} = 2 }}"),
        format!("[[product]]\n{PLANTED} = 1"),
        format!("[[product]]\nfield = \"{PLANTED}\""),
        format!("[[product]]\nfield = \"sku\"\ntransform = \"{PLANTED}\""),
    ] {
        let error = refused(&text);
        assert!(place(&error).0 > 0, "{error}");
    }
}

#[tokio::test]
async fn a_connector_claims_no_write_that_its_map_cannot_make() {
    let writable = |toml: &'static str| async move {
        let store = connected(toml).await;
        let claims = store.capabilities().entity(Entity::Product).unwrap().clone();
        let names: Vec<String> = claims.writable.iter().map(|field| field.field.to_string()).collect();
        (names.join(" "), claims.rewritten_together.len())
    };
    let all = writable("").await;
    assert!(all.0.starts_with("title short_description description tags"), "{}", all.0);
    assert_eq!(writable("[[product]]\nfield = \"gtin\"\nfrom = \"/x\"").await, all);
    // The three texts are stored anew together: one that is not read cannot be guarded.
    for moved in ["write = false", "drop = true", "from = \"/meta_data/*[key=other]/value\""] {
        let toml: &str = format!("[[product]]\nfield = \"title\"\n{moved}").leak();
        let (names, together) = writable(toml).await;
        assert!(
            !names.contains("title") && !names.contains("description") && names.contains("tags"),
            "{names}"
        );
        assert_eq!(together, 0);
    }
}

#[test]
fn a_written_rule_keeps_its_direction_unless_it_says_otherwise() {
    let own = [
        rule("/title", "title", Transform::Text, Direction::ReadWrite),
        rule("/sku", "sku", Transform::Text, Direction::Read),
        rule("/seo", "seo.title", Transform::Text, Direction::Read).rank(1),
        rule("/seo2", "seo.title", Transform::Text, Direction::ReadWrite),
    ];
    let with = |toml: &str| Overrides::parse(toml).unwrap().apply(Entity::Product, &own);
    let direction = |toml: &str, field: &str| {
        let rules: Vec<Rule> = with(toml).unwrap();
        rules.into_iter().find(|rule| rule.field == field).unwrap().direction
    };
    let entry = |more: &str| format!("[[product]]\n{more}");
    let moved = entry("field = \"title\"\nfrom = \"/t\"");
    assert_eq!(direction(&moved, "title"), Direction::ReadWrite);
    assert_eq!(direction(&format!("{moved}\nwrite = false"), "title"), Direction::Read);
    assert_eq!(direction(&entry("field = \"sku\"\nfrom = \"/s\""), "sku"), Direction::Read);
    assert_eq!(
        direction(&entry("field = \"gtin\"\nfrom = \"/g\"\ntransform = \"text\""), "gtin"),
        Direction::Read
    );
    let twice = with(&entry("field = \"seo.title\"\nrank = 1\nwrite = true")).unwrap_err();
    assert!(twice.to_string().contains("another rule of the field is written"), "{twice}");
    let needs = with(&entry("field = \"gtin\"\nfrom = \"/g\"")).unwrap_err();
    assert!(needs.to_string().contains("add transform; transform can be: text"), "{needs}");
    let moved = with(&moved).unwrap();
    let map = SchemaMap::compile(Platform::new("test"), Entity::Product, &moved).unwrap();
    let mut body = serde_json::Map::new();
    map.put_text(&mut body, &FieldName::new("title"), "x".to_owned()).unwrap();
    assert_eq!(body["t"], "x");
}

#[tokio::test]
async fn a_changed_map_starts_a_pull_anew() {
    let bench = bench_with(|store| {
        for n in 0..250 {
            store.create(&format!("Product {n}"), |_| {});
        }
    })
    .await;
    bench.clock.advance(Duration::from_secs(3600));
    let connect = |toml: &str| {
        let config = WooCommerceConfig::builder(bench.server.url())
            .key(&bench.key.consumer_key)
            .secret(Secret::new(bench.key.consumer_secret.clone()))
            .private_hosts(true)
            .mapping(Overrides::parse(toml).unwrap())
            .build()
            .unwrap();
        let runtime = bench.runtime.clone();
        async move { Arc::new(config.connect(&runtime).await.unwrap()) as Arc<dyn Connector> }
    };
    let other = "[[product]]\nfield = \"gtin\"\nfrom = \"/meta_data/*[key=_ean]/value\"";
    for (toml, delivered) in [(other, 250), ("", 150)] {
        let (state, cancel, mut sink) = (Arc::new(MemoryState::new()), Cancel::default(), Taken::default());
        let half = Pull::new(connect("").await, state.clone(), Entity::Product).cancel(cancel.clone());
        half.run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
        assert_eq!(sink.ids().len(), 100);
        bench.server.traffic().clear();
        certified(&Pull::new(connect(toml).await, state, Entity::Product), &mut sink).await;
        let from_start = bench.server.traffic().log().iter().any(|entry| {
            entry.path.ends_with("/products")
                && entry.query.contains("offset=0&")
                && !entry.query.contains("modified_after")
                && !entry.query.contains("_fields")
        });
        assert_eq!(from_start, delivered == 250, "{toml}");
        let mut ids = sink.ids();
        ids.dedup();
        assert_eq!(ids, bench.store.ids());
    }
}
