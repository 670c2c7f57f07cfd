//! From a request to an answer: the site's state, the route, the caller, the handler.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::auth::{self, Scheme};
use super::errors::ApiError;
use super::product::Product;
use super::query::Params;
use super::render::{Form, Renderer};
use super::site::{self, Wire};
use super::state::{Conditions, State};
use super::{Answer, Call, items, lists, provisioning, settings, taxonomies, webhooks};
use crate::testkit::exchange::{Request, Response, Transport};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// How many ids related products are drawn from.
const POOL: usize = 64;

/// Answers one request.
///
/// `loaded` is what slow saves loaded when they arrived.
pub(super) fn answer(
    state: &mut State,
    request: &Request,
    now: Timestamp,
    loaded: &BTreeMap<u64, Product>,
) -> Response {
    let request = &*arrived(&state.conditions, request);
    if let Some(response) = site::broken(&state.conditions, request, now) {
        return response;
    }
    let home = home(state, request);
    state.last_home = Some(home.clone());
    let mut params = Params::parse(&request.query);
    let base = home.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let path = path.strip_prefix(base).unwrap_or(path).trim_start_matches('/');
    let (route, by_rest_route) = match (path.strip_prefix("wp-json"), params.get("rest_route")) {
        (Some(_), _) if state.conditions.plain_permalinks => {
            return site::plain_permalinks(request, &home, now);
        }
        (Some(rest), _) if rest.is_empty() || rest.starts_with('/') => (rest.to_owned(), false),
        (_, Some(route)) => (route.to_owned(), true),
        (None, None) if path.starts_with("wc-auth/v1/") && !state.conditions.plain_permalinks => {
            return provisioning::page(path, &params, &home, now);
        }
        _ => return site::shop_page(request, &home, now),
    };
    let route = route.trim_end_matches('/').to_owned();
    let head_only = request.method == http::Method::HEAD;

    let signed_url = format!(
        "{home}{}",
        request
            .path
            .strip_prefix(&format!("/{base}"))
            .map_or_else(|| request.path.clone(), |rest| format!("/{}", rest.trim_start_matches('/')),)
    );
    let now_seconds = now.unix_seconds();
    let identified = auth::identify(&mut state.keys, request, &params, &signed_url, now_seconds);
    let fields = params.list("_fields").filter(|fields| !fields.is_empty());
    let caller = match identified {
        Ok(caller) => caller,
        Err((error, scheme)) => {
            // A key without the right to write is known; all other failures leave the caller unknown.
            let known = error.message.contains("permissions");
            let conditions = state.conditions.clone();
            let wire = Wire { conditions: &conditions, home: &home, now, known, fields, head_only };
            let response = wire.write(Err((error, None)));
            return match scheme {
                _ if known => response,
                Scheme::Basic => response.with_header("www-authenticate", "Basic realm=\"WooCommerce API\""),
                Scheme::OAuth => response.with_header("www-authenticate", "OAuth realm=\"WooCommerce API\""),
            };
        }
    };

    let method = match params.get("_method").or_else(|| request.header("x-http-method-override")) {
        Some(method) if request.method == http::Method::POST => method.to_ascii_uppercase(),
        _ if head_only => "GET".to_owned(),
        _ => request.method.as_str().to_owned(),
    };
    params.remove("_method");
    let pool: Vec<u64> = state
        .products
        .values()
        .filter(|product| product.status == "publish" && !product.is_variation())
        .map(|product| product.id)
        .take(POOL)
        .collect();
    let draw = state.random.next_u64();
    let outcome = body(request).and_then(|(body, broken_json)| {
        let call = Call {
            method: &method,
            params,
            body,
            caller,
            home: &home,
            route: &route,
            by_rest_route,
            now,
            pool: &pool,
            draw,
            loaded,
        };
        dispatch(state, &call, broken_json)
    });
    let wire =
        Wire { conditions: &state.conditions, home: &home, now, known: caller.is_some(), fields, head_only };
    wire.write(outcome)
}

/// The request as it gets past the web server.
fn arrived<'a>(conditions: &Conditions, request: &'a Request) -> Cow<'a, Request> {
    let mut request = Cow::Borrowed(request);
    if conditions.authorization_stripped {
        request.to_mut().headers.remove(http::header::AUTHORIZATION);
    }
    if conditions.https_hidden {
        request.to_mut().transport = Transport::Plain;
    }
    request
}

/// Copies of the products that a request names, in its path or in the updates of a batch.
pub(super) fn named(state: &State, request: &Request) -> BTreeMap<u64, Product> {
    let in_path = request.path.split('/').chain(request.query.split(['/', '&'])).map(str::to_owned);
    let mut ids: Vec<u64> = in_path.filter_map(|part| part.parse().ok()).collect();
    if let Ok((entries, _)) = body(request) {
        let updates = entries.iter().find(|(key, _)| key == "update").and_then(|(_, list)| list.as_array());
        ids.extend(updates.unwrap_or_default().iter().filter_map(|item| item.get("id")?.as_id()));
    }
    ids.into_iter().filter_map(|id| Some((id, state.products.get(&id)?.clone()))).collect()
}

/// The site's address: as configured, else by the `Host` header; its scheme is how the request came in.
fn home(state: &State, request: &Request) -> String {
    let scheme = if request.transport == Transport::Tls { "https" } else { "http" };
    let rest = match &state.settings.home {
        Some(home) => home.split_once("://").map_or(home.as_str(), |(_, rest)| rest),
        None => request.header("host").unwrap_or("localhost"),
    };
    format!("{scheme}://{}", rest.trim_end_matches('/'))
}

type Failed = (ApiError, Option<&'static str>);

/// The entries of a JSON body; the error that broken JSON gives is told only once the route is known.
#[expect(clippy::type_complexity, reason = "the pair is taken apart at its one use")]
fn body(request: &Request) -> Result<(Vec<(String, Json)>, Option<ApiError>), Failed> {
    let text = request.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&request.body);
    let is_json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
    if text.is_empty() || !is_json {
        return Ok((Vec::new(), None));
    }
    Ok(match Json::parse(text) {
        Ok(Json::Object(entries)) => (entries, None),
        Ok(_) => (Vec::new(), None),
        Err(_) => {
            let error = ApiError::new(400, "rest_invalid_json", "Invalid JSON body passed.")
                .with("json_error_code", 4)
                .with("json_error_message", "Syntax error");
            (Vec::new(), Some(error))
        }
    })
}

const ITEM: &str = "GET, POST, PUT, PATCH, DELETE";
const LIST: &str = "GET, POST";
const BATCH: &str = "POST, PUT, PATCH";

fn dispatch(state: &mut State, call: &Call<'_>, broken_json: Option<ApiError>) -> Result<Answer, Failed> {
    let parts: Vec<&str> = call.route.split('/').filter(|part| !part.is_empty()).collect();
    let no_route = || (ApiError::no_route(), None);
    let Some(("wc", parts)) = parts.split_first().map(|(first, rest)| (*first, rest)) else {
        return match (parts.as_slice(), call.method) {
            ([], "GET") => Ok(settings::index(state, call).allowing("GET")),
            _ => Err(no_route()),
        };
    };
    let Some(("v3", parts)) = parts.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(no_route());
    };
    let writes = matches!(call.method, "POST" | "PUT" | "PATCH");
    let edits = writes || call.method == "DELETE";
    let id = |text: &str| text.parse::<u64>().map_err(|_| no_route());
    // A broken body is told before anything else that the route would do.
    let checked = |allow: &'static str| match &broken_json {
        Some(error) => Err((error.clone(), Some(allow))),
        None => Ok(()),
    };
    let with = |allow: &'static str| move |error: ApiError| (error, Some(allow));
    match (parts, call.method) {
        (["products"], "GET") => {
            checked(LIST)?;
            lists::list(call, renderer(state, call), lists::Of::Products).map_err(with(LIST))
        }
        (["products"], "POST") => {
            checked(LIST)?;
            items::create_product(state, call).map(|a| a.allowing(LIST)).map_err(with(LIST))
        }
        (["products", "batch"], _) if writes => {
            checked(BATCH)?;
            items::batch(state, call, None).map(|a| a.allowing(BATCH)).map_err(with(BATCH))
        }
        (["products", one], method)
            if one.bytes().all(|b| b.is_ascii_digit()) && (method == "GET" || edits) =>
        {
            checked(ITEM)?;
            items::product(state, call, id(one)?).map(|a| a.allowing(ITEM)).map_err(with(ITEM))
        }
        (["products", parent, "variations"], "GET") => {
            checked(LIST)?;
            let of = lists::Of::Children(id(parent)?);
            lists::list(call, renderer(state, call), of).map_err(with(LIST))
        }
        (["products", parent, "variations"], "POST") => {
            checked(LIST)?;
            let parent = id(parent)?;
            items::create_variation(state, call, parent).map(|a| a.allowing(LIST)).map_err(with(LIST))
        }
        (["products", parent, "variations", "batch"], _) if writes => {
            checked(BATCH)?;
            let parent = id(parent)?;
            items::batch(state, call, Some(parent)).map(|a| a.allowing(BATCH)).map_err(with(BATCH))
        }
        (["products", parent, "variations", one], method) if method == "GET" || edits => {
            checked(ITEM)?;
            let (parent, one) = (id(parent)?, id(one)?);
            items::variation(state, call, parent, one).map(|a| a.allowing(ITEM)).map_err(with(ITEM))
        }
        (["variations"], "GET") if !state.conditions.no_variations_list => {
            lists::list(call, renderer(state, call), lists::Of::AllChildren).map_err(with("GET"))
        }
        (["webhooks"], "GET") => webhooks::list(state, call).map(|a| a.allowing(LIST)).map_err(with(LIST)),
        (["webhooks"], "POST") => {
            checked(LIST)?;
            webhooks::create(state, call).map(|a| a.allowing(LIST)).map_err(with(LIST))
        }
        (["webhooks", "batch"], _) if writes => {
            checked(BATCH)?;
            webhooks::batch(state, call).map(|a| a.allowing(BATCH)).map_err(with(BATCH))
        }
        (["webhooks", one], method) if method == "GET" || edits => {
            checked(ITEM)?;
            webhooks::item(state, call, id(one)?).map(|a| a.allowing(ITEM)).map_err(with(ITEM))
        }
        (["products", rest @ .., "batch"], _) if writes => {
            let Some(place) = taxonomies::Place::of(rest).filter(|place| place.item.is_none()) else {
                return Err(no_route());
            };
            checked(BATCH)?;
            taxonomies::batch(state, call, place).map(|a| a.allowing(BATCH)).map_err(with(BATCH))
        }
        (["products", "brands", ..], _) if state.conditions.no_brands => Err(no_route()),
        (["products", rest @ ..], method) if method == "GET" || edits => {
            let Some(place) = taxonomies::Place::of(rest) else { return Err(no_route()) };
            let allow = if place.item.is_some() { ITEM } else { LIST };
            if place.item.is_none() && !matches!(method, "GET" | "POST") {
                return Err(no_route());
            }
            checked(allow)?;
            taxonomies::answer(state, call, place).map(|a| a.allowing(allow)).map_err(with(allow))
        }
        (["settings", "products", one], "GET") => settings::setting(state, call, one)
            .map(|a| a.allowing("GET, POST, PUT, PATCH"))
            .map_err(with("GET, POST, PUT, PATCH")),
        (["data", "currencies", "current"], "GET") => {
            settings::currency(state, call).map(|a| a.allowing("GET")).map_err(with("GET"))
        }
        (["system_status"], "GET") => {
            settings::system_status(state, call).map(|a| a.allowing("GET")).map_err(with("GET"))
        }
        _ => Err(no_route()),
    }
}

/// A renderer in the form that the call asks for.
pub(super) fn renderer<'a>(state: &'a State, call: &Call<'a>) -> Renderer<'a> {
    let form = if call.params.get("context") == Some("edit") { Form::Edit } else { Form::View };
    Renderer { state, home: call.home, now: call.now, form }
}
