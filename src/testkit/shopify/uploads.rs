//! Staged uploads.

use std::collections::BTreeMap;

use super::graphql::json;
use super::state::State;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;

/// Where files are sent.
pub(super) const PATH: &str = "/staged-uploads/";

#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// The files that came, by their key.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// Takes a file.
pub(super) fn receive(_state: &mut State, _request: &Request, _name: &str) -> Response {
    json(404, &Json::object([("errors", Json::text("Not Found"))]))
}
