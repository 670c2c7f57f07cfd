//! `docs/connectors.md` is made from the maps and capabilities, so it cannot lie.
#![cfg(all(
    feature = "testkit",
    feature = "bigcommerce",
    feature = "ga4",
    feature = "magento",
    feature = "shopify",
    feature = "woocommerce"
))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fmt::Write;

use common::bench;
use lily_connect::connector::Connector;
use lily_connect::connectors::bigcommerce::BigCommerceConfig;
use lily_connect::connectors::ga4::Ga4Config;
use lily_connect::connectors::magento::MagentoConfig;
use lily_connect::connectors::shopify::ShopifyConfig;
use lily_connect::mapping::{Direction, fields};
use lily_connect::model::{Entity, FieldName, Secret, StoreProfile};

fn table(connector: &dyn Connector) -> String {
    let mut text = String::new();
    for claims in &connector.capabilities().entities {
        let schema = connector.schema(claims.entity).unwrap();
        let platform = &connector.info().store.platform;
        let of_view = if connector.info().view.is_some() { " in a further language" } else { "" };
        writeln!(
            text,
            "\n## {platform}: {}{of_view}\n\n| field | where | written |\n|---|---|---|",
            claims.entity
        )
        .unwrap();
        let mut lost = Vec::new();
        for field in fields::names(claims.entity) {
            let rules: Vec<_> = schema.rules().iter().filter(|rule| rule.field == field).collect();
            if rules.is_empty() && field == "parent_ref.id" && claims.entity == Entity::AttributeValue {
                writeln!(text, "| `{field}` | the attribute whose list it came in |  |").unwrap();
                continue;
            }
            if rules.is_empty() {
                // Marks that a write is bound to are no content.
                lost.extend(Some(field).filter(|field| !field.starts_with("versions.")));
                continue;
            }
            let places: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.from)).collect();
            // A list is written by its name, or a part of each entry by a name of its own: `media.alt`.
            let cells = [field.split("[]").next().unwrap().to_owned(), field.replace("[]", "")];
            let written = rules.iter().any(|rule| rule.direction == Direction::ReadWrite)
                && cells.into_iter().any(|cell| claims.writable(&FieldName::from(cell)).is_some());
            let written = if written { "yes" } else { "" };
            writeln!(text, "| `{field}` | {} | {written} |", places.join(", ")).unwrap();
        }
        if connector.info().view.is_some() {
            continue;
        }
        let lost: Vec<String> = lost.iter().map(|field| format!("`{field}`")).collect();
        let lost = if lost.is_empty() { "none".to_owned() } else { lost.join(", ") };
        writeln!(text, "\nCanonical fields that it does not have: {lost}.").unwrap();
    }
    text
}

#[tokio::test]
async fn the_table_of_fields_is_what_the_maps_say() {
    let bench = bench().await;
    let head = "# Connectors, field by field\n\nWhere each platform holds a canonical field, and which fields can be written.\nThis page is made by `tests/connectors_doc.rs`; `LILY_UPDATE_DOCS=1 cargo test --all-features --test connectors_doc` writes it anew.\n";
    // With a profile given, nothing is called.
    let mut profile = StoreProfile::unknown();
    profile.locales = vec!["fr".into()];
    let shopify = ShopifyConfig::builder("some-shop.myshopify.com")
        .access_token(Secret::new("t"))
        .write_slugs(true)
        .write_identifiers(true)
        .profile(profile)
        .build()
        .unwrap();
    let shopify = shopify.connect(&bench.runtime).await.unwrap();
    let french = shopify.in_view(&shopify.views()[0]).unwrap();
    let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
    let ga4 = Ga4Config::builder("1").credentials(Secret::new(user)).profile(StoreProfile::unknown());
    let ga4 = ga4.build().unwrap().connect(&bench.runtime).await.unwrap();
    let magento = MagentoConfig::builder("https://shop.example")
        .access_token(Secret::new("t"))
        .write_slugs(true)
        .profile(StoreProfile::unknown())
        .build()
        .unwrap();
    let bigcommerce = BigCommerceConfig::builder("abc123")
        .access_token(Secret::new("t"))
        .write_slugs(true)
        .write_identifiers(true)
        .profile(StoreProfile::unknown())
        .build()
        .unwrap();
    let bigcommerce = bigcommerce.connect(&bench.runtime).await.unwrap();
    let magento = magento.connect(&bench.runtime).await.unwrap();
    let tables = [
        table(&bigcommerce),
        table(&ga4),
        table(&magento),
        table(&shopify),
        table(&*french),
        table(&*bench.connector),
    ];
    let made = format!("{head}{}", tables.concat());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/connectors.md");
    if std::env::var_os("LILY_UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), made, "run it with LILY_UPDATE_DOCS=1");
}
