//! Reads a whole catalogue as fast as asked, for the yardstick: `bench_read BASE PLATFORM SIZE CONCURRENCY`.
//!
//! The last line on standard output is `{"records":n,"sum":s,"seconds":x}`: how many records, the sum of their
//! numeric ids, and how long it took.

use std::collections::{HashSet, VecDeque};
use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use lily_connect::connector::{Connector, PullRequest, Purpose};
use lily_connect::connectors::bigcommerce::{BigCommerceConfig, Paging};
use lily_connect::connectors::shopify::ShopifyConfig;
use lily_connect::connectors::woocommerce::WooCommerceConfig;
use lily_connect::model::{Cursor, Entity, LengthUnit, MassUnit, Record, Secret, StoreProfile};
use lily_connect::runtime::Runtime;
use lily_connect::state::{MemoryState, SinkMark};
use lily_connect::sync::{Delivery, Pull, Rejected, Sink};
use support::{Ended, Failure, say};

mod support;

/// The id of the yardstick's first product.
const FIRST_ID: u64 = 7_000_000_000_000;

/// Reads a whole catalogue, mapping included, and says how long it took.
#[derive(Parser)]
struct Args {
    /// The address, such as http://127.0.0.1:8080.
    base: String,
    /// What to read: `woo`, `shopify` or `bc` for the catalogue, `ping` for SIZE products by id, one after the other.
    platform: Platform,
    /// How many records a page has.
    size: NonZeroU32,
    /// How many pages are fetched at once.
    concurrency: NonZeroU32,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Platform {
    Woo,
    Shopify,
    Bc,
    Ping,
}

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args) -> Result<Ended, Failure> {
    let runtime = Runtime::new();
    let begun = runtime.clock().elapsed();
    let mut profile = StoreProfile::unknown();
    profile.currency = Some("USD".parse()?);
    profile.mass_unit = Some(MassUnit::Kilogram);
    profile.length_unit = Some(LengthUnit::Centimetre);
    let connector: Arc<dyn Connector> = match args.platform {
        Platform::Woo | Platform::Ping => {
            let config = WooCommerceConfig::builder(args.base)
                .key("ck_bench")
                .secret(Secret::new("cs_bench"))
                .private_hosts(true)
                .max_in_flight(args.concurrency)
                .profile(profile)
                .build()?;
            Arc::new(config.connect(&runtime).await?)
        }
        Platform::Shopify => {
            // The yardstick's server looks at no filter, so its list is read in one go.
            let config = ShopifyConfig::builder("bench.myshopify.com")
                .url(args.base)
                .access_token(Secret::new("shpat_bench"))
                .private_hosts(true)
                .max_in_flight(args.concurrency)
                .list_window(u64::MAX)
                .profile(profile)
                .build()?;
            Arc::new(config.connect(&runtime).await?)
        }
        Platform::Bc => {
            // The yardstick's server looks at no filter, so its list is read by the numbers of pages.
            let config = BigCommerceConfig::builder("bench")
                .url(args.base)
                .access_token(Secret::new("bench"))
                .private_hosts(true)
                .max_in_flight(args.concurrency)
                .paging(Paging::ByNumber)
                .profile(profile)
                .build()?;
            Arc::new(config.connect(&runtime).await?)
        }
    };
    let mut sum = Sum::default();
    let complete = match args.platform {
        Platform::Ping => {
            ping(&*connector, args.size, &mut sum).await?;
            true
        }
        Platform::Shopify | Platform::Bc => {
            pages(&*connector, args.size, args.concurrency, &mut sum).await?;
            true
        }
        Platform::Woo => {
            let pull = Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product)
                .in_flight(NonZeroUsize::try_from(args.concurrency)?)
                .page_size(args.size);
            let certificate = pull.run(&mut sum, &|_| {}).await?;
            if !certificate.is_complete() {
                say!("{certificate}");
            }
            certificate.is_complete()
        }
    };
    let seconds = (runtime.clock().elapsed() - begun).as_secs_f64();
    support::data(&format!(r#"{{"records":{},"sum":{},"seconds":{seconds:.6}}}"#, sum.records, sum.sum))?;
    Ok(Ended::fully_if(complete))
}

/// Reads and maps page after page, with as many in flight as asked where a page names those behind it. The yardstick's
/// servers of these platforms count nothing or look at no filter, so that a pull would prove its list by a sweep, which
/// there reads whole products again; the runner compares count and sum.
async fn pages(
    connector: &dyn Connector,
    size: NonZeroU32,
    concurrency: NonZeroU32,
    sum: &mut Sum,
) -> Result<(), Failure> {
    let schema = connector.schema(Entity::Product).ok_or("no map of products")?;
    let mut request = PullRequest::all(Entity::Product);
    request.page_size = Some(size);
    let in_flight = usize::try_from(concurrency.get())?;
    let mut flight = FuturesOrdered::new();
    let mut known = VecDeque::from([None]);
    let mut asked = HashSet::new();
    loop {
        while flight.len() < in_flight
            && let Some(cursor) = known.pop_front()
        {
            let request = request.at(cursor);
            flight.push_back(async move { connector.pull_page(&request).await });
        }
        let Some(page) = flight.next().await else { return Ok(()) };
        let page = page?;
        for items in &page.items {
            sum.write(&schema.map(items, &connector.info().profile)?.records).await?;
        }
        // What is asked for already is not asked for again.
        let behind = page.next.into_iter().chain(page.ahead);
        let fresh: Vec<Cursor> = behind.filter(|cursor| asked.insert(cursor.as_str().to_owned())).collect();
        known.extend(fresh.into_iter().map(Some));
    }
}

async fn ping(connector: &dyn Connector, count: NonZeroU32, sum: &mut Sum) -> Result<(), Failure> {
    let schema = connector.schema(Entity::Product).ok_or("no map of products")?;
    let id = (FIRST_ID + 1).to_string();
    for _ in 0..count.get() {
        let request = PullRequest::by_ids(Entity::Product, vec![id.as_str().into()], Purpose::Catalogue);
        let page = connector.pull_page(&request).await?;
        for items in &page.items {
            sum.write(&schema.map(items, &connector.info().profile)?.records).await?;
        }
        if !page.missing.is_empty() {
            return Err("the product is not there".into());
        }
    }
    Ok(())
}

/// A sink that keeps nothing but a count and a sum.
#[derive(Debug, Default)]
struct Sum {
    records: u64,
    sum: u64,
    marked: (u64, u64),
}

#[async_trait]
impl Sink for Sum {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }

    async fn write(&mut self, records: &[Record]) -> lily_connect::Result<()> {
        self.records += records.len() as u64;
        for record in records {
            self.sum += record.reference().id.as_str().parse::<u64>().unwrap_or(0);
        }
        Ok(())
    }

    async fn reject(&mut self, _: &Rejected) -> lily_connect::Result<()> {
        Ok(())
    }

    async fn mark(&mut self) -> lily_connect::Result<SinkMark> {
        self.marked = (self.records, self.sum);
        Ok(SinkMark(self.records))
    }

    async fn rewind(&mut self, _: SinkMark) -> lily_connect::Result<()> {
        (self.records, self.sum) = self.marked;
        Ok(())
    }
}
