//! The files of bulk jobs, served beside the API: without a token, whole or in ranges.

use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::bulk::Bulk;
use super::state::State;
use super::value::gid;
use crate::testkit::exchange::{Request, Response};

/// Where files are fetched.
pub(super) const PATH: &str = "/bulk-files/";

/// The address of a job's file, signed.
pub(super) fn url(state: &State, bulk: &Bulk) -> String {
    format!("{}{PATH}{}?signature={}", state.base, bulk.id, signature(bulk.id))
}

fn signature(id: u64) -> String {
    format!("{:016x}", XxHash3_64::oneshot(gid("BulkOperation", id).as_bytes()))
}

fn refused(status: u16, code: &str) -> Response {
    Response::new(status)
        .with_header("content-type", "application/xml; charset=UTF-8")
        .with_body(format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"))
}

/// Serves a file.
pub(super) fn serve(state: &mut State, request: &Request, name: &str) -> Response {
    if request.header("x-shopify-access-token").is_some() || request.header("authorization").is_some() {
        state.documents.note("bulk file", None, "a token was sent to the address of a file", &request.path);
        return refused(400, "InvalidArgument");
    }
    let bulk = name.parse::<u64>().ok().and_then(|id| state.bulks.all.get(&id));
    let Some((bulk, outcome)) = bulk.and_then(|bulk| Some((bulk, bulk.outcome.as_ref()?))) else {
        return refused(404, "NoSuchKey");
    };
    if request.query != format!("signature={}", signature(bulk.id)) {
        return refused(403, "SignatureDoesNotMatch");
    }
    let age = state.now.since(bulk.created);
    let settings = &state.bulks.settings;
    if age >= settings.keep_for + settings.start_after + settings.run_for {
        return refused(400, "ExpiredToken");
    }
    let bytes = Arc::clone(&outcome.bytes);
    let etag = format!("\"{:016x}\"", XxHash3_64::oneshot(&bytes));
    let whole = |status: u16| {
        Response::new(status)
            .with_header("content-type", "application/jsonl")
            .with_header("etag", &etag)
            .with_header("accept-ranges", if settings.ranges { "bytes" } else { "none" })
    };
    let fits = request.header("if-range").is_none_or(|known| known == etag);
    let range = request.header("range").filter(|_| settings.ranges && fits);
    let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
        return whole(200).with_body(bytes.to_vec());
    };
    let (from, to) = range.split_once('-').unwrap_or((range, ""));
    let last = bytes.len().saturating_sub(1);
    let from = from.parse::<usize>().unwrap_or(0);
    let to = to.parse::<usize>().unwrap_or(last).min(last);
    match bytes.get(from..=to) {
        Some(part) if from <= last => whole(206)
            .with_header("content-range", &format!("bytes {from}-{to}/{}", bytes.len()))
            .with_body(part.to_vec()),
        _ => whole(416).with_header("content-range", &format!("bytes */{}", bytes.len())),
    }
}
