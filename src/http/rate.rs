//! The limiter of a store: how many calls at a time, how many in a time, and who goes first.
//!
//! A static ceiling (governor, read by our clock) lies below what the server says: a pause that it asked for
//! stops the whole store, and overload halves the calls in flight until answers come again.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;

use super::allowance::{ErrorAllowance, ServerErrors};
use super::budget::{Ask, Budget, BudgetSettings, Reservation, Spent};
use super::reading::{BudgetReading, WindowReading};
use super::window::{Counted, Taken, Window, WindowSettings};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::model::Lane;
use crate::time::Clock;

/// A ceiling that is known beforehand: so many units of cost in a time, as a leaky bucket.
///
/// Where a platform counts in fixed windows, give a burst of 1: otherwise up to twice the quota passes in
/// one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rate {
    /// The units.
    pub units: NonZeroU32,
    /// The time in which they may be spent.
    pub per: Duration,
    /// The units that may be spent at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// So many units in a time, of which `burst` may be spent at once.
    #[must_use]
    pub const fn new(units: NonZeroU32, per: Duration, burst: NonZeroU32) -> Self {
        Self { units, per, burst }
    }

    fn quota(self) -> Option<Quota> {
        Some(Quota::with_period(self.per / self.units.get())?.allow_burst(self.burst))
    }
}

/// governor's view of our clock.
#[derive(Debug, Clone)]
struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

type Ceiling = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// The limiter of one store, shared by all its clients.
#[derive(Debug)]
pub(super) struct Gate {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    max_in_flight: u32,
    /// The calls that may be in flight now, between 1 and `max_in_flight`.
    allowed: f64,
    in_flight: u32,
    rate: Option<Rate>,
    ceiling: Option<Ceiling>,
    budget: Option<Budget>,
    window: Option<Window>,
    paused_until: Duration,
    /// How many server errors may be provoked, and those that count.
    allowance: Option<ErrorAllowance>,
    errors: ServerErrors,
    /// When `allowed` was last cut: what was sent before says nothing about the new number.
    cut_at: Duration,
    next_ticket: u64,
    interactive: VecDeque<Waiter>,
    backfill: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    wake: Arc<Notify>,
}

/// What was taken for a call of what the store gives out.
#[derive(Debug, Default)]
struct Charged {
    points: Option<Reservation>,
    calls: Option<Taken>,
}

/// What stands between a call and its turn.
enum Turn {
    Taken(Charged),
    In(Duration),
    /// In that time, or when a call in flight gives points back.
    InOrAfterAnother(Duration),
    AfterAnother,
}

impl Gate {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                max_in_flight: 0,
                allowed: 1.0,
                in_flight: 0,
                rate: None,
                ceiling: None,
                budget: None,
                window: None,
                paused_until: Duration::ZERO,
                allowance: None,
                errors: ServerErrors::default(),
                cut_at: Duration::ZERO,
                next_ticket: 0,
                interactive: VecDeque::new(),
                backfill: VecDeque::new(),
            }),
        }
    }

    /// Sets the bounds; the last client of a store that was made decides. A client without a budget leaves that
    /// of another alone, and does not ask it.
    ///
    /// # Errors
    /// `Config` where the rate is over one unit a nanosecond, or the budget is not usable.
    pub(super) fn configure(
        &self,
        max_in_flight: NonZeroU32,
        rate: Option<Rate>,
        budget: Option<BudgetSettings>,
    ) -> Result<()> {
        let mut state = self.lock();
        if let Some(settings) = budget {
            settings.check()?;
            match &mut state.budget {
                Some(budget) => budget.configure(settings),
                None => state.budget = Some(Budget::new(settings, self.clock.elapsed())),
            }
        }
        if state.max_in_flight != max_in_flight.get() {
            state.max_in_flight = max_in_flight.get();
            state.allowed = f64::from(max_in_flight.get());
        }
        if state.rate != rate {
            state.ceiling = match rate {
                None => None,
                Some(rate) => {
                    let quota = rate.quota().ok_or_else(|| {
                        Error::new(
                            ErrorKind::Config,
                            "rate_unusable",
                            "the rate is over one unit a nanosecond",
                        )
                    })?;
                    Some(RateLimiter::direct_with_clock(quota, Ticks(Arc::clone(&self.clock))))
                }
            };
            state.rate = rate;
        }
        Ok(())
    }

    /// Counts calls in the windows that the store tells of.
    ///
    /// # Errors
    /// `Config` where the settings are not usable.
    pub(super) fn count_in_windows(&self, settings: WindowSettings) -> Result<()> {
        settings.check()?;
        let mut state = self.lock();
        match &mut state.window {
            Some(window) => window.configure(settings),
            None => state.window = Some(Window::new(settings)),
        }
        Ok(())
    }

    /// Waits for a turn from `now` on, at most until an instant of the clock. The permit counts as in flight until it is
    /// dropped.
    ///
    /// # Errors
    /// `RateLimited` where the instant comes first; `Config` where the cost is over the burst, and `TooLarge`
    /// where it is over what the budget can have.
    pub(super) async fn acquire(
        &self,
        lane: Lane,
        cost: u32,
        ask: Option<Ask>,
        now: Duration,
        until: Duration,
    ) -> Result<Permit<'_>> {
        let mut place = {
            let mut state = self.lock();
            let first =
                state.interactive.is_empty() && (lane == Lane::Interactive || state.backfill.is_empty());
            if first && let Turn::Taken(charged) = state.turn(cost, ask.as_ref(), now)? {
                return Ok(Permit::new(self, charged));
            }
            Place::behind(self, &mut state, lane)
        };
        loop {
            let now = self.clock.elapsed();
            let turn = {
                let mut state = self.lock();
                if state.head().is_some_and(|head| head.ticket == place.ticket) {
                    match state.turn(cost, ask.as_ref(), now)? {
                        Turn::Taken(charged) => {
                            place.leave(&mut state);
                            return Ok(Permit::new(self, charged));
                        }
                        turn => turn,
                    }
                } else {
                    Turn::AfterAnother
                }
            };
            let left = until.saturating_sub(now);
            match turn {
                Turn::In(wait) if wait >= left => return Err(too_long(wait)),
                Turn::In(wait) | Turn::InOrAfterAnother(wait) if wait < left => tokio::select! {
                    biased;
                    () = place.wake.notified() => {}
                    () = self.clock.sleep(wait) => {}
                },
                _ if left.is_zero() => return Err(too_long(Duration::ZERO)),
                _ => tokio::select! {
                    biased;
                    () = place.wake.notified() => {}
                    () = self.clock.limit(left) => {}
                },
            }
        }
    }

    /// Stops the whole store until an instant of the clock.
    pub(super) fn pause(&self, until: Duration) {
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(until);
    }

    /// Sets how many server errors may be provoked. A client that says nothing leaves the bound of another alone.
    pub(super) fn allow_errors(&self, allowance: Option<ErrorAllowance>) {
        if allowance.is_some() {
            self.lock().allowance = allowance;
        }
    }

    /// A server error came: where no further one is allowed, the whole store waits.
    pub(super) fn server_error(&self) {
        let now = self.clock.elapsed();
        let mut state = self.lock();
        if let Some(allowance) = state.allowance
            && let Some(until) = state.errors.count(allowance, now)
        {
            state.paused_until = state.paused_until.max(until);
        }
    }

    /// An answer came in good order: one more call may be in flight for each round of them.
    pub(super) fn succeeded(&self) {
        let mut state = self.lock();
        let max = f64::from(state.max_in_flight);
        if state.allowed < max {
            state.allowed = (state.allowed + 1.0 / state.allowed).min(max);
        }
    }

    /// The store is overloaded: half as many calls may be in flight. Calls that were sent before the last cut
    /// do not count, since they were sent at the old number.
    pub(super) fn overloaded(&self, sent_at: Duration) {
        let now = self.clock.elapsed();
        let mut state = self.lock();
        if sent_at >= state.cut_at {
            state.allowed = (state.allowed / 2.0).max(1.0);
            state.cut_at = now;
        }
    }

    /// Whether nothing here has to be remembered.
    pub(super) fn is_at_rest(&self) -> bool {
        let mut state = self.lock();
        let now = self.clock.elapsed();
        let allowance = state.allowance;
        state.in_flight == 0
            && state.paused_until <= now
            && !allowance.is_some_and(|allowance| state.errors.any(allowance, now))
            && state.budget.as_mut().is_none_or(|budget| budget.is_full(now))
            && state.window.as_ref().is_none_or(|window| window.is_over(now))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a turn, or says what stands in its way. A turn that cannot be taken costs nothing.
    fn turn(&mut self, cost: u32, ask: Option<&Ask>, now: Duration) -> Result<Turn> {
        if f64::from(self.in_flight) + 1.0 > self.allowed.max(1.0) {
            return Ok(Turn::AfterAnother);
        }
        if now < self.paused_until {
            return Ok(Turn::In(self.paused_until - now));
        }
        if let Some(wait) = self.window.as_mut().and_then(|window| window.wait(cost, now)) {
            return Ok(Turn::In(wait));
        }
        let mut metered = ask.zip(self.budget.as_mut());
        if let Some((ask, budget)) = &mut metered
            && let Some(wait) = budget.wait(ask, now)?
        {
            return Ok(if budget.expects_refunds() { Turn::InOrAfterAnother(wait) } else { Turn::In(wait) });
        }
        if let Some(ceiling) = &self.ceiling
            && let Some(cost) = NonZeroU32::new(cost)
        {
            match ceiling.check_n(cost) {
                Ok(Ok(())) => {}
                Ok(Err(later)) => {
                    return Ok(Turn::In(later.wait_time_from(now).max(Duration::from_nanos(1))));
                }
                Err(_) => {
                    return Err(Error::new(
                        ErrorKind::Config,
                        "cost_over_burst",
                        "the request costs more than the rate's burst, so it can never be sent",
                    )
                    .with_remedy("raise the burst, or split the request"));
                }
            }
        }
        self.in_flight += 1;
        let points = metered.map(|(ask, budget)| budget.take(ask));
        Ok(Turn::Taken(Charged { points, calls: self.window.as_mut().map(|window| window.take(cost)) }))
    }

    fn settle(&mut self, taken: &Reservation, spent: Spent, now: Duration) {
        if let Some(budget) = &mut self.budget {
            budget.settle(taken, spent, now);
        }
    }

    fn count(&mut self, taken: &Taken, counted: Counted, now: Duration) {
        if let Some(window) = &mut self.window {
            window.settle(taken, counted, now);
        }
    }

    fn head(&self) -> Option<&Waiter> {
        self.interactive.front().or_else(|| self.backfill.front())
    }

    fn wake_head(&self) {
        if let Some(head) = self.head() {
            head.wake.notify_one();
        }
    }

    fn queue(&mut self, lane: Lane) -> &mut VecDeque<Waiter> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Backfill => &mut self.backfill,
        }
    }
}

/// A place in a queue, given up when it is dropped.
struct Place<'a> {
    gate: &'a Gate,
    lane: Lane,
    ticket: u64,
    wake: Arc<Notify>,
    left: bool,
}

impl<'a> Place<'a> {
    fn behind(gate: &'a Gate, state: &mut State, lane: Lane) -> Self {
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let wake = Arc::new(Notify::new());
        state.queue(lane).push_back(Waiter { ticket, wake: Arc::clone(&wake) });
        Self { gate, lane, ticket, wake, left: false }
    }

    fn leave(&mut self, state: &mut State) {
        self.left = true;
        let queue = state.queue(self.lane);
        if queue.front().is_some_and(|head| head.ticket == self.ticket) {
            queue.pop_front();
        } else {
            queue.retain(|waiter| waiter.ticket != self.ticket);
        }
        state.wake_head();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left {
            let gate = self.gate;
            self.leave(&mut gate.lock());
        }
    }
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    /// What was taken, until the call has told what it cost.
    charged: Charged,
    sent: bool,
}

impl<'a> Permit<'a> {
    fn new(gate: &'a Gate, charged: Charged) -> Self {
        Self { gate, charged, sent: false }
    }

    /// Whether the budget waits to be told what the call cost.
    pub(super) fn is_metered(&self) -> bool {
        self.charged.points.is_some()
    }

    /// Whether the store's window waits to be told what the answer says.
    pub(super) fn is_counted(&self) -> bool {
        self.charged.calls.is_some()
    }

    /// The call was answered, and this is what the answer says of the window.
    pub(super) fn counted(&mut self, reading: WindowReading) {
        if let Some(taken) = self.charged.calls.take() {
            self.gate.lock().count(&taken, Counted::Answered(reading), self.gate.clock.elapsed());
        }
    }

    /// The call is sent now: from here on, it may cost something.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// The call was certainly not sent after all.
    pub(super) fn not_sent(&mut self) {
        self.sent = false;
    }

    /// The call was answered, or refused for its cost.
    pub(super) fn answered(&mut self, reading: BudgetReading, refused: bool) {
        if let Some(taken) = self.charged.points.take() {
            self.gate.lock().settle(&taken, Spent::Answered { reading, refused }, self.gate.clock.elapsed());
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if let Some(taken) = self.charged.calls.take() {
            let counted = if self.sent { Counted::Unknown } else { Counted::Not };
            state.count(&taken, counted, self.gate.clock.elapsed());
        }
        if let Some(taken) = self.charged.points.take() {
            let spent = if self.sent { Spent::Unknown } else { Spent::Nothing };
            state.settle(&taken, spent, self.gate.clock.elapsed());
        }
        state.in_flight = state.in_flight.saturating_sub(1);
        state.wake_head();
    }
}

fn too_long(wait: Duration) -> Error {
    let error = Error::new(
        ErrorKind::RateLimited,
        "limiter_wait_too_long",
        "the call's time does not allow to wait for its turn",
    )
    .with_remedy("give the call more time, or ask for less at once");
    if wait.is_zero() { error } else { error.with_retry(Retry::After(wait)) }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::testkit::FakeClock;
    use std::sync::Mutex as StdMutex;

    const FAR: Duration = Duration::from_secs(3600);

    fn gate(clock: &Arc<FakeClock>, in_flight: u32, rate: Option<Rate>) -> Arc<Gate> {
        let gate = Gate::new(Arc::clone(clock) as Arc<dyn Clock>);
        gate.configure(NonZeroU32::new(in_flight).unwrap(), rate, None).unwrap();
        Arc::new(gate)
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_rate_admits_its_burst_and_then_one_per_interval_in_virtual_time() {
        let clock = Arc::new(FakeClock::automatic());
        let three = NonZeroU32::new(3).unwrap();
        let gate =
            gate(&clock, 9, Some(Rate::new(NonZeroU32::new(2).unwrap(), Duration::from_secs(1), three)));
        let mut times = Vec::new();
        for _ in 0..6 {
            drop(gate.acquire(Lane::Backfill, 1, None, clock.elapsed(), FAR).await.unwrap());
            times.push(clock.elapsed().as_millis());
        }
        assert_eq!(times, [0, 0, 0, 500, 1000, 1500]);
        drop(gate.acquire(Lane::Backfill, 3, None, clock.elapsed(), FAR).await.unwrap());
        assert_eq!(clock.elapsed().as_millis(), 3000);
    }

    #[tokio::test]
    async fn no_more_calls_than_allowed_are_in_flight_and_interactive_ones_go_first() {
        let clock = Arc::new(FakeClock::new());
        let gate = gate(&clock, 2, None);
        let held = (
            gate.acquire(Lane::Backfill, 1, None, clock.elapsed(), FAR).await.unwrap(),
            gate.acquire(Lane::Backfill, 1, None, clock.elapsed(), FAR).await.unwrap(),
        );
        let order = Arc::new(StdMutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, lane) in [
            ("b1", Lane::Backfill),
            ("b2", Lane::Backfill),
            ("i1", Lane::Interactive),
            ("i2", Lane::Interactive),
        ] {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let permit = gate.acquire(lane, 1, None, Duration::ZERO, FAR).await.unwrap();
                order.lock().unwrap().push(name);
                settle().await;
                drop(permit);
            }));
            settle().await;
        }
        assert!(order.lock().unwrap().is_empty());
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["i1", "i2", "b1", "b2"]);
    }

    #[tokio::test]
    async fn overload_halves_the_calls_in_flight_once_and_answers_bring_them_back() {
        let clock = Arc::new(FakeClock::new());
        let gate = gate(&clock, 8, None);
        let allowed = || gate.lock().allowed;
        clock.advance(Duration::from_secs(1));
        gate.overloaded(Duration::from_secs(1));
        assert_eq!(allowed(), 4.0);
        // Sent before the cut: it says nothing new.
        gate.overloaded(Duration::ZERO);
        assert_eq!(allowed(), 4.0);
        for _ in 0..9 {
            gate.overloaded(clock.elapsed());
        }
        assert_eq!(allowed(), 1.0);
        let one = gate.acquire(Lane::Interactive, 1, None, clock.elapsed(), FAR).await.unwrap();
        let late = clock.elapsed() + Duration::from_secs(1);
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.acquire(Lane::Interactive, 1, None, Duration::ZERO, late).await.map(drop) }
        });
        settle().await;
        clock.advance(Duration::from_secs(1));
        assert_eq!(waiting.await.unwrap().unwrap_err().code(), "limiter_wait_too_long");
        drop(one);
        for _ in 0..40 {
            gate.succeeded();
        }
        assert_eq!(allowed(), 8.0);
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_leaves_its_place_to_the_next() {
        let clock = Arc::new(FakeClock::new());
        let gate = gate(&clock, 1, None);
        let held = gate.acquire(Lane::Backfill, 1, None, clock.elapsed(), FAR).await.unwrap();
        let wait = |gate: &Arc<Gate>| {
            let gate = Arc::clone(gate);
            tokio::spawn(
                async move { gate.acquire(Lane::Backfill, 1, None, Duration::ZERO, FAR).await.map(drop) },
            )
        };
        let (first, second) = (wait(&gate), wait(&gate));
        settle().await;
        first.abort();
        settle().await;
        drop(held);
        second.await.unwrap().unwrap();
        assert!(gate.is_at_rest());
    }

    #[tokio::test]
    async fn a_pause_stops_the_store_and_is_not_shortened() {
        let clock = Arc::new(FakeClock::automatic());
        let gate = gate(&clock, 1, None);
        gate.pause(Duration::from_secs(30));
        gate.pause(Duration::from_secs(10));
        drop(gate.acquire(Lane::Interactive, 1, None, clock.elapsed(), FAR).await.unwrap());
        assert_eq!(clock.elapsed(), Duration::from_secs(30));
    }

    /// A gate with a budget of 100 points, of which 10 come back in a second.
    fn metered(clock: &Arc<FakeClock>, in_flight: u32) -> Arc<Gate> {
        let gate = gate(clock, in_flight, None);
        let budget = Some(BudgetSettings::new(100.0, 10.0));
        gate.configure(NonZeroU32::new(in_flight).unwrap(), None, budget).unwrap();
        gate
    }

    fn ask(cost: u32) -> Option<Ask> {
        Some(Ask { cost, key: None, told_to_wait: true })
    }

    #[tokio::test]
    async fn points_that_are_not_there_are_waited_for_and_interactive_calls_go_first() {
        let clock = Arc::new(FakeClock::new());
        let gate = metered(&clock, 9);
        let mut first = gate.acquire(Lane::Backfill, 90, ask(90), clock.elapsed(), FAR).await.unwrap();
        first.sent();
        drop(first);
        let order = Arc::new(StdMutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, lane) in [("b", Lane::Backfill), ("i", Lane::Interactive)] {
            let (gate, order, clock) = (Arc::clone(&gate), Arc::clone(&order), Arc::clone(&clock));
            tasks.push(tokio::spawn(async move {
                let mut permit = gate.acquire(lane, 60, ask(60), Duration::ZERO, FAR).await.unwrap();
                permit.sent();
                order.lock().unwrap().push((name, clock.elapsed().as_secs()));
            }));
            settle().await;
        }
        for _ in 0..12 {
            clock.advance(Duration::from_secs(1));
            settle().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [("i", 5), ("b", 11)]);
    }

    #[tokio::test]
    async fn points_that_a_call_gives_back_let_the_next_one_go_at_once() {
        let clock = Arc::new(FakeClock::new());
        let gate = metered(&clock, 9);
        let mut dear = gate.acquire(Lane::Backfill, 90, ask(90), clock.elapsed(), FAR).await.unwrap();
        dear.sent();
        // By restoring alone it would take 8 s, which is longer than it has.
        let soon = Duration::from_secs(3);
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.acquire(Lane::Backfill, 90, ask(90), Duration::ZERO, soon).await.map(drop) }
        });
        settle().await;
        assert!(!waiting.is_finished());
        dear.answered(BudgetReading { actual: Some(5.0), ..BudgetReading::default() }, false);
        drop(dear);
        settle().await;
        assert!(waiting.is_finished(), "the refund wakes who waits");
        waiting.await.unwrap().unwrap();
        // What was not sent was given back, so all but the first one's 5 is there.
        assert_eq!(
            gate.lock().budget.as_mut().map(|budget| budget.is_full(Duration::from_millis(500))),
            Some(true)
        );
    }

    #[tokio::test]
    async fn a_call_whose_points_come_too_late_is_told_so_and_one_without_a_budget_is_not_asked() {
        let clock = Arc::new(FakeClock::automatic());
        let gate = metered(&clock, 2);
        let mut first = gate.acquire(Lane::Backfill, 100, ask(100), clock.elapsed(), FAR).await.unwrap();
        first.sent();
        drop(first);
        let soon = Duration::from_secs(4);
        let error = gate.acquire(Lane::Backfill, 50, ask(50), clock.elapsed(), soon).await.unwrap_err();
        assert_eq!(
            (error.code(), error.retry()),
            ("limiter_wait_too_long", Retry::After(Duration::from_secs(5)))
        );
        drop(gate.acquire(Lane::Backfill, 50, None, clock.elapsed(), soon).await.unwrap());
        assert!(!gate.is_at_rest());
        // Another client of the store, without a budget, leaves it as it is.
        gate.configure(NonZeroU32::MIN, None, None).unwrap();
        drop(gate.acquire(Lane::Backfill, 50, ask(50), clock.elapsed(), FAR).await.unwrap());
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
        let unusable = Some(BudgetSettings::new(0.0, 1.0));
        assert_eq!(gate.configure(NonZeroU32::MIN, None, unusable).unwrap_err().code(), "budget_unusable");
    }
}
