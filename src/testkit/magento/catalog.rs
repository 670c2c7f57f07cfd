//! Attributes, options, sets, categories and the options of configurable products.

use std::collections::BTreeMap;

use super::attribute::{Attribute, AttributeOption};
use super::category::{Category, SCOPED};
use super::errors::ApiError;
use super::product::{CategoryLink, GLOBAL, Product};
use super::query::Query;
use super::render::{self, Place};
use super::search::Criteria;
use super::state::{State, url_key};
use super::write;
use crate::testkit::json::Json;

/// `GET /V1/products/attributes`.
pub(super) fn attributes(state: &mut State, query: &Query, view: u64) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    let random = state.random();
    let attributes = &state.attributes;
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some(attribute) = attributes.get(at) else { return Vec::new() };
        let flag = |on: bool| vec![String::from(if on { "1" } else { "0" })];
        match field {
            "attribute_id" => vec![attribute.id.to_string()],
            "attribute_code" => vec![attribute.code.clone()],
            "frontend_input" => vec![attribute.input.clone()],
            "frontend_label" => vec![attribute.label.clone()],
            "is_user_defined" => flag(attribute.user_defined),
            "is_required" => flag(attribute.required),
            "is_visible" => flag(true),
            _ => Vec::new(),
        }
    };
    let (found, total) = criteria.play(attributes.len(), &state.conditions, random, value);
    let page = found.into_iter().filter_map(|at| attributes.get(at)).map(|attribute| attribute.json(view));
    Ok(criteria.answer(page.collect(), total))
}

/// An attribute by its code, or by its id.
pub(super) fn find<'a>(state: &'a State, code: &str) -> Result<&'a Attribute, ApiError> {
    let by_id = code.parse::<u64>().ok();
    let fits = |attribute: &&Attribute| attribute.code == code || Some(attribute.id) == by_id;
    state.attributes.iter().find(fits).ok_or_else(|| {
        ApiError::new(
            404,
            "The attribute with a \"%attributeCode\" attributeCode doesn't exist. Verify the attribute and try \
             again.",
        )
        .named([("attributeCode", code.to_owned())])
    })
}

/// `POST /V1/products/attributes/{code}/options`.
pub(super) fn add_option(state: &mut State, code: &str, body: &Json) -> Result<Json, ApiError> {
    let option = body.get("option").ok_or_else(|| ApiError::required("option"))?;
    let code = find(state, code)?.code.clone();
    let label = option.get("label").and_then(Json::as_str).unwrap_or_default().trim();
    if label.is_empty() {
        return Err(ApiError::bad("The attribute option label is empty. Enter the value and try again."));
    }
    if find(state, &code)?.option_id(label).is_some() && !state.conditions.option_twice {
        return Err(ApiError::bad("Admin store attribute option label '%1' is already exists.").list([label]));
    }
    let times = if state.conditions.option_twice { 2 } else { 1 };
    let mut id = 0;
    for _ in 0..times {
        id = state.add_option(&code, label).ok_or_else(ApiError::no_route)?;
    }
    let labels = store_labels(option);
    let sort_order = option.get("sort_order").and_then(Json::as_int);
    if let Some(known) = option_mut(state, &code, id) {
        known.labels.extend(labels);
        known.sort_order = sort_order.unwrap_or(known.sort_order);
    }
    Ok(Json::String(if state.conditions.option_id_prefix { format!("id_{id}") } else { id.to_string() }))
}

/// `PUT /V1/products/attributes/{code}/options/{id}`.
pub(super) fn change_option(state: &mut State, code: &str, id: &str, body: &Json) -> Result<Json, ApiError> {
    let option = body.get("option").ok_or_else(|| ApiError::required("option"))?;
    let code = find(state, code)?.code.clone();
    let label = option.get("label").and_then(Json::as_str).map(str::to_owned);
    let labels = store_labels(option);
    let known = id.parse().ok().and_then(|id| option_mut(state, &code, id));
    let known = known.ok_or_else(|| no_option(&code, id))?;
    if let Some(label) = label {
        known.labels.insert(GLOBAL, label);
    }
    known.labels.extend(labels);
    Ok(Json::Bool(true))
}

/// `DELETE /V1/products/attributes/{code}/options/{id}`.
pub(super) fn remove_option(state: &mut State, code: &str, id: &str) -> Result<Json, ApiError> {
    let code = find(state, code)?.code.clone();
    let wanted = id.parse::<u64>().unwrap_or(0);
    let attribute = state.attribute_mut(&code).filter(|attribute| attribute.option(wanted).is_some());
    let attribute = attribute.ok_or_else(|| no_option(&code, id))?;
    attribute.options.retain(|option| option.id != wanted);
    Ok(Json::Bool(true))
}

fn no_option(code: &str, id: &str) -> ApiError {
    ApiError::new(404, "The \"%1\" attribute doesn't include an option with \"%2\" ID.").list([code, id])
}

fn option_mut<'a>(state: &'a mut State, code: &str, id: u64) -> Option<&'a mut AttributeOption> {
    state.attribute_mut(code)?.options.iter_mut().find(|option| option.id == id)
}

fn store_labels(option: &Json) -> BTreeMap<u64, String> {
    let labels = option.get("store_labels").and_then(Json::as_array).unwrap_or_default();
    let label = |entry: &Json| {
        let view = entry.get("store_id").and_then(Json::as_int).and_then(|id| u64::try_from(id).ok())?;
        Some((view, entry.get("label").and_then(Json::as_str)?.to_owned()))
    };
    labels.iter().filter_map(label).collect()
}

/// `GET /V1/products/attribute-sets/sets/list`.
pub(super) fn sets(state: &mut State, query: &Query) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    let random = state.random();
    let sets = &state.sets;
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some(set) = sets.get(at) else { return Vec::new() };
        match field {
            "attribute_set_id" => vec![set.id.to_string()],
            "attribute_set_name" => vec![set.name.clone()],
            "entity_type_code" => vec!["catalog_product".to_owned()],
            _ => Vec::new(),
        }
    };
    let (found, total) = criteria.play(sets.len(), &state.conditions, random, value);
    let page = found.into_iter().filter_map(|at| sets.get(at)).map(super::attribute::AttributeSet::json);
    Ok(criteria.answer(page.collect(), total))
}

/// `GET /V1/products/attribute-sets/{id}`.
pub(super) fn set(state: &State, id: &str) -> Result<Json, ApiError> {
    let wanted = id.parse::<u64>().ok();
    let set = state.sets.iter().find(|set| Some(set.id) == wanted);
    Ok(set.ok_or_else(|| ApiError::no_entity("attributeSetId", id))?.json())
}

/// `GET /V1/products/attribute-sets/{id}/attributes`.
pub(super) fn set_attributes(state: &State, id: &str, view: u64) -> Result<Json, ApiError> {
    let set = id.parse().ok().filter(|id| state.sets.iter().any(|set| set.id == *id));
    let set = set.ok_or_else(|| ApiError::no_entity("attributeSetId", id))?;
    let of_set = state.attributes.iter().filter(|attribute| state.set_has(set, attribute));
    Ok(Json::Array(of_set.map(|attribute| attribute.json(view)).collect()))
}

/// `GET /V1/categories`: the tree below the default root, or below another category.
pub(super) fn tree(state: &State, query: &Query, view: u64) -> Result<Json, ApiError> {
    let root = query.get("rootCategoryId").and_then(|id| id.parse().ok());
    let root = root.unwrap_or(if view == GLOBAL { 1 } else { 2 });
    let depth = query.get("depth").and_then(|depth| depth.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let category = state.categories.get(&root).ok_or_else(|| ApiError::no_entity("id", &root.to_string()))?;
    Ok(branch(state, category, view, depth))
}

fn branch(state: &State, category: &Category, view: u64, depth: usize) -> Json {
    let below = if depth == 0 { Vec::new() } else { state.children(category.id) };
    let below = below.iter().filter_map(|id| state.categories.get(id));
    let count =
        state.products.values().filter(|p| p.categories.iter().any(|link| link.category == category.id));
    Json::object([
        ("id", Json::from(category.id)),
        ("parent_id", Json::from(category.parent)),
        ("name", Json::text(category.value(view, "name").unwrap_or_default())),
        ("is_active", Json::Bool(category.is_on(view, "is_active"))),
        ("position", Json::from(category.position)),
        ("level", Json::from(category.level())),
        ("product_count", Json::from(u64::try_from(count.count()).unwrap_or(0))),
        ("children_data", Json::Array(below.map(|child| branch(state, child, view, depth - 1)).collect())),
    ])
}

/// `GET /V1/categories/list`.
pub(super) fn categories(state: &mut State, query: &Query, view: u64) -> Result<Json, ApiError> {
    let criteria = Criteria::read(query, &state.conditions)?;
    let random = state.random();
    let all: Vec<_> = state.categories.values().collect();
    let value = |at: usize, field: &str| -> Vec<String> {
        let Some(category) = all.get(at) else { return Vec::new() };
        match field {
            "entity_id" => vec![category.id.to_string()],
            "parent_id" => vec![category.parent.to_string()],
            "level" => vec![category.level().to_string()],
            "position" => vec![category.position.to_string()],
            "path" => vec![category.path_text()],
            "created_at" => vec![render::date(category.created)],
            "updated_at" => vec![render::date(category.updated)],
            code => category.value(view, code).map(str::to_owned).into_iter().collect(),
        }
    };
    let (found, total) = criteria.play(all.len(), &state.conditions, random, value);
    let page = found.into_iter().filter_map(|at| all.get(at)).map(|c| c.json(view, &state.children(c.id)));
    Ok(criteria.answer(page.collect(), total))
}

/// `GET /V1/categories/{id}`.
pub(super) fn category(state: &State, id: &str, view: u64) -> Result<Json, ApiError> {
    let category = id.parse().ok().and_then(|id| state.categories.get(&id));
    let category = category.ok_or_else(|| ApiError::no_entity("id", id))?;
    Ok(category.json(view, &state.children(category.id)))
}

/// `GET /V1/categories/{id}/products`.
pub(super) fn category_products(state: &State, id: &str) -> Result<Json, ApiError> {
    let wanted = id.parse().ok().filter(|id| state.categories.contains_key(id));
    let wanted = wanted.ok_or_else(|| ApiError::no_entity("id", id))?;
    let link = |product: &Product| {
        let link = product.categories.iter().find(|link| link.category == wanted)?;
        Some(Json::object([
            ("sku", Json::text(product.sku.clone())),
            ("position", Json::from(link.position)),
            ("category_id", Json::text(id)),
        ]))
    };
    Ok(Json::Array(state.products.values().filter_map(link).collect()))
}

/// `POST` and `PUT /V1/categories/{id}/products`: the id of the body decides. No date moves.
pub(super) fn link(state: &mut State, id: &str, body: &Json) -> Result<Json, ApiError> {
    let link = body.get("productLink").ok_or_else(|| ApiError::required("productLink"))?;
    let sku = link.get("sku").and_then(Json::as_str).ok_or_else(|| ApiError::required("sku"))?;
    let category = link.get("category_id").and_then(Json::as_id).or_else(|| id.parse().ok());
    let category = category.filter(|id| state.categories.contains_key(id));
    let category = category.ok_or_else(|| ApiError::no_entity("id", id))?;
    let position = link.get("position").and_then(Json::as_int).unwrap_or(0);
    let product = state.id_of(sku)?;
    if let Some(product) = state.products.get_mut(&product) {
        product.categories.retain(|known| known.category != category);
        product.categories.push(CategoryLink { category, position });
    }
    Ok(Json::Bool(true))
}

/// `DELETE /V1/categories/{id}/products/{sku}`.
pub(super) fn unlink(state: &mut State, id: &str, sku: &str) -> Result<Json, ApiError> {
    let category = id.parse().ok().filter(|id| state.categories.contains_key(id));
    let category: u64 = category.ok_or_else(|| ApiError::no_entity("id", id))?;
    let product = state.id_of(sku)?;
    let product = state.products.get_mut(&product).ok_or_else(ApiError::no_product)?;
    let before = product.categories.len();
    product.categories.retain(|known| known.category != category);
    if product.categories.len() == before {
        return Err(ApiError::bad("The category doesn't contain the specified product."));
    }
    Ok(Json::Bool(true))
}

/// `POST /V1/categories` and `PUT /V1/categories/{id}`.
pub(super) fn save_category(
    state: &mut State,
    id: Option<&str>,
    body: &Json,
    view: u64,
) -> Result<Json, ApiError> {
    let item = body.get("category").filter(|item| item.as_object().is_some());
    let item = item.ok_or_else(|| ApiError::required("category"))?.clone();
    let id = match id {
        Some(text) => {
            let known = text.parse().ok().filter(|id| state.categories.contains_key(id));
            known.ok_or_else(|| ApiError::no_entity("id", text))?
        }
        None => {
            let name = item.get("name").and_then(Json::as_str).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| ApiError::required("name"))?.to_owned();
            let parent = item.get("parent_id").and_then(Json::as_id).unwrap_or(2);
            if !state.categories.contains_key(&parent) {
                return Err(ApiError::no_entity("id", &parent.to_string()));
            }
            state.add_category(parent, &name)
        }
    };
    let (now, copies) = (state.now, state.conditions.categories_copy_inherited);
    let children = state.children(id);
    let Some(category) = state.categories.get_mut(&id) else { return Err(ApiError::no_entity("id", "")) };
    if view != GLOBAL && copies {
        for code in SCOPED {
            if let Some(value) = category.value(view, code).map(str::to_owned) {
                category.set(view, code, value);
            }
        }
    }
    for code in ["name", "is_active", "include_in_menu"] {
        match item.get(code) {
            Some(Json::String(text)) => category.set(view, code, text.clone()),
            Some(Json::Bool(on)) => category.set(view, code, if *on { "1" } else { "0" }),
            _ => {}
        }
    }
    for entry in item.get("custom_attributes").and_then(Json::as_array).unwrap_or_default() {
        let code = entry.get("attribute_code").and_then(Json::as_str).unwrap_or_default();
        let value = entry.get("value").and_then(Json::as_str).unwrap_or_default();
        if SCOPED.contains(&code) {
            category.set(view, code, if code == "url_key" { url_key(value) } else { value.to_owned() });
        }
    }
    category.updated = now;
    Ok(category.json(view, &children))
}

/// `GET /V1/configurable-products/{sku}/children`.
pub(super) fn children(state: &State, sku: &str, view: u64) -> Result<Json, ApiError> {
    let parent = state.by_sku(sku).ok_or_else(ApiError::no_product)?;
    let children = parent.children.iter().filter_map(|id| state.products.get(id));
    Ok(Json::Array(children.map(|child| render::product(state, child, view, Place::List)).collect()))
}

/// `GET /V1/configurable-products/{sku}/options/all`.
pub(super) fn configurable_options(state: &State, sku: &str) -> Result<Json, ApiError> {
    let parent = state.by_sku(sku).ok_or_else(ApiError::no_product)?;
    let options = parent.configurable.iter().map(|option| render::configurable_option(option, parent.id));
    Ok(Json::Array(options.collect()))
}

/// `POST /V1/configurable-products/{sku}/options`.
pub(super) fn add_configurable_option(state: &mut State, sku: &str, body: &Json) -> Result<Json, ApiError> {
    let option = body.get("option").ok_or_else(|| ApiError::required("option"))?;
    let (product, id) = (state.id_of(sku)?, state.take_id());
    let option = write::read_option(option, id);
    if let Some(product) = state.products.get_mut(&product) {
        "configurable".clone_into(&mut product.type_id);
        product.configurable.push(option);
    }
    Ok(Json::from(id))
}

/// `POST /V1/configurable-products/{sku}/child`.
pub(super) fn add_child(state: &mut State, sku: &str, body: &Json) -> Result<Json, ApiError> {
    let child = body.get("childSku").and_then(Json::as_str).ok_or_else(|| ApiError::required("childSku"))?;
    let (parent, child) = (state.id_of(sku)?, state.id_of(child)?);
    if let Some(parent) = state.products.get_mut(&parent) {
        if parent.children.contains(&child) {
            return Err(ApiError::bad("The product is already attached."));
        }
        parent.children.push(child);
    }
    Ok(Json::Bool(true))
}
