//! The files of bulk jobs.

use super::graphql::json;
use super::state::State;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;

/// Where files are fetched.
pub(super) const PATH: &str = "/bulk-files/";

/// Serves a file.
pub(super) fn serve(_state: &mut State, _request: &Request, _name: &str) -> Response {
    json(404, &Json::object([("errors", Json::text("Not Found"))]))
}
