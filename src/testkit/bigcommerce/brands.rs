//! The routes of brands.

use super::errors::{Answer, Outcome, Problem};
use super::product::id_of;
use super::query::{Paging, Params, Picked};
use super::state::State;
use crate::testkit::json::Json;

/// What can be written of a brand: texts with their bounds.
const TEXTS: &[(&str, usize)] = &[
    ("name", 255),
    ("page_title", 255),
    ("meta_description", 65_535),
    ("search_keywords", 65_535),
    ("image_url", 255),
];

/// A brand with what a new one has.
pub(super) fn brand(id: u64, name: &str, url: &str) -> Json {
    Json::object([
        ("id", Json::from(id)),
        ("name", Json::text(name)),
        ("page_title", Json::text("")),
        ("meta_keywords", Json::Array(vec![Json::text("")])),
        ("meta_description", Json::text("")),
        ("image_url", Json::text("")),
        ("search_keywords", Json::text("")),
        ("custom_url", Json::object([("url", Json::text(url)), ("is_customized", Json::Bool(false))])),
    ])
}

/// The brand of a name without regard to case, made where there is none.
pub(super) fn find_or_add(state: &mut State, name: &str) -> u64 {
    if let Some(id) = owner(state, name, 0) {
        return id;
    }
    let url = state.free_url(&format!("brands {name}"), 0);
    let id = state.take("brand");
    state.brands.insert(id, brand(id, name, &url));
    id
}

fn owner(state: &State, name: &str, but: u64) -> Option<u64> {
    let same =
        |row: &Json| row.get("name").and_then(Json::as_str).is_some_and(|it| it.eq_ignore_ascii_case(name));
    state.brands.iter().find(|(id, row)| **id != but && same(row)).map(|(id, _)| *id)
}

/// `GET /catalog/brands`.
pub(super) fn list(state: &State, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let picked = Picked::read(params);
    let ids = params.numbers("id:in")?;
    let (id, above) = (params.number("id")?, params.number("id:greater")?.unwrap_or(0));
    let name = params.get("name");
    let like = params.get("name:like").map(str::to_lowercase);
    let text = |row: &Json, key: &str| row.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut rows: Vec<&Json> = state
        .brands
        .iter()
        .filter(|(key, row)| {
            ids.as_ref().is_none_or(|ids| ids.contains(key))
                && id.is_none_or(|id| id == **key)
                && **key > above
                && name.is_none_or(|name| text(row, "name").eq_ignore_ascii_case(name))
                && like.as_ref().is_none_or(|like| text(row, "name").to_lowercase().contains(like))
        })
        .map(|(_, row)| row)
        .collect();
    if params.get("sort") == Some("name") {
        rows.sort_by_key(|row| text(row, "name"));
        if params.get("direction") == Some("desc") {
            rows.reverse();
        }
    }
    paging.answer(state, params, rows, |row| picked.of(row, &["id"]))
}

/// `GET /catalog/brands/{id}`.
pub(super) fn one(state: &State, id: u64) -> Outcome {
    state.brands.get(&id).cloned().map(Answer::data).ok_or_else(|| Problem::not_found("brand"))
}

/// `POST /catalog/brands`.
pub(super) fn post(state: &mut State, body: &Json) -> Outcome {
    let Some(name) = body.get("name").and_then(Json::as_str).map(str::to_owned) else {
        return Err(Problem::invalid(vec![("name".to_owned(), "error.path.missing".to_owned())]));
    };
    check(state, 0, body)?;
    let id = find_or_add(state, &name);
    put(state, id, body)
}

/// `PUT /catalog/brands/{id}`.
pub(super) fn put(state: &mut State, id: u64, body: &Json) -> Outcome {
    if !state.brands.contains_key(&id) {
        return Err(Problem::not_found("brand"));
    }
    check(state, id, body)?;
    if let Some(row) = state.brands.get_mut(&id) {
        for name in TEXTS.iter().map(|(name, _)| *name).chain(["meta_keywords", "custom_url"]) {
            if let Some(value) = body.get(name) {
                row.set(name, value.clone());
            }
        }
    }
    state.changes += 1;
    one(state, id)
}

/// `DELETE /catalog/brands/{id}`. Its products are left without a brand.
pub(super) fn delete(state: &mut State, id: u64) -> Outcome {
    if state.brands.remove(&id).is_none() {
        return Err(Problem::not_found("brand"));
    }
    for product in state.products.values_mut() {
        if product.fields.get("brand_id").and_then(Json::as_id) == Some(id) {
            product.set("brand_id", 0);
        }
    }
    Ok(Answer::empty(204))
}

fn check(state: &State, id: u64, body: &Json) -> Result<(), Problem> {
    let mut errors = Vec::new();
    for (name, most) in TEXTS {
        let Some(value) = body.get(name) else { continue };
        let least = usize::from(*name == "name");
        if !value.as_str().is_some_and(|text| (least..=*most).contains(&text.chars().count())) {
            errors.push(((*name).to_owned(), "error.length".to_owned()));
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let taken = body.get("name").and_then(Json::as_str).and_then(|name| owner(state, name, id));
    if taken.is_some() {
        let text = "The brand name is a duplicate";
        return Err(Problem::new(409, text).at("name", text));
    }
    debug_assert!(state.brands.values().all(|row| id_of(row).is_some()), "a brand has its id");
    Ok(())
}
