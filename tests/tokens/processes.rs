//! Processes that share one vault.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use lily_connect::auth::{Authenticator, Claim, TokenRecord};
use lily_connect::error::ErrorKind;
use lily_connect::state::{SqliteState, StateStore, StateVault};
use lily_connect::testkit::FakeClock;
use lily_connect::time::{Clock, SystemEntropy};

use crate::platform::{Again, LIFE};
use crate::world::{World, keys};

fn refreshes(world: &World) -> usize {
    world.platform.refreshes.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_over_one_file_refresh_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let open = || -> Arc<dyn StateStore> {
        Arc::new(SqliteState::open(&path).unwrap().with_keys(keys(), Arc::new(SystemEntropy)))
    };
    for again in [Again::SamePair, Again::NewVoidsFirst, Again::NewBesideFirst] {
        // A clock that does not run ahead of the file.
        let world = World::at(Arc::new(FakeClock::new()), again, open()).authorised().await;
        let mut other = World::new(again, open());
        other.clock = world.clock.clone();
        other.platform = world.platform.clone();
        other.runtime = world.runtime.clone();
        let (one, two) = (world.process(), other.process());
        one.call().await.unwrap();
        two.call().await.unwrap();
        for round in 1..=3 {
            world.pass(LIFE);
            let (ones, twos) =
                (pin!(join_all((0..100).map(|_| one.call()))), pin!(join_all((0..100).map(|_| two.call()))));
            let (Either::Left((first, mut other)) | Either::Right((first, mut other))) =
                select(ones, twos).await;
            // Whoever waits for the refresh of the other one looks again each time that its wait is over.
            let mut looks = 0;
            let second = loop {
                tokio::select! {
                    second = &mut other => break second,
                    () = tokio::task::yield_now() => {}
                }
                let begun = world.clock.slept().len();
                if begun > looks {
                    looks = begun;
                    world.pass(Duration::from_millis(500));
                }
            };
            assert!(first.into_iter().chain(second).all(|done| done.is_ok()));
            assert_eq!(refreshes(&world), round, "{again:?}");
        }
        world.vault.forget(&world.slot).await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_token_is_compared_with_the_stored_one_before_any_call() {
    let world = World::memory().authorised().await;
    let (one, two) = (world.process(), world.process());
    one.call().await.unwrap();
    two.call().await.unwrap();
    world.platform.revoke_access();
    one.call().await.unwrap();
    assert_eq!(refreshes(&world), 1);
    // The second one holds the old token, is refused, and finds the new one.
    two.call().await.unwrap();
    assert_eq!(refreshes(&world), 1);
    assert_eq!(world.platform.refused_calls.load(Ordering::SeqCst), 2);
    assert_eq!(one.headers().await.unwrap(), two.headers().await.unwrap());
}

#[tokio::test]
async fn a_process_that_died_with_its_claim_is_not_waited_for_while_a_token_works() {
    let world = World::memory().authorised().await;
    let process = world.process();
    process.call().await.unwrap();
    world.pass(LIFE - Duration::from_secs(240));
    let now = world.clock.now();
    let claim = Claim::new("gone", now, now.saturating_add(Duration::from_secs(60)));
    assert!(world.vault.claim(&world.slot, &claim).await.unwrap());
    let before = world.clock.elapsed();
    process.call().await.unwrap();
    assert_eq!((refreshes(&world), world.clock.elapsed()), (0, before));

    // Without a token it is waited for until the claim ends, and no longer.
    world.pass(Duration::from_secs(240));
    let now = world.clock.now();
    let claim = Claim::new("gone", now, now.saturating_add(Duration::from_secs(60)));
    assert!(world.vault.claim(&world.slot, &claim).await.unwrap());
    let before = world.clock.elapsed();
    process.call().await.unwrap();
    let waited = world.clock.elapsed() - before;
    assert!(waited >= Duration::from_secs(59) && waited <= Duration::from_secs(61), "{waited:?}");
    assert_eq!(refreshes(&world), 1);

    // A claim whose end is far off, as after a clock was set back, is waited for no longer than any other.
    world.pass(LIFE);
    let claim = Claim::new("gone", now, now.saturating_add(Duration::from_secs(1_000_000)));
    assert!(world.vault.claim(&world.slot, &claim).await.unwrap());
    let before = world.clock.elapsed();
    process.call().await.unwrap();
    assert!(world.clock.elapsed() - before <= Duration::from_secs(61));
}

#[tokio::test]
async fn who_comes_second_uses_what_the_first_one_stored() {
    // Without claims, both ask; the vault's version decides.
    #[derive(Debug)]
    struct Unclaimed(Arc<dyn lily_connect::auth::TokenVault>);
    #[async_trait::async_trait]
    impl lily_connect::auth::TokenVault for Unclaimed {
        async fn load(
            &self,
            slot: &lily_connect::auth::TokenSlot,
        ) -> lily_connect::Result<lily_connect::auth::StoredTokens> {
            self.0.load(slot).await
        }
        async fn replace(
            &self,
            slot: &lily_connect::auth::TokenSlot,
            expected: lily_connect::auth::TokenVersion,
            record: TokenRecord,
        ) -> lily_connect::Result<lily_connect::auth::Replaced> {
            self.0.replace(slot, expected, record).await
        }
        async fn forget(&self, slot: &lily_connect::auth::TokenSlot) -> lily_connect::Result<()> {
            self.0.forget(slot).await
        }
    }
    for again in [Again::SamePair, Again::NewVoidsFirst, Again::NewBesideFirst] {
        let mut world =
            World::new(again, Arc::new(lily_connect::state::MemoryState::new())).authorised().await;
        world.vault = Arc::new(Unclaimed(world.vault.clone()));
        for _ in 0..20 {
            world.pass(LIFE);
            let processes: Vec<_> = (0..5).map(|_| world.process()).collect();
            for done in join_all(processes.iter().map(|process| process.call())).await {
                // Where each new pair voids the one before, some are refused while they all ask at once.
                assert!(done.is_ok() || again == Again::NewVoidsFirst, "{again:?}: {done:?}");
            }
            for process in &processes {
                process.call().await.unwrap();
            }
            let stored = world.record().await.current;
            for process in &processes {
                process.call().await.unwrap();
                let headers = process.headers().await.unwrap();
                assert_eq!(headers["x-shopify-access-token"], stored.access.expose(), "{again:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_stored_token_that_is_refused_too_is_replaced() {
    let world = World::memory().authorised().await;
    let (one, two) = (world.process(), world.process());
    one.call().await.unwrap();
    two.call().await.unwrap();
    world.platform.revoke_access();
    one.call().await.unwrap();
    world.platform.revoke_access();
    // The second one holds the first token, and finds the second, which is over as well.
    two.call().await.unwrap();
    assert_eq!(refreshes(&world), 2);
}

#[tokio::test]
async fn a_refusal_for_good_is_asked_for_once_and_ends_with_a_new_authorisation() {
    let world = World::memory().authorised().await;
    let process = world.process();
    process.call().await.unwrap();
    world.platform.uninstall();
    for done in join_all((0..100).map(|_| process.call())).await {
        let error = done.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "token_grant_refused"));
        assert!(error.remedy().contains("open or authorise the app again"));
    }
    assert_eq!(refreshes(&world), 1);
    // The merchant opens the app again, in another process.
    let (access, refresh) = world.platform.authorise();
    world.keep(TokenRecord::new(world.pair(&access, &refresh))).await;
    process.call().await.unwrap();
    assert_eq!(refreshes(&world), 1);
    // A refusal may have been a mistake of the platform: it is asked again after a while.
    world.platform.uninstall();
    process.call().await.unwrap_err();
    process.call().await.unwrap_err();
    assert_eq!(refreshes(&world), 2);
    world.pass(Duration::from_secs(301));
    process.call().await.unwrap_err();
    assert_eq!(refreshes(&world), 3);
}

#[tokio::test]
async fn without_a_key_a_file_takes_no_tokens() {
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::in_memory().unwrap());
    let world = World::new(Again::SamePair, state.clone());
    let vault = StateVault::new(state);
    let pair = world.pair("shpat_secret_a", "shprt_secret_a");
    let stored = lily_connect::auth::TokenVault::load(&vault, &world.slot).await.unwrap();
    let refused =
        lily_connect::auth::TokenVault::replace(&vault, &world.slot, stored.version, TokenRecord::new(pair))
            .await;
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "vault_key_missing"));
    assert!(error.remedy().contains("with_keys"));
    assert!(world.process().token.refresh(&http::HeaderMap::new()).await.is_ok());
    let error = world.process().call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "not_authorised"));
}

#[tokio::test]
async fn a_pair_that_the_vault_did_not_take_is_written_again_before_the_platform_is_asked_again() {
    #[derive(Debug)]
    struct Failing(Arc<dyn lily_connect::auth::TokenVault>, std::sync::atomic::AtomicUsize);
    #[async_trait::async_trait]
    impl lily_connect::auth::TokenVault for Failing {
        async fn load(
            &self,
            slot: &lily_connect::auth::TokenSlot,
        ) -> lily_connect::Result<lily_connect::auth::StoredTokens> {
            self.0.load(slot).await
        }
        async fn replace(
            &self,
            slot: &lily_connect::auth::TokenSlot,
            expected: lily_connect::auth::TokenVersion,
            record: TokenRecord,
        ) -> lily_connect::Result<lily_connect::auth::Replaced> {
            let left = self.1.load(Ordering::SeqCst);
            if left > 0 {
                self.1.store(left - 1, Ordering::SeqCst);
                return Err(lily_connect::error::Error::new(ErrorKind::State, "disk_full", "no room"));
            }
            self.0.replace(slot, expected, record).await
        }
        async fn forget(&self, slot: &lily_connect::auth::TokenSlot) -> lily_connect::Result<()> {
            self.0.forget(slot).await
        }
    }
    for (failures, calls) in [(1, 1), (2, 1), (5, 4)] {
        let mut world = World::memory().authorised().await;
        world.pass(LIFE);
        world.vault = Arc::new(Failing(world.vault.clone(), failures.into()));
        let process = world.process();
        let mut times = 0;
        while let Err(error) = process.call().await {
            assert_eq!(error.code(), "disk_full", "{failures}");
            assert_eq!(world.platform.calls.load(Ordering::SeqCst), 0, "a pair that is not kept is not used");
            times += 1;
            assert!(times < 10);
        }
        assert_eq!((times + 1, refreshes(&world)), (calls, 1), "{failures}");
    }
}
