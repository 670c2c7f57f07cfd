//! Large ranges, in bounded memory.

use std::num::NonZeroU32;

use async_trait::async_trait;
use lily_connect::error::Result;
use lily_connect::model::Record;
use lily_connect::state::SinkMark;
use lily_connect::sync::{Delivery, Rejected};
use lily_connect::{Connector, Sink};

use crate::bench::{Bench, PROPERTY, bench_with};

/// A sink that counts.
#[derive(Debug, Default)]
struct Counted {
    records: u64,
    viewed: u64,
}

#[async_trait]
impl Sink for Counted {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }

    async fn write(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            let numbers = record.performance().unwrap();
            let viewed = numbers.counts.items_viewed.value().unwrap().to_string();
            (self.records, self.viewed) = (self.records + 1, self.viewed + viewed.parse::<u64>().unwrap());
        }
        Ok(())
    }

    async fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        panic!("{rejected:?}");
    }

    async fn mark(&mut self) -> Result<SinkMark> {
        Ok(SinkMark(self.records))
    }

    async fn rewind(&mut self, _: SinkMark) -> Result<()> {
        Ok(())
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A property with so many items on each of the last thirty days, none of which is kept anywhere.
async fn generated(items_a_day: u64) -> Bench {
    let seed = move |fake: &lily_connect::testkit::ga4::Ga4Fake| {
        fake.add_property(PROPERTY, |property| {
            property.generated_items = items_a_day;
            property.quotas.tokens_per_hour = 1_000_000;
            property.quotas.tokens_per_project_per_hour = 1_000_000;
            property.quotas.tokens_per_day = 10_000_000;
        });
    };
    bench_with(seed, |settings| settings).await
}

async fn holds_its_memory(items_a_day: u64, most_kib: u64) {
    let bench = generated(items_a_day).await;
    let days = bench.last(30);
    // What the process takes for one page, the stand-in's answer included.
    let request = lily_connect::connector::PullRequest::window(lily_connect::Entity::Performance, days);
    let one = bench.connector.pull_page(&request).await.unwrap();
    drop(one);
    let before = peak_kib();
    let mut sink = Counted::default();
    let certificate =
        bench.pull(days).in_flight(std::num::NonZeroUsize::MIN).run(&mut sink, &|_| {}).await.unwrap();
    let rows = items_a_day * 30;
    assert_eq!((certificate.records, certificate.is_complete()), (rows, true), "{certificate}");
    // The last row of a page is the first of the next one, and comes once.
    let viewed: u64 = (0..items_a_day).map(|n| n % 97 + 1).sum::<u64>() * 30;
    assert_eq!((sink.records, sink.viewed), (rows, viewed));
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        eprintln!("{rows} rows took {} KiB beside one page", after - before);
        assert!(after - before < most_kib, "{before} to {after} KiB for {rows} rows");
    }
}

#[tokio::test]
async fn sixty_thousand_rows_are_read_in_bounded_memory() {
    // 32 bytes a row for ids that came, and a page or two beside the first.
    holds_its_memory(2_000, 60_000 * 64 / 1024 + 64 * 1024).await;
}

#[tokio::test]
#[ignore = "reads a million rows: run by hand in release mode"]
async fn a_million_rows_are_read_in_bounded_memory() {
    holds_its_memory(33_334, 1_000_000 * 64 / 1024 + 64 * 1024).await;
}

#[tokio::test]
async fn a_page_is_no_larger_than_asked_for() {
    let bench = generated(100).await;
    let mut request =
        lily_connect::connector::PullRequest::window(lily_connect::Entity::Performance, bench.last(2));
    request.page_size = NonZeroU32::new(50);
    let page = bench.connector.pull_page(&request).await.unwrap();
    let schema = bench.connector.schema(lily_connect::Entity::Performance).unwrap();
    let mapped = schema.map(&page.items[0], &bench.connector.info().profile).unwrap();
    assert_eq!(mapped.records.len(), 50);
}
