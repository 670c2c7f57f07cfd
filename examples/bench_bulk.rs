//! Joins a file of JSON lines to records, as fast as it can, for the yardstick: `bench_bulk FILE`.
//!
//! The last line on standard output is `{"products":n,"lines":l,"sum":s,"bytes":b,"seconds":x}`: how many records
//! and lines, the sum of the records' numeric ids, the file's length, and how long it took.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lily_connect::Runtime;
use lily_connect::connector::Connector;
use lily_connect::connectors::shopify::ShopifyConfig;
use lily_connect::model::{Entity, Secret, StoreProfile};
use lily_connect::sync::Cancel;
use lily_connect::sync::bulk::{Join, JoinSettings};
use support::{Ended, Failure, say};

mod support;

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
    // The connector's own map and joints; with a profile given, nothing is called.
    let profile = StoreProfile::unknown();
    let config = ShopifyConfig::builder("bench.myshopify.com")
        .access_token(Secret::new("shpat_bench"))
        .profile(profile.clone())
        .build()?;
    let store = config.connect(&runtime).await?;
    let map = store.schema(Entity::Product).ok_or("no map of products")?;
    let joints = store.bulk().ok_or("no bulk jobs")?.joints(Entity::Product);
    let mut settings = JoinSettings::default();
    if let Some(window) = args.window_kib {
        settings.window_bytes = window * 1024;
    }
    let file = File::open(&args.file)?;
    let mut join = Join::open(file, Entity::Product, joints, &settings, &Cancel::default())?;
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
