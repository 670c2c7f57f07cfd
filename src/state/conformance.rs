//! What every state must do, run over each of them.

pub(super) mod tokens;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{
    Checkpoint, DeliveryDigest, Fence, Hint, HintKind, Job, JobPlace, NotedHash, Op, Outcome, PushId, RowId,
    RowKind, RowQuery, RunKey, SinkMark, StateStore, Unit, WriteJob, WriteRow,
};
use crate::error::ErrorKind;
use crate::model::{
    BaseToken, Cell, CellValue, Entity, FieldName, Normaliser, Platform, Record, RecordRef, StoreKey, Text,
};
use crate::time::{SystemEntropy, Timestamp};

type State = Arc<dyn StateStore>;

/// Runs each claim over the state that `$make` gives, a fresh one each time.
macro_rules! conformance {
    ($make:expr) => {
        crate::state::conformance::conformance!($make;
            a_unit_happens_whole_or_not_at_all
            a_row_id_is_taken_once
            rows_are_answered_oldest_first_by_each_query
            a_settled_row_keeps_its_outcome
            a_row_is_taken_back_by_one_row_only
            unknown_rows_are_refused
            rows_may_be_appended_and_settled_in_one_unit
            rows_come_back_as_they_were_written
            r2_checkpoints_and_delivered_ids_are_kept_per_run
            b2_base_values_are_kept_for_a_time
            w7_a_lease_is_held_by_one
            w7_an_old_fence_cannot_commit
            w7_of_many_writers_one_gets_the_lease
            stores_never_see_each_other
            concurrent_units_are_all_kept
            h1_a_delivery_is_taken_once_and_its_hints_are_one_job
            h1_a_job_ends_with_the_version_that_was_worked
            h1_deliveries_are_bounded_and_age
            h2_the_last_noted_hash_is_kept_for_a_time
            the_inbox_of_a_store_is_its_own
            w6_a_write_job_is_kept_until_its_end_is_known
            w1_a_write_job_comes_with_its_intents_or_not_at_all
        );
    };
    ($make:expr; in $module:ident $($claim:ident)*) => {
        $(
            #[tokio::test]
            async fn $claim() {
                crate::state::conformance::$module::$claim($make).await;
            }
        )*
    };
    ($make:expr; $($claim:ident)*) => {
        $(
            #[tokio::test]
            async fn $claim() {
                crate::state::conformance::$claim($make).await;
            }
        )*
    };
}
pub(super) use conformance;

pub(super) async fn a_unit_happens_whole_or_not_at_all(state: State) {
    let key = store("a");
    let first = row("11", "title");
    let second = row("12", "title");
    commit(&state, vec![append(&first)]).await;
    let token = CellValue::text("Cap").token(Normaliser::Trimmed1);
    let unit = Unit::new(vec![
        checkpoint("run", 5, vec![1, 2]),
        append(&second),
        Op::KeepBase { token: token.clone(), value: CellValue::text("Cap"), at: at(0) },
        Op::Settle { row: first.id, outcome: Outcome::Unknown { at: at(9) } },
        Op::MarkUndone { row: first.id, by: second.id },
        append(&first),
    ]);
    refused(state.commit(&key, unit).await, "row_exists");

    assert_eq!(rows(&state, &RowQuery::Unsettled).await, [first]);
    assert_eq!(state.checkpoint(&key, &run("run")).await.unwrap(), None);
    assert!(state.delivered(&key, &run("run")).await.unwrap().is_empty());
    assert_eq!(state.base_value(&key, &token).await.unwrap(), None);
    // What failed with the unit can be done without the operation at fault.
    commit(&state, vec![append(&second)]).await;
}

pub(super) async fn a_row_id_is_taken_once(state: State) {
    let first = row("11", "title");
    let twice = Unit::new(vec![append(&first), append(&first)]);
    refused(state.commit(&store("a"), twice).await, "row_exists");
    assert!(rows(&state, &RowQuery::Unsettled).await.is_empty());
}

pub(super) async fn rows_are_answered_oldest_first_by_each_query(state: State) {
    // Ids are given in the opposite order of the appends, as after a clock that was set back.
    let mut made: Vec<WriteRow> = ["title", "slug", "title", "title"].map(|field| row("11", field)).into();
    made.push(row("12", "title"));
    made.sort_by_key(|row| std::cmp::Reverse(row.id));
    let push = made[1].push;
    made[3].push = push;
    for row in &made {
        commit(&state, vec![append(row)]).await;
    }
    let landed = Outcome::Refused { code: "gone".into(), at: at(3) };
    commit(&state, vec![Op::Settle { row: made[2].id, outcome: landed.clone() }]).await;
    commit(&state, vec![Op::Settle { row: made[0].id, outcome: Outcome::Unknown { at: at(9) } }]).await;
    made[2].outcome = landed;
    made[0].outcome = Outcome::Unknown { at: at(9) };

    let only = |keep: &dyn Fn(&WriteRow) -> bool| -> Vec<WriteRow> {
        made.iter().filter(|row| keep(row)).cloned().collect()
    };
    let cell = cell("11", "title");
    assert_eq!(rows(&state, &RowQuery::Cell(cell.clone())).await, only(&|row| row.cell == cell));
    let holder = cell.holder;
    assert_eq!(rows(&state, &RowQuery::Holder(holder.clone())).await, only(&|row| row.cell.holder == holder));
    assert_eq!(rows(&state, &RowQuery::Push(push)).await, only(&|row| row.push == push));
    assert_eq!(rows(&state, &RowQuery::Unsettled).await, only(&|row| row.outcome.is_unsettled()));
}

pub(super) async fn a_settled_row_keeps_its_outcome(state: State) {
    let row = row("11", "title");
    commit(&state, vec![append(&row)]).await;
    commit(&state, vec![Op::Settle { row: row.id, outcome: Outcome::Unknown { at: at(9) } }]).await;
    commit(&state, vec![Op::Settle { row: row.id, outcome: landed("Cap") }]).await;
    // The same answer once more changes nothing; any other one is refused.
    commit(&state, vec![Op::Settle { row: row.id, outcome: landed("Cap") }]).await;
    for other in [landed("Hat"), Outcome::Unknown { at: at(9) }, Outcome::Intent] {
        let unit = Unit::new(vec![Op::Settle { row: row.id, outcome: other }]);
        refused(state.commit(&store("a"), unit).await, "row_settled");
    }
    let found = rows(&state, &RowQuery::Push(row.push)).await;
    assert_eq!(found[0].outcome, landed("Cap"));
    assert!(rows(&state, &RowQuery::Unsettled).await.is_empty());
}

pub(super) async fn a_row_is_taken_back_by_one_row_only(state: State) {
    let row = row("11", "title");
    let (by, other) = (row_id(), row_id());
    commit(&state, vec![append(&row)]).await;
    commit(&state, vec![Op::MarkUndone { row: row.id, by }]).await;
    commit(&state, vec![Op::MarkUndone { row: row.id, by }]).await;
    let unit = Unit::new(vec![Op::MarkUndone { row: row.id, by: other }]);
    refused(state.commit(&store("a"), unit).await, "row_undone");
    assert_eq!(rows(&state, &RowQuery::Push(row.push)).await[0].undone_by, Some(by));
}

pub(super) async fn unknown_rows_are_refused(state: State) {
    let row = row_id();
    for op in
        [Op::Settle { row, outcome: Outcome::Unknown { at: at(9) } }, Op::MarkUndone { row, by: row_id() }]
    {
        refused(state.commit(&store("a"), Unit::new(vec![op])).await, "row_unknown");
    }
}

pub(super) async fn rows_may_be_appended_and_settled_in_one_unit(state: State) {
    let (row, by) = (row("11", "title"), row_id());
    commit(
        &state,
        vec![
            append(&row),
            Op::Settle { row: row.id, outcome: landed("Cap") },
            Op::MarkUndone { row: row.id, by },
        ],
    )
    .await;
    let expected = WriteRow { outcome: landed("Cap"), undone_by: Some(by), ..row };
    assert_eq!(rows(&state, &RowQuery::Push(expected.push)).await, [expected]);
}

pub(super) async fn rows_come_back_as_they_were_written(state: State) {
    let values = [
        CellValue::text("Caf\u{e9} \u{1f9e2}\n\"quoted\" \u{0}"),
        CellValue::Empty,
        CellValue::Absent,
        CellValue::Inherited(json!("fallback")),
        CellValue::Value(json!(null)),
        CellValue::Value(json!({"b": [1, 2.5, {"a": null}], "a": 18_446_744_073_709_551_615_u64})),
    ];
    let outcomes = [
        Outcome::Intent,
        Outcome::Unknown { at: at(9) },
        landed("Cap"),
        Outcome::Refused { code: "invalid".into(), at: at(9) },
        Outcome::NotLanded { found: CellValue::Absent, at: at(9) },
    ];
    let mut made = Vec::new();
    for (number, value) in values.iter().enumerate() {
        for outcome in &outcomes {
            let mut row = row("11", "title");
            row.cell = Cell { locale: Some("pt-BR".into()), scope: Some("eu".into()), ..row.cell };
            row.cell.key = Some(format!("key \u{fc} {number}").into());
            row.before = value.clone();
            row.sent = value.clone();
            row.before_raw = Some("<p>raw</p>".into());
            row.kind = if number % 2 == 0 { RowKind::Undo(row_id()) } else { RowKind::Release };
            row.latest_at_plan = Some(row_id());
            row.enrichment = Some(crate::model::EnrichmentId("e1".into()));
            row.stamp = Some("2026-11-22T17:08:40.123456789Z".parse().unwrap());
            row.undone_by = Some(row_id());
            row.outcome = outcome.clone();
            made.push(row);
        }
    }
    commit(&state, made.iter().map(append).collect()).await;
    assert_eq!(rows(&state, &RowQuery::Holder(cell("11", "title").holder)).await, made);
    assert_eq!(rows(&state, &RowQuery::Cell(made[7].cell.clone())).await, made[5..10]);
}

pub(super) async fn r2_checkpoints_and_delivered_ids_are_kept_per_run(state: State) {
    let key = store("a");
    commit(&state, vec![checkpoint("run", 1, vec![3, u64::MAX])]).await;
    commit(&state, vec![checkpoint("other", 9, vec![7])]).await;
    commit(&state, vec![checkpoint("run", u64::MAX, vec![0, 3]), checkpoint("run", 2, vec![])]).await;
    let found = state.checkpoint(&key, &run("run")).await.unwrap().unwrap();
    assert_eq!(found.mark, SinkMark(2));
    assert_eq!(state.delivered(&key, &run("run")).await.unwrap(), [3, u64::MAX, 0, 3]);

    commit(&state, vec![Op::ForgetRun(run("run")), Op::ForgetRun(run("never there"))]).await;
    assert_eq!(state.checkpoint(&key, &run("run")).await.unwrap(), None);
    assert!(state.delivered(&key, &run("run")).await.unwrap().is_empty());
    assert_eq!(state.delivered(&key, &run("other")).await.unwrap(), [7]);

    // A run that is forgotten and begun again in one unit has only what came after.
    commit(&state, vec![Op::ForgetRun(run("other")), checkpoint("other", 4, vec![8])]).await;
    assert_eq!(state.delivered(&key, &run("other")).await.unwrap(), [8]);
}

pub(super) async fn b2_base_values_are_kept_for_a_time(state: State) {
    let key = store("a");
    let unreadable: BaseToken = "z9-v-00".parse().unwrap();
    let keep = |text: &str, seconds: i64| {
        let value = CellValue::text(text);
        Op::KeepBase { token: value.token(Normaliser::Trimmed1), value, at: at(seconds) }
    };
    let token = |text: &str| CellValue::text(text).token(Normaliser::Trimmed1);
    commit(&state, vec![keep("old", 1), keep("seen again", 1), keep("new", 3)]).await;
    commit(&state, vec![keep("seen again", 4), keep("new", 2)]).await;
    assert_eq!(state.base_value(&key, &token("old")).await.unwrap(), Some(CellValue::text("old")));
    assert_eq!(state.base_value(&key, &unreadable).await.unwrap(), None);

    commit(&state, vec![Op::DropBasesBefore(at(3))]).await;
    assert_eq!(state.base_value(&key, &token("old")).await.unwrap(), None);
    for kept in ["seen again", "new"] {
        assert_eq!(state.base_value(&key, &token(kept)).await.unwrap(), Some(CellValue::text(kept)));
    }
}

pub(super) async fn w7_a_lease_is_held_by_one(state: State) {
    let key = store("a");
    let first = state.lease(&key, "first", at(0), at(60)).await.unwrap();
    assert_eq!(state.lease(&key, "first", at(30), at(90)).await.unwrap(), first);
    // A renewal never shortens the lease.
    assert_eq!(state.lease(&key, "first", at(31), at(40)).await.unwrap(), first);
    refused(state.lease(&key, "second", at(89), at(200)).await, "lease_held");
    // It ends at its end, not after it.
    let second = state.lease(&key, "second", at(90), at(150)).await.unwrap();
    assert!(second > first);
    // Only the holder gives it back.
    state.release(&key, "first").await.unwrap();
    refused(state.lease(&key, "first", at(91), at(200)).await, "lease_held");
    state.release(&key, "second").await.unwrap();
    state.release(&key, "second").await.unwrap();
    assert!(state.lease(&key, "first", at(91), at(200)).await.unwrap() > second);
    // A lease that ran out is a new one, also for the same holder.
    let late = state.lease(&key, "first", at(200), at(300)).await.unwrap();
    assert!(late > second);
    refused(state.commit(&key, Unit::fenced(second, vec![])).await, "fence_lost");
    state.commit(&key, Unit::fenced(late, vec![])).await.unwrap();
}

pub(super) async fn w7_an_old_fence_cannot_commit(state: State) {
    let key = store("a");
    let row = row("11", "title");
    refused(state.commit(&key, Unit::fenced(Fence(0), vec![append(&row)])).await, "fence_lost");
    let old = state.lease(&key, "first", at(0), at(60)).await.unwrap();
    state.commit(&key, Unit::fenced(old, vec![append(&row)])).await.unwrap();
    let new = state.lease(&key, "second", at(60), at(120)).await.unwrap();
    let settle = vec![Op::Settle { row: row.id, outcome: landed("Cap") }];
    refused(state.commit(&key, Unit::fenced(old, settle.clone())).await, "fence_lost");
    refused(state.commit(&key, Unit::fenced(Fence(new.0 + 1), settle.clone())).await, "fence_lost");
    assert_eq!(rows(&state, &RowQuery::Unsettled).await, [row]);
    state.commit(&key, Unit::fenced(new, settle)).await.unwrap();
}

pub(super) async fn w7_of_many_writers_one_gets_the_lease(state: State) {
    let takers: Vec<_> = (0..16)
        .map(|number| {
            let state = Arc::clone(&state);
            tokio::spawn(
                async move { state.lease(&store("a"), &format!("writer {number}"), at(0), at(60)).await },
            )
        })
        .collect();
    let mut taken = 0;
    for taker in takers {
        match taker.await.unwrap() {
            Ok(_) => taken += 1,
            Err(error) => assert_eq!(error.code(), "lease_held"),
        }
    }
    assert_eq!(taken, 1);
}

pub(super) async fn stores_never_see_each_other(state: State) {
    let (mine, token) = (row("11", "title"), CellValue::text("Cap").token(Normaliser::Trimmed1));
    let unit = Unit::new(vec![
        append(&mine),
        checkpoint("run", 5, vec![1]),
        Op::KeepBase { token: token.clone(), value: CellValue::text("Cap"), at: at(0) },
    ]);
    state.commit(&store("a"), unit).await.unwrap();
    state.lease(&store("a"), "first", at(0), at(60)).await.unwrap();

    let others = [
        store("b"),
        StoreKey::new("other tenant", Platform::new("woocommerce"), "a"),
        StoreKey::new("tenant", Platform::new("magento"), "a"),
    ];
    for other in &others {
        for query in [
            RowQuery::Cell(mine.cell.clone()),
            RowQuery::Holder(mine.cell.holder.clone()),
            RowQuery::Push(mine.push),
            RowQuery::Unsettled,
        ] {
            assert!(state.rows(other, &query).await.unwrap().is_empty());
        }
        assert_eq!(state.checkpoint(other, &run("run")).await.unwrap(), None);
        assert!(state.delivered(other, &run("run")).await.unwrap().is_empty());
        assert_eq!(state.base_value(other, &token).await.unwrap(), None);
        let settle = Op::Settle { row: mine.id, outcome: Outcome::Unknown { at: at(9) } };
        refused(state.commit(other, Unit::new(vec![settle])).await, "row_unknown");
        state.lease(other, "second", at(0), at(60)).await.unwrap();
        let all = vec![Op::ForgetRun(run("run")), Op::DropBasesBefore(at(1000)), append(&mine)];
        state.commit(other, Unit::new(all)).await.unwrap();
        state.release(other, "second").await.unwrap();
    }
    refused(state.lease(&store("a"), "second", at(1), at(60)).await, "lease_held");
    assert_eq!(rows(&state, &RowQuery::Unsettled).await, [mine]);
    assert!(state.checkpoint(&store("a"), &run("run")).await.unwrap().is_some());
    assert!(state.base_value(&store("a"), &token).await.unwrap().is_some());
}

pub(super) async fn concurrent_units_are_all_kept(state: State) {
    let writers: Vec<_> = (0..20)
        .map(|number| {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let (row, ids) = (row("11", "title"), vec![number]);
                state.commit(&store("a"), Unit::new(vec![append(&row), checkpoint("run", 0, ids)])).await
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(rows(&state, &RowQuery::Unsettled).await.len(), 20);
    let mut delivered = state.delivered(&store("a"), &run("run")).await.unwrap();
    delivered.sort_unstable();
    assert!(delivered.into_iter().eq(0..20));
}

pub(super) async fn h1_a_delivery_is_taken_once_and_its_hints_are_one_job(state: State) {
    let key = store("a");
    let parent = || Some(RecordRef::new(Platform::new("woocommerce"), Entity::Product, "11"));
    let variant = RecordRef::new(Platform::new("woocommerce"), Entity::Variant, "27");
    let of_variant = |number: u8, parent| Op::Receive {
        delivery: delivery(number),
        hint: Hint::new(variant.clone(), parent, HintKind::Changed),
        at: at(9),
    };
    assert!(!state.seen(&key, &delivery(1)).await.unwrap());
    commit(&state, vec![receive(1, "11", HintKind::Deleted, 5)]).await;
    // In one unit and in several: what was seen changes nothing.
    commit(&state, vec![receive(1, "12", HintKind::Changed, 6), receive(1, "11", HintKind::Changed, 6)])
        .await;
    commit(&state, vec![of_variant(2, parent()), of_variant(3, None)]).await;
    commit(&state, vec![receive(4, "11", HintKind::Changed, 4)]).await;
    assert!(state.seen(&key, &delivery(1)).await.unwrap());

    let found = jobs(&state).await;
    assert_eq!(found.len(), 2);
    let seen = |job: &Job| (job.record.id.to_string(), job.kind, job.hints, job.first_at, job.last_at);
    assert_eq!(seen(&found[0]), ("11".to_owned(), HintKind::Deleted, 2, at(4), at(5)));
    assert_eq!(seen(&found[1]), ("27".to_owned(), HintKind::Changed, 2, at(9), at(9)));
    assert_eq!((&found[1].parent, &found[0].parent), (&parent(), &None));
    assert!(found[0].version > found[1].version);

    // The queue is read in pieces.
    let one = NonZeroU32::MIN;
    assert_eq!(state.jobs(&key, None, one).await.unwrap(), found[..1]);
    assert_eq!(state.jobs(&key, Some(found[0].place), one).await.unwrap(), found[1..]);
    assert!(state.jobs(&key, Some(found[1].place), one).await.unwrap().is_empty());
    assert!(state.jobs(&key, Some(JobPlace(u64::MAX)), one).await.unwrap().is_empty());
}

pub(super) async fn h1_a_job_ends_with_the_version_that_was_worked(state: State) {
    commit(&state, vec![receive(1, "11", HintKind::Changed, 1), receive(2, "12", HintKind::Changed, 2)])
        .await;
    let worked = jobs(&state).await.remove(0);
    let done = |job: &Job| Op::JobDone { record: job.record.clone(), version: job.version };
    // A hint that comes while the job is worked makes it run again, behind the others.
    commit(&state, vec![receive(3, "11", HintKind::Changed, 3)]).await;
    commit(&state, vec![done(&worked)]).await;
    let found = jobs(&state).await;
    let ids: Vec<&str> = found.iter().map(|job| job.record.id.as_str()).collect();
    assert_eq!(ids, ["12", "11"]);
    assert_eq!(found[1].first_at, at(1));

    commit(&state, vec![done(&found[0]), done(&found[1]), done(&worked)]).await;
    assert!(jobs(&state).await.is_empty());
    // No version comes twice: work on a job of before ends none of later.
    commit(&state, vec![receive(4, "11", HintKind::Changed, 4)]).await;
    commit(&state, vec![done(&worked), done(&found[1])]).await;
    let again = jobs(&state).await;
    assert_eq!((again.len(), again[0].hints), (1, 1));
    assert!(again[0].version > found[1].version);
}

pub(super) async fn h1_deliveries_are_bounded_and_age(state: State) {
    let ops = (1..=6).map(|number| receive(number, "11", HintKind::Changed, number.into())).collect();
    commit(&state, ops).await;
    let kept = async || {
        let mut kept = Vec::new();
        for number in 1..=9 {
            if state.seen(&store("a"), &delivery(number)).await.unwrap() {
                kept.push(number);
            }
        }
        kept
    };
    let trim = |seconds, keep| vec![Op::TrimDeliveries { before: at(seconds), keep }];
    commit(&state, trim(3, 100)).await;
    assert_eq!(kept().await, [3, 4, 5, 6]);
    commit(&state, trim(0, 2)).await;
    assert_eq!(kept().await, [5, 6]);
    commit(&state, trim(100, 100)).await;
    assert!(kept().await.is_empty());
    // The job stays, and numbers go on: a version never comes twice.
    let before = jobs(&state).await.remove(0);
    commit(&state, vec![receive(7, "11", HintKind::Changed, 7)]).await;
    let after = jobs(&state).await.remove(0);
    assert_eq!((before.hints, after.hints), (6, 7));
    assert!(after.version > before.version);
}

pub(super) async fn h2_the_last_noted_hash_is_kept_for_a_time(state: State) {
    let key = store("a");
    let read = async |id: &str| state.noted_hash(&key, &product(id)).await.unwrap();
    assert_eq!(read("11").await, None);
    let hash = |digit: char| digit.to_string().repeat(32).parse().unwrap();
    let note = |id: &str, digit, seconds| Op::NoteHash {
        record: product(id),
        noted: NotedHash::new(hash(digit), at(seconds)),
    };
    commit(&state, vec![note("11", 'a', 1), note("12", 'b', 2)]).await;
    commit(&state, vec![note("11", '0', 3)]).await;
    assert_eq!(read("11").await, Some(NotedHash::new(hash('0'), at(3))));
    commit(&state, vec![Op::DropHashesBefore(at(3))]).await;
    assert_eq!(read("11").await, Some(NotedHash::new(hash('0'), at(3))));
    assert_eq!(read("12").await, None);
    // It is what the record's own method notes.
    let record = Record::new(product("13")).unwrap();
    commit(&state, vec![Op::note_hash(&record, at(5))]).await;
    assert_eq!(read("13").await, Some(NotedHash::new(record.content_hash(), at(5))));
    // What is not there any more is forgotten, and nothing else.
    commit(&state, vec![Op::ForgetHash { record: product("13") }, Op::ForgetHash { record: product("99") }])
        .await;
    assert_eq!(read("13").await, None);
    assert_eq!(read("11").await, Some(NotedHash::new(hash('0'), at(3))));
}

pub(super) async fn the_inbox_of_a_store_is_its_own(state: State) {
    let record = Record::new(product("11")).unwrap();
    commit(&state, vec![receive(1, "11", HintKind::Changed, 1), Op::note_hash(&record, at(1))]).await;
    let job = jobs(&state).await.remove(0);
    let other = store("b");
    assert!(!state.seen(&other, &delivery(1)).await.unwrap());
    assert!(state.jobs(&other, None, NonZeroU32::MAX).await.unwrap().is_empty());
    assert_eq!(state.noted_hash(&other, &product("11")).await.unwrap(), None);
    let all = vec![
        Op::JobDone { record: product("11"), version: job.version },
        Op::TrimDeliveries { before: at(1000), keep: 0 },
        Op::DropHashesBefore(at(1000)),
        Op::ForgetHash { record: product("11") },
    ];
    state.commit(&other, Unit::new(all)).await.unwrap();
    assert_eq!(jobs(&state).await, [job]);
    assert!(state.seen(&store("a"), &delivery(1)).await.unwrap());
    assert!(state.noted_hash(&store("a"), &product("11")).await.unwrap().is_some());
    // The same delivery is new to another store.
    state.commit(&other, Unit::new(vec![receive(1, "11", HintKind::Changed, 1)])).await.unwrap();
    assert_eq!(state.jobs(&other, None, NonZeroU32::MAX).await.unwrap().len(), 1);

    // An inbox operation of a unit that is refused did not happen either.
    let row = row("11", "title");
    let unit = Unit::new(vec![receive(9, "99", HintKind::Changed, 1), append(&row), append(&row)]);
    refused(state.commit(&store("a"), unit).await, "row_exists");
    assert!(!state.seen(&store("a"), &delivery(9)).await.unwrap());
    assert_eq!(jobs(&state).await.len(), 1);
}

pub(super) async fn w6_a_write_job_is_kept_until_its_end_is_known(state: State) {
    let (first, second) = (write_job("first"), write_job("second"));
    commit(&state, vec![note(&first), note(&second)]).await;
    let started = first.clone().started("gid://job/7".into());
    commit(&state, vec![note(&started)]).await;
    let jobs = || async { state.write_jobs(&store("a")).await.unwrap() };
    // What is known of it now takes the place of what was: it stays where it was noted first.
    assert_eq!(jobs().await, [started, second.clone()]);
    assert!(state.write_jobs(&store("b")).await.unwrap().is_empty());
    let end = |tag: &str| Op::EndWriteJob { tag: tag.into() };
    state.commit(&store("b"), Unit::new(vec![end("first")])).await.unwrap();
    assert_eq!(jobs().await.len(), 2, "another store's");
    // A second time, it is gone already.
    for _ in 0..2 {
        commit(&state, vec![end("first")]).await;
        assert_eq!(jobs().await, std::slice::from_ref(&second));
    }
}

pub(super) async fn w1_a_write_job_comes_with_its_intents_or_not_at_all(state: State) {
    let (first, job) = (row("11", "title"), write_job("tag"));
    commit(&state, vec![append(&first)]).await;
    let unit = Unit::new(vec![append(&row("12", "title")), note(&job), append(&first)]);
    refused(state.commit(&store("a"), unit).await, "row_exists");
    assert!(state.write_jobs(&store("a")).await.unwrap().is_empty());
    let fence = state.lease(&store("a"), "one", at(0), at(60)).await.unwrap();
    let late = Unit::fenced(Fence(fence.0 + 1), vec![note(&job)]);
    refused(state.commit(&store("a"), late).await, "fence_lost");
    assert!(state.write_jobs(&store("a")).await.unwrap().is_empty());
}

pub(super) fn write_job(tag: &str) -> WriteJob {
    WriteJob::new(tag.into(), PushId::new(at(0), &SystemEntropy).unwrap(), at(0), at(30))
}

fn note(job: &WriteJob) -> Op {
    Op::NoteWriteJob(Box::new(job.clone()))
}

pub(super) fn delivery(number: u8) -> DeliveryDigest {
    DeliveryDigest::of("2", None, &[number])
}

pub(super) fn receive(number: u8, id: &str, kind: HintKind, seconds: i64) -> Op {
    Op::Receive { delivery: delivery(number), hint: Hint::new(product(id), None, kind), at: at(seconds) }
}

pub(super) async fn jobs(state: &State) -> Vec<Job> {
    state.jobs(&store("a"), None, NonZeroU32::MAX).await.unwrap()
}

fn product(id: &str) -> RecordRef {
    RecordRef::new(Platform::new("woocommerce"), Entity::Product, id)
}

pub(super) fn store(account: &str) -> StoreKey {
    StoreKey::new("tenant", Platform::new("woocommerce"), account)
}

pub(super) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T17:08:40.5Z".parse().unwrap();
    start.saturating_add(Duration::from_secs(seconds.try_into().unwrap()))
}

pub(super) fn run(name: &str) -> RunKey {
    RunKey(Text::from(name))
}

pub(super) fn checkpoint(name: &str, mark: u64, delivered: Vec<u64>) -> Op {
    let checkpoint = Checkpoint::new(run(name), "binding".into(), SinkMark(mark));
    Op::Checkpoint { checkpoint: Box::new(checkpoint), delivered }
}

pub(super) fn row(id: &str, field: &'static str) -> WriteRow {
    WriteRow {
        id: row_id(),
        push: PushId::new(at(0), &SystemEntropy).unwrap(),
        kind: RowKind::Push,
        plan: "plan".into(),
        cell: cell(id, field),
        enrichment: None,
        latest_at_plan: None,
        before: CellValue::text("before"),
        before_raw: None,
        before_id: None,
        via: None,
        stamp: None,
        sent: CellValue::text("sent"),
        send_by: at(30),
        at: at(0),
        outcome: Outcome::Intent,
        undone_by: None,
    }
}

pub(super) fn append(row: &WriteRow) -> Op {
    Op::Append(Box::new(row.clone()))
}

pub(super) fn landed(text: &str) -> Outcome {
    Outcome::Landed { value: CellValue::text(text), raw: None, key_id: Some("7".into()), at: at(2) }
}

fn cell(id: &str, field: &'static str) -> Cell {
    Cell::new(RecordRef::new(Platform::new("woocommerce"), Entity::Product, id), FieldName::new(field))
}

fn row_id() -> RowId {
    RowId::new(at(0), &SystemEntropy).unwrap()
}

pub(super) async fn rows(state: &State, query: &RowQuery) -> Vec<WriteRow> {
    state.rows(&store("a"), query).await.unwrap()
}

pub(super) async fn commit(state: &State, ops: Vec<Op>) {
    state.commit(&store("a"), Unit::new(ops)).await.unwrap();
}

fn refused<T>(result: crate::error::Result<T>, code: &str) {
    let error = result.err().expect("the state refuses it");
    assert_eq!((error.kind(), error.code()), (ErrorKind::State, code));
}
