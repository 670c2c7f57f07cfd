//! Joins a file of JSON lines to records, as fast as it can, for the yardstick: `bench_bulk FILE`.
//!
//! The last line on standard output is `{"products":n,"lines":l,"sum":s,"bytes":b,"seconds":x}`: how many records
//! and lines, the sum of the records' numeric ids, the file's length, and how long it took.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lily_connect::Runtime;
use lily_connect::connector::{Branch, Joints};
use lily_connect::mapping::{Direction::Read, Rule, SchemaMap, Transform, rule};
use lily_connect::model::{Entity, Platform, StoreProfile};
use lily_connect::sync::Cancel;
use lily_connect::sync::bulk::{Join, JoinSettings};
use support::{Ended, Failure, say};

mod support;

static BRANCHES: &[Branch] = &[
    Branch::new("/ProductVariant/", "/variants/nodes"),
    Branch::new("/MediaImage/", "/media/nodes"),
    Branch::new("/Metafield/", "/metafields/nodes"),
];
static JOINTS: Joints = Joints::new("id", "__parentId", "/Product/", BRANCHES).lists(&[
    "/variants/nodes",
    "/media/nodes",
    "/metafields/nodes",
]);

const STATUS: Transform =
    Transform::Word(&[("ACTIVE", "active"), ("DRAFT", "draft"), ("ARCHIVED", "archived")]);

/// What the yardstick's file has of a product.
static RULES: &[Rule] = &[
    rule("/id", "ref.id", Transform::LastSegment, Read),
    rule("/title", "title", Transform::Text, Read),
    rule("/handle", "slug", Transform::Text, Read),
    rule("/descriptionHtml", "description", Transform::Html, Read),
    rule("/productType", "product_type", Transform::Text, Read),
    rule("/status", "status", STATUS, Read),
    rule("/createdAt", "created_at", Transform::Rfc3339, Read),
    rule("/updatedAt", "modified_at", Transform::Rfc3339, Read),
    rule("/tags/*", "tags[].name", Transform::Text, Read),
    rule("/seo/title", "seo.title", Transform::OptionalText, Read),
    rule("/seo/description", "seo.description", Transform::OptionalText, Read),
    rule("/variants/nodes/*/id", "variants[]", Transform::LastSegment, Read),
    rule("/media/nodes/*/id", "media[].id", Transform::LastSegment, Read),
    rule("/media/nodes/*/alt", "media[].alt", Transform::Text, Read),
    rule("/media/nodes/*/image/url", "media[].url", Transform::Text, Read),
    rule("/metafields/nodes/*/id", "attributes[].id", Transform::LastSegment, Read),
    rule("/metafields/nodes/*/namespace", "attributes[].namespace", Transform::Text, Read),
    rule("/metafields/nodes/*/key", "attributes[].key", Transform::Text, Read),
    rule("/metafields/nodes/*/type", "attributes[].value_type", Transform::Text, Read),
    rule("/metafields/nodes/*/value", "attributes[].values[]", Transform::Text, Read),
];

/// Joins a bulk file, mapping included, and says how long it took.
#[derive(Parser)]
struct Args {
    /// The file of JSON lines.
    file: PathBuf,
    /// Joins only, without mapping.
    #[arg(long)]
    join_only: bool,
    /// How many KiB of the file are in memory at once.
    #[arg(long)]
    window_kib: Option<usize>,
}

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args) -> Result<Ended, Failure> {
    let runtime = Runtime::new();
    let begun = runtime.clock().elapsed();
    let map = SchemaMap::compile(Platform::new("bench"), Entity::Product, RULES)?;
    let profile = StoreProfile::unknown();
    let mut settings = JoinSettings::default();
    if let Some(window) = args.window_kib {
        settings.window_bytes = window * 1024;
    }
    let file = File::open(&args.file)?;
    let mut join = Join::open(file, Entity::Product, &JOINTS, &settings, &Cancel::default())?;
    let looked_through = (runtime.clock().elapsed() - begun).as_secs_f64();
    let (mut products, mut sum) = (0, 0);
    while let Some(page) = join.next_page()? {
        products += page.next - page.first;
        if args.join_only {
            continue;
        }
        for record in map.map(&page.items, &profile)?.records {
            sum += record.reference().id.as_str().parse::<u64>().unwrap_or(0);
        }
    }
    let seconds = (runtime.clock().elapsed() - begun).as_secs_f64();
    let counts = join.counts();
    say!("looked through in {looked_through:.3} s; {} children stood apart", join.straggling());
    support::data(&format!(
        r#"{{"products":{products},"lines":{},"sum":{sum},"bytes":{},"seconds":{seconds:.6}}}"#,
        counts.objects, counts.bytes
    ))?;
    Ok(Ended::fully_if(join.issues().is_empty() && counts.roots == products))
}
