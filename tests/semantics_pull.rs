//! Pull and certificate, rule by rule, on the fake WooCommerce (`docs/semantics.md`, R1 to R8).
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

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Bench, bench_with};
use desk::{Taken, Tampered, certified};
use lily_connect::connector::{Connector, ConnectorInfo, Detail, Page, PullRequest, Purpose, Select, Total};
use lily_connect::model::{Cursor, Entity, ExternalId, StoreProfile};
use lily_connect::state::{MemoryState, SqliteState, StateStore};
use lily_connect::sync::{
    Cancel, Certificate, ChangeVerdict, CheckOutcome, Delivery, JsonlSink, Progress, Pull, Push, Reason,
    Rejection, Rule, Sink as _, Verdict,
};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::woocommerce::WooStore;
use lily_connect::time::Clock as _;

/// 250 products: three pages of a hundred.
async fn three_pages() -> Bench {
    let bench = bench_with(|store| {
        for n in 0..250 {
            store.create(&format!("Product {n}"), |_| {});
        }
    })
    .await;
    bench.clock.advance(Duration::from_secs(3600));
    bench.server.traffic().clear();
    bench
}

fn pull_of(connector: Arc<dyn Connector>) -> Pull {
    Pull::new(connector, Arc::new(MemoryState::new()), Entity::Product)
}

fn outcome(certificate: &Certificate, rule: Rule) -> CheckOutcome {
    certificate.checks.iter().find(|check| check.rule == rule).unwrap().outcome
}

fn incomplete(reason: Reason, ids: &[u64]) -> Verdict {
    let ids = ids.iter().map(|id| ExternalId::from(id.to_string())).collect();
    Verdict::Incomplete { reasons: vec![reason], ids }
}

fn is_id_list(request: &Request) -> bool {
    WooStore::is_product_list(request) && request.query.contains("_fields=id")
}

fn is_full_list(request: &Request) -> bool {
    WooStore::is_product_list(request) && request.query.contains("context=edit")
}

fn unique(sink: &Taken) -> Vec<u64> {
    let mut ids = sink.ids();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[tokio::test]
async fn r1_a_quiet_list_is_complete_each_record_once() {
    let bench = three_pages().await;
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(bench.connector.clone()), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(sink.ids(), bench.store.ids());
    for rule in [Rule::CountAgrees, Rule::PagesOverlap, Rule::OrderHolds, Rule::EveryRecordMapped] {
        assert_eq!(outcome(&certificate, rule), CheckOutcome::Held, "{rule:?}");
    }
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::NotNeeded);
    assert_eq!(certificate.delivery, Delivery::Once);
}

#[tokio::test]
async fn r1_without_a_count_an_agreeing_sweep_makes_it_complete() {
    let bench = three_pages().await;
    bench.store.set_conditions(|conditions| conditions.totals_stripped = true);
    let certificate = certified(&pull_of(bench.connector.clone()), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::NotOffered);
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Held);
}

#[tokio::test]
async fn r1_without_a_count_and_without_ids_it_is_unproven() {
    let bench = three_pages().await;
    bench.store.set_conditions(|conditions| conditions.totals_stripped = true);
    let mut blind = Tampered::new(bench.connector.clone(), |_, _, page| page);
    blind.capabilities.entities[0].ids_only = false;
    let certificate = certified(&pull_of(Arc::new(blind)), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, Verdict::Unproven);
}

#[tokio::test]
async fn r1_a_rejected_record_makes_it_incomplete_with_its_id() {
    let bench = three_pages().await;
    // The last record of the first page, which the second page brings again: half of a surrogate pair in a text.
    let id = bench.store.ids()[99];
    let name = bench.store.product(id).unwrap().name;
    let broken = Tampered::new(bench.connector.clone(), move |_, _, mut page| {
        for items in &mut page.items {
            let body = String::from_utf8(items.body.to_vec()).unwrap();
            let body = body.replace(&format!("\"name\":\"{name}\""), "\"name\":\"\\ud800\"");
            items.body = Bytes::from(body);
        }
        page
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(Arc::new(broken)), &mut sink).await;
    assert_eq!(certificate.verdict, incomplete(Reason::RecordsRejected, &[id]));
    assert_eq!((certificate.rejected, certificate.records), (1, 249), "once, though two pages bring it");
    assert_eq!(sink.rejected.lock().unwrap().len(), 1);
    assert_eq!(unique(&sink).len(), 249);
}

#[tokio::test]
async fn r1_a_field_that_cannot_be_read_is_dropped_counted_and_takes_no_write() {
    let desk = desk::Desk::new().await;
    let record = desk.pulled().await;
    let enrichments = [desk.title(&record, "Ours"), desk.tags(&record, serde_json::json!({"add": ["Ours"]}))];
    let odd = Tampered::new(desk.bench.connector.clone(), |_, _, mut page| {
        for items in &mut page.items {
            let body = String::from_utf8(items.body.to_vec()).unwrap();
            let body = body.replace("\"name\":\"Old\"", "\"name\":[7]");
            let body = body.replace("\"name\":\"Sale\"", "\"name\":7");
            items.body = Bytes::from(body);
        }
        page
    });
    let odd: Arc<dyn Connector> = Arc::new(odd);
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(odd.clone()), &mut sink).await;
    assert_eq!((certificate.dropped_fields, certificate.rejected), (2, 0));
    assert_eq!(certificate.verdict, Verdict::Complete);
    let pulled = serde_json::to_value(&sink.records.lock().unwrap()[0]).unwrap();
    assert_eq!((&pulled["base"]["title"], &pulled["base"]["tags"]), (&().into(), &().into()), "{pulled}");
    assert!(pulled["base"]["description"].is_string());
    // What cannot be read is not absent: neither is written.
    let push = Push::new(odd, desk.state.clone(), desk.bench.runtime.clone());
    let plan = push.plan(&enrichments).await.unwrap();
    for change in &plan.changes {
        assert_eq!(change.verdict, ChangeVerdict::Rejected(Rejection::Unreadable), "{plan}");
    }
}

#[tokio::test]
async fn r2_a_resumed_run_keeps_its_start_and_ends_with_a_delta() {
    let bench = three_pages().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let pull = |cancel: Cancel| {
        let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&path).unwrap());
        Pull::new(bench.connector.clone(), state, Entity::Product).cancel(cancel)
    };
    let started = bench.clock.now();
    let mut sink = Taken::default();
    let cancel = Cancel::default();
    let stop = |progress: Progress| {
        if progress.delivered >= 100 {
            cancel.cancel();
        }
    };
    let error = pull(cancel.clone()).run(&mut sink, &stop).await.unwrap_err();
    assert_eq!(error.kind(), lily_connect::error::ErrorKind::Cancelled);
    // One that was delivered already changes between the two halves.
    bench.clock.advance(Duration::from_secs(600));
    let id = bench.store.ids()[5];
    bench.store.edit(id, |product| "Edited".clone_into(&mut product.name));
    bench.clock.advance(Duration::from_secs(600));
    let certificate = certified(&pull(Cancel::default()), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(outcome(&certificate, Rule::ClosingDelta), CheckOutcome::Held);
    assert_eq!(certificate.from, Some(started), "the first start");
    assert!(certificate.to.unwrap() >= started.saturating_add(Duration::from_secs(1200)));
    assert_eq!(unique(&sink), bench.store.ids());
    let records = sink.records.lock().unwrap();
    let last = records.iter().rfind(|record| record.reference().id.as_str() == id.to_string()).unwrap();
    assert_eq!(serde_json::to_value(last).unwrap()["title"], "Edited");
}

#[tokio::test]
async fn r2_a_checkpoint_of_another_binding_starts_anew() {
    let bench = three_pages().await;
    let state = Arc::new(MemoryState::new());
    let cancel = Cancel::default();
    let mut sink = Taken::default();
    let half = Pull::new(bench.connector.clone(), state.clone(), Entity::Product).cancel(cancel.clone());
    half.run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
    assert_eq!(sink.ids().len(), 100);
    // A credential that sees less.
    let mut other = Tampered::new(bench.connector.clone(), |_, _, page| page);
    other.capabilities.entities[0].writable.clear();
    let certificate = certified(&Pull::new(Arc::new(other), state, Entity::Product), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::ClosingDelta), CheckOutcome::NotNeeded, "not resumed");
    assert_eq!(sink.ids(), bench.store.ids(), "what the other one delivered was taken back");
}

#[tokio::test]
async fn r2_a_version_that_was_not_told_and_a_clock_put_forward_bind_nothing_and_a_currency_does() {
    let bench = three_pages().await;
    let with = |change: &dyn Fn(&mut StoreProfile)| {
        let mut info = bench.connector.info().clone();
        change(&mut info.profile);
        let connector: Arc<dyn Connector> = Arc::new(Profiled { inner: bench.connector.clone(), info });
        connector
    };
    let other = |profile: &mut StoreProfile| {
        profile.version = None;
        profile.utc_offset_seconds = Some(7200);
        profile.plugins.clear();
    };
    let franc = |profile: &mut StoreProfile| profile.currency = Some("CHF".parse().unwrap());
    type Change<'c> = &'c dyn Fn(&mut StoreProfile);
    let cases: [(Change<'_>, bool); 2] = [(&other, true), (&franc, false)];
    for (change, is_resumed) in cases {
        let (state, cancel) = (Arc::new(MemoryState::new()), Cancel::default());
        let mut sink = Taken::default();
        let half = Pull::new(bench.connector.clone(), state.clone(), Entity::Product).cancel(cancel.clone());
        half.run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
        let certificate = certified(&Pull::new(with(change), state, Entity::Product), &mut sink).await;
        let resumed = outcome(&certificate, Rule::ClosingDelta) == CheckOutcome::Held;
        assert_eq!(resumed, is_resumed, "{certificate}");
    }
}

/// A connector whose profile is another one.
#[derive(Debug)]
struct Profiled {
    inner: Arc<dyn Connector>,
    info: ConnectorInfo,
}

#[async_trait::async_trait]
impl Connector for Profiled {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }
    fn capabilities(&self) -> &lily_connect::model::Capabilities {
        self.inner.capabilities()
    }
    fn schema(&self, entity: Entity) -> Option<&lily_connect::mapping::SchemaMap> {
        self.inner.schema(entity)
    }
    async fn check(&self) -> lily_connect::error::Result<lily_connect::connector::Health> {
        self.inner.check().await
    }
    async fn pull_page(&self, request: &PullRequest) -> lily_connect::error::Result<Page> {
        self.inner.pull_page(request).await
    }
    async fn push(
        &self,
        request: &lily_connect::connector::PushRequest,
    ) -> lily_connect::error::Result<Vec<lily_connect::connector::Answer>> {
        self.inner.push(request).await
    }
}

#[tokio::test]
async fn r3_only_an_exact_total_is_a_check() {
    let bench = three_pages().await;
    let vague = Tampered::new(bench.connector.clone(), |_, _, mut page| {
        page.total = Total::AtLeast(1);
        page
    });
    let certificate = certified(&pull_of(Arc::new(vague)), &mut Taken::default()).await;
    assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::NotOffered);
    assert_eq!(certificate.verdict, Verdict::Complete);
}

#[tokio::test]
async fn r3_pages_overlap_by_one_in_ahead_too() {
    let bench = three_pages().await;
    let pull = pull_of(bench.connector.clone()).in_flight(4.try_into().unwrap());
    let mut sink = Taken::default();
    certified(&pull, &mut sink).await;
    assert_eq!(sink.ids(), bench.store.ids(), "the overlap is not delivered twice");
    let log = bench.server.traffic().log();
    let offsets: Vec<&str> = log
        .iter()
        .filter_map(|entry| entry.query.split('&').find_map(|part| part.strip_prefix("offset=")))
        .collect();
    assert_eq!(offsets, ["0", "99", "198"]);
}

#[tokio::test]
async fn r3_a_page_that_was_answered_early_does_not_end_a_run_before_it_began() {
    let bench = three_pages().await;
    let began =
        bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap().server_time.unwrap();
    let early = Tampered::new(bench.connector.clone(), move |request, _, mut page| {
        if request.cursor.is_some() {
            page.server_time = Some(began.saturating_sub(Duration::from_secs(60)));
        }
        page
    });
    let certificate = certified(&pull_of(Arc::new(early)), &mut Taken::default()).await;
    assert!(certificate.from.is_some() && certificate.to >= certificate.from, "{certificate}");
}

#[tokio::test]
async fn r4_the_same_cursor_twice_is_an_error() {
    let bench = three_pages().await;
    let circle = Tampered::new(bench.connector.clone(), |_, _, mut page| {
        if page.next.is_some() {
            page.next = Some(Cursor::new("99".to_owned()));
        }
        page.ahead.clear();
        page
    });
    let error = pull_of(Arc::new(circle)).run(&mut Taken::default(), &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "cursor_repeated");
    // At its first repetition: the same page is never asked for again.
    assert_eq!(bench.server.traffic().requests(), 2);
}

#[tokio::test]
async fn r4_a_list_that_gives_its_first_page_for_ever_is_an_error() {
    for stripped in [true, false] {
        let bench = three_pages().await;
        let first = bench.connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
        let (body, before) = (first.items[0].body.clone(), bench.server.traffic().requests());
        let cached = Tampered::new(bench.connector.clone(), move |request, _, mut page: Page| {
            let at: u64 = request.cursor.as_ref().map_or(0, |cursor| cursor.as_str().parse().unwrap());
            page.items[0].body = body.clone();
            if stripped {
                page.total = Total::NotGiven;
            }
            page.next = Some(Cursor::new((at + 99).to_string()));
            page.ahead.clear();
            page
        });
        let error = pull_of(Arc::new(cached)).run(&mut Taken::default(), &|_| {}).await.unwrap_err();
        assert_eq!(error.code(), "list_stands_still");
        assert!(!error.remedy().is_empty());
        assert!(bench.server.traffic().requests() - before < 10);
    }
}

#[tokio::test]
async fn r4_a_page_that_a_hundred_new_records_moved_back_is_no_standing_list() {
    let bench = bench_with(|store| {
        let id = store.create("Product", |_| {});
        for n in 0..250 {
            let mut product = store.product(id).unwrap();
            product.id = 1000 + n;
            store.insert(product);
        }
        assert!(store.delete(id));
    })
    .await;
    // They come by an import that keeps old ids: in front of all others.
    let first = bench.store.product(1000).unwrap();
    bench.store.before_request(2, is_full_list, move |store| {
        for n in 0..120 {
            let mut early = first.clone();
            early.id = n + 1;
            store.insert(early);
        }
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(bench.connector.clone()), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), bench.store.ids());
}

#[tokio::test]
async fn r4_an_empty_page_with_a_next_cursor_goes_on() {
    let bench = three_pages().await;
    let holes = Tampered::new(bench.connector.clone(), |request, _, mut page: Page| {
        if request.detail == Detail::Full && request.cursor.is_none() && request.select == Select::All {
            page.items.clear();
        }
        page
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(Arc::new(holes)), &mut sink).await;
    // The sweep finds what the empty page kept back.
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(unique(&sink), bench.store.ids());
}

#[tokio::test]
async fn r3_a_joint_that_broke_counts_on_a_page_without_records() {
    let bench = three_pages().await;
    let broken = Tampered::new(bench.connector.clone(), |request, _, mut page: Page| {
        let is_last = request.cursor.as_ref().is_some_and(|cursor| cursor.as_str() == "198");
        if is_last && request.detail == Detail::Full {
            page.items.clear();
            page.joint = lily_connect::connector::Joint::Broken;
        }
        page
    });
    let certificate = certified(&pull_of(Arc::new(broken)), &mut Taken::default()).await;
    assert_eq!(outcome(&certificate, Rule::PagesOverlap), CheckOutcome::Failed, "{certificate}");
    assert_eq!(certificate.verdict, Verdict::Complete, "a sweep mends it: {certificate}");
}

#[tokio::test]
async fn r5_since_is_the_platforms_time_less_the_overlap_and_never_ours() {
    let bench = three_pages().await;
    let newest = bench.store.ids()[7];
    bench.store.edit(newest, |_| {});
    let (stamp, start) = (bench.store.now(), bench.clock.now());
    bench.clock.advance(Duration::from_secs(100));
    let quiet = certified(&pull_of(bench.connector.clone()), &mut Taken::default()).await;
    assert_eq!(quiet.from, Some(start.saturating_add(Duration::from_secs(100))));
    assert_eq!(quiet.next_since, Some(stamp.saturating_sub(Duration::from_secs(5))));
    // Where the largest stamp lies after the start, the start counts.
    let id = bench.store.ids()[240];
    let clock = bench.clock.clone();
    bench.store.before_request(2, is_full_list, move |store| {
        clock.advance(Duration::from_secs(50));
        store.edit(id, |_| {});
    });
    let busy = certified(&pull_of(bench.connector.clone()), &mut Taken::default()).await;
    assert_eq!(busy.next_since, Some(busy.from.unwrap().saturating_sub(Duration::from_secs(5))));
}

#[tokio::test]
async fn r6_ids_of_any_number_are_each_answered() {
    let bench = three_pages().await;
    let mut ids: Vec<ExternalId> =
        bench.store.ids().iter().map(|id| ExternalId::from(id.to_string())).collect();
    let missing = [ExternalId::from("900001"), ExternalId::from("not-an-id"), ExternalId::from("900002")];
    ids.splice(150..150, missing.iter().cloned());
    let mut request = PullRequest::by_ids(Entity::Product, ids, Purpose::Guard);
    let (mut found, mut gone) = (0, Vec::new());
    loop {
        let page = bench.connector.pull_page(&request).await.unwrap();
        gone.extend(page.missing);
        let schema = bench.connector.schema(Entity::Product).unwrap();
        for items in &page.items {
            found += schema.map(items, &bench.connector.info().profile).unwrap().records.len();
        }
        if page.next.is_none() {
            break;
        }
        request = request.at(page.next);
    }
    gone.sort();
    let mut missing = missing.to_vec();
    missing.sort();
    assert_eq!((found, gone), (250, missing));
}

#[tokio::test]
async fn r7_what_slips_while_paging_is_found_by_a_sweep() {
    let bench = three_pages().await;
    let ids = bench.store.ids();
    let (first, second) = (ids[3], ids[4]);
    bench.store.before_request(2, is_full_list, move |store| {
        assert!(store.delete(first) && store.delete(second));
        store.create("Added", |_| {});
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(bench.connector.clone()), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::PagesOverlap), CheckOutcome::Failed);
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Held);
    assert_eq!(certificate.verdict, Verdict::Complete);
    let named: Vec<String> = certificate.missing.iter().map(ToString::to_string).collect();
    assert_eq!(named, [first.to_string(), second.to_string()], "delivered, and missing now");
    assert_eq!(outcome(&certificate, Rule::FewMissing), CheckOutcome::Held);
    let mut expected = bench.store.ids();
    expected.extend([first, second]);
    expected.sort_unstable();
    assert_eq!(unique(&sink), expected);
}

#[tokio::test]
async fn r7_a_list_that_moves_in_every_sweep_is_still_moving() {
    let bench = three_pages().await;
    let ids = bench.store.ids();
    let doomed = ids[3];
    bench.store.before_request(2, is_full_list, move |store| assert!(store.delete(doomed)));
    for n in 1..=3 {
        let doomed = [ids[10 * n], ids[10 * n + 1]];
        // The second page of each sweep: three pages each.
        let nth = 3 * n as u64 - 1;
        bench.store.before_request(nth, is_id_list, move |store| {
            doomed.iter().for_each(|id| assert!(store.delete(*id)));
        });
    }
    let certificate = certified(&pull_of(bench.connector.clone()), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, incomplete(Reason::StillMoving, &[]));
}

#[tokio::test]
async fn r7_an_id_that_a_sweep_names_and_nobody_can_read_is_reported() {
    let bench = three_pages().await;
    // One within a page, and one that two pages of the sweep bring.
    let ids = bench.store.ids();
    let hidden = [ids[99], ids[120]];
    let shy = Tampered::new(bench.connector.clone(), move |request, _, mut page| {
        if request.detail == Detail::Full {
            for items in &mut page.items {
                let Ok(mut records) = serde_json::from_slice::<Vec<serde_json::Value>>(&items.body) else {
                    items.body = Bytes::from_static(b"[]");
                    items.shape = lily_connect::model::Shape::List;
                    continue;
                };
                records.retain(|record| !hidden.iter().any(|id| record["id"] == *id));
                items.body = Bytes::from(serde_json::to_vec(&records).unwrap());
            }
        }
        page
    });
    let certificate = certified(&pull_of(Arc::new(shy)), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, incomplete(Reason::RecordsUnreadable, &hidden));
}

#[tokio::test]
async fn r7_a_delta_that_slipped_is_read_again_before_it_is_called_moving() {
    let bench = three_pages().await;
    let since = bench.clock.now();
    bench.clock.advance(Duration::from_secs(60));
    let ids = bench.store.ids();
    ids.iter().for_each(|id| assert!(bench.store.edit(*id, |_| {})));
    let doomed = [ids[3], ids[4]];
    bench.store.before_request(2, is_full_list, move |store| {
        doomed.iter().for_each(|id| assert!(store.delete(*id)));
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(bench.connector.clone()).since(since), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), ids, "all that changed, those that went since among them");
}

#[tokio::test]
async fn r7_behind_a_delta_of_a_clock_that_can_lie_the_ids_are_swept() {
    let bench = three_pages().await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let full = Pull::new(bench.connector.clone(), state, Entity::Product);
    let since = certified(&full, &mut Taken::default()).await.next_since.unwrap();
    bench.clock.advance(Duration::from_secs(600));
    let ids = bench.store.ids();
    // A deletion moves no clock of a list; neither does an import that writes old stamps.
    assert!(bench.store.delete(ids[7]));
    let mut imported = bench.store.product(ids[8]).unwrap();
    imported.id = 5000;
    imported.modified = lily_connect::time::Timestamp::UNIX_EPOCH;
    bench.store.insert(imported);
    let delta = full.clone().since(since.saturating_add(Duration::from_secs(30)));
    let mut sink = Taken::default();
    let certificate = certified(&delta, &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(certificate.missing, [ExternalId::from(ids[7].to_string())]);
    assert_eq!(outcome(&certificate, Rule::FewMissing), CheckOutcome::Held);
    assert_eq!(unique(&sink), [5000]);
    // What it found is known from now on, and more than 5 % missing at once is no ground to delete.
    delta.forget().await.unwrap();
    ids[20..40].iter().for_each(|id| assert!(bench.store.delete(*id)));
    let mut sink = Taken::default();
    let certificate = certified(&delta, &mut sink).await;
    assert_eq!(unique(&sink), [] as [u64; 0]);
    assert_eq!(certificate.missing.len(), 21);
    assert_eq!(outcome(&certificate, Rule::FewMissing), CheckOutcome::Failed);
}

#[tokio::test]
async fn r7_where_no_ids_are_listed_a_delta_says_that_nothing_was_looked_for() {
    let bench = three_pages().await;
    let mut blind = Tampered::new(bench.connector.clone(), |_, _, page| page);
    blind.capabilities.entities[0].ids_only = false;
    let full = pull_of(Arc::new(blind));
    let since = certified(&full, &mut Taken::default()).await.next_since.unwrap();
    assert!(bench.store.delete(bench.store.ids()[7]));
    let certificate = certified(&full.since(since), &mut Taken::default()).await;
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::NotOffered);
    assert_eq!((certificate.verdict, certificate.missing.len()), (Verdict::Complete, 0));
}

#[tokio::test]
async fn r7_of_a_hundred_five_missing_are_few_and_ids_that_are_no_numbers_are_not_named() {
    for (missing, numeric, sorted, outcome_of_few, named) in [
        (5, true, false, CheckOutcome::Held, 5),
        (6, true, true, CheckOutcome::Failed, 6),
        (5, false, true, CheckOutcome::Held, 5),
        (5, false, false, CheckOutcome::Held, 0),
    ] {
        let bench = bench_with(|store| {
            for n in 0..100 {
                store.create(&format!("Product {n}"), |_| {});
            }
        })
        .await;
        bench.clock.advance(Duration::from_secs(3600));
        let mut claims = Tampered::new(bench.connector.clone(), |_, _, page| page);
        let products = &mut claims.capabilities.entities[0];
        (products.numeric_ids, products.sorted_by_id) = (numeric, sorted);
        let full = pull_of(Arc::new(claims));
        let since = certified(&full, &mut Taken::default()).await.next_since.unwrap();
        bench.store.ids()[10..10 + missing].iter().for_each(|id| assert!(bench.store.delete(*id)));
        let certificate = certified(&full.since(since), &mut Taken::default()).await;
        assert_eq!(outcome(&certificate, Rule::FewMissing), outcome_of_few, "{certificate}");
        assert_eq!(certificate.missing.len(), named, "{certificate}");
    }
}

#[tokio::test]
async fn r7_a_delta_beside_a_full_run_that_has_not_ended_adds_nothing_to_it() {
    let bench = three_pages().await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let (pull, cancel) =
        (Pull::new(bench.connector.clone(), state.clone(), Entity::Product), Cancel::default());
    let mut sink = Taken::default();
    pull.clone().cancel(cancel.clone()).run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
    let since = bench.clock.now();
    bench.store.edit(bench.store.ids()[200], |_| {});
    let mut changed = Taken::default();
    let certificate = certified(&pull.clone().since(since), &mut changed).await;
    assert_eq!(
        (changed.ids().len(), outcome(&certificate, Rule::SweepAgrees)),
        (1, CheckOutcome::NotOffered)
    );
    let run = pull.checkpoint().await.unwrap().unwrap().run;
    let delivered = state.delivered(&bench.connector.info().store, &run).await.unwrap();
    assert_eq!(delivered.len(), 100, "what its own sink has");
}

#[tokio::test]
async fn r8_a_sink_behind_the_mark_is_an_error() {
    let bench = three_pages().await;
    let state = Arc::new(MemoryState::new());
    let cancel = Cancel::default();
    let pull = Pull::new(bench.connector.clone(), state.clone(), Entity::Product).cancel(cancel.clone());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut sink = JsonlSink::create(&path).unwrap();
    pull.run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
    let mark = sink.mark().await.unwrap();
    drop(sink);
    // Somebody cut the file, or it is another one.
    let file = folder.path().join("out.jsonl.partial");
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(mark.0 / 2).unwrap();
    let pull = Pull::new(bench.connector.clone(), state, Entity::Product);
    let mut sink = JsonlSink::create(&path).unwrap();
    let error = pull.run(&mut sink, &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "sink_behind");
    let error = pull.run(&mut Taken::default(), &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "sink_behind");
}

/// Cuts the body of chosen pages so that only the mapping finds out.
fn cutting(inner: Arc<dyn Connector>, times: u64) -> Tampered {
    let left = std::sync::atomic::AtomicU64::new(times);
    Tampered::new(inner, move |request: &PullRequest, _, mut page: Page| {
        let is_second = request.cursor.as_ref().is_some_and(|cursor| cursor.as_str() == "99");
        let strikes = is_second && matches!(request.select, Select::All) && {
            let struck = left.load(std::sync::atomic::Ordering::SeqCst);
            left.store(struck.saturating_sub(1), std::sync::atomic::Ordering::SeqCst);
            struck > 0
        };
        for items in page.items.iter_mut().filter(|_| strikes) {
            let mut half = items.body[..items.body.len() / 2].to_vec();
            half.push(b']');
            items.body = Bytes::from(half);
        }
        page
    })
}

#[tokio::test]
async fn r4_a_page_that_the_mapping_finds_broken_is_fetched_again() {
    let bench = three_pages().await;
    let mut sink = Taken::default();
    let certificate = certified(&pull_of(Arc::new(cutting(bench.connector.clone(), 2))), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(sink.ids(), bench.store.ids());
}

#[tokio::test]
async fn r4_a_page_that_stays_broken_fails_without_moving_the_checkpoint() {
    let bench = three_pages().await;
    let state = Arc::new(MemoryState::new());
    let mut sink = Taken::default();
    let broken = Arc::new(cutting(bench.connector.clone(), 3));
    let pull = Pull::new(broken, state.clone(), Entity::Product);
    let error = pull.run(&mut sink, &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "answer_unreadable");
    assert_eq!(sink.ids().len(), 100);
    // The next run goes on behind the first page, and loses nothing.
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete);
    assert_eq!(unique(&sink), bench.store.ids());
}

#[tokio::test]
async fn r4_a_cut_answer_on_the_wire_is_read_again_by_the_pipeline() {
    for fault in [Fault::Truncate, Fault::Malformed, Fault::Html200, Fault::status(503)] {
        let bench = three_pages().await;
        bench.server.faults().push(FaultRule::new(fault).matching(is_full_list).after(1));
        let mut sink = Taken::default();
        let certificate = certified(&pull_of(bench.connector.clone()), &mut sink).await;
        assert_eq!((certificate.verdict, sink.ids()), (Verdict::Complete, bench.store.ids()), "{fault:?}");
        assert_eq!(bench.server.faults().pending(), 0);
    }
}

/// Without a count, a short page is not the end: plugins cap pages and drop records.
#[tokio::test]
async fn r1_a_capped_page_without_a_count_is_not_the_end() {
    let bench = bench_with(|store| store.seed_generated(40, 0, 5)).await;
    bench.store.set_conditions(|conditions| {
        conditions.totals_stripped = true;
        conditions.page_cap = Some(7);
    });
    let pull = Pull::new(bench.connector.clone(), Arc::new(MemoryState::new()), Entity::Product);
    let mut sink = Taken::default();
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(sink.ids(), bench.store.ids(), "{certificate}");
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
}

#[tokio::test]
async fn r5_a_delta_since_a_time_to_come_is_refused() {
    let bench = bench_with(|store| store.seed_generated(5, 0, 5)).await;
    let tomorrow = bench.store.now().saturating_add(Duration::from_secs(86_400));
    let pull =
        Pull::new(bench.connector.clone(), Arc::new(MemoryState::new()), Entity::Product).since(tomorrow);
    let error = pull.run(&mut Taken::default(), &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "since_in_future");
}
