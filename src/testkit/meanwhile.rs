//! What happens in a store between two requests, such as an edit of its merchant: every fake has it by this.

use std::sync::{Mutex, PoisonError};

use super::exchange::Request;

/// When something happens: before a request is answered, or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// What is to happen in a store `S`, each once.
pub(super) struct Meanwhile<S>(Mutex<Vec<Event<S>>>);

type Action<S> = Box<dyn FnOnce(&S) + Send>;

struct Event<S> {
    side: Side,
    /// How many of the requests that it is about are left.
    left: u64,
    is_about: Box<dyn Fn(&Request) -> bool + Send>,
    action: Option<Action<S>>,
}

impl<S> Default for Meanwhile<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Meanwhile<S> {
    /// Lets something happen at the `nth` request (counted from 1) that it is about.
    pub(super) fn add(
        &self,
        side: Side,
        nth: u64,
        is_about: impl Fn(&Request) -> bool + Send + 'static,
        action: impl FnOnce(&S) + Send + 'static,
    ) {
        let event =
            Event { side, left: nth.max(1), is_about: Box::new(is_about), action: Some(Box::new(action)) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Lets happen what is due at this request. No lock is held meanwhile: an action can use the store.
    pub(super) fn run(&self, side: Side, request: &Request, store: &S) {
        let mut due = Vec::new();
        {
            let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for event in events.iter_mut().filter(|event| event.side == side && (event.is_about)(request)) {
                event.left = event.left.saturating_sub(1);
                if event.left == 0 {
                    due.extend(event.action.take());
                }
            }
            events.retain(|event| event.action.is_some());
        }
        due.into_iter().for_each(|action| action(store));
    }
}
