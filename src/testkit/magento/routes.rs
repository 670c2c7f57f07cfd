//! From an address to an answer.

use super::bulk;
use super::catalog;
use super::errors::ApiError;
use super::events;
use super::fields;
use super::inventory;
use super::oauth::form_decode;
use super::product::GLOBAL;
use super::query::Query;
use super::render::{self, Place};
use super::search::Criteria;
use super::settings::Edition;
use super::state::State;
use super::tokens;
use super::write;
use super::write_media;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;

/// A call of the API, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: String,
    /// The segments behind `V1`, decoded.
    pub(super) path: Vec<String>,
    pub(super) query: Query,
    pub(super) body: Json,
    /// The view that it is for; 0 is the global scope.
    pub(super) view: u64,
}

/// How a call is to be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Now,
    Later,
    LaterMany,
}

/// Answers a request.
pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    bulk::settle(state);
    let language = state.conditions.language.clone();
    let response = match respond(state, request) {
        Ok(response) => response,
        Err(error) => {
            // A module that a condition takes away is not unknown.
            let conditions = &state.conditions;
            let is_taken_away = (conditions.without_events && request.path.contains("/eventing/"))
                || (conditions.without_async && request.path.contains("/async/"));
            if error.message == ApiError::no_route().message && !is_taken_away {
                state.unexpected(format!("{} {}", request.method, request.path));
            }
            error.response(language.as_deref())
        }
    };
    // The store's own clock, and not the machine's.
    response.with_header("date", &state.now.to_http_date())
}

fn respond(state: &mut State, request: &Request) -> Result<Response, ApiError> {
    if state.conditions.firewall {
        return Err(ApiError::page(403, "Access denied"));
    }
    if request.path == events::KEY_PATH && request.method == "GET" {
        let pem = Response::new(200).with_header("content-type", "application/x-pem-file");
        return Ok(pem.with_body(events::public_key()));
    }
    if request.path == "/ims/token/v3" && request.method == "POST" {
        return Ok(tokens::ims(state, request));
    }
    if state.conditions.maintenance {
        return Err(ApiError::page(503, "Service Temporarily Unavailable"));
    }
    if let Some(refusal) = ordered(state, request) {
        return Err(refusal);
    }
    let encoded_slash = request.path.to_ascii_lowercase().contains("%2f");
    if encoded_slash && !state.conditions.encoded_slashes {
        return Err(ApiError::page(404, "Not Found"));
    }
    if let (Some(version), true) =
        (&state.conditions.told_version, request.path.ends_with("/magento_version"))
    {
        return Ok(Response::new(200).with_header("content-type", "text/plain").with_body(version.clone()));
    }
    let (mode, mut call) = take_apart(state, request)?;
    if let Some(access) = handshake(&call) {
        return Ok(tokens::handshake(state, request, access));
    }
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let public = matches!(
        path.as_slice(),
        ["integration", "admin", "token"] | ["tfa", "provider", "google" | "authy", "authenticate"]
    );
    if !public {
        let resource = resource(&call.method, &path, mode);
        let (edition, conditions, now) = (state.settings.edition, state.conditions.clone(), state.now);
        state.callers.identify(request, &conditions, edition, resource, now)?;
        if !state.callers.may(resource) {
            return Err(ApiError::unauthorized(resource));
        }
    }
    if matches!(call.method.as_str(), "POST" | "PUT") {
        call.body = body(request)?;
    }
    let (status, answer) = match mode {
        Mode::Now => (200, dispatch(state, &call)?),
        _ if state.conditions.without_async => return Err(ApiError::no_route()),
        Mode::Later => (202, bulk::accept(state, &call, false)?),
        Mode::LaterMany => (202, bulk::accept(state, &call, true)?),
    };
    let answer = match call.query.get("fields") {
        Some(selection) => fields::trim(answer, selection),
        None => answer,
    };
    // XML comes first where the caller takes it.
    if request
        .header("accept")
        .is_some_and(|accept| accept.contains("xml") && !accept.starts_with("application/json"))
    {
        let xml = Response::new(status).with_header("content-type", "application/xml; charset=utf-8");
        return Ok(xml.with_body("<?xml version=\"1.0\"?>\n<response/>\n"));
    }
    Ok(Response::new(status)
        .with_header("content-type", "application/json; charset=utf-8")
        .with_body(answer.to_php()))
}

/// A refusal that a test ordered for this request.
fn ordered(state: &mut State, request: &Request) -> Option<ApiError> {
    let mut refused = None;
    for order in state.refusals.iter_mut().filter(|order| order.times > 0 && (order.predicate)(request)) {
        if order.left > 1 {
            order.left -= 1;
        } else if refused.is_none() {
            order.times -= 1;
            refused = Some(order.refusal.error());
        }
    }
    refused
}

/// The parts of an address, of one form or the other.
fn take_apart(state: &mut State, request: &Request) -> Result<(Mode, Call), ApiError> {
    let cloud = state.settings.edition == Edition::CloudService;
    let path = request.path.strip_prefix(state.settings.base_path.as_str()).ok_or_else(not_here)?;
    let mut rest: Vec<&str> = path.trim_matches('/').split('/').collect();
    if state.conditions.needs_index_php && rest.first() != Some(&"index.php") {
        return Err(not_here());
    }
    if rest.first() == Some(&"index.php") {
        rest.remove(0);
    }
    let mut view = state.default_view();
    let mut mode = Mode::Now;
    if rest.first() == Some(&"oauth") {
        let call = Call {
            method: request.method.to_string(),
            path: rest.into_iter().map(str::to_owned).collect(),
            query: Query::parse(""),
            body: Json::Null,
            view,
        };
        return Ok((mode, call));
    }
    if cloud {
        if rest.first() != Some(&state.settings.tenant.as_str()) || rest.get(1) != Some(&"V1") {
            return Err(ApiError::no_route());
        }
        rest.drain(..2);
        if let Some(code) = request.header("store") {
            let named = state.view_id(code);
            view = named.ok_or_else(|| {
                ApiError::new(
                    404,
                    "The store that was requested wasn't found. Verify the store and try again.",
                )
            })?;
        }
        if rest.first() == Some(&"async") {
            rest.remove(0);
            mode = later(&mut rest);
        }
    } else {
        if rest.first() != Some(&"rest") {
            return Err(not_here());
        }
        rest.remove(0);
        if let Some(named) = rest.first().filter(|code| !matches!(**code, "V1" | "async")) {
            view = state.view_id(&form_decode(named)).ok_or_else(ApiError::no_route)?;
            rest.remove(0);
        }
        if rest.first() == Some(&"async") {
            rest.remove(0);
            mode = later(&mut rest);
        }
        if rest.first() != Some(&"V1") {
            return Err(ApiError::no_route());
        }
        rest.remove(0);
    }
    let call = Call {
        method: request.method.to_string(),
        path: rest.into_iter().map(form_decode).collect(),
        query: Query::parse(&request.query),
        body: Json::Null,
        view,
    };
    Ok((mode, call))
}

fn later(rest: &mut Vec<&str>) -> Mode {
    if rest.first() == Some(&"bulk") {
        rest.remove(0);
        return Mode::LaterMany;
    }
    Mode::Later
}

/// A path that no application answers.
fn not_here() -> ApiError {
    ApiError::page(404, "Not Found")
}

/// Whether a call is a step of the handshake, and whether it is the second.
fn handshake(call: &Call) -> Option<bool> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("POST", ["oauth", "token", "request"]) => Some(false),
        ("POST", ["oauth", "token", "access"]) => Some(true),
        _ => None,
    }
}

fn body(request: &Request) -> Result<Json, ApiError> {
    if request.body.is_empty() {
        return Ok(Json::object::<String>([]));
    }
    match request.header("content-type") {
        None | Some("") => return Err(ApiError::bad("Content-Type header is empty.")),
        Some(kind) if !kind.starts_with("application/json") => {
            return Err(ApiError::new(
                400,
                "Server cannot understand Content-Type HTTP header media type %1",
            )
            .list([kind]));
        }
        Some(_) => {}
    }
    Json::parse(&request.body).map_err(|_| ApiError::bad("Decoding error."))
}

/// The right that a route asks for.
fn resource(method: &str, path: &[&str], mode: Mode) -> &'static str {
    match path {
        ["products", "attributes", ..] if mode == Mode::Now && method != "GET" => {
            "Magento_Catalog::attributes_attributes"
        }
        ["products", "attribute-sets", ..] => "Magento_Catalog::sets",
        ["categories", ..] => "Magento_Catalog::categories",
        ["inventory", "sources", ..] => "Magento_InventoryApi::source",
        ["inventory", "source-items", ..] => "Magento_InventoryApi::source",
        ["inventory", ..] => "Magento_InventorySalesApi::stock",
        ["stockItems", ..] => "Magento_CatalogInventory::cataloginventory",
        ["products", _, "stockItems", _] => "Magento_CatalogInventory::cataloginventory",
        ["store", ..] => "Magento_Backend::store",
        ["bulk", ..] => "Magento_Logging::system_magento_logging_bulk_operations",
        ["eventing", ..] => "Magento_AdobeCommerceEventsClient::event_subscribe",
        ["webhooks", ..] => "Magento_AdobeCommerceWebhooks::webhooks",
        _ => "Magento_Catalog::products",
    }
}

/// Does what a call asks for.
pub(super) fn dispatch(state: &mut State, call: &Call) -> Result<Json, ApiError> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let (query, body, view) = (&call.query, &call.body, call.view);
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["products"]) => products(state, query, view),
        ("GET", ["products", "attributes"]) => catalog::attributes(state, query, view),
        ("GET", ["products", "attributes", code]) => Ok(catalog::find(state, code)?.json(view)),
        ("GET", ["products", "attributes", code, "options"]) => {
            Ok(catalog::find(state, code)?.options_json(view))
        }
        ("POST", ["products", "attributes", code, "options"]) => catalog::add_option(state, code, body),
        ("PUT", ["products", "attributes", code, "options", id]) => {
            catalog::change_option(state, code, id, body)
        }
        ("DELETE", ["products", "attributes", code, "options", id]) => {
            catalog::remove_option(state, code, id)
        }
        ("GET", ["products", "attribute-sets", "sets", "list"]) => catalog::sets(state, query),
        ("GET", ["products", "attribute-sets", id]) => catalog::set(state, id),
        ("GET", ["products", "attribute-sets", id, "attributes"]) => catalog::set_attributes(state, id, view),
        ("GET", ["products", "types"]) => Ok(types()),
        ("POST", ["products"]) => saved(state, body, None, view),
        ("PUT", ["products", sku]) => saved(state, body, Some(sku), view),
        ("GET", ["products", sku]) => {
            let product = state.by_sku(sku).ok_or_else(ApiError::no_product)?;
            Ok(render::product(state, product, view, Place::Alone))
        }
        ("DELETE", ["products", sku]) => {
            let id = state.id_of(sku)?;
            state.delete(id);
            Ok(Json::Bool(true))
        }
        ("GET", ["products", sku, "media"]) => {
            Ok(render::gallery(state.by_sku(sku).ok_or_else(ApiError::no_product)?, view))
        }
        ("POST", ["products", sku, "media"]) => write_media::add(state, sku, body, view),
        ("GET", ["products", sku, "media", id]) => {
            let product = state.by_sku(sku).ok_or_else(ApiError::no_product)?;
            let entry = id.parse().ok().and_then(|id| product.picture(id));
            let gone = || {
                ApiError::new(404, "No image with the provided ID was found. Verify the ID and try again.")
            };
            Ok(render::media_entry(product, entry.ok_or_else(gone)?, view))
        }
        ("PUT", ["products", sku, "media", _]) => write_media::update(state, sku, body, view),
        ("DELETE", ["products", sku, "media", id]) => {
            write_media::remove(state, sku, id.parse().unwrap_or(0))
        }
        ("PUT", ["products", sku, "stockItems", _]) => inventory::save_stock_item(state, sku, body),
        ("GET", ["stockItems", sku]) => {
            Ok(inventory::stock_item(state.by_sku(sku).ok_or_else(ApiError::no_product)?))
        }
        ("GET", ["configurable-products", sku, "children"]) => catalog::children(state, sku, view),
        ("GET", ["configurable-products", sku, "options", "all"]) => {
            catalog::configurable_options(state, sku)
        }
        ("POST", ["configurable-products", sku, "options"]) => {
            catalog::add_configurable_option(state, sku, body)
        }
        ("POST", ["configurable-products", sku, "child"]) => catalog::add_child(state, sku, body),
        ("GET", ["categories"]) => catalog::tree(state, query, view),
        ("GET", ["categories", "list"]) => catalog::categories(state, query, view),
        ("GET", ["categories", id]) => catalog::category(state, id, view),
        ("GET", ["categories", id, "products"]) => catalog::category_products(state, id),
        ("POST" | "PUT", ["categories", id, "products"]) => catalog::link(state, id, body),
        ("DELETE", ["categories", id, "products", sku]) => catalog::unlink(state, id, sku),
        ("POST", ["categories"]) => catalog::save_category(state, None, body, view),
        ("PUT", ["categories", id]) => catalog::save_category(state, Some(id), body, view),
        ("GET", ["store", "storeViews"]) => Ok(store_views(state)),
        ("GET", ["store", "storeGroups"]) => Ok(store_groups(state)),
        ("GET", ["store", "websites"]) => Ok(websites(state)),
        ("GET", ["store", "storeConfigs"]) => Ok(store_configs(state, query)),
        ("GET", ["modules"]) => Ok(modules(state)),
        ("GET", ["inventory", "source-items"]) => inventory::source_items(state, query),
        ("POST", ["inventory", "source-items"]) => inventory::save_source_items(state, body),
        ("GET", ["inventory", "sources"]) => inventory::sources(state, query),
        ("GET", ["inventory", "get-product-salable-quantity", sku, _]) => inventory::salable(state, sku),
        ("GET", ["bulk"]) => bulk::list(state, query),
        ("GET", ["bulk", uuid, what @ ..]) => bulk::status(state, uuid, what),
        ("POST", ["integration", "admin", "token"]) => tokens::admin_token(state, body, false),
        ("POST", ["tfa", "provider", "google" | "authy", "authenticate"]) => {
            tokens::admin_token(state, body, true)
        }
        (_, ["eventing" | "webhooks", ..]) if state.conditions.without_events => Err(ApiError::no_route()),
        ("POST", ["eventing", "eventSubscribe"]) => events::subscribe(state, body),
        ("POST", ["eventing", "eventUnsubscribe", name]) => events::unsubscribe(state, name),
        ("GET", ["eventing", "getEventSubscriptions"]) => {
            Ok(Json::Array(state.eventing.subscriptions.clone()))
        }
        ("POST", ["webhooks", "subscribe"]) => events::webhook(state, body, true),
        ("POST", ["webhooks", "unsubscribe"]) => events::webhook(state, body, false),
        ("GET", ["webhooks", "list"]) => Ok(Json::Array(state.eventing.webhooks.clone())),
        _ => Err(ApiError::no_route()),
    }
}

fn saved(state: &mut State, body: &Json, sku: Option<&str>, view: u64) -> Result<Json, ApiError> {
    let id = write::save(state, view, body, sku)?;
    let product = state.products.get(&id).ok_or_else(ApiError::no_product)?;
    Ok(render::product(state, product, view, Place::Alone))
}

/// `GET /V1/products`.
fn products(state: &mut State, query: &Query, view: u64) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    const COLUMNS: [&str; 10] = [
        "entity_id",
        "sku",
        "type_id",
        "attribute_set_id",
        "created_at",
        "updated_at",
        "category_id",
        "website_id",
        "store_id",
        "store",
    ];
    if let Some(unknown) = criteria.fields().find(|f| !COLUMNS.contains(f) && state.attribute(f).is_none()) {
        return Err(ApiError::bad("The \"%1\" attribute name is invalid. Reset the name and try again.")
            .list([unknown]));
    }
    let random = state.random();
    let all: Vec<_> = state.products.values().collect();
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some(product) = all.get(at) else { return Vec::new() };
        match field {
            "entity_id" => vec![product.id.to_string()],
            "sku" => vec![product.sku.clone()],
            "type_id" => vec![product.type_id.clone()],
            "attribute_set_id" => vec![product.attribute_set_id.to_string()],
            "created_at" => vec![render::date(product.created)],
            "updated_at" => vec![render::date(product.updated)],
            "category_id" => product.categories.iter().map(|link| link.category.to_string()).collect(),
            "website_id" => product.websites.iter().map(u64::to_string).collect(),
            "store_id" | "store" => vec![view.to_string()],
            code => product.value(view, code).map(str::to_owned).into_iter().collect(),
        }
    };
    let (found, total) = criteria.play(all.len(), &state.conditions, random, value);
    let page = found.into_iter().filter_map(|at| all.get(at));
    let items = page.map(|product| render::product(state, product, view, Place::List)).collect();
    Ok(criteria.answer(items, total))
}

fn types() -> Json {
    let entry = |(name, label): (&str, &str)| {
        Json::object([("name", Json::text(name)), ("label", Json::text(label))])
    };
    let known = [
        ("simple", "Simple Product"),
        ("virtual", "Virtual Product"),
        ("configurable", "Configurable Product"),
    ];
    Json::Array(known.into_iter().map(entry).collect())
}

/// The admin's own view comes first in lists of views, groups and websites.
fn store_views(state: &State) -> Json {
    let admin = Json::object([
        ("id", Json::from(0)),
        ("code", Json::text("admin")),
        ("name", Json::text("Admin")),
        ("website_id", Json::from(0)),
        ("store_group_id", Json::from(0)),
        ("is_active", Json::from(1)),
    ]);
    Json::Array(std::iter::once(admin).chain(state.views.iter().map(super::views::StoreView::json)).collect())
}

fn store_groups(state: &State) -> Json {
    let admin = Json::object([
        ("id", Json::from(0)),
        ("website_id", Json::from(0)),
        ("root_category_id", Json::from(0)),
        ("default_store_id", Json::from(0)),
        ("name", Json::text("Default")),
        ("code", Json::text("default")),
    ]);
    let groups =
        state.websites.iter().map(|website| website.group(state.views_of(website.id).next().unwrap_or(0)));
    Json::Array(std::iter::once(admin).chain(groups).collect())
}

fn websites(state: &State) -> Json {
    let admin = Json::object([
        ("id", Json::from(0)),
        ("code", Json::text("admin")),
        ("name", Json::text("Admin")),
        ("default_group_id", Json::from(0)),
    ]);
    Json::Array(
        std::iter::once(admin).chain(state.websites.iter().map(super::views::Website::json)).collect(),
    )
}

/// The configuration of all views, or of those that `storeCodes[]` names.
fn store_configs(state: &State, query: &Query) -> Json {
    let settings = &state.settings;
    let named: Vec<&str> = query.under(&["storeCodes"]).map(|(_, code)| code).collect();
    let configs = state.views.iter().filter(|view| named.is_empty() || named.contains(&view.code.as_str()));
    let configs = configs.map(|view| view.config(&settings.home, &settings.weight_unit));
    Json::Array(configs.collect())
}

fn modules(state: &State) -> Json {
    let mut names =
        vec!["Magento_Catalog", "Magento_Store", "Magento_ConfigurableProduct", "Magento_InventoryApi"];
    if !state.conditions.without_async {
        names.extend(["Magento_AsynchronousOperations", "Magento_WebapiAsync"]);
    }
    if state.conditions.two_factor {
        names.push("Magento_TwoFactorAuth");
    }
    if !state.conditions.without_events {
        names.extend(["Magento_AdobeCommerceEventsClient", "Magento_AdobeCommerceWebhooks"]);
    }
    Json::Array(names.into_iter().map(Json::text).collect())
}

impl State {
    /// Deletes a product; nothing tells of it later.
    pub(super) fn delete(&mut self, id: u64) -> bool {
        self.happened("delete", id, false, GLOBAL);
        let Some(product) = self.products.remove(&id) else { return false };
        self.inventory.forget(&product.sku);
        for other in self.products.values_mut() {
            other.children.retain(|child| *child != id);
        }
        true
    }
}
