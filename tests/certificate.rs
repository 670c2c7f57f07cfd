//! The certificate, verdict by verdict, on the fake WooCommerce: what it says of pages that fail, lists that move,
//! counts that disagree, hosts that strip headers, lists that are cut short, and records that a key cannot see.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    reason = "a helper of a test fails the test, and says what it saw"
)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Bench, bench_with, connect};
use desk::{Taken, Tampered, certified};
use lily_connect::connector::{Detail, Joint, Select, Severity, Total};
use lily_connect::error::ErrorKind;
use lily_connect::model::{Entity, ExternalId, ProductStatus};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Certificate, CheckOutcome, Pull, Reason, Rule, Verdict};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::woocommerce::WooStore;

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

/// Ten variable products with twelve variations each.
fn variable(store: &WooStore) {
    for n in 0..10 {
        let parent =
            store.create(&format!("Variable {n}"), |product| "variable".clone_into(&mut product.kind));
        for _ in 0..12 {
            store.create_variation(parent, |_| {});
        }
    }
}

async fn variations(per_product: bool) -> Bench {
    let bench = bench_with(|store| {
        variable(store);
        store.set_conditions(|conditions| conditions.no_variations_list = per_product);
    })
    .await;
    bench.server.traffic().clear();
    bench
}

fn variation_ids(store: &WooStore) -> Vec<u64> {
    store.ids().into_iter().filter(|id| store.product(*id).unwrap().is_variation()).collect()
}

fn pull(bench: &Bench, entity: Entity) -> Pull {
    Pull::new(bench.connector.clone(), Arc::new(MemoryState::new()), entity)
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
async fn a_page_that_fails_for_good_is_an_error_without_a_certificate_and_the_run_goes_on_from_it() {
    let bench = three_pages().await;
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let pull = Pull::new(bench.connector.clone(), state, Entity::Product);
    let second = |request: &Request| is_full_list(request) && request.query.contains("offset=99");
    bench.server.faults().push(FaultRule::new(Fault::status(500)).matching(second).times(10_000));
    let mut sink = Taken::default();
    let error = pull.run(&mut sink, &|_| {}).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::CircuitOpen), "{error}");
    let checkpoint = pull.checkpoint().await.unwrap().unwrap();
    assert_eq!(checkpoint.certificate, None, "what was not read is not judged");
    assert_eq!(checkpoint.next.unwrap().as_str(), "99", "the page that failed");
    assert_eq!(sink.ids(), bench.store.ids()[..100]);
    // The store recovers: nothing before the page is asked for again.
    bench.server.faults().clear();
    bench.clock.advance(Duration::from_secs(3600));
    bench.server.traffic().clear();
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), bench.store.ids());
    let again = bench
        .server
        .traffic()
        .count_where(|entry| entry.query.contains("offset=0") && !entry.query.contains("modified_after"));
    assert_eq!(again, 0);
}

#[tokio::test]
async fn records_that_come_and_go_while_paging_settle_in_a_sweep() {
    let bench = three_pages().await;
    let ids = bench.store.ids();
    let gone = [ids[3], ids[4], ids[5]];
    bench.store.before_request(2, is_full_list, move |store| {
        gone.iter().for_each(|id| assert!(store.delete(*id)));
        store.create("Came", |_| {});
    });
    // The first sweep moves, too.
    let later = [ids[10], ids[11]];
    bench.store.before_request(2, is_id_list, move |store| {
        later.iter().for_each(|id| assert!(store.delete(*id)));
        store.create("Came as well", |_| {});
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Product), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(outcome(&certificate, Rule::PagesOverlap), CheckOutcome::Failed);
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Held);
    let delivered = unique(&sink);
    let there = bench.store.ids();
    assert!(there.iter().all(|id| delivered.contains(id)), "{certificate}");
}

#[tokio::test]
async fn records_that_come_and_go_in_three_sweeps_are_still_moving() {
    let bench = three_pages().await;
    let ids = bench.store.ids();
    let doomed = ids[3];
    bench.store.before_request(2, is_full_list, move |store| assert!(store.delete(doomed)));
    for n in 1..=3 {
        let doomed = [ids[10 * n], ids[10 * n + 1]];
        let nth = 3 * u64::try_from(n).unwrap() - 1;
        bench.store.before_request(nth, is_id_list, move |store| {
            doomed.iter().for_each(|id| assert!(store.delete(*id)));
            store.create("Came", |_| {});
        });
    }
    let certificate = certified(&pull(&bench, Entity::Product), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, incomplete(Reason::StillMoving, &[]), "{certificate}");
}

#[tokio::test]
async fn a_count_of_other_records_than_the_list_has_is_told_after_two_equal_sweeps() {
    let bench = three_pages().await;
    let hidden = bench.store.ids()[120];
    // A plugin takes a record out of each answer, behind the platform's own count.
    bench.store.set_conditions(|conditions| conditions.dropped = vec![hidden]);
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Product), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::Failed);
    assert_eq!(certificate.verdict, incomplete(Reason::CountDisagrees, &[]), "{certificate}");
    assert_eq!(unique(&sink).len(), 249);
    let sweep = certificate.checks.iter().find(|check| check.rule == Rule::SweepAgrees).unwrap();
    assert!(sweep.evidence.starts_with("2 sweeps"), "a third one tells no more: {certificate}");
}

/// How a sweep of ids is not what the store has: what its first and its last page add to the count, whether a joint
/// is broken, and a record that it leaves out.
#[derive(Debug, Clone, Copy, Default)]
struct Odd {
    first: u64,
    last: u64,
    is_broken: bool,
    dropped: Option<u64>,
}

/// A list that counts one record too many, and the sweeps behind it.
fn with_sweeps(bench: &Bench, sweeps: [Odd; 2]) -> Tampered {
    let begun = AtomicUsize::new(0);
    Tampered::new(bench.connector.clone(), move |request, _, mut page| {
        let is_first = request.cursor.is_none();
        let add = |total: &mut Total, more: u64| {
            if let Total::Exact(total) = total {
                *total += more;
            }
        };
        if request.detail != Detail::IdsOnly {
            add(&mut page.total, 1);
            return page;
        }
        let nth = begun.fetch_add(usize::from(is_first), Ordering::SeqCst) + usize::from(is_first);
        let Some(odd) = sweeps.get(nth - 1) else { return page };
        add(&mut page.total, if page.next.is_none() { odd.last } else { odd.first });
        if odd.is_broken && page.next.is_none() {
            page.joint = Joint::Broken;
        }
        for items in page.items.iter_mut().filter(|_| odd.dropped.is_some()) {
            let mut records: Vec<serde_json::Value> = serde_json::from_slice(&items.body).unwrap();
            records.retain(|record| record["id"].as_u64() != odd.dropped);
            items.body = serde_json::to_vec(&records).unwrap().into();
        }
        page
    })
}

#[tokio::test]
async fn two_sweeps_that_differ_or_moved_do_not_say_that_the_count_is_of_other_records() {
    let more = |more| Odd { first: more, last: more, ..Odd::default() };
    let without = |id| Odd { dropped: Some(id), ..Odd::default() };
    let (broken, moved) = (Odd { is_broken: true, ..more(1) }, Odd { first: 1, last: 2, ..Odd::default() });
    let bench = three_pages().await;
    let ids = bench.store.ids();
    for (sweeps, needed) in [
        ([more(1), more(1)], 2),
        ([without(ids[50]), without(ids[60])], 3),
        ([more(1), more(2)], 3),
        ([broken, more(1)], 3),
        ([more(1), broken], 3),
        ([moved, moved], 3),
    ] {
        let odd = Arc::new(with_sweeps(&bench, sweeps));
        let pull = Pull::new(odd, Arc::new(MemoryState::new()), Entity::Product);
        let certificate = certified(&pull, &mut Taken::default()).await;
        let verdict = match needed {
            2 => incomplete(Reason::CountDisagrees, &[]),
            _ => Verdict::Complete,
        };
        assert_eq!(certificate.verdict, verdict, "{sweeps:?} {certificate}");
        let sweep = certificate.checks.iter().find(|check| check.rule == Rule::SweepAgrees).unwrap();
        assert!(sweep.evidence.starts_with(&format!("{needed} sweeps")), "{sweeps:?} {certificate}");
    }
}

#[tokio::test]
async fn where_the_count_is_of_other_records_what_nobody_could_read_is_named() {
    let bench = three_pages().await;
    let ids = bench.store.ids();
    let (hidden, late) = (ids[120], ids[130]);
    let reads = AtomicUsize::new(0);
    let shy = Tampered::new(bench.connector.clone(), move |request, _, mut page| {
        if let Total::Exact(total) = &mut page.total {
            *total += 1;
        }
        let by_id = matches!(request.select, Select::Ids(_));
        // The other one comes with the second read.
        let is_late = !by_id || reads.fetch_add(1, Ordering::SeqCst) == 0;
        for items in page.items.iter_mut().filter(|_| request.detail == Detail::Full) {
            let mut records: Vec<serde_json::Value> = serde_json::from_slice(&items.body).unwrap();
            records.retain(|record| record["id"] != hidden && !(is_late && record["id"] == late));
            items.body = serde_json::to_vec(&records).unwrap().into();
        }
        page
    });
    let pull = Pull::new(Arc::new(shy), Arc::new(MemoryState::new()), Entity::Product);
    let mut sink = Taken::default();
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(certificate.verdict, incomplete(Reason::CountDisagrees, &[hidden]), "{certificate}");
    assert_eq!(unique(&sink).len(), 249);
}

#[tokio::test]
async fn a_record_that_comes_in_front_of_a_sweep_is_found_by_the_next_one() {
    let bench = three_pages().await;
    let ids = bench.store.ids();
    let doomed = ids[3];
    bench.store.before_request(2, is_full_list, move |store| assert!(store.delete(doomed)));
    // An import that keeps old ids: the sweep has as many records as its first page said.
    let mut early = bench.store.product(ids[0]).unwrap();
    early.id = ids[0] - 1;
    let clock = bench.clock.clone();
    bench.store.before_request(2, is_id_list, move |store| {
        store.insert(early);
        clock.advance(Duration::from_secs(60));
    });
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Product), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert!(sink.ids().contains(&(ids[0] - 1)), "{certificate}");
    let until = certificate.from.unwrap().saturating_add(Duration::from_secs(60));
    assert!(certificate.to.unwrap() >= until, "what the sweeps saw is a part of it: {certificate}");
}

#[tokio::test]
async fn a_list_without_a_count_that_grows_before_each_sweep_is_still_moving() {
    let bench = three_pages().await;
    bench.store.set_conditions(|conditions| conditions.totals_stripped = true);
    for n in 0..3 {
        // The first page of each sweep, of four pages each.
        bench.store.before_request(4 * n + 1, is_id_list, |store| {
            store.create("Came", |_| {});
        });
    }
    let certificate = certified(&pull(&bench, Entity::Product), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, incomplete(Reason::StillMoving, &[]), "{certificate}");
}

#[tokio::test]
async fn stripped_headers_are_complete_where_a_second_sweep_of_ids_agrees() {
    let bench = three_pages().await;
    bench.store.set_conditions(|conditions| conditions.totals_stripped = true);
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Product), &mut sink).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::NotOffered);
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Held);
    assert_eq!(sink.ids(), bench.store.ids());
}

#[tokio::test]
async fn stripped_headers_are_unproven_where_no_sweep_of_ids_agrees() {
    let bench = three_pages().await;
    bench.store.set_conditions(|conditions| conditions.totals_stripped = true);
    let ids = bench.store.ids();
    for n in 1..=3 {
        let doomed = [ids[10 * n], ids[10 * n + 1]];
        // The second page of each sweep: four pages each, since nothing but an empty one tells the end.
        let nth = 4 * u64::try_from(n).unwrap() - 2;
        bench.store.before_request(nth, is_id_list, move |store| {
            doomed.iter().for_each(|id| assert!(store.delete(*id)));
        });
    }
    let certificate = certified(&pull(&bench, Entity::Product), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, Verdict::Unproven, "{certificate}");
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Failed);
}

#[tokio::test]
async fn a_list_of_all_variations_that_is_cut_short_is_never_complete_without_the_rest() {
    let bench = variations(false).await;
    let ids = variation_ids(&bench.store);
    // A host that gives seven records a page, whatever is asked for: the sweep steps by what comes.
    bench.store.set_conditions(|conditions| conditions.page_cap = Some(7));
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Variant), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::CountAgrees), CheckOutcome::Failed);
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), ids, "found by the sweep, and read by id");
    // One that drops some of them for good, though it counts them.
    bench.store.set_conditions(|conditions| {
        conditions.page_cap = None;
        conditions.dropped = ids[50..60].to_vec();
    });
    let certificate = certified(&pull(&bench, Entity::Variant), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, incomplete(Reason::CountDisagrees, &[]), "{certificate}");
}

#[tokio::test]
async fn a_products_list_of_variations_that_is_cut_short_is_found_by_the_sweep_and_read_by_id() {
    let bench = variations(true).await;
    let ids = variation_ids(&bench.store);
    bench.store.set_conditions(|conditions| conditions.dropped = ids[15..20].to_vec());
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Variant), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::SweepAgrees), CheckOutcome::Held, "{certificate}");
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), ids);
    let by_id = bench.server.traffic().count_where(|entry| entry.query.contains("include="));
    assert_eq!(by_id, 1, "all five are of one product");
}

#[tokio::test]
async fn variations_that_a_product_names_and_nobody_can_read_are_incomplete_with_their_ids() {
    let bench = variations(true).await;
    let ids = variation_ids(&bench.store);
    let lost = [ids[15], ids[16]];
    // Neither its product's list nor a read by id gives them.
    let shy = Tampered::new(bench.connector.clone(), move |request, _, mut page| {
        for items in page.items.iter_mut().filter(|_| request.detail == Detail::Full) {
            let mut records: Vec<serde_json::Value> = serde_json::from_slice(&items.body).unwrap();
            records.retain(|record| !lost.iter().any(|id| record["id"] == *id));
            items.body = serde_json::to_vec(&records).unwrap().into();
        }
        page
    });
    let mut sink = Taken::default();
    let state = Arc::new(MemoryState::new());
    let certificate = certified(&Pull::new(Arc::new(shy), state, Entity::Variant), &mut sink).await;
    assert_eq!(certificate.verdict, incomplete(Reason::RecordsUnreadable, &lost), "{certificate}");
    assert_eq!(unique(&sink).len(), ids.len() - 2);
}

#[tokio::test]
async fn a_product_that_slips_while_its_variations_are_read_is_found() {
    let bench = bench_with(|store| {
        for n in 0..150 {
            let parent =
                store.create(&format!("Variable {n}"), |product| "variable".clone_into(&mut product.kind));
            store.create_variation(parent, |_| {});
        }
        store.set_conditions(|conditions| conditions.no_variations_list = true);
    })
    .await;
    let ids = variation_ids(&bench.store);
    let parents: Vec<u64> = ids[..3].iter().map(|id| bench.store.product(*id).unwrap().parent_id).collect();
    // Three products of the first page of a hundred go before the second page is asked for.
    bench.store.before_request(
        2,
        |request| request.query.contains("exclude_types"),
        move |store| parents.iter().for_each(|id| assert!(store.delete(*id))),
    );
    let mut sink = Taken::default();
    let certificate = certified(&pull(&bench, Entity::Variant), &mut sink).await;
    assert_eq!(outcome(&certificate, Rule::PagesOverlap), CheckOutcome::Failed, "{certificate}");
    assert_eq!(certificate.verdict, Verdict::Complete, "{certificate}");
    assert_eq!(unique(&sink), ids, "those that went were delivered before");
    let named: Vec<String> = certificate.missing.iter().map(ToString::to_string).collect();
    assert_eq!(named, ids[..3].iter().map(u64::to_string).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_store_without_a_list_of_variations_says_what_they_cost() {
    let bench = variations(true).await;
    let health = bench.connector.check().await.unwrap();
    let finding = health.findings.iter().find(|finding| finding.code == "variations_per_product").unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    let certificate = certified(&pull(&bench, Entity::Variant), &mut Taken::default()).await;
    let overlap = certificate.checks.iter().find(|check| check.rule == Rule::PagesOverlap).unwrap();
    assert!(overlap.evidence.contains("parent by parent"), "{certificate}");
    let bench = variations(false).await;
    let health = bench.connector.check().await.unwrap();
    assert!(health.findings.iter().all(|finding| finding.code != "variations_per_product"));
}

#[tokio::test]
async fn drafts_that_a_key_cannot_see_are_named_as_not_seen() {
    let bench = bench_with(|store| {
        for n in 0..20 {
            let status = ["publish", "draft", "private"][n % 3];
            store.create(&format!("Product {n}"), |product| status.clone_into(&mut product.status));
        }
    })
    .await;
    let certificate = certified(&pull(&bench, Entity::Product), &mut Taken::default()).await;
    let seen = |certificate: &Certificate| certificate.scope.visibility.seen.clone();
    assert_eq!(seen(&certificate), [ProductStatus::Active, ProductStatus::Draft, ProductStatus::Private]);
    assert!(certificate.scope.visibility.asked.contains(&ProductStatus::Draft));
    // What a plugin hides is missing in the count, too: no check can fail.
    bench.store.set_conditions(|conditions| conditions.hidden_status = Some("draft".to_owned()));
    let certificate = certified(&pull(&bench, Entity::Product), &mut Taken::default()).await;
    assert_eq!(certificate.verdict, Verdict::Complete, "as visible to this credential: {certificate}");
    assert_eq!(seen(&certificate), [ProductStatus::Active, ProductStatus::Private]);
    let unseen: Vec<&ProductStatus> = certificate.scope.visibility.unseen().collect();
    assert_eq!(unseen, [&ProductStatus::Draft, &ProductStatus::Scheduled]);
    assert!(certificate.to_string().contains("Draft"), "{certificate}");
    let json = serde_json::to_value(&certificate).unwrap();
    assert_eq!(json["scope"]["visibility"]["seen"], serde_json::json!(["active", "private"]));
}

#[tokio::test]
async fn a_resumed_run_still_knows_what_it_saw() {
    let bench = bench_with(|store| {
        for n in 0..150 {
            let status = if n < 50 { "draft" } else { "publish" };
            store.create(&format!("Product {n}"), |product| status.clone_into(&mut product.status));
        }
    })
    .await;
    bench.clock.advance(Duration::from_secs(3600));
    let cancel = lily_connect::sync::Cancel::default();
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let pull = Pull::new(bench.connector.clone(), state, Entity::Product);
    let mut sink = Taken::default();
    pull.clone().cancel(cancel.clone()).run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
    let certificate = certified(&pull, &mut sink).await;
    assert_eq!(certificate.scope.visibility.seen, [ProductStatus::Active, ProductStatus::Draft]);
}

#[tokio::test]
async fn a_closing_delta_that_slips_is_read_again_and_never_complete_where_it_always_does() {
    for (slips, outcome_of_delta, verdict) in [
        (1, CheckOutcome::Held, Verdict::Complete),
        (usize::MAX, CheckOutcome::Failed, incomplete(Reason::StillMoving, &[])),
    ] {
        let bench = three_pages().await;
        let left = AtomicUsize::new(slips);
        let slipping = Tampered::new(bench.connector.clone(), move |request, _, mut page| {
            if matches!(request.select, Select::Since(_)) && left.load(Ordering::SeqCst) > 0 {
                left.fetch_sub(1, Ordering::SeqCst);
                page.joint = Joint::Broken;
            }
            page
        });
        let pull = Pull::new(Arc::new(slipping), Arc::new(MemoryState::new()), Entity::Product);
        let (cancel, mut sink) = (lily_connect::sync::Cancel::default(), Taken::default());
        pull.clone().cancel(cancel.clone()).run(&mut sink, &|_| cancel.cancel()).await.unwrap_err();
        let certificate = certified(&pull, &mut sink).await;
        assert_eq!(outcome(&certificate, Rule::ClosingDelta), outcome_of_delta, "{certificate}");
        assert_eq!(certificate.verdict, verdict, "{certificate}");
    }
}

#[tokio::test]
async fn a_key_of_a_user_without_rights_is_refused_when_it_connects() {
    use lily_connect::testkit::woocommerce::{Permissions, Role};
    let bench = three_pages().await;
    let key = bench.store.issue_key("customer", Permissions::Read, Role::Customer);
    let config = lily_connect::connectors::woocommerce::WooCommerceConfig::builder(bench.server.url())
        .key(&key.consumer_key)
        .secret(lily_connect::model::Secret::new(key.consumer_secret.clone()))
        .private_hosts(true)
        .build()
        .unwrap();
    let error = config.connect(&bench.runtime).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    // A key with all rights connects.
    connect(&bench.server.url(), &bench.key, &bench.runtime).await;
}
