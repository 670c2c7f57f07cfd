//! Sources, source items, and the old stock items.

use std::collections::BTreeMap;

use super::errors::ApiError;
use super::product::Product;
use super::query::Query;
use super::search::Criteria;
use super::state::State;
use crate::testkit::json::Json;

/// The stock of each source.
#[derive(Debug)]
pub(super) struct Inventory {
    /// Codes and names of the sources.
    pub(super) sources: Vec<(String, String)>,
    /// Quantity and status by SKU and source.
    pub(super) items: BTreeMap<(String, String), (f64, i64)>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { sources: vec![("default".to_owned(), "Default Source".to_owned())], items: BTreeMap::new() }
    }
}

impl Inventory {
    /// Sets what a source has of a SKU.
    pub(super) fn set(&mut self, sku: &str, source: &str, quantity: f64, in_stock: bool) {
        self.items.insert((sku.to_owned(), source.to_owned()), (quantity, i64::from(in_stock)));
    }

    pub(super) fn forget(&mut self, sku: &str) {
        self.items.retain(|(known, _), _| known != sku);
    }
}

fn item(sku: &str, source: &str, quantity: f64, status: i64) -> Json {
    Json::object([
        ("sku", Json::text(sku)),
        ("source_code", Json::text(source)),
        ("quantity", Json::Float(quantity)),
        ("status", Json::from(status)),
    ])
}

/// `GET /V1/inventory/source-items`.
pub(super) fn source_items(state: &mut State, query: &Query) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    let random = state.random();
    let items: Vec<_> = state.inventory.items.iter().collect();
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some(((sku, source), (quantity, status))) = items.get(at) else { return Vec::new() };
        match field {
            "sku" => vec![(*sku).clone()],
            "source_code" => vec![(*source).clone()],
            "quantity" => vec![quantity.to_string()],
            "status" => vec![status.to_string()],
            "source_item_id" => vec![(at + 1).to_string()],
            _ => Vec::new(),
        }
    };
    let (found, total) = criteria.play(items.len(), &state.conditions, random, value);
    let page = found
        .into_iter()
        .filter_map(|at| items.get(at))
        .map(|((sku, source), (quantity, status))| item(sku, source, *quantity, *status));
    Ok(criteria.answer(page.collect(), total))
}

/// `POST /V1/inventory/source-items`.
pub(super) fn save_source_items(state: &mut State, body: &Json) -> Result<Json, ApiError> {
    let items =
        body.get("sourceItems").and_then(Json::as_array).ok_or_else(|| ApiError::required("sourceItems"))?;
    for item in items {
        let text = |name: &str| item.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (sku, source) = (text("sku"), text("source_code"));
        let id = state.id_of(&sku).map_err(|_| {
            ApiError::bad("Validation Failed").with_errors(vec![
                ApiError::bad("Product with SKU \"%sku\" does not exist.").named([("sku", sku.clone())]),
            ])
        })?;
        if !state.inventory.sources.iter().any(|(code, _)| *code == source) {
            return Err(ApiError::bad("Validation Failed").with_errors(vec![
                ApiError::bad("Source with code \"%source\" does not exist.").named([("source", source)]),
            ]));
        }
        let quantity = number(item.get("quantity")).unwrap_or(0.0);
        let in_stock = item.get("status").and_then(Json::as_int) == Some(1);
        state.inventory.set(&sku, &source, quantity, in_stock);
        let (now, moves) = (state.now, state.conditions.stock_moves_clock);
        if let Some(product) = state.products.get_mut(&id).filter(|_| source == "default") {
            (product.stock.qty, product.stock.in_stock) = (quantity, in_stock);
            if moves {
                product.updated = now;
            }
        }
    }
    Ok(Json::Array(Vec::new()))
}

/// `GET /V1/inventory/sources`.
pub(super) fn sources(state: &mut State, query: &Query) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    let random = state.random();
    let sources = &state.inventory.sources;
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some((code, name)) = sources.get(at) else { return Vec::new() };
        match field {
            "source_code" => vec![code.clone()],
            "name" => vec![name.clone()],
            "enabled" => vec!["1".to_owned()],
            _ => Vec::new(),
        }
    };
    let (found, total) = criteria.play(sources.len(), &state.conditions, random, value);
    let page = found.into_iter().filter_map(|at| sources.get(at)).map(|(code, name)| {
        Json::object([
            ("source_code", Json::text(code.clone())),
            ("name", Json::text(name.clone())),
            ("enabled", Json::Bool(true)),
            ("country_id", Json::text("DE")),
            ("postcode", Json::text("00000")),
            ("use_default_carrier_config", Json::Bool(true)),
            ("carrier_links", Json::Array(Vec::new())),
        ])
    });
    Ok(criteria.answer(page.collect(), total))
}

/// `GET /V1/inventory/get-product-salable-quantity/{sku}/{stockId}`.
pub(super) fn salable(state: &State, sku: &str) -> Result<Json, ApiError> {
    state.id_of(sku)?;
    let of_sku =
        state.inventory.items.iter().filter(|((known, _), (_, status))| known == sku && *status == 1);
    Ok(Json::Float(of_sku.map(|(_, (quantity, _))| quantity).sum()))
}

/// The old stock item of a product.
pub(super) fn stock_item(product: &Product) -> Json {
    let stock = &product.stock;
    let flag = |on: bool| Json::Bool(on);
    Json::object([
        ("item_id", Json::from(product.id)),
        ("product_id", Json::from(product.id)),
        ("stock_id", Json::from(1)),
        ("qty", Json::Float(stock.qty)),
        ("is_in_stock", flag(stock.in_stock)),
        ("is_qty_decimal", flag(false)),
        ("show_default_notification_message", flag(false)),
        ("use_config_min_qty", flag(true)),
        ("min_qty", Json::from(0)),
        ("use_config_min_sale_qty", Json::from(1)),
        ("min_sale_qty", Json::from(1)),
        ("use_config_max_sale_qty", flag(true)),
        ("max_sale_qty", Json::from(10_000)),
        ("use_config_backorders", flag(true)),
        ("backorders", Json::from(0)),
        ("use_config_notify_stock_qty", flag(true)),
        ("notify_stock_qty", Json::from(1)),
        ("use_config_qty_increments", flag(true)),
        ("qty_increments", Json::from(0)),
        ("use_config_enable_qty_inc", flag(true)),
        ("enable_qty_increments", flag(false)),
        ("use_config_manage_stock", flag(true)),
        ("manage_stock", flag(stock.managed)),
        ("low_stock_date", Json::Null),
        ("is_decimal_divided", flag(false)),
        ("stock_status_changed_auto", Json::from(0)),
    ])
}

/// `PUT /V1/products/{sku}/stockItems/{id}`: the old way to write stock.
pub(super) fn save_stock_item(state: &mut State, sku: &str, body: &Json) -> Result<Json, ApiError> {
    let id = state.id_of(sku)?;
    let item = body.get("stockItem").ok_or_else(|| ApiError::required("stockItem"))?.clone();
    let (now, moves) = (state.now, state.conditions.stock_moves_clock);
    let Some(product) = state.products.get_mut(&id) else { return Err(ApiError::no_product()) };
    apply(product, &item);
    if moves {
        product.updated = now;
    }
    let (sku, stock) = (product.sku.clone(), product.stock.clone());
    state.inventory.set(&sku, "default", stock.qty, stock.in_stock);
    Ok(Json::from(id))
}

/// Sets what a stock item names.
pub(super) fn apply(product: &mut Product, item: &Json) {
    if let Some(quantity) = number(item.get("qty")) {
        product.stock.qty = quantity;
    }
    if let Some(on) = item.get("is_in_stock").and_then(Json::as_bool) {
        product.stock.in_stock = on;
    }
    if let Some(on) = item.get("manage_stock").and_then(Json::as_bool) {
        product.stock.managed = on;
    }
}

/// A number that PHP takes: also a text.
pub(super) fn number(value: Option<&Json>) -> Option<f64> {
    match value? {
        #[expect(clippy::cast_precision_loss, reason = "quantities are far below 53 bits")]
        Json::Int(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
