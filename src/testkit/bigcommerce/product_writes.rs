//! Writes of products: one, ten at once, new ones, and deletions.

use super::conditions::{Area, BatchHabit};
use super::errors::{Answer, Outcome, Problem, map};
use super::fields::{self, FIELDS};
use super::product::{self, Product, id_of};
use super::products::View;
use super::query::{Params, wrong};
use super::state::State;
use crate::testkit::json::Json;

/// The most products of one batch (products_catalog.v3.yml and its example of 413).
const BATCH: usize = 10;
/// Parts that a product's body may carry, and that have routes of their own. What the platform does with those of a
/// PUT is not documented, so the stand-in takes none, and says so.
const PARTS: &[&str] = &["custom_fields", "images", "variants", "videos", "bulk_pricing_rules"];

/// What was saved, and what of it was not.
#[derive(Debug)]
struct Saved {
    id: u64,
    /// Field and message of what was left out: 207.
    failed: Vec<(String, String)>,
}

/// `PUT /catalog/products/{id}`.
pub(super) fn put(state: &mut State, id: u64, params: &Params, body: &Json) -> Outcome {
    let view = View::read(params)?;
    if body.as_object().is_none() {
        return Err(Problem::invalid(vec![("obj".to_owned(), "error.expected.jsobject".to_owned())]));
    }
    check(state, id, body)?;
    let saved = save(state, id, body);
    let data = state.products.get(&id).map_or(Json::Null, |product| view.render(product));
    if saved.failed.is_empty() {
        return Ok(Answer::data(data));
    }
    Ok(multi_status(data, &saved.failed))
}

/// `PUT /catalog/products`.
pub(super) fn put_batch(state: &mut State, params: &Params, body: &Json) -> Outcome {
    let view = View::read(params)?;
    let Some(items) = body.as_array() else {
        return Err(Problem::invalid(vec![("obj".to_owned(), "error.expected.jsarray".to_owned())]));
    };
    if items.len() > BATCH {
        return Err(Problem::too_many(BATCH));
    }
    let mut saved: Vec<Saved> = Vec::new();
    let mut failed: Vec<(String, String)> = Vec::new();
    // A batch that is refused whole is checked before anything of it is stored.
    if state.conditions.batch == BatchHabit::Whole {
        for (at, item) in items.iter().enumerate() {
            target(item).and_then(|id| check(state, id, item)).map_err(|problem| placed(problem, at))?;
        }
    }
    for (at, item) in items.iter().enumerate() {
        match target(item).and_then(|id| check(state, id, item).map(|()| id)) {
            Ok(id) => {
                let done = save(state, id, item);
                failed
                    .extend(done.failed.iter().map(|(field, text)| (format!("{at}.{field}"), text.clone())));
                saved.push(done);
            }
            Err(problem) if state.conditions.batch == BatchHabit::Partial => {
                let placed = placed(problem, at);
                failed.extend(placed.errors.unwrap_or_default());
            }
            Err(problem) => return Err(placed(problem, at)),
        }
    }
    let rows = saved.iter().filter_map(|it| state.products.get(&it.id)).map(|product| view.render(product));
    let data = Json::Array(rows.collect());
    if failed.is_empty() { Ok(Answer::data(data)) } else { Ok(multi_status(data, &failed)) }
}

/// `POST /catalog/products`.
pub(super) fn post(state: &mut State, params: &Params, body: &Json) -> Outcome {
    let view = View::read(params)?;
    let missing = ["name", "type", "weight", "price"].iter().filter(|name| body.get(name).is_none());
    let missing: Vec<_> = missing.map(|name| ((*name).to_owned(), "error.path.missing".to_owned())).collect();
    if !missing.is_empty() {
        return Err(Problem::invalid(missing));
    }
    check(state, 0, body)?;
    // On a new product a taken address is a conflict (bigcommerce/docs#837, 2025-02).
    if sent_url(body).is_some_and(|url| state.url_taken(url, 0)) {
        return Err(
            Problem::new(409, "The product url is a duplicate").at("url", "The product url is a duplicate")
        );
    }
    let name = body.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let id = create(state, &name);
    let saved = save(state, id, body);
    let data = state.products.get(&id).map_or(Json::Null, |product| view.render(product));
    state.fire_product("created", id);
    if saved.failed.is_empty() { Ok(Answer::data(data)) } else { Ok(multi_status(data, &saved.failed)) }
}

/// `DELETE /catalog/products/{id}`.
pub(super) fn delete(state: &mut State, id: u64) -> Outcome {
    if state.remove(id) { Ok(Answer::empty(204)) } else { Err(Problem::not_found("product")) }
}

/// `DELETE /catalog/products?id:in=`. Other filters are not modelled: nobody deletes by a search.
pub(super) fn delete_many(state: &mut State, params: &Params) -> Outcome {
    let Some(ids) = params.numbers("id:in")? else {
        state.note("DELETE /catalog/products without id:in".to_owned());
        return Err(wrong("id:in"));
    };
    for id in ids {
        state.remove(id);
    }
    Ok(Answer::empty(204))
}

/// A new product with its base variant, and an address that nothing else has; gives its id.
pub(super) fn create(state: &mut State, name: &str) -> u64 {
    let url = state.free_url(name, 0);
    create_at(state, name, url)
}

/// A new product at an address that the caller knows to be free.
pub(super) fn create_at(state: &mut State, name: &str, url: String) -> u64 {
    let id = state.take("product");
    let mut made = Product::new(id, name, state.now);
    made.set("custom_url", Json::object([("url", Json::text(url)), ("is_customized", Json::Bool(false))]));
    let base = state.take("variant");
    made.variants.push(product::variant(base, id, "", Vec::new()));
    state.insert(made);
    id
}

/// The id of an item of a batch.
fn target(item: &Json) -> Result<u64, Problem> {
    item.get("id")
        .and_then(Json::as_id)
        .ok_or_else(|| Problem::invalid(vec![("id".to_owned(), "error.path.missing".to_owned())]))
}

/// A problem of one item, with its place in front of its fields.
fn placed(problem: Problem, at: usize) -> Problem {
    let errors = problem.errors.clone().unwrap_or_else(|| vec![("id".to_owned(), problem.title.clone())]);
    problem.with(errors.into_iter().map(|(field, text)| (format!("{at}.{field}"), text)).collect())
}

/// 207: the row was saved, and a part of it was not.
fn multi_status(data: Json, failed: &[(String, String)]) -> Answer {
    let errors = Json::object([
        ("status", Json::Int(207)),
        ("title", Json::text("The product was saved, but some of its data was not.")),
        ("type", Json::text("/api-docs/getting-started/api-status-codes")),
        ("errors", map(failed)),
    ]);
    Answer::new(207, Json::object([("data", data), ("errors", errors), ("meta", Json::Object(Vec::new()))]))
}

fn sent_url(body: &Json) -> Option<&str> {
    body.get("custom_url")?.get("url")?.as_str()
}

/// What a body may not say: its own shape first, then what else is in the store. `id` is 0 for a new product.
fn check(state: &mut State, id: u64, body: &Json) -> Result<(), Problem> {
    if id > 0 && !state.products.contains_key(&id) {
        return Err(Problem::not_found("product"));
    }
    for part in PARTS {
        if body.get(part).is_some() {
            state.note(format!("a product's body with {part}, which has a route of its own"));
        }
    }
    let errors = fields::wrong(body);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let text = |name: &str| body.get(name).and_then(Json::as_str);
    if let (Some(markup), Some(html)) = (&state.conditions.refused_markup, text("description"))
        && html.contains(markup.as_str())
    {
        // The words that were seen (bigcommerce/api#79).
        return Err(
            Problem::new(422, "Invalid field(s): description").at("description", "Invalid description")
        );
    }
    let duplicate = |field: &str| {
        let message = format!("The product {field} is a duplicate");
        Problem::new(409, message.clone()).at(field, message)
    };
    if text("name").is_some_and(|name| state.name_owner(name, id).is_some()) {
        return Err(duplicate("name"));
    }
    let own = (id > 0).then_some(id);
    if text("sku").is_some_and(|sku| state.sku_taken(sku, own, None)) {
        return Err(duplicate("sku"));
    }
    let categories = product::ids(body.get("categories"));
    if let Some(missing) = categories.iter().find(|id| !state.categories.contains_key(id)) {
        let message = format!("Category with id {missing} does not exist.");
        return Err(Problem::new(409, message.clone()).at("categories", message));
    }
    let brand = body.get("brand_id").and_then(Json::as_id);
    if brand.is_some_and(|brand| !state.brands.contains_key(&brand)) {
        return Err(Problem::new(409, "The brand does not exist").at("brand_id", "The brand does not exist"));
    }
    Ok(())
}

/// Stores what a body says. It was checked.
fn save(state: &mut State, id: u64, body: &Json) -> Saved {
    let mut failed = Vec::new();
    let mut told = false;
    let url = sent_url(body).map(str::to_owned);
    let bad_url = url.as_ref().filter(|url| {
        let latin = url.chars().all(|letter| letter.is_ascii() && !letter.is_ascii_whitespace());
        !latin || url.is_empty() || url.len() > 255 || state.url_taken(url, id)
    });
    if bad_url.is_some() {
        let text = "The URL must have Latin letters, at most 255 of them, and be taken by nothing else.";
        failed.push(("url".to_owned(), text.to_owned()));
    }
    let stock_fails = state.conditions.inventory_fails && body.get("inventory_level").is_some();
    if stock_fails {
        failed.push(("inventory_level".to_owned(), "The inventory could not be saved.".to_owned()));
    }
    let brand = body.get("brand_name").and_then(Json::as_str).map(str::to_owned);
    let brand =
        brand.filter(|_| body.get("brand_id").is_none()).map(|name| super::brands::find_or_add(state, &name));
    let unset = state.conditions.put_unsets.clone();
    let Some(product) = state.products.get_mut(&id) else { return Saved { id, failed } };
    for field in FIELDS {
        let sent = match field.name {
            "custom_url" if bad_url.is_some() => None,
            "inventory_level" if stock_fails => None,
            name => body.get(name).cloned(),
        };
        let value = match (sent, field.name) {
            (Some(sent), "custom_url") => {
                let old = product.fields.get("custom_url").cloned().unwrap_or(Json::Null);
                let keep =
                    |name: &str| sent.get(name).or_else(|| old.get(name)).cloned().unwrap_or(Json::Null);
                Json::object([("url", keep("url")), ("is_customized", keep("is_customized"))])
            }
            (Some(sent), _) => sent,
            (None, name) if unset.contains(name) => fields::default(field),
            (None, _) => continue,
        };
        told |= field.told;
        product.set(field.name, value);
    }
    if let Some(brand) = brand {
        product.set("brand_id", brand);
        told = true;
    }
    state.changed(id, Area::Fields, told);
    Saved { id, failed }
}

/// The product of a route, for the parts of it.
pub(super) fn of(state: &mut State, id: u64) -> Result<&mut Product, Problem> {
    state.products.get_mut(&id).ok_or_else(|| Problem::not_found("product"))
}

/// Finds a part by its id.
pub(super) fn part(rows: &mut [Json], id: u64) -> Option<&mut Json> {
    rows.iter_mut().find(|row| id_of(row) == Some(id))
}
