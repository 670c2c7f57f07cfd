//! Webhook subscriptions.

use std::collections::BTreeMap;

use super::errors::FieldError;
use super::search;
use super::state::State;
use super::value::{Args, Out};

#[derive(Debug, Default)]
pub(super) struct Webhooks {
    pub(super) all: BTreeMap<u64, ()>,
}

impl State {
    /// Tells subscribers of a change of a product.
    pub(super) fn fire_product(&mut self, _topic: &'static str, _id: u64) {}
}

pub(super) fn field(_state: &State, _id: u64, name: &str) -> Result<Out, FieldError> {
    Err(FieldError::undefined("WebhookSubscription", name))
}

pub(super) fn root(
    _state: &State,
    name: &str,
    _args: &Args,
    _notes: &mut Vec<search::Note>,
) -> Result<Out, FieldError> {
    Err(FieldError::undefined("QueryRoot", name))
}
