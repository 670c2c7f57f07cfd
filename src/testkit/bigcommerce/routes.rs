//! From a request to an answer: the token, the rights, the route.

use super::categories::{self, To};
use super::errors::{Answer, Outcome, Problem};
use super::graphql;
use super::metafields::{self, Owner};
use super::parts::{self, Part};
use super::query::Params;
use super::state::State;
use super::{brands, product_writes, products, variants, webhooks};
use crate::testkit::exchange::Request;
use crate::testkit::json::Json;

/// A call below the store's root.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// `v2`, `v3` or `graphql`.
    pub(super) version: &'a str,
    pub(super) path: Vec<&'a str>,
    pub(super) params: Params,
    pub(super) request: &'a Request,
}

impl<'a> Call<'a> {
    /// Reads the store's hash and the call; `None` where the path is no call of a store.
    pub(super) fn read(request: &'a Request) -> Option<(&'a str, Self)> {
        let mut parts = request.path.split('/').filter(|part| !part.is_empty());
        if parts.next()? != "stores" {
            return None;
        }
        let (hash, version) = (parts.next()?, parts.next()?);
        if !matches!(version, "v2" | "v3" | "graphql") {
            return None;
        }
        let params = Params::parse(&request.query);
        Some((
            hash,
            Self { method: request.method.as_str(), version, path: parts.collect(), params, request },
        ))
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD")
    }

    /// The right that a call needs; none for hooks.
    fn scope(&self) -> Option<&'static str> {
        let (write, read) = match (self.version, self.path.first().copied()) {
            (_, Some("catalog")) => ("store_v2_products", "store_v2_products_read_only"),
            (_, Some("channels")) => ("store_channel_settings", "store_channel_settings_read_only"),
            (_, Some("store" | "time" | "settings" | "currencies")) => {
                ("store_v2_information", "store_v2_information_read_only")
            }
            _ => return None,
        };
        Some(if self.is_write() { write } else { read })
    }

    /// Whether the category tree is read, which nobody may do twice at once.
    pub(super) fn is_tree_read(request: &Request) -> bool {
        Call::read(request).is_some_and(|(_, call)| {
            matches!(call.path.as_slice(), ["catalog", "trees", id, "categories"] if id.parse::<u64>().is_ok())
        })
    }
}

/// Answers a call whose token is right.
pub(super) fn answer(state: &mut State, call: &Call<'_>) -> Outcome {
    if call.scope().is_some_and(|scope| !state.tokens.may(scope)) {
        let title = "You don't have a required scope to access the endpoint";
        return Err(Problem::new(403, title).with(Vec::new()));
    }
    let body = body(call)?;
    let outcome = dispatch(state, call, &body);
    match outcome {
        Some(outcome) => outcome,
        None => {
            state.note(format!("{} {}", call.method, call.request.path));
            Err(Problem::new(404, "No route was found for this request."))
        }
    }
}

/// The body of a write, as JSON. Multipart is not modelled: it uploads files.
fn body(call: &Call<'_>) -> Result<Json, Problem> {
    if !call.is_write() || call.request.body.is_empty() {
        return Ok(Json::Object(Vec::new()));
    }
    let kind = call.request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Problem::new(415, "The content type is not supported."));
    }
    Json::parse(&call.request.body).map_err(|_| Problem::new(400, "Input is invalid."))
}

fn dispatch(state: &mut State, call: &Call<'_>, body: &Json) -> Option<Outcome> {
    let path: &[&str] = &call.path;
    let params = &call.params;
    match (call.version, path) {
        ("graphql", []) if call.method == "POST" => Some(graphql::answer(state, body)),
        ("v3", ["catalog", rest @ ..]) => catalog(state, call, rest, body),
        ("v3", ["hooks", rest @ ..]) => hooks(state, call, rest, body),
        ("v3", ["channels", rest @ ..]) if call.method == "GET" => channels(state, params, rest),
        ("v3", ["settings", "store", "locale"]) if call.method == "GET" => {
            let data = Json::object([
                ("default_shopper_language", Json::text(state.settings.language.clone())),
                ("shopper_language_selection_method", Json::text("default_shopper_language")),
                ("store_country", Json::text("Germany")),
            ]);
            Some(Ok(Answer::data(data)))
        }
        ("v3", ["settings", "store", "units-of-measurement"]) if call.method == "GET" => {
            let data = Json::object([
                ("weight_measurement", Json::text(state.settings.weight_units.clone())),
                ("length_measurement", Json::text(state.settings.dimension_units.clone())),
                ("decimal_token", Json::text(".")),
                ("thousands_token", Json::text(",")),
                ("decimal_places", Json::Int(2)),
                ("factoring_dimension", Json::text("depth")),
            ]);
            Some(Ok(Answer::data(data)))
        }
        ("v2", ["store"]) if call.method == "GET" => Some(Ok(Answer::new(200, state.settings.store()))),
        ("v2", ["time"]) if call.method == "GET" => {
            let time = Json::object([("time", Json::Int(state.now.unix_seconds()))]);
            Some(Ok(Answer::new(200, time)))
        }
        ("v2", ["currencies"]) if call.method == "GET" => Some(Ok(Answer::new(200, currencies(state)))),
        _ => None,
    }
}

/// A number of a path; a text there is no route.
fn id(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn catalog(state: &mut State, call: &Call<'_>, path: &[&str], body: &Json) -> Option<Outcome> {
    let params = &call.params;
    Some(match (call.method, path) {
        ("GET", ["products"]) => products::list(state, params),
        ("PUT", ["products"]) => product_writes::put_batch(state, params, body),
        ("POST", ["products"]) => product_writes::post(state, params, body),
        ("DELETE", ["products"]) => product_writes::delete_many(state, params),
        (_, ["products", "category-assignments"]) => assignments(state, call, To::Categories, body)?,
        (_, ["products", "channel-assignments"]) => assignments(state, call, To::Channels, body)?,
        (_, ["products", "metafields"]) => all_metafields(state, call, "product", body)?,
        (_, ["variants", "metafields"]) => all_metafields(state, call, "variant", body)?,
        (_, ["brands", "metafields"]) => all_metafields(state, call, "brand", body)?,
        (_, ["categories", "metafields"]) => all_metafields(state, call, "category", body)?,
        (_, ["products", product]) => match call.method {
            "GET" => products::one(state, id(product)?, params),
            "PUT" => product_writes::put(state, id(product)?, params, body),
            "DELETE" => product_writes::delete(state, id(product)?),
            _ => return None,
        },
        (_, ["products", product, "metafields", rest @ ..]) => {
            own_metafields(state, call, Owner { resource: "product", id: id(product)? }, rest, body)?
        }
        (_, ["products", _, "variants", variant, "metafields", rest @ ..]) => {
            own_metafields(state, call, Owner { resource: "variant", id: id(variant)? }, rest, body)?
        }
        (_, ["brands", brand, "metafields", rest @ ..]) => {
            own_metafields(state, call, Owner { resource: "brand", id: id(brand)? }, rest, body)?
        }
        (_, ["categories", category, "metafields", rest @ ..]) => {
            own_metafields(state, call, Owner { resource: "category", id: id(category)? }, rest, body)?
        }
        ("GET", ["products", product, "variants"]) => variants::of_product(state, id(product)?, params),
        ("GET", ["products", product, "variants", variant]) => {
            variants::one(state, id(product)?, id(variant)?, params)
        }
        ("PUT", ["products", product, "variants", variant]) => {
            variants::put(state, id(product)?, id(variant)?, body)
        }
        ("GET", ["variants"]) => variants::all(state, params),
        ("PUT", ["variants"]) => variants::put_batch(state, body),
        ("GET", ["products", product, part]) => {
            parts::list(state, Part::of_path(part)?, id(product)?, params)
        }
        ("GET", ["products", product, part, row]) => {
            parts::one(state, Part::of_path(part)?, id(product)?, id(row)?)
        }
        ("PUT", ["products", product, "images", image]) => {
            parts::put_image(state, id(product)?, id(image)?, body)
        }
        ("POST", ["products", product, "images"]) => parts::post_image(state, id(product)?, body),
        ("POST", ["products", product, "custom-fields"]) => {
            parts::post_custom_field(state, id(product)?, body)
        }
        ("PUT", ["products", product, "custom-fields", row]) => {
            parts::put_custom_field(state, id(product)?, id(row)?, body)
        }
        ("DELETE", ["products", product, part, row]) => {
            parts::delete(state, Part::of_path(part)?, id(product)?, id(row)?)
        }
        ("GET", ["brands"]) => brands::list(state, params),
        ("POST", ["brands"]) => brands::post(state, body),
        ("GET", ["brands", brand]) => brands::one(state, id(brand)?),
        ("PUT", ["brands", brand]) => brands::put(state, id(brand)?, body),
        ("DELETE", ["brands", brand]) => brands::delete(state, id(brand)?),
        ("GET", ["trees"]) => categories::trees(state, params),
        ("GET", ["trees", "categories"]) => categories::list(state, params),
        ("POST", ["trees", "categories"]) => categories::post(state, body),
        ("PUT", ["trees", "categories"]) => categories::put(state, body),
        ("DELETE", ["trees", "categories"]) => categories::delete(state, params),
        ("GET", ["trees", tree, "categories"]) => categories::tree(state, id(tree)?),
        _ => return None,
    })
}

fn assignments(state: &mut State, call: &Call<'_>, to: To, body: &Json) -> Option<Outcome> {
    Some(match call.method {
        "GET" => categories::assignments(state, to, &call.params),
        "PUT" => categories::assign(state, to, body),
        "DELETE" => categories::unassign(state, to, &call.params),
        _ => return None,
    })
}

fn all_metafields(
    state: &mut State,
    call: &Call<'_>,
    resource: &'static str,
    body: &Json,
) -> Option<Outcome> {
    Some(match call.method {
        "GET" => metafields::all(state, resource, &call.params),
        "POST" => metafields::batch(state, resource, body, true),
        "PUT" => metafields::batch(state, resource, body, false),
        "DELETE" => metafields::delete_batch(state, resource, body),
        _ => return None,
    })
}

fn own_metafields(
    state: &mut State,
    call: &Call<'_>,
    owner: Owner,
    rest: &[&str],
    body: &Json,
) -> Option<Outcome> {
    Some(match (call.method, rest) {
        ("GET", []) => metafields::list(state, owner, &call.params),
        ("POST", []) => metafields::post(state, owner, body),
        ("GET", [row]) => metafields::one(state, owner, id(row)?),
        ("PUT", [row]) => metafields::put(state, owner, id(row)?, body),
        ("DELETE", [row]) => metafields::delete(state, owner, id(row)?),
        _ => return None,
    })
}

fn hooks(state: &mut State, call: &Call<'_>, rest: &[&str], body: &Json) -> Option<Outcome> {
    Some(match (call.method, rest) {
        ("GET", []) => webhooks::list(state, &call.params),
        ("POST", []) => webhooks::post(state, body),
        ("GET", ["admin"]) => webhooks::admin(state),
        ("PUT", ["admin"]) => webhooks::put_admin(state, body),
        ("GET", [hook]) => webhooks::one(state, id(hook)?),
        ("PUT", [hook]) => webhooks::put(state, id(hook)?, body),
        ("DELETE", [hook]) => webhooks::delete(state, id(hook)?),
        _ => return None,
    })
}

fn channels(state: &State, params: &Params, rest: &[&str]) -> Option<Outcome> {
    match rest {
        [] => {
            let rows: Vec<&Json> = state.channels.values().collect();
            let paging = super::query::Paging::read(state, params, None);
            Some(paging.and_then(|paging| paging.answer(state, params, rows, Json::clone)))
        }
        [channel] => {
            let found = state.channels.get(&id(channel)?).cloned();
            Some(found.map(Answer::data).ok_or_else(|| Problem::not_found("channel")))
        }
        _ => None,
    }
}

/// What `/v2/currencies` answers: a bare list.
fn currencies(state: &State) -> Json {
    let symbol = if state.settings.currency == "EUR" { "€" } else { "$" };
    let row = Json::object([
        ("id", Json::Int(1)),
        ("is_default", Json::Bool(true)),
        ("last_updated", Json::text("Mon, 02 Nov 2026 10:00:00 +0000")),
        ("country_iso2", Json::text("DE")),
        ("default_for_country_codes", Json::Array(vec![Json::text("DEU")])),
        ("currency_code", Json::text(state.settings.currency.clone())),
        ("currency_exchange_rate", Json::text("1.0000000000")),
        ("name", Json::text(state.settings.currency.clone())),
        ("token", Json::text(symbol)),
        ("auto_update", Json::Bool(false)),
        ("token_location", Json::text("left")),
        ("decimal_token", Json::text(".")),
        ("thousands_token", Json::text(",")),
        ("decimal_places", Json::Int(2)),
        ("enabled", Json::Bool(true)),
        ("is_transactional", Json::Bool(true)),
        ("use_default_name", Json::Bool(false)),
    ]);
    Json::Array(vec![row])
}
