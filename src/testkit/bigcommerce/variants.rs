//! The routes of variants: of one product, of all, and fifty at once.

use super::conditions::Area;
use super::errors::{Answer, Outcome, Problem};
use super::product::{id_of, variant};
use super::product_writes::{of, part};
use super::query::{Paging, Params, Picked};
use super::state::State;
use crate::testkit::json::Json;

/// The most variants of one batch (product-variants_catalog.v3.yml, "subject to change").
const BATCH: usize = 50;

/// What can be written of a variant: its name, whether null is taken for "as the product", and its kind.
const FIELDS: &[(&str, Kind)] = &[
    ("sku", Kind::Text(255)),
    ("price", Kind::Number),
    ("sale_price", Kind::Number),
    ("retail_price", Kind::Number),
    ("cost_price", Kind::Number),
    ("map_price", Kind::Number),
    ("weight", Kind::Number),
    ("width", Kind::Number),
    ("height", Kind::Number),
    ("depth", Kind::Number),
    ("fixed_cost_shipping_price", Kind::Number),
    ("is_free_shipping", Kind::Bool),
    ("purchasing_disabled", Kind::Bool),
    ("purchasing_disabled_message", Kind::Text(255)),
    ("image_url", Kind::Text(255)),
    ("upc", Kind::Text(14)),
    ("mpn", Kind::Text(255)),
    ("gtin", Kind::Text(14)),
    ("inventory_level", Kind::Int),
    ("inventory_warning_level", Kind::Int),
    ("bin_picking_number", Kind::Text(255)),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text(usize),
    Number,
    Int,
    Bool,
}

/// `GET /catalog/products/{id}/variants`.
pub(super) fn of_product(state: &State, product: u64, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let picked = Picked::read(params);
    let product = state.products.get(&product).ok_or_else(|| Problem::not_found("product"))?;
    paging.answer(state, params, product.variants.iter().collect(), |row| picked.of(row, &["id"]))
}

/// `GET /catalog/variants`.
pub(super) fn all(state: &State, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let picked = Picked::read(params);
    let products = params.numbers("product_id:in")?;
    let id = params.number("id")?;
    let is = |row: &Json, name: &str| {
        params.get(name).is_none_or(|text| row.get(name).and_then(Json::as_str) == Some(text))
    };
    let mut rows: Vec<&Json> = state
        .products
        .values()
        .filter(|product| products.as_ref().is_none_or(|list| list.contains(&product.id)))
        .flat_map(|product| &product.variants)
        .filter(|row| id.is_none_or(|id| id_of(row) == Some(id)) && is(row, "sku") && is(row, "upc"))
        .collect();
    rows.sort_by_key(|row| id_of(row));
    paging.answer(state, params, rows, |row| picked.of(row, &["id"]))
}

/// `GET /catalog/products/{id}/variants/{id}`.
pub(super) fn one(state: &mut State, product: u64, id: u64, params: &Params) -> Outcome {
    let picked = Picked::read(params);
    let row = part(&mut of(state, product)?.variants, id).cloned();
    Ok(Answer::data(picked.of(&row.ok_or_else(|| Problem::not_found("variant"))?, &["id"])))
}

/// `PUT /catalog/products/{id}/variants/{id}`.
pub(super) fn put(state: &mut State, product: u64, id: u64, body: &Json) -> Outcome {
    of(state, product)?;
    check(state, product, Some(id), body)?;
    save(state, product, id, body);
    let row = part(&mut of(state, product)?.variants, id).cloned();
    row.map(Answer::data).ok_or_else(|| Problem::not_found("variant"))
}

/// `PUT /catalog/variants`. One that is refused refuses all, with `batch_errors` in place of `errors`.
pub(super) fn put_batch(state: &mut State, body: &Json) -> Outcome {
    let Some(items) = body.as_array() else {
        return Err(Problem::invalid(vec![("obj".to_owned(), "error.expected.jsarray".to_owned())]));
    };
    if items.len() > BATCH {
        return Err(Problem::too_many(BATCH));
    }
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for item in items {
        let id = item.get("id").and_then(Json::as_id);
        let owner = match id {
            Some(id) => {
                state.products.values().find(|it| it.variants.iter().any(|row| id_of(row) == Some(id)))
            }
            // One without an id is made anew, of its product and option values.
            None => item.get("product_id").and_then(Json::as_id).and_then(|id| state.products.get(&id)),
        };
        let checked = match owner.map(|product| product.id) {
            Some(product) => check(state, product, id, item).map(|()| product),
            None => Err(Problem::not_found("variant")),
        };
        match checked {
            Ok(product) => found.push((product, id, item)),
            Err(problem) => {
                let mut entry = problem.with_errors().json();
                entry.set("instance", "/v3/catalog/variants");
                wrong.push(entry);
            }
        }
    }
    if !wrong.is_empty() {
        return Ok(Answer::new(422, Json::object([("batch_errors", Json::Array(wrong))])));
    }
    let mut rows = Vec::new();
    let drops = state.conditions.variant_batch_drops.clone();
    for (product, id, item) in found {
        let id = match id {
            Some(id) => id,
            None => {
                let values = item.get("option_values").and_then(Json::as_array).unwrap_or_default().to_vec();
                let id = state.take("variant");
                if let Some(product) = state.products.get_mut(&product) {
                    product.variants.push(variant(id, product.id, "", values));
                }
                id
            }
        };
        let kept = item.as_object().unwrap_or_default().iter().filter(|(name, _)| !drops.contains(name));
        save(state, product, id, &Json::Object(kept.cloned().collect()));
        rows.extend(of(state, product).ok().and_then(|product| part(&mut product.variants, id).cloned()));
    }
    Ok(Answer::data(Json::Array(rows)))
}

fn check(state: &State, product: u64, id: Option<u64>, body: &Json) -> Result<(), Problem> {
    let known = |id: u64| {
        state.products.get(&product).is_some_and(|it| it.variants.iter().any(|row| id_of(row) == Some(id)))
    };
    if id.is_some_and(|id| !known(id)) {
        return Err(Problem::not_found("variant"));
    }
    let mut errors = Vec::new();
    for (name, kind) in FIELDS {
        let Some(value) = body.get(name) else { continue };
        let right = match (kind, value) {
            (Kind::Text(most), Json::String(text)) => text.chars().count() <= *most,
            (Kind::Number, value) => {
                matches!(value, Json::Null) || value.as_f64().is_some_and(|it| it >= 0.0)
            }
            (Kind::Int, value) => matches!(value, Json::Int(_) | Json::Null),
            (Kind::Bool, value) => matches!(value, Json::Bool(_)),
            (Kind::Text(_), _) => false,
        };
        if !right {
            errors.push(((*name).to_owned(), "error.expected.type".to_owned()));
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let sku = body.get("sku").and_then(Json::as_str);
    if sku.is_some_and(|sku| state.sku_taken(sku, None, id)) {
        return Err(Problem::new(409, "The SKU is a duplicate").at("sku", "The SKU is a duplicate"));
    }
    Ok(())
}

fn save(state: &mut State, product: u64, id: u64, body: &Json) {
    let mut simple_sku = None;
    let Some(owner) = state.products.get_mut(&product) else { return };
    let simple = owner.options.is_empty();
    let Some(row) = part(&mut owner.variants, id) else { return };
    for (name, _) in FIELDS {
        if let Some(value) = body.get(name) {
            row.set(name, value.clone());
            if *name == "sku" && simple {
                simple_sku = Some(value.clone());
            }
        }
    }
    if let Some(sku) = simple_sku {
        owner.set("sku", sku);
    }
    let stock = body.get("inventory_level").is_some();
    state.changed(product, if stock { Area::Inventory } else { Area::Variants }, false);
    state.fire_sku(product, id, stock);
}
