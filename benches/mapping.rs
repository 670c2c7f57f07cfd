//! How long mapping takes, without a store and a network: `cargo bench --all-features`.
//!
//! Products of Shopify are made in memory: as one answer of the graph, and as the lines of a bulk job, which are
//! joined first. Each line on standard output has the best of many rounds. The floor reads no more than the ids of
//! the same answer.

use std::error::Error;
use std::fs::File;
use std::io::{Seek, Write};
use std::time::Duration;

use bytes::Bytes;
use lily_connect::connector::{Connector, Joints};
use lily_connect::connectors::shopify::ShopifyConfig;
use lily_connect::mapping::SchemaMap;
use lily_connect::model::{Entity, RawItems, Secret, Shape, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::sync::Cancel;
use lily_connect::sync::bulk::{Join, JoinSettings};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const PRODUCTS: usize = 100;
/// How many answers' worth of lines a file has.
const PAGES: usize = 50;
/// How long each is repeated.
const BUDGET: Duration = Duration::from_secs(2);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let runtime = Runtime::new();
    // With a profile given, nothing is called.
    let profile = StoreProfile::unknown();
    let config = ShopifyConfig::builder("bench.myshopify.com")
        .access_token(Secret::new("shpat_bench"))
        .profile(profile.clone())
        .build()?;
    let store = config.connect(&runtime).await?;
    let map = store.schema(Entity::Product).ok_or("no map of products")?;
    let joints = store.bulk().ok_or("no bulk jobs")?.joints(Entity::Product);

    let answer = Bytes::from(answer().to_string());
    best(&runtime, "floor: ids of an answer", answer.len(), PRODUCTS, || ids(&answer))?;
    best(&runtime, "an answer, mapped", answer.len(), PRODUCTS, || {
        let shape = Shape::ListAt(&["data", "products", "nodes"]);
        mapped(map, &RawItems::new(Entity::Product, answer.clone(), shape), &profile)
    })?;

    let mut file = tempfile::tempfile()?;
    let lines = lines();
    file.write_all(lines.as_bytes())?;
    best(&runtime, "lines, joined", lines.len(), PRODUCTS * PAGES, || joined(&file, joints, |_| Ok(())))?;
    best(&runtime, "lines, joined and mapped", lines.len(), PRODUCTS * PAGES, || {
        joined(&file, joints, |items| mapped(map, items, &profile).map(drop))
    })
}

/// Repeats one thing, and says how fast it was at its best.
fn best(
    runtime: &Runtime,
    name: &str,
    bytes: usize,
    records: usize,
    mut once: impl FnMut() -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let clock = runtime.clock();
    let begun = clock.elapsed();
    let mut best = Duration::MAX;
    while best == Duration::MAX || clock.elapsed() - begun < BUDGET {
        let before = clock.elapsed();
        let read = once()?;
        best = best.min(clock.elapsed() - before);
        if read != records {
            return Err(format!("{name}: {read} records in place of {records}").into());
        }
    }
    let seconds = best.as_secs_f64();
    let (each, speed) = (seconds * 1e9 / records as f64, bytes as f64 / seconds / 1e6);
    writeln!(std::io::stdout(), "{name:26} {each:8.0} ns a record {speed:8.0} MB/s")?;
    Ok(())
}

fn mapped(map: &SchemaMap, items: &RawItems, profile: &StoreProfile) -> Result<usize, Failure> {
    let page = map.map(items, profile)?;
    match (page.rejected.as_slice(), page.issues.as_slice()) {
        ([], []) => Ok(page.records.len()),
        _ => Err("a record could not be mapped whole".into()),
    }
}

fn joined(
    file: &File,
    joints: &'static Joints,
    mut page: impl FnMut(&RawItems) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    let mut join = Join::open(file, Entity::Product, joints, &JoinSettings::default(), &Cancel::default())?;
    let mut records = 0;
    while let Some(joined) = join.next_page()? {
        page(&joined.items)?;
        records += usize::try_from(joined.next - joined.first)?;
    }
    Ok(records)
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Products<'a>,
}

#[derive(Deserialize)]
struct Products<'a> {
    #[serde(borrow)]
    products: Nodes<'a>,
}

#[derive(Deserialize)]
struct Nodes<'a> {
    #[serde(borrow)]
    nodes: Vec<Node<'a>>,
}

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

fn ids(answer: &[u8]) -> Result<usize, Failure> {
    let answer: Answer<'_> = serde_json::from_slice(answer)?;
    Ok(answer.data.products.nodes.iter().filter(|node| node.id.get().len() > 2).count())
}

fn product(number: usize) -> Value {
    let text = "<p class=\"lead\">Café lamp, <strong>hand-finished</strong> &ndash; waterproof linen.</p>\n";
    json!({
        "id": format!("gid://shopify/Product/{number}"),
        "title": "Lamp of brushed linen, hand-finished",
        "handle": "lamp-of-brushed-linen",
        "descriptionHtml": text.repeat(10),
        "vendor": "Lily",
        "productType": "lamp",
        "status": "ACTIVE",
        "tags": ["leather", "grain"],
        "totalInventory": 15,
        "tracksInventory": true,
        "createdAt": "2026-11-01T10:15:30Z",
        "updatedAt": "2026-11-01T10:15:30Z",
        "seo": { "title": "Lamp of brushed linen", "description": "A lamp for dark evenings" },
    })
}

/// What belongs to a product: the list, and its elements.
fn children(number: usize) -> [(&'static str, Vec<Value>); 3] {
    let variant = |at| json!({ "id": format!("gid://shopify/ProductVariant/{number}{at}"), "sku": "L-1" });
    let media = |at| {
        json!({
            "id": format!("gid://shopify/MediaImage/{number}{at}"),
            "alt": "A lamp on a table",
            "image": { "url": format!("https://cdn.example.com/files/lamp-of-brushed-linen-{at}.jpg?v=1699") },
        })
    };
    let metafield = |at| {
        json!({
            "id": format!("gid://shopify/Metafield/{number}{at}"),
            "namespace": "custom",
            "key": format!("field_{at}"),
            "type": "single_line_text_field",
            "value": "oak, denim and ribbed wool",
        })
    };
    [
        ("variants", (0..3).map(variant).collect()),
        ("media", (0..8).map(media).collect()),
        ("metafields", (0..5).map(metafield).collect()),
    ]
}

fn answer() -> Value {
    let nodes: Vec<Value> = (0..PRODUCTS)
        .map(|number| {
            let mut product = product(number + 1);
            let lists =
                children(number + 1).map(|(list, nodes)| (list.to_owned(), json!({ "nodes": nodes })));
            product.as_object_mut().into_iter().for_each(|product| product.extend(lists.clone()));
            product
        })
        .collect();
    json!({ "data": { "products": { "nodes": nodes } } })
}

fn lines() -> String {
    let mut lines = String::new();
    for number in 1..=PRODUCTS * PAGES {
        lines.push_str(&format!("{}\n", product(number)));
        for child in children(number).into_iter().flat_map(|(_, list)| list) {
            // The parent stands behind all else, as the platform writes it.
            let child = child.to_string();
            let child = child.strip_suffix('}').unwrap_or(&child);
            lines.push_str(&format!("{child},\"__parentId\":\"gid://shopify/Product/{number}\"}}\n"));
        }
    }
    lines
}
