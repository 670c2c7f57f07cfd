//! The page that asks the merchant for the app: here one who accepts at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Url, form_urlencoded};

use super::graphql::json;
use super::state::State;
use super::tokens::signed;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;

fn refused(what: &str) -> Response {
    json(
        400,
        &Json::object([("error", Json::text("invalid_request")), ("error_description", Json::text(what))]),
    )
}

/// `GET /admin/oauth/authorize`: leads back to the app with a code, signed with the app's secret.
pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    if request.method != http::Method::GET {
        return refused("Use GET");
    }
    let asked = |wanted: &str| {
        form_urlencoded::parse(request.query.as_bytes())
            .find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
            .unwrap_or_default()
    };
    if asked("client_id") != state.shop.client_id {
        return refused("Could not find the app");
    }
    let Ok(mut back) = Url::parse(&asked("redirect_uri")) else {
        return refused("The redirect_uri is not whitelisted");
    };
    let code = format!("{:016x}{:016x}", state.random.next_u64(), state.random.next_u64());
    state.tokens.add_code(&code);
    let name = state.shop.myshopify_domain.split('.').next().unwrap_or_default();
    let host = STANDARD.encode(format!("admin.shopify.com/store/{name}"));
    // The order of the names is that of the alphabet: so they are signed.
    let text = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("host", &host)
        .append_pair("shop", &state.shop.myshopify_domain)
        .append_pair("state", &asked("state"))
        .append_pair("timestamp", &state.now.unix_seconds().to_string())
        .finish();
    let hmac: String =
        signed(&state.shop.client_secret, text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    back.set_query(Some(&format!("{text}&hmac={hmac}")));
    Response::new(302).with_header("location", back.as_str())
}
