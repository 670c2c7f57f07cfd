//! What comes before the API: paths, the shop's state, tokens and versions.

use super::documents::Documents;
use super::graphql::{self, Asked, Call, json};
use super::resolve::VERSIONS;
use super::state::State;
use crate::testkit::exchange::{Request, Response, Transport};
use crate::testkit::json::Json;

const UNKNOWN_TOKEN: &str = "[API] Invalid API key or access token (unrecognized login or wrong password)";
const PERMANENT_TOKEN: &str = "[API] Non-expiring access tokens are no longer accepted for the Admin API. Start using expiring \
     offline tokens: https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/\
     offline-access-tokens#expiring-vs-non-expiring-offline-tokens";

/// Answers any request to the shop; a call of the API is also told as one.
pub(super) fn answer(
    state: &mut State,
    documents: &Documents,
    request: &Request,
) -> (Response, Option<Call>) {
    state.base = base(request);
    if let Some(response) = closed(state) {
        return (response, None);
    }
    let path = request.path.as_str();
    if path == "/admin/oauth/access_token" {
        return (super::tokens::exchange(state, request), None);
    }
    if path == "/admin/oauth/authorize" {
        return (super::authorize::answer(state, request), None);
    }
    if let Some(rest) = path.strip_prefix("/admin/api/")
        && let Some((asked, "graphql.json")) = rest.split_once('/')
    {
        return api(state, documents, request, asked);
    }
    if path == "/admin/api/graphql.json" {
        return api(state, documents, request, "");
    }
    if let Some(name) = path.strip_prefix(super::uploads::PATH) {
        return (super::uploads::receive(state, request, name), None);
    }
    if let Some(name) = path.strip_prefix(super::bulk_files::PATH) {
        return (super::bulk_files::serve(state, request, name), None);
    }
    (errors(404, "Not Found"), None)
}

/// The address that a request came to.
fn base(request: &Request) -> String {
    let host = request.header("host").unwrap_or("lily-test.myshopify.com");
    let scheme = if request.transport == Transport::Tls { "https" } else { "http" };
    format!("{scheme}://{host}")
}

fn errors(status: u16, text: &str) -> Response {
    json(status, &Json::object([("errors", Json::text(text))]))
}

/// The answer of a shop that serves nobody.
fn closed(state: &State) -> Option<Response> {
    let conditions = &state.conditions;
    let (status, text) = match () {
        () if conditions.gone => (404, "Not Found"),
        () if conditions.frozen => (402, "Unavailable Shop"),
        () if conditions.locked => (423, "Locked"),
        () if conditions.rejected => (430, "Shopify Security Rejection"),
        () => return None,
    };
    Some(errors(status, text))
}

fn api(state: &mut State, documents: &Documents, request: &Request, asked: &str) -> (Response, Option<Call>) {
    if request.method != http::Method::POST {
        return (errors(405, "Method Not Allowed"), None);
    }
    let token = request.header("x-shopify-access-token").unwrap_or_default();
    match state.tokens.check(token, state.now) {
        super::tokens::Standing::Unknown => return (errors(401, UNKNOWN_TOKEN), None),
        super::tokens::Standing::Permanent if state.conditions.permanent_tokens_refused => {
            return (errors(403, PERMANENT_TOKEN), None);
        }
        super::tokens::Standing::Permanent | super::tokens::Standing::Expiring => {}
    }
    let Some(call) = Asked::read(request) else {
        let reason = Json::object([("query", Json::text("Required parameter missing or invalid"))]);
        return (json(400, &Json::object([("errors", reason)])), None);
    };
    if state.conditions.inactive {
        let extensions = Json::object([("code", Json::text("SHOP_INACTIVE"))]);
        let error = Json::object([("message", Json::text("Shop is not active")), ("extensions", extensions)]);
        return (json(200, &Json::object([("errors", Json::Array(vec![error]))])), None);
    }
    let debug = request.header("shopify-graphql-cost-debug") == Some("1");
    let answered = graphql::answer(state, documents, &call, debug);
    let id = state.random.next_u64();
    let response = answered
        .response
        .with_header("x-shopify-api-version", state.conditions.serves.as_deref().unwrap_or(served(asked)))
        .with_header("x-request-id", &format!("{id:016x}"));
    (response, Some(answered.call))
}

/// The version that serves a call: an unknown or retired one falls forward to the oldest.
fn served(asked: &str) -> &'static str {
    let known = VERSIONS.iter().find(|known| **known == asked);
    known.or(VERSIONS.last()).copied().unwrap_or("2026-10")
}
