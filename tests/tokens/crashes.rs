//! A process that dies at any step of a refresh locks nobody out.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use lily_connect::error::ErrorKind;
use lily_connect::state::{MemoryState, SqliteState, StateStore};
use lily_connect::testkit::random::SeededRandom;
use lily_connect::time::SystemEntropy;
use tokio::task::unconstrained;

use crate::platform::Again;
use crate::world::{World, keys};

const WAYS: [Again; 3] = [Again::SamePair, Again::NewVoidsFirst, Again::NewBesideFirst];

/// Lets processes run for so many steps, and ends them where they stand. `true` where they were done before.
fn run_for(steps: u64, life: impl Future<Output = ()>) -> bool {
    // The runtime would stop a task that never comes back to it, and each step with it.
    let mut life = pin!(unconstrained(life));
    let mut context = Context::from_waker(Waker::noop());
    (0..steps).any(|_| life.as_mut().poll(&mut context).is_ready())
}

/// One or two processes that call now and then, until they die.
async fn live(world: &World, random: &mut SeededRandom) {
    let processes: Vec<_> = (0..=random.below(2)).map(|_| world.process()).collect();
    for _ in 0..1 + random.below(3) {
        // A few in a list of known length, each of which is polled at each step, woken or not.
        let mut calls = Vec::new();
        for process in &processes {
            calls.extend((0..1 + random.below(3)).map(|_| process.call()));
        }
        for done in join_all(calls).await {
            if let Err(error) = done {
                // A way that fails is no refusal.
                let fault = matches!(
                    error.kind(),
                    ErrorKind::Unavailable
                        | ErrorKind::Protocol
                        | ErrorKind::Timeout
                        | ErrorKind::CircuitOpen
                );
                assert!(fault, "{error:?}");
            }
        }
        world.pass(Duration::from_secs(random.below(5000)));
    }
}

async fn crash(again: Again, state: Arc<dyn StateStore>, crashes: u32, seed: u64) {
    eprintln!("seed of the crashes: {seed} ({again:?})");
    let mut random = SeededRandom::new(seed);
    let world = World::new(again, state).authorised().await;
    let (mut died, mut after_answer) = (0, 0);
    while died < crashes {
        world.platform.faults(random.chance(300).then(|| random.next_u64()));
        // Each life begins with a token that is due or over, and most of its steps are those of the refresh.
        world.pass(Duration::from_secs(3301 + random.below(4000)));
        let steps = 1 + random.below(40);
        let mut own = SeededRandom::new(random.next_u64());
        let before = world.platform.refreshes.load(Ordering::SeqCst);
        let done = run_for(steps, live(&world, &mut own));
        died += u32::from(!done);
        if !done && world.platform.refreshes.load(Ordering::SeqCst) > before {
            after_answer += 1;
        }
        if random.chance(300) {
            world.platform.faults(None);
            // Whoever comes next gets in.
            let next = world.process().call().await;
            next.unwrap_or_else(|error| panic!("locked out after {died} crashes, seed {seed}: {error:?}"));
        }
    }
    world.platform.faults(None);
    world.process().call().await.unwrap();
    eprintln!("{died} crashes, {after_answer} of them after the platform had answered");
    // Otherwise the crashes are not where they hurt.
    assert!(after_answer > crashes / 4, "{after_answer}");
}

#[tokio::test]
async fn ten_thousand_crashes_lock_nobody_out() {
    for (number, again) in (0..30).zip(WAYS.into_iter().cycle()) {
        crash(again, Arc::new(MemoryState::new()), 334, 20_261_122 + number).await;
    }
}

#[tokio::test]
async fn each_single_step_is_one_that_a_process_may_die_at() {
    for again in WAYS {
        for steps in 0..60 {
            for later in (0..60).step_by(3) {
                let world = World::new(again, Arc::new(MemoryState::new())).authorised().await;
                world.pass(Duration::from_secs(3700));
                let (first, second) = (world.process(), world.process());
                run_for(steps, async { drop(first.call().await) });
                run_for(later, async { drop(second.call().await) });
                let next = world.process().call().await;
                next.unwrap_or_else(|error| panic!("{again:?}, {steps} and {later} steps: {error:?}"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_what_a_killed_process_had() {
    let seed = 77;
    eprintln!("seed of the crashes: {seed}");
    let mut random = SeededRandom::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let open = || -> Arc<dyn StateStore> {
        Arc::new(SqliteState::open(&path).unwrap().with_keys(keys(), Arc::new(SystemEntropy)))
    };
    let mut world = World::new(Again::NewVoidsFirst, open()).authorised().await;
    for round in 0..60 {
        world.pass(Duration::from_secs(3700));
        let process = world.process();
        let steps = random.below(40);
        {
            let mut call = pin!(unconstrained(process.call()));
            for _ in 0..steps {
                let done =
                    std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
                if done.is_ready() {
                    break;
                }
                // The file's thread gets its time.
                std::thread::yield_now();
            }
        }
        drop(process);
        if round % 5 == 0 {
            let (clock, platform, runtime) =
                (world.clock.clone(), world.platform.clone(), world.runtime.clone());
            let vault = Arc::new(crate::world::Steps(lily_connect::state::StateVault::new(open())));
            world = World { clock, platform, runtime, vault, slot: world.slot.clone() };
        }
        world
            .process()
            .call()
            .await
            .unwrap_or_else(|error| panic!("round {round}, {steps} steps: {error:?}"));
    }
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(std::fs::read(folder.path().join("state.db-wal")).unwrap_or_default());
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        !text.contains("shpat_secret") && !text.contains("shprt_secret"),
        "a token lies open in the file"
    );
}
