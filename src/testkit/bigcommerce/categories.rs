//! The routes of category trees, their categories, and which products are in them.

use super::conditions::Area;
use super::errors::{Answer, Outcome, Problem, map};
use super::product::ids;
use super::query::{Paging, Params, Picked};
use super::state::State;
use crate::testkit::json::Json;

/// The most letters of a category's name (category-trees_catalog.v3.yml).
const NAME: usize = 50;
/// What can be written of a category.
const FIELDS: &[&str] = &[
    "name",
    "description",
    "views",
    "sort_order",
    "page_title",
    "meta_keywords",
    "meta_description",
    "layout_file",
    "image_url",
    "is_visible",
    "search_keywords",
    "default_product_sort",
    "parent_id",
    "tree_id",
    "url",
];

/// A category with what a new one has. Its id is `category_id`, not `id`.
pub(super) fn category(id: u64, parent: u64, name: &str, url: &str) -> Json {
    Json::object([
        ("category_id", Json::from(id)),
        ("category_uuid", Json::text(format!("d1964756-5e1d-4c72-9fa0-{id:012x}"))),
        ("parent_id", Json::from(parent)),
        ("tree_id", Json::Int(1)),
        ("name", Json::text(name)),
        ("description", Json::text("")),
        ("views", Json::Int(0)),
        ("sort_order", Json::Int(0)),
        ("page_title", Json::text("")),
        ("meta_keywords", Json::Array(vec![Json::text("")])),
        ("meta_description", Json::text("")),
        ("layout_file", Json::text("category.html")),
        ("image_url", Json::text("")),
        ("is_visible", Json::Bool(true)),
        ("search_keywords", Json::text("")),
        ("default_product_sort", Json::text("use_store_settings")),
        ("url", Json::object([("path", Json::text(url)), ("is_customized", Json::Bool(false))])),
    ])
}

/// Adds a category; gives its id.
pub(super) fn add(state: &mut State, parent: u64, name: &str) -> u64 {
    let url = state.free_url(name, 0);
    let id = state.take("category");
    state.categories.insert(id, category(id, parent, name, &url));
    state.fire_plain("store/category/created", "category", id);
    id
}

/// `GET /catalog/trees`.
pub(super) fn trees(state: &State, params: &Params) -> Outcome {
    let ids_in = params.numbers("id:in")?;
    let channels = params.numbers("channel_id:in")?;
    let rows: Vec<&Json> = state
        .trees
        .iter()
        .filter(|(id, row)| {
            let held = ids(row.get("channels"));
            ids_in.as_ref().is_none_or(|list| list.contains(id))
                && channels.as_ref().is_none_or(|list| list.iter().any(|id| held.contains(id)))
        })
        .map(|(_, row)| row)
        .collect();
    Paging::read(state, params, None)?.answer(state, params, rows, Json::clone)
}

/// `GET /catalog/trees/{id}/categories`: nested, and one call at a time (429 beyond).
pub(super) fn tree(state: &State, id: u64) -> Outcome {
    if !state.trees.contains_key(&id) {
        return Err(Problem::not_found("tree"));
    }
    Ok(Answer::data(Json::Array(children(state, id, 0, &[], 0))))
}

/// The deepest nesting of categories (fact sheet 5.8).
const DEPTH: u64 = 8;

fn children(state: &State, tree: u64, parent: u64, path: &[u64], depth: u64) -> Vec<Json> {
    if depth > DEPTH {
        return Vec::new();
    }
    let id_at = |row: &Json, key: &str| row.get(key).and_then(Json::as_id).unwrap_or(0);
    let rows = state.categories.values();
    rows.filter(|row| id_at(row, "tree_id") == tree && id_at(row, "parent_id") == parent)
        .map(|row| {
            let id = id_at(row, "category_id");
            let mut below = path.to_vec();
            below.push(parent);
            let url = row.get("url").and_then(|url| url.get("path")).cloned().unwrap_or(Json::Null);
            Json::object([
                ("id", Json::from(id)),
                ("parent_id", Json::from(parent)),
                ("depth", Json::from(depth)),
                ("path", Json::ids(path)),
                ("name", row.get("name").cloned().unwrap_or(Json::Null)),
                ("is_visible", row.get("is_visible").cloned().unwrap_or(Json::Null)),
                ("url", url),
                ("children", Json::Array(children(state, tree, id, &below, depth + 1))),
            ])
        })
        .collect()
}

/// `GET /catalog/trees/categories`.
pub(super) fn list(state: &State, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let picked = Picked::read(params);
    let within = [
        ("category_id", params.numbers("category_id:in")?),
        ("tree_id", params.numbers("tree_id:in")?),
        ("parent_id", params.numbers("parent_id:in")?),
    ];
    let without = params.numbers("category_id:not_in")?.unwrap_or_default();
    let visible = params.flag("is_visible")?;
    let number =
        |row: &Json, key: &str| row.get(key).and_then(Json::as_int).and_then(|it| u64::try_from(it).ok());
    let text = |row: &Json, key: &str| row.get(key).and_then(Json::as_str).unwrap_or_default().to_lowercase();
    let (name, like) =
        (params.get("name").map(str::to_lowercase), params.get("name:like").map(str::to_lowercase));
    let rows: Vec<&Json> = state
        .categories
        .iter()
        .filter(|(id, row)| {
            let kept = |(key, list): &(&str, Option<Vec<u64>>)| {
                list.as_ref().is_none_or(|list| number(row, key).is_some_and(|id| list.contains(&id)))
            };
            within.iter().all(kept)
                && !without.contains(id)
                && visible.is_none_or(|on| row.get("is_visible").and_then(Json::as_bool) == Some(on))
                && name.as_ref().is_none_or(|name| text(row, "name") == *name)
                && like.as_ref().is_none_or(|like| text(row, "name").contains(like))
        })
        .map(|(_, row)| row)
        .collect();
    paging.answer(state, params, rows, |row| picked.of(row, &["category_id"]))
}

/// `POST /catalog/trees/categories`: a list of new ones.
pub(super) fn post(state: &mut State, body: &Json) -> Outcome {
    let items = body.as_array().unwrap_or_default();
    if items.is_empty() {
        return Err(Problem::invalid(vec![("obj".to_owned(), "error.expected.jsarray".to_owned())]));
    }
    let mut rows = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let name = item.get("name").and_then(Json::as_str).unwrap_or_default();
        check(state, 0, item).map_err(|text| Problem::invalid(vec![(format!("{at}.name"), text)]))?;
        let parent = item.get("parent_id").and_then(Json::as_id).unwrap_or(0);
        let id = add(state, parent, name);
        save(state, id, item);
        rows.extend(state.categories.get(&id).cloned());
    }
    let count = rows.len() as u64;
    Ok(Answer::new(201, Json::object([("data", Json::Array(rows)), ("meta", counts(count, count, 0))])))
}

/// `PUT /catalog/trees/categories`: a list of changes. One that is refused leaves the others (207).
pub(super) fn put(state: &mut State, body: &Json) -> Outcome {
    let items = body.as_array().unwrap_or_default();
    let mut errors = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let id = item.get("category_id").and_then(Json::as_id).unwrap_or(0);
        let checked =
            if state.categories.contains_key(&id) { check(state, id, item) } else { Err("not found".into()) };
        match checked {
            Ok(()) => save(state, id, item),
            Err(text) => errors.push((format!("{at}.category_id"), text)),
        }
    }
    let (total, failed) = (items.len() as u64, errors.len() as u64);
    let meta = counts(total, total - failed, failed);
    if errors.is_empty() {
        return Ok(Answer::new(200, Json::object([("meta", meta)])));
    }
    let status = if failed == total { 422 } else { 207 };
    let entries = [
        ("status", Json::Int(i64::from(status))),
        ("title", Json::text("Some categories could not be saved.")),
        ("type", Json::text("/api-docs/getting-started/api-status-codes")),
        ("errors", map(&errors)),
    ];
    Ok(Answer::new(status, Json::object([("errors", Json::object(entries)), ("meta", meta)])))
}

/// `DELETE /catalog/trees/categories?category_id:in=`.
pub(super) fn delete(state: &mut State, params: &Params) -> Outcome {
    let Some(list) = params.numbers("category_id:in")? else {
        return Err(super::query::wrong("category_id:in"));
    };
    for id in list {
        remove(state, id);
    }
    Ok(Answer::empty(204))
}

/// Removes a category, and products from it. False where there is none.
pub(super) fn remove(state: &mut State, id: u64) -> bool {
    if state.categories.remove(&id).is_none() {
        return false;
    }
    for product in state.products.values_mut() {
        let mut held = product.categories();
        held.retain(|it| *it != id);
        product.set("categories", Json::ids(&held));
    }
    state.fire_plain("store/category/deleted", "category", id);
    true
}

fn check(state: &State, id: u64, item: &Json) -> Result<(), String> {
    if let Some(name) = item.get("name") {
        let length = name.as_str().map_or(0, |name| name.chars().count());
        if length == 0 || length > NAME {
            return Err("the name must have 1 to 50 letters".to_owned());
        }
    } else if id == 0 {
        return Err("the name is missing".to_owned());
    }
    let parent = item.get("parent_id").and_then(Json::as_id);
    if parent.is_some_and(|parent| parent == id || !state.categories.contains_key(&parent)) {
        return Err("the parent does not exist".to_owned());
    }
    Ok(())
}

fn save(state: &mut State, id: u64, item: &Json) {
    if let Some(row) = state.categories.get_mut(&id) {
        for name in FIELDS {
            if let Some(value) = item.get(name) {
                row.set(name, value.clone());
            }
        }
    }
    state.changes += 1;
    state.fire_plain("store/category/updated", "category", id);
}

fn counts(total: u64, success: u64, failed: u64) -> Json {
    Json::object([
        ("total", Json::from(total)),
        ("success", Json::from(success)),
        ("failed", Json::from(failed)),
    ])
}

/// What a product is assigned to by routes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Categories,
    Channels,
}

impl To {
    fn key(self) -> &'static str {
        match self {
            Self::Categories => "category_id",
            Self::Channels => "channel_id",
        }
    }
}

/// `GET /catalog/products/category-assignments` and `.../channel-assignments`.
pub(super) fn assignments(state: &State, to: To, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let products = params.numbers("product_id:in")?;
    let others = params.numbers(&format!("{}:in", to.key()))?;
    let mut rows = Vec::new();
    for product in state.products.values() {
        if products.as_ref().is_some_and(|list| !list.contains(&product.id)) {
            continue;
        }
        let held = if to == To::Categories { product.categories() } else { product.channels.clone() };
        for id in held.into_iter().filter(|id| others.as_ref().is_none_or(|list| list.contains(id))) {
            rows.push(Json::object([("product_id", Json::from(product.id)), (to.key(), Json::from(id))]));
        }
    }
    paging.answer(state, params, rows, |row| row)
}

/// `PUT` of the same: adds, and takes nothing away.
pub(super) fn assign(state: &mut State, to: To, body: &Json) -> Outcome {
    let mut found = Vec::new();
    for (at, item) in body.as_array().unwrap_or_default().iter().enumerate() {
        let product = item.get("product_id").and_then(Json::as_id).unwrap_or(0);
        let other = item.get(to.key()).and_then(Json::as_id).unwrap_or(0);
        let known = match to {
            To::Categories => state.categories.contains_key(&other),
            To::Channels => state.channels.contains_key(&other),
        };
        if !known || !state.products.contains_key(&product) {
            let text = "The product or what it is assigned to does not exist.".to_owned();
            return Err(Problem::invalid(vec![(at.to_string(), text)]));
        }
        found.push((product, other));
    }
    for (product, other) in found {
        let Some(row) = state.products.get_mut(&product) else { continue };
        let mut held = if to == To::Categories { row.categories() } else { row.channels.clone() };
        if held.contains(&other) {
            continue;
        }
        held.push(other);
        match to {
            To::Categories => row.set("categories", Json::ids(&held)),
            To::Channels => row.channels = held,
        }
        state.changed(product, Area::Assignments, to == To::Categories);
        if to == To::Channels {
            state.fire_channel("assigned", other, product);
        }
    }
    Ok(Answer::empty(204))
}

/// `DELETE` of the same, by query.
pub(super) fn unassign(state: &mut State, to: To, params: &Params) -> Outcome {
    let products = params.numbers("product_id:in")?;
    let others = params.numbers(&format!("{}:in", to.key()))?;
    if products.is_none() && others.is_none() {
        return Err(super::query::wrong("product_id:in"));
    }
    let hit = |list: &Option<Vec<u64>>, id: u64| list.as_ref().is_none_or(|list| list.contains(&id));
    let ids: Vec<u64> = state.products.keys().copied().filter(|id| hit(&products, *id)).collect();
    for id in ids {
        let Some(row) = state.products.get_mut(&id) else { continue };
        let mut held = if to == To::Categories { row.categories() } else { row.channels.clone() };
        let before = held.clone();
        held.retain(|other| !hit(&others, *other));
        if held == before {
            continue;
        }
        match to {
            To::Categories => row.set("categories", Json::ids(&held)),
            To::Channels => row.channels = held.clone(),
        }
        state.changed(id, Area::Assignments, to == To::Categories);
        if to == To::Channels {
            for other in before.into_iter().filter(|other| !held.contains(other)) {
                state.fire_channel("unassigned", other, id);
            }
        }
    }
    Ok(Answer::empty(204))
}
