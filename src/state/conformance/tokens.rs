//! What every state must do with tokens.

use std::sync::Arc;

use super::{State, append, at, commit, refused, row, rows, store};
use crate::auth::{Claim, StoredTokens, TokenRecord, TokenSet, TokenVersion};
use crate::model::{Platform, Secret, StoreKey, Text};
use crate::state::{Op, RowQuery, Unit};

/// Runs each claim over the state that `$make` gives, a fresh one each time.
macro_rules! token_conformance {
    ($make:expr) => {
        crate::state::conformance::conformance!($make; in tokens
            tokens_come_back_as_they_were_kept
            tokens_are_replaced_by_their_version_only
            tokens_happen_with_their_unit_or_not_at_all
            forgotten_tokens_never_come_back
            a_slot_is_claimed_by_one
            tokens_of_a_store_are_its_own
            of_many_writers_of_a_slot_one_wins
        );
    };
}
pub(crate) use token_conformance;

pub(crate) async fn tokens_come_back_as_they_were_kept(state: State) {
    let (_, full) = replace("main", 0, "full");
    assert_eq!(load(&state, "main").await, StoredTokens::default());
    commit(&state, vec![replace("main", 0, "full").0]).await;
    assert_eq!(load(&state, "main").await, StoredTokens::new(TokenVersion(1), Some(full)));
    let bare = TokenRecord::new(TokenSet::permanent(Secret::new("caf\u{e9} \"\\ \u{0}"), at(3)));
    let op =
        Op::ReplaceTokens { slot: "bare".into(), expected: TokenVersion(0), record: Box::new(bare.clone()) };
    commit(&state, vec![op]).await;
    assert_eq!(load(&state, "bare").await.record, Some(bare));
}

pub(crate) async fn tokens_are_replaced_by_their_version_only(state: State) {
    let key = store("a");
    commit(&state, vec![replace("main", 0, "one").0]).await;
    for wrong in [0, 2, u64::MAX] {
        refused(state.commit(&key, Unit::new(vec![replace("main", wrong, "two").0])).await, "tokens_moved");
    }
    refused(state.commit(&key, Unit::new(vec![replace("other", 1, "two").0])).await, "tokens_moved");
    let (op, two) = replace("main", 1, "two");
    commit(&state, vec![op]).await;
    assert_eq!(load(&state, "main").await, StoredTokens::new(TokenVersion(2), Some(two)));
    refused(state.commit(&key, Unit::new(vec![replace("main", 1, "three").0])).await, "tokens_moved");
    // Twice in one unit.
    let (last, four) = replace("main", 3, "four");
    commit(&state, vec![replace("main", 2, "three").0, last]).await;
    assert_eq!(load(&state, "main").await, StoredTokens::new(TokenVersion(4), Some(four)));
}

pub(crate) async fn tokens_happen_with_their_unit_or_not_at_all(state: State) {
    let key = store("a");
    let first = row("11", "title");
    commit(&state, vec![append(&first)]).await;
    let unit = Unit::new(vec![replace("main", 0, "one").0, claim("main", "p1", 0, 60), append(&first)]);
    refused(state.commit(&key, unit).await, "row_exists");
    assert_eq!(load(&state, "main").await, StoredTokens::default());
    commit(&state, vec![claim("main", "p2", 0, 60)]).await;
    let second = row("12", "title");
    let unit = Unit::new(vec![append(&second), replace("main", 7, "one").0]);
    refused(state.commit(&key, unit).await, "tokens_moved");
    assert_eq!(rows(&state, &RowQuery::Unsettled).await, [first]);
}

pub(crate) async fn forgotten_tokens_never_come_back(state: State) {
    let key = store("a");
    commit(&state, vec![replace("main", 0, "one").0, replace("user:7", 0, "one").0]).await;
    commit(&state, vec![Op::ForgetTokens { slot: Some("main".into()) }]).await;
    assert_eq!(load(&state, "main").await, StoredTokens::new(TokenVersion(2), None));
    assert!(load(&state, "user:7").await.record.is_some());
    // Who still knows the old version, or none, does not bring them back.
    for stale in [0, 1] {
        refused(state.commit(&key, Unit::new(vec![replace("main", stale, "old").0])).await, "tokens_moved");
    }
    let forget_all = || Op::ForgetTokens { slot: None };
    commit(&state, vec![forget_all(), forget_all()]).await;
    assert_eq!(load(&state, "main").await, StoredTokens::new(TokenVersion(2), None));
    assert_eq!(load(&state, "user:7").await, StoredTokens::new(TokenVersion(2), None));
    commit(&state, vec![replace("main", 2, "new").0]).await;
    assert!(load(&state, "main").await.record.is_some());
}

pub(crate) async fn a_slot_is_claimed_by_one(state: State) {
    let key = store("a");
    let tried = async |op: Op| state.commit(&key, Unit::new(vec![op])).await;
    tried(claim("main", "p1", 0, 60)).await.unwrap();
    tried(claim("main", "p1", 30, 90)).await.unwrap();
    refused(tried(claim("main", "p2", 89, 200)).await, "tokens_claimed");
    tried(claim("other", "p2", 89, 200)).await.unwrap();
    // It ends at its end, and only its holder gives it back.
    tried(claim("main", "p2", 90, 150)).await.unwrap();
    tried(unclaim("main", "p1")).await.unwrap();
    refused(tried(claim("main", "p1", 91, 200)).await, "tokens_claimed");
    tried(unclaim("main", "p2")).await.unwrap();
    tried(unclaim("main", "p2")).await.unwrap();
    tried(claim("main", "p1", 91, 200)).await.unwrap();
    // The lease of the store's writers is another thing.
    state.lease(&key, "writer", at(91), at(200)).await.unwrap();
}

pub(crate) async fn tokens_of_a_store_are_its_own(state: State) {
    commit(&state, vec![replace("main", 0, "one").0, claim("main", "p1", 0, 60)]).await;
    for other in [
        store("b"),
        StoreKey::new("other tenant", Platform::new("woocommerce"), "a"),
        StoreKey::new("tenant", Platform::new("magento"), "a"),
    ] {
        assert_eq!(state.tokens(&other, "main").await.unwrap(), StoredTokens::default());
        let unit = vec![claim("main", "p2", 1, 60), replace("main", 0, "theirs").0];
        state.commit(&other, Unit::new(unit)).await.unwrap();
        state.commit(&other, Unit::new(vec![Op::ForgetTokens { slot: None }])).await.unwrap();
    }
    assert_eq!(load(&state, "main").await.version, TokenVersion(1));
    assert!(load(&state, "main").await.record.is_some());
}

pub(crate) async fn of_many_writers_of_a_slot_one_wins(state: State) {
    let writers: Vec<_> = (0..16)
        .map(|number| {
            let state = Arc::clone(&state);
            let unit = Unit::new(vec![replace("main", 0, &format!("writer {number}")).0]);
            tokio::spawn(async move { state.commit(&store("a"), unit).await })
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        match writer.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error.code(), "tokens_moved"),
        }
    }
    assert_eq!((won, load(&state, "main").await.version), (1, TokenVersion(1)));
}

pub(crate) async fn load(state: &State, slot: &str) -> StoredTokens {
    state.tokens(&store("a"), slot).await.unwrap()
}

pub(crate) fn replace(slot: &str, expected: u64, name: &str) -> (Op, TokenRecord) {
    let mut set = TokenSet::permanent(Secret::new(format!("access-s3cret-{name}")), at(0));
    let predecessor = set.clone();
    set.refresh = Some(Secret::new(format!("refresh-s3cret-{name}")));
    set.expires_at = Some(at(3600));
    set.refresh_expires_at = Some(at(7_776_000));
    set.scopes = vec!["read".into(), "write".into()];
    let record = TokenRecord::new(set).replacing(Some(predecessor)).marked(Some("moved".into()));
    let expected = TokenVersion(expected);
    (Op::ReplaceTokens { slot: slot.into(), expected, record: Box::new(record.clone()) }, record)
}

fn claim(slot: &str, holder: &str, now: i64, until: i64) -> Op {
    Op::ClaimTokens { slot: slot.into(), claim: Claim::new(holder, at(now), at(until)) }
}

fn unclaim(slot: &str, holder: &str) -> Op {
    Op::UnclaimTokens { slot: slot.into(), holder: Text::from(holder) }
}
