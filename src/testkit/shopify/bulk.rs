//! Bulk jobs.

use std::collections::BTreeMap;

use super::errors::FieldError;
use super::search;
use super::state::State;
use super::value::{Args, Out};

#[derive(Debug, Default)]
pub(super) struct Bulks {
    pub(super) all: BTreeMap<u64, ()>,
}

pub(super) fn field(_state: &State, _id: u64, name: &str) -> Result<Out, FieldError> {
    Err(FieldError::undefined("BulkOperation", name))
}

pub(super) fn root(
    _state: &State,
    name: &str,
    _args: &Args,
    _notes: &mut Vec<search::Note>,
) -> Result<Out, FieldError> {
    Err(FieldError::undefined("QueryRoot", name))
}
